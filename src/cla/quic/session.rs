//! One contact over one connection: greeting, then bundles and words in both directions until one side is
//! done.
//!
//! The session is a loop that owns all state of the contact; readers and transfers are its tasks and tell it
//! what it must know. It never waits for the peer while something of the peer's waits to be heard: what goes
//! out has a writer of its own, and commands are taken only while that writer has room.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bundle_spec::{BundleDigest, BundleId};
use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    control,
    pulse::Pulse,
    receive::{self, Claim, Inlet, Reception},
    transmit::{self, Outlet, Sent, Transmission},
};
use crate::{
    agent::{CloseReason, Input, LinkClass, Outgoing, Refusal},
    cla::{
        buffers::Buffers,
        frame::{ANNOUNCEMENT_BYTES_MAX, Frame, Hello, PARTIALS_MAX},
        pace::Pace,
        partial::Partials,
    },
    node::mailbox::{Handle, LinkCommand, LinkPort, Stopped},
};

/// Codes with which streams and connections are closed (`bundle-spec/links.md`).
pub(super) mod code {
    use quinn::VarInt;

    /// Connection: done, in good order.
    pub(in crate::cla::quic) const FINISHED: VarInt = VarInt::from_u32(0);
    /// Connection: the peer broke the protocol.
    pub(in crate::cla::quic) const VIOLATION: VarInt = VarInt::from_u32(1);
    /// Connection: there is another one with this peer, or no room for more.
    pub(in crate::cla::quic) const SUPERSEDED: VarInt = VarInt::from_u32(2);
    /// Stream: the receiver takes no more of it.
    pub(in crate::cla::quic) const NOT_TAKEN: VarInt = VarInt::from_u32(16);
    /// Stream: the sender has called it off.
    pub(in crate::cla::quic) const CALLED_OFF: VarInt = VarInt::from_u32(17);
}

/// Frames and events that may wait for their reader.
const QUEUE_MAX: usize = 16;
/// How long good-byes may take.
const PARTING: Duration = Duration::from_secs(1);

/// What transfers and the control stream's reader tell the session.
pub(super) enum Event {
    /// The peer said something.
    Frame(Frame),
    /// A reception would begin.
    Claim(BundleDigest, oneshot::Sender<Claim>),
    /// A bundle goes out on the stream with this number.
    Opened(BundleDigest, u64),
}

/// What a task of the session came to.
enum Ended {
    Received(Reception),
    Sent(Transmission),
    /// The control stream is over.
    Control(CloseReason),
    /// The writer of the control stream is done.
    Written,
}

/// A greeted connection.
pub(super) struct Greeted {
    pub(super) connection: Connection,
    pub(super) send: SendStream,
    pub(super) receive: RecvStream,
    /// What the peer said.
    pub(super) hello: Hello,
}

/// A bundle under way to the peer.
struct Sending {
    bundle: BundleId,
    outgoing: Outgoing,
    abort: CancellationToken,
    /// The number of its stream, once it has one.
    stream: Option<u64>,
    pace: Pace,
}

struct Session {
    handle: Handle,
    connection: Connection,
    /// Whether the peer still says anything.
    pulse: Pulse,
    port: LinkPort,
    inlet: Inlet,
    outlet: Outlet,
    tasks: JoinSet<Ended>,
    /// Longest payload that the peer takes.
    payload_max: u64,
    sending: BTreeMap<BundleDigest, Sending>,
    receiving: BTreeSet<BundleDigest>,
    /// What is kept of receptions that were cut off.
    partials: Partials,
    /// What the peer keeps of transmissions that were cut off, oldest first.
    resumable: Vec<(BundleDigest, u64)>,
}

