//! `pannier selftest`: one small job of every kind that this node can do.

use std::{collections::BTreeSet, time::Duration};

use hyper::Method;
use serde_json::json;

use super::{Context, Exit, Failure, args::Patience, client::Client, doctor::worker, fetch};
use crate::gateway::wire::{JobRequest, ModelWire, StatusWire, SubmittedWire};

/// How long engines get to show that they run.
const START: Duration = Duration::from_secs(10);
/// How often is looked whether they do.
const GLANCE: Duration = Duration::from_millis(100);
/// What is asked.
const QUESTION: &str = "one well is dry, ten people need water";

pub(super) async fn selftest(context: &Context, wait: Duration) -> Result<Exit, Failure> {
    let client = context.client()?;
    let status = once_engines_run(context, &client).await?;
    let models: Vec<ModelWire> = client.get("/api/models").await?;
    let smallest = |kind: &str| {
        let fits = |model: &&ModelWire| {
            model.held == "here" && (kind != "chat" || model.hints["chat_template"] != json!(false))
        };
        models.iter().filter(fits).min_by_key(|model| model.size)
    };
    let kinds: BTreeSet<&String> = status.engines.iter().flat_map(|engine| &engine.kinds).collect();
    let mut failed = 0;
    for kind in &kinds {
        let outcome = attempt(context, &client, kind, smallest(kind), wait).await;
        let (ok, detail) = match outcome {
            Ok(detail) => (true, detail),
            Err(failure) => (false, failure.what),
        };
        failed += usize::from(!ok);
        context.printer.data(&format!("{:<5} {kind:<12} {detail}", if ok { "ok" } else { "FAIL" }))?;
        context.printer.line("kind", json!({ "kind": kind, "ok": ok, "detail": detail }))?;
    }
    if kinds.is_empty() {
        context.printer.talk("no engine runs here; this node only carries")?;
    }
    context.printer.line("result", json!({ "kinds": kinds.len(), "failed": failed }))?;
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// The node's status once its engines have shown that they run: after a start, that takes them a moment.
async fn once_engines_run(context: &Context, client: &Client) -> Result<StatusWire, Failure> {
    let expected = match context.loaded() {
        Ok(loaded) => {
            loaded.settings.inference.engines.iter().filter(|engine| worker(engine).is_some()).count()
        }
        Err(_) => 0,
    };
    let mut left = START;
    loop {
        let status: StatusWire = client.get("/api/status").await?;
        if status.engines.len() >= expected || left.is_zero() {
            return Ok(status);
        }
        tokio::time::sleep(GLANCE).await;
        left = left.saturating_sub(GLANCE);
    }
}

async fn attempt(
    context: &Context,
    client: &Client,
    kind: &str,
    model: Option<&ModelWire>,
    wait: Duration,
) -> Result<String, Failure> {
    let mut request = JobRequest {
        kind: kind.to_owned(),
        input: Some(QUESTION.to_owned()),
        lifetime: Some(String::from("1h")),
        fresh: true,
        seal: Some(String::from("open")),
        ..JobRequest::default()
    };
    if kind != "echo" {
        let model = model.ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                format!("no model for `{kind}` is here; `pannier model add FILE` adds one"),
            )
        })?;
        request.model = Some(model.manifest.clone());
        request.parameters.insert("max_tokens".to_owned(), json!(8));
        request.parameters.insert("temperature".to_owned(), json!(0));
    }
    let submitted: SubmittedWire = client.json(Method::POST, "/api/jobs", &request).await?;
    let reply = fetch::answer(context, client, &submitted.id, Some(Patience::Until(wait))).await?;
    if kind == "echo" && reply.body != QUESTION.as_bytes() {
        return Err(Failure::new(Exit::Failed, "the echo came back changed"));
    }
    Ok(format!("{} bytes of {}", reply.body.len(), reply.media))
}
