//! TLS under a session (RFC 9174 §4.4): whether it is used, and what it proves about the peer.
//!
//! Nodes of pannier show certificates that their own keys have signed; other agents show what an authority
//! has signed. Both name their node ID (`id-on-bundleEID`). Server names and dates of node keys mean nothing.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use bundle_spec::{NodeId, sign::PublicKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    ServerConfig, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::cla::{
    identity::{self, Certificate},
    tls::certified_key,
};

/// Whether sessions are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsPolicy {
    /// Always, and both sides prove who they are.
    Require,
    /// Where the peer can. A name that is made of a key must be proven all the same.
    #[default]
    Allow,
    /// Never. Whoever names itself is believed.
    Never,
}

/// A text that is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of `require`, `allow` and `never`")]
pub struct PolicyError(String);

impl FromStr for TlsPolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "require" => Ok(Self::Require),
            "allow" => Ok(Self::Allow),
            "never" => Ok(Self::Never),
            other => Err(PolicyError(other.chars().take(40).collect())),
        }
    }
}

/// Authorities that vouch for other agents, and what such an authority has given to this node.
pub(in crate::cla) struct Authority {
    /// Whose signatures count.
    roots: RootCertStore,
    /// This node's certificate and those between it and a root, if an authority has signed one.
    signed: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::cla) enum AuthorityError {
    #[error("`{path}` cannot be read: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: pem::Error,
    },
    #[error(
        "`{0}` has no certificate; it needs at least one between `-----BEGIN CERTIFICATE-----` and its end"
    )]
    Empty(PathBuf),
    #[error("`{path}` has a certificate that is no authority's: {cause}")]
    Root {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: Error,
    },
}

impl Authority {
    /// Reads PEM files: the certificates of authorities in `roots`; in `signed` this node's own, those
    /// between it and a root, and its private key.
    pub(in crate::cla) fn read(roots: &Path, signed: Option<&Path>) -> Result<Self, AuthorityError> {
        let mut store = RootCertStore::empty();
        for root in certificates(roots)? {
            store.add(root).map_err(|cause| AuthorityError::Root { path: roots.to_owned(), cause })?;
        }
        let read = |path: &Path| {
            let key = PrivateKeyDer::from_pem_file(path);
            let key = key.map_err(|cause| AuthorityError::File { path: path.to_owned(), cause })?;
            Ok((certificates(path)?, key))
        };
        Ok(Self { roots: store, signed: signed.map(read).transpose()? })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|cause| AuthorityError::File { path: path.to_owned(), cause })?;
    if read.is_empty() {
        return Err(AuthorityError::Empty(path.to_owned()));
    }
    Ok(read)
}

/// What TLS has proven about the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cla) enum Proof {
    /// Nothing: no TLS, or no certificate.
    None,
    /// That it has this key, which calls itself so.
    Key(PublicKey, Vec<NodeId>),
    /// That an authority calls it so.
    Authority(Vec<NodeId>),
}

/// Why a peer is not believed to be who it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cla) enum IdentityError {
    #[error("the peer calls itself `{0}`, which is not the name of its key")]
    OtherKey(NodeId),
    #[error(
        "the certificate of the peer does not name `{0}`; it needs that node ID as `id-on-bundleEID` \
         (RFC 9174 section 4.4.1)"
    )]
    NotNamed(NodeId),
    #[error(
        "the peer calls itself `{0}`, which is the name of a key, and does not prove that it has it; \
         let it use TLS, or set `cla.tcpclv4.tls` to `never` to believe it"
    )]
    Unproven(NodeId),
    #[error("the peer calls itself `{node}` where `{expected}` was expected")]
    Unexpected {
        /// What it says.
        node: NodeId,
        /// What its address says.
        expected: NodeId,
    },
    #[error("`{0}` is no node ID; a peer calls itself `dtn://name/` or `ipn:N.0`")]
    NoNode(String),
    #[error("the greeting of `{0}` as a node of pannier is not as specified")]
    Hello(NodeId),
    #[error("the address leads to this node itself")]
    Myself,
}

