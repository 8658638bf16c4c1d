//! Servers whose streams have names: where a name is served, and which names people give.

use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde::Deserialize;

use super::table::TABLE;
use super::{Candidate, KEPT};

/// What is kept of a name as it is: it may have parts.
const KEPT_IN_NAME: &AsciiSet = &KEPT.remove(b'/');

/// A server whose streams have names of their own, which its API lists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub server: String,
    /// Where it lists the names.
    pub list: Place,
    /// RTSP.
    pub rtsp: Option<Place>,
    /// RTMP.
    pub rtmp: Option<Place>,
    /// HLS.
    pub hls: Option<Place>,
    /// WebRTC by WHEP.
    pub whep: Option<Place>,
    /// MJPEG over HTTP.
    pub mjpeg: Option<Place>,
    /// A still picture.
    pub snapshot: Option<Place>,
}

/// A path on a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub(super) path: String,
    /// The port it is usually at.
    pub port: u16,
}

impl Place {
    /// The path for a stream's name, percent-encoded.
    pub fn path(&self, name: &str) -> String {
        fill(&self.path, name)
    }
}

/// Where servers put a stream of a name, by what carries it, and the names people give.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfName {
    /// The names, the commonest first.
    common: Vec<String>,
    rtsp: Vec<String>,
    rtmp: Vec<String>,
    hls: Vec<String>,
    dash: Vec<String>,
    whep: Vec<String>,
}

/// What carries a stream that is looked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the protocols' own")]
pub enum Carrier {
    Rtsp,
    Rtmp,
    Hls,
    Dash,
    Whep,
}

impl Carrier {
    const ALL: [Carrier; 5] = [Carrier::Rtsp, Carrier::Rtmp, Carrier::Hls, Carrier::Dash, Carrier::Whep];

    fn templates(self) -> &'static [String] {
        let of_name = &TABLE.of_name;
        match self {
            Carrier::Rtsp => &of_name.rtsp,
            Carrier::Rtmp => &of_name.rtmp,
            Carrier::Hls => &of_name.hls,
            Carrier::Dash => &of_name.dash,
            Carrier::Whep => &of_name.whep,
        }
    }

    /// Where a server that is known has its streams; none where it has none by this.
    fn of_server(self, server: &Named) -> Option<&Place> {
        match self {
            Carrier::Rtsp => server.rtsp.as_ref(),
            Carrier::Rtmp => server.rtmp.as_ref(),
            Carrier::Hls => server.hls.as_ref(),
            Carrier::Dash => None,
            Carrier::Whep => server.whep.as_ref(),
        }
    }
}

/// The paths where a server may have streams of these names, name by name, none twice. Of a server that is known and says
/// itself where they are, only those.
pub fn of_names(carrier: Carrier, names: &[String], server: Option<&Named>) -> Vec<Candidate> {
    let own = server.and_then(|server| carrier.of_server(server)).map(|place| std::slice::from_ref(&place.path));
    let mut all: Vec<Candidate> = Vec::new();
    for name in names {
        for template in own.unwrap_or(carrier.templates()) {
            let path = fill(template, name);
            if !all.iter().any(|c| c.path == path) {
                // Of no template of a maker's, so no family and no further channel follows from it.
                all.push(Candidate { path, port: None, channel: 1, stream: 0, template: usize::MAX });
            }
        }
    }
    all
}

/// The words that stand in addresses by no will of a device: the templates, and the names people give.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    let templates = Carrier::ALL.into_iter().flat_map(|carrier| carrier.templates());
    templates.chain(&TABLE.of_name.common).map(String::as_str)
}

/// Whether a candidate was made of a name, not of a maker's or a handbook's path.
pub fn is_of_name(candidate: &Candidate) -> bool {
    candidate.template == usize::MAX
}

/// What the host itself is called, then the names people give to streams, the commonest first.
pub fn common_names(host_name: Option<&str>) -> Vec<String> {
    let label = host_name.and_then(|name| name.split('.').next()).unwrap_or_default().to_ascii_lowercase();
    let is_name = !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let mut names = TABLE.of_name.common.clone();
    if is_name && !names.contains(&label) {
        names.insert(0, label);
    }
    names
}

