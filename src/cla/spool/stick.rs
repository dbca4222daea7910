//! What lies on a stick: bundle files with their headers, control files.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use bundle_spec::{
    BundleDigest, Cid, Digest, Header, Lax, NodeId, PayloadTail,
    adu::{Adu, Have},
};
use bytes::Bytes;

use super::layout::{ADU, BUNDLE, BUNDLE_FILES_MAX, CONTROL_FILES_MAX, Folder, Layout, digest_of_name};
use super::{Damage, SpoolError};
use crate::limits::{CONTROL_ADU_BYTES_MAX, PAYLOAD_BYTES_MAX, SUMMARY_ENTRIES_MAX};

/// Longest tail that is read: one byte more than any has.
const TAIL_BYTES_MAX: u64 = 16;

/// A bundle file whose header is sound and whose length fits it.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) digest: BundleDigest,
    pub(super) header: Header,
    /// Length of the file in bytes.
    pub(super) len: u64,
    /// What it asks for or answers.
    pub(super) wish: Option<Wish>,
}

/// Of which job a bundle is, and who asked.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// Digest of the job's CID.
    pub(super) job: Digest,
    /// Who asked.
    pub(super) asker: NodeId,
    /// Sequence number of a job bundle; `None` for a result.
    pub(super) sequence: Option<u64>,
}

impl Entry {
    /// Reads what can be told without reading the whole payload.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn read(layout: &Layout, name: &str) -> Result<Self, Damage> {
        let digest = digest_of_name(name).ok_or(Damage::Name)?;
        let (mut file, len) = layout.read(Folder::Bundles, name)?;
        let header_max = u64::try_from(bundle_spec::HEADER_BYTES_MAX).expect("a small number");
        let mut head = Vec::new();
        (&mut file).take(header_max).read_to_end(&mut head)?;
        let header = Header::parse(&Bytes::from(head), &Lax::strict())?.ok_or(Damage::Length)?.detached();
        if header.payload_len() > PAYLOAD_BYTES_MAX {
            return Err(Damage::TooLarge);
        }
        if header.bundle_len() != Some(len) {
            return Err(Damage::Length);
        }
        if header.bundle_id().digest() != digest {
            return Err(Damage::Name);
        }
        let wish = wish_of(&mut file, &header)?;
        Ok(Self { name: name.to_owned(), digest, header, len, wish })
    }

    /// Opens the file at the payload.
    pub(super) fn payload(&self, layout: &Layout) -> io::Result<File> {
        let (mut file, _) = layout.read(Folder::Bundles, &self.name)?;
        file.seek(SeekFrom::Start(header_len(&self.header)))?;
        Ok(file)
    }
}

/// What follows the payload in `file`, which stands there.
pub(super) fn read_tail(file: &mut File) -> io::Result<Vec<u8>> {
    let mut tail = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut tail)?;
    Ok(tail)
}

fn header_len(header: &Header) -> u64 {
    u64::try_from(header.raw().len()).expect("a length fits 64 bits")
}

/// The job that a bundle asks for or answers, and who asked, if its payload is sound and short enough to be
/// an ADU.
fn wish_of(file: &mut File, header: &Header) -> io::Result<Option<Wish>> {
    let Ok(len) = usize::try_from(header.payload_len()) else { return Ok(None) };
    if len > CONTROL_ADU_BYTES_MAX {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(header_len(header)))?;
    let mut payload = vec![0; len];
    file.read_exact(&mut payload)?;
    let mut checksum = PayloadTail::new(header);
    checksum.update(&payload);
    if checksum.finish(&read_tail(file)?).is_err() {
        return Ok(None);
    }
    let primary = header.primary();
    let (job, asker, sequence) = match Adu::decode(&payload) {
        Ok(Adu::Job(_)) => {
            let sequence = primary.timestamp().sequence;
            (*Cid::dag_cbor(&payload).digest(), primary.source().node_id(), Some(sequence))
        }
        Ok(Adu::Result(result)) => (*result.statement.job.digest(), primary.destination().node_id(), None),
        Ok(_) | Err(_) => return Ok(None),
    };
    Ok(asker.map(|asker| Wish { job, asker, sequence }))
}

/// Everything that lies on a stick.
pub(super) struct Stick {
    pub(super) layout: Layout,
    pub(super) entries: Vec<Entry>,
    /// Files that are not as they should be.
    pub(super) damaged: Vec<(String, Damage)>,
    /// ADUs between agents.
    pub(super) words: Vec<Bytes>,
}

impl Stick {
    /// Looks at everything. Blocks.
    pub(super) fn read(layout: Layout) -> Result<Self, SpoolError> {
        let (mut entries, mut damaged) = (Vec::new(), Vec::new());
        for name in layout.names(Folder::Bundles, BUNDLE, BUNDLE_FILES_MAX)? {
            match Entry::read(&layout, &name) {
                Ok(entry) => entries.push(entry),
                Err(damage) => damaged.push((name, damage)),
            }
        }
        let mut words = Vec::new();
        let adu_max = u64::try_from(CONTROL_ADU_BYTES_MAX).expect("a small number");
        for name in layout.names(Folder::Control, ADU, CONTROL_FILES_MAX)? {
            // A damaged word is no loss: its node says it again.
            let Ok((file, len)) = layout.read(Folder::Control, &name) else { continue };
            let mut adu = Vec::new();
            if len <= adu_max && file.take(adu_max).read_to_end(&mut adu).is_ok() {
                words.push(Bytes::from(adu));
            }
        }
        Ok(Self { layout, entries, damaged, words })
    }

    /// The stick's own summary.
    pub(super) fn summary(&self) -> Vec<Bytes> {
        let bundles: Vec<BundleDigest> = self.entries.iter().map(|entry| entry.digest).collect();
        let mut jobs: Vec<Digest> =
            self.entries.iter().filter_map(|entry| Some(entry.wish.as_ref()?.job)).collect();
        jobs.sort_unstable();
        jobs.dedup();
        let frames = bundles.len().max(jobs.len()).div_ceil(SUMMARY_ENTRIES_MAX).max(1);
        let part = |at: usize, len: usize| {
            (at * SUMMARY_ENTRIES_MAX).min(len)..((at + 1) * SUMMARY_ENTRIES_MAX).min(len)
        };
        let frame = |at: usize| Have {
            node: self.layout.node.clone(),
            more: at + 1 < frames,
            bundles: bundles[part(at, bundles.len())].to_vec(),
            jobs: jobs[part(at, jobs.len())].to_vec(),
        };
        (0..frames).map(|at| frame(at).encode()).collect()
    }

    /// Bytes that the bundle files take up.
    pub(super) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.len).sum()
    }
}
