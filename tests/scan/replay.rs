//! A device that is recorded, made anonymous, written, read and replayed is found as the device was: field by field, but
//! for what was replaced and what is measured.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use camscan::identify::signature::Signatures;
use camscan::kit::anonymise::{Anonymiser, Known};
use camscan::kit::{self, format};
use camscan::model::options::Ffprobe;
use camscan::model::{Credential, HostTarget, ProbeOptions, Report, ScanPlan, StreamStatus, TargetSet};
use camscan::net::record::{Recorder, RecordingNet};
use camscan::net::{Net, RealNet};
use camscan::replay::{Replay, Wish};
use camscan::scan::session::Session;
use camscan::scan::{Scan, single};
use camscan::testkit::plan::plan_for;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

#[path = "../../examples/demo/cast.rs"]
mod cast;
#[path = "../replayed/mod.rs"]
mod replayed;

const LOGIN: (&str, &str) = ("viewer", "demo-password");

/// The simulated devices have addresses of their own.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The simulated devices, as soon as their addresses are free: those of the test before end a moment after it.
async fn devices() -> impl Sized {
    for _ in 0..100 {
        if let Ok(cast) = cast::start().await {
            return cast;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cast::start().await.unwrap()
}

fn plan_of(ip: IpAddr, (user, password): (&str, &str)) -> ScanPlan {
    let host = HostTarget { ip, name: None, zone: None, ports: Vec::new() };
    let probe = ProbeOptions {
        credentials: vec![Credential::new(user, password)],
        ffprobe: Ffprobe::Never,
        in_depth: true,
        ports: vec![554, 5554, 8000, 8080, 8081, 8554, 8889, 10554],
        ..ProbeOptions::default()
    };
    ScanPlan { all: true, probe, ..plan_for(TargetSet::new(vec![ip.to_string()], [], vec![host], &[])) }
}

async fn look(net: Arc<dyn Net>, ip: IpAddr, login: (&str, &str)) -> Report {
    let session = Session::new(net, Signatures::builtin(), Timestamp::now, 512);
    let known = vec![single::host(ip)];
    let scan = Scan { session, plan: Arc::new(plan_of(ip, login)), known, cancel: CancellationToken::new() };
    scan.run(|_: &_| {}).await
}

/// A report without what is measured, with one name for the device's address.
fn comparable(report: &Report, ip: &str, replaced: Option<&mut Anonymiser>) -> Value {
    let mut text = serde_json::to_string(&report.devices).unwrap();
    if let Some(anonymiser) = replaced {
        text = anonymiser.text_of(&text);
    }
    let mut value = serde_json::from_str(&text.replace(ip, "HERE")).unwrap();
    replayed::strip(&mut value, &[]);
    value
}

/// Where two values differ, and how.
fn differences(before: &Value, after: &Value, at: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            for name in names {
                let of = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
                differences(&of(a), &of(b), &format!("{at}.{name}"), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(n, (a, b))| differences(a, b, &format!("{at}[{n}]"), found));
        }
        _ if before != after => found.push(format!("{at}: {before} -> {after}")),
        _ => {}
    }
}

/// Records what is at an address, replays it, and compares what a scan makes of both.
async fn replayed(ip: IpAddr) -> (Vec<String>, Vec<u8>, Report) {
    let recorder = Recorder::new();
    recorder.listen_to(ip);
    let began = Timestamp::now().as_second();
    let before = look(RecordingNet::new(RealNet::new(), recorder.clone()), ip, LOGIN).await;
    let logins = vec![(LOGIN.0.to_owned(), LOGIN.1.to_owned())];
    let known = Known { logins, ..Known::of_device(ip, before.devices.first()) };
    let (kit, mut anonymiser) = kit::make(&recorder.recording(), &known, began);
    let bytes = format::write(&kit).unwrap();
    let read = format::read(&bytes).unwrap();
    assert_eq!(read, kit, "what was written is read");
    let device = kit.manifest.device.unwrap().to_string();
    let login = if kit.manifest.login { format::LOGIN } else { LOGIN };
    let replay = Replay::start(read, &Wish::default(), RealNet::new(), || Timestamp::now().as_second()).await.unwrap();
    let after = look(RealNet::new(), replay.ip, login).await;
    let mut found = Vec::new();
    let of_device = comparable(&before, &device, Some(&mut anonymiser));
    differences(&of_device, &comparable(&after, &replay.ip.to_string(), None), "", &mut found);
    (found, bytes, before)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_each_simulated_device_is_found_as_the_device() {
    let _alone = ALONE.lock().await;
    let _cast = devices().await;
    let mut wrong = Vec::new();
    for last in 11..=17 {
        let ip = IpAddr::from([127, 77, 0, last]);
        let (found, bytes, before) = replayed(ip).await;
        wrong.extend(found.into_iter().map(|line| format!("{ip}{line}")));
        let expected =
            cast::EXPECTED.iter().find(|(of, _)| *of == ip.to_string()).map_or(0, |(_, streams)| streams.len());
        assert_eq!(before.devices.first().map_or(0, |d| d.streams.len()), expected, "{ip}: the recording itself");
        let text = String::from_utf8_lossy(&bytes);
        for secret in [&ip.to_string(), "demo-password", "viewer", "Acme-00", "7d1f5c3a-2b9e", "nobody knows"] {
            assert!(!text.contains(secret), "{ip}: {secret} is in the kit");
        }
        assert!(bytes.len() < 3 << 20, "{ip}: the kit has {} bytes", bytes.len());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_lets_in_whoever_has_its_login_and_nobody_else() {
    let _alone = ALONE.lock().await;
    let _cast = devices().await;
    let ip = IpAddr::from([127, 77, 0, 12]);
    let recorder = Recorder::new();
    recorder.listen_to(ip);
    let before = look(RecordingNet::new(RealNet::new(), recorder.clone()), ip, LOGIN).await;
    let known = Known::of_device(ip, before.devices.first());
    let (kit, _) = kit::make(&recorder.recording(), &known, Timestamp::now().as_second());
    let replay = Replay::start(kit, &Wish::default(), RealNet::new(), || Timestamp::now().as_second()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    for (login, status) in [
        (LOGIN, StreamStatus::AuthRequired),
        (("kit", "wrong"), StreamStatus::AuthRequired),
        (format::LOGIN, StreamStatus::Streaming),
    ] {
        let report = look(RealNet::new(), replay.ip, login).await;
        let streams = &report.devices.first().unwrap().streams;
        assert!(!streams.is_empty() && streams.iter().all(|s| s.status == status), "{login:?}: {streams:#?}");
    }
}

/// Parameter sets of 1280x720, a key frame and a frame after it, in packets of RTP.
#[cfg(feature = "serve")]
fn packets() -> Vec<format::Frame> {
    const SPS: [u8; 23] = [
        0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xec, 0x04, 0x40, 0, 0, 0x03, 0, 0x40, 0, 0, 0x0f, 0x23, 0xc6,
        0x0c, 0xa8,
    ];
    let mut frames = Vec::new();
    let mut put = |number: u16, picture: u32, is_last: bool, nal: &[u8]| {
        let [n1, n0] = number.to_be_bytes();
        let head = [&[0x80, 96 | u8::from(is_last) << 7, n1, n0][..], &(picture * 9000).to_be_bytes(), &[0, 0, 0, 7]];
        let bytes = format::Blob([&head.concat(), nal].concat());
        frames.push(format::Frame { after_ms: u64::from(picture) * 100, track: 0, rtcp: false, bytes });
    };
    let slice = |kind: u8| [&[kind, 0x9a, 0x88][..], &[1; 400]].concat();
    let mut number = 0..;
    let mut next = || number.next().unwrap();
    for picture in 0..20u32 {
        if picture % 10 == 0 {
            put(next(), picture, false, &SPS);
            put(next(), picture, false, &[0x68, 0xce, 0x3c, 0x80]);
            put(next(), picture, true, &[&[0x65, 0x88, 0x84][..], &[1; 900]].concat());
        } else {
            put(next(), picture, true, &slice(0x41));
        }
    }
    frames
}

/// A WHEP endpoint, as it would stand in a kit.
#[cfg(feature = "serve")]
fn whep(session: format::Session, setup: &str) -> format::Kit {
    let exchange = |method: &str, target: &str, body: &str, answer: &str| {
        let (head, answer) = answer.split_once("\r\n\r\n").unwrap();
        let bytes = |text: &str| format::Blob(text.as_bytes().to_vec());
        let ask = format::Ask {
            protocol: format::Spoken::Http,
            method: method.to_owned(),
            target: target.to_owned(),
            login: None,
            transport: None,
            body: Some(bytes(body)).filter(|body| !body.is_empty()),
        };
        let body = vec![format::Timed { after_ms: 0, bytes: bytes(answer) }];
        let head = bytes(&format!("{head}\r\n\r\n"));
        format::Exchange {
            answer: Some(format::Answer { at: 1_800_000_000, head, body, ..format::Answer::default() }),
            ..format::Exchange::of(ask)
        }
    };
    let answer = format!(
        "v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\ns=garden of smith\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 192.0.2.1\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\n\
         a=ice-ufrag:ufragofdevice\r\na=ice-pwd:passwordofdevicepasswordofdevice\r\n\
         a=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host\r\n\
         a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\na=ssrc:7777 cname:smith@host\r\n\
         m=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r\na=rtcp-mux\r\n\
         a=setup:{setup}\r\na=rtpmap:111 opus/48000/2\r\n",
        ["AB"; 32].join(":")
    );
    let mut offered = exchange(
        "POST",
        "/whep",
        "v=0\r\n",
        &format!("HTTP/1.1 201 Created\r\nLocation: /whep/1\r\nContent-Type: application/sdp\r\n\r\n{answer}"),
    );
    offered.session = Some(session);
    offered.media = if session == format::Session::Connected { packets() } else { Vec::new() };
    let port = format::TcpPort {
        port: 8889,
        exchanges: vec![
            exchange("GET", "/", "", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"),
            exchange("OPTIONS", "/whep", "", "HTTP/1.1 204 No Content\r\nAccept-Post: application/sdp\r\n\r\n"),
            offered,
            exchange("DELETE", "/whep/1", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
        ..format::TcpPort::default()
    };
    let manifest = format::Manifest {
        format: format::FORMAT.to_owned(),
        device: Some([192, 0, 2, 1].into()),
        ..format::Manifest::default()
    };
    format::Kit { manifest, tcp: vec![port], udp: Vec::new() }
}

/// A replay is a device as any other: what is found of it is found of its own replay.
#[cfg(all(target_os = "linux", feature = "serve"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whep_endpoint_sends_at_its_replay_what_it_sent() {
    let _alone = ALONE.lock().await;
    for (session, setup, status) in [
        (format::Session::Connected, "active", StreamStatus::Streaming),
        (format::Session::Connected, "passive", StreamStatus::Streaming),
        (format::Session::Refused, "active", StreamStatus::Described),
        (format::Session::Refused, "passive", StreamStatus::Described),
    ] {
        let now = || Timestamp::now().as_second();
        let device = Replay::start(whep(session, setup), &Wish::default(), RealNet::new(), now).await.unwrap();
        let (found, bytes, before) = replayed(device.ip).await;
        let [stream] = &before.devices[0].streams[..] else { panic!("{before:#?}") };
        assert_eq!(stream.status, status, "{session} {setup}: {stream:#?}");
        if status == StreamStatus::Streaming {
            let size = stream.video.as_ref().map(|video| (video.width, video.height));
            assert_eq!(size, Some((Some(1280), Some(720))), "{stream:#?}");
        }
        assert_eq!(found, [""; 0], "{session} {setup}");
        let kit = format::read(&bytes).unwrap();
        let offered = kit.tcp[0].exchanges.iter().find(|e| e.ask.method == "POST" && e.ask.target == "/whep").unwrap();
        assert_eq!(offered.session, Some(session));
        assert_eq!(kit.udp, [], "what is encrypted is no question");
        let text = String::from_utf8_lossy(&bytes);
        let fingerprint = before.devices[0].streams[0].sdp.as_ref().unwrap();
        let fingerprint = fingerprint.lines().find_map(|line| line.strip_prefix("a=fingerprint:sha-256 ")).unwrap();
        for secret in [fingerprint, "smith", "garden", &device.ip.to_string()] {
            assert!(!text.contains(secret), "{secret} is in the kit");
        }
    }
}

/// Asks for something, and returns the status line with the headers.
#[cfg(feature = "serve")]
async fn said(at: std::net::SocketAddr, method: &str, target: &str, body: &str) -> String {
    use camscan::net::Streams as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = RealNet::new().connect(at).await.unwrap();
    let length = body.len();
    let text = format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|w| w == b"\r\n\r\n") {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_buf(&mut answer)).await;
        assert_ne!(read.unwrap().unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[cfg(all(target_os = "linux", feature = "serve"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_session_of_a_replay_has_an_address_and_there_are_not_many() {
    use camscan::protocol::webrtc::receiver::Receiver;
    let _alone = ALONE.lock().await;
    let kit = whep(format::Session::Connected, "active");
    let replay = Replay::start(kit, &Wish::default(), RealNet::new(), || 1_800_000_000).await.unwrap();
    let at = std::net::SocketAddr::new(replay.ip, 8889);
    let local = "127.0.0.1:5000".parse().unwrap();
    let (_, offer) = Receiver::offer(local, false, std::time::Instant::now()).unwrap();
    let is_at = |answer: &str, address: &str| {
        answer.starts_with("HTTP/1.1 201 ") && answer.contains(&format!("\r\nLocation: {address}\r\n"))
    };
    let answer = said(at, "POST", "/whep", &offer).await;
    assert!(is_at(&answer, "/whep/1"), "{answer}");
    for number in 2..=16 {
        let answer = said(at, "POST", "/whep", &offer).await;
        assert!(is_at(&answer, &format!("/whep/1-{number}")), "{answer}");
    }
    assert!(said(at, "POST", "/whep", &offer).await.starts_with("HTTP/1.1 503 "));
    assert!(said(at, "DELETE", "/whep/1-7", "").await.starts_with("HTTP/1.1 200 "));
    let answer = said(at, "POST", "/whep", &offer).await;
    assert!(is_at(&answer, "/whep/1-7"), "{answer}");
    assert!(said(at, "DELETE", "/whep/1-7", "").await.starts_with("HTTP/1.1 200 "));
    assert!(said(at, "DELETE", "/whep/1-7", "").await.starts_with("HTTP/1.1 404 "));
    for wrong in ["v=0\r\n".to_owned(), format!("v=0\r\n{}", "a=x\r\n".repeat(20_000))] {
        assert!(said(at, "POST", "/whep", &wrong).await.starts_with("HTTP/1.1 400 "));
    }
}
