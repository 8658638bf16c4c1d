use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::media::jpeg;
use crate::model::finding::StreamHint;
use crate::model::{Credential, Evidence, EvidenceSource, Fact, Finding, ProbeOptions, Transport};
use crate::probe::testing::streams;
use crate::probe::{Grant, Verdict};
use crate::protocol::snapshot::still;
use crate::testkit::net::{FakeNet, Reply};
use crate::testkit::plan::credentials;

const IP: &str = "192.0.2.10";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/http/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn host(net: &FakeNet, logins: &[(&str, &str)]) -> (Inspection, tokio::sync::mpsc::Receiver<Finding>) {
    let options = ProbeOptions { credentials: credentials(logins), ..ProbeOptions::default() };
    Inspection::for_test(net.clone(), IP, options)
}

async fn analyse(net: &FakeNet, known: Vec<FindingKind>, logins: &[(&str, &str)]) -> Vec<Stream> {
    let (host, mut said) = host(net, logins);
    known.iter().for_each(|kind| host.record.learn(kind));
    run(&host).await;
    streams(&mut said)
}

fn web() -> FindingKind {
    FindingKind::Service(Service::new(Protocol::Http, Transport::Tcp, 80))
}

/// What ONVIF told of a camera of that maker.
fn camera(vendor: &str) -> Vec<FindingKind> {
    let word = |fact, value| FindingKind::Evidence(Evidence::new(fact, value, EvidenceSource::Onvif, 0.9));
    vec![web(), word(Fact::Vendor, vendor), word(Fact::Kind, "camera")]
}

#[tokio::test(start_paused = true)]
async fn a_server_that_may_be_anything_is_not_shown_the_login() {
    let net = FakeNet::new();
    let log = net.answer("192.0.2.10:80", |asked| {
        Reply::Last(match asked.target() {
            IMPOSSIBLE_PATH => NOT_FOUND.to_vec(),
            _ => b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n".to_vec(),
        })
    });
    analyse(&net, vec![web()], &[("admin", "pw")]).await;
    assert!(!log.all().is_empty() && log.all().iter().all(|a| a.header("Authorization").is_none()));
}

/// ustreamer behind a login: it has one of the places where moving pictures may be, and locks that and its root.
#[tokio::test(start_paused = true)]
async fn a_server_that_locks_one_place_of_pictures_and_has_no_other_is_a_camera() {
    for (logins, status, kind) in [
        (&[][..], StreamStatus::AuthRequired, Some(ErrorKind::AuthRequired)),
        (&[("admin", "wrong")], StreamStatus::AuthRequired, Some(ErrorKind::AuthRefused)),
        (&[("admin", "pw")], StreamStatus::Streaming, None),
    ] {
        let net = FakeNet::new();
        let good = file("mjpeg_good.bin");
        let log = net.answer("192.0.2.10:80", move |asked| {
            let locked = ["/", "/stream"].contains(&asked.target().split('?').next().unwrap_or_default());
            Reply::Last(match (locked, asked.header("Authorization")) {
                (false, _) => NOT_FOUND.to_vec(),
                (true, Some("Basic YWRtaW46cHc=")) => good.clone(),
                (true, _) => b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"Restricted\"\r\n\r\n".to_vec(),
            })
        });
        let streams = analyse(&net, vec![web()], logins).await;
        let found: Vec<_> =
            streams.iter().map(|s| (s.url.as_str(), s.status, s.error.as_ref().map(|e| e.kind))).collect();
        assert_eq!(found, [("http://192.0.2.10:80/stream", status, kind)]);
        let shown = log.all().iter().filter(|a| a.header("Authorization").is_some()).count();
        assert_eq!(shown, logins.len());
    }
}

/// Motion sends its stream whatever the path is.
#[tokio::test(start_paused = true)]
async fn a_server_that_streams_on_any_path_has_one_stream() {
    let net = FakeNet::new();
    let good = file("mjpeg_good.bin");
    net.answer("192.0.2.10:80", move |_| Reply::Last(good.clone()));
    let hint = |path: &str| FindingKind::StreamHint(StreamHint::new(format!("http://192.0.2.10{path}")));
    let streams = analyse(&net, vec![web(), hint("/"), hint("/0/stream"), hint("/0/stream/")], &[]).await;
    let urls: Vec<_> = streams.iter().map(|s| s.url.as_str()).collect();
    assert_eq!(urls, ["http://192.0.2.10:80/0/stream"]);
}

