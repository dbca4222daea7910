//! Forwarding (RFC 9171 §5.4): which bundle goes over which contact, and what its end means.

use bundle_spec::{BundleDigest, BundleId, Forwarding, FragmentExtent, Header, NodeId, report::ReasonCode};

use super::{
    Agent, CloseReason, EventKind, LinkClass, LinkId, Outgoing, Output, Refusal, Retention, Step,
    fragmentation::Cut,
    ledger::Entry,
    link::{Flight, Link, OfferKey, offer_key},
    report::Statement,
};
use crate::{
    limits,
    route::{BundleMeta, Contact, Neighbour, Route},
    time::Time,
};

/// By how many bytes a header may grow as it leaves: a previous node, and the fields of a fragment.
const LEAVING_BYTES: u64 = 192;

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
        self.handovers.forget_link(link);
        self.tell(EventKind::ContactClosed { link, peer: contact.peer, reason });
        // What was on its way may go over another contact with the same peer.
        for flight in contact.in_flight.into_values() {
            self.offer_again(&flight.whole);
        }
    }

    /// From here on bundles go over this contact.
    pub(super) fn begin_offers(&mut self, link: LinkId) {
        let Some(contact) = self.links.get_mut(&link) else { return };
        contact.summary_due = None;
        let here: Vec<BundleDigest> =
            contact.has.iter().filter(|id| self.ledger.get(id).is_some()).copied().collect();
        here.iter().for_each(|id| self.hand_over(id, link));
        let Some(contact) = self.links.get_mut(&link) else { return };
        for (id, entry) in self.ledger.iter() {
            contact.offer(offer_key(id, entry));
        }
    }

    /// A bundle is open again: every contact may take it.
    pub(super) fn offer_again(&mut self, id: &BundleDigest) {
        let Some(key) = self.ledger.get(id).map(|entry| offer_key(id, entry)) else { return };
        self.links.values_mut().for_each(|link| link.offer(key));
    }

    /// Offers what there is to every contact that has room, and ends those that have nothing left.
    pub(super) fn offer_all(&mut self) {
        for link in self.roads() {
            while let Some((key, is_filling)) = self.next_offer(link) {
                self.offer_one(link, key, is_filling);
            }
            let contact = self.links.get_mut(&link).expect("a contact ends with an input only");
            if contact.class.drains && contact.is_drained() {
                contact.is_closing = true;
                self.outputs.push_back(Output::Close { link });
            }
        }
    }

    /// What is to be offered next, and whether only to fill the rest of a budget.
    fn next_offer(&mut self, link: LinkId) -> Option<(OfferKey, bool)> {
        let has_room = self.may_carry(link);
        let contact = self.links.get_mut(&link)?;
        if !(has_room && contact.has_room()) {
            return None;
        }
        let next = contact.queue.pop_first().map(|key| (key, false));
        next.or_else(|| contact.oversize.pop_first().map(|key| (key, true)))
    }

    fn offer_one(&mut self, link: LinkId, key: OfferKey, is_filling: bool) {
        let id = key.3;
        let Some(entry) = self.ledger.get(&id).filter(|entry| self.may_go(entry)).cloned() else { return };
        if self.has_whole(link, &entry) {
            return self.hand_over(&id, link);
        }
        if self.withheld(&self.links[&link].class, &entry).is_some() {
            // It waits for another road.
            return;
        }
        let keep = match self.ask_router(link, &entry) {
            Ok(keep) => keep,
            Err(until) => {
                let contact = self.links.get_mut(&link).expect("the contact was just seen");
                if let Some(until) = until {
                    contact.retries.insert(id, until);
                }
                return;
            }
        };
        let Some(room) = self.room_on(link, &entry, is_filling) else {
            // What is too large for the rest of the budget stays; something smaller may still fit.
            return self.set_aside(link, key, is_filling);
        };
        match self.cut(link, &entry, room) {
            Cut::Whole => drop(self.send(link, &entry, None, keep)),
            Cut::Part(extent, header) => {
                if !self.send(link, &entry, Some((extent, *header)), keep) {
                    return;
                }
                let contact = self.links.get_mut(&link).expect("the contact was just seen");
                match is_filling {
                    true => contact.oversize.insert(key),
                    false => contact.queue.insert(key),
                };
            }
            Cut::Nothing => {}
        }
    }

    /// How many bytes of payload the contact still takes: all, or to fill the rest of its budget fewer;
    /// `None` if the budget has no room for it.
    fn room_on(&self, link: LinkId, entry: &Entry, is_filling: bool) -> Option<u64> {
        let contact = &self.links[&link];
        let Some(left) = contact.budget_left else { return Some(u64::MAX) };
        let header = wide(entry.header.raw().len()).saturating_add(LEAVING_BYTES);
        let room = left.checked_sub(header)?;
        let next = entry.payload.len.min(contact.class.payload_max.unwrap_or(u64::MAX));
        let is_worth_it = is_filling && room >= limits::FILLING_BYTES_MIN;
        (next <= room || is_worth_it).then_some(room)
    }

    /// Whether the bundle, or this part of it, goes: not if it may take no more hops.
    fn send(
        &mut self,
        link: LinkId,
        entry: &Entry,
        part: Option<(FragmentExtent, Header)>,
        keep: bool,
    ) -> bool {
        let whole = entry.id.digest();
        let (extent, header) = match part {
            Some((extent, header)) => (Some(extent), self.leaving(&header, entry.received)),
            None => (None, self.leaving(&entry.header, entry.received)),
        };
        let Some(header) = header else {
            self.end_hops(entry);
            return false;
        };
        let (bundle, len) = (header.bundle_id().detached(), header.payload_len());
        let bytes = wide(header.raw().len()).saturating_add(len);
        let transfer = bundle.digest();
        let contact = self.links.get_mut(&link).expect("the contact was just seen");
        contact.budget_left = contact.budget_left.map(|left| left.saturating_sub(bytes));
        let offset = contact.offsets.remove(&transfer).unwrap_or(0).min(len);
        let start = extent.map_or(0, |extent| extent.offset);
        let flight = Flight { bundle: bundle.clone(), whole, part: extent, bytes, keep };
        contact.goodput.depart(self.now, contact.in_flight.is_empty());
        contact.in_flight.insert(transfer, flight);
        let (payload, clear_only) = (entry.payload, contact.class.clear_only);
        let outgoing = Outgoing { bundle, header, payload, start, offset, clear_only, sealed: None };
        self.outputs.push_back(Output::Transmit { link, outgoing });
        true
    }

    /// A bundle may take no more hops (RFC 9171 §4.4.3). One that many may use is of use here all the same.
    fn end_hops(&mut self, entry: &Entry) {
        if entry.header.primary().destination().is_singleton() {
            self.drop_bundle(&entry.id.digest(), "hop-limit");
        }
    }

    /// Whether a bundle is for others at all: not while its task runs here, not when it has been delivered.
    pub(super) fn may_go(&self, entry: &Entry) -> bool {
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
        let is_durable = self.links.get(&on).is_some_and(|link| link.class.durable);
        self.links.iter().filter(|(name, other)| is_same(**name, other)).any(|(name, other)| {
            // What went over a road that vouches for nothing may not have come: it goes again where one does.
            let vouches = *name == on || other.class.durable || !is_durable;
            (vouches && other.has.contains(id)) || (*name != on && other.in_flight.contains_key(id))
        })
    }

    /// The header as it leaves (RFC 9171 §5.4 step 4); `None` if the bundle may take no more hops.
    fn leaving(&self, header: &Header, received: Time) -> Option<Header> {
        let here = u64::try_from(self.now.since(received).as_millis()).unwrap_or(u64::MAX);
        let edits = Forwarding {
            previous_node: Some(self.config.node.clone()),
            age_ms: header.age_ms().map(|age| age.saturating_add(here)),
            count_hop: true,
        };
        header.forwarded(&edits).ok()
    }

    /// The peer has acknowledged a transfer.
    pub(super) fn transmitted(&mut self, link: LinkId, bundle: &BundleId) {
        let transfer = bundle.digest();
        let Some(contact) = self.links.get_mut(&link) else { return };
        let Some(flight) = contact.in_flight.remove(&transfer) else { return };
        contact.goodput.arrive(self.now, flight.bytes);
        contact.aborted.remove(&transfer);
        contact.has.note(transfer, |id| self.ledger.holds(id));
        let peer = contact.peer.clone();
        match flight.part {
            Some(extent) => {
                self.tell_part(link, &flight, extent);
                self.part_taken(link, &flight, extent);
            }
            None => {
                let Some(entry) = self.ledger.get(&flight.whole) else { return };
                let (job, len) = (entry.job, entry.payload.len);
                let bundle = flight.bundle.clone();
                self.tell(EventKind::Forwarded { bundle, peer, job, len });
                self.handed_over(link, flight.whole, flight.keep);
            }
        }
    }

    /// All of a bundle is at the peer.
    pub(super) fn handed_over(&mut self, link: LinkId, id: BundleDigest, keep: bool) {
        self.ledger.share(&id);
        let (Some(contact), Some(entry)) = (self.links.get(&link), self.ledger.get(&id)) else { return };
        let (peer, cla, is_durable) = (contact.peer.clone(), contact.class.cla, contact.class.durable);
        let waits_here = self.waits(entry);
        let destination = entry.header.primary().destination().node_id();
        let is_there = destination.is_some() && destination == peer;
        let asks_for_report = entry.header.primary().flags().requests_reports();
        let header = asks_for_report.then(|| entry.header.clone());
        if let Some(mut record) = entry.job.and_then(|job| self.jobs.get(job.digest()).cloned()) {
            self.step(&mut record, Step::Forwarded { to: peer, cla: cla.to_owned() });
            self.put_job(record);
        }
        if let Some(header) = header {
            self.report(&header, Statement::Forwarded, ReasonCode::NoInformation);
        }
        if is_durable && (is_there || !keep) && !waits_here {
            self.drop_bundle(&id, "delivered");
        }
    }

    /// The peer did not want a bundle.
    pub(super) fn refused(&mut self, link: LinkId, bundle: &BundleId, reason: Refusal) {
        let transfer = bundle.digest();
        let Some(contact) = self.links.get_mut(&link) else { return };
        let Some(flight) = contact.in_flight.remove(&transfer) else { return };
        contact.aborted.remove(&transfer);
        contact.budget_left = contact.budget_left.map(|left| left.saturating_add(flight.bytes));
        match (reason, flight.part) {
            (Refusal::Duplicate, Some(extent)) => self.part_taken(link, &flight, extent),
            (Refusal::Duplicate, None) => {
                contact.has.note(transfer, |id| self.ledger.holds(id));
                self.hand_over(&transfer, link);
            }
            (
                Refusal::NoRoom
                | Refusal::TooLarge
                | Refusal::Expired
                | Refusal::Malformed
                | Refusal::Pointless,
                _,
            ) => {
                contact.refused.insert(flight.whole);
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
        let transfer = bundle.digest();
        let at = self.now + limits::RETRY_PAUSE;
        let Some(contact) = self.links.get_mut(&link) else { return };
        let Some(flight) = contact.in_flight.remove(&transfer) else { return };
        let unused = flight.bytes.saturating_sub(acknowledged);
        contact.budget_left = contact.budget_left.map(|left| left.saturating_add(unused));
        if contact.aborted.remove(&transfer) {
            return;
        }
        contact.retries.insert(flight.whole, at);
        match contact.class.keeps_parts && !contact.class.clear_only {
            true => self.part_claimed(link, &flight, acknowledged),
            false => contact.keep_offset(transfer, acknowledged),
        }
    }

    /// Transfers whose pause is over are offered again.
    pub(super) fn retry(&mut self) {
        let now = self.now;
        for link in self.links.values_mut() {
            let due = link.retries.iter().filter(|(_, at)| **at <= now);
            let due: Vec<BundleDigest> = due.map(|(id, _)| *id).collect();
            for id in due {
                link.retries.remove(&id);
                if let Some(entry) = self.ledger.get(&id) {
                    link.offer(offer_key(&id, entry));
                }
            }
        }
    }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
