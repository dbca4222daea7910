//! Forwarding (RFC 9171 §5.4): which bundle goes over which contact, and what its end means.

use bundle_spec::{BundleDigest, BundleId, Forwarding, Header, NodeId};

use super::{
    Agent, CloseReason, EventKind, LinkClass, LinkId, Outgoing, Output, Refusal, Retention, Step,
    ledger::Entry,
    link::{Flight, Link, OfferKey, offer_key},
};
use crate::{
    limits,
    route::{BundleMeta, Contact, Neighbour, Route},
    time::Time,
};

impl Agent {
    /// A peer can be reached.
    pub(super) fn open_contact(&mut self, link: LinkId, peer: Option<NodeId>, class: LinkClass) {
        if self.links.len() >= limits::LINKS_MAX {
            self.outputs.push_back(Output::Close { link });
            return;
        }
        if let Some(peer) = &peer {
            self.note_peer(peer);
            self.router.observe(self.now, &Contact { peer: peer.clone(), opened: true });
        }
        self.tell(EventKind::ContactOpened { link, peer: peer.clone(), cla: class.cla });
        let contact = Link::new(peer, class, self.now);
        let is_ready = contact.is_ready();
        self.links.insert(link, contact);
        self.announce_summary(link);
        if is_ready {
            self.begin_offers(link);
        }
    }

    /// The contact is over.
    pub(super) fn close_contact(&mut self, link: LinkId, reason: CloseReason) {
        let Some(contact) = self.links.remove(&link) else { return };
        if let Some(peer) = &contact.peer {
            self.note_peer(peer);
            if self.links.values().all(|other| !other.is_with(peer)) {
                self.router.observe(self.now, &Contact { peer: peer.clone(), opened: false });
            }
        }
        self.tell(EventKind::ContactClosed { link, peer: contact.peer, reason });
        // What was on its way may go over another contact with the same peer.
        for id in contact.in_flight.into_keys() {
            self.offer_again(&id);
        }
    }

    /// From here on bundles go over this contact.
    pub(super) fn begin_offers(&mut self, link: LinkId) {
        let Some(contact) = self.links.get_mut(&link) else { return };
        contact.summary_due = None;
        for (id, entry) in self.ledger.iter() {
            contact.offer(offer_key(id, entry));
        }
    }

    /// A bundle is open again: every contact may take it.
    fn offer_again(&mut self, id: &BundleDigest) {
        let Some(key) = self.ledger.get(id).map(|entry| offer_key(id, entry)) else { return };
        self.links.values_mut().for_each(|link| link.offer(key));
    }

