//! Inference: engines live alone in worker processes. The contract.
//!
//! The node owns a `supervisor::Supervisor`, which starts `pannier-<engine>` (`launch`), speaks `frame`s with
//! it and gives up on it when it must. The worker's side is `serve`, around one [`Engine`]. What engines
//! share (`parameters`, `sampling`, `messages`, `text`) knows no engine; the library never names an engine's
//! crate.

mod ask;
pub mod echo;
pub mod frame;
pub mod gguf;
pub mod launch;
pub mod messages;
pub mod parameters;
pub mod reason;
pub mod sampling;
pub mod serve;
pub mod supervisor;
pub mod text;

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use bundle_spec::adu::{Failure, Kind, Usage, Value};

pub use crate::agent::EngineState;

/// What a worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Threads that compute.
    pub threads: u32,
    /// Bytes of private memory (`RLIMIT_DATA`).
    pub memory: u64,
    /// Milliseconds that one task may take.
    pub task_ms: u64,
}

/// A task as an engine gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInput {
    /// What kind of work.
    pub kind: Kind,
    /// The inputs: media type and bytes.
    pub inputs: Vec<(String, Vec<u8>)>,
    /// How.
    pub parameters: BTreeMap<String, Value>,
}

/// A piece of an answer while it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next text. Always whole characters.
    Text(String),
    /// How far the work is, in thousandths.
    Progress(u16),
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Outputs: media type and bytes.
    pub outputs: Vec<(String, Vec<u8>)>,
    /// Why it ended: `stop` or `length`.
    pub finish: String,
    /// What it took.
    pub usage: Usage,
    /// The parameters that were in force, defaults included.
    pub parameters: BTreeMap<String, Value>,
}

/// Why an engine did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct EngineError {
    /// The kind of failure, as it stands in the result.
    pub failure: Failure,
    /// In words.
    pub detail: String,
}

impl EngineError {
    /// The input or a parameter makes no sense to the engine.
    #[must_use]
    pub fn bad_input(detail: impl Into<String>) -> Self {
        Self { failure: Failure::BadInput, detail: detail.into() }
    }

    /// The model cannot be used.
    #[must_use]
    pub fn bad_model(detail: impl Into<String>) -> Self {
        Self { failure: Failure::BadModel, detail: detail.into() }
    }

    /// Memory or time ran out.
    #[must_use]
    pub fn exhausted(detail: impl Into<String>) -> Self {
        Self { failure: Failure::Exhausted, detail: detail.into() }
    }

    /// `emit` said that nobody waits any more.
    #[must_use]
    pub fn cancelled() -> Self {
        Self { failure: Failure::Cancelled, detail: "cancelled".to_owned() }
    }
}

/// One way of thinking. Lives in a worker process, alone.
pub trait Engine {
    /// Its name, e.g. `llama`.
    fn name(&self) -> &'static str;
    /// Versions, target, features and settings that decide the bits of an output.
    fn fingerprint(&self) -> String;
    /// What it can do.
    fn kinds(&self) -> &'static [Kind];
    /// Makes the model in `file` ready. The file's content has been verified.
    ///
    /// # Errors
    /// `BadModel` or `Exhausted`.
    fn load(&mut self, file: &Path, limits: &WorkerLimits) -> Result<(), EngineError>;
    /// Does the work; `emit` takes pieces and says whether to go on. It is called at least every few seconds,
    /// so that a task can be stopped.
    ///
    /// # Errors
    /// Why it could not be done; `Cancelled` after `emit` has said `Break`.
    fn run(
        &mut self,
        input: TaskInput,
        emit: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Finished, EngineError>;
}
