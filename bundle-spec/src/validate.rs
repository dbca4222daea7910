//! What is wrong with a bundle, for people: `pannier bundle validate` and `inspect` call it.
//!
//! A link calls [`Bundle::parse`] or [`crate::Header::parse`], which stop at the first violation that is not
//! tolerated; this goes on behind violations that have a switch.

use bytes::Bytes;

use crate::{
    bundle::Bundle,
    cbor::Judge,
    error::{Lax, Rule},
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A violation that the given switches tolerate.
    Notice,
    /// A violation that a switch would tolerate: who receives it decides by policy.
    Policy,
    /// The bundle is malformed.
    Reject,
}

/// One violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule is broken.
    pub rule: Rule,
    /// Where, in bytes from the beginning of the bundle.
    pub offset: usize,
    /// How bad it is.
    pub severity: Severity,
}

/// The outcome of a validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the bundle is well-formed: nothing of severity [`Severity::Reject`] was found.
    pub ok: bool,
    /// What was found, in the order in which it was found.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Whether a receiver with the given switches accepts the bundle.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Notice)
    }
}

/// Checks a whole bundle, CRCs included, under the switches of `lax`.
#[must_use]
pub fn validate(bytes: &[u8], lax: &Lax) -> Verdict {
    let judge = Judge::recording(*lax);
    let outcome = Bundle::read(&Bytes::copy_from_slice(bytes), &judge);
    let mut findings = judge.into_findings();
    if let Err(error) = &outcome {
        findings.push(Finding { rule: error.rule, offset: error.offset, severity: Severity::Reject });
    }
    Verdict { ok: outcome.is_ok(), findings }
}
