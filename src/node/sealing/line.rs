//! Keys as lines of text that people pass on: `pannier-key-1 node EID EPOCH KEY SIGNER SIGNATURE`,
//! `pannier-key-1 role NAME EPOCH KEY` and `pannier-secret-1 role NAME EPOCH SECRET`.
//!
//! A node's line is signed with its node key: of a node whose name is its key nobody else can make one. A
//! role's is not; whoever hands it out is believed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bundle_spec::{
    NodeId,
    sealing::{SealingKey, SealingPublic},
    sign::{PublicKey, Signature, SigningKey},
};
use zeroize::Zeroizing;

use super::ring::{KeyEntry, Owner, show_public};

const PUBLIC: &str = "pannier-key-1";
const SECRET: &str = "pannier-secret-1";
/// What the signature of a node's line is for.
const CONTEXT: &str = "sealing-key";

/// Longest name of a role, in bytes.
const ROLE_BYTES_MAX: usize = 64;

/// Why a line is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It has not the form of one.
    #[error("line {0} is no key: it begins with `{PUBLIC}` or `{SECRET}` and is one whole line")]
    Form(usize),
    /// It is signed by somebody else, or changed.
    #[error("line {0}: the signature of the node's key is wrong")]
    Signature(usize),
    /// There is no line at all.
    #[error("there is no key in it")]
    Empty,
}

impl KeyEntry {
    /// The line of this node's own key, for others.
    #[must_use]
    pub fn own_line(&self, node: &NodeId, key: &SigningKey) -> String {
        let signature = key.sign(CONTEXT, &statement(node, self.epoch, &self.public));
        let (public, epoch) = (show_public(&self.public), self.epoch);
        let (signer, proof) = (encode(&signature.key.0), encode(&signature.bytes));
        format!("{PUBLIC} node {node} {epoch} {public} {signer} {proof}")
    }

    /// The line of a role's key; `None` if it is none.
    #[must_use]
    pub fn role_line(&self) -> Option<String> {
        let Owner::Role(name) = &self.owner else { return None };
        Some(format!("{PUBLIC} role {name} {} {}", self.epoch, show_public(&self.public)))
    }

    /// The line of a role's secret, for executors; `None` if it is none, or not known here.
    #[must_use]
    pub fn secret_line(&self) -> Option<Zeroizing<String>> {
        let (Owner::Role(name), Some(secret)) = (&self.owner, &self.secret) else { return None };
        let secret = Zeroizing::new(encode(secret.to_bytes().as_slice()));
        Some(Zeroizing::new(format!("{SECRET} role {name} {} {}", self.epoch, *secret)))
    }
}

/// Reads lines; empty ones and comments (`#`) are passed over.
///
/// # Errors
/// See [`LineError`].
pub fn read_lines(text: &str) -> Result<Vec<KeyEntry>, LineError> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(|(number, line)| read(number, line)).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(LineError::Empty) } else { Ok(keys) }
}

/// Whether text will do as the name of a role.
#[must_use]
pub fn is_role_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= ROLE_BYTES_MAX && name.bytes().all(is_plain)
}

fn read(at: usize, line: &str) -> Result<KeyEntry, LineError> {
    let form = || LineError::Form(at);
    let words: Vec<&str> = line.split_whitespace().collect();
    let epoch = |text: &str| text.parse::<u32>().ok().filter(|epoch| *epoch > 0).ok_or_else(form);
    let entry = |owner, epoch, public, secret| KeyEntry { owner, epoch, public, secret, retired: None };
    match words.as_slice() {
        [PUBLIC, "role", name, number, public] if is_role_name(name) => {
            let public = SealingPublic(decode(public).ok_or_else(form)?);
            Ok(entry(Owner::Role((*name).to_owned()), epoch(number)?, public, None))
        }
        [SECRET, "role", name, number, secret] if is_role_name(name) => {
            let secret = SealingKey::from_bytes(&Zeroizing::new(decode(secret).ok_or_else(form)?));
            Ok(entry(Owner::Role((*name).to_owned()), epoch(number)?, secret.public(), Some(secret)))
        }
        [PUBLIC, "node", node, number, public, signer, proof] => {
            let node: NodeId = node.parse().map_err(|_| form())?;
            let public = SealingPublic(decode(public).ok_or_else(form)?);
            let key = PublicKey(decode(signer).ok_or_else(form)?);
            let signature = Signature { key, bytes: decode(proof).ok_or_else(form)? };
            let epoch = epoch(number)?;
            let is_signed = signature.verify(CONTEXT, &statement(&node, epoch, &public)).is_ok();
            if !is_signed || signature.speaks_for(&node).is_err() {
                return Err(LineError::Signature(at));
            }
            Ok(entry(Owner::Node(node), epoch, public, None))
        }
        _ => Err(form()),
    }
}

fn statement(node: &NodeId, epoch: u32, public: &SealingPublic) -> Vec<u8> {
    format!("{node} {epoch} {}", show_public(public)).into_bytes()
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?);
    bytes.as_slice().try_into().ok()
}
