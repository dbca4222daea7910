//! Keeps one configured peer in reach: dials, serves, pauses, dials again.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tracing::{debug, info};

use super::{Framing, outbound, socket};
use crate::{
    cla::{address::PeerAddress, backoff::Backoff, keepers::Charge},
    node::mailbox::Handle,
};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Keeps a peer in reach until told to stop.
pub(super) async fn keep(handle: Handle, framing: &'static dyn Framing, charge: Charge<PeerAddress>) {
    let Charge { peer: address, stop, redial } = charge;
    let mut backoff = Backoff::new();
    let node = address.node();
    while !stop.is_cancelled() {
        let attempt = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            attempt = connect(&address) => attempt,
        };
        match attempt {
            Ok(stream) => {
                info!(road = framing.road().name(), "dialled");
                socket::prepare(&stream);
                let began = handle.clock().now();
                outbound::serve(handle.clone(), framing, &address, stream, stop.clone()).await;
                // Whoever hangs up at once is not dialled at once.
                if handle.clock().now().since(began) >= Backoff::FIRST {
                    backoff.reset();
                }
            }
            Err(error) => debug!(%error, "dialling failed"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = backoff.rest(&handle, node.as_ref()) => {}
            () = redial.notified() => backoff.reset(),
        }
    }
}

async fn connect(address: &PeerAddress) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let places = tokio::net::lookup_host((address.host(), address.port())).await?;
    for place in places.take(ADDRESSES_MAX) {
        match timeout(ATTEMPT, TcpStream::connect(place)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}
