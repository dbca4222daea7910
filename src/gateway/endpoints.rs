//! `/api/endpoints`: where applications of this node are registered, and what waits for them. What waits is
//! read and taken under `/api/bundles`.

use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event as Frame, KeepAlive, Sse},
    },
};
use bundle_spec::Eid;
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    Gateway, Shared, bundles,
    events::KEEP_ALIVE,
    extract::{Path, Query},
    problem::{Code, Problem},
    views::Writing,
    wait::{self, WAIT_MAX},
    wire::{EndpointWire, WaitingWire},
};
use crate::node::mailbox::{Event, EventKind, Stopped};

/// Bundles that one listing names if nobody says otherwise: a page, and no more work than that.
const LISTED: usize = 1_000;
/// Most bundles that one listing names.
const LISTED_MAX: usize = 100_000;

/// `GET /api/endpoints`: every endpoint in which somebody is registered or at which something waits.
pub(super) async fn list(State(gateway): Shared) -> Result<Json<Vec<EndpointWire>>, Problem> {
    let endpoints = gateway.handle.endpoints().await?;
    let wires = endpoints.into_iter().map(|view| EndpointWire {
        endpoint: view.endpoint.to_string(),
        singleton: view.endpoint.is_singleton(),
        registered: view.is_registered,
        waiting: view.waiting,
        bytes: view.bytes,
    });
    Ok(Json(wires.collect()))
}

/// `PUT /api/endpoints/{endpoint}`: registers in an endpoint; again is no error.
pub(super) async fn register(
    State(gateway): Shared,
    Path(typed): Path<String>,
) -> Result<(StatusCode, Json<serde_json::Value>), Problem> {
    let endpoint = gateway.endpoint(&typed)?;
    let name = endpoint.to_string();
    gateway.handle.register(endpoint).await.map_err(|error| Problem::from(error).parameter("endpoint"))?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "endpoint": name }))))
}

/// `DELETE /api/endpoints/{endpoint}`: ends a registration; what waits there goes on waiting.
pub(super) async fn unregister(
    State(gateway): Shared,
    Path(typed): Path<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    let endpoint = gateway.endpoint(&typed)?;
    let name = endpoint.to_string();
    gateway.handle.unregister(endpoint).await.map_err(|error| match Problem::from(error) {
        Problem { code: Code::NotFound, .. } => nobody(&name),
        other => other,
    })?;
    Ok(Json(serde_json::json!({ "endpoint": name })))
}

/// What is listed, and how long to wait for it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WaitingQuery {
    /// How long to wait until there is something.
    wait: Option<String>,
    /// Most bundles.
    max: Option<usize>,
    /// Whether bundles that another reader has at this moment are listed, too.
    claimed: bool,
}

/// `GET /api/endpoints/{endpoint}/bundles`: what waits there, oldest first; as server-sent events who wants.
pub(super) async fn waiting(
    State(gateway): Shared,
    Path(typed): Path<String>,
    Query(query): Query<WaitingQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let endpoint = gateway.endpoint(&typed)?;
    gateway.check_readable(&endpoint).await?;
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("text/event-stream")) {
        let frames = told(Arc::clone(&gateway), endpoint);
        let frames = frames.take_until(gateway.stop.clone().cancelled_owned());
        return Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response());
    }
    let wait = wait::wished(query.wait.as_deref(), &headers)?.unwrap_or_default();
    let max = query.max.unwrap_or(LISTED).min(LISTED_MAX);
    let bundles = gateway.awaited(&endpoint, wait, (max, query.claimed)).await?;
    Ok(Json(bundles).into_response())
}

impl Gateway {
    /// An endpoint at which applications of this node read: as a whole, or its last part.
    fn endpoint(&self, typed: &str) -> Result<Eid, Problem> {
        if !typed.contains(':') {
            return self.relative(typed.trim_start_matches('/'));
        }
        let endpoint = bundles::endpoint(typed, "endpoint")?;
        let node = self.handle.node_id();
        if endpoint.is_singleton() && endpoint.node_id().as_ref() != Some(node) {
            let detail = format!("`{typed}` is not an endpoint of this node, {node}");
            return Err(Problem::bad(detail).parameter("endpoint"));
        }
        Ok(endpoint)
    }

