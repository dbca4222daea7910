//! Reading what came of a job: the signed result, and its outputs.

use axum::body::Bytes;
use bundle_spec::adu::{ADU_BYTES_MAX, JobResult, Outcome, Output};

use super::{
    Gateway,
    problem::{Code, Problem},
    views,
};
use crate::{
    limits,
    node::mailbox::{JobState, JobView},
};

impl Gateway {
    /// The result of a job, or why there is none.
    pub(super) async fn result_of(&self, view: &JobView) -> Result<JobResult, Problem> {
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
                JobResult::decode(&bytes)
                    .map_err(|error| Problem::new(Code::Internal, format!("the result: {error}")).job(job))
            }
        }
    }

    /// The outputs of a result, or why it has none.
    pub(super) async fn outputs_of(&self, result: &JobResult) -> Result<Vec<(String, Bytes)>, Problem> {
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
        for output in outputs {
            read.push(match output {
                Output::Inline { media, data } => (media.clone(), data.clone()),
                Output::Link { media, block } => {
                    let bytes = self.handle.read_block(*block.cid.digest(), limits::INPUT_BYTES_MAX).await?;
                    let under_way = || {
                        Problem::new(Code::JobQueued, "the answer is here, its output is still under way")
                            .job(result.statement.job)
                    };
                    (media.clone(), bytes.ok_or_else(under_way)?)
                }
            });
        }
        Ok(read)
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
