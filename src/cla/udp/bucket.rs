//! A token bucket: how fast datagrams may go.

use std::num::NonZeroU64;

use crate::node::mailbox::Time;

/// How much may go at a time after a rest, in milliseconds of the rate.
const BURST_MS: u64 = 50;

/// Lets bytes through at a rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Bytes a second.
    rate: NonZeroU64,
    /// When everything that has gone would have gone at exactly the rate, in microseconds.
    due: u64,
}

impl Bucket {
    /// A bucket that is full.
    pub(super) const fn new(rate: NonZeroU64) -> Self {
        Self { rate, due: 0 }
    }

    /// When the next datagram may go; `None` if it may at once.
    pub(super) fn opens(&self, now: Time) -> Option<Time> {
        let at = self.due.div_ceil(1000).saturating_sub(BURST_MS);
        (at > now.0).then_some(Time(at))
    }

    /// A datagram of `bytes` has gone.
    pub(super) fn spend(&mut self, now: Time, bytes: usize) {
        let bytes = u64::try_from(bytes).expect("a length fits 64 bits");
        let takes = bytes.saturating_mul(1_000_000).div_ceil(self.rate.get());
        self.due = self.due.max(now.0.saturating_mul(1000)).saturating_add(takes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_a_while_exactly_the_rate_goes_through_whatever_the_size() {
        for size in [100, 1400, 65_507] {
            let mut bucket = Bucket::new(NonZeroU64::new(1_000_000).unwrap());
            let (begin, mut now, mut sent) = (Time(5_000), Time(5_000), 0_usize);
            while now.since(begin).as_secs() < 10 {
                match bucket.opens(now) {
                    Some(at) => {
                        assert!(at > now);
                        now = at;
                    }
                    None => {
                        bucket.spend(now, size);
                        sent += size;
                    }
                }
            }
            assert!((9_900_000..=10_200_000).contains(&sent), "{size}: {sent}");
        }
    }

    #[test]
    fn after_a_rest_no_more_than_the_burst_goes_at_once() {
        let mut bucket = Bucket::new(NonZeroU64::new(1_000_000).unwrap());
        for now in [Time(1_000), Time(1_000_000)] {
            let mut sent = 0;
            while bucket.opens(now).is_none() {
                bucket.spend(now, 1000);
                sent += 1;
            }
            assert_eq!(sent, 51);
        }
    }

    #[test]
    fn a_datagram_longer_than_the_burst_goes_and_is_paid_for_afterwards() {
        let mut bucket = Bucket::new(NonZeroU64::new(1000).unwrap());
        assert_eq!(bucket.opens(Time(0)), None);
        bucket.spend(Time(0), 60_000);
        assert_eq!(bucket.opens(Time(0)), Some(Time(60_000 - BURST_MS)));
    }
}
