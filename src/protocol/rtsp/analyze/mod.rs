//! From an RTSP port to its streams: the paths are walked on one connection, what they describe is read, and what is
//! described is played just long enough to prove that frames arrive.

use std::collections::{BTreeMap, HashMap};

use super::asker::{Asked, Asker, StreamKey};
use super::client::Client;
use super::error::RtspError;
use super::path_login::{self, InPath};
use super::walk::{self, Found, Known, Nature, Reply, Walked};
use super::wire::Response;
use super::{stream, verify};
use crate::identify::signature::Field;
use crate::identify::stream_url::{self, Candidate, StreamUrls};
use crate::model::finding::StreamHint;
use crate::model::{
    Answer, ErrorKind, Evidence, EvidenceSource, Fact, FindingKind, Kind, Protocol, Service, Stage, Step, Stream,
    StreamStatus, Transport, Verify,
};
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::snapshot;
use crate::wire::url::{AnnouncedUrl, Endpoint, Scheme};

/// Ports of one host that are asked for streams: recorders announce one for each channel.
const MOST_ENDPOINTS: usize = 64;

/// The analysis of all RTSP ports of a host.
pub const PROBE: Probe = Probe { stage: Stage::Rtsp, phase: Phase::Walk, run: |host| Box::pin(analyse(host)) };

async fn analyse(host: &Inspection) {
    if host.options.verify == Verify::None {
        return;
    }
    let mut known = Described::default();
    for at in endpoints(host) {
        if host.peer.is_over() {
            return;
        }
        analyse_port(host, at, &mut known).await;
    }
}

/// The ports where RTSP was recognised, plain ones first, and those that announced streams name.
fn endpoints(host: &Inspection) -> Vec<Endpoint> {
    let spoken =
        host.record.services().into_iter().filter(|s| s.transport == Transport::Tcp).filter_map(|s| match s.protocol {
            Protocol::Rtsp => Some(Endpoint::plain(s.port)),
            Protocol::Rtsps => Some(Endpoint::tls(s.port)),
            _ => None,
        });
    let announced =
        host.record.hints().into_iter().filter_map(|h| AnnouncedUrl::read_rtsp(&h.url)).map(|a| a.url.endpoint());
    let mut all: Vec<Endpoint> = Vec::new();
    for endpoint in spoken.filter(|_| host.record.may_guess()).chain(announced) {
        let is_left = host.peer.history.greets_otherwise(endpoint.port);
        if all.len() < MOST_ENDPOINTS && !is_left && !all.contains(&endpoint) {
            all.push(endpoint);
        }
    }
    all.sort_by_key(|at| (at.tls, at.port));
    all
}

/// What the ports of a host described so far.
#[derive(Default)]
struct Described {
    keys: Vec<StreamKey>,
    /// In bytes.
    length: usize,
}

