//! Messages of QUICCLv1 as bytes, and bytes as messages (draft-caini-dtn-quiccl; `bundle-spec/roads.md` says
//! how we read it).
//!
//! The messages are those of TCPCLv4 with other numbers and some more fields; the session deals in the
//! former. What only the bytes know, the number of a segment and its bundle's length, stands in a `Place`
//! beside them. No length is believed before it was compared with its limit. Knows no stream.

use bytes::{BufMut, Bytes, BytesMut};

use crate::cla::tcpclv4::{
    codec::{DecodeError, NODE_BYTES_MAX, Reader, Unit, fits, put_extensions},
    message::{
        Ack, Extension, Init, Message, RefuseCode, RejectCode, Segment, SegmentFlags, TerminateCode,
        TransferId, kind as tcpclv4,
    },
};

/// First bytes of the messages.
pub(super) mod kind {
    /// SESS_INIT.
    pub const INIT: u8 = 0x01;
    /// XFER_SEGMENT.
    pub const SEGMENT: u8 = 0x02;
    /// XFER_ACK.
    pub const ACK: u8 = 0x03;
    /// XFER_REFUSE.
    pub const REFUSE: u8 = 0x04;
    /// KEEPALIVE.
    pub const KEEPALIVE: u8 = 0x05;
    /// SESS_TERM.
    pub const TERMINATE: u8 = 0x06;
    /// MSG_REJECT.
    pub const REJECT: u8 = 0x07;
}

/// Extension item of a transfer that is of another service than the reliable one: not on the wire, but how
/// the session is told what it cannot follow. In the range for private use.
pub(super) const SERVICE: u16 = 0xba62;
/// The only service that is offered; notified is 1, unreliable 2.
const RELIABLE: u8 = 0;
/// No segment comes in a datagram.
const DATAGRAM_MRU: u64 = 0;
const REPLY: u8 = 0x01;

/// Which segment of its bundle one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Counted from 0.
    pub(super) number: u16,
    /// How many there are.
    pub(super) count: u16,
    /// How long the bundle is, in bytes.
    pub(super) bundle_len: u64,
}

/// The message as bytes. `place` is that of the segment, or of the one that is acknowledged. A segment's data
/// follows it.
///
/// # Panics
/// On a frame between nodes of pannier: they do not recognise each other here.
pub(super) fn encode(message: &Message, place: Place) -> Bytes {
    let mut out = BytesMut::with_capacity(48);
    match message {
        Message::Init(init) => put_init(&mut out, init),
        Message::Segment(segment) => put_segment(&mut out, segment, place),
        Message::Ack(ack) => {
            out.put_slice(&[kind::ACK, ack.flags.0]);
            out.put_u16(place.number);
            out.put_u64(ack.transfer.0);
            out.put_u64(ack.len);
        }
        Message::Refuse { transfer, code } => {
            out.put_slice(&[kind::REFUSE, code.0]);
            out.put_u64(transfer.0);
        }
        Message::Keepalive => out.put_u8(kind::KEEPALIVE),
        Message::Terminate { is_reply, code } => {
            out.put_slice(&[kind::TERMINATE, if *is_reply { REPLY } else { 0 }, code.0]);
            put_extensions(&mut out, &[]);
        }
        Message::Reject { code, kind: rejected } => {
            // Reasons have the order of TCPCLv4 and begin one lower.
            out.put_slice(&[kind::REJECT, number_of(*rejected), code.0.saturating_sub(1)]);
        }
        Message::Frame(_) | Message::Carried { .. } => {
            unreachable!("frames are said only where a greeting allows them")
        }
    }
    out.freeze()
}

fn put_init(out: &mut BytesMut, init: &Init) {
    out.put_u8(kind::INIT);
    out.put_u16(init.keepalive_seconds);
    out.put_u64(init.segment_mru);
    out.put_u64(DATAGRAM_MRU);
    out.put_u64(init.transfer_mru);
    out.put_u16(u16::try_from(init.node.len()).expect("a node ID is at most 1,024 bytes"));
    out.put_slice(init.node.as_bytes());
    put_extensions(out, &init.extensions);
}

