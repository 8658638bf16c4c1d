//! Looks for MJPEG on a host's HTTP ports and proves it by its pictures.

use std::sync::Arc;

use tokio::time::Instant;

use super::measure::{MeasuredPictures, measure};
use super::wire;
use crate::identify::stream_url;
use crate::media::picture::Picture;
use crate::model::{
    ErrorKind, Evidence, EvidenceSource, Fact, FindingKind, Kind, Protocol, Service, Stage, Step, Stream, StreamSource,
    StreamStatus, Verify, Video, VideoCodec,
};
use crate::probe::memory::Kept;
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::client;
use crate::protocol::http::exchange::Body;
use crate::protocol::http::message::{Request, Response};
use crate::protocol::http::{page, redirect};
use crate::protocol::proof::{IMPOSSIBLE_PATH, Proof, Stop, web_ports};
use crate::protocol::snapshot;
use crate::wire::buffer::MEDIUM;
use crate::wire::url::{AnnouncedUrl, Endpoint, HostUrl, Scheme};

/// Streams reported of one host at most.
const MAX_STREAMS: usize = 8;
/// Paths asked on one port at most.
const MAX_PATHS: usize = 16;
/// Places asked for a still picture on one port at most.
const MAX_STILLS: usize = 4;
/// Bytes that tell at the latest what a body is.
const ENOUGH: usize = 512;
/// Places of moving pictures that a server says it has not, before the one it locks is taken for such a place.
const TELLING: usize = 2;

/// The analysis of MJPEG streams.
pub const PROBE: Probe = Probe { stage: Stage::Mjpeg, phase: Phase::Walk, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if host.options.verify == Verify::None || host.record.is_clearly_no_camera() {
        return;
    }
    let mut walk = Walk { host, found: Vec::new(), asked: Vec::new(), natures: Vec::new(), still: None };
    walk.announced().await;
    if !host.record.may_guess() {
        return;
    }
    let ports = web_ports(host);
    for service in &ports {
        walk.port(service).await;
    }
    if walk.found.is_empty() && !walk.has_rtsp() {
        walk.still(&ports).await;
    }
}

/// A stream, and a picture that came over it.
type Found = (Stream, Option<Kept<Picture>>);

/// What a server does with a path that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// Says so.
    Honest,
    /// Sends its stream.
    AnyPath,
    /// Anything else: what it says of other paths proves nothing.
    Unclear,
}

struct Walk<'a> {
    host: &'a Inspection,
    found: Vec<HostUrl>,
    asked: Vec<HostUrl>,
    natures: Vec<(Endpoint, Nature)>,
    /// The first still picture met on the way; emitted where nothing moves.
    still: Option<Found>,
}

