//! What every store does, whatever it is made of.

use bundle_spec::{BlockRef, Cid};

use crate::store::{LogStore, MemoryStore, Options, Store, StoreError, log::KeyedRecord};

const QUOTA: u64 = 4 * 1024 * 1024;

#[test]
fn a_block_reads_back_at_any_place() {
    everywhere(|store| {
        for len in [0, 1, 4095, 65_536, 70_001, 300_000, 900_000] {
            let bytes = content(len, 1);
            let block = put(store, &bytes);
            assert_eq!(block, BlockRef::raw(&bytes));
            assert_eq!(get(store, &block).as_deref(), Some(&bytes[..]));
            let reader = store.open(block.cid.digest()).unwrap().unwrap();
            let mut part = [0; 100];
            let count = reader.read_at(block.len / 2, &mut part).unwrap();
            let half = len / 2;
            assert_eq!(&part[..count], &bytes[half..len.min(half + 100)]);
            assert_eq!(reader.read_at(block.len, &mut part).unwrap(), 0);
        }
        assert_eq!(store.usage().blocks, 7);
        assert!(store.check(false).unwrap().findings.is_empty());
    });
}

#[test]
fn the_same_content_is_kept_once_whatever_its_codec() {
    everywhere(|store| {
        for len in [1000, 200_000, 400_000] {
            let bytes = content(len, 2);
            put(store, &bytes);
            let live = store.usage().live;
            let mut writer = store.create(block_len(len)).unwrap();
            writer.write(&bytes).unwrap();
            let cid = Cid::dag_cbor(&bytes);
            assert_eq!(writer.finish(Some(cid)).unwrap().cid, cid);
            assert_eq!(store.usage().live, live);
        }
        assert_eq!(store.blocks().unwrap().len(), 3);
    });
}

#[test]
fn a_block_that_is_not_what_was_announced_is_not_kept() {
    everywhere(|store| {
        for len in [1000, 400_000] {
            let bytes = content(len, 3);
            let mut writer = store.create(block_len(len)).unwrap();
            writer.write(&bytes).unwrap();
            assert!(matches!(writer.write(b"x"), Err(StoreError::Length { .. })));
            let refused = writer.finish(Some(Cid::raw(b"something else")));
            assert!(matches!(refused, Err(StoreError::Mismatch { .. })));
            let mut writer = store.create(block_len(len)).unwrap();
            writer.write(&bytes[1..]).unwrap();
            assert!(matches!(writer.finish(None), Err(StoreError::Length { .. })));
            drop(store.create(block_len(len)).unwrap());
        }
        assert_eq!(store.blocks().unwrap(), Vec::<[u8; 32]>::new());
        assert_eq!(store.usage().free.min(1_000_000), 1_000_000);
    });
}

#[test]
fn a_block_that_ends_early_is_what_has_come_and_gives_its_room_back() {
    everywhere(|store| {
        for (seed, (announced, taken)) in
            [(1000, 10), (70_000, 65_000), (900_000, 300_000)].into_iter().enumerate()
        {
            let bytes = content(taken, 10 + u8::try_from(seed).unwrap());
            let mut writer = store.create(block_len(announced)).unwrap();
            writer.write(&bytes).unwrap();
            let block = writer.finish_early().unwrap();
            assert_eq!(block, BlockRef::raw(&bytes));
            assert_eq!(get(store, &block), Some(bytes));
        }
        assert!(store.check(false).unwrap().findings.is_empty());
        // What was announced and did not come takes no room.
        let left = QUOTA - store.usage().live;
        assert!(store.create(left * 3 / 4).is_ok(), "{left} bytes are left");
    });
}

#[test]
fn a_released_block_is_gone_and_can_come_again() {
    everywhere(|store| {
        for len in [1000, 100_000, 500_000] {
            let bytes = content(len, 4);
            let block = put(store, &bytes);
            store.release(block.cid.digest()).unwrap();
            store.release(block.cid.digest()).unwrap();
            assert_eq!(get(store, &block), None);
            assert_eq!(put(store, &bytes), block);
            assert_eq!(get(store, &block), Some(bytes));
        }
    });
}

