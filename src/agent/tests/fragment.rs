//! Fragments: put together where they end, passed on where they do not.

use std::time::Duration;

use bundle_spec::{Builder, BundleId, CreationTimestamp, DtnTime, Eid, FragmentOrigin};

use super::world::{Engine, World, echo_job, node};
use crate::{
    agent::{Assembled, AssemblyError, Input, JobState, Output, Refusal, Resources, Retention, endpoints},
    limits,
};

const DAY_MS: u64 = 24 * 3600 * 1000;
const TEXT: &[u8] = b"a letter that came in pieces";

#[test]
fn fragments_in_any_order_become_one_bundle_that_is_delivered_once() {
    let mut world = World::new(&["village"]);
    for (offset, len) in [(20, 8), (0, 12), (10, 4), (12, 8)] {
        accept(&mut world, "dtn://village/letters", TEXT, offset, len);
    }
    assert_eq!(delivered(&world), [TEXT.len() as u64]);
    let bundles = world.agent("village").bundles();
    assert_eq!(bundles.len(), 1, "no fragment is left");
    assert_eq!(bundles[0].retention, Retention::Delivered);
    assert_eq!(bundles[0].id.fragment, None);
    world.check_stores();
}

#[test]
fn a_fragment_of_a_bundle_that_is_here_as_a_whole_is_a_duplicate() {
    let mut world = World::new(&["village"]);
    accept(&mut world, "dtn://village/letters", TEXT, 0, TEXT.len());
    let answer = hand_in(&mut world, "dtn://village/letters", TEXT, 5, 5);
    assert!(matches!(answer, Output::Refuse { reason: Refusal::Duplicate, .. }));
}

#[test]
fn a_whole_that_comes_in_one_piece_makes_its_fragments_needless() {
    let mut world = World::new(&["village"]);
    accept(&mut world, "dtn://village/letters", TEXT, 0, 12);
    world.hand_in("village", builder("dtn://village/letters"), TEXT);
    assert_eq!(delivered(&world), [TEXT.len() as u64]);
    assert_eq!(world.bundles("village"), 1);
    world.check_stores();
}

#[test]
fn fragments_that_disagree_about_the_whole_are_not_mixed() {
    let mut world = World::new(&["village"]);
    accept(&mut world, "dtn://village/letters", TEXT, 0, 12);
    let longer = [TEXT, b"!"].concat();
    accept(&mut world, "dtn://village/letters", &longer, 12, 17);
    assert_eq!(delivered(&world), [0; 0]);
    accept(&mut world, "dtn://village/letters", TEXT, 12, 16);
    assert_eq!(delivered(&world), [TEXT.len() as u64]);
    assert_eq!(world.bundles("village"), 1, "what can never be complete is gone");
}

#[test]
fn a_job_that_comes_in_fragments_runs_where_there_is_an_engine_and_is_passed_on_elsewhere() {
    let mut world = World::new(&["village", "bus", "clinic"]);
    let job = echo_job(&"question ".repeat(20));
    let adu = job.encode();
    for offset in (0..adu.len()).step_by(50) {
        accept_at(&mut world, "bus", endpoints::JOBS, &adu, offset, 50.min(adu.len() - offset));
    }
    assert_eq!(world.state("bus", &job), None, "who has no engine only carries");
    world.equip("clinic", Engine::Echo);
    world.visit("bus", "clinic");
    assert_eq!(world.hosts["clinic"].runs, 1);
    assert!(world.is_answered("clinic", &job));
    let fragments = world.agent("clinic").bundles().into_iter().filter(|held| held.id.fragment.is_some());
    assert_eq!(fragments.count(), 0);
    world.visit("bus", "clinic");
    assert_eq!(world.hosts["clinic"].runs, 1);
}

#[test]
fn an_engine_that_comes_later_finds_the_job_in_the_fragments() {
    let mut world = World::new(&["clinic"]);
    let job = echo_job("a");
    let adu = job.encode();
    accept_at(&mut world, "clinic", endpoints::JOBS, &adu, 0, 10);
    accept_at(&mut world, "clinic", endpoints::JOBS, &adu, 10, adu.len() - 10);
    assert_eq!(world.state("clinic", &job), None);
    world.equip("clinic", Engine::Echo);
    assert_eq!(world.hosts["clinic"].runs, 1);
    assert!(matches!(world.state("clinic", &job), Some(JobState::Answered { success: true, .. })));
}

