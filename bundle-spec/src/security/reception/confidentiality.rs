//! Reception of BCBs (RFC 9172 §5.1.1, RFC 9173 §4.8.2): extension blocks are opened where they stand, for
//! the payload the keys are prepared.

use zeroize::Zeroizing;

use super::{Attempt, Decision, Finding, Opening, Reception, Role, failed, no_key, same_tag};
use crate::{
    cbor::len_of,
    security::{
        KeySet, Operation, SecurityError, Service,
        context::Confidentiality,
        draft::PAYLOAD,
        gcm::{Gcm, TAG_BYTES},
        key::Algorithm,
        operations,
        seal::authenticated,
    },
};

impl Reception {
    /// Processes every confidentiality operation that is this node's.
    pub(super) fn open(
        &mut self,
        keys: &KeySet,
        decide: &impl Fn(&Operation) -> Decision,
    ) -> Result<(), SecurityError> {
        let found = operations::read(&self.draft)?;
        for operation in found.into_iter().filter(|found| found.service == Service::Confidentiality) {
            let decision = decide(&operation);
            if decision.role == Role::Pass {
                self.findings.push(Finding::Passed(operation));
                continue;
            }
            self.open_one(keys, operation, &decision)?;
        }
        Ok(())
    }

    fn open_one(
        &mut self,
        keys: &KeySet,
        operation: Operation,
        decision: &Decision,
    ) -> Result<(), SecurityError> {
        let (number, target) = (operation.block, operation.target);
        // A block that was discarded has taken its operations along.
        let Some(part) = self.draft.part(number).filter(|_| self.draft.has(target)) else { return Ok(()) };
        let (security, block) = (part.header, part.security()?);
        let parameters = match Confidentiality::of(number, &block) {
            Err(SecurityError::UnknownContext { .. }) => {
                self.findings.push(Finding::Unknown(operation));
                return Ok(());
            }
            parameters => parameters?,
        };
        let tag = Confidentiality::tag(number, &block, target)?;
        let wanted = Algorithm::Content(parameters.aes);
        let wrapped = parameters.wrapped.as_deref();
        let mut secrets = keys.secrets(decision.key.as_deref(), &operation.source, wanted, wrapped);
        secrets.retain(|secret| secret.len() == parameters.aes.key_len());
        if secrets.is_empty() && decision.role == Role::Verify {
            self.findings.push(Finding::NoKey(operation));
            return Ok(());
        }
        let associated = authenticated(&self.draft, security, target, parameters.scope);
        let gcms: Result<Vec<Gcm>, SecurityError> = secrets
            .iter()
            .map(|secret| Gcm::new(parameters.aes, secret, &parameters.iv, &associated))
            .collect();
        match target {
            PAYLOAD => self.open_payload(operation, decision.role, gcms?, tag),
            _ => self.open_part(operation, decision.role, &gcms?, tag),
        }
    }

    /// The payload comes later: every key that may be its is ready for it.
    fn open_payload(
        &mut self,
        operation: Operation,
        role: Role,
        gcms: Vec<Gcm>,
        tag: Option<[u8; TAG_BYTES]>,
    ) -> Result<(), SecurityError> {
        if gcms.is_empty() {
            return Err(no_key(&operation));
        }
        let text_len = match tag {
            Some(_) => self.received_len,
            None => {
                let tag_len = len_of(&[0; TAG_BYTES]);
                self.received_len.checked_sub(tag_len).ok_or_else(|| failed(&operation))?
            }
        };
        if text_len > crate::security::TEXT_BYTES_MAX {
            return Err(SecurityError::TooLong { len: text_len });
        }
        self.attempts = gcms.into_iter().map(|gcm| Attempt { gcm: Some(gcm), macs: Vec::new() }).collect();
        if role == Role::Accept {
            self.draft.set_payload_len(text_len);
            self.remove_operation(operation.block, PAYLOAD)?;
        }
        let tag = tag.map(Vec::from).unwrap_or_default();
        self.opening = Some(Opening { operation, role, text_len, tag });
        Ok(())
    }

    fn open_part(
        &mut self,
        operation: Operation,
        role: Role,
        gcms: &[Gcm],
        tag: Option<[u8; TAG_BYTES]>,
    ) -> Result<(), SecurityError> {
        let target = operation.target;
        let Some(plain) = self.plaintext(target, gcms, tag) else {
            // RFC 9172 §5.1.1: the target goes, with everything that belongs to it.
            self.discard(target)?;
            self.findings.push(Finding::Discarded(operation));
            return Ok(());
        };
        if role == Role::Accept {
            self.draft.set_data(target, plain.to_vec());
            self.remove_operation(operation.block, target)?;
        }
        self.findings.push(super::passed_check(operation, role));
        Ok(())
    }

    /// The content of an extension block; `None` if no key is right.
    fn plaintext(
        &self,
        target: u64,
        gcms: &[Gcm],
        tag: Option<[u8; TAG_BYTES]>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let data = &self.draft.part(target)?.data;
        let (text, expected) = match tag {
            Some(tag) => (data.as_ref(), tag.to_vec()),
            None => {
                let (text, tag) = data.split_at(data.len().checked_sub(TAG_BYTES)?);
                (text, tag.to_vec())
            }
        };
        gcms.iter().find_map(|gcm| {
            let mut checked = gcm.clone();
            checked.absorb(text);
            if !same_tag(&checked.tag(), &expected) {
                return None;
            }
            let mut plain = Zeroizing::new(text.to_vec());
            gcm.keystream().apply(0, &mut plain);
            Some(plain)
        })
    }
}
