//! One file in, what the scanner's own functions see in it out.

use std::net::IpAddr;

use camscan::identify::signature::{Field, Signatures};
use camscan::identify::{Verdict, weigh};
use camscan::media::{aac, h264, h265, jpeg, mpeg4, nal};
use camscan::model::{Evidence, FindingKind, Video, VideoCodec};
use camscan::probe::evidence::Facts;
use camscan::protocol::hls::wire::{self as hls, Playlist};
use camscan::protocol::http::{page, wire as http};
use camscan::protocol::mjpeg::wire::Pictures;
use camscan::protocol::onvif::soap;
use camscan::protocol::rtsp::sdp::Session;
use camscan::protocol::rtsp::url::RtspUrl;
use camscan::protocol::rtsp::wire::{Decoder, Item, Next, Response};
use camscan::protocol::{ssdp, wsdd};
use camscan::wire::auth::{self, Challenge};
use camscan::wire::url::AnnouncedUrl;
use serde_json::{Value, json};

/// What was seen in a file.
#[derive(Default)]
pub struct Seen {
    /// Everything that speaks for a maker, a model, a kind.
    pub evidence: Vec<Evidence>,
    pub rtsp: Vec<Item>,
    pub session: Option<Session>,
    /// What the description's controls are relative to.
    pub base: Option<RtspUrl>,
    pub soap: Option<soap::Answer>,
    pub matches: Vec<wsdd::wire::Match>,
    pub ssdp: Option<ssdp::wire::Answer>,
    pub description: Option<ssdp::description::Description>,
    /// Addresses of services said.
    pub urls: Vec<String>,
    pub http: Option<Web>,
    pub challenges: Vec<Challenge>,
    pub playlist: Option<Playlist>,
    /// Frames of a piece of a stream.
    pub video: Option<Video>,
}

/// An HTTP answer.
pub struct Web {
    pub head: http::Head,
    pub body: Vec<u8>,
    /// The body passed the cap.
    pub truncated: bool,
    pub text: String,
    pub pictures: Vec<Vec<u8>>,
}

impl Seen {
    pub fn verdict(&self) -> Verdict {
        weigh(&self.evidence)
    }

    pub fn responses(&self) -> Vec<&Response> {
        self.rtsp.iter().filter_map(|i| if let Item::Response(r) = i { Some(r) } else { None }).collect()
    }

    fn match_signatures(&mut self, field: Field, text: Option<&str>) {
        if let Some(text) = text {
            self.evidence.extend(Signatures::builtin().evidence(field, text));
        }
    }

    fn take(&mut self, facts: Facts) {
        for (field, text) in &facts.observed {
            self.match_signatures(*field, Some(text));
        }
        for finding in facts.findings {
            match finding {
                FindingKind::Evidence(evidence) => self.evidence.push(evidence),
                FindingKind::Service(service) | FindingKind::Announced(service) => self.urls.extend(service.url),
                _ => {}
            }
        }
    }
}

/// What a piece of a stream must be, from its name: `camera_h264_1280x720_25fps.h264`.
pub fn named(name: &str) -> Option<Value> {
    let mut want = json!({ "kind": "media" });
    for word in name.strip_prefix("media/")?.split(['_', '.']) {
        if let Some((w, h)) = word.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?))) {
            let (w, h): (u32, u32) = (w, h);
            want["resolution"] = json!([w, h]);
        }
        match word {
            "h264" => want["codec"] = "H.264".into(),
            "h265" => want["codec"] = "H.265".into(),
            "mpeg4" => want["codec"] = "MPEG-4".into(),
            "jpg" => want["codec"] = "JPEG".into(),
            _ => {}
        }
    }
    Some(want)
}

/// Reads a file as what it is; none when nobody can.
pub fn read(name: &str, bytes: &[u8], want: &Value) -> Option<Seen> {
    let mut seen = Seen::default();
    let peer: IpAddr = want["peer"].as_str().unwrap_or("192.0.2.33").parse().unwrap();
    match want["kind"].as_str()? {
        "rtsp-response" | "rtsp_status" | "rtsp_401" | "rtsp_describe" | "rtsp_interleaved" => {
            rtsp(&mut seen, bytes, want)
        }
        "sdp" => describe(&mut seen, bytes),
        "onvif" | "onvif-soap" | "text log (not a datagram)" if name.contains("probe_") => {
            seen.matches = wsdd::wire::parse(bytes);
            if let Some(first) = seen.matches.first() {
                let facts = wsdd::facts::of_match(first, peer);
                seen.take(facts);
            }
        }
        "onvif" | "onvif-soap" => {
            let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").filter(|_| bytes.starts_with(b"HTTP/"));
            seen.soap = Some(soap::read(&bytes[head.map_or(0, |at| at + 4)..]));
        }
        "ssdp" | "upnp-description" if name.ends_with(".xml") => {
            let location = want["location_used"].as_str().or(want["url_base"].as_str());
            let location = AnnouncedUrl::read_http(location.unwrap_or("http://192.0.2.33:80/rootdesc.xml")).unwrap();
            let host = location.ip().unwrap();
            seen.description = ssdp::description::parse(bytes, &location);
            let facts = seen.description.as_ref()?.facts(host);
            seen.take(facts);
        }
        "ssdp" => {
            seen.ssdp = ssdp::wire::parse(bytes);
            if let Some(answer) = &seen.ssdp {
                let location = answer.location.as_deref().and_then(AnnouncedUrl::read_http).and_then(|l| l.ip());
                let facts = answer.facts(location.unwrap_or(peer));
                seen.take(facts);
            }
        }
        "http" if name.ends_with(".m3u8") => {
            seen.playlist = hls::parse(bytes);
            // Judged like a page whose body it is.
            web(&mut seen, &[b"HTTP/1.1 200 OK\r\n\r\n", bytes].concat())?;
        }
        "http" => web(&mut seen, bytes)?,
        "header values" => {
            let values: Value = serde_json::from_slice(bytes).unwrap();
            for value in values.as_array().unwrap() {
                let found = auth::challenges([value["value"].as_str().unwrap()]);
                assert!(auth::choose(&found).is_some(), "{name}: {value}");
                seen.challenges.extend(found);
            }
        }
        "media" => seen.video = Some(frames(name, bytes)?),
        _ => return None,
    }
    Some(seen)
}

