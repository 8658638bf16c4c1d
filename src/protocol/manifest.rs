//! What HLS and DASH share: where manifests are looked for, how one is asked for, and the proof by one segment.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::identify::ports;
use crate::identify::stream_url::{self, Candidate, Purpose};
use crate::media::describe::Seen;
use crate::media::picture::Picture;
use crate::media::{ByteRange, aac, mp4, ts};
use crate::model::{
    ErrorKind, LadderStep, Protocol, Service, Step, Stream, StreamError, StreamSource, StreamStatus, Transport, Video,
};
use crate::probe::Inspection;
use crate::probe::gate::StreamTurn;
use crate::probe::memory::{Kept, Room};
use crate::protocol::http::client::{self, Request, Response};
use crate::protocol::http::redirect;
use crate::protocol::http::transcript;
use crate::protocol::onvif::address::Address;
use crate::text;

/// Streams of one kind reported of one host at most.
pub const MAX_STREAMS: usize = 16;
/// Bytes taken of one segment at most.
const MAX_SEGMENT: usize = 512 * 1024;
/// Bytes taken of one segment at most where a picture of it is wished: a key frame of a large picture.
const MAX_PICTURED: usize = 2 * 1024 * 1024;
/// Bytes taken of an initialisation segment at most.
const MAX_INIT: usize = 64 * 1024;
/// Bytes taken of one manifest at most.
const MAX_MANIFEST: usize = 1024 * 1024;
/// Ports guessed on at most.
const MAX_PORTS: usize = 6;

/// A place on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Port.
    pub port: u16,
    /// Over TLS.
    pub tls: bool,
    /// Path and query.
    pub target: String,
    /// Guessed, not named by the device.
    pub guessed: bool,
}

/// The HTTP services; those with TLS only where there is no plain one, since both mostly show the same.
pub fn web_ports(host: &Inspection) -> Vec<Service> {
    let is_web = |s: &Service| matches!(s.protocol, Protocol::Http | Protocol::Https) && s.transport == Transport::Tcp;
    let mut services: Vec<Service> = host.record.services().into_iter().filter(is_web).collect();
    let has_plain = services.iter().any(|s| s.protocol == Protocol::Http);
    services.retain(|s| s.protocol == Protocol::Http || !has_plain);
    services.sort_by_key(|s| s.port);
    services.truncate(MAX_PORTS);
    services
}

/// The HTTP addresses among the hints that hold one of the `words` (lower case), then the candidates on every HTTP port,
/// those of the names the host's streams may have first.
/// Where the host is known to have RTSP, they are guessed only on ports where `protocol` is expected or was heard.
pub fn places(host: &Inspection, protocol: Protocol, words: &[&str], candidates: &[Candidate]) -> Vec<Place> {
    let purpose = match protocol {
        Protocol::Dash => Purpose::Dash,
        Protocol::Webrtc => Purpose::Whep,
        _ => Purpose::Hls,
    };
    let server = host.record.vendor().as_deref().and_then(stream_url::named);
    let mut guesses = stream_url::of_names(purpose, &host.record.stream_names(), server);
    // A server that is known has its streams nowhere else; MediaMTX answers a wrong place as it does a wrong login.
    if server.is_none() {
        guesses.extend_from_slice(candidates);
    }
    guesses.truncate(host.options.max_candidates);
    let mut places = Vec::new();
    let mut add = |place: Place| {
        let same = |p: &Place| (p.port, p.tls, &p.target) == (place.port, place.tls, &place.target);
        if !places.iter().any(same) {
            places.push(place);
        }
    };
    for hint in host.record.hints() {
        let address = Address::read(&hint.url, "http", host.peer.ip, &host.peer.name);
        let fits = |target: &str| words.iter().any(|word| target.to_ascii_lowercase().contains(word));
        if let Some(a) = address.filter(|a| a.scheme.starts_with("http") && fits(&a.target)) {
            let (port, tls) = (a.port_or_default(), a.tls());
            add(Place { port, tls, target: a.target, guessed: false });
        }
    }
    let services = host.record.services();
    let has_rtsp = services.iter().any(|s| matches!(s.protocol, Protocol::Rtsp | Protocol::Rtsps));
    let is_heard = |port: u16| services.iter().any(|s| s.protocol == protocol && s.port == port);
    let is_for_it = |port: u16| ports::expects(port, protocol) || is_heard(port);
    if !host.record.may_guess() {
        return places;
    }
    for service in
        web_ports(host).into_iter().filter(|s| (!has_rtsp || is_for_it(s.port)) && !host.peer.history.has_hung(s.port))
    {
        for candidate in guesses.iter().filter(|c| c.port.is_none_or(|p| p == service.port)) {
            let tls = service.protocol == Protocol::Https;
            add(Place { port: service.port, tls, target: candidate.path.clone(), guessed: true });
        }
    }
    places
}

