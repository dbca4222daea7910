//! Reads little-endian numbers and text from a file of known length, and never beyond it.

use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};

use super::{GgufError, HEADER_BYTES_MAX};

/// Where in the header we are.
#[derive(Debug)]
pub(super) struct Cursor<R> {
    source: BufReader<R>,
    position: u64,
    len: u64,
}

impl<R: Read + Seek> Cursor<R> {
    pub(super) fn new(mut source: R) -> Result<Self, GgufError> {
        let len = source.seek(SeekFrom::End(0)).map_err(GgufError::Io)?;
        source.rewind().map_err(GgufError::Io)?;
        Ok(Self { source: BufReader::with_capacity(64 * 1024, source), position: 0, len })
    }

    /// Bytes from the beginning of the file.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Length of the file in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of things of which there are at most `max`.
    pub(super) fn count(&mut self, what: &'static str, max: u64) -> Result<u64, GgufError> {
        match self.u64()? {
            found if found > max => Err(GgufError::Absurd { what, found, max }),
            found => Ok(found),
        }
    }

    /// Text of at most `max` bytes; what is not UTF-8 in it is replaced.
    pub(super) fn text(&mut self, what: &'static str, max: u64) -> Result<String, GgufError> {
        let len = self.count(what, max)?;
        let mut bytes = vec![0; usize::try_from(len).expect("limits of text fit memory")];
        self.fill(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Goes on behind the next `count` bytes.
    pub(super) fn skip(&mut self, count: u64) -> Result<(), GgufError> {
        self.claim(count)?;
        let count = i64::try_from(count).expect("the header is shorter");
        self.source.seek_relative(count).map_err(GgufError::Io)
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) -> Result<(), GgufError> {
        self.claim(u64::try_from(bytes.len()).expect("a length in memory fits 64 bits"))?;
        self.source.read_exact(bytes).map_err(|error| match error.kind() {
            // The file has become shorter while it was read.
            ErrorKind::UnexpectedEof => GgufError::Truncated { len: self.len, needed: self.position },
            _ => GgufError::Io(error),
        })
    }

    /// Moves on by `count` bytes if they are there.
    fn claim(&mut self, count: u64) -> Result<(), GgufError> {
        let needed = self.position.saturating_add(count);
        if needed > self.len {
            return Err(GgufError::Truncated { len: self.len, needed });
        }
        if needed > HEADER_BYTES_MAX {
            let what = "the length of the header";
            return Err(GgufError::Absurd { what, found: needed, max: HEADER_BYTES_MAX });
        }
        self.position = needed;
        Ok(())
    }
}
