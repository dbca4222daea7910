//! Messages as bytes, and bytes as messages (RFC 9174 §4.2, §5).
//!
//! A reader gives messages as soon as they are there, and a segment's data as it comes, so that no segment is
//! ever kept whole. No length is believed before it was compared with its limit. Called by the driver of a
//! connection; knows no socket.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::message::{
    Ack, Extension, Init, Message, RefuseCode, RejectCode, Segment, SegmentFlags, TerminateCode, TransferId,
    kind,
};
use crate::cla::frame::FRAME_BYTES_MAX;

/// How long a contact header is, in bytes.
pub const CONTACT_BYTES: usize = 6;
/// Longest node ID that is read, in bytes.
pub(in crate::cla) const NODE_BYTES_MAX: usize = 1024;
/// How many bytes the length before a frame has.
const FRAME_HEAD: usize = 4;
/// How many bytes stand before the value of an extension item.
const EXTENSION_HEAD: usize = 5;
/// The data of a transfer that carries a frame: nothing that a bundle may begin with.
const NO_BUNDLE: [u8; 1] = [0];
/// Most bytes of extension items in one message: one item of the greatest length.
const EXTENSION_BYTES_MAX: usize = EXTENSION_HEAD + 0xffff;
/// Most extension items in one message.
const EXTENSIONS_MAX: usize = 64;
const MAGIC: &[u8; 4] = b"dtn!";
const VERSION: u8 = 4;
const CAN_TLS: u8 = 0x01;
const CRITICAL: u8 = 0x01;
const REPLY: u8 = 0x01;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a contact header of this protocol.
    #[error("what came first is no contact header of TCPCL; is there another service on that port?")]
    Magic,
    /// Another version.
    #[error("the peer speaks version {0} of TCPCL, and only version 4 is spoken here")]
    Version(u8),
    /// A type that this program does not know; where its message ends is not known either.
    #[error("a message of the unknown type {0:#04x}")]
    Kind(u8),
    /// A type that is known, on a stream where it must not be.
    #[error("a message of type {0:#04x} on a stream that does not carry it")]
    Misplaced(u8),
    /// Longer than is read.
    #[error("{what} of {len} bytes is longer than {max}")]
    TooLong {
        /// What.
        what: &'static str,
        /// What its length field says.
        len: u64,
        /// What it may have.
        max: usize,
    },
    /// Extension items that do not fill the length that was announced for them, or a node ID that is no text.
    #[error("{0} is not as specified")]
    Malformed(&'static str),
}

/// The contact header (RFC 9174 §4.2).
#[must_use]
pub fn contact(can_tls: bool) -> [u8; CONTACT_BYTES] {
    let flags = if can_tls { CAN_TLS } else { 0 };
    [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], VERSION, flags]
}

/// Reads a contact header: whether the peer can do TLS.
///
/// # Errors
/// `Magic` or `Version`.
pub fn read_contact(bytes: &[u8; CONTACT_BYTES]) -> Result<bool, DecodeError> {
    let [magic @ .., version, flags] = bytes;
    if magic != MAGIC {
        return Err(DecodeError::Magic);
    }
    if *version != VERSION {
        return Err(DecodeError::Version(*version));
    }
    Ok(flags & CAN_TLS != 0)
}

/// The message as bytes. A segment's data follows it.
#[must_use]
pub fn encode(message: &Message) -> Bytes {
    let mut out = BytesMut::with_capacity(32);
    match message {
        Message::Init(init) => put_init(&mut out, init),
        Message::Segment(segment) => put_segment(&mut out, segment),
        Message::Ack(ack) => {
            out.put_slice(&[kind::ACK, ack.flags.0]);
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
        }
        Message::Reject { code, kind: rejected } => out.put_slice(&[kind::REJECT, code.0, *rejected]),
        Message::Frame(frame) => {
            out.put_u8(kind::FRAME);
            out.put_slice(frame);
        }
        Message::Carried { transfer, frame } => {
            let item = Extension { is_critical: true, kind: Extension::FRAME, value: frame.clone() };
            let flags = SegmentFlags::of(true, true);
            let (extensions, data_len) = (vec![item], wide(NO_BUNDLE.len()));
            put_segment(&mut out, &Segment { flags, transfer: *transfer, extensions, data_len });
            out.put_slice(&NO_BUNDLE);
        }
    }
    out.freeze()
}

