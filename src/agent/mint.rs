//! The wall clock as far as it is known, and the identities of bundles that are made here.

use std::time::Duration;

use bundle_spec::{BlockRef, Builder, CreationTimestamp, DtnTime, Eid, Header};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{Agent, Output, Record};
use crate::{limits, time::Time};

/// The wall clock and the last creation timestamp.
#[derive(Clone, Debug)]
pub(super) struct Mint {
    /// When the wall clock was set, and what it said.
    clock: Option<(Time, DtnTime)>,
    /// The last creation timestamp that was used; `None` before the first.
    last: Option<(u64, u64)>,
    /// Where sequence numbers begin if the first bundle is made without a clock: a node that has lost its
    /// store but kept its name must not use an identity twice.
    first_without_clock: u64,
}

impl Mint {
    /// Nothing is known.
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let first = ChaCha8Rng::from_seed(seed).next_u32() / 8;
        Self { clock: None, last: None, first_without_clock: u64::from(first) }
    }

    /// Timestamps up to this one are used.
    pub(super) fn resume(&mut self, time: u64, sequence: u64) {
        self.last = Some((time, sequence));
    }

    /// The wall clock is known.
    pub(super) fn set_clock(&mut self, now: Time, wall: DtnTime) {
        self.clock = (!wall.is_unknown()).then_some((now, wall));
    }

    /// DTN time in milliseconds; zero if no clock is known.
    pub(super) fn wall(&self, now: Time) -> u64 {
        self.clock.map_or(0, |(at, wall)| wall.0.saturating_add(now.0.saturating_sub(at.0)))
    }

    /// The last sequence number that was used; zero before the first.
    pub(super) fn last_sequence(&self) -> u64 {
        self.last.map_or(0, |(_, sequence)| sequence)
    }

    /// The next creation timestamp. The sequence number never begins anew, so that identities stay unique
    /// when the clock jumps or is lost, and bundles of one node are in order by it alone. With a clock it
    /// begins at the seconds since 2000: above what a node has used that lost its store but kept its name.
    fn next(&mut self, now: Time) -> CreationTimestamp {
        let time = self.wall(now);
        let sequence = match self.last {
            Some((_, sequence)) => sequence.saturating_add(1),
            None if time == 0 => self.first_without_clock,
            None => time / 1000,
        };
        self.last = Some((time, sequence));
        CreationTimestamp { time: DtnTime(time), sequence }
    }
}

/// A bundle to be made.
pub(super) struct Draft {
    /// Where from: an endpoint of this node.
    pub(super) source: Eid,
    /// Where to.
    pub(super) destination: Eid,
    /// What.
    pub(super) payload: BlockRef,
    /// When its lifetime ends.
    pub(super) expires: Time,
}

impl Agent {
    /// Makes the header of a new bundle, with age, hop count and CRC-32C. The timestamp is recorded first.
    pub(super) fn mint(&mut self, draft: &Draft) -> Header {
        let timestamp = self.mint.next(self.now);
        self.outputs.push_back(Output::Record(Record::Sequence {
            time: timestamp.time.0,
            sequence: timestamp.sequence,
        }));
        let lifetime = draft.expires.since(self.now).max(Duration::from_secs(1));
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        Builder::new(draft.source.clone(), draft.destination.clone(), timestamp, lifetime_ms)
            .report_to(super::endpoints::answers(&self.config.node))
            .age_ms(0)
            .hop_limit(limits::HOP_LIMIT)
            .header(draft.payload.len)
            .detached()
    }

    /// When the lifetime of a bundle ends, by this node's time: by creation time and wall clock where both
    /// are known, else by the bundle's age (RFC 9171 §4.4.2).
    pub(super) fn lifetime_end(&self, now: Time, header: &Header) -> Time {
        let primary = header.primary();
        let (made, wall) = (primary.timestamp().time, self.mint.wall(now));
        if !made.is_unknown() && wall != 0 {
            let end = made.0.saturating_add(primary.lifetime_ms());
            return now.plus_ms(end.saturating_sub(wall));
        }
        now.plus_ms(primary.lifetime_ms().saturating_sub(header.age_ms().unwrap_or(0)))
    }
}
