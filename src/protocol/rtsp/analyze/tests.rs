use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::model::{Finding, ProbeOptions};
use crate::protocol::rtsp::client::tests::{AT, SDP, answer, described};
use crate::protocol::rtsp::sdp::PARSED;
use crate::protocol::rtsp::walk::Ask as _;
use crate::testkit::net::{Asked as Request, FakeNet, Log, Reply as Answered};

/// A camera that describes these paths and sends nothing; `special` may answer differently.
fn camera(
    net: &FakeNet,
    paths: &'static [&'static str],
    special: impl Fn(&Request) -> Option<Answered> + Send + Sync + 'static,
) -> Log {
    net.answer(AT, move |asked| {
        special(asked).unwrap_or_else(|| match asked.method() {
            "OPTIONS" => answer(asked, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\nX-Of: it\r\n", ""),
            "DESCRIBE" if paths.iter().any(|p| asked.target().ends_with(p)) => described(asked),
            "DESCRIBE" => answer(asked, "404 Not Found", "", ""),
            "SETUP" => answer(asked, "200 OK", "Session: 77;timeout=60\r\n", ""),
            _ => answer(asked, "200 OK", "", ""),
        })
    })
}

fn hint(path: &str, is_asked_for: bool) -> FindingKind {
    let hint = StreamHint { is_asked_for, ..StreamHint::new(format!("rtsp://{AT}{path}")) };
    FindingKind::StreamHint(hint)
}

/// The streams and services as they stand after the analysis.
async fn analysed(net: &FakeNet, hints: &[FindingKind], in_depth: bool) -> (Vec<Stream>, Vec<Service>) {
    analysed_by(net, hints, ProbeOptions { in_depth, ..ProbeOptions::default() }).await
}

/// The same by these options.
async fn analysed_by(net: &FakeNet, hints: &[FindingKind], options: ProbeOptions) -> (Vec<Stream>, Vec<Service>) {
    let (host, mut said) = Inspection::for_test(net.clone(), "192.0.2.10", options);
    let rtsp = Service::new(Protocol::Rtsp, Transport::Tcp, 554);
    hints.iter().chain([&FindingKind::Service(rtsp)]).for_each(|finding| host.record.learn(finding));
    analyse(&host).await;
    let (mut streams, mut services): (Vec<Stream>, Vec<Service>) = (Vec::new(), Vec::new());
    for finding in drain(&mut said) {
        match finding.kind {
            FindingKind::Stream(stream) => {
                streams.retain(|s| s.url != stream.url);
                streams.push(*stream);
            }
            FindingKind::Service(service) => services.push(service),
            _ => {}
        }
    }
    (streams, services)
}

fn drain(said: &mut mpsc::Receiver<Finding>) -> Vec<Finding> {
    std::iter::from_fn(|| said.try_recv().ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_stream_asked_for_is_looked_at_alone() {
    let all = [hint("/main", false), hint("/sub", false), hint("/sub", true)];
    for (hints, looked_at) in [(&all[..2], vec!["/main", "/sub"]), (&all, vec!["/sub"])] {
        let net = FakeNet::new();
        let log = camera(&net, &["/main", "/sub"], |_| None);
        let (streams, _) = analysed(&net, hints, false).await;
        let urls: Vec<_> = streams.iter().map(|s| s.url.rsplit(":554").next().unwrap()).collect();
        assert_eq!(urls, looked_at);
        let asked = log.all();
        let plays = asked.iter().filter(|a| a.method() == "PLAY").map(|a| a.target());
        let played: std::collections::BTreeSet<&str> = plays.collect();
        assert_eq!(played.len(), looked_at.len());
    }
    // One that is not there leads to no guesses.
    let net = FakeNet::new();
    let log = camera(&net, &[], |_| None);
    let (streams, _) = analysed(&net, &[hint("/gone", true)], false).await;
    assert_eq!((streams.len(), streams[0].status), (1, StreamStatus::NotFound));
    assert_eq!(log.methods(), ["0 OPTIONS", "0 DESCRIBE", "1 DESCRIBE"]);
}

/// A failed step shows how long it took, not how long it might have taken.
#[tokio::test(start_paused = true)]
async fn a_connection_that_closes_early_fails_early() {
    for (closes, kind, took_ms) in [(true, ErrorKind::Closed, 700.0), (false, ErrorKind::Timeout, 5000.0)] {
        let net = FakeNet::new();
        net.serve(AT, move |_, mut stream| async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let mut asked = [0u8; 4096];
            while let Ok(length @ 1..) = stream.read(&mut asked).await {
                let text = String::from_utf8_lossy(&asked[..length]).into_owned();
                let body = if text.starts_with("DESCRIBE") { SDP } else { "" };
                let reply = format!("RTSP/1.0 200 OK\r\nSession: 7\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(reply.as_bytes()).await;
                if closes && text.starts_with("PLAY") {
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    return;
                }
            }
        });
        let (streams, _) = analysed(&net, &[hint("/1", false)], false).await;
        let [stream] = &*streams else { panic!("{streams:?}") };
        assert_eq!(stream.status, StreamStatus::NoData);
        let error = stream.error.as_ref().unwrap();
        assert_eq!(error.kind, kind, "{}", error.message);
        let last = stream.ladder.iter().find(|s| s.step == crate::model::Step::Rtp).unwrap();
        assert!(!last.ok);
        assert!((last.ms - took_ms).abs() < 50.0, "{last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_depth_every_answer_and_the_description_are_told() {
    let net = FakeNet::new();
    camera(&net, &["/1"], |_| None);
    let (streams, services) = analysed(&net, &[hint("/1", true)], true).await;
    let asked = |answers: &[Answer]| -> Vec<String> {
        answers.iter().map(|a| a.request.split(' ').next().unwrap().to_owned()).collect()
    };
    let [stream] = &*streams else { panic!("{streams:?}") };
    assert_eq!(asked(&stream.answers)[..5], ["DESCRIBE", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]);
    assert_eq!(stream.sdp.as_deref(), Some(SDP.trim_end().replace("\r\n", "\n").as_str()));
    let session = stream.answers.iter().flat_map(|a| &a.headers).find(|h| h.name == "Session").unwrap();
    assert_eq!(session.value.as_deref(), Some("***;timeout=60"));
    let offered = services.iter().flat_map(|s| &s.answers).next().unwrap();
    assert!(offered.headers.iter().any(|h| h.name == "X-Of" && h.value.as_deref() == Some("it")), "{offered:?}");

    let (streams, services) = analysed(&net, &[hint("/1", true)], false).await;
    assert!(streams.iter().all(|s| s.answers.is_empty() && s.sdp.is_none()));
    assert!(services.iter().all(|s| s.answers.is_empty()));
}

/// What a stream is described by is parsed where it is received; everything after that uses what was read.
#[tokio::test(start_paused = true)]
async fn a_description_is_parsed_once() {
    for verify in [Verify::Describe, Verify::Frames] {
        for in_depth in [false, true] {
            let net = FakeNet::new();
            let log = camera(&net, &["/main", "/sub"], |_| None);
            let options = ProbeOptions { in_depth, verify, ..ProbeOptions::default() };
            let before = PARSED.get();
            let (streams, _) = analysed_by(&net, &[hint("/main", false), hint("/sub", false)], options).await;
            assert_eq!(streams.len(), 2);
            let is_described = |asked: &&Request| {
                asked.method() == "DESCRIBE" && ["/main", "/sub"].iter().any(|path| asked.target().ends_with(path))
            };
            let described = log.all().iter().filter(is_described).count();
            assert!(described >= 2, "{described}");
            assert_eq!(PARSED.get() - before, described, "{verify:?}, in depth: {in_depth}");
        }
    }
}

/// Dahua, D-Link and NUUO refuse OPTIONS and describe all the same.
#[tokio::test(start_paused = true)]
async fn a_camera_that_refuses_options_is_described() {
    for refusal in ["405 Method Not Allowed", "400 Bad Request", "401 Unauthorized", "404 Not Found"] {
        let net = FakeNet::new();
        camera(&net, &["/1"], move |asked| (asked.method() == "OPTIONS").then(|| answer(asked, refusal, "", "")));
        let (streams, _) = analysed(&net, &[hint("/1", false)], false).await;
        assert!(streams[0].sources.contains(&crate::model::StreamSource::Sdp), "{refusal}: {streams:?}");
    }
}

/// Loudspeakers, and servers that only take streams, offer no DESCRIBE: they are not asked for paths.
#[tokio::test(start_paused = true)]
async fn what_describes_nothing_is_asked_nothing() {
    let net = FakeNet::new();
    let log = camera(&net, &[], |asked| {
        let public =
            "Public: ANNOUNCE, SETUP, RECORD, PAUSE, FLUSH, TEARDOWN, OPTIONS, GET_PARAMETER, SET_PARAMETER\r\n";
        Some(answer(asked, "200 OK", public, ""))
    });
    let (streams, _) = analysed(&net, &[], false).await;
    assert_eq!((streams.len(), log.methods()), (0, vec!["0 OPTIONS".to_owned()]));
}

/// The description is given to everybody, the stream is not.
#[tokio::test(start_paused = true)]
async fn a_login_demanded_at_setup_makes_a_stream_not_open() {
    let net = FakeNet::new();
    camera(&net, &["/1"], |asked| {
        let challenge = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"n1\"\r\n";
        (asked.method() == "SETUP").then(|| answer(asked, "401 Unauthorized", challenge, ""))
    });
    let (streams, services) = analysed(&net, &[hint("/1", false)], false).await;
    assert_eq!((streams[0].status, streams[0].open), (StreamStatus::AuthRequired, Some(false)));
    let auth = services.last().and_then(|s| s.auth.clone());
    assert_eq!(auth, Some(vec![crate::model::AuthScheme::Digest]));
}

/// A tuner's RTSP server describes television while somebody watches, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_tuner_has_no_stream() {
    let net = FakeNet::new();
    camera(&net, &[], |asked| {
        let tuner = "v=0\r\ns=SatIPServer:1 4\r\nm=video 0 RTP/AVP 33\r\na=control:stream=1\r\n";
        (asked.method() == "DESCRIBE").then(|| answer(asked, "200 OK", "", tuner))
    });
    assert_eq!(analysed(&net, &[], false).await.0, []);
}

#[tokio::test(start_paused = true)]
async fn encrypted_packets_are_counted() {
    const SECURE: &str = "v=0\r\ns=x\r\nm=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n";
    let net = FakeNet::new();
    camera(&net, &["/1"], |asked| match asked.method() {
        "DESCRIBE" => Some(answer(asked, "200 OK", "", SECURE)),
        "PLAY" => {
            let Answered::Bytes(mut bytes) = answer(asked, "200 OK", "", "") else { return None };
            for n in 0..40u8 {
                let stamp = (u32::from(n) * 9000).to_be_bytes();
                let packet = [&[0x80, 0xe0, 0, n][..], &stamp, &[0, 0, 0, 1], &[n.wrapping_mul(77); 20]].concat();
                bytes.extend([b'$', 0, 0, packet.len() as u8]);
                bytes.extend(packet);
            }
            Some(Answered::Bytes(bytes))
        }
        _ => None,
    });
    let (streams, _) = analysed(&net, &[hint("/1", false)], false).await;
    let [stream] = &*streams else { panic!("{streams:?}") };
    assert_eq!(stream.status, StreamStatus::Streaming, "{stream:?}");
    let video = stream.video.clone().unwrap();
    assert_eq!((video.codec, video.measured_fps), (Some(crate::model::VideoCodec::H264), Some(10.0)));
    assert!(stream.warnings.iter().any(|w| w.contains("SRTP")), "{:?}", stream.warnings);
    assert_eq!(stream.ladder.last().map(|s| (s.step, s.ok)), Some((crate::model::Step::Rtp, true)));
}

/// A sub-stream "with AAC" whose description has no sound.
#[tokio::test(start_paused = true)]
async fn sound_that_onvif_alone_declares_is_a_warning_and_no_fact() {
    let net = FakeNet::new();
    camera(&net, &["/1"], |_| None);
    let FindingKind::StreamHint(mut declared) = hint("/1", false) else { unreachable!() };
    declared.profile_token = Some("sub".to_owned());
    declared.audio = Some(crate::model::Audio { codec: Some(crate::model::AudioCodec::Aac), ..Default::default() });
    let (streams, _) = analysed(&net, &[FindingKind::StreamHint(declared)], false).await;
    assert_eq!(streams[0].audio, None);
    let warning = "ONVIF declares sound (aac), the stream has none";
    assert!(streams[0].warnings.iter().any(|w| w == warning), "{:?}", streams[0].warnings);
}

/// What was `not_found` before: a stream that has no picture.
#[tokio::test(start_paused = true)]
async fn sound_alone_is_a_stream_and_makes_no_camera() {
    const SOUND: &str = "v=0\r\ns=x\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\na=control:a\r\n";
    let net = FakeNet::new();
    camera(&net, &[], |asked| (asked.method() == "DESCRIBE").then(|| answer(asked, "200 OK", "", SOUND)));
    let (streams, _) = analysed(&net, &[hint("/1", false)], false).await;
    let [stream] = &*streams else { panic!("{streams:?}") };
    assert_eq!((stream.status, &stream.video), (StreamStatus::NoData, &None));
    assert_eq!(stream.audio.as_ref().and_then(|a| a.codec), Some(crate::model::AudioCodec::Aac));
}

/// A description may be as long as a mebibyte, and there are many paths to describe.
#[tokio::test(start_paused = true)]
async fn long_descriptions_of_many_paths_are_kept_within_a_bound() {
    let net = FakeNet::new();
    camera(&net, &[], |asked| {
        let sdp = format!("{SDP}a=x-pad:{}\r\n", "x".repeat(500 << 10));
        (asked.method() == "DESCRIBE").then(|| answer(asked, "200 OK", "Content-Type: application/sdp\r\n", &sdp))
    });
    let (host, _said) = Inspection::for_test(net.clone(), "192.0.2.10", ProbeOptions::default());
    let client = Client::new(&host.peer, Endpoint::plain(554));
    let mut asker = Asker::new(&host, client, 0);
    for path in 0..40 {
        asker.ask(&format!("/{path}")).await;
    }
    let described: Vec<usize> =
        asker.asked.values().filter_map(|asked| Some(asked.outcome.as_ref().ok()?.0.sdp.len())).collect();
    let bytes: usize = described.iter().sum();
    assert!(!described.is_empty() && bytes <= 4 << 20, "{} descriptions of {bytes} bytes", described.len());
    let refused = asker.asked.values().find_map(|asked| asked.outcome.as_ref().err());
    assert_eq!(refused.map(|error| error.kind), Some(ErrorKind::TooLarge));
}

/// It closes the connection at paths that it does not have, once a login has come.
#[tokio::test(start_paused = true)]
async fn a_device_that_closes_at_what_it_lacks_is_walked_on_and_has_refused_nothing() {
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| match asked.method() {
        "OPTIONS" => answer(asked, "200 OK", "Public: OPTIONS, DESCRIBE\r\n", ""),
        _ if asked.header("Authorization").is_none() => {
            answer(asked, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"cam\", nonce=\"n1\"\r\n", "")
        }
        _ if asked.target().ends_with("/have") => described(asked),
        _ => Answered::Last(Vec::new()),
    });
    let options =
        ProbeOptions { credentials: vec![crate::model::Credential::new("admin", "pw")], ..ProbeOptions::default() };
    let (host, mut said) = Inspection::for_test(net, "192.0.2.10", options);
    tokio::spawn(async move { while said.recv().await.is_some() {} });
    let mut asker = Asker::new(&host, Client::new(&host.peer, Endpoint::plain(554)), 0);
    for path in ["/1/have", "/2", "/3", "/4", "/5/have"] {
        let is_video = matches!(asker.ask(path).await, Reply::Video(_));
        assert_eq!(is_video, path.ends_with("/have"), "{path}");
    }
    let attempts = host.peer.logins.attempts().unwrap();
    assert_eq!((attempts.refused, attempts.unclear), (0, 0), "{:?}", log.methods());
}

/// A camera that has another password by now: whatever it offers, and whether the stream is one of those that were known.
#[tokio::test(start_paused = true)]
async fn a_wrong_login_is_sent_once_for_a_stream() {
    const DIGEST: &str = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"n1\"\r\n";
    const BASIC: &str = "WWW-Authenticate: Basic realm=\"cam\"\r\n";
    let both = format!("{DIGEST}{BASIC}");
    let two = format!("{DIGEST}WWW-Authenticate: Digest realm=\"cam\", nonce=\"n2\", algorithm=SHA-256\r\n");
    for challenges in [DIGEST.to_owned(), BASIC.to_owned(), both, two] {
        for hints in [vec![hint("/main", true)], vec![hint("/main", false), hint("/sub", false)]] {
            let net = FakeNet::new();
            let demand = challenges.clone();
            let log = camera(&net, &[], move |asked| {
                (asked.method() != "OPTIONS").then(|| answer(asked, "401 Unauthorized", &demand, ""))
            });
            let login = crate::model::Credential { allow_basic: true, ..crate::model::Credential::new("admin", "old") };
            let options = ProbeOptions { credentials: vec![login], max_login_failures: 2, ..ProbeOptions::default() };
            let (streams, _) = analysed_by(&net, &hints, options).await;
            let sent = log.all().iter().filter(|asked| asked.header("Authorization").is_some()).count();
            assert_eq!(sent, 1, "{challenges} {hints:?}");
            for stream in streams {
                let error = stream.error.unwrap();
                assert_eq!(
                    (error.kind, error.message.matches("refused").count()),
                    (ErrorKind::AuthRefused, 1),
                    "{}",
                    error.message
                );
            }
        }
    }
}
