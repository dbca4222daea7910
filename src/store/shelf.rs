//! Short blocks in memory: those that wait for the next append, which writes them with its records in one go,
//! and behind them the last ones that were written, so that what is passed on at once is not read from the
//! disk. The log asks it; it never touches a file, and nothing of it is needed after a crash: what waits here
//! is not durable, and no durable record speaks of it.

use std::collections::{HashMap, VecDeque};

use bundle_spec::{BlockRef, Digest};
use bytes::Bytes;

use super::{
    StoreError,
    disk::wide,
    frame::{self, Kind},
    log::{Class, Draft, KeyedRecord, Log, State},
};

/// How many bytes may wait for the next append.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// How many bytes of blocks that are written are kept.
const WRITTEN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many blocks that are written are kept.
const WRITTEN_MAX: usize = 8192;

/// A block in memory.
struct Kept {
    bytes: Bytes,
    crc: u32,
    /// Whether it is not in the log.
    is_waiting: bool,
}

/// Short blocks in memory.
#[derive(Default)]
pub(super) struct Shelf {
    blocks: HashMap<Digest, Kept>,
    /// Those that wait, in the order in which they came.
    waiting: Vec<Digest>,
    waiting_bytes: usize,
    /// Those that were written, oldest first; some of them may be gone.
    written: VecDeque<Digest>,
    written_bytes: usize,
}

impl Shelf {
    /// Whether a block waits for the next append.
    pub(super) fn is_waiting(&self, digest: &Digest) -> bool {
        self.blocks.get(digest).is_some_and(|kept| kept.is_waiting)
    }

    fn put(&mut self, digest: Digest, bytes: Bytes) {
        self.forget(&digest);
        self.waiting_bytes += bytes.len();
        self.waiting.push(digest);
        let crc = frame::crc32c(&bytes);
        self.blocks.insert(digest, Kept { bytes, crc, is_waiting: true });
    }

    /// Forgets a block; how many bytes of it had waited.
    fn forget(&mut self, digest: &Digest) -> usize {
        let Some(kept) = self.blocks.remove(digest) else { return 0 };
        if !kept.is_waiting {
            self.written_bytes -= kept.bytes.len();
            return 0;
        }
        self.waiting.retain(|waiting| waiting != digest);
        self.waiting_bytes -= kept.bytes.len();
        kept.bytes.len()
    }

    /// What waits.
    fn waiting(&self) -> Vec<(Digest, Bytes, u32)> {
        let kept = self.waiting.iter().map(|digest| (digest, &self.blocks[digest]));
        kept.map(|(digest, kept)| (*digest, kept.bytes.clone(), kept.crc)).collect()
    }

    /// What waited is written; how many bytes that were.
    fn settle(&mut self) -> usize {
        for digest in self.waiting.drain(..) {
            let kept = self.blocks.get_mut(&digest).expect("what waits is here");
            kept.is_waiting = false;
            self.written_bytes += kept.bytes.len();
            self.written.push_back(digest);
        }
        while self.written_bytes > WRITTEN_BYTES_MAX || self.written.len() > WRITTEN_MAX {
            let oldest = self.written.pop_front().expect("bytes that are kept have a name");
            if !self.is_waiting(&oldest) {
                self.forget(&oldest);
            }
        }
        std::mem::take(&mut self.waiting_bytes)
    }
}

impl Log {
    /// Keeps a short block in memory until the next append, unless it is here already.
    ///
    /// # Errors
    /// `Full`, `Failed`; `Io` if so many wait already that they are written at once.
    pub(super) fn shelve(&self, block: &BlockRef, bytes: Bytes) -> Result<(), StoreError> {
        let digest = *block.cid.digest();
        {
            let state = self.state();
            if state.catalogue.block(&digest).is_some() || state.shelf.is_waiting(&digest) {
                return Ok(());
            }
        }
        self.admit(wide(bytes.len()))?;
        let mut state = self.state();
        if state.shelf.is_waiting(&digest) {
            state.arriving -= wide(bytes.len());
            return Ok(());
        }
        if state.shelf.waiting_bytes + bytes.len() > WAITING_BYTES_MAX
            && let Err(error) = self.write_shelved(&mut state, &[], &[])
        {
            state.arriving -= wide(bytes.len());
            return Err(error);
        }
        state.shelf.put(digest, bytes);
        Ok(())
    }

    /// The bytes of a short block, if they are in memory.
    pub(super) fn recent(&self, digest: &Digest) -> Option<Bytes> {
        self.state().shelf.blocks.get(digest).map(|kept| kept.bytes.clone())
    }

    /// Writes what waits on the shelf and, behind it, records. What waits was admitted; where the disk has
    /// filled up since, it may take from the reserve.
    ///
    /// # Errors
    /// `Full`, `Failed`, `Io`; what waits goes on waiting then.
    pub(super) fn write_shelved(
        &self,
        state: &mut State,
        records: &[KeyedRecord],
        crcs: &[u32],
    ) -> Result<(), StoreError> {
        let waiting = state.shelf.waiting();
        let blocks = waiting.iter().filter(|(digest, ..)| state.catalogue.block(digest).is_none());
        let (mut drafts, mut sums): (Vec<Draft<'_>>, Vec<u32>) =
            blocks.map(|(digest, body, crc)| (Draft { kind: Kind::Whole, key: digest, body }, *crc)).unzip();
        let class = if drafts.is_empty() { Class::State } else { Class::Content };
        drafts.extend(records.iter().map(Draft::of));
        sums.extend(crcs);
        match self.write(state, &drafts, &sums, class) {
            Err(StoreError::Full { .. }) if class == Class::Content => {
                self.write(state, &drafts, &sums, Class::State)?;
            }
            written => drop(written?),
        }
        state.arriving -= wide(state.shelf.settle());
        Ok(())
    }
}

impl State {
    /// Forgets a block that is in memory.
    pub(super) fn unshelve(&mut self, digest: &Digest) {
        self.arriving -= wide(self.shelf.forget(digest));
    }
}
