use base64::prelude::*;

use super::*;
use crate::media::{mp4, nal, ts};
use crate::model::finding::StreamHint;
use crate::model::{ProbeOptions, Service, Stream, StreamStatus, Transport, VideoCodec};
use crate::probe::testing::streams;
use crate::testkit::net::{FakeNet, Log, Reply};

const AT: &str = "192.0.2.10:8888";

fn sps() -> Vec<u8> {
    BASE64_STANDARD.decode("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=").unwrap()
}

fn segment() -> Vec<u8> {
    let key = nal::to_annex_b([&sps()[..], &[0x65, 0x88, 0x84]]);
    ts::testing::stream(&(0..26).map(|i| (i * 6000, key.clone())).collect::<Vec<_>>())
}

fn ok(body: impl Into<Vec<u8>>) -> Reply {
    let body = body.into();
    Reply::Last([format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes(), body].concat())
}

fn missing() -> Reply {
    Reply::Last(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec())
}

async fn analyse(
    answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    verify: Verify,
    hint: Option<&str>,
) -> (Vec<Stream>, Log) {
    let net = FakeNet::new();
    let log = net.answer(AT, move |asked| answer(asked.target()));
    let options = ProbeOptions { verify, ..ProbeOptions::default() };
    let (host, mut said) = Inspection::for_test(net, "192.0.2.10", options);
    host.record.learn(&FindingKind::Service(Service::new(Protocol::Http, Transport::Tcp, 8888)));
    host.record.learn(&FindingKind::Service(Service::new(Protocol::Rtsp, Transport::Tcp, 8554)));
    if let Some(hint) = hint {
        host.record.learn(&FindingKind::StreamHint(StreamHint::new(hint)));
    }
    run(&host).await;
    (streams(&mut said), log)
}

