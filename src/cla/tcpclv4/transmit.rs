//! Writes what is to be said, and the data of segments from the store.
//!
//! One of these runs per connection. What waits goes out in one write, a segment's head with its data; the
//! next data is read from the store while the one before goes out. It decides nothing: the session says what
//! comes when. Only a payload that cannot be read is ended here, because what follows it waits already.

use std::{
    collections::{BTreeMap, VecDeque},
    io::IoSlice,
    sync::Arc,
};

use bundle_spec::PayloadTail;
use bytes::{Buf, Bytes};
use tokio::{io::AsyncWriteExt, sync::mpsc};
use tracing::{debug, warn};

use super::{
    dialect::Outlet,
    message::{Lane, TransferId},
};
use crate::{
    cla::{offload::offload, payload::Payload},
    node::mailbox::{Outgoing, Store, StoreError},
};

/// How many bytes are read from the store in one step.
const CHUNK_BYTES: u64 = 256 * 1024;
/// How much is gathered before it is written.
const GATHER_BYTES: usize = 256 * 1024;
/// How many words are taken at a time.
const BATCH_MAX: usize = 64;

/// What the writer is given.
pub(super) enum Word {
    /// Bytes as they are, and where they go.
    Say(Lane, Bytes),
    /// The data of the segments of this transfer comes from here. Before its first segment.
    Begin {
        /// Which.
        transfer: TransferId,
        /// The bundle.
        outgoing: Box<Outgoing>,
        /// How many bytes of its payload the peer has already.
        resume: u64,
    },
    /// A segment.
    Segment {
        /// Of which transfer.
        transfer: TransferId,
        /// Where it goes.
        lane: Lane,
        /// Its head.
        head: Bytes,
        /// What is said in its place if the data cannot be had; nothing where the transfer begins with it.
        end: Option<Bytes>,
        /// How much data follows it.
        len: u64,
    },
}

/// What the writer reports.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// Segments with so much data were written, or passed over.
    Data(u64),
    /// A transfer was ended after `written` bytes: its payload is not here, or cannot be read.
    Missing {
        /// Which.
        transfer: TransferId,
        /// How many of its bytes are out.
        written: u64,
    },
}

