//! Fragments by the bundle of which they are parts: which are here, and whether they are all. The ledger
//! keeps it beside its other orders; it decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{BundleDigest, FragmentExtent, fragment::Assembly};

/// Parts of one bundle: the digest of the whole's id, and the length of the whole that they state. Fragments
/// that state another length are parts of something else, whoever is right.
pub(super) type Group = (BundleDigest, u64);

/// A part of a whole, and the fragment that it is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Which fragment.
    pub(super) fragment: BundleDigest,
    /// Where in the fragment's payload it begins.
    pub(super) start: u64,
    /// How many bytes it has.
    pub(super) len: u64,
}

/// All fragments.
#[derive(Clone, Debug, Default)]
pub(super) struct Gatherings {
    groups: BTreeMap<Group, Gathering>,
    /// Groups of which all bytes are here and that have not been looked at since.
    due: BTreeSet<Group>,
}

/// The fragments of one bundle.
#[derive(Clone, Debug)]
struct Gathering {
    /// Lengths by offset and fragment.
    members: BTreeMap<(u64, BundleDigest), u64>,
    /// What they cover together.
    assembly: Assembly,
    /// Whether that is out of date: a fragment has gone, or was one too many to be counted in passing.
    is_stale: bool,
}

impl Gatherings {
    /// A fragment is here.
    pub(super) fn add(&mut self, group: Group, fragment: BundleDigest, extent: FragmentExtent) {
        let total = group.1;
        let gathering = self.groups.entry(group).or_insert_with(|| Gathering {
            members: BTreeMap::new(),
            assembly: Assembly::new(total),
            is_stale: false,
        });
        gathering.members.insert((extent.offset, fragment), extent.len);
        gathering.is_stale |= gathering.assembly.insert(extent).is_err();
        if gathering.is_complete(total) {
            self.due.insert(group);
        }
    }

    /// A fragment has gone.
    pub(super) fn remove(&mut self, group: Group, fragment: BundleDigest, extent: FragmentExtent) {
        let Some(gathering) = self.groups.get_mut(&group) else { return };
        gathering.members.remove(&(extent.offset, fragment));
        gathering.is_stale = true;
        self.due.remove(&group);
        if gathering.members.is_empty() {
            self.groups.remove(&group);
        }
    }

    /// How many fragments of a bundle are here.
    pub(super) fn count(&self, group: &Group) -> usize {
        self.groups.get(group).map_or(0, |gathering| gathering.members.len())
    }

    /// Every group of a bundle.
    pub(super) fn of_whole(&self, whole: &BundleDigest) -> Vec<Group> {
        self.groups.range((*whole, 0)..=(*whole, u64::MAX)).map(|(group, _)| *group).collect()
    }

    /// Every group.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        self.groups.keys().copied()
    }

    /// The fragments of a group by offset.
    pub(super) fn members(&self, group: &Group) -> Vec<BundleDigest> {
        let members = self.groups.get(group).into_iter().flat_map(|gathering| gathering.members.keys());
        members.map(|(_, fragment)| *fragment).collect()
    }

    /// A group of which all bytes are here, to be looked at once.
    pub(super) fn poll_due(&mut self) -> Option<Group> {
        self.due.pop_first()
    }

    /// A group is to be looked at again, if all its bytes are here.
    pub(super) fn look_at(&mut self, group: Group) {
        if self.groups.get_mut(&group).is_some_and(|gathering| gathering.is_complete(group.1)) {
            self.due.insert(group);
        }
    }

    /// Every group is to be looked at again.
    pub(super) fn look_at_all(&mut self) {
        let groups: Vec<Group> = self.groups().collect();
        groups.into_iter().for_each(|group| self.look_at(group));
    }

    /// The whole in order, as few pieces as possible; `None` if bytes are missing.
    pub(super) fn pieces(&self, group: &Group) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut best: Option<(u64, Piece)> = None;
        let mut done = 0;
        for ((offset, fragment), len) in &self.groups.get(group)?.members {
            if *offset > done {
                let (end, piece) = best.take()?;
                pieces.push(piece);
                done = end;
                if *offset > done {
                    return None;
                }
            }
            let end = offset.saturating_add(*len);
            if end > done && best.as_ref().is_none_or(|(known, _)| end > *known) {
                let piece = Piece { fragment: *fragment, start: done - offset, len: end - done };
                best = Some((end, piece));
            }
        }
        if let Some((end, piece)) = best {
            pieces.push(piece);
            done = end;
        }
        (done == group.1).then_some(pieces)
    }
}

