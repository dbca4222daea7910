//! Checksums of blocks (RFC 9171 §4.2.1): none, CRC-16/X-25 and CRC-32C.
//!
//! The covered bytes are the whole block with the value of its CRC zeroed. Only the codec of this crate calls
//! it.

use crc_fast::CrcAlgorithm;

/// Which checksum a block carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrcType {
    /// None: 0 on the wire.
    None,
    /// CRC-16/X-25: 1 on the wire.
    X25,
    /// CRC-32C: 2 on the wire.
    #[default]
    Castagnoli,
}

/// Up to this many bytes the table beats the wide algorithm for 16 bits, which takes long to begin.
const TABLE_BYTES_MAX: usize = 128;
static X25: crc::Crc<u16, crc::Table<16>> = crc::Crc::<u16, crc::Table<16>>::new(&crc::CRC_16_IBM_SDLC);
/// How the state of CRC-32C changes by a byte of zero, by its lowest byte.
static CASTAGNOLI_STEP: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut state = byte;
        let mut bit = 0;
        while bit < 8 {
            state = if state & 1 == 1 { state >> 1 ^ 0x82f6_3b78 } else { state >> 1 };
            bit += 1;
        }
        table[byte as usize] = state;
        byte += 1;
    }
    table
};

impl CrcType {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::None => 0,
            Self::X25 => 1,
            Self::Castagnoli => 2,
        }
    }

    /// The type with this number.
    #[must_use]
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::X25),
            2 => Some(Self::Castagnoli),
            _ => None,
        }
    }

    /// How many bytes the value has.
    #[must_use]
    pub const fn value_len(self) -> usize {
        match self {
            Self::None => 0,
            Self::X25 => 2,
            Self::Castagnoli => 4,
        }
    }

    /// How many bytes the CRC takes in its block, with its head.
    #[must_use]
    pub const fn field_len(self) -> usize {
        match self {
            Self::None => 0,
            Self::X25 => 3,
            Self::Castagnoli => 5,
        }
    }

    /// The CRC field with its value zeroed.
    pub(crate) const fn zero_field(self) -> &'static [u8] {
        match self {
            Self::None => &[],
            Self::X25 => &[0x42, 0, 0],
            Self::Castagnoli => &[0x44, 0, 0, 0, 0],
        }
    }
}

/// The value over `block`, which ends before the value.
#[inline]
pub(crate) fn value(crc_type: CrcType, block: &[u8]) -> Value {
    match crc_type {
        CrcType::Castagnoli => {
            // The wide algorithm ends with the complement of its state, which four bytes of zero still
            // change.
            let mut state = !crc_fast::crc32_iscsi(block);
            for _ in 0..4 {
                state = CASTAGNOLI_STEP[usize::from(state.to_le_bytes()[0])] ^ state >> 8;
            }
            Value { bytes: (!state).to_be_bytes(), len: 4 }
        }
        CrcType::X25 if block.len() <= TABLE_BYTES_MAX => {
            let mut digest = X25.digest();
            digest.update(block);
            digest.update(&[0; 2]);
            let [high, low] = digest.finalize().to_be_bytes();
            Value { bytes: [high, low, 0, 0], len: 2 }
        }
        CrcType::X25 | CrcType::None => {
            let mut digest = Running::new(crc_type);
            digest.update(block);
            digest.update(&[0; 2][..crc_type.value_len()]);
            digest.finish()
        }
    }
}

/// Appends the CRC field to `out`, whose bytes from `start` on are the block so far.
pub(crate) fn put_field(out: &mut Vec<u8>, start: usize, crc_type: CrcType) {
    let field = crc_type.zero_field();
    if let Some(head) = field.first() {
        out.push(*head);
        let value = value(crc_type, &out[start..]);
        out.extend_from_slice(value.as_bytes());
    }
}

/// A checksum as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    bytes: [u8; 4],
    len: usize,
}

impl Value {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whether `found` is this value.
    pub(crate) fn is(&self, found: &[u8]) -> bool {
        found.len() == self.len && found.iter().zip(self.bytes).all(|(found, own)| *found == own)
    }
}

/// A checksum in the making.
#[derive(Clone)]
pub(crate) struct Running {
    crc_type: CrcType,
    digest: Option<crc_fast::Digest>,
}

impl Running {
    pub(crate) fn new(crc_type: CrcType) -> Self {
        let digest = match crc_type {
            CrcType::None => None,
            CrcType::X25 => Some(crc_fast::Digest::new(CrcAlgorithm::Crc16IbmSdlc)),
            CrcType::Castagnoli => Some(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
        };
        Self { crc_type, digest }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Value {
        let len = self.crc_type.value_len();
        let sum = self.digest.map_or(0, |digest| digest.finalize()).to_be_bytes();
        let mut bytes = [0; 4];
        bytes[..len].copy_from_slice(&sum[8 - len..]);
        Value { bytes, len }
    }
}
