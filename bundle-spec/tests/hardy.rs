//! Security operations against the `hardy-bpv7` crate, an independent implementation, in both directions.

use bundle_spec::{
    Builder, Bundle, CrcType, CreationTimestamp, DtnTime, Lax,
    security::{
        Aes, Decision, KeySet, KeyUse, Reception, Role, Scope, Sealer, Sealing, Sha, Signer, Signing,
    },
};
use hardy_bpv7::{
    bpsec::{encryptor, key, rfc9173::ScopeFlags, signer},
    bundle::ParsedBundle,
};
use serde_json::{Value, json};

const PAYLOAD: &[u8] = b"the tap is brown";
const CONTENT_KEY: [u8; 32] = [5; 32];

#[test]
fn hardy_verifies_what_we_sign() {
    for scope in 0..8 {
        let signed = sign(&plain(), &[0, 1, 2], scope).encode();
        let parsed = ParsedBundle::parse_with_keys(&signed, &theirs(&[0])).unwrap().bundle;
        for target in [0, 1, 2] {
            assert!(parsed.verify_block(target, &signed, &theirs(&[0])).unwrap(), "{scope} {target}");
        }
    }
}

#[test]
fn hardy_opens_what_we_seal() {
    for index in [1, 2] {
        for bundle in [plain(), sign(&plain(), &[1], 3), sign(&plain(), &[0, 1], 3)] {
            let is_signed = bundle != plain();
            let sealed = seal(&bundle, index).encode();
            let keys = theirs(&[0, index]);
            let parsed = ParsedBundle::parse_with_keys(&sealed, &keys).unwrap().bundle;
            let opened = parsed.decrypt_block_data(1, &sealed, &keys).unwrap();
            assert_eq!(opened.as_ref(), PAYLOAD);
            assert_eq!(parsed.verify_block(1, &sealed, &keys).unwrap(), is_signed);
        }
    }
}

#[test]
fn we_accept_what_hardy_signs_and_seals() {
    let bytes = plain().encode();
    assert_accepted(&they_sign(&bytes, &[0, 1]), 2);
    let signed = they_sign(&bytes, &[1]);
    for index in [1, 2] {
        assert_accepted(&they_seal(&bytes, index), 1);
        // The BIB is encrypted, too.
        assert_accepted(&they_seal(&signed, index), 3);
    }
}

/// The keys of a file: one signs, one wraps, one encrypts.
fn file() -> Value {
    json!([
        { "kid": "ipn:3.0", "kty": "oct", "alg": "HS384", "key_ops": ["sign", "verify"],
          "k": "GisaKxorGisaKxorGisaKw" },
        { "kid": "ipn:3.0", "kty": "oct", "alg": "A128KW", "enc": "A256GCM",
          "key_ops": ["encrypt", "decrypt", "wrapKey", "unwrapKey"], "k": "YWJjZGVmZ2hpamtsbW5vcA" },
        { "kid": "ipn:3.0", "kty": "oct", "alg": "dir", "enc": "A256GCM", "key_ops": ["encrypt", "decrypt"],
          "k": "cXdlcnR5dWlvcGFzZGZnaHF3ZXJ0eXVpb3Bhc2RmZ2g" }
    ])
}

fn ours() -> KeySet {
    KeySet::parse(&json!({ "keys": file() }).to_string()).expect("a key file")
}

fn their_key(index: usize) -> key::Key {
    serde_json::from_value(file()[index].clone()).expect("a key")
}

/// Its key set takes the first key that could be meant, so it gets those that are.
fn theirs(indices: &[usize]) -> key::KeySet {
    key::KeySet::new(indices.iter().map(|index| their_key(*index)).collect())
}

fn plain() -> Bundle {
    let timestamp = CreationTimestamp { time: DtnTime(820_000_000_000), sequence: 1 };
    let [source, destination] = ["ipn:3.1", "ipn:7.2"].map(|text| text.parse().expect("an EID"));
    Builder::new(source, destination, timestamp, 86_400_000).age_ms(4).hop_limit(9).bundle(PAYLOAD.into())
}

