//! The way into the loop: what links, gateway and workers hold of the node.
//!
//! All channels are bounded. Whoever sends into the loop waits while it is busy; the loop never waits for a
//! link: a link that does not take its commands is cut off.

mod brought;
mod endpoints;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bundle_spec::{BlockRef, BundleId, Cid, Digest, Header, NodeId};
use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, oneshot};

pub(crate) use self::brought::Brought;
pub use super::sealing::{Enveloped, SealWish, SealWishError, Sealer, Sealing, WishError};
use super::security::{Arrived, Doubt, Guard};
use crate::agent::{Agent, CallId, Input};
pub use crate::agent::{
    Answer, BundleView, CloseReason, EndpointView, Event, EventKind, JobState, JobView, JourneyEntry,
    LinkClass, LinkId, LinkView, ModelView, NewBundle, NewJob, Outgoing, PeerView, Refusal, Retention,
    StatusView, Step, Submission, SubmitError, Terms, WaitingView, Withheld,
};
pub use crate::inference::Piece;
pub use crate::node::clock::Clock;
pub use crate::store::{BlockReader, BlockWriter, CheckReport, SHORT_BYTES_MAX, Store, StoreError, Usage};
pub use crate::time::Time;

/// Inputs that may wait for the loop.
pub const MAIL_MAX: usize = 1024;
/// Commands that may wait for a link; a link that lets more pile up is cut off.
pub const LINK_COMMANDS_MAX: usize = 4096;
/// Events that a slow listener may be behind; it then misses some and is told so.
pub const EVENTS_MAX: usize = 4096;

type Question = Box<dyn FnOnce(&Agent, Time) + Send>;

/// What comes in through the mailbox.
pub(crate) enum Mail {
    /// Something happened.
    Input(Input),
    /// A command whose caller waits for the answer.
    Call {
        /// Makes the input once the call has a name.
        input: Box<dyn FnOnce(CallId) -> Input + Send>,
        /// Who waits.
        answer: oneshot::Sender<Result<Answer, SubmitError>>,
    },
    /// A question to the state as it is.
    Ask(Question),
    /// Something that a short block belongs to.
    Brought(Brought),
    /// A link that is about to open.
    Link {
        /// Its name.
        link: LinkId,
        /// Where its commands go.
        commands: mpsc::Sender<LinkCommand>,
    },
}

/// What the agent wants a link to do. In this order.
#[expect(clippy::large_enum_variant, reason = "most commands are transmissions, and they are moved once")]
#[derive(Debug)]
pub enum LinkCommand {
    /// Send a bundle; report `transmitted`, `refused` or `interrupted`.
    Transmit(Outgoing),
    /// Stop sending it, if it is still under way.
    Abort(BundleId),
    /// Say this to the peer.
    Announce(Bytes),
    /// The peer's bundle is durable here.
    Acknowledge(BundleId),
    /// The peer's bundle is not taken.
    Refuse(BundleId, Refusal),
    /// End the contact in good order.
    Close,
}

/// The node has stopped: nobody reads the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The agent said no.
    #[error(transparent)]
    Refused(#[from] SubmitError),
}

/// What everybody but the loop holds of the node. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    mail: mpsc::Sender<Mail>,
    events: broadcast::Sender<Event>,
    pieces: broadcast::Sender<(Cid, Piece)>,
    links: Arc<AtomicU64>,
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    node: NodeId,
    guard: Guard,
    sealing: Sealing,
}

impl Handle {
    /// A handle and the loop's end of it.
    pub(crate) fn new(
        node: NodeId,
        store: Arc<dyn Store>,
        clock: Arc<Clock>,
    ) -> (Self, mpsc::Receiver<Mail>) {
        let (mail, mailbox) = mpsc::channel(MAIL_MAX);
        let handle = Self {
            mail,
            events: broadcast::Sender::new(EVENTS_MAX),
            pieces: broadcast::Sender::new(EVENTS_MAX),
            links: Arc::new(AtomicU64::new(1)),
            store,
            clock,
            node,
            guard: Guard::none(),
            sealing: Sealing::none(),
        };
        (handle, mailbox)
    }

    /// This handle, with every bundle that arrives through it checked by `guard`.
    pub(in crate::node) fn guarded(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    /// This handle, with sealed jobs and results opened by these keys.
    pub(in crate::node) fn sealing_with(self, sealing: Sealing) -> Self {
        Self { sealing, ..self }
    }

    /// The keys that jobs are sealed and opened with.
    #[must_use]
    pub fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// This node.
    #[must_use]
    pub fn node_id(&self) -> &NodeId {
        &self.node
    }

    /// The store: blocks are written before they are spoken of. Calls block; use the blocking pool.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The node's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Reports something that happened; waits while the loop is busy.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn input(&self, input: Input) -> Result<(), Stopped> {
        self.mail.send(Mail::Input(input)).await.map_err(|_| Stopped)
    }