/// VLC's server answers RTSP and HTTP on one port, and may have a stream for one of them only.
#[tokio::test(start_paused = true)]
async fn an_rtsp_server_without_streams_may_have_moving_pictures() {
    let net = FakeNet::new();
    let good = file("mjpeg_good.bin");
    net.answer("192.0.2.10:80", move |asked| {
        Reply::Last(if asked.target() == "/video.mjpg" { good.clone() } else { NOT_FOUND.to_vec() })
    });
    let rtsp = FindingKind::Service(Service::new(Protocol::Rtsp, Transport::Tcp, 80));
    let streams = analyse(&net, vec![web(), rtsp.clone()], &[]).await;
    assert_eq!(streams.len(), 1);
    let mut better = Stream::new("rtsp://192.0.2.10/", Protocol::Rtsp);
    better.status = StreamStatus::Streaming;
    let streams = analyse(&net, vec![web(), rtsp, FindingKind::Stream(Box::new(better))], &[]).await;
    assert_eq!(streams.len(), 0);
}

/// Every reconstructed body, behind the link of a start page.
#[tokio::test(start_paused = true)]
async fn every_body_of_the_collection_is_measured() {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/data/expected.json")).unwrap();
    let files = all["files"].as_object().unwrap();
    let mut checked = 0;
    for (name, expected) in files.iter().filter(|(name, v)| name.starts_with("http/") && v.get("frames").is_some()) {
        let bytes = file(name.trim_start_matches("http/"));
        let net = FakeNet::new();
        net.answer("192.0.2.10:80", move |asked| {
            Reply::Last(match asked.target() {
                "/" => b"HTTP/1.0 200 OK\r\n\r\n<img src='video.cgi?x=1'>".to_vec(),
                "/video.cgi?x=1" => bytes.clone(),
                _ => NOT_FOUND.to_vec(),
            })
        });
        let streams = analyse(&net, vec![web()], &[]).await;
        assert_eq!(streams.len(), 1, "{name}");
        let video = streams[0].video.as_ref().unwrap();
        let size: Vec<u64> = [video.width, video.height].into_iter().flatten().map(u64::from).collect();
        assert_eq!(serde_json::json!(size), expected["jpeg"], "{name}");
        assert_eq!((streams[0].status, streams[0].open), (StreamStatus::Streaming, Some(true)), "{name}");
        assert_eq!(streams[0].protocol, Protocol::Mjpeg, "{name}");
        checked += 1;
    }
    assert!(checked >= 9, "{checked}");
}

