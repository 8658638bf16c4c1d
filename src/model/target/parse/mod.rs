//! Targets as they are written on a command line or in a file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use percent_encoding::percent_decode_str;

use super::TargetSpec;
use crate::model::Credential;
use crate::model::problem::Problem;
use crate::text::{clean, redact_url, strip_userinfo};

/// TCP ports that print whatever they are sent (JetDirect, "raw print"). Nothing is ever sent to them.
pub const RAW_PRINT_PORTS: std::ops::RangeInclusive<u16> = 9100..=9107;

/// The schemes of URLs that can be probed.
pub const URL_SCHEMES: [&str; 6] = ["rtsp", "rtsps", "rtmp", "rtmps", "http", "https"];

impl FromStr for TargetSpec {
    type Err = Problem;

    /// Reads a network, a range, an address or a host name; host bits of a network are cleared, names become lower
    /// case, a network or range of one address becomes that address.
    ///
    /// # Errors
    /// A sentence and mostly a hint when the text is none of these, or names no host.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Problem::new("the target is empty"));
        }
        if text.contains("://") {
            return Err(Problem::new(format!("`{}` is a URL, not a target of a scan", shown_url(text)))
                .hint("use `camscan probe URL` for one device or stream"));
        }
        if text.contains('*') {
            return Err(Problem::new(format!("`{}` contains a wildcard", clean(text)))
                .hint("write a network (192.168.1.0/24) or a range (192.168.1.1-254)"));
        }
        let spec = if text.contains('/') {
            network(text)?
        } else if let Some(rest) = text.strip_prefix('[') {
            bracketed(text, rest)?
        } else if let Some(range) = range(text) {
            range?
        } else if text.matches(':').count() > 1 {
            ipv6(text, text, None)?
        } else {
            host(text)?
        };
        refuse_unusable(&spec, text)?;
        Ok(spec)
    }
}

fn network(text: &str) -> Result<TargetSpec, Problem> {
    let wrong = || {
        Problem::new(format!("`{}` is not a network", clean(text)))
            .hint("write the address and the length of its prefix, such as 192.168.1.0/24")
    };
    Ok(match IpNetwork::from_str(text).map_err(|_| wrong())? {
        IpNetwork::V4(net) if net.prefix() == 32 => TargetSpec::Address(net.ip().into(), None),
        IpNetwork::V6(net) if net.prefix() == 128 => TargetSpec::Address(net.ip().into(), None),
        IpNetwork::V4(net) => {
            TargetSpec::Network(Ipv4Network::new(net.network(), net.prefix()).map_err(|_| wrong())?.into())
        }
        IpNetwork::V6(net) => {
            TargetSpec::Network(Ipv6Network::new(net.network(), net.prefix()).map_err(|_| wrong())?.into())
        }
    })
}

/// `[fe80::1%eth0]:554`; `rest` is what follows the first bracket.
fn bracketed(text: &str, rest: &str) -> Result<TargetSpec, Problem> {
    let Some((address, after)) = rest.split_once(']') else {
        return Err(Problem::new(format!("`{}` lacks the closing bracket", clean(text))));
    };
    let port = match after.strip_prefix(':') {
        Some(port) => Some(self::port(port)?),
        None if after.is_empty() => None,
        None => {
            return Err(Problem::new(format!("`{}` goes on after the address", clean(text)))
                .hint("a port follows the bracket and a colon: [2001:db8::1]:554"));
        }
    };
    ipv6(text, address, port)
}

fn ipv6(text: &str, address: &str, port: Option<u16>) -> Result<TargetSpec, Problem> {
    let (address, zone) = match address.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (address, None),
    };
    let ip = Ipv6Addr::from_str(address).map_err(|_| {
        Problem::new(format!("`{}` is not an IPv6 address", clean(text)))
            .hint("a port after an IPv6 address needs brackets around the address: [2001:db8::1]:554")
    })?;
    let Some(zone) = zone else {
        return Ok(TargetSpec::Address(IpAddr::V6(ip).to_canonical(), port));
    };
    // An interface's name is at most 15 bytes long (IFNAMSIZ of Linux) and holds no blank, slash or colon.
    let named = (1..=15).contains(&zone.len()) && zone.bytes().all(|b| b.is_ascii_graphic() && !b"/:%[]".contains(&b));
    if !named {
        return Err(Problem::new(format!("`{}` names no interface after `%`", clean(text)))
            .hint("write the interface's name: fe80::1%eth0"));
    }
    if !ip.is_unicast_link_local() {
        return Err(Problem::new(format!("`{}` has a zone, but {ip} is no link-local address", clean(text)))
            .hint("leave out `%` and what follows it"));
    }
    Ok(TargetSpec::LinkLocal(ip, zone.to_owned(), port))
}

