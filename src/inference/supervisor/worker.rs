//! One worker process, as the node sees it.
//!
//! Used by the supervisor alone. A worker that is dropped is killed. It serves one model in its life: the
//! memory of a model comes back for certain only when the process ends.

use std::path::Path;

use bundle_spec::Cid;
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
};
use tokio_util::sync::CancellationToken;

use super::{
    TaskModelFile,
    obituary::{LastWords, obituary},
};
use crate::{
    inference::{
        EngineError, EngineState, Finished, Piece, TaskInput, WorkerLimits,
        frame::{self, FrameError, GREETING, Reply, Request},
        launch::{LaunchError, launch},
    },
    limits::{WORKER_GRACE, WORKER_HANDSHAKE},
};

/// Bytes of standard error that are read at once.
const WORDS_BYTES: usize = 1024;

/// One worker process.
pub(super) struct Worker {
    child: Child,
    requests: ChildStdin,
    replies: ChildStdout,
    /// Standard error, until it ends.
    words: Option<ChildStderr>,
    last_words: LastWords,
    /// What has come and is not yet a whole frame.
    buffer: BytesMut,
    state: EngineState,
    model: Option<Cid>,
    /// Whether it has been asked for something that it has not answered.
    is_busy: bool,
    /// The last task's number.
    task: u64,
}

/// How a task ended that did not fail.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was done.
    Finished(Finished),
    /// It was stopped on request.
    Stopped,
}

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// It could not be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It died before it was ready.
    #[error("the worker `pannier-{engine}` does not start: {reason}")]
    Died { engine: String, reason: EngineError },
    /// It said nothing.
    #[error("the worker `pannier-{engine}` was not ready after {WORKER_HANDSHAKE:?}")]
    Silent { engine: String },
}

/// Why a worker is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    /// It closed its end, which it does by dying.
    #[error("the worker hung up")]
    Ended,
    /// It sent what is no frame.
    #[error(transparent)]
    Frame(FrameError),
    /// It is of another build.
    #[error("it is of another build; install `pannier` and its workers together")]
    Greeting,
    /// It answered what was not asked.
    #[error("an answer to something else")]
    Unasked,
}

impl From<FrameError> for WorkerError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Stream(_) | FrameError::Cut => Self::Ended,
            other => Self::Frame(other),
        }
    }
}

impl Worker {
    /// Starts `pannier-<engine>` and waits until it is ready.
    pub(super) async fn start(
        directory: &Path,
        engine: &str,
        limits: &WorkerLimits,
    ) -> Result<Self, StartError> {
        let mut child = launch(directory, engine, limits)?;
        let requests = child.stdin.take().expect("a worker is launched with its standard input piped");
        let replies = child.stdout.take().expect("a worker is launched with its standard output piped");
        let words = child.stderr.take();
        let mut worker = Self {
            child,
            requests,
            replies,
            words,
            last_words: LastWords::default(),
            buffer: BytesMut::new(),
            state: EngineState { name: engine.to_owned(), fingerprint: String::new(), kinds: Vec::new() },
            model: None,
            is_busy: true,
            task: 0,
        };
        match tokio::time::timeout(WORKER_HANDSHAKE, worker.greet()).await {
            Ok(Ok(())) => Ok(worker),
            Ok(Err(error)) => {
                let reason = worker.bury(error).await;
                Err(StartError::Died { engine: engine.to_owned(), reason })
            }
            Err(_) => {
                worker.kill().await;
                Err(StartError::Silent { engine: engine.to_owned() })
            }
        }
    }

    /// What the engine is and can do.
    pub(super) fn state(&self) -> &EngineState {
        &self.state
    }

    /// The model that it has.
    pub(super) fn model(&self) -> Option<Cid> {
        self.model
    }

    /// Whether it has been asked for something that it has not answered.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Whether the process still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Makes a model ready. A worker that failed to is not to be used for another.
    pub(super) async fn load(
        &mut self,
        model: &TaskModelFile,
        limits: &WorkerLimits,
    ) -> Result<Result<(), EngineError>, WorkerError> {
        // The worker's directory is another one.
        let path = match std::path::absolute(&model.path) {
            Ok(path) => path.into_os_string().into_encoded_bytes(),
            Err(error) => return Ok(Err(EngineError::bad_model(format!("the model has no path: {error}")))),
        };
        self.is_busy = true;
        self.ask(&frame::encode(&Request::Load { path, limits: *limits })?).await?;
        match self.reply().await? {
            Reply::Loaded => {
                self.is_busy = false;
                self.model = Some(model.cid);
                Ok(Ok(()))
            }
            // It stays busy, which ends it: what a failed load leaves behind is not worth knowing.
            Reply::NotLoaded(error) => Ok(Err(error)),
            Reply::Ready { .. } | Reply::Piece { .. } | Reply::Finished { .. } | Reply::Failed { .. } => {
                Err(WorkerError::Unasked)
            }
        }
    }