fn rtsp(seen: &mut Seen, bytes: &[u8], want: &Value) {
    let interleaved = want["kind"] == "rtsp_interleaved" || want["kind"] == "rtsp_status" || want["kind"] == "rtsp_401";
    let mut decoder = Decoder::default();
    decoder.buffer.extend_from_slice(bytes);
    while let Next::Item(item) = decoder.next(!interleaved) {
        seen.rtsp.push(item);
    }
    while let Next::Item(item) = decoder.finish(!interleaved) {
        seen.rtsp.push(item);
    }
    let Some(answer) = seen.responses().first().copied().cloned() else { return };
    let header = |name: &str| answer.headers.text(name).map(|text| text.into_owned());
    seen.match_signatures(Field::RtspServer, answer.headers.clean("Server").as_deref());
    seen.match_signatures(Field::RtspPublic, header("Public").as_deref());
    seen.challenges = auth::challenges(answer.headers.all("WWW-Authenticate"));
    for challenge in seen.challenges.clone() {
        seen.match_signatures(Field::Realm, challenge.realm().as_deref());
    }
    let asked = want["request_url"].as_str().or(want["request_url_assumed"].as_str()).and_then(rtsp_url);
    let (base, location) = (header("Content-Base"), header("Content-Location"));
    seen.base = asked.map(|asked| asked.base(base.as_deref(), location.as_deref()));
    describe(seen, &answer.body);
}

fn describe(seen: &mut Seen, sdp: &[u8]) {
    seen.session = Session::parse(sdp);
    let Some(session) = seen.session.clone() else { return };
    for text in [session.name, session.information, session.tool, session.origin] {
        seen.match_signatures(Field::SdpSession, text.as_deref());
    }
    for attribute in String::from_utf8_lossy(sdp).lines().filter_map(|l| l.trim().strip_prefix("a=")) {
        seen.match_signatures(Field::SdpAttribute, Some(attribute));
    }
}

fn web(seen: &mut Seen, bytes: &[u8]) -> Option<()> {
    const MOST: usize = 256 * 1024;
    let http::Start::Head(head, length) = http::parse_start(bytes, true) else { return None };
    let mut raw = Vec::new();
    head.body("GET").decode(&bytes[length..], &mut raw);
    let mut pictures = Pictures::default();
    pictures.push(&raw);
    let pictures: Vec<Vec<u8>> = std::iter::from_fn(|| pictures.next_picture()).collect();
    let (body, truncated) = http::unpack(raw, head.headers.text("Content-Encoding").as_deref(), MOST);
    let text = page::decode(&body, head.headers.text("Content-Type").as_deref());
    seen.match_signatures(Field::HttpServer, head.headers.text("Server").as_deref());
    seen.match_signatures(Field::HttpTitle, page::title(&text).map(|t| camscan::text::clean(&t)).as_deref());
    seen.match_signatures(Field::HttpBody, Some(&text));
    seen.challenges = auth::challenges(head.headers.all("WWW-Authenticate"));
    for challenge in seen.challenges.clone() {
        seen.match_signatures(Field::Realm, challenge.realm().as_deref());
    }
    seen.http = Some(Web { head, body, truncated, text, pictures });
    Some(())
}

/// Codec and size of a piece of a stream, from the stream itself.
fn frames(name: &str, bytes: &[u8]) -> Option<Video> {
    let video = |codec, (width, height): (u32, u32)| Video {
        codec: Some(codec),
        width: Some(width),
        height: Some(height),
        ..Video::default()
    };
    if name.ends_with(".adts") {
        return aac::Adts::parse(bytes).filter(|a| a.sample_rate_hz == 16_000).map(|_| Video::default());
    }
    if let Some(size) = jpeg::size(bytes).filter(|_| name.ends_with(".jpg")) {
        return Some(video(VideoCodec::Mjpeg, size));
    }
    if name.ends_with(".m4v") {
        let config = mpeg4::Config::parse(bytes)?;
        return Some(video(VideoCodec::Mpeg4, config.size?));
    }
    let mut units = nal::annex_b(bytes);
    if name.ends_with(".h264") {
        let sps = units.find(|n| h264::nal_type(n) == h264::SPS)?;
        let sps = h264::Sps::parse(sps)?;
        return Some(video(VideoCodec::H264, (sps.shape.width, sps.shape.height)));
    }
    let sps = units.find(|n| h265::nal_type(n) == h265::SPS)?;
    let sps = h265::Sps::parse(sps)?;
    Some(video(VideoCodec::H265, (sps.shape.width, sps.shape.height)))
}

/// An RTSP URL of a capture at the address it names.
pub fn rtsp_url(text: &str) -> Option<RtspUrl> {
    let announced = AnnouncedUrl::read_rtsp(text)?;
    Some(RtspUrl::at(announced.ip()?, announced.url))
}
