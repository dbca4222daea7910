//! Buffers between wire and store that are used again: a payload that streams through costs no allocation, no
//! zeroing and no new pages. A buffer comes back when the last one who reads it lets go.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex},
};

use bytes::Bytes;

/// How many buffers wait to be used again; more are given back to the system.
const SPARE_MAX: usize = 64;

/// Where in memory a buffer begins: at a multiple of this, so that a disk can take it without a copy.
const ALIGNMENT: usize = 4096;

/// Buffers of one length. Cheap to clone.
#[derive(Clone)]
pub struct Buffers {
    len: usize,
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
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
        Self { len, spare: Arc::default() }
    }

    /// A buffer for `want` bytes, or as many as one has. For few bytes there is one that is made for them.
    #[must_use]
    pub fn take(&self, want: usize) -> Buffer {
        let filled = want.min(self.len);
        if filled < self.len / 4 {
            return Buffer { bytes: vec![0; filled], start: 0, filled, home: self.clone() };
        }
        let spare = self.spare.lock().expect("nobody panics while holding the spare buffers").pop();
        let bytes = spare.unwrap_or_else(|| vec![0; self.len + ALIGNMENT]);
        let start = bytes.as_ptr().align_offset(ALIGNMENT);
        Buffer { bytes, start, filled, home: self.clone() }
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
        let mut spare = self.home.spare.lock().expect("nobody panics while holding the spare buffers");
        if spare.len() < SPARE_MAX {
            spare.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_nobody_reads_it() {
        let buffers = Buffers::new(16 * 1024);
        let mut buffer = buffers.take(usize::MAX);
        assert_eq!((buffer.len(), buffer.as_ptr().align_offset(ALIGNMENT)), (16 * 1024, 0));
        buffer[..3].copy_from_slice(b"abc");
        buffer.truncate(3);
        let place = buffer.as_ptr();
        let shared = buffer.freeze();
        let other = shared.slice(1..);
        drop(shared);
        assert_ne!(buffers.take(16 * 1024).as_ptr(), place, "somebody still reads it");
        assert_eq!(other, "bc");
        drop(other);
        let again = [buffers.take(16 * 1024), buffers.take(16 * 1024)].map(|buffer| buffer.as_ptr());
        assert!(again.contains(&place));
    }

    #[test]
    fn few_bytes_take_few_bytes() {
        let buffers = Buffers::new(16 * 1024);
        let small = buffers.take(10);
        assert_eq!((small.len(), small.bytes.len()), (10, 10));
        drop(small);
        assert!(buffers.spare.lock().unwrap().is_empty());
        assert!(buffers.take(0).is_empty());
    }

    #[test]
    fn spare_buffers_are_limited() {
        let buffers = Buffers::new(8 * 1024);
        drop((0..2 * SPARE_MAX).map(|_| buffers.take(8 * 1024)).collect::<Vec<_>>());
        assert_eq!(buffers.spare.lock().unwrap().len(), SPARE_MAX);
    }
}
