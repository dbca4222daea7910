//! Transfers that go out (RFC 9174 §5.2): one after the other, never mixed; the next one begins before the
//! one before it is acknowledged.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    super::message::{
        Ack, Extension, Message, RefuseCode, RejectCode, Segment, SegmentFlags, TransferId, kind,
    },
    Output, Phase, SEGMENT_BYTES, Session,
};
use crate::{agent::CloseReason, node::mailbox::Time};

/// How many bytes of segments the driver is given before it has written them.
const AHEAD_BYTES: u64 = 4 * SEGMENT_BYTES;

/// Most frames in transfers of their own that the peer has not acknowledged.
const FRAMES_MAX: usize = 4_096;

/// A transfer that goes out.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// How many bytes it has.
    len: u64,
    /// From which byte of the payload on it goes.
    resume: u64,
    /// How many bytes were given to the driver.
    sent: u64,
    /// How many bytes the peer has acknowledged.
    acked: u64,
    /// What is to be acknowledged, in this order.
    expected: VecDeque<Ack>,
    /// Whether it is called off: it ends early and nothing is reported.
    is_called_off: bool,
    /// What it carries if that is no bundle; gone once it is said.
    frame: Option<Bytes>,
    /// Whether it carries a bundle.
    is_bundle: bool,
}

impl Outgoing {
    fn bundle(len: u64, resume: u64) -> Self {
        let (expected, frame) = (VecDeque::new(), None);
        Self { len, resume, sent: 0, acked: 0, expected, is_called_off: false, frame, is_bundle: true }
    }

    /// A transfer that carries a frame has one byte of data.
    fn frame(frame: Bytes) -> Self {
        Self { frame: Some(frame), is_bundle: false, ..Self::bundle(1, 0) }
    }

    /// Whether the driver hears what becomes of it.
    fn is_told(&self) -> bool {
        self.is_bundle && !self.is_called_off
    }
}

impl Session {
    /// A transfer of `len` bytes is to go out, beginning at byte `resume` of its payload. `None` if the
    /// session takes no more.
    pub fn handle_begin(&mut self, now: Time, len: u64, resume: u64) -> Option<TransferId> {
        assert!(len > 0, "a bundle has bytes");
        if !self.may_begin() {
            return None;
        }
        Some(self.begin(now, Outgoing::bundle(len, resume)))
    }

    /// A frame is to go out in a transfer of its own. A peer that lets too many pile up is cut off.
    pub(super) fn carry(&mut self, now: Time, frame: Bytes) {
        let waiting = self.outgoing.values().filter(|outgoing| !outgoing.is_bundle).count();
        match self.may_begin() {
            true if waiting >= FRAMES_MAX => self.close(CloseReason::Lost),
            true => drop(self.begin(now, Outgoing::frame(frame))),
            false => {}
        }
    }

    fn begin(&mut self, now: Time, outgoing: Outgoing) -> TransferId {
        let transfer = TransferId(self.next_transfer);
        self.next_transfer += 1;
        self.outgoing.insert(transfer, outgoing);
        self.queue.push_back(transfer);
        self.pump(now);
        transfer
    }

    /// The driver has written a segment with `len` bytes of data, or cannot write it.
    pub fn handle_written(&mut self, now: Time, len: u64) {
        self.ahead = self.ahead.checked_sub(len).expect("nothing is written twice");
        self.said_at = now;
        if self.phase == Phase::Open {
            self.pump(now);
        }
        self.settle();
    }

