//! The node's part in bundle security: which keys and rules hold, and the two places where they are applied,
//! on arrival before the agent hears of a bundle (`arrival`) and on departure before a link gets it
//! (`departure`).
//!
//! Links and agent know nothing of it. A node without keys and rules does nothing here and pays nothing.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bundle_spec::{
    Header, NodeId,
    block::{BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY},
    report::ReasonCode,
    security::{Algorithm, Duty, JwkError, Key, KeySet, Policy, SecurityError},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{mailbox::StoreError, metrics::Metrics};
use crate::settings::SecuritySettings;

mod arrival;
mod clear;
mod departure;
#[cfg(test)]
mod tests;

pub(super) use self::{
    arrival::{Arrived, Doubt},
    departure::{Departing, depart},
};

/// How often the key file is looked at.
const KEYS_PERIOD: Duration = Duration::from_secs(10);
/// Permissions of every user of the machine, which a key file must not give.
const OTHERS: u32 = 0o007;
/// How many bytes of a payload are read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// Keys and rules of this node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guard {
    policy: Arc<Policy>,
    /// The name of the key that signs where encryption is forbidden.
    link_key: Option<Arc<str>>,
    /// The keys as the file has them; `None` if no file is named.
    keys: Option<watch::Receiver<Arc<KeySet>>>,
    /// Where failures are counted.
    metrics: Option<Arc<Metrics>>,
}

/// Why a bundle does not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// Its security operations do not hold, or could not be made.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The store does not give or take what it should.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payload is not in the store.
    #[error("the payload is not in the store")]
    Missing,
    /// A rule names a key that is not there, or not for making operations.
    #[error(
        "no key `{0}` to secure bundles with: `security.keys` must have it, with `sign`, `encrypt` or `wrapKey`"
    )]
    NoKey(String),
    /// It must be signed to cross a link on which encryption is forbidden, and there is no key for that.
    #[error("encryption is forbidden on the link, and `security.link-key` names no key to sign with")]
    NoLinkKey,
    /// It may not cross a link on which encryption is forbidden.
    #[error("encryption is forbidden on the link")]
    Clear,
}

impl Guard {
    /// Nothing is secured, nothing is checked.
    pub(super) fn none() -> Self {
        Self { policy: Arc::default(), link_key: None, keys: None, metrics: None }
    }

    /// These rules, and the keys that are in the file at any time.
    pub(super) fn new(
        settings: &SecuritySettings,
        keys: Option<watch::Receiver<Arc<KeySet>>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let link_key = settings.link_key.as_deref().map(Arc::from);
        Self { policy: Arc::new(settings.rules.clone()), link_key, keys, metrics: Some(metrics) }
    }

    /// The keys at this moment.
    fn keys(&self) -> Arc<KeySet> {
        self.keys.as_ref().map_or_else(Arc::default, |keys| Arc::clone(&keys.borrow()))
    }

    /// Whether an arriving bundle must be looked at.
    pub(in crate::node) fn concerns(&self, header: &Header) -> bool {
        let is_security = |block_type| matches!(block_type, BLOCK_INTEGRITY | BLOCK_CONFIDENTIALITY);
        let is_idle = self.keys.is_none() && self.policy.rules().is_empty();
        !is_idle
            && (header.blocks().iter().any(|block| is_security(block.block_type))
                || !self.policy.required(header).is_empty())
    }

    /// Whether a departing bundle is to be secured: it was made here, and a rule says so.
    pub(super) fn secures(&self, node: &NodeId, header: &Header) -> bool {
        let primary = header.primary();
        primary.source().node_id().as_ref() == Some(node)
            && self.policy.secures(primary.source(), primary.destination())
    }

    /// Counts a failure.
    fn failed(&self, stop: &Stop) {
        let Some(metrics) = &self.metrics else { return };
        metrics.distrusted(match stop {
            Stop::Security(error) => match error.reason() {
                ReasonCode::MissingSecurityOperation => "missing",
                ReasonCode::UnknownSecurityOperation => "unknown",
                ReasonCode::UnexpectedSecurityOperation => "unexpected",
                ReasonCode::ConflictingSecurityOperation => "conflicting",
                ReasonCode::BlockUnintelligible => "unintelligible",
                _ => "failed",
            },
            Stop::NoKey(_) | Stop::NoLinkKey => "no-key",
            Stop::Clear => "encrypted",
            Stop::Store(_) | Stop::Missing => "store",
        });
    }
}

