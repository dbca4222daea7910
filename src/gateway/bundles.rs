//! `/api/bundles`: any data for any endpoint on its way out, and what can be done with a bundle that is here:
//! look at it, read it, claim it for a while, take it.

use std::{str::FromStr, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bundle_spec::{BlockRef, BundleFlags, BundleId, Cid, CrcType, Eid, Header};
use serde::Deserialize;

use super::{
    Gateway, Shared,
    extract::{Path, Query},
    incoming::{self, Incoming},
    payload,
    problem::{Code, Problem},
    views::{REPORTS, Writing},
    wire::{BundleWire, SentWire},
};
use crate::{
    limits,
    node::mailbox::{Answer, BundleView, NewBundle, SHORT_BYTES_MAX, Submission, Terms},
    settings::quantity,
};

/// Demux (dtn) and service number (ipn) of the endpoint here that waits for an echo.
pub(super) const PING: (&str, u64) = ("ping", 4558);
/// Up to this length a payload waits in memory and goes to the node in one step.
const SHORT_LEN_MAX: u64 = SHORT_BYTES_MAX as u64;
/// How long a reader keeps a bundle from others if it does not say.
const HOLD: Duration = Duration::from_secs(60);

/// `GET /api/bundles`: every bundle that is held.
pub(super) async fn list(State(gateway): Shared) -> Result<Json<Vec<BundleWire>>, Problem> {
    let bundles = gateway.handle.bundles().await?;
    let writing = Writing::at(gateway.handle.clock());
    Ok(Json(bundles.iter().map(|view| writing.bundle(view)).collect()))
}

/// How a bundle is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SendQuery {
    /// Where to.
    to: String,
    /// From which endpoint of this node: an endpoint or its last part; by default the node itself.
    from: Option<String>,
    /// How long it is worth carrying, e.g. `3d`.
    lifetime: Option<String>,
    /// Of what reports are wanted: `received`, `forwarded`, `delivered`, `deleted`, separated by commas.
    reports: Option<String>,
    /// Where reports go.
    report_to: Option<String>,
    /// Whether reports say when it happened.
    report_time: bool,
    /// Whether the application is asked for an acknowledgement.
    acknowledge: bool,
    /// Whether it must arrive in one piece.
    no_fragment: bool,
    /// How many hops it may take.
    hop_limit: Option<u8>,
    /// `16` or `32`.
    crc: Option<String>,
    /// Whether it is only looked at whether it would be accepted.
    dry_run: bool,
}

/// `POST /api/bundles?to=EID`: sends the body.
pub(super) async fn send(
    State(gateway): Shared,
    query: Result<Query<SendQuery>, Problem>,
    headers: HeaderMap,
    mut request: Body,
) -> Result<(StatusCode, Json<SentWire>), Problem> {
    let sent = match query {
        Ok(Query(query)) => gateway.send(query, &headers, &mut request).await,
        Err(problem) => Err(problem),
    };
    if sent.is_err() {
        incoming::hear_out(&mut request).await;
    }
    let sent = sent?;
    Ok((if sent.id.is_some() { StatusCode::CREATED } else { StatusCode::OK }, Json(sent)))
}

impl Gateway {
    async fn send(
        &self,
        query: SendQuery,
        headers: &HeaderMap,
        request: &mut Body,
    ) -> Result<SentWire, Problem> {
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let announced: Option<u64> = announced.and_then(|len| len.parse().ok());
        let (dry_run, mut bundle) = (query.dry_run, self.new_bundle(query, announced.unwrap_or(0))?);
        let mut sent = self.sent(&bundle)?;
        if dry_run {
            self.admit(&bundle).await?;
            sent.len = body_len(request).await?;
            bundle.payload.len = sent.len;
            self.admit(&bundle).await?;
            return Ok(sent);
        }
        if let Some(len) = announced.filter(|len| *len <= SHORT_LEN_MAX) {
            return self.send_short(bundle, len, request, sent).await;
        }
        self.admit(&bundle).await?;
        bundle.payload = match announced {
            Some(len) => self.write_body(request, len).await?,
            None => {
                let file = Incoming::receive(self, request).await?;
                bundle.payload.len = file.len;
                self.admit(&bundle).await?;
                self.write_file(&file.path, file.len).await?
            }
        };
        sent.len = bundle.payload.len;
        sent.payload = Some(bundle.payload.cid.to_string());
        match self.handle.submit(Submission::Bundle(bundle)).await? {
            Answer::Bundle(id) => Ok(SentWire { id: Some(id.to_string()), ..sent }),
            other => unreachable!("a bundle is answered by its id, not {other:?}"),
        }
    }

