//! Contacts: what goes first, how much, to whom, and what becomes of transfers that fail.

use std::{num::NonZeroU64, time::Duration};

use bundle_spec::adu::{Adu, Have};

use super::world::{Engine, World, class, echo_job, node};
use crate::{
    agent::{
        CloseReason, EventKind, Input, LinkClass, LinkId, NewBundle, Outgoing, Output, Refusal, Submission,
        Terms,
    },
    limits,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn nothing_is_sent_that_the_peer_has() {
    let mut world = World::new(&["village", "bus"]);
    world.submit("village", &echo_job("a")).unwrap();
    world.visit("village", "bus");
    world.visit("village", "bus");
    world.visit("bus", "village");
    assert_eq!(world.sent("village").len(), 1);
    assert_eq!(world.sent("bus").len(), 0);
}

#[test]
fn a_new_bundle_goes_over_an_open_contact_at_once() {
    let mut world = World::new(&["village", "clinic"]);
    world.equip("clinic", Engine::Echo);
    world.meet("village", "clinic");
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    assert!(world.is_answered("village", &job));
}

#[test]
fn transmission_waits_for_the_summary_but_not_for_ever() {
    let mut world = World::new(&["village"]);
    world.submit("village", &echo_job("a")).unwrap();
    open(&mut world, "village", LinkId(900), class());
    assert!(world.sent("village").is_empty());
    world.pass(limits::SUMMARY_PATIENCE - Duration::from_millis(1));
    assert!(world.sent("village").is_empty());
    world.pass(Duration::from_millis(1));
    assert_eq!(world.sent("village").len(), 1);
}

#[test]
fn a_peer_without_summaries_is_sent_to_at_once() {
    let mut world = World::new(&["village"]);
    world.submit("village", &echo_job("a")).unwrap();
    open(&mut world, "village", LinkId(900), LinkClass { summaries: false, ..class() });
    assert_eq!(world.sent("village").len(), 1);
}

#[test]
fn a_long_summary_comes_in_frames_and_ends_with_the_last() {
    let mut world = World::new(&["village"]);
    world.submit("village", &echo_job("a")).unwrap();
    open(&mut world, "village", LinkId(900), class());
    let have = |more| Have { node: node("bus"), more, bundles: Vec::new(), jobs: Vec::new() }.encode();
    world.input("village", Input::Heard { link: LinkId(900), adu: have(true) });
    assert!(world.sent("village").is_empty());
    world.input("village", Input::Heard { link: LinkId(900), adu: have(false) });
    assert_eq!(world.sent("village").len(), 1);
    let own: Vec<Have> = announced(&world, "village");
    assert_eq!(own.len(), 2, "one frame of jobs, one of bundles");
    assert!(own[0].more && !own[1].more);
}

#[test]
fn results_go_first_then_jobs_then_the_rest_by_expiry() {
    let mut world = stuffed();
    world.is_stuck = true;
    open(&mut world, "bus", LinkId(900), LinkClass { summaries: false, ..class() });
    let kinds: Vec<String> =
        transmitted(&world).iter().map(|out| out.header.primary().destination().to_string()).collect();
    assert_eq!(kinds[0], "dtn://village/answers");
    assert_eq!(kinds[1], "dtn://pannier/~jobs");
    assert_eq!(kinds[2], "dtn://school/early");
    assert_eq!(kinds[3], "dtn://school/late");
}

#[test]
fn a_budget_is_kept_and_filled_with_what_fits() {
    let mut world = stuffed();
    world.is_stuck = true;
    let budget = Some(1200);
    open(&mut world, "bus", LinkId(900), LinkClass { summaries: false, budget, ..class() });
    let sent = transmitted(&world);
    let bytes: u64 = sent.iter().map(|out| out.payload.len + out.header.raw().len() as u64).sum();
    assert!(bytes <= 1200, "{bytes}");
    assert!(!sent.is_empty());
    assert!(sent.len() < 4);
}

#[test]
fn a_contact_toward_some_carries_only_what_is_for_them_or_for_anybody() {
    let mut world = stuffed();
    world.is_stuck = true;
    let toward = vec![node("clinic")];
    open(&mut world, "bus", LinkId(900), LinkClass { summaries: false, toward, ..class() });
    let kinds: Vec<String> =
        transmitted(&world).iter().map(|out| out.header.primary().destination().to_string()).collect();
    assert_eq!(kinds, ["dtn://pannier/~jobs"]);
}

#[test]
fn a_contact_that_drains_is_ended_once_nothing_is_left() {
    let mut world = World::new(&["village"]);
    world.submit("village", &echo_job("a")).unwrap();
    world.is_stuck = true;
    let link = LinkId(900);
    open(&mut world, "village", link, LinkClass { summaries: false, drains: true, ..class() });
    assert_eq!(closes(&world, "village"), 0);
    let bundle = world.sent("village")[0].clone();
    world.input("village", Input::Transmitted { link, bundle });
    assert_eq!(closes(&world, "village"), 1);
    world.input("village", Input::Deadline);
    assert_eq!(closes(&world, "village"), 1);
}

#[test]
fn at_most_so_many_transfers_are_in_flight() {
    let mut world = World::new(&["village"]);
    for number in 0..20 {
        world.submit("village", &echo_job(&number.to_string())).unwrap();
    }
    world.is_stuck = true;
    let link = LinkId(900);
    open(&mut world, "village", link, LinkClass { summaries: false, ..class() });
    assert_eq!(world.sent("village").len(), limits::LINK_TRANSFERS_MAX);
    let bundle = world.sent("village")[0].clone();
    world.input("village", Input::Transmitted { link, bundle });
    assert_eq!(world.sent("village").len(), limits::LINK_TRANSFERS_MAX + 1);
}

#[test]
fn a_transfer_that_was_cut_off_goes_on_where_it_was() {
    let (mut world, link) = stuck();
    let bundle = world.sent("village")[0].clone();
    world.input("village", Input::Interrupted { link, bundle, acknowledged: 10 });
    assert_eq!(transmitted(&world).len(), 1);
    world.pass(limits::RETRY_PAUSE);
    let sent = transmitted(&world);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1].offset, 10);
}

