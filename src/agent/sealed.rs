//! Sealed jobs and their answers: what this node knows of them, whether or not it can read them. The driver
//! holds the keys; what they open comes with the bundle.

use bundle_spec::{
    BlockRef, Cid, Digest,
    adu::{Failure, Job, JobResult, ModelSelector, Outcome, Output, SealedJob, SealedResult},
};

use super::{Agent, JobWork, Seal, Step, dispatch::work_of, ingress::Arrival};

/// What an answer says, as far as it is known here.
pub(super) struct Told {
    /// Which job.
    pub(super) job: Cid,
    /// Whether it was read: not if it is sealed for others.
    pub(super) is_read: bool,
    /// Whether it is an answer and not a failure; a sealed one counts as an answer.
    pub(super) is_success: bool,
    /// Whether no other node can do better.
    pub(super) is_final: bool,
    /// Blocks that it links to.
    pub(super) outputs: Vec<BlockRef>,
    /// What it means in the journey of the job.
    pub(super) step: Step,
}

/// Whether what looks like an answer is taken for one.
pub(super) enum Believed {
    /// It is one.
    Yes(Told),
    /// It is none, or not by who it says.
    No,
    /// It is sealed for others, and nothing here says whether it answers this job.
    Unknown(Cid),
}

/// What a job bundle asks for; `None` if it holds no job.
pub(super) fn work(arrival: &Arrival) -> Option<JobWork> {
    let adu = arrival.adu.as_ref()?;
    if let Ok(job) = Job::decode(adu) {
        return Some(work_of(&job));
    }
    let sealed = SealedJob::decode(adu).ok()?;
    let opened = arrival.opened.as_ref().and_then(|opened| Job::decode(opened).ok());
    let seal = Seal { level: sealed.level, commitment: sealed.commitment, is_open_here: opened.is_some() };
    let unread = || JobWork { kind: None, model: ModelSelector::None, inputs: Vec::new(), seal: None };
    Some(JobWork { seal: Some(seal), ..opened.as_ref().map_or_else(unread, work_of) })
}

impl JobWork {
    /// Whether the other one says more of the same job.
    pub(super) fn is_less_than(&self, other: &Self) -> bool {
        let opens = |work: &Self| work.seal.is_none_or(|seal| seal.is_open_here);
        !opens(self) && opens(other)
    }
}

impl Told {
    /// What a result says. Of a sealed job the journey, which is kept in plain, has no word of its own.
    pub(super) fn of(result: &JobResult, is_sealed: bool) -> Self {
        let by = result.statement.executor.clone();
        let (is_success, is_final, outputs, step) = match &result.statement.outcome {
            Outcome::Completed { outputs, .. } => (true, true, linked(outputs), Step::Answered { by }),
            Outcome::Failed { failure, detail } => {
                let why = if is_sealed { failure.name().to_owned() } else { detail.clone() };
                (false, is_final(*failure), Vec::new(), Step::Failed { by, why })
            }
        };
        Self { job: result.statement.job, is_read: true, is_success, is_final, outputs, step }
    }
}

impl Agent {
    /// What a bundle to somebody's endpoint for answers says.
    pub(super) fn told_by(&self, arrival: &Arrival) -> Believed {
        let Some(adu) = &arrival.adu else { return Believed::No };
        if let Ok(result) = JobResult::decode(adu) {
            // An answer to a sealed job that is not sealed is not by who has read it.
            let is_open = !self.is_sealed(result.statement.job.digest());
            return match result.verify() {
                Ok(_) if is_open => Believed::Yes(Told::of(&result, false)),
                Ok(_) | Err(_) => Believed::No,
            };
        }
        let Ok(sealed) = SealedResult::decode(adu) else { return Believed::No };
        let known = self.jobs.get(sealed.job.digest()).and_then(|record| record.work.as_ref()?.seal);
        if known.is_some_and(|seal| !sealed.answers(&seal.commitment)) {
            return Believed::No;
        }
        let opened = arrival.opened.as_ref().and_then(|opened| JobResult::decode(opened).ok());
        if let Some(result) = opened {
            let is_signed = result.statement.job == sealed.job && result.verify().is_ok();
            return if is_signed { Believed::Yes(Told::of(&result, true)) } else { Believed::No };
        }
        let by = arrival.header.primary().source().node_id();
        match (known, by) {
            (Some(_), Some(by)) => Believed::Yes(Told {
                job: sealed.job,
                is_read: false,
                is_success: true,
                is_final: true,
                outputs: Vec::new(),
                step: Step::Answered { by },
            }),
            (None, _) | (_, None) => Believed::Unknown(sealed.job),
        }
    }

    /// Whether a job that is known is sealed.
    pub(super) fn is_sealed(&self, job: &Digest) -> bool {
        let work = self.jobs.get(job).and_then(|record| record.work.as_ref());
        work.is_some_and(|work| work.seal.is_some())
    }

    /// A sealed job can be read from here on.
    pub(super) fn open_job(&mut self, job: &Cid, adu: &[u8]) {
        let known = self.jobs.get(job.digest()).filter(|record| record.is_open());
        let Some(mut record) = known.cloned() else { return };
        let seal = record.work.as_ref().and_then(|work| work.seal).filter(|seal| !seal.is_open_here);
        let (Some(seal), Ok(job)) = (seal, Job::decode(adu)) else { return };
        let work = JobWork { seal: Some(Seal { is_open_here: true, ..seal }), ..work_of(&job) };
        let inputs = work.inputs.iter().map(|input| *input.cid.digest());
        record.missing.extend(inputs.filter(|input| !self.content.holds(input)));
        record.missing.sort_unstable();
        record.missing.dedup();
        record.work = Some(work);
        self.put_job(record);
    }
}

fn is_final(failure: Failure) -> bool {
    match failure {
        Failure::BadModel | Failure::BadInput | Failure::Cancelled => true,
        Failure::Crashed | Failure::Exhausted => false,
    }
}

fn linked(outputs: &[Output]) -> Vec<BlockRef> {
    let blocks = outputs.iter().filter_map(|output| match output {
        Output::Inline { .. } => None,
        Output::Link { block, .. } => Some(*block),
    });
    blocks.collect()
}
