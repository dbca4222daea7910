//! A disk in memory that forgets what was not synchronised, and stops, refuses or fails when told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::store::disk::{Disk, DiskFile, narrow, wide};

const PAGE: usize = 4096;

/// What a power cut leaves of what was not synchronised.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loss {
    /// Nothing.
    All,
    /// The first writes of each file, the last of them torn.
    Tail,
    /// Any pages.
    Pages,
}

/// A disk.
#[derive(Clone)]
pub(super) struct SimDisk {
    world: Arc<Mutex<World>>,
}

struct World {
    random: Random,
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names that were not synchronised.
    renames: Vec<Rename>,
    /// How many operations until the power fails.
    fuse: Option<u64>,
    /// Bytes that the disk has.
    capacity: u64,
    /// Whether synchronising fails.
    is_broken: bool,
    /// How often a file was synchronised.
    syncs: u64,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    writes: Vec<(usize, usize)>,
    holes: u64,
}

enum Rename {
    Create(String, usize),
    Move(String, String),
    Remove(String),
}

/// A generator for tests.
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    pub(super) fn index(&mut self, end: usize) -> usize {
        narrow(self.below(wide(end)))
    }
}

impl SimDisk {
    pub(super) fn new(seed: u64, capacity: u64) -> Self {
        let world = World {
            random: Random::new(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renames: Vec::new(),
            fuse: None,
            capacity,
            is_broken: false,
            syncs: 0,
        };
        Self { world: Arc::new(Mutex::new(world)) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The power fails after so many operations.
    pub(super) fn fuse(&self, operations: u64) {
        self.world().fuse = Some(operations);
    }

    /// From here on synchronising fails, or works again.
    pub(super) fn break_sync(&self, is_broken: bool) {
        self.world().is_broken = is_broken;
    }

    pub(super) fn resize(&self, capacity: u64) {
        self.world().capacity = capacity;
    }

    pub(super) fn used(&self) -> u64 {
        self.world().used()
    }

    pub(super) fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// The power is back: what is left of the files is what they are.
    pub(super) fn cut(&self, loss: Loss) {
        let mut world = self.world();
        let mut random = world.random.clone();
        let kept = match loss {
            Loss::All => 0,
            Loss::Tail | Loss::Pages => random.index(world.renames.len() + 1),
        };
        let renames: Vec<Rename> = world.renames.drain(..).take(kept).collect();
        for rename in renames {
            rename.apply(&mut world.durable_names);
        }
        for file in &mut world.files {
            file.cut(loss, &mut random);
        }
        world.names = world.durable_names.clone();
        world.random = random;
        world.fuse = None;
    }
}

impl World {
    fn step(&mut self) -> io::Result<()> {
        match &mut self.fuse {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the power is off")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn used(&self) -> u64 {
        let ids: BTreeSet<usize> = self.names.values().copied().collect();
        ids.iter().map(|id| wide(self.files[*id].bytes.len()).saturating_sub(self.files[*id].holes)).sum()
    }

    fn rename(&mut self, rename: Rename) -> io::Result<()> {
        self.step()?;
        rename.apply(&mut self.names);
        self.renames.push(rename);
        Ok(())
    }
}

impl Rename {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Move(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Content {
    fn cut(&mut self, loss: Loss, random: &mut Random) {
        let writes = std::mem::take(&mut self.writes);
        match loss {
            Loss::All => {}
            Loss::Tail => {
                let kept = random.index(writes.len() + 1);
                for (number, (offset, len)) in writes.iter().take(kept).enumerate() {
                    let len = if number + 1 == kept { random.index(len + 1) } else { *len };
                    self.keep(*offset, len);
                }
            }
            Loss::Pages => {
                let pages: BTreeSet<usize> =
                    writes.iter().flat_map(|(offset, len)| offset / PAGE..=(offset + len) / PAGE).collect();
                for page in pages.into_iter().filter(|_| random.below(2) == 0).collect::<Vec<_>>() {
                    self.keep(page * PAGE, PAGE);
                }
            }
        }
        self.bytes.clone_from(&self.durable);
        self.holes = 0;
    }

    fn keep(&mut self, offset: usize, len: usize) {
        let end = self.bytes.len().min(offset + len);
        if offset < end {
            if self.durable.len() < end {
                self.durable.resize(end, 0);
            }
            self.durable[offset..end].copy_from_slice(&self.bytes[offset..end]);
        }
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.world().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        let id = world.files.len();
        world.rename(Rename::Create(name.into(), id))?;
        world.files.push(Content::default());
        Ok(Arc::new(SimFile { disk: self.clone(), id }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let id = *self.world().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile { disk: self.clone(), id }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.world().rename(Rename::Move(from.into(), to.into()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.world().rename(Rename::Remove(name.into()))
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        world.renames.clear();
        world.durable_names = world.names.clone();
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        let world = self.world();
        Ok(world.capacity.saturating_sub(world.used()))
    }
}

struct SimFile {
    disk: SimDisk,
    id: usize,
}

impl DiskFile for SimFile {
    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        let whole: Vec<u8> = parts.concat();
        let mut bytes = &whole[..];
        let offset = narrow(offset);
        let room = narrow(world.capacity.saturating_sub(world.used()));
        let file = &mut world.files[self.id];
        let growth = (offset + bytes.len()).saturating_sub(file.bytes.len());
        let is_full = growth > room;
        if is_full {
            bytes = &bytes[..bytes.len() - (growth - room).min(bytes.len())];
        }
        let end = offset + bytes.len();
        if file.bytes.len() < end {
            file.bytes.resize(end, 0);
        }
        file.bytes[offset..end].copy_from_slice(bytes);
        file.writes.push((offset, bytes.len()));
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.disk.world();
        let bytes = &world.files[self.id].bytes;
        let rest = bytes.get(narrow(offset)..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        if world.is_broken {
            return Err(io::Error::other("the disk lost its mind"));
        }
        world.syncs += 1;
        let file = &mut world.files[self.id];
        for (offset, len) in std::mem::take(&mut file.writes) {
            file.keep(offset, len);
        }
        Ok(())
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step()?;
        let file = &mut world.files[self.id];
        file.bytes[narrow(offset)..narrow(offset + len)].fill(0);
        file.writes.push((narrow(offset), narrow(len)));
        file.holes += len;
        Ok(())
    }

    fn allocated(&self) -> io::Result<u64> {
        let world = self.disk.world();
        Ok(wide(world.files[self.id].bytes.len()).saturating_sub(world.files[self.id].holes))
    }
}
