//! Bundle identity (RFC 9171 §4.3.1): source, creation timestamp and, for a fragment, its extent.

use std::{fmt, str::FromStr};

use crate::{
    cbor::{ARRAY, put_head, put_unsigned},
    eid::Eid,
    error::{Error, Rule},
    time::{CreationTimestamp, DtnTime},
};

/// First 16 bytes of blake3 over the deterministic CBOR of a bundle id.
pub type BundleDigest = [u8; 16];

/// Which part of the original payload a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FragmentExtent {
    /// How many bytes of the original payload precede it.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
}

impl FragmentExtent {
    /// Where it ends, in bytes of the original payload; `None` beyond 64 bits.
    #[must_use]
    pub const fn end(self) -> Option<u64> {
        self.offset.checked_add(self.len)
    }
}

/// What identifies a bundle. Not the identity of its content, which is a CID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    /// Who made it.
    pub source: Eid,
    /// When, and as which of that time.
    pub timestamp: CreationTimestamp,
    /// Which part, if it is a fragment.
    pub fragment: Option<FragmentExtent>,
}

impl BundleId {
    /// A short key: it does not depend on how the source was written.
    #[must_use]
    pub fn digest(&self) -> BundleDigest {
        let mut out = Vec::with_capacity(96);
        put_head(&mut out, ARRAY, if self.fragment.is_some() { 4 } else { 2 });
        self.source.put_canonical(&mut out);
        self.timestamp.put(&mut out);
        if let Some(extent) = self.fragment {
            put_unsigned(&mut out, extent.offset);
            put_unsigned(&mut out, extent.len);
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(&out).as_bytes()[..16]);
        digest
    }

    /// A copy that shares no bytes with the bundle from which it was read.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { source: self.source.detached(), ..self.clone() }
    }
}

impl fmt::Display for BundleId {
    /// `source@time.sequence`, and for fragments `+offset:length` behind it. Time is DTN time in
    /// milliseconds.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}.{}", self.source, self.timestamp.time.0, self.timestamp.sequence)?;
        match self.fragment {
            Some(extent) => write!(formatter, "+{}:{}", extent.offset, extent.len),
            None => Ok(()),
        }
    }
}

impl FromStr for BundleId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (source, numbers) = text.rsplit_once('@').ok_or(Error::new(text.len(), Rule::BundleIdText))?;
        let wrong = Error::new(source.len() + 1, Rule::BundleIdText);
        let (timestamp, extent) = match numbers.split_once('+') {
            Some((timestamp, extent)) => (timestamp, Some(extent)),
            None => (numbers, None),
        };
        let (time, sequence) = pair(timestamp, '.').ok_or(wrong)?;
        let fragment = match extent {
            Some(extent) => {
                let (offset, len) = pair(extent, ':').ok_or(wrong)?;
                Some(FragmentExtent { offset, len })
            }
            None => None,
        };
        let timestamp = CreationTimestamp { time: DtnTime(time), sequence };
        Ok(Self { source: source.parse()?, timestamp, fragment })
    }
}

fn pair(text: &str, separator: char) -> Option<(u64, u64)> {
    let (first, second) = text.split_once(separator)?;
    let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().ok(),
        false => None,
    };
    Some((number(first)?, number(second)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundle_ids_survive_their_text_form() {
        for text in ["dtn://node/a@b@5.6", "ipn:1.5.3@0.1+100:20", "dtn:none@18446744073709551615.0"] {
            assert_eq!(text.parse::<BundleId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn texts_that_are_no_bundle_ids_are_refused() {
        for text in [
            "",
            "dtn:none",
            "dtn:none@",
            "dtn:none@1",
            "dtn:none@1.x",
            "dtn:none@1.2+3",
            "x@1.2",
            "dtn:none@+1.2",
        ] {
            assert!(text.parse::<BundleId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_digest_depends_on_every_part_of_the_id() {
        let ids = [
            "ipn:1.5.3@1.2",
            "ipn:1.5.4@1.2",
            "ipn:1.5.3@2.2",
            "ipn:1.5.3@1.1",
            "ipn:1.5.3@1.2+0:5",
            "ipn:1.5.3@1.2+0:6",
        ];
        let digests: std::collections::BTreeSet<_> =
            ids.iter().map(|text| text.parse::<BundleId>().unwrap().digest()).collect();
        assert_eq!(digests.len(), ids.len());
    }
}
