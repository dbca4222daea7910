//! What people see of the agent. Changes nothing.

use bundle_spec::{Digest, NodeId, adu::ModelSelector};

use super::{
    Agent, BundleView, JobRecord, JobView, LinkView, ModelView, PeerView, StatusView, ledger::Entry,
};
use crate::schedule::Capacity;

impl Agent {
    /// The node at a glance.
    #[must_use]
    pub fn status(&self) -> StatusView {
        let links = self.links.iter().map(|(name, link)| LinkView {
            link: *name,
            peer: link.peer.clone(),
            cla: link.class.cla,
            since: link.since,
            in_flight: link.in_flight.len(),
            withheld: self.withheld_from(link),
        });
        let tasks: Vec<Digest> = self.tasks.running().collect();
        StatusView {
            node: self.config.node.clone(),
            bundles: self.ledger.len(),
            bytes: self.ledger.bytes(),
            jobs_open: self.jobs.open().len(),
            jobs_running: tasks.len(),
            jobs: self.jobs.len(),
            resources: self.resources.clone().unwrap_or_default(),
            links: links.collect(),
            tasks,
        }
    }

    /// Whether something waits for a contact with a node, or with anybody if nobody says who is there: what
    /// is for that node, and what nobody has been given but who brought it.
    #[must_use]
    pub fn is_awaited(&self, peer: Option<&NodeId>) -> bool {
        let is_news = |entry: &Entry| peer.is_none() || entry.header.previous_node().as_ref() != peer;
        let mut bound = peer.into_iter().flat_map(|peer| self.ledger.of_node(peer));
        bound.any(|entry| self.may_go(entry))
            || self.ledger.unshared().any(|entry| is_news(entry) && self.may_go(entry))
    }

    /// Every job that is known, oldest first. Jobs of which only an answer has passed are not among them.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        let mut records: Vec<&JobRecord> = self.jobs.iter().collect();
        records.sort_by_key(|record| (record.since(), *record.job.digest()));
        let capacity = self.capacity();
        records.into_iter().filter_map(|record| self.view(record, &capacity)).collect()
    }

    /// One job, by the digest of its CID.
    #[must_use]
    pub fn job(&self, job: &Digest) -> Option<JobView> {
        self.jobs.get(job).and_then(|record| self.view(record, &self.capacity()))
    }

    fn view(&self, record: &JobRecord, capacity: &Capacity<'_>) -> Option<JobView> {
        let work = record.work.as_ref()?;
        Some(JobView {
            job: record.job,
            kind: work.kind,
            seal: work.seal,
            model: match &work.model {
                ModelSelector::None => String::new(),
                ModelSelector::Cid(cid) => cid.to_string(),
                ModelSelector::Named(name) => name.clone(),
            },
            payload: record.payload,
            state: record.state.clone(),
            running: self.tasks.runs(record.job.digest()),
            mine: record.askers.iter().any(|asker| asker.local),
            expires: record.wanted_until().unwrap_or(record.until),
            journey: record.journey.clone(),
            waits_for: self.waits_for(record, capacity),
        })
    }

    /// Every bundle that is held.
    #[must_use]
    pub fn bundles(&self) -> Vec<BundleView> {
        self.ledger.iter().map(|(_, entry)| bundle(entry)).collect()
    }

    /// Every asset that is held or known to be somewhere.
    #[must_use]
    pub fn models(&self) -> Vec<ModelView> {
        let mut offered = self.offered();
        let mut views: Vec<ModelView> = Vec::new();
        for model in self.models.values() {
            let manifest = model.manifest_cid();
            views.push(ModelView {
                name: model.record.name.clone(),
                manifest,
                size: model.manifest.as_ref().map_or(0, |manifest| manifest.file.len),
                alias: model.alias,
                held: true,
                at: offered.get(&manifest).cloned().unwrap_or_default(),
                adu: model.record.adu.clone(),
            });
        }
        for model in self.models.values() {
            offered.remove(&model.manifest_cid());
        }
        views.extend(offered.into_iter().map(|(manifest, at)| ModelView {
            name: String::new(),
            manifest,
            size: 0,
            alias: None,
            held: false,
            at,
            adu: bytes::Bytes::new(),
        }));
        views
    }

    /// Every node that was met.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        let views = self.peers.iter().map(|(node, peer)| PeerView {
            node: node.clone(),
            last_contact: peer.last_contact,
            connected: self.links.values().any(|link| link.is_with(node)),
            engines: peer.advert.iter().flat_map(|advert| &advert.engines).map(|e| e.name.clone()).collect(),
            models: peer.advert.iter().flat_map(|advert| advert.models.clone()).collect(),
        });
        views.collect()
    }
}

/// A bundle that is held.
pub(super) fn bundle(entry: &Entry) -> BundleView {
    BundleView {
        id: entry.id.clone(),
        destination: entry.header.primary().destination().clone(),
        payload: entry.payload,
        received: entry.received,
        expires: entry.expires,
        job: entry.job,
        retention: entry.retention.clone(),
    }
}
