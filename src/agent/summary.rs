//! What is said on a contact besides bundles: adverts, summaries, receipts and cancellations (RFC 9171 knows
//! none of these; they are ADUs of ours that travel outside of bundles).

use bundle_spec::{
    Digest,
    adu::{Adu, Advert, EngineAdvert, Have},
};
use bytes::Bytes;

use super::{Agent, JobState, LinkId, Output, Step, receipts::Ending};
use crate::limits;

impl Agent {
    /// What a contact hears first: who we are, what we have.
    pub(super) fn announce_summary(&mut self, link: LinkId) {
        let adu = self.advert().encode();
        self.outputs.push_back(Output::Announce { link, adu });
        for have in self.summary() {
            self.outputs.push_back(Output::Announce { link, adu: have.encode() });
        }
    }

    /// Every contact hears what we offer.
    pub(super) fn announce_advert(&mut self) {
        let adu = self.advert().encode();
        for link in self.links.keys() {
            self.outputs.push_back(Output::Announce { link: *link, adu: adu.clone() });
        }
    }

    fn advert(&self) -> Advert {
        let engines = self.resources.iter().flat_map(|resources| &resources.engines);
        let engines = engines.take(limits::ADVERT_ENTRIES_MAX).map(|engine| EngineAdvert {
            name: engine.name.clone(),
            fingerprint: engine.fingerprint.clone(),
            kinds: engine.kinds.clone(),
        });
        let models = self.models.iter().take(limits::ADVERT_ENTRIES_MAX);
        Advert {
            node: self.config.node.clone(),
            version: self.config.version.clone(),
            engines: engines.collect(),
            models: models.map(|(name, model)| (name.clone(), model.manifest_cid())).collect(),
        }
    }

    /// The summary, in frames of a limited size. Jobs come first: a peer that knows them to be over says so
    /// early.
    fn summary(&self) -> Vec<Have> {
        let mut frames = Vec::new();
        let frame = |bundles: Vec<_>, jobs: Vec<Digest>| Have {
            node: self.config.node.clone(),
            more: true,
            bundles,
            jobs,
        };
        let jobs: Vec<Digest> = self.ledger.jobs().collect();
        let bundles: Vec<_> = self.ledger.known().collect();
        let jobs = jobs.chunks(limits::SUMMARY_ENTRIES_MAX).map(|jobs| frame(Vec::new(), jobs.to_vec()));
        frames.extend(jobs);
        let bundles = bundles.chunks(limits::SUMMARY_ENTRIES_MAX);
        frames.extend(bundles.map(|bundles| frame(bundles.to_vec(), Vec::new())));
        frames.truncate(limits::SUMMARY_FRAMES_MAX);
        if frames.is_empty() {
            frames.push(frame(Vec::new(), Vec::new()));
        }
        frames.last_mut().expect("there is at least one frame").more = false;
        frames
    }

    /// The peer has said something. What cannot be read is ignored: it may be of a later version.
    pub(super) fn hear(&mut self, link: LinkId, adu: &Bytes) {
        if !self.links.contains_key(&link) {
            return;
        }
        match Adu::decode(adu) {
            Ok(Adu::Advert(advert)) => self.note_advert(advert),
            Ok(Adu::Have(have)) => self.hear_summary(link, have),
            Ok(Adu::Receipt(receipt)) if receipt.verify().is_ok() => {
                self.hear_over(link, &Ending::answered(&receipt), adu);
            }
            Ok(Adu::Cancel(cancel)) if cancel.verify().is_ok() => {
                self.hear_over(link, &Ending::cancelled(&cancel), adu);
            }
            Ok(
                Adu::Receipt(_)
                | Adu::Cancel(_)
                | Adu::Want(_)
                | Adu::Job(_)
                | Adu::Result(_)
                | Adu::SealedJob(_)
                | Adu::SealedResult(_)
                | Adu::Manifest(_)
                | Adu::ChunkList(_),
            )
            | Err(_) => {}
        }
    }

    fn hear_summary(&mut self, link: LinkId, have: Have) {
        let now = self.now;
        let contact = self.links.get_mut(&link).expect("the contact was just seen");
        contact.frames += 1;
        if contact.frames > limits::SUMMARY_FRAMES_MAX {
            if !contact.is_closing {
                contact.is_closing = true;
                self.outputs.push_back(Output::Close { link });
            }
            return;
        }
        for id in have.bundles.iter().take(limits::SUMMARY_ENTRIES_MAX) {
            contact.has.note(*id, |id| self.ledger.holds(id));
        }
        let is_waiting = contact.summary_due.is_some();
        if is_waiting {
            contact.summary_due = Some(now + limits::SUMMARY_PATIENCE);
        }
        for job in have.jobs.iter().take(limits::SUMMARY_ENTRIES_MAX) {
            for (asker, over) in self.receipts.of_job(job) {
                let key = (*job, asker.clone());
                if (over.from.is_none() || over.from != contact.peer) && contact.tell(key, over.sequence) {
                    self.outputs.push_back(Output::Announce { link, adu: over.adu.clone() });
                }
            }
        }
        if is_waiting && !have.more {
            self.begin_offers(link);
        }
    }

    /// A job is over for its asker: carriers forget.
    fn hear_over(&mut self, link: LinkId, ending: &Ending, adu: &Bytes) {
        let contact = self.links.get_mut(&link).expect("the contact was just seen");
        let peer = contact.peer.clone();
        contact.tell(ending.key(), ending.sequence);
        let known = self.receipts.get(ending.job.digest(), &ending.asker);
        if ending.asker == self.config.node || known.is_some_and(|over| over.covers(ending.sequence)) {
            return;
        }
        self.put_over(ending, adu.clone(), peer);
        self.end_for(ending);
    }

    /// What it means for this node that a job is over for an asker. A later wish of his stays.
    fn end_for(&mut self, ending: &Ending) {
        let (job, why) = (ending.job, ending.why());
        self.drop_bundles_of(ending);
        let Some(mut record) = self.jobs.get(job.digest()).cloned() else { return };
        record.askers.retain(|other| !other.is_of(&ending.asker) || other.sequence > ending.sequence);
        let is_wanted = record.askers.iter().any(|other| !other.answered);
        if record.is_open() && !is_wanted {
            match ending.is_cancel {
                true => {
                    record.state = JobState::Cancelled;
                    self.step(&mut record, Step::Cancelled);
                }
                false => record.state = JobState::Done,
            }
        }
        let is_open = record.is_open();
        let (outputs, has_askers) = (record.outputs.clone(), !record.askers.is_empty());
        self.put_job(record);
        if !is_open {
            self.settle(job.digest());
        }
        // Outputs go on while anybody may still lack them: whose result has passed may not have all of it.
        if !has_askers && self.ledger.of_job(job.digest()).is_empty() {
            self.drop_blocks(&outputs, why);
        }
    }

    /// Content blocks of an answer that has arrived everywhere need no carrying.
    fn drop_blocks(&mut self, blocks: &[bundle_spec::BlockRef], why: &'static str) {
        for block in blocks {
            for id in self.ledger.of_payload(block.cid.digest()) {
                let is_block = |entry: &super::ledger::Entry| entry.role() == super::endpoints::Role::Block;
                if self.ledger.get(&id).is_some_and(is_block) {
                    self.drop_bundle(&id, why);
                }
            }
        }
    }
}
