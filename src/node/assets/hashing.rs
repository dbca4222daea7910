//! The names of a whole file, hashed on a thread of its own beside whoever reads or writes it: its CID, and
//! the SHA-256 that people know it by. `assets` uses it both ways; it sees bytes in order and keeps none.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Builder, JoinHandle},
};

use bundle_spec::{Alias, Cid, Codec};
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Pieces that wait for the thread: with one in work and one being made, four chunks are in memory.
const WAITING_MAX: usize = 2;

/// What a whole file is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Its CID.
    pub(super) cid: Cid,
    /// Its SHA-256.
    pub(super) alias: Alias,
}

/// A file that is being hashed. Dropped before its end, it waits for its thread, too.
pub(super) struct Hashing {
    /// When the file goes on; `None` once it has ended.
    pieces: Option<SyncSender<Bytes>>,
    /// Who hashes.
    thread: Option<JoinHandle<Names>>,
}

impl Hashing {
    /// Begins a file.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub(super) fn begin() -> io::Result<Self> {
        let (sender, pieces) = sync_channel(WAITING_MAX);
        let thread = Builder::new().name("asset-hashing".to_owned()).spawn(move || hash(&pieces))?;
        Ok(Self { pieces: Some(sender), thread: Some(thread) })
    }

    /// The next bytes. Waits while the thread is behind.
    pub(super) fn update(&self, bytes: Bytes) {
        let pieces = self.pieces.as_ref().expect("a file goes on until it ends");
        pieces.send(bytes).expect("the thread listens until the file ends");
    }

    /// The file has ended.
    pub(super) fn finish(mut self) -> Names {
        self.pieces = None;
        let thread = self.thread.take().expect("a file ends once");
        thread.join().expect("hashing does not panic")
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.pieces = None;
        // What it has come to is of no use to anybody.
        self.thread.take().map(JoinHandle::join);
    }
}

fn hash(pieces: &Receiver<Bytes>) -> Names {
    let (mut content, mut known) = (blake3::Hasher::new(), Sha256::new());
    for bytes in pieces {
        content.update(&bytes);
        known.update(&bytes);
    }
    Names {
        cid: Cid::new(Codec::Raw, *content.finalize().as_bytes()),
        alias: Alias::new(known.finalize().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_same_names_however_it_is_cut() {
        let whole = Hashing::begin().unwrap();
        whole.update(Bytes::from_static(b"test\n"));
        let names = whole.finish();
        assert_eq!(names.cid, Cid::raw(b"test\n"));
        assert_eq!(names.alias.hex(), "f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2");
        let pieces = Hashing::begin().unwrap();
        b"test\n".iter().for_each(|byte| pieces.update(Bytes::copy_from_slice(&[*byte])));
        assert_eq!(pieces.finish(), names);
    }

    #[test]
    fn a_file_that_is_given_up_ends_its_thread() {
        let hashing = Hashing::begin().unwrap();
        (0..9).for_each(|_| hashing.update(Bytes::from_static(&[0; 999])));
        drop(hashing);
    }
}
