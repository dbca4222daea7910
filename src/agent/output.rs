//! Everything a node can ask for. Executed in order.

use bundle_spec::{BlockRef, BundleId, Cid, Eid, Header, adu::Kind, security::Keystream};
use bytes::Bytes;

use super::{CallId, Event, LinkId, Record, Refusal};

/// Everything a node can ask for. A `Record` is durable before anything behind it is executed.
#[derive(Clone, Debug)]
pub enum Output {
    /// Make this durable.
    Record(Record),
    /// Tell who called.
    Answer {
        /// Which call.
        call: CallId,
        /// What came of it.
        result: Result<Answer, SubmitError>,
    },
    /// Tell the peer that its bundle is durable here.
    Acknowledge {
        /// Which contact.
        link: LinkId,
        /// Which bundle.
        bundle: BundleId,
    },
    /// Tell the peer that its bundle is not taken.
    Refuse {
        /// Which contact.
        link: LinkId,
        /// Which bundle.
        bundle: BundleId,
        /// Why.
        reason: Refusal,
    },
    /// Send a bundle.
    Transmit {
        /// On which contact.
        link: LinkId,
        /// What.
        outgoing: Outgoing,
    },
    /// Stop sending a bundle: it is no longer wanted.
    Abort {
        /// On which contact.
        link: LinkId,
        /// Which bundle.
        bundle: BundleId,
    },
    /// Tell the peer something: an advert, a summary, a receipt, a cancellation.
    Announce {
        /// On which contact.
        link: LinkId,
        /// The ADU.
        adu: Bytes,
    },
    /// End a contact in good order: there is nothing left to say. Sticks wait for it.
    Close {
        /// Which contact.
        link: LinkId,
    },
    /// A bundle has reached an endpoint of this node.
    Deliver {
        /// Which endpoint.
        endpoint: Eid,
        /// Which bundle.
        bundle: BundleId,
        /// Its payload.
        payload: BlockRef,
    },
    /// Put the payload of a bundle together from its fragments, in one new block, and answer with
    /// `Input::Assembled`.
    Assemble {
        /// Which bundle.
        bundle: BundleId,
        /// The header of the whole: its security operations hold for nothing less.
        header: Header,
        /// How many bytes it has.
        len: u64,
        /// Where they are, in order and without gaps.
        parts: Vec<Part>,
    },
    /// Put these bytes into the store as a block and answer with `Input::BlockGained`; where there is no room
    /// for them, nothing comes of it.
    Block {
        /// At most `limits::CONTROL_ADU_BYTES_MAX` bytes.
        bytes: Bytes,
    },
    /// Run a task.
    Run(Task),
    /// Stop a task.
    Stop {
        /// The job's CID.
        task: Cid,
    },
    /// Nobody here needs this block any more.
    Release {
        /// Which.
        cid: Cid,
    },
    /// Something happened that people may want to know.
    Event(Event),
}

/// A bundle on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which.
    pub bundle: BundleId,
    /// The header as it leaves: previous node, age and hop count are this node's.
    pub header: Header,
    /// The block that holds the payload.
    pub payload: BlockRef,
    /// Where in the block the payload begins; it has `header.payload_len()` bytes. Zero but for a fragment
    /// that was cut out for this contact.
    pub start: u64,
    /// How many bytes of the payload the peer has already.
    pub offset: u64,
    /// Whether it goes where encryption is forbidden: it leaves signed and readable, or not at all.
    pub clear_only: bool,
    /// What encrypts the payload on its way out, where it leaves encrypted.
    pub sealed: Option<Keystream>,
}

/// A range of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which block.
    pub block: BlockRef,
    /// Where in it the range begins.
    pub start: u64,
    /// How many bytes it has.
    pub len: u64,
}

/// A job bound to an engine of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The job's CID.
    pub job: Cid,
    /// The job ADU in the store.
    pub payload: BlockRef,
    /// What kind of work.
    pub kind: Kind,
    /// Which engine.
    pub engine: String,
    /// Which model, if the kind wants one.
    pub model: Option<TaskModel>,
    /// Whether the job is sealed: then so is its result.
    pub is_sealed: bool,
    /// DTN time in milliseconds when the job arrived here, zero without a clock.
    pub received_at: u64,
}

/// The model of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskModel {
    /// What it is called here.
    pub name: String,
    /// Its manifest.
    pub manifest: BlockRef,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The job is accepted (or was before): this is its name.
    Job {
        /// The job's CID.
        job: Cid,
        /// Whether its result is here already.
        answered: bool,
    },
    /// The bundle is accepted.
    Bundle(BundleId),
    /// Done.
    Done,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The store is full.
    #[error("the store is full")]
    StoreFull,
    /// Too many bundles, jobs or models.
    #[error("the limit of {0} is reached")]
    Limit(&'static str),
    /// Nothing of that name.
    #[error("not found")]
    NotFound,
    /// The job is over: answered, expired or cancelled.
    #[error("the job is over")]
    Over,
    /// Another reader has it at this moment.
    #[error("another reader has it at this moment")]
    Claimed,
    /// The ADU makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// The lifetime is zero or longer than `limits::LIFETIME_MAX`.
    #[error("a lifetime must be between 1 second and 366 days")]
    Lifetime,
}

/// Why the agent wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A bundle's lifetime ends.
    Expiry,
    /// A contact has been silent.
    Contact,
    /// A transfer is tried again.
    Retry,
    /// Something remembered may be forgotten.
    Forget,
}
