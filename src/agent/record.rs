//! What is durable. Each record states the whole of one thing under a key; of several with one key the last
//! holds, and a `…Gone` ends it. So a store may drop every record that a later one replaces, and replay order
//! matters only within a key.

mod wire;

use bundle_spec::{
    BlockRef, BundleDigest, BundleId, Cid, Digest, Eid,
    adu::{Kind, ModelSelector, SealLevel},
};
use bytes::Bytes;

use super::{JourneyEntry, registration};
use crate::time::Time;

/// What a record is about: a class and a digest or name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    /// A bundle that is held.
    Bundle(BundleDigest),
    /// A bundle that is gone but remembered.
    Seen(BundleDigest),
    /// A job, by the digest of its CID.
    Job(Digest),
    /// A named asset.
    Model(String),
    /// A receipt or cancellation, by job and asker: see [`Record::Receipt`].
    Receipt(Digest),
    /// The last creation timestamp that was used.
    Sequence,
    /// An endpoint in which an application is registered: blake3 of its text.
    Registration(Digest),
    /// A bundle of an endpoint of many that was taken here.
    Taken(BundleDigest),
}

/// One durable statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A bundle is held.
    Bundle(Box<BundleRecord>),
    /// It is no longer held.
    BundleGone {
        /** Which. */
        id: BundleDigest,
    },
    /// A bundle was held and must not be taken again before this time.
    Seen {
        /** Which. */
        id: BundleDigest,
        /** Until when. */
        until: Time,
    },
    /// It may be forgotten.
    SeenGone {
        /** Which. */
        id: BundleDigest,
    },
    /// What is known of a job.
    Job(Box<JobRecord>),
    /// The job is forgotten.
    JobGone {
        /** Which. */
        job: Digest,
    },
    /// An asset is kept under a name.
    Model(Box<ModelRecord>),
    /// It is not.
    ModelGone {
        /** Its name. */
        name: String,
    },
    /// An answer has arrived where it was wanted, or is no longer wanted there.
    Receipt {
        /** Which job and which asker: blake3 of the job's digest and the asker's node ID. */
        job: Digest,
        /** The signed receipt or cancel ADU. */
        adu: Bytes,
        /** Until when it is passed on. */
        until: Time,
    },
    /// It may be forgotten.
    ReceiptGone {
        /** Which, as above. */
        job: Digest,
    },
    /// Creation timestamps up to this one are used.
    Sequence {
        /** DTN time in milliseconds. */
        time: u64,
        /** Sequence number. */
        sequence: u64,
    },
    /// An application here is registered in an endpoint.
    Registration {
        /** Which. */
        endpoint: Eid,
    },
    /// None is.
    RegistrationGone {
        /** Which: blake3 of its text. */
        key: Digest,
    },
    /// A bundle of an endpoint of many was taken here; it is carried on for others.
    Taken {
        /** Which. */
        id: BundleDigest,
    },
    /// It is no longer held.
    TakenGone {
        /** Which. */
        id: BundleDigest,
    },
}

/// A bundle that is held.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleRecord {
    /// Which.
    pub id: BundleId,
    /// The header as it arrived or was made.
    pub header: Bytes,
    /// The payload.
    pub payload: BlockRef,
    /// When it arrived or was made.
    pub received: Time,
    /// When its lifetime ends, by this node's time.
    pub expires: Time,
    /// Which job it belongs to (job or result bundle).
    pub job: Option<Cid>,
    /// Why it is kept.
    pub retention: Retention,
}

/// Why a bundle is kept (RFC 9171 §5 retention constraints, and what we wait for).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retention {
    /// It has not been looked at.
    DispatchPending,
    /// It waits for a contact that takes it on.
    ForwardPending,
    /// It is a fragment that waits for the others.
    ReassemblyPending,
    /// It waits for its task.
    RunPending,
    /// It has been delivered here and waits to be fetched.
    Delivered,
}

/// What is known of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// Which.
    pub job: Cid,
    /// The job ADU in the store.
    pub payload: BlockRef,
    /// When it is forgotten.
    pub until: Time,
    /// DTN time in milliseconds when it was first seen here.
    pub received_at: u64,
    /// Who wants the answer.
    pub askers: Vec<AskerRecord>,
    /// Where it stands.
    pub state: JobState,
    /// What happened to it.
    pub journey: Vec<JourneyEntry>,
    /// What is to be done; `None` where only an answer has passed, never the job itself.
    pub work: Option<JobWork>,
    /// Blocks that the answer links to.
    pub outputs: Vec<BlockRef>,
    /// Blocks that job and answer link to and that are not here.
    pub missing: Vec<Digest>,
}

