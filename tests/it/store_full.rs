//! No room: what finds none is refused and told so, what was accepted before is kept and answered, and a node has
//! only to be given room to go on.

use crate::{
    sandbox::{Node, SmallDisk, await_that},
    shell::{Home, last_line, stderr, stdout},
};

/// Length of one input.
const INPUT_BYTES: usize = 400_000;
/// How many of them no store of these tests takes.
const TOO_MANY: usize = 200;
/// How large the small disk is, in MiB.
const DISK_MIB: u32 = 48;

/// An input like no other.
fn input(number: usize) -> Vec<u8> {
    format!("{number:08} ").into_bytes().into_iter().cycle().take(INPUT_BYTES).collect()
}

/// Submits jobs for an engine that is not here until there is no room; those that were accepted.
fn fill(node: &Node, beginning: usize) -> Vec<(String, usize)> {
    let mut accepted = Vec::new();
    for number in beginning..beginning + TOO_MANY {
        let submitted = node.home.pannier(&["submit", "--kind", "echo", "-"], &input(number));
        match submitted.status.code() {
            Some(0) => accepted.push((stdout(&submitted).trim().to_owned(), number)),
            code => {
                assert_eq!((code, stdout(&submitted).as_str()), (Some(4), ""), "{}", stderr(&submitted));
                assert!(stderr(&submitted).contains("store is full"), "{}", stderr(&submitted));
                assert!(stderr(&submitted).contains("hint: "), "{}", stderr(&submitted));
                return accepted;
            }
        }
    }
    panic!("a store of these tests cannot take {TOO_MANY} inputs");
}

/// Every job that was accepted is answered with its input.
fn answered(node: &Node, jobs: &[(String, usize)]) {
    for (job, number) in jobs {
        let fetched = node.home.pannier(&["fetch", job, "--wait=1m"], b"");
        assert_eq!(fetched.status.code(), Some(0), "job {number}: {}\n{}", stderr(&fetched), node.log());
        assert!(fetched.stdout == input(*number), "job {number}");
        assert_eq!(node.count(job, "answered"), 1);
    }
}

#[test]
fn a_quota_that_is_used_up_refuses_and_keeps_what_was_accepted() {
    let mut node = Node::start_with(&["inference.engines=[]", "store.quota=3MB"]);
    let jobs = fill(&node, 0);
    assert!((4..=8).contains(&jobs.len()), "{} jobs of {INPUT_BYTES} bytes fit 3 MB", jobs.len());
    let refused = node.home.pannier(&["submit", "--kind", "echo", "--json", "-"], &input(100));
    assert_eq!(last_line(&refused)["code"], "store_full");
    let data = node.home.pannier(&["submit", "--kind", "data", "--to", "dtn://b/in", "-"], &input(101));
    assert_eq!(data.status.code(), Some(4), "{}", stderr(&data));
    let over_http = node.http("POST", "/api/jobs?kind=echo", &[("Content-Type", "text/plain")], "small");
    assert!([201, 507].contains(&over_http.status), "{}", over_http.body);

    // The same again is no new job.
    let known = node.home.pannier(&["submit", "--kind", "echo", "-"], &input(0));
    assert_eq!(
        (known.status.code(), stdout(&known).trim()),
        (Some(0), jobs[0].0.as_str()),
        "{}",
        stderr(&known)
    );
    assert!(jobs.iter().all(|(job, _)| node.state(job) == "waiting"));
    node.kill();
    node.run();
    assert!(jobs.iter().all(|(job, _)| node.state(job) == "waiting"));

    assert!(node.stop().success());
    node.set("store.quota=20MB");
    node.set("inference.engines=echo");
    node.run();
    answered(&node, &jobs);
    let more = node.home.pannier(&["submit", "--kind", "echo", "--wait=1m", "-"], &input(102));
    assert_eq!(more.status.code(), Some(0), "{}", stderr(&more));
}

#[test]
fn what_is_refused_takes_no_room() {
    // So little that the agent leaves it to records and answers.
    let node = Node::start_with(&["inference.engines=[]", "store.quota=200kB"]);
    let refused = |number| {
        let body = format!("{number} {}", "x".repeat(10_000));
        node.http("POST", "/api/jobs?kind=echo", &[("Content-Type", "text/plain")], &body).status == 507
    };
    await_that("a node that knows how little room it has", || refused(0));
    let used = || node.told(&["status"])["store_live"].as_u64().unwrap();
    let before = used();
    assert!((1..30).all(refused));
    assert_eq!(used(), before);
}

#[test]
fn an_answer_that_finds_no_room_waits_for_it_and_keeps_no_node_from_ending() {
    // A short one travels within its result, a long one beside it.
    for repeat in [1, 10_000] {
        let mut node = Node::start_carrier();
        let job = node.echo(&["-p", &format!("repeat={repeat}")], "riverside ");
        assert!(node.stop().success(), "{}", node.log());
        node.set("inference.engines=echo");
        node.set("store.quota=1B");
        node.run();
        await_that("an answer without room", || node.log().contains("finds no room"));
        assert_eq!(node.state(&job), "running");
        assert!(node.stop().success(), "{}", node.log());
        node.set("store.quota=10MB");
        node.run();
        assert!(node.command(&["fetch", &job, "--wait=1m"]) == "riverside ".repeat(repeat).trim_end());
        assert_eq!(node.count(&job, "answered"), 1);
    }
}

#[test]
fn a_full_disk_refuses_keeps_what_was_accepted_and_goes_on_with_room() {
    let Some(disk) = SmallDisk::mount(DISK_MIB) else {
        eprintln!("skipped: a small disk can only be mounted by root");
        return;
    };
    let settings = ["gateway.listen=127.0.0.1:0", "cla.quic.listen=127.0.0.1:0", "inference.engines=[]"];
    let mut node = Node::create(Home::at(&disk.path()), &settings);
    node.run();
    let (before, number) = (node.command_with(&["submit", "--kind", "echo", "-"], &input(0)), 0);
    disk.fill();
    let mut jobs = fill(&node, 1);
    jobs.push((before, number));
    assert!(jobs.iter().all(|(job, _)| node.state(job) == "waiting"));
    let room = node.home.pannier(&["doctor"], b"");
    assert_eq!(room.status.code(), Some(14), "{}", stdout(&room));
    let refused = node.home.pannier(&["model", "add", "/proc/self/exe"], b"");
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));

    // A power cut on a full disk.
    node.kill();
    disk.fill();
    node.run();
    assert!(jobs.iter().all(|(job, _)| node.state(job) == "waiting"), "{}", node.log());
    assert!(node.stop().success());

    // A node that can do the work waits for room if it has to, and can be told to end.
    node.set("inference.engines=echo");
    node.run();
    await_that("a task", || jobs.iter().any(|(job, _)| node.count(job, "started") > 0));
    assert!(node.stop().success(), "{}", node.log());
    disk.fill();
    node.run();
    disk.empty();
    await_that("room", || {
        node.home.pannier(&["submit", "--kind", "echo", "-"], &input(150)).status.code() == Some(0)
    });
    answered(&node, &jobs);
    assert_eq!(node.home.exit(&["doctor"]), 0);
}
