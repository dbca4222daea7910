//! Executes the agent's outputs in order. Records of a batch become durable first, in one synchronisation;
//! what stands behind them follows.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bundle_spec::Digest;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{
    NodeError,
    assembly::Assembler,
    mailbox::{Answer, Handle, LinkCommand, Outgoing},
    metrics::Metrics,
    security::{Departing, Guard},
    tasks::Tasks,
};
use crate::{
    agent::{CallId, EventKind, LinkId, Output, Record, SubmitError},
    store::{Store, StoreError},
};

/// How long to wait until a record is offered again to a disk that had no room even for it.
const FULL_PAUSE: Duration = Duration::from_millis(500);

/// From so many records on a batch waits for no company.
const LINGERING_MAX: usize = 256;

/// Does what the agent decided.
pub(super) struct Executor {
    handle: Handle,
    tasks: Tasks,
    assembler: Assembler,
    metrics: Arc<Metrics>,
    /// Records of the batch.
    records: Vec<Record>,
    /// What is to be done once they are durable.
    effects: VecDeque<Output>,
    /// Whether somebody waits for one of the effects.
    is_awaited: bool,
    /// Who waits for the answer to a command.
    calls: BTreeMap<CallId, oneshot::Sender<Result<Answer, SubmitError>>>,
    /// Where each link takes its commands.
    links: BTreeMap<LinkId, mpsc::Sender<LinkCommand>>,
    /// The name of the next call.
    next_call: u64,
    /// Blocks that nobody needs any more, for the keeper of the store.
    released: mpsc::UnboundedSender<Digest>,
    /// Which bundles are secured before they leave, and who does that.
    securing: Option<(Guard, mpsc::UnboundedSender<Departing>)>,
}

impl Executor {
    /// `released` takes the names of blocks to be forgotten; at most as many as there are blocks in the
    /// store.
    pub(super) fn new(
        handle: Handle,
        tasks: Tasks,
        metrics: Arc<Metrics>,
        released: mpsc::UnboundedSender<Digest>,
    ) -> Self {
        Self {
            assembler: Assembler::new(handle.clone()),
            handle,
            tasks,
            metrics,
            records: Vec::new(),
            effects: VecDeque::new(),
            is_awaited: false,
            calls: BTreeMap::new(),
            links: BTreeMap::new(),
            next_call: 1,
            released,
            securing: None,
        }
    }

    /// This executor, with bundles that `guard` secures sent to `departing` first; at most as many wait there
    /// as are under way.
    pub(super) fn securing(self, guard: Guard, departing: mpsc::UnboundedSender<Departing>) -> Self {
        Self { securing: Some((guard, departing)), ..self }
    }

    /// Names a command whose caller waits.
    pub(super) fn open_call(&mut self, answer: oneshot::Sender<Result<Answer, SubmitError>>) -> CallId {
        let call = CallId(self.next_call);
        self.next_call += 1;
        self.calls.insert(call, answer);
        call
    }

    /// Remembers where a link takes its commands.
    pub(super) fn open_link(&mut self, link: LinkId, commands: mpsc::Sender<LinkCommand>) {
        self.links.insert(link, commands);
    }

    /// Takes the next output. Nothing happens before [`Executor::flush`].
    pub(super) fn push(&mut self, output: Output) {
        match output {
            Output::Record(record) => self.records.push(record),
            effect => {
                self.is_awaited |= self.awaits(&effect);
                self.effects.push_back(effect);
            }
        }
    }

    /// The store that the records go to.
    pub(super) fn store(&self) -> &dyn Store {
        self.handle.store().as_ref()
    }

    /// Whether there are records, not many, and nobody waits for them or for what stands behind them.
    pub(super) fn may_linger(&self) -> bool {
        (1..LINGERING_MAX).contains(&self.records.len()) && !self.is_awaited
    }

    /// Whether somebody waits for an effect: a person, a peer, a task. Nobody waits to hear that a bundle is
    /// gone, or for room to be given back.
    fn awaits(&self, effect: &Output) -> bool {
        match effect {
            Output::Answer { call, .. } => self.calls.get(call).is_some_and(|answer| !answer.is_closed()),
            Output::Event(event) => {
                !matches!(event.kind, EventKind::Forwarded { .. } | EventKind::Deleted { .. })
            }
            Output::Record(_) | Output::Release { .. } => false,
            Output::Acknowledge { .. }
            | Output::Refuse { .. }
            | Output::Transmit { .. }
            | Output::Abort { .. }
            | Output::Announce { .. }
            | Output::Close { .. }
            | Output::Deliver { .. }
            | Output::Assemble { .. }
            | Output::Block { .. }
            | Output::Run(_)
            | Output::Stop { .. } => true,
        }
    }

