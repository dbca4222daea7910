//! Drives one session on a wire: reads, writes, asks the agent, feeds receptions.
//!
//! It owns all state of the contact that is not the session's; receptions and the writer are its tasks. It
//! reads no more while a reception does not keep up, and never waits for the peer: what goes out has a writer
//! of its own, and a peer that lets too much pile up there is cut off.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bundle_spec::{BundleDigest, NodeId};
use bytes::BytesMut;
use tokio::{
    sync::{mpsc, oneshot},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::sending::Sending;
use super::{
    codec::{DecodeError, Unit},
    contact::{Expectation, Wire},
    desk::{Desk, Road, Who},
    dialect::{Dialect, Heard, Source},
    lax::Lax,
    message::{Init, Message, TerminateCode, TransferId},
    receive::{Claim, Feed, Inlet, Outcome, Reception},
    secure::{IdentityError, Proof},
    session::{Output, Peer, Session, Terms},
    transmit::{Word, Writer, Wrote},
};
use crate::{
    agent::{CloseReason, LinkClass},
    cla::{
        frame::{Frame, Hello},
        partial::Partials,
        roster::{ConnectionId, Newcomer},
        seats::Ask,
    },
    limits::PAYLOAD_BYTES_MAX,
    node::mailbox::{LinkCommand, LinkPort, Time},
};

mod receiving;
mod sending;

/// Pieces of data that may wait for a reception.
const FEED_MAX: usize = 8;
/// Receptions at a time; more wait on the wire.
const RECEPTIONS_MAX: usize = 32;
/// Words that may wait for the writer. A peer that acknowledges nothing and reads nothing is cut off there.
const WORDS_MAX: usize = 32_768;
/// Up to so many the agent's commands are taken.
const WORDS_EASY: usize = 256;
/// Claims and reports that may wait.
const QUEUE_MAX: usize = 16;
/// After so many seconds without a word a session is over in twice the time.
const KEEPALIVE_SECONDS: u16 = 15;
/// Longest data of a segment that is taken, in bytes.
const SEGMENT_MRU: u64 = 1024 * 1024;
/// What is kept free in a transfer for what is not payload, in bytes.
const HEADER_ALLOWANCE: u64 = 1024;
/// From this length on a limit is none.
const UNLIMITED: u64 = 1 << 60;
/// How long the last words may take once a node stops.
const PARTING: Duration = Duration::from_secs(1);
/// How long a seat may take: until another session with the same peer has ended.
const SEATING: Duration = Duration::from_secs(12);

/// What became of a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cla) enum Contact {
    /// There was a contact with this node; it is over.
    Held(NodeId),
    /// There is another session with this node.
    Elsewhere(NodeId),
    /// The peer breaks the protocol, or is not believed.
    Refused,
    /// The peer said nothing behind its greeting, or not even that; `is_known` says whether it greeted.
    Mute {
        /// Whether it greeted as something else than a node of pannier.
        is_known: bool,
    },
}

/// What a task of the session came to.
enum Ended {
    Received(Reception),
    /// The writer is done.
    Written,
}

/// An open contact.
struct Link {
    port: LinkPort,
    inlet: Inlet,
    peer: Peer,
    /// Longest payload that a node of pannier takes.
    payload_max: u64,
}

struct Drive {
    desk: Desk,
    id: ConnectionId,
    expectation: Expectation,
    proof: Proof,
    round_trip: Duration,
    session: Session,
    dialect: Box<dyn Dialect>,
    words: mpsc::Sender<Word>,
    claims: mpsc::Sender<Claim>,
    tasks: JoinSet<Ended>,
    /// Who has the seat, or waits for it.
    who: Option<Who>,
    link: Option<Link>,
    /// What has come of transfers that may be short.
    gathering: BTreeMap<TransferId, BytesMut>,
    /// How receptions get their data.
    feeds: BTreeMap<TransferId, mpsc::Sender<Feed>>,
    /// What waits until a reception has room for it.
    stalled: VecDeque<(TransferId, Feed)>,
    /// Bundles that come, or have come and wait for the agent's word.
    receiving: BTreeMap<BundleDigest, TransferId>,
    /// How many receptions run.
    receptions: usize,
    sending: BTreeMap<TransferId, Sending>,
    /// What is kept of receptions that were cut off.
    partials: Partials,
    /// What the peer keeps of transmissions that were cut off, oldest first.
    resumable: Vec<(BundleDigest, u64)>,
    /// Whether the peer said more than its greeting.
    is_heard: bool,
    /// Cancelled when another session with this peer waits for the seat: then this one is over at once,
    /// because a peer that dials again has given it up.
    evicted: CancellationToken,
    /// Ends the writer without its last words.
    writer: AbortHandle,
}

