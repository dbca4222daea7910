//! The gateway as programs meet it: requests in, answers out, before a real agent.

mod exchange;

use std::{path::PathBuf, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use bundle_spec::{
    DtnTime,
    invitation::{Introduction, Invitation},
    manifest::AssetKind,
    sign::SigningKey,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    node_ops::{
        Check, ImportedModel, Introduced, InvitationTerms, Operation, OperationError, PeerAddress,
        SpoolExport, SpoolReport, Verdict,
    },
    *,
};
use crate::node::rehearsal::{self, MODEL};

/// A node whose files, addresses and sticks are imaginary.
struct Pretended {
    ready: bool,
}

impl NodeOps for Pretended {
    fn import_model(&self, name: String, kind: AssetKind, file: PathBuf) -> Operation<'_, ImportedModel> {
        Box::pin(async move {
            let bytes = std::fs::read(file).unwrap();
            if kind == AssetKind::Gguf && !bytes.starts_with(b"GGUF") {
                return Err(OperationError::Invalid("it does not begin with `GGUF`".to_owned()));
            }
            let size = u64::try_from(bytes.len()).unwrap();
            let manifest = bundle_spec::Cid::dag_cbor(&bytes);
            Ok(ImportedModel { name, manifest, size, known: 4, alias: None })
        })
    }

    fn peers_add(&self, address: String) -> Operation<'_, ()> {
        Box::pin(async move {
            if address.starts_with("quic://") {
                return Ok(());
            }
            Err(OperationError::Invalid(format!("`{address}` is not an address")))
        })
    }

    fn peers_forget(&self, address: String) -> Operation<'_, ()> {
        Box::pin(async move { Err(OperationError::NotFound(format!("no peer `{address}`"))) })
    }

    fn peers_list(&self) -> Operation<'_, Vec<PeerAddress>> {
        let address = String::from("quic://127.0.0.1:9");
        let trouble = String::from("refused");
        Box::pin(async move { Ok(vec![PeerAddress { address, node: None, connected: false, trouble }]) })
    }

    fn invite(&self, terms: InvitationTerms) -> Operation<'_, Introduced> {
        Box::pin(async move {
            let addresses = vec!["quic://127.0.0.1:9".to_owned()];
            Ok(Introduced { invitation: invitation(terms.name), addresses, findings: Vec::new() })
        })
    }

    fn join(&self, invitation: Invitation, _dry_run: bool) -> Operation<'_, Introduced> {
        Box::pin(async move {
            match invitation.introduction.name.as_deref() {
                Some("late") => Err(OperationError::Expired("the invitation has expired".to_owned())),
                _ => Ok(Introduced { invitation, addresses: Vec::new(), findings: Vec::new() }),
            }
        })
    }

    fn spool_export(&self, request: SpoolExport) -> Operation<'_, SpoolReport> {
        Box::pin(
            async move { Ok(SpoolReport { bytes: request.bytes_max.unwrap(), ..SpoolReport::default() }) },
        )
    }

    fn spool_import(&self, _folder: PathBuf) -> Operation<'_, SpoolReport> {
        Box::pin(async { Err(OperationError::StoreFull) })
    }

    fn metrics(&self) -> Operation<'_, String> {
        Box::pin(async { Ok(String::from("# EOF\n")) })
    }

    fn doctor(&self, quick: bool) -> Operation<'_, Vec<Check>> {
        let check = Check {
            name: String::from("quick"),
            verdict: if quick { Verdict::Ok } else { Verdict::Warn },
            detail: String::new(),
            hint: String::new(),
        };
        Box::pin(async move { Ok(vec![check]) })
    }

    fn ready(&self) -> bool {
        self.ready
    }
}

/// A gateway before a node of its own.
struct Desk {
    router: Router,
    handle: Handle,
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

/// What came back.
struct Got {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The data of every server-sent event.
    fn events(&self) -> Vec<String> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}

impl Desk {
    async fn open() -> Self {
        Self::with_quota(10 << 20).await
    }