async fn analyse_port(host: &Inspection, at: Endpoint, known: &mut Described) {
    let client = Client::new(&host.peer, at).with_way(host.record.earlier_way(at.port));
    let mut asker = Asker::new(host, client, known.length);
    let announced = announced(host, at);
    let first = announced.first().map_or("/", |(path, _)| path.as_str());
    let options = asker.client.options(first).await;
    asker.no_rtsp = no_rtsp(host, at, first, &options, &mut asker.client).await;
    if options.is_ok() && !asker.client.public().is_empty() && !asker.client.public().iter().any(|m| m == "DESCRIBE") {
        tracing::debug!(ip = %host.peer.ip, port = at.port, "offers no DESCRIBE: takes streams, gives none");
        return;
    }
    let offered = asker.client.transcript.take();
    let walked = walk_port(host, at.port, &announced, &mut asker).await;
    let Asker { mut client, asked, no_rtsp, kept, .. } = asker;
    known.length = kept;
    emit_login(host, at, &client, &asked, offered).await;
    if is_sound_alone(&asked) {
        let kind = Evidence::new(Fact::Kind, Kind::Other.as_str(), EvidenceSource::Sdp, 0.6);
        host.emit(FindingKind::Evidence(kind.with_detail("all that is described is sound"))).await;
    }
    let mut in_path = None;
    let has_video = walked.found.iter().any(|f| matches!(f.reply, Reply::Video(_)));
    if !has_video && walked.cut_short.is_none() && host.record.may_guess() && no_rtsp.is_none() {
        // Many serve one client at a time.
        client.disconnect();
        in_path = path_login::look(host, at, client.challenges().is_some()).await;
        for (_, stream) in in_path.iter().flat_map(|in_path| &in_path.streams) {
            host.emit(FindingKind::Stream(Box::new(stream.clone()))).await;
        }
    }
    // Guesses that demanded a login are no streams where the login belongs into the path.
    let only_announced = in_path.is_some();
    // What is described alike on one port stands there under names of its own.
    let elsewhere = known.keys.clone();
    if !only_announced {
        report_no_stream(host, at.port, &walked, &asked).await;
    }
    let mut described = Vec::new();
    for found in walked.found.iter().filter(|f| f.hint.is_some() || !only_announced) {
        described.extend(emit_found(host, at, found, &asked, walked.nature, &elsewhere).await);
        known.keys.extend(if let Reply::Video(key) = &found.reply { Some(key.clone()) } else { None });
    }
    if let Some(InPath { login, streams }) = in_path {
        prove(host, &mut Client::new(&host.peer, at).with_login_in_path(login), streams).await;
    }
    let demanded = client.auth_schemes();
    prove(host, &mut client, described).await;
    if client.auth_schemes() != demanded {
        emit_login(host, at, &client, &asked, Vec::new()).await;
    }
    host.emit_login_attempts().await;
}

/// Why a port is taken for one that speaks no RTSP: it was not heard to when it was looked at, nor does it answer OPTIONS or,
/// as some do that alone, DESCRIBE of the first path. Whatever announces it, it is asked for no further path. Where the user
/// asked for a stream, that one is asked for in any case.
async fn no_rtsp(
    host: &Inspection,
    at: Endpoint,
    first: &str,
    options: &Result<Response, RtspError>,
    client: &mut Client,
) -> Option<RtspError> {
    let speaks = || host.peer.history.speaks_rtsp(at.port) || !host.record.may_guess() || host.peer.is_over();
    if speaks() {
        return None;
    }
    let error = match options {
        Ok(_) => {
            let message = format!("OPTIONS {}: the answer is HTTP", client.url(first).shown());
            RtspError { kind: ErrorKind::Protocol, step: Step::Rtsp, status: None, message, old_tls: None }
        }
        Err(error) if matches!(error.kind, ErrorKind::Timeout | ErrorKind::Closed) => {
            client.describe(first).await.err().unwrap_or_else(|| error.clone())
        }
        Err(error) => error.clone(),
    };
    (!speaks()).then_some(error)
}

/// The paths of a port that were announced, with what was said of them.
fn announced(host: &Inspection, at: Endpoint) -> Vec<(String, StreamHint)> {
    let of_port = |hint: StreamHint| {
        let url = AnnouncedUrl::read_rtsp(&hint.url)?.url;
        if url.endpoint() != at {
            return None;
        }
        Some((url.target().to_owned(), hint))
    };
    host.record.hints().into_iter().filter_map(of_port).collect()
}

/// Asks a port's paths: those that were announced, else those that are likely.
async fn walk_port(
    host: &Inspection,
    port: u16,
    announced: &[(String, StreamHint)],
    asker: &mut Asker<'_>,
) -> Walked<StreamKey> {
    let urls = host.signatures.stream_urls();
    let may_guess = host.record.may_guess() && asker.no_rtsp.is_none();
    // A check asks for one stream, hundreds of times a day.
    let candidates = if may_guess { candidates(host, urls) } else { Vec::new() };
    let here = asker.client.url("/").endpoint();
    let of_port = |url: &String| {
        let url = AnnouncedUrl::read_rtsp(url)?.url;
        (url.endpoint() == here).then(|| url.target().to_owned())
    };
    let earlier: Vec<String> = host.record.earlier_streams().iter().filter_map(of_port).collect();
    let known = Known {
        earlier: &earlier,
        may_guess,
        of_vendor: candidates.iter().take_while(|c| !urls.is_common(c)).count(),
        announced,
        candidates: &candidates,
        urls,
        max_asked: host.options.max_candidates,
        max_channels: host.options.max_channels,
    };
    let walked = walk::walk(asker, &known).await;
    tracing::debug!(ip = %host.peer.ip, port, asked = walked.asked, found = walked.found.len(), nature = ?walked.nature, "paths walked");
    walked
}

