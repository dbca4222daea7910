//! Receptions that were cut off: what has arrived is kept, so that the peer goes on where it stopped.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bundle_spec::{BlockRef, BundleDigest, CrcType, Header, PayloadTail};
use bytes::Bytes;

use crate::{
    cla::frame::PARTIALS_MAX,
    limits::CONTROL_ADU_BYTES_MAX,
    node::mailbox::{BlockWriter, Store, StoreError, Time},
};

/// Most bytes of one peer's payloads that wait in partials, 16 GiB: the store has granted room for all of
/// them when they began. Reaching it drops the oldest; the newest stays however long it is, because a link
/// that is cut every few seconds would otherwise never carry a payload that is longer than this.
pub const PARTIAL_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Longest time that the first bytes of a payload are kept while nothing of it comes: a bus that comes once a
/// week finds them. Those of a bundle that lives shorter are kept no longer than that.
pub const PARTIAL_AGE_MAX: Duration = Duration::from_secs(8 * 24 * 3600);

/// The first bytes of a payload, on their way into the store.
pub struct Partial {
    /// What the payload block looked like; a bundle that looks different begins anew.
    shape: Shape,
    /// How long it is worth keeping.
    worth: Duration,
    /// Until when it is kept, once the first attempt was cut off.
    until: Option<Time>,
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
    /// Makes room in the store for the payload behind `header`. A short one is kept as an ADU too. Blocks.
    ///
    /// # Errors
    /// What the store says.
    pub fn begin(store: &dyn Store, header: &Header) -> Result<Self, StoreError> {
        let len = header.payload_len();
        let keeps = usize::try_from(len).is_ok_and(|len| len <= CONTROL_ADU_BYTES_MAX);
        let lived = header.age_ms().unwrap_or(0);
        let left = Duration::from_millis(header.primary().lifetime_ms().saturating_sub(lived));
        Ok(Self {
            shape: Shape::of(header),
            worth: left.min(PARTIAL_AGE_MAX),
            until: None,
            writer: store.create(len)?,
            tail: PayloadTail::new(header),
            offset: 0,
            adu: keeps.then(Vec::new),
        })
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

    /// Ends the payload with what follows it on the wire. Blocks.
    ///
    /// # Errors
    /// `Damaged` if it is not what its checksum says; what the store says.
    pub fn finish(self, tail: &[u8]) -> Result<Stored, Spoiled> {
        self.tail.finish(tail).map_err(Spoiled::Damaged)?;
        Ok((self.writer.finish(None)?, self.adu.map(Bytes::from)))
    }

    /// Whether the payload behind `header` goes on where this one stopped.
    #[must_use]
    pub fn fits(&self, header: &Header, offset: u64) -> bool {
        self.shape == Shape::of(header) && self.offset == offset
    }
}

/// A payload that is in the store, and its bytes if it is short enough to be an ADU.
pub type Stored = (BlockRef, Option<Bytes>);

/// Why a payload that came to its end is not in the store.
#[derive(Debug)]
pub enum Spoiled {
    /// It is damaged.
    Damaged(bundle_spec::Error),
    /// The store does not take it.
    Store(StoreError),
}

impl From<StoreError> for Spoiled {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A payload before its next bytes are written.
pub enum Begun {
    /// Nothing of it is in the store.
    New(Arc<dyn Store>, Box<Header>),
    /// It goes on.
    Kept(Box<Partial>),
}

impl Begun {
    /// Writes the next bytes; makes room in the store first for what has none. Blocks.
    ///
    /// # Errors
    /// What the store says.
    pub fn with(self, bytes: &[u8]) -> Result<Box<Partial>, StoreError> {
        let mut partial = match self {
            Self::Kept(partial) => partial,
            Self::New(store, header) => Box::new(Partial::begin(store.as_ref(), &header)?),
        };
        partial.take(bytes)?;
        Ok(partial)
    }
}

/// The partials of one peer, oldest first.
#[derive(Default)]
pub struct Partials {
    kept: VecDeque<(BundleDigest, Partial)>,
}

impl Partials {
    /// Keeps a partial; drops the oldest ones over the limits, never the newest.
    pub fn put(&mut self, now: Time, digest: BundleDigest, mut partial: Partial) {
        if partial.offset == 0 {
            return;
        }
        partial.until.get_or_insert(now + partial.worth);
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

    /// Drops what is not worth keeping any more.
    pub fn expire(&mut self, now: Time) {
        self.kept.retain(|(_, partial)| partial.until.is_none_or(|until| until > now));
    }

    /// When the first of them is not worth keeping any more.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.kept.iter().filter_map(|(_, partial)| partial.until).min()
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
    use crate::store::MemoryStore;

    #[test]
    fn a_long_partial_is_kept_and_a_short_one_does_not_push_it_out() {
        let mut partials = Partials::default();
        partials.put(T0, digest(1), partial(PARTIAL_BYTES_MAX - 5));
        partials.put(T0, digest(2), partial(5));
        assert_eq!(partials.offers(), [(digest(1), PARTIAL_BYTES_MAX - 5), (digest(2), 5)]);
    }

    #[test]
    fn the_partial_that_came_last_is_kept_however_long_it_is() {
        let mut partials = Partials::default();
        partials.put(T0, digest(1), partial(5));
        partials.put(T0, digest(2), partial(2 * PARTIAL_BYTES_MAX));
        assert_eq!(partials.offers(), [(digest(2), 2 * PARTIAL_BYTES_MAX)]);
    }

    #[test]
    fn the_oldest_partial_goes_when_there_are_too_many() {
        let mut partials = Partials::default();
        let count = u8::try_from(PARTIALS_MAX).unwrap();
        (0..=count).for_each(|number| partials.put(T0, digest(number), partial(1)));
        assert!(partials.take(&digest(0)).is_none());
        assert!((1..=count).all(|number| partials.take(&digest(number)).is_some()));
    }

    #[test]
    fn a_partial_without_bytes_is_not_kept() {
        let mut partials = Partials::default();
        partials.put(T0, digest(1), partial(0));
        assert!(partials.is_empty());
    }

    #[test]
    fn a_partial_is_kept_as_long_as_its_bundle_lives_and_no_longer_than_its_peer_is_waited_for() {
        let mut partials = Partials::default();
        let (short, day) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
        partials.put(T0, digest(1), of_lifetime(5, 60_000));
        partials.put(T0, digest(2), of_lifetime(5, u64::MAX));
        assert_eq!(partials.next_deadline(), Some(T0 + short));
        partials.expire(T0 + short * 9 / 10);
        assert_eq!(partials.offers().len(), 2);
        // Going on and being cut off again makes nobody live longer.
        let again = partials.take(&digest(1)).unwrap();
        partials.put(T0 + short / 2, digest(1), again);
        partials.expire(T0 + short);
        assert_eq!(partials.offers(), [(digest(2), 5)]);
        assert_eq!(partials.next_deadline(), Some(T0 + 8 * day));
        partials.expire(T0 + 8 * day);
        assert!(partials.is_empty());
    }

    const T0: Time = Time(1_000_000);

    fn digest(number: u8) -> BundleDigest {
        [number; 16]
    }

    fn partial(offset: u64) -> Partial {
        of_lifetime(offset, 60_000)
    }

    fn of_lifetime(offset: u64, lifetime_ms: u64) -> Partial {
        let timestamp = CreationTimestamp { time: DtnTime(1), sequence: 1 };
        let source: bundle_spec::Eid = "dtn://village/test".parse().unwrap();
        let header = Builder::new(source.clone(), source, timestamp, lifetime_ms).header(1);
        Partial { offset, ..Partial::begin(&MemoryStore::new(1), &header).unwrap() }
    }
}
