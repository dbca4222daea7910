//! Jobs as people here see them: submitted, submitted again, expired, taken back.

use std::time::Duration;

use bundle_spec::{
    BlockRef, Cid, DtnTime,
    adu::{AduError, Cancel, Job, JobInput},
};

use super::world::{Engine, World, echo_job, engines, node};
use crate::{
    agent::{
        Answer, EventKind, Input, JobState, NewBundle, Output, Record, Retention, Step, Submission,
        SubmitError, TaskOutcome, Terms,
    },
    limits,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn the_answer_to_a_submission_follows_its_records() {
    let mut world = World::new(&["village"]);
    world.submit("village", &echo_job("a")).unwrap();
    let outputs = &world.hosts["village"].outputs;
    let place = |wanted: fn(&Output) -> bool| outputs.iter().position(wanted).unwrap();
    let answer = place(|output| matches!(output, Output::Answer { .. }));
    assert!(place(|output| matches!(output, Output::Record(Record::Job(_)))) < answer);
    assert!(place(|output| matches!(output, Output::Record(Record::Bundle(_)))) < answer);
    let sequence = place(|output| matches!(output, Output::Record(Record::Sequence { .. })));
    assert!(sequence < place(|output| matches!(output, Output::Record(Record::Bundle(_)))));
}

#[test]
fn the_same_job_submitted_again_is_the_same_job() {
    let mut world = World::new(&["village"]);
    let job = echo_job("a");
    let first = world.submit_for("village", &job, Some(DAY)).unwrap();
    assert_eq!(world.submit_for("village", &job, Some(5 * DAY)).unwrap(), first);
    assert_eq!(world.bundles("village"), 1);
    let expires = world.job("village", &job).unwrap().expires;
    assert_eq!(expires, world.now + 5 * DAY);
    world.pass(2 * DAY);
    assert_eq!(world.state("village", &job), Some(JobState::Open));
    assert_eq!(world.bundles("village"), 1, "a new bundle has taken the place of the expired one");
    world.pass(4 * DAY);
    assert_eq!(world.state("village", &job), Some(JobState::Expired));
    assert_eq!(world.bundles("village"), 0);
}

#[test]
fn an_answered_job_is_answered_at_once() {
    let mut world = World::new(&["clinic"]);
    world.equip("clinic", Engine::Echo);
    let job = echo_job("a");
    assert_eq!(
        world.submit("clinic", &job).unwrap(),
        Answer::Job { job: job.cid(), answered: false },
        "the engine has not begun when the submission is answered"
    );
    assert!(world.is_answered("clinic", &job));
    assert_eq!(world.bundles("clinic"), 0);
    assert_eq!(world.submit("clinic", &job).unwrap(), Answer::Job { job: job.cid(), answered: true });
    assert_eq!(world.hosts["clinic"].runs, 1);
    assert_eq!(world.answers_told("clinic"), 1);
    world.check_stores();
}

#[test]
fn an_expired_job_is_told_once_and_opens_again() {
    let mut world = World::new(&["village"]);
    let job = echo_job("a");
    world.submit_for("village", &job, Some(DAY)).unwrap();
    world.pass(2 * DAY);
    assert_eq!(world.steps("village", &job), [Step::Accepted, Step::Expired]);
    assert_eq!(
        events(&world, "village", |kind| matches!(kind, EventKind::Job { step: Step::Expired, .. })),
        1
    );
    world.submit("village", &job).unwrap();
    assert_eq!(world.state("village", &job), Some(JobState::Open));
    assert_eq!(world.bundles("village"), 1);
}

#[test]
fn a_finished_job_is_forgotten_after_its_grace() {
    let mut world = World::new(&["village"]);
    let job = echo_job("a");
    world.submit_for("village", &job, Some(DAY)).unwrap();
    world.pass(DAY + limits::TOMBSTONE_GRACE + DAY);
    assert_eq!(world.state("village", &job), None);
    world.check_stores();
}

#[test]
fn a_bundle_that_expires_in_transit_is_not_forwarded() {
    let mut world = World::new(&["village", "bus", "clinic"]);
    world.equip("clinic", Engine::Echo);
    let job = echo_job("a");
    world.submit_for("village", &job, Some(DAY)).unwrap();
    world.visit("village", "bus");
    world.pass(DAY);
    world.visit("bus", "clinic");
    assert_eq!(world.bundles("bus"), 0);
    assert_eq!(world.hosts["clinic"].runs, 0);
}

#[test]
fn age_counts_where_nobody_has_a_clock() {
    let mut world = World::new(&["village", "bus", "boat"]);
    world.submit_for("village", &echo_job("a"), Some(2 * DAY)).unwrap();
    world.pass(DAY);
    world.visit("village", "bus");
    let expires = world.agent("bus").bundles()[0].expires;
    assert_eq!(expires, world.now + DAY);
    world.pass(DAY / 2);
    world.visit("bus", "boat");
    assert_eq!(world.agent("boat").bundles()[0].expires, expires);
}

#[test]
fn a_job_taken_back_is_taken_back_everywhere() {
    let mut world = World::new(&["village", "bus", "clinic"]);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    world.visit("village", "bus");
    assert_eq!(cancel(&mut world, "village", &job), Ok(Answer::Done));
    assert_eq!(world.state("village", &job), Some(JobState::Cancelled));
    assert_eq!(world.bundles("village"), 0);
    world.visit("village", "bus");
    assert_eq!(world.bundles("bus"), 0);
    assert_eq!(world.state("bus", &job), Some(JobState::Cancelled));
    assert_eq!(cancel(&mut world, "village", &job), Err(SubmitError::Over));
}

#[test]
fn a_running_task_is_stopped_when_nobody_wants_its_answer() {
    let mut world = World::new(&["clinic"]);
    world.equip("clinic", Engine::Held);
    let job = echo_job("a");
    world.submit("clinic", &job).unwrap();
    assert!(world.job("clinic", &job).unwrap().running);
    cancel(&mut world, "clinic", &job).unwrap();
    assert!(matches!(stops(&world, "clinic")[..], [task] if task == job.cid()));
    world.input("clinic", Input::TaskEnded { task: job.cid(), outcome: TaskOutcome::Stopped });
    assert_eq!(world.state("clinic", &job), Some(JobState::Cancelled));
    world.check_stores();
}

#[test]
fn a_job_asked_anew_begins_once_its_stopped_task_has_ended() {
    let mut world = World::new(&["clinic"]);
    world.equip("clinic", Engine::Held);
    let job = echo_job("a");
    world.submit("clinic", &job).unwrap();
    cancel(&mut world, "clinic", &job).unwrap();
    world.submit("clinic", &job).unwrap();
    assert_eq!(world.hosts["clinic"].runs, 1);
    world.input("clinic", Input::TaskEnded { task: job.cid(), outcome: TaskOutcome::Stopped });
    assert_eq!(world.hosts["clinic"].runs, 2);
    assert!(world.job("clinic", &job).unwrap().running);
}

#[test]
fn a_job_taken_back_by_one_asker_goes_on_for_the_other() {
    let mut world = World::new(&["village", "farm", "clinic"]);
    world.equip("clinic", Engine::Held);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    world.submit("farm", &job).unwrap();
    world.visit("village", "clinic");
    world.visit("farm", "clinic");
    cancel(&mut world, "village", &job).unwrap();
    world.visit("village", "clinic");
    assert!(stops(&world, "clinic").is_empty());
    world.end_task("clinic", job.cid(), None);
    world.settle();
    world.visit("farm", "clinic");
    assert!(world.is_answered("farm", &job));
    world.visit("village", "clinic");
    assert_eq!(world.state("village", &job), Some(JobState::Cancelled));
}

#[test]
fn a_job_taken_back_may_be_asked_anew() {
    let mut world = World::new(&["village", "clinic"]);
    world.clocks(0);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    world.visit("village", "clinic");
    cancel(&mut world, "village", &job).unwrap();
    world.visit("village", "clinic");
    world.pass(DAY);
    world.equip("clinic", Engine::Echo);
    world.submit("village", &job).unwrap();
    world.visit("village", "clinic");
    assert!(world.is_answered("village", &job));
}

#[test]
fn a_job_that_is_asked_again_after_a_cancellation_lives() {
    let mut world = asked_again();
    let job = echo_job("a");
    world.visit("village", "bus");
    assert_eq!(world.bundles("bus"), 1, "the second wish, not the first");
    world.visit("boat", "bus");
    assert_eq!(world.bundles("boat"), 1, "the boat takes the second wish although the first is over");
    assert_eq!(world.state("bus", &job), Some(JobState::Open));
    world.restart("bus");
    world.restart("boat");
    world.visit("boat", "bus");
    assert_eq!((world.bundles("bus"), world.bundles("boat")), (1, 1));
    world.visit("bus", "clinic");
    world.visit("bus", "village");
    assert!(world.is_answered("village", &job));
    world.visit("bus", "clinic");
    world.visit("bus", "boat");
    let left: Vec<usize> =
        ["village", "bus", "boat", "clinic"].iter().map(|name| world.bundles(name)).collect();
    assert_eq!(left, [0; 4], "the receipt covers both wishes");
    world.check_stores();
}

#[test]
fn a_late_copy_of_a_job_taken_back_is_refused_although_it_is_asked_again() {
    let mut world = asked_again();
    world.visit("village", "boat");
    let left = |world: &World| world.agent("boat").bundles().iter().map(|bundle| bundle.id.clone()).collect();
    let wishes: Vec<_> = left(&world);
    assert_eq!(wishes.len(), 1);
    world.visit("bus", "boat");
    assert_eq!(left(&world), wishes, "the bus carried the first wish");
}

#[test]
fn the_answer_to_the_second_wish_outlives_the_cancellation_of_the_first() {
    let mut world = asked_again();
    let job = echo_job("a");
    world.visit("village", "boat");
    world.visit("boat", "clinic");
    assert!(world.is_answered("clinic", &job));
    // The bus takes the answer from the clinic, never the second wish, and only then hears of the end of the
    // first.
    world.visit("clinic", "bus");
    let is_answer = |world: &World| {
        let bundles = world.agent("bus").bundles();
        bundles.iter().any(|bundle| bundle.destination.node_id() == Some(node("village")))
    };
    assert!(is_answer(&world));
    world.visit("boat", "bus");
    assert!(is_answer(&world));
    world.visit("bus", "village");
    assert!(world.is_answered("village", &job));
}

#[test]
fn a_wish_that_is_taken_back_twice_is_taken_back_everywhere() {
    let mut world = asked_again();
    let job = echo_job("a");
    world.visit("village", "boat");
    cancel(&mut world, "village", &job).unwrap();
    world.visit("village", "boat");
    assert_eq!(world.bundles("boat"), 0);
    assert_eq!(world.state("boat", &job), Some(JobState::Cancelled));
    world.visit("boat", "bus");
    assert_eq!(world.bundles("bus"), 0);
}

#[test]
fn a_forged_cancellation_changes_nothing() {
    let mut world = World::new(&["village", "bus"]);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    world.visit("village", "bus");
    let link = world.meet("village", "bus");
    let key = bundle_spec::sign::SigningKey::from_bytes(&[9; 32]);
    let mut forged = Cancel::sign(job.cid(), node("village"), u64::MAX, &key);
    forged.signature.bytes[0] ^= 1;
    assert_eq!(forged.verify(), Err(AduError::Signature));
    world.input("village", Input::Heard { link, adu: forged.encode() });
    let link_of_bus = world.agent("bus").status().links[0].link;
    world.input("bus", Input::Heard { link: link_of_bus, adu: forged.encode() });
    assert_eq!(world.bundles("bus"), 1);
}

#[test]
fn an_unknown_job_cannot_be_taken_back() {
    let mut world = World::new(&["village"]);
    assert_eq!(cancel(&mut world, "village", &echo_job("a")), Err(SubmitError::NotFound));
}

#[test]
fn linked_inputs_travel_on_their_own_and_the_job_waits_for_them() {
    let mut world = World::new(&["village", "clinic"]);
    world.equip("clinic", Engine::Echo);
    let block = world.put("village", &[7; 100_000]);
    let job = linked_job(block);
    world.submit("village", &job).unwrap();
    assert_eq!(world.bundles("village"), 2);
    world.visit("village", "clinic");
    assert!(world.is_answered("village", &job));
    assert_eq!(world.bundles("village"), 0);
    assert_eq!(world.bundles("clinic"), 0);
    world.check_stores();
}

#[test]
fn a_job_without_its_input_waits_and_says_so() {
    let mut world = World::new(&["clinic"]);
    world.equip("clinic", Engine::Echo);
    let job = linked_job(BlockRef::raw(b"elsewhere"));
    world.submit("clinic", &job).unwrap();
    assert_eq!(world.job("clinic", &job).unwrap().waits_for, "1 linked block");
    let block = world.put("clinic", b"elsewhere");
    world.input("clinic", Input::BlockGained { block });
    assert!(world.is_answered("clinic", &job));
}

#[test]
fn a_job_waits_for_a_slot_and_runs_when_one_is_free() {
    let mut world = World::new(&["clinic"]);
    world.equip("clinic", Engine::Held);
    let (first, second) = (echo_job("1"), echo_job("2"));
    world.submit("clinic", &first).unwrap();
    world.submit("clinic", &second).unwrap();
    assert_eq!(world.job("clinic", &second).unwrap().waits_for, "a free slot");
    world.end_task("clinic", first.cid(), None);
    world.settle();
    assert!(world.job("clinic", &second).unwrap().running);
}

#[test]
fn a_task_that_was_stopped_begins_again_once_there_is_power() {
    let mut world = World::new(&["clinic"]);
    world.equip("clinic", Engine::Held);
    let job = echo_job("a");
    world.submit("clinic", &job).unwrap();
    world.input("clinic", Input::Resources(engines(0)));
    world.input("clinic", Input::TaskEnded { task: job.cid(), outcome: TaskOutcome::Stopped });
    assert!(!world.job("clinic", &job).unwrap().running);
    assert_eq!(world.agent("clinic").bundles()[0].retention, Retention::ForwardPending);
    world.equip("clinic", Engine::Echo);
    assert!(world.is_answered("clinic", &job));
}

#[test]
fn a_running_task_begins_again_after_a_restart() {
    let mut world = World::new(&["village", "clinic"]);
    world.equip("clinic", Engine::Held);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    world.visit("village", "clinic");
    world.restart("clinic");
    assert!(!world.job("clinic", &job).unwrap().running);
    world.equip("clinic", Engine::Echo);
    assert!(world.is_answered("clinic", &job));
    assert_eq!(world.hosts["clinic"].runs, 2);
}

#[test]
fn what_is_no_job_is_refused() {
    let mut world = World::new(&["village"]);
    let payload = world.put("village", b"not a job");
    let new = crate::agent::NewJob {
        payload,
        adu: bytes::Bytes::from_static(b"not a job"),
        seal: None,
        blocks: Vec::new(),
        lifetime: None,
    };
    let answer = world.call("village", |call| Input::Submit { call, submission: Submission::Job(new) });
    assert!(matches!(answer, Err(SubmitError::Malformed(_))), "{answer:?}");
    world.check_stores();
}

#[test]
fn an_echo_comes_back() {
    let mut world = World::new(&["village", "clinic"]);
    let payload = world.put("village", b"hello");
    let new = NewBundle {
        destination: "dtn://clinic/echo".parse().unwrap(),
        source: "ping".to_owned(),
        payload,
        lifetime: Some(DAY),
        terms: Terms::default(),
    };
    let submission = Submission::Bundle(new);
    world.call("village", |call| Input::Submit { call, submission }).unwrap();
    world.visit("village", "clinic");
    let delivered = world.hosts["village"].outputs.iter().find_map(|output| match output {
        Output::Deliver { endpoint, payload, .. } => Some((endpoint.to_string(), payload.cid)),
        _ => None,
    });
    assert_eq!(delivered, Some(("dtn://village/ping".to_owned(), payload.cid)));
    assert_eq!(world.agent("village").bundles()[0].retention, Retention::Delivered);
    assert_eq!(world.bundles("clinic"), 0);
    world.check_stores();
}

#[test]
fn identities_are_never_used_twice_with_or_without_a_clock() {
    let mut world = World::new(&["village"]);
    for round in 0..6_u64 {
        match round % 3 {
            0 => world.restart("village"),
            1 => world.clocks(10_000 - round * 1000),
            _ => world.input("village", Input::ClockSet { wall: DtnTime(0), error: Duration::ZERO }),
        }
        world.submit("village", &echo_job(&round.to_string())).unwrap();
    }
    let ids: std::collections::BTreeSet<_> =
        world.agent("village").bundles().into_iter().map(|bundle| bundle.id.timestamp.sequence).collect();
    assert_eq!(ids.len(), 6);
}

#[test]
fn a_late_copy_of_a_job_that_is_over_is_given_up() {
    let mut world = World::new(&["village", "bus", "boat", "clinic"]);
    world.clocks(0);
    world.equip("clinic", Engine::Echo);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    world.visit("village", "boat");
    world.visit("village", "clinic");
    world.visit("village", "bus");
    world.visit("clinic", "boat");
    assert_eq!(world.bundles("boat"), 0, "the boat heard that the job is over");
    world.visit("boat", "bus");
    assert_eq!(world.bundles("bus"), 0);
}

/// A village that has asked, taken it back, and asked again. The bus and the boat carry the first wish; the
/// boat knows that it is over. Nobody has a clock.
fn asked_again() -> World {
    let mut world = World::new(&["village", "bus", "boat", "clinic"]);
    world.equip("clinic", Engine::Echo);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    world.visit("village", "bus");
    world.visit("village", "boat");
    cancel(&mut world, "village", &job).unwrap();
    world.visit("village", "boat");
    assert_eq!((world.bundles("bus"), world.bundles("boat")), (1, 0));
    world.submit("village", &job).unwrap();
    assert_eq!(world.bundles("village"), 1);
    world
}

fn cancel(world: &mut World, name: &'static str, job: &Job) -> Result<Answer, SubmitError> {
    let job: Cid = job.cid();
    world.call(name, |call| Input::Cancel { call, job })
}

fn linked_job(block: BlockRef) -> Job {
    let mut job = echo_job("with a picture");
    job.inputs.push(JobInput::Link { media: "image/png".to_owned(), block });
    job
}

fn stops(world: &World, name: &str) -> Vec<Cid> {
    let outputs = world.hosts[name].outputs.iter();
    let stops = outputs.filter_map(|output| match output {
        Output::Stop { task } => Some(*task),
        _ => None,
    });
    stops.collect()
}

fn events(world: &World, name: &str, wanted: impl Fn(&EventKind) -> bool) -> usize {
    let outputs = world.hosts[name].outputs.iter();
    outputs.filter(|output| matches!(output, Output::Event(event) if wanted(&event.kind))).count()
}
