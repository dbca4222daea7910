//! From an authenticated connection to a contact: a seat in the roster, greetings, the session.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bundle_spec::sign::PublicKey;
use quinn::{Connection, Endpoint};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    control,
    session::{self, code},
};
use crate::{
    agent::CloseReason,
    cla::{
        buffers::Buffers,
        identity::Certificate,
        partial::Partials,
        roster::{ConnectionId, Newcomer},
        seats::Ask,
    },
    node::mailbox::Handle,
};

/// What every connection needs of its endpoint. Cheap to clone.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) handle: Handle,
    /// Between wire and store, for every contact.
    pub(super) buffers: Buffers,
    pub(super) endpoint: Endpoint,
    pub(super) certificate: Arc<Certificate>,
    /// The endpoint's ear.
    pub(super) asks: mpsc::Sender<Ask<PublicKey>>,
    /// Everybody who is connected.
    pub(super) connected: watch::Receiver<BTreeSet<PublicKey>>,
    /// Names connections.
    pub(super) ids: Arc<AtomicU64>,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    /// There was a contact; it is over.
    Held,
    /// There is another connection with this peer.
    Elsewhere,
    /// The peer breaks the protocol.
    Refused,
}

/// Serves `connection` with `peer` until it is over.
pub(super) async fn serve(
    desk: &Desk,
    connection: Connection,
    peer: PublicKey,
    dialled: bool,
    stop: CancellationToken,
) -> Contact {
    let id = ConnectionId(desk.ids.fetch_add(1, Ordering::Relaxed));
    let dialler = if dialled { desk.certificate.public } else { peer };
    let newcomer = Newcomer { id, peer, dialler };
    let (seat, seated) = oneshot::channel();
    if desk.asks.send(Ask::Enter { newcomer, stop: stop.clone(), seat }).await.is_err() {
        return Contact::Elsewhere;
    }
    let granted = tokio::select! {
        granted = seated => granted.ok(),
        _ = connection.closed() => None,
    };
    let Some(partials) = granted else {
        connection.close(code::SUPERSEDED, b"there is another connection");
        let _ = desk.asks.send(Ask::Leave { peer, id, partials: Partials::default() }).await;
        return Contact::Elsewhere;
    };
    let (partials, contact) = hold(desk, connection, peer, dialled, (partials, stop)).await;
    // An endpoint that is gone keeps nothing.
    let _ = desk.asks.send(Ask::Leave { peer, id, partials }).await;
    contact
}

async fn hold(
    desk: &Desk,
    connection: Connection,
    peer: PublicKey,
    dialled: bool,
    (partials, stop): (Partials, CancellationToken),
) -> (Partials, Contact) {
    let hello = control::hello(desk.handle.node_id().clone(), partials.offers());
    let greeting = tokio::select! {
        () = stop.cancelled() => return (partials, Contact::Held),
        greeting = control::greet(connection.clone(), &peer, dialled, hello) => greeting,
    };
    let greeted = match greeting {
        Ok(greeted) => greeted,
        Err(control::GreetingError::Lost) => {
            let is_elsewhere = is_superseded(&connection);
            connection.close(code::FINISHED, b"");
            return (partials, if is_elsewhere { Contact::Elsewhere } else { Contact::Refused });
        }
        Err(error) => {
            warn!(%error, "a peer was refused");
            connection.close(code::VIOLATION, b"greeting");
            return (partials, Contact::Refused);
        }
    };
    let (may, answer) = oneshot::channel();
    let name = greeted.hello.node.clone();
    let asked = desk.asks.send(Ask::Name { peer, name, may }).await;
    if asked.is_err() || !answer.await.unwrap_or(false) {
        warn!("a peer calls itself as another one does that is connected; give one of them another name");
        connection.close(code::VIOLATION, b"name");
        return (partials, Contact::Refused);
    }
    let (partials, reason) =
        session::serve(desk.handle.clone(), desk.buffers.clone(), greeted, partials, stop).await;
    debug!(?reason, "contact over");
    let contact = match reason {
        CloseReason::Violation => Contact::Refused,
        CloseReason::Finished | CloseReason::Lost => Contact::Held,
    };
    (partials, contact)
}

fn is_superseded(connection: &Connection) -> bool {
    matches!(
        connection.close_reason(),
        Some(quinn::ConnectionError::ApplicationClosed(close)) if close.error_code == code::SUPERSEDED
    )
}
