//! One way streams of bundles over TCP: MTCP and STCP, which differ in how a bundle's length is written
//! before it.
//!
//! Who dials sends, who listens receives. Nothing is acknowledged: what was sent is never said to be durable,
//! and what was under way when a connection broke is sent again. Nobody says who they are: bundles name the
//! node before. `mtcp` and `stcp` are this with their own [`Framing`].

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use bundle_spec::Lax;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    ClaError, ConvergenceLayer,
    address::{PeerAddress, Road},
    keepers::Keepers,
};
use crate::node::mailbox::Handle;

mod dial;
mod inbound;
mod inflow;
mod intake;
mod outbound;
mod socket;

#[cfg(test)]
mod tests;

/// How long a transfer may stand still until the connection is given up.
const STALL: Duration = Duration::from_secs(60);
/// How long connections may take to end in good order.
const PARTING: Duration = Duration::from_secs(2);
/// Most connections that others have made at a time. More are closed at once.
const INBOUND_MAX: usize = 64;
/// How long to wait when the system has no room for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How a bundle's length is written before it.
pub trait Framing: Send + Sync {
    /// Which road this is.
    fn road(&self) -> Road;
    /// Longest bundle that can go out, in bytes.
    fn unit_max(&self) -> u64;
    /// What stands before a bundle of `len` bytes, at most [`Framing::unit_max`].
    fn head(&self, len: u64) -> Vec<u8>;
    /// Reads a head from the beginning of `bytes`: the length that it announces, and how long it is itself.
    /// `None` if more bytes are needed, at most nine.
    ///
    /// # Errors
    /// What stands there is no head.
    fn read_head(&self, bytes: &[u8]) -> Result<Option<(u64, usize)>, NoHead>;
}

/// What stands on a stream where a bundle should begin is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no bundle begins here")]
pub struct NoHead;

/// A convergence layer of one way streams: `mtcp` or `stcp`.
pub struct Streams {
    /// Which of them.
    pub framing: &'static dyn Framing,
    /// Where it listens; without, it only dials.
    pub listen: Option<SocketAddr>,
    /// What is tolerated in bundles that come in.
    pub lax: Lax,
    /// Whether encryption is forbidden where bundles come in.
    pub clear_only: bool,
    /// Peers that are kept in reach.
    pub peers: watch::Receiver<Vec<PeerAddress>>,
    /// Told where it listens, once it does.
    pub bound: watch::Sender<Option<SocketAddr>>,
}

impl ConvergenceLayer for Streams {
    fn name(&self) -> &'static str {
        self.framing.road().name()
    }

    fn run(
        self: Box<Self>,
        node: Handle,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClaError>> + Send>> {
        Box::pin(self.serve(node, stop))
    }
}

/// What a task of the layer came to.
enum Ended {
    /// A connection that others made.
    Inbound,
    /// The keeper of a configured peer.
    Dialler,
}

impl Streams {
    async fn serve(self, handle: Handle, stop: CancellationToken) -> Result<(), ClaError> {
        let listener = match self.listen {
            Some(address) => {
                let failed = |cause| ClaError::Listen { address: address.to_string(), cause };
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                self.bound.send_replace(listener.local_addr().ok());
                Some(listener)
            }
            None => None,
        };
        let host = Host {
            framing: self.framing,
            lax: self.lax,
            clear_only: self.clear_only,
            handle,
            keepers: Keepers::default(),
            tasks: JoinSet::new(),
            inbound: 0,
        };
        host.run(listener, self.peers, stop).await;
        Ok(())
    }
}

/// The layer's own state, in one task.
struct Host {
    framing: &'static dyn Framing,
    lax: Lax,
    clear_only: bool,
    handle: Handle,
    keepers: Keepers<PeerAddress>,
    tasks: JoinSet<Ended>,
    /// How many connections that others made are being served.
    inbound: usize,
}

impl Host {
    async fn run(
        mut self,
        listener: Option<TcpListener>,
        mut peers: watch::Receiver<Vec<PeerAddress>>,
        stop: CancellationToken,
    ) {
        let mut peers_may_change = true;
        let wanted = peers.borrow_and_update().clone();
        self.keep(&wanted, &stop);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.tasks.join_next() => match ended.expect("no task panics") {
                    Ended::Inbound => self.inbound -= 1,
                    Ended::Dialler => {}
                },
                changed = peers.changed(), if peers_may_change => {
                    peers_may_change = changed.is_ok();
                    let wanted = peers.borrow_and_update().clone();
                    self.keep(&wanted, &stop);
                }
                stream = accept(listener.as_ref()) => self.welcome(stream, &stop),
            }
        }
        drop(listener);
        let parting = timeout(PARTING, async { while self.tasks.join_next().await.is_some() {} });
        if parting.await.is_err() {
            debug!("connections did not end in time");
        }
        self.tasks.shutdown().await;
    }

    /// Begins to keep the peers that are wanted, and gives up those that are not.
    fn keep(&mut self, wanted: &[PeerAddress], stop: &CancellationToken) {
        for charge in self.keepers.keep(wanted, stop) {
            let (handle, framing) = (self.handle.clone(), self.framing);
            self.tasks.spawn(async move {
                dial::keep(handle, framing, charge).await;
                Ended::Dialler
            });
        }
    }

    fn welcome(&mut self, stream: TcpStream, stop: &CancellationToken) {
        if self.inbound >= INBOUND_MAX {
            debug!("too many connections: one was turned away");
            return;
        }
        self.inbound += 1;
        let (handle, framing) = (self.handle.clone(), self.framing);
        let (lax, clear_only) = (self.lax, self.clear_only);
        let stop = stop.child_token();
        self.tasks.spawn(async move {
            socket::prepare(&stream);
            inbound::serve(handle, framing, inbound::Terms { lax, clear_only }, stream, stop).await;
            Ended::Inbound
        });
    }
}

/// The next connection; never comes where nobody listens.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
