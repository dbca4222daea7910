//! A picture of black and white squares as a PNG (ISO/IEC 15948): one bit a pixel, eight pixels a square, not
//! compressed. Called for QR codes, which are small; writes no file.

use crc_fast::{CrcAlgorithm, checksum};

/// Side of a square in pixels: a row of one is a byte.
const SQUARE_PIXELS: usize = 8;
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// One bit a pixel, grey, the only compression, the only filter method, not interlaced.
const FORMAT: [u8; 5] = [1, 0, 0, 0, 0];
/// A stream of zlib (RFC 1950 §2.2) with a window of 32 KiB and no dictionary.
const ZLIB_HEAD: [u8; 2] = [0x78, 0x01];
/// Most bytes of a block of deflate that is stored as it is (RFC 1951 §3.2.4).
const STORED_BYTES_MAX: usize = 65_535;
/// The largest prime below 65,536 (RFC 1950 §8.2).
const ADLER_PRIME: u32 = 65_521;

/// A square picture of `side` times `side` squares; `is_light` says which are white, by column and row.
pub(super) fn picture(side: usize, is_light: impl Fn(usize, usize) -> bool) -> Vec<u8> {
    let pixels = u32::try_from(side * SQUARE_PIXELS).expect("a code has at most 177 modules a side");
    let size = pixels.to_be_bytes();
    let mut rows = Vec::with_capacity(side * SQUARE_PIXELS * (side + 1));
    for row in 0..side {
        // A row begins with its filter: none.
        let bytes: Vec<u8> = std::iter::once(0)
            .chain((0..side).map(|column| if is_light(column, row) { 0xff } else { 0 }))
            .collect();
        (0..SQUARE_PIXELS).for_each(|_| rows.extend_from_slice(&bytes));
    }
    let mut out = SIGNATURE.to_vec();
    chunk(&mut out, b"IHDR", &[&size[..], &size, &FORMAT].concat());
    chunk(&mut out, b"IDAT", &stored(&rows));
    chunk(&mut out, b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let len = u32::try_from(data.len()).expect("a picture of a code is small");
    let body = [&kind[..], data].concat();
    let crc = u32::try_from(checksum(CrcAlgorithm::Crc32IsoHdlc, &body)).expect("the sum has 32 bits");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&body);
    out.extend_from_slice(&crc.to_be_bytes());
}

/// Bytes in the form of zlib, as they are.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = ZLIB_HEAD.to_vec();
    let mut pieces = bytes.chunks(STORED_BYTES_MAX).peekable();
    while let Some(piece) = pieces.next() {
        let len = u16::try_from(piece.len()).expect("a piece is as long as may be");
        out.push(u8::from(pieces.peek().is_none()));
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(&adler(bytes).to_be_bytes());
    out
}

/// The check of zlib (RFC 1950 §8.2).
fn adler(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % ADLER_PRIME;
        (low, (high + low) % ADLER_PRIME)
    });
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_have_the_values_that_are_known_of_them() {
        assert_eq!(adler(b"Wikipedia"), 0x11e6_0398);
        let mut end = Vec::new();
        chunk(&mut end, b"IEND", &[]);
        assert_eq!(end, b"\0\0\0\0IEND\xae\x42\x60\x82");
    }

    #[test]
    fn bytes_are_stored_in_as_many_blocks_as_it_takes() {
        for (len, blocks) in [(1, 1), (STORED_BYTES_MAX, 1), (STORED_BYTES_MAX + 1, 2)] {
            assert_eq!(stored(&vec![7; len]).len(), 2 + 5 * blocks + len + 4, "{len}");
        }
        let two = stored(&vec![7; STORED_BYTES_MAX + 1]);
        assert_eq!(two[2..7], [0, 0xff, 0xff, 0, 0], "more follows");
        assert_eq!(two[7 + STORED_BYTES_MAX..][..5], [1, 1, 0, 0xfe, 0xff], "the last");
    }

    #[test]
    fn a_picture_has_its_squares_in_rows_of_bytes() {
        let picture = picture(2, |column, row| column == row);
        assert_eq!(picture[16..26], [0, 0, 0, 16, 0, 0, 0, 16, 1, 0], "16 pixels a side, one bit each");
        let rows = [[0, 0xff, 0].repeat(8), [0, 0, 0xff].repeat(8)].concat();
        assert_eq!(picture[33 + 8 + 7..][..rows.len()], rows);
    }
}
