//! Things that go wrong: damaged blocks, foreign bundles, headers that lie, too many hops.

use std::time::Duration;

use bundle_spec::{Builder, CreationTimestamp, DtnTime, Eid, FragmentOrigin};

use super::world::{Engine, World, echo_job, node};
use crate::{
    agent::{Input, JobState, Output, Record, Refusal, Retention},
    limits,
};

#[test]
fn a_bundle_for_somebody_unknown_is_carried() {
    let mut world = World::new(&["bus", "boat"]);
    world.hand_in("bus", foreign("dtn://nowhere/inbox", 1), b"data");
    assert_eq!(world.agent("bus").bundles()[0].retention, Retention::ForwardPending);
    world.visit("bus", "boat");
    assert_eq!(world.bundles("boat"), 1);
}

#[test]
fn a_job_that_cannot_be_read_is_carried_as_it_is() {
    let mut world = World::new(&["bus", "boat"]);
    world.hand_in("bus", foreign("dtn://pannier/~jobs", 1), b"of a later version");
    assert!(world.agent("bus").jobs().is_empty());
    world.visit("bus", "boat");
    assert_eq!(world.bundles("boat"), 1);
}

#[test]
fn a_bundle_out_of_hops_stays_where_it_is() {
    let mut world = World::new(&["bus", "boat", "raft"]);
    world.hand_in("bus", foreign("dtn://nowhere/inbox", 1).hop_limit(1), b"data");
    world.visit("bus", "boat");
    assert_eq!(world.bundles("boat"), 1);
    world.visit("boat", "raft");
    assert_eq!(world.bundles("raft"), 0);
}

