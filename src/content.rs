//! Which blocks are needed here: a count per block of the bundles, jobs and assets that hold it. The agent
//! counts; what nobody holds any more goes a while later. Knows nothing of bytes and never decides why
//! something is held.

pub mod chunk;

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{BlockRef, Cid, Digest};

use crate::{limits, time::Time};

/// Blocks and how many hold each.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// By digest: how many hold the block, at least one.
    held: BTreeMap<Digest, u64>,
    /// Blocks that nobody holds: how each was named last, and when it goes.
    idle: BTreeMap<Digest, (Cid, Time)>,
    /// The same by time.
    idle_by_time: BTreeSet<(Time, Digest)>,
}

impl Content {
    /// Whether the block is here: it is never held before it is.
    #[must_use]
    pub fn holds(&self, digest: &Digest) -> bool {
        self.held.contains_key(digest)
    }

    /// Every block that is held.
    #[must_use]
    pub fn blocks(&self) -> BTreeSet<Digest> {
        self.held.keys().copied().collect()
    }

    /// When the next block goes.
    #[must_use]
    pub fn next_release(&self) -> Option<Time> {
        self.idle_by_time.first().map(|(at, _)| *at)
    }

    /// One more holds the block, which is here.
    pub fn handle_held(&mut self, block: &BlockRef) {
        let digest = *block.cid.digest();
        *self.held.entry(digest).or_insert(0) += 1;
        if let Some((_, at)) = self.idle.remove(&digest) {
            self.idle_by_time.remove(&(at, digest));
        }
    }

    /// One that held the block no longer does.
    pub fn handle_given_up(&mut self, now: Time, block: &BlockRef) {
        let digest = *block.cid.digest();
        let count = self.held.get_mut(&digest).expect("only what is held is given up");
        *count -= 1;
        if *count == 0 {
            self.held.remove(&digest);
            self.handle_unwanted(now, block);
        }
    }

    /// The block came here and nobody took it: it goes unless somebody else holds it.
    pub fn handle_unwanted(&mut self, now: Time, block: &BlockRef) {
        let digest = *block.cid.digest();
        if self.holds(&digest) {
            return;
        }
        let at = now + limits::RELEASE_PAUSE;
        if let Some((_, before)) = self.idle.insert(digest, (block.cid, at)) {
            self.idle_by_time.remove(&(before, digest));
        }
        self.idle_by_time.insert((at, digest));
    }

    /// The next block that nobody has needed for a while.
    pub fn poll_released(&mut self, now: Time) -> Option<Cid> {
        let (at, digest) = *self.idle_by_time.first().filter(|(at, _)| *at <= now)?;
        self.idle_by_time.remove(&(at, digest));
        self.idle.remove(&digest).map(|(cid, _)| cid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Time = Time(60_000);

    #[test]
    fn a_block_goes_a_while_after_the_last_holder_gives_it_up() {
        let (mut content, block) = (Content::default(), BlockRef::raw(b"x"));
        content.handle_held(&block);
        content.handle_held(&block);
        content.handle_given_up(Time::ZERO, &block);
        assert_eq!(content.next_release(), None);
        content.handle_given_up(Time::ZERO, &block);
        assert_eq!(content.poll_released(Time::ZERO), None);
        assert_eq!(content.next_release(), Some(LATER));
        assert_eq!(content.poll_released(LATER), Some(block.cid));
        assert_eq!(content.poll_released(LATER), None);
        assert!(content.blocks().is_empty());
    }

    #[test]
    fn a_block_that_is_held_again_in_time_stays() {
        let (mut content, block) = (Content::default(), BlockRef::raw(b"x"));
        content.handle_held(&block);
        content.handle_given_up(Time::ZERO, &block);
        content.handle_held(&block);
        assert_eq!(content.poll_released(LATER), None);
        assert!(content.holds(block.cid.digest()));
    }

    #[test]
    fn an_unwanted_copy_of_a_held_block_stays() {
        let (mut content, block) = (Content::default(), BlockRef::raw(b"x"));
        content.handle_held(&block);
        content.handle_unwanted(Time::ZERO, &block);
        assert_eq!(content.poll_released(LATER), None);
    }
}
