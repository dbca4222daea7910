//! Tasks: from a job that may run here to a signed result in the store.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bundle_spec::{
    BlockRef, Cid, Digest,
    adu::{Failure, Job, JobInput, JobResult, Outcome, Output, Statement, Timings, Usage},
    sign::SigningKey,
};
use bytes::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{assets, mailbox::Handle, sealing::Answering};
use crate::{
    agent::{Input, Task, TaskOutcome},
    inference::{
        TaskInput,
        supervisor::{Supervisor, TaskEnd, TaskModelFile, TaskReport, TaskRequest},
    },
    limits,
};

/// How long to wait until what found no room is offered to the store again.
const ROOM_PAUSE: Duration = Duration::from_secs(1);

/// Runs tasks. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tasks {
    handle: Handle,
    supervisor: Arc<Supervisor>,
    key: SigningKey,
    /// Where assembled model files lie.
    files: PathBuf,
    /// How to stop each running task.
    running: Arc<Mutex<BTreeMap<Digest, CancellationToken>>>,
    tracker: TaskTracker,
    /// Whether the node is about to stop: tasks that end then are dispatched again when it starts.
    closing: CancellationToken,
}

/// A job that is about to run.
struct ReadJob {
    /// Its encoding.
    adu: Bytes,
    /// What its result is sealed with, if it was sealed.
    answering: Option<Answering>,
}

/// What came of the work, before it is signed.
struct Work {
    outcome: Outcome,
    engine: String,
    fingerprint: String,
    parameters: BTreeMap<String, bundle_spec::adu::Value>,
    usage: Usage,
    load_ms: u64,
    run_ms: u64,
    blocks: Vec<BlockRef>,
    retryable: bool,
}

