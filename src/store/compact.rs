//! Giving space back: holes where long blocks were, segments in which nothing lives, and copies of what still
//! lives in mostly dead ones. `Store::compact` calls it, one bounded step at a time. Nothing is destroyed
//! before the entry that made it dead is durable and the log itself says so.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    StoreError,
    catalogue::{Freed, Holding, Name, What},
    frame::{self, ExtentAt, Kind, PAGE_BYTES},
    log::{Class, Draft, Log, State},
    segment::Segment,
};

/// How much is copied in one step, in bytes.
const STEP_BYTES: u64 = 4 * 1024 * 1024;
/// How much of a long block is copied at a time, in bytes.
const COPY_BYTES: u64 = 256 * 1024;
/// How many prepared segments are worth keeping.
const SPARES: usize = 2;

/// A segment that is being emptied.
#[derive(Default)]
pub(super) struct Victim {
    /// Its number.
    segment: u64,
    /// What may still live in it.
    names: Vec<Name>,
}

impl Log {
    /// One step; `true` if there is more to do.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub(super) fn compact(&self) -> Result<bool, StoreError> {
        self.commit.check()?;
        let mut victim = self.victim.lock().expect("nobody panics while compacting");
        let marked = self.mark()?;
        self.punch(marked)?;
        self.drop_dead(marked)?;
        if victim.is_none() {
            *victim = self.choose();
        }
        let Some(chosen) = victim.as_mut() else { return Ok(false) };
        let copied = self.empty(chosen);
        let is_done = chosen.names.is_empty();
        if is_done || copied.is_err() {
            *victim = None;
        }
        match copied {
            Ok(()) => Ok(true),
            Err(StoreError::Full { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes down how far the log is durable, so that a replay does not doubt what is destroyed next. Says
    /// up to which entry that is.
    fn mark(&self) -> Result<u64, StoreError> {
        let target = {
            let state = self.state();
            let is_idle = state.freed.is_empty() && state.dead().is_empty();
            if is_idle {
                return Ok(0);
            }
            state.next_seq - 1
        };
        self.sync_to(target)?;
        let (marked, target) = {
            let mut state = self.state();
            let marked = self.commit.synced();
            let draft = Draft { kind: Kind::Epoch, key: &[], body: &[] };
            self.write(&mut state, &[draft], &[frame::crc32c(&[])], Class::State)?;
            (marked, state.next_seq - 1)
        };
        self.sync_to(target)?;
        Ok(marked)
    }

    /// Gives the space of dead long blocks back, as far as nobody reads them.
    fn punch(&self, marked: u64) -> Result<(), StoreError> {
        let mut holes: Vec<(Arc<Segment>, ExtentAt)> = Vec::new();
        {
            let mut state = self.state();
            let freed = std::mem::take(&mut state.freed);
            for dead in freed {
                let extent = dead.extent;
                let Some(room) = state.rooms.get(&extent.segment) else { continue };
                let segment = Arc::clone(&room.segment);
                if dead.seq > marked || state.readers.contains_key(&(extent.segment, extent.offset)) {
                    state.freed.push(Freed { extent, ..dead });
                } else if !segment.is_solo {
                    holes.push((segment, extent));
                }
            }
        }
        for (segment, extent) in holes {
            let start = extent.offset.next_multiple_of(PAGE_BYTES);
            let end = (extent.offset + extent.len) / PAGE_BYTES * PAGE_BYTES;
            // A file system without holes keeps the bytes until the segment is emptied.
            if start >= end || segment.file.punch(start, end - start).is_err() {
                continue;
            }
            let allocated = segment.file.allocated()?;
            if let Some(room) = self.state().rooms.get_mut(&segment.number) {
                room.is_punched = true;
                room.allocated = allocated;
            }
        }
        Ok(())
    }

    /// Removes segments in which nothing lives, or makes spares of them.
    fn drop_dead(&self, marked: u64) -> Result<(), StoreError> {
        let dead = self.state().dead();
        for number in dead {
            let mut state = self.state();
            if state.catalogue.life(number).death > marked {
                continue;
            }
            let is_read = state.readers.range((number, 0)..=(number, u64::MAX)).next().is_some();
            let room = state.room(number);
            let may_serve = !is_read && !room.is_punched && !room.segment.is_solo;
            if may_serve && state.spares.len() < SPARES {
                let old = state.rooms.remove(&number).expect("a dead segment was listed").segment;
                state.catalogue.forget_segment(number);
                let plan = state.plan(old.size, false, self.bounds.seed);
                let spare = Segment::recycle(&*self.disk, &old, &plan)?;
                state.add(spare);
                state.spares.insert(plan.number);
            } else {
                self.remove_segment(&mut state, number)?;
            }
            let exists: BTreeSet<u64> = state.rooms.keys().copied().collect();
            state.catalogue.drop_tombstones(&exists);
        }
        Ok(())
    }

    /// The segment that is worth emptying most, if one is.
    fn choose(&self) -> Option<Victim> {
        let state = self.state();
        let is_worth = |number: &u64| {
            let room = &state.rooms[number];
            let live = state.catalogue.life(*number).bytes;
            state.is_full(*number)
                && !room.is_damaged
                && !room.segment.is_solo
                && live > 0
                && live * 2 < room.allocated
        };
        let numbers = state.rooms.keys().copied().filter(is_worth);
        let segment = numbers.min_by_key(|number| state.catalogue.life(*number).bytes)?;
        let lives = state.catalogue.iter().filter(|(_, holding)| holding.touches(segment));
        let mut names: Vec<Name> = lives.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        Some(Victim { segment, names })
    }

    /// Copies a bounded part of what lives in a segment to the end of the log.
    fn empty(&self, victim: &mut Victim) -> Result<(), StoreError> {
        let mut copied = 0;
        while copied < STEP_BYTES {
            let Some(name) = victim.names.last() else { break };
            let holding = self.state().catalogue.get(name).copied();
            if let Some(holding) = holding.filter(|holding| holding.touches(victim.segment)) {
                copied += holding.entry.bytes + holding.what.extent().map_or(0, |extent| extent.len);
                if !self.copy(name, &holding, victim.segment)? {
                    self.state().room(victim.segment).is_damaged = true;
                    victim.names.clear();
                    break;
                }
            }
            victim.names.pop();
        }
        Ok(())
    }

    /// Copies one thing; `false` if its bytes are damaged.
    fn copy(&self, name: &Name, holding: &Holding, victim: u64) -> Result<bool, StoreError> {
        let (key, gone) = match name {
            Name::Record(key) => (&key[..], Kind::RecordGone),
            Name::Block(digest) => (&digest[..], Kind::BlockGone),
        };
        match holding.what {
            What::Gone => self.rewrite(name, holding, &Draft { kind: gone, key, body: &[] })?,
            What::Block(extent) if extent.segment != victim => {
                self.rewrite(name, holding, &Draft { kind: Kind::Block, key, body: &extent.encode() })?;
            }
            What::Block(extent) | What::Whole(extent) if extent.len > self.whole_bytes_max() => {
                return self.copy_long(name, key, holding, &extent);
            }
            What::Record(extent) | What::Block(extent) | What::Whole(extent) => {
                let segment = Arc::clone(&self.state().room(extent.segment).segment);
                let body = segment.read(extent.offset, extent.len)?;
                if frame::crc32c(&body) != extent.crc {
                    self.report(&extent);
                    return Ok(false);
                }
                let kind = if matches!(name, Name::Record(_)) { Kind::Record } else { Kind::Whole };
                self.rewrite(name, holding, &Draft { kind, key, body: &body })?;
            }
        }
        Ok(true)
    }

    /// Writes a thing again, unless it changed meanwhile.
    fn rewrite(&self, name: &Name, holding: &Holding, draft: &Draft<'_>) -> Result<(), StoreError> {
        let crc = frame::crc32c(draft.body);
        let mut state = self.state();
        if state.catalogue.get(name) == Some(holding) {
            self.write(&mut state, std::slice::from_ref(draft), &[crc], Class::State)?;
        }
        Ok(())
    }

    /// Copies a block that is too long for memory.
    fn copy_long(
        &self,
        name: &Name,
        key: &[u8],
        holding: &Holding,
        from: &ExtentAt,
    ) -> Result<bool, StoreError> {
        let source = Arc::clone(&self.state().room(from.segment).segment);
        let target = self.reserve(&mut self.state(), from.len, Class::State)?;
        let mut crc = frame::RunningCrc::new();
        let mut done = 0;
        while done < from.len {
            let step = COPY_BYTES.min(from.len - done);
            let copied = source
                .read(from.offset + done, step)
                .and_then(|bytes| {
                    crc.update(&bytes);
                    target.segment.file.write_at(&[&bytes], target.offset + done)
                })
                .map_err(|error| self.refusal(error, from.len));
            if let Err(error) = copied {
                self.abandon(&target, from.len);
                return Err(error);
            }
            done += step;
        }
        if crc.value() != from.crc {
            self.report(from);
            self.abandon(&target, from.len);
            return Ok(false);
        }
        let extent = ExtentAt { segment: target.segment.number, offset: target.offset, ..*from };
        let mut state = self.state();
        if state.catalogue.get(name) != Some(holding) {
            drop(state);
            self.abandon(&target, from.len);
            return Ok(true);
        }
        state.dirty.insert(extent.segment);
        let body = extent.encode();
        let draft = Draft { kind: Kind::Block, key, body: &body };
        let written = self.write(&mut state, &[draft], &[frame::crc32c(&body)], Class::State);
        if let Err(error) = written {
            drop(state);
            self.abandon(&target, from.len);
            return Err(error);
        }
        state.room(extent.segment).writers -= 1;
        Ok(true)
    }

    fn report(&self, extent: &ExtentAt) {
        tracing::error!(segment = extent.segment, offset = extent.offset, "stored bytes are damaged");
    }
}

impl State {
    /// Segments in which nothing lives and nothing will.
    fn dead(&self) -> Vec<u64> {
        let is_dead = |number: &u64| {
            let room = &self.rooms[number];
            let is_over = self.is_full(*number) || room.segment.is_solo;
            is_over && room.writers == 0 && !room.is_damaged && self.catalogue.life(*number).bytes == 0
        };
        self.rooms.keys().copied().filter(is_dead).collect()
    }

    /// Whether nothing more is written into a segment.
    fn is_full(&self, number: u64) -> bool {
        number < self.active && self.rooms[&number].writers == 0
    }
}

impl Holding {
    /// Whether something of it lies in a segment.
    fn touches(&self, segment: u64) -> bool {
        let extent = self.what.extent();
        self.entry.segment == segment || extent.is_some_and(|extent| extent.segment == segment)
    }
}
