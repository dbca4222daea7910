//! Durable memory of one node: records and content blocks. The contract.
//!
//! One log holds both, in the order they were written. A block is *finished* when its writer says so and
//! *durable* when an [`Store::append`] that began afterwards has returned: one synchronisation covers the
//! payload and the record that speaks of it. What is durable survives `kill -9` and a power cut; what is
//! not may or may not.

use std::io;

use bundle_spec::{BlockRef, Cid, Digest};
use bytes::Bytes;

use crate::agent::Record;

mod block;
mod catalogue;
mod check;
mod compact;
mod disk;
mod follow;
mod frame;
mod handles;
mod home;
mod index;
mod log;
mod memory;
mod segment;
mod shelf;
#[cfg(test)]
mod tests;

pub use self::{
    home::{LogStore, Options},
    memory::MemoryStore,
};

/// Longest block that [`Store::shelve`] takes, in bytes.
pub const SHORT_BYTES_MAX: usize = 16 * 1024;

/// Durable memory of one node. Synchronous; called from blocking threads, from several at once.
pub trait Store: Send + Sync {
    /// Makes records, and every block that was finished before the call, durable. One synchronisation a
    /// call or less: concurrent calls share one.
    ///
    /// # Errors
    /// `Full` if even the reserved space is used up; `Failed` if the disk is in doubt: nothing more is
    /// accepted then.
    fn append(&self, records: &[Record]) -> Result<(), StoreError>;

    /// Every record that holds: per key the last one, without those that are gone. In the order of their
    /// writing.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn recover(&self) -> Result<Vec<Record>, StoreError>;

    /// Takes a short block in one step: `bytes` are those that `block` names. It stays in memory until the next
    /// [`Store::append`], which writes it together with its records. Waits for no disk, so it may be called
    /// where nothing may block.
    ///
    /// # Errors
    /// `Full` if the quota would be passed; `Failed`.
    ///
    /// # Panics
    /// If it is longer than [`SHORT_BYTES_MAX`].
    fn shelve(&self, block: &BlockRef, bytes: Bytes) -> Result<(), StoreError>;

    /// The bytes of a short block, if they are still in memory. Waits for no disk.
    fn recent(&self, digest: &Digest) -> Option<Bytes>;

    /// Begins a block of exactly `len` bytes.
    ///
    /// # Errors
    /// `Full` if the quota would be passed; nothing is written then.
    fn create(&self, len: u64) -> Result<Box<dyn BlockWriter>, StoreError>;

    /// Opens a block for reading; `None` if it is not here.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn open(&self, digest: &Digest) -> Result<Option<Box<dyn BlockReader>>, StoreError>;

    /// Forgets a block. Its space is given back some time later. Unknown blocks are no error.
    ///
    /// # Errors
    /// If the log cannot be written.
    fn release(&self, digest: &Digest) -> Result<(), StoreError> {
        self.release_all(std::slice::from_ref(digest))
    }

    /// Forgets several blocks in as few writes as there can be.
    ///
    /// # Errors
    /// If the log cannot be written.
    fn release_all(&self, digests: &[Digest]) -> Result<(), StoreError>;

    /// Every block that is here, in no order. For the sweep at start.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn blocks(&self) -> Result<Vec<Digest>, StoreError>;

    /// How full it is.
    fn usage(&self) -> Usage;

    /// Reads everything (or, if `sample` is set, a part of it) and compares checksums and digests.
    ///
    /// # Errors
    /// If it cannot even be read; damage is no error but a finding.
    fn check(&self, sample: bool) -> Result<CheckReport, StoreError>;

    /// Gives space back: punches holes, copies live entries out of mostly dead segments. Bounded work per
    /// call; `true` if there is more to do.
    ///
    /// # Errors
    /// If the log cannot be written.
    fn compact(&self) -> Result<bool, StoreError>;
}

/// Takes a block's bytes in order and hashes them on the way. Dropped without `finish`, it leaves nothing
/// behind.
pub trait BlockWriter: Send {
    /// The next bytes.
    ///
    /// # Errors
    /// `Length` if more come than were announced; `Full` or `Io` if the disk does not take them.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// All bytes are there. If `expected` is given, the digest must be that.
    ///
    /// # Errors
    /// `Length` or `Mismatch`; nothing is kept then.
    fn finish(self: Box<Self>, expected: Option<Cid>) -> Result<BlockRef, StoreError>;

    /// No more bytes come: what has come is the block. The room that was kept for the rest is given back.
    ///
    /// # Errors
    /// What the disk says; nothing is kept then.
    fn finish_early(self: Box<Self>) -> Result<BlockRef, StoreError>;
}

/// Reads a block's bytes at any place.
pub trait BlockReader: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset`, as far as there are bytes; says how many.
    ///
    /// # Errors
    /// `Io`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError>;
}

/// How full the store is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Live records and blocks.
    pub live: u64,
    /// What the files take up on the disk.
    pub disk: u64,
    /// What blocks may take up in all.
    pub quota: u64,
    /// What can still be taken: the smaller of quota and disk, less the reserve.
    pub free: u64,
    /// How many blocks there are.
    pub blocks: u64,
    /// How many records hold.
    pub records: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Entries that were read.
    pub entries: u64,
    /// Blocks whose digest was recomputed.
    pub blocks: u64,
    /// What is wrong, in words, each with its place.
    pub findings: Vec<String>,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The quota or the disk is used up.
    #[error("the store is full ({free} bytes free, {needed} needed)")]
    Full {
        /// What there is.
        free: u64,
        /// What it would take.
        needed: u64,
    },
    /// The bytes are not those that were announced.
    #[error("the content is {actual}, not {expected}")]
    Mismatch {
        /// Announced.
        expected: Cid,
        /// Found.
        actual: Cid,
    },
    /// More or fewer bytes than were announced.
    #[error("{actual} bytes came where {expected} were announced")]
    Length {
        /// Announced.
        expected: u64,
        /// Found.
        actual: u64,
    },
    /// Another process uses the store.
    #[error("another process uses the store at `{0}`")]
    InUse(String),
    /// Written by a newer program, or not a store at all.
    #[error("`{0}` is not a store of this version")]
    Format(String),
    /// The disk is in doubt since an earlier error: nothing is accepted until the node restarts.
    #[error("the disk failed earlier ({0}); restart the node once it is mended")]
    Failed(String),
    /// The operating system said no.
    #[error("the disk says: {0}")]
    Io(#[from] io::Error),
}
