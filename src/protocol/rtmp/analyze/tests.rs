use std::sync::{Arc, Mutex};

use base64::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::detect::detect;
use super::super::wire::{BLOCK, Reader};
use super::*;
use crate::model::finding::StreamHint;
use crate::model::{Evidence, EvidenceSource, Fact, ProbeOptions, Stream, Transport};
use crate::net::tls;
use crate::probe::Detection;
use crate::probe::testing::kinds;
use crate::testkit::net::FakeNet;

const AT: &str = "192.0.2.10:1935";

/// What a server was asked: command and name.
type Asked = Arc<Mutex<Vec<String>>>;

/// A server that has `live/hof` and answers other names with `missing`, or silence.
async fn server<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    asked: Asked,
    missing: Option<&'static str>,
) -> Option<()> {
    let mut hello = vec![0; 1 + BLOCK];
    stream.read_exact(&mut hello).await.ok()?;
    stream.write_all(&[&[3u8][..], &[7; BLOCK]].concat()).await.ok()?;
    let mut echo = vec![0; BLOCK];
    stream.read_exact(&mut echo).await.ok()?;
    assert_eq!(echo, [7; BLOCK]);
    stream.write_all(&hello[1..]).await.ok()?;
    let mut reader = Reader::default();
    loop {
        let mut read = Vec::new();
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        reader.push(&read);
        while let Some(message) = reader.next_message().unwrap() {
            let values = message.values();
            let name = values.first().and_then(Value::as_text).unwrap_or_default().to_owned();
            let argument = values.get(3).or(values.get(2)).cloned().unwrap_or(Value::Null);
            let argument = argument.get("app").cloned().unwrap_or(argument);
            let argument = argument.as_text().unwrap_or_default().to_owned();
            asked.lock().unwrap().push(format!("{name} {argument}").trim().to_owned());
            for reply in replies(&name, &argument, missing) {
                stream.write_all(&reply.emit()).await.ok()?;
            }
        }
    }
}

fn object(fields: &[(&str, &str)]) -> Value {
    Value::Object(fields.iter().map(|(n, v)| ((*n).to_owned(), Value::text(*v))).collect())
}

