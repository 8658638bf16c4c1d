//! Looks for DASH manifests on a host's HTTP ports and proves each representation of the picture by a segment.

use std::time::Duration;

use super::wire::{self, Mpd, Representation};
use crate::media::picture::Picture;
use crate::model::{ErrorKind, FindingKind, Protocol, Stage, Step, StreamSource, Verify};
use crate::probe::memory::Kept;
use crate::probe::{Inspection, Phase, Probe};
use crate::protocol::http::message::Response;
use crate::protocol::proof::{self, Proof, Stop};
use crate::protocol::segment::{self, Elsewhere, MAX_STREAMS, MediaUrl};
use crate::protocol::snapshot;
use crate::text;
use crate::wire::url::AnnouncedUrl;

/// The analysis of DASH streams.
pub const PROBE: Probe = Probe { stage: Stage::Dash, phase: Phase::Walk, run: |host| Box::pin(run(host)) };

async fn run(host: &Inspection) {
    if host.options.verify == Verify::None || host.record.is_clearly_no_camera() {
        return;
    }
    let (mut found, mut dead) = (0, Vec::new());
    for candidate in segment::candidates(host, Protocol::Dash, &[".mpd"]) {
        if host.peer.is_over() || found >= MAX_STREAMS {
            return;
        }
        if !dead.contains(&candidate.url.endpoint().port) {
            match segment::ask(host, &candidate).await {
                Ok((answer, took)) => found += answered(host, &candidate, &answer, took).await,
                Err(_) => dead.push(candidate.url.endpoint().port),
            }
        }
    }
}

/// Says what a manifest's answer tells; how many streams that were.
async fn answered(host: &Inspection, from: &MediaUrl, answer: &Response, took: Duration) -> usize {
    let now_s = (host.peer.clock)().as_millisecond() as f64 / 1000.0;
    let base = AnnouncedUrl::unnamed(answer.host_url());
    let mpd = if answer.status == 200 { wire::parse(&answer.body, &base, now_s) } else { None };
    match mpd {
        Some(mpd) => representations(host, answer, took, &mpd).await,
        None if !from.guessed && answer.status != 200 => {
            let mut proof = Proof::answered(&host.peer, Protocol::Dash, answer, took);
            proof.stream.open = None;
            proof.stop(Step::Described, Stop::of_status(&host.peer, answer.status));
            host.emit(FindingKind::Stream(Box::new(proof.stream))).await;
            1
        }
        None => 0,
    }
}

/// One stream for every picture there is to choose; where there is only sound, for every sound. The sound that goes with
/// a picture is told with it.
async fn representations(host: &Inspection, answer: &Response, took: Duration, mpd: &Mpd) -> usize {
    let has_picture = mpd.representations.iter().any(|r| r.video.is_some());
    let sound = mpd.representations.iter().filter(|r| r.video.is_none()).find_map(|r| r.audio.clone());
    let chosen = mpd.representations.iter().filter(|r| r.video.is_some() == has_picture).take(MAX_STREAMS);
    let mut said = 0;
    for (number, representation) in chosen.enumerate() {
        if host.peer.is_over() {
            break;
        }
        let mut proof = Proof::answered(&host.peer, Protocol::Dash, answer, took);
        let stream = &mut proof.stream;
        // Streams are told apart by their address, and a manifest has only one.
        if mpd.representations.len() > 1 || number > 0 {
            stream.url = format!("{}#{}", stream.url, fragment(representation, number));
        }
        stream.profile_name = text::clean_some(&representation.id);
        (stream.video, stream.audio) = (representation.video.clone(), representation.audio.clone().or(sound.clone()));
        proof.described(StreamSource::Manifest);
        if !mpd.live {
            proof.warn("the manifest is static: a recording, not a live stream");
        }
        let picture = match host.options.verify >= Verify::Frames {
            true => prove(host, &mut proof, representation).await,
            false => None,
        };
        snapshot::save(host, &mut proof.stream, picture.as_deref()).await;
        host.emit(FindingKind::Stream(Box::new(proof.stream))).await;
        said += 1;
    }
    said
}

