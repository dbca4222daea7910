//! The main job: a question crosses a gap on the back of a node that can do nothing with it.

use super::world::{Engine, World, echo_job, node};
use crate::agent::{EventKind, JobState, Output, Retention, Step};

#[test]
fn a_job_crosses_a_gap_and_its_answer_comes_home_once() {
    let (mut world, job) = asked();
    assert_eq!(world.job("village", &job).unwrap().waits_for, "a contact");
    world.visit("village", "bus");
    world.visit("bus", "clinic");
    assert!(world.is_answered("clinic", &job));
    assert_eq!(world.hosts["clinic"].runs, 1);
    world.visit("bus", "village");
    assert!(world.is_answered("village", &job));
    assert_eq!(world.answers_told("village"), 1);
    world.check_stores();
}

#[test]
fn copies_are_cured_and_receipts_travel_back() {
    let (mut world, job) = asked();
    world.visit("village", "bus");
    world.visit("bus", "clinic");
    assert_eq!(world.bundles("bus"), 1, "the answer has taken the place of the question");
    assert_eq!(world.agent("bus").bundles()[0].destination.node_id(), Some(node("village")));
    world.visit("bus", "village");
    assert_eq!(world.bundles("bus"), 0);
    assert_eq!(world.bundles("village"), 0);
    assert_eq!(world.bundles("clinic"), 1, "the clinic cannot know yet");
    world.visit("bus", "clinic");
    assert_eq!(world.bundles("clinic"), 0);
    assert!(world.is_answered("clinic", &job), "the answer itself stays for whoever asks next");
    world.check_stores();
}

#[test]
fn the_journey_tells_what_happened() {
    let (mut world, job) = asked();
    world.visit("village", "bus");
    world.visit("bus", "clinic");
    world.visit("bus", "village");
    let expected = [
        Step::Accepted,
        Step::Forwarded { to: Some(node("bus")), cla: "quic".to_owned() },
        Step::Answered { by: node("clinic") },
    ];
    assert_eq!(world.steps("village", &job), expected);
    let at_clinic = world.steps("clinic", &job);
    assert_eq!(at_clinic[0], Step::Received { from: Some(node("bus")) });
    assert_eq!(at_clinic[1], Step::Started { engine: "echo".to_owned() });
    assert_eq!(at_clinic[2], Step::Answered { by: node("clinic") });
}

#[test]
fn every_node_may_be_switched_off_between_contacts() {
    let (mut world, job) = asked();
    for _ in 0..2 {
        for (a, b) in [("village", "bus"), ("bus", "clinic"), ("bus", "village"), ("bus", "clinic")] {
            for name in ["village", "bus", "clinic"] {
                world.restart(name);
            }
            world.equip("clinic", Engine::Echo);
            world.visit(a, b);
        }
    }
    assert!(world.is_answered("village", &job));
    assert_eq!(world.answers_told("village"), 1);
    assert_eq!(world.hosts["clinic"].runs, 1);
    for name in ["village", "bus", "clinic"] {
        assert_eq!(world.bundles(name), 0, "{name} carries nothing any more");
    }
    world.check_stores();
}

#[test]
fn two_clinics_answer_and_the_answer_is_delivered_once() {
    let mut world = World::new(&["village", "bus", "boat", "clinic", "school"]);
    world.equip("clinic", Engine::Echo);
    world.equip("school", Engine::Echo);
    let job = echo_job("how deep is the river?");
    world.submit("village", &job).unwrap();
    world.visit("village", "bus");
    world.visit("village", "boat");
    world.visit("bus", "clinic");
    world.visit("boat", "school");
    world.visit("bus", "village");
    world.visit("boat", "village");
    assert_eq!(world.answers_told("village"), 1);
    assert_eq!(delivered(&world, "village"), 1);
    assert_eq!(world.bundles("boat"), 0, "a second answer is taken and dropped");
}

#[test]
fn two_askers_of_one_job_are_both_answered_by_one_run() {
    let mut world = World::new(&["village", "farm", "bus", "clinic"]);
    world.equip("clinic", Engine::Echo);
    let job = echo_job("when does it rain?");
    world.submit("village", &job).unwrap();
    world.submit("farm", &job).unwrap();
    world.visit("village", "bus");
    world.visit("farm", "bus");
    world.visit("bus", "clinic");
    world.visit("bus", "village");
    world.visit("bus", "farm");
    assert!(world.is_answered("village", &job));
    assert!(world.is_answered("farm", &job));
    assert_eq!(world.hosts["clinic"].runs, 1);
}

#[test]
fn a_job_that_was_answered_here_is_answered_again_without_a_run() {
    let (mut world, job) = asked();
    world.visit("village", "clinic");
    assert!(world.is_answered("village", &job));
    world.pass(std::time::Duration::from_secs(3 * 24 * 3600));
    world.restart("clinic");
    world.equip("clinic", Engine::Echo);
    world.submit("bus", &job).unwrap();
    world.visit("bus", "clinic");
    assert!(world.is_answered("bus", &job));
    assert_eq!(world.hosts["clinic"].runs, 1);
}

#[test]
fn a_mule_that_carries_an_answer_gives_it_to_the_next_asker() {
    let (mut world, job) = asked();
    world.visit("village", "bus");
    world.visit("bus", "clinic");
    let answer = world.submit("bus", &job).unwrap();
    assert_eq!(answer, crate::agent::Answer::Job { job: job.cid(), answered: true });
    world.check_stores();
}

#[test]
fn a_job_is_not_passed_on_while_it_runs() {
    let (mut world, job) = asked();
    world.equip("clinic", Engine::Held);
    world.visit("village", "clinic");
    assert!(world.job("clinic", &job).unwrap().running);
    assert_eq!(world.agent("clinic").bundles()[0].retention, Retention::RunPending);
    world.visit("clinic", "bus");
    assert_eq!(world.bundles("bus"), 0);
}

#[test]
fn a_failure_is_an_answer_and_gives_way_to_a_success() {
    let mut world = World::new(&["village", "clinic", "school"]);
    world.equip("clinic", Engine::Fails);
    let job = echo_job("what is this?");
    world.submit("village", &job).unwrap();
    world.visit("village", "school");
    world.visit("village", "clinic");
    assert!(matches!(world.state("village", &job), Some(JobState::Answered { success: false, .. })));
    world.equip("school", Engine::Echo);
    world.visit("village", "school");
    assert!(world.is_answered("village", &job));
}

fn asked() -> (World, bundle_spec::adu::Job) {
    let mut world = World::new(&["village", "bus", "clinic"]);
    world.clocks(0);
    world.equip("clinic", Engine::Echo);
    let job = echo_job("is this malaria?");
    world.submit("village", &job).unwrap();
    (world, job)
}

fn delivered(world: &World, name: &str) -> usize {
    let told = |output: &&Output| matches!(output, Output::Event(event) if matches!(event.kind, EventKind::Delivered { .. }));
    world.hosts[name].outputs.iter().filter(told).count()
}
