//! Several contacts with one peer.

use std::time::Duration;

use super::world::{World, class, node};
use crate::{
    agent::{CloseReason, Input, LinkClass, LinkId, NewBundle, Output, Submission, Terms},
    limits::{LINK_BATCH_BYTES_MAX, LINK_BATCH_MAX, LINK_TRANSFERS_MAX},
};

const FAST: LinkId = LinkId(901);
const SLOW: LinkId = LinkId(900);
const BYTES: usize = 100_000;

#[test]
fn of_two_roads_to_a_peer_the_faster_carries_the_bulk() {
    let mut world = measured();
    let before = (carried(&world, FAST), carried(&world, SLOW));
    supply(&mut world, 100);
    // The fast road needs a tenth of a second for a bundle, the slow one needs a second.
    for tenth in 1..=100 {
        world.pass(Duration::from_millis(100));
        acknowledge(&mut world, FAST);
        if tenth % 10 == 0 {
            acknowledge(&mut world, SLOW);
        }
    }
    let (fast, slow) = (carried(&world, FAST) - before.0, carried(&world, SLOW) - before.1);
    assert_eq!(fast + slow, 100);
    assert!((5..=12).contains(&slow), "{slow} over the slow road");
}

#[test]
fn a_slow_road_has_no_more_under_way_than_its_share() {
    let mut world = measured();
    supply(&mut world, 100);
    assert_eq!(under_way(&world, FAST), LINK_TRANSFERS_MAX);
    assert_eq!(under_way(&world, SLOW), LINK_TRANSFERS_MAX / 10);
}

#[test]
fn a_road_that_has_shown_nothing_gets_one_bundle_at_a_time_beside_another() {
    let mut world = World::new(&["village"]);
    world.is_stuck = true;
    open(&mut world, SLOW, true);
    open(&mut world, FAST, true);
    supply(&mut world, 40);
    assert_eq!((under_way(&world, SLOW), under_way(&world, FAST)), (LINK_TRANSFERS_MAX, 1));
}

#[test]
fn a_single_bundle_goes_over_the_best_road_alone() {
    let mut world = measured();
    let before = (carried(&world, FAST), carried(&world, SLOW));
    supply(&mut world, 1);
    assert_eq!((carried(&world, FAST) - before.0, carried(&world, SLOW) - before.1), (1, 0));
}

#[test]
fn what_was_under_way_on_a_road_that_ends_goes_over_the_other() {
    let mut world = measured();
    supply(&mut world, 5);
    assert_eq!((under_way(&world, FAST), under_way(&world, SLOW)), (5, 0));
    world.input("village", Input::ContactClosed { link: FAST, reason: CloseReason::Lost });
    assert_eq!(under_way(&world, SLOW), 5);
}

#[test]
fn a_road_that_vouches_for_nothing_is_for_peers_that_have_no_other() {
    let mut world = World::new(&["village"]);
    world.is_stuck = true;
    open(&mut world, FAST, false);
    open(&mut world, SLOW, true);
    supply(&mut world, 40);
    assert_eq!((under_way(&world, FAST), under_way(&world, SLOW)), (0, LINK_TRANSFERS_MAX));
    world.input("village", Input::ContactClosed { link: SLOW, reason: CloseReason::Lost });
    assert_eq!(under_way(&world, FAST), LINK_TRANSFERS_MAX);
}

#[test]
fn what_went_where_nobody_vouches_for_it_goes_again_where_somebody_does() {
    let mut world = World::new(&["village"]);
    world.is_stuck = true;
    open(&mut world, FAST, false);
    supply(&mut world, 1);
    acknowledge(&mut world, FAST);
    assert_eq!(world.bundles("village"), 1);
    open(&mut world, SLOW, true);
    assert_eq!(carried(&world, SLOW), 1);
    acknowledge(&mut world, SLOW);
    assert_eq!(world.bundles("village"), 0);
}

#[test]
fn what_went_where_nobody_vouches_for_it_does_not_go_again_where_nobody_does_either() {
    let mut world = World::new(&["village"]);
    world.is_stuck = true;
    open(&mut world, FAST, false);
    supply(&mut world, 1);
    acknowledge(&mut world, FAST);
    open(&mut world, SLOW, false);
    assert_eq!(carried(&world, SLOW), 0);
    assert_eq!(world.bundles("village"), 1, "it is kept for a road that vouches");
}

