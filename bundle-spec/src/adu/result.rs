//! The result: a signed statement of the executor about what came of a job.
//!
//! The node that ran a job signs one and calls [`JobResult::check`]; everyone who carries it may
//! [`JobResult::verify`] it, offline and years later.

use std::{collections::BTreeMap, fmt, str::FromStr};

use bytes::Bytes;

use super::{
    AduError, FINGERPRINT_BYTES_MAX, NAME_BYTES_MAX, OUTPUTS_MAX, PARAMETER_KEY_BYTES_MAX, PARAMETERS_MAX,
    Value,
    dag::{Fields, Item, Node},
    signed,
};
use crate::{
    BlockRef, Cid, NodeId,
    sign::{PublicKey, Signature, SigningKey},
};

const TYPE: &str = "result";
const STATEMENT_KEYS: [&str; 9] =
    ["job", "model", "engine", "fingerprint", "parameters", "outcome", "usage", "timings", "executor"];

/// One output of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Within the result.
    Inline {
        /// Media type.
        media: String,
        /// The bytes.
        data: Bytes,
    },
    /// A content block that travels on its own.
    Link {
        /// Media type.
        media: String,
        /// Which block.
        block: BlockRef,
    },
}

/// Why a job came to nothing. A failure is a result, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The model cannot be loaded, at any node.
    BadModel,
    /// The input or the parameters make no sense to the engine.
    BadInput,
    /// The engine died.
    Crashed,
    /// Memory or time ran out.
    Exhausted,
    /// The one who asked took it back.
    Cancelled,
}

/// Why text is no [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no failure: one of bad-model, bad-input, crashed, exhausted, cancelled")]
pub struct FailureError;

/// What came of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was done.
    Completed {
        /// What it gave.
        outputs: Vec<Output>,
        /// Why generation ended: `stop` or `length`.
        finish: String,
    },
    /// It could not be done.
    Failed {
        /// Why.
        failure: Failure,
        /// In words.
        detail: String,
    },
}

/// What was used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
}

/// When it happened at the executor: DTN time in milliseconds, zero where it had no clock; durations in
/// milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// When the job arrived.
    pub received_at: u64,
    /// When work began.
    pub started_at: u64,
    /// How long loading the model took.
    pub load_ms: u64,
    /// How long the work took.
    pub run_ms: u64,
}

/// What the executor says and signs.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Which job.
    pub job: Cid,
    /// Which asset: the CID of its manifest.
    pub model: Option<Cid>,
    /// Which engine, e.g. `llama`.
    pub engine: String,
    /// Versions, target, features and settings that decide the bits of an output.
    pub fingerprint: String,
    /// The parameters that were in force.
    pub parameters: BTreeMap<String, Value>,
    /// What came of it.
    pub outcome: Outcome,
    /// What was used up.
    pub usage: Usage,
    /// When.
    pub timings: Timings,
    /// Who did it.
    pub executor: NodeId,
}

/// A statement with its signature.
#[derive(Clone, Debug, PartialEq)]
pub struct JobResult {
    /// What is said.
    pub statement: Statement,
    /// By whom, and the proof.
    pub signature: Signature,
}

impl JobResult {
    /// Signs a statement.
    #[must_use]
    pub fn sign(statement: Statement, key: &SigningKey) -> Self {
        let signature = key.sign(TYPE, &statement.encode());
        Self { statement, signature }
    }

    /// Whether every node will read this result: all limits are kept and all numbers are finite.
    ///
    /// # Errors
    /// What [`Self::decode`] would say of it, or [`AduError::NotFinite`].
    pub fn check(&self) -> Result<(), AduError> {
        if !self.statement.parameters.values().all(Value::is_finite) {
            return Err(AduError::NotFinite);
        }
        Self::decode(&self.encode()).map(drop)
    }

    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        signed::encode(TYPE, &self.statement.encode(), &self.signature)
    }

    /// Reads a result. The signature is read, not checked.
    ///
    /// # Errors
    /// See [`AduError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let (fields, signature) = signed::open(bytes, TYPE, &STATEMENT_KEYS)?;
        Ok(Self { statement: Statement::read(&fields)?, signature })
    }

    /// Checks the signature, and that a key-derived executor is that key's.
    ///
    /// # Errors
    /// `Signature`.
    pub fn verify(&self) -> Result<PublicKey, AduError> {
        self.signature.verify(TYPE, &self.statement.encode())?;
        self.signature.speaks_for(&self.statement.executor)?;
        Ok(self.signature.key)
    }

    /// The result's name: the dag-cbor CID of its encoding.
    #[must_use]
    pub fn cid(&self) -> Cid {
        Cid::dag_cbor(&self.encode())
    }
}

