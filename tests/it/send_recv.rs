//! Plain bundles for people and programs: sent from one node, received at an endpoint of another, by several
//! readers, through restarts, at any size.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::Stdio,
};

use serde_json::Value;

use crate::{
    sandbox::{Node, await_that},
    shell::{Home, last_line, stderr, stdout},
};

#[test]
fn a_file_that_is_sent_is_received_at_the_other_node_once() {
    let (village, clinic) = (Node::start_carrier(), Node::start_carrier());
    let incoming = format!("{}incoming", eid(&clinic));
    let report: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(village.home.path().join("report.bin"), &report).unwrap();
    let id = village.command(&["send", "-r", &incoming, "report.bin"]);
    assert!(id.starts_with(&eid(&village)), "the id alone is printed: {id}");
    assert_eq!(clinic.home.exit(&["recv", "-e", "incoming"]), 3, "nothing is there yet");
    village.command(&["peer", "add", &clinic.address()]);

    let path = clinic.command(&["recv", "-e", "incoming", "--wait=1m", "-o", "got.bin"]);
    assert_eq!(path, "got.bin");
    assert!(fs::read(clinic.home.path().join("got.bin")).unwrap() == report);
    let nothing = clinic.home.pannier(&["recv", "-e", "incoming", "-o", "more.bin"], b"");
    assert_eq!(nothing.status.code(), Some(3));
    assert!(stderr(&nothing).contains("nothing waits at `incoming`"), "{}", stderr(&nothing));
    assert!(!clinic.home.path().join("more.bin").exists());
    assert_eq!(clinic.told(&["query", "eids"])["endpoints"], 1);
}

#[test]
fn what_waits_survives_a_power_cut_and_an_endpoint_that_nobody_asked_for() {
    let mut node = Node::start_carrier();
    let sent = node.command_with(&["send", "-r", &format!("{}later", eid(&node)), "-"], b"hold this");
    node.kill();
    node.run();
    let listed = node.lines(&["query", "eids"]);
    assert_eq!((&listed[0]["registered"], &listed[0]["waiting"]), (&Value::Bool(false), &Value::from(1)));
    assert_eq!(node.command(&["recv", "-e", "later", "--keep"]), "hold this");
    assert_eq!(node.command(&["recv", "-b", &sent]), "hold this", "looking at it leaves it there");
    assert_eq!(node.command(&["recv", "-e", "later"]), "hold this");
    node.kill();
    node.run();
    assert_eq!(node.home.exit(&["recv", "-e", "later"]), 3, "what was taken does not come back");
    let listed = node.lines(&["query", "eids"]);
    assert_eq!((&listed[0]["registered"], &listed[0]["waiting"]), (&Value::Bool(true), &Value::from(0)));
    node.command(&["recv", "-e", "later", "--unregister"]);
    assert_eq!(node.told(&["query", "eids"])["endpoints"], 0);
    assert_eq!(node.home.exit(&["recv", "-e", "later", "--unregister"]), 5);
}

#[test]
fn several_readers_of_one_endpoint_share_what_waits() {
    const BUNDLES: usize = 24;
    let node = Node::start_carrier();
    let shared = format!("{}shared", eid(&node));
    for number in 0..BUNDLES {
        node.command_with(&["send", "-r", &shared, "-"], format!("letter {number}").as_bytes());
    }
    let readers: Vec<_> = (0..3)
        .map(|reader| {
            let mut command =
                node.home.command(&["recv", "-e", "shared", "-o", &format!("reader-{reader}/")]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut files = Vec::new();
    for reader in readers {
        let output = reader.wait_with_output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 3)), "{}", stderr(&output));
        files.extend(stdout(&output).lines().map(|path| node.home.path().join(path)));
    }
    let mut letters: Vec<String> = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    letters.sort();
    let mut expected: Vec<String> = (0..BUNDLES).map(|number| format!("letter {number}")).collect();
    expected.sort();
    assert_eq!(letters, expected);
}

#[test]
fn news_for_many_is_read_by_everybody_who_is_registered() {
    let (village, clinic) = (Node::start_carrier(), Node::start_carrier());
    let news = "dtn://region/~news";
    clinic.command(&["recv", "-e", news, "--register"]);
    let unread = village.http("GET", "/api/endpoints/dtn%3A%2F%2Fregion%2F~news/bundles", &[], "");
    assert_eq!((unread.status, unread.json()["code"].as_str()), (404, Some("not_found")));
    village.command_with(&["send", "-r", news, "-"], b"the well is dry");
    village.command(&["peer", "add", &clinic.address()]);
    assert_eq!(clinic.command(&["recv", "-e", news, "--wait=1m"]), "the well is dry");
    assert_eq!(clinic.home.exit(&["recv", "-e", news]), 3);
    assert_eq!(village.command(&["recv", "-e", news]), "the well is dry", "who sent it reads it, too");
    assert_eq!(clinic.bundles().len(), 1, "it is carried on");
}

