//! The log: makes things true. Entries are appended to the active segment under one lock, and a group of
//! callers shares one synchronisation. Blocks and records are told apart only by their names. `LogStore`
//! calls it; nobody else does. It never synchronises on behalf of a caller that did not ask, and never
//! overwrites what may be needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use bundle_spec::Digest;

use self::commit::Commit;
use super::{
    StoreError,
    catalogue::{Catalogue, Freed, Holding, Name, Place, What},
    compact::Victim,
    disk::{Disk, wide},
    frame::{self, ENTRY_ALIGNMENT, ExtentAt, HEADER_BYTES, Header, Kind},
    segment::Segment,
    shelf::Shelf,
};

pub(super) mod commit;
pub(super) mod replay;
pub(super) mod space;

/// Longest block that is kept in memory until it is complete and then written in one go, in bytes.
const WHOLE_BYTES_MAX: u64 = 256 * 1024;
/// How many blocks are forgotten in one go.
const RELEASED_MAX: usize = 256;
/// How many zeros may stand behind a body.
const TAIL_ZEROS: [u8; 64] = [0; 64];

/// What the log may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of blocks.
    pub(super) quota: u64,
    /// Bytes that are left to others on the disk.
    pub(super) keep_free: u64,
    /// Length of a segment in bytes, if it is not to be chosen by what there is.
    pub(super) segment_bytes: Option<u64>,
    /// Seed of the segments' secrets.
    pub(super) seed: u64,
}

/// The log.
pub(super) struct Log {
    /// Where the segments are.
    pub(super) disk: Arc<dyn Disk>,
    /// What it may take.
    pub(super) bounds: Bounds,
    /// Who synchronises, and how far.
    pub(super) commit: Commit,
    state: Mutex<State>,
    /// The segment that is being emptied.
    pub(super) victim: Mutex<Option<Victim>>,
}

/// What changes.
pub(super) struct State {
    /// Every segment.
    pub(super) rooms: BTreeMap<u64, Room>,
    /// Number of the segment that is written to.
    pub(super) active: u64,
    /// Where the next entry begins in it, in bytes.
    pub(super) tail: u64,
    /// Segments above the active one that have no entries yet.
    pub(super) spares: BTreeSet<u64>,
    /// The next segment's number.
    pub(super) next_number: u64,
    /// The next entry's number.
    pub(super) next_seq: u64,
    /// What holds.
    pub(super) catalogue: Catalogue,
    /// Short blocks in memory.
    pub(super) shelf: Shelf,
    /// Segments that were written to since they were last synchronised.
    pub(super) dirty: BTreeSet<u64>,
    /// Bytes of blocks that were announced and are not complete.
    pub(super) arriving: u64,
    /// Dead ranges whose space has not been given back.
    pub(super) freed: Vec<Freed>,
    /// How many readers a block's bytes have, by segment and offset.
    pub(super) readers: BTreeMap<(u64, u64), u32>,
    /// What replay found wrong.
    pub(super) findings: Vec<String>,
}

/// A segment and what is going on in it.
pub(super) struct Room {
    /// The segment.
    pub(super) segment: Arc<Segment>,
    /// Bytes that it takes up on the disk.
    pub(super) allocated: u64,
    /// Up to where it was written with zeros or entries before it was used, in bytes.
    pub(super) filled: u64,
    /// How many blocks are being written into it.
    pub(super) writers: u32,
    /// Whether it has holes.
    pub(super) is_punched: bool,
    /// Whether something in it cannot be read: it is kept as it is.
    pub(super) is_damaged: bool,
}

/// What kind of space an entry may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Records, tombstones and everything small that frees space: also the reserve.
    State,
    /// Blocks: never the reserve.
    Content,
}

/// One statement about one key, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyedRecord {
    /// What it is about, at most 256 bytes.
    pub(crate) key: Vec<u8>,
    /// Whether it ends its key; then there is no body.
    pub(crate) is_gone: bool,
    /// What it says.
    pub(crate) body: Vec<u8>,
}

/// An entry that is to be written.
pub(super) struct Draft<'a> {
    /// What it says.
    pub(super) kind: Kind,
    /// Its key.
    pub(super) key: &'a [u8],
    /// Its body.
    pub(super) body: &'a [u8],
}

