//! Parcels: plain bundles that people send to one another, and fetch where they arrive.

use bundle_spec::{BundleId, Eid, NodeId};
use pannier::{
    agent::{Answer, Input, NewBundle, Submission, SubmitError, Terms},
    time::Time,
};

use super::{Due, World};
use crate::{event::WorldEvent, host::Call, transition::Transition, workload::Parcel};

/// Demux of the endpoint at which people take their parcels.
const DEMUX: &str = "parcels";
/// Within how many milliseconds somebody comes to fetch a parcel, at most.
const FETCH_MS: u64 = 5 * 60_000;

fn endpoint(node: &NodeId) -> Eid {
    node.endpoint(DEMUX, 0)
}

impl World {
    /// Somebody sends a parcel.
    pub(super) fn post(&mut self, host: usize, parcel: Parcel) {
        if self.hosts[host].agent.is_none() {
            return self.come_again(Transition::Post { host, parcel });
        }
        let Some(payload) = self.hosts[host].disk.finish(parcel.bytes.clone()) else {
            return self.come_again(Transition::Post { host, parcel });
        };
        self.reference.know_parcel(payload.cid.digest());
        let new = NewBundle {
            destination: endpoint(&self.hosts[parcel.to].node),
            source: DEMUX.to_owned(),
            payload,
            lifetime: Some(parcel.lifetime),
            terms: Terms { flags: parcel.flags, ..Terms::default() },
        };
        let call = self.hosts[host].call(Call::Post { parcel });
        self.feed(host, Input::Submit { call, submission: Submission::Bundle(new) });
    }

    /// What came of a parcel that somebody wanted to send.
    pub(super) fn posted(&mut self, host: usize, parcel: Parcel, result: Result<Answer, SubmitError>) {
        match result {
            Ok(Answer::Bundle(bundle)) => {
                let lifetime = u64::try_from(parcel.lifetime.as_millis()).expect("a lifetime fits");
                let until = self.now + lifetime;
                self.tell(&WorldEvent::Posted { host, bundle, to: parcel.to, until });
            }
            Err(SubmitError::StoreFull) => self.come_again(Transition::Post { host, parcel }),
            other => self.wrong(host, format!("a parcel is answered by {other:?}")),
        }
    }

    /// A parcel may have come: somebody fetches it soon.
    pub(super) fn plan_fetch(&mut self, host: usize) {
        let boot = self.hosts[host].boots;
        let at = self.now + self.dice.between(1, FETCH_MS);
        self.schedule(at, Due::Fetch { host, boot });
    }

    /// Somebody fetches what waits.
    pub(super) fn fetch(&mut self, host: usize, boot: u64) {
        let it = &self.hosts[host];
        let now = it.time(self.now);
        let Some(agent) = it.agent.as_ref().filter(|_| it.boots == boot) else { return };
        let waiting = agent.waiting(now, &endpoint(&it.node), usize::MAX, true);
        for bundle in waiting.into_iter().map(|waiting| waiting.bundle) {
            let digest = bundle.payload.cid.digest();
            if !self.reference.is_parcel(digest) || self.hosts[host].disk.read(digest).is_none() {
                return self.wrong(host, format!("{} is not what was sent", bundle.id));
            }
            let call = self.hosts[host].call(Call::Take { bundle: bundle.id.clone() });
            self.feed(host, Input::Take { call, bundle: bundle.id });
            if self.hosts[host].agent.is_none() {
                return;
            }
        }
    }

    /// A host is up again that went down while somebody took something: either it was taken, or it waits.
    pub(super) fn settle_takes(&mut self, host: usize) {
        let now: Time = self.hosts[host].time(self.now);
        for bundle in std::mem::take(&mut self.hosts[host].unsure) {
            let waits = self.hosts[host].agent.as_ref().is_some_and(|agent| {
                let waiting = agent.waiting(now, &endpoint(&self.hosts[host].node), usize::MAX, true);
                waiting.iter().any(|waiting| waiting.bundle.id == bundle)
            });
            if !waits {
                self.tell(&WorldEvent::Taken { host, bundle });
            }
        }
    }

    /// What came of taking a parcel.
    pub(super) fn taken(&mut self, host: usize, bundle: BundleId, result: Result<Answer, SubmitError>) {
        match result {
            Ok(_) => self.tell(&WorldEvent::Taken { host, bundle }),
            Err(SubmitError::NotFound) => {}
            Err(error) => self.wrong(host, format!("{bundle} cannot be taken: {error}")),
        }
    }
}
