//! A node's key as text (its PeerId) and as a TLS certificate.
//!
//! The certificate is self-signed by the node's Ed25519 key: the key is the identity, names and dates in the
//! certificate mean nothing. Used by the endpoint and by addresses; never decides whom to trust.

use bundle_spec::{NodeId, sign::PublicKey};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Multihash of an Ed25519 key as libp2p writes it, up to the key.
const PEER_HASH_HEAD: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
/// An Ed25519 private key in PKCS#8 (RFC 8410 §7), up to the key.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Longest text of a PeerId that is looked at.
const PEER_TEXT_BYTES_MAX: usize = 80;

/// The PeerId of a key as a CID in base36: `k51…`, as it stands in the node ID.
#[must_use]
pub fn peer_text(key: &PublicKey) -> String {
    let node = key.node_id().to_string();
    let text = node.strip_prefix("dtn://").and_then(|rest| rest.strip_suffix('/'));
    text.expect("a node ID made of a key is of the dtn scheme").to_owned()
}

/// The key behind a PeerId: a CID in base36 (`k51…`) or a bare multihash in base58 (`12D3Koo…`).
#[must_use]
pub fn peer_key(text: &str) -> Option<PublicKey> {
    if text.len() > PEER_TEXT_BYTES_MAX {
        return None;
    }
    if text.starts_with('k') {
        return PublicKey::from_node_id(&format!("dtn://{text}/").parse().ok()?);
    }
    let peer = text.parse::<libp2p_identity::PeerId>().ok()?.to_bytes();
    Some(PublicKey(peer.strip_prefix(&PEER_HASH_HEAD)?.try_into().ok()?))
}

/// The key that a node ID is made of; `None` for a readable name.
#[must_use]
pub fn key_of(node: &NodeId) -> Option<PublicKey> {
    PublicKey::from_node_id(node)
}

/// A certificate with its private key.
pub struct Certificate {
    /// What the peer sees.
    pub chain: CertificateDer<'static>,
    /// What signs handshakes.
    pub key: PrivateKeyDer<'static>,
    /// Who it is.
    pub public: PublicKey,
}

impl Certificate {
    /// The certificate of the node with these 32 secret bytes.
    ///
    /// # Errors
    /// What the certificate library says.
    pub fn of_secret(secret: &[u8; 32]) -> Result<Self, rcgen::Error> {
        let mut pkcs8 = PKCS8_HEAD.to_vec();
        pkcs8.extend_from_slice(secret);
        let pkcs8 = PrivatePkcs8KeyDer::from(pkcs8);
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_ED25519)?;
        let public = bundle_spec::sign::SigningKey::from_bytes(secret).public();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, peer_text(&public));
        let chain = params.self_signed(&pair)?.der().clone();
        Ok(Self { chain, key: PrivateKeyDer::Pkcs8(pkcs8), public })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_reads_back_in_both_forms() {
        let key = bundle_spec::sign::SigningKey::from_bytes(&[9; 32]).public();
        let text = peer_text(&key);
        assert!(text.starts_with("k51qzi5uqu5d"), "{text}");
        assert_eq!(peer_key(&text), Some(key));
        let multihash = [&PEER_HASH_HEAD[..], &key.0].concat();
        let base58 = libp2p_identity::PeerId::from_bytes(&multihash).unwrap().to_base58();
        assert!(base58.starts_with("12D3Koo"), "{base58}");
        assert_eq!(peer_key(&base58), Some(key));
    }

    #[test]
    fn a_node_id_made_of_a_key_names_the_key_and_a_readable_one_none() {
        let key = PublicKey([5; 32]);
        let node: NodeId = format!("dtn://{}/", peer_text(&key)).parse().unwrap();
        assert_eq!(key_of(&node), Some(key));
        assert_eq!(key_of(&"dtn://village/".parse().unwrap()), None);
        assert_eq!(key_of(&"ipn:7.0".parse().unwrap()), None);
    }

    #[test]
    fn what_is_no_peer_id_has_no_key() {
        for text in ["", "k", "k51", "kZZ", "12D3", "village", &"k5".repeat(100), &"z".repeat(4000)] {
            assert_eq!(peer_key(text), None, "{text}");
        }
    }
}
