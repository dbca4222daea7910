//! The log over a disk that loses, tears and refuses, against a model: after every power cut the log is what
//! was acknowledged and a prefix of what was not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bundle_spec::BlockRef;

use super::{
    contract::{content, keyed},
    simdisk::{Loss, Random, SimDisk},
};
use crate::store::{
    BlockReader, BlockWriter, SHORT_BYTES_MAX, StoreError,
    block::{LogReader, LogWriter},
    disk::{narrow, wide},
    handles::Handles,
    log::{Bounds, KeyedRecord, Log, replay::Checkpoint},
    segment::Position,
};

const SEGMENT: u64 = 256 * 1024;

#[test]
fn after_every_power_cut_the_log_is_a_prefix_that_holds_all_that_was_acknowledged() {
    let rounds = std::env::var("PANNIER_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20);
    for seed in 1..=rounds {
        Life::new(seed).live();
    }
}

#[test]
fn a_group_is_synchronised_once() {
    let disk = SimDisk::new(1, u64::MAX);
    let log = open(&disk).unwrap();
    let before = disk.syncs();
    for number in 0..3 {
        put(&log, &content(10_000, number)).unwrap();
    }
    log.append(&[keyed("a", Some("1")), keyed("b", Some("2"))]).unwrap();
    assert_eq!(disk.syncs(), before + 1);
    log.append(&[]).unwrap();
    assert_eq!(disk.syncs(), before + 1, "there is nothing to synchronise");
}

#[test]
fn a_disk_that_does_not_synchronise_ends_the_store() {
    let disk = SimDisk::new(1, u64::MAX);
    let log = open(&disk).unwrap();
    log.append(&[keyed("a", Some("1"))]).unwrap();
    disk.break_sync(true);
    assert!(matches!(log.append(&[keyed("b", Some("2"))]), Err(StoreError::Failed(_))));
    disk.break_sync(false);
    assert!(matches!(log.append(&[]), Err(StoreError::Failed(_))));
    assert!(matches!(log.append(&[keyed("c", Some("3"))]), Err(StoreError::Failed(_))));
    assert!(matches!(LogWriter::begin(&log, 10), Err(StoreError::Failed(_))));
    assert_eq!(log.recover().unwrap().first(), Some(&keyed("a", Some("1"))));
}

#[test]
fn a_full_disk_refuses_blocks_and_takes_records_and_tombstones() {
    let disk = SimDisk::new(1, 8 * SEGMENT);
    let log = open(&disk).unwrap();
    let mut blocks = Vec::new();
    let refused = loop {
        match put(&log, &content(50_000, u8::try_from(blocks.len()).unwrap())) {
            Ok(digest) => blocks.push(digest),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    assert!(blocks.len() > 20, "{}", blocks.len());
    let long = LogWriter::begin(&log, 1_000_000).err().unwrap();
    assert!(matches!(long, StoreError::Full { .. }), "{long}");
    for number in 0..100 {
        log.append(&[keyed(&format!("{number}"), Some("a record on a full disk"))]).unwrap();
    }
    for digest in &blocks[5..] {
        log.release(&[*digest]).unwrap();
    }
    log.append(&[]).unwrap();
    while log.compact().unwrap() {}
    assert_eq!(log.blocks().unwrap().len(), 5);
    assert_eq!(log.recover().unwrap().len(), 100);
    for number in 100..110 {
        put(&log, &content(50_000, number)).unwrap();
    }
}

#[test]
fn a_block_that_the_disk_does_not_take_leaves_no_trace_and_space_that_comes_back_is_noticed() {
    let disk = SimDisk::new(1, u64::MAX);
    let log = open(&disk).unwrap();
    let bytes = content(900_000, 1);
    let mut writer = LogWriter::begin(&log, 900_000).unwrap();
    writer.write(&bytes[..300_000]).unwrap();
    disk.resize(disk.used());
    let refused = writer.write(&bytes[300_000..]).unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    drop(writer);
    assert!(log.blocks().unwrap().is_empty());
    log.append(&[keyed("a", Some("1"))]).unwrap();
    disk.resize(u64::MAX);
    put(&log, &bytes).unwrap();
    log.append(&[]).unwrap();
    drop(log);
    disk.cut(Loss::All);
    let log = open(&disk).unwrap();
    assert_eq!(log.blocks().unwrap().len(), 1);
    assert_eq!(log.check(false).unwrap().findings, Vec::<String>::new());
}

#[test]
fn content_that_looks_like_an_entry_is_never_taken_for_one() {
    let disk = SimDisk::new(1, u64::MAX);
    let log = open(&disk).unwrap();
    log.append(&[keyed("a", Some("the truth"))]).unwrap();
    let segment = Arc::clone(&log.state().rooms[&1].segment);
    // A whole segment as content: its entries are good in their own segment only.
    let stolen = segment.read(0, SEGMENT).unwrap();
    for part in stolen.chunks(60_000) {
        put(&log, part).unwrap();
    }
    log.append(&[keyed("a", Some("the new truth"))]).unwrap();
    drop(log);
    disk.cut(Loss::All);
    let log = open(&disk).unwrap();
    assert_eq!(log.recover().unwrap(), [keyed("a", Some("the new truth"))]);
}

#[test]
fn a_segment_of_arbitrary_bytes_is_replayed_without_panic_or_end() {
    bolero::check!().with_type::<(Vec<u8>, Vec<(u16, u8)>)>().for_each(|(bytes, flips)| {
        let disk = SimDisk::new(1, u64::MAX);
        let log = open(&disk).unwrap();
        put(&log, &content(3000, 1)).unwrap();
        log.append(&[keyed("a", Some("1")), keyed("b", None)]).unwrap();
        let segment = Arc::clone(&log.state().rooms[&1].segment);
        let tail = log.state().tail;
        drop(log);
        segment.file.write_at(&[bytes], tail).unwrap();
        for (offset, byte) in flips {
            segment.file.write_at(&[&[*byte]], 64 + u64::from(*offset) % tail).unwrap();
        }
        if let Ok(log) = open(&disk) {
            let _ = log.recover().unwrap();
            let _ = log.check(false).unwrap();
            log.append(&[keyed("c", Some("3"))]).unwrap();
            drop(log);
            let log = open(&disk).unwrap();
            assert!(log.recover().unwrap().contains(&keyed("c", Some("3"))));
        }
    });
}

/// What holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    blocks: BTreeMap<[u8; 32], usize>,
}

/// What changes it.
#[derive(Clone, Debug)]
enum Change {
    Record(KeyedRecord),
    Put([u8; 32], usize),
    Release([u8; 32]),
}

impl Facts {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Record(record) if record.is_gone => {
                self.records.remove(&record.key);
            }
            Change::Record(record) => {
                self.records.insert(record.key.clone(), record.body.clone());
            }
            Change::Put(digest, len) => {
                self.blocks.insert(*digest, *len);
            }
            Change::Release(digest) => {
                self.blocks.remove(digest);
            }
        }
    }
}

