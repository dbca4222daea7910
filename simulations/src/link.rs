//! The physics of one contact: how long things take, what breaks, and what is under way in each direction.
//! Values only; `world::transfer` moves bundles through it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bundle_spec::{BundleDigest, BundleId};
use bytes::Bytes;
use pannier::agent::{LinkClass, Outgoing};
use serde::Deserialize;

use crate::dice::Dice;

/// A kind of link, by the name that scenarios use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkModel {
    /// Long-range radio: far and very slow.
    Lora,
    /// A wireless network within a house.
    Wifi,
    /// A dish to satellites in low orbit: fast, with small gaps.
    Starlink,
    /// Somebody carries a stick from table to table.
    UsbWalk,
    /// A geostationary satellite: slow to answer.
    Geo,
    /// A radio with short frames: one bundle in each.
    Datagram,
    /// A cable that breaks again and again; what has come over it is kept as a part.
    Frail,
}

/// What a link does to what goes through it.
#[derive(Clone, Copy, Debug)]
pub struct LinkPhysics {
    /// Name of the convergence layer, for people.
    pub cla: &'static str,
    /// From one end to the other, in milliseconds.
    pub latency_ms: u64,
    /// How much later something may be, in milliseconds.
    pub jitter_ms: u64,
    /// Bytes per second.
    pub rate: u64,
    /// How many of a thousand frames must be sent again, which takes time.
    pub lost_per_mille: u64,
    /// How many of a thousand transfers break off.
    pub broken_per_mille: u64,
}

impl LinkModel {
    /// What it does.
    #[must_use]
    pub const fn physics(self) -> LinkPhysics {
        let (cla, latency_ms, jitter_ms, rate, lost_per_mille, broken_per_mille) = match self {
            Self::Lora => ("lora", 400, 600, 150, 100, 60),
            Self::Wifi => ("wifi", 3, 12, 2_000_000, 10, 20),
            Self::Starlink => ("starlink", 30, 40, 6_000_000, 10, 30),
            Self::UsbWalk => ("usb-walk", 60_000, 20_000, 20_000_000, 0, 5),
            Self::Geo => ("geo", 280, 30, 250_000, 20, 30),
            Self::Datagram => ("datagram", 25, 20, 20_000, 10, 20),
            Self::Frail => ("frail", 10, 10, 100_000, 0, 250),
        };
        LinkPhysics { cla, latency_ms, jitter_ms, rate, lost_per_mille, broken_per_mille }
    }

    /// What agents are told of it.
    #[must_use]
    pub fn class(self) -> LinkClass {
        let cla = self.physics().cla;
        let payload_max = match self {
            Self::Datagram => Some(1200),
            Self::Lora | Self::Wifi | Self::Starlink | Self::UsbWalk | Self::Geo | Self::Frail => None,
        };
        let keeps_parts = self == Self::Frail;
        LinkClass { summaries: true, durable: true, payload_max, keeps_parts, ..LinkClass::plain(cla) }
    }
}

/// A bundle on its way, as bytes.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Which transfer of this world.
    pub number: u64,
    /// Which bundle.
    pub bundle: BundleId,
    /// Its header, encoded.
    pub header: Bytes,
    /// Its payload, from the first byte that is sent.
    pub rest: Bytes,
    /// How many bytes of the payload the receiver has already.
    pub offset: u64,
}

/// The transfer that a direction is busy with.
#[derive(Clone, Debug)]
pub struct Current {
    /// Which.
    pub transfer: Transfer,
    /// When it began.
    pub began: u64,
    /// When its last byte is sent.
    pub ends: u64,
}

impl Current {
    /// How many bytes of the payload have been sent at a time.
    #[must_use]
    pub fn sent(&self, now: u64, rate: u64) -> u64 {
        let header = u64::try_from(self.transfer.header.len()).unwrap_or(u64::MAX);
        let rest = u64::try_from(self.transfer.rest.len()).unwrap_or(u64::MAX);
        let sent = now.saturating_sub(self.began).saturating_mul(rate) / 1000;
        sent.saturating_sub(header).min(rest).saturating_add(self.transfer.offset)
    }
}

/// One direction of a contact.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// What waits, in order.
    pub queue: VecDeque<Outgoing>,
    /// What is under way.
    pub current: Option<Current>,
    /// When the last frame of this direction arrives: no later one is earlier.
    pub last_arrival: u64,
    /// Transfers that the receiver has refused before the payload came.
    pub refused: BTreeSet<u64>,
    /// What the receiver has of bundles whose transfers broke off.
    pub partials: BTreeMap<BundleDigest, Bytes>,
}

/// A contact between two hosts.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Who, as places in the list of hosts.
    pub ends: [usize; 2],
    /// Over what.
    pub model: LinkModel,
    /// What goes from the first end to the second, and from the second to the first.
    pub lanes: [Lane; 2],
}

impl Contact {
    /// A contact that begins.
    #[must_use]
    pub fn new(ends: [usize; 2], model: LinkModel) -> Self {
        Self { ends, model, lanes: [Lane::default(), Lane::default()] }
    }

    /// Which end a host is: its own direction has the same number.
    #[must_use]
    pub fn end_of(&self, host: usize) -> usize {
        usize::from(self.ends[0] != host)
    }

    /// When a frame that is sent arrives at the other end. Frames of one direction keep their order.
    pub fn arrival(&mut self, end: usize, sent: u64, dice: &mut Dice) -> u64 {
        let physics = self.model.physics();
        let mut delay = physics.latency_ms + dice.below(physics.jitter_ms + 1);
        // A frame that is lost is sent again after a round trip.
        while dice.chance(physics.lost_per_mille) {
            delay += 2 * physics.latency_ms + 1;
        }
        let lane = &mut self.lanes[end];
        lane.last_arrival = lane.last_arrival.max(sent + delay.max(1));
        lane.last_arrival
    }
}

/// How long so many bytes take, in milliseconds, at least one.
#[must_use]
pub fn duration_ms(bytes: usize, rate: u64) -> u64 {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    bytes.saturating_mul(1000).checked_div(rate).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_one_direction_keep_their_order() {
        let mut contact = Contact::new([0, 1], LinkModel::Lora);
        let mut dice = Dice::new(1, 1);
        let arrivals: Vec<u64> = (0..200).map(|sent| contact.arrival(0, sent, &mut dice)).collect();
        assert!(arrivals.is_sorted());
        assert!(arrivals[0] >= 400);
    }

    #[test]
    fn a_slow_link_takes_its_time() {
        assert_eq!(duration_ms(1500, LinkModel::Lora.physics().rate), 10_000);
        assert_eq!(duration_ms(1, LinkModel::Wifi.physics().rate), 1);
    }
}
