//! Parameters and results of the contexts of RFC 9173: BIB-HMAC-SHA2 (§3.3, §3.4), BCB-AES-GCM (§4.3, §4.4).
//!
//! `signer`, `seal` and `reception` call it. A parameter that is not there has the value that the RFC gives
//! it; one that the RFC does not know makes the block unreadable for this node.

use bytes::Bytes;

use super::{
    Aes, BCB_AES_GCM, BIB_HMAC_SHA2, Scope, SecurityError, Sha,
    asb::{Field, SecurityBlock},
    gcm::TAG_BYTES,
};

/// Number of the only result of either context: the code, or the tag.
pub(super) const RESULT: u64 = 1;
const SHA_VARIANT: u64 = 1;
const INTEGRITY_WRAPPED_KEY: u64 = 2;
const INTEGRITY_SCOPE: u64 = 3;
const IV: u64 = 1;
const AES_VARIANT: u64 = 2;
const CONFIDENTIALITY_WRAPPED_KEY: u64 = 3;
const CONFIDENTIALITY_SCOPE: u64 = 4;
/// Allowed lengths of an initialization vector in bytes (RFC 9173 §4.3.1).
const IV_BYTES: std::ops::RangeInclusive<usize> = 8..=16;

/// What the operations of a BIB share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Integrity {
    pub(super) sha: Sha,
    pub(super) wrapped: Option<Bytes>,
    pub(super) scope: Scope,
}

/// What the operations of a BCB share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Confidentiality {
    pub(super) iv: Bytes,
    pub(super) aes: Aes,
    pub(super) wrapped: Option<Bytes>,
    pub(super) scope: Scope,
}

impl Integrity {
    /// What BIB `number` says.
    pub(super) fn of(number: u64, block: &SecurityBlock) -> Result<Self, SecurityError> {
        if block.context != BIB_HMAC_SHA2 {
            return Err(SecurityError::UnknownContext { block: number, context: block.context });
        }
        let wrong = SecurityError::Parameters { block: number };
        let mut found = Self { sha: Sha::default(), wrapped: None, scope: Scope::ALL };
        for field in distinct(block, &wrong)? {
            match field.id {
                SHA_VARIANT => found.sha = variant(field, Sha::from_code).ok_or_else(|| wrong.clone())?,
                INTEGRITY_WRAPPED_KEY => found.wrapped = Some(bytes(field, &wrong)?),
                INTEGRITY_SCOPE => found.scope = scope(field, &wrong)?,
                _ => return Err(wrong),
            }
        }
        Ok(found)
    }

    /// The parameters that say so, in the order of their numbers.
    pub(super) fn fields(&self) -> Vec<Field> {
        let sha = Field::unsigned(SHA_VARIANT, self.sha.code());
        let wrapped = self.wrapped.as_ref().map(|key| Field::bytes(INTEGRITY_WRAPPED_KEY, key));
        let scope = Field::unsigned(INTEGRITY_SCOPE, self.scope.0);
        [Some(sha), wrapped, Some(scope)].into_iter().flatten().collect()
    }

    /// The code for `target` in BIB `number`.
    pub(super) fn code(number: u64, block: &SecurityBlock, target: u64) -> Result<Bytes, SecurityError> {
        let wrong = SecurityError::Parameters { block: number };
        match block.results_for(target) {
            Some([field]) if field.id == RESULT => bytes(field, &wrong),
            _ => Err(wrong),
        }
    }
}

impl Confidentiality {
    /// What BCB `number` says.
    pub(super) fn of(number: u64, block: &SecurityBlock) -> Result<Self, SecurityError> {
        if block.context != BCB_AES_GCM {
            return Err(SecurityError::UnknownContext { block: number, context: block.context });
        }
        let wrong = SecurityError::Parameters { block: number };
        let mut iv = None;
        let (mut aes, mut wrapped, mut found_scope) = (Aes::default(), None, Scope::ALL);
        for field in distinct(block, &wrong)? {
            match field.id {
                IV => iv = Some(bytes(field, &wrong)?).filter(|iv| IV_BYTES.contains(&iv.len())),
                AES_VARIANT => aes = variant(field, Aes::from_code).ok_or_else(|| wrong.clone())?,
                CONFIDENTIALITY_WRAPPED_KEY => wrapped = Some(bytes(field, &wrong)?),
                CONFIDENTIALITY_SCOPE => found_scope = scope(field, &wrong)?,
                _ => return Err(wrong),
            }
        }
        let iv = iv.ok_or(wrong)?;
        Ok(Self { iv, aes, wrapped, scope: found_scope })
    }

    /// The parameters that say so, in the order of their numbers.
    pub(super) fn fields(&self) -> Vec<Field> {
        let iv = Field::bytes(IV, &self.iv);
        let aes = Field::unsigned(AES_VARIANT, self.aes.code());
        let wrapped = self.wrapped.as_ref().map(|key| Field::bytes(CONFIDENTIALITY_WRAPPED_KEY, key));
        let scope = Field::unsigned(CONFIDENTIALITY_SCOPE, self.scope.0);
        [Some(iv), Some(aes), wrapped, Some(scope)].into_iter().flatten().collect()
    }

    /// The tag for `target` in BCB `number`; `None` if it stands behind the ciphertext (RFC 9173 §4.4.1).
    pub(super) fn tag(
        number: u64,
        block: &SecurityBlock,
        target: u64,
    ) -> Result<Option<[u8; TAG_BYTES]>, SecurityError> {
        let wrong = SecurityError::Parameters { block: number };
        match block.results_for(target) {
            Some([]) => Ok(None),
            Some([field]) if field.id == RESULT => {
                let tag = bytes(field, &wrong)?;
                Ok(Some(tag.as_ref().try_into().map_err(|_| wrong)?))
            }
            _ => Err(wrong),
        }
    }
}

/// The parameters of a block, each of another kind.
fn distinct<'a>(block: &'a SecurityBlock, wrong: &SecurityError) -> Result<&'a [Field], SecurityError> {
    let fields = block.parameters.as_deref().unwrap_or_default();
    let is_repeated =
        |(index, field): (usize, &Field)| fields[..index].iter().any(|other| other.id == field.id);
    match fields.iter().enumerate().any(is_repeated) {
        true => Err(wrong.clone()),
        false => Ok(fields),
    }
}

fn variant<T>(field: &Field, from_code: impl Fn(u64) -> Option<T>) -> Option<T> {
    from_code(field.as_unsigned()?)
}

fn bytes(field: &Field, wrong: &SecurityError) -> Result<Bytes, SecurityError> {
    field.as_bytes().ok_or_else(|| wrong.clone())
}

fn scope(field: &Field, wrong: &SecurityError) -> Result<Scope, SecurityError> {
    field.as_unsigned().map(Scope).ok_or_else(|| wrong.clone())
}
