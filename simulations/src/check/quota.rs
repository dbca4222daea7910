//! No store is fuller than it may be, no count is beyond its limit, and nothing is kept that nobody needs.

use pannier::limits;

use super::{Check, Violation, WorldView};
use crate::event::WorldEvent;

/// No store is fuller than it may be.
#[derive(Default)]
pub(super) struct Quota;

impl Check for Quota {
    fn name(&self) -> &'static str {
        "quota"
    }

    fn observe(&mut self, _now: u64, event: &WorldEvent, view: &WorldView<'_>) -> Result<(), Violation> {
        match event {
            WorldEvent::Acknowledged { host, .. }
            | WorldEvent::Accepted { host, .. }
            | WorldEvent::Completed { host, .. } => check_host(*host, view),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, view: &WorldView<'_>) -> Result<(), Violation> {
        for (place, host) in view.hosts.iter().enumerate() {
            check_host(place, view)?;
            let Some(agent) = &host.agent else { continue };
            let needed = agent.blocks();
            let orphans = host.disk.blocks().filter(|(digest, _)| !needed.contains(*digest)).count();
            if orphans > 0 {
                return Err(Violation::at(place, format!("{orphans} blocks are kept that nobody needs")));
            }
        }
        Ok(())
    }
}

fn check_host(place: usize, view: &WorldView<'_>) -> Result<(), Violation> {
    let host = &view.hosts[place];
    if host.disk.used() > host.disk.quota() {
        let what = format!("{} bytes are used of {}", host.disk.used(), host.disk.quota());
        return Err(Violation::at(place, what));
    }
    let Some(status) = host.agent.as_ref().map(pannier::agent::Agent::status) else { return Ok(()) };
    let counts = [
        ("bundles", status.bundles, limits::BUNDLES_MAX),
        ("jobs", status.jobs, limits::JOBS_MAX),
        ("links", status.links.len(), limits::LINKS_MAX),
        ("tasks", status.jobs_running, limits::TASKS_MAX),
    ];
    match counts.iter().find(|(_, count, most)| count > most) {
        Some((what, count, most)) => Err(Violation::at(place, format!("{count} {what} of at most {most}"))),
        None => Ok(()),
    }
}
