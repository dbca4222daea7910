//! Blocks that the agent asks for: short ones of its own, and wholes put together from fragments, step by
//! step and at constant memory.
//! The executor starts the work; its outcome comes in through the mailbox. What is unfinished when the node
//! stops begins anew at the next start.

use bundle_spec::{BlockRef, BundleId, Header};
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use super::{
    mailbox::{Handle, Refusal, Store, StoreError},
    security::Arrived,
};
use crate::{
    agent::{Assembled, AssemblyError, Input, Part},
    limits,
};

/// How many bytes are moved at a time.
const STEP_BYTES: usize = 256 * 1024;

/// Puts blocks together; everything ends with it.
pub(super) struct Assembler {
    handle: Handle,
    stop: CancellationToken,
    work: JoinSet<()>,
    _guard: DropGuard,
}

/// Why a block was not put together.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the block {0} is not in the store or shorter than it was")]
    Missing(String),
    #[error("the node is stopping")]
    Stopped,
}

impl Assembler {
    /// Nothing is done yet.
    pub(super) fn new(handle: Handle) -> Self {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        Self { handle, stop, work: JoinSet::new(), _guard: guard }
    }

    /// Writes a short block; the agent hears of it once it is in the store.
    pub(super) fn write(&mut self, bytes: Bytes) {
        while self.work.try_join_next().is_some() {}
        let handle = self.handle.clone();
        self.work.spawn(async move {
            match handle.write_block(bytes).await {
                // If the node has stopped, nobody wants it any more.
                Ok(block) => _ = handle.gained(block).await,
                Err(error) => warn!(%error, "a block of the agent's own finds no room"),
            }
        });
    }

    /// Begins to put the `len` bytes of a bundle together from `parts`. Its security operations are checked
    /// when it is whole: they hold for nothing less.
    pub(super) fn start(&mut self, bundle: BundleId, header: Header, len: u64, parts: Vec<Part>) {
        while self.work.try_join_next().is_some() {}
        let (handle, stop) = (self.handle.clone(), self.stop.clone());
        self.work.spawn(async move {
            let store = std::sync::Arc::clone(handle.store());
            let done = tokio::task::spawn_blocking(move || put_together(&*store, len, &parts, &stop)).await;
            let mut left = None;
            let result = match done.expect("putting a block together does not panic") {
                Ok((payload, adu)) => {
                    let whole = Arrived { header, payload, adu, left: None };
                    vouched(&handle, whole).await.map(|(assembled, sealed)| {
                        left = sealed;
                        assembled
                    })
                }
                Err(Fault::Store(StoreError::Full { free, needed })) => {
                    info!(%bundle, free, needed, "no room to put a bundle together");
                    Err(AssemblyError::NoRoom)
                }
                Err(error) => {
                    warn!(%bundle, %error, "a bundle could not be put together");
                    Err(AssemblyError::Failed)
                }
            };
            // If the node has stopped, it begins anew at the next start.
            let _ = handle.input(Input::Assembled { bundle, result }).await;
            if let Some(block) = left {
                let _ = handle.gained(block).await;
            }
        });
    }
}

/// What the agent hears of a whole, and the block with its payload as it came if another took its place.
async fn vouched(handle: &Handle, whole: Arrived) -> Result<(Assembled, Option<BlockRef>), AssemblyError> {
    let payload = whole.payload;
    match handle.vouch(whole).await {
        Ok(Arrived { header, payload, adu, left }) => {
            let opened = handle.sealing().opened(handle.node_id(), &header, adu.as_ref());
            Ok((Assembled { header: Some(header), payload, adu, opened }, left))
        }
        Err(reason) => {
            // Nobody needs it; if the node has stopped, it goes at the next start.
            let _ = handle.gained(payload).await;
            Err(if reason == Refusal::NoRoom { AssemblyError::NoRoom } else { AssemblyError::Distrusted })
        }
    }
}

fn put_together(
    store: &dyn Store,
    len: u64,
    parts: &[Part],
    stop: &CancellationToken,
) -> Result<(BlockRef, Option<Bytes>), Fault> {
    let mut writer = store.create(len)?;
    let mut buffer = vec![0; STEP_BYTES.min(usize::try_from(len).unwrap_or(STEP_BYTES))];
    let mut adu = usize::try_from(len).is_ok_and(|len| len <= limits::CONTROL_ADU_BYTES_MAX).then(Vec::new);
    for part in parts {
        let missing = || Fault::Missing(part.block.cid.to_string());
        let reader = store.open(part.block.cid.digest())?.ok_or_else(missing)?;
        let (mut at, mut left) = (part.start, part.len);
        while left > 0 {
            if stop.is_cancelled() {
                return Err(Fault::Stopped);
            }
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = reader.read_at(at, &mut buffer[..most])?;
            let bytes = &buffer[..count];
            let moved = u64::try_from(count).expect("a length in memory fits 64 bits");
            if moved == 0 {
                return Err(missing());
            }
            writer.write(bytes)?;
            if let Some(adu) = &mut adu {
                adu.extend_from_slice(bytes);
            }
            (at, left) = (at.saturating_add(moved), left - moved);
        }
    }
    Ok((writer.finish(None)?, adu.map(Bytes::from)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn parts_of_several_blocks_become_one() {
        let store = MemoryStore::new(1 << 30);
        let long: Vec<u8> = (0..3 * STEP_BYTES + 17).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (first, second) = (put(&store, &long), put(&store, b"0123456789"));
        let len = first.len - 5 + 3;
        let parts =
            [Part { block: first, start: 5, len: first.len - 5 }, Part { block: second, start: 4, len: 3 }];
        let whole = put_together(&store, len, &parts, &CancellationToken::new()).unwrap();
        let expected = [&long[5..], b"456"].concat();
        assert_eq!(whole, (BlockRef::raw(&expected), None));
    }

    #[test]
    fn a_short_whole_comes_with_its_bytes() {
        let store = MemoryStore::new(1 << 20);
        let block = put(&store, b"0123456789");
        let parts = [Part { block, start: 0, len: 10 }];
        let whole = put_together(&store, 10, &parts, &CancellationToken::new()).unwrap();
        assert_eq!(whole.1.as_deref(), Some(&b"0123456789"[..]));
    }

    #[test]
    fn a_part_beyond_its_block_and_a_node_that_stops_end_the_work() {
        let store = MemoryStore::new(1 << 20);
        let block = put(&store, b"0123456789");
        let parts = [Part { block, start: 5, len: 10 }];
        let stop = CancellationToken::new();
        assert!(matches!(put_together(&store, 10, &parts, &stop), Err(Fault::Missing(_))));
        stop.cancel();
        assert!(matches!(put_together(&store, 10, &parts, &stop), Err(Fault::Stopped)));
    }

    fn put(store: &MemoryStore, bytes: &[u8]) -> BlockRef {
        let mut writer = store.create(u64::try_from(bytes.len()).unwrap()).unwrap();
        writer.write(bytes).unwrap();
        writer.finish(None).unwrap()
    }
}
