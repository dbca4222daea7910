//! The examples of RFC 9173 appendix A, byte for byte. They have creation time zero and no age, which nobody
//! else accepts: that is why they are read here and not through the front door.

use bytes::Bytes;
use serde_json::Value;

use super::*;
use super::{
    draft::Draft,
    gcm::Gcm,
    scope::{BlockHeader, Surroundings},
};
use crate::{
    block::BLOCK_CONFIDENTIALITY,
    bundle::{Caps, Header},
    cbor::Judge,
    crc::CrcType,
    flags::BlockFlags,
};

const BOTH: Permissions = Permissions { may_make: true, may_check: true };

#[test]
fn example_a_1_is_made_and_verified_byte_for_byte() {
    let vector = Vector::load("a1");
    let (header, payload) = vector.bundle("plain");
    let key = vector.integrity_key();
    let mut signer = Signer::new(&header, &vector.signing("ipn:2.1", &[1], &key)).unwrap();
    payload.chunks(7).for_each(|chunk| signer.update(chunk));
    let signed = signer.finish().unwrap();
    assert_eq!(bytes(&signed, &payload), vector.field("secured"));

    let (header, payload) = vector.bundle("secured");
    let cleared = receive(&header, &payload, KeySet::new(vec![key]), Role::Accept);
    assert_eq!(cleared.header.blocks().len(), 0);
    assert!(matches!(cleared.findings.as_slice(), [Finding::Accepted(_)]));
}

#[test]
fn example_a_2_is_made_and_opened_byte_for_byte() {
    let vector = Vector::load("a2");
    let (header, payload) = vector.bundle("plain");
    let by = Key::new("k", Algorithm::Wrap(Aes::A128), BOTH, &vector.field("key_encryption_key")).unwrap();
    let content = vector.field("content_key");
    let key = KeyUse::Wrapped { by: &by, content: &content };
    let (sealed, ciphertext) = vector.seal(&header, &payload, &[1], key);
    assert_eq!(bytes(&sealed, &ciphertext), vector.field("secured"));

    let (header, received) = vector.bundle("secured");
    let cleared = receive(&header, &received, KeySet::new(vec![by]), Role::Accept);
    assert_eq!(plaintext(&cleared, &received), payload);
}

#[test]
fn example_a_3_is_made_and_accepted_byte_for_byte() {
    let vector = Vector::load("a3");
    let (header, payload) = vector.bundle("plain");
    let (signs, encrypts) = (vector.integrity_key(), vector.content_key());
    let signer = Signer::new(&header, &vector.signing("ipn:3.0", &[0, 2], &signs)).unwrap();
    let signed = signer.finish().unwrap();
    let (sealed, ciphertext) = vector.seal(&signed, &payload, &[1], KeyUse::Direct(&encrypts));
    assert_eq!(bytes(&sealed, &ciphertext), vector.field("secured"));

    let (header, received) = vector.bundle("secured");
    let cleared = receive(&header, &received, KeySet::new(vec![signs, encrypts]), Role::Accept);
    assert_eq!(plaintext(&cleared, &received), payload);
    assert_eq!(cleared.findings.len(), 3);
    assert!(cleared.header.blocks().iter().all(|block| block.block_type == crate::block::BUNDLE_AGE));
    assert_eq!(cleared.header.primary().crc_type(), CrcType::Castagnoli);
}

#[test]
fn example_a_4_is_opened_and_its_parts_are_made_byte_for_byte() {
    let vector = Vector::load("a4");
    let (_, payload) = vector.bundle("plain");
    let (signs, encrypts) = (vector.integrity_key(), vector.content_key());
    let (header, received) = vector.bundle("secured");
    let keys = KeySet::new(vec![signs.clone(), encrypts]);
    let cleared = receive(&header, &received, keys, Role::Accept);
    assert_eq!(plaintext(&cleared, &received), payload);
    assert_eq!(cleared.header.blocks().len(), 0);

    // The RFC puts two targets under one initialization vector; this crate makes no such block, but it makes
    // the same ciphertext and tags.
    let draft = Draft::of(&header);
    let bcb = draft.parts_of(BLOCK_CONFIDENTIALITY).next().unwrap().security().unwrap();
    assert_eq!(SecurityBlock::decode(&bcb.encode().into()).unwrap(), bcb);
    let security = BlockHeader { block_type: BLOCK_CONFIDENTIALITY, number: 2, flags: BlockFlags::REPLICATE };
    let bib = draft.part(3).unwrap();
    for (target, ciphertext) in [(1, received.to_vec()), (3, bib.data.to_vec())] {
        let around = Surroundings { primary: draft.primary(), target: draft.block_header(target), security };
        let associated = around.authenticated(Scope(7));
        let key = vector.field("content_key");
        let mut gcm = Gcm::new(Aes::A256, &key, &vector.field("iv"), &associated).unwrap();
        let mut plain = ciphertext.clone();
        gcm.keystream().apply(0, &mut plain);
        gcm.encrypt(&plain);
        let tag = bcb.results_for(target).unwrap()[0].as_bytes().unwrap();
        assert_eq!(gcm.tag().as_slice(), tag.as_ref());
    }
}

