//! The disk of a host: records and blocks, with the difference between what is finished and what is
//! durable. The host writes and the checks read; nothing here decides anything.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{BlockRef, Digest};
use bytes::Bytes;
use pannier::agent::{Record, RecordKey};

/// Records and blocks of one host.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// How many bytes the blocks may take up.
    quota: u64,
    /// How many of these something else on the disk takes up.
    taken: u64,
    /// What was written last under each key, encoded, with its place in the order of writing.
    records: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    /// How many records were ever written.
    written: u64,
    /// Blocks that survive a crash.
    durable: BTreeMap<Digest, Bytes>,
    /// Blocks that are whole and do not survive a crash yet.
    finished: BTreeMap<Digest, Bytes>,
    /// Bytes of all blocks.
    used: u64,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(quota: u64) -> Self {
        Self { quota, ..Self::default() }
    }

    /// Makes a record durable, and every block that was finished before.
    pub fn append(&mut self, record: &Record) {
        self.durable.append(&mut self.finished);
        self.written += 1;
        match record.is_gone() {
            true => drop(self.records.remove(&record.key())),
            false => drop(self.records.insert(record.key(), (self.written, record.encode()))),
        }
    }

    /// Writes a block; `None` if there is no room for it.
    pub fn finish(&mut self, bytes: Bytes) -> Option<BlockRef> {
        let block = BlockRef::raw(&bytes);
        let digest = *block.cid.digest();
        if self.read(&digest).is_none() {
            if block.len > self.free() {
                return None;
            }
            self.used += block.len;
            self.finished.insert(digest, bytes);
        }
        Some(block)
    }

    /// A block, if it is here.
    #[must_use]
    pub fn read(&self, digest: &Digest) -> Option<&Bytes> {
        self.durable.get(digest).or_else(|| self.finished.get(digest))
    }

    /// Whether a block survives a crash.
    #[must_use]
    pub fn is_durable(&self, digest: &Digest) -> bool {
        self.durable.contains_key(digest)
    }

    /// Forgets a block.
    pub fn release(&mut self, digest: &Digest) {
        let gone = self.durable.remove(digest).or_else(|| self.finished.remove(digest));
        self.used -= gone.map_or(0, |bytes| len(&bytes));
    }

    /// The host has gone down: what was not durable is lost.
    pub fn crash(&mut self) {
        let lost: u64 = self.finished.values().map(len).sum();
        self.used -= lost;
        self.finished.clear();
    }

    /// Every record that holds, in the order of writing.
    ///
    /// # Errors
    /// The name of the first record that cannot be read, with the reason.
    pub fn recover(&self) -> Result<Vec<Record>, String> {
        let mut records: Vec<&(u64, Vec<u8>)> = self.records.values().collect();
        records.sort();
        records
            .into_iter()
            .map(|(place, bytes)| Record::decode(bytes).map_err(|error| format!("record {place}: {error}")))
            .collect()
    }

    /// Whether something is written under a key.
    #[must_use]
    pub fn knows(&self, key: &RecordKey) -> bool {
        self.records.contains_key(key)
    }

    /// Forgets every block but these.
    pub fn sweep(&mut self, needed: &BTreeSet<Digest>) {
        let orphans: Vec<Digest> = self.blocks().map(|(digest, _)| *digest).collect();
        for orphan in orphans.iter().filter(|digest| !needed.contains(*digest)) {
            self.release(orphan);
        }
    }

    /// Every block.
    pub fn blocks(&self) -> impl Iterator<Item = (&Digest, &Bytes)> {
        self.durable.iter().chain(&self.finished)
    }

    /// Something else takes up so many bytes of the room.
    pub fn take(&mut self, bytes: u64) {
        self.taken = bytes;
    }

    /// How many bytes there is room for.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.quota.saturating_sub(self.taken).saturating_sub(self.used)
    }

    /// Bytes of all blocks.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used
    }

    /// How many bytes the blocks may take up.
    #[must_use]
    pub fn quota(&self) -> u64 {
        self.quota
    }
}

fn len(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).expect("a length in memory fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_without_a_record_behind_it_is_lost_in_a_crash() {
        let mut disk = Disk::new(1000);
        let first = disk.finish(Bytes::from_static(b"first")).unwrap();
        disk.append(&Record::Sequence { time: 1, sequence: 1 });
        let second = disk.finish(Bytes::from_static(b"second")).unwrap();
        disk.crash();
        assert!(disk.read(first.cid.digest()).is_some());
        assert!(disk.read(second.cid.digest()).is_none());
        assert_eq!((disk.used(), disk.recover().unwrap().len()), (5, 1));
    }

    #[test]
    fn a_block_beyond_the_quota_is_refused() {
        let mut disk = Disk::new(8);
        disk.take(3);
        assert!(disk.finish(Bytes::from_static(b"123456")).is_none());
        assert!(disk.finish(Bytes::from_static(b"12345")).is_some());
        assert!(disk.finish(Bytes::from_static(b"12345")).is_some(), "what is here takes no more room");
        assert_eq!(disk.free(), 0);
    }
}
