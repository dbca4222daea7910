//! The source of confidentiality: adds BCBs to a bundle whose payload passes by (RFC 9172 §3.8, §3.9,
//! RFC 9173 §4.8.1).
//!
//! Whoever makes bundles calls it. Every target gets a BCB of its own: one key and initialization vector for
//! two texts would give both away. A BIB that shares a target is encrypted with it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    Aes, BCB_AES_GCM, KeyUse, Keystream, Scope, SecurityBlock, SecurityError, Service, TEXT_BYTES_MAX,
    asb::Field,
    context::{Confidentiality, Integrity, RESULT},
    draft::{Draft, PAYLOAD, security_flags},
    gcm::Gcm,
    key::{Algorithm, KeyMaterial},
    operations::{self, check_target, covers},
    scope::{BlockHeader, Surroundings},
};
use crate::{
    block::{BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY},
    bundle::Header,
    cbor::len_of,
    crc::CrcType,
    eid::Eid,
};

/// What is to be encrypted, and how.
#[derive(Clone, Debug)]
pub struct Sealing<'a> {
    /// Who encrypts.
    pub source: Eid,
    /// Numbers of the blocks; 1 is the payload.
    pub targets: &'a [u64],
    /// Which cipher.
    pub aes: Aes,
    /// What the tags cover besides their targets.
    pub scope: Scope,
    /// With which key.
    pub key: KeyUse<'a>,
    /// How the new blocks are protected.
    pub crc_type: CrcType,
}

/// An encryption in the making.
pub struct Sealer {
    draft: Draft,
    payload: Option<Pending>,
    crc_type: CrcType,
    /// How many bytes of the payload are still to come; `None` once there were too many.
    left: Option<u64>,
}

/// The BCB of the payload, whose tag is not known yet.
struct Pending {
    header: BlockHeader,
    block: SecurityBlock,
    gcm: Gcm,
}

/// An encrypted bundle.
#[derive(Debug)]
pub struct Sealed {
    /// The header with its BCBs.
    pub header: Header,
    /// Encrypts the payload, if that was a target.
    pub payload: Option<Keystream>,
}

impl Sealer {
    /// Encrypts everything but the payload. `iv` gives the initialization vector for the block of a number:
    /// never twice the same for one key, whatever the block and the bundle.
    ///
    /// # Errors
    /// The bundle is a fragment, a target may not be encrypted, or the key is not made for it.
    pub fn new(
        header: &Header,
        sealing: &Sealing<'_>,
        mut iv: impl FnMut(u64) -> [u8; 12],
    ) -> Result<Self, SecurityError> {
        let mut draft = Draft::of(header);
        if draft.is_fragment() {
            return Err(SecurityError::Fragment);
        }
        check(&draft, sealing.targets)?;
        let KeyMaterial { secret, wrapped } =
            sealing.key.material(Algorithm::Content(sealing.aes), Service::Confidentiality)?;
        let mut numbers = sealing.targets.to_vec();
        numbers.extend(separate_bibs(&mut draft, sealing.targets)?);
        let mut payload = None;
        for target in numbers {
            // A target has no CRC besides a tag (RFC 9173 §4.8.1).
            draft.set_crc(target, CrcType::None);
            let parameters = Confidentiality {
                iv: Bytes::copy_from_slice(&iv(target)),
                aes: sealing.aes,
                wrapped: wrapped.clone(),
                scope: sealing.scope,
            };
            let flags = security_flags(target == PAYLOAD);
            // The BCB of the payload takes its number before others take it.
            let number = draft.free_number();
            let header = BlockHeader { block_type: BLOCK_CONFIDENTIALITY, number, flags };
            let gcm = Gcm::new(
                sealing.aes,
                &secret,
                &parameters.iv,
                &authenticated(&draft, header, target, sealing.scope),
            )?;
            let mut pending = Pending { header, block: asb(sealing, target, &parameters), gcm };
            if target != PAYLOAD {
                pending.seal_part(&mut draft, target);
            }
            draft.insert(header, sealing.crc_type, pending.block.encode());
            if target == PAYLOAD {
                payload = Some(pending);
            }
        }
        let left = Some(draft.payload_len());
        Ok(Self { draft, payload, crc_type: sealing.crc_type, left })
    }

    /// The next bytes of the payload, in plain. Not needed if the payload is no target.
    pub fn update(&mut self, payload: &[u8]) {
        self.left = self.left.and_then(|left| left.checked_sub(len_of(payload)));
        if let (Some(pending), Some(_)) = (&mut self.payload, self.left) {
            pending.gcm.encrypt(payload);
        }
    }

