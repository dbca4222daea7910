//! Keeps one configured peer in reach: dials, serves, pauses, dials again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bundle_spec::sign::PublicKey;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    PeerAddress,
    backoff::Backoff,
    contact::{self, Contact, Desk},
    tls,
    transport::transport,
};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Keeps the peer at `address` in reach until `stop`.
pub(super) async fn keep(desk: Desk, address: PeerAddress, stop: CancellationToken) {
    let mut backoff = Backoff::new();
    let mut key = address.expected().copied();
    let mut connected = desk.connected.clone();
    loop {
        // Whoever is connected need not be dialled, whichever side has dialled.
        if !until_away(&mut connected, key, &stop).await {
            return;
        }
        let attempt = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            attempt = connect(&desk, &address) => attempt,
        };
        match attempt {
            Ok((connection, peer)) => {
                key = Some(peer);
                let contact = contact::serve(&desk, connection, peer, true, stop.child_token()).await;
                match contact {
                    Contact::Held => backoff.reset(),
                    Contact::Elsewhere | Contact::Refused => {}
                }
                if !until_away(&mut connected, key, &stop).await {
                    return;
                }
            }
            Err(error) => debug!(%error, "dialling failed"),
        }
        let pause = backoff.pause(rand::random::<f64>());
        let comes = async {
            let Some(key) = key else { return std::future::pending().await };
            // An error means that the endpoint is gone; then `stop` follows.
            if connected.wait_for(|peers| peers.contains(&key)).await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            () = desk.redial.notified() => backoff.reset(),
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

async fn connect(desk: &Desk, address: &PeerAddress) -> Result<(quinn::Connection, PublicKey), DialError> {
    let resolved = tokio::net::lookup_host((address.host(), address.port())).await;
    let mut last = DialError::NoAddress;
    for place in resolved.map_err(DialError::Name)?.take(ADDRESSES_MAX) {
        let mut config =
            quinn::ClientConfig::new(Arc::new(tls::client(&desk.certificate, address.expected().copied())?));
        config.transport_config(Arc::new(transport()));
        let attempt = match desk.endpoint.connect_with(config, place, tls::SERVER_NAME) {
            Ok(connecting) => timeout(ATTEMPT, connecting).await,
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
