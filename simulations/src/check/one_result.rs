//! Whoever asks for a job is told its answer once. A failure may be followed by a success; nothing follows
//! a success.

use std::collections::BTreeMap;

use bundle_spec::Digest;
use pannier::agent::{EventKind, Step};

use super::{Check, Violation, WorldView};
use crate::event::WorldEvent;

/// Whoever asks for a job is told its answer once.
#[derive(Default)]
pub(super) struct OneResult {
    /// How many answers and how many failures each asker was told.
    told: BTreeMap<(usize, Digest), (u64, u64)>,
}

impl Check for OneResult {
    fn name(&self) -> &'static str {
        "one_result"
    }

    fn observe(&mut self, now: u64, event: &WorldEvent, view: &WorldView<'_>) -> Result<(), Violation> {
        match event {
            // Who takes a job back, or asks again for what has ended, is told anew.
            WorldEvent::Cancelled { host, job } => {
                self.told.remove(&(*host, *job.digest()));
            }
            WorldEvent::Accepted { host, job, is_answered: false, .. } => {
                let promise = view.reference.promise(*host, job.digest());
                if promise.is_some_and(|promise| promise.since == now) {
                    self.told.remove(&(*host, *job.digest()));
                }
            }
            WorldEvent::Told { host, event } => {
                let EventKind::Job { job, step } = &event.kind else { return Ok(()) };
                if view.reference.promise(*host, job.digest()).is_none() {
                    return Ok(());
                }
                let (answers, failures) = self.told.entry((*host, *job.digest())).or_default();
                match step {
                    Step::Answered { .. } => *answers += 1,
                    Step::Failed { .. } => *failures += 1,
                    _ => return Ok(()),
                }
                if *answers > 1 || *failures > 1 {
                    return Err(Violation::at(*host, format!("{job} is answered once more")));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, _view: &WorldView<'_>) -> Result<(), Violation> {
        Ok(())
    }
}