impl Walk<'_> {
    fn is_over(&self) -> bool {
        self.host.peer.is_over() || self.found.len() >= MAX_STREAMS
    }

    fn has_rtsp(&self) -> bool {
        self.host.record.services().iter().any(|s| matches!(s.protocol, Protocol::Rtsp | Protocol::Rtsps))
            || self.host.record.hints().iter().any(|h| h.url.starts_with("rtsp"))
    }

    /// The HTTP addresses that the device itself or its start page named as streams, but for those of other kinds.
    async fn announced(&mut self) {
        let mut named = Vec::new();
        for hint in self.host.record.hints() {
            let announced = AnnouncedUrl::read_lenient(&hint.url, Scheme::Http).map(|a| a.url);
            if let Some(url) = announced.filter(|url| url.scheme.is_http() && !is_of_another_kind(url.target())) {
                named.push(url);
            }
        }
        // Where every path gives the stream, the root is the name it has when it has no other.
        named.sort_by_key(|url| url.target() == "/");
        for url in named {
            self.ask(url, false, 0).await;
        }
    }

    /// The links of a port's page, then the places where the maker puts MJPEG, then the common ones; those only for hosts
    /// that have no better stream.
    async fn port(&mut self, service: &Service) {
        let at = Endpoint::of(service);
        let mut urls = self.links(at).await;
        let usual = self.host.signatures.stream_urls();
        let common = usual.mjpeg(None);
        // A server may speak RTSP and have its stream elsewhere.
        let has_better = self.host.record.has_stream(&[Protocol::Rtsp, Protocol::Rtsps])
            || self.host.record.hints().iter().any(|h| h.url.starts_with("rtsp"));
        let vendor = self.host.record.vendor();
        for candidate in usual.mjpeg(vendor.as_deref()) {
            let is_common = common.iter().any(|c| c.path == candidate.path);
            if candidate.port.is_none_or(|p| p == at.port) && !(is_common && has_better) {
                urls.push(at.http(&candidate.path));
            }
        }
        urls.truncate(MAX_PATHS);
        let found_before = self.found.len();
        let mut missing = 0;
        for url in urls {
            let is_guess = common.iter().any(|c| c.path == url.target());
            if self.is_over()
                || self.host.peer.history.has_hung(at.port)
                || (is_guess && self.found.len() > found_before)
            {
                return;
            }
            let nature = self.nature(at).await;
            if nature == Nature::AnyPath {
                // One picture, by whatever name.
                self.ask(at.http("/"), false, 0).await;
                return;
            }
            // A server that demands a login for every path says nothing by it.
            let selective = nature == Nature::Honest;
            let known_by = if selective { missing } else { 0 };
            missing += usize::from(self.ask(url, selective, known_by).await == Some(404));
        }
    }

    /// Whether the user's login is given where one is demanded: to what is known to film, and where it has worked before.
    fn may_log_in(&self) -> bool {
        // A media server's ports have rights of their own, and its API refuses who may watch.
        let is_media_server = || self.host.record.vendor().as_deref().is_some_and(|v| stream_url::named(v).is_some());
        (self.host.record.is_like_a_camera() || self.host.peer.logins.worked().is_some()) && !is_media_server()
    }

    async fn links(&mut self, at: Endpoint) -> Vec<HostUrl> {
        let request = Request { login: self.may_log_in(), ..Request::get(at, "/") };
        let Ok(front) = client::send(&self.host.peer, request).await else { return Vec::new() };
        let html = page::decode(&front.body, front.header("Content-Type").as_deref());
        let links = page::links(&html, 64).into_iter().filter(|link| is_like_a_stream(link));
        links
            .filter_map(|link| redirect::resolve(&link, &front, self.host.peer.ip, &self.host.peer.name).ok())
            .map(|hop| hop.url)
            .take(MAX_PATHS / 2)
            .collect()
    }

    fn has_one(&self, at: Endpoint) -> bool {
        self.found.iter().any(|url| url.endpoint() == at)
    }

    /// What the server does with a path that it has not, asked once.
    async fn nature(&mut self, at: Endpoint) -> Nature {
        if let Some((_, nature)) = self.natures.iter().find(|(known, _)| *known == at) {
            return *nature;
        }
        let request = Request { follow: false, login: self.may_log_in(), ..Request::get(at, IMPOSSIBLE_PATH) };
        let nature = match client::open(&self.host.peer, request).await {
            Ok((answer, _)) if matches!(answer.status, 400 | 404 | 410) => Nature::Honest,
            Ok((answer, _)) if answer.status == 200 && wire::is_multipart(&answer.content_type()) => Nature::AnyPath,
            _ => Nature::Unclear,
        };
        self.natures.push((at, nature));
        nature
    }

    /// Asks one address and gives the status. `selective` says that a demand for a login means that there is something,
    /// `missing` how many other places of moving pictures the server said it has not.
    async fn ask(&mut self, url: HostUrl, selective: bool, missing: usize) -> Option<u16> {
        let (at, target) = (url.endpoint(), url.target());
        let same = |known: &HostUrl| {
            known.endpoint() == at && known.target().trim_end_matches('/') == target.trim_end_matches('/')
        };
        if self.is_over() || self.asked.iter().any(same) {
            return None;
        }
        self.asked.push(url.clone());
        if target == "/" && self.has_one(at) && self.nature(at).await == Nature::AnyPath {
            return None;
        }
        // Of all places where moving pictures may be it has this one, and locks it: that is no chance. The root with a
        // question is locked as the root is, and says nothing.
        let telling = missing >= TELLING && !target.starts_with("/?");
        let may_log_in = self.may_log_in();
        let started = Instant::now();
        let request = Request { login: may_log_in, ..Request::of(&url) };
        let (mut response, mut body) = client::open(&self.host.peer, request.clone()).await.ok()?;
        if response.status == 401 && telling && !may_log_in {
            (response, body) = client::open(&self.host.peer, request.with_login()).await.ok()?;
        }
        let status = response.status;
        let found = match status {
            200 if wire::is_multipart(&response.content_type()) => {
                prove(self.host, &response, started, &[], body).await
            }
            200 if wire::may_be_pictures(&response.content_type()) => {
                let Some(found) = look(self.host, &response, started, body).await else { return Some(status) };
                if found.0.protocol == Protocol::Snapshot {
                    // Until the walk is over no large picture is held: it can be asked for again.
                    let (stream, picture) = found;
                    self.still.get_or_insert((stream, picture.filter(|p| p.bytes.len() <= MEDIUM)));
                    return Some(status);
                }
                found
            }
            401 if selective && (may_log_in || !target.starts_with("/?")) => {
                (refused(self.host, &response, may_log_in || telling), None)
            }
            _ => return Some(status),
        };
        self.found.push(url);
        if status == 401 && telling {
            let kind = Evidence::new(Fact::Kind, Kind::Camera.as_str(), EvidenceSource::HttpPage, 0.4);
            let kind = kind.with_detail("moving pictures behind a login");
            self.host.emit(FindingKind::Evidence(kind)).await;
        }
        self.emit(found).await;
        Some(status)
    }

    /// The still picture met on the way; of a device that films, else the one where its maker or many put it.
    async fn still(&mut self, ports: &[Service]) {
        let vendor = self.host.record.vendor();
        if self.host.record.is_like_a_camera() {
            for service in ports {
                for candidate in
                    self.host.signatures.stream_urls().snapshot(vendor.as_deref(), 1).into_iter().take(MAX_STILLS)
                {
                    if self.still.is_none()
                        && !self.host.peer.history.has_hung(service.port)
                        && candidate.port.is_none_or(|p| p == service.port)
                    {
                        self.ask(Endpoint::of(service).http(&candidate.path), false, 0).await;
                    }
                }
            }
        }
        if let Some(still) = self.still.take().filter(|_| self.found.is_empty()) {
            self.emit(still).await;
        }
    }

    async fn emit(&mut self, (mut stream, picture): Found) {
        snapshot::save(self.host, &mut stream, picture.as_deref()).await;
        self.host.emit(FindingKind::Stream(Box::new(stream))).await;
    }
}