#[test]
fn a_large_payload_passes_through_a_node_that_stays_small() {
    const MIB: usize = 1024 * 1024;
    let node = Node::start_carrier();
    let before = peak_kib(&node);
    let path = node.home.path().join("film.bin");
    let mut file = fs::File::create(&path).unwrap();
    let block: Vec<u8> = (0..MIB).map(|index| u8::try_from(index % 251).unwrap()).collect();
    (0..60).for_each(|_| file.write_all(&block).unwrap());
    drop(file);
    let to = format!("{}films", eid(&node));
    node.command(&["send", "-r", &to, "film.bin"]);
    // Through a pipe, too, where nobody knows the length.
    let piped = fs::File::open(&path).unwrap();
    let mut cat = std::process::Command::new("cat").stdin(piped).stdout(Stdio::piped()).spawn().unwrap();
    let mut send = node.home.command(&["send", "-r", &to, "-"]);
    let sent = send.stdin(cat.stdout.take().unwrap()).stdout(Stdio::piped()).spawn().unwrap();
    assert!(sent.wait_with_output().unwrap().status.success() && cat.wait().unwrap().success());
    node.command(&["recv", "-e", "films", "-o", "films/"]);
    let received: Vec<_> = fs::read_dir(node.home.path().join("films")).unwrap().flatten().collect();
    assert_eq!(received.len(), 2);
    for file in received {
        assert!(fs::read(file.path()).unwrap() == fs::read(&path).unwrap());
    }
    let grown = peak_kib(&node) - before;
    assert!(grown < 24 * 1024, "the node grew by {grown} KiB");
    assert!(
        fs::read_dir(node.home.path())
            .unwrap()
            .flatten()
            .all(|entry| { !entry.file_name().to_string_lossy().starts_with(".pannier-") })
    );
}

#[test]
fn a_bundle_travels_on_the_terms_that_were_typed() {
    let node = Node::start_carrier();
    let flags = ["--report", "received,deleted", "--report-to", "dtn://desk/reports", "--report-time"];
    let more =
        ["--acknowledge", "--no-fragment", "--hop-limit", "3", "--crc", "16", "-l", "120", "-s", "outbox"];
    let id = node.command_with(&[&["send", "-r", "ipn:9.42"], &flags[..], &more, &["-"]].concat(), b"x");
    let path = format!("/api/bundles/{}", id.replace('/', "%2F").replace(':', "%3A"));
    let shown = node.http("GET", &path, &[], "").json();
    assert_eq!(shown["source"], format!("{}outbox", eid(&node)));
    assert_eq!(shown["destination"], "ipn:9.42");
    let header = &shown["header"];
    assert_eq!(header["report_to"], "dtn://desk/reports");
    assert_eq!(header["lifetime_ms"], 120_000);
    assert_eq!(header["reports"], serde_json::json!(["received", "deleted"]));
    assert_eq!((&header["may_fragment"], &header["hop_limit"]), (&Value::Bool(false), &Value::from(3)));
    assert_eq!(header["flags"], 0x4 | 0x20 | 0x40 | 0x4000 | 0x4_0000);

    let raw = node.home.pannier(&["recv", "-b", &id, "--raw", "-o", "raw.bundle"], b"");
    assert_eq!(raw.status.code(), Some(0), "{}", stderr(&raw));
    node.command(&["bundle", "validate", "raw.bundle"]);
    assert_eq!(node.told(&["bundle", "inspect", "raw.bundle"])["id"], id.as_str());
    node.command(&["recv", "-d", &id]);
    assert_eq!(node.bundles().len(), 0, "what has not gone yet is taken back");
}

#[test]
fn what_cannot_be_sent_says_why_and_leaves_nothing() {
    let node = Node::start_carrier();
    for (arguments, exit, words) in [
        (&["send", "-r", "clinic", "-"][..], 1, "endpoints look like"),
        (&["send", "-r", "dtn://b/in", "-s", "dtn://other/x", "-"], 1, "is not an endpoint of this node"),
        (&["send", "-r", "dtn://b/in", "-l", "367d", "-"], 1, "between 1 second and 366 days"),
        (&["send", "-r", "dtn:none", "-"], 1, "needs a destination"),
        (&["send", "-r", "dtn://b/in", "."], 2, "is a folder"),
        (&["send", "-r", "dtn://b/in", "missing.txt"], 1, "cannot be read"),
        (&["send", "-r", "dtn://b/in", "/proc/self/mem"], 1, "the input broke off"),
        (&["recv", "-e", "dtn://other/in"], 1, "is not an endpoint of this node"),
        (&["recv", "-e", "echo"], 1, "is served by the node itself"),
        (&["recv", "-b", "nonsense"], 1, "is not the id of a bundle"),
        (&["recv", "-d", "dtn://a/x@1.1"], 5, "pannier query bundles"),
    ] {
        let output = node.home.pannier(arguments, b"data");
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
    for nonsense in [&["send", "-"][..], &["recv"], &["send", "-r", "dtn://b/in", "--report", "lost", "-"]] {
        assert_eq!(node.home.exit(nonsense), 2, "{nonsense:?}");
    }
    let tried = node.home.pannier(&["send", "-D", "-r", "dtn://b/in", "-"], b"data");
    assert_eq!((tried.status.code(), stdout(&tried).as_str()), (Some(0), ""));
    assert!(stderr(&tried).contains("would be sent"), "{}", stderr(&tried));

    // A program that breaks off in the middle.
    let mut broken = TcpStream::connect(node.api()).unwrap();
    broken
        .write_all(b"POST /api/bundles?to=dtn%3A%2F%2Fb%2Fin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf")
        .unwrap();
    drop(broken);
    assert_eq!(node.bundles().len(), 0);
}

#[test]
fn what_cannot_be_written_stays_where_it_is() {
    let node = Node::start_carrier();
    node.command_with(&["send", "-r", &format!("{}in", eid(&node)), "-"], b"precious");
    fs::write(node.home.path().join("file"), b"").unwrap();
    let refused = node.home.pannier(&["recv", "-e", "in", "-o", "file/below"], b"");
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("cannot be written"), "{}", stderr(&refused));
    assert_eq!(node.told(&["query", "store"])["bundles"]["delivered"]["bundles"], 1);
    assert_eq!(node.command(&["recv", "-e", "in", "--keep"]), "precious");
}