/// A range, when the text before the first `-` is an IPv4 address; a host name may hold `-` too.
fn range(text: &str) -> Option<Result<TargetSpec, Problem>> {
    let (first, last) = text.split_once('-')?;
    let first = Ipv4Addr::from_str(first.trim()).ok()?;
    let last = last.trim();
    let [a, b, c, _] = first.octets();
    let end = match last.parse::<u8>() {
        Ok(octet) => Some(Ipv4Addr::new(a, b, c, octet)),
        Err(_) => Ipv4Addr::from_str(last).ok(),
    };
    Some(match end {
        None => Err(Problem::new(format!("`{}` is not a range: its end is not an address", clean(text)))
            .hint("write 192.168.1.10-20 or 192.168.1.10-192.168.2.20")),
        Some(end) if end < first => {
            Err(Problem::new(format!("`{}` ends before it begins", clean(text))).hint(format!("write {end}-{first}")))
        }
        Some(end) if end == first => Ok(TargetSpec::Address(first.into(), None)),
        Some(end) => Ok(TargetSpec::Range(first, end)),
    })
}

/// An IPv4 address or a host name, with or without a port.
fn host(text: &str) -> Result<TargetSpec, Problem> {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(self::port(port)?)),
        None => (text, None),
    };
    if let Ok(ip) = Ipv4Addr::from_str(name) {
        return Ok(TargetSpec::Address(ip.into(), port));
    }
    host_name(name).map(|name| TargetSpec::Name(name, port))
}

/// RFC 1123 §2.1: labels of letters, digits and inner hyphens, 1 to 63 long, 253 together. A name whose last label is
/// all digits would be an address and is refused.
fn host_name(text: &str) -> Result<String, Problem> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let labels = || name.split('.');
    if labels().all(|l| l.bytes().all(|b| b.is_ascii_digit() || b == b'-')) {
        return Err(Problem::new(format!("`{}` is not an IPv4 address", clean(text))).hint(
            "write an address (192.168.1.20), a network (192.168.1.0/24), a range (192.168.1.10-20) or a host name",
        ));
    }
    let wrong = |why: &str| {
        Problem::new(format!("`{}` is not a host name: {why}", clean(text)))
            .hint("names are made of letters, digits, dots and inner hyphens (RFC 1123)")
    };
    if name.len() > 253 {
        return Err(wrong("it is longer than 253 characters"));
    }
    for label in labels() {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        match label.as_bytes() {
            [] => return Err(wrong("a label is empty")),
            [b'-', ..] | [.., b'-'] => return Err(wrong("a label begins or ends with a hyphen")),
            bytes if bytes.len() > 63 => return Err(wrong("a label is longer than 63 characters")),
            bytes if !bytes.iter().all(|&b| inner(b)) => return Err(wrong("it holds a character names cannot have")),
            _ => {}
        }
    }
    if labels().next_back().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit())) {
        return Err(wrong("its last label is a number"));
    }
    Ok(name)
}

fn port(text: &str) -> Result<u16, Problem> {
    match text.parse::<u16>() {
        Ok(port) if RAW_PRINT_PORTS.contains(&port) => Err(Problem::new(format!(
            "port {port} is never contacted because printers print whatever they receive there"
        ))),
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(Problem::new(format!("`{}` is not a port", clean(text))).hint("ports are numbers from 1 to 65535")),
    }
}

