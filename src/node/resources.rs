//! What the node has at its disposal: room in the store, engines that have shown that they run, and the
//! wall clock. Also keeps the store: forgets released blocks and gives space back.

use std::{sync::Arc, time::Duration};

use bundle_spec::Digest;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::mailbox::Handle;
use crate::agent::{EngineState, Input, Resources};

/// How often room and clock are looked at.
const PERIOD: Duration = Duration::from_secs(2);
/// How long a released block waits for others.
const COMPANY: Duration = Duration::from_millis(20);
/// Free bytes are told in steps of this, so that not every bundle is a change.
const STEP: u64 = 256 * 1024;

/// Tells the agent what is there, at start and when it changes, until `stop`.
pub(super) async fn watch(
    handle: Handle,
    mut engines: watch::Receiver<Vec<EngineState>>,
    slots: usize,
    stop: CancellationToken,
) {
    let mut told = None;
    let mut clock_told = None;
    loop {
        let usage = handle.store().usage();
        let resources = Resources {
            store_free: usage.free / STEP * STEP,
            engines: engines.borrow_and_update().clone(),
            slots,
        };
        if told.as_ref() != Some(&resources) {
            told = Some(resources.clone());
            if handle.input(Input::Resources(resources)).await.is_err() {
                return;
            }
        }
        if let Some((wall, error)) = handle.clock().wall() {
            // The difference between the two clocks changes only when somebody sets the wall's.
            let offset = i128::from(wall.0) - i128::from(handle.clock().now().0);
            if clock_told.is_none_or(|told: i128| (told - offset).abs() > 1000) {
                clock_told = Some(offset);
                if handle.input(Input::ClockSet { wall, error }).await.is_err() {
                    return;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = engines.changed() => if changed.is_err() { stop.cancelled().await },
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// Forgets released blocks and gives their space back, until the loop has ended.
pub(super) async fn keep_store(handle: Handle, mut released: mpsc::UnboundedReceiver<Digest>) {
    while let Some(first) = released.recv().await {
        let mut digests = vec![first];
        // Nobody waits for room that is there already; others that are released meanwhile go with it.
        tokio::time::sleep(COMPANY).await;
        while let Ok(next) = released.try_recv() {
            digests.push(next);
        }
        let store = Arc::clone(handle.store());
        let kept = tokio::task::spawn_blocking(move || {
            store.release_all(&digests)?;
            while store.compact()? {}
            Ok::<_, super::mailbox::StoreError>(())
        })
        .await
        .expect("keeping the store does not panic");
        if let Err(error) = kept {
            warn!(%error, "space could not be given back");
        }
    }
}
