//! Fragmentation (RFC 9171 §5.8): how much of a bundle goes over a contact, and what a part that has arrived
//! means. A bundle that is longer than a link takes goes in parts, each a range of the block that holds the
//! whole; the whole stays until every part is there. A transfer that was cut off may count as a part, too.

use bundle_spec::{BundleDigest, FragmentExtent, Header, fragment};

use super::{
    Agent, EventKind, LinkId,
    handover::{Proof, Taker},
    ledger::Entry,
    link::{Flight, Link, OfferKey},
    reassemble::group_of,
};
use crate::limits;

/// What of a bundle goes over a contact next.
#[derive(Debug)]
pub(super) enum Cut {
    /// All of it.
    Whole,
    /// This part, as a fragment with this header.
    Part(FragmentExtent, Box<Header>),
    /// Nothing: the rest is on its way, or it may not go in parts that the link takes.
    Nothing,
}

impl Agent {
    /// Who is handed parts over a contact.
    fn taker(&self, link: LinkId) -> Taker {
        let contact = self.links.get(&link).filter(|contact| contact.class.durable);
        contact.and_then(|contact| contact.peer.clone()).map_or(Taker::Link(link), Taker::Node)
    }

    /// What of a bundle goes over a contact next; `room` is how many bytes of payload still fit there.
    pub(super) fn cut(&mut self, link: LinkId, entry: &Entry, room: u64) -> Cut {
        let (id, total, taker) = (entry.id.digest(), entry.payload.len, self.taker(link));
        let contact = &self.links[&link];
        let limit = contact.class.payload_max.unwrap_or(u64::MAX).min(room);
        let under_way = self.parts_under_way(link, &id, &taker);
        let is_begun = !under_way.is_empty() || self.handovers.is_begun(&id, &taker);
        if !is_begun && total <= limit {
            return Cut::Whole;
        }
        // Parts cannot be signed (RFC 9172 §5.2).
        if contact.class.clear_only || !may_go_in_parts(entry, limit) {
            return Cut::Nothing;
        }
        loop {
            let Some(gap) = self.handovers.next_gap(&id, &taker, total, &under_way) else {
                return Cut::Nothing;
            };
            let extent = FragmentExtent { len: gap.len.min(limit), ..gap };
            let Some(header) = part_header(entry, extent) else { return Cut::Nothing };
            if !self.links[&link].has.contains(&header.bundle_id().digest()) {
                return Cut::Part(extent, Box::new(header));
            }
            // The peer has said so: a part that was sent before a restart, or came another way.
            if self.handovers.note(id, &taker, total, (extent, Proof::Taken)) {
                if let Some(contact) = self.links.get_mut(&link) {
                    contact.has.note(id, |id| self.ledger.holds(id));
                }
                return Cut::Nothing;
            }
        }
    }

    /// Whether the peer has the bundle of which this is a fragment: then it needs no part of it.
    pub(super) fn has_whole(&self, link: LinkId, entry: &Entry) -> bool {
        let whole = group_of(&entry.header).map(|(whole, _)| whole);
        let contact = self.links.get(&link);
        whole.is_some_and(|whole| contact.is_some_and(|contact| contact.has.contains(&whole)))
    }

    /// Parts that are on their way to whoever is at the other end.
    fn parts_under_way(&self, link: LinkId, id: &BundleDigest, taker: &Taker) -> Vec<FragmentExtent> {
        let leads_there = |name: LinkId, contact: &Link| match taker {
            Taker::Node(node) => contact.is_with(node) && contact.class.durable,
            Taker::Link(_) => name == link,
        };
        let links = self.links.iter().filter(|(name, contact)| leads_there(**name, contact));
        links.flat_map(|(_, contact)| contact.parts_of(id)).collect()
    }

    /// A part has been acknowledged, or the peer has it already. The bundle has arrived with its last part.
    pub(super) fn part_taken(&mut self, link: LinkId, flight: &Flight, extent: FragmentExtent) {
        let taker = self.taker(link);
        let Some(contact) = self.links.get_mut(&link) else { return };
        contact.has.note(flight.bundle.digest(), |id| self.ledger.holds(id));
        let Some(entry) = self.ledger.get(&flight.whole) else { return };
        let total = entry.payload.len;
        match self.handovers.note(flight.whole, &taker, total, (extent, Proof::Taken)) {
            false => self.offer_again(&flight.whole),
            true => {
                contact.has.note(flight.whole, |id| self.ledger.holds(id));
                self.handed_over(link, flight.whole, flight.keep);
            }
        }
    }

    /// Tells that a part has gone.
    pub(super) fn tell_part(&mut self, link: LinkId, flight: &Flight, extent: FragmentExtent) {
        let peer = self.links.get(&link).and_then(|contact| contact.peer.clone());
        let job = self.ledger.get(&flight.whole).and_then(|entry| entry.job);
        let bundle = flight.bundle.clone();
        self.tell(EventKind::Forwarded { bundle, peer, job, len: extent.len });
    }

    /// A transfer was cut off on a link whose peer keeps what it has acknowledged: that counts as a part, and
    /// the rest is another.
    pub(super) fn part_claimed(&mut self, link: LinkId, flight: &Flight, acknowledged: u64) {
        let Some(entry) = self.ledger.get(&flight.whole).filter(|_| acknowledged > 0) else { return };
        if !entry.header.primary().flags().may_fragment() {
            return;
        }
        let (total, taker) = (entry.payload.len, self.taker(link));
        let part = flight.part.unwrap_or(FragmentExtent { offset: 0, len: total });
        let extent = FragmentExtent { len: acknowledged.min(part.len), ..part };
        self.handovers.note(flight.whole, &taker, total, (extent, Proof::Claimed));
    }

    /// A bundle that found no room in the budget of its contact goes in part, if a part is worth it.
    pub(super) fn set_aside(&mut self, link: LinkId, key: OfferKey, is_filling: bool) {
        if let Some(contact) = self.links.get_mut(&link).filter(|_| !is_filling) {
            contact.oversize.insert(key);
        }
    }
}

/// Whether a bundle may go in parts of this length.
fn may_go_in_parts(entry: &Entry, part_len_max: u64) -> bool {
    let parts = entry.payload.len.checked_div(part_len_max).unwrap_or(u64::MAX);
    let is_few = usize::try_from(parts).is_ok_and(|parts| parts < limits::FRAGMENTS_MAX);
    is_few && entry.header.primary().flags().may_fragment()
}

/// The header of a part, before it leaves.
fn part_header(entry: &Entry, extent: FragmentExtent) -> Option<Header> {
    let end = extent.end()?;
    let cuts = [extent.offset, end].into_iter().filter(|cut| (1..entry.payload.len).contains(cut));
    let parts = fragment::split(&entry.header, &cuts.collect::<Vec<_>>()).ok()?;
    parts.into_iter().nth(usize::from(extent.offset > 0))
}
