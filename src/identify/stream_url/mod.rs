//! Stream-URL templates: where makers put their streams. Data, read from YAML.

mod names;
mod table;
mod template;
mod written;

use std::collections::HashSet;

use md5::{Digest, Md5};
use percent_encoding::utf8_percent_encode;

pub use self::names::{common_names, is_of_name, name_in, of_names};
use self::table::{KEPT, TABLE};
pub use self::table::{Named, NamedPath, StreamUrls};
pub use self::template::{Candidate, Purpose};
pub use self::written::{PathMistake, VendorPaths};
use crate::model::{Credential, Secret};

/// The most addresses a walk is given.
pub const MOST: usize = 64;

/// An address that holds a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithLogin {
    /// Path and query as they go on the wire.
    pub request: Secret,
    /// The same with `***` in place of user and password: what may be shown, logged and reported.
    pub shown: Candidate,
}

impl StreamUrls {
    /// The RTSP paths worth trying for a vendor, most likely first; for no or an unknown vendor the common ones. The first
    /// channel; each template's main stream, then its others; the common ones follow the vendor's; none twice; at most [`MOST`].
    pub fn rtsp(&self, vendor: Option<&str>) -> Vec<Candidate> {
        self.walk(vendor, Purpose::Rtsp, 1)
    }

    /// The candidate's template made for another channel; none when the template has no channel.
    pub fn for_channel(&self, candidate: &Candidate, channel: u32) -> Option<Candidate> {
        let template = self.templates.get(candidate.template)?;
        let has_channel =
            !template.with_login && ["{n}", "{n0}", "{nn}", "{nnn}"].iter().any(|p| template.path.contains(p));
        has_channel.then(|| template.fill(candidate.template, channel, candidate.stream)).flatten()
    }

    /// The families of streams that a path may be the first of: for each maker's template that makes it, the path itself and
    /// the further streams of that template, or of the maker's next templates where each stream has a path of its own.
    pub fn families(&self, first: &Candidate) -> Vec<Vec<Candidate>> {
        let mut seen = HashSet::from([normalised(&first.path)]);
        let mut families = Vec::new();
        for (index, template) in self.templates.iter().enumerate() {
            let is_kin = template.vendor.is_some() && template.purpose == Purpose::Rtsp && !template.with_login;
            let Some(own) = template.fill(index, first.channel, 0).filter(|c| is_kin && c.path == first.path) else {
                continue;
            };
            let further = (1..template.streams.len() as u32).filter_map(|s| template.fill(index, first.channel, s));
            let next = self.templates.iter().enumerate().skip(index + 1);
            let beside = next
                .take_while(|(_, t)| t.vendor == template.vendor && t.purpose == template.purpose && t.stream > 0)
                .filter_map(|(index, t)| t.fill(index, first.channel, t.stream));
            let fresh: Vec<Candidate> = further.chain(beside).filter(|c| seen.insert(normalised(&c.path))).collect();
            if !fresh.is_empty() {
                families.push(std::iter::once(own).chain(fresh).collect());
            }
        }
        families
    }

    /// Whether a candidate is one of the common paths rather than a vendor's.
    pub fn is_common(&self, candidate: &Candidate) -> bool {
        self.templates.get(candidate.template).is_none_or(|t| t.vendor.is_none())
    }

    /// HTTP paths of MJPEG streams for a vendor, then common ones.
    pub fn mjpeg(&self, vendor: Option<&str>) -> Vec<Candidate> {
        self.walk(vendor, Purpose::Mjpeg, 1)
    }

    /// HTTP paths of still pictures of a channel (from 1) for a vendor, then common ones.
    pub fn snapshot(&self, vendor: Option<&str>, channel: u32) -> Vec<Candidate> {
        self.walk(vendor, Purpose::Snapshot, channel)
    }

    /// RTMP paths (`/application/name`) of a vendor, then common ones.
    pub fn rtmp(&self, vendor: Option<&str>) -> Vec<Candidate> {
        self.walk(vendor, Purpose::Rtmp, 1)
    }

    /// Paths of HLS playlists of a vendor, then common ones. A page that answers 200 to everything answers to these too: the body must begin `#EXTM3U`.
    pub fn hls(&self, vendor: Option<&str>) -> Vec<Candidate> {
        self.walk(vendor, Purpose::Hls, 1)
    }

