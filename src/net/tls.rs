//! TLS as a scanner needs it: certificates are read and reported, not trusted. rustls with ring.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::error::OldVersion;
use super::{BoxStream, Cause, OldTls};
use crate::text::hex;

/// Names of one certificate read at most.
const MOST_NAMES: usize = 16;

/// Bytes of a peer's first record that tell what it speaks: as far as the version in a ServerHello.
const FIRST_BYTES: usize = 11;

/// What was learnt in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsInfo {
    /// `TLS 1.2`, `TLS 1.3`.
    pub version: Option<String>,
    /// The certificate's subject, as sent: clean before printing.
    pub subject: Option<String>,
    /// The certificate's issuer, as sent.
    pub issuer: Option<String>,
    /// The names the certificate is for (its alternative names), as sent.
    pub names: Vec<String>,
    /// Seconds since 1970 when the certificate ends.
    pub not_after: Option<i64>,
    /// SHA-256 of the certificate, in lower-case hexadecimal. None where the peer did not show that it has the key: a
    /// certificate alone can be copied.
    pub fingerprint: Option<String>,
}

impl TlsInfo {
    /// What a certificate says; a malformed one says nothing.
    pub fn of(certificate: Option<&[u8]>) -> TlsInfo {
        let Some(Ok((_, certificate))) = certificate.map(x509_parser::parse_x509_certificate) else {
            return TlsInfo::default();
        };
        let said = |name: String| Some(name).filter(|n| !n.is_empty());
        TlsInfo {
            version: None,
            subject: said(certificate.subject().to_string()),
            issuer: said(certificate.issuer().to_string()),
            names: names(&certificate),
            not_after: Some(certificate.validity().not_after.timestamp()),
            fingerprint: None,
        }
    }

    /// The same of a peer that showed in the handshake that it has the key of its certificate.
    pub(super) fn of_proved(certificate: Option<&[u8]>) -> TlsInfo {
        TlsInfo { fingerprint: certificate.map(|der| hex(&Sha256::digest(der))), ..TlsInfo::of(certificate) }
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = alternative.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    names.take(MOST_NAMES).collect()
}

/// Shakes hands over `stream`. The caller bounds the time.
///
/// # Errors
/// `OldTls` where the peer speaks only TLS or ciphers that are too old; else `Tls` with the message of rustls.
pub async fn handshake(stream: BoxStream, host: &str) -> Result<(BoxStream, TlsInfo), Cause> {
    let name = ServerName::try_from(host.to_owned())
        .or_else(|_| ServerName::try_from("camera.invalid"))
        .map_err(|error| Cause::of_tls(&io::Error::other(error)))?;
    let overheard = Overheard { stream, first: Vec::new() };
    let has_key = Arc::new(AtomicBool::new(false));
    let connector = tokio_rustls::TlsConnector::from(config(has_key.clone()));
    match connector.connect(name, overheard).into_fallible().await {
        Ok(tls) => {
            let (_, session) = tls.get_ref();
            let certificate = session.peer_certificates().and_then(<[_]>::first).map(CertificateDer::as_ref);
            let mut info = match has_key.load(Ordering::Relaxed) {
                true => TlsInfo::of_proved(certificate),
                false => TlsInfo::of(certificate),
            };
            info.version = session.protocol_version().and_then(|v| v.as_str().map(|s| s.replace("TLSv1_", "TLS 1.")));
            Ok((Box::new(tls), info))
        }
        Err((error, overheard)) => Err(old_tls(&overheard.first).map_or_else(|| Cause::of_tls(&error), Cause::OldTls)),
    }
}

/// What a peer speaks that is too old, by the first bytes it sent: a ServerHello of such a version (RFC 5246 §7.4.1.3), or
/// an alert (§7.2) that says why it will not go on.
fn old_tls(first: &[u8]) -> Option<OldTls> {
    let version = OldVersion::from_minor;
    match *first {
        [0x16, 3, _, _, _, 2, _, _, _, 3, minor, ..] => version(minor).map(OldTls::Version),
        // protocol_version; newer libraries made to speak old versions do not say which.
        [0x15, 3, minor, 0, 2, _, 70, ..] => Some(version(minor).map_or(OldTls::BeforeTls12, OldTls::Version)),
        // handshake_failure, insufficient_security
        [0x15, 3, minor, 0, 2, _, 40 | 71, ..] => {
            Some(version(minor).map_or(OldTls::Ciphers, OldTls::VersionOrCiphers))
        }
        _ => None,
    }
}

/// A stream of which the first bytes read are remembered.
struct Overheard {
    stream: BoxStream,
    first: Vec<u8>,
}

impl AsyncRead for Overheard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        let wanted = FIRST_BYTES.saturating_sub(self.first.len());
        if wanted > 0 {
            let read = buf.filled().get(before..).unwrap_or_default();
            self.first.extend(read.iter().take(wanted));
        }
        outcome
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// How hands are shaken; `has_key` is set when the peer shows that it has the key of its certificate.
fn config(has_key: Arc<AtomicBool>) -> Arc<rustls::ClientConfig> {
    static CONFIG: OnceLock<rustls::ClientConfig> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider.clone());
        #[expect(clippy::expect_used, reason = "the ring provider supports the default versions by construction")]
        let builder = builder.with_safe_default_protocol_versions().expect("ring speaks TLS 1.2 and 1.3");
        let taken = Arc::new(TakeAny { provider, has_key: Arc::default() });
        let mut config = builder.dangerous().with_custom_certificate_verifier(taken).with_no_client_auth();
        // A device is talked to once or twice: tickets would only hold memory.
        config.resumption = rustls::client::Resumption::disabled();
        config.enable_sni = false;
        config
    });
    let mut config = config.clone();
    let provider = config.crypto_provider().clone();
    config.dangerous().set_certificate_verifier(Arc::new(TakeAny { provider, has_key }));
    Arc::new(config)
}