    /// What passes by for many is for us only where somebody is registered.
    async fn check_readable(&self, endpoint: &Eid) -> Result<(), Problem> {
        match endpoint.is_singleton() || self.handle.is_registered(endpoint.clone()).await? {
            true => Ok(()),
            false => Err(nobody(&endpoint.to_string())),
        }
    }

    /// What waits, once something does or the time is up.
    async fn awaited(
        &self,
        endpoint: &Eid,
        wait: Duration,
        listed: (usize, bool),
    ) -> Result<Vec<WaitingWire>, Problem> {
        let found = async {
            let mut events = self.handle.events();
            loop {
                let bundles = self.waiting(endpoint, listed).await?;
                if !bundles.is_empty() {
                    return Ok(bundles);
                }
                // What a reader does not take in time waits again.
                let claimed = self.handle.waiting(endpoint.clone(), LISTED_MAX, true).await?;
                let lapse = claimed.iter().filter_map(|view| view.claimed_until).min();
                tokio::select! {
                    delivered = delivery(&mut events) => delivered?,
                    () = self.handle.clock().sleep_until(lapse) => {}
                }
            }
        };
        tokio::select! {
            biased;
            found = found => found,
            () = tokio::time::sleep(wait.min(WAIT_MAX)) => self.waiting(endpoint, listed).await,
            () = self.stop.cancelled() => Err(Stopped.into()),
        }
    }

    async fn waiting(&self, endpoint: &Eid, listed: (usize, bool)) -> Result<Vec<WaitingWire>, Problem> {
        let (max, claimed) = listed;
        let views = self.handle.waiting(endpoint.clone(), max, claimed).await?;
        let writing = Writing::at(self.handle.clock());
        let wires = views.iter().map(|view| WaitingWire {
            bundle: writing.bundle(&view.bundle),
            claimed: view.claimed_until.is_some(),
        });
        Ok(wires.collect())
    }
}

/// Returns when a bundle was delivered, or when it may have been.
async fn delivery(events: &mut Receiver<Event>) -> Result<(), Stopped> {
    loop {
        match events.recv().await {
            Ok(event) if matches!(event.kind, EventKind::Delivered { .. }) => return Ok(()),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return Ok(()),
            Err(RecvError::Closed) => return Err(Stopped),
        }
    }
}

/// What somebody was told of an endpoint.
struct Telling {
    gateway: Arc<Gateway>,
    endpoint: Eid,
    events: Receiver<Event>,
    /// Bundles that wait and were told.
    told: BTreeSet<String>,
    /// Bundles to be told.
    news: VecDeque<WaitingWire>,
}

/// Every bundle that waits at an endpoint or comes to it, once each.
fn told(gateway: Arc<Gateway>, endpoint: Eid) -> impl Stream<Item = Result<Frame, Infallible>> + Send {
    let events = gateway.handle.events();
    let begin = Telling { gateway, endpoint, events, told: BTreeSet::new(), news: VecDeque::new() };
    let bundles = stream::unfold((begin, true), |(mut telling, is_first)| async move {
        let mut look = is_first;
        loop {
            if let Some(bundle) = telling.news.pop_front() {
                return Some((bundle, (telling, false)));
            }
            if !look {
                delivery(&mut telling.events).await.ok()?;
            }
            look = false;
            telling.look().await.ok()?;
        }
    });
    bundles.map(|bundle| {
        let data = serde_json::to_string(&bundle).expect("wire types become JSON");
        Ok(Frame::default().id(&bundle.bundle.id).event("bundle").data(data))
    })
}

impl Telling {
    async fn look(&mut self) -> Result<(), Problem> {
        let bundles = self.gateway.waiting(&self.endpoint, (LISTED_MAX, true)).await?;
        let here: BTreeSet<String> = bundles.iter().map(|bundle| bundle.bundle.id.clone()).collect();
        self.news.extend(bundles.into_iter().filter(|bundle| !self.told.contains(&bundle.bundle.id)));
        self.told = here;
        Ok(())
    }
}

fn nobody(endpoint: &str) -> Problem {
    Problem::new(Code::NotFound, format!("nobody here is registered in `{endpoint}`"))
        .hint(format!("pannier recv --register -e {endpoint}"))
}
