//! Connects to the applications of an RTMP server, plays what is likely to be there and measures it.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::amf::Value;
use super::client::{Answer, Client, RtmpError, answer};
use super::flv::{self, VideoTag};
use super::wire::{Message, kind};
use crate::identify::signature::Field;
use crate::identify::stream_url::{self, Purpose};
use crate::media::meter::FrameMeter;
use crate::media::picture::Picture;
use crate::model::{
    Audio, ErrorKind, FindingKind, Protocol, Service, Stage, Step, StreamSource, StreamStatus, Verify, Video,
};
use crate::probe::memory::Kept;
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::message::host_name;
use crate::protocol::proof::{KEYFRAME_PATIENCE, Proof, Stop, turn};
use crate::protocol::snapshot;
use crate::wire::url::{AnnouncedUrl, Endpoint, Scheme};

/// Streams that the device or its API named, played at most.
const MAX_NAMED: usize = 16;
/// Names guessed at most: some servers take every name and then send nothing.
const MAX_GUESSES: usize = 12;
/// Guesses that are taken and stay silent before no further one is made.
const MAX_SILENT: usize = 10;
/// How long frames of a guess are awaited at most.
const GUESS_TIME: Duration = Duration::from_secs(3);
/// How long a first sign of a guess is awaited: a server that has the stream begins with what it has kept of it, its
/// metadata and its codecs' headers, and one that has not is silent until somebody publishes it.
const SIGN_TIME: Duration = Duration::from_millis(700);
/// Bytes counted of one stream at most.
const MAX_MEDIA: u64 = 32 * 1024 * 1024;

/// The analysis of RTMP streams.
pub const PROBE: Probe = Probe { stage: Stage::Rtmp, phase: Phase::Walk, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if host.options.verify == Verify::None {
        return;
    }
    let is_ours = |s: &Service| matches!(s.protocol, Protocol::Rtmp | Protocol::Rtmps);
    for service in host.record.services().into_iter().filter(is_ours) {
        analyse(host, service).await;
    }
}

/// An application's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AppStream {
    app: String,
    name: String,
    guessed: bool,
}

impl AppStream {
    /// The last segment of a path is the stream's name, what stands before is the application's.
    fn of_path(path: &str, guessed: bool) -> AppStream {
        let path = path.trim_start_matches('/');
        let end = path.find('?').unwrap_or(path.len());
        let (app, name) = match path.get(..end).and_then(|p| p.rfind('/')) {
            Some(slash) => (path.get(..slash), path.get(slash + 1..)),
            None => (path.get(..end), path.get(end..)),
        };
        AppStream { app: app.unwrap_or_default().to_owned(), name: name.unwrap_or_default().to_owned(), guessed }
    }

    fn url(&self, host: &Inspection, service: &Service) -> String {
        let base = base(host, service, &self.app);
        if self.name.is_empty() || self.name.starts_with('?') {
            base + &self.name
        } else {
            format!("{base}/{}", self.name)
        }
    }
}

fn base(host: &Inspection, service: &Service, app: &str) -> String {
    format!("{}://{}:{}/{app}", service.protocol, host_name(&host.peer), service.port)
}

fn places(host: &Inspection, service: &Service) -> Vec<AppStream> {
    let mut places: Vec<AppStream> = Vec::new();
    for hint in host.record.hints() {
        let Some(AnnouncedUrl { url, .. }) = AnnouncedUrl::read_lenient(&hint.url, Scheme::Rtmp) else { continue };
        let is_here = url.scheme.protocol() == service.protocol && url.endpoint().port == service.port;
        if is_here && places.len() < MAX_NAMED {
            places.push(AppStream::of_path(url.target().split('#').next().unwrap_or_default(), false));
        }
    }
    if places.is_empty() && host.record.may_guess() {
        places = guesses(host, service);
    }
    places
}

