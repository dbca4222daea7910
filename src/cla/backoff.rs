//! How long to wait before a peer is dialled again. While something waits for it, never longer than
//! [`Backoff::WAITING`]; while nothing does, pauses grow.

use std::time::Duration;

use bundle_spec::NodeId;

use crate::node::mailbox::Handle;

/// Pauses that double, with jitter, until something gives hope.
#[derive(Debug)]
pub(in crate::cla) struct Backoff {
    next: Duration,
}

/// A pause under way.
#[derive(Debug)]
struct Pause {
    /// How long it is while nothing waits for the peer.
    whole: Duration,
    /// How long it is at most while something does.
    hurried: Duration,
    /// How much of it has passed.
    passed: Duration,
}

impl Backoff {
    /// The first pause.
    pub(in crate::cla) const FIRST: Duration = Duration::from_millis(500);
    /// The longest pause while something waits for the peer.
    pub(in crate::cla) const WAITING: Duration = Duration::from_secs(2);
    /// The longest pause.
    pub(in crate::cla) const LONGEST: Duration = Duration::from_secs(30);

    pub(in crate::cla) const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// Waits until the peer is to be dialled again. May be given up at any time.
    pub(in crate::cla) async fn rest(&mut self, handle: &Handle, peer: Option<&NodeId>) {
        let mut pause = self.begin(rand::random::<f64>());
        // A node that has stopped ends its links.
        while let Ok(waits) = handle.is_awaited(peer.cloned()).await
            && let Some(step) = pause.step(waits)
        {
            tokio::time::sleep(step).await;
        }
    }

    /// The next pause where nobody is dialled, whatever waits: sending again to where nobody listens is dear.
    pub(in crate::cla) fn pause(&mut self, jitter: f64) -> Duration {
        self.begin(jitter).whole
    }

    /// The next pause: between half and the whole of what it is due to be, as `jitter` in 0 to 1 says.
    fn begin(&mut self, jitter: f64) -> Pause {
        let part = 0.5 + jitter.clamp(0.0, 1.0) / 2.0;
        let whole = self.next.mul_f64(part);
        self.next = (2 * self.next).min(Self::LONGEST);
        Pause { whole, hurried: Self::WAITING.mul_f64(part), passed: Duration::ZERO }
    }

    /// Something gives hope: the peer was there, or somebody hopes that it is.
    pub(in crate::cla) fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

impl Pause {
    /// How long to wait until it is to be asked again whether something waits; `None` if the pause is over.
    fn step(&mut self, waits: bool) -> Option<Duration> {
        let end = if waits { self.whole.min(self.hurried) } else { self.whole };
        let step = end.saturating_sub(self.passed).min(Backoff::WAITING);
        self.passed += step;
        (!step.is_zero()).then_some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_thirty_seconds_and_begin_anew_with_hope() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..9).map(|_| length(&mut backoff.begin(1.0), |_| false)).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(length(&mut backoff.begin(0.0), |_| false), 250);
    }

    #[test]
    fn while_something_waits_a_pause_has_two_seconds_at_most() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..5).map(|_| length(&mut backoff.begin(1.0), |_| true)).collect();
        assert_eq!(pauses, [500, 1000, 2000, 2000, 2000]);
        assert_eq!(length(&mut backoff.begin(0.0), |_| true), 1000);
        // Nothing waits any more: it has grown meanwhile.
        assert_eq!(length(&mut backoff.begin(1.0), |_| false), 30_000);
    }

    #[test]
    fn what_begins_to_wait_ends_a_long_pause_within_two_seconds() {
        let mut backoff = Backoff { next: Backoff::LONGEST };
        for since in [0, 1, 1999, 2000, 7500, 29_000] {
            let took = length(&mut backoff.begin(1.0), |passed| passed >= since);
            assert!((since.max(2000)..=since + 2000).contains(&took), "{took} ms, waiting since {since}");
        }
    }

    /// How long a pause lasts in milliseconds, where something waits at some times.
    fn length(pause: &mut Pause, waits: impl Fn(u128) -> bool) -> u128 {
        let mut passed = Duration::ZERO;
        while let Some(step) = pause.step(waits(passed.as_millis())) {
            passed += step;
        }
        passed.as_millis()
    }
}
