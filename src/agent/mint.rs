//! The wall clock as far as it is known, and the identities of bundles that are made here.

use std::time::Duration;

use bundle_spec::{BlockRef, Builder, CreationTimestamp, DtnTime, Eid, Header};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{Agent, Output, Record, Terms};
use crate::{limits, time::Time};

/// The wall clock and the last creation timestamp.
#[derive(Clone, Debug)]
pub(super) struct Mint {
    /// When the wall clock was set, and what it said.
    clock: Option<(Time, DtnTime)>,
    /// The same before it jumped, while it is doubted.
    trusted: Option<(Time, DtnTime)>,
    /// Until when the clock is doubted.
    doubted_until: Time,
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
        Self {
            clock: None,
            trusted: None,
            doubted_until: Time::ZERO,
            last: None,
            first_without_clock: u64::from(first),
        }
    }

    /// Timestamps up to this one are used.
    pub(super) fn resume(&mut self, time: u64, sequence: u64) {
        self.last = Some((time, sequence));
    }

    /// The wall clock is known. One that has jumped is doubted for a while: nobody can tell whether it was
    /// wrong before or is from here on, and lifetimes are counted by age as if there were none.
    pub(super) fn set_clock(&mut self, now: Time, wall: DtnTime) {
        let is_doubted = now < self.doubted_until;
        let reference = if is_doubted { self.trusted } else { self.clock };
        let has_jumped = reference.is_some_and(|reference| {
            goes_on(reference, now).abs_diff(wall.0) > limits::CLOCK_JUMP_MS_MAX && !wall.is_unknown()
        });
        match has_jumped {
            true => (self.trusted, self.doubted_until) = (reference, now + limits::CLOCK_DOUBT),
            false => self.doubted_until = now,
        }
        self.clock = (!wall.is_unknown()).then_some((now, wall));
    }

    /// DTN time in milliseconds, for people; zero if no clock is known.
    pub(super) fn wall(&self, now: Time) -> u64 {
        self.clock.map_or(0, |reading| goes_on(reading, now))
    }

    /// DTN time in milliseconds, to reckon with; zero if no clock is known or it is doubted.
    fn sure_wall(&self, now: Time) -> u64 {
        if now < self.doubted_until { 0 } else { self.wall(now) }
    }

    /// The last sequence number that was used; zero before the first.
    pub(super) fn last_sequence(&self) -> u64 {
        self.last.map_or(0, |(_, sequence)| sequence)
    }

    /// The next creation timestamp. The sequence number never begins anew, so that identities stay unique
    /// when the clock jumps or is lost, and bundles of one node are in order by it alone. With a clock it
    /// begins at the seconds since 2000: above what a node has used that lost its store but kept its name.
    fn next(&mut self, now: Time) -> CreationTimestamp {
        let time = self.sure_wall(now);
        let sequence = match self.last {
            Some((_, sequence)) => sequence.saturating_add(1),
            None if time == 0 => self.first_without_clock,
            None => time / 1000,
        };
        self.last = Some((time, sequence));
        CreationTimestamp { time: DtnTime(time), sequence }
    }
}

/// What a clock says that said this then.
fn goes_on((at, wall): (Time, DtnTime), now: Time) -> u64 {
    wall.0.saturating_add(now.0.saturating_sub(at.0))
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
        self.mint_on(draft, &Terms::default())
    }

    /// Makes the header of a new bundle on these terms. The timestamp is recorded first.
    pub(super) fn mint_on(&mut self, draft: &Draft, terms: &Terms) -> Header {
        let timestamp = self.mint.next(self.now);
        self.outputs.push_back(Output::Record(Record::Sequence {
            time: timestamp.time.0,
            sequence: timestamp.sequence,
        }));
        let lifetime = draft.expires.since(self.now).max(Duration::from_secs(1));
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let report_to = terms.report_to.clone();
        let report_to = report_to.unwrap_or_else(|| super::endpoints::answers(&self.config.node));
        Builder::new(draft.source.clone(), draft.destination.clone(), timestamp, lifetime_ms)
            .report_to(report_to)
            .flags(terms.flags)
            .crc(terms.crc)
            .payload_crc(terms.crc)
            .age_ms(0)
            .hop_limit(terms.hop_limit)
            .header(draft.payload.len)
            .detached()
    }

    /// When the lifetime of a bundle ends, by this node's time: by creation time and wall clock where both
    /// are known, else by the bundle's age (RFC 9171 §4.4.2).
    pub(super) fn lifetime_end(&self, now: Time, header: &Header) -> Time {
        let primary = header.primary();
        let (made, wall) = (primary.timestamp().time, self.mint.sure_wall(now));
        if !made.is_unknown() && wall != 0 {
            let end = made.0.saturating_add(primary.lifetime_ms());
            return now.plus_ms(end.saturating_sub(wall));
        }
        now.plus_ms(primary.lifetime_ms().saturating_sub(header.age_ms().unwrap_or(0)))
    }
}