    /// Sends what is short enough to come in one step.
    async fn send_short(
        &self,
        mut bundle: NewBundle,
        len: u64,
        request: &mut Body,
        sent: SentWire,
    ) -> Result<SentWire, Problem> {
        let bytes = payload::read_body(request, len).await?;
        bundle.payload = BlockRef::raw(&bytes);
        let payload = Some(bundle.payload.cid.to_string());
        match self.handle.submit_short(Submission::Bundle(bundle), bytes).await? {
            Answer::Bundle(id) => Ok(SentWire { id: Some(id.to_string()), payload, ..sent }),
            other => unreachable!("a bundle is answered by its id, not {other:?}"),
        }
    }

    /// Whether it would be accepted. Of the payload only the length counts.
    async fn admit(&self, bundle: &NewBundle) -> Result<(), Problem> {
        Ok(self.handle.admit_submission(Submission::Bundle(bundle.clone())).await?)
    }

    fn new_bundle(&self, query: SendQuery, len: u64) -> Result<NewBundle, Problem> {
        if query.to.is_empty() {
            return Err(Problem::bad("`to` is missing: the endpoint that the bundle is for").parameter("to"));
        }
        let destination = endpoint(&query.to, "to")?;
        let lifetime = query.lifetime.as_deref().map(quantity::duration).transpose();
        let lifetime = lifetime.map_err(|error| Problem::bad(error.to_string()).parameter("lifetime"))?;
        let source = self.source(query.from.as_deref())?;
        let payload = BlockRef { cid: Cid::raw(b""), len };
        Ok(NewBundle { destination, source, payload, lifetime, terms: terms(&query)? })
    }

    /// The last part of an endpoint of this node, however it was typed.
    fn source(&self, typed: Option<&str>) -> Result<String, Problem> {
        let node = self.handle.node_id();
        let Some(typed) = typed else { return Ok(node.eid().demux().unwrap_or_default()) };
        if !typed.contains(':') {
            return Ok(typed.trim_start_matches('/').to_owned());
        }
        let eid = endpoint(typed, "from")?;
        if eid.node_id().as_ref() != Some(node) {
            let detail = format!("`{typed}` is not an endpoint of this node, {node}");
            return Err(Problem::bad(detail)
                .parameter("from")
                .hint("name an endpoint of this node, or only its last part, like `data`"));
        }
        Ok(eid.demux().unwrap_or_default())
    }

    fn sent(&self, bundle: &NewBundle) -> Result<SentWire, Problem> {
        let lifetime = bundle.lifetime.unwrap_or(limits::LIFETIME_DEFAULT);
        Ok(SentWire {
            id: None,
            source: self.relative(&bundle.source)?.to_string(),
            destination: bundle.destination.to_string(),
            len: bundle.payload.len,
            payload: None,
            lifetime_seconds: lifetime.as_secs(),
        })
    }

    /// An endpoint of this node that has one form in each scheme.
    pub(super) fn own_endpoint(&self, (demux, service): (&str, u64)) -> Eid {
        self.handle.node_id().endpoint(demux, service)
    }

    /// The endpoint of this node with this last part: a demux (dtn) or a service number (ipn).
    pub(super) fn relative(&self, typed: &str) -> Result<Eid, Problem> {
        let node = self.handle.node_id();
        let wrong = |detail: String| Problem::bad(detail).parameter("endpoint");
        match node.eid() {
            Eid::Ipn { .. } => {
                let service = typed.parse().map_err(|_| {
                    wrong(format!("`{typed}` is not a service number, and this node is {node}"))
                })?;
                Ok(node.endpoint("", service))
            }
            Eid::None | Eid::Dtn(_) => match Eid::dtn("node", typed) {
                Ok(_) => Ok(node.endpoint(typed, 0)),
                Err(_) => Err(wrong(format!("`{typed}` is not the name of an endpoint"))),
            },
        }
    }

    async fn find_bundle(&self, id: &str) -> Result<(BundleView, Header), Problem> {
        let found = self.handle.bundle(bundle_id(id)?).await?;
        found.ok_or_else(|| no_bundle(id))
    }
}

/// How many bytes come, without keeping them.
async fn body_len(request: &mut Body) -> Result<u64, Problem> {
    let mut len = 0;
    while let Some(frame) = http_body_util::BodyExt::frame(request).await {
        let frame = frame.map_err(|_| Problem::bad("the request broke off; send it again"))?;
        let bytes = frame.data_ref().map_or(0, |bytes| bytes.len());
        len += u64::try_from(bytes).expect("a length fits 64 bits");
    }
    Ok(len)
}

