//! Endpoints of applications: what waits there, who reads it, and what a registration is for.

use std::time::Duration;

use bundle_spec::{BundleFlags, BundleId, CrcType, Eid};

use super::world::World;
use crate::agent::{Answer, EventKind, Input, NewBundle, Output, Submission, SubmitError, Terms};

const DAY: Duration = Duration::from_secs(24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_bundle_waits_for_a_registration_that_comes_later() {
    let mut world = World::new(&["village", "clinic"]);
    let bundle = send(&mut world, "village", "dtn://clinic/incoming", b"water");
    world.visit("village", "clinic");
    assert_eq!(waiting(&world, "clinic", "dtn://clinic/incoming"), [(bundle.clone(), false)]);
    assert!(!world.agent("clinic").endpoints()[0].is_registered);
    register(&mut world, "clinic", "dtn://clinic/incoming").unwrap();
    world.restart("clinic");
    let endpoints = world.agent("clinic").endpoints();
    assert_eq!((endpoints.len(), endpoints[0].is_registered, endpoints[0].waiting), (1, true, 1));
    take(&mut world, "clinic", &bundle).unwrap();
    assert_eq!(waiting(&world, "clinic", "dtn://clinic/incoming"), []);
    assert_eq!(take(&mut world, "clinic", &bundle), Err(SubmitError::NotFound));
    world.check_stores();
}

#[test]
fn what_was_taken_is_not_delivered_again() {
    let mut world = World::new(&["village", "bus", "clinic"]);
    let bundle = send(&mut world, "village", "dtn://clinic/incoming", b"water");
    world.visit("village", "bus");
    world.visit("village", "clinic");
    take(&mut world, "clinic", &bundle).unwrap();
    world.restart("clinic");
    world.visit("bus", "clinic");
    assert_eq!(waiting(&world, "clinic", "dtn://clinic/incoming"), []);
    assert_eq!(delivered(&world, "clinic"), 1);
}

#[test]
fn one_reader_at_a_time_has_a_bundle_and_a_reader_that_dies_loses_it() {
    let mut world = World::new(&["clinic"]);
    let bundle = send(&mut world, "clinic", "dtn://clinic/incoming", b"water");
    assert_eq!(claim(&mut world, &bundle, 1, MINUTE), Ok(Answer::Done));
    assert_eq!(claim(&mut world, &bundle, 2, MINUTE), Err(SubmitError::Claimed));
    assert_eq!(waiting(&world, "clinic", "dtn://clinic/incoming"), [(bundle.clone(), true)]);
    assert_eq!(claim(&mut world, &bundle, 1, MINUTE), Ok(Answer::Done), "it may ask again");
    world.pass(MINUTE);
    assert_eq!(claim(&mut world, &bundle, 2, MINUTE), Ok(Answer::Done));
    assert_eq!(claim(&mut world, &bundle, 2, Duration::ZERO), Ok(Answer::Done), "it gives it back");
    assert_eq!(claim(&mut world, &bundle, 1, DAY), Ok(Answer::Done));
    world.pass(2 * 60 * MINUTE);
    assert_eq!(claim(&mut world, &bundle, 2, MINUTE), Ok(Answer::Done), "no claim lasts for a day");
    take(&mut world, "clinic", &bundle).unwrap();
    assert_eq!(claim(&mut world, &bundle, 2, MINUTE), Err(SubmitError::NotFound));
}

#[test]
fn what_is_for_many_is_read_where_somebody_is_registered_and_carried_on() {
    let mut world = World::new(&["village", "bus", "clinic"]);
    let news = "dtn://region/~news";
    register(&mut world, "bus", news).unwrap();
    register(&mut world, "clinic", news).unwrap();
    let bundle = send(&mut world, "village", news, b"the well is dry");
    world.visit("village", "bus");
    assert_eq!(delivered(&world, "bus"), 1);
    take(&mut world, "bus", &bundle).unwrap();
    assert_eq!(take(&mut world, "bus", &bundle), Err(SubmitError::NotFound));
    world.restart("bus");
    assert_eq!(waiting(&world, "bus", news), []);
    world.visit("bus", "clinic");
    assert_eq!(waiting(&world, "clinic", news), [(bundle, false)]);
    world.pass(2 * DAY);
    assert_eq!(waiting(&world, "clinic", news), []);
    let traces =
        world.hosts["bus"].records.iter().filter(|record| format!("{record:?}").contains("TakenGone"));
    assert_eq!(traces.count(), 1, "nothing is left of it");
}

#[test]
fn what_passed_by_before_the_registration_is_read_while_it_lives() {
    let mut world = World::new(&["village", "bus"]);
    let news = "dtn://region/~news";
    let bundle = send(&mut world, "village", news, b"the well is dry");
    world.visit("village", "bus");
    assert_eq!(waiting(&world, "bus", news), []);
    register(&mut world, "bus", news).unwrap();
    assert_eq!(waiting(&world, "bus", news), [(bundle, false)]);
    let endpoint: Eid = news.parse().unwrap();
    let gone = endpoint.clone();
    world.call("bus", |call| Input::Unregister { call, endpoint: gone }).unwrap();
    assert_eq!(waiting(&world, "bus", news), []);
    let again = world.call("bus", |call| Input::Unregister { call, endpoint });
    assert_eq!(again, Err(SubmitError::NotFound));
}

#[test]
fn only_endpoints_of_applications_here_are_registered() {
    let mut world = World::new(&["clinic"]);
    for endpoint in ["dtn://village/in", "dtn:none", "dtn://pannier/~jobs", "dtn://clinic/echo", "ipn:9.1"] {
        let refused = register(&mut world, "clinic", endpoint);
        assert!(matches!(refused, Err(SubmitError::Malformed(_))), "{endpoint}: {refused:?}");
    }
    register(&mut world, "clinic", "dtn://clinic/").unwrap();
    let long = format!("dtn://clinic/{}", "x".repeat(crate::limits::ENDPOINT_BYTES_MAX));
    assert!(matches!(register(&mut world, "clinic", &long), Err(SubmitError::Limit(_))));
}

#[test]
fn a_bundle_travels_on_the_terms_that_its_sender_chose() {
    let mut world = World::new(&["village"]);
    let flags = BundleFlags::MUST_NOT_FRAGMENT | BundleFlags::REPORT_DELIVERY;
    let report_to: Eid = "dtn://village/reports".parse().unwrap();
    let terms = Terms { flags, report_to: Some(report_to.clone()), hop_limit: 3, crc: CrcType::X25 };
    let bundle = send_on(&mut world, "village", "dtn://clinic/in", b"water", terms).unwrap();
    let (_, header) = world.agent("village").bundle(&bundle).unwrap();
    let primary = header.primary();
    assert_eq!((primary.flags(), primary.report_to(), primary.crc_type()), (flags, &report_to, CrcType::X25));
    assert_eq!(header.hop_count().unwrap().limit, 3);
    assert_eq!(header.payload_crc(), CrcType::X25);
    let (none, admin) = (BundleFlags::NONE, BundleFlags::IS_ADMINISTRATIVE);
    for terms in [
        Terms { flags: admin, ..Terms::default() },
        Terms { flags: none, hop_limit: 0, ..Terms::default() },
        Terms { crc: CrcType::None, ..Terms::default() },
    ] {
        let refused = send_on(&mut world, "village", "dtn://clinic/in", b"water", terms);
        assert!(matches!(refused, Err(SubmitError::Malformed(_))), "{refused:?}");
    }
}

#[test]
fn a_sender_takes_back_what_has_not_gone_and_nothing_of_others() {
    let mut world = World::new(&["village", "bus"]);
    let bundle = send(&mut world, "village", "dtn://clinic/in", b"water");
    world.visit("village", "bus");
    assert!(matches!(take(&mut world, "bus", &bundle), Err(SubmitError::Malformed(_))));
    take(&mut world, "village", &bundle).unwrap();
    assert!(world.agent("village").bundle(&bundle).is_none());
    assert!(world.agent("bus").bundle(&bundle).is_some());
}

fn send(world: &mut World, from: &'static str, to: &str, payload: &[u8]) -> BundleId {
    send_on(world, from, to, payload, Terms::default()).unwrap()
}

fn send_on(
    world: &mut World,
    from: &'static str,
    to: &str,
    payload: &[u8],
    terms: Terms,
) -> Result<BundleId, SubmitError> {
    let payload = world.put(from, payload);
    let (destination, source) = (to.parse().unwrap(), "data".to_owned());
    let new = NewBundle { destination, source, payload, lifetime: Some(DAY), terms };
    let answer = world.call(from, |call| Input::Submit { call, submission: Submission::Bundle(new) })?;
    let Answer::Bundle(bundle) = answer else { panic!("{answer:?}") };
    Ok(bundle)
}

fn register(world: &mut World, name: &'static str, endpoint: &str) -> Result<Answer, SubmitError> {
    let endpoint = endpoint.parse().unwrap();
    world.call(name, |call| Input::Register { call, endpoint })
}

fn claim(world: &mut World, bundle: &BundleId, reader: u64, hold: Duration) -> Result<Answer, SubmitError> {
    let bundle = bundle.clone();
    world.call("clinic", |call| Input::Claim { call, bundle, reader, hold })
}

fn take(world: &mut World, name: &'static str, bundle: &BundleId) -> Result<Answer, SubmitError> {
    let bundle = bundle.clone();
    world.call(name, |call| Input::Take { call, bundle })
}

fn waiting(world: &World, name: &str, endpoint: &str) -> Vec<(BundleId, bool)> {
    let views = world.agent(name).waiting(world.now, &endpoint.parse().unwrap(), 100, true);
    views.into_iter().map(|view| (view.bundle.id, view.claimed_until.is_some())).collect()
}

fn delivered(world: &World, name: &str) -> usize {
    let outputs = world.hosts[name].outputs.iter();
    let told = |output: &&Output| matches!(output, Output::Event(event) if matches!(event.kind, EventKind::Delivered { .. }));
    outputs.filter(told).count()
}
