//! Bundles (RFC 9171 §4.1): the header that stands before the payload, the tail behind it, and both with the
//! payload.
//!
//! Links parse a [`Header`] as soon as its bytes have arrived and stream the payload past a [`PayloadTail`];
//! whoever has all bytes calls [`Bundle::parse`]. Nothing here copies a payload.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::{
    block::{self, Block, BlockHead, HopCount},
    cbor::{Judge, Reader},
    crc::{self, CrcType},
    eid::NodeId,
    error::{Error, Lax, Rule},
    flags::BlockFlags,
    id::{BundleId, FragmentExtent},
    primary::PrimaryBlock,
};

mod tail;

pub use self::tail::PayloadTail;
use self::tail::{BREAK, check_tail};

/// Longest header accepted, in bytes: what a link buffers before it knows what it receives.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// How many extension blocks a bundle may have: their numbers are compared with one another.
pub const BLOCKS_MAX: usize = 64;

const BUNDLE_START: u8 = 0x9f;

/// Everything of a bundle up to its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    raw: Bytes,
    primary: PrimaryBlock,
    blocks: SmallVec<[Block; 3]>,
    payload: PayloadHead,
    known: Known,
}

/// How much of a header is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    bytes: usize,
    blocks: usize,
}

impl Caps {
    /// What a node takes from another.
    pub(crate) const RECEIVED: Self = Self { bytes: HEADER_BYTES_MAX, blocks: BLOCKS_MAX };
    /// What this crate made of a received header may be longer by what it added.
    pub(crate) const NONE: Self = Self { bytes: usize::MAX, blocks: usize::MAX };
}

/// The payload block without payload and CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PayloadHead {
    /// Where the block begins, in bytes from the beginning of the header.
    pub(crate) start: usize,
    pub(crate) head: BlockHead,
}

/// What the blocks say that every node must understand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Which of the blocks says it.
    previous_node: Option<usize>,
    age_ms: Option<u64>,
    hop_count: Option<HopCount>,
}

impl Header {
    /// Reads a header from the beginning of `bytes`; `None` if more bytes are needed.
    ///
    /// # Errors
    /// Which rule is broken where. More bytes than [`HEADER_BYTES_MAX`] are never needed.
    pub fn parse(bytes: &Bytes, lax: &Lax) -> Result<Option<Self>, Error> {
        match Self::read(bytes, Caps::RECEIVED, &Judge::new(*lax)) {
            Ok(header) => Ok(Some(header)),
            Err(Error { rule: Rule::Truncated, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Primary block.
    #[must_use]
    pub fn primary(&self) -> &PrimaryBlock {
        &self.primary
    }

    /// Identity.
    #[must_use]
    pub fn bundle_id(&self) -> BundleId {
        let extent = |offset| FragmentExtent { offset, len: self.payload_len() };
        BundleId {
            source: self.primary.source().clone(),
            timestamp: self.primary.timestamp(),
            fragment: self.primary.fragment().map(|origin| extent(origin.offset)),
        }
    }

    /// Extension blocks in the order of the bundle.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Which node sent the bundle here, as its previous node block says.
    #[must_use]
    pub fn previous_node(&self) -> Option<NodeId> {
        self.blocks[self.known.previous_node?].previous_node()
    }

    /// Bundle age in milliseconds, if the bundle carries it.
    #[must_use]
    pub fn age_ms(&self) -> Option<u64> {
        self.known.age_ms
    }

    /// Hop limit and count, if the bundle carries them.
    #[must_use]
    pub fn hop_count(&self) -> Option<HopCount> {
        self.known.hop_count
    }

    /// Length of the payload in bytes. It is what the sender announced: compare it with a limit.
    #[must_use]
    pub fn payload_len(&self) -> u64 {
        self.payload.head.data_len
    }

    /// How the payload block is protected.
    #[must_use]
    pub fn payload_crc(&self) -> CrcType {
        self.payload.head.crc_type
    }

    /// Processing control flags of the payload block.
    #[must_use]
    pub fn payload_flags(&self) -> BlockFlags {
        self.payload.head.flags
    }

    /// Verbatim bytes, ending where the payload begins.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// How many bytes precede the payload.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.raw.len()
    }

    /// Length of the whole bundle in bytes; `None` beyond 64 bits.
    #[must_use]
    pub fn bundle_len(&self) -> Option<u64> {
        let rest = u64::try_from(self.raw.len() + PayloadTail::tail_len(self.payload_crc())).ok()?;
        self.payload_len().checked_add(rest)
    }

    /// A copy that shares no bytes with the buffer from which it was read.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self::of_checked_bytes(Bytes::copy_from_slice(&self.raw))
    }

    /// Bytes that were a header before and were edited by this crate.
    pub(crate) fn of_checked_bytes(raw: Bytes) -> Self {
        let header = Self::read(&raw, Caps::NONE, &Judge::new(Lax::all()));
        header.expect("an edit keeps all rules of a header")
    }

    pub(crate) fn payload_head(&self) -> &PayloadHead {
        &self.payload
    }

    pub(crate) fn read(bytes: &Bytes, caps: Caps, judge: &Judge) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, caps.bytes, judge);
        if reader.peek()? != BUNDLE_START {
            return Err(Error::new(0, Rule::NotABundle));
        }
        reader.take(1)?;
        let primary = PrimaryBlock::read(&mut reader)?;
        let mut blocks = SmallVec::new();
        let payload = loop {
            let start = reader.position();
            if reader.peek()? == BREAK {
                return Err(Error::new(start, Rule::PayloadMissing));
            }
            let head = BlockHead::read(&mut reader)?;
            if primary.forbids_block_reports() && head.flags.contains(BlockFlags::REPORT_UNPROCESSED) {
                return Err(Error::new(start, Rule::BlockReports));
            }
            if head.block_type == block::PAYLOAD {
                break PayloadHead { start, head };
            }
            if blocks.len() >= caps.blocks {
                return Err(Error::new(start, Rule::TooManyBlocks));
            }
            check_new_block(&blocks, &head, start)?;
            blocks.push(Block::read(&mut reader, start, head)?);
        };
        let raw = bytes.slice(..reader.position());
        let known = Known::read(&primary, &blocks, &raw, judge)?;
        check_extent(&primary, &payload)?;
        Ok(Self { raw, primary, blocks, payload, known })
    }
}

