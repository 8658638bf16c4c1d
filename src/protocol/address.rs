//! Addresses of services as devices announce them: the port and path are believed, the host is not.

use std::net::{IpAddr, Ipv6Addr};

use crate::model::stream::url_host;
use crate::text;

/// The longest announced address that is read, in bytes.
const MAX_LEN: usize = 2048;

/// An announced `http` or `https` address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Over TLS.
    pub tls: bool,
    /// The host as announced, without brackets; may be empty.
    pub host: String,
    /// The port, 1..=65535.
    pub port: u16,
    /// Path and query, with leading `/`, cleaned; as it is asked for, with what a query may hold of a login.
    pub target: String,
}

impl Announced {
    /// Reads `http://host:port/path`; lenient about case, user names, an empty host and a missing path.
    /// None when it is no `http` address or its port is none.
    pub fn parse(text: &str) -> Option<Announced> {
        let text = text.trim();
        if text.len() > MAX_LEN {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = split_port(authority)?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        let target = text::clean_to(target.split('#').next().unwrap_or_default(), MAX_LEN);
        let target = if target.starts_with('/') { target } else { format!("/{target}") };
        Some(Announced { tls, host: host.to_owned(), port, target })
    }

    /// The host as an address, where it is one; the zone of an IPv6 address is left out.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.split('%').next().and_then(|h| h.parse().ok())
    }

    /// The address as it is shown, with the host that answered in place of the announced one and without what a query may
    /// hold of a login.
    pub fn url_at(&self, host: IpAddr) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", url_host(host), self.port, text::redact_url(&self.target))
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let number = |p: &str| p.parse::<u16>().ok().filter(|&p| p != 0);
    if let Some(v6) = authority.strip_prefix('[') {
        let (host, after) = v6.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) if !port.is_empty() => Some((host, Some(number(port)?))),
            _ => Some((host, None)),
        };
    }
    // An IPv6 address without its brackets has no port.
    if authority.parse::<Ipv6Addr>().is_ok() {
        return Some((authority, None));
    }
    match authority.rsplit_once(':') {
        Some((host, "")) => Some((host, None)),
        Some((host, port)) => Some((host, Some(number(port)?))),
        None => Some((authority, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn port_and_path_are_kept_and_the_host_replaced() {
        let peer: IpAddr = "192.0.2.9".parse().unwrap();
        for (sent, url) in [
            ("http://10.0.0.1/onvif/device_service", "http://192.0.2.9:80/onvif/device_service"),
            ("HTTPS://[fe80::1%eth0]/x?y=1#z", "https://192.0.2.9:443/x?y=1"),
            ("http://[fe80::1]:8000", "http://192.0.2.9:8000/"),
            ("http://:8899/a", "http://192.0.2.9:8899/a"),
            ("http://0.0.0.0:/a", "http://192.0.2.9:80/a"),
            ("http://user:pa/ss@h/a", "http://192.0.2.9:80/a"),
            (" http://user:pw@h:81/a\u{1b}[31m ", "http://192.0.2.9:81/a"),
            ("http://h?x=1", "http://192.0.2.9:80/?x=1"),
            ("http://h/d?token=abc", "http://192.0.2.9:80/d?token=***"),
        ] {
            let announced = Announced::parse(sent);
            if sent.contains("pa/ss") {
                // A '/' in a password ends the host: what is left is no port.
                assert_eq!(announced, None);
                continue;
            }
            assert_eq!(announced.map(|a| a.url_at(peer)).as_deref(), Some(url), "{sent}");
        }
        // What is shown without it is asked for with it.
        assert_eq!(Announced::parse("http://h/d?token=abc").unwrap().target, "/d?token=abc");
        for sent in ["", "rtsp://h/", "http//h", "http://h:0/", "http://h:99999/", "http://[::1", "file:///etc/passwd"]
        {
            assert_eq!(Announced::parse(sent), None, "{sent}");
        }
        assert_eq!(Announced::parse("http://fe80::1/a").and_then(|a| a.ip()), "fe80::1".parse().ok());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in any::<String>(), peer in any::<std::net::IpAddr>()) {
            if let Some(announced) = Announced::parse(&format!("http://{text}")) {
                let url = announced.url_at(peer);
                prop_assert_eq!(Announced::parse(&url).and_then(|a| a.ip()), Some(peer));
            }
        }
    }
}
