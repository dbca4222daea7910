//! `/api/jobs`: submit, list, look at, fetch, cancel.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{
    Shared,
    extract::{Path, Query},
    problem::{Code, Problem},
    views::{self, Writing},
    wait,
    wire::{JobRequest, JobWire, SubmittedWire},
    work::{self, Work},
};
use crate::{
    limits,
    node::mailbox::JobState,
    settings::{file, quantity},
};

/// `POST /api/jobs`: a [`JobRequest`] as JSON, or any other body as the input with the rest in the query.
pub(super) async fn submit(
    State(gateway): Shared,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let work = if media.split(';').next() == Some("application/json") && query.is_empty() {
        work_of(wait::json(request).await?)?
    } else {
        let max = usize::try_from(limits::BLOCK_BYTES_MAX).expect("a block fits memory");
        let input = wait::body(request, max).await?;
        let mut work = work_of(from_query(query, media)?)?;
        work.inputs[0].1 = input;
        work
    };
    let submitted = gateway.submit(work).await?;
    let body = SubmittedWire {
        id: submitted.job.to_string(),
        answered: submitted.answered,
        seal: Some(submitted.seal.to_owned()),
    };
    let status = if submitted.known { StatusCode::OK } else { StatusCode::CREATED };
    let location = HeaderValue::from_str(&format!("/api/jobs/{}", body.id)).expect("an id is plain ASCII");
    Ok((status, [(header::LOCATION, location)], Json(body)).into_response())
}

fn from_query(query: Vec<(String, String)>, media: &str) -> Result<JobRequest, Problem> {
    let mut request = JobRequest { input: Some(String::new()), ..JobRequest::default() };
    if !media.is_empty() {
        request.media = Some(media.to_owned());
    }
    for (name, value) in query {
        match name.as_str() {
            "kind" => request.kind = value,
            "model" => request.model = Some(value),
            "media" => request.media = Some(value),
            "lifetime" => request.lifetime = Some(value),
            "seal" => request.seal = Some(value),
            "fresh" => request.fresh = value != "false",
            "p" => {
                let wrong =
                    || Problem::bad(format!("`{value}` is not of the form `KEY=VALUE`")).parameter("p");
                let (key, typed) = value.split_once('=').ok_or_else(wrong)?;
                let typed = serde_json::to_value(file::loose(typed)).map_err(|_| wrong())?;
                request.parameters.insert(key.to_owned(), typed);
            }
            _ => return Err(Problem::bad(format!("unknown query parameter `{name}`")).parameter(name)),
        }
    }
    Ok(request)
}

fn work_of(request: JobRequest) -> Result<Work, Problem> {
    let kind = request.kind.parse().map_err(|error: bundle_spec::adu::KindError| {
        Problem::bad(format!("`{}` is {error}", request.kind)).parameter("kind")
    })?;
    let (data, media) = match (request.input, request.input_base64) {
        (Some(text), None) => (text.into_bytes(), "text/plain"),
        (None, Some(encoded)) => {
            let decoded = BASE64_STANDARD.decode(encoded);
            let wrong = |_| Problem::bad("`input_base64` is not base64").parameter("input_base64");
            (decoded.map_err(wrong)?, "application/octet-stream")
        }
        (None, None) => return Err(Problem::bad("`input` is missing").parameter("input")),
        (Some(_), Some(_)) => {
            return Err(Problem::bad("`input` and `input_base64` exclude each other").parameter("input"));
        }
    };
    let lifetime = request.lifetime.as_deref().map(quantity::duration).transpose();
    Ok(Work {
        kind,
        model: request.model,
        inputs: vec![(request.media.unwrap_or_else(|| media.to_owned()), data.into())],
        parameters: work::parameters(request.parameters)?,
        lifetime: lifetime.map_err(|error| Problem::bad(error.to_string()).parameter("lifetime"))?,
        fresh: request.fresh,
        seal: work::seal(request.seal.as_deref())?,
    })
}

/// `GET /api/jobs`: every job, oldest first, without journeys.
pub(super) async fn list(State(gateway): Shared) -> Result<Json<Vec<JobWire>>, Problem> {
    let jobs = gateway.handle.jobs().await?;
    let writing = Writing::at(gateway.handle.clock());
    Ok(Json(jobs.iter().map(|view| writing.job(view, false)).collect()))
}

/// `GET /api/jobs/{id}`: one job with its journey, and what its executor says.
pub(super) async fn show(State(gateway): Shared, Path(id): Path<String>) -> Result<Json<JobWire>, Problem> {
    let view = gateway.find_job(&id).await?;
    let mut job = Writing::at(gateway.handle.clock()).job(&view, true);
    if matches!(view.state, JobState::Answered { .. }) {
        // A result that is sealed for others is here and cannot be read: everything else is shown.
        if let Some(found) = gateway.readable_result_of(&view).await? {
            job.executor = Some(views::executor(&found.result, gateway.handle.node_id()));
            job.result = Some(views::result(&found.result));
        }
    }
    Ok(Json(job))
}

/// How a result is fetched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultQuery {
    wait: Option<String>,
    #[serde(default)]
    output: usize,
}

/// `GET /api/jobs/{id}/result`: the bytes of an output; 202 while there is none.
pub(super) async fn result(
    State(gateway): Shared,
    Path(id): Path<String>,
    Query(query): Query<ResultQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wait = wait::wished(query.wait.as_deref(), &headers)?.unwrap_or_default();
    let found = gateway.find_job(&id).await?;
    let view = gateway.settled(found.job, wait).await?;
    let found = gateway.result_of(&view).await?;
    let outputs = gateway.outputs_of(&found).await?;
    let count = outputs.len();
    let Some((media, bytes)) = outputs.into_iter().nth(query.output) else {
        let detail = format!("the job has {count} outputs, there is none with number {}", query.output);
        return Err(Problem::new(Code::NotFound, detail).job(view.job));
    };
    let media = HeaderValue::from_str(&media).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let sniffing = HeaderValue::from_static("nosniff");
    Ok(([(header::CONTENT_TYPE, media), (header::X_CONTENT_TYPE_OPTIONS, sniffing)], bytes).into_response())
}

/// `DELETE /api/jobs/{id}`: takes a job back.
pub(super) async fn cancel(
    State(gateway): Shared,
    Path(id): Path<String>,
) -> Result<Json<SubmittedWire>, Problem> {
    let view = gateway.find_job(&id).await?;
    gateway.handle.cancel(view.job).await.map_err(|error| Problem::from(error).job(view.job))?;
    Ok(Json(SubmittedWire { id: view.job.to_string(), answered: false, seal: None }))
}
