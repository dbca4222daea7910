//! What people here want sent or done. The answer follows the records.

use std::time::Duration;

use bundle_spec::{
    BlockRef, Cid, Codec, CrcType, Digest, Eid, Header,
    adu::{Cancel, Job},
};

use super::{
    Agent, Answer, AskerRecord, CallId, JobState, JobWork, NewBundle, NewJob, Output, Retention, Step,
    Submission, SubmitError, Terms,
    dispatch::{KnownJob, work_of},
    endpoints::{self, Role},
    ingress::{Arrival, Origin},
    mint::Draft,
    receipts::Ending,
};
use crate::{limits, time::Time};

/// Shortest lifetime that makes sense.
const LIFETIME_MIN: Duration = Duration::from_secs(1);

/// A job that is accepted.
struct Wanted {
    job: Cid,
    work: JobWork,
    asker: AskerRecord,
    /// Whether its answer is here and nothing begins.
    has_answer: bool,
    /// Whether a bundle of ours asks for it already.
    is_asked: bool,
}

impl Agent {
    /// Whether something would be accepted, before its blocks are written: what is refused then takes up no
    /// room. Blocks that are written cannot be taken back at once, since others may have written the same.
    /// Pure.
    ///
    /// # Errors
    /// Why not.
    pub fn admit_submission(&self, submission: &Submission) -> Result<(), SubmitError> {
        match submission {
            Submission::Job(new) => self.judge_new_job(new).map(drop),
            Submission::Bundle(new) => self.judge_new_bundle(new).map(drop),
        }
    }

    /// Somebody wants something sent or done.
    pub(super) fn submit(&mut self, call: CallId, submission: Submission) {
        let (result, blocks) = match submission {
            Submission::Job(new) => {
                let blocks = new.blocks.iter().copied().chain([new.payload]).collect::<Vec<_>>();
                (self.submit_job(&new), blocks)
            }
            Submission::Bundle(new) => (self.submit_bundle(&new), vec![new.payload]),
        };
        self.outputs.push_back(Output::Answer { call, result });
        blocks.iter().for_each(|block| self.content.handle_unwanted(self.now, block));
    }

    fn judge_new_job(&self, new: &NewJob) -> Result<Wanted, SubmitError> {
        let adu = Job::decode(&new.adu).map_err(|error| SubmitError::Malformed(error.to_string()))?;
        if new.blocks.iter().any(|block| block.len > limits::INPUT_BYTES_MAX) {
            return Err(SubmitError::Limit("bytes of one input"));
        }
        let expires = self.expires(new.lifetime)?;
        let job = new.payload.cid.with_codec(Codec::DagCbor);
        let digest = *job.digest();
        let reply_to = endpoints::answers(&self.config.node);
        let asker = AskerRecord { reply_to, until: expires, local: true, answered: false, sequence: 0 };
        let known = self.jobs.get(&digest);
        let has_answer = known.is_some_and(|record| !record.is_open() && !self.begins_anew(record, &asker));
        // Asked here before and not answered yet: there is nothing new to be kept.
        let is_asked = known.is_some_and(|record| record.is_open()) && self.is_under_way(&digest);
        if known.is_none() && !self.may_have_room_for_job() {
            return Err(SubmitError::Limit("jobs"));
        }
        if !has_answer && !is_asked {
            self.check_room(1 + new.blocks.len())?;
        }
        let work = JobWork { seal: new.seal, ..work_of(&adu) };
        Ok(Wanted { job, work, asker, has_answer, is_asked })
    }

    fn submit_job(&mut self, new: &NewJob) -> Result<Answer, SubmitError> {
        let Wanted { job, work, asker, has_answer, is_asked } = self.judge_new_job(new)?;
        let (digest, expires) = (*job.digest(), asker.until);
        if self.jobs.get(&digest).is_none() {
            assert!(self.has_room_for_job(), "the job was found to have room");
        }
        let header = (!has_answer && !is_asked).then(|| self.job_header(new.payload, expires));
        let sequence = header.as_ref().map_or(0, |header| header.primary().timestamp().sequence);
        let asker = AskerRecord { sequence, ..asker };
        let present: Vec<Digest> =
            new.blocks.iter().chain([&new.payload]).map(|block| *block.cid.digest()).collect();
        self.know_job(KnownJob { job, payload: new.payload, work, asker, step: Step::Accepted }, &present);
        self.settle(&digest);
        if let Some(header) = header {
            self.send_job(&job, header, new.payload, &new.blocks, expires);
        }
        Ok(Answer::Job { job, answered: has_answer })
    }

