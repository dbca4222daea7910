//! Group commit: whoever needs the disk to be synchronised and finds nobody at it does it for everybody who
//! wrote before. One synchronisation a group. An error here ends the log: what the disk forgot cannot be
//! known.

use std::sync::{
    Arc, Condvar, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use super::Log;
use crate::store::{StoreError, segment::Segment};

/// Who synchronises, and how far.
#[derive(Default)]
pub(in crate::store) struct Commit {
    turn: Mutex<Turn>,
    ended: Condvar,
    /// The last entry that is durable with all before it.
    synced: AtomicU64,
    failed: OnceLock<String>,
}

#[derive(Default)]
struct Turn {
    /// Whether somebody is at it.
    is_taken: bool,
}

impl Commit {
    /// The last entry that is durable with all before it.
    pub(in crate::store) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// Starts from here.
    pub(in crate::store) fn start(&self, seq: u64) {
        self.synced.store(seq, Ordering::Release);
    }

    /// Whether the disk can be trusted.
    ///
    /// # Errors
    /// `Failed` if it cannot.
    pub(in crate::store) fn check(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            Some(reason) => Err(StoreError::Failed(reason.clone())),
            None => Ok(()),
        }
    }
}

impl Log {
    /// Returns when entry `target` and all before it are durable.
    ///
    /// # Errors
    /// `Failed` if the disk is in doubt.
    pub(in crate::store) fn sync_to(&self, target: u64) -> Result<(), StoreError> {
        let commit = &self.commit;
        let mut turn = commit.turn.lock().expect("nobody panics while holding the turn");
        loop {
            commit.check()?;
            if commit.synced() >= target {
                return Ok(());
            }
            if turn.is_taken {
                turn = commit.ended.wait(turn).expect("nobody panics while holding the turn");
                continue;
            }
            turn.is_taken = true;
            drop(turn);
            self.sync_dirty();
            turn = commit.turn.lock().expect("nobody panics while holding the turn");
            turn.is_taken = false;
            commit.ended.notify_all();
        }
    }

    /// Synchronises every segment that was written to. What is written meanwhile is left to the next turn.
    fn sync_dirty(&self) {
        let (seq, segments) = {
            let mut state = self.state();
            let numbers = std::mem::take(&mut state.dirty);
            let segments: Vec<Arc<Segment>> = numbers
                .iter()
                .filter_map(|number| state.rooms.get(number))
                .map(|r| Arc::clone(&r.segment))
                .collect();
            (state.next_seq - 1, segments)
        };
        for segment in segments {
            if let Err(error) = segment.file.sync() {
                tracing::error!(segment = segment.number, %error, "the disk fails: the store stops");
                let _ = self.commit.failed.set(error.to_string());
                return;
            }
        }
        self.commit.synced.store(seq, Ordering::Release);
    }
}
