//! Where the next bytes go: the active segment, the spares behind it, segments for one long block, and
//! whether there is room at all. One spare is a reserve that only records and tombstones may use, so that
//! deleting works on a full disk. Never touches an entry.

use std::sync::Arc;

use super::{Class, Draft, HEADER_BYTES, Header, Kind, Log, Room, State};
use crate::store::{
    StoreError, Usage,
    disk::wide,
    frame::{ENTRY_ALIGNMENT, ExtentAt},
    segment::{FIRST_ENTRY, Plan, Segment, Zeros},
};

/// Longest segment in bytes.
const SEGMENT_BYTES_MAX: u64 = 64 * MIB;
/// Shortest segment of a store that has space, in bytes.
const SEGMENT_BYTES_USUAL: u64 = 4 * MIB;
/// Shortest segment in bytes.
const SEGMENT_BYTES_MIN: u64 = MIB;
/// How many prepared segments there should be: the reserve and one to go on with.
const SPARES: usize = 2;
const MIB: u64 = 1024 * 1024;

/// Room for the bytes of one block whose header is written.
pub(in crate::store) struct Reserved {
    /// The segment.
    pub(in crate::store) segment: Arc<Segment>,
    /// Where the block's bytes begin.
    pub(in crate::store) offset: u64,
}

impl Reserved {
    /// The room behind the first `taken` bytes, if it is worth giving back.
    pub(in crate::store) fn rest(&self, taken: u64, len: u64) -> Option<ExtentAt> {
        let extent = ExtentAt { segment: self.segment.number, offset: self.offset + taken, len, crc: 0 };
        (len >= PAGE && !self.segment.is_solo).then_some(extent)
    }
}