fn terms(query: &SendQuery) -> Result<Terms, Problem> {
    let mut flags = BundleFlags::NONE;
    for word in query.reports.iter().flat_map(|words| words.split(',')).map(str::trim) {
        let Some((flag, _)) = REPORTS.iter().find(|(_, known)| *known == word) else {
            let detail =
                format!("`{word}` is not reported; `received`, `forwarded`, `delivered` and `deleted` are");
            return Err(Problem::bad(detail).parameter("reports"));
        };
        flags = flags | *flag;
    }
    for (is_set, flag) in [
        (query.report_time, BundleFlags::STATUS_TIME_REQUESTED),
        (query.acknowledge, BundleFlags::ACKNOWLEDGEMENT_REQUESTED),
        (query.no_fragment, BundleFlags::MUST_NOT_FRAGMENT),
    ] {
        if is_set {
            flags = flags | flag;
        }
    }
    let crc = match query.crc.as_deref() {
        None | Some("32") => CrcType::Castagnoli,
        Some("16") => CrcType::X25,
        Some(other) => {
            let detail = format!("there is no checksum `{other}`; there are `16` and `32`");
            return Err(Problem::bad(detail).parameter("crc"));
        }
    };
    let report_to = query.report_to.as_deref().map(|eid| endpoint(eid, "report_to")).transpose()?;
    Ok(Terms { flags, report_to, hop_limit: query.hop_limit.unwrap_or(limits::HOP_LIMIT), crc })
}

/// `GET /api/bundles/{id}`: what its header says.
pub(super) async fn show(
    State(gateway): Shared,
    Path(id): Path<String>,
) -> Result<Json<BundleWire>, Problem> {
    let (view, header) = gateway.find_bundle(&id).await?;
    Ok(Json(Writing::at(gateway.handle.clock()).bundle_with(&view, &header)))
}

/// `GET /api/bundles/{id}/payload`: its payload.
pub(super) async fn read(State(gateway): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let (view, _) = gateway.find_bundle(&id).await?;
    let reader = gateway.open_payload(view.payload).await?;
    Ok(bytes(payload::payload(reader), view.payload.len))
}

/// `GET /api/bundles/{id}/raw`: the bundle as it came or was made.
pub(super) async fn raw(State(gateway): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let (view, header) = gateway.find_bundle(&id).await?;
    let reader = gateway.open_payload(view.payload).await?;
    let len = header.bundle_len().expect("a bundle that is held has a length of 64 bits");
    Ok(bytes(payload::bundle(&header, reader), len))
}

fn bytes(body: Body, len: u64) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_LENGTH, HeaderValue::from(len)),
    ];
    (headers, body).into_response()
}

/// `DELETE /api/bundles/{id}`: takes a bundle that waits here; takes back one that has not gone yet.
pub(super) async fn take(
    State(gateway): Shared,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    gateway.handle.take(bundle_id(&id)?).await.map_err(|error| named(error.into(), &id))?;
    Ok(Json(serde_json::json!({ "id": id })))
}

/// Who claims a bundle, and for how long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimQuery {
    /// What the reader calls itself; whoever says the same is the same.
    reader: u64,
    /// How long, e.g. `1m`; `0` gives the bundle back.
    hold: Option<String>,
}

/// `POST /api/bundles/{id}/claim?reader=NUMBER`: keeps others from reading it for a while.
pub(super) async fn claim(
    State(gateway): Shared,
    Path(id): Path<String>,
    Query(query): Query<ClaimQuery>,
) -> Result<Json<serde_json::Value>, Problem> {
    let hold = query.hold.as_deref().map(quantity::duration).transpose();
    let hold = hold.map_err(|error| Problem::bad(error.to_string()).parameter("hold"))?.unwrap_or(HOLD);
    let claimed = gateway.handle.claim(bundle_id(&id)?, query.reader, hold).await;
    claimed.map_err(|error| named(error.into(), &id))?;
    let hold = hold.min(limits::CLAIM_MAX);
    Ok(Json(serde_json::json!({ "id": id, "seconds": hold.as_secs() })))
}

/// A problem that says which bundle was not found.
fn named(problem: Problem, id: &str) -> Problem {
    match problem.code {
        Code::NotFound => no_bundle(id),
        _ => problem,
    }
}

fn no_bundle(id: &str) -> Problem {
    Problem::new(Code::NotFound, format!("no bundle `{id}` is here")).hint("pannier query bundles")
}

fn bundle_id(text: &str) -> Result<BundleId, Problem> {
    BundleId::from_str(text).map_err(|error| {
        Problem::bad(format!("`{text}` is not the id of a bundle: {error}"))
            .parameter("id")
            .hint("pannier query bundles")
    })
}

/// An endpoint as it was typed for `parameter`.
pub(super) fn endpoint(text: &str, parameter: &str) -> Result<Eid, Problem> {
    Eid::from_str(text).map_err(|error| {
        Problem::bad(format!("`{text}` is not an endpoint identifier: {error}"))
            .parameter(parameter)
            .hint("endpoints look like `dtn://clinic/inbox` or `ipn:9.1`")
    })
}
