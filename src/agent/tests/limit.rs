//! Every maximum has an outcome with a name.

use std::time::Duration;

use super::world::{World, class, echo_job, node};
use crate::{
    agent::{Input, LinkId, ModelRecord, NewJob, Output, Refusal, Resources, Submission, SubmitError},
    limits,
};

#[test]
fn a_lifetime_must_be_between_a_second_and_a_year() {
    let mut world = World::new(&["village"]);
    for lifetime in [Duration::ZERO, limits::LIFETIME_MAX + Duration::from_secs(1)] {
        let answer = world.submit_for("village", &echo_job("a"), Some(lifetime));
        assert_eq!(answer, Err(SubmitError::Lifetime));
    }
    assert!(world.submit_for("village", &echo_job("a"), Some(limits::LIFETIME_MAX)).is_ok());
}

#[test]
fn a_full_store_refuses_and_keeps_nothing_of_it() {
    let mut world = World::new(&["village"]);
    let full = Resources { store_free: 0, engines: Vec::new(), slots: 0 };
    world.input("village", Input::Resources(full.clone()));
    assert_eq!(world.submit("village", &echo_job("a")), Err(SubmitError::StoreFull));
    assert_eq!(world.bundles("village"), 0);
    world.input("village", Input::Resources(Resources { store_free: 1 << 20, ..full }));
    assert!(world.submit("village", &echo_job("a")).is_ok());
    world.check_stores();
}

#[test]
fn what_would_be_refused_is_known_before_its_blocks_are_written() {
    let mut world = World::new(&["village"]);
    let known = new_job(&echo_job("known"));
    world.submit("village", &echo_job("known")).unwrap();
    let other = new_job(&echo_job("other"));
    assert_eq!(world.agent("village").admit_submission(&other), Ok(()));
    let full = Resources { store_free: 0, engines: Vec::new(), slots: 0 };
    world.input("village", Input::Resources(full));
    assert_eq!(world.agent("village").admit_submission(&other), Err(SubmitError::StoreFull));
    assert_eq!(world.agent("village").admit_submission(&known), Ok(()), "it is here already");
}

fn new_job(job: &bundle_spec::adu::Job) -> Submission {
    let adu = job.encode();
    let payload = bundle_spec::BlockRef::raw(&adu);
    Submission::Job(NewJob { payload, adu, seal: None, blocks: Vec::new(), lifetime: None })
}

#[test]
fn a_peer_is_told_when_there_is_no_room() {
    let mut world = World::new(&["village", "bus"]);
    world.submit("village", &echo_job("a")).unwrap();
    let full = Resources { store_free: 3, engines: Vec::new(), slots: 0 };
    world.input("bus", Input::Resources(full));
    world.visit("village", "bus");
    assert_eq!(world.bundles("bus"), 0);
    assert_eq!(world.bundles("village"), 1);
}

#[test]
fn more_bundles_than_are_held_are_refused() {
    let mut world = World::new(&["village", "bus"]);
    for number in 0..1000 {
        world.submit("village", &echo_job(&number.to_string())).unwrap();
    }
    assert_eq!(world.submit("village", &echo_job("one more")), Err(SubmitError::Limit("bundles")));
    world.submit("bus", &echo_job("of the bus")).unwrap();
    world.visit("village", "bus");
    assert_eq!(world.bundles("bus"), 1000);
    assert_eq!(world.bundles("village"), 1000);
    let refused = world.hosts["bus"].outputs.iter().filter_map(|output| match output {
        Output::Refuse { reason, .. } => Some(*reason),
        _ => None,
    });
    assert!(refused.into_iter().all(|reason| reason == Refusal::NoRoom));
}

#[test]
fn a_contact_beyond_the_limit_is_ended() {
    let mut world = World::new(&["village"]);
    for number in 0..=limits::LINKS_MAX as u64 {
        let link = LinkId(1000 + number);
        world.input("village", Input::ContactOpened { link, peer: Some(node("bus")), class: class() });
    }
    assert_eq!(world.agent("village").status().links.len(), limits::LINKS_MAX);
    assert!(world.hosts["village"].outputs.iter().any(|output| matches!(output, Output::Close { .. })));
}

#[test]
fn a_journey_keeps_its_beginning_and_its_end() {
    let mut world = World::new(&["village"]);
    let job = echo_job("a");
    for _ in 0..2 * limits::JOURNEY_ENTRIES_MAX {
        world.submit("village", &job).unwrap();
        world.now = world.now.plus_ms(1);
    }
    let journey = world.job("village", &job).unwrap().journey;
    assert_eq!(journey.len(), limits::JOURNEY_ENTRIES_MAX);
    assert_eq!(journey[0].at.0, 1000);
    assert_eq!(journey.last().unwrap().at.0, 1000 + 2 * limits::JOURNEY_ENTRIES_MAX as u64 - 1);
}

#[test]
fn an_asset_needs_a_name_and_a_manifest() {
    let mut world = World::new(&["clinic"]);
    let manifest = world.put("clinic", b"no manifest");
    for name in ["", "field-report"] {
        let record = ModelRecord {
            name: name.to_owned(),
            manifest,
            adu: bytes::Bytes::from_static(b"no manifest"),
            blocks: Vec::new(),
        };
        let answer = world.call("clinic", |call| Input::ModelAdded {
            call,
            name: record.name,
            manifest: record.manifest,
            adu: record.adu,
            blocks: record.blocks,
        });
        assert!(matches!(answer, Err(SubmitError::Malformed(_))), "{answer:?}");
    }
    world.check_stores();
}
