//! Convergence layer adapters: ways of carrying bundles. The contract.

use std::{future::Future, pin::Pin};

use tokio_util::sync::CancellationToken;

use crate::node::mailbox::Handle;

pub mod address;
mod backoff;
mod buffers;
pub mod frame;
mod identity;
pub mod ipnd;
mod keepers;
pub mod mtcp;
mod offload;
mod pace;
mod partial;
mod payload;
pub mod quic;
pub mod quicclav1;
mod roster;
mod seats;
mod source;
pub mod spool;
pub mod stcp;
pub mod stream;
pub mod tcpclv4;
#[cfg(test)]
mod testing;
mod tls;
pub mod udp;
mod waiting;

/// One way of carrying bundles. Opens and closes links, streams payloads between wire and store, reports.
pub trait ConvergenceLayer: Send {
    /// Its name in settings, links and metrics.
    fn name(&self) -> &'static str;
    /// Serves until `stop`; then closes its links in good order and returns.
    fn run(
        self: Box<Self>,
        node: Handle,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClaError>> + Send>>;
}

/// Why a convergence layer gave up.
#[derive(Debug, thiserror::Error)]
pub enum ClaError {
    /// The address cannot be used.
    #[error("cannot listen on `{address}`: {cause}")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The node has gone away.
    #[error("the node has stopped")]
    NodeStopped,
    /// Anything else, in words.
    #[error("{0}")]
    Failed(String),
}
