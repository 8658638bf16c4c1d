//! Looks for MJPEG on a host's HTTP ports and proves it by its pictures.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::wire::{self, Pictures};
use crate::identify::stream_url;
use crate::media::jpeg;
use crate::media::picture::Picture;
use crate::model::{
    ErrorKind, FindingKind, LadderStep, Protocol, Service, Step, Stream, StreamError, StreamSource, StreamStatus,
    Transport, Verify, Video, VideoCodec,
};
use crate::probe::{HostContext, HostProbe};
use crate::protocol::http::client::{self, Request, Response};
use crate::protocol::http::exchange::Body;
use crate::protocol::http::{page, redirect};
use crate::protocol::onvif::address::Address;
use crate::protocol::{snapshot, transcript};
use crate::text;

/// Streams reported of one host at most.
const MAX_STREAMS: usize = 8;
/// Paths asked on one port at most.
const MAX_PATHS: usize = 16;
/// Ports asked at most.
const MAX_PORTS: usize = 6;
/// A path no server has.
const IMPOSSIBLE: &str = "/camscan-no-such-path";

/// The analysis of MJPEG streams.
pub struct MjpegAnalysis;

impl HostProbe for MjpegAnalysis {
    fn name(&self) -> &'static str {
        "mjpeg"
    }

    fn run<'a>(&'a self, host: &'a HostContext) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if host.options.verify == Verify::None || host.is_clearly_no_camera() {
                return;
            }
            let mut walk = Walk { host, found: 0, asked: Vec::new() };
            walk.announced().await;
            if host.may_guess() {
                for service in ports(host) {
                    walk.port(&service).await;
                }
            }
        })
    }
}

/// The HTTP services, plain before TLS: both mostly show the same.
fn ports(host: &HostContext) -> Vec<Service> {
    let is_web = |s: &Service| matches!(s.protocol, Protocol::Http | Protocol::Https) && s.transport == Transport::Tcp;
    let mut services: Vec<Service> = host.services().into_iter().filter(is_web).collect();
    services.sort_by_key(|s| (s.protocol == Protocol::Https, s.port));
    let has_plain = services.iter().any(|s| s.protocol == Protocol::Http);
    services.retain(|s| s.protocol == Protocol::Http || !has_plain);
    services.truncate(MAX_PORTS);
    services
}

/// A place on the host: port, TLS, path.
type Place = (u16, bool, String);

struct Walk<'a> {
    host: &'a HostContext,
    found: usize,
    asked: Vec<Place>,
}

