//! From an RTSP port to its streams: the paths are walked on one connection, what they describe is read, and what is
//! described is played just long enough to prove that frames arrive.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::client::{Client, Described};
use super::error::RtspError;
use super::in_path;
use super::sdp::{Media, Session};
use super::url::RtspUrl;
use super::verify;
use super::walk::{self, Ask, Found, Known, Nature, Reply};
use crate::identify::signature::Field;
use crate::identify::stream_url;
use crate::model::finding::StreamHint;
use crate::model::{
    ErrorKind, Evidence, EvidenceSource, Fact, FindingKind, Kind, LadderStep, Protocol, Service, Stream, StreamError,
    StreamSource, StreamStatus, Transport, Verify, Video,
};
use crate::probe::{HostContext, HostProbe};
use crate::protocol::snapshot;

/// The analysis of all RTSP ports of a host.
pub struct Analyse;

impl HostProbe for Analyse {
    fn name(&self) -> &'static str {
        "rtsp"
    }

    fn run<'a>(&'a self, host: &'a HostContext) -> BoxFuture<'a, ()> {
        analyse(host).boxed()
    }
}

async fn analyse(host: &HostContext) {
    if host.options.verify == Verify::None {
        return;
    }
    let mut looks: Vec<Look> = Vec::new();
    for (port, tls) in endpoints(host) {
        if host.is_over() {
            return;
        }
        analyse_port(host, port, tls, &mut looks).await;
    }
}

/// The ports where RTSP was heard, plain ones first, and those that announced streams name.
fn endpoints(host: &HostContext) -> Vec<(u16, bool)> {
    let spoken =
        host.services().into_iter().filter(|s| s.transport == Transport::Tcp).filter_map(|s| match s.protocol {
            Protocol::Rtsp => Some((s.port, false)),
            Protocol::Rtsps => Some((s.port, true)),
            _ => None,
        });
    let announced = host.hints().into_iter().filter_map(|h| RtspUrl::parse(&h.url)).map(|u| (u.port(), u.tls()));
    let mut all: Vec<(u16, bool)> = spoken.chain(announced).collect();
    all.sort_by_key(|&(port, tls)| (tls, port));
    all.dedup();
    all
}

async fn analyse_port(host: &HostContext, port: u16, tls: bool, looks: &mut Vec<Look>) {
    let announced: Vec<(String, StreamHint)> = host
        .hints()
        .into_iter()
        .filter_map(|hint| {
            let url = RtspUrl::parse(&hint.url).filter(|u| (u.port(), u.tls()) == (port, tls))?;
            Some((url.target().to_owned(), hint))
        })
        .collect();
    let vendor = host.vendor();
    let candidates = stream_url::rtsp(vendor.as_deref());
    let mut asker = Asker::new(host, Client::new(host, port, tls));
    let options = asker.client.options().await;
    if options.is_ok() && !asker.client.public().is_empty() && !asker.client.public().iter().any(|m| m == "DESCRIBE") {
        tracing::debug!(ip = %host.ip, port, "offers no DESCRIBE: takes streams, gives none");
        return;
    }
    let known = Known {
        of_vendor: candidates.iter().take_while(|c| !stream_url::is_common(c)).count(),
        announced: &announced,
        candidates: &candidates,
        max_asked: host.options.max_candidates,
        max_channels: host.options.max_channels,
    };
    let walked = walk::walk(&mut asker, &known).await;
    tracing::debug!(ip = %host.ip, port, asked = walked.asked, found = walked.found.len(), nature = ?walked.nature, "paths walked");
    let Asker { mut client, answers, .. } = asker;
    tell_login(host, port, tls, &client, &answers).await;
    report_cut(host, port, &walked.cut_short, &answers).await;
    let mut described = Vec::new();
    let has_video = walked.found.iter().any(|f| matches!(f.reply, Reply::Video(_)));
    if !has_video && walked.cut_short.is_none() {
        // Many serve one client at a time.
        client.disconnect();
        described = in_path::look(host, port, tls).await;
        for (_, stream) in &described {
            host.say(FindingKind::Stream(Box::new(stream.clone()))).await;
        }
    }
    let has_login_in_path = !described.is_empty();
    for found in walked.found {
        // Guesses that demanded a login are no streams where the login belongs into the path.
        if has_login_in_path && found.hint.is_none() {
            continue;
        }
        // The same stream on a second port of the device is no further stream.
        if let Reply::Video(look) = &found.reply {
            if found.hint.is_none() && looks.contains(look) {
                continue;
            }
            looks.push(look.clone());
        }
        let answer = answers.get(&found.path);
        let stream = stream(host, (port, tls), &found, answer, walked.nature);
        observe(host, &found, answer).await;
        host.say(FindingKind::Stream(Box::new(stream.clone()))).await;
        if stream.status == StreamStatus::Described {
            described.push((found.path, stream));
        }
    }
    for (path, mut stream) in described {
        if host.is_over() {
            break;
        }
        let mut picture = None;
        if host.options.verify == Verify::Frames {
            (stream, picture) = verify::verify(host, &mut client, &path, stream).await;
            // A snapshot may take its time; what is proved stands before it.
            host.say(FindingKind::Stream(Box::new(stream.clone()))).await;
        }
        if host.options.snapshots.is_some() {
            snapshot::save(host, &mut stream, picture.as_ref()).await;
            host.say(FindingKind::Stream(Box::new(stream))).await;
        }
    }
    host.say_logins().await;
}

