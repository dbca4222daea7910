//! Making bundles, and editing received ones at a hop (RFC 9171 §5.2, §5.4).
//!
//! What is made is deterministic CBOR. What is forwarded keeps the bytes of the primary block, of the head of
//! the payload block and of every block that the hop does not change.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    block::{self, Block, BlockHead, HopCount, NewBlock},
    bundle::{Bundle, Caps, Header},
    cbor::Judge,
    crc::CrcType,
    eid::{Eid, NodeId},
    error::{Error, Lax},
    flags::{BlockFlags, BundleFlags},
    primary::{Fields, FragmentOrigin},
    time::CreationTimestamp,
};

const BUNDLE_START: u8 = 0x9f;
/// The first number that a block other than the payload may have.
const FIRST_NUMBER: u64 = 2;

/// Makes new bundles.
#[derive(Clone, Debug)]
pub struct Builder {
    primary: Fields,
    previous_node: Option<NodeId>,
    age_ms: Option<u64>,
    hop_limit: Option<u8>,
    blocks: Vec<NewBlock>,
    block_crc: CrcType,
    payload_flags: BlockFlags,
    payload_crc: CrcType,
}

impl Builder {
    /// A bundle with this identity, every block of it protected by CRC-32C, reports to `source`.
    #[must_use]
    pub fn new(source: Eid, destination: Eid, timestamp: CreationTimestamp, lifetime_ms: u64) -> Self {
        let primary = Fields {
            flags: BundleFlags::NONE,
            crc_type: CrcType::Castagnoli,
            destination,
            report_to: source.clone(),
            source,
            timestamp,
            lifetime_ms,
            fragment: None,
        };
        Self {
            primary,
            previous_node: None,
            age_ms: None,
            hop_limit: None,
            blocks: Vec::new(),
            block_crc: CrcType::Castagnoli,
            payload_flags: BlockFlags::NONE,
            payload_crc: CrcType::Castagnoli,
        }
    }

    /// Where reports go.
    #[must_use]
    pub fn report_to(mut self, eid: Eid) -> Self {
        self.primary.report_to = eid;
        self
    }

    /// Bundle processing control flags. [`BundleFlags::IS_FRAGMENT`] follows from [`Builder::fragment`].
    #[must_use]
    pub fn flags(mut self, flags: BundleFlags) -> Self {
        self.primary.flags = flags;
        self
    }

    /// Makes the bundle a fragment.
    #[must_use]
    pub fn fragment(mut self, origin: FragmentOrigin) -> Self {
        self.primary.fragment = Some(origin);
        self
    }

    /// Protects the primary block and the previous node, age and hop count blocks like this.
    #[must_use]
    pub fn crc(mut self, crc_type: CrcType) -> Self {
        self.primary.crc_type = crc_type;
        self.block_crc = crc_type;
        self
    }

    /// Protects the payload block like this.
    #[must_use]
    pub fn payload_crc(mut self, crc_type: CrcType) -> Self {
        self.payload_crc = crc_type;
        self
    }

    /// Processing control flags of the payload block.
    #[must_use]
    pub fn payload_flags(mut self, flags: BlockFlags) -> Self {
        self.payload_flags = flags;
        self
    }

    /// A previous node block.
    #[must_use]
    pub fn previous_node(mut self, node: NodeId) -> Self {
        self.previous_node = Some(node);
        self
    }

    /// An age block. A bundle with creation time zero has one in any case.
    #[must_use]
    pub fn age_ms(mut self, age: u64) -> Self {
        self.age_ms = Some(age);
        self
    }

    /// A hop count block; a limit of 0 leaves it out.
    #[must_use]
    pub fn hop_limit(mut self, limit: u8) -> Self {
        self.hop_limit = (limit > 0).then_some(limit);
        self
    }

    /// A block of another type.
    #[must_use]
    pub fn block(mut self, block: NewBlock) -> Self {
        self.blocks.push(block);
        self
    }

    /// Header for a payload of `payload_len` bytes.
    ///
    /// # Panics
    /// If what was asked for breaks a rule; [`Builder::try_header`] is for what people typed.
    #[must_use]
    pub fn header(self, payload_len: u64) -> Header {
        self.try_header(payload_len).expect("the parts of a bundle that this node makes fit together")
    }

    /// Header for a payload of `payload_len` bytes. A bundle from `dtn:none` is made unfragmentable.
    ///
    /// # Errors
    /// Which rule would be broken, where in the header.
    pub fn try_header(mut self, payload_len: u64) -> Result<Header, Error> {
        self.primary.flags = self.primary.flags.without(BundleFlags::IS_FRAGMENT);
        if self.primary.fragment.is_some() {
            self.primary.flags = self.primary.flags | BundleFlags::IS_FRAGMENT;
        }
        if self.primary.source.is_none() {
            self.primary.flags = self.primary.flags | BundleFlags::MUST_NOT_FRAGMENT;
        }
        if self.primary.timestamp.time.is_unknown() {
            self.age_ms.get_or_insert(0);
        }
        let mut out = Vec::with_capacity(256);
        out.push(BUNDLE_START);
        self.primary.put(&mut out);
        for (number, block) in (FIRST_NUMBER..).zip(self.extension_blocks()) {
            block.put(&mut out, number);
        }
        let head = BlockHead {
            block_type: block::PAYLOAD,
            number: 1,
            flags: self.payload_flags,
            crc_type: self.payload_crc,
            data_len: payload_len,
        };
        head.put(&mut out);
        // A primary block without CRC is a choice of the caller; everything else is held to the rules.
        let lax = Lax { primary_without_crc: true, local_node: true, ..Lax::strict() };
        Header::read(&Bytes::from(out), Caps::RECEIVED, &Judge::new(lax))
    }

