//! Links on which encryption is forbidden, as on amateur radio: everything is signed, nothing is encrypted, and
//! what would be waits for another road.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use bundle_spec::{
    Bundle, Lax,
    block::{BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY},
};
use tempfile::TempDir;

use crate::{
    sandbox::{Node, await_that},
    shell::{Home, stderr, stdout},
};

const KEYS: &str = r#"{"keys": [
    {"kty": "oct", "kid": "radio", "alg": "HS256", "k": "GisaKxorGisaKxorGisaKw"},
    {"kty": "oct", "kid": "lab", "alg": "A128KW", "enc": "A256GCM", "k": "YWJjZGVmZ2hpamtsbW5vcA"}
]}"#;
const LINK_KEY: &str = "security.link-key=radio";

#[test]
fn what_would_be_encrypted_waits_for_another_road_and_the_rest_goes_signed() {
    let (_folder, keys) = keys();
    let rules = "security.rules=[\"encrypt payload to dtn://hospital/** with lab\"]";
    let village = Node::start_with(&["inference.engines=[]", &keys, LINK_KEY, rules]);
    let (place, heard) = listener();
    village.command(&["peer", "add", &format!("mtcp://{place}?encryption=forbidden")]);
    for (to, text) in [("dtn://hospital/in", "a secret"), ("dtn://clinic/in", "the weather")] {
        fs::write(village.home.path().join("words"), text).unwrap();
        village.command(&["send", "-r", to, "words"]);
    }
    let links = || village.told(&["status"])["links"].as_array().cloned().unwrap_or_default();
    await_that("a bundle that is held back", || {
        links().iter().any(|link| link["withheld"][0]["bundles"] == 1 && link["in_flight"] == 0)
    });
    assert_eq!(links()[0]["withheld"][0]["why"], "encrypted");
    assert!(village.command(&["status"]).contains("1 held back for another road: encrypted"));
    await_that("a bundle at the peer", || !bundles(&heard.lock().unwrap()).is_empty());
    let bytes = heard.lock().unwrap().clone();
    let [sent] = bundles(&bytes).try_into().unwrap();
    assert_eq!(&sent.payload[..], b"the weather");
    let has = |wanted| sent.header.blocks().iter().any(|block| block.block_type == wanted);
    assert!(has(BLOCK_INTEGRITY) && !has(BLOCK_CONFIDENTIALITY));
    assert!(!bytes.windows(8).any(|bytes| bytes == b"hospital"));

    let hospital = Node::start_with(&["inference.engines=[]", "node.eid=dtn://hospital/", &keys]);
    village.command(&["peer", "add", &hospital.address()]);
    assert_eq!(hospital.command(&["recv", "-e", "in", "--wait=1m"]), "a secret");
    assert_eq!(bundles(&heard.lock().unwrap()).len(), 1);
}

#[test]
fn a_ping_crosses_every_road_on_which_encryption_is_forbidden() {
    let (_folder, keys) = keys();
    for road in ["tcpclv4", "mtcp", "stcp", "udp"] {
        let listen = format!("cla.{road}.listen=127.0.0.1:0");
        let forbidden = format!("cla.{road}.encryption=forbidden");
        let set = ["cla.quic.listen=off", &listen, &forbidden, "inference.engines=[]", &keys, LINK_KEY];
        let (left, right) = (Node::start_with(&set), Node::start_with(&set));
        for (node, peer) in [(&left, &right), (&right, &left)] {
            let ready = peer.ready();
            let (place, eid) = (ready["links"][0]["addr"].as_str(), ready["eid"].as_str());
            let place = format!("{road}://{}?encryption=forbidden", place.unwrap());
            node.command(&["peer", "add", &format!("{place}&eid={}", eid.unwrap())]);
        }
        let ready = right.ready();
        assert_eq!(left.told(&["ping", ready["eid"].as_str().unwrap()])["type"], "result", "{road}");
    }
}

#[test]
fn without_a_key_to_sign_with_there_is_no_such_link() {
    let node = Node::start_carrier();
    let refused = node.home.pannier(&["peer", "add", "udp://127.0.0.1:4556?encryption=forbidden"], b"");
    assert_ne!(refused.status.code(), Some(0));
    assert!(stderr(&refused).contains("set `security.link-key`"), "{}", stderr(&refused));
    let home = Home::new();
    let refused = home.pannier(&["doctor", "--set", "cla.udp.encryption=forbidden"], b"");
    assert!(stdout(&refused).contains("set `security.link-key`"), "{}", stdout(&refused));
}

/// A key file and the setting that names it.
fn keys() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    fs::write(&path, KEYS).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (folder, format!("security.keys={}", path.display()))
}

/// Where somebody listens who says nothing, and what they have heard.
fn listener() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut buffer) = (stream.unwrap(), [0; 4096]);
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                ear.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        }
    });
    (place, heard)
}

/// The bundles of an MTCP stream: each is a CBOR byte string.
fn bundles(mut stream: &[u8]) -> Vec<Bundle> {
    let mut bundles = Vec::new();
    while let Some((first, rest)) = stream.split_first() {
        let width = match first {
            0x58 => 1,
            0x59 => 2,
            other => panic!("no head of a short byte string: {other:#x}"),
        };
        let Some((head, rest)) = rest.split_at_checked(width) else { break };
        let len = head.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        let Some((bundle, rest)) = rest.split_at_checked(len) else { break };
        bundles.push(Bundle::parse(bundle.to_vec().into(), &Lax::strict()).unwrap());
        stream = rest;
    }
    bundles
}
