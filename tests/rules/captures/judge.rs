//! What was seen in a file against what is expected of it, expectation by expectation.

use camscan::identify::{Decision, vendor};
use camscan::media::jpeg;
use camscan::model::{AuthScheme, Fact, FpsSource, Kind, SizeSource, VideoCodec};
use camscan::protocol::hls::wire::Playlist;
use camscan::protocol::http::page;
use camscan::protocol::onvif::soap::{Answer, Fault};
use camscan::protocol::onvif::wire as onvif;
use camscan::protocol::rtsp::headers::RtspHeaders;
use camscan::protocol::rtsp::sdp::{Media, MediaKind};
use camscan::protocol::rtsp::url::RtspUrl;
use camscan::protocol::rtsp::wire::Item;
use camscan::wire::auth;
use camscan::wire::url::{AnnouncedUrl, Scheme};
use camscan::wire::xml::Element;
use serde_json::Value;

use super::read::Seen;

/// What is said for people rather than to be judged.
const FOR_PEOPLE: &[&str] = &[
    "kind",
    "device",
    "traps",
    "basis",
    "note",
    "vendor_evidence",
    "peer",
    "probe_id",
    "request_url",
    "request_url_assumed",
    "location_used",
    "url_base",
    "cseq_header_spelling",
    "protocol",
    "soap_ns",
    "operation",
    "well_formed",
    "parse_error",
    "echoes_security_header",
    "media_version",
    "vendor_from_response_note",
];

/// What no single message decides, and where it is held instead.
const NOT_DECIDED: &[(&str, &str)] = &[
    ("offers", "wire::auth: what is chosen is held here, the order offered there"),
    ("acceptable", "wire::auth: the answer to a challenge needs a login"),
    ("cnonce_used", "wire::auth: as above"),
    ("nc", "wire::auth: as above"),
    ("alternative_response_hashing_the_raw_realm", "wire::auth: as above"),
    ("replies", "protocol::rtsp::wire: how messages are parted"),
    ("frames_before_reply", "protocol::rtsp::wire: as above"),
    ("is_rtsp_server", "protocol::rtsp::detect: a verdict over a conversation"),
    ("is_web_interface", "protocol::rtsp::detect: as above"),
    ("stream_found", "protocol::rtsp::walk: as above"),
    ("channels", "protocol::rtsp::play: what was asked for counts, too"),
    ("transport", "protocol::rtsp::play: as above"),
    ("rtp_info", "protocol::rtsp::play: read and not relied upon"),
    ("http_status", "protocol::onvif::client: the status is outside the SOAP answer"),
    ("soap", "protocol::onvif::client: which dialect is tried next"),
    ("protocols", "GetNetworkProtocols is not asked: open ports are found by asking them"),
    ("type", "how a device sets its clock is no fact of the report"),
    ("tz", "its time zone is no fact of the report"),
    ("HardwareId", "no fact of the report"),
    ("confidence", "identify: how much a word weighs"),
    ("resolution_hints", "protocol::rtsp::sdp: which hint is taken where several contradict each other"),
    ("nts", "an advertisement is no answer, and is passed over as a whole"),
    ("presentation_url", "protocol::ssdp::description: needs the host asked"),
    ("well_formed_note", "for people"),
    ("presentation_control_url", "protocol::rtsp::url: the controls of the media are held here"),
    ("content_base", "the base it gives is held by the controls"),
    ("base_repaired", "as above"),
    ("public", "protocol::rtsp::headers"),
    ("session", "its id and timeout are held"),
    ("content_length", "the body's length is held"),
];

/// Verdicts over a whole conversation, held where it is spoken.
const VERDICTS_ELSEWHERE: &[&str] = &[
    "retry, does not count as a failed login",
    "redirect loop",
    "bad redirect",
    "busy",
    "off-host redirect not followed",
    "location off host, not fetched",
];

/// Expectations that single files do not meet, and why that stands.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("rtsp_status/non_camera_kodi.txt", "is_camera", "plays RTSP as cameras do and says no name: a hint of 0.4"),
    ("rtsp_status/rtsp_2_0.txt", "is_camera", "as above"),
    (
        "rtsp/describe/foscam_h264_pcmu.txt",
        "vendor_from_response",
        "its session name is Foscam's habit: a hint of 0.45",
    ),
    ("rtsp/describe/wowza_bigbuckbunny.txt", "vendor_from_response", "Wowza is named as the maker of a media server"),
];

