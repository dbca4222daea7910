//! The payload of a bundle that goes out: a range of a block in the store. Every convergence layer reads
//! payloads through this; none needs to know whether a bundle is whole or a fragment.

use bundle_spec::security::Keystream;
use bytes::Bytes;

use crate::node::mailbox::{BlockReader, Outgoing, SHORT_BYTES_MAX, Store, StoreError};

/// Reads a payload. Calls block.
pub struct Payload {
    reader: Box<dyn BlockReader>,
    /// Where in the block it begins.
    start: u64,
    len: u64,
    /// What encrypts it, if it leaves encrypted.
    sealed: Option<Keystream>,
}

impl Payload {
    /// The payload of `outgoing`; `None` if its block is not in the store or has not as many bytes as the
    /// header says.
    ///
    /// # Errors
    /// What the store says.
    pub fn open(store: &dyn Store, outgoing: &Outgoing) -> Result<Option<Self>, StoreError> {
        let Some(reader) = store.open(outgoing.payload.cid.digest())? else { return Ok(None) };
        let (start, len) = (outgoing.start, outgoing.header.payload_len());
        let fits = match outgoing.header.primary().flags().is_fragment() {
            true => start.checked_add(len).is_some_and(|end| end <= reader.len()),
            false => start == 0 && len == reader.len(),
        };
        Ok(fits.then_some(Self { reader, start, len, sealed: outgoing.sealed.clone() }))
    }

    /// All of the payload of `outgoing`, if it is short and still in memory. Waits for no disk.
    #[must_use]
    pub fn recent(store: &dyn Store, outgoing: &Outgoing) -> Option<Bytes> {
        let is_whole = outgoing.sealed.is_none() && !outgoing.header.primary().flags().is_fragment();
        let is_short = usize::try_from(outgoing.payload.len).is_ok_and(|len| len <= SHORT_BYTES_MAX);
        if !(is_whole && is_short && outgoing.payload.len == outgoing.header.payload_len()) {
            return None;
        }
        let bytes = store.recent(outgoing.payload.cid.digest())?;
        u64::try_from(bytes.len()).is_ok_and(|len| len == outgoing.payload.len).then_some(bytes)
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Reads bytes from `offset` of the payload on, at most to its end; says how many.
    ///
    /// # Errors
    /// What the store says; damage.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = left.min(buffer.len());
        let read = self.reader.read_at(self.start.saturating_add(offset), &mut buffer[..len])?;
        if let Some(stream) = &self.sealed {
            stream.clone().apply(offset, &mut buffer[..read]);
        }
        Ok(read)
    }
}