/// Whether an address is a playlist's, a manifest's or one that takes offers: asked by those who read them.
fn is_of_another_kind(target: &str) -> bool {
    let target = target.to_ascii_lowercase();
    [".m3u8", ".mpd", "whep", "/api/webrtc"].iter().any(|word| target.contains(word))
}

/// Whether a link may lead to pictures that move, or to one of what the camera sees.
fn is_like_a_stream(link: &str) -> bool {
    let link = link.to_ascii_lowercase();
    const MOVING: [&str; 9] =
        ["mjpg", "mjpeg", "video.cgi", "videostream", "faststream", "motionjpeg", "action=stream", "/stream", "/video"];
    const STILL: [&str; 6] = ["snapshot", "/snap.", "/shot.jpg", "image.jpg", "image.cgi", "cam_pic"];
    MOVING.iter().chain(&STILL).any(|word| link.contains(word))
        && ![".js", ".css", ".html", ".htm", ".m3u8", ".mpd", ".mp4", ".png", ".svg"].iter().any(|e| link.ends_with(e))
}

/// A stream behind a login; `was_given` says that a login was allowed to be given.
fn refused(host: &Inspection, response: &Response, was_given: bool) -> Stream {
    let mut proof = Proof::connected(&host.peer, Protocol::Mjpeg, response);
    let mut why = Stop::of_status(&host.peer, 401);
    if why.kind == ErrorKind::AuthRefused && !was_given {
        let message = "a login is demanded; none was given, since nothing else says that this is a camera";
        why = Stop::new(why.status, ErrorKind::AuthRequired, message);
    }
    proof.stop(Step::Spoken, why);
    proof.stream
}

/// Looks at the beginning of a body that does not say what it is; none when it is no picture. One that ends behind its
/// first picture is a still one.
async fn look(host: &Inspection, response: &Response, started: Instant, mut body: Body) -> Option<Found> {
    let until = host.peer.deadline.min(Instant::now() + host.options.request_timeout);
    let mut begun = Vec::new();
    while begun.len() < ENOUGH && !wire::begins_with_picture(&begun) {
        match body.next(until).await {
            Ok(Some(bytes)) => begun.extend_from_slice(&bytes),
            _ => break,
        }
    }
    if !wire::begins_with_picture(&begun) {
        return None;
    }
    Some(prove(host, response, started, &begun, body).await)
}

/// Reads pictures until the measuring time is over; where media are not to be asked for, the first bytes have to do.
/// Gives the first picture, too.
async fn prove(host: &Inspection, response: &Response, started: Instant, begun: &[u8], body: Body) -> Found {
    let mut proof = Proof::answered(&host.peer, Protocol::Mjpeg, response, started.elapsed());
    proof.stream.status = StreamStatus::Described;
    proof.stream.video = Some(Video { codec: Some(VideoCodec::Mjpeg), ..Video::default() });
    if host.options.verify < Verify::Frames {
        if response.content_type().starts_with("image/") {
            proof.stream.protocol = Protocol::Snapshot;
        }
        return (proof.stream, None);
    }
    let asked = Instant::now();
    let measured = measure(host, begun, body).await;
    if let Some(first_at) = measured.first_at {
        proof.reached(Step::Frame, first_at.saturating_duration_since(asked));
        if measured.is_still() {
            // A picture is there, and nothing of it streams.
            proof.stream.protocol = Protocol::Snapshot;
            proof.stream.sources.push(StreamSource::Frames);
            proof.warn("single pictures: nothing streams");
        } else {
            // Every picture of MJPEG is a key frame.
            proof.reached(Step::Keyframe, first_at.saturating_duration_since(asked));
            proof.streams();
        }
        proof.stream.video = Some(video(&measured));
    } else {
        proof.stop(Step::Frame, measured.why());
    }
    let MeasuredPictures { first, room, .. } = measured;
    let picture = first.map(|bytes| Picture { codec: VideoCodec::Mjpeg, bytes });
    (proof.stream, picture.map(|picture| Kept::new(picture, Some(Arc::new(room)))))
}

fn video(measured: &MeasuredPictures) -> Video {
    let (width, height) = measured.first_size.unzip();
    Video {
        codec: Some(VideoCodec::Mjpeg),
        width,
        height,
        measured_fps: measured.rates().fps_to_a_tenth(),
        measured_kbps: measured.rates().kbps,
        ..Video::default()
    }
}

#[cfg(test)]
mod tests;