fn sign(bundle: &Bundle, targets: &[u64], scope: u64) -> Bundle {
    let keys = ours();
    let signing = Signing {
        source: "ipn:3.0".parse().expect("an EID"),
        targets,
        sha: Sha::S384,
        scope: Scope(scope),
        key: KeyUse::Direct(&keys.keys()[0]),
        crc_type: CrcType::Castagnoli,
    };
    let mut signer = Signer::new(&bundle.header, &signing).expect("a bundle that can be signed");
    signer.update(&bundle.payload);
    Bundle { header: signer.finish().expect("the whole payload"), payload: bundle.payload.clone() }
}

fn seal(bundle: &Bundle, index: usize) -> Bundle {
    let keys = ours();
    let by = &keys.keys()[index];
    let key = if index == 1 { KeyUse::Wrapped { by, content: &CONTENT_KEY } } else { KeyUse::Direct(by) };
    let sealing = Sealing {
        source: "ipn:3.0".parse().expect("an EID"),
        targets: &[1],
        aes: Aes::A256,
        scope: Scope::ALL,
        key,
        crc_type: CrcType::Castagnoli,
    };
    let vector = |number: u64| [u8::try_from(number).expect("a small number"); 12];
    let mut sealer = Sealer::new(&bundle.header, &sealing, vector).expect("a bundle that can be sealed");
    sealer.update(&bundle.payload);
    let sealed = sealer.finish().expect("the whole payload");
    let mut payload = bundle.payload.to_vec();
    sealed.payload.expect("the payload is sealed").apply(0, &mut payload);
    Bundle { header: sealed.header, payload: payload.into() }
}

fn they_sign(bytes: &[u8], targets: &[u64]) -> Vec<u8> {
    let key = their_key(0);
    let parsed = ParsedBundle::parse_with_keys(bytes, &theirs(&[])).expect("our bundle").bundle;
    let mut signer = signer::Signer::new(&parsed, bytes);
    for target in targets {
        let scope = ScopeFlags { include_security_header: false, ..ScopeFlags::default() };
        let source = "ipn:3.0".parse().expect("an EID");
        let signed = signer.sign_block(*target, signer::Context::HMAC_SHA2(scope), source, &key);
        signer = signed.map_err(|(_, error)| error).expect("a block that can be signed");
    }
    signer.rebuild().expect("a bundle").into()
}

fn they_seal(bytes: &[u8], index: usize) -> Vec<u8> {
    let key = their_key(index);
    let parsed = ParsedBundle::parse_with_keys(bytes, &theirs(&[0])).expect("a bundle").bundle;
    let context = encryptor::Context::AES_GCM(ScopeFlags::default());
    let source = "ipn:3.0".parse().expect("an EID");
    let sealer = encryptor::Encryptor::new(&parsed, bytes).encrypt_block(1, context, source, &key);
    sealer.map_err(|(_, error)| error).expect("the payload").rebuild().expect("a bundle").into()
}

fn assert_accepted(bytes: &[u8], operations: usize) {
    let bundle = Bundle::parse(bytes.to_vec().into(), &Lax::dtn7()).expect("a bundle");
    let keys = ours();
    let decide = |_: &_| Decision { role: Role::Accept, key: None };
    let mut reception = Reception::new(&bundle.header, &keys, decide, &[]).expect("readable operations");
    reception.update(&bundle.payload);
    let cleared = reception.finish().expect("operations that hold");
    assert_eq!(cleared.findings.len(), operations);
    let len = usize::try_from(cleared.header.payload_len()).expect("a short payload");
    let mut payload = bundle.payload[..len].to_vec();
    if let Some(mut stream) = cleared.payload {
        stream.apply(0, &mut payload);
    }
    assert_eq!(payload, PAYLOAD);
    assert_eq!(cleared.header.blocks().len(), 2);
}