    /// Makes the batch's records durable, then does the rest in order.
    pub(super) async fn flush(&mut self, stop: &CancellationToken) -> Result<(), NodeError> {
        if !self.records.is_empty() && !self.append(stop).await? {
            return Ok(());
        }
        while let Some(effect) = self.effects.pop_front() {
            self.execute(effect);
        }
        self.is_awaited = false;
        Ok(())
    }

    /// Whether the records are durable; `false` only if the node was told to stop while the disk was full:
    /// then nothing of the batch has been told to anybody.
    async fn append(&mut self, stop: &CancellationToken) -> Result<bool, NodeError> {
        let records = std::mem::take(&mut self.records);
        let mut waiting = false;
        loop {
            // In this thread, while another one goes on with the other tasks: what waits for the records
            // waits for no hand-over to a thread and back.
            match tokio::task::block_in_place(|| self.store().append(&records)) {
                Ok(()) => {
                    self.metrics.appended(records.len());
                    if waiting {
                        info!("the store has room again");
                    }
                    return Ok(true);
                }
                Err(StoreError::Full { free, needed }) => {
                    if !waiting {
                        error!(free, needed, "the disk has no room even for records; waiting for room");
                        waiting = true;
                    }
                    tokio::select! {
                        () = stop.cancelled() => return Ok(false),
                        () = tokio::time::sleep(FULL_PAUSE) => {}
                    }
                }
                Err(error) => return Err(NodeError::Store(error)),
            }
        }
    }

    fn execute(&mut self, effect: Output) {
        match effect {
            Output::Record(_) => unreachable!("records are taken out when they come"),
            Output::Answer { call, result } => {
                let answer = self.calls.remove(&call).expect("a call is answered once");
                // Who called may have gone away; what was accepted stays accepted.
                let _ = answer.send(result);
            }
            Output::Acknowledge { link, bundle } => self.command(link, LinkCommand::Acknowledge(bundle)),
            Output::Refuse { link, bundle, reason } => {
                self.command(link, LinkCommand::Refuse(bundle, reason))
            }
            Output::Transmit { link, outgoing } => self.transmit(link, outgoing),
            Output::Abort { link, bundle } => self.command(link, LinkCommand::Abort(bundle)),
            Output::Announce { link, adu } => self.command(link, LinkCommand::Announce(adu)),
            Output::Close { link } => self.command(link, LinkCommand::Close),
            Output::Deliver { endpoint, bundle, payload } => {
                debug!(%endpoint, %bundle, len = payload.len, "delivered");
            }
            Output::Assemble { bundle, header, len, parts } => {
                self.assembler.start(bundle, header, len, parts);
            }
            Output::Block { bytes } => self.assembler.write(bytes),
            Output::Run(task) => self.tasks.start(task),
            Output::Stop { task } => self.tasks.stop(&task),
            Output::Release { cid } => {
                // The keeper of the store ends after the loop.
                let _ = self.released.send(*cid.digest());
            }
            Output::Event(event) => {
                self.metrics.happened(&event);
                self.handle.tell(event);
            }
        }
    }

    /// A bundle that is to be secured goes another way round; whatever is said about it meanwhile finds no
    /// transfer to say it to.
    fn transmit(&mut self, link: LinkId, outgoing: Outgoing) {
        if let (Some((guard, departing)), Some(commands)) = (&self.securing, self.links.get(&link))
            && (outgoing.clear_only || guard.secures(self.handle.node_id(), &outgoing.header))
        {
            // Who secures ends after the loop.
            let _ = departing.send(Departing { link, commands: commands.clone(), outgoing });
            return;
        }
        self.command(link, LinkCommand::Transmit(outgoing));
    }

    /// A link that is gone or does not keep up loses its channel, and with it the contact.
    fn command(&mut self, link: LinkId, command: LinkCommand) {
        let Some(commands) = self.links.get(&link) else { return };
        match commands.try_send(command) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.links.remove(&link);
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                warn!(link = link.0, "cut off: it does not take its commands");
                self.links.remove(&link);
            }
        }
    }
}