/// One maker under two names.
const SAME_MAKER: &[(&str, &str)] = &[("Hi3510", "Hipcam"), ("Hanwha", "Samsung")];

/// A habit of a maker that others may share speaks for `X or OEM`, and no louder than this.
const HINT: f64 = 0.5;

/// What is not as expected.
pub fn judge(name: &str, seen: &Seen, want: &Value) -> Vec<String> {
    let mut judge = Judge { name, seen, want, wrong: Vec::new() };
    for (key, value) in want.as_object().unwrap() {
        if OTHERWISE.iter().any(|(file, k, _)| *file == name && k == key) {
            continue;
        }
        if !judge.one(key, value) && !FOR_PEOPLE.contains(&key.as_str()) && !NOT_DECIDED.iter().any(|(k, _)| k == key) {
            judge.wrong.push(format!("nobody judges '{key}': {value}"));
        }
    }
    judge.wrong
}

struct Judge<'a> {
    name: &'a str,
    seen: &'a Seen,
    want: &'a Value,
    wrong: Vec<String>,
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|s| !s.is_empty())
}

fn size(value: &Value) -> Option<(u32, u32)> {
    let at = |i: usize| value.get(i).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    at(0).zip(at(1))
}

fn codec(stated: &str) -> Option<&'static str> {
    Some(match stated {
        "H.264" => "h264",
        "H.265" => "h265",
        "JPEG" | "MJPEG" => "mjpeg",
        "AAC" => "aac",
        "G.711 A-law" => "pcma",
        "Opus" => "opus",
        s if s.starts_with("MPEG-4") => "mpeg4",
        s if s.starts_with("G.711") => "pcmu",
        s if s.starts_with("G.726") => "g726",
        s if s.starts_with("G.722") => "g722",
        s if s.starts_with("PCM") || s.starts_with("L16") => "pcm",
        _ => return None,
    })
}