/// The representation's id as it can stand behind `#`.
fn fragment(representation: &Representation, number: usize) -> String {
    let id: String = representation.id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    if id.is_empty() { number.to_string() } else { id }
}

/// Proves a representation by a segment. Gives a key frame of it.
async fn prove(host: &Inspection, proof: &mut Proof, representation: &Representation) -> Option<Kept<Picture>> {
    let _turn = proof::turn(host).await;
    if representation.encrypted {
        proof.warn("the content is protected; no segment was fetched");
        return None;
    }
    let resolve = |(address, range): &wire::Piece| {
        Ok::<_, Elsewhere>(segment::Piece { from: segment::on_host(host, address)?, range: *range })
    };
    let Some(media) = &representation.media else {
        let message = "the manifest names no segment";
        proof.stop(Step::Rtp, Stop::no_data(ErrorKind::Device, message));
        return None;
    };
    match (representation.init.as_ref().map(resolve).transpose(), resolve(media)) {
        (Ok(init), Ok(segment)) => segment::prove(host, proof, &segment::Media { init, segment }).await,
        (Err(elsewhere), _) | (_, Err(elsewhere)) => {
            proof.stop(Step::Rtp, Stop::error(ErrorKind::Redirect, elsewhere.to_string()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;

    use super::*;
    use crate::media::mp4;
    use crate::model::{ProbeOptions, Service, Stream, StreamStatus, Transport};
    use crate::testkit::net::{FakeNet, Reply};

    const MPD: &str = r#"<MPD type="static"><Period><AdaptationSet mimeType="video/mp4">
        <SegmentTemplate media="$RepresentationID$/$Number$.m4s" initialization="$RepresentationID$/init.mp4"/>
        <Representation id="hi" codecs="avc1.640028" width="1280" height="720" frameRate="25"/>
        <Representation id="lo" codecs="avc1.640028" width="640" height="360"/></AdaptationSet>
        <AdaptationSet mimeType="audio/mp4"><Representation id="a" codecs="mp4a.40.2"/></AdaptationSet></Period></MPD>"#;

    fn ok(body: Vec<u8>) -> Reply {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        Reply::Last([head.into_bytes(), body].concat())
    }

    async fn analyse(verify: Verify) -> Vec<Stream> {
        let net = FakeNet::new();
        let sps = BASE64_STANDARD.decode("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=").unwrap();
        net.answer("192.0.2.10:80", move |asked| match asked.target() {
            "/dash/manifest.mpd" => ok(MPD.into()),
            "/dash/hi/init.mp4" => ok(mp4::testing::init(&sps)),
            "/dash/hi/1.m4s" => ok(mp4::testing::segment(50)),
            "/live.mpd" => ok(b"<html>no MPD here".to_vec()),
            _ => Reply::Last(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()),
        });
        let options = ProbeOptions { verify, ..ProbeOptions::default() };
        let (host, mut said) = Inspection::for_test(net, "192.0.2.10", options);
        host.record.learn(&FindingKind::Service(Service::new(Protocol::Http, Transport::Tcp, 80)));
        run(&host).await;
        crate::probe::testing::streams(&mut said)
    }

    #[tokio::test(start_paused = true)]
    async fn every_picture_is_a_stream_of_its_own() {
        let streams = analyse(Verify::Frames).await;
        let [hi, lo] = &streams[..] else { panic!("{streams:#?}") };
        assert_eq!(
            (hi.url.as_str(), hi.status),
            ("http://192.0.2.10:80/dash/manifest.mpd#hi", StreamStatus::Streaming)
        );
        let video = hi.video.clone().unwrap();
        assert_eq!((video.width, video.measured_fps, video.size_source), (Some(1280), Some(25.0), None));
        assert!(hi.audio.is_some());
        assert_eq!(
            lo.ladder.last().map(|s| (s.step, s.ok)),
            Some((Step::Setup, false)),
            "its initialisation is missing"
        );
        let described = analyse(Verify::Describe).await;
        assert!(described.iter().all(|s| s.status == StreamStatus::Described));
        assert_eq!(analyse(Verify::None).await, []);
    }
}