fn put_init(out: &mut BytesMut, init: &Init) {
    out.put_u8(kind::INIT);
    out.put_u16(init.keepalive_seconds);
    out.put_u64(init.segment_mru);
    out.put_u64(init.transfer_mru);
    out.put_u16(u16::try_from(init.node.len()).expect("a node ID is at most 1,024 bytes"));
    out.put_slice(init.node.as_bytes());
    put_extensions(out, &init.extensions);
}

fn put_segment(out: &mut BytesMut, segment: &Segment) {
    out.put_slice(&[kind::SEGMENT, segment.flags.0]);
    out.put_u64(segment.transfer.0);
    if segment.flags.is_start() {
        put_extensions(out, &segment.extensions);
    }
    out.put_u64(segment.data_len);
}

pub(in crate::cla) fn put_extensions(out: &mut BytesMut, extensions: &[Extension]) {
    let len: usize = extensions.iter().map(|item| EXTENSION_HEAD + item.value.len()).sum();
    out.put_u32(u32::try_from(len).expect("what is said in extension items is short"));
    for item in extensions {
        out.put_u8(if item.is_critical { CRITICAL } else { 0 });
        out.put_u16(item.kind);
        out.put_u16(u16::try_from(item.value.len()).expect("what is said in extension items is short"));
        out.put_slice(&item.value);
    }
}

/// What a reader gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A message.
    Message(Message),
    /// The next data of the segment before it; never empty.
    Data(Bytes),
}

/// Reads messages from bytes as they come.
#[derive(Debug, Default)]
pub struct Decoder {
    /// How many bytes of the segment's data are still to come.
    data_left: u64,
}

impl Decoder {
    /// Takes the next unit from the front of `buffer`; `None` if more bytes are needed.
    ///
    /// # Errors
    /// See [`DecodeError`]; nothing that follows can be read then.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Unit>, DecodeError> {
        if self.data_left > 0 {
            let len = buffer.len().min(usize::try_from(self.data_left).unwrap_or(usize::MAX));
            self.data_left -= wide(len);
            return Ok((len > 0).then(|| Unit::Data(buffer.split_to(len).freeze())));
        }
        let mut reader = Reader { bytes: buffer };
        let Some(message) = reader.message()? else { return Ok(None) };
        let used = buffer.len() - reader.bytes.len();
        // A frame keeps its bytes: they are not copied.
        let taken = buffer.split_to(used).freeze();
        let message = match message {
            Message::Frame(_) => Message::Frame(taken.slice(1..)),
            other => other,
        };
        if let Message::Segment(segment) = &message {
            self.data_left = segment.data_len;
        }
        Ok(Some(Unit::Message(message)))
    }
}