/// The turn to play a stream: what is behind one playlist is mostly one camera, whichever protocol leads to it.
pub async fn turn(host: &Inspection) -> Option<StreamTurn> {
    host.peer.gate.turn(host.options.request_timeout.min(host.peer.time_left())).await
}

/// Asks for a manifest; also how long the answer took. A login is only shown where the device named the place itself,
/// or where one has worked.
///
/// # Errors
/// As [`client::send`].
pub async fn ask(host: &Inspection, place: &Place) -> Result<(Response, Duration), client::HttpError> {
    let login = !place.guessed || host.peer.logins.worked().is_some();
    let target = place.target.clone();
    let request = Request { max_body: MAX_MANIFEST, login, ..Request::get(place.port, place.tls, target) };
    let started = Instant::now();
    let response = client::send(&host.peer, request).await?;
    Ok((response, started.elapsed()))
}

/// The place a manifest names, on the same host.
///
/// # Errors
/// A note when it leads to another host.
pub fn resolve(host: &Inspection, from: &Response, named: &str) -> Result<Place, String> {
    let hop = redirect::resolve(named, from, host.peer.ip, &host.peer.name)
        .map_err(|_| format!("{} lies on another host; not fetched", text::clean(&text::redact_url(named))))?;
    Ok(Place { port: hop.port, tls: hop.tls, target: hop.target, guessed: false })
}

/// A stream at the place an answer came from, as far as the answer tells.
pub fn stream(host: &Inspection, protocol: Protocol, response: &Response, took: Duration) -> Stream {
    let mut stream = Stream::new(text::redact_url(&response.url(&host.peer)), protocol);
    stream.answers = transcript::of_http(&host.peer, response);
    stream.warnings.extend(response.notes.iter().cloned());
    stream.ladder.push(step(Step::Tcp, response.connected_in));
    stream.ladder.extend(response.tls_in.map(|took| step(Step::Tls, took)));
    let before = response.connected_in + response.tls_in.unwrap_or_default();
    stream.ladder.push(step(Step::Spoken, took.saturating_sub(before)));
    stream.open = Some(!response.logged_in);
    stream
}

/// A step that succeeded.
pub fn step(step: Step, took: Duration) -> LadderStep {
    LadderStep::new(step, true, took)
}

/// Notes that the proof stopped at a step.
pub fn stop(stream: &mut Stream, at: Step, status: StreamStatus, kind: ErrorKind, message: impl AsRef<str>) {
    stream.ladder.push(LadderStep::new(at, false, Duration::ZERO));
    stream.status = status;
    stream.error = Some(StreamError { kind, message: text::clean(message.as_ref()) });
}

/// What a status other than 200 says of a stream.
pub fn refusal(host: &Inspection, status: u16) -> (StreamStatus, ErrorKind, String) {
    match status {
        401 | 403 => match host.peer.logins.stopped() {
            Some(why) => (StreamStatus::AuthRequired, ErrorKind::Locked, why),
            None if status == 401 && !host.peer.logins.credentials().is_empty() => {
                (StreamStatus::AuthRequired, ErrorKind::AuthRefused, "the login was refused".to_owned())
            }
            None => (StreamStatus::AuthRequired, ErrorKind::AuthRequired, "a login is demanded".to_owned()),
        },
        404 | 410 => (StreamStatus::NotFound, ErrorKind::NotFound, format!("answered {status}")),
        453 | 503 => (StreamStatus::Error, ErrorKind::Busy, format!("answered {status}")),
        _ => (StreamStatus::Error, ErrorKind::Device, format!("answered {status}")),
    }
}