#[test]
fn programs_read_lines_and_streams() {
    let node = Node::start_carrier();
    let sent = node.lines_with(&["send", "-r", &format!("{}in", eid(&node)), "-"], b"water");
    assert_eq!((sent[0]["type"].as_str(), sent[0]["len"].as_u64()), (Some("result"), Some(5)));
    let port = node.api().rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(node.told(&["query", "-p", &port, "bundles"])["bundles"], 1, "as `dtnquery -p` would");
    assert_eq!(node.told(&["query", "bundles", "-a", "dtn://elsewhere/"])["bundles"], 0);
    assert_eq!(node.told(&["query", "nodeid"])["node"], eid(&node));

    let path = "/api/endpoints/in/bundles";
    let stream = node.request("GET", path, &[("Accept", "text/event-stream")], "");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut next = || {
        let line = lines.find_map(|line| line.strip_prefix("data:").map(str::to_owned)).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    assert_eq!(next()["id"], sent[0]["id"], "what waits already");
    let second = node.lines_with(&["send", "-r", &format!("{}in", eid(&node)), "-"], b"bread").remove(0);
    assert_eq!(next()["id"], second["id"], "what comes then");

    let received = node.lines(&["recv", "-e", "in", "-o", "out/"]);
    assert_eq!(received.len(), 3);
    assert!(received[0]["file"].as_str().unwrap().starts_with("out/"));
    assert_eq!(
        (received[0]["id"].clone(), received[2]["bundles"].as_u64()),
        (sent[0]["id"].clone(), Some(2))
    );
    node.command(&["send", "-r", &format!("{}in", eid(&node)), "/proc/version"]);
    assert!(node.command(&["recv", "-e", "in"]).starts_with("Linux"), "a file that says it has no length");
    node.command_with(&["send", "-r", &format!("{}in", eid(&node)), "-"], b"");
    assert_eq!(node.lines(&["recv", "-e", "in"])[0]["text"], "");
    node.command_with(&["send", "-r", &format!("{}in", eid(&node)), "-"], b"\xff\x00");
    assert_eq!(node.lines(&["recv", "-e", "in"])[0]["base64"], "/wA=");
    let nothing = last_line(&node.home.pannier(&["recv", "-e", "in", "--json"], b""));
    assert_eq!((nothing["type"].as_str(), nothing["exit"].as_u64()), (Some("error"), Some(3)));
}

#[test]
fn a_node_with_a_number_sends_receives_and_pings_by_numbers() {
    let home = Home::new();
    assert_eq!(home.exit(&["init", "--eid", "ipn:12.0"]), 0);
    let settings = ["gateway.listen=127.0.0.1:0", "cla.quic.listen=127.0.0.1:0", "inference.engines=[]"];
    let mut node = Node::create(home, &settings);
    node.run();
    let sent = node.command_with(&["send", "-r", "ipn:12.42", "-s", "7", "-"], b"water");
    assert!(sent.starts_with("ipn:12.7@"), "{sent}");
    assert_eq!(node.command(&["recv", "-e", "42"]), "water");
    let refused = node.home.pannier(&["recv", "-e", "incoming"], b"");
    assert!(stderr(&refused).contains("not a service number"), "{}", stderr(&refused));
    node.command(&["ping", "ipn:12.0"]);
    assert_eq!(node.bundles().len(), 0, "nothing is left of a ping");
}

#[test]
fn who_waits_at_an_endpoint_gets_what_comes() {
    let node = Node::start_carrier();
    let mut command = node.home.command(&["recv", "-e", "in", "--wait"]);
    let waiting = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_that("the registration", || node.told(&["query", "eids"])["endpoints"] == 1);
    node.command_with(&["send", "-r", &format!("{}in", eid(&node)), "-"], b"at last");
    let output = waiting.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "at last"));
}

/// This node's id.
fn eid(node: &Node) -> String {
    node.ready()["eid"].as_str().unwrap().to_owned()
}

/// Most memory that the process has had at a time.
fn peak_kib(node: &Node) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