/// Reads at the front of what is there. `None` everywhere: more bytes are needed.
pub(in crate::cla) struct Reader<'a> {
    pub(in crate::cla) bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn message(&mut self) -> Result<Option<Message>, DecodeError> {
        let Some(first) = self.u8() else { return Ok(None) };
        match first {
            kind::INIT => Ok(self.init()?.map(Message::Init)),
            kind::SEGMENT => self.transfer(),
            kind::ACK => Ok(self.ack().map(Message::Ack)),
            kind::REFUSE => Ok(self.refuse()),
            kind::KEEPALIVE => Ok(Some(Message::Keepalive)),
            kind::TERMINATE => Ok(self.terminate()),
            kind::REJECT => Ok(self.reject()),
            kind::FRAME => self.frame(),
            other => Err(DecodeError::Kind(other)),
        }
    }

    fn init(&mut self) -> Result<Option<Init>, DecodeError> {
        let Some((keepalive_seconds, segment_mru, transfer_mru)) = self.limits() else { return Ok(None) };
        let Some(len) = self.u16() else { return Ok(None) };
        let len = fits("a node ID", len.into(), NODE_BYTES_MAX)?;
        let Some(node) = self.take(len) else { return Ok(None) };
        let node = std::str::from_utf8(node).map_err(|_| DecodeError::Malformed("a node ID"))?.to_owned();
        let Some(extensions) = self.extensions()? else { return Ok(None) };
        Ok(Some(Init { keepalive_seconds, segment_mru, transfer_mru, node, extensions }))
    }

    fn limits(&mut self) -> Option<(u16, u64, u64)> {
        Some((self.u16()?, self.u64()?, self.u64()?))
    }

    /// A segment, or with its data the one of a transfer that carries a frame.
    fn transfer(&mut self) -> Result<Option<Message>, DecodeError> {
        let Some(mut segment) = self.segment()? else { return Ok(None) };
        let is_frame = match segment.extensions.as_slice() {
            [item] => item.kind == Extension::FRAME,
            _ => false,
        };
        let is_alone = segment.flags.is_end() && segment.data_len == wide(NO_BUNDLE.len());
        if !(is_frame && is_alone) {
            return Ok(Some(Message::Segment(segment)));
        }
        let frame = segment.extensions.swap_remove(0).value;
        if frame.len() < FRAME_HEAD || frame.len() > FRAME_HEAD + FRAME_BYTES_MAX {
            return Err(DecodeError::Malformed("a frame"));
        }
        let transfer = segment.transfer;
        Ok(self.take(NO_BUNDLE.len()).map(|_| Message::Carried { transfer, frame }))
    }

    fn segment(&mut self) -> Result<Option<Segment>, DecodeError> {
        let (Some(flags), Some(transfer)) = (self.u8(), self.u64()) else { return Ok(None) };
        let flags = SegmentFlags(flags);
        let extensions = if flags.is_start() { self.extensions()? } else { Some(Vec::new()) };
        let (Some(extensions), Some(data_len)) = (extensions, self.u64()) else { return Ok(None) };
        Ok(Some(Segment { flags, transfer: TransferId(transfer), extensions, data_len }))
    }

    pub(in crate::cla) fn extensions(&mut self) -> Result<Option<Vec<Extension>>, DecodeError> {
        const WHAT: &str = "the list of extension items";
        let Some(len) = self.u32() else { return Ok(None) };
        let len = fits(WHAT, len.into(), EXTENSION_BYTES_MAX)?;
        let Some(list) = self.take(len) else { return Ok(None) };
        let mut list = Reader { bytes: list };
        let mut items = Vec::new();
        while !list.bytes.is_empty() {
            let item = list.extension().ok_or(DecodeError::Malformed(WHAT))?;
            if items.len() == EXTENSIONS_MAX {
                return Err(DecodeError::Malformed(WHAT));
            }
            items.push(item);
        }
        Ok(Some(items))
    }

    fn extension(&mut self) -> Option<Extension> {
        let (flags, kind, len) = (self.u8()?, self.u16()?, self.u16()?);
        let value = Bytes::copy_from_slice(self.take(len.into())?);
        Some(Extension { is_critical: flags & CRITICAL != 0, kind, value })
    }

    fn ack(&mut self) -> Option<Ack> {
        let flags = SegmentFlags(self.u8()?);
        Some(Ack { flags, transfer: TransferId(self.u64()?), len: self.u64()? })
    }

    fn refuse(&mut self) -> Option<Message> {
        let code = RefuseCode(self.u8()?);
        Some(Message::Refuse { code, transfer: TransferId(self.u64()?) })
    }

    fn terminate(&mut self) -> Option<Message> {
        let is_reply = self.u8()? & REPLY != 0;
        Some(Message::Terminate { is_reply, code: TerminateCode(self.u8()?) })
    }

    fn reject(&mut self) -> Option<Message> {
        Some(Message::Reject { code: RejectCode(self.u8()?), kind: self.u8()? })
    }

    /// The bytes of a frame are taken by the caller.
    fn frame(&mut self) -> Result<Option<Message>, DecodeError> {
        let Some(len) = self.u32() else { return Ok(None) };
        let len = fits("a frame", len.into(), FRAME_BYTES_MAX)?;
        Ok(self.take(len).map(|_| Message::Frame(Bytes::new())))
    }

    pub(in crate::cla) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    pub(in crate::cla) fn u8(&mut self) -> Option<u8> {
        self.bytes.try_get_u8().ok()
    }

    pub(in crate::cla) fn u16(&mut self) -> Option<u16> {
        self.bytes.try_get_u16().ok()
    }

    pub(in crate::cla) fn u32(&mut self) -> Option<u32> {
        self.bytes.try_get_u32().ok()
    }

    pub(in crate::cla) fn u64(&mut self) -> Option<u64> {
        self.bytes.try_get_u64().ok()
    }
}

