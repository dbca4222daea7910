//! Manifests: what a model or another asset consists of.
//!
//! `model add` makes a manifest and its chunk lists; nodes that want the asset fetch manifest, lists and
//! chunks, each by its CID.

use std::{collections::BTreeMap, fmt, str::FromStr};

use bytes::Bytes;

use crate::{
    Alias, BlockRef, Cid, Codec,
    adu::{
        AduError, CHUNK_LISTS_MAX, PARAMETER_KEY_BYTES_MAX, PARAMETERS_MAX, Value,
        dag::{Fields, Node},
    },
};

/// Most chunks in one list: 2,048 references of 47 bytes stay below the longest ADU.
pub const CHUNKS_PER_LIST_MAX: usize = 2048;

/// What an asset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssetKind {
    /// A model in GGUF.
    Gguf,
    /// A model in ONNX.
    Onnx,
    /// A model in whisper.cpp's format.
    Whisper,
    /// Anything else.
    Data,
}

/// Why text is no [`AssetKind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of asset: one of gguf, onnx, whisper, data")]
pub struct AssetKindError;

impl AssetKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Gguf, Self::Onnx, Self::Whisper, Self::Data];

    /// The text form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Onnx => "onnx",
            Self::Whisper => "whisper",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for AssetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for AssetKind {
    type Err = AssetKindError;

    fn from_str(text: &str) -> Result<Self, AssetKindError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(AssetKindError)
    }
}

/// A model or another asset: its dag-cbor CID is how jobs name it. The name under which its owner keeps it
/// is no part of it, so that the same file has the same manifest everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What it is for.
    pub kind: AssetKind,
    /// The whole file: raw blake3 CID and size.
    pub file: BlockRef,
    /// Chunk lists, in order; each is a dag-cbor block.
    pub chunk_lists: Vec<BlockRef>,
    /// What the file's own header says (architecture, context length and the like), and
    /// [`Manifest::ALIAS_HINT`].
    pub hints: BTreeMap<String, Value>,
}

impl Manifest {
    /// The hint that holds the SHA-256 of the whole file, as 64 hexadecimal digits in lower case.
    pub const ALIAS_HINT: &'static str = "sha256";

    /// The SHA-256 of the whole file, as whoever made the manifest says. A claim until the file has been put
    /// together. `None` if nothing is said, or not in the one form that it has.
    #[must_use]
    pub fn alias(&self) -> Option<Alias> {
        let Some(Value::Text(digits)) = self.hints.get(Self::ALIAS_HINT) else { return None };
        Alias::from_hex(digits).ok().filter(|alias| alias.hex() == *digits)
    }

    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let entries = vec![
            ("type", Node::text("manifest")),
            ("version", Node::Unsigned(1)),
            ("kind", Node::text(self.kind.name())),
            ("file", Node::block(&self.file)),
            ("chunks", Node::list(&self.chunk_lists, Node::block)),
            ("hints", Node::values(&self.hints)),
        ];
        Node::Map(entries).encode().into()
    }

    /// Reads it.
    ///
    /// # Errors
    /// See [`AduError`]. A key that this version does not know is an error, as in a job.
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let fields =
            Fields::read(bytes, "manifest")?.only(&["type", "version", "kind", "file", "chunks", "hints"])?;
        let kind = fields.need("kind")?;
        let lists = fields.need("chunks")?.list(CHUNK_LISTS_MAX)?;
        Ok(Self {
            kind: kind.any_text()?.parse().map_err(|_| kind.wrong())?,
            file: fields.need("file")?.block_of(Codec::Raw)?,
            chunk_lists: lists.map(|item| item.block_of(Codec::DagCbor)).collect::<Result<_, _>>()?,
            hints: fields.need("hints")?.map()?.values(PARAMETERS_MAX, PARAMETER_KEY_BYTES_MAX)?,
        })
    }

    /// The name by which jobs ask for it.
    #[must_use]
    pub fn cid(&self) -> Cid {
        Cid::dag_cbor(&self.encode())
    }
}

/// Consecutive chunks of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkList {
    /// In order.
    pub chunks: Vec<BlockRef>,
}

impl ChunkList {
    /// The lists of a file that consists of `chunks`: all but the last are full.
    #[must_use]
    pub fn lists(chunks: &[BlockRef]) -> Vec<Self> {
        chunks.chunks(CHUNKS_PER_LIST_MAX).map(|chunks| Self { chunks: chunks.to_vec() }).collect()
    }

    /// The reference by which a manifest names this list.
    #[must_use]
    pub fn block(&self) -> BlockRef {
        let bytes = self.encode();
        let len = u64::try_from(bytes.len()).expect("a length in memory fits 64 bits");
        BlockRef { cid: Cid::dag_cbor(&bytes), len }
    }

    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let entries = vec![
            ("type", Node::text("chunks")),
            ("version", Node::Unsigned(1)),
            ("chunks", Node::list(&self.chunks, Node::block)),
        ];
        Node::Map(entries).encode().into()
    }

    /// Reads it.
    ///
    /// # Errors
    /// See [`AduError`]. A key that this version does not know is an error, as in a job.
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let fields = Fields::read(bytes, "chunks")?.only(&["type", "version", "chunks"])?;
        let chunks = fields.need("chunks")?.list(CHUNKS_PER_LIST_MAX)?;
        Ok(Self { chunks: chunks.map(|item| item.block_of(Codec::Raw)).collect::<Result<_, _>>()? })
    }
}
