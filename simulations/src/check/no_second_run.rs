//! No job is done twice by one host: who has a result keeps it and runs the job never again.

use std::collections::BTreeMap;

use bundle_spec::Digest;

use super::{Check, Violation, WorldView};
use crate::event::WorldEvent;

/// No job is done twice by one host.
#[derive(Default)]
pub(super) struct NoSecondRun {
    /// Who has done what, and when.
    done: BTreeMap<(usize, Digest), u64>,
}

impl Check for NoSecondRun {
    fn name(&self) -> &'static str {
        "no_second_run"
    }

    fn observe(&mut self, now: u64, event: &WorldEvent, _view: &WorldView<'_>) -> Result<(), Violation> {
        let (host, job, is_end) = match event {
            WorldEvent::Started { host, job, .. } => (*host, job, false),
            WorldEvent::Completed { host, job, .. } => (*host, job, true),
            _ => return Ok(()),
        };
        let key = (host, *job.digest());
        if let Some(before) = self.done.get(&key) {
            let what = format!("{job} runs again; it was done at {before} ms");
            return Err(Violation::at(host, what));
        }
        if is_end {
            self.done.insert(key, now);
        }
        Ok(())
    }

    fn finish(&mut self, _view: &WorldView<'_>) -> Result<(), Violation> {
        Ok(())
    }
}
