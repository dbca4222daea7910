use std::{
    fs::File,
    io::Cursor as Memory,
    path::{Path, PathBuf},
};

use super::*;
use crate::{content::chunk, limits::BLOCK_BYTES_MAX};

/// Name, dimensions, kind, offset.
type DraftTensor = (String, Vec<u64>, u32, u64);

/// A GGUF file in the making.
#[derive(Clone)]
struct Draft {
    magic: [u8; 4],
    version: u32,
    tensor_count: Option<u64>,
    key_count: Option<u64>,
    keys: Vec<(String, Vec<u8>)>,
    tensors: Vec<DraftTensor>,
    data: usize,
}

impl Draft {
    /// A llama of two small tensors, 32 numbers in F32 and 64 in Q8_0.
    fn llama() -> Self {
        let file = Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            key_count: None,
            keys: vec![],
            tensors: vec![
                ("output_norm.weight".into(), vec![32], 0, 0),
                ("token_embd.weight".into(), vec![32, 2], 8, 128),
            ],
            data: 128 + 68,
        };
        file.text("general.architecture", "llama")
            .text("general.name", "field report")
            .number("general.file_type", 7)
            .number("llama.context_length", 512)
            .number("llama.block_count", 5)
            .number("llama.embedding_length", 64)
            .epsilon(1e-5)
            .text("tokenizer.ggml.model", "gpt2")
            .key("tokenizer.ggml.tokens", 9, &list(8, 2, &[string("a"), string("bc")].concat()))
            .key("tokenizer.ggml.scores", 9, &list(6, 2, &[0; 8]))
            .text("tokenizer.chat_template", &"{{ messages }}".repeat(1000))
    }

    fn key(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        let value = [kind.to_le_bytes().as_slice(), value].concat();
        match self.keys.iter_mut().find(|(found, _)| found == key) {
            Some(entry) => entry.1 = value,
            None => self.keys.push((key.to_owned(), value)),
        }
        self
    }

    fn text(self, key: &str, value: &str) -> Self {
        self.key(key, 8, &string(value))
    }

    fn number(self, key: &str, value: u32) -> Self {
        self.key(key, 4, &value.to_le_bytes())
    }

    fn epsilon(self, value: f32) -> Self {
        self.key("llama.attention.layer_norm_rms_epsilon", 6, &value.to_le_bytes())
    }

    fn tensor(mut self, index: usize, change: impl FnOnce(&mut DraftTensor)) -> Self {
        change(&mut self.tensors[index]);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let count = |len: usize| u64::try_from(len).unwrap();
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(count(self.tensors.len())).to_le_bytes());
        out.extend(self.key_count.unwrap_or(count(self.keys.len())).to_le_bytes());
        for (key, value) in &self.keys {
            out.extend(string(key));
            out.extend(value);
        }
        for (name, dimensions, kind, offset) in &self.tensors {
            out.extend(string(name));
            out.extend(u32::try_from(dimensions.len()).unwrap().to_le_bytes());
            dimensions.iter().for_each(|dimension| out.extend(dimension.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(32) + self.data, 0x5a);
        out
    }

    fn read(&self) -> Result<Header, GgufError> {
        Header::read(Memory::new(self.bytes()))
    }

    fn reason(&self) -> String {
        self.read().expect_err("it is refused").to_string()
    }
}

#[test]
fn a_header_says_what_a_model_is() {
    for version in [2, 3] {
        let header = Draft { version, ..Draft::llama() }.read().unwrap();
        assert_eq!((header.version, header.architecture.as_str()), (version, "llama"));
        assert_eq!(header.name.as_deref(), Some("field report"));
        assert_eq!(header.context_length, Some(512));
        assert_eq!(header.block_count, Some(5));
        assert_eq!(header.tokenizer.as_deref(), Some("gpt2"));
        assert_eq!(header.vocabulary, Some(2));
        assert!(header.has_chat_template);
        assert_eq!(header.quantisation, "Q8_0");
        assert_eq!(header.parameter_count(), 96);
        assert_eq!(header.file_len, header.data_offset + 196);
        assert_eq!(header.data_offset % 32, 0);
        let lies: Vec<_> =
            header.tensors.iter().map(|tensor| (tensor.offset - header.data_offset, tensor.len)).collect();
        assert_eq!(lies, [(0, 128), (128, 68)]);
    }
}

#[test]
fn hints_are_what_the_header_says() {
    let hints = hints(&Draft::llama().read().unwrap());
    assert_eq!(hints["architecture"], Value::Text("llama".into()));
    assert_eq!(hints["context_length"], Value::Integer(512));
    assert_eq!(hints["chat_template"], Value::Bool(true));
    assert_eq!(hints["quantisation"], Value::Text("Q8_0".into()));
    assert_eq!(hints["parameters"], Value::Integer(96));
}

