//! Worlds from fixed seeds: everything holds in each; the same seed gives the same bytes; and a broken
//! agent is caught. Seeds that once found a bug stay here.

use simulations::{
    host::Sabotage,
    report::{Log, Summary},
    scenario::Scenario,
    world::{Outcome, World},
};

#[test]
fn everything_holds_on_the_village_bus() {
    check("village_bus", 0..20);
}

#[test]
fn everything_holds_along_a_chain_of_mules() {
    check("mule_chain", 0..6);
}

#[test]
fn everything_holds_while_two_islands_are_apart() {
    check("split_brain", 0..6);
}

#[test]
fn everything_holds_over_slow_radio() {
    check("field_radio", 0..6);
}

/// A ferry that lands for fifteen seconds carries a thousand parcels each way.
#[test]
fn every_parcel_crosses_by_ferry_and_none_twice() {
    for seed in 0..2 {
        let outcome = run("ferry", seed);
        assert_eq!(outcome.failure, None, "pannier-sim replay ferry --seed {seed}");
        let taken = |line: &&str| line.contains("\"event\":\"taken\"");
        let count = outcome.log.lines().lines().filter(taken).count();
        assert!(count >= 2000, "{count} parcels were taken");
    }
}

#[test]
fn everything_holds_where_nothing_fits_in_one_piece() {
    check("short_frames", 0..4);
    let outcome = run("short_frames", 1);
    let reassembled = outcome.log.lines().matches("\"why\":\"reassembled\"").count();
    assert!(reassembled > 500, "{reassembled} fragments");
}

/// A receipt for a result whose outputs were still on their way let carriers forget these.
#[test]
fn outputs_are_carried_until_they_are_there() {
    check("village_bus", [0, 7, 14]);
    check("split_brain", [6, 7, 21]);
}

/// A crash between the record of a block and the record of the job that lacked it.
#[test]
fn a_block_that_came_before_a_crash_is_not_waited_for() {
    check("village_bus", [83, 126]);
    check("mule_chain", [70]);
    check("field_radio", [63]);
}

/// A carrier that had seen a result pass without its outputs answered others with it.
#[test]
fn an_answer_without_its_outputs_answers_nobody_else() {
    check("village_bus", [225]);
}

/// A cancellation ended what was asked again after it, wherever it came.
#[test]
fn a_job_that_is_asked_again_after_a_cancellation_lives() {
    check("village_bus", [463, 495, 806, 972]);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (first, second) = (run("village_bus", 7), run("village_bus", 7));
    assert!(first.log.lines().lines().count() > 500, "much happens in a village");
    assert_eq!(first.log.lines(), second.log.lines());
    assert_ne!(first.log.lines(), run("village_bus", 8).log.lines());
}

#[test]
fn answers_come_in_half_a_day_although_nobody_is_ever_connected() {
    let runs: Vec<Summary> =
        (0..10).map(|seed| Summary::of("village_bus", seed, &run("village_bus", seed))).collect();
    let total = Summary::total(&runs).unwrap();
    assert!(total.delivery_ratio > 0.9, "{total:?}");
    assert!(total.delay_p90_s < 12.0 * 3600.0, "{total:?}");
}

#[test]
fn a_bundle_record_that_is_dropped_is_caught() {
    caught(Sabotage::DropRecord { class: b'b', after: 3 }, "delivery");
}

#[test]
fn a_job_record_that_is_dropped_is_caught() {
    caught(Sabotage::DropRecord { class: b'j', after: 0 }, "delivery");
}

#[test]
fn a_timestamp_record_that_is_dropped_is_caught() {
    // Only the last one before a crash matters.
    let mut dropped = (0..40).filter_map(|after| broken(Sabotage::DropRecord { class: b'q', after }, 0..2));
    // An identity that is used twice is seen by the check, or by the agent that holds both.
    let found = dropped.next();
    assert!(matches!(found, Some("integrity" | "panic")), "{found:?}");
}

#[test]
fn an_acknowledgement_before_its_record_is_caught() {
    caught(Sabotage::AcknowledgeEarly, "delivery");
}

#[test]
fn a_second_run_is_caught() {
    caught(Sabotage::RunTwice, "no_second_run");
}

fn caught(sabotage: Sabotage, by: &str) {
    let found = broken(sabotage, 0..12);
    assert_eq!(found, Some(by));
}

/// Which check finds the defect first, if every host has it.
fn broken(sabotage: Sabotage, seeds: std::ops::Range<u64>) -> Option<&'static str> {
    let scenario = scenario("village_bus");
    let mut failures = seeds.filter_map(|seed| {
        let mut world = World::new(scenario.clone(), seed, Log::default());
        for host in 0..scenario.hosts.len() {
            world.sabotage(host, sabotage);
        }
        world.run().failure
    });
    failures.next().map(|failure| failure.check)
}

fn check(name: &str, seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let outcome = run(name, seed);
        assert_eq!(outcome.failure, None, "pannier-sim replay {name} --seed {seed}");
        assert!(outcome.reference.runs() > 0, "{name} {seed}: nothing was done");
    }
}

fn run(name: &str, seed: u64) -> Outcome {
    World::new(scenario(name), seed, Log::kept()).run()
}

fn scenario(name: &str) -> Scenario {
    let text = Scenario::shipped(name).expect("the scenario is shipped");
    Scenario::parse(text).expect("shipped scenarios can be read")
}
