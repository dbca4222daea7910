//! What holds, and where it lies: records, blocks and tombstones by key, and how many bytes of each segment
//! are live. The working index of the log, kept in memory and rebuilt from the log. It never reads or writes
//! a file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bundle_spec::Digest;

use super::frame::{ENTRY_ALIGNMENT, ExtentAt, PAGED_BYTES_MIN};

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Name {
    /// A record, by its key.
    Record(Box<[u8]>),
    /// A block, by its digest.
    Block(Digest),
}

/// The whole of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Where the header begins, in bytes.
    pub(super) offset: u64,
    /// Length from header to the next entry, in bytes.
    pub(super) bytes: u64,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    /// Number of the entry that says so.
    pub(super) seq: u64,
    /// That entry.
    pub(super) entry: Place,
    /// Lowest segment in which there may be an entry of this name. A tombstone stays as long as one of those
    /// from here to its own exists.
    pub(super) oldest: u64,
    /// What it says.
    pub(super) what: What,
}

/// What an entry says of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A record, and where its bytes are.
    Record(ExtentAt),
    /// A block, and where its bytes are: inside the entry.
    Whole(ExtentAt),
    /// A block, and where its bytes are: in another entry.
    Block(ExtentAt),
    /// It is gone.
    Gone,
}

/// A range that nothing refers to any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freed {
    /// Which.
    pub(super) extent: ExtentAt,
    /// The entry that freed it. Nothing is destroyed before that one is durable.
    pub(super) seq: u64,
}

/// What is live in one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Life {
    /// Live bytes.
    pub(super) bytes: u64,
    /// The last entry that made something in it dead.
    pub(super) death: u64,
}

/// Everything that holds.
#[derive(Default)]
pub(super) struct Catalogue {
    names: HashMap<Name, Holding>,
    lives: BTreeMap<u64, Life>,
    /// Names whose holding changed since they were last taken.
    changed: BTreeSet<Name>,
    /// Whether changes are collected.
    is_followed: bool,
    freed: Vec<Freed>,
    tombstones: BTreeSet<Name>,
    records: u64,
    blocks: u64,
    record_bytes: u64,
    block_bytes: u64,
}

impl What {
    /// Where the bytes are.
    pub(super) const fn extent(&self) -> Option<ExtentAt> {
        match *self {
            Self::Record(extent) | Self::Whole(extent) | Self::Block(extent) => Some(extent),
            Self::Gone => None,
        }
    }
}

impl Catalogue {
    /// What is known of a name.
    pub(super) fn get(&self, name: &Name) -> Option<&Holding> {
        self.names.get(name)
    }

    /// Where a block's bytes are.
    pub(super) fn block(&self, digest: &Digest) -> Option<ExtentAt> {
        self.names.get(&Name::Block(*digest)).and_then(|holding| holding.what.extent())
    }