/// The paths worth a guess, most likely first.
fn candidates(host: &Inspection, urls: &StreamUrls) -> Vec<Candidate> {
    let vendor = host.record.vendor();
    let server = vendor.as_deref().and_then(stream_url::named);
    let mut candidates = stream_url::of_names(stream_url::Purpose::Rtsp, &host.record.stream_names(), server);
    for usual in urls.rtsp(vendor.as_deref()) {
        if !candidates.iter().any(|c| c.path == usual.path) {
            candidates.push(usual);
        }
    }
    candidates
}

/// Says what stream a path stands for; gives it back with its path when it can be played.
async fn emit_found(
    host: &Inspection,
    at: Endpoint,
    found: &Found<StreamKey>,
    asked: &HashMap<String, Asked>,
    nature: Nature,
    elsewhere: &[StreamKey],
) -> Option<(String, Stream)> {
    // The same stream on a second port of the device is no further stream.
    if let Reply::Video(key) = &found.reply
        && found.hint.is_none()
        && elsewhere.contains(key)
    {
        return None;
    }
    let asked = asked.get(&found.path);
    let stream = stream::of_found(host, at, found, asked, nature);
    emit_evidence(host, found, asked).await;
    host.emit(FindingKind::Stream(Box::new(stream.clone()))).await;
    (stream.status == StreamStatus::Described).then(|| (found.path.clone(), stream))
}

/// Plays what is described, and takes pictures of it, as far as is wished.
async fn prove(host: &Inspection, client: &mut Client, described: Vec<(String, Stream)>) {
    for (path, mut stream) in described {
        if host.peer.is_over() {
            return;
        }
        let mut picture = None;
        if host.options.verify == Verify::Frames {
            (stream, picture) = verify::verify(host, client, &path, stream).await;
            // A snapshot may take its time; what is proved stands before it.
            host.emit(FindingKind::Stream(Box::new(stream.clone()))).await;
        }
        // Sound has no picture.
        if host.options.snapshots.is_some() && stream.video.is_some() {
            if host.options.per_host == 1 {
                // A picture may be fetched over HTTP, and this connection would stand in its way.
                client.disconnect();
            }
            snapshot::save(host, &mut stream, picture.as_deref()).await;
            host.emit(FindingKind::Stream(Box::new(stream))).await;
        }
    }
}

/// Whether all that is described is sound: such a server speaks RTSP as cameras do, and is none.
fn is_sound_alone(asked: &HashMap<String, Asked>) -> bool {
    let mut sessions = 0;
    for (_, session) in asked.values().flat_map(|asked| &asked.outcome) {
        if session.video().is_some() || session.audio().is_none() {
            return false;
        }
        sessions += 1;
    }
    sessions > 0
}

/// What the port demands for a stream, which OPTIONS alone rarely shows.
async fn emit_login(
    host: &Inspection,
    at: Endpoint,
    client: &Client,
    asked: &HashMap<String, Asked>,
    answers: Vec<Answer>,
) {
    let mut service = Service::new(Scheme::rtsp(at.tls).protocol(), Transport::Tcp, at.port);
    let is_open = asked.values().flat_map(|a| &a.outcome).any(|(described, _)| described.open);
    service.auth = client.auth_schemes().or(is_open.then(Vec::new));
    service.server = client.server().map(str::to_owned);
    for challenge in client.challenges().unwrap_or_default() {
        if let Some(realm) = challenge.realm() {
            host.match_signatures(Field::Realm, &realm).await;
            service.realm = Some(realm);
        }
    }
    service.answers = answers;
    if service.auth.is_some() || !service.answers.is_empty() {
        host.emit(FindingKind::Service(service)).await;
    }
}

