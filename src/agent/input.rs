//! Everything that can happen to a node.

use std::{num::NonZeroU64, time::Duration};

use bundle_spec::{
    BlockRef, BundleFlags, BundleId, Cid, CrcType, DtnTime, Eid, Header, NodeId, adu::Kind,
    report::ReasonCode,
};
use bytes::Bytes;

use super::Seal;
use crate::limits;

/// Ties a command to its answer. Chosen by the driver, unique while the command is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// One contact on one convergence layer. Chosen by the driver, never used twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Everything that can happen to a node. One call of `Agent::handle` each.
#[derive(Clone, Debug)]
pub enum Input {
    /// The deadline that the agent asked for has come.
    Deadline,
    /// Somebody here wants something sent or done. The payload is in the store already.
    Submit {
        /// Names the answer.
        call: CallId,
        /// What.
        submission: Submission,
    },
    /// Somebody here no longer wants a job.
    Cancel {
        /// Names the answer.
        call: CallId,
        /// Which job.
        job: Cid,
    },
    /// An application here wants the bundles of an endpoint.
    Register {
        /// Names the answer.
        call: CallId,
        /// An endpoint of this node, or one of many nodes.
        endpoint: Eid,
    },
    /// It no longer does.
    Unregister {
        /// Names the answer.
        call: CallId,
        /// Which endpoint.
        endpoint: Eid,
    },
    /// A reader wants to be the only one that reads a bundle for a while.
    Claim {
        /// Names the answer.
        call: CallId,
        /// Which bundle.
        bundle: BundleId,
        /// What the reader calls itself.
        reader: u64,
        /// How long, at most `limits::CLAIM_MAX`; nothing gives the bundle back.
        hold: Duration,
    },
    /// A reader has what it wanted of a bundle; or a sender takes one back.
    Take {
        /// Names the answer.
        call: CallId,
        /// Which bundle.
        bundle: BundleId,
    },
    /// An asset is complete in the store and shall be kept under a name.
    ModelAdded {
        /// Names the answer.
        call: CallId,
        /// What it is called here.
        name: String,
        /// The manifest's block.
        manifest: BlockRef,
        /// The manifest's bytes.
        adu: Bytes,
        /// Every block that belongs to it: manifest, chunk lists, chunks.
        blocks: Vec<BlockRef>,
    },
    /// A named asset is no longer wanted.
    ModelDropped {
        /// Names the answer.
        call: CallId,
        /// What it is called here.
        name: String,
    },
    /// A peer can be reached.
    ContactOpened {
        /// This contact.
        link: LinkId,
        /// Who is there; `None` where the road does not say (MTCP, STCP, UDP).
        peer: Option<NodeId>,
        /// What the link can do.
        class: LinkClass,
    },
    /// The contact is over. Transfers that were not acknowledged are open again.
    ContactClosed {
        /// Which contact.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// The convergence layer has measured the link.
    Measured {
        /// Which contact.
        link: LinkId,
        /// Time to the peer and back.
        round_trip: Duration,
        /// Bytes per second.
        rate: NonZeroU64,
    },
    /// The peer has announced something: an advert, a summary, a want, a receipt, a cancellation.
    Heard {
        /// Which contact.
        link: LinkId,
        /// The ADU, at most `limits::CONTROL_ADU_BYTES_MAX` bytes.
        adu: Bytes,
    },
    /// A bundle has arrived whole: checksums verified, payload finished in the store (durable with the next
    /// record).
    Received {
        /// From which contact.
        link: LinkId,
        /// Everything but the payload.
        header: Header,
        /// The payload.
        payload: BlockRef,
        /// The payload's bytes, where they are at most `limits::CONTROL_ADU_BYTES_MAX`.
        adu: Option<Bytes>,
        /// What was sealed in them, where a key of this node opens it: a job, or a signed result.
        opened: Option<Bytes>,
    },
    /// A bundle has arrived whole, and what its security blocks or this node's rules want does not hold
    /// (RFC 9172 §5.1).
    Distrusted {
        /// From which contact.
        link: LinkId,
        /// Everything but the payload.
        header: Header,
        /// The payload that is in the store.
        payload: BlockRef,
        /// What the peer is told.
        reason: Refusal,
        /// What a status report says; `None` if the bundle is not to blame.
        report: Option<ReasonCode>,
    },
    /// The peer has made a bundle durable.
    Transmitted {
        /// Which contact.
        link: LinkId,
        /// Which bundle.
        bundle: BundleId,
    },
    /// The peer did not want a bundle.
    Refused {
        /// Which contact.
        link: LinkId,
        /// Which bundle.
        bundle: BundleId,
        /// Why.
        reason: Refusal,
    },
    /// A transfer was cut off; the contact goes on.
    Interrupted {
        /// Which contact.
        link: LinkId,
        /// Which bundle.
        bundle: BundleId,
        /// How many bytes of the payload the peer has.
        acknowledged: u64,
    },
    /// A block has been verified and is in the store.
    BlockGained {
        /// Which.
        block: BlockRef,
    },
    /// A block was found damaged.
    BlockLost {
        /// Which.
        cid: Cid,
    },
    /// A bundle has been put together from its fragments, or could not be.
    Assembled {
        /// Which.
        bundle: BundleId,
        /// Its payload, or why not.
        result: Result<Assembled, AssemblyError>,
    },
    /// A task has come to an end.
    TaskEnded {
        /// The job's CID.
        task: Cid,
        /// How.
        outcome: TaskOutcome,
    },
    /// A key has come that opens a sealed job which could not be read here.
    Opened {
        /// Which job.
        job: Cid,
        /// The job ADU that was sealed in it.
        adu: Bytes,
    },
    /// What the node has at its disposal has changed.
    Resources(Resources),
    /// The wall clock is known.
    ClockSet {
        /// What it says.
        wall: DtnTime,
        /// How far it may be off.
        error: Duration,
    },
}

/// Something to be sent or done.
#[derive(Clone, Debug)]
pub enum Submission {
    /// A job.
    Job(NewJob),
    /// Any bundle: data for an endpoint, an echo request.
    Bundle(NewBundle),
}

/// A job to be done anywhere.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The block that travels: the job ADU, or the envelope in which it is sealed.
    pub payload: BlockRef,
    /// The job ADU.
    pub adu: Bytes,
    /// How it is sealed, if it is.
    pub seal: Option<Seal>,
    /// Blocks that the job links to; they are in the store.
    pub blocks: Vec<BlockRef>,
    /// How long it is worth carrying; `None` for `limits::LIFETIME_DEFAULT`.
    pub lifetime: Option<Duration>,
}