fn replies(name: &str, argument: &str, missing: Option<&str>) -> Vec<Message> {
    match (name, argument) {
        ("connect", "secret") => vec![Message::command(
            0,
            &[
                Value::text("_error"),
                Value::Number(1.0),
                Value::Null,
                object(&[
                    ("code", "NetConnection.Connect.Rejected"),
                    ("description", "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ]"),
                ]),
            ],
        )],
        ("connect", _) => vec![
            Message::control(kind::WINDOW_SIZE, 5_000_000),
            Message::command(
                0,
                &[
                    Value::text("_result"),
                    Value::Number(1.0),
                    object(&[("fmsVer", "FMS/3,0,1,123")]),
                    object(&[("code", "NetConnection.Connect.Success"), ("level", "status")]),
                ],
            ),
        ],
        ("createStream", _) => {
            vec![Message::command(0, &[Value::text("_result"), Value::Number(2.0), Value::Null, Value::Number(1.0)])]
        }
        ("play", "hof") => media(),
        ("play", _) => missing
            .map(|code| {
                let status = object(&[("level", "error"), ("code", code)]);
                Message::command(1, &[Value::text("onStatus"), Value::Number(0.0), Value::Null, status])
            })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

fn media() -> Vec<Message> {
    let sps = BASE64_STANDARD.decode("Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=").unwrap();
    let meta = Value::Object(vec![
        ("width".to_owned(), Value::Number(640.0)),
        ("height".to_owned(), Value::Number(360.0)),
        ("framerate".to_owned(), Value::Number(25.0)),
        ("videodatarate".to_owned(), Value::Number(800.0)),
    ]);
    let message = |kind, timestamp_ms, body| Message { kind, timestamp_ms, stream: 1, body };
    let meta = super::super::amf::emit(&[Value::text("onMetaData"), meta]);
    let mut out = vec![
        message(kind::DATA, 0, meta),
        message(kind::VIDEO, 0, flv::testing::avc_config(&sps)),
        message(kind::AUDIO, 0, vec![0xaf, 0, 0x11, 0x90]),
    ];
    out.extend((0..26u32).map(|i| {
        let mut body = vec![if i % 25 == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0];
        body.resize(500, 9);
        message(kind::VIDEO, 1000 + i * 40, body)
    }));
    out
}

async fn analyse(
    hint: Option<&str>,
    missing: Option<&'static str>,
    verify: Verify,
) -> (Vec<Stream>, Vec<Service>, Vec<String>) {
    analyse_called(None, hint, missing, verify).await
}

async fn analyse_called(
    host_name: Option<&str>,
    hint: Option<&str>,
    missing: Option<&'static str>,
    verify: Verify,
) -> (Vec<Stream>, Vec<Service>, Vec<String>) {
    let net = FakeNet::new();
    let asked: Asked = Arc::default();
    let log = asked.clone();
    net.serve(AT, move |_, stream| {
        let asked = asked.clone();
        async move { _ = server(stream, asked, missing).await }
    });
    let (host, mut said) = Inspection::for_test(net, "192.0.2.10", ProbeOptions { verify, ..ProbeOptions::default() });
    host.record.learn(&FindingKind::Service(Service::new(Protocol::Rtmp, Transport::Tcp, 1935)));
    if let Some(name) = host_name {
        let called = Evidence::new(Fact::Hostname, name, EvidenceSource::Dns, 0.9);
        host.record.learn(&FindingKind::Evidence(called));
    }
    if let Some(hint) = hint {
        host.record.learn(&FindingKind::StreamHint(StreamHint::new(hint)));
    }
    run(&host).await;
    let (mut streams, mut services) = (Vec::new(), Vec::new());
    while let Ok(finding) = said.try_recv() {
        match finding.kind {
            FindingKind::Stream(stream) => streams.push(*stream),
            FindingKind::Service(service) => services.push(service),
            _ => {}
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let log = log.lock().unwrap().clone();
    (streams, services, log)
}

#[tokio::test(start_paused = true)]
async fn a_named_stream_is_played_measured_and_deleted() {
    let (streams, services, asked) = analyse(Some("rtmp://192.0.2.10/live/hof"), None, Verify::Frames).await;
    let [stream] = &streams[..] else { panic!("{streams:#?}") };
    assert_eq!((stream.url.as_str(), stream.status), ("rtmp://192.0.2.10:1935/live/hof", StreamStatus::Streaming));
    let video = stream.video.clone().unwrap();
    assert_eq!((video.width, video.measured_fps, video.measured_kbps), (Some(1280), Some(25.0), Some(100)));
    assert_eq!((video.bitrate_kbps, video.keyframe_interval_s), (Some(800), Some(1.0)));
    assert_eq!(stream.warnings, ["declared 640x360, the stream is 1280x720"]);
    assert_eq!(stream.audio.as_ref().unwrap().sample_rate_hz, Some(48_000));
    assert_eq!(services[0].server.as_deref(), Some("FMS/3,0,1,123"));
    assert_eq!(asked, ["connect live", "createStream", "play hof", "deleteStream"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_any_name_is_asked_few() {
    let (streams, _, asked) = analyse(None, None, Verify::Frames).await;
    assert_eq!(streams, []);
    assert_eq!(asked.iter().filter(|a| a.starts_with("play")).count(), MAX_SILENT);
    let (streams, _, asked) = analyse(None, Some("NetStream.Play.StreamNotFound"), Verify::Frames).await;
    assert_eq!(streams, []);
    assert!((2..=MAX_GUESSES).contains(&asked.iter().filter(|a| a.starts_with("play")).count()), "{asked:?}");
}

/// nginx-rtmp takes any name and is silent about those that nobody publishes. What the host is called is worth a try.
#[tokio::test(start_paused = true)]
async fn a_stream_called_as_its_host_is_found() {
    let began = tokio::time::Instant::now();
    let (streams, _, asked) =
        analyse_called(Some("hof.lan"), None, Some("NetStream.Play.StreamNotFound"), Verify::Frames).await;
    let [stream] = &streams[..] else { panic!("{streams:#?} {asked:?}") };
    assert_eq!((stream.url.as_str(), stream.status), ("rtmp://192.0.2.10:1935/live/hof", StreamStatus::Streaming));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_was_named_and_is_not_there_is_said() {
    let silent = analyse(Some("rtmp://192.0.2.10/live/gone"), None, Verify::Frames).await.0;
    assert_eq!(silent[0].status, StreamStatus::NoData);
    let gone =
        analyse(Some("rtmp://192.0.2.10/live/gone"), Some("NetStream.Play.StreamNotFound"), Verify::Frames).await.0;
    assert_eq!(gone[0].status, StreamStatus::NotFound);
    let locked = analyse(Some("rtmp://192.0.2.10/secret/cam"), None, Verify::Frames).await.0;
    assert_eq!((locked[0].status, locked[0].open), (StreamStatus::AuthRequired, Some(false)));
    let (described, _, asked) = analyse(Some("rtmp://192.0.2.10/live/hof"), None, Verify::Describe).await;
    assert_eq!((described[0].status, asked), (StreamStatus::Described, vec!["connect live".to_owned()]));
    assert_eq!(analyse(Some("rtmp://192.0.2.10/live/hof"), None, Verify::None).await.2, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_handshake_alone_says_that_it_is_rtmp() {
    let net = FakeNet::new();
    net.serve(AT, |_, stream| async move { _ = server(stream, Arc::default(), None).await });
    net.serve("192.0.2.10:1936", |_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    net.serve("192.0.2.10:80", |_, _| async move { panic!("never asked") });
    let (host, mut said) = Inspection::for_test(net, "192.0.2.10", ProbeOptions::default());
    assert_eq!(detect(&host, 1935).await, Detection::Spoken);
    assert!(matches!(said.try_recv().unwrap().kind, FindingKind::Service(s) if s.protocol == Protocol::Rtmp));
    assert_eq!(detect(&host, 80).await, Detection::Garbage);
    assert_ne!(detect(&host, 1936).await, Detection::SpokenOverTls);
}

#[test]
fn paths_part_into_application_and_name() {
    for (path, app, name) in [
        ("/live/hof", "live", "hof"),
        ("/a/b/c", "a/b", "c"),
        ("/live", "live", ""),
        ("/bcs/channel0_main.bcs?channel=0&stream=0", "bcs", "channel0_main.bcs?channel=0&stream=0"),
        ("/x?a=/b", "x", "?a=/b"),
    ] {
        assert_eq!(
            AppStream::of_path(path, true),
            AppStream { app: app.into(), name: name.into(), guessed: true },
            "{path}"
        );
    }
}

/// The same server inside TLS: found on its port, and its stream played.
#[tokio::test(start_paused = true)]
async fn a_stream_inside_tls_is_found_and_played() {
    let net = FakeNet::new();
    net.serve("192.0.2.10:1936", |_, stream| async move {
        if let Some(stream) = tls::testing::accept(stream).await {
            let _ = server(stream, Arc::default(), None).await;
        }
    });
    let (host, mut said) = Inspection::for_test(net, "192.0.2.10", ProbeOptions::default());
    assert_eq!(detect(&host, 1936).await, Detection::SpokenOverTls);
    host.record.learn(&FindingKind::StreamHint(StreamHint::new("rtmps://192.0.2.10:1936/live/hof")));
    run(&host).await;
    let said = kinds(&mut said);
    let urls: Vec<_> =
        said.iter().filter_map(|k| if let FindingKind::Service(s) = k { s.url.as_deref() } else { None }).collect();
    assert_eq!(urls[0], "rtmps://192.0.2.10:1936/");
    let streams: Vec<&Stream> =
        said.iter().filter_map(|k| if let FindingKind::Stream(s) = k { Some(&**s) } else { None }).collect();
    let [stream] = streams[..] else { panic!("{streams:#?}") };
    assert_eq!((stream.url.as_str(), stream.protocol), ("rtmps://192.0.2.10:1936/live/hof", Protocol::Rtmps));
    assert_eq!((stream.status, stream.video.as_ref().unwrap().width), (StreamStatus::Streaming, Some(1280)));
    assert!(stream.ladder.iter().any(|s| s.step == Step::Tls && s.ok));
}
