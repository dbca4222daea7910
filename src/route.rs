//! Where a bundle goes next. Routers answer a question; they do not send, store or set timers.

mod epidemic;

use std::{num::NonZeroU64, time::Duration};

use bundle_spec::{BundleId, Eid, NodeId};

pub use self::epidemic::Epidemic;

use crate::time::Time;

/// What a router may know of a bundle.
#[derive(Clone, Debug)]
pub struct BundleMeta<'a> {
    /// Which.
    pub id: &'a BundleId,
    /// Where to.
    pub destination: &'a Eid,
    /// Who handed it to us; `None` if it was made here.
    pub previous: Option<&'a NodeId>,
    /// Payload length in bytes.
    pub len: u64,
    /// When its lifetime ends.
    pub expires: Time,
}

/// A contact as a router sees it.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Who is there, if the road says. The contact's place in the list that was given names it in the answer.
    pub peer: Option<NodeId>,
    /// Nodes that the contact leads to; empty: anybody.
    pub toward: Vec<NodeId>,
    /// Whether the peer is known to hold or to have held the bundle.
    pub has_it: bool,
}

/// What a router answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Send it over these contacts (places in the list), and keep it or not once one has taken it.
    Forward {
        /// Which.
        contacts: Vec<usize>,
        /// Whether a copy stays here.
        keep: bool,
    },
    /// Nothing to be done until something changes.
    Wait {
        /// Until when at the latest.
        until: Option<Time>,
    },
}

/// A contact begins or ends.
#[derive(Clone, Debug)]
pub struct Contact {
    /// With whom.
    pub peer: NodeId,
    /// Whether it begins.
    pub opened: bool,
}

/// A way of choosing. No contact means *wait*, never *unreachable*.
pub trait Router: Send {
    /// Its name in settings and reports.
    fn name(&self) -> &'static str;
    /// A contact has begun or ended.
    fn observe(&mut self, now: Time, contact: &Contact);
    /// A link to a peer was measured. Routers that do not estimate have no use for it.
    fn measured(&mut self, _now: Time, _peer: &NodeId, _round_trip: Duration, _rate: NonZeroU64) {}
    /// Where does this bundle go?
    fn route(&mut self, now: Time, bundle: &BundleMeta<'_>, neighbours: &[Neighbour]) -> Route;
}
