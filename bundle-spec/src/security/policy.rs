//! Who secures, checks and opens what: the rules of a node, one line each.
//!
//! ```text
//! sign payload,primary from dtn://clinic/** with mesh
//! encrypt payload to dtn://hospital/** with hospital
//! verify payload from dtn://clinic/** with mesh required
//! decrypt payload to dtn://hospital/**
//! ```
//!
//! A rule is a duty, the blocks it is about, and conditions: `from` is the source of the bundle, `to` its
//! destination, `by` who added the operation. `with` names a key, `required` refuses bundles without the
//! operation. For each block the first rule that fits holds. The node asks; nothing here touches a bundle.

use std::{fmt, str::FromStr};

use super::{Decision, EidPattern, Operation, PatternError, Role, Service};
use crate::{
    block::{BUNDLE_AGE, HOP_COUNT, PREVIOUS_NODE},
    bundle::Header,
    eid::Eid,
};

/// Most rules of a node: each is asked for every operation of every bundle.
const RULES_MAX: usize = 256;

/// The rules of a node, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<PolicyRule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRule {
    /// What is done.
    pub duty: Duty,
    /// To which blocks.
    pub targets: Vec<TargetName>,
    /// Sources of bundles that it is about.
    pub from: EidPattern,
    /// Destinations of bundles that it is about.
    pub to: EidPattern,
    /// Who may have added the operation.
    pub by: EidPattern,
    /// The name of the key; `None` lets the source of the operation decide.
    pub key: Option<String>,
    /// Whether a bundle without the operation does not pass.
    pub is_required: bool,
}

/// What a node does by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Source of integrity.
    Sign,
    /// Verifier of integrity: checks and leaves it.
    Verify,
    /// Acceptor of integrity: checks and removes it.
    Accept,
    /// Source of confidentiality.
    Encrypt,
    /// Verifier of confidentiality: checks the tag and reads nothing.
    Authenticate,
    /// Acceptor of confidentiality.
    Decrypt,
}

const DUTIES: [(Duty, &str); 6] = [
    (Duty::Sign, "sign"),
    (Duty::Verify, "verify"),
    (Duty::Accept, "accept"),
    (Duty::Encrypt, "encrypt"),
    (Duty::Authenticate, "authenticate"),
    (Duty::Decrypt, "decrypt"),
];

/// A block that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetName {
    /// The primary block.
    Primary,
    /// The payload.
    Payload,
    /// Every extension block of this type.
    Type(u64),
}

/// A line that is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too many rules.
    #[error("{count} rules; at most {RULES_MAX} are kept")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A rule that does not begin with a duty.
    #[error("`{word}` is no duty: sign, verify, accept, encrypt, authenticate or decrypt")]
    Duty {
        /// What stands there.
        word: String,
    },
    /// Blocks that are not named as they should be.
    #[error("`{word}` is no block: payload, primary, age, hops, previous or a block type as a number")]
    Target {
        /// What stands there.
        word: String,
    },
    /// A word that is no condition.
    #[error("`{word}` is no condition: from PATTERN, to PATTERN, by PATTERN, with KEY or required")]
    Condition {
        /// What stands there.
        word: String,
    },
    /// A condition without its value, or one that is there twice.
    #[error("`{word}` needs one value, and may be said once")]
    Value {
        /// Which condition.
        word: String,
    },
    /// A pattern that is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The primary block cannot be encrypted (RFC 9172 §3.8).
    #[error("the primary block cannot be encrypted: every node must read it (RFC 9172 §3.8)")]
    Primary,
    /// A source without a key.
    #[error("`{0}` needs a key: `with KEY`")]
    NoKey(Duty),
    /// A condition that a source has no use for.
    #[error("`{0}` takes neither `by` nor `required`")]
    Useless(Duty),
}

impl Policy {
    /// These rules, in this order.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, PolicyError> {
        let rules: Result<Vec<PolicyRule>, PolicyError> = lines.into_iter().map(str::parse).collect();
        let rules = rules?;
        match rules.len() {
            count if count > RULES_MAX => Err(PolicyError::TooMany { count }),
            _ => Ok(Self { rules }),
        }
    }

    /// The rules in their order.
    #[must_use]
    pub fn rules(&self) -> &[PolicyRule] {
        &self.rules
    }

    /// Whether bundles between these endpoints are secured where they are made. Such a bundle must not be cut
    /// before it leaves (RFC 9172 §5.2).
    #[must_use]
    pub fn secures(&self, source: &Eid, destination: &Eid) -> bool {
        let makes = |rule: &&PolicyRule| rule.duty.role().is_none();
        self.rules.iter().filter(makes).any(|rule| rule.fits(source, destination))
    }

    /// The rules by which a bundle that is made here is secured with `service`, and the blocks each is for: a
    /// block goes to the first rule that names it.
    #[must_use]
    pub fn sources<'a>(&'a self, header: &Header, service: Service) -> Vec<(&'a PolicyRule, Vec<u64>)> {
        let mut taken = Vec::new();
        let mut found = Vec::new();
        for rule in
            self.of(header).filter(|rule| rule.duty.role().is_none() && rule.duty.service() == service)
        {
            let mut targets = rule.targets_in(header);
            targets.retain(|target| !taken.contains(target));
            taken.extend_from_slice(&targets);
            if !targets.is_empty() {
                found.push((rule, targets));
            }
        }
        found
    }

    /// What this node is for an operation of a received bundle. A destination opens what is still encrypted
    /// when it comes (RFC 9172 §5.1.1), whatever the rules say about others.
    #[must_use]
    pub fn decide(&self, header: &Header, operation: &Operation, is_destination: bool) -> Decision {
        let rule = self.of(header).find(|rule| {
            rule.duty.role().is_some()
                && rule.duty.service() == operation.service
                && rule.by.matches(&operation.source)
                && rule.is_about(header, operation.target)
        });
        if let Some((role, rule)) = rule.and_then(|rule| Some((rule.duty.role()?, rule))) {
            return Decision { role, key: rule.key.clone() };
        }
        let is_ours = is_destination && operation.service == Service::Confidentiality;
        Decision { role: if is_ours { Role::Accept } else { Role::Pass }, key: None }
    }

    /// The operations without which a received bundle does not pass.
    #[must_use]
    pub fn required(&self, header: &Header) -> Vec<(Service, u64)> {
        self.of(header)
            .filter(|rule| rule.is_required)
            .flat_map(|rule| rule.targets_in(header).into_iter().map(|target| (rule.duty.service(), target)))
            .collect()
    }

    fn of<'a>(&'a self, header: &Header) -> impl Iterator<Item = &'a PolicyRule> {
        let primary = header.primary();
        self.rules.iter().filter(|rule| rule.fits(primary.source(), primary.destination()))
    }
}

