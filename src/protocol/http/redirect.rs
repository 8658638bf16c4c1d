//! Where an answer sends its reader, kept on the host under inspection. Pure.

use std::borrow::Cow;
use std::net::IpAddr;

use super::message::Response;
use super::page;
use crate::text;
use crate::wire::url::{AnnouncedUrl, Fault, Host, HostUrl};

/// The next place to ask, always on the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Where, with its port.
    pub url: HostUrl,
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
    let shown = || text::clean(&text::redact_url(location.trim()));
    let announced = AnnouncedUrl::unnamed(response.host_url()).join_rfc3986(location).and_then(AnnouncedUrl::plausible);
    let announced = announced.ok_or_else(|| format!("redirects to {}, which is no address of HTTP", shown()))?;
    if !announced.url.scheme.is_http() {
        return Err(format!("redirects to {}, which is not HTTP", shown()));
    }
    let url =
        on_host(&announced, ip, name).ok_or_else(|| format!("redirects to another host, {}; not followed", shown()))?;
    let is_here = announced.is_on(ip, name);
    let note = || format!("redirects to {}; its port and path were asked at this address instead", shown());
    Ok(Hop { url, note: (!is_here).then(note) })
}

/// The place on the host that an announced address of HTTP means, with its port; none when it is clearly meant for another
/// host, by a name that is not of the local network.
pub fn on_host(announced: &AnnouncedUrl, ip: IpAddr, name: &str) -> Option<HostUrl> {
    let is_elsewhere = match &announced.host {
        Host::Name(named) => !is_local_name(named) && !announced.is_on(ip, name),
        Host::Unnamed | Host::Address(_) => false,
    };
    (announced.fault.is_none_or(|fault| fault == Fault::Brackets) && announced.url.scheme.is_http() && !is_elsewhere)
        .then(|| announced.url.clone().with_port())
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
    use crate::wire::url::Endpoint;

    fn at(location: &str) -> Result<(u16, bool, String, bool), String> {
        let from = Response { at: Endpoint::plain(8080), target: "/doc/index.asp?x=1".into(), ..Response::default() };
        let hop = resolve(location, &from, "192.0.2.7".parse().unwrap(), "cam.example.org")?;
        Ok((hop.url.endpoint().port, hop.url.scheme.is_tls(), hop.url.target().to_owned(), hop.note.is_some()))
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
