//! One TCPCLv4 session as a state machine (RFC 9174 §4.6 to §6): what is heard and asked goes in, what is to
//! be said and reported comes out.
//!
//! It knows no socket, no clock, no store and no bytes on the wire: a driver reads and writes, a codec makes
//! bytes of messages. So another dialect with the same messages can drive it. Intermediate segments are
//! acknowledged at once, the last one of a transfer only when the driver says that the bundle is durable. It
//! never keeps data: what arrives is passed on at once, what goes out is only counted.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;

use self::{inbound::Incoming, outbound::Outgoing};
use super::{
    lax::Lax,
    message::{Ack, Extension, Init, Lane, Message, RefuseCode, RejectCode, TerminateCode, TransferId, kind},
};
use crate::{agent::CloseReason, node::mailbox::Time};

mod inbound;
mod outbound;

#[cfg(test)]
mod tests;

/// Longest segment that is sent, in bytes. A word between segments waits no longer than for one.
pub const SEGMENT_BYTES: u64 = 128 * 1024;
/// How long a peer may take to greet.
const GREETING: Duration = Duration::from_secs(10);
/// How long transfers under way may go on without a word from the peer once the session is to end.
const PARTING: Duration = Duration::from_secs(10);

/// What this side is, takes and overlooks.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What it says of itself, without extension items.
    pub init: Init,
    /// Its greeting to another node of pannier, if it greets.
    pub hello: Option<Bytes>,
    /// Whether it has dialled: who dials speaks first.
    pub is_dialler: bool,
    /// What is overlooked in the peer.
    pub lax: Lax,
    /// Whether a transfer begins only when the one before it is over; then one acknowledgement may stand for
    /// those before it.
    pub is_serial: bool,
    /// Whether the wire is not encrypted: then frames go in transfers of their own.
    pub is_clear: bool,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say this. After a segment's head follow so many bytes of its transfer.
    Say(Message),
    /// The peer has greeted.
    Opened(Box<Peer>),
    /// A bundle begins to come.
    Began {
        /// Its transfer.
        transfer: TransferId,
        /// From which byte of the payload on it comes; 0 unless the peer resumes.
        resume: u64,
        /// Whether all of it comes in one segment.
        is_whole: bool,
    },
    /// Bytes of it.
    Arrived(TransferId, Bytes),
    /// All of it has come. `handle_stored` or `handle_refusal` is to follow.
    Ended(TransferId),
    /// The peer has acknowledged the whole transfer.
    Delivered(TransferId),
    /// The peer does not take the transfer.
    Refused(TransferId, RefuseCode),
    /// The peer said this, node of pannier to node of pannier.
    Heard(Bytes),
    /// Write what is to be said, then close the connection.
    Close(CloseReason),
}

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What it said; its keepalive is the one that holds for both.
    pub init: Init,
    /// Its greeting, if it is a node of pannier.
    pub hello: Option<Bytes>,
    /// What is overlooked in it.
    pub lax: Lax,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The peer has not greeted.
    Greeting,
    /// Transfers may be under way.
    Open,
    /// Nothing more is said or heard.
    Over,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    terms: Terms,
    phase: Phase,
    outputs: VecDeque<Output>,
    /// Longest segment that goes out.
    segment_max: u64,
    /// After how long without a word this session is over; `None`: never.
    keepalive: Option<Duration>,
    /// Whether the peer is a node of pannier.
    is_kin: bool,
    /// When something was said last.
    said_at: Time,
    /// When something was heard last.
    heard_at: Time,
    /// Whether SESS_TERM was said and heard.
    parting: Parting,
    /// What comes, one transfer a lane.
    incoming: BTreeMap<Lane, Incoming>,
    /// Transfers that have come whole and wait for the driver's word.
    unsettled: BTreeMap<TransferId, Ack>,
    /// What the next transfer is called.
    next_transfer: u64,
    /// Transfers that are not all given to the driver, in their order.
    queue: VecDeque<TransferId>,
    outgoing: BTreeMap<TransferId, Outgoing>,
    /// How many bytes of segments the driver has not written.
    ahead: u64,
}

#[derive(Clone, Copy, Debug)]
struct Parting {
    is_said: bool,
    is_heard: bool,
    /// When it was said.
    since: Time,
}

