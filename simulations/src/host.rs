//! One host: a real agent, a disk, an engine, a clock. Drains the agent as the node does; what an output
//! does to the world is the world's business.

use std::{collections::BTreeMap, time::Duration};

use bundle_spec::{BundleId, Digest, DtnTime, NodeId, security::Policy, sign::SigningKey};
use pannier::{
    agent::{Agent, CallId, Config, EngineState, Input, Output, Record, Resources},
    limits,
    route::Epidemic,
    time::Time,
};

use crate::{
    dice::Dice,
    disk::Disk,
    engine::Running,
    scenario::HostPlan,
    workload::{Order, Parcel},
};

/// DTN time at the beginning of every world, in milliseconds: some day in 2025.
pub const EPOCH: u64 = 800_000_000_000;
/// Hosts started before the world, each at another time, by at most this many milliseconds.
const AGE_MS_MAX: u64 = 30 * 24 * 3_600_000;

/// A defect that a test builds in, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// One record of a class is never written: the class as in `RecordKey::to_bytes`, and how many of it
    /// come before.
    DropRecord {
        /// Which class.
        class: u8,
        /// How many are written before.
        after: u64,
    },
    /// A task that has ended is told of twice, the second time under a new signature.
    RunTwice,
    /// Acknowledgements are sent before their records are written.
    AcknowledgeEarly,
}

/// One host.
pub struct Host {
    /// What the scenario says of it.
    pub plan: HostPlan,
    /// Who it is.
    pub node: NodeId,
    /// Its key.
    pub key: SigningKey,
    /// The agent, while the host is up.
    pub agent: Option<Agent>,
    /// What survives.
    pub disk: Disk,
    /// Tasks that run, by job.
    pub tasks: BTreeMap<Digest, Running>,
    /// Commands that have no answer yet.
    pub calls: BTreeMap<CallId, Call>,
    /// Parcels that were being taken when it went down.
    pub unsure: Vec<BundleId>,
    /// How many times it has started.
    pub boots: u64,
    /// How old it was when the world began, in milliseconds.
    pub age: u64,
    /// How wrong its clock is, in milliseconds.
    pub clock_error: i64,
    /// Whether its radio is on.
    pub has_radio: bool,
    /// Whether its engine is there.
    pub has_engine: bool,
    /// Whether its next task fails.
    pub fails_next: bool,
    /// Whether the next bundle arrives twice.
    pub duplicates_next: bool,
    /// Whether the next acknowledgement is lost with its contact.
    pub loses_acknowledgement: bool,
    /// After how many more records and effects it crashes, and for how long it is down then.
    pub crash_after: Option<(u64, u64)>,
    /// When the world will wake it.
    pub wake_at: Option<u64>,
    /// What it told the agent of its resources last.
    pub told: Option<Resources>,
    /// What is wrong with it on purpose.
    pub sabotage: Option<Sabotage>,
    /// How many records of the class that is sabotaged were seen.
    sabotaged: u64,
    /// The name of the next command.
    next_call: u64,
    /// Seeds for its agents.
    dice: Dice,
}

/// A command whose answer is waited for.
#[derive(Clone, Debug)]
pub enum Call {
    /// Somebody asked.
    Submit {
        /// What.
        order: Order,
    },
    /// Somebody took back.
    Cancel {
        /// What.
        order: Order,
    },
    /// Somebody sent a parcel.
    Post {
        /// What.
        parcel: Parcel,
    },
    /// Somebody took a parcel.
    Take {
        /// Which.
        bundle: BundleId,
    },
    /// A model was added.
    AddModel,
}

impl Host {
    /// A host that is down, with an empty disk.
    #[must_use]
    pub fn new(plan: HostPlan, mut dice: Dice) -> Self {
        let key = SigningKey::from_bytes(&dice.secret());
        Self {
            node: key.public().node_id(),
            key,
            agent: None,
            disk: Disk::new(plan.quota_kib * 1024),
            tasks: BTreeMap::new(),
            calls: BTreeMap::new(),
            unsure: Vec::new(),
            boots: 0,
            age: dice.below(AGE_MS_MAX),
            clock_error: 0,
            has_radio: true,
            has_engine: true,
            fails_next: false,
            duplicates_next: false,
            loses_acknowledgement: false,
            crash_after: None,
            wake_at: None,
            told: None,
            sabotage: None,
            sabotaged: 0,
            next_call: 1,
            plan,
            dice,
        }
    }

