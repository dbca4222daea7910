use std::{collections::BTreeSet, fs};

use tempfile::TempDir;

use super::*;
use crate::store::MemoryStore;

const MIB: usize = 1024 * 1024;
const F32: u32 = 0;
const Q8_0: u32 = 8;

/// A tensor of a model: how its numbers are stored, how many there are, and what they are grown from.
#[derive(Clone, Copy)]
struct Weights {
    kind: u32,
    count: usize,
    seed: u64,
}

impl Weights {
    fn new(count: usize, seed: u64) -> Self {
        Self { kind: F32, count, seed }
    }

    /// 32 numbers of Q8_0 take 34 bytes.
    fn bytes(self) -> Vec<u8> {
        let len = if self.kind == F32 { self.count * 4 } else { self.count / 32 * 34 };
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&self.seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }
}

/// Ten layers: a matrix of 2.5 MB, one of 0.7 MB, and two norms of 4 KB each.
fn base() -> Vec<Weights> {
    let layer = |layer: u64| {
        let of = |place: u64| layer * 10 + place;
        [
            Weights::new(655_360, of(0)),
            Weights::new(1_024, of(1)),
            Weights::new(180_224, of(2)),
            Weights::new(1_024, of(3)),
        ]
    };
    (0..10).flat_map(layer).collect()
}

/// A file of these tensors; the text makes its header longer.
fn model(tensors: &[Weights], description: &str) -> Vec<u8> {
    let wide = |len: usize| u64::try_from(len).unwrap().to_le_bytes();
    let text = |text: &str| [&wide(text.len()), text.as_bytes()].concat();
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend(wide(tensors.len()));
    file.extend(wide(2));
    for (key, value) in [("general.architecture", "llama"), ("general.description", description)] {
        file.extend(text(key));
        file.extend(8_u32.to_le_bytes());
        file.extend(text(value));
    }
    let mut data = Vec::new();
    for (place, tensor) in tensors.iter().enumerate() {
        file.extend(text(&format!("blk.{place}.weight")));
        file.extend(1_u32.to_le_bytes());
        file.extend(wide(tensor.count));
        file.extend(tensor.kind.to_le_bytes());
        file.extend(wide(data.len()));
        data.extend(tensor.bytes());
        data.resize(data.len().next_multiple_of(32), 0);
    }
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(data);
    file
}

/// A store in memory and a folder.
struct Bench {
    store: MemoryStore,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::of(1 << 40)
    }

    fn of(quota: u64) -> Self {
        Self { store: MemoryStore::new(quota), folder: TempDir::new().unwrap() }
    }

    fn import(&self, bytes: &[u8], kind: AssetKind) -> Result<Imported, AssetError> {
        let path = self.folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        import(&self.store, &path, kind)
    }

    fn assemble(&self, manifest: &BlockRef) -> Result<PathBuf, AssetError> {
        assemble(&self.store, manifest, &self.folder.path().join("assembled"))
    }

    fn live(&self) -> usize {
        usize::try_from(self.store.usage().live).unwrap()
    }
}

/// How many bytes of `second` are new to who has `first`, if both are cut every 1 MiB.
fn new_if_cut_evenly(first: &[u8], second: &[u8]) -> usize {
    let known: BTreeSet<_> = first.chunks(MIB).map(blake3::hash).map(|hash| *hash.as_bytes()).collect();
    second.chunks(MIB).filter(|chunk| !known.contains(blake3::hash(chunk).as_bytes())).map(<[u8]>::len).sum()
}

#[test]
fn a_variant_of_a_model_brings_the_tensors_that_differ_and_little_else() {
    let mut tensors = base();
    let first = model(&tensors, "base");
    tensors[8].seed = 1_000;
    tensors[22].seed = 1_001;
    tensors[28] = Weights { kind: Q8_0, seed: 1_002, ..tensors[28] };
    let changed: usize = [8, 22, 28].iter().map(|place| tensors[*place].bytes().len()).sum();
    let second = model(&tensors, &"fine-tuned on field reports; ".repeat(40));

    let bench = Bench::new();
    let imported = bench.import(&first, AssetKind::Gguf).unwrap();
    assert_eq!(imported.known, 0);
    let before = bench.live();
    let imported = bench.import(&second, AssetKind::Gguf).unwrap();
    let new = bench.live() - before;
    let evenly = new_if_cut_evenly(&first, &second);
    assert!(new <= changed * 102 / 100, "{new} bytes are new where {changed} differ");
    assert!(evenly > second.len() * 9 / 10, "{evenly} of {} bytes", second.len());
    assert!(usize::try_from(imported.known).unwrap() >= second.len() - new);
    assert_eq!(fs::read(bench.assemble(&imported.manifest).unwrap()).unwrap(), second);
}