/// An entry that was written.
pub(super) struct Written {
    /// Its header.
    pub(super) header: Header,
    /// Its place.
    pub(super) place: Place,
}

impl Log {
    /// What changes, for one caller at a time.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the log")
    }

    /// Longest block that is written in one go.
    pub(super) fn whole_bytes_max(&self) -> u64 {
        self.bounds.segment_bytes.map_or(WHOLE_BYTES_MAX, |bytes| WHOLE_BYTES_MAX.min(bytes / 4))
    }

    /// Makes records and every block finished before durable.
    ///
    /// # Errors
    /// `Full`, `Failed`, `Io`.
    pub(super) fn append(&self, records: &[KeyedRecord]) -> Result<(), StoreError> {
        self.commit.check()?;
        let body = |record: &KeyedRecord| frame::crc32c(Draft::of(record).body);
        let crcs: Vec<u32> = records.iter().map(body).collect();
        let target = {
            let mut state = self.state();
            self.write_shelved(&mut state, records, &crcs)?;
            state.next_seq - 1
        };
        self.sync_to(target)
    }

    /// Every record that holds, in the order of the log, and what is damaged in words.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn recover(&self) -> Result<Vec<KeyedRecord>, StoreError> {
        let mut found: Vec<(u64, Vec<u8>, ExtentAt, Arc<Segment>)> = Vec::new();
        {
            let state = self.state();
            for (name, holding) in state.catalogue.iter() {
                if let (Name::Record(key), What::Record(extent)) = (name, holding.what) {
                    let segment = Arc::clone(&state.rooms[&extent.segment].segment);
                    found.push((holding.seq, key.to_vec(), extent, segment));
                }
            }
        }
        found.sort_by_key(|(seq, ..)| *seq);
        let mut records = Vec::with_capacity(found.len());
        for (_, key, extent, segment) in found {
            let body = segment.read(extent.offset, extent.len)?;
            if frame::crc32c(&body) == extent.crc {
                records.push(KeyedRecord { key, is_gone: false, body });
            } else {
                tracing::error!(segment = extent.segment, offset = extent.offset, "a record is damaged");
            }
        }
        Ok(records)
    }

    /// Writes a complete block, unless it is here already. Durable with the next [`Self::append`].
    ///
    /// # Errors
    /// `Full`, `Failed`, `Io`.
    pub(super) fn write_whole(&self, digest: &Digest, body: &[u8], crc: u32) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.catalogue.block(digest).is_none() {
            let draft = Draft { kind: Kind::Whole, key: digest, body };
            self.write(&mut state, &[draft], &[crc], Class::Content)?;
        }
        Ok(())
    }

    /// Forgets blocks. Durable with the next [`Self::append`].
    ///
    /// # Errors
    /// `Full`, `Failed`, `Io`.
    pub(super) fn release(&self, digests: &[Digest]) -> Result<(), StoreError> {
        self.commit.check()?;
        for some in digests.chunks(RELEASED_MAX) {
            let mut state = self.state();
            some.iter().for_each(|digest| state.unshelve(digest));
            let held = some.iter().filter(|digest| state.catalogue.block(digest).is_some());
            let drafts = held.map(|digest| Draft { kind: Kind::BlockGone, key: digest, body: &[] });
            let drafts: Vec<Draft<'_>> = drafts.collect();
            let crcs = vec![frame::crc32c(&[]); drafts.len()];
            self.write(&mut state, &drafts, &crcs, Class::State)?;
        }
        Ok(())
    }

    /// Writes entries one behind the other into one segment, in one go, and takes what they say. If the disk
    /// does not take them, none of them is there.
    ///
    /// # Errors
    /// `Full`, `Failed`, `Io`.
    pub(super) fn write(
        &self,
        state: &mut State,
        drafts: &[Draft<'_>],
        crcs: &[u32],
        class: Class,
    ) -> Result<Vec<Written>, StoreError> {
        self.commit.check()?;
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        self.make_room(state, drafts, class)?;
        let segment = Arc::clone(&state.rooms[&state.active].segment);
        let synced = self.commit.synced();
        let mut heads = Vec::with_capacity(drafts.len() * (HEADER_BYTES + 64));
        let mut ends = Vec::with_capacity(drafts.len());
        let mut written = Vec::with_capacity(drafts.len());
        let mut offset = state.tail;
        for (draft, crc) in drafts.iter().zip(crcs) {
            let mut header = Header::at(offset, draft.kind, draft.key, wide(draft.body.len()), *crc);
            (header.seq, header.synced) = (state.take_seq(), synced);
            header.encode(segment.salt, draft.key, &mut heads);
            ends.push(heads.len());
            let place = Place { segment: segment.number, offset, bytes: header.total() };
            written.push(Written { header, place });
            offset += header.total();
        }
        let mut parts: Vec<&[u8]> = Vec::with_capacity(drafts.len() * 3);
        let mut start = 0;
        for ((draft, end), done) in drafts.iter().zip(&ends).zip(&written) {
            parts.extend([&heads[start..*end], draft.body, &TAIL_ZEROS[..done.header.tail()]]);
            start = *end;
        }
        state.dirty.insert(segment.number);
        if let Err(error) = segment.file.write_at(&parts, state.tail) {
            // A header that is not there ends the replay: what was written of this group is nothing.
            let _ = segment.file.write_at(&[&TAIL_ZEROS], state.tail);
            return Err(self.refusal(error, offset - state.tail));
        }
        state.tail = offset;
        for (draft, done) in drafts.iter().zip(&written) {
            state.take(draft, done);
        }
        Ok(written)
    }

    /// What an error of the disk means for a caller that needs so many bytes.
    pub(super) fn refusal(&self, error: io::Error, needed: u64) -> StoreError {
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return StoreError::Full {
                free: self.disk.free().unwrap_or(0).min(needed.saturating_sub(1)),
                needed,
            };
        }
        StoreError::Io(error)
    }
}