#[test]
fn a_reader_reads_on_after_its_block_was_released() {
    everywhere(|store| {
        let bytes = content(400_000, 5);
        let block = put(store, &bytes);
        let reader = store.open(block.cid.digest()).unwrap().unwrap();
        store.release(block.cid.digest()).unwrap();
        while store.compact().unwrap() {}
        let mut found = vec![0; bytes.len()];
        assert_eq!(reader.read_at(0, &mut found).unwrap(), bytes.len());
        assert!(found == bytes);
    });
}

#[test]
fn more_than_the_quota_is_refused_before_anything_is_written() {
    everywhere(|store| {
        let block = put(store, &content(1_000_000, 6));
        let waiting = store.create(3_000_000).unwrap();
        let refused = store.create(QUOTA - 4_000_000 + 1).err().unwrap();
        assert!(matches!(refused, StoreError::Full { needed: 194_305, .. }), "{refused}");
        drop(waiting);
        store.create(3_000_000).unwrap();
        store.release(block.cid.digest()).unwrap();
        store.create(QUOTA).unwrap();
        assert!(store.create(u64::MAX).is_err());
    });
}

#[test]
fn the_last_record_of_a_key_holds_in_the_order_of_writing() {
    keyed_everywhere(|store| {
        store.append(&[keyed("a", Some("1")), keyed("b", Some("2")), keyed("c", Some("3"))]);
        store.append(&[keyed("a", Some("4")), keyed("b", None), keyed("unknown", None)]);
        store.append(&[]);
        assert_eq!(store.recover(), [keyed("c", Some("3")), keyed("a", Some("4"))]);
        store.append(&[keyed("b", Some("5"))]);
        assert_eq!(store.recover().last(), Some(&keyed("b", Some("5"))));
    });
}

pub(super) fn put(store: &dyn Store, bytes: &[u8]) -> BlockRef {
    let mut writer = store.create(block_len(bytes.len())).unwrap();
    for part in bytes.chunks(10_000) {
        writer.write(part).unwrap();
    }
    writer.finish(None).unwrap()
}

pub(super) fn get(store: &dyn Store, block: &BlockRef) -> Option<Vec<u8>> {
    let reader = store.open(block.cid.digest()).unwrap()?;
    assert_eq!(reader.len(), block.len);
    let mut bytes = vec![0; usize::try_from(block.len).unwrap()];
    assert_eq!(reader.read_at(0, &mut bytes).unwrap(), bytes.len());
    Some(bytes)
}

pub(super) fn content(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

pub(super) fn keyed(key: &str, body: Option<&str>) -> KeyedRecord {
    KeyedRecord {
        key: key.as_bytes().to_vec(),
        is_gone: body.is_none(),
        body: body.unwrap_or_default().as_bytes().to_vec(),
    }
}

fn block_len(len: usize) -> u64 {
    u64::try_from(len).unwrap()
}

fn everywhere(check: impl Fn(&dyn Store)) {
    check(&MemoryStore::new(QUOTA));
    let home = tempfile::tempdir().unwrap();
    check(&LogStore::open(home.path(), options()).unwrap());
}

trait Keyed {
    fn append(&self, records: &[KeyedRecord]);
    fn recover(&self) -> Vec<KeyedRecord>;
}

impl Keyed for MemoryStore {
    fn append(&self, records: &[KeyedRecord]) {
        self.append_keyed(records);
    }
    fn recover(&self) -> Vec<KeyedRecord> {
        self.recover_keyed()
    }
}

impl Keyed for LogStore {
    fn append(&self, records: &[KeyedRecord]) {
        self.append_keyed(records).unwrap();
    }
    fn recover(&self) -> Vec<KeyedRecord> {
        self.recover_keyed().unwrap()
    }
}

fn keyed_everywhere(check: impl Fn(&dyn Keyed)) {
    check(&MemoryStore::new(QUOTA));
    let home = tempfile::tempdir().unwrap();
    check(&LogStore::open(home.path(), options()).unwrap());
}

pub(super) fn options() -> Options {
    Options { quota: QUOTA, keep_free: 0, segment_bytes: Some(512 * 1024) }
}
