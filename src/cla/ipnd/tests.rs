use std::net::Ipv4Addr;

use bundle_spec::sign::SigningKey;

use super::*;
use crate::cla::testing::{Mind, TestNode};

#[tokio::test(flavor = "multi_thread")]
async fn who_announces_itself_is_found_where_it_listens() {
    let left = Side::start(1, Vec::new(), Vec::new());
    let place = left.place().await;
    let offers = vec![(Road::Quic, 4558), (Road::Mtcp, 16_162), (Road::Udp, 4556), (Road::Tcpclv4, 4556)];
    let right = Side::start(2, vec![place], offers);
    let key = SigningKey::from_bytes(&[2; 32]).public();
    let node = right.node.handle.node_id().clone();
    let found = left.found(|found| !found.is_empty()).await;
    let expected = [
        PeerAddress::new(Road::Quic, "127.0.0.1", 4558).unwrap().with_key(key),
        format!("tcpclv4://127.0.0.1:4556?eid={node}&lax=dtn7&tls=allow").parse().unwrap(),
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_that_falls_silent_is_forgotten() {
    let left = Side::start(1, Vec::new(), Vec::new());
    let place = left.place().await;
    let right = Side::start(2, vec![place], vec![(Road::Mtcp, 16_162)]);
    left.found(|found| !found.is_empty()).await;
    right.stop.cancel();
    left.found(<[PeerAddress]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_beacon_is_passed_over() {
    let left = Side::start(1, Vec::new(), Vec::new());
    let place = left.place().await;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for datagram in [b"".as_slice(), b"\x85\x07", &[0; 9000]] {
        socket.send_to(datagram, place).await.unwrap();
    }
    let _right = Side::start(2, vec![place], vec![(Road::Mtcp, 16_162)]);
    assert_eq!(left.found(|found| !found.is_empty()).await.len(), 1);
}

/// A node that tells and hears, once a second.
struct Side {
    node: TestNode,
    found: watch::Receiver<Vec<PeerAddress>>,
    bound: watch::Receiver<Vec<SocketAddr>>,
    stop: CancellationToken,
    _offers: Vec<watch::Sender<Option<SocketAddr>>>,
}

impl Side {
    fn start(seed: u8, to: Vec<SocketAddr>, offers: Vec<(Road, u16)>) -> Self {
        let node = TestNode::new(seed, Mind::Agent, 1 << 20);
        let (found, found_told) = watch::channel(Vec::new());
        let (bound, bound_told) = watch::channel(Vec::new());
        let (senders, offers) = offers
            .into_iter()
            .map(|(road, port)| {
                let (sender, receiver) = watch::channel(Some((Ipv4Addr::UNSPECIFIED, port).into()));
                (sender, (road, receiver))
            })
            .unzip();
        let ipnd = Ipnd {
            listen: vec![(Ipv4Addr::LOCALHOST, 0).into()],
            to,
            period: Duration::from_secs(1),
            leniency: Leniency::Dtn7,
            offers,
            found,
            bound,
        };
        let stop = CancellationToken::new();
        tokio::spawn(Box::new(ipnd).run(node.handle.clone(), stop.clone()));
        Self { node, found: found_told, bound: bound_told, stop, _offers: senders }
    }

    async fn place(&self) -> SocketAddr {
        self.bound.clone().wait_for(|bound| !bound.is_empty()).await.unwrap()[0]
    }

    async fn found(&self, is_so: impl Fn(&[PeerAddress]) -> bool) -> Vec<PeerAddress> {
        let mut found = self.found.clone();
        let found = found.wait_for(|found| is_so(found));
        tokio::time::timeout(Duration::from_secs(30), found).await.unwrap().unwrap().clone()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
