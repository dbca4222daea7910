//! A world: many hosts in virtual time, driven by one heap of what is due. The other loop besides
//! `node::Node::run`. Scenario and seed decide everything that happens here.

mod command;
mod execute;
mod fault;
mod meet;
mod parcel;
mod transfer;

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bundle_spec::{BlockRef, BundleId, Cid, Digest};
use bytes::Bytes;
use pannier::agent::{CloseReason, Input, LinkId, Part, Refusal};

use crate::{
    check::{self, Check, Violation, WorldView},
    dice::Dice,
    event::WorldEvent,
    host::{Host, Sabotage},
    link::{Contact, LinkModel, Transfer},
    pattern::Meeting,
    reference::Reference,
    report::Log,
    scenario::Scenario,
    transition::{self, Dated, Transition},
    workload,
};

/// Streams of one seed, so that a change of one part does not shuffle the others.
mod purpose {
    pub(super) const LINKS: u64 = 1;
    pub(super) const MEETINGS: u64 = 2;
    pub(super) const ORDERS: u64 = 3;
    pub(super) const FAULTS: u64 = 4;
    pub(super) const PARCELS: u64 = 5;
    pub(super) const HOSTS: u64 = 16;
}

/// Something that will happen.
#[derive(Clone, Debug)]
enum Due {
    /// A host starts.
    Boot { host: usize },
    /// A host's agent wants to be woken.
    Wake { host: usize },
    /// The agent is told what is at its disposal.
    Look { host: usize, boot: u64 },
    /// Two hosts come near each other.
    Near { meeting: Meeting, model: LinkModel },
    /// They go apart.
    Far { meeting: Meeting },
    /// They try to make contact again.
    Dial { pair: (usize, usize) },
    /// A transition.
    Happen(Box<Transition>),
    /// A frame arrives at an end of a contact.
    Frame { link: LinkId, to: usize, frame: Frame },
    /// The last byte of a transfer is sent, or it breaks off.
    Sent { link: LinkId, from: usize, number: u64, is_broken: bool },
    /// A contact breaks.
    Break { link: LinkId },
    /// A task ends.
    Task { host: usize, boot: u64, job: Digest, run_ms: u64 },
    /// Somebody fetches what waits.
    Fetch { host: usize, boot: u64 },
    /// A block that an agent wanted is in the store.
    Gained { host: usize, boot: u64, block: BlockRef },
    /// A host has put a bundle together.
    Assembled { host: usize, boot: u64, bundle: BundleId, parts: Vec<Part> },
    /// A task that was to be stopped has stopped.
    Stopped { host: usize, boot: u64, job: Cid },
}

/// What goes from one end of a contact to the other.
#[derive(Clone, Debug)]
enum Frame {
    /// Something that an agent says.
    Announce(Bytes),
    /// The header of a transfer.
    Header(Box<Transfer>),
    /// The last byte of a transfer.
    Whole(Box<Transfer>),
    /// A bundle is durable at the receiver.
    Acknowledge(BundleId),
    /// A bundle is not taken.
    Refuse(BundleId, Refusal),
    /// Both ends are done.
    Close,
    /// To the own end: a transfer was given up before it began.
    Dropped(BundleId),
}

/// A world.
pub struct World {
    /// What it is made of.
    scenario: Scenario,
    /// Milliseconds since its beginning.
    now: u64,
    /// What will happen, in order.
    heap: BTreeMap<(u64, u64), Due>,
    /// How many things were ever put into the heap.
    scheduled: u64,
    /// Everybody.
    hosts: Vec<Host>,
    /// Who is near whom, until when and over what.
    near: BTreeMap<(usize, usize), (u64, LinkModel)>,
    /// Contacts that are open.
    contacts: BTreeMap<LinkId, Contact>,
    /// The name of the next contact and the next transfer.
    next_number: u64,
    /// What links do.
    dice: Dice,
    /// What should be true.
    reference: Reference,
    /// Who looks whether it is.
    checks: Vec<Box<dyn Check>>,
    /// The first thing that is not.
    failure: Option<Failure>,
    /// What has happened.
    log: Log,
}

/// A check has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub check: &'static str,
    /// When, in milliseconds.
    pub at: u64,
    /// At which host.
    pub host: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("the world");
        write!(f, "{} at {} ms, {host}: {}", self.check, self.at, self.what)
    }
}

/// What is left of a world that has come to its end.
pub struct Outcome {
    /// What should be true, and with it what was promised and done.
    pub reference: Reference,
    /// What was not true.
    pub failure: Option<Failure>,
    /// What has happened.
    pub log: Log,
}

impl World {
    /// The world of a scenario and a seed.
    #[must_use]
    pub fn new(scenario: Scenario, seed: u64, log: Log) -> Self {
        let mut world = Self::bare(scenario, seed, log);
        let orders = workload::orders(&world.scenario, &mut Dice::new(seed, purpose::ORDERS));
        let faults = transition::faults(&world.scenario, &mut Dice::new(seed, purpose::FAULTS));
        let parcels = workload::parcels(&world.scenario, &mut Dice::new(seed, purpose::PARCELS));
        world.plan(orders.into_iter().chain(faults).chain(parcels));
        world
    }

