//! Signatures in ADUs: COSE_Sign1 with EdDSA (RFC 9052 §4.2, RFC 9053 §2.2) by the node key, and the node
//! ID that follows from a key.
//!
//! The ADUs that are signed call [`SigningKey::sign`] and [`Signature::verify`] with the bytes of their
//! statement. Nothing here makes keys; whoever holds a random generator calls [`SigningKey::from_bytes`].

use std::fmt;

use ::cid::{
    CidGeneric,
    multibase::{self, Base},
};
use ed25519_dalek::{Signer, VerifyingKey};
use multihash::Multihash;

use crate::{
    Eid, NodeId,
    adu::AduError,
    cbor::{ARRAY, TEXT, len_of, put_bytes, put_head},
};

/// Multicodec of a libp2p public key.
const LIBP2P_KEY: u64 = 0x72;
/// Multihash code of the identity hash.
const IDENTITY: u64 = 0;
/// The protobuf of a libp2p Ed25519 public key begins so; the 32 bytes of the key follow.
const PROTOBUF: [u8; 4] = [0x08, 0x01, 0x12, 0x20];
/// Length of that protobuf in bytes.
const PROTOBUF_BYTES: usize = PROTOBUF.len() + 32;
/// The protected header `{1: -8, 4: key}` begins so: algorithm EdDSA, key identifier; the 32 bytes of the
/// key follow.
const PROTECTED: [u8; 6] = [0xa2, 0x01, 0x27, 0x04, 0x58, 0x20];

/// A node's Ed25519 secret key. It is wiped from memory when it is dropped, and `Debug` shows the public
/// half.
#[derive(Clone)]
pub struct SigningKey {
    inner: ed25519_dalek::SigningKey,
}

/// A node's Ed25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// A detached COSE_Sign1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who signed.
    pub key: PublicKey,
    /// 64 bytes.
    pub bytes: [u8; 64],
}

impl SigningKey {
    /// From the 32 secret bytes.
    #[must_use]
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self { inner: ed25519_dalek::SigningKey::from_bytes(secret) }
    }

    /// The 32 secret bytes, for whoever makes a certificate of the same key.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.inner.to_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.inner.verifying_key().to_bytes())
    }

    /// Signs `payload` for the purpose `context`, which is authenticated but not part of it.
    #[must_use]
    pub fn sign(&self, context: &str, payload: &[u8]) -> Signature {
        let key = self.public();
        let bytes = self.inner.sign(&to_be_signed(key, context, payload)).to_bytes();
        Signature { key, bytes }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// The default node ID of this key: `dtn://<PeerId as base36 CID>/`, 62 characters that begin with `k51`.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        let hash =
            Multihash::<PROTOBUF_BYTES>::wrap(IDENTITY, &self.protobuf()).expect("the key fits its hash");
        let name = CidGeneric::new_v1(LIBP2P_KEY, hash)
            .to_string_of_base(Base::Base36Lower)
            .expect("a version 1 identifier has every base");
        let eid = Eid::dtn(&name, "").expect("base36 is a registered name");
        eid.node_id().expect("an administrative endpoint has one member")
    }

    /// The key from which `node` was derived, if it was derived from one.
    #[must_use]
    pub fn from_node_id(node: &NodeId) -> Option<Self> {
        let Eid::Dtn(name) = node.eid() else { return None };
        let cid: CidGeneric<PROTOBUF_BYTES> = name.node().parse().ok()?;
        let is_key =
            cid.version() == ::cid::Version::V1 && cid.codec() == LIBP2P_KEY && cid.hash().code() == IDENTITY;
        let key = cid.hash().digest().strip_prefix(&PROTOBUF).filter(|_| is_key)?;
        let key = Self(key.try_into().ok()?);
        // Other bases spell the same key; only one spelling is its node ID.
        (key.node_id() == *node).then_some(key)
    }

    /// The PeerId as libp2p prints it: `12D3KooW…`.
    #[must_use]
    pub fn peer_id_text(&self) -> String {
        let hash =
            Multihash::<PROTOBUF_BYTES>::wrap(IDENTITY, &self.protobuf()).expect("the key fits its hash");
        // The legacy form is base58 without the letter that multibase puts in front.
        multibase::encode(Base::Base58Btc, hash.to_bytes()).split_off(1)
    }

    fn protobuf(&self) -> [u8; PROTOBUF_BYTES] {
        let mut bytes = [0; PROTOBUF_BYTES];
        bytes[..PROTOBUF.len()].copy_from_slice(&PROTOBUF);
        bytes[PROTOBUF.len()..].copy_from_slice(&self.0);
        bytes
    }
}

