//! What people see of the agent's state. Plain values, taken by getters.

use bundle_spec::{Alias, BlockRef, BundleId, Cid, Digest, Eid, NodeId, adu::Kind};

use super::{JobState, JourneyEntry, LinkId, Resources, Retention, Seal, Withheld};
use crate::time::Time;

/// A bundle that is held.
#[derive(Clone, Debug)]
pub struct BundleView {
    /// Which.
    pub id: BundleId,
    /// Where to.
    pub destination: Eid,
    /// Its payload.
    pub payload: BlockRef,
    /// When it arrived or was made.
    pub received: Time,
    /// When its lifetime ends.
    pub expires: Time,
    /// Of which job.
    pub job: Option<Cid>,
    /// Why it is kept.
    pub retention: Retention,
}

/// A bundle that waits for a reader.
#[derive(Clone, Debug)]
pub struct WaitingView {
    /// Which.
    pub bundle: BundleView,
    /// Until when a reader has it for itself, if one has.
    pub claimed_until: Option<Time>,
}

/// An endpoint at which bundles are delivered.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// Which.
    pub endpoint: Eid,
    /// Whether an application is registered in it.
    pub is_registered: bool,
    /// How many bundles wait there.
    pub waiting: usize,
    /// Bytes of their payloads.
    pub bytes: u64,
}

/// A job.
#[derive(Clone, Debug)]
pub struct JobView {
    /// Which.
    pub job: Cid,
    /// What kind of work; `None` where it is sealed for others.
    pub kind: Option<Kind>,
    /// How it is sealed, if it is.
    pub seal: Option<Seal>,
    /// Which model it asks for, as text.
    pub model: String,
    /// Its ADU.
    pub payload: BlockRef,
    /// Where it stands.
    pub state: JobState,
    /// Whether its task runs here at this moment.
    pub running: bool,
    /// Whether a person at this node asked.
    pub mine: bool,
    /// When its (latest) bundle expires.
    pub expires: Time,
    /// What happened to it.
    pub journey: Vec<JourneyEntry>,
    /// What it waits for, in words, while it is open.
    pub waits_for: String,
}

/// A named asset.
#[derive(Clone, Debug)]
pub struct ModelView {
    /// Its name here; empty if it is only known by an advert.
    pub name: String,
    /// Its manifest.
    pub manifest: Cid,
    /// Size of the file in bytes; zero if unknown.
    pub size: u64,
    /// The SHA-256 of the file, where it is known.
    pub alias: Option<Alias>,
    /// Whether it is complete here.
    pub held: bool,
    /// Nodes that say they have it.
    pub at: Vec<NodeId>,
    /// The manifest ADU, where it is held.
    pub adu: bytes::Bytes,
}

/// A node that was met.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Who.
    pub node: NodeId,
    /// When the last contact with it was.
    pub last_contact: Time,
    /// Whether there is a contact at this moment.
    pub connected: bool,
    /// Engines it offers.
    pub engines: Vec<String>,
    /// Models it offers.
    pub models: Vec<(String, Cid)>,
}

/// A contact.
#[derive(Clone, Debug)]
pub struct LinkView {
    /// This contact.
    pub link: LinkId,
    /// With whom, if the road says.
    pub peer: Option<NodeId>,
    /// Over what.
    pub cla: &'static str,
    /// Since when.
    pub since: Time,
    /// Transfers in flight.
    pub in_flight: usize,
    /// How many bundles wait for another road because this one may not carry them, and why.
    pub withheld: Vec<(Withheld, usize)>,
}

/// The node at a glance.
#[derive(Clone, Debug)]
pub struct StatusView {
    /// Who we are.
    pub node: NodeId,
    /// Bundles held.
    pub bundles: usize,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Jobs open.
    pub jobs_open: usize,
    /// Jobs whose task runs.
    pub jobs_running: usize,
    /// Jobs known in all.
    pub jobs: usize,
    /// What is at disposal.
    pub resources: Resources,
    /// Contacts.
    pub links: Vec<LinkView>,
    /// Digests of tasks that run.
    pub tasks: Vec<Digest>,
}