#[test]
fn a_file_that_comes_again_takes_no_room() {
    let (bench, file) = (Bench::new(), model(&base()[..4], "base"));
    let first = bench.import(&file, AssetKind::Gguf).unwrap();
    let before = bench.live();
    let second = bench.import(&file, AssetKind::Gguf).unwrap();
    assert_eq!((second.manifest, bench.live()), (first.manifest, before));
    assert_eq!(usize::try_from(second.known).unwrap(), file.len());
}

#[test]
fn a_manifest_says_the_sha256_of_the_file() {
    let bench = Bench::new();
    let imported = bench.import(b"test\n", AssetKind::Data).unwrap();
    let manifest = Manifest::decode(&imported.adu).unwrap();
    let alias = "sha256:f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2";
    assert_eq!(manifest.alias().unwrap().to_string(), alias);
    assert_eq!((manifest.file, manifest.kind), (BlockRef::raw(b"test\n"), AssetKind::Data));
}

#[test]
fn a_file_that_is_not_the_one_with_the_hash_is_not_given_to_an_engine() {
    let bench = Bench::new();
    let imported = bench.import(b"test\n", AssetKind::Data).unwrap();
    let mut forged = Manifest::decode(&imported.adu).unwrap();
    forged.hints.insert(Manifest::ALIAS_HINT.to_owned(), Value::Text("0".repeat(64)));
    let mut writer = bench.store.create(BlockRef::raw(&forged.encode()).len).unwrap();
    writer.write(&forged.encode()).unwrap();
    let manifest = writer.finish(Some(forged.cid())).unwrap();
    assert!(matches!(bench.assemble(&manifest), Err(AssetError::Alias { .. })));
    assert_eq!(fs::read_dir(bench.folder.path().join("assembled")).unwrap().count(), 0);
    assert!(bench.assemble(&imported.manifest).is_ok());
}

#[test]
fn a_manifest_without_a_hash_is_assembled_as_well() {
    let bench = Bench::new();
    let imported = bench.import(b"test\n", AssetKind::Data).unwrap();
    let mut plain = Manifest::decode(&imported.adu).unwrap();
    plain.hints.clear();
    let mut writer = bench.store.create(BlockRef::raw(&plain.encode()).len).unwrap();
    writer.write(&plain.encode()).unwrap();
    let manifest = writer.finish(Some(plain.cid())).unwrap();
    assert_eq!(fs::read(bench.assemble(&manifest).unwrap()).unwrap(), b"test\n");
}

#[test]
fn an_import_that_fails_takes_nothing_from_what_was_here() {
    let tensors = base();
    let first = model(&tensors[..8], "base");
    let bench = Bench::of(u64::try_from(first.len() + MIB).unwrap());
    let imported = bench.import(&first, AssetKind::Gguf).unwrap();
    let before = bench.live();
    let longer = bench.import(&model(&tensors, "base"), AssetKind::Gguf);
    assert!(matches!(longer, Err(AssetError::Store(StoreError::Full { .. }))));
    assert_eq!(bench.live(), before);
    assert_eq!(fs::read(bench.assemble(&imported.manifest).unwrap()).unwrap(), first);
}

#[test]
fn an_asset_whose_chunk_was_let_go_of_is_not_complete() {
    let bench = Bench::new();
    let imported = bench.import(&model(&base()[..4], "base"), AssetKind::Gguf).unwrap();
    assert!(is_complete(&bench.store, &imported).unwrap());
    bench.store.release(imported.blocks[1].cid.digest()).unwrap();
    assert!(!is_complete(&bench.store, &imported).unwrap());
}

#[test]
fn any_other_file_is_cut_evenly_and_an_empty_one_is_refused() {
    let bench = Bench::new();
    let noise = vec![7; 2 * MIB + 1];
    let broken = [b"GGUF\x03\0\0\0".to_vec(), vec![0xff; 2 * MIB]].concat();
    for file in [noise, broken] {
        assert!(matches!(bench.import(&file, AssetKind::Gguf), Err(AssetError::Header(_))));
        let imported = bench.import(&file, AssetKind::Data).unwrap();
        let chunks: Vec<_> = file.chunks(MIB).map(BlockRef::raw).collect();
        assert_eq!(imported.blocks[..chunks.len()], chunks);
        assert_eq!(fs::read(bench.assemble(&imported.manifest).unwrap()).unwrap(), file);
    }
    assert!(matches!(bench.import(b"", AssetKind::Data), Err(AssetError::Empty)));
}
