//! `pannier list` and `pannier cancel`.

use hyper::Method;
use serde_json::json;

use super::{Context, Exit, Failure, args::List, client::escaped};
use crate::gateway::wire::{JobWire, SubmittedWire};

/// How many characters of an id are shown: enough to find it again.
const SHORT_CHARACTERS: usize = 16;

/// Lists jobs, oldest first.
pub(super) async fn list(context: &Context, args: List) -> Result<Exit, Failure> {
    let jobs: Vec<JobWire> = context.client()?.get("/api/jobs").await?;
    let wanted = |job: &&JobWire| {
        args.state.as_ref().is_none_or(|state| *state == job.state) && (!args.mine || job.mine)
    };
    let jobs: Vec<&JobWire> = jobs.iter().filter(wanted).collect();
    for job in &jobs {
        let mut words =
            vec![short(&job.id), format!("{:<9}", job.state), format!("{:<10}", job.kind), job.model.clone()];
        if matches!(job.state.as_str(), "waiting" | "carried" | "running") {
            words.push(format!("lives {}", span(job.expires_in_seconds)));
        }
        if !job.waits_for.is_empty() {
            words.push(format!("({})", job.waits_for));
        }
        context.printer.data(words.join("  ").trim_end())?;
        context.printer.line("job", job)?;
    }
    if jobs.is_empty() {
        context.printer.talk("no jobs")?;
    }
    context.printer.line("result", json!({ "jobs": jobs.len() }))?;
    Ok(Exit::Done)
}

/// Takes a job back.
pub(super) async fn cancel(context: &Context, typed: &str) -> Result<Exit, Failure> {
    let id = context.id(typed)?;
    let path = format!("/api/jobs/{}", escaped(&id));
    let cancelled: SubmittedWire = context.client()?.json(Method::DELETE, &path, &json!({})).await?;
    context.printer.talk(&format!("cancelled {}", short(&cancelled.id)))?;
    context.printer.line("result", json!({ "id": cancelled.id, "state": "cancelled" }))?;
    Ok(Exit::Done)
}

/// The beginning of an id.
pub(super) fn short(id: &str) -> String {
    id.chars().take(SHORT_CHARACTERS).collect()
}

/// Seconds as people say them.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
