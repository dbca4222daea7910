//! The store as a directory: opened twice, opened again, of another version.

use std::fs;

use super::contract::{content, get, keyed, options, put};
use crate::store::{LogStore, Options, Store, StoreError};

#[test]
fn everything_is_there_when_a_store_is_opened_again() {
    let home = tempfile::tempdir().unwrap();
    let kept = content(100_000, 1);
    let long = content(700_000, 2);
    let blocks = {
        let store = LogStore::open(home.path(), options()).unwrap();
        let blocks = [put(&store, &kept), put(&store, &long)];
        let released = put(&store, &content(90_000, 3));
        store.release(released.cid.digest()).unwrap();
        store.append_keyed(&[keyed("a", Some("1")), keyed("b", Some("2")), keyed("a", None)]).unwrap();
        blocks
    };
    for _ in 0..3 {
        let store = LogStore::open(home.path(), options()).unwrap();
        assert_eq!(get(&store, &blocks[0]).as_deref(), Some(&kept[..]));
        assert_eq!(get(&store, &blocks[1]).as_deref(), Some(&long[..]));
        assert_eq!(store.blocks().unwrap().len(), 2);
        assert_eq!(store.recover_keyed().unwrap(), [keyed("b", Some("2"))]);
        assert_eq!(store.log.check(false).unwrap().findings, Vec::<String>::new());
    }
}

#[test]
fn long_blocks_are_whole_however_their_pieces_lie_in_memory() {
    let home = tempfile::tempdir().unwrap();
    let wide = Options { quota: 64 << 20, segment_bytes: None, ..options() };
    let store = LogStore::open(home.path(), wide).unwrap();
    let mut blocks = Vec::new();
    for (seed, shift, step) in
        [(1, 0, 65_536), (2, 1, 65_536), (3, 0, 5000), (4, 0, 200_000), (5, 0, 1_234_567)]
    {
        let bytes = content(1_234_567, seed);
        // Memory that begins on a page, or not.
        let mut memory = vec![0; bytes.len() + 8192];
        let start = memory.as_ptr().align_offset(4096) + shift;
        memory[start..start + bytes.len()].copy_from_slice(&bytes);
        let mut writer = store.create(1_234_567).unwrap();
        for piece in memory[start..start + bytes.len()].chunks(step) {
            writer.write(piece).unwrap();
        }
        blocks.push((writer.finish(None).unwrap(), bytes));
    }
    store.append_keyed(&[keyed("a", Some("1"))]).unwrap();
    drop(store);
    let store = LogStore::open(home.path(), options()).unwrap();
    for (block, bytes) in &blocks {
        assert_eq!(get(&store, block).as_deref(), Some(&bytes[..]));
    }
    assert_eq!(store.log.check(true).unwrap().findings, Vec::<String>::new());
}

#[test]
fn a_store_that_is_open_is_not_opened_again() {
    let home = tempfile::tempdir().unwrap();
    let store = LogStore::open(home.path(), options()).unwrap();
    assert!(matches!(LogStore::open(home.path(), options()), Err(StoreError::InUse(_))));
    drop(store);
    LogStore::open(home.path(), options()).unwrap();
}

#[test]
fn a_store_of_another_version_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    drop(LogStore::open(home.path(), options()).unwrap());
    fs::write(home.path().join("FORMAT"), "pannier store 2\n").unwrap();
    assert!(matches!(LogStore::open(home.path(), options()), Err(StoreError::Format(_))));
}

#[test]
fn damaged_bytes_are_an_error_and_a_finding_and_never_content() {
    let home = tempfile::tempdir().unwrap();
    let bytes = content(100_000, 7);
    let block = {
        let store = LogStore::open(home.path(), options()).unwrap();
        let block = put(&store, &bytes);
        // Two groups: what is known to have been durable is not doubted by the replay.
        store.append_keyed(&[keyed("a", Some("1"))]).unwrap();
        store.append_keyed(&[keyed("b", Some("2"))]).unwrap();
        block
    };
    flip(home.path(), &bytes[50_000..50_020]);
    let store = LogStore::open(home.path(), options()).unwrap();
    let reader = store.open(block.cid.digest()).unwrap().unwrap();
    let mut found = vec![0; bytes.len()];
    assert!(matches!(reader.read_at(0, &mut found), Err(StoreError::Io(_))));
    drop(reader);
    let report = store.log.check(false).unwrap();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert!(report.findings[0].starts_with("segment 0000000000000001, offset "), "{report:?}");
    assert_eq!(store.recover_keyed().unwrap().len(), 2);
}

