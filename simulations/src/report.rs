//! What a world leaves behind: lines of events, and figures. Everything here follows from scenario, seed
//! and commit.

use std::fmt::Write as _;

use pannier::agent::{Event, EventKind, Step};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    event::WorldEvent,
    host::Host,
    world::{Failure, Outcome},
};

/// The commit from which the program was built, or `unknown`.
#[must_use]
pub fn commit() -> &'static str {
    match env!("PANNIER_COMMIT") {
        "" => "unknown",
        commit => commit,
    }
}

/// What has happened, a line of JSON each.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The lines; `None` if nobody will read them.
    lines: Option<String>,
}

impl Log {
    /// A log that keeps its lines.
    #[must_use]
    pub fn kept() -> Self {
        Self { lines: Some(String::new()) }
    }

    /// The lines, if they were kept.
    #[must_use]
    pub fn lines(&self) -> &str {
        self.lines.as_deref().unwrap_or_default()
    }

    /// Something has happened.
    pub fn event(&mut self, now: u64, event: &WorldEvent, hosts: &[Host]) {
        let Some(lines) = &mut self.lines else { return };
        let Some((name, host, mut fields)) = describe(event, hosts) else { return };
        fields.insert("t".to_owned(), now.into());
        fields.insert("event".to_owned(), name.into());
        fields.insert("host".to_owned(), hosts[host].plan.name.clone().into());
        let line = Value::Object(fields);
        writeln!(lines, "{line}").expect("text takes every line");
    }

    /// A check has failed.
    pub fn failure(&mut self, failure: &Failure) {
        let Some(lines) = &mut self.lines else { return };
        let line = json!({
            "t": failure.at, "event": "violation", "host": failure.host, "check": failure.check,
            "what": failure.what,
        });
        writeln!(lines, "{line}").expect("text takes every line");
    }
}

/// The name of an event, its host, and what else there is to say; `None` for what nobody wants to read.
fn describe(event: &WorldEvent, hosts: &[Host]) -> Option<(&'static str, usize, Map<String, Value>)> {
    let name = |host: &usize| hosts[*host].plan.name.clone();
    let (kind, host, fields) = match event {
        WorldEvent::Accepted { host, job, is_answered, until } => {
            ("accepted", host, json!({ "job": job.to_string(), "is_answered": is_answered, "until": until }))
        }
        WorldEvent::Rejected { host, job, why } => {
            ("rejected", host, json!({ "job": job.to_string(), "why": why }))
        }
        WorldEvent::Cancelled { host, job } => ("cancelled", host, json!({ "job": job.to_string() })),
        WorldEvent::Posted { host, bundle, to, until } => {
            ("posted", host, json!({ "bundle": bundle.to_string(), "to": name(to), "until": until }))
        }
        WorldEvent::Taken { host, bundle } => ("taken", host, json!({ "bundle": bundle.to_string() })),
        WorldEvent::Started { host, job, fails } => {
            ("started", host, json!({ "job": job.to_string(), "fails": fails }))
        }
        WorldEvent::Completed { host, job, is_success } => {
            ("completed", host, json!({ "job": job.to_string(), "is_success": is_success }))
        }
        WorldEvent::Acknowledged { host, bundle } => {
            ("acknowledged", host, json!({ "bundle": bundle.to_string() }))
        }
        WorldEvent::Down { host, is_crash } => ("down", host, json!({ "is_crash": is_crash })),
        WorldEvent::Up { host } => ("up", host, json!({})),
        WorldEvent::Met { ends, cla } => ("met", &ends[0], json!({ "peer": name(&ends[1]), "cla": cla })),
        WorldEvent::Parted { ends, is_cut } => {
            ("parted", &ends[0], json!({ "peer": name(&ends[1]), "is_cut": is_cut }))
        }
        WorldEvent::Changed { host, what, by } => ("changed", host, json!({ "what": what, "by": by })),
        WorldEvent::Wrong { host, what } => ("wrong", host, json!({ "what": what })),
        WorldEvent::Told { host, event } => return told(*host, event, hosts),
        WorldEvent::Woken { .. } => return None,
    };
    let Value::Object(fields) = fields else { return None };
    Some((kind, *host, fields))
}

