//! Every bundle that is held, in every order in which it is looked for, and those that are gone but
//! remembered. Holds no policy: who puts something in or takes it out writes the record.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{BlockRef, BundleDigest, BundleId, Cid, Digest, Eid, Header, Lax, NodeId};

use super::{
    BundleRecord, Retention,
    endpoints::{self, Role},
    gathering::Gatherings,
    reassemble::group_of,
};
use crate::time::Time;

/// A bundle that is held.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Which.
    pub(super) id: BundleId,
    /// The header as it arrived or was made.
    pub(super) header: Header,
    /// The payload.
    pub(super) payload: BlockRef,
    /// When it arrived or was made.
    pub(super) received: Time,
    /// When its lifetime ends.
    pub(super) expires: Time,
    /// Of which job.
    pub(super) job: Option<Cid>,
    /// Why it is kept.
    pub(super) retention: Retention,
}

impl Entry {
    /// What it is to us. A job or result that could not be read is somebody's data.
    pub(super) fn role(&self) -> Role {
        match endpoints::role(&self.header) {
            Role::Job | Role::Result if self.job.is_none() => Role::Other,
            role => role,
        }
    }

    /// Whose job it is or for whom the answer is.
    pub(super) fn asker(&self) -> Option<Eid> {
        match self.role() {
            Role::Job => endpoints::asker(&self.header),
            Role::Result => Some(self.header.primary().destination().clone()),
            Role::Block | Role::Other => None,
        }
    }

    /// The record that says so.
    pub(super) fn record(&self) -> BundleRecord {
        BundleRecord {
            id: self.id.clone(),
            header: self.header.raw().clone(),
            payload: self.payload,
            received: self.received,
            expires: self.expires,
            job: self.job,
            retention: self.retention.clone(),
        }
    }

    /// What the record says; `None` if its header cannot be read.
    pub(super) fn of(record: BundleRecord) -> Option<Self> {
        let lax = Lax { primary_without_crc: true, local_node: true, ..Lax::strict() };
        let header = Header::parse(&record.header, &lax).ok().flatten()?;
        Some(Self {
            id: record.id,
            header,
            payload: record.payload,
            received: record.received,
            expires: record.expires,
            job: record.job,
            retention: record.retention,
        })
    }
}

/// All bundles.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// By digest of the bundle id.
    entries: BTreeMap<BundleDigest, Entry>,
    /// By end of lifetime.
    expiries: BTreeSet<(Time, BundleDigest)>,
    /// By digest of the job's CID: its job and result bundles.
    jobs: BTreeMap<Digest, BTreeSet<BundleDigest>>,
    /// By digest of the payload.
    payloads: BTreeMap<Digest, BTreeSet<BundleDigest>>,
    /// Fragments by the bundle of which they are parts.
    gatherings: Gatherings,
    /// By destination.
    destinations: BTreeMap<Eid, BTreeSet<BundleDigest>>,
    /// Bundles for others that nobody else has been given.
    unshared: BTreeSet<BundleDigest>,
    /// How many payload bytes there are, counted by bundle.
    bytes: u64,
    /// Bundles that are gone, and until when that is remembered.
    seen: BTreeMap<BundleDigest, Time>,
    /// The same by time.
    seen_by_time: BTreeSet<(Time, BundleDigest)>,
}

impl Ledger {
    /// How many bundles are held.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many payload bytes there are, counted by bundle.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// One bundle.
    pub(super) fn get(&self, id: &BundleDigest) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Whether a bundle is held.
    pub(super) fn holds(&self, id: &BundleDigest) -> bool {
        self.entries.contains_key(id)
    }

