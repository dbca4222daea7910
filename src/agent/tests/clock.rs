//! Time: lifetimes by creation time and by age, clocks that are not there or jump, nodes that sleep or start
//! anew.

use std::time::Duration;

use bundle_spec::{Builder, CreationTimestamp, DtnTime, Header};

use super::world::{World, class, node};
use crate::agent::{Input, LinkClass, LinkId, NewBundle, Output, Refusal, Submission, Terms};

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// What the clocks of the world say when it begins, in DTN time.
const NOON: u64 = 800_000_000_000;

#[test]
fn a_bundle_lives_as_long_as_its_creation_time_says_where_there_is_a_clock() {
    let mut world = World::new(&["bus"]);
    world.clocks(0);
    world.hand_in("bus", letter(NOON - 10 * HOUR_MS, 12 * HOUR_MS, 0), b"text");
    check_life(&mut world, "bus", 2 * HOUR);
}

#[test]
fn a_bundle_lives_as_long_as_its_age_says_where_there_is_none() {
    let mut world = World::new(&["bus"]);
    world.hand_in("bus", letter(NOON, 12 * HOUR_MS, 10 * HOUR_MS), b"text");
    check_life(&mut world, "bus", 2 * HOUR);
    world.clocks(0);
    world.hand_in("bus", letter(0, 12 * HOUR_MS, 10 * HOUR_MS), b"text");
    check_life(&mut world, "bus", 2 * HOUR);
}

#[test]
fn a_clock_that_is_set_by_a_day_ends_nothing_early_and_nothing_late() {
    for jump in [-i64::try_from(DAY_MS).unwrap(), i64::try_from(DAY_MS).unwrap()] {
        let mut world = World::new(&["bus"]);
        world.clocks(0);
        world.hand_in("bus", letter(NOON, 12 * HOUR_MS, 0), b"before");
        set_clock(&mut world, "bus", jump);
        // With another node's clock, which is right, and an age, as every node here gives it.
        world.hand_in("bus", letter(NOON, 13 * HOUR_MS, HOUR_MS), b"after");
        assert_eq!(world.bundles("bus"), 2, "{jump}");
        world.pass(12 * HOUR - Duration::from_millis(1));
        assert_eq!(world.bundles("bus"), 2, "{jump}");
        world.pass(Duration::from_millis(1));
        assert_eq!(world.bundles("bus"), 0, "{jump}");
    }
}

#[test]
fn what_is_made_under_a_clock_that_has_jumped_lives_as_long_elsewhere() {
    for jump in [-i64::try_from(DAY_MS).unwrap(), i64::try_from(DAY_MS).unwrap()] {
        let mut world = World::new(&["village", "clinic"]);
        world.clocks(0);
        set_clock(&mut world, "village", jump);
        post(&mut world, HOUR);
        world.pass(HOUR / 2);
        world.visit("village", "clinic");
        assert_eq!(world.bundles("clinic"), 1, "{jump}");
        check_life(&mut world, "clinic", HOUR / 2);
    }
}

#[test]
fn a_clock_that_goes_back_to_where_it_was_is_believed_again() {
    let mut world = World::new(&["village"]);
    world.clocks(0);
    set_clock(&mut world, "village", i64::try_from(DAY_MS).unwrap());
    assert_eq!(created(&mut world), 0);
    set_clock(&mut world, "village", 0);
    assert_eq!(created(&mut world), NOON);
    set_clock(&mut world, "village", 60_000);
    assert_eq!(created(&mut world), NOON + 60_000, "a minute is put right, not a jump");
}

#[test]
fn a_clock_that_has_jumped_and_stays_there_is_believed_after_a_while() {
    let mut world = World::new(&["village"]);
    world.clocks(0);
    set_clock(&mut world, "village", i64::try_from(10 * DAY_MS).unwrap());
    world.pass(crate::limits::CLOCK_DOUBT);
    assert_eq!(created(&mut world), NOON + 11 * DAY_MS);
}

#[test]
fn identities_stay_in_order_whatever_the_clock_does() {
    let mut world = World::new(&["village"]);
    let mut last = 0;
    for jump in [0, 10, -5, 3, -20, 0] {
        if jump != 0 {
            set_clock(&mut world, "village", jump * i64::try_from(DAY_MS).unwrap());
        }
        post(&mut world, HOUR);
        let newest = world.agent("village").bundles().iter().map(|held| held.id.timestamp.sequence).max();
        assert!(newest.unwrap() > last);
        last = newest.unwrap();
        world.restart("village");
    }
}

