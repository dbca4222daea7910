//! Reception of BIBs (RFC 9172 §5.1.2, RFC 9173 §3.8.2): primary block and extension blocks are checked where
//! they stand, for the payload the codes are prepared. What is encrypted is not checked.

use super::{Attempt, Decision, Finding, Reception, Role, failed, no_key, passed_check};
use crate::security::{
    KeySet, Operation, SecurityError, Service,
    context::Integrity,
    draft::{PAYLOAD, PRIMARY},
    key::Algorithm,
    mac::Mac,
    operations::{self, covers},
    signer::covered,
};

impl Reception {
    /// Processes every integrity operation that is this node's, once what could be opened is open.
    pub(super) fn verify(
        &mut self,
        keys: &KeySet,
        decide: &impl Fn(&Operation) -> Decision,
        required: &[(Service, u64)],
    ) -> Result<(), SecurityError> {
        self.forget_operations_on_missing_blocks()?;
        let mut found = operations::read(&self.draft)?;
        if let Some(opening) = &self.opening {
            // The operation counts, also if the draft has lost it already.
            found.push(opening.operation.clone());
        }
        for (service, target) in required {
            self.require(*service, *target, &found)?;
        }
        let found = operations::read(&self.draft)?;
        for operation in found.iter().filter(|found| found.service == Service::Integrity) {
            let decision = decide(operation);
            if decision.role == Role::Pass {
                self.findings.push(Finding::Passed(operation.clone()));
            } else if covers(&found, Service::Confidentiality, operation.target) {
                self.findings.push(Finding::Hidden(operation.clone()));
            } else {
                self.verify_one(keys, operation.clone(), &decision)?;
            }
        }
        Ok(())
    }

    /// A BIB that was encrypted may speak of blocks that had to go before it could be read.
    fn forget_operations_on_missing_blocks(&mut self) -> Result<(), SecurityError> {
        let discarded: Vec<u64> = self
            .findings
            .iter()
            .filter_map(|finding| match finding {
                Finding::Discarded(operation) => Some(operation.target),
                _ => None,
            })
            .collect();
        for target in discarded {
            for block in self.readable(target) {
                self.remove_operation(block, target)?;
            }
        }
        Ok(())
    }

    fn verify_one(
        &mut self,
        keys: &KeySet,
        operation: Operation,
        decision: &Decision,
    ) -> Result<(), SecurityError> {
        let (number, target) = (operation.block, operation.target);
        // A block that was discarded has taken its operations along.
        let Some(part) = self.draft.part(number).filter(|_| self.draft.has(target)) else { return Ok(()) };
        let (security, block) = (part.header, part.security()?);
        let parameters = match Integrity::of(number, &block) {
            Err(SecurityError::UnknownContext { .. }) => {
                self.findings.push(Finding::Unknown(operation));
                return Ok(());
            }
            parameters => parameters?,
        };
        let code = Integrity::code(number, &block, target)?;
        let wanted = Algorithm::Hmac(parameters.sha);
        let wrapped = parameters.wrapped.as_deref();
        let secrets = keys.secrets(decision.key.as_deref(), &operation.source, wanted, wrapped);
        if secrets.is_empty() {
            return match decision.role {
                Role::Accept => Err(no_key(&operation)),
                Role::Verify | Role::Pass => {
                    self.findings.push(Finding::NoKey(operation));
                    Ok(())
                }
            };
        }
        let covered = covered(&self.draft, security, target, parameters.scope);
        let macs: Result<Vec<Mac>, SecurityError> = secrets
            .iter()
            .map(|secret| {
                let mut mac = Mac::new(parameters.sha, secret)?;
                mac.update(&covered);
                Ok(mac)
            })
            .collect();
        let macs = macs?;
        if target == PAYLOAD {
            self.attempts
                .iter_mut()
                .for_each(|Attempt { macs: of_attempt, .. }| of_attempt.clone_from(&macs));
            if decision.role == Role::Accept {
                self.remove_operation(number, PAYLOAD)?;
            }
            self.signed = Some((operation, decision.role, code));
            return Ok(());
        }
        let is_right = macs.into_iter().any(|mac| mac.is(&code));
        self.checked(operation, decision.role, is_right)
    }

    fn checked(&mut self, operation: Operation, role: Role, is_right: bool) -> Result<(), SecurityError> {
        let target = operation.target;
        match (is_right, target) {
            (false, PRIMARY) => return Err(failed(&operation)),
            (false, _) => {
                self.discard(target)?;
                self.findings.push(Finding::Discarded(operation));
            }
            (true, PRIMARY) if role == Role::Accept => self.primary_accepted = Some(operation),
            (true, _) => {
                if role == Role::Accept {
                    self.remove_operation(operation.block, target)?;
                }
                self.findings.push(passed_check(operation, role));
            }
        }
        Ok(())
    }
}
