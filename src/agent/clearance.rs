//! Links on which encryption is forbidden, as on amateur radio: what may go there and come from there, and
//! why the rest waits for another road. `forward` and `ingress` ask. Signing is the driver's work.

use bundle_spec::{
    Header,
    block::BLOCK_CONFIDENTIALITY,
    security::{Service, operations},
};

use super::{Agent, LinkClass, LinkId, Refusal, endpoints::Role, ledger::Entry, link::Link};

/// Number of the payload block (RFC 9171 §4.3.3).
const PAYLOAD: u64 = 1;

/// Why a bundle does not go over a link on which encryption is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// It is encrypted, or leaves this node encrypted.
    Encrypted,
    /// It is a fragment that nobody has signed, and nobody can any more (RFC 9172 §5.2).
    Unsigned,
    /// It is longer than the link takes, and its parts could not be signed.
    TooLong,
}

impl Withheld {
    /// The reason in words, behind "encryption is forbidden on this link".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Unsigned => "a fragment without a signature",
            Self::TooLong => "too long to go in one piece",
        }
    }
}

impl Agent {
    /// Why a bundle does not go over a link of this class; `None` if nothing is against it.
    pub(super) fn withheld(&self, class: &LinkClass, entry: &Entry) -> Option<Withheld> {
        if !class.clear_only {
            return None;
        }
        let header = &entry.header;
        if is_unreadable(header) || self.leaves_encrypted(header) || self.is_in_envelope(entry) {
            return Some(Withheld::Encrypted);
        }
        if header.primary().flags().is_fragment() && !is_signed(header) {
            return Some(Withheld::Unsigned);
        }
        let is_long = class.payload_max.is_some_and(|max| entry.payload.len > max);
        is_long.then_some(Withheld::TooLong)
    }

    /// How many bundles a contact may not carry, by reason.
    pub(super) fn withheld_from(&self, link: &Link) -> Vec<(Withheld, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        if link.class.clear_only {
            let entries = self.ledger.iter().map(|(_, entry)| entry).filter(|entry| self.may_go(entry));
            for why in entries.filter_map(|entry| self.withheld(&link.class, entry)) {
                *counts.entry(why).or_default() += 1;
            }
        }
        counts.into_iter().collect()
    }

    /// Whether a bundle may have come over this contact.
    pub(super) fn judge_clearance(&self, link: LinkId, header: &Header) -> Result<(), Refusal> {
        let is_clear_only = self.links.get(&link).is_some_and(|link| link.class.clear_only);
        if is_clear_only && is_unreadable(header) { Err(Refusal::Malformed) } else { Ok(()) }
    }

    /// Whether a bundle belongs to a sealed job, as far as this node can know: an answer that has passed
    /// nobody who could read it counts as sealed.
    fn is_in_envelope(&self, entry: &Entry) -> bool {
        let Some(job) = &entry.job else { return false };
        let is_unread = entry.role() == Role::Result && self.jobs.get(job.digest()).is_none();
        is_unread || self.is_sealed(job.digest())
    }

    /// Whether the rules of this node encrypt a bundle as it leaves.
    fn leaves_encrypted(&self, header: &Header) -> bool {
        let is_own = header.primary().source().node_id().as_ref() == Some(&self.config.node);
        is_own && !self.config.rules.sources(header, Service::Confidentiality).is_empty()
    }
}

/// Whether not everybody can read all of a bundle, as far as its header tells.
fn is_unreadable(header: &Header) -> bool {
    header.blocks().iter().any(|block| block.block_type == BLOCK_CONFIDENTIALITY)
}

/// Whether somebody has signed the payload.
fn is_signed(header: &Header) -> bool {
    let signs = |operation: &bundle_spec::security::Operation| {
        operation.service == Service::Integrity && operation.target == PAYLOAD
    };
    operations(header).is_ok_and(|operations| operations.iter().any(signs))
}