/// What the port demands of those who want a stream, which OPTIONS alone rarely tells.
async fn tell_login(host: &HostContext, port: u16, tls: bool, client: &Client, answers: &HashMap<String, Answer>) {
    let mut service = Service::new(if tls { Protocol::Rtsps } else { Protocol::Rtsp }, Transport::Tcp, port);
    let is_open = answers.values().flat_map(|a| &a.outcome).any(|(described, _)| described.open);
    service.auth = client.auth_schemes().or(is_open.then(Vec::new));
    service.server = client.server().map(str::to_owned);
    for challenge in client.challenges().unwrap_or_default() {
        if let Some(realm) = challenge.realm() {
            host.observe(Field::Realm, &realm).await;
            service.realm = Some(realm);
        }
    }
    if service.auth.is_some() {
        host.say(FindingKind::Service(service)).await;
    }
}

/// What tells two streams apart: everything a description says but where it is.
pub(super) type Look = (Option<String>, Vec<Media>);

/// What asking a path gave, and the steps on the way.
pub(super) struct Answer {
    outcome: Result<(Described, Session), RtspError>,
    ladder: Vec<LadderStep>,
}

pub(super) struct Asker<'h> {
    pub(super) host: &'h HostContext,
    client: Client,
    /// By path.
    pub(super) answers: HashMap<String, Answer>,
}

impl<'h> Asker<'h> {
    pub(super) fn new(host: &'h HostContext, client: Client) -> Self {
        Asker { host, client, answers: HashMap::new() }
    }
}

impl Ask for Asker<'_> {
    type Description = Look;

    async fn ask(&mut self, path: &str) -> Reply<Look> {
        if self.host.is_over() {
            return Reply::Lost;
        }
        let outcome = self.client.describe(path).await;
        let ladder = self.client.ladder().steps().to_vec();
        let reply = match &outcome {
            Ok(described) => Session::parse(&described.sdp).map_or(Reply::NoVideo, |session| look(&session)),
            Err(error) => match error.kind {
                ErrorKind::AuthRequired | ErrorKind::AuthRefused | ErrorKind::Locked => Reply::Login,
                ErrorKind::Busy => Reply::Busy,
                ErrorKind::Refused | ErrorKind::Unreachable | ErrorKind::Tls | ErrorKind::Interrupted => Reply::Lost,
                ErrorKind::Timeout => Reply::Silence,
                _ => Reply::NotFound,
            },
        };
        let outcome = outcome.map(|described| {
            let session = Session::parse(&described.sdp).unwrap_or_default();
            (described, session)
        });
        self.answers.insert(path.to_owned(), Answer { outcome, ladder });
        reply
    }
}

fn look(session: &Session) -> Reply<Look> {
    if session.video().is_none() {
        return Reply::NoVideo;
    }
    let medias = session.medias.iter().cloned().map(|m| Media { control: None, ..m }).collect();
    Reply::Video((session.name.clone(), medias))
}

/// The stream a found path stands for, as far as asking told.
pub(super) fn stream(
    host: &HostContext,
    (port, tls): (u16, bool),
    found: &Found<Look>,
    answer: Option<&Answer>,
    nature: Nature,
) -> Stream {
    let protocol = if tls { Protocol::Rtsps } else { Protocol::Rtsp };
    let mut stream = Stream::new(RtspUrl::new(host.ip, port, tls, &found.path).shown(), protocol);
    stream.channel = found.channel;
    if let Some(hint) = &found.hint {
        stream.channel = stream.channel.or(hint.channel);
        stream.profile_name.clone_from(&hint.profile_name);
        stream.profile_token.clone_from(&hint.profile_token);
        stream.video.clone_from(&hint.video);
        stream.audio.clone_from(&hint.audio);
        if hint.profile_token.is_some() {
            stream.sources.push(StreamSource::Onvif);
        }
    }
    stream.ladder = answer.map(|a| a.ladder.clone()).unwrap_or_default();
    match answer.map(|a| &a.outcome) {
        Some(Ok((answer, session))) => described(&mut stream, answer, session),
        Some(Err(error)) => failed(host, &mut stream, error),
        None => {}
    }
    if nature == Nature::AnyPath {
        stream.warnings.push("the device describes any path, so the path proves nothing".to_owned());
    }
    if nature == Nature::LoginForAny {
        stream.warnings.push("the device demands a login for any path, so no path is known yet".to_owned());
    }
    if !found.also_at.is_empty() {
        stream.warnings.push(format!("the same stream is also at {}", found.also_at.join(", ")));
    }
    stream
}