/// The name in the address of a stream, as far as one of the templates made it; with its application where it has one.
pub fn name_in(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().ok()?.into_owned();
    let carriers: &[Carrier] = match url.scheme() {
        "rtsp" | "rtsps" => return clean(path.trim_matches('/')),
        "rtmp" | "rtmps" => return clean(path.trim_matches('/')),
        _ => &[Carrier::Hls, Carrier::Dash, Carrier::Whep],
    };
    let of_template = |template: &String| {
        let (before, after) = template.split_once("{name}").or_else(|| template.split_once("{last}"))?;
        clean(path.strip_prefix(before)?.strip_suffix(after)?)
    };
    carriers.iter().flat_map(|carrier| carrier.templates()).find_map(of_template)
}

fn clean(name: &str) -> Option<String> {
    /// A longer one is an address of another kind.
    const LONGEST: usize = 128;
    let is_name = !name.is_empty() && name.len() <= LONGEST && !name.contains(['=', '&', ':', '*', '@', '?']);
    (is_name && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

/// `{name}` is the whole name, `{last}` what stands behind its last slash: some servers keep applications apart.
fn fill(template: &str, name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let encode = |text: &str| utf8_percent_encode(text, KEPT_IN_NAME).to_string();
    template.replace("{name}", &encode(name)).replace("{last}", &encode(last))
}

#[cfg(test)]
mod tests {
    use super::super::named;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_leads_to_its_places() {
        let paths = |carrier, name: &str| {
            of_names(carrier, &[name.to_owned()], None).into_iter().map(|c| c.path).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(paths(Carrier::Rtsp, "yard"), "/yard");
        assert_eq!(paths(Carrier::Rtmp, "live/cam"), "/live/cam");
        assert_eq!(paths(Carrier::Rtmp, "cam"), "/live/cam /cam");
        assert_eq!(paths(Carrier::Hls, "live/cam 1"), "/live/cam%201/index.m3u8 /hls/cam%201.m3u8 /live/cam%201.m3u8");
        assert_eq!(paths(Carrier::Dash, "cam"), "/dash/cam.mpd /cam.mpd");
        assert_eq!(paths(Carrier::Whep, "a/b"), "/a/b/whep");
        let of_go2rtc = of_names(Carrier::Hls, &["yard".to_owned()], named("go2rtc"));
        assert_eq!(of_go2rtc.into_iter().map(|c| c.path).collect::<Vec<_>>(), ["/api/stream.m3u8?src=yard"]);
    }

    #[test]
    fn addresses_tell_their_names() {
        for (url, name) in [
            ("rtsp://192.0.2.1:8554/yard", Some("yard")),
            ("rtmp://192.0.2.1:1935/live/cam", Some("live/cam")),
            ("http://192.0.2.1:8888/garden/index.m3u8", Some("garden")),
            ("http://192.0.2.1/hls/cam.m3u8", Some("cam")),
            ("http://192.0.2.1/dash/cam.mpd#1", Some("cam")),
            ("http://192.0.2.1:8889/a/b/whep", Some("a/b")),
            ("rtsp://192.0.2.1/cam/realmonitor?channel=1&subtype=0", Some("cam/realmonitor")),
            ("rtsp://192.0.2.1/user=***&password=***", None),
            ("http://192.0.2.1/video.cgi", None),
            ("rtsp://192.0.2.1/", None),
            ("nothing", None),
        ] {
            assert_eq!(name_in(url).as_deref(), name, "{url}");
        }
    }

    #[test]
    fn the_hosts_own_name_is_one() {
        assert!(common_names(None).contains(&"cam".to_owned()));
        assert_eq!(common_names(Some("Porch.lan")).first().map(String::as_str), Some("porch"));
        assert_eq!(common_names(Some("bad name/x")), common_names(None));
        assert_eq!(common_names(Some("cam.lan")), common_names(None));
    }

    #[test]
    fn every_server_named_has_its_places() {
        let mtx = named("mediamtx").unwrap();
        assert_eq!(mtx.hls.as_ref().map(|p| p.path("cam 1/hd")).as_deref(), Some("/cam%201/hd/index.m3u8"));
        assert_eq!(mtx.list.path(""), "/v3/paths/list");
        for server in ["go2rtc", "SRS", "nginx-rtmp", "Frigate"] {
            assert!(named(server).is_some_and(|s| s.list.path("").starts_with('/')), "{server}");
        }
    }

    proptest! {
        #[test]
        fn any_address_is_survived(text: String, path in "[a-z%/.0-9]{0,40}") {
            name_in(&text);
            name_in(&format!("http://192.0.2.1/{path}"));
        }
    }
}
