//! Starts workers, feeds them, limits them, gives up on them.
//!
//! The node owns one supervisor, asks it for every task and runs [`Supervisor::tend`] beside it. A worker is
//! a process that may die at any time: the task is tried again, a pair of model and engine that keeps
//! crashing is refused, and the node lives on. It knows nothing of bundles, stores or signatures.

mod crashes;
mod obituary;
mod relay;
mod task;
mod worker;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bundle_spec::{
    Cid,
    adu::{Failure, Kind},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use self::task::{TaskEnd, TaskModelFile, TaskReport, TaskRequest};
use self::{
    crashes::Crashes,
    relay::Relay,
    worker::{Ended, StartError, Worker, WorkerError},
};
use super::{EngineError, EngineState, Piece, TaskInput, WorkerLimits};
use crate::{
    limits::{TASK_ATTEMPTS_MAX, WORKER_GRACE, WORKER_HANDSHAKE},
    node::mailbox::Clock,
    time::Time,
};

/// What a supervisor works with.
#[derive(Clone, Debug)]
pub struct SupervisorConfig {
    /// The engines to use, by name; `llama` is the worker `pannier-llama`.
    pub engines: Vec<String>,
    /// Where the workers lie. See [`super::launch::own_directory`].
    pub directory: PathBuf,
    /// What each worker may use.
    pub limits: WorkerLimits,
    /// How long a worker that has nothing to do keeps its model; zero: not at all.
    pub keep_loaded: Duration,
}

/// What runs here and what does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// Engines whose worker has shown that it runs.
    pub engines: Vec<EngineState>,
    /// Engines that do not run, each with the reason.
    pub failures: Vec<(String, String)>,
}

/// Starts workers, feeds them, limits them, gives up on them.
pub struct Supervisor {
    config: SupervisorConfig,
    clock: Arc<Clock>,
    state: Mutex<State>,
    /// Rings when a worker has become idle.
    idled: Notify,
}

#[derive(Default)]
struct State {
    /// Workers that wait for a task: at most one an engine.
    idle: BTreeMap<String, Idle>,
    crashes: Crashes,
}

struct Idle {
    worker: Worker,
    until: Time,
}

/// What a task holds while it runs. Lies outside of its future, so that the worker can be buried when time is
/// up.
#[derive(Default)]
struct Desk {
    worker: Option<Worker>,
    load_ms: u64,
    run_ms: u64,
    fingerprint: String,
    /// Bytes of text that were passed on: another attempt does not repeat them.
    told: usize,
}

/// Why a task came to nothing, and whether it might elsewhere.
struct Failed {
    error: EngineError,
    retryable: bool,
}

impl Supervisor {
    /// A supervisor without any worker yet.
    #[must_use]
    pub fn new(config: SupervisorConfig, clock: Arc<Clock>) -> Self {
        Self { config, clock, state: Mutex::default(), idled: Notify::new() }
    }

    /// Starts every engine once and lets it show that it runs.
    pub async fn probe(&self) -> Probe {
        let mut probe = Probe::default();
        for engine in &self.config.engines {
            match self.try_engine(engine).await {
                Ok(worker) => {
                    probe.engines.push(worker.state().clone());
                    self.retire(engine, worker).await;
                }
                Err(reason) => probe.failures.push((engine.clone(), reason)),
            }
        }
        probe
    }

    /// Runs a task to its end; `emit` gets the pieces of the answer as they come. Gives up when the time
    /// limit is over or `cancel` is cancelled. One that is dropped half-way kills its worker.
    pub async fn run(
        &self,
        request: &TaskRequest,
        emit: impl FnMut(Piece) + Send,
        cancel: &CancellationToken,
    ) -> TaskReport {
        let mut desk = Desk::default();
        let limit = Duration::from_millis(self.config.limits.task_ms);
        let patience = async {
            cancel.cancelled().await;
            tokio::time::sleep(WORKER_GRACE).await;
        };
        let result = tokio::select! {
            biased;
            result = self.attempts(request, &mut desk, emit, cancel) => result,
            () = patience => Ok(Ended::Stopped),
            () = tokio::time::sleep(limit) => Err(Failed {
                error: EngineError::exhausted(format!("the time limit of {limit:?} is over")),
                retryable: true,
            }),
        };
        if let Some(worker) = desk.worker.take() {
            if worker.is_busy() {
                worker.kill().await;
            } else {
                self.retire(&request.engine, worker).await;
            }
        }
        let (end, retryable) = match result {
            Ok(Ended::Finished(finished)) => (TaskEnd::Completed(finished), false),
            Ok(Ended::Stopped) => (TaskEnd::Stopped, false),
            Err(failed) => (TaskEnd::Failed(failed.error), failed.retryable),
        };
        TaskReport {
            end,
            retryable,
            load_ms: desk.load_ms,
            run_ms: desk.run_ms,
            engine: request.engine.clone(),
            fingerprint: desk.fingerprint,
        }
    }

