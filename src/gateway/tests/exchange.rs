//! Plain bundles over HTTP: sent, listed, claimed, read and taken.

use axum::body::Bytes;
use futures_util::{StreamExt, stream};

use super::*;

impl Desk {
    /// Sends a body with this query; the id.
    async fn send(&self, query: &str, body: impl Into<Body>) -> String {
        let got =
            self.ask(request("POST", &format!("/api/bundles?{query}")).body(body.into()).unwrap()).await;
        assert_eq!(got.status, StatusCode::CREATED, "{}", got.body);
        escape(got.json()["id"].as_str().unwrap())
    }

    async fn call(&self, method: &str, path: impl AsRef<str>) -> Got {
        self.ask(request(method, path.as_ref()).body(Body::empty()).unwrap()).await
    }

    /// An endpoint of this node, as it stands in a query.
    async fn endpoint(&self, demux: &str) -> String {
        let node = self.get("/api/status").await.json()["node"].as_str().unwrap().to_owned();
        escape(&format!("{node}{demux}"))
    }

    async fn waiting(&self, demux: &str, query: &str) -> Vec<Value> {
        let got = self.get(&format!("/api/endpoints/{demux}/bundles?{query}")).await;
        assert_eq!(got.status, StatusCode::OK, "{}", got.body);
        got.json().as_array().unwrap().clone()
    }
}

fn escape(text: &str) -> String {
    text.replace('/', "%2F").replace(':', "%3A").replace('@', "%40")
}

