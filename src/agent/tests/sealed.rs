//! Sealed jobs among agents of which some can read them: the driver's part, opening and sealing, is played by
//! the world.

use std::time::Duration;

use bundle_spec::{
    BlockRef, Builder, Cid, Codec, CreationTimestamp, DtnTime,
    adu::{Job, SealLevel, SealedJob, SealedResult},
    sealing::{Entropy, SealingKey},
};
use bytes::Bytes;

use super::world::{Engine, World, class, echo_job, node};
use crate::agent::{
    Answer, CallId, Input, JobState, JobView, LinkClass, LinkId, NewJob, Output, Seal, Step, Submission,
    TaskOutcome, Withheld,
};

/// The key of the executors, and that of the village.
const GROUP: u8 = 5;
const HOME: u8 = 6;

#[test]
fn a_sealed_job_is_answered_past_a_carrier_that_learns_its_name_only() {
    let (mut world, sealed) = asked("a");
    world.equip("clinic", Engine::Echo);
    world.visit("village", "bus");
    let carried = view(&world, "bus", &sealed);
    assert_eq!((carried.kind, carried.model.as_str()), (None, ""));
    assert!(carried.waits_for.contains("cannot be read here"), "{}", carried.waits_for);
    world.restart("bus");
    world.visit("bus", "clinic");
    assert_eq!(world.hosts["clinic"].runs, 1);
    assert!(matches!(view(&world, "bus", &sealed).state, JobState::Answered { .. }), "the copy is cured");
    world.restart("clinic");
    world.visit("bus", "village");
    assert!(matches!(view(&world, "village", &sealed).state, JobState::Answered { success: true, .. }));
    assert_eq!(world.answers_told("village"), 1);
    assert_eq!((world.bundles("village"), world.bundles("bus")), (0, 0), "the receipt has done the rest");
    world.check_stores();
}

#[test]
fn an_engine_without_a_key_does_not_begin_and_begins_when_the_key_comes() {
    let (mut world, sealed) = asked("a");
    world.equip("bus", Engine::Echo);
    world.visit("village", "bus");
    assert_eq!(world.hosts["bus"].runs, 0);
    world.restart("bus");
    world.host("bus").keys.push(key(GROUP));
    world.input("bus", Input::Opened { job: sealed.cid(), adu: echo_job("a").encode() });
    assert_eq!(world.hosts["bus"].runs, 0, "its engines are not known after the restart");
    world.equip("bus", Engine::Echo);
    assert_eq!(world.hosts["bus"].runs, 1);
    world.visit("bus", "village");
    assert!(matches!(view(&world, "village", &sealed).state, JobState::Answered { success: true, .. }));
    world.check_stores();
}

#[test]
fn who_only_asked_knows_what_it_asked_and_does_not_run_it() {
    let (mut world, sealed) = asked("a");
    world.equip("village", Engine::Echo);
    let view = view(&world, "village", &sealed);
    assert_eq!((view.kind.map(|kind| kind.name()), view.mine), (Some("echo"), true));
    assert_eq!(world.hosts["village"].runs, 0);
}

#[test]
fn an_answer_that_is_not_by_who_has_opened_the_job_cures_nothing() {
    let (mut world, sealed) = asked("a");
    world.visit("village", "bus");
    let mut forged = answer(&world, &sealed);
    forged.token[0] ^= 1;
    for name in ["bus", "village"] {
        let answer = world.hand_in(name, result_for("village", name), &forged.encode());
        assert!(matches!(answer, Output::Acknowledge { .. }));
        assert_eq!(view(&world, name, &sealed).state, JobState::Open, "{name}");
    }
    assert_eq!(world.bundles("village"), 1);
}

#[test]
fn an_open_answer_to_a_sealed_job_is_not_believed() {
    let (mut world, sealed) = asked("a");
    world.visit("village", "bus");
    let open = world.result_of("clinic", sealed.cid(), None);
    for name in ["bus", "village"] {
        world.hand_in(name, result_for("village", name), &open);
        assert_eq!(view(&world, name, &sealed).state, JobState::Open, "{name}");
    }
}

#[test]
fn an_answer_that_the_asker_cannot_open_is_not_delivered() {
    let (mut world, sealed) = asked("a");
    let answer = answer(&world, &sealed);
    world.host("village").keys.clear();
    world.hand_in("village", result_for("village", "village"), &answer.encode());
    assert_eq!(view(&world, "village", &sealed).state, JobState::Open);
    assert_eq!(world.bundles("village"), 1, "the job goes on");
}

#[test]
fn what_is_sealed_waits_where_encryption_is_forbidden() {
    let (mut world, sealed) = asked("a");
    world.hand_in("bus", result_for("village", "bus"), &answer(&world, &sealed).encode());
    for name in ["village", "bus"] {
        let class = LinkClass { summaries: false, clear_only: true, ..class() };
        world.input(name, Input::ContactOpened { link: LinkId(900), peer: Some(node("clinic")), class });
        let status = world.agent(name).status();
        let withheld: Vec<_> = status.links.iter().flat_map(|link| link.withheld.clone()).collect();
        assert_eq!(withheld, [(Withheld::Encrypted, 1)], "{name}");
    }
}

