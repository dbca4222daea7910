//! The rest of RFC 9171 section 5: unknown blocks, hops, endpoints of many, endpoints without an application,
//! echoes, duplicates.

use std::time::Duration;

use bundle_spec::{
    BlockFlags, Builder, BundleFlags, CrcType, CreationTimestamp, DtnTime, Eid, FragmentOrigin, HopCount,
    NodeId, block::NewBlock,
};

use super::world::{World, class, node};
use crate::agent::{Input, LinkClass, LinkId, Output, Retention, endpoints};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// A type of block that nobody knows.
const UNKNOWN: u64 = 222;

#[test]
fn an_unknown_block_stays_unless_it_says_otherwise() {
    let mut world = World::new(&["bus"]);
    world.hand_in("bus", letter("dtn://clinic/a", 1).block(unknown(BlockFlags::NONE)), b"text");
    let discard = unknown(BlockFlags::DISCARD_UNPROCESSED);
    world.hand_in("bus", letter("dtn://clinic/b", 2).block(discard), b"text");
    assert_eq!(
        carried(&mut world, "bus"),
        [("dtn://clinic/a".to_owned(), true), ("dtn://clinic/b".to_owned(), false)]
    );
}

#[test]
fn an_unknown_block_may_end_the_bundle_and_ask_for_a_report() {
    let mut world = World::new(&["bus"]);
    let flags = BlockFlags::DELETE_BUNDLE_UNPROCESSED | BlockFlags::REPORT_UNPROCESSED;
    let builder = letter("dtn://clinic/a", 1).flags(BundleFlags::REPORT_DELETION).block(unknown(flags));
    let answer = world.hand_in("bus", builder.clone(), b"text");
    assert!(matches!(answer, Output::Acknowledge { .. }), "who sent it need not keep it");
    let made = world.hosts["bus"].outputs.iter().filter(|output| matches!(output, Output::Block { .. }));
    assert_eq!(made.count(), 2, "of reception and of deletion");
    assert!(world.agent("bus").bundles().iter().all(|held| held.destination == home()), "the reports alone");
    let again = world.hand_in("bus", builder, b"text");
    assert!(matches!(again, Output::Refuse { .. }), "it is not taken again");
}

#[test]
fn a_bundle_that_may_take_no_more_hops_goes_no_further() {
    let mut world = World::new(&["bus", "clinic"]);
    world.hand_in("bus", letter("dtn://clinic/a", 1).hop_limit(1), b"text");
    world.visit("bus", "clinic");
    assert_eq!(world.bundles("clinic"), 1, "the last hop that it may take");
    let spent = |number| {
        let count = NewBlock::hop_count(HopCount { limit: 2, count: 2 }, CrcType::Castagnoli);
        letter("dtn://clinic/b", number).flags(BundleFlags::REPORT_DELETION).block(count)
    };
    world.hand_in("bus", spent(2), b"text");
    world.visit("bus", "clinic");
    let deleted = world.hosts["bus"].outputs.iter().filter(|output| matches!(output, Output::Block { .. }));
    assert_eq!(deleted.count(), 1);
    assert_eq!(world.sent("bus").iter().filter(|id| id.timestamp.sequence == 2).count(), 0);
    world.hand_in("clinic", spent(3), b"text");
    assert_eq!(delivered(&world, "clinic"), 1, "who it is for may have it");
}

#[test]
fn a_bundle_with_a_hop_too_many_is_deleted_at_once() {
    let mut world = World::new(&["clinic"]);
    let count = NewBlock::hop_count(HopCount { limit: 2, count: 3 }, CrcType::Castagnoli);
    world.hand_in("clinic", letter("dtn://clinic/a", 1).block(count), b"text");
    assert_eq!((world.bundles("clinic"), delivered(&world, "clinic")), (0, 0));
}

#[test]
fn what_many_may_use_stays_of_use_where_its_hops_end() {
    let mut world = World::new(&["bus", "clinic"]);
    let count = NewBlock::hop_count(HopCount { limit: 2, count: 2 }, CrcType::Castagnoli);
    world.hand_in("bus", letter("dtn://pannier/~news", 1).block(count), &[7; 100]);
    world.visit("bus", "clinic");
    world.meet_over("bus", "clinic", LinkClass { payload_max: Some(30), ..class() }, class());
    assert_eq!((world.bundles("bus"), world.bundles("clinic")), (1, 0));
}

#[test]
fn a_bundle_for_an_endpoint_without_an_application_waits_until_it_expires() {
    let mut world = World::new(&["clinic"]);
    world.hand_in("clinic", letter("dtn://clinic/later", 1), b"text");
    world.restart("clinic");
    world.pass(Duration::from_millis(DAY_MS - 1));
    assert_eq!(world.agent("clinic").bundles()[0].retention, Retention::Delivered);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.bundles("clinic"), 0);
}

