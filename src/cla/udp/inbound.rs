//! The socket that listens. Bundles of whoever sends come in through one contact, which begins with a bundle
//! and ends when none has come for a while.

use std::time::Duration;

use bundle_spec::{Bundle, Lax};
use bytes::Bytes;
use rustix::net::sockopt;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::super::address::{DATAGRAM_BYTES_MAX, Road};
use crate::{
    agent::{CloseReason, LinkClass},
    limits::CONTROL_ADU_BYTES_MAX,
    node::mailbox::{Handle, LinkCommand, LinkPort, LinkReporter, Stopped, StoreError},
};

/// How long nothing comes until the contact is over.
const IDLE: Duration = Duration::from_secs(30);
/// How much the system shall keep while bundles are being stored, in bytes; it may keep less.
const WAITING_BYTES: usize = 4 * 1024 * 1024;

/// On which terms bundles come in.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// What is tolerated in them.
    pub(super) lax: Lax,
    /// Whether encryption is forbidden.
    pub(super) clear_only: bool,
}

/// Receives until `stop`.
pub(super) async fn serve(handle: Handle, terms: Terms, socket: UdpSocket, stop: CancellationToken) {
    if let Err(error) = sockopt::set_socket_recv_buffer_size(&socket, WAITING_BYTES) {
        debug!(%error, "a socket option was refused");
    }
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX + 1];
    let mut port: Option<LinkPort> = None;
    loop {
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = until_over(port.as_mut()) => None,
            received = socket.recv_from(&mut buffer) => Some(received),
            () = tokio::time::sleep(IDLE), if port.is_some() => None,
        };
        match received {
            Some(Ok((len, _))) => {
                let taken = take(&handle, terms, Bytes::copy_from_slice(&buffer[..len]), &mut port).await;
                if taken.is_err() {
                    return;
                }
            }
            Some(Err(error)) => debug!(%error, "a datagram could not be received"),
            None => close(&mut port).await,
        }
    }
    close(&mut port).await;
}

/// Until the agent has ended the contact. There is no way to say anything else of it to anybody.
async fn until_over(port: Option<&mut LinkPort>) {
    let Some(port) = port else { return std::future::pending().await };
    while port.commands.recv().await.is_some_and(|command| !matches!(command, LinkCommand::Close)) {}
}

async fn close(port: &mut Option<LinkPort>) {
    if let Some(port) = port.take() {
        // A node that has stopped needs no report.
        let _ = port.reporter.closed(CloseReason::Finished).await;
    }
}

/// Takes in the bundle of one datagram.
async fn take(
    handle: &Handle,
    Terms { lax, clear_only }: Terms,
    datagram: Bytes,
    port: &mut Option<LinkPort>,
) -> Result<(), Stopped> {
    let bundle = match Bundle::parse(datagram, &lax) {
        Ok(bundle) => bundle,
        Err(error) => {
            info!(%error, "a datagram is no bundle, or breaks a rule that `lax` does not waive");
            return Ok(());
        }
    };
    let port = match port {
        Some(port) => port,
        None => {
            let class = LinkClass { sends: false, clear_only, ..LinkClass::plain(Road::Udp.name()) };
            port.insert(handle.open_link(None, class).await?)
        }
    };
    store(handle, bundle, &port.reporter).await
}

async fn store(handle: &Handle, bundle: Bundle, reporter: &LinkReporter) -> Result<(), Stopped> {
    let Bundle { header, payload } = bundle;
    if let Err(reason) = reporter.admit(&header).await? {
        debug!(?reason, bundle = %header.bundle_id(), "not taken");
        return Ok(());
    }
    match handle.write_block(payload.clone()).await {
        Ok(block) => {
            let adu = (payload.len() <= CONTROL_ADU_BYTES_MAX).then(|| Bytes::copy_from_slice(&payload));
            reporter.received(header.detached(), block, adu).await
        }
        Err(StoreError::Full { .. }) => Ok(()),
        Err(error) => {
            warn!(%error, "a bundle could not be stored");
            Ok(())
        }
    }
}