#[test]
fn a_lifetime_runs_on_while_the_node_sleeps_or_is_off() {
    let mut world = World::new(&["bus"]);
    world.hand_in("bus", letter(0, 12 * HOUR_MS, 0), b"text");
    // Nobody wakes the agent: time is there when it wakes.
    world.now = world.now + (12 * HOUR - Duration::from_millis(1));
    world.restart("bus");
    assert_eq!(world.bundles("bus"), 1);
    world.now = world.now.plus_ms(1);
    world.restart("bus");
    assert_eq!(world.bundles("bus"), 0);
}

#[test]
fn a_node_that_starts_without_a_clock_ends_nothing_early() {
    let mut world = World::new(&["bus"]);
    world.clocks(0);
    world.hand_in("bus", letter(NOON - 10 * HOUR_MS, 12 * HOUR_MS, 10 * HOUR_MS), b"text");
    world.pass(HOUR);
    // It was off for longer than it knows: its own time goes on from where it was.
    world.restart("bus");
    check_life(&mut world, "bus", HOUR);
}

#[test]
fn the_age_that_leaves_counts_the_time_here() {
    let mut world = World::new(&["bus"]);
    world.hand_in("bus", letter(0, 12 * HOUR_MS, HOUR_MS), b"text");
    world.pass(2 * HOUR);
    world.restart("bus");
    world.pass(HOUR);
    assert_eq!(leaving(&mut world).age_ms(), Some(4 * HOUR_MS));
}

#[test]
fn a_bundle_is_refused_when_its_life_is_over() {
    let mut world = World::new(&["bus"]);
    let admit =
        |world: &World, builder: Builder| world.agent("bus").admit(world.now, LinkId(1), &builder.header(4));
    assert_eq!(admit(&world, letter(0, HOUR_MS, HOUR_MS)), Err(Refusal::Expired));
    assert_eq!(admit(&world, letter(0, HOUR_MS, HOUR_MS - 1)), Ok(()));
    world.clocks(0);
    assert_eq!(admit(&world, letter(NOON - HOUR_MS, HOUR_MS, 0)), Err(Refusal::Expired));
    assert_eq!(admit(&world, letter(NOON - HOUR_MS + 1, HOUR_MS, 0)), Ok(()));
    assert_eq!(admit(&world, letter(u64::MAX, u64::MAX, 0)), Ok(()), "no sum is too large");
}

fn letter(made: u64, lifetime_ms: u64, age_ms: u64) -> Builder {
    let made = CreationTimestamp { time: DtnTime(made), sequence: lifetime_ms };
    let (source, destination) = ("dtn://stranger/letters", "dtn://school/letters");
    Builder::new(source.parse().unwrap(), destination.parse().unwrap(), made, lifetime_ms).age_ms(age_ms)
}

fn post(world: &mut World, lifetime: Duration) {
    let payload = world.put("village", b"text");
    let destination = "dtn://school/letters".parse().unwrap();
    let (source, terms) = ("letters".to_owned(), Terms::default());
    let new = NewBundle { destination, source, payload, lifetime: Some(lifetime), terms };
    world.call("village", |call| Input::Submit { call, submission: Submission::Bundle(new) }).unwrap();
}

/// The creation time of a bundle that is made at this moment.
fn created(world: &mut World) -> u64 {
    post(world, HOUR);
    let bundles = world.agent("village").bundles();
    bundles.iter().map(|held| held.id.timestamp).max_by_key(|made| made.sequence).unwrap().time.0
}

/// Sets a clock to what is right, and so many milliseconds more.
fn set_clock(world: &mut World, name: &'static str, by: i64) {
    let wall = NOON.saturating_add_signed(by) + (world.now.0 - 1000);
    world.input(name, Input::ClockSet { wall: DtnTime(wall), error: Duration::ZERO });
}

/// What a node has ends after exactly so long.
fn check_life(world: &mut World, name: &'static str, life: Duration) {
    world.pass(life - Duration::from_millis(1));
    assert_eq!(world.bundles(name), 1);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.bundles(name), 0);
}

/// The header of what a node sends first.
fn leaving(world: &mut World) -> Header {
    world.is_stuck = true;
    let class = LinkClass { summaries: false, ..class() };
    world.input("bus", Input::ContactOpened { link: LinkId(9000), peer: Some(node("school")), class });
    let mut sent = world.hosts["bus"].outputs.iter().filter_map(|output| match output {
        Output::Transmit { outgoing, .. } => Some(outgoing.header.clone()),
        _ => None,
    });
    sent.next().unwrap()
}
