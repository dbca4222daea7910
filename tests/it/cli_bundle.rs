//! Bundle files, offline.

use std::{fs, path::Path, str::FromStr};

use bundle_spec::{
    Builder, Cid, CreationTimestamp, DtnTime, Eid,
    adu::{JobResult, Outcome, Output, Statement, Timings, Usage},
    sign::SigningKey,
};

use crate::shell::{Home, last_line, stderr, stdout};

#[test]
fn a_bundle_that_was_made_is_valid_and_says_what_it_was_given() {
    let home = Home::new();
    let made = ["bundle", "create", "--source", "dtn://a/x", "--destination", "ipn:9.1", "-o", "b", "-"];
    assert_eq!(home.pannier(&made, b"water").status.code(), Some(0));
    assert_eq!(home.exit(&["bundle", "validate", "b"]), 0);
    let fields = last_line(&home.pannier(&["bundle", "inspect", "b", "--json"], b""));
    assert_eq!(fields["source"], "dtn://a/x");
    assert_eq!(fields["destination"], "ipn:9.1");
    assert_eq!(fields["payload_cid"], Cid::raw(b"water").to_string());
}

#[test]
fn a_damaged_bundle_is_refused_with_rule_and_offset() {
    let home = Home::new();
    let made = ["bundle", "create", "--source", "dtn://a/x", "--destination", "dtn://b/y", "-o", "b", "-"];
    assert_eq!(home.pannier(&made, b"water").status.code(), Some(0));
    let path = home.path().join("b");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 8;
    bytes[end] ^= 1;
    fs::write(&path, bytes).unwrap();
    let output = home.pannier(&["bundle", "validate", "b"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("reject at byte "), "{}", stdout(&output));
}

#[test]
fn a_result_is_valid_only_with_the_signature_of_its_executor() {
    let home = Home::new();
    let key = SigningKey::from_bytes(&[7; 32]);
    let statement = Statement {
        job: Cid::dag_cbor(b"job"),
        model: None,
        engine: "echo".to_owned(),
        fingerprint: "echo 1".to_owned(),
        parameters: std::collections::BTreeMap::new(),
        outcome: Outcome::Completed {
            outputs: vec![Output::Inline { media: "text/plain".to_owned(), data: "water"[..].into() }],
            finish: "stop".to_owned(),
        },
        usage: Usage::default(),
        timings: Timings::default(),
        executor: key.public().node_id(),
    };
    let mut result = JobResult::sign(statement, &key);
    write(&home.path().join("good"), &result);
    result.statement.usage.completion_tokens = 9;
    write(&home.path().join("forged"), &result);

    let good = home.pannier(&["bundle", "validate", "good"], b"");
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    assert!(stdout(&good).starts_with("the result is signed by dtn://"));
    let forged = home.pannier(&["bundle", "validate", "forged"], b"");
    assert_eq!(forged.status.code(), Some(1));
    assert!(stderr(&forged).contains("the signature is wrong"), "{}", stderr(&forged));
}

fn write(path: &Path, result: &JobResult) {
    let endpoint = |text| Eid::from_str(text).unwrap();
    let timestamp = CreationTimestamp { time: DtnTime(800_000_000_000), sequence: 1 };
    let bundle =
        Builder::new(endpoint("dtn://a/x"), endpoint("dtn://b/y"), timestamp, 60_000).bundle(result.encode());
    fs::write(path, bundle.encode()).unwrap();
}