impl State {
    /// The next entry's number.
    pub(super) fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// Takes what an entry says.
    fn take(&mut self, draft: &Draft<'_>, done: &Written) {
        let extent = match draft.kind {
            Kind::Block => ExtentAt::decode(draft.body),
            _ => Some(ExtentAt {
                segment: done.place.segment,
                offset: done.place.offset + done.header.body_start(),
                len: done.header.body_len,
                crc: done.header.body_crc,
            }),
        };
        if let Some((name, holding)) = holding_of(&done.header, draft.key, done.place, extent) {
            self.catalogue.apply(name, holding);
        }
        self.freed.extend(self.catalogue.take_freed());
    }
}

impl<'a> Draft<'a> {
    pub(super) fn of(record: &'a KeyedRecord) -> Self {
        if record.is_gone {
            return Self { kind: Kind::RecordGone, key: &record.key, body: &[] };
        }
        Self { kind: Kind::Record, key: &record.key, body: &record.body }
    }

    /// How many bytes drafts take if the first begins at `offset`.
    pub(super) fn bytes(drafts: &[Self], offset: u64) -> u64 {
        let mut end = offset;
        for draft in drafts {
            end += Header::at(end, draft.kind, draft.key, wide(draft.body.len()), 0).total();
        }
        debug_assert_eq!(end % ENTRY_ALIGNMENT, 0, "entries are aligned");
        end - offset
    }
}

/// What an entry says of which name; `None` if it speaks of none.
pub(super) fn holding_of(
    header: &Header,
    key: &[u8],
    entry: Place,
    extent: Option<ExtentAt>,
) -> Option<(Name, Holding)> {
    let (name, what) = match header.kind {
        Kind::Record => (Name::Record(key.into()), What::Record(extent?)),
        Kind::RecordGone => (Name::Record(key.into()), What::Gone),
        Kind::Whole => (Name::Block(key.try_into().ok()?), What::Whole(extent?)),
        Kind::Block => (Name::Block(key.try_into().ok()?), What::Block(extent?)),
        Kind::BlockGone => (Name::Block(key.try_into().ok()?), What::Gone),
        Kind::Extent | Kind::Epoch | Kind::Seal | Kind::Other(_) => return None,
    };
    Some((name, Holding { seq: header.seq, entry, oldest: entry.segment, what }))
}