    /// Ends workers that have been idle for long enough, until `stop`; then ends those that are idle.
    pub async fn tend(&self, stop: CancellationToken) {
        loop {
            let due = self.state().idle.values().map(|idle| idle.until).min();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.idled.notified() => {}
                () = self.clock.sleep_until(due) => self.dismiss(self.clock.now()).await,
            }
        }
        self.finish().await;
    }

    /// Ends every worker that is idle and waits until it is gone. Called when no more tasks come.
    pub async fn finish(&self) {
        self.dismiss(Time::NEVER).await;
    }

    /// Tries until it is done, or has failed for good, or has crashed too often.
    async fn attempts(
        &self,
        request: &TaskRequest,
        desk: &mut Desk,
        mut emit: impl FnMut(Piece) + Send,
        cancel: &CancellationToken,
    ) -> Result<Ended, Failed> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(request, desk, &mut emit, cancel).await {
                Ok(ended) => {
                    self.state().crashes.went_well(&request.engine);
                    return Ok(ended);
                }
                Err(Trouble::Final(failed)) => return Err(failed),
                Err(Trouble::Died(error)) => error,
            };
            let worker = desk.worker.take().expect("only a worker on the desk can die");
            let death = worker.bury(error).await;
            if death.failure == Failure::Exhausted {
                return Err(Failed { error: death, retryable: true });
            }
            let model = request.model.as_ref().map(|model| model.cid);
            self.state().crashes.crashed(&request.engine, model, &desk.fingerprint, &death.detail);
            if attempt == TASK_ATTEMPTS_MAX {
                return Err(Failed { error: death, retryable: false });
            }
            attempt += 1;
        }
    }

    /// Tries once.
    async fn attempt(
        &self,
        request: &TaskRequest,
        desk: &mut Desk,
        emit: &mut (dyn FnMut(Piece) + Send),
        cancel: &CancellationToken,
    ) -> Result<Ended, Trouble> {
        let began = self.clock.now();
        let seated = self.seat(request, desk).await;
        desk.load_ms += elapsed_ms(began, self.clock.now());
        seated?;

        let Desk { worker, told, run_ms, .. } = desk;
        let worker = worker.as_mut().expect("a worker has just been seated");
        let mut relay = Relay::new(*told, emit);
        let began = self.clock.now();
        let ended = worker.run(&request.input, &mut |piece| *told += relay.pass(piece), cancel).await;
        *run_ms += elapsed_ms(began, self.clock.now());
        Ok(ended??)
    }

    /// Puts a worker with the right model on the desk.
    async fn seat(&self, request: &TaskRequest, desk: &mut Desk) -> Result<(), Trouble> {
        if !self.config.engines.contains(&request.engine) {
            let detail = format!("the engine `{}` is not used on this node", request.engine);
            let error = EngineError { failure: Failure::Crashed, detail };
            return Err(Failed { error, retryable: true }.into());
        }
        let wanted = request.model.as_ref().map(|model| model.cid);
        let worker = match self.take_idle(&request.engine, wanted).await {
            Some(worker) => worker,
            None => self.start(&request.engine).await.map_err(Failed::at_the_start)?,
        };
        let worker = desk.worker.insert(worker);
        let state = worker.state();
        desk.fingerprint.clone_from(&state.fingerprint);
        if !state.kinds.contains(&request.input.kind) {
            let detail = format!("the engine `{}` cannot do this kind of work", request.engine);
            return Err(EngineError::bad_input(detail).into());
        }
        let Some(model) = &request.model else { return Ok(()) };
        let refusal = self.state().crashes.refusal(model.cid, &state.fingerprint);
        if let Some(detail) = refusal {
            return Err(EngineError { failure: Failure::Crashed, detail }.into());
        }
        if worker.model() != Some(model.cid) {
            worker.load(model, &self.config.limits).await??;
        }
        Ok(())
    }

    /// Starts a worker, after a pause if the last ones died.
    async fn start(&self, engine: &str) -> Result<Worker, StartError> {
        let pause = self.state().crashes.pause(engine);
        tokio::time::sleep(pause).await;
        Worker::start(&self.config.directory, engine, &self.config.limits).await
    }

    /// The idle worker of an engine if it can take the model; one that cannot is ended, because only its end
    /// gives the memory of the other model back.
    async fn take_idle(&self, engine: &str, wanted: Option<Cid>) -> Option<Worker> {
        let idle = self.state().idle.remove(engine);
        let mut worker = idle?.worker;
        let is_fit = worker.model().is_none() || worker.model() == wanted;
        if is_fit && worker.is_alive() {
            return Some(worker);
        }
        worker.shut_down().await;
        None
    }

    /// Keeps a worker that is done for the next task, for a while.
    async fn retire(&self, engine: &str, worker: Worker) {
        let surplus = if self.config.keep_loaded.is_zero() {
            Some(worker)
        } else {
            let until = self.clock.now() + self.config.keep_loaded;
            self.state().idle.insert(engine.to_owned(), Idle { worker, until }).map(|idle| idle.worker)
        };
        self.idled.notify_one();
        if let Some(worker) = surplus {
            worker.shut_down().await;
        }
    }

    /// Ends the workers whose time is up.
    async fn dismiss(&self, now: Time) {
        let dismissed: Vec<Worker> = {
            let idle = &mut self.state().idle;
            let due: Vec<String> =
                idle.iter().filter(|(_, idle)| idle.until <= now).map(|(engine, _)| engine.clone()).collect();
            due.iter().filter_map(|engine| idle.remove(engine)).map(|idle| idle.worker).collect()
        };
        for worker in dismissed {
            worker.shut_down().await;
        }
    }

    /// Starts an engine; one that can echo has to.
    async fn try_engine(&self, engine: &str) -> Result<Worker, String> {
        let mut worker = self.start(engine).await.map_err(|error| error.to_string())?;
        if !worker.state().kinds.contains(&Kind::Echo) {
            return Ok(worker);
        }
        let inputs = vec![("text/plain".to_owned(), b"echo".to_vec())];
        let input = TaskInput { kind: Kind::Echo, inputs: inputs.clone(), parameters: BTreeMap::new() };
        let cancel = CancellationToken::new();
        let echoed = tokio::time::timeout(WORKER_HANDSHAKE, worker.run(&input, &mut |_| {}, &cancel)).await;
        match echoed {
            Ok(Ok(Ok(Ended::Finished(finished)))) if finished.outputs == inputs => Ok(worker),
            Ok(Err(error)) => Err(worker.bury(error).await.detail),
            Ok(Ok(_)) | Err(_) => {
                worker.kill().await;
                Err("the echo that came back is not what was sent".to_owned())
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the state")
    }
}

/// Why an attempt came to nothing.
enum Trouble {
    /// Another attempt would not help.
    Final(Failed),
    /// The worker is dead or mad; the next one may do better.
    Died(WorkerError),
}

impl Failed {
    fn at_the_start(error: StartError) -> Self {
        let failure = match &error {
            StartError::Died { reason, .. } => reason.failure,
            StartError::Launch(_) | StartError::Silent { .. } => Failure::Crashed,
        };
        Self { error: EngineError { failure, detail: error.to_string() }, retryable: true }
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        Self::Final(failed)
    }
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        let retryable = error.failure == Failure::Exhausted;
        Self::Final(Failed { error, retryable })
    }
}

impl From<WorkerError> for Trouble {
    fn from(error: WorkerError) -> Self {
        Self::Died(error)
    }
}

fn elapsed_ms(from: Time, to: Time) -> u64 {
    to.0.saturating_sub(from.0)
}