#[test]
fn what_was_in_flight_when_the_contact_closed_goes_over_the_next() {
    let (mut world, link) = stuck();
    world.input("village", Input::ContactClosed { link, reason: CloseReason::Lost });
    open(&mut world, "village", LinkId(901), LinkClass { summaries: false, ..class() });
    assert_eq!(transmitted(&world).len(), 2);
}

#[test]
fn what_the_peer_has_no_room_for_is_not_offered_again_on_this_contact() {
    let (mut world, link) = stuck();
    let bundle = world.sent("village")[0].clone();
    world.input("village", Input::Refused { link, bundle, reason: Refusal::NoRoom });
    world.pass(Duration::from_secs(3600));
    assert_eq!(transmitted(&world).len(), 1);
    open(&mut world, "village", LinkId(901), LinkClass { summaries: false, ..class() });
    assert_eq!(transmitted(&world).len(), 2);
}

#[test]
fn a_transfer_of_a_bundle_that_is_gone_is_aborted() {
    let (mut world, _) = stuck();
    let job = echo_job("a");
    world.call("village", |call| Input::Cancel { call, job: job.cid() }).unwrap();
    let aborts = world.hosts["village"].outputs.iter().filter(|out| matches!(out, Output::Abort { .. }));
    assert_eq!(aborts.count(), 1);
}

