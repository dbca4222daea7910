//! Application data units: what travels as the payload of a bundle. All are dag-cbor maps with a `"type"`
//! and a `"version"` key; `../adus.md` is the normative text.
//!
//! What is named by its CID, signed or sealed (job, result, their sealed forms, manifest, chunks, receipt,
//! cancel) is closed: a key that this version does not know is an error. What peers tell each other on a
//! link (advert, have, want) is open: such keys are ignored. Bundles whose payload is of an unknown type are
//! carried.

mod advert;
mod cancel;
pub(crate) mod dag;
mod have;
mod job;
mod receipt;
mod result;
mod sealed;
mod signed;
mod value;
mod want;

use bytes::Bytes;

use self::dag::{Fields, Node};
pub use self::{
    advert::{Advert, EngineAdvert},
    cancel::Cancel,
    dag::DEPTH_MAX,
    have::Have,
    job::{Job, JobInput, Kind, KindError, ModelSelector},
    receipt::Receipt,
    result::{Failure, FailureError, JobResult, Outcome, Output, Statement, Timings, Usage},
    sealed::{
        OpenedJob, OpenedResult, RECIPIENTS_MAX, Recipient, SealLevel, SealLevelError, SealedJob,
        SealedResult,
    },
    value::Value,
    want::Want,
};
use crate::{
    BlockRef,
    manifest::{ChunkList, Manifest},
};

/// Longest ADU that is held in memory as a whole, in bytes. Data beyond it travels as content blocks.
pub const ADU_BYTES_MAX: usize = 128 * 1024;
/// Longest name of a model, an engine, a kind of work or a way to finish, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest media type, in bytes: two names of at most 127 characters and a slash (RFC 6838 §4.2).
pub const MEDIA_BYTES_MAX: usize = 255;
/// Longest fingerprint of an engine, in bytes.
pub const FINGERPRINT_BYTES_MAX: usize = 1024;
/// Most inputs of a job.
pub const INPUTS_MAX: usize = 256;
/// Most outputs of a result.
pub const OUTPUTS_MAX: usize = 256;
/// Most parameters of a job or a result, and most hints of a manifest.
pub const PARAMETERS_MAX: usize = 64;
/// Longest name of a parameter or hint, in bytes.
pub const PARAMETER_KEY_BYTES_MAX: usize = 64;
/// Most bundles and most jobs in one `have`: 2,048 of each take 104 KiB.
pub const HAVE_ENTRIES_MAX: usize = 2048;
/// Most blocks in one `want`: 2,048 links take 82 KiB.
pub const WANT_BLOCKS_MAX: usize = 2048;
/// Most names in one `want`.
pub const WANT_NAMES_MAX: usize = 128;
/// Most engines in one `advert`.
pub const ADVERT_ENGINES_MAX: usize = 32;
/// Most kinds of work of one engine in an `advert`.
pub const ADVERT_KINDS_MAX: usize = 32;
/// Most models in one `advert`.
pub const ADVERT_MODELS_MAX: usize = 1024;
/// Most chunk lists of a manifest: with 2,048 chunks of 1 MiB each, files of 4 TiB.
pub const CHUNK_LISTS_MAX: usize = 2048;

/// Why bytes are not an ADU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AduError {
    /// Not deterministic CBOR.
    #[error("not deterministic CBOR at byte {offset}")]
    Malformed {
        /// Where.
        offset: usize,
    },
    /// A key is missing or has the wrong type.
    #[error("`{key}` is missing or has the wrong type")]
    Field {
        /// Which.
        key: &'static str,
    },
    /// A key that this version does not know, in an ADU that must be understood whole.
    #[error("unknown key `{key}`")]
    Extra {
        /// Which; at most the first 32 characters.
        key: String,
    },
    /// More entries or bytes than there may be.
    #[error("`{key}` is longer than {max}")]
    Limit {
        /// Which.
        key: &'static str,
        /// How many entries, or for text bytes, there may be.
        max: usize,
    },
    /// The `type` is none that this version knows, or not the expected one; at most its first 32 characters.
    #[error("unknown type `{0}`")]
    Unknown(String),
    /// The `version` is none that this program knows.
    #[error("unknown version {0}")]
    Version(u64),
    /// Longer than [`ADU_BYTES_MAX`].
    #[error("longer than {ADU_BYTES_MAX} bytes")]
    TooLong,
    /// A number is infinite or none.
    #[error("a number is not finite")]
    NotFinite,
    /// The signature does not fit the statement.
    #[error("the signature is wrong")]
    Signature,
}

/// One application data unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Adu {
    /// Work to be done.
    Job(Job),
    /// What came of it.
    Result(JobResult),
    /// Work to be done that only its recipients can read.
    SealedJob(SealedJob),
    /// What came of it, for who asked.
    SealedResult(SealedResult),
    /// What a model or another asset consists of.
    Manifest(Manifest),
    /// The chunks of an asset, in order.
    ChunkList(ChunkList),
    /// What a node would like to get.
    Want(Want),
    /// What a node holds and has done.
    Have(Have),
    /// What a node is and can do.
    Advert(Advert),
    /// An answer has arrived.
    Receipt(Receipt),
    /// A job is no longer wanted.
    Cancel(Cancel),
}

impl Adu {
    /// Reads any ADU. Signatures are read, not checked.
    ///
    /// # Errors
    /// See [`AduError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        match Fields::read_any(bytes)?.need("type")?.any_text()? {
            "job" => Job::decode(bytes).map(Self::Job),
            "result" => JobResult::decode(bytes).map(Self::Result),
            "sealed-job" => SealedJob::decode(bytes).map(Self::SealedJob),
            "sealed-result" => SealedResult::decode(bytes).map(Self::SealedResult),
            "manifest" => Manifest::decode(bytes).map(Self::Manifest),
            "chunks" => ChunkList::decode(bytes).map(Self::ChunkList),
            "want" => Want::decode(bytes).map(Self::Want),
            "have" => Have::decode(bytes).map(Self::Have),
            "advert" => Advert::decode(bytes).map(Self::Advert),
            "receipt" => Receipt::decode(bytes).map(Self::Receipt),
            "cancel" => Cancel::decode(bytes).map(Self::Cancel),
            other => Err(AduError::Unknown(dag::excerpt(other))),
        }
    }

    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Job(adu) => adu.encode(),
            Self::Result(adu) => adu.encode(),
            Self::SealedJob(adu) => adu.encode(),
            Self::SealedResult(adu) => adu.encode(),
            Self::Manifest(adu) => adu.encode(),
            Self::ChunkList(adu) => adu.encode(),
            Self::Want(adu) => adu.encode(),
            Self::Have(adu) => adu.encode(),
            Self::Advert(adu) => adu.encode(),
            Self::Receipt(adu) => adu.encode(),
            Self::Cancel(adu) => adu.encode(),
        }
    }
}

/// An input or output within its ADU.
fn inline_node<'a>(media: &'a str, data: &'a [u8]) -> Node<'a> {
    Node::Map(vec![("media", Node::text(media)), ("data", Node::Bytes(data))])
}

/// An input or output that travels on its own.
fn link_node<'a>(media: &'a str, block: &BlockRef) -> Node<'a> {
    Node::Map(vec![("media", Node::text(media)), ("block", Node::block(block))])
}
