//! TLS 1.3 with node keys on both sides: no authority, no name, no date; the key that signs is the identity.
//!
//! Roads that are encrypted take their configurations from here and add what is theirs. Never decides whom to
//! trust.

use std::sync::Arc;

use bundle_spec::sign::PublicKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::identity::Certificate;

/// Longest certificate that is looked at, in bytes.
const CERTIFICATE_BYTES_MAX: usize = 8 * 1024;
/// Algorithm of an Ed25519 key (RFC 8410 §3).
const ED25519: &str = "1.3.101.112";
/// What stands before an Ed25519 signature at the end of a certificate: its algorithm, a bit string of 64
/// bytes.
const SIGNATURE_HEAD: [u8; 10] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00];
const SIGNATURE_BYTES: usize = 64;

/// The server's side.
///
/// # Errors
/// What TLS says of the certificate.
pub fn server(certificate: &Certificate) -> Result<rustls::ServerConfig, Error> {
    let provider = provider();
    let verifier = Arc::new(Verifier::new(&provider, None));
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.chain.clone()], certificate.key.clone_key())?;
    // A resumed session would skip the certificates.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The dialler's side, which may expect a certain key.
///
/// # Errors
/// What TLS says of the certificate.
pub fn client(certificate: &Certificate, expected: Option<PublicKey>) -> Result<rustls::ClientConfig, Error> {
    let provider = provider();
    let verifier = Arc::new(Verifier::new(&provider, expected));
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![certificate.chain.clone()], certificate.key.clone_key())?;
    config.enable_sni = false;
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The key in a certificate that this key itself has signed.
///
/// # Errors
/// Not a certificate of an Ed25519 key in the one form that is accepted, or not signed by its key.
pub fn certified_key(certificate: &CertificateDer<'_>) -> Result<PublicKey, Error> {
    let bad = || Error::from(CertificateError::BadEncoding);
    if certificate.len() > CERTIFICATE_BYTES_MAX {
        return Err(bad());
    }
    let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|_| bad())?;
    if !rest.is_empty() {
        return Err(bad());
    }
    let signed = parsed.tbs_certificate.as_ref();
    // One form only, so that two different certificates never pass as one.
    let behind = certificate.len().checked_sub(SIGNATURE_HEAD.len() + SIGNATURE_BYTES);
    let signature = behind.and_then(|at| certificate[at..].strip_prefix(&SIGNATURE_HEAD)).ok_or_else(bad)?;
    let spki = parsed.public_key();
    if spki.algorithm.algorithm.to_id_string() != ED25519 {
        return Err(bad());
    }
    let key: [u8; 32] = spki.subject_public_key.data.as_ref().try_into().map_err(|_| bad())?;
    let known = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let ed25519 = known.mapping.iter().find(|(scheme, _)| *scheme == SignatureScheme::ED25519);
    let ed25519 = ed25519.and_then(|(_, algorithms)| algorithms.first()).expect("ring knows Ed25519");
    let verified = ed25519.verify_signature(&key, signed, signature);
    verified.map_err(|_| Error::from(CertificateError::BadSignature))?;
    Ok(PublicKey(key))
}

/// Accepts whoever proves that it has the key in its certificate; the expected one, if one is expected.
#[derive(Debug)]
struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
    expected: Option<PublicKey>,
}

impl Verifier {
    fn new(provider: &CryptoProvider, expected: Option<PublicKey>) -> Self {
        Self { algorithms: provider.signature_verification_algorithms, expected }
    }

    fn check(&self, end: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Result<(), Error> {
        if !rest.is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        let key = certified_key(end)?;
        if self.expected.is_some_and(|expected| expected != key) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(())
    }

    fn check_handshake(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signature.scheme != SignatureScheme::ED25519 {
            return Err(CertificateError::BadSignature.into());
        }
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _stapled: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end, rest)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".to_owned()))
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
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end, rest)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".to_owned()))
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
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_names_the_key_that_made_it() {
        let certificate = certificate_of(3);
        assert_eq!(certified_key(&certificate.chain), Ok(certificate.public));
        assert!(server(&certificate).is_ok());
        assert!(client(&certificate, None).is_ok());
    }

    #[test]
    fn a_certificate_with_any_byte_changed_does_not_pass_as_the_same_key() {
        let certificate = certificate_of(3);
        for at in 0..certificate.chain.len() {
            let mut bytes = certificate.chain.to_vec();
            bytes[at] ^= 1;
            let changed = certified_key(&CertificateDer::from(bytes));
            assert!(changed.is_err(), "byte {at}");
        }
    }

    #[test]
    fn another_key_than_the_expected_one_is_refused() {
        let certificate = certificate_of(3);
        let other = certificate_of(4);
        let verifier = |expected| Verifier::new(&provider(), expected);
        assert!(verifier(None).check(&certificate.chain, &[]).is_ok());
        assert!(verifier(Some(certificate.public)).check(&certificate.chain, &[]).is_ok());
        assert!(verifier(Some(other.public)).check(&certificate.chain, &[]).is_err());
        assert!(verifier(None).check(&certificate.chain, std::slice::from_ref(&other.chain)).is_err());
    }

    fn certificate_of(seed: u8) -> Certificate {
        Certificate::of_secret(&[seed; 32], &"dtn://village/".parse().unwrap()).unwrap()
    }
}
