//! The catalogue on disk: sled holds what the log's catalogue holds, as of a place in the log, so that
//! opening reads only what came later. The follower calls it, never a caller that waits. It proves nothing
//! alone: whatever is wrong with it, it is thrown away and written again from the log.

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use super::{
    catalogue::{Holding, Name, Place, What},
    disk::wide,
    frame::{self, ExtentAt},
    log::replay::Checkpoint,
    segment::Position,
};

/// Most changes in one batch: larger ones cost sled memory beyond measure.
pub(super) const BATCH: usize = 64;
/// How much sled may keep in memory, in bytes.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// Longest value in bytes: longer ones do not survive a power cut in sled.
const VALUE_BYTES_MAX: usize = 4096;
/// Longest encoding that is read back, in bytes.
const ROW_BYTES_MAX: usize = 256;
/// Size from which the directory is compared with what it should be, in bytes.
const SIZE_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// What a name takes up in a healthy directory, in bytes, generously.
const NAME_BYTES: u64 = 1024;
/// Version of the rows. Another one is not read but written again.
const VERSION: u32 = 1;

const META: &[u8] = b"m";

/// Why the catalogue on disk is of no use. It is thrown away then.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    /// sled says so.
    #[error("sled says: {0}")]
    Engine(#[from] sled::Error),
    /// The operating system says so.
    #[error("the disk says: {0}")]
    Io(#[from] io::Error),
    /// What it holds is not what was written.
    #[error("{0}")]
    Damaged(&'static str),
    /// sled panicked.
    #[error("sled panicked")]
    Panicked,
}

/// A catalogue on disk.
pub(super) trait Index: Send {
    /// Replaces or removes at most [`BATCH`] names.
    ///
    /// # Errors
    /// Any: the index is of no use from then on.
    fn apply(&mut self, changes: &[(Name, Option<Holding>)]) -> Result<(), IndexError>;

    /// Says that it is complete as of a place in the log, and makes it durable.
    ///
    /// # Errors
    /// Any: the index is of no use from then on.
    fn complete(&mut self, mark: Mark) -> Result<(), IndexError>;

    /// Whether it takes up far more than it should.
    fn is_bloated(&self) -> bool;
}

/// A place in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Number of the segment; zero before the log.
    pub(super) segment: u64,
    /// The place in it.
    pub(super) position: Position,
    /// The next segment's number.
    pub(super) next_number: u64,
}

/// A catalogue in sled.
pub(super) struct SledIndex {
    db: sled::Db,
    /// sled's file, because sled does not synchronise it.
    file: File,
    mark: Mark,
    /// How many rows there are.
    count: u64,
    /// All rows' digests, combined.
    sum: u128,
}

/// A row's version, place in the log, next segment, count and sum, in this order.
type MetaRow = (u32, (u64, u64, u64, u64), u64, u128);
/// Entry number, entry, oldest segment, kind, extent.
type Row = (u64, (u64, u64, u64), u64, u8, (u64, u64, u64, u32));

impl SledIndex {
    /// Opens the index of a directory with what it knows, or an empty one if there is none.
    ///
    /// # Errors
    /// Any: the directory is to be removed.
    pub(super) fn open(path: &Path) -> Result<(Self, Checkpoint), IndexError> {
        guarded(|| {
            let is_new = !path.exists();
            fs::create_dir_all(path)?;
            remove_torn_snapshots(path)?;
            let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
            let db = config.open()?;
            let file = File::open(path.join("db"))?;
            if is_new {
                db.flush()?;
                sync_new(path)?;
            }
            let mut index = Self { db, file, mark: Mark::default(), count: 0, sum: 0 };
            let checkpoint = index.load()?;
            Ok((index, checkpoint))
        })
    }

    /// Removes the index of a directory.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn remove(path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads everything and compares it with the count and the sum that were written along.
    fn load(&mut self) -> Result<Checkpoint, IndexError> {
        let mut holdings = Vec::new();
        let mut meta = None;
        for row in &*self.db {
            let (key, value) = row?;
            if *key == *META {
                let (version, mark, count, sum): MetaRow = decode(&value)?;
                if version != VERSION {
                    return Err(IndexError::Damaged("its rows are of another version"));
                }
                let position = Position { offset: mark.1, seq: mark.2 };
                self.mark = Mark { segment: mark.0, position, next_number: mark.3 };
                meta = Some((count, sum));
                continue;
            }
            self.count += 1;
            self.sum ^= digest(&key, &value);
            holdings.push((read_name(&key)?, read_row(&value)?));
        }
        if meta.unwrap_or_default() != (self.count, self.sum) {
            return Err(IndexError::Damaged("its rows are not those that were written"));
        }
        if self.mark.segment == 0 {
            // It was never complete: everything is read from the log, and written again where it differs.
            return Ok(Checkpoint { is_followed: true, ..Checkpoint::default() });
        }
        let Mark { segment, position, next_number } = self.mark;
        Ok(Checkpoint { holdings, segment, position, next_number, is_followed: true })
    }

    fn meta(&self) -> Vec<u8> {
        let Mark { segment, position, next_number } = self.mark;
        let row: MetaRow =
            (VERSION, (segment, position.offset, position.seq, next_number), self.count, self.sum);
        encode(row)
    }
}

impl Index for SledIndex {
    fn apply(&mut self, changes: &[(Name, Option<Holding>)]) -> Result<(), IndexError> {
        assert!(changes.len() <= BATCH, "batches are small");
        guarded(|| {
            let mut batch = sled::Batch::default();
            for (name, holding) in changes {
                let key = write_name(name);
                if let Some(old) = self.db.get(&key)? {
                    self.count -= 1;
                    self.sum ^= digest(&key, &old);
                }
                match holding {
                    Some(holding) => {
                        let value = write_row(holding);
                        assert!(value.len() <= VALUE_BYTES_MAX, "values in sled are at most 4 KiB long");
                        self.count += 1;
                        self.sum ^= digest(&key, &value);
                        batch.insert(key, value);
                    }
                    None => batch.remove(key),
                }
            }
            batch.insert(META, self.meta());
            self.db.apply_batch(batch)?;
            self.db.flush()?;
            Ok(())
        })
    }

    fn complete(&mut self, mark: Mark) -> Result<(), IndexError> {
        guarded(|| {
            self.mark = mark;
            self.db.insert(META, self.meta())?;
            self.db.flush()?;
            self.file.sync_data()?;
            Ok(())
        })
    }

    fn is_bloated(&self) -> bool {
        let expected = SIZE_BYTES_MIN.max(self.count.saturating_mul(NAME_BYTES));
        guarded(|| Ok(self.db.size_on_disk()?)).is_ok_and(|size| size > expected)
    }
}

/// Whatever happens inside sled is an error, a panic too.
fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(IndexError::Panicked))
}

