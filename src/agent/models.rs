//! Assets that are kept here under a name, blocks that come and go, and what peers say they offer.

use std::collections::BTreeMap;

use bundle_spec::{Alias, BlockRef, Cid, Codec, Digest, adu::Advert, manifest::Manifest};

use super::{Agent, Answer, CallId, EventKind, JobState, ModelRecord, Output, Record, SubmitError};
use crate::{limits, time::Time};

/// An asset that is complete here.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// Its record.
    pub(super) record: ModelRecord,
    /// Its manifest; `None` if this version cannot read it.
    pub(super) manifest: Option<Manifest>,
    /// The SHA-256 of its file, if the manifest says it.
    pub(super) alias: Option<Alias>,
}

impl Model {
    /// What the record says.
    pub(super) fn of(record: ModelRecord) -> Self {
        let manifest = Manifest::decode(&record.adu).ok();
        let alias = manifest.as_ref().and_then(Manifest::alias);
        Self { record, manifest, alias }
    }

    /// The name by which jobs ask for it.
    pub(super) fn manifest_cid(&self) -> Cid {
        self.record.manifest.cid.with_codec(Codec::DagCbor)
    }

    /// Every block that is held on account of it.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &BlockRef> {
        self.record.blocks.iter().chain([&self.record.manifest])
    }
}

/// A node that was met.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// When the last contact with it was.
    pub(super) last_contact: Time,
    /// What it offers, as it said last.
    pub(super) advert: Option<Advert>,
}

impl Agent {
    /// An asset is complete in the store and kept under a name.
    pub(super) fn add_model(&mut self, call: CallId, record: ModelRecord) {
        let blocks: Vec<BlockRef> = record.blocks.iter().copied().chain([record.manifest]).collect();
        let result = self.keep_model(record);
        self.outputs.push_back(Output::Answer { call, result });
        blocks.iter().for_each(|block| self.content.handle_unwanted(self.now, block));
    }

    fn keep_model(&mut self, record: ModelRecord) -> Result<Answer, SubmitError> {
        if record.name.is_empty() || record.name.len() > limits::MODEL_NAME_BYTES_MAX {
            return Err(SubmitError::Malformed("a name has 1 to 255 bytes".to_owned()));
        }
        Manifest::decode(&record.adu).map_err(|error| SubmitError::Malformed(error.to_string()))?;
        let name = record.name.clone();
        if self.models.len() >= limits::MODELS_MAX && !self.models.contains_key(&name) {
            return Err(SubmitError::Limit("models"));
        }
        self.outputs.push_back(Output::Record(Record::Model(Box::new(record.clone()))));
        let model = Model::of(record);
        model.blocks().for_each(|block| self.content.handle_held(block));
        let manifest = model.manifest_cid();
        if let Some(before) = self.models.insert(name.clone(), model) {
            before.blocks().for_each(|block| self.content.handle_given_up(self.now, block));
        }
        self.tell(EventKind::Model { name, manifest, held: true });
        self.announce_advert();
        self.look_at_all();
        Ok(Answer::Done)
    }

    /// A named asset is no longer wanted.
    pub(super) fn drop_model(&mut self, call: CallId, name: &str) {
        let result = match self.lose_model(name) {
            true => Ok(Answer::Done),
            false => Err(SubmitError::NotFound),
        };
        self.outputs.push_back(Output::Answer { call, result });
    }

    fn lose_model(&mut self, name: &str) -> bool {
        let Some(model) = self.models.remove(name) else { return false };
        self.outputs.push_back(Output::Record(Record::ModelGone { name: name.to_owned() }));
        model.blocks().for_each(|block| self.content.handle_given_up(self.now, block));
        self.tell(EventKind::Model { name: name.to_owned(), manifest: model.manifest_cid(), held: false });
        self.announce_advert();
        true
    }

    /// A block is in the store: jobs that lacked it hold it.
    pub(super) fn gain_block(&mut self, block: &BlockRef) {
        let digest = block.cid.digest();
        for job in self.jobs.missing(digest) {
            let mut record =
                self.jobs.get(&job).expect("the index of missing blocks names known jobs").clone();
            record.missing.retain(|missing| missing != digest);
            self.put_job(record);
            self.settle(&job);
            self.confirm(&job);
        }
        self.content.handle_unwanted(self.now, block);
    }

    /// A block was found damaged: whatever needs it does without, until it comes again.
    pub(super) fn lose_block(&mut self, digest: &Digest) {
        for id in self.ledger.of_payload(digest) {
            self.lose_bundle(&id, "damaged");
        }
        let holders =
            self.models.iter().filter(|(_, model)| model.blocks().any(|block| block.cid.digest() == digest));
        let names: Vec<String> = holders.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.lose_model(&name);
        }
        let linked =
            self.jobs.iter().filter(|job| job.blocks().iter().any(|block| block.cid.digest() == digest));
        let jobs: Vec<Digest> = linked.map(|job| *job.job.digest()).collect();
        for job in jobs {
            self.lose_block_of(&job, digest);
        }
    }

    /// A job whose block is damaged lacks it; one whose answer is damaged is open again for who still waits.
    fn lose_block_of(&mut self, job: &Digest, digest: &Digest) {
        let mut record = self.jobs.get(job).expect("the job was just found").clone();
        let mut lacks = vec![*digest];
        match record.state {
            JobState::Answered { result, .. } if result.cid.digest() == digest => {
                record.outputs.clear();
                record.state = match record.askers.iter().all(|asker| asker.answered) {
                    true => JobState::Done,
                    false => JobState::Open,
                };
                let inputs = record.work.iter().flat_map(|work| &work.inputs);
                let inputs = inputs.map(|input| *input.cid.digest());
                lacks.extend(inputs.filter(|input| !self.content.holds(input)));
            }
            JobState::Answered { .. }
            | JobState::Open
            | JobState::Done
            | JobState::Expired
            | JobState::Cancelled => {}
        }
        record.missing.extend(lacks);
        record.missing.sort_unstable();
        record.missing.dedup();
        self.put_job(record);
    }

    /// A peer has said what it offers.
    pub(super) fn note_advert(&mut self, advert: Advert) {
        let mut advert = advert;
        advert.engines.truncate(limits::ADVERT_ENTRIES_MAX);
        advert.models.truncate(limits::ADVERT_ENTRIES_MAX);
        if let Some(peer) = self.peers.get_mut(&advert.node) {
            peer.advert = Some(advert);
        }
    }

    /// A node is met; the one that was met longest ago makes room.
    pub(super) fn note_peer(&mut self, node: &bundle_spec::NodeId) {
        if self.peers.len() >= limits::PEERS_MAX && !self.peers.contains_key(node) {
            let oldest =
                self.peers.iter().min_by_key(|(_, peer)| peer.last_contact).map(|(node, _)| node.clone());
            oldest.map(|node| self.peers.remove(&node));
        }
        let now = self.now;
        self.peers
            .entry(node.clone())
            .and_modify(|peer| peer.last_contact = now)
            .or_insert(Peer { last_contact: now, advert: None });
    }

    /// Assets that peers offer: manifest, name there, and who.
    pub(super) fn offered(&self) -> BTreeMap<Cid, Vec<bundle_spec::NodeId>> {
        let mut offered: BTreeMap<Cid, Vec<bundle_spec::NodeId>> = BTreeMap::new();
        for (node, peer) in &self.peers {
            for (_, manifest) in peer.advert.iter().flat_map(|advert| &advert.models) {
                offered.entry(*manifest).or_default().push(node.clone());
            }
        }
        offered
    }
}
