//! Reassembly (RFC 9171 §5.9): fragments of bundles that end here are gathered; when every byte is there, the
//! driver puts them together in one block, and the whole arrives as if it had come in one piece. Fragments go
//! behind the records of the whole; a crash in between leaves both, and the fragments go at the next start.

use std::collections::BTreeMap;

use bundle_spec::{BundleDigest, BundleId, Forwarding, Header, fragment};

use super::{
    Agent, Assembled, AssemblyError, Output, Part, Refusal,
    endpoints::{self, Role},
    gathering::Group,
    ingress::{Arrival, Origin},
    ledger::Entry,
};
use crate::{limits, time::Time};

/// Bundles that are put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Assemblies {
    /// Those that the driver works on, by the digest of the whole's id.
    running: BTreeMap<BundleDigest, Group>,
    /// Those that did not succeed, and when each is tried again.
    pauses: BTreeMap<Group, Time>,
}

impl Assemblies {
    /// When something is to be tried again.
    pub(super) fn first_retry(&self) -> Option<Time> {
        self.pauses.values().min().copied()
    }
}

impl Agent {
    /// Begins what can be put together.
    pub(super) fn assemble(&mut self) {
        let now = self.now;
        let over: Vec<Group> =
            self.assemblies.pauses.iter().filter(|(_, at)| **at <= now).map(|(group, _)| *group).collect();
        for group in over {
            self.assemblies.pauses.remove(&group);
            self.ledger.gatherings_mut().look_at(group);
        }
        while self.assemblies.running.len() < limits::REASSEMBLIES_MAX {
            let Some(group) = self.ledger.gatherings_mut().poll_due() else { return };
            let is_busy = self.assemblies.running.contains_key(&group.0);
            if !is_busy && !self.assemblies.pauses.contains_key(&group) {
                self.begin_assembly(group);
            }
        }
    }

    fn begin_assembly(&mut self, group: Group) {
        let Some(first) = self.first_fragment(&group).filter(|first| self.gathers(&first.header)) else {
            return;
        };
        let bundle = whole_id(&first.id);
        let Some(header) = fragment::whole(&first.header) else { return };
        let pieces = self.ledger.gatherings().pieces(&group).expect("what is due has no gaps");
        let part = |piece: &super::gathering::Piece| {
            let entry = self.ledger.get(&piece.fragment).expect("what is gathered is held");
            Part { block: entry.payload, start: piece.start, len: piece.len }
        };
        let parts = pieces.iter().map(part).collect();
        self.assemblies.running.insert(group.0, group);
        self.outputs.push_back(Output::Assemble { bundle, header, len: group.1, parts });
    }

    fn first_fragment(&self, group: &Group) -> Option<Entry> {
        let first = *self.ledger.gatherings().members(group).first()?;
        self.ledger.get(&first).cloned()
    }

    /// Whether the bundle of which this is a fragment is wanted here as a whole: it is for this node, or for
    /// whoever can use it, and this node can.
    pub(super) fn gathers(&self, header: &Header) -> bool {
        let destination = header.primary().destination();
        if destination.node_id().as_ref() == Some(&self.config.node) {
            return true;
        }
        let has_engines = self.resources.as_ref().is_some_and(|resources| !resources.engines.is_empty());
        match endpoints::role_of(destination) {
            Role::Job => has_engines,
            Role::Block => has_engines || self.jobs.lacks_blocks(),
            Role::Result | Role::Other => self.registrations.has(destination),
        }
    }

    /// Whether there is room for a fragment and, later, for the whole beside it.
    pub(super) fn judge_fragment(&self, header: &Header, free: u64) -> Result<(), Refusal> {
        let Some(group) = group_of(header) else { return Ok(()) };
        if group.1 > limits::PAYLOAD_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let is_for_us = header.primary().destination().node_id().as_ref() == Some(&self.config.node);
        let has_room = header.payload_len().saturating_add(group.1) <= free;
        if self.ledger.gatherings().count(&group) >= limits::FRAGMENTS_MAX || (is_for_us && !has_room) {
            return Err(Refusal::NoRoom);
        }
        Ok(())
    }

