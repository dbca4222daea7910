//! A bundle has arrived: its security operations are checked before the agent hears of it.
//!
//! The payload lies in the store as it came. It is read once to be checked; where this node is to open it, it
//! is read once more, and what it says becomes a block of its own. Constant memory, whatever its length.

use bundle_spec::{
    BlockRef, Header, NodeId,
    report::ReasonCode,
    security::{Cleared, Finding, Keystream, Reception, SecurityError, Service},
};
use bytes::Bytes;
use tracing::{debug, warn};

use super::{
    CHUNK_BYTES, Guard, Stop,
    clear::{PAYLOAD, is_signed},
};
use crate::{
    limits::CONTROL_ADU_BYTES_MAX,
    node::mailbox::{BlockReader, Handle, Refusal, Store, StoreError},
};

/// What the agent is told of.
pub(in crate::node) struct Arrived {
    /// Without what was accepted here.
    pub(in crate::node) header: Header,
    /// The payload, in plain if it was opened here.
    pub(in crate::node) payload: BlockRef,
    /// The payload's bytes, where they are few.
    pub(in crate::node) adu: Option<Bytes>,
    /// The block with the payload as it came, if another one has taken its place.
    pub(in crate::node) left: Option<BlockRef>,
}

/// Why a bundle must not be gone on with.
pub(in crate::node) struct Doubt {
    /// As it came.
    pub(in crate::node) header: Header,
    /// What the peer is told.
    pub(in crate::node) reason: Refusal,
    /// What a status report says; `None` if the bundle is not to blame.
    pub(in crate::node) report: Option<ReasonCode>,
}

impl Guard {
    /// Checks what has arrived.
    ///
    /// # Errors
    /// The bundle must not be gone on with.
    pub(in crate::node) async fn check(
        &self,
        handle: &Handle,
        arrived: Arrived,
        clear_only: bool,
    ) -> Result<Arrived, Doubt> {
        if !clear_only && !self.concerns(&arrived.header) {
            return Ok(arrived);
        }
        let (guard, handle) = (self.clone(), handle.clone());
        let header = arrived.header.detached();
        let checked = tokio::task::spawn_blocking(move || {
            guard.examine(handle.store().as_ref(), handle.node_id(), arrived, clear_only)
        });
        checked.await.expect("checking a bundle does not panic").map_err(|stop| {
            self.failed(&stop);
            let bundle = header.bundle_id();
            warn!(%bundle, reason = %stop, "a bundle is refused: its security operations do not hold");
            let reason = match stop {
                Stop::Store(StoreError::Full { .. }) => Refusal::NoRoom,
                _ => Refusal::Malformed,
            };
            let report = match &stop {
                Stop::Security(error) => Some(error.reason()),
                _ => None,
            };
            Doubt { header, reason, report }
        })
    }

    /// As [`Guard::check`]; blocks.
    pub(super) fn examine(
        &self,
        store: &dyn Store,
        node: &NodeId,
        arrived: Arrived,
        clear_only: bool,
    ) -> Result<Arrived, Stop> {
        let header = &arrived.header;
        let is_destination = header.primary().destination().node_id().as_ref() == Some(node);
        let keys = self.keys();
        let decide = |operation: &_| {
            let of_link = self.decide_on_link(operation);
            of_link.unwrap_or_else(|| self.policy.decide(header, operation, is_destination))
        };
        let mut required = self.policy.required(header);
        if clear_only {
            required.push((Service::Integrity, PAYLOAD));
            let is_fragment = header.primary().flags().is_fragment();
            if is_fragment && !is_signed(header) {
                return Err(SecurityError::Missing { service: Service::Integrity, target: PAYLOAD }.into());
            }
        }
        let mut reception = Reception::new(header, &keys, decide, &required)?;
        if reception.needs_payload() {
            let payload = store.open(arrived.payload.cid.digest())?.ok_or(Stop::Missing)?;
            read_all(payload.as_ref(), arrived.payload.len, |_, chunk| {
                reception.update(chunk);
                Ok(())
            })?;
        }
        let cleared = reception.finish()?;
        tell(&cleared);
        match cleared.payload {
            None => Ok(Arrived { header: cleared.header.detached(), ..arrived }),
            Some(stream) => open(store, arrived, &cleared.header, stream),
        }
    }
}

fn tell(cleared: &Cleared) {
    for finding in &cleared.findings {
        match finding {
            Finding::Discarded(_) | Finding::Missing { .. } => {
                warn!(?finding, "an extension block is removed: its security operations do not hold");
            }
            other => debug!(finding = ?other, "security operation"),
        }
    }
}

/// Makes the payload readable. Its tag was right.
fn open(
    store: &dyn Store,
    arrived: Arrived,
    header: &Header,
    mut stream: Keystream,
) -> Result<Arrived, Stop> {
    let len = header.payload_len();
    let sealed = store.open(arrived.payload.cid.digest())?.ok_or(Stop::Missing)?;
    let mut writer = store.create(len)?;
    let keeps = usize::try_from(len).is_ok_and(|len| len <= CONTROL_ADU_BYTES_MAX);
    let mut adu = keeps.then(Vec::new);
    read_all(sealed.as_ref(), len, |offset, chunk| {
        stream.apply(offset, chunk);
        if let Some(adu) = &mut adu {
            adu.extend_from_slice(chunk);
        }
        writer.write(chunk)
    })?;
    let payload = writer.finish(None)?;
    Ok(Arrived {
        header: header.detached(),
        payload,
        adu: adu.map(Bytes::from),
        left: (payload != arrived.payload).then_some(arrived.payload),
    })
}

/// Reads the first `len` bytes of a block in pieces.
pub(super) fn read_all(
    block: &dyn BlockReader,
    len: u64,
    mut take: impl FnMut(u64, &mut [u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut chunk = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(CHUNK_BYTES)];
    let mut offset = 0;
    while offset < len {
        let want = usize::try_from(len - offset).unwrap_or(usize::MAX).min(chunk.len());
        let read = block.read_at(offset, &mut chunk[..want])?;
        if read == 0 {
            return Err(StoreError::Length { expected: len, actual: offset });
        }
        take(offset, &mut chunk[..read])?;
        offset += u64::try_from(read).expect("a length fits 64 bits");
    }
    Ok(())
}
