//! What people may want to know: events as they happen, and a job's journey as it is kept.

use bundle_spec::{BlockRef, BundleId, Cid, Eid, NodeId, report::StatusReport};

use super::{CloseReason, LinkId};
use crate::time::Time;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// DTN time in milliseconds; zero if no clock is known.
    pub wall: u64,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A contact opened.
    ContactOpened {
        /** This contact. */
        link: LinkId,
        /** Who, if the road says. */
        peer: Option<NodeId>,
        /** Convergence layer. */
        cla: &'static str,
    },
    /// A contact closed.
    ContactClosed {
        /** This contact. */
        link: LinkId,
        /** Who, if the road says. */
        peer: Option<NodeId>,
        /** Why. */
        reason: CloseReason,
    },
    /// A bundle was received.
    Received {
        /** Which. */
        bundle: BundleId,
        /** From whom, if anybody says. */
        peer: Option<NodeId>,
        /** Of which job. */
        job: Option<Cid>,
        /** Payload bytes. */
        len: u64,
    },
    /// A bundle is durable at a peer.
    Forwarded {
        /** Which. */
        bundle: BundleId,
        /** To whom, if the road says. */
        peer: Option<NodeId>,
        /** Of which job. */
        job: Option<Cid>,
        /** Payload bytes. */
        len: u64,
    },
    /// A bundle reached an endpoint here.
    Delivered {
        /** Which. */
        bundle: BundleId,
        /** Which endpoint. */
        endpoint: Eid,
        /** Its payload. */
        payload: BlockRef,
    },
    /// A bundle is no longer held.
    Deleted {
        /** Which. */
        bundle: BundleId,
        /** Why, in a word: `expired`, `cured`, `cancelled`, `hop-limit`, `delivered`, `taken`, `reassembled`,
        `damaged`, `disbelieved`, `unsupported-block`. */
        why: &'static str,
    },
    /// Another node says what became of a bundle.
    Reported {
        /** Who, if it says. */
        by: Option<NodeId>,
        /** Of which bundle, what and why. */
        report: StatusReport,
    },
    /// A job made a step of its journey.
    Job {
        /** Which. */
        job: Cid,
        /** What. */
        step: Step,
    },
    /// An asset is complete here or gone.
    Model {
        /** Its name. */
        name: String,
        /** Its manifest. */
        manifest: Cid,
        /** Whether it is held. */
        held: bool,
    },
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Accepted here from a person.
    Accepted,
    /// Received here from a peer.
    Received {
        /** From whom, if anybody says. */
        from: Option<NodeId>,
    },
    /// Handed to a peer, which made it durable.
    Forwarded {
        /** To whom, if the road says. */
        to: Option<NodeId>,
        /** Over what. */
        cla: String,
    },
    /// Waits for something: a model, an engine, a contact.
    Waiting {
        /** In words. */
        why: String,
    },
    /// A worker has begun.
    Started {
        /** Which engine. */
        engine: String,
    },
    /// A result is here: made here or arrived.
    Answered {
        /** By whom. */
        by: NodeId,
    },
    /// A failure is here.
    Failed {
        /** By whom. */
        by: NodeId,
        /** In words. */
        why: String,
    },
    /// Another node has sent a status report about a bundle of the job.
    Reported {
        /** Who, if it says. */
        by: Option<NodeId>,
        /** What, in words. */
        what: String,
    },
    /// Its lifetime ended.
    Expired,
    /// Taken back by who asked.
    Cancelled,
}

/// A step with its time, as it is kept with the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JourneyEntry {
    /// When, by this node's own time.
    pub at: Time,
    /// DTN time in milliseconds; zero if no clock was known.
    pub wall: u64,
    /// What.
    pub step: Step,
}
