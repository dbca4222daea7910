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

use super::session::{Event, code};
use crate::{
    agent::Refusal,
    cla::{
        buffers::{Buffer, Buffers},
        frame::{Frame, read_preamble},
        offload::offload,
        partial::{Begun, Partial, Spoiled, Stored},
    },
    limits::PAYLOAD_BYTES_MAX,
    node::mailbox::{LinkReporter, Stopped, Store, StoreError},
};

/// Longest that stands before a payload on a stream: preamble and header.
const HEAD_BYTES_MAX: usize = bundle_spec::HEADER_BYTES_MAX + crate::cla::frame::PREAMBLE_BYTES_MAX;

/// What a reception needs of its session.
#[derive(Clone)]
pub(super) struct Inlet {
    pub(super) store: Arc<dyn Store>,
    pub(super) buffers: Buffers,
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
    Cut(Option<Box<Partial>>),
    /// The stream has no readable bundle.
    Unreadable,
    /// The connection or the node is gone: nobody is told.
    Gone(Option<Box<Partial>>),
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
    Reception { claimed: digest.filter(|_| holds), partial }
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
    let begun = match kept {
        Some(kept) if resumed && kept.fits(&header, offset) => Begun::Kept(kept),
        _ if resumed => return Err(Failed::Cut(None)),
        _ => Begun::New(Arc::clone(&inlet.store), Box::new(header.clone())),
    };
    let Some(left) = header.payload_len().checked_sub(offset) else { return Err(Failed::Cut(None)) };
    let (sink, tail) = read_payload(stream, &inlet.buffers, begun, left, rest).await?;
    let (payload, adu) = sink.finish(tail).await.map_err(|error| match error {
        Spoiled::Damaged(error) => {
            warn!(%error, resumed, "a bundle was damaged");
            // What was kept may be the damaged part: the next attempt begins anew.
            if resumed { Failed::Cut(None) } else { Failed::Refused(Refusal::Malformed) }
        }
        Spoiled::Store(error) => store_failed(error),
    })?;
    inlet.reporter.received(header.detached(), payload, adu).await?;
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

/// Streams the last `left` bytes of a payload into a sink; what follows them is the tail.
async fn read_payload(
    stream: &mut RecvStream,
    buffers: &Buffers,
    begun: Begun,
    mut left: u64,
    rest: Bytes,
) -> Result<(Sink, Vec<u8>), Failed> {
    let first = rest.len().min(fits(left));
    let mut tail = rest[first..].to_vec();
    let mut sink = Sink::new(begun);
    // Chunks begin at multiples of their length, also the one that the header's packet brought: so the store
    // can pass them on as they are.
    let mut early = rest.slice(..first);
    while left > 0 {
        let mut buffer = buffers.take(fits(left));
        let had = early.len().min(buffer.len());
        buffer[..had].copy_from_slice(&early.split_to(had));
        // The next chunk is read from the wire while the one before is written.
        let (filled, ended) = fill(stream, &mut buffer[had..]).await;
        let filled = had + filled;
        buffer.truncate(filled);
        sink = sink.push(buffer).await.map_err(store_failed)?;
        left -= length(filled);
        if let Some(ended) = ended {
            return Err(ended.after(sink.settle().await.map_err(store_failed)?));
        }
    }
    // One byte more than a tail has shows that something follows it.
    let tail_max = PayloadTail::tail_len(CrcType::Castagnoli) + 1;
    while tail.len() < tail_max {
        match stream.read_chunk(tail_max, true).await {
            Ok(Some(chunk)) => tail.extend_from_slice(&chunk.bytes),
            Ok(None) => break,
            Err(error) => return Err(Ended::of(&error).after(sink.settle().await.map_err(store_failed)?)),
        }
    }
    Ok((sink, tail))
}

/// Why no more bytes came.
enum Ended {
    /// The peer has ended the stream.
    Early,
    /// The connection is gone.
    Lost,
}

impl Ended {
    const fn of(error: &ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(_) => Self::Lost,
            _ => Self::Early,
        }
    }

    fn after(self, partial: Box<Partial>) -> Failed {
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
            Ok(None) => return (filled, Some(Ended::Early)),
            Err(error) => return (filled, Some(Ended::of(&error))),
        }
    }
    (filled, None)
}

/// Writes chunks, one at a time, while the next one is read. The last one waits for what follows it: then it
/// is written, compared and finished in one go.
struct Sink {
    written: Written,
    /// What came last.
    last: Option<Buffer>,
}

/// What has been done of a reception.
enum Written {
    /// What waited for the first chunk, or for the next.
    Begun(Begun),
    /// A chunk is being written.
    Writing(JoinHandle<Result<Box<Partial>, StoreError>>),
}

impl Sink {
    const fn new(begun: Begun) -> Self {
        Self { written: Written::Begun(begun), last: None }
    }

    /// Takes bytes; what came before them is written, once that before it is.
    async fn push(mut self, bytes: Buffer) -> Result<Self, StoreError> {
        if let Some(earlier) = self.last.replace(bytes) {
            let begun = self.written.begun().await?;
            let writing = tokio::task::spawn_blocking(move || begun.with(&earlier));
            self.written = Written::Writing(writing);
        }
        Ok(self)
    }

    /// Writes everything; the partial can be kept.
    async fn settle(self) -> Result<Box<Partial>, StoreError> {
        let begun = self.written.begun().await?;
        offload(move || begun.with(self.last.as_deref().unwrap_or_default())).await
    }

    /// Writes everything and ends it with what followed it.
    async fn finish(self, tail: Vec<u8>) -> Result<Stored, Spoiled> {
        let begun = self.written.begun().await?;
        offload(move || begun.with(self.last.as_deref().unwrap_or_default())?.finish(&tail)).await
    }
}

impl Written {
    /// Waits for the chunk that is being written.
    async fn begun(self) -> Result<Begun, StoreError> {
        match self {
            Self::Begun(begun) => Ok(begun),
            Self::Writing(writing) => {
                Ok(Begun::Kept(writing.await.expect("writing a chunk does not panic")?))
            }
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

fn fits(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a length fits 64 bits")
}
