//! A header taken apart, for adding and removing security blocks and changing their targets.
//!
//! `signer`, `seal` and `reception` edit it. Blocks that nobody changes keep their bytes.

use bytes::Bytes;

use super::{SecurityBlock, SecurityError, scope::BlockHeader};
use crate::{
    block::{self, Block, BlockHead, NewBlock},
    bundle::{Caps, Header},
    cbor::{ARRAY, Judge, Reader, put_head, put_unsigned},
    crc::{self, CrcType},
    error::Rule,
    flags::BlockFlags,
};

/// Block number of the primary block.
pub(super) const PRIMARY: u64 = 0;
/// Block number of the payload block.
pub(super) const PAYLOAD: u64 = 1;
const BUNDLE_START: u8 = 0x9f;
/// The first number that a block other than the payload may have.
const FIRST_NUMBER: u64 = 2;

/// A header taken apart.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    primary: Bytes,
    primary_crc: CrcType,
    parts: Vec<Part>,
    payload: BlockHead,
    is_fragment: bool,
    /// Whether the bundle is none without an age block.
    needs_age: bool,
}

/// An extension block.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) header: BlockHeader,
    crc_type: CrcType,
    /// Block-type-specific data.
    pub(super) data: Bytes,
    /// The whole block, if it is as it was received.
    raw: Option<Bytes>,
}

impl Part {
    fn of(block: &Block) -> Self {
        let header = BlockHeader { block_type: block.block_type, number: block.number, flags: block.flags };
        let data = block.raw.slice(block.data_range());
        Self { header, crc_type: block.crc_type, data, raw: Some(block.raw.clone()) }
    }

    /// What a security block says.
    pub(super) fn security(&self) -> Result<SecurityBlock, SecurityError> {
        let number = self.header.number;
        SecurityBlock::decode(&self.data).map_err(|error| SecurityError::Malformed { block: number, error })
    }

    fn put(&self, out: &mut Vec<u8>) {
        match &self.raw {
            Some(raw) => out.extend_from_slice(raw),
            None => {
                let (block_type, flags) = (self.header.block_type, self.header.flags);
                NewBlock { block_type, flags, crc_type: self.crc_type, data: self.data.to_vec() }
                    .put(out, self.header.number);
            }
        }
    }
}

impl Draft {
    pub(super) fn of(header: &Header) -> Self {
        let primary = header.primary();
        let has_age = header.blocks().iter().any(|block| block.block_type == block::BUNDLE_AGE);
        Self {
            primary: primary.raw().clone(),
            primary_crc: primary.crc_type(),
            parts: header.blocks().iter().map(Part::of).collect(),
            payload: header.payload_head().head,
            is_fragment: primary.flags().is_fragment(),
            needs_age: has_age && primary.timestamp().time.is_unknown(),
        }
    }

    pub(super) fn is_fragment(&self) -> bool {
        self.is_fragment
    }

    /// The bytes of the primary block.
    pub(super) fn primary(&self) -> &[u8] {
        &self.primary
    }

    pub(super) fn payload_len(&self) -> u64 {
        self.payload.data_len
    }

