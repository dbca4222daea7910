//! What agents say to each other by way of a stick: one file per word, the later one of a node in place of
//! the earlier one. A receipt or a cancellation is later if it ends later wishes.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Write},
};

use bundle_spec::{
    Digest, NodeId,
    adu::{ADU_BYTES_MAX, Adu},
};
use bytes::Bytes;

use super::{
    SpoolError,
    layout::{ADU, CONTROL_FILES_MAX, Folder, Layout, STEPS, hex, put},
    stick::Wish,
};

/// The name of the file for an announced ADU; `None` for what does not travel on sticks: a summary speaks of
/// its own node at its own time, and the stick has one of its own.
pub(super) fn name_of(adu: &[u8]) -> Option<String> {
    let (kind, node, which) = match Adu::decode(adu).ok()? {
        Adu::Advert(advert) => ("advert", advert.node, None),
        Adu::Receipt(receipt) => ("receipt", receipt.node, Some(*receipt.job.digest())),
        Adu::Cancel(cancel) => ("cancel", cancel.node, Some(*cancel.job.digest())),
        Adu::Job(_)
        | Adu::Result(_)
        | Adu::SealedJob(_)
        | Adu::SealedResult(_)
        | Adu::Manifest(_)
        | Adu::ChunkList(_)
        | Adu::Want(_)
        | Adu::Have(_) => {
            return None;
        }
    };
    let node = hex(&blake3::hash(node.to_string().as_bytes()).as_bytes()[..8]);
    Some(match which {
        Some(job) => format!("{kind}-{node}-{}{ADU}", hex(&job[..16])),
        None => format!("{kind}-{node}{ADU}"),
    })
}

/// The wishes that words prove to be over.
#[derive(Default)]
pub(super) struct Endings {
    /// By job and asker, up to which sequence number.
    jobs: BTreeMap<(Digest, NodeId), u64>,
    /// Who has the answer to a job.
    answered: BTreeSet<(Digest, NodeId)>,
}

impl Endings {
    /// A word was read or said.
    pub(super) fn hear(&mut self, adu: &[u8]) {
        let (key, sequence) = match Adu::decode(adu) {
            Ok(Adu::Receipt(receipt)) if receipt.verify().is_ok() => {
                let key = (*receipt.job.digest(), receipt.node);
                self.answered.insert(key.clone());
                (key, receipt.sequence)
            }
            Ok(Adu::Cancel(cancel)) if cancel.verify().is_ok() => {
                ((*cancel.job.digest(), cancel.node), cancel.sequence)
            }
            Ok(_) | Err(_) => return,
        };
        let last = self.jobs.entry(key).or_insert(sequence);
        *last = sequence.max(*last);
    }

    /// Whether nobody waits for a bundle of this job any more.
    pub(super) fn cover(&self, wish: &Wish) -> bool {
        let key = (wish.job, wish.asker.clone());
        match wish.sequence {
            Some(sequence) => self.jobs.get(&key).is_some_and(|last| sequence <= *last),
            None => self.answered.contains(&key),
        }
    }
}

/// The words that lie on a stick.
pub(super) struct Words {
    layout: Layout,
    names: BTreeSet<String>,
}

impl Words {
    /// Looks which there are. Blocks.
    pub(super) fn open(layout: Layout) -> Result<Self, SpoolError> {
        let names = layout.names(Folder::Control, ADU, CONTROL_FILES_MAX)?;
        Ok(Self { layout, names: names.into_iter().collect() })
    }

    /// Writes a word to the stick, unless it is there. Blocks. Over the limit it is not written; nothing is
    /// lost but time, since its node says it again.
    pub(super) fn keep(&mut self, adu: &Bytes) -> io::Result<()> {
        let Some(name) = name_of(adu) else { return Ok(()) };
        if self.names.contains(&name) {
            if self.is_said(&name, adu) {
                return Ok(());
            }
        } else if self.names.len() >= CONTROL_FILES_MAX {
            return Ok(());
        }
        put(&self.layout.folder(Folder::Control), &name, &STEPS, |file| file.write_all(adu))?;
        self.names.insert(name);
        Ok(())
    }

    /// Whether the word is there, or one that says more.
    fn is_said(&self, name: &str, adu: &Bytes) -> bool {
        let Ok((file, _)) = self.layout.read(Folder::Control, name) else { return false };
        let limit = u64::try_from(ADU_BYTES_MAX).expect("a small number");
        let mut found = Vec::new();
        if file.take(limit).read_to_end(&mut found).is_err() {
            return false;
        }
        found == adu.as_ref() || last_ended(&found).is_some_and(|last| Some(last) >= last_ended(adu))
    }
}

/// Up to which sequence number a receipt or a cancellation ends wishes; `None` for anything else, and if
/// nobody signed it.
fn last_ended(adu: &[u8]) -> Option<u64> {
    match Adu::decode(adu).ok()? {
        Adu::Receipt(receipt) if receipt.verify().is_ok() => Some(receipt.sequence),
        Adu::Cancel(cancel) if cancel.verify().is_ok() => Some(cancel.sequence),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bundle_spec::{
        Cid,
        adu::{Cancel, Receipt},
        sign::SigningKey,
    };

    use super::*;

    #[test]
    fn later_wishes_and_results_for_who_has_only_taken_it_back_stay_on_the_stick() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let (job, asker) = (Cid::dag_cbor(b"a job"), key.public().node_id());
        let wish = |sequence| Wish { job: *job.digest(), asker: asker.clone(), sequence };
        let covered = |endings: &Endings| [Some(7), Some(8), None].map(|last| endings.cover(&wish(last)));
        let mut endings = Endings::default();
        endings.hear(&Cancel::sign(job, asker.clone(), 7, &key).encode());
        endings.hear(&Cancel::sign(job, asker.clone(), 6, &key).encode());
        assert_eq!(covered(&endings), [true, false, false]);
        endings.hear(&Receipt::sign(job, job, asker.clone(), 0, 8, &key).encode());
        assert_eq!(covered(&endings), [true, true, true]);
    }
}