    /// The header with its BCBs, and what encrypts the payload.
    ///
    /// # Errors
    /// The payload had not the length that its header says.
    pub fn finish(mut self) -> Result<Sealed, SecurityError> {
        let mut keystream = None;
        if let Some(mut pending) = self.payload {
            if self.left != Some(0) {
                return Err(SecurityError::PayloadLength);
            }
            keystream = Some(pending.gcm.keystream());
            pending.block.results[0] = vec![Field::bytes(RESULT, &pending.gcm.tag())];
            self.draft.set_data(pending.header.number, pending.block.encode());
            self.draft.set_crc(pending.header.number, self.crc_type);
        }
        Ok(Sealed { header: self.draft.build()?, payload: keystream })
    }
}

impl Pending {
    /// Encrypts an extension block where it stands.
    fn seal_part(&mut self, draft: &mut Draft, target: u64) {
        let Some(part) = draft.part(target) else { return };
        let mut gcm = self.gcm.clone();
        let mut data = part.data.to_vec();
        gcm.encrypt(&data);
        gcm.keystream().apply(0, &mut data);
        draft.set_data(target, data);
        self.block.results[0] = vec![Field::bytes(RESULT, &gcm.tag())];
    }
}

fn asb(sealing: &Sealing<'_>, target: u64, parameters: &Confidentiality) -> SecurityBlock {
    SecurityBlock {
        targets: vec![target],
        context: BCB_AES_GCM,
        source: sealing.source.clone(),
        parameters: Some(parameters.fields()),
        results: vec![Vec::new()],
    }
}

/// What is authenticated along with `target`.
pub(super) fn authenticated(draft: &Draft, security: BlockHeader, target: u64, scope: Scope) -> Vec<u8> {
    Surroundings { primary: draft.primary(), target: draft.block_header(target), security }
        .authenticated(scope)
}

fn check(draft: &Draft, targets: &[u64]) -> Result<(), SecurityError> {
    let service = Service::Confidentiality;
    let existing = operations::read(draft)?;
    for (index, target) in targets.iter().copied().enumerate() {
        check_target(draft, service, target)?;
        let is_bib = draft.block_header(target).is_some_and(|header| header.block_type == BLOCK_INTEGRITY);
        if is_bib {
            // It is encrypted along with its targets, not for its own sake (RFC 9172 §3.8).
            return Err(SecurityError::ForbiddenTarget { service, target });
        }
        if covers(&existing, service, target) || targets[..index].contains(&target) {
            return Err(SecurityError::Repeated { service, target });
        }
        if target == PAYLOAD && draft.payload_len() > TEXT_BYTES_MAX {
            return Err(SecurityError::TooLong { len: draft.payload_len() });
        }
    }
    Ok(())
}

/// The BIBs that must be encrypted along with `targets` (RFC 9172 §3.9). One that has other targets, too, is
/// split: what belongs to `targets` moves into a new BIB.
fn separate_bibs(draft: &mut Draft, targets: &[u64]) -> Result<Vec<u64>, SecurityError> {
    let existing = operations::read(draft)?;
    let mut shared: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for operation in existing.iter().filter(|operation| operation.service == Service::Integrity) {
        if targets.contains(&operation.target) {
            shared.entry(operation.block).or_default().push(operation.target);
        }
    }
    let mut found = Vec::new();
    for (number, moving) in shared {
        let Some(part) = draft.part(number) else { continue };
        let (flags, crc_type) = (part.header.flags, draft.crc_type(number));
        let mut block = part.security()?;
        if moving.len() == block.targets.len() {
            found.push(number);
            continue;
        }
        let is_separable =
            Integrity::of(number, &block).is_ok_and(|parameters| !parameters.scope.contains(Scope::SECURITY));
        if !is_separable {
            return Err(SecurityError::Inseparable { block: number });
        }
        let mut split = SecurityBlock { targets: Vec::new(), results: Vec::new(), ..block.clone() };
        for target in moving {
            let results = block.remove(target).expect("the target was read from this block");
            split.targets.push(target);
            split.results.push(results);
        }
        draft.set_data(number, block.encode());
        let new = draft.free_number();
        let header = BlockHeader { block_type: BLOCK_INTEGRITY, number: new, flags };
        draft.insert(header, crc_type, split.encode());
        found.push(new);
    }
    Ok(found)
}
