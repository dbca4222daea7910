//! Where a peer is reached: `ROAD://HOST:PORT`, and what is to be known of it.
//!
//! People type addresses, the node keeps them, each convergence layer dials its own. Never resolves a name.

use std::{fmt, num::NonZeroU64, str::FromStr};

use bundle_spec::{NodeId, sign::PublicKey};

use super::{
    identity::{peer_key, peer_text},
    quicclav1,
    tcpclv4::{self, TlsPolicy},
};

mod options;

pub(super) use self::options::DATAGRAM_BYTES_MAX;
use self::options::Options;

/// Longest host in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// A way to a peer that is dialled by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Road {
    /// `quic`.
    Quic,
    /// `tcpclv4` (RFC 9174).
    Tcpclv4,
    /// `mtcp`: one way, nothing is acknowledged.
    Mtcp,
    /// `stcp`: one way, nothing is acknowledged.
    Stcp,
    /// `udp`: one bundle a datagram.
    Udp,
    /// `quicclav1` (draft-caini-dtn-quiccl).
    Quicclav1,
}

impl Road {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Quic, Self::Tcpclv4, Self::Mtcp, Self::Stcp, Self::Udp, Self::Quicclav1];

    /// The scheme of its addresses, which is the convergence layer's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcpclv4 => "tcpclv4",
            Self::Mtcp => "mtcp",
            Self::Stcp => "stcp",
            Self::Udp => "udp",
            Self::Quicclav1 => quicclav1::NAME,
        }
    }

    /// The port of an address that names none, if this road has one.
    const fn port(self) -> Option<u16> {
        match self {
            Self::Quicclav1 => Some(quicclav1::PORT),
            Self::Quic | Self::Tcpclv4 | Self::Mtcp | Self::Stcp | Self::Udp => None,
        }
    }
}

impl fmt::Display for Road {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How far a peer's known deviations are tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leniency {
    /// Not at all.
    Strict,
    /// As far as dtn7-rs needs it.
    Dtn7,
    /// As far as there are switches.
    All,
}

impl Leniency {
    /// What it means for bundles.
    #[must_use]
    pub const fn bundles(self) -> bundle_spec::Lax {
        match self {
            Self::Strict => bundle_spec::Lax::strict(),
            Self::Dtn7 => bundle_spec::Lax::dtn7(),
            Self::All => bundle_spec::Lax::all(),
        }
    }

    /// What it means for TCPCLv4 sessions: dtn7-rs needs every switch that there is.
    #[must_use]
    pub const fn sessions(self) -> tcpclv4::Lax {
        match self {
            Self::Strict => tcpclv4::Lax::strict(),
            Self::Dtn7 | Self::All => tcpclv4::Lax::dtn7(),
        }
    }
}

/// Where a peer is reached, and who is expected there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddress {
    /// How.
    road: Road,
    /// Name or IP address, without the brackets of IPv6.
    host: String,
    /// UDP or TCP port.
    port: u16,
    /// Whose key the peer must have, if that is known.
    expected: Option<PublicKey>,
    /// What else is known.
    options: Options,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme or none.
    #[error(
        "an address begins with `quic://`, `tcpclv4://`, `mtcp://`, `stcp://`, `udp://` or `quicclav1://`"
    )]
    Scheme,
    /// No host, or none that may be.
    #[error("the host is missing or malformed; write `{0}://HOST:PORT`, IPv6 in brackets")]
    Host(Road),
    /// No port.
    #[error("the port is missing or not between 1 and 65535")]
    Port,
    /// What follows the port is no PeerId of an Ed25519 key.
    #[error("`{0}` is no peer id: it begins with `k51` or `12D3Koo`")]
    Peer(String),
    /// Something follows the port where nothing may.
    #[error("`/{path}` must not follow the port of a {road} address; name the peer by `?eid=NODE`")]
    Path {
        /// Which road.
        road: Road,
        /// What follows.
        path: String,
    },
    /// An option that this road does not have.
    #[error("a {road} address has no option `{name}`; it may have {allowed}")]
    Option {
        /// Which road.
        road: Road,
        /// What was given.
        name: String,
        /// What may be given, in words.
        allowed: &'static str,
    },
    /// An option that was given before.
    #[error("the option `{0}` is given twice")]
    Twice(String),
    /// A road that always encrypts, where encryption is forbidden.
    #[error(
        "a {0} link always encrypts: where encryption is forbidden use `tcpclv4://`, `mtcp://`, `stcp://` or \
         `udp://`"
    )]
    Encrypts(Road),
    /// TLS where encryption is forbidden.
    #[error("`encryption=forbidden` excludes TLS: leave `tls` out, or write `tls=never`")]
    TlsForbidden,
    /// An option whose value makes no sense.
    #[error("`{name}={value}` makes no sense: {expected}")]
    Value {
        /// Which option.
        name: String,
        /// What was given.
        value: String,
        /// What may be given.
        expected: &'static str,
    },
}

