//! What HLS and DASH share: where manifests are looked for, how one is asked for, and the proof by one segment.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::identify::ports;
use crate::identify::stream_url::{self, Candidate, Purpose};
use crate::media::picture::Picture;
use crate::media::seen::Seen;
use crate::media::{ByteRange, aac, mp4, ts};
use crate::model::{Audio, ErrorKind, Protocol, Step, Stream, StreamStatus};
use crate::probe::Inspection;
use crate::probe::memory::{Kept, Room};
use crate::protocol::http::client;
use crate::protocol::http::message::{HttpError, Request, Response};
use crate::protocol::http::redirect;
use crate::protocol::proof::{Proof, Stop, web_ports};
use crate::text;
use crate::wire::url::{AnnouncedUrl, Endpoint, HostUrl, Scheme};

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

/// Where media, or what lists them, may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaUrl {
    /// The address.
    pub url: HostUrl,
    /// Guessed, not named by the device.
    pub guessed: bool,
}

impl MediaUrl {
    /// An address that the device named itself.
    pub fn named(url: HostUrl) -> MediaUrl {
        MediaUrl { url, guessed: false }
    }

    /// Whether both lead to the same.
    pub fn is_same(&self, other: &MediaUrl) -> bool {
        self.url.endpoint() == other.url.endpoint() && self.url.target() == other.url.target()
    }
}

/// The HTTP addresses among the hints that hold one of the `words` (lower case), then the usual places on every HTTP port,
/// those of the names the host's streams may have first.
/// Where the host is known to have RTSP, they are guessed only on ports where `protocol` is expected or was heard.
pub fn candidates(host: &Inspection, protocol: Protocol, words: &[&str]) -> Vec<MediaUrl> {
    let mut candidates: Vec<MediaUrl> = Vec::new();
    let mut add = |candidate: MediaUrl| {
        if !candidates.iter().any(|known| known.is_same(&candidate)) {
            candidates.push(candidate);
        }
    };
    for hint in host.record.hints() {
        let announced = AnnouncedUrl::read_lenient(&hint.url, Scheme::Http).map(|a| a.url);
        let fits = |target: &str| words.iter().any(|word| target.to_ascii_lowercase().contains(word));
        if let Some(url) = announced.filter(|url| url.scheme.is_http() && fits(url.target())) {
            add(MediaUrl::named(url));
        }
    }
    let services = host.record.services();
    let has_rtsp = services.iter().any(|s| matches!(s.protocol, Protocol::Rtsp | Protocol::Rtsps));
    let is_heard = |port: u16| services.iter().any(|s| s.protocol == protocol && s.port == port);
    let is_for_it = |port: u16| ports::expects(port, protocol) || is_heard(port);
    if !host.record.may_guess() {
        return candidates;
    }
    let guesses = guesses(host, protocol);
    for service in
        web_ports(host).into_iter().filter(|s| (!has_rtsp || is_for_it(s.port)) && !host.peer.history.has_hung(s.port))
    {
        for candidate in guesses.iter().filter(|c| c.port.is_none_or(|p| p == service.port)) {
            add(MediaUrl { url: Endpoint::of(&service).http(&candidate.path), guessed: true });
        }
    }
    candidates
}

/// What is worth being asked for where no address is known: the names of the host's streams, then the usual places.
fn guesses(host: &Inspection, protocol: Protocol) -> Vec<Candidate> {
    let (urls, vendor) = (host.signatures.stream_urls(), host.record.vendor());
    let purpose = match protocol {
        Protocol::Dash => Purpose::Dash,
        Protocol::Webrtc => Purpose::Whep,
        _ => Purpose::Hls,
    };
    let server = vendor.as_deref().and_then(stream_url::named);
    let mut guesses = stream_url::of_names(purpose, &host.record.stream_names(), server);
    // A server that is known has its streams nowhere else; MediaMTX answers a wrong place as it does a wrong login.
    if server.is_none() {
        guesses.extend(match protocol {
            Protocol::Dash => urls.dash(vendor.as_deref()),
            Protocol::Webrtc => urls.whep(vendor.as_deref()),
            _ => urls.hls(vendor.as_deref()),
        });
    }
    guesses.truncate(host.options.max_candidates);
    guesses
}

/// Asks for a manifest; also how long the answer took. A login is only shown where the device named the address itself,
/// or where one has worked.
///
/// # Errors
/// As [`client::send`].
pub async fn ask(host: &Inspection, from: &MediaUrl) -> Result<(Response, Duration), HttpError> {
    let login = !from.guessed || host.peer.logins.worked().is_some();
    let request = Request { max_body: MAX_MANIFEST, login, ..Request::of(&from.url) };
    let started = Instant::now();
    let response = client::send(&host.peer, request).await?;
    Ok((response, started.elapsed()))
}

/// The address a manifest names, on the same host.
///
/// # Errors
/// It leads to another host.
pub fn resolve(host: &Inspection, from: &Response, named: &str) -> Result<MediaUrl, Elsewhere> {
    let announced = AnnouncedUrl::unnamed(from.host_url()).join_rfc3986(named);
    announced.and_then(|a| on_host(host, &a).ok()).ok_or_else(|| Elsewhere::at(named))
}

/// Where an address leads to on this host.
///
/// # Errors
/// It is on another host.
pub fn on_host(host: &Inspection, announced: &AnnouncedUrl) -> Result<MediaUrl, Elsewhere> {
    let here = redirect::on_host(announced, host.peer.ip, &host.peer.name);
    here.map(MediaUrl::named).ok_or_else(|| Elsewhere::at(&announced.shown()))
}