    /// Offers what there is to every contact that has room, and ends those that have nothing left.
    pub(super) fn offer_all(&mut self) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            while let Some(key) = self.next_offer(link) {
                self.offer_one(link, key);
            }
            let contact = self.links.get_mut(&link).expect("a contact ends with an input only");
            if contact.class.drains && contact.is_drained() {
                contact.is_closing = true;
                self.outputs.push_back(Output::Close { link });
            }
        }
    }

    fn next_offer(&mut self, link: LinkId) -> Option<OfferKey> {
        let contact = self.links.get_mut(&link)?;
        if !contact.has_room() {
            return None;
        }
        contact.queue.pop_first()
    }

    fn offer_one(&mut self, link: LinkId, key: OfferKey) {
        let id = key.3;
        let Some(entry) = self.ledger.get(&id).filter(|entry| self.may_go(entry)).cloned() else { return };
        let keep = match self.ask_router(link, &entry) {
            Ok(keep) => keep,
            Err(until) => {
                let contact = self.links.get_mut(&link).expect("the contact was just seen");
                if let Some(until) = until {
                    contact.retries.insert(id, (until, 0));
                }
                return;
            }
        };
        let Some(header) = self.leaving(&entry) else { return };
        let header_len = u64::try_from(header.raw().len()).unwrap_or(u64::MAX);
        let bytes = header_len.saturating_add(entry.payload.len);
        let contact = self.links.get_mut(&link).expect("the contact was just seen");
        if let Some(left) = &mut contact.budget_left {
            // What is too large for the rest of the budget stays; something smaller may still fit.
            let Some(rest) = left.checked_sub(bytes) else { return };
            *left = rest;
        }
        let offset = contact.offsets.remove(&id).unwrap_or(0).min(entry.payload.len);
        contact.in_flight.insert(id, Flight { bundle: entry.id.clone(), bytes, keep });
        let outgoing = Outgoing { bundle: entry.id, header, payload: entry.payload, start: 0, offset };
        self.outputs.push_back(Output::Transmit { link, outgoing });
    }

    /// Whether a bundle is for others at all: not while its task runs here, not when it has been delivered.
    fn may_go(&self, entry: &Entry) -> bool {
        match entry.retention {
            Retention::DispatchPending | Retention::ForwardPending => entry.expires > self.now,
            Retention::RunPending => {
                entry.expires > self.now && !entry.job.is_some_and(|job| self.tasks.runs(job.digest()))
            }
            Retention::ReassemblyPending | Retention::Delivered => false,
        }
    }

    /// Whether a bundle goes over this contact, and whether it stays; or when to ask again.
    fn ask_router(&mut self, link: LinkId, entry: &Entry) -> Result<bool, Option<Time>> {
        let id = entry.id.digest();
        let (names, neighbours): (Vec<LinkId>, Vec<Neighbour>) = self
            .links
            .iter()
            .filter(|(_, other)| other.is_ready())
            .map(|(name, other)| {
                let has_it = self.peer_has(other.peer.as_ref(), &id, *name);
                (*name, Neighbour { peer: other.peer.clone(), toward: other.class.toward.clone(), has_it })
            })
            .unzip();
        let previous = entry.header.previous_node();
        let meta = BundleMeta {
            id: &entry.id,
            destination: entry.header.primary().destination(),
            previous: previous.as_ref(),
            len: entry.payload.len,
            expires: entry.expires,
        };
        match self.router.route(self.now, &meta, &neighbours) {
            Route::Forward { contacts, keep } => {
                let is_chosen = contacts.iter().any(|place| names.get(*place) == Some(&link));
                if is_chosen { Ok(keep) } else { Err(None) }
            }
            Route::Wait { until } => Err(until.filter(|until| *until > self.now)),
        }
    }

    /// Whether the peer has the bundle, or gets it over another contact at this moment.
    fn peer_has(&self, peer: Option<&NodeId>, id: &BundleDigest, on: LinkId) -> bool {
        let is_same = |name: LinkId, other: &Link| name == on || peer.is_some_and(|peer| other.is_with(peer));
        self.links
            .iter()
            .filter(|(name, other)| is_same(**name, other))
            .any(|(name, other)| other.has.contains(id) || (*name != on && other.in_flight.contains_key(id)))
    }

    /// The header as it leaves (RFC 9171 §5.4 step 4); `None` if the bundle may take no more hops.
    fn leaving(&self, entry: &Entry) -> Option<Header> {
        let here = u64::try_from(self.now.since(entry.received).as_millis()).unwrap_or(u64::MAX);
        let edits = Forwarding {
            previous_node: Some(self.config.node.clone()),
            age_ms: entry.header.age_ms().map(|age| age.saturating_add(here)),
            count_hop: true,
        };
        entry.header.forwarded(&edits).ok()
    }

    /// The peer has made a bundle durable.
    pub(super) fn transmitted(&mut self, link: LinkId, bundle: &BundleId) {
        let id = bundle.digest();
        let Some(contact) = self.links.get_mut(&link) else { return };
        let Some(flight) = contact.in_flight.remove(&id) else { return };
        contact.aborted.remove(&id);
        contact.has.insert(id);
        let (peer, is_durable, cla) = (contact.peer.clone(), contact.class.durable, contact.class.cla);
        let Some(entry) = self.ledger.get(&id) else { return };
        let (job, len) = (entry.job, entry.payload.len);
        let destination = entry.header.primary().destination().node_id();
        let is_there = destination.is_some() && destination == peer;
        if let Some(mut record) = job.and_then(|job| self.jobs.get(job.digest()).cloned()) {
            self.step(&mut record, Step::Forwarded { to: peer.clone(), cla: cla.to_owned() });
            self.put_job(record);
        }
        self.tell(EventKind::Forwarded { bundle: flight.bundle, peer, job, len });
        if is_durable && (is_there || !flight.keep) {
            self.drop_bundle(&id, "delivered");
        }
    }

    /// The peer did not want a bundle.
    pub(super) fn refused(&mut self, link: LinkId, bundle: &BundleId, reason: Refusal) {
        let id = bundle.digest();
        let Some(contact) = self.links.get_mut(&link) else { return };
        let Some(flight) = contact.in_flight.remove(&id) else { return };
        contact.aborted.remove(&id);
        contact.budget_left = contact.budget_left.map(|left| left.saturating_add(flight.bytes));
        match reason {
            Refusal::Duplicate => {
                contact.has.insert(id);
                self.hand_over(&id, link);
            }
            Refusal::NoRoom
            | Refusal::TooLarge
            | Refusal::Expired
            | Refusal::Malformed
            | Refusal::Pointless => {
                contact.refused.insert(id);
            }
        }
    }

    /// The node that a bundle is for has it already: nothing is left to be done with it.
    fn hand_over(&mut self, id: &BundleDigest, link: LinkId) {
        let (Some(contact), Some(entry)) = (self.links.get(&link), self.ledger.get(id)) else { return };
        let destination = entry.header.primary().destination().node_id();
        let is_there = destination.is_some_and(|node| contact.is_with(&node));
        if is_there && contact.class.durable {
            self.drop_bundle(id, "delivered");
        }
    }

    /// A transfer was cut off; the contact goes on.
    pub(super) fn interrupted(&mut self, link: LinkId, bundle: &BundleId, acknowledged: u64) {
        let id = bundle.digest();
        let at = self.now + limits::RETRY_PAUSE;
        let Some(contact) = self.links.get_mut(&link) else { return };
        let Some(flight) = contact.in_flight.remove(&id) else { return };
        contact.budget_left =
            contact.budget_left.map(|left| left.saturating_add(flight.bytes.saturating_sub(acknowledged)));
        if !contact.aborted.remove(&id) {
            contact.retries.insert(id, (at, acknowledged));
        }
    }

    /// Transfers whose pause is over are offered again.
    pub(super) fn retry(&mut self) {
        let now = self.now;
        for link in self.links.values_mut() {
            let due = link.retries.iter().filter(|(_, (at, _))| *at <= now);
            let due: Vec<(BundleDigest, u64)> = due.map(|(id, (_, offset))| (*id, *offset)).collect();
            for (id, offset) in due {
                link.retries.remove(&id);
                if let Some(entry) = self.ledger.get(&id) {
                    link.offsets.insert(id, offset);
                    link.offer(offer_key(&id, entry));
                }
            }
        }
    }
}
