//! Several agents, their stores and engines in memory, and the links between them. Everything happens at once
//! and in the order in which it was asked for; time passes only when a test says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bundle_spec::{
    BlockRef, Builder, BundleId, Cid, Digest, DtnTime, Header, Lax, NodeId,
    adu::{
        Failure, Job, JobInput, JobResult, Kind, ModelSelector, Outcome, Output as ResultOutput, Statement,
        Timings, Usage,
    },
    sealing::SealingKey,
    security::Policy,
    sign::SigningKey,
};
use bytes::Bytes;

use crate::{agent::*, limits, route::Epidemic, time::Time};

/// How a host's engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// At once, with what came in.
    Echo,
    /// At once, with a failure.
    Fails,
    /// When the test says so.
    Held,
}

pub struct Host {
    pub agent: Agent,
    pub records: Vec<Record>,
    pub store: BTreeMap<Digest, Bytes>,
    pub outputs: Vec<Output>,
    pub engine: Engine,
    pub runs: usize,
    /// What opens sealed jobs and answers here.
    pub keys: Vec<SealingKey>,
    config: Config,
}

pub struct World {
    pub now: Time,
    pub hosts: BTreeMap<&'static str, Host>,
    links: BTreeMap<LinkId, (&'static str, LinkId, &'static str)>,
    queue: VecDeque<(&'static str, Input)>,
    /// Whether bundles that are sent stay on their way until the test says what becomes of them.
    pub is_stuck: bool,
    /// Whether the test says when a bundle has been put together.
    pub holds_assemblies: bool,
    next: u64,
}

pub fn node(name: &str) -> NodeId {
    format!("dtn://{name}/").parse().unwrap()
}

pub fn class() -> LinkClass {
    LinkClass { summaries: true, durable: true, ..LinkClass::plain("quic") }
}

pub fn echo_job(text: &str) -> Job {
    let data = Bytes::copy_from_slice(text.as_bytes());
    Job {
        kind: Kind::Echo,
        model: ModelSelector::None,
        inputs: vec![JobInput::Inline { media: "text/plain".to_owned(), data }],
        parameters: BTreeMap::new(),
        nonce: None,
    }
}

pub fn engines(slots: usize) -> Resources {
    let engine =
        EngineState { name: "echo".to_owned(), fingerprint: "echo/1".to_owned(), kinds: vec![Kind::Echo] };
    Resources { store_free: u64::MAX, engines: vec![engine], slots }
}

fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(Cid::raw(name.as_bytes()).digest())
}

