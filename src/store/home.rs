//! The store as a directory: which version it is, that only one process uses it, the log in it, and records
//! as bytes. This is what the node opens. It decides nothing about space or order: that is the log's.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bundle_spec::{BlockRef, Digest};
use bytes::Bytes;
use rustix::fs::FlockOperation;

use super::{
    BlockReader, BlockWriter, CheckReport, SHORT_BYTES_MAX, Store, StoreError, Usage,
    block::{LogReader, LogWriter},
    catalogue::Name,
    disk::{Directory, Disk},
    follow::Follower,
    log::{Bounds, KeyedRecord, Log},
};
use crate::agent::Record;

/// What the file `FORMAT` says.
const FORMAT: &str = "pannier store 1\n";

/// What a store may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of blocks.
    pub quota: u64,
    /// Bytes that are left to others on the disk.
    pub keep_free: u64,
    /// Length of a segment in bytes; chosen by the space there is if not given.
    pub segment_bytes: Option<u64>,
}

/// The durable store: a directory with a log and its catalogue.
pub struct LogStore {
    pub(super) log: Arc<Log>,
    /// Keeps the catalogue behind the log; ends before the lock is given back.
    follower: Option<Follower>,
    /// Held as long as the store is open.
    _lock: File,
}

impl LogStore {
    /// Opens the store of a directory, or makes one.
    ///
    /// # Errors
    /// `InUse` if another process has it, `Format` if it is not a store of this version, `Full` if a new one
    /// does not fit, `Io`.
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        fs::create_dir_all(path.join("seg"))?;
        let lock = lock(path)?;
        claim(path)?;
        let disk: Arc<dyn Disk> = Arc::new(Directory::open(&path.join("seg"))?);
        let bounds = Bounds {
            quota: options.quota,
            keep_free: options.keep_free,
            segment_bytes: options.segment_bytes,
            seed: rand::random(),
        };
        let (log, follower) = Follower::open(disk, bounds, &path.join("index"))?;
        Ok(Self { log, follower: Some(follower), _lock: lock })
    }

    /// Whether the catalogue beside the log was of no use when the store was opened, and is written again.
    #[must_use]
    pub fn is_index_rebuilt(&self) -> bool {
        self.follower.as_ref().is_some_and(Follower::is_rebuilt)
    }

    /// Appends statements as bytes.
    pub(super) fn append_keyed(&self, records: &[KeyedRecord]) -> Result<(), StoreError> {
        self.log.append(records)?;
        Ok(())
    }

    /// Every statement that holds, as bytes.
    pub(super) fn recover_keyed(&self) -> Result<Vec<KeyedRecord>, StoreError> {
        self.log.recover()
    }
}

impl Store for LogStore {
    fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        // Of what a group says of one key only the last holds.
        let keys: Vec<Vec<u8>> = records.iter().map(|record| record.key().to_bytes()).collect();
        let last: HashMap<&[u8], usize> =
            keys.iter().enumerate().map(|(place, key)| (key.as_slice(), place)).collect();
        let holding = records.iter().enumerate().filter(|(place, _)| last[keys[*place].as_slice()] == *place);
        self.append_keyed(&holding.map(|(_, record)| keyed(record)).collect::<Vec<_>>())
    }

    fn recover(&self) -> Result<Vec<Record>, StoreError> {
        Ok(self.recover_keyed()?.iter().filter_map(record).collect())
    }

    fn shelve(&self, block: &BlockRef, bytes: Bytes) -> Result<(), StoreError> {
        assert!(bytes.len() <= SHORT_BYTES_MAX, "only short blocks wait in memory");
        self.log.shelve(block, bytes)
    }

    fn recent(&self, digest: &Digest) -> Option<Bytes> {
        self.log.recent(digest)
    }

    fn create(&self, len: u64) -> Result<Box<dyn BlockWriter>, StoreError> {
        Ok(Box::new(LogWriter::begin(&self.log, len)?))
    }

    fn open(&self, digest: &Digest) -> Result<Option<Box<dyn BlockReader>>, StoreError> {
        let reader = LogReader::open(&self.log, digest)?;
        Ok(reader.map(|reader| Box::new(reader) as Box<dyn BlockReader>))
    }

    fn release_all(&self, digests: &[Digest]) -> Result<(), StoreError> {
        self.log.release(digests)
    }

    fn blocks(&self) -> Result<Vec<Digest>, StoreError> {
        self.log.blocks()
    }

    fn usage(&self) -> Usage {
        self.log.usage()
    }

    fn check(&self, sample: bool) -> Result<CheckReport, StoreError> {
        let mut report = self.log.check(sample)?;
        for keyed in self.recover_keyed()? {
            if let Err(error) = Record::decode(&keyed.body) {
                report.findings.push(format!("record {}: {error}", hex(&keyed.key)));
            }
        }
        Ok(report)
    }

    fn compact(&self) -> Result<bool, StoreError> {
        self.log.compact()
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        if let Some(follower) = self.follower.take() {
            follower.finish();
        }
    }
}

impl Log {
    /// Every block that is here.
    pub(super) fn blocks(&self) -> Result<Vec<Digest>, StoreError> {
        let mut state = self.state();
        self.write_shelved(&mut state, &[], &[])?;
        let names = state.catalogue.iter().filter(|(_, holding)| holding.what.extent().is_some());
        let digests = names.filter_map(|(name, _)| match name {
            Name::Block(digest) => Some(*digest),
            Name::Record(_) => None,
        });
        Ok(digests.collect())
    }
}

/// A record as bytes.
pub(super) fn keyed(record: &Record) -> KeyedRecord {
    let is_gone = record.is_gone();
    let body = if is_gone { Vec::new() } else { record.encode() };
    KeyedRecord { key: record.key().to_bytes(), is_gone, body }
}

/// The record that bytes stand for. What a newer program wrote is kept and passed over.
pub(super) fn record(keyed: &KeyedRecord) -> Option<Record> {
    match Record::decode(&keyed.body) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::error!(key = hex(&keyed.key), %error, "a record is kept but cannot be read");
            None
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes the directory for this process.
fn lock(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path.join("LOCK"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::InUse(path.display().to_string())),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Checks the version of a store, or writes it if the directory is new; a store without a version is none.
fn claim(path: &Path) -> Result<(), StoreError> {
    let place: PathBuf = path.join("FORMAT");
    match fs::read_to_string(&place) {
        Ok(text) if text == FORMAT => return Ok(()),
        Ok(_) => return Err(StoreError::Format(path.display().to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    if fs::read_dir(path.join("seg"))?.next().is_some() {
        return Err(StoreError::Format(path.display().to_string()));
    }
    let unborn = path.join("FORMAT.new");
    let mut file = File::create(&unborn)?;
    file.write_all(FORMAT.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unborn, &place)?;
    File::open(path)?.sync_all()?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}