    /// Everything, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Holding)> {
        self.names.iter()
    }

    /// How many records and how many blocks hold.
    pub(super) const fn counts(&self) -> (u64, u64) {
        (self.records, self.blocks)
    }

    /// How many bytes live records and live blocks have.
    pub(super) const fn bytes(&self) -> (u64, u64) {
        (self.record_bytes, self.block_bytes)
    }

    /// What is live in a segment.
    pub(super) fn life(&self, segment: u64) -> Life {
        self.lives.get(&segment).copied().unwrap_or_default()
    }

    /// Collects changed names from now on.
    pub(super) fn follow(&mut self) {
        self.is_followed = true;
    }

    /// Some of the names that changed and were not taken yet.
    pub(super) fn take_changed(&mut self, most: usize) -> Vec<Name> {
        let mut taken = Vec::with_capacity(most.min(self.changed.len()));
        while taken.len() < most
            && let Some(name) = self.changed.pop_first()
        {
            taken.push(name);
        }
        taken
    }

    /// Takes every name for changed.
    pub(super) fn note_all(&mut self) {
        self.changed = self.names.keys().cloned().collect();
    }

    /// How many names changed.
    pub(super) fn changed(&self) -> usize {
        self.changed.len()
    }

    /// The ranges that were freed since the last call.
    pub(super) fn take_freed(&mut self) -> Vec<Freed> {
        std::mem::take(&mut self.freed)
    }

    /// Takes what was known at a checkpoint.
    pub(super) fn restore(&mut self, name: Name, holding: Holding) {
        assert!(!self.names.contains_key(&name), "a checkpoint names everything once");
        self.count(&name, &holding);
        self.names.insert(name, holding);
    }

    /// Takes what an entry says, unless something later is known of its name.
    pub(super) fn apply(&mut self, name: Name, holding: Holding) {
        let before = self.names.get(&name).copied();
        if before.is_some_and(|before| before.seq >= holding.seq) {
            return;
        }
        let oldest = before.map_or(holding.oldest, |before| before.oldest.min(holding.oldest));
        let holding = Holding { oldest, ..holding };
        if holding.what == What::Gone && holding.oldest >= holding.entry.segment {
            // What it ends lies in its own segment, or nowhere: where that one goes, both go.
            if let Some(before) = before {
                self.forget(&name, &before, holding.seq);
                self.names.remove(&name);
                self.note(name);
            }
            return;
        }
        if let Some(before) = before {
            let kept = before.what.extent().filter(|extent| holding.what.extent() == Some(*extent));
            self.forget(&name, &before, holding.seq);
            // An entry that was copied alone still points at the same bytes.
            self.freed.retain(|freed| Some(freed.extent) != kept);
        }
        self.count(&name, &holding);
        self.names.insert(name.clone(), holding);
        self.note(name);
    }

    /// Forgets every tombstone for which `exists` knows no segment from its name's oldest up to its own.
    pub(super) fn drop_tombstones(&mut self, exists: &BTreeSet<u64>) {
        let is_needed =
            |holding: &Holding| exists.range(holding.oldest..holding.entry.segment).next().is_some();
        let spent: Vec<Name> =
            self.tombstones.iter().filter(|name| !is_needed(&self.names[*name])).cloned().collect();
        for name in spent {
            self.remove(&name);
        }
    }

    /// Forgets every name whose bytes lie in no segment that `exists` knows. Says which blocks and records
    /// that were.
    pub(super) fn drop_missing(&mut self, exists: &BTreeSet<u64>) -> Vec<Name> {
        let is_here = |holding: &Holding| {
            let extent = holding.what.extent().map_or(holding.entry.segment, |extent| extent.segment);
            exists.contains(&holding.entry.segment) && exists.contains(&extent)
        };
        let lost: Vec<Name> = self
            .names
            .iter()
            .filter(|(_, holding)| !is_here(holding))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &lost {
            self.remove(name);
        }
        lost
    }

    /// Forgets a name without a tombstone.
    pub(super) fn remove(&mut self, name: &Name) {
        if let Some(before) = self.names.remove(name) {
            self.forget(name, &before, 0);
            self.note(name.clone());
        }
    }

    /// Forgets what is known of a segment that is no more.
    pub(super) fn forget_segment(&mut self, segment: u64) {
        let life = self.lives.remove(&segment);
        assert_eq!(life.unwrap_or_default().bytes, 0, "only a dead segment is removed");
    }

    fn note(&mut self, name: Name) {
        if self.is_followed {
            self.changed.insert(name);
        }
    }

    fn count(&mut self, name: &Name, holding: &Holding) {
        self.lives.entry(holding.entry.segment).or_default().bytes += holding.entry.bytes;
        match holding.what {
            What::Record(_) => {
                self.records += 1;
                self.record_bytes += holding.entry.bytes;
            }
            What::Whole(extent) => {
                self.blocks += 1;
                self.block_bytes += extent.len;
            }
            What::Block(extent) => {
                self.blocks += 1;
                self.block_bytes += extent.len;
                self.lives.entry(extent.segment).or_default().bytes += extent_bytes(&extent);
            }
            What::Gone => {
                self.tombstones.insert(name.clone());
            }
        }
    }

    fn forget(&mut self, name: &Name, before: &Holding, seq: u64) {
        self.die(before.entry.segment, before.entry.bytes, seq);
        match before.what {
            What::Record(_) => {
                self.records -= 1;
                self.record_bytes -= before.entry.bytes;
            }
            What::Whole(extent) => {
                self.blocks -= 1;
                self.block_bytes -= extent.len;
                self.free(extent, seq);
            }
            What::Block(extent) => {
                self.blocks -= 1;
                self.block_bytes -= extent.len;
                self.die(extent.segment, extent_bytes(&extent), seq);
                self.free(extent, seq);
            }
            What::Gone => {
                self.tombstones.remove(name);
            }
        }
    }

    fn die(&mut self, segment: u64, bytes: u64, seq: u64) {
        let life = self.lives.entry(segment).or_default();
        life.bytes -= bytes;
        life.death = life.death.max(seq);
    }

    fn free(&mut self, extent: ExtentAt, seq: u64) {
        if extent.len >= PAGED_BYTES_MIN {
            self.freed.push(Freed { extent, seq });
        }
    }
}

/// What an extent takes up, in bytes.
fn extent_bytes(extent: &ExtentAt) -> u64 {
    extent.len.next_multiple_of(ENTRY_ALIGNMENT)
}
