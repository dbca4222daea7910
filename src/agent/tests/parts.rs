//! Bundles that go out in parts: because a link takes no more, because a stick has no more room, because a
//! transfer was cut off.

use std::time::Duration;

use bundle_spec::{Builder, BundleFlags, CreationTimestamp, DtnTime, FragmentExtent, FragmentOrigin};

use super::world::{Engine, World, class, echo_job, node};
use crate::{
    agent::{
        Answer, CloseReason, Input, LinkClass, LinkId, NewBundle, Outgoing, Output, Refusal, Submission,
        Terms,
    },
    limits,
};

const LETTERS: &str = "dtn://clinic/letters";

#[test]
fn a_bundle_that_is_longer_than_the_link_takes_goes_in_parts_and_arrives_whole() {
    for payload_max in [1, 7, 100, 333, 999] {
        let mut world = World::new(&["village", "clinic"]);
        post(&mut world, 1000);
        world.meet_over("village", "clinic", narrow(payload_max), class());
        assert_eq!(delivered(&world), [1000], "{payload_max}");
        assert_eq!(world.sent("village").len() as u64, 1000_u64.div_ceil(payload_max));
        assert_eq!(world.bundles("village"), 0, "who made it may forget it");
        world.check_stores();
    }
}

#[test]
fn a_bundle_that_fits_goes_as_it_is() {
    let mut world = World::new(&["village", "clinic"]);
    post(&mut world, 1000);
    world.meet_over("village", "clinic", narrow(1000), class());
    assert_eq!(world.sent("village").len(), 1);
    assert_eq!(delivered(&world), [1000]);
}

#[test]
fn a_bundle_that_must_not_be_fragmented_waits_for_a_link_that_takes_it() {
    let mut world = World::new(&["bus", "clinic"]);
    world.hand_in("bus", letter().flags(BundleFlags::MUST_NOT_FRAGMENT), &[7; 1000]);
    let link = world.meet_over("bus", "clinic", narrow(999), class());
    assert_eq!(world.sent("bus").len(), 0);
    world.part(link);
    world.visit("bus", "clinic");
    assert_eq!(delivered(&world), [1000]);
}

#[test]
fn what_would_need_too_many_parts_waits_for_a_link_that_takes_more() {
    let mut world = World::new(&["village", "clinic"]);
    post(&mut world, limits::FRAGMENTS_MAX * 2);
    let link = world.meet_over("village", "clinic", narrow(1), class());
    assert_eq!(world.sent("village").len(), 0);
    world.part(link);
    world.meet_over("village", "clinic", narrow(100), class());
    assert_eq!(delivered(&world), [limits::FRAGMENTS_MAX as u64 * 2]);
}

#[test]
fn a_bundle_goes_on_with_the_rest_over_the_next_contact() {
    let (mut world, link) = stuck(narrow(300));
    assert_eq!(extents(&world), [(0, 300), (300, 300), (600, 300), (900, 100)]);
    for part in [0, 2] {
        let bundle = world.sent("village")[part].clone();
        world.input("village", Input::Transmitted { link, bundle });
    }
    world.input("village", Input::ContactClosed { link, reason: CloseReason::Lost });
    assert_eq!(world.bundles("village"), 1, "the whole stays until every part is there");
    world.host("village").outputs.clear();
    open(&mut world, LinkId(901), narrow(250));
    assert_eq!(extents(&world), [(300, 250), (550, 50), (900, 100)]);
    for bundle in world.sent("village") {
        world.input("village", Input::Transmitted { link: LinkId(901), bundle });
    }
    assert_eq!(world.bundles("village"), 0);
}

#[test]
fn two_contacts_with_one_peer_share_the_parts() {
    let (mut world, _) = stuck(narrow(40));
    assert_eq!(extents(&world).len(), limits::LINK_TRANSFERS_MAX);
    open(&mut world, LinkId(901), narrow(180));
    assert_eq!(
        extents(&world)[limits::LINK_TRANSFERS_MAX..],
        [(640, 180)],
        "what is left, on a road that is new"
    );
}