    /// Those of this type.
    pub(super) fn parts_of(&self, block_type: u64) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.header.block_type == block_type)
    }

    pub(super) fn part(&self, number: u64) -> Option<&Part> {
        self.parts.iter().find(|part| part.header.number == number)
    }

    /// Type, number and flags of a block; `None` for the primary block and for numbers that do not occur.
    pub(super) fn block_header(&self, number: u64) -> Option<BlockHeader> {
        if number == PAYLOAD {
            return Some(BlockHeader { block_type: block::PAYLOAD, number, flags: self.payload.flags });
        }
        Some(self.part(number)?.header)
    }

    /// Whether there is a block of this number.
    pub(super) fn has(&self, number: u64) -> bool {
        matches!(number, PRIMARY | PAYLOAD) || self.part(number).is_some()
    }

    /// The smallest number that is free.
    pub(super) fn free_number(&self) -> u64 {
        let mut numbers = FIRST_NUMBER..;
        numbers.find(|number| self.part(*number).is_none()).expect("there are more numbers than blocks")
    }

    /// Adds a block behind the last security block, or in front.
    pub(super) fn insert(&mut self, header: BlockHeader, crc_type: CrcType, data: Vec<u8>) {
        assert!(!self.has(header.number), "a new block has a number of its own");
        let is_security = |part: &Part| {
            matches!(part.header.block_type, block::BLOCK_INTEGRITY | block::BLOCK_CONFIDENTIALITY)
        };
        let at = self.parts.iter().rposition(is_security).map_or(0, |index| index + 1);
        self.parts.insert(at, Part { header, crc_type, data: data.into(), raw: None });
    }

    /// Gives an extension block other data.
    pub(super) fn set_data(&mut self, number: u64, data: Vec<u8>) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.header.number == number) {
            part.data = data.into();
            part.raw = None;
        }
    }

    pub(super) fn set_payload_len(&mut self, len: u64) {
        self.payload.data_len = len;
    }

    /// Whether the bundle is none without this block.
    pub(super) fn needs(&self, number: u64) -> bool {
        let is_age = self.part(number).is_some_and(|part| part.header.block_type == block::BUNDLE_AGE);
        matches!(number, PRIMARY | PAYLOAD) || (is_age && self.needs_age)
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.parts.retain(|part| part.header.number != number);
    }

    /// The CRC type of a block.
    pub(super) fn crc_type(&self, number: u64) -> CrcType {
        match number {
            PRIMARY => self.primary_crc,
            PAYLOAD => self.payload.crc_type,
            _ => self.part(number).map_or(CrcType::None, |part| part.crc_type),
        }
    }

    /// Protects a block by this CRC. Without one it is as its operations want it (RFC 9173 §3.8.1, §4.8.1).
    pub(super) fn set_crc(&mut self, number: u64, crc_type: CrcType) {
        match number {
            PRIMARY => {
                self.primary = primary_with_crc(&self.primary, self.primary_crc, crc_type);
                self.primary_crc = crc_type;
            }
            PAYLOAD => self.payload.crc_type = crc_type,
            _ => {
                let part = self.parts.iter_mut().find(|part| part.header.number == number);
                if let Some(part) = part.filter(|part| part.crc_type != crc_type) {
                    part.crc_type = crc_type;
                    part.raw = None;
                }
            }
        }
    }

    /// The header.
    pub(super) fn build(&self) -> Result<Header, SecurityError> {
        let mut out = Vec::with_capacity(512);
        out.push(BUNDLE_START);
        out.extend_from_slice(&self.primary);
        self.parts.iter().for_each(|part| part.put(&mut out));
        self.payload.put(&mut out);
        let judge = Judge::of_edit(self.needs_age);
        Header::read(&Bytes::from(out), Caps::NONE, &judge).map_err(SecurityError::Edit)
    }
}

/// A primary block with `crc_type` where it had `before`; every other byte stays.
fn primary_with_crc(raw: &Bytes, before: CrcType, crc_type: CrcType) -> Bytes {
    if before == crc_type {
        return raw.clone();
    }
    let judge = Judge::of_edit(false);
    let mut reader = Reader::within(raw, 0..raw.len(), Rule::PrimaryItems, &judge);
    let mut next = || -> Result<(u64, usize), crate::Error> {
        let (_, value) = reader.head()?;
        Ok((value, reader.position()))
    };
    let accepted = "a primary block that was read can be read again";
    let (items, first) = next().expect(accepted);
    next().expect(accepted);
    let (_, flags_end) = next().expect(accepted);
    let (_, crc_end) = next().expect(accepted);
    let has = |crc_type: CrcType| u64::from(crc_type != CrcType::None);
    let mut out = Vec::with_capacity(raw.len() + 8);
    put_head(&mut out, ARRAY, items - has(before) + has(crc_type));
    out.extend_from_slice(&raw[first..flags_end]);
    put_unsigned(&mut out, crc_type.code());
    out.extend_from_slice(&raw[crc_end..raw.len() - before.field_len()]);
    crc::put_field(&mut out, 0, crc_type);
    out.into()
}

/// The flags of a new security block: a BCB on the payload goes with every fragment (RFC 9172 §3.8).
pub(super) fn security_flags(is_for_payload: bool) -> BlockFlags {
    if is_for_payload { BlockFlags::REPLICATE } else { BlockFlags::NONE }
}
