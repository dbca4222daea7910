//! Blocks of the log: a writer that hashes on the way and leaves nothing behind if it is dropped, and a
//! reader whose bytes stay where they are as long as it lives. Short blocks wait in memory and are written in
//! one go; long ones are streamed into room that was reserved for them.

use std::{
    io,
    sync::{Arc, Mutex},
};

use bundle_spec::{BlockRef, Cid, Codec, Digest};

use super::{
    BlockReader, BlockWriter, StoreError,
    disk::{DiskFile, narrow, wide},
    frame::{self, ExtentAt, Kind, PAGE_BYTES, RunningCrc},
    log::{Class, Draft, Log, space::Reserved},
    segment::Segment,
};

/// Pieces of a long block are collected until they are so long together, in bytes.
const STEP_BYTES: usize = 128 * 1024;

/// Writes a block.
pub(super) struct LogWriter {
    log: Arc<Log>,
    /// Announced length in bytes.
    len: u64,
    /// Bytes that have come.
    taken: u64,
    /// Bytes that are on their way to the disk.
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
    crc: RunningCrc,
    /// Where the bytes go, if the block is long.
    reserved: Option<Reserved>,
    /// The way past the page cache, if there is one: what streams through would push out what is used again,
    /// the weights of a model that runs.
    direct: Option<Arc<dyn DiskFile>>,
}

impl LogWriter {
    /// Begins a block.
    ///
    /// # Errors
    /// `Full`, `Failed`, `Io`.
    pub(super) fn begin(log: &Arc<Log>, len: u64) -> Result<Self, StoreError> {
        log.admit(len)?;
        let mut writer = Self {
            log: Arc::clone(log),
            len,
            taken: 0,
            buffer: Vec::new(),
            hasher: blake3::Hasher::new(),
            crc: RunningCrc::new(),
            reserved: None,
            direct: None,
        };
        if len > log.whole_bytes_max() {
            let reserved = log.reserve(&mut log.state(), len, Class::Content)?;
            writer.direct = reserved.segment.file.direct();
            writer.reserved = Some(reserved);
        } else {
            writer.buffer.reserve_exact(narrow(len));
        }
        Ok(writer)
    }

    /// Writes the whole pages that `bytes` begins with past the page cache, if it lies so in memory and in
    /// the file that this can be done; says how many bytes that were.
    fn write_pages(&mut self, bytes: &[u8]) -> Result<usize, StoreError> {
        let (Some(direct), Some(reserved)) = (&self.direct, &self.reserved) else { return Ok(0) };
        let (page, offset) = (narrow(PAGE_BYTES), reserved.offset + self.taken);
        let len = bytes.len() / page * page;
        let lies_so = bytes.as_ptr().align_offset(page) == 0 && offset.is_multiple_of(PAGE_BYTES);
        if len == 0 || !lies_so || !self.buffer.is_empty() {
            return Ok(0);
        }
        match direct.write_at(&[&bytes[..len]], offset) {
            Ok(()) => {
                self.taken += wide(len);
                Ok(len)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.direct = None;
                Ok(0)
            }
            Err(error) => Err(self.log.refusal(error, self.len)),
        }
    }

    /// Writes what was collected and `bytes` behind it, without a copy of them.
    fn flush(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(reserved) = self.reserved.as_ref().filter(|_| self.buffer.len() + bytes.len() > 0) else {
            return Ok(());
        };
        let offset = reserved.offset + self.taken - wide(self.buffer.len());
        let written = reserved.segment.file.write_at(&[&self.buffer, bytes], offset);
        written.map_err(|error| self.log.refusal(error, self.len))?;
        self.buffer.clear();
        Ok(())
    }

    /// Says in the log where the block's bytes are.
    fn settle(&mut self, digest: &Digest) -> Result<(), StoreError> {
        self.flush(&[])?;
        let crc = self.crc.value();
        let Some(reserved) = &self.reserved else { return self.log.write_whole(digest, &self.buffer, crc) };
        let extent =
            ExtentAt { segment: reserved.segment.number, offset: reserved.offset, len: self.len, crc };
        let mut state = self.log.state();
        if state.catalogue.block(digest).is_some() {
            return Ok(());
        }
        state.dirty.insert(extent.segment);
        let body = extent.encode();
        let draft = Draft { kind: Kind::Block, key: digest, body: &body };
        self.log.write(&mut state, &[draft], &[frame::crc32c(&body)], Class::State)?;
        state.room(extent.segment).writers -= 1;
        drop(state);
        self.reserved = None;
        Ok(())
    }
}