/// What a job asks for, as far as its placement depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobWork {
    /// What kind of work; `None` where it is sealed for others.
    pub kind: Option<Kind>,
    /// By which model.
    pub model: ModelSelector,
    /// Blocks that the job links to.
    pub inputs: Vec<BlockRef>,
    /// How the job is sealed, if it is.
    pub seal: Option<Seal>,
}

/// What is known of a sealed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// For whom, in kind.
    pub level: SealLevel,
    /// What the token of an answer belongs to.
    pub commitment: [u8; 32],
    /// Whether a key of this node opens it: who only asked does not run it.
    pub is_open_here: bool,
}

/// Who wants the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskerRecord {
    /// Where the answer goes.
    pub reply_to: Eid,
    /// Until when it is worth carrying.
    pub until: Time,
    /// Whether it is a person at this node.
    pub local: bool,
    /// Whether a result bundle for it has been made here.
    pub answered: bool,
    /// Its last wish: the greatest sequence number of its job bundles that were seen here; zero where other
    /// nodes ask on its behalf.
    pub sequence: u64,
}

/// Where a job stands at this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// No answer yet.
    Open,
    /// The answer is here.
    Answered {
        /** The result ADU in the store. */
        result: BlockRef,
        /** Whether it is a success. */
        success: bool,
    },
    /// It is known (by a receipt) that the answer has arrived where it was wanted; nothing is kept but this.
    Done,
    /// Its lifetime ended.
    Expired,
    /// Taken back.
    Cancelled,
}

/// A named asset.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRecord {
    /// Its name here.
    pub name: String,
    /// Its manifest's block.
    pub manifest: BlockRef,
    /// The manifest.
    pub adu: Bytes,
    /// Every block that belongs to it.
    pub blocks: Vec<BlockRef>,
}

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not the encoding of any record.
    #[error("not a record: {0}")]
    Malformed(String),
    /// Written by a newer version: kept, never deleted.
    #[error("record of version {0}, which this program does not know")]
    Newer(u16),
}

impl Record {
    /// What it is about.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Bundle(bundle) => RecordKey::Bundle(bundle.id.digest()),
            Self::BundleGone { id } => RecordKey::Bundle(*id),
            Self::Seen { id, .. } | Self::SeenGone { id } => RecordKey::Seen(*id),
            Self::Job(job) => RecordKey::Job(*job.job.digest()),
            Self::JobGone { job } => RecordKey::Job(*job),
            Self::Model(model) => RecordKey::Model(model.name.clone()),
            Self::ModelGone { name } => RecordKey::Model(name.clone()),
            Self::Receipt { job, .. } | Self::ReceiptGone { job } => RecordKey::Receipt(*job),
            Self::Sequence { .. } => RecordKey::Sequence,
            Self::Registration { endpoint } => RecordKey::Registration(registration::record_key(endpoint)),
            Self::RegistrationGone { key } => RecordKey::Registration(*key),
            Self::Taken { id } | Self::TakenGone { id } => RecordKey::Taken(*id),
        }
    }

    /// Whether it ends its key.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::BundleGone { .. }
            | Self::SeenGone { .. }
            | Self::JobGone { .. }
            | Self::ModelGone { .. }
            | Self::ReceiptGone { .. }
            | Self::RegistrationGone { .. }
            | Self::TakenGone { .. } => true,
            Self::Bundle(_)
            | Self::Seen { .. }
            | Self::Job(_)
            | Self::Model(_)
            | Self::Receipt { .. }
            | Self::Sequence { .. }
            | Self::Registration { .. }
            | Self::Taken { .. } => false,
        }
    }

    /// The encoding: CBOR with numbered fields in a versioned envelope.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        wire::decode(bytes)
    }
}

impl RecordKey {
    /// The key as bytes: one byte of class, then digest or name. At most 256 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (class, rest): (u8, &[u8]) = match self {
            Self::Bundle(digest) => (b'b', digest),
            Self::Seen(digest) => (b's', digest),
            Self::Job(digest) => (b'j', digest),
            Self::Model(name) => (b'm', name.as_bytes()),
            Self::Receipt(digest) => (b'r', digest),
            Self::Sequence => (b'q', &[]),
            Self::Registration(digest) => (b'e', digest),
            Self::Taken(digest) => (b't', digest),
        };
        assert!(rest.len() < 256, "names of models have at most 255 bytes");
        let mut bytes = vec![class];
        bytes.extend_from_slice(rest);
        bytes
    }
}

#[cfg(test)]
mod tests;
