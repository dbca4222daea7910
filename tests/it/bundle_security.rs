//! Bundles that are signed and encrypted: files offline, and between two real nodes.

use std::{fs, os::unix::fs::PermissionsExt};

use bundle_spec::{
    Builder, Bundle, CrcType, CreationTimestamp, DtnTime,
    security::{Aes, KeySet, KeyUse, Scope, Sealer, Sealing, Sha, Signer, Signing},
};

use crate::{
    sandbox::{Node, await_that},
    shell::{Home, last_line, stderr, stdout},
};

/// What signs, what encrypts, and what somebody else has.
const KEYS: &str = r#"{"keys": [
    {"kty": "oct", "kid": "mesh", "alg": "HS256", "k": "GisaKxorGisaKxorGisaKw"},
    {"kty": "oct", "kid": "lab", "alg": "A128KW", "enc": "A256GCM", "k": "YWJjZGVmZ2hpamtsbW5vcA"}
]}"#;
const OTHER_KEYS: &str = r#"{"keys": [
    {"kty": "oct", "kid": "mesh", "alg": "HS256", "k": "AAAAAAAAAAAAAAAAAAAAAA"}
]}"#;

#[test]
fn a_signed_and_encrypted_file_is_described_in_words_and_checked_with_its_keys() {
    let home = Home::new();
    fs::write(home.path().join("sealed"), secured().encode()).unwrap();
    fs::write(home.path().join("keys"), KEYS).unwrap();
    let fields = last_line(&home.pannier(&["bundle", "inspect", "sealed", "--json"], b""));
    let words = fields["security"][0].as_str().unwrap();
    assert_eq!(words, "confidentiality of the payload by dtn://clinic/ (BCB-AES-GCM, block 5)");

    let checked = home.pannier(&["bundle", "validate", "sealed", "--keys", "keys"], b"");
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    let said = stdout(&checked);
    assert!(
        said.contains("integrity of the payload by dtn://clinic/ (BIB-HMAC-SHA2, block 4) holds"),
        "{said}"
    );
    assert!(said.contains("integrity of the primary block"), "{said}");

    let without = home.pannier(&["bundle", "validate", "sealed"], b"");
    assert_eq!(without.status.code(), Some(0), "{}", stderr(&without));
    assert!(stdout(&without).contains("is not checked: there is no key for it"));
}

#[test]
fn a_file_whose_security_does_not_hold_is_refused_with_the_reason_of_the_standard() {
    let home = Home::new();
    let mut bundle = signed();
    bundle.payload = b"tap is clear".to_vec().into();
    fs::write(home.path().join("forged"), bundle.encode()).unwrap();
    fs::write(home.path().join("keys"), KEYS).unwrap();
    let refused = home.pannier(&["bundle", "validate", "forged", "--keys", "keys"], b"");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("failed security operation"), "{}", stderr(&refused));
}

#[test]
fn keys_that_cannot_be_used_are_refused_by_name() {
    let home = Home::new();
    fs::write(home.path().join("signed"), signed().encode()).unwrap();
    fs::write(home.path().join("keys"), r#"{"keys": [{"kty": "oct", "kid": "mesh"}]}"#).unwrap();
    let refused = home.pannier(&["bundle", "validate", "signed", "--keys", "keys"], b"");
    assert_eq!(refused.status.code(), Some(13), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("key 1 (`mesh`): `alg` is missing"), "{}", stderr(&refused));

    fs::write(home.path().join("keys"), OTHER_KEYS).unwrap();
    let refused = home.pannier(&["bundle", "validate", "signed", "--keys", "keys"], b"");
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
}

#[test]
fn a_clinic_that_wants_signatures_answers_who_signs_and_refuses_who_does_not() {
    let keys = tempfile::tempdir().unwrap();
    let path = keys.path().join("keys.json");
    fs::write(&path, KEYS).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let keys = format!("security.keys={}", path.display());
    let wants = "\"verify payload,primary with mesh required\"";
    let signs = "\"sign payload,primary with mesh\"";
    let rules = format!("security.rules=[{signs}, {wants}]");
    let clinic = Node::start_with(&["inference.engines=echo", &keys, &rules]);
    let village = Node::start_with(&["inference.engines=[]", &keys, &rules]);
    let stranger = Node::start_carrier();
    for asker in [&village, &stranger] {
        asker.command(&["peer", "add", &clinic.address()]);
    }
    let refused = stranger.echo(&[], "Is anybody there?");
    await_that("a refusal", || {
        let metrics = clinic.http("GET", "/metrics", &[], "").body;
        metrics.contains("pannier_security_failures_total{why=\"missing\"}")
    });
    let job = village.echo(&["--wait=1m"], "Is the water safe?");
    assert_eq!(village.command(&["fetch", &job]), "Is the water safe?");
    assert_eq!(stranger.home.exit(&["fetch", &refused]), 3);
    assert_eq!(clinic.state(&refused), "", "it is not known there");
}

fn signed() -> Bundle {
    let timestamp = CreationTimestamp { time: DtnTime(800_000_000_000), sequence: 1 };
    let [source, destination] = ["dtn://clinic/a", "dtn://lab/b"].map(|text| text.parse().unwrap());
    let plain = Builder::new(source, destination, timestamp, 60_000).age_ms(0);
    let plain = plain.bundle(b"tap is brown".to_vec().into());
    let keys = KeySet::parse(KEYS).unwrap();
    let signing = Signing {
        source: "dtn://clinic/".parse().unwrap(),
        targets: &[0, 1],
        sha: Sha::S256,
        scope: Scope::PRIMARY.and(Scope::TARGET),
        key: KeyUse::Direct(keys.maker("mesh").unwrap()),
        crc_type: CrcType::Castagnoli,
    };
    let mut signer = Signer::new(&plain.header, &signing).unwrap();
    signer.update(&plain.payload);
    Bundle { header: signer.finish().unwrap(), payload: plain.payload }
}

fn secured() -> Bundle {
    let signed = signed();
    let keys = KeySet::parse(KEYS).unwrap();
    let sealing = Sealing {
        source: "dtn://clinic/".parse().unwrap(),
        targets: &[1],
        aes: Aes::A256,
        scope: Scope::ALL,
        key: KeyUse::Wrapped { by: keys.maker("lab").unwrap(), content: &[9; 32] },
        crc_type: CrcType::Castagnoli,
    };
    let vector = |number| [u8::try_from(number).unwrap(); 12];
    let mut sealer = Sealer::new(&signed.header, &sealing, vector).unwrap();
    sealer.update(&signed.payload);
    let sealed = sealer.finish().unwrap();
    let mut payload = signed.payload.to_vec();
    sealed.payload.unwrap().apply(0, &mut payload);
    Bundle { header: sealed.header, payload: payload.into() }
}
