//! Bundles over TCP as other agents speak it: TCPCLv4 (RFC 9174), with TLS 1.3 where both sides can.
//!
//! A transfer is acknowledged to its end only when the bundle is durable. Two nodes of pannier recognise each
//! other by a private session extension item and then say what they say over QUIC (`bundle-spec/links.md`).
//! Knows addresses and connections; never what bundles mean.

use std::{future::Future, io, net::SocketAddr, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use bundle_spec::NodeId;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use self::{
    contact::Expectation,
    desk::{Desk, Who},
    secure::Authority,
};
use super::{
    ClaError, ConvergenceLayer,
    identity::Certificate,
    keepers::Keepers,
    seats::{Ask, Seats},
};
use crate::{limits::LINKS_MAX, node::mailbox::Handle};

pub(in crate::cla) mod codec;
pub(in crate::cla) mod contact;
pub(in crate::cla) mod desk;
pub(in crate::cla) mod dial;
pub(in crate::cla) mod dialect;
pub(in crate::cla) mod drive;
mod lax;
pub(in crate::cla) mod message;
mod receive;
pub(in crate::cla) mod secure;
pub(in crate::cla) mod session;
mod short;
mod socket;
mod transmit;

#[cfg(test)]
mod tests;

pub use self::{
    lax::{Lax, LaxError},
    secure::{PolicyError, TlsPolicy},
};

/// The port of TCPCL (RFC 9174 §8.1).
pub const PORT: u16 = 4556;
/// Most sessions that others have dialled, beside those that are held.
const HANDSHAKES_MAX: usize = 32;
/// How long contact headers and TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Asks that may wait for the endpoint.
const ASKS_MAX: usize = 64;
/// How long sessions may take to end in good order.
const PARTING: Duration = Duration::from_secs(3);
/// How long nobody is welcomed after the system had no more room for connections.
const BREATH: Duration = Duration::from_millis(200);

/// A peer that is kept in reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who must be there, if that is known.
    pub node: Option<NodeId>,
    /// What is overlooked in it.
    pub lax: Lax,
    /// Whether sessions with it are encrypted, if not as all others.
    pub tls: Option<TlsPolicy>,
    /// Whether encryption is forbidden on the way to it: then there is no TLS, whatever `tls` says.
    pub clear_only: bool,
}

/// The convergence layer `tcpclv4`.
pub struct Tcpclv4 {
    /// Where it listens; without, it only dials.
    pub listen: Option<SocketAddr>,
    /// Whether a taken port falls back to a free one.
    pub may_fall_back: bool,
    /// Whether sessions are encrypted.
    pub tls: TlsPolicy,
    /// What is overlooked in peers that dial.
    pub lax: Lax,
    /// Whether encryption is forbidden where peers dial: then there is no TLS with them.
    pub clear_only: bool,
    /// PEM file with the certificates of those who vouch for other agents.
    pub authorities: Option<PathBuf>,
    /// PEM file with the certificate that one of them has signed for this node, and its key.
    pub certificate: Option<PathBuf>,
    /// The node's Ed25519 secret key.
    pub secret: [u8; 32],
    /// Peers that are kept in reach.
    pub peers: watch::Receiver<Vec<Peer>>,
    /// Told where it listens, once it does.
    pub bound: watch::Sender<Option<SocketAddr>>,
}

impl ConvergenceLayer for Tcpclv4 {
    fn name(&self) -> &'static str {
        "tcpclv4"
    }

    fn run(
        self: Box<Self>,
        node: Handle,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClaError>> + Send>> {
        Box::pin(self.serve(node, stop))
    }
}

impl Tcpclv4 {
    async fn serve(self, handle: Handle, stop: CancellationToken) -> Result<(), ClaError> {
        let failed = |cause: &dyn std::fmt::Display| ClaError::Failed(format!("TLS: {cause}"));
        let certificate =
            Certificate::of_secret(&self.secret, handle.node_id()).map_err(|error| failed(&error))?;
        let authority = match &self.authorities {
            Some(roots) => Some(Authority::read(roots, self.certificate.as_deref())),
            None => None,
        };
        let authority = authority.transpose().map_err(|error| failed(&error))?;
        let ends = secure::ends(&certificate, authority.as_ref(), self.tls);
        let ends = ends.map_err(|error| failed(&error))?;
        let listener = match self.listen {
            Some(address) => Some(self.bind(address).await?),
            None => None,
        };
        self.bound.send_replace(listener.as_ref().and_then(|listener| listener.local_addr().ok()));
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (seats, connected) = Seats::new();
        let desk =
            Desk { handle, policy: self.tls, lax: self.lax, ends, asks, connected, ids: Arc::default() };
        let clear_only = self.clear_only;
        let host =
            Host { desk, clear_only, seats, keepers: Keepers::default(), tasks: JoinSet::new(), incoming: 0 };
        host.run(listener, self.peers, asked, stop).await;
        Ok(())
    }