impl Walk<'_> {
    fn is_over(&self) -> bool {
        self.host.is_over() || self.found >= MAX_STREAMS
    }

    /// The HTTP addresses that the device itself or its start page named as streams.
    async fn announced(&mut self) {
        for hint in self.host.hints() {
            let address = Address::read(&hint.url, "http", self.host.ip, &self.host.name);
            if let Some(address) = address.filter(|a| a.scheme.starts_with("http")) {
                let target = if address.target.is_empty() { "/".to_owned() } else { address.target.clone() };
                self.ask((address.port_or_default(), address.tls(), target), false).await;
            }
        }
    }

    /// The links of a port's page, then the places where the maker puts MJPEG, then the common ones; those only for hosts
    /// that have no better stream.
    async fn port(&mut self, service: &Service) {
        let (port, tls) = (service.port, service.protocol == Protocol::Https);
        let mut paths = self.links(port, tls).await;
        let common = stream_url::mjpeg(None);
        let has_rtsp = self.host.services().iter().any(|s| matches!(s.protocol, Protocol::Rtsp | Protocol::Rtsps))
            || self.host.hints().iter().any(|h| h.url.starts_with("rtsp"));
        let vendor = self.host.vendor();
        for candidate in stream_url::mjpeg(vendor.as_deref()) {
            let is_common = common.iter().any(|c| c.path == candidate.path);
            if candidate.port.is_none_or(|p| p == port) && !(is_common && has_rtsp) {
                paths.push((port, tls, candidate.path));
            }
        }
        paths.truncate(MAX_PATHS);
        // A server that demands a login for every path says nothing by it.
        let mut selective = None;
        let found_before = self.found;
        for place in paths {
            let is_guess = common.iter().any(|c| c.path == place.2);
            if self.is_over() || (is_guess && self.found > found_before) {
                return;
            }
            if selective.is_none() {
                selective = Some(self.is_selective(port, tls).await);
            }
            self.ask(place, selective.unwrap_or(false)).await;
        }
    }

    async fn links(&mut self, port: u16, tls: bool) -> Vec<Place> {
        let Ok(front) = client::send(self.host, Request::get(port, tls, "/")).await else { return Vec::new() };
        let html = page::decode(&front.body, front.header("Content-Type"));
        let links = page::links(&html, 64).into_iter().filter(|link| is_like_a_stream(link));
        links
            .filter_map(|link| redirect::resolve(&link, &front, self.host.ip, &self.host.name).ok())
            .map(|hop| (hop.port, hop.tls, hop.target))
            .take(MAX_PATHS / 2)
            .collect()
    }

    /// Whether the server tells paths it has from those it has not.
    async fn is_selective(&self, port: u16, tls: bool) -> bool {
        let request = Request { max_body: 1024, follow: false, ..Request::get(port, tls, IMPOSSIBLE) };
        client::send(self.host, request).await.is_ok_and(|answer| matches!(answer.status, 400 | 404 | 410))
    }

    /// Asks one place. `selective` says that a demand for a login means that there is something.
    async fn ask(&mut self, place: Place, selective: bool) {
        if self.is_over() || self.asked.contains(&place) {
            return;
        }
        self.asked.push(place.clone());
        let (port, tls, target) = place;
        let request = Request { login: self.host.is_like_a_camera(), ..Request::get(port, tls, target) };
        let started = Instant::now();
        let Ok((response, body)) = client::open(self.host, request).await else { return };
        let stream = match response.status {
            200 if wire::is_multipart(&response.content_type()) => prove(self.host, &response, body, started).await,
            401 if selective => (refused(self.host, &response), None),
            _ => return,
        };
        self.found += 1;
        let (mut stream, picture) = stream;
        snapshot::save(self.host, &mut stream, picture.as_ref()).await;
        self.host.say(FindingKind::Stream(Box::new(stream))).await;
    }
}

/// Whether a link may lead to moving pictures.
fn is_like_a_stream(link: &str) -> bool {
    let link = link.to_ascii_lowercase();
    ["mjpg", "mjpeg", "video.cgi", "videostream", "faststream", "motionjpeg", "action=stream", "/stream", "/video"]
        .iter()
        .any(|word| link.contains(word))
        && ![".js", ".css", ".html", ".htm", ".m3u8", ".mp4"].iter().any(|end| link.ends_with(end))
}

/// A stream as far as its headers tell.
fn stream_at(host: &HostContext, response: &Response) -> Stream {
    let mut stream = Stream::new(text::redact_url(&response.url(host)), Protocol::Mjpeg);
    stream.answers = transcript::of_http(host, response);
    stream.warnings.extend(response.notes.iter().cloned());
    stream.ladder.push(step(Step::Tcp, response.connected_in));
    stream.ladder.extend(response.tls_in.map(|took| step(Step::Tls, took)));
    stream
}

fn step(step: Step, took: Duration) -> LadderStep {
    LadderStep { step, ok: true, ms: took.as_secs_f64() * 1000.0 }
}

fn failed(step: Step) -> LadderStep {
    LadderStep { step, ok: false, ms: 0.0 }
}

fn refused(host: &HostContext, response: &Response) -> Stream {
    let mut stream = stream_at(host, response);
    stream.ladder.push(failed(Step::Spoken));
    stream.open = Some(false);
    stream.status = StreamStatus::AuthRequired;
    let (kind, message) = match host.logins.stopped() {
        Some(why) => (ErrorKind::Locked, why),
        None if host.credentials().is_empty() => (ErrorKind::AuthRequired, "a login is demanded".to_owned()),
        None => (ErrorKind::AuthRefused, "the login was refused".to_owned()),
    };
    stream.error = Some(StreamError { kind, message });
    stream
}

