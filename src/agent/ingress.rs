//! Reception (RFC 9171 §5.6): is it taken, what is it, and the acknowledgement behind its records.

use bundle_spec::{BlockRef, Header, NodeId, report::ReasonCode};
use bytes::Bytes;

use super::{
    Agent, EventKind, LinkId, Output, Refusal,
    endpoints::{self, Role},
    reassemble::whole_id,
    report::Statement,
};
use crate::{limits, time::Time};

/// A bundle that has come in or was made here, before anything is known of it.
pub(super) struct Arrival {
    /// Everything but the payload.
    pub(super) header: Header,
    /// The payload; in the store.
    pub(super) payload: BlockRef,
    /// The payload's bytes, if it is short.
    pub(super) adu: Option<Bytes>,
    /// What was sealed in them, if a key of this node opens it.
    pub(super) opened: Option<Bytes>,
    /// When its lifetime ends.
    pub(super) expires: Time,
    /// Where it comes from.
    pub(super) origin: Origin,
}

/// What was read of a payload.
pub(super) struct Read {
    /// Its bytes, if it is short.
    pub(super) adu: Option<Bytes>,
    /// What was sealed in them, if a key of this node opens it.
    pub(super) opened: Option<Bytes>,
}

/// Where a bundle comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// It was made here.
    Here,
    /// It came over a contact, from this node if anybody says.
    Peer(Option<NodeId>),
}

impl Agent {
    /// Whether a bundle is taken, as far as its header tells.
    pub(super) fn judge(&self, now: Time, header: &Header) -> Result<(), Refusal> {
        let id = header.bundle_id();
        let is_part_of_known = id.fragment.is_some() && self.ledger.knows(&whole_id(&id).digest());
        if is_part_of_known || self.ledger.knows(&id.digest()) {
            return Err(Refusal::Duplicate);
        }
        if self.lifetime_end(now, header) <= now {
            return Err(Refusal::Expired);
        }
        if header.payload_len() > limits::PAYLOAD_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        if self.ledger.len() >= self.bundles_max() {
            return Err(Refusal::NoRoom);
        }
        // Whether the store has room for it is asked before its payload comes.
        self.judge_fragment(header, u64::MAX)
    }

    /// How many bundles are held at a time.
    pub(super) fn bundles_max(&self) -> usize {
        self.config.bundles_max.min(limits::BUNDLES_MAX)
    }

    /// A bundle has arrived whole.
    pub(super) fn receive(&mut self, link: LinkId, header: Header, payload: BlockRef, read: Read) {
        let Read { adu, opened } = read;
        let bundle = header.bundle_id().detached();
        let Some(contact) = self.links.get_mut(&link) else {
            // Nobody is left to whom it could be acknowledged: the peer will send it again.
            self.content.handle_unwanted(self.now, &payload);
            return;
        };
        if contact.class.sends {
            contact.has.note(bundle.digest(), |id| self.ledger.holds(id));
        }
        let peer = contact.peer.clone().or_else(|| header.previous_node());
        let verdict = match header.payload_len() == payload.len {
            true => self
                .judge(self.now, &header)
                .and_then(|()| self.judge_clearance(link, &header))
                .and_then(|()| self.judge_job(&header, &payload)),
            false => Err(Refusal::Malformed),
        };
        if let Err(reason) = verdict {
            self.outputs.push_back(Output::Refuse { link, bundle, reason });
            self.content.handle_unwanted(self.now, &payload);
            return;
        }
        let expires = self.lifetime_end(self.now, &header);
        let header = header.detached();
        self.tell(EventKind::Received {
            bundle: bundle.clone(),
            peer: peer.clone(),
            job: None,
            len: payload.len,
        });
        let told = self.events.len() - 1;
        self.report(&header, Statement::Received, ReasonCode::NoInformation);
        let origin = Origin::Peer(peer);
        let job = match self.screen(header.clone()) {
            Ok(header) => self.arrive(Arrival { header, payload, adu, opened, expires, origin }),
            Err(why) => {
                self.discard(&Arrival { header, payload, adu, opened, expires, origin }, why);
                None
            }
        };
        if let EventKind::Received { job: of_job, .. } = &mut self.events[told].kind {
            *of_job = job;
        }
        if bundle.fragment.is_none() {
            self.drop_fragments(&bundle.digest(), "reassembled");
        }
        self.outputs.push_back(Output::Acknowledge { link, bundle });
        self.content.handle_unwanted(self.now, &payload);
    }

    /// A bundle has arrived whole and must not be gone on with: nothing is kept of it. Its source hears why
    /// if it asks for that (RFC 9172 §7.1).
    pub(super) fn distrust(
        &mut self,
        link: LinkId,
        header: &Header,
        (payload, reason, report): (&BlockRef, Refusal, Option<ReasonCode>),
    ) {
        if self.links.contains_key(&link) {
            let bundle = header.bundle_id().detached();
            self.outputs.push_back(Output::Refuse { link, bundle, reason });
        }
        if let Some(report) = report {
            self.report(header, Statement::Received, report);
            self.report(header, Statement::Deleted, report);
        }
        self.content.handle_unwanted(self.now, payload);
    }

    /// Whether a job still has a point: not if its asker has said that this wish is over.
    pub(super) fn judge_job(&mut self, header: &Header, payload: &BlockRef) -> Result<(), Refusal> {
        if endpoints::role(header) != Role::Job {
            return Ok(());
        }
        let Some(asker) = endpoints::asker(header).and_then(|eid| eid.node_id()) else { return Ok(()) };
        let (job, wish) = (payload.cid.digest(), endpoints::wish(header));
        if self.receipts.get(job, &asker).is_some_and(|over| over.covers(wish)) {
            return Err(Refusal::Pointless);
        }
        match self.jobs_have_room(job) {
            true => Ok(()),
            false => Err(Refusal::NoRoom),
        }
    }

    fn jobs_have_room(&mut self, job: &bundle_spec::Digest) -> bool {
        self.jobs.get(job).is_some() || self.has_room_for_job()
    }
}