    async fn bind(&self, address: SocketAddr) -> Result<TcpListener, ClaError> {
        let bound = match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && self.may_fall_back => {
                TcpListener::bind(SocketAddr::new(address.ip(), 0)).await
            }
            bound => bound,
        };
        bound.map_err(|cause| ClaError::Listen { address: address.to_string(), cause })
    }
}

/// What a task of the endpoint came to.
enum Ended {
    /// A session that others have dialled.
    Incoming,
    /// The keeper of a configured peer.
    Dialler,
}

/// The endpoint's own state, in one task.
struct Host {
    desk: Desk,
    /// Whether encryption is forbidden where peers dial.
    clear_only: bool,
    seats: Seats<Who>,
    keepers: Keepers<Peer>,
    tasks: JoinSet<Ended>,
    /// How many sessions that others have dialled are held or begun.
    incoming: usize,
}

impl Host {
    async fn run(
        mut self,
        listener: Option<TcpListener>,
        mut peers: watch::Receiver<Vec<Peer>>,
        mut asked: mpsc::Receiver<Ask<Who>>,
        stop: CancellationToken,
    ) {
        let clock = Arc::clone(self.desk.handle.clock());
        let mut peers_may_change = true;
        self.keep(&peers.borrow_and_update().clone(), &stop);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ask) = asked.recv() => self.answer(ask),
                Some(ended) = self.tasks.join_next() => match ended.expect("no task panics") {
                    Ended::Incoming => self.incoming -= 1,
                    Ended::Dialler => {}
                },
                () = clock.sleep_until(self.seats.next_deadline()) => self.seats.handle_deadline(clock.now()),
                changed = peers.changed(), if peers_may_change => {
                    peers_may_change = changed.is_ok();
                    let wanted = peers.borrow_and_update().clone();
                    self.keep(&wanted, &stop);
                }
                stream = accept(listener.as_ref()) => self.welcome(stream, &stop),
            }
        }
        drop(listener);
        // Sessions say good-bye by themselves; they need answers until they are done.
        let parting = timeout(PARTING, async {
            loop {
                tokio::select! {
                    Some(ask) = asked.recv() => self.answer(ask),
                    ended = self.tasks.join_next() => if ended.is_none() { break },
                }
            }
        });
        if parting.await.is_err() {
            debug!("sessions did not end in time");
        }
        self.tasks.shutdown().await;
    }

    fn answer(&mut self, ask: Ask<Who>) {
        self.seats.answer(self.desk.handle.clock().now(), ask);
    }

    /// Begins to keep the peers that are wanted, and gives up those that are not.
    fn keep(&mut self, wanted: &[Peer], stop: &CancellationToken) {
        for charge in self.keepers.keep(wanted, stop) {
            let desk = self.desk.clone();
            self.tasks.spawn(async move {
                dial::keep(desk, charge).await;
                Ended::Dialler
            });
        }
    }

    fn welcome(&mut self, stream: TcpStream, stop: &CancellationToken) {
        if self.incoming >= LINKS_MAX + HANDSHAKES_MAX {
            // Whoever dials again later may find room.
            return drop(stream);
        }
        self.incoming += 1;
        let (desk, clear_only, stop) = (self.desk.clone(), self.clear_only, stop.child_token());
        self.tasks.spawn(async move {
            let policy = if clear_only { TlsPolicy::Never } else { desk.policy };
            let lax = desk.lax;
            let expectation = Expectation { policy, lax, clear_only, greets: true, ..Expectation::default() };
            let met = tokio::select! {
                () = stop.cancelled() => return Ended::Incoming,
                met = timeout(HANDSHAKE, contact::meet(&desk, stream, &expectation)) => met,
            };
            match met {
                Ok(Ok(wire)) => drop(drive::serve(&desk, wire, expectation, stop).await),
                Ok(Err(error)) => debug!(%error, "a connection came to nothing"),
                Err(_) => debug!("a connection said nothing in time"),
            }
            Ended::Incoming
        });
    }
}

/// The next connection; never, without a listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                debug!(%error, "no connection could be taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
