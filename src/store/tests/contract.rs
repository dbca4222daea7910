//! What every store does, whatever it is made of.

use bundle_spec::{BlockRef, Cid};

use crate::store::{LogStore, MemoryStore, Options, SHORT_BYTES_MAX, Store, StoreError, log::KeyedRecord};

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
fn a_short_block_is_here_at_once_and_is_written_with_what_is_appended_next() {
    everywhere(|store| {
        let free = store.usage().free;
        for len in [0, 1, 1000, SHORT_BYTES_MAX] {
            let bytes = content(len, 7);
            let block = BlockRef::raw(&bytes);
            for _ in 0..2 {
                store.shelve(&block, bytes.clone().into()).unwrap();
            }
            assert_eq!(store.recent(block.cid.digest()).as_deref(), Some(&bytes[..]));
        }
        assert_eq!(store.usage().free, free - block_len(1001 + SHORT_BYTES_MAX));
        store.append(&[]).unwrap();
        assert_eq!(store.usage().blocks, 4);
        let waiting = content(500, 8);
        store.shelve(&BlockRef::raw(&waiting), waiting.clone().into()).unwrap();
        assert_eq!(get(store, &BlockRef::raw(&waiting)), Some(waiting));
        assert!(store.check(false).unwrap().findings.is_empty());
        assert_eq!(store.blocks().unwrap().len(), 5);
    });
}

#[test]
fn a_short_block_that_is_released_before_it_is_written_takes_no_room() {
    everywhere(|store| {
        let free = store.usage().free;
        let bytes = content(1000, 9);
        let block = BlockRef::raw(&bytes);
        store.shelve(&block, bytes.clone().into()).unwrap();
        store.release_all(&[*block.cid.digest(), [7; 32]]).unwrap();
        assert_eq!((store.recent(block.cid.digest()), get(store, &block)), (None, None));
        assert_eq!(store.usage().free, free);
        store.shelve(&block, bytes.clone().into()).unwrap();
        store.append(&[]).unwrap();
        assert_eq!(get(store, &block), Some(bytes));
    });
}

#[test]
fn short_blocks_are_refused_beyond_the_quota_and_written_when_too_many_wait() {
    everywhere(|store| {
        let len = SHORT_BYTES_MAX;
        let refused = (0_u32..1000).find_map(|number| {
            let mut bytes = content(len, 10);
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            store.shelve(&BlockRef::raw(&bytes), bytes.into()).err().map(|error| (number, error))
        });
        let Some((count, StoreError::Full { needed, .. })) = refused else { panic!("{refused:?}") };
        assert_eq!((u64::from(count), needed), (QUOTA / block_len(len), block_len(len)));
        assert_eq!(store.blocks().unwrap().len(), usize::try_from(count).unwrap());
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