impl Statement {
    /// The bytes that are signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut entries = vec![
            ("job", Node::Link(self.job)),
            ("engine", Node::text(&self.engine)),
            ("fingerprint", Node::text(&self.fingerprint)),
            ("parameters", Node::values(&self.parameters)),
            ("outcome", self.outcome.node()),
            ("usage", self.usage.node()),
            ("timings", self.timings.node()),
            ("executor", Node::node_id(&self.executor)),
        ];
        if let Some(model) = self.model {
            entries.push(("model", Node::Link(model)));
        }
        Node::Map(entries).encode()
    }

    fn read(fields: &Fields<'_>) -> Result<Self, AduError> {
        Ok(Self {
            job: fields.need("job")?.adu_link()?,
            model: fields.get("model").map(|item| item.adu_link()).transpose()?,
            engine: fields.need("engine")?.text(NAME_BYTES_MAX)?.to_owned(),
            fingerprint: fields.need("fingerprint")?.text(FINGERPRINT_BYTES_MAX)?.to_owned(),
            parameters: fields.need("parameters")?.map()?.values(PARAMETERS_MAX, PARAMETER_KEY_BYTES_MAX)?,
            outcome: Outcome::read(&fields.need("outcome")?)?,
            usage: Usage::read(&fields.need("usage")?)?,
            timings: Timings::read(&fields.need("timings")?)?,
            executor: fields.need("executor")?.node_id()?,
        })
    }
}

impl Outcome {
    fn node(&self) -> Node<'_> {
        Node::Map(match self {
            Self::Completed { outputs, finish } => {
                vec![("outputs", Node::list(outputs, Output::node)), ("finish", Node::text(finish))]
            }
            Self::Failed { failure, detail } => {
                vec![("failure", Node::text(failure.name())), ("detail", Node::text(detail))]
            }
        })
    }

    fn read(item: &Item<'_>) -> Result<Self, AduError> {
        let fields = item.map()?;
        let Some(failure) = fields.get("failure") else {
            let fields = fields.only(&["outputs", "finish"])?;
            let outputs = fields.need("outputs")?.list(OUTPUTS_MAX)?;
            return Ok(Self::Completed {
                outputs: outputs.map(|item| Output::read(&item)).collect::<Result<_, _>>()?,
                finish: fields.need("finish")?.text(NAME_BYTES_MAX)?.to_owned(),
            });
        };
        let fields = fields.only(&["failure", "detail"])?;
        Ok(Self::Failed {
            failure: failure.text(NAME_BYTES_MAX)?.parse().map_err(|_| failure.wrong())?,
            detail: fields.need("detail")?.any_text()?.to_owned(),
        })
    }
}

impl Output {
    fn node(&self) -> Node<'_> {
        match self {
            Self::Inline { media, data } => super::inline_node(media, data),
            Self::Link { media, block } => super::link_node(media, block),
        }
    }

    fn read(item: &Item<'_>) -> Result<Self, AduError> {
        Ok(match super::JobInput::read(item)? {
            super::JobInput::Inline { media, data } => Self::Inline { media, data },
            super::JobInput::Link { media, block } => Self::Link { media, block },
        })
    }
}

impl Usage {
    fn node(self) -> Node<'static> {
        Node::Map(vec![
            ("prompt_tokens", Node::Unsigned(self.prompt_tokens)),
            ("completion_tokens", Node::Unsigned(self.completion_tokens)),
        ])
    }

    fn read(item: &Item<'_>) -> Result<Self, AduError> {
        let fields = item.map()?.only(&["prompt_tokens", "completion_tokens"])?;
        Ok(Self {
            prompt_tokens: fields.need("prompt_tokens")?.unsigned()?,
            completion_tokens: fields.need("completion_tokens")?.unsigned()?,
        })
    }
}

impl Timings {
    fn node(self) -> Node<'static> {
        Node::Map(vec![
            ("received_at", Node::Unsigned(self.received_at)),
            ("started_at", Node::Unsigned(self.started_at)),
            ("load_ms", Node::Unsigned(self.load_ms)),
            ("run_ms", Node::Unsigned(self.run_ms)),
        ])
    }

    fn read(item: &Item<'_>) -> Result<Self, AduError> {
        let fields = item.map()?.only(&["received_at", "started_at", "load_ms", "run_ms"])?;
        Ok(Self {
            received_at: fields.need("received_at")?.unsigned()?,
            started_at: fields.need("started_at")?.unsigned()?,
            load_ms: fields.need("load_ms")?.unsigned()?,
            run_ms: fields.need("run_ms")?.unsigned()?,
        })
    }
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 5] =
        [Self::BadModel, Self::BadInput, Self::Crashed, Self::Exhausted, Self::Cancelled];

    /// The text form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadModel => "bad-model",
            Self::BadInput => "bad-input",
            Self::Crashed => "crashed",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Failure {
    type Err = FailureError;

    fn from_str(text: &str) -> Result<Self, FailureError> {
        Self::ALL.into_iter().find(|failure| failure.name() == text).ok_or(FailureError)
    }
}
