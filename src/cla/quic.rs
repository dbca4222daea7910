//! Bundles over QUIC: one bundle, one unidirectional stream; one control stream for greetings, announcements
//! and acknowledgements (`bundle-spec/links.md`).
//!
//! Both sides are authenticated by their node keys. An acknowledgement says that the bundle is durable at the
//! peer. Transfers that were cut off go on where they stopped. Knows addresses and connections; never what
//! bundles mean.

use std::{
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
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use self::contact::Desk;
use super::{
    ClaError, ConvergenceLayer,
    address::PeerAddress,
    buffers::Buffers,
    identity::Certificate,
    keepers::Keepers,
    quicclav1::{self, Offer},
    seats::{Ask, Seats},
    tcpclv4::{
        self, TlsPolicy,
        secure::{self, Authority, Ends},
    },
};
use crate::node::mailbox::Handle;

mod contact;
mod control;
mod dial;
mod pulse;
mod receive;
mod session;
mod tls;
mod transmit;
mod transport;
pub mod workload;

#[cfg(test)]
mod tests;

pub use super::identity::{key_of, peer_key, peer_text};

/// Most connections that are being made by others at a time. More are turned away.
const HANDSHAKES_MAX: usize = 32;
/// How long a connection may take to authenticate.
const HANDSHAKE: Duration = Duration::from_secs(10);
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
    /// Told where it listens, once it does.
    pub bound: watch::Sender<Option<SocketAddr>>,
    /// Whether, and with whom, QUICCLv1 is spoken on the same socket.
    pub quicclav1: Option<Offer>,
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
    async fn serve(mut self, handle: Handle, stop: CancellationToken) -> Result<(), ClaError> {
        let failed = |cause: &dyn std::fmt::Display| ClaError::Failed(format!("TLS: {cause}"));
        let certificate =
            Arc::new(Certificate::of_secret(&self.secret, handle.node_id()).map_err(|error| failed(&error))?);
        let offer = self.quicclav1.take();
        let ends = offer.as_ref().map(|offer| ends(&certificate, offer)).transpose()?;
        let tls = match &ends {
            None => tls::server(&certificate),
            Some(ends) => tls::offer(ends.server.as_ref().clone(), &[tls::ALPN, quicclav1::ALPN]),
        };
        let mut server = ServerConfig::with_crypto(Arc::new(tls.map_err(|error| failed(&error))?));
        let streams = if ends.is_some() { quicclav1::STREAMS_MAX } else { transport::CONTROL_STREAMS };
        server.transport_config(Arc::new(transport::transport(streams)));
        let endpoint = self.bind(self.listen.is_some().then_some(server))?;
        let address = endpoint.local_addr().ok();
        self.bound.send_replace(address.filter(|_| self.listen.is_some()));
        let mut tasks = JoinSet::new();
        let mut others = None;
        if let (Some(offer), Some(ends)) = (offer, ends) {
            let transport = transport::transport(quicclav1::STREAMS_MAX);
            let host = quicclav1::Host::new(handle.clone(), endpoint.clone(), ends, transport, offer.peers);
            let (host, desk) = host.map_err(|error| failed(&error))?;
            others = Some(desk);
            let stop = stop.clone();
            tasks.spawn(async move {
                host.run(stop).await;
                Ended::Keeper
            });
        }
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (seats, connected) = Seats::new();
        let desk = Desk {
            handle,
            buffers: Buffers::new(transport::CHUNK_BYTES),
            endpoint,
            certificate,
            asks,
            connected,
            ids: Arc::default(),
        };
        let host = Host { desk, seats, others, keepers: Keepers::default(), tasks, incoming: 0 };
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
    /// The keeper of a configured peer, or of all that speak another protocol.
    Keeper,
}

/// Both ends of TLS where other agents come in, too.
fn ends(certificate: &Certificate, offer: &Offer) -> Result<Ends, ClaError> {
    let failed = |cause: &dyn std::fmt::Display| ClaError::Failed(format!("TLS: {cause}"));
    let authority = offer.authorities.as_deref().map(|roots| Authority::read(roots, None));
    let authority = authority.transpose().map_err(|error| failed(&error))?;
    let ends = secure::ends(certificate, authority.as_ref(), TlsPolicy::Require);
    ends.map_err(|error| failed(&error))
}

/// The endpoint's own state, in one task.
struct Host {
    desk: Desk,
    seats: Seats<PublicKey>,
    /// What connections of QUICCLv1 need, if it is spoken.
    others: Option<tcpclv4::desk::Desk>,
    keepers: Keepers<PeerAddress>,
    tasks: JoinSet<Ended>,
    /// How many connections that others made are being served or made.
    incoming: usize,
}

impl Host {
    async fn run(
        mut self,
        mut peers: watch::Receiver<Vec<PeerAddress>>,
        mut asked: mpsc::Receiver<Ask<PublicKey>>,
        stop: CancellationToken,
    ) {
        let endpoint = self.desk.endpoint.clone();
        let clock = Arc::clone(self.desk.handle.clock());
        let mut peers_may_change = true;
        self.keep(&peers.borrow_and_update().clone(), &stop);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ask) = asked.recv() => self.seats.answer(self.desk.handle.clock().now(), ask),
                Some(ended) = self.tasks.join_next() => match ended.expect("no task panics") {
                    Ended::Incoming => self.incoming -= 1,
                    Ended::Keeper => {}
                },
                () = clock.sleep_until(self.seats.next_deadline()) => self.seats.handle_deadline(clock.now()),
                changed = peers.changed(), if peers_may_change => {
                    peers_may_change = changed.is_ok();
                    let wanted = peers.borrow_and_update().clone();
                    self.keep(&wanted, &stop);
                }
                Some(incoming) = endpoint.accept() => self.welcome(incoming, &stop),
            }
        }
        // Nobody asks there but the sessions.
        self.others = None;
        // Sessions say good-bye by themselves; they need answers until they are done.
        let parting = timeout(PARTING, async {
            loop {
                tokio::select! {
                    Some(ask) = asked.recv() => self.seats.answer(self.desk.handle.clock().now(), ask),
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
        for charge in self.keepers.keep(wanted, stop) {
            let desk = self.desk.clone();
            self.tasks.spawn(async move {
                dial::keep(desk, charge).await;
                Ended::Keeper
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
        let (desk, others, stop) = (self.desk.clone(), self.others.clone(), stop.child_token());
        self.tasks.spawn(async move {
            if let Ok(Ok(connection)) = timeout(HANDSHAKE, incoming.into_future()).await {
                let is_other = tls::protocol(&connection).is_some_and(|name| name == quicclav1::ALPN);
                match (tls::peer_key(&connection), others) {
                    (_, Some(desk)) if is_other => quicclav1::serve(&desk, connection, stop).await,
                    (Some(peer), _) => {
                        contact::serve(&desk, connection, peer, false, stop).await;
                    }
                    (None, _) => connection.close(session::code::VIOLATION, b"no node key"),
                }
            }
            Ended::Incoming
        });
    }
}
