//! MTCP, the minimal TCP convergence layer (draft-ietf-dtn-mtcpcl-01): every bundle is one CBOR byte string.
//! uD3TN and dtn7-rs speak it. `stream` does the rest.

use super::{
    address::Road,
    stream::{Framing, NoHead},
};

/// Major type of a CBOR byte string, in the upper three bits of the first byte (RFC 8949 §3.1).
const BYTE_STRING: u8 = 2;

/// A bundle is a CBOR byte string.
pub struct ByteString;

impl Framing for ByteString {
    fn road(&self) -> Road {
        Road::Mtcp
    }

    fn unit_max(&self) -> u64 {
        u64::MAX
    }

    fn head(&self, len: u64) -> Vec<u8> {
        let mut head = Vec::with_capacity(9);
        let written = minicbor::Encoder::new(&mut head).bytes_len(len).map(drop);
        written.expect("writing to memory does not fail");
        head
    }

    /// A length may be longer than its shortest form: nothing is signed or compared here.
    fn read_head(&self, bytes: &[u8]) -> Result<Option<(u64, usize)>, NoHead> {
        let Some(first) = bytes.first() else { return Ok(None) };
        if first >> 5 != BYTE_STRING {
            return Err(NoHead);
        }
        let follows = match first & 0x1f {
            small @ 0..=23 => return Ok(Some((small.into(), 1))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            // Reserved, or of a length that is not said.
            _ => return Err(NoHead),
        };
        let Some(number) = bytes.get(1..1 + follows) else { return Ok(None) };
        let len = number.iter().fold(0_u64, |len, byte| (len << 8) | u64::from(*byte));
        Ok(Some((len, 1 + follows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_reads_back_from_its_head_and_no_head_is_longer_than_it_must_be() {
        for (len, size) in [
            (0, 1),
            (23, 1),
            (24, 2),
            (255, 2),
            (256, 3),
            (65_535, 3),
            (65_536, 5),
            (u32::MAX.into(), 5),
            (1 << 32, 9),
            (u64::MAX, 9),
        ] {
            let head = ByteString.head(len);
            assert_eq!(head.len(), size);
            assert_eq!(ByteString.read_head(&head), Ok(Some((len, size))));
            for cut in 0..size {
                assert_eq!(ByteString.read_head(&head[..cut]), Ok(None));
            }
        }
        assert_eq!(ByteString.head(10), [0x4a]);
        assert_eq!(ByteString.read_head(&[0x59, 0, 1, 7]), Ok(Some((1, 3))));
    }

    #[test]
    fn what_is_no_byte_string_of_known_length_is_no_head() {
        for first in [0x00, 0x1b, 0x5c, 0x5f, 0x60, 0x82, 0x9f, 0xff, b'g'] {
            assert_eq!(ByteString.read_head(&[first, 0, 0, 0, 0, 0, 0, 0, 0]), Err(NoHead), "{first:x}");
        }
    }

    #[test]
    fn no_bytes_make_the_head_reader_panic() {
        bolero::check!().with_iterations(5_000).for_each(|bytes: &[u8]| {
            if let Ok(Some((_, used))) = ByteString.read_head(bytes) {
                assert!(used <= bytes.len().min(9));
            }
        });
    }
}
