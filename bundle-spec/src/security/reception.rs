//! The verifier and the acceptor: what is checked when a bundle is received, and what is left of it then
//! (RFC 9172 §5.1).
//!
//! Whoever receives a bundle begins a [`Reception`] with its header, shows it the payload in pieces, and gets
//! the header to go on with from [`Reception::finish`]. The key stream that makes an encrypted payload
//! readable comes with it: nobody can have plaintext whose tag was not right. Fragments are not looked at;
//! they are checked once they are a bundle again.

use super::{
    KeySet, Keystream, Operation, SecurityError, Service,
    draft::{Draft, PAYLOAD, PRIMARY},
    gcm::{Gcm, TAG_BYTES},
    mac::Mac,
    operations::{self, covers},
};
use crate::{
    block::{BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY},
    bundle::Header,
    cbor::len_of,
    crc::CrcType,
};

mod confidentiality;
mod integrity;

/// What a node is for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing: the operation passes through.
    Pass,
    /// It checks the operation and leaves it in the bundle.
    Verify,
    /// It checks the operation and removes it; what was encrypted becomes readable.
    Accept,
}

/// What a node does about an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it is for it.
    pub role: Role,
    /// The name of the key, if only that will do.
    pub key: Option<String>,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It was not this node's.
    Passed(Operation),
    /// It is in order.
    Verified(Operation),
    /// It was in order and is removed.
    Accepted(Operation),
    /// Its context is not known here: it passes through.
    Unknown(Operation),
    /// There is no key to verify it with: it passes through.
    NoKey(Operation),
    /// Its target is encrypted: it cannot be checked here (RFC 9172 §5.1.2).
    Hidden(Operation),
    /// It is not in order: its target, an extension block, is removed with all that belongs to it.
    Discarded(Operation),
    /// It is required here and missing: the extension block that it should cover is removed.
    Missing {
        /// What the operation would do.
        service: Service,
        /// To which block.
        target: u64,
    },
}

/// A bundle that is as its security operations want it, as far as this node checks them.
#[derive(Debug)]
pub struct Cleared {
    /// The header to go on with: without what was accepted or discarded.
    pub header: Header,
    /// Makes the payload readable, if it was encrypted and is no longer. Its length is that of `header`; what
    /// the received payload has beyond that is the tag.
    pub payload: Option<Keystream>,
    /// What became of each operation.
    pub findings: Vec<Finding>,
}

/// A bundle being checked.
pub struct Reception {
    draft: Draft,
    findings: Vec<Finding>,
    /// What may be right about the payload, one for each key that may be its.
    attempts: Vec<Attempt>,
    /// The confidentiality operation of the payload, if it is checked.
    opening: Option<Opening>,
    /// The integrity operation of the payload, if it is checked.
    signed: Option<(Operation, Role, bytes::Bytes)>,
    /// How long the payload is as it comes, in bytes.
    received_len: u64,
    /// How many bytes of it have come.
    position: u64,
    /// Blocks that lost an operation and may get a CRC again.
    freed: Vec<u64>,
    /// Whether the integrity operation of the primary block was accepted.
    primary_accepted: Option<Operation>,
}

/// How the payload is opened.
struct Opening {
    operation: Operation,
    role: Role,
    /// How many bytes are ciphertext; the rest is the tag.
    text_len: u64,
    /// The tag, as far as it is known.
    tag: Vec<u8>,
}

/// One key that may be that of the payload.
#[derive(Clone)]
struct Attempt {
    gcm: Option<Gcm>,
    macs: Vec<Mac>,
}

impl Reception {
    /// Checks everything but the payload. `decide` says what this node is for each operation; `required`
    /// names operations without which a bundle does not pass here.
    ///
    /// # Errors
    /// The security blocks are not as RFC 9172 allows them, a check of the primary block failed, or something
    /// required is missing.
    pub fn new(
        header: &Header,
        keys: &KeySet,
        decide: impl Fn(&Operation) -> Decision,
        required: &[(Service, u64)],
    ) -> Result<Self, SecurityError> {
        let draft = Draft::of(header);
        let mut reception = Self {
            received_len: draft.payload_len(),
            draft,
            findings: Vec::new(),
            attempts: vec![Attempt { gcm: None, macs: Vec::new() }],
            opening: None,
            signed: None,
            position: 0,
            freed: Vec::new(),
            primary_accepted: None,
        };
        if reception.draft.is_fragment() {
            return Ok(reception);
        }
        reception.open(keys, &decide)?;
        reception.verify(keys, &decide, required)?;
        Ok(reception)
    }

    /// Whether the payload must be shown before [`Reception::finish`].
    #[must_use]
    pub fn needs_payload(&self) -> bool {
        self.opening.is_some() || self.signed.is_some()
    }

    /// The next bytes of the payload as it was received.
    pub fn update(&mut self, payload: &[u8]) {
        let before = self.position;
        self.position = self.position.saturating_add(len_of(payload));
        if !self.needs_payload() || self.position > self.received_len {
            return;
        }
        let text_len = self.opening.as_ref().map_or(self.received_len, |opening| opening.text_len);
        let text = usize::try_from(text_len.saturating_sub(before)).unwrap_or(usize::MAX).min(payload.len());
        let (text, tag) = payload.split_at(text);
        for Attempt { gcm, macs } in &mut self.attempts {
            match gcm {
                Some(gcm) if macs.is_empty() => gcm.absorb(text),
                Some(gcm) => gcm.decrypt(text, |plain| macs.iter_mut().for_each(|mac| mac.update(plain))),
                None => macs.iter_mut().for_each(|mac| mac.update(text)),
            }
        }
        if let Some(opening) = &mut self.opening {
            opening.tag.extend_from_slice(tag);
        }
    }

