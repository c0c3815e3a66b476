//! CA certificates, TLS that trusts them, and the reason why a certificate is not accepted.

use std::{error::Error, fmt, io, iter, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, OtherError,
    RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

use super::certificate::Certificate;

/// Characters of a line in PEM format.
const PEM_LINE: usize = 64;

/// CA certificates that are trusted besides the system's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateAuthorities(Arc<[CertificateDer<'static>]>);

/// Reasons why a file of CA certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    #[error("can't read {0}: {1}")]
    Unreadable(String, io::Error),
    #[error("{0} has no certificate in PEM format (-----BEGIN CERTIFICATE-----)")]
    NoCertificate(String),
    #[error("{0} has a certificate that can't be used; export the CA's certificate again")]
    Unusable(String),
}

impl CertificateAuthorities {
    /// Reads a file in PEM format. Ignores everything in it but certificates.
    ///
    /// # Errors
    /// If the file can't be read, has no certificate, or has one that can't be used.
    pub fn read(path: &Path) -> Result<Self, CaFileError> {
        let shown = || path.display().to_string();
        let text = std::fs::read(path).map_err(|why| CaFileError::Unreadable(shown(), why))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let found = found.map_err(|_| CaFileError::Unusable(shown()))?;
        if found.is_empty() {
            return Err(CaFileError::NoCertificate(shown()));
        }
        let mut usable = RootCertStore::empty();
        if found.iter().any(|der| usable.add(der.clone()).is_err()) {
            return Err(CaFileError::Unusable(shown()));
        }
        Ok(Self(found.into()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the contents of the certificates.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let all = self.0.iter();
        all.filter_map(|der| Certificate::read(der)).collect()
    }

    /// Returns the system's certificates and these, in PEM format, for programs that read only one
    /// file.
    pub fn bundle(&self) -> String {
        let system = rustls_native_certs::load_native_certs().certs;
        // A program may refuse the whole file because of one certificate.
        let is_usable =
            |der: &&CertificateDer<'static>| RootCertStore::empty().add((*der).clone()).is_ok();
        let system = system.iter().filter(is_usable);
        system.chain(self.0.iter()).map(pem).collect()
    }

    /// Returns the configuration of TLS that trusts the system's certificates and these.
    pub(crate) fn tls(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        // Some systems have certificates that rustls can't use. The others still can be.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.0.iter().cloned());
        let provider = ring::default_provider();
        let verifier = Verifier {
            roots,
            algorithms: provider.signature_verification_algorithms,
        };
        ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions of TLS")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth()
    }
}

/// Encodes a certificate in PEM format.
fn pem(der: &CertificateDer<'_>) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = STANDARD.encode(der);
    while !rest.is_empty() {
        let further = rest.split_off(rest.len().min(PEM_LINE));
        text += &rest;
        text.push('\n');
        rest = further;
    }
    text + "-----END CERTIFICATE-----\n"
}

/// The reason why a server's certificate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateProblem {
    /// A CA that is not trusted issued it. The name is that of the CA, in a form that can be shown.
    UnknownIssuer(String),
    /// Any other reason, in words.
    Invalid(String),
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer(issuer) => {
                write!(f, "its certificate was issued by an unknown CA, {issuer}")
            }
            Self::Invalid(why) => write!(f, "its certificate is not valid: {why}"),
        }
    }
}

impl CertificateProblem {
    /// Finds the reason in the error of a request, if a certificate is what failed.
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let chain = iter::successors(Some(error), |error| inner(*error));
        let tls = { chain }.find_map(|error| error.downcast_ref::<TlsError>())?;
        match tls {
            TlsError::InvalidCertificate(CertificateError::Other(OtherError(why))) => {
                match why.downcast_ref::<UnknownIssuer>() {
                    Some(UnknownIssuer(name)) => Some(Self::UnknownIssuer(name.clone())),
                    None => Some(Self::Invalid(why.to_string())),
                }
            }
            TlsError::InvalidCertificate(why) => Some(Self::Invalid(why.to_string())),
            _ => None,
        }
    }
}

/// Returns the cause of an error. An I/O error passes over the error that it was made from.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}

/// Error about a certificate from a CA with this name. rustls does not tell the name.
#[derive(Debug, thiserror::Error)]
#[error("the certificate was issued by an unknown CA, {0}")]
struct UnknownIssuer(String);

/// Verifies certificates as rustls does, and names the CA of those that it does not trust.
#[derive(Debug)]
struct Verifier {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let verified = verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        );
        verified.map_err(|error| match error {
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => {
                // A server should send all certificates but the root's, and its owner is the one to
                // be trusted.
                let last = intermediates.last().unwrap_or(end_entity);
                let issuer = Certificate::read(last).map(|certificate| certificate.issuer);
                let error = UnknownIssuer(issuer.unwrap_or_else(|| "without a name".to_owned()));
                CertificateError::Other(OtherError(Arc::new(error))).into()
            }
            other => other,
        })?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
