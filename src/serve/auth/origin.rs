//! Whether a request comes from our own page: against names that were made to point here (DNS rebinding), and against pages of
//! others that send requests in a user's name (CSRF). Pure.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::model::listen::PublicUrl;
use crate::serve::problem::Problem;

/// The host a request is for, as it stands in its Host header.
///
/// # Errors
/// When it has none, or several, or one that nobody reaches this program by.
pub fn host<'h>(headers: &'h HeaderMap, site: &PublicUrl, own_names: &[String]) -> Result<&'h str, HostRefused> {
    let mut all = headers.get_all(header::HOST).iter();
    let host = all.next().and_then(|value| value.to_str().ok()).ok_or(HostRefused::Missing)?;
    let authority = host.parse::<Authority>().map_err(|_| HostRefused::Missing)?;
    if all.next().is_some() || host.contains('@') {
        return Err(HostRefused::Missing);
    }
    let is_public = site.host().is_some_and(|own| same_host(own, host));
    if is_public || is_own(authority.host(), own_names) { Ok(host) } else { Err(HostRefused::Foreign) }
}

/// Why a request is not for this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRefused {
    /// It names no host.
    Missing,
    /// It names one that is not ours.
    Foreign,
}

/// An address is always ours: a page is bound to a name of its own by rebinding, never to an address that is not its own.
fn is_own(host: &str, own_names: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    bare.parse::<IpAddr>().is_ok() || host == "localhost" || host.ends_with(".localhost") || own_names.contains(&host)
}

/// Names of this machine that no name server elsewhere gives: its host name, alone and in the local domain of mDNS.
pub fn own_names(hostname: &str) -> Vec<String> {
    let name = hostname.trim().split('.').next().unwrap_or_default().to_ascii_lowercase();
    match name.is_empty() {
        true => Vec::new(),
        false => vec![format!("{name}.local"), name],
    }
}

/// Whether two hosts with their ports are the same; 80 and 443 may be left out.
fn same_host(one: &str, other: &str) -> bool {
    let plain = |host: &str| {
        let host = host.to_ascii_lowercase();
        host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(&host).to_owned()
    };
    plain(one) == plain(other)
}

/// Whether a request that changes something was sent by our own page, or by no page at all (Fetch Metadata; RFC 6454). A
/// request with a cookie must say so: every browser does.
pub fn is_same_origin(method: &Method, headers: &HeaderMap, host: &str, site: &PublicUrl, has_cookie: bool) -> bool {
    if method.is_safe() {
        return true;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text("origin")) {
        (Some("same-origin" | "none"), _) => true,
        (Some(_), _) => false,
        (None, Some(origin)) => is_own_origin(origin, host, site),
        (None, None) => !has_cookie || text("referer").is_some_and(|referer| is_own_origin(referer, host, site)),
    }
}

/// Whether a page of this origin is ours. Also asked of WebSockets, which browsers open from every page.
pub fn is_own_origin(origin: &str, host: &str, site: &PublicUrl) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_public = site.host().is_some_and(|own| same_host(own, authority));
    matches!(scheme, "http" | "https") && (is_public || same_host(authority, host))
}

/// Refuses pages of others: browsers open a WebSocket from every page, with the user's cookie.
///
/// # Errors
/// Where the request names the page of another site.
pub fn is_own_page(headers: &HeaderMap, site: &PublicUrl) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).unwrap_or_default();
    match text(header::ORIGIN).is_none_or(|origin| is_own_origin(origin, host, site)) {
        true => Ok(()),
        false => Err(Problem::new(StatusCode::FORBIDDEN, "origin", "Not from this page")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_name_that_points_here_is_not_ours_for_that() {
        let site = PublicUrl::parse("https://cameras.example.org/").unwrap();
        let names = own_names("Box.lan\n");
        for (host_header, ours) in [
            ("127.0.0.1:8000", true),
            ("192.0.2.7", true),
            ("[::1]:8000", true),
            ("localhost:8000", true),
            ("LOCALHOST.", true),
            ("cameras.example.org", true),
            ("cameras.example.org:443", true),
            ("box:8000", true),
            ("box.local", true),
            ("box.evil.example", false),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:8000", false),
            ("user@127.0.0.1", false),
            ("127.0.0.1/evil", false),
            ("", false),
        ] {
            assert_eq!(host(&headers(&[("host", host_header)]), &site, &names).is_ok(), ours, "{host_header}");
        }
        assert_eq!(host(&headers(&[]), &site, &names), Err(HostRefused::Missing));
        let two = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert_eq!(host(&two, &site, &names), Err(HostRefused::Missing));
    }

    #[test]
    fn what_another_page_sends_is_told_from_what_ours_does() {
        let site = PublicUrl::parse("https://cameras.example.org/x").unwrap();
        for (all, cookie, ours) in [
            (vec![("sec-fetch-site", "same-origin")], true, true),
            (vec![("sec-fetch-site", "none")], true, true),
            (vec![("sec-fetch-site", "same-site")], true, false),
            (vec![("sec-fetch-site", "cross-site")], false, false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8000")], true, false),
            (vec![("origin", "http://localhost:8000")], true, true),
            (vec![("origin", "https://cameras.example.org")], true, true),
            (vec![("origin", "http://localhost:8001")], true, false),
            (vec![("origin", "null")], true, false),
            (vec![("origin", "https://evil.example")], false, false),
            (vec![("origin", "https://localhost:8000.evil.example")], false, false),
            (vec![("origin", "file://localhost:8000")], true, false),
            (vec![("referer", "http://localhost:8000/devices?x")], true, true),
            (vec![("referer", "http://evil.example/localhost:8000")], true, false),
            (vec![], true, false),
            (vec![], false, true),
        ] {
            let post = is_same_origin(&Method::POST, &headers(&all), "localhost:8000", &site, cookie);
            assert_eq!(post, ours, "{all:?}");
            assert!(is_same_origin(&Method::GET, &headers(&all), "localhost:8000", &site, cookie));
        }
    }
}
