//! One configured peer: bundles go to it one datagram each, at the rate of a bucket. The contact lasts until
//! the peer's system says that nobody listens there.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU64,
    sync::Arc,
};

use tokio::{net::UdpSocket, sync::mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    super::{
        address::{DATAGRAM_BYTES_MAX, PeerAddress, Road},
        backoff::Backoff,
        keepers::Charge,
        source::{Failed, Source},
        waiting::Waiting,
    },
    bucket::Bucket,
};
use crate::{
    agent::{CloseReason, Input, LinkClass, Outgoing, Refusal},
    cla::offload::offload,
    node::mailbox::{Handle, LinkCommand, LinkPort, LinkReporter, Stopped},
};

/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// How many bytes of a datagram are kept free for what stands around a payload.
const AROUND_PAYLOAD: usize = 512;
/// How many more where everything is signed as it leaves.
const SIGNATURE: usize = 256;

/// Sends to the peer until told to stop.
pub(super) async fn keep(handle: Handle, charge: Charge<PeerAddress>, rate: NonZeroU64) {
    let Charge { peer: address, stop, redial } = charge;
    let mut backoff = Backoff::new();
    while !stop.is_cancelled() {
        match connect(&address).await {
            Ok(socket) => {
                let began = handle.clock().now();
                if serve(&handle, &address, socket, rate, &stop).await == CloseReason::Finished {
                    return;
                }
                if handle.clock().now().since(began) >= 2 * Backoff::LONGEST {
                    backoff.reset();
                }
            }
            Err(error) => debug!(%error, "the peer's address cannot be used"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff.pause(rand::random::<f64>())) => {}
            () = redial.notified() => backoff.reset(),
        }
    }
}

/// A socket that sends to the peer and hears that nobody listens there.
async fn connect(address: &PeerAddress) -> io::Result<UdpSocket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let places = tokio::net::lookup_host((address.host(), address.port())).await?;
    for place in places.take(ADDRESSES_MAX) {
        let own: SocketAddr = match place {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(own).await?;
        match socket.connect(place).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn serve(
    handle: &Handle,
    address: &PeerAddress,
    socket: UdpSocket,
    rate: NonZeroU64,
    stop: &CancellationToken,
) -> CloseReason {
    let datagram_max = address.datagram().unwrap_or(DATAGRAM_BYTES_MAX);
    let around = AROUND_PAYLOAD + if address.clear_only() { SIGNATURE } else { 0 };
    let payload_max = u64::try_from(datagram_max - around).expect("a length fits 64 bits");
    let class = LinkClass {
        payload_max: Some(payload_max),
        clear_only: address.clear_only(),
        ..LinkClass::plain(Road::Udp.name())
    };
    let Ok(LinkPort { commands, reporter, .. }) = handle.open_link(address.node(), class).await else {
        return CloseReason::Finished;
    };
    let bucket = Bucket::new(address.rate().unwrap_or(rate));
    let mut contact = Contact { handle, socket, commands, reporter, datagram_max, bucket };
    let reason = contact.run(stop).await;
    debug!(?reason, "contact over");
    // A node that has stopped needs no report.
    let _ = contact.reporter.closed(reason).await;
    reason
}

struct Contact<'a> {
    handle: &'a Handle,
    socket: UdpSocket,
    commands: mpsc::Receiver<LinkCommand>,
    reporter: LinkReporter,
    /// Longest datagram in bytes.
    datagram_max: usize,
    bucket: Bucket,
}

impl Contact<'_> {
    async fn run(&mut self, stop: &CancellationToken) -> CloseReason {
        let mut waiting = Waiting::default();
        let mut answer = [0; 1];
        loop {
            let clock = Arc::clone(self.handle.clock());
            let opens = self.bucket.opens(clock.now());
            let may_send = async {
                if opens.is_some() {
                    clock.sleep_until(opens).await;
                }
            };
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => Err(CloseReason::Finished),
                command = self.commands.recv() => waiting.note(command),
                () = may_send, if !waiting.is_empty() => {
                    let outgoing = waiting.next().expect("something waits");
                    self.transmit(outgoing).await
                }
                // What a peer says is not listened to; that nobody is there, comes as an error.
                heard = self.socket.recv(&mut answer) => heard.map(drop).map_err(|_| CloseReason::Lost),
            };
            if let Err(reason) = step {
                return reason;
            }
        }
    }

    async fn transmit(&mut self, outgoing: Outgoing) -> Result<(), CloseReason> {
        let (bundle, cid) = (outgoing.bundle.clone(), outgoing.payload.cid);
        let (store, longest) = (Arc::clone(self.handle.store()), self.datagram_max);
        let read = offload(move || {
            let longest = u64::try_from(longest).expect("a length fits 64 bits");
            Source::open(&store, &outgoing, longest, |_| Vec::new())?.next()
        });
        let datagram = match read.await {
            Ok(Some(datagram)) => datagram,
            Ok(None) | Err(Failed::TooLarge) => {
                return self.reporter.refused(bundle, Refusal::TooLarge).await.map_err(stopped);
            }
            Err(error) => {
                warn!(%error, "a payload cannot be read");
                self.handle.input(Input::BlockLost { cid }).await.map_err(stopped)?;
                return self.reporter.interrupted(bundle, 0).await.map_err(stopped);
            }
        };
        match self.socket.send(&datagram).await {
            Ok(_) => {
                self.bucket.spend(self.handle.clock().now(), datagram.len());
                self.reporter.transmitted(bundle).await.map_err(stopped)
            }
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
                self.reporter.refused(bundle, Refusal::TooLarge).await.map_err(stopped)
            }
            // Nobody is there, or there is no way: both may pass.
            Err(error) => {
                debug!(%error, "a datagram could not be sent");
                Err(CloseReason::Lost)
            }
        }
    }
}

fn stopped(_: Stopped) -> CloseReason {
    CloseReason::Finished
}
