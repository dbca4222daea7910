//! Canonical blocks (RFC 9171 §4.3.2) and the meaning of those that a node must know (§4.4).
//!
//! `bundle` reads blocks and keeps their bytes; unknown types pass through unread.

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    cbor::{ARRAY, BYTES, Judge, Reader, put_bytes, put_head, put_unsigned},
    crc::{self, CrcType},
    eid::{Eid, NodeId},
    error::{Error, Rule},
    flags::BlockFlags,
    primary::{read_crc, read_crc_type},
};

/// Type of the payload block.
pub const PAYLOAD: u64 = 1;
/// Type of the previous node block.
pub const PREVIOUS_NODE: u64 = 6;
/// Type of the bundle age block.
pub const BUNDLE_AGE: u64 = 7;
/// Type of the hop count block.
pub const HOP_COUNT: u64 = 10;
/// Type of the block integrity block (RFC 9172).
pub const BLOCK_INTEGRITY: u64 = 11;
/// Type of the block confidentiality block (RFC 9172).
pub const BLOCK_CONFIDENTIALITY: u64 = 12;

/// An extension block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Type code.
    pub block_type: u64,
    /// Number, unique within its bundle.
    pub number: u64,
    /// Processing control flags.
    pub flags: BlockFlags,
    /// How the block is protected.
    pub crc_type: CrcType,
    /// The bytes of the whole block as received.
    pub raw: Bytes,
    /// Where the block-type-specific data begins in `raw`; it ends with the block but for the CRC.
    data_start: usize,
}

/// How far a bundle may go, and how far it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopCount {
    /// How many hops it may take, 1 to 255.
    pub limit: u8,
    /// How many it took.
    pub count: u64,
}

/// The first items of a canonical block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHead {
    pub(crate) block_type: u64,
    pub(crate) number: u64,
    pub(crate) flags: BlockFlags,
    pub(crate) crc_type: CrcType,
    /// How many bytes of data follow.
    pub(crate) data_len: u64,
}

impl BlockHead {
    /// Reads up to and with the head of the data.
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let items = reader.array()?;
        if !matches!(items, 5 | 6) {
            return Err(Error::new(start, Rule::BlockItems));
        }
        let block_type = reader.unsigned()?;
        let number_at = reader.position();
        let number = reader.unsigned()?;
        if number == 0 {
            return Err(Error::new(number_at, Rule::BlockNumberZero));
        }
        if (block_type == PAYLOAD) != (number == 1) {
            return Err(Error::new(number_at, Rule::PayloadNumber));
        }
        let flags = BlockFlags(reader.unsigned()?);
        let crc_type = read_crc_type(reader)?;
        if items != 5 + u64::from(crc_type != CrcType::None) {
            return Err(Error::new(start, Rule::BlockItems));
        }
        let data_len = read_data_head(reader)?;
        Ok(Self { block_type, number, flags, crc_type, data_len })
    }

    /// Appends it in deterministic form.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_head(out, ARRAY, 5 + u64::from(self.crc_type != CrcType::None));
        put_unsigned(out, self.block_type);
        put_unsigned(out, self.number);
        put_unsigned(out, self.flags.0);
        put_unsigned(out, self.crc_type.code());
        put_head(out, BYTES, self.data_len);
    }
}

#[inline]
fn read_data_head(reader: &mut Reader<'_>) -> Result<u64, Error> {
    let start = reader.position();
    match reader.expect(BYTES, Rule::BlockData) {
        Err(Error { rule: Rule::IndefiniteItem, .. }) => Err(Error::new(start, Rule::BlockData)),
        result => result,
    }
}