#[test]
fn an_answer_before_its_job_is_carried_and_taken_for_nothing() {
    let (mut world, sealed) = asked("a");
    let answer = answer(&world, &sealed);
    world.hand_in("bus", result_for("village", "bus"), &answer.encode());
    assert_eq!(world.agent("bus").job(sealed.cid().digest()).map(|view| view.state), None);
    world.visit("bus", "village");
    assert!(matches!(view(&world, "village", &sealed).state, JobState::Answered { success: true, .. }));
    world.visit("bus", "village");
    assert_eq!((world.bundles("bus"), world.bundles("village")), (0, 0), "the receipt cures the answer");
}

#[test]
fn a_sealed_job_that_is_taken_back_is_forgotten_by_who_cannot_read_it() {
    let (mut world, sealed) = asked("a");
    world.visit("village", "bus");
    world.call("village", |call| Input::Cancel { call, job: sealed.cid() }).unwrap();
    world.visit("village", "bus");
    assert_eq!((world.bundles("bus"), world.bundles("village")), (0, 0));
    world.check_stores();
}

#[test]
fn a_failure_says_in_its_journey_what_kind_it_is_and_no_more() {
    let (mut world, sealed) = asked("a");
    world.equip("clinic", Engine::Fails);
    world.visit("village", "clinic");
    for name in ["clinic", "village"] {
        let journey = view(&world, name, &sealed).journey;
        let why = journey.iter().find_map(|entry| match &entry.step {
            Step::Failed { why, .. } => Some(why.clone()),
            _ => None,
        });
        assert_eq!(why.as_deref(), Some("crashed"), "{name}");
    }
}

#[test]
fn a_job_whose_key_is_gone_is_not_tried_again_and_goes_on() {
    let (mut world, sealed) = asked("a");
    world.equip("clinic", Engine::Held);
    world.visit("village", "clinic");
    assert_eq!(world.hosts["clinic"].runs, 1);
    world.input("clinic", Input::TaskEnded { task: sealed.cid(), outcome: TaskOutcome::Unreadable });
    world.pass(Duration::from_secs(60));
    assert_eq!(world.hosts["clinic"].runs, 1);
    assert_eq!(view(&world, "clinic", &sealed).state, JobState::Open);
    assert_eq!(world.bundles("clinic"), 1, "others may be able to read it");
}

/// A village that has sealed a job for the executors, of whom the clinic is one.
fn asked(text: &str) -> (World, SealedJob) {
    let mut world = World::new(&["village", "bus", "clinic"]);
    world.host("clinic").keys.push(key(GROUP));
    world.host("village").keys.push(key(HOME));
    let job = echo_job(text).encode();
    let recipients = [key(GROUP).public()];
    let sealed = SealedJob::seal(&job, SealLevel::Group, &recipients, key(HOME).public(), Entropy([1; 32]));
    let sealed = sealed.unwrap();
    let adu = sealed.encode();
    let payload = BlockRef { cid: sealed.cid(), ..world.put("village", &adu) };
    let seal = Seal { level: sealed.level, commitment: sealed.commitment, is_open_here: false };
    let new = NewJob { payload, adu: job, seal: Some(seal), blocks: Vec::new(), lifetime: None };
    let submission = |call: CallId| Input::Submit { call, submission: Submission::Job(new) };
    let answer = world.call("village", submission).unwrap();
    assert_eq!(answer, Answer::Job { job: sealed.cid(), answered: false });
    (world, sealed)
}

fn key(seed: u8) -> SealingKey {
    SealingKey::from_bytes(&[seed; 32])
}

fn view(world: &World, name: &str, job: &SealedJob) -> JobView {
    world.agent(name).job(job.cid().digest()).expect("the job is known")
}

/// What the clinic would answer.
fn answer(world: &World, job: &SealedJob) -> SealedResult {
    let opened = job.open([&key(GROUP)]).unwrap();
    let result = world.result_of("clinic", job.cid(), None);
    SealedResult::seal(job.cid(), &result, &opened, Entropy([2; 32])).unwrap()
}

/// A bundle with a result; each with an id of its own.
fn result_for(asker: &str, via: &str) -> Builder {
    let sequence = u64::try_from(via.len()).unwrap();
    let timestamp = CreationTimestamp { time: DtnTime(0), sequence };
    let destination = node(asker).endpoint("answers", 4557);
    Builder::new(node("clinic").endpoint("answers", 4557), destination, timestamp, 3_600_000).age_ms(0)
}

impl World {
    /// What the keys of a host open.
    pub fn opened(&self, name: &str, adu: Option<&Bytes>) -> Option<Bytes> {
        let keys = &self.hosts[name].keys;
        if let Ok(job) = SealedJob::decode(adu?) {
            return job.open(keys).ok().map(|opened| opened.job);
        }
        let result = SealedResult::decode(adu?).ok()?;
        result.open(keys).ok().map(|opened| opened.adu)
    }

    /// A result as it travels: sealed, if its job was.
    pub fn sealed_answer(&self, name: &str, job: &Cid, result: &Bytes) -> Bytes {
        let host = &self.hosts[name];
        let Some(adu) = host.store.get(job.with_codec(Codec::Raw).digest()) else { return result.clone() };
        let Ok(sealed) = SealedJob::decode(adu) else {
            assert!(Job::decode(adu).is_ok(), "a task has a job");
            return result.clone();
        };
        let opened = sealed.open(&host.keys).expect("only who can open a job runs it");
        SealedResult::seal(*job, result, &opened, Entropy([2; 32])).unwrap().encode()
    }
}