/// Whether a block with `head` may follow `blocks`.
fn check_new_block(blocks: &[Block], head: &BlockHead, start: usize) -> Result<(), Error> {
    if blocks.iter().any(|block| block.number == head.number) {
        return Err(Error::new(start, Rule::BlockNumberRepeated));
    }
    let repeated = match head.block_type {
        block::PREVIOUS_NODE => Rule::PreviousNodeRepeated,
        block::BUNDLE_AGE => Rule::AgeRepeated,
        block::HOP_COUNT => Rule::HopCountRepeated,
        _ => return Ok(()),
    };
    if blocks.iter().any(|block| block.block_type == head.block_type) {
        return Err(Error::new(start, repeated));
    }
    Ok(())
}

fn check_extent(primary: &PrimaryBlock, payload: &PayloadHead) -> Result<(), Error> {
    let Some(origin) = primary.fragment() else { return Ok(()) };
    let end = FragmentExtent { offset: origin.offset, len: payload.head.data_len }.end();
    match end {
        Some(end) if end <= origin.total => Ok(()),
        _ => Err(Error::new(payload.start, Rule::FragmentBeyondTotal)),
    }
}

impl Known {
    fn read(primary: &PrimaryBlock, blocks: &[Block], raw: &Bytes, judge: &Judge) -> Result<Self, Error> {
        let of_type = |wanted: u64| blocks.iter().filter(move |block| block.block_type == wanted);
        let mut encrypted = SmallVec::<[u64; 4]>::new();
        for block in of_type(block::BLOCK_CONFIDENTIALITY) {
            encrypted.extend(block.read_targets(judge).map_err(|error| within(raw, block, error))?);
        }
        let mut is_protected = primary.crc_type() != CrcType::None;
        for block in of_type(block::BLOCK_INTEGRITY).filter(|block| !encrypted.contains(&block.number)) {
            let targets = block.read_targets(judge).map_err(|error| within(raw, block, error))?;
            is_protected |= targets.contains(&0);
        }
        if !is_protected {
            judge.tolerate(1, Rule::PrimaryWithoutCrc)?;
        }
        let mut known = Self::default();
        let mut has_age = false;
        for (index, block) in blocks.iter().enumerate() {
            has_age |= block.block_type == block::BUNDLE_AGE;
            if encrypted.contains(&block.number) {
                continue;
            }
            let at = |error: Error| within(raw, block, error);
            match block.block_type {
                block::PREVIOUS_NODE => {
                    block.check_previous_node(judge).map_err(at)?;
                    known.previous_node = Some(index);
                }
                block::BUNDLE_AGE => known.age_ms = Some(block.read_age(judge).map_err(at)?),
                block::HOP_COUNT => known.hop_count = Some(block.read_hop_count(judge).map_err(at)?),
                _ => {}
            }
        }
        if primary.timestamp().time.is_unknown() && !has_age && judge.needs_age() {
            return Err(Error::new(1, Rule::AgeMissing));
        }
        Ok(known)
    }
}

/// `error` in `block`, with its offset counted from the beginning of the bundle.
fn within(raw: &Bytes, block: &Block, error: Error) -> Error {
    let block_at = block.raw.as_ptr().addr().saturating_sub(raw.as_ptr().addr());
    Error::new(block_at + error.offset, error.rule)
}

/// A whole bundle in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// What precedes the payload.
    pub header: Header,
    /// The payload, of the length that the header announces.
    pub payload: Bytes,
}

impl Bundle {
    /// Reads a whole bundle, which shares `bytes`, and checks everything that can be checked without keys.
    ///
    /// # Errors
    /// Which rule is broken where.
    pub fn parse(bytes: Bytes, lax: &Lax) -> Result<Self, Error> {
        Self::read(&bytes, &Judge::new(*lax))
    }

    /// The wire form.
    ///
    /// # Panics
    /// If the payload had not the length that its header announces.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut tail = PayloadTail::new(&self.header);
        tail.update(&self.payload);
        let tail = tail.emit();
        let mut out = BytesMut::with_capacity(self.header.raw.len() + self.payload.len() + tail.len());
        out.put_slice(&self.header.raw);
        out.put_slice(&self.payload);
        out.put_slice(&tail);
        out.freeze()
    }

    pub(crate) fn read(bytes: &Bytes, judge: &Judge) -> Result<Self, Error> {
        let header = Header::read(bytes, Caps::RECEIVED, judge)?;
        let start = header.raw.len();
        let truncated = Error::new(bytes.len(), Rule::Truncated);
        let len = usize::try_from(header.payload_len()).map_err(|_| truncated)?;
        let end = start.checked_add(len).filter(|end| *end <= bytes.len()).ok_or(truncated)?;
        let crc_type = header.payload_crc();
        check_tail(&bytes[end..], end, crc_type, |_| {
            crc::value(crc_type, &bytes[header.payload.start..=end])
        })?;
        Ok(Self { payload: bytes.slice(start..end), header })
    }
}
