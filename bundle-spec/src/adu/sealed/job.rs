//! The sealed job.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    super::{
        AduError, Job, NAME_BYTES_MAX,
        dag::{Fields, Item, Node},
    },
    RECIPIENTS_MAX, ciphertext, encapsulated, key_id,
};
use crate::{
    Cid,
    sealing::{
        BlockKey, Content, Draw, ENCAPSULATED_BYTES, Entropy, KeyId, OpenError, SealError, SealingKey,
        SealingPublic, TAG_BYTES, commitment, open_with, seal_to,
    },
};

const TYPE: &str = "sealed-job";
const INFO: &[u8] = b"pannier sealed job 1";
/// Length of the content's secret with its tag.
const WRAPPED_BYTES: usize = 32 + TAG_BYTES;

/// For whom a job is sealed. The text form is what `--seal` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealLevel {
    /// For the executors: whoever holds the secret of their role.
    Group,
    /// For the nodes that were named.
    To,
}

/// Why text is no [`SealLevel`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no level of sealing: one of group, to")]
pub struct SealLevelError;

/// One who can open the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// With which key.
    pub key: KeyId,
    /// The encapsulated key (RFC 9180 §4.1).
    pub encapsulated: [u8; ENCAPSULATED_BYTES],
    /// The content's secret, sealed.
    pub wrapped: [u8; WRAPPED_BYTES],
}

/// A job that only its recipients can read. Its name is the CID of this envelope, which everybody sees; that
/// of the job within would let everybody try out questions. The same job sealed twice is two jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedJob {
    /// For whom, in kind.
    pub level: SealLevel,
    /// For whom.
    pub recipients: Vec<Recipient>,
    /// What the secret of the content commits to: an answer reveals the token that belongs to it.
    pub commitment: [u8; 32],
    /// The job and the asker's public key, padded and encrypted. Everything above is bound to it.
    pub ciphertext: Bytes,
}

/// What was in a sealed job.
pub struct OpenedJob {
    /// The job's encoding.
    pub job: Bytes,
    /// For whom the result is to be sealed.
    pub reply: SealingPublic,
    /// What the sealed result reveals: that whoever made it has opened the job.
    pub token: [u8; 32],
    /// Opens the blocks to which the job links.
    pub blocks: BlockKey,
}

/// What was sealed is not shown.
impl fmt::Debug for OpenedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedJob").field("reply", &self.reply).finish_non_exhaustive()
    }
}

impl SealLevel {
    /// Every level.
    pub const ALL: [Self; 2] = [Self::Group, Self::To];

    /// The text form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::To => "to",
        }
    }
}

impl fmt::Display for SealLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SealLevel {
    type Err = SealLevelError;

    fn from_str(text: &str) -> Result<Self, SealLevelError> {
        Self::ALL.into_iter().find(|level| level.name() == text).ok_or(SealLevelError)
    }
}