#[test]
fn a_node_that_starts_anew_is_told_which_parts_are_there() {
    let mut world = World::new(&["village", "clinic"]);
    post(&mut world, 1000);
    world.holds_assemblies = true;
    let link = world.meet_over("village", "clinic", LinkClass { budget: Some(1200), ..narrow(300) }, class());
    assert!(!world.sent("village").is_empty() && world.sent("village").len() < 4);
    let before = world.sent("village").len();
    world.part(link);
    world.holds_assemblies = false;
    world.restart("village");
    world.host("village").outputs.clear();
    world.meet_over("village", "clinic", narrow(300), class());
    assert_eq!(world.sent("village").len(), 4 - before);
    assert_eq!(delivered(&world), [1000]);
    assert_eq!(world.bundles("village"), 0);
}

#[test]
fn a_part_that_was_cut_off_goes_on_where_it_was() {
    let (mut world, link) = stuck(narrow(600));
    let bundle = world.sent("village")[1].clone();
    world.input("village", Input::Interrupted { link, bundle: bundle.clone(), acknowledged: 33 });
    world.pass(limits::RETRY_PAUSE);
    let sent = transmitted(&world);
    assert_eq!(sent.len(), 3);
    assert_eq!((sent[2].bundle.clone(), sent[2].start, sent[2].offset), (bundle, 600, 33));
}

#[test]
fn what_was_acknowledged_of_a_transfer_that_was_cut_off_counts_as_a_part() {
    let keeps = LinkClass { keeps_parts: true, ..narrow(u64::MAX) };
    let (mut world, link) = stuck(keeps.clone());
    let bundle = world.sent("village")[0].clone();
    world.input("village", Input::Interrupted { link, bundle, acknowledged: 400 });
    world.input("village", Input::ContactClosed { link, reason: CloseReason::Lost });
    world.host("village").outputs.clear();
    let link = LinkId(901);
    open(&mut world, link, keeps);
    assert_eq!(extents(&world), [(400, 600)]);
    assert_eq!(transmitted(&world)[0].start, 400);
    let bundle = world.sent("village")[0].clone();
    world.input("village", Input::Transmitted { link, bundle });
    // The peer has not said that it keeps the first part: it is asked before the whole goes.
    assert_eq!(extents(&world), [(400, 600), (0, 400)]);
    assert_eq!(world.bundles("village"), 1);
    let bundle = world.sent("village")[1].clone();
    world.input("village", Input::Refused { link, bundle, reason: Refusal::Duplicate });
    assert_eq!(world.bundles("village"), 0);
}

#[test]
fn a_bundle_that_must_not_be_fragmented_begins_anew_where_parts_are_kept() {
    let mut world = World::new(&["bus"]);
    world.hand_in("bus", letter().flags(BundleFlags::MUST_NOT_FRAGMENT), &[7; 1000]);
    world.is_stuck = true;
    let link = LinkId(900);
    let class = LinkClass { keeps_parts: true, summaries: false, ..class() };
    world.input("bus", Input::ContactOpened { link, peer: Some(node("clinic")), class });
    let bundle = world.sent("bus")[0].clone();
    world.input("bus", Input::Interrupted { link, bundle: bundle.clone(), acknowledged: 400 });
    world.pass(limits::RETRY_PAUSE);
    let last = transmitted(&world).pop().unwrap();
    assert_eq!((last.bundle, last.offset), (bundle, 0));
}

