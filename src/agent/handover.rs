//! Which parts of which bundles have been handed to whom: what is left of a bundle that goes in fragments,
//! over several contacts if it must. In memory only: who starts anew offers the same parts again, and who has
//! them says so. Values only; what is sent is decided in `fragmentation`.

use std::collections::BTreeMap;

use bundle_spec::{BundleDigest, FragmentExtent, NodeId, fragment::Assembly};

use super::LinkId;
use crate::limits;

/// Who is handed parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Taker {
    /// A node, over whichever contact that vouches for what it takes.
    Node(NodeId),
    /// Whoever is behind a contact that does not say who that is, or vouches for nothing.
    Link(LinkId),
}

/// How sure it is that a part is where it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The peer has acknowledged the bytes of a transfer that was cut off.
    Claimed,
    /// It has acknowledged the part as a bundle, or said that it has it.
    Taken,
}

/// All parts of all bundles.
#[derive(Clone, Debug, Default)]
pub(super) struct Handovers {
    entries: BTreeMap<BundleDigest, BTreeMap<Taker, Handover>>,
}

/// The parts of one bundle that somebody has.
#[derive(Clone, Debug)]
struct Handover {
    /// What need not be sent, as far as the peer has said.
    claimed: Assembly,
    /// What was acknowledged as parts.
    taken: Assembly,
}

impl Handovers {
    /// Whether parts of the bundle have gone there.
    pub(super) fn is_begun(&self, bundle: &BundleDigest, taker: &Taker) -> bool {
        self.of(bundle, taker).is_some()
    }

    fn of(&self, bundle: &BundleDigest, taker: &Taker) -> Option<&Handover> {
        self.entries.get(bundle)?.get(taker)
    }

    /// A part of a bundle of `total` bytes is there. Says whether all are.
    pub(super) fn note(
        &mut self,
        bundle: BundleDigest,
        taker: &Taker,
        total: u64,
        (extent, proof): (FragmentExtent, Proof),
    ) -> bool {
        let handover = self
            .make_room(bundle, taker)
            .entry(taker.clone())
            .or_insert_with(|| Handover { claimed: Assembly::new(total), taken: Assembly::new(total) });
        // A part more than can be remembered is sent again.
        let _ = handover.claimed.insert(extent);
        if proof != Proof::Claimed {
            let _ = handover.taken.insert(extent);
        }
        if !handover.taken.is_complete() {
            return false;
        }
        let takers = self.entries.get_mut(&bundle).expect("the bundle was just seen");
        takers.remove(taker);
        if takers.is_empty() {
            self.entries.remove(&bundle);
        }
        true
    }

    /// The takers of a bundle, with room for one more. What is forgotten for it is offered again, and refused
    /// by who has it.
    fn make_room(&mut self, bundle: BundleDigest, taker: &Taker) -> &mut BTreeMap<Taker, Handover> {
        while self.entries.len() >= limits::HANDOVERS_MAX && !self.entries.contains_key(&bundle) {
            self.entries.pop_first();
        }
        let takers = self.entries.entry(bundle).or_default();
        while takers.len() >= limits::LINKS_MAX && !takers.contains_key(taker) {
            takers.pop_first();
        }
        takers
    }

    /// The first part that is to be sent, with `under_way` on its way already. What was only claimed comes
    /// last, when nothing else is left: the peer has it and says so, or takes it.
    pub(super) fn next_gap(
        &self,
        bundle: &BundleDigest,
        taker: &Taker,
        total: u64,
        under_way: &[FragmentExtent],
    ) -> Option<FragmentExtent> {
        let known = self.of(bundle, taker);
        let mut claimed = known.map_or_else(|| Assembly::new(total), |known| known.claimed.clone());
        for extent in under_way {
            let _ = claimed.insert(*extent);
        }
        if let Some(gap) = claimed.gaps().next() {
            return Some(gap);
        }
        known.filter(|_| under_way.is_empty())?.taken.gaps().next()
    }

    /// The bundle is gone.
    pub(super) fn forget(&mut self, bundle: &BundleDigest) {
        self.entries.remove(bundle);
    }

    /// A contact is over: what only it knew is forgotten.
    pub(super) fn forget_link(&mut self, link: LinkId) {
        for takers in self.entries.values_mut() {
            takers.remove(&Taker::Link(link));
        }
        self.entries.retain(|_, takers| !takers.is_empty());
    }
}