#[test]
fn an_answer_handed_over_without_proof_of_durability_is_kept() {
    let mut world = World::new(&["village", "clinic"]);
    world.equip("clinic", Engine::Echo);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    let loose = LinkClass { durable: false, ..class() };
    let link = world.meet_over("village", "clinic", class(), loose);
    assert!(world.is_answered("village", &job));
    // The receipt of the asker, not the transfer, lets the clinic forget.
    let deleted = world.hosts["clinic"].outputs.iter().filter_map(|out| match out {
        Output::Event(event) => match event.kind {
            EventKind::Deleted { why, .. } => Some(why),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(deleted.collect::<Vec<_>>(), ["cured", "cured"], "the question and the answer");
    world.part(link);
    assert_eq!(world.bundles("clinic"), 0);
}

#[test]
fn a_bundle_is_refused_when_it_is_held_or_was() {
    let mut world = World::new(&["village", "bus"]);
    world.submit("village", &echo_job("a")).unwrap();
    world.visit("village", "bus");
    open(&mut world, "bus", LinkId(900), class());
    let header = transmitted(&world)[0].header.clone();
    let payload = transmitted(&world)[0].payload;
    assert_eq!(world.agent("bus").admit(world.now, LinkId(900), &header), Err(Refusal::Duplicate));
    world.input("bus", Input::Received { link: LinkId(900), header, payload, adu: None, opened: None });
    assert!(matches!(
        world.hosts["bus"].outputs.last(),
        Some(Output::Refuse { reason: Refusal::Duplicate, .. })
    ));
}

#[test]
fn an_acknowledgement_follows_its_records() {
    let mut world = World::new(&["village", "bus"]);
    world.submit("village", &echo_job("a")).unwrap();
    world.visit("village", "bus");
    let outputs = &world.hosts["bus"].outputs;
    let place = |wanted: fn(&Output) -> bool| outputs.iter().position(wanted).unwrap();
    let acknowledged = place(|output| matches!(output, Output::Acknowledge { .. }));
    assert!(place(|output| matches!(output, Output::Record(crate::agent::Record::Job(_)))) < acknowledged);
    assert!(place(|output| matches!(output, Output::Record(crate::agent::Record::Bundle(_)))) < acknowledged);
}

#[test]
fn a_peer_that_was_met_is_remembered_with_what_it_offers() {
    let mut world = World::new(&["village", "clinic"]);
    world.equip("clinic", Engine::Echo);
    let link = world.meet("village", "clinic");
    let (round_trip, rate) = (Duration::from_millis(5), NonZeroU64::MIN);
    world.input("village", Input::Measured { link, round_trip, rate });
    let peers = world.agent("village").peers();
    assert!(peers[0].connected);
    assert_eq!(peers[0].engines, ["echo"]);
    world.part(link);
    assert!(!world.agent("village").peers()[0].connected);
}

/// A bus with an answer for the village, a job, and two bundles for the school.
fn stuffed() -> World {
    let mut world = World::new(&["village", "bus", "clinic"]);
    world.equip("clinic", Engine::Echo);
    world.submit("village", &echo_job("answered")).unwrap();
    world.visit("village", "bus");
    world.visit("bus", "clinic");
    for (demux, lifetime, len) in [("late", 3 * DAY, 500), ("early", DAY, 600)] {
        let payload = world.put("bus", &vec![7; len]);
        let destination = format!("dtn://school/{demux}").parse().unwrap();
        let new = NewBundle {
            destination,
            source: "data".to_owned(),
            payload,
            lifetime: Some(lifetime),
            terms: Terms::default(),
        };
        world.call("bus", |call| Input::Submit { call, submission: Submission::Bundle(new) }).unwrap();
    }
    world.submit("bus", &echo_job("open")).unwrap();
    world.host("bus").outputs.clear();
    world.host("clinic").outputs.clear();
    world.host("village").outputs.clear();
    world
}

/// A village with one job on its way over a contact that never says what became of it.
fn stuck() -> (World, LinkId) {
    let mut world = World::new(&["village"]);
    world.submit("village", &echo_job("a")).unwrap();
    world.is_stuck = true;
    open(&mut world, "village", LinkId(900), LinkClass { summaries: false, ..class() });
    assert_eq!(world.sent("village").len(), 1);
    (world, LinkId(900))
}

fn open(world: &mut World, name: &'static str, link: LinkId, class: LinkClass) {
    world.input(name, Input::ContactOpened { link, peer: Some(node("stranger")), class });
}

fn transmitted(world: &World) -> Vec<Outgoing> {
    let outputs = world.hosts.values().flat_map(|host| &host.outputs);
    let sent = outputs.filter_map(|output| match output {
        Output::Transmit { outgoing, .. } => Some(outgoing.clone()),
        _ => None,
    });
    sent.collect()
}

fn announced(world: &World, name: &str) -> Vec<Have> {
    let outputs = world.hosts[name].outputs.iter();
    let said = outputs.filter_map(|output| match output {
        Output::Announce { adu, .. } => Adu::decode(adu).ok(),
        _ => None,
    });
    let haves = said.filter_map(|adu| match adu {
        Adu::Have(have) => Some(have),
        _ => None,
    });
    haves.collect()
}

fn closes(world: &World, name: &str) -> usize {
    world.hosts[name].outputs.iter().filter(|output| matches!(output, Output::Close { .. })).count()
}