    /// A transfer is no longer wanted. Whether that can be done: one that is under way to a stranger goes on,
    /// and so does one whose last segment is given out.
    pub fn handle_call_off(&mut self, now: Time, transfer: TransferId) -> bool {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return true };
        if outgoing.sent == 0 {
            self.forget(transfer);
        } else if self.is_kin && outgoing.sent < outgoing.len {
            outgoing.is_called_off = true;
        } else {
            return false;
        }
        self.pump(now);
        self.settle();
        true
    }

    /// The driver has ended a transfer early, after `written` bytes of it, because it cannot go on; with an
    /// END of its own if it had begun. No receiver takes that for a bundle.
    pub fn handle_failed(&mut self, now: Time, transfer: TransferId, written: u64) {
        self.queue.retain(|queued| *queued != transfer);
        if written == 0 {
            self.outgoing.remove(&transfer);
        } else if let Some(outgoing) = self.outgoing.get_mut(&transfer) {
            outgoing.is_called_off = true;
            outgoing.sent = written;
            outgoing.expected.retain(|ack| ack.len <= written);
            outgoing.expected.push_back(Ack { flags: SegmentFlags::END, transfer, len: written });
        }
        self.pump(now);
        self.settle();
    }

    pub(super) fn acked(&mut self, now: Time, ack: Ack) {
        let Some(outgoing) = self.outgoing.get_mut(&ack.transfer) else {
            return self.say(now, Message::Reject { code: RejectCode::UNEXPECTED, kind: kind::ACK });
        };
        let is_expected = match self.terms.lax.ack_flags || self.terms.is_serial {
            true => ack.len <= outgoing.sent,
            false => outgoing.expected.pop_front() == Some(ack),
        };
        if !is_expected {
            return self.violated(now, RejectCode::UNSUPPORTED, kind::ACK);
        }
        outgoing.acked = outgoing.acked.max(ack.len);
        let is_over = match outgoing.is_called_off {
            true => ack.flags.is_end() || outgoing.expected.is_empty(),
            false => outgoing.acked == outgoing.len,
        };
        if is_over {
            let is_told = outgoing.is_told();
            self.forget(ack.transfer);
            if is_told {
                self.outputs.push_back(Output::Delivered(ack.transfer));
            }
            self.pump(now);
        }
    }

    pub(super) fn refused(&mut self, now: Time, transfer: TransferId, code: RefuseCode) {
        // One that was called off, or refused while it was being stored, is known no longer.
        let Some(outgoing) = self.outgoing.get(&transfer) else { return };
        let is_told = outgoing.is_told();
        self.forget(transfer);
        if is_told {
            self.outputs.push_back(Output::Refused(transfer, code));
        }
        self.pump(now);
    }

    fn forget(&mut self, transfer: TransferId) {
        self.outgoing.remove(&transfer);
        self.queue.retain(|queued| *queued != transfer);
    }

    /// Transfers that have not begun do not begin any more.
    pub(super) fn drop_waiting(&mut self) {
        self.outgoing.retain(|_, outgoing| outgoing.sent > 0);
        let outgoing = &self.outgoing;
        self.queue.retain(|transfer| outgoing.contains_key(transfer));
    }

    /// Whether nothing before `transfer` keeps it from going.
    fn may_go(&self, transfer: TransferId) -> bool {
        let first = self.outgoing.first_key_value();
        !self.terms.is_serial
            || first.is_none_or(|(first, outgoing)| *first == transfer || outgoing.sent == 0)
    }

    /// Gives the driver segments as far as it is not too far behind.
    fn pump(&mut self, now: Time) {
        while self.ahead < AHEAD_BYTES
            && let Some(transfer) = self.queue.front().copied()
            && self.may_go(transfer)
        {
            let outgoing = self.outgoing.get_mut(&transfer).expect("what waits is known");
            if let Some(frame) = outgoing.frame.take() {
                outgoing.sent = outgoing.len;
                let ack = Ack { flags: SegmentFlags::of(true, true), transfer, len: outgoing.len };
                outgoing.expected.push_back(ack);
                self.queue.pop_front();
                self.say(now, Message::Carried { transfer, frame });
                continue;
            }
            let left = if outgoing.is_called_off { 0 } else { outgoing.len - outgoing.sent };
            let data_len = left.min(self.segment_max);
            let (is_first, is_last) = (outgoing.sent == 0, data_len == left);
            let flags = SegmentFlags::of(is_first, is_last);
            let mut extensions = Vec::new();
            if is_first && !is_last {
                extensions.push(Extension::number(Extension::TRANSFER_LENGTH, false, outgoing.len));
            }
            if is_first && outgoing.resume > 0 {
                extensions.push(Extension::number(Extension::RESUME, true, outgoing.resume));
            }
            outgoing.sent += data_len;
            outgoing.expected.push_back(Ack { flags, transfer, len: outgoing.sent });
            if is_last {
                self.queue.pop_front();
            }
            self.ahead += data_len;
            self.say(now, Message::Segment(Segment { flags, transfer, extensions, data_len }));
        }
    }
}