fn described(stream: &mut Stream, described: &Described, session: &Session) {
    stream.url = described.url.shown();
    stream.open = Some(described.open);
    stream.warnings.extend(described.warnings.iter().chain(&session.warnings).cloned());
    let Some(media) = session.video() else {
        stream.status = StreamStatus::NotFound;
        stream.error = Some(StreamError {
            kind: ErrorKind::Protocol,
            message: "the device's answer describes no video".to_owned(),
        });
        return;
    };
    stream.status = StreamStatus::Described;
    stream.sources.push(StreamSource::Sdp);
    let declared = stream.video.take();
    stream.video = media.video.clone().map(|seen| merge_declared(seen, declared, &mut stream.warnings));
    stream.audio = session.audio().and_then(|a| a.audio.clone()).or(stream.audio.take());
    stream.back_channel = session.has_back_channel().then_some(true);
}

/// What the parameter sets say stands; what only ONVIF declares fills the gaps.
fn merge_declared(mut seen: Video, declared: Option<Video>, warnings: &mut Vec<String>) -> Video {
    let Some(declared) = declared else { return seen };
    let sizes = (seen.width.zip(seen.height), declared.width.zip(declared.height));
    if let (Some((w, h)), Some((dw, dh))) = sizes
        && (w, h) != (dw, dh)
        && seen.size_source.is_none()
    {
        warnings.push(format!("ONVIF declares {dw}x{dh}, the stream says {w}x{h}"));
    }
    if sizes.0.is_none() {
        (seen.width, seen.height) = (declared.width, declared.height);
        seen.size_source = sizes.1.map(|_| "onvif".to_owned());
    }
    seen.codec = seen.codec.or(declared.codec);
    seen.profile = seen.profile.or(declared.profile);
    if seen.fps.is_none() {
        (seen.fps, seen.fps_source) = (declared.fps, declared.fps.map(|_| "onvif".to_owned()));
    }
    seen.bitrate_kbps = seen.bitrate_kbps.or(declared.bitrate_kbps);
    seen
}

fn failed(host: &HostContext, stream: &mut Stream, error: &RtspError) {
    stream.status = match error.kind {
        ErrorKind::AuthRequired | ErrorKind::AuthRefused | ErrorKind::Locked => StreamStatus::AuthRequired,
        ErrorKind::NotFound => StreamStatus::NotFound,
        _ => StreamStatus::Error,
    };
    if stream.status == StreamStatus::AuthRequired {
        stream.open = Some(false);
    }
    let message = match host.logins.stopped() {
        Some(why) if stream.status == StreamStatus::AuthRequired => format!("{} ({why})", error.message),
        _ => error.message.clone(),
    };
    if stream.ladder.last().is_none_or(|last| last.ok) {
        stream.ladder.push(LadderStep { step: error.step, ok: false, ms: 0.0 });
    }
    stream.error = Some(StreamError { kind: error.kind, message });
}

/// What a description says of its maker, and that there is a camera behind a door that is locked.
async fn observe(host: &HostContext, found: &Found<Look>, answer: Option<&Answer>) {
    match answer.map(|a| &a.outcome) {
        Some(Ok((described, session))) => {
            for text in [&session.name, &session.information, &session.tool, &session.origin].into_iter().flatten() {
                host.observe(Field::SdpSession, text).await;
            }
            let text = String::from_utf8_lossy(&described.sdp);
            for attribute in text.lines().filter_map(|l| l.trim().strip_prefix("a=")).take(64) {
                host.observe(Field::SdpAttribute, &crate::text::clean(attribute)).await;
            }
            host.observe(Field::StreamPath, &found.path).await;
        }
        Some(Err(_)) if found.reply == Reply::Login => {
            let kind = Evidence::new(Fact::Kind, Kind::Camera.as_str(), EvidenceSource::RtspServer, 0.6);
            host.say(FindingKind::Evidence(kind.with_detail("an RTSP server that demands a login"))).await;
        }
        _ => {}
    }
}

/// Why a walk ended before its time is the device's own error.
async fn report_cut(host: &HostContext, port: u16, cut: &Option<Reply<Look>>, answers: &HashMap<String, Answer>) {
    if matches!(cut, None | Some(Reply::Silence)) || host.cancel.is_cancelled() {
        return;
    }
    let error = answers.values().filter_map(|a| a.outcome.as_ref().err()).find(|e| match cut {
        Some(Reply::Busy) => e.kind == ErrorKind::Busy,
        _ => !matches!(e.kind, ErrorKind::NotFound | ErrorKind::AuthRequired | ErrorKind::AuthRefused),
    });
    if let Some(error) = error {
        host.error("rtsp", error.kind, format!("port {port}: {}", error.message)).await;
    }
}
