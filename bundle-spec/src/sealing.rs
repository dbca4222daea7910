//! Sealing: what only the holders of certain keys can read. HPKE (RFC 9180, base mode, X25519 and HKDF with
//! SHA-256, ChaCha20-Poly1305) and what is around it: keys, padding, the numbers that are drawn.
//!
//! [`crate::adu::SealedJob`] and [`crate::adu::SealedResult`] are made and opened with it. Nothing here draws
//! a random number: whoever seals brings [`Entropy`]. Nothing here says who somebody is; results are signed
//! within what is sealed.

mod draw;
mod key;
mod padding;

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305 as Cipher, kdf};
use zeroize::Zeroizing;

pub(crate) use self::draw::Draw;
pub use self::{
    draw::Entropy,
    key::{KeyId, SealingKey, SealingPublic},
    padding::PLAIN_BYTES_MAX,
};

type Agreement = hpke::kem::X25519HkdfSha256;

/// Length of an encapsulated key, in bytes.
pub(crate) const ENCAPSULATED_BYTES: usize = 32;
/// Longest text that is sealed as a block of its own, in bytes.
const BLOCK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Length of the tag that every ciphertext ends with, in bytes.
pub(crate) const TAG_BYTES: usize = 16;

/// Why something was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Longer than fits one ADU.
    #[error("what is sealed may have {PLAIN_BYTES_MAX} bytes")]
    TooLong,
    /// Nobody could open it.
    #[error("a recipient is missing")]
    NoRecipient,
    /// More than [`crate::adu::RECIPIENTS_MAX`].
    #[error("at most {} recipients", crate::adu::RECIPIENTS_MAX)]
    Recipients,
    /// A public key is none: the agreement with it gives nothing that is secret.
    #[error("a recipient's public key is weak")]
    WeakKey,
}

/// Why something cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is sealed for others.
    #[error("it is sealed, and no key here opens it")]
    NoKey,
    /// A key here should open it and does not: a bit of it was changed, or it never was what it says.
    #[error("what is sealed is damaged or was changed")]
    Damaged,
    /// It opens, and is not what it should be.
    #[error("what was sealed is not what it should be")]
    Content,
}

/// Seals `plain`, which is padded first, for one key. The encapsulated key and the ciphertext.
pub(crate) fn seal_to(
    key: &SealingPublic,
    (info, bound): (&[u8], &[u8]),
    plain: &[u8],
    draw: &mut Draw,
) -> Result<([u8; ENCAPSULATED_BYTES], Vec<u8>), SealError> {
    let weak = |_| SealError::WeakKey;
    let recipient = <Agreement as Kem>::PublicKey::from_bytes(&key.0).map_err(weak)?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<Cipher, kdf::HkdfSha256, Agreement>(
        &OpModeS::Base,
        &recipient,
        info,
        plain,
        bound,
        draw,
    )
    .map_err(weak)?;
    Ok((encapsulated.to_bytes().into(), sealed))
}

/// Opens what [`seal_to`] has sealed.
pub(crate) fn open_with(
    key: &SealingKey,
    (info, bound): (&[u8], &[u8]),
    encapsulated: &[u8; ENCAPSULATED_BYTES],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let damaged = |_| OpenError::Damaged;
    let encapsulated = <Agreement as Kem>::EncappedKey::from_bytes(encapsulated).map_err(damaged)?;
    let plain = hpke::single_shot_open::<Cipher, kdf::HkdfSha256, Agreement>(
        &OpModeR::Base,
        &key.agreement(),
        &encapsulated,
        info,
        sealed,
        bound,
    );
    Ok(Zeroizing::new(plain.map_err(damaged)?))
}

/// The secret of one envelope, from which everything else of it follows. Drawn once, used for one text.
pub(crate) struct Content(pub(crate) Zeroizing<[u8; 32]>);

impl Content {
    /// Shows, revealed, that somebody has opened the envelope.
    pub(crate) fn token(&self) -> [u8; 32] {
        blake3::derive_key("pannier sealed job 1 answer token", self.0.as_slice())
    }

    /// For the blocks that the content links to.
    pub(crate) fn blocks(&self) -> BlockKey {
        BlockKey(Zeroizing::new(blake3::derive_key("pannier sealed job 1 blocks", self.0.as_slice())))
    }

    /// Encrypts `plain`, padded, and binds it to `bound`. The key serves this text only: the nonce is zero.
    pub(crate) fn seal(&self, plain: &[u8], bound: &[u8]) -> Result<Vec<u8>, SealError> {
        let padded = padding::padded(plain, PLAIN_BYTES_MAX)?;
        let payload = Payload { msg: &padded, aad: bound };
        Ok(self.cipher().encrypt(&Nonce::default(), payload).expect("a padded text is not too long"))
    }

    /// Opens what [`Self::seal`] has encrypted.
    pub(crate) fn open(&self, sealed: &[u8], bound: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let payload = Payload { msg: sealed, aad: bound };
        let padded = self.cipher().decrypt(&Nonce::default(), payload).map_err(|_| OpenError::Damaged)?;
        padding::unpadded(&Zeroizing::new(padded), PLAIN_BYTES_MAX).ok_or(OpenError::Content)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        let key = Zeroizing::new(blake3::derive_key("pannier sealed job 1 content", self.0.as_slice()));
        ChaCha20Poly1305::new((&*key).into())
    }
}

/// Seals the blocks to which one sealed job or result links: each is its own ciphertext, named by its CID.
pub struct BlockKey(Zeroizing<[u8; 32]>);

impl BlockKey {
    /// Seals what stands at this place among the inputs or outputs.
    ///
    /// # Errors
    /// `TooLong`: more than fits one block.
    pub fn seal(&self, place: usize, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let padded = padding::padded(plain, BLOCK_BYTES_MAX)?;
        Ok(self.cipher().encrypt(&nonce(place), padded.as_slice()).expect("a padded text is not too long"))
    }

    /// Opens what stands at this place.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, place: usize, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let padded = self.cipher().decrypt(&nonce(place), sealed).map_err(|_| OpenError::Damaged)?;
        padding::unpadded(&Zeroizing::new(padded), BLOCK_BYTES_MAX).ok_or(OpenError::Content)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new((&*self.0).into())
    }
}

/// One place, one nonce: the key serves one job or result only.
fn nonce(place: usize) -> Nonce {
    let mut nonce = Nonce::default();
    nonce[..8].copy_from_slice(&u64::try_from(place).expect("a place fits 64 bits").to_le_bytes());
    nonce
}

/// What everybody sees of a [`Content`]: two secrets with one commitment are one secret, so an envelope has
/// one meaning for all its recipients; and who knows what it commits to has opened the envelope.
pub(crate) fn commitment(token: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("pannier sealed job 1 commitment", token)
}
