//! Answers: learning of one, and everything that follows from a job's state. [`Agent::settle`] may be called
//! any number of times: after a crash between two of its records it completes what is missing.

use bundle_spec::{BlockRef, BundleDigest, Cid, Codec, Digest, Eid, adu::Receipt};

use super::{
    Agent, EventKind, JobRecord, JobState, Retention,
    endpoints::{self, Role},
    ingress::{Arrival, Origin},
    ledger::Entry,
    mint::Draft,
    receipts::Ending,
    sealed::Told,
};
use crate::{limits, time::Time};

impl Agent {
    /// A result that may be believed is here: made here, or in a bundle to `destination`. A success takes the
    /// place of a failure; otherwise the first stays. Says whether it is news.
    pub(super) fn learn_result(
        &mut self,
        told: &Told,
        payload: BlockRef,
        destination: &Eid,
        expires: Time,
    ) -> bool {
        let (job, success) = (told.job, told.is_success);
        let known = self.jobs.get(job.digest()).cloned();
        if known.is_none() && !self.has_room_for_job() {
            return false;
        }
        let mut record = known.unwrap_or_else(|| JobRecord {
            job,
            payload: BlockRef { cid: job, len: 0 },
            until: expires + limits::TOMBSTONE_GRACE,
            received_at: self.mint.wall(self.now),
            askers: Vec::new(),
            state: JobState::Open,
            journey: Vec::new(),
            work: None,
            outputs: Vec::new(),
            missing: Vec::new(),
        });
        let is_better = match record.state {
            JobState::Open | JobState::Expired => true,
            JobState::Answered { success: before, .. } => success && !before,
            // Who took it back or has it already does not want it; others may ask anew.
            JobState::Done | JobState::Cancelled => false,
        };
        if is_better {
            self.take_result(&mut record, told, payload);
        }
        if let Some(asker) = record.asker_mut(destination).filter(|asker| !asker.local) {
            asker.answered = true;
        }
        self.put_job(record);
        is_better
    }

    fn take_result(&mut self, record: &mut JobRecord, told: &Told, payload: BlockRef) {
        // A failure may have been handed on already: who got it hears of the success, too.
        record.askers.iter_mut().for_each(|asker| asker.answered = false);
        let mut missing = std::mem::take(&mut record.missing);
        missing.retain(|block| !record.outputs.iter().any(|output| output.cid.digest() == block));
        record.outputs.clone_from(&told.outputs);
        let digests = record.outputs.iter().map(|output| *output.cid.digest());
        missing.extend(digests.filter(|output| !self.content.holds(output)));
        missing.retain(|block| block != payload.cid.digest());
        record.missing = missing;
        record.state = JobState::Answered { result: payload, success: told.is_success };
        self.step(record, told.step.clone());
    }

    /// A result bundle has reached its destination: this node.
    pub(super) fn acknowledge_result(&mut self, told: &Told, arrival: &Arrival, is_news: bool) {
        if is_news {
            let (header, payload) = (&arrival.header, arrival.payload);
            let endpoint = header.primary().destination().detached();
            self.tell(EventKind::Delivered { bundle: header.bundle_id().detached(), endpoint, payload });
        }
        // A job that is not waited for here (taken back, or forgotten) is over for us all the same. A failure
        // that another node may not have gets no receipt: copies of the job go on. Neither does an answer
        // whose outputs are not all here: carriers would forget those that are still on their way.
        let record = self.jobs.get(told.job.digest());
        if told.is_final && record.is_none_or(JobRecord::is_whole) {
            self.give_receipt(told.job, arrival.payload.cid.with_codec(Codec::DagCbor));
        }
    }

    /// The last output of an answer may have come: if somebody here asked, carriers may forget.
    pub(super) fn confirm(&mut self, job: &Digest) {
        let Some(record) = self.jobs.get(job) else { return };
        let JobState::Answered { result, success: true } = record.state else { return };
        if record.is_whole() && record.askers.iter().any(|asker| asker.local) {
            self.give_receipt(record.job, result.cid.with_codec(Codec::DagCbor));
        }
    }

    fn give_receipt(&mut self, job: Cid, result: Cid) {
        let node = self.config.node.clone();
        let wish = self.jobs.get(job.digest()).and_then(|record| record.wish_of(&node));
        let known = self.receipts.get(job.digest(), &node);
        if known.is_some_and(|over| wish.is_none_or(|wish| over.covers(wish))) {
            return;
        }
        let (wall, sequence) = (self.mint.wall(self.now), self.mint.last_sequence());
        let receipt = Receipt::sign(job, result, node, wall, sequence, &self.config.key);
        self.put_over(&Ending::answered(&receipt), receipt.encode(), None);
    }

