//! What a peer holds or has held, as far as a contact has shown: it is not offered again. However long the
//! contact lasts, no more is remembered than what matters: bundles that are held here, and the latest others,
//! which may still come. An offer too many is refused as a duplicate, headers only.

use std::collections::BTreeMap;

use bundle_spec::BundleDigest;

use crate::limits;

/// Bundles, and parts of bundles, that a peer has.
#[derive(Clone, Debug, Default)]
pub(super) struct Possessions {
    /// Each with the number of the time when it was noted last.
    noted: BTreeMap<BundleDigest, u64>,
    /// How many times something was noted.
    times: u64,
}

impl Possessions {
    /// The peer has it.
    pub(super) fn note(&mut self, id: BundleDigest, is_held: impl Fn(&BundleDigest) -> bool) {
        self.times += 1;
        self.noted.insert(id, self.times);
        if self.noted.len() > limits::POSSESSIONS_MAX {
            let latest = self.times.saturating_sub(limits::POSSESSIONS_LATEST);
            self.noted.retain(|id, time| *time > latest || is_held(id));
        }
    }

    /// Whether the peer has it.
    pub(super) fn contains(&self, id: &BundleDigest) -> bool {
        self.noted.contains_key(id)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &BundleDigest> {
        self.noted.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_here_is_remembered_for_ever_and_of_the_rest_the_latest() {
        let mut has = Possessions::default();
        let id = |number: u64| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            id
        };
        // Every 1,000th is held here.
        let is_held = |id: &BundleDigest| id[..8].iter().fold(0, |n, b| n << 8 | u64::from(*b)) % 1000 == 0;
        let last = 1_500_000;
        for number in 0..=last {
            has.note(id(number), is_held);
            assert!(has.noted.len() <= limits::POSSESSIONS_MAX);
        }
        assert!((0..=last).step_by(1000).all(|number| has.contains(&id(number))));
        assert!((last - limits::POSSESSIONS_LATEST + 1..=last).all(|number| has.contains(&id(number))));
        assert!(!has.contains(&id(1)));
    }
}
