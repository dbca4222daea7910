//! Links on which encryption is forbidden: what leaves over one is signed with the key of such links unless
//! somebody has signed it already, and what came over one loses that signature, which is the link's and says
//! nothing of where a bundle comes from. The agent keeps back what is encrypted; here it is refused again.
//!
//! A signature of a link is known by its security source, the endpoint `pannier-link` of the node that sent.

use bundle_spec::{
    CrcType, Header, NodeId,
    block::BLOCK_CONFIDENTIALITY,
    security::{
        Algorithm, Decision, KeyUse, Operation, Role, Scope, Service, Sha, Signer, Signing, operations,
    },
};

use super::{Guard, Stop, departure::show};
use crate::node::mailbox::{Handle, Outgoing};

/// Number of the payload block (RFC 9171 §4.3.3).
pub(super) const PAYLOAD: u64 = 1;
/// Demux and service number of the security source of links.
const LINK: (&str, u64) = ("pannier-link", 4559);

/// Whether somebody has signed the payload.
pub(super) fn is_signed(header: &Header) -> bool {
    let signs =
        |operation: &Operation| operation.service == Service::Integrity && operation.target == PAYLOAD;
    operations(header).is_ok_and(|operations| operations.iter().any(signs))
}

/// Whether a node has signed for one of its links.
fn is_of_link(operation: &Operation) -> bool {
    let is_link = |node: NodeId| node.endpoint(LINK.0, LINK.1) == operation.source;
    operation.service == Service::Integrity && operation.source.node_id().is_some_and(is_link)
}

impl Guard {
    /// The header of a bundle that leaves where encryption is forbidden. Blocks.
    pub(super) fn clear(
        &self,
        handle: &Handle,
        outgoing: &Outgoing,
        header: Header,
        is_encrypted: bool,
    ) -> Result<Header, Stop> {
        let has_ciphertext = header.blocks().iter().any(|block| block.block_type == BLOCK_CONFIDENTIALITY);
        if is_encrypted || has_ciphertext {
            return Err(Stop::Clear);
        }
        if is_signed(&header) {
            return Ok(header);
        }
        let id = self.link_key.as_deref().ok_or(Stop::NoLinkKey)?;
        let keys = self.keys();
        let key = keys.maker(id).ok_or_else(|| Stop::NoKey(id.to_owned()))?;
        let sha = match key.algorithm() {
            Algorithm::Hmac(sha) => sha,
            Algorithm::Content(_) | Algorithm::Wrap(_) => Sha::default(),
        };
        let signing = Signing {
            source: handle.node_id().endpoint(LINK.0, LINK.1),
            targets: &[PAYLOAD],
            sha,
            // The primary block is covered and stays as it came.
            scope: Scope::PRIMARY.and(Scope::TARGET),
            key: KeyUse::Direct(key),
            crc_type: CrcType::Castagnoli,
        };
        let mut signer = Signer::new(&header, &signing)?;
        show(handle.store().as_ref(), outgoing, |chunk| signer.update(chunk))?;
        Ok(signer.finish()?)
    }

    /// What this node is for a signature that may be a link's: it accepts it where it has the key, so that
    /// the next link has its own.
    pub(super) fn decide_on_link(&self, operation: &Operation) -> Option<Decision> {
        let key = self.link_key.as_deref().filter(|_| is_of_link(operation))?;
        Some(Decision { role: Role::Accept, key: Some(key.to_owned()) })
    }
}