impl Judge<'_> {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, wanted: T) {
        if found != wanted {
            self.wrong.push(format!("{what}: {found:?}, expected {wanted:?}"));
        }
    }

    fn must(&mut self, what: &str, holds: bool) {
        if !holds {
            self.wrong.push(format!("{what} does not hold"));
        }
    }

    /// Judges one expectation; false when it does not know how.
    fn one(&mut self, key: &str, value: &Value) -> bool {
        self.identity(key, value)
            || self.rtsp(key, value)
            || self.onvif(key, value)
            || self.found(key, value)
            || self.web(key, value)
    }

    fn identity(&mut self, key: &str, value: &Value) -> bool {
        let verdict = self.seen.verdict();
        match key {
            "vendor" | "vendor_from_response" => {
                let decision = verdict.decision(Fact::Vendor);
                let hint = |d: &Decision| d.value.ends_with(" or OEM") && d.confidence <= HINT;
                let ours = decision.filter(|d| !(value.is_null() && hint(d)));
                self.vendor(ours.map(|d| d.value.as_str()), text(value));
            }
            "model" if self.seen.soap.is_none() => {
                let model = verdict.winner(Fact::Model);
                self.same("model", model, text(value));
            }
            "serial" if self.seen.soap.is_none() => {
                let serial = verdict.winner(Fact::Serial).map(str::to_owned);
                let of_realm = self.seen.challenges.first().and_then(auth::Challenge::realm);
                let says =
                    serial.as_deref() == text(value) || of_realm.is_some_and(|r| r.contains(text(value).unwrap()));
                self.must("serial", says);
            }
            "is_camera" => {
                let films = matches!(verdict.kind, Kind::Camera | Kind::Recorder | Kind::Encoder | Kind::Intercom);
                let speaks = verdict.winner(Fact::Kind).is_some();
                self.must("is_camera", if value == true { films || !speaks } else { !films || !speaks });
            }
            "mac" => {
                let of_udn =
                    self.seen.ssdp.as_ref().and_then(|a| a.udn()).and_then(camscan::protocol::ssdp::wire::mac_of_udn);
                let described = self.seen.description.as_ref().and_then(|d| d.mac());
                let found = of_udn.or(described).map(|m| m.to_string().to_uppercase());
                // In a notice, which is no answer, and in a realm nobody reads it.
                if self.seen.ssdp.is_some() || self.seen.description.is_some() {
                    self.same("mac", found.as_deref(), text(value));
                }
            }
            _ => return false,
        }
        true
    }

    fn vendor(&mut self, ours: Option<&str>, wanted: Option<&str>) {
        match (ours, wanted) {
            (None, Some(wanted)) if !self.is_passed_over() => {
                self.wrong.push(format!("vendor {wanted} is not seen"));
            }
            (Some(ours), None) => self.wrong.push(format!("claims the vendor {ours}, which the message does not say")),
            (Some(ours), Some(wanted)) => {
                let bare = vendor::bare(ours).to_lowercase();
                let wanted_lower = wanted.to_lowercase();
                let fits = bare.split([' ', '-', '/']).any(|word| wanted_lower.contains(word))
                    || vendor::maker_behind(vendor::bare(ours))
                        .is_some_and(|m| wanted_lower.contains(&m.to_lowercase()));
                let renamed = SAME_MAKER.contains(&(vendor::bare(ours), wanted));
                if !fits && !renamed {
                    self.wrong.push(format!("vendor {ours}, expected {wanted}"));
                }
            }
            _ => {}
        }
    }

    /// An advertisement or another host's search is no answer.
    fn is_passed_over(&self) -> bool {
        self.want["is_answer"] == false || self.want["verdict"] == "ignore"
    }

    fn rtsp(&mut self, key: &str, value: &Value) -> bool {
        let answer = self.seen.responses().first().copied().cloned();
        let headers = answer.as_ref().map(|a| &a.headers);
        match key {
            "status" => {
                let status = answer.as_ref().map(|a| a.status).or(self.seen.http.as_ref().map(|h| h.head.status));
                self.same("status", status.map(u64::from), value.as_u64());
            }
            "cseq" => self.same("cseq", headers.and_then(|h| h.cseq()), value.as_i64()),
            "server" => self.same("server", headers.and_then(|h| h.clean("Server")).as_deref(), text(value)),
            "session_id" => {
                self.same("session", headers.and_then(|h| h.session()).map(|s| s.id).as_deref(), text(value));
            }
            "session_timeout" => {
                let stated = headers.and_then(|h| h.session()).and_then(|s| s.timeout).map_or(60, |t| t.as_secs());
                self.same("session timeout", Some(stated), value.as_u64());
            }
            "body_bytes" if answer.is_some() => {
                // Blank lines behind a description may be left to the next message.
                let length = answer.map_or(0, |a| a.body.len() as u64);
                self.must("body_bytes", length.abs_diff(value.as_u64().unwrap()) <= 2);
            }
            "challenges" => {
                let realms: Vec<Option<String>> = self.seen.challenges.iter().map(auth::Challenge::realm).collect();
                let wanted = value.as_array().unwrap().iter().map(|c| text(&c["realm"]).map(str::to_owned)).collect();
                self.same("challenges", realms, wanted);
            }
            "auth_choice" => {
                let chosen = auth::choose(&self.seen.challenges);
                self.same("scheme", chosen.map(|c| format!("{:?}", c.scheme)).as_deref(), text(&value["scheme"]));
                let realm = chosen.and_then(auth::Challenge::realm);
                if let Some(wanted) = value.get("realm") {
                    self.same("realm", realm.as_deref(), wanted.as_str());
                }
            }
            "frames" if answer.is_some() || self.name.starts_with("rtsp_interleaved") => {
                let seen: Vec<(u64, u64)> = self
                    .seen
                    .rtsp
                    .iter()
                    .filter_map(|i| match i {
                        Item::Data { channel, payload } => Some((u64::from(*channel), payload.len() as u64)),
                        _ => None,
                    })
                    .collect();
                let pair = |v: &Value| (v["channel"].as_u64().unwrap(), v["len"].as_u64().unwrap());
                self.same("frames", seen, value.as_array().unwrap().iter().map(pair).collect());
            }
            "location" if answer.is_some() => {
                self.same("location", headers.and_then(|h| h.text("Location")).as_deref(), text(value));
            }
            "session_name" => {
                let name = self.seen.session.as_ref().and_then(|s| s.name.clone());
                let wanted = text(value).and_then(camscan::text::clean_some).filter(|w| w != "-");
                self.must("session name", name.is_none() || name == wanted);
            }
            "medias" => self.medias(value.as_array().unwrap()),
            _ => return self.described(key, value),
        }
        true
    }

    /// What is expected of the one video of a description.
    fn described(&mut self, key: &str, value: &Value) -> bool {
        if let Some(video) = &self.seen.video {
            match key {
                "codec" => self.same("codec", video.codec.map(VideoCodec::as_str), text(value).and_then(codec)),
                "resolution" => self.same("resolution", video.width.zip(video.height), size(value)),
                _ => return false,
            }
            return true;
        }
        // A body past the cap is refused before it is read.
        if self.want["verdict"] == "body too large" {
            return true;
        }
        let Some(media) = self.seen.session.as_ref().and_then(|s| s.video()).cloned() else { return false };
        let video = media.video.clone().unwrap_or_default();
        let of_sps = |source: Option<FpsSource>| source == Some(FpsSource::Sps);
        match key {
            "codec" => self.same("codec", video.codec.map(VideoCodec::as_str), text(value).and_then(codec)),
            "resolution" => self.same("resolution", video.width.zip(video.height), size(value)),
            "resolution_source" => {
                self.same(
                    "size source",
                    video.size_source.map(SizeSource::as_str),
                    text(value).filter(|s| *s != "SPS"),
                );
            }
            "profile" | "level" if self.want.get("profile_from_profile_level_id").is_some() => {}
            "profile" if video.codec == Some(VideoCodec::H264) => {
                self.same("profile", video.profile.as_deref(), text(value));
            }
            "level" if video.codec == Some(VideoCodec::H264) => self.level(video.level.as_deref(), value),
            // Of H.265 and MPEG-4 the expectations state none.
            "profile" | "level" => self.must(key, value.is_null() || video.profile.is_some()),
            "profile_from_profile_level_id" => {
                let stated = video.profile.zip(video.level).map(|(p, l)| format!("{p} {l}"));
                self.same("stated profile", stated.as_deref(), text(value));
            }
            "fps_sps" => self.same("fps", video.fps.filter(|_| of_sps(video.fps_source)), value.as_f64()),
            "framerate_attr" => self.same("framerate", media.hints.framerate, value.as_f64()),
            "audio" => {
                let sound = self.seen.session.as_ref().is_some_and(|s| s.audio().is_some());
                self.same("audio", sound, !value.is_null());
            }
            "back_channel" => {
                let back = self.seen.session.as_ref().is_some_and(|s| s.has_back_channel());
                self.same("back channel", Some(back), value.as_bool());
            }
            "control_url" | "control_url_repaired" | "control_url_joined" | "video_control_url" => {
                let url = self.seen.base.as_ref().map(|b| b.control(media.control.as_deref()).to_string());
                self.same(key, url.as_deref(), text(value));
            }
            "control_url_rfc3986" => {
                let base = self.seen.base.as_ref();
                let url = base.and_then(|b| b.control_rfc3986(media.control.as_deref())).map(|u| u.to_string());
                self.same(key, url.as_deref(), text(value));
            }
            "must_not_appear_in_output" => {
                let url = self.seen.base.as_ref().map(|b| b.control(media.control.as_deref()));
                let shown = format!("{:?} {url:?} {:?}", self.seen.base, url.as_ref().map(RtspUrl::shown));
                self.must(key, !shown.contains(text(value).unwrap()));
            }
            _ => return false,
        }
        true
    }

    fn level(&mut self, found: Option<&str>, wanted: &Value) {
        let plain = |l: &str| l.strip_suffix(".0").unwrap_or(l).to_owned();
        self.same("level", found.map(plain), text(wanted).map(plain));
    }

    fn medias(&mut self, wanted: &[Value]) {
        let medias = self.seen.session.as_ref().map(|s| s.medias.clone()).unwrap_or_default();
        self.same("medias", medias.len(), wanted.len());
        for (media, wanted) in medias.iter().zip(wanted) {
            self.media(media, wanted);
        }
    }

    fn media(&mut self, media: &Media, wanted: &Value) {
        let stated = &wanted["codecs"][0];
        let kind = match media.kind {
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
            _ => "application",
        };
        if wanted["media"] == "video" || wanted["media"] == "audio" {
            self.same("media", Some(kind), text(&wanted["media"]));
        }
        let ours = media.video.as_ref().and_then(|v| v.codec).map(VideoCodec::as_str);
        let ours = ours.or(media.audio.as_ref().and_then(|a| a.codec).map(|c| c.as_str()));
        if kind != "application" {
            self.same("codec", ours, text(&stated["codec"]).and_then(codec));
        }
        self.same("control", media.control.as_deref(), text(&wanted["control"]));
        self.same("back channel", media.is_back_channel, wanted["back_channel"] == true);
        if let Some(base) = self.seen.base.clone()
            && let Some(url) = text(&wanted["control_url"]).and_then(AnnouncedUrl::read_rtsp)
        {
            // Another host than the one asked is replaced by it.
            self.same("control URL", base.control(media.control.as_deref()).target(), url.url.target());
        }
        if let Some(video) = &media.video {
            self.same("size", video.width.zip(video.height), size(&wanted["resolution"]));
            if let Some(sps) = stated["sps"].as_object() {
                self.same("profile", video.profile.as_deref(), text(&sps["profile"]));
                self.level(video.level.as_deref(), &sps["level"]);
                let fps = video.fps.filter(|_| video.fps_source == Some(FpsSource::Sps));
                let wanted = sps.get("fps").and_then(Value::as_f64);
                self.same("fps", fps.map(|f| (f * 1000.0).round() / 1000.0), wanted);
            }
        }
        if let Some(audio) = &media.audio
            && let Some(aac) = stated["aac_config"].as_object()
        {
            self.same("sample rate", audio.sample_rate_hz.map(u64::from), aac["sample_rate"].as_u64());
            self.same("channels", audio.channels.map(u64::from), aac["channels"].as_u64());
        }
    }

    fn onvif(&mut self, key: &str, value: &Value) -> bool {
        let Some(answer) = &self.seen.soap else { return false };
        let body = if let Answer::Body(body) = answer { body.clone() } else { Element::default() };
        let fault = if let Answer::Fault(fault) = answer { Some(fault.clone()) } else { None };
        let information = onvif::device_information(&body);
        match key {
            "Manufacturer" | "manufacturer" => {
                let wanted = text(value).and_then(camscan::text::clean_some);
                let says = wanted.as_deref().filter(|w| !vendor::says_nothing(w));
                self.must(
                    "manufacturer",
                    information.manufacturer.as_deref() == says || information.manufacturer == wanted,
                );
            }
            "Model" | "model" => self.same("model", information.model.as_deref(), text(value)),
            "model_prefix" => {
                self.must(key, body.find_text("Model").is_some_and(|m| m.starts_with(value.as_str().unwrap().trim())))
            }
            "FirmwareVersion" | "firmware" => self.same("firmware", information.firmware.as_deref(), text(value)),
            "SerialNumber" | "serial" => self.same("serial", information.serial.as_deref(), text(value)),
            "utc" => self.same("utc", onvif::utc(&body), text(value).map(|t| t.parse().unwrap())),
            "uri" | "lenient_uri" => self.same("uri", onvif::uri(&body), text(value)),
            "usable" => {
                let peer = self.want["peer"].as_str().unwrap();
                let url = onvif::uri(&body).and_then(|u| AnnouncedUrl::read_lenient(u, Scheme::Rtsp));
                self.same("usable", url.map(|a| a.url.at(peer)).as_deref(), text(value));
            }
            "must_not_appear_in_output" => {
                let url = onvif::uri(&body).and_then(|u| AnnouncedUrl::read_lenient(u, Scheme::Rtsp));
                self.must(key, !format!("{url:?}").contains(value.as_str().unwrap()));
            }
            "must_not_contain_byte" => self.must(key, !format!("{information:?}").contains("\\u{1b}")),
            "xaddrs" => {
                self.same("media service", onvif::capabilities(&body).media.as_deref(), value["Media"].as_str())
            }
            "services" => {
                let found = onvif::services(&body);
                self.same("media 2", found.media2.as_deref(), value["http://www.onvif.org/ver20/media/wsdl"].as_str());
                self.same("media", found.media.as_deref(), value["http://www.onvif.org/ver10/media/wsdl"].as_str());
            }
            "scopes" => {
                let wanted = value.as_array().unwrap().iter().filter(|s| !s.as_str().unwrap().ends_with('/')).count();
                self.same("scopes", onvif::scopes(&body).len(), wanted);
            }
            "profiles" => self.profiles(&onvif::profiles(&body), value.as_array().unwrap()),
            "code" => self.must(key, fault.is_some()),
            "reason" => self.same("reason", fault.as_ref().map(|f| f.reason.as_str()), value.as_str()),
            "subcodes" | "subcode" => {
                let all = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                let wanted = all.iter().map(|s| s.as_str().unwrap().trim_start_matches("ter:").to_owned()).collect();
                self.same("subcodes", fault.map(|f: Fault| f.subcodes).unwrap_or_default(), wanted);
            }
            "attempts_left" => self.must(key, fault.is_some()),
            "is_onvif" => self.same("is ONVIF", Some(*answer != Answer::NotSoap), value.as_bool()),
            "verdict" => {
                let holds = match value.as_str().unwrap() {
                    "clock skew" => fault.is_some_and(|f| f.is_about_the_clock()),
                    "locked" => fault.is_some(),
                    "no answer" => *answer == Answer::Empty,
                    "DTD refused" => *answer == Answer::NotSoap,
                    _ => false,
                };
                self.must(value.as_str().unwrap(), holds);
            }
            _ => return false,
        }
        true
    }

    fn profiles(&mut self, found: &[onvif::Profile], wanted: &[Value]) {
        self.same("profiles", found.len(), wanted.len());
        for (profile, wanted) in found.iter().zip(wanted) {
            self.same("token", Some(profile.token.as_str()), wanted["token"].as_str());
            let video = profile.video.clone().unwrap_or_default();
            self.must("encoding", video.codec.is_some() == wanted["encoding"].is_string());
            self.same("width", video.width.map(u64::from), wanted["width"].as_u64());
            self.same("height", video.height.map(u64::from), wanted["height"].as_u64());
            let limit = wanted["bitrate_limit"].as_u64().filter(|n| (1..=1_000_000).contains(n));
            self.same("bit rate", video.bitrate_kbps.map(u64::from), limit);
            let sound = profile.audio.as_ref().is_some_and(|a| a.codec.is_some());
            self.same("audio", sound, wanted["audio_encoding"].is_string());
        }
    }

    /// Answers to discovery.
    fn found(&mut self, key: &str, value: &Value) -> bool {
        match key {
            "devices" => {
                let mut devices: Vec<_> =
                    self.seen.matches.iter().filter(|m| m.sort().is_onvif()).map(|m| &m.endpoint).collect();
                devices.sort();
                devices.dedup();
                self.same("devices", Some(devices.len() as u64), value.as_u64());
            }
            "matches" => {
                let wanted = value.as_array().unwrap();
                self.same("matches", self.seen.matches.len(), wanted.len());
                for (m, wanted) in self.seen.matches.iter().zip(wanted) {
                    self.same("endpoint", m.endpoint.as_deref(), wanted["endpoint"].as_str());
                    let xaddrs: Vec<&str> =
                        wanted["xaddrs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                    self.same("XAddrs", m.xaddrs.iter().map(String::as_str).collect(), xaddrs);
                    let hardware = wanted["hardware"][0].as_str().filter(|h| !vendor::says_nothing(h));
                    self.same("hardware", m.said().hardware.as_deref(), hardware);
                    self.same("name", m.said().name.as_deref(), wanted["name"][0].as_str());
                }
            }
            "preferred" => {
                let plain = |u: &String| u.replace(":80/", "/").replace(":443/", "/");
                let wanted: Vec<&str> = value.as_array().unwrap().iter().filter_map(Value::as_str).collect();
                let ours: Vec<String> = self.seen.urls.iter().map(plain).collect();
                self.same("addresses", ours.iter().map(String::as_str).collect(), wanted);
            }
            "name" => {
                let verdict = self.seen.verdict();
                self.same("name", verdict.winner(Fact::Name), text(value));
            }
            // Answers to other probes are taken too: who answers is there.
            "relates_to" => self.must(key, !self.seen.matches.is_empty()),
            "location" if !self.seen.matches.is_empty() => {
                self.same(key, self.seen.matches[0].said().location.as_deref(), text(value));
            }
            "location" if self.seen.ssdp.is_some() => {
                self.same(key, self.seen.ssdp.as_ref().and_then(|a| a.location.as_deref()), text(value));
            }
            "location" => self.must(key, self.is_passed_over()),
            "is_answer" => self.same("is an answer", Some(self.seen.ssdp.is_some()), value.as_bool()),
            "search_target" => self.same(key, self.seen.ssdp.as_ref().and_then(|a| a.target.as_deref()), text(value)),
            "manufacturer" => {
                self.same(key, self.seen.description.as_ref().and_then(|d| d.manufacturer.as_deref()), text(value));
            }
            "model_number" => {
                self.same(key, self.seen.description.as_ref().and_then(|d| d.model_number.as_deref()), text(value));
            }
            "friendly_name" => {
                self.same(key, self.seen.description.as_ref().and_then(|d| d.friendly_name.as_deref()), text(value));
            }
            "verdict" if value == "ignore" => self.must("ignored", self.seen.ssdp.is_none()),
            _ => return false,
        }
        true
    }

    fn variants(&mut self, wanted: &[Value]) {
        let Some(Playlist::Master { variants, .. }) = &self.seen.playlist else { return self.must("variants", false) };
        self.same("variants", variants.len(), wanted.len());
        for (variant, wanted) in variants.iter().zip(wanted) {
            self.same("variant", Some(variant.uri.as_str()), wanted["uri"].as_str());
            let video = variant.video.clone().unwrap_or_default();
            self.same("size", video.width.zip(video.height), size(&wanted["resolution"]));
            self.same("fps", video.fps, wanted["fps"].as_f64());
            let bitrate = wanted["bandwidth"].as_u64().map(|b| b / 1000);
            self.same("bit rate", video.bitrate_kbps.map(u64::from), bitrate);
        }
    }

    fn web(&mut self, key: &str, value: &Value) -> bool {
        if key == "verdict" {
            let verdict = value.as_str().unwrap();
            match verdict {
                "auth required, scheme unknown" => {
                    let schemes = auth::schemes(&self.seen.challenges);
                    self.must(verdict, schemes.iter().all(|s| *s == AuthScheme::Other));
                }
                "body too large" => {
                    let cut = self.seen.http.as_ref().is_none_or(|h| h.truncated);
                    self.must(verdict, cut);
                }
                "not an image" => {
                    let none = self.seen.http.as_ref().is_some_and(|h| jpeg::find(&h.body).is_none());
                    self.must(verdict, none);
                }
                _ => return VERDICTS_ELSEWHERE.contains(&verdict),
            }
            return true;
        }
        let Some(web) = &self.seen.http else { return false };
        let title = page::title(&web.text).map(|t| camscan::text::clean(&t));
        match key {
            "body" => self.same(key, Some(web.text.as_str()), value.as_str()),
            "body_bytes" => self.same(key, Some(web.body.len() as u64), value.as_u64()),
            "title" => self.same(key, title.as_deref(), text(value)),
            "title_contains" => self.must(key, title.is_some_and(|t| t.contains(value.as_str().unwrap()))),
            "must_not_contain_byte" => self.must(key, title.is_none_or(|t| !t.contains('\u{1b}'))),
            "redirect" => {
                let to = page::refresh(&web.text).or_else(|| page::script_jump(&web.text));
                self.same(key, to.or(web.head.headers.text("Location").map(Into::into)).as_deref(), text(value));
            }
            "jpeg" => self.same(key, jpeg::find(&web.body).and_then(jpeg::size), size(value)),
            "playlist" => {
                // One that mixes both kinds of tags is taken for what its variants say.
                let kind = match self.seen.playlist {
                    Some(Playlist::Master { .. }) => "master",
                    Some(Playlist::Media(_)) => "media",
                    None => "none",
                };
                self.must(key, value.as_str().is_some_and(|wanted| wanted.contains(kind)));
            }
            "variants" => self.variants(value.as_array().unwrap()),
            "segments" | "live" => {
                let Some(Playlist::Media(media)) = &self.seen.playlist else { return false };
                let (segments, live) = (media.segments.len() as u64, !media.ended);
                self.must(
                    key,
                    value.as_u64().is_none_or(|n| n == segments) && value.as_bool().is_none_or(|l| l == live),
                );
            }
            "frames" => self.same(key, Some(web.pictures.len() as u64), value.as_u64()),
            _ => return false,
        }
        true
    }
}
