//! The bundle protocol agent as a state machine: the only type that a driver (the node, the simulator)
//! drives.
//!
//! One file per procedure of RFC 9171 section 5 and of the work with jobs; each adds private methods to
//! [`Agent`]. Nothing here reads a clock, draws a number that was not seeded, or touches a payload.

mod answer;
mod clearance;
mod deliver;
mod dispatch;
mod endpoints;
mod event;
mod expire;
mod forward;
mod fragmentation;
mod gathering;
mod getters;
mod handover;
mod ingress;
mod input;
mod jobs;
mod ledger;
mod link;
mod mint;
mod models;
mod output;
mod possessions;
mod reassemble;
mod receipts;
mod record;
mod registration;
mod report;
mod restore;
mod road;
mod run;
mod screening;
mod sealed;
mod submit;
mod summary;
#[cfg(test)]
mod tests;
mod timers;
mod view;
mod write;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bundle_spec::{Digest, Header, NodeId, security::Policy, sign::SigningKey};

pub use self::{
    clearance::Withheld,
    endpoints::{ANSWERS, BLOCKS, ECHO, JOBS},
    event::{Event, EventKind, JourneyEntry, Step},
    input::{
        Assembled, AssemblyError, CallId, CloseReason, EngineState, Input, LinkClass, LinkId, NewBundle,
        NewJob, Refusal, Resources, Submission, TaskOutcome, Terms,
    },
    output::{Answer, Outgoing, Output, Part, Reason, SubmitError, Task, TaskModel},
    record::{
        AskerRecord, BundleRecord, JobRecord, JobState, JobWork, ModelRecord, Record, RecordError, RecordKey,
        Retention, Seal,
    },
    view::{BundleView, EndpointView, JobView, LinkView, ModelView, PeerView, StatusView, WaitingView},
};
use self::{
    handover::Handovers,
    ingress::Read,
    jobs::Jobs,
    ledger::Ledger,
    link::Link,
    mint::Mint,
    models::{Model, Peer},
    reassemble::Assemblies,
    receipts::Receipts,
    registration::Registrations,
    report::Reports,
    run::Tasks,
};
use crate::{content::Content, route::Router, time::Time};

/// What an agent is told once.
#[derive(Clone)]
pub struct Config {
    /// Who it is.
    pub node: NodeId,
    /// Its key: receipts are signed with it.
    pub key: SigningKey,
    /// Version of the software, for adverts.
    pub version: String,
    /// How many bundles are held at a time, at most `limits::BUNDLES_MAX`.
    pub bundles_max: usize,
    /// Whether status reports are made for bundles that ask for them.
    pub status_reports: bool,
    /// Who secures what: bundles that leave encrypted are kept from links where that is forbidden.
    pub rules: Policy,
}

/// The agent of one node. Three kinds of methods: getters that change nothing; [`Agent::handle`], which takes
/// what has happened; [`Agent::poll`], which gives what is to be done, in the order in which it is to be
/// done.
pub struct Agent {
    /// What it was told once.
    config: Config,
    /// Which contact gets which bundle.
    router: Box<dyn Router>,
    /// The time of the input that is being handled, or of the last one.
    now: Time,
    /// Wall clock and identities of new bundles.
    mint: Mint,
    /// Bundles.
    ledger: Ledger,
    /// Parts of bundles that were handed on.
    handovers: Handovers,
    /// Bundles that are put together from fragments.
    assemblies: Assemblies,
    /// Jobs.
    jobs: Jobs,
    /// Blocks.
    content: Content,
    /// Assets by name.
    models: BTreeMap<String, Model>,
    /// Jobs that are over.
    receipts: Receipts,
    /// Endpoints that applications asked for.
    registrations: Registrations,
    /// Status reports on their way out.
    reports: Reports,
    /// Contacts.
    links: BTreeMap<LinkId, Link>,
    /// Nodes that were met.
    peers: BTreeMap<NodeId, Peer>,
    /// Tasks that run, and jobs whose placement is to be looked at.
    tasks: Tasks,
    /// What is at disposal; `None` until the driver has said so.
    resources: Option<Resources>,
    /// What is to be done.
    outputs: VecDeque<Output>,
    /// What has happened, told once everything else of this input is on its way.
    events: Vec<Event>,
}

impl Agent {
    /// Something has happened. The only mutation.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Deadline => {}
            Input::Submit { call, submission } => self.submit(call, submission),
            Input::Cancel { call, job } => self.cancel(call, job),
            Input::Register { call, endpoint } => self.register(call, endpoint),
            Input::Unregister { call, endpoint } => self.unregister(call, &endpoint),
            Input::Claim { call, bundle, reader, hold } => self.claim(call, &bundle, reader, hold),
            Input::Take { call, bundle } => self.take(call, &bundle),
            Input::ModelAdded { call, name, manifest, adu, blocks } => {
                self.add_model(call, ModelRecord { name, manifest, adu, blocks });
            }
            Input::ModelDropped { call, name } => self.drop_model(call, &name),
            Input::ContactOpened { link, peer, class } => self.open_contact(link, peer, class),
            Input::ContactClosed { link, reason } => self.close_contact(link, reason),
            Input::Measured { link, round_trip, rate } => {
                if let Some(peer) = self.links.get(&link).and_then(|link| link.peer.as_ref()) {
                    self.router.measured(self.now, peer, round_trip, rate);
                }
            }
            Input::Heard { link, adu } => self.hear(link, &adu),
            Input::Received { link, header, payload, adu, opened } => {
                self.receive(link, header, payload, Read { adu, opened });
            }
            Input::Distrusted { link, header, payload, reason, report } => {
                self.distrust(link, &header, (&payload, reason, report));
            }
            Input::Transmitted { link, bundle } => self.transmitted(link, &bundle),
            Input::Refused { link, bundle, reason } => self.refused(link, &bundle, reason),
            Input::Interrupted { link, bundle, acknowledged } => {
                self.interrupted(link, &bundle, acknowledged);
            }
            Input::BlockGained { block } => {
                self.gain_block(&block);
                self.send_report(&block);
            }
            Input::BlockLost { cid } => self.lose_block(cid.digest()),
            Input::Assembled { bundle, result } => self.assembled(&bundle, result),
            Input::TaskEnded { task, outcome } => self.end_task(task, outcome),
            Input::Opened { job, adu } => self.open_job(&job, &adu),
            Input::Resources(resources) => self.take_resources(resources),
            Input::ClockSet { wall, error: _ } => self.mint.set_clock(self.now, wall),
        }
        self.finish();
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What follows from any input: deadlines that have passed, tasks that may begin, bundles that may go,
    /// and at last what people are told and what nobody needs any more.
    fn finish(&mut self) {
        self.expire();
        self.assemble();
        self.run_jobs();
        self.offer_all();
        self.outputs.extend(self.events.drain(..).map(Output::Event));
        while let Some(cid) = self.content.poll_released(self.now) {
            self.outputs.push_back(Output::Release { cid });
        }
    }

    /// Whether a bundle would be taken, before its payload comes. Pure.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, now: Time, link: LinkId, header: &Header) -> Result<(), Refusal> {
        self.judge(now, header)?;
        self.judge_clearance(link, header)?;
        let free = self.resources.as_ref().map_or(u64::MAX, |resources| resources.store_free);
        if header.payload_len() > free {
            return Err(Refusal::NoRoom);
        }
        self.judge_fragment(header, free)
    }

    /// Every block that something here needs; anything else in the store may go.
    #[must_use]
    pub fn blocks(&self) -> BTreeSet<Digest> {
        self.content.blocks()
    }
}
