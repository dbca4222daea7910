//! The metadata of a GGUF file: typed values under keys. Kept is what a [`super::Header`] says; all else is
//! checked for its length and passed over.

use std::{
    collections::BTreeSet,
    io::{Read, Seek},
};

use super::{ALIGNMENT_MAX, BLOCKS_MAX, GgufError, KEY_BYTES_MAX, TEXT_BYTES_MAX, cursor::Cursor};

/// What is kept of the metadata.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) architecture: String,
    pub(super) name: Option<String>,
    pub(super) context_length: Option<u64>,
    pub(super) block_count: Option<u64>,
    pub(super) embedding_length: Option<u64>,
    pub(super) vocabulary: Option<u64>,
    pub(super) tokenizer: Option<String>,
    pub(super) has_chat_template: bool,
    pub(super) alignment: u32,
    file_type: Option<u64>,
}

/// A value as far as anybody asks for it.
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Unsigned(u64),
    Negative,
    Float(f64),
    Bool,
    Text(String),
    LongText,
    List(u64),
}

impl Metadata {
    /// Reads `count` entries and looks at those that matter.
    pub(super) fn read<R: Read + Seek>(cursor: &mut Cursor<R>, count: u64) -> Result<Self, GgufError> {
        let mut entries = Entries::default();
        let mut keys = BTreeSet::new();
        for _ in 0..count {
            let key = cursor.text("the length of a metadata key", KEY_BYTES_MAX)?;
            let entry = read_entry(cursor, &key)?;
            entries.note(&key, entry)?;
            if !keys.insert(key.clone()) {
                return Err(wrong(&key, "is there twice"));
            }
        }
        entries.judge()
    }

    /// How its maker calls the way in which its numbers are stored.
    pub(super) fn quantisation(&self) -> Option<&'static str> {
        Some(match self.file_type? {
            0 => "F32",
            1 => "F16",
            2 => "Q4_0",
            3 => "Q4_1",
            7 => "Q8_0",
            8 => "Q5_0",
            9 => "Q5_1",
            10 => "Q2_K",
            11 => "Q3_K_S",
            12 => "Q3_K_M",
            13 => "Q3_K_L",
            14 => "Q4_K_S",
            15 => "Q4_K_M",
            16 => "Q5_K_S",
            17 => "Q5_K_M",
            18 => "Q6_K",
            19 => "IQ2_XXS",
            20 => "IQ2_XS",
            21 => "Q2_K_S",
            22 => "IQ3_XS",
            23 => "IQ3_XXS",
            24 => "IQ1_S",
            25 => "IQ4_NL",
            26 => "IQ3_S",
            27 => "IQ3_M",
            28 => "IQ2_S",
            29 => "IQ2_M",
            30 => "IQ4_XS",
            31 => "IQ1_M",
            32 => "BF16",
            36 => "TQ1_0",
            37 => "TQ2_0",
            38 => "MXFP4",
            _ => return None,
        })
    }
}

/// What has been noted until the architecture is known, whose name begins the keys.
#[derive(Debug, Default)]
struct Entries {
    noted: Vec<(String, Entry)>,
}

/// Ends of keys that matter, below the architecture's name.
const ARCHITECTURE_KEYS: [&str; 3] = [".context_length", ".block_count", ".embedding_length"];
/// Keys that matter.
const KEYS: [&str; 8] = [
    "general.architecture",
    "general.name",
    "general.alignment",
    "general.file_type",
    "split.count",
    "tokenizer.ggml.model",
    "tokenizer.ggml.tokens",
    "tokenizer.chat_template",
];

impl Entries {
    fn note(&mut self, key: &str, entry: Entry) -> Result<(), GgufError> {
        if key.ends_with("_epsilon") {
            // Engines abort on an epsilon that is no number or negative.
            return match entry {
                Entry::Float(value) if value.is_finite() && value >= 0.0 => Ok(()),
                _ => Err(wrong(key, "is no finite number from zero up")),
            };
        }
        if KEYS.contains(&key) || ARCHITECTURE_KEYS.iter().any(|end| key.ends_with(end)) {
            self.noted.push((key.to_owned(), entry));
        }
        Ok(())
    }