/// sled takes a snapshot that was being written for the newest one.
fn remove_torn_snapshots(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let place: PathBuf = entry?.path();
        if place.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(place)?;
        }
    }
    Ok(())
}

/// Makes a new directory durable: sled does not.
fn sync_new(path: &Path) -> io::Result<()> {
    for name in ["conf", "db"] {
        File::open(path.join(name))?.sync_all()?;
    }
    File::open(path)?.sync_all()?;
    if let Some(parent) = path.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn write_name(name: &Name) -> Vec<u8> {
    let (prefix, key) = match name {
        Name::Record(key) => (b'r', &key[..]),
        Name::Block(digest) => (b'b', &digest[..]),
    };
    [&[prefix], key].concat()
}

fn read_name(key: &[u8]) -> Result<Name, IndexError> {
    match key.split_first() {
        Some((b'r', key)) => Ok(Name::Record(key.into())),
        Some((b'b', key)) => {
            key.try_into().map(Name::Block).map_err(|_| IndexError::Damaged("a key is no name"))
        }
        _ => Err(IndexError::Damaged("a key is no name")),
    }
}

fn write_row(holding: &Holding) -> Vec<u8> {
    let none = ExtentAt { segment: 0, offset: 0, len: 0, crc: 0 };
    let (kind, extent) = match holding.what {
        What::Record(extent) => (0, extent),
        What::Whole(extent) => (1, extent),
        What::Block(extent) => (2, extent),
        What::Gone => (3, none),
    };
    let entry = (holding.entry.segment, holding.entry.offset, holding.entry.bytes);
    let row: Row =
        (holding.seq, entry, holding.oldest, kind, (extent.segment, extent.offset, extent.len, extent.crc));
    encode(row)
}

fn read_row(value: &[u8]) -> Result<Holding, IndexError> {
    let (seq, entry, oldest, kind, (segment, offset, len, crc)): Row = decode(value)?;
    let extent = ExtentAt { segment, offset, len, crc };
    let what = match kind {
        0 => What::Record(extent),
        1 => What::Whole(extent),
        2 => What::Block(extent),
        3 => What::Gone,
        _ => return Err(IndexError::Damaged("a row is no holding")),
    };
    let entry = Place { segment: entry.0, offset: entry.1, bytes: entry.2 };
    Ok(Holding { seq, entry, oldest, what })
}

fn encode(row: impl bincode::Encode) -> Vec<u8> {
    let body = bincode::encode_to_vec(row, bincode::config::standard()).expect("numbers can be encoded");
    [&frame::crc32c(&body).to_le_bytes(), &body[..]].concat()
}

fn decode<T: bincode::Decode<()>>(value: &[u8]) -> Result<T, IndexError> {
    let damaged = IndexError::Damaged("a row is damaged");
    let Some((crc, body)) = value.split_at_checked(4) else { return Err(damaged) };
    if frame::crc32c(body).to_le_bytes() != crc {
        return Err(damaged);
    }
    let config = bincode::config::standard().with_limit::<ROW_BYTES_MAX>();
    let (row, _) = bincode::decode_from_slice(body, config).map_err(|_| damaged)?;
    Ok(row)
}

/// Digest of a row, for the sum.
fn digest(key: &[u8], value: &[u8]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&wide(key.len()).to_le_bytes()).update(key).update(value);
    u128::from_le_bytes(frame::array(hasher.finalize().as_bytes(), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_reads_back_what_was_completed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("index");
        let held = Holding {
            seq: 7,
            entry: Place { segment: 1, offset: 64, bytes: 128 },
            oldest: 1,
            what: What::Whole(ExtentAt { segment: 1, offset: 140, len: 10, crc: 3 }),
        };
        let gone = Holding { what: What::Gone, ..held };
        let mark = Mark { segment: 1, position: Position { offset: 192, seq: 7 }, next_number: 3 };
        {
            let (mut index, checkpoint) = SledIndex::open(&path).unwrap();
            assert_eq!(checkpoint.segment, 0);
            let names = [(Name::Block([1; 32]), Some(held)), (Name::Record(b"a"[..].into()), Some(held))];
            index.apply(&names).unwrap();
            index.apply(&[(Name::Record(b"b"[..].into()), Some(gone)), (names[1].0.clone(), None)]).unwrap();
            index.complete(mark).unwrap();
        }
        let (index, checkpoint) = SledIndex::open(&path).unwrap();
        assert_eq!(index.mark, mark);
        assert_eq!((checkpoint.segment, checkpoint.position), (1, mark.position));
        let expected = [(Name::Block([1; 32]), held), (Name::Record(b"b"[..].into()), gone)];
        assert_eq!(checkpoint.holdings, expected);
    }

    #[test]
    fn a_row_that_was_changed_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("index");
        let entry = Place { segment: 1, offset: 64, bytes: 128 };
        let gone = Holding { seq: 7, entry, oldest: 1, what: What::Gone };
        {
            let (mut index, _) = SledIndex::open(&path).unwrap();
            index.apply(&[(Name::Block([1; 32]), Some(gone))]).unwrap();
            index.complete(Mark::default()).unwrap();
            index.db.insert(write_name(&Name::Block([2; 32])), write_row(&gone)).unwrap();
            index.db.flush().unwrap();
        }
        assert!(matches!(SledIndex::open(&path), Err(IndexError::Damaged(_))));
    }

    #[test]
    fn arbitrary_bytes_are_no_row_and_no_panic() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let framed = [&frame::crc32c(bytes).to_le_bytes(), &bytes[..]].concat();
            let _ = read_row(&framed);
            let _ = read_name(bytes);
            assert!(
                bytes.len() < 4
                    || read_row(bytes).is_err()
                    || frame::crc32c(&bytes[4..]).to_le_bytes() == bytes[..4]
            );
        });
    }
}
