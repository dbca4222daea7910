//! What links say beside bundles: control frames, and the preamble before a bundle on a stream.
//!
//! A frame is a length of four bytes, big-endian, and that many bytes of deterministic CBOR, an array whose
//! first item says what it is (`bundle-spec/links.md`). The `quic` link reads and writes them; nothing here
//! knows sockets, and no length is believed before it was compared with its limit.

use bundle_spec::{BundleDigest, NodeId};
use bytes::{BufMut, Bytes, BytesMut};
use minicbor::{Decoder, Encoder, decode};

use crate::agent::Refusal;

/// Longest frame in bytes, without its length.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Longest ADU that fits a frame, in bytes: what is left of a frame behind type and length.
pub const ANNOUNCEMENT_BYTES_MAX: usize = FRAME_BYTES_MAX - 16;
/// Most interrupted transfers that a node offers to resume on one contact.
pub const PARTIALS_MAX: usize = 16;
/// Version of the control frames.
pub const VERSION: u64 = 1;
/// Longest preamble in bytes: an array of a small and a 64-bit integer.
pub const PREAMBLE_BYTES_MAX: usize = 11;

const NODE_TEXT_BYTES_MAX: usize = 1024;
const KIND_BUNDLE: u64 = 1;

/// What one side tells the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Who is there and what it takes. The first frame of each side.
    Hello(Hello),
    /// An ADU between agents: an advert, a summary, a want, a receipt, a cancellation.
    Announce(Bytes),
    /// The bundle is durable here.
    Stored(BundleDigest),
    /// The bundle is not taken.
    Refused(BundleDigest, Refusal),
    /// The transfer has ended early; so many bytes of the payload are kept here.
    Partial(BundleDigest, u64),
    /// What came on this stream, counted from 0 among the sender's, is no bundle that can be read here.
    Unreadable(u64),
    /// Nothing more will be said: the contact ends in good order.
    Bye,
    /// A frame of a type that this version does not know. It is passed over.
    Unknown(u64),
}

/// Who is there and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Which node.
    pub node: NodeId,
    /// Longest payload that it takes, in bytes.
    pub payload_max: u64,
    /// Transfers that it would go on with: how many bytes of which bundle's payload it has.
    pub partials: Vec<(BundleDigest, u64)>,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes is longer than {FRAME_BYTES_MAX}")]
    TooLong(u64),
    /// Not an array as specified for its type, or not deterministic.
    #[error("a frame that is not as specified")]
    Malformed,
    /// A version that this program does not speak.
    #[error("version {0} of the link protocol is unknown; update the older of the two nodes")]
    Version(u64),
}

impl From<decode::Error> for FrameError {
    fn from(_: decode::Error) -> Self {
        Self::Malformed
    }
}

impl Frame {
    /// The frame with its length before it.
    ///
    /// # Panics
    /// If it is longer than [`FRAME_BYTES_MAX`]: whoever announces compares with [`ANNOUNCEMENT_BYTES_MAX`]
    /// first.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let body = self.body();
        assert!(body.len() <= FRAME_BYTES_MAX, "announcements are compared with their limit");
        let mut out = BytesMut::with_capacity(4 + body.len());
        out.put_u32(u32::try_from(body.len()).expect("a frame is at most 64 KiB"));
        out.put_slice(&body);
        out.freeze()
    }

    /// Reads the CBOR of a frame, without its length.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn decode(body: &Bytes) -> Result<Self, FrameError> {
        if body.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong(u64::try_from(body.len()).expect("a length fits 64 bits")));
        }
        let mut decoder = Decoder::new(body);
        let items = decoder.array()?.ok_or(FrameError::Malformed)?;
        let frame = match (decoder.u64()?, items) {
            (0, 5) => Self::Hello(Hello::read(&mut decoder)?),
            (1, 2) => Self::Announce(body.slice_ref(decoder.bytes()?)),
            (2, 2) => Self::Stored(digest(&mut decoder)?),
            (3, 3) => Self::Refused(digest(&mut decoder)?, refusal(decoder.u64()?)?),
            (4, 3) => Self::Partial(digest(&mut decoder)?, decoder.u64()?),
            (5, 1) => Self::Bye,
            (6, 2) => Self::Unreadable(decoder.u64()?),
            (0..=6, _) => return Err(FrameError::Malformed),
            (other, _) => return Ok(Self::Unknown(other)),
        };
        // One form only: shortest integers, definite lengths, nothing behind.
        if frame.body() != body.as_ref() {
            return Err(FrameError::Malformed);
        }
        Ok(frame)
    }

    fn body(&self) -> Vec<u8> {
        let mut out = Encoder::new(Vec::with_capacity(64));
        let written = match self {
            Self::Hello(hello) => hello.write(&mut out),
            Self::Announce(adu) => out.array(2).and_then(|out| out.u8(1)?.bytes(adu)).map(drop),
            Self::Stored(digest) => out.array(2).and_then(|out| out.u8(2)?.bytes(digest)).map(drop),
            Self::Refused(digest, reason) => {
                out.array(3).and_then(|out| out.u8(3)?.bytes(digest)?.u64(refusal_code(*reason))).map(drop)
            }
            Self::Partial(digest, offset) => {
                out.array(3).and_then(|out| out.u8(4)?.bytes(digest)?.u64(*offset)).map(drop)
            }
            Self::Bye => out.array(1).and_then(|out| out.u8(5)).map(drop),
            Self::Unreadable(stream) => out.array(2).and_then(|out| out.u8(6)?.u64(*stream)).map(drop),
            Self::Unknown(kind) => out.array(1).and_then(|out| out.u64(*kind)).map(drop),
        };
        written.expect("writing to memory does not fail");
        out.into_writer()
    }
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

