//! Who is connected: one connection a peer, whoever dialled. Decides; never touches a connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bundle_spec::NodeId;

use crate::{limits::LINKS_MAX, node::mailbox::Time};

/// Two connections that are made within this time are two sides dialling at once. A later one means that the
/// peer has given the earlier one up: it would not dial otherwise.
const AT_ONCE: Duration = Duration::from_secs(5);

/// One connection, named by its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cla) struct ConnectionId(pub(in crate::cla) u64);

/// A connection that would be the one with its peer.
#[derive(Clone, Debug)]
pub(in crate::cla) struct Newcomer<K> {
    pub(in crate::cla) id: ConnectionId,
    /// Who is there.
    pub(in crate::cla) peer: K,
    /// Who dialled: the peer or this node.
    pub(in crate::cla) dialler: K,
}

/// What is to be done with a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cla) enum Verdict {
    /// It is the one.
    Enter,
    /// It will be the one as soon as this other one has left, which must be told to.
    After(ConnectionId),
    /// There is another one, or no room.
    Reject,
}

struct Seat<K> {
    holder: Newcomer<K>,
    since: Time,
    /// What the peer calls itself.
    name: Option<NodeId>,
    /// Who takes the seat next.
    next: Option<Newcomer<K>>,
}

/// Who is connected. `K` says who a peer is.
pub(in crate::cla) struct Roster<K> {
    seats: BTreeMap<K, Seat<K>>,
}

impl<K> Default for Roster<K> {
    fn default() -> Self {
        Self { seats: BTreeMap::new() }
    }
}

impl<K: Clone + Ord> Roster<K> {
    /// A connection is authenticated. Gives the verdict, and the one that loses a place in the queue by it.
    pub(in crate::cla) fn enter(
        &mut self,
        now: Time,
        newcomer: Newcomer<K>,
    ) -> (Verdict, Option<ConnectionId>) {
        let Some(seat) = self.seats.get_mut(&newcomer.peer) else {
            if self.seats.len() >= LINKS_MAX {
                return (Verdict::Reject, None);
            }
            self.seats
                .insert(newcomer.peer.clone(), Seat { holder: newcomer, since: now, name: None, next: None });
            return (Verdict::Enter, None);
        };
        let at_once = now.since(seat.since) < AT_ONCE && newcomer.dialler != seat.holder.dialler;
        if at_once && newcomer.dialler > seat.holder.dialler {
            return (Verdict::Reject, None);
        }
        let passed_over = seat.next.replace(newcomer).map(|next| next.id);
        (Verdict::After(seat.holder.id), passed_over)
    }

    /// A connection is over. Gives the one that enters in its place.
    pub(in crate::cla) fn leave(&mut self, now: Time, peer: &K, id: ConnectionId) -> Option<ConnectionId> {
        let seat = self.seats.get_mut(peer)?;
        if seat.next.as_ref().is_some_and(|next| next.id == id) {
            seat.next = None;
            return None;
        }
        if seat.holder.id != id {
            return None;
        }
        match seat.next.take() {
            Some(next) => {
                let id = next.id;
                *seat = Seat { holder: next, since: now, name: None, next: None };
                Some(id)
            }
            None => {
                self.seats.remove(peer);
                None
            }
        }
    }

    /// The peer calls itself `name`; whether nobody else here does.
    pub(in crate::cla) fn name(&mut self, peer: &K, name: &NodeId) -> bool {
        let is_taken = self.seats.iter().any(|(key, seat)| key != peer && seat.name.as_ref() == Some(name));
        if let Some(seat) = self.seats.get_mut(peer)
            && !is_taken
        {
            seat.name = Some(name.clone());
        }
        !is_taken
    }

    /// Everybody who is connected.
    pub(in crate::cla) fn peers(&self) -> BTreeSet<K> {
        self.seats.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use bundle_spec::sign::PublicKey;

    use super::*;

    const LOW: PublicKey = PublicKey([1; 32]);
    const HIGH: PublicKey = PublicKey([2; 32]);

    #[test]
    fn of_two_that_dial_at_once_both_sides_keep_the_one_dialled_by_the_lower_key() {
        // The lower key's node sees its own connection last, the other one's first, and the other way round.
        for (peer, orders) in [(HIGH, [[LOW, HIGH], [HIGH, LOW]]), (LOW, [[LOW, HIGH], [HIGH, LOW]])] {
            for [first, second] in orders {
                let mut roster = Roster::default();
                assert_eq!(roster.enter(Time(0), newcomer(1, peer, first)), (Verdict::Enter, None));
                let (verdict, _) = roster.enter(Time(10), newcomer(2, peer, second));
                let expected = if second == LOW { Verdict::After(ConnectionId(1)) } else { Verdict::Reject };
                assert_eq!(verdict, expected);
            }
        }
    }

    #[test]
    fn a_peer_that_dials_again_takes_its_own_seat_once_the_old_one_has_left() {
        let mut roster = Roster::default();
        roster.enter(Time(0), newcomer(1, HIGH, HIGH));
        assert_eq!(roster.enter(Time(1), newcomer(2, HIGH, HIGH)).0, Verdict::After(ConnectionId(1)));
        assert_eq!(
            roster.enter(Time(2), newcomer(3, HIGH, HIGH)),
            (Verdict::After(ConnectionId(1)), Some(ConnectionId(2)))
        );
        assert_eq!(roster.leave(Time(3), &HIGH, ConnectionId(1)), Some(ConnectionId(3)));
        assert_eq!(roster.leave(Time(4), &HIGH, ConnectionId(1)), None);
        assert_eq!(roster.peers().len(), 1);
        assert_eq!(roster.leave(Time(5), &HIGH, ConnectionId(3)), None);
        assert!(roster.peers().is_empty());
    }

    #[test]
    fn a_peer_that_dials_later_has_given_up_the_earlier_connection() {
        let mut roster = Roster::default();
        roster.enter(Time(0), newcomer(1, HIGH, LOW));
        assert_eq!(roster.enter(Time(4_999), newcomer(2, HIGH, HIGH)).0, Verdict::Reject);
        assert_eq!(roster.enter(Time(5_000), newcomer(3, HIGH, HIGH)).0, Verdict::After(ConnectionId(1)));
    }

    #[test]
    fn a_name_belongs_to_one_key_at_a_time() {
        let mut roster = Roster::default();
        let village: NodeId = "dtn://village/".parse().unwrap();
        roster.enter(Time(0), newcomer(1, LOW, LOW));
        roster.enter(Time(0), newcomer(2, HIGH, HIGH));
        assert!(roster.name(&LOW, &village));
        assert!(!roster.name(&HIGH, &village));
        assert!(roster.name(&LOW, &village));
        roster.leave(Time(1), &LOW, ConnectionId(1));
        assert!(roster.name(&HIGH, &village));
    }

    #[test]
    fn there_is_room_for_so_many_peers_and_no_more() {
        let mut roster = Roster::default();
        for at in 0..=LINKS_MAX {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&u64::try_from(at).unwrap().to_be_bytes());
            let key = PublicKey(key);
            let verdict = roster.enter(Time(0), newcomer(1, key, key)).0;
            assert_eq!(verdict, if at < LINKS_MAX { Verdict::Enter } else { Verdict::Reject });
        }
    }

    fn newcomer(id: u64, peer: PublicKey, dialler: PublicKey) -> Newcomer<PublicKey> {
        Newcomer { id: ConnectionId(id), peer, dialler }
    }
}
