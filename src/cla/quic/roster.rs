//! Who is connected: one connection a peer, whoever dialled. Decides; never touches a connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bundle_spec::{NodeId, sign::PublicKey};

use crate::{limits::LINKS_MAX, node::mailbox::Time};

/// Two connections that are made within this time are two sides dialling at once. A later one means that the
/// peer has given the earlier one up: it would not dial otherwise.
const AT_ONCE: Duration = Duration::from_secs(5);

/// One connection, named by its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) u64);

/// A connection that would be the one with its peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    pub(super) id: ConnectionId,
    /// Who is there.
    pub(super) peer: PublicKey,
    /// Who dialled: the peer or this node.
    pub(super) dialler: PublicKey,
}

/// What is to be done with a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the one.
    Enter,
    /// It will be the one as soon as this other one has left, which must be told to.
    After(ConnectionId),
    /// There is another one, or no room.
    Reject,
}

struct Seat {
    holder: Newcomer,
    since: Time,
    /// What the peer calls itself.
    name: Option<NodeId>,
    /// Who takes the seat next.
    next: Option<Newcomer>,
}

/// Who is connected.
#[derive(Default)]
pub(super) struct Roster {
    seats: BTreeMap<PublicKey, Seat>,
}

impl Roster {
    /// A connection is authenticated. Gives the verdict, and the one that loses a place in the queue by it.
    pub(super) fn enter(&mut self, now: Time, newcomer: Newcomer) -> (Verdict, Option<ConnectionId>) {
        let Some(seat) = self.seats.get_mut(&newcomer.peer) else {
            if self.seats.len() >= LINKS_MAX {
                return (Verdict::Reject, None);
            }
            self.seats.insert(newcomer.peer, Seat { holder: newcomer, since: now, name: None, next: None });
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
    pub(super) fn leave(&mut self, now: Time, peer: &PublicKey, id: ConnectionId) -> Option<ConnectionId> {
        let seat = self.seats.get_mut(peer)?;
        if seat.next.is_some_and(|next| next.id == id) {
            seat.next = None;
            return None;
        }
        if seat.holder.id != id {
            return None;
        }
        match seat.next.take() {
            Some(next) => {
                *seat = Seat { holder: next, since: now, name: None, next: None };
                Some(next.id)
            }
            None => {
                self.seats.remove(peer);
                None
            }
        }
    }

    /// The peer calls itself `name`; whether nobody else here does.
    pub(super) fn name(&mut self, peer: &PublicKey, name: &NodeId) -> bool {
        let is_taken = self.seats.iter().any(|(key, seat)| key != peer && seat.name.as_ref() == Some(name));
        if let Some(seat) = self.seats.get_mut(peer)
            && !is_taken
        {
            seat.name = Some(name.clone());
        }
        !is_taken
    }

    /// Everybody who is connected.
    pub(super) fn peers(&self) -> BTreeSet<PublicKey> {
        self.seats.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
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

    fn newcomer(id: u64, peer: PublicKey, dialler: PublicKey) -> Newcomer {
        Newcomer { id: ConnectionId(id), peer, dialler }
    }
}
