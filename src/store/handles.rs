//! A disk that keeps only so many of its files open: the one that was used longest ago is closed when another
//! one is needed, and opened again by its name. The log stands on it, so that its segments may be many.
//!
//! A file that was written to stays open until it is synchronised, so that no error of the disk is forgotten
//! with its handle; a file without a name stays open as long as somebody reads it. Never reads or writes by
//! itself.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use super::disk::{Disk, DiskFile};

/// Most files of a store that are open at a time, beside those that are being written or removed.
pub(super) const OPEN_FILES_MAX: usize = 64;

/// The disk.
pub(super) struct Handles {
    pool: Arc<Pool>,
}

/// What all files share.
struct Pool {
    disk: Arc<dyn Disk>,
    /// How many files may be open.
    max: usize,
    files: Mutex<Files>,
}

/// Every file that somebody has.
#[derive(Default)]
struct Files {
    /// What each is called; `None` once it is removed.
    names: BTreeMap<u64, Option<String>>,
    /// The same the other way round.
    by_name: BTreeMap<String, u64>,
    /// Those that are open.
    open: BTreeMap<u64, Open>,
    /// The next file.
    next: u64,
    /// How often a file was used.
    uses: u64,
}

/// An open file.
struct Open {
    file: Arc<dyn DiskFile>,
    /// When it was used last.
    used: u64,
    /// How many writes have begun.
    begun: u64,
    /// How many of them are over.
    written: u64,
    /// How many were over when it was synchronised last.
    synced: u64,
}

/// A file of which the handle comes and goes.
struct Handle {
    pool: Arc<Pool>,
    id: u64,
}

impl Handles {
    /// Files of `disk`, of which `max` are open at a time.
    pub(super) fn over(disk: Arc<dyn Disk>, max: usize) -> Arc<dyn Disk> {
        Arc::new(Self { pool: Arc::new(Pool { disk, max, files: Mutex::default() }) })
    }

    fn take_in(&self, name: &str, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let mut files = self.pool.files();
        let id = files.next;
        files.next += 1;
        // Whoever has another file of this name has one without.
        files.call(name, None);
        files.names.insert(id, Some(name.to_owned()));
        files.by_name.insert(name.to_owned(), id);
        files.make_room(self.pool.max);
        files.keep(id, file);
        Arc::new(Handle { pool: Arc::clone(&self.pool), id })
    }
}

impl Pool {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().expect("nobody panics while holding the files")
    }

    /// A file, opened if it is not.
    fn open<'a>(&self, files: &'a mut Files, id: u64) -> io::Result<&'a mut Open> {
        if !files.open.contains_key(&id) {
            let name = files.names[&id].clone().ok_or(io::ErrorKind::NotFound)?;
            files.make_room(self.max);
            files.keep(id, self.disk.open(&name)?);
        }
        files.uses += 1;
        let used = files.uses;
        let open = files.open.get_mut(&id).expect("it was just opened");
        open.used = used;
        Ok(open)
    }

    /// The handle of a file, to be read.
    fn file(&self, id: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files();
        let open = self.open(&mut files, id)?;
        Ok(Arc::clone(&open.file))
    }

    /// Writes to a file.
    fn write<T>(&self, id: u64, write: impl FnOnce(&dyn DiskFile) -> T) -> io::Result<T> {
        let file = {
            let mut files = self.files();
            let open = self.open(&mut files, id)?;
            open.begun += 1;
            Arc::clone(&open.file)
        };
        let done = write(&*file);
        if let Some(open) = self.files().open.get_mut(&id) {
            open.written += 1;
        }
        Ok(done)
    }
}

impl Files {
    fn keep(&mut self, id: u64, file: Arc<dyn DiskFile>) {
        self.uses += 1;
        self.open.insert(id, Open { file, used: self.uses, begun: 0, written: 0, synced: 0 });
    }

    /// Closes what was used longest ago until one more may be open.
    fn make_room(&mut self, max: usize) {
        while self.open.len() >= max {
            let names = &self.names;
            let may_close = |(id, open): &(&u64, &Open)| open.begun == open.synced && names[*id].is_some();
            let first = self.open.iter().filter(may_close).min_by_key(|(_, open)| open.used);
            let Some(id) = first.map(|(id, _)| *id) else { return };
            self.open.remove(&id);
        }
    }

    /// The file with this name is called otherwise from here on, or nothing.
    fn call(&mut self, name: &str, other: Option<&str>) {
        let Some(id) = self.by_name.remove(name) else { return };
        self.names.insert(id, other.map(str::to_owned));
        if let Some(other) = other {
            self.by_name.insert(other.to_owned(), id);
        }
    }
}

impl Disk for Handles {
    fn list(&self) -> io::Result<Vec<String>> {
        self.pool.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.take_in(name, self.pool.disk.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.take_in(name, self.pool.disk.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        // Nobody opens a file by a name that it has not got.
        let mut files = self.pool.files();
        self.pool.disk.rename(from, to)?;
        files.call(to, None);
        files.call(from, Some(to));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut files = self.pool.files();
        if let Some(id) = files.by_name.get(name).copied() {
            // Whoever has it reads it as long as they like, and there is no other way to it afterwards.
            self.pool.open(&mut files, id)?;
        }
        self.pool.disk.remove(name)?;
        files.call(name, None);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.pool.disk.sync_names()
    }

    fn free(&self) -> io::Result<u64> {
        self.pool.disk.free()
    }
}

impl DiskFile for Handle {
    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        self.pool.write(self.id, |file| file.write_at(parts, offset))?
    }

    fn direct(&self) -> Option<Arc<dyn DiskFile>> {
        // What goes past the page cache fails at once, not when the file is synchronised.
        self.pool.file(self.id).ok()?.direct()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.pool.file(self.id)?.read_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        let (file, written) = {
            let mut files = self.pool.files();
            let open = self.pool.open(&mut files, self.id)?;
            (Arc::clone(&open.file), open.written)
        };
        file.sync()?;
        if let Some(open) = self.pool.files().open.get_mut(&self.id) {
            open.synced = open.synced.max(written);
        }
        Ok(())
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.pool.file(self.id)?.punch(offset, len)
    }

    fn allocated(&self) -> io::Result<u64> {
        self.pool.file(self.id)?.allocated()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut files = self.pool.files();
        files.open.remove(&self.id);
        if let Some(Some(name)) = files.names.remove(&self.id)
            && files.by_name.get(&name) == Some(&self.id)
        {
            files.by_name.remove(&name);
        }
    }
}