#[test]
fn a_header_that_lies_about_its_payload_is_malformed() {
    let mut world = World::new(&["bus", "boat"]);
    let link = world.meet("bus", "boat");
    let header = foreign("dtn://nowhere/inbox", 1).header(5);
    let payload = world.put("bus", b"four");
    world.input("bus", Input::Received { link, header, payload, adu: None, opened: None });
    let refusal = world.hosts["bus"].outputs.iter().find_map(|output| match output {
        Output::Refuse { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(refusal, Some(Refusal::Malformed));
    world.check_stores();
}

#[test]
fn a_bundle_that_is_not_trusted_is_refused_and_nothing_is_kept_of_it() {
    let mut world = World::new(&["bus", "boat"]);
    let link = world.meet("bus", "boat");
    let header = foreign("dtn://nowhere/inbox", 1).header(4);
    let bundle = header.bundle_id();
    let payload = world.put("bus", b"four");
    let reason = Refusal::Malformed;
    world.input("bus", Input::Distrusted { link, header, payload, reason, report: None });
    let refused = world.hosts["bus"].outputs.iter().find_map(|output| match output {
        Output::Refuse { bundle, reason, .. } => Some((bundle.clone(), *reason)),
        _ => None,
    });
    assert_eq!(refused, Some((bundle, reason)));
    assert_eq!(world.bundles("bus"), 0);
    world.check_stores();
}

#[test]
fn a_bundle_whose_lifetime_is_over_is_refused() {
    let mut world = World::new(&["bus"]);
    let answer = world.hand_in("bus", foreign("dtn://nowhere/inbox", 1).age_ms(3_600_000), b"data");
    assert!(matches!(answer, Output::Refuse { reason: Refusal::Expired, .. }));
    world.clocks(0);
    let old = CreationTimestamp { time: DtnTime(800_000_000_000 - 7_200_000), sequence: 1 };
    let destination = "dtn://nowhere/inbox".parse().unwrap();
    let answer = world.hand_in("bus", Builder::new(stranger(), destination, old, 3_600_000), b"data");
    assert!(matches!(answer, Output::Refuse { reason: Refusal::Expired, .. }));
}

#[test]
fn a_part_of_a_bundle_is_carried_or_waits_for_the_others() {
    let mut world = World::new(&["bus"]);
    for (destination, retention) in [
        ("dtn://nowhere/inbox", Retention::ForwardPending),
        ("dtn://bus/inbox", Retention::ReassemblyPending),
        ("dtn://bus/answers", Retention::ReassemblyPending),
    ] {
        let origin = FragmentOrigin { offset: 2, total: 10 };
        world.hand_in("bus", foreign(destination, 1).fragment(origin), b"part");
        let bundles = world.agent("bus").bundles();
        let held = bundles.iter().find(|bundle| bundle.destination.to_string() == destination);
        assert_eq!(held.unwrap().retention, retention);
        world.pass(Duration::from_secs(3600));
    }
}

#[test]
fn a_damaged_payload_is_given_up_and_may_come_again() {
    let mut world = World::new(&["village", "bus"]);
    world.submit("village", &echo_job("a")).unwrap();
    world.visit("village", "bus");
    let cid = world.agent("bus").bundles()[0].payload.cid;
    world.input("bus", Input::BlockLost { cid });
    assert_eq!(world.bundles("bus"), 0);
    world.pass(limits::RELEASE_PAUSE);
    world.visit("village", "bus");
    assert_eq!(world.bundles("bus"), 1);
}

#[test]
fn a_damaged_answer_is_asked_for_again() {
    let mut world = World::new(&["clinic"]);
    world.equip("clinic", Engine::Echo);
    let job = echo_job("a");
    world.submit("clinic", &job).unwrap();
    let Some(JobState::Answered { result, .. }) = world.state("clinic", &job) else {
        panic!("the job is answered");
    };
    world.input("clinic", Input::BlockLost { cid: result.cid });
    assert_eq!(world.state("clinic", &job), Some(JobState::Done));
    world.submit("clinic", &job).unwrap();
    assert!(world.is_answered("clinic", &job));
    world.check_stores();
}

#[test]
fn askers_beyond_the_limit_are_answered_all_the_same() {
    let mut world = World::new(&["bus", "clinic"]);
    let payload = echo_job("a").encode();
    let count = u64::try_from(limits::ASKERS_MAX).unwrap() + 3;
    for number in 0..count {
        let reply_to: Eid = format!("dtn://asker{number}/answers").parse().unwrap();
        let builder = foreign("dtn://pannier/~jobs", number).report_to(reply_to);
        world.hand_in("bus", builder, &payload);
    }
    world.equip("clinic", Engine::Echo);
    world.visit("bus", "clinic");
    let answered = |world: &World, name| {
        let bundles = world.agent(name).bundles();
        let answers = bundles.iter().filter(|bundle| bundle.destination.to_string().ends_with("/answers"));
        let askers: std::collections::BTreeSet<_> =
            answers.map(|bundle| bundle.destination.clone()).collect();
        u64::try_from(askers.len()).unwrap()
    };
    assert_eq!(answered(&world, "clinic"), count);
    assert_eq!(world.hosts["clinic"].runs, 1);
    let askers = world.hosts["clinic"].records.iter().filter_map(|record| match record {
        Record::Job(job) => Some(job.askers.len()),
        _ => None,
    });
    assert!(askers.max() <= Some(limits::ASKERS_MAX));
}

#[test]
fn nothing_on_the_wire_makes_an_agent_panic() {
    let destinations =
        ["dtn://pannier/~jobs", "dtn://pannier/~blocks", "dtn://clinic/answers", "dtn://clinic/echo"];
    bolero::check!().with_iterations(300).for_each(|bytes: &[u8]| {
        let mut world = World::new(&["clinic"]);
        for (number, destination) in (0..).zip(destinations) {
            world.hand_in("clinic", foreign(destination, number), bytes);
        }
        world.check_stores();
    });
}

fn stranger() -> Eid {
    node("stranger").endpoint("data", 1)
}

/// A bundle of a stranger that lives for an hour.
fn foreign(destination: &str, sequence: u64) -> Builder {
    let timestamp = CreationTimestamp { time: DtnTime(0), sequence };
    Builder::new(stranger(), destination.parse().unwrap(), timestamp, 3_600_000).age_ms(0)
}