/// Something to fetch: all that is at a place, or a part of it.
pub struct Piece {
    /// Where.
    pub place: Place,
    /// Which bytes, where it is not all of them.
    pub range: Option<ByteRange>,
}

/// The places of one piece of media: what describes it, where that is apart, and the media.
pub struct Media {
    /// The initialisation segment.
    pub init: Option<Piece>,
    /// The media segment.
    pub segment: Piece,
}

/// Fetches the beginning of a segment, looks into it and notes in the stream what it proves. Gives a key frame of it.
pub async fn prove(host: &Inspection, stream: &mut Stream, media: &Media) -> Option<Kept<Picture>> {
    let mut bytes = Vec::new();
    if let Some(init) = &media.init {
        match fetch(host, init, MAX_INIT).await {
            Ok((init, ..)) => bytes = init,
            Err((status, kind, message)) => {
                stop(stream, Step::Setup, status, kind, format!("the initialisation segment: {message}"));
                return None;
            }
        }
    }
    let head = bytes.len();
    let most = if host.options.snapshots.is_some() { MAX_PICTURED } else { MAX_SEGMENT };
    let (took, room) = match fetch(host, &media.segment, most).await {
        Ok((segment, took, room)) if !segment.is_empty() => {
            bytes.extend_from_slice(&segment);
            (took, room)
        }
        Ok(_) => {
            stop(stream, Step::Rtp, StreamStatus::NoData, ErrorKind::Device, "the segment is empty");
            return None;
        }
        Err((status, kind, message)) => {
            let status = if status == StreamStatus::NotFound { StreamStatus::NoData } else { status };
            stop(stream, Step::Rtp, status, kind, format!("the segment: {message}"));
            return None;
        }
    };
    // Looking into it takes apart what is there once, and once more for the picture.
    let mut room = room.and_then(Arc::into_inner).unwrap_or_else(|| host.peer.memory.room());
    if let Err(why) = room.fit(bytes.len().saturating_mul(3), host.peer.deadline).await {
        stop(stream, Step::Rtp, StreamStatus::Error, ErrorKind::Local, format!("the segment: {why}"));
        return None;
    }
    let segment = bytes.get(head..).unwrap_or_default();
    let mut seen = match () {
        () if ts::is_ts(segment) => ts::look(segment),
        () if mp4::is_mp4(&bytes) => mp4::look(&bytes),
        () => match aac::packed(segment) {
            Some(sound) => Seen { audio: Some(sound), ..Seen::default() },
            None => {
                let message = "the segment is neither a transport stream nor MP4";
                stop(stream, Step::Rtp, StreamStatus::NoData, ErrorKind::Protocol, message);
                return None;
            }
        },
    };
    let picture = seen.picture.take();
    room.shrink(picture.as_ref().map_or(0, |p| p.bytes.len()));
    let picture = picture.map(|picture| Kept::new(picture, Some(Arc::new(room))));
    stream.ladder.push(step(Step::Rtp, took));
    note(stream, seen, took);
    picture
}

/// Whether the proof stopped because the segment is no longer, or not yet, there.
pub fn is_gone(stream: &Stream) -> bool {
    stream.status == StreamStatus::NoData && stream.error.as_ref().is_some_and(|e| e.kind == ErrorKind::NotFound)
}

