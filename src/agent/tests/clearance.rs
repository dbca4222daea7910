//! Links on which encryption is forbidden: what is encrypted waits for another road.

use bundle_spec::{
    BlockFlags, Builder, CrcType, CreationTimestamp, DtnTime, FragmentOrigin, NewBlock,
    block::BLOCK_CONFIDENTIALITY, security::Policy,
};

use super::world::{World, class, node};
use crate::agent::{Input, LinkClass, LinkId, NewBundle, Output, Refusal, Submission, Terms, Withheld};

const RADIO: LinkId = LinkId(900);
const ROAD: LinkId = LinkId(901);

#[test]
fn what_leaves_encrypted_waits_for_a_road_that_may_carry_it() {
    let mut world = village(&["encrypt payload to dtn://hospital/** with lab"]);
    open(&mut world, RADIO, radio());
    submit(&mut world, "dtn://clinic/in", 10);
    submit(&mut world, "dtn://hospital/in", 11);
    assert_eq!(sent(&world), [(RADIO, true)]);
    assert_eq!(withheld(&world), [(Withheld::Encrypted, 1)]);
    // What is slower, and vouches for nothing, is better than nothing.
    open(&mut world, ROAD, LinkClass { durable: false, clear_only: false, ..radio() });
    assert_eq!(sent(&world), [(RADIO, true), (ROAD, false)]);
}

#[test]
fn ciphertext_of_others_and_fragments_that_nobody_signed_wait_too() {
    let mut world = village(&[]);
    let sealed = NewBlock {
        block_type: BLOCK_CONFIDENTIALITY,
        flags: BlockFlags::NONE,
        crc_type: CrcType::None,
        // For the payload, AES-GCM, no parameters, from nobody, one result.
        data: vec![0x81, 1, 2, 0, 0x82, 1, 0, 0x81, 0x81, 0x82, 1, 0x41, 9],
    };
    world.hand_in("village", builder(1).block(sealed.clone()), b"aqgx");
    world.hand_in("village", builder(2).fragment(FragmentOrigin { offset: 0, total: 8 }), b"half");
    open(&mut world, RADIO, radio());
    assert_eq!(sent(&world), []);
    assert_eq!(withheld(&world), [(Withheld::Encrypted, 1), (Withheld::Unsigned, 1)]);
    // Nothing encrypted is taken there either.
    let header = builder(3).block(sealed).header(4);
    let now = world.now;
    assert_eq!(world.agent("village").admit(now, RADIO, &header), Err(Refusal::Malformed));
    assert_eq!(world.agent("village").admit(now, RADIO, &builder(4).header(4)), Ok(()));
}

#[test]
fn what_is_too_long_for_one_piece_is_not_cut_where_pieces_cannot_be_signed() {
    let mut world = village(&[]);
    submit(&mut world, "dtn://clinic/in", 1001);
    open(&mut world, RADIO, LinkClass { payload_max: Some(1000), ..radio() });
    assert_eq!(sent(&world), []);
    assert_eq!(withheld(&world), [(Withheld::TooLong, 1)]);
    open(&mut world, ROAD, LinkClass { payload_max: Some(1000), clear_only: false, ..radio() });
    assert_eq!(sent(&world), [(ROAD, false), (ROAD, false)]);
}

fn village(rules: &[&str]) -> World {
    let mut world = World::new(&["village"]);
    world.is_stuck = true;
    let rules = Policy::parse(rules.iter().copied()).unwrap();
    world.reconfigure("village", |config| config.rules = rules);
    world
}

fn radio() -> LinkClass {
    LinkClass { summaries: false, clear_only: true, ..class() }
}

fn open(world: &mut World, link: LinkId, class: LinkClass) {
    world.input("village", Input::ContactOpened { link, peer: Some(node("bus")), class });
}

fn builder(sequence: u64) -> Builder {
    let made = CreationTimestamp { time: DtnTime(800_000_000_000), sequence };
    Builder::new("dtn://lab/out".parse().unwrap(), "dtn://clinic/in".parse().unwrap(), made, 86_400_000)
        .age_ms(0)
}

fn submit(world: &mut World, destination: &str, len: usize) {
    let payload = world.put("village", &vec![7; len]);
    let (destination, source) = (destination.parse().unwrap(), "data".to_owned());
    let new = NewBundle { destination, source, payload, lifetime: None, terms: Terms::default() };
    world.call("village", |call| Input::Submit { call, submission: Submission::Bundle(new) }).unwrap();
}

/// What went over which contact, and whether it is to be signed for that.
fn sent(world: &World) -> Vec<(LinkId, bool)> {
    let outputs = world.hosts["village"].outputs.iter();
    let sent = outputs.filter_map(|output| match output {
        Output::Transmit { link, outgoing } => Some((*link, outgoing.clear_only)),
        _ => None,
    });
    sent.collect()
}

fn withheld(world: &World) -> Vec<(Withheld, usize)> {
    let status = world.agent("village").status();
    status.links.into_iter().flat_map(|link| link.withheld).collect()
}
