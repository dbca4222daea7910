//! Nothing stands still and nothing spins: an agent that is woken has something to do, and in the end no
//! task runs, no transfer hangs and no job waits that could have been answered.

use std::collections::BTreeMap;

use super::{Check, Violation, WorldView};
use crate::event::WorldEvent;

/// Most times that an agent may be woken within one millisecond.
const WAKES_MAX: u64 = 20;

/// Nothing stands still and nothing spins.
#[derive(Default)]
pub(super) struct Progress {
    /// When each host was woken last, and how many times in that millisecond.
    wakes: BTreeMap<usize, (u64, u64)>,
}

impl Check for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn observe(&mut self, now: u64, event: &WorldEvent, _view: &WorldView<'_>) -> Result<(), Violation> {
        let WorldEvent::Woken { host } = event else { return Ok(()) };
        let (at, count) = self.wakes.entry(*host).or_insert((now, 0));
        *count = if *at == now { *count + 1 } else { 1 };
        *at = now;
        match *count > WAKES_MAX {
            true => Err(Violation::at(*host, "it is woken again and again for nothing")),
            false => Ok(()),
        }
    }

    fn finish(&mut self, view: &WorldView<'_>) -> Result<(), Violation> {
        for (place, host) in view.hosts.iter().enumerate() {
            let Some(agent) = &host.agent else {
                return Err(Violation::at(place, "it is not up after the calm phase"));
            };
            if let Some(task) = host.tasks.values().next() {
                return Err(Violation::at(place, format!("the task {} still runs", task.task.job)));
            }
            let now = host.time(view.now);
            if let Some((due, reason)) = agent.next_deadline().filter(|(due, _)| *due < now) {
                return Err(Violation::at(place, format!("its deadline {due} ({reason:?}) has passed")));
            }
            let held = agent.bundles();
            let late = held.iter().find(|bundle| bundle.expires < now);
            if let Some(bundle) = late {
                return Err(Violation::at(place, format!("{} is held beyond its end", bundle.id)));
            }
        }
        Ok(())
    }
}