#[tokio::test]
async fn a_bundle_is_sent_listed_read_and_taken() {
    let desk = Desk::open().await;
    let to = desk.endpoint("in").await;
    let id = desk.send(&format!("to={to}&from=out&lifetime=1h"), "water").await;
    let listed = desk.waiting("in", "").await;
    assert_eq!((listed.len(), escape(listed[0]["id"].as_str().unwrap())), (1, id.clone()));
    assert_eq!((&listed[0]["len"], &listed[0]["claimed"]), (&json!(5), &json!(false)));
    assert!(listed[0]["source"].as_str().unwrap().ends_with("/out"));
    let payload = desk.get(&format!("/api/bundles/{id}/payload")).await;
    assert_eq!(
        (payload.body.as_str(), &payload.headers[header::CONTENT_LENGTH]),
        ("water", &"5".parse().unwrap())
    );
    assert_eq!(desk.call("DELETE", &format!("/api/bundles/{id}")).await.status, StatusCode::OK);
    for (method, path) in
        [("DELETE", ""), ("GET", ""), ("GET", "/payload"), ("GET", "/raw"), ("POST", "/claim?reader=1")]
    {
        let gone = desk.call(method, &format!("/api/bundles/{id}{path}")).await;
        assert_eq!(
            (gone.status, gone.json()["code"].as_str()),
            (StatusCode::NOT_FOUND, Some("not_found")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_payload_of_unknown_length_arrives_whole_and_one_that_breaks_off_leaves_nothing() {
    let desk = Desk::open().await;
    let to = desk.endpoint("in").await;
    let blocks = desk.handle.store().usage().blocks;
    let piece = Bytes::from(vec![7; 700_001]);
    let whole = stream::iter(vec![piece.clone(); 4]).map(Ok::<_, std::io::Error>);
    let id = desk.send(&format!("to={to}"), Body::from_stream(whole)).await;
    let payload = desk.get(&format!("/api/bundles/{id}/payload")).await;
    assert_eq!(payload.headers[header::CONTENT_LENGTH], "2800004");
    assert!(payload.body.bytes().all(|byte| byte == 7));

    for announced in [None, Some("2800004")] {
        let broken =
            stream::iter([Ok(piece.clone())]).chain(stream::iter([Err(std::io::Error::other("gone"))]));
        let mut request = request("POST", &format!("/api/bundles?to={to}"));
        if let Some(len) = announced {
            request = request.header(header::CONTENT_LENGTH, len);
        }
        let got = desk.ask(request.body(Body::from_stream(broken)).unwrap()).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{}", got.body);
        assert!(got.body.contains("broke off"), "{}", got.body);
    }
    assert_eq!(desk.handle.store().usage().blocks, blocks + 1);
    assert_eq!(desk.waiting("in", "").await.len(), 1);
    assert!(std::fs::read_dir(desk.folder.path().join("incoming")).unwrap().next().is_none());
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_it_is_written() {
    let desk = Desk::with_quota(100_000).await;
    for announced in [true, false] {
        let body = vec![1; 200_000];
        let body = match announced {
            true => Body::from(body),
            false => Body::from_stream(stream::iter([Ok::<_, std::io::Error>(Bytes::from(body))])),
        };
        let mut request = request("POST", "/api/bundles?to=dtn://b/in");
        if announced {
            request = request.header(header::CONTENT_LENGTH, 200_000);
        }
        let got = desk.ask(request.body(body).unwrap()).await;
        assert_eq!(
            (got.status, got.json()["code"].as_str()),
            (StatusCode::INSUFFICIENT_STORAGE, Some("store_full"))
        );
    }
    assert_eq!(desk.get("/api/bundles").await.json(), json!([]));
}

#[tokio::test]
async fn one_reader_at_a_time_has_a_bundle_and_who_waits_gets_what_is_not_taken() {
    let desk = Desk::open().await;
    let to = desk.endpoint("in").await;
    let id = desk.send(&format!("to={to}"), "water").await;
    let claim = |reader: u8, hold: &str| {
        desk.call("POST", format!("/api/bundles/{id}/claim?reader={reader}&hold={hold}"))
    };
    assert_eq!(claim(1, "1m").await.status, StatusCode::OK);
    let busy = claim(2, "1m").await;
    assert_eq!((busy.status, busy.json()["code"].as_str()), (StatusCode::CONFLICT, Some("claimed")));
    assert_eq!(desk.waiting("in", "").await.len(), 0);
    assert_eq!(desk.waiting("in", "claimed=true").await[0]["claimed"], true);
    assert_eq!(claim(1, "50ms").await.status, StatusCode::OK);
    assert_eq!(desk.waiting("in", "wait=60s").await.len(), 1, "who waits gets it once the claim has lapsed");
}

#[tokio::test]
async fn who_waits_is_told_of_what_comes() {
    let desk = Desk::open().await;
    let to = desk.endpoint("in").await;
    let query = format!("to={to}");
    let (waited, id) = tokio::join!(desk.waiting("in", "wait=60s"), desk.send(&query, "water"));
    assert_eq!(escape(waited[0]["id"].as_str().unwrap()), id);
    let request = request("GET", "/api/endpoints/in/bundles").header(header::ACCEPT, "text/event-stream");
    let told = desk.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut body = told.into_body();
    let mut next = async || loop {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8(frame.to_vec()).unwrap();
        if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: ")) {
            return escape(serde_json::from_str::<Value>(data).unwrap()["id"].as_str().unwrap());
        }
    };
    assert_eq!(next().await, id, "what waits already");
    let second = desk.send(&query, "bread").await;
    assert_eq!(next().await, second, "what comes then, and only that");
}

#[tokio::test]
async fn registrations_are_made_listed_and_ended() {
    let desk = Desk::open().await;
    let news = "/api/endpoints/dtn%3A%2F%2Fregion%2F~news";
    assert_eq!(desk.get(&format!("{news}/bundles")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.call("PUT", news).await.status, StatusCode::CREATED);
    assert_eq!(desk.call("PUT", news).await.status, StatusCode::CREATED, "again is no error");
    desk.send("to=dtn%3A%2F%2Fregion%2F~news", "dry").await;
    let listed = desk.get("/api/endpoints").await.json();
    let expected = json!([{
        "endpoint": "dtn://region/~news", "singleton": false, "registered": true, "waiting": 1, "bytes": 3,
    }]);
    assert_eq!(listed, expected);
    assert_eq!(desk.call("DELETE", news).await.status, StatusCode::OK);
    assert_eq!(desk.call("DELETE", news).await.status, StatusCode::NOT_FOUND);
    for (path, word) in [
        ("dtn%3A%2F%2Fother%2Fin", "not an endpoint of this node"),
        ("echo", "served by the node itself"),
        ("a%20b", "not the name of an endpoint"),
        ("x%3Ay", "not an endpoint identifier"),
    ] {
        let refused = desk.call("PUT", &format!("/api/endpoints/{path}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(refused.body.contains(word), "{path}: {}", refused.body);
    }
}

#[tokio::test]
async fn terms_that_make_no_sense_are_named() {
    let desk = Desk::open().await;
    for (query, parameter) in [
        ("from=x", "to"),
        ("to=b", "to"),
        ("to=dtn://b/in&reports=lost", "reports"),
        ("to=dtn://b/in&crc=64", "crc"),
        ("to=dtn://b/in&lifetime=soon", "lifetime"),
        ("to=dtn://b/in&from=dtn://c/out", "from"),
        ("to=dtn://b/in&report_to=me", "report_to"),
    ] {
        let got =
            desk.ask(request("POST", &format!("/api/bundles?{query}")).body(Body::from("x")).unwrap()).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{query}: {}", got.body);
        assert_eq!(got.json()["parameter"], parameter, "{query}: {}", got.body);
    }
    for query in ["to=dtn://b/in&hop_limit=0", "to=dtn://b/in&hop_limit=256", "to=dtn://b/in&colour=red"] {
        let got =
            desk.ask(request("POST", &format!("/api/bundles?{query}")).body(Body::from("x")).unwrap()).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{query}: {}", got.body);
    }
    let tried = request("POST", "/api/bundles?to=dtn://b/in&dry_run=true").body(Body::from("four")).unwrap();
    let tried = desk.ask(tried).await;
    assert_eq!((tried.status, &tried.json()["len"]), (StatusCode::OK, &json!(4)), "{}", tried.body);
    assert_eq!(desk.get("/api/bundles").await.json(), json!([]));
}
