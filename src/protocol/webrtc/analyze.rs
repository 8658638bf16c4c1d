//! Looks for WHEP endpoints: OPTIONS tells whether there is one, the answer to an offer what it would send, and playing it
//! what it does send. Every session that is opened is closed.

use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "serve")]
use super::play::Offered;
use super::wire::{self, Seed};
use crate::media::picture::Picture;
use crate::model::{
    ErrorKind, FindingKind, Protocol, Service, Stage, Step, Stream, StreamSource, StreamStatus, Transport, Verify,
};
use crate::probe::transcript::Transcript;
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::client;
use crate::protocol::http::message::{self, Request, Response};
use crate::protocol::proof::{self, Proof, Stop};
use crate::protocol::segment::{self, MAX_STREAMS, MediaUrl};
use crate::protocol::snapshot;
use crate::text;
use crate::wire::url::HostUrl;

/// How long an answer to an offer is awaited. Some servers give theirs when they have heard from their STUN servers, or
/// given up: without a way to the internet go2rtc waits for 5 s and for the name service besides (`<-done` in
/// `GetCompleteAnswer`, pkg/webrtc/server.go at dc1685e9cf7a; `stunGatherTimeout` of pion/ice).
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// An answer that takes longer was waited for in such a way.
const SLOW_ANSWER: Duration = Duration::from_secs(3);

/// The longest answer that is read; live view takes no longer offer either.
const MOST_ANSWER: usize = 64 * 1024;

/// Without the feature `serve` an answer is read and not played.
#[cfg(not(feature = "serve"))]
enum Offered {}

/// The analysis of WHEP endpoints.
pub const PROBE: Probe = Probe { stage: Stage::Webrtc, phase: Phase::Walk, run: |host| Box::pin(run(host)) };

pub(super) async fn run(host: &Inspection) {
    if host.options.verify == Verify::None || host.record.is_clearly_no_camera() {
        return;
    }
    let (mut found, mut slowest) = (0, Duration::ZERO);
    for endpoint in segment::candidates(host, Protocol::Webrtc, &["whep", "/api/webrtc"]) {
        if host.peer.is_over() || found >= MAX_STREAMS {
            return;
        }
        let mark = if endpoint.guessed { takes_offers(host, &endpoint.url).await } else { Some(Mark::Sure) };
        let Some(mark) = mark else { continue };
        // As much is spent for the next; what time is left for would be cut off.
        if slowest > SLOW_ANSWER && host.peer.time_left() < slowest * 2 {
            tracing::debug!(ip = %host.peer.ip, ?slowest, "no time is left for a further answer to an offer");
            return;
        }
        let began = Instant::now();
        let stream = ask(host, &endpoint, mark).await;
        slowest = slowest.max(began.elapsed());
        if let Some((mut stream, picture)) = stream {
            found += 1;
            snapshot::save(host, &mut stream, picture.as_ref()).await;
            host.emit(FindingKind::Stream(Box::new(stream))).await;
        }
    }
}

/// How sure it is that offers are taken at an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It was announced, or names session descriptions as what it takes.
    Sure,
    /// It takes what endpoints for offers take, and so do other pages.
    Likely,
}

/// Whether OPTIONS names offers as what is taken, so that nothing is posted to a page that only looks so.
async fn takes_offers(host: &Inspection, url: &HostUrl) -> Option<Mark> {
    let request = Request {
        method: "OPTIONS",
        follow: false,
        max_body: 1024,
        login: host.peer.logins.worked().is_some(),
        ..Request::of(url)
    };
    let answer = client::send(&host.peer, request).await.ok().filter(|answer| matches!(answer.status, 200 | 204))?;
    let has = |header: &str, word: &str| answer.headers.texts(header).any(|v| v.to_ascii_lowercase().contains(word));
    // The draft's own mark; or a POST that goes with the DELETE and PATCH of a session.
    if has("Accept-Post", "application/sdp") {
        return Some(Mark::Sure);
    }
    let is_likely = has("Access-Control-Allow-Methods", "post")
        && has("Access-Control-Allow-Methods", "delete")
        && (has("Access-Control-Allow-Methods", "patch") || has("Link", "ice-server"));
    is_likely.then_some(Mark::Likely)
}