impl Signature {
    /// Checks that [`Self::key`] signed `payload` for the purpose `context`.
    ///
    /// Strictly: a weak key, a signature that is not reduced and a wrong signature are refused alike, so
    /// that all nodes agree (RFC 8032 §5.1.7 leaves room).
    ///
    /// # Errors
    /// [`AduError::Signature`].
    pub fn verify(&self, context: &str, payload: &[u8]) -> Result<(), AduError> {
        let key = VerifyingKey::from_bytes(&self.key.0).map_err(|_| AduError::Signature)?;
        let signature = ed25519_dalek::Signature::from_bytes(&self.bytes);
        key.verify_strict(&to_be_signed(self.key, context, payload), &signature)
            .map_err(|_| AduError::Signature)
    }

    /// Checks that `node` may be spoken for by [`Self::key`]: a node ID that was derived from a key belongs
    /// to that key alone; any other may be anybody's, and whom to believe is for the receiver to decide.
    ///
    /// # Errors
    /// [`AduError::Signature`].
    pub fn speaks_for(&self, node: &NodeId) -> Result<(), AduError> {
        match PublicKey::from_node_id(node) {
            Some(key) if key != self.key => Err(AduError::Signature),
            _ => Ok(()),
        }
    }

    /// The protected header.
    pub(crate) fn protected(&self) -> Vec<u8> {
        protected(self.key)
    }

    /// The key in a protected header.
    pub(crate) fn key_of(protected: &[u8]) -> Option<PublicKey> {
        protected.strip_prefix(&PROTECTED)?.try_into().ok().map(PublicKey)
    }
}

fn protected(key: PublicKey) -> Vec<u8> {
    [PROTECTED.as_slice(), &key.0].concat()
}

/// The Sig_structure of RFC 9052 §4.4.
fn to_be_signed(key: PublicKey, context: &str, payload: &[u8]) -> Vec<u8> {
    let purpose = "Signature1";
    let mut out = Vec::with_capacity(payload.len() + 128);
    put_head(&mut out, ARRAY, 4);
    put_head(&mut out, TEXT, len_of(purpose.as_bytes()));
    out.extend_from_slice(purpose.as_bytes());
    put_bytes(&mut out, &protected(key));
    put_bytes(&mut out, context.as_bytes());
    put_bytes(&mut out, payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_is_the_key_in_base36() {
        // RFC 8032 §7.1 test 1.
        let secret = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
            0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = SigningKey::from_bytes(&secret).public();
        assert_eq!(key.0[..4], [0xd7, 0x5a, 0x98, 0x01]);
        let node = key.node_id();
        let text = node.to_string();
        assert!(text.starts_with("dtn://k51qzi5uqu5d") && text.len() == "dtn:///".len() + 62, "{text}");
        assert_eq!(PublicKey::from_node_id(&node), Some(key));
        assert!(key.peer_id_text().starts_with("12D3KooW") && key.peer_id_text().len() == 52);
    }

    #[test]
    fn a_name_that_only_looks_like_a_key_is_no_key() {
        let key = SigningKey::from_bytes(&[7; 32]).public();
        let text = key.node_id().to_string();
        let upper = format!("dtn://K{}/", text["dtn://k".len()..text.len() - 1].to_uppercase());
        let short = text.replace("/k51", "/k5");
        for name in ["dtn://village/", "ipn:7.0", "dtn://k51/", "dtn://k51village/", &upper, &short] {
            assert_eq!(PublicKey::from_node_id(&name.parse().unwrap()), None, "{name}");
        }
    }

    #[test]
    fn a_signature_holds_for_its_purpose_and_payload_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signature = key.sign("result", b"said");
        assert_eq!(signature.verify("result", b"said"), Ok(()));
        assert_eq!(signature.verify("receipt", b"said"), Err(AduError::Signature));
        assert_eq!(signature.verify("result", b"sad"), Err(AduError::Signature));
        let other = Signature { key: SigningKey::from_bytes(&[8; 32]).public(), ..signature.clone() };
        assert_eq!(other.verify("result", b"said"), Err(AduError::Signature));
    }

    #[test]
    fn a_weak_key_signs_nothing() {
        // The neutral element: everything "verifies" under it unless it is refused.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let signature = Signature { key: PublicKey(neutral), bytes };
        assert_eq!(signature.verify("result", b"anything"), Err(AduError::Signature));
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let text = format!("{:?}", SigningKey::from_bytes(&[0xab; 32]));
        assert!(text.starts_with("SigningKey { public") && !text.contains("171, 171"), "{text}");
    }
}