/// An address of another host, which is not asked. Cleaned, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} lies on another host; not fetched")]
pub struct Elsewhere(String);

impl Elsewhere {
    fn at(address: &str) -> Elsewhere {
        Elsewhere(text::clean(&text::redact_url(address)))
    }
}

/// Something to fetch: all that is at an address, or a part of it.
pub struct Piece {
    /// Where.
    pub from: MediaUrl,
    /// Which bytes, where it is not all of them.
    pub range: Option<ByteRange>,
}

/// Where one piece of media is: what describes it, where that is apart, and the media.
pub struct Media {
    /// The initialisation segment.
    pub init: Option<Piece>,
    /// The media segment.
    pub segment: Piece,
}

/// Fetches the beginning of a segment, looks into it and notes in the proof what it shows. Gives a key frame of it.
pub async fn prove(host: &Inspection, proof: &mut Proof, media: &Media) -> Option<Kept<Picture>> {
    match fetched(host, media).await {
        Ok((Fetched { mut seen, took }, mut room)) => {
            let picture = seen.picture.take();
            room.shrink(picture.as_ref().map_or(0, |p| p.bytes.len()));
            proof.reached(Step::Rtp, took);
            note(proof, seen, took);
            picture.map(|picture| Kept::new(picture, Some(Arc::new(room))))
        }
        Err((at, why)) => {
            proof.stop(at, why);
            None
        }
    }
}

/// What the beginning of a segment shows, and how long it took to fetch.
struct Fetched {
    seen: Seen,
    took: Duration,
}

/// Fetches a segment, after what describes it, and looks into both.
async fn fetched(host: &Inspection, media: &Media) -> Result<(Fetched, Room), (Step, Stop)> {
    let mut bytes = Vec::new();
    if let Some(init) = &media.init {
        let fetched = fetch(host, init, MAX_INIT).await;
        bytes = fetched.map_err(|why| (Step::Setup, why.about("the initialisation segment")))?.0;
    }
    let head = bytes.len();
    let most = if host.options.snapshots.is_some() { MAX_PICTURED } else { MAX_SEGMENT };
    let stop = |why: Stop| {
        let status = if why.status == StreamStatus::NotFound { StreamStatus::NoData } else { why.status };
        (Step::Rtp, Stop { status, ..why.about("the segment") })
    };
    let (segment, took, room) = fetch(host, &media.segment, most).await.map_err(stop)?;
    if segment.is_empty() {
        return Err((Step::Rtp, Stop::no_data(ErrorKind::Device, "the segment is empty")));
    }
    bytes.extend_from_slice(&segment);
    drop(segment);
    // Looking into it takes apart what is there once, and once more for the picture.
    let mut room = room.and_then(Arc::into_inner).unwrap_or_else(|| host.peer.memory.room());
    let fits = room.fit(bytes.len().saturating_mul(3), host.peer.deadline).await;
    fits.map_err(|why| (Step::Rtp, Stop::error(ErrorKind::Local, format!("the segment: {why}"))))?;
    let segment = bytes.get(head..).unwrap_or_default();
    let seen = match () {
        () if ts::is_ts(segment) => ts::look(segment),
        () if mp4::is_mp4(&bytes) => mp4::look(&bytes),
        () => match aac::packed(segment) {
            Some(sound) => Seen { audio: Some(sound), ..Seen::default() },
            None => {
                let message = "the segment is neither a transport stream nor MP4";
                return Err((Step::Rtp, Stop::no_data(ErrorKind::Protocol, message)));
            }
        },
    };
    Ok((Fetched { seen, took }, room))
}

/// Whether the proof stopped because the segment is no longer, or not yet, there.
pub fn is_gone(stream: &Stream) -> bool {
    stream.status == StreamStatus::NoData && stream.error.as_ref().is_some_and(|e| e.kind == ErrorKind::NotFound)
}

/// Fetches the beginning of something; an empty answer is an answer.
async fn fetch(host: &Inspection, piece: &Piece, most: usize) -> Result<(Vec<u8>, Duration, Option<Arc<Room>>), Stop> {
    let Piece { from, range } = piece;
    let mut request = Request { max_body: most, ..Request::of(&from.url) }.with_login();
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
                let message = "the server gives no part of a file, and the part asked for lies far in";
                return Err(Stop::error(ErrorKind::Device, message));
            }
            Ok((answer.body.split_off(skip), started.elapsed(), answer.room))
        }
        Ok(answer) => Err(Stop::of_status(&host.peer, answer.status)),
        Err(error) => Err(Stop::error(error.kind, error.message)),
    }
}

/// Notes what was seen in a segment; where it contradicts the manifest, the segment holds and a warning says so.
fn note(proof: &mut Proof, seen: Seen, took: Duration) {
    let rates = seen.rates();
    if let Some(audio) = seen.audio {
        let declared = proof.stream.audio.take().unwrap_or_default();
        proof.stream.audio = Some(Audio { bitrate_kbps: declared.bitrate_kbps, ..audio });
    }
    if rates.frames == 0 {
        match proof.stream.audio.is_some() && seen.video.is_none() {
            true => proof.streams(),
            false => proof.stop(Step::Frame, Stop::no_data(ErrorKind::Device, "no frame in the segment")),
        }
        return;
    }
    proof.streams();
    proof.reached(Step::Frame, took);
    match seen.key {
        true => proof.reached(Step::Keyframe, took),
        false => proof.warn("the part of the segment that was read begins without a key frame"),
    }
    let declared = proof.stream.video.take().unwrap_or_default();
    proof.merge(declared, seen.video.unwrap_or_default(), &rates);
}
