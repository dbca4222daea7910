//! Which security operations a bundle carries, and whether they fit one another (RFC 9172 §3.2 to §3.9).
//!
//! `reception` begins with it, as does whoever shows a bundle to people. What is encrypted is not read.

use super::{
    SecurityBlock, SecurityError, Service,
    draft::{Draft, PAYLOAD, PRIMARY},
};
use crate::{
    block::{BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY},
    bundle::Header,
    eid::Eid,
};

/// One security operation of a bundle: a service for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What it does.
    pub service: Service,
    /// Number of the security block that carries it.
    pub block: u64,
    /// Number of the block that it is for.
    pub target: u64,
    /// Its security context.
    pub context: i64,
    /// Who added it.
    pub source: Eid,
}

/// The operations that can be read without a key, BCBs first, in the order of the bundle.
///
/// # Errors
/// A security block cannot be read, or operations are not as RFC 9172 allows them.
pub fn operations(header: &Header) -> Result<Vec<Operation>, SecurityError> {
    read(&Draft::of(header))
}

pub(super) fn read(draft: &Draft) -> Result<Vec<Operation>, SecurityError> {
    let mut found: Vec<Operation> = Vec::new();
    for part in draft.parts_of(BLOCK_CONFIDENTIALITY) {
        add(&mut found, draft, Service::Confidentiality, part.header.number, &part.security()?)?;
    }
    for part in draft.parts_of(BLOCK_INTEGRITY) {
        let number = part.header.number;
        if !covers(&found, Service::Confidentiality, number) {
            add(&mut found, draft, Service::Integrity, number, &part.security()?)?;
        }
    }
    Ok(found)
}

/// Whether one of the operations is this service for `target`.
pub(super) fn covers(operations: &[Operation], service: Service, target: u64) -> bool {
    operations.iter().any(|operation| operation.service == service && operation.target == target)
}

fn add(
    found: &mut Vec<Operation>,
    draft: &Draft,
    service: Service,
    number: u64,
    block: &SecurityBlock,
) -> Result<(), SecurityError> {
    for target in block.targets.iter().copied() {
        check_target(draft, service, target)?;
        if covers(found, service, target) {
            return Err(SecurityError::Repeated { service, target });
        }
        let (context, source) = (block.context, block.source.clone());
        found.push(Operation { service, block: number, target, context, source });
    }
    Ok(())
}

/// Whether a service may be applied to a block at all (RFC 9172 §3.7, §3.8).
pub(super) fn check_target(draft: &Draft, service: Service, target: u64) -> Result<(), SecurityError> {
    if !draft.has(target) {
        return Err(SecurityError::NoTarget { service, target });
    }
    let is_allowed = match (service, target) {
        (Service::Confidentiality, PRIMARY) => false,
        (_, PRIMARY | PAYLOAD) => true,
        _ => {
            let block_type = draft.block_header(target).map(|header| header.block_type);
            match service {
                Service::Integrity => !matches!(block_type, Some(BLOCK_INTEGRITY | BLOCK_CONFIDENTIALITY)),
                Service::Confidentiality => block_type != Some(BLOCK_CONFIDENTIALITY),
            }
        }
    };
    match is_allowed {
        true => Ok(()),
        false => Err(SecurityError::ForbiddenTarget { service, target }),
    }
}
