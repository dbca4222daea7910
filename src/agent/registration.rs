//! Endpoints that applications here are registered in (RFC 9171 §3.1), and how the bundles that wait there
//! are fetched: one reader at a time claims a bundle, reads it, and takes it.
//!
//! A bundle for an endpoint of this node is held until it is taken or expires, whether anybody is registered
//! or not. In an endpoint of many nodes a registration decides whether bundles that pass by are for us, too;
//! they go on being carried after they were taken here.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bundle_spec::{BundleDigest, BundleId, Cid, Digest, Eid, report::ReasonCode};

use super::{
    Agent, Answer, CallId, EventKind, Output, Record, Retention, SubmitError, endpoints, getters,
    ingress::Arrival,
    ledger::Entry,
    report::Statement,
    view::{BundleView, EndpointView, WaitingView},
};
use crate::{limits, time::Time};

/// Who reads a bundle at this moment.
#[derive(Clone, Copy, Debug)]
struct Claim {
    /// What the reader calls itself.
    reader: u64,
    /// Until when nobody else gets the bundle.
    until: Time,
}

/// What applications asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Registrations {
    /// Endpoints by name.
    endpoints: BTreeSet<Eid>,
    /// Bundles of endpoints of many that were taken here and are carried on for others.
    taken: BTreeSet<BundleDigest>,
    /// Bundles that are being read. Not durable: after a restart everybody may claim anew.
    claims: BTreeMap<BundleDigest, Claim>,
}

impl Registrations {
    /// Whether somebody here is registered in the endpoint.
    pub(super) fn has(&self, endpoint: &Eid) -> bool {
        self.endpoints.contains(endpoint)
    }

    /// An endpoint as its record says.
    pub(super) fn recall(&mut self, endpoint: Eid) {
        self.endpoints.insert(endpoint);
    }

    /// A bundle of an endpoint of many was taken here.
    pub(super) fn recall_taken(&mut self, id: BundleDigest) {
        self.taken.insert(id);
    }

    /// Says whether a bundle that is gone has left a durable trace here.
    fn forget(&mut self, id: &BundleDigest) -> bool {
        self.claims.remove(id);
        self.taken.remove(id)
    }
}

/// The key of a registration's record.
pub(super) fn record_key(endpoint: &Eid) -> Digest {
    *Cid::raw(endpoint.to_string().as_bytes()).digest()
}

impl Agent {
    /// An application here is registered in an endpoint from here on. Again is no error.
    pub(super) fn register(&mut self, call: CallId, endpoint: Eid) {
        let result = self.judge_registration(&endpoint).map(|()| {
            if !self.registrations.has(&endpoint) {
                self.outputs.push_back(Output::Record(Record::Registration { endpoint: endpoint.clone() }));
                self.registrations.recall(endpoint);
                // Parts of bundles for it may be here that nobody has wanted as a whole.
                self.ledger.gatherings_mut().look_at_all();
            }
            Answer::Done
        });
        self.outputs.push_back(Output::Answer { call, result });
    }

    fn judge_registration(&self, endpoint: &Eid) -> Result<(), SubmitError> {
        let wrong = |why: &str| Err(SubmitError::Malformed(format!("`{endpoint}` {why}")));
        let node = &self.config.node;
        if endpoint.is_none() {
            return wrong("has no members");
        }
        let own = [endpoints::answers(node), endpoints::jobs(), endpoints::blocks()];
        if own.contains(endpoint) || endpoints::is_echo(node, endpoint) {
            return wrong("is served by the node itself");
        }
        if endpoint.node_id().is_some_and(|other| other != *node) {
            return wrong(&format!("is not an endpoint of this node, {node}"));
        }
        if endpoint.to_string().len() > limits::ENDPOINT_BYTES_MAX {
            return Err(SubmitError::Limit("bytes of the name of an endpoint"));
        }
        if self.registrations.endpoints.len() >= limits::REGISTRATIONS_MAX
            && !self.registrations.has(endpoint)
        {
            return Err(SubmitError::Limit("registrations"));
        }
        Ok(())
    }

    /// No application is registered in the endpoint any more. What waits there for this node alone goes on
    /// waiting.
    pub(super) fn unregister(&mut self, call: CallId, endpoint: &Eid) {
        let result = match self.registrations.endpoints.remove(endpoint) {
            true => {
                let key = record_key(endpoint);
                self.outputs.push_back(Output::Record(Record::RegistrationGone { key }));
                Ok(Answer::Done)
            }
            false => Err(SubmitError::NotFound),
        };
        self.outputs.push_back(Output::Answer { call, result });
    }

    /// A reader wants a bundle that waits for itself alone for a while: for so long that it can be read and
    /// taken. The same reader may ask again; nothing of a while gives the bundle back.
    pub(super) fn claim(&mut self, call: CallId, bundle: &BundleId, reader: u64, hold: Duration) {
        let result = self.claim_bundle(bundle, reader, hold);
        self.outputs.push_back(Output::Answer { call, result });
    }

    fn claim_bundle(
        &mut self,
        bundle: &BundleId,
        reader: u64,
        hold: Duration,
    ) -> Result<Answer, SubmitError> {
        let id = bundle.digest();
        self.ledger.get(&id).filter(|entry| self.waits(entry)).ok_or(SubmitError::NotFound)?;
        if self
            .registrations
            .claims
            .get(&id)
            .is_some_and(|claim| claim.until > self.now && claim.reader != reader)
        {
            return Err(SubmitError::Claimed);
        }
        let until = self.now + hold.min(limits::CLAIM_MAX);
        match until > self.now {
            true => drop(self.registrations.claims.insert(id, Claim { reader, until })),
            false => drop(self.registrations.claims.remove(&id)),
        }
        Ok(Answer::Done)
    }