#[test]
fn a_nonce_that_is_not_twelve_bytes_long_counts_as_the_standard_says() {
    // SP 800-38D examples of the GCM specification, test cases 5 and 6 (AES-128, nonces of 8 and 60 bytes),
    // of which RFC 9173 allows the first.
    let key = hex("feffe9928665731c6d6a8f9467308308");
    let plain = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c959568095\
                     32fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    let associated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let mut gcm = Gcm::new(Aes::A128, &key, &hex("cafebabefacedbad"), &associated).unwrap();
    plain.chunks(5).for_each(|chunk| gcm.encrypt(chunk));
    assert_eq!(gcm.tag().to_vec(), hex("3612d2e79e3b0785561be14aaca2fccb"));
}

struct Vector(Value);

impl Vector {
    fn load(name: &str) -> Self {
        let text = match name {
            "a1" => include_str!("../../vectors/rfc9173/a1.json"),
            "a2" => include_str!("../../vectors/rfc9173/a2.json"),
            "a3" => include_str!("../../vectors/rfc9173/a3.json"),
            _ => include_str!("../../vectors/rfc9173/a4.json"),
        };
        Self(serde_json::from_str(text).unwrap())
    }

    fn field(&self, name: &str) -> Vec<u8> {
        hex(self.0[name].as_str().unwrap())
    }

    fn bundle(&self, name: &str) -> (Header, Bytes) {
        let bytes = Bytes::from(self.field(name));
        let header = Header::read(&bytes, Caps::RECEIVED, &Judge::of_edit(false)).unwrap();
        let payload = bytes.slice(header.raw().len()..bytes.len() - 1);
        assert_eq!(payload.len() as u64, header.payload_len());
        (header, payload)
    }

    fn sha(&self) -> Sha {
        Sha::from_code(self.0["sha"].as_u64().unwrap()).unwrap()
    }

    fn aes(&self) -> Aes {
        Aes::from_code(self.0["aes"].as_u64().unwrap()).unwrap()
    }

    fn integrity_key(&self) -> Key {
        Key::new("hmac", Algorithm::Hmac(self.sha()), BOTH, &self.field("integrity_key")).unwrap()
    }

    fn content_key(&self) -> Key {
        Key::new("gcm", Algorithm::Content(self.aes()), BOTH, &self.field("content_key")).unwrap()
    }

    fn signing<'a>(&self, source: &str, targets: &'a [u64], key: &'a Key) -> Signing<'a> {
        Signing {
            source: source.parse().unwrap(),
            targets,
            sha: self.sha(),
            scope: Scope(self.0["scope"].as_u64().unwrap()),
            key: KeyUse::Direct(key),
            crc_type: CrcType::None,
        }
    }

    fn seal(&self, header: &Header, payload: &[u8], targets: &[u64], key: KeyUse<'_>) -> (Header, Vec<u8>) {
        let sealing = Sealing {
            source: "ipn:2.1".parse().unwrap(),
            targets,
            aes: self.aes(),
            scope: Scope(self.0["scope"].as_u64().unwrap()),
            key,
            crc_type: CrcType::None,
        };
        let iv: [u8; 12] = self.field("iv").try_into().unwrap();
        let mut sealer = Sealer::new(header, &sealing, |_| iv).unwrap();
        payload.chunks(11).for_each(|chunk| sealer.update(chunk));
        let sealed = sealer.finish().unwrap();
        let mut ciphertext = payload.to_vec();
        sealed.payload.unwrap().apply(0, &mut ciphertext);
        (sealed.header, ciphertext)
    }
}

fn bytes(header: &Header, payload: &[u8]) -> Vec<u8> {
    [header.raw(), payload, &[0xff]].concat()
}

fn receive(header: &Header, payload: &[u8], keys: KeySet, role: Role) -> Cleared {
    let decide = |_: &Operation| Decision { role, key: None };
    let mut reception = Reception::new(header, &keys, decide, &[]).unwrap();
    payload.chunks(13).for_each(|chunk| reception.update(chunk));
    reception.finish().unwrap()
}

fn plaintext(cleared: &Cleared, received: &[u8]) -> Vec<u8> {
    let len = usize::try_from(cleared.header.payload_len()).unwrap();
    let mut plain = received[..len].to_vec();
    cleared.payload.clone().unwrap().apply(0, &mut plain);
    plain
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}
