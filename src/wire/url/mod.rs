//! Addresses of streams and services on a host, as devices write them and as they are sent to one. The host that answered
//! is the host: of what a device announces, scheme, port and path are believed, the host is not. Cameras name loopback,
//! the unspecified address, an inner address behind NAT, the router's, one with its last digit cut off, or none.
//!
//! [`AnnouncedUrl`] reads an address, however badly it is written; its [`HostUrl`] holds no host, so that nothing made of
//! it can lead elsewhere.

mod announced;
mod join;

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

pub use announced::{AnnouncedUrl, Fault, Host};

use crate::model::{Protocol, Service};
use crate::text;

/// The longest path with its query, in bytes. Servers commonly refuse request lines beyond 8 KiB; segments of HLS with
/// signed tokens come near to it.
pub const MAX_TARGET: usize = 8192;

/// What stands before `://`, of the schemes that streams and services are announced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `rtsp`, also written `rtspu` (RFC 2326 §3.2) and `rtspt` (Windows Media Services).
    Rtsp,
    /// RTSP inside TLS.
    Rtsps,
    /// `rtmp`.
    Rtmp,
    /// RTMP inside TLS.
    Rtmps,
    /// `http`.
    Http,
    /// HTTP inside TLS.
    Https,
    /// WebSocket.
    Ws,
    /// WebSocket inside TLS.
    Wss,
}

impl Scheme {
    /// `http`, or `https` inside TLS.
    pub fn http(tls: bool) -> Scheme {
        if tls { Scheme::Https } else { Scheme::Http }
    }

    /// `rtsp`, or `rtsps` inside TLS.
    pub fn rtsp(tls: bool) -> Scheme {
        if tls { Scheme::Rtsps } else { Scheme::Rtsp }
    }

    /// `rtmp`, or `rtmps` inside TLS.
    pub fn rtmp(tls: bool) -> Scheme {
        if tls { Scheme::Rtmps } else { Scheme::Rtmp }
    }

    /// The scheme that names this protocol and no other: none for what is carried by HTTP or has no scheme here.
    pub fn of(protocol: Protocol) -> Option<Scheme> {
        match protocol {
            Protocol::Rtsp => Some(Scheme::Rtsp),
            Protocol::Rtsps => Some(Scheme::Rtsps),
            Protocol::Rtmp => Some(Scheme::Rtmp),
            Protocol::Rtmps => Some(Scheme::Rtmps),
            Protocol::Http => Some(Scheme::Http),
            Protocol::Https => Some(Scheme::Https),
            _ => None,
        }
    }

    /// The protocol that is spoken first; HTTP for WebSocket.
    pub fn protocol(self) -> Protocol {
        match self {
            Scheme::Rtsp => Protocol::Rtsp,
            Scheme::Rtsps => Protocol::Rtsps,
            Scheme::Rtmp => Protocol::Rtmp,
            Scheme::Rtmps => Protocol::Rtmps,
            Scheme::Http | Scheme::Ws => Protocol::Http,
            Scheme::Https | Scheme::Wss => Protocol::Https,
        }
    }

    /// The port that is meant where none is written: 554 (RFC 2326 §3.2), 322 (RFC 7826 §4.2), 1935, 443 for RTMP inside
    /// TLS (as ffmpeg and librtmp have it; 1936 is a habit of servers that is always written out), 80 and 443.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Rtsp => 554,
            Scheme::Rtsps => 322,
            Scheme::Rtmp => 1935,
            Scheme::Http | Scheme::Ws => 80,
            Scheme::Rtmps | Scheme::Https | Scheme::Wss => 443,
        }
    }

    /// Whether it is spoken inside TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Scheme::Rtsps | Scheme::Rtmps | Scheme::Https | Scheme::Wss)
    }

    /// Whether it is `http` or `https`.
    pub fn is_http(self) -> bool {
        matches!(self, Scheme::Http | Scheme::Https)
    }

    /// Whether it is `rtsp` or `rtsps`.
    pub fn is_rtsp(self) -> bool {
        matches!(self, Scheme::Rtsp | Scheme::Rtsps)
    }

    /// As it stands in a URL, lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Rtsp => "rtsp",
            Scheme::Rtsps => "rtsps",
            Scheme::Rtmp => "rtmp",
            Scheme::Rtmps => "rtmps",
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The scheme is none of those in [`Scheme`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scheme is not known")]
pub struct UnknownScheme;

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Scheme, UnknownScheme> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "rtsp" | "rtspu" | "rtspt" => Scheme::Rtsp,
            "rtsps" => Scheme::Rtsps,
            "rtmp" => Scheme::Rtmp,
            "rtmps" => Scheme::Rtmps,
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "ws" => Scheme::Ws,
            "wss" => Scheme::Wss,
            _ => return Err(UnknownScheme),
        })
    }
}

/// Where a service of the host listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// The TCP port, 1..=65535; 0 where nothing was asked yet.
    pub port: u16,
    /// Whether it is spoken to inside TLS.
    pub tls: bool,
}

