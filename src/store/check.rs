//! Reads what the log holds and compares checksums and digests: what `doctor` and the start run. It changes
//! nothing and takes no lock for longer than a look.

use std::{
    sync::Arc,
    sync::atomic::{AtomicU8, Ordering},
};

use bundle_spec::{Cid, Codec, Digest};

use super::{
    BlockReader, CheckReport, StoreError,
    block::LogReader,
    catalogue::{Name, What},
    disk::wide,
    frame::ExtentAt,
    log::Log,
    segment::{Position, Segment},
};

/// One block of so many is read by a sample.
const SAMPLE: u8 = 16;
/// How much is read at a time, in bytes.
const STEP_BYTES: usize = 256 * 1024;

/// Which blocks the next sample reads, so that samples add up to the whole.
static TURN: AtomicU8 = AtomicU8::new(0);

impl Log {
    /// Reads everything, or the whole of the records and a sample of the blocks.
    ///
    /// # Errors
    /// `Io` if it cannot even be read.
    pub(super) fn check(self: &Arc<Self>, sample: bool) -> Result<CheckReport, StoreError> {
        let mut report = CheckReport::default();
        let mut records = Vec::new();
        let mut blocks = Vec::new();
        let mut segments = Vec::new();
        {
            let state = self.state();
            report.findings.clone_from(&state.findings);
            for (name, holding) in state.catalogue.iter() {
                match (name, holding.what) {
                    (Name::Record(_), What::Record(extent)) => {
                        records.push((
                            name.clone(),
                            extent,
                            Arc::clone(&state.rooms[&extent.segment].segment),
                        ));
                    }
                    (Name::Block(digest), What::Whole(_) | What::Block(_)) => blocks.push(*digest),
                    _ => {}
                }
            }
            let full = state.rooms.range(..state.active).filter(|(_, room)| !room.segment.is_solo);
            segments.extend(full.map(|(_, room)| Arc::clone(&room.segment)));
        }
        for (name, extent, segment) in records {
            report.entries += 1;
            let is_good = segment.verify(extent.offset, extent.len, extent.crc).unwrap_or(false);
            let is_current =
                self.state().catalogue.get(&name).is_some_and(|h| h.what == What::Record(extent));
            if !is_good && is_current {
                report.findings.push(format!("{}: a record is damaged", place(&extent)));
            }
        }
        let turn = TURN.fetch_add(1, Ordering::Relaxed) % SAMPLE;
        for digest in blocks.iter().filter(|digest| !sample || digest[0] % SAMPLE == turn) {
            report.entries += 1;
            report.blocks += 1;
            report.findings.extend(self.check_block(digest));
        }
        if !sample {
            for segment in segments {
                self.check_chain(&segment, &mut report);
            }
        }
        Ok(report)
    }

    /// What is wrong with a block.
    fn check_block(self: &Arc<Self>, digest: &Digest) -> Option<String> {
        let reader = match LogReader::open(self, digest) {
            Ok(reader) => reader?,
            Err(error) => return Some(format!("a block cannot be read: {error}")),
        };
        let place = place(&reader.extent());
        let cid = Cid::new(Codec::Raw, *digest);
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; STEP_BYTES];
        let mut offset = 0;
        while offset < reader.len() {
            match reader.read_at(offset, &mut buffer) {
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    offset += wide(count);
                }
                Err(error) => return Some(format!("{place}: block {cid}: {error}")),
            }
        }
        (hasher.finalize().as_bytes() != digest)
            .then(|| format!("{place}: block {cid}: its bytes have another digest"))
    }

    /// Whether a full segment's entries follow each other up to its end.
    fn check_chain(&self, segment: &Segment, report: &mut CheckReport) {
        let found = segment.scan(Position::START, &mut |_| Ok(()));
        let is_here = self.state().rooms.get(&segment.number).is_some_and(|room| !room.is_damaged);
        match found {
            Ok(end) if end.is_sealed || !is_here => {}
            Ok(end) => report.findings.push(format!(
                "segment {:016x}, offset {}: the header of an entry is damaged",
                segment.number, end.offset
            )),
            Err(error) => report.findings.push(format!("segment {:016x}: {error}", segment.number)),
        }
    }
}

fn place(extent: &ExtentAt) -> String {
    format!("segment {:016x}, offset {}", extent.segment, extent.offset)
}