#[test]
fn parts_of_a_bundle_for_many_are_delivered_as_a_whole_and_carried_on() {
    let mut world = World::new(&["school", "clinic"]);
    let news: Eid = "dtn://pannier/~news".parse().unwrap();
    for (offset, part) in [(0, b"0123"), (4, b"4567")] {
        let origin = FragmentOrigin { offset, total: 8 };
        world.hand_in("school", letter("dtn://pannier/~news", 1).fragment(origin), part);
    }
    assert_eq!(world.bundles("school"), 2, "nobody here wants it");
    world.call("school", |call| Input::Register { call, endpoint: news.clone() }).unwrap();
    assert_eq!(delivered(&world, "school"), 1);
    world.call("clinic", |call| Input::Register { call, endpoint: news }).unwrap();
    world.visit("school", "clinic");
    assert_eq!(delivered(&world, "clinic"), 1);
    world.visit("school", "clinic");
    assert_eq!((delivered(&world, "school"), delivered(&world, "clinic")), (1, 1));
}

#[test]
fn every_echo_service_sends_back_what_it_gets() {
    let node: NodeId = "ipn:5.0".parse().unwrap();
    for (name, endpoint) in [("dtn", "dtn://clinic/echo"), ("ipn", "ipn:5.7"), ("ipn", "ipn:5.2047")] {
        let mut world = World::new(&["clinic"]);
        if name == "ipn" {
            world.reconfigure("clinic", |config| config.node = node.clone());
        }
        world.hand_in("clinic", letter(endpoint, 1), b"ping");
        let back = world.agent("clinic").bundles();
        assert_eq!(back.len(), 1);
        assert_eq!(back[0].destination.to_string(), "dtn://stranger/letters");
        assert_eq!(back[0].id.source.to_string(), endpoint, "as whom it was asked");
        assert_eq!(back[0].payload.len, 4);
    }
}

#[test]
fn echoes_do_not_answer_one_another() {
    let mut world = World::new(&["clinic"]);
    world.reconfigure("clinic", |config| config.node = "ipn:5.0".parse().unwrap());
    for (number, source) in [(1, "ipn:6.7"), (2, "ipn:6.2047"), (3, "dtn://bus/echo")] {
        let made = CreationTimestamp { time: DtnTime(0), sequence: number };
        let builder = Builder::new(source.parse().unwrap(), "ipn:5.7".parse().unwrap(), made, DAY_MS);
        world.hand_in("clinic", builder, b"ping");
        assert_eq!(world.bundles("clinic"), 0, "{source}");
    }
}

#[test]
fn a_bundle_that_was_delivered_is_not_taken_again_as_long_as_it_lives() {
    let mut world = World::new(&["clinic"]);
    world.hand_in("clinic", letter("dtn://clinic/a", 1), b"text");
    let bundle = world.agent("clinic").bundles()[0].id.clone();
    world.call("clinic", |call| Input::Take { call, bundle }).unwrap();
    for _ in 0..2 {
        let header = letter("dtn://clinic/a", 1).header(4);
        let (now, link) = (world.now, LinkId(1));
        assert!(world.agent("clinic").admit(now, link, &header).is_err());
        world.restart("clinic");
    }
}

fn home() -> Eid {
    "dtn://stranger/reports".parse().unwrap()
}

fn letter(destination: &str, sequence: u64) -> Builder {
    let made = CreationTimestamp { time: DtnTime(0), sequence };
    let source = "dtn://stranger/letters".parse().unwrap();
    Builder::new(source, destination.parse().unwrap(), made, DAY_MS).report_to(home())
}

fn unknown(flags: BlockFlags) -> NewBlock {
    NewBlock { block_type: UNKNOWN, flags, crc_type: CrcType::Castagnoli, data: b"?".to_vec() }
}

/// What a node sends to whoever comes: where to, and whether a block that nobody knows is in it.
fn carried(world: &mut World, name: &'static str) -> Vec<(String, bool)> {
    world.is_stuck = true;
    let class = LinkClass { summaries: false, ..class() };
    world.input(name, Input::ContactOpened { link: LinkId(9000), peer: Some(node("school")), class });
    let sent = world.hosts[name].outputs.iter().filter_map(|output| match output {
        Output::Transmit { outgoing, .. } => Some(outgoing.header.clone()),
        _ => None,
    });
    let mut carried: Vec<(String, bool)> = sent
        .map(|header| {
            let has_unknown = header.blocks().iter().any(|block| block.block_type == UNKNOWN);
            (header.primary().destination().to_string(), has_unknown)
        })
        .collect();
    carried.sort();
    carried
}

fn delivered(world: &World, name: &str) -> usize {
    let outputs = world.hosts[name].outputs.iter();
    outputs.filter(|output| matches!(output, Output::Deliver { .. })).count()
}

#[test]
fn the_echo_services_are_those_that_others_use() {
    let ipn: NodeId = "ipn:5.0".parse().unwrap();
    let is_echo = |node: &NodeId, text: &str| endpoints::is_echo(node, &text.parse().unwrap());
    assert!(is_echo(&ipn, "ipn:5.7") && is_echo(&ipn, "ipn:5.2047"));
    assert!(!is_echo(&ipn, "ipn:6.7") && !is_echo(&ipn, "ipn:5.8"));
    assert!(
        is_echo(&node("clinic"), "dtn://clinic/echo") && !is_echo(&node("clinic"), "dtn://clinic/letters")
    );
}
