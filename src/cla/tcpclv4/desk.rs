//! What every connection needs of its endpoint, and who is who to it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bundle_spec::{NodeId, sign::PublicKey};
use tokio::sync::{mpsc, watch};

use super::{
    lax::Lax,
    secure::{Ends, TlsPolicy},
};
use crate::{
    cla::{roster::ConnectionId, seats::Ask},
    node::mailbox::Handle,
};

/// What every connection needs of its endpoint. Cheap to clone.
#[derive(Clone)]
pub(in crate::cla) struct Desk {
    pub(in crate::cla) handle: Handle,
    /// Whether sessions are encrypted.
    pub(in crate::cla) policy: TlsPolicy,
    /// What is overlooked in peers that dial.
    pub(in crate::cla) lax: Lax,
    pub(in crate::cla) ends: Ends,
    /// The endpoint's ear.
    pub(in crate::cla) asks: mpsc::Sender<Ask<Who>>,
    /// Everybody who is connected.
    pub(in crate::cla) connected: watch::Receiver<BTreeSet<Who>>,
    /// Names connections.
    pub(in crate::cla) ids: Arc<AtomicU64>,
}

impl Desk {
    /// A name for one more connection.
    pub(in crate::cla) fn next_id(&self) -> ConnectionId {
        ConnectionId(self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

/// Who a peer is: of each there is one session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cla) struct Who {
    /// What it calls itself.
    pub(in crate::cla) node: NodeId,
    /// Its key, if that is proven.
    pub(in crate::cla) key: Option<PublicKey>,
    /// Which session with it.
    pub(in crate::cla) road: Road,
}

/// Which session with a peer. Nodes of pannier keep one, whoever has dialled; other agents may dial although
/// they are dialled, and send only on what they have dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cla) enum Road {
    /// With a node of pannier.
    Kin,
    /// With another agent that this node has dialled.
    Ours,
    /// With another agent that has dialled.
    Theirs,
}