#[test]
fn a_stick_is_filled_with_a_part_and_the_next_takes_the_rest() {
    let mut world = World::new(&["village", "clinic"]);
    let len = 5 * usize::try_from(limits::FILLING_BYTES_MIN).unwrap();
    post(&mut world, len);
    let small = world.put("village", b"a note");
    submit(&mut world, small);
    let stick = |budget| LinkClass { budget: Some(budget), ..class() };
    let link = world.meet_over("village", "clinic", stick(3 * limits::FILLING_BYTES_MIN), class());
    assert_eq!(delivered(&world), [6], "what fits as a whole goes first");
    let sent: u64 = transmitted(&world).iter().map(|out| out.header.raw().len() as u64 + length(out)).sum();
    let budget = 3 * limits::FILLING_BYTES_MIN;
    assert!(sent <= budget && sent > budget - 1024, "{sent} of {budget}");
    world.part(link);
    world.meet_over("village", "clinic", stick(3 * limits::FILLING_BYTES_MIN), class());
    assert_eq!(delivered(&world), [6, len as u64]);
    assert_eq!(world.bundles("village"), 0);
}

#[test]
fn a_part_that_is_too_short_to_be_worth_it_is_not_made() {
    let mut world = World::new(&["village", "clinic"]);
    post(&mut world, 2 * usize::try_from(limits::FILLING_BYTES_MIN).unwrap());
    let stick = LinkClass { budget: Some(limits::FILLING_BYTES_MIN), ..class() };
    world.meet_over("village", "clinic", stick, class());
    assert_eq!(world.sent("village").len(), 0);
}

#[test]
fn parts_of_a_bundle_that_is_gone_are_aborted() {
    let mut world = World::new(&["village"]);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    world.is_stuck = true;
    open(&mut world, LinkId(900), narrow(20));
    let parts = world.sent("village").len();
    assert!(parts > 1);
    world.call("village", |call| Input::Cancel { call, job: job.cid() }).unwrap();
    let aborts = world.hosts["village"].outputs.iter().filter(|out| matches!(out, Output::Abort { .. }));
    assert_eq!(aborts.count(), parts);
    for bundle in world.sent("village") {
        world.input("village", Input::Interrupted { link: LinkId(900), bundle, acknowledged: 0 });
    }
    world.pass(Duration::from_secs(60));
    assert_eq!(world.sent("village").len(), parts);
}

#[test]
fn a_job_in_parts_over_two_narrow_links_is_answered_once() {
    let mut world = World::new(&["village", "bus", "clinic"]);
    world.equip("clinic", Engine::Echo);
    let job = echo_job(&"a long question ".repeat(40));
    world.submit("village", &job).unwrap();
    world.meet_over("village", "bus", narrow(200), narrow(200));
    // The bus carries parts of 200 bytes and cuts them once more.
    world.meet_over("bus", "clinic", narrow(64), narrow(64));
    assert_eq!(world.hosts["clinic"].runs, 1);
    assert!(world.is_answered("village", &job));
    assert_eq!(world.answers_told("village"), 1);
}

#[test]
fn a_part_of_a_part_counts_from_the_beginning_of_the_whole() {
    let mut world = World::new(&["bus"]);
    let origin = FragmentOrigin { offset: 500, total: 1000 };
    world.hand_in("bus", letter().fragment(origin), &[7; 300]);
    world.is_stuck = true;
    let link = LinkId(900);
    let class = LinkClass { summaries: false, ..narrow(200) };
    world.input("bus", Input::ContactOpened { link, peer: Some(node("clinic")), class });
    let sent = transmitted(&world);
    assert_eq!(sent[0].bundle.fragment, Some(FragmentExtent { offset: 500, len: 200 }));
    assert_eq!(sent[1].bundle.fragment, Some(FragmentExtent { offset: 700, len: 100 }));
    assert_eq!((sent[0].start, sent[1].start), (0, 200), "where it lies in the block of the first part");
}

#[test]
fn parts_over_a_road_that_proves_nothing_leave_the_whole_here() {
    let mut world = World::new(&["village", "clinic"]);
    post(&mut world, 1000);
    let loose = LinkClass { durable: false, ..narrow(300) };
    world.meet_over("village", "clinic", loose, class());
    assert_eq!(delivered(&world), [1000]);
    assert_eq!(world.bundles("village"), 1);
    assert_eq!(world.sent("village").len(), 4, "and nothing is sent again on this contact");
}

