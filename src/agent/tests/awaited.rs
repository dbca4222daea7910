//! For whom something waits.

use super::world::{World, class, node};
use crate::agent::{Input, LinkClass, LinkId, NewBundle, Submission, Terms};

#[test]
fn a_node_is_awaited_by_what_is_for_it_and_by_what_nobody_has_been_given() {
    let mut world = World::new(&["village", "bus", "clinic"]);
    assert!(!is_awaited(&world, Some("bus")) && !is_awaited(&world, None));
    submit(&mut world, "village", "dtn://clinic/in", b"a letter");
    for peer in [Some("bus"), Some("clinic"), None] {
        assert!(is_awaited(&world, peer), "{peer:?}");
    }
    world.visit("village", "bus");
    assert_eq!(world.bundles("village"), 1, "a copy stays");
    assert!(!is_awaited(&world, Some("bus")) && !is_awaited(&world, None), "the bus has it");
    assert!(is_awaited(&world, Some("clinic")), "it is for the clinic");
    world.visit("village", "clinic");
    assert_eq!(world.bundles("village"), 0);
    assert!(!is_awaited(&world, Some("clinic")));
}

#[test]
fn nobody_hurries_to_who_brought_a_bundle_or_for_one_that_has_expired() {
    let mut world = World::new(&["bus", "village"]);
    submit(&mut world, "bus", "dtn://clinic/in", b"a letter");
    world.visit("bus", "village");
    assert!(is_awaited(&world, Some("school")) && !is_awaited(&world, Some("bus")));
    world.pass(crate::limits::LIFETIME_DEFAULT);
    assert!(!is_awaited(&world, Some("school")) && !is_awaited(&world, Some("clinic")));
}

#[test]
fn what_waits_for_an_application_here_waits_for_no_contact() {
    let mut world = World::new(&["village"]);
    submit(&mut world, "village", "dtn://village/in", b"a note");
    assert_eq!(world.bundles("village"), 1);
    assert!(!is_awaited(&world, None));
    let class = LinkClass { summaries: false, ..class() };
    world.input("village", Input::ContactOpened { link: LinkId(9), peer: None, class });
    assert!(!is_awaited(&world, None));
}

/// Whether something waits in the village for `peer`.
fn is_awaited(world: &World, peer: Option<&str>) -> bool {
    world.agent("village").is_awaited(peer.map(node).as_ref())
}

fn submit(world: &mut World, at: &'static str, destination: &str, text: &[u8]) {
    let payload = world.put(at, text);
    let (destination, source) = (destination.parse().unwrap(), "data".to_owned());
    let new = NewBundle { destination, source, payload, lifetime: None, terms: Terms::default() };
    world.call(at, |call| Input::Submit { call, submission: Submission::Bundle(new) }).unwrap();
}
