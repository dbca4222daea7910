//! A node in miniature for the tests of links: a mailbox, a store in memory, and either an agent or the test
//! itself behind them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bundle_spec::{
    BlockRef, Builder, BundleId, CreationTimestamp, DtnTime, NodeId, security::Policy, sign::SigningKey,
};
use bytes::Bytes;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use crate::{
    agent::{Agent, Config, Input, LinkId, Outgoing, Output},
    limits,
    node::{
        clock::Clock,
        mailbox::{
            BlockReader, BlockWriter, CheckReport, Handle, LinkCommand, Mail, Store, StoreError, Usage,
        },
    },
    route::Epidemic,
    store::MemoryStore,
    time::Time,
};

/// Who answers the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mind {
    /// An agent.
    Agent,
    /// The test, which gets every input; what is received is acknowledged at once.
    Obliging,
    /// The test, which gets every input and answers itself.
    Silent,
}

type Links = Arc<Mutex<BTreeMap<LinkId, mpsc::Sender<LinkCommand>>>>;

/// A node in miniature.
pub(super) struct TestNode {
    pub(super) handle: Handle,
    pub(super) secret: [u8; 32],
    pub(super) store: Arc<Watched>,
    inputs: mpsc::UnboundedReceiver<Input>,
    links: Links,
    _tasks: JoinSet<()>,
}

impl TestNode {
    /// The node whose key is made of `seed`, with a store for `quota` bytes.
    pub(super) fn new(seed: u8, mind: Mind, quota: u64) -> Self {
        let secret = [seed; 32];
        let key = SigningKey::from_bytes(&secret);
        let node = key.public().node_id();
        let store = Arc::new(Watched::new(quota));
        let clock = Arc::new(Clock::resume(0, Time::ZERO));
        let (handle, mail) = Handle::new(node.clone(), store.clone(), clock);
        let config = Config {
            node,
            key,
            version: "test".to_owned(),
            bundles_max: limits::BUNDLES_MAX,
            status_reports: false,
            rules: Policy::default(),
        };
        let agent = Agent::restore(config, Box::new(Epidemic), [seed; 32], Vec::new(), handle.clock().now());
        let (seen, inputs) = mpsc::unbounded_channel();
        let links = Links::default();
        let mut tasks = JoinSet::new();
        let driver = Driver { handle: handle.clone(), agent, mind, seen, links: Arc::clone(&links) };
        tasks.spawn(driver.run(mail));
        Self { handle, secret, store, inputs, links, _tasks: tasks }
    }

