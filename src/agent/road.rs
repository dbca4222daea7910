//! Several contacts with one node: which of them carries what.
//!
//! Of a peer's roads the one with the best goodput is offered bundles first; the others take what it has no
//! room for, in proportion to what they have shown, so that the end of the bulk does not wait for a slow one.
//! A road that has shown nothing yet gets one bundle at a time: that is how it is measured.

use std::{cmp::Reverse, num::NonZeroU64};

use super::{Agent, LinkId, link::Link};
use crate::{limits::LINK_TRANSFERS_MAX, time::Time};

/// Fewer bytes say more of the round trip than of the rate.
const TELLING_BYTES_MIN: u64 = 64 * 1024;
/// Shorter than this the clock is too coarse, in milliseconds.
const TELLING_MS_MIN: u64 = 10;

/// What a contact has carried to the peer's satisfaction, by time in which it was busy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Goodput {
    /// Since when it is measured; `None` while nothing has been under way.
    since: Option<Time>,
    /// How many bytes were acknowledged since.
    bytes: u64,
    /// Bytes a second, smoothed; `None` until enough was carried to tell.
    rate: Option<NonZeroU64>,
}

impl Goodput {
    /// A transfer departs; whether the contact was idle until then.
    pub(super) fn depart(&mut self, now: Time, was_idle: bool) {
        if was_idle {
            self.since = Some(now);
            self.bytes = 0;
        }
    }

    /// A transfer of so many bytes was acknowledged.
    pub(super) fn arrive(&mut self, now: Time, bytes: u64) {
        let since = *self.since.get_or_insert(now);
        self.bytes = self.bytes.saturating_add(bytes);
        let passed = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        if self.bytes < TELLING_BYTES_MIN || passed < TELLING_MS_MIN {
            return;
        }
        let sample = self.bytes.saturating_mul(1000) / passed;
        let smooth = self.rate.map_or(sample, |rate| rate.get() - rate.get() / 4 + sample / 4);
        self.rate = NonZeroU64::new(smooth.max(1));
        self.since = Some(now);
        self.bytes = 0;
    }
}

/// How good a road is: the greater, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    /// Whether what it acknowledges is durable.
    durable: bool,
    /// Bytes a second; zero until enough was carried to tell.
    rate: u64,
    /// Of two that are alike, the one that was there first.
    link: Reverse<LinkId>,
}

impl Merit {
    fn of(name: LinkId, link: &Link) -> Self {
        let rate = link.goodput.rate.map_or(0, NonZeroU64::get);
        Self { durable: link.class.durable, rate, link: Reverse(name) }
    }

    /// How many transfers may be under way on this road beside `best` to the same peer.
    fn share(self, best: Self) -> usize {
        if best.durable && !self.durable {
            // A copy that nobody vouches for would have to go again.
            return 0;
        }
        let most = u64::try_from(LINK_TRANSFERS_MAX).unwrap_or(u64::MAX);
        let share = self.rate.saturating_mul(most).checked_div(best.rate).unwrap_or(1);
        usize::try_from(share.clamp(1, most)).unwrap_or(LINK_TRANSFERS_MAX)
    }
}

impl Agent {
    /// All contacts in the order in which they are offered bundles.
    pub(super) fn roads(&self) -> Vec<LinkId> {
        let mut roads: Vec<Merit> = self.links.iter().map(|(name, link)| Merit::of(*name, link)).collect();
        roads.sort_unstable_by_key(|merit| Reverse(*merit));
        roads.into_iter().map(|merit| merit.link.0).collect()
    }

    /// Whether a contact takes one more transfer at this moment, as far as other roads to the same peer go.
    pub(super) fn may_carry(&self, name: LinkId) -> bool {
        let Some(link) = self.links.get(&name) else { return false };
        let Some(peer) = &link.peer else { return true };
        // What may not go where encryption is forbidden has only the other roads.
        let is_rival = |other: &Link| link.class.clear_only || !other.class.clear_only;
        let others = self.links.iter().filter(|(_, other)| other.is_with(peer) && other.is_ready());
        let others = others.filter(|(_, other)| is_rival(other));
        let best = others.map(|(other, link)| Merit::of(*other, link)).max();
        let own = Merit::of(name, link);
        best.is_none_or(|best| best <= own || link.in_flight.len() < own.share(best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodput_is_what_was_acknowledged_by_time_in_which_the_contact_was_busy() {
        let mut goodput = Goodput::default();
        goodput.depart(Time(1000), true);
        goodput.depart(Time(1000), false);
        goodput.arrive(Time(1500), 50_000);
        assert_eq!(goodput.rate, None);
        goodput.arrive(Time(2000), 50_000);
        assert_eq!(goodput.rate, NonZeroU64::new(100_000));
        // A rest does not count.
        goodput.depart(Time(100_000), true);
        goodput.arrive(Time(101_000), 100_000);
        assert_eq!(goodput.rate, NonZeroU64::new(100_000));
        goodput.arrive(Time(102_000), 500_000);
        assert_eq!(goodput.rate, NonZeroU64::new(200_000));
    }

    #[test]
    fn shares_follow_rates_and_nobody_vouches_for_what_is_not_durable() {
        let merit = |durable, rate| Merit { durable, rate, link: Reverse(LinkId(1)) };
        let best = merit(true, 1_000_000);
        assert_eq!(merit(true, 500_000).share(best), LINK_TRANSFERS_MAX / 2);
        assert_eq!(merit(true, 1).share(best), 1);
        assert_eq!(merit(true, 0).share(best), 1);
        assert_eq!(merit(true, 0).share(merit(true, 0)), 1);
        assert_eq!(merit(false, 1_000_000_000).share(best), 0);
        assert_eq!(merit(false, u64::MAX).share(merit(false, u64::MAX)), 1);
        assert_eq!(merit(false, 10).share(merit(false, 10)), LINK_TRANSFERS_MAX);
    }
}
