//! The lenient reader of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{HostUrl, MAX_TARGET, Scheme, sendable};
use crate::text;

/// The longest address that is read, in bytes: the longest path, and a scheme, a login and a host.
const MAX_URL: usize = MAX_TARGET + 1024;

/// The host an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// None: `http:///x`, `http://:80/x`, a path alone.
    Unnamed,
    /// An IP address; an IPv6 zone is left out.
    Address(IpAddr),
    /// Anything else, cleaned, as written.
    Name(String),
}

/// What is wrong with an address that was read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The host is neither a name nor an address.
    Host,
    /// An IPv6 address without brackets, so that host and port cannot be told apart for sure.
    Brackets,
    /// The port is none: 0, beyond 65535, no number. The address stands without a port.
    Port,
}

/// An address as a device announces it: what is believed of it, and the host it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedUrl {
    /// The host it names.
    pub host: Host,
    /// The place it means on the host that answered.
    pub url: HostUrl,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

impl AnnouncedUrl {
    /// Reads an address. User name and password are dropped. A path alone, or an address that begins with an IP address,
    /// is one of `default_scheme`. None for what is no address, for other schemes, and beyond 9 KiB.
    ///
    /// Devices break addresses over lines and indent them (pretty printed XML), quote them, write the scheme twice
    /// (`rtsp://rtsp://`, go2rtc issue 208), leave the host out (`http://:80/`), write IPv6 without brackets
    /// (`rtsp://::ffff:192.0.2.10/`, AlexxIT/WebRTC issue 395), with a zone, or a port that is none.
    pub fn read_lenient(text: &str, default_scheme: Scheme) -> Option<AnnouncedUrl> {
        let text = mended(text)?;
        if text.starts_with('/') {
            return AnnouncedUrl::of_parts(Host::Unnamed, default_scheme, None, &text, None);
        }
        let text = without_outer_schemes(&text);
        let (scheme, is_named) = match text.split_once("://") {
            Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => (scheme.parse().ok()?, true),
            _ => (default_scheme, false),
        };
        let url = if is_named { text.to_owned() } else { format!("{scheme}://{text}") };
        let url = text::strip_userinfo(&url);
        let rest = url.split_once("://")?.1;
        let (authority, target) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
        let (host, port, fault) = read_authority(authority);
        if !is_named && !matches!(host, Host::Address(_)) {
            return None;
        }
        AnnouncedUrl::of_parts(host, scheme, port, target, fault)
    }

    fn of_parts(
        host: Host,
        scheme: Scheme,
        port: Option<u16>,
        target: &str,
        fault: Option<Fault>,
    ) -> Option<AnnouncedUrl> {
        (target.len() <= MAX_TARGET).then(|| AnnouncedUrl {
            host,
            url: HostUrl { scheme, port, target: sendable(scheme, target) },
            fault,
        })
    }

    /// An address of which only the place on the host is known.
    pub fn unnamed(url: HostUrl) -> AnnouncedUrl {
        AnnouncedUrl { host: Host::Unnamed, url, fault: None }
    }

    /// Reads an address of HTTP whose host can be one and whose port is one.
    pub fn read_http(text: &str) -> Option<AnnouncedUrl> {
        AnnouncedUrl::read_lenient(text, Scheme::Http)?.plausible().filter(|announced| announced.url.scheme.is_http())
    }

    /// Reads an address of RTSP whose host can be one and whose port is one.
    pub fn read_rtsp(text: &str) -> Option<AnnouncedUrl> {
        AnnouncedUrl::read_lenient(text, Scheme::Rtsp)?.plausible().filter(|announced| announced.url.scheme.is_rtsp())
    }

    /// The address, if its host can be one and its port is one.
    pub fn plausible(self) -> Option<AnnouncedUrl> {
        matches!(self.fault, None | Some(Fault::Brackets)).then_some(self)
    }

