//! The sealed result.

use std::fmt;

use bytes::Bytes;

use super::{
    super::{
        AduError, JobResult,
        dag::{Fields, Node},
    },
    ciphertext, encapsulated,
    job::OpenedJob,
    key_id,
};
use crate::{
    Cid,
    sealing::{
        BlockKey, Content, ENCAPSULATED_BYTES, Entropy, KeyId, OpenError, SealError, SealingKey, TAG_BYTES,
        commitment, open_with, seal_to,
    },
};

const TYPE: &str = "sealed-result";
const INFO: &[u8] = b"pannier sealed result 1";

/// The result of a sealed job, signed by its executor and sealed for who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedResult {
    /// Which job: the CID of its envelope.
    pub job: Cid,
    /// What the commitment of the job belongs to: only who has opened the job knows it before an answer is
    /// there.
    pub token: [u8; 32],
    /// The asker's key.
    pub key: KeyId,
    /// The encapsulated key (RFC 9180 §4.1).
    pub encapsulated: [u8; ENCAPSULATED_BYTES],
    /// The content's secret, sealed.
    pub wrapped: [u8; 32 + TAG_BYTES],
    /// The signed result, padded and encrypted. Everything above is bound to it.
    pub ciphertext: Bytes,
}

/// What was in a sealed result.
pub struct OpenedResult {
    /// The result: of this job, and signed.
    pub result: JobResult,
    /// Its encoding.
    pub adu: Bytes,
    /// Opens the blocks to which the result links.
    pub blocks: BlockKey,
}

/// What was sealed is not shown.
impl fmt::Debug for OpenedResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedResult").field("job", &self.result.statement.job).finish_non_exhaustive()
    }
}

impl SealedResult {
    /// Seals the encoding of a signed result of `job` for who asked.
    ///
    /// # Errors
    /// `TooLong`, `WeakKey`.
    pub fn seal(job: Cid, result: &[u8], opened: &OpenedJob, entropy: Entropy) -> Result<Self, SealError> {
        let mut draw = entropy.draw();
        let content = draw.content();
        let about = (INFO, opened.token.as_slice());
        let (encapsulated, wrapped) = seal_to(&opened.reply, about, content.0.as_slice(), &mut draw)?;
        let wrapped = wrapped.try_into().expect("a secret and a tag have a fixed length");
        let (token, key) = (opened.token, opened.reply.id());
        let mut sealed = Self { job, token, key, encapsulated, wrapped, ciphertext: Bytes::new() };
        sealed.ciphertext = content.seal(result, &sealed.bound())?.into();
        Ok(sealed)
    }

    /// Whether it is by somebody who has opened the job with this commitment.
    #[must_use]
    pub fn answers(&self, job: &[u8; 32]) -> bool {
        commitment(&self.token) == *job
    }

    /// Opens it with the first of `keys` that does. What was in it is a result of this job, and signed.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k SealingKey>,
    ) -> Result<OpenedResult, OpenError> {
        let mut failure = OpenError::NoKey;
        for key in keys.into_iter().filter(|key| key.public().id() == self.key) {
            match self.open_with(key) {
                Ok(result) => return Ok(result),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.node(&self.ciphertext).encode().into()
    }

    /// Reads it; nothing is opened.
    ///
    /// # Errors
    /// See [`AduError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let keys = ["type", "version", "job", "token", "key", "encapsulated", "wrapped", "ciphertext"];
        let fields = Fields::read(bytes, TYPE)?.only(&keys)?;
        Ok(Self {
            job: fields.need("job")?.adu_link()?,
            token: fields.need("token")?.array()?,
            key: key_id(&fields.need("key")?)?,
            encapsulated: encapsulated(&fields.need("encapsulated")?)?,
            wrapped: fields.need("wrapped")?.array()?,
            ciphertext: Bytes::copy_from_slice(ciphertext(&fields.need("ciphertext")?)?),
        })
    }

    fn open_with(&self, key: &SealingKey) -> Result<OpenedResult, OpenError> {
        let about = (INFO, self.token.as_slice());
        let secret = open_with(key, about, &self.encapsulated, &self.wrapped)?;
        let secret = <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| OpenError::Damaged)?;
        let content = Content(zeroize::Zeroizing::new(secret));
        let plain = content.open(&self.ciphertext, &self.bound())?;
        let result = JobResult::decode(&plain).map_err(|_| OpenError::Content)?;
        let is_right = result.statement.job == self.job && result.verify().is_ok();
        let adu = Bytes::copy_from_slice(&plain);
        is_right.then(|| OpenedResult { result, adu, blocks: content.blocks() }).ok_or(OpenError::Content)
    }

    /// What is bound to the ciphertext: all the rest of the envelope.
    fn bound(&self) -> Vec<u8> {
        self.node(&[]).encode()
    }

    fn node<'a>(&'a self, ciphertext: &'a [u8]) -> Node<'a> {
        Node::Map(vec![
            ("type", Node::text(TYPE)),
            ("version", Node::Unsigned(1)),
            ("job", Node::Link(self.job)),
            ("token", Node::Bytes(&self.token)),
            ("key", Node::Bytes(&self.key.0)),
            ("encapsulated", Node::Bytes(&self.encapsulated)),
            ("wrapped", Node::Bytes(&self.wrapped)),
            ("ciphertext", Node::Bytes(ciphertext)),
        ])
    }
}