impl Session {
    /// A session that begins: contact headers, and TLS if any, are over.
    #[must_use]
    pub fn new(now: Time, terms: Terms) -> Self {
        let mut session = Self {
            phase: Phase::Greeting,
            outputs: VecDeque::new(),
            segment_max: 0,
            keepalive: None,
            is_kin: false,
            said_at: now,
            heard_at: now,
            parting: Parting { is_said: false, is_heard: false, since: now },
            incoming: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            next_transfer: 0,
            queue: VecDeque::new(),
            outgoing: BTreeMap::new(),
            ahead: 0,
            terms,
        };
        if session.terms.is_dialler {
            session.greet(now, true);
        }
        session
    }

    /// Whether transfers may begin.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        self.phase == Phase::Open && !self.parting.is_said && !self.parting.is_heard
    }

    /// When `handle_deadline` is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Over => None,
            Phase::Greeting => Some(self.heard_at + GREETING),
            Phase::Open => {
                let patience = self.parting.is_said.then(|| self.heard_at.max(self.parting.since) + PARTING);
                let silence = self.keepalive.map(|interval| self.heard_at + 2 * interval);
                let quiet = self.keepalive.map(|interval| self.said_at + interval / 2);
                [patience, silence, quiet].into_iter().flatten().min()
            }
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Time has passed.
    pub fn handle_deadline(&mut self, now: Time) {
        let Some(deadline) = self.next_deadline().filter(|deadline| *deadline <= now) else { return };
        if self.phase == Phase::Greeting {
            return self.close(CloseReason::Lost);
        }
        if self.keepalive.is_some_and(|interval| now >= self.heard_at + 2 * interval) {
            self.say(now, Message::Terminate { is_reply: false, code: TerminateCode::IDLE });
            return self.close(CloseReason::Lost);
        }
        if self.parting.is_said && now >= self.heard_at.max(self.parting.since) + PARTING {
            return self.close(CloseReason::Finished);
        }
        assert!(deadline <= now, "a deadline is handled when it is due");
        self.say(now, Message::Keepalive);
    }

    /// The peer said `message` on `lane`.
    ///
    /// | phase | message | then |
    /// |---|---|---|
    /// | greeting | SESS_INIT | open |
    /// | greeting | SESS_TERM | over, finished |
    /// | open | XFER_SEGMENT in order, XFER_ACK, XFER_REFUSE, KEEPALIVE | open |
    /// | open | SESS_TERM | open; over, finished, once both have said it and nothing is under way |
    /// | any | MSG_REJECT, anything else | over, violation |
    pub fn handle_message(&mut self, now: Time, lane: Lane, message: Message) {
        self.heard_at = now;
        match (self.phase, message) {
            (Phase::Over, _) => {}
            (Phase::Greeting, Message::Init(init)) => self.greeted(now, init),
            (Phase::Greeting, Message::Terminate { .. }) => self.close(CloseReason::Finished),
            (Phase::Open, Message::Segment(segment)) => self.segment(now, lane, segment),
            (Phase::Open, Message::Ack(ack)) => self.acked(now, ack),
            (Phase::Open, Message::Refuse { transfer, code }) => self.refused(now, transfer, code),
            (Phase::Open, Message::Keepalive) => {}
            (Phase::Open, Message::Terminate { is_reply, code }) => self.terminated(now, is_reply, code),
            (Phase::Open, Message::Frame(frame)) if self.is_kin => {
                self.outputs.push_back(Output::Heard(frame))
            }
            (Phase::Open, Message::Carried { transfer, frame }) => self.carried(now, lane, transfer, frame),
            (Phase::Open | Phase::Greeting, Message::Reject { .. }) => self.close(CloseReason::Violation),
            (Phase::Open | Phase::Greeting, other) => {
                self.violated(now, RejectCode::UNEXPECTED, kind_of(&other))
            }
        }
        self.settle();
    }

    /// This side has not read what the peer says: its silence means nothing.
    pub fn handle_deafness(&mut self, now: Time) {
        self.heard_at = now;
    }

    /// The peer said something that cannot be read: `kind` is of a type that is not known, or none.
    pub fn handle_unreadable(&mut self, now: Time, kind: Option<u8>) {
        if self.phase != Phase::Over {
            self.violated(now, RejectCode::TYPE_UNKNOWN, kind.unwrap_or(0));
        }
    }

    /// Say `frame` to the other node of pannier. On a wire that is not encrypted it waits for the transfers
    /// before it, and is not said once the session is to end.
    pub fn handle_frame(&mut self, now: Time, frame: Bytes) {
        match self.is_kin && self.phase == Phase::Open {
            true if self.terms.is_clear => self.carry(now, frame),
            true => self.say(now, Message::Frame(frame)),
            false => {}
        }
    }

    /// The session is to end in good order: what is under way goes on, nothing new begins.
    pub fn handle_end(&mut self, now: Time, code: TerminateCode) {
        match self.phase {
            Phase::Over => {}
            Phase::Greeting => {
                self.say(now, Message::Terminate { is_reply: false, code });
                self.close(CloseReason::Finished);
            }
            Phase::Open => {
                self.part(now, false, code);
                self.settle();
            }
        }
    }

    /// The peer is not spoken to any longer, and is told why.
    pub fn handle_rejection(&mut self, now: Time, code: TerminateCode) {
        if self.phase != Phase::Over {
            self.say(now, Message::Terminate { is_reply: false, code });
            self.close(CloseReason::Violation);
        }
    }

    fn greet(&mut self, now: Time, with_hello: bool) {
        let mut init = self.terms.init.clone();
        let hello = self.terms.hello.clone().filter(|_| with_hello);
        init.extensions = hello
            .map(|value| Extension { is_critical: false, kind: Extension::HELLO, value })
            .into_iter()
            .collect();
        self.say(now, Message::Init(init));
    }

    fn greeted(&mut self, now: Time, mut init: Init) {
        let hello = init.extensions.iter().find(|item| item.kind == Extension::HELLO);
        let hello = hello.map(|item| item.value.clone());
        let strange = init.extensions.iter().any(|item| item.is_critical && item.kind != Extension::HELLO);
        if !self.terms.is_dialler {
            self.greet(now, hello.is_some());
        }
        if strange || init.segment_mru == 0 {
            self.say(now, Message::Terminate { is_reply: false, code: TerminateCode::CONTACT_FAILURE });
            return self.close(CloseReason::Violation);
        }
        let hello = hello.filter(|_| self.terms.hello.is_some());
        let seconds = init.keepalive_seconds.min(self.terms.init.keepalive_seconds);
        self.keepalive = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        self.segment_max = init.segment_mru.min(SEGMENT_BYTES);
        self.is_kin = hello.is_some();
        self.terms.lax = self.terms.lax.suited_to(&init);
        self.phase = Phase::Open;
        init.keepalive_seconds = seconds;
        self.outputs.push_back(Output::Opened(Box::new(Peer { init, hello, lax: self.terms.lax })));
    }

    fn terminated(&mut self, now: Time, is_reply: bool, code: TerminateCode) {
        self.parting.is_heard = true;
        self.part(now, !is_reply, code);
    }

    fn part(&mut self, now: Time, is_reply: bool, code: TerminateCode) {
        if !self.parting.is_said {
            self.parting.is_said = true;
            self.parting.since = now;
            self.drop_waiting();
            self.say(now, Message::Terminate { is_reply, code });
        }
    }

    /// Ends the session once both sides want that and nothing is under way.
    fn settle(&mut self) {
        let is_coming = self.incoming.values().any(|incoming| !incoming.is_refused);
        let is_idle = !is_coming && self.unsettled.is_empty() && self.outgoing.is_empty();
        if self.phase == Phase::Open && self.parting.is_said && self.parting.is_heard && is_idle {
            self.close(CloseReason::Finished);
        }
    }

    fn violated(&mut self, now: Time, code: RejectCode, kind: u8) {
        self.say(now, Message::Reject { code, kind });
        self.say(now, Message::Terminate { is_reply: false, code: TerminateCode::UNKNOWN });
        self.close(CloseReason::Violation);
    }

    fn close(&mut self, reason: CloseReason) {
        self.phase = Phase::Over;
        self.outputs.push_back(Output::Close(reason));
    }

    fn say(&mut self, now: Time, message: Message) {
        self.said_at = now;
        self.outputs.push_back(Output::Say(message));
    }
}

/// The first byte of a message in TCPCLv4.
pub(in crate::cla) fn kind_of(message: &Message) -> u8 {
    match message {
        Message::Init(_) => kind::INIT,
        Message::Segment(_) | Message::Carried { .. } => kind::SEGMENT,
        Message::Ack(_) => kind::ACK,
        Message::Refuse { .. } => kind::REFUSE,
        Message::Keepalive => kind::KEEPALIVE,
        Message::Terminate { .. } => kind::TERMINATE,
        Message::Reject { .. } => kind::REJECT,
        Message::Frame(_) => kind::FRAME,
    }
}
