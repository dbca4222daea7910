//! `/v1`: OpenAI's shapes. A request becomes a job like any other; an answer that does not come in time
//! becomes a 202 with the job's id in an error body, so that plain clients show it and ours fetch it later.

mod parameters;
mod reply;
mod request;
mod stream;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bundle_spec::Cid;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use self::request::Asked;
use super::{
    Gateway, Shared, answer,
    extract::Path,
    problem::{Code, OpenAiProblem, Problem},
    views, wait,
    work::{self, Submitted},
};
use crate::node::mailbox::{Event, JobState, ModelView, Piece};

/// Header that says who may read a job (`open`, `group`, `to:NODE,NODE`), and in the answer who could.
const SEAL: &str = "pannier-seal";

/// The paths.
pub(super) fn router() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/models/{id}", get(model))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(complete))
}

async fn models(State(gateway): Shared) -> Result<Json<Value>, OpenAiProblem> {
    let models = gateway.handle.models().await.map_err(Problem::from)?;
    let data: Vec<Value> = models.iter().map(listed).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

async fn model(
    State(gateway): Shared,
    id: Result<Path<String>, Problem>,
) -> Result<Json<Value>, OpenAiProblem> {
    let Path(id) = id?;
    let models = gateway.handle.models().await.map_err(Problem::from)?;
    let found = models.iter().find(|view| views::is_called(view, &id));
    let unknown =
        || Problem::new(Code::NotFound, format!("no model `{id}` is known here")).parameter("model");
    let found = found.ok_or_else(unknown)?;
    Ok(Json(listed(found)))
}

fn listed(view: &ModelView) -> Value {
    let cid = view.manifest.to_string();
    let at: Vec<String> = view.at.iter().map(ToString::to_string).collect();
    json!({
        "id": if view.name.is_empty() { &cid } else { &view.name },
        "object": "model",
        "created": 0,
        "owned_by": "pannier",
        "x_pannier": { "manifest": cid, "size": view.size, "held": views::held(view), "at": at },
    })
}

async fn chat(State(gateway): Shared, headers: HeaderMap, body: Body) -> Result<Response, OpenAiProblem> {
    let fields = wait::json(body).await?;
    let response = answered(&gateway, &headers, request::chat(fields)?).await?;
    Ok(response)
}

async fn complete(State(gateway): Shared, headers: HeaderMap, body: Body) -> Result<Response, OpenAiProblem> {
    let fields = wait::json(body).await?;
    let response = answered(&gateway, &headers, request::complete(fields)?).await?;
    Ok(response)
}

async fn answered(
    gateway: &Arc<Gateway>,
    headers: &HeaderMap,
    mut asked: Asked,
) -> Result<Response, Problem> {
    asked.created = gateway.handle.clock().wall().map_or(0, |(wall, _)| reply::unix_seconds(wall.0));
    let typed = headers.get(SEAL).map(|value| value.to_str().unwrap_or(""));
    asked.work.seal = work::seal(typed)?;
    let patience = wait::wished(None, headers)?.unwrap_or(gateway.options.wait);
    // Whoever listens before the job is submitted misses nothing.
    let pieces = gateway.handle.pieces();
    let events = gateway.handle.events();
    let submitted = gateway.submit(asked.work.clone()).await?;
    // Who waits longer than anybody does is told, too, who can read what was accepted.
    let replied = reply_to(gateway, asked, submitted, patience, (pieces, events)).await;
    let mut response = replied.unwrap_or_else(|problem| OpenAiProblem(problem).into_response());
    response.headers_mut().insert(SEAL, HeaderValue::from_static(submitted.seal));
    Ok(response)
}

async fn reply_to(
    gateway: &Arc<Gateway>,
    asked: Asked,
    submitted: Submitted,
    patience: Duration,
    (pieces, events): (Receiver<(Cid, Piece)>, Receiver<Event>),
) -> Result<Response, Problem> {
    if asked.stream && !submitted.known {
        let live = stream::Live::new(submitted.job, pieces, events);
        return stream::respond(Arc::clone(gateway), live, asked, patience).await;
    }
    let view = gateway.settled(submitted.job, patience).await?;
    if view.state == JobState::Open {
        return Err(answer::not_yet(&view));
    }
    let reply = reply::Reply::read(gateway, &view, &asked).await?;
    if asked.stream {
        return Ok(stream::whole(&reply, &asked));
    }
    Ok(Json(reply.object(&asked)).into_response())
}
