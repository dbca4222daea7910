//! How fast a link is, from transfers that are long enough to tell.

use std::{num::NonZeroU64, time::Duration};

use crate::node::mailbox::Time;

/// Shorter transfers say more of the round trip than of the rate.
const TELLING_BYTES_MIN: u64 = 64 * 1024;

/// A transfer under measurement.
#[derive(Clone, Copy, Debug)]
pub(in crate::cla) struct Pace {
    /// When it began.
    began: Time,
    /// How many bytes it has.
    bytes: u64,
}

impl Pace {
    /// A transfer of `bytes` begins.
    pub(in crate::cla) fn begin(now: Time, bytes: u64) -> Self {
        Self { began: now, bytes }
    }

    /// Round trip and bytes per second of a transfer that is durable at the peer at `now`; `None` if it was
    /// too short to tell.
    pub(in crate::cla) fn measure(&self, now: Time, round_trip: Duration) -> Option<(Duration, NonZeroU64)> {
        if self.bytes < TELLING_BYTES_MIN {
            return None;
        }
        let took = u64::try_from(now.since(self.began).as_millis()).unwrap_or(u64::MAX).max(1);
        NonZeroU64::new(self.bytes.saturating_mul(1000) / took).map(|rate| (round_trip, rate))
    }
}
