//! The engine of a host: what a task gives, computed from its job alone, and how long that takes.

use bundle_spec::{
    BlockRef, Cid,
    adu::{Failure, Job, JobInput, JobResult, Outcome, Output, Statement, Timings, Usage},
    sign::SigningKey,
};
use bytes::Bytes;
use pannier::agent::{Task, TaskOutcome};

use crate::{disk::Disk, host::Host};

/// Outputs longer than this travel on their own.
const INLINE_BYTES_MAX: usize = 2048;
/// How long a task takes for each byte of its input, in milliseconds.
const MS_PER_BYTE: u64 = 2;

/// A task that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// Which.
    pub task: Task,
    /// Whether it will fail.
    pub fails: bool,
    /// When it began, in DTN time by the host's clock.
    pub began: u64,
}

/// What a job asks for, read from a disk: the job and its input.
///
/// # Errors
/// Which block is missing or cannot be read.
pub fn read_job(disk: &Disk, payload: &BlockRef) -> Result<(Job, Bytes), String> {
    let adu = disk.read(payload.cid.digest()).ok_or("the job of a task is not in the store")?;
    let job = Job::decode(adu).map_err(|error| format!("the job of a task cannot be read: {error}"))?;
    let input = match job.inputs.first() {
        Some(JobInput::Inline { data, .. }) => data.clone(),
        Some(JobInput::Link { block, .. }) => {
            let data = disk.read(block.cid.digest());
            data.ok_or("an input of a task is not in the store")?.clone()
        }
        None => Bytes::new(),
    };
    Ok((job, input))
}

/// How long a task on this input takes.
#[must_use]
pub fn duration_ms(host: &Host, input: &Bytes) -> u64 {
    let len = u64::try_from(input.len()).unwrap_or(u64::MAX);
    host.plan.task_seconds.saturating_mul(1000).saturating_add(len.saturating_mul(MS_PER_BYTE))
}

/// What a job gives: its input, turned around.
#[must_use]
pub fn answer(input: &Bytes) -> Bytes {
    input.iter().rev().copied().collect::<Vec<u8>>().into()
}

/// How a task ends: its result is written and signed.
///
/// # Errors
/// `Ok(None)` if there is no room for the result; an error says what is missing.
pub fn finish(host: &mut Host, running: &Running, run_ms: u64) -> Result<Option<TaskOutcome>, String> {
    let (job, input) = read_job(&host.disk, &running.task.payload)?;
    let output = answer(&input);
    let mut blocks = Vec::new();
    let outcome = match running.fails {
        true => Outcome::Failed { failure: Failure::Crashed, detail: "the engine died".to_owned() },
        false => {
            let media = "text/plain".to_owned();
            let output = match output.len() > INLINE_BYTES_MAX {
                true => {
                    let Some(block) = host.disk.finish(output) else { return Ok(None) };
                    blocks.push(block);
                    Output::Link { media, block }
                }
                false => Output::Inline { media, data: output },
            };
            Outcome::Completed { outputs: vec![output], finish: "stop".to_owned() }
        }
    };
    let adu = sign(host, running, job, outcome, run_ms);
    let Some(payload) = host.disk.finish(adu.clone()) else { return Ok(None) };
    Ok(Some(TaskOutcome::Answered { payload, adu, blocks, retryable: false }))
}

fn sign(host: &Host, running: &Running, job: Job, outcome: Outcome, run_ms: u64) -> Bytes {
    let task = &running.task;
    let statement = Statement {
        job: task.job,
        model: task.model.as_ref().map(|model| model.manifest.cid.with_codec(bundle_spec::Codec::DagCbor)),
        engine: task.engine.clone(),
        fingerprint: "simulated 1".to_owned(),
        parameters: job.parameters,
        outcome,
        usage: Usage::default(),
        timings: Timings { received_at: task.received_at, started_at: running.began, load_ms: 0, run_ms },
        executor: host.node.clone(),
    };
    JobResult::sign(statement, &host.key).encode()
}

/// The same outcome as if the task had run once more: another result, under another signature.
#[must_use]
pub fn once_more(outcome: &TaskOutcome, key: &SigningKey, disk: &mut Disk) -> Option<TaskOutcome> {
    let TaskOutcome::Answered { adu, blocks, .. } = outcome else { return None };
    let mut statement = JobResult::decode(adu).ok()?.statement;
    statement.timings.run_ms += 1;
    let adu = JobResult::sign(statement, key).encode();
    let payload = disk.finish(adu.clone())?;
    Some(TaskOutcome::Answered { payload, adu, blocks: blocks.clone(), retryable: false })
}

/// Whether a result says what the job should give.
///
/// # Errors
/// What is wrong with it.
pub fn check_result(disk: &Disk, job: &Cid, result: &BlockRef, input: &Bytes) -> Result<bool, String> {
    let adu = disk.read(result.cid.digest()).ok_or("the result is not in the store")?;
    let result = JobResult::decode(adu).map_err(|error| format!("the result cannot be read: {error}"))?;
    result.verify().map_err(|error| format!("the result is not to be believed: {error}"))?;
    if result.statement.job != *job {
        return Err("the result is that of another job".to_owned());
    }
    match result.statement.outcome {
        Outcome::Failed { .. } => Ok(false),
        Outcome::Completed { outputs, .. } => {
            let output = match outputs.first() {
                Some(Output::Inline { data, .. }) => data.clone(),
                Some(Output::Link { block, .. }) => {
                    let data = disk.read(block.cid.digest());
                    data.ok_or("the output of the result is not in the store")?.clone()
                }
                None => return Err("the result has no output".to_owned()),
            };
            if output != answer(input) {
                return Err("the answer is wrong".to_owned());
            }
            Ok(true)
        }
    }
}