/// Holds a session on `wire` until one side is done.
pub(in crate::cla) async fn serve(
    desk: &Desk,
    wire: Wire,
    expectation: Expectation,
    stop: CancellationToken,
) -> Contact {
    let Wire { source, outlet, dialect, proof, is_clear, round_trip } = wire;
    let (words, outbox) = mpsc::channel(WORDS_MAX);
    let (wrote, written) = mpsc::channel(QUEUE_MAX);
    let (claims, claimed) = mpsc::channel(QUEUE_MAX);
    let mut tasks = JoinSet::new();
    let writer = Writer::new(desk.handle.store().clone(), outlet, wrote);
    let writer = tasks.spawn(async move {
        writer.run(outbox).await;
        Ended::Written
    });
    let session = Session::new(desk.handle.clock().now(), terms(desk, &expectation, is_clear));
    let drive = Drive {
        desk: desk.clone(),
        id: desk.next_id(),
        expectation,
        proof,
        round_trip,
        session,
        dialect,
        words,
        claims,
        tasks,
        who: None,
        link: None,
        gathering: BTreeMap::new(),
        feeds: BTreeMap::new(),
        stalled: VecDeque::new(),
        receiving: BTreeMap::new(),
        receptions: 0,
        sending: BTreeMap::new(),
        partials: Partials::default(),
        resumable: Vec::new(),
        is_heard: false,
        evicted: CancellationToken::new(),
        writer,
    };
    drive.run(source, written, claimed, stop).await
}

/// What this node says of itself.
fn terms(desk: &Desk, expectation: &Expectation, is_clear: bool) -> Terms {
    let node = desk.handle.node_id().clone();
    let init = Init {
        keepalive_seconds: KEEPALIVE_SECONDS,
        segment_mru: SEGMENT_MRU,
        transfer_mru: PAYLOAD_BYTES_MAX + 2 * u64::try_from(bundle_spec::HEADER_BYTES_MAX).expect("64 KiB"),
        node: node.to_string(),
        extensions: Vec::new(),
    };
    let hello = Frame::Hello(Hello { node, payload_max: PAYLOAD_BYTES_MAX, partials: Vec::new() });
    let greets = expectation.greets && !expectation.lax.no_extensions;
    Terms {
        init,
        // Without its length: an extension item has its own.
        hello: greets.then(|| hello.encode().slice(4..)),
        is_dialler: expectation.is_dialler,
        lax: expectation.lax,
        is_serial: expectation.is_serial,
        is_clear,
    }
}

/// What wakes the drive.
#[expect(clippy::large_enum_variant, reason = "most steps are commands and reads, and they are moved once")]
enum Step {
    Stop,
    Evicted,
    Claim(Claim),
    Wrote(Wrote),
    Ended(Ended),
    Command(Option<LinkCommand>),
    Deadline,
    /// So many bytes were read.
    Read(std::io::Result<usize>),
    /// A reception has room, or is gone.
    Room(TransferId, Result<mpsc::OwnedPermit<Feed>, mpsc::error::SendError<()>>),
}

impl Drive {
    async fn run(
        mut self,
        mut source: Source,
        mut written: mpsc::Receiver<Wrote>,
        mut claimed: mpsc::Receiver<Claim>,
        stop: CancellationToken,
    ) -> Contact {
        let mut stopping = None;
        let reason = loop {
            if let Err(reason) = self.follow(&stop).await {
                break reason;
            }
            if self.may_read() && self.hear(&mut source) {
                continue;
            }
            let step = self.wait(&mut source, &mut written, &mut claimed, stopping, &stop);
            let step = step.await;
            if let Step::Stop = step {
                if stopping.is_some() {
                    break CloseReason::Finished;
                }
                stopping = Some(self.now() + PARTING);
            }
            if let Err(reason) = self.stepped(step).await {
                break reason;
            }
        };
        drop(source);
        self.part(reason, claimed, written).await
    }

    fn now(&self) -> Time {
        self.desk.handle.clock().now()
    }

    /// Whether receptions keep up with the wire.
    fn may_read(&self) -> bool {
        self.stalled.is_empty() && self.receptions < RECEPTIONS_MAX
    }

