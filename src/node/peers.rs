//! The peers that people have named, kept in a file beside the identity, and those that a beacon has found.
//! Each convergence layer sees the addresses of its own road.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use tokio::sync::watch;

use crate::cla::address::{PeerAddress, Road};

/// Most addresses that are kept: each is dialled again and again.
const PEERS_MAX: usize = 256;

/// Why an address was not kept or dropped.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Not an address that any convergence layer here understands.
    #[error("`{address}` is not an address: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What goes there must be signed, and there is no key for that.
    #[error(
        "`{0}` forbids encryption, so that what goes there must be signed: set `security.link-key` to the \
         name of an HMAC key in `security.keys`, or take the peer out of the file `peers`"
    )]
    NoLinkKey(String),
    /// Too many.
    #[error("there are {PEERS_MAX} peers already")]
    TooMany,
    /// It was not there.
    #[error("no peer `{0}`")]
    Unknown(String),
    /// The file could not be written.
    #[error("the peers cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Addresses that are dialled.
pub(super) struct Peers {
    path: PathBuf,
    /// Whether there is a key that signs where encryption is forbidden.
    can_sign: bool,
    /// One writer at a time.
    known: Mutex<Known>,
    roads: BTreeMap<Road, watch::Sender<Vec<PeerAddress>>>,
}

/// Where the addresses come from.
#[derive(Default)]
struct Known {
    /// From people.
    named: Vec<PeerAddress>,
    /// From beacons.
    found: Vec<PeerAddress>,
}

impl Known {
    /// The addresses of one road; what people say of a place goes before what a beacon says.
    fn of(&self, road: Road) -> Vec<PeerAddress> {
        let is_named = |found: &PeerAddress| self.named.iter().any(|named| named.is_same_place(found));
        let found = self.found.iter().filter(|found| !is_named(found));
        self.named.iter().chain(found).filter(|address| address.road() == road).cloned().collect()
    }
}

impl Peers {
    /// Reads the file, which need not exist: one address a line. `can_sign` says whether there is a key for
    /// links on which encryption is forbidden.
    pub(super) fn load(path: &Path, can_sign: bool) -> Result<Self, PeerError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let named = text.lines().filter(|line| !line.is_empty()).map(parse).collect::<Result<Vec<_>, _>>()?;
        named.iter().try_for_each(|address| may_be_reached(address, can_sign))?;
        let known = Known { named, found: Vec::new() };
        let roads = Road::ALL.into_iter().map(|road| (road, watch::Sender::new(known.of(road)))).collect();
        Ok(Self { path: path.to_owned(), can_sign, known: Mutex::new(known), roads })
    }

    /// The addresses of one road as they are and as they change.
    pub(super) fn watch(&self, road: Road) -> watch::Receiver<Vec<PeerAddress>> {
        self.roads[&road].subscribe()
    }

    /// The addresses that people have named.
    pub(super) fn list(&self) -> Vec<PeerAddress> {
        self.known.lock().expect("no holder panics").named.clone()
    }

    /// Keeps an address; again is no error. What was known of the same place before is forgotten.
    pub(super) fn add(&self, address: &str) -> Result<(), PeerError> {
        self.keep(&[parse(address)?])?;
        Ok(())
    }

    /// Keeps all of these addresses or none.
    pub(super) fn keep(&self, addresses: &[PeerAddress]) -> Result<(), PeerError> {
        addresses.iter().try_for_each(|address| self.may_reach(address))?;
        let mut known = self.known.lock().expect("no holder panics");
        let mut named = known.named.clone();
        for address in addresses {
            match named.iter().position(|known| known.is_same_place(address)) {
                Some(place) => named[place].clone_from(address),
                None if named.len() == PEERS_MAX => return Err(PeerError::TooMany),
                None => named.push(address.clone()),
            }
        }
        self.write(&named)?;
        known.named = named;
        // Whoever names a peer again hopes that it is there: an unchanged list wakes the dialler, too.
        for road in addresses.iter().map(PeerAddress::road).collect::<BTreeSet<_>>() {
            self.roads[&road].send_replace(known.of(road));
        }
        Ok(())
    }

    /// Whether this node has what it takes to dial an address.
    pub(super) fn may_reach(&self, address: &PeerAddress) -> Result<(), PeerError> {
        may_be_reached(address, self.can_sign)
    }

    /// Drops an address, whatever was said of the place.
    pub(super) fn forget(&self, address: &str) -> Result<(), PeerError> {
        let parsed = parse(address)?;
        let mut known = self.known.lock().expect("no holder panics");
        let mut named = known.named.clone();
        named.retain(|known| !known.is_same_place(&parsed));
        if named.len() == known.named.len() {
            return Err(PeerError::Unknown(address.to_owned()));
        }
        self.write(&named)?;
        known.named = named;
        self.tell(&known);
        Ok(())
    }

    /// These are the peers that beacons tell of at this moment.
    pub(super) fn find(&self, found: Vec<PeerAddress>) {
        let mut known = self.known.lock().expect("no holder panics");
        known.found = found;
        self.tell(&known);
    }

    fn tell(&self, known: &Known) {
        for (road, sender) in &self.roads {
            let addresses = known.of(*road);
            sender.send_if_modified(|current| {
                let is_new = *current != addresses;
                *current = addresses;
                is_new
            });
        }
    }

    /// Writes the file by an atomic rename.
    fn write(&self, named: &[PeerAddress]) -> Result<(), PeerError> {
        let part = self.path.with_extension("part");
        let mut file = fs::File::create(&part)?;
        for address in named {
            writeln!(file, "{address}")?;
        }
        file.sync_all()?;
        fs::rename(&part, &self.path)?;
        Ok(())
    }
}

