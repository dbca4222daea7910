//! An agent rebuilt from its records is the agent that it was; one rebuilt from fewer knows less, never more,
//! and nothing that was answered or acknowledged is missing.

use std::{collections::BTreeSet, time::Duration};

use bundle_spec::BundleDigest;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::world::{Engine, World, echo_job, engines};
use crate::{
    agent::{Agent, Answer, Input, JobState, JobView, NewBundle, Output, Submission, Terms},
    time::Time,
};

/// One of many nodes, and one of the clinic.
const ENDPOINTS: [&str; 2] = ["dtn://region/~news", "dtn://clinic/in"];
const NAMES: [&str; 4] = ["village", "farm", "bus", "clinic"];

#[test]
fn an_agent_rebuilt_from_all_records_is_the_same() {
    for seed in 0..40 {
        let world = lived(seed, 60);
        for name in NAMES {
            let records = world.hosts[name].records.len();
            let (was, is) = (world.agent(name), world.rebuilt(name, records));
            assert_eq!(view(was), view(&is), "{name}, seed {seed}");
            assert_eq!(was.blocks(), is.blocks(), "{name}, seed {seed}");
        }
    }
}

#[test]
fn nothing_answered_or_acknowledged_is_missing_after_a_crash_at_any_record() {
    for seed in 0..12 {
        let world = lived(seed, 40);
        for name in NAMES {
            for records in 0..=world.hosts[name].records.len() {
                let rebuilt = world.rebuilt(name, records);
                check_promises(&world, name, records, &rebuilt);
            }
        }
    }
}

#[test]
fn a_world_in_which_nodes_crash_still_answers_every_job_once() {
    for seed in 100..130 {
        let mut world = lived(seed, 80);
        world.equip("clinic", Engine::Echo);
        for _ in 0..2 {
            for (a, b) in
                [("village", "bus"), ("farm", "bus"), ("bus", "clinic"), ("bus", "village"), ("bus", "farm")]
            {
                world.visit(a, b);
            }
        }
        for name in ["village", "farm"] {
            for job in world.agent(name).jobs().into_iter().filter(|job| job.mine) {
                assert!(matches!(job.state, JobState::Answered { .. }), "{name}, seed {seed}: {job:?}");
            }
        }
        world.check_stores();
    }
}

/// A world after some steps of a life that the seed decides.
fn lived(seed: u64, steps: usize) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::new(&NAMES);
    world.clocks(0);
    world.equip("clinic", Engine::Echo);
    for _ in 0..steps {
        step(&mut world, &mut rng);
    }
    world
}

fn step(world: &mut World, rng: &mut ChaCha8Rng) {
    let mut pick = |count: u32| usize::try_from(rng.next_u32() % count).unwrap();
    let job = echo_job(&pick(6).to_string());
    match pick(14) {
        0..=2 => {
            let asker = NAMES[pick(2)];
            world.submit(asker, &job).unwrap();
        }
        3..=5 => {
            let (a, b) = (pick(4), pick(4));
            if a != b {
                world.visit(NAMES[a], NAMES[b]);
            }
        }
        6 => world.restart(NAMES[pick(4)]),
        7 => {
            let asker = NAMES[pick(2)];
            // Jobs that are unknown or over cannot be taken back; that is no matter here.
            let _ = world.call(asker, |call| Input::Cancel { call, job: job.cid() });
        }
        8 => world.pass(Duration::from_secs(3600 * u64::try_from(pick(48)).unwrap())),
        9 => world.input("clinic", Input::Resources(engines(pick(2)))),
        10 | 11 => send(world, NAMES[pick(4)], ENDPOINTS[pick(2)]),
        12 => {
            let (name, endpoint) = (NAMES[pick(4)], ENDPOINTS[0].parse().unwrap());
            // Who is not registered cannot end it; that is no matter here.
            let _ = match pick(3) {
                0 => world.call(name, |call| Input::Unregister { call, endpoint }),
                _ => world.call(name, |call| Input::Register { call, endpoint }),
            };
        }
        _ => {
            let (name, endpoint) = (NAMES[pick(4)], ENDPOINTS[pick(2)].parse().unwrap());
            let first = world.agent(name).waiting(world.now, &endpoint, 1, true).pop();
            if let Some(bundle) = first.map(|view| view.bundle.id) {
                world.call(name, |call| Input::Take { call, bundle }).unwrap();
            }
        }
    }
}

/// Sends a bundle that is no job.
fn send(world: &mut World, name: &'static str, endpoint: &str) {
    let payload = world.put(name, endpoint.as_bytes());
    let (destination, source) = (endpoint.parse().unwrap(), "data".to_owned());
    let lifetime = Some(Duration::from_secs(3600 * 24));
    let new = NewBundle { destination, source, payload, lifetime, terms: Terms::default() };
    world.call(name, |call| Input::Submit { call, submission: Submission::Bundle(new) }).unwrap();
}

/// What was promised up to a record must hold once that record is durable.
fn check_promises(world: &World, name: &str, records: usize, rebuilt: &Agent) {
    let mut seen = 0;
    let known = known_bundles(rebuilt);
    let still = known_bundles(world.agent(name));
    for output in &world.hosts[name].outputs {
        match output {
            Output::Record(_) => seen += 1,
            _ if seen > records => break,
            Output::Answer { result: Ok(Answer::Job { job, .. }), .. } => {
                assert!(rebuilt.job(job.digest()).is_some(), "{name}: {job} was accepted");
            }
            Output::Answer { result: Ok(Answer::Bundle(bundle)), .. } => {
                let id = bundle.digest();
                let is_known = known.contains(&id) || !still.contains(&id);
                assert!(is_known, "{name}: {bundle} was accepted and is forgotten at record {records}");
            }
            Output::Acknowledge { bundle, .. } => {
                let id = bundle.digest();
                let is_known = known.contains(&id) || !still.contains(&id);
                assert!(is_known, "{name}: {bundle} was acknowledged and is forgotten at record {records}");
            }
            _ => {}
        }
    }
}

fn known_bundles(agent: &Agent) -> BTreeSet<BundleDigest> {
    agent.ledger.known().collect()
}

/// Everything that lasts, in one text: not what runs, nor what it needs to run.
fn view(agent: &Agent) -> String {
    let jobs: Vec<JobView> = agent
        .jobs()
        .into_iter()
        .map(|job| JobView { running: false, waits_for: String::new(), ..job })
        .collect();
    let receipts = agent.receipts.first();
    let endpoints = agent.endpoints();
    let waiting = ENDPOINTS.map(|endpoint| agent.waiting(Time::ZERO, &endpoint.parse().unwrap(), 100, true));
    let bundles = (agent.bundles(), known_bundles(agent));
    format!("{bundles:#?}\n{jobs:#?}\n{receipts:?}\n{endpoints:#?}\n{waiting:#?}")
}