fn told(host: usize, event: &Event, hosts: &[Host]) -> Option<(&'static str, usize, Map<String, Value>)> {
    let of = |node: &bundle_spec::NodeId| {
        let known = hosts.iter().find(|host| host.node == *node);
        known.map_or_else(|| node.to_string(), |host| host.plan.name.clone())
    };
    let name = |node: &Option<bundle_spec::NodeId>| node.as_ref().map_or_else(|| "somebody".to_owned(), of);
    let job_text = |job: &Option<bundle_spec::Cid>| job.map(|job| job.to_string());
    let (kind, fields) = match &event.kind {
        // The world tells of contacts itself.
        EventKind::ContactOpened { .. } | EventKind::ContactClosed { .. } => return None,
        EventKind::Received { bundle, peer, job, len } => (
            "received",
            json!({ "bundle": bundle.to_string(), "peer": name(peer), "job": job_text(job), "len": len }),
        ),
        EventKind::Forwarded { bundle, peer, job, len } => (
            "forwarded",
            json!({ "bundle": bundle.to_string(), "peer": name(peer), "job": job_text(job), "len": len }),
        ),
        EventKind::Delivered { bundle, .. } => ("delivered", json!({ "bundle": bundle.to_string() })),
        EventKind::Deleted { bundle, why } => {
            ("deleted", json!({ "bundle": bundle.to_string(), "why": why }))
        }
        EventKind::Reported { report, .. } => ("reported", json!({ "bundle": report.bundle.to_string() })),
        EventKind::Job { job, step } => {
            let step = match step {
                Step::Accepted => "accepted".to_owned(),
                Step::Received { from } => format!("received from {}", name(from)),
                Step::Forwarded { to, cla } => format!("forwarded to {} over {cla}", name(to)),
                Step::Waiting { why } => format!("waiting for {why}"),
                Step::Started { engine } => format!("started on {engine}"),
                Step::Answered { by } => format!("answered by {}", of(by)),
                Step::Failed { by, why } => format!("failed at {}: {why}", of(by)),
                Step::Reported { by, what } => format!("reported by {}: {what}", name(by)),
                Step::Expired => "expired".to_owned(),
                Step::Cancelled => "cancelled".to_owned(),
            };
            ("job", json!({ "job": job.to_string(), "step": step }))
        }
        EventKind::Model { name, held, .. } => ("model", json!({ "name": name, "held": held })),
    };
    let Value::Object(fields) = fields else { return None };
    Some((kind, host, fields))
}

/// The figures of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Who says so.
    pub source: &'static str,
    /// Of which scenario.
    pub scenario: String,
    /// From which seed.
    pub seed: u64,
    /// With which router.
    pub router: &'static str,
    /// Answers that were promised and not taken back.
    pub promised: u64,
    /// How many of these came.
    pub delivered: u64,
    /// How long each took, in milliseconds, in order.
    #[serde(skip)]
    pub delays_ms: Vec<u64>,
    /// Delivered of promised.
    pub delivery_ratio: f64,
    /// Half of the answers took no longer, in seconds.
    pub delay_median_s: f64,
    /// Nine of ten took no longer, in seconds.
    pub delay_p90_s: f64,
    /// How many bundles were handed on.
    pub transmissions: u64,
    /// For each answer that came.
    pub transmissions_per_delivery: f64,
    /// How many tasks have ended with a result.
    pub runs: u64,
    /// What was not true.
    pub violation: Option<String>,
}