    /// Who read a bundle has it: it does not wait any longer. What was sent from here and has not gone yet is
    /// taken back.
    pub(super) fn take(&mut self, call: CallId, bundle: &BundleId) {
        let result = self.take_bundle(bundle);
        self.outputs.push_back(Output::Answer { call, result });
    }

    fn take_bundle(&mut self, bundle: &BundleId) -> Result<Answer, SubmitError> {
        let id = bundle.digest();
        let entry = self.ledger.get(&id).ok_or(SubmitError::NotFound)?;
        let is_ours = entry.id.source.node_id().as_ref() == Some(&self.config.node);
        if !self.waits(entry) {
            if self.registrations.taken.contains(&id) {
                return Err(SubmitError::NotFound);
            }
            if !is_ours || entry.job.is_some() {
                return Err(SubmitError::Malformed(format!(
                    "`{bundle}` does not wait here: it is carried for others"
                )));
            }
            self.drop_bundle(&id, "cancelled");
            return Ok(Answer::Done);
        }
        if entry.retention == Retention::Delivered {
            self.drop_bundle(&id, "taken");
            return Ok(Answer::Done);
        }
        let header = entry.header.clone();
        self.report(&header, Statement::Delivered, ReasonCode::NoInformation);
        self.registrations.claims.remove(&id);
        self.registrations.taken.insert(id);
        self.outputs.push_back(Output::Record(Record::Taken { id }));
        Ok(Answer::Done)
    }

    /// A bundle is gone, and with it what readers knew of it.
    pub(super) fn forget_reading(&mut self, id: &BundleDigest) {
        if self.registrations.forget(id) {
            self.outputs.push_back(Output::Record(Record::TakenGone { id: *id }));
        }
    }

    /// Whether a bundle waits for a reader here.
    pub(super) fn waits(&self, entry: &Entry) -> bool {
        match entry.retention {
            Retention::Delivered => !self.registrations.taken.contains(&entry.id.digest()),
            Retention::ForwardPending => {
                let primary = entry.header.primary();
                !primary.destination().is_singleton()
                    && self.registrations.has(primary.destination())
                    && !primary.flags().is_fragment()
                    && !self.registrations.taken.contains(&entry.id.digest())
            }
            Retention::DispatchPending | Retention::ReassemblyPending | Retention::RunPending => false,
        }
    }

    /// Whether somebody here is registered in the bundle's destination, an endpoint of many.
    pub(super) fn is_for_us_too(&self, arrival: &Arrival) -> bool {
        let primary = arrival.header.primary();
        self.registrations.has(primary.destination()) && !primary.flags().is_fragment()
    }

    /// A bundle of an endpoint of many has reached this node, too; it is carried on.
    pub(super) fn delivered_copy(&mut self, arrival: &Arrival) -> Output {
        let bundle = arrival.header.bundle_id().detached();
        let (endpoint, payload) = (arrival.header.primary().destination().detached(), arrival.payload);
        self.tell(EventKind::Delivered { bundle: bundle.clone(), endpoint: endpoint.clone(), payload });
        Output::Deliver { endpoint, bundle, payload }
    }

    /// Every endpoint in which somebody is registered or at which something waits.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointView> {
        let mut views: BTreeMap<&Eid, EndpointView> = BTreeMap::new();
        for endpoint in self.registrations.endpoints.iter().chain(self.ledger.destinations()) {
            let is_registered = self.registrations.has(endpoint);
            if !is_registered && endpoint.node_id().as_ref() != Some(&self.config.node) {
                continue;
            }
            let entries = self.ledger.of_destination(endpoint).filter(|entry| self.waits(entry));
            let (mut waiting, mut bytes) = (0, 0_u64);
            for entry in entries {
                waiting += 1;
                bytes = bytes.saturating_add(entry.payload.len);
            }
            if is_registered || waiting > 0 {
                views.insert(
                    endpoint,
                    EndpointView { endpoint: endpoint.clone(), is_registered, waiting, bytes },
                );
            }
        }
        views.into_values().collect()
    }

    /// Whether an application here is registered in an endpoint.
    #[must_use]
    pub fn is_registered(&self, endpoint: &Eid) -> bool {
        self.registrations.has(endpoint)
    }

    /// What waits at an endpoint, what came first first, at most `max`; also what a reader has at the moment,
    /// if that is wanted.
    #[must_use]
    pub fn waiting(&self, now: Time, endpoint: &Eid, max: usize, with_claimed: bool) -> Vec<WaitingView> {
        let mut entries: Vec<&Entry> =
            self.ledger.of_destination(endpoint).filter(|entry| self.waits(entry)).collect();
        entries.sort_by_key(|entry| (entry.received, entry.id.timestamp, entry.id.digest()));
        let views = entries.into_iter().map(|entry| {
            let claim = self.registrations.claims.get(&entry.id.digest());
            let claimed_until = claim.map(|claim| claim.until).filter(|until| *until > now);
            WaitingView { bundle: getters::bundle(entry), claimed_until }
        });
        views.filter(|view| with_claimed || view.claimed_until.is_none()).take(max).collect()
    }

    /// One bundle that is held, and its header.
    #[must_use]
    pub fn bundle(&self, bundle: &BundleId) -> Option<(BundleView, bundle_spec::Header)> {
        self.ledger.get(&bundle.digest()).map(|entry| (getters::bundle(entry), entry.header.clone()))
    }
}
