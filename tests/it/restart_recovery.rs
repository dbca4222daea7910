//! Power cuts: what was said to be accepted is there afterwards, is answered once, and the node is who it was.

use std::{fs, io::Write, net::TcpStream, path::PathBuf};

use crate::sandbox::{Node, await_that, lives};

#[test]
fn a_job_whose_id_was_printed_is_there_after_a_power_cut() {
    let mut node = Node::start_carrier();
    let mut jobs = Vec::new();
    for round in 0..3 {
        jobs.push(node.echo(&[], &format!("question {round}")));
        node.kill();
        node.run();
    }
    assert!(jobs.iter().all(|job| node.state(job) == "waiting"), "{}", node.log());
    node.set("inference.engines=echo");
    assert!(node.stop().success());
    node.run();
    for (round, job) in jobs.iter().enumerate() {
        assert_eq!(node.command(&["fetch", job, "--wait=1m"]), format!("question {round}"));
        assert_eq!(node.count(job, "answered"), 1);
    }
}

#[test]
fn a_task_that_a_power_cut_ended_is_done_again_and_answered_once() {
    let mut node = Node::start();
    let job = node.echo(&["-p", "sleep_ms=2000"], "slow");
    await_that("the task", || node.state(&job) == "running");
    let workers = node.workers();
    assert!(!workers.is_empty());
    node.kill();
    await_that("the end of its workers", || workers.iter().all(|&worker| !lives(worker)));
    node.run();
    assert_eq!(node.command(&["fetch", &job, "--wait=1m"]), "slow");
    assert_eq!(node.count(&job, "answered"), 1);
    node.kill();
    node.run();
    assert_eq!(node.command(&["fetch", &job]), "slow", "the answer is as durable as the question");
    assert_eq!(node.count(&job, "answered"), 1);
}

#[test]
fn a_model_that_was_on_its_way_in_takes_no_room_after_a_power_cut() {
    let mut node = Node::start();
    let incoming = node.home.path().join("data/incoming");
    let files = || fs::read_dir(&incoming).map_or(0, |entries| entries.count());
    let mut upload = TcpStream::connect(node.api()).unwrap();
    let head =
        "POST /api/models?name=half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nGGUF";
    upload.write_all(head.as_bytes()).unwrap();
    await_that("the beginning of the file", || files() == 1);
    node.kill();
    node.run();
    assert_eq!(files(), 0);

    // One that breaks off while the node runs.
    let mut upload = TcpStream::connect(node.api()).unwrap();
    upload.write_all(head.as_bytes()).unwrap();
    await_that("the beginning of the file", || files() == 1);
    drop(upload);
    await_that("the end of the file", || files() == 0);
    assert_eq!(node.told(&["model", "list"])["models"], 0);
}

#[test]
fn a_node_is_who_it_was_after_a_power_cut() {
    let mut node = Node::start();
    let before = node.ready();
    node.kill();
    node.run();
    let after = node.ready();
    assert_eq!((&before["eid"], &before["peer_id"]), (&after["eid"], &after["peer_id"]));
    assert_ne!(before["pid"], after["pid"]);
}

#[test]
fn what_was_written_last_and_only_in_part_is_nothing() {
    let mut node = Node::start();
    let job = node.echo(&["--wait=1m"], "water");
    node.kill();
    let (segment, end) = last_entry(&node);
    let mut bytes = fs::read(&segment).unwrap();
    // The beginning of an entry as it stands at the front of the log, and then noise.
    let begun: Vec<u8> = bytes[64..96].to_vec();
    bytes[end..end + 32].copy_from_slice(&begun);
    bytes[end + 32..end + 4096].fill(0xa5);
    fs::write(&segment, bytes).unwrap();
    node.run();
    assert_eq!(node.command(&["fetch", &job]), "water");
    assert_eq!(node.command(&["fetch", &node.echo(&["--wait=1m"], "more")]), "more");
    node.command(&["doctor"]);
    node.kill();
    node.run();
    assert_eq!(node.told(&["list"])["jobs"], 2);
}

#[test]
fn a_catalogue_that_is_lost_is_written_again() {
    let mut node = Node::start();
    let job = node.echo(&["--wait=1m"], "water");
    assert!(node.stop().success());
    fs::remove_dir_all(node.home.path().join("data/store/index")).unwrap();
    node.run();
    assert_eq!(node.command(&["fetch", &job]), "water");
    assert_eq!(node.count(&job, "started"), 1);
    node.command(&["doctor"]);
}

/// The segment that was written to last, and where its zeros begin, aligned.
fn last_entry(node: &Node) -> (PathBuf, usize) {
    let entries = fs::read_dir(node.home.path().join("data/store/seg")).unwrap().flatten();
    let mut used: Vec<(PathBuf, usize)> = entries
        .filter_map(|entry| {
            let bytes = fs::read(entry.path()).unwrap();
            let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
            (end > 64).then(|| (entry.path(), end.next_multiple_of(64)))
        })
        .collect();
    used.sort();
    used.pop().unwrap()
}
