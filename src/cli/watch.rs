//! `pannier watch`: a line for everything that happens.

use serde_json::{Value, json};

use super::{Context, Exit, Failure, client::escaped, jobs::short, printer::Printer};
use crate::gateway::wire::JobWire;

/// Shows events until interrupted, or until the job that is meant has ended.
pub(super) async fn watch(context: &Context, typed: Option<&str>) -> Result<Exit, Failure> {
    let client = context.client()?;
    let path = match typed {
        Some(typed) => Some(format!("/api/jobs/{}", escaped(&context.id(typed)?))),
        None => None,
    };
    let job: Option<JobWire> = match &path {
        Some(path) => Some(client.get(path).await?),
        None => None,
    };
    if let Some(job) = &job
        && ended(&job.state)
    {
        return over(context, job);
    }
    let id = job.as_ref().map(|job| job.id.as_str());
    client
        .events("/api/events", async |data| {
            let event: Value = serde_json::from_str(data).unwrap_or_default();
            let missed = event["event"] == "gap";
            if id.is_some_and(|id| event["job"] != id) && !missed {
                return Ok(true);
            }
            context.printer.data(&sentence(&event, &context.printer))?;
            context.printer.line("event", &event)?;
            let last =
                matches!(event["step"].as_str(), Some("answered" | "failed" | "expired" | "cancelled"));
            Ok(id.is_none() || !last)
        })
        .await?;
    if let Some(path) = path {
        let job: JobWire = client.get(&path).await?;
        return over(context, &job);
    }
    context.printer.line("result", json!({}))?;
    Ok(Exit::Done)
}

fn ended(state: &str) -> bool {
    !matches!(state, "waiting" | "carried" | "running")
}

fn over(context: &Context, job: &JobWire) -> Result<Exit, Failure> {
    context.printer.data(&format!("{} is {}", short(&job.id), job.state))?;
    context.printer.line("result", json!({ "id": job.id, "state": job.state }))?;
    Ok(match job.state.as_str() {
        "done" | "delivered" => Exit::Done,
        "failed" | "expired" | "cancelled" => Exit::Over,
        _ => Exit::NotYet,
    })
}

fn sentence(event: &Value, printer: &Printer) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or("").to_owned();
    let name = if event["event"] == "job" { text("step") } else { text("event").replace('_', " ") };
    let what = [short(&text("job")), text("bundle"), text("name")].into_iter().find(|what| !what.is_empty());
    let words = [
        text("at"),
        format!("{name:<14}"),
        what.unwrap_or_default(),
        printer.node(&text("node")),
        text("cla"),
        text("detail"),
    ];
    words
        .iter()
        .filter(|word| !word.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("  ")
        .trim_end()
        .to_owned()
}
