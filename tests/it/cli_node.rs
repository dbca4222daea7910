//! Commands before a running node, as a person types them one after another.

use std::fs;

use crate::{
    sandbox::Node,
    shell::{last_line, stderr, stdout},
};

#[test]
fn a_job_is_submitted_fetched_listed_and_shown() {
    let node = Node::start();
    let submitted = node.home.pannier(&["submit", "--kind", "echo", "-"], b"water");
    assert_eq!(submitted.status.code(), Some(0), "{}", stderr(&submitted));
    let id = stdout(&submitted).trim().to_owned();
    assert!(id.starts_with("bafyr4i") && !id.contains(char::is_whitespace), "the id is alone on stdout");
    for typed in [id.as_str(), "@last", &id[..16]] {
        let fetched = node.home.pannier(&["fetch", typed, "--wait=1m"], b"");
        assert_eq!((fetched.status.code(), stdout(&fetched).as_str()), (Some(0), "water"), "{typed}");
    }
    assert_eq!(node.home.exit(&["fetch", "@last", "-o", "answer"]), 0);
    assert_eq!(fs::read(node.home.path().join("answer")).unwrap(), b"water");

    let listed = stdout(&node.home.pannier(&["list", "--json"], b""));
    let job: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!((job["id"].as_str(), job["state"].as_str()), (Some(id.as_str()), Some("done")));
    let journey = stdout(&node.home.pannier(&["status", "@last"], b""));
    assert!(journey.contains("✔ accepted") && journey.contains("✔ answered") && journey.contains("signed"));
    assert_eq!(node.home.exit(&["watch", "@last"]), 0);
    let again = node.home.pannier(&["submit", "--kind", "echo", "-"], b"water");
    assert_eq!(stdout(&again).trim(), id, "the same job is the same job");
    let fresh = node.home.pannier(&["submit", "--kind", "echo", "--fresh", "--wait", "-"], b"water");
    assert_eq!(fresh.status.code(), Some(0));
    assert_ne!(stdout(&fresh).trim(), id);
}

#[test]
fn a_job_that_nobody_here_can_do_waits_and_can_be_taken_back() {
    let node = Node::start();
    assert_eq!(node.home.exit(&["submit", "--model", "far-away", "--lifetime", "1h", "-"]), 0);
    assert_eq!(node.home.exit(&["fetch", "@last"]), 3);
    assert_eq!(last_line(&node.home.pannier(&["fetch", "@last", "--json"], b""))["code"], "job_queued");
    assert_eq!(node.home.exit(&["list", "--state", "waiting"]), 0);
    assert_eq!(node.home.exit(&["cancel", "@last"]), 0);
    let cancelled = node.home.pannier(&["fetch", "@last"], b"");
    assert_eq!(cancelled.status.code(), Some(4));
    assert_eq!(stderr(&cancelled), "error: the job was cancelled\n");
    assert_eq!(node.home.exit(&["cancel", "@last"]), 4);
    assert_eq!(node.home.exit(&["watch", "@last"]), 4);
    assert_eq!(node.home.exit(&["fetch", "bafyr4inothing"]), 5);
}

#[test]
fn what_is_no_model_no_address_and_no_folder_is_refused_with_the_reason() {
    let node = Node::start();
    fs::write(node.home.path().join("noise.gguf"), b"noise").unwrap();
    let output = node.home.pannier(&["model", "add", "noise.gguf"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("GGUF"), "{}", stderr(&output));
    assert_eq!(node.home.exit(&["model", "show", "noise"]), 5);
    assert_eq!(node.home.exit(&["peer", "add", "nonsense"]), 1);
    assert_eq!(node.home.exit(&["peer", "forget", "quic://127.0.0.1:9"]), 5);
    let output = node.home.pannier(&["spool", "export", "missing"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hint: mkdir "), "{}", stderr(&output));
    let noise = vec![b'x'; 1024 * 1024 + 1];
    assert_eq!(node.home.pannier(&["submit", "--kind", "echo", "-"], &noise).status.code(), Some(1));
}

#[test]
fn the_doctor_and_the_self_test_find_a_healthy_node_running_or_not() {
    let mut node = Node::start();
    let running = node.home.pannier(&["doctor", "--json"], b"");
    assert_eq!(
        (running.status.code(), last_line(&running)["fail"].as_u64()),
        (Some(0), Some(0)),
        "{}",
        stdout(&running)
    );
    let tested = node.home.pannier(&["selftest", "--json"], b"");
    let kind: serde_json::Value = serde_json::from_str(stdout(&tested).lines().next().unwrap()).unwrap();
    assert_eq!((kind["kind"].as_str(), kind["ok"].as_bool()), (Some("echo"), Some(true)));
    let second = node.home.pannier(&["run"], b"");
    assert_eq!(second.status.code(), Some(12), "{}", stderr(&second));
    assert!(node.stop().success());
    let stopped = node.home.pannier(&["doctor"], b"");
    assert_eq!(stopped.status.code(), Some(0), "{}", stdout(&stopped));
    assert!(stdout(&stopped).contains("ok    store "), "{}", stdout(&stopped));
    assert_eq!(node.home.exit(&["list"]), 10);
}
