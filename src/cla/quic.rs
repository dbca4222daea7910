//! Bundles over QUIC: one bundle, one unidirectional stream; one control stream for greetings, announcements
//! and acknowledgements (`bundle-spec/links.md`).
//!
//! Both sides are authenticated by their node keys. An acknowledgement says that the bundle is durable at the
//! peer. Transfers that were cut off go on where they stopped. Knows addresses and connections; never what
//! bundles mean.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bundle_spec::sign::PublicKey;
use quinn::{Endpoint, Incoming, ServerConfig, TokioRuntime};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use self::{
    contact::{Ask, Desk},
    identity::Certificate,
    partial::Partials,
    roster::{ConnectionId, Roster, Verdict},
};
use super::{ClaError, ConvergenceLayer, buffers::Buffers};
use crate::node::mailbox::Handle;

mod address;
mod backoff;
mod contact;
mod control;
mod dial;
mod identity;
mod pace;
mod partial;
mod receive;
mod roster;
mod session;
mod tls;
mod transmit;
mod transport;
pub mod workload;

#[cfg(test)]
mod tests;

pub use self::{
    address::{AddressError, PeerAddress},
    identity::{key_of, peer_key, peer_text},
};

/// Most connections that are being made by others at a time. More are turned away.
const HANDSHAKES_MAX: usize = 32;
/// How long a connection may take to authenticate.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Peers whose interrupted transfers are kept; the one that left first is forgotten first.
const PARTIAL_PEERS_MAX: usize = 16;
/// Asks that may wait for the endpoint.
const ASKS_MAX: usize = 64;
/// How long connections may take to end in good order.
const PARTING: Duration = Duration::from_secs(3);

/// The convergence layer `quic`.
pub struct Quic {
    /// Where it listens; without, it only dials.
    pub listen: Option<SocketAddr>,
    /// Whether a taken port falls back to a free one.
    pub may_fall_back: bool,
    /// The node's Ed25519 secret key.
    pub secret: [u8; 32],
    /// Peers that are kept in reach.
    pub peers: watch::Receiver<Vec<PeerAddress>>,
    /// Rung (`notify_waiters`) when something waits for a peer: pauses between attempts end.
    pub redial: Arc<Notify>,
    /// Told where it listens, once it does.
    pub bound: watch::Sender<Option<SocketAddr>>,
}

impl ConvergenceLayer for Quic {
    fn name(&self) -> &'static str {
        "quic"
    }

    fn run(
        self: Box<Self>,
        node: Handle,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClaError>> + Send>> {
        Box::pin(self.serve(node, stop))
    }
}

impl Quic {
    async fn serve(self, handle: Handle, stop: CancellationToken) -> Result<(), ClaError> {
        let failed = |cause: &dyn std::fmt::Display| ClaError::Failed(format!("TLS: {cause}"));
        let certificate = Arc::new(Certificate::of_secret(&self.secret).map_err(|error| failed(&error))?);
        let tls = tls::server(&certificate).map_err(|error| failed(&error))?;
        let mut server = ServerConfig::with_crypto(Arc::new(tls));
        server.transport_config(Arc::new(transport::transport()));
        let endpoint = self.bind(self.listen.is_some().then_some(server))?;
        let address = endpoint.local_addr().ok();
        self.bound.send_replace(address.filter(|_| self.listen.is_some()));
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (connected, peers_connected) = watch::channel(Default::default());
        let desk = Desk {
            handle,
            buffers: Buffers::new(transport::CHUNK_BYTES),
            endpoint,
            certificate,
            asks,
            connected: peers_connected,
            redial: Arc::clone(&self.redial),
            ids: Arc::default(),
        };
        let host = Host {
            desk,
            roster: Roster::default(),
            connected,
            waiting: BTreeMap::new(),
            stops: BTreeMap::new(),
            partials: VecDeque::new(),
            diallers: BTreeMap::new(),
            tasks: JoinSet::new(),
            incoming: 0,
        };
        host.run(self.peers, asked, stop).await;
        Ok(())
    }

    fn bind(&self, server: Option<ServerConfig>) -> Result<Endpoint, ClaError> {
        let socket = match self.listen {
            Some(address) => std::net::UdpSocket::bind(address).or_else(|error| {
                let is_taken = error.kind() == io::ErrorKind::AddrInUse && self.may_fall_back;
                if is_taken {
                    std::net::UdpSocket::bind(SocketAddr::new(address.ip(), 0))
                } else {
                    Err(error)
                }
            }),
            // Both families where the machine has them.
            None => std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))
                .or_else(|_| std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))),
        };
        let listen_error = |cause| {
            let address = self.listen.map_or_else(|| "[::]:0".to_owned(), |address| address.to_string());
            ClaError::Listen { address, cause }
        };
        let socket = socket.map_err(listen_error)?;
        Endpoint::new(transport::endpoint(), server, socket, Arc::new(TokioRuntime)).map_err(listen_error)
    }
}

/// What a task of the endpoint came to.
enum Ended {
    /// A connection that others made.
    Incoming,
    /// The keeper of a configured peer.
    Dialler,
}

struct Waiting {
    stop: CancellationToken,
    seat: oneshot::Sender<Partials>,
    peer: PublicKey,
}

