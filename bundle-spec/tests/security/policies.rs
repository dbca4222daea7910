//! Rules: which operation is whose.

use bundle_spec::security::{Decision, Duty, Operation, Policy, Role, Service};

use super::bundles::*;

#[test]
fn the_first_rule_that_fits_says_what_this_node_is() {
    let policy = policy(&[
        "accept payload from dtn://nobody/**",
        "verify payload,primary from dtn://clinic/** with mesh",
        "accept payload",
    ]);
    let header = plain(b"x").header;
    let decide = |target| policy.decide(&header, &operation(Service::Integrity, target), false);
    assert_eq!(decide(1), Decision { role: Role::Verify, key: Some("mesh".to_owned()) });
    assert_eq!(decide(0).role, Role::Verify);
    assert_eq!(decide(4).role, Role::Pass);
}

#[test]
fn a_destination_opens_what_is_still_encrypted_when_it_comes() {
    let policy = policy(&["verify payload"]);
    let header = plain(b"x").header;
    let sealed = operation(Service::Confidentiality, 1);
    assert_eq!(policy.decide(&header, &sealed, true).role, Role::Accept);
    assert_eq!(policy.decide(&header, &sealed, false).role, Role::Pass);
}

#[test]
fn a_rule_may_say_who_must_have_added_an_operation() {
    let policy = policy(&["accept payload by dtn://clinic/*"]);
    let header = plain(b"x").header;
    let mut by_others = operation(Service::Integrity, 1);
    assert_eq!(policy.decide(&header, &by_others, false).role, Role::Accept);
    by_others.source = "dtn://other/".parse().unwrap();
    assert_eq!(policy.decide(&header, &by_others, false).role, Role::Pass);
}

#[test]
fn sources_are_told_which_blocks_they_secure() {
    let policy = policy(&[
        "sign payload,primary from dtn://clinic/** with mesh",
        "sign payload,193 with other",
        "encrypt payload to dtn://hospital/** with lab",
        "encrypt payload to dtn://elsewhere/** with lab",
    ]);
    let header = plain(b"x").header;
    let signs = policy.sources(&header, Service::Integrity);
    let found: Vec<_> = signs.iter().map(|(rule, targets)| (rule.key.as_deref().unwrap(), targets)).collect();
    assert_eq!(found, [("mesh", &vec![0, 1]), ("other", &vec![4])]);
    let encrypts = policy.sources(&header, Service::Confidentiality);
    assert_eq!(encrypts.len(), 1);
    let primary = header.primary();
    assert!(policy.secures(primary.source(), primary.destination()));
    assert!(!policy_of_verifiers().secures(primary.source(), primary.destination()));
}

#[test]
fn required_operations_are_named_by_block() {
    let policy = policy(&["verify payload,193 required", "decrypt age required", "verify primary"]);
    let required = policy.required(&plain(b"x").header);
    let integrity = Service::Integrity;
    assert_eq!(required, [(integrity, 1), (integrity, 4), (Service::Confidentiality, 2)]);
}

#[test]
fn a_line_that_is_no_rule_is_refused_with_what_would_be_right() {
    for (line, words) in [
        ("", "sign, verify"),
        ("guard payload", "`guard` is no duty"),
        ("sign", "payload, primary"),
        ("sign head with k", "`head` is no block"),
        ("sign 1 with k", "`1` is no block"),
        ("verify payload for x", "`for` is no condition"),
        ("verify payload from", "`from` needs one value"),
        ("verify payload from *:** from *:**", "`from` needs one value"),
        ("verify payload from x", "no pattern"),
        ("encrypt primary with k", "primary block cannot be encrypted"),
        ("sign payload", "`sign` needs a key"),
        ("encrypt payload with k required", "neither `by` nor `required`"),
    ] {
        let error = Policy::parse([line]).unwrap_err().to_string();
        assert!(error.contains(words), "{line}: {error}");
    }
    assert!(Policy::parse(std::iter::repeat_n("verify payload", 300)).is_err());
}

#[test]
fn duties_are_shown_as_they_are_written() {
    for name in ["sign", "verify", "accept", "encrypt", "authenticate", "decrypt"] {
        let rule = policy(&[&format!("{name} payload with k")]).rules()[0].clone();
        assert_eq!(rule.duty.to_string(), name);
    }
    assert_eq!(Duty::Authenticate.role(), Some(Role::Verify));
}

fn policy(lines: &[&str]) -> Policy {
    Policy::parse(lines.iter().copied()).unwrap()
}

fn policy_of_verifiers() -> Policy {
    policy(&["verify payload", "decrypt payload"])
}

fn operation(service: Service, target: u64) -> Operation {
    Operation { service, block: 5, target, context: 1, source: "dtn://clinic/".parse().unwrap() }
}
