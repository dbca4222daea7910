//! TLS as QUIC wants it: the node keys of `cla::tls`, and which protocol is spoken.

use bundle_spec::sign::PublicKey;
use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use rustls::{Error, pki_types::CertificateDer};

use crate::cla::{
    identity::Certificate,
    tls::{self, certified_key},
};

/// Our own protocol on QUIC, with its version.
pub const ALPN: &[u8] = b"pannier/1";
/// What a dialler says for a server name: names mean nothing here.
pub const SERVER_NAME: &str = "pannier";

/// The server's side.
///
/// # Errors
/// What TLS says of the certificate.
pub fn server(certificate: &Certificate) -> Result<QuicServerConfig, Error> {
    offer(tls::server(certificate)?, &[ALPN])
}

/// The server's side as it is given, with these protocols.
///
/// # Errors
/// No cipher suite for QUIC.
pub fn offer(mut config: rustls::ServerConfig, protocols: &[&[u8]]) -> Result<QuicServerConfig, Error> {
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let config = QuicServerConfig::try_from(config).map_err(|_| no_suite())?;
    Ok(config)
}

/// The dialler's side, which may expect a certain key.
///
/// # Errors
/// What TLS says of the certificate.
pub fn client(certificate: &Certificate, expected: Option<PublicKey>) -> Result<QuicClientConfig, Error> {
    let mut config = tls::client(certificate, expected)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    let config = QuicClientConfig::try_from(config).map_err(|_| no_suite())?;
    Ok(config)
}

/// Which protocol an established connection is for.
#[must_use]
pub fn protocol(connection: &quinn::Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

/// The key of the peer of an established connection.
#[must_use]
pub fn peer_key(connection: &quinn::Connection) -> Option<PublicKey> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    certified_key(chain.first()?).ok()
}

fn no_suite() -> Error {
    Error::General("no cipher suite for QUIC".to_owned())
}
