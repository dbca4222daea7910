//! `/api/events`: what happens, as it happens, as server-sent events. Nothing is kept for those who are
//! away: who comes back with a `Last-Event-ID` is told that there is a gap and looks at the state.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event as Frame, KeepAlive, Sse},
};
use bundle_spec::{
    BundleId, Cid, DtnTime, NodeId,
    report::{Assertion, StatusReport},
};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use super::{Shared, views};
use crate::node::mailbox::{CloseReason, Event, EventKind};

/// How often a silent stream shows that it lives.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `GET /api/events`.
pub(super) async fn stream(
    State(gateway): Shared,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Frame, Infallible>>> {
    let events = BroadcastStream::new(gateway.handle.events()).map(|event| match event {
        Ok(event) => frame(&event),
        Err(BroadcastStreamRecvError::Lagged(missed)) => gap(Some(missed)),
    });
    let opening = headers.contains_key("last-event-id").then(|| gap(None));
    let frames = stream::iter(opening).chain(events).map(Ok);
    let frames = frames.take_until(gateway.stop.clone().cancelled_owned());
    Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

fn gap(missed: Option<u64>) -> Frame {
    Frame::default().event("gap").data(json!({ "event": "gap", "missed": missed }).to_string())
}

fn frame(event: &Event) -> Frame {
    let (name, mut data) = described(&event.kind);
    data["event"] = name.into();
    if event.wall != 0 {
        data["at"] = DtnTime(event.wall).to_string().into();
    }
    Frame::default().id(event.at.0.to_string()).event(name).data(data.to_string())
}

/// An event's name and fields.
fn described(kind: &EventKind) -> (&'static str, Value) {
    match kind {
        EventKind::ContactOpened { peer, cla, .. } => {
            ("contact_opened", json!({ "node": peer.as_ref().map(ToString::to_string), "cla": cla }))
        }
        EventKind::ContactClosed { peer, reason, .. } => (
            "contact_closed",
            json!({ "node": peer.as_ref().map(ToString::to_string), "detail": closed(*reason) }),
        ),
        EventKind::Received { bundle, peer, job, len } => ("received", moved(bundle, peer, *job, *len)),
        EventKind::Forwarded { bundle, peer, job, len } => ("forwarded", moved(bundle, peer, *job, *len)),
        EventKind::Delivered { bundle, endpoint, .. } => {
            ("delivered", json!({ "bundle": bundle.to_string(), "endpoint": endpoint.to_string() }))
        }
        EventKind::Deleted { bundle, why } => {
            ("deleted", json!({ "bundle": bundle.to_string(), "detail": why }))
        }
        EventKind::Reported { by, report } => ("reported", reported(by.as_ref(), report)),
        EventKind::Job { job, step } => {
            let (step, node, detail) = views::step(step);
            ("job", json!({ "job": job.to_string(), "step": step, "node": node, "detail": detail }))
        }
        EventKind::Model { name, manifest, held } => {
            ("model", json!({ "name": name, "manifest": manifest.to_string(), "held": held }))
        }
    }
}

/// What another node says became of a bundle.
fn reported(by: Option<&NodeId>, report: &StatusReport) -> Value {
    let said = |assertion: Assertion| match assertion {
        Assertion::No => Value::Null,
        Assertion::Yes => true.into(),
        Assertion::At(time) => time.to_string().into(),
    };
    json!({
        "bundle": report.bundle.to_string(),
        "node": by.map(ToString::to_string),
        "received": said(report.received),
        "forwarded": said(report.forwarded),
        "delivered": said(report.delivered),
        "deleted": said(report.deleted),
        "reason": report.reason.code(),
        "detail": report.reason.to_string(),
    })
}

/// A bundle that came from a peer or went to one.
fn moved(bundle: &BundleId, peer: &Option<NodeId>, job: Option<Cid>, len: u64) -> Value {
    let job = job.map(|job| job.to_string());
    let node = peer.as_ref().map(ToString::to_string);
    json!({ "bundle": bundle.to_string(), "node": node, "job": job, "len": len })
}

fn closed(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Finished => "finished",
        CloseReason::Lost => "lost",
        CloseReason::Violation => "violation",
    }
}
