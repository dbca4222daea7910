//! Patterns of endpoint identifiers, in the forms of draft-ietf-dtn-eid-pattern that other agents use:
//! `ipn:2.*.*`, `ipn:0.[1-9,20+].7`, `dtn://node/**`, `dtn://*/mail`, `*:**`, several joined by `|`.
//!
//! `policy` matches bundles with them. In the dtn scheme `*` is any text without a slash, and `**` any
//! number of parts between slashes.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use crate::eid::Eid;

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024;
const LOCAL_NODE: &str = "!";

/// A set of endpoint identifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EidPattern {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// `*:**`.
    Any,
    /// `dtn:none`, which is every null endpoint.
    None,
    /// `dtn:**`.
    AnyDtn,
    /// Parts between slashes.
    Dtn(Vec<String>),
    /// Allocator, node, service.
    Ipn([Numbers; 3]),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Numbers {
    Any,
    Ranges(Vec<RangeInclusive<u64>>),
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no pattern of endpoint identifiers: {problem}")]
pub struct PatternError {
    /// What was written.
    pub text: String,
    /// What is wrong and what would be right.
    pub problem: &'static str,
}

impl EidPattern {
    /// `*:**`: every endpoint.
    #[must_use]
    pub fn any() -> Self {
        Self { items: vec![Item::Any] }
    }

    /// Whether `eid` is in the set.
    #[must_use]
    pub fn matches(&self, eid: &Eid) -> bool {
        self.items.iter().any(|item| item.matches(eid))
    }
}

impl Item {
    fn matches(&self, eid: &Eid) -> bool {
        match (self, eid) {
            (Self::Any, _) | (Self::None, Eid::None) | (Self::AnyDtn, Eid::Dtn(_)) => true,
            (Self::Dtn(parts), Eid::Dtn(_)) => {
                let text = eid.to_string();
                let name: Vec<&str> = text.trim_start_matches("dtn://").split('/').collect();
                matches_all(parts, &name, |part| part == "**", |part, name| matches_part(part, name))
            }
            (Self::Ipn([allocators, nodes, services]), Eid::Ipn { allocator, node, service, .. }) => {
                allocators.has(u64::from(*allocator)) && nodes.has(u64::from(*node)) && services.has(*service)
            }
            _ => false,
        }
    }
}

impl Numbers {
    fn has(&self, number: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Ranges(ranges) => ranges.iter().any(|range| range.contains(&number)),
        }
    }
}

/// Whether one part without slashes fits, `*` being any text.
fn matches_part(part: &str, name: &str) -> bool {
    let (part, name): (Vec<char>, Vec<char>) = (part.chars().collect(), name.chars().collect());
    matches_all(&part, &name, |c| *c == '*', |c, other| c == other)
}

/// Whether `name` fits `pattern`, in which items that are `wild` stand for any number of items. The last wild
/// item takes one more whenever what follows it does not fit.
fn matches_all<P, N>(
    pattern: &[P],
    name: &[N],
    wild: impl Fn(&P) -> bool,
    same: impl Fn(&P, &N) -> bool,
) -> bool {
    let (mut at, mut position, mut retry) = (0, 0, None);
    while position < name.len() {
        match pattern.get(at) {
            Some(item) if wild(item) => {
                at += 1;
                retry = Some((at, position));
            }
            Some(item) if same(item, &name[position]) => {
                at += 1;
                position += 1;
            }
            _ => {
                let Some((after, taken)) = retry else { return false };
                retry = Some((after, taken + 1));
                (at, position) = (after, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(wild)
}

impl FromStr for EidPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let wrong = |problem| PatternError { text: text.to_owned(), problem };
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError {
                text: text.chars().take(40).collect(),
                problem: "it is longer than 1024 bytes",
            });
        }
        let items: Result<Vec<Item>, &'static str> = text.split('|').map(parse_item).collect();
        Ok(Self { items: items.map_err(wrong)? })
    }
}

