//! `pannier key`: the keys that jobs are sealed with. Works on the file of this node, whether or not the node
//! runs: a running one notices.

use std::path::Path;

use bundle_spec::{NodeId, sealing::SealingKey, sign::SigningKey};
use serde_json::{Value, json};

use super::{Context, Exit, Failure, args::Key, printer::short_node, submit};
use crate::{
    node::{
        identity,
        sealing::{self, KeyEntry, KeyFile, Owner, Ring, SealingFileError, is_role_name, read_lines},
    },
    settings::{Loaded, quantity::show_duration},
};

pub(super) fn key(context: &Context, command: Key) -> Result<Exit, Failure> {
    let loaded = context.loaded()?;
    let file = KeyFile::new(sealing::path(&loaded.settings.paths.data));
    match command {
        Key::List => list(context, &file.load()?),
        Key::Show { role, secret } => show(context, &loaded, &file, role, secret),
        Key::Add { file: lines } => add(context, &file, &lines),
        Key::Create { role } => create(context, &file, role),
        Key::Rotate { role } => rotate(context, &loaded, &file, role),
        Key::Forget { name } => forget(context, &file, &name),
    }
}

fn list(context: &Context, ring: &Ring) -> Result<Exit, Failure> {
    for key in ring.keys() {
        let what = match (&key.secret, ring.is_retired(key)) {
            (Some(_), true) => "retired, still opens",
            (None, true) => "retired",
            (Some(_), false) => "opens",
            (None, false) => "seals only",
        };
        let owner = match &key.owner {
            Owner::Node(node) => format!("node {}", short_node(&node.to_string())),
            owner => owner.to_string(),
        };
        context.printer.data(&format!("{owner:<28}  {:>3}  {}  {what}", key.epoch, shown(key)))?;
        context.printer.line("key", described(ring, key))?;
    }
    if ring.keys().is_empty() {
        context.printer.talk("no keys; `pannier init` makes the node's own")?;
    }
    context.printer.line("result", json!({ "keys": ring.keys().len() }))?;
    Ok(Exit::Done)
}

fn show(
    context: &Context,
    loaded: &Loaded,
    file: &KeyFile,
    role: Option<String>,
    secret: bool,
) -> Result<Exit, Failure> {
    let line = match role {
        None => {
            let ring = file.ensure()?;
            let key = ring.current(&Owner::Own).expect("a key of the node's own was made sure of");
            let (node, signing) = identity(loaded)?;
            key.own_line(&node, &signing)
        }
        Some(name) => {
            let ring = file.load()?;
            let key = ring.current(&Owner::Role(name.clone())).ok_or_else(|| unknown_role(&name))?;
            let unknown =
                || Failure::new(Exit::NotFound, format!("the secret of the role `{name}` is not known here"));
            match secret {
                true => key.secret_line().ok_or_else(unknown)?.to_string(),
                false => key.role_line().expect("the key is that of a role"),
            }
        }
    };
    context.printer.data(&line)?;
    context.printer.line("result", json!({ "line": line }))?;
    Ok(Exit::Done)
}

fn add(context: &Context, file: &KeyFile, lines: &Path) -> Result<Exit, Failure> {
    let text = zeroize::Zeroizing::new(submit::input(lines)?);
    let entries = read_lines(&String::from_utf8_lossy(&text)).map_err(|error| {
        Failure::new(Exit::Failed, format!("`{}` is not taken", lines.display()))
            .cause(error)
            .hint("give the line whole, as `pannier key show` has printed it")
    })?;
    let taken = entries.clone();
    let (ring, news) = file.change(move |ring| {
        taken.into_iter().try_fold(0, |news, entry| Ok(news + usize::from(ring.add(entry)?)))
    })?;
    for entry in &entries {
        let words = if entry.secret.is_some() { "opens what is sealed for" } else { "is sealed for" };
        context.printer.talk(&format!("{words} {}, epoch {}", entry.owner, entry.epoch))?;
        context.printer.line("key", described(&ring, entry))?;
    }
    context.printer.line("result", json!({ "added": news }))?;
    Ok(Exit::Done)
}

