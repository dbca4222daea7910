//! Jobs that are over for somebody: receipts and cancellations that are passed on, so that carriers forget.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{
    Cid, Digest, NodeId,
    adu::{Cancel, Receipt},
};
use bytes::Bytes;

use crate::{limits, time::Time};

/// What a receipt or a cancellation says.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    /// Which job.
    pub(super) job: Cid,
    /// For whom it is over.
    pub(super) asker: NodeId,
    /// Which of his wishes: up to this sequence number.
    pub(super) sequence: u64,
    /// Whether he took it back.
    pub(super) is_cancel: bool,
}

impl Ending {
    /// What a receipt says.
    pub(super) fn answered(receipt: &Receipt) -> Self {
        let (asker, sequence) = (receipt.node.clone(), receipt.sequence);
        Self { job: receipt.job, asker, sequence, is_cancel: false }
    }

    /// What a cancellation says.
    pub(super) fn cancelled(cancel: &Cancel) -> Self {
        let (asker, sequence) = (cancel.node.clone(), cancel.sequence);
        Self { job: cancel.job, asker, sequence, is_cancel: true }
    }

    /// Under which it is kept.
    pub(super) fn key(&self) -> OverKey {
        (*self.job.digest(), self.asker.clone())
    }

    /// Why bundles go.
    pub(super) fn why(&self) -> &'static str {
        if self.is_cancel { "cancelled" } else { "cured" }
    }
}

/// A job is over for an asker.
#[derive(Clone, Debug)]
pub(super) struct Over {
    /// The signed receipt or cancel ADU.
    pub(super) adu: Bytes,
    /// Which wishes are over: up to this sequence number.
    pub(super) sequence: u64,
    /// Until when it is passed on.
    pub(super) until: Time,
    /// Who told us; `None` if it was made here or nobody remembers.
    pub(super) from: Option<NodeId>,
}

impl Over {
    /// How long it is passed on: as long as a late copy of the job may turn up.
    pub(super) fn until(now: Time) -> Time {
        now + limits::TOMBSTONE_GRACE
    }

    /// Whether it ends this wish: see [`super::endpoints::wish`].
    pub(super) fn covers(&self, wish: u64) -> bool {
        wish <= self.sequence
    }
}

/// A job and an asker for whom it is over.
pub(super) type OverKey = (Digest, NodeId);

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Receipts {
    /// By job and asker.
    entries: BTreeMap<Digest, BTreeMap<NodeId, Over>>,
    /// By the time when they are forgotten.
    by_time: BTreeSet<(Time, OverKey)>,
}

impl Receipts {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Whether the job is over for the asker, and which of his wishes for it.
    pub(super) fn get(&self, job: &Digest, asker: &NodeId) -> Option<&Over> {
        self.entries.get(job)?.get(asker)
    }

    /// Everybody for whom the job is over.
    pub(super) fn of_job(&self, job: &Digest) -> impl Iterator<Item = (&NodeId, &Over)> {
        self.entries.get(job).into_iter().flatten()
    }

    /// The one that is forgotten first.
    pub(super) fn first(&self) -> Option<(Time, OverKey)> {
        self.by_time.first().cloned()
    }

    /// Adds one.
    pub(super) fn insert(&mut self, key: OverKey, over: Over) {
        self.remove(&key);
        self.by_time.insert((over.until, key.clone()));
        self.entries.entry(key.0).or_default().insert(key.1, over);
    }

    /// Forgets one.
    pub(super) fn remove(&mut self, key: &OverKey) -> Option<Over> {
        let askers = self.entries.get_mut(&key.0)?;
        let over = askers.remove(&key.1)?;
        if askers.is_empty() {
            self.entries.remove(&key.0);
        }
        self.by_time.remove(&(over.until, key.clone()));
        Some(over)
    }
}

/// The key of its record: blake3 of the job's digest and the asker's node ID.
pub(super) fn record_key(key: &OverKey) -> Digest {
    let mut bytes = key.0.to_vec();
    bytes.extend_from_slice(key.1.to_string().as_bytes());
    *Cid::raw(&bytes).digest()
}
