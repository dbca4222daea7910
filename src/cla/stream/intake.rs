//! A bundle on its way from the wire into the store: its payload is written while the next piece is read,
//! hashed and summed on the way, and whole only once its tail was right.

use std::sync::Arc;

use bundle_spec::{Header, PayloadTail};
use tokio::{io::AsyncRead, task::JoinHandle};

use super::inflow::{Ended, Inflow};
use crate::{
    cla::{
        offload::offload,
        partial::{Begun, Spoiled, Stored},
        source::CHUNK_BYTES,
    },
    node::mailbox::{Store, StoreError},
};

/// Why a payload did not come in.
#[derive(Debug)]
pub(super) enum Failed {
    /// The stream is over.
    Ended(Ended),
    /// It is not in the store.
    Spoiled(Spoiled),
}

impl From<Ended> for Failed {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Spoiled(Spoiled::Store(error))
    }
}

/// Takes in the payload behind `header`, and what follows it.
pub(super) async fn take_in<R: AsyncRead + Unpin>(
    inflow: &mut Inflow<R>,
    header: &Header,
    store: &Arc<dyn Store>,
) -> Result<Stored, Failed> {
    let mut left = header.payload_len();
    let mut hand = Hand::Idle(Begun::New(Arc::clone(store), Box::new(header.clone())), Vec::new());
    let mut chunk = Vec::new();
    loop {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        inflow.take(&mut chunk, len).await?;
        left -= u64::try_from(len).expect("a length fits 64 bits");
        let (begun, spare) = hand.rest().await?;
        if left == 0 {
            let mut tail = spare;
            inflow.take(&mut tail, PayloadTail::tail_len(header.payload_crc())).await?;
            return offload(move || begun.with(&chunk)?.finish(&tail)).await.map_err(Failed::Spoiled);
        }
        let full = std::mem::replace(&mut chunk, spare);
        hand =
            Hand::Writing(tokio::task::spawn_blocking(move || Ok((Begun::Kept(begun.with(&full)?), full))));
    }
}

/// A payload so far and the buffer that was written into it.
type Written = Result<(Begun, Vec<u8>), StoreError>;

/// Who has the payload so far, and the buffer that was written last.
enum Hand {
    Idle(Begun, Vec<u8>),
    Writing(JoinHandle<Written>),
}

impl Hand {
    /// Waits until everything is written.
    async fn rest(self) -> Written {
        match self {
            Self::Idle(begun, buffer) => Ok((begun, buffer)),
            Self::Writing(writing) => writing.await.expect("writing a chunk does not panic"),
        }
    }
}
