//! Metrics in Prometheus' text form. Derived from outputs and views, never sprinkled.

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::{
    agent::{Event, EventKind, StatusView, Step},
    store::Usage,
};

/// Why a bundle was deleted or distrusted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    why: &'static str,
}

/// A counter for each reason.
fn by_reason(registry: &mut Registry, name: &str, help: &str) -> Family<Why, Counter> {
    let family = Family::default();
    registry.register(name, help, Family::clone(&family));
    family
}

/// Every metric of a node. Names are stable; see `tools/README.md`.
pub(super) struct Metrics {
    registry: Registry,
    records: Counter,
    received: Counter,
    received_bytes: Counter,
    forwarded: Counter,
    forwarded_bytes: Counter,
    delivered: Counter,
    deleted: Family<Why, Counter>,
    distrusted: Family<Why, Counter>,
    contacts: Counter,
    jobs_accepted: Counter,
    jobs_answered: Counter,
    jobs_failed: Counter,
    tasks: Counter,
    bundles: Gauge,
    jobs_open: Gauge,
    links: Gauge,
    store_live: Gauge,
    store_disk: Gauge,
    store_free: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("pannier");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let records = counter("store_records", "Records made durable");
        let received = counter("bundles_received", "Bundles received from peers");
        let received_bytes = counter("payload_received_bytes", "Payload bytes received from peers");
        let forwarded = counter("bundles_forwarded", "Bundles that a peer has made durable");
        let forwarded_bytes =
            counter("payload_forwarded_bytes", "Payload bytes that a peer has made durable");
        let delivered = counter("bundles_delivered", "Bundles delivered to endpoints of this node");
        let contacts = counter("contacts", "Contacts opened");
        let jobs_accepted = counter("jobs_accepted", "Jobs accepted from people at this node");
        let jobs_answered = counter("jobs_answered", "Jobs whose result is here");
        let jobs_failed = counter("jobs_failed", "Jobs whose result is a failure");
        let tasks = counter("tasks_started", "Tasks started in a worker");
        let deleted = by_reason(&mut registry, "bundles_deleted", "Bundles no longer held, by reason");
        let distrusted =
            by_reason(&mut registry, "security_failures", "Bundles refused for their security, by reason");
        let mut gauge = |name: &str, help: &str, unit: Option<Unit>| {
            let gauge = Gauge::default();
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, gauge.clone()),
                None => registry.register(name, help, gauge.clone()),
            }
            gauge
        };
        let bundles = gauge("bundles_held", "Bundles held", None);
        let jobs_open = gauge("jobs_open", "Jobs without an answer", None);
        let links = gauge("links_open", "Contacts open", None);
        let store_live = gauge("store_live", "Live records and blocks", Some(Unit::Bytes));
        let store_disk = gauge("store_disk", "What the store takes up on the disk", Some(Unit::Bytes));
        let store_free = gauge("store_free", "What the store can still take", Some(Unit::Bytes));
        Self {
            registry,
            records,
            received,
            received_bytes,
            forwarded,
            forwarded_bytes,
            delivered,
            deleted,
            distrusted,
            contacts,
            jobs_accepted,
            jobs_answered,
            jobs_failed,
            tasks,
            bundles,
            jobs_open,
            links,
            store_live,
            store_disk,
            store_free,
        }
    }

    /// Records were made durable.
    pub(super) fn appended(&self, records: usize) {
        self.records.inc_by(u64::try_from(records).unwrap_or(u64::MAX));
    }

    /// The security operations of a bundle did not hold, or could not be made.
    pub(super) fn distrusted(&self, why: &'static str) {
        self.distrusted.get_or_create(&Why { why }).inc();
    }

    /// Something happened.
    pub(super) fn happened(&self, event: &Event) {
        match &event.kind {
            EventKind::ContactOpened { .. } => drop(self.contacts.inc()),
            EventKind::Received { len, .. } => {
                self.received.inc();
                self.received_bytes.inc_by(*len);
            }
            EventKind::Forwarded { len, .. } => {
                self.forwarded.inc();
                self.forwarded_bytes.inc_by(*len);
            }
            EventKind::Delivered { .. } => drop(self.delivered.inc()),
            EventKind::Deleted { why, .. } => drop(self.deleted.get_or_create(&Why { why }).inc()),
            EventKind::Job { step, .. } => self.stepped(step),
            EventKind::Reported { .. } | EventKind::ContactClosed { .. } | EventKind::Model { .. } => {}
        }
    }

    fn stepped(&self, step: &Step) {
        match step {
            Step::Accepted => drop(self.jobs_accepted.inc()),
            Step::Started { .. } => drop(self.tasks.inc()),
            Step::Answered { .. } => drop(self.jobs_answered.inc()),
            Step::Failed { .. } => drop(self.jobs_failed.inc()),
            Step::Received { .. }
            | Step::Forwarded { .. }
            | Step::Waiting { .. }
            | Step::Reported { .. }
            | Step::Expired
            | Step::Cancelled => {}
        }
    }

    /// The text form, with the state as it is.
    pub(super) fn encode(&self, status: &StatusView, usage: &Usage) -> String {
        let set = |gauge: &Gauge, value: u64| _ = gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.bundles, status.bundles as u64);
        set(&self.jobs_open, status.jobs_open as u64);
        set(&self.links, status.links.len() as u64);
        set(&self.store_live, usage.live);
        set(&self.store_disk, usage.disk);
        set(&self.store_free, usage.free);
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a string takes any text");
        text
    }
}