/// What a description reveals of its maker, and that a camera stands behind a demand for a login.
async fn emit_evidence(host: &Inspection, found: &Found<StreamKey>, asked: Option<&Asked>) {
    match asked.map(|a| &a.outcome) {
        Some(Ok((described, session))) => {
            for text in [&session.name, &session.information, &session.tool, &session.origin].into_iter().flatten() {
                host.match_signatures(Field::SdpSession, text).await;
            }
            let text = String::from_utf8_lossy(&described.sdp);
            for attribute in text.lines().filter_map(|l| l.trim().strip_prefix("a=")).take(64) {
                host.match_signatures(Field::SdpAttribute, &crate::text::clean(attribute)).await;
            }
            host.match_signatures(Field::StreamPath, &found.path).await;
        }
        Some(Err(_)) if found.reply == Reply::Login => {
            let kind = Evidence::new(Fact::Kind, Kind::Camera.as_str(), EvidenceSource::RtspServer, 0.6);
            host.emit(FindingKind::Evidence(kind.with_detail("an RTSP server that demands a login"))).await;
        }
        _ => {}
    }
}

/// Says why a port has no stream, or why the search for more of them ended before its time.
async fn report_no_stream(host: &Inspection, port: u16, walked: &Walked<StreamKey>, asked: &HashMap<String, Asked>) {
    if host.peer.cancel.is_cancelled() || host.peer.is_over() {
        return;
    }
    // A stream that was found has its own result.
    let is_told = match &walked.cut_short {
        Some(cut) => walked.found.iter().any(|f| f.reply == *cut),
        None => !walked.found.is_empty(),
    };
    if is_told {
        return;
    }
    let errors = || asked.values().filter_map(|a| a.outcome.as_ref().err());
    let cut = errors().find(|e| match &walked.cut_short {
        Some(Reply::Busy) => e.kind == ErrorKind::Busy,
        Some(Reply::Silence) => e.status.is_none(),
        Some(_) => !is_of_the_path(e),
        None => false,
    });
    // Of the reasons that do not lie in the path alone the one given most often, and first by its words of those.
    let mut others: BTreeMap<(ErrorKind, Option<u16>), (usize, &str)> = BTreeMap::new();
    for error in errors().filter(|e| !is_of_the_path(e)) {
        let (count, message) = others.entry((error.kind, error.status)).or_insert((0, &error.message));
        (*count, *message) = (*count + 1, (*message).min(&error.message));
    }
    let common = others.iter().max_by_key(|(_, (count, message))| (*count, std::cmp::Reverse(*message)));
    let (kind, message) = match (cut, common) {
        (Some(error), _) => (error.kind, error.message.clone()),
        (None, Some(((kind, _), (count, message)))) => {
            let others = if *count > 1 { format!("; so {count} paths in all") } else { String::new() };
            (*kind, format!("{message}{others}"))
        }
        // What is no camera, or sound alone, has no picture to miss.
        (None, None) if asked.is_empty() || is_sound_alone(asked) || host.record.is_clearly_no_camera() => return,
        (None, None) => {
            let described = asked.values().filter(|a| a.outcome.is_ok()).count();
            let what = match described {
                0 => "none is a stream".to_owned(),
                n => format!("none is a stream; {n} described nothing with a picture"),
            };
            (ErrorKind::NotFound, format!("{} paths asked: {what}", asked.len()))
        }
    };
    host.error(Stage::Rtsp, kind, format!("port {port}: {message}")).await;
}

/// Whether an error means that there is no such path, or that it is locked, rather than why there is no stream at all.
fn is_of_the_path(error: &RtspError) -> bool {
    matches!(error.kind, ErrorKind::NotFound | ErrorKind::AuthRequired | ErrorKind::AuthRefused)
}

#[cfg(test)]
mod tests;
