//! How one entry of the log looks: a header with its own checksum, a key, padding, a body with another
//! checksum. The log and the replay use it; it does no input or output. The header's checksum is seeded with
//! the segment's secret salt, so that bytes that arrived as content can never pass for an entry.

use crc_fast::{CrcAlgorithm, Digest as Crc};

use super::disk::{narrow, wide};

/// Length of a header in bytes, without the key.
pub(super) const HEADER_BYTES: usize = 44;
/// Entries start at multiples of this, in bytes, so that the shortest entry fits wherever one began.
pub(super) const ENTRY_ALIGNMENT: u64 = 64;
/// Longest key in bytes.
pub(super) const KEY_BYTES_MAX: usize = 256;
/// Bodies of blocks from this length start on a page, so that their space can be given back by a hole.
pub(super) const PAGED_BYTES_MIN: u64 = 64 * 1024;
/// Length of a page in bytes.
pub(super) const PAGE_BYTES: u64 = 4096;

const MAGIC: [u8; 4] = *b"pNr1";

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The record under the key.
    Record,
    /// The key's record ended.
    RecordGone,
    /// The block whose digest is the key; its bytes are the body.
    Whole,
    /// Room for the bytes of a block whose digest is not known yet.
    Extent,
    /// The block whose digest is the key; the body says where its bytes are.
    Block,
    /// The block was released.
    BlockGone,
    /// A new run of the program begins.
    Epoch,
    /// The segment ends here.
    Seal,
    /// Of a newer program: skipped.
    Other(u8),
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Record => 1,
            Self::RecordGone => 2,
            Self::Whole => 3,
            Self::Extent => 4,
            Self::Block => 5,
            Self::BlockGone => 6,
            Self::Epoch => 7,
            Self::Seal => 8,
            Self::Other(code) => code,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            1 => Self::Record,
            2 => Self::RecordGone,
            3 => Self::Whole,
            4 => Self::Extent,
            5 => Self::Block,
            6 => Self::BlockGone,
            7 => Self::Epoch,
            8 => Self::Seal,
            code => Self::Other(code),
        }
    }

    /// Whether the body is a block's bytes, which start on a page if they are many.
    const fn is_paged(self) -> bool {
        matches!(self, Self::Whole | Self::Extent)
    }
}

/// The header of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// What it says.
    pub(super) kind: Kind,
    /// Length of the key in bytes.
    pub(super) key_len: u16,
    /// Length of the padding between key and body in bytes.
    pub(super) pad: u16,
    /// Length of the body in bytes.
    pub(super) body_len: u64,
    /// CRC-32C of the body; zero for an extent.
    pub(super) body_crc: u32,
    /// Which entry it is: run of the program in the upper 24 bits, then a number that grows.
    pub(super) seq: u64,
    /// Up to which entry everything was durable when this one was written.
    pub(super) synced: u64,
}

impl Header {
    /// The header of an entry at `offset` of a segment; sequence numbers are filled in later.
    pub(super) fn at(offset: u64, kind: Kind, key: &[u8], body_len: u64, body_crc: u32) -> Self {
        assert!(key.len() <= KEY_BYTES_MAX, "keys are at most 256 bytes long");
        let body = offset + wide(HEADER_BYTES + key.len());
        let pad = if kind.is_paged() && body_len >= PAGED_BYTES_MIN {
            body.next_multiple_of(PAGE_BYTES) - body
        } else {
            0
        };
        Self {
            kind,
            key_len: u16::try_from(key.len()).expect("a key is at most 256 bytes long"),
            pad: u16::try_from(pad).expect("padding is less than a page"),
            body_len,
            body_crc,
            seq: 0,
            synced: 0,
        }
    }

    /// Where the body begins, in bytes from the header's begin.
    pub(super) fn body_start(&self) -> u64 {
        wide(HEADER_BYTES) + u64::from(self.key_len) + u64::from(self.pad)
    }

    /// Length of the whole entry in bytes; saturates for lengths that no segment has.
    pub(super) fn total(&self) -> u64 {
        let end = self.body_start().saturating_add(self.body_len);
        end.checked_next_multiple_of(ENTRY_ALIGNMENT).unwrap_or(u64::MAX)
    }

    /// Length of the zeros behind the body.
    pub(super) fn tail(&self) -> usize {
        narrow(self.total() - self.body_start() - self.body_len)
    }

    /// Writes header, key and padding.
    pub(super) fn encode(&self, salt: u64, key: &[u8], out: &mut Vec<u8>) {
        debug_assert_eq!(usize::from(self.key_len), key.len(), "the key is the header's");
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.push(self.kind.code());
        out.push(0);
        out.extend_from_slice(&self.key_len.to_le_bytes());
        out.extend_from_slice(&self.body_len.to_le_bytes());
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.synced.to_le_bytes());
        out.extend_from_slice(&self.body_crc.to_le_bytes());
        out.extend_from_slice(&self.pad.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        let crc = header_crc(salt, &out[start..], key);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(key);
        out.resize(out.len() + usize::from(self.pad), 0);
    }

