//! `/api/ping`: an echo to see whether anybody is there.

use std::time::Duration;

use axum::{Json, body::Bytes, extract::State};
use bundle_spec::{BlockRef, BundleId, Cid};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use super::{
    Gateway, Shared,
    bundles::{self, PING},
    extract::Query,
    problem::{Code, Problem},
    wait,
    wire::PingWire,
};
use crate::node::mailbox::{Answer, BundleView, EventKind, NewBundle, Retention, Stopped, Submission, Terms};

/// Demux (dtn) and service number (ipn) of the endpoint that sends back what it gets.
const ECHO: (&str, u64) = ("echo", 7);
/// How long an echo is waited for if nobody says otherwise.
const PING_WAIT: Duration = Duration::from_secs(30);
/// Bytes of an echo request.
const PING_BYTES: usize = 16;

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
    let asked = bundles::endpoint(&query.to, "to")?;
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
        let source = gateway.own_endpoint(PING).demux().unwrap_or_default();
        let request = NewBundle { destination, source, payload, lifetime, terms: Terms::default() };
        let bundle = match gateway.submit_written(Submission::Bundle(request), vec![data]).await? {
            Answer::Bundle(id) => id,
            other => unreachable!("a bundle is answered by its id, not {other:?}"),
        };
        let answer = gateway.echoed(&mut events, payload.cid).await?;
        // It has done what it was for; what cannot be taken goes when its lifetime ends.
        gateway.handle.let_go(answer).await?;
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
    /// Returns once a bundle with this payload has been delivered to the endpoint that waits for echoes.
    async fn echoed(
        &self,
        events: &mut tokio::sync::broadcast::Receiver<crate::node::mailbox::Event>,
        payload: Cid,
    ) -> Result<BundleId, Problem> {
        let here = self.own_endpoint(PING);
        loop {
            match events.recv().await.map(|event| event.kind) {
                Ok(EventKind::Delivered { bundle, endpoint, payload: come })
                    if endpoint == here && come.cid.digest() == payload.digest() =>
                {
                    return Ok(bundle);
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return Err(Stopped.into()),
                Err(RecvError::Lagged(_)) => {
                    // It may have been among what was told and missed.
                    let waiting = self.handle.waiting(here.clone(), usize::MAX, true).await?;
                    let mut come = waiting.into_iter().map(|view| view.bundle);
                    if let Some(answer) = come.find(|bundle| is_echo(bundle, payload)) {
                        return Ok(answer.id);
                    }
                }
            }
        }
    }
}

fn is_echo(bundle: &BundleView, payload: Cid) -> bool {
    bundle.payload.cid.digest() == payload.digest() && bundle.retention == Retention::Delivered
}
