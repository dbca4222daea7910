//! Key files.

use bundle_spec::security::{Aes, Algorithm, KeySet, Role, SecurityError, Service, Sha};

use super::bundles::*;

#[test]
fn a_key_file_says_what_each_key_is_for() {
    let keys = KeySet::parse(
        r#"{"keys": [
            {"kty": "oct", "kid": "mesh", "alg": "HS256", "k": "GisaKxorGisaKxorGisaKw", "use": "sig"},
            {"kty": "oct", "kid": "lab", "alg": "dir", "enc": "A128GCM", "k": "cXdlcnR5dWlvcGFzZGZnaA"},
            {"kty": "oct", "kid": "lab", "enc": "A128GCM", "k": "cXdlcnR5dWlvcGFzZGZnaA"},
            {"kty": "oct", "kid": "kek", "alg": "A128KW", "enc": "A128GCM", "k": "YWJjZGVmZ2hpamtsbW5vcA",
             "key_ops": ["unwrapKey"]}
        ]}"#,
    )
    .unwrap();
    let algorithms: Vec<Algorithm> = keys.keys().iter().map(|key| key.algorithm()).collect();
    let content = Algorithm::Content(Aes::A128);
    assert_eq!(algorithms, [Algorithm::Hmac(Sha::S256), content, content, Algorithm::Wrap(Aes::A128)]);
    assert!(keys.maker("mesh").is_some());
    assert!(keys.maker("kek").is_none());
}

#[test]
fn a_key_file_that_cannot_be_used_says_which_key_and_why() {
    for (key, words) in [
        (r#"{"kty": "oct", "alg": "HS256", "k": "AAAA"}"#, "`kid` is missing"),
        (r#"{"kty": "EC", "kid": "a"}"#, "`kty` must be `oct`"),
        (r#"{"kty": "oct", "kid": "a", "k": "AAAA"}"#, "`alg` is missing"),
        (r#"{"kty": "oct", "kid": "a", "alg": "none", "k": "AAAA"}"#, "`alg` is `none`"),
        (r#"{"kty": "oct", "kid": "a", "alg": "dir", "k": "AAAA"}"#, "`enc` must say"),
        (r#"{"kty": "oct", "kid": "a", "enc": "A1", "k": "AAAA"}"#, "`enc` is `A1`"),
        (r#"{"kty": "oct", "kid": "a", "alg": "HS256", "enc": "A128GCM", "k": "AAAA"}"#, "two keys"),
        (r#"{"kty": "oct", "kid": "a", "alg": "HS256"}"#, "`k` is missing"),
        (r#"{"kty": "oct", "kid": "a", "alg": "HS256", "k": "A="}"#, "base64url"),
        (
            r#"{"kty": "oct", "kid": "a", "alg": "HS256", "k": "AAAA"}"#,
            "3 bytes where its algorithm wants 16",
        ),
        (
            r#"{"kty": "oct", "kid": "a", "alg": "A256KW", "k": "YWJjZGVmZ2hpamtsbW5vcA"}"#,
            "16 bytes where its algorithm wants 32",
        ),
        (
            r#"{"kty": "oct", "kid": "a", "alg": "HS256", "k": "YWJjZGVmZ2hpamtsbW5vcA", "key_ops": ["x"]}"#,
            "`key_ops`",
        ),
    ] {
        let error = KeySet::parse(&format!("{{\"keys\": [{key}]}}")).unwrap_err().to_string();
        assert!(error.starts_with("key 1 (") && error.contains(words), "{error}");
    }
    assert!(KeySet::parse("{").unwrap_err().to_string().contains("not JSON"));
    assert!(KeySet::parse("[]").unwrap_err().to_string().contains("JWK set"));
}

#[test]
fn a_secret_is_never_shown() {
    let shown = format!("{:?}", integrity_key());
    assert!(shown.contains("hmac") && !shown.contains("26, 43") && !shown.contains("1a2b"), "{shown}");
}

#[test]
fn a_key_makes_only_what_it_is_for() {
    let (signs, key) = (integrity_key(), content_key());
    let mut how = signing(&[1], &signs);
    how.key = bundle_spec::security::KeyUse::Direct(&key);
    let error = sign(&plain(b"x"), &how).unwrap_err();
    assert_eq!(error, SecurityError::KeyUse { id: "gcm".to_owned(), service: Service::Integrity });
}

#[test]
fn while_keys_are_changed_both_the_old_and_the_new_are_tried() {
    let file = r#"{"keys": [
        {"kty": "oct", "kid": "dtn://clinic/", "alg": "HS384", "k": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"kty": "oct", "kid": "dtn://clinic/", "alg": "HS384", "k": "GisaKxorGisaKxorGisaKw"},
        {"kty": "oct", "kid": "someone", "alg": "HS384", "k": "BBBBBBBBBBBBBBBBBBBBBA"}
    ]}"#;
    let signed = sign(&plain(b"a sample"), &signing(&[0, 1], &integrity_key())).unwrap();
    assert!(receive(&signed, &KeySet::parse(file).unwrap(), Role::Accept).is_ok());
}
