//! Every change of durable state: the record goes out with the change, blocks are counted, links are told.

use bundle_spec::{BundleDigest, Digest, Header, NodeId, report::ReasonCode};
use bytes::Bytes;

use super::{
    Agent, Event, EventKind, JobRecord, Output, Record, Retention, Step,
    ledger::Entry,
    receipts::{self, Ending, Over, OverKey},
    report::Statement,
};
use crate::limits;

impl Agent {
    /// A bundle is held from here on.
    pub(super) fn put_bundle(&mut self, entry: Entry) {
        self.outputs.push_back(Output::Record(Record::Bundle(Box::new(entry.record()))));
        self.content.handle_held(&entry.payload);
        let id = entry.id.digest();
        let offer = super::link::offer_key(&id, &entry);
        self.ledger.insert(entry);
        for link in self.links.values_mut() {
            link.offer(offer);
        }
    }

    /// Changes why a bundle is kept.
    pub(super) fn retain(&mut self, id: &BundleDigest, retention: Retention) {
        if self.ledger.get(id).is_none_or(|entry| entry.retention == retention) {
            return;
        }
        let entry = self.ledger.retain(id, retention).expect("the bundle was just seen");
        self.outputs.push_back(Output::Record(Record::Bundle(Box::new(entry.record()))));
        let offer = super::link::offer_key(id, entry);
        for link in self.links.values_mut() {
            link.offer(offer);
        }
    }

    /// A bundle is no longer held, and not taken again while it lives.
    pub(super) fn drop_bundle(&mut self, id: &BundleDigest, why: &'static str) {
        let Some(entry) = self.ledger.get(id) else { return };
        if entry.expires > self.now {
            let until = entry.expires;
            self.remember(*id, until);
        }
        self.lose_bundle(id, why);
    }

    /// A bundle is no longer held; it may be taken again.
    pub(super) fn lose_bundle(&mut self, id: &BundleDigest, why: &'static str) {
        let Some(entry) = self.ledger.remove(id) else { return };
        self.outputs.push_back(Output::Record(Record::BundleGone { id: *id }));
        self.content.handle_given_up(self.now, &entry.payload);
        self.handovers.forget(id);
        self.forget_reading(id);
        for (name, link) in &mut self.links {
            link.refused.remove(id);
            for (transfer, flight) in link.in_flight.iter().filter(|(_, flight)| flight.whole == *id) {
                if link.aborted.insert(*transfer) {
                    self.outputs.push_back(Output::Abort { link: *name, bundle: flight.bundle.clone() });
                }
            }
        }
        self.report_end(&entry.header, why);
        self.tell(EventKind::Deleted { bundle: entry.id, why });
    }

    /// What the end of a bundle here means to who wants reports: the one place where deletions are reported.
    pub(super) fn report_end(&mut self, header: &Header, why: &'static str) {
        if why == "taken" {
            self.report(header, Statement::Delivered, ReasonCode::NoInformation);
        } else if let Some(reason) = Self::reason_of(why) {
            self.report(header, Statement::Deleted, reason);
        }
    }

    /// A bundle that is gone or was never kept is not taken again before its end.
    pub(super) fn remember(&mut self, id: BundleDigest, until: crate::time::Time) {
        while self.ledger.seen_len() >= limits::SEEN_MAX {
            let Some((_, oldest)) = self.ledger.first_seen() else { break };
            self.forget_seen(&oldest);
        }
        self.ledger.remember(id, until);
        self.outputs.push_back(Output::Record(Record::Seen { id, until }));
    }

    /// A bundle that is gone is forgotten.
    pub(super) fn forget_seen(&mut self, id: &BundleDigest) {
        self.ledger.forget(id);
        self.outputs.push_back(Output::Record(Record::SeenGone { id: *id }));
    }

    /// A job is as this record says.
    pub(super) fn put_job(&mut self, record: JobRecord) {
        let job = *record.job.digest();
        self.outputs.push_back(Output::Record(Record::Job(Box::new(record.clone()))));
        for block in record.blocks() {
            self.content.handle_held(&block);
        }
        if record.is_open() {
            self.tasks.look_at(record.since(), job);
        }
        let lacked_blocks = self.jobs.lacks_blocks();
        let before = self.jobs.insert(record);
        if !lacked_blocks && self.jobs.lacks_blocks() {
            self.ledger.gatherings_mut().look_at_all();
        }
        for block in before.iter().flat_map(JobRecord::blocks) {
            self.content.handle_given_up(self.now, &block);
        }
    }

    /// A job is forgotten.
    pub(super) fn forget_job(&mut self, job: &Digest) {
        let Some(record) = self.jobs.remove(job) else { return };
        self.outputs.push_back(Output::Record(Record::JobGone { job: *job }));
        for block in record.blocks() {
            self.content.handle_given_up(self.now, &block);
        }
    }

    /// Whether room can be made for one more job.
    pub(super) fn may_have_room_for_job(&self) -> bool {
        self.jobs.len() < limits::JOBS_MAX || self.jobs.first_finished().is_some()
    }

    /// Makes room for one more job; `false` if all that are known are open.
    pub(super) fn has_room_for_job(&mut self) -> bool {
        while self.jobs.len() >= limits::JOBS_MAX {
            let Some((_, oldest)) = self.jobs.first_finished() else { return false };
            self.forget_job(&oldest);
        }
        true
    }

    /// A job is over for somebody. Told to every contact but the one that told us.
    pub(super) fn put_over(&mut self, ending: &Ending, adu: Bytes, from: Option<NodeId>) {
        let (key, sequence) = (ending.key(), ending.sequence);
        while self.receipts.len() >= limits::RECEIPTS_MAX {
            let Some((_, oldest)) = self.receipts.first() else { break };
            self.forget_over(&oldest);
        }
        let until = Over::until(self.now);
        let record = Record::Receipt { job: receipts::record_key(&key), adu: adu.clone(), until };
        self.outputs.push_back(Output::Record(record));
        for (name, link) in &mut self.links {
            if (from.is_none() || from != link.peer) && link.tell(key.clone(), sequence) {
                self.outputs.push_back(Output::Announce { link: *name, adu: adu.clone() });
            }
        }
        self.receipts.insert(key, Over { adu, sequence, until, from });
    }

    /// It is forgotten that a job is over for somebody.
    pub(super) fn forget_over(&mut self, key: &OverKey) {
        if self.receipts.remove(key).is_some() {
            let record = Record::ReceiptGone { job: receipts::record_key(key) };
            self.outputs.push_back(Output::Record(record));
        }
    }

    /// A job makes a step; the caller records the job.
    pub(super) fn step(&mut self, record: &mut JobRecord, step: Step) {
        record.step(self.now, self.mint.wall(self.now), step.clone());
        self.tell(EventKind::Job { job: record.job, step });
    }

    /// People may want to know.
    pub(super) fn tell(&mut self, kind: EventKind) {
        self.events.push(Event { at: self.now, wall: self.mint.wall(self.now), kind });
    }
}
