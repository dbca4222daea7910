//! Patterns of endpoint identifiers.

use bundle_spec::{Eid, security::EidPattern};

#[test]
fn a_pattern_of_numbers_matches_by_allocator_node_and_service() {
    check("ipn:2.*.*", &["ipn:2.3.4", "ipn:2.9.0"], &["ipn:3.4", "ipn:1.2.3", "dtn://a/b"]);
    check("ipn:3.4", &["ipn:3.4", "ipn:0.3.4"], &["ipn:3.5", "ipn:4.4", "ipn:1.3.4"]);
    check("ipn:0.3.[0-4,10+]", &["ipn:3.0", "ipn:3.4", "ipn:3.10", "ipn:3.99999"], &["ipn:3.5", "ipn:3.9"]);
    check("ipn:0.3.[10-5]", &["ipn:3.7"], &["ipn:3.4", "ipn:3.11"]);
    check("ipn:5.**", &["ipn:5.1.2"], &["ipn:6.1.2", "ipn:5.1"]);
    check("ipn:**", &["ipn:5.1.2", "ipn:7.0"], &["dtn://a/b", "dtn:none"]);
    check("ipn:!.*", &["ipn:!.7"], &["ipn:1.7"]);
}

#[test]
fn a_pattern_of_names_matches_part_by_part() {
    check("dtn://node/*", &["dtn://node/", "dtn://node/mail"], &["dtn://node/a/b", "dtn://other/mail"]);
    check("dtn://node/**", &["dtn://node/", "dtn://node/a/b"], &["dtn://other/a"]);
    check("dtn://**/some/serv", &["dtn://node/some/serv"], &["dtn://node/some", "dtn://node/serv"]);
    check("dtn://*/mail", &["dtn://a/mail", "dtn://b/mail"], &["dtn://a/mails", "dtn://a/x/mail"]);
    check("dtn://bus-*/**", &["dtn://bus-7/", "dtn://bus-/x"], &["dtn://bus/x"]);
    check("dtn://a*b*c/x", &["dtn://abc/x", "dtn://aXbYbc/x"], &["dtn://acb/x"]);
    check("dtn:none", &["dtn:none", "ipn:0.0"], &["dtn://none/"]);
    check("dtn:**", &["dtn://a/b"], &["ipn:1.1"]);
}

#[test]
fn patterns_are_joined_and_one_matches_everything() {
    check("dtn://a/*|ipn:7.*", &["dtn://a/b", "ipn:7.1"], &["dtn://b/b", "ipn:8.1"]);
    check("*:**", &["dtn://a/b", "ipn:7.1", "dtn:none"], &[]);
}

#[test]
fn what_is_no_pattern_is_refused_with_a_form_that_is() {
    for text in [
        "",
        "ipn:1",
        "ipn:1.2.3.4",
        "ipn:a.b",
        "ipn:[1.2",
        "ipn:[].1",
        "http://*",
        "dtn://",
        "dtn://a",
        ":::",
    ] {
        let error = text.parse::<EidPattern>().unwrap_err();
        assert!(error.to_string().contains("dtn:") || error.to_string().contains("ipn:"), "{error}");
    }
}

#[test]
fn a_pattern_that_tries_hard_is_still_answered_quickly() {
    let pattern: EidPattern = format!("dtn://{}b/x", "a*".repeat(400)).parse().unwrap();
    assert!(!pattern.matches(&format!("dtn://{}/x", "a".repeat(900)).parse().unwrap()));
}

fn check(pattern: &str, inside: &[&str], outside: &[&str]) {
    let parsed: EidPattern = pattern.parse().unwrap();
    let matches = |text: &&str| parsed.matches(&text.parse::<Eid>().unwrap());
    for text in inside {
        assert!(matches(text), "{pattern} {text}");
    }
    for text in outside {
        assert!(!matches(text), "{pattern} {text}");
    }
    assert_eq!(parsed.to_string().parse::<EidPattern>(), Ok(parsed));
}
