//! Transmits one bundle: preamble, header, payload from the store, checksum.
//!
//! One of these runs per bundle under way. That the peer has the bundle is only known from its `stored`
//! frame.

use std::sync::Arc;

use bundle_spec::{BundleDigest, PayloadTail};
use bytes::Bytes;
use quinn::{Connection, SendStream, WriteError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::session::{Event, code};
use crate::{
    cla::{buffers::Buffers, frame::preamble, offload::offload, payload::Payload},
    node::mailbox::{Outgoing, Store, StoreError},
};

/// What a transmission needs of its session.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) connection: Connection,
    pub(super) store: Arc<dyn Store>,
    pub(super) buffers: Buffers,
    /// What the session must know.
    pub(super) events: mpsc::Sender<Event>,
}

/// How a transmission ended, for the session.
pub(super) struct Transmission {
    /// Which bundle.
    pub(super) digest: BundleDigest,
    /// What came of it.
    pub(super) outcome: Sent,
}

/// What came of a transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Everything was sent; the peer will say what it does with it.
    Whole,
    /// The peer wants no more of it, and says why in a frame.
    Stopped,
    /// It was called off, or the connection is gone.
    CalledOff,
    /// The payload is not in the store, or cannot be read.
    Missing,
}

/// Sends `outgoing` from byte `offset` of its payload on, until `abort`.
pub(super) async fn transmit(
    outgoing: Outgoing,
    offset: u64,
    outlet: Outlet,
    abort: CancellationToken,
) -> Transmission {
    let digest = outgoing.bundle.digest();
    let opened = tokio::select! {
        biased;
        () = abort.cancelled() => None,
        stream = outlet.connection.open_uni() => stream.ok(),
    };
    let Some(mut stream) = opened else { return Transmission { digest, outcome: Sent::CalledOff } };
    in_order(&stream);
    // If the session is over, so is this.
    let _ = outlet.events.send(Event::Opened(digest, stream.id().index())).await;
    let sent = tokio::select! {
        biased;
        () = abort.cancelled() => Err(Failed::CalledOff),
        sent = write_bundle(&mut stream, &outgoing, offset, &outlet) => sent,
    };
    let outcome = match sent {
        Ok(()) => return Transmission { digest, outcome: Sent::Whole },
        Err(Failed::Write(WriteError::Stopped(_))) => Sent::Stopped,
        Err(Failed::CalledOff | Failed::Write(_)) => Sent::CalledOff,
        Err(Failed::Missing) => Sent::Missing,
        Err(Failed::Store(error)) => {
            warn!(%error, "a payload cannot be read");
            Sent::Missing
        }
    };
    // Dropping a stream would end it as if the bundle were whole.
    let _ = stream.reset(code::CALLED_OFF);
    Transmission { digest, outcome }
}

/// Earlier bundles go first: a contact that ends early has then carried some of them whole, where streams
/// that share the link evenly would leave a part of each.
fn in_order(stream: &SendStream) {
    let priority = i32::try_from(stream.id().index()).map_or(i32::MIN, |index| -index);
    // A stream that is closed already needs no place in the order.
    let _ = stream.set_priority(priority);
}

enum Failed {
    CalledOff,
    Missing,
    Write(WriteError),
    Store(StoreError),
}

impl From<WriteError> for Failed {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn write_bundle(
    stream: &mut SendStream,
    outgoing: &Outgoing,
    offset: u64,
    outlet: &Outlet,
) -> Result<(), Failed> {
    let (mut source, mut next) = Source::begin(outlet, outgoing.clone(), offset).await?;
    stream.write_all_chunks(&mut [preamble(offset), outgoing.header.raw().clone()]).await?;
    while let Some(chunk) = next {
        // The next chunk is read from the store while this one goes out.
        let (written, advanced) = tokio::join!(stream.write_chunk(chunk), source.advance());
        written?;
        (source, next) = advanced?;
    }
    stream.write_chunk(source.tail.emit()).await?;
    stream.finish().map_err(|_| Failed::CalledOff)?;
    // Once the peer's side has it all, or has stopped it.
    match stream.stopped().await {
        Ok(Some(code)) => Err(Failed::Write(WriteError::Stopped(code))),
        Ok(None) => Ok(()),
        Err(_) => Err(Failed::CalledOff),
    }
}

/// Reads a payload in chunks and keeps its checksum.
struct Source {
    payload: Payload,
    tail: PayloadTail,
    buffers: Buffers,
    /// How many bytes have been read.
    position: u64,
    /// How many bytes the peer has already: read for the checksum, not sent.
    offset: u64,
}

impl Source {
    /// Opens the payload and reads its first chunk.
    async fn begin(
        outlet: &Outlet,
        outgoing: Outgoing,
        offset: u64,
    ) -> Result<(Self, Option<Bytes>), Failed> {
        let (store, buffers) = (Arc::clone(&outlet.store), outlet.buffers.clone());
        offload(move || {
            let opened = Payload::open(store.as_ref(), &outgoing)?;
            let payload = opened.filter(|payload| offset <= payload.len()).ok_or(Failed::Missing)?;
            let tail = PayloadTail::new(&outgoing.header);
            Self { payload, tail, buffers, position: 0, offset }.read()
        })
        .await
    }

    /// The next chunk that is to be sent; `None` at the end.
    async fn advance(self) -> Result<(Self, Option<Bytes>), Failed> {
        match self.position == self.payload.len() {
            true => Ok((self, None)),
            false => offload(move || self.read()).await,
        }
    }

    fn read(mut self) -> Result<(Self, Option<Bytes>), Failed> {
        let len = self.payload.len();
        while self.position < len {
            let end = if self.position < self.offset { self.offset } else { len };
            let want = usize::try_from(end - self.position).unwrap_or(usize::MAX);
            let mut chunk = self.buffers.take(want);
            let read = self.payload.read_at(self.position, &mut chunk)?;
            if read == 0 {
                return Err(Failed::Missing);
            }
            chunk.truncate(read);
            self.tail.update(&chunk);
            let is_new = self.position >= self.offset;
            self.position += u64::try_from(read).expect("a length fits 64 bits");
            if is_new {
                return Ok((self, Some(chunk.freeze())));
            }
        }
        Ok((self, None))
    }
}