/// What is worth a guess: the makers' and the handbooks' places, those of names that are known first, those of names
/// people give last.
fn guesses(host: &Inspection, service: &Service) -> Vec<AppStream> {
    let names = host.record.stream_names();
    let server = host.record.vendor().as_deref().and_then(stream_url::named);
    let by_name = stream_url::of_names(Purpose::Rtmp, &names, server);
    let usual = host.signatures.stream_urls().rtmp(host.record.vendor().as_deref());
    let (first, last) = if host.record.knows_stream_names() { (by_name, usual) } else { (usual, by_name) };
    let mut places: Vec<AppStream> = Vec::new();
    for candidate in first.into_iter().chain(last).filter(|c| c.port.is_none_or(|p| p == service.port)) {
        let place = AppStream::of_path(&candidate.path, true);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    // An application without a name is a stream with few servers; the others take it and are silent.
    places.sort_by_key(|place| place.name.is_empty());
    places.truncate(MAX_GUESSES.min(host.options.max_candidates));
    places
}

async fn analyse(host: &Inspection, mut service: Service) {
    let mut silent = 0;
    // Applications there are not.
    let mut missing: Vec<String> = Vec::new();
    for place in places(host, &service) {
        if host.peer.is_over() {
            return;
        }
        if place.guessed && missing.contains(&place.app) {
            continue;
        }
        let url = place.url(host, &service);
        let mut proof = Proof::new(&url, service.protocol);
        let outcome = play(host, &service, &place, &mut proof).await;
        if let Ok(Outcome { server: Some(server), .. }) = &outcome
            && service.server.as_ref() != Some(server)
        {
            host.match_signatures(Field::MediaServer, server).await;
            service.server = Some(server.clone());
            host.emit(FindingKind::Service(service.clone())).await;
        }
        if matches!(&outcome, Ok(outcome) if !outcome.proved && outcome.no_application) {
            missing.push(place.app.clone());
        }
        let (is_proved, takes_any) = match &outcome {
            Ok(outcome) => (outcome.proved, outcome.takes_any),
            Err(error) => {
                proof.stop(Step::Spoken, Stop::error(error.kind, &error.message));
                (false, error.kind != ErrorKind::Closed)
            }
        };
        // A guess that leads nowhere is no stream.
        if is_proved || !place.guessed {
            let picture = outcome.ok().and_then(|outcome| outcome.picture);
            snapshot::save(host, &mut proof.stream, picture.as_deref()).await;
            host.emit(FindingKind::Stream(Box::new(proof.stream))).await;
        } else if takes_any {
            silent += 1;
        }
        if silent >= MAX_SILENT {
            return;
        }
    }
}

/// What became of an attempt to play.
#[derive(Debug, Default)]
struct Outcome {
    server: Option<String>,
    /// There is a stream, or something that wants a login.
    proved: bool,
    /// The server took the name and sent nothing, as it would for any.
    takes_any: bool,
    /// The server refused the application, whatever the name.
    no_application: bool,
    /// A key frame.
    picture: Option<Kept<Picture>>,
}

async fn play(
    host: &Inspection,
    service: &Service,
    place: &AppStream,
    proof: &mut Proof,
) -> Result<Outcome, RtmpError> {
    let _turn = turn(host).await;
    let mut client = Client::open(&host.peer, Endpoint::of(service)).await?;
    proof.reached(Step::Tcp, client.connected_in);
    if let Some(took) = client.tls_in {
        proof.reached(Step::Tls, took);
    }
    proof.reached(Step::Spoken, client.shaken_in);
    let app = client.connect(&host.peer, &place.app, &base(host, service, &place.app)).await;
    let mut outcome = Outcome::default();
    let app = match app {
        Ok(app) => app,
        Err(error) => {
            client.close(None).await;
            proof.stop(Step::Described, Stop::error(error.kind, &error.message));
            outcome.no_application = true;
            return Ok(outcome);
        }
    };
    outcome.server = app.server.clone();
    if app.refused {
        client.close(None).await;
        outcome.proved = refused(proof, Step::Described, &app);
        outcome.no_application = true;
        return Ok(outcome);
    }
    proof.stream.open = Some(true);
    // Without playing there is nothing to be learnt of a single stream.
    if host.options.verify < Verify::Frames {
        client.close(None).await;
        proof.stream.status = StreamStatus::Described;
        proof.warn("RTMP describes a stream only when it is played; that there is one is not proved");
        return Ok(outcome);
    }
    let mut number = None;
    let played = async {
        let stream_number = client.create_stream(&host.peer).await?;
        number = Some(stream_number);
        client.play(&host.peer, stream_number, &place.name).await
    }
    .await;
    match played {
        Ok(()) => measure(host, &mut client, place, proof, &mut outcome).await,
        Err(error) => proof.stop(Step::Setup, Stop::error(error.kind, &error.message)),
    }
    client.close(number).await;
    Ok(outcome)
}

/// Notes a refusal; whether it says that there is something behind a login.
fn refused(proof: &mut Proof, at: Step, answer: &Answer) -> bool {
    let words = format!("{} {}", answer.code, answer.description).to_ascii_lowercase();
    let has = |known: &[&str]| known.iter().any(|w| words.contains(w));
    let (status, kind) = if has(&["auth", "unauthorized", "permission", "password", "denied"]) {
        (StreamStatus::AuthRequired, ErrorKind::AuthRequired)
    } else if has(&["notfound", "not found", "no such", "invalidapp", "app not", "no stream", "not exist"]) {
        (StreamStatus::NotFound, ErrorKind::NotFound)
    } else {
        (StreamStatus::Error, ErrorKind::Device)
    };
    let said = if answer.description.is_empty() { &answer.code } else { &answer.description };
    proof.stop(at, Stop::new(status, kind, format!("refused: {said}")));
    status == StreamStatus::AuthRequired
}

/// What has come of a stream.
#[derive(Default)]
struct Received {
    declared: Option<(Video, Audio)>,
    config: Option<Video>,
    sets: Vec<Vec<u8>>,
    picture: Option<Picture>,
    audio: Option<Audio>,
    codec: Option<crate::model::VideoCodec>,
    /// By the time stamps: a server begins with what it has stored, faster than it was made.
    meter: FrameMeter,
    /// The time stamp of the first frame, ms.
    first: Option<u32>,
    first_at: Option<Instant>,
    key_at: Option<Instant>,
    refusal: Option<Answer>,
    ended: Option<(ErrorKind, String)>,
}

impl Received {
    fn take(&mut self, message: &Message, now: Instant) {
        match message.kind {
            kind::VIDEO => match flv::video(&message.body) {
                VideoTag::Config { video, sets } => {
                    self.config = Some(video);
                    self.sets = sets.iter().map(|set| set.to_vec()).collect();
                }
                VideoTag::Frame { key, codec, sample } => {
                    self.codec = self.codec.or(codec);
                    self.first_at.get_or_insert(now);
                    let first = *self.first.get_or_insert(message.timestamp_ms);
                    let since_ms = message.timestamp_ms.wrapping_sub(first) as i32;
                    self.meter.frame(f64::from(since_ms) / 1000.0, message.body.len() as u64, key);
                    if key {
                        self.key_at.get_or_insert(now);
                        if self.picture.is_none() {
                            self.picture = codec.and_then(|codec| Picture::of_sample(codec, &self.sets, sample));
                        }
                    }
                }
                VideoTag::Other => {}
            },
            kind::AUDIO => {
                if let Some(audio) = flv::audio(&message.body)
                    && self.audio.as_ref().is_none_or(|a| a.sample_rate_hz.is_none())
                {
                    self.audio = Some(audio);
                }
            }
            kind::DATA | kind::DATA_AMF3 => {
                if let Some(declared) = flv::metadata(&message.values()) {
                    self.declared = Some(declared);
                }
            }
            kind::COMMAND | kind::COMMAND_AMF3 => {
                let values = message.values();
                let answer = answer(&values);
                let is_status =
                    values.first().and_then(Value::as_text).is_some_and(|n| n == "onStatus" || n == "_error");
                if is_status && answer.refused {
                    self.refusal = Some(answer);
                } else if is_status && (answer.code.ends_with("UnpublishNotify") || answer.code.ends_with("Play.Stop"))
                {
                    self.ended = Some((ErrorKind::Closed, "the stream ended".to_owned()));
                }
            }
            _ => {}
        }
    }

    /// Whether anything came that speaks of a stream.
    fn has_sign(&self) -> bool {
        self.declared.is_some() || self.config.is_some() || self.audio.is_some() || self.meter.frames() > 0
    }

    fn is_over(&self) -> bool {
        self.refusal.is_some() || self.ended.is_some() || self.meter.bytes() > MAX_MEDIA
    }
}

async fn measure(host: &Inspection, client: &mut Client, place: &AppStream, proof: &mut Proof, outcome: &mut Outcome) {
    let asked = Instant::now();
    let patience = if place.guessed { host.options.frame_timeout.min(SIGN_TIME) } else { host.options.frame_timeout };
    let mut until = host.peer.deadline.min(asked + patience);
    let mut measured = Received::default();
    while !measured.is_over() && !host.peer.cancel.is_cancelled() && Instant::now() < until {
        match client.next_message(until).await {
            Ok(Some(message)) => {
                let held = measured.picture.as_ref().map_or(0, |p| p.bytes.len());
                match client.make_room(2 * message.body.len() + held).await {
                    Ok(()) => measured.take(&message, Instant::now()),
                    Err(error) => measured.ended = Some((error.kind, error.message)),
                }
            }
            Ok(None) => measured.ended = Some((ErrorKind::Closed, "closed the connection".to_owned())),
            Err(error) if error.kind == ErrorKind::Timeout => break,
            Err(error) => measured.ended = Some((error.kind, error.message)),
        }
        if measured.first_at.is_none() && measured.has_sign() {
            let patience =
                if place.guessed { host.options.frame_timeout.min(GUESS_TIME) } else { host.options.frame_timeout };
            until = host.peer.deadline.min(asked + patience);
        }
        if let Some(first_at) = measured.first_at {
            let patience = if measured.key_at.is_none() { KEYFRAME_PATIENCE } else { Duration::ZERO };
            until = host.peer.deadline.min(first_at + host.options.measure_time + patience);
        }
    }
    if let Some(refusal) = measured.refusal.take().filter(|_| measured.meter.frames() == 0) {
        outcome.proved = refused(proof, Step::Described, &refusal);
        return;
    }
    describe(proof, &measured);
    outcome.proved = measured.meter.frames() > 0 || measured.config.is_some() || measured.audio.is_some();
    let Some(first_at) = measured.first_at else {
        outcome.takes_any = !outcome.proved;
        let (kind, message) = measured.ended.unwrap_or((ErrorKind::Timeout, "no frame in time".to_owned()));
        return proof.stop(Step::Rtp, Stop::no_data(kind, message));
    };
    let mut room = client.take_room();
    room.shrink(measured.picture.as_ref().map_or(0, |p| p.bytes.len()));
    outcome.picture = measured.picture.map(|picture| Kept::new(picture, Some(Arc::new(room))));
    proof.streams();
    let took = first_at.saturating_duration_since(asked);
    proof.reached(Step::Rtp, took);
    proof.reached(Step::Frame, took);
    match measured.key_at {
        Some(at) => proof.reached(Step::Keyframe, at.saturating_duration_since(asked)),
        None => proof.warn("no key frame in the measuring time"),
    }
}

/// Notes what was declared and what was measured; the parameter sets hold over the metadata.
fn describe(proof: &mut Proof, measured: &Received) {
    let (declared, sound) = measured.declared.clone().unwrap_or_default();
    if measured.declared.is_some() {
        proof.stream.sources.push(StreamSource::Metadata);
    }
    if measured.declared.is_some() || measured.config.is_some() {
        proof.reached(Step::Described, Duration::ZERO);
    }
    let came = measured.config.clone().unwrap_or_default();
    proof.merge(declared, Video { codec: came.codec.or(measured.codec), ..came }, &measured.meter.rates());
    let audio = match &measured.audio {
        Some(told) => Audio {
            codec: told.codec,
            sample_rate_hz: told.sample_rate_hz.or(sound.sample_rate_hz),
            channels: told.channels.or(sound.channels),
            ..sound
        },
        None => sound,
    };
    proof.stream.audio = (audio != Audio::default()).then_some(audio);
}

#[cfg(test)]
mod tests;
