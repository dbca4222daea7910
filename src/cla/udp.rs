//! Bundles over UDP: one bundle, one datagram, as dtn7-rs and others send them.
//!
//! Nothing is acknowledged, repeated or paced by the peer: what is sent is never said to be durable, and a
//! token bucket keeps each peer's share of the wire. Nobody says who they are: bundles name the node before.

use std::{future::Future, net::SocketAddr, num::NonZeroU64, pin::Pin, time::Duration};

use bundle_spec::Lax;
use tokio::{net::UdpSocket, sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    ClaError, ConvergenceLayer,
    address::{PeerAddress, Road},
    keepers::Keepers,
};
use crate::node::mailbox::Handle;

mod bucket;
mod inbound;
mod outbound;

#[cfg(test)]
mod tests;

/// How long the layer may take to end in good order.
const PARTING: Duration = Duration::from_secs(2);

/// The convergence layer `udp`.
pub struct Udp {
    /// Where it listens; without, it only sends.
    pub listen: Option<SocketAddr>,
    /// What is tolerated in bundles that come in.
    pub lax: Lax,
    /// Whether encryption is forbidden where bundles come in.
    pub clear_only: bool,
    /// Most bytes a second to one peer, unless its address says otherwise.
    pub rate: NonZeroU64,
    /// Peers that bundles are sent to.
    pub peers: watch::Receiver<Vec<PeerAddress>>,
    /// Told where it listens, once it does.
    pub bound: watch::Sender<Option<SocketAddr>>,
}

impl ConvergenceLayer for Udp {
    fn name(&self) -> &'static str {
        Road::Udp.name()
    }

    fn run(
        self: Box<Self>,
        node: Handle,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClaError>> + Send>> {
        Box::pin(self.serve(node, stop))
    }
}

impl Udp {
    async fn serve(mut self, handle: Handle, stop: CancellationToken) -> Result<(), ClaError> {
        let mut tasks = JoinSet::new();
        if let Some(address) = self.listen {
            let failed = |cause| ClaError::Listen { address: address.to_string(), cause };
            let socket = UdpSocket::bind(address).await.map_err(failed)?;
            self.bound.send_replace(socket.local_addr().ok());
            let terms = inbound::Terms { lax: self.lax, clear_only: self.clear_only };
            tasks.spawn(inbound::serve(handle.clone(), terms, socket, stop.clone()));
        }
        let mut keepers = Keepers::default();
        let mut may_change = true;
        self.peers.mark_changed();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = tasks.join_next() => ended.expect("no task panics"),
                changed = self.peers.changed(), if may_change => {
                    may_change = changed.is_ok();
                    let wanted = self.peers.borrow_and_update().clone();
                    for charge in keepers.keep(&wanted, &stop) {
                        tasks.spawn(outbound::keep(handle.clone(), charge, self.rate));
                    }
                }
            }
        }
        let parting = timeout(PARTING, async { while tasks.join_next().await.is_some() {} });
        if parting.await.is_err() {
            debug!("contacts did not end in time");
        }
        tasks.shutdown().await;
        Ok(())
    }
}
