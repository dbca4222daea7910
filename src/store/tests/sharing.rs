//! Several callers at once, records through the contract, and stores of different sizes.

use std::sync::Arc;

use super::{
    contract::{content, get, put},
    simdisk::SimDisk,
};
use crate::{
    agent::Record,
    store::{
        BlockWriter, LogStore, MemoryStore, Options, Store, StoreError,
        block::LogWriter,
        log::{Bounds, KeyedRecord, Log, replay::Checkpoint},
    },
    time::Time,
};

const MIB: u64 = 1024 * 1024;

#[test]
fn callers_from_several_threads_each_find_what_they_put() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { quota: 1 << 30, keep_free: 0, segment_bytes: Some(MIB) };
    let store = Arc::new(LogStore::open(home.path(), options).unwrap());
    std::thread::scope(|scope| {
        for caller in 0..4_u8 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                for number in 0..20_u8 {
                    let bytes = content(usize::from(number) * 20_000, caller * 20 + number);
                    let block = put(&*store, &bytes);
                    store.append(&[seen(caller * 20 + number)]).unwrap();
                    assert!(get(&*store, &block) == Some(bytes));
                    if number % 3 == 1 {
                        store.release(block.cid.digest()).unwrap();
                    }
                    if number % 5 == 0 {
                        let _ = store.compact().unwrap();
                    }
                }
            });
        }
    });
    // The empty block is the same for all callers.
    let expected = 4 * 12 + 1;
    assert_eq!(store.blocks().unwrap().len(), expected);
    assert_eq!(store.check(false).unwrap().findings, Vec::<String>::new());
    drop(store);
    let store = LogStore::open(home.path(), options).unwrap();
    assert_eq!(store.blocks().unwrap().len(), expected);
    assert_eq!(store.recover().unwrap().len(), 80);
    assert_eq!(store.check(false).unwrap().findings, Vec::<String>::new());
}

#[test]
fn records_come_back_as_they_were_written() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { quota: MIB, keep_free: 0, segment_bytes: None };
    let stores: [Box<dyn Store>; 2] =
        [Box::new(MemoryStore::new(MIB)), Box::new(LogStore::open(home.path(), options).unwrap())];
    for store in stores {
        store.append(&[seen(1), seen(2), Record::Sequence { time: 5, sequence: 6 }]).unwrap();
        let Record::Seen { id, .. } = seen(1) else { unreachable!("it is a bundle that was seen") };
        store.append(&[Record::SeenGone { id }]).unwrap();
        assert_eq!(store.recover().unwrap(), [seen(2), Record::Sequence { time: 5, sequence: 6 }]);
        assert_eq!(store.check(false).unwrap().findings, Vec::<String>::new());
    }
}

#[test]
fn a_small_disk_gets_small_segments_and_a_growing_store_long_ones() {
    let small = SimDisk::new(1, 32 * MIB);
    let bounds = Bounds { quota: 1 << 40, keep_free: 0, segment_bytes: None, seed: 1 };
    let log = Arc::new(Log::open(Arc::new(small.clone()), bounds, Checkpoint::default()).unwrap());
    assert!(small.used() <= 8 * MIB, "{}", small.used());
    let taken = (0..100).take_while(|number| add(&log, &content(1_000_000, *number)).is_ok()).count();
    assert!(taken >= 18, "{taken} MB of 32 MiB are used");
    log.append(&[KeyedRecord { key: vec![1], is_gone: false, body: vec![2; 1000] }]).unwrap();
    let tiny = SimDisk::new(1, MIB / 2);
    assert!(matches!(
        Log::open(Arc::new(tiny), bounds, Checkpoint::default()).err(),
        Some(StoreError::Full { .. })
    ));
}

fn add(log: &Arc<Log>, bytes: &[u8]) -> Result<(), StoreError> {
    let mut writer = Box::new(LogWriter::begin(log, u64::try_from(bytes.len()).unwrap())?);
    writer.write(bytes)?;
    writer.finish(None)?;
    Ok(())
}

fn seen(number: u8) -> Record {
    Record::Seen { id: [number; 16], until: Time::ZERO }
}
