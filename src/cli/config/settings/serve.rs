//! Where `serve` listens, and how it is reached.

use std::path::PathBuf;

use crate::cli::config::keys;
use crate::cli::config::layer::Layer;
use crate::history::memory::StreamId;
use crate::model::TargetSpec;
use crate::model::listen::{Anonymous, ListenOn, LiveAddress, PublicUrl, TrustedProxy};
use crate::model::problem::Problem;

/// Where `serve` listens, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    /// The places that are listened on, each once.
    pub listen: Vec<ListenOn>,
    /// Certificate and key; none: connections are not encrypted.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// How it is reached.
    pub public_url: PublicUrl,
    /// Reverse proxies whose X-Forwarded-For is believed.
    pub trusted: Vec<TrustedProxy>,
    /// The header by which such a proxy says who asks, in small letters.
    pub login_header: Option<String>,
    /// What may be scanned through the page and the API beside the targets.
    pub allow_targets: Vec<TargetSpec>,
    /// What is shown without a login.
    pub anonymous: Anonymous,
    /// The port of live view; none: there is none.
    pub live_port: Option<u16>,
    /// Addresses that viewers reach this machine by, besides its own.
    pub live_addresses: Vec<LiveAddress>,
    /// Streams that are fetched whether somebody watches or not.
    pub live_always_on: Vec<StreamId>,
    /// Whether it scans and checks.
    pub watches: bool,
}

/// What the keys about serving amount to.
pub(super) fn settings(layer: &Layer) -> Result<ServeSettings, Problem> {
    let mut listen: Vec<ListenOn> = Vec::new();
    for place in layer.list(&keys::LISTEN)? {
        if !listen.contains(&place) {
            listen.push(place);
        }
    }
    if listen.is_empty() {
        let at = layer.origin(keys::LISTEN.name).place(keys::LISTEN.name);
        return Err(Problem::new("there is no address to listen on").at(at).hint("write 127.0.0.1:8000"));
    }
    let tls = match (layer.one(&keys::TLS_CERT)?, layer.one(&keys::TLS_KEY)?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (certificate, _) => {
            let [given, missing] = match certificate {
                Some(_) => ["tls_cert", "tls_key"],
                None => ["tls_key", "tls_cert"],
            };
            return Err(Problem::new(format!("{given} needs {missing} as well")).at(layer.origin(given).place(given)));
        }
    };
    let trusted = layer.list(&keys::TRUSTED_PROXY)?;
    let login_header = layer.one(&keys::LOGIN_HEADER)?;
    if login_header.is_some() && trusted.is_empty() {
        let name = keys::LOGIN_HEADER.name;
        let problem =
            Problem::new("login_header needs trusted_proxy as well: a header of anybody else is not believed");
        return Err(problem.at(layer.origin(name).place(name)));
    }
    Ok(ServeSettings {
        listen,
        tls,
        public_url: layer.one(&keys::PUBLIC_URL)?.unwrap_or_default(),
        trusted,
        login_header,
        allow_targets: layer.list(&keys::ALLOW_TARGETS)?,
        anonymous: layer.one(&keys::ANONYMOUS)?,
        live_port: layer.one(&keys::LIVE_PORT)?,
        live_addresses: layer.list(&keys::LIVE_ADDRESS)?,
        live_always_on: layer.list(&keys::LIVE_ALWAYS_ON)?,
        watches: layer.one(&keys::WATCHING)?,
    })
}