fn parse_item(text: &str) -> Result<Item, &'static str> {
    match text {
        "*:**" => return Ok(Item::Any),
        "dtn:none" => return Ok(Item::None),
        "dtn:**" => return Ok(Item::AnyDtn),
        "ipn:**" => return Ok(Item::Ipn([Numbers::Any, Numbers::Any, Numbers::Any])),
        _ => {}
    }
    if let Some(name) = text.strip_prefix("dtn://") {
        let parts: Vec<String> = name.split('/').map(str::to_owned).collect();
        return match parts.len() >= 2 && !parts[0].is_empty() {
            true => Ok(Item::Dtn(parts)),
            false => Err("write `dtn://NODE/DEMUX`; `**` is any number of parts, `*` any text of one"),
        };
    }
    let Some(numbers) = text.strip_prefix("ipn:") else {
        return Err("it begins with `dtn:` or `ipn:`, or is `*:**`");
    };
    parse_ipn(numbers)
        .ok_or("write `ipn:NODE.SERVICE` or `ipn:ALLOCATOR.NODE.SERVICE` of numbers, `*`, `[1-9,20+]`")
}

fn parse_ipn(text: &str) -> Option<Item> {
    let mut parts: Vec<&str> = text.split('.').collect();
    let zero = || Numbers::Ranges(vec![0..=0]);
    if parts.last() == Some(&"**") {
        parts.pop();
        parts.resize(3.max(parts.len()), "*");
    }
    match parts.as_slice() {
        [LOCAL_NODE, service] => {
            let local = u64::from(u32::MAX);
            Some(Item::Ipn([zero(), Numbers::Ranges(vec![local..=local]), parse_numbers(service)?]))
        }
        [node, service] => Some(Item::Ipn([zero(), parse_numbers(node)?, parse_numbers(service)?])),
        [allocator, node, service] => {
            Some(Item::Ipn([parse_numbers(allocator)?, parse_numbers(node)?, parse_numbers(service)?]))
        }
        _ => None,
    }
}

fn parse_numbers(text: &str) -> Option<Numbers> {
    if text == "*" {
        return Some(Numbers::Any);
    }
    let Some(list) = text.strip_prefix('[') else {
        let number = parse_number(text)?;
        return Some(Numbers::Ranges(vec![number..=number]));
    };
    let ranges: Option<Vec<_>> = list.strip_suffix(']')?.split(',').map(parse_range).collect();
    Some(Numbers::Ranges(ranges?))
}

fn parse_range(text: &str) -> Option<RangeInclusive<u64>> {
    if let Some(first) = text.strip_suffix('+') {
        return Some(parse_number(first)?..=u64::MAX);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_number(first)?, parse_number(last)?);
    Some(first.min(last)..=first.max(last))
}

fn parse_number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}

impl fmt::Display for EidPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                formatter.write_str("|")?;
            }
            item.fmt(formatter)?;
        }
        Ok(())
    }
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("*:**"),
            Self::None => formatter.write_str("dtn:none"),
            Self::AnyDtn => formatter.write_str("dtn:**"),
            Self::Dtn(parts) => write!(formatter, "dtn://{}", parts.join("/")),
            Self::Ipn([allocator, node, service]) => write!(formatter, "ipn:{allocator}.{node}.{service}"),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |range: &RangeInclusive<u64>| match (*range.start(), *range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, u64::MAX) => format!("{first}+"),
            (first, last) => format!("{first}-{last}"),
        };
        match self {
            Self::Any => formatter.write_str("*"),
            Self::Ranges(ranges) => match ranges.as_slice() {
                [one] if one.start() == one.end() => formatter.write_str(&range(one)),
                many => {
                    let texts: Vec<String> = many.iter().map(range).collect();
                    write!(formatter, "[{}]", texts.join(","))
                }
            },
        }
    }
}
