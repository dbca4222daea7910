//! Assets on this node: a file becomes blocks and a manifest; a manifest becomes a file that an engine can
//! open.

mod hashing;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use bundle_spec::{
    Alias, BlockRef, Cid, Codec, Digest,
    adu::{AduError, Value},
    manifest::{AssetKind, CHUNKS_PER_LIST_MAX, ChunkList, Manifest},
};
use bytes::Bytes;

use self::hashing::{Hashing, Names};
use crate::{
    content::chunk,
    inference::gguf::{self, GgufError},
    limits,
    store::{Store, StoreError},
};

/// Why a file was not taken as an asset, or could not be put together again.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// Not a model that any engine here opens.
    #[error("not a usable model: {0}")]
    Header(#[from] GgufError),
    /// The store did not take or give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be read or written.
    #[error("the file cannot be used: {0}")]
    Io(#[from] io::Error),
    /// A manifest or chunk list that makes no sense.
    #[error("the manifest is damaged: {0}")]
    Manifest(#[from] AduError),
    /// A block is not here.
    #[error("the block {0} is not in the store")]
    Missing(Cid),
    /// What came out is not what the manifest names.
    #[error("the assembled file is {actual}, not {expected}")]
    Mismatch {
        /// What the manifest names.
        expected: Cid,
        /// What came out.
        actual: Cid,
    },
    /// What came out is the file that the manifest names, and not the one that people know by its hash.
    #[error("the assembled file is {actual}, while its manifest says {expected}: get the model elsewhere")]
    Alias {
        /// What the manifest says.
        expected: Alias,
        /// What came out.
        actual: Alias,
    },
    /// A file without bytes.
    #[error("the file is empty")]
    Empty,
    /// The file has more chunks than a manifest can name within its size.
    #[error("the file has {0} bytes, more than a manifest can describe")]
    TooLarge(u64),
}

/// An asset whose blocks are in the store.
#[derive(Debug)]
pub(super) struct Imported {
    /// Its manifest's block.
    pub(super) manifest: BlockRef,
    /// The manifest's bytes.
    pub(super) adu: Bytes,
    /// Every block that belongs to it.
    pub(super) blocks: Vec<BlockRef>,
    /// How many bytes of the file took no new room, as their chunks were in the store.
    pub(super) known: u64,
}

/// Longest file that a manifest can describe: its chunk lists must fit the manifest ADU.
const FILE_BYTES_MAX: u64 = 1024 * CHUNKS_PER_LIST_MAX as u64 * limits::BLOCK_BYTES_MAX;

/// Takes a file apart: checks its header if it is to be a model, stores the chunks that are not here yet,
/// their lists and the manifest. Of an import that fails nothing stays.
pub(super) fn import(store: &dyn Store, path: &Path, kind: AssetKind) -> Result<Imported, AssetError> {
    let mut intake = Intake { store, blocks: Vec::new(), fresh: Vec::new(), known: 0 };
    let imported = intake.take(path, kind);
    if imported.is_err() {
        // What was here before belongs to somebody else. What cannot be released is swept at the next start.
        let _ = store.release_all(&intake.fresh);
    }
    let (manifest, adu) = imported?;
    Ok(Imported { manifest, adu, blocks: intake.blocks, known: intake.known })
}

/// Whether every block of an asset is in the store: one that was here already may have been let go of before
/// the asset was kept.
pub(super) fn is_complete(store: &dyn Store, imported: &Imported) -> Result<bool, StoreError> {
    for block in &imported.blocks {
        if !holds(store, block)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds(store: &dyn Store, block: &BlockRef) -> Result<bool, StoreError> {
    let reader = store.open(block.cid.digest())?;
    Ok(reader.is_some_and(|reader| reader.len() == block.len))
}

/// A file on its way into the store.
struct Intake<'a> {
    store: &'a dyn Store,
    /// Every block of it so far.
    blocks: Vec<BlockRef>,
    /// Those that were not here before.
    fresh: Vec<Digest>,
    /// How many bytes of chunks were here before.
    known: u64,
}

impl Intake<'_> {
    fn take(&mut self, path: &Path, kind: AssetKind) -> Result<(BlockRef, Bytes), AssetError> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        if len == 0 {
            return Err(AssetError::Empty);
        }
        if len > FILE_BYTES_MAX {
            return Err(AssetError::TooLarge(len));
        }
        let (boundaries, mut hints) = match kind {
            AssetKind::Gguf => {
                let header = gguf::Header::read(&mut file)?;
                (header.boundaries(), gguf::hints(&header))
            }
            AssetKind::Onnx | AssetKind::Whisper | AssetKind::Data => (Vec::new(), BTreeMap::new()),
        };
        file.rewind()?;
        let (names, chunks) = self.cut(&mut file, &chunk::plan(len, &boundaries))?;
        let mut chunk_lists = Vec::new();
        for list in ChunkList::lists(&chunks) {
            chunk_lists.push(self.put(&list.encode(), Codec::DagCbor)?);
        }
        hints.insert(Manifest::ALIAS_HINT.to_owned(), Value::Text(names.alias.hex()));
        let file = BlockRef { cid: names.cid, len };
        let adu = Manifest { kind, file, chunk_lists, hints }.encode();
        Ok((self.put(&adu, Codec::DagCbor)?, adu))
    }

    /// Stores the chunks of a file. One chunk is read, two wait, one is hashed with the whole: memory does
    /// not grow with the file.
    fn cut(&mut self, file: &mut File, plan: &[Range<u64>]) -> Result<(Names, Vec<BlockRef>), AssetError> {
        let whole = Hashing::begin()?;
        let mut chunks = Vec::with_capacity(plan.len());
        for range in plan {
            let mut bytes = vec![0; usize::try_from(range.end - range.start).expect("a chunk fits memory")];
            file.read_exact(&mut bytes)?;
            let bytes = Bytes::from(bytes);
            whole.update(bytes.clone());
            let fresh_before = self.fresh.len();
            let chunk = self.put(&bytes, Codec::Raw)?;
            if self.fresh.len() == fresh_before {
                self.known += chunk.len;
            }
            chunks.push(chunk);
        }
        Ok((whole.finish(), chunks))
    }

    /// Stores a block unless it is here.
    fn put(&mut self, bytes: &[u8], codec: Codec) -> Result<BlockRef, StoreError> {
        let named = BlockRef::raw(bytes);
        let block = BlockRef { cid: named.cid.with_codec(codec), ..named };
        if !holds(self.store, &block)? {
            let mut writer = self.store.create(block.len)?;
            writer.write(bytes)?;
            writer.finish(Some(block.cid))?;
            self.fresh.push(*block.cid.digest());
        }
        self.blocks.push(block);
        Ok(block)
    }
}

/// The file that a manifest describes, in `folder`, with its content verified. Assembled once and then kept;
/// verified again each time, since an engine does not notice flipped weights.
pub(super) fn assemble(store: &dyn Store, manifest: &BlockRef, folder: &Path) -> Result<PathBuf, AssetError> {
    let parsed = Manifest::decode(&get(store, manifest)?)?;
    let path = folder.join(format!("{}.{}", manifest.cid, extension(parsed.kind)));
    match File::open(&path) {
        Ok(file) if file.metadata()?.len() == parsed.file.len => {
            let mut whole = blake3::Hasher::new();
            io::copy(&mut io::BufReader::with_capacity(1 << 20, file), &mut whole)?;
            if whole.finalize().as_bytes() == parsed.file.cid.digest() {
                return Ok(path);
            }
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    std::fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    let whole = Hashing::begin()?;
    for list in &parsed.chunk_lists {
        for chunk in ChunkList::decode(&get(store, list)?)?.chunks {
            let bytes = Bytes::from(get(store, &chunk)?);
            whole.update(bytes.clone());
            file.write_all(&bytes)?;
        }
    }
    if let Err(error) = check(&parsed, &whole.finish()) {
        std::fs::remove_file(&part)?;
        return Err(error);
    }
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// Whether a file is what its manifest says. Its SHA-256 is looked at this once: a file with the same CID has
/// the same one.
fn check(manifest: &Manifest, names: &Names) -> Result<(), AssetError> {
    if names.cid != manifest.file.cid {
        return Err(AssetError::Mismatch { expected: manifest.file.cid, actual: names.cid });
    }
    match manifest.alias() {
        Some(expected) if expected != names.alias => Err(AssetError::Alias { expected, actual: names.alias }),
        Some(_) | None => Ok(()),
    }
}

fn extension(kind: AssetKind) -> &'static str {
    match kind {
        AssetKind::Gguf => "gguf",
        AssetKind::Onnx => "onnx",
        AssetKind::Whisper => "bin",
        AssetKind::Data => "data",
    }
}

fn get(store: &dyn Store, block: &BlockRef) -> Result<Vec<u8>, AssetError> {
    let reader = store.open(block.cid.digest())?.ok_or(AssetError::Missing(block.cid))?;
    if reader.len() != block.len || block.len > limits::INPUT_BYTES_MAX {
        return Err(AssetError::Missing(block.cid));
    }
    let mut bytes = vec![0; usize::try_from(block.len).expect("the limit fits memory")];
    reader.read_at(0, &mut bytes)?;
    Ok(bytes)
}
