//! Where `camscan serve` listens, and how it is reached from elsewhere.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnetwork::IpNetwork;

use super::names::names;

/// A place that is listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenOn {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
    /// The sockets that systemd has bound, whichever they are.
    Systemd,
}

impl ListenOn {
    /// `ADDRESS:PORT`, `:PORT` for all addresses, `unix:PATH`, or `systemd`.
    pub fn parse(text: &str) -> Option<ListenOn> {
        if text == "systemd" {
            return Some(ListenOn::Systemd);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| ListenOn::Unix(path.into()));
        }
        let text = if text.starts_with(':') { format!("[::]{text}") } else { text.replace("localhost:", "127.0.0.1:") };
        text.parse().ok().map(ListenOn::Tcp)
    }

    /// Whether other machines reach it, as far as that can be told before it is bound.
    pub fn is_beyond_this_machine(&self) -> bool {
        match self {
            ListenOn::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            ListenOn::Unix(_) | ListenOn::Systemd => false,
        }
    }
}

impl fmt::Display for ListenOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenOn::Tcp(address) => write!(f, "{address}"),
            ListenOn::Unix(path) => write!(f, "unix:{}", path.display()),
            ListenOn::Systemd => f.write_str("systemd"),
        }
    }
}

/// A reverse proxy whose word about its clients is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustedProxy {
    /// One that connects from these addresses.
    Network(IpNetwork),
    /// One that connects by a socket in the file system.
    Unix,
}

impl TrustedProxy {
    /// A network, an address, or `unix`.
    pub fn parse(text: &str) -> Option<TrustedProxy> {
        if text == "unix" { Some(TrustedProxy::Unix) } else { text.parse().ok().map(TrustedProxy::Network) }
    }

    /// Whether whoever connects from `address`, or by a socket in the file system where there is none, is meant.
    pub fn is(&self, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (TrustedProxy::Network(network), Some(address)) => network.contains(address),
            (TrustedProxy::Unix, None) => true,
            _ => false,
        }
    }
}

/// An address that viewers of live view reach this machine by, where it is none of its own: a router's, or the host of a
/// container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAddress {
    /// The address.
    pub ip: IpAddr,
    /// The port that leads here; none: the same as here.
    pub port: Option<u16>,
}

impl LiveAddress {
    /// `ADDRESS` or `ADDRESS:PORT`, IPv6 with a port in brackets.
    pub fn parse(text: &str) -> Option<LiveAddress> {
        let alone = |ip| LiveAddress { ip, port: None };
        let with_port = |at: SocketAddr| LiveAddress { ip: at.ip(), port: Some(at.port()) };
        text.parse().map(alone).or_else(|_| text.parse().map(with_port)).ok()
    }

    /// With the port that is used here, where it names none.
    pub fn at(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(port))
    }
}

names! {
    /// What is shown to whoever has not logged in.
    pub enum Anonymous {
        /// Nothing.
        None = "none",
        /// What a viewer sees.
        Viewer = "viewer",
    }
}

/// The address in a browser: scheme, host, and the path that everything is below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Scheme and authority as browsers write them; none where only a path is known.
    origin: Option<(bool, String)>,
    /// Begins and ends with a slash.
    base: String,
}

impl Default for PublicUrl {
    fn default() -> Self {
        PublicUrl { origin: None, base: "/".to_owned() }
    }
}

impl PublicUrl {
    /// `https://cameras.example.org/cameras/`, or a path alone.
    pub fn parse(text: &str) -> Option<PublicUrl> {
        let (origin, path) = match text.split_once("://") {
            None => (None, text),
            Some((scheme, rest)) => {
                let is_https = match scheme {
                    "https" => true,
                    "http" => false,
                    _ => return None,
                };
                let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
                let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
                if host.is_empty() || !host.chars().all(is_host) {
                    return None;
                }
                let host = host.to_ascii_lowercase();
                let usual = if is_https { ":443" } else { ":80" };
                (Some((is_https, host.strip_suffix(usual).unwrap_or(&host).to_owned())), path)
            }
        };
        let is_path = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let is_plain = !segments.iter().any(|segment| matches!(*segment, "." | ".."));
        if !path.starts_with('/') || !path.chars().all(is_path) || !is_plain {
            return None;
        }
        let base = segments.iter().fold("/".to_owned(), |all, segment| format!("{all}{segment}/"));
        Some(PublicUrl { origin, base })
    }

    /// The path that everything is below; begins and ends with a slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where a path of this program (`/login`) is for a browser.
    pub fn link(&self, path: &str) -> String {
        format!("{}{}", self.base, path.trim_start_matches('/'))
    }

    /// The path of this program that a browser's path means. A proxy may have taken the base away already.
    pub fn path_of<'p>(&self, path: &'p str) -> &'p str {
        let without = self.base.trim_end_matches('/');
        match path.strip_prefix(without) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }

    /// The host, with its port where it is not the usual one.
    pub fn host(&self) -> Option<&str> {
        self.origin.as_ref().map(|(_, host)| host.as_str())
    }

    /// Whether browsers use https; none where that is not known.
    pub fn is_https(&self) -> Option<bool> {
        self.origin.as_ref().map(|(is_https, _)| *is_https)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((is_https, host)) = &self.origin {
            write!(f, "{}://{host}", if *is_https { "https" } else { "http" })?;
        }
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        for (text, shown, beyond) in [
            ("127.0.0.1:8000", "127.0.0.1:8000", false),
            ("localhost:8000", "127.0.0.1:8000", false),
            ("[::1]:80", "[::1]:80", false),
            ("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", false),
            ("0.0.0.0:80", "0.0.0.0:80", true),
            (":8000", "[::]:8000", true),
            ("unix:/run/camscan.sock", "unix:/run/camscan.sock", false),
            ("systemd", "systemd", false),
        ] {
            let place = ListenOn::parse(text).unwrap();
            assert_eq!((place.to_string().as_str(), place.is_beyond_this_machine()), (shown, beyond));
        }
        for text in ["", "8000", "unix:", "127.0.0.1", "cameras:80", "127.0.0.1:99999"] {
            assert_eq!(ListenOn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_public_address_gives_host_and_base() {
        for (text, shown, base) in [
            ("https://Cameras.example.org", "https://cameras.example.org/", "/"),
            ("https://example.org:443/cameras", "https://example.org/cameras/", "/cameras/"),
            ("http://10.0.0.1:8080/a//b/", "http://10.0.0.1:8080/a/b/", "/a/b/"),
            ("/cameras", "/cameras/", "/cameras/"),
        ] {
            let url = PublicUrl::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.base()), (shown, base));
        }
        for text in
            ["", "cameras", "ftp://a/", "http://", "http://a b/", "http://u@h/", "/a/../b", "/a?b", "/a;b", "/\"a"]
        {
            assert_eq!(PublicUrl::parse(text), None, "{text}");
        }
        let url = PublicUrl::parse("/cameras").unwrap();
        assert_eq!((url.link("/login"), url.link("")), ("/cameras/login".to_owned(), "/cameras/".to_owned()));
        for (path, meant) in [
            ("/cameras/login", "/login"),
            ("/cameras", "/"),
            ("/cameras/", "/"),
            ("/login", "/login"),
            ("/camerasx", "/camerasx"),
        ] {
            assert_eq!(url.path_of(path), meant);
        }
        assert_eq!(PublicUrl::default().path_of("/a"), "/a");
    }
}
