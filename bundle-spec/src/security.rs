//! Bundle security (RFC 9172) with the default contexts of RFC 9173: integrity by HMAC-SHA2, confidentiality
//! by AES-GCM.
//!
//! A source calls [`Signer`] and [`Sealer`], a verifier or acceptor [`Reception`]; what a node does with
//! which bundle is a [`Policy`], its keys are a [`KeySet`]. Payloads pass in pieces and stay where they are:
//! what changes is the header, and for an encrypted payload a [`Keystream`], which a receiver gets only once
//! the tag was right. Nothing here reads a clock or makes random numbers: initialization vectors and content
//! keys are arguments. Contexts that are not known pass through with their bytes.

use std::fmt;

use crate::{
    block::{BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY},
    eid::Eid,
    error::Error,
    report::ReasonCode,
};

mod asb;
mod context;
mod draft;
mod gcm;
mod jwk;
mod key;
mod mac;
mod operations;
mod pattern;
mod policy;
mod reception;
mod scope;
mod seal;
mod signer;
#[cfg(test)]
mod tests;

pub use self::{
    asb::{Field, SecurityBlock},
    gcm::{Keystream, TAG_BYTES, TEXT_BYTES_MAX},
    jwk::JwkError,
    key::{Algorithm, Key, KeySet, KeyUse, Permissions},
    operations::{Operation, operations},
    pattern::{EidPattern, PatternError},
    policy::{Duty, Policy, PolicyError, PolicyRule, TargetName},
    reception::{Cleared, Decision, Finding, Reception, Role},
    scope::Scope,
    seal::{Sealed, Sealer, Sealing},
    signer::{Signer, Signing},
};

/// Number of the security context BIB-HMAC-SHA2.
pub const BIB_HMAC_SHA2: i64 = 1;
/// Number of the security context BCB-AES-GCM.
pub const BCB_AES_GCM: i64 = 2;
/// How many keys are tried for one operation: what a sender can make a node compute.
pub const KEYS_TRIED_MAX: usize = 4;

/// What an operation does for its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The target is as its source made it: a BIB.
    Integrity,
    /// Nobody without a key can read the target: a BCB.
    Confidentiality,
}

impl Service {
    /// Type of the block that carries it.
    #[must_use]
    pub const fn block_type(self) -> u64 {
        match self {
            Self::Integrity => BLOCK_INTEGRITY,
            Self::Confidentiality => BLOCK_CONFIDENTIALITY,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
        })
    }
}

/// Hash of BIB-HMAC-SHA2 (RFC 9173 §3.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sha {
    /// HMAC 256/256: 5 on the wire.
    S256,
    /// HMAC 384/384: 6 on the wire, and what holds where a block does not say.
    #[default]
    S384,
    /// HMAC 512/512: 7 on the wire.
    S512,
}

impl Sha {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::S256 => 5,
            Self::S384 => 6,
            Self::S512 => 7,
        }
    }

    /// The variant with this number.
    #[must_use]
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            5 => Some(Self::S256),
            6 => Some(Self::S384),
            7 => Some(Self::S512),
            _ => None,
        }
    }

    /// Length of a code in bytes, and of the content keys that this node makes for it.
    #[must_use]
    pub const fn code_len(self) -> usize {
        match self {
            Self::S256 => 32,
            Self::S384 => 48,
            Self::S512 => 64,
        }
    }
}

/// Cipher of BCB-AES-GCM (RFC 9173 §4.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aes {
    /// A128GCM: 1 on the wire.
    A128,
    /// A256GCM: 3 on the wire, and what holds where a block does not say.
    #[default]
    A256,
}

impl Aes {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::A128 => 1,
            Self::A256 => 3,
        }
    }

    /// The variant with this number.
    #[must_use]
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            1 => Some(Self::A128),
            3 => Some(Self::A256),
            _ => None,
        }
    }

    /// Length of its keys in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128 => 16,
            Self::A256 => 32,
        }
    }
}

