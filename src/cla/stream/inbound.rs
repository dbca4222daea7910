//! One connection that somebody has made to us: bundles come in, nothing goes out.
//!
//! Who is there is not known. A contact begins with the first bundle, so that whoever only knocks is none.

use std::sync::Arc;

use bundle_spec::{Header, Lax};
use tokio::{io::AsyncRead, net::TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    Framing,
    inflow::{Ended, Inflow},
    intake::{Failed, take_in},
};
use crate::{
    agent::{CloseReason, LinkClass},
    cla::partial::Spoiled,
    node::mailbox::{Handle, LinkCommand, LinkPort, LinkReporter, Stopped, Store, StoreError},
};

/// On which terms bundles come in.
pub(super) struct Terms {
    /// What is tolerated in them.
    pub(super) lax: Lax,
    /// Whether encryption is forbidden.
    pub(super) clear_only: bool,
}

/// Serves a connection until one side is done.
pub(super) async fn serve(
    handle: Handle,
    framing: &'static dyn Framing,
    Terms { lax, clear_only }: Terms,
    stream: TcpStream,
    stop: CancellationToken,
) {
    let mut inflow = Inflow::new(stream);
    let first = tokio::select! {
        biased;
        () = stop.cancelled() => return,
        first = next_header(&mut inflow, framing, lax) => first,
    };
    let first = match first {
        Ok(first) => first,
        Err(ended) => {
            debug!(?ended, "a connection came to nothing");
            return;
        }
    };
    let class = LinkClass { sends: false, clear_only, ..LinkClass::plain(framing.road().name()) };
    let Ok(port) = handle.open_link(None, class).await else { return };
    let LinkPort { mut commands, reporter, .. } = port;
    let reason = tokio::select! {
        biased;
        () = stop.cancelled() => CloseReason::Finished,
        // There is no way to say any of this to the peer.
        () = async { while commands.recv().await.is_some_and(|command| !is_close(&command)) {} } => {
            CloseReason::Finished
        }
        reason = receive_all(&mut inflow, first, (framing, lax), &reporter, handle.store()) => reason,
    };
    debug!(?reason, "contact over");
    // A node that has stopped needs no report.
    let _ = reporter.closed(reason).await;
}

fn is_close(command: &LinkCommand) -> bool {
    matches!(command, LinkCommand::Close)
}

/// The header of the next bundle. Units without one are passed over; empty ones are signs of life.
async fn next_header<R: AsyncRead + Unpin>(
    inflow: &mut Inflow<R>,
    framing: &dyn Framing,
    lax: Lax,
) -> Result<Header, Ended> {
    loop {
        if inflow.begin(framing).await? == 0 {
            continue;
        }
        match inflow.header(&lax).await? {
            Some(header) => return Ok(header),
            None => inflow.skip().await?,
        }
    }
}

/// Receives bundles until the stream ends, the one behind `header` first.
async fn receive_all<R: AsyncRead + Unpin>(
    inflow: &mut Inflow<R>,
    mut header: Header,
    (framing, lax): (&dyn Framing, Lax),
    reporter: &LinkReporter,
    store: &Arc<dyn Store>,
) -> CloseReason {
    loop {
        let next = match receive(inflow, header, reporter, store).await {
            Ok(()) => next_header(inflow, framing, lax).await,
            Err(ended) => Err(ended),
        };
        match next {
            Ok(next) => header = next,
            Err(Ended::Finished) => return CloseReason::Finished,
            Err(Ended::Lost) => return CloseReason::Lost,
            Err(Ended::Violation) => return CloseReason::Violation,
        }
    }
}

/// Receives the bundle behind `header`. What is not taken is passed over: what follows may be.
async fn receive<R: AsyncRead + Unpin>(
    inflow: &mut Inflow<R>,
    header: Header,
    reporter: &LinkReporter,
    store: &Arc<dyn Store>,
) -> Result<(), Ended> {
    match reporter.admit(&header).await.map_err(finished)? {
        Ok(()) => {}
        Err(reason) => {
            debug!(?reason, bundle = %header.bundle_id(), "not taken");
            return inflow.skip().await;
        }
    }
    match take_in(inflow, &header, store).await {
        Ok((payload, adu)) => reporter.received(header, payload, adu).await.map_err(finished),
        Err(Failed::Ended(ended)) => Err(ended),
        Err(Failed::Spoiled(Spoiled::Damaged(error))) => {
            debug!(%error, "a bundle was damaged");
            Ok(())
        }
        Err(Failed::Spoiled(Spoiled::Store(error))) => {
            if !matches!(error, StoreError::Full { .. }) {
                warn!(%error, "a bundle could not be stored");
            }
            inflow.skip().await
        }
    }
}

fn finished(_: Stopped) -> Ended {
    Ended::Finished
}
