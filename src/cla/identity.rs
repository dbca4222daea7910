//! A node's key as text (its PeerId) and as a TLS certificate.
//!
//! The certificate is self-signed by the node's Ed25519 key: the key is the identity, names and dates in the
//! certificate mean nothing. Used by the endpoint and by addresses; never decides whom to trust.

use bundle_spec::{NodeId, sign::PublicKey};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

/// Multihash of an Ed25519 key as libp2p writes it, up to the key.
const PEER_HASH_HEAD: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
/// An Ed25519 private key in PKCS#8 (RFC 8410 §7), up to the key.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Names of a certificate's subject besides its own (RFC 5280 §4.2.1.6).
pub(in crate::cla) const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
/// `id-on-bundleEID` (RFC 9174 §4.4.1).
const BUNDLE_EID_TEXT: &str = "1.3.6.1.5.5.7.8.11";
/// Most names of one certificate that are looked at.
const NAMES_MAX: usize = 16;
/// The same in DER with its head.
const BUNDLE_EID: [u8; 10] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x0b];
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
    /// The certificate of the node with these 32 secret bytes, which calls itself `node` (RFC 9174 §4.4.1).
    ///
    /// # Errors
    /// What the certificate library says.
    pub fn of_secret(secret: &[u8; 32], node: &NodeId) -> Result<Self, rcgen::Error> {
        let mut pkcs8 = PKCS8_HEAD.to_vec();
        pkcs8.extend_from_slice(secret);
        let pkcs8 = PrivatePkcs8KeyDer::from(pkcs8);
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_ED25519)?;
        let public = bundle_spec::sign::SigningKey::from_bytes(secret).public();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, peer_text(&public));
        params.custom_extensions.push(CustomExtension::from_oid_content(SUBJECT_ALT_NAME, bundle_eid(node)));
        let chain = params.self_signed(&pair)?.der().clone();
        Ok(Self { chain, key: PrivateKeyDer::Pkcs8(pkcs8), public })
    }
}

/// The names of `node` in DER: one other-name, `id-on-bundleEID`, an IA5String.
pub(in crate::cla) fn bundle_eid(node: &NodeId) -> Vec<u8> {
    let text = der(0x16, node.to_string().as_bytes());
    let name = der(0xa0, &[&BUNDLE_EID[..], &der(0xa0, &text)].concat());
    der(0x30, &name)
}

/// The node IDs that a certificate names (RFC 9174 §4.4.1).
#[must_use]
pub fn named_nodes(certificate: &X509Certificate<'_>) -> Vec<NodeId> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let nodes = names.value.general_names.iter().filter_map(|name| {
        let GeneralName::OtherName(oid, value) = name else { return None };
        if oid.to_id_string() != BUNDLE_EID_TEXT {
            return None;
        }
        // What is left is the explicit tag 0 around the text.
        let value = content(0xa0, value)?;
        std::str::from_utf8(content(0x16, value)?).ok()?.parse().ok()
    });
    nodes.take(NAMES_MAX).collect()
}

/// One element in DER.
///
/// # Panics
/// If it is longer than 65,535 bytes, which no node ID is.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).expect("a node ID is at most 1,024 bytes");
    let [high, low] = len.to_be_bytes();
    let mut out = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(content);
    out
}

/// What is in an element of this tag that fills `bytes`.
fn content(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    let content = match head {
        [found, 0x81] if *found == tag => rest.get(1..),
        [found, 0x82] if *found == tag => rest.get(2..),
        [found, _] if *found == tag => Some(rest),
        _ => None,
    }?;
    // One form only.
    (der(tag, content.get(..0xffff.min(content.len()))?) == bytes).then_some(content)
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

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
    fn a_certificate_names_its_node_whatever_the_length_of_the_name() {
        for len in [1, 60, 100, 120, 130, 250, 260, 900] {
            let node: NodeId = format!("dtn://{}/", "v".repeat(len)).parse().unwrap();
            let certificate = Certificate::of_secret(&[3; 32], &node).unwrap();
            let (_, parsed) = X509Certificate::from_der(&certificate.chain).unwrap();
            assert_eq!(named_nodes(&parsed), [node]);
        }
    }

    #[test]
    fn a_name_in_another_form_is_no_name() {
        assert_eq!(content(0x16, &[0x16, 0x01, b'a']), Some(&b"a"[..]));
        for bytes in [&[0x16, 0x81, 0x01, b'a'][..], &[0x16, 0x02, b'a'], &[0x0c, 0x01, b'a'], &[0x16], &[]] {
            assert_eq!(content(0x16, bytes), None);
        }
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
