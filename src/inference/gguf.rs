//! The header of a GGUF file (versions 2 and 3): what a model is, where its tensors lie, and whether an
//! engine may be shown it.
//!
//! `model add` and the node call [`Header::read`] before any engine sees a file, because engines abort on
//! some of what is refused here. Tensor data is never read, so damage there goes unnoticed: that is what
//! CIDs are for.

mod cursor;
mod metadata;
mod tensor;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek},
};

use bundle_spec::adu::Value;

pub use self::tensor::{Tensor, TensorKind};
use self::{cursor::Cursor, metadata::Metadata};

/// Longest header that is read, in bytes. A vocabulary of 256 Ki tokens takes about 12 MiB.
pub const HEADER_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Most metadata keys. Models have 20 to 60.
pub const KEYS_MAX: u64 = 4_096;
/// Longest metadata key, in bytes.
pub const KEY_BYTES_MAX: u64 = 1_024;
/// Longest text that is kept of the metadata (names), in bytes.
pub const TEXT_BYTES_MAX: u64 = 1_024;
/// Most tensors. The largest mixtures of experts have a few thousand.
pub const TENSORS_MAX: u64 = 65_536;
/// Longest tensor name, in bytes: engines keep 64 with a final zero.
pub const TENSOR_NAME_BYTES_MAX: u64 = 63;
/// Largest alignment of tensor data, in bytes.
pub const ALIGNMENT_MAX: u32 = 1024 * 1024;
/// Most blocks (layers) of a model: engines abort beyond it.
pub const BLOCKS_MAX: u64 = 512;

/// Why a file is not a model that an engine may be shown.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(std::io::Error),
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is something else.
    #[error("not a GGUF file: it does not begin with `GGUF`")]
    NotGguf,
    /// It is of a version that engines do not read.
    #[error("version {0} of GGUF: convert the model to version 3")]
    Version(u32),
    /// It is for machines of the other byte order.
    #[error("a big-endian file: convert the model to little-endian")]
    BigEndian,
    /// It ends before it should.
    #[error("truncated: the file has {len} bytes and needs at least {needed}; get it again")]
    Truncated {
        /// How long the file is, in bytes.
        len: u64,
        /// How long it must be for what has been read so far, in bytes.
        needed: u64,
    },
    /// A number that no model has.
    #[error("{what} is {found}, and at most {max} is believed")]
    Absurd {
        /// Of what.
        what: &'static str,
        /// The number.
        found: u64,
        /// What may be.
        max: u64,
    },
    /// A metadata entry cannot be used.
    #[error("`{key}` {why}")]
    Key {
        /// Which.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A tensor cannot be used.
    #[error("tensor `{name}` {why}")]
    Tensor {
        /// Which.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is nothing to compute with.
    #[error("it holds no tensors")]
    NoTensors,
    /// The model lies in several files.
    #[error("one of {0} parts: join them with `llama-gguf-split --merge` first")]
    Split(u64),
}

/// What a GGUF file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Version of the format, 2 or 3.
    pub version: u32,
    /// Family of models, e.g. `llama`.
    pub architecture: String,
    /// Name that its maker gave it.
    pub name: Option<String>,
    /// How many tokens it was trained to look at.
    pub context_length: Option<u64>,
    /// How many layers it has.
    pub block_count: Option<u64>,
    /// How many numbers stand for a token.
    pub embedding_length: Option<u64>,
    /// How many tokens it knows.
    pub vocabulary: Option<u64>,
    /// Which tokenizer it takes, e.g. `gpt2`.
    pub tokenizer: Option<String>,
    /// Whether it brings a chat template.
    pub has_chat_template: bool,
    /// How its numbers are stored, e.g. `Q4_K_M`.
    pub quantisation: String,
    /// To how many bytes tensor data is aligned.
    pub alignment: u32,
    /// Where tensor data begins, in bytes from the beginning of the file.
    pub data_offset: u64,
    /// Length of the file in bytes.
    pub file_len: u64,
    /// The tensors, by where they lie.
    pub tensors: Vec<Tensor>,
}

impl Header {
    /// Reads the header of the file behind `source`, from its beginning. Keeps at most [`TENSORS_MAX`]
    /// tensors and a few names in memory.
    ///
    /// # Errors
    /// See [`GgufError`].
    pub fn read<R: Read + Seek>(source: R) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(source)?;
        let version = read_version(&mut cursor)?;
        let tensor_count = cursor.count("the number of tensors", TENSORS_MAX)?;
        let key_count = cursor.count("the number of metadata keys", KEYS_MAX)?;
        let metadata = Metadata::read(&mut cursor, key_count)?;
        if tensor_count == 0 {
            return Err(GgufError::NoTensors);
        }
        let mut tensors = Vec::new();
        let mut names = BTreeSet::new();
        for _ in 0..tensor_count {
            let tensor = Tensor::read(&mut cursor, metadata.alignment)?;
            if !names.insert(tensor.name.clone()) {
                return Err(GgufError::Tensor { name: tensor.name, why: "is there twice" });
            }
            tensors.push(tensor);
        }
        let data_offset = cursor.position().next_multiple_of(u64::from(metadata.alignment));
        tensor::place(&mut tensors, data_offset, cursor.len())?;
        Ok(Self {
            version,
            quantisation: metadata.quantisation().unwrap_or_else(|| tensor::prevalent(&tensors)).to_owned(),
            architecture: metadata.architecture,
            name: metadata.name,
            context_length: metadata.context_length,
            block_count: metadata.block_count,
            embedding_length: metadata.embedding_length,
            vocabulary: metadata.vocabulary,
            tokenizer: metadata.tokenizer,
            has_chat_template: metadata.has_chat_template,
            alignment: metadata.alignment,
            data_offset,
            file_len: cursor.len(),
            tensors,
        })
    }

    /// How many numbers the model consists of.
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        self.tensors.iter().fold(0, |sum, tensor| sum.saturating_add(tensor.elements()))
    }

    /// Where chunks should begin: behind the header, and at each tensor.
    #[must_use]
    pub fn boundaries(&self) -> Vec<u64> {
        std::iter::once(self.data_offset).chain(self.tensors.iter().map(|tensor| tensor.offset)).collect()
    }
}

/// What a manifest says of the model, so that a node can tell whether it can run it before it has it.
#[must_use]
pub fn hints(header: &Header) -> BTreeMap<String, Value> {
    let number = |value: u64| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    let text = |value: &String| Value::Text(value.clone());
    let hints = [
        ("architecture", Some(text(&header.architecture))),
        ("name", header.name.as_ref().map(text)),
        ("context_length", header.context_length.map(number)),
        ("block_count", header.block_count.map(number)),
        ("embedding_length", header.embedding_length.map(number)),
        ("vocabulary", header.vocabulary.map(number)),
        ("tokenizer", header.tokenizer.as_ref().map(text)),
        ("chat_template", Some(Value::Bool(header.has_chat_template))),
        ("quantisation", Some(text(&header.quantisation))),
        ("parameters", Some(number(header.parameter_count()))),
    ];
    hints.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn read_version<R: Read + Seek>(cursor: &mut Cursor<R>) -> Result<u32, GgufError> {
    if cursor.len() == 0 {
        return Err(GgufError::Empty);
    }
    if cursor.len() < 4 || cursor.array()? != *b"GGUF" {
        return Err(GgufError::NotGguf);
    }
    match cursor.u32()? {
        version @ (2 | 3) => Ok(version),
        version if matches!(version.swap_bytes(), 1..=3) => Err(GgufError::BigEndian),
        version => Err(GgufError::Version(version)),
    }
}

#[cfg(test)]
mod tests;
