//! The node's part in sealing: which keys there are, and the places where they are used: where somebody
//! submits, on arrival before the agent hears of a bundle, at a task's begin and end, and where an answer is
//! read.
//!
//! The agent never sees a key. What a key opens is in memory only: blocks in the store stay as they came.

mod file;
mod keep;
mod line;
mod ring;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bundle_spec::{
    Cid, Header, NodeId,
    adu::{OpenedJob, OpenedResult, SealLevel, SealedJob, SealedResult},
    sealing::{BlockKey, Entropy, OpenError, SealError, SealingPublic},
};
use bytes::Bytes;
use tracing::warn;

pub(super) use self::keep::keep;
pub use self::{
    file::{KeyFile, SealingFileError},
    line::{LineError, is_role_name, read_lines},
    ring::{KeyEntry, Owner, Ring, RingError, show_public},
};
use crate::{
    agent::{self, Seal},
    limits,
    settings::{SealDefault, SealingSettings},
};

/// For whom a job is to be sealed, as somebody says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealWish {
    /// For the executors where their key is known, else for nobody; or what the setting says.
    Default,
    /// For nobody: whoever carries the job can read it.
    Open,
    /// For the executors.
    Group,
    /// For these nodes: node IDs, or names of public keys as `pannier key list` shows them.
    To(Vec<String>),
}

/// Why text is no [`SealWish`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` says not who may read: `open`, `group` or `to:NODE,NODE`")]
pub struct SealWishError(pub String);

impl std::str::FromStr for SealWish {
    type Err = SealWishError;

    fn from_str(text: &str) -> Result<Self, SealWishError> {
        let wrong = || SealWishError(text.to_owned());
        match (text, text.strip_prefix("to:")) {
            ("open", _) => Ok(Self::Open),
            ("group", _) => Ok(Self::Group),
            (_, Some(nodes)) if !nodes.is_empty() => {
                let nodes: Vec<String> = nodes.split(',').map(|node| node.trim().to_owned()).collect();
                if nodes.iter().any(String::is_empty) { Err(wrong()) } else { Ok(Self::To(nodes)) }
            }
            _ => Err(wrong()),
        }
    }
}

/// Why a job cannot be sealed as it was wished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// Nobody has said who the executors are.
    #[error("the public key of the role `{role}` is not known here, so nobody could read the job")]
    NoRole {
        /// Which role.
        role: String,
    },
    /// A node whose key is not known.
    #[error("no public key of `{0}` is known here")]
    NoNode(String),
    /// There is no key of this node's own, for the answer.
    #[error("this node has no sealing key of its own")]
    NoOwn,
    /// Longer than keys are kept.
    #[error("a sealed job lives at most {} here: older keys are destroyed", crate::settings::quantity::show_duration(*.0))]
    Lifetime(Duration),
    /// It cannot be sealed at all.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Who gets a job that is about to be sealed, and what it is sealed with.
pub struct Sealer {
    level: SealLevel,
    recipients: Vec<SealingPublic>,
    reply: SealingPublic,
    entropy: Entropy,
}

/// A job in its envelope.
pub struct Enveloped {
    /// The envelope.
    pub adu: Bytes,
    /// What the agent knows of it.
    pub seal: Seal,
}

/// Keys and settings of this node. Cheap to clone.
#[derive(Clone)]
pub struct Sealing {
    settings: SealingSettings,
    /// Where the keys are; `None` for a node that has none.
    file: Option<Arc<KeyFile>>,
    /// The keys as they were read last.
    read: Arc<Mutex<Arc<Ring>>>,
}

impl Sealing {
    /// No keys: everything is open, nothing is opened.
    pub(super) fn none() -> Self {
        Self { settings: SealingSettings::built_in(), file: None, read: Arc::default() }
    }

    /// The keys in this file, of which there is one of the node's own at least.
    ///
    /// # Errors
    /// See [`SealingFileError`].
    pub(super) fn open(path: PathBuf, settings: SealingSettings) -> Result<Self, SealingFileError> {
        let file = KeyFile::new(path);
        let ring = file.ensure()?;
        let file = Some(Arc::new(file));
        Ok(Self { settings, file, read: Arc::new(Mutex::new(Arc::new(ring))) })
    }

    /// The keys at this moment: the file is read again when it has changed.
    #[must_use]
    pub fn ring(&self) -> Arc<Ring> {
        let mut read = self.read.lock().expect("no holder panics");
        if let Some(file) = &self.file {
            match file.load_if_changed() {
                Ok(None) => {}
                Ok(Some(ring)) => *read = Arc::new(ring),
                Err(error) => {
                    warn!(%error, "the sealing keys cannot be read; those from before stay in force");
                }
            }
        }
        Arc::clone(&read)
    }

    /// How long an old key still opens after a new one has taken its place: as long as a job may live, and
    /// as long as its answer is kept.
    #[must_use]
    pub fn overlap(&self) -> Duration {
        overlap(&self.settings)
    }

