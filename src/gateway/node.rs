//! The node itself: status, health, readiness, metrics, checks.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Shared,
    extract::Query,
    node_ops::Check,
    problem::Problem,
    views::Writing,
    wire::{EngineWire, StatusWire},
};

/// `GET /api/status`.
pub(super) async fn status(State(gateway): Shared) -> Result<Json<StatusWire>, Problem> {
    let status = gateway.handle.status().await?;
    let usage = gateway.handle.store().usage();
    let writing = Writing::at(gateway.handle.clock());
    let engines = status.resources.engines.iter().map(|engine| EngineWire {
        name: engine.name.clone(),
        fingerprint: engine.fingerprint.clone(),
        kinds: engine.kinds.iter().map(ToString::to_string).collect(),
    });
    Ok(Json(StatusWire {
        node: status.node.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: gateway.node.ready(),
        bundles: status.bundles,
        bytes: status.bytes,
        jobs_open: status.jobs_open,
        jobs_running: status.jobs_running,
        jobs: status.jobs,
        store_live: usage.live,
        store_quota: usage.quota,
        store_free: usage.free,
        engines: engines.collect(),
        links: status.links.iter().map(|link| writing.link(link)).collect(),
    }))
}

/// `GET /health`: the process lives.
pub(super) async fn health() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /ready`: submissions are accepted.
pub(super) async fn ready(State(gateway): Shared) -> Response {
    if gateway.node.ready() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "starting" }))).into_response()
}

/// `GET /metrics`.
pub(super) async fn metrics(State(gateway): Shared) -> Response {
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match gateway.node.metrics().await {
        Ok(text) => ([(header::CONTENT_TYPE, media)], text).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// How much is looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoctorQuery {
    #[serde(default)]
    quick: bool,
}

/// `GET /api/doctor`.
pub(super) async fn doctor(
    State(gateway): Shared,
    Query(query): Query<DoctorQuery>,
) -> Result<Json<Vec<Check>>, Problem> {
    let checks = gateway.node.doctor(query.quick).await?;
    Ok(Json(checks))
}