/// An offer, and what plays by the answer to it, where streams are to be played and this build can.
fn offer(host: &Inspection) -> (Option<Offered>, String) {
    if let Some((offered, offer)) = playable_offer(host) {
        return (Some(offered), offer);
    }
    let seed = Seed {
        session: fastrand::u32(1..),
        ice: fastrand::u128(..),
        fingerprint: std::array::from_fn(|_| fastrand::u8(..)),
    };
    (None, wire::offer(&seed))
}

#[cfg(feature = "serve")]
fn playable_offer(host: &Inspection) -> Option<(Offered, String)> {
    if host.options.verify != Verify::Frames {
        return None;
    }
    Offered::new(&host.peer)
}

#[cfg(not(feature = "serve"))]
fn playable_offer(_: &Inspection) -> Option<(Offered, String)> {
    None
}

/// Plays by an answer that promises a picture; the last whole one that came.
#[cfg(feature = "serve")]
async fn play(host: &Inspection, offered: Option<Offered>, answer: &Response, proof: &mut Proof) -> Option<Picture> {
    let offered = offered.filter(|_| proof.stream.video.is_some())?;
    offered.play(host, &String::from_utf8_lossy(&answer.body)).await.prove(proof)
}

#[cfg(not(feature = "serve"))]
async fn play(_: &Inspection, _: Option<Offered>, _: &Response, _: &mut Proof) -> Option<Picture> {
    None
}

/// Posts an offer, reads the answer, plays by it and closes the session. None when a guess led nowhere.
async fn ask(host: &Inspection, endpoint: &MediaUrl, mark: Mark) -> Option<(Stream, Option<Picture>)> {
    let (offered, offer) = offer(host);
    let offer = offer.into_bytes();
    let (at, target) = (endpoint.url.endpoint(), endpoint.url.target());
    let login = !endpoint.guessed || host.peer.logins.worked().is_some();
    let request =
        Request { follow: false, login, max_body: MOST_ANSWER, ..Request::post(at, target, "application/sdp", offer) };
    let _turn = proof::turn(host).await;
    let started = Instant::now();
    let mut patient = host.peer.clone();
    patient.timeouts.request = patient.timeouts.request.max(ANSWER_TIME);
    let answer = match client::send(&patient, request).await {
        Ok(answer) => answer,
        Err(error) => {
            let mut proof = Proof::new(&message::url(&host.peer, at, target), Protocol::Webrtc);
            proof.stop(Step::Spoken, Stop::error(error.kind, error.message));
            // What takes offers by its own word is there, also if this one was too much for it.
            return (mark == Mark::Sure).then_some((proof.stream, None));
        }
    };
    let took = started.elapsed();
    let mut proof = Proof::answered(&host.peer, Protocol::Webrtc, &answer, took);
    let (is_stream, picture) = examine(host, endpoint.guessed, &answer, offered, &mut proof).await;
    if let Some(note) = close(host, &answer).await {
        proof.warn(note);
    }
    is_stream.then_some((proof.stream, picture))
}

/// What an answer says and brings; whether it is a stream at all.
async fn examine(
    host: &Inspection,
    guessed: bool,
    answer: &Response,
    offered: Option<Offered>,
    proof: &mut Proof,
) -> (bool, Option<Picture>) {
    let sdp = wire::answer(&answer.body).filter(|_| matches!(answer.status, 200 | 201));
    let Some((video, audio)) = sdp else {
        let why = match answer.status {
            200..=299 => Stop::error(ErrorKind::Protocol, "no session description came back"),
            status => Stop::of_status(&host.peer, status),
        };
        let is_there = !guessed || why.status == StreamStatus::AuthRequired;
        proof.stream.open = None;
        proof.stop(Step::Described, why);
        return (is_there, None);
    };
    emit_service(host, answer).await;
    let stream = &mut proof.stream;
    stream.sdp = Transcript::new(&host.peer).description(String::from_utf8_lossy(&answer.body).lines());
    stream.transport = Transport::Udp;
    (stream.video, stream.audio) = (video, audio);
    if stream.video.is_some() || stream.audio.is_some() {
        proof.described(StreamSource::Sdp);
        return (true, play(host, offered, answer, proof).await);
    }
    stream.sources.push(StreamSource::Sdp);
    let message = "the answer offers neither picture nor sound";
    proof.stop(Step::Described, Stop::no_data(ErrorKind::Device, message));
    (true, None)
}

