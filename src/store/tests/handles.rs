//! Segments may be many; files that are open are few.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    contract::{content, keyed},
    simdisk::SimDisk,
};
use crate::store::{
    BlockReader, BlockWriter,
    block::{LogReader, LogWriter},
    disk::{Disk, DiskFile, wide},
    handles::{Handles, OPEN_FILES_MAX},
    log::{Bounds, Log, replay::Checkpoint},
};

const SEGMENT: u64 = 16 * 1024;

#[test]
fn two_thousand_segments_are_written_read_and_replayed_with_few_files_open() {
    let counted = Counted::default();
    let disk = SimDisk::new(1, u64::MAX);
    let open = || {
        let bounds = Bounds { quota: 1 << 40, keep_free: 0, segment_bytes: Some(SEGMENT), seed: 1 };
        let disk = counted.over(disk.clone());
        Arc::new(Log::open(disk, bounds, Checkpoint::default()).unwrap())
    };
    let body = |number: u32| [content(4000, 7), number.to_be_bytes().to_vec()].concat();
    let mut digests = Vec::new();
    let log = open();
    for number in 0..6000_u32 {
        let body = body(number);
        let mut writer = Box::new(LogWriter::begin(&log, wide(body.len())).unwrap());
        writer.write(&body).unwrap();
        digests.push(*writer.finish(None).unwrap().cid.digest());
        if number % 100 == 0 {
            log.append(&[keyed("number", Some(&number.to_string()))]).unwrap();
        }
    }
    log.append(&[]).unwrap();
    assert!(disk.list().unwrap().len() >= 2000, "{}", disk.list().unwrap().len());
    drop(log);
    assert_eq!(counted.now(), 0, "whoever has a file no longer keeps no handle");
    let log = open();
    for number in (0..6000_u32).step_by(7) {
        let reader = LogReader::open(&log, &digests[number as usize]).unwrap().unwrap();
        let mut bytes = vec![0; 4004];
        assert_eq!(reader.read_at(0, &mut bytes).unwrap(), 4004);
        assert_eq!(bytes, body(number));
    }
    assert_eq!(log.recover().unwrap(), [keyed("number", Some("5900"))]);
    // What was written since it was synchronised stays open beside them.
    assert!(counted.most() <= OPEN_FILES_MAX + 40, "{}", counted.most());
    assert!(counted.now() <= OPEN_FILES_MAX, "{}", counted.now());
}

#[test]
fn a_file_is_found_again_under_its_new_name_and_read_after_it_is_gone() {
    let counted = Counted::default();
    let disk = Handles::over(counted.over(SimDisk::new(1, u64::MAX)), 2);
    let file = |name: &str| {
        let file = disk.create(name).unwrap();
        file.write_at(&[name.as_bytes()], 0).unwrap();
        file.sync().unwrap();
        file
    };
    let first = file("first");
    disk.rename("first", "second").unwrap();
    let others: Vec<_> = ["a", "b", "c"].map(file).into_iter().collect();
    assert_eq!(read(&*first), b"first");
    disk.remove("second").unwrap();
    others.iter().for_each(|other| drop(read(&**other)));
    assert_eq!(read(&*first), b"first", "a file without a name stays open");
    assert_eq!(disk.open("second").err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    // Another file of the same name is another file.
    let again = file("second");
    assert_eq!((read(&*first), read(&*again)), (b"first".to_vec(), b"second".to_vec()));
    assert!(counted.now() <= 3, "{}", counted.now());
    drop((first, again, others));
    assert_eq!(counted.now(), 0);
}

#[test]
fn what_was_written_and_not_synchronised_stays_open() {
    let counted = Counted::default();
    let disk = Handles::over(counted.over(SimDisk::new(1, u64::MAX)), 2);
    let files: Vec<_> = ["a", "b", "c", "d"].map(|name| disk.create(name).unwrap()).into_iter().collect();
    files.iter().for_each(|file| file.write_at(&[b"x"], 0).unwrap());
    assert_eq!(counted.now(), 4);
    files.iter().for_each(|file| file.sync().unwrap());
    read(&*files[0]);
    drop(disk.create("e").unwrap());
    assert!(counted.now() <= 2, "{}", counted.now());
    assert!(files.iter().all(|file| read(&**file) == b"x"));
}

fn read(file: &dyn DiskFile) -> Vec<u8> {
    let mut bytes = vec![0; 16];
    let len = file.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(len);
    bytes
}

/// Counts the files that are open.
#[derive(Clone, Default)]
struct Counted(Arc<(AtomicUsize, AtomicUsize)>);

impl Counted {
    fn over(&self, disk: SimDisk) -> Arc<dyn Disk> {
        Arc::new(CountedDisk { disk, count: self.clone() })
    }

    fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Arc::new(CountedFile { file, count: self.clone() })
    }
}

struct CountedDisk {
    disk: SimDisk,
    count: Counted,
}

impl Disk for CountedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.count.file(self.disk.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.count.file(self.disk.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }

    fn free(&self) -> io::Result<u64> {
        Ok(u64::MAX / 2)
    }
}

struct CountedFile {
    file: Arc<dyn DiskFile>,
    count: Counted,
}

impl DiskFile for CountedFile {
    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        self.file.write_at(parts, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.punch(offset, len)
    }

    fn allocated(&self) -> io::Result<u64> {
        self.file.allocated()
    }
}

impl Drop for CountedFile {
    fn drop(&mut self) {
        self.count.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