    /// The driver has put a bundle together, or could not.
    pub(super) fn assembled(&mut self, bundle: &BundleId, result: Result<Assembled, AssemblyError>) {
        let group = self.assemblies.running.remove(&bundle.digest());
        match (group, result) {
            (Some(group), Ok(assembled)) => {
                let payload = assembled.payload;
                self.put_together(group, assembled);
                self.content.handle_unwanted(self.now, &payload);
            }
            (None, Ok(assembled)) => self.content.handle_unwanted(self.now, &assembled.payload),
            (Some(group), Err(AssemblyError::NoRoom | AssemblyError::Failed)) => self.pause_assembly(group),
            (Some(group), Err(AssemblyError::Distrusted)) => self.distrust_whole(group),
            (None, Err(AssemblyError::NoRoom | AssemblyError::Failed | AssemblyError::Distrusted)) => {}
        }
        // Another group of the same bundle may have waited for this one.
        for group in self.ledger.gatherings().of_whole(&bundle.digest()) {
            self.ledger.gatherings_mut().look_at(group);
        }
    }

    fn pause_assembly(&mut self, group: Group) {
        self.assemblies.pauses.insert(group, self.now + limits::REASSEMBLY_PAUSE);
    }

    fn put_together(&mut self, group: Group, assembled: Assembled) {
        let len = assembled.header.as_ref().map_or(group.1, Header::payload_len);
        assert_eq!(assembled.payload.len, len, "a bundle is put together as a whole");
        // Its fragments may have expired meanwhile, or the whole may have come in one piece.
        let Some(first) = self.first_fragment(&group).filter(|_| !self.ledger.knows(&group.0)) else {
            return;
        };
        let Some(header) = self.whole_header(&first, assembled.header.as_ref()) else { return };
        match self.judge_job(&header, &assembled.payload) {
            Ok(()) => {
                let origin = Origin::Peer(header.previous_node());
                let Assembled { header: _, payload, adu, opened } = assembled;
                self.arrive(Arrival { header, payload, adu, opened, expires: first.expires, origin });
            }
            Err(Refusal::NoRoom) => return self.pause_assembly(group),
            Err(_) => self.remember(group.0, first.expires),
        }
        self.drop_fragments(&group.0, "reassembled");
    }

    /// What the fragments make together is not what it says: neither they nor others of it are taken again.
    fn distrust_whole(&mut self, group: Group) {
        if let Some(first) = self.first_fragment(&group) {
            self.remember(group.0, first.expires);
        }
        self.drop_fragments(&group.0, "distrusted");
    }

    /// The header of the whole, as it was `checked` if that has changed it, as old as it is at this moment.
    fn whole_header(&self, first: &Entry, checked: Option<&Header>) -> Option<Header> {
        let header = checked.cloned().or_else(|| fragment::whole(&first.header))?;
        let here = u64::try_from(self.now.since(first.received).as_millis()).unwrap_or(u64::MAX);
        let edits = Forwarding {
            previous_node: header.previous_node(),
            age_ms: header.age_ms().map(|age| age.saturating_add(here)),
            count_hop: false,
        };
        Some(header.forwarded(&edits).unwrap_or(header))
    }

    /// A bundle is here or was as a whole: its fragments are not needed.
    pub(super) fn drop_fragments(&mut self, whole: &BundleDigest, why: &'static str) {
        for group in self.ledger.gatherings().of_whole(whole) {
            for fragment in self.ledger.gatherings().members(&group) {
                self.lose_bundle(&fragment, why);
            }
            self.assemblies.pauses.remove(&group);
        }
    }

    /// Completes what a crash left half done: wholes whose fragments are here, too.
    pub(super) fn mend_fragments(&mut self) {
        let wholes: Vec<BundleDigest> = self.ledger.gatherings().groups().map(|(whole, _)| whole).collect();
        for whole in wholes.into_iter().filter(|whole| self.ledger.knows(whole)).collect::<Vec<_>>() {
            self.drop_fragments(&whole, "reassembled");
        }
        self.ledger.gatherings_mut().look_at_all();
    }
}

/// The identity of the bundle of which this is a fragment.
pub(super) fn whole_id(fragment: &BundleId) -> BundleId {
    BundleId { fragment: None, ..fragment.clone() }
}

/// Of which bundle this is a fragment; `None` if it is none.
pub(super) fn group_of(header: &Header) -> Option<Group> {
    let origin = header.primary().fragment()?;
    Some((whole_id(&header.bundle_id()).digest(), origin.total))
}
