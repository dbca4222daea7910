//! Status reports: of what, to whom, how many; and what becomes of those that arrive.

use std::time::Duration;

use bundle_spec::{
    Builder, BundleFlags, CreationTimestamp, DtnTime, Eid, FragmentOrigin,
    report::{AdministrativeRecord, Assertion, ReasonCode, StatusReport},
};

use super::world::{World, class, echo_job, node};
use crate::{
    agent::{
        AssemblyError, EventKind, Input, JobState, LinkClass, LinkId, NewBundle, Output, Refusal, Retention,
        Step, Submission, Terms,
    },
    limits,
};

const DAY_MS: u64 = 24 * 3600 * 1000;
const ALL: BundleFlags = BundleFlags(
    BundleFlags::REPORT_RECEPTION.0
        | BundleFlags::REPORT_FORWARDING.0
        | BundleFlags::REPORT_DELIVERY.0
        | BundleFlags::REPORT_DELETION.0,
);

#[test]
fn all_four_reports_are_made_where_it_happens() {
    let mut world = World::new(&["bus", "clinic"]);
    world.hand_in("bus", letter("dtn://clinic/letters").flags(ALL), b"text");
    assert_eq!(reports(&world, "bus"), ["received"]);
    world.visit("bus", "clinic");
    assert_eq!(reports(&world, "bus"), ["received", "forwarded"]);
    assert_eq!(reports(&world, "clinic"), ["received"], "nobody has read it");
    let bundle =
        world.agent("clinic").bundles().into_iter().find(|held| held.retention == Retention::Delivered);
    let bundle = bundle.unwrap().id;
    world.call("clinic", |call| Input::Take { call, bundle }).unwrap();
    assert_eq!(reports(&world, "clinic"), ["received", "delivered"]);
    world.hand_in("bus", numbered("dtn://school/letters", 1).flags(ALL), b"text");
    world.pass(Duration::from_millis(DAY_MS));
    assert_eq!(reports(&world, "bus"), ["received", "deleted: lifetime expired"]);
}

#[test]
fn only_what_is_asked_for_is_reported() {
    let mut world = World::new(&["clinic"]);
    world.hand_in("clinic", letter("dtn://clinic/letters").flags(BundleFlags::REPORT_DELETION), b"text");
    world.pass(Duration::from_millis(DAY_MS));
    assert_eq!(reports(&world, "clinic"), ["deleted: lifetime expired"]);
}

#[test]
fn a_bundle_is_reported_deleted_once_and_never_when_it_was_handed_on_or_put_together() {
    let mut world = World::new(&["bus", "clinic"]);
    world.hand_in("bus", letter("dtn://clinic/letters").flags(BundleFlags::REPORT_DELETION), b"text");
    world.visit("bus", "clinic");
    assert_eq!(reports(&world, "bus"), [""; 0]);
    for (offset, part) in [(0, b"0123"), (4, b"4567")] {
        let origin = FragmentOrigin { offset, total: 8 };
        let fragment = letter("dtn://clinic/other").flags(BundleFlags::REPORT_DELETION).fragment(origin);
        world.hand_in("clinic", fragment, part);
        assert_eq!(reports(&world, "clinic"), [""; 0]);
    }
}

#[test]
fn nothing_is_reported_unless_settings_say_so() {
    let mut world = World::new(&["clinic"]);
    world.reconfigure("clinic", |config| config.status_reports = false);
    world.hand_in("clinic", letter("dtn://clinic/letters").flags(ALL), b"text");
    world.pass(Duration::from_millis(DAY_MS));
    assert_eq!(reports(&world, "clinic"), [""; 0]);
}

#[test]
fn nothing_is_reported_to_nobody() {
    let mut world = World::new(&["clinic"]);
    let letter = letter("dtn://clinic/letters").flags(ALL).report_to(Eid::None);
    world.hand_in("clinic", letter, b"text");
    assert_eq!(reports(&world, "clinic"), [""; 0]);
}

#[test]
fn nothing_is_reported_about_reports() {
    let mut world = World::new(&["bus", "clinic"]);
    world.hand_in("bus", letter("dtn://clinic/letters").flags(ALL), b"text");
    let report = world.agent("bus").bundles().into_iter().find(|held| held.destination == home()).unwrap();
    world.pass(report.expires.since(world.now));
    let deleted = reports(&world, "bus");
    assert_eq!(deleted, ["received", "deleted: lifetime expired"], "of the letter alone");
}

