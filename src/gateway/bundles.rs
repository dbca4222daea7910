//! `/api/bundles` and `/api/ping`: any data for any endpoint, and an echo to see whether anybody is there.

use std::{str::FromStr, time::Duration};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::StatusCode,
};
use bundle_spec::{BlockRef, BundleId, Cid, Eid};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use super::{
    Gateway, Shared,
    extract::Query,
    problem::{Code, Problem},
    views::Writing,
    wait,
    wire::{BundleWire, PingWire},
};
use crate::{
    limits,
    node::mailbox::{Answer, EventKind, NewBundle, Retention, Stopped, Submission},
    settings::quantity,
};

/// Demux (dtn) and service number (ipn) of the endpoint that sends back what it gets.
const ECHO: (&str, u64) = ("echo", 7);
/// Demux of the endpoint here that waits for an echo.
const PING: &str = "ping";
/// How long an echo is waited for if nobody says otherwise.
const PING_WAIT: Duration = Duration::from_secs(30);
/// Bytes of an echo request.
const PING_BYTES: usize = 16;

/// `GET /api/bundles`: every bundle that is held.
pub(super) async fn list(State(gateway): Shared) -> Result<Json<Vec<BundleWire>>, Problem> {
    let bundles = gateway.handle.bundles().await?;
    let writing = Writing::at(gateway.handle.clock());
    Ok(Json(bundles.iter().map(|view| writing.bundle(view)).collect()))
}

/// How a bundle is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendQuery {
    to: String,
    lifetime: Option<String>,
    #[serde(default)]
    from: Option<String>,
}

/// `POST /api/bundles?to=EID`: sends the body.
pub(super) async fn send(
    State(gateway): Shared,
    Query(query): Query<SendQuery>,
    request: Body,
) -> Result<(StatusCode, Json<serde_json::Value>), Problem> {
    let destination = endpoint(&query.to)?;
    let lifetime = query.lifetime.as_deref().map(quantity::duration).transpose();
    let lifetime = lifetime.map_err(|error| Problem::bad(error.to_string()).parameter("lifetime"))?;
    let max = usize::try_from(limits::BLOCK_BYTES_MAX).expect("a block fits memory");
    let data = wait::body(request, max).await?;
    let source = query.from.unwrap_or_else(|| String::from("data"));
    let payload = BlockRef::raw(&data);
    let bundle = gateway.send_bundle(NewBundle { destination, source, payload, lifetime }, data).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "id": bundle.to_string() }))))
}

/// Whom to ping, and how long to wait.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PingQuery {
    to: String,
    wait: Option<String>,
}

/// `POST /api/ping?to=EID`: sends an echo request and waits for it to come back.
pub(super) async fn ping(
    State(gateway): Shared,
    Query(query): Query<PingQuery>,
    headers: axum::http::HeaderMap,
) -> Result<Json<PingWire>, Problem> {
    let patience = wait::wished(query.wait.as_deref(), &headers)?.unwrap_or(PING_WAIT);
    let asked = endpoint(&query.to)?;
    // A node's own endpoint does not echo; its echo endpoint does.
    let destination = match asked.node_id() {
        Some(node) if *node.eid() == asked => node.endpoint(ECHO.0, ECHO.1),
        _ => asked,
    };
    let data = Bytes::from(rand::random::<[u8; PING_BYTES]>().to_vec());
    let payload = BlockRef::raw(&data);
    let began = gateway.handle.clock().now();
    let lifetime = Some(patience.max(Duration::from_secs(1)));
    let echo = async {
        let mut events = gateway.handle.events();
        let request = NewBundle { destination, source: PING.to_owned(), payload, lifetime };
        let bundle = gateway.send_bundle(request, data).await?;
        gateway.echoed(&mut events, payload.cid).await?;
        Ok::<BundleId, Problem>(bundle)
    };
    let bundle = tokio::select! {
        bundle = echo => bundle?,
        () = tokio::time::sleep(patience) => {
            return Err(Problem::new(Code::JobQueued, format!("`{}` has not answered yet", query.to)));
        }
        () = gateway.stop.cancelled() => return Err(Stopped.into()),
    };
    let passed = gateway.handle.clock().now().since(began);
    let round_trip_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(PingWire { bundle: bundle.to_string(), round_trip_ms }))
}

impl Gateway {
    async fn send_bundle(&self, bundle: NewBundle, data: Bytes) -> Result<BundleId, Problem> {
        match self.submit_written(Submission::Bundle(bundle), vec![data]).await? {
            Answer::Bundle(id) => Ok(id),
            other => unreachable!("a bundle is answered by its id, not {other:?}"),
        }
    }

    /// Returns once a bundle with this payload has been delivered to the endpoint that waits for echoes.
    async fn echoed(
        &self,
        events: &mut tokio::sync::broadcast::Receiver<crate::node::mailbox::Event>,
        payload: Cid,
    ) -> Result<(), Problem> {
        loop {
            match events.recv().await {
                Ok(event) if !matches!(event.kind, EventKind::Delivered { .. }) => continue,
                Err(RecvError::Closed) => return Err(Stopped.into()),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
            }
            let here = |bundle: &crate::node::mailbox::BundleView| {
                bundle.payload.cid.digest() == payload.digest()
                    && bundle.retention == Retention::Delivered
                    && bundle.destination.demux().as_deref() == Some(PING)
            };
            if self.handle.bundles().await?.iter().any(here) {
                return Ok(());
            }
        }
    }
}

fn endpoint(text: &str) -> Result<Eid, Problem> {
    Eid::from_str(text).map_err(|error| {
        Problem::bad(format!("`{text}` is not an endpoint identifier: {error}"))
            .parameter("to")
            .hint("endpoints look like `dtn://clinic/inbox` or `ipn:9.1`")
    })
}