    fn judge(self) -> Result<Metadata, GgufError> {
        let architecture = self.text("general.architecture")?.filter(|name| !name.is_empty());
        let Some(architecture) = architecture else {
            return Err(wrong("general.architecture", "is missing: no engine knows what the model is"));
        };
        let parts = self.unsigned("split.count")?.unwrap_or(1);
        if parts > 1 {
            return Err(GgufError::Split(parts));
        }
        let of_model = |end: &str| self.unsigned(&format!("{architecture}{end}"));
        let block_count = of_model(".block_count")?;
        if block_count.is_some_and(|count| count == 0 || count > BLOCKS_MAX) {
            return Err(wrong(&format!("{architecture}.block_count"), "is not from 1 to 512"));
        }
        Ok(Metadata {
            name: self.text("general.name")?,
            context_length: of_model(".context_length")?,
            block_count,
            embedding_length: of_model(".embedding_length")?,
            vocabulary: match self.get("tokenizer.ggml.tokens") {
                Some(Entry::List(count)) => Some(*count),
                _ => None,
            },
            tokenizer: self.text("tokenizer.ggml.model")?,
            has_chat_template: self.get("tokenizer.chat_template").is_some(),
            alignment: self.alignment()?,
            file_type: self.unsigned("general.file_type")?,
            architecture,
        })
    }

    fn get(&self, key: &str) -> Option<&Entry> {
        self.noted.iter().find(|(found, _)| found == key).map(|(_, entry)| entry)
    }

    fn text(&self, key: &str) -> Result<Option<String>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Entry::Text(text)) => Ok(Some(text.clone())),
            Some(Entry::LongText) => Err(wrong(key, "is longer than 1024 bytes")),
            Some(_) => Err(wrong(key, "is no text")),
        }
    }

    fn unsigned(&self, key: &str) -> Result<Option<u64>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Entry::Unsigned(value)) => Ok(Some(*value)),
            Some(_) => Err(wrong(key, "is no whole number from zero up")),
        }
    }

    fn alignment(&self) -> Result<u32, GgufError> {
        let key = "general.alignment";
        let alignment = self.unsigned(key)?.unwrap_or(32);
        match u32::try_from(alignment) {
            Ok(alignment) if alignment.is_power_of_two() && alignment <= ALIGNMENT_MAX => Ok(alignment),
            _ => Err(wrong(key, "is no power of two up to 1048576")),
        }
    }
}

fn wrong(key: &str, why: &'static str) -> GgufError {
    GgufError::Key { key: key.chars().take(80).collect(), why }
}

const STRING: u32 = 8;
const ARRAY: u32 = 9;

fn read_entry<R: Read + Seek>(cursor: &mut Cursor<R>, key: &str) -> Result<Entry, GgufError> {
    let signed = |value: i64| u64::try_from(value).map_or(Entry::Negative, Entry::Unsigned);
    Ok(match cursor.u32()? {
        0 => Entry::Unsigned(u64::from(u8::from_le_bytes(cursor.array()?))),
        1 => signed(i64::from(i8::from_le_bytes(cursor.array()?))),
        2 => Entry::Unsigned(u64::from(u16::from_le_bytes(cursor.array()?))),
        3 => signed(i64::from(i16::from_le_bytes(cursor.array()?))),
        4 => Entry::Unsigned(u64::from(cursor.u32()?)),
        5 => signed(i64::from(i32::from_le_bytes(cursor.array()?))),
        6 => Entry::Float(f64::from(f32::from_le_bytes(cursor.array()?))),
        7 => {
            cursor.skip(1)?;
            Entry::Bool
        }
        STRING => read_text(cursor)?,
        ARRAY => read_list(cursor, key)?,
        10 => Entry::Unsigned(cursor.u64()?),
        11 => signed(i64::from_le_bytes(cursor.array()?)),
        12 => Entry::Float(f64::from_le_bytes(cursor.array()?)),
        _ => return Err(wrong(key, "has a value of unknown type")),
    })
}

fn read_text<R: Read + Seek>(cursor: &mut Cursor<R>) -> Result<Entry, GgufError> {
    let len = cursor.u64()?;
    if len > TEXT_BYTES_MAX {
        cursor.skip(len)?;
        return Ok(Entry::LongText);
    }
    let mut bytes = vec![0; usize::try_from(len).expect("limits of text fit memory")];
    cursor.fill(&mut bytes)?;
    Ok(Entry::Text(String::from_utf8_lossy(&bytes).into_owned()))
}

fn read_list<R: Read + Seek>(cursor: &mut Cursor<R>, key: &str) -> Result<Entry, GgufError> {
    let kind = cursor.u32()?;
    let count = cursor.u64()?;
    let width = match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        STRING => {
            // Ends at the end of the file at the latest, because each text takes eight bytes.
            for _ in 0..count {
                let len = cursor.u64()?;
                cursor.skip(len)?;
            }
            return Ok(Entry::List(count));
        }
        ARRAY => return Err(wrong(key, "is a list of lists")),
        _ => return Err(wrong(key, "is a list of unknown type")),
    };
    cursor.skip(count.saturating_mul(width))?;
    Ok(Entry::List(count))
}
