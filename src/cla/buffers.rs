//! Buffers between wire and store that are used again: a payload that streams through costs no allocation, no
//! zeroing and no new pages. A buffer comes back when the last one who reads it lets go.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;

/// How many buffers wait to be used again when none is on loan: a link that has become quiet gives its memory
/// back. While one is on loan all wait that were ever needed together.
const SPARE_QUIET: usize = 2;
/// Payloads shorter than this, in bytes, have buffers of their own length.
const SMALL_BYTES: usize = 64 * 1024;

/// Where in memory a buffer begins: at a multiple of this, so that a disk can take it without a copy.
const ALIGNMENT: usize = 4096;

/// Buffers of one length. Cheap to clone.
#[derive(Clone)]
pub struct Buffers {
    len: usize,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    spare: Vec<Vec<u8>>,
    /// How many are on loan.
    loans: usize,
}

/// A buffer on loan. Its content is whatever was in it before.
pub struct Buffer {
    bytes: Vec<u8>,
    /// Where in it the buffer begins.
    start: usize,
    /// How many bytes of it are meant.
    filled: usize,
    home: Buffers,
}

impl Buffers {
    /// Buffers of `len` bytes; none yet.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { len, shelf: Arc::default() }
    }

    /// A buffer for `want` bytes, or as many as one has. For few bytes there is one that is made for them.
    #[must_use]
    pub fn take(&self, want: usize) -> Buffer {
        let filled = want.min(self.len);
        if filled < SMALL_BYTES.min(self.len) {
            return Buffer { bytes: vec![0; filled], start: 0, filled, home: self.clone() };
        }
        let spare = {
            let mut shelf = self.shelf();
            shelf.loans += 1;
            shelf.spare.pop()
        };
        let bytes = spare.unwrap_or_else(|| vec![0; self.len + ALIGNMENT]);
        let start = bytes.as_ptr().align_offset(ALIGNMENT);
        Buffer { bytes, start, filled, home: self.clone() }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("nobody panics while holding the spare buffers")
    }
}

impl Buffer {
    /// Only the first `len` bytes are meant from here on.
    pub fn truncate(&mut self, len: usize) {
        self.filled = self.filled.min(len);
    }

    /// The bytes, to be shared.
    #[must_use]
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.filled]
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() < self.home.len {
            return;
        }
        let mut shelf = self.home.shelf();
        shelf.loans -= 1;
        shelf.spare.push(std::mem::take(&mut self.bytes));
        if shelf.loans == 0 {
            shelf.spare.truncate(SPARE_QUIET);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_nobody_reads_it() {
        let buffers = Buffers::new(SMALL_BYTES);
        let mut buffer = buffers.take(usize::MAX);
        assert_eq!((buffer.len(), buffer.as_ptr().align_offset(ALIGNMENT)), (SMALL_BYTES, 0));
        buffer[..3].copy_from_slice(b"abc");
        buffer.truncate(3);
        let place = buffer.as_ptr();
        let shared = buffer.freeze();
        let other = shared.slice(1..);
        drop(shared);
        assert_ne!(buffers.take(SMALL_BYTES).as_ptr(), place, "somebody still reads it");
        assert_eq!(other, "bc");
        drop(other);
        let again = [buffers.take(SMALL_BYTES), buffers.take(SMALL_BYTES)].map(|buffer| buffer.as_ptr());
        assert!(again.contains(&place));
    }

    #[test]
    fn few_bytes_take_few_bytes() {
        let buffers = Buffers::new(SMALL_BYTES);
        let small = buffers.take(10);
        assert_eq!((small.len(), small.bytes.len()), (10, 10));
        drop(small);
        assert!(buffers.shelf().spare.is_empty());
        assert!(buffers.take(0).is_empty());
    }

    #[test]
    fn spare_buffers_wait_while_one_is_on_loan_and_few_when_all_is_quiet() {
        let buffers = Buffers::new(SMALL_BYTES);
        let mut loans: Vec<_> = (0..20).map(|_| buffers.take(SMALL_BYTES)).collect();
        loans.truncate(1);
        assert_eq!(buffers.shelf().spare.len(), 19);
        loans.push(buffers.take(SMALL_BYTES));
        assert_eq!(buffers.shelf().spare.len(), 18);
        drop(loans);
        assert_eq!(buffers.shelf().spare.len(), SPARE_QUIET);
    }
}
