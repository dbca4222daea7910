//! One connection that we have made: bundles go out in order, nothing comes back.
//!
//! A bundle counts as transmitted once the kernel has taken all of it. That says nothing of the peer, so no
//! copy is ever given up for it.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Framing, PARTING, STALL};
use crate::{
    agent::{CloseReason, Input, LinkClass, Outgoing, Refusal},
    cla::{
        address::PeerAddress,
        offload::offload,
        source::{Failed, Source},
        waiting::Waiting,
    },
    node::mailbox::{Handle, LinkCommand, LinkPort, LinkReporter, Stopped, Store},
};

/// How many bytes are kept free for what stands around a payload where a unit has a limit.
const AROUND_PAYLOAD: u64 = 128 * 1024;

/// Serves a connection until one side is done; why it ended.
pub(super) async fn serve(
    handle: Handle,
    framing: &'static dyn Framing,
    address: &PeerAddress,
    stream: TcpStream,
    stop: CancellationToken,
) -> CloseReason {
    let payload_max = Some(framing.unit_max()).filter(|max| *max < u64::MAX);
    let class = LinkClass {
        payload_max: payload_max.map(|max| max - AROUND_PAYLOAD),
        clear_only: address.clear_only(),
        ..LinkClass::plain(framing.road().name())
    };
    let Ok(LinkPort { commands, reporter, .. }) = handle.open_link(address.node(), class).await else {
        return CloseReason::Finished;
    };
    let (read, write) = stream.into_split();
    let store = Arc::clone(handle.store());
    let mut session =
        Session { handle, framing, store, reporter, commands, write, waiting: Waiting::default() };
    let reason = tokio::select! {
        biased;
        reason = session.run(stop) => reason,
        () = until_closed(read) => CloseReason::Lost,
    };
    debug!(?reason, "contact over");
    if reason == CloseReason::Finished {
        // Whether the peer still hears it makes no difference to us.
        let _ = timeout(PARTING, session.write.shutdown()).await;
    }
    // A node that has stopped needs no report.
    let _ = session.reporter.closed(reason).await;
    reason
}

/// What a peer says on a one way stream is not listened to; that it goes, is noticed.
async fn until_closed(mut read: OwnedReadHalf) {
    let mut buffer = [0; 512];
    while read.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

struct Session {
    handle: Handle,
    framing: &'static dyn Framing,
    store: Arc<dyn Store>,
    reporter: LinkReporter,
    commands: mpsc::Receiver<LinkCommand>,
    write: OwnedWriteHalf,
    /// Bundles that wait for the one that is under way.
    waiting: Waiting,
}

/// Why a transmission came to nothing.
enum Unsent {
    /// Nothing of it was written: the stream goes on.
    Before(Failed),
    /// Some of it was written, so that nothing can follow it.
    Within,
}

impl Session {
    async fn run(&mut self, stop: CancellationToken) -> CloseReason {
        loop {
            let step = match self.waiting.next() {
                Some(outgoing) => self.transmit(outgoing, &stop).await,
                None => tokio::select! {
                    biased;
                    () = stop.cancelled() => Err(CloseReason::Finished),
                    command = self.commands.recv() => self.waiting.note(command),
                },
            };
            if let Err(reason) = step {
                return reason;
            }
        }
    }

    /// Sends one bundle and hears commands meanwhile.
    async fn transmit(&mut self, outgoing: Outgoing, stop: &CancellationToken) -> Result<(), CloseReason> {
        let (bundle, cid) = (outgoing.bundle.clone(), outgoing.payload.cid);
        let writing = write_bundle(&mut self.write, outgoing, self.framing, Arc::clone(&self.store));
        tokio::pin!(writing);
        let mut ends = None;
        let sent = loop {
            tokio::select! {
                biased;
                sent = &mut writing => break sent,
                () = stop.cancelled() => {
                    // What is under way may end, but not wait for ever.
                    break timeout(PARTING, &mut writing).await.unwrap_or(Err(Unsent::Within));
                }
                command = self.commands.recv(), if ends.is_none() => {
                    ends = self.waiting.note(command).err();
                }
            }
        };
        match sent {
            Ok(()) => self.reporter.transmitted(bundle).await.map_err(stopped)?,
            Err(Unsent::Within) => return Err(CloseReason::Lost),
            Err(Unsent::Before(Failed::TooLarge)) => {
                self.reporter.refused(bundle, Refusal::TooLarge).await.map_err(stopped)?;
            }
            Err(Unsent::Before(failed)) => {
                warn!(error = %failed, "a payload cannot be read");
                self.handle.input(Input::BlockLost { cid }).await.map_err(stopped)?;
                self.reporter.interrupted(bundle, 0).await.map_err(stopped)?;
            }
        }
        match ends {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }
}

async fn write_bundle(
    write: &mut OwnedWriteHalf,
    outgoing: Outgoing,
    framing: &'static dyn Framing,
    store: Arc<dyn Store>,
) -> Result<(), Unsent> {
    let opened = offload(move || {
        let mut source = Source::open(&store, &outgoing, framing.unit_max(), |len| framing.head(len))?;
        let first = source.next()?.expect("a bundle has at least one piece");
        Ok((source, first))
    });
    let (mut source, mut piece) = opened.await.map_err(Unsent::Before)?;
    loop {
        // The next piece is read from the store while this one goes out.
        let reading = offload(move || {
            let next = source.next();
            (source, next)
        });
        let (written, (advanced, next)) = tokio::join!(write_piece(write, &piece), reading);
        written.map_err(|_| Unsent::Within)?;
        let Some(next) = next.map_err(|_| Unsent::Within)? else { return Ok(()) };
        (source, piece) = (advanced, next);
    }
}

async fn write_piece(write: &mut OwnedWriteHalf, piece: &[u8]) -> std::io::Result<()> {
    let mut written = 0;
    while written < piece.len() {
        match timeout(STALL, write.write(&piece[written..])).await {
            Ok(Ok(0)) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(Ok(more)) => written += more,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
    Ok(())
}

fn stopped(_: Stopped) -> CloseReason {
    CloseReason::Finished
}
