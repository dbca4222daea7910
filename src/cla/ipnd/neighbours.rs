//! Who was heard, where they listen, and until when that is believed.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bundle_spec::{NodeId, sign::PublicKey};

use super::beacon::Beacon;
use crate::{
    cla::{
        address::{Leniency, PeerAddress, Road},
        tcpclv4::TlsPolicy,
    },
    node::mailbox::Time,
};

/// Most neighbours that are known at a time; further ones are not heard.
const NEIGHBOURS_MAX: usize = 64;
/// How many beacons may be missed.
const MISSED_MAX: u32 = 3;
/// How long a neighbour that does not say when its next beacon comes is believed: ten times `dtnd`'s period.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long any neighbour is believed at most.
const PATIENCE_MAX: Duration = Duration::from_secs(3600);

/// The name of TCPCLv4 in beacons of `dtnd`.
const TCPCLV4: &str = "tcp";

/// Which name a convergence layer has in beacons; `None` if beacons do not speak of it.
pub(super) const fn name_of(road: Road) -> Option<&'static str> {
    match road {
        Road::Quic => Some("quic"),
        Road::Tcpclv4 => Some(TCPCLV4),
        Road::Mtcp => Some("mtcp"),
        Road::Stcp | Road::Udp | Road::Quicclav1 => None,
    }
}

/// Who was heard.
pub(super) struct Neighbours {
    /// Who this is: own beacons come back.
    own: NodeId,
    /// What is tolerated of whoever is found.
    leniency: Leniency,
    heard: BTreeMap<(NodeId, IpAddr), Heard>,
}

struct Heard {
    addresses: Vec<PeerAddress>,
    /// Until when it is believed.
    until: Time,
}

impl Neighbours {
    pub(super) const fn new(own: NodeId, leniency: Leniency) -> Self {
        Self { own, leniency, heard: BTreeMap::new() }
    }

    /// A beacon came from somewhere.
    pub(super) fn hear(&mut self, now: Time, from: SocketAddr, beacon: &Beacon) {
        let key = (beacon.node.clone(), from.ip());
        let is_new = !self.heard.contains_key(&key);
        if beacon.node == self.own || (is_new && self.heard.len() >= NEIGHBOURS_MAX) {
            return;
        }
        let patience = beacon.period.map_or(PATIENCE, |period| {
            period.saturating_mul(MISSED_MAX).clamp(Duration::from_secs(3), PATIENCE_MAX)
        });
        let heard = Heard { addresses: self.addresses_of(from, beacon), until: now + patience };
        self.heard.insert(key, heard);
    }

    /// Where a neighbour is reached: over every road that acknowledges; over one that does not only if there
    /// is no other.
    fn addresses_of(&self, from: SocketAddr, beacon: &Beacon) -> Vec<PeerAddress> {
        let host = match from {
            // A link-local address means nothing without its link.
            SocketAddr::V6(from) if from.scope_id() != 0 => format!("{}%{}", from.ip(), from.scope_id()),
            _ => from.ip().to_string(),
        };
        let at = |road: Road| {
            let name = name_of(road)?;
            let (_, port) = beacon.layers.iter().find(|(layer, _)| layer == name)?;
            PeerAddress::new(road, &host, *port).ok()
        };
        let quic = at(Road::Quic).map(|address| match PublicKey::from_node_id(&beacon.node) {
            Some(key) => address.with_key(key),
            None => address,
        });
        let tcpclv4 = at(Road::Tcpclv4).map(|address| {
            let address = address.with_node(beacon.node.clone()).with_lax(self.leniency.sessions());
            match self.leniency {
                Leniency::Strict => address,
                // Whoever is borne with may know no TLS either: `dtnd` does not.
                Leniency::Dtn7 | Leniency::All => address.with_tls(TlsPolicy::Allow),
            }
        });
        let mut addresses: Vec<PeerAddress> = quic.into_iter().chain(tcpclv4).collect();
        if addresses.is_empty() {
            addresses.extend(at(Road::Mtcp).map(|address| address.with_node(beacon.node.clone())));
        }
        addresses
    }

    /// Whose time is up at `now`.
    pub(super) fn overdue(&self, now: Time) -> Vec<NodeId> {
        let overdue = self.heard.iter().filter(|(_, heard)| heard.until <= now);
        overdue.map(|((node, _), _)| node.clone()).collect()
    }

