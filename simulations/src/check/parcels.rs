//! What people send to one another arrives: every parcel that was accepted is taken once where it was sent
//! to, or its lifetime has ended; and nobody lets what he has accepted expire early.

use std::collections::BTreeMap;

use bundle_spec::{BundleDigest, BundleId};
use pannier::agent::EventKind;

use super::{Check, Violation, WorldView};
use crate::event::WorldEvent;

/// What people send to one another arrives.
#[derive(Default)]
pub(super) struct Parcels {
    /// Parcels that were accepted.
    posted: BTreeMap<BundleDigest, Posted>,
    /// Parcels that were taken, and where.
    taken: BTreeMap<BundleDigest, usize>,
}

struct Posted {
    bundle: BundleId,
    from: usize,
    to: usize,
    until: u64,
}

impl Check for Parcels {
    fn name(&self) -> &'static str {
        "parcels"
    }

    fn observe(&mut self, now: u64, event: &WorldEvent, _view: &WorldView<'_>) -> Result<(), Violation> {
        match event {
            WorldEvent::Posted { host, bundle, to, until } => {
                let posted = Posted { bundle: bundle.clone(), from: *host, to: *to, until: *until };
                self.posted.insert(bundle.digest(), posted);
                Ok(())
            }
            WorldEvent::Taken { host, bundle } => {
                if self.taken.insert(bundle.digest(), *host).is_some() {
                    return Err(Violation::at(*host, format!("{bundle} is delivered twice")));
                }
                match self.posted.get(&bundle.digest()) {
                    Some(posted) if posted.to != *host => {
                        Err(Violation::at(*host, format!("{bundle} is not for this host")))
                    }
                    // One whose acceptance fell to a crash may arrive all the same.
                    Some(_) | None => Ok(()),
                }
            }
            WorldEvent::Told { host, event } => match &event.kind {
                EventKind::Deleted { bundle, why: "expired" } => self.check_end(now, *host, bundle),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn finish(&mut self, view: &WorldView<'_>) -> Result<(), Violation> {
        let lost =
            self.posted.iter().find(|(id, posted)| posted.until > view.now && !self.taken.contains_key(*id));
        match lost {
            Some((_, posted)) => {
                let what = format!(
                    "{} was accepted here and never came to its end; {}",
                    posted.bundle,
                    whereabouts(posted, view)
                );
                Err(Violation::at(posted.from, what))
            }
            None => Ok(()),
        }
    }
}

impl Parcels {
    /// Who has accepted a parcel keeps it as long as was said, whatever its clock does meanwhile.
    fn check_end(&self, now: u64, host: usize, bundle: &BundleId) -> Result<(), Violation> {
        match self.posted.get(&bundle.digest()) {
            Some(posted) if posted.from == host && now < posted.until => {
                Err(Violation::at(host, format!("{bundle} expires {} ms early", posted.until - now)))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Where a bundle or parts of it are.
fn whereabouts(posted: &Posted, view: &WorldView<'_>) -> String {
    let mut places = Vec::new();
    for host in view.hosts {
        let held = host.agent.iter().flat_map(pannier::agent::Agent::bundles);
        let is_it = |id: &BundleId| BundleId { fragment: None, ..id.clone() } == posted.bundle;
        let parts = held.filter(|held| is_it(&held.id)).count();
        if parts > 0 {
            places.push(format!("{} has it in {parts}", host.plan.name));
        }
    }
    places.join(", ")
}

#[cfg(test)]
mod tests {
    use bundle_spec::{CreationTimestamp, DtnTime};
    use pannier::{agent::Event, time::Time};

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn a_parcel_that_is_taken_where_it_was_sent_to_is_fine() {
        check(&[posted(), taken(1)], 50, None);
        check(&[posted(), expired(100)], 100, None);
    }

    #[test]
    fn what_is_lost_taken_twice_or_ended_early_is_found() {
        check(&[posted()], 99, Some("never came"));
        check(&[posted(), taken(1), taken(1)], 50, Some("twice"));
        check(&[posted(), taken(2)], 50, Some("not for this host"));
        check(&[posted(), expired(99)], 100, Some("1 ms early"));
    }

    fn check(events: &[(u64, WorldEvent)], end: u64, expected: Option<&str>) {
        let reference = Reference::default();
        let view = |now| WorldView { now, hosts: &[], reference: &reference };
        let mut check = Parcels::default();
        let mut found = events.iter().find_map(|(at, event)| check.observe(*at, event, &view(*at)).err());
        found = found.or_else(|| check.finish(&view(end)).err());
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!(found.what.contains(expected), "{found:?}"),
            other => panic!("{other:?}"),
        }
    }

    fn bundle() -> BundleId {
        let timestamp = CreationTimestamp { time: DtnTime(1), sequence: 1 };
        BundleId { source: "dtn://north/parcels".parse().unwrap(), timestamp, fragment: None }
    }

    fn posted() -> (u64, WorldEvent) {
        (1, WorldEvent::Posted { host: 0, bundle: bundle(), to: 1, until: 100 })
    }

    fn taken(host: usize) -> (u64, WorldEvent) {
        (2, WorldEvent::Taken { host, bundle: bundle() })
    }

    fn expired(at: u64) -> (u64, WorldEvent) {
        let kind = EventKind::Deleted { bundle: bundle(), why: "expired" };
        (at, WorldEvent::Told { host: 0, event: Event { at: Time(at), wall: 0, kind } })
    }
}
