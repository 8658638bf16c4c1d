//! Streams that have names: where servers serve a name, and which names people give.

use super::table::{Named, TABLE, fill_name};
use super::template::{Candidate, Purpose};

/// The paths where a server may have streams of these names, name by name, none twice. Of a server that is known and says
/// itself where they are, only those.
pub fn of_names(purpose: Purpose, names: &[String], server: Option<&Named>) -> Vec<Candidate> {
    let own = server.and_then(|server| server.path(purpose)).map(|own| std::slice::from_ref(&own.path));
    let mut all: Vec<Candidate> = Vec::new();
    for name in names {
        for template in own.unwrap_or(TABLE.of_name.templates(purpose)) {
            let path = fill_name(template, name);
            if !all.iter().any(|c| c.path == path) {
                // Of no template of a maker's, so no family and no further channel follows from it.
                all.push(Candidate { path, port: None, channel: 1, stream: 0, template: usize::MAX });
            }
        }
    }
    all
}

/// The words in addresses that no device chose: those of the templates, and the names people give.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    TABLE.of_name.all_templates().chain(&TABLE.of_name.common).map(String::as_str)
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
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
    let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?.into_owned();
    let purposes = match scheme.to_ascii_lowercase().as_str() {
        "rtsp" | "rtsps" => return clean(path.trim_matches('/')),
        "rtmp" | "rtmps" => return clean(path.trim_matches('/')),
        _ => [Purpose::Hls, Purpose::Dash, Purpose::Whep],
    };
    let of_template = |template: &String| {
        let (before, after) = template.split_once("{name}").or_else(|| template.split_once("{last}"))?;
        clean(path.strip_prefix(before)?.strip_suffix(after)?)
    };
    purposes.into_iter().flat_map(|purpose| TABLE.of_name.templates(purpose)).find_map(of_template)
}

fn clean(name: &str) -> Option<String> {
    /// A longer one is an address of another kind.
    const LONGEST: usize = 128;
    let is_name = !name.is_empty() && name.len() <= LONGEST && !name.contains(['=', '&', ':', '*', '@', '?']);
    (is_name && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::named;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_leads_to_its_places() {
        let paths = |purpose, name: &str| {
            of_names(purpose, &[name.to_owned()], None).into_iter().map(|c| c.path).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(paths(Purpose::Rtsp, "yard"), "/yard");
        assert_eq!(paths(Purpose::Rtmp, "live/cam"), "/live/cam");
        assert_eq!(paths(Purpose::Rtmp, "cam"), "/live/cam /cam");
        assert_eq!(paths(Purpose::Hls, "live/cam 1"), "/live/cam%201/index.m3u8 /hls/cam%201.m3u8 /live/cam%201.m3u8");
        assert_eq!(paths(Purpose::Dash, "cam"), "/dash/cam.mpd /cam.mpd");
        assert_eq!(paths(Purpose::Whep, "a/b"), "/a/b/whep");
        let of_go2rtc = of_names(Purpose::Hls, &["yard".to_owned()], named("go2rtc"));
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
        assert_eq!(mtx.path(Purpose::Hls).map(|p| p.path("cam 1/hd")).as_deref(), Some("/cam%201/hd/index.m3u8"));
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
