//! The keys that things are sealed for: X25519, made for this and nothing else, never derived from a node
//! key.

use std::fmt;

use hpke::{Deserializable, Kem, Serializable};
use zeroize::Zeroizing;

use super::Agreement;

/// A secret sealing key. It is wiped from memory when it is dropped, and `Debug` shows the public half.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey {
    secret: Zeroizing<[u8; 32]>,
}

/// A public sealing key: what is sealed for it, only the holder of the secret half can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealingPublic(pub [u8; 32]);

/// The beginning of the hash of a public key: enough to find one's own among the recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

impl SealingKey {
    /// From the 32 secret bytes, of which any will do.
    #[must_use]
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self { secret: Zeroizing::new(*secret) }
    }

    /// The 32 secret bytes, for whoever keeps them.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.secret.clone()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> SealingPublic {
        SealingPublic(Agreement::sk_to_pk(&self.agreement()).to_bytes().into())
    }

    pub(super) fn agreement(&self) -> <Agreement as Kem>::PrivateKey {
        <Agreement as Kem>::PrivateKey::from_bytes(self.secret.as_slice()).expect("any 32 bytes are a key")
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

impl SealingPublic {
    /// Its name in envelopes.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let hash = blake3::derive_key("pannier sealing 1 key id", &self.0);
        KeyId(*hash.first_chunk().expect("a hash has more than 8 bytes"))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_is_that_of_rfc_7748() {
        // RFC 7748 §6.1, Alice.
        let secret = [
            0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
            0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
        ];
        let public = SealingKey::from_bytes(&secret).public();
        assert_eq!(public.0[..4], [0x85, 0x20, 0xf0, 0x09]);
        assert_eq!(public.0[28..], [0xaa, 0x9b, 0x4e, 0x6a][..]);
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let text = format!("{:?}", SealingKey::from_bytes(&[0xab; 32]));
        assert!(text.starts_with("SealingKey { public") && !text.contains("171, 171"), "{text}");
    }
}