    /// The header of a job bundle of ours.
    fn job_header(&mut self, payload: BlockRef, expires: Time) -> Header {
        let source = endpoints::answers(&self.config.node);
        self.mint(&Draft { source, destination: endpoints::jobs(), payload, expires })
    }

    /// Sends an open job once more, unless a bundle of ours is under way already.
    pub(super) fn send_job_again(&mut self, job: &Digest, expires: Time) {
        let Some(mut record) = self.jobs.get(job).cloned().filter(|_| !self.is_under_way(job)) else {
            return;
        };
        let header = self.job_header(record.payload, expires);
        if let Some(asker) = record.asker_mut(header.primary().source()) {
            asker.sequence = header.primary().timestamp().sequence;
        }
        let inputs = record.work.iter().flat_map(|work| &work.inputs);
        let inputs: Vec<BlockRef> =
            inputs.filter(|input| !record.missing.contains(input.cid.digest())).copied().collect();
        let (cid, payload) = (record.job, record.payload);
        self.put_job(record);
        self.send_job(&cid, header, payload, &inputs, expires);
    }

    fn send_job(&mut self, job: &Cid, header: Header, payload: BlockRef, blocks: &[BlockRef], expires: Time) {
        for block in blocks {
            if self.ledger.of_payload(block.cid.digest()).is_empty() {
                self.send_block(*block, expires);
            }
        }
        let retention = self.job_retention(job.digest());
        self.keep(
            Arrival { header, payload, adu: None, opened: None, expires, origin: Origin::Here },
            Some(*job),
            retention,
        );
    }

    /// Whether a bundle of ours asks for the job, and we have not said that it is over.
    fn is_under_way(&self, job: &Digest) -> bool {
        let home = endpoints::answers(&self.config.node);
        let over = self.receipts.get(job, &self.config.node);
        let bundles = self.job_bundles(job);
        let mut ours =
            bundles.iter().filter_map(|id| self.ledger.get(id)).filter(|entry| entry.id.source == home);
        ours.any(|entry| !over.is_some_and(|over| over.covers(entry.id.timestamp.sequence)))
    }

    /// When its lifetime ends, and whom it is from.
    fn judge_new_bundle(&self, new: &NewBundle) -> Result<(Time, Eid), SubmitError> {
        let expires = self.expires(new.lifetime)?;
        self.check_room(1)?;
        if new.payload.len > limits::PAYLOAD_BYTES_MAX {
            return Err(SubmitError::Limit("bytes of one bundle"));
        }
        if new.destination == Eid::None {
            return Err(SubmitError::Malformed("a bundle needs a destination".to_owned()));
        }
        judge_terms(&new.terms)?;
        Ok((expires, self.source(&new.source)?))
    }

    fn submit_bundle(&mut self, new: &NewBundle) -> Result<Answer, SubmitError> {
        let (expires, source) = self.judge_new_bundle(new)?;
        let destination = new.destination.clone();
        let draft = Draft { source, destination, payload: new.payload, expires };
        let header = self.mint_on(&draft, &new.terms);
        let bundle = header.bundle_id().detached();
        self.arrive(Arrival {
            header,
            payload: new.payload,
            adu: None,
            opened: None,
            expires,
            origin: Origin::Here,
        });
        Ok(Answer::Bundle(bundle))
    }

    fn source(&self, demux: &str) -> Result<Eid, SubmitError> {
        let malformed = || SubmitError::Malformed(format!("`{demux}` is not the name of an endpoint"));
        match self.config.node.eid() {
            Eid::Ipn { .. } => {
                let service = demux.parse().map_err(|_| malformed())?;
                Ok(self.config.node.endpoint("", service))
            }
            Eid::None | Eid::Dtn(_) => {
                Eid::dtn("node", demux).map_err(|_| malformed())?;
                Ok(self.config.node.endpoint(demux, 0))
            }
        }
    }

