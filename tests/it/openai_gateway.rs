//! The gateway as programs on this machine meet it: OpenAI's shapes, waiting, going away, and who is let in.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::{
    sandbox::{Node, await_some, await_that},
    shell::{Home, stderr},
};

const CHAT: &str = "/v1/chat/completions";

/// One question to a model that is far away.
fn question(content: &str) -> Value {
    json!({ "model": "far-away", "messages": [{ "role": "user", "content": content }] })
}

fn post(node: &Node, path: &str, headers: &[(&str, &str)], body: &Value) -> crate::sandbox::Answer {
    let headers = [&[("Content-Type", "application/json")], headers].concat();
    node.http("POST", path, &headers, &body.to_string())
}

#[test]
fn an_answer_that_does_not_come_in_time_is_a_job_to_come_back_for() {
    let node = Node::start();
    let told = post(&node, CHAT, &[("Prefer", "wait=0")], &question("Is the road open?"));
    assert_eq!(told.status, 202, "{}", told.body);
    let error = &told.json()["error"];
    assert_eq!((error["code"].as_str(), error["type"].as_str()), (Some("job_queued"), Some("queued")));
    let job = error["job_id"].as_str().unwrap();
    assert_eq!(told.header("Location"), Some(format!("/api/jobs/{job}").as_str()));
    assert_eq!(node.state(job), "waiting");

    let again = post(&node, CHAT, &[("Prefer", "wait=0")], &question("Is the road open?"));
    assert_eq!(again.json()["error"]["job_id"], job, "the same question is the same job");
    let waited = node.http("GET", &format!("/api/jobs/{job}/result?wait=50ms"), &[], "");
    assert_eq!((waited.status, waited.json()["code"].as_str()), (202, Some("job_queued")));
    assert_eq!(node.command(&["list", "--state", "waiting"]).lines().count(), 1);
    let completion = json!({ "model": "far-away", "prompt": "Once upon" });
    assert_eq!(post(&node, "/v1/completions", &[("Prefer", "wait=0")], &completion).status, 202);
    let streamed = json!({ "model": "far-away", "stream": true, "messages": question("x")["messages"] });
    let streamed = post(&node, CHAT, &[("Prefer", "wait=0")], &streamed);
    assert!(streamed.body.contains("job_queued"), "{} {}", streamed.status, streamed.body);
}

#[test]
fn a_client_that_goes_away_does_not_lose_its_job() {
    let node = Node::start();
    let body = question("Are you still there?").to_string();
    let connection = node.request("POST", CHAT, &[("Prefer", "wait=600")], &body);
    let job = await_some("the job", || {
        let jobs = node.lines(&["list"]);
        jobs.into_iter().find_map(|line| line["id"].as_str().map(str::to_owned))
    });
    drop(connection);
    let asked = post(&node, CHAT, &[("Prefer", "wait=0")], &question("Are you still there?"));
    assert_eq!(asked.json()["error"]["job_id"], job.as_str());
    assert_eq!(node.state(&job), "waiting");

    // One that waits for an answer which is being made.
    let slow = node.echo(&["-p", "sleep_ms=500"], "slow");
    drop(node.request("GET", &format!("/api/jobs/{slow}/result?wait=60s"), &[], ""));
    assert_eq!(node.command(&["fetch", &slow, "--wait=1m"]), "slow");
    assert_eq!(node.count(&slow, "started"), 1);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let node = Node::start();
    let mut tools = question("x");
    tools["tools"] = json!([]);
    let mut many = question("x");
    many["n"] = json!(2);
    let nothing = json!({ "model": "far-away" });
    for (request, code, parameter) in [
        (tools, "unsupported_parameter", "tools"),
        (many, "unsupported_parameter", "n"),
        (nothing, "bad_request", "messages"),
    ] {
        let refused = post(&node, CHAT, &[], &request);
        assert_eq!(refused.status, 400, "{}", refused.body);
        let error = &refused.json()["error"];
        assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some(code), Some(parameter)));
        assert_eq!(error["type"], "invalid_request_error");
    }
    let broken = node.http("POST", CHAT, &[], "{ \"model\": ");
    assert_eq!((broken.status, broken.json()["error"]["code"].as_str()), (400, Some("bad_request")));
    assert_eq!(node.http("GET", CHAT, &[], "").status, 405);
    assert_eq!(node.http("GET", "/v1/nothing", &[], "").status, 404);
    assert_eq!(node.told(&["list"])["jobs"], 0, "nothing of that is a job");
}