/// Ten pictures a second for ever, on the path Axis has, to those who log in.
fn axis(net: &FakeNet) {
    let good = file("mjpeg_good.bin");
    let picture = jpeg::find(&good).unwrap().to_vec();
    net.serve("192.0.2.10:80", move |_, mut stream| {
        let picture = picture.clone();
        async move {
            let mut request = vec![0; 4096];
            let n = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..n]).into_owned();
            if !request.starts_with("GET /axis-cgi/mjpg/video.cgi ") {
                let _ = stream.write_all(NOT_FOUND).await;
                return;
            }
            if !request.contains("Authorization: Digest ") {
                let demand = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n\r\n";
                let _ = stream.write_all(demand.as_bytes()).await;
                return;
            }
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n").await;
            let part = [&b"--b\r\nContent-Type: image/jpeg\r\n\r\n"[..], &picture, b"\r\n"].concat();
            while stream.write_all(&part).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_makers_path_is_measured_behind_its_login() {
    let net = FakeNet::new();
    axis(&net);
    let streams = analyse(&net, camera("Axis"), &[("root", "pw")]).await;
    assert_eq!(streams[0].url, "http://192.0.2.10:80/axis-cgi/mjpg/video.cgi");
    assert_eq!((streams[0].status, streams[0].open), (StreamStatus::Streaming, Some(false)));
    let video = streams[0].video.as_ref().unwrap();
    assert_eq!(video.measured_fps, Some(10.0));
    // 221 bytes ten times a second.
    assert_eq!(video.measured_kbps, Some(18));
    assert!(streams[0].ladder.iter().all(|s| s.ok));
    assert_eq!(streams[0].ladder.last().map(|s| s.step), Some(Step::Keyframe));
}

#[tokio::test(start_paused = true)]
async fn a_demand_for_a_login_counts_where_other_paths_are_not_found() {
    let net = FakeNet::new();
    axis(&net);
    let streams = analyse(&net, camera("Axis"), &[]).await;
    assert_eq!(streams[0].status, StreamStatus::AuthRequired);
    assert_eq!(streams[0].error.as_ref().unwrap().kind, ErrorKind::AuthRequired);
    // A server that demands it everywhere has said nothing.
    let net = FakeNet::new();
    net.answer("192.0.2.10:80", |_| Reply::Last(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_vec()));
    assert_eq!(analyse(&net, camera("Axis"), &[]).await, []);
}

#[tokio::test(start_paused = true)]
async fn silence_and_endless_pictures_are_named() {
    for (start, kind) in [(&b""[..], ErrorKind::Timeout), (b"\xff\xd8\xff\xe0", ErrorKind::TooLarge)] {
        let net = FakeNet::new();
        net.serve("192.0.2.10:81", move |_, mut stream| async move {
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n").await;
            let _ = stream.write_all(start).await;
            while !start.is_empty() && stream.write_all(&[0; 65536]).await.is_ok() {}
            tokio::time::sleep(Duration::from_secs(3600)).await;
        });
        let hint = FindingKind::StreamHint(StreamHint::new("http://192.0.2.10:81/"));
        let streams = analyse(&net, vec![hint], &[]).await;
        assert_eq!(streams[0].status, StreamStatus::NoData);
        assert_eq!(streams[0].error.as_ref().unwrap().kind, kind);
    }
}

#[tokio::test(start_paused = true)]
async fn pages_and_printers_are_no_streams() {
    let net = FakeNet::new();
    // The start page for every path, as single-page applications answer.
    let log = net.answer("192.0.2.10:80", |_| {
        Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>app</html>".to_vec())
    });
    assert_eq!(analyse(&net, vec![web()], &[]).await, []);
    let asked = log.all().len();
    assert!(asked <= MAX_PATHS + 2, "{asked}");
    let printer = Evidence::new(Fact::Kind, "other", EvidenceSource::HttpServer, 0.9);
    assert_eq!(analyse(&net, vec![web(), FindingKind::Evidence(printer)], &[]).await, []);
    assert_eq!(log.all().len(), asked);
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_told_by_their_bytes() {
    let net = FakeNet::new();
    net.answer("192.0.2.10:80", |asked| {
        Reply::Last(match asked.target() {
            "/good" => file("snapshot_octet_stream.bin"),
            "/page" => file("snapshot_is_html.txt"),
            "/lf" => file("lf_only.txt"),
            _ => NOT_FOUND.to_vec(),
        })
    });
    let (host, _said) = host(&net, &[]);
    for target in ["good", "lf"] {
        let picture = still::fetch(&host, &format!("http://192.0.2.10/{target}")).await.unwrap();
        assert_eq!(jpeg::size(&picture), Some((32, 16)));
    }
    for (url, kind) in [
        ("http://192.0.2.10/page", ErrorKind::Protocol),
        ("http://192.0.2.10/none", ErrorKind::NotFound),
        ("http://192.0.2.10:81/good", ErrorKind::Refused),
        ("rtsp://192.0.2.10/good", ErrorKind::Protocol),
    ] {
        assert_eq!(still::fetch(&host, url).await.unwrap_err().kind, kind, "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_streams_picture_is_found() {
    let net = FakeNet::new();
    net.answer("192.0.2.10:80", |asked| {
        Reply::Last(match asked.target() {
            "/announced" | "/axis-cgi/jpg/image.cgi" => file("snapshot_octet_stream.bin"),
            "/video" => file("mjpeg_no_part_length.bin"),
            _ => NOT_FOUND.to_vec(),
        })
    });
    let (host, _said) = host(&net, &[]);
    let mut hint = StreamHint::new("rtsp://192.0.2.10:554/main");
    hint.snapshot_url = Some("http://192.0.2.10/announced".into());
    let rtsp = |path: &str| Stream::new(format!("rtsp://192.0.2.10:554/{path}"), Protocol::Rtsp);
    let mjpeg = Stream::new("http://192.0.2.10:80/video", Protocol::Mjpeg);
    let picture = async |stream: &Stream| still::of_stream(&host, stream).await.map(|p| jpeg::size(&p));
    assert_eq!(picture(&mjpeg).await, Ok(Some((32, 16))));
    assert_eq!(picture(&rtsp("main")).await.unwrap_err().kind, ErrorKind::NotFound);
    host.record.learn(&FindingKind::StreamHint(hint));
    assert_eq!(picture(&rtsp("main")).await, Ok(Some((32, 16))));
    camera("Axis").iter().for_each(|kind| host.record.learn(kind));
    assert_eq!(picture(&rtsp("other")).await, Ok(Some((32, 16))));
}

/// Moving pictures that say they are a picture, data, or nothing at all.
#[tokio::test(start_paused = true)]
async fn pictures_that_say_they_are_something_else_are_measured() {
    for kind in ["Content-Type: image/jpeg\r\n", "Content-Type: application/octet-stream\r\n", ""] {
        let good = file("mjpeg_good.bin");
        let picture = jpeg::find(&good).unwrap().to_vec();
        let net = FakeNet::new();
        net.serve("192.0.2.10:80", move |_, mut stream| {
            let part = [&b"--x\r\nContent-Type: image/jpeg\r\n\r\n"[..], &picture, b"\r\n"].concat();
            async move {
                let mut request = vec![0; 4096];
                let n = stream.read(&mut request).await.unwrap_or(0);
                if !request[..n].starts_with(b"GET /video ") {
                    let _ = stream.write_all(NOT_FOUND).await;
                    return;
                }
                let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n{kind}\r\n").as_bytes()).await;
                while stream.write_all(&part).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        });
        let streams = analyse(&net, vec![web()], &[]).await;
        assert_eq!(streams.len(), 1, "{kind}");
        let video = streams[0].video.clone().unwrap();
        assert_eq!((streams[0].protocol, streams[0].status), (Protocol::Mjpeg, StreamStatus::Streaming), "{kind}");
        assert_eq!((video.width, video.measured_fps), (Some(32), Some(5.0)), "{kind}");
    }
}

/// An old camera that has single pictures only: found by its maker's path, or by the picture on its page.
#[tokio::test(start_paused = true)]
async fn single_pictures_are_found_where_nothing_moves() {
    let serve = |page: &'static str, path: &'static str| {
        let net = FakeNet::new();
        net.answer("192.0.2.10:80", move |asked| {
            Reply::Last(match asked.target() {
                "/" => format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{page}").into_bytes(),
                target if target == path => file("snapshot_octet_stream.bin"),
                _ => NOT_FOUND.to_vec(),
            })
        });
        net
    };
    let linked = serve("<img src='/cam/snapshot.cgi?user=guest&t=1'>", "/cam/snapshot.cgi?user=guest&t=1");
    let usual = serve("<p>", "/axis-cgi/jpg/image.cgi");
    for (net, known) in [(&linked, vec![web()]), (&usual, camera("Axis"))] {
        let streams = analyse(net, known, &[]).await;
        let [still] = &streams[..] else { panic!("{streams:#?}") };
        assert_eq!((still.protocol, still.status), (Protocol::Snapshot, StreamStatus::Described));
        assert_eq!(still.video.as_ref().map(|v| (v.width, v.measured_fps)), Some((Some(32), None)));
    }
    // What may be anything is not asked for pictures nobody named, and who has RTSP needs none.
    assert_eq!(analyse(&usual, vec![web()], &[]).await, []);
    let rtsp = FindingKind::Service(Service::new(Protocol::Rtsp, Transport::Tcp, 554));
    assert_eq!(analyse(&usual, [camera("Axis"), vec![rtsp]].concat(), &[]).await, []);
}

/// What a gateway announces for others is theirs to ask.
#[tokio::test(start_paused = true)]
async fn playlists_and_offers_are_left_to_those_who_read_them() {
    let net = FakeNet::new();
    let log = net.answer("192.0.2.10:81", |_| Reply::Last(NOT_FOUND.to_vec()));
    let hint = |path: &str| FindingKind::StreamHint(StreamHint::new(format!("http://192.0.2.10:81{path}")));
    let named = ["/cam/index.m3u8", "/cam/whep", "/api/stream.m3u8?src=x", "/a.mpd", "/api/webrtc?src=x", "/cam.mjpg"];
    analyse(&net, named.iter().map(|p| hint(p)).collect(), &[]).await;
    assert_eq!(log.all().iter().map(|a| a.target().to_owned()).collect::<Vec<_>>(), ["/cam.mjpg"]);
}

/// Four bytes between two boundaries, twenty times a second, are no pictures; nor are they as a still one.
#[tokio::test(start_paused = true)]
async fn shells_without_a_picture_are_no_stream() {
    let net = FakeNet::new();
    net.serve("192.0.2.10:80", |_, mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n").await;
        while stream.write_all(b"--b\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xd9\r\n").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let hint = FindingKind::StreamHint(StreamHint::new("http://192.0.2.10/video"));
    let streams = analyse(&net, vec![hint], &[]).await;
    let [stream] = &streams[..] else { panic!("{streams:#?}") };
    assert_eq!(stream.status, StreamStatus::NoData);
    let error = stream.error.as_ref().unwrap();
    assert!(error.message.contains("without a size"), "{error:?}");

    let net = FakeNet::new();
    net.answer("192.0.2.10:80", |_| {
        Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xd9".to_vec())
    });
    let (host, _said) = host(&net, &[]);
    assert_eq!(still::fetch(&host, "http://192.0.2.10/still").await.unwrap_err().kind, ErrorKind::Protocol);
}

/// Every path demands a login, and none is named without one: the page behind it names the stream, or nothing does. The
/// login is given to what is known for a camera, and where it has just worked.
#[tokio::test(start_paused = true)]
async fn behind_a_login_for_every_path_the_stream_is_found() {
    for (known, worked, front, path) in [
        (camera("Nobody"), false, "<img src='/cgi/mjpeg?id=7'>", "/cgi/mjpeg?id=7"),
        (vec![web()], true, "<img src='/cgi/mjpeg?id=7'>", "/cgi/mjpeg?id=7"),
        (camera("Nobody"), false, "<html>", "/video.mjpg"),
        (vec![web()], true, "<html>", "/video.mjpg"),
    ] {
        let net = FakeNet::new();
        let good = file("mjpeg_good.bin");
        let log = net.answer("192.0.2.10:80", move |asked| {
            let page = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{front}", front.len());
            Reply::Last(match (asked.header("Authorization"), asked.target()) {
                (Some("Basic YWRtaW46cHc="), "/") => page.into_bytes(),
                (Some("Basic YWRtaW46cHc="), target) if target == path => good.clone(),
                (Some("Basic YWRtaW46cHc="), _) => NOT_FOUND.to_vec(),
                _ => b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"Restricted\"\r\nContent-Length: 0\r\n\r\n"
                    .to_vec(),
            })
        });
        let (host, mut said) = host(&net, &[("admin", "pw")]);
        known.iter().for_each(|kind| host.record.learn(kind));
        if worked {
            let Grant::Now(login) = host.peer.logins.grant(Protocol::Onvif, &Credential::new("admin", "pw")) else {
                panic!()
            };
            login.end(Verdict::Taken);
        }
        run(&host).await;
        let streams = streams(&mut said);
        let [stream] = &streams[..] else { panic!("{path} {worked}: {streams:#?}") };
        assert_eq!(
            (stream.url.as_str(), stream.status),
            (&*format!("http://192.0.2.10:80{path}"), StreamStatus::Streaming)
        );
        assert_eq!(stream.open, Some(false));
        assert_eq!(host.peer.logins.attempts().map_or(0, |a| a.refused), 0, "{:?}", log.methods());
    }
}