    /// Takes one unit of what has come; whether there was one.
    fn hear(&mut self, source: &mut Source) -> bool {
        let now = self.now();
        let Some(mut heard) = source.next() else { return false };
        self.dialect.hear(&mut heard);
        let Heard { lane, unit, .. } = heard;
        match unit {
            Ok(Unit::Message(message)) => {
                self.is_heard |= self.link.is_some();
                if let Message::Terminate { code, .. } = &message {
                    debug!(code = code.0, "the peer ends the session");
                }
                self.session.handle_message(now, lane, message);
            }
            Ok(Unit::Data(data)) => self.session.handle_data(now, lane, data),
            Err(error) => {
                debug!(%error, "unreadable");
                let kind = match error {
                    DecodeError::Kind(kind) | DecodeError::Misplaced(kind) => Some(kind),
                    _ => None,
                };
                self.session.handle_unreadable(now, kind);
            }
        }
        true
    }

    /// Waits for exactly one thing.
    async fn wait(
        &mut self,
        source: &mut Source,
        written: &mut mpsc::Receiver<Wrote>,
        claimed: &mut mpsc::Receiver<Claim>,
        stopping: Option<Time>,
        stop: &CancellationToken,
    ) -> Step {
        let may_read = self.may_read();
        let is_easy = self.words.capacity() + WORDS_EASY >= WORDS_MAX;
        let room = self.stalled.front().map(|(transfer, _)| *transfer);
        let sender = room.and_then(|transfer| self.feeds.get(&transfer).cloned());
        let room = async {
            match (room, sender) {
                (Some(transfer), Some(sender)) => Step::Room(transfer, sender.reserve_owned().await),
                (Some(transfer), None) => Step::Room(transfer, Err(mpsc::error::SendError(()))),
                (None, _) => std::future::pending().await,
            }
        };
        let link = self.link.as_mut().filter(|_| is_easy);
        let command = async {
            match link {
                Some(link) => link.port.commands.recv().await,
                None => std::future::pending().await,
            }
        };
        let clock = self.desk.handle.clock().clone();
        let deadline = self.session.next_deadline();
        let halted = async {
            match stopping {
                Some(until) => clock.sleep_until(Some(until)).await,
                None => stop.cancelled().await,
            }
        };
        tokio::select! {
            biased;
            () = halted => Step::Stop,
            () = self.evicted.cancelled() => Step::Evicted,
            Some(claim) = claimed.recv() => Step::Claim(claim),
            Some(wrote) = written.recv() => Step::Wrote(wrote),
            Some(ended) = self.tasks.join_next() => Step::Ended(ended.expect("no task panics")),
            step = room => step,
            () = clock.sleep_until(deadline) => Step::Deadline,
            command = command => Step::Command(command),
            read = source.read(), if may_read => Step::Read(read),
        }
    }

    async fn stepped(&mut self, step: Step) -> Result<(), CloseReason> {
        let now = self.now();
        match step {
            Step::Stop => self.session.handle_end(now, TerminateCode::UNKNOWN),
            Step::Evicted => return Err(CloseReason::Lost),
            Step::Claim(claim) => self.claimed(claim),
            Step::Wrote(wrote) => return self.wrote(wrote).await,
            Step::Ended(Ended::Received(reception)) => self.received(reception).await,
            Step::Ended(Ended::Written) => return Err(CloseReason::Lost),
            Step::Command(Some(command)) => return self.commanded_all(command).await,
            Step::Command(None) => return Err(CloseReason::Finished),
            Step::Deadline => {
                if !self.may_read() {
                    self.session.handle_deafness(now);
                }
                self.session.handle_deadline(now);
            }
            Step::Room(transfer, room) => self.fed(transfer, room),
            Step::Read(Ok(1..)) => {}
            Step::Read(Ok(0) | Err(_)) => {
                let is_over = self.link.is_some() && !self.session.may_begin();
                return Err(if is_over { CloseReason::Finished } else { CloseReason::Lost });
            }
        }
        Ok(())
    }

