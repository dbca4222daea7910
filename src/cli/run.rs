//! `pannier run`: the node in the foreground, as a service starts it.

use std::{io, path::PathBuf};

use tracing_subscriber::EnvFilter;

use super::{Context, Exit, Failure};
use crate::node::{self, NodeError, identity, mailbox::StoreError};

pub(super) fn run(context: &Context, ready_file: Option<PathBuf>) -> Result<Exit, Failure> {
    let settings = context.loaded()?.settings;
    let path = settings.paths.identity();
    identity::load(&path).map_err(|error| match error {
        identity::IdentityError::Missing(_) => {
            Failure::new(Exit::NotInitialised, "there is no node here yet").cause(error).hint("pannier init")
        }
        identity::IdentityError::Loose { .. } => {
            let hint = format!("chmod 600 {}", path.display());
            Failure::new(Exit::Configuration, "the node's key cannot be used").cause(error).hint(hint)
        }
        identity::IdentityError::Length { .. } | identity::IdentityError::Io { .. } => {
            Failure::new(Exit::Configuration, "the node's key cannot be used").cause(error)
        }
    })?;
    log(context)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("the node cannot start", &error))?;
    runtime.block_on(node::run(settings, ready_file)).map_err(stopped)?;
    Ok(Exit::Done)
}

/// The log goes to stderr; `PANNIER_LOG` filters it, `-v` and `-q` do where it is not set.
fn log(context: &Context) -> Result<(), Failure> {
    let usual = match (context.global.verbose, context.global.quiet) {
        (0, 0) => "pannier=info,warn",
        (0, _) => "error",
        (1, _) => "pannier=debug,info",
        _ => "pannier=trace,debug",
    };
    let filter = context.environment.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::new(Exit::Configuration, format!("`PANNIER_LOG` is no filter: `{filter}`")).cause(error)
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(context.printer.is_colourful());
    if context.global.json {
        subscriber.json().init();
    } else {
        subscriber.init();
    }
    Ok(())
}

/// What a node that did not start or could not go on means for who started it.
fn stopped(error: NodeError) -> Failure {
    let (exit, hint) = match &error {
        NodeError::Store(StoreError::InUse(_)) => (Exit::Store, "another node runs here: `pannier status`"),
        NodeError::Store(StoreError::Full { .. }) => (Exit::Store, "free space on the disk"),
        NodeError::Store(_) => (Exit::Store, "pannier doctor"),
        NodeError::Identity(_) | NodeError::Eid(_) => (Exit::Configuration, "pannier doctor"),
        NodeError::Sealing(_) => {
            (Exit::Configuration, "restore `sealing.json` in the data folder, readable by its owner alone")
        }
        NodeError::Keys(_) => (
            Exit::Configuration,
            "a JWK set that only the node reads, with every key that `security.rules` names",
        ),
        NodeError::Listen(_) => (Exit::Failed, "another node runs here, or choose another `gateway.listen`"),
        NodeError::Peers(_) | NodeError::Io { .. } => (Exit::Failed, "pannier doctor"),
    };
    Failure::new(exit, "the node cannot run").cause(error).hint(hint)
}
