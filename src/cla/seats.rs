//! Who has a seat at an endpoint, who waits for one, and what peers that are away have left behind.
//!
//! The endpoint's task owns it and answers what its connections ask. Never touches a connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bundle_spec::NodeId;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    partial::Partials,
    roster::{ConnectionId, Newcomer, Roster, Verdict},
};
use crate::node::mailbox::Time;

/// Peers whose interrupted transfers are kept; the one that left first is forgotten first.
const PARTIAL_PEERS_MAX: usize = 16;

/// What a connection asks its endpoint. `K` says who a peer is.
pub(in crate::cla) enum Ask<K> {
    /// A seat. The answer comes once it is free; dropped without answer, there is none.
    Enter { newcomer: Newcomer<K>, stop: CancellationToken, seat: oneshot::Sender<Partials> },
    /// Whether the peer may call itself so.
    Name { peer: K, name: NodeId, may: oneshot::Sender<bool> },
    /// The connection is over.
    Leave { peer: K, id: ConnectionId, partials: Partials },
}

struct Waiting<K> {
    stop: CancellationToken,
    seat: oneshot::Sender<Partials>,
    peer: K,
}

/// The seats of one endpoint.
pub(in crate::cla) struct Seats<K> {
    roster: Roster<K>,
    /// Tells everybody who is connected.
    connected: watch::Sender<BTreeSet<K>>,
    /// Connections that wait for their seat.
    waiting: BTreeMap<ConnectionId, Waiting<K>>,
    /// How connections that have a seat are told to go.
    stops: BTreeMap<ConnectionId, CancellationToken>,
    /// Interrupted transfers of peers that are away.
    partials: VecDeque<(K, Partials)>,
}

impl<K: Clone + Ord> Seats<K> {
    /// Nobody is there. The receiver tells who is.
    pub(in crate::cla) fn new() -> (Self, watch::Receiver<BTreeSet<K>>) {
        let (connected, told) = watch::channel(BTreeSet::new());
        let seats = Self {
            roster: Roster::default(),
            connected,
            waiting: BTreeMap::new(),
            stops: BTreeMap::new(),
            partials: VecDeque::new(),
        };
        (seats, told)
    }

    /// Answers a connection.
    pub(in crate::cla) fn answer(&mut self, now: Time, ask: Ask<K>) {
        self.handle_deadline(now);
        match ask {
            Ask::Enter { newcomer, stop, seat } => {
                let (id, peer) = (newcomer.id, newcomer.peer.clone());
                let waiting = Waiting { stop, seat, peer };
                let (verdict, passed_over) = self.roster.enter(now, newcomer);
                if let Some(passed_over) = passed_over {
                    // Its question is dropped, which is the answer.
                    self.waiting.remove(&passed_over);
                }
                match verdict {
                    Verdict::Enter => self.seat(id, waiting),
                    Verdict::After(holder) => {
                        self.waiting.insert(id, waiting);
                        if let Some(stop) = self.stops.get(&holder) {
                            stop.cancel();
                        }
                    }
                    Verdict::Reject => {}
                }
            }
            Ask::Name { peer, name, may } => {
                // Whoever has gone needs no answer.
                let _ = may.send(self.roster.name(&peer, &name));
            }
            Ask::Leave { peer, id, partials } => {
                self.waiting.remove(&id);
                self.stops.remove(&id);
                self.put_away(peer.clone(), partials);
                if let Some(next) = self.roster.leave(now, &peer, id)
                    && let Some(waiting) = self.waiting.remove(&next)
                {
                    self.seat(next, waiting);
                }
            }
        }
        self.connected.send_if_modified(|connected| {
            let peers = self.roster.peers();
            let is_new = *connected != peers;
            *connected = peers;
            is_new
        });
    }

    /// When `handle_deadline` is due.
    pub(in crate::cla) fn next_deadline(&self) -> Option<Time> {
        self.partials.iter().filter_map(|(_, partials)| partials.next_deadline()).min()
    }

    /// What peers that did not return have left behind is dropped.
    pub(in crate::cla) fn handle_deadline(&mut self, now: Time) {
        self.partials.iter_mut().for_each(|(_, partials)| partials.expire(now));
        self.partials.retain(|(_, partials)| !partials.is_empty());
    }

    fn seat(&mut self, id: ConnectionId, waiting: Waiting<K>) {
        let kept = self.partials.iter().position(|(peer, _)| *peer == waiting.peer);
        let partials = kept.and_then(|at| self.partials.remove(at)).map(|(_, partials)| partials);
        self.stops.insert(id, waiting.stop);
        if let Err(partials) = waiting.seat.send(partials.unwrap_or_default()) {
            self.put_away(waiting.peer, partials);
        }
    }

    fn put_away(&mut self, peer: K, partials: Partials) {
        if partials.is_empty() {
            return;
        }
        self.partials.retain(|(known, _)| *known != peer);
        self.partials.push_back((peer, partials));
        if self.partials.len() > PARTIAL_PEERS_MAX {
            self.partials.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bundle_spec::{Builder, CreationTimestamp, DtnTime};

    use super::*;
    use crate::{cla::partial::Partial, store::MemoryStore};

    const T0: Time = Time(1_000_000);

    #[test]
    fn what_a_peer_left_behind_is_there_when_it_returns_and_gone_when_it_does_not() {
        let (mut seats, _connected) = Seats::new();
        assert!(enter(&mut seats, T0, 1).unwrap().is_empty());
        leave(&mut seats, T0, 1);
        let minute = Duration::from_secs(60);
        assert_eq!(seats.next_deadline(), Some(T0 + minute));
        let returned = enter(&mut seats, T0 + minute / 2, 2).unwrap();
        assert_eq!(returned.offers(), [([7; 16], 5)]);
        leave(&mut seats, T0 + minute / 2, 2);
        seats.handle_deadline(seats.next_deadline().unwrap());
        assert_eq!(seats.next_deadline(), None);
        assert!(enter(&mut seats, T0 + 2 * minute, 3).unwrap().is_empty());
    }

    fn enter(seats: &mut Seats<u8>, now: Time, id: u64) -> Option<Partials> {
        let (seat, mut answer) = oneshot::channel();
        let newcomer = Newcomer { id: ConnectionId(id), peer: 1, dialler: 1 };
        seats.answer(now, Ask::Enter { newcomer, stop: CancellationToken::new(), seat });
        answer.try_recv().ok()
    }

    /// The peer goes in the middle of a bundle that lives for a minute.
    fn leave(seats: &mut Seats<u8>, now: Time, id: u64) {
        let eid: bundle_spec::Eid = "dtn://village/test".parse().unwrap();
        let timestamp = CreationTimestamp { time: DtnTime(1), sequence: 1 };
        let header = Builder::new(eid.clone(), eid, timestamp, 60_000).header(9);
        let mut partial = Partial::begin(&MemoryStore::new(9), &header).unwrap();
        partial.take(b"hello").unwrap();
        let mut partials = Partials::default();
        partials.put(now, [7; 16], partial);
        seats.answer(now, Ask::Leave { peer: 1, id: ConnectionId(id), partials });
    }
}