impl Gathering {
    fn is_complete(&mut self, total: u64) -> bool {
        if self.is_stale {
            self.assembly = Assembly::new(total);
            self.is_stale = false;
            for ((offset, _), len) in &self.members {
                let extent = FragmentExtent { offset: *offset, len: *len };
                self.is_stale |= self.assembly.insert(extent).is_err();
            }
        }
        self.assembly.is_complete()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: BundleDigest = [7; 16];

    #[test]
    fn the_pieces_of_overlapping_fragments_cover_the_whole_once() {
        check(&[(0, 10), (5, 10), (3, 4), (12, 8)], 20, Some(&[(0, 0, 10), (1, 5, 5), (3, 3, 5)]));
        check(&[(0, 20), (5, 5)], 20, Some(&[(0, 0, 20)]));
        check(&[(0, 5), (0, 20)], 20, Some(&[(1, 0, 20)]));
        check(&[(0, 0)], 0, Some(&[]));
    }

    #[test]
    fn a_gap_leaves_the_whole_open() {
        check(&[(0, 10), (11, 9)], 20, None);
        check(&[(1, 19)], 20, None);
        check(&[(0, 19)], 20, None);
    }

    #[test]
    fn a_fragment_that_goes_takes_its_bytes_along() {
        let mut all = gathered(&[(0, 10), (10, 10)], 20);
        all.remove((WHOLE, 20), name(0), FragmentExtent { offset: 0, len: 10 });
        assert_eq!(all.poll_due(), None);
        all.look_at_all();
        assert_eq!(all.poll_due(), None);
        all.add((WHOLE, 20), name(5), FragmentExtent { offset: 0, len: 12 });
        assert_eq!(all.poll_due(), Some((WHOLE, 20)));
    }

    #[test]
    fn fragments_of_wholes_of_different_lengths_are_not_mixed() {
        let mut all = gathered(&[(0, 10)], 20);
        all.add((WHOLE, 30), name(1), FragmentExtent { offset: 10, len: 10 });
        assert_eq!(all.poll_due(), None);
        assert_eq!(all.of_whole(&WHOLE), [(WHOLE, 20), (WHOLE, 30)]);
    }

    #[test]
    fn more_gaps_than_are_counted_are_closed_all_the_same() {
        let count = 2 * bundle_spec::fragment::RANGES_MAX as u64 + 100;
        let even = (0..count).step_by(2).map(|offset| (offset, 1));
        let odd = (1..count).step_by(2).map(|offset| (offset, 1));
        let extents: Vec<(u64, u64)> = even.chain(odd).collect();
        let mut all = gathered(&extents, count);
        assert_eq!(all.poll_due(), Some((WHOLE, count)));
    }

    #[test]
    fn whatever_fragments_come_and_go_the_whole_is_there_when_every_byte_is() {
        const TOTAL: u64 = 40;
        bolero::check!().with_type::<Vec<(u8, u8, bool)>>().with_iterations(400).for_each(|steps| {
            let (mut all, mut here) = (Gatherings::default(), BTreeMap::new());
            for (offset, len, comes) in steps {
                let offset = u64::from(*offset) % TOTAL;
                let extent = FragmentExtent { offset, len: u64::from(*len) % (TOTAL - offset + 1) };
                let fragment = name(offset * 100 + extent.len);
                match *comes || !here.contains_key(&fragment) {
                    true => {
                        all.add((WHOLE, TOTAL), fragment, extent);
                        here.insert(fragment, extent);
                    }
                    false => {
                        all.remove((WHOLE, TOTAL), fragment, extent);
                        here.remove(&fragment);
                    }
                }
                check_pieces(&mut all, &here, TOTAL);
            }
        });
    }

    /// The pieces are there if every byte is, and then give each byte once, in order.
    fn check_pieces(all: &mut Gatherings, here: &BTreeMap<BundleDigest, FragmentExtent>, total: u64) {
        let is_covered = |byte| here.values().any(|e| (e.offset..e.end().unwrap()).contains(&byte));
        let is_whole = (0..total).all(is_covered);
        let pieces = all.pieces(&(WHOLE, total));
        all.look_at_all();
        assert_eq!(all.poll_due().is_some(), is_whole);
        assert_eq!(pieces.is_some(), is_whole);
        let mut at = 0;
        for piece in pieces.into_iter().flatten() {
            let extent = here[&piece.fragment];
            assert_eq!(extent.offset + piece.start, at);
            assert!(piece.len > 0 && piece.start + piece.len <= extent.len);
            at += piece.len;
        }
        assert_eq!(at, if is_whole { total } else { 0 });
    }

    fn check(extents: &[(u64, u64)], total: u64, expected: Option<&[(u8, u64, u64)]>) {
        let mut all = gathered(extents, total);
        let expected = expected.map(|pieces| {
            let piece = |(fragment, start, len): &(u8, u64, u64)| Piece {
                fragment: name(u64::from(*fragment)),
                start: *start,
                len: *len,
            };
            pieces.iter().map(piece).collect::<Vec<_>>()
        });
        assert_eq!(all.poll_due().is_some(), expected.is_some());
        assert_eq!(all.pieces(&(WHOLE, total)), expected);
    }

    fn gathered(extents: &[(u64, u64)], total: u64) -> Gatherings {
        let mut all = Gatherings::default();
        for (number, (offset, len)) in (0..).zip(extents) {
            all.add((WHOLE, total), name(number), FragmentExtent { offset: *offset, len: *len });
        }
        all
    }

    fn name(number: u64) -> BundleDigest {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&number.to_be_bytes());
        name
    }
}
