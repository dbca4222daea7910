//! What should be true, kept by a model so simple that it can be believed: who was promised an answer.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{Cid, Digest};
use bytes::Bytes;
use pannier::agent::{EventKind, Step};

use crate::event::WorldEvent;

/// An answer that somebody was promised.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The job.
    pub job: Cid,
    /// When it was asked for first.
    pub since: u64,
    /// Until when the answer is worth having.
    pub until: u64,
    /// Whether it was taken back.
    pub is_cancelled: bool,
    /// When the first answer came.
    pub answered_at: Option<u64>,
}

/// What should be true.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// By host and job.
    promises: BTreeMap<(usize, Digest), Promise>,
    /// What each job is about.
    inputs: BTreeMap<Digest, Bytes>,
    /// Jobs that an engine has failed at.
    failed: BTreeSet<Digest>,
    /// Payloads of parcels.
    parcels: BTreeSet<Digest>,
    /// How many bundles were handed on.
    transmissions: u64,
    /// How many tasks have ended with a result.
    runs: u64,
}

impl Reference {
    /// Somebody may ask for a job.
    pub fn know(&mut self, job: &Cid, input: &Bytes) {
        self.inputs.insert(*job.digest(), input.clone());
    }

    /// Somebody may send a parcel with this payload.
    pub fn know_parcel(&mut self, payload: &Digest) {
        self.parcels.insert(*payload);
    }

    /// Whether somebody has sent a parcel with this payload.
    #[must_use]
    pub fn is_parcel(&self, payload: &Digest) -> bool {
        self.parcels.contains(payload)
    }

    /// Something has happened.
    pub fn observe(&mut self, now: u64, event: &WorldEvent) {
        match event {
            WorldEvent::Accepted { host, job, is_answered, until } => {
                let new = Promise {
                    job: *job,
                    since: now,
                    until: *until,
                    is_cancelled: false,
                    answered_at: is_answered.then_some(now),
                };
                let promise = self.promises.entry((*host, *job.digest())).or_insert(new.clone());
                match promise.is_cancelled || promise.until <= now {
                    true => *promise = new,
                    false => {
                        promise.until = promise.until.max(*until);
                        promise.answered_at = promise.answered_at.or(new.answered_at);
                    }
                }
            }
            WorldEvent::Cancelled { host, job } => {
                if let Some(promise) = self.promises.get_mut(&(*host, *job.digest())) {
                    promise.is_cancelled = true;
                }
            }
            WorldEvent::Started { job, fails: true, .. } => {
                self.failed.insert(*job.digest());
            }
            WorldEvent::Completed { .. } => self.runs += 1,
            WorldEvent::Told { host, event } => match &event.kind {
                EventKind::Job { job, step: Step::Answered { .. } | Step::Failed { .. } } => {
                    if let Some(promise) = self.promises.get_mut(&(*host, *job.digest())) {
                        promise.answered_at.get_or_insert(now);
                    }
                }
                EventKind::Forwarded { .. } => self.transmissions += 1,
                EventKind::Job { .. }
                | EventKind::ContactOpened { .. }
                | EventKind::ContactClosed { .. }
                | EventKind::Received { .. }
                | EventKind::Delivered { .. }
                | EventKind::Deleted { .. }
                | EventKind::Reported { .. }
                | EventKind::Model { .. } => {}
            },
            WorldEvent::Posted { .. }
            | WorldEvent::Taken { .. }
            | WorldEvent::Rejected { .. }
            | WorldEvent::Started { .. }
            | WorldEvent::Acknowledged { .. }
            | WorldEvent::Down { .. }
            | WorldEvent::Up { .. }
            | WorldEvent::Met { .. }
            | WorldEvent::Parted { .. }
            | WorldEvent::Changed { .. }
            | WorldEvent::Woken { .. }
            | WorldEvent::Wrong { .. } => {}
        }
    }

    /// Every promise, with the host that gave it.
    pub fn promises(&self) -> impl Iterator<Item = (usize, &Promise)> {
        self.promises.iter().map(|((host, _), promise)| (*host, promise))
    }

    /// A promise.
    #[must_use]
    pub fn promise(&self, host: usize, job: &Digest) -> Option<&Promise> {
        self.promises.get(&(host, *job))
    }

    /// What a job is about.
    #[must_use]
    pub fn input(&self, job: &Digest) -> Option<&Bytes> {
        self.inputs.get(job)
    }

    /// Whether an engine has failed at a job.
    #[must_use]
    pub fn has_failed(&self, job: &Digest) -> bool {
        self.failed.contains(job)
    }

    /// How many bundles were handed on.
    #[must_use]
    pub fn transmissions(&self) -> u64 {
        self.transmissions
    }

    /// How many tasks have ended with a result.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs
    }
}
