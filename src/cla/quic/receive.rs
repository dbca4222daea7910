//! Receives one bundle: header, admission, payload into the store, checksum, report.
//!
//! One of these runs per stream. It never keeps more than two chunks of a payload in memory, and it never
//! says that a bundle is taken: that is the agent's word, given once the bundle is durable.

use std::sync::Arc;

use bundle_spec::{BundleDigest, CrcType, Header, Lax, PayloadTail};
use bytes::{Bytes, BytesMut};
use quinn::{ReadError, RecvStream};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tracing::{debug, warn};

use super::{
    partial::Partial,
    session::{Event, code},
    transport::CHUNK_BYTES,
};
use crate::{
    agent::Refusal,
    cla::frame::{Frame, read_preamble},
    limits::{CONTROL_ADU_BYTES_MAX, PAYLOAD_BYTES_MAX},
    node::mailbox::{LinkReporter, Stopped, Store, StoreError},
};

/// Longest that stands before a payload on a stream: preamble and header.
const HEAD_BYTES_MAX: usize = bundle_spec::HEADER_BYTES_MAX + crate::cla::frame::PREAMBLE_BYTES_MAX;

/// What a reception needs of its session.
#[derive(Clone)]
pub(super) struct Inlet {
    pub(super) store: Arc<dyn Store>,
    pub(super) reporter: LinkReporter,
    /// What is to be told to the peer.
    pub(super) frames: mpsc::Sender<Frame>,
    /// What the session must know.
    pub(super) events: mpsc::Sender<Event>,
}

/// How a reception ended, for the session.
pub(super) struct Reception {
    /// Which bundle, if it was claimed.
    pub(super) claimed: Option<BundleDigest>,
    /// What has arrived of it, if it was cut off.
    pub(super) partial: Option<Box<Partial>>,
}

/// What the session says to a reception that would begin.
pub(super) enum Claim {
    /// The same bundle is being received on another stream.
    Busy,
    /// It may begin, or go on with what was kept.
    Go(Option<Box<Partial>>),
}

/// Why a reception came to nothing.
enum Failed {
    /// The peer is told that the bundle is not taken.
    Refused(Refusal),
    /// The peer is told how much is kept.
    Cut(Option<Partial>),
    /// The stream has no readable bundle.
    Unreadable,
    /// The connection or the node is gone: nobody is told.
    Gone(Option<Partial>),
}

impl From<Stopped> for Failed {
    fn from(_: Stopped) -> Self {
        Self::Gone(None)
    }
}

/// Receives what comes on `stream`.
pub(super) async fn receive(mut stream: RecvStream, inlet: Inlet) -> Reception {
    let index = stream.id().index();
    let mut claimed = None;
    let failed = match read_bundle(&mut stream, &inlet, &mut claimed).await {
        Ok(()) => return Reception { claimed: claimed.map(|(digest, _)| digest), partial: None },
        Err(failed) => failed,
    };
    let digest = claimed.map(|(digest, _)| digest);
    // A stream that has ended already cannot be stopped; then the frame alone says it.
    let _ = stream.stop(code::NOT_TAKEN);
    let (frame, partial) = match (failed, digest) {
        (Failed::Gone(partial), _) => (None, partial),
        (Failed::Unreadable, _) | (_, None) => (Some(Frame::Unreadable(index)), None),
        (Failed::Refused(reason), Some(digest)) => (Some(Frame::Refused(digest, reason)), None),
        (Failed::Cut(partial), Some(digest)) => {
            let offset = partial.as_ref().map_or(0, |partial| partial.offset);
            (Some(Frame::Partial(digest, offset)), partial)
        }
    };
    if let Some(frame) = frame {
        debug!(?frame, "reception ended early");
        // If the session is over, the peer learns from that.
        let _ = inlet.frames.send(frame).await;
    }
    let holds = matches!(claimed, Some((_, true)));
    Reception { claimed: digest.filter(|_| holds), partial: partial.map(Box::new) }
}

