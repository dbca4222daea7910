//! Bundles over QUIC as other agents speak it: QUICCLv1 (draft-caini-dtn-quiccl), with the sessions of
//! TCPCLv4.
//!
//! The endpoint of `quic` gives connections here whose protocol is `quicclav1`, and lends its socket for
//! those that are dialled. What is said on the streams stands in `bundle-spec/roads.md`. Only the reliable
//! service is offered. Never decides whom to trust otherwise than `tcpclv4` does.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use quinn::{ClientConfig, Connection, Endpoint, crypto::rustls::QuicClientConfig};
use rustls::{Error, pki_types::CertificateDer};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use self::tally::Tally;
use super::{
    address::PeerAddress,
    keepers::{Charge, Keepers},
    seats::{Ask, Seats},
    tcpclv4::{
        Lax, TlsPolicy,
        contact::{ContactError, Expectation, Wire},
        desk::{Desk, Who},
        dial::{self, DialError, Reach},
        drive,
        secure::{Ends, Proof},
    },
};
use crate::node::mailbox::Handle;

mod message;
mod streams;
mod tally;

#[cfg(test)]
mod tests;

pub(in crate::cla) use self::streams::STREAMS_MAX;

/// Its name in settings, addresses and links.
pub(in crate::cla) const NAME: &str = "quicclav1";
/// Its name in TLS.
pub(in crate::cla) const ALPN: &[u8] = b"quicclav1";
/// The port where agents listen for it.
pub(in crate::cla) const PORT: u16 = 4560;
/// What a dialler says for a server name, which is not looked at.
const SERVER_NAME: &str = "pannier";
/// How long a connection that others made may take until its streams are open.
const MEETING: Duration = Duration::from_secs(10);
/// Asks that may wait.
const ASKS_MAX: usize = 64;

/// That QUICCLv1 is spoken, and with whom.
pub struct Offer {
    /// PEM file with the certificates of those who vouch for other agents.
    pub authorities: Option<PathBuf>,
    /// Peers that are kept in reach.
    pub peers: watch::Receiver<Vec<PeerAddress>>,
}

/// Serves a connection that another agent has made.
pub(in crate::cla) async fn serve(desk: &Desk, connection: Connection, stop: CancellationToken) {
    let expectation = expectation(None, false);
    let met = tokio::select! {
        () = stop.cancelled() => return,
        met = timeout(MEETING, meet(&connection, false)) => met,
    };
    match met {
        Ok(Ok(wire)) => drop(drive::serve(desk, wire, expectation, stop).await),
        Ok(Err(error)) => debug!(%error, "a connection came to nothing"),
        Err(_) => debug!("a connection said nothing in time"),
    }
}

