//! Where `serve` listens, and how it is reached.

use std::path::PathBuf;

use crate::cli::config::keys;
use crate::cli::config::layer::Layer;
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
    /// What may be scanned through the page and the API beside the targets.
    pub allow_targets: Vec<TargetSpec>,
    /// What is shown without a login.
    pub anonymous: Anonymous,
    /// The port of live view; none: there is none.
    pub live_port: Option<u16>,
    /// Addresses that viewers reach this machine by, besides its own.
    pub live_addresses: Vec<LiveAddress>,
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
    Ok(ServeSettings {
        listen,
        tls,
        public_url: layer.one(&keys::PUBLIC_URL)?.unwrap_or_default(),
        trusted: layer.list(&keys::TRUSTED_PROXY)?,
        allow_targets: layer.list(&keys::ALLOW_TARGETS)?,
        anonymous: layer.one(&keys::ANONYMOUS)?,
        live_port: layer.one(&keys::LIVE_PORT)?,
        live_addresses: layer.list(&keys::LIVE_ADDRESS)?,
        watches: layer.one(&keys::WATCHING)?,
    })
}