    fn expires(&self, lifetime: Option<Duration>) -> Result<Time, SubmitError> {
        let lifetime = lifetime.unwrap_or(limits::LIFETIME_DEFAULT);
        if lifetime < LIFETIME_MIN || lifetime > limits::LIFETIME_MAX {
            return Err(SubmitError::Lifetime);
        }
        Ok(self.now + lifetime)
    }

    fn check_room(&self, bundles: usize) -> Result<(), SubmitError> {
        if self.resources.as_ref().is_some_and(|resources| resources.store_free == 0) {
            return Err(SubmitError::StoreFull);
        }
        if self.ledger.len().saturating_add(bundles) > self.bundles_max() {
            return Err(SubmitError::Limit("bundles"));
        }
        Ok(())
    }

    /// Somebody here no longer wants a job.
    pub(super) fn cancel(&mut self, call: CallId, job: Cid) {
        let result = self.cancel_job(&job);
        self.outputs.push_back(Output::Answer { call, result });
    }

    fn cancel_job(&mut self, job: &Cid) -> Result<Answer, SubmitError> {
        let digest = job.digest();
        let mut record = self.jobs.get(digest).cloned().ok_or(SubmitError::NotFound)?;
        if !record.is_open() {
            return Err(SubmitError::Over);
        }
        if record.askers.iter().all(|asker| !asker.local) {
            return Err(SubmitError::NotFound);
        }
        let node = self.config.node.clone();
        let cancel = Cancel::sign(record.job, node, self.mint.last_sequence(), &self.config.key);
        let ending = Ending::cancelled(&cancel);
        record.askers.retain(|asker| !asker.local);
        if record.askers.is_empty() {
            record.state = JobState::Cancelled;
        }
        self.step(&mut record, Step::Cancelled);
        self.put_job(record);
        // Others hear of it once it is so here: a crash in between leaves a job that nobody minds being done.
        self.put_over(&ending, cancel.encode(), None);
        self.drop_bundles_of(&ending);
        self.settle(digest);
        Ok(Answer::Done)
    }

    /// Drops what is under way of a job on account of wishes that are over: job bundles, and results for who
    /// has the answer. A result may be the answer to a later wish: who has only taken it back gets it all the
    /// same.
    pub(super) fn drop_bundles_of(&mut self, ending: &Ending) {
        let ends_results = !ending.is_cancel && !self.is_wished_after(ending);
        for id in self.ledger.of_job(ending.job.digest()) {
            let entry = self.ledger.get(&id).expect("the index of jobs names bundles that are held");
            let is_over = match entry.role() {
                Role::Job => endpoints::wish(&entry.header) <= ending.sequence,
                Role::Result => ends_results,
                Role::Block | Role::Other => false,
            };
            let is_his = entry.asker().and_then(|eid| eid.node_id()).as_ref() == Some(&ending.asker);
            if is_over && is_his && entry.retention != Retention::Delivered {
                self.drop_bundle(&id, ending.why());
            }
        }
    }

    /// Whether a later wish of the same asker is known.
    fn is_wished_after(&self, ending: &Ending) -> bool {
        let record = self.jobs.get(ending.job.digest());
        record.and_then(|record| record.wish_of(&ending.asker)).is_some_and(|wish| wish > ending.sequence)
    }
}

/// Whether a bundle can be made on these terms.
fn judge_terms(terms: &Terms) -> Result<(), SubmitError> {
    let wrong = |why: &str| Err(SubmitError::Malformed(why.to_owned()));
    if !Terms::FLAGS.contains(terms.flags) {
        return wrong("these flags are not the sender's to choose");
    }
    if terms.hop_limit == 0 {
        return wrong("a hop limit is between 1 and 255");
    }
    if terms.crc == CrcType::None {
        return wrong("the primary block of a bundle needs a checksum");
    }
    Ok(())
}