#[test]
fn fragments_that_expire_before_the_last_has_come_are_gone() {
    let mut world = World::new(&["village"]);
    accept(&mut world, "dtn://village/letters", TEXT, 0, 12);
    world.pass(Duration::from_millis(DAY_MS - 1));
    assert_eq!(world.bundles("village"), 1);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.bundles("village"), 0);
    let answer = hand_in_aged(&mut world, TEXT, 12, 16, 0);
    assert!(matches!(answer, Output::Acknowledge { .. }));
    assert_eq!(delivered(&world), [0; 0]);
}

#[test]
fn the_whole_is_as_old_as_its_first_fragment() {
    let mut world = World::new(&["village"]);
    hand_in_aged(&mut world, TEXT, 0, 12, 1000);
    world.pass(Duration::from_millis(500));
    hand_in_aged(&mut world, TEXT, 12, 16, 0);
    let expires = world.agent("village").bundles()[0].expires;
    assert_eq!(expires.since(world.now), Duration::from_millis(DAY_MS - 1500));
}

#[test]
fn a_restart_between_the_steps_loses_nothing_and_delivers_once() {
    let mut world = World::new(&["village"]);
    world.holds_assemblies = true;
    accept(&mut world, "dtn://village/letters", TEXT, 0, 12);
    world.restart("village");
    accept(&mut world, "dtn://village/letters", TEXT, 12, 16);
    world.restart("village");
    let (bundle, len) = asked(&world);
    assert_eq!(len, TEXT.len() as u64);
    world.end_assembly("village", bundle, TEXT);
    world.settle();
    assert_eq!(delivered(&world), [TEXT.len() as u64]);
    let all = world.hosts["village"].records.len();
    // Whatever reached the disk of the last step: the letter is there, as fragments or as a whole.
    for records in all - 3..=all {
        let mut rebuilt = world.rebuilt("village", records);
        let held = rebuilt.bundles();
        let wholes = held.iter().filter(|bundle| bundle.id.fragment.is_none()).count();
        let is_asked =
            std::iter::from_fn(|| rebuilt.poll()).any(|out| matches!(out, Output::Assemble { .. }));
        assert!(wholes == 1 && held.len() == 1 || wholes == 0 && is_asked, "{records} records: {held:?}");
    }
}

#[test]
fn what_finds_no_room_for_the_whole_is_tried_again() {
    let mut world = World::new(&["village"]);
    world.holds_assemblies = true;
    accept(&mut world, "dtn://village/letters", TEXT, 0, 12);
    accept(&mut world, "dtn://village/letters", TEXT, 12, 16);
    let (bundle, _) = asked(&world);
    let full = Input::Assembled { bundle: bundle.clone(), result: Err(AssemblyError::NoRoom) };
    world.host("village").outputs.clear();
    world.input("village", full);
    assert_eq!(world.bundles("village"), 2);
    world.pass(limits::REASSEMBLY_PAUSE);
    assert_eq!(asked(&world).0, bundle);
}

#[test]
fn a_whole_that_is_not_what_it_says_goes_with_its_fragments_and_is_not_taken_again() {
    let mut world = World::new(&["village"]);
    world.holds_assemblies = true;
    accept(&mut world, "dtn://village/letters", TEXT, 0, 12);
    accept(&mut world, "dtn://village/letters", TEXT, 12, 16);
    let (bundle, _) = asked(&world);
    world.input("village", Input::Assembled { bundle, result: Err(AssemblyError::Distrusted) });
    assert_eq!(world.bundles("village"), 0);
    let again = hand_in(&mut world, "dtn://village/letters", TEXT, 0, 12);
    assert!(matches!(again, Output::Refuse { reason: Refusal::Duplicate, .. }), "{again:?}");
    assert_eq!(delivered(&world), [0; 0]);
}

#[test]
fn a_whole_that_comes_after_its_fragments_have_expired_is_not_delivered() {
    let mut world = World::new(&["village"]);
    world.holds_assemblies = true;
    accept(&mut world, "dtn://village/letters", TEXT, 0, 12);
    accept(&mut world, "dtn://village/letters", TEXT, 12, 16);
    let (bundle, _) = asked(&world);
    world.pass(Duration::from_millis(DAY_MS));
    world.end_assembly("village", bundle, TEXT);
    world.settle();
    assert_eq!(delivered(&world), [0; 0]);
    world.check_stores();
}