    /// Paths of DASH manifests of a vendor, then common ones; the body must hold `<MPD`.
    pub fn dash(&self, vendor: Option<&str>) -> Vec<Candidate> {
        self.walk(vendor, Purpose::Dash, 1)
    }

    /// Paths of WebRTC endpoints of a vendor, then common ones, that take an offer by POST.
    pub fn whep(&self, vendor: Option<&str>) -> Vec<Candidate> {
        self.walk(vendor, Purpose::Whep, 1)
    }

    /// RTSP paths that hold the login, for makers whose devices expect it there (Xiongmai).
    pub fn rtsp_with_login(&self, vendor: &str, channel: u32, login: &Credential) -> Vec<WithLogin> {
        self.with_login(vendor, Purpose::Rtsp, channel, login)
    }

    /// Paths of still pictures that hold the login, for makers whose devices expect it there (Reolink).
    pub fn snapshot_with_login(&self, vendor: &str, channel: u32, login: &Credential) -> Vec<WithLogin> {
        self.with_login(vendor, Purpose::Snapshot, channel, login)
    }

    fn walk(&self, vendor: Option<&str>, purpose: Purpose, channel: u32) -> Vec<Candidate> {
        let mut seen = HashSet::new();
        let own = vendor.into_iter().flat_map(|v| self.of_vendor(v, purpose, false));
        own.chain(self.of(None, purpose, false))
            .flat_map(|(index, template)| template.candidates(index, channel))
            .filter(|c| seen.insert((c.port, normalised(&c.path))))
            .take(MOST)
            .collect()
    }

    fn with_login(&self, vendor: &str, purpose: Purpose, channel: u32, login: &Credential) -> Vec<WithLogin> {
        let encode = |text: &str| utf8_percent_encode(text, KEPT).to_string();
        let (user, password) = (encode(&login.user), encode(login.password.expose()));
        let hash = sofia_hash(login.password.expose());
        let put = |path: &str, user: &str, password: &str, hash: &str| {
            path.replace("{user}", user).replace("{password}", password).replace("{hash}", hash)
        };
        self.of_vendor(vendor, purpose, true)
            .flat_map(|(index, template)| template.candidates(index, channel))
            .map(|made| WithLogin {
                request: Secret::new(put(&made.path, &user, &password, &hash)),
                shown: Candidate { path: put(&made.path, "***", "***", "***"), ..made },
            })
            .collect()
    }
}

/// The server of that name (`MediaMTX`, `go2rtc`), if it lists its streams.
pub fn named(server: &str) -> Option<&'static Named> {
    TABLE.servers.iter().find(|s| s.server.eq_ignore_ascii_case(server))
}

/// Paths that differ only by case, doubled or trailing slashes are one to the servers that were seen.
fn normalised(path: &str) -> String {
    let mut plain = path.to_ascii_lowercase();
    while plain.contains("//") {
        plain = plain.replace("//", "/");
    }
    plain.trim_end_matches(['/', '?']).to_owned()
}

/// The words of the paths, and the names of the values in them.
pub(super) fn words() -> (Vec<&'static str>, Vec<&'static str>) {
    let of_server = |server: &'static Named| std::iter::once(&server.list).chain(server.paths.values());
    let named = TABLE.servers.iter().flat_map(of_server).map(|named| named.path.as_str());
    let streams = TABLE.urls.templates.iter().flat_map(|t| t.streams.iter().map(String::as_str));
    // A path with a login names what must be hidden.
    let paths: Vec<&str> = TABLE
        .urls
        .templates
        .iter()
        .filter(|t| !t.with_login)
        .map(|t| t.path.as_str())
        .chain(named)
        .chain(streams)
        .chain(names::words())
        .collect();
    let keys = paths.iter().flat_map(|path| path.split(['?', '&'])).filter_map(|piece| Some(piece.split_once('=')?.0));
    let words = paths.iter().flat_map(|path| path.split(|c: char| !c.is_alphanumeric()));
    (words.collect(), keys.collect())
}

