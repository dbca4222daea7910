//! Keeps one configured peer in reach: dials, holds the session, pauses, dials again.

use std::{collections::BTreeSet, future::Future, io, net::SocketAddr, time::Duration};

use bundle_spec::NodeId;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Peer,
    contact::{self, ContactError, Expectation},
    desk::{Desk, Road, Who},
    drive::{self, Contact},
    secure::TlsPolicy,
};
use crate::cla::{backoff::Backoff, keepers::Charge};

/// How long one attempt may take, TLS included.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// A session that was held for so long gives hope that the next one is held, too: it is dialled soon. One
/// that ends at once will mostly do so again.
const HOPE: Duration = Duration::from_secs(1);
/// After so many sessions that ended without the peer's greeting it is not greeted as a node of pannier.
const UNGREETED_MAX: u32 = 3;

/// A way to one peer.
pub(in crate::cla) trait Reach: Send + Sync {
    /// What is known of the peer.
    fn expectation(&self, desk: &Desk) -> Expectation;
    /// Name or address, and port.
    fn place(&self) -> (&str, u16);
    /// Connects to one of its addresses, once.
    fn connect(
        &self,
        desk: &Desk,
        place: SocketAddr,
        expectation: &Expectation,
    ) -> impl Future<Output = Result<contact::Wire, DialError>> + Send;
}

/// Why a peer was not reached.
#[derive(Debug, thiserror::Error)]
pub(in crate::cla) enum DialError {
    #[error("the name does not resolve: {0}")]
    Name(io::Error),
    #[error("the name has no address")]
    NoAddress,
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("no answer in time")]
    Silent,
    #[error(transparent)]
    Contact(#[from] ContactError),
}

/// Whether a peer takes the greeting of a node of pannier: some agents end a session over it.
#[derive(Default)]
struct Manners {
    /// How many sessions in a row ended before the peer had greeted.
    ungreeted: u32,
    /// Whether the peer is spoken to as RFC 9174 has it, without any extension.
    is_plain: bool,
}

impl Manners {
    fn learn(&mut self, contact: &Contact) {
        match contact {
            Contact::Mute { is_known: true } if !self.is_plain => {
                info!("the peer does not take session extension items; it is spoken to without");
                self.is_plain = true;
            }
            Contact::Mute { .. } => {
                self.ungreeted += 1;
                if self.ungreeted == UNGREETED_MAX {
                    self.ungreeted = 0;
                    self.is_plain = !self.is_plain;
                }
            }
            Contact::Held(_) | Contact::Elsewhere(_) | Contact::Refused => self.ungreeted = 0,
        }
    }
}

/// Keeps a peer in reach until told to stop.
pub(in crate::cla) async fn keep(desk: Desk, charge: Charge<impl Reach>) {
    let Charge { peer, stop, redial } = charge;
    let mut backoff = Backoff::new();
    let mut manners = Manners::default();
    let mut node = peer.expectation(&desk).node;
    let mut connected = desk.connected.clone();
    loop {
        // Whoever is connected need not be dialled.
        if !until_away(&mut connected, node.as_ref(), &stop).await {
            return;
        }
        let mut expectation = peer.expectation(&desk);
        expectation.greets &= !manners.is_plain;
        let attempt = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            attempt = connect(&desk, &peer, &expectation) => attempt,
        };
        match attempt {
            Ok(wire) => {
                let began = desk.handle.clock().now();
                let contact = drive::serve(&desk, wire, expectation, stop.child_token()).await;
                let gives_hope = desk.handle.clock().now().since(began) >= HOPE;
                manners.learn(&contact);
                match contact {
                    Contact::Held(known) => {
                        if gives_hope {
                            backoff.reset();
                        }
                        node = Some(known);
                    }
                    Contact::Elsewhere(known) => node = Some(known),
                    Contact::Mute { is_known: true } => backoff.reset(),
                    Contact::Mute { is_known: false } | Contact::Refused => {}
                }
                // It may still be listed for a moment, and is not what is waited for below.
                if !until_away(&mut connected, node.as_ref(), &stop).await {
                    return;
                }
            }
            Err(DialError::Contact(error)) => warn!(%error, "a peer was dialled and is not spoken to"),
            Err(error) => debug!(%error, "dialling failed"),
        }
        let comes = async {
            let Some(node) = &node else { return std::future::pending().await };
            // An error means that the endpoint is gone; then `stop` follows.
            if connected.wait_for(|peers| is_there(peers, node)).await.is_err() {
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

/// Whether there is a session with `node` that makes dialling it needless.
fn is_there(peers: &BTreeSet<Who>, node: &NodeId) -> bool {
    peers.iter().any(|who| who.node == *node && who.road != Road::Theirs)
}

/// Waits until `node` is not connected; whether that is worth going on.
async fn until_away(
    connected: &mut watch::Receiver<BTreeSet<Who>>,
    node: Option<&NodeId>,
    stop: &CancellationToken,
) -> bool {
    let Some(node) = node else { return !stop.is_cancelled() };
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        away = connected.wait_for(|peers| !is_there(peers, node)) => away.is_ok(),
    }
}

impl Reach for Peer {
    fn expectation(&self, desk: &Desk) -> Expectation {
        Expectation {
            policy: if self.clear_only { TlsPolicy::Never } else { self.tls.unwrap_or(desk.policy) },
            is_dialler: true,
            host: self.host.clone(),
            node: self.node.clone(),
            lax: self.lax,
            clear_only: self.clear_only,
            greets: true,
            is_serial: false,
        }
    }

    fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    async fn connect(
        &self,
        desk: &Desk,
        place: SocketAddr,
        expectation: &Expectation,
    ) -> Result<contact::Wire, DialError> {
        let stream = TcpStream::connect(place).await.map_err(DialError::Connect)?;
        Ok(contact::meet(desk, stream, expectation).await?)
    }
}

/// Tries every address of a peer in turn.
async fn connect(
    desk: &Desk,
    peer: &impl Reach,
    expectation: &Expectation,
) -> Result<contact::Wire, DialError> {
    let resolved = lookup_host(peer.place()).await;
    let mut last = DialError::NoAddress;
    for place in resolved.map_err(DialError::Name)?.take(ADDRESSES_MAX) {
        match timeout(ATTEMPT, peer.connect(desk, place, expectation)).await {
            Ok(Ok(reached)) => return Ok(reached),
            Ok(Err(error)) => last = error,
            Err(_) => last = DialError::Silent,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_ends_a_session_over_the_greeting_is_spoken_to_without() {
        let mut manners = Manners::default();
        manners.learn(&Contact::Mute { is_known: false });
        manners.learn(&Contact::Refused);
        assert!(!manners.is_plain);
        manners.learn(&Contact::Mute { is_known: true });
        assert!(manners.is_plain);
    }

    #[test]
    fn a_peer_that_never_greets_is_tried_both_ways() {
        let mut manners = Manners::default();
        let mut seen = Vec::new();
        for _ in 0..7 {
            seen.push(manners.is_plain);
            manners.learn(&Contact::Mute { is_known: false });
        }
        assert_eq!(seen, [false, false, false, true, true, true, false]);
    }
}
