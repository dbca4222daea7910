//! Status reports (RFC 9171 §5.1, §6.1): what became of a bundle here, for who asked for it in its flags;
//! and those about bundles of ours. Off unless settings say otherwise; never about administrative records,
//! never to nobody, and at most so many in a while. A report is a bundle of its own: its payload is written
//! by the driver first, and one that finds no room or falls to a crash is not made again.

use std::collections::BTreeMap;

use bundle_spec::{
    BundleFlags, Cid, Digest, DtnTime, Eid, Header,
    report::{AdministrativeRecord, Assertion, ReasonCode, StatusReport},
};
use bytes::Bytes;

use super::{
    Agent, EventKind, Output, Step, Terms, endpoints,
    ingress::{Arrival, Origin},
    mint::Draft,
};
use crate::{limits, time::Time};

/// What is stated of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// It was received here.
    Received,
    /// It was handed on.
    Forwarded,
    /// It has reached its application.
    Delivered,
    /// It is gone.
    Deleted,
}

/// A report whose payload is being written.
#[derive(Clone, Debug)]
struct Pending {
    /// Where it goes.
    destination: Eid,
    /// When its lifetime ends.
    expires: Time,
    /// Its payload.
    adu: Bytes,
}

/// Reports on their way out.
#[derive(Clone, Debug, Default)]
pub(super) struct Reports {
    /// By digest of the payload.
    pending: BTreeMap<Digest, Pending>,
    /// Since when reports are counted.
    since: Time,
    /// How many were made since then.
    made: u32,
}

impl Reports {
    /// Whether one more may be made.
    fn may_be_made(&mut self, now: Time) -> bool {
        if now.since(self.since) >= limits::REPORTS_PERIOD {
            (self.since, self.made) = (now, 0);
        }
        self.made += 1;
        self.made <= limits::REPORTS_MAX
    }
}

impl Statement {
    /// The flag that asks for it.
    const fn flag(self) -> BundleFlags {
        match self {
            Self::Received => BundleFlags::REPORT_RECEPTION,
            Self::Forwarded => BundleFlags::REPORT_FORWARDING,
            Self::Delivered => BundleFlags::REPORT_DELIVERY,
            Self::Deleted => BundleFlags::REPORT_DELETION,
        }
    }
}

impl Agent {
    /// Reports about a bundle, if it asks for that.
    pub(super) fn report(&mut self, header: &Header, statement: Statement, reason: ReasonCode) {
        if header.primary().flags().contains(statement.flag()) {
            self.report_unasked(header, statement, reason);
        }
    }

    /// Reports about a bundle, whatever its own flags say: a block of it may ask, too.
    pub(super) fn report_unasked(&mut self, header: &Header, statement: Statement, reason: ReasonCode) {
        let primary = header.primary();
        let is_answerable = !primary.report_to().is_none() && !primary.flags().is_administrative();
        if !self.config.status_reports || !is_answerable || !self.reports.may_be_made(self.now) {
            return;
        }
        let mut report = StatusReport::new(header.bundle_id().detached(), reason);
        let wall = self.mint.wall(self.now);
        let is_timed = primary.flags().contains(BundleFlags::STATUS_TIME_REQUESTED) && wall != 0;
        let made = if is_timed { Assertion::At(DtnTime(wall)) } else { Assertion::Yes };
        match statement {
            Statement::Received => report.received = made,
            Statement::Forwarded => report.forwarded = made,
            Statement::Delivered => report.delivered = made,
            Statement::Deleted => report.deleted = made,
        }
        let lifetime = primary.lifetime_ms();
        let lifetime = lifetime.clamp(limits::REPORT_LIFETIME_MS_MIN, limits::REPORT_LIFETIME_MS_MAX);
        let adu = AdministrativeRecord::StatusReport(report).encode();
        let pending = Pending {
            destination: primary.report_to().detached(),
            expires: self.now.plus_ms(lifetime),
            adu: adu.clone(),
        };
        while self.reports.pending.len() >= limits::REPORTS_PENDING_MAX {
            self.reports.pending.pop_first();
        }
        self.reports.pending.insert(*Cid::raw(&adu).digest(), pending);
        self.outputs.push_back(Output::Block { bytes: adu });
    }

    /// A block is in the store: if it is a report that waits for that, it goes out.
    pub(super) fn send_report(&mut self, block: &bundle_spec::BlockRef) {
        let Some(pending) = self.reports.pending.remove(block.cid.digest()) else { return };
        if self.ledger.len() >= self.bundles_max() {
            return;
        }
        let terms =
            Terms { flags: BundleFlags::IS_ADMINISTRATIVE, report_to: Some(Eid::None), ..Terms::default() };
        let Pending { destination, expires, adu } = pending;
        let source = self.config.node.eid().clone();
        let header = self.mint_on(&Draft { source, destination, payload: *block, expires }, &terms);
        self.arrive(Arrival {
            header,
            payload: *block,
            adu: Some(adu),
            opened: None,
            expires,
            origin: Origin::Here,
        });
    }

    /// An administrative record has reached this node: a report about a bundle of ours, or a record that is
    /// not known here (RFC 9171 §6.1: it is ignored). One that goes to an application's endpoint waits there,
    /// too.
    pub(super) fn arrive_record(&mut self, arrival: Arrival, destination: Eid) {
        match arrival.adu.as_ref().map(AdministrativeRecord::decode) {
            Some(Ok(AdministrativeRecord::StatusReport(report))) => {
                let by = arrival.header.primary().source().node_id();
                self.note_report(by, report);
            }
            Some(Ok(AdministrativeRecord::Other { .. }) | Err(_)) | None => {}
        }
        let node = &self.config.node;
        match destination == *node.eid() || destination == endpoints::answers(node) {
            true => self.discard(&arrival, "delivered"),
            false => self.deliver(arrival, destination),
        }
    }

    /// What another node says became of a bundle; of a job, it is a step of its journey.
    fn note_report(&mut self, by: Option<bundle_spec::NodeId>, report: StatusReport) {
        let entry = self.ledger.get(&report.bundle.digest());
        let job = entry.and_then(|entry| entry.job);
        if let Some(mut record) = job.and_then(|job| self.jobs.get(job.digest()).cloned()) {
            self.step(&mut record, Step::Reported { by: by.clone(), what: words(&report) });
            self.put_job(record);
        }
        self.tell(EventKind::Reported { by, report });
    }

    /// Why a bundle that is gone is reported so; `None` where that is no deletion.
    pub(super) fn reason_of(why: &str) -> Option<ReasonCode> {
        match why {
            "expired" => Some(ReasonCode::LifetimeExpired),
            "hop-limit" => Some(ReasonCode::HopLimitExceeded),
            "cancelled" => Some(ReasonCode::TransmissionCanceled),
            "unsupported-block" => Some(ReasonCode::BlockUnsupported),
            "distrusted" => Some(ReasonCode::FailedSecurityOperation),
            "delivered" | "taken" | "reassembled" => None,
            _ => Some(ReasonCode::NoInformation),
        }
    }
}

/// A report in words.
fn words(report: &StatusReport) -> String {
    let stated = [
        (report.received, "received"),
        (report.forwarded, "forwarded"),
        (report.delivered, "delivered"),
        (report.deleted, "deleted"),
    ];
    let stated: Vec<&str> =
        stated.into_iter().filter(|(assertion, _)| assertion.is_made()).map(|(_, word)| word).collect();
    match report.reason {
        ReasonCode::NoInformation => stated.join(", "),
        reason => format!("{}: {reason}", stated.join(", ")),
    }
}
