//! HMAC with SHA-2 in pieces. `integrity` calls it.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::{SecurityError, Sha};

/// A code in the making.
#[derive(Clone)]
pub(super) enum Mac {
    Sha256(Box<Hmac<Sha256>>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl Mac {
    pub(super) fn new(sha: Sha, key: &[u8]) -> Result<Self, SecurityError> {
        let wrong = |_| SecurityError::KeyLength;
        Ok(match sha {
            Sha::S256 => Self::Sha256(Box::new(Hmac::new_from_slice(key).map_err(wrong)?)),
            Sha::S384 => Self::Sha384(Box::new(Hmac::new_from_slice(key).map_err(wrong)?)),
            Sha::S512 => Self::Sha512(Box::new(Hmac::new_from_slice(key).map_err(wrong)?)),
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(mac) => mac.update(bytes),
            Self::Sha384(mac) => mac.update(bytes),
            Self::Sha512(mac) => mac.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha384(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha512(mac) => mac.finalize().into_bytes().to_vec(),
        }
    }

    /// Whether the code is `expected`, in a time that does not depend on where they differ.
    pub(super) fn is(self, expected: &[u8]) -> bool {
        bool::from(self.finish().as_slice().ct_eq(expected))
    }
}
