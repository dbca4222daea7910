//! A bundle on its way from the wire into the store: its payload is written while the next piece is read,
//! hashed and summed on the way, and whole only once its tail was right.

use std::sync::Arc;

use bundle_spec::{BlockRef, Header, PayloadTail};
use bytes::Bytes;
use tokio::{io::AsyncRead, task::JoinHandle};

use super::{
    blocking,
    inflow::{Ended, Inflow},
};
use crate::{
    cla::source::CHUNK_BYTES,
    limits::CONTROL_ADU_BYTES_MAX,
    node::mailbox::{BlockWriter, Store, StoreError},
};

/// Why a payload did not come in.
#[derive(Debug)]
pub(super) enum Failed {
    /// The stream is over.
    Ended(Ended),
    /// The store does not take it.
    Store(StoreError),
    /// It is damaged.
    Damaged(bundle_spec::Error),
}

impl From<Ended> for Failed {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A payload that is in the store, and its bytes if it is short enough to be an ADU.
pub(super) type Stored = (BlockRef, Option<Bytes>);

/// Takes in the payload behind `header`, and what follows it.
pub(super) async fn take_in<R: AsyncRead + Unpin>(
    inflow: &mut Inflow<R>,
    header: &Header,
    store: &Arc<dyn Store>,
) -> Result<Stored, Failed> {
    let mut left = header.payload_len();
    let mut hand = Hand::Idle(Box::new(Intake::new(header, Arc::clone(store))), Vec::new());
    let mut chunk = Vec::new();
    loop {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        inflow.take(&mut chunk, len).await?;
        left -= u64::try_from(len).expect("a length fits 64 bits");
        let (mut intake, spare) = hand.rest().await?;
        if left == 0 {
            let mut tail = spare;
            inflow.take(&mut tail, PayloadTail::tail_len(header.payload_crc())).await?;
            return blocking(move || {
                intake.take(&chunk)?;
                intake.finish(&tail)
            })
            .await;
        }
        let full = std::mem::replace(&mut chunk, spare);
        hand = Hand::Writing(tokio::task::spawn_blocking(move || {
            intake.take(&full)?;
            Ok((intake, full))
        }));
    }
}

/// An intake and the buffer that was written into it.
type Written = Result<(Box<Intake>, Vec<u8>), StoreError>;

/// Who has the intake, and the buffer that was written last.
enum Hand {
    Idle(Box<Intake>, Vec<u8>),
    Writing(JoinHandle<Written>),
}

impl Hand {
    /// Waits until everything is written.
    async fn rest(self) -> Written {
        match self {
            Self::Idle(intake, buffer) => Ok((intake, buffer)),
            Self::Writing(writing) => writing.await.expect("writing a chunk does not panic"),
        }
    }
}

/// The receiving end in the store. Its calls block.
struct Intake {
    store: Arc<dyn Store>,
    /// How many bytes the payload has.
    len: u64,
    /// Takes the bytes, once there are any or none will come.
    writer: Option<Box<dyn BlockWriter>>,
    tail: PayloadTail,
    /// The bytes themselves, where the payload is short enough to be an ADU.
    adu: Option<Vec<u8>>,
}

impl Intake {
    fn new(header: &Header, store: Arc<dyn Store>) -> Self {
        let len = header.payload_len();
        let keeps = usize::try_from(len).is_ok_and(|len| len <= CONTROL_ADU_BYTES_MAX);
        Self { store, len, writer: None, tail: PayloadTail::new(header), adu: keeps.then(Vec::new) }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(self.store.create(self.len)?),
        };
        writer.write(bytes)?;
        self.tail.update(bytes);
        if let Some(adu) = &mut self.adu {
            adu.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finish(self, tail: &[u8]) -> Result<Stored, Failed> {
        self.tail.finish(tail).map_err(Failed::Damaged)?;
        let writer = self.writer.expect("an intake has taken at least nothing");
        Ok((writer.finish(None)?, self.adu.map(Bytes::from)))
    }
}
