//! TLS as a scanner needs it: certificates are read and reported, not trusted. rustls with ring.

use std::sync::Arc;
use std::sync::OnceLock;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use super::BoxStream;

/// What was learnt in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsInfo {
    /// `TLS 1.2`, `TLS 1.3`.
    pub version: Option<String>,
    /// The certificate's subject, as sent: clean before printing.
    pub subject: Option<String>,
    /// The certificate's issuer, as sent.
    pub issuer: Option<String>,
    /// Seconds since 1970 when the certificate ends.
    pub not_after: Option<i64>,
}

/// Shakes hands over `stream`. The caller bounds the time.
///
/// # Errors
/// What rustls says: the peer speaks no TLS, or only TLS 1.0 and 1.1, or none of the cipher suites.
pub async fn handshake(stream: BoxStream, host: &str) -> std::io::Result<(BoxStream, TlsInfo)> {
    let name = ServerName::try_from(host.to_owned())
        .or_else(|_| ServerName::try_from("camera.invalid"))
        .map_err(std::io::Error::other)?;
    let tls = tokio_rustls::TlsConnector::from(config()).connect(name, stream).await?;
    let (_, session) = tls.get_ref();
    let mut info = TlsInfo {
        version: session.protocol_version().and_then(|v| v.as_str().map(|s| s.replace("TLSv1_", "TLS 1."))),
        ..TlsInfo::default()
    };
    if let Some(first) = session.peer_certificates().and_then(<[_]>::first)
        && let Ok((_, certificate)) = x509_parser::parse_x509_certificate(first)
    {
        info.subject = Some(certificate.subject().to_string());
        info.issuer = Some(certificate.issuer().to_string());
        info.not_after = Some(certificate.validity().not_after.timestamp());
    }
    Ok((Box::new(tls), info))
}

fn config() -> Arc<rustls::ClientConfig> {
    static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let builder = rustls::ClientConfig::builder_with_provider(provider.clone());
            #[expect(clippy::expect_used, reason = "the ring provider supports the default versions by construction")]
            let builder = builder.with_safe_default_protocol_versions().expect("ring speaks TLS 1.2 and 1.3");
            let mut config =
                builder.dangerous().with_custom_certificate_verifier(Arc::new(TakeAny(provider))).with_no_client_auth();
            // A device is talked to once or twice: tickets would only hold memory.
            config.resumption = rustls::client::Resumption::disabled();
            config.enable_sni = false;
            Arc::new(config)
        })
        .clone()
}

/// Takes every certificate: cameras sign their own, let them expire, and know no name for their address (QUIRKS: HTTP).
/// Signatures of the handshake prove nothing either, since no one vouches for the key.
#[derive(Debug)]
struct TakeAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakeAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // X.509 v1 and malformed certificates would fail here although their owner is a working camera.
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
        .or_else(|_| Ok(HandshakeSignatureValid::assertion()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
        .or_else(|_| Ok(HandshakeSignatureValid::assertion()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