    /// Reads a header and its key from the begin of `bytes`; `None` if there is none.
    pub(super) fn decode(salt: u64, bytes: &[u8]) -> Option<(Self, &[u8])> {
        let head = bytes.get(..HEADER_BYTES)?;
        if head[..4] != MAGIC {
            return None;
        }
        let header = Self {
            kind: Kind::of(head[4]),
            key_len: u16::from_le_bytes(array(head, 6)),
            body_len: u64::from_le_bytes(array(head, 8)),
            seq: u64::from_le_bytes(array(head, 16)),
            synced: u64::from_le_bytes(array(head, 24)),
            body_crc: u32::from_le_bytes(array(head, 32)),
            pad: u16::from_le_bytes(array(head, 36)),
        };
        let key = bytes.get(HEADER_BYTES..HEADER_BYTES + usize::from(header.key_len))?;
        let crc = u32::from_le_bytes(array(head, 40));
        (key.len() <= KEY_BYTES_MAX && crc == header_crc(salt, &head[..40], key)).then_some((header, key))
    }
}

/// Where a block's bytes are, as the body of a [`Kind::Block`] entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExtentAt {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Where in it, in bytes.
    pub(super) offset: u64,
    /// How many bytes.
    pub(super) len: u64,
    /// CRC-32C of them.
    pub(super) crc: u32,
}

impl ExtentAt {
    /// Length of the encoding in bytes.
    pub(super) const BYTES: usize = 28;

    /// The encoding.
    pub(super) fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..8].copy_from_slice(&self.segment.to_le_bytes());
        out[8..16].copy_from_slice(&self.offset.to_le_bytes());
        out[16..24].copy_from_slice(&self.len.to_le_bytes());
        out[24..].copy_from_slice(&self.crc.to_le_bytes());
        out
    }

    /// Reads the encoding.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::BYTES).then(|| Self {
            segment: u64::from_le_bytes(array(bytes, 0)),
            offset: u64::from_le_bytes(array(bytes, 8)),
            len: u64::from_le_bytes(array(bytes, 16)),
            crc: u32::from_le_bytes(array(bytes, 24)),
        })
    }
}

/// CRC-32C of bytes that are at hand at once.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// CRC-32C of bytes that come in pieces.
pub(super) struct RunningCrc(Crc);

impl RunningCrc {
    /// Of no bytes.
    pub(super) fn new() -> Self {
        Self(Crc::new(CrcAlgorithm::Crc32Iscsi))
    }

    /// The next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all bytes so far.
    pub(super) fn value(&self) -> u32 {
        u32::try_from(self.0.finalize()).expect("a 32 bit checksum fits 32 bits")
    }
}

/// `N` bytes at `start` of bytes that are long enough.
pub(super) fn array<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    bytes[start..start + N].try_into().expect("the slice has the array's length")
}

fn header_crc(salt: u64, head: &[u8], key: &[u8]) -> u32 {
    let mut crc = RunningCrc::new();
    crc.update(&salt.to_le_bytes());
    crc.update(head);
    crc.update(key);
    crc.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_only_with_its_segments_salt() {
        let mut header = Header::at(64, Kind::Record, b"key", 5, crc32c(b"hello"));
        header.seq = 7;
        let mut bytes = Vec::new();
        header.encode(99, b"key", &mut bytes);
        assert_eq!(Header::decode(99, &bytes), Some((header, &b"key"[..])));
        assert_eq!(Header::decode(98, &bytes), None);
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert_eq!(Header::decode(99, &damaged), None, "byte {place} is not covered");
        }
    }

    #[test]
    fn the_bytes_of_a_long_block_start_on_a_page() {
        let long = Header::at(64, Kind::Extent, &[], PAGED_BYTES_MIN, 0);
        assert_eq!((64 + long.body_start()) % PAGE_BYTES, 0);
        let short = Header::at(64, Kind::Extent, &[], PAGED_BYTES_MIN - 1, 0);
        assert_eq!(short.pad, 0);
        assert_eq!(long.total() % ENTRY_ALIGNMENT, 0);
    }

    #[test]
    fn arbitrary_bytes_are_no_header_and_no_panic() {
        bolero::check!().with_type::<(u64, Vec<u8>)>().for_each(|(salt, bytes)| {
            if let Some((header, _)) = Header::decode(*salt, bytes) {
                let _ = header.total();
            }
        });
    }
}
