//! Keeps one configured peer in reach: dials, serves, pauses, dials again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bundle_spec::sign::PublicKey;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    contact::{self, Contact, Desk},
    tls,
    transport::{self, transport},
};
use crate::cla::{address::PeerAddress, backoff::Backoff, keepers::Charge};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long one may take at least. A handshake that is lost is said again after a second, then in pauses that
/// double: a new attempt is faster.
const ATTEMPT_MIN: Duration = Duration::from_secs(2);
/// How many round trips one may take, where that is known.
const ATTEMPT_ROUND_TRIPS: u32 = 8;
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Keeps a peer in reach until told to stop.
pub(super) async fn keep(desk: Desk, charge: Charge<PeerAddress>) {
    let Charge { peer: address, stop, redial } = charge;
    let mut backoff = Backoff::new();
    let mut key = address.expected().copied();
    let mut connected = desk.connected.clone();
    let mut patience = ATTEMPT;
    loop {
        // Whoever is connected need not be dialled, whichever side has dialled.
        if !until_away(&mut connected, key, &stop).await {
            return;
        }
        let attempt = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            attempt = connect(&desk, &address, patience) => attempt,
        };
        match attempt {
            Ok((connection, peer)) => {
                key = Some(peer);
                let path = connection.clone();
                let contact = contact::serve(&desk, connection, peer, true, stop.child_token()).await;
                let round_trip = path.rtt();
                // The last handle ends a connection that nobody has closed.
                drop(path);
                match contact {
                    Contact::Held => {
                        backoff.reset();
                        patience = (round_trip * ATTEMPT_ROUND_TRIPS).clamp(ATTEMPT_MIN, ATTEMPT);
                    }
                    Contact::Elsewhere | Contact::Refused => {}
                }
                if !until_away(&mut connected, key, &stop).await {
                    return;
                }
            }
            Err(error) => debug!(%error, "dialling failed"),
        }
        let node = key.map(|key| key.node_id());
        let comes = async {
            let Some(key) = key else { return std::future::pending().await };
            // An error means that the endpoint is gone; then `stop` follows.
            if connected.wait_for(|peers| peers.contains(&key)).await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = backoff.rest(&desk.handle, node.as_ref()) => {}
            () = redial.notified() => backoff.reset(),
            () = comes => backoff.reset(),
        }
    }
}

/// Waits until the peer with this key is not connected; whether that is worth going on.
async fn until_away(
    connected: &mut watch::Receiver<BTreeSet<PublicKey>>,
    key: Option<PublicKey>,
    stop: &CancellationToken,
) -> bool {
    let Some(key) = key else { return !stop.is_cancelled() };
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        away = connected.wait_for(|peers| !peers.contains(&key)) => away.is_ok(),
    }
}

/// Why a peer was not reached.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("the name does not resolve: {0}")]
    Name(std::io::Error),
    #[error("the name has no address that this node can reach")]
    NoAddress,
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Connect(#[from] quinn::ConnectError),
    #[error(transparent)]
    Connection(#[from] quinn::ConnectionError),
    #[error("no answer in time")]
    Silent,
    #[error("the address leads to this node itself")]
    Myself,
}

async fn connect(
    desk: &Desk,
    address: &PeerAddress,
    patience: Duration,
) -> Result<(quinn::Connection, PublicKey), DialError> {
    let resolved = tokio::net::lookup_host((address.host(), address.port())).await;
    let mut last = DialError::NoAddress;
    for place in resolved.map_err(DialError::Name)?.take(ADDRESSES_MAX) {
        let mut config =
            quinn::ClientConfig::new(Arc::new(tls::client(&desk.certificate, address.expected().copied())?));
        config.transport_config(Arc::new(transport(transport::CONTROL_STREAMS)));
        let attempt = match desk.endpoint.connect_with(config, place, tls::SERVER_NAME) {
            Ok(connecting) => timeout(patience, connecting).await,
            Err(error) => {
                last = error.into();
                continue;
            }
        };
        match attempt {
            Ok(Ok(connection)) => match tls::peer_key(&connection) {
                Some(key) if key == desk.certificate.public => {
                    warn!("a configured peer address leads to this node itself");
                    return Err(DialError::Myself);
                }
                Some(key) => {
                    info!("dialled");
                    return Ok((connection, key));
                }
                None => last = DialError::Silent,
            },
            Ok(Err(error)) => last = error.into(),
            Err(_) => last = DialError::Silent,
        }
    }
    Err(last)
}