/// A bundle to be sent.
#[derive(Clone, Debug)]
pub struct NewBundle {
    /// Where to.
    pub destination: Eid,
    /// Demux (dtn) or service number (ipn) of the local endpoint that it comes from.
    pub source: String,
    /// What.
    pub payload: BlockRef,
    /// How long it is worth carrying.
    pub lifetime: Option<Duration>,
    /// On which terms it travels.
    pub terms: Terms,
}

/// On which terms a bundle travels, where its sender may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Processing control flags of the bundle (RFC 9171 §4.2.3); those in [`Terms::FLAGS`].
    pub flags: BundleFlags,
    /// Where reports go; `None` for this node, which reads them.
    pub report_to: Option<Eid>,
    /// How many hops it may take, at least one (RFC 9171 §4.4.3).
    pub hop_limit: u8,
    /// How its blocks are protected; a primary block is never without.
    pub crc: CrcType,
}

impl Terms {
    /// The flags that a sender may choose.
    pub const FLAGS: BundleFlags = BundleFlags(
        BundleFlags::MUST_NOT_FRAGMENT.0
            | BundleFlags::ACKNOWLEDGEMENT_REQUESTED.0
            | BundleFlags::STATUS_TIME_REQUESTED.0
            | BundleFlags::REPORT_RECEPTION.0
            | BundleFlags::REPORT_FORWARDING.0
            | BundleFlags::REPORT_DELIVERY.0
            | BundleFlags::REPORT_DELETION.0,
    );
}

impl Default for Terms {
    /// May be fragmented, asks for no reports.
    fn default() -> Self {
        Self {
            flags: BundleFlags::NONE,
            report_to: None,
            hop_limit: limits::HOP_LIMIT,
            crc: CrcType::Castagnoli,
        }
    }
}

