//! Everything to everybody who does not have it. The baseline: nothing is delivered later by any other router
//! while room and contact time suffice.

use crate::{
    route::{BundleMeta, Contact, Neighbour, Route, Router},
    time::Time,
};

/// Offers every bundle to every contact that leads anywhere near it and does not have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epidemic;

impl Router for Epidemic {
    fn name(&self) -> &'static str {
        "epidemic"
    }

    fn observe(&mut self, _now: Time, _contact: &Contact) {}

    fn route(&mut self, _now: Time, bundle: &BundleMeta<'_>, neighbours: &[Neighbour]) -> Route {
        let contacts: Vec<usize> = neighbours
            .iter()
            .enumerate()
            .filter(|(_, neighbour)| is_useful(bundle, neighbour))
            .map(|(place, _)| place)
            .collect();
        match contacts.is_empty() {
            true => Route::Wait { until: None },
            false => Route::Forward { contacts, keep: true },
        }
    }
}

fn is_useful(bundle: &BundleMeta<'_>, neighbour: &Neighbour) -> bool {
    let is_maker = neighbour.peer.is_some() && bundle.id.source.node_id() == neighbour.peer;
    let is_giver = neighbour.peer.is_some() && bundle.previous == neighbour.peer.as_ref();
    !neighbour.has_it && !is_maker && !is_giver && leads_there(bundle, neighbour)
}

/// A bundle for whoever can use it goes anywhere; one for a single node only where the contact leads to it.
fn leads_there(bundle: &BundleMeta<'_>, neighbour: &Neighbour) -> bool {
    match bundle.destination.node_id() {
        Some(node) => {
            neighbour.toward.is_empty()
                || neighbour.peer.as_ref() == Some(&node)
                || neighbour.toward.contains(&node)
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use bundle_spec::{BundleId, CreationTimestamp, DtnTime, NodeId};

    use super::*;

    #[test]
    fn every_contact_that_lacks_the_bundle_gets_it() {
        check("dtn://clinic/answers", None, &[peer("bus"), has("clinic"), peer("boat")], &[0, 2]);
    }

    #[test]
    fn nobody_gets_back_what_he_made_or_gave() {
        check("dtn://clinic/answers", Some("bus"), &[peer("bus"), peer("village")], &[]);
    }

    #[test]
    fn a_contact_that_leads_to_some_gets_what_is_for_them_or_for_anybody() {
        let stick = || Neighbour { toward: vec![node("clinic")], ..peer("stick") };
        check("dtn://clinic/answers", None, &[stick()], &[0]);
        check("dtn://pannier/~jobs", None, &[stick()], &[0]);
        check("dtn://school/answers", None, &[stick()], &[]);
    }

    fn check(destination: &str, previous: Option<&str>, neighbours: &[Neighbour], expected: &[usize]) {
        let id = BundleId {
            source: "dtn://village/answers".parse().unwrap(),
            timestamp: CreationTimestamp { time: DtnTime(1), sequence: 1 },
            fragment: None,
        };
        let previous = previous.map(node);
        let meta = BundleMeta {
            id: &id,
            destination: &destination.parse().unwrap(),
            previous: previous.as_ref(),
            len: 1,
            expires: Time(1),
        };
        let contacts = match Epidemic.route(Time::ZERO, &meta, neighbours) {
            Route::Forward { contacts, keep } => {
                assert!(keep);
                contacts
            }
            Route::Wait { .. } => Vec::new(),
        };
        assert_eq!(contacts, expected);
    }

    fn node(name: &str) -> NodeId {
        format!("dtn://{name}/").parse().unwrap()
    }

    fn peer(name: &str) -> Neighbour {
        Neighbour { peer: Some(node(name)), toward: Vec::new(), has_it: false }
    }

    fn has(name: &str) -> Neighbour {
        Neighbour { has_it: true, ..peer(name) }
    }
}