    /// Does what the session wants done.
    async fn follow(&mut self, stop: &CancellationToken) -> Result<(), CloseReason> {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Say(message) => self.say(message)?,
                Output::Opened(peer) => self.opened(*peer, stop).await,
                Output::Began { transfer, resume, is_whole } => self.began(transfer, resume, is_whole),
                Output::Arrived(transfer, data) => self.arrived(transfer, data),
                Output::Ended(transfer) => self.ended(transfer).await?,
                Output::Delivered(transfer) => self.delivered(transfer).await?,
                Output::Refused(transfer, code) => self.was_refused(transfer, code).await?,
                Output::Heard(frame) => self.told(&frame).await?,
                Output::Close(reason) => return Err(reason),
            }
        }
        Ok(())
    }

    fn say(&mut self, message: Message) -> Result<(), CloseReason> {
        match message {
            Message::Segment(segment) => self.segment(segment),
            Message::Init(_)
            | Message::Ack(_)
            | Message::Refuse { .. }
            | Message::Keepalive
            | Message::Terminate { .. }
            | Message::Reject { .. }
            | Message::Frame(_)
            | Message::Carried { .. } => {
                let (lane, bytes) = self.dialect.say(&message);
                self.word(Word::Say(lane, bytes))
            }
        }
    }

    /// Gives the writer a word. When too many wait, the peer does not read.
    fn word(&mut self, word: Word) -> Result<(), CloseReason> {
        self.words.try_send(word).map_err(|error| {
            debug!(%error, "the peer does not read what it is told");
            CloseReason::Lost
        })
    }

    /// The peer has greeted: whether it is believed, and has a seat, is seen to here.
    async fn opened(&mut self, peer: Peer, stop: &CancellationToken) {
        match self.introduce(&peer) {
            Ok((who, payload_max)) => {
                if !self.sit(who, payload_max, peer, stop).await {
                    let now = self.now();
                    self.session.handle_rejection(now, TerminateCode::BUSY);
                }
            }
            Err(error) => {
                warn!(%error, "a peer was refused");
                let now = self.now();
                self.session.handle_rejection(now, TerminateCode::CONTACT_FAILURE);
            }
        }
    }

    /// Who the peer is, if it may be that.
    fn introduce(&self, peer: &Peer) -> Result<(Who, u64), IdentityError> {
        let text = &peer.init.node;
        let node: NodeId =
            text.parse().map_err(|_| IdentityError::NoNode(text.chars().take(80).collect()))?;
        if node == *self.desk.handle.node_id() {
            return Err(IdentityError::Myself);
        }
        if let Some(expected) = self.expectation.node.clone().filter(|expected| *expected != node) {
            return Err(IdentityError::Unexpected { node, expected });
        }
        let key = self.proof.check(self.expectation.policy, &node)?;
        let (road, payload_max) = match &peer.hello {
            None if self.expectation.is_dialler => (Road::Ours, u64::MAX),
            None => (Road::Theirs, u64::MAX),
            Some(hello) => match Frame::decode(hello) {
                Ok(Frame::Hello(hello)) if hello.node == node => (Road::Kin, hello.payload_max),
                Ok(_) | Err(_) => return Err(IdentityError::Hello(node)),
            },
        };
        Ok((Who { node, key, road }, payload_max))
    }

    /// Takes a seat at the endpoint and opens the contact; whether there was one.
    async fn sit(&mut self, who: Who, payload_max: u64, peer: Peer, stop: &CancellationToken) -> bool {
        let (seat, seated) = oneshot::channel();
        let me = Who { node: self.desk.handle.node_id().clone(), key: None, road: who.road };
        let dialler = if self.expectation.is_dialler { me } else { who.clone() };
        let newcomer = Newcomer { id: self.id, peer: who.clone(), dialler };
        let asks = self.desk.asks.clone();
        if asks.send(Ask::Enter { newcomer, stop: self.evicted.clone(), seat }).await.is_err() {
            return false;
        }
        self.who = Some(who.clone());
        let granted = tokio::select! {
            granted = timeout(SEATING, seated) => granted.ok().and_then(Result::ok),
            () = stop.cancelled() => None,
            () = self.evicted.cancelled() => None,
        };
        let Some(partials) = granted else { return false };
        self.partials = partials;
        if who.road == Road::Kin && who.key.is_some() {
            let (may, answer) = oneshot::channel();
            let ask = Ask::Name { peer: who.clone(), name: who.node.clone(), may };
            if asks.send(ask).await.is_err() || !answer.await.unwrap_or(false) {
                warn!(
                    "a peer calls itself as another one does that is connected; give one of them another name"
                );
                return false;
            }
        }
        self.open(who, payload_max, peer).await
    }

    async fn open(&mut self, who: Who, payload_max: u64, peer: Peer) -> bool {
        let is_kin = who.road == Road::Kin;
        let room = peer.init.transfer_mru.saturating_sub(HEADER_ALLOWANCE).min(payload_max);
        let class = LinkClass {
            summaries: is_kin,
            batches: is_kin && !self.expectation.is_serial,
            durable: !peer.lax.early_ack,
            payload_max: (!peer.lax.transfer_mru && room < UNLIMITED).then_some(room),
            clear_only: self.expectation.clear_only,
            ..LinkClass::plain(self.dialect.name())
        };
        if peer.lax == Lax::dtn7() {
            info!(node = %who.node, "a dtn7-rs peer: what it acknowledges is handed over, not stored");
        }
        let Ok(port) = self.desk.handle.open_link(Some(who.node), class).await else { return false };
        let inlet = Inlet {
            store: self.desk.handle.store().clone(),
            reporter: port.reporter.clone(),
            claims: self.claims.clone(),
            lax: peer.lax.bundles(),
            resumes: is_kin,
        };
        self.link = Some(Link { port, inlet, peer, payload_max });
        // Before anything else is said: the peer may go on with these.
        let now = self.now();
        for (digest, len) in self.partials.offers() {
            self.session.handle_frame(now, Frame::Partial(digest, len).encode());
        }
        true
    }

    /// Ends the contact: last words, then what has arrived in part is gathered.
    async fn part(
        mut self,
        reason: CloseReason,
        mut claimed: mpsc::Receiver<Claim>,
        mut written: mpsc::Receiver<Wrote>,
    ) -> Contact {
        debug!(?reason, "session ends");
        written.close();
        // Receptions end with what they have.
        self.feeds.clear();
        self.stalled.clear();
        // The writer ends when nobody can give it anything.
        self.words = mpsc::channel(1).0;
        if self.evicted.is_cancelled() {
            self.writer.abort();
        }
        if timeout(PARTING, self.gather_all(&mut claimed)).await.is_err() {
            debug!("the peer does not take the last words");
            self.tasks.shutdown().await;
        }
        if let Some(link) = &self.link {
            // A node that has stopped needs no report.
            let _ = link.port.reporter.closed(reason).await;
        }
        let contact = match (&self.who, &self.link) {
            (Some(who), Some(_)) if self.is_mute() => {
                debug!(node = %who.node, "the peer said nothing behind its greeting");
                Contact::Mute { is_known: true }
            }
            (Some(who), Some(_)) if reason != CloseReason::Violation => Contact::Held(who.node.clone()),
            (Some(who), None) => Contact::Elsewhere(who.node.clone()),
            (None, _) if reason == CloseReason::Lost => Contact::Mute { is_known: false },
            _ => Contact::Refused,
        };
        if let Some(peer) = self.who {
            // An endpoint that is gone keeps nothing.
            let _ = self.desk.asks.send(Ask::Leave { peer, id: self.id, partials: self.partials }).await;
        }
        contact
    }

    /// Waits for all tasks, and keeps what has arrived in part.
    async fn gather_all(&mut self, claimed: &mut mpsc::Receiver<Claim>) {
        loop {
            tokio::select! {
                Some(claim) = claimed.recv() => self.claimed(claim),
                ended = self.tasks.join_next() => match ended {
                    Some(Ok(Ended::Received(reception))) => {
                        let now = self.now();
                        gather(&mut self.partials, now, reception);
                    }
                    Some(Ok(Ended::Written)) => {}
                    Some(Err(error)) => assert!(error.is_cancelled(), "no task panics"),
                    None => return,
                },
            }
        }
    }

    /// Whether the peer may have fallen silent over the greeting of a node of pannier.
    fn is_mute(&self) -> bool {
        let is_kin = self.who.as_ref().is_some_and(|who| who.road == Road::Kin);
        self.expectation.is_dialler && self.expectation.greets && !is_kin && !self.is_heard
    }
}

/// Keeps what has arrived of a reception.
fn gather(partials: &mut Partials, now: Time, reception: Reception) {
    let Some(digest) = reception.digest else { return };
    match reception.outcome {
        Outcome::Again(Some(partial)) | Outcome::Gone(Some(partial)) => partials.put(now, digest, *partial),
        Outcome::Again(None) | Outcome::Gone(None) | Outcome::Reported | Outcome::Refused(_) => {}
    }
}