/// Serves a contact until one side is done; gives back what was received in part, and why the contact ended.
pub(super) async fn serve(
    handle: Handle,
    buffers: Buffers,
    greeted: Greeted,
    partials: Partials,
    stop: CancellationToken,
) -> (Partials, CloseReason) {
    let Greeted { connection, send, receive, hello } = greeted;
    let class = LinkClass { summaries: true, durable: true, ..LinkClass::plain("quic") };
    let Ok(port) = handle.open_link(Some(hello.node.clone()), class).await else {
        connection.close(code::FINISHED, b"the node has stopped");
        return (partials, CloseReason::Finished);
    };
    let (events, heard) = mpsc::channel(QUEUE_MAX);
    let (frames, outbox) = mpsc::channel(QUEUE_MAX);
    let store = Arc::clone(handle.store());
    let inlet = Inlet {
        store: Arc::clone(&store),
        buffers: buffers.clone(),
        reporter: port.reporter.clone(),
        frames,
        events: events.clone(),
    };
    let outlet = Outlet { connection: connection.clone(), store, buffers, events: events.clone() };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { Ended::Control(control::listen(receive, events).await) });
    tasks.spawn(async move {
        control::speak(send, outbox).await;
        Ended::Written
    });
    let session = Session {
        pulse: Pulse::new(handle.clock().now()),
        handle,
        connection,
        port,
        inlet,
        outlet,
        tasks,
        payload_max: hello.payload_max,
        sending: BTreeMap::new(),
        receiving: BTreeSet::new(),
        partials,
        resumable: hello.partials,
    };
    session.run(heard, stop).await
}

