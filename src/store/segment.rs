//! One segment: a file that begins with a header and holds entries one behind the other. Knows how to be
//! made, opened and read through; the log decides what is written where. Never changes an entry.

use std::{io, sync::Arc};

use super::{
    disk::{Disk, DiskFile, narrow, wide},
    frame::{self, HEADER_BYTES, Header, KEY_BYTES_MAX, Kind},
};

/// Where the first entry begins, in bytes.
pub(super) const FIRST_ENTRY: u64 = 64;
/// How many bytes are read at a time when entries are read through.
const WINDOW_BYTES: usize = 64 * 1024;
/// How many zeros are written at a time when a segment is made.
const ZEROS_BYTES: usize = 256 * 1024;

const MAGIC: [u8; 8] = *b"pannierS";
const FORMAT: u32 = 1;

/// A file of entries.
pub(super) struct Segment {
    /// Number: grows in the order of the log.
    pub(super) number: u64,
    /// Length in bytes.
    pub(super) size: u64,
    /// Secret that seeds the checksums of its entry headers.
    pub(super) salt: u64,
    /// Whether it holds the bytes of one block and no other entry.
    pub(super) is_solo: bool,
    /// Its file.
    pub(super) file: Arc<dyn DiskFile>,
}

impl Segment {
    /// Name of its file.
    pub(super) fn name(number: u64) -> String {
        format!("{number:016x}.seg")
    }

    /// The number that a file's name stands for.
    pub(super) fn number_of(name: &str) -> Option<u64> {
        u64::from_str_radix(name.strip_suffix(".seg")?, 16).ok()
    }

    /// Name of a file that is being made into a segment. It means nothing until it is renamed.
    pub(super) fn unborn_name(number: u64) -> String {
        format!("{number:016x}.new")
    }

    /// Makes a segment: zeros if they are wanted (so that later writes change no metadata), header,
    /// synchronised, then named.
    ///
    /// # Errors
    /// Of the disk; what was written is removed.
    pub(super) fn make(disk: &dyn Disk, plan: &Plan, zeros: Zeros) -> io::Result<Self> {
        let unborn = Self::unborn_name(plan.number);
        let made = disk.create(&unborn).and_then(|file| {
            if zeros == Zeros::First {
                write_zeros(&*file, 0, plan.size)?;
            }
            Self::name_it(disk, file, &unborn, plan)
        });
        if made.is_err() {
            let _ = disk.remove(&unborn);
        }
        made
    }

    /// Makes a segment out of one that nobody needs. Its entries die with its salt.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn recycle(disk: &dyn Disk, old: &Self, plan: &Plan) -> io::Result<Self> {
        let unborn = Self::unborn_name(plan.number);
        disk.rename(&Self::name(old.number), &unborn)?;
        disk.sync_names()?;
        Self::name_it(disk, Arc::clone(&old.file), &unborn, plan)
    }

    fn name_it(disk: &dyn Disk, file: Arc<dyn DiskFile>, unborn: &str, plan: &Plan) -> io::Result<Self> {
        file.write_at(&[&plan.encode()], 0)?;
        file.sync()?;
        disk.rename(unborn, &Self::name(plan.number))?;
        disk.sync_names()?;
        Ok(Self { number: plan.number, size: plan.size, salt: plan.salt, is_solo: plan.is_solo, file })
    }

    /// Writes zeros over a range that has no entries yet.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn fill(&self, from: u64, to: u64) -> io::Result<()> {
        write_zeros(&*self.file, from, to)
    }

    /// Opens a segment; `None` if the file is not one.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn open(disk: &dyn Disk, number: u64) -> io::Result<Option<Self>> {
        let file = disk.open(&Self::name(number))?;
        let mut head = [0; 64];
        let found = file.read_at(&mut head, 0)?;
        let plan = Plan::decode(&head[..found]).filter(|plan| plan.number == number);
        Ok(plan.map(|plan| Self { number, size: plan.size, salt: plan.salt, is_solo: plan.is_solo, file }))
    }

    /// Reads entries from `from` on, each with a number above the one before, until there is none.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn scan(
        &self,
        from: Position,
        visit: &mut dyn FnMut(Entry) -> io::Result<()>,
    ) -> io::Result<ScanEnd> {
        let mut window = Window { file: &*self.file, start: 0, bytes: Vec::new() };
        let mut end = ScanEnd { offset: from.offset, seq: from.seq, is_sealed: false };
        while end.offset < self.size {
            let bytes = window.at(end.offset, HEADER_BYTES + KEY_BYTES_MAX)?;
            let Some((header, key)) = Header::decode(self.salt, bytes) else { break };
            let fits = end.offset.checked_add(header.total()).is_some_and(|to| to <= self.size);
            if !fits || header.seq <= end.seq {
                break;
            }
            let entry = Entry { header, key: key.to_vec(), segment: self.number, offset: end.offset };
            end.offset += header.total();
            end.seq = header.seq;
            if header.kind == Kind::Seal {
                end.is_sealed = true;
                break;
            }
            visit(entry)?;
        }
        end.is_sealed |= end.offset >= self.size;
        Ok(end)
    }

    /// Reads a range whose length has been compared with a limit.
    ///
    /// # Errors
    /// Of the disk; `UnexpectedEof` if the file is shorter.
    pub(super) fn read(&self, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; narrow(len)];
        if self.file.read_at(&mut bytes, offset)? < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    /// Whether the checksum of a range is this one.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn verify(&self, offset: u64, len: u64, crc: u32) -> io::Result<bool> {
        let mut running = frame::RunningCrc::new();
        let mut buffer = vec![0; narrow(len.min(wide(ZEROS_BYTES)))];
        let mut done = 0;
        while done < len {
            let step = narrow((len - done).min(wide(buffer.len())));
            if self.file.read_at(&mut buffer[..step], offset + done)? < step {
                return Ok(false);
            }
            running.update(&buffer[..step]);
            done += wide(step);
        }
        Ok(running.value() == crc)
    }
}