impl Endpoint {
    /// A port spoken to without TLS.
    pub const fn plain(port: u16) -> Endpoint {
        Endpoint { port, tls: false }
    }

    /// A port spoken to inside TLS.
    pub const fn tls(port: u16) -> Endpoint {
        Endpoint { port, tls: true }
    }

    /// Where a service over TCP is.
    pub fn of(service: &Service) -> Endpoint {
        Endpoint { port: service.port, tls: Scheme::of(service.protocol).is_some_and(Scheme::is_tls) }
    }

    /// The address of `target` here, by HTTP; the port is always written.
    pub fn http(self, target: &str) -> HostUrl {
        HostUrl::new(Scheme::http(self.tls), self.port, target)
    }

    /// The address of `target` here, by RTSP; the port is always written.
    pub fn rtsp(self, target: &str) -> HostUrl {
        HostUrl::new(Scheme::rtsp(self.tls), self.port, target)
    }
}

/// A place on the host under inspection: an address without its host and without user name and password. Paths and queries
/// are kept to the letter, since devices compare them so; some makers put the password there, which [`HostUrl::at`] shows
/// and [`HostUrl::shown`] and `Debug` do not.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HostUrl {
    /// The scheme.
    pub scheme: Scheme,
    /// The port, where one is written: requests repeat an address as the device wrote it.
    port: Option<u16>,
    /// Path and query.
    target: String,
}

impl HostUrl {
    /// The address of `target` (path and query) at a port, which is written out.
    pub fn new(scheme: Scheme, port: u16, target: &str) -> HostUrl {
        HostUrl { scheme, port: Some(port), target: sendable(scheme, target) }
    }

    /// Where it is spoken: the port written, else the scheme's own.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { port: self.port.unwrap_or(self.scheme.default_port()), tls: self.scheme.is_tls() }
    }

    /// Path and query, as they are sent. With HTTP they begin with `/` and hold no fragment; with others they may be empty,
    /// else they begin with what parts them from the host.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The whole address at `host`, a name or an IP address; IPv6 gets its brackets. To be sent: the path may hold a
    /// password.
    pub fn at(&self, host: impl fmt::Display) -> String {
        let (scheme, target, host) = (self.scheme, &self.target, host.to_string());
        let (open, close) = if host.parse::<Ipv6Addr>().is_ok() { ("[", "]") } else { ("", "") };
        match self.port {
            Some(port) => format!("{scheme}://{open}{host}{close}:{port}{target}"),
            None => format!("{scheme}://{open}{host}{close}{target}"),
        }
    }

    /// The whole address at `host` for people, logs and reports: cleaned, without passwords in path and query.
    pub fn shown(&self, host: impl fmt::Display) -> String {
        text::clean_to(&text::redact_url(&self.at(host)), MAX_TARGET)
    }

    /// The same with the port written out.
    pub fn with_port(mut self) -> HostUrl {
        self.port = Some(self.endpoint().port);
        self
    }

    /// The address of a stream that was announced inside HTTP (RTSP tunnelled, ONVIF Streaming §5.1.1.4), as it is without:
    /// at the usual port of RTSP.
    pub fn outside_tunnel(self) -> HostUrl {
        match self.scheme.is_http() {
            true => HostUrl { scheme: Scheme::rtsp(self.scheme.is_tls()), port: None, ..self },
            false => self,
        }
    }

    /// The same scheme and port with another path and query.
    pub fn with_target(&self, target: &str) -> HostUrl {
        HostUrl { target: sendable(self.scheme, target), ..self.clone() }
    }
}

impl fmt::Debug for HostUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown("*"))
    }
}

/// `url` with user name and password in it, percent-encoded, for those who asked to see them; unchanged when it is none.
pub fn with_login(url: &str, user: &str, password: &str) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}:{}@{rest}", encode(user), encode(password)),
        None => url.to_owned(),
    }
}

/// Path and query as they can stand in a request line: without control characters, blanks encoded, at most [`MAX_TARGET`]
/// bytes. HTTP knows no empty path and sends no fragment (RFC 9112 §3.2.1).
fn sendable(scheme: Scheme, target: &str) -> String {
    let target = match scheme.is_http() {
        true => target.split('#').next().unwrap_or_default(),
        false => target,
    };
    let mut out = String::with_capacity(target.len() + 1);
    if !target.starts_with('/') && (scheme.is_http() || !(target.is_empty() || target.starts_with(['?', '#']))) {
        out.push('/');
    }
    for c in target.chars().filter(|c| !c.is_control()) {
        let before = out.len();
        if c.is_whitespace() {
            let encoded =
                percent_encoding::utf8_percent_encode(c.encode_utf8(&mut [0; 4]), percent_encoding::NON_ALPHANUMERIC)
                    .to_string();
            out.push_str(&encoded);
        } else {
            out.push(c);
        }
        if out.len() > MAX_TARGET {
            out.truncate(before);
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests;