#[test]
fn a_road_that_takes_batches_has_many_short_bundles_under_way_and_no_more_long_ones_than_others() {
    let batching = || {
        let mut world = World::new(&["village"]);
        world.is_stuck = true;
        let class = LinkClass { summaries: false, batches: true, ..class() };
        world.input("village", Input::ContactOpened { link: FAST, peer: Some(node("stranger")), class });
        world
    };
    let mut world = batching();
    supply_of(&mut world, 300, 100);
    assert_eq!(under_way(&world, FAST), LINK_BATCH_MAX);
    let mut world = batching();
    supply_of(&mut world, 300, 2000);
    let bytes = u64::try_from(under_way(&world, FAST)).unwrap() * 2000;
    assert!((LINK_BATCH_BYTES_MAX * 8 / 10..LINK_BATCH_BYTES_MAX).contains(&bytes), "{bytes}");
    let mut world = batching();
    supply_of(&mut world, 20, BYTES);
    assert_eq!(under_way(&world, FAST), LINK_TRANSFERS_MAX);
}

/// A village with a fast and a slow road to the same stranger, both measured, nothing under way.
fn measured() -> World {
    let mut world = World::new(&["village"]);
    world.is_stuck = true;
    open(&mut world, FAST, true);
    supply(&mut world, 1);
    world.pass(Duration::from_millis(100));
    acknowledge(&mut world, FAST);
    open(&mut world, SLOW, true);
    supply(&mut world, LINK_TRANSFERS_MAX + 1);
    assert_eq!((under_way(&world, FAST), under_way(&world, SLOW)), (LINK_TRANSFERS_MAX, 1));
    for tenth in 1..=LINK_TRANSFERS_MAX {
        world.pass(Duration::from_millis(100));
        acknowledge(&mut world, FAST);
        if tenth == 10 {
            acknowledge(&mut world, SLOW);
        }
    }
    assert_eq!(world.bundles("village"), 0);
    world
}

fn open(world: &mut World, link: LinkId, durable: bool) {
    let class = LinkClass { summaries: false, durable, ..class() };
    world.input("village", Input::ContactOpened { link, peer: Some(node("stranger")), class });
}

/// So many new bundles for the stranger.
fn supply(world: &mut World, bundles: usize) {
    supply_of(world, bundles, BYTES);
}

/// The same with payloads of `len` bytes.
fn supply_of(world: &mut World, bundles: usize, len: usize) {
    for _ in 0..bundles {
        let seed = world.hosts["village"].outputs.len();
        let mut bytes = vec![7; len];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let payload = world.put("village", &bytes);
        let destination = "dtn://stranger/inbox".parse().unwrap();
        let new = NewBundle {
            destination,
            source: "data".to_owned(),
            payload,
            lifetime: None,
            terms: Terms::default(),
        };
        world.call("village", |call| Input::Submit { call, submission: Submission::Bundle(new) }).unwrap();
    }
}

fn sent(world: &World, on: LinkId) -> Vec<bundle_spec::BundleId> {
    let outputs = world.hosts["village"].outputs.iter();
    let sent = outputs.filter_map(|output| match output {
        Output::Transmit { link, outgoing } if *link == on => Some(outgoing.bundle.clone()),
        _ => None,
    });
    sent.collect()
}

fn carried(world: &World, on: LinkId) -> usize {
    sent(world, on).len()
}

fn under_way(world: &World, on: LinkId) -> usize {
    let held: Vec<_> = world.agent("village").bundles().into_iter().map(|view| view.id).collect();
    sent(world, on).iter().filter(|bundle| held.contains(bundle)).count()
}

/// The stranger acknowledges what has been under way on a road for longest.
fn acknowledge(world: &mut World, link: LinkId) {
    let held: Vec<_> = world.agent("village").bundles().into_iter().map(|view| view.id).collect();
    if let Some(bundle) = sent(world, link).into_iter().find(|bundle| held.contains(bundle)) {
        world.input("village", Input::Transmitted { link, bundle });
    }
}