impl Log {
    /// Sees to it that drafts fit into the active segment.
    pub(super) fn make_room(
        &self,
        state: &mut State,
        drafts: &[Draft<'_>],
        class: Class,
    ) -> Result<(), StoreError> {
        if Draft::bytes(drafts, state.tail) > state.left() {
            self.advance(state, Draft::bytes(drafts, FIRST_ENTRY), class)?;
        }
        assert!(Draft::bytes(drafts, state.tail) <= state.left(), "the next segment has room");
        Ok(())
    }

    /// Goes on to the next segment, which has room for `needed` bytes.
    fn advance(&self, state: &mut State, needed: u64, class: Class) -> Result<(), StoreError> {
        let size = needed + FIRST_ENTRY;
        if class == Class::Content && state.spares.len() < SPARES {
            // In a hurry, and with space in plenty, the zeros are left to the thread behind the log.
            let usual = state.rooms[&state.active].segment.size.max(size);
            self.make_spare(state, size, if self.is_ample(usual)? { Zeros::Later } else { Zeros::First })?;
        }
        let fits =
            |state: &State| state.spares.first().is_some_and(|spare| state.rooms[spare].segment.size >= size);
        if !fits(state) {
            // Spares that are too short lie before the one that is made here: they would break the order.
            let made = self.make_spare(state, size, Zeros::First)?;
            while let Some(spare) = state.spares.first().copied().filter(|spare| *spare < made) {
                state.spares.remove(&spare);
                self.remove_segment(state, spare)?;
            }
        }
        self.seal(state)?;
        state.active = state.spares.pop_first().expect("a spare was made");
        state.tail = FIRST_ENTRY;
        Ok(())
    }

    /// Says in the active segment that it ends here. What was written before it stays dirty until the next
    /// turn.
    fn seal(&self, state: &mut State) -> Result<(), StoreError> {
        if state.left() == 0 {
            return Ok(());
        }
        let segment = Arc::clone(&state.rooms[&state.active].segment);
        let mut header = Header::at(state.tail, Kind::Seal, &[], 0, 0);
        (header.seq, header.synced) = (state.take_seq(), self.commit.synced());
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        header.encode(segment.salt, &[], &mut bytes);
        state.dirty.insert(segment.number);
        segment
            .file
            .write_at(&[&bytes], state.tail)
            .map_err(|error| self.refusal(error, wide(bytes.len())))?;
        state.tail = segment.size;
        Ok(())
    }

    /// Makes a spare of at least `needed` bytes; says its number.
    pub(super) fn make_spare(&self, state: &mut State, needed: u64, zeros: Zeros) -> Result<u64, StoreError> {
        let plan = self.plan(state, needed)?;
        let made = Segment::make(&*self.disk, &plan, zeros);
        state.add(made.map_err(|error| self.refusal(error, plan.size))?);
        if zeros == Zeros::Later {
            state.room(plan.number).filled = FIRST_ENTRY;
        }
        state.spares.insert(plan.number);
        Ok(plan.number)
    }

    /// How long the next segment is to be: fixed, or growing with the store and shrinking with the disk.
    pub(super) fn plan(&self, state: &mut State, needed: u64) -> Result<Plan, StoreError> {
        let free = self.disk.free()?;
        let own: u64 = state.rooms.values().map(|room| room.allocated).sum();
        let size = self.bounds.segment_bytes.unwrap_or_else(|| {
            let most = (self.bounds.quota / 8).min(free.saturating_add(own) / 8);
            let most = most.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
            let usual = (own / 4).clamp(SEGMENT_BYTES_USUAL, SEGMENT_BYTES_MAX);
            let possible = free.saturating_sub(free / 8).max(SEGMENT_BYTES_MIN);
            usual.next_power_of_two().min(most).min(possible)
        });
        let size = size.max(needed).next_multiple_of(PAGE);
        if free < size {
            return Err(StoreError::Full { free, needed: size });
        }
        Ok(state.plan(size, false, self.bounds.seed))
    }

    /// Makes a spare before somebody needs it, or fills one, without holding the log for long.
    ///
    /// # Errors
    /// `Full` if there is no space for it; `Io`.
    pub(in crate::store) fn prepare_spare(&self) -> Result<(), StoreError> {
        if self.streams_with_room()? {
            return Ok(());
        }
        while let Some(filled) = self.fill_spare()? {
            if filled.file.sync().is_err() {
                tracing::warn!(segment = filled.number, "a spare segment cannot be synchronised");
            }
        }
        let plan = {
            let mut state = self.state();
            if state.spares.len() >= SPARES {
                return Ok(());
            }
            let plan = self.plan(&mut state, 0)?;
            let free = self.disk.free()?;
            if !state.spares.is_empty() && free < plan.size.saturating_add(self.bounds.keep_free) {
                return Ok(());
            }
            plan
        };
        let made = Segment::make(&*self.disk, &plan, Zeros::First);
        let segment = made.map_err(|error| self.refusal(error, plan.size))?;
        let mut state = self.state();
        state.add(segment);
        if plan.number > state.active && state.spares.len() < SPARES {
            state.spares.insert(plan.number);
        } else {
            self.remove_segment(&mut state, plan.number)?;
        }
        Ok(())
    }

    /// Whether long blocks are being written and the disk has space in plenty. Then zeros would only take the
    /// disk's time from them: a long block needs one new extent however its segment was made.
    fn streams_with_room(&self) -> Result<bool, StoreError> {
        let (is_streaming, usual) = {
            let state = self.state();
            (state.is_streaming(), state.rooms[&state.active].segment.size)
        };
        Ok(is_streaming && self.is_ample(usual)?)
    }

    /// Whether a segment of `size` bytes hardly matters to the disk.
    fn is_ample(&self, size: u64) -> Result<bool, StoreError> {
        Ok(self.disk.free()? / 8 > size.saturating_add(self.bounds.keep_free))
    }

    /// Writes zeros to a spare that has none, as long as it is one and nobody is in a hurry; the spare if it
    /// has them.
    fn fill_spare(&self) -> Result<Option<Arc<Segment>>, StoreError> {
        loop {
            let mut state = self.state();
            if state.is_streaming() {
                return Ok(None);
            }
            let unfilled = |number: &&u64| state.rooms[*number].filled < state.rooms[*number].segment.size;
            let Some(number) = state.spares.iter().find(unfilled).copied() else { return Ok(None) };
            let room = state.room(number);
            let to = room.segment.size.min(room.filled + MIB);
            room.segment.fill(room.filled, to)?;
            room.filled = to;
            if to == room.segment.size {
                return Ok(Some(Arc::clone(&room.segment)));
            }
            drop(state);
            std::thread::yield_now();
        }
    }

    /// Whether a block of `len` bytes may come; counts it as arriving then.
    ///
    /// # Errors
    /// `Full`, `Failed`.
    pub(in crate::store) fn admit(&self, len: u64) -> Result<(), StoreError> {
        self.commit.check()?;
        let mut state = self.state();
        let taken = state.catalogue.bytes().1.saturating_add(state.arriving);
        let free = self.bounds.quota.saturating_sub(taken);
        if len > free {
            return Err(StoreError::Full { free, needed: len });
        }
        if state.spares.is_empty() {
            self.make_spare(&mut state, 0, Zeros::First)?;
        }
        let needed = len.saturating_add(ENTRY_OVERHEAD);
        let goes_on =
            needed <= state.left() || (state.spares.len() >= SPARES && !self.is_solo(&state, needed));
        if !goes_on {
            let kept = self.bounds.keep_free.saturating_add(state.arriving);
            let space = self.disk.free()?.saturating_sub(kept);
            let least = if self.is_solo(&state, needed) {
                needed
            } else {
                needed.max(self.bounds.segment_bytes.unwrap_or(SEGMENT_BYTES_MIN))
            };
            if space < least {
                return Err(StoreError::Full { free: space.min(len.saturating_sub(1)), needed: len });
            }
        }
        state.arriving += len;
        Ok(())
    }

    /// Whether so many bytes get a segment of their own.
    fn is_solo(&self, state: &State, needed: u64) -> bool {
        let shortest = state.spares.iter().map(|spare| state.rooms[spare].segment.size).min();
        let shortest = self.bounds.segment_bytes.or(shortest).unwrap_or(SEGMENT_BYTES_MIN);
        needed > state.left() && needed > shortest / 2
    }

    /// Reserves room for a block whose bytes come one after the other.
    ///
    /// # Errors
    /// `Full`, `Failed`, `Io`.
    pub(in crate::store) fn reserve(
        &self,
        state: &mut State,
        len: u64,
        class: Class,
    ) -> Result<Reserved, StoreError> {
        self.commit.check()?;
        let needed = len.saturating_add(ENTRY_OVERHEAD);
        if self.is_solo(state, needed) {
            let size = (FIRST_ENTRY + needed).next_multiple_of(PAGE);
            let plan = state.plan(size, true, self.bounds.seed);
            let made = Segment::make(&*self.disk, &plan, Zeros::Later);
            let segment = made.map_err(|error| self.refusal(error, len))?;
            let segment = state.add(segment);
            state.room(segment.number).writers += 1;
            return Ok(Reserved { segment, offset: PAGE });
        }
        if extent_bytes(state.tail, len) > state.left() {
            self.advance(state, extent_bytes(FIRST_ENTRY, len), class)?;
        }
        let segment = Arc::clone(&state.rooms[&state.active].segment);
        let mut header = Header::at(state.tail, Kind::Extent, &[], len, 0);
        (header.seq, header.synced) = (state.take_seq(), self.commit.synced());
        let mut head = Vec::new();
        header.encode(segment.salt, &[], &mut head);
        state.dirty.insert(segment.number);
        if let Err(error) = segment.file.write_at(&[&head], state.tail) {
            let _ = segment.file.write_at(&[&super::TAIL_ZEROS], state.tail);
            return Err(self.refusal(error, len));
        }
        let offset = state.tail + header.body_start();
        state.tail += header.total();
        state.room(segment.number).writers += 1;
        Ok(Reserved { segment, offset })
    }

    /// Gives room back that nothing refers to.
    pub(in crate::store) fn abandon(&self, reserved: &Reserved, len: u64) {
        let mut state = self.state();
        let number = reserved.segment.number;
        state.room(number).writers -= 1;
        if reserved.segment.is_solo {
            if let Err(error) = self.remove_segment(&mut state, number) {
                tracing::warn!(segment = number, %error, "a segment cannot be removed");
            }
        } else if len >= PAGE {
            let extent = ExtentAt { segment: number, offset: reserved.offset, len, crc: 0 };
            state.freed.push(super::Freed { extent, seq: 0 });
        }
    }

    /// Gives room back that was reserved and is not needed.
    pub(in crate::store) fn give_back(&self, extent: ExtentAt) {
        self.state().freed.push(super::Freed { extent, seq: 0 });
    }

    /// Removes a segment that nothing refers to.
    pub(in crate::store) fn remove_segment(&self, state: &mut State, number: u64) -> Result<(), StoreError> {
        self.disk.remove(&Segment::name(number))?;
        self.disk.sync_names()?;
        state.catalogue.forget_segment(number);
        state.dirty.remove(&number);
        state.rooms.remove(&number);
        Ok(())
    }

    /// How full it is.
    pub(in crate::store) fn usage(&self) -> Usage {
        let state = self.state();
        let (records, blocks) = state.catalogue.counts();
        let (record_bytes, block_bytes) = state.catalogue.bytes();
        let prepared: u64 = state.spares.iter().skip(1).map(|spare| state.rooms[spare].segment.size).sum();
        let reserve = if state.spares.is_empty() { SEGMENT_BYTES_MIN } else { 0 };
        let kept = self.bounds.keep_free.saturating_add(reserve);
        let space = self.disk.free().unwrap_or(0).saturating_sub(kept) + prepared + state.left();
        let left = self.bounds.quota.saturating_sub(block_bytes.saturating_add(state.arriving));
        Usage {
            live: record_bytes + block_bytes,
            disk: state.rooms.values().map(|room| room.allocated).sum(),
            quota: self.bounds.quota,
            free: left.min(space),
            blocks,
            records,
        }
    }
}

impl State {
    /// Whether long blocks are being written.
    fn is_streaming(&self) -> bool {
        self.rooms.values().any(|room| room.writers > 0)
    }

