//! Where a peer is reached: `quic://HOST:PORT[/PEER_ID]`.

use std::{fmt, str::FromStr};

use bundle_spec::sign::PublicKey;

use super::identity::{peer_key, peer_text};

/// Longest host in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Where a peer is reached, and who is expected there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddress {
    /// Name or IP address, without the brackets of IPv6.
    host: String,
    /// UDP port.
    port: u16,
    /// Whose key the peer must have, if that is known.
    expected: Option<PublicKey>,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme or none.
    #[error("an address begins with `quic://`")]
    Scheme,
    /// No host, or none that may be.
    #[error("the host is missing or malformed; write `quic://HOST:PORT`, IPv6 in brackets")]
    Host,
    /// No port.
    #[error("the port is missing or not between 1 and 65535")]
    Port,
    /// What follows the port is no PeerId of an Ed25519 key.
    #[error("`{0}` is no peer id: it begins with `k51` or `12D3Koo`")]
    Peer(String),
}

impl PeerAddress {
    /// An address.
    ///
    /// # Errors
    /// `Host` or `Port`.
    pub fn new(host: &str, port: u16, expected: Option<PublicKey>) -> Result<Self, AddressError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(is_allowed) {
            return Err(AddressError::Host);
        }
        if port == 0 {
            return Err(AddressError::Port);
        }
        Ok(Self { host: host.to_owned(), port, expected })
    }

    /// Name or IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// UDP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whose key the peer must have, if that is known.
    #[must_use]
    pub fn expected(&self) -> Option<&PublicKey> {
        self.expected.as_ref()
    }
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("quic://").ok_or(AddressError::Scheme)?;
        let (place, peer) = match rest.split_once('/') {
            Some((place, "")) => (place, None),
            Some((place, peer)) => (place, Some(peer)),
            None => (rest, None),
        };
        let (host, port) = place.rsplit_once(':').ok_or(AddressError::Port)?;
        let host = match host.strip_prefix('[') {
            Some(host) => host.strip_suffix(']').ok_or(AddressError::Host)?,
            None if host.contains(':') => return Err(AddressError::Host),
            None => host,
        };
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = if is_number { port.parse().ok() } else { None }.ok_or(AddressError::Port)?;
        let expected = match peer {
            Some(peer) => Some(peer_key(peer).ok_or_else(|| AddressError::Peer(shortened(peer)))?),
            None => None,
        };
        Self::new(host, port, expected)
    }
}

/// At most 80 characters, so that an error stays readable.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "quic://[{}]:{}", self.host, self.port)?;
        } else {
            write!(formatter, "quic://{}:{}", self.host, self.port)?;
        }
        if let Some(key) = &self.expected {
            write!(formatter, "/{}", peer_text(key))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_from_its_text() {
        let peer = peer_text(&PublicKey([7; 32]));
        for text in ["quic://clinic.example:4558", "quic://[fe80::1%eth0]:1", "quic://127.0.0.1:65535"] {
            assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), text);
            let with_peer = format!("{text}/{peer}");
            let address: PeerAddress = with_peer.parse().unwrap();
            assert_eq!(address.to_string(), with_peer);
            assert_eq!(address.expected(), Some(&PublicKey([7; 32])));
        }
        let slash: PeerAddress = "quic://clinic:4558/".parse().unwrap();
        assert_eq!(slash.to_string(), "quic://clinic:4558");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        let error = |text: &str| text.parse::<PeerAddress>().unwrap_err();
        assert_eq!(error("clinic:4558"), AddressError::Scheme);
        assert_eq!(error("quic://clinic"), AddressError::Port);
        assert_eq!(error("quic://clinic:0"), AddressError::Port);
        assert_eq!(error("quic://clinic:65536"), AddressError::Port);
        assert_eq!(error("quic://clinic:+1"), AddressError::Port);
        assert_eq!(error("quic://:4558"), AddressError::Host);
        assert_eq!(error("quic://fe80::1:4558"), AddressError::Host);
        assert_eq!(error("quic://[fe80::1:4558"), AddressError::Host);
        assert_eq!(error("quic://cli nic:4558"), AddressError::Host);
        assert_eq!(error("quic://clinic:4558/bob"), AddressError::Peer("bob".to_owned()));
    }

    #[test]
    fn no_text_makes_the_address_reader_panic() {
        bolero::check!().with_iterations(5_000).for_each(|bytes: &[u8]| {
            let text = format!("quic://{}", String::from_utf8_lossy(bytes));
            if let Ok(address) = text.parse::<PeerAddress>() {
                assert_eq!(address.to_string().parse(), Ok(address));
            }
        });
    }
}
