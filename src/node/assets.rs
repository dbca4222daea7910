//! Assets on this node: a file becomes blocks and a manifest; a manifest becomes a file that an engine can
//! open.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bundle_spec::{
    BlockRef, Cid, Codec,
    adu::AduError,
    manifest::{AssetKind, CHUNKS_PER_LIST_MAX, ChunkList, Manifest},
};
use bytes::Bytes;

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
}

/// Longest file that a manifest can describe: its chunk lists must fit the manifest ADU.
const FILE_BYTES_MAX: u64 = 1024 * CHUNKS_PER_LIST_MAX as u64 * limits::BLOCK_BYTES_MAX;

/// Takes a model file apart: checks its header, stores its chunks, their lists and the manifest. Blocks of
/// an import that fails are forgotten again.
pub(super) fn import(store: &dyn Store, path: &Path) -> Result<Imported, AssetError> {
    let mut blocks = Vec::new();
    let imported = import_into(store, path, &mut blocks);
    if imported.is_err() {
        // The blocks are nobody's yet; what cannot be released is swept at the next start.
        let _ = blocks.iter().try_for_each(|block: &BlockRef| store.release(block.cid.digest()));
    }
    let (manifest, adu) = imported?;
    Ok(Imported { manifest, adu, blocks })
}

fn import_into(
    store: &dyn Store,
    path: &Path,
    blocks: &mut Vec<BlockRef>,
) -> Result<(BlockRef, Bytes), AssetError> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    if len > FILE_BYTES_MAX {
        return Err(AssetError::TooLarge(len));
    }
    let header = gguf::Header::read(&mut file)?;
    let mut whole = blake3::Hasher::new();
    let mut chunks = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    for range in chunk::plan(len, &header.boundaries()) {
        let size = usize::try_from(range.end - range.start).expect("a chunk fits memory");
        let mut bytes = vec![0; size];
        file.read_exact(&mut bytes)?;
        whole.update(&bytes);
        let block = put(store, &bytes, Codec::Raw)?;
        blocks.push(block);
        chunks.push(block);
    }
    let mut chunk_lists = Vec::new();
    for part in chunks.chunks(CHUNKS_PER_LIST_MAX) {
        let list = put(store, &ChunkList { chunks: part.to_vec() }.encode(), Codec::DagCbor)?;
        blocks.push(list);
        chunk_lists.push(list);
    }
    let file = BlockRef { cid: Cid::new(Codec::Raw, *whole.finalize().as_bytes()), len };
    let adu = Manifest { kind: AssetKind::Gguf, file, chunk_lists, hints: gguf::hints(&header) }.encode();
    let manifest = put(store, &adu, Codec::DagCbor)?;
    blocks.push(manifest);
    Ok((manifest, adu))
}

fn put(store: &dyn Store, bytes: &[u8], codec: Codec) -> Result<BlockRef, StoreError> {
    let len = u64::try_from(bytes.len()).expect("a length fits 64 bits");
    let mut writer = store.create(len)?;
    writer.write(bytes)?;
    let block = writer.finish(None)?;
    Ok(BlockRef { cid: block.cid.with_codec(codec), ..block })
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
    let mut whole = blake3::Hasher::new();
    for list in &parsed.chunk_lists {
        for chunk in ChunkList::decode(&get(store, list)?)?.chunks {
            let bytes = get(store, &chunk)?;
            whole.update(&bytes);
            file.write_all(&bytes)?;
        }
    }
    let actual = Cid::new(Codec::Raw, *whole.finalize().as_bytes());
    if actual != parsed.file.cid {
        std::fs::remove_file(&part)?;
        return Err(AssetError::Mismatch { expected: parsed.file.cid, actual });
    }
    std::fs::rename(&part, &path)?;
    Ok(path)
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
