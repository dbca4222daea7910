//! Opening the log: reads its entries in order, finds where it ends, and begins a new run there. An entry
//! that may not have been durable is believed only if it and all before it are whole; so after a crash the
//! log is a prefix of what was written, and that prefix holds everything that was acknowledged.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    sync::{Arc, Mutex},
};

use super::{Bounds, Class, Commit, Draft, Log, Place, State, holding_of};
use crate::store::{
    StoreError,
    catalogue::{Catalogue, Holding, Name},
    disk::{Disk, wide},
    frame::{self, ExtentAt, Kind},
    handles::{Handles, OPEN_FILES_MAX},
    segment::{Entry, FIRST_ENTRY, Position, Segment, Zeros},
    shelf::Shelf,
};

/// How many bits of an entry's number count within one run of the program.
const RUN_BITS: u32 = 40;

/// What is known of the log before it is read: the catalogue as of a place in it.
#[derive(Clone, Default)]
pub(in crate::store) struct Checkpoint {
    /// What held then.
    pub(in crate::store) holdings: Vec<(Name, Holding)>,
    /// Number of the segment.
    pub(in crate::store) segment: u64,
    /// The place in it.
    pub(in crate::store) position: Position,
    /// The next segment's number then.
    pub(in crate::store) next_number: u64,
    /// Whether somebody wants to know what changes from then on.
    pub(in crate::store) is_followed: bool,
}

/// Reading goes on.
struct Replay {
    state: State,
    /// Entries that are not yet known to have been durable.
    doubtful: VecDeque<Step>,
    /// Up to which entry everything is known to have been durable.
    synced: u64,
    /// Where the log ends.
    end: (u64, Position),
    /// Whether the whole log is read, without a checkpoint.
    is_complete: bool,
}

/// What comes next in the log.
enum Step {
    /// An entry.
    Entry(Entry, Option<ExtentAt>),
    /// The segment breaks off here without saying so, and others follow.
    Gap(u64, Position),
}

impl Log {
    /// Opens the log of a directory, or begins it.
    ///
    /// # Errors
    /// `Full` if a new log does not fit; `Io`.
    pub(in crate::store) fn open(
        disk: Arc<dyn Disk>,
        bounds: Bounds,
        checkpoint: Checkpoint,
    ) -> Result<Self, StoreError> {
        let disk = Handles::over(disk, OPEN_FILES_MAX);
        let mut replay = Replay::new(checkpoint);
        replay.find_segments(&*disk)?;
        replay.read()?;
        replay.settle()?;
        let Replay { state, end, .. } = replay;
        let log = Self {
            disk,
            bounds,
            commit: Commit::default(),
            state: Mutex::new(state),
            victim: Mutex::new(None),
        };
        log.begin_run(end)?;
        Ok(log)
    }

    /// Begins a run: drops what lies behind the end, writes an entry there that says so, synchronises it.
    fn begin_run(&self, end: (u64, Position)) -> Result<(), StoreError> {
        let mut state = self.state();
        state.next_seq = ((end.1.seq >> RUN_BITS) + 1) << RUN_BITS;
        self.commit.start(end.1.seq);
        if state.rooms.contains_key(&end.0) {
            (state.active, state.tail) = (end.0, end.1.offset);
        } else {
            let plan = self.plan(&mut state, 0)?;
            let made = Segment::make(&*self.disk, &plan, Zeros::First)
                .map_err(|error| self.refusal(error, plan.size))?;
            state.add(made);
            (state.active, state.tail) = (plan.number, FIRST_ENTRY);
        }
        self.renew_spares(&mut state)?;
        if state.spares.is_empty()
            && let Err(error) = self.make_spare(&mut state, 0, Zeros::First)
            && !matches!(error, StoreError::Full { .. })
        {
            return Err(error);
        }
        let draft = Draft { kind: Kind::Epoch, key: &[], body: &[] };
        self.write(&mut state, &[draft], &[frame::crc32c(&[])], Class::State)?;
        let target = state.next_seq - 1;
        drop(state);
        self.sync_to(target)?;
        Ok(())
    }

