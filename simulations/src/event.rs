//! What happens in a world, as the log, the reference and the checks are told of it.

use bundle_spec::{BundleId, Cid};
use pannier::agent::Event;

/// Something has happened. Hosts are places in the list of hosts.
#[derive(Clone, Debug)]
pub enum WorldEvent {
    /// A host has accepted a job: its record is durable.
    Accepted {
        /// Where.
        host: usize,
        /// Which.
        job: Cid,
        /// Whether its answer was there already.
        is_answered: bool,
        /// Until when the answer is worth having, in the world's time.
        until: u64,
    },
    /// A command was refused.
    Rejected {
        /// Where.
        host: usize,
        /// Which job.
        job: Cid,
        /// Why.
        why: String,
    },
    /// A host has taken a job back.
    Cancelled {
        /// Where.
        host: usize,
        /// Which.
        job: Cid,
    },
    /// A host has accepted a parcel: its record is durable.
    Posted {
        /// Where.
        host: usize,
        /// Which.
        bundle: BundleId,
        /// Where to.
        to: usize,
        /// Until when it is worth having, in the world's time.
        until: u64,
    },
    /// Somebody has taken a parcel where it arrived.
    Taken {
        /// Where.
        host: usize,
        /// Which.
        bundle: BundleId,
    },
    /// A task has begun.
    Started {
        /// Where.
        host: usize,
        /// Of which job.
        job: Cid,
        /// Whether it will fail.
        fails: bool,
    },
    /// A task has ended with a result, and the agent has been told.
    Completed {
        /// Where.
        host: usize,
        /// Of which job.
        job: Cid,
        /// Whether it is an answer.
        is_success: bool,
    },
    /// A host has acknowledged a bundle.
    Acknowledged {
        /// Who.
        host: usize,
        /// Which.
        bundle: BundleId,
    },
    /// A host has gone down.
    Down {
        /// Which.
        host: usize,
        /// Whether in the middle of something.
        is_crash: bool,
    },
    /// A host is up again.
    Up {
        /// Which.
        host: usize,
    },
    /// Two hosts can reach each other.
    Met {
        /// Who.
        ends: [usize; 2],
        /// Over what.
        cla: &'static str,
    },
    /// They cannot any more.
    Parted {
        /// Who.
        ends: [usize; 2],
        /// Whether the contact broke.
        is_cut: bool,
    },
    /// A transition that changes the surroundings of a host.
    Changed {
        /// Which.
        host: usize,
        /// What, in a word.
        what: &'static str,
        /// By how much, where that makes sense.
        by: i64,
    },
    /// An agent was woken at its deadline.
    Woken {
        /// Where.
        host: usize,
    },
    /// An agent has told something to people.
    Told {
        /// Where.
        host: usize,
        /// What.
        event: Event,
    },
    /// Something that cannot be has been seen by the world itself.
    Wrong {
        /// Where.
        host: usize,
        /// What.
        what: String,
    },
}
