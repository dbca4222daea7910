//! From a TCP connection to a wire on which a session can be held: contact headers, then TLS if both sides
//! can (RFC 9174 §4.1 to §4.4). Knows nothing of transfers.

use std::{io, net::Ipv6Addr, time::Duration};

use bundle_spec::NodeId;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{
    codec::{self, CONTACT_BYTES, DecodeError},
    desk::Desk,
    dialect::{Dialect, OneStream, Outlet, Rfc9174, Source},
    lax::Lax,
    message::{Message, TerminateCode},
    secure::{Proof, TlsPolicy},
    socket,
};

/// A connection on which a session can be held.
pub(in crate::cla) struct Wire {
    /// Where messages come from.
    pub(in crate::cla) source: Source,
    /// Where they go.
    pub(in crate::cla) outlet: Box<dyn Outlet>,
    /// How they are said.
    pub(in crate::cla) dialect: Box<dyn Dialect>,
    /// What is proven about the peer.
    pub(in crate::cla) proof: Proof,
    /// Whether it is not encrypted.
    pub(in crate::cla) is_clear: bool,
    /// How long an answer took.
    pub(in crate::cla) round_trip: Duration,
}

impl Wire {
    fn of_stream(
        reader: Box<dyn AsyncRead + Send + Unpin>,
        writer: Box<dyn AsyncWrite + Send + Unpin>,
        (proof, is_clear): (Proof, bool),
        round_trip: Duration,
    ) -> Self {
        let (source, outlet) = (Source::of_stream(reader), Box::new(OneStream(writer)));
        Self { source, outlet, dialect: Box::new(Rfc9174), proof, is_clear, round_trip }
    }
}

/// What is known of a peer before it has said anything.
#[derive(Clone, Debug, Default)]
pub(in crate::cla) struct Expectation {
    /// Whether the session is encrypted.
    pub(in crate::cla) policy: TlsPolicy,
    /// Whether this side has dialled.
    pub(in crate::cla) is_dialler: bool,
    /// The name or IP address that was dialled.
    pub(in crate::cla) host: String,
    /// Who it should be.
    pub(in crate::cla) node: Option<NodeId>,
    /// What is overlooked in it.
    pub(in crate::cla) lax: Lax,
    /// Whether encryption is forbidden on the way to it.
    pub(in crate::cla) clear_only: bool,
    /// Whether it is greeted as a node of pannier unless it shows that it is none.
    pub(in crate::cla) greets: bool,
    /// Whether transfers to it go one at a time.
    pub(in crate::cla) is_serial: bool,
}

/// Why there is no wire.
#[derive(Debug, thiserror::Error)]
pub(in crate::cla) enum ContactError {
    /// The connection broke.
    #[error("the connection broke before the session began: {0}")]
    Lost(#[from] io::Error),
    /// What came first makes no sense.
    #[error(transparent)]
    Header(#[from] DecodeError),
    /// TLS must be, and the peer cannot.
    #[error("the peer does not offer TLS; let it, or set `cla.tcpclv4.tls` to `allow`")]
    NoTls,
    /// TLS was not agreed upon.
    #[error(
        "no TLS with the peer: {0}; its certificate must be signed by its own node key, or by an authority \
         that is in `cla.tcpclv4.authorities`"
    )]
    Tls(io::Error),
    /// No connection of QUIC.
    #[error(
        "no `quicclav1` with the peer: {0}; it must be switched on there, and the peer's certificate must be \
         signed by its own node key, or by an authority that is in `cla.tcpclv4.authorities`"
    )]
    Quic(quinn::ConnectionError),
}

/// Exchanges contact headers on `stream`, and secures it.
pub(in crate::cla) async fn meet(
    desk: &Desk,
    mut stream: TcpStream,
    expectation: &Expectation,
) -> Result<Wire, ContactError> {
    socket::prepare(&stream);
    let is_dialler = expectation.is_dialler;
    let can_tls = expectation.policy != TlsPolicy::Never;
    let began = desk.handle.clock().now();
    let mut header = [0; CONTACT_BYTES];
    // Who dials speaks first (RFC 9174 §4.1).
    if is_dialler {
        stream.write_all(&codec::contact(can_tls)).await?;
    }
    stream.read_exact(&mut header).await?;
    let peer_can = match codec::read_contact(&header) {
        Ok(peer_can) => peer_can,
        Err(error) => {
            if let DecodeError::Version(_) = error {
                part(&mut stream, is_dialler, can_tls, TerminateCode::VERSION).await?;
            }
            return Err(error.into());
        }
    };
    if expectation.policy == TlsPolicy::Require && !peer_can {
        part(&mut stream, is_dialler, can_tls, TerminateCode::CONTACT_FAILURE).await?;
        return Err(ContactError::NoTls);
    }
    if !is_dialler {
        stream.write_all(&codec::contact(can_tls)).await?;
    }
    let round_trip = desk.handle.clock().now().since(began);
    if !(can_tls && peer_can) {
        let (reader, writer) = stream.into_split();
        return Ok(Wire::of_stream(Box::new(reader), Box::new(writer), (Proof::None, true), round_trip));
    }
    let (reader, writer, proof) = secured(desk, stream, expectation).await.map_err(ContactError::Tls)?;
    Ok(Wire::of_stream(reader, writer, (proof, false), round_trip))
}

type Halves = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>, Proof);

async fn secured(desk: &Desk, stream: TcpStream, expectation: &Expectation) -> io::Result<Halves> {
    if expectation.is_dialler {
        // Said for whoever has several certificates (RFC 9174 §4.4.4); which one comes is judged by node ID.
        let name = ServerName::try_from(expectation.host.clone());
        let name = name.unwrap_or(ServerName::IpAddress(Ipv6Addr::UNSPECIFIED.into()));
        let stream = TlsConnector::from(desk.ends.client.clone()).connect(name, stream).await?;
        let proof = Proof::of(stream.get_ref().1.peer_certificates());
        let (reader, writer) = tokio::io::split(stream);
        return Ok((Box::new(reader), Box::new(writer), proof));
    }
    let stream = TlsAcceptor::from(desk.ends.server.clone()).accept(stream).await?;
    let proof = Proof::of(stream.get_ref().1.peer_certificates());
    let (reader, writer) = tokio::io::split(stream);
    Ok((Box::new(reader), Box::new(writer), proof))
}

/// Tells the peer why there will be no session.
async fn part(
    stream: &mut TcpStream,
    is_dialler: bool,
    can_tls: bool,
    code: TerminateCode,
) -> Result<(), io::Error> {
    if !is_dialler {
        stream.write_all(&codec::contact(can_tls)).await?;
    }
    stream.write_all(&codec::encode(&Message::Terminate { is_reply: false, code })).await?;
    stream.shutdown().await?;
    Ok(())
}
