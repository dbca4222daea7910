//! `pannier completions` and `pannier man`: generated from the tree of commands.

use std::path::Path;

use clap_complete::Shell;
use serde_json::json;

use super::{Context, Exit, Failure, command};
use crate::settings::reference_file;

pub(super) fn completions(context: &Context, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "pannier", &mut script);
    if context.printer.is_json() {
        context.printer.line("result", json!({ "script": String::from_utf8_lossy(&script) }))?;
        return Ok(Exit::Done);
    }
    context.printer.bytes(&script)?;
    Ok(Exit::Done)
}

pub(super) fn man(context: &Context, dir: Option<&Path>) -> Result<Exit, Failure> {
    if let Some(dir) = dir {
        let failed = |error| Failure::io(format!("`{}` cannot be written", dir.display()), &error);
        std::fs::create_dir_all(dir).map_err(failed)?;
        clap_mangen::generate_to(command(), dir).map_err(failed)?;
        context.printer.line("result", json!({ "dir": dir }))?;
        return Ok(Exit::Done);
    }
    let page = page().map_err(Failure::from)?;
    if context.printer.is_json() {
        context.printer.line("result", json!({ "page": String::from_utf8_lossy(&page) }))?;
        return Ok(Exit::Done);
    }
    context.printer.bytes(&page)?;
    Ok(Exit::Done)
}

/// The main page, with the exit codes.
fn page() -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command()).render(&mut page)?;
    page.extend_from_slice(b".SH \"EXIT STATUS\"\n");
    for (exit, meaning) in Exit::ALL {
        page.extend_from_slice(format!(".TP\n\\fB{}\\fR\n{meaning}\n", exit.code()).as_bytes());
    }
    page.extend_from_slice(b"Unknown codes are to be treated as failure.\n");
    Ok(page)
}

/// Every file that is generated from the tree of commands and the table of settings, by its name: manual
/// pages, completions, the commented configuration.
///
/// # Errors
/// If a page cannot be rendered.
pub fn generated() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = vec![("man/pannier.1".to_owned(), page()?)];
    for command in command().get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("pannier-{}", command.get_name());
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone().name(name.clone())).render(&mut page)?;
        files.push((format!("man/{name}.1"), page));
    }
    for (shell, name) in
        [(Shell::Bash, "pannier.bash"), (Shell::Zsh, "_pannier"), (Shell::Fish, "pannier.fish")]
    {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command(), "pannier", &mut script);
        files.push((format!("completions/{name}"), script));
    }
    files.push(("pannier.toml".to_owned(), reference_file().into_bytes()));
    Ok(files)
}