fn may_be_reached(address: &PeerAddress, can_sign: bool) -> Result<(), PeerError> {
    match address.clear_only() && !can_sign {
        true => Err(PeerError::NoLinkKey(address.to_string())),
        false => Ok(()),
    }
}

fn parse(text: &str) -> Result<PeerAddress, PeerError> {
    text.parse().map_err(|error| PeerError::Address { address: text.to_owned(), reason: format!("{error}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_road_sees_its_own_addresses_and_they_outlive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let peers = Peers::load(&path, false).unwrap();
        peers.add("quic://a:1").unwrap();
        peers.add("mtcp://b:2?eid=ipn:5.0").unwrap();
        for peers in [peers, Peers::load(&path, false).unwrap()] {
            assert_eq!(shown(&peers, Road::Quic), ["quic://a:1"]);
            assert_eq!(shown(&peers, Road::Mtcp), ["mtcp://b:2?eid=ipn:5.0"]);
            assert!(shown(&peers, Road::Udp).is_empty());
        }
    }

    #[test]
    fn a_place_is_kept_once_and_forgotten_whatever_was_said_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let peers = Peers::load(&folder.path().join("peers"), false).unwrap();
        peers.add("mtcp://b:2").unwrap();
        peers.add("mtcp://b:2?eid=ipn:5.0").unwrap();
        assert_eq!(shown(&peers, Road::Mtcp), ["mtcp://b:2?eid=ipn:5.0"]);
        peers.forget("mtcp://b:2").unwrap();
        assert!(shown(&peers, Road::Mtcp).is_empty());
        assert!(matches!(peers.forget("mtcp://b:2"), Err(PeerError::Unknown(_))));
    }

    #[test]
    fn what_a_beacon_has_found_is_dialled_but_neither_kept_nor_preferred() {
        let folder = tempfile::tempdir().unwrap();
        let peers = Peers::load(&folder.path().join("peers"), false).unwrap();
        peers.add("mtcp://10.0.0.1:2?eid=ipn:5.0").unwrap();
        let found = ["mtcp://10.0.0.1:2?eid=ipn:6.0", "mtcp://10.0.0.2:2"];
        peers.find(found.iter().map(|text| text.parse().unwrap()).collect());
        assert_eq!(shown(&peers, Road::Mtcp), ["mtcp://10.0.0.1:2?eid=ipn:5.0", "mtcp://10.0.0.2:2"]);
        assert_eq!(peers.list().len(), 1);
        peers.find(Vec::new());
        assert_eq!(shown(&peers, Road::Mtcp).len(), 1);
    }

    #[test]
    fn a_peer_that_is_named_again_wakes_its_dialler_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let peers = Peers::load(&folder.path().join("peers"), false).unwrap();
        peers.add("quic://a:1").unwrap();
        let (quic, mtcp) = (peers.watch(Road::Quic), peers.watch(Road::Mtcp));
        peers.add("quic://a:1").unwrap();
        assert!(quic.has_changed().unwrap());
        assert!(!mtcp.has_changed().unwrap());
    }

    fn shown(peers: &Peers, road: Road) -> Vec<String> {
        peers.watch(road).borrow().iter().map(ToString::to_string).collect()
    }
}
