//! Beacons: tells the neighbourhood where this node listens, and hears where others do, in the form that
//! `dtnd` understands. Who is heard is dialled until the beacons stop and no contact is left.
//!
//! Beacons are not authenticated: they only say whom to try. Only the place that a beacon came from is ever
//! dialled. Opens no contact itself.

use std::{future::Future, io, net::SocketAddr, pin::Pin, time::Duration};

use bundle_spec::NodeId;
use futures_util::future::select_all;
use tokio::{net::UdpSocket, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use self::{
    beacon::{BEACON_BYTES_MAX, Beacon},
    neighbours::{Neighbours, name_of},
};
use super::{
    ClaError, ConvergenceLayer,
    address::{Leniency, PeerAddress, Road},
};
use crate::node::mailbox::{Handle, Time};

mod beacon;
mod neighbours;
mod socket;

#[cfg(test)]
mod tests;

/// How often it is looked whether beacons have stopped.
const LOOK: Duration = Duration::from_secs(5);

/// Tells and hears of neighbours.
pub struct Ipnd {
    /// Where beacons are heard and sent from.
    pub listen: Vec<SocketAddr>,
    /// Where they go.
    pub to: Vec<SocketAddr>,
    /// How long from one to the next.
    pub period: Duration,
    /// What is tolerated of whoever is found.
    pub leniency: Leniency,
    /// Where this node's convergence layers listen, once they do.
    pub offers: Vec<(Road, watch::Receiver<Option<SocketAddr>>)>,
    /// Told whom to dial.
    pub found: watch::Sender<Vec<PeerAddress>>,
    /// Told where beacons are heard, once they are.
    pub bound: watch::Sender<Vec<SocketAddr>>,
}

impl ConvergenceLayer for Ipnd {
    fn name(&self) -> &'static str {
        "ipnd"
    }

    fn run(
        self: Box<Self>,
        node: Handle,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClaError>> + Send>> {
        Box::pin(self.serve(node, stop))
    }
}

impl Ipnd {
    async fn serve(self, handle: Handle, stop: CancellationToken) -> Result<(), ClaError> {
        let mut sockets = Vec::new();
        for address in &self.listen {
            let failed = |cause| ClaError::Listen { address: address.to_string(), cause };
            sockets.push(socket::open(*address, &self.to).map_err(failed)?);
        }
        let bound = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        self.bound.send_replace(bound);
        let mut neighbours = Neighbours::new(handle.node_id().clone(), self.leniency);
        let (mut sequence, mut next) = (0_u32, handle.clock().now());
        let mut buffer = vec![0; BEACON_BYTES_MAX + 1];
        loop {
            let now = handle.clock().now();
            if next <= now {
                self.announce(&sockets, handle.node_id(), sequence).await;
                sequence = sequence.wrapping_add(1);
                next = now + self.period;
            }
            let wake = next.min(now + LOOK);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = handle.clock().sleep_until(Some(wake)) => {}
                (len, from) = hear(&sockets, &mut buffer) => match Beacon::decode(&buffer[..len]) {
                    Ok(beacon) => neighbours.hear(handle.clock().now(), from, &beacon),
                    Err(error) => debug!(%error, "a datagram is no beacon"),
                },
            }
            if forget(&handle, &mut neighbours, handle.clock().now()).await.is_err() {
                return Err(ClaError::NodeStopped);
            }
            self.found.send_if_modified(|found| {
                let addresses = neighbours.addresses();
                let is_new = *found != addresses;
                if is_new {
                    info!(addresses = addresses.len(), "the neighbourhood has changed");
                }
                *found = addresses;
                is_new
            });
        }
    }

    /// Sends one beacon to every place.
    async fn announce(&self, sockets: &[UdpSocket], node: &NodeId, sequence: u32) {
        let offered = self.offers.iter().filter_map(|(road, bound)| {
            let port = bound.borrow().as_ref()?.port();
            Some((name_of(*road)?.to_owned(), port))
        });
        let layers = offered.collect();
        let beacon = Beacon { node: node.clone(), sequence, layers, period: Some(self.period) }.encode();
        for to in &self.to {
            for socket in sockets {
                if socket.local_addr().is_ok_and(|own| own.is_ipv4() == to.is_ipv4())
                    && let Err(error) = socket.send_to(&beacon, to).await
                {
                    debug!(%to, %error, "a beacon could not be sent");
                }
            }
        }
    }
}

/// The next datagram on any of the sockets, of which there is at least one.
async fn hear(sockets: &[UdpSocket], buffer: &mut [u8]) -> (usize, SocketAddr) {
    loop {
        let ready = sockets.iter().map(|socket| Box::pin(socket.readable()));
        let (_, place, _) = select_all(ready).await;
        match sockets[place].try_recv_from(buffer) {
            Ok(heard) => return heard,
            // What was there has been read already.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => debug!(%error, "a beacon could not be heard"),
        }
    }
}

/// Forgets whose beacons have stopped, unless there is a contact.
async fn forget(
    handle: &Handle,
    neighbours: &mut Neighbours,
    now: Time,
) -> Result<(), crate::node::mailbox::Stopped> {
    if neighbours.overdue(now).is_empty() {
        return Ok(());
    }
    let peers = handle.peers().await?;
    let connected: Vec<NodeId> =
        peers.into_iter().filter(|peer| peer.connected).map(|peer| peer.node).collect();
    neighbours.forget(now, &connected);
    Ok(())
}