fn create(context: &Context, file: &KeyFile, role: String) -> Result<Exit, Failure> {
    if !is_role_name(&role) {
        return Err(Failure::usage(format!("`{role}` is no name of a role"))
            .hint("letters, digits, `-` and `_`, at most 64"));
    }
    let owner = Owner::Role(role.clone());
    let (ring, is_new) = file.change(|ring| {
        let is_new = ring.current(&owner).is_none();
        if is_new {
            ring.rotate(&owner, fresh())?;
        }
        Ok(is_new)
    })?;
    if !is_new {
        return Err(Failure::new(Exit::Failed, format!("there is a key of the role `{role}` already"))
            .hint(format!("pannier key rotate --role {role}")));
    }
    told(context, &ring, &owner)?;
    context.printer.talk(&format!("for who asks: `pannier key show --role {role}`"))?;
    context.printer.talk(&format!("for executors: `pannier key show --role {role} --secret`"))?;
    Ok(Exit::Done)
}

fn rotate(context: &Context, loaded: &Loaded, file: &KeyFile, role: Option<String>) -> Result<Exit, Failure> {
    let owner = role.clone().map_or(Owner::Own, Owner::Role);
    if role.is_some() {
        let held = file.load()?.current(&owner).map(|key| key.secret.is_some());
        match (held, &role) {
            (None, Some(name)) => return Err(unknown_role(name)),
            (Some(false), Some(name)) => {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("the role `{name}` is not this node's to rotate: its secret is not here"),
                )
                .hint("rotate it where it was made, and pass the new lines on"));
            }
            _ => {}
        }
    }
    let (ring, ()) = file.change(|ring| ring.rotate(&owner, fresh()).map(drop))?;
    told(context, &ring, &owner)?;
    let overlap = sealing::overlap(&loaded.settings.sealing);
    context.printer.talk(&format!(
        "what was sealed before opens for {} more; pass on what `pannier key show{}` prints",
        show_duration(overlap),
        role.map_or(String::new(), |name| format!(" --role {name}")),
    ))?;
    Ok(Exit::Done)
}

fn forget(context: &Context, file: &KeyFile, name: &str) -> Result<Exit, Failure> {
    let owner = name.parse::<NodeId>().map_or_else(|_| Owner::Role(name.to_owned()), Owner::Node);
    let (_, count) = file.change(|ring| Ok(ring.forget(&owner)))?;
    if count == 0 {
        return Err(Failure::new(Exit::NotFound, format!("no key of `{name}` is known here"))
            .hint("pannier key list"));
    }
    context.printer.talk(&format!("no key of {owner} is known here any more"))?;
    context.printer.line("result", json!({ "forgotten": count }))?;
    Ok(Exit::Done)
}

/// Says what the current key of somebody is.
fn told(context: &Context, ring: &Ring, owner: &Owner) -> Result<(), Failure> {
    let key = ring.current(owner).expect("the key was just made");
    context.printer.data(&format!("{owner}  epoch {}  {}", key.epoch, shown(key)))?;
    context.printer.line("result", described(ring, key))?;
    Ok(())
}

fn described(ring: &Ring, key: &KeyEntry) -> Value {
    json!({
        "owner": key.owner.to_string(), "epoch": key.epoch, "public": shown(key),
        "opens": key.secret.is_some(), "retired": ring.is_retired(key),
    })
}

fn shown(key: &KeyEntry) -> String {
    sealing::show_public(&key.public)
}

fn fresh() -> SealingKey {
    SealingKey::from_bytes(&zeroize::Zeroizing::new(rand::random()))
}

fn unknown_role(name: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("no key of the role `{name}` is known here"))
        .hint(format!("pannier key create {name}"))
}

/// Who this node is, and what it signs with.
fn identity(loaded: &Loaded) -> Result<(NodeId, SigningKey), Failure> {
    let key = identity::load(&loaded.settings.paths.identity()).map_err(|error| {
        Failure::new(Exit::NotInitialised, "the node's key cannot be used").cause(error).hint("pannier init")
    })?;
    let node = match &loaded.settings.eid {
        Some(eid) => eid.parse().expect("the settings were checked"),
        None => key.public().node_id(),
    };
    Ok((node, key))
}

impl From<SealingFileError> for Failure {
    fn from(error: SealingFileError) -> Self {
        Self::new(Exit::Configuration, "the sealing keys cannot be used").cause(error)
    }
}
