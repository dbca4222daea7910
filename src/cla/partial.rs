//! Receptions that were cut off: what has arrived is kept, so that the peer goes on where it stopped.

use std::collections::VecDeque;

use bundle_spec::{BundleDigest, CrcType, Header, PayloadTail};

use crate::{
    cla::frame::PARTIALS_MAX,
    node::mailbox::{BlockWriter, StoreError},
};

/// Most bytes of one peer's payloads that wait in partials, 16 GiB: the store has granted room for all of
/// them when they began. Reaching it drops the oldest; the newest stays however long it is, because a link
/// that is cut every few seconds would otherwise never carry a payload that is longer than this.
pub const PARTIAL_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

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
    /// Keeps a partial; drops the oldest ones over the limits, never the newest.
    pub fn put(&mut self, digest: BundleDigest, partial: Partial) {
        if partial.offset == 0 {
            return;
        }
        self.kept.retain(|(known, _)| *known != digest);
        self.kept.push_back((digest, partial));
        while self.kept.len() > 1 && self.is_over() {
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

    fn is_over(&self) -> bool {
        let bytes = self.kept.iter().fold(0_u64, |sum, (_, partial)| sum.saturating_add(partial.offset));
        self.kept.len() > PARTIALS_MAX || bytes > PARTIAL_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use bundle_spec::{Builder, CreationTimestamp, DtnTime};

    use super::*;
    use crate::{node::mailbox::Store, store::MemoryStore};

    #[test]
    fn a_long_partial_is_kept_and_a_short_one_does_not_push_it_out() {
        let mut partials = Partials::default();
        partials.put(digest(1), partial(PARTIAL_BYTES_MAX - 5));
        partials.put(digest(2), partial(5));
        assert_eq!(partials.offers(), [(digest(1), PARTIAL_BYTES_MAX - 5), (digest(2), 5)]);
    }

    #[test]
    fn the_partial_that_came_last_is_kept_however_long_it_is() {
        let mut partials = Partials::default();
        partials.put(digest(1), partial(5));
        partials.put(digest(2), partial(2 * PARTIAL_BYTES_MAX));
        assert_eq!(partials.offers(), [(digest(2), 2 * PARTIAL_BYTES_MAX)]);
    }

    #[test]
    fn the_oldest_partial_goes_when_there_are_too_many() {
        let mut partials = Partials::default();
        let count = u8::try_from(PARTIALS_MAX).unwrap();
        (0..=count).for_each(|number| partials.put(digest(number), partial(1)));
        assert!(partials.take(&digest(0)).is_none());
        assert!((1..=count).all(|number| partials.take(&digest(number)).is_some()));
    }

    #[test]
    fn a_partial_without_bytes_is_not_kept() {
        let mut partials = Partials::default();
        partials.put(digest(1), partial(0));
        assert!(partials.is_empty());
    }

    fn digest(number: u8) -> BundleDigest {
        [number; 16]
    }

    fn partial(offset: u64) -> Partial {
        let timestamp = CreationTimestamp { time: DtnTime(1), sequence: 1 };
        let source: bundle_spec::Eid = "dtn://village/test".parse().unwrap();
        let header = Builder::new(source.clone(), source, timestamp, 1).header(1);
        let writer = MemoryStore::new(1).create(1).unwrap();
        Partial { offset, ..Partial::new(&header, writer, false) }
    }
}
