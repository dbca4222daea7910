//! Keys: what each is for, which fit an operation, and keys that travel wrapped (RFC 3394).
//!
//! `jwk` reads them from a file, `signer`, `seal` and `reception` use them. A secret is wiped from memory
//! when it is dropped and never printed.

use std::fmt;

use aes_kw::{KeyInit, KwAes128, KwAes192, KwAes256};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::{Aes, KEYS_TRIED_MAX, SecurityError, Service, Sha, mac::Mac};
use crate::eid::Eid;

/// Longest wrapped key that is unwrapped, in bytes.
const WRAPPED_BYTES_MAX: usize = 264;
/// By how many bytes wrapping lengthens a key.
const WRAP_BYTES: usize = 8;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Signs with HMAC: `alg` is HS256, HS384 or HS512.
    Hmac(Sha),
    /// Encrypts: `alg` is `dir`, `enc` is A128GCM or A256GCM.
    Content(Aes),
    /// Wraps content keys: `alg` is A128KW, A192KW or A256KW; `enc` says what for when encrypting.
    Wrap(Aes),
}

/// What a key may be used for (`key_ops`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Whether this node may sign or encrypt with it, or wrap for that.
    pub may_make: bool,
    /// Whether this node may verify or decrypt with it, or unwrap for that.
    pub may_check: bool,
}

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    id: String,
    algorithm: Algorithm,
    permissions: Permissions,
    secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A key of this name.
    ///
    /// # Errors
    /// `KeyLength`: at least 16 bytes for HMAC, what the cipher wants otherwise.
    pub fn new(
        id: impl Into<String>,
        algorithm: Algorithm,
        permissions: Permissions,
        secret: &[u8],
    ) -> Result<Self, SecurityError> {
        let fits = match algorithm {
            Algorithm::Hmac(_) => secret.len() >= 16,
            Algorithm::Content(aes) => secret.len() == aes.key_len(),
            Algorithm::Wrap(_) => matches!(secret.len(), 16 | 24 | 32),
        };
        if !fits {
            return Err(SecurityError::KeyLength);
        }
        Ok(Self { id: id.into(), algorithm, permissions, secret: Zeroizing::new(secret.to_vec()) })
    }

    /// Its name, which is not on the wire.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What this node may do with it.
    #[must_use]
    pub const fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// Bytes that follow from the key, a purpose and a context, at most 64: content keys and initialization
    /// vectors for whoever has no random numbers, or needs the same ones again. The same purpose and context
    /// must mean the same text.
    ///
    /// # Panics
    /// If more are wanted.
    #[must_use]
    pub fn derive(&self, purpose: &str, context: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
        let mut mac = Mac::new(Sha::S512, &self.secret).expect("HMAC takes a key of any length");
        mac.update(&crate::cbor::len_of(purpose.as_bytes()).to_be_bytes());
        mac.update(purpose.as_bytes());
        mac.update(context);
        let mut bytes = Zeroizing::new(mac.finish());
        assert!(len <= bytes.len(), "at most as many bytes as a code has");
        bytes.truncate(len);
        bytes
    }

    /// Wraps a content key, whose length must be a multiple of 8 bytes.
    pub(super) fn wrap(&self, content: &[u8]) -> Result<Vec<u8>, SecurityError> {
        let mut out = vec![0; content.len() + WRAP_BYTES];
        let wrapped = match self.secret.len() {
            16 => KwAes128::new_from_slice(&self.secret).map(|kw| kw.wrap_key(content, &mut out).is_ok()),
            24 => KwAes192::new_from_slice(&self.secret).map(|kw| kw.wrap_key(content, &mut out).is_ok()),
            _ => KwAes256::new_from_slice(&self.secret).map(|kw| kw.wrap_key(content, &mut out).is_ok()),
        };
        match wrapped {
            Ok(true) if content.len() >= 2 * WRAP_BYTES => Ok(out),
            _ => Err(SecurityError::KeyLength),
        }
    }

    /// The content key that was wrapped with this key; `None` if it was not.
    fn unwrap_content(&self, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if wrapped.len() > WRAPPED_BYTES_MAX || wrapped.len() < 3 * WRAP_BYTES {
            return None;
        }
        let mut out = Zeroizing::new(vec![0; wrapped.len() - WRAP_BYTES]);
        let is_right = match self.secret.len() {
            16 => KwAes128::new_from_slice(&self.secret).ok()?.unwrap_key(wrapped, &mut out).is_ok(),
            24 => KwAes192::new_from_slice(&self.secret).ok()?.unwrap_key(wrapped, &mut out).is_ok(),
            _ => KwAes256::new_from_slice(&self.secret).ok()?.unwrap_key(wrapped, &mut out).is_ok(),
        };
        is_right.then_some(out)
    }
}

