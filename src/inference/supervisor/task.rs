//! A task as the node hands it over, and what it gets back.
//!
//! The node makes a signed statement of a [`TaskReport`]; nothing here knows of one.

use std::path::PathBuf;

use bundle_spec::Cid;

use crate::inference::{EngineError, Finished, TaskInput};

/// One task for one engine.
#[derive(Clone, Debug)]
pub struct TaskRequest {
    /// Which engine.
    pub engine: String,
    /// What to do.
    pub input: TaskInput,
    /// By which model, if the kind wants one.
    pub model: Option<TaskModelFile>,
}

/// The model of a task as a file. Its content has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskModelFile {
    /// Its manifest's CID.
    pub cid: Cid,
    /// Where it lies. Nobody changes or truncates it while it is used.
    pub path: PathBuf,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskEnd {
    /// It was done.
    Completed(Finished),
    /// It could not be done.
    Failed(EngineError),
    /// It was stopped on request.
    Stopped,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskReport {
    /// How it ended.
    pub end: TaskEnd,
    /// Whether another node might do better: what ran out or is missing here may be there.
    pub retryable: bool,
    /// How long starting a worker and loading the model took, in milliseconds, all attempts together.
    pub load_ms: u64,
    /// How long the work took, in milliseconds, all attempts together.
    pub run_ms: u64,
    /// Which engine.
    pub engine: String,
    /// Its fingerprint; empty if it never ran.
    pub fingerprint: String,
}
