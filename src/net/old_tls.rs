//! TLS 1.0, TLS 1.1 and ciphers that are given up, by the system's OpenSSL: for devices that speak nothing newer. Only in
//! builds with the feature `legacy-tls`, and only for a device that was heard to speak nothing newer.

use std::io;
use std::pin::Pin;

use openssl::ssl::{SslContext, SslContextBuilder, SslMethod, SslOptions, SslVerifyMode, SslVersion};
use tokio_openssl::SslStream;

use super::tls::TlsInfo;
use super::{BoxStream, Cause};

/// Shakes hands over `stream`. Certificates are read and not judged, as by [`super::tls::handshake`]. The caller bounds the
/// time.
///
/// # Errors
/// What OpenSSL says; some systems' OpenSSL is built without what is too old.
pub async fn handshake(stream: BoxStream) -> Result<(BoxStream, TlsInfo), Cause> {
    connect(stream).await.map_err(|error| Cause::of_tls(&error))
}

async fn connect(stream: BoxStream) -> io::Result<(BoxStream, TlsInfo)> {
    let ssl = context().and_then(|context| openssl::ssl::Ssl::new(&context)).map_err(io::Error::other)?;
    let mut tls = SslStream::new(ssl, stream).map_err(io::Error::other)?;
    Pin::new(&mut tls).connect().await.map_err(io::Error::other)?;
    let certificate = tls.ssl().peer_certificate().and_then(|c| c.to_der().ok());
    // OpenSSL ends a handshake whose signature is wrong, whatever is thought of the certificate.
    let mut info = TlsInfo::of_proved(certificate.as_deref());
    info.version = Some(name(tls.ssl().version_str()).to_owned());
    Ok((Box::new(tls), info))
}

fn context() -> Result<SslContext, openssl::error::ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::tls_client())?;
    context.set_verify(SslVerifyMode::NONE);
    context.set_cipher_list("ALL:@SECLEVEL=0")?;
    context.set_min_proto_version(Some(SslVersion::SSL3))?;
    context.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    // Old servers know nothing of secure renegotiation (RFC 5746), and none is made here.
    context.set_options(SslOptions::ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
    Ok(context.build())
}

/// OpenSSL's name of a version, as it stands in the report.
fn name(version: &str) -> &str {
    match version {
        "TLSv1" => "TLS 1.0",
        "TLSv1.1" => "TLS 1.1",
        "TLSv1.2" => "TLS 1.2",
        "SSLv3" => "SSL 3.0",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use crate::net::pace::Pace;
    use crate::net::tls::testing::openssl;
    use crate::net::{Dialer, RealNet};

    /// The dialer meets a server of an old version, and comes back with what it takes.
    #[tokio::test]
    #[ignore = "needs openssl"]
    async fn a_server_of_an_old_version_is_spoken_to() {
        for (version, named) in [("-tls1", "TLS 1.0"), ("-tls1_1", "TLS 1.1")] {
            let (_server, port) = openssl(version).expect("openssl is installed and speaks old versions");
            let dialer = Dialer::new(RealNet::new(), Arc::new(Pace::new(None)), 4, 4);
            let to = ([127, 0, 0, 1], port).into();
            let mut connection = dialer.tls(to, "127.0.0.1", Duration::from_secs(20)).await.unwrap();
            let (info, _) = connection.tls.clone().unwrap();
            assert_eq!((info.version.as_deref(), info.subject.as_deref()), (Some(named), Some("CN=old")));
            connection.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
            let mut page = Vec::new();
            let _ = connection.read_to_end(&mut page).await;
            assert!(page.starts_with(b"HTTP/1.0 200"), "{}", String::from_utf8_lossy(&page));
        }
    }
}