    /// All bundles by digest.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&BundleDigest, &Entry)> {
        self.entries.iter()
    }

    /// Whether the bundle is held or was.
    pub(super) fn knows(&self, id: &BundleDigest) -> bool {
        self.entries.contains_key(id) || self.seen.contains_key(id)
    }

    /// Every digest that is held or was.
    pub(super) fn known(&self) -> impl Iterator<Item = BundleDigest> {
        self.entries.keys().chain(self.seen.keys()).copied()
    }

    /// The job and result bundles of a job.
    pub(super) fn of_job(&self, job: &Digest) -> Vec<BundleDigest> {
        self.jobs.get(job).into_iter().flatten().copied().collect()
    }

    /// Digests of all jobs of which there are bundles.
    pub(super) fn jobs(&self) -> impl Iterator<Item = Digest> {
        self.jobs.keys().copied()
    }

    /// The bundles with this payload.
    pub(super) fn of_payload(&self, payload: &Digest) -> Vec<BundleDigest> {
        self.payloads.get(payload).into_iter().flatten().copied().collect()
    }

    /// Fragments by the bundle of which they are parts.
    pub(super) fn gatherings(&self) -> &Gatherings {
        &self.gatherings
    }

    /// The same, to say what is to be looked at.
    pub(super) fn gatherings_mut(&mut self) -> &mut Gatherings {
        &mut self.gatherings
    }

    /// Every destination of which there are bundles.
    pub(super) fn destinations(&self) -> impl Iterator<Item = &Eid> {
        self.destinations.keys()
    }

    /// The bundles for an endpoint, in no order that matters.
    pub(super) fn of_destination(&self, endpoint: &Eid) -> impl Iterator<Item = &Entry> {
        let ids = self.destinations.get(endpoint).into_iter().flatten();
        ids.map(|id| self.entries.get(id).expect("the index of destinations names bundles that are held"))
    }

    /// The bundles for any endpoint of a node.
    pub(super) fn of_node(&self, node: &NodeId) -> impl Iterator<Item = &Entry> {
        // The endpoints of a node stand together, its own first.
        let endpoints = self.destinations.range(node.eid()..);
        let endpoints = endpoints.take_while(|(endpoint, _)| endpoint.node_id().as_ref() == Some(node));
        endpoints.flat_map(|(endpoint, _)| self.of_destination(endpoint))
    }

    /// The bundles for others that nobody else has been given.
    pub(super) fn unshared(&self) -> impl Iterator<Item = &Entry> {
        self.unshared.iter().filter_map(|id| self.entries.get(id))
    }

    /// Somebody else has been given a bundle.
    pub(super) fn share(&mut self, id: &BundleDigest) {
        self.unshared.remove(id);
    }

    /// The bundle whose lifetime ends first.
    pub(super) fn first_expiry(&self) -> Option<(Time, BundleDigest)> {
        self.expiries.first().copied()
    }

    /// The bundle that is forgotten first.
    pub(super) fn first_seen(&self) -> Option<(Time, BundleDigest)> {
        self.seen_by_time.first().copied()
    }

    /// How many bundles are gone but remembered.
    pub(super) fn seen_len(&self) -> usize {
        self.seen.len()
    }

    /// Adds a bundle.
    pub(super) fn insert(&mut self, entry: Entry) {
        let id = entry.id.digest();
        self.expiries.insert((entry.expires, id));
        if let Some(job) = entry.job {
            self.jobs.entry(*job.digest()).or_default().insert(id);
        }
        self.payloads.entry(*entry.payload.cid.digest()).or_default().insert(id);
        if let (Some(group), Some(extent)) = (group_of(&entry.header), entry.id.fragment) {
            self.gatherings.add(group, id, extent);
        }
        let destination = entry.header.primary().destination();
        match self.destinations.get_mut(destination) {
            Some(ids) => drop(ids.insert(id)),
            None => drop(self.destinations.insert(destination.detached(), BTreeSet::from([id]))),
        }
        if is_for_others(&entry.retention) {
            self.unshared.insert(id);
        }
        self.bytes = self.bytes.saturating_add(entry.payload.len);
        let before = self.entries.insert(id, entry);
        assert!(before.is_none(), "a bundle is held once");
    }

    /// Takes a bundle out.
    pub(super) fn remove(&mut self, id: &BundleDigest) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.expiries.remove(&(entry.expires, *id));
        self.unshared.remove(id);
        if let Some(job) = entry.job {
            remove_from(&mut self.jobs, job.digest(), id);
        }
        remove_from(&mut self.payloads, entry.payload.cid.digest(), id);
        if let (Some(group), Some(extent)) = (group_of(&entry.header), entry.id.fragment) {
            self.gatherings.remove(group, *id, extent);
        }
        remove_from(&mut self.destinations, entry.header.primary().destination(), id);
        self.bytes = self.bytes.saturating_sub(entry.payload.len);
        Some(entry)
    }

    /// Changes why a bundle is kept.
    pub(super) fn retain(&mut self, id: &BundleDigest, retention: Retention) -> Option<&Entry> {
        let entry = self.entries.get_mut(id)?;
        if !is_for_others(&retention) {
            self.unshared.remove(id);
        }
        entry.retention = retention;
        Some(entry)
    }

    /// Remembers a bundle that is gone.
    pub(super) fn remember(&mut self, id: BundleDigest, until: Time) {
        if let Some(before) = self.seen.insert(id, until) {
            self.seen_by_time.remove(&(before, id));
        }
        self.seen_by_time.insert((until, id));
    }

    /// Forgets it.
    pub(super) fn forget(&mut self, id: &BundleDigest) {
        if let Some(until) = self.seen.remove(id) {
            self.seen_by_time.remove(&(until, *id));
        }
    }
}

/// Whether a bundle is kept to be given to others.
fn is_for_others(retention: &Retention) -> bool {
    match retention {
        Retention::DispatchPending | Retention::ForwardPending => true,
        Retention::RunPending | Retention::ReassemblyPending | Retention::Delivered => false,
    }
}

fn remove_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<BundleDigest>>, key: &K, id: &BundleDigest) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
