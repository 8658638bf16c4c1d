//! RTSP URLs as devices write them: bases that are none, controls joined in two ways, passwords that do not belong
//! there. Pure. Paths and queries are kept to the letter, since devices compare them so.

use std::fmt;
use std::net::IpAddr;

use crate::model::stream::url_host;
use crate::text;

/// The longest URL taken from a device, in bytes.
const MAX_URL: usize = 2048;

/// An RTSP URL without user name and password. `Display` is what goes on the wire; [`RtspUrl::shown`] is for people,
/// since some makers put the password into the path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RtspUrl {
    tls: bool,
    /// Address or name; IPv6 without brackets.
    host: String,
    port: Option<u16>,
    /// Path and query, empty or with what parts it from the host.
    target: String,
}

impl RtspUrl {
    /// The URL of `target` (path and query, with leading `/`; or empty) on a host.
    pub fn new(ip: IpAddr, port: u16, tls: bool, target: &str) -> Self {
        let mut target = sendable(target);
        if !target.is_empty() && !target.starts_with(['/', '?']) {
            target.insert(0, '/');
        }
        RtspUrl { tls, host: ip.to_string(), port: Some(port), target }
    }

    /// Reads `rtsp://` and `rtsps://` URLs; user name and password are dropped. None for anything else, also for a host
    /// that is neither a name nor an address (`::ffff:192.0.2.1` without brackets).
    pub fn parse(url: &str) -> Option<RtspUrl> {
        let url = text::strip_userinfo(url.get(..url.len().min(MAX_URL))?.trim());
        let (scheme, rest) = url.split_once("://")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "rtsp" | "rtspu" | "rtspt" => false,
            "rtsps" => true,
            _ => return None,
        };
        let (authority, target) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => v6.split_once(']').filter(|(h, _)| h.parse::<IpAddr>().is_ok())?,
            None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
        };
        let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_host) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            Some("") => None,
            Some(digits) => Some(digits.parse().ok().filter(|&p| p > 0)?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(RtspUrl { tls, host: host.to_owned(), port, target: sendable(target) })
    }

    /// Whether it is `rtsps`.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// Address or name; IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, or the scheme's: 554, 322 for `rtsps`.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 322 } else { 554 })
    }

    /// Path and query; may be empty.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// For people, logs and reports: without passwords in path and query.
    pub fn shown(&self) -> String {
        text::clean_to(&text::redact_url(&self.to_string()), MAX_URL)
    }

    /// The base of a description's controls (RFC 2326 §C.1.1): `Content-Base`, else `Content-Location`, else the URL asked
    /// for. One that is no URL, or of another host than the one asked, is passed over.
    pub fn base(&self, content_base: Option<&str>, content_location: Option<&str>) -> RtspUrl {
        let usable = |text: &str| self.repaired(text).filter(|url| same_host(&url.host, &self.host));
        let found = content_base.and_then(usable).or_else(|| content_location.and_then(usable));
        found.map_or_else(|| self.clone(), |url| RtspUrl { host: self.host.clone(), ..url })
    }

    /// The URL of a control below this base: `*` or nothing is the base, an absolute one stays as it is but for its host,
    /// anything else is appended, also behind a query.
    pub fn control(&self, control: Option<&str>) -> RtspUrl {
        match control.map(str::trim) {
            None | Some("" | "*") => self.clone(),
            Some(absolute) if absolute.contains("://") => self.absolute(absolute),
            Some(relative) => {
                let slash = if self.target.ends_with('/') { "" } else { "/" };
                self.with_target(&format!("{}{slash}{relative}", self.target))
            }
        }
    }

    /// The same by the rules of RFC 3986 §5.2, where they lead elsewhere: worth one try when the other is not found.
    pub fn control_rfc3986(&self, control: Option<&str>) -> Option<RtspUrl> {
        let control = control.map(str::trim).filter(|c| !matches!(*c, "" | "*") && !c.contains("://"))?;
        let path = self.target.split(['?', '#']).next().unwrap_or_default();
        let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
        let resolved = match control.chars().next() {
            Some('/') => self.with_target(control),
            Some('?') => self.with_target(&format!("{path}{control}")),
            _ => self.with_target(&format!("{folder}{control}")),
        };
        (resolved != self.control(Some(control))).then_some(resolved)
    }

    /// Where a redirect leads. `name` is what the host is called besides its address.
    pub fn redirect(&self, location: &str, name: &str) -> Redirect {
        let location = location.trim();
        if location.is_empty() {
            return Redirect::Nowhere;
        }
        if !location.contains("://") {
            return Redirect::Here(
                self.control_rfc3986(Some(location)).unwrap_or_else(|| self.control(Some(location))),
            );
        }
        let Some(url) = RtspUrl::parse(location) else {
            return Redirect::Elsewhere(text::clean(&text::redact_url(location)));
        };
        if same_host(&url.host, &self.host) || url.host.eq_ignore_ascii_case(name) || is_itself(&url.host) {
            Redirect::Here(RtspUrl { host: self.host.clone(), ..url })
        } else {
            Redirect::Elsewhere(url.shown())
        }
    }

    fn with_target(&self, target: &str) -> RtspUrl {
        RtspUrl { target: sendable(target), ..self.clone() }
    }

    /// An absolute URL of whatever host, on this host.
    fn absolute(&self, url: &str) -> RtspUrl {
        if let Some(url) = self.repaired(url) {
            return RtspUrl { host: self.host.clone(), ..url };
        }
        // The host is nonsense; the path may still be right.
        let rest = text::strip_userinfo(url);
        let rest = rest.rsplit_once("://").map_or("", |(_, rest)| rest);
        self.with_target(rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or_default())
    }

    /// Reads a URL that may lack its scheme or have it twice, or be a path.
    fn repaired(&self, url: &str) -> Option<RtspUrl> {
        let mut url = url.trim().trim_matches(['"', '<', '>']);
        if url.is_empty() {
            return None;
        }
        if url.starts_with('/') {
            return Some(self.with_target(url));
        }
        // The innermost of several schemes, but not one inside a path or query.
        while let Some((_, rest)) = url.split_once("://")
            && rest.find("://").is_some_and(|at| !rest.get(..at).unwrap_or_default().contains(['/', '?', '@']))
        {
            url = rest;
        }
        if url.contains("://") { RtspUrl::parse(url) } else { RtspUrl::parse(&format!("rtsp://{url}")) }
    }
}