    async fn with_quota(quota: u64) -> Self {
        let handle = rehearsal::begin(quota).await;
        let folder = tempfile::tempdir().unwrap();
        let options = Options { wait: Duration::from_secs(30), incoming: folder.path().join("incoming") };
        let stop = CancellationToken::new();
        let gateway = Gateway {
            handle: handle.clone(),
            node: Arc::new(Pretended { ready: true }),
            options,
            stop: stop.clone(),
        };
        Self { router: router(Arc::new(gateway)), handle, folder, stop }
    }

    async fn ask(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Got { status: parts.status, headers: parts.headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Got {
        self.ask(request("GET", path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Got {
        let request = request("POST", path).header(header::CONTENT_TYPE, "application/json");
        self.ask(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Submits an input to the model that is held.
    async fn submit(&self, input: &str) -> String {
        let got = self.post("/api/jobs", json!({ "kind": "chat", "model": MODEL, "input": input })).await;
        assert_eq!(got.status, StatusCode::CREATED, "{}", got.body);
        got.json()["id"].as_str().unwrap().to_owned()
    }
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost")
}

fn chat(input: &str) -> Value {
    json!({ "model": MODEL, "messages": [{ "role": "user", "content": input }] })
}

#[tokio::test]
async fn a_job_is_submitted_looked_at_and_fetched() {
    let desk = Desk::open().await;
    let id = desk.submit("one| two").await;
    let result = desk.get(&format!("/api/jobs/{id}/result?wait=30s")).await;
    assert_eq!((result.status, result.body.as_str()), (StatusCode::OK, "one two"));
    assert_eq!(result.headers[header::CONTENT_TYPE], "text/plain");
    let job = desk.get(&format!("/api/jobs/{}", &id[..20])).await.json();
    assert_eq!(job["id"], id.as_str());
    assert_eq!(job["state"], "done");
    assert_eq!(job["result"]["signature_valid"], true);
    let executor = &job["executor"];
    assert_eq!((&executor["node"], &executor["remote"]), (&job["result"]["executor"], &json!(false)));
    assert_eq!((&executor["started_at"], &executor["run_ms"]), (&Value::Null, &json!(0)));
    let steps: Vec<&str> =
        job["journey"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!((steps[0], *steps.last().unwrap()), ("accepted", "answered"));
    assert_eq!(desk.get("/api/jobs").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_wish_is_the_same_job_whichever_way_it_came() {
    let desk = Desk::open().await;
    let native = desk.submit("hold").await;
    let request = request("POST", "/v1/chat/completions").header("prefer", "wait=0");
    let got = desk.ask(request.body(Body::from(chat("hold").to_string())).unwrap()).await;
    assert_eq!(got.status, StatusCode::ACCEPTED);
    assert_eq!(got.json()["error"]["job_id"], native.as_str());
    let raw = format!("/api/jobs?kind=chat&model={MODEL}&media=text%2Fplain");
    let got = desk.ask(self::request("POST", &raw).body(Body::from("hold")).unwrap()).await;
    assert_eq!((got.status, got.json()["id"].as_str()), (StatusCode::OK, Some(native.as_str())));
}

#[tokio::test]
async fn an_answer_that_is_not_here_is_202_and_never_lost() {
    let desk = Desk::open().await;
    let id = desk.submit("hold").await;
    let got = desk.get(&format!("/api/jobs/{id}/result")).await;
    assert_eq!(got.status, StatusCode::ACCEPTED);
    assert_eq!(got.headers[header::LOCATION], format!("/api/jobs/{id}"));
    assert_eq!(got.json()["code"], "job_queued");
}

#[tokio::test]
async fn a_job_that_failed_says_why_and_a_cancelled_one_is_gone() {
    let desk = Desk::open().await;
    let id = desk.submit("fail").await;
    let got = desk.get(&format!("/api/jobs/{id}/result?wait=30s")).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(got.json()["detail"], "bad input: not a word");

    let id = desk.submit("hold").await;
    let delete = || request("DELETE", &format!("/api/jobs/{id}")).body(Body::empty()).unwrap();
    assert_eq!(desk.ask(delete()).await.status, StatusCode::OK);
    assert_eq!(desk.get(&format!("/api/jobs/{id}/result")).await.status, StatusCode::GONE);
    assert_eq!(desk.ask(delete()).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_input_too_long_for_the_job_travels_as_a_block_and_a_longer_one_is_refused() {
    let desk = Desk::open().await;
    let long = "x".repeat(crate::limits::INLINE_BYTES_MAX + 1);
    let id = desk.submit(&long).await;
    assert_eq!(desk.get(&format!("/api/jobs/{id}/result?wait=30s")).await.body, long);
    let longer = "x".repeat(usize::try_from(crate::limits::BLOCK_BYTES_MAX).unwrap() + 1);
    let got = desk.post("/api/jobs", json!({ "kind": "echo", "input": longer })).await;
    assert_eq!((got.status, got.json()["code"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("too_large")));
}

#[tokio::test]
async fn a_full_store_refuses_with_507() {
    let desk = Desk::with_quota(0).await;
    let got = desk.post("/api/jobs", json!({ "kind": "echo", "input": "x" })).await;
    assert_eq!(
        (got.status, got.json()["code"].as_str()),
        (StatusCode::INSUFFICIENT_STORAGE, Some("store_full"))
    );
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_in_the_store() {
    let desk = Desk::open().await;
    let before = desk.get("/api/status").await.json()["store_live"].clone();
    let long = "x".repeat(crate::limits::INLINE_BYTES_MAX + 1);
    let year = |input: &str| json!({ "kind": "echo", "input": input, "lifetime": "367d" });
    assert_eq!(desk.post("/api/jobs", year("x")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(desk.post("/api/jobs", year(&long)).await.status, StatusCode::BAD_REQUEST);
    let send = request("POST", "/api/bundles?to=dtn://b/in&lifetime=367d").body(Body::from(long)).unwrap();
    assert_eq!(desk.ask(send).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(desk.get("/api/status").await.json()["store_live"], before);
    assert_eq!(desk.get("/api/jobs").await.json(), json!([]));
}

#[tokio::test]
async fn requests_that_make_no_sense_name_what_is_wrong() {
    let desk = Desk::open().await;
    for (body, parameter) in [
        (json!({ "kind": "sing", "input": "x" }), "kind"),
        (json!({ "kind": "chat", "input": "x" }), "model"),
        (json!({ "kind": "echo" }), "input"),
        (json!({ "kind": "echo", "input_base64": "!" }), "input_base64"),
        (json!({ "kind": "echo", "input": "x", "lifetime": "long" }), "lifetime"),
        (json!({ "kind": "echo", "input": "x", "parameters": { "a": {} } }), "a"),
    ] {
        let got = desk.post("/api/jobs", body).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST);
        assert_eq!(got.json()["parameter"], parameter, "{}", got.body);
    }
    let got = desk.post("/api/jobs", json!({ "kind": "echo", "input": "x", "colour": 1 })).await;
    assert!(got.json()["detail"].as_str().unwrap().contains("colour"));
    assert_eq!(desk.get("/api/jobs/nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.get("/nothing").await.json()["code"], "not_found");
    assert_eq!(
        desk.ask(request("PUT", "/api/jobs").body(Body::empty()).unwrap()).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn whatever_cannot_be_read_is_a_problem_in_the_shape_of_its_path() {
    let desk = Desk::open().await;
    let broken = |path| request("POST", path).header(header::CONTENT_TYPE, "application/json");
    for got in [
        desk.get("/api/jobs/%ff").await,
        desk.get("/api/models/%ff").await,
        desk.get("/api/jobs/x/result?output=first").await,
        desk.get("/api/doctor?quick=maybe").await,
        desk.get("/api/doctor?quik=true").await,
        desk.ask(broken("/api/jobs").body(Body::from("{")).unwrap()).await,
        desk.ask(broken("/api/peers").body(Body::from("{}")).unwrap()).await,
    ] {
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{}", got.body);
        assert_eq!(got.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(got.json()["code"], "bad_request");
    }
    for (status, got) in [
        (400, desk.get("/v1/models/%ff").await),
        (400, desk.ask(broken("/v1/chat/completions").body(Body::from("{")).unwrap()).await),
        (404, desk.get("/v1/nothing").await),
        (405, desk.get("/v1/completions").await),
    ] {
        assert_eq!(got.status, status, "{}", got.body);
        assert_eq!(got.json()["error"]["type"], "invalid_request_error");
    }
}

#[tokio::test]
async fn a_chat_completion_has_openais_shape() {
    let desk = Desk::open().await;
    let got = desk.post("/v1/chat/completions", chat("one| two")).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.body);
    let answer = got.json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(
        answer["choices"][0]["message"],
        json!({ "role": "assistant", "content": "one two", "refusal": null })
    );
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"], json!({ "prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5 }));
    assert_eq!(answer["system_fingerprint"], "parrot 1");
    let got = desk.post("/v1/completions", json!({ "model": MODEL, "prompt": "one" })).await;
    assert_eq!(got.json()["choices"][0]["text"], "one");
    assert_eq!(got.json()["object"], "text_completion");
}

#[tokio::test]
async fn a_request_says_who_may_read_it_and_is_told_who_could() {
    let desk = Desk::open().await;
    let ask = async |seal: &str, input: &str| {
        let request = request("POST", "/v1/chat/completions").header("pannier-seal", seal);
        let request = request.header("prefer", "wait=1");
        desk.ask(request.body(Body::from(chat(input).to_string())).unwrap()).await
    };
    for (input, status) in [("one", StatusCode::OK), ("hold", StatusCode::ACCEPTED)] {
        let got = ask("open", input).await;
        assert_eq!((got.status, &got.headers["pannier-seal"]), (status, &"open".parse().unwrap()));
    }
    let got = ask("group", "one").await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (StatusCode::CONFLICT, &json!("no_key")));
    let got = ask("closed", "one").await;
    assert_eq!((got.status, &got.json()["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("seal")));
    assert_eq!(desk.get("/api/jobs").await.json().as_array().unwrap().len(), 2, "nothing else is accepted");
}

#[tokio::test]
async fn a_parameter_that_no_engine_takes_is_refused_before_anything_is_submitted() {
    let desk = Desk::open().await;
    for (name, value) in [
        ("temperature", json!(3)),
        ("temperature", json!("hot")),
        ("max_tokens", json!(0)),
        ("max_completion_tokens", json!(0.5)),
        ("top_p", json!(2)),
        ("seed", json!(-1)),
        ("stop", json!(7)),
        ("n", json!(2)),
    ] {
        let mut request = chat("one");
        request[name] = value;
        let got = desk.post("/v1/chat/completions", request).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{name}: {}", got.body);
        assert_eq!(got.json()["error"]["param"], name);
        assert_eq!(got.json()["error"]["type"], "invalid_request_error");
    }
    assert_eq!(desk.get("/api/jobs").await.json(), json!([]));
}

#[tokio::test]
async fn a_stream_brings_piece_by_piece_what_the_whole_answer_says() {
    let desk = Desk::open().await;
    for script in ["one| two| three", "oneagain| two| three", "one| twoagain| three"] {
        let mut request = chat(script);
        request["stream"] = json!(true);
        request["stream_options"] = json!({ "include_usage": true });
        let got = desk.post("/v1/chat/completions", request).await;
        assert!(got.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/event-stream"));
        let events = got.events();
        assert_eq!(events.last().map(String::as_str), Some("[DONE]"), "{script}");
        let chunks: Vec<Value> =
            events[..events.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
        assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
        assert_eq!(chunks[0]["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
        let text: String =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, "one two three", "{script}");
        let [.., end, usage] = chunks.as_slice() else { panic!("too few chunks") };
        assert_eq!(end["choices"][0]["finish_reason"], "stop");
        assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(5)));
    }
}

#[tokio::test]
async fn a_stream_of_an_answer_that_is_here_is_the_whole_of_it() {
    let desk = Desk::open().await;
    let whole = desk.post("/v1/chat/completions", chat("one| two")).await;
    assert_eq!(whole.status, StatusCode::OK);
    let mut again = chat("one| two");
    again["stream"] = json!(true);
    let events = desk.post("/v1/chat/completions", again).await.events();
    assert_eq!(events.len(), 4, "role, text, end, done");
    assert!(events[1].contains("one two"));
}

#[tokio::test]
async fn a_stream_that_does_not_begin_in_time_is_202_and_one_that_fails_says_why() {
    let desk = Desk::open().await;
    let mut held = chat("hold");
    held["stream"] = json!(true);
    let request = request("POST", "/v1/chat/completions").header("prefer", "wait=0");
    let got = desk.ask(request.body(Body::from(held.to_string())).unwrap()).await;
    assert_eq!(
        (got.status, got.json()["error"]["code"].as_str()),
        (StatusCode::ACCEPTED, Some("job_queued"))
    );
    let desk = Desk::open().await;
    let mut failing = chat("fail");
    failing["stream"] = json!(true);
    let got = desk.post("/v1/chat/completions", failing).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(got.json()["error"]["code"], "job_failed");
}

#[tokio::test]
async fn who_waits_is_told_when_the_node_stops() {
    let desk = Desk::open().await;
    let id = desk.submit("hold").await;
    desk.stop.cancel();
    let got = desk.get(&format!("/api/jobs/{id}/result?wait=1h")).await;
    assert_eq!(
        (got.status, got.json()["code"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("stopping"))
    );
}

#[tokio::test]
async fn models_are_listed_in_both_shapes_added_and_dropped() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/v1/models").await.json()["data"][0]["id"], MODEL);
    assert_eq!(desk.get(&format!("/v1/models/{MODEL}")).await.json()["x_pannier"]["held"], "here");
    assert_eq!(desk.get("/v1/models/none").await.json()["error"]["code"], "not_found");
    let add = |body: &'static str| request("POST", "/api/models?name=new").body(Body::from(body)).unwrap();
    let got = desk.ask(add("GGUF and so on")).await;
    assert_eq!((got.status, got.json()["size"].as_u64()), (StatusCode::CREATED, Some(14)));
    assert_eq!(got.json()["known"], 4);
    let got = desk.ask(add("nonsense")).await;
    assert_eq!(
        (got.status, got.json()["detail"].as_str()),
        (StatusCode::BAD_REQUEST, Some("it does not begin with `GGUF`"))
    );
    let add_as =
        |query: &str| request("POST", &format!("/api/models?{query}")).body(Body::from("nonsense")).unwrap();
    assert_eq!(desk.ask(add_as("name=new&kind=data")).await.status, StatusCode::CREATED);
    assert_eq!(desk.ask(add_as("name=new&kind=onyx")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(desk.ask(add_as("name=sha256:new&kind=data")).await.status, StatusCode::BAD_REQUEST);
    let left = std::fs::read_dir(desk.folder.path().join("incoming")).unwrap().count();
    assert_eq!(left, 0, "files on their way in are removed");
    let delete = || request("DELETE", &format!("/api/models/{MODEL}")).body(Body::empty()).unwrap();
    assert_eq!(desk.ask(delete()).await.status, StatusCode::OK);
    assert_eq!(desk.ask(delete()).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_invitation_is_made_read_and_followed_and_what_is_none_is_refused() {
    let desk = Desk::open().await;
    let made = desk.post("/api/invitations", json!({ "name": "clinic", "lifetime": "2d" })).await;
    assert_eq!((made.status, &made.json()["name"]), (StatusCode::CREATED, &json!("clinic")));
    let uri = made.json()["uri"].clone();
    let followed = desk.post("/api/join", json!({ "invitation": uri, "dry_run": true })).await;
    assert_eq!((followed.status, &followed.json()["joined"]), (StatusCode::OK, &json!(false)));
    assert_eq!((&followed.json()["uri"], &followed.json()["expires_at"]), (&uri, &Value::Null));
    let late =
        desk.post("/api/join", json!({ "invitation": invitation(Some("late".to_owned())).to_string() }));
    let late = late.await;
    assert_eq!((late.status, &late.json()["code"]), (StatusCode::GONE, &json!("expired")));
    for (path, body, parameter) in [
        ("/api/join", json!({ "invitation": "pannier:babc" }), "invitation"),
        ("/api/join", json!({ "invitation": "quic://h:1" }), "invitation"),
        ("/api/invitations", json!({ "lifetime": "long" }), "lifetime"),
    ] {
        let got = desk.post(path, body).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(got.json()["parameter"], parameter, "{path}");
    }
}

fn invitation(name: Option<String>) -> Invitation {
    let key = SigningKey::from_bytes(&[7; 32]);
    let (node, expires) = (key.public().node_id(), DtnTime::UNKNOWN);
    Invitation::sign(Introduction { node, name, expires, places: Vec::new(), keys: Vec::new() }, &key)
        .unwrap()
}

#[tokio::test]
async fn peers_and_sticks_are_the_nodes_business() {
    let desk = Desk::open().await;
    let peers = desk.get("/api/peers").await.json();
    assert_eq!(
        (&peers[0]["address"], &peers[0]["trouble"]),
        (&json!("quic://127.0.0.1:9"), &json!("refused"))
    );
    let add = |address: &str| json!({ "address": address });
    assert_eq!(desk.post("/api/peers", add("quic://h:1")).await.status, StatusCode::CREATED);
    assert_eq!(desk.post("/api/peers", add("h")).await.status, StatusCode::BAD_REQUEST);
    let folder = desk.folder.path().to_str().unwrap();
    let got = desk.post("/api/spool/export", json!({ "folder": folder, "max": "2kB" })).await;
    assert_eq!(got.json()["bytes"], 2000);
    let got = desk.post("/api/spool/import", json!({ "folder": folder })).await;
    assert_eq!(got.status, StatusCode::INSUFFICIENT_STORAGE);
    let got = desk.post("/api/spool/import", json!({ "folder": "stick" })).await;
    assert_eq!(got.json()["parameter"], "folder");
}

#[tokio::test]
async fn health_readiness_metrics_and_checks_are_told() {
    let desk = Desk::open().await;
    assert_eq!(desk.get("/health").await.json()["status"], "ok");
    assert_eq!(desk.get("/ready").await.status, StatusCode::OK);
    assert_eq!(desk.get("/metrics").await.body, "# EOF\n");
    assert_eq!(desk.get("/api/doctor?quick=true").await.json()[0]["verdict"], "ok");
    let status = desk.get("/api/status").await.json();
    assert_eq!(
        (status["ready"].as_bool(), status["engines"][0]["name"].as_str()),
        (Some(true), Some("llama"))
    );
}

#[tokio::test]
async fn a_node_answers_its_own_ping_and_nobody_answers_for_others() {
    let desk = Desk::open().await;
    let me = desk.get("/api/status").await.json()["node"].as_str().unwrap().to_owned();
    let got = desk.post(&format!("/api/ping?to={me}"), json!({})).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.body);
    let got = desk.post("/api/ping?to=dtn://nobody/&wait=0", json!({})).await;
    assert_eq!(got.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn events_are_told_as_they_happen() {
    let desk = Desk::open().await;
    let response = desk.router.clone().oneshot(request("GET", "/api/events").body(Body::empty()).unwrap());
    let mut body = response.await.unwrap().into_body();
    let id = desk.submit("one").await;
    let mut seen = String::new();
    while !seen.contains("answered") {
        let frame = body.frame().await.unwrap().unwrap();
        seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    assert!(seen.contains(&id) && seen.contains("event: job"));
}