/// Fetches the beginning of something; an empty answer is an answer.
async fn fetch(
    host: &Inspection,
    piece: &Piece,
    most: usize,
) -> Result<(Vec<u8>, Duration, Option<Arc<Room>>), (StreamStatus, ErrorKind, String)> {
    let Piece { place, range } = piece;
    let mut request =
        Request { max_body: most, ..Request::get(place.port, place.tls, place.target.clone()) }.with_login();
    if let Some(range) = range {
        let last = range.offset.saturating_add(range.length.min(most as u64).max(1)) - 1;
        request.headers.push(("Range".to_owned(), format!("bytes={}-{last}", range.offset)));
    }
    let started = Instant::now();
    match client::send(&host.peer, request).await {
        Ok(answer) if answer.status == 206 => Ok((answer.body, started.elapsed(), answer.room)),
        // Not every server knows of ranges: then all came, from its beginning.
        Ok(mut answer) if answer.status == 200 => {
            let skip = range.map_or(0, |r| usize::try_from(r.offset).unwrap_or(usize::MAX));
            if skip >= answer.body.len() && skip > 0 {
                let message = "the server gives no part of a file, and the part asked for lies far in".to_owned();
                return Err((StreamStatus::Error, ErrorKind::Device, message));
            }
            Ok((answer.body.split_off(skip), started.elapsed(), answer.room))
        }
        Ok(answer) => Err(refusal(host, answer.status)),
        Err(error) => Err((StreamStatus::Error, error.kind, error.message)),
    }
}

/// Notes what was seen in a segment; where it contradicts the manifest, the segment holds and a warning says so.
fn note(stream: &mut Stream, seen: Seen, took: Duration) {
    let (fps, kbps, key) = (seen.fps(), seen.kbps(), seen.key);
    if let Some(audio) = seen.audio {
        let declared = stream.audio.take().unwrap_or_default();
        stream.audio = Some(crate::model::Audio { bitrate_kbps: declared.bitrate_kbps, ..audio });
    }
    if seen.frames == 0 {
        match stream.audio.is_some() && seen.video.is_none() {
            true => {
                stream.status = StreamStatus::Streaming;
                stream.sources.push(StreamSource::Frames);
            }
            false => stop(stream, Step::Frame, StreamStatus::NoData, ErrorKind::Device, "no frame in the segment"),
        }
        return;
    }
    stream.status = StreamStatus::Streaming;
    stream.sources.push(StreamSource::Frames);
    stream.ladder.push(step(Step::Frame, took));
    match key {
        true => stream.ladder.push(step(Step::Keyframe, took)),
        false => stream.warnings.push("the part of the segment that was read begins without a key frame".to_owned()),
    }
    let declared = stream.video.take().unwrap_or_default();
    let told = seen.video.unwrap_or_default();
    stream.warnings.extend(contradictions(&declared, &told, fps));
    let is_told = told.width.is_some();
    let (rate, rate_source) = match declared.fps.is_some() {
        true => (declared.fps, declared.fps_source),
        false => (told.fps, told.fps_source),
    };
    stream.video = Some(Video {
        codec: told.codec.or(declared.codec),
        profile: told.profile.or(declared.profile),
        level: told.level.or(declared.level),
        width: told.width.or(declared.width),
        height: told.height.or(declared.height),
        size_source: if is_told { told.size_source } else { declared.size_source },
        sample_aspect_ratio: told.sample_aspect_ratio,
        fps: rate,
        fps_source: rate_source,
        bitrate_kbps: declared.bitrate_kbps,
        measured_fps: fps,
        measured_kbps: kbps,
        keyframe_interval_s: seen.keyframe_interval_s,
    });
}

/// Where what was declared and what came speak against each other, in words.
pub fn contradictions(declared: &Video, told: &Video, fps: Option<f64>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let (Some(named), Some(is)) = (declared.codec, told.codec.filter(|c| Some(*c) != declared.codec)) {
        warnings.push(format!("declared {}, sends {}", named.as_str(), is.as_str()));
    }
    if let (Some(w), Some(h), Some(is_w), Some(is_h)) = (declared.width, declared.height, told.width, told.height)
        && (w, h) != (is_w, is_h)
    {
        warnings.push(format!("declared {w}x{h}, the parameter sets say {is_w}x{is_h}"));
    }
    if let (Some(named), Some(is)) = (declared.fps, fps)
        && (named - is).abs() > (named * 0.1).max(1.0)
    {
        warnings.push(format!("declared {named} fps, measured {is}"));
    }
    warnings
}
