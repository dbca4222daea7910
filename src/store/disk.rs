//! The few file operations that the log needs, as a seam: a directory of numbered files that are written at
//! any place, synchronised, punched and removed. The log calls it; it knows nothing of entries. [`Directory`]
//! is the real one; tests put a disk in memory behind it that loses, tears and refuses.

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FallocateFlags, OFlags};

/// How many parts the operating system takes in one call.
const PARTS_MAX: usize = 1024;

/// A directory of files.
pub(super) trait Disk: Send + Sync {
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes an empty file; an existing one is emptied.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name. Open files stay readable.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes every creation, renaming and removal so far durable.
    fn sync_names(&self) -> io::Result<()>;
    /// Bytes that can still be written.
    fn free(&self) -> io::Result<u64>;
}

/// One file.
pub(super) trait DiskFile: Send + Sync {
    /// Writes all parts, one behind the other, from `offset`.
    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()>;
    /// Another handle to the same file, which moves whole pages from page-aligned memory past the page cache;
    /// `None` if the system has none. Where it does not take a range it says `InvalidInput`.
    fn direct(&self) -> Option<Arc<dyn DiskFile>> {
        None
    }
    /// Fills `buffer` from `offset` as far as there are bytes; says how many.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Makes everything written so far durable.
    fn sync(&self) -> io::Result<()>;
    /// Gives the space of a range back; it reads as zeros from then on, or stays as it is.
    fn punch(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Bytes that the file takes up, without holes.
    fn allocated(&self) -> io::Result<u64>;
}

/// A real directory.
pub(super) struct Directory {
    /// Where it is.
    path: PathBuf,
    /// The directory itself, for synchronising names.
    handle: File,
}

impl Directory {
    /// Opens an existing directory.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), handle: File::open(path)? })
    }
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(self.path.join(name))?;
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path.join(name))?;
        Ok(Arc::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn free(&self) -> io::Result<u64> {
        let found = rustix::fs::fstatvfs(&self.handle)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

impl DiskFile for File {
    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = slices.as_mut_slice();
        let mut at = offset;
        while !left.is_empty() {
            let batch = left.len().min(PARTS_MAX);
            let count = match rustix::io::pwritev(self, &left[..batch], at) {
                Ok(0) if left.iter().all(|part| part.is_empty()) => return Ok(()),
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(rustix::io::Errno::INTR) => 0,
                Err(error) => return Err(error.into()),
            };
            at += wide(count);
            IoSlice::advance_slices(&mut left, count);
        }
        Ok(())
    }

    fn direct(&self) -> Option<Arc<dyn DiskFile>> {
        let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
        let path = format!("/proc/self/fd/{}", self.as_raw_fd());
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).ok()?;
        Some(Arc::new(file))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match FileExt::read_at(self, &mut buffer[done..], offset + wide(done)) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(self, flags, offset, len)?;
        Ok(())
    }

    fn allocated(&self) -> io::Result<u64> {
        Ok(self.metadata()?.blocks() * 512)
    }
}

/// A length as 64 bits.
pub(super) fn wide(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits 64 bits")
}

/// A 64 bit length that has been compared with a limit of this machine's memory.
pub(super) fn narrow(len: u64) -> usize {
    usize::try_from(len).expect("a length that was compared with a limit fits this machine")
}