    /// Forgets those whose time is up at `now`, but not those with whom there is a contact.
    pub(super) fn forget(&mut self, now: Time, connected: &[NodeId]) {
        self.heard.retain(|(node, _), heard| heard.until > now || connected.contains(node));
    }

    /// Where all of them are reached.
    pub(super) fn addresses(&self) -> Vec<PeerAddress> {
        self.heard.values().flat_map(|heard| heard.addresses.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_reached_over_the_best_roads_it_offers() {
        let mut neighbours = neighbours(Leniency::Dtn7);
        for (offers, expected) in [
            (vec![("mtcp", 7)], vec!["mtcp://10.0.0.9:7?eid=ipn:5.0"]),
            (vec![("mtcp", 7), ("tcp", 8)], vec!["tcpclv4://10.0.0.9:8?eid=ipn:5.0&lax=dtn7&tls=allow"]),
            (
                vec![("tcp", 8), ("quic", 9)],
                vec!["quic://10.0.0.9:9", "tcpclv4://10.0.0.9:8?eid=ipn:5.0&lax=dtn7&tls=allow"],
            ),
            (vec![("http", 8)], vec![]),
        ] {
            neighbours.hear(Time(0), from("10.0.0.9:3003"), &beacon("ipn:5.0", &offers));
            assert_eq!(shown(&neighbours), expected);
        }
        let mut strict = self::neighbours(Leniency::Strict);
        strict.hear(Time(0), from("[fe80::1%3]:3003"), &beacon("ipn:5.0", &[("tcp", 8)]));
        assert_eq!(shown(&strict), ["tcpclv4://[fe80::1%3]:8?eid=ipn:5.0"]);
        let key = PublicKey([7; 32]);
        strict.hear(Time(0), from("10.0.0.9:1"), &beacon(&key.node_id().to_string(), &[("quic", 9)]));
        assert_eq!(strict.addresses()[0].expected(), Some(&key));
    }

    #[test]
    fn a_neighbour_goes_when_beacons_stop_but_not_while_there_is_a_contact() {
        let mut neighbours = neighbours(Leniency::Dtn7);
        let node: NodeId = "ipn:5.0".parse().unwrap();
        let mut regular = beacon("ipn:5.0", &[("mtcp", 7)]);
        regular.period = Some(Duration::from_secs(10));
        neighbours.hear(Time(0), from("10.0.0.9:3003"), &regular);
        neighbours.hear(Time(10_000), from("10.0.0.9:3003"), &regular);
        assert!(neighbours.overdue(Time(39_999)).is_empty());
        assert_eq!(neighbours.overdue(Time(40_000)), std::slice::from_ref(&node));
        neighbours.forget(Time(40_000), &[node]);
        assert_eq!(neighbours.addresses().len(), 1);
        neighbours.forget(Time(40_000), &[]);
        assert!(neighbours.addresses().is_empty());
    }

    #[test]
    fn nobody_is_their_own_neighbour_and_a_crowd_is_not_heard() {
        let mut neighbours = neighbours(Leniency::Dtn7);
        neighbours.hear(Time(0), from("10.0.0.9:3003"), &beacon("dtn://own/", &[("mtcp", 7)]));
        assert!(neighbours.addresses().is_empty());
        for number in 1..100 {
            let crowd = beacon(&format!("ipn:{number}.0"), &[("mtcp", 7)]);
            neighbours.hear(Time(0), from("10.0.0.9:3003"), &crowd);
        }
        assert_eq!(neighbours.addresses().len(), NEIGHBOURS_MAX);
        // Who is known already is still heard.
        neighbours.hear(Time(1), from("10.0.0.9:3003"), &beacon("ipn:1.0", &[("mtcp", 8)]));
        assert!(shown(&neighbours).contains(&"mtcp://10.0.0.9:8?eid=ipn:1.0".to_owned()));
    }

    fn neighbours(leniency: Leniency) -> Neighbours {
        Neighbours::new("dtn://own/".parse().unwrap(), leniency)
    }

    fn beacon(node: &str, offers: &[(&str, u16)]) -> Beacon {
        let layers = offers.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        Beacon { node: node.parse().unwrap(), sequence: 0, layers, period: None }
    }

    fn from(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn shown(neighbours: &Neighbours) -> Vec<String> {
        neighbours.addresses().iter().map(ToString::to_string).collect()
    }
}
