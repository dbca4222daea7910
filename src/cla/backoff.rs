//! How long to wait before a peer is dialled again.

use std::time::Duration;

/// Pauses that double, with jitter, until something gives hope.
#[derive(Debug)]
pub(in crate::cla) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// The first pause.
    pub(in crate::cla) const FIRST: Duration = Duration::from_millis(500);
    /// The longest pause.
    pub(in crate::cla) const LONGEST: Duration = Duration::from_secs(30);

    pub(in crate::cla) const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The next pause: between half and the whole of what it is due to be, as `jitter` in 0 to 1 says.
    pub(in crate::cla) fn pause(&mut self, jitter: f64) -> Duration {
        let pause = self.next.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        self.next = (2 * self.next).min(Self::LONGEST);
        pause
    }

    /// Something gives hope: the peer was there, or somebody waits for it.
    pub(in crate::cla) fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_thirty_seconds_and_begin_anew_with_hope() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..9).map(|_| backoff.pause(1.0).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.pause(0.0).as_millis(), 250);
    }
}
