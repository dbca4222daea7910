//! STCP, the simple TCP convergence layer of ION and HDTN: every bundle follows its length, four bytes in
//! network order. `stream` does the rest.

use std::{future::Future, net::SocketAddr, pin::Pin};

use bundle_spec::Lax;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    ClaError, ConvergenceLayer,
    address::{PeerAddress, Road},
    stream::{Framing, NoHead, Streams},
};
use crate::node::mailbox::Handle;

/// The convergence layer `stcp`.
pub struct Stcp {
    /// Where it listens; without, it only dials.
    pub listen: Option<SocketAddr>,
    /// What is tolerated in bundles that come in.
    pub lax: Lax,
    /// Peers that are kept in reach.
    pub peers: watch::Receiver<Vec<PeerAddress>>,
    /// Told where it listens, once it does.
    pub bound: watch::Sender<Option<SocketAddr>>,
}

impl ConvergenceLayer for Stcp {
    fn name(&self) -> &'static str {
        Road::Stcp.name()
    }

    fn run(
        self: Box<Self>,
        node: Handle,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClaError>> + Send>> {
        let Self { listen, lax, peers, bound } = *self;
        Box::pin(Streams { framing: &Prefix, listen, lax, peers, bound }.serve(node, stop))
    }
}

/// A bundle follows its length.
pub(super) struct Prefix;

impl Framing for Prefix {
    fn road(&self) -> Road {
        Road::Stcp
    }

    fn unit_max(&self) -> u64 {
        u32::MAX.into()
    }

    fn head(&self, len: u64) -> Vec<u8> {
        u32::try_from(len).expect("no unit is longer than it may be").to_be_bytes().to_vec()
    }

    fn read_head(&self, bytes: &[u8]) -> Result<Option<(u64, usize)>, NoHead> {
        Ok(bytes.first_chunk().map(|len| (u32::from_be_bytes(*len).into(), 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_reads_back_from_its_head() {
        for len in [0, 1, 255, 65_536, u32::MAX.into()] {
            let head = Prefix.head(len);
            assert_eq!(Prefix.read_head(&head), Ok(Some((len, 4))));
            assert_eq!(Prefix.read_head(&head[..3]), Ok(None));
        }
        assert_eq!(Prefix.head(0x0102_0304), [1, 2, 3, 4]);
    }
}