    /// Bytes that are left in the active segment.
    pub(super) fn left(&self) -> u64 {
        self.rooms[&self.active].segment.size - self.tail
    }

    /// A segment that is known to be there.
    pub(in crate::store) fn room(&mut self, number: u64) -> &mut Room {
        self.rooms.get_mut(&number).expect("a segment that is written to is there")
    }

    /// Takes a segment in.
    pub(in crate::store) fn add(&mut self, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        let room = Room {
            segment: Arc::clone(&segment),
            allocated: segment.size,
            filled: segment.size,
            writers: 0,
            is_punched: false,
            is_damaged: false,
        };
        self.rooms.insert(segment.number, room);
        segment
    }

    /// The next segment's number and secret.
    pub(in crate::store) fn plan(&mut self, size: u64, is_solo: bool, seed: u64) -> Plan {
        let number = self.next_number;
        self.next_number += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(&number.to_le_bytes());
        let salt = u64::from_le_bytes(super::frame::array(hasher.finalize().as_bytes(), 0));
        Plan { number, size, salt, is_solo }
    }
}

/// What header, padding and the block's own entry take at most, in bytes.
const ENTRY_OVERHEAD: u64 = PAGE + 4 * ENTRY_ALIGNMENT;
const PAGE: u64 = crate::store::frame::PAGE_BYTES;

fn extent_bytes(offset: u64, len: u64) -> u64 {
    Header::at(offset, Kind::Extent, &[], len, 0).total()
}