/// The writer of one connection.
pub(super) struct Writer {
    store: Arc<dyn Store>,
    outlet: Box<dyn Outlet>,
    /// Where reports go.
    wrote: mpsc::Sender<Wrote>,
    /// Transfers that have begun; an error if no more of one can be had.
    sources: BTreeMap<TransferId, Result<Source, Lost>>,
    /// The transfer that was ended here: its segments are passed over.
    missing: Option<TransferId>,
    /// Where what is gathered goes.
    lane: Lane,
    /// What is to be written next.
    gathered: Gathered,
    /// How much data is in it, or was passed over.
    data: u64,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn Store>, outlet: Box<dyn Outlet>, wrote: mpsc::Sender<Wrote>) -> Self {
        Self {
            store,
            outlet,
            wrote,
            sources: BTreeMap::new(),
            missing: None,
            lane: Lane::FIRST,
            gathered: Gathered::default(),
            data: 0,
        }
    }

    /// Writes `words` until there are no more, or the connection breaks.
    pub(super) async fn run(mut self, mut words: mpsc::Receiver<Word>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while words.recv_many(&mut batch, BATCH_MAX).await > 0 {
            if let Err(error) = self.write(&mut batch).await {
                debug!(%error, "the connection does not take what is written");
                return;
            }
        }
        self.outlet.finish().await;
    }

    async fn write(&mut self, batch: &mut Vec<Word>) -> std::io::Result<()> {
        self.open(batch).await;
        for word in batch.drain(..) {
            match word {
                Word::Say(lane, bytes) => {
                    self.aim(lane).await?;
                    self.gathered.push(bytes);
                }
                Word::Begin { .. } => {}
                Word::Segment { transfer, lane, head, end, len } => {
                    self.aim(lane).await?;
                    self.segment(transfer, head, end, len).await?;
                }
            }
            if self.gathered.remaining() >= GATHER_BYTES {
                self.flush().await?;
            }
        }
        self.flush().await?;
        self.outlet.stream(self.lane)?.flush().await
    }

    /// What is gathered next goes on `lane`.
    async fn aim(&mut self, lane: Lane) -> std::io::Result<()> {
        if lane != self.lane {
            self.flush().await?;
            self.lane = lane;
        }
        Ok(())
    }

    /// Opens every payload that begins in `batch`, and reads its first bytes: from memory, or all others in
    /// one go.
    async fn open(&mut self, batch: &[Word]) {
        let mut begins = Vec::new();
        for word in batch {
            let Word::Begin { transfer, outgoing, resume } = word else { continue };
            match Payload::recent(self.store.as_ref(), outgoing).filter(|_| *resume == 0) {
                Some(payload) => {
                    drop(self.sources.insert(*transfer, Ok(Source::ready(outgoing, payload))));
                }
                None => begins.push((*transfer, outgoing.clone(), *resume)),
            }
        }
        if begins.is_empty() {
            return;
        }
        let store = Arc::clone(&self.store);
        let opened = offload(move || {
            let open = |(transfer, outgoing, resume): (_, Box<Outgoing>, _)| {
                (transfer, Source::open(store.as_ref(), &outgoing, resume))
            };
            begins.into_iter().map(open).collect::<Vec<_>>()
        });
        for (transfer, source) in opened.await {
            match source {
                Ok(source) => drop(self.sources.insert(transfer, Ok(source))),
                Err(error) => drop(self.sources.insert(transfer, Err(Lost { error, written: 0 }))),
            }
        }
    }

    async fn segment(
        &mut self,
        transfer: TransferId,
        head: Bytes,
        end: Option<Bytes>,
        len: u64,
    ) -> std::io::Result<()> {
        // Transfers before it are over, whether they were ended or refused.
        self.sources.retain(|known, _| *known >= transfer);
        self.data += len;
        if self.missing == Some(transfer) {
            return Ok(());
        }
        let read = match self.sources.remove(&transfer) {
            Some(Ok(source)) => source.filled(len).await,
            Some(Err(lost)) => Err(lost),
            None => Err(Lost { error: SourceError::Missing, written: 0 }),
        };
        let mut source = match read {
            Ok(source) => source,
            Err(lost) => return self.lost(transfer, end, &lost).await,
        };
        self.gathered.push(head);
        source.take(len, &mut self.gathered);
        if len == 0 || source.is_over() {
            return Ok(());
        }
        // What follows is read while this goes out.
        let (written, next) = tokio::join!(self.flush(), source.filled(CHUNK_BYTES));
        written?;
        // If nothing more can be had, the next segment says so.
        self.sources.insert(transfer, next);
        Ok(())
    }

    /// Ends a transfer that cannot go on.
    async fn lost(&mut self, transfer: TransferId, end: Option<Bytes>, lost: &Lost) -> std::io::Result<()> {
        warn!(error = %lost.error, "a payload cannot be read");
        if let Some(end) = end {
            self.gathered.push(end);
        }
        self.missing = Some(transfer);
        self.flush().await?;
        // A session that is over needs no report.
        let _ = self.wrote.send(Wrote::Missing { transfer, written: lost.written }).await;
        Ok(())
    }

    /// Writes what was gathered, and reports it.
    async fn flush(&mut self) -> std::io::Result<()> {
        if self.gathered.has_remaining() {
            let mut stream = self.outlet.stream(self.lane)?;
            AsyncWriteExt::write_all_buf(&mut stream, &mut self.gathered).await?;
        }
        let data = std::mem::take(&mut self.data);
        if data > 0 {
            // A session that is over needs no report.
            let _ = self.wrote.send(Wrote::Data(data)).await;
        }
        Ok(())
    }
}

/// Bytes from several places that go out in one write.
#[derive(Default)]
struct Gathered {
    parts: VecDeque<Bytes>,
    len: usize,
}

impl Gathered {
    fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.parts.push_back(bytes);
        }
    }
}

impl Buf for Gathered {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.len, "no more is written than there is");
        self.len -= count;
        while let Some(part) = self.parts.front_mut() {
            if count < part.len() {
                part.advance(count);
                return;
            }
            count -= part.len();
            self.parts.pop_front();
        }
    }

    fn chunks_vectored<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let count = self.parts.len().min(out.len());
        for (slot, part) in out.iter_mut().zip(&self.parts) {
            *slot = IoSlice::new(part);
        }
        count
    }
}

/// Why the bytes of a transfer cannot be had.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error("its block is not in the store")]
    Missing,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A transfer that cannot go on.