#[test]
fn without_a_file_type_the_quantisation_is_that_of_most_bytes() {
    let mut file = Draft::llama();
    file.keys.retain(|(key, _)| key != "general.file_type");
    assert_eq!(file.read().unwrap().quantisation, "F32");
}

#[test]
fn other_files_are_refused_with_the_reason() {
    assert_eq!(Header::read(Memory::new([])).unwrap_err().to_string(), "the file is empty");
    let magic = Draft { magic: *b"RIFF", ..Draft::llama() };
    assert_eq!(magic.reason(), "not a GGUF file: it does not begin with `GGUF`");
    assert!(matches!(Header::read(Memory::new(b"GG")), Err(GgufError::NotGguf)));
    let versions = [(1, false), (4, false), (0, false), (3_u32.swap_bytes(), true)];
    for (version, is_big) in versions {
        let error = Draft { version, ..Draft::llama() }.read().unwrap_err();
        assert_eq!(matches!(error, GgufError::BigEndian), is_big, "{error}");
        assert_eq!(matches!(error, GgufError::Version(_)), !is_big, "{error}");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_truncated() {
    let bytes = Draft::llama().bytes();
    for len in 4..bytes.len() {
        let error = Header::read(Memory::new(&bytes[..len])).unwrap_err();
        assert!(matches!(error, GgufError::Truncated { .. }), "{len}: {error}");
    }
}

#[test]
fn counts_that_no_model_has_are_refused_before_anything_is_made_room_for() {
    for count in [TENSORS_MAX + 1, u64::MAX] {
        let file = Draft { tensor_count: Some(count), ..Draft::llama() };
        assert!(matches!(file.read(), Err(GgufError::Absurd { found, .. }) if found == count));
    }
    for count in [KEYS_MAX + 1, u64::MAX] {
        let file = Draft { key_count: Some(count), ..Draft::llama() };
        assert!(matches!(file.read(), Err(GgufError::Absurd { found, .. }) if found == count));
    }
    let endless = Draft::llama().key("tokenizer.ggml.merges", 9, &list(8, u64::MAX, &[]));
    assert!(endless.read().is_err());
    let wide = Draft::llama().key("tokenizer.ggml.scores", 9, &list(10, u64::MAX, &[]));
    assert!(matches!(wide.read(), Err(GgufError::Truncated { .. })));
    let long = Draft::llama().key("general.license", 8, &u64::MAX.to_le_bytes());
    assert!(matches!(long.read(), Err(GgufError::Truncated { .. })));
    let none = Draft { tensors: vec![], ..Draft::llama() };
    assert_eq!(none.reason(), "it holds no tensors");
}

#[test]
fn metadata_on_which_engines_abort_is_refused() {
    for count in [0, 513, u32::MAX] {
        let reason = Draft::llama().number("llama.block_count", count).reason();
        assert_eq!(reason, "`llama.block_count` is not from 1 to 512");
    }
    assert!(Draft::llama().number("llama.block_count", 512).read().is_ok());
    for epsilon in [f32::NAN, f32::INFINITY, -1.0] {
        let reason = Draft::llama().epsilon(epsilon).reason();
        assert!(reason.ends_with("_epsilon` is no finite number from zero up"), "{reason}");
    }
    for alignment in [0, 3, 2 * ALIGNMENT_MAX] {
        let reason = Draft::llama().number("general.alignment", alignment).reason();
        assert_eq!(reason, "`general.alignment` is no power of two up to 1048576");
    }
}

#[test]
fn metadata_of_the_wrong_shape_is_refused() {
    let file = Draft::llama;
    assert!(file().text("llama.context_length", "long").reason().contains("is no whole number"));
    assert!(file().number("general.architecture", 1).reason().contains("is no text"));
    assert!(file().text("general.architecture", "").reason().contains("is missing"));
    assert!(file().text("general.name", &"n".repeat(1025)).reason().contains("longer than 1024"));
    assert!(file().key("x", 13, &[]).reason().contains("unknown type"));
    assert!(file().key("x", 9, &list(9, 1, &[])).reason().contains("list of lists"));
    assert!(file().number("split.count", 4).reason().starts_with("one of 4 parts"));
    let mut twice = file();
    twice.keys.push(twice.keys[0].clone());
    assert_eq!(twice.reason(), "`general.architecture` is there twice");
}

#[test]
fn tensors_that_cannot_be_are_refused() {
    let reason = |change: &dyn Fn(&mut DraftTensor)| Draft::llama().tensor(1, change).reason();
    assert!(reason(&|tensor| tensor.1 = vec![1; 5]).contains("more than four dimensions"));
    assert!(reason(&|tensor| tensor.1 = vec![32, 0]).contains("dimension of zero"));
    assert!(reason(&|tensor| tensor.1 = vec![31, 2]).contains("whole blocks"));
    assert!(reason(&|tensor| tensor.1 = vec![u64::MAX - 31, 32]).contains("absurd size"));
    assert!(reason(&|tensor| tensor.1 = vec![1 << 62, 2]).contains("absurd size"));
    assert!(reason(&|tensor| tensor.1 = vec![1 << 40]).starts_with("truncated"));
    assert!(reason(&|tensor| tensor.2 = 4).contains("unknown way"));
    assert!(reason(&|tensor| tensor.3 = 129).contains("is not aligned"));
    assert!(reason(&|tensor| tensor.3 = 96).contains("overlaps another"));
    assert!(reason(&|tensor| tensor.3 = u64::MAX - 31).contains("absurd offset"));
    assert!(reason(&|tensor| tensor.3 = 1 << 40).starts_with("truncated"));
    assert!(reason(&|tensor| tensor.0 = "output_norm.weight".into()).contains("is there twice"));
    assert!(reason(&|tensor| tensor.0 = "n".repeat(64)).contains("at most 63 is believed"));
    assert!(Draft::llama().tensor(1, |tensor| tensor.3 = 160).reason().starts_with("truncated"));
}

#[test]
fn chunks_follow_the_tensors() {
    let header = Draft::llama().read().unwrap();
    let chunks = chunk::plan(header.file_len, &header.boundaries());
    assert_eq!(chunks, [0..header.data_offset, header.data_offset..header.file_len]);
}

#[test]
fn a_real_model_is_understood() {
    let Some(path) = shared("models/stories260K/stories260K-f32.gguf") else {
        println!("skipped: no stories260K in `shared/models` above this folder or in PANNIER_SHARED");
        return;
    };
    let header = Header::read(File::open(path).unwrap()).unwrap();
    assert_eq!(header.architecture, "llama");
    assert_eq!(header.name.as_deref(), Some("stories260K (karpathy/tinyllamas)"));
    assert_eq!((header.context_length, header.vocabulary), (Some(512), Some(512)));
    assert_eq!((header.tensors.len(), header.quantisation.as_str()), (47, "F32"));
    assert!(!header.has_chat_template && header.parameter_count() > 250_000);
    let end = header.tensors.iter().map(|tensor| tensor.offset + tensor.len).max().unwrap();
    assert!(end <= header.file_len && header.file_len - end < u64::from(header.alignment));
    let chunks = chunk::plan(header.file_len, &header.boundaries());
    assert_eq!(chunks[0], 0..header.data_offset);
    assert!(chunks.iter().all(|chunk| chunk.end - chunk.start <= BLOCK_BYTES_MAX));
}

#[test]
fn any_bytes_are_understood_or_refused() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = Header::read(Memory::new([b"GGUF\x03\0\0\0", bytes].concat()));
        let _ = Header::read(Memory::new(bytes));
    });
}