/// `claimed` becomes the bundle's digest, with whether the session holds its claim.
async fn read_bundle(
    stream: &mut RecvStream,
    inlet: &Inlet,
    claimed: &mut Option<(BundleDigest, bool)>,
) -> Result<(), Failed> {
    let Head { header, offset, rest } = read_head(stream).await?;
    let digest = header.bundle_id().digest();
    *claimed = Some((digest, false));
    if header.payload_len() > PAYLOAD_BYTES_MAX {
        return Err(Failed::Refused(Refusal::TooLarge));
    }
    inlet.reporter.admit(&header).await?.map_err(Failed::Refused)?;

    let (reply, answer) = oneshot::channel();
    let asked = inlet.events.send(Event::Claim(digest, reply)).await;
    asked.map_err(|_| Failed::Gone(None))?;
    let Claim::Go(kept) = answer.await.map_err(|_| Failed::Gone(None))? else {
        return Err(Failed::Cut(None));
    };
    *claimed = Some((digest, true));
    let resumed = offset > 0;
    let partial = match kept {
        Some(kept) if resumed && kept.fits(&header, offset) => *kept,
        _ if resumed => return Err(Failed::Cut(None)),
        _ => begin(inlet, &header).await?,
    };
    let (partial, tail) = read_payload(stream, partial, header.payload_len(), rest).await?;
    let Partial { writer, tail: checksum, adu, .. } = partial;
    if let Err(error) = checksum.finish(&tail) {
        warn!(%error, resumed, "a bundle was damaged");
        // What was kept may be the damaged part: the next attempt begins anew.
        return Err(if resumed { Failed::Cut(None) } else { Failed::Refused(Refusal::Malformed) });
    }
    let finished = blocking(move || writer.finish(None)).await;
    let payload = finished.map_err(store_failed)?;
    inlet.reporter.received(header.detached(), payload, adu.map(Bytes::from)).await?;
    Ok(())
}

struct Head {
    header: Header,
    /// How many bytes of the payload are not sent.
    offset: u64,
    /// What followed the header in the same read.
    rest: Bytes,
}

async fn read_head(stream: &mut RecvStream) -> Result<Head, Failed> {
    let mut buffer = BytesMut::new();
    // A header is looked at again only when there is twice as much of it, so that single bytes cost no more.
    let mut look_at = 1;
    loop {
        let chunk = stream.read_chunk(HEAD_BYTES_MAX, true).await.map_err(|_| Failed::Gone(None))?;
        let is_ended = chunk.is_none();
        if let Some(chunk) = chunk {
            buffer.extend_from_slice(&chunk.bytes);
        }
        if buffer.len() < look_at && !is_ended {
            continue;
        }
        let bytes = Bytes::copy_from_slice(&buffer);
        if let Some((offset, used)) = read_preamble(&bytes).map_err(|_| Failed::Unreadable)? {
            let behind = bytes.slice(used..);
            match Header::parse(&behind, &Lax::strict()) {
                Ok(Some(header)) => {
                    let rest = behind.slice(header.raw().len()..);
                    return Ok(Head { header, offset, rest });
                }
                Ok(None) => {}
                Err(error) => {
                    debug!(%error, "unreadable bundle");
                    return Err(Failed::Unreadable);
                }
            }
        }
        if is_ended || buffer.len() > HEAD_BYTES_MAX {
            return Err(Failed::Unreadable);
        }
        look_at = (2 * buffer.len()).min(HEAD_BYTES_MAX);
    }
}

async fn begin(inlet: &Inlet, header: &Header) -> Result<Partial, Failed> {
    let (store, len) = (Arc::clone(&inlet.store), header.payload_len());
    let writer = blocking(move || store.create(len)).await.map_err(store_failed)?;
    let keeps = usize::try_from(len).is_ok_and(|len| len <= CONTROL_ADU_BYTES_MAX);
    Ok(Partial::new(header, writer, keeps))
}

