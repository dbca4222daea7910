//! Transfers that come in (RFC 9174 §5.2): segments in order, acknowledged one by one; the last one only on
//! the driver's word.

use bytes::Bytes;

use super::{
    super::message::{
        Ack, Extension, Lane, Message, RefuseCode, RejectCode, Segment, SegmentFlags, TransferId, kind,
    },
    Output, Session,
};
use crate::node::mailbox::Time;

/// A transfer that comes in.
#[derive(Debug)]
pub(super) struct Incoming {
    transfer: TransferId,
    /// Flags of the segment under way.
    flags: SegmentFlags,
    /// How many bytes of that segment are still to come.
    segment_left: u64,
    /// How many bytes have come, or been announced by segments.
    len: u64,
    /// How long the peer said that it would be.
    total: Option<u64>,
    /// Whether the rest is passed over.
    pub(super) is_refused: bool,
}

impl Session {
    /// The next bytes of the segment whose head was heard last on `lane`.
    ///
    /// # Panics
    /// If there are more of them than its head says: whoever reads bytes counts them.
    pub fn handle_data(&mut self, now: Time, lane: Lane, data: Bytes) {
        self.heard_at = now;
        let Some(incoming) = self.incoming.get_mut(&lane) else { return };
        let len = u64::try_from(data.len()).expect("a length fits 64 bits");
        assert!(len <= incoming.segment_left, "no more data than its segment has");
        incoming.segment_left -= len;
        if !incoming.is_refused {
            self.outputs.push_back(Output::Arrived(incoming.transfer, data));
        }
        if self.incoming.get(&lane).is_some_and(|incoming| incoming.segment_left == 0) {
            self.segment_ended(now, lane);
        }
        self.settle();
    }

    /// The bundle that came with `transfer` is durable.
    pub fn handle_stored(&mut self, now: Time, transfer: TransferId) {
        if let Some(ack) = self.unsettled.remove(&transfer) {
            self.say(now, Message::Ack(ack));
        }
        self.settle();
    }

    /// The bundle that comes, or came, with `transfer` is not taken.
    pub fn handle_refusal(&mut self, now: Time, transfer: TransferId, code: RefuseCode) {
        let is_coming = self
            .incoming
            .values_mut()
            .find(|incoming| incoming.transfer == transfer)
            .is_some_and(|incoming| !std::mem::replace(&mut incoming.is_refused, true));
        if is_coming || self.unsettled.remove(&transfer).is_some() {
            self.say(now, Message::Refuse { transfer, code });
        }
        self.settle();
    }

    pub(super) fn segment(&mut self, now: Time, lane: Lane, segment: Segment) {
        let Segment { flags, transfer, extensions, data_len } = segment;
        let here = self.incoming.get(&lane);
        let is_fresh = here.is_none_or(|incoming| incoming.is_refused);
        let is_elsewhere =
            self.incoming.iter().any(|(other, incoming)| *other != lane && incoming.transfer == transfer);
        let is_expected = match flags.is_start() {
            true => is_fresh && !is_elsewhere && !self.unsettled.contains_key(&transfer),
            false => here.is_some_and(|incoming| incoming.transfer == transfer),
        };
        if !is_expected {
            return self.violated(now, RejectCode::UNEXPECTED, kind::SEGMENT);
        }
        if data_len > self.terms.init.segment_mru {
            return self.violated(now, RejectCode::UNSUPPORTED, kind::SEGMENT);
        }
        if flags.is_start() {
            self.began(now, lane, (transfer, flags.is_end()), &extensions);
        }
        let transfer_mru = self.terms.init.transfer_mru;
        let incoming = self.incoming.get_mut(&lane).expect("a segment has a transfer");
        incoming.flags = flags;
        incoming.segment_left = data_len;
        incoming.len = incoming.len.saturating_add(data_len);
        let too_long = if incoming.len > transfer_mru {
            Some(RefuseCode::NO_RESOURCES)
        } else if incoming.total.is_some_and(|total| incoming.len > total) {
            Some(RefuseCode::NOT_ACCEPTABLE)
        } else {
            None
        };
        if let Some(code) = too_long {
            self.handle_refusal(now, transfer, code);
        }
        if data_len == 0 {
            self.segment_ended(now, lane);
        }
    }

    /// A frame has come in a transfer of its own. Only a node of pannier knows what that is.
    pub(super) fn carried(&mut self, now: Time, lane: Lane, transfer: TransferId, frame: Bytes) {
        let is_fresh = self.incoming.get(&lane).is_none_or(|incoming| incoming.is_refused);
        if !is_fresh || self.unsettled.contains_key(&transfer) {
            return self.violated(now, RejectCode::UNEXPECTED, kind::SEGMENT);
        }
        self.incoming.remove(&lane);
        if !self.is_kin {
            return self.say(now, Message::Refuse { transfer, code: RefuseCode::EXTENSION_FAILURE });
        }
        self.say(now, Message::Ack(Ack { flags: SegmentFlags::of(true, true), transfer, len: 1 }));
        self.outputs.push_back(Output::Heard(frame));
    }

    /// A transfer begins, and whether its first segment is its last. One that cannot be taken is refused at
    /// once.
    fn began(
        &mut self,
        now: Time,
        lane: Lane,
        (transfer, is_whole): (TransferId, bool),
        extensions: &[Extension],
    ) {
        let number = |kind| extensions.iter().find(|item| item.kind == kind).map(Extension::as_number);
        let total = number(Extension::TRANSFER_LENGTH);
        let resume = number(Extension::RESUME);
        let knows = |item: &Extension| match item.kind {
            Extension::TRANSFER_LENGTH => true,
            Extension::RESUME => self.is_kin,
            _ => false,
        };
        let is_strange = extensions.iter().any(|item| item.is_critical && !knows(item));
        let refusal = if self.parting.is_said || self.parting.is_heard {
            Some(RefuseCode::SESSION_TERMINATING)
        } else if is_strange || total == Some(None) || resume == Some(None) {
            Some(RefuseCode::EXTENSION_FAILURE)
        } else if total.flatten().is_some_and(|total| total > self.terms.init.transfer_mru) {
            Some(RefuseCode::NO_RESOURCES)
        } else {
            None
        };
        let incoming = Incoming {
            transfer,
            flags: SegmentFlags::default(),
            segment_left: 0,
            len: 0,
            total: total.flatten(),
            is_refused: false,
        };
        self.incoming.insert(lane, incoming);
        match refusal {
            Some(code) => self.handle_refusal(now, transfer, code),
            None => {
                let resume = resume.flatten().filter(|_| self.is_kin).unwrap_or(0);
                self.outputs.push_back(Output::Began { transfer, resume, is_whole });
            }
        }
    }

    /// All data of the segment has come (RFC 9174 §5.2.3).
    fn segment_ended(&mut self, now: Time, lane: Lane) {
        let Some(incoming) = self.incoming.get(&lane) else { return };
        let ack = Ack { flags: incoming.flags, transfer: incoming.transfer, len: incoming.len };
        let is_refused = incoming.is_refused;
        if ack.flags.is_end() {
            self.incoming.remove(&lane);
        }
        match (is_refused, ack.flags.is_end()) {
            (true, _) => {}
            (false, false) => self.say(now, Message::Ack(ack)),
            (false, true) => {
                self.unsettled.insert(ack.transfer, ack);
                self.outputs.push_back(Output::Ended(ack.transfer));
            }
        }
    }
}