/// The endpoint's own state, in one task.
struct Host {
    desk: Desk,
    roster: Roster,
    connected: watch::Sender<std::collections::BTreeSet<PublicKey>>,
    /// Connections that wait for their seat.
    waiting: BTreeMap<ConnectionId, Waiting>,
    /// How connections that have a seat are told to go.
    stops: BTreeMap<ConnectionId, CancellationToken>,
    /// Interrupted transfers of peers that are away.
    partials: VecDeque<(PublicKey, Partials)>,
    diallers: BTreeMap<PeerAddress, CancellationToken>,
    tasks: JoinSet<Ended>,
    /// How many connections that others made are being served or made.
    incoming: usize,
}

impl Host {
    async fn run(
        mut self,
        mut peers: watch::Receiver<Vec<PeerAddress>>,
        mut asked: mpsc::Receiver<Ask>,
        stop: CancellationToken,
    ) {
        let endpoint = self.desk.endpoint.clone();
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
                changed = peers.changed(), if peers_may_change => {
                    peers_may_change = changed.is_ok();
                    let wanted = peers.borrow_and_update().clone();
                    self.keep(&wanted, &stop);
                    // Whoever names a peer, again or anew, hopes that it is there.
                    self.desk.redial.notify_waiters();
                }
                Some(incoming) = endpoint.accept() => self.welcome(incoming, &stop),
            }
        }
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
            debug!("connections did not end in time");
        }
        self.tasks.shutdown().await;
        endpoint.close(session::code::FINISHED, b"");
        // The last words need no answer for longer than this.
        let _ = timeout(Duration::from_secs(1), endpoint.wait_idle()).await;
    }

    /// Begins to keep the peers that are wanted, and gives up those that are not.
    fn keep(&mut self, wanted: &[PeerAddress], stop: &CancellationToken) {
        self.diallers.retain(|address, stop| {
            let is_wanted = wanted.contains(address);
            if !is_wanted {
                stop.cancel();
            }
            is_wanted
        });
        for address in wanted {
            if self.diallers.contains_key(address) {
                continue;
            }
            let stop = stop.child_token();
            self.diallers.insert(address.clone(), stop.clone());
            let (desk, address) = (self.desk.clone(), address.clone());
            self.tasks.spawn(async move {
                dial::keep(desk, address, stop).await;
                Ended::Dialler
            });
        }
    }

    fn welcome(&mut self, incoming: Incoming, stop: &CancellationToken) {
        if !incoming.remote_address_validated() && self.incoming >= HANDSHAKES_MAX / 2 {
            // Whoever is real tries again with a token; whoever forges addresses does not.
            if incoming.retry().is_err() {
                debug!("no retry for a validated address");
            }
            return;
        }
        if self.incoming >= crate::limits::LINKS_MAX + HANDSHAKES_MAX {
            incoming.refuse();
            return;
        }
        self.incoming += 1;
        let (desk, stop) = (self.desk.clone(), stop.child_token());
        self.tasks.spawn(async move {
            if let Ok(Ok(connection)) = timeout(HANDSHAKE, incoming.into_future()).await
                && let Some(peer) = tls::peer_key(&connection)
            {
                contact::serve(&desk, connection, peer, false, stop).await;
            }
            Ended::Incoming
        });
    }

    fn answer(&mut self, ask: Ask) {
        let now = self.desk.handle.clock().now();
        match ask {
            Ask::Enter { newcomer, stop, seat } => {
                let waiting = Waiting { stop, seat, peer: newcomer.peer };
                let (verdict, passed_over) = self.roster.enter(now, newcomer);
                if let Some(passed_over) = passed_over {
                    // Its question is dropped, which is the answer.
                    self.waiting.remove(&passed_over);
                }
                match verdict {
                    Verdict::Enter => self.seat(newcomer.id, waiting),
                    Verdict::After(holder) => {
                        self.waiting.insert(newcomer.id, waiting);
                        if let Some(stop) = self.stops.get(&holder) {
                            stop.cancel();
                        }
                    }
                    Verdict::Reject => {}
                }
            }
            Ask::Name { peer, name, may } => {
                // Whoever has gone needs no answer.
                let _ = may.send(self.roster.name(&peer, &name));
            }
            Ask::Leave { peer, id, partials } => {
                self.waiting.remove(&id);
                self.stops.remove(&id);
                self.put_away(peer, partials);
                if let Some(next) = self.roster.leave(now, &peer, id)
                    && let Some(waiting) = self.waiting.remove(&next)
                {
                    self.seat(next, waiting);
                }
            }
        }
        self.connected.send_if_modified(|connected| {
            let peers = self.roster.peers();
            let is_new = *connected != peers;
            *connected = peers;
            is_new
        });
    }

    fn seat(&mut self, id: ConnectionId, waiting: Waiting) {
        let kept = self.partials.iter().position(|(peer, _)| *peer == waiting.peer);
        let partials = kept.and_then(|at| self.partials.remove(at)).map(|(_, partials)| partials);
        self.stops.insert(id, waiting.stop);
        if let Err(partials) = waiting.seat.send(partials.unwrap_or_default()) {
            self.put_away(waiting.peer, partials);
        }
    }

    fn put_away(&mut self, peer: PublicKey, partials: Partials) {
        if partials.is_empty() {
            return;
        }
        self.partials.retain(|(known, _)| *known != peer);
        self.partials.push_back((peer, partials));
        if self.partials.len() > PARTIAL_PEERS_MAX {
            self.partials.pop_front();
        }
    }
}
