use std::{net::Ipv4Addr, sync::atomic::Ordering};

use bundle_spec::NodeId;
use bytes::{Bytes, BytesMut};
use quinn::{RecvStream, SendStream};
use tokio::io::AsyncReadExt;

use super::{
    message::{Decoder, Place, encode},
    *,
};
use crate::{
    agent::{CloseReason, Input, LinkClass, LinkId, Outgoing, Refusal},
    cla::{
        ClaError, ConvergenceLayer,
        address::Road,
        identity::Certificate,
        quic::Quic,
        tcpclv4::{
            codec::Unit,
            message::{Ack, Init, Message, RefuseCode, Segment, SegmentFlags, TerminateCode, TransferId},
            secure,
        },
        testing::{Mind, TestNode},
    },
    limits::CONTROL_ADU_BYTES_MAX,
    node::mailbox::LinkCommand,
};

const ROOM: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn bundles_of_every_size_arrive_whole_in_both_directions() {
    let mut pair = Pair::connect(Mind::Obliging).await;
    let sizes = [0, 1, 1000, 65_536, 65_537, 131_072, 262_145, 1_048_576, 5_000_000];
    for is_back in [false, true] {
        let Pair { left, right } = &mut pair;
        let (from, to) = if is_back { (right, left) } else { (left, right) };
        let target = to.node.handle.node_id().clone();
        for (sequence, size) in sizes.into_iter().enumerate() {
            let payload = noise(size);
            let outgoing = from.node.bundle(&target, u64::try_from(sequence).unwrap(), &payload);
            let sent = outgoing.bundle.clone();
            let link = from.link;
            from.node.transmit(link, outgoing).await;
            let (_, bundle, arrived, adu) = to.node.received().await;
            assert_eq!(bundle, sent);
            assert!(arrived == payload, "payload of {size} bytes");
            assert_eq!(adu.is_some(), size <= CONTROL_ADU_BYTES_MAX);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_small_bundles_arrive_in_both_directions() {
    let mut pair = Pair::connect(Mind::Obliging).await;
    for (from, to) in [(0, 1), (1, 0)] {
        let sides = [&pair.left, &pair.right];
        let target = sides[to].node.handle.node_id().clone();
        for sequence in 0..200_u64 {
            let outgoing = sides[from].node.bundle(&target, sequence, &sequence.to_be_bytes());
            sides[from].node.command(sides[from].link, LinkCommand::Transmit(outgoing)).await;
        }
    }
    for side in [&mut pair.left, &mut pair.right] {
        let (mut received, mut transmitted) = (0, 0);
        while received < 200 || transmitted < 200 {
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
        assert_eq!((received, transmitted), (200, 200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_transmitted_only_once_the_peer_says_that_it_is_durable_and_the_next_one_waits() {
    let mut pair = Pair::connect(Mind::Silent).await;
    let target = pair.right.node.handle.node_id().clone();
    let bundles = [1, 2].map(|sequence| pair.left.node.bundle(&target, sequence, b"payload"));
    for outgoing in &bundles {
        pair.left.node.command(pair.left.link, LinkCommand::Transmit(outgoing.clone())).await;
    }
    let [first, second] = bundles.map(|outgoing| outgoing.bundle);
    let told = |input: &Input| match input {
        Input::Transmitted { bundle, .. } => Some((bundle.clone(), None)),
        Input::Refused { bundle, reason, .. } => Some((bundle.clone(), Some(*reason))),
        _ => None,
    };
    let link = pair.right.link;
    assert_eq!(pair.right.node.received().await.1, first);
    pair.right.node.command(link, LinkCommand::Acknowledge(first.clone())).await;
    assert_eq!(pair.left.node.next(told).await, (first, None));
    assert_eq!(pair.right.node.received().await.1, second);
    pair.right.node.command(link, LinkCommand::Refuse(second.clone(), Refusal::Duplicate)).await;
    assert_eq!(pair.left.node.next(told).await, (second, Some(Refusal::Duplicate)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_and_takes_what_still_fits() {
    let right = Side::start(2, Mind::Obliging, 100_000, true, &[]).await;
    let left = Side::start(1, Mind::Obliging, ROOM, false, &[right.address()]).await;
    let mut pair = Pair::of(left, right).await;
    let target = pair.right.node.handle.node_id().clone();
    let large = pair.left.node.bundle(&target, 1, &noise(3_000_000));
    assert_eq!(refused(&mut pair.left, large).await, Some(Refusal::NoRoom));
    let small = pair.left.node.bundle(&target, 2, b"small");
    let link = pair.left.link;
    pair.left.node.transmit(link, small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_missing_here_is_reported_and_the_link_goes_on() {
    let mut pair = Pair::connect(Mind::Obliging).await;
    let target = pair.right.node.handle.node_id().clone();
    let missing = TestNode::new(9, Mind::Silent, ROOM).bundle(&target, 1, b"elsewhere");
    assert_eq!(refused(&mut pair.left, missing).await, None);
    let small = pair.left.node.bundle(&target, 2, b"small");
    let link = pair.left.link;
    pair.left.node.transmit(link, small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_bundle_that_was_cut_off_is_kept_as_a_fragment() {
    let mut pair = Pair::connect(Mind::Obliging).await;
    let target = pair.right.node.handle.node_id().clone();
    let payload = noise(2_000_000);
    let outgoing = pair.left.node.bundle(&target, 1, &payload);
    let gate = Arc::clone(&pair.left.node.store.gate);
    gate.store(1_000_000, Ordering::SeqCst);
    pair.left.node.command(pair.left.link, LinkCommand::Transmit(outgoing.clone())).await;
    let written = Arc::clone(&pair.right.node.store.written);
    while written.load(Ordering::SeqCst) < 500_000 {
        tokio::task::yield_now().await;
    }
    pair.left.stopping.cancel();
    assert_eq!(closed(&mut pair.left).await, CloseReason::Finished);
    gate.store(u64::MAX, Ordering::SeqCst);
    let (_, bundle, arrived, _) = pair.right.node.received().await;
    let extent = bundle.fragment.unwrap();
    assert_eq!(extent.offset, 0);
    assert!((500_000..2_000_000).contains(&extent.len));
    assert!(arrived == payload[..usize::try_from(extent.len).unwrap()]);
    assert_eq!(bundle.source, outgoing.bundle.source);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_good_bye() {
    let mut pair = Pair::connect(Mind::Obliging).await;
    pair.left.stop().await;
    for side in [&mut pair.left, &mut pair.right] {
        assert_eq!(closed(side).await, CloseReason::Finished);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_protocol_goes_on_working_on_the_same_socket() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, true, &[]).await;
    let ours = PeerAddress::new(Road::Quic, "127.0.0.1", right.bound.port()).unwrap();
    let target = right.node.handle.node_id().clone();
    for (seed, address, name) in [(1, ours, "quic"), (3, right.address(), "quicclav1")] {
        let mut side = Side::start(seed, Mind::Obliging, ROOM, false, &[address]).await;
        assert_eq!(right.class().await.cla, name);
        let link = side.node.opened().await.0;
        let outgoing = side.node.bundle(&target, 1, &noise(300_000));
        let sent = outgoing.bundle.clone();
        side.node.transmit(link, outgoing).await;
        assert_eq!(right.node.received().await.1, sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_that_is_not_offered_is_refused() {
    let with = Side::start(2, Mind::Obliging, ROOM, true, &[]).await;
    let mut without = Side::idle(4, Mind::Obliging, ROOM, &[]);
    without.run(true, false).await;
    for (side, protocol) in [(&with, &b"quicclav2"[..]), (&without, ALPN)] {
        let error = Stranger::connect(side, protocol).await.map(drop).unwrap_err();
        assert!(error.to_string().contains("protocol"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_than_the_expected_one_is_not_spoken_to() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, true, &[]).await;
    let wrong = right.address().with_node("dtn://clinic/".parse().unwrap());
    let _left = Side::start(1, Mind::Obliging, ROOM, false, &[wrong]).await;
    let link = right.node.opened().await.0;
    let ended = right.node.next(|input| match input {
        Input::ContactClosed { link: closed, reason } if *closed == link => Some(*reason),
        Input::Received { .. } => panic!("it was spoken to"),
        _ => None,
    });
    ended.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_certificate_does_not_have_is_not_believed() {
    let right = Side::start(2, Mind::Obliging, ROOM, true, &[]).await;
    let mut stranger = Stranger::greet(&right, "dtn://clinic/").await;
    let rejection = Message::Terminate { is_reply: false, code: TerminateCode::CONTACT_FAILURE };
    assert_eq!(stranger.signalled().await, Some(rejection));
    assert_eq!(stranger.signalled().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_acknowledged_on_their_own_stream_with_their_number() {
    let mut right = Side::start(2, Mind::Silent, ROOM, true, &[]).await;
    let mut stranger = Stranger::greet(&right, STRANGER).await;
    let link = right.node.opened().await.0;
    let (bundle, bytes) = whole(&right, b"good morning");
    let (first, second) = bytes.split_at(20);
    let len = u64::try_from(bytes.len()).unwrap();
    // Another transfer is under way on another stream.
    let (_, other) = whole(&right, &noise(1000));
    stranger.segment(1, (6, SegmentFlags::START), 0, &other[..50], 1100).await;
    assert_eq!(stranger.heard(1).await, ack(6, SegmentFlags::START, 50));
    stranger.segment(0, (5, SegmentFlags::START), 0, first, len).await;
    assert_eq!(stranger.heard(0).await, ack(5, SegmentFlags::START, 20));
    stranger.segment(0, (5, SegmentFlags::END), 1, second, len).await;
    let (_, received, payload, _) = right.node.received().await;
    assert_eq!((received, payload), (bundle.bundle.clone(), b"good morning".to_vec()));
    right.node.command(link, LinkCommand::Acknowledge(bundle.bundle)).await;
    assert_eq!(stranger.streams[0].1.raw(20).await[..4], [0x03, 0x01, 0x00, 0x01]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_delivery_is_refused_and_the_session_goes_on() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, true, &[]).await;
    let mut stranger = Stranger::greet(&right, STRANGER).await;
    right.node.opened().await;
    let (_, bytes) = whole(&right, b"good morning");
    let len = u64::try_from(bytes.len()).unwrap();
    for service in [1, 2] {
        stranger.service = service;
        stranger.segment(0, (5, SegmentFlags::of(true, true)), 0, &bytes, len).await;
        let refusal = Message::Refuse { transfer: TransferId(5), code: RefuseCode::EXTENSION_FAILURE };
        assert_eq!(stranger.heard(0).await, Some(refusal));
    }
    stranger.service = 0;
    stranger.segment(0, (6, SegmentFlags::of(true, true)), 0, &bytes, len).await;
    assert_eq!(right.node.received().await.2, b"good morning");
    assert_eq!(stranger.heard(0).await, ack(6, SegmentFlags::of(true, true), len));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_or_on_the_wrong_stream_ends_the_session() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, true, &[]).await;
    for (is_signalling, bytes, rejected) in [
        (true, &[0x77][..], 0x77),
        // XFER_REFUSE on the stream for signalling, KEEPALIVE on one for transfers.
        (true, &[0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], 0x04),
        (false, &[0x05][..], 0x05),
    ] {
        let mut stranger = Stranger::greet(&right, STRANGER).await;
        right.node.opened().await;
        match is_signalling {
            true => stranger.signalling.write_all(bytes).await.unwrap(),
            false => stranger.streams[0].0.write_all(bytes).await.unwrap(),
        }
        assert_eq!(stranger.signalled.raw(3).await, [0x07, rejected, 0x00]);
        assert_eq!(closed(&mut right).await, CloseReason::Violation);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_inside_a_transfer_ends_the_session_and_one_between_transfers_does_not() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, true, &[]).await;
    let mut stranger = Stranger::greet(&right, STRANGER).await;
    right.node.opened().await;
    let (_, bytes) = whole(&right, b"good morning");
    let len = u64::try_from(bytes.len()).unwrap();
    let both = SegmentFlags::of(true, true);
    for stream in [0, 1] {
        let transfer = u64::try_from(stream).unwrap();
        stranger.segment(stream, (transfer, both), 0, &bytes, len).await;
        assert_eq!(right.node.received().await.2, b"good morning");
        assert_eq!(stranger.heard(stream).await, ack(transfer, both, len));
        stranger.streams[stream].0.finish().unwrap();
    }
    stranger.segment(2, (2, SegmentFlags::START), 0, &bytes[..20], len).await;
    stranger.streams[2].0.finish().unwrap();
    assert_eq!(closed(&mut right).await, CloseReason::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_may_stand_for_those_before_it() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, true, &[]).await;
    let mut stranger = Stranger::greet(&right, STRANGER).await;
    let (link, _) = right.node.opened().await;
    let target: NodeId = STRANGER.parse().unwrap();
    let outgoing = right.node.bundle(&target, 1, &noise(300_000));
    let sent = outgoing.bundle.clone();
    right.node.command(link, LinkCommand::Transmit(outgoing)).await;
    // Bulk: the third stream that the other side opens.
    let (mut send, receive) = stranger.opened(3).await;
    let mut reader = Reading::new(receive);
    let mut len = 0;
    for number in 0.. {
        let (Unit::Message(Message::Segment(segment)), place) = reader.next().await.unwrap() else {
            panic!("no segment");
        };
        len += segment.data_len;
        assert_eq!((place.number, place.count), (number, 3));
        if segment.flags.is_end() {
            assert_eq!(len, place.bundle_len);
            let ack = Ack { flags: segment.flags, transfer: segment.transfer, len };
            send.write_all(&encode(&Message::Ack(ack), place)).await.unwrap();
            break;
        }
        reader.skip(segment.data_len).await;
    }
    let transmitted = right.node.next(|input| match input {
        Input::Transmitted { bundle, .. } => Some(bundle.clone()),
        _ => None,
    });
    assert_eq!(transmitted.await, sent);
}

const STRANGER: &str = "dtn://stranger/";

/// One node with its endpoint.
struct Side {
    node: TestNode,
    link: LinkId,
    bound: SocketAddr,
    peers: Vec<PeerAddress>,
    stopping: CancellationToken,
    tasks: JoinSet<Result<(), ClaError>>,
}

impl Side {
    async fn start(seed: u8, mind: Mind, quota: u64, listens: bool, peers: &[PeerAddress]) -> Self {
        let mut side = Self::idle(seed, mind, quota, peers);
        side.run(listens, true).await;
        side
    }

    /// A node whose endpoint does not run yet.
    fn idle(seed: u8, mind: Mind, quota: u64, peers: &[PeerAddress]) -> Self {
        Self {
            node: TestNode::new(seed, mind, quota),
            link: LinkId(0),
            bound: any_port(),
            peers: peers.to_vec(),
            stopping: CancellationToken::new(),
            tasks: JoinSet::new(),
        }
    }

    async fn run(&mut self, listens: bool, offers: bool) {
        let bound = watch::Sender::new(None);
        let mut told = bound.subscribe();
        let of_road = |road| {
            let peers = self.peers.iter().filter(|peer| peer.road() == road).cloned().collect();
            watch::Sender::new(peers).subscribe()
        };
        let layer = Quic {
            listen: listens.then(any_port),
            may_fall_back: false,
            secret: self.node.secret,
            peers: of_road(Road::Quic),
            bound,
            quicclav1: offers.then(|| Offer { authorities: None, peers: of_road(Road::Quicclav1) }),
        };
        self.tasks.spawn(Box::new(layer).run(self.node.handle.clone(), self.stopping.clone()));
        if listens {
            self.bound = told.wait_for(Option::is_some).await.unwrap().unwrap();
        }
    }

    fn address(&self) -> PeerAddress {
        let address = PeerAddress::new(Road::Quicclav1, "127.0.0.1", self.bound.port()).unwrap();
        address.with_node(self.node.handle.node_id().clone())
    }

    /// Of which class the contact is that opens next.
    async fn class(&mut self) -> LinkClass {
        self.node
            .next(|input| match input {
                Input::ContactOpened { class, .. } => Some(class.clone()),
                _ => None,
            })
            .await
    }

    async fn stop(&mut self) {
        self.stopping.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// Two nodes in contact: the left one has dialled.
struct Pair {
    left: Side,
    right: Side,
}

impl Pair {
    async fn connect(mind: Mind) -> Self {
        let right = Side::start(2, mind, ROOM, true, &[]).await;
        let left = Side::start(1, mind, ROOM, false, &[right.address()]).await;
        Self::of(left, right).await
    }

    async fn of(mut left: Side, mut right: Side) -> Self {
        left.link = left.node.opened().await.0;
        right.link = right.node.opened().await.0;
        Self { left, right }
    }
}

async fn refused(side: &mut Side, outgoing: Outgoing) -> Option<Refusal> {
    side.node.command(side.link, LinkCommand::Transmit(outgoing)).await;
    side.node
        .next(|input| match input {
            Input::Refused { reason, .. } => Some(Some(*reason)),
            Input::Interrupted { .. } => Some(None),
            _ => None,
        })
        .await
}

async fn closed(side: &mut Side) -> CloseReason {
    side.node
        .next(|input| match input {
            Input::ContactClosed { reason, .. } => Some(*reason),
            _ => None,
        })
        .await
}

/// Messages of one stream.
struct Reading {
    stream: RecvStream,
    decoder: Decoder,
    buffer: BytesMut,
}

impl Reading {
    fn new(stream: RecvStream) -> Self {
        Self { stream, decoder: Decoder::default(), buffer: BytesMut::new() }
    }

    /// The next unit; `None` once the stream has ended.
    async fn next(&mut self) -> Option<(Unit, Place)> {
        loop {
            if let Some(next) = self.decoder.next(&mut self.buffer).unwrap() {
                return Some(next);
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next message; `None` once the stream has ended.
    async fn message(&mut self) -> Option<(Message, Place)> {
        match self.next().await? {
            (Unit::Message(message), place) => Some((message, place)),
            (Unit::Data(_), _) => panic!("data where a message was due"),
        }
    }

    /// Passes over so much data.
    async fn skip(&mut self, mut len: u64) {
        while len > 0 {
            let Some((Unit::Data(data), _)) = self.next().await else { panic!("no data") };
            len -= u64::try_from(data.len()).unwrap();
        }
    }

    /// The next bytes as they are.
    async fn raw(&mut self, len: usize) -> Vec<u8> {
        while self.buffer.len() < len {
            assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0, "the stream has ended");
        }
        self.buffer.split_to(len).to_vec()
    }
}

/// Another agent, by hand.
struct Stranger {
    connection: Connection,
    /// Keeps the socket.
    _endpoint: Endpoint,
    signalling: SendStream,
    signalled: Reading,
    /// The streams for transfers that it has opened.
    streams: Vec<(SendStream, Reading)>,
    /// Which service it says.
    service: u8,
}

impl Stranger {
    async fn connect(side: &Side, protocol: &[u8]) -> Result<(Endpoint, Connection), quinn::ConnectionError> {
        let certificate = Certificate::of_secret(&[9; 32], &STRANGER.parse().unwrap()).unwrap();
        let ends = secure::ends(&certificate, None, TlsPolicy::Require).unwrap();
        let mut tls = ends.client.as_ref().clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = Endpoint::client(any_port()).unwrap();
        let connection = endpoint.connect_with(config, side.bound, SERVER_NAME).unwrap().await?;
        Ok((endpoint, connection))
    }

    /// Dials `side` and greets as `name`.
    async fn greet(side: &Side, name: &str) -> Self {
        let (endpoint, connection) = Self::connect(side, ALPN).await.unwrap();
        let (mut signalling, signalled) = connection.open_bi().await.unwrap();
        let mut streams = Vec::new();
        for _ in 0..4 {
            let (send, receive) = connection.open_bi().await.unwrap();
            streams.push((send, Reading::new(receive)));
        }
        let init = Init {
            keepalive_seconds: 60,
            segment_mru: 1 << 20,
            transfer_mru: 1 << 30,
            node: name.to_owned(),
            extensions: Vec::new(),
        };
        signalling.write_all(&encode(&Message::Init(init), Place::default())).await.unwrap();
        let mut signalled = Reading::new(signalled);
        assert!(matches!(signalled.message().await, Some((Message::Init(_), _))), "no greeting");
        Self { connection, _endpoint: endpoint, signalling, signalled, streams, service: 0 }
    }

    /// A segment on one of its streams.
    async fn segment(
        &mut self,
        stream: usize,
        (transfer, flags): (u64, SegmentFlags),
        number: u16,
        data: &[u8],
        bundle_len: u64,
    ) {
        let data_len = u64::try_from(data.len()).unwrap();
        let segment = Segment { flags, transfer: TransferId(transfer), extensions: Vec::new(), data_len };
        let place = Place { number, count: 2, bundle_len };
        let mut bytes = encode(&Message::Segment(segment), place).to_vec();
        *bytes.last_mut().unwrap() = self.service;
        bytes.extend_from_slice(data);
        self.streams[stream].0.write_all(&bytes).await.unwrap();
    }

    /// The next message on one of its streams.
    async fn heard(&mut self, stream: usize) -> Option<Message> {
        self.streams[stream].1.message().await.map(|(message, _)| message)
    }

    /// The next message on the first stream.
    async fn signalled(&mut self) -> Option<Message> {
        self.signalled.message().await.map(|(message, _)| message)
    }

    /// The stream for transfers that the other side has opened as this one of its own, counted from 1.
    async fn opened(&mut self, number: u64) -> (SendStream, RecvStream) {
        loop {
            let (send, receive) = self.connection.accept_bi().await.unwrap();
            if receive.id().index() + 1 == number {
                return (send, receive);
            }
        }
    }
}

fn ack(transfer: u64, flags: SegmentFlags, len: u64) -> Option<Message> {
    Some(Message::Ack(Ack { flags, transfer: TransferId(transfer), len }))
}

/// A bundle for `side` and all its bytes.
fn whole(side: &Side, payload: &[u8]) -> (Outgoing, Bytes) {
    let maker = TestNode::new(9, Mind::Silent, ROOM);
    let outgoing = maker.bundle(side.node.handle.node_id(), 7, payload);
    let payload = Bytes::copy_from_slice(payload);
    let bytes = bundle_spec::Bundle { header: outgoing.header.clone(), payload }.encode();
    (outgoing, bytes)
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}
