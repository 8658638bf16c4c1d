//! The certificate of a replay: it states what the device's stated, and is signed by itself.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::kit::format::Certificate;

/// What takes connections by TLS; none where no certificate can be made of what is stated.
pub(super) fn acceptor(stated: &Certificate) -> Option<TlsAcceptor> {
    let mut params = CertificateParams::new(stated.names.clone()).ok()?;
    params.distinguished_name = name(&stated.subject);
    let (year, month, day) = date(stated.not_after);
    params.not_after = rcgen::date_time_ymd(year, month, day);
    let key = KeyPair::generate().ok()?;
    let certificate = params.self_signed(&key).ok()?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).ok()?;
    Some(TlsAcceptor::from(Arc::new(config)))
}

/// `CN=…, O=…` as a name.
fn name(subject: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for part in subject.split(", ") {
        let Some((kind, value)) = part.split_once('=') else { continue };
        let kind = match kind.trim() {
            "CN" => DnType::CommonName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            "C" => DnType::CountryName,
            "ST" => DnType::StateOrProvinceName,
            "L" => DnType::LocalityName,
            _ => continue,
        };
        name.push(kind, value);
    }
    name
}

/// Year, month and day of a second since 1970, within what a certificate can state.
fn date(second: i64) -> (i32, u8, u8) {
    let day = jiff::Timestamp::from_second(second).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let number = |value: i8| u8::try_from(value).unwrap_or(1);
    (i32::from(day.year()).clamp(1970, 4000), number(day.month()), number(day.day()))
}