#[test]
fn a_fragment_is_refused_where_the_whole_would_find_no_room() {
    let mut world = World::new(&["village"]);
    let store_free = (TEXT.len() + 11) as u64;
    let room = Resources { store_free, engines: Vec::new(), slots: 0 };
    world.input("village", Input::Resources(room));
    let (now, link) = (world.now, crate::agent::LinkId(1));
    let header = |len: usize| fragment("dtn://village/letters", TEXT.len(), 0).header(len as u64);
    assert_eq!(world.agent("village").admit(now, link, &header(12)), Err(Refusal::NoRoom));
    assert_eq!(world.agent("village").admit(now, link, &header(11)), Ok(()));
}

#[test]
fn bundles_beyond_4_gib_are_put_together() {
    let mut world = World::new(&["village"]);
    world.holds_assemblies = true;
    let (total, cut) = (6_u64 << 30, 5_u64 << 30);
    for (offset, len) in [(0, cut), (cut, total - cut)] {
        let payload = bundle_spec::BlockRef { len, ..world.put("village", &offset.to_be_bytes()) };
        let origin = FragmentOrigin { offset, total };
        let header = builder("dtn://village/letters").fragment(origin).header(len);
        let link = crate::agent::LinkId(900 + offset);
        let class = crate::agent::LinkClass::plain("test");
        world.input("village", Input::ContactOpened { link, peer: None, class });
        let received = Input::Received { link, header, payload, adu: None, opened: None };
        let now = world.now;
        world.host("village").agent.handle(now, received);
        world.take_outputs("village");
    }
    let (bundle, len) = asked(&world);
    assert_eq!(len, total);
    let payload = bundle_spec::BlockRef { len, ..world.put("village", b"whole") };
    world.input(
        "village",
        Input::Assembled { bundle, result: Ok(Assembled { header: None, payload, adu: None, opened: None }) },
    );
    assert_eq!(delivered(&world), [total]);
}

fn builder(destination: &str) -> Builder {
    let source: Eid = "dtn://stranger/letters".parse().unwrap();
    let made = CreationTimestamp { time: DtnTime(0), sequence: 7 };
    Builder::new(source, destination.parse().unwrap(), made, DAY_MS)
        .report_to(endpoints::answers(&node("bus")))
}

fn fragment(destination: &str, total: usize, offset: usize) -> Builder {
    builder(destination).fragment(FragmentOrigin { offset: offset as u64, total: total as u64 })
}

fn hand_in(world: &mut World, destination: &str, text: &[u8], offset: usize, len: usize) -> Output {
    let name = "village";
    world.hand_in(name, fragment(destination, text.len(), offset), &text[offset..offset + len])
}

fn hand_in_aged(world: &mut World, text: &[u8], offset: usize, len: usize, age: u64) -> Output {
    let builder = fragment("dtn://village/letters", text.len(), offset).age_ms(age);
    world.hand_in("village", builder, &text[offset..offset + len])
}

fn accept(world: &mut World, destination: &str, text: &[u8], offset: usize, len: usize) {
    let answer = hand_in(world, destination, text, offset, len);
    assert!(matches!(answer, Output::Acknowledge { .. }), "{answer:?}");
}

fn accept_at(
    world: &mut World,
    name: &'static str,
    destination: &str,
    text: &[u8],
    offset: usize,
    len: usize,
) {
    let builder = fragment(destination, text.len(), offset);
    let answer = world.hand_in(name, builder, &text[offset..offset + len]);
    assert!(matches!(answer, Output::Acknowledge { .. }), "{answer:?}");
}

/// Lengths of the payloads that were delivered at the village since its outputs were last cleared.
fn delivered(world: &World) -> Vec<u64> {
    let outputs = world.hosts["village"].outputs.iter();
    let delivered = outputs.filter_map(|output| match output {
        Output::Deliver { bundle, payload, .. } => {
            assert_eq!(bundle.fragment, None);
            Some(payload.len)
        }
        _ => None,
    });
    delivered.collect()
}

/// What the village asked to be put together last.
fn asked(world: &World) -> (BundleId, u64) {
    let outputs = world.hosts["village"].outputs.iter().rev();
    let mut asked = outputs.filter_map(|output| match output {
        Output::Assemble { bundle, len, .. } => Some((bundle.clone(), *len)),
        _ => None,
    });
    asked.next().expect("something is to be put together")
}
