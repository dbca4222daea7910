//! The store's contract without a disk, for tests and for whoever needs no durability. Everything ends with
//! the process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use bundle_spec::{BlockRef, Cid, Codec, Digest};
use bytes::Bytes;

use super::{
    BlockReader, BlockWriter, CheckReport, SHORT_BYTES_MAX, Store, StoreError, Usage,
    disk::{narrow, wide},
    home::{keyed, record},
    log::KeyedRecord,
};
use crate::agent::Record;

/// A store in memory.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    quota: u64,
    /// Records by key, each with the number of its writing.
    records: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    written: u64,
    blocks: HashMap<Digest, Arc<[u8]>>,
    block_bytes: u64,
    arriving: u64,
}

impl MemoryStore {
    /// An empty store for at most `quota` bytes of blocks.
    #[must_use]
    pub fn new(quota: u64) -> Self {
        Self { shared: Arc::new(Mutex::new(Shared { quota, ..Shared::default() })) }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("nobody panics while holding the store")
    }

    /// Appends statements as bytes.
    pub(super) fn append_keyed(&self, records: &[KeyedRecord]) {
        let mut shared = self.shared();
        for record in records {
            if record.is_gone {
                shared.records.remove(&record.key);
            } else {
                shared.written += 1;
                let statement = (shared.written, record.body.clone());
                shared.records.insert(record.key.clone(), statement);
            }
        }
    }

    /// Every statement that holds, as bytes.
    pub(super) fn recover_keyed(&self) -> Vec<KeyedRecord> {
        let shared = self.shared();
        let mut found: Vec<_> = shared.records.iter().collect();
        found.sort_by_key(|(_, (number, _))| *number);
        let statements = found.into_iter().map(|(key, (_, body))| KeyedRecord {
            key: key.clone(),
            is_gone: false,
            body: body.clone(),
        });
        statements.collect()
    }
}

impl Store for MemoryStore {
    fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        self.append_keyed(&records.iter().map(keyed).collect::<Vec<_>>());
        Ok(())
    }

    fn recover(&self) -> Result<Vec<Record>, StoreError> {
        Ok(self.recover_keyed().iter().filter_map(record).collect())
    }

    fn shelve(&self, block: &BlockRef, bytes: Bytes) -> Result<(), StoreError> {
        assert!(bytes.len() <= SHORT_BYTES_MAX, "only short blocks wait in memory");
        if self.shared().blocks.contains_key(block.cid.digest()) {
            return Ok(());
        }
        let mut writer = self.create(block.len)?;
        writer.write(&bytes)?;
        let written = writer.finish(Some(block.cid))?;
        assert_eq!(written.len, block.len, "a block has as many bytes as its name says");
        Ok(())
    }

    fn recent(&self, digest: &Digest) -> Option<Bytes> {
        let shared = self.shared();
        let bytes = shared.blocks.get(digest).filter(|bytes| bytes.len() <= SHORT_BYTES_MAX)?;
        Some(Bytes::copy_from_slice(bytes))
    }

    fn create(&self, len: u64) -> Result<Box<dyn BlockWriter>, StoreError> {
        let mut shared = self.shared();
        let free = shared.quota.saturating_sub(shared.block_bytes.saturating_add(shared.arriving));
        if len > free {
            return Err(StoreError::Full { free, needed: len });
        }
        shared.arriving += len;
        Ok(Box::new(MemoryWriter { store: self.clone(), len, bytes: Vec::new() }))
    }

    fn open(&self, digest: &Digest) -> Result<Option<Box<dyn BlockReader>>, StoreError> {
        let bytes = self.shared().blocks.get(digest).cloned();
        Ok(bytes.map(|bytes| Box::new(MemoryReader { bytes }) as Box<dyn BlockReader>))
    }

    fn release_all(&self, digests: &[Digest]) -> Result<(), StoreError> {
        let mut shared = self.shared();
        for digest in digests {
            if let Some(bytes) = shared.blocks.remove(digest) {
                shared.block_bytes -= wide(bytes.len());
            }
        }
        Ok(())
    }

    fn blocks(&self) -> Result<Vec<Digest>, StoreError> {
        Ok(self.shared().blocks.keys().copied().collect())
    }

    fn usage(&self) -> Usage {
        let shared = self.shared();
        let record_bytes: u64 =
            shared.records.iter().map(|(key, (_, body))| wide(key.len() + body.len())).sum();
        Usage {
            live: shared.block_bytes + record_bytes,
            disk: 0,
            quota: shared.quota,
            free: shared.quota.saturating_sub(shared.block_bytes.saturating_add(shared.arriving)),
            blocks: wide(shared.blocks.len()),
            records: wide(shared.records.len()),
        }
    }

    fn check(&self, _sample: bool) -> Result<CheckReport, StoreError> {
        let shared = self.shared();
        let mut report = CheckReport {
            entries: wide(shared.records.len() + shared.blocks.len()),
            blocks: wide(shared.blocks.len()),
            findings: Vec::new(),
        };
        for (digest, bytes) in &shared.blocks {
            if blake3::hash(bytes).as_bytes() != digest {
                report
                    .findings
                    .push(format!("block {}: its bytes are damaged", Cid::new(Codec::Raw, *digest)));
            }
        }
        Ok(report)
    }

    fn compact(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

struct MemoryWriter {
    store: MemoryStore,
    len: u64,
    bytes: Vec<u8>,
}

impl BlockWriter for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let actual = wide(self.bytes.len() + bytes.len());
        if actual > self.len {
            return Err(StoreError::Length { expected: self.len, actual });
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(mut self: Box<Self>, expected: Option<Cid>) -> Result<BlockRef, StoreError> {
        let actual = wide(self.bytes.len());
        if actual != self.len {
            return Err(StoreError::Length { expected: self.len, actual });
        }
        let codec = expected.map_or(Codec::Raw, |cid| cid.codec());
        let cid = Cid::new(codec, *blake3::hash(&self.bytes).as_bytes());
        if let Some(expected) = expected.filter(|expected| *expected != cid) {
            return Err(StoreError::Mismatch { expected, actual: cid });
        }
        let bytes: Arc<[u8]> = std::mem::take(&mut self.bytes).into();
        let mut shared = self.store.shared();
        if shared.blocks.insert(*cid.digest(), bytes).is_none() {
            shared.block_bytes += actual;
        }
        drop(shared);
        Ok(BlockRef { cid, len: actual })
    }

    fn finish_early(mut self: Box<Self>) -> Result<BlockRef, StoreError> {
        let actual = wide(self.bytes.len());
        self.store.shared().arriving -= self.len - actual;
        self.len = actual;
        self.finish(None)
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        self.store.shared().arriving -= self.len;
    }
}

struct MemoryReader {
    bytes: Arc<[u8]>,
}

impl BlockReader for MemoryReader {
    fn len(&self) -> u64 {
        wide(self.bytes.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let start = offset.min(wide(self.bytes.len()));
        let rest = &self.bytes[narrow(start)..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}