#[test]
fn a_node_says_how_it_is() {
    let node = Node::start();
    for path in ["/health", "/v1/health", "/ready"] {
        let told = node.http("GET", path, &[], "");
        assert_eq!((told.status, told.json()), (200, json!({ "status": "ok" })), "{path}");
    }
    node.echo(&["--wait=1m"], "count me");
    let metrics = node.http("GET", "/metrics", &[], "");
    assert!(metrics.header("Content-Type").unwrap().starts_with("application/openmetrics-text"));
    assert!(
        metrics.body.contains("pannier_") && metrics.body.trim_end().ends_with("# EOF"),
        "{}",
        metrics.body
    );
    let models = node.http("GET", "/v1/models", &[], "").json();
    assert_eq!((&models["object"], &models["data"]), (&json!("list"), &json!([])));
    let unknown = node.http("GET", "/v1/models/far-away", &[], "");
    assert_eq!((unknown.status, unknown.json()["error"]["param"].as_str()), (404, Some("model")));
}

#[test]
fn only_who_is_on_this_machine_is_let_in() {
    let node = Node::start();
    let port = node.api().rsplit(':').next().unwrap().to_owned();
    for host in ["rebound.example.org", "192.0.2.7:4580", ""] {
        let refused = node.http("GET", "/api/jobs", &[("Host", host)], "");
        assert!([400, 403].contains(&refused.status), "{host}: {}", refused.body);
    }
    let named = format!("localhost:{port}");
    assert_eq!(node.http("GET", "/api/jobs", &[("Host", &named)], "").status, 200);
    let page = post(&node, CHAT, &[("Origin", "https://example.org")], &question("from a web page"));
    assert_eq!((page.status, page.json()["error"]["code"].as_str()), (403, Some("forbidden")));
    assert_eq!(node.told(&["list"])["jobs"], 0);

    let home = Home::new();
    assert_eq!(home.exit(&["init"]), 0);
    for address in ["0.0.0.0:0", "192.0.2.7:4580", "[::]:0"] {
        let refused = home.pannier(&["run", "--set", &format!("gateway.listen={address}")], b"");
        assert_eq!(refused.status.code(), Some(13), "{address}: {}", stderr(&refused));
        assert!(stderr(&refused).contains("loopback"), "{}", stderr(&refused));
    }
}

#[test]
fn whoever_listens_hears_every_step_of_a_job() {
    let node = Node::start();
    let mut lines = BufReader::new(node.request("GET", "/api/events", &[], "")).lines();
    // The head shows that it listens.
    while !lines.next().unwrap().unwrap().is_empty() {}
    let job = node.echo(&[], "hear me");
    let mut steps = Vec::new();
    while steps.last().is_none_or(|step| step != "answered") {
        let line = lines.next().unwrap().unwrap();
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let event: Value = serde_json::from_str(data).unwrap();
        if event["event"] == "job" {
            assert_eq!(event["job"], job.as_str());
            steps.push(event["step"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(steps, ["accepted", "started", "answered"]);
}

#[test]
fn a_program_submits_and_fetches_without_the_command_line() {
    let node = Node::start();
    let submitted = post(&node, "/api/jobs", &[], &json!({ "kind": "echo", "input": "hello" }));
    assert_eq!(submitted.status, 201, "{}", submitted.body);
    let place = submitted.header("Location").unwrap().to_owned();
    let fetched = node.http("GET", &format!("{place}/result?wait=60s"), &[], "");
    assert_eq!((fetched.status, fetched.body.as_str()), (200, "hello"));
    assert_eq!(fetched.header("Content-Type"), Some("text/plain"));
    let shown = node.http("GET", &place, &[], "").json();
    assert_eq!(shown["state"], "done");
    let again = post(&node, "/api/jobs", &[], &json!({ "kind": "echo", "input": "hello" }));
    assert_eq!((again.status, again.json()["answered"].as_bool()), (200, Some(true)));
    let misspelt = post(&node, "/api/jobs", &[], &json!({ "kind": "echo", "imput": "hello" }));
    assert_eq!((misspelt.status, misspelt.json()["code"].as_str()), (400, Some("bad_request")));
    let waiting =
        post(&node, "/api/jobs", &[], &json!({ "kind": "chat", "model": "far-away", "input": "x" }));
    let place = waiting.header("Location").unwrap().to_owned();
    assert_eq!(node.http("DELETE", &place, &[], "").status, 200);
    await_that("the cancellation", || node.http("GET", &place, &[], "").json()["state"] == "cancelled");
    assert_eq!(node.http("GET", &format!("{place}/result"), &[], "").status, 410);
}
