//! Reading what came of a job: the signed result, and its outputs.

use axum::body::Bytes;
use bundle_spec::{
    adu::{ADU_BYTES_MAX, JobResult, Outcome, Output},
    sealing::{BlockKey, OpenError},
};

use super::{
    Gateway,
    problem::{Code, Problem},
    views,
};
use crate::{
    limits,
    node::mailbox::{JobState, JobView},
};

/// A result that can be read here.
pub(super) struct Found {
    /// What its executor says.
    pub(super) result: JobResult,
    /// What opens the blocks to which it links, if it was sealed.
    blocks: Option<BlockKey>,
}

impl Gateway {
    /// The result of a job that has one; `None` if it is sealed for others.
    pub(super) async fn readable_result_of(&self, view: &JobView) -> Result<Option<Found>, Problem> {
        match self.result_of(view).await {
            Ok(found) => Ok(Some(found)),
            Err(problem) if problem.code == Code::Sealed => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// The result of a job, or why there is none.
    pub(super) async fn result_of(&self, view: &JobView) -> Result<Found, Problem> {
        let job = view.job;
        match &view.state {
            JobState::Open => Err(not_yet(view)),
            JobState::Expired => {
                Err(Problem::new(Code::Expired, "the job's lifetime ended without an answer").job(job))
            }
            JobState::Cancelled => Err(Problem::new(Code::Cancelled, "the job was cancelled").job(job)),
            JobState::Done => {
                Err(Problem::new(Code::Gone, "the answer was delivered to who asked and is not kept here")
                    .job(job))
            }
            JobState::Answered { result, .. } => {
                let max = u64::try_from(ADU_BYTES_MAX).expect("a limit fits 64 bits");
                let gone =
                    || Problem::new(Code::Internal, "the result is not in the store").hint("pannier doctor");
                let bytes = self.handle.read_block(*result.cid.digest(), max).await?.ok_or_else(gone)?;
                if let Some(opened) = self.handle.sealing().open_result(&bytes) {
                    let opened = opened.map_err(|error| sealed(error).job(job))?;
                    return Ok(Found { result: opened.result, blocks: Some(opened.blocks) });
                }
                let result = JobResult::decode(&bytes)
                    .map_err(|error| Problem::new(Code::Internal, format!("the result: {error}")).job(job))?;
                Ok(Found { result, blocks: None })
            }
        }
    }

    /// The outputs of a result, or why it has none.
    pub(super) async fn outputs_of(&self, found: &Found) -> Result<Vec<(String, Bytes)>, Problem> {
        let result = &found.result;
        let outputs = match &result.statement.outcome {
            Outcome::Completed { outputs, .. } => outputs,
            Outcome::Failed { failure, detail } => {
                let reason = views::failure(*failure);
                return Err(
                    Problem::new(Code::JobFailed, format!("{reason}: {detail}")).job(result.statement.job)
                );
            }
        };
        let mut read = Vec::new();
        for (place, output) in outputs.iter().enumerate() {
            read.push(match output {
                Output::Inline { media, data } => (media.clone(), data.clone()),
                Output::Link { media, block } => {
                    let bytes = self.handle.read_block(*block.cid.digest(), limits::INPUT_BYTES_MAX).await?;
                    let under_way = || {
                        Problem::new(Code::JobQueued, "the answer is here, its output is still under way")
                            .job(result.statement.job)
                    };
                    let bytes = bytes.ok_or_else(under_way)?;
                    let opened = found.blocks.as_ref().map(|blocks| blocks.open(place, &bytes)).transpose();
                    let opened = opened.map_err(|error| sealed(error).job(result.statement.job))?;
                    (media.clone(), opened.map_or(bytes, |plain| Bytes::copy_from_slice(&plain)))
                }
            });
        }
        Ok(read)
    }
}

/// The answer is here and cannot be read here.
fn sealed(error: OpenError) -> Problem {
    match error {
        OpenError::NoKey => Problem::new(Code::Sealed, format!("the answer is here; {error}"))
            .hint("fetch it on the node that asked"),
        OpenError::Damaged | OpenError::Content => {
            Problem::new(Code::Internal, format!("the answer: {error}")).hint("pannier doctor")
        }
    }
}

/// The job is accepted, and that is all there is.
pub(super) fn not_yet(view: &JobView) -> Problem {
    let waits =
        if view.waits_for.is_empty() { String::new() } else { format!(": it waits for {}", view.waits_for) };
    let state = views::state(view);
    Problem::new(
        Code::JobQueued,
        format!("the job is accepted and {state}; its answer is not here yet{waits}"),
    )
    .job(view.job)
    .hint(format!("pannier fetch --wait {}", views::short(&view.job)))
}
