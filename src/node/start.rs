//! From settings to a running node, and back to nothing in good order.

use std::{io, path::PathBuf, sync::Arc};

use bundle_spec::security::KeySet;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Node,
    executor::Executor,
    foundation::Foundation,
    identity,
    mailbox::{Handle, StoreError},
    metrics::Metrics,
    peers::PeerError,
    readiness::{Ready, ReadyFile},
    resources,
    sealing::{self, Sealing},
    security::{self, Guard},
    surroundings::{Owned, Surroundings},
    tasks::Tasks,
};
use crate::{
    gateway::ListenError,
    inference::{
        WorkerLimits, launch,
        supervisor::{Supervisor, SupervisorConfig},
    },
    settings::Settings,
};

/// Where changed keys are told.
type KeySender = watch::Sender<Arc<KeySet>>;

/// Why a node did not start or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The key is missing, unreadable or open to others.
    #[error("the identity cannot be used: {0}")]
    Identity(#[from] identity::IdentityError),
    /// The configured EID is none.
    #[error("`{0}` is not a node ID")]
    Eid(String),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The peers cannot be read.
    #[error(transparent)]
    Peers(#[from] PeerError),
    /// The keys of bundle security cannot be used.
    #[error("the keys of `security.keys` cannot be used: {0}")]
    Keys(#[from] security::KeyFileError),
    /// The keys that jobs are sealed with cannot be used.
    #[error("the sealing keys cannot be used: {0}")]
    Sealing(#[from] sealing::SealingFileError),
    /// The gateway's port or the control socket cannot be used.
    #[error("the gateway cannot listen: {0}")]
    Listen(#[from] ListenError),
    /// Anything else the operating system refused.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        cause: io::Error,
    },
}

/// Runs a node until the process is told to stop (SIGINT, SIGTERM). `ready_file` is written once
/// submissions are accepted.
///
/// # Errors
/// See [`NodeError`].
pub async fn run(settings: Settings, ready_file: Option<PathBuf>) -> Result<(), NodeError> {
    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(stop.clone()));
    let result = run_until(settings, ready_file, stop).await;
    signals.abort();
    result
}

/// Runs a node until `stop`: what stands around the loop ends first, then the tasks, then the loop, then
/// the keeper of the store.
async fn run_until(
    settings: Settings,
    ready_file: Option<PathBuf>,
    stop: CancellationToken,
) -> Result<(), NodeError> {
    let Foundation { key, node, store, clock, agent } = Foundation::lay(&settings).await?;
    let (handle, mailbox) = Handle::new(node.clone(), store, Arc::clone(&clock));
    let metrics = Arc::new(Metrics::new());
    let (guard, renewed) = guard(&settings, &metrics)?;
    let sealing = Sealing::open(sealing::path(&settings.paths.data), settings.sealing.clone())?;
    let handle = handle.guarded(guard.clone()).sealing_with(sealing);
    let supervisor = Arc::new(Supervisor::new(worker_settings(&settings)?, Arc::clone(&clock)));
    let files = settings.paths.data.join("models");
    let tasks = Tasks::new(handle.clone(), Arc::clone(&supervisor), key.clone(), files);
    let (released, releases) = mpsc::unbounded_channel();
    let (departing, departures) = mpsc::unbounded_channel();
    let executor = Executor::new(handle.clone(), tasks.clone(), Arc::clone(&metrics), released)
        .securing(guard.clone(), departing);
    let mut keeper = Owned::default();
    keeper.own("departures", security::depart(guard, handle.clone(), departures));
    if let (Some(path), Some(keys)) = (settings.security.keys.clone(), renewed) {
        let security = settings.security.clone();
        keeper.own("keys", security::keep_keys(path, security, keys, stop.clone()));
    }
    keeper.own("sealing", sealing::keep(handle.clone(), stop.clone()));
    keeper.own("store", resources::keep_store(handle.clone(), releases));
    let halt = CancellationToken::new();
    let mut looping = tokio::spawn(Node { agent, executor, mailbox, clock }.run(halt.clone()));

    let around = Surroundings::start(&settings, &handle, &key, metrics, supervisor).await?;
    let ready = Ready {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION"),
        eid: node.to_string(),
        peer_id: key.public().peer_id_text(),
        api_addr: around.api.map(|address| address.to_string()).unwrap_or_default(),
        socket: settings.paths.socket.clone(),
        console: String::new(),
        links: around.links.clone(),
    };
    let announced = ReadyFile::announce(ready_file.as_deref(), &ready)
        .map_err(|cause| NodeError::Io { what: "writing the readiness file", cause })?;
    info!(node = %node, "ready");

    let ended = tokio::select! {
        () = stop.cancelled() => None,
        result = &mut looping => Some(result.expect("the loop does not panic")),
    };
    drop(announced);
    around.finish().await;
    tasks.finish().await;
    halt.cancel();
    let result = match ended {
        Some(result) => result,
        None => looping.await.expect("the loop does not panic"),
    };
    drop((tasks, handle));
    keeper.finish().await;
    result
}

/// The rules of the settings and the keys of their file. The file must be usable at start; later it may be
/// replaced.
fn guard(settings: &Settings, metrics: &Arc<Metrics>) -> Result<(Guard, Option<KeySender>), NodeError> {
    let path = settings.security.keys.as_deref();
    let keys = path.map(|path| security::load_keys(path, &settings.security)).transpose()?;
    let (sender, receiver) = keys.map(|keys| watch::channel(Arc::new(keys))).unzip();
    Ok((Guard::new(&settings.security, receiver, Arc::clone(metrics)), sender))
}

fn worker_settings(settings: &Settings) -> Result<SupervisorConfig, NodeError> {
    let directory = launch::own_directory()
        .map_err(|cause| NodeError::Io { what: "finding the folder of the workers", cause })?;
    let inference = &settings.inference;
    Ok(SupervisorConfig {
        engines: inference.engines.clone(),
        directory,
        limits: WorkerLimits {
            threads: inference.threads,
            memory: inference.memory,
            task_ms: u64::try_from(inference.task_time.as_millis()).unwrap_or(u64::MAX),
        },
        keep_loaded: inference.keep_loaded,
    })
}

async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened to");
    let mut interrupt = signal(SignalKind::interrupt()).expect("signals can be listened to");
    tokio::select! {
        _ = terminate.recv() => info!("told to terminate"),
        _ = interrupt.recv() => info!("interrupted"),
    }
    stop.cancel();
}
