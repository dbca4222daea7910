//! Reads units of announced length from a stream: head, bundle header, payload, tail. Never holds more than a
//! header and what one read brings.

use bundle_spec::{HEADER_BYTES_MAX, Header, Lax};
use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};
use tracing::{debug, info};

use super::{Framing, STALL};

/// Longest unit that is believed; a longer one is skipped for ever by whoever believes it.
const UNIT_BYTES_MAX: u64 = 1 << 40;
/// How many bytes a read may bring at a time outside payloads.
const READ_BYTES: usize = 64 * 1024;
/// How many bytes of a unit are looked at for its header first; twice as many each time it is longer.
const LOOK_BYTES: usize = 512;

/// Why no more comes from a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The peer has ended it between two units.
    Finished,
    /// It broke off or stood still inside a unit.
    Lost,
    /// What came is no unit.
    Violation,
}

/// A stream as it is being read.
pub(super) struct Inflow<R> {
    stream: R,
    /// What was read and not yet taken.
    buffer: BytesMut,
    /// How many bytes of the unit have not been taken.
    left: u64,
}

impl<R: AsyncRead + Unpin> Inflow<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, buffer: BytesMut::new(), left: 0 }
    }

    /// Takes the head of the next unit; how many bytes it announces.
    pub(super) async fn begin(&mut self, framing: &dyn Framing) -> Result<u64, Ended> {
        assert_eq!(self.left, 0, "the unit before was taken whole");
        loop {
            match framing.read_head(&self.buffer) {
                Err(_) => return Err(Ended::Violation),
                Ok(Some((len, _))) if len > UNIT_BYTES_MAX => return Err(Ended::Violation),
                Ok(Some((len, used))) => {
                    self.buffer.advance(used);
                    self.left = len;
                    return Ok(len);
                }
                Ok(None) => {}
            }
            // Between two units a stream may be quiet for as long as it likes.
            let read = match self.buffer.is_empty() {
                true => self.read().await.map_err(|_| Ended::Finished)?,
                false => self.more().await?,
            };
            match (read, self.buffer.is_empty()) {
                (0, true) => return Err(Ended::Finished),
                (0, false) => return Err(Ended::Lost),
                _ => {}
            }
        }
    }

    /// Takes the header of the bundle in this unit; `None` if it has none that is well formed.
    pub(super) async fn header(&mut self, lax: &Lax) -> Result<Option<Header>, Ended> {
        let mut look_at = LOOK_BYTES;
        loop {
            let seen = self.buffer.len().min(fits(self.left));
            let is_whole = length(seen) == self.left;
            if seen < look_at && !is_whole {
                if self.more().await? == 0 {
                    return Err(Ended::Lost);
                }
                continue;
            }
            let bytes = Bytes::copy_from_slice(&self.buffer[..seen.min(look_at)]);
            match Header::parse(&bytes, lax) {
                Ok(Some(header)) if header.bundle_len() == Some(self.left) => {
                    self.advance(header.raw().len());
                    return Ok(Some(header));
                }
                Ok(Some(_)) => {
                    debug!("a bundle is not as long as it was announced");
                    return Ok(None);
                }
                Ok(None) if look_at >= HEADER_BYTES_MAX || (is_whole && look_at >= seen) => return Ok(None),
                Ok(None) => look_at *= 2,
                Err(error) => {
                    info!(%error, "a bundle breaks a rule that `lax` does not waive");
                    return Ok(None);
                }
            }
        }
    }

    /// Takes exactly `len` bytes of the unit into `chunk`, which holds nothing else then.
    pub(super) async fn take(&mut self, chunk: &mut Vec<u8>, len: usize) -> Result<(), Ended> {
        assert!(length(len) <= self.left, "no more is taken than the unit has");
        chunk.resize(len, 0);
        let buffered = self.buffer.len().min(len);
        self.buffer.copy_to_slice(&mut chunk[..buffered]);
        let mut filled = buffered;
        while filled < len {
            let read = timeout(STALL, self.stream.read(&mut chunk[filled..])).await;
            match read {
                Ok(Ok(read)) if read > 0 => filled += read,
                _ => return Err(Ended::Lost),
            }
        }
        self.left -= length(len);
        Ok(())
    }

    /// Passes over what is left of the unit.
    pub(super) async fn skip(&mut self) -> Result<(), Ended> {
        while self.left > 0 {
            if self.buffer.is_empty() && self.more().await? == 0 {
                return Err(Ended::Lost);
            }
            self.advance(self.buffer.len().min(fits(self.left)));
        }
        Ok(())
    }

    fn advance(&mut self, len: usize) {
        self.buffer.advance(len);
        self.left -= length(len);
    }

    async fn read(&mut self) -> std::io::Result<usize> {
        self.buffer.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.buffer).await
    }

    async fn more(&mut self) -> Result<usize, Ended> {
        match timeout(STALL, self.read()).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(_)) | Err(_) => Err(Ended::Lost),
        }
    }
}

fn fits(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a length fits 64 bits")
}
