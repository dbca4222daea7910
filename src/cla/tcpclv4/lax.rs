//! What is overlooked in a peer: switches with names, one for each fault that a peer is known to have.
//!
//! Strict is the default. Switches come with a peer's address; a peer that shows the very numbers of dtn7-rs
//! in its greeting gets those of dtn7-rs.

use std::{fmt, str::FromStr};

use super::message::Init;

/// What is overlooked in a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lax {
    /// Whether acknowledgements may have other flags than their segments (RFC 9174 §5.2.3).
    pub ack_flags: bool,
    /// Whether the peer takes longer transfers than it says (RFC 9174 §4.6).
    pub transfer_mru: bool,
    /// Whether the peer acknowledges what it has not stored: then its word frees no copy.
    pub early_ack: bool,
    /// Whether the peer fails over session extension items that are not critical (RFC 9174 §4.8).
    pub no_extensions: bool,
    /// Whether bundles may come without a CRC on their primary block (RFC 9171 §4.3.1).
    pub primary_without_crc: bool,
}

/// A name that is no switch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no lax switch; there are `dtn7`, `ack-flags`, `ignore-transfer-mru`, `early-ack`, \
     `no-extensions` and `primary-without-crc`"
)]
pub struct LaxError(String);

/// How long the texts of errors may be, in characters.
const SHOWN_MAX: usize = 40;

type Switch = (&'static str, fn(&mut Lax));

const SWITCHES: [Switch; 5] = [
    ("ack-flags", |lax| lax.ack_flags = true),
    ("ignore-transfer-mru", |lax| lax.transfer_mru = true),
    ("early-ack", |lax| lax.early_ack = true),
    ("no-extensions", |lax| lax.no_extensions = true),
    ("primary-without-crc", |lax| lax.primary_without_crc = true),
];

impl Lax {
    /// Overlooks nothing.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            ack_flags: false,
            transfer_mru: false,
            early_ack: false,
            no_extensions: false,
            primary_without_crc: false,
        }
    }

    /// What dtn7-rs needs: it acknowledges with empty flags and before it has read or stored a bundle, says
    /// 64,000 for the longest transfer and means nothing by it, ends a session over extension items, and
    /// leaves the CRC of the primary block out.
    #[must_use]
    pub const fn dtn7() -> Self {
        Self {
            ack_flags: true,
            transfer_mru: true,
            early_ack: true,
            no_extensions: true,
            primary_without_crc: true,
        }
    }

    /// These switches, and those of dtn7-rs if `init` has its numbers.
    #[must_use]
    pub fn suited_to(self, init: &Init) -> Self {
        let numbers = (init.keepalive_seconds, init.segment_mru, init.transfer_mru);
        if numbers == (30, 64_000, 64_000) && init.extensions.is_empty() { Self::dtn7() } else { self }
    }

    /// The switches for bundles.
    #[must_use]
    pub const fn bundles(self) -> bundle_spec::Lax {
        bundle_spec::Lax { primary_without_crc: self.primary_without_crc, ..bundle_spec::Lax::strict() }
    }
}

impl FromStr for Lax {
    type Err = LaxError;

    /// Names with commas between them.
    fn from_str(text: &str) -> Result<Self, LaxError> {
        let mut lax = Self::strict();
        for name in text.split(',').filter(|name| !name.is_empty()) {
            match SWITCHES.iter().find(|(known, _)| *known == name) {
                Some((_, set)) => set(&mut lax),
                None if name == "dtn7" => lax = Self::dtn7(),
                None => return Err(LaxError(name.chars().take(SHOWN_MAX).collect())),
            }
        }
        Ok(lax)
    }
}

impl fmt::Display for Lax {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::dtn7() {
            return formatter.write_str("dtn7");
        }
        let mut is_first = true;
        for (name, set) in SWITCHES {
            let mut with = *self;
            set(&mut with);
            if with == *self {
                formatter.write_str(if is_first { "" } else { "," })?;
                formatter.write_str(name)?;
                is_first = false;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_read_back_from_their_names() {
        for text in
            ["", "dtn7", "ack-flags", "ignore-transfer-mru,early-ack", "no-extensions,primary-without-crc"]
        {
            assert_eq!(text.parse::<Lax>().unwrap().to_string(), text);
        }
        assert_eq!("dtn7".parse(), Ok(Lax::dtn7()));
        assert_eq!("".parse(), Ok(Lax::strict()));
        assert_eq!("dtn8".parse::<Lax>(), Err(LaxError("dtn8".to_owned())));
    }

    #[test]
    fn dtn7_is_known_by_its_numbers() {
        let init = |transfer_mru| Init {
            keepalive_seconds: 30,
            segment_mru: 64_000,
            transfer_mru,
            node: "dtn://n1/".to_owned(),
            extensions: Vec::new(),
        };
        assert_eq!(Lax::strict().suited_to(&init(64_000)), Lax::dtn7());
        assert_eq!(Lax::strict().suited_to(&init(64_001)), Lax::strict());
    }
}