struct Lost {
    error: SourceError,
    /// How many bytes of it were given.
    written: u64,
}

/// The bytes of a transfer in their order: header, payload, checksum.
struct Source {
    /// What is read; nothing once all was.
    payload: Option<Payload>,
    /// Makes the checksum; gone once that is made.
    tail: Option<PayloadTail>,
    /// How many bytes of the payload have been read.
    position: u64,
    /// How many bytes of the payload the peer has already: read for the checksum, not sent.
    resume: u64,
    /// What was read and not given.
    ready: VecDeque<Bytes>,
    ready_len: u64,
    /// How many bytes were given.
    given: u64,
}

impl Source {
    /// Opens a transfer and reads its first bytes. Blocks.
    fn open(store: &dyn Store, outgoing: &Outgoing, resume: u64) -> Result<Self, SourceError> {
        let opened = Payload::open(store, outgoing)?;
        let payload = opened.filter(|payload| resume <= payload.len()).ok_or(SourceError::Missing)?;
        let header = outgoing.header.raw().clone();
        let mut source = Self {
            payload: Some(payload),
            tail: Some(PayloadTail::new(&outgoing.header)),
            position: 0,
            resume,
            ready_len: wide(header.len()),
            ready: VecDeque::from([header]),
            given: 0,
        };
        source.fill(1)?;
        Ok(source)
    }

    /// A transfer whose payload is in memory.
    fn ready(outgoing: &Outgoing, payload: Bytes) -> Self {
        let mut tail = PayloadTail::new(&outgoing.header);
        tail.update(&payload);
        let ready = VecDeque::from([outgoing.header.raw().clone(), payload, tail.emit()]);
        let ready_len = ready.iter().map(|part| wide(part.len())).sum();
        Self { payload: None, tail: None, position: 0, resume: 0, ready, ready_len, given: 0 }
    }

    /// Reads until `want` bytes can be given, or all of them, on the pool for calls that block.
    async fn filled(mut self, want: u64) -> Result<Self, Lost> {
        if self.ready_len >= want || self.tail.is_none() {
            return Ok(self);
        }
        offload(move || match self.fill(want) {
            Ok(()) => Ok(self),
            Err(error) => Err(Lost { error, written: self.given }),
        })
        .await
    }

    /// Reads at least one chunk, and until `want` bytes can be given. Blocks.
    fn fill(&mut self, want: u64) -> Result<(), SourceError> {
        let Some(payload) = &self.payload else { return Ok(()) };
        let len = payload.len();
        while self.position < len {
            let end = if self.position < self.resume { self.resume } else { len };
            let mut chunk = vec![0; narrow((end - self.position).min(CHUNK_BYTES))];
            let read = payload.read_at(self.position, &mut chunk)?;
            if read == 0 {
                return Err(SourceError::Missing);
            }
            chunk.truncate(read);
            if let Some(tail) = &mut self.tail {
                tail.update(&chunk);
            }
            let is_new = self.position >= self.resume;
            self.position += wide(read);
            if is_new {
                self.ready_len += wide(read);
                self.ready.push_back(Bytes::from(chunk));
                if self.ready_len >= want && self.position < len {
                    return Ok(());
                }
            }
        }
        if let Some(tail) = self.tail.take() {
            let tail = tail.emit();
            self.ready_len += wide(tail.len());
            self.ready.push_back(tail);
        }
        Ok(())
    }

    /// Gives the next `len` bytes.
    ///
    /// # Panics
    /// If they were not read.
    fn take(&mut self, len: u64, into: &mut Gathered) {
        assert!(len <= self.ready_len, "a transfer is as long as its header says");
        self.ready_len -= len;
        self.given += len;
        let mut left = narrow(len);
        while left > 0 {
            let part = self.ready.front_mut().expect("so many bytes were read");
            let taken = part.split_to(left.min(part.len()));
            if part.is_empty() {
                self.ready.pop_front();
            }
            left -= taken.len();
            into.push(taken);
        }
    }

    /// Whether everything was given.
    fn is_over(&self) -> bool {
        self.tail.is_none() && self.ready_len == 0
    }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits 64 bits")
}

/// A length of at most one gathering.
fn narrow(len: u64) -> usize {
    usize::try_from(len).expect("what is taken at a time fits memory")
}
