use std::{
    net::Ipv4Addr,
    sync::{Arc, atomic::Ordering},
};

use bundle_spec::{Builder, CrcType, NodeId, PayloadTail};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

use super::*;
use crate::{
    agent::{CloseReason, Input, LinkId, Outgoing, Refusal},
    cla::{
        mtcp::ByteString,
        source::CHUNK_BYTES,
        stcp::Prefix,
        testing::{Mind, TestNode},
    },
    node::mailbox::{LinkCommand, Store},
    store::MemoryStore,
};

const ROOM: u64 = 64 << 20;
const FRAMINGS: [&dyn Framing; 2] = [&ByteString, &Prefix];

#[tokio::test(flavor = "multi_thread")]
async fn bundles_of_every_size_arrive_whole() {
    for framing in FRAMINGS {
        let (mut left, mut right, link) = pair(framing).await;
        let sizes = [0, 1, 1024, 60_000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1_000_000, 3_000_000];
        for (sequence, size) in (0..).zip(sizes) {
            let payload = noise(size);
            let outgoing = left.node.bundle(&right.id(), sequence, &payload);
            let sent = outgoing.bundle.clone();
            left.node.transmit(link, outgoing).await;
            let (_, bundle, arrived, adu) = right.node.received().await;
            assert_eq!((bundle, &arrived), (sent, &payload), "{size} bytes");
            assert_eq!(adu, (size <= 65_536).then(|| Bytes::from(payload)), "{size} bytes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_bundles_arrive_in_order() {
    for framing in FRAMINGS {
        let (left, mut right, link) = pair(framing).await;
        let sent: Vec<_> = (0..1000_u64)
            .map(|number| left.node.bundle(&right.id(), number, &number.to_be_bytes()))
            .collect();
        for outgoing in &sent {
            left.node.command(link, LinkCommand::Transmit(outgoing.clone())).await;
        }
        for (number, outgoing) in (0..1000_u64).zip(&sent) {
            let (_, bundle, payload, _) = right.node.received().await;
            assert_eq!((bundle, payload), (outgoing.bundle.clone(), number.to_be_bytes().to_vec()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dials_names_the_peer_as_the_address_does_and_who_listens_names_nobody() {
    let mut right = Side::listening(&ByteString, Lax::strict(), Mind::Obliging);
    let right_id = right.id();
    let mut left = Side::dialling(&ByteString, right.address().await.with_node(right_id.clone()));
    let (link, peer) = left.node.opened().await;
    assert_eq!(peer, right_id);
    let outgoing = left.node.bundle(&right_id, 1, b"a");
    left.node.transmit(link, outgoing).await;
    let (peer, class) = right
        .node
        .next(|input| match input {
            Input::ContactOpened { peer, class, .. } => Some((peer.clone(), class.clone())),
            _ => None,
        })
        .await;
    assert_eq!(peer, None);
    assert!(!class.sends && !class.durable);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bundles_in_one_segment_are_two_bundles() {
    for framing in FRAMINGS {
        let mut right = Side::listening(framing, Lax::strict(), Mind::Obliging);
        let (one, two) = (right.unit(1, b"first"), right.unit(2, b"second"));
        // An empty unit is a sign of life.
        right.send(&[one, framing.head(0), two].concat()).await;
        assert_eq!(right.node.received().await.2, b"first");
        assert_eq!(right.node.received().await.2, b"second");
        assert_eq!(right.closed().await, CloseReason::Finished);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_in_single_bytes_is_a_bundle() {
    for framing in FRAMINGS {
        let mut right = Side::listening(framing, Lax::strict(), Mind::Obliging);
        let unit = right.unit(1, &noise(3000));
        let mut stream = right.connect().await;
        stream.set_nodelay(true).unwrap();
        for byte in unit {
            stream.write_all(&[byte]).await.unwrap();
        }
        assert_eq!(right.node.received().await.2, noise(3000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bundle_is_passed_over_and_what_follows_is_not() {
    for framing in FRAMINGS {
        let mut right = Side::listening(framing, Lax::strict(), Mind::Obliging);
        let mut damaged = right.unit(1, &noise(100_000));
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        let good = right.bundle_bytes(2, b"good");
        let longer = [framing.head(length(good.len() + 1)), good.clone(), vec![0]].concat();
        let shorter = [framing.head(length(good.len() - 1)), good[..good.len() - 1].to_vec()].concat();
        let noise = [framing.head(80_000), noise(80_000)].concat();
        let good = [framing.head(length(good.len())), good].concat();
        right.send(&[damaged, longer, shorter, noise, good].concat()).await;
        assert_eq!(right.node.received().await.2, b"good");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_passed_over_without_a_trace() {
    for framing in FRAMINGS {
        let mut right = Side::listening(framing, Lax::strict(), Mind::Agent);
        let once = right.unit(1, &noise(2_000_000));
        let after = right.unit(2, b"after");
        right.send(&once).await;
        assert_eq!(right.node.received().await.2.len(), 2_000_000);
        assert_eq!(right.closed().await, CloseReason::Finished);
        let written = right.node.store.written.load(Ordering::SeqCst);
        right.send(&[once, after].concat()).await;
        assert_eq!(right.node.received().await.2, b"after");
        assert_eq!(
            right.node.store.written.load(Ordering::SeqCst),
            written + 5,
            "a duplicate is not written"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_is_passed_over_and_what_follows_is_not() {
    let mut right = Side::start(3, &ByteString, true, Lax::strict(), Mind::Obliging, &[], 1_000_000);
    let (large, small) = (right.unit(1, &noise(2_000_000)), right.unit(2, b"small"));
    right.send(&[large, small].concat()).await;
    assert_eq!(right.node.received().await.2, b"small");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_the_contact_and_a_new_one_works() {
    let mut right = Side::listening(&ByteString, Lax::strict(), Mind::Obliging);
    let unit = right.unit(1, b"a");
    let endless = [0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff].to_vec();
    for garbage in [b"rubbish".to_vec(), endless] {
        right.send(&[unit.clone(), garbage].concat()).await;
        right.node.received().await;
        assert_eq!(right.closed().await, CloseReason::Violation);
    }
    right.send(&unit).await;
    right.node.received().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_knocks_is_no_contact() {
    let mut right = Side::listening(&ByteString, Lax::strict(), Mind::Obliging);
    right.send(b"").await;
    right.send(b"GET / HTTP/1.1\r\n\r\n").await;
    let unit = right.unit(1, b"a");
    right.send(&unit).await;
    let first =
        right.node.next(|input| Some(matches!(input, Input::ContactOpened { link: LinkId(1), .. }))).await;
    assert!(first);
    assert_eq!(right.node.received().await.0, LinkId(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_breaks_off_is_not_received() {
    for framing in FRAMINGS {
        let mut right = Side::listening(framing, Lax::strict(), Mind::Obliging);
        let unit = right.unit(1, &noise(1_000_000));
        for cut in [unit.len() - 1, unit.len() / 2, 600] {
            right.send(&unit[..cut]).await;
            assert_eq!(right.closed().await, CloseReason::Lost, "{cut}");
        }
        right.send(&unit).await;
        assert_eq!(right.node.received().await.2.len(), 1_000_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deviation_is_tolerated_where_the_settings_say_so() {
    for (lax, is_taken) in [(Lax::strict(), false), (Lax::dtn7(), true)] {
        let mut right = Side::listening(&ByteString, lax, Mind::Obliging);
        let source = right.id().endpoint("test", 1);
        let timestamp = bundle_spec::CreationTimestamp { time: bundle_spec::DtnTime(1), sequence: 1 };
        let bare = Builder::new(source.clone(), source, timestamp, 3_600_000).crc(CrcType::None);
        let bare = bare.bundle(Bytes::from_static(b"bare")).encode();
        let bare = [ByteString.head(length(bare.len())), bare.to_vec()].concat();
        let good = right.unit(2, b"good");
        right.send(&[bare, good].concat()).await;
        let first = right.node.received().await.2;
        assert_eq!(first == b"bare", is_taken);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_up_is_dialled_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = PeerAddress::new(Road::Mtcp, "127.0.0.1", port).unwrap();
    let mut left = Side::dialling(&ByteString, address);
    for _ in 0..2 {
        let (stream, _) = listener.accept().await.unwrap();
        left.contact().await;
        drop(stream);
        assert_eq!(left.closed().await, CloseReason::Lost);
        // Naming a peer again ends the pause.
        left.peers.send_modify(|_| {});
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_forgotten_is_left_in_good_order() {
    let (mut left, mut right, link) = pair(&ByteString).await;
    let outgoing = left.node.bundle(&right.id(), 1, b"last");
    left.node.transmit(link, outgoing).await;
    left.peers.send_replace(Vec::new());
    assert_eq!(left.closed().await, CloseReason::Finished);
    assert_eq!(right.node.received().await.2, b"last");
    assert_eq!(right.closed().await, CloseReason::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_gone_is_reported_and_the_next_bundle_goes() {
    let (mut left, mut right, link) = pair(&Prefix).await;
    let gone = left.node.bundle(&right.id(), 1, &noise(1000));
    left.node.store.release(gone.payload.cid.digest()).unwrap();
    let next = left.node.bundle(&right.id(), 2, b"next");
    left.node.command(link, LinkCommand::Transmit(gone.clone())).await;
    left.node.command(link, LinkCommand::Transmit(next)).await;
    let lost = left.node.next(|input| if let Input::BlockLost { cid } = input { Some(*cid) } else { None });
    assert_eq!(lost.await, gone.payload.cid);
    left.node.next(|input| matches!(input, Input::Interrupted { acknowledged: 0, .. }).then_some(())).await;
    assert_eq!(right.node.received().await.2, b"next");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_too_long_for_the_road_is_refused_and_the_next_goes() {
    struct Narrow;
    impl Framing for Narrow {
        fn road(&self) -> Road {
            Road::Stcp
        }
        fn unit_max(&self) -> u64 {
            500_000
        }
        fn head(&self, len: u64) -> Vec<u8> {
            Prefix.head(len)
        }
        fn read_head(&self, bytes: &[u8]) -> Result<Option<(u64, usize)>, NoHead> {
            Prefix.read_head(bytes)
        }
    }
    let (mut left, mut right, link) = pair(&Narrow).await;
    let long = left.node.bundle(&right.id(), 1, &noise(500_000));
    let next = left.node.bundle(&right.id(), 2, b"next");
    left.node.command(link, LinkCommand::Transmit(long)).await;
    left.node.command(link, LinkCommand::Transmit(next)).await;
    let refused = |input: &Input| match input {
        Input::Refused { reason, .. } => Some(*reason),
        _ => None,
    };
    assert_eq!(left.node.next(refused).await, Refusal::TooLarge);
    assert_eq!(right.node.received().await.2, b"next");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_called_off_while_it_waits_is_not_sent() {
    let (left, mut right, link) = pair(&ByteString).await;
    // The first waits for its payload, so that the others wait for it.
    left.node.store.gate.store(0, Ordering::SeqCst);
    let bundles: Vec<Outgoing> = (0..3).map(|n| left.node.bundle(&right.id(), n, &[7; 10])).collect();
    for outgoing in &bundles {
        left.node.command(link, LinkCommand::Transmit(outgoing.clone())).await;
    }
    left.node.command(link, LinkCommand::Abort(bundles[1].bundle.clone())).await;
    // Once the link has taken the last command, it has taken those before.
    left.node.command(link, LinkCommand::Announce(Bytes::new())).await;
    while left.node.backlog(link).await > 0 {
        tokio::task::yield_now().await;
    }
    left.node.store.gate.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(right.node.received().await.1, bundles[0].bundle);
    assert_eq!(right.node.received().await.1, bundles[2].bundle);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bytes_make_the_stream_reader_panic() {
    let bundle = {
        let node: NodeId = "dtn://a/".parse().unwrap();
        let timestamp = bundle_spec::CreationTimestamp { time: bundle_spec::DtnTime(1), sequence: 1 };
        Builder::new(node.endpoint("a", 1), node.endpoint("b", 2), timestamp, 1000)
            .bundle(Bytes::from_static(b"payload"))
            .encode()
    };
    bolero::check!().with_iterations(2_000).with_type::<(Vec<u8>, u8, Vec<u8>)>().for_each(
        |(before, place, change)| {
            let mut bytes = [ByteString.head(length(bundle.len())), bundle.to_vec()].concat();
            for (at, byte) in (usize::from(*place)..bytes.len()).zip(change) {
                bytes[at] = *byte;
            }
            let bytes = [before.as_slice(), &bytes].concat();
            let store: Arc<dyn Store> = Arc::new(MemoryStore::new(ROOM));
            let read = async {
                let mut inflow = inflow::Inflow::new(bytes.as_slice());
                while let Ok(len) = inflow.begin(&ByteString).await {
                    if len > 0
                        && let Ok(Some(header)) = inflow.header(&Lax::all()).await
                        && header.payload_len() < 1000
                    {
                        // Whatever becomes of it.
                        let _ = intake::take_in(&mut inflow, &header, &store).await;
                    }
                    if inflow.skip().await.is_err() {
                        break;
                    }
                }
            };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(read));
        },
    );
}

/// One side of a road.
struct Side {
    node: TestNode,
    framing: &'static dyn Framing,
    peers: watch::Sender<Vec<PeerAddress>>,
    bound: watch::Receiver<Option<SocketAddr>>,
    stop: CancellationToken,
    _serving: JoinHandle<Result<(), ClaError>>,
}

impl Side {
    fn listening(framing: &'static dyn Framing, lax: Lax, mind: Mind) -> Self {
        Self::start(2, framing, true, lax, mind, &[], ROOM)
    }

    fn dialling(framing: &'static dyn Framing, address: PeerAddress) -> Self {
        Self::start(1, framing, false, Lax::strict(), Mind::Silent, &[address], ROOM)
    }

    fn start(
        seed: u8,
        framing: &'static dyn Framing,
        listens: bool,
        lax: Lax,
        mind: Mind,
        peers: &[PeerAddress],
        room: u64,
    ) -> Self {
        let node = TestNode::new(seed, mind, room);
        let (peers, peers_told) = watch::channel(peers.to_vec());
        let (bound, bound_told) = watch::channel(None);
        let listen = listens.then_some((Ipv4Addr::LOCALHOST, 0).into());
        let stop = CancellationToken::new();
        let streams = Streams { framing, listen, lax, clear_only: false, peers: peers_told, bound };
        let serving = tokio::spawn(streams.serve(node.handle.clone(), stop.clone()));
        Self { node, framing, peers, bound: bound_told, stop, _serving: serving }
    }

    fn id(&self) -> NodeId {
        self.node.handle.node_id().clone()
    }

    async fn place(&mut self) -> SocketAddr {
        self.bound.wait_for(Option::is_some).await.unwrap().unwrap()
    }

    async fn address(&mut self) -> PeerAddress {
        let port = self.place().await.port();
        PeerAddress::new(self.framing.road(), "127.0.0.1", port).unwrap()
    }

    async fn connect(&mut self) -> TcpStream {
        TcpStream::connect(self.place().await).await.unwrap()
    }

    /// Sends bytes on a connection of their own; what breaks on the way is the other side's will.
    async fn send(&mut self, bytes: &[u8]) {
        let mut stream = self.connect().await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut [0]).await;
    }

    /// A bundle from another node to this one.
    fn bundle_bytes(&self, sequence: u64, payload: &[u8]) -> Vec<u8> {
        let sender: NodeId = "dtn://sender/".parse().unwrap();
        let time = bundle_spec::DtnTime(1_000_000);
        let timestamp = bundle_spec::CreationTimestamp { time, sequence };
        let destination = self.id().endpoint("inbox", 2);
        let header = Builder::new(sender.endpoint("test", 1), destination, timestamp, 3_600_000_000_000)
            .header(length(payload.len()));
        let mut tail = PayloadTail::new(&header);
        tail.update(payload);
        [header.raw(), payload, &tail.emit()].concat()
    }

    fn unit(&self, sequence: u64, payload: &[u8]) -> Vec<u8> {
        let bytes = self.bundle_bytes(sequence, payload);
        [self.framing.head(length(bytes.len())), bytes].concat()
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
}

impl Drop for Side {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Who dials, who listens, and the dialler's link.
async fn pair(framing: &'static dyn Framing) -> (Side, Side, LinkId) {
    let mut right = Side::listening(framing, Lax::strict(), Mind::Obliging);
    let mut left = Side::dialling(framing, right.address().await);
    let link = left.contact().await;
    (left, right, link)
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap()
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| byte()).collect()
}