/// Why a security operation was not made, or why a bundle is not as its security blocks want it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecurityError {
    /// A security block cannot be read, or what was decrypted is no content of its block.
    #[error("block {block}: {error}")]
    Malformed {
        /// Which block.
        block: u64,
        /// What is wrong with its data.
        error: Error,
    },
    /// The result of an edit would be no bundle.
    #[error("the bundle would not be one any more: {0}")]
    Edit(Error),
    /// Security blocks are not added to fragments (RFC 9172 §5.2).
    #[error("a fragment takes no security blocks (RFC 9172 §5.2); secure the bundle before it is cut")]
    Fragment,
    /// There is no block of this number.
    #[error("the {service} operation is about block {target}, which the bundle does not have")]
    NoTarget {
        /// What the operation does.
        service: Service,
        /// Which block is missing.
        target: u64,
    },
    /// The service cannot be applied to a block of this kind (RFC 9172 §3.7, §3.8).
    #[error("{service} must not be applied to block {target} (RFC 9172 §3.7, §3.8)")]
    ForbiddenTarget {
        /// What the operation does.
        service: Service,
        /// To which block.
        target: u64,
    },
    /// The service is applied to the block already (RFC 9172 §3.2).
    #[error("{service} is applied to block {target} twice (RFC 9172 §3.2)")]
    Repeated {
        /// What the operation does.
        service: Service,
        /// To which block.
        target: u64,
    },
    /// What is encrypted cannot be signed (RFC 9172 §3.9).
    #[error("block {target} is encrypted and cannot be signed any more (RFC 9172 §3.9); sign first")]
    Encrypted {
        /// Which block.
        target: u64,
    },
    /// A BIB would have to be split, and its codes cover its own number (RFC 9172 §3.9).
    #[error("BIB {block} cannot be split: its codes cover its own header; encrypt all of its targets")]
    Inseparable {
        /// Which BIB.
        block: u64,
    },
    /// The primary block would lose its CRC, which other operations of the bundle cover.
    #[error("the primary block cannot change: other operations cover it; sign it first")]
    PrimaryCovered,
    /// The context is none of RFC 9173.
    #[error("security context {context} of block {block} is not known")]
    UnknownContext {
        /// Which block.
        block: u64,
        /// Which context it names.
        context: i64,
    },
    /// Parameters or results that the context does not have.
    #[error("block {block} has parameters or results that its security context does not allow (RFC 9173)")]
    Parameters {
        /// Which block.
        block: u64,
    },
    /// A key has not the length that its algorithm wants.
    #[error("the key has not the length that its algorithm wants")]
    KeyLength,
    /// A key is not made for this.
    #[error("key `{id}` is not made for {service}; look at its `alg`, `enc` and `key_ops`")]
    KeyUse {
        /// Which key.
        id: String,
        /// What it was to be used for.
        service: Service,
    },
    /// No key fits.
    #[error("no key fits the {service} of block {target} by {source_eid}")]
    NoKey {
        /// What the operation does.
        service: Service,
        /// To which block.
        target: u64,
        /// Who made it.
        source_eid: Eid,
    },
    /// The code or tag is wrong: the block, or what was to be covered with it, has changed, or the key is
    /// another one.
    #[error("the {service} check of block {target} failed: it has changed on the way, or the key is wrong")]
    Failed {
        /// What the operation does.
        service: Service,
        /// To which block.
        target: u64,
    },
    /// The policy wants an operation that the bundle does not have.
    #[error("{service} of block {target} is required here, and the bundle does not have it")]
    Missing {
        /// What the operation would do.
        service: Service,
        /// To which block.
        target: u64,
    },
    /// A block that must go is the one without which a bundle is none.
    #[error("block {target} must be removed, and the bundle is none without it")]
    Indispensable {
        /// Which block.
        target: u64,
    },
    /// More bytes than AES-GCM takes with one key.
    #[error("the payload of {len} bytes is longer than AES-GCM takes ({TEXT_BYTES_MAX} bytes)")]
    TooLong {
        /// How long it is.
        len: u64,
    },
    /// The payload has not the length that its header says.
    #[error("the payload has not the length that its header says")]
    PayloadLength,
}

impl SecurityError {
    /// What a status report says about it (RFC 9172 §7.1).
    #[must_use]
    pub const fn reason(&self) -> ReasonCode {
        match self {
            Self::Missing { .. } => ReasonCode::MissingSecurityOperation,
            Self::UnknownContext { .. } => ReasonCode::UnknownSecurityOperation,
            Self::Fragment | Self::ForbiddenTarget { .. } | Self::NoTarget { .. } => {
                ReasonCode::UnexpectedSecurityOperation
            }
            Self::Repeated { .. }
            | Self::Encrypted { .. }
            | Self::Inseparable { .. }
            | Self::PrimaryCovered => ReasonCode::ConflictingSecurityOperation,
            Self::Malformed { .. } | Self::Edit(_) | Self::Parameters { .. } => {
                ReasonCode::BlockUnintelligible
            }
            Self::KeyLength
            | Self::KeyUse { .. }
            | Self::NoKey { .. }
            | Self::Failed { .. }
            | Self::Indispensable { .. }
            | Self::TooLong { .. }
            | Self::PayloadLength => ReasonCode::FailedSecurityOperation,
        }
    }
}
