//! Tells the program from which commit it was built, so that a seed can be run again.

use std::process::Command;

fn main() {
    println!(
        "cargo::rustc-env=PANNIER_COMMIT={}",
        git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default()
    );
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}

/// What git says, if there is git and a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