/// Refuses addresses no host can have: unspecified, multicast, broadcast, reserved (240.0.0.0/4).
fn refuse_unusable(spec: &TargetSpec, text: &str) -> Result<(), Problem> {
    let unusable = match spec {
        TargetSpec::Network(IpNetwork::V6(net)) => net.ip().is_multicast(),
        TargetSpec::Address(IpAddr::V6(ip), _) => ip.is_multicast() || ip.is_unspecified(),
        _ => spec.ipv4_range().is_some_and(|(a, b)| b.octets()[0] >= 224 || (a.is_unspecified() && a == b)),
    };
    if unusable {
        return Err(Problem::new(format!("`{}` includes addresses no host can have", clean(text)))
            .hint("multicast, broadcast and reserved addresses (224.0.0.0 and up, ff00::/8) cannot be targets"));
    }
    Ok(())
}

fn shown_url(text: &str) -> String {
    clean(&redact_url(text))
}

impl fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetSpec::Network(net) => write!(f, "{net}"),
            TargetSpec::Range(first, last) => write!(f, "{first}-{last}"),
            TargetSpec::Address(IpAddr::V6(ip), Some(port)) => write!(f, "[{ip}]:{port}"),
            TargetSpec::Address(ip, Some(port)) => write!(f, "{ip}:{port}"),
            TargetSpec::Address(ip, None) => write!(f, "{ip}"),
            TargetSpec::LinkLocal(ip, zone, Some(port)) => write!(f, "[{ip}%{zone}]:{port}"),
            TargetSpec::LinkLocal(ip, zone, None) => write!(f, "{ip}%{zone}"),
            TargetSpec::Name(name, Some(port)) => write!(f, "{name}:{port}"),
            TargetSpec::Name(name, None) => f.write_str(name),
        }
    }
}

/// What `camscan probe` is asked to look at.
#[derive(Clone, PartialEq, Eq)]
pub enum ProbeTarget {
    /// A device: an address or a name, with an optional port; never a network or a range.
    Host(TargetSpec),
    /// A stream or page.
    Url {
        /// The URL to the letter, without user name and password.
        url: String,
        /// Its host and, where it is written, its port.
        host: TargetSpec,
        /// The login that was written in it.
        credential: Option<Credential>,
    },
}

impl ProbeTarget {
    /// The host to look at; never a network or a range.
    pub fn host(&self) -> &TargetSpec {
        match self {
            ProbeTarget::Host(host) | ProbeTarget::Url { host, .. } => host,
        }
    }
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeTarget::Host(host) => write!(f, "{host}"),
            ProbeTarget::Url { url, .. } => f.write_str(&shown_url(url)),
        }
    }
}

impl fmt::Debug for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProbeTarget({self})")
    }
}

impl FromStr for ProbeTarget {
    type Err = Problem;

    /// Reads a URL, an address or a name. A login in the URL is taken out of it; percent escapes in it are resolved.
    ///
    /// # Errors
    /// A sentence without the login when the text is none of these.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let Some((scheme, after)) = text.split_once("://") else {
            return match text.parse()? {
                TargetSpec::Network(_) | TargetSpec::Range(..) => {
                    Err(Problem::new(format!("`{}` is more than one device", clean(text)))
                        .hint("use `camscan scan` for several devices"))
                }
                host => Ok(ProbeTarget::Host(host)),
            };
        };
        if !URL_SCHEMES.iter().any(|s| scheme.eq_ignore_ascii_case(s)) {
            return Err(Problem::new(format!("`{}` has a scheme that cannot be probed", shown_url(text)))
                .hint(format!("schemes are {}", URL_SCHEMES.join(", "))));
        }
        let url = strip_userinfo(text);
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.parse()? {
            TargetSpec::Network(_) | TargetSpec::Range(..) => {
                return Err(Problem::new(format!("`{}` names more than one host", shown_url(text))));
            }
            host => host,
        };
        let login = after.strip_suffix(rest).and_then(|login| login.strip_suffix('@'));
        Ok(ProbeTarget::Url { host, credential: login.map(login_of), url })
    }
}

fn login_of(userinfo: &str) -> Credential {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let plain = |text: &str| percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Into::into);
    Credential::new(plain(user), plain(password))
}

#[cfg(test)]
mod tests;