/// Streams the rest of a payload of `len` bytes into `partial`; what follows it is the tail.
async fn read_payload(
    stream: &mut RecvStream,
    partial: Partial,
    len: u64,
    rest: Bytes,
) -> Result<(Partial, Vec<u8>), Failed> {
    let Some(mut left) = len.checked_sub(partial.offset) else { return Err(Failed::Cut(None)) };
    let first = rest.len().min(fits(left));
    left -= length(first);
    let mut tail = rest[first..].to_vec();
    let mut sink = Sink::new(partial, fits(left).min(CHUNK_BYTES));
    let mut buffer = sink.push(rest[..first].to_vec(), first).await.map_err(store_failed)?;
    while left > 0 {
        let want = fits(left).min(buffer.len());
        // The next chunk is read from the wire while the one before is written.
        let (filled, ended) = fill(stream, &mut buffer[..want]).await;
        buffer = sink.push(buffer, filled).await.map_err(store_failed)?;
        left -= length(filled);
        if let Some(ended) = ended {
            return Err(ended.after(sink.settle().await.map_err(store_failed)?));
        }
    }
    let partial = sink.settle().await.map_err(store_failed)?;
    // One byte more than a tail has shows that something follows it.
    let tail_max = PayloadTail::tail_len(CrcType::Castagnoli) + 1;
    while tail.len() < tail_max {
        match stream.read_chunk(tail_max, true).await {
            Ok(Some(chunk)) => tail.extend_from_slice(&chunk.bytes),
            Ok(None) => break,
            Err(ReadError::ConnectionLost(_)) => return Err(Failed::Gone(Some(partial))),
            Err(_) => return Err(Failed::Cut(Some(partial))),
        }
    }
    Ok((partial, tail))
}

/// Why no more bytes came.
enum Ended {
    /// The peer has ended the stream.
    Early,
    /// The connection is gone.
    Lost,
}

impl Ended {
    fn after(self, partial: Partial) -> Failed {
        match self {
            Self::Early => Failed::Cut(Some(partial)),
            Self::Lost => Failed::Gone(Some(partial)),
        }
    }
}

/// Reads until `buffer` is full or the stream ends.
async fn fill(stream: &mut RecvStream, buffer: &mut [u8]) -> (usize, Option<Ended>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]).await {
            Ok(Some(read)) => filled += read,
            Err(ReadError::ConnectionLost(_)) => return (filled, Some(Ended::Lost)),
            Ok(None) | Err(_) => return (filled, Some(Ended::Early)),
        }
    }
    (filled, None)
}

/// A reception and the buffer that was written for it.
type Written = Result<(Partial, Vec<u8>), StoreError>;

/// Writes chunks on the blocking pool, one at a time, while the next one is read.
struct Sink {
    /// The reception, unless a write has it.
    idle: Option<(Partial, Vec<u8>)>,
    writing: Option<JoinHandle<Written>>,
    /// How long buffers are.
    size: usize,
}

impl Sink {
    fn new(partial: Partial, size: usize) -> Self {
        Self { idle: Some((partial, vec![0; size])), writing: None, size }
    }

    /// Takes the first `filled` bytes of `buffer`; gives back another buffer.
    async fn push(&mut self, buffer: Vec<u8>, filled: usize) -> Result<Vec<u8>, StoreError> {
        let (mut partial, mut other) = self.rest().await?;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            partial.take(&buffer[..filled])?;
            Ok((partial, buffer))
        }));
        other.resize(self.size, 0);
        Ok(other)
    }

    /// Waits until everything is written.
    async fn settle(mut self) -> Result<Partial, StoreError> {
        let (partial, _) = self.rest().await?;
        Ok(partial)
    }

    async fn rest(&mut self) -> Result<(Partial, Vec<u8>), StoreError> {
        match self.writing.take() {
            Some(writing) => writing.await.expect("writing a chunk does not panic"),
            None => Ok(self.idle.take().expect("a reception is idle or being written")),
        }
    }
}

fn store_failed(error: StoreError) -> Failed {
    match error {
        StoreError::Full { .. } => Failed::Refused(Refusal::NoRoom),
        other => {
            warn!(error = %other, "a bundle could not be stored");
            Failed::Cut(None)
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("store calls do not panic")
}

fn fits(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a length fits 64 bits")
}