/// One disk's life through many power cuts.
struct Life {
    seed: u64,
    random: Random,
    disk: SimDisk,
    acknowledged: Facts,
    pending: Vec<Change>,
    /// Blocks that wait in memory.
    shelved: Vec<Change>,
    /// What an index knew at some time.
    checkpoints: Vec<Checkpoint>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed, u64::MAX);
        let (random, acknowledged) = (Random::new(seed), Facts::default());
        Self {
            seed,
            random,
            disk,
            acknowledged,
            pending: Vec::new(),
            shelved: Vec::new(),
            checkpoints: Vec::new(),
        }
    }

    fn live(&mut self) {
        for cut in 0..12 {
            if self.random.below(4) > 0 {
                let operations = 1 + self.random.below(120);
                self.disk.fuse(operations);
            }
            if let Ok(log) = self.open() {
                self.compare(&log, cut);
                let steps = self.random.below(80);
                let mut open_writers = Vec::new();
                for _ in 0..steps {
                    if self.step(&log, &mut open_writers).is_err() {
                        break;
                    }
                }
            }
            let loss = [Loss::All, Loss::Tail, Loss::Pages][self.random.index(3)];
            self.disk.cut(loss);
        }
        let log = self.open().unwrap();
        self.compare(&log, 98);
        drop(log);
        let log = open(&self.disk).unwrap();
        self.compare(&log, 99);
    }

    /// Opens the log with what an index knew last, or long ago, or with none.
    fn open(&mut self) -> Result<Arc<Log>, StoreError> {
        let known = self.checkpoints.len();
        let chosen = match self.random.below(3) {
            0 => None,
            1 => self.checkpoints.last().cloned(),
            _ => (known > 0).then(|| self.checkpoints[self.random.index(known)].clone()),
        };
        open_with(&self.disk, chosen.unwrap_or_default())
    }

    /// What an index would know.
    fn checkpoint(&mut self, log: &Arc<Log>) -> Result<(), StoreError> {
        let (checkpoint, target) = {
            let state = log.state();
            let position = Position { offset: state.tail, seq: state.next_seq - 1 };
            let holdings = state.catalogue.iter().map(|(name, holding)| (name.clone(), *holding)).collect();
            let (segment, next_number) = (state.active, state.next_number);
            (Checkpoint { holdings, segment, position, next_number, is_followed: false }, state.next_seq - 1)
        };
        log.sync_to(target)?;
        self.checkpoints.push(checkpoint);
        Ok(())
    }

    fn step(&mut self, log: &Arc<Log>, open_writers: &mut Vec<LogWriter>) -> Result<(), StoreError> {
        match self.random.below(12) {
            0..=3 => {
                let len = [100, 4000, 70_000, 100_000, 300_000][self.random.index(5)] + self.random.index(50);
                let seed = u8::try_from(self.random.below(3)).unwrap();
                let bytes = content(len, seed);
                let change = Change::Put(*blake3::hash(&bytes).as_bytes(), len);
                if len < SHORT_BYTES_MAX && self.random.below(2) == 0 {
                    // It is written with what is appended next.
                    self.shelved.push(change);
                    log.shelve(&BlockRef::raw(&bytes), bytes.into())?;
                } else {
                    self.pending.push(change);
                    put(log, &bytes)?;
                }
            }
            4 | 5 => {
                self.pending.append(&mut self.shelved);
                let held = log.blocks()?;
                if !held.is_empty() {
                    let digest = *held
                        .iter()
                        .collect::<BTreeSet<_>>()
                        .into_iter()
                        .nth(self.random.index(held.len()))
                        .unwrap();
                    self.pending.push(Change::Release(digest));
                    log.release(&[digest])?;
                }
            }
            6 => {
                let mut writer = LogWriter::begin(log, 90_000)?;
                writer.write(&content(50_000, 1))?;
                open_writers.push(writer);
                if self.random.below(2) == 0 {
                    open_writers.clear();
                }
            }
            7 => {
                log.compact()?;
            }
            8 => {
                log.prepare_spare()?;
                self.checkpoint(log)?;
            }
            _ => {
                let records: Vec<KeyedRecord> = (0..self.random.below(5)).map(|_| self.record()).collect();
                self.pending.append(&mut self.shelved);
                self.pending.extend(records.iter().cloned().map(Change::Record));
                log.append(&records)?;
                for change in std::mem::take(&mut self.pending) {
                    self.acknowledged.apply(&change);
                }
            }
        }
        Ok(())
    }

    fn record(&mut self) -> KeyedRecord {
        let key = format!("key {}", self.random.below(20));
        let body = format!("{}", self.random.below(1_000_000)).repeat(1 + self.random.index(300));
        if self.random.below(4) == 0 { keyed(&key, None) } else { keyed(&key, Some(&body)) }
    }

    /// The log is what was acknowledged and a prefix of what was not; that is what holds from here on.
    fn compare(&mut self, log: &Arc<Log>, cut: u32) {
        let found = facts(log);
        self.shelved.clear();
        let mut expected = self.acknowledged.clone();
        let mut matches = expected == found;
        for change in std::mem::take(&mut self.pending) {
            if matches {
                break;
            }
            expected.apply(&change);
            matches = expected == found;
        }
        let findings = log.state().findings.clone();
        assert!(
            matches,
            "seed {}, cut {cut}: {findings:?}\nlost {:?}\nexpected {:?}\nfound {:?}",
            self.seed,
            self.acknowledged.blocks.keys().filter(|key| !found.blocks.contains_key(*key)).count(),
            brief(&expected),
            brief(&found)
        );
        assert_eq!(findings, Vec::<String>::new(), "seed {}, cut {cut}", self.seed);
        self.acknowledged = found;
    }
}