/// Why the keys of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("`{path}` cannot be read: {cause}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It is no key file.
    #[error("`{path}`: {cause}", path = path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: JwkError,
    },
    /// Others can read it.
    #[error("`{path}` can be read by every user of this machine (mode {mode:o}); `chmod o-rwx` it", path = path.display())]
    Loose {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A rule speaks of a key that is not there.
    #[error("`{path}` has no key `{id}`, which a rule to `{duty}` names", path = path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
        /// Which key.
        id: String,
        /// What the rule wants it for.
        duty: Duty,
    },
    /// The key for links on which encryption is forbidden is not there, or cannot do its work.
    #[error(
        "`{path}` has no HMAC key `{id}` that may sign and verify, which `security.link-key` names", path = path.display()
    )]
    NoLinkKey {
        /// Which file.
        path: PathBuf,
        /// Which key.
        id: String,
    },
}

/// Reads a key file.
///
/// # Errors
/// See [`KeyFileError`].
pub fn read_keys(path: &Path) -> Result<KeySet, KeyFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| KeyFileError::Unreadable { path: path.to_owned(), cause })?;
    let keys =
        KeySet::parse(&text).map_err(|cause| KeyFileError::Unusable { path: path.to_owned(), cause })?;
    Ok(keys)
}

/// Reads a node's key file, which must be its own and have every key that settings name, for what they want
/// it for.
///
/// # Errors
/// See [`KeyFileError`].
pub fn load_keys(path: &Path, settings: &SecuritySettings) -> Result<KeySet, KeyFileError> {
    let unreadable = |cause| KeyFileError::Unreadable { path: path.to_owned(), cause };
    let mode = std::fs::metadata(path).map_err(unreadable)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyFileError::Loose { path: path.to_owned(), mode });
    }
    let keys = read_keys(path)?;
    for rule in settings.rules.rules() {
        let Some(id) = rule.key.as_deref() else { continue };
        let fits = |key: &Key| match rule.duty.role() {
            None => key.permissions().may_make,
            Some(_) => key.permissions().may_check,
        };
        if !keys.keys().iter().any(|key| key.id() == id && fits(key)) {
            return Err(KeyFileError::NoKey { path: path.to_owned(), id: id.to_owned(), duty: rule.duty });
        }
    }
    let signs = |key: &Key, id: &str| {
        let (permissions, is_hmac) = (key.permissions(), matches!(key.algorithm(), Algorithm::Hmac(_)));
        key.id() == id && is_hmac && permissions.may_make && permissions.may_check
    };
    match settings.link_key.as_deref() {
        Some(id) if !keys.keys().iter().any(|key| signs(key, id)) => {
            Err(KeyFileError::NoLinkKey { path: path.to_owned(), id: id.to_owned() })
        }
        Some(_) | None => Ok(keys),
    }
}

/// Reads the key file again whenever it has changed, until `stop`. A file that cannot be used leaves the keys
/// that were there in force.
pub(super) async fn keep_keys(
    path: PathBuf,
    settings: SecuritySettings,
    keys: watch::Sender<Arc<KeySet>>,
    stop: CancellationToken,
) {
    let mut seen = stamp(path.clone()).await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(KEYS_PERIOD) => {}
        }
        let found = stamp(path.clone()).await;
        if found != seen {
            seen = found;
            renew(&path, &settings, &keys).await;
        }
    }
}

/// Reads the key file; whoever uses keys has the new ones when this returns.
async fn renew(path: &Path, settings: &SecuritySettings, keys: &watch::Sender<Arc<KeySet>>) {
    let (owned, settings) = (path.to_owned(), settings.clone());
    let read = tokio::task::spawn_blocking(move || load_keys(&owned, &settings)).await;
    match read.expect("reading a key file does not panic") {
        Ok(set) => {
            info!(keys = set.keys().len(), "the key file has changed and is in force");
            keys.send_replace(Arc::new(set));
        }
        Err(error) => warn!(%error, "the key file cannot be used; the keys from before stay in force"),
    }
}

/// What tells one state of a file from another; `None` if it is not there.
async fn stamp(path: PathBuf) -> Option<(SystemTime, u64)> {
    let read = tokio::task::spawn_blocking(move || {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    });
    read.await.expect("looking at a file does not panic")
}