    /// The bundle to go on with.
    ///
    /// # Errors
    /// The payload is not as it was, or not what the policy requires: the bundle must be discarded.
    pub fn finish(mut self) -> Result<Cleared, SecurityError> {
        if self.needs_payload() && self.position != self.received_len {
            return Err(SecurityError::PayloadLength);
        }
        let mut keystream = None;
        let mut attempt = self.attempts.pop();
        if let Some(opening) = self.opening.take() {
            self.attempts.extend(attempt.take());
            let right = self.attempts.drain(..).find(|attempt| attempt.is_opened_by(&opening.tag));
            attempt = right;
            let found = attempt.as_ref().and_then(|attempt| attempt.gcm.as_ref());
            let stream = found.ok_or_else(|| failed(&opening.operation))?.keystream();
            keystream = (opening.role == Role::Accept).then_some(stream);
            self.findings.push(passed_check(opening.operation, opening.role));
        }
        if let Some((operation, role, code)) = self.signed.take() {
            let macs = attempt.map(|attempt| attempt.macs).unwrap_or_default();
            if !macs.into_iter().any(|mac| mac.is(&code)) {
                return Err(failed(&operation));
            }
            self.findings.push(passed_check(operation, role));
        }
        self.restore_crcs()?;
        Ok(Cleared { header: self.draft.build()?, payload: keystream, findings: self.findings })
    }

    /// Takes an operation out of its block, and the block if nothing is left of it (RFC 9172 §5.1).
    fn remove_operation(&mut self, block: u64, target: u64) -> Result<(), SecurityError> {
        let Some(part) = self.draft.part(block) else { return Ok(()) };
        let mut content = part.security()?;
        content.remove(target);
        match content.targets.is_empty() {
            true => self.draft.remove(block),
            false => self.draft.set_data(block, content.encode()),
        }
        self.freed.push(target);
        Ok(())
    }

    /// Removes an extension block with every operation on it that can be read (RFC 9172 §5.1.1).
    fn discard(&mut self, target: u64) -> Result<(), SecurityError> {
        if self.draft.needs(target) {
            return Err(SecurityError::Indispensable { target });
        }
        for operation in self.readable(target) {
            self.remove_operation(operation, target)?;
        }
        self.draft.remove(target);
        Ok(())
    }

    /// The security blocks that can be read and have `target`.
    fn readable(&self, target: u64) -> Vec<u64> {
        let of_type = |block_type| self.draft.parts_of(block_type);
        let has =
            |part: &&super::draft::Part| part.security().is_ok_and(|block| block.targets.contains(&target));
        let hidden: Vec<u64> = of_type(BLOCK_CONFIDENTIALITY)
            .filter_map(|part| part.security().ok())
            .flat_map(|block| block.targets)
            .collect();
        of_type(BLOCK_CONFIDENTIALITY)
            .chain(of_type(BLOCK_INTEGRITY).filter(|part| !hidden.contains(&part.header.number)))
            .filter(has)
            .map(|part| part.header.number)
            .collect()
    }

    /// Blocks without any operation are protected by a CRC again. The bytes of the primary block may only
    /// change when nothing is left that covers them; until then its operation stays.
    fn restore_crcs(&mut self) -> Result<(), SecurityError> {
        if let Some(operation) = self.primary_accepted.take() {
            let left = operations::read(&self.draft)?;
            let is_alone = left.iter().all(|other| *other == operation);
            if is_alone {
                self.remove_operation(operation.block, PRIMARY)?;
                self.draft.set_crc(PRIMARY, CrcType::Castagnoli);
            }
            let finding = if is_alone { Finding::Accepted } else { Finding::Verified };
            self.findings.push(finding(operation));
        }
        let left = operations::read(&self.draft)?;
        for target in std::mem::take(&mut self.freed) {
            let is_covered = left.iter().any(|operation| operation.target == target);
            if target != PRIMARY && !is_covered && self.draft.crc_type(target) == CrcType::None {
                self.draft.set_crc(target, CrcType::Castagnoli);
            }
        }
        Ok(())
    }

    /// What is required and missing: the bundle is refused for payload and primary block, an extension block
    /// is removed (RFC 9172 §5.1.2).
    fn require(&mut self, service: Service, target: u64, found: &[Operation]) -> Result<(), SecurityError> {
        let is_hidden = service == Service::Integrity && covers(found, Service::Confidentiality, target);
        if !self.draft.has(target) || covers(found, service, target) || is_hidden {
            return Ok(());
        }
        if matches!(target, PRIMARY | PAYLOAD) {
            return Err(SecurityError::Missing { service, target });
        }
        self.discard(target)?;
        self.findings.push(Finding::Missing { service, target });
        Ok(())
    }
}

impl Attempt {
    fn is_opened_by(&self, tag: &[u8]) -> bool {
        let found = self.gcm.clone().map(Gcm::tag);
        found.is_some_and(|found| same_tag(&found, tag))
    }
}

/// Whether two tags are the same, in a time that does not depend on where they differ.
fn same_tag(found: &[u8; TAG_BYTES], expected: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    bool::from(found.as_slice().ct_eq(expected))
}

fn failed(operation: &Operation) -> SecurityError {
    SecurityError::Failed { service: operation.service, target: operation.target }
}

fn no_key(operation: &Operation) -> SecurityError {
    let source_eid = operation.source.clone();
    SecurityError::NoKey { service: operation.service, target: operation.target, source_eid }
}

fn passed_check(operation: Operation, role: Role) -> Finding {
    match role {
        Role::Accept => Finding::Accepted(operation),
        Role::Verify | Role::Pass => Finding::Verified(operation),
    }
}
