use std::sync::Arc;

use md5::{Digest as _, Md5};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::describe::COURTESY;
use super::*;
use crate::model::{Credential, ProbeOptions};
use crate::testkit::net::{Asked, FakeNet, Reply};
use crate::testkit::plan::credentials;
use crate::wire::url::Endpoint;

pub(in super::super) const AT: &str = "192.0.2.10:554";
pub(in super::super) const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=control:trackID=1\r\n";
const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"n1\"\r\n";

pub(in super::super) fn peer(net: &FakeNet, logins: &[(&str, &str)]) -> Peer {
    let options = ProbeOptions { credentials: credentials(logins), ..ProbeOptions::default() };
    Peer::for_test(net.clone(), "192.0.2.10", &options)
}

pub(in super::super) fn answer(asked: &Asked, status: &str, headers: &str, body: &str) -> Reply {
    let cseq = asked.header("CSeq").unwrap_or_default();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    Reply::text(format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{headers}{length}\r\n{body}"))
}

pub(in super::super) fn described(asked: &Asked) -> Reply {
    answer(asked, "200 OK", "Content-Type: application/sdp\r\n", SDP)
}

fn last(reply: Reply) -> Reply {
    match reply {
        Reply::Bytes(bytes) => Reply::Last(bytes),
        other => other,
    }
}

/// Whether a request carries the right answer to `CHALLENGE` with this nonce, computed as RFC 2069 says.
pub(in super::super) fn is_answered(asked: &Asked, password: &str, nonce: &str) -> bool {
    is_answered_in("cam", asked, password, nonce)
}

fn is_answered_in(realm: &str, asked: &Asked, password: &str, nonce: &str) -> bool {
    let hash = |text: String| Md5::digest(text).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let secret = hash(format!("admin:{realm}:{password}"));
    let request = hash(format!("{}:{}", asked.method(), asked.target()));
    let wanted = hash(format!("{secret}:{nonce}:{request}"));
    let sent = asked.header("Authorization").unwrap_or_default();
    sent.contains(&format!("response=\"{wanted}\"")) && sent.contains(&format!("uri=\"{}\"", asked.target()))
}

/// A camera that wants `password`; `reply` says what those get who know it.
fn guarded(password: &'static str, reply: fn(&Asked) -> Reply) -> impl Fn(&Asked) -> Reply + Send + Sync {
    move |asked| match asked.method() {
        "OPTIONS" => answer(asked, "200 OK", "Public: OPTIONS, DESCRIBE\r\nServer: Cam/1\r\n", ""),
        _ if is_answered(asked, password, "n1") => reply(asked),
        _ => answer(asked, "401 Unauthorized", CHALLENGE, ""),
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_is_described_with_all_headers_sent() {
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| match asked.method() {
        "OPTIONS" => answer(asked, "200 OK", "Public: OPTIONS, DESCRIBE\r\nServer: Cam/1\r\n", ""),
        // Cameras answer 401 without User-Agent, 406 or nothing without Accept.
        _ if asked.header("User-Agent").is_none() => answer(asked, "401 Unauthorized", "", ""),
        _ if asked.header("Accept") != Some("application/sdp") => Reply::Silence,
        _ => answer(asked, "200 OK", "Content-Base: rtsp://192.0.2.10/a/\r\nContent-Type: application/sdp;x\r\n", SDP),
    });
    let mut client = Client::new(&peer(&net, &[]), Endpoint::plain(554));
    let found = client.describe("/a?b=c").await.unwrap();
    assert_eq!((found.sdp.as_ref(), found.open), (SDP.as_bytes(), true));
    assert_eq!(found.base.to_string(), "rtsp://192.0.2.10/a/");
    assert_eq!(found.content_type.as_deref(), Some("application/sdp"));
    assert_eq!((found.server.as_deref(), found.public.len()), (Some("Cam/1"), 2));
    assert_eq!(log.all()[1].target(), "rtsp://192.0.2.10:554/a?b=c");
    let steps: Vec<(Step, bool)> = client.ladder().steps().iter().map(|s| (s.step, s.ok)).collect();
    assert_eq!(steps, [(Step::Tcp, true), (Step::Rtsp, true), (Step::Described, true)]);
    assert!(log.all().iter().all(|a| a.header("Authorization").is_none()));
}

/// VStarcam closes the connection after its 401 (retina issue 45).
#[tokio::test(start_paused = true)]
async fn a_connection_dropped_after_401_is_replaced_and_the_nonce_kept() {
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| match guarded("pw", described)(asked) {
        reply if asked.method() == "DESCRIBE" => last(reply),
        reply => reply,
    });
    let peer = peer(&net, &[("admin", "pw")]);
    let found = Client::new(&peer, Endpoint::plain(554)).describe("/1").await.unwrap();
    assert!(
        !found.open && !found.sdp.is_empty(),
        "also: the description counts although the connection closes after it"
    );
    assert_eq!(log.methods(), ["0 OPTIONS", "0 DESCRIBE", "1 DESCRIBE"]);
    assert_eq!(peer.logins.worked().map(|c| c.user), Some("admin".into()));
    assert_eq!(peer.logins.attempts().unwrap().refused, 0);
}

#[tokio::test(start_paused = true)]
async fn every_request_is_answered_anew_and_paths_are_walked_on_one_connection() {
    let net = FakeNet::new();
    let log = net.answer(
        AT,
        guarded("pw", |asked| match asked.target() {
            t if t.ends_with("/2") => answer(asked, "404 Not Found", "", ""),
            _ => described(asked),
        }),
    );
    let mut client = Client::new(&peer(&net, &[("admin", "pw")]), Endpoint::plain(554));
    client.describe("/1").await.unwrap();
    let missing = client.describe("/2").await.unwrap_err();
    assert_eq!((missing.kind, missing.status), (ErrorKind::NotFound, Some(404)));
    client.describe("/3").await.unwrap();
    // Each path is asked without a login first: only where one is demanded is it given.
    assert_eq!(log.methods(), ["0 OPTIONS"].into_iter().chain(["0 DESCRIBE"; 6]).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_not_tried_again_by_anybody() {
    let net = FakeNet::new();
    let log = net.answer(AT, guarded("right", described));
    let peer = peer(&net, &[("admin", "wrong"), ("admin", "worse"), ("admin", "right")]);
    let refused = Client::new(&peer, Endpoint::plain(554)).describe("/1").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AuthRefused);
    assert!(!refused.message.contains("wrong") && refused.message.contains("/1"), "{}", refused.message);
    assert_eq!(peer.logins.attempts().unwrap().refused, 2);
    let again = Client::new(&peer, Endpoint::plain(554)).describe("/2").await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::LoginRests);
    assert!(again.message.ends_with("no login was tried: 2 of 2 refused logins used"), "{}", again.message);
    peer.logins.rest();
    let at_rest = Client::new(&peer, Endpoint::plain(554)).describe("/2").await.unwrap_err();
    let why =
        "no login was tried: the device refused one in an earlier scan (`camscan devices login retry` allows it again)";
    assert!(at_rest.message.ends_with(why), "{}", at_rest.message);
    assert_eq!(log.all().iter().filter(|a| a.header("Authorization").is_some()).count(), 2, "the limit holds");
}

#[tokio::test(start_paused = true)]
async fn the_first_sign_of_a_lock_ends_all_logins() {
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| {
        let body = "<lockStatus>lock</lockStatus><unlockTime>1800</unlockTime>";
        let body = if asked.header("Authorization").is_some() { body } else { "" };
        answer(asked, "401 Unauthorized", CHALLENGE, body)
    });
    let peer = peer(&net, &[("admin", "a"), ("admin", "b")]);
    Client::new(&peer, Endpoint::plain(554)).describe("/1").await.unwrap_err();
    assert!(peer.logins.is_locked());
    assert_eq!(log.all().iter().filter(|a| a.header("Authorization").is_some()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_leaves_few_attempts_is_not_locked() {
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| answer(asked, "401 Unauthorized", CHALLENGE, "You still have 2 attempt(s)."));
    let peer = peer(&net, &[("admin", "a"), ("admin", "b")]);
    Client::new(&peer, Endpoint::plain(554)).describe("/1").await.unwrap_err();
    // What is left belongs to the owner.
    assert!(log.all().iter().all(|a| a.header("Authorization").is_none()));
    assert_eq!(peer.stopped_kind(), ErrorKind::LoginRests);
}

/// Axis and Hikvision recorders let nonces expire (SharpRTSP issue 126): not a wrong password.
#[tokio::test(start_paused = true)]
async fn an_expired_nonce_is_renewed_once_and_not_counted() {
    let net = FakeNet::new();
    net.answer(AT, |asked| {
        let nonce = if asked.target().ends_with("/2") { "n2" } else { "n1" };
        match asked.method() {
            "OPTIONS" => answer(asked, "200 OK", "", ""),
            _ if is_answered(asked, "pw", nonce) => described(asked),
            _ => answer(asked, "401 Unauthorized", &CHALLENGE.replace("n1", nonce), ""),
        }
    });
    let peer = peer(&net, &[("admin", "pw")]);
    let mut client = Client::new(&peer, Endpoint::plain(554));
    client.describe("/1").await.unwrap();
    client.describe("/2").await.unwrap();
    assert_eq!(peer.logins.attempts().unwrap().refused, 0);

    // A device that always says stale refuses: both count.
    let net = FakeNet::new();
    let log =
        net.answer(AT, |asked| answer(asked, "401 Unauthorized", &CHALLENGE.replace("\r\n", ", stale=TRUE\r\n"), ""));
    let peer = self::peer(&net, &[("admin", "pw")]);
    Client::new(&peer, Endpoint::plain(554)).describe("/1").await.unwrap_err();
    assert_eq!(peer.logins.attempts().unwrap().refused, 2);
    assert_eq!(log.all().iter().filter(|a| a.header("Authorization").is_some()).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn demands_without_a_login_are_told_apart() {
    let net = FakeNet::new();
    net.answer(AT, |asked| answer(asked, "401 Unauthorized", "", ""));
    let mut client = Client::new(&peer(&net, &[("admin", "pw")]), Endpoint::plain(554));
    let error = client.describe("/").await.unwrap_err();
    assert_eq!((error.kind, client.auth_schemes()), (ErrorKind::AuthRequired, Some(vec![AuthScheme::Other])));

    // A loudspeaker is not attacked with the cameras' password.
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| {
        answer(
            asked,
            "401 Unauthorized",
            "Server: AirTunes/366.0\r\nWWW-Authenticate: Digest realm=\"airplay\", nonce=\"x\"\r\n",
            "",
        )
    });
    Client::new(&peer(&net, &[("admin", "pw")]), Endpoint::plain(554)).describe("/").await.unwrap_err();
    assert!(log.all().iter().all(|a| a.header("Authorization").is_none()));
}

#[tokio::test(start_paused = true)]
async fn where_a_second_describe_fails_each_path_gets_its_connection() {
    let net = FakeNet::new();
    let log = net.answer(AT, |asked| match asked.method() {
        "OPTIONS" => answer(asked, "200 OK", "", ""),
        _ if asked.number > u64::from(asked.connection == 0) as usize => Reply::Silence,
        _ => described(asked),
    });
    let mut client = Client::new(&peer(&net, &[]), Endpoint::plain(554));
    for path in ["/1", "/2", "/3"] {
        client.describe(path).await.unwrap();
    }
    assert_eq!(log.methods(), ["0 OPTIONS", "0 DESCRIBE", "0 DESCRIBE", "1 DESCRIBE", "2 DESCRIBE"]);
}

/// Hipcam answers one request twice; the second answer must not pass for the next request's.
#[tokio::test(start_paused = true)]
async fn a_repeated_answer_is_not_taken_for_the_next() {
    for late in [false, true] {
        let net = FakeNet::new();
        net.serve(AT, move |_, mut stream| async move {
            let mut buffer = [0u8; 4096];
            let _ = stream.read(&mut buffer).await;
            let twice = b"RTSP/1.0 400 Bad Request\r\nCSeq: 1\r\n\r\n";
            stream.write_all(twice).await.unwrap();
            if late {
                let _ = stream.read(&mut buffer).await;
            }
            stream.write_all(twice).await.unwrap();
            if !late {
                let _ = stream.read(&mut buffer).await;
            }
            let sdp = format!("RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len());
            stream.write_all(sdp.as_bytes()).await.unwrap();
            let _ = stream.read(&mut buffer).await;
        });
        let found = Client::new(&peer(&net, &[]), Endpoint::plain(554)).describe("/11").await.unwrap();
        assert_eq!(found.sdp.as_ref(), SDP.as_bytes(), "late: {late}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_always_says_the_same_number_is_understood() {
    let net = FakeNet::new();
    net.answer(AT, |asked| {
        let body = if asked.method() == "DESCRIBE" { SDP } else { "" };
        Reply::text(format!("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    });
    let found = Client::new(&peer(&net, &[]), Endpoint::plain(554)).describe("/1").await.unwrap();
    assert_eq!(found.sdp.as_ref(), SDP.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed_on_the_host_only() {
    let net = FakeNet::new();
    net.answer(AT, |asked| {
        let location = match asked.target().rsplit('/').next() {
            Some("moved") => "Location: rtsp://192.0.2.10:8554/live/ch0\r\n",
            Some("loop") => "Location: rtsp://192.0.2.10:554/loop\r\n",
            Some("away") => "Location: rtsp://198.51.100.1/x\r\n",
            Some("web") => "Location: http://192.0.2.10/\r\n",
            Some("beside") => "Location: live/ch0\r\n",
            Some("proxy") => "Location: rtsp://192.0.2.10:8554/live/ch0\r\n",
            Some("round") => "Location: /round2\r\n",
            Some("round2") => "Location: /round\r\n",
            _ => "",
        };
        match asked.target().rsplit('/').next() {
            _ if asked.method() == "OPTIONS" => answer(asked, "200 OK", "", ""),
            Some("ch0") => described(asked),
            Some("proxy") => answer(asked, "305 Use Proxy", location, ""),
            _ => answer(asked, "302 Found", location, ""),
        }
    });
    let log = net.answer("192.0.2.10:8554", described);
    let mut client = Client::new(&peer(&net, &[("admin", "pw")]), Endpoint::plain(554));
    let found = client.describe("/moved").await.unwrap();
    assert_eq!(found.url.to_string(), "rtsp://192.0.2.10:8554/live/ch0");
    assert_eq!(log.all().len(), 1);
    let beside = client.describe("/beside").await.unwrap();
    assert_eq!(beside.url.to_string(), "rtsp://192.0.2.10:554/live/ch0");
    for (path, says) in [
        ("/proxy", "proxy"),
        ("/loop", "itself"),
        ("/away", "198.51.100.1"),
        ("/web", "http"),
        ("/round", "too often"),
        ("/", "where"),
    ] {
        let error = client.describe(path).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Redirect, "{path}");
        assert!(error.message.contains(says), "{}", error.message);
    }
    assert_eq!(net.connections("192.0.2.10:8554"), 1);
}

#[tokio::test(start_paused = true)]
async fn statuses_become_kinds() {
    let net = FakeNet::new();
    net.answer(AT, |asked| match asked.target().rsplit('/').next().unwrap() {
        "" => answer(asked, "405 Method Not Allowed", "", ""),
        "http" => Reply::text("HTTP/1.0 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        "half" => Reply::Last(b"RTSP/1.0 200 OK\r\nServer: Ca".to_vec()),
        "empty" => answer(asked, "200 OK", "", ""),
        status => answer(asked, &format!("{status} Reason"), "", ""),
    });
    let peer = peer(&net, &[]);
    for (path, kind) in [
        ("/404", ErrorKind::NotFound),
        ("/451", ErrorKind::NotFound),
        ("/453", ErrorKind::Busy),
        ("/503", ErrorKind::Busy),
        ("/406", ErrorKind::Device),
        ("/500", ErrorKind::Device),
        ("/http", ErrorKind::Protocol),
        ("/half", ErrorKind::Closed),
    ] {
        let error = Client::new(&peer, Endpoint::plain(554)).describe(path).await.unwrap_err();
        assert_eq!(error.kind, kind, "{path}: {error}");
    }
    let empty = Client::new(&peer, Endpoint::plain(554)).describe("/empty").await.unwrap();
    assert!(empty.sdp.is_empty() && empty.warnings.iter().any(|w| w.contains("without a description")));
    assert!(!peer.logins.is_locked());
    Client::new(&peer, Endpoint::plain(554)).describe("/429").await.unwrap_err();
    assert!(peer.logins.is_locked());
}

#[tokio::test(start_paused = true)]
async fn silence_and_dripping_end_at_the_deadline() {
    let net = FakeNet::new();
    net.serve(AT, |number, mut stream| async move {
        for byte in b"RTSP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n".iter().chain(std::iter::repeat(&b'x')) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if number > 1 && stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    });
    let peer = peer(&net, &[]);
    let limit = peer.timeouts.request * 2 + peer.timeouts.connect + COURTESY;
    for _ in 0..2 {
        let started = Instant::now();
        let error = Client::new(&peer, Endpoint::plain(554)).describe("/1").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert!(started.elapsed() <= limit, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_is_told_from_silence() {
    let net = FakeNet::new();
    net.serve(AT, |_, mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-dropbear\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    // An echo of our own words is not an answer either.
    net.serve("192.0.2.10:7", |_, mut stream| async move {
        let mut buffer = [0u8; 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            let _ = stream.write_all(&buffer[..count]).await;
        }
    });
    let peer = peer(&net, &[]);
    for port in [554, 7] {
        assert_eq!(
            Client::new(&peer, Endpoint::plain(port)).options("/").await.unwrap_err().kind,
            ErrorKind::Protocol,
            "{port}"
        );
    }
    assert_eq!(Client::new(&peer, Endpoint::plain(555)).options("/").await.unwrap_err().kind, ErrorKind::Refused);
}

#[tokio::test(start_paused = true)]
async fn one_connection_to_a_host_at_a_time() {
    let net = FakeNet::new();
    net.answer(AT, described);
    net.answer("192.0.2.10:8554", described);
    let peer = peer(&net, &[]);
    let mut first = Client::new(&peer, Endpoint::plain(554));
    first.describe("/1").await.unwrap();
    let mut second = Client::new(&peer, Endpoint::plain(8554));
    let waiting = second.describe("/1");
    tokio::pin!(waiting);
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut waiting).await.is_err());
    assert_eq!(net.connections("192.0.2.10:8554"), 0);
    first.disconnect();
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_scan_stops_waiting() {
    let net = FakeNet::new();
    net.answer(AT, |_| Reply::Silence);
    let peer = peer(&net, &[]);
    peer.cancel.cancel();
    let started = Instant::now();
    let error = Client::new(&peer, Endpoint::plain(554)).describe("/1").await.unwrap_err();
    assert_eq!((error.kind, started.elapsed()), (ErrorKind::Interrupted, Duration::ZERO));
}

/// RFC 2326 §11.3.1: `100 Continue` is no answer yet.
#[tokio::test(start_paused = true)]
async fn an_interim_answer_is_passed_over() {
    let net = FakeNet::new();
    net.answer(AT, |asked| match described(asked) {
        Reply::Bytes(bytes) => {
            let cseq = asked.header("CSeq").unwrap_or_default();
            Reply::Bytes([format!("RTSP/1.0 100 Continue\r\nCSeq: {cseq}\r\n\r\n").into_bytes(), bytes].concat())
        }
        other => other,
    });
    let found = Client::new(&peer(&net, &[]), Endpoint::plain(554)).describe("/1").await.unwrap();
    assert_eq!(found.sdp.as_ref(), SDP.as_bytes());
}

/// Microseven: a second connection within five seconds is reset, whoever opens it.
#[tokio::test(start_paused = true)]
async fn a_hipcam_gets_its_pause_between_any_two_connections() {
    let net = FakeNet::new();
    net.answer(AT, |asked| answer(asked, "200 OK", "Server: HiIpcam/V100R003 Hipcam RealServer/V1.0\r\n", ""));
    let peer = peer(&net, &[]);
    let started = Instant::now();
    Client::new(&peer, Endpoint::plain(554)).options("/").await.unwrap();
    assert!(started.elapsed() < HIPCAM_PAUSE);
    Client::new(&peer, Endpoint::plain(554)).options("/").await.unwrap();
    assert!(started.elapsed() >= HIPCAM_PAUSE, "another client of the same device");

    let other = self::peer(&net, &[]);
    let started = Instant::now();
    Client::new(&other, Endpoint::plain(554)).options("/").await.unwrap();
    assert!(started.elapsed() < HIPCAM_PAUSE, "another device");
}

/// A nonce for one request each: the device says the next one, or refuses the last.
#[tokio::test(start_paused = true)]
async fn nonces_for_one_request_each_are_followed() {
    for announced in [true, false] {
        let net = FakeNet::new();
        let uses = std::sync::atomic::AtomicUsize::new(1);
        let log = net.answer(AT, move |asked| {
            let at = uses.load(std::sync::atomic::Ordering::Relaxed);
            match asked.method() {
                "OPTIONS" => answer(asked, "200 OK", "", ""),
                _ if is_answered(asked, "pw", &format!("n{at}")) => {
                    uses.store(at + 1, std::sync::atomic::Ordering::Relaxed);
                    let next = format!("Authentication-Info: nextnonce=\"n{}\"\r\n", at + 1);
                    answer(asked, "200 OK", if announced { &next } else { "" }, SDP)
                }
                _ => answer(asked, "401 Unauthorized", &CHALLENGE.replace("n1", &format!("n{at}")), ""),
            }
        });
        let peer = peer(&net, &[("admin", "pw")]);
        let mut client = Client::new(&peer, Endpoint::plain(554));
        for path in ["/1", "/2", "/3"] {
            client.describe(path).await.unwrap();
        }
        assert_eq!(peer.logins.attempts().unwrap().refused, 0);
        let asked = log.all().iter().filter(|a| a.method() == "DESCRIBE").count();
        assert_eq!(asked, 6, "announced: {announced}");
    }
}

/// What `probe` shows: every header of every answer, and no secret.
#[tokio::test(start_paused = true)]
async fn answers_are_kept_where_a_device_is_looked_at_in_depth() {
    let net = FakeNet::new();
    net.answer(AT, guarded("pw-of-mine", described));
    for in_depth in [true, false] {
        let credentials = vec![Credential::new("admin", "pw-of-mine")];
        let options = ProbeOptions { credentials, in_depth, ..ProbeOptions::default() };
        let peer = Peer::for_test(net.clone(), "192.0.2.10", &options);
        let mut client = Client::new(&peer, Endpoint::plain(554));
        client.describe("/1?user=a&password=b").await.unwrap();
        let kept = client.transcript.take();
        let told: Vec<_> = kept.iter().map(|a| format!("{} {}", a.request, a.status)).collect();
        if !in_depth {
            assert!(told.is_empty());
            continue;
        }
        assert_eq!(
            told,
            [
                "OPTIONS rtsp://192.0.2.10:554/ RTSP/1.0 200 OK",
                "DESCRIBE rtsp://192.0.2.10:554/1?user=***&password=*** RTSP/1.0 401 Unauthorized",
                "DESCRIBE rtsp://192.0.2.10:554/1?user=***&password=*** RTSP/1.0 200 OK",
            ]
        );
        let names: Vec<_> = kept[1].headers.iter().map(|h| h.name.as_str()).collect();
        assert_eq!(names, ["CSeq", "WWW-Authenticate"]);
        assert_eq!(kept[1].headers[1].value.as_deref(), Some("Digest realm=\"cam\", nonce=***"));
    }
}

/// Servers that keep a realm for each path: the login of one is made anew for the next, and counts as none refused.
#[tokio::test(start_paused = true)]
async fn each_realm_of_a_device_is_answered() {
    let net = FakeNet::new();
    net.answer(AT, |asked| {
        let realm = asked.target().rsplit('/').next().unwrap().to_owned();
        match asked.method() {
            "OPTIONS" => answer(asked, "200 OK", "", ""),
            _ if is_answered_in(&realm, asked, "pw", &format!("of {realm}")) => described(asked),
            _ => {
                let challenge = format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"of {realm}\"\r\n");
                answer(asked, "401 Unauthorized", &challenge, "")
            }
        }
    });
    let peer = peer(&net, &[("admin", "pw")]);
    let mut client = Client::new(&peer, Endpoint::plain(554));
    for path in ["/1", "/2", "/1"] {
        client.describe(path).await.unwrap();
    }
    assert_eq!(peer.logins.attempts().unwrap().refused, 0);
}

/// Neither a length nor the end of the connection tells where the description ends: silence does.
#[tokio::test(start_paused = true)]
async fn a_description_without_a_length_is_not_waited_for() {
    let net = FakeNet::new();
    net.answer(AT, |asked| match asked.method() {
        "DESCRIBE" => Reply::text(format!("RTSP/1.0 200 OK\r\n\r\n{SDP}")),
        _ => answer(asked, "200 OK", "", ""),
    });
    let peer = peer(&net, &[]);
    let started = Instant::now();
    let found = Client::new(&peer, Endpoint::plain(554)).describe("/1").await.unwrap();
    assert_eq!(found.sdp.as_ref(), SDP.as_bytes());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

/// Something comes without end in place of the answer to DESCRIBE, faster than any clock moves: so much of it is read, and
/// the device's requests are answered no more than so often.
#[tokio::test(start_paused = true)]
async fn a_device_that_talks_instead_of_answering_is_given_up() {
    let frame = b"$\x00\x00\x04\x80\x60\x00\x01";
    for (again, most) in [
        (&b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"[..], 65),
        (b"RTSP/1.0 100 Continue\r\n\r\n", 65),
        (frame, 20_001),
        (b"\x01\x02\x03\x04\r\n", 175_000),
    ] {
        let net = FakeNet::new();
        let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = sent.clone();
        net.serve(AT, move |_, mut stream| {
            let count = count.clone();
            async move {
                let mut question = [0; 4096];
                let _ = stream.read(&mut question).await;
                let _ = stream.write_all(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n").await;
                let _ = stream.read(&mut question).await;
                while stream.write_all(again).await.is_ok() {
                    count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
        let peer = peer(&net, &[]);
        let mut client = Client::new(&peer, Endpoint::plain(554));
        let error = client.describe("/live").await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Device | ErrorKind::Protocol), "{error:?}");
        assert_eq!(error.status, None);
        client.disconnect();
        // What one buffer of a connection holds is on its way besides.
        let (sent, room) = (sent.load(std::sync::atomic::Ordering::Relaxed), (1 << 17) / again.len());
        assert!(sent <= most + room, "{again:?}: {sent}");
    }
}