impl BlockWriter for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let actual = self.taken + wide(bytes.len());
        if actual > self.len {
            return Err(StoreError::Length { expected: self.len, actual });
        }
        self.hasher.update(bytes);
        self.crc.update(bytes);
        let rest = &bytes[self.write_pages(bytes)?..];
        if self.reserved.is_some() && self.buffer.len() + rest.len() >= STEP_BYTES {
            self.flush(rest)?;
        } else {
            self.buffer.extend_from_slice(rest);
        }
        self.taken = actual;
        Ok(())
    }

    fn finish(mut self: Box<Self>, expected: Option<Cid>) -> Result<BlockRef, StoreError> {
        if self.taken != self.len {
            return Err(StoreError::Length { expected: self.len, actual: self.taken });
        }
        let digest = *self.hasher.finalize().as_bytes();
        let codec = expected.map_or(Codec::Raw, |cid| cid.codec());
        let cid = Cid::new(codec, digest);
        if let Some(expected) = expected.filter(|expected| *expected != cid) {
            return Err(StoreError::Mismatch { expected, actual: cid });
        }
        self.settle(&digest)?;
        Ok(BlockRef { cid, len: self.len })
    }

    fn finish_early(mut self: Box<Self>) -> Result<BlockRef, StoreError> {
        let unused = self.len - self.taken;
        self.log.state().arriving -= unused;
        self.len = self.taken;
        let rest = self.reserved.as_ref().map(|reserved| reserved.rest(self.taken, unused));
        let log = Arc::clone(&self.log);
        let block = self.finish(None)?;
        if let Some(rest) = rest.flatten() {
            log.give_back(rest);
        }
        Ok(block)
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.log.state().arriving -= self.len;
        if let Some(reserved) = self.reserved.take() {
            self.log.abandon(&reserved, self.len);
        }
    }
}

/// Reads a block. Its bytes are neither moved nor punched while it lives.
pub(super) struct LogReader {
    log: Arc<Log>,
    segment: Arc<Segment>,
    extent: ExtentAt,
    /// The checksum of the bytes so far, if they were read in order from the first.
    order: Mutex<Order>,
}

struct Order {
    next: u64,
    crc: RunningCrc,
}

impl LogReader {
    /// Opens a block; `None` if it is not here.
    ///
    /// # Errors
    /// If it waits in memory and cannot be written.
    pub(super) fn open(log: &Arc<Log>, digest: &Digest) -> Result<Option<Self>, StoreError> {
        let mut state = log.state();
        if state.shelf.is_waiting(digest) {
            log.write_shelved(&mut state, &[], &[])?;
        }
        let Some(extent) = state.catalogue.block(digest) else { return Ok(None) };
        let segment = Arc::clone(&state.room(extent.segment).segment);
        *state.readers.entry((extent.segment, extent.offset)).or_default() += 1;
        drop(state);
        let order = Mutex::new(Order { next: 0, crc: RunningCrc::new() });
        Ok(Some(Self { log: Arc::clone(log), segment, extent, order }))
    }

    /// Where the bytes are.
    pub(super) const fn extent(&self) -> ExtentAt {
        self.extent
    }

    /// Compares the checksum once all bytes have been read in order.
    fn verify(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut order = self.order.lock().expect("nobody panics while holding a reader");
        if offset == 0 {
            *order = Order { next: 0, crc: RunningCrc::new() };
        }
        if order.next != offset {
            return Ok(());
        }
        order.crc.update(bytes);
        order.next += wide(bytes.len());
        if order.next == self.extent.len && order.crc.value() != self.extent.crc {
            return Err(self.damage());
        }
        Ok(())
    }

    fn damage(&self) -> io::Error {
        let place = format!("segment {:016x}, offset {}", self.extent.segment, self.extent.offset);
        io::Error::new(io::ErrorKind::InvalidData, format!("the bytes of a block are damaged ({place})"))
    }
}

impl BlockReader for LogReader {
    fn len(&self) -> u64 {
        self.extent.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let left = self.extent.len.saturating_sub(offset);
        let len = narrow(left.min(wide(buffer.len())));
        if self.segment.file.read_at(&mut buffer[..len], self.extent.offset + offset)? < len {
            return Err(self.damage().into());
        }
        self.verify(offset, &buffer[..len])?;
        Ok(len)
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        let mut state = self.log.state();
        let place = (self.extent.segment, self.extent.offset);
        let count = state.readers.get_mut(&place).expect("an open reader is counted");
        *count -= 1;
        if *count == 0 {
            state.readers.remove(&place);
        }
    }
}
