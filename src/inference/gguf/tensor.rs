//! The tensors of a GGUF file: name, shape, how its numbers are stored, and where they lie.

use std::{
    collections::BTreeMap,
    io::{Read, Seek},
};

use super::{GgufError, TENSOR_NAME_BYTES_MAX, cursor::Cursor};

/// Most dimensions of a tensor.
const DIMENSIONS_MAX: u32 = 4;

/// One tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Name, e.g. `blk.0.attn_q.weight`.
    pub name: String,
    /// How its numbers are stored.
    pub kind: TensorKind,
    /// Its shape, the row first.
    pub dimensions: Vec<u64>,
    /// Where its data begins, in bytes from the beginning of the file.
    pub offset: u64,
    /// Length of its data in bytes.
    pub len: u64,
}

/// How the numbers of a tensor are stored: blocks of some elements in some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorKind {
    code: u32,
    name: &'static str,
    elements: u64,
    bytes: u64,
}

/// By code: name, elements of a block, bytes of a block.
const KINDS: [(u32, &str, u64, u64); 35] = [
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
    (42, "Q2_0", 64, 18),
];

impl TensorKind {
    fn of(code: u32) -> Option<Self> {
        let (code, name, elements, bytes) = KINDS.into_iter().find(|kind| kind.0 == code)?;
        Some(Self { code, name, elements, bytes })
    }

    /// The name that engines give it, e.g. `Q4_K`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl Tensor {
    /// How many numbers it holds.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.dimensions.iter().fold(1, |product, dimension| product.saturating_mul(*dimension))
    }

    /// Reads one; its offset still counts from where tensor data begins.
    pub(super) fn read<R: Read + Seek>(cursor: &mut Cursor<R>, alignment: u32) -> Result<Self, GgufError> {
        let name = cursor.text("the length of a tensor's name", TENSOR_NAME_BYTES_MAX)?;
        let wrong = |why| GgufError::Tensor { name: name.clone(), why };
        let count = cursor.u32()?;
        if count > DIMENSIONS_MAX {
            return Err(wrong("has more than four dimensions"));
        }
        let mut dimensions = Vec::new();
        for _ in 0..count {
            dimensions.push(cursor.u64()?);
        }
        let kind =
            TensorKind::of(cursor.u32()?).ok_or_else(|| wrong("stores its numbers in an unknown way"))?;
        let offset = cursor.u64()?;
        if offset % u64::from(alignment) != 0 {
            return Err(wrong("is not aligned"));
        }
        let len = data_len(kind, &dimensions).map_err(wrong)?;
        Ok(Self { name, kind, dimensions, offset, len })
    }
}

/// Length of the data of a tensor, in bytes.
fn data_len(kind: TensorKind, dimensions: &[u64]) -> Result<u64, &'static str> {
    let absurd = "has an absurd size";
    let elements = dimensions.iter().try_fold(1_u64, |product, dimension| product.checked_mul(*dimension));
    // Engines count elements with a sign.
    let elements = elements.filter(|count| i64::try_from(*count).is_ok()).ok_or(absurd)?;
    if elements == 0 {
        return Err("has a dimension of zero");
    }
    if dimensions.first().copied().unwrap_or(1) % kind.elements != 0 {
        return Err("has rows that do not consist of whole blocks");
    }
    (elements / kind.elements).checked_mul(kind.bytes).ok_or(absurd)
}

/// Sorts the tensors by where they lie in a file of `file_len` bytes, and makes their offsets count from its
/// beginning.
pub(super) fn place(tensors: &mut [Tensor], data_offset: u64, file_len: u64) -> Result<(), GgufError> {
    tensors.sort_by_key(|tensor| tensor.offset);
    let mut taken = data_offset;
    for tensor in tensors {
        let wrong = |why| GgufError::Tensor { name: tensor.name.clone(), why };
        let offset = data_offset.checked_add(tensor.offset).ok_or_else(|| wrong("has an absurd offset"))?;
        if offset < taken {
            return Err(wrong("overlaps another"));
        }
        taken = offset.checked_add(tensor.len).ok_or_else(|| wrong("has an absurd offset"))?;
        tensor.offset = offset;
    }
    if taken > file_len {
        return Err(GgufError::Truncated { len: file_len, needed: taken });
    }
    Ok(())
}

/// The name of the kind that takes most bytes.
pub(super) fn prevalent(tensors: &[Tensor]) -> &'static str {
    let mut bytes = BTreeMap::<&'static str, u64>::new();
    for tensor in tensors {
        *bytes.entry(tensor.kind.name).or_default() += tensor.len;
    }
    bytes.into_iter().max_by_key(|(_, len)| *len).map_or("", |(name, _)| name)
}
