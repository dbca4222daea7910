//! Content identifiers: CIDv1 over blake3-256, codec raw for data blocks and dag-cbor for structured ADUs.

use std::{fmt, str::FromStr};

use ::cid::CidGeneric;
use multihash::Multihash;

/// A blake3-256 digest. The key of everything that is stored by content, whatever its codec.
pub type Digest = [u8; 32];

/// Multihash code of blake3 in the multicodec table.
const BLAKE3: u64 = 0x1e;

/// How the bytes behind a CID are to be read (multicodec table).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Plain bytes, 0x55.
    Raw,
    /// Deterministic CBOR whose links carry tag 42, 0x71.
    DagCbor,
}

impl Codec {
    const fn code(self) -> u64 {
        match self {
            Self::Raw => 0x55,
            Self::DagCbor => 0x71,
        }
    }
}

/// A content identifier: version 1, blake3-256, codec raw or dag-cbor. 36 bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    digest: Digest,
    codec: Codec,
}

/// Why bytes or text are not a CID of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// Neither the binary nor the text form of any CID.
    #[error("not a content identifier")]
    Malformed,
    /// A CID of another version, codec or hash.
    #[error("not a version 1 identifier with blake3-256 and codec raw or dag-cbor")]
    Foreign,
}

impl Cid {
    /// Length of the binary form in bytes.
    pub const BYTES: usize = 36;

    /// The CID of `data` as plain bytes.
    #[must_use]
    pub fn raw(data: &[u8]) -> Self {
        Self::new(Codec::Raw, *blake3::hash(data).as_bytes())
    }

    /// The CID of `data`, which is deterministic CBOR.
    #[must_use]
    pub fn dag_cbor(data: &[u8]) -> Self {
        Self::new(Codec::DagCbor, *blake3::hash(data).as_bytes())
    }

    /// The CID with this codec and blake3-256 digest.
    #[must_use]
    pub const fn new(codec: Codec, digest: Digest) -> Self {
        Self { digest, codec }
    }

    /// The blake3-256 digest.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How the bytes are to be read.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The same content under another codec.
    #[must_use]
    pub const fn with_codec(self, codec: Codec) -> Self {
        Self { codec, ..self }
    }

    /// The binary form: version, codec, multihash.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&[1, if self.codec == Codec::Raw { 0x55 } else { 0x71 }, 0x1e, 32]);
        bytes[4..].copy_from_slice(&self.digest);
        bytes
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// `Malformed` or `Foreign`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        let parsed = CidGeneric::<32>::read_bytes(bytes).map_err(|_| CidError::Malformed)?;
        if parsed.encoded_len() != bytes.len() {
            return Err(CidError::Malformed);
        }
        Self::try_from(parsed)
    }

    fn generic(&self) -> CidGeneric<32> {
        let hash = Multihash::wrap(BLAKE3, &self.digest).expect("a blake3 digest has 32 bytes");
        CidGeneric::new_v1(self.codec.code(), hash)
    }
}

impl TryFrom<CidGeneric<32>> for Cid {
    type Error = CidError;

    fn try_from(cid: CidGeneric<32>) -> Result<Self, CidError> {
        let codec = match cid.codec() {
            0x55 => Codec::Raw,
            0x71 => Codec::DagCbor,
            _ => return Err(CidError::Foreign),
        };
        if cid.version() != ::cid::Version::V1 || cid.hash().code() != BLAKE3 {
            return Err(CidError::Foreign);
        }
        let digest = cid.hash().digest().try_into().map_err(|_| CidError::Foreign)?;
        Ok(Self { digest, codec })
    }
}

impl FromStr for Cid {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        let parsed: CidGeneric<32> = text.parse().map_err(|_| CidError::Malformed)?;
        Self::try_from(parsed)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.generic(), f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A content block: its name and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRef {
    /// What the bytes are.
    pub cid: Cid,
    /// How many bytes there are.
    pub len: u64,
}

impl BlockRef {
    /// The reference to `data` as plain bytes.
    #[must_use]
    pub fn raw(data: &[u8]) -> Self {
        Self { cid: Cid::raw(data), len: u64::try_from(data.len()).expect("a length fits 64 bits") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cid_reads_back_from_its_text_and_its_bytes() {
        for cid in [Cid::raw(b"abc"), Cid::dag_cbor(b"abc")] {
            assert_eq!(cid.to_string().parse::<Cid>().unwrap(), cid);
            assert_eq!(Cid::from_bytes(&cid.to_bytes()).unwrap(), cid);
        }
        assert!(Cid::raw(b"abc").to_string().starts_with("bafkr4i"));
        assert!(Cid::dag_cbor(b"abc").to_string().starts_with("bafyr4i"));
    }

    #[test]
    fn an_identifier_of_another_hash_is_foreign() {
        let sha = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
        assert_eq!(sha.parse::<Cid>(), Err(CidError::Foreign));
        assert_eq!("hello".parse::<Cid>(), Err(CidError::Malformed));
        assert_eq!(Cid::from_bytes(&[1, 0x55, 0x1e, 32, 0]), Err(CidError::Malformed));
    }
}