impl SealedJob {
    /// Seals the encoding of a job for these recipients; its result is to be sealed for `reply`.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn seal(
        job: &[u8],
        level: SealLevel,
        recipients: &[SealingPublic],
        reply: SealingPublic,
        entropy: Entropy,
    ) -> Result<Self, SealError> {
        let mut keys = recipients.to_vec();
        keys.sort_unstable();
        keys.dedup();
        match keys.len() {
            0 => return Err(SealError::NoRecipient),
            1..=RECIPIENTS_MAX => {}
            _ => return Err(SealError::Recipients),
        }
        let mut draw = entropy.draw();
        let content = draw.content();
        let commitment = commitment(&content.token());
        let wraps = keys.iter().map(|key| Recipient::wrap(key, &content, &commitment, &mut draw));
        let recipients = wraps.collect::<Result<_, _>>()?;
        let mut sealed = Self { level, recipients, commitment, ciphertext: Bytes::new() };
        let plain = Node::Map(vec![("job", Node::Bytes(job)), ("reply", Node::Bytes(&reply.0))]).encode();
        sealed.ciphertext = content.seal(&Zeroizing::new(plain), &sealed.bound())?.into();
        Ok(sealed)
    }

    /// Opens it with the first of `keys` that does. What was in it is a job.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open<'k>(&self, keys: impl IntoIterator<Item = &'k SealingKey>) -> Result<OpenedJob, OpenError> {
        let mut failure = OpenError::NoKey;
        for key in keys {
            let id = key.public().id();
            for recipient in self.recipients.iter().filter(|recipient| recipient.key == id) {
                match self.open_as(recipient, key) {
                    Ok(opened) => return Ok(opened),
                    Err(error) => failure = error,
                }
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
        let keys = ["type", "version", "level", "recipients", "commitment", "ciphertext"];
        let fields = Fields::read(bytes, TYPE)?.only(&keys)?;
        let level = fields.need("level")?;
        let recipients = fields.need("recipients")?;
        let read = recipients.list(RECIPIENTS_MAX)?.map(|item| Recipient::read(&item));
        let read: Vec<Recipient> = read.collect::<Result<_, _>>()?;
        if read.is_empty() {
            return Err(recipients.wrong());
        }
        Ok(Self {
            level: level.text(NAME_BYTES_MAX)?.parse().map_err(|_| level.wrong())?,
            recipients: read,
            commitment: fields.need("commitment")?.array()?,
            ciphertext: Bytes::copy_from_slice(ciphertext(&fields.need("ciphertext")?)?),
        })
    }

    /// The job's name: the dag-cbor CID of this envelope's encoding.
    #[must_use]
    pub fn cid(&self) -> Cid {
        Cid::dag_cbor(&self.encode())
    }

    fn open_as(&self, recipient: &Recipient, key: &SealingKey) -> Result<OpenedJob, OpenError> {
        let about = (INFO, self.commitment.as_slice());
        let secret = open_with(key, about, &recipient.encapsulated, &recipient.wrapped)?;
        let secret = <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| OpenError::Damaged)?;
        let content = Content(Zeroizing::new(secret));
        let token = content.token();
        if commitment(&token) != self.commitment {
            return Err(OpenError::Damaged);
        }
        let plain = content.open(&self.ciphertext, &self.bound())?;
        let (job, reply) = read_plain(&plain).map_err(|_| OpenError::Content)?;
        Ok(OpenedJob { job, reply, token, blocks: content.blocks() })
    }

    /// What is bound to the ciphertext: all the rest of the envelope.
    fn bound(&self) -> Vec<u8> {
        self.node(&[]).encode()
    }

    fn node<'a>(&'a self, ciphertext: &'a [u8]) -> Node<'a> {
        Node::Map(vec![
            ("type", Node::text(TYPE)),
            ("version", Node::Unsigned(1)),
            ("level", Node::text(self.level.name())),
            ("recipients", Node::list(&self.recipients, Recipient::node)),
            ("commitment", Node::Bytes(&self.commitment)),
            ("ciphertext", Node::Bytes(ciphertext)),
        ])
    }
}

impl Recipient {
    fn wrap(
        key: &SealingPublic,
        content: &Content,
        commitment: &[u8; 32],
        draw: &mut Draw,
    ) -> Result<Self, SealError> {
        let (encapsulated, wrapped) = seal_to(key, (INFO, commitment), content.0.as_slice(), draw)?;
        let wrapped = wrapped.try_into().expect("a secret and a tag have a fixed length");
        Ok(Self { key: key.id(), encapsulated, wrapped })
    }

    fn node(&self) -> Node<'_> {
        Node::List(vec![
            Node::Bytes(&self.key.0),
            Node::Bytes(&self.encapsulated),
            Node::Bytes(&self.wrapped),
        ])
    }

    fn read(item: &Item<'_>) -> Result<Self, AduError> {
        let mut parts = item.list(3)?;
        let mut part = || parts.next().ok_or(item.wrong());
        Ok(Self { key: key_id(&part()?)?, encapsulated: encapsulated(&part()?)?, wrapped: part()?.array()? })
    }
}

fn read_plain(plain: &[u8]) -> Result<(Bytes, SealingPublic), AduError> {
    let fields = Fields::read_any(plain)?.only(&["job", "reply"])?;
    let job = fields.need("job")?.bytes()?;
    Job::decode(job)?;
    let reply = SealingPublic(fields.need("reply")?.array()?);
    Ok((Bytes::copy_from_slice(job), reply))
}