#[test]
fn any_change_of_a_model_is_understood_or_refused() {
    let model = Draft::llama().bytes();
    bolero::check!().with_type::<(Vec<(u16, u8)>, u16)>().for_each(|(edits, cut)| {
        let mut bytes = model.clone();
        for (at, byte) in edits.iter().take(6) {
            // The long chat template is no place to look for trouble.
            let at = usize::from(*at) % 700;
            let at = if *byte % 2 == 0 { at } else { bytes.len() - 1 - at };
            bytes[at] = *byte;
        }
        if *cut % 4 == 0 {
            bytes.truncate(usize::from(*cut) % bytes.len());
        }
        let Ok(header) = Header::read(Memory::new(&bytes)) else { return };
        let mut end = header.data_offset;
        for tensor in &header.tensors {
            assert!(tensor.offset >= end);
            end = tensor.offset + tensor.len;
        }
        assert!(end <= header.file_len);
        let chunks = chunk::plan(header.file_len, &header.boundaries());
        assert!(chunks.iter().any(|chunk| chunk.end == header.data_offset), "the header shares no chunk");
        let mut next = 0;
        for chunk in chunks {
            assert_eq!(chunk.start, next);
            assert!(!chunk.is_empty() && chunk.end - chunk.start <= BLOCK_BYTES_MAX);
            next = chunk.end;
        }
        assert_eq!(next, header.file_len);
    });
}

fn string(text: &str) -> Vec<u8> {
    [&u64::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat()
}

fn list(kind: u32, count: u64, items: &[u8]) -> Vec<u8> {
    [kind.to_le_bytes().as_slice(), &count.to_le_bytes(), items].concat()
}

/// A file of the folder of real inputs, where there is one.
fn shared(name: &str) -> Option<PathBuf> {
    let given = std::env::var_os("PANNIER_SHARED").map(PathBuf::from);
    let above = || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared"));
    let found = given.or_else(|| above().find(|folder| folder.join("models").is_dir()))?;
    Some(found.join(name)).filter(|path| path.is_file())
}
