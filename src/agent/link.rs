//! One contact: what the peer has, what is under way to it, and what is to be offered next. Values only; what
//! is sent is decided in `forward`.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{BundleDigest, BundleId, FragmentExtent, NodeId};

use super::{
    LinkClass, endpoints::Role, ledger::Entry, possessions::Possessions, receipts::OverKey, road::Goodput,
};
use crate::{limits, time::Time};

/// The order in which bundles are offered: results, jobs, blocks, the rest; in each what expires first, then
/// what is shortest.
pub(super) type OfferKey = (Role, Time, u64, BundleDigest);

/// The place of a bundle in that order.
pub(super) fn offer_key(id: &BundleDigest, entry: &Entry) -> OfferKey {
    (entry.role(), entry.expires, entry.payload.len, *id)
}

/// A bundle on its way to the peer.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// Which; for a part, the fragment that it is sent as.
    pub(super) bundle: BundleId,
    /// Which bundle of the ledger it is, or is a part of.
    pub(super) whole: BundleDigest,
    /// Which part of the payload of that; `None` for all of it.
    pub(super) part: Option<FragmentExtent>,
    /// What it took from the link's budget.
    pub(super) bytes: u64,
    /// Whether a copy stays here once the peer has it.
    pub(super) keep: bool,
}

/// One contact.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// With whom; `None` where the road does not say.
    pub(super) peer: Option<NodeId>,
    /// What the link can do.
    pub(super) class: LinkClass,
    /// Since when.
    pub(super) since: Time,
    /// Until when the peer's summary is waited for; `None` once bundles may go.
    pub(super) summary_due: Option<Time>,
    /// How many summary frames the peer has sent.
    pub(super) frames: usize,
    /// Whether the agent has ended the contact.
    pub(super) is_closing: bool,
    /// Bundles that the peer holds or has held.
    pub(super) has: Possessions,
    /// Bundles that the peer did not want on this contact.
    pub(super) refused: BTreeSet<BundleDigest>,
    /// Bundles to be offered, in order.
    pub(super) queue: BTreeSet<OfferKey>,
    /// Bundles that found no room in the budget: once nothing else is left to be offered, parts of them fill
    /// the rest.
    pub(super) oversize: BTreeSet<OfferKey>,
    /// Transfers on their way, by what is sent.
    pub(super) in_flight: BTreeMap<BundleDigest, Flight>,
    /// Transfers of bundles that are gone here: they were aborted.
    pub(super) aborted: BTreeSet<BundleDigest>,
    /// Bundles to be tried again, and when.
    pub(super) retries: BTreeMap<BundleDigest, Time>,
    /// How many bytes the peer has already of a transfer that was cut off, by what was sent.
    pub(super) offsets: BTreeMap<BundleDigest, u64>,
    /// How many bytes the link will still carry; `None` if nobody knows.
    pub(super) budget_left: Option<u64>,
    /// How fast it has carried.
    pub(super) goodput: Goodput,
    /// Receipts and cancellations that the peer knows of, and up to which sequence number.
    pub(super) told: BTreeMap<OverKey, u64>,
}

impl Link {
    /// A contact that begins.
    pub(super) fn new(peer: Option<NodeId>, class: LinkClass, now: Time) -> Self {
        Self {
            summary_due: class.summaries.then(|| now + limits::SUMMARY_PATIENCE),
            budget_left: class.budget,
            peer,
            class,
            since: now,
            frames: 0,
            is_closing: false,
            has: Possessions::default(),
            refused: BTreeSet::new(),
            queue: BTreeSet::new(),
            oversize: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            aborted: BTreeSet::new(),
            retries: BTreeMap::new(),
            offsets: BTreeMap::new(),
            goodput: Goodput::default(),
            told: BTreeMap::new(),
        }
    }

    /// The peer knows of a receipt or a cancellation from here on; says whether it did not before.
    pub(super) fn tell(&mut self, key: OverKey, sequence: u64) -> bool {
        let is_news = self.told.get(&key).is_none_or(|known| *known < sequence);
        if is_news {
            self.told.insert(key, sequence);
        }
        is_news
    }

    /// Whether bundles may go.
    pub(super) fn is_ready(&self) -> bool {
        self.class.sends && self.summary_due.is_none() && !self.is_closing
    }

    /// Whether this is a contact with a node.
    pub(super) fn is_with(&self, node: &NodeId) -> bool {
        self.peer.as_ref() == Some(node)
    }

    /// A bundle may be offered.
    pub(super) fn offer(&mut self, key: OfferKey) {
        let id = key.3;
        let is_known =
            self.has.contains(&id) || self.refused.contains(&id) || self.in_flight.contains_key(&id);
        if self.is_ready() && !is_known && !self.retries.contains_key(&id) {
            self.queue.insert(key);
        }
    }

    /// Whether there is room for one more transfer.
    pub(super) fn has_room(&self) -> bool {
        self.is_ready() && (self.in_flight.len() < limits::LINK_TRANSFERS_MAX || self.has_batch_room())
    }

    /// Whether what is under way is short, and more of that may go.
    fn has_batch_room(&self) -> bool {
        let bytes = || self.in_flight.values().map(|flight| flight.bytes).sum::<u64>();
        let may_batch = self.class.batches && self.in_flight.len() < limits::LINK_BATCH_MAX;
        may_batch && bytes() < limits::LINK_BATCH_BYTES_MAX
    }

    /// Whether nothing is under way and nothing is left to be sent.
    pub(super) fn is_drained(&self) -> bool {
        let has_offers = !self.queue.is_empty() || !self.oversize.is_empty();
        self.is_ready() && self.in_flight.is_empty() && !has_offers && self.retries.is_empty()
    }

    /// Parts of a bundle that are on their way.
    pub(super) fn parts_of(&self, whole: &BundleDigest) -> impl Iterator<Item = FragmentExtent> {
        let flights = self.in_flight.values().filter(move |flight| flight.whole == *whole);
        flights.filter_map(|flight| flight.part)
    }

    /// Notes how far a transfer had come that was cut off.
    pub(super) fn keep_offset(&mut self, transfer: BundleDigest, acknowledged: u64) {
        while self.offsets.len() >= limits::OFFSETS_MAX {
            self.offsets.pop_first();
        }
        if acknowledged > 0 {
            self.offsets.insert(transfer, acknowledged);
        }
    }

    /// When something is to be tried again.
    pub(super) fn first_retry(&self) -> Option<Time> {
        self.retries.values().copied().min()
    }
}
