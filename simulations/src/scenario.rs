//! What is written in a scenario file: who is there, who meets whom, what is asked and what goes wrong.
//! Values only; `world` makes a world of them.

use serde::Deserialize;

use crate::{link::LinkModel, pattern::Pattern};

/// Scenarios that come with the program, by name.
const SHIPPED: [(&str, &str); 6] = [
    ("village_bus", include_str!("../scenarios/village_bus.toml")),
    ("mule_chain", include_str!("../scenarios/mule_chain.toml")),
    ("split_brain", include_str!("../scenarios/split_brain.toml")),
    ("field_radio", include_str!("../scenarios/field_radio.toml")),
    ("ferry", include_str!("../scenarios/ferry.toml")),
    ("short_frames", include_str!("../scenarios/short_frames.toml")),
];

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, for reports.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// How long people ask and things go wrong.
    pub busy_hours: u64,
    /// How long nothing goes wrong after that, so that everything can come to its end.
    pub calm_hours: u64,
    /// Who is there.
    #[serde(rename = "host")]
    pub hosts: Vec<HostPlan>,
    /// Who meets whom.
    #[serde(rename = "pattern")]
    pub patterns: Vec<PatternPlan>,
    /// What is asked.
    pub workload: WorkloadPlan,
    /// What goes wrong.
    #[serde(default)]
    pub faults: FaultPlan,
}

/// A host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPlan {
    /// What it is called.
    pub name: String,
    /// Whether people ask there.
    #[serde(default)]
    pub asks: bool,
    /// Whether it has a clock.
    #[serde(default)]
    pub clock: bool,
    /// Room for blocks, in KiB.
    #[serde(default = "quota_kib")]
    pub quota_kib: u64,
    /// Kinds of work that its engine does; none: it has no engine.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// How long a task takes at least, in seconds.
    #[serde(default = "task_seconds")]
    pub task_seconds: u64,
    /// Whether it makes status reports.
    #[serde(default)]
    pub reports: bool,
    /// Names of the models that it holds.
    #[serde(default)]
    pub models: Vec<String>,
}

/// Who meets whom, and over what.
#[derive(Clone, Debug, Deserialize)]
pub struct PatternPlan {
    /// Over what.
    pub link: LinkModel,
    /// Who and when.
    #[serde(flatten)]
    pub pattern: Pattern,
}

/// What is asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadPlan {
    /// How many jobs.
    pub jobs: u64,
    /// Models that jobs name; none: every job is an echo.
    #[serde(default)]
    pub models: Vec<String>,
    /// How many of a thousand jobs are echoes.
    #[serde(default)]
    pub echo_per_mille: u64,
    /// How many of a thousand jobs have an input that travels on its own.
    #[serde(default)]
    pub linked_per_mille: u64,
    /// How many of a thousand jobs are asked again later by the same host.
    #[serde(default)]
    pub again_per_mille: u64,
    /// How many of a thousand jobs are asked by a second host, too.
    #[serde(default)]
    pub shared_per_mille: u64,
    /// How many of a thousand jobs are taken back.
    #[serde(default)]
    pub cancelled_per_mille: u64,
    /// How many of a thousand jobs have a lifetime so short that some expire.
    #[serde(default)]
    pub short_per_mille: u64,
    /// Longest input in bytes.
    pub input_bytes_max: u64,
    /// How many parcels each host that asks sends to another one that does.
    #[serde(default)]
    pub parcels: u64,
    /// Longest parcel in bytes, besides its name.
    #[serde(default)]
    pub parcel_bytes_max: u64,
    /// In which of the first minutes parcels are sent; zero: as long as people ask.
    #[serde(default)]
    pub parcel_minutes: u64,
    /// How many of a thousand parcels have a lifetime so short that some expire.
    #[serde(default)]
    pub parcel_short_per_mille: u64,
}

/// What goes wrong: how many times in the busy phase, at any host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultPlan {
    /// Crashes in the middle of something.
    pub crashes: u64,
    /// Power cuts between two things.
    pub power_offs: u64,
    /// Contacts that end early.
    pub cuts: u64,
    /// Bundles that arrive twice.
    pub duplicates: u64,
    /// Acknowledgements that are lost with their contact.
    pub lost_acknowledgements: u64,
    /// Clocks that are set to another time.
    pub clock_jumps: u64,
    /// By how much at most, in minutes.
    pub clock_jump_minutes: u64,
    /// Disks that something else fills for a while.
    pub full_disks: u64,
    /// Tasks that fail.
    pub task_failures: u64,
    /// Engines that are away for a while.
    pub engine_losses: u64,
    /// Radios that are switched off for a while.
    pub silences: u64,
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Not the text of a scenario.
    #[error("the scenario cannot be read: {0}")]
    Malformed(#[from] toml::de::Error),
    /// It names what it does not have.
    #[error("`{0}` is no host of the scenario")]
    UnknownHost(String),
    /// It names a kind of work that there is not.
    #[error("`{0}` is no kind of work")]
    UnknownKind(String),
    /// Nobody asks.
    #[error("no host asks: at least one needs `asks = true`")]
    NobodyAsks,
    /// Two hosts have one name.
    #[error("two hosts are called `{0}`")]
    SameName(String),
    /// A line of a contact trace makes no sense.
    #[error("line {line} of the trace: {why}")]
    Trace {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl Scenario {
    /// Reads a scenario and checks that it names only what it has.
    ///
    /// # Errors
    /// See [`ScenarioError`].
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        for (place, host) in scenario.hosts.iter().enumerate() {
            if scenario.hosts[..place].iter().any(|other| other.name == host.name) {
                return Err(ScenarioError::SameName(host.name.clone()));
            }
            if let Some(kind) = host.kinds.iter().find(|kind| kind.parse::<bundle_spec::adu::Kind>().is_err())
            {
                return Err(ScenarioError::UnknownKind(kind.clone()));
            }
        }
        for plan in &scenario.patterns {
            for name in plan.pattern.names()? {
                if scenario.hosts.iter().all(|host| host.name != name) {
                    return Err(ScenarioError::UnknownHost(name));
                }
            }
        }
        if scenario.hosts.iter().all(|host| !host.asks) {
            return Err(ScenarioError::NobodyAsks);
        }
        Ok(scenario)
    }

    /// The text of a scenario that comes with the program.
    #[must_use]
    pub fn shipped(name: &str) -> Option<&'static str> {
        SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
    }

    /// Names of the scenarios that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// When the busy phase ends, in milliseconds from the beginning.
    #[must_use]
    pub fn busy_ms(&self) -> u64 {
        self.busy_hours * 3_600_000
    }

    /// When the world ends, in milliseconds from the beginning.
    #[must_use]
    pub fn end_ms(&self) -> u64 {
        (self.busy_hours + self.calm_hours) * 3_600_000
    }

    /// The place of a host in the list.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.name == name)
    }
}

const fn quota_kib() -> u64 {
    64 * 1024
}

const fn task_seconds() -> u64 {
    20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_one() {
        for name in Scenario::names() {
            let scenario = Scenario::parse(Scenario::shipped(name).unwrap()).unwrap();
            assert_eq!(scenario.name, name);
        }
    }

    #[test]
    fn a_scenario_that_names_an_unknown_host_is_refused() {
        let text = Scenario::shipped("village_bus").unwrap().replace("name = \"bus\"", "name = \"boat\"");
        let error = Scenario::parse(&text).unwrap_err();
        assert_eq!(error.to_string(), "`bus` is no host of the scenario");
    }
}
