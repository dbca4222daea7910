//! What two TCPCLv4 entities say to each other (RFC 9174), as values.
//!
//! The session deals in these; `codec` makes bytes of them. Another dialect with the same messages (QUICCLv1)
//! needs a codec of its own and nothing else.

use bytes::Bytes;

/// Names a transfer of one direction (RFC 9174 §5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferId(pub u64);

/// Which stream of a connection something goes on or comes on, where there are several. On each, transfers go
/// one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane(pub u8);

impl Lane {
    /// The one of a connection that has no others; of several, the one that is there first.
    pub const FIRST: Self = Self(0);
}

/// One message, without the data of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// SESS_INIT (RFC 9174 §4.6).
    Init(Init),
    /// XFER_SEGMENT up to its data (RFC 9174 §5.2.2); `data_len` bytes follow.
    Segment(Segment),
    /// XFER_ACK (RFC 9174 §5.2.3).
    Ack(Ack),
    /// XFER_REFUSE (RFC 9174 §5.2.4).
    Refuse {
        /// Which transfer.
        transfer: TransferId,
        /// Why.
        code: RefuseCode,
    },
    /// KEEPALIVE (RFC 9174 §5.1.1).
    Keepalive,
    /// SESS_TERM (RFC 9174 §6.1).
    Terminate {
        /// Whether it answers another one.
        is_reply: bool,
        /// Why.
        code: TerminateCode,
    },
    /// MSG_REJECT (RFC 9174 §5.1.2).
    Reject {
        /// Why.
        code: RejectCode,
        /// The first byte of what was rejected.
        kind: u8,
    },
    /// A control frame between two nodes of pannier, with its own length before it (`bundle-spec/links.md`).
    Frame(Bytes),
    /// The same in a transfer of its own, as it is said without TLS: whoever reads along can follow.
    Carried {
        /// Its transfer, which has one segment.
        transfer: TransferId,
        /// The frame.
        frame: Bytes,
    },
}

/// What one side is and takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// After how many seconds without a word it is no longer there; 0: never.
    pub keepalive_seconds: u16,
    /// Longest data of a segment that it takes, in bytes.
    pub segment_mru: u64,
    /// Longest transfer that it takes, in bytes.
    pub transfer_mru: u64,
    /// Its node ID as text.
    pub node: String,
    /// Session extension items.
    pub extensions: Vec<Extension>,
}

/// A segment's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// START, END.
    pub flags: SegmentFlags,
    /// Which transfer.
    pub transfer: TransferId,
    /// Transfer extension items; only with START.
    pub extensions: Vec<Extension>,
    /// How many bytes of data follow.
    pub data_len: u64,
}

/// What has arrived of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The flags of the segment that is acknowledged, as they came.
    pub flags: SegmentFlags,
    /// Which transfer.
    pub transfer: TransferId,
    /// How many bytes of it have arrived, this segment included.
    pub len: u64,
}

/// Flags of XFER_SEGMENT and XFER_ACK. Unknown ones are kept: an acknowledgement repeats them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentFlags(pub u8);

impl SegmentFlags {
    /// The last segment of its transfer.
    pub const END: Self = Self(0x01);
    /// The first segment of its transfer.
    pub const START: Self = Self(0x02);

    /// START and END as they apply.
    #[must_use]
    pub const fn of(is_first: bool, is_last: bool) -> Self {
        let start = if is_first { Self::START.0 } else { 0 };
        let end = if is_last { Self::END.0 } else { 0 };
        Self(start | end)
    }

    /// Whether it is the last segment.
    #[must_use]
    pub const fn is_end(self) -> bool {
        self.0 & Self::END.0 != 0
    }

    /// Whether it is the first segment.
    #[must_use]
    pub const fn is_start(self) -> bool {
        self.0 & Self::START.0 != 0
    }
}

/// An extension item (RFC 9174 §4.8, §5.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Whether who does not know it must not go on.
    pub is_critical: bool,
    /// What it is.
    pub kind: u16,
    /// What it says.
    pub value: Bytes,
}

impl Extension {
    /// Transfer Length (RFC 9174 §5.2.5.1): how many bytes the transfer has in all.
    pub const TRANSFER_LENGTH: u16 = 0x0001;
    /// Session: the greeting between two nodes of pannier. In the range for private use.
    pub const HELLO: u16 = 0xba60;
    /// Transfer: from which byte of the payload on the transfer goes. In the range for private use.
    pub const RESUME: u16 = 0xba61;
    /// Transfer: a control frame of pannier; what follows is no bundle. In the range for private use.
    pub const FRAME: u16 = 0xba62;

    /// An item whose value is one number of 64 bits.
    #[must_use]
    pub fn number(kind: u16, is_critical: bool, value: u64) -> Self {
        Self { is_critical, kind, value: Bytes::copy_from_slice(&value.to_be_bytes()) }
    }

    /// Its value as one number of 64 bits, if it has that length.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        Some(u64::from_be_bytes(self.value.as_ref().try_into().ok()?))
    }
}

/// Why a transfer is refused (RFC 9174 §5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefuseCode(pub u8);

impl RefuseCode {
    /// The receiver has the whole bundle already.
    pub const COMPLETED: Self = Self(1);
    /// There is no room for it.
    pub const NO_RESOURCES: Self = Self(2);
    /// It must be sent again from its beginning.
    pub const RETRANSMIT: Self = Self(3);
    /// Something is wrong with it; again would be no better.
    pub const NOT_ACCEPTABLE: Self = Self(4);
    /// A transfer extension item cannot be processed.
    pub const EXTENSION_FAILURE: Self = Self(5);
    /// The receiver is about to end the session.
    pub const SESSION_TERMINATING: Self = Self(6);
}

/// Why a session ends (RFC 9174 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminateCode(pub u8);

impl TerminateCode {
    /// Done, or no reason is known.
    pub const UNKNOWN: Self = Self(0);
    /// Nothing was heard for too long.
    pub const IDLE: Self = Self(1);
    /// Another version of the protocol.
    pub const VERSION: Self = Self(2);
    /// Too busy: there is another session, or no room.
    pub const BUSY: Self = Self(3);
    /// The peer is not who or what it should be.
    pub const CONTACT_FAILURE: Self = Self(4);
}

/// Why a message is rejected (RFC 9174 §5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectCode(pub u8);

impl RejectCode {
    /// A message of a type that is not known.
    pub const TYPE_UNKNOWN: Self = Self(1);
    /// A message whose content cannot be followed.
    pub const UNSUPPORTED: Self = Self(2);
    /// A message at the wrong time.
    pub const UNEXPECTED: Self = Self(3);
}

/// First bytes of the messages (RFC 9174 §5).
pub mod kind {
    /// XFER_SEGMENT.
    pub const SEGMENT: u8 = 0x01;
    /// XFER_ACK.
    pub const ACK: u8 = 0x02;
    /// XFER_REFUSE.
    pub const REFUSE: u8 = 0x03;
    /// KEEPALIVE.
    pub const KEEPALIVE: u8 = 0x04;
    /// SESS_TERM.
    pub const TERMINATE: u8 = 0x05;
    /// MSG_REJECT.
    pub const REJECT: u8 = 0x06;
    /// SESS_INIT.
    pub const INIT: u8 = 0x07;
    /// A control frame of pannier, in the range for private use.
    pub const FRAME: u8 = 0xf0;
}
