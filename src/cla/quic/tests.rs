use std::sync::atomic::Ordering;

use bundle_spec::sign::PublicKey;
use bytes::Bytes;
use tokio::task::JoinSet;

use super::*;
use crate::{
    agent::{CloseReason, Input, LinkId, NewBundle, Refusal, Submission, Terms},
    cla::{
        address::Road,
        frame::{Frame, Hello},
        testing::{Mind, TestNode},
    },
    node::mailbox::LinkCommand,
};

const ROOM: u64 = 64 << 20;
/// What goes in one step.
const CHUNK: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn bundles_of_every_size_arrive_whole() {
    let mut pair = Pair::connect(Mind::Obliging, ROOM).await;
    let target = pair.right.node.handle.node_id().clone();
    for (sequence, size) in
        [0, 1, 1000, 65_536, 262_144, 1_048_576, 1_048_577, 3_000_000].into_iter().enumerate()
    {
        let payload = noise(size);
        let sequence = u64::try_from(sequence).unwrap();
        let outgoing = pair.left.node.bundle(&target, sequence, &payload);
        let sent = outgoing.bundle.clone();
        let link = pair.left.link;
        pair.left.node.transmit(link, outgoing).await;
        let (_, bundle, arrived, adu) = pair.right.node.received().await;
        assert_eq!(bundle, sent);
        assert!(arrived == payload, "payload of {size} bytes");
        assert_eq!(adu.is_some(), size <= crate::limits::CONTROL_ADU_BYTES_MAX);
        assert!(adu.is_none_or(|adu| adu == payload));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_bundles_at_once_arrive_in_both_directions() {
    let mut pair = Pair::connect(Mind::Obliging, ROOM).await;
    for (from, to) in [(0, 1), (1, 0)] {
        let sides = [&pair.left, &pair.right];
        let target = sides[to].node.handle.node_id().clone();
        for sequence in 0..40 {
            let payload = noise(usize::try_from(sequence).unwrap() * 5000);
            let outgoing = sides[from].node.bundle(&target, sequence, &payload);
            sides[from].node.command(sides[from].link, LinkCommand::Transmit(outgoing)).await;
        }
    }
    for side in [&mut pair.left, &mut pair.right] {
        let (mut received, mut transmitted) = (0, 0);
        while received < 40 || transmitted < 40 {
            let is_received = side.node.next(|input| match input {
                Input::Received { .. } => Some(true),
                Input::Transmitted { .. } => Some(false),
                _ => None,
            });
            match is_received.await {
                true => received += 1,
                false => transmitted += 1,
            }
        }
        assert_eq!((received, transmitted), (40, 40));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_transmitted_only_once_the_peer_says_that_it_is_durable() {
    let mut pair = Pair::connect(Mind::Silent, ROOM).await;
    let target = pair.right.node.handle.node_id().clone();
    let first = pair.left.node.bundle(&target, 1, b"first");
    let second = pair.left.node.bundle(&target, 2, b"second");
    for outgoing in [&first, &second] {
        pair.left.node.command(pair.left.link, LinkCommand::Transmit(outgoing.clone())).await;
        pair.right.node.received().await;
    }
    let link = pair.right.link;
    pair.right.node.command(link, LinkCommand::Acknowledge(second.bundle.clone())).await;
    pair.right.node.command(link, LinkCommand::Refuse(first.bundle.clone(), Refusal::Pointless)).await;
    let told = |input: &Input| match input {
        Input::Transmitted { bundle, .. } => Some((bundle.clone(), None)),
        Input::Refused { bundle, reason, .. } => Some((bundle.clone(), Some(*reason))),
        _ => None,
    };
    assert_eq!(pair.left.node.next(told).await, (second.bundle, None));
    assert_eq!(pair.left.node.next(told).await, (first.bundle, Some(Refusal::Pointless)));
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_are_heard_in_order_and_too_long_ones_do_not_break_the_link() {
    let mut pair = Pair::connect(Mind::Silent, ROOM).await;
    let longest = Bytes::from(noise(crate::cla::frame::ANNOUNCEMENT_BYTES_MAX));
    let too_long = Bytes::from(noise(crate::cla::frame::ANNOUNCEMENT_BYTES_MAX + 1));
    for adu in [Bytes::from_static(b"one"), too_long, longest.clone(), Bytes::from_static(b"three")] {
        pair.left.node.command(pair.left.link, LinkCommand::Announce(adu)).await;
    }
    for expected in [Bytes::from_static(b"one"), longest, Bytes::from_static(b"three")] {
        let heard = pair.right.node.next(|input| match input {
            Input::Heard { adu, .. } => Some(adu.clone()),
            _ => None,
        });
        assert_eq!(heard.await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_and_takes_what_still_fits() {
    let right = Side::start(2, Mind::Obliging, 100_000, Some(any_port()), &[]).await;
    let left = Side::start(1, Mind::Obliging, ROOM, None, &[right.address(true)]).await;
    let mut pair = Pair::of(left, right).await;
    let target = pair.right.node.handle.node_id().clone();
    let large = pair.left.node.bundle(&target, 1, &noise(100_001));
    assert_eq!(refused(&mut pair.left, large).await, Some(Refusal::NoRoom));
    let small = pair.left.node.bundle(&target, 2, b"small");
    let link = pair.left.link;
    pair.left.node.transmit(link, small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_missing_here_is_reported_and_the_link_goes_on() {
    let mut pair = Pair::connect(Mind::Obliging, ROOM).await;
    let target = pair.right.node.handle.node_id().clone();
    let missing = TestNode::new(9, Mind::Silent, ROOM).bundle(&target, 1, b"elsewhere");
    assert_eq!(refused(&mut pair.left, missing).await, None);
    let small = pair.left.node.bundle(&target, 2, b"small");
    let link = pair.left.link;
    pair.left.node.transmit(link, small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_was_cut_off_goes_on_where_it_stopped() {
    let mut pair = Pair::connect(Mind::Obliging, ROOM).await;
    let target = pair.right.node.handle.node_id().clone();
    let payload = noise(5_000_000);
    let outgoing = pair.left.node.bundle(&target, 1, &payload);
    let gate = Arc::clone(&pair.left.node.store.gate);
    gate.store(3 * CHUNK, Ordering::SeqCst);
    pair.left.node.command(pair.left.link, LinkCommand::Transmit(outgoing.clone())).await;
    let written = Arc::clone(&pair.right.node.store.written);
    while written.load(Ordering::SeqCst) < CHUNK {
        tokio::task::yield_now().await;
    }
    pair.left.stop().await;
    gate.store(u64::MAX, Ordering::SeqCst);
    let closed = |input: &Input| matches!(input, Input::ContactClosed { .. }).then_some(());
    pair.right.node.next(closed).await;

    let before = written.load(Ordering::SeqCst);
    assert!(before < 5_000_000);
    pair.left.restart(vec![pair.right.address(true)]).await;
    pair.left.link = pair.left.node.opened().await.0;
    let link = pair.left.link;
    pair.left.node.transmit(link, outgoing).await;
    let (_, _, arrived, _) = pair.right.node.received().await;
    assert!(arrived == payload);
    assert_eq!(pair.right.node.store.begun.load(Ordering::SeqCst), 1, "the block was begun once");
    assert_eq!(written.load(Ordering::SeqCst), 5_000_000, "no byte was written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_transfer_leaves_the_link_open() {
    let mut pair = Pair::connect(Mind::Obliging, ROOM).await;
    let target = pair.right.node.handle.node_id().clone();
    let outgoing = pair.left.node.bundle(&target, 1, &noise(5_000_000));
    let other = pair.left.node.bundle(&target, 2, b"other");
    pair.left.node.store.gate.store(3 * CHUNK, Ordering::SeqCst);
    pair.left.node.command(pair.left.link, LinkCommand::Transmit(outgoing.clone())).await;
    while pair.right.node.store.written.load(Ordering::SeqCst) < CHUNK {
        tokio::task::yield_now().await;
    }
    pair.left.node.command(pair.left.link, LinkCommand::Abort(outgoing.bundle)).await;
    pair.left.node.store.gate.store(u64::MAX, Ordering::SeqCst);
    let link = pair.left.link;
    pair.left.node.transmit(link, other).await;
    let (_, _, arrived, _) = pair.right.node.received().await;
    assert_eq!(arrived, b"other");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_dial_each_other_come_to_one_contact() {
    let mut left = Side::start(1, Mind::Obliging, ROOM, Some(any_port()), &[]).await;
    let right = Side::start(2, Mind::Obliging, ROOM, Some(any_port()), &[]).await;
    let (to_left, to_right) = (left.address(true), right.address(true));
    left.peers.send_replace(vec![to_right]);
    right.peers.send_replace(vec![to_left]);
    let target = right.node.handle.node_id().clone();
    // A contact that loses against its twin closes; one of the following stays.
    for sequence in 0.. {
        let (link, peer) = left.node.opened().await;
        assert_eq!(peer, target);
        let outgoing = left.node.bundle(&target, sequence, b"hello");
        if !left.node.offer(link, LinkCommand::Transmit(outgoing)).await {
            continue;
        }
        let ended = left.node.next(|input| match input {
            Input::Transmitted { .. } => Some(true),
            Input::ContactClosed { .. } => Some(false),
            _ => None,
        });
        if ended.await {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_good_bye() {
    let mut pair = Pair::connect(Mind::Obliging, ROOM).await;
    pair.left.stop().await;
    for side in [&mut pair.left, &mut pair.right] {
        let closed = side.node.next(|input| match input {
            Input::ContactClosed { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(closed.await, CloseReason::Finished);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_than_the_expected_one_is_not_spoken_to() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, Some(any_port()), &[]).await;
    let port = right.bound.port();
    let wrong = PeerAddress::new(Road::Quic, "127.0.0.1", port).unwrap().with_key(PublicKey([7; 32]));
    let left = Side::start(1, Mind::Obliging, ROOM, None, &[wrong]).await;
    // A third node comes in later than the first could; only its contact opens.
    let third = Side::start(3, Mind::Obliging, ROOM, None, &[right.address(true)]).await;
    let (_, peer) = right.node.opened().await;
    assert_eq!(peer, *third.node.handle.node_id());
    drop(left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_breaks_the_protocol_is_closed_for_it() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, Some(any_port()), &[]).await;
    let garbage: [&[u8]; 4] = [
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 2, 0x81, 0x18],
        &[0, 0, 0, 0],
        &[0, 0, 0, 3, 0x82, 0x02, 0x40],
    ];
    for bytes in garbage {
        let (_endpoint, connection, mut send, _receive) = greet(&right, "dtn://stranger/").await;
        right.node.opened().await;
        send.write_all(bytes).await.unwrap();
        assert_eq!(close_code(&connection).await, session::code::VIOLATION);
        let closed = right.node.next(|input| match input {
            Input::ContactClosed { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(closed.await, CloseReason::Violation);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_made_of_another_key_is_refused() {
    let right = Side::start(2, Mind::Obliging, ROOM, Some(any_port()), &[]).await;
    let name = PublicKey([7; 32]).node_id().to_string();
    let (_endpoint, connection, _send, _receive) = greet(&right, &name).await;
    assert_eq!(close_code(&connection).await, session::code::VIOLATION);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_without_a_readable_bundle_are_told_apart() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, Some(any_port()), &[]).await;
    let (_endpoint, connection, _send, mut receive) = greet(&right, "dtn://stranger/").await;
    assert!(matches!(read_frame(&mut receive).await, Frame::Hello(_)));
    right.node.opened().await;
    for (index, bytes) in
        [&b"garbage"[..], b"", &[0x82, 0x01, 0x00], &[0x82, 0x01, 0x00, 0x9f, 0x00]].iter().enumerate()
    {
        let mut stream = connection.open_uni().await.unwrap();
        // The receiver may stop it before it is all written.
        let _ = stream.write_all(bytes).await;
        let _ = stream.finish();
        assert_eq!(read_frame(&mut receive).await, Frame::Unreadable(u64::try_from(index).unwrap()));
    }
    // A payload of a length that nobody takes is refused before a byte of it has come.
    let sender = TestNode::new(9, Mind::Silent, ROOM);
    let huge = header_of(&sender, right.node.handle.node_id(), 1 << 62);
    let mut stream = connection.open_uni().await.unwrap();
    stream.write_all(&[&[0x82, 0x01, 0x00][..], huge.raw()].concat()).await.unwrap();
    let digest = huge.bundle_id().digest();
    assert_eq!(read_frame(&mut receive).await, Frame::Refused(digest, Refusal::TooLarge));
    // So is one that would go on where nothing is.
    let small = header_of(&sender, right.node.handle.node_id(), 100);
    let mut stream = connection.open_uni().await.unwrap();
    stream.write_all(&[&[0x82, 0x01, 0x18, 50][..], small.raw()].concat()).await.unwrap();
    assert_eq!(read_frame(&mut receive).await, Frame::Partial(small.bundle_id().digest(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_submitted_here_is_delivered_there() {
    let mut right = Side::start(2, Mind::Agent, ROOM, Some(any_port()), &[]).await;
    let left = Side::start(1, Mind::Agent, ROOM, None, &[right.address(true)]).await;
    let payload = left.node.handle.write_block(Bytes::from_static(b"good morning")).await.unwrap();
    let destination = right.node.handle.node_id().endpoint("inbox", 2);
    let bundle = NewBundle {
        destination,
        source: "test".to_owned(),
        payload,
        lifetime: None,
        terms: Terms::default(),
    };
    left.node.handle.submit(Submission::Bundle(bundle)).await.unwrap();
    let (_, _, arrived, _) = right.node.received().await;
    assert_eq!(arrived, b"good morning");
}

/// One node with its endpoint.
struct Side {
    node: TestNode,
    link: LinkId,
    bound: SocketAddr,
    peers: watch::Sender<Vec<PeerAddress>>,
    stopping: CancellationToken,
    tasks: JoinSet<Result<(), ClaError>>,
}

impl Side {
    async fn start(
        seed: u8,
        mind: Mind,
        quota: u64,
        listen: Option<SocketAddr>,
        peers: &[PeerAddress],
    ) -> Self {
        let node = TestNode::new(seed, mind, quota);
        let mut side = Self {
            node,
            link: LinkId(0),
            bound: any_port(),
            peers: watch::Sender::new(peers.to_vec()),
            stopping: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        side.run(listen).await;
        side
    }

    async fn run(&mut self, listen: Option<SocketAddr>) {
        let bound = watch::Sender::new(None);
        let mut told = bound.subscribe();
        let quic = Quic {
            listen,
            may_fall_back: false,
            secret: self.node.secret,
            peers: self.peers.subscribe(),
            bound,
            quicclav1: None,
        };
        self.stopping = CancellationToken::new();
        self.tasks.spawn(Box::new(quic).run(self.node.handle.clone(), self.stopping.clone()));
        if listen.is_some() {
            self.bound = told.wait_for(Option::is_some).await.unwrap().unwrap();
        }
    }

    fn address(&self, expects: bool) -> PeerAddress {
        let key = bundle_spec::sign::SigningKey::from_bytes(&self.node.secret).public();
        let address = PeerAddress::new(Road::Quic, "127.0.0.1", self.bound.port()).unwrap();
        if expects { address.with_key(key) } else { address }
    }

    async fn stop(&mut self) {
        self.stopping.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }

    async fn restart(&mut self, peers: Vec<PeerAddress>) {
        self.peers.send_replace(peers);
        self.run(None).await;
    }
}

/// Two nodes in contact: the left one has dialled.
struct Pair {
    left: Side,
    right: Side,
}

impl Pair {
    async fn connect(mind: Mind, quota: u64) -> Self {
        let right = Side::start(2, mind, quota, Some(any_port()), &[]).await;
        let left = Side::start(1, mind, quota, None, &[right.address(true)]).await;
        Self::of(left, right).await
    }

    async fn of(mut left: Side, mut right: Side) -> Self {
        left.link = left.node.opened().await.0;
        right.link = right.node.opened().await.0;
        Self { left, right }
    }
}

async fn refused(side: &mut Side, outgoing: crate::agent::Outgoing) -> Option<Refusal> {
    side.node.command(side.link, LinkCommand::Transmit(outgoing)).await;
    side.node
        .next(|input| match input {
            Input::Refused { reason, .. } => Some(Some(*reason)),
            Input::Interrupted { .. } => Some(None),
            _ => None,
        })
        .await
}

/// Dropping any of them closes it.
type Stranger = (Endpoint, quinn::Connection, quinn::SendStream, quinn::RecvStream);

/// A connection by hand, greeted as `name`.
async fn greet(side: &Side, name: &str) -> Stranger {
    let certificate = Certificate::of_secret(&[8; 32], side.node.handle.node_id()).unwrap();
    let endpoint = Endpoint::client(any_port()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(tls::client(&certificate, None).unwrap()));
    let connection = endpoint.connect_with(config, side.bound, "any").unwrap().await.unwrap();
    let (mut send, receive) = connection.open_bi().await.unwrap();
    let hello = Hello { node: name.parse().unwrap(), payload_max: 1, partials: Vec::new() };
    send.write_all(&Frame::Hello(hello).encode()).await.unwrap();
    (endpoint, connection, send, receive)
}

async fn read_frame(stream: &mut quinn::RecvStream) -> Frame {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.unwrap();
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    Frame::decode(&Bytes::from(body)).unwrap()
}

async fn close_code(connection: &quinn::Connection) -> quinn::VarInt {
    match connection.closed().await {
        quinn::ConnectionError::ApplicationClosed(close) => close.error_code,
        other => panic!("closed by {other}"),
    }
}

fn header_of(node: &TestNode, target: &bundle_spec::NodeId, len: u64) -> bundle_spec::Header {
    let timestamp = bundle_spec::CreationTimestamp { time: bundle_spec::DtnTime(1_000_000), sequence: len };
    let source = node.handle.node_id().endpoint("test", 1);
    bundle_spec::Builder::new(source, target.endpoint("inbox", 2), timestamp, 3_600_000_000_000).header(len)
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_benchmark_sends_its_whole_load_both_ways() {
    let load = workload::Load { bundles: 20, len: 100_000 };
    let source: Arc<dyn crate::store::Store> = Arc::new(crate::store::MemoryStore::new(ROOM));
    let target = Arc::new(crate::store::MemoryStore::new(ROOM));
    let outgoing = workload::blocks(load, &source).await.unwrap();
    workload::bundles(outgoing, source, target.clone()).await.unwrap();
    assert_eq!(crate::store::Store::usage(target.as_ref()).blocks, 20);
    workload::streams(load, workload::Tuning::Quinn).await.unwrap();
    workload::streams(load, workload::Tuning::Link).await.unwrap();
}
