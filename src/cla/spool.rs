//! Sticks: a directory or a USB drive as a link with very long latency (`bundle-spec/links.md`).
//!
//! `export` writes what is useful elsewhere, `import` takes what is useful here; both may be cut off at any
//! byte and run again. To the agent a stick is a peer like any other. Who owns a stick needs no trust:
//! everything on it is checked like everything that arrives.

use std::{
    io,
    path::{Path, PathBuf},
};

use bundle_spec::{BundleId, NodeId};

use crate::{
    agent::Refusal,
    node::mailbox::{Handle, Stopped, StoreError},
};

mod export;
mod import;
mod layout;
mod stick;
mod watch;
mod words;

#[cfg(test)]
mod tests;

pub use self::{layout::MARKER, watch::Spool};

/// Most remarks in one report.
const WARNINGS_MAX: usize = 64;

/// Writes to the stick at `dir` what is useful to the nodes in `toward` (to anybody, if there are none),
/// until the spool on it takes up `bytes_max` bytes or there is no room. Makes a spool of any folder.
///
/// # Errors
/// See [`SpoolError`]; everything that was written before stays.
pub async fn export(
    handle: &Handle,
    dir: &Path,
    toward: Vec<NodeId>,
    bytes_max: Option<u64>,
) -> Result<Report, SpoolError> {
    export::export(handle, dir, toward, bytes_max).await
}

/// Takes from the stick at `dir` what is useful here, and removes from it what has arrived or is pointless.
///
/// # Errors
/// See [`SpoolError`]; everything that was taken before stays taken. Damaged files are no error.
pub async fn import(handle: &Handle, dir: &Path) -> Result<Report, SpoolError> {
    import::import(handle, dir).await
}

/// What came of an export or an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bundles that were written to the stick.
    pub exported: u64,
    /// Bytes of the bundles that were written or taken.
    pub bytes: u64,
    /// Bundles for which there was no room.
    pub left: u64,
    /// Bundles that were taken from the stick.
    pub imported: u64,
    /// Bundles on the stick that were here already.
    pub duplicates: u64,
    /// Bundles on the stick that were not taken, with the reason.
    pub refused: Vec<(BundleId, Refusal)>,
    /// Files that are damaged, with the reason. They lie in `bad/`.
    pub bad: Vec<(String, String)>,
    /// Bundles that were removed from the stick, because they have arrived or are pointless.
    pub removed: u64,
    /// What else is worth knowing.
    pub warnings: Vec<String>,
}

impl Report {
    fn warn(&mut self, text: String) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(text);
        }
    }
}

/// Why a stick could not be exported to or imported from.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// There is no spool.
    #[error("there is no spool at `{0}`; `pannier spool export` makes one")]
    NotASpool(PathBuf),
    /// Something else has the name.
    #[error("`{0}` is not a folder; remove it")]
    NotAFolder(PathBuf),
    /// The id file is none of ours.
    #[error("`{0}` was not written by this version; update pannier, or remove it to begin a new spool")]
    Version(PathBuf),
    /// The file system says no.
    #[error("`{path}`: {cause}")]
    Folder {
        /// Where.
        path: PathBuf,
        /// What it says.
        cause: io::Error,
    },
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node has stopped.
    #[error("the node has stopped; run it again to go on")]
    NodeStopped,
}

impl From<Stopped> for SpoolError {
    fn from(_: Stopped) -> Self {
        Self::NodeStopped
    }
}

/// What is wrong with a bundle file.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("the name of the file is not that of its bundle")]
    Name,
    #[error("the file is not as long as its bundle")]
    Length,
    #[error("the payload is longer than is ever taken")]
    TooLarge,
    #[error(transparent)]
    Bundle(#[from] bundle_spec::Error),
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}