impl Session {
    async fn run(
        mut self,
        mut heard: mpsc::Receiver<Event>,
        stop: CancellationToken,
    ) -> (Partials, CloseReason) {
        let reason = loop {
            let frames = self.inlet.frames.clone();
            let connection = self.connection.clone();
            let clock = self.handle.clock().clone();
            let is_busy = !(self.sending.is_empty() && self.receiving.is_empty());
            let look = is_busy.then(|| self.pulse.due());
            let commands = &mut self.port.commands;
            // Commands are taken only while the peer takes our words.
            let command = async {
                let room = frames.reserve_owned().await.ok()?;
                Some((room, commands.recv().await))
            };
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => Err(CloseReason::Finished),
                Some(event) = heard.recv() => self.heard(event).await,
                Some(ended) = self.tasks.join_next() => self.ended(ended.expect("no task panics")).await,
                Some((room, command)) = command => match command {
                    Some(command) => self.commanded(room, command).await,
                    None => Err(CloseReason::Finished),
                },
                stream = connection.accept_uni() => match stream {
                    Ok(stream) => {
                        self.accepted(stream);
                        Ok(())
                    }
                    Err(error) => Err(reason_of(&error)),
                },
                () = clock.sleep_until(look) => self.looked(),
            };
            if let Err(reason) = step {
                break reason;
            }
        };
        self.part(reason, heard).await
    }

    /// Something is under way: whether the peer still lives.
    fn looked(&mut self) -> Result<(), CloseReason> {
        let heard = self.connection.stats().udp_rx.datagrams;
        match self.pulse.beats(self.handle.clock().now(), heard, self.connection.rtt()) {
            true => Ok(()),
            false => {
                debug!("the peer has fallen silent");
                Err(CloseReason::Lost)
            }
        }
    }

    /// Ends the contact: good-byes, then what has arrived in part is gathered.
    async fn part(
        mut self,
        reason: CloseReason,
        mut heard: mpsc::Receiver<Event>,
    ) -> (Partials, CloseReason) {
        debug!(?reason, "contact ends");
        if reason == CloseReason::Finished
            && self.connection.close_reason().is_none()
            && timeout(PARTING, self.say_bye(&mut heard)).await.is_err()
        {
            debug!("the peer did not wait for the good-bye");
        }
        drop(heard);
        // The writer ends when nobody can give it anything.
        self.inlet.frames = mpsc::channel(1).0;
        match reason {
            CloseReason::Violation => self.connection.close(code::VIOLATION, b"protocol violation"),
            CloseReason::Finished | CloseReason::Lost => self.connection.close(code::FINISHED, b""),
        }
        for sending in self.sending.values() {
            sending.abort.cancel();
        }
        while let Some(ended) = self.tasks.join_next().await {
            if let Ended::Received(reception) = ended.expect("no task panics") {
                self.gather(reception);
            }
        }
        // A node that has stopped needs no report.
        let _ = self.port.reporter.closed(reason).await;
        (self.partials, reason)
    }

    /// Says that this side is done, and hears what the peer still has to say.
    async fn say_bye(&mut self, heard: &mut mpsc::Receiver<Event>) {
        let (mut is_said, mut is_heard) = (false, false);
        if self.inlet.frames.send(Frame::Bye).await.is_err() {
            return;
        }
        while !(is_said && is_heard) {
            tokio::select! {
                biased;
                Some(event) = heard.recv() => {
                    if let Event::Frame(frame) = event {
                        // Whatever is wrong with it, the contact is over anyway.
                        let _ = self.told(frame).await;
                    }
                }
                Some(ended) = self.tasks.join_next() => match ended.expect("no task panics") {
                    Ended::Written => is_said = true,
                    Ended::Control(_) => is_heard = true,
                    Ended::Received(reception) => self.gather(reception),
                    Ended::Sent(_) => {}
                },
            }
        }
    }

    fn gather(&mut self, reception: Reception) {
        let Some(digest) = reception.claimed else { return };
        self.receiving.remove(&digest);
        if let Some(partial) = reception.partial {
            self.partials.put(self.handle.clock().now(), digest, *partial);
        }
    }

    fn accepted(&mut self, stream: RecvStream) {
        let inlet = self.inlet.clone();
        self.tasks.spawn(async move { Ended::Received(receive::receive(stream, inlet).await) });
    }

    async fn heard(&mut self, event: Event) -> Result<(), CloseReason> {
        match event {
            Event::Claim(digest, reply) => {
                let claim = if self.receiving.insert(digest) {
                    Claim::Go(self.partials.take(&digest).map(Box::new))
                } else {
                    Claim::Busy
                };
                // A reception that is gone already is gathered like any other.
                let _ = reply.send(claim);
                Ok(())
            }
            Event::Opened(digest, stream) => {
                if let Some(sending) = self.sending.get_mut(&digest) {
                    sending.stream = Some(stream);
                }
                Ok(())
            }
            Event::Frame(frame) => self.told(frame).await,
        }
    }

    /// The peer said `frame`.
    async fn told(&mut self, frame: Frame) -> Result<(), CloseReason> {
        let reporter = self.port.reporter.clone();
        let told = match frame {
            Frame::Announce(adu) => reporter.heard(adu).await,
            Frame::Stored(digest) => match self.sending.remove(&digest) {
                Some(sending) => {
                    if let Some((round_trip, rate)) =
                        sending.pace.measure(self.handle.clock().now(), self.connection.rtt())
                    {
                        reporter.measured(round_trip, rate).await.map_err(stopped)?;
                    }
                    reporter.transmitted(sending.bundle).await
                }
                None => Ok(()),
            },
            Frame::Refused(digest, reason) => match self.drop_sending(&digest) {
                Some(sending) => reporter.refused(sending.bundle, reason).await,
                None => Ok(()),
            },
            Frame::Unreadable(stream) => {
                let digest = self.sending.iter().find(|(_, sending)| sending.stream == Some(stream));
                match digest.map(|(digest, _)| *digest).and_then(|digest| self.drop_sending(&digest)) {
                    Some(sending) => reporter.refused(sending.bundle, Refusal::Malformed).await,
                    None => Ok(()),
                }
            }
            Frame::Partial(digest, offset) => {
                self.resumes(digest, offset);
                match self.drop_sending(&digest) {
                    Some(sending) => reporter.interrupted(sending.bundle, offset).await,
                    None => Ok(()),
                }
            }
            Frame::Bye => return Err(CloseReason::Finished),
            Frame::Unknown(kind) => {
                debug!(kind, "unknown frame");
                Ok(())
            }
            Frame::Hello(_) => return Err(CloseReason::Violation),
        };
        told.map_err(stopped)
    }

    fn drop_sending(&mut self, digest: &BundleDigest) -> Option<Sending> {
        let sending = self.sending.remove(digest)?;
        sending.abort.cancel();
        Some(sending)
    }

    /// The peer keeps `offset` bytes of a payload.
    fn resumes(&mut self, digest: BundleDigest, offset: u64) {
        self.resumable.retain(|(known, _)| *known != digest);
        self.resumable.push((digest, offset));
        if self.resumable.len() > PARTIALS_MAX {
            self.resumable.remove(0);
        }
    }

    async fn ended(&mut self, ended: Ended) -> Result<(), CloseReason> {
        match ended {
            Ended::Received(reception) => {
                self.gather(reception);
                Ok(())
            }
            Ended::Sent(Transmission { outcome: Sent::Whole | Sent::Stopped | Sent::CalledOff, .. }) => {
                Ok(())
            }
            Ended::Sent(Transmission { digest, outcome: Sent::Missing }) => {
                let Some(sending) = self.sending.remove(&digest) else { return Ok(()) };
                let lost = Input::BlockLost { cid: sending.outgoing.payload.cid };
                self.handle.input(lost).await.map_err(stopped)?;
                self.port.reporter.interrupted(sending.bundle, 0).await.map_err(stopped)
            }
            Ended::Control(reason) => Err(reason),
            Ended::Written => Err(CloseReason::Lost),
        }
    }

    async fn commanded(
        &mut self,
        room: mpsc::OwnedPermit<Frame>,
        command: LinkCommand,
    ) -> Result<(), CloseReason> {
        let frame = match command {
            LinkCommand::Transmit(outgoing) => return self.transmit(outgoing).await,
            LinkCommand::Abort(bundle) => {
                self.drop_sending(&bundle.digest());
                return Ok(());
            }
            LinkCommand::Announce(adu) if adu.len() > ANNOUNCEMENT_BYTES_MAX => {
                warn!(bytes = adu.len(), "an announcement is too long for this link");
                return Ok(());
            }
            LinkCommand::Announce(adu) => Frame::Announce(adu),
            LinkCommand::Acknowledge(bundle) => Frame::Stored(bundle.digest()),
            LinkCommand::Refuse(bundle, reason) => Frame::Refused(bundle.digest(), reason),
            LinkCommand::Close => return Err(CloseReason::Finished),
        };
        room.send(frame);
        Ok(())
    }

    async fn transmit(&mut self, outgoing: Outgoing) -> Result<(), CloseReason> {
        let (bundle, digest) = (outgoing.bundle.clone(), outgoing.bundle.digest());
        if outgoing.payload.len > self.payload_max {
            return self.port.reporter.refused(bundle, Refusal::TooLarge).await.map_err(stopped);
        }
        if self.sending.contains_key(&digest) {
            debug!(%bundle, "under way already");
            return Ok(());
        }
        // Only the peer knows what it has kept.
        let kept = self.resumable.iter().position(|(known, _)| *known == digest);
        let offset = kept.map_or(0, |at| self.resumable.remove(at).1);
        let offset = if offset <= outgoing.payload.len { offset } else { 0 };
        let abort = CancellationToken::new();
        let pace = Pace::begin(self.handle.clock().now(), outgoing.payload.len - offset);
        let sending =
            Sending { bundle, outgoing: outgoing.clone(), abort: abort.clone(), stream: None, pace };
        self.sending.insert(digest, sending);
        let outlet = self.outlet.clone();
        self.tasks
            .spawn(async move { Ended::Sent(transmit::transmit(outgoing, offset, outlet, abort).await) });
        Ok(())
    }
}

/// Why a connection is over.
pub(super) fn reason_of(error: &ConnectionError) -> CloseReason {
    match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == code::VIOLATION => {
            CloseReason::Violation
        }
        ConnectionError::ApplicationClosed(_) | ConnectionError::LocallyClosed => CloseReason::Finished,
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::CidsExhausted => CloseReason::Lost,
    }
}

fn stopped(_: Stopped) -> CloseReason {
    CloseReason::Finished
}