    /// Who is to read a job that lives so long; `None` if everybody may.
    ///
    /// # Errors
    /// See [`WishError`]. What was wished is never weakened.
    pub fn sealer(&self, wish: &SealWish, lifetime: Option<Duration>) -> Result<Option<Sealer>, WishError> {
        let ring = self.ring();
        let role = Owner::Role(self.settings.role.clone());
        let wish = match (wish, self.settings.default) {
            (SealWish::Default, SealDefault::Open) => &SealWish::Open,
            (SealWish::Default, SealDefault::Group) => &SealWish::Group,
            (SealWish::Default, SealDefault::Auto) if ring.current(&role).is_some() => &SealWish::Group,
            (SealWish::Default, SealDefault::Auto) => &SealWish::Open,
            (wished, _) => wished,
        };
        let (level, recipients) = match wish {
            SealWish::Default | SealWish::Open => return Ok(None),
            SealWish::Group => {
                let missing = || WishError::NoRole { role: self.settings.role.clone() };
                (SealLevel::Group, vec![ring.current(&role).ok_or_else(missing)?.public])
            }
            SealWish::To(nodes) => {
                let keys = nodes.iter().map(|node| {
                    ring.named(node).map(|key| key.public).ok_or_else(|| WishError::NoNode(node.clone()))
                });
                (SealLevel::To, keys.collect::<Result<_, _>>()?)
            }
        };
        if lifetime.unwrap_or(limits::LIFETIME_DEFAULT) > self.settings.keep {
            return Err(WishError::Lifetime(self.settings.keep));
        }
        let reply = ring.current(&Owner::Own).ok_or(WishError::NoOwn)?.public;
        Ok(Some(Sealer { level, recipients, reply, entropy: Entropy(rand::random()) }))
    }

    /// What was sealed in the payload of a bundle that may concern this node, if a key of it opens it.
    pub(super) fn opened(&self, node: &NodeId, header: &Header, adu: Option<&Bytes>) -> Option<Bytes> {
        let destination = header.primary().destination();
        let concerns = destination.to_string() == agent::JOBS || destination.node_id().as_ref() == Some(node);
        let adu = adu.filter(|_| concerns && self.file.is_some())?;
        match SealedJob::decode(adu) {
            Ok(job) => self.open_sealed(&job).ok().map(|opened| opened.job),
            Err(_) => self.open_result(adu)?.ok().map(|opened| opened.adu),
        }
    }

    /// What is in a job, if it is sealed; `None` if it is none.
    #[must_use]
    pub fn open_job(&self, adu: &[u8]) -> Option<Result<OpenedJob, OpenError>> {
        let sealed = SealedJob::decode(adu).ok()?;
        Some(self.open_sealed(&sealed))
    }

    fn open_sealed(&self, sealed: &SealedJob) -> Result<OpenedJob, OpenError> {
        sealed.open(self.ring().secrets())
    }

    /// What is in a result, if it is sealed; `None` if it is none.
    #[must_use]
    pub fn open_result(&self, adu: &[u8]) -> Option<Result<OpenedResult, OpenError>> {
        let sealed = SealedResult::decode(adu).ok()?;
        Some(sealed.open(self.ring().secrets()))
    }
}

impl Sealer {
    /// For the blocks to which the job links.
    #[must_use]
    pub fn blocks(&self) -> BlockKey {
        self.entropy.blocks()
    }

    /// Seals the encoding of a job.
    ///
    /// # Errors
    /// `TooLong`, `Recipients`, `WeakKey`.
    pub fn seal(self, job: &[u8], sealing: &Sealing) -> Result<Enveloped, SealError> {
        let sealed = SealedJob::seal(job, self.level, &self.recipients, self.reply, self.entropy)?;
        let is_open_here = sealing.open_sealed(&sealed).is_ok();
        let seal = Seal { level: sealed.level, commitment: sealed.commitment, is_open_here };
        Ok(Enveloped { adu: sealed.encode(), seal })
    }
}

/// What the result of an opened job is sealed with.
pub(super) struct Answering {
    opened: OpenedJob,
    entropy: Entropy,
}

impl Answering {
    /// The job within, and what its result is sealed with.
    pub(super) fn new(opened: OpenedJob) -> Self {
        Self { opened, entropy: Entropy(rand::random()) }
    }

    /// What was in the job.
    pub(super) fn opened(&self) -> &OpenedJob {
        &self.opened
    }

    /// For the blocks to which the result links.
    pub(super) fn blocks(&self) -> BlockKey {
        self.entropy.blocks()
    }

    /// Seals the encoding of the signed result.
    pub(super) fn seal(self, job: Cid, result: &[u8]) -> Result<Bytes, SealError> {
        Ok(SealedResult::seal(job, result, &self.opened, self.entropy)?.encode())
    }
}

/// See [`Sealing::overlap`].
#[must_use]
pub fn overlap(settings: &SealingSettings) -> Duration {
    settings.keep + limits::TOMBSTONE_GRACE
}

/// Where the sealing keys of a node are.
#[must_use]
pub fn path(data: &Path) -> PathBuf {
    data.join("sealing.json")
}
