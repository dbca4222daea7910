//! Nothing accepted is lost: what was promised or acknowledged is on the disk at that moment and comes back
//! after a crash, and every promise is kept by the end.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{BundleDigest, Cid, Digest};
use pannier::{
    agent::{JobState, RecordKey},
    time::Time,
};

use super::{Check, Violation, WorldView, integrity::keys};
use crate::event::WorldEvent;

/// Nothing accepted is lost.
#[derive(Default)]
pub(super) struct Delivery {
    /// What each host had when it lost its power between two things.
    before: BTreeMap<usize, Holdings>,
}

/// What a host has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Holdings {
    /// Bundles, and when each ends.
    bundles: BTreeMap<BundleDigest, Time>,
    /// Jobs, where each stands, and when it ends.
    jobs: BTreeMap<Digest, (JobState, Time)>,
    /// Models by name.
    models: BTreeSet<String>,
}

impl Check for Delivery {
    fn name(&self) -> &'static str {
        "delivery"
    }

    fn observe(&mut self, _now: u64, event: &WorldEvent, view: &WorldView<'_>) -> Result<(), Violation> {
        match event {
            WorldEvent::Accepted { host, job, .. } => {
                let key = RecordKey::Job(*job.digest());
                match view.hosts[*host].disk.knows(&key) {
                    true => Ok(()),
                    false => Err(Violation::at(*host, format!("{job} is accepted and not durable"))),
                }
            }
            WorldEvent::Acknowledged { host, bundle } => {
                let disk = &view.hosts[*host].disk;
                match keys(bundle.digest()).iter().any(|key| disk.knows(key)) {
                    true => Ok(()),
                    false => Err(Violation::at(*host, format!("{bundle} is acknowledged and not durable"))),
                }
            }
            WorldEvent::Down { host, is_crash: false } => {
                self.before.insert(*host, holdings(*host, view));
                Ok(())
            }
            WorldEvent::Down { host, is_crash: true } => {
                self.before.remove(host);
                Ok(())
            }
            WorldEvent::Up { host } => match self.before.remove(host) {
                Some(before) => compare(*host, &before, view),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn finish(&mut self, view: &WorldView<'_>) -> Result<(), Violation> {
        for (place, promise) in view.reference.promises() {
            let host = &view.hosts[place];
            let job = promise.job;
            let Some(agent) = &host.agent else { continue };
            let Some(known) = agent.job(job.digest()) else {
                return Err(Violation::at(place, format!("{job} is forgotten")));
            };
            // What has ended may be open again, or over, on account of others who ask the same.
            if promise.is_cancelled || promise.until <= view.now {
                continue;
            }
            match known.state {
                JobState::Answered { success: true, .. } => {}
                JobState::Answered { .. } if view.reference.has_failed(job.digest()) => {}
                state => {
                    let what = format!("{job} was promised and is {state:?}; {}", elsewhere(&job, view));
                    return Err(Violation::at(place, what));
                }
            }
        }
        Ok(())
    }
}

/// Where else a job is open, and what it waits for there.
fn elsewhere(job: &Cid, view: &WorldView<'_>) -> String {
    let mut places = Vec::new();
    for host in view.hosts {
        let Some(known) = host.agent.as_ref().and_then(|agent| agent.job(job.digest())) else { continue };
        places.push(format!("{}: {:?}, waits for {}", host.plan.name, known.state, known.waits_for));
    }
    places.join("; ")
}

fn holdings(place: usize, view: &WorldView<'_>) -> Holdings {
    let Some(agent) = &view.hosts[place].agent else { return Holdings::default() };
    // Blocks that came too late for their job go whenever the job is looked at.
    let bundles = agent.bundles().into_iter().filter(|bundle| bundle.job.is_some());
    let models = agent.models().into_iter().filter(|model| model.held);
    Holdings {
        bundles: bundles.map(|bundle| (bundle.id.digest(), bundle.expires)).collect(),
        jobs: agent.jobs().into_iter().map(|job| (*job.job.digest(), (job.state, job.expires))).collect(),
        models: models.map(|model| model.name).collect(),
    }
}

/// What was there before is there again, as far as it has not ended meanwhile, and nothing else is.
fn compare(place: usize, before: &Holdings, view: &WorldView<'_>) -> Result<(), Violation> {
    let (after, now) = (holdings(place, view), view.hosts[place].time(view.now));
    let wrong = |what: &str| Err(Violation::at(place, format!("{what} after a power cut")));
    let lasting = before.bundles.iter().filter(|(_, expires)| **expires > now);
    if lasting.map(|(id, _)| id).any(|id| !after.bundles.contains_key(id)) {
        return wrong("a bundle is missing");
    }
    if after.bundles.keys().any(|id| !before.bundles.contains_key(id)) {
        return wrong("a bundle has come from nowhere");
    }
    let lasting = before.jobs.iter().filter(|(_, (_, expires))| *expires > now);
    if lasting.into_iter().any(|(job, (state, _))| after.jobs.get(job).map(|(after, _)| after) != Some(state))
    {
        return wrong("a job is not as it was");
    }
    if after.models != before.models {
        return wrong("the models are others");
    }
    Ok(())
}
