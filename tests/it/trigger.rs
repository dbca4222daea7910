//! A command for every bundle: what it is told, what its failure means, and several of them at one endpoint.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Child, Stdio},
};

use crate::{
    sandbox::{Node, await_that, lives},
    shell::{stderr, stdout},
};

#[test]
fn a_command_runs_for_every_bundle_that_comes_and_the_bundle_is_gone() {
    let node = Node::start_carrier();
    script(
        &node,
        "note.sh",
        "printf '%s|%s|%s|%s\\n' \"$1\" \"$BUNDLE_ID\" \"$BUNDLE_BYTES\" \"$(cat \"$2\")\" >> notes",
    );
    let mut trigger = start(&node, &["trigger", "-e", "in", "-c", "./note.sh"]);
    let first = send(&node, "water");
    let notes = node.home.path().join("notes");
    await_that("the first note", || fs::read_to_string(&notes).is_ok_and(|text| text.lines().count() == 1));
    let second = send(&node, "bread");
    await_that("the second note", || fs::read_to_string(&notes).is_ok_and(|text| text.lines().count() == 2));
    await_that("the end of both bundles", || node.bundles().is_empty());
    let eid = node.ready()["eid"].as_str().unwrap().to_owned();
    let expected = format!("{eid}|{first}|5|water\n{eid}|{second}|5|bread\n");
    assert_eq!(fs::read_to_string(&notes).unwrap(), expected);
    trigger.kill().unwrap();
    trigger.wait().unwrap();
}

#[test]
fn a_command_that_fails_leaves_the_bundle_there() {
    let node = Node::start_carrier();
    let id = send(&node, "water");
    script(&node, "fail.sh", "echo tried >> tries; exit 7");
    let failed = node.home.pannier(&["trigger", "-e", "in", "--once", "-c", "./fail.sh"], b"");
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    assert!(stderr(&failed).contains(&format!("`{id}` stays")), "{}", stderr(&failed));
    assert_eq!(fs::read_to_string(node.home.path().join("tries")).unwrap(), "tried\n", "once is once");
    let missing = node.home.pannier(&["trigger", "-e", "in", "--once", "-c", "./missing.sh"], b"");
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("`./missing.sh` cannot be started"), "{}", stderr(&missing));
    let lines = node.lines(&["trigger", "-e", "in", "--once", "-c", "cp %f copy"]);
    assert_eq!((&lines[0]["id"], &lines[0]["success"]), (&id.into(), &true.into()));
    assert_eq!(lines[1]["done"], 1);
    assert_eq!(fs::read_to_string(node.home.path().join("copy")).unwrap(), "water");
    assert_eq!(node.bundles().len(), 0);
}

#[test]
fn a_bundle_that_failed_is_tried_again() {
    let node = Node::start_carrier();
    send(&node, "water");
    script(&node, "second.sh", "if [ -e seen ]; then cp \"$2\" copy; else touch seen; exit 1; fi");
    let mut trigger = start(&node, &["trigger", "-e", "in", "--retry", "100ms", "-c", "./second.sh"]);
    await_that("the end of the bundle", || node.bundles().is_empty());
    assert_eq!(fs::read_to_string(node.home.path().join("copy")).unwrap(), "water");
    trigger.kill().unwrap();
    trigger.wait().unwrap();
}

#[test]
fn several_triggers_at_one_endpoint_run_each_bundle_once() {
    const BUNDLES: usize = 12;
    let node = Node::start_carrier();
    script(&node, "count.sh", "echo x >> \"count-$(cat \"$2\")\"");
    let mut triggers: Vec<Child> =
        (0..3).map(|_| start(&node, &["trigger", "-e", "in", "-c", "./count.sh"])).collect();
    for number in 0..BUNDLES {
        send(&node, &number.to_string());
    }
    await_that("the end of all bundles", || node.bundles().is_empty());
    for number in 0..BUNDLES {
        let count = fs::read_to_string(node.home.path().join(format!("count-{number}"))).unwrap();
        assert_eq!(count, "x\n", "bundle {number}");
    }
    for trigger in &mut triggers {
        trigger.kill().unwrap();
        trigger.wait().unwrap();
    }
}

#[test]
fn a_trigger_that_is_told_to_end_gives_its_bundle_back() {
    let node = Node::start_carrier();
    send(&node, "water");
    script(&node, "long.sh", "echo $$ > pid.draft; mv pid.draft pid; exec tail -f /dev/null");
    let mut trigger = start(&node, &["trigger", "-e", "in", "-c", "./long.sh"]);
    let pid = node.home.path().join("pid");
    await_that("the command", || pid.exists());
    assert_eq!(node.home.exit(&["recv", "-e", "in"]), 3, "the command has it");
    let id = rustix::process::Pid::from_child(&trigger);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(trigger.wait().unwrap().success());
    assert_eq!(node.command(&["recv", "-e", "in"]), "water");
    let command: u32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    await_that("the end of the command", || !lives(command));
}

#[test]
fn a_trigger_ends_with_its_node_and_with_a_command_that_is_none() {
    let mut node = Node::start_carrier();
    for nonsense in ["", "sh 'x", "x %q"] {
        assert_eq!(node.home.exit(&["trigger", "-e", "in", "-c", nonsense]), 2, "{nonsense}");
    }
    let trigger = start(&node, &["trigger", "-e", "in", "-c", "true"]);
    await_that("the registration", || node.told(&["query", "eids"])["endpoints"] == 1);
    assert!(node.stop().success());
    let output = trigger.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}{}", stdout(&output), stderr(&output));
}

fn send(node: &Node, text: &str) -> String {
    let to = format!("{}in", node.ready()["eid"].as_str().unwrap());
    node.command_with(&["send", "-r", &to, "-"], text.as_bytes())
}

fn script(node: &Node, name: &str, lines: &str) {
    let path = node.home.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn start(node: &Node, arguments: &[&str]) -> Child {
    let mut command = node.home.command(arguments);
    // One that is killed leaves its folder behind: it goes with the home.
    command.env("PATH", "/usr/bin:/bin").env("TMPDIR", node.home.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}
