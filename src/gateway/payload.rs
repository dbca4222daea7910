//! Payloads between HTTP and the store, a piece at a time: memory is constant at any size. The handlers of
//! bundles use it; it knows no agent.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use axum::body::{Body, Bytes};
use bundle_spec::{BlockRef, Header, PayloadTail};
use bytes::BytesMut;
use futures_util::{Stream, stream};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use super::{
    Gateway,
    problem::{Code, Problem},
};
use crate::node::mailbox::{BlockReader, BlockWriter, Store, StoreError};

/// Bytes that are read from the store or from a file at a time.
const STEP_BYTES: usize = 256 * 1024;
/// Pieces of a body that may wait for the disk; who sends then waits, too.
const PIECES_MAX: usize = 16;

impl Gateway {
    /// Writes a body of `len` bytes as a block.
    pub(super) async fn write_body(&self, request: &mut Body, len: u64) -> Result<BlockRef, Problem> {
        let (pieces, mut coming) = mpsc::channel::<Bytes>(PIECES_MAX);
        let store = Arc::clone(self.handle.store());
        let writing = tokio::task::spawn_blocking(move || {
            let mut writer = store.create(len)?;
            while let Some(piece) = coming.blocking_recv() {
                writer.write(&piece)?;
            }
            writer.finish(None)
        });
        let mut is_whole = true;
        while let Some(frame) = request.frame().await {
            let Ok(frame) = frame else {
                is_whole = false;
                break;
            };
            if let Ok(piece) = frame.into_data()
                && pieces.send(piece).await.is_err()
            {
                // The writer has ended with an error, which says why.
                break;
            }
        }
        drop(pieces);
        let written = writing.await.expect("writing a block does not panic");
        match (written, is_whole) {
            (Ok(block), _) => Ok(block),
            (Err(StoreError::Length { .. }), false) => {
                Err(Problem::bad("the request broke off; send it again"))
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Writes a file as a block.
    pub(super) async fn write_file(&self, path: &Path, len: u64) -> Result<BlockRef, Problem> {
        let (store, path) = (Arc::clone(self.handle.store()), path.to_owned());
        let written = tokio::task::spawn_blocking(move || copy(&*store, &path, len)).await;
        Ok(written.expect("copying a file does not panic")?)
    }

    /// Opens the block of a payload.
    pub(super) async fn open_payload(&self, payload: BlockRef) -> Result<Arc<dyn BlockReader>, Problem> {
        let store = Arc::clone(self.handle.store());
        let opened = tokio::task::spawn_blocking(move || store.open(payload.cid.digest())).await;
        let reader = opened.expect("opening a block does not panic")?;
        let reader = reader.filter(|reader| reader.len() == payload.len);
        let gone = || Problem::new(Code::Internal, "the payload is not in the store").hint("pannier doctor");
        Ok(reader.ok_or_else(gone)?.into())
    }
}

fn copy(store: &dyn Store, path: &Path, len: u64) -> Result<BlockRef, StoreError> {
    let mut file = File::open(path)?;
    let mut writer: Box<dyn BlockWriter> = store.create(len)?;
    let mut step = vec![0; STEP_BYTES];
    loop {
        match file.read(&mut step) {
            Ok(0) => break,
            Ok(read) => writer.write(&step[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    writer.finish(None)
}

/// Reads a short body of `len` bytes into memory.
pub(super) async fn read_body(request: &mut Body, len: u64) -> Result<Bytes, Problem> {
    let wide = |len: usize| u64::try_from(len).expect("a length fits 64 bits");
    let mut whole = BytesMut::new();
    while let Some(frame) = request.frame().await {
        let frame = frame.map_err(|_| Problem::bad("the request broke off; send it again"))?;
        let Ok(piece) = frame.into_data() else { continue };
        if whole.is_empty() && wide(piece.len()) == len {
            // A copy of its own: what it came with would be kept in memory with it.
            return Ok(Bytes::copy_from_slice(&piece));
        }
        whole.extend_from_slice(&piece);
        if wide(whole.len()) > len {
            break;
        }
    }
    let actual = wide(whole.len());
    if actual != len {
        return Err(StoreError::Length { expected: len, actual }.into());
    }
    Ok(whole.freeze())
}

/// The bytes of a payload.
pub(super) fn payload(reader: Arc<dyn BlockReader>) -> Body {
    Body::from_stream(pieces(reader, None))
}

/// The bytes of a whole bundle: header, payload, and what follows it.
pub(super) fn bundle(header: &Header, reader: Arc<dyn BlockReader>) -> Body {
    let head = stream::iter([Ok(header.raw().clone())]);
    let tail = PayloadTail::new(header);
    Body::from_stream(futures_util::StreamExt::chain(head, pieces(reader, Some(tail))))
}

/// Where reading stands.
struct Reading {
    reader: Arc<dyn BlockReader>,
    offset: u64,
    /// What follows the payload, if a whole bundle is read.
    tail: Option<PayloadTail>,
}

fn pieces(
    reader: Arc<dyn BlockReader>,
    tail: Option<PayloadTail>,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    let begin = Some(Reading { reader, offset: 0, tail });
    stream::unfold(begin, |reading| async move {
        let reading = reading?;
        let read = tokio::task::spawn_blocking(move || next(reading)).await;
        match read.expect("reading a block does not panic") {
            Ok((piece, rest)) if piece.is_empty() && rest.is_none() => None,
            Ok((piece, rest)) => Some((Ok(piece), rest)),
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// The next piece, and what is left to be read.
fn next(mut reading: Reading) -> Result<(Bytes, Option<Reading>), StoreError> {
    let left = reading.reader.len().saturating_sub(reading.offset);
    if left == 0 {
        let tail = reading.tail.map_or_else(Bytes::new, PayloadTail::emit);
        return Ok((tail, None));
    }
    let mut piece = vec![0; usize::try_from(left).unwrap_or(STEP_BYTES).min(STEP_BYTES)];
    let read = reading.reader.read_at(reading.offset, &mut piece)?;
    assert!(read > 0, "a block has as many bytes as it says");
    piece.truncate(read);
    if let Some(tail) = &mut reading.tail {
        tail.update(&piece);
    }
    reading.offset += u64::try_from(read).expect("a length fits 64 bits");
    Ok((piece.into(), Some(reading)))
}