impl Duty {
    /// What service it is about.
    #[must_use]
    pub const fn service(self) -> Service {
        match self {
            Self::Sign | Self::Verify | Self::Accept => Service::Integrity,
            Self::Encrypt | Self::Authenticate | Self::Decrypt => Service::Confidentiality,
        }
    }

    /// What the node is for operations of others; `None` for a source.
    #[must_use]
    pub const fn role(self) -> Option<Role> {
        match self {
            Self::Sign | Self::Encrypt => None,
            Self::Verify | Self::Authenticate => Some(Role::Verify),
            Self::Accept | Self::Decrypt => Some(Role::Accept),
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = DUTIES.iter().find(|(duty, _)| duty == self).map_or("", |(_, name)| name);
        formatter.write_str(name)
    }
}

impl PolicyRule {
    fn fits(&self, source: &Eid, destination: &Eid) -> bool {
        self.from.matches(source) && self.to.matches(destination)
    }

    fn targets_in(&self, header: &Header) -> Vec<u64> {
        let blocks = header.blocks().iter().map(|block| block.number);
        [0, 1].into_iter().chain(blocks).filter(|number| self.is_about(header, *number)).collect()
    }

    fn is_about(&self, header: &Header, number: u64) -> bool {
        let block = header.blocks().iter().find(|block| block.number == number);
        self.targets.iter().any(|target| match target {
            TargetName::Primary => number == 0,
            TargetName::Payload => number == 1,
            TargetName::Type(wanted) => block.is_some_and(|block| block.block_type == *wanted),
        })
    }
}

impl FromStr for PolicyRule {
    type Err = PolicyError;

    fn from_str(line: &str) -> Result<Self, PolicyError> {
        let mut words = line.split_whitespace();
        let word = words.next().unwrap_or_default();
        let duty = DUTIES.iter().find(|(_, name)| *name == word).map(|(duty, _)| *duty);
        let duty = duty.ok_or_else(|| PolicyError::Duty { word: word.to_owned() })?;
        let targets: Result<Vec<TargetName>, PolicyError> =
            words.next().unwrap_or_default().split(',').map(target).collect();
        let targets = targets?;
        if duty.service() == Service::Confidentiality && targets.contains(&TargetName::Primary) {
            return Err(PolicyError::Primary);
        }
        let (mut from, mut to, mut by, mut key, mut is_required) = (None, None, None, None, false);
        while let Some(word) = words.next() {
            let place = match word {
                "from" => &mut from,
                "to" => &mut to,
                "by" => &mut by,
                "with" => &mut key,
                "required" => {
                    is_required = true;
                    continue;
                }
                _ => return Err(PolicyError::Condition { word: word.to_owned() }),
            };
            let value = words.next().filter(|_| place.is_none());
            *place = Some(value.ok_or_else(|| PolicyError::Value { word: word.to_owned() })?);
        }
        if duty.role().is_none() && key.is_none() {
            return Err(PolicyError::NoKey(duty));
        }
        if duty.role().is_none() && (by.is_some() || is_required) {
            return Err(PolicyError::Useless(duty));
        }
        let key = key.map(str::to_owned);
        Ok(Self { duty, targets, from: pattern(from)?, to: pattern(to)?, by: pattern(by)?, key, is_required })
    }
}

fn pattern(text: Option<&str>) -> Result<EidPattern, PatternError> {
    text.map_or_else(|| Ok(EidPattern::any()), str::parse)
}

fn target(word: &str) -> Result<TargetName, PolicyError> {
    match word {
        "primary" => Ok(TargetName::Primary),
        "payload" => Ok(TargetName::Payload),
        "previous" => Ok(TargetName::Type(PREVIOUS_NODE)),
        "age" => Ok(TargetName::Type(BUNDLE_AGE)),
        "hops" => Ok(TargetName::Type(HOP_COUNT)),
        _ => {
            let is_plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            let number = word.parse().ok().filter(|number: &u64| is_plain && *number > 1);
            number.map(TargetName::Type).ok_or_else(|| PolicyError::Target { word: word.to_owned() })
        }
    }
}
