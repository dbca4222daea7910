//! Whether a connection that carries something still lives. QUIC asks a peer that has fallen silent in pauses
//! that double without end, so that a link which comes back lies idle for as long again as it was away; a new
//! connection is there at once and goes on where transfers stopped.
//!
//! The session looks while it sends or receives. Never touches a socket or a clock.

use std::time::Duration;

use crate::node::mailbox::Time;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After so long without a word from the peer the connection is over: two signs of life did not come.
const SILENCE: Duration = Duration::from_secs(6);
/// The same on links where an answer takes long, in round trips.
const SILENT_ROUND_TRIPS: u32 = 8;

/// What was heard of a peer, and when.
#[derive(Debug)]
pub(super) struct Pulse {
    /// How many datagrams had come when it was looked at last.
    heard: u64,
    /// When it was first seen that so many have come.
    heard_at: Time,
    looked_at: Time,
}

impl Pulse {
    pub(super) const fn new(now: Time) -> Self {
        Self { heard: 0, heard_at: now, looked_at: now }
    }

    /// When it is to be looked at next.
    pub(super) fn due(&self) -> Time {
        self.looked_at + LOOK
    }

    /// Whether the peer lives: `heard` datagrams have come from it so far, a round trip takes `round_trip`.
    pub(super) fn beats(&mut self, now: Time, heard: u64, round_trip: Duration) -> bool {
        self.looked_at = now;
        if heard != self.heard {
            self.heard = heard;
            self.heard_at = now;
        }
        now.since(self.heard_at) < SILENCE.max(round_trip * SILENT_ROUND_TRIPS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Duration = Duration::from_millis(20);
    const FAR: Duration = Duration::from_secs(3);

    #[test]
    fn a_peer_that_says_nothing_for_six_seconds_is_gone() {
        let mut pulse = Pulse::new(Time::ZERO);
        assert!(pulse.beats(at(1_000), 7, NEAR));
        assert_eq!(pulse.due(), at(2_000));
        assert!(pulse.beats(at(6_999), 7, NEAR));
        assert!(!pulse.beats(at(7_000), 7, NEAR));
    }

    #[test]
    fn one_datagram_is_a_sign_of_life() {
        let mut pulse = Pulse::new(Time::ZERO);
        assert!(pulse.beats(at(5_999), 0, NEAR));
        assert!(pulse.beats(at(6_000), 1, NEAR));
        assert!(pulse.beats(at(11_999), 1, NEAR));
    }

    #[test]
    fn a_peer_on_the_moon_is_given_its_time() {
        let mut pulse = Pulse::new(Time::ZERO);
        assert!(pulse.beats(at(23_999), 0, FAR));
        assert!(!pulse.beats(at(24_000), 0, FAR));
    }

    #[test]
    fn a_connection_that_nobody_looked_at_while_it_lay_idle_is_not_over_for_that() {
        let mut pulse = Pulse::new(Time::ZERO);
        assert!(pulse.beats(at(1_000), 7, NEAR));
        assert!(pulse.beats(at(600_000), 300, NEAR));
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }
}
