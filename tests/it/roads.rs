//! Ways from node to node other than QUIC: each is found in the readiness file, and a bundle crosses it and comes
//! back.

use std::net::{TcpListener, UdpSocket};

use crate::{
    sandbox::{Node, await_that},
    shell::{Home, stderr, stdout},
};

const ROADS: [&str; 4] = ["tcpclv4", "mtcp", "stcp", "udp"];

#[test]
fn a_ping_crosses_every_road_and_comes_back() {
    for road in ROADS {
        let (left, right) = (start(road), start(road));
        for (node, peer) in [(&left, &right), (&right, &left)] {
            let address = format!("{}?eid={}", address(peer, road), eid(peer));
            node.command(&["peer", "add", &address]);
        }
        assert_eq!(left.told(&["ping", &eid(&right)])["type"], "result", "{road}");
        await_that("a peer that is connected", || {
            left.lines(&["peer", "list"])
                .iter()
                .any(|peer| peer["node"] == eid(&right) && peer["connected"] == true)
        });
    }
}

#[test]
fn a_ping_crosses_quicclav1_on_the_port_of_quic_once_both_sides_have_switched_it_on() {
    let set = ["cla.quic.listen=127.0.0.1:0", "cla.quic.quicclav1=on", "inference.engines=[]"];
    let (left, right) = (Node::start_with(&set), Node::start_with(&set));
    let place = address(&right, "quic").replace("quic://", "quicclav1://");
    left.command(&["peer", "add", &format!("{place}?eid={}", eid(&right))]);
    assert_eq!(left.told(&["ping", &eid(&right)])["type"], "result");
}

#[test]
fn a_job_and_its_answer_cross_a_road_that_says_nothing() {
    let asker = start("mtcp");
    let worker = Node::start_with(&["cla.mtcp.listen=127.0.0.1:0", "inference.engines=echo"]);
    asker.command(&["peer", "add", &address(&worker, "mtcp")]);
    worker.command(&["peer", "add", &address(&asker, "mtcp")]);
    let long = "over and over ".repeat(60_000);
    assert_eq!(asker.command(&["fetch", &asker.echo(&["--wait=1m"], &long)]), long.trim_end());
}

#[test]
fn a_job_too_long_for_a_datagram_crosses_in_parts() {
    let asker = start("udp");
    let worker = Node::start_with(&["cla.udp.listen=127.0.0.1:0", "inference.engines=echo"]);
    asker.command(&["peer", "add", &address(&worker, "udp")]);
    worker.command(&["peer", "add", &address(&asker, "udp")]);
    let long = "over and over ".repeat(20_000);
    assert_eq!(asker.command(&["fetch", &asker.echo(&["--wait=1m"], &long)]), long.trim_end());
}

#[test]
fn a_file_longer_than_a_datagram_goes_in_parts_and_is_received_whole() {
    let (left, right) = (start("udp"), start("udp"));
    let report: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(left.home.path().join("report.bin"), &report).unwrap();
    left.command(&["send", "-r", &format!("{}incoming", eid(&right)), "report.bin"]);
    left.command(&["peer", "add", &format!("{}?eid={}", address(&right, "udp"), eid(&right))]);
    right.command(&["recv", "-e", "incoming", "--wait=1m", "-o", "got.bin"]);
    assert!(std::fs::read(right.home.path().join("got.bin")).unwrap() == report);
    assert_eq!(right.told(&["query", "bundles"])["bundles"], 0, "no part of it is left");
}

#[test]
fn a_road_that_cannot_be_opened_is_found_by_the_doctor() {
    let opened = start("mtcp");
    let told = stdout(&opened.home.pannier(&["doctor"], b""));
    assert!(told.contains("ok    link mtcp      listens on 127.0.0.1:"), "{told}");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp_place, udp_place) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
    let node = Node::create(Home::new(), &[]);
    for (road, place) in [
        ("tcpclv4", tcp_place),
        ("mtcp", tcp_place),
        ("stcp", tcp_place),
        ("udp", udp_place),
        ("quic", udp_place),
    ] {
        let set = format!("cla.{road}.listen={place}");
        let output = node.home.pannier(&["doctor", "--set", &set, "--set", "inference.engines=[]"], b"");
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(14), "{said}{}", stderr(&output));
        assert!(said.contains(&format!("FAIL  link {road}")), "{said}");
        assert!(said.contains(&format!("hint: set `cla.{road}.listen`")), "{said}");
    }
    let taken = format!("cla.stcp.listen={tcp_place}");
    let without = Node::start_with(&[&taken, "inference.engines=[]"]);
    let told = without.home.pannier(&["doctor"], b"");
    assert_eq!(told.status.code(), Some(14), "{}", stdout(&told));
    assert!(stdout(&told).contains("FAIL  link stcp"), "{}", stdout(&told));
}

#[test]
fn an_address_that_makes_no_sense_is_refused_with_its_cause() {
    let node = Node::start_carrier();
    let output = node.home.pannier(&["peer", "add", "mtcp://clinic:16162?lax=dtn7"], b"");
    assert_ne!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("has no option `lax`"), "{}", stderr(&output));
}

/// A node that carries and is reached over one road only.
fn start(road: &str) -> Node {
    let listen = format!("cla.{road}.listen=127.0.0.1:0");
    Node::start_with(&["cla.quic.listen=off", &listen, "inference.engines=[]"])
}

fn address(node: &Node, road: &str) -> String {
    let ready = node.ready();
    let links = ready["links"].as_array().unwrap();
    let link = links.iter().find(|link| link["cla"] == road).unwrap();
    format!("{road}://{}", link["addr"].as_str().unwrap())
}

fn eid(node: &Node) -> String {
    node.ready()["eid"].as_str().unwrap().to_owned()
}