#[test]
fn space_comes_back_when_blocks_are_released() {
    let home = tempfile::tempdir().unwrap();
    let store = LogStore::open(home.path(), options()).unwrap();
    let mut kept = Vec::new();
    for round in 0..30 {
        let bytes = content(100_000, round);
        let block = put(&store, &bytes);
        if round % 10 == 0 {
            kept.push((block, bytes));
        } else {
            store.release(block.cid.digest()).unwrap();
        }
        store.append_keyed(&[keyed(&format!("{round}"), Some("held")), keyed("a", None)]).unwrap();
    }
    let before = store.usage();
    while store.compact().unwrap() {}
    let after = store.usage();
    assert!(after.disk < before.disk / 2, "{before:?} {after:?}");
    assert_eq!(after.live, before.live);
    for (block, bytes) in &kept {
        assert!(get(&store, block).as_ref() == Some(bytes));
    }
    drop(store);
    let store = LogStore::open(home.path(), options()).unwrap();
    for (block, bytes) in &kept {
        assert!(get(&store, block).as_ref() == Some(bytes));
    }
    assert_eq!(store.recover_keyed().unwrap().len(), 30);
    assert_eq!(store.log.check(false).unwrap().findings, Vec::<String>::new());
}

#[test]
fn an_index_that_is_damaged_in_any_way_is_written_again_and_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let store = LogStore::open(home.path(), options()).unwrap();
    assert!(store.is_index_rebuilt());
    let mut blocks = Vec::new();
    for number in 0..20 {
        blocks.push((put(&store, &content(40_000, number)), number));
        store.append_keyed(&[keyed(&format!("{number}"), Some("held")), keyed("a", None)]).unwrap();
    }
    store.release(blocks.remove(3).0.cid.digest()).unwrap();
    drop(store);
    drop(LogStore::open(home.path(), options()).unwrap());
    let index = home.path().join("index");
    let kinds: [(&str, Damage); 6] = [
        ("untouched", |_| {}),
        ("flipped", |path| flip_all(&path.join("db"))),
        ("cut short", |path| shorten(&path.join("db"))),
        ("without its file", |path| fs::remove_file(path.join("db")).unwrap()),
        ("without its settings", |path| fs::remove_file(path.join("conf")).unwrap()),
        ("deleted", |path| fs::remove_dir_all(path).unwrap()),
    ];
    for (kind, damage) in kinds {
        damage(&index);
        let store = LogStore::open(home.path(), options()).unwrap();
        // sled does without its settings where they are the usual ones.
        let is_usable = ["untouched", "without its settings"].contains(&kind);
        assert_eq!(store.is_index_rebuilt(), !is_usable, "{kind}");
        assert_eq!(store.recover_keyed().unwrap().len(), 20, "{kind}");
        assert_eq!(store.blocks().unwrap().len(), 19, "{kind}");
        for (block, number) in &blocks {
            assert!(get(&store, block) == Some(content(40_000, *number)), "{kind}");
        }
        assert_eq!(store.log.check(false).unwrap().findings, Vec::<String>::new(), "{kind}");
    }
}

#[test]
fn an_index_of_long_ago_is_as_good_as_one_of_today() {
    let home = tempfile::tempdir().unwrap();
    let store = LogStore::open(home.path(), options()).unwrap();
    let early = put(&store, &content(100_000, 1));
    store.append_keyed(&[keyed("a", Some("1")), keyed("b", Some("2"))]).unwrap();
    drop(store);
    let old: Vec<_> =
        ["conf", "db"].map(|name| fs::read(home.path().join("index").join(name)).unwrap()).into();
    let store = LogStore::open(home.path(), options()).unwrap();
    store.release(early.cid.digest()).unwrap();
    for number in 10..60 {
        let block = put(&store, &content(100_000, number));
        if number != 59 {
            store.release(block.cid.digest()).unwrap();
        }
        store.append_keyed(&[keyed("a", None), keyed("b", Some("3"))]).unwrap();
        while store.compact().unwrap() {}
    }
    drop(store);
    fs::remove_dir_all(home.path().join("index")).unwrap();
    fs::create_dir(home.path().join("index")).unwrap();
    for (name, bytes) in ["conf", "db"].iter().zip(old) {
        fs::write(home.path().join("index").join(name), bytes).unwrap();
    }
    let store = LogStore::open(home.path(), options()).unwrap();
    assert!(!store.is_index_rebuilt());
    assert_eq!(store.recover_keyed().unwrap(), [keyed("b", Some("3"))]);
    assert_eq!(store.blocks().unwrap().len(), 1);
    assert_eq!(store.log.check(false).unwrap().findings, Vec::<String>::new());
}

/// What happens to the index's directory.
type Damage = fn(&std::path::Path);

fn flip_all(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    for byte in bytes.iter_mut().step_by(97) {
        *byte ^= 0x10;
    }
    fs::write(path, bytes).unwrap();
}

fn shorten(path: &std::path::Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 3]).unwrap();
}

fn flip(home: &std::path::Path, needle: &[u8]) {
    for entry in fs::read_dir(home.join("seg")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if let Some(place) = bytes.windows(needle.len()).position(|window| window == needle) {
            bytes[place] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
}