impl World {
    pub fn new(names: &[&'static str]) -> Self {
        let mut world = Self {
            now: Time(1000),
            hosts: BTreeMap::new(),
            links: BTreeMap::new(),
            queue: VecDeque::new(),
            is_stuck: false,
            holds_assemblies: false,
            next: 1,
        };
        for name in names {
            let config = Config {
                node: node(name),
                key: key(name),
                version: "1".to_owned(),
                bundles_max: 1000,
                status_reports: true,
                rules: Policy::default(),
            };
            let agent = Agent::restore(config.clone(), Box::new(Epidemic), [1; 32], Vec::new(), world.now);
            let host = Host {
                agent,
                records: Vec::new(),
                store: BTreeMap::new(),
                outputs: Vec::new(),
                engine: Engine::Echo,
                runs: 0,
                keys: Vec::new(),
                config,
            };
            world.hosts.insert(name, host);
        }
        world
    }

    pub fn host(&mut self, name: &str) -> &mut Host {
        self.hosts.get_mut(name).unwrap()
    }

    pub fn agent(&self, name: &str) -> &Agent {
        &self.hosts[name].agent
    }

    pub fn clocks(&mut self, ms: u64) {
        let names: Vec<_> = self.hosts.keys().copied().collect();
        for name in names {
            let error = std::time::Duration::ZERO;
            self.input(name, Input::ClockSet { wall: DtnTime(800_000_000_000 + ms), error });
        }
    }

    /// Something happens, and everything that follows from it.
    pub fn input(&mut self, name: &'static str, input: Input) {
        self.queue.push_back((name, input));
        self.settle();
    }

    pub fn settle(&mut self) {
        let mut left = 100_000;
        while let Some((name, input)) = self.queue.pop_front() {
            left -= 1;
            assert!(left > 0, "the world comes to rest");
            let now = self.now;
            self.host(name).agent.handle(now, input);
            self.drain(name);
        }
    }

    /// What the agent asks for is noted, and nothing of it is done but records.
    pub fn take_outputs(&mut self, name: &'static str) {
        while let Some(output) = self.host(name).agent.poll() {
            if let Output::Record(record) = &output {
                self.host(name).records.push(record.clone());
            }
            self.host(name).outputs.push(output);
        }
    }

    fn drain(&mut self, name: &'static str) {
        while let Some(output) = self.host(name).agent.poll() {
            self.host(name).outputs.push(output.clone());
            self.execute(name, output);
        }
        let host = &self.hosts[name];
        let needed = host.agent.blocks();
        for digest in &needed {
            assert!(host.store.contains_key(digest), "{name} needs a block that is not in its store");
        }
        if let Some((at, reason)) = host.agent.next_deadline() {
            assert!(at > self.now, "{name} wants to be woken in the past for {reason:?}");
        }
    }

    fn execute(&mut self, name: &'static str, output: Output) {
        match output {
            Output::Record(record) => {
                let bytes = record.encode();
                assert_eq!(Record::decode(&bytes).unwrap(), record);
                self.host(name).records.push(record);
            }
            Output::Release { cid } => drop(self.host(name).store.remove(cid.digest())),
            Output::Run(task) => {
                self.host(name).runs += 1;
                match self.hosts[name].engine {
                    Engine::Echo => self.end_task(name, task.job, None),
                    Engine::Fails => self.end_task(name, task.job, Some(Failure::Crashed)),
                    Engine::Held => {}
                }
            }
            Output::Block { bytes } => {
                let block = self.put(name, &bytes);
                self.queue.push_back((name, Input::BlockGained { block }));
            }
            Output::Assemble { bundle, len, parts, .. } => {
                let store = &self.hosts[name].store;
                let range = |part: &Part| {
                    let start = usize::try_from(part.start).unwrap();
                    let end = start + usize::try_from(part.len).unwrap();
                    store[part.block.cid.digest()].slice(start..end)
                };
                let whole: Vec<u8> = parts.iter().flat_map(range).collect();
                assert_eq!(whole.len() as u64, len);
                if !self.holds_assemblies {
                    self.end_assembly(name, bundle, &whole);
                }
            }
            Output::Transmit { link, outgoing } if !self.is_stuck => self.carry(name, link, &outgoing),
            Output::Acknowledge { link, bundle } => {
                self.tell_peer(link, |link| Input::Transmitted { link, bundle });
            }
            Output::Refuse { link, bundle, reason } => {
                self.tell_peer(link, |link| Input::Refused { link, bundle, reason });
            }
            Output::Announce { link, adu } => self.tell_peer(link, |link| Input::Heard { link, adu }),
            Output::Close { link } => self.cut(link, CloseReason::Finished),
            Output::Transmit { .. }
            | Output::Answer { .. }
            | Output::Abort { .. }
            | Output::Deliver { .. }
            | Output::Stop { .. }
            | Output::Event(_) => {}
        }
    }

    pub fn end_assembly(&mut self, name: &'static str, bundle: BundleId, whole: &[u8]) {
        let payload = self.put(name, whole);
        let adu = (whole.len() <= limits::CONTROL_ADU_BYTES_MAX).then(|| Bytes::copy_from_slice(whole));
        let opened = self.opened(name, adu.as_ref());
        let result = Ok(Assembled { header: None, payload, adu, opened });
        self.queue.push_back((name, Input::Assembled { bundle, result }));
    }

    fn tell_peer(&mut self, link: LinkId, input: impl FnOnce(LinkId) -> Input) {
        if let Some((_, other, peer)) = self.links.get(&link) {
            self.queue.push_back((peer, input(*other)));
        }
    }

    /// What a convergence layer does with a bundle: asks, streams, reports.
    fn carry(&mut self, name: &'static str, link: LinkId, outgoing: &Outgoing) {
        let Some((_, other, peer)) = self.links.get(&link).copied() else { return };
        let start = usize::try_from(outgoing.start).unwrap();
        let end = start + usize::try_from(outgoing.header.payload_len()).unwrap();
        let payload = self.hosts[name].store[outgoing.payload.cid.digest()].slice(start..end);
        let header = Header::parse(outgoing.header.raw(), &Lax::strict()).unwrap().unwrap();
        assert_eq!(header.bundle_id(), outgoing.bundle);
        assert_eq!(header.previous_node(), Some(node(name)));
        let bundle = outgoing.bundle.clone();
        if let Err(reason) = self.hosts[peer].agent.admit(self.now, other, &header) {
            self.queue.push_back((name, Input::Refused { link, bundle, reason }));
            return;
        }
        let block = BlockRef::raw(&payload);
        let adu = (payload.len() <= limits::CONTROL_ADU_BYTES_MAX).then(|| payload.clone());
        self.host(peer).store.insert(*block.cid.digest(), payload);
        let opened = self.opened(peer, adu.as_ref());
        self.queue.push_back((peer, Input::Received { link: other, header, payload: block, adu, opened }));
    }

    pub fn put(&mut self, name: &str, bytes: &[u8]) -> BlockRef {
        let block = BlockRef::raw(bytes);
        self.host(name).store.insert(*block.cid.digest(), Bytes::copy_from_slice(bytes));
        block
    }

    /// Submits a job; says what came of it.
    pub fn submit(&mut self, name: &'static str, job: &Job) -> Result<Answer, SubmitError> {
        self.submit_for(name, job, None)
    }

    pub fn submit_for(
        &mut self,
        name: &'static str,
        job: &Job,
        lifetime: Option<std::time::Duration>,
    ) -> Result<Answer, SubmitError> {
        let adu = job.encode();
        let payload = self.put(name, &adu);
        let linked = job.inputs.iter().filter_map(|input| match input {
            JobInput::Inline { .. } => None,
            JobInput::Link { block, .. } => Some(*block),
        });
        let linked: Vec<BlockRef> = linked.collect();
        let blocks = linked.into_iter().filter(|b| self.hosts[name].store.contains_key(b.cid.digest()));
        let new = NewJob { payload, adu, seal: None, blocks: blocks.collect(), lifetime };
        self.call(name, |call| Input::Submit { call, submission: Submission::Job(new) })
    }

    pub fn call(
        &mut self,
        name: &'static str,
        input: impl FnOnce(CallId) -> Input,
    ) -> Result<Answer, SubmitError> {
        let call = CallId(self.next);
        self.next += 1;
        self.input(name, input(call));
        let answers = self.hosts[name].outputs.iter().rev();
        let mut answers = answers.filter_map(|output| match output {
            Output::Answer { call: to, result } if *to == call => Some(result.clone()),
            _ => None,
        });
        answers.next().expect("every call is answered")
    }

    /// An engine is here.
    pub fn equip(&mut self, name: &'static str, engine: Engine) {
        self.host(name).engine = engine;
        self.input(name, Input::Resources(engines(1)));
    }

    pub fn end_task(&mut self, name: &'static str, job: Cid, failure: Option<Failure>) {
        let adu = self.result_of(name, job, failure);
        let travelling = self.sealed_answer(name, &job, &adu);
        let payload = self.put(name, &travelling);
        let outcome = TaskOutcome::Answered { payload, adu, blocks: Vec::new(), retryable: false };
        self.queue.push_back((name, Input::TaskEnded { task: job, outcome }));
    }

    pub fn result_of(&self, name: &str, job: Cid, failure: Option<Failure>) -> Bytes {
        let data = Bytes::from_static(b"the answer");
        let outcome = match failure {
            Some(failure) => Outcome::Failed { failure, detail: "it broke".to_owned() },
            None => Outcome::Completed {
                outputs: vec![ResultOutput::Inline { media: "text/plain".to_owned(), data }],
                finish: "stop".to_owned(),
            },
        };
        let statement = Statement {
            job,
            model: None,
            engine: "echo".to_owned(),
            fingerprint: "echo/1".to_owned(),
            parameters: BTreeMap::new(),
            outcome,
            usage: Usage::default(),
            timings: Timings::default(),
            executor: node(name),
        };
        JobResult::sign(statement, &key(name)).encode()
    }

    /// A stranger hands over a bundle; says how the agent answered.
    pub fn hand_in(&mut self, name: &'static str, builder: Builder, payload: &[u8]) -> Output {
        let link = LinkId(self.next);
        self.next += 1;
        let class = LinkClass { summaries: false, ..class() };
        self.input(name, Input::ContactOpened { link, peer: Some(node("stranger")), class });
        let block = self.put(name, payload);
        let header = builder.header(block.len);
        let adu = Some(Bytes::copy_from_slice(payload));
        self.host(name).outputs.clear();
        let opened = self.opened(name, adu.as_ref());
        self.input(name, Input::Received { link, header, payload: block, adu, opened });
        let answer = self.hosts[name]
            .outputs
            .iter()
            .find(|output| matches!(output, Output::Acknowledge { .. } | Output::Refuse { .. }));
        let answer = answer.expect("every bundle is answered").clone();
        self.input(name, Input::ContactClosed { link, reason: CloseReason::Finished });
        answer
    }

    /// Two nodes meet.
    pub fn meet(&mut self, a: &'static str, b: &'static str) -> LinkId {
        self.meet_over(a, b, class(), class())
    }

    /// Two nodes meet over a link of these classes, each as its end sees it.
    pub fn meet_over(
        &mut self,
        a: &'static str,
        b: &'static str,
        of_a: LinkClass,
        of_b: LinkClass,
    ) -> LinkId {
        let (here, there) = (LinkId(self.next), LinkId(self.next + 1));
        self.next += 2;
        self.links.insert(here, (a, there, b));
        self.links.insert(there, (b, here, a));
        self.queue.push_back((a, Input::ContactOpened { link: here, peer: Some(node(b)), class: of_a }));
        self.queue.push_back((b, Input::ContactOpened { link: there, peer: Some(node(a)), class: of_b }));
        self.settle();
        here
    }

    /// They part.
    pub fn part(&mut self, link: LinkId) {
        self.cut(link, CloseReason::Lost);
        self.settle();
    }

    fn cut(&mut self, link: LinkId, reason: CloseReason) {
        let Some((name, other, peer)) = self.links.remove(&link) else { return };
        self.links.remove(&other);
        self.queue.push_back((name, Input::ContactClosed { link, reason }));
        self.queue.push_back((peer, Input::ContactClosed { link: other, reason }));
    }

    /// They meet, say everything, and part.
    pub fn visit(&mut self, a: &'static str, b: &'static str) {
        let link = self.meet(a, b);
        self.part(link);
    }

    /// Time passes; every agent is woken when it wants to be.
    pub fn pass(&mut self, duration: std::time::Duration) {
        let end = self.now + duration;
        loop {
            let wishes = self.hosts.iter().filter_map(|(name, host)| {
                host.agent.next_deadline().filter(|(at, _)| *at <= end).map(|(at, _)| (at, *name))
            });
            let Some((at, name)) = wishes.min() else { break };
            self.now = self.now.max(at);
            self.input(name, Input::Deadline);
        }
        self.now = end;
    }

    /// The host is switched off and on.
    pub fn restart(&mut self, name: &'static str) {
        let links: Vec<LinkId> =
            self.links.iter().filter(|(_, (host, ..))| *host == name).map(|(link, _)| *link).collect();
        links.into_iter().for_each(|link| self.part(link));
        let now = self.now;
        let host = self.host(name);
        let records = host.records.clone();
        host.agent = Agent::restore(host.config.clone(), Box::new(Epidemic), [2; 32], records, now);
        let needed = host.agent.blocks();
        host.store.retain(|digest, _| needed.contains(digest));
        self.drain(name);
        self.settle();
    }

    /// The host has been told something else from the beginning; it has no records yet.
    pub fn reconfigure(&mut self, name: &str, change: impl FnOnce(&mut Config)) {
        let now = self.now;
        let host = self.host(name);
        assert!(host.records.is_empty());
        change(&mut host.config);
        host.agent = Agent::restore(host.config.clone(), Box::new(Epidemic), [1; 32], Vec::new(), now);
    }

    /// The same host from the first of its records, as if the rest had never reached the disk.
    pub fn rebuilt(&self, name: &str, records: usize) -> Agent {
        let host = &self.hosts[name];
        let records = host.records[..records].to_vec();
        Agent::restore(host.config.clone(), Box::new(Epidemic), [2; 32], records, self.now)
    }

    pub fn job(&self, name: &str, job: &Job) -> Option<JobView> {
        self.agent(name).job(job.cid().digest())
    }

    pub fn state(&self, name: &str, job: &Job) -> Option<JobState> {
        self.job(name, job).map(|view| view.state)
    }

    pub fn is_answered(&self, name: &str, job: &Job) -> bool {
        matches!(self.state(name, job), Some(JobState::Answered { success: true, .. }))
    }

    pub fn steps(&self, name: &str, job: &Job) -> Vec<Step> {
        self.job(name, job).unwrap().journey.into_iter().map(|entry| entry.step).collect()
    }

    /// How often people at this host were told of an answer.
    pub fn answers_told(&self, name: &str) -> usize {
        let events = self.hosts[name].outputs.iter().filter(|output| {
            let Output::Event(event) = output else { return false };
            matches!(event.kind, EventKind::Job { step: Step::Answered { .. } | Step::Failed { .. }, .. })
        });
        events.count()
    }

    pub fn bundles(&self, name: &str) -> usize {
        self.agent(name).bundles().len()
    }

    pub fn sent(&self, name: &str) -> Vec<BundleId> {
        let outputs = self.hosts[name].outputs.iter();
        let sent = outputs.filter_map(|output| match output {
            Output::Transmit { outgoing, .. } => Some(outgoing.bundle.clone()),
            _ => None,
        });
        sent.collect()
    }

    /// No store holds for long what its agent does not need.
    pub fn check_stores(&mut self) {
        self.pass(limits::RELEASE_PAUSE);
        for (name, host) in &self.hosts {
            let held: BTreeSet<Digest> = host.store.keys().copied().collect();
            assert_eq!(held, host.agent.blocks(), "{name} holds what it does not need");
        }
    }
}