fn brief(facts: &Facts) -> (Vec<String>, Vec<usize>) {
    let keys = facts.records.iter().map(|(key, body)| {
        format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(&body[..body.len().min(6)]))
    });
    (keys.collect(), facts.blocks.values().copied().collect())
}

fn facts(log: &Arc<Log>) -> Facts {
    let mut facts = Facts::default();
    for record in log.recover().unwrap() {
        facts.records.insert(record.key, record.body);
    }
    for digest in log.blocks().unwrap() {
        let reader = LogReader::open(log, &digest).unwrap().unwrap();
        let mut bytes = vec![0; narrow(reader.len())];
        assert_eq!(reader.read_at(0, &mut bytes).unwrap(), bytes.len());
        assert_eq!(*blake3::hash(&bytes).as_bytes(), digest, "a block is never other than its digest");
        facts.blocks.insert(digest, bytes.len());
    }
    facts
}

fn open(disk: &SimDisk) -> Result<Arc<Log>, StoreError> {
    open_with(disk, Checkpoint::default())
}

fn open_with(disk: &SimDisk, checkpoint: Checkpoint) -> Result<Arc<Log>, StoreError> {
    let bounds = Bounds { quota: 1 << 40, keep_free: 0, segment_bytes: Some(SEGMENT), seed: disk.syncs() };
    // So few files stay open that they come and go all the time.
    let disk = Handles::over(Arc::new(disk.clone()), 2);
    Ok(Arc::new(Log::open(disk, bounds, checkpoint)?))
}

fn put(log: &Arc<Log>, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    let mut writer = Box::new(LogWriter::begin(log, wide(bytes.len()))?);
    writer.write(bytes)?;
    Ok(*writer.finish(None)?.cid.digest())
}
