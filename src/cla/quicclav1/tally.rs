//! The dialect of one session: which stream a message goes on, and what QUICCLv1 counts beside what the
//! session does. The drive calls it; it reads and writes nothing.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    message::{Place, encode},
    streams::Priority,
};
use crate::{
    cla::tcpclv4::{
        codec::Unit,
        dialect::{Dialect, Heard},
        message::{Extension, Lane, Message, Segment, SegmentFlags, TransferId},
        session::SEGMENT_BYTES,
    },
    node::mailbox::Outgoing,
};

/// Longest payload that goes before longer ones, in bytes: jobs, results, reports.
const NORMAL_BYTES_MAX: u64 = 64 * 1024;

/// A transfer that goes out.
struct Going {
    lane: Lane,
    /// The next segment's place.
    place: Place,
}

/// A transfer that comes in.
#[derive(Clone, Copy)]
struct Coming {
    lane: Lane,
    /// The number of its last segment.
    number: u16,
    /// Whether that was the end.
    is_whole: bool,
}

/// What the session's messages lack.
#[derive(Default)]
pub(super) struct Tally {
    going: BTreeMap<TransferId, Going>,
    /// What comes, or has come and is not acknowledged.
    coming: BTreeMap<TransferId, Coming>,
    /// What is refused while it comes: the rest of it is passed over.
    refused: BTreeMap<Lane, TransferId>,
}

impl Dialect for Tally {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn begin(&mut self, transfer: TransferId, outgoing: &Outgoing) {
        // Bundles have no priority (RFC 9171): it follows from what they are.
        let priority = if outgoing.header.primary().flags().is_administrative() {
            Priority::Expedited
        } else if outgoing.header.payload_len() <= NORMAL_BYTES_MAX {
            Priority::Normal
        } else {
            Priority::Bulk
        };
        let place =
            Place { bundle_len: outgoing.header.bundle_len().unwrap_or(u64::MAX), ..Place::default() };
        // Transfers before it are over, or soon refused: of them only refusals are still said.
        self.going.retain(|known, _| *known >= transfer);
        self.going.insert(transfer, Going { lane: priority.lane(), place });
    }

    fn hear(&mut self, heard: &mut Heard) {
        match &mut heard.unit {
            Ok(Unit::Message(Message::Segment(segment))) => {
                if self.refused.get(&heard.lane) != Some(&segment.transfer) || segment.flags.is_start() {
                    self.refused.remove(&heard.lane);
                    let (lane, number) = (heard.lane, heard.number);
                    let coming = Coming { lane, number, is_whole: segment.flags.is_end() };
                    self.coming.insert(segment.transfer, coming);
                }
            }
            Ok(Unit::Message(Message::Init(init))) => {
                // Segments are counted in 16 bits.
                let longest = init.segment_mru.min(SEGMENT_BYTES).saturating_mul(u16::MAX.into());
                init.transfer_mru = init.transfer_mru.min(longest);
            }
            Ok(Unit::Message(_) | Unit::Data(_)) | Err(_) => {}
        }
    }

    fn say(&mut self, message: &Message) -> (Lane, Bytes) {
        let (lane, place) = match message {
            Message::Segment(segment) => self.next_place(segment),
            Message::Ack(ack) => {
                let known = match ack.flags.is_end() {
                    true => self.coming.remove(&ack.transfer),
                    false => self.coming.get(&ack.transfer).copied(),
                };
                let Coming { lane, number, .. } = known.expect("what is acknowledged has come");
                (lane, Place { number, ..Place::default() })
            }
            Message::Refuse { transfer, .. } => {
                let Coming { lane, is_whole, .. } =
                    self.coming.remove(transfer).expect("what is refused has come");
                if !is_whole {
                    self.refused.insert(lane, *transfer);
                }
                (lane, Place::default())
            }
            Message::Init(_)
            | Message::Keepalive
            | Message::Terminate { .. }
            | Message::Reject { .. }
            | Message::Frame(_)
            | Message::Carried { .. } => (Lane::FIRST, Place::default()),
        };
        (lane, encode(message, place))
    }

    fn end(&self, transfer: TransferId) -> Bytes {
        let end = Segment { flags: SegmentFlags::END, transfer, extensions: Vec::new(), data_len: 0 };
        let place = self.going.get(&transfer).map(|going| going.place).unwrap_or_default();
        encode(&Message::Segment(end), place)
    }
}

impl Tally {
    /// Where the next segment of a transfer goes, and its place in it.
    fn next_place(&mut self, segment: &Segment) -> (Lane, Place) {
        let going = self.going.get_mut(&segment.transfer).expect("a transfer begins before its segments go");
        if segment.flags.is_start() {
            let is_len = |item: &&Extension| item.kind == Extension::TRANSFER_LENGTH;
            let len = segment.extensions.iter().find(is_len).and_then(Extension::as_number);
            let len = len.unwrap_or(segment.data_len);
            let count = len.div_ceil(segment.data_len.max(1)).max(1);
            going.place.bundle_len = len;
            going.place.count = u16::try_from(count).expect("longer transfers are not begun");
        }
        let place = going.place;
        going.place.number = place.number.saturating_add(1);
        (going.lane, place)
    }
}