#[test]
fn who_has_the_whole_is_offered_no_part_of_it() {
    let mut world = World::new(&["bus", "clinic", "school"]);
    for name in ["clinic", "school"] {
        world.hand_in(name, letter(), &[7; 1000]);
    }
    for offset in [0, 500] {
        let origin = FragmentOrigin { offset, total: 1000 };
        world.hand_in("bus", letter().fragment(origin), &[7; 500]);
    }
    world.host("bus").outputs.clear();
    world.visit("bus", "school");
    assert_eq!((world.sent("bus").len(), world.bundles("bus")), (0, 1), "the school has brought the whole");
    let origin = FragmentOrigin { offset: 0, total: 900 };
    let other = Builder::new(
        "dtn://stranger/letters".parse().unwrap(),
        LETTERS.parse().unwrap(),
        CreationTimestamp { time: DtnTime(0), sequence: 8 },
        24 * 3600 * 1000,
    );
    world.hand_in("clinic", other.clone(), &[7; 900]);
    world.hand_in("bus", other.fragment(origin), &[7; 500]);
    world.visit("bus", "clinic");
    assert_eq!((world.sent("bus").len(), world.bundles("bus")), (0, 0), "it is where it should be");
}

fn narrow(payload_max: u64) -> LinkClass {
    LinkClass { payload_max: Some(payload_max), ..class() }
}

fn letter() -> Builder {
    let made = CreationTimestamp { time: DtnTime(0), sequence: 7 };
    Builder::new("dtn://stranger/letters".parse().unwrap(), LETTERS.parse().unwrap(), made, 24 * 3600 * 1000)
}

fn post(world: &mut World, len: usize) {
    let bytes: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let payload = world.put("village", &bytes);
    submit(world, payload);
}

fn submit(world: &mut World, payload: bundle_spec::BlockRef) {
    let destination = LETTERS.parse().unwrap();
    let new = NewBundle {
        destination,
        source: "letters".to_owned(),
        payload,
        lifetime: None,
        terms: Terms::default(),
    };
    let answer = world.call("village", |call| Input::Submit { call, submission: Submission::Bundle(new) });
    assert!(matches!(answer, Ok(Answer::Bundle(_))), "{answer:?}");
}

/// A village with a letter of 1,000 bytes on its way to the clinic over a contact that says nothing.
fn stuck(class: LinkClass) -> (World, LinkId) {
    let mut world = World::new(&["village"]);
    post(&mut world, 1000);
    world.is_stuck = true;
    open(&mut world, LinkId(900), class);
    (world, LinkId(900))
}

fn open(world: &mut World, link: LinkId, class: LinkClass) {
    let class = LinkClass { summaries: false, ..class };
    world.input("village", Input::ContactOpened { link, peer: Some(node("clinic")), class });
}

fn transmitted(world: &World) -> Vec<Outgoing> {
    let outputs = world.hosts.values().flat_map(|host| &host.outputs);
    let sent = outputs.filter_map(|output| match output {
        Output::Transmit { outgoing, .. } => Some(outgoing.clone()),
        _ => None,
    });
    sent.collect()
}

/// Which parts were sent.
fn extents(world: &World) -> Vec<(u64, u64)> {
    let sent = transmitted(world);
    sent.iter().map(|out| out.bundle.fragment.map(|extent| (extent.offset, extent.len)).unwrap()).collect()
}

fn length(outgoing: &Outgoing) -> u64 {
    outgoing.header.payload_len()
}

fn delivered(world: &World) -> Vec<u64> {
    let outputs = world.hosts["clinic"].outputs.iter();
    let delivered = outputs.filter_map(|output| match output {
        Output::Deliver { payload, .. } => Some(payload.len),
        _ => None,
    });
    delivered.collect()
}
