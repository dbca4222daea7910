//! The job: pure content. No sender, no reply address, no time; its CID is its name.
//!
//! The gateway makes jobs and calls [`Job::check`] before it submits one; agents read what arrives.

use std::{collections::BTreeMap, fmt, str::FromStr};

use bytes::Bytes;

use super::{
    AduError, INPUTS_MAX, MEDIA_BYTES_MAX, NAME_BYTES_MAX, PARAMETER_KEY_BYTES_MAX, PARAMETERS_MAX, Value,
    dag::{Fields, Item, Node},
};
use crate::{BlockRef, Cid};

/// What kind of work a job is. The text form is what `--kind` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Messages in, a message out.
    Chat,
    /// A prompt in, its continuation out.
    Complete,
    /// Text in, vectors out.
    Embed,
    /// Speech in, text out.
    Transcribe,
    /// Text in, speech out.
    Speak,
    /// A picture in, what it shows out.
    Detect,
    /// The input comes back; for tests and for `doctor`.
    Echo,
}

/// Why text is no [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of work: one of chat, complete, embed, transcribe, speak, detect, echo")]
pub struct KindError;

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Chat, Self::Complete, Self::Embed, Self::Transcribe, Self::Speak, Self::Detect, Self::Echo];

    /// The text form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Complete => "complete",
            Self::Embed => "embed",
            Self::Transcribe => "transcribe",
            Self::Speak => "speak",
            Self::Detect => "detect",
            Self::Echo => "echo",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(KindError)
    }
}

/// Which model a job wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelSelector {
    /// No model: the engine alone decides (echo).
    None,
    /// This asset: the CID of its manifest.
    Cid(Cid),
    /// Any asset that its holder calls so.
    Named(String),
}

/// One input of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum JobInput {
    /// Within the job.
    Inline {
        /// Media type, e.g. `text/plain`.
        media: String,
        /// The bytes.
        data: Bytes,
    },
    /// A content block that travels on its own.
    Link {
        /// Media type, e.g. `audio/wav`.
        media: String,
        /// Which block.
        block: BlockRef,
    },
}

/// Work to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What kind of work.
    pub kind: Kind,
    /// By which model.
    pub model: ModelSelector,
    /// On what.
    pub inputs: Vec<JobInput>,
    /// How: `max_tokens`, `temperature`, `seed` and the like, by the engine's names.
    pub parameters: BTreeMap<String, Value>,
    /// Makes a job new that would otherwise be an old one (`--fresh`).
    pub nonce: Option<[u8; 16]>,
}

impl Job {
    /// Whether every node will read this job: all limits are kept and all numbers are finite.
    ///
    /// # Errors
    /// What [`Self::decode`] would say of it, or [`AduError::NotFinite`].
    pub fn check(&self) -> Result<(), AduError> {
        if !self.parameters.values().all(Value::is_finite) {
            return Err(AduError::NotFinite);
        }
        Self::decode(&self.encode()).map(drop)
    }

    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut entries = vec![
            ("type", Node::text("job")),
            ("version", Node::Unsigned(1)),
            ("kind", Node::text(self.kind.name())),
            ("inputs", Node::list(&self.inputs, JobInput::node)),
            ("parameters", Node::values(&self.parameters)),
        ];
        match &self.model {
            ModelSelector::None => {}
            ModelSelector::Cid(cid) => entries.push(("model", Node::Link(*cid))),
            ModelSelector::Named(name) => entries.push(("model", Node::text(name))),
        }
        if let Some(nonce) = &self.nonce {
            entries.push(("nonce", Node::Bytes(nonce)));
        }
        Node::Map(entries).encode().into()
    }

    /// Reads a job.
    ///
    /// # Errors
    /// See [`AduError`]. A key that this version does not know is an error: two jobs that differ in it would
    /// otherwise be run as one.
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let fields = Fields::read(bytes, "job")?.only(&[
            "type",
            "version",
            "kind",
            "model",
            "inputs",
            "parameters",
            "nonce",
        ])?;
        let kind = fields.need("kind")?;
        Ok(Self {
            kind: kind.text(NAME_BYTES_MAX)?.parse().map_err(|_| kind.wrong())?,
            model: ModelSelector::read(fields.get("model"))?,
            inputs: fields
                .need("inputs")?
                .list(INPUTS_MAX)?
                .map(|item| JobInput::read(&item))
                .collect::<Result<_, _>>()?,
            parameters: fields.need("parameters")?.map()?.values(PARAMETERS_MAX, PARAMETER_KEY_BYTES_MAX)?,
            nonce: fields.get("nonce").map(|item| item.array()).transpose()?,
        })
    }

    /// The job's name: the dag-cbor CID of its encoding.
    #[must_use]
    pub fn cid(&self) -> Cid {
        Cid::dag_cbor(&self.encode())
    }
}

impl ModelSelector {
    fn read(item: Option<Item<'_>>) -> Result<Self, AduError> {
        match item {
            None => Ok(Self::None),
            Some(item) if item.is_link() => item.adu_link().map(Self::Cid),
            Some(item) => Ok(Self::Named(item.text(NAME_BYTES_MAX)?.to_owned())),
        }
    }
}

impl JobInput {
    fn node(&self) -> Node<'_> {
        match self {
            Self::Inline { media, data } => super::inline_node(media, data),
            Self::Link { media, block } => super::link_node(media, block),
        }
    }

    pub(super) fn read(item: &Item<'_>) -> Result<Self, AduError> {
        let fields = item.map()?.only(&["media", "data", "block"])?;
        let media = fields.need("media")?.text(MEDIA_BYTES_MAX)?.to_owned();
        match (fields.get("data"), fields.get("block")) {
            (Some(data), None) => Ok(Self::Inline { media, data: Bytes::copy_from_slice(data.bytes()?) }),
            (None, Some(block)) => Ok(Self::Link { media, block: block.block()? }),
            _ => Err(item.wrong()),
        }
    }
}