impl Tasks {
    /// Tasks whose results are signed with `key`; model files are assembled in the folder `files`.
    pub(super) fn new(handle: Handle, supervisor: Arc<Supervisor>, key: SigningKey, files: PathBuf) -> Self {
        let running = Arc::default();
        Self {
            handle,
            supervisor,
            key,
            files,
            running,
            tracker: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Begins a task; its end comes in through the mailbox.
    pub(super) fn start(&self, task: Task) {
        if self.closing.is_cancelled() {
            return;
        }
        let cancel = CancellationToken::new();
        self.running.lock().expect("no holder panics").insert(*task.job.digest(), cancel.clone());
        let tasks = self.clone();
        self.tracker.spawn(async move {
            let job = task.job;
            let outcome = tasks.run(task, cancel).await;
            tasks.running.lock().expect("no holder panics").remove(job.digest());
            if tasks.closing.is_cancelled() {
                return;
            }
            // If the node has stopped, the job is dispatched again when it starts.
            let _ = tasks.handle.input(Input::TaskEnded { task: job, outcome }).await;
        });
    }

    /// Stops a task, if it runs.
    pub(super) fn stop(&self, job: &Cid) {
        if let Some(cancel) = self.running.lock().expect("no holder panics").get(job.digest()) {
            cancel.cancel();
        }
    }

    /// Stops every task and waits until their workers are gone.
    pub(super) async fn finish(&self) {
        self.closing.cancel();
        for cancel in self.running.lock().expect("no holder panics").values() {
            cancel.cancel();
        }
        self.tracker.close();
        self.tracker.wait().await;
        // A task that ended by itself at the last moment has left its worker idle.
        self.supervisor.finish().await;
    }

    async fn run(&self, task: Task, cancel: CancellationToken) -> TaskOutcome {
        let started_at = self.handle.clock().wall().map_or(0, |(wall, _)| wall.0);
        let job = self.read(&task).await;
        if task.is_sealed && !job.as_ref().is_ok_and(|job| job.answering.is_some()) {
            warn!(job = %task.job, "a sealed job cannot be opened any more");
            return TaskOutcome::Unreadable;
        }
        let worked = match &job {
            Ok(job) => self.work(&task, job, cancel.clone()).await,
            Err(detail) => Err(detail.clone()),
        };
        let work = match worked {
            Ok(Some(work)) => work,
            Ok(None) => return TaskOutcome::Stopped,
            Err(detail) => failed(&task, Failure::Exhausted, detail, true),
        };
        let statement = Statement {
            job: task.job,
            model: task.model.as_ref().map(|model| model.manifest.cid),
            engine: work.engine,
            fingerprint: work.fingerprint,
            parameters: work.parameters,
            outcome: work.outcome,
            usage: work.usage,
            timings: Timings {
                received_at: task.received_at,
                started_at,
                load_ms: work.load_ms,
                run_ms: work.run_ms,
            },
            executor: self.handle.node_id().clone(),
        };
        let adu = JobResult::sign(statement, &self.key).encode();
        let travelling = match job.ok().and_then(|job| job.answering) {
            None => adu.clone(),
            Some(answering) => match answering.seal(task.job, &adu) {
                Ok(sealed) => sealed,
                Err(error) => {
                    warn!(job = %task.job, %error, "the answer cannot be sealed");
                    return TaskOutcome::Unreadable;
                }
            },
        };
        let Some(payload) = self.keep(&task.job, travelling, &cancel).await else {
            return TaskOutcome::Stopped;
        };
        info!(job = %task.job, run_ms = work.run_ms, "task ended");
        TaskOutcome::Answered { payload, adu, blocks: work.blocks, retryable: work.retryable }
    }

    /// The job, opened if it is sealed; why it cannot be read, in words.
    async fn read(&self, task: &Task) -> Result<ReadJob, String> {
        let adu = self
            .handle
            .read_block(*task.payload.cid.digest(), limits::CONTROL_ADU_BYTES_MAX as u64)
            .await
            .map_err(|error| error.to_string())?
            .ok_or("the job's payload is not in the store")?;
        match self.handle.sealing().open_job(&adu) {
            None => Ok(ReadJob { adu, answering: None }),
            Some(Ok(opened)) => {
                let adu = opened.job.clone();
                Ok(ReadJob { adu, answering: Some(Answering::new(opened)) })
            }
            Some(Err(error)) => Err(error.to_string()),
        }
    }

    /// Does the work. `None`: it was stopped. An error is a resource that is missing here, in words.
    async fn work(
        &self,
        task: &Task,
        read: &ReadJob,
        cancel: CancellationToken,
    ) -> Result<Option<Work>, String> {
        let job = match Job::decode(&read.adu) {
            Ok(job) => job,
            Err(error) => return Ok(Some(failed(task, Failure::BadInput, error.to_string(), false))),
        };
        let inputs = self.inputs(&job, read.answering.as_ref()).await?;
        let model_file = match &task.model {
            Some(model) => {
                let store = Arc::clone(self.handle.store());
                let (files, manifest) = (self.files.clone(), model.manifest);
                match tokio::task::spawn_blocking(move || assets::assemble(&*store, &manifest, &files)).await
                {
                    Ok(Ok(file)) => Some(file),
                    Ok(Err(error)) => return Err(format!("the model cannot be assembled: {error}")),
                    Err(error) => return Err(format!("the model cannot be assembled: {error}")),
                }
            }
            None => None,
        };
        let request = TaskRequest {
            engine: task.engine.clone(),
            input: TaskInput { kind: job.kind, inputs, parameters: job.parameters.clone() },
            model: task
                .model
                .as_ref()
                .zip(model_file)
                .map(|(model, path)| TaskModelFile { cid: model.manifest.cid, path }),
        };
        let (handle, id) = (self.handle.clone(), task.job);
        let report = self.supervisor.run(&request, move |piece| handle.emit(id, piece), &cancel).await;
        self.conclude((&task.job, &job), read.answering.as_ref(), report, &cancel).await
    }

    async fn inputs(&self, job: &Job, sealed: Option<&Answering>) -> Result<Vec<(String, Vec<u8>)>, String> {
        let mut inputs = Vec::with_capacity(job.inputs.len());
        for (place, input) in job.inputs.iter().enumerate() {
            match input {
                JobInput::Inline { media, data } => inputs.push((media.clone(), data.to_vec())),
                JobInput::Link { media, block } => {
                    let data = self
                        .handle
                        .read_block(*block.cid.digest(), limits::INPUT_BYTES_MAX)
                        .await
                        .map_err(|error| error.to_string())?
                        .ok_or_else(|| format!("the input {} is not in the store", block.cid))?;
                    let data = match sealed {
                        None => data.to_vec(),
                        Some(answering) => {
                            let opened = answering.opened().blocks.open(place, &data);
                            opened.map_err(|error| format!("the input {}: {error}", block.cid))?.to_vec()
                        }
                    };
                    inputs.push((media.clone(), data));
                }
            }
        }
        Ok(inputs)
    }

    async fn conclude(
        &self,
        (id, job): (&Cid, &Job),
        sealed: Option<&Answering>,
        report: TaskReport,
        cancel: &CancellationToken,
    ) -> Result<Option<Work>, String> {
        let mut blocks = Vec::new();
        let mut work = Work {
            outcome: Outcome::Completed { outputs: Vec::new(), finish: String::new() },
            engine: report.engine,
            fingerprint: report.fingerprint,
            parameters: job.parameters.clone(),
            usage: Usage::default(),
            load_ms: report.load_ms,
            run_ms: report.run_ms,
            blocks: Vec::new(),
            retryable: report.retryable,
        };
        match report.end {
            TaskEnd::Stopped => return Ok(None),
            TaskEnd::Failed(error) => {
                work.outcome = Outcome::Failed { failure: error.failure, detail: error.detail };
            }
            TaskEnd::Completed(finished) => {
                let mut outputs = Vec::with_capacity(finished.outputs.len());
                for (media, data) in finished.outputs {
                    if data.len() <= limits::INLINE_BYTES_MAX && blocks.is_empty() {
                        outputs.push(Output::Inline { media, data: Bytes::from(data) });
                        continue;
                    }
                    let quota = self.handle.store().usage().quota;
                    if u64::try_from(data.len()).is_ok_and(|len| len > quota) {
                        return Err(format!("an output of {} bytes never fits the store here", data.len()));
                    }
                    let data = match sealed {
                        None => data,
                        Some(answering) => {
                            let sealed = answering.blocks().seal(outputs.len(), &data);
                            sealed.map_err(|error| error.to_string())?
                        }
                    };
                    let Some(block) = self.keep(id, Bytes::from(data), cancel).await else { return Ok(None) };
                    blocks.push(block);
                    outputs.push(Output::Link { media, block });
                }
                work.outcome = Outcome::Completed { outputs, finish: finished.finish };
                work.usage = finished.usage;
                work.parameters = finished.parameters;
                work.blocks = blocks;
            }
        }
        Ok(Some(work))
    }

    /// Puts an output or a result into the store. What finds no room waits for it: the work is done, and
    /// nothing else may take its place. `None`: it was stopped.
    async fn keep(&self, job: &Cid, bytes: Bytes, cancel: &CancellationToken) -> Option<BlockRef> {
        loop {
            match self.handle.write_block(bytes.clone()).await {
                Ok(block) => return Some(block),
                Err(error) => warn!(%job, %error, "what was made finds no room; trying again"),
            }
            tokio::select! {
                () = cancel.cancelled() => return None,
                () = tokio::time::sleep(ROOM_PAUSE) => {}
            }
        }
    }
}

fn failed(task: &Task, failure: Failure, detail: String, retryable: bool) -> Work {
    Work {
        outcome: Outcome::Failed { failure, detail },
        engine: task.engine.clone(),
        fingerprint: String::new(),
        parameters: BTreeMap::new(),
        usage: Usage::default(),
        load_ms: 0,
        run_ms: 0,
        blocks: Vec::new(),
        retryable,
    }
}
