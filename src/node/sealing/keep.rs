//! Keeps the keys while the node runs: notes which have retired, destroys the old ones, and opens jobs for
//! which a key has come since they arrived.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Ring, Sealing, SealingFileError};
use crate::{
    agent::{Input, JobView},
    limits,
    node::mailbox::Handle,
    time::Time,
};

/// How often the keys are looked at.
const PERIOD: Duration = Duration::from_secs(5);

/// How often jobs are looked through after a change of keys: one that was on its way in at the first look has
/// arrived by the second.
const LOOKS: u32 = 2;

/// Keeps the keys, until `stop`.
pub(in crate::node) async fn keep(handle: Handle, stop: CancellationToken) {
    let mut known: Option<Arc<Ring>> = None;
    let mut looks = 0;
    loop {
        let sealing = handle.sealing().clone();
        let now = handle.clock().now();
        let ring = tokio::task::spawn_blocking(move || {
            if let Err(error) = sealing.age(now) {
                warn!(%error, "the sealing keys cannot be kept");
            }
            sealing.ring()
        });
        let ring = ring.await.expect("looking at keys does not panic");
        if known.as_ref() != Some(&ring) {
            known = Some(ring);
            looks = LOOKS;
        }
        if looks > 0 {
            looks -= 1;
            open_jobs(&handle).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

impl Sealing {
    /// What time does to the keys: see [`Ring::age`].
    fn age(&self, now: Time) -> Result<(), SealingFileError> {
        let Some(file) = &self.file else { return Ok(()) };
        let before = self.ring();
        let mut aged = (*before).clone();
        if aged.age(now, self.overlap()) {
            let (ring, _) = file.change(|ring| Ok(ring.age(now, self.overlap())))?;
            let destroyed = before.keys().len().saturating_sub(ring.keys().len());
            if destroyed > 0 {
                info!(destroyed, "sealing keys that had retired are destroyed");
            }
        }
        Ok(())
    }
}

/// Tells the agent of every sealed job that a key opens and that it could not read.
async fn open_jobs(handle: &Handle) {
    let Ok(jobs) = handle.jobs().await else { return };
    let is_closed = |job: &&JobView| job.seal.is_some_and(|seal| !seal.is_open_here);
    for job in jobs.iter().filter(is_closed) {
        let max = u64::try_from(limits::CONTROL_ADU_BYTES_MAX).expect("a limit fits 64 bits");
        let Ok(Some(adu)) = handle.read_block(*job.payload.cid.digest(), max).await else { continue };
        if let Some(Ok(opened)) = handle.sealing().open_job(&adu)
            && handle.input(Input::Opened { job: job.job, adu: opened.job }).await.is_err()
        {
            return;
        }
    }
}