/// When a segment gets its zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeros {
    /// Before it is used.
    First,
    /// When there is time, or never.
    Later,
}

/// What a segment is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Its number.
    pub(super) number: u64,
    /// Its length in bytes.
    pub(super) size: u64,
    /// Its secret.
    pub(super) salt: u64,
    /// Whether it is for one block alone.
    pub(super) is_solo: bool,
}

impl Plan {
    fn encode(&self) -> [u8; 64] {
        let mut out = [0; 64];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        out[12] = u8::from(self.is_solo);
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.size.to_le_bytes());
        out[32..40].copy_from_slice(&self.salt.to_le_bytes());
        let crc = frame::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let good = bytes.len() == 64
            && bytes[..8] == MAGIC
            && u32::from_le_bytes(frame::array(bytes, 8)) == FORMAT
            && u32::from_le_bytes(frame::array(bytes, 60)) == frame::crc32c(&bytes[..60]);
        good.then(|| Self {
            number: u64::from_le_bytes(frame::array(bytes, 16)),
            size: u64::from_le_bytes(frame::array(bytes, 24)),
            salt: u64::from_le_bytes(frame::array(bytes, 32)),
            is_solo: bytes[12] == 1,
        })
    }
}

/// A place between two entries of one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// In bytes from the begin of the file.
    pub(super) offset: u64,
    /// Number of the entry before it, zero if there is none.
    pub(super) seq: u64,
}

impl Position {
    /// Before the first entry.
    pub(super) const START: Self = Self { offset: FIRST_ENTRY, seq: 0 };
}

/// An entry as it was found.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its header.
    pub(super) header: Header,
    /// Its key.
    pub(super) key: Vec<u8>,
    /// Number of its segment.
    pub(super) segment: u64,
    /// Where its header begins, in bytes.
    pub(super) offset: u64,
}

impl Entry {
    /// Where its body begins, in bytes.
    pub(super) fn body_offset(&self) -> u64 {
        self.offset + self.header.body_start()
    }
}

/// Where reading through a segment ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanEnd {
    /// Behind the last entry, in bytes.
    pub(super) offset: u64,
    /// Number of the last entry.
    pub(super) seq: u64,
    /// Whether the segment says that it ends here.
    pub(super) is_sealed: bool,
}

/// A part of a file, read ahead.
struct Window<'a> {
    file: &'a dyn DiskFile,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Up to `len` bytes from `offset`; fewer only at the end of the file.
    fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let end = self.start + wide(self.bytes.len());
        if offset < self.start || offset + wide(len) > end {
            self.bytes.resize(WINDOW_BYTES, 0);
            let found = self.file.read_at(&mut self.bytes, offset)?;
            self.bytes.truncate(found);
            self.start = offset;
        }
        let from = narrow(offset - self.start);
        let to = self.bytes.len().min(from + len);
        Ok(&self.bytes[from..to])
    }
}

fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES];
    let mut offset = from;
    while offset < to {
        let step = narrow((to - offset).min(wide(ZEROS_BYTES)));
        file.write_at(&[&zeros[..step]], offset)?;
        offset += wide(step);
    }
    Ok(())
}