    /// Everything that follows from the state of a job:
    ///
    /// | state       | askers                                  | its job bundles | its task |
    /// |-------------|-----------------------------------------|-----------------|----------|
    /// | `Open`      |                                         | stay            | runs on  |
    /// | `Answered`  | here: receipt; elsewhere: result bundle | go              | stops    |
    /// | others      |                                         | go              | stops    |
    ///
    /// While outputs of an answer are missing there is no receipt, and job bundles of those elsewhere whose
    /// result does not pass through here stay and go on.
    pub(super) fn settle(&mut self, job: &Digest) {
        let Some(record) = self.jobs.get(job).cloned() else { return };
        let why = match record.state {
            JobState::Open => return,
            JobState::Answered { result, success } => {
                self.answer_askers(record.clone(), result, success);
                "cured"
            }
            JobState::Done => "cured",
            JobState::Expired => "expired",
            JobState::Cancelled => "cancelled",
        };
        self.stop_task(job);
        for id in self.job_bundles(job) {
            let asker = self.ledger.get(&id).and_then(Entry::asker);
            if !asker.is_some_and(|asker| self.awaits_outputs(&record, &asker)) {
                self.drop_bundle(&id, why);
            }
        }
        self.drop_inputs(&record, why);
    }

    /// Whether an answer is here that is of no use to this asker: without its outputs, and no result for
    /// him is on its way through here. His job goes on to whoever has all of it.
    pub(super) fn awaits_outputs(&self, record: &JobRecord, asker: &Eid) -> bool {
        let is_answered = match record.state {
            JobState::Answered { .. } => true,
            JobState::Open | JobState::Done | JobState::Expired | JobState::Cancelled => false,
        };
        is_answered && !record.is_whole() && !self.has_result_for(record.job.digest(), asker)
    }

    /// The job bundles of a job, without results.
    pub(super) fn job_bundles(&self, job: &Digest) -> Vec<BundleDigest> {
        let mut bundles = self.ledger.of_job(job);
        bundles.retain(|id| self.ledger.get(id).is_some_and(|entry| entry.role() == Role::Job));
        bundles
    }

    fn answer_askers(&mut self, mut record: JobRecord, result: BlockRef, success: bool) {
        // Askers beyond the limit stand only in their bundles.
        let bundles = self.job_bundles(record.job.digest());
        let entries = bundles.iter().filter_map(|id| self.ledger.get(id));
        let mut waiting: Vec<(Eid, Time)> =
            entries.filter_map(|entry| Some((entry.asker()?, entry.expires))).collect();
        waiting.retain(|(eid, _)| record.askers.iter().all(|asker| asker.reply_to != *eid));
        let open = record.askers.iter().filter(|asker| !asker.answered && !asker.local);
        waiting.extend(open.map(|asker| (asker.reply_to.clone(), asker.until)));
        waiting.retain(|(eid, _)| !self.awaits_outputs(&record, eid));
        let is_waited_for_here = record.askers.iter().any(|asker| asker.local && !asker.answered);
        if waiting.is_empty() && !is_waited_for_here {
            return;
        }
        waiting.sort();
        waiting.dedup_by(|later, earlier| later.0 == earlier.0);
        for (reply_to, until) in waiting {
            self.send_result(&record, result, reply_to, until);
        }
        if is_waited_for_here && success && record.is_whole() {
            self.give_receipt(record.job, result.cid.with_codec(Codec::DagCbor));
        }
        let before = record.clone();
        for asker in &mut record.askers {
            asker.answered |= !self.awaits_outputs(&before, &asker.reply_to);
        }
        self.put_job(record);
    }

    pub(super) fn send_result(&mut self, record: &JobRecord, result: BlockRef, reply_to: Eid, expires: Time) {
        if expires <= self.now || reply_to.node_id().as_ref() == Some(&self.config.node) {
            return;
        }
        let source = endpoints::answers(&self.config.node);
        let outputs = record.outputs.iter().filter(|block| !record.missing.contains(block.cid.digest()));
        for block in outputs {
            if self.ledger.of_payload(block.cid.digest()).is_empty() {
                self.send_block(*block, expires);
            }
        }
        let draft = Draft { source, destination: reply_to, payload: result, expires };
        let header = self.mint(&draft);
        let arrival =
            Arrival { header, payload: result, adu: None, opened: None, expires, origin: Origin::Here };
        self.keep(arrival, Some(record.job), Retention::ForwardPending);
    }

    /// Sends a content block on its own.
    pub(super) fn send_block(&mut self, block: BlockRef, expires: Time) {
        let source = endpoints::answers(&self.config.node);
        let draft = Draft { source, destination: endpoints::blocks(), payload: block, expires };
        let header = self.mint(&draft);
        let arrival =
            Arrival { header, payload: block, adu: None, opened: None, expires, origin: Origin::Here };
        self.keep(arrival, None, Retention::ForwardPending);
    }

    /// The inputs of a finished job need no carrying, unless another open job links to them.
    fn drop_inputs(&mut self, record: &JobRecord, why: &'static str) {
        for input in record.work.iter().flat_map(|work| &work.inputs) {
            let bundles = self.ledger.of_payload(input.cid.digest());
            if bundles.is_empty() || self.is_linked_by_open_job(input) {
                continue;
            }
            for id in bundles {
                if self.ledger.get(&id).is_some_and(|entry| entry.role() == Role::Block) {
                    self.drop_bundle(&id, why);
                }
            }
        }
    }

    fn is_linked_by_open_job(&self, block: &BlockRef) -> bool {
        let mut open = self.jobs.open().iter().filter_map(|(_, job)| self.jobs.get(job));
        open.any(|record| record.work.iter().any(|work| work.inputs.contains(block)))
    }
}
