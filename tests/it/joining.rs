//! One line of text brings two nodes together: one invites, the other joins, a bundle crosses.

use std::fs;

use serde_json::Value;

use crate::{
    sandbox::{Node, await_that},
    shell::{Home, last_line, stderr, stdout},
};

#[test]
fn who_follows_an_invitation_meets_the_node_and_a_bundle_crosses() {
    let (clinic, village) = (Node::start_carrier(), Node::start_carrier());
    let invitation = clinic.command(&["peer", "invite", "--name", "clinic at the harbour"]);
    assert!(invitation.starts_with("pannier:b") && !invitation.contains(char::is_whitespace), "{invitation}");
    let shown = village.command(&["join", &invitation]);
    assert!(shown.contains(&eid(&clinic)) && shown.contains("(clinic at the harbour)"), "{shown}");
    assert!(shown.contains(&format!("address  {}", clinic.address())), "{shown}");
    village.command_with(&["send", "-r", &format!("{}incoming", eid(&clinic)), "-"], b"water is here");
    assert_eq!(clinic.command(&["recv", "-e", "incoming", "--wait=1m"]), "water is here");
    await_that("a peer that is connected", || is_met(&village, &clinic));
    assert!(village.command(&["key", "list"]).contains("seals only"), "its sealing key has come along");
}

#[test]
fn every_road_on_which_a_node_listens_stands_in_its_invitation() {
    let roads = ["tcpclv4", "mtcp", "stcp", "udp"];
    let listen = roads.map(|road| format!("cla.{road}.listen=127.0.0.1:0"));
    let mut settings: Vec<&str> = listen.iter().map(String::as_str).collect();
    settings.extend(["cla.quic.listen=off", "inference.engines=[]"]);
    let (clinic, village) = (Node::start_with(&settings), Node::start_carrier());
    let made = clinic.told(&["peer", "invite"]);
    let listens = clinic.ready()["links"].as_array().unwrap().clone();
    assert_eq!(made["addresses"].as_array().unwrap().len(), roads.len());
    for link in &listens {
        let place = format!("{}://{}?eid={}", text(&link["cla"]), text(&link["addr"]), eid(&clinic));
        assert!(made["addresses"].as_array().unwrap().contains(&Value::from(place)), "{made}");
    }
    assert!(made["findings"][0].as_str().unwrap().contains("loopback"), "{made}");
    village.command(&["join", text(&made["uri"])]);
    assert_eq!(village.told(&["ping", &eid(&clinic)])["type"], "result");
}

#[test]
fn an_invitation_is_looked_at_without_being_followed() {
    let (clinic, village) = (Node::start_carrier(), Node::start_carrier());
    clinic.command(&["key", "create", "executors"]);
    let invitation = clinic.command(&["peer", "invite"]);
    let keys = village.told(&["key", "list"]);
    let looked = village.told(&["join", "--dry-run", &invitation.to_uppercase()]);
    assert_eq!((&looked["joined"], text(&looked["node"])), (&Value::Bool(false), eid(&clinic).as_str()));
    assert_eq!(looked["seals_for"], serde_json::json!(["node", "role executors"]));
    assert_eq!(village.told(&["peer", "list"])["peers"], 0);
    assert_eq!(village.told(&["key", "list"]), keys);
    // From a pipe, with the line breaks of a letter.
    let lines = format!("{}\n {}\n", &invitation[..40], &invitation[40..]);
    let joined = village.lines_with(&["join", "-"], lines.as_bytes()).pop().unwrap();
    assert_eq!(joined["joined"], true);
    assert_ne!(village.told(&["key", "list"]), keys);
    assert_eq!(village.home.exit(&["submit", "--kind", "echo", "--seal", "group", "-"]), 0);
}

#[test]
fn what_cannot_be_followed_says_why_and_changes_nothing() {
    let (clinic, village) = (Node::start_carrier(), Node::start_carrier());
    let invitation = clinic.command(&["peer", "invite"]);
    let expired = clinic.command(&["peer", "invite", "--lifetime", "0s"]);
    let middle = invitation.len() / 2;
    let other = if &invitation[middle..=middle] == "a" { "b" } else { "a" };
    let mistyped = [&invitation[..middle], other, &invitation[middle + 1..]].concat();
    await_that("the end of an invitation", || {
        village.home.pannier(&["join", "--dry-run", &expired], b"").status.code() == Some(4)
    });
    for (node, typed, exit, words) in [
        (&village, mistyped.as_str(), 1, "is damaged"),
        (&village, &invitation[..middle], 1, "is damaged"),
        (&village, "quic://127.0.0.1:9", 1, "begins with `pannier:`"),
        (&village, expired.as_str(), 4, "has expired"),
        (&clinic, invitation.as_str(), 1, "this node's own"),
    ] {
        let output = node.home.pannier(&["join", typed], b"");
        assert_eq!(output.status.code(), Some(exit), "{typed}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{typed}: {}", stderr(&output));
        assert_eq!(node.told(&["peer", "list"])["peers"], 0, "{typed}");
    }
    let refused = clinic.home.pannier(&["--json", "peer", "invite", "--name", &"n".repeat(65)], b"");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&last_line(&refused)["message"]).contains("`name` is longer than 64"),
        "{}",
        stdout(&refused)
    );
}

#[test]
fn a_role_that_is_known_by_another_key_stays_as_it_is() {
    let (clinic, village) = (Node::start_carrier(), Node::start_carrier());
    for node in [&clinic, &village] {
        node.command(&["key", "create", "executors"]);
    }
    let before = village.command(&["key", "show", "--role", "executors"]);
    let joined = village.told(&["join", &clinic.command(&["peer", "invite"])]);
    assert!(text(&joined["findings"][0]).contains("another key of role executors"), "{joined}");
    assert_eq!(village.command(&["key", "show", "--role", "executors"]), before);
}

#[test]
fn an_invitation_is_drawn_on_request_and_in_a_file() {
    let node = Node::start_carrier();
    let drawn = node.command(&["peer", "invite", "--qr", "--png", "invitation.png"]);
    let mut lines = drawn.lines();
    assert!(lines.next().unwrap().starts_with("pannier:b"));
    let width = lines.next().unwrap().chars().count();
    assert!(width <= 80 && lines.all(|line| line.chars().count() == width), "{drawn}");
    assert!(fs::read(node.home.path().join("invitation.png")).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    let elsewhere = node.home.pannier(&["peer", "invite", "--png", "invitation.png/below.png"], b"");
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(stderr(&elsewhere).contains("cannot be written"), "{}", stderr(&elsewhere));
}

#[test]
fn a_node_that_does_not_run_or_does_not_listen_invites_nobody() {
    let silent = Node::start_with(&["cla.quic.listen=off", "inference.engines=[]"]);
    let output = silent.home.pannier(&["peer", "invite"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no link listens here"), "{}", stderr(&output));
    let home = Home::new();
    assert_eq!(home.exit(&["peer", "invite"]), 11);
    assert_eq!(home.exit(&["init"]), 0);
    assert_eq!(home.exit(&["peer", "invite"]), 10);
    assert_eq!(home.exit(&["join", "pannier:babc"]), 10);
}

fn is_met(node: &Node, other: &Node) -> bool {
    let peers = node.lines(&["peer", "list"]);
    peers.iter().any(|peer| peer["node"] == eid(other) && peer["connected"] == true)
}

fn eid(node: &Node) -> String {
    text(&node.ready()["eid"]).to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
