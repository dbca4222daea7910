//! `pannier init`: key, folders, configuration. Done again, it changes nothing.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
    str::FromStr,
};

use bundle_spec::NodeId;
use serde_json::json;

use super::{Context, Exit, Failure};
use crate::{
    node::{
        identity,
        sealing::{self, KeyFile},
    },
    settings::{self, Paths},
};

pub(super) fn init(context: &Context, eid: Option<&str>) -> Result<Exit, Failure> {
    let paths = context.paths()?;
    if let Some(eid) = eid {
        NodeId::from_str(eid).map_err(|error| {
            Failure::usage(format!("`{eid}` is not a node's endpoint identifier"))
                .cause(error)
                .hint("write it as `dtn://NAME/` or `ipn:NUMBER.0`")
        })?;
    }
    for folder in [paths.config.parent(), Some(&paths.data), Some(&paths.state)].into_iter().flatten() {
        make(folder)?;
    }
    let is_new = configure(&paths, eid)?;
    let loaded = context.loaded()?;
    if let Some(eid) = eid.filter(|eid| loaded.settings.eid.as_deref() != Some(*eid)) {
        let file = paths.config.display();
        return Err(Failure::new(
            Exit::Configuration,
            format!("`{file}` exists and does not say `eid = \"{eid}\"`"),
        )
        .hint(format!("write `eid = \"{eid}\"` under `[node]` in `{file}`")));
    }
    let key = identity::load_or_create(&paths.identity())
        .map_err(|error| Failure::new(Exit::Configuration, "the node's key cannot be used").cause(error))?;
    KeyFile::new(sealing::path(&paths.data)).ensure()?;
    let node = loaded.settings.eid.clone().unwrap_or_else(|| key.public().node_id().to_string());
    let printer = &context.printer;
    printer.data(&format!("node           {node}"))?;
    printer.data(&format!(
        "configuration  {}{}",
        paths.config.display(),
        if is_new { "" } else { " (kept)" }
    ))?;
    printer.data(&format!("data           {}", paths.data.display()))?;
    printer.data(&format!("state          {}", paths.state.display()))?;
    printer.talk("`pannier run` starts it")?;
    let fields = json!({
        "node": node, "config": paths.config, "data": paths.data, "state": paths.state,
        "socket": paths.socket,
    });
    printer.line("result", fields)?;
    Ok(Exit::Done)
}

fn make(folder: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::io(format!("`{}` cannot be made", folder.display()), &error))
}

/// Writes the commented file unless there is one; says whether it did.
fn configure(paths: &Paths, eid: Option<&str>) -> Result<bool, Failure> {
    let mut content = settings::commented_file(paths);
    if let Some(eid) = eid {
        content = content.replacen("\n[node]\n", &format!("\n[node]\neid = \"{eid}\"\n"), 1);
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&paths.config)
        .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()));
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Failure::io(format!("`{}` cannot be written", paths.config.display()), &error)),
    }
}
