//! AES-GCM (NIST SP 800-38D) that takes its text in pieces, and the key stream on its own.
//!
//! `confidentiality` is the only caller. A [`Gcm`] never gives plaintext away; it only says whether the tag
//! is right. Plaintext comes from a [`Keystream`].

use std::fmt;

use aes::{
    Aes128, Aes256,
    cipher::{KeyIvInit, StreamCipher, StreamCipherSeek},
};
use ctr::Ctr32BE;
use ghash::{GHash, universal_hash::UniversalHash};
use zeroize::Zeroizing;

use super::{Aes, SecurityError};

/// Length of a tag in bytes.
pub const TAG_BYTES: usize = 16;
/// Longest text of one key and initialization vector, in bytes (SP 800-38D §5.2.1.1).
pub const TEXT_BYTES_MAX: u64 = (1 << 36) - 32;
const BLOCK: usize = 16;

/// The key stream of one key and initialization vector. Encrypting and decrypting are the same.
pub struct Keystream {
    aes: Aes,
    key: Zeroizing<Vec<u8>>,
    counter: [u8; BLOCK],
    inner: Inner,
}

enum Inner {
    Aes128(Box<Ctr32BE<Aes128>>),
    Aes256(Box<Ctr32BE<Aes256>>),
}

impl fmt::Debug for Keystream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keystream")
    }
}

impl Clone for Keystream {
    fn clone(&self) -> Self {
        Self::new(self.aes, &self.key, &self.counter).expect("the key had the right length before")
    }
}

impl Keystream {
    fn new(aes: Aes, key: &[u8], counter: &[u8; BLOCK]) -> Result<Self, SecurityError> {
        let wrong = |_| SecurityError::KeyLength;
        let inner = match aes {
            Aes::A128 => Inner::Aes128(Box::new(Ctr32BE::new_from_slices(key, counter).map_err(wrong)?)),
            Aes::A256 => Inner::Aes256(Box::new(Ctr32BE::new_from_slices(key, counter).map_err(wrong)?)),
        };
        Ok(Self { aes, key: Zeroizing::new(key.to_vec()), counter: *counter, inner })
    }

    /// Encrypts or decrypts bytes of a text that stand `offset` bytes from its beginning.
    ///
    /// # Panics
    /// If they end beyond the longest text.
    pub fn apply(&mut self, offset: u64, bytes: &mut [u8]) {
        let end = offset.checked_add(crate::cbor::len_of(bytes));
        assert!(end.is_some_and(|end| end <= TEXT_BYTES_MAX), "the text has an allowed length");
        // The first block of the stream is the mask of the tag.
        let position = offset + crate::cbor::len_of(&[0; BLOCK]);
        match &mut self.inner {
            Inner::Aes128(stream) => {
                stream.seek(position);
                stream.apply_keystream(bytes);
            }
            Inner::Aes256(stream) => {
                stream.seek(position);
                stream.apply_keystream(bytes);
            }
        }
    }

    fn first_block(&mut self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        match &mut self.inner {
            Inner::Aes128(stream) => stream.apply_keystream(&mut block),
            Inner::Aes256(stream) => stream.apply_keystream(&mut block),
        }
        block
    }
}

/// The tag of a text in the making.
#[derive(Clone)]
pub(super) struct Gcm {
    stream: Keystream,
    hash: GHash,
    mask: [u8; BLOCK],
    /// Ciphertext that fills no block yet.
    rest: Vec<u8>,
    associated_len: u64,
    len: u64,
    /// Where decrypted and encrypted bytes pass through.
    scratch: Zeroizing<Vec<u8>>,
}

impl Gcm {
    /// For a text with `associated` data.
    pub(super) fn new(aes: Aes, key: &[u8], iv: &[u8], associated: &[u8]) -> Result<Self, SecurityError> {
        let zero = [0; BLOCK];
        let mut block = Keystream::new(aes, key, &zero)?;
        let hash_key = Zeroizing::new(block.first_block());
        let mut hash = GHash::new(&(*hash_key).into());
        let mut stream = Keystream::new(aes, key, &first_counter(&hash, iv))?;
        let mask = stream.first_block();
        hash.update_padded(associated);
        Ok(Self {
            stream,
            hash,
            mask,
            rest: Vec::with_capacity(BLOCK),
            associated_len: crate::cbor::len_of(associated),
            len: 0,
            scratch: Zeroizing::default(),
        })
    }

    /// The key stream, for whoever knows that the tag is right.
    pub(super) fn keystream(&self) -> Keystream {
        self.stream.clone()
    }

    /// The next bytes of the ciphertext; gives the plaintext to `take`.
    pub(super) fn decrypt(&mut self, ciphertext: &[u8], take: impl FnOnce(&[u8])) {
        let at = self.len;
        self.absorb(ciphertext);
        self.scratch.clear();
        self.scratch.extend_from_slice(ciphertext);
        self.stream.apply(at, &mut self.scratch);
        take(&self.scratch);
    }

    /// The next bytes of the plaintext.
    pub(super) fn encrypt(&mut self, plaintext: &[u8]) {
        let mut text = std::mem::take(&mut *self.scratch);
        text.clear();
        text.extend_from_slice(plaintext);
        self.stream.apply(self.len, &mut text);
        self.absorb(&text);
        *self.scratch = text;
    }

    /// The next bytes of the ciphertext.
    pub(super) fn absorb(&mut self, ciphertext: &[u8]) {
        self.len += crate::cbor::len_of(ciphertext);
        let mut bytes = ciphertext;
        if !self.rest.is_empty() {
            let take = bytes.len().min(BLOCK - self.rest.len());
            self.rest.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if self.rest.len() < BLOCK {
                return;
            }
            self.hash.update_padded(&self.rest);
            self.rest.clear();
        }
        let whole = bytes.len() - bytes.len() % BLOCK;
        self.hash.update_padded(&bytes[..whole]);
        self.rest.extend_from_slice(&bytes[whole..]);
    }

    /// The tag of everything that was given.
    pub(super) fn tag(mut self) -> [u8; TAG_BYTES] {
        self.hash.update_padded(&self.rest);
        let bits = |len: u64| (len * 8).to_be_bytes();
        let mut lengths = [0; BLOCK];
        lengths[..8].copy_from_slice(&bits(self.associated_len));
        lengths[8..].copy_from_slice(&bits(self.len));
        self.hash.update(&[lengths.into()]);
        let mut tag: [u8; TAG_BYTES] = self.hash.finalize().into();
        tag.iter_mut().zip(self.mask).for_each(|(byte, mask)| *byte ^= mask);
        tag
    }
}

/// SP 800-38D §7.1 step 2.
fn first_counter(hash: &GHash, iv: &[u8]) -> [u8; BLOCK] {
    let mut counter = [0; BLOCK];
    if iv.len() == 12 {
        counter[..12].copy_from_slice(iv);
        counter[15] = 1;
        return counter;
    }
    let mut hash = hash.clone();
    hash.update_padded(iv);
    let mut lengths = [0; BLOCK];
    lengths[8..].copy_from_slice(&(crate::cbor::len_of(iv) * 8).to_be_bytes());
    hash.update(&[lengths.into()]);
    hash.finalize().into()
}