pub(in crate::cla) fn fits(what: &'static str, len: u64, max: usize) -> Result<usize, DecodeError> {
    usize::try_from(len).ok().filter(|len| *len <= max).ok_or(DecodeError::TooLong { what, len, max })
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_bytes_of_the_rfc() {
        let transfer = TransferId(0x0102_0304_0506_0708);
        let id = "0102030405060708";
        let start = Segment {
            flags: SegmentFlags::of(true, false),
            transfer,
            extensions: vec![Extension::number(Extension::TRANSFER_LENGTH, true, 5)],
            data_len: 3,
        };
        let end =
            Segment { flags: SegmentFlags::of(false, true), extensions: Vec::new(), data_len: 2, transfer };
        let init = Init {
            keepalive_seconds: 30,
            segment_mru: 64_000,
            transfer_mru: 1 << 32,
            node: "dtn://a/".to_owned(),
            extensions: Vec::new(),
        };
        let cases = [
            (
                Message::Init(init),
                "07001e000000000000fa000000000100000000000864746e3a2f2f612f00000000".to_owned(),
            ),
            (Message::Segment(start), format!("0102{id}0000000d01000100080000000000000005{:016x}", 3)),
            (Message::Segment(end), format!("0101{id}{:016x}", 2)),
            (Message::Ack(Ack { flags: SegmentFlags(3), transfer, len: 5 }), format!("0203{id}{:016x}", 5)),
            (Message::Refuse { transfer, code: RefuseCode::NO_RESOURCES }, format!("0302{id}")),
            (Message::Keepalive, "04".to_owned()),
            (Message::Terminate { is_reply: true, code: TerminateCode::BUSY }, "050103".to_owned()),
            (Message::Reject { code: RejectCode::UNEXPECTED, kind: 0x42 }, "060342".to_owned()),
            (Message::Frame(Bytes::from_static(&[0, 0, 0, 2, 0x81, 0x05])), "f0000000028105".to_owned()),
            (
                Message::Carried { transfer, frame: Bytes::from_static(&[0, 0, 0, 2, 0x81, 0x05]) },
                format!("0103{id}0000000b01ba620006000000028105{:016x}00", 1),
            ),
        ];
        for (message, bytes) in cases {
            assert_eq!(hex(&encode(&message)), bytes, "{message:?}");
            reads_back(&message);
        }
        assert_eq!(hex(&contact(true)), "64746e210401");
        assert_eq!(hex(&contact(false)), "64746e210400");
    }

    #[test]
    fn another_service_and_another_version_are_told_apart() {
        assert_eq!(read_contact(&contact(true)), Ok(true));
        assert_eq!(read_contact(&contact(false)), Ok(false));
        assert_eq!(read_contact(b"dtn!\x04\xfe"), Ok(false));
        assert_eq!(read_contact(b"dtn!\x03\x00"), Err(DecodeError::Version(3)));
        assert_eq!(read_contact(b"GET / "), Err(DecodeError::Magic));
    }

    #[test]
    fn a_segment_s_data_is_given_as_it_comes() {
        let head =
            Segment { flags: SegmentFlags(0), transfer: TransferId(1), extensions: Vec::new(), data_len: 5 };
        let mut decoder = Decoder::default();
        let mut buffer = BytesMut::from(encode(&Message::Segment(head.clone())).as_ref());
        assert_eq!(decoder.next(&mut buffer), Ok(Some(Unit::Message(Message::Segment(head)))));
        assert_eq!(decoder.next(&mut buffer), Ok(None));
        buffer.put_slice(b"ab");
        assert_eq!(decoder.next(&mut buffer), Ok(Some(Unit::Data(Bytes::from_static(b"ab")))));
        buffer.put_slice(b"cde\x04");
        assert_eq!(decoder.next(&mut buffer), Ok(Some(Unit::Data(Bytes::from_static(b"cde")))));
        assert_eq!(decoder.next(&mut buffer), Ok(Some(Unit::Message(Message::Keepalive))));
    }

    #[test]
    fn lengths_beyond_their_limits_are_refused_before_anything_comes() {
        let error = |bytes: &[u8]| Decoder::default().next(&mut BytesMut::from(bytes)).unwrap_err();
        let init = [&[kind::INIT][..], &[0; 18], &[0xff, 0xff]].concat();
        assert!(matches!(error(&init), DecodeError::TooLong { what: "a node ID", len: 65_535, .. }));
        let items = [&[kind::SEGMENT, 2][..], &[0; 8], &[0xff; 4]].concat();
        assert!(matches!(error(&items), DecodeError::TooLong { len: 0xffff_ffff, .. }));
        assert!(matches!(error(&[kind::FRAME, 0, 1, 0, 1]), DecodeError::TooLong { .. }));
        let cut = [&[kind::SEGMENT, 2][..], &[0; 8], &[0, 0, 0, 6, 0, 0, 1, 0, 2, 7]].concat();
        assert!(matches!(error(&cut), DecodeError::Malformed(_)));
        assert_eq!(error(&[0x77]), DecodeError::Kind(0x77));
        let short = Message::Carried { transfer: TransferId(1), frame: Bytes::from_static(&[0, 0]) };
        assert!(matches!(error(&encode(&short)), DecodeError::Malformed(_)));
    }

    #[test]
    fn no_bytes_make_the_message_reader_panic() {
        bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
            let mut decoder = Decoder::default();
            let mut buffer = BytesMut::from(bytes);
            let mut again = Vec::new();
            while let Ok(Some(unit)) = decoder.next(&mut buffer) {
                match unit {
                    Unit::Message(message) => {
                        reads_back(&message);
                        again.extend_from_slice(&encode(&message));
                    }
                    Unit::Data(data) => again.extend_from_slice(&data),
                }
            }
            assert!(again.len() + buffer.len() == bytes.len(), "every byte belongs to one unit");
        });
    }

    fn reads_back(message: &Message) {
        let bytes = encode(message);
        for cut in 0..bytes.len() {
            let mut part = BytesMut::from(&bytes[..cut]);
            assert_eq!(Decoder::default().next(&mut part), Ok(None), "{message:?} at {cut}");
            assert_eq!(part.len(), cut, "nothing is taken before all is there");
        }
        let mut whole = BytesMut::from(bytes.as_ref());
        assert_eq!(Decoder::default().next(&mut whole), Ok(Some(Unit::Message(message.clone()))));
        assert!(whole.is_empty());
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