    /// The next input for which `pick` has a word; others are passed over.
    pub(super) async fn next<T>(&mut self, pick: impl Fn(&Input) -> Option<T>) -> T {
        let picked = async {
            loop {
                let input = self.inputs.recv().await.expect("the driver lives as long as the node");
                if let Some(picked) = pick(&input) {
                    return picked;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), picked).await.expect("what was waited for came")
    }

    /// The contact that opens next, and with whom.
    pub(super) async fn opened(&mut self) -> (LinkId, NodeId) {
        self.next(|input| match input {
            Input::ContactOpened { link, peer, .. } => Some((*link, peer.clone()?)),
            _ => None,
        })
        .await
    }

    /// Gives a link a command.
    pub(super) async fn command(&self, link: LinkId, command: LinkCommand) {
        assert!(self.offer(link, command).await, "the link is open");
    }

    /// Gives a link a command, if it is still there to take it.
    pub(super) async fn offer(&self, link: LinkId, command: LinkCommand) -> bool {
        let commands = self.links.lock().await[&link].clone();
        commands.send(command).await.is_ok()
    }

    /// How many commands the link has not taken yet.
    pub(super) async fn backlog(&self, link: LinkId) -> usize {
        let commands = self.links.lock().await[&link].clone();
        commands.max_capacity() - commands.capacity()
    }

    /// A bundle to `destination` with its payload in the store.
    pub(super) fn bundle(&self, destination: &NodeId, sequence: u64, payload: &[u8]) -> Outgoing {
        let mut writer = self.store.create(len(payload)).unwrap();
        writer.write(payload).unwrap();
        let payload_ref: BlockRef = writer.finish(None).unwrap();
        let timestamp = CreationTimestamp { time: DtnTime(1_000_000), sequence };
        let source = self.handle.node_id().endpoint("test", 1);
        let header = Builder::new(source, destination.endpoint("inbox", 2), timestamp, 3_600_000_000_000)
            .header(len(payload));
        Outgoing {
            bundle: header.bundle_id(),
            header,
            payload: payload_ref,
            start: 0,
            offset: 0,
            clear_only: false,
            sealed: None,
        }
    }

    /// Sends a bundle on a link and waits until the peer has made it durable.
    pub(super) async fn transmit(&mut self, link: LinkId, outgoing: Outgoing) {
        let sent = outgoing.bundle.clone();
        self.command(link, LinkCommand::Transmit(outgoing)).await;
        self.next(|input| {
            matches!(input, Input::Transmitted { bundle, .. } if *bundle == sent).then_some(())
        })
        .await;
    }

    /// The bundle that is received next, with its payload.
    pub(super) async fn received(&mut self) -> (LinkId, BundleId, Vec<u8>, Option<Bytes>) {
        let (link, bundle, payload, adu) = self
            .next(|input| match input {
                Input::Received { link, header, payload, adu, .. } => {
                    Some((*link, header.bundle_id(), *payload, adu.clone()))
                }
                _ => None,
            })
            .await;
        (link, bundle, self.payload(&payload), adu)
    }

    /// A block's bytes.
    pub(super) fn payload(&self, block: &BlockRef) -> Vec<u8> {
        let reader = self.store.open(block.cid.digest()).unwrap().expect("the block is here");
        let mut bytes = vec![0; usize::try_from(block.len).unwrap()];
        assert_eq!(reader.read_at(0, &mut bytes).unwrap(), bytes.len());
        bytes
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap()
}

struct Driver {
    handle: Handle,
    agent: Agent,
    mind: Mind,
    seen: mpsc::UnboundedSender<Input>,
    links: Links,
}

impl Driver {
    async fn run(mut self, mut mail: mpsc::Receiver<Mail>) {
        let mut calls = BTreeMap::new();
        loop {
            while let Some(output) = self.agent.poll() {
                match output {
                    Output::Answer { call, result } => {
                        if let Some(answer) = calls.remove(&call) {
                            let answer: tokio::sync::oneshot::Sender<_> = answer;
                            let _ = answer.send(result);
                        }
                    }
                    other => self.execute(other).await,
                }
            }
            let clock = Arc::clone(self.handle.clock());
            let wake = self.agent.next_deadline().map(|(at, _)| at);
            let mail = tokio::select! {
                () = clock.sleep_until(wake) => Mail::Input(Input::Deadline),
                mail = mail.recv() => match mail {
                    Some(mail) => mail,
                    None => return,
                },
            };
            let now = clock.now();
            let mail = match mail {
                Mail::Brought(brought) => {
                    let kept = brought.keep(&self.agent, self.handle.store().as_ref(), now).unwrap();
                    let Some(mail) = kept else { continue };
                    mail
                }
                other => other,
            };
            match mail {
                Mail::Input(input) => self.input(now, input).await,
                Mail::Call { input, answer } => {
                    let call = crate::agent::CallId(now.0 * 1000 + u64::try_from(calls.len()).unwrap());
                    calls.insert(call, answer);
                    self.agent.handle(now, input(call));
                }
                Mail::Ask(question) => question(&self.agent, now),
                Mail::Brought(_) => unreachable!("what is brought becomes an input or a call"),
                Mail::Link { link, commands } => {
                    self.links.lock().await.insert(link, commands);
                }
            }
        }
    }

    async fn input(&mut self, now: Time, input: Input) {
        if self.mind == Mind::Obliging
            && let Input::Received { link, header, .. } = &input
        {
            give(&self.links, *link, LinkCommand::Acknowledge(header.bundle_id())).await;
        }
        let _ = self.seen.send(input.clone());
        if self.mind == Mind::Agent {
            self.agent.handle(now, input);
        }
    }

    async fn execute(&mut self, output: Output) {
        match output {
            Output::Record(record) => self.handle.store().append(&[record]).unwrap(),
            Output::Acknowledge { link, bundle } => {
                give(&self.links, link, LinkCommand::Acknowledge(bundle)).await
            }
            Output::Refuse { link, bundle, reason } => {
                give(&self.links, link, LinkCommand::Refuse(bundle, reason)).await;
            }
            Output::Transmit { link, outgoing } => {
                give(&self.links, link, LinkCommand::Transmit(outgoing)).await
            }
            Output::Abort { link, bundle } => give(&self.links, link, LinkCommand::Abort(bundle)).await,
            Output::Announce { link, adu } => give(&self.links, link, LinkCommand::Announce(adu)).await,
            Output::Close { link } => give(&self.links, link, LinkCommand::Close).await,
            Output::Release { cid } => self.handle.store().release(cid.digest()).unwrap(),
            _ => {}
        }
    }
}

/// Gives a link a command; one that has gone takes none.
async fn give(links: &Links, link: LinkId, command: LinkCommand) {
    let Some(commands) = links.lock().await.get(&link).cloned() else { return };
    let _ = commands.send(command).await;
}

/// A store in memory that counts, and that can hold readers back.
pub(super) struct Watched {
    inner: MemoryStore,
    /// How many blocks were begun.
    pub(super) begun: AtomicU64,
    /// How many bytes were written into blocks.
    pub(super) written: Arc<AtomicU64>,
    /// Readers wait before they pass this offset.
    pub(super) gate: Arc<AtomicU64>,
}

impl Watched {
    fn new(quota: u64) -> Self {
        Self {
            inner: MemoryStore::new(quota),
            begun: AtomicU64::new(0),
            written: Arc::default(),
            gate: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }
}

struct WatchedWriter {
    inner: Box<dyn BlockWriter>,
    written: Arc<AtomicU64>,
}

struct GatedReader {
    inner: Box<dyn BlockReader>,
    gate: Arc<AtomicU64>,
}

impl Store for Watched {
    fn append(&self, records: &[crate::agent::Record]) -> Result<(), StoreError> {
        self.inner.append(records)
    }

    fn recover(&self) -> Result<Vec<crate::agent::Record>, StoreError> {
        self.inner.recover()
    }

    fn shelve(&self, block: &BlockRef, bytes: Bytes) -> Result<(), StoreError> {
        self.inner.shelve(block, bytes.clone())?;
        self.begun.fetch_add(1, Ordering::SeqCst);
        let len = u64::try_from(bytes.len()).unwrap();
        self.written.fetch_add(len, Ordering::SeqCst);
        Ok(())
    }

    fn recent(&self, digest: &bundle_spec::Digest) -> Option<Bytes> {
        self.inner.recent(digest).filter(|_| self.gate.load(Ordering::SeqCst) == u64::MAX)
    }

    fn create(&self, len: u64) -> Result<Box<dyn BlockWriter>, StoreError> {
        let inner = self.inner.create(len)?;
        self.begun.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(WatchedWriter { inner, written: Arc::clone(&self.written) }))
    }

    fn open(&self, digest: &bundle_spec::Digest) -> Result<Option<Box<dyn BlockReader>>, StoreError> {
        let gated =
            |inner| Box::new(GatedReader { inner, gate: Arc::clone(&self.gate) }) as Box<dyn BlockReader>;
        Ok(self.inner.open(digest)?.map(gated))
    }

    fn release_all(&self, digests: &[bundle_spec::Digest]) -> Result<(), StoreError> {
        self.inner.release_all(digests)
    }

    fn blocks(&self) -> Result<Vec<bundle_spec::Digest>, StoreError> {
        self.inner.blocks()
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }

    fn check(&self, sample: bool) -> Result<CheckReport, StoreError> {
        self.inner.check(sample)
    }

    fn compact(&self) -> Result<bool, StoreError> {
        self.inner.compact()
    }
}

impl BlockWriter for WatchedWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.write(bytes)?;
        self.written.fetch_add(len(bytes), Ordering::SeqCst);
        Ok(())
    }

    fn finish(self: Box<Self>, expected: Option<bundle_spec::Cid>) -> Result<BlockRef, StoreError> {
        self.inner.finish(expected)
    }

    fn finish_early(self: Box<Self>) -> Result<BlockRef, StoreError> {
        self.inner.finish_early()
    }
}

impl BlockReader for GatedReader {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        while offset >= self.gate.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        self.inner.read_at(offset, buffer)
    }
}