impl fmt::Display for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rtsps" } else { "rtsp" };
        match self.host.parse::<IpAddr>() {
            Ok(ip) => write!(f, "{scheme}://{}", url_host(ip))?,
            Err(_) => write!(f, "{scheme}://{}", self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.target)
    }
}

impl fmt::Debug for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// Where a redirect leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To another path, port or scheme of the same host.
    Here(RtspUrl),
    /// To another host or protocol; for people, cleaned.
    Elsewhere(String),
    /// It does not say.
    Nowhere,
}

fn same_host(a: &str, b: &str) -> bool {
    match (a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
        (Ok(a), Ok(b)) => a.to_canonical() == b.to_canonical(),
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Addresses by which a device can only mean itself.
fn is_itself(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() || ip.is_unspecified() => true,
        Ok(IpAddr::V4(v4)) => v4.is_link_local(),
        _ => host.eq_ignore_ascii_case("localhost"),
    }
}

/// Without control characters, blanks encoded: what can stand in a request line.
fn sendable(target: &str) -> String {
    let kept = target.chars().filter(|c| !c.is_control()).take(MAX_URL);
    kept.flat_map(|c| if c == ' ' { "%20".chars().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn url(text: &str) -> RtspUrl {
        RtspUrl::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    /// Header values and the media's control of a recorded description, read without any of our parsers.
    fn scan(answer: &[u8]) -> (Option<String>, Option<String>, Vec<Option<String>>) {
        let text = String::from_utf8_lossy(answer).replace("\r\n", "\n").replace('\r', "\n");
        let header = |name: &str| {
            let head = text.split("\n\n").next().unwrap_or_default();
            head.lines().find_map(|l| l.strip_prefix(name).map(|v| v.trim().to_owned()))
        };
        let mut controls = Vec::new();
        for line in text.lines() {
            if line.starts_with("m=") {
                controls.push(None);
            } else if let (Some(control), Some(last)) = (line.strip_prefix("a=control:"), controls.last_mut()) {
                *last = Some(control.trim_end_matches('\0').to_owned());
            }
        }
        (header("Content-Base:"), header("Content-Location:"), controls)
    }

    #[test]
    fn every_recorded_control_leads_where_expected() {
        let all: Value = serde_json::from_str(include_str!("../../../tests/data/expected.json")).unwrap();
        let mut checked = 0;
        for (path, want) in all["files"].as_object().unwrap() {
            let Some(asked) = want["request_url"].as_str() else { continue };
            let answer = std::fs::read(format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let (base, location, controls) = scan(&answer);
            let base = url(asked).base(base.as_deref(), location.as_deref());
            let control = controls.first().cloned().flatten();
            for key in ["control_url", "control_url_repaired", "control_url_joined"] {
                if let Some(wanted) = want[key].as_str() {
                    assert_eq!(base.control(control.as_deref()).to_string(), wanted, "{path}");
                    checked += 1;
                }
            }
            if let Some(wanted) = want["control_url_rfc3986"].as_str() {
                assert_eq!(base.control_rfc3986(control.as_deref()).unwrap().to_string(), wanted, "{path}");
            }
            if let Some(secret) = want["must_not_appear_in_output"].as_str() {
                assert!(!format!("{base:?} {base} {:?}", base.control(control.as_deref())).contains(secret), "{path}");
            }
        }
        assert!(checked >= 9, "{checked}");
    }

    /// Verbatim captures. Hosts other than the one asked are replaced by it, which the captures' notes do not do.
    #[test]
    fn captures_lead_where_expected() {
        let Ok(folder) = std::env::var("CAMSCAN_CAPTURES") else {
            println!("CAMSCAN_CAPTURES is not set: skipped");
            return;
        };
        let all: Value = serde_json::from_slice(&std::fs::read(format!("{folder}/expected.json")).unwrap()).unwrap();
        let mut checked = 0;
        for (path, want) in all["files"].as_object().unwrap() {
            let Some(asked) = want["request_url_assumed"].as_str().filter(|_| path.starts_with("rtsp/describe")) else {
                continue;
            };
            let base = url(asked).base(want["content_base"].as_str(), None);
            let asked = url(asked);
            for media in want["medias"].as_array().unwrap() {
                let control = media["control"].as_str();
                let Some(wanted) = media["control_url"].as_str().and_then(RtspUrl::parse) else { continue };
                let found = base.control(control);
                assert_eq!((found.host(), found.target()), (asked.host(), wanted.target()), "{path}");
                if wanted.host() == asked.host() {
                    assert_eq!(found, wanted, "{path}");
                }
                if let Some(second) = media["control_url_rfc3986"].as_str().and_then(RtspUrl::parse) {
                    assert_eq!(base.control_rfc3986(control).map(|u| u.target), Some(second.target), "{path}");
                }
                checked += 1;
            }
        }
        assert!(checked > 20, "{checked}");
    }

    #[test]
    fn bases_are_repaired_or_passed_over() {
        let asked = url("rtsp://192.0.2.10:8554/a?b=c");
        for (sent, want) in [
            ("192.0.2.10:8554/a/", "rtsp://192.0.2.10:8554/a/"),
            ("rtsp://rtsp://192.0.2.10/a/", "rtsp://192.0.2.10/a/"),
            ("/x/", "rtsp://192.0.2.10:8554/x/"),
            ("rtsp://[::ffff:192.0.2.10]/y", "rtsp://192.0.2.10/y"),
            ("rtsp://::ffff:192.0.2.10/y", "rtsp://192.0.2.10:8554/a?b=c"),
            ("rtsp://camera.lan/y", "rtsp://192.0.2.10:8554/a?b=c"),
            ("rtsp://192.0.2.10:99999/y", "rtsp://192.0.2.10:8554/a?b=c"),
            ("", "rtsp://192.0.2.10:8554/a?b=c"),
        ] {
            assert_eq!(asked.base(Some(sent), None).to_string(), want, "{sent}");
        }
        assert_eq!(asked.control(Some("rtsp://*****/video=1")).to_string(), "rtsp://192.0.2.10:8554/video=1");
        assert_eq!(asked.control(Some("rtsp://198.51.100.9:5/v?x")).to_string(), "rtsp://192.0.2.10:5/v?x");
        assert_eq!(asked.control(Some("a b\r\nX: y")).to_string(), "rtsp://192.0.2.10:8554/a?b=c/a%20bX:%20y");
    }

    #[test]
    fn redirects_stay_on_the_host() {
        let asked = url("rtsp://192.0.2.10:554/stream1");
        let to = |location: &str| match asked.redirect(location, "cam.lan") {
            Redirect::Here(url) => url.to_string(),
            Redirect::Elsewhere(shown) => format!("else {shown}"),
            Redirect::Nowhere => "nowhere".to_owned(),
        };
        assert_eq!(to("rtsp://192.0.2.10:8554/live/ch0"), "rtsp://192.0.2.10:8554/live/ch0");
        assert_eq!(to("rtsps://cam.lan/live"), "rtsps://192.0.2.10/live");
        assert_eq!(to("rtsp://127.0.0.1:554/x"), "rtsp://192.0.2.10:554/x");
        assert_eq!(to("/other"), "rtsp://192.0.2.10:554/other");
        assert_eq!(to("stream2"), "rtsp://192.0.2.10:554/stream2");
        assert_eq!(to("rtsp://u:p@198.51.100.1/x"), "else rtsp://198.51.100.1/x");
        assert_eq!(to("http://192.0.2.10/"), "else http://192.0.2.10/");
        assert_eq!(to("  "), "nowhere");
    }

    #[test]
    fn passwords_in_paths_go_on_the_wire_and_nowhere_else() {
        let xiongmai = url("rtsp://a:b@192.0.2.10/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp?real_stream");
        assert!(xiongmai.to_string().contains("tlJwpbo6") && !xiongmai.to_string().contains("a:b"));
        assert!(!format!("{xiongmai:?}").contains("tlJwpbo6"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(base in any::<String>(), control in any::<String>()) {
            let asked = url("rtsp://[2001:db8::1]:554/a");
            let based = asked.base(Some(&base), Some(&control));
            prop_assert_eq!(based.host(), asked.host());
            let joined = based.control(Some(&control));
            prop_assert_eq!(joined.host(), asked.host());
            prop_assert!(!joined.to_string().contains(['\r', '\n', ' ']));
            let _ = (based.control_rfc3986(Some(&control)), asked.redirect(&control, "x"), RtspUrl::parse(&base));
        }

        #[test]
        fn what_is_printed_is_read_back(path in "(/[!-\"$->A-~]{0,30})?", port in 1u16.., tls in any::<bool>()) {
            let made = RtspUrl::new("192.0.2.10".parse().unwrap(), port, tls, &path);
            prop_assert_eq!(RtspUrl::parse(&made.to_string()), Some(made));
        }
    }
}
