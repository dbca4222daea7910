//! A village asks, a bus carries, a clinic answers; at no moment is there a path from one end to the other.

use crate::sandbox::{Node, await_that};

/// How many bundles, each as long as one may be, make a transfer that takes a while.
const MANY: usize = 24;

/// The bus meets a node until something holds, and drives on.
fn meet(bus: &mut Node, whom: &Node, what: &str, mut holds: impl FnMut(&Node) -> bool) {
    let address = whom.address();
    bus.command(&["peer", "add", &address]);
    await_that(what, || holds(bus));
    bus.command(&["peer", "forget", &address]);
    assert!(bus.stop().success());
    bus.run();
}

#[test]
fn an_answer_comes_home_by_bus_and_the_bus_forgets_it() {
    let village = Node::start_carrier();
    let clinic = Node::start();
    let mut bus = Node::start_carrier();
    let job = village.echo(&["-p", "repeat=2"], "Is the road open? ");
    assert_eq!(village.state(&job), "waiting");

    meet(&mut bus, &village, "the job on the bus", |bus| !bus.state(&job).is_empty());
    assert_eq!(village.state(&job), "carried");
    meet(&mut bus, &clinic, "the answer on the bus", |bus| bus.state(&job) == "done");
    assert_eq!(village.home.exit(&["fetch", &job]), 3, "the village cannot know yet");
    meet(&mut bus, &village, "the bus without anything of the job", |bus| bus.bundles().is_empty());

    assert_eq!(village.command(&["fetch", &job]), "Is the road open? Is the road open?");
    let told = village.told(&["status", &job]);
    assert_eq!(told["result"]["executor"], clinic.ready()["eid"]);
    assert_eq!(told["result"]["signature_valid"], true);
    assert_eq!(
        (&told["executor"]["node"], &told["executor"]["remote"]),
        (&clinic.ready()["eid"], &true.into())
    );
    assert!(told["executor"]["received_at"].as_str() <= told["executor"]["started_at"].as_str());
    let journey = village.command(&["status", &job]);
    let places = ["accepted", "received", "run ", "answered"].map(|step| journey.find(step).unwrap());
    assert!(places.is_sorted(), "{journey}");
    assert_eq!(village.count(&job, "answered"), 1);
    assert_eq!((village.count(&job, "started"), clinic.count(&job, "started")), (0, 1));
    assert_eq!(village.bundles().iter().filter(|bundle| bundle["retention"] != "delivered").count(), 0);
    meet(&mut bus, &clinic, "the clinic without anything of the job", |_| clinic.bundles().is_empty());
}

#[test]
fn two_villages_that_ask_the_same_both_get_the_one_answer() {
    let (north, south) = (Node::start_carrier(), Node::start_carrier());
    let clinic = Node::start();
    let mut bus = Node::start_carrier();
    let job = north.echo(&[], "Is the water safe?");
    assert_eq!(south.echo(&[], "Is the water safe?"), job);
    meet(&mut bus, &north, "the job of the north", |bus| bus.bundles().len() == 1);
    meet(&mut bus, &south, "the job of the south", |bus| bus.bundles().len() == 2);
    meet(&mut bus, &clinic, "an answer for both", |bus| bus.state(&job) == "done");
    meet(&mut bus, &north, "the answer in the north", |_| north.state(&job) == "done");
    meet(&mut bus, &south, "the answer in the south", |_| south.state(&job) == "done");
    assert_eq!(clinic.count(&job, "started"), 1);
    for village in [&north, &south] {
        assert_eq!(village.command(&["fetch", &job]), "Is the water safe?");
    }
}

#[test]
fn a_job_that_is_taken_back_is_forgotten_on_the_bus() {
    let village = Node::start_carrier();
    let mut bus = Node::start_carrier();
    let job = village.echo(&[], "never mind");
    meet(&mut bus, &village, "the job on the bus", |bus| bus.bundles().len() == 1);
    village.command(&["cancel", &job]);
    meet(&mut bus, &village, "the bus without the job", |bus| bus.bundles().is_empty());
    assert_eq!(village.home.exit(&["fetch", &job]), 4);
}

#[test]
fn a_long_input_arrives_whole_and_so_does_its_answer() {
    let village = Node::start_carrier();
    let clinic = Node::start();
    let mut bus = Node::start_carrier();
    let input = "0123456789abcdef".repeat(60_000);
    let job = village.echo(&[], &input);
    meet(&mut bus, &village, "the job and its input on the bus", |bus| bus.bundles().len() == 2);
    meet(&mut bus, &clinic, "the answer on the bus", |bus| bus.state(&job) == "done");
    meet(&mut bus, &village, "the answer in the village", |_| village.state(&job) == "done");
    assert!(village.command(&["fetch", &job, "--wait=1m"]) == input);
}

#[test]
fn a_bus_that_breaks_down_in_the_middle_of_a_transfer_takes_the_rest_later() {
    let village = Node::start_carrier();
    let mut bus = Node::start_carrier();
    for number in 0..MANY {
        let arguments = ["submit", "--kind", "data", "--to", "dtn://elsewhere/inbox", "-"];
        village.command_with(&arguments, &vec![u8::try_from(number).unwrap(); 1024 * 1024]);
    }
    let address = village.address();
    bus.command(&["peer", "add", &address]);
    await_that("the first bundle on the bus", || !bus.bundles().is_empty());
    bus.kill();
    bus.run();
    await_that("every bundle on the bus", || bus.bundles().len() == MANY);
    assert_eq!(bus.home.exit(&["doctor"]), 0);
    assert!(bus.stop().success());
}

#[test]
fn a_job_that_is_too_old_is_dropped_wherever_it_is() {
    let village = Node::start_carrier();
    let mut bus = Node::start_carrier();
    let job = village.echo(&["--lifetime", "3s"], "too late");
    meet(&mut bus, &village, "the job on the bus", |bus| !bus.state(&job).is_empty());
    await_that("an empty bus", || bus.bundles().is_empty());
    await_that("an empty village", || village.bundles().is_empty());
    assert_eq!((village.state(&job), bus.state(&job)), ("expired".to_owned(), "expired".to_owned()));
    assert_eq!(village.home.exit(&["fetch", &job]), 4);
}

#[test]
fn a_node_shows_whom_it_has_met() {
    let mut village = Node::start_carrier();
    let bus = Node::start_carrier();
    let address = village.address();
    bus.command(&["peer", "add", &address]);
    let village_eid = village.ready()["eid"].clone();
    let met = |node: &Node, eid: &serde_json::Value| {
        node.lines(&["peer", "list"]).into_iter().find(|line| line["node"] == *eid)
    };
    await_that("the village on the bus", || {
        met(&bus, &village_eid).is_some_and(|peer| peer["connected"] == true)
    });
    let bus_eid = bus.ready()["eid"].clone();
    await_that("the bus in the village", || {
        met(&village, &bus_eid).is_some_and(|peer| peer["connected"] == true)
    });
    assert_eq!(bus.told(&["ping", village_eid.as_str().unwrap()])["type"], "result");
    assert!(village.stop().success());
    await_that("a village that is gone", || {
        met(&bus, &village_eid).is_some_and(|peer| peer["connected"] == false)
    });
}
