//! Receptions that were cut off: what has arrived is kept, so that the peer goes on where it stopped.

use std::collections::VecDeque;

use bundle_spec::{BundleDigest, CrcType, Header, PayloadTail};

use crate::{
    cla::frame::PARTIALS_MAX,
    node::mailbox::{BlockWriter, StoreError},
};

/// Most bytes of one peer's payloads that wait in partials. Reaching it drops the oldest.
pub const PARTIAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The first bytes of a payload, on their way into the store.
pub struct Partial {
    /// What the payload block looked like; a bundle that looks different begins anew.
    shape: Shape,
    /// Takes the bytes.
    pub writer: Box<dyn BlockWriter>,
    /// Checksum of the bytes so far.
    pub tail: PayloadTail,
    /// How many bytes have been taken.
    pub offset: u64,
    /// The bytes themselves, where the payload is short enough to be an ADU.
    pub adu: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    len: u64,
    crc: CrcType,
    flags: bundle_spec::BlockFlags,
}

impl Shape {
    fn of(header: &Header) -> Self {
        Self { len: header.payload_len(), crc: header.payload_crc(), flags: header.payload_flags() }
    }
}

impl Partial {
    /// Nothing yet of the payload behind `header`. `keeps` says whether the bytes are kept as an ADU too.
    #[must_use]
    pub fn new(header: &Header, writer: Box<dyn BlockWriter>, keeps: bool) -> Self {
        let adu = keeps.then(Vec::new);
        Self { shape: Shape::of(header), writer, tail: PayloadTail::new(header), offset: 0, adu }
    }

    /// The next bytes of the payload. Blocks.
    ///
    /// # Errors
    /// What the store says; then the partial is of no more use.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.writer.write(bytes)?;
        self.tail.update(bytes);
        self.offset += u64::try_from(bytes.len()).expect("a length fits 64 bits");
        if let Some(adu) = &mut self.adu {
            adu.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Whether the payload behind `header` goes on where this one stopped.
    #[must_use]
    pub fn fits(&self, header: &Header, offset: u64) -> bool {
        self.shape == Shape::of(header) && self.offset == offset
    }
}

/// The partials of one peer, oldest first.
#[derive(Default)]
pub struct Partials {
    kept: VecDeque<(BundleDigest, Partial)>,
}

impl Partials {
    /// Keeps a partial; drops the oldest ones over the limits.
    pub fn put(&mut self, digest: BundleDigest, partial: Partial) {
        if partial.offset == 0 || partial.offset > PARTIAL_BYTES_MAX {
            return;
        }
        self.kept.retain(|(known, _)| *known != digest);
        self.kept.push_back((digest, partial));
        while self.kept.len() > PARTIALS_MAX || self.bytes() > PARTIAL_BYTES_MAX {
            self.kept.pop_front();
        }
    }

    /// Takes a partial out.
    pub fn take(&mut self, digest: &BundleDigest) -> Option<Partial> {
        let at = self.kept.iter().position(|(known, _)| known == digest)?;
        self.kept.remove(at).map(|(_, partial)| partial)
    }

    /// What is kept: which bundles, and how many bytes of each.
    #[must_use]
    pub fn offers(&self) -> Vec<(BundleDigest, u64)> {
        self.kept.iter().map(|(digest, partial)| (*digest, partial.offset)).collect()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn bytes(&self) -> u64 {
        self.kept.iter().map(|(_, partial)| partial.offset).sum()
    }
}