/// Takes every certificate: cameras sign their own, let them expire, and know no name for their address (QUIRKS: HTTP).
#[derive(Debug)]
struct TakeAny {
    provider: Arc<CryptoProvider>,
    has_key: Arc<AtomicBool>,
}

impl TakeAny {
    /// Takes the handshake whatever its signature is: X.509 v1 and malformed certificates fail here although their owner is
    /// a working camera. A good signature is noted.
    fn take(
        &self,
        signature: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.has_key.store(signature.is_ok(), Ordering::Relaxed);
        signature.or_else(|_| Ok(HandshakeSignatureValid::assertion()))
    }
}

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
        let known = &self.provider.signature_verification_algorithms;
        self.take(rustls::crypto::verify_tls12_signature(message, certificate, signature, known))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        self.take(rustls::crypto::verify_tls13_signature(message, certificate, signature, known))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A device's end of TLS, for tests.
#[cfg(test)]
pub mod testing {
    use tokio::io::{AsyncRead, AsyncWrite};
    use tokio_rustls::server::TlsStream;

    /// A certificate the device signed itself, of these names and that common name, good until that year.
    pub fn certificate(common: &str, names: &[&str], until: i32) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut wanted = rcgen::CertificateParams::new(names).unwrap();
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        if !common.is_empty() {
            wanted.distinguished_name.push(rcgen::DnType::CommonName, common);
        }
        (wanted.not_before, wanted.not_after) = (rcgen::date_time_ymd(2012, 1, 1), rcgen::date_time_ymd(until, 6, 1));
        (wanted.self_signed(&key).unwrap(), key)
    }

    /// Shakes hands as the device `axis-accc8e000001`, in TLS 1.3 or 1.2; none when the other side gives up.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Option<TlsStream<S>> {
        accept_as(stream, certificate("axis-accc8e000001", &[], 2099), rustls::ALL_VERSIONS).await
    }

    /// The same with a certificate and versions of choice.
    pub async fn accept_as<S: AsyncRead + AsyncWrite + Unpin>(
        stream: S,
        (certificate, key): (rcgen::Certificate, rcgen::KeyPair),
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Option<TlsStream<S>> {
        let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        // Whether the key is that of the certificate is not looked at: a copied certificate is shown as well.
        let key = provider.key_provider.load_private_key(private).unwrap();
        let shown = rustls::sign::CertifiedKey::new(vec![certificate.der().clone()], key);
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(std::sync::Arc::new(rustls::sign::SingleCertAndKey::from(shown)));
        tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config)).accept(stream).await.ok()
    }

    /// A server that is ended with the test.
    pub struct Server(
        std::process::Child,
        #[expect(dead_code, reason = "the files go when it is dropped")] tempfile::TempDir,
    );

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// OpenSSL made to speak that version alone (`-tls1`), on a port of loopback; none where it is not installed.
    pub fn openssl(version: &str) -> Option<(Server, u16)> {
        use std::io::BufRead as _;
        let folder = tempfile::tempdir().unwrap();
        let (shown, key) = certificate("old", &[], 2099);
        let (cert_file, key_file) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        std::fs::write(&cert_file, shown.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let mut child = std::process::Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", version, "-cipher", "ALL:@SECLEVEL=0", "-www"])
            .arg("-cert")
            .arg(&cert_file)
            .arg("-key")
            .arg(&key_file)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .ok()?;
        let output = child.stdout.take()?;
        let server = Server(child, folder);
        let lines = std::io::BufReader::new(output).lines().map_while(Result::ok);
        let port = lines.take(20).find_map(|l| l.strip_prefix("ACCEPT ")?.rsplit(':').next()?.trim().parse().ok())?;
        Some((server, port))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{accept_as, certificate, openssl};
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// What the fuzzers begin with.
    #[test]
    fn a_certificate_tells_its_subject_and_the_names_it_is_for() {
        let der = include_bytes!("../../tests/data/tls/self_signed_with_names.der");
        let info = TlsInfo::of(Some(der));
        assert_eq!(info.subject.as_deref(), Some("C=CN, O=Acme, OU=Cameras, CN=ipcam.example"));
        assert_eq!(info.names, ["ipcam.example", "camera.local"]);
        assert!(info.not_after.is_some());
        assert_eq!(TlsInfo::of(der.get(..200)), TlsInfo::default());
    }

    #[tokio::test]
    async fn both_versions_carry_bytes_and_the_certificate_is_read_not_judged() {
        for (version, name) in [(&rustls::version::TLS12, "TLS 1.2"), (&rustls::version::TLS13, "TLS 1.3")] {
            let (ours, theirs) = duplex(64 * 1024);
            // It ended years ago, and is for other names than the one asked for.
            let shown = certificate("Old Camera", &["camera.lan", "cam2"], 2014);
            let device = tokio::spawn(async move {
                let mut tls = accept_as(theirs, shown, &[version]).await.unwrap();
                let mut asked = [0; 4];
                tls.read_exact(&mut asked).await.unwrap();
                tls.write_all(&asked).await.unwrap();
                tls.shutdown().await.unwrap();
            });
            let (mut stream, info) = handshake(Box::new(ours), "192.0.2.10").await.unwrap();
            assert_eq!(info.version.as_deref(), Some(name));
            assert_eq!(
                (info.subject.as_deref(), info.issuer.as_deref()),
                (Some("CN=Old Camera"), Some("CN=Old Camera"))
            );
            assert_eq!(info.names, ["camera.lan", "cam2"]);
            assert_eq!(info.not_after, Some(1_401_580_800));
            stream.write_all(b"ping").await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"ping");
            device.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_certificate_has_a_fingerprint_where_the_peer_has_its_key() {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let (shown, key) = certificate("camera", &[], 2099);
            let fingerprint = hex(&Sha256::digest(shown.der()));
            let other = certificate("camera", &[], 2099).1;
            for (key, wanted) in [(key, Some(fingerprint)), (other, None)] {
                let (ours, theirs) = duplex(64 * 1024);
                let shown = rcgen::Certificate::clone(&shown);
                tokio::spawn(async move { accept_as(theirs, (shown, key), &[version]).await });
                let (_, info) = handshake(Box::new(ours), "192.0.2.10").await.unwrap();
                assert_eq!((info.subject.as_deref(), info.fingerprint), (Some("CN=camera"), wanted));
            }
        }
    }

    /// Why a handshake fails with a peer that answers the first record with these bytes.
    async fn refusal(answer: &'static [u8]) -> Cause {
        let (ours, mut theirs) = duplex(64 * 1024);
        tokio::spawn(async move {
            let _ = theirs.read(&mut [0; 4096]).await;
            let _ = theirs.write_all(answer).await;
            if !answer.is_empty() {
                let _ = theirs.read(&mut [0; 4096]).await;
            }
        });
        handshake(Box::new(ours), "192.0.2.10").await.err().unwrap()
    }

    /// Version 3.1, a random of zeros, no session, TLS_RSA_WITH_AES_128_CBC_SHA.
    const HELLO_OF_TLS_1_0: &[u8] = b"\x16\x03\x01\0\x2a\x02\0\0\x26\x03\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x2f\0";

    #[tokio::test]
    async fn what_is_too_old_is_named() {
        for (answer, what) in [
            (HELLO_OF_TLS_1_0, Some("TLS 1.0")),
            (b"\x15\x03\x01\0\x02\x02\x46", Some("TLS 1.0")),
            (b"\x15\x03\x00\0\x02\x02\x46", Some("SSL 3.0")),
            (b"\x15\x03\x03\0\x02\x02\x46", Some("TLS 1.1 or older")),
            (b"\x15\x03\x03\0\x02\x02\x28", Some("old ciphers, such as static RSA or RC4")),
            (b"\x15\x03\x01\0\x02\x02\x28", Some("TLS 1.0 or ciphers of its time")),
            // internal_error says nothing of versions; nor does plain HTTP or silence.
            (b"\x15\x03\x03\0\x02\x02\x50", None),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", None),
            (b"", None),
        ] {
            let cause = refusal(answer).await;
            assert_eq!(matches!(cause, Cause::OldTls(_)), what.is_some(), "{cause}");
            if let Some(what) = what {
                assert_eq!(cause.to_string(), format!("speaks only {what}, which this build does not read"));
            }
        }
    }

    /// OpenSSL made to speak nothing newer than TLS 1.0 and 1.1, on loopback.
    #[tokio::test]
    #[ignore = "needs openssl"]
    async fn openssl_of_old_versions_is_named() {
        for (version, also) in [("-tls1", "TLS 1.0"), ("-tls1_1", "TLS 1.1")] {
            let (server, port) = openssl(version).expect("openssl is installed and speaks old versions");
            let net = crate::net::RealNet::new();
            let stream = crate::net::Streams::connect(&*net, ([127, 0, 0, 1], port).into()).await.unwrap();
            let cause = handshake(stream, "127.0.0.1").await.err().unwrap();
            drop(server);
            let Cause::OldTls(old) = cause else { panic!("{cause}") };
            assert!(old == OldTls::BeforeTls12 || old.to_string().contains(also), "{old}");
        }
    }
}
