//! Key files: a JWK set (RFC 7517) of symmetric keys.
//!
//! Whoever has read a file calls [`KeySet::parse`]. An error names the key and what to do; it never shows a
//! secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    Aes, Sha,
    key::{Algorithm, Key, KeySet, Permissions},
};

/// Longest key file, in bytes.
const FILE_BYTES_MAX: usize = 256 * 1024;
/// Most keys in a file.
const KEYS_MAX: usize = 256;
/// Longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 1024;

/// Why a key file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Longer than any key file.
    #[error("the key file has {len} bytes; at most {FILE_BYTES_MAX} are read")]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// Not JSON.
    #[error("the key file is not JSON: {0}")]
    Json(String),
    /// Not a JWK set.
    #[error("the key file is no JWK set: write {{\"keys\": [..]}} (RFC 7517 §5)")]
    NoSet,
    /// Too many keys.
    #[error("the key file has {count} keys; at most {KEYS_MAX} are read")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A key that cannot be used.
    #[error("key {index} (`{id}`): {problem}")]
    Key {
        /// Which key, counted from 1.
        index: usize,
        /// Its name, if it has one.
        id: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl KeySet {
    /// Reads a JWK set: a list `keys` of objects with `kty` (`oct`), `kid`, `alg`, `enc`, `key_ops`, `k`.
    ///
    /// # Errors
    /// See [`JwkError`]. One bad key makes the whole file unusable: a file that is half read would protect
    /// half of what it should.
    pub fn parse(json: &str) -> Result<Self, JwkError> {
        if json.len() > FILE_BYTES_MAX {
            return Err(JwkError::TooLong { len: json.len() });
        }
        let value: Value = serde_json::from_str(json).map_err(|error| JwkError::Json(error.to_string()))?;
        let keys = value.get("keys").and_then(Value::as_array).ok_or(JwkError::NoSet)?;
        if keys.len() > KEYS_MAX {
            return Err(JwkError::TooMany { count: keys.len() });
        }
        let mut read = Vec::with_capacity(keys.len());
        for (index, value) in (1..).zip(keys) {
            let fields = value.as_object().cloned().unwrap_or_default();
            let id = text(&fields, "kid").unwrap_or_default().to_owned();
            let key = read_key(&id, &fields).map_err(|problem| JwkError::Key { index, id, problem })?;
            read.push(key);
        }
        Ok(Self::new(read))
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

fn read_key(id: &str, fields: &Map<String, Value>) -> Result<Key, String> {
    if id.is_empty() {
        return Err("`kid` is missing: rules speak of keys by it".to_owned());
    }
    if text(fields, "kty") != Some("oct") {
        return Err("`kty` must be `oct`: the contexts of RFC 9173 use symmetric keys".to_owned());
    }
    let algorithm = read_algorithm(text(fields, "alg"), text(fields, "enc"))?;
    let permissions = read_permissions(fields)?;
    let secret = text(fields, "k").ok_or("`k` is missing: the secret in base64url without padding")?;
    let secret = Zeroizing::new(
        URL_SAFE_NO_PAD.decode(secret).map_err(|_| "`k` is not base64url without padding (RFC 7515 §2)")?,
    );
    if secret.len() > SECRET_BYTES_MAX {
        return Err(format!("the secret has {} bytes; at most {SECRET_BYTES_MAX} are read", secret.len()));
    }
    let wanted = match (algorithm, text(fields, "alg")) {
        (Algorithm::Wrap(_), Some("A128KW")) => 16..=16,
        (Algorithm::Wrap(_), Some("A192KW")) => 24..=24,
        (Algorithm::Wrap(_), _) => 32..=32,
        (Algorithm::Content(aes), _) => aes.key_len()..=aes.key_len(),
        (Algorithm::Hmac(_), _) => 16..=SECRET_BYTES_MAX,
    };
    if !wanted.contains(&secret.len()) {
        let (found, least) = (secret.len(), wanted.start());
        return Err(format!("the secret has {found} bytes where its algorithm wants {least}"));
    }
    Key::new(id, algorithm, permissions, &secret).map_err(|error| error.to_string())
}

fn read_algorithm(alg: Option<&str>, enc: Option<&str>) -> Result<Algorithm, String> {
    let aes = match enc {
        Some("A128GCM") => Some(Aes::A128),
        Some("A256GCM") => Some(Aes::A256),
        Some(other) => return Err(format!("`enc` is `{other}`; it must be A128GCM or A256GCM")),
        None => None,
    };
    match (alg, aes) {
        (Some("HS256"), None) => Ok(Algorithm::Hmac(Sha::S256)),
        (Some("HS384"), None) => Ok(Algorithm::Hmac(Sha::S384)),
        (Some("HS512"), None) => Ok(Algorithm::Hmac(Sha::S512)),
        (Some("HS256" | "HS384" | "HS512"), Some(_)) => {
            Err("a key that signs has no `enc`; make it two keys".to_owned())
        }
        (Some("dir") | None, Some(aes)) => Ok(Algorithm::Content(aes)),
        (Some("A128KW" | "A192KW" | "A256KW"), aes) => Ok(Algorithm::Wrap(aes.unwrap_or_default())),
        (Some("dir"), None) => Err("`alg` is `dir`, so `enc` must say A128GCM or A256GCM".to_owned()),
        (None, None) => {
            Err("`alg` is missing: HS256, HS384, HS512, A128KW, A192KW, A256KW or dir".to_owned())
        }
        (Some(other), _) => {
            Err(format!("`alg` is `{other}`; known are HS256, HS384, HS512, A128KW, A192KW, A256KW and dir"))
        }
    }
}

/// A key without `key_ops` may be used for everything.
fn read_permissions(fields: &Map<String, Value>) -> Result<Permissions, String> {
    let Some(value) = fields.get("key_ops") else {
        return Ok(Permissions { may_make: true, may_check: true });
    };
    let mut permissions = Permissions { may_make: false, may_check: false };
    for name in value.as_array().ok_or("`key_ops` must be a list of texts")? {
        match name.as_str() {
            Some("sign" | "encrypt" | "wrapKey") => permissions.may_make = true,
            Some("verify" | "decrypt" | "unwrapKey") => permissions.may_check = true,
            _ => {
                let known = "sign, verify, encrypt, decrypt, wrapKey and unwrapKey";
                return Err(format!("`key_ops` has {name}; known are {known}"));
            }
        }
    }
    Ok(permissions)
}