impl Hello {
    fn write(&self, out: &mut Encoder<Vec<u8>>) -> Written {
        out.array(5)?.u8(0)?.u64(VERSION)?.str(&self.node.to_string())?;
        out.u64(self.payload_max)?;
        out.array(u64::try_from(self.partials.len()).expect("a length fits 64 bits"))?;
        for (digest, offset) in &self.partials {
            out.array(2)?.bytes(digest)?.u64(*offset)?;
        }
        Ok(())
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FrameError> {
        let version = decoder.u64()?;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let node = decoder.str()?;
        if node.len() > NODE_TEXT_BYTES_MAX {
            return Err(FrameError::Malformed);
        }
        let node = node.parse::<NodeId>().map_err(|_| FrameError::Malformed)?;
        let payload_max = decoder.u64()?;
        let count = decoder.array()?.ok_or(FrameError::Malformed)?;
        let count = usize::try_from(count).ok().filter(|count| *count <= PARTIALS_MAX);
        let count = count.ok_or(FrameError::Malformed)?;
        let mut partials = Vec::with_capacity(count);
        for _ in 0..count {
            if decoder.array()? != Some(2) {
                return Err(FrameError::Malformed);
            }
            partials.push((digest(decoder)?, decoder.u64()?));
        }
        Ok(Self { node, payload_max, partials })
    }
}

/// What stands before a bundle on a stream: from where the payload begins.
#[must_use]
pub fn preamble(offset: u64) -> Bytes {
    let mut out = Encoder::new(Vec::with_capacity(PREAMBLE_BYTES_MAX));
    let written = out.array(2).and_then(|out| out.u64(KIND_BUNDLE)?.u64(offset)).map(drop);
    written.expect("writing to memory does not fail");
    Bytes::from(out.into_writer())
}

/// Reads a preamble: the offset, and how many bytes it took. `None` if more bytes are needed.
///
/// # Errors
/// `Malformed`.
pub fn read_preamble(bytes: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let mut decoder = Decoder::new(bytes);
    let mut read = || -> Result<(Option<u64>, u64, u64), decode::Error> {
        Ok((decoder.array()?, decoder.u64()?, decoder.u64()?))
    };
    match read() {
        Ok((Some(2), KIND_BUNDLE, offset)) => {
            let used = decoder.position();
            if preamble(offset) != bytes[..used] {
                return Err(FrameError::Malformed);
            }
            Ok(Some((offset, used)))
        }
        Err(error) if error.is_end_of_input() && bytes.len() < PREAMBLE_BYTES_MAX => Ok(None),
        _ => Err(FrameError::Malformed),
    }
}

fn digest(decoder: &mut Decoder<'_>) -> Result<BundleDigest, FrameError> {
    BundleDigest::try_from(decoder.bytes()?).map_err(|_| FrameError::Malformed)
}

const fn refusal_code(reason: Refusal) -> u64 {
    match reason {
        Refusal::Duplicate => 0,
        Refusal::NoRoom => 1,
        Refusal::TooLarge => 2,
        Refusal::Expired => 3,
        Refusal::Malformed => 4,
        Refusal::Pointless => 5,
    }
}

const fn refusal(code: u64) -> Result<Refusal, FrameError> {
    match code {
        0 => Ok(Refusal::Duplicate),
        1 => Ok(Refusal::NoRoom),
        2 => Ok(Refusal::TooLarge),
        3 => Ok(Refusal::Expired),
        4 => Ok(Refusal::Malformed),
        5 => Ok(Refusal::Pointless),
        _ => Err(FrameError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_reads_back() {
        for frame in samples() {
            let bytes = frame.encode();
            let (length, body) = bytes.split_at(4);
            assert_eq!(usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap(), body.len());
            assert_eq!(Frame::decode(&bytes.slice(4..)), Ok(frame));
        }
    }

    #[test]
    fn every_truncation_of_a_frame_is_refused() {
        for frame in samples() {
            let body = frame.encode().slice(4..);
            for cut in 0..body.len() {
                assert_eq!(
                    Frame::decode(&body.slice(..cut)),
                    Err(FrameError::Malformed),
                    "{frame:?} at {cut}"
                );
            }
        }
    }

    #[test]
    fn a_frame_in_a_longer_form_is_refused() {
        // The type 5 in two bytes, an array of indefinite length, a byte behind the end.
        for body in [&[0x81, 0x18, 0x05][..], &[0x9f, 0x05, 0xff], &[0x81, 0x05, 0x00]] {
            assert_eq!(Frame::decode(&Bytes::copy_from_slice(body)), Err(FrameError::Malformed));
        }
    }

    #[test]
    fn a_frame_of_an_unknown_type_is_passed_over() {
        assert_eq!(Frame::decode(&Bytes::from_static(&[0x82, 0x18, 0x63, 0x60])), Ok(Frame::Unknown(99)));
    }

    #[test]
    fn a_hello_of_another_version_says_which() {
        let mut body = samples().remove(0).encode().slice(4..).to_vec();
        body[2] = 7;
        assert_eq!(Frame::decode(&Bytes::from(body)), Err(FrameError::Version(7)));
    }

    #[test]
    fn more_partials_than_the_limit_are_refused() {
        let Frame::Hello(mut hello) = samples().remove(0) else {
            unreachable!("the first sample is a hello")
        };
        hello.partials = vec![([7; 16], 1); PARTIALS_MAX];
        assert!(Frame::decode(&Frame::Hello(hello.clone()).encode().slice(4..)).is_ok());
        hello.partials.push(([7; 16], 1));
        assert_eq!(Frame::decode(&Frame::Hello(hello).encode().slice(4..)), Err(FrameError::Malformed));
    }

    #[test]
    fn a_preamble_reads_back_from_its_first_bytes() {
        for offset in [0, 23, 24, 65_536, u64::MAX] {
            let mut bytes = preamble(offset).to_vec();
            let used = bytes.len();
            assert!(used <= PREAMBLE_BYTES_MAX);
            for cut in 0..used {
                assert_eq!(read_preamble(&bytes[..cut]), Ok(None));
            }
            bytes.extend_from_slice(&[0x9f; 20]);
            assert_eq!(read_preamble(&bytes), Ok(Some((offset, used))));
        }
        assert_eq!(read_preamble(&[0x82, 0x02, 0x00]), Err(FrameError::Malformed));
        assert_eq!(read_preamble(&[0x82, 0x01, 0x18, 0x05]), Err(FrameError::Malformed));
    }

    #[test]
    fn no_bytes_make_the_frame_reader_panic() {
        bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
            let body = Bytes::copy_from_slice(bytes);
            if let Ok(frame) = Frame::decode(&body)
                && !matches!(frame, Frame::Unknown(_))
            {
                assert_eq!(frame.encode().slice(4..), body);
            }
            // Whatever it says, it says it without panic.
            let _ = read_preamble(bytes);
        });
    }

    fn samples() -> Vec<Frame> {
        vec![
            Frame::Hello(Hello {
                node: "dtn://village/".parse().unwrap(),
                payload_max: 64 << 20,
                partials: vec![([1; 16], 5), ([2; 16], 1 << 40)],
            }),
            Frame::Announce(Bytes::from_static(b"an advert")),
            Frame::Stored([3; 16]),
            Frame::Refused([4; 16], Refusal::NoRoom),
            Frame::Partial([5; 16], 77),
            Frame::Bye,
            Frame::Unreadable(300),
        ]
    }
}
