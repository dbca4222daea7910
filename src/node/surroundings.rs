//! What stands around the loop: links, gateway, engines, and those who tell the agent of clock and room.
//! All of it ends before the loop does, so that nothing it says is lost.

use std::{future::Future, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use bundle_spec::sign::SigningKey;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    NodeError,
    clock::Clock,
    foundation::write_clock,
    mailbox::Handle,
    metrics::Metrics,
    ops::{Doors, Ops},
    peers::Peers,
    readiness::ReadyLink,
    resources,
    roads::Roads,
};
use crate::{agent::EngineState, gateway, inference::supervisor::Supervisor, limits, settings::Settings};

/// How long tasks and links get to end in good order.
const GRACE: Duration = Duration::from_secs(10);

/// What stands around the loop, and how to end it.
pub(super) struct Surroundings {
    /// Where each convergence layer listens.
    pub(super) links: Vec<ReadyLink>,
    /// Where the gateway listens besides its socket.
    pub(super) api: Option<SocketAddr>,
    owned: Owned,
    stop: CancellationToken,
}

impl Surroundings {
    /// Starts everything; returns once submissions are accepted.
    pub(super) async fn start(
        settings: &Settings,
        handle: &Handle,
        key: &SigningKey,
        metrics: Arc<Metrics>,
        supervisor: Arc<Supervisor>,
    ) -> Result<Self, NodeError> {
        let stop = CancellationToken::new();
        let mut owned = Owned::default();
        let can_sign = settings.security.link_key.is_some();
        let peers = Arc::new(Peers::load(&settings.paths.data.join("peers"), can_sign)?);
        let (engines, engines_told) = watch::channel(Vec::new());
        let watching = resources::watch(handle.clone(), engines_told, limits::TASKS_MAX, stop.clone());
        owned.own("resources", watching);
        let clock = Arc::clone(handle.clock());
        owned.own("clock", keep_clock(clock, settings.paths.data.clone(), stop.clone()));
        let roads = Roads { settings, handle, key, peers: &peers, stop: &stop, owned: &mut owned };
        let (links, listening) = roads.start().await;
        let (failures, failures_told) = watch::channel(None);
        let ops = Arc::new(Ops::new(
            settings,
            handle.clone(),
            Doors { peers, listening, key: key.clone() },
            metrics,
            failures_told,
        ));
        let api = start_gateway(settings, handle, ops, &stop, &mut owned).await?;
        owned.own("engines", probe(supervisor, engines, failures, stop.clone()));
        Ok(Self { links, api, owned, stop })
    }

    /// Ends everything in good order.
    pub(super) async fn finish(self) {
        self.stop.cancel();
        self.owned.finish().await;
    }
}

async fn start_gateway(
    settings: &Settings,
    handle: &Handle,
    ops: Arc<Ops>,
    stop: &CancellationToken,
    owned: &mut Owned,
) -> Result<Option<SocketAddr>, NodeError> {
    let listeners = gateway::listen(&settings.gateway, &settings.paths).await?;
    let address = listeners.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
    let incoming = settings.paths.data.join("incoming");
    // What was on its way in when the power went is of no use to anybody; mostly there is nothing.
    let _ = std::fs::remove_dir_all(&incoming);
    let options = gateway::Options { wait: settings.gateway.wait, incoming };
    let serving = gateway::serve(handle.clone(), ops, options, listeners, stop.clone());
    let socket = settings.paths.socket.clone();
    owned.own("gateway", async move {
        if let Err(error) = serving.await {
            warn!(%error, "the gateway has ended");
        }
        // Nobody answers there any more; one that is gone already is gone.
        let _ = std::fs::remove_file(socket);
    });
    Ok(address)
}

/// Keeps the node's time in its file, so that it goes on from there even without a wall clock.
async fn keep_clock(clock: Arc<Clock>, data: PathBuf, stop: CancellationToken) {
    let path = data.join("clock");
    loop {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(60)) => {}
        }
        if let Err(error) = write_clock(&clock, &path) {
            warn!(%error, "the clock file cannot be written");
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Tells which engines have shown that they run and why others did not, then tends the workers until `stop`.
async fn probe(
    supervisor: Arc<Supervisor>,
    engines: watch::Sender<Vec<EngineState>>,
    failures: watch::Sender<Option<Vec<(String, String)>>>,
    stop: CancellationToken,
) {
    tokio::select! {
        () = stop.cancelled() => return,
        probe = supervisor.probe() => {
            for (engine, reason) in &probe.failures {
                warn!(engine, reason, "the engine does not run here");
            }
            info!(engines = probe.engines.len(), "engines probed");
            engines.send_replace(probe.engines);
            failures.send_replace(Some(probe.failures));
        }
    }
    supervisor.tend(stop).await;
}

/// Tasks with names that somebody waits for.
#[derive(Default)]
pub(super) struct Owned(Vec<(&'static str, JoinHandle<()>)>);

impl Owned {
    /// Starts a task.
    pub(super) fn own(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.0.push((name, tokio::spawn(work)));
    }

    /// Waits until all have ended; who does not within the grace is cut off.
    pub(super) async fn finish(self) {
        let deadline = tokio::time::Instant::from_std(deadline_after(GRACE));
        for (name, task) in self.0 {
            let abort = task.abort_handle();
            if tokio::time::timeout_at(deadline, task).await.is_err() {
                warn!(task = name, "cut off: it did not end in time");
                abort.abort();
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a deadline of the runtime, not a time of the agent")]
fn deadline_after(grace: Duration) -> std::time::Instant {
    std::time::Instant::now() + grace
}