impl Block {
    /// Reads what follows `head` of the block that begins at `start`.
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'_>, start: usize, head: BlockHead) -> Result<Self, Error> {
        let data = reader.take(head.data_len)?;
        read_crc(reader, start, head.crc_type)?;
        let bytes = reader.bytes();
        Ok(Self {
            block_type: head.block_type,
            number: head.number,
            flags: head.flags,
            crc_type: head.crc_type,
            raw: bytes.slice(start..reader.position()),
            data_start: data.start - start,
        })
    }

    /// Block-type-specific data.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.raw[self.data_range()]
    }

    /// Where the data lies in the bytes of the block.
    pub(crate) fn data_range(&self) -> Range<usize> {
        self.data_start..self.raw.len() - self.crc_type.field_len()
    }

    /// The node of a previous node block; `None` for other types, and if the sender stays anonymous.
    #[must_use]
    pub fn previous_node(&self) -> Option<NodeId> {
        self.typed(PREVIOUS_NODE, |block| block.read_previous_node(&Judge::new(crate::Lax::all())))?.node_id()
    }

    /// The age in a bundle age block, in milliseconds.
    #[must_use]
    pub fn age_ms(&self) -> Option<u64> {
        self.typed(BUNDLE_AGE, |block| block.read_age(&Judge::new(crate::Lax::all())))
    }

    /// What a hop count block says.
    #[must_use]
    pub fn hop_count(&self) -> Option<HopCount> {
        self.typed(HOP_COUNT, |block| block.read_hop_count(&Judge::new(crate::Lax::all())))
    }

    fn typed<T>(&self, block_type: u64, read: impl Fn(&Self) -> Result<T, Error>) -> Option<T> {
        if self.block_type != block_type {
            return None;
        }
        read(self).ok()
    }

    /// Reads all of the data with `read`; its offsets count from the beginning of the block.
    fn read_data<T>(
        &self,
        rule: Rule,
        judge: &Judge,
        read: impl Fn(&mut Reader<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut reader = Reader::within(&self.raw, self.data_range(), rule, judge);
        let value = read(&mut reader)?;
        if !reader.is_at_end() {
            return Err(Error::new(reader.position(), rule));
        }
        Ok(value)
    }

    fn read_previous_node(&self, judge: &Judge) -> Result<Eid, Error> {
        self.read_data(Rule::PreviousNodeData, judge, Eid::read)
    }

    pub(crate) fn check_previous_node(&self, judge: &Judge) -> Result<(), Error> {
        self.read_data(Rule::PreviousNodeData, judge, Eid::skip)
    }

    pub(crate) fn read_age(&self, judge: &Judge) -> Result<u64, Error> {
        self.read_data(Rule::AgeData, judge, |reader| reader.expect(0, Rule::AgeData))
    }

    pub(crate) fn read_hop_count(&self, judge: &Judge) -> Result<HopCount, Error> {
        self.read_data(Rule::HopCountData, judge, |reader| {
            let start = reader.position();
            if reader.expect(ARRAY, Rule::HopCountData)? != 2 {
                return Err(Error::new(start, Rule::HopCountData));
            }
            let limit_at = reader.position();
            let limit = reader.expect(0, Rule::HopCountData)?;
            let limit = match u8::try_from(limit) {
                Ok(limit) if limit > 0 => limit,
                _ => return Err(Error::new(limit_at, Rule::HopLimitRange)),
            };
            let count = reader.expect(0, Rule::HopCountData)?;
            Ok(HopCount { limit, count })
        })
    }

    /// The numbers of the blocks that a security block covers (RFC 9172 §3.6).
    pub(crate) fn read_targets(&self, judge: &Judge) -> Result<SmallVec<[u64; 4]>, Error> {
        let mut reader = Reader::within(&self.raw, self.data_range(), Rule::SecurityTargets, judge);
        let mut targets = SmallVec::new();
        for _ in 0..reader.expect(ARRAY, Rule::SecurityTargets)? {
            targets.push(reader.expect(0, Rule::SecurityTargets)?);
        }
        Ok(targets)
    }
}

/// A block to be made; its number is chosen by who makes the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlock {
    /// Type code, not that of the payload block.
    pub block_type: u64,
    /// Processing control flags.
    pub flags: BlockFlags,
    /// How the block is protected.
    pub crc_type: CrcType,
    /// Block-type-specific data.
    pub data: Vec<u8>,
}

impl NewBlock {
    /// A previous node block.
    #[must_use]
    pub fn previous_node(node: &NodeId, crc_type: CrcType) -> Self {
        let mut data = Vec::with_capacity(64);
        node.eid().put(&mut data);
        Self { block_type: PREVIOUS_NODE, flags: BlockFlags::NONE, crc_type, data }
    }

    /// A bundle age block.
    #[must_use]
    pub fn age(age_ms: u64, crc_type: CrcType) -> Self {
        let mut data = Vec::with_capacity(9);
        put_unsigned(&mut data, age_ms);
        Self { block_type: BUNDLE_AGE, flags: BlockFlags::REPLICATE, crc_type, data }
    }

    /// A hop count block.
    #[must_use]
    pub fn hop_count(hops: HopCount, crc_type: CrcType) -> Self {
        let mut data = Vec::with_capacity(12);
        put_head(&mut data, ARRAY, 2);
        put_unsigned(&mut data, u64::from(hops.limit));
        put_unsigned(&mut data, hops.count);
        Self { block_type: HOP_COUNT, flags: BlockFlags::REPLICATE, crc_type, data }
    }

    /// Appends the block as number `number`.
    pub(crate) fn put(&self, out: &mut Vec<u8>, number: u64) {
        let start = out.len();
        put_head(out, ARRAY, 5 + u64::from(self.crc_type != CrcType::None));
        put_unsigned(out, self.block_type);
        put_unsigned(out, number);
        put_unsigned(out, self.flags.0);
        put_unsigned(out, self.crc_type.code());
        put_bytes(out, &self.data);
        crc::put_field(out, start, self.crc_type);
    }
}