    /// Whole bundle.
    ///
    /// # Panics
    /// As [`Builder::header`].
    #[must_use]
    pub fn bundle(self, payload: Bytes) -> Bundle {
        Bundle { header: self.header(crate::cbor::len_of(&payload)), payload }
    }

    fn extension_blocks(&mut self) -> Vec<NewBlock> {
        let crc_type = self.block_crc;
        let previous_node = self.previous_node.take().map(|node| NewBlock::previous_node(&node, crc_type));
        let age = self.age_ms.map(|age| NewBlock::age(age, crc_type));
        let hops = self.hop_limit.map(|limit| NewBlock::hop_count(HopCount { limit, count: 0 }, crc_type));
        previous_node.into_iter().chain(age).chain(hops).chain(self.blocks.drain(..)).collect()
    }
}

/// What changes at a hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// Who forwards; `None` takes the previous node block out.
    pub previous_node: Option<NodeId>,
    /// Age in milliseconds on leaving; `None` leaves an age block as it is and adds none.
    pub age_ms: Option<u64>,
    /// Whether the hop counts.
    pub count_hop: bool,
}

/// The bundle took as many hops as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hop limit exceeded: the bundle may take {limit} hops (RFC 9171 §4.4.3)")]
pub struct HopLimitExceeded {
    /// How many hops it may take.
    pub limit: u8,
}

impl Header {
    /// The header as it is forwarded.
    ///
    /// # Errors
    /// The hop would exceed the hop limit.
    pub fn forwarded(&self, edits: &Forwarding) -> Result<Self, HopLimitExceeded> {
        let hops = self.counted_hops(edits.count_hop)?;
        let replacement = |block: &Block| match block.block_type {
            block::PREVIOUS_NODE => {
                Edit::of(edits.previous_node.as_ref(), |node| NewBlock::previous_node(node, block.crc_type))
            }
            block::BUNDLE_AGE if edits.age_ms.is_some() => {
                Edit::of(edits.age_ms, |age| NewBlock::age(age, block.crc_type))
            }
            block::HOP_COUNT if hops.is_some() => {
                Edit::of(hops, |hops| NewBlock::hop_count(hops, block.crc_type))
            }
            _ => Edit::Keep,
        };
        let has = |block_type| self.blocks().iter().any(|block| block.block_type == block_type);
        let mut added = SmallVec::<[NewBlock; 2]>::new();
        if let (Some(node), false) = (&edits.previous_node, has(block::PREVIOUS_NODE)) {
            added.push(NewBlock::previous_node(node, CrcType::Castagnoli));
        }
        if let (Some(age), false) = (edits.age_ms, has(block::BUNDLE_AGE)) {
            added.push(NewBlock::age(age, CrcType::Castagnoli));
        }
        Ok(self.edited(self.primary().raw(), &added, self.raw_payload_head(), replacement))
    }

    /// The header without the extension block of this number (RFC 9171 §5.6 step 4); `None` if there is none,
    /// or if it is the age block that creation time zero needs.
    #[must_use]
    pub fn without_block(&self, number: u64) -> Option<Self> {
        let block = self.blocks().iter().find(|block| block.number == number)?;
        if block.block_type == block::BUNDLE_AGE && self.primary().timestamp().time.is_unknown() {
            return None;
        }
        let edit = |block: &Block| if block.number == number { Edit::Drop } else { Edit::Keep };
        Some(self.edited(self.primary().raw(), &[], self.raw_payload_head(), edit))
    }

    fn raw_payload_head(&self) -> &[u8] {
        &self.raw()[self.payload_head().start..]
    }

    fn counted_hops(&self, count_hop: bool) -> Result<Option<HopCount>, HopLimitExceeded> {
        let Some(hops) = self.hop_count().filter(|_| count_hop) else { return Ok(None) };
        let count = hops.count.saturating_add(1);
        if count > u64::from(hops.limit) {
            return Err(HopLimitExceeded { limit: hops.limit });
        }
        Ok(Some(HopCount { count, ..hops }))
    }

    /// This header with another primary block, with blocks `added` in front, every other block edited, and
    /// another head of the payload block.
    pub(crate) fn edited(
        &self,
        primary: &[u8],
        added: &[NewBlock],
        payload_head: &[u8],
        edit: impl Fn(&Block) -> Edit,
    ) -> Self {
        let mut out = Vec::with_capacity(self.raw().len() + 128);
        out.push(BUNDLE_START);
        out.extend_from_slice(primary);
        let mut numbers =
            (FIRST_NUMBER..).filter(|number| self.blocks().iter().all(|block| block.number != *number));
        for block in added {
            block.put(&mut out, numbers.next().expect("there are more numbers than blocks"));
        }
        for block in self.blocks() {
            match edit(block) {
                Edit::Keep => out.extend_from_slice(&block.raw),
                Edit::Drop => {}
                Edit::Replace(new) => NewBlock { flags: block.flags, ..new }.put(&mut out, block.number),
            }
        }
        out.extend_from_slice(payload_head);
        Self::of_checked_bytes(Bytes::from(out))
    }
}

/// What happens to a block.
pub(crate) enum Edit {
    /// Its bytes stay.
    Keep,
    /// It goes.
    Drop,
    /// It becomes this block, with its number and flags.
    Replace(NewBlock),
}

impl Edit {
    fn of<T>(value: Option<T>, block: impl Fn(T) -> NewBlock) -> Self {
        value.map_or(Self::Drop, |value| Self::Replace(block(value)))
    }
}