#[test]
fn the_time_is_stated_where_it_is_asked_for_and_known() {
    let timed = ALL | BundleFlags::STATUS_TIME_REQUESTED;
    for (has_clock, flags, expected) in [
        (true, timed, Assertion::At(DtnTime(800_000_000_000))),
        (true, ALL, Assertion::Yes),
        (false, timed, Assertion::Yes),
    ] {
        let mut world = World::new(&["clinic"]);
        if has_clock {
            world.clocks(0);
        }
        world.hand_in("clinic", letter("dtn://clinic/letters").flags(flags), b"text");
        assert_eq!(made(&world, "clinic")[0].received, expected);
    }
}

#[test]
fn more_reports_than_the_limit_are_left_out_until_later() {
    let mut world = World::new(&["bus"]);
    let mut count = 0;
    let max = usize::try_from(limits::REPORTS_MAX).unwrap();
    for number in 0..=max {
        let letter = numbered("dtn://clinic/letters", number as u64).flags(BundleFlags::REPORT_RECEPTION);
        world.hand_in("bus", letter, b"text");
        count += reports(&world, "bus").len();
    }
    assert_eq!(count, max);
    world.pass(limits::REPORTS_PERIOD);
    let letter = numbered("dtn://clinic/letters", 1_000_000).flags(BundleFlags::REPORT_RECEPTION);
    world.hand_in("bus", letter, b"text");
    assert_eq!(reports(&world, "bus"), ["received"]);
}

#[test]
fn who_sent_the_bundle_hears_of_it() {
    let mut world = World::new(&["village", "bus", "clinic"]);
    let payload = world.put("village", b"text");
    let terms = Terms { flags: ALL, ..Terms::default() };
    let destination = "dtn://clinic/letters".parse().unwrap();
    let new = NewBundle { destination, source: "letters".to_owned(), payload, lifetime: None, terms };
    world.call("village", |call| Input::Submit { call, submission: Submission::Bundle(new) }).unwrap();
    world.visit("village", "bus");
    world.visit("bus", "clinic");
    world.visit("bus", "village");
    let mut heard: Vec<String> = reported(&world, "village");
    heard.sort();
    let expected =
        ["dtn://bus/ forwarded", "dtn://bus/ received", "dtn://clinic/ received", "dtn://village/ forwarded"];
    assert_eq!(heard, expected, "its own, and those that have come back");
    assert_eq!(world.bundles("bus"), 0, "reports have gone on to where they are read");
}

#[test]
fn a_report_about_a_job_is_a_step_of_its_journey() {
    let mut world = World::new(&["village"]);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    let mut report = StatusReport::new(world.agent("village").bundles()[0].id.clone(), ReasonCode::NoRoute);
    report.deleted = Assertion::Yes;
    let report = AdministrativeRecord::StatusReport(report).encode();
    let builder = letter("dtn://village/answers").flags(BundleFlags::IS_ADMINISTRATIVE).report_to(Eid::None);
    world.hand_in("village", builder, &report);
    let last = world.steps("village", &job).pop().unwrap();
    let what = "deleted: no known route to destination from here".to_owned();
    assert_eq!(last, Step::Reported { by: Some(node("stranger")), what });
    assert_eq!(world.state("village", &job), Some(JobState::Open), "which is no reason to give up");
    assert_eq!(world.bundles("village"), 1, "the report is not kept");
}

#[test]
fn a_report_for_an_application_waits_at_its_endpoint() {
    let mut world = World::new(&["village"]);
    let subject = letter("dtn://clinic/letters").header(0).bundle_id();
    let report = AdministrativeRecord::StatusReport(StatusReport::new(subject, ReasonCode::NoInformation));
    let flags = BundleFlags::IS_ADMINISTRATIVE;
    let builder = letter("dtn://village/reports").flags(flags).report_to(Eid::None);
    world.hand_in("village", builder, &report.encode());
    assert_eq!(world.agent("village").bundles()[0].retention, Retention::Delivered);
    assert_eq!(reported(&world, "village").len(), 1);
}

#[test]
fn what_is_no_report_is_ignored() {
    let mut world = World::new(&["village"]);
    for (number, bytes) in [&b"\x82\x01\x00"[..], b"", b"\x82\x18\x63\x00"].into_iter().enumerate() {
        let builder = numbered("dtn://village/", number as u64).flags(BundleFlags::IS_ADMINISTRATIVE);
        let answer = world.hand_in("village", builder.report_to(Eid::None), bytes);
        assert!(matches!(answer, Output::Acknowledge { .. }), "it is taken, and nothing comes of it");
    }
    assert_eq!(world.bundles("village"), 0);
    assert_eq!(reported(&world, "village"), [""; 0]);
}