impl Summary {
    /// The figures of a world that has come to its end.
    #[must_use]
    pub fn of(scenario: &str, seed: u64, outcome: &Outcome) -> Self {
        let kept = outcome.reference.promises().map(|(_, promise)| promise);
        let kept: Vec<_> = kept.filter(|promise| !promise.is_cancelled).collect();
        let answered = kept.iter().filter_map(|promise| Some(promise.answered_at? - promise.since));
        let delays: Vec<u64> = answered.collect();
        let promised = u64::try_from(kept.len()).expect("a length in memory fits 64 bits");
        let (transmissions, runs) = (outcome.reference.transmissions(), outcome.reference.runs());
        let violation = outcome.failure.as_ref().map(Failure::to_string);
        Self::new(scenario, seed, Figures { promised, delays, transmissions, runs, violation })
    }

    /// The figures of several runs together; `None` of none.
    #[must_use]
    pub fn total(runs: &[Self]) -> Option<Self> {
        let first = runs.first()?;
        let sum = |of: fn(&Self) -> u64| runs.iter().map(of).sum();
        let failed = runs.iter().filter(|run| run.violation.is_some()).count();
        let figures = Figures {
            promised: sum(|run| run.promised),
            delays: runs.iter().flat_map(|run| run.delays_ms.iter().copied()).collect(),
            transmissions: sum(|run| run.transmissions),
            runs: sum(|run| run.runs),
            violation: (failed > 0).then(|| format!("{failed} seeds failed")),
        };
        Some(Self::new(&first.scenario, first.seed, figures))
    }

    fn new(scenario: &str, seed: u64, figures: Figures) -> Self {
        let Figures { promised, delays: mut delays_ms, transmissions, runs, violation } = figures;
        delays_ms.sort_unstable();
        let delivered = u64::try_from(delays_ms.len()).expect("a length in memory fits 64 bits");
        Self {
            source: "pannier",
            scenario: scenario.to_owned(),
            seed,
            router: "epidemic",
            promised,
            delivered,
            delivery_ratio: ratio(delivered, promised),
            delay_median_s: ratio(percentile(&delays_ms, 50), 1000),
            delay_p90_s: ratio(percentile(&delays_ms, 90), 1000),
            delays_ms,
            transmissions,
            transmissions_per_delivery: ratio(transmissions, delivered),
            runs,
            violation,
        }
    }

    /// The figures as a table.
    #[must_use]
    pub fn table(&self, seeds: usize) -> String {
        let hours = |seconds: f64| format!("{:.1} h", seconds / 3600.0);
        let rows = [
            ("scenario", format!("{} ({} router)", self.scenario, self.router)),
            ("seeds", seeds.to_string()),
            ("answers promised", self.promised.to_string()),
            ("answers delivered", format!("{} ({:.1} %)", self.delivered, self.delivery_ratio * 100.0)),
            ("delay, median", hours(self.delay_median_s)),
            ("delay, 90 %", hours(self.delay_p90_s)),
            ("transmissions", self.transmissions.to_string()),
            ("... per delivery", format!("{:.1}", self.transmissions_per_delivery)),
            ("tasks run", self.runs.to_string()),
            ("violations", self.violation.clone().unwrap_or_else(|| "none".to_owned())),
        ];
        rows.iter().map(|(name, value)| format!("{name:<20}{value}\n")).collect()
    }
}

/// What a summary is made of.
struct Figures {
    promised: u64,
    delays: Vec<u64>,
    transmissions: u64,
    runs: u64,
    violation: Option<String>,
}

/// The value below which so many of a hundred lie; zero of none.
fn percentile(sorted: &[u64], hundredths: usize) -> u64 {
    let place = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

/// One number for each of another; zero of none.
fn ratio(of: u64, by: u64) -> f64 {
    let whole = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if by == 0 { 0.0 } else { whole(of) / whole(by) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted: Vec<u64> = (1..=10).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 90), percentile(&[], 50)), (5, 9, 0));
        assert_eq!(percentile(&[7], 90), 7);
    }
}
