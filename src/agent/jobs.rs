//! Every job that is known, in every order in which it is looked for. Holds no policy.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{BlockRef, Digest, Eid, NodeId};

use super::{AskerRecord, JobRecord, JobState, JourneyEntry, Step};
use crate::{limits, time::Time};

impl AskerRecord {
    /// Whether it is this node.
    pub(super) fn is_of(&self, node: &NodeId) -> bool {
        self.reply_to.node_id().as_ref() == Some(node)
    }
}

impl JobRecord {
    /// When it was first seen here.
    pub(super) fn since(&self) -> Time {
        self.journey.first().map_or(Time::ZERO, |entry| entry.at)
    }

    /// When nobody waits for an answer any more; `None` without askers.
    pub(super) fn wanted_until(&self) -> Option<Time> {
        self.askers.iter().map(|asker| asker.until).max()
    }

    /// When something is due: the end of the wish while it is open, else the end of the memory.
    fn deadline(&self) -> Time {
        match self.state {
            JobState::Open => self.wanted_until().unwrap_or(self.until),
            JobState::Answered { .. } | JobState::Done | JobState::Expired | JobState::Cancelled => {
                self.until
            }
        }
    }

    /// Whether it waits for an answer.
    pub(super) fn is_open(&self) -> bool {
        self.state == JobState::Open
    }

    /// Who wants the answer there.
    pub(super) fn asker_mut(&mut self, reply_to: &Eid) -> Option<&mut AskerRecord> {
        self.askers.iter_mut().find(|asker| asker.reply_to == *reply_to)
    }

    /// The last wish of a node; `None` if it wishes nothing.
    pub(super) fn wish_of(&self, node: &NodeId) -> Option<u64> {
        self.askers.iter().filter(|asker| asker.is_of(node)).map(|asker| asker.sequence).max()
    }

    /// Whether no output of its answer is missing.
    pub(super) fn is_whole(&self) -> bool {
        !self.outputs.iter().any(|output| self.missing.contains(output.cid.digest()))
    }

    /// Adds a step; beyond the limit the middle goes.
    pub(super) fn step(&mut self, at: Time, wall: u64, step: Step) {
        if self.journey.len() >= limits::JOURNEY_ENTRIES_MAX {
            self.journey.remove(limits::JOURNEY_ENTRIES_MAX / 2);
        }
        self.journey.push(JourneyEntry { at, wall, step });
    }

    /// Every block that is held on account of it:
    ///
    /// | state                  | job | inputs | result and outputs |
    /// |------------------------|-----|--------|--------------------|
    /// | `Open`                 | yes | yes    |                    |
    /// | `Answered`             | yes |        | yes                |
    /// | `Expired`, `Cancelled` | yes |        |                    |
    /// | `Done`                 |     |        |                    |
    pub(super) fn blocks(&self) -> Vec<BlockRef> {
        let job = self.work.as_ref().map(|_| self.payload);
        let mut blocks: Vec<BlockRef> = job.into_iter().collect();
        match &self.state {
            JobState::Open => blocks.extend(self.work.iter().flat_map(|work| &work.inputs)),
            JobState::Answered { result, .. } => {
                blocks.push(*result);
                blocks.extend(&self.outputs);
            }
            JobState::Expired | JobState::Cancelled => {}
            JobState::Done => blocks.clear(),
        }
        blocks.retain(|block| !self.missing.contains(block.cid.digest()));
        blocks
    }
}

/// All jobs.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    /// By digest of the CID.
    records: BTreeMap<Digest, JobRecord>,
    /// Jobs that are open, oldest first.
    open: BTreeSet<(Time, Digest)>,
    /// When something is due about an open job.
    open_deadlines: BTreeSet<(Time, Digest)>,
    /// When a finished job is forgotten.
    finished: BTreeSet<(Time, Digest)>,
    /// Blocks that are not here, and the jobs that link to them.
    missing: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl Jobs {
    /// How many jobs are known.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// One job.
    pub(super) fn get(&self, job: &Digest) -> Option<&JobRecord> {
        self.records.get(job)
    }

    /// All jobs by digest.
    pub(super) fn iter(&self) -> impl Iterator<Item = &JobRecord> {
        self.records.values()
    }

    /// Jobs that are open, oldest first.
    pub(super) fn open(&self) -> &BTreeSet<(Time, Digest)> {
        &self.open
    }

    /// The open job of which something is due first.
    pub(super) fn first_due(&self) -> Option<(Time, Digest)> {
        self.open_deadlines.first().copied()
    }

    /// The finished job that is forgotten first.
    pub(super) fn first_finished(&self) -> Option<(Time, Digest)> {
        self.finished.first().copied()
    }

    /// The jobs that link to a block that is not here.
    pub(super) fn missing(&self, block: &Digest) -> Vec<Digest> {
        self.missing.get(block).into_iter().flatten().copied().collect()
    }

    /// Whether any job links to a block that is not here.
    pub(super) fn lacks_blocks(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Puts a job in, in the place of what was known of it.
    pub(super) fn insert(&mut self, record: JobRecord) -> Option<JobRecord> {
        let job = *record.job.digest();
        let before = self.remove(&job);
        match record.is_open() {
            true => {
                self.open.insert((record.since(), job));
                self.open_deadlines.insert((record.deadline(), job));
            }
            false => {
                self.finished.insert((record.deadline(), job));
            }
        }
        for block in &record.missing {
            self.missing.entry(*block).or_default().insert(job);
        }
        self.records.insert(job, record);
        before
    }

    /// Forgets a job.
    pub(super) fn remove(&mut self, job: &Digest) -> Option<JobRecord> {
        let record = self.records.remove(job)?;
        self.open.remove(&(record.since(), *job));
        self.open_deadlines.remove(&(record.deadline(), *job));
        self.finished.remove(&(record.deadline(), *job));
        for block in &record.missing {
            if let Some(jobs) = self.missing.get_mut(block) {
                jobs.remove(job);
                if jobs.is_empty() {
                    self.missing.remove(block);
                }
            }
        }
        Some(record)
    }
}