#[test]
fn a_bundle_in_parts_is_reported_forwarded_once() {
    let mut world = World::new(&["bus", "clinic"]);
    world.hand_in("bus", letter("dtn://clinic/letters").flags(BundleFlags::REPORT_FORWARDING), &[7; 100]);
    let narrow = LinkClass { payload_max: Some(30), ..class() };
    world.meet_over("bus", "clinic", narrow, class());
    assert_eq!(reports(&world, "bus"), ["forwarded"]);
}

#[test]
fn what_security_says_of_a_bundle_is_reported_where_that_is_asked_for() {
    for (flags, why, told) in [
        (ALL, Some(ReasonCode::MissingSecurityOperation), vec!["received: missing", "deleted: missing"]),
        (BundleFlags::REPORT_DELETION, Some(ReasonCode::FailedSecurityOperation), vec!["deleted: failed"]),
        (BundleFlags::NONE, Some(ReasonCode::UnknownSecurityOperation), vec![]),
        (ALL, None, vec![]),
    ] {
        let mut world = World::new(&["clinic", "bus"]);
        let link = world.meet("clinic", "bus");
        let header = letter("dtn://clinic/letters").flags(flags).header(4);
        let payload = world.put("clinic", b"text");
        let reason = Refusal::Malformed;
        world.input("clinic", Input::Distrusted { link, header, payload, reason, report: why });
        let told: Vec<String> = told.iter().map(|told| format!("{told} security operation")).collect();
        assert_eq!(reports(&world, "clinic"), told);
    }
}

#[test]
fn fragments_that_make_what_security_does_not_let_pass_are_reported() {
    let mut world = World::new(&["clinic"]);
    world.holds_assemblies = true;
    for (offset, part) in [(0, b"0123"), (4, b"4567")] {
        let origin = FragmentOrigin { offset, total: 8 };
        let letter = letter("dtn://clinic/letters").flags(BundleFlags::REPORT_DELETION).fragment(origin);
        world.hand_in("clinic", letter, part);
    }
    let bundle = letter("dtn://clinic/letters").header(8).bundle_id();
    world.input("clinic", Input::Assembled { bundle, result: Err(AssemblyError::Distrusted) });
    assert_eq!(reports(&world, "clinic"), ["deleted: failed security operation"; 2]);
}

#[test]
fn a_bundle_that_is_refused_is_not_reported() {
    let mut world = World::new(&["clinic"]);
    let letter = || letter("dtn://clinic/letters").flags(ALL);
    world.hand_in("clinic", letter(), b"text");
    let answer = world.hand_in("clinic", letter(), b"text");
    assert!(matches!(answer, Output::Refuse { reason: Refusal::Duplicate, link: LinkId(_), .. }));
    assert_eq!(reports(&world, "clinic"), [""; 0]);
}

fn home() -> Eid {
    "dtn://stranger/reports".parse().unwrap()
}

fn letter(destination: &str) -> Builder {
    numbered(destination, destination.len() as u64)
}

fn numbered(destination: &str, sequence: u64) -> Builder {
    let made = CreationTimestamp { time: DtnTime(0), sequence };
    let source = "dtn://stranger/letters".parse().unwrap();
    Builder::new(source, destination.parse().unwrap(), made, DAY_MS).report_to(home())
}

/// The reports that a node has made since its outputs were last cleared.
fn made(world: &World, name: &str) -> Vec<StatusReport> {
    let blocks = world.hosts[name].outputs.iter().filter_map(|output| match output {
        Output::Block { bytes } => Some(bytes.clone()),
        _ => None,
    });
    let records = blocks.map(|bytes| match AdministrativeRecord::decode(&bytes).unwrap() {
        AdministrativeRecord::StatusReport(report) => report,
        AdministrativeRecord::Other { .. } => panic!("a node makes no other records"),
    });
    records.collect()
}

fn reports(world: &World, name: &str) -> Vec<String> {
    made(world, name).iter().map(words).collect()
}

fn words(report: &StatusReport) -> String {
    let stated = [
        (report.received, "received"),
        (report.forwarded, "forwarded"),
        (report.delivered, "delivered"),
        (report.deleted, "deleted"),
    ];
    let stated: Vec<&str> =
        stated.into_iter().filter(|(made, _)| made.is_made()).map(|(_, word)| word).collect();
    match report.reason {
        ReasonCode::NoInformation => stated.join(", "),
        reason => format!("{}: {reason}", stated.join(", ")),
    }
}

/// What people at a node were told of reports.
fn reported(world: &World, name: &str) -> Vec<String> {
    let told = world.hosts[name].outputs.iter().filter_map(|output| match output {
        Output::Event(event) => match &event.kind {
            EventKind::Reported { by, report } => Some(format!("{} {}", by.as_ref().unwrap(), words(report))),
            _ => None,
        },
        _ => None,
    });
    told.collect()
}