/// What a link can do. Public fields: any combination is fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkClass {
    /// The convergence layer's name, for people.
    pub cla: &'static str,
    /// Whether the peer speaks summaries (`have`), so that transmission waits for them.
    pub summaries: bool,
    /// Whether an acknowledgement says that the bundle is durable at the peer.
    pub durable: bool,
    /// How many bytes the link will carry in all: room on a stick. `None` if nobody knows.
    pub budget: Option<u64>,
    /// Nodes that the link leads to, if it leads to some only: a stick addressed to a clinic. Empty: anybody.
    pub toward: Vec<NodeId>,
    /// Whether the agent ends the contact (`Output::Close`) once nothing is left to say: a stick.
    pub drains: bool,
    /// Whether bundles can go out on it; some roads are one way.
    pub sends: bool,
    /// Most payload bytes that the peer takes in one bundle: what is longer goes in fragments. `None` if
    /// there is no such limit.
    pub payload_max: Option<u64>,
    /// Whether the peer keeps what it has acknowledged of a transfer that was cut off, as a fragment.
    pub keeps_parts: bool,
    /// Whether many short bundles may be under way at a time: they follow one another on one stream, and the
    /// peer makes those durable together that come together.
    pub batches: bool,
    /// Whether encryption is forbidden on it, as on amateur radio: what goes there is signed and readable.
    pub clear_only: bool,
}

impl LinkClass {
    /// A link of which nothing is known but that bundles go out on it.
    #[must_use]
    pub const fn plain(cla: &'static str) -> Self {
        Self {
            cla,
            summaries: false,
            durable: false,
            budget: None,
            toward: Vec::new(),
            drains: false,
            sends: true,
            payload_max: None,
            keeps_parts: false,
            batches: false,
            clear_only: false,
        }
    }
}

/// Why a contact is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// One side is done or shuts down.
    Finished,
    /// Nothing was heard for too long, or the link broke.
    Lost,
    /// The peer broke the protocol.
    Violation,
}

/// Why a bundle is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is held already or was.
    Duplicate,
    /// No room for it.
    NoRoom,
    /// Larger than is ever taken.
    TooLarge,
    /// Its lifetime is over.
    Expired,
    /// Not well formed, its checksum is wrong, or it is not what its security blocks say.
    Malformed,
    /// Its job is done or cancelled.
    Pointless,
}

/// The payload of a bundle that was put together from its fragments, finished in the store.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The header, where checking its security operations has changed it.
    pub header: Option<Header>,
    /// The payload.
    pub payload: BlockRef,
    /// Its bytes, where they are at most `limits::CONTROL_ADU_BYTES_MAX`.
    pub adu: Option<Bytes>,
    /// What was sealed in them, where a key of this node opens it.
    pub opened: Option<Bytes>,
}

/// Why a bundle could not be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssemblyError {
    /// The store has no room for the whole. Its fragments stay; it is tried again.
    NoRoom,
    /// A part could not be read, or the whole not be written. Its fragments stay; it is tried again.
    Failed,
    /// It is not what its security blocks say: nothing of it is kept.
    Distrusted,
}

/// How a task ended.
#[derive(Clone, Debug)]
pub enum TaskOutcome {
    /// With a result: signed, and in the store.
    Answered {
        /// The block that travels: the result ADU, or the envelope in which it is sealed.
        payload: BlockRef,
        /// The result ADU.
        adu: Bytes,
        /// Blocks that the result links to; they are in the store.
        blocks: Vec<BlockRef>,
        /// Whether another node might do better (resources ran out here), so that this failure is not final.
        retryable: bool,
    },
    /// It was stopped on request.
    Stopped,
    /// The job is sealed and cannot be read here after all: the key that opened it is gone.
    Unreadable,
}

/// What the node has at its disposal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Bytes that the store can still take for payloads.
    pub store_free: u64,
    /// Engines whose worker has shown that it runs.
    pub engines: Vec<EngineState>,
    /// How many tasks may run at once; zero while there is no power to spare.
    pub slots: usize,
}

/// An engine on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineState {
    /// Name, e.g. `llama`.
    pub name: String,
    /// Fingerprint as it stands in results.
    pub fingerprint: String,
    /// What it can do.
    pub kinds: Vec<Kind>,
}