fn server(target: &str) -> Reply {
    match target {
        "/cam/index.m3u8" => ok("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=1920x1080,FRAME-RATE=25,\
             CODECS=\"avc1.640028,mp4a.40.2\"\nmain.m3u8?t=1\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://198.51.100.1.example.org/x.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1\ngone.m3u8"),
        "/cam/main.m3u8?t=1" => ok("#EXTM3U\n#EXTINF:2\n../a.ts\n#EXTINF:2\n../b.ts\n#EXTINF:2\n../c.ts\n"),
        "/b.ts" => ok(segment()),
        _ => missing(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_variant_is_proved_by_its_last_segment_but_one() {
    let (streams, log) = analyse(server, Verify::Frames, Some("http://192.0.2.10:8888/cam/index.m3u8")).await;
    let [main, off, gone] = &streams[..] else { panic!("{streams:#?}") };
    assert_eq!((main.url.as_str(), main.status), ("http://192.0.2.10:8888/cam/main.m3u8?t=1", StreamStatus::Streaming));
    let video = main.video.clone().unwrap();
    assert_eq!((video.codec, video.width, video.measured_fps), (Some(VideoCodec::H264), Some(1280), Some(15.0)));
    assert_eq!((video.fps, video.bitrate_kbps, video.size_source), (Some(25.0), Some(900), None));
    assert_eq!(
        main.warnings,
        ["declared 1920x1080, the stream is 1280x720".to_owned(), "declared 25 fps, measured 15".to_owned(),]
    );
    let steps: Vec<Step> = main.ladder.iter().filter(|s| s.ok).map(|s| s.step).collect();
    assert_eq!(steps, [Step::Tcp, Step::Spoken, Step::Described, Step::Rtp, Step::Frame, Step::Keyframe]);
    assert_eq!(off.error.as_ref().unwrap().kind, ErrorKind::Redirect, "never leaves the host");
    assert_eq!(gone.status, StreamStatus::NotFound);
    assert_eq!(log.all().iter().filter(|a| a.target().ends_with(".ts")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn describing_fetches_no_media() {
    let (streams, log) = analyse(server, Verify::Describe, Some("http://192.0.2.10:8888/cam/index.m3u8")).await;
    assert_eq!(streams[0].status, StreamStatus::Described);
    assert_eq!(streams[0].video.as_ref().unwrap().width, Some(1920));
    assert!(log.all().iter().all(|a| !a.target().ends_with(".ts")));
    let (streams, log) = analyse(server, Verify::None, Some("http://192.0.2.10:8888/cam/index.m3u8")).await;
    assert_eq!((streams.len(), log.all().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_page_for_every_path_is_no_playlist() {
    let (streams, _) = analyse(|_| ok("<html>#EXTM3U</html>"), Verify::Frames, None).await;
    assert_eq!(streams, []);
}

#[tokio::test(start_paused = true)]
async fn fragments_are_read_with_their_initialisation_segment() {
    let server = |target: &str| match target {
        "/live.m3u8" => ok("\u{feff}#EXTM3U\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2,\ns.m4s\n#EXT-X-ENDLIST\n"),
        "/i.mp4" => ok(mp4::testing::init(&sps())),
        "/s.m4s" => ok(mp4::testing::segment(50)),
        _ => missing(),
    };
    let (streams, _) = analyse(server, Verify::Frames, None).await;
    let [stream] = &streams[..] else { panic!("{streams:#?}") };
    let video = stream.video.clone().unwrap();
    assert_eq!((stream.status, video.width, video.measured_fps), (StreamStatus::Streaming, Some(1280), Some(25.0)));
    assert_eq!(stream.warnings, ["the playlist has ended: a recording, not a live stream"]);
}

/// A playlist of yesterday outlives its segments.
#[tokio::test(start_paused = true)]
async fn a_playlist_whose_segments_are_gone_is_no_stream() {
    let server = |target: &str| match target {
        "/index.m3u8" => ok("#EXTM3U\n#EXTINF:2,\nold.ts\n"),
        "/stream.m3u8" => ok("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:2,\nsecret.ts\n"),
        _ => missing(),
    };
    let (streams, log) = analyse(server, Verify::Frames, None).await;
    assert_eq!(streams.iter().map(|s| s.status).collect::<Vec<_>>(), [StreamStatus::NoData, StreamStatus::Described]);
    assert!(log.all().iter().all(|a| a.target() != "/secret.ts"));
}

/// The list is a moment old when it arrives: its segments are deleted, and the next list names others.
#[tokio::test(start_paused = true)]
async fn a_live_playlist_is_read_again_when_its_segment_is_gone() {
    let asked = std::sync::atomic::AtomicU32::new(0);
    let server = move |target: &str| match target {
        "/index.m3u8" => {
            let n = asked.fetch_add(3, std::sync::atomic::Ordering::Relaxed);
            ok(format!("#EXTM3U\n#EXTINF:2,\n{n}.ts?k=a/b\n#EXTINF:2,\n{}.ts?k=a/b\n", n + 1))
        }
        "/4.ts?k=a/b" => ok(segment()),
        _ => missing(),
    };
    let (streams, log) = analyse(server, Verify::Frames, Some("http://192.0.2.10:8888/index.m3u8")).await;
    assert_eq!((streams[0].status, &streams[0].error), (StreamStatus::Streaming, &None), "{streams:#?}");
    let fetched: Vec<_> = log.all().iter().map(|a| a.target().to_owned()).filter(|t| t.contains(".ts")).collect();
    assert_eq!(fetched, ["/0.ts?k=a/b", "/4.ts?k=a/b"]);
}

/// A stream that is made on demand names nothing at first.
#[tokio::test(start_paused = true)]
async fn a_first_segment_is_waited_for_once() {
    let asked = std::sync::atomic::AtomicU32::new(0);
    let server = move |target: &str| match target {
        "/index.m3u8" if asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 => {
            ok("#EXTM3U\n#EXT-X-TARGETDURATION:3600\n")
        }
        "/index.m3u8" => ok("#EXTM3U\n#EXT-X-PART:DURATION=0.5,URI=\"part\",INDEPENDENT=YES\n"),
        "/part" => ok(segment()),
        _ => missing(),
    };
    let (streams, _) = analyse(server, Verify::Frames, Some("http://192.0.2.10:8888/index.m3u8")).await;
    assert_eq!(streams[0].status, StreamStatus::Streaming, "{streams:#?}");
}

/// Everything in one file, from a server that knows of ranges and from one that does not.
#[tokio::test(start_paused = true)]
async fn parts_of_a_file_are_asked_for() {
    let (init, media) = (mp4::testing::init(&sps()), mp4::testing::segment(50));
    let (cut, whole) = (init.len(), [init, media].concat());
    for knows_ranges in [true, false] {
        let whole = whole.clone();
        let net = FakeNet::new();
        let log = net.answer(AT, move |asked| {
            let range = asked.header("Range").and_then(|r| r.strip_prefix("bytes=")?.split_once('-'));
            match (asked.target(), range) {
                ("/live.m3u8", _) => ok(format!(
                    "#EXTM3U\n#EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"{cut}@0\"\n#EXTINF:2,\n#EXT-X-BYTERANGE:{}@{cut}\na.mp4\n",
                    whole.len() - cut
                )),
                ("/a.mp4", Some((first, last))) if knows_ranges => {
                    let part = &whole[first.parse().unwrap()..=last.parse().unwrap()];
                    let head = format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n\r\n", part.len());
                    Reply::Last([head.as_bytes(), part].concat())
                }
                ("/a.mp4", Some(_)) => ok(whole.clone()),
                _ => missing(),
            }
        });
        let (host, mut said) = Inspection::for_test(net, "192.0.2.10", ProbeOptions::default());
        host.record.learn(&FindingKind::Service(Service::new(Protocol::Http, Transport::Tcp, 8888)));
        run(&host).await;
        let streams = streams(&mut said);
        let [stream] = &streams[..] else { panic!("{streams:#?}") };
        assert_eq!(stream.status, StreamStatus::Streaming, "{stream:#?}");
        assert_eq!(stream.video.as_ref().and_then(|v| v.measured_fps), Some(25.0));
        assert_eq!(log.all().iter().filter(|a| a.header("Range").is_some()).count(), 2);
    }
}

/// A microphone: packed AAC, and no picture anywhere.
#[tokio::test(start_paused = true)]
async fn a_stream_of_sound_alone_is_proved_by_its_sound() {
    let server = |target: &str| match target {
        "/index.m3u8" => ok("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\na.m3u8\n"),
        "/a.m3u8" => ok("#EXTM3U\n#EXTINF:2,\n1.aac\n"),
        "/1.aac" => ok(&include_bytes!("../../../../tests/data/media/camera_aac_16k.adts")[..]),
        _ => missing(),
    };
    let (streams, _) = analyse(server, Verify::Frames, None).await;
    assert_eq!((streams[0].status, &streams[0].video), (StreamStatus::Streaming, &None), "{streams:#?}");
    assert_eq!(streams[0].audio.as_ref().unwrap().sample_rate_hz, Some(16_000));
}

#[tokio::test(start_paused = true)]
async fn encrypted_segments_are_named_and_not_fetched() {
    let server = |target: &str| match target {
        "/index.m3u8" => ok("#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:2,\n1.ts\n#EXTINF:2,\n2.ts\n"),
        _ => missing(),
    };
    let (streams, log) = analyse(server, Verify::Frames, Some("http://192.0.2.10:8888/index.m3u8")).await;
    assert_eq!((streams[0].status, &streams[0].error), (StreamStatus::Described, &None));
    assert_eq!(streams[0].warnings, ["the segments are encrypted; none was fetched"]);
    assert!(log.all().iter().all(|a| !a.target().ends_with(".ts")));
}
