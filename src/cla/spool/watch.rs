//! Watches folders under which sticks appear, and synchronises each stick that carries a spool when it comes.

use std::{
    collections::BTreeSet,
    fs,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{MARKER, Report, SpoolError, export, import};
use crate::{
    cla::{ClaError, ConvergenceLayer, offload::offload},
    node::mailbox::Handle,
};

/// Most sticks that are looked at under one folder.
const STICKS_MAX: usize = 64;

/// The convergence layer `spool`.
pub struct Spool {
    /// Folders under which sticks appear.
    pub parents: Vec<PathBuf>,
    /// How often to look.
    pub period: Duration,
}

impl ConvergenceLayer for Spool {
    fn name(&self) -> &'static str {
        "spool"
    }

    fn run(
        self: Box<Self>,
        node: Handle,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClaError>> + Send>> {
        Box::pin(self.watch(node, stop))
    }
}

impl Spool {
    async fn watch(self, handle: Handle, stop: CancellationToken) -> Result<(), ClaError> {
        let mut known = BTreeSet::new();
        let mut ticks = interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let parents = self.parents.clone();
            let here = offload(move || sticks(&parents)).await;
            for stick in here.difference(&known) {
                let synchronised = tokio::select! {
                    biased;
                    // Sticks may be cut off at any byte.
                    () = stop.cancelled() => return Ok(()),
                    synchronised = synchronise(&handle, stick) => synchronised,
                };
                match synchronised {
                    Ok((imported, exported)) => info!(
                        imported = imported.imported,
                        damaged = imported.bad.len(),
                        exported = exported.exported,
                        "a stick was synchronised; it may be removed"
                    ),
                    Err(SpoolError::NodeStopped) => return Err(ClaError::NodeStopped),
                    Err(error) => warn!(%error, "a stick could not be synchronised"),
                }
            }
            known = here;
        }
    }
}

async fn synchronise(handle: &Handle, stick: &Path) -> Result<(Report, Report), SpoolError> {
    let imported = import(handle, stick).await?;
    let exported = export(handle, stick, Vec::new(), None).await?;
    Ok((imported, exported))
}

/// Every folder under `parents` that carries a spool. What cannot be read is not there.
fn sticks(parents: &[PathBuf]) -> BTreeSet<PathBuf> {
    let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let mut found = BTreeSet::new();
    for parent in parents {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        for entry in entries.flatten().take(STICKS_MAX) {
            let path = entry.path();
            if is_folder(&path) && is_folder(&path.join(MARKER)) {
                found.insert(path);
            }
        }
    }
    found
}