impl Proof {
    /// What a chain of certificates proves that TLS has let pass.
    pub(in crate::cla) fn of(chain: Option<&[CertificateDer<'_>]>) -> Self {
        let Some(end) = chain.and_then(|chain| chain.first()) else { return Self::None };
        let named = X509Certificate::from_der(end);
        let named = named.map(|(_, certificate)| identity::named_nodes(&certificate)).unwrap_or_default();
        match certified_key(end) {
            Ok(key) => Self::Key(key, named),
            Err(_) => Self::Authority(named),
        }
    }

    /// Whether the peer may call itself `node`; its key, if that is proven.
    pub(in crate::cla) fn check(
        &self,
        policy: TlsPolicy,
        node: &NodeId,
    ) -> Result<Option<PublicKey>, IdentityError> {
        let named = match self {
            Self::None if policy != TlsPolicy::Never && identity::key_of(node).is_some() => {
                return Err(IdentityError::Unproven(node.clone()));
            }
            Self::None => return Ok(None),
            Self::Key(key, _) if identity::key_of(node).is_some_and(|named| named != *key) => {
                return Err(IdentityError::OtherKey(node.clone()));
            }
            Self::Key(_, named) | Self::Authority(named) => named,
        };
        if !named.contains(node) {
            return Err(IdentityError::NotNamed(node.clone()));
        }
        Ok(match self {
            Self::Key(key, _) => Some(*key),
            Self::None | Self::Authority(_) => None,
        })
    }
}

/// Both ends of TLS as this node offers them.
#[derive(Clone)]
pub(in crate::cla) struct Ends {
    pub(in crate::cla) server: Arc<ServerConfig>,
    pub(in crate::cla) client: Arc<ClientConfig>,
}

/// Makes both ends.
///
/// # Errors
/// What TLS says of certificates and roots.
pub(in crate::cla) fn ends(
    certificate: &Certificate,
    authority: Option<&Authority>,
    policy: TlsPolicy,
) -> Result<Ends, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let judge = Arc::new(Judge::new(&provider, authority, policy)?);
    let own = || match authority.and_then(|authority| authority.signed.as_ref()) {
        Some((chain, key)) => (chain.clone(), key.clone_key()),
        None => (vec![certificate.chain.clone()], certificate.key.clone_key()),
    };
    let (chain, key) = own();
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::clone(&judge) as Arc<dyn ClientCertVerifier>)
        .with_single_cert(chain, key)?;
    // A resumed session would skip the certificates.
    server.send_tls13_tickets = 0;
    let (chain, key) = own();
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(judge)
        .with_client_auth_cert(chain, key)?;
    client.resumption = rustls::client::Resumption::disabled();
    Ok(Ends { server: Arc::new(server), client: Arc::new(client) })
}

/// Lets pass who has signed its certificate with its own node key, or has one of an authority.
#[derive(Debug)]
struct Judge {
    provider: Arc<CryptoProvider>,
    roots: Option<Arc<RootCertStore>>,
    /// Who looks at certificates of authorities that diallers show.
    of_diallers: Option<Arc<dyn ClientCertVerifier>>,
    /// Whether a dialler must show one.
    is_mandatory: bool,
}

impl Judge {
    fn new(
        provider: &Arc<CryptoProvider>,
        authority: Option<&Authority>,
        policy: TlsPolicy,
    ) -> Result<Self, Error> {
        let roots = authority.map(|authority| Arc::new(authority.roots.clone()));
        let of_diallers = match &roots {
            Some(roots) => {
                let builder =
                    WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
                Some(builder.build().map_err(|error| Error::General(error.to_string()))?)
            }
            None => None,
        };
        let is_mandatory = policy == TlsPolicy::Require;
        Ok(Self { provider: Arc::clone(provider), roots, of_diallers, is_mandatory })
    }

    fn check_handshake(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn old_version() -> Error {
    Error::General("TLS 1.3 only".to_owned())
}

fn is_node_key(end: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> bool {
    rest.is_empty() && certified_key(end).is_ok()
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !is_node_key(end, rest) {
            let roots = self.roots.as_ref().ok_or(CertificateError::UnknownIssuer)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            let parsed = ParsedCertificate::try_from(end)?;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, rest, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(old_version())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_handshake(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if is_node_key(end, rest) {
            return Ok(ClientCertVerified::assertion());
        }
        match &self.of_diallers {
            Some(judge) => judge.verify_client_cert(end, rest, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(old_version())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_handshake(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
