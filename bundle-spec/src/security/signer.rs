//! The source of integrity: adds a BIB to a bundle whose payload passes by (RFC 9172 §3.7, RFC 9173 §3.8.1).
//!
//! Whoever makes bundles calls it. The payload is not changed and not kept.

use super::{
    BIB_HMAC_SHA2, KeyUse, Scope, SecurityBlock, SecurityError, Service, Sha,
    asb::Field,
    context::{Integrity, RESULT},
    draft::{Draft, PAYLOAD, PRIMARY, security_flags},
    key::{Algorithm, KeyMaterial},
    mac::Mac,
    operations::{self, check_target, covers},
    scope::{BlockHeader, Surroundings},
};
use crate::{block::BLOCK_INTEGRITY, bundle::Header, cbor::len_of, crc::CrcType, eid::Eid};

/// What is to be signed, and how.
#[derive(Clone, Debug)]
pub struct Signing<'a> {
    /// Who signs.
    pub source: Eid,
    /// Numbers of the blocks: 0 is the primary block, 1 the payload.
    pub targets: &'a [u64],
    /// Which hash.
    pub sha: Sha,
    /// What the codes cover besides their targets.
    pub scope: Scope,
    /// With which key.
    pub key: KeyUse<'a>,
    /// How the new block is protected.
    pub crc_type: CrcType,
}

/// A signature in the making.
pub struct Signer {
    draft: Draft,
    block: SecurityBlock,
    header: BlockHeader,
    crc_type: CrcType,
    /// The code of the payload, and where it goes, if the payload is a target.
    payload: Option<(usize, Mac)>,
    /// How many bytes of the payload are still to come; `None` once there were too many.
    left: Option<u64>,
}

impl Signer {
    /// Signs everything but the payload.
    ///
    /// # Errors
    /// The bundle is a fragment, a target may not be signed, or the key is not made for it.
    pub fn new(header: &Header, signing: &Signing<'_>) -> Result<Self, SecurityError> {
        let mut draft = Draft::of(header);
        if draft.is_fragment() {
            return Err(SecurityError::Fragment);
        }
        check(&draft, signing)?;
        // A target has no CRC besides a code (RFC 9173 §3.8.1).
        signing.targets.iter().for_each(|target| draft.set_crc(*target, CrcType::None));
        let KeyMaterial { secret, wrapped } =
            signing.key.material(Algorithm::Hmac(signing.sha), Service::Integrity)?;
        if wrapped.is_some() && secret.len() != signing.sha.code_len() {
            return Err(SecurityError::KeyLength);
        }
        let parameters = Integrity { sha: signing.sha, wrapped, scope: signing.scope };
        let number = draft.free_number();
        let header = BlockHeader { block_type: BLOCK_INTEGRITY, number, flags: security_flags(false) };
        let mut payload = None;
        let mut results = Vec::with_capacity(signing.targets.len());
        for target in signing.targets.iter().copied() {
            let mut mac = Mac::new(signing.sha, &secret)?;
            mac.update(&covered(&draft, header, target, signing.scope));
            if target == PAYLOAD {
                payload = Some((results.len(), mac));
                results.push(Vec::new());
            } else {
                results.push(vec![Field::bytes(RESULT, &mac.finish())]);
            }
        }
        let block = SecurityBlock {
            targets: signing.targets.to_vec(),
            context: BIB_HMAC_SHA2,
            source: signing.source.clone(),
            parameters: Some(parameters.fields()),
            results,
        };
        let left = Some(draft.payload_len());
        Ok(Self { draft, block, header, crc_type: signing.crc_type, payload, left })
    }

    /// The next bytes of the payload. Not needed if the payload is no target.
    pub fn update(&mut self, payload: &[u8]) {
        self.left = self.left.and_then(|left| left.checked_sub(len_of(payload)));
        if let Some((_, mac)) = &mut self.payload {
            mac.update(payload);
        }
    }

    /// The header with its BIB.
    ///
    /// # Errors
    /// The payload had not the length that its header says.
    pub fn finish(mut self) -> Result<Header, SecurityError> {
        if let Some((index, mac)) = self.payload {
            if self.left != Some(0) {
                return Err(SecurityError::PayloadLength);
            }
            self.block.results[index] = vec![Field::bytes(RESULT, &mac.finish())];
        }
        self.draft.insert(self.header, self.crc_type, self.block.encode());
        let header = self.draft.build()?;
        Ok(header)
    }
}

fn check(draft: &Draft, signing: &Signing<'_>) -> Result<(), SecurityError> {
    let service = Service::Integrity;
    let existing = operations::read(draft)?;
    for (index, target) in signing.targets.iter().copied().enumerate() {
        check_target(draft, service, target)?;
        if covers(&existing, service, target) || signing.targets[..index].contains(&target) {
            return Err(SecurityError::Repeated { service, target });
        }
        if covers(&existing, Service::Confidentiality, target) {
            return Err(SecurityError::Encrypted { target });
        }
    }
    let changes_primary = signing.targets.contains(&PRIMARY) && draft.crc_type(PRIMARY) != CrcType::None;
    if changes_primary && !existing.is_empty() {
        return Err(SecurityError::PrimaryCovered);
    }
    Ok(())
}

/// What a code covers before the content of the payload; for every other target with its content.
pub(super) fn covered(draft: &Draft, security: BlockHeader, target: u64, scope: Scope) -> Vec<u8> {
    let around = Surroundings { primary: draft.primary(), target: draft.block_header(target), security };
    match target {
        PRIMARY => around.signed(scope, draft.primary()),
        PAYLOAD => around.signed_before(scope, draft.payload_len()),
        _ => around.signed(scope, draft.part(target).map_or(&[], |part| &part.data)),
    }
}