/// Xiongmai's digest of a password: the MD5's bytes in pairs, each sum modulo 62 as a digit or letter.
pub(super) fn sofia_hash(password: &str) -> String {
    Md5::digest(password.as_bytes())
        .chunks(2)
        .map(|pair| match pair.iter().map(|&b| u16::from(b)).sum::<u16>() % 62 {
            n @ 0..=9 => char::from(b'0' + n as u8),
            n @ 10..=35 => char::from(b'A' + (n - 10) as u8),
            n => char::from(b'a' + (n - 36) as u8),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::table::read;
    use super::*;
    use crate::identify::vendor;

    fn urls() -> &'static StreamUrls {
        StreamUrls::builtin()
    }

    fn paths(candidates: &[Candidate]) -> Vec<&str> {
        candidates.iter().map(|c| c.path.as_str()).collect()
    }

    #[test]
    fn the_data_reads_and_its_vendors_are_known() {
        let file = read().unwrap();
        for entry in &file.vendors {
            assert_eq!(vendor::find(&entry.vendor).map(|v| &v.name), Some(&entry.vendor));
            assert_eq!(entry.check(), Ok(()), "{}", entry.vendor);
        }
    }

    #[test]
    fn no_template_carries_a_login() {
        for template in &TABLE.urls.templates {
            let lower = template.path.to_lowercase();
            assert!(!lower.contains('@'), "{lower}");
            for key in ["user=", "password=", "pwd=", "pass="] {
                if let Some((_, value)) = lower.split_once(key) {
                    assert!(template.with_login && value.starts_with('{'), "{lower}");
                }
            }
        }
    }

    #[test]
    fn a_vendors_paths_come_first() {
        for (vendor, first) in [
            ("HIKVISION", ["/Streaming/Channels/101", "/Streaming/Channels/102"]),
            ("Hangzhou Hikvision Digital Technology Co., Ltd.", ["/Streaming/Channels/101", "/Streaming/Channels/102"]),
            ("Annke", ["/Streaming/Channels/101", "/Streaming/Channels/102"]),
            ("EZVIZ", ["/ch1/main", "/ch1/sub"]),
            ("Dahua", ["/cam/realmonitor?channel=1&subtype=0", "/cam/realmonitor?channel=1&subtype=1"]),
            ("Lorex", ["/cam/realmonitor?channel=1&subtype=0", "/cam/realmonitor?channel=1&subtype=1"]),
            ("Reolink", ["/Preview_01_main", "/Preview_01_sub"]),
            ("TP-LINK", ["/stream1", "/stream2"]),
            ("GeoVision", ["/CH001.sdp", "/CH001.sdp"]),
            ("V380", ["/live/ch00_1", "/live/ch00_0"]),
            ("Avigilon", ["/defaultPrimary?streamType=u", "/defaultSecondary?streamType=u"]),
            ("INSTAR", ["/11", "/12"]),
            ("Hanwha Techwin", ["/profile1/media.smp", "/profile2/media.smp"]),
            ("Provision-ISR", ["/profile1", "/profile2"]),
        ] {
            assert!(paths(&urls().rtsp(Some(vendor))).starts_with(&first), "{vendor}: {:?}", urls().rtsp(Some(vendor)));
        }
        let geo = urls().rtsp(Some("GeoVision"));
        assert_eq!(geo.iter().take(2).map(|c| c.port).collect::<Vec<_>>(), [Some(8554), None]);
    }

    #[test]
    fn the_common_walk_follows_without_repeats() {
        let common = urls().rtsp(None);
        assert!(paths(&common).starts_with(&["/", "/Streaming/Channels/101", "/cam/realmonitor?channel=1&subtype=0"]));
        assert_eq!(common.len(), 56);
        assert_eq!(urls().rtsp(Some("a maker nobody knows")), common);
        for vendor in TABLE.urls.templates.iter().filter_map(|t| t.vendor.as_deref()) {
            let walk = urls().rtsp(Some(vendor));
            assert!(walk.len() <= MOST);
            let distinct: HashSet<_> = walk.iter().map(|c| (c.port, normalised(&c.path))).collect();
            assert_eq!(distinct.len(), walk.len(), "{vendor}");
            assert!(walk.iter().all(|c| c.channel == 1 && !c.path.contains('{')), "{vendor}");
        }
    }

    #[test]
    fn the_next_channel_keeps_stream_and_port() {
        let sub = urls().rtsp(Some("Hikvision")).into_iter().find(|c| c.path == "/Streaming/Channels/102").unwrap();
        let next = urls().for_channel(&sub, 16).unwrap();
        assert_eq!((next.path.as_str(), next.channel, next.stream), ("/Streaming/Channels/1602", 16, 1));
        assert_eq!(urls().for_channel(&next, 1), Some(sub));

        let geo = urls().rtsp(Some("GeoVision")).remove(0);
        assert_eq!(urls().for_channel(&geo, 12).map(|c| (c.path, c.port)), Some(("/CH012.sdp".into(), Some(8554))));
        let hanwha = urls().rtsp(Some("Hanwha")).into_iter().find(|c| c.path.starts_with("/LiveChannel")).unwrap();
        assert_eq!(urls().for_channel(&hanwha, 4).map(|c| c.path).as_deref(), Some("/LiveChannel/3/media.smp"));

        let plain = urls().rtsp(Some("Axis")).remove(0);
        assert_eq!(urls().for_channel(&plain, 2), None);
        assert_eq!(urls().for_channel(&Candidate { template: usize::MAX, ..plain }, 2), None);
    }

    #[test]
    fn a_path_knows_the_families_it_may_begin() {
        let families = |path: &str| {
            let first = urls().rtsp(None).into_iter().find(|c| c.path == path).unwrap();
            urls().families(&first).iter().map(|f| paths(f).join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(
            families("/Streaming/Channels/101")[0],
            "/Streaming/Channels/101 /Streaming/Channels/102 /Streaming/Channels/103"
        );
        assert_eq!(families("/live.sdp"), ["/live.sdp /live2.sdp /live3.sdp"]);
        assert_eq!(families("/tcp/av0_0"), ["/tcp/av0_0 /tcp/av0_1"]);
        assert_eq!(families("/"), [""; 0]);
        // What is asked beyond the common paths stays little, whatever is found.
        let most =
            urls().rtsp(None).iter().map(|c| urls().families(c).iter().map(|f| f.len() - 1).sum::<usize>()).max();
        assert!(most <= Some(6), "{most:?}");
    }

    #[test]
    fn pictures_and_playlists_have_their_places() {
        assert_eq!(paths(&urls().snapshot(Some("Dahua"), 3)).first(), Some(&"/cgi-bin/snapshot.cgi?channel=3"));
        assert_eq!(paths(&urls().mjpeg(Some("Axis"))).first(), Some(&"/axis-cgi/mjpg/video.cgi"));
        assert!(paths(&urls().hls(None)).contains(&"/index.m3u8"));
        assert!(paths(&urls().rtsp(None)).contains(&"/h264ESVideoTest"));
        assert!(paths(&urls().dash(None)).contains(&"/manifest.mpd"));
        assert!(paths(&urls().whep(None)).contains(&"/whep"));
        assert!(paths(&urls().rtmp(None)).contains(&"/bcs/channel0_main.bcs?channel=0&stream=0"));
    }

    #[test]
    fn a_login_in_a_path_is_shown_to_nobody() {
        let login = Credential::new("admin", "p&ss=1");
        let made = urls().rtsp_with_login("Xiongmai", 2, &login);
        assert_eq!(
            made.first().map(|m| m.request.expose()),
            Some("/user=admin&password=p%26ss%3D1&channel=2&stream=0.sdp?")
        );
        assert_eq!(made.first().map(|m| m.shown.path.as_str()), Some("/user=***&password=***&channel=2&stream=0.sdp?"));
        assert!(!format!("{made:?}").contains("p%26ss"));
        let reolink = urls().snapshot_with_login("Reolink", 1, &login);
        assert_eq!(
            reolink.first().map(|m| m.request.expose()),
            Some("/cgi-bin/api.cgi?cmd=Snap&channel=0&user=admin&password=p%26ss%3D1")
        );
        assert_eq!(urls().rtsp_with_login("Hikvision", 1, &login), []);
        assert!(made.iter().all(|m| urls().for_channel(&m.shown, 3).is_none()));
    }

    #[test]
    fn xiongmais_digest_of_no_password() {
        assert_eq!(sofia_hash(""), "tlJwpbo6");
    }
}
