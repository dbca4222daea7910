use std::cmp::Ordering;

use super::*;

fn eid(text: &str) -> Eid {
    text.parse().unwrap()
}

#[test]
fn eids_survive_their_text_form() {
    for text in
        ["dtn:none", "dtn://node/", "dtn://a.b%2f-_~!/in/box?x", "ipn:1.0", "ipn:977000.5.3", "ipn:!.7"]
    {
        assert_eq!(eid(text).to_string(), text);
    }
}

#[test]
fn texts_that_are_no_eids_are_refused() {
    let bad = [
        "",
        "dtn",
        "dtn:",
        "dtn://node",
        "dtn://no de/",
        "dtn://n%2/",
        "dtn://n/d e",
        "dtn://n/ü",
        "ipn:1",
        "ipn:1.2.3.4",
        "ipn:01.2",
        "ipn:+1.2",
        "ipn:1.-2",
        "ipn:4294967296.1.1",
        "ipn:1.18446744073709551616",
        "ipn:!.!",
        "http://a/b",
    ];
    for text in bad {
        assert!(text.parse::<Eid>().is_err(), "{text}");
    }
}

#[test]
fn node_zero_is_the_null_endpoint() {
    assert_eq!(eid("ipn:0.0"), Eid::None);
    assert_eq!(eid("ipn:0.7"), Eid::None);
    assert_eq!(eid("ipn:0.0.7"), Eid::None);
    assert_ne!(eid("ipn:1.0.7"), Eid::None);
}

#[test]
fn both_forms_of_ipn_are_one_endpoint() {
    let two = eid("ipn:4294967301.3");
    let three = eid("ipn:1.5.3");
    assert_eq!(two, three);
    let read = |bytes: &'static [u8]| minicbor::decode::<Eid>(bytes).unwrap();
    let short = read(&[0x82, 2, 0x82, 0x1b, 0, 0, 0, 1, 0, 0, 0, 5, 3]);
    let long = read(&[0x82, 2, 0x83, 1, 5, 3]);
    assert_eq!(short, long);
    assert_eq!(short.cmp(&long), Ordering::Equal);
    assert_eq!(minicbor::to_vec(&short).unwrap(), [0x82, 2, 0x82, 0x1b, 0, 0, 0, 1, 0, 0, 0, 5, 3]);
    assert_eq!(minicbor::to_vec(&long).unwrap(), [0x82, 2, 0x83, 1, 5, 3]);
}

#[test]
fn a_tilde_makes_an_endpoint_of_many() {
    assert!(eid("dtn://pannier/inbox").is_singleton());
    assert!(!eid("dtn://pannier/~jobs").is_singleton());
    assert_eq!(eid("dtn://pannier/~jobs").node_id(), None);
    assert!(!Eid::None.is_singleton());
}

#[test]
fn a_node_id_is_the_administrative_endpoint() {
    assert_eq!(eid("dtn://node/a/b").node_id().unwrap().to_string(), "dtn://node/");
    assert_eq!(eid("ipn:5.7").node_id().unwrap().to_string(), "ipn:5.0");
    let node: NodeId = "dtn://node/".parse().unwrap();
    assert_eq!(node.endpoint("inbox", 9).to_string(), "dtn://node/inbox");
    let node: NodeId = "ipn:5.0".parse().unwrap();
    assert_eq!(node.endpoint("inbox", 9).to_string(), "ipn:5.9");
    assert!("dtn:none".parse::<NodeId>().is_err());
}

#[test]
fn wire_forms_that_break_the_grammar_are_refused() {
    let bad: [&[u8]; 8] = [
        &[0x81, 1],
        &[0x82, 3, 0],
        &[0x82, 1, 1],
        &[0x82, 1, 0x64, b'n', b'o', b'n', b'e'],
        &[0x82, 1, 0x63, b'/', b'/', b'n'],
        &[0x82, 1, 0x64, b'/', b'/', 0xff, b'/'],
        &[0x82, 2, 0x81, 1],
        &[0x82, 2, 0x83, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1],
    ];
    for bytes in bad {
        assert!(minicbor::decode::<Eid>(bytes).is_err(), "{bytes:02x?}");
    }
}