fn put_segment(out: &mut BytesMut, segment: &Segment, place: Place) {
    out.put_slice(&[kind::SEGMENT, segment.flags.0]);
    out.put_u16(place.number);
    out.put_u16(place.count);
    out.put_u64(segment.transfer.0);
    if segment.flags.is_start() {
        // The length has a field of its own.
        let has_no_field = |item: &&Extension| item.kind != Extension::TRANSFER_LENGTH;
        put_extensions(out, &segment.extensions.iter().filter(has_no_field).cloned().collect::<Vec<_>>());
    }
    out.put_u64(segment.data_len);
    out.put_u64(place.bundle_len);
    out.put_u8(RELIABLE);
}

/// The number of a message that has another one in TCPCLv4; of one that has none there its own.
fn number_of(tcpclv4_kind: u8) -> u8 {
    match tcpclv4_kind {
        tcpclv4::INIT => kind::INIT,
        tcpclv4::SEGMENT => kind::SEGMENT,
        tcpclv4::ACK => kind::ACK,
        tcpclv4::REFUSE => kind::REFUSE,
        tcpclv4::KEEPALIVE => kind::KEEPALIVE,
        tcpclv4::TERMINATE => kind::TERMINATE,
        tcpclv4::REJECT => kind::REJECT,
        other => other,
    }
}

/// Reads messages from the bytes of one stream as they come.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// How many bytes of the segment's data are still to come.
    data_left: u64,
}

impl Decoder {
    /// Whether the data of a segment is still to come.
    pub(super) const fn is_inside(&self) -> bool {
        self.data_left > 0
    }

    /// Takes the next unit from the front of `buffer`; `None` if more bytes are needed. The place is that of
    /// a segment, and of no use with anything else.
    ///
    /// # Errors
    /// See [`DecodeError`]; nothing that follows on that stream can be read then.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<(Unit, Place)>, DecodeError> {
        if self.data_left > 0 {
            let len = buffer.len().min(usize::try_from(self.data_left).unwrap_or(usize::MAX));
            self.data_left -= u64::try_from(len).expect("a length fits 64 bits");
            let data = (len > 0).then(|| Unit::Data(buffer.split_to(len).freeze()));
            return Ok(data.map(|data| (data, Place::default())));
        }
        let mut reader = Reader { bytes: buffer };
        let Some((message, place)) = message(&mut reader)? else { return Ok(None) };
        let left = reader.bytes.len();
        let _ = buffer.split_to(buffer.len() - left);
        if let Message::Segment(segment) = &message {
            self.data_left = segment.data_len;
        }
        Ok(Some((Unit::Message(message), place)))
    }
}

/// A message at the front of what is there. `None`, here and below: more bytes are needed.
fn message(reader: &mut Reader<'_>) -> Result<Option<(Message, Place)>, DecodeError> {
    let Some(first) = reader.u8() else { return Ok(None) };
    let message = match first {
        kind::INIT => init(reader)?,
        kind::SEGMENT => return segment(reader),
        kind::ACK => ack(reader),
        kind::REFUSE => refuse(reader),
        kind::KEEPALIVE => Some(Message::Keepalive),
        kind::TERMINATE => terminate(reader)?,
        kind::REJECT => reject(reader),
        other => return Err(DecodeError::Kind(other)),
    };
    Ok(message.map(|message| (message, Place::default())))
}

fn init(reader: &mut Reader<'_>) -> Result<Option<Message>, DecodeError> {
    let Some((keepalive_seconds, segment_mru, transfer_mru)) = limits(reader) else { return Ok(None) };
    let Some(len) = reader.u16() else { return Ok(None) };
    let len = fits("a node ID", len.into(), NODE_BYTES_MAX)?;
    let Some(node) = reader.take(len) else { return Ok(None) };
    let node = std::str::from_utf8(node).map_err(|_| DecodeError::Malformed("a node ID"))?.to_owned();
    let Some(extensions) = reader.extensions()? else { return Ok(None) };
    Ok(Some(Message::Init(Init { keepalive_seconds, segment_mru, transfer_mru, node, extensions })))
}

fn limits(reader: &mut Reader<'_>) -> Option<(u16, u64, u64)> {
    let (keepalive_seconds, segment_mru) = (reader.u16()?, reader.u64()?);
    // Nothing goes in datagrams, however long they may be.
    let _datagram_mru = reader.u64()?;
    Some((keepalive_seconds, segment_mru, reader.u64()?))
}

