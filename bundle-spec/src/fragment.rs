//! Fragmentation and reassembly (RFC 9171 §5.8, §5.9): which header each part gets, and which parts are
//! there.
//!
//! Arithmetic and headers only. Payload bytes stay where they are; the agent and the links move them.

use std::collections::BTreeMap;

use crate::{
    block::{self, Block, BlockHead},
    builder::Edit,
    bundle::Header,
    flags::{BlockFlags, BundleFlags},
    id::FragmentExtent,
    primary::{Fields, FragmentOrigin},
};

/// How many separate ranges an [`Assembly`] keeps: what a sender of single bytes can make a node remember.
pub const RANGES_MAX: usize = 4096;

/// Why a bundle cannot be fragmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Its flags forbid it.
    #[error("the bundle must not be fragmented (RFC 9171 §4.2.3)")]
    Forbidden,
    /// The places to cut are not increasing, or lie outside the payload.
    #[error("cut {cut} is not inside the payload of {payload_len} bytes, or not behind the cut before it")]
    Cut {
        /// The offending place, in bytes from the beginning of the payload.
        cut: u64,
        /// How long the payload is.
        payload_len: u64,
    },
}

/// Why a fragment does not fit the parts that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// It ends behind the whole.
    #[error("the fragment ends beyond the total length of {total} bytes")]
    BeyondTotal {
        /// How long the whole is.
        total: u64,
    },
    /// There are too many gaps to remember one more.
    #[error("more than {RANGES_MAX} separate parts of one bundle")]
    TooManyRanges,
}

/// Where to cut a payload so that no part is longer than `part_len_max`. A maximum of 0 cuts nowhere.
pub fn cuts(payload_len: u64, part_len_max: u64) -> impl Iterator<Item = u64> {
    let first = if part_len_max == 0 { payload_len } else { part_len_max };
    std::iter::successors(Some(first), move |cut| cut.checked_add(part_len_max))
        .take_while(move |cut| *cut < payload_len)
}

/// The headers of the fragments that result from cutting the payload of `header` at `cuts`, in order.
///
/// Offsets count from the original payload, also if `header` is a fragment itself. The first part of the
/// original gets all extension blocks; the others get those that must be replicated, and previous node, age
/// and hop count.
///
/// # Errors
/// The bundle must not be fragmented, or the cuts make no sense.
pub fn split(header: &Header, cuts: &[u64]) -> Result<Vec<Header>, SplitError> {
    if !header.primary().flags().may_fragment() {
        return Err(SplitError::Forbidden);
    }
    let payload_len = header.payload_len();
    let mut start = 0;
    let mut fragments = Vec::with_capacity(cuts.len() + 1);
    for cut in cuts.iter().copied().chain([payload_len]) {
        let is_last = fragments.len() == cuts.len();
        if cut > payload_len || (!is_last && (cut <= start || cut == payload_len)) {
            return Err(SplitError::Cut { cut, payload_len });
        }
        fragments.push(part(header, FragmentExtent { offset: start, len: cut - start }));
        start = cut;
    }
    Ok(fragments)
}

/// The header of one part of the payload of `header`; `extent` counts from the beginning of that payload.
fn part(header: &Header, extent: FragmentExtent) -> Header {
    let base = header.primary().fragment();
    let origin = FragmentOrigin {
        offset: base.map_or(0, |origin| origin.offset) + extent.offset,
        total: base.map_or(header.payload_len(), |origin| origin.total),
    };
    let fields = header.primary().fields();
    let flags = fields.flags | BundleFlags::IS_FRAGMENT;
    let primary = Fields { flags, fragment: Some(origin), ..fields.clone() };
    let is_replicated = |block: &Block| {
        origin.offset == 0
            || block.flags.contains(BlockFlags::REPLICATE)
            || matches!(block.block_type, block::PREVIOUS_NODE | block::BUNDLE_AGE | block::HOP_COUNT)
    };
    with_primary(header, &primary, extent.len, is_replicated)
}

/// The header of the original bundle, made from that of its fragment with offset 0; `None` for any other
/// header.
#[must_use]
pub fn whole(first: &Header) -> Option<Header> {
    let origin = first.primary().fragment().filter(|origin| origin.offset == 0)?;
    let fields = first.primary().fields();
    let flags = fields.flags.without(BundleFlags::IS_FRAGMENT);
    let primary = Fields { flags, fragment: None, ..fields.clone() };
    Some(with_primary(first, &primary, origin.total, |_| true))
}

fn with_primary(
    header: &Header,
    primary: &Fields,
    payload_len: u64,
    keeps: impl Fn(&Block) -> bool,
) -> Header {
    let mut primary_bytes = Vec::with_capacity(header.primary().raw().len() + 24);
    primary.put(&mut primary_bytes);
    let mut payload = Vec::with_capacity(24);
    BlockHead { data_len: payload_len, ..header.payload_head().head }.put(&mut payload);
    header.edited(&primary_bytes, &[], &payload, |block| if keeps(block) { Edit::Keep } else { Edit::Drop })
}

/// Which parts of a payload are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembly {
    /// How many bytes the whole has.
    total: u64,
    /// Ends of disjoint, non-adjacent ranges by their starts.
    ranges: BTreeMap<u64, u64>,
}

impl Assembly {
    /// Nothing is there of `total` bytes.
    #[must_use]
    pub const fn new(total: u64) -> Self {
        Self { total, ranges: BTreeMap::new() }
    }

    /// How many bytes the whole has.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes are there.
    #[must_use]
    pub fn covered(&self) -> u64 {
        self.ranges.iter().map(|(start, end)| end - start).sum()
    }

    /// Whether every byte is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.covered() == self.total
    }

    /// The parts that are missing, in order.
    pub fn gaps(&self) -> impl Iterator<Item = FragmentExtent> + use<'_> {
        let starts = self.ranges.keys().copied().chain([self.total]);
        let ends = [0].into_iter().chain(self.ranges.values().copied());
        let gaps = ends.zip(starts).map(|(end, start)| FragmentExtent { offset: end, len: start - end });
        gaps.filter(|gap| gap.len > 0)
    }

    /// Adds a part, which may overlap others; whether it brought anything new.
    ///
    /// # Errors
    /// The part does not fit; nothing was changed.
    pub fn insert(&mut self, extent: FragmentExtent) -> Result<bool, InsertError> {
        let beyond = InsertError::BeyondTotal { total: self.total };
        let end = extent.end().filter(|end| *end <= self.total).ok_or(beyond)?;
        let before = self.ranges.range(..=extent.offset).next_back().map(|(start, end)| (*start, *end));
        if extent.len == 0 || before.is_some_and(|(_, known)| known >= end) {
            return Ok(false);
        }
        let touching = self.ranges.range(extent.offset..=end).map(|(start, _)| *start).collect::<Vec<_>>();
        let before = before.filter(|(_, known)| *known >= extent.offset);
        if before.is_none() && touching.is_empty() && self.ranges.len() == RANGES_MAX {
            return Err(InsertError::TooManyRanges);
        }
        let mut merged = (before.map_or(extent.offset, |(start, _)| start), end);
        for start in touching {
            let known = self.ranges.remove(&start).expect("the range was just listed");
            merged.1 = merged.1.max(known);
        }
        self.ranges.insert(merged.0, merged.1);
        Ok(true)
    }
}
