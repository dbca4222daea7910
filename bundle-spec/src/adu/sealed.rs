//! Sealed jobs and their answers: envelopes that everybody carries and only the recipients read.
//!
//! Gateways make a [`SealedJob`] of a job, executors open it and make a [`SealedResult`] of their signed
//! result, the asker opens that. Carriers learn the name of the job and whether an answer is by somebody who
//! has opened it ([`SealedResult::answers`]), nothing else.

mod answer;
mod job;

pub use self::{
    answer::{OpenedResult, SealedResult},
    job::{OpenedJob, Recipient, SealLevel, SealLevelError, SealedJob},
};
use super::{AduError, dag::Item};
use crate::sealing::{ENCAPSULATED_BYTES, KeyId, PLAIN_BYTES_MAX};

/// Most recipients of one sealed job: about 100 bytes each.
pub const RECIPIENTS_MAX: usize = 16;

/// Longest ciphertext, in bytes: the longest text with its length and a tag.
const CIPHERTEXT_BYTES_MAX: usize = PLAIN_BYTES_MAX + 4 + crate::sealing::TAG_BYTES;

fn key_id(item: &Item<'_>) -> Result<KeyId, AduError> {
    item.array().map(KeyId)
}

fn encapsulated(item: &Item<'_>) -> Result<[u8; ENCAPSULATED_BYTES], AduError> {
    item.array()
}

fn ciphertext<'a>(item: &Item<'a>) -> Result<&'a [u8], AduError> {
    let bytes = item.bytes()?;
    match bytes.len() <= CIPHERTEXT_BYTES_MAX {
        true => Ok(bytes),
        false => Err(AduError::Limit { key: "ciphertext", max: CIPHERTEXT_BYTES_MAX }),
    }
}