/// A wire on the streams of `connection`.
async fn meet(connection: &Connection, is_dialler: bool) -> Result<Wire, quinn::ConnectionError> {
    let chain = connection.peer_identity().and_then(|chain| chain.downcast::<Vec<CertificateDer<'_>>>().ok());
    let proof = Proof::of(chain.as_deref().map(Vec::as_slice));
    let (source, outlet) = streams::open(connection, is_dialler).await?;
    Ok(Wire {
        source,
        outlet,
        dialect: Box::new(Tally::default()),
        proof,
        is_clear: false,
        round_trip: connection.rtt(),
    })
}

/// What is known of a peer: there is always TLS, nobody is greeted as a node of pannier, and who receives may
/// have room for one transfer at a time.
fn expectation(address: Option<&PeerAddress>, is_dialler: bool) -> Expectation {
    Expectation {
        policy: TlsPolicy::Require,
        is_dialler,
        host: address.map(|address| address.host().to_owned()).unwrap_or_default(),
        node: address.and_then(PeerAddress::node),
        lax: Lax::strict(),
        clear_only: false,
        greets: false,
        is_serial: true,
    }
}

/// Those who are connected, and those who shall be.
pub(in crate::cla) struct Host {
    desk: Desk,
    seats: Seats<Who>,
    asked: mpsc::Receiver<Ask<Who>>,
    endpoint: Endpoint,
    config: ClientConfig,
    peers: watch::Receiver<Vec<PeerAddress>>,
}

impl Host {
    /// The host of `endpoint`, and the desk of connections that others make.
    ///
    /// # Errors
    /// What TLS says of the certificate.
    pub(in crate::cla) fn new(
        handle: Handle,
        endpoint: Endpoint,
        ends: Ends,
        transport: quinn::TransportConfig,
        peers: watch::Receiver<Vec<PeerAddress>>,
    ) -> Result<(Self, Desk), Error> {
        let mut tls = ends.client.as_ref().clone();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        tls.enable_sni = false;
        let tls = QuicClientConfig::try_from(tls);
        let tls = tls.map_err(|_| Error::General("no cipher suite for QUIC".to_owned()))?;
        let mut config = ClientConfig::new(Arc::new(tls));
        config.transport_config(Arc::new(transport));
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (seats, connected) = Seats::new();
        let desk = Desk {
            handle,
            policy: TlsPolicy::Require,
            lax: Lax::strict(),
            ends,
            asks,
            connected,
            ids: Arc::default(),
        };
        Ok((Self { desk: desk.clone(), seats, asked, endpoint, config, peers }, desk))
    }

    /// Keeps peers in reach until `stop`; then answers sessions until the last one is over.
    pub(in crate::cla) async fn run(self, stop: CancellationToken) {
        let Self { desk, mut seats, mut asked, endpoint, config, mut peers } = self;
        let clock = desk.handle.clock().clone();
        let (mut keepers, mut tasks) = (Keepers::default(), JoinSet::new());
        let mut peers_may_change = true;
        peers.mark_changed();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ask) = asked.recv() => seats.answer(clock.now(), ask),
                Some(ended) = tasks.join_next() => ended.expect("no task panics"),
                () = clock.sleep_until(seats.next_deadline()) => seats.handle_deadline(clock.now()),
                changed = peers.changed(), if peers_may_change => {
                    peers_may_change = changed.is_ok();
                    let wanted = peers.borrow_and_update().clone();
                    for Charge { peer: address, stop, redial } in keepers.keep(&wanted, &stop) {
                        let (endpoint, config) = (endpoint.clone(), config.clone());
                        let peer = Way { address, endpoint, config };
                        tasks.spawn(dial::keep(desk.clone(), Charge { peer, stop, redial }));
                    }
                }
            }
        }
        // What ends has questions until it has ended; then nobody is left who could ask.
        drop(desk);
        loop {
            tokio::select! {
                Some(ask) = asked.recv() => seats.answer(clock.now(), ask),
                Some(ended) = tasks.join_next() => ended.expect("no task panics"),
                else => break,
            }
        }
    }
}

/// A way to one peer.
struct Way {
    address: PeerAddress,
    endpoint: Endpoint,
    config: ClientConfig,
}

impl Reach for Way {
    fn expectation(&self, _desk: &Desk) -> Expectation {
        expectation(Some(&self.address), true)
    }

    fn place(&self) -> (&str, u16) {
        (self.address.host(), self.address.port())
    }

    async fn connect(
        &self,
        _desk: &Desk,
        place: SocketAddr,
        _expectation: &Expectation,
    ) -> Result<Wire, DialError> {
        let connecting = self.endpoint.connect_with(self.config.clone(), place, SERVER_NAME);
        let connecting = connecting.map_err(|error| DialError::Connect(std::io::Error::other(error)))?;
        let connection = connecting.await.map_err(refused)?;
        let wire = meet(&connection, true).await.map_err(refused)?;
        Ok(wire)
    }
}

/// Who is not there is dialled again; who is there and does not agree is worth a word.
fn refused(error: quinn::ConnectionError) -> DialError {
    match error {
        quinn::ConnectionError::TimedOut => DialError::Silent,
        error => ContactError::Quic(error).into(),
    }
}