/// Reads pictures until the measuring time is over. Gives the first, too.
async fn prove(host: &HostContext, response: &Response, body: Body, started: Instant) -> (Stream, Option<Picture>) {
    let mut stream = stream_at(host, response);
    let spoken = started.elapsed().saturating_sub(response.connected_in + response.tls_in.unwrap_or_default());
    stream.ladder.push(step(Step::Spoken, spoken));
    stream.open = Some(!response.logged_in);
    stream.status = StreamStatus::Described;
    stream.video = Some(Video { codec: Some(VideoCodec::Mjpeg), ..Video::default() });
    if host.options.verify < Verify::Frames {
        return (stream, None);
    }
    let asked = Instant::now();
    let measured = measure(host, body).await;
    match (&measured.first_size, measured.first_at) {
        (Some((width, height)), Some(first_at)) => {
            stream.status = StreamStatus::Streaming;
            stream.sources.push(StreamSource::Frames);
            let took = first_at.saturating_duration_since(asked);
            // Every picture of MJPEG is a key frame.
            stream.ladder.extend([step(Step::Frame, took), step(Step::Keyframe, took)]);
            stream.video = Some(Video {
                codec: Some(VideoCodec::Mjpeg),
                width: *width,
                height: *height,
                measured_fps: measured.fps(),
                measured_kbps: measured.kbps(),
                ..Video::default()
            });
        }
        _ => {
            stream.status = StreamStatus::NoData;
            stream.ladder.push(failed(Step::Frame));
            stream.error = Some(measured.why());
        }
    }
    (stream, measured.first.map(|bytes| Picture { codec: VideoCodec::Mjpeg, bytes }))
}

/// What came in the measuring time.
#[derive(Default)]
struct Measured {
    /// Size of the first picture, as far as its header tells.
    first_size: Option<(Option<u32>, Option<u32>)>,
    first: Option<Vec<u8>>,
    first_at: Option<Instant>,
    last_at: Option<Instant>,
    /// Pictures after the first, and their bytes.
    pictures: u32,
    bytes: u64,
    overlong: bool,
    ended: bool,
}

impl Measured {
    fn span(&self) -> Option<f64> {
        let span = self.last_at?.saturating_duration_since(self.first_at?).as_secs_f64();
        // A burst out of a buffer says nothing about the rate.
        (span >= 0.2).then_some(span)
    }

    fn fps(&self) -> Option<f64> {
        let fps = f64::from(self.pictures) / self.span()?;
        Some((fps * 10.0).round() / 10.0)
    }

    fn kbps(&self) -> Option<u32> {
        Some((self.bytes as f64 * 8.0 / 1000.0 / self.span()?).round() as u32)
    }

    fn why(&self) -> StreamError {
        let (kind, message) = match (self.overlong, self.ended) {
            (true, _) => (ErrorKind::TooLarge, "a picture without end"),
            (false, true) => (ErrorKind::Closed, "ended before the first picture"),
            (false, false) => (ErrorKind::Timeout, "no picture in time"),
        };
        StreamError { kind, message: message.to_owned() }
    }
}

async fn measure(host: &HostContext, mut body: Body) -> Measured {
    let mut measured = Measured::default();
    let mut pictures = Pictures::default();
    let mut until = host.deadline.min(Instant::now() + host.options.frame_timeout);
    while Instant::now() < until {
        match body.next(until).await {
            Ok(Some(bytes)) => pictures.push(&bytes),
            Ok(None) => measured.ended = true,
            Err(error) => measured.ended = error.kind != ErrorKind::Timeout,
        }
        while let Some(picture) = pictures.next_picture() {
            let now = Instant::now();
            if measured.first.is_none() {
                measured.first_size = Some(jpeg::size(&picture).unzip());
                measured.first = Some(picture);
                measured.first_at = Some(now);
                until = host.deadline.min(now + host.options.measure_time);
            } else {
                measured.pictures += 1;
                measured.bytes += picture.len() as u64;
                measured.last_at = Some(now);
            }
        }
        measured.overlong = pictures.is_overlong();
        if measured.ended || measured.overlong {
            break;
        }
    }
    measured
}

#[cfg(test)]
#[path = "analyze_tests.rs"]
mod tests;
