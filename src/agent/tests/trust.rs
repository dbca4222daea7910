//! What is believed: signed results, receipts and cancellations, and nothing else.

use bundle_spec::{
    Builder, CreationTimestamp, DtnTime,
    adu::{JobResult, Receipt},
    sign::SigningKey,
};

use super::world::{Engine, World, echo_job, node};
use crate::agent::{Input, JobState, Output};

#[test]
fn a_result_with_a_wrong_signature_is_carried_but_not_believed() {
    let (mut world, forged) = asked();
    world.visit("village", "bus");
    let answer = world.hand_in("bus", result_for("village"), &forged);
    assert!(matches!(answer, Output::Acknowledge { .. }));
    assert_eq!(world.bundles("bus"), 2, "the job is not cured");
    world.visit("bus", "village");
    assert_eq!(world.state("village", &echo_job("a")), Some(JobState::Open));
    world.equip("clinic", Engine::Echo);
    world.visit("village", "clinic");
    assert!(world.is_answered("village", &echo_job("a")));
}

#[test]
fn a_result_with_a_wrong_signature_is_not_delivered() {
    let (mut world, forged) = asked();
    let answer = world.hand_in("village", result_for("village"), &forged);
    assert!(matches!(answer, Output::Acknowledge { .. }), "its carrier need not carry it any more");
    assert_eq!(world.state("village", &echo_job("a")), Some(JobState::Open));
    assert_eq!(world.bundles("village"), 1);
    world.check_stores();
}

#[test]
fn a_forged_receipt_cures_nothing() {
    let (mut world, _) = asked();
    world.visit("village", "bus");
    let job = echo_job("a").cid();
    let mut receipt =
        Receipt::sign(job, job, node("village"), 0, u64::MAX, &SigningKey::from_bytes(&[5; 32]));
    receipt.signature.bytes[3] ^= 1;
    world.meet("bus", "clinic");
    let link = world.agent("bus").status().links[0].link;
    world.input("bus", Input::Heard { link, adu: receipt.encode() });
    assert_eq!(world.bundles("bus"), 1);
    assert_eq!(world.state("bus", &echo_job("a")), Some(JobState::Open));
}

#[test]
fn a_receipt_is_passed_on_but_not_to_whom_it_came_from() {
    let (mut world, _) = asked();
    world.equip("clinic", Engine::Echo);
    world.visit("village", "bus");
    world.visit("village", "clinic");
    world.visit("clinic", "bus");
    assert_eq!(world.bundles("bus"), 0);
    world.visit("clinic", "bus");
    assert_eq!(receipts(&world, "clinic"), 1, "the bus is told once: it carries nothing any more");
    assert_eq!(receipts(&world, "bus"), 0, "the clinic is where the bus has it from");
}

#[test]
fn what_makes_no_sense_on_a_contact_is_ignored() {
    let (mut world, _) = asked();
    let link = world.meet("village", "bus");
    for adu in [&b""[..], b"\xff\xff", b"\xa1\x64type\x65later"] {
        world.input("village", Input::Heard { link, adu: bytes::Bytes::copy_from_slice(adu) });
    }
    assert_eq!(world.agent("village").status().links.len(), 1);
}

/// A village that has asked, and an answer that nobody signed.
fn asked() -> (World, Vec<u8>) {
    let mut world = World::new(&["village", "bus", "clinic"]);
    let job = echo_job("a");
    world.submit("village", &job).unwrap();
    let mut result = JobResult::decode(&world.result_of("clinic", job.cid(), None)).unwrap();
    result.signature.bytes[0] ^= 1;
    (world, result.encode().to_vec())
}

fn result_for(name: &str) -> Builder {
    let timestamp = CreationTimestamp { time: DtnTime(0), sequence: 77 };
    let destination = node(name).endpoint("answers", 4557);
    Builder::new(node("clinic").endpoint("answers", 4557), destination, timestamp, 3_600_000).age_ms(0)
}

/// How many receipts a host has announced.
fn receipts(world: &World, name: &str) -> usize {
    let outputs = world.hosts[name].outputs.iter();
    let said = outputs
        .filter(|output| matches!(output, Output::Announce { adu, .. } if Receipt::decode(adu).is_ok()));
    said.count()
}