fn segment(reader: &mut Reader<'_>) -> Result<Option<(Message, Place)>, DecodeError> {
    let Some((flags, number, count, transfer)) = segment_head(reader) else { return Ok(None) };
    let listed = if flags.is_start() { reader.extensions()? } else { Some(Vec::new()) };
    let Some(listed) = listed else { return Ok(None) };
    let Some((data_len, bundle_len, service)) = segment_lengths(reader) else { return Ok(None) };
    let mut extensions = Vec::new();
    if flags.is_start() {
        extensions.push(Extension::number(Extension::TRANSFER_LENGTH, false, bundle_len));
        if service != RELIABLE {
            extensions.push(Extension::number(SERVICE, true, service.into()));
        }
        extensions.extend(listed);
    }
    let segment = Segment { flags, transfer, extensions, data_len };
    Ok(Some((Message::Segment(segment), Place { number, count, bundle_len })))
}

fn segment_head(reader: &mut Reader<'_>) -> Option<(SegmentFlags, u16, u16, TransferId)> {
    Some((SegmentFlags(reader.u8()?), reader.u16()?, reader.u16()?, TransferId(reader.u64()?)))
}

fn segment_lengths(reader: &mut Reader<'_>) -> Option<(u64, u64, u8)> {
    Some((reader.u64()?, reader.u64()?, reader.u8()?))
}

fn ack(reader: &mut Reader<'_>) -> Option<Message> {
    let flags = SegmentFlags(reader.u8()?);
    // What counts is how much has come.
    let _number = reader.u16()?;
    Some(Message::Ack(Ack { flags, transfer: TransferId(reader.u64()?), len: reader.u64()? }))
}

fn refuse(reader: &mut Reader<'_>) -> Option<Message> {
    let code = RefuseCode(reader.u8()?);
    Some(Message::Refuse { code, transfer: TransferId(reader.u64()?) })
}

fn terminate(reader: &mut Reader<'_>) -> Result<Option<Message>, DecodeError> {
    let (Some(flags), Some(code)) = (reader.u8(), reader.u8()) else { return Ok(None) };
    let Some(_) = reader.extensions()? else { return Ok(None) };
    Ok(Some(Message::Terminate { is_reply: flags & REPLY != 0, code: TerminateCode(code) }))
}