    /// Segments above the end have no entries that count. One that was cut off there may have some: it gets a
    /// new secret.
    fn renew_spares(&self, state: &mut State) -> Result<(), StoreError> {
        let above: Vec<u64> = state.rooms.range(state.active + 1..).map(|(number, _)| *number).collect();
        for number in above {
            if state.rooms[&number].segment.is_solo {
                continue;
            }
            let room = state.rooms.remove(&number).expect("the number was listed");
            state.catalogue.forget_segment(number);
            let plan = state.plan(room.segment.size, false, self.bounds.seed);
            let spare = Segment::recycle(&*self.disk, &room.segment, &plan)?;
            state.add(spare);
            state.room(plan.number).filled = room.filled;
            state.spares.insert(plan.number);
        }
        Ok(())
    }
}

impl Replay {
    fn new(checkpoint: Checkpoint) -> Self {
        let mut catalogue = Catalogue::default();
        for (name, holding) in checkpoint.holdings {
            catalogue.restore(name, holding);
        }
        if checkpoint.is_followed {
            catalogue.follow();
        }
        let state = State {
            rooms: std::collections::BTreeMap::new(),
            active: 0,
            tail: 0,
            spares: BTreeSet::new(),
            next_number: checkpoint.next_number.max(1),
            next_seq: 1,
            catalogue,
            shelf: Shelf::default(),
            dirty: BTreeSet::new(),
            arriving: 0,
            freed: Vec::new(),
            readers: std::collections::BTreeMap::new(),
            findings: Vec::new(),
        };
        let end = (checkpoint.segment, checkpoint.position);
        let synced = checkpoint.position.seq;
        Self { state, doubtful: VecDeque::new(), synced, end, is_complete: checkpoint.segment == 0 }
    }

    /// Opens every segment; removes files that were not finished.
    fn find_segments(&mut self, disk: &dyn Disk) -> Result<(), StoreError> {
        for name in disk.list()? {
            if std::path::Path::new(&name).extension().is_some_and(|extension| extension == "new") {
                disk.remove(&name)?;
            }
            let Some(number) = Segment::number_of(&name) else { continue };
            self.state.next_number = self.state.next_number.max(number + 1);
            let Some(segment) = Segment::open(disk, number)? else {
                self.state.findings.push(format!("segment {number:016x}: its header is damaged"));
                continue;
            };
            let allocated = segment.file.allocated()?;
            let room = self.state.add(segment);
            self.state.room(room.number).allocated = allocated;
            self.state.room(room.number).is_punched = allocated < room.size;
            self.state.room(room.number).filled = if allocated < room.size { FIRST_ENTRY } else { room.size };
        }
        Ok(())
    }

    /// Reads every segment from the checkpoint on.
    fn read(&mut self) -> Result<(), StoreError> {
        let segments: Vec<Arc<Segment>> =
            self.state.rooms.values().map(|room| Arc::clone(&room.segment)).collect();
        let mut open_end: Option<(u64, Position)> = None;
        let first = self.end.0;
        for segment in segments.iter().filter(|segment| !segment.is_solo && segment.number >= first) {
            let from = if segment.number == self.end.0 { self.end.1 } else { Position::START };
            let mut is_first = from == Position::START;
            let found = segment.scan(from, &mut |entry| {
                if std::mem::take(&mut is_first)
                    && let Some((number, position)) = open_end.take()
                {
                    self.doubtful.push_back(Step::Gap(number, position));
                }
                self.take(segment, entry)
            })?;
            let is_empty = found.offset == FIRST_ENTRY;
            if is_empty && self.end.0 != 0 {
                continue;
            }
            // Nothing can be written behind the end that a segment declared.
            let offset = if found.is_sealed { segment.size } else { found.offset };
            let position = Position { offset, seq: found.seq.max(self.end.1.seq) };
            self.end = (segment.number, position);
            open_end = (!found.is_sealed).then_some((segment.number, position));
        }
        Ok(())
    }