/// Closes the session an answer opened, at the address it names; a note when that cannot be done.
async fn close(host: &Inspection, answer: &Response) -> Option<String> {
    if answer.status != 201 {
        return None;
    }
    let Some(location) = answer.header("Location") else {
        return Some("names no address to close the session at".to_owned());
    };
    let session = match segment::resolve(host, answer, &location) {
        Ok(session) => session,
        Err(elsewhere) => return Some(elsewhere.to_string()),
    };
    let login = answer.logged_in;
    let request = Request { method: "DELETE", follow: false, login, max_body: 1024, ..Request::of(&session.url) };
    match client::send(&host.peer, request).await {
        Ok(closed) if matches!(closed.status, 200..=299 | 404 | 410) => None,
        Ok(closed) => Some(format!("the session could not be closed: answered {}", closed.status)),
        Err(error) => Some(format!("the session could not be closed: {error}")),
    }
}

async fn emit_service(host: &Inspection, answer: &Response) {
    let mut service = Service::new(Protocol::Webrtc, Transport::Tcp, answer.at.port);
    service.url = Some(text::redact_url(&answer.url(&host.peer)));
    service.server = answer.headers.clean("Server");
    host.emit(FindingKind::Service(service)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::StreamHint;
    use crate::model::{ProbeOptions, VideoCodec};
    use crate::testkit::net::{FakeNet, Reply};

    const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
        a=rtpmap:96 H264/90000\r\na=sendonly\r\n";

    fn reply(status: &str, headers: &str, body: &str) -> Reply {
        Reply::Last(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    }

    async fn analyse(
        hint: Option<&str>,
        answer: impl Fn(&str, &str) -> Reply + Send + Sync + 'static,
    ) -> (Vec<Stream>, Vec<String>) {
        let net = FakeNet::new();
        let log = net.answer("192.0.2.10:8889", move |asked| answer(asked.method(), asked.target()));
        let (host, mut said) = Inspection::for_test(net, "192.0.2.10", ProbeOptions::default());
        host.record.learn(&FindingKind::Service(Service::new(Protocol::Http, Transport::Tcp, 8889)));
        if let Some(hint) = hint {
            host.record.learn(&FindingKind::StreamHint(StreamHint::new(hint)));
        }
        run(&host).await;
        let streams = crate::probe::testing::streams(&mut said);
        (streams, log.all().iter().map(|a| format!("{} {}", a.method(), a.target())).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_was_opened_is_closed() {
        let (streams, asked) =
            analyse(Some("http://192.0.2.10:8889/cam/whep"), |method, target| match (method, target) {
                ("POST", "/cam/whep") => reply("201 Created", "Location: /cam/whep/5f3\r\n", ANSWER),
                ("DELETE", "/cam/whep/5f3") => reply("200 OK", "", ""),
                _ => reply("404 Not Found", "", ""),
            })
            .await;
        let [stream] = &streams[..] else { panic!("{streams:#?}") };
        assert_eq!((stream.url.as_str(), stream.status), ("http://192.0.2.10:8889/cam/whep", StreamStatus::Described));
        assert_eq!(stream.video.as_ref().unwrap().codec, Some(VideoCodec::H264));
        assert_eq!(stream.warnings, [""; 0]);
        assert_eq!(asked[..2], ["POST /cam/whep", "DELETE /cam/whep/5f3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_posted_to_a_page_that_answers_everything() {
        let (streams, asked) = analyse(None, |_, _| reply("200 OK", "Allow: GET, POST\r\n", "<html>")).await;
        assert_eq!(streams, []);
        assert!(!asked.is_empty() && asked.iter().all(|a| a.starts_with("OPTIONS")), "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_guess_counts_when_it_takes_offers() {
        let (streams, _) = analyse(None, |method, target| match (method, target) {
            ("OPTIONS", "/whep") => reply("204 No Content", "Accept-Post: application/sdp\r\n", ""),
            ("POST", "/whep") => reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
            _ => reply("404 Not Found", "", ""),
        })
        .await;
        assert_eq!(
            streams.iter().map(|s| (s.status, s.open)).collect::<Vec<_>>(),
            [(StreamStatus::AuthRequired, Some(false))]
        );
    }
}