impl PeerAddress {
    /// An address without options.
    ///
    /// # Errors
    /// `Host` or `Port`.
    pub fn new(road: Road, host: &str, port: u16) -> Result<Self, AddressError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(is_allowed) {
            return Err(AddressError::Host(road));
        }
        if port == 0 {
            return Err(AddressError::Port);
        }
        Ok(Self { road, host: host.to_owned(), port, expected: None, options: Options::default() })
    }

    /// The same address, where a peer with this key is expected.
    #[must_use]
    pub fn with_key(self, key: PublicKey) -> Self {
        Self { expected: Some(key), ..self }
    }

    /// The same address, where this node is said to be.
    #[must_use]
    pub fn with_node(mut self, node: NodeId) -> Self {
        self.options.eid = Some(node);
        self
    }

    /// The same address of a peer that is borne with so far.
    #[must_use]
    pub fn with_lax(mut self, lax: tcpclv4::Lax) -> Self {
        self.options.lax = lax;
        self
    }

    /// The same address of a peer whose sessions are encrypted so far.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsPolicy) -> Self {
        self.options.tls = Some(tls);
        self
    }

    /// The same address, with encryption forbidden on the way.
    #[must_use]
    pub fn with_clear_only(mut self) -> Self {
        self.options.clear_only = true;
        self
    }

    /// How the peer is reached.
    #[must_use]
    pub const fn road(&self) -> Road {
        self.road
    }

    /// Name or IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// UDP or TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whose key the peer must have, if that is known: a QUIC address may end with it.
    #[must_use]
    pub const fn expected(&self) -> Option<&PublicKey> {
        self.expected.as_ref()
    }

    /// Who is said to be there: named by the address, or made of the key that it ends with.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        self.options.eid.clone().or_else(|| self.expected.as_ref().map(PublicKey::node_id))
    }

    /// What is overlooked in the peer.
    #[must_use]
    pub const fn lax(&self) -> tcpclv4::Lax {
        self.options.lax
    }

    /// Whether sessions are encrypted, if the address says.
    #[must_use]
    pub const fn tls(&self) -> Option<TlsPolicy> {
        self.options.tls
    }

    /// Whether encryption is forbidden on the way: what goes there is signed and readable.
    #[must_use]
    pub const fn clear_only(&self) -> bool {
        self.options.clear_only
    }

    /// Longest datagram in bytes, if the address says.
    #[must_use]
    pub const fn datagram(&self) -> Option<usize> {
        self.options.datagram
    }

    /// How many bytes a second may go there, if the address says.
    #[must_use]
    pub const fn rate(&self) -> Option<NonZeroU64> {
        self.options.rate
    }

    /// Whether both lead to the same place on the same road, whatever else they say.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.road == other.road && self.host == other.host && self.port == other.port
    }
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let road = Road::ALL.into_iter().find(|road| road.name() == scheme).ok_or(AddressError::Scheme)?;
        // The query comes off first: the node in it has slashes of its own.
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        let has_port = place.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let usual = road.port().filter(|_| !has_port).map(|port| port.to_string());
        let (host, port) = match &usual {
            Some(port) => (place, port.as_str()),
            None => place.rsplit_once(':').ok_or(AddressError::Port)?,
        };
        let host = match host.strip_prefix('[') {
            Some(host) => host.strip_suffix(']').ok_or(AddressError::Host(road))?,
            None if host.contains(':') => return Err(AddressError::Host(road)),
            None => host,
        };
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = if is_number { port.parse().ok() } else { None }.ok_or(AddressError::Port)?;
        let mut address = Self::new(road, host, port)?;
        address.expected = match (path, road) {
            ("", _) => None,
            (peer, Road::Quic) => Some(peer_key(peer).ok_or_else(|| AddressError::Peer(shortened(peer)))?),
            (path, _) => return Err(AddressError::Path { road, path: shortened(path) }),
        };
        address.options = query.map_or(Ok(Options::default()), |query| Options::read(road, query))?;
        Ok(address)
    }
}

/// At most 80 characters, so that an error stays readable.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(formatter, "{}://{}{}{}:{}", self.road, brackets.0, self.host, brackets.1, self.port)?;
        if let Some(key) = &self.expected {
            write!(formatter, "/{}", peer_text(key))?;
        }
        self.options.fmt(formatter)
    }
}

#[cfg(test)]
mod tests;