    /// The host's own time.
    #[must_use]
    pub fn time(&self, now: u64) -> Time {
        Time(now + self.age)
    }

    /// The world's time at a time of this host.
    #[must_use]
    pub fn world_time(&self, time: Time) -> u64 {
        time.0.saturating_sub(self.age)
    }

    /// What its clock says; nothing without one.
    #[must_use]
    pub fn wall(&self, now: u64) -> Option<Input> {
        let wall = (EPOCH + now).saturating_add_signed(self.clock_error);
        self.plan.clock.then_some(Input::ClockSet { wall: DtnTime(wall), error: Duration::from_secs(1) })
    }

    /// What it has at its disposal.
    #[must_use]
    pub fn resources(&self) -> Resources {
        let kinds: Vec<_> = self.plan.kinds.iter().filter_map(|kind| kind.parse().ok()).collect();
        let engine = EngineState { name: "model".to_owned(), fingerprint: "simulated 1".to_owned(), kinds };
        let has_engine = self.has_engine && !engine.kinds.is_empty();
        Resources {
            // In steps, so that not every bundle is a change.
            store_free: self.disk.free() / 4096 * 4096,
            engines: has_engine.then_some(engine).into_iter().collect(),
            slots: limits::TASKS_MAX,
        }
    }

    /// Starts the agent from what is durable.
    ///
    /// # Errors
    /// What cannot be read of it, or which block is missing that a record speaks of.
    pub fn start(&mut self, now: u64) -> Result<(), String> {
        let config = Config {
            node: self.node.clone(),
            key: self.key.clone(),
            version: "simulated".to_owned(),
            bundles_max: limits::BUNDLES_MAX,
            status_reports: self.plan.reports,
            rules: Policy::default(),
        };
        let records = self.disk.recover()?;
        let seed = self.dice.secret();
        let agent = Agent::restore(config, Box::new(Epidemic), seed, records, self.time(now));
        let needed = agent.blocks();
        if let Some(missing) = needed.iter().find(|digest| !self.disk.is_durable(digest)) {
            return Err(format!("a record speaks of the block {} that is not there", hex(missing)));
        }
        self.disk.sweep(&needed);
        self.agent = Some(agent);
        self.boots += 1;
        Ok(())
    }

    /// Everything volatile is lost. Says which commands were open.
    pub fn stop(&mut self) -> Vec<Call> {
        self.agent = None;
        self.disk.crash();
        self.tasks.clear();
        self.crash_after = None;
        self.wake_at = None;
        self.told = None;
        std::mem::take(&mut self.calls).into_values().collect()
    }

    /// Names a command whose answer is waited for.
    pub fn call(&mut self, call: Call) -> CallId {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.calls.insert(id, call);
        id
    }

    /// Everything that is to be done, in order; records first, as the node does it.
    pub fn drain(&mut self) -> (Vec<Record>, Vec<Output>) {
        let (mut records, mut effects) = (Vec::new(), Vec::new());
        while let Some(output) = self.agent.as_mut().and_then(Agent::poll) {
            match output {
                Output::Record(record) => records.push(record),
                effect => effects.push(effect),
            }
        }
        (records, effects)
    }

    /// Writes a record, unless that is sabotaged.
    pub fn append(&mut self, record: &Record) {
        if let Some(Sabotage::DropRecord { class, after }) = self.sabotage
            && record.key().to_bytes().first() == Some(&class)
        {
            self.sabotaged += 1;
            if self.sabotaged == after + 1 {
                return;
            }
        }
        self.disk.append(record);
    }

    /// One record or effect has been dealt with: whether the host crashes here, and for how long it is down
    /// then.
    pub fn count_step(&mut self) -> Option<u64> {
        match &mut self.crash_after {
            Some((0, down_ms)) => Some(*down_ms),
            Some((steps, _)) => {
                *steps -= 1;
                None
            }
            None => None,
        }
    }
}

/// The first digits of a digest.
#[must_use]
pub fn hex(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
