use std::net::Ipv4Addr;

use bundle_spec::{Builder, CrcType, NodeId};
use bytes::Bytes;

use super::*;
use crate::{
    agent::{CloseReason, Input, LinkId, Outgoing, Refusal},
    cla::{
        address::DATAGRAM_BYTES_MAX,
        testing::{Mind, TestNode},
    },
    node::mailbox::LinkCommand,
};

const ROOM: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn bundles_of_every_size_that_fits_arrive_whole() {
    let (mut left, mut right, link) = pair("").await;
    for (sequence, size) in (0..).zip([0, 1, 1024, 60_000, 65_000]) {
        let payload = vec![7; size];
        let outgoing = left.node.bundle(&right.id(), sequence, &payload);
        left.node.transmit(link, outgoing.clone()).await;
        let (_, bundle, arrived, adu) = right.node.received().await;
        assert_eq!((bundle, &arrived), (outgoing.bundle, &payload), "{size} bytes");
        assert_eq!(adu.unwrap(), payload);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_longer_than_a_datagram_is_refused_and_the_next_goes() {
    for (options, longest) in [("", DATAGRAM_BYTES_MAX), ("?datagram=1400", 1400)] {
        let (mut left, mut right, link) = pair(options).await;
        let around = around(&left.node.bundle(&right.id(), 9, &vec![7; longest]));
        let long = left.node.bundle(&right.id(), 1, &vec![1; longest - around + 1]);
        left.node.command(link, LinkCommand::Transmit(long)).await;
        assert_eq!(left.refused().await, Refusal::TooLarge);
        let whole = left.node.bundle(&right.id(), 2, &vec![2; longest - around]);
        left.node.transmit(link, whole).await;
        assert_eq!(right.node.received().await.2.len(), longest - around);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contact_says_how_much_fits_and_who_is_there() {
    let left = Side::start(1, false, "udp://127.0.0.1:9?datagram=1400&eid=ipn:5.0");
    let (mut left, node) = (left, "ipn:5.0".parse::<NodeId>().unwrap());
    let opened = |input: &Input| match input {
        Input::ContactOpened { peer, class, .. } => Some((peer.clone(), class.clone())),
        _ => None,
    };
    let (peer, class) = left.node.next(opened).await;
    assert_eq!((peer, class.payload_max), (Some(node), Some(1400 - 512)));
    assert!(class.sends && !class.durable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_where_nobody_listens_is_a_contact_that_ends() {
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let mut left = Side::start(1, false, &format!("udp://{free}"));
    let link = left.contact().await;
    let outgoing = left.node.bundle(&left.id(), 1, b"a");
    left.node.command(link, LinkCommand::Transmit(outgoing)).await;
    assert_eq!(left.closed().await, CloseReason::Lost);
    // Naming the peer again ends the pause.
    left.peers.send_modify(|_| {});
    left.contact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_forgotten_is_a_contact_that_ends() {
    let (mut left, _right, _) = pair("").await;
    left.peers.send_replace(Vec::new());
    assert_eq!(left.closed().await, CloseReason::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bundle_is_passed_over_and_opens_no_contact() {
    let mut right = Side::start(2, true, "");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let place = right.place().await;
    let source = right.id().endpoint("test", 1);
    let timestamp = bundle_spec::CreationTimestamp { time: bundle_spec::DtnTime(1), sequence: 1 };
    let builder = Builder::new(source.clone(), source, timestamp, 3_600_000_000_000);
    let bare = builder.clone().crc(CrcType::None).bundle(Bytes::from_static(b"bare")).encode();
    let good = builder.bundle(Bytes::from_static(b"good")).encode();
    let damaged = [&good[..good.len() - 8], &[0; 8]].concat();
    let two = [&good[..], &good[..]].concat();
    for datagram in [b"", b"\x9f".as_slice(), b"GET / HTTP/1.1\r\n\r\n", &bare, &damaged, &two] {
        socket.send_to(datagram, place).await.unwrap();
    }
    socket.send_to(&good, place).await.unwrap();
    let first = |input: &Input| Some(matches!(input, Input::ContactOpened { link: LinkId(1), .. }));
    assert!(right.node.next(first).await);
    assert_eq!(right.node.received().await.2, b"good");
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_go_at_the_rate_of_the_address() {
    // At a byte a second the second bundle would come tomorrow.
    let (mut left, mut right, link) = pair("?rate=1").await;
    for sequence in 0..2 {
        let outgoing = left.node.bundle(&right.id(), sequence, b"a");
        left.node.command(link, LinkCommand::Transmit(outgoing)).await;
    }
    right.node.received().await;
    let sent = |input: &Input| matches!(input, Input::Transmitted { .. }).then_some(());
    left.node.next(sent).await;
    left.peers.send_replace(Vec::new());
    let next = left.node.next(|input| Some(matches!(input, Input::ContactClosed { .. }))).await;
    assert!(next, "nothing else was sent");
}

/// One side of a road.
struct Side {
    node: TestNode,
    peers: watch::Sender<Vec<PeerAddress>>,
    bound: watch::Receiver<Option<SocketAddr>>,
    stop: CancellationToken,
}

impl Side {
    /// `peer` is an address, or empty.
    fn start(seed: u8, listens: bool, peer: &str) -> Self {
        let node = TestNode::new(seed, Mind::Obliging, ROOM);
        let peers = (!peer.is_empty()).then(|| peer.parse().unwrap()).into_iter().collect();
        let (peers, peers_told) = watch::channel(peers);
        let (bound, bound_told) = watch::channel(None);
        let stop = CancellationToken::new();
        let udp = Udp {
            listen: listens.then_some((Ipv4Addr::LOCALHOST, 0).into()),
            lax: Lax::strict(),
            clear_only: false,
            rate: NonZeroU64::new(100_000_000).unwrap(),
            peers: peers_told,
            bound,
        };
        tokio::spawn(Box::new(udp).run(node.handle.clone(), stop.clone()));
        Self { node, peers, bound: bound_told, stop }
    }

    fn id(&self) -> NodeId {
        self.node.handle.node_id().clone()
    }

    async fn place(&mut self) -> SocketAddr {
        self.bound.wait_for(Option::is_some).await.unwrap().unwrap()
    }

    async fn contact(&mut self) -> LinkId {
        let opened = |input: &Input| match input {
            Input::ContactOpened { link, .. } => Some(*link),
            _ => None,
        };
        self.node.next(opened).await
    }

    async fn closed(&mut self) -> CloseReason {
        let closed = |input: &Input| match input {
            Input::ContactClosed { reason, .. } => Some(*reason),
            _ => None,
        };
        self.node.next(closed).await
    }

    async fn refused(&mut self) -> Refusal {
        let refused = |input: &Input| match input {
            Input::Refused { reason, .. } => Some(*reason),
            _ => None,
        };
        self.node.next(refused).await
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Who sends, who listens, and the sender's link.
async fn pair(options: &str) -> (Side, Side, LinkId) {
    let mut right = Side::start(2, true, "");
    let mut left = Side::start(1, false, &format!("udp://{}{options}", right.place().await));
    let link = left.contact().await;
    (left, right, link)
}

/// How many bytes of a bundle are not payload.
fn around(outgoing: &Outgoing) -> usize {
    usize::try_from(outgoing.header.bundle_len().unwrap() - outgoing.header.payload_len()).unwrap()
}
