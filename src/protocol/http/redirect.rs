//! Where an answer sends its reader, kept on the host under inspection. Pure.

use std::borrow::Cow;
use std::net::IpAddr;

use url::{Host, Url};

use super::client::Response;
use super::page;
use crate::text;

/// The next place to ask, always on the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Port.
    pub port: u16,
    /// Over TLS.
    pub tls: bool,
    /// Path and query.
    pub target: String,
    /// What was odd about it.
    pub note: Option<String>,
}

/// Where `response` sends its reader: the `Location` of a redirect, the refresh of a page, or the one address a page
/// of nothing but script jumps to.
pub fn location(response: &Response) -> Option<String> {
    match response.status {
        301 | 302 | 303 | 307 | 308 => response.header("Location").map(Cow::into_owned),
        200 if !response.body.is_empty() => {
            let html = page::decode(&response.body, response.header("Content-Type").as_deref());
            page::refresh(&html).or_else(|| page::script_jump(&html))
        }
        _ => None,
    }
}

/// `location`, as read in `response`, resolved to a place on the host. Cameras name the address they were made with,
/// an inner one behind NAT or none; port and path hold all the same.
///
/// # Errors
/// A note when it leads to another host or another protocol.
pub fn resolve(location: &str, response: &Response, ip: IpAddr, name: &str) -> Result<Hop, String> {
    let location = location.trim();
    let scheme = if response.tls { "https" } else { "http" };
    let shown = text::clean(&text::redact_url(location));
    // `http://:80/x` and `http:///x` name no host at all.
    let named = location.replacen("://:", "://host.invalid:", 1).replacen(":///", "://host.invalid/", 1);
    let url = Url::parse(&format!("{scheme}://host.invalid:{}{}", response.port, response.target))
        .and_then(|base| base.join(&named))
        .map_err(|_| format!("redirects to {shown}, which is no address"))?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return Err(format!("redirects to {shown}, which is not HTTP")),
    };
    let note = match url.host() {
        Some(Host::Domain(domain)) if domain == "host.invalid" || domain.eq_ignore_ascii_case(name) => None,
        Some(Host::Ipv4(v4)) if ip == v4 => None,
        Some(Host::Ipv6(v6)) if ip == v6 => None,
        Some(Host::Domain(domain)) if !is_local_name(domain) => {
            return Err(format!("redirects to another host, {shown}; not followed"));
        }
        _ => Some(format!("redirects to {shown}; its port and path were asked at this address instead")),
    };
    let port = url.port_or_known_default().unwrap_or(if tls { 443 } else { 80 });
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Ok(Hop { port, tls, target, note })
}

/// Whether a name can only be meant for a device of the local network.
fn is_local_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.contains('.')
        || [".local", ".lan", ".home", ".internal", ".localdomain", ".home.arpa", ".invalid"]
            .iter()
            .any(|s| name.ends_with(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(location: &str) -> Result<(u16, bool, String, bool), String> {
        let from = Response { port: 8080, target: "/doc/index.asp?x=1".into(), ..Response::default() };
        let hop = resolve(location, &from, "192.0.2.7".parse().unwrap(), "cam.example.org")?;
        Ok((hop.port, hop.tls, hop.target, hop.note.is_some()))
    }

    #[test]
    fn stays_on_the_host() {
        for (location, port, tls, target, noted) in [
            ("/login.asp", 8080, false, "/login.asp", false),
            ("login.asp?a=b#top", 8080, false, "/doc/login.asp?a=b", false),
            ("https://192.0.2.7/", 443, true, "/", false),
            ("https://cam.example.org:8443/x", 8443, true, "/x", false),
            ("//192.0.2.7:81/x?", 81, false, "/x?", false),
            ("http://192.168.0.64/index.asp", 80, false, "/index.asp", true),
            ("http://admin:pw@10.0.0.50:88/", 88, false, "/", true),
            ("http://ipcamera/", 80, false, "/", true),
            ("http://:80/a", 80, false, "/a", false),
            ("http:///a", 80, false, "/a", false),
        ] {
            assert_eq!(at(location), Ok((port, tls, target.to_owned(), noted)), "{location}");
        }
        for off in ["http://www.vendor.com/", "javascript:alert(1)", "ftp://192.0.2.7/", "http://["] {
            assert!(at(off).is_err(), "{off}");
        }
    }
}
