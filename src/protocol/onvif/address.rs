//! The addresses devices announce, brought to the host that answered. Cameras name loopback, the unspecified address, an
//! inner address behind NAT, the router's, one with its last digit cut off, or none. Port and path hold all the same. Pure.

use std::net::{IpAddr, Ipv6Addr};

use crate::text;

/// An announced address, at the host that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `rtsp`, `http`, …, lower case.
    pub scheme: String,
    /// The port, where one is named.
    pub port: Option<u16>,
    /// Path, query and fragment, to the letter; without leading `/` only when empty.
    pub target: String,
    /// The host that was named, cleaned, when it is not the one that answered.
    pub named: Option<String>,
}

impl Address {
    /// Reads an announced address; none when it is no address of a stream, a picture or a service. User and password are
    /// left out. A path alone is taken for one of `scheme`.
    pub fn read(announced: &str, scheme: &str, ip: IpAddr, name: &str) -> Option<Address> {
        // White space around and line breaks within come from pretty printing.
        let mut written: String = announced.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
        if written.starts_with('/') {
            return Some(Address { scheme: scheme.to_owned(), port: None, target: written, named: None });
        }
        // `rtsp://rtsp://host/…`
        while let Some((outer, inner)) = written.split_once("://")
            && let Some((doubled, _)) = inner.split_once("://")
            && doubled.eq_ignore_ascii_case(outer)
        {
            written = inner.to_owned();
        }
        let written = text::strip_userinfo(&written);
        let (scheme, rest) = written.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "rtsp" | "rtsps" | "http" | "https") {
            return None;
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = split_port(authority);
        let host = host.trim_matches(['[', ']']);
        let is_same = host.is_empty()
            || host.eq_ignore_ascii_case(name)
            || host.parse().is_ok_and(|named: IpAddr| named.to_canonical() == ip.to_canonical());
        let target = match target.starts_with('/') || target.is_empty() {
            true => target.to_owned(),
            false => format!("/{target}"),
        };
        Some(Address { scheme, port, target, named: (!is_same).then(|| text::clean(host)) })
    }

    /// Whether it is to be spoken inside TLS.
    pub fn tls(&self) -> bool {
        matches!(self.scheme.as_str(), "https" | "rtsps")
    }

    /// The address of a stream that was announced inside HTTP, as it is without: at the usual port of RTSP.
    pub fn outside_tunnel(self) -> Address {
        match self.scheme.as_str() {
            "http" => Address { scheme: "rtsp".to_owned(), port: None, ..self },
            "https" => Address { scheme: "rtsps".to_owned(), port: None, ..self },
            _ => self,
        }
    }

    /// The port named, else the scheme's own.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(match self.scheme.as_str() {
            "rtsp" => 554,
            "rtsps" => 322,
            "https" => 443,
            _ => 80,
        })
    }

    /// The address as a URL at `host`, which stands as in URLs: IPv6 in brackets.
    pub fn url(&self, host: &str) -> String {
        match self.port {
            Some(port) => format!("{}://{host}:{port}{}", self.scheme, self.target),
            None => format!("{}://{host}{}", self.scheme, self.target),
        }
    }
}

/// Host and port of an authority; a bare IPv6 address has no port.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    if authority.parse::<Ipv6Addr>().is_ok() {
        return (authority, None);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|&p| p != 0)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_host_that_answered_is_the_host() {
        for (announced, usable, named) in [
            ("rtsp://192.0.2.10:554/a?b=c&d", "rtsp://192.0.2.10:554/a?b=c&d", None),
            ("  RTSP://192.0.2.10/a\n ", "rtsp://192.0.2.10/a", None),
            ("rtsp://0.0.0.0:8554/live", "rtsp://192.0.2.10:8554/live", Some("0.0.0.0")),
            ("http://:80/onvif", "http://192.0.2.10:80/onvif", None),
            ("rtsp://[fe80::1]:554/s", "rtsp://192.0.2.10:554/s", Some("fe80::1")),
            ("rtsp://fe80::1/s", "rtsp://192.0.2.10/s", Some("fe80::1")),
            ("rtsp://::ffff:192.0.2.10/s", "rtsp://192.0.2.10/s", None),
            ("rtsp://rtsp://192.0.2.10/s", "rtsp://192.0.2.10/s", None),
            ("rtsp://admin:p@ss@192.0.2.10/s", "rtsp://192.0.2.10/s", None),
            ("http://192.0.2.10/snap?", "http://192.0.2.10/snap?", None),
            ("http://cam.local:0/x", "http://192.0.2.10/x", Some("cam.local")),
            ("rtsp://192.0.2.10:554", "rtsp://192.0.2.10:554", None),
            ("/onvif/media", "http://192.0.2.10/onvif/media", None),
        ] {
            let address = Address::read(announced, "http", "192.0.2.10".parse().unwrap(), "192.0.2.10").unwrap();
            assert_eq!(address.url("192.0.2.10"), usable, "{announced}");
            assert_eq!(address.named.as_deref(), named, "{announced}");
        }
        for none in ["", "rtsp:", "ftp://192.0.2.10/", "javascript://x", "live/main"] {
            assert_eq!(Address::read(none, "http", "192.0.2.10".parse().unwrap(), "h"), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), rest in "[a-z0-9:/@?#\\[\\]. %]{0,40}") {
            let ip = "192.0.2.10".parse().unwrap();
            for announced in [text, format!("rtsp://{rest}")] {
                if let Some(address) = Address::read(&announced, "http", ip, "h") {
                    // What comes out is at the host, and reading it again changes nothing.
                    let url = address.url("192.0.2.10");
                    let again = Address::read(&url, "http", ip, "h");
                    prop_assert!(again.is_some_and(|a| a.url("192.0.2.10") == url && a.named.is_none()), "{}", url);
                }
            }
        }
    }
}