    /// Whether a job or a bundle would be accepted, before its blocks are written.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn admit_submission(&self, submission: Submission) -> Result<(), CallError> {
        Ok(self.ask(move |agent, _| agent.admit_submission(&submission)).await??)
    }

    /// Submits a job or a bundle. When this returns, it is durable.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn submit(&self, submission: Submission) -> Result<Answer, CallError> {
        self.call(move |call| Input::Submit { call, submission }).await
    }

    /// A block has been written: it goes after a while unless something here needs it.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn gained(&self, block: BlockRef) -> Result<(), Stopped> {
        self.input(Input::BlockGained { block }).await
    }

    /// Takes a job back.
    ///
    /// # Errors
    /// `NotFound`, `Over`.
    pub async fn cancel(&self, job: Cid) -> Result<Answer, CallError> {
        self.call(move |call| Input::Cancel { call, job }).await
    }

    /// Keeps an asset under a name. All its blocks are in the store.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn add_model(
        &self,
        name: String,
        manifest: BlockRef,
        adu: Bytes,
        blocks: Vec<BlockRef>,
    ) -> Result<Answer, CallError> {
        self.call(move |call| Input::ModelAdded { call, name, manifest, adu, blocks }).await
    }

    /// No longer keeps the asset of this name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn drop_model(&self, name: String) -> Result<Answer, CallError> {
        self.call(move |call| Input::ModelDropped { call, name }).await
    }

    async fn call(&self, input: impl FnOnce(CallId) -> Input + Send + 'static) -> Result<Answer, CallError> {
        let (answer, answered) = oneshot::channel();
        self.mail.send(Mail::Call { input: Box::new(input), answer }).await.map_err(|_| Stopped)?;
        Ok(answered.await.map_err(|_| Stopped)??)
    }

    /// Asks the agent's state something between two inputs.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Agent, Time) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |agent, now| {
            // Who asked may have gone; then nobody needs the answer.
            let _ = answer.send(question(agent, now));
        });
        self.mail.send(Mail::Ask(question)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// The node at a glance.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn status(&self) -> Result<StatusView, Stopped> {
        self.ask(|agent, _| agent.status()).await
    }

    /// Whether something waits for a contact with a node, or with anybody if nobody says who is there.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn is_awaited(&self, peer: Option<NodeId>) -> Result<bool, Stopped> {
        self.ask(move |agent, _| agent.is_awaited(peer.as_ref())).await
    }

    /// Every job that is known, oldest first.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn jobs(&self) -> Result<Vec<JobView>, Stopped> {
        self.ask(|agent, _| agent.jobs()).await
    }

    /// One job.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn job(&self, job: Cid) -> Result<Option<JobView>, Stopped> {
        self.ask(move |agent, _| agent.job(job.digest())).await
    }

    /// Every bundle that is held.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn bundles(&self) -> Result<Vec<BundleView>, Stopped> {
        self.ask(|agent, _| agent.bundles()).await
    }

    /// Every asset that is held or known to be somewhere.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn models(&self) -> Result<Vec<ModelView>, Stopped> {
        self.ask(|agent, _| agent.models()).await
    }

    /// Every node that was met.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn peers(&self) -> Result<Vec<PeerView>, Stopped> {
        self.ask(|agent, _| agent.peers()).await
    }

    /// Whether a bundle would be taken from this link, before its payload comes.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn admit(&self, link: LinkId, header: Header) -> Result<Result<(), Refusal>, Stopped> {
        self.ask(move |agent, now| agent.admit(now, link, &header)).await
    }

    /// Checks the security operations of a bundle that is here as a whole.
    ///
    /// # Errors
    /// It must not be gone on with.
    pub(in crate::node) async fn vouch(&self, arrived: Arrived) -> Result<Arrived, Refusal> {
        self.guard.check(self, arrived, false).await.map_err(|doubt| doubt.reason)
    }

    /// Events from this moment on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Tells listeners of an event.
    pub(in crate::node) fn tell(&self, event: Event) {
        // No listener, no loss.
        let _ = self.events.send(event);
    }

    /// Pieces of answers that are made here, from this moment on, with the job they belong to.
    #[must_use]
    pub fn pieces(&self) -> broadcast::Receiver<(Cid, Piece)> {
        self.pieces.subscribe()
    }

    /// Passes on a piece of an answer.
    pub fn emit(&self, job: Cid, piece: Piece) {
        // No listener, no loss: the whole answer comes as a result.
        let _ = self.pieces.send((job, piece));
    }

    /// Opens a contact, with whom if the road says. The first command for it may come at once.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn open_link(&self, peer: Option<NodeId>, class: LinkClass) -> Result<LinkPort, Stopped> {
        let link = LinkId(self.links.fetch_add(1, Ordering::Relaxed));
        let (sender, commands) = mpsc::channel(LINK_COMMANDS_MAX);
        let clear_only = class.clear_only;
        self.mail.send(Mail::Link { link, commands: sender }).await.map_err(|_| Stopped)?;
        self.input(Input::ContactOpened { link, peer, class }).await?;
        Ok(LinkPort { link, commands, reporter: LinkReporter { link, handle: self.clone(), clear_only } })
    }

    /// Reads a whole block of at most `limit` bytes into memory; `None` if it is not here or longer.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn read_block(&self, digest: Digest, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            let Some(reader) = store.open(&digest)? else { return Ok(None) };
            if reader.len() > limit {
                return Ok(None);
            }
            let mut bytes = vec![0; usize::try_from(reader.len()).expect("the limit fits memory")];
            let read = reader.read_at(0, &mut bytes)?;
            assert_eq!(read, bytes.len(), "a block has as many bytes as it says");
            Ok(Some(Bytes::from(bytes)))
        })
        .await
        .expect("reading a block does not panic")
    }

    /// Writes bytes as a block. One that is here already needs no room.
    ///
    /// # Errors
    /// `Full`, or what the disk says.
    pub async fn write_block(&self, bytes: Bytes) -> Result<BlockRef, StoreError> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            let len = u64::try_from(bytes.len()).expect("a length fits 64 bits");
            let written = store.create(len).and_then(|mut writer| {
                writer.write(&bytes)?;
                writer.finish(None)
            });
            if let Err(StoreError::Full { .. }) = written {
                let cid = Cid::raw(&bytes);
                if store.open(cid.digest())?.is_some() {
                    return Ok(BlockRef { cid, len });
                }
            }
            written
        })
        .await
        .expect("writing a block does not panic")
    }
}

