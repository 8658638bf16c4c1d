//! The address of an RTSP request: a place on the device asked, and where descriptions and redirects lead from it. Pure.

use std::fmt;
use std::net::IpAddr;

use crate::text;
use crate::wire::url::{AnnouncedUrl, Endpoint, HostUrl};

/// An RTSP URL on a device. `Display` is what goes on the wire; [`RtspUrl::shown`] is for people, since some makers put the
/// password into the path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RtspUrl {
    ip: IpAddr,
    place: HostUrl,
}

impl RtspUrl {
    /// The URL of `target` (path and query, with leading `/`; or empty) on a host.
    pub fn new(ip: IpAddr, endpoint: Endpoint, target: &str) -> Self {
        RtspUrl { ip, place: endpoint.rtsp(target) }
    }

    /// The URL of a place on a host.
    pub fn at(ip: IpAddr, place: HostUrl) -> Self {
        RtspUrl { ip, place }
    }

    /// The port, and whether it is spoken to inside TLS.
    pub fn endpoint(&self) -> Endpoint {
        self.place.endpoint()
    }

    /// Path and query; may be empty.
    pub fn target(&self) -> &str {
        self.place.target()
    }

    /// For people, logs and reports: without passwords in path and query.
    pub fn shown(&self) -> String {
        self.place.shown(self.ip)
    }

    /// The base of a description's controls (RFC 2326 §C.1.1): `Content-Base`, else `Content-Location`, else the URL asked
    /// for. One that is no URL, or of another host than the one asked, is passed over.
    pub fn base(&self, content_base: Option<&str>, content_location: Option<&str>) -> RtspUrl {
        let usable = |text: &str| {
            if text.trim().starts_with('/') {
                return Some(self.place.with_target(text.trim()));
            }
            let announced = AnnouncedUrl::read_lenient(text, self.place.scheme)?;
            let is_sound = announced.fault.is_none() && announced.url.scheme.is_rtsp() && announced.ip().is_some();
            (is_sound && announced.is_on(self.ip, "")).then_some(announced.url)
        };
        let found = content_base.and_then(usable).or_else(|| content_location.and_then(usable));
        found.map_or_else(|| self.clone(), |place| RtspUrl { ip: self.ip, place })
    }

    /// The URL of a control below this base, as players join it.
    pub fn control(&self, control: Option<&str>) -> RtspUrl {
        RtspUrl { ip: self.ip, place: self.place.join_control(control) }
    }

    /// The same by the rules of RFC 3986 §5.2, where they lead elsewhere.
    pub fn control_rfc3986(&self, control: Option<&str>) -> Option<RtspUrl> {
        Some(RtspUrl { ip: self.ip, place: self.place.join_control_rfc3986(control)? })
    }

    /// Where a redirect leads. `name` is what the host is called besides its address.
    pub fn redirect(&self, location: &str, name: &str) -> Redirect {
        let location = location.trim();
        if location.is_empty() {
            return Redirect::Nowhere;
        }
        if !location.contains("://") {
            let here = self.control_rfc3986(Some(location)).unwrap_or_else(|| self.control(Some(location)));
            return Redirect::Here(here);
        }
        match AnnouncedUrl::read_rtsp(location) {
            None => Redirect::Elsewhere(text::clean(&text::redact_url(location))),
            Some(announced) if announced.is_on(self.ip, name) || announced.is_on_itself() => {
                Redirect::Here(RtspUrl { ip: self.ip, place: announced.url })
            }
            Some(announced) => Redirect::Elsewhere(announced.shown()),
        }
    }
}

impl fmt::Display for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place.at(self.ip))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn url(text: &str) -> RtspUrl {
        let announced = AnnouncedUrl::read_rtsp(text).unwrap_or_else(|| panic!("{text}"));
        RtspUrl::at(announced.ip().unwrap(), announced.url)
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

    /// A capture's notes with the name of the host that was asked replaced by an address: cameras are asked by address.
    fn by_address(notes: &Value) -> Value {
        let host = notes["request_url_assumed"].as_str().and_then(|url| url.split('/').nth(2)).unwrap_or_default();
        if host.is_empty() || AnnouncedUrl::read_rtsp(&format!("rtsp://{host}/")).is_some_and(|url| url.ip().is_some())
        {
            return notes.clone();
        }
        serde_json::from_str(&notes.to_string().replace(&format!("//{host}"), "//192.0.2.10")).unwrap()
    }

    /// Verbatim captures. Hosts other than the one asked are replaced by it, which the captures' notes do not do.
    #[test]
    #[ignore = "needs the captures CAMSCAN_CAPTURES names"]
    fn captures_lead_where_expected() {
        let folder = crate::testkit::captures::folder();
        let all: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let mut checked = 0;
        for (path, want) in all["files"].as_object().unwrap() {
            let want = by_address(want);
            let Some(asked) = want["request_url_assumed"].as_str().filter(|_| path.starts_with("rtsp/describe")) else {
                continue;
            };
            let base = url(asked).base(want["content_base"].as_str(), None);
            let asked = url(asked);
            for media in want["medias"].as_array().unwrap() {
                let control = media["control"].as_str();
                let Some(wanted) = media["control_url"].as_str().and_then(AnnouncedUrl::read_rtsp) else { continue };
                let found = base.control(control);
                assert_eq!((found.ip, found.target()), (asked.ip, wanted.url.target()), "{path}");
                if wanted.ip() == Some(asked.ip) {
                    assert_eq!(found.place, wanted.url, "{path}");
                }
                if let Some(second) = media["control_url_rfc3986"].as_str().and_then(AnnouncedUrl::read_rtsp) {
                    assert_eq!(
                        base.control_rfc3986(control).map(|u| u.target().to_owned()),
                        Some(second.url.target().to_owned()),
                        "{path}"
                    );
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
            prop_assert_eq!(based.ip, asked.ip);
            let joined = based.control(Some(&control));
            prop_assert_eq!(joined.ip, asked.ip);
            prop_assert!(!joined.to_string().contains(['\r', '\n', ' ']));
            let _ = (based.control_rfc3986(Some(&control)), asked.redirect(&control, "x"));
        }
    }
}
