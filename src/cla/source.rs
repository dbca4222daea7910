//! A bundle on its way from the store onto the wire, in pieces of which each is one write: the first begins
//! with header and what the road wants before it, the last ends with the tail.

use std::sync::Arc;

use bundle_spec::PayloadTail;

use super::payload::Payload;
use crate::node::mailbox::{Outgoing, Store, StoreError};

/// How many bytes go from store to wire, or back, in one step. A transfer holds at most two of them.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// Why a bundle cannot go.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// It is longer than this road can say.
    #[error("the bundle is too long for this road")]
    TooLarge,
    /// Its payload is not in the store.
    #[error("the payload is not in the store")]
    Missing,
    /// Its payload cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a bundle piece by piece. Its calls block.
pub(super) struct Source {
    payload: Payload,
    /// Taken when the last piece is made.
    tail: Option<PayloadTail>,
    /// How many bytes of the payload have been read.
    position: u64,
    /// What stands before the payload, until the first piece is made.
    before: Vec<u8>,
}

impl Source {
    /// A bundle of at most `longest` bytes, header and tail counted, behind the `head` that is made for its
    /// length.
    pub(super) fn open(
        store: &Arc<dyn Store>,
        outgoing: &Outgoing,
        longest: u64,
        head: impl FnOnce(u64) -> Vec<u8>,
    ) -> Result<Self, Failed> {
        let len = outgoing.header.bundle_len().filter(|len| *len <= longest);
        let mut before = head(len.ok_or(Failed::TooLarge)?);
        before.extend_from_slice(outgoing.header.raw());
        let payload = Payload::open(store.as_ref(), outgoing)?.ok_or(Failed::Missing)?;
        Ok(Self { payload, tail: Some(PayloadTail::new(&outgoing.header)), position: 0, before })
    }

    /// The next piece; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Failed> {
        let Some(mut tail) = self.tail.take() else { return Ok(None) };
        let mut piece = std::mem::take(&mut self.before);
        let begin = piece.len();
        let left = usize::try_from(self.payload.len() - self.position).unwrap_or(usize::MAX);
        let end = begin + left.min(CHUNK_BYTES);
        piece.resize(end, 0);
        let mut filled = begin;
        while filled < end {
            let read = self.payload.read_at(self.position, &mut piece[filled..])?;
            if read == 0 {
                return Err(Failed::Missing);
            }
            filled += read;
            self.position += u64::try_from(read).expect("a length fits 64 bits");
        }
        tail.update(&piece[begin..]);
        match self.position == self.payload.len() {
            true => piece.extend_from_slice(&tail.emit()),
            false => self.tail = Some(tail),
        }
        Ok(Some(piece))
    }
}
