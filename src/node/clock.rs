//! The only place that reads clocks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bundle_spec::DtnTime;
use rustix::time::{ClockId, clock_gettime};

use crate::time::Time;

/// Seconds between the Unix epoch and the DTN epoch, 2000-01-01T00:00:00Z (RFC 9171 §4.2.6).
const DTN_EPOCH_UNIX_S: u64 = 946_684_800;
/// Wall clocks before this (2025-01-01) have lost their battery: the time is unknown.
const PLAUSIBLE_DTN_MS: u64 = 788_918_400_000;

/// A node's clock: its own [`Time`], which runs on during suspend, and the wall's.
#[derive(Debug)]
pub struct Clock {
    /// What the boot clock said when this process began, in milliseconds.
    boot_origin: u64,
    /// What the node's time was then.
    time_origin: u64,
    /// The latest time that was told, so that it never runs backwards.
    latest: AtomicU64,
}

impl Clock {
    /// A clock that goes on from `resumed`: the larger of what the wall says has passed since the node first
    /// started at `first_started` (DTN time, milliseconds, zero if unknown) and the last time that was
    /// recorded.
    #[must_use]
    pub fn resume(first_started: u64, last: Time) -> Self {
        let passed = match (first_started, wall_ms()) {
            (0, _) | (_, None) => 0,
            (first, Some(wall)) => wall.saturating_sub(first),
        };
        let time_origin = passed.max(last.0);
        Self { boot_origin: boot_ms(), time_origin, latest: AtomicU64::new(time_origin) }
    }

    /// The node's time.
    pub fn now(&self) -> Time {
        let time = self.time_origin + boot_ms().saturating_sub(self.boot_origin);
        Time(self.latest.fetch_max(time, Ordering::Relaxed).max(time))
    }

    /// The wall's time, if it is plausible, and how far it may be off.
    #[must_use]
    pub fn wall(&self) -> Option<(DtnTime, Duration)> {
        wall_ms().map(|ms| (DtnTime(ms), Duration::from_secs(1)))
    }

    /// Waits until the node's time is `until`. Runs late by at most a second after suspend.
    pub async fn sleep_until(&self, until: Option<Time>) {
        let Some(until) = until else { return std::future::pending().await };
        loop {
            let left = until.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
    }
}

fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).expect("the boot clock is not negative");
    let nanos = u64::try_from(time.tv_nsec).expect("nanoseconds are not negative");
    seconds * 1000 + nanos / 1_000_000
}

fn wall_ms() -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    let since_unix = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let ms = u64::try_from(since_unix.as_millis()).ok()?.checked_sub(DTN_EPOCH_UNIX_S * 1000)?;
    (ms >= PLAUSIBLE_DTN_MS).then_some(ms)
}
