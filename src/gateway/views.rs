//! From the agent's views to what our own paths say. Computes, asks nobody.

use bundle_spec::{
    Alias, BundleFlags, Cid, DtnTime, Header, NodeId,
    adu::{Failure, JobResult, Kind, Outcome, Output, Statement},
    manifest::Manifest,
};

use super::{
    wire::{
        BundleWire, ExecutorWire, HeaderWire, JobWire, LinkWire, ModelWire, Moment, OutputWire, ResultWire,
        StepWire, WithheldWire,
    },
    work,
};
use crate::{
    node::mailbox::{
        BundleView, Clock, JobState, JobView, JourneyEntry, LinkView, ModelView, Retention, Step, Withheld,
    },
    time::Time,
};

/// How many characters of an id people get to see.
const SHORT_CHARACTERS: usize = 16;

/// What may be reported of a bundle, in a word.
pub(super) const REPORTS: [(BundleFlags, &str); 4] = [
    (BundleFlags::REPORT_RECEPTION, "received"),
    (BundleFlags::REPORT_FORWARDING, "forwarded"),
    (BundleFlags::REPORT_DELIVERY, "delivered"),
    (BundleFlags::REPORT_DELETION, "deleted"),
];

/// The time at which something is written down.
pub(super) struct Writing {
    now: Time,
    wall: Option<DtnTime>,
}

impl Writing {
    pub(super) fn at(clock: &Clock) -> Self {
        Self { now: clock.now(), wall: clock.wall().map(|(wall, _)| wall) }
    }

    /// A moment by this node's time.
    pub(super) fn moment(&self, at: Time) -> Moment {
        let ago = self.now.since(at);
        let ms = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        let at = self.wall.map(|wall| rfc3339(DtnTime(wall.0.saturating_sub(ms))));
        Moment { at, seconds_ago: ago.as_secs() }
    }

    /// When something ends, in seconds and as a time.
    fn end(&self, at: Time) -> (u64, Option<String>) {
        let left = at.since(self.now);
        let ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        (left.as_secs(), self.wall.map(|wall| rfc3339(DtnTime(wall.0.saturating_add(ms)))))
    }

    /// A job; its journey only if it is asked for.
    pub(super) fn job(&self, view: &JobView, journey: bool) -> JobWire {
        let (expires_in_seconds, expires_at) = self.end(view.expires);
        let steps =
            if journey { view.journey.iter().map(|entry| self.step(entry)).collect() } else { Vec::new() };
        JobWire {
            id: view.job.to_string(),
            state: state(view).to_owned(),
            kind: view.kind.map_or("sealed", Kind::name).to_owned(),
            seal: view.seal.map_or("open", |seal| seal.level.name()).to_owned(),
            model: view.model.clone(),
            mine: view.mine,
            expires_in_seconds,
            expires_at,
            waits_for: view.waits_for.clone(),
            journey: steps,
            result: None,
            executor: None,
        }
    }

    fn step(&self, entry: &JourneyEntry) -> StepWire {
        let mut moment = self.moment(entry.at);
        if entry.wall != 0 {
            moment.at = Some(rfc3339(DtnTime(entry.wall)));
        }
        let (step, node, detail) = step(&entry.step);
        StepWire { step: step.to_owned(), moment, node, detail }
    }

    /// A bundle.
    pub(super) fn bundle(&self, view: &BundleView) -> BundleWire {
        BundleWire {
            id: view.id.to_string(),
            source: view.id.source.to_string(),
            destination: view.destination.to_string(),
            payload: view.payload.cid.to_string(),
            len: view.payload.len,
            received: self.moment(view.received),
            expires_in_seconds: self.end(view.expires).0,
            job: view.job.map(|job| job.to_string()),
            retention: retention(&view.retention).to_owned(),
            header: None,
        }
    }

    /// A bundle and what its header says.
    pub(super) fn bundle_with(&self, view: &BundleView, header: &Header) -> BundleWire {
        BundleWire { header: Some(self::header(header)), ..self.bundle(view) }
    }

    /// A contact.
    pub(super) fn link(&self, view: &LinkView) -> LinkWire {
        LinkWire {
            peer: view.peer.as_ref().map(ToString::to_string),
            cla: view.cla.to_owned(),
            since: self.moment(view.since),
            in_flight: view.in_flight,
            withheld: view.withheld.iter().map(withheld).collect(),
        }
    }
}

fn withheld((why, bundles): &(Withheld, usize)) -> WithheldWire {
    WithheldWire { why: why.words().to_owned(), bundles: *bundles }
}

/// RFC 3339 in UTC with whole seconds.
pub(super) fn rfc3339(time: DtnTime) -> String {
    let whole = DtnTime(time.0 / 1000 * 1000).to_string();
    whole.replace(".000Z", "Z")
}

/// Where a job stands, in a word.
pub(super) fn state(view: &JobView) -> &'static str {
    match view.state {
        JobState::Open if view.running => "running",
        JobState::Open if view.journey.iter().any(|entry| matches!(entry.step, Step::Forwarded { .. })) => {
            "carried"
        }
        JobState::Open => "waiting",
        JobState::Answered { success: true, .. } => "done",
        JobState::Answered { success: false, .. } => "failed",
        JobState::Done => "delivered",
        JobState::Expired => "expired",
        JobState::Cancelled => "cancelled",
    }
}