    /// The world of a scenario and a seed in which nobody asks and nothing goes wrong.
    #[must_use]
    pub fn bare(scenario: Scenario, seed: u64, log: Log) -> Self {
        let plans = scenario.hosts.iter().cloned().zip(purpose::HOSTS..);
        let hosts = plans.map(|(plan, purpose)| Host::new(plan, Dice::new(seed, purpose))).collect();
        let mut world = Self {
            now: 0,
            heap: BTreeMap::new(),
            scheduled: 0,
            hosts,
            near: BTreeMap::new(),
            contacts: BTreeMap::new(),
            next_number: 1,
            dice: Dice::new(seed, purpose::LINKS),
            reference: Reference::default(),
            checks: check::all(),
            failure: None,
            log,
            scenario,
        };
        for host in 0..world.hosts.len() {
            world.schedule(0, Due::Boot { host });
        }
        let mut dice = Dice::new(seed, purpose::MEETINGS);
        let plans = world.scenario.patterns.clone();
        for plan in plans {
            for meeting in plan.pattern.meetings(&world.scenario, &mut dice) {
                world.schedule(meeting.from, Due::Near { meeting, model: plan.link });
                world.schedule(meeting.to, Due::Far { meeting });
            }
        }
        let relief = transition::relief(world.hosts.len());
        let busy = world.scenario.busy_ms();
        world.plan(relief.into_iter().map(|transition| (busy, transition)));
        world
    }

    /// These things will happen, too.
    pub fn plan(&mut self, dated: impl IntoIterator<Item = Dated>) {
        for (at, transition) in dated {
            self.schedule(at, Due::Happen(Box::new(transition)));
        }
    }

    /// Builds a defect into a host, to see that it is found.
    pub fn sabotage(&mut self, host: usize, sabotage: Sabotage) {
        self.hosts[host].sabotage = Some(sabotage);
    }

    /// Runs to the end of the scenario, or to the first violation.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        let end = self.scenario.end_ms();
        while let Some(next) = self.heap.first_entry().filter(|next| next.key().0 <= end) {
            let ((at, _), due) = next.remove_entry();
            assert!(at >= self.now, "time never runs backwards");
            self.now = at;
            // A broken invariant of an agent is a violation like any other: the seed is worth more than the
            // trace.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.happen(due))) {
                let what = words(panic.as_ref());
                self.failure = Some(Failure { check: "panic", at, host: None, what });
            }
            if self.failure.is_some() {
                break;
            }
        }
        if self.failure.is_none() {
            self.now = end;
            self.each_check(|check, view| check.finish(view));
        }
        if let Some(failure) = &self.failure {
            self.log.failure(failure);
        }
        Outcome { reference: self.reference, failure: self.failure, log: self.log }
    }

    /// Something that was due happens.
    fn happen(&mut self, due: Due) {
        match due {
            Due::Boot { host } => self.boot(host),
            Due::Wake { host } => self.wake(host),
            Due::Look { host, boot } => self.look(host, boot),
            Due::Near { meeting, model } => self.come_near(meeting, model),
            Due::Far { meeting } => self.go_far(meeting),
            Due::Dial { pair } => self.dial(pair),
            Due::Happen(transition) => self.transit(*transition),
            Due::Frame { link, to, frame } => self.take_frame(link, to, frame),
            Due::Sent { link, from, number, is_broken } => self.sent(link, from, number, is_broken),
            Due::Break { link } => self.close(link, CloseReason::Lost),
            Due::Task { host, boot, job, run_ms } => self.end_task(host, boot, &job, run_ms),
            Due::Fetch { host, boot } => self.fetch(host, boot),
            Due::Gained { host, boot, block } => self.gained(host, boot, block),
            Due::Assembled { host, boot, bundle, parts } => self.assembled(host, boot, bundle, &parts),
            Due::Stopped { host, boot, job } => self.stopped(host, boot, job),
        }
    }

    /// Something will happen; of two things at one time the one that was planned first comes first.
    fn schedule(&mut self, at: u64, due: Due) {
        self.scheduled += 1;
        self.heap.insert((at.max(self.now), self.scheduled), due);
    }

    /// A number that no contact and no transfer has.
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Something has happened: the log, the reference and the checks are told.
    fn tell(&mut self, event: &WorldEvent) {
        if self.failure.is_some() {
            return;
        }
        self.log.event(self.now, event, &self.hosts);
        self.reference.observe(self.now, event);
        let now = self.now;
        self.each_check(|check, view| check.observe(now, event, view));
    }

    /// Something that cannot be.
    fn wrong(&mut self, host: usize, what: impl Into<String>) {
        self.tell(&WorldEvent::Wrong { host, what: what.into() });
    }

    fn each_check(&mut self, mut look: impl FnMut(&mut dyn Check, &WorldView<'_>) -> Result<(), Violation>) {
        let view = WorldView { now: self.now, hosts: &self.hosts, reference: &self.reference };
        for check in &mut self.checks {
            if let Err(violation) = look(check.as_mut(), &view) {
                self.failure = Some(Failure {
                    check: check.name(),
                    at: self.now,
                    host: violation.host.map(|host| self.hosts[host].plan.name.clone()),
                    what: violation.what,
                });
                return;
            }
        }
    }

    /// Something has happened to an agent: exactly one mutation, then everything that it asks for.
    fn feed(&mut self, host: usize, input: Input) {
        let now = self.hosts[host].time(self.now);
        let Some(agent) = &mut self.hosts[host].agent else { return };
        agent.handle(now, input);
        self.drain(host);
    }

    /// The agent's deadline has come.
    fn wake(&mut self, host: usize) {
        if self.hosts[host].wake_at != Some(self.now) {
            return;
        }
        self.hosts[host].wake_at = None;
        self.tell(&WorldEvent::Woken { host });
        self.feed(host, Input::Deadline);
    }

    /// Plans to wake an agent when it wants to be.
    fn plan_wake(&mut self, host: usize) {
        let it = &self.hosts[host];
        let deadline = it.agent.as_ref().and_then(pannier::agent::Agent::next_deadline);
        let at = deadline.map(|(time, _)| it.world_time(time).max(self.now));
        if at != it.wake_at {
            self.hosts[host].wake_at = at;
            if let Some(at) = at {
                self.schedule(at, Due::Wake { host });
            }
        }
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}