fn reject(reader: &mut Reader<'_>) -> Option<Message> {
    let kind = reader.u8()?;
    Some(Message::Reject { code: RejectCode(reader.u8()?.saturating_add(1)), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0102030405060708";
    const TRANSFER: TransferId = TransferId(0x0102_0304_0506_0708);

    #[test]
    fn messages_have_the_bytes_that_the_draft_gives_them() {
        let place = Place { number: 2, count: 5, bundle_len: 0x0900 };
        let init = Init {
            keepalive_seconds: 30,
            segment_mru: 64_000,
            transfer_mru: 1 << 32,
            node: "dtn://a/".to_owned(),
            extensions: Vec::new(),
        };
        let datagram_mru = "0".repeat(16);
        let cases = [
            (
                Message::Init(init),
                format!("01001e000000000000fa00{datagram_mru}0000000100000000000864746e3a2f2f612f00000000"),
            ),
            (segment(false, false, 3), format!("020000020005{ID}{:016x}{:016x}00", 3, 0x0900)),
            (segment(false, true, 3), format!("020100020005{ID}{:016x}{:016x}00", 3, 0x0900)),
            (segment(true, false, 3), format!("020200020005{ID}00000000{:016x}{:016x}00", 3, 0x0900)),
            (
                Message::Ack(Ack { flags: SegmentFlags(3), transfer: TRANSFER, len: 5 }),
                format!("03030002{ID}{:016x}", 5),
            ),
            (Message::Refuse { transfer: TRANSFER, code: RefuseCode::NO_RESOURCES }, format!("0402{ID}")),
            (Message::Keepalive, "05".to_owned()),
            (Message::Terminate { is_reply: true, code: TerminateCode::BUSY }, "06010300000000".to_owned()),
            (Message::Reject { code: RejectCode::UNEXPECTED, kind: tcpclv4::SEGMENT }, "070202".to_owned()),
            (Message::Reject { code: RejectCode::TYPE_UNKNOWN, kind: 0x42 }, "074200".to_owned()),
        ];
        for (message, bytes) in cases {
            let encoded = encode(&message, place);
            assert_eq!(hex(&encoded), bytes, "{message:?}");
            reads_back(&encoded, place);
        }
    }

    #[test]
    fn a_segment_of_another_service_is_said_to_be_what_cannot_be_followed() {
        for (service, is_strange) in [(0_u8, false), (1, true), (2, true)] {
            let start = segment(true, true, 0);
            let mut bytes = BytesMut::from(encode(&start, Place::default()).as_ref());
            *bytes.last_mut().unwrap() = service;
            let read = Decoder::default().next(&mut bytes).unwrap().unwrap().0;
            let Unit::Message(Message::Segment(segment)) = read else { panic!("{read:?}") };
            let strange = segment.extensions.iter().filter(|item| item.is_critical).collect::<Vec<_>>();
            assert_eq!(!strange.is_empty(), is_strange);
            assert!(strange.iter().all(|item| item.kind == SERVICE));
        }
    }

    #[test]
    fn a_segment_s_data_is_given_as_it_comes() {
        let mut decoder = Decoder::default();
        let mut buffer = BytesMut::from(encode(&segment(false, false, 5), Place::default()).as_ref());
        assert!(decoder.next(&mut buffer).unwrap().is_some());
        assert_eq!(decoder.next(&mut buffer), Ok(None));
        let data = |bytes| Ok(Some((Unit::Data(Bytes::from_static(bytes)), Place::default())));
        buffer.put_slice(b"ab");
        assert_eq!(decoder.next(&mut buffer), data(b"ab"));
        buffer.put_slice(b"cde\x05");
        assert_eq!(decoder.next(&mut buffer), data(b"cde"));
        let keepalive = Unit::Message(Message::Keepalive);
        assert_eq!(decoder.next(&mut buffer), Ok(Some((keepalive, Place::default()))));
    }

    #[test]
    fn lengths_beyond_their_limits_are_refused_before_anything_comes() {
        let error = |bytes: &[u8]| Decoder::default().next(&mut BytesMut::from(bytes)).unwrap_err();
        let init = [&[kind::INIT][..], &[0; 26], &[0xff, 0xff]].concat();
        assert!(matches!(error(&init), DecodeError::TooLong { what: "a node ID", len: 65_535, .. }));
        let items = [&[kind::SEGMENT, 2][..], &[0; 12], &[0xff; 4]].concat();
        assert!(matches!(error(&items), DecodeError::TooLong { len: 0xffff_ffff, .. }));
        assert!(matches!(error(&[kind::TERMINATE, 0, 0, 1, 0, 0, 0]), DecodeError::TooLong { .. }));
        for unknown in [0, 8, 0xf0] {
            assert_eq!(error(&[unknown]), DecodeError::Kind(unknown));
        }
    }

    #[test]
    fn no_bytes_make_the_message_reader_panic() {
        bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
            let mut decoder = Decoder::default();
            let mut buffer = BytesMut::from(bytes);
            while let Ok(Some((unit, place))) = decoder.next(&mut buffer) {
                let Unit::Message(message) = unit else { continue };
                if !matches!(message, Message::Reject { .. }) {
                    reads_back(&encode(&message, place), place);
                }
            }
        });
    }

    /// That the bytes are one message, not before the last of them, which has the same bytes.
    fn reads_back(bytes: &Bytes, place: Place) {
        for cut in 0..bytes.len() {
            let mut part = BytesMut::from(&bytes[..cut]);
            assert_eq!(Decoder::default().next(&mut part), Ok(None), "{} at {cut}", hex(bytes));
            assert_eq!(part.len(), cut, "nothing is taken before all is there");
        }
        let mut whole = BytesMut::from(bytes.as_ref());
        let Ok(Some((Unit::Message(message), read))) = Decoder::default().next(&mut whole) else {
            panic!("{}", hex(bytes));
        };
        assert!(whole.is_empty());
        if let Message::Segment(_) = message {
            assert_eq!(read, place);
        }
        if !matches!(message, Message::Reject { .. }) {
            assert_eq!(encode(&message, place), bytes);
        }
    }

    fn segment(is_first: bool, is_last: bool, data_len: u64) -> Message {
        let flags = SegmentFlags::of(is_first, is_last);
        Message::Segment(Segment { flags, transfer: TRANSFER, extensions: Vec::new(), data_len })
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