/// A step: its word, the node it concerns, the rest in words.
pub(super) fn step(step: &Step) -> (&'static str, Option<String>, String) {
    match step {
        Step::Accepted => ("accepted", None, String::new()),
        Step::Received { from } => ("received", from.as_ref().map(ToString::to_string), String::new()),
        Step::Forwarded { to, cla } => {
            ("forwarded", to.as_ref().map(ToString::to_string), format!("over {cla}"))
        }
        Step::Waiting { why } => ("waiting", None, why.clone()),
        Step::Started { engine } => ("started", None, engine.clone()),
        Step::Answered { by } => ("answered", Some(by.to_string()), String::new()),
        Step::Failed { by, why } => ("failed", Some(by.to_string()), why.clone()),
        Step::Reported { by, what } => ("reported", by.as_ref().map(ToString::to_string), what.clone()),
        Step::Expired => ("expired", None, String::new()),
        Step::Cancelled => ("cancelled", None, String::new()),
    }
}

fn header(header: &Header) -> HeaderWire {
    let primary = header.primary();
    let (made, flags) = (primary.timestamp().time, primary.flags());
    let reports = REPORTS.iter().filter(|(flag, _)| flags.contains(*flag));
    let hops = header.hop_count();
    HeaderWire {
        created: (!made.is_unknown()).then(|| rfc3339(made)),
        report_to: primary.report_to().to_string(),
        lifetime_ms: primary.lifetime_ms(),
        flags: flags.0,
        reports: reports.map(|(_, word)| (*word).to_owned()).collect(),
        may_fragment: flags.may_fragment(),
        administrative: flags.is_administrative(),
        hop_limit: hops.map(|hops| hops.limit),
        hop_count: hops.map(|hops| hops.count),
    }
}

fn retention(retention: &Retention) -> &'static str {
    match retention {
        Retention::DispatchPending => "dispatch-pending",
        Retention::ForwardPending => "forward-pending",
        Retention::ReassemblyPending => "reassembly-pending",
        Retention::RunPending => "run-pending",
        Retention::Delivered => "delivered",
    }
}

/// Why a job failed, in a word or two.
pub(super) fn failure(failure: Failure) -> &'static str {
    match failure {
        Failure::BadModel => "bad model",
        Failure::BadInput => "bad input",
        Failure::Crashed => "crashed",
        Failure::Exhausted => "exhausted",
        Failure::Cancelled => "cancelled",
    }
}

/// The beginning of an id, long enough to find it again.
pub(super) fn short(cid: &Cid) -> String {
    cid.to_string().chars().take(SHORT_CHARACTERS).collect()
}

/// What an executor says.
pub(super) fn result(result: &JobResult) -> ResultWire {
    let statement = &result.statement;
    let (outcome, reason, detail, outputs) = match &statement.outcome {
        Outcome::Completed { outputs, finish } => {
            ("completed", finish.clone(), String::new(), outputs.as_slice())
        }
        Outcome::Failed { failure: why, detail } => {
            ("failed", failure(*why).to_owned(), detail.clone(), &[][..])
        }
    };
    let output = |output: &Output| match output {
        Output::Inline { media, data } => OutputWire {
            media: media.clone(),
            len: u64::try_from(data.len()).expect("a length fits 64 bits"),
        },
        Output::Link { media, block } => OutputWire { media: media.clone(), len: block.len },
    };
    ResultWire {
        cid: Cid::dag_cbor(&result.encode()).to_string(),
        outcome: outcome.to_owned(),
        reason,
        detail,
        executor: statement.executor.to_string(),
        signature_valid: result.verify().is_ok(),
        engine: statement.engine.clone(),
        fingerprint: statement.fingerprint.clone(),
        model: statement.model.map(|model| model.to_string()),
        parameters: statement
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), work::shown(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        prompt_tokens: statement.usage.prompt_tokens,
        completion_tokens: statement.usage.completion_tokens,
        load_ms: statement.timings.load_ms,
        run_ms: statement.timings.run_ms,
        outputs: outputs.iter().map(output).collect(),
    }
}

/// How a job was done, as its executor says; `here` is this node.
pub(super) fn executor(result: &JobResult, here: &NodeId) -> ExecutorWire {
    let Statement { executor, timings, .. } = &result.statement;
    let moment = |wall: u64| (wall != 0).then(|| rfc3339(DtnTime(wall)));
    ExecutorWire {
        node: executor.to_string(),
        remote: executor != here,
        received_at: moment(timings.received_at),
        started_at: moment(timings.started_at),
        load_ms: timings.load_ms,
        run_ms: timings.run_ms,
    }
}

/// A model.
pub(super) fn model(view: &ModelView) -> ModelWire {
    let manifest = Manifest::decode(&view.adu).ok();
    let hints = manifest.map_or(serde_json::Value::Null, |manifest| {
        let hints = manifest.hints.iter().map(|(name, value)| (name.clone(), work::shown(value)));
        serde_json::Value::Object(hints.collect())
    });
    ModelWire {
        name: view.name.clone(),
        manifest: view.manifest.to_string(),
        size: view.size,
        held: held(view).to_owned(),
        at: view.at.iter().map(ToString::to_string).collect(),
        hints,
        known: None,
    }
}

/// Whether this text names the model: its name, its CID or its alias.
pub(super) fn is_called(view: &ModelView, text: &str) -> bool {
    match text.parse::<Alias>() {
        Ok(alias) => view.alias == Some(alias),
        Err(_) => view.name == text || view.manifest.to_string() == text,
    }
}

/// How near a model is.
pub(super) fn held(view: &ModelView) -> &'static str {
    match (view.held, view.at.is_empty()) {
        (true, _) => "here",
        (false, false) => "near",
        (false, true) => "known",
    }
}