    fn take(&mut self, segment: &Segment, entry: Entry) -> io::Result<()> {
        let extent = match entry.header.kind {
            Kind::Block if entry.header.body_len == wide(ExtentAt::BYTES) => {
                let mut body = [0; ExtentAt::BYTES];
                // A file that is too short leaves zeros, which the checksum refuses.
                segment.file.read_at(&mut body, entry.body_offset())?;
                ExtentAt::decode(&body).filter(|_| frame::crc32c(&body) == entry.header.body_crc)
            }
            Kind::Block => None,
            _ => Some(ExtentAt {
                segment: entry.segment,
                offset: entry.body_offset(),
                len: entry.header.body_len,
                crc: entry.header.body_crc,
            }),
        };
        self.synced = self.synced.max(entry.header.synced.min(entry.header.seq.saturating_sub(1)));
        // Segments that were removed are still spoken of: their numbers are not used again.
        let spoken_of = extent.map_or(0, |extent| extent.segment);
        self.state.next_number = self.state.next_number.max(spoken_of.saturating_add(1));
        self.doubtful.push_back(Step::Entry(entry, extent));
        while let Some(step) = self.doubtful.pop_front_if(|step| step.seq() <= self.synced) {
            self.believe(step);
        }
        Ok(())
    }

    /// Takes what was durable.
    fn believe(&mut self, step: Step) {
        match step {
            Step::Gap(number, position) => {
                let place = format!("segment {number:016x}, offset {}", position.offset);
                self.state.findings.push(format!("{place}: the header of an entry is damaged"));
                self.state.room(number).is_damaged = true;
            }
            Step::Entry(entry, extent) => {
                let place =
                    Place { segment: entry.segment, offset: entry.offset, bytes: entry.header.total() };
                if entry.header.kind == Kind::Block && extent.is_none() {
                    let at = format!("segment {:016x}, offset {}", entry.segment, entry.offset);
                    self.state.findings.push(format!("{at}: the entry of a block is damaged"));
                    self.state.room(entry.segment).is_damaged = true;
                }
                if let Some((name, holding)) = holding_of(&entry.header, &entry.key, place, extent) {
                    self.state.catalogue.apply(name, holding);
                }
            }
        }
    }

    /// Decides about what may not have been durable: the first thing that is not whole ends the log.
    fn settle(&mut self) -> Result<(), StoreError> {
        while let Some(step) = self.doubtful.pop_front() {
            let cut = match &step {
                Step::Gap(number, position) => Some((*number, *position)),
                Step::Entry(entry, extent) if !self.is_whole(entry, extent.as_ref())? => {
                    Some((entry.segment, Position { offset: entry.offset, seq: entry.header.seq }))
                }
                Step::Entry(..) => None,
            };
            if let Some(cut) = cut {
                // Numbers of entries that were cut off are not used again.
                self.end = (cut.0, Position { offset: cut.1.offset, seq: self.end.1.seq.max(cut.1.seq) });
                self.doubtful.clear();
                break;
            }
            if let Step::Entry(entry, extent) = &step {
                // Whole as it is, it may be in memory only, if just the process ended.
                self.state.dirty.insert(entry.segment);
                self.state.dirty.extend(extent.map(|extent| extent.segment));
            }
            self.believe(step);
        }
        self.drop_lost();
        self.state.freed = self.state.catalogue.take_freed();
        Ok(())
    }

    /// Whether everything that an entry says is on the disk.
    fn is_whole(&self, entry: &Entry, extent: Option<&ExtentAt>) -> io::Result<bool> {
        if matches!(entry.header.kind, Kind::Extent | Kind::Epoch | Kind::Other(_)) {
            return Ok(true);
        }
        let Some(extent) = extent else { return Ok(false) };
        let Some(room) = self.state.rooms.get(&extent.segment) else { return Ok(false) };
        room.segment.verify(extent.offset, extent.len, extent.crc)
    }

    /// Forgets what lay in segments that were removed after the checkpoint, and tombstones that nothing
    /// needs.
    fn drop_lost(&mut self) {
        let exists: BTreeSet<u64> = self.state.rooms.keys().copied().collect();
        let lost = self.state.catalogue.drop_missing(&exists);
        if self.is_complete {
            let words = lost.iter().map(|name| format!("{name:?}: the segment of its bytes is missing"));
            self.state.findings.extend(words);
        }
        self.state.catalogue.drop_tombstones(&exists);
    }
}

impl Step {
    /// The entry's number; for a gap, that of the entry that is missing there.
    fn seq(&self) -> u64 {
        match self {
            Self::Entry(entry, _) => entry.header.seq,
            Self::Gap(_, position) => position.seq + 1,
        }
    }
}