    /// The address it names its host by, where it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host {
            Host::Address(ip) => Some(ip),
            Host::Unnamed | Host::Name(_) => None,
        }
    }

    /// Whether it names this host, or none. An IPv4 address within an IPv6 one is the same.
    pub fn is_on(&self, ip: IpAddr, name: &str) -> bool {
        match &self.host {
            Host::Unnamed => true,
            Host::Address(named) => named.to_canonical() == ip.to_canonical() || read_address(name) == Some(*named),
            Host::Name(named) => named.eq_ignore_ascii_case(name),
        }
    }

    /// Whether it names its host by an address by which a device can only mean itself: loopback, the unspecified address,
    /// an IPv4 address of the link.
    pub fn is_on_itself(&self) -> bool {
        match &self.host {
            Host::Address(ip) if ip.is_loopback() || ip.is_unspecified() => true,
            Host::Address(IpAddr::V4(v4)) => v4.is_link_local(),
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
            Host::Unnamed | Host::Address(_) => false,
        }
    }

    /// The whole address for people: cleaned, without passwords.
    pub fn shown(&self) -> String {
        self.url.shown(self.host_shown())
    }

    /// The host it names, for people.
    pub fn host_shown(&self) -> String {
        match &self.host {
            Host::Unnamed => String::new(),
            Host::Address(ip) => ip.to_string(),
            Host::Name(name) => name.clone(),
        }
    }
}

/// Without control characters, quotes around, and blanks at both ends; none when it is too long.
pub(super) fn mended(text: &str) -> Option<String> {
    if text.len() > MAX_URL {
        return None;
    }
    let text = text::without_controls(text);
    let quoted = text.trim();
    let pairs = [('"', '"'), ('\'', '\''), ('<', '>')];
    let unquoted = pairs.iter().find_map(|(open, close)| quoted.strip_prefix(*open)?.strip_suffix(*close));
    Some(unquoted.unwrap_or(quoted).trim().to_owned())
}

/// From the innermost of several schemes on; one inside a path, a query or a login is none.
fn without_outer_schemes(mut url: &str) -> &str {
    while let Some((_, rest)) = url.split_once("://")
        && let Some((inner, _)) = rest.split_once("://")
        && inner.parse::<Scheme>().is_ok()
    {
        url = rest;
    }
    url
}

/// Host, port, and what is wrong with them.
fn read_authority(authority: &str) -> (Host, Option<u16>, Option<Fault>) {
    let authority: String = authority.chars().filter(|c| !c.is_whitespace()).collect();
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').unwrap_or((bracketed, "?"));
        let (port, fault) = match after.strip_prefix(':') {
            Some(port) => read_port(port),
            None => (None, (!after.is_empty()).then_some(Fault::Host)),
        };
        let ip = read_address(host).filter(IpAddr::is_ipv6);
        return match ip {
            Some(ip) => (Host::Address(ip), port, fault),
            None => (named(host), port, Some(Fault::Host)),
        };
    }
    // Without its brackets an IPv6 address has no port, unless it is none with it.
    let bare = |text: &str| read_address(text).filter(IpAddr::is_ipv6);
    if let Some(ip) = bare(&authority) {
        return (Host::Address(ip), None, Some(Fault::Brackets));
    }
    let (host, port) = authority.rsplit_once(':').unwrap_or((&authority, ""));
    let (port, fault) = read_port(port);
    if let Some(ip) = bare(host) {
        return (Host::Address(ip), port, Some(fault.unwrap_or(Fault::Brackets)));
    }
    let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    match read_address(host) {
        Some(ip) => (Host::Address(ip), port, fault),
        None if host.chars().all(is_host) => (named(host), port, fault),
        None => (named(host), port, Some(Fault::Host)),
    }
}

fn named(host: &str) -> Host {
    let host = text::clean(host);
    if host.is_empty() { Host::Unnamed } else { Host::Name(host) }
}

/// The port behind a colon; an empty one is as good as none.
fn read_port(digits: &str) -> (Option<u16>, Option<Fault>) {
    let port = digits.parse().ok().filter(|&port| port > 0 && digits.bytes().all(|b| b.is_ascii_digit()));
    (port, (port.is_none() && !digits.is_empty()).then_some(Fault::Port))
}

/// An IP address without its zone; the numbers of an IPv4 one may be filled up with zeros, as old firmware does.
fn read_address(host: &str) -> Option<IpAddr> {
    let host = host.split('%').next().unwrap_or_default();
    let padded = || {
        let number = |part: &str| part.parse::<u8>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()));
        let mut parts = host.split('.').map(|part| (part.len() <= 3).then(|| number(part)).flatten());
        let mut next = || parts.next().flatten();
        let v4 = Ipv4Addr::new(next()?, next()?, next()?, next()?);
        parts.next().is_none().then_some(v4)
    };
    let v4 = host.parse::<Ipv4Addr>().ok().or_else(padded).map(IpAddr::V4);
    v4.or_else(|| host.parse::<Ipv6Addr>().ok().map(IpAddr::V6))
}