/// How a source uses a key.
#[derive(Clone, Copy, Debug)]
pub enum KeyUse<'a> {
    /// As it is.
    Direct(&'a Key),
    /// To wrap a content key that is used this once.
    Wrapped {
        /// Wraps.
        by: &'a Key,
        /// The content key: as long as the hash for signing, as long as the cipher wants for encrypting.
        content: &'a [u8],
    },
}

/// The secret of an operation, and its wrapped form if it travels.
pub(super) struct KeyMaterial {
    pub(super) secret: Zeroizing<Vec<u8>>,
    pub(super) wrapped: Option<Bytes>,
}

impl KeyUse<'_> {
    pub(super) fn material(&self, wanted: Algorithm, service: Service) -> Result<KeyMaterial, SecurityError> {
        let (key, fits) = match self {
            Self::Direct(key) => (key, key.algorithm == wanted),
            Self::Wrapped { by, .. } => (by, matches!(by.algorithm, Algorithm::Wrap(_))),
        };
        if !fits || !key.permissions.may_make {
            return Err(SecurityError::KeyUse { id: key.id.clone(), service });
        }
        match self {
            Self::Direct(key) => Ok(KeyMaterial { secret: key.secret.clone(), wrapped: None }),
            Self::Wrapped { by, content } => Ok(KeyMaterial {
                secret: Zeroizing::new(content.to_vec()),
                wrapped: Some(by.wrap(content)?.into()),
            }),
        }
    }
}

/// The keys of a node, in the order of its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// These keys.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// All of them.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The first key of this name with which this node may make operations.
    #[must_use]
    pub fn maker(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id && key.permissions.may_make)
    }

    /// Secrets that may be that of an operation by `source`: of keys with the name `id` if one is given, else
    /// of keys that are named like the source or its node, else of any that fits. At most
    /// [`KEYS_TRIED_MAX`].
    pub(super) fn secrets(
        &self,
        id: Option<&str>,
        source: &Eid,
        wanted: Algorithm,
        wrapped: Option<&[u8]>,
    ) -> Vec<Zeroizing<Vec<u8>>> {
        let node = source.node_id().map(|node| node.to_string());
        let text = source.to_string();
        let is_named = |key: &&Key| key.id == text || node.as_ref().is_some_and(|node| key.id == *node);
        let fitting = |key: &&Key| match wrapped {
            Some(_) => key.permissions.may_check && matches!(key.algorithm, Algorithm::Wrap(_)),
            None => key.permissions.may_check && key.algorithm == wanted,
        };
        let fitting: Vec<&Key> = self.keys.iter().filter(fitting).collect();
        let chosen: Vec<&Key> = match id {
            Some(id) => fitting.into_iter().filter(|key| key.id == id).collect(),
            None if fitting.iter().any(is_named) => fitting.into_iter().filter(|key| is_named(key)).collect(),
            None => fitting,
        };
        let secret = |key: &Key| match wrapped {
            Some(wrapped) => key.unwrap_content(wrapped),
            None => Some(key.secret.clone()),
        };
        chosen.into_iter().filter_map(secret).take(KEYS_TRIED_MAX).collect()
    }
}
