//! Dispatch (RFC 9171 §5.3): what a bundle is to this node, and why it is kept.

use bundle_spec::{
    Cid, Codec, Digest, Eid,
    adu::{Job, JobInput},
    report::ReasonCode,
};

use super::{
    Agent, AskerRecord, JobRecord, JobState, JobWork, Retention, Step,
    endpoints::{self, Role},
    ingress::{Arrival, Origin},
    ledger::Entry,
    report::Statement,
    sealed::{self, Believed},
};
use crate::{limits, time::Time};

/// A job as it is read from its bundle or its submission.
pub(super) struct KnownJob {
    /// Its name.
    pub(super) job: Cid,
    /// Its ADU.
    pub(super) payload: bundle_spec::BlockRef,
    /// What it asks for.
    pub(super) work: JobWork,
    /// Who wants the answer.
    pub(super) asker: AskerRecord,
    /// How it came here.
    pub(super) step: Step,
}

impl Agent {
    /// What becomes of a bundle; says of which job it is.
    ///
    /// | destination         | payload             | kept as                                        |
    /// |---------------------|---------------------|------------------------------------------------|
    /// | this node           | a fragment          | `ReassemblyPending`                            |
    /// | this node           | a report, a record  | not: read; `Delivered` at an application's endpoint |
    /// | this node's answers | anything            | not: delivered or disbelieved                  |
    /// | this node's echo    | anything            | not: sent back                                 |
    /// | this node           | anything            | `Delivered`                                    |
    /// | `~jobs`             | a job               | `ForwardPending`, `RunPending` while its task runs; |
    /// |                     |                     | not if it is answered here                     |
    /// | answers elsewhere   | a believable result | `ForwardPending`; the job is answered here, too |
    /// | anything else       | anything            | `ForwardPending`; delivered, too, to who is registered |
    pub(super) fn arrive(&mut self, arrival: Arrival) -> Option<Cid> {
        let destination = arrival.header.primary().destination().detached();
        let is_local = destination.node_id().as_ref() == Some(&self.config.node);
        let role = endpoints::role(&arrival.header);
        if is_local {
            if arrival.header.primary().flags().is_fragment() {
                self.keep(arrival, None, Retention::ReassemblyPending);
                return None;
            }
            if arrival.header.primary().flags().is_administrative() {
                self.arrive_record(arrival, destination);
                return None;
            }
            if role == Role::Result {
                return self.arrive_result(arrival, &destination, true);
            }
            self.deliver(arrival, destination);
            return None;
        }
        match role {
            Role::Job => self.arrive_job(arrival),
            Role::Result => self.arrive_result(arrival, &destination, false),
            Role::Block => {
                let payload = arrival.payload;
                self.keep(arrival, None, Retention::ForwardPending);
                self.gain_block(&payload);
                None
            }
            Role::Other => {
                let copy = self.is_for_us_too(&arrival).then(|| self.delivered_copy(&arrival));
                self.keep(arrival, None, Retention::ForwardPending);
                self.outputs.extend(copy);
                None
            }
        }
    }

    /// Keeps a bundle.
    pub(super) fn keep(&mut self, arrival: Arrival, job: Option<Cid>, retention: Retention) {
        let id = arrival.header.bundle_id().detached();
        self.put_bundle(Entry {
            id,
            header: arrival.header,
            payload: arrival.payload,
            received: self.now,
            expires: arrival.expires,
            job,
            retention,
        });
    }

    fn arrive_job(&mut self, arrival: Arrival) -> Option<Cid> {
        let (Some(work), Some(reply_to)) = (sealed::work(&arrival), endpoints::asker(&arrival.header)) else {
            self.keep(arrival, None, Retention::ForwardPending);
            return None;
        };
        let job = arrival.payload.cid.with_codec(Codec::DagCbor);
        let local = reply_to.node_id().as_ref() == Some(&self.config.node);
        let step = match &arrival.origin {
            Origin::Here => Step::Accepted,
            Origin::Peer(from) => Step::Received { from: from.clone() },
        };
        self.know_job(
            KnownJob {
                job,
                payload: arrival.payload,
                work,
                asker: AskerRecord {
                    reply_to: reply_to.clone(),
                    until: arrival.expires,
                    local,
                    answered: false,
                    sequence: endpoints::wish(&arrival.header),
                },
                step,
            },
            &[*arrival.payload.cid.digest()],
        );
        let record = self.jobs.get(job.digest()).expect("the job was just put in").clone();
        let answer = match record.state {
            JobState::Answered { result, .. } if !self.awaits_outputs(&record, &reply_to) => Some(result),
            JobState::Answered { .. }
            | JobState::Open
            | JobState::Done
            | JobState::Expired
            | JobState::Cancelled => None,
        };
        let Some(result) = answer else {
            let retention = self.job_retention(job.digest());
            self.keep(arrival, Some(job), retention);
            return Some(job);
        };
        self.remember(arrival.header.bundle_id().digest(), arrival.expires);
        if record.askers.iter().all(|asker| asker.reply_to != reply_to) {
            self.send_result(&record, result, reply_to, arrival.expires);
        }
        self.settle(job.digest());
        Some(job)
    }

