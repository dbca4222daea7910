//! Starting and ending: the readiness file, ports, one node a home, and ends in good order.

use std::io::Read;

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    sandbox::{Node, await_some, await_that},
    shell::{Home, stderr},
};

#[test]
fn the_readiness_file_says_where_everything_is_and_goes_with_the_node() {
    let mut node = Node::start();
    let ready = node.ready();
    assert_eq!(ready["pid"], node.pid());
    assert_eq!(ready["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(ready["eid"], node.told(&["status"])["node"]);
    let socket = node.home.path().join("control.sock");
    assert_eq!(ready["socket"].as_str(), socket.to_str());
    assert!(node.api().starts_with("127.0.0.1:"));
    assert_eq!(ready["links"][0]["cla"], "quic");
    assert!(ready["peer_id"].as_str().is_some_and(|id| id.starts_with("12D3KooW")));
    assert_eq!(node.http("GET", "/ready", &[], "").status, 200, "what it says is so");
    assert!(node.stop().success());
    assert!(!node.ready_file().exists());
    assert!(!socket.exists(), "the control socket goes as well");
}

#[test]
fn two_nodes_with_built_in_ports_do_not_collide() {
    let mut nodes: Vec<Node> = (0..2).map(|_| Node::create(Home::new(), &["inference.engines=[]"])).collect();
    for node in &mut nodes {
        node.run();
    }
    let [first, second] = &nodes[..] else { unreachable!("there are two") };
    assert_ne!(first.api(), second.api());
    assert_ne!(first.address(), second.address());
    for node in &nodes {
        assert_eq!(node.http("GET", "/api/status", &[], "").json()["node"], node.ready()["eid"]);
    }
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_an_error() {
    let first = Node::start();
    let home = Home::new();
    assert_eq!(home.exit(&["init"]), 0);
    let taken = format!("gateway.listen={}", first.api());
    let second = home.pannier(&["run", "--set", &taken, "--set", "cla.quic.listen=off"], b"");
    assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
    assert!(
        stderr(&second).contains(&first.api()) && stderr(&second).contains("hint: "),
        "{}",
        stderr(&second)
    );
}

#[test]
fn a_second_node_in_the_same_home_is_refused_and_the_first_goes_on() {
    let node = Node::start();
    let second = node.home.pannier(&["run", "--ready-file", "second.json"], b"");
    assert_eq!(second.status.code(), Some(12), "{}", stderr(&second));
    assert!(stderr(&second).contains("another node runs here"), "{}", stderr(&second));
    assert!(!node.home.path().join("second.json").exists());
    assert_eq!(node.command(&["fetch", &node.echo(&["--wait=1m"], "unmoved")]), "unmoved");
    assert!(node.ready_file().exists());
}

#[test]
fn a_node_that_is_told_to_end_does_so_in_the_middle_of_everything() {
    let mut node = Node::start();
    let job = node.echo(&["-p", "sleep_ms=1500"], "slow");
    await_that("the task", || node.state(&job) == "running");
    let mut waiting = node.request("GET", &format!("/api/jobs/{job}/result?wait=10m"), &[], "");
    let events = node.request("GET", "/api/events", &[], "");
    // Requests are taken in the order in which they come: once these are answered, the first one waits inside.
    for _ in 0..3 {
        let mut answer = String::new();
        node.request("GET", "/health", &[], "").read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let workers = node.workers();
    assert!(node.stop().success(), "{}", node.log());
    assert!(workers.iter().all(|&worker| !crate::sandbox::lives(worker)), "no worker is left");
    let mut told = String::new();
    waiting.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
    drop(events);
    assert!(!node.log().contains("cut off"), "{}", node.log());

    node.run();
    assert_eq!(node.command(&["fetch", &job, "--wait=1m"]), "slow");
    assert_eq!(node.count(&job, "answered"), 1);
}

#[test]
fn an_interrupt_from_the_keyboard_ends_it_as_well() {
    let mut node = Node::start_carrier();
    kill_process(Pid::from_raw(i32::try_from(node.pid()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(node.ended().code(), Some(0), "{}", node.log());
}

#[test]
fn a_node_that_is_told_to_end_before_it_is_ready_ends() {
    let mut node = Node::create(Home::new(), &["gateway.listen=127.0.0.1:0", "cla.quic.listen=127.0.0.1:0"]);
    node.begin();
    let pid = Pid::from_raw(i32::try_from(node.pid()).unwrap()).unwrap();
    await_some("its first word", || (!node.log().is_empty()).then_some(()));
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(node.ended().code(), Some(0), "{}", node.log());
    assert!(!node.ready_file().exists());
}

#[test]
fn a_service_manager_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify.sock");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let settings = ["gateway.listen=127.0.0.1:0", "cla.quic.listen=127.0.0.1:0", "inference.engines=[]"];
    let mut node = Node::create(Home::new(), &settings);
    node.set_variable("NOTIFY_SOCKET", &path);
    node.run();
    let hear = || {
        let mut buffer = [0; 256];
        let len = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).trim_end().to_owned()
    };
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    assert_eq!(hear(), "READY=1");
    assert!(node.stop().success());
    assert_eq!(hear(), "STOPPING=1");
}
