//! How fast durable puts are: the store against append plus `fdatasync` of the same bytes, and against sled
//! alone, on the same disk in the same run. The three take turns within each round, so that what else the
//! machine does hits all of them alike.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use pannier::store::{LogStore, Options, Store, StoreError};

/// What is put: a name, the length of one block in bytes, how many share a synchronisation, how often in a
/// round.
const CASES: [(&str, usize, usize, usize); 4] = [
    ("1 KiB single", 1024, 1, 200),
    ("1 KiB in groups of 64", 1024, 64, 40),
    ("64 KiB single", 65_536, 1, 100),
    ("64 KiB in groups of 64", 65_536, 64, 12),
];
/// Rounds that are not counted.
const WARM_UP: usize = 1;

/// What was measured of one case, in megabytes a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was put.
    pub name: &'static str,
    /// The store.
    pub ours: f64,
    /// Append plus `fdatasync`.
    pub raw: f64,
    /// sled with an honest synchronisation.
    pub sled: f64,
}

/// Why it could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum StoreBenchError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// sled did not do it.
    #[error("sled says: {0}")]
    Sled(#[from] sled::Error),
    /// The disk did not do it.
    #[error("the disk says: {0}")]
    Io(#[from] io::Error),
}

/// Measures every case in `directory` over so many rounds. What it writes is removed.
///
/// # Errors
/// See [`StoreBenchError`].
pub fn run(directory: &Path, rounds: usize) -> Result<Vec<Row>, StoreBenchError> {
    let mut rows = Vec::new();
    for case in CASES {
        let home = directory.join("bench-store");
        std::fs::create_dir_all(&home)?;
        let row = measure(&home, case, rounds);
        std::fs::remove_dir_all(&home)?;
        rows.push(row?);
    }
    Ok(rows)
}

fn measure(
    home: &Path,
    (name, len, group, times): (&'static str, usize, usize, usize),
    rounds: usize,
) -> Result<Row, StoreBenchError> {
    let options = Options { quota: 1 << 40, keep_free: 0, segment_bytes: None };
    let store = LogStore::open(&home.join("ours"), options)?;
    let mut raw = OpenOptions::new().append(true).create(true).open(home.join("raw"))?;
    let config = sled::Config::new().path(home.join("sled")).cache_capacity(64 << 20).flush_every_ms(None);
    let db = config.open()?;
    let file = File::open(home.join("sled/db"))?;
    let mut content = Content { bytes: vec![7; len], number: 0 };
    let mut medians: [Vec<f64>; 3] = Default::default();
    for round in 0..WARM_UP + rounds {
        let ours = median(times, || {
            for _ in 0..group {
                put(&store, content.next())?;
            }
            Ok(store.append(&[])?)
        })?;
        let plain = median(times, || {
            for _ in 0..group {
                raw.write_all(content.next())?;
            }
            Ok(raw.sync_data()?)
        })?;
        let alone = median(times, || {
            for _ in 0..group {
                let bytes = content.next();
                db.insert(&bytes[..32], bytes)?;
            }
            db.flush()?;
            Ok(file.sync_data()?)
        })?;
        if round >= WARM_UP {
            for (found, taken) in medians.iter_mut().zip([ours, plain, alone]) {
                found.push(megabytes(len * group) / taken.as_secs_f64());
            }
        }
    }
    let [ours, raw, sled] = medians.map(middle);
    Ok(Row { name, ours, raw, sled })
}

/// Different bytes each time: what is the same would be kept once.
struct Content {
    bytes: Vec<u8>,
    number: u64,
}

impl Content {
    fn next(&mut self) -> &[u8] {
        self.number += 1;
        for (place, byte) in self.bytes.iter_mut().take(32).zip(self.number.to_le_bytes().iter().cycle()) {
            *place = *byte;
        }
        &self.bytes
    }
}

fn put(store: &LogStore, bytes: &[u8]) -> Result<(), StoreBenchError> {
    let len = u64::try_from(bytes.len()).expect("a length fits 64 bits");
    let mut writer = store.create(len)?;
    writer.write(bytes)?;
    writer.finish(None)?;
    Ok(())
}

fn median(
    times: usize,
    mut work: impl FnMut() -> Result<(), StoreBenchError>,
) -> Result<Duration, StoreBenchError> {
    let mut found = Vec::with_capacity(times);
    for _ in 0..times {
        let start = super::now();
        work()?;
        found.push(start.elapsed());
    }
    found.sort_unstable();
    Ok(found[found.len() / 2])
}

fn middle(mut found: Vec<f64>) -> f64 {
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied().unwrap_or(f64::NAN)
}

fn megabytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).expect("a group is shorter than 4 GiB")) / 1e6
}