/// A contact as its convergence layer holds it.
pub struct LinkPort {
    /// Its name.
    pub link: LinkId,
    /// What the agent wants. Ends when the link is cut off or the node stops.
    pub commands: mpsc::Receiver<LinkCommand>,
    /// Where reports go; may be cloned into tasks.
    pub reporter: LinkReporter,
}

/// Reports of one link.
#[derive(Clone)]
pub struct LinkReporter {
    link: LinkId,
    handle: Handle,
    /// Whether what comes must be signed, as encryption is forbidden there.
    clear_only: bool,
}

impl LinkReporter {
    /// Which link.
    #[must_use]
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// Whether a bundle would be taken, before its payload comes.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn admit(&self, header: &Header) -> Result<Result<(), Refusal>, Stopped> {
        self.handle.admit(self.link, header.clone()).await
    }

    /// A bundle has arrived whole; `adu` is its payload where that is at most
    /// `limits::CONTROL_ADU_BYTES_MAX`. The agent hears of it once its security operations were checked.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn received(
        &self,
        header: Header,
        payload: BlockRef,
        adu: Option<Bytes>,
    ) -> Result<(), Stopped> {
        let (link, handle) = (self.link, &self.handle);
        let arrived = Arrived { header, payload, adu, left: None };
        match handle.guard.check(handle, arrived, self.clear_only).await {
            Ok(Arrived { header, payload, adu, left }) => {
                let opened = handle.sealing.opened(&handle.node, &header, adu.as_ref());
                handle.input(Input::Received { link, header, payload, adu, opened }).await?;
                if let Some(block) = left {
                    handle.gained(block).await?;
                }
                Ok(())
            }
            Err(Doubt { header, reason, report }) => {
                handle.input(Input::Distrusted { link, header, payload, reason, report }).await
            }
        }
    }

    /// The peer has made a bundle durable.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn transmitted(&self, bundle: BundleId) -> Result<(), Stopped> {
        self.handle.input(Input::Transmitted { link: self.link, bundle }).await
    }

    /// The peer did not want a bundle.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn refused(&self, bundle: BundleId, reason: Refusal) -> Result<(), Stopped> {
        self.handle.input(Input::Refused { link: self.link, bundle, reason }).await
    }

    /// A transfer was cut off after `acknowledged` bytes of payload.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn interrupted(&self, bundle: BundleId, acknowledged: u64) -> Result<(), Stopped> {
        self.handle.input(Input::Interrupted { link: self.link, bundle, acknowledged }).await
    }

    /// The peer said something.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn heard(&self, adu: Bytes) -> Result<(), Stopped> {
        self.handle.input(Input::Heard { link: self.link, adu }).await
    }

    /// The link was measured.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn measured(
        &self,
        round_trip: std::time::Duration,
        rate: std::num::NonZeroU64,
    ) -> Result<(), Stopped> {
        self.handle.input(Input::Measured { link: self.link, round_trip, rate }).await
    }

    /// The contact is over. Said once, last.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn closed(&self, reason: CloseReason) -> Result<(), Stopped> {
        self.handle.input(Input::ContactClosed { link: self.link, reason }).await
    }
}