    /// Why a job bundle is kept: for its task if that runs, else for a contact.
    pub(super) fn job_retention(&self, job: &Digest) -> Retention {
        match self.tasks.runs(job) {
            true => Retention::RunPending,
            false => Retention::ForwardPending,
        }
    }

    /// Whether a job that is known is asked for as if it were not: it is over without an answer, or the
    /// answer is here without its outputs, which were carried past for others and will not come again.
    pub(super) fn begins_anew(&self, record: &JobRecord, asker: &AskerRecord) -> bool {
        match record.state {
            JobState::Open => false,
            JobState::Answered { .. } => {
                let is_awaited = record.askers.iter().any(|other| other.local && other.until > self.now);
                asker.local && !record.is_whole() && !is_awaited
            }
            JobState::Done | JobState::Expired | JobState::Cancelled => true,
        }
    }

    /// Somebody wants an answer to a job. `present` names blocks that are in the store and not yet held.
    pub(super) fn know_job(&mut self, known: KnownJob, present: &[Digest]) {
        let digest = *known.job.digest();
        let mut record = self.jobs.get(&digest).cloned().unwrap_or_else(|| JobRecord {
            job: known.job,
            payload: known.payload,
            until: Time::ZERO,
            received_at: self.mint.wall(self.now),
            askers: Vec::new(),
            state: JobState::Open,
            journey: Vec::new(),
            work: None,
            outputs: Vec::new(),
            missing: Vec::new(),
        });
        let is_over = self.begins_anew(&record, &known.asker);
        if is_over {
            record.state = JobState::Open;
            record.outputs.clear();
            record.askers.retain(|asker| asker.until > self.now && !asker.answered);
        }
        let is_here = |block: &Digest| self.content.holds(block) || present.contains(block);
        let is_news = record.work.as_ref().is_none_or(|before| before.is_less_than(&known.work));
        if is_over || is_news {
            record.payload = known.payload;
            let inputs = known.work.inputs.iter().map(|input| *input.cid.digest());
            let outputs = record.outputs.iter().map(|output| *output.cid.digest());
            record.missing = inputs.chain(outputs).filter(|block| !is_here(block)).collect();
            record.work = Some(known.work);
        } else {
            record.missing.retain(|block| !is_here(block));
        }
        record.until = record.until.max(known.asker.until + limits::TOMBSTONE_GRACE);
        let has_result = self.has_result_for(&digest, &known.asker.reply_to);
        let has_room = record.askers.len() < limits::ASKERS_MAX;
        match record.asker_mut(&known.asker.reply_to) {
            Some(asker) => {
                asker.until = asker.until.max(known.asker.until);
                asker.local |= known.asker.local;
                asker.answered &= has_result;
                asker.sequence = asker.sequence.max(known.asker.sequence);
            }
            None if has_room => record.askers.push(known.asker),
            None => {}
        }
        self.step(&mut record, known.step);
        self.put_job(record);
    }

    pub(super) fn has_result_for(&self, job: &Digest, reply_to: &Eid) -> bool {
        let bundles = self.ledger.of_job(job);
        let mut entries = bundles.iter().filter_map(|id| self.ledger.get(id));
        entries.any(|entry| entry.role() == Role::Result && entry.asker().as_ref() == Some(reply_to))
    }

    fn arrive_result(&mut self, arrival: Arrival, destination: &Eid, is_local: bool) -> Option<Cid> {
        let told = match self.told_by(&arrival) {
            Believed::Yes(told) if !is_local || told.is_read => told,
            Believed::Yes(_) | Believed::No if is_local => {
                self.discard(&arrival, "disbelieved");
                return None;
            }
            Believed::Yes(_) | Believed::No => {
                self.keep(arrival, None, Retention::ForwardPending);
                return None;
            }
            Believed::Unknown(job) if is_local => {
                self.discard(&arrival, "disbelieved");
                return Some(job);
            }
            Believed::Unknown(job) => {
                self.keep(arrival, Some(job), Retention::ForwardPending);
                return Some(job);
            }
        };
        let job = told.job;
        let is_news = self.learn_result(&told, arrival.payload, destination, arrival.expires);
        if is_local {
            self.discard(&arrival, "delivered");
            self.acknowledge_result(&told, &arrival, is_news);
        } else {
            self.keep(arrival, Some(job), Retention::ForwardPending);
        }
        self.settle(job.digest());
        Some(job)
    }

    /// A bundle is not kept, and not taken again.
    pub(super) fn discard(&mut self, arrival: &Arrival, why: &'static str) {
        let bundle = arrival.header.bundle_id();
        self.remember(bundle.digest(), arrival.expires);
        match why {
            "delivered" => self.report(&arrival.header, Statement::Delivered, ReasonCode::NoInformation),
            _ => self.report_end(&arrival.header, why),
        }
        self.tell(super::EventKind::Deleted { bundle: bundle.detached(), why });
    }
}

/// What a job asks for, as far as its placement depends on it.
pub(super) fn work_of(job: &Job) -> JobWork {
    let linked = job.inputs.iter().filter_map(|input| match input {
        JobInput::Inline { .. } => None,
        JobInput::Link { block, .. } => Some(*block),
    });
    JobWork { kind: Some(job.kind), model: job.model.clone(), inputs: linked.collect(), seal: None }
}
