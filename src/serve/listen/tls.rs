//! Certificate and key of the server, which can be replaced while it runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::model::problem::Problem;

/// Bytes of a file of certificates, at most.
const LARGEST: u64 = 1 << 20;

/// What encrypted connections need.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads both files (PEM): the certificate with those that vouch for it, and its key.
    ///
    /// # Errors
    /// When one cannot be read, or they do not belong together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls, Problem> {
        let config = RwLock::new(config(certificate, key)?);
        Ok(Tls { certificate: certificate.to_owned(), key: key.to_owned(), config })
    }

    /// Reads both again. When they are no good, those that were read before stay.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn reload(&self) -> Result<(), Problem> {
        let new = config(&self.certificate, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Makes a connection an encrypted one.
    ///
    /// # Errors
    /// When the other end speaks no TLS 1.2 or 1.3.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> std::io::Result<TlsStream<S>> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner).clone();
        TlsAcceptor::from(config).accept(stream).await
    }
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Problem> {
    let unusable = |file: &Path, why: String| Problem::new(format!("{} cannot be used: {why}", file.display()));
    let read = |file: &Path| {
        crate::tool::read::bytes(file, LARGEST).map_err(|error| unusable(file, format!("it {}", error.reason())))
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(unusable(certificate, "it holds no certificate (PEM)".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| {
        // Its text may hold a part of the key.
        let _ = error;
        unusable(key, "it holds no private key (PEM) without a password".to_owned())
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| unusable(certificate, error.to_string()).hint("certificate and key must belong together"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
