//! What stands behind the `?` of an address: which peer is there and what it needs.

use std::{fmt, num::NonZeroU64};

use bundle_spec::NodeId;

use super::{
    AddressError, Road, shortened,
    tcpclv4::{Lax, TlsPolicy},
};

/// Shortest datagram that an address may ask for in bytes: a header with long names and a payload worth it.
const DATAGRAM_BYTES_MIN: usize = 1024;
/// Longest datagram of UDP over IPv4 in bytes.
pub(in crate::cla) const DATAGRAM_BYTES_MAX: usize = 65_507;

/// What is known of a peer beside its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Options {
    /// Who is there.
    pub(super) eid: Option<NodeId>,
    /// What is overlooked in it.
    pub(super) lax: Lax,
    /// Whether sessions are encrypted.
    pub(super) tls: Option<TlsPolicy>,
    /// Longest datagram in bytes.
    pub(super) datagram: Option<usize>,
    /// How many bytes a second may go there.
    pub(super) rate: Option<NonZeroU64>,
    /// Whether encryption is forbidden on the way there.
    pub(super) clear_only: bool,
}

const EID: &str = "eid";
const LAX: &str = "lax";
const TLS: &str = "tls";
const DATAGRAM: &str = "datagram";
const RATE: &str = "rate";
const ENCRYPTION: &str = "encryption";

/// Which options a road has, as names and in words.
const fn allowed(road: Road) -> (&'static [&'static str], &'static str) {
    match road {
        Road::Quic => (&[], "none"),
        Road::Tcpclv4 => (&[EID, LAX, TLS, ENCRYPTION], "`eid`, `lax`, `tls` and `encryption`"),
        Road::Mtcp | Road::Stcp => {
            (&[EID, ENCRYPTION], "`eid` and `encryption` only: nothing comes back on it")
        }
        Road::Quicclav1 => (&[EID], "`eid`"),
        Road::Udp => (&[EID, DATAGRAM, RATE, ENCRYPTION], "`eid`, `datagram`, `rate` and `encryption`"),
    }
}

impl Options {
    /// Reads `name=value` pairs joined by `&`.
    pub(super) fn read(road: Road, query: &str) -> Result<Self, AddressError> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name == ENCRYPTION && matches!(road, Road::Quic | Road::Quicclav1) {
                return Err(AddressError::Encrypts(road));
            }
            let (names, words) = allowed(road);
            let Some(name) = names.iter().copied().find(|known| *known == name) else {
                return Err(AddressError::Option { road, name: shortened(name), allowed: words });
            };
            if seen.contains(&name) {
                return Err(AddressError::Twice(name.to_owned()));
            }
            seen.push(name);
            options.set(name, value)?;
        }
        if options.clear_only && options.tls.is_some_and(|tls| tls != TlsPolicy::Never) {
            return Err(AddressError::TlsForbidden);
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), AddressError> {
        let wrong =
            |expected| AddressError::Value { name: name.to_owned(), value: shortened(value), expected };
        match name {
            EID => {
                let node = value.parse::<NodeId>();
                self.eid = Some(node.map_err(|_| wrong("write a node ID, `dtn://NAME/` or `ipn:NUMBER.0`"))?);
            }
            LAX => {
                let expected = "write `dtn7`, or some of `ack-flags`, `ignore-transfer-mru`, `early-ack`, \
                     `no-extensions` and `primary-without-crc` with commas between them";
                self.lax = value.parse().map_err(|_| wrong(expected))?;
            }
            TLS => {
                let tls = value.parse().map_err(|_| wrong("write `require`, `allow` or `never`"))?;
                self.tls = Some(tls);
            }
            DATAGRAM => {
                let bytes = value.parse().ok();
                let bytes = bytes.filter(|bytes| (DATAGRAM_BYTES_MIN..=DATAGRAM_BYTES_MAX).contains(bytes));
                self.datagram =
                    Some(bytes.ok_or_else(|| wrong("write a number of bytes from 1024 to 65507"))?);
            }
            ENCRYPTION => {
                self.clear_only = match value {
                    "forbidden" => true,
                    "allowed" => false,
                    _ => return Err(wrong("write `forbidden` or `allowed`")),
                };
            }
            _ => {
                let rate = value.parse().ok();
                self.rate = Some(rate.ok_or_else(|| wrong("write a number of bytes a second"))?);
            }
        }
        Ok(())
    }
}

impl fmt::Display for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lax = (self.lax != Lax::strict()).then(|| self.lax.to_string());
        let tls = self.tls.map(|tls| match tls {
            TlsPolicy::Require => "require",
            TlsPolicy::Allow => "allow",
            TlsPolicy::Never => "never",
        });
        let pairs = [
            (EID, self.eid.as_ref().map(ToString::to_string)),
            (LAX, lax),
            (TLS, tls.map(str::to_owned)),
            (DATAGRAM, self.datagram.map(|bytes| bytes.to_string())),
            (RATE, self.rate.map(|rate| rate.to_string())),
            (ENCRYPTION, self.clear_only.then(|| "forbidden".to_owned())),
        ];
        let mut mark = '?';
        for (name, value) in pairs.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            write!(formatter, "{mark}{name}={value}")?;
            mark = '&';
        }
        Ok(())
    }
}