    /// Does a task. When `cancel` is cancelled, the worker is asked to stop; how long that may take is the
    /// caller's.
    pub(super) async fn run(
        &mut self,
        input: &TaskInput,
        emit: &mut (dyn FnMut(Piece) + Send),
        cancel: &CancellationToken,
    ) -> Result<Result<Ended, EngineError>, WorkerError> {
        self.task += 1;
        let task = self.task;
        let request = match frame::encode(&Request::Run { task, input: input.clone() }) {
            Ok(request) => request,
            Err(error) => {
                let detail = format!("the inputs cannot be given to the engine: {error}");
                return Ok(Err(EngineError::bad_input(detail)));
            }
        };
        self.is_busy = true;
        self.ask(&request).await?;
        let mut is_cancelled = false;
        loop {
            let reply = tokio::select! {
                biased;
                () = cancel.cancelled(), if !is_cancelled => {
                    is_cancelled = true;
                    self.ask(&frame::encode(&Request::Cancel { task })?).await?;
                    continue;
                }
                reply = self.reply() => reply?,
            };
            let ended = match reply {
                Reply::Piece { task: of, piece } if of == task => {
                    emit(piece);
                    continue;
                }
                Reply::Finished { task: of, finished } if of == task => Ok(Ended::Finished(finished)),
                Reply::Failed { task: of, error } if of == task => Err(error),
                Reply::Ready { .. }
                | Reply::Loaded
                | Reply::NotLoaded(_)
                | Reply::Piece { .. }
                | Reply::Finished { .. }
                | Reply::Failed { .. } => return Err(WorkerError::Unasked),
            };
            self.is_busy = false;
            return Ok(if is_cancelled { Ok(Ended::Stopped) } else { ended });
        }
    }

    /// Ends it in good order, or else without.
    pub(super) async fn shut_down(mut self) {
        // One that is dead already has nothing to hear; killing it does no harm.
        if let Ok(request) = frame::encode(&Request::Shutdown) {
            let _ = tokio::time::timeout(WORKER_GRACE, self.ask(&request)).await;
        }
        if tokio::time::timeout(WORKER_GRACE, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends it at once.
    pub(super) async fn kill(mut self) {
        // It fails only for a process that has ended.
        let _ = self.child.kill().await;
    }

    /// Finds out why it is of no more use, and ends it.
    pub(super) async fn bury(mut self, error: WorkerError) -> EngineError {
        let violation = match &error {
            WorkerError::Ended => None,
            violation => Some(violation.to_string()),
        };
        let mut status = None;
        if violation.is_none() {
            status = tokio::time::timeout(WORKER_GRACE, self.child.wait()).await.ok().and_then(Result::ok);
        }
        if status.is_none() {
            let _ = self.child.kill().await;
        }
        // A process that the dying one has started may hold its standard error open for ever.
        let _ = tokio::time::timeout(WORKER_GRACE, self.hear_out()).await;
        obituary(status, violation.as_deref(), &self.last_words)
    }

    /// Takes the greeting and the first frame.
    async fn greet(&mut self) -> Result<(), WorkerError> {
        while self.buffer.len() < GREETING.len() {
            self.read().await?;
        }
        if !self.buffer.starts_with(GREETING) {
            return Err(WorkerError::Greeting);
        }
        self.buffer.advance(GREETING.len());
        match self.reply().await? {
            Reply::Ready { name, fingerprint, kinds } if name == self.state.name => {
                self.state = EngineState { name, fingerprint, kinds: kinds.0 };
                self.is_busy = false;
                Ok(())
            }
            _ => Err(WorkerError::Greeting),
        }
    }

    async fn ask(&mut self, request: &[u8]) -> Result<(), WorkerError> {
        let written = async {
            self.requests.write_all(request).await?;
            self.requests.flush().await
        };
        written.await.map_err(|_| WorkerError::Ended)
    }

    /// The next reply. Nothing is lost if this is given up half-way.
    async fn reply(&mut self) -> Result<Reply, WorkerError> {
        loop {
            if let Some(reply) = frame::decode(&mut self.buffer)? {
                return Ok(reply);
            }
            self.read().await?;
        }
    }

    /// Reads some of whatever comes, replies or words.
    async fn read(&mut self) -> Result<(), WorkerError> {
        let mut words = [0; WORDS_BYTES];
        tokio::select! {
            biased;
            read = self.replies.read_buf(&mut self.buffer) => match read {
                Ok(0) | Err(_) => Err(WorkerError::Ended),
                Ok(_) => Ok(()),
            },
            read = hear(self.words.as_mut(), &mut words) => {
                match read {
                    0 => self.words = None,
                    heard => self.last_words.heard(&words[..heard]),
                }
                Ok(())
            }
        }
    }

    /// Hears the rest of what it said.
    async fn hear_out(&mut self) {
        let mut words = [0; WORDS_BYTES];
        while self.words.is_some() {
            match hear(self.words.as_mut(), &mut words).await {
                0 => self.words = None,
                heard => self.last_words.heard(&words[..heard]),
            }
        }
    }
}

/// Hears some words; zero at the end of them. Waits for ever if there is nobody to hear.
async fn hear(words: Option<&mut ChildStderr>, heard: &mut [u8]) -> usize {
    match words {
        // An error is an end, too.
        Some(words) => words.read(heard).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}
