//! Answers made to harm: lists of media servers, demands for logins by schemes nobody speaks, and protocols that are not
//! the one asked for. Logins are counted at the server.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use camscan::model::{ProbeOptions, ScanPlan};
use camscan::testkit::net::{Asked, FakeNet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::hostile::{CAMERAS, EVIL, among_cameras, flood, is_harmful, server, strings};
use super::promises::{IP, PASSWORD, counted, logins, scan_with, users};
use super::servers::{http, pages, rtsp, talking};
use super::{Outcome, plan};

/// The ports of media servers besides the usual ones.
const SERVER_PORTS: [u16; 9] = [554, 80, 1984, 1985, 8088, 8554, 8888, 8889, 9997];

fn media_plan() -> ScanPlan {
    let probe = ProbeOptions { ports: SERVER_PORTS.to_vec(), in_depth: true, ..plan().probe };
    ScanPlan { probe, ..plan() }
}

/// A media server of every kind on every port: the same answer to each request, by method and path.
async fn media_server(answer: impl Fn(&Asked) -> Vec<u8> + Clone + Send + Sync + 'static) -> (FakeNet, Outcome) {
    let mut net = None;
    let outcome = among_cameras(media_plan(), |n| {
        for port in SERVER_PORTS.into_iter().filter(|p| !matches!(p, 554 | 8554)) {
            pages(n, &format!("{EVIL}:{port}"), answer.clone());
        }
        talking(n, &format!("{EVIL}:8554"), |asked| match asked.method() {
            "OPTIONS" => rtsp(asked, "200 OK", "Public: DESCRIBE, SETUP, PLAY\r\nServer: gortsplib\r\n", ""),
            _ => rtsp(asked, "404 Not Found", "Server: gortsplib\r\n", ""),
        });
        net = Some(n.clone());
    })
    .await;
    let net = net.unwrap();
    stays_on_the_host(&net, &outcome);
    (net, outcome)
}

/// Nobody but the host and the cameras was asked, no port of a printer, and nothing raw came into the report.
fn stays_on_the_host(net: &FakeNet, outcome: &Outcome) {
    let allowed: Vec<IpAddr> = CAMERAS.iter().chain([&EVIL, &IP]).map(|ip| ip.parse().unwrap()).collect();
    for (_, to) in net.connects() {
        assert!(allowed.contains(&to.ip()), "connected to {to}");
        assert!(to.port() != 0 && !(9100..=9107).contains(&to.port()), "connected to {to}");
    }
    for asked in net.asked_of(EVIL) {
        let line = asked.text.lines().next().unwrap_or_default();
        assert!(line.split(' ').count() == 3 && line.is_ascii(), "{line:?}");
        assert!(!asked.text.contains("Set-Cookie: injected"), "{:?}", asked.text);
    }
    for text in strings(&outcome.report) {
        assert!(!text.chars().any(|c| is_harmful(c) || c == '\n') || text.starts_with("v=0"), "{text:?}");
    }
    for device in &outcome.report.devices {
        assert!(!device.errors.iter().any(|e| e.message.contains("internal error")), "{:?}", device.errors);
    }
}

const JSON: &str = "Content-Type: application/json\r\n";
const OF_MEDIAMTX: &str = "Server: mediamtx\r\n";

/// A list of names as go2rtc, MediaMTX, SRS and Frigate write it.
fn lists(names: &[String]) -> impl Fn(&Asked) -> Vec<u8> + Clone + Send + Sync + 'static {
    let quoted: Vec<String> = names.iter().map(|n| serde_json::to_string(n).unwrap()).collect();
    let go2rtc: Vec<String> = quoted.iter().map(|n| format!("{n}:{{\"producers\":[]}}")).collect();
    let items: Vec<String> = quoted.iter().map(|n| format!("{{\"name\":{n},\"app\":{n}}}")).collect();
    let go2rtc = Arc::new(format!("{{{}}}", go2rtc.join(",")));
    let mediamtx = Arc::new(format!("{{\"items\":[{}]}}", items.join(",")));
    let srs = Arc::new(format!("{{\"code\":0,\"streams\":[{}]}}", items.join(",")));
    move |asked| match asked.target() {
        "/" => http("200 OK", &format!("{OF_MEDIAMTX}Content-Type: text/html\r\n"), "<title>go2rtc Frigate</title>"),
        "/api/streams" => http("200 OK", JSON, &go2rtc),
        "/v3/paths/list" => http("200 OK", JSON, &mediamtx),
        target if target.starts_with("/api/v1/streams") => http("200 OK", JSON, &srs),
        _ => http("404 Not Found", OF_MEDIAMTX, ""),
    }
}

#[tokio::test(start_paused = true)]
async fn names_of_streams_that_bite_break_no_request() {
    let names: Vec<String> = [
        "../../../../etc/passwd",
        "a?b=c&d",
        "a#fragment",
        "a%00b",
        "a%0d%0aSet-Cookie: injected",
        "a\r\nSet-Cookie: injected\r\n",
        "a\u{0}b",
        "a b\tc",
        "//192.0.2.99/x",
        "http://192.0.2.99:9100/x",
        "@192.0.2.99/x",
        "\\\\192.0.2.99\\x",
        ":9100/x",
        "{name}",
        "\u{202e}gpj",
        "=1+1",
        "<script>alert(1)</script>",
        "é\u{1f4f7}",
        &"a".repeat(256),
        &"a".repeat(70_000),
        "",
        ".",
        "..",
    ]
    .map(str::to_owned)
    .to_vec();
    let (net, outcome) = media_server(lists(&names)).await;
    let asked = net.asked_of(EVIL);
    assert!(asked.iter().any(|a| a.target().contains("a%3Fb%3Dc%26d")), "the names are asked for");
    assert!(outcome.device(EVIL).streams.len() <= 256, "{}", outcome.device(EVIL).streams.len());
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_names_are_a_few() {
    let names: Vec<String> = (0..100_000).map(|n| format!("c{n}")).collect();
    let (net, outcome) = media_server(lists(&names)).await;
    assert!(outcome.device(EVIL).streams.len() <= 256, "{}", outcome.device(EVIL).streams.len());
    assert!(net.asked_of(EVIL).len() < 3000, "{}", net.asked_of(EVIL).len());
    // A list that is read whole, still with more names than are taken.
    let (net, outcome) = media_server(lists(&names[..20_000])).await;
    assert!(outcome.device(EVIL).streams.len() <= 256, "{}", outcome.device(EVIL).streams.len());
    assert!(net.asked_of(EVIL).len() < 3000, "{}", net.asked_of(EVIL).len());
}

#[tokio::test(start_paused = true)]
async fn json_without_measure_is_no_list() {
    let deep = "[".repeat(400_000);
    let deep_object = "{\"a\":".repeat(200_000);
    let wide = format!("{{\"items\":[{}0]}}", "0,".repeat(500_000));
    let number = format!("{{\"janus\":\"success\",\"data\":{{\"id\":{}}}}}", "9".repeat(300_000));
    let text = format!("{{\"janus\":\"server_info\",\"name\":\"{}\"}}", "\\u001b".repeat(40_000));
    let surrogates = format!("{{\"items\":[{{\"name\":\"{}\"}}]}}", "\\ud800".repeat(1000));
    for json in [deep, deep_object, wide, number, text, surrogates, String::new(), "null".to_owned()] {
        let json = Arc::new(json);
        media_server(move |asked| match asked.target() {
            "/" => http("200 OK", OF_MEDIAMTX, "<title>go2rtc</title>"),
            _ => http("200 OK", JSON, &json),
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn janus_sends_nobody_elsewhere() {
    let created = |id: &str| format!("{{\"janus\":\"success\",\"data\":{{\"id\":{id}}}}}");
    for id in ["18446744073709551615", "-1", "\"../../admin\"", "1e400", "0"] {
        let created = created(id);
        let (net, _) = media_server(move |asked| match (asked.method(), asked.target()) {
            ("GET", "/janus/info") => http("200 OK", JSON, "{\"janus\":\"server_info\",\"name\":\"Janus\"}"),
            ("POST", _) if asked.text.contains("\"list\"") => http(
                "200 OK",
                JSON,
                "{\"plugindata\":{\"data\":{\"list\":[{\"id\":\"\\u001b[2J\",\"description\":\"\\u202e=1+1\\r\\n\"},\
                 {\"id\":[]},{}]}}}",
            ),
            ("POST", _) => http("200 OK", JSON, &created),
            _ => http("404 Not Found", "", ""),
        })
        .await;
        for asked in net.asked_of(EVIL).iter().filter(|a| a.method() == "POST" && a.of.port() == 8088) {
            let is_path = |t: &str| t.chars().all(|c| c.is_ascii_alphanumeric() || c == '/' || c == '_');
            assert!(!asked.target().starts_with("/janus") || is_path(asked.target()), "{}", asked.target());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_never_end_end() {
    for (head, again) in [
        ("HTTP/1.1 200 OK\r\nServer: mediamtx\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\n{\"a\":\r\n"),
        ("HTTP/1.1 200 OK\r\nServer: mediamtx\r\nTransfer-Encoding: chunked\r\n\r\n", "1;x=y\r\n \r\n"),
        ("HTTP/1.1 200 OK\r\nServer: mediamtx\r\n\r\n{\"items\":[", "{\"name\":\"a\"},"),
    ] {
        among_cameras(media_plan(), |n| {
            for port in [1984, 8088, 8889, 9997] {
                n.serve(&format!("{EVIL}:{port}"), move |_, stream| async move {
                    flood(stream, head.as_bytes(), again.as_bytes()).await;
                });
            }
        })
        .await;
    }
}

/// A WHEP endpoint at every path that answers an offer by this body and these headers.
async fn whep(headers: String, body: String) -> (FakeNet, Outcome) {
    let body = Arc::new(body);
    media_server(move |asked| match asked.method() {
        "OPTIONS" => http(
            "204 No Content",
            "Server: mediamtx\r\nAccept-Post: application/sdp\r\nAccess-Control-Allow-Methods: OPTIONS, GET, POST, PATCH, DELETE\r\n\
             Access-Control-Allow-Headers: Authorization, Content-Type, If-Match\r\n",
            "",
        ),
        "POST" => http("201 Created", &headers, &body),
        _ => http("200 OK", OF_MEDIAMTX, "<title>x</title>"),
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn answers_to_an_offer_without_measure_are_read_in_measure() {
    let start = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=\u{1b}[2J\u{202e}x\r\nt=0 0\r\n";
    let media = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\na=sendonly\r\n";
    let many_types = format!("m=video 9 UDP/TLS/RTP/SAVPF {}\r\n", "96 ".repeat(30_000));
    for sdp in [
        format!("{start}{}", media.repeat(50_000)),
        format!("{start}a={}\r\n{media}", "A".repeat(5 << 20)),
        format!("{start}{many_types}{}", "a=rtpmap:96 X/1\r\n".repeat(50_000)),
        format!("{start}{media}a=candidate:1 1 udp 1 192.0.2.99 9100 typ host\r\nc=IN IP4 203.0.113.7\r\n"),
        "v=0\r\n\u{0}\u{0}".to_owned(),
    ] {
        let (net, outcome) = whep("Content-Type: application/sdp\r\nLocation: /session/1\r\n".to_owned(), sdp).await;
        let evil = outcome.device(EVIL);
        assert!(evil.streams.len() <= 64, "{}", evil.streams.len());
        assert!(serde_json::to_string(evil).unwrap().len() < 1_000_000);
        assert!(net.asked_of(EVIL).iter().any(|a| a.method() == "POST"), "an offer was made");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_elsewhere_is_not_closed_there() {
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n";
    for location in [
        "http://203.0.113.7/session",
        "//192.0.2.10/session",
        "http://192.0.2.10:80/session",
        "http://192.0.2.66:9100/session",
        "https://vendor.example.com/session",
        "file:///etc/passwd",
        "/a\r\n b",
        "/../../x?y#z",
        "http://user:geheim@192.0.2.66/x",
        "",
    ] {
        let headers = format!("Content-Type: application/sdp\r\nLocation: {location}\r\n");
        let (net, outcome) = whep(headers, sdp.to_owned()).await;
        for ip in CAMERAS {
            assert!(!net.asked_of(ip).iter().any(|a| a.method() == "DELETE"), "{location}");
        }
        assert!(!serde_json::to_string(&outcome.report).unwrap().contains("geheim"), "{location}");
    }
}

/// A device that speaks RTSP, HTTP and ONVIF, demands a login by these headers everywhere, and refuses every login.
fn demanding(net: &FakeNet, challenges: &'static str) {
    talking(net, &format!("{IP}:554"), move |asked| match asked.method() {
        "OPTIONS" => rtsp(asked, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n", ""),
        _ => rtsp(asked, "401 Unauthorized", challenges, ""),
    });
    for port in [80, 8080] {
        pages(net, &format!("{IP}:{port}"), move |asked| match asked.method() {
            "POST" if asked.text.contains("GetSystemDateAndTime") => http(
                "200 OK",
                "Content-Type: application/soap+xml\r\n",
                "<Envelope><Body><GetSystemDateAndTimeResponse><SystemDateAndTime><UTCDateTime><Time><Hour>1</Hour>\
                 <Minute>2</Minute><Second>3</Second></Time><Date><Year>2027</Year><Month>1</Month><Day>15</Day></Date>\
                 </UTCDateTime></SystemDateAndTime></GetSystemDateAndTimeResponse></Body></Envelope>",
            ),
            _ => http("401 Unauthorized", &format!("Server: App-webs/\r\n{challenges}"), "<html>no</html>"),
        });
    }
}

/// Three logins against a device that demands one by these headers; how many were sent.
async fn sent_for(challenges: String) -> (usize, Outcome) {
    let net = FakeNet::subnet();
    demanding(&net, challenges.leak());
    let outcome = scan_with(&net, users(3)).await;
    let sent = logins(&net).len();
    assert_eq!(counted(outcome.device(IP)), sent as u32);
    assert!(!net.asked().iter().any(|a| a.text.contains(PASSWORD)), "a password went in plain text");
    for text in strings(&outcome.report) {
        assert!(!text.chars().any(is_harmful) && text.chars().count() <= 4096, "{} characters", text.chars().count());
    }
    for asked in net.asked() {
        assert!(asked.header("Authorization").is_none_or(|v| v.len() < 128 * 1024), "an answer without measure");
    }
    (sent, outcome)
}

#[tokio::test(start_paused = true)]
async fn where_only_unknown_schemes_are_offered_no_login_is_sent() {
    let many: String = (0..40).map(|n| format!("WWW-Authenticate: Scheme{n} realm=\"x\", nonce=\"y\"\r\n")).collect();
    let one_line: String = (0..40).map(|n| format!("Scheme{n} realm=\"x\", ")).collect();
    for challenges in [
        "WWW-Authenticate: NTLM\r\n".to_owned(),
        "WWW-Authenticate: NTLM TlRMTVNTUAACAAAAAAAAADgAAAABAgAC\r\n".to_owned(),
        "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n".to_owned(),
        "WWW-Authenticate: Negotiate, NTLM, Bearer realm=\"x\"\r\n".to_owned(),
        "WWW-Authenticate: Bearer realm=\"Basic\", error=\"invalid_token\", scope=\"Digest Basic\"\r\n".to_owned(),
        "WWW-Authenticate: Hawk, Mutual, DPoP, HOBA, SCRAM-SHA-256, AWS4-HMAC-SHA256 x=y\r\n".to_owned(),
        format!("WWW-Authenticate: {one_line}\r\n"),
        many,
    ] {
        let (sent, outcome) = sent_for(challenges.clone()).await;
        assert_eq!(sent, 0, "{challenges}");
        let services = &outcome.device(IP).services;
        assert!(
            services.iter().any(|s| s.auth.as_ref().is_some_and(|a| !a.is_empty())),
            "a login is demanded: {services:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn digest_as_nobody_speaks_it_is_not_answered_in_plain_text() {
    for challenges in [
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=ROT13\r\n",
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\", qop=\"auth-conf\"\r\n",
        "WWW-Authenticate: Digest realm=\"x\"\r\nWWW-Authenticate: Basic realm=\"x\"\r\n",
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=TOKEN\r\nWWW-Authenticate: Basic realm=\"x\"\r\n",
        "WWW-Authenticate: Digest\r\nWWW-Authenticate: NTLM\r\n",
    ] {
        let net = FakeNet::subnet();
        demanding(&net, challenges);
        let outcome = scan_with(&net, users(3)).await;
        let in_header = net.asked_of(IP).iter().filter(|a| a.header("Authorization").is_some()).count();
        assert_eq!(in_header, 0, "{challenges}");
        // ONVIF has a way of its own to answer, which hides the password, too.
        let sent = logins(&net).len();
        assert!(sent <= 2, "{challenges}: {sent}");
        assert_eq!(counted(outcome.device(IP)), sent as u32, "{challenges}");
        assert!(!net.asked().iter().any(|a| a.text.contains(PASSWORD)), "{challenges}");
    }
}

#[tokio::test(start_paused = true)]
async fn odd_challenges_are_answered_within_the_limit() {
    let parameters: String = (0..200).map(|n| format!("p{n}=\"v\", ")).collect();
    let digest = "Digest realm=\"x\", nonce=\"y\"";
    for challenges in [
        format!("WWW-Authenticate: {digest}, qop=\"auth-int\"\r\n"),
        format!("WWW-Authenticate: {digest}, qop=\"auth-int,auth\", algorithm=SHA-256\r\n"),
        format!("WWW-Authenticate: {digest}, nonce=\"z\", realm=\"other\", algorithm=MD5, algorithm=SHA-256\r\n"),
        format!("WWW-Authenticate: {digest}, {parameters}qop=\"auth\"\r\n"),
        format!("WWW-Authenticate: {digest}, opaque=\"{}\"\r\n", "o".repeat(30_000)),
        format!("WWW-Authenticate: Digest realm=\"{}\", nonce=\"y\"\r\n", "r".repeat(60_000)),
        format!("WWW-Authenticate: Digest nonce=\"{}\"\r\n", "\\\"".repeat(15_000)),
        "WWW-Authenticate: Digest realm=\"x\u{1b}[2J\u{202e}\", nonce=\"a\rb\"\r\n".to_owned(),
        format!("WWW-Authenticate: NTLM, Negotiate, Bearer x=\"y\", {digest}\r\n"),
        format!("WWW-Authenticate: {digest}, stale=true\r\nWWW-Authenticate: NTLM\r\n"),
    ] {
        let (sent, _) = sent_for(challenges.clone()).await;
        assert!((1..=2).contains(&sent), "{sent} sent: {}", &challenges[..challenges.len().min(200)]);
    }
    // More than is read as headers of one answer: what it says is not known.
    for challenges in [
        format!("WWW-Authenticate: Digest realm=\"{}\", nonce=\"y\"\r\n", "r".repeat(100_000)),
        format!("WWW-Authenticate: NTLM\r\nX: {}\r\nWWW-Authenticate: Basic realm=\"x\"\r\n", "x".repeat(100_000)),
    ] {
        assert_eq!(sent_for(challenges).await.0, 0);
    }
}

/// What comes from a server that speaks HTTP/2 and nothing else: its settings (RFC 9113 §6.5), then that it goes away
/// (§6.8).
fn of_http2() -> Vec<u8> {
    let settings = [&[0, 0, 6, 4, 0, 0, 0, 0, 0][..], &[0, 3, 0, 0, 0, 100]].concat();
    let goaway = [&[0, 0, 8, 7, 0, 0, 0, 0, 0][..], &[0, 0, 0, 0, 0, 0, 0, 1]].concat();
    [settings, goaway].concat()
}

#[tokio::test(start_paused = true)]
async fn another_protocol_in_answer_is_no_camera_and_no_trouble() {
    let websocket = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let h2c = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let frame = [&[0x82, 0x7e, 0x10, 0][..], &[0x41; 0x1000]].concat();
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(300);
    let cases: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (websocket.into(), frame.clone()),
        (h2c.into(), ping.clone()),
        ([h2c.as_bytes(), &of_http2()].concat(), Vec::new()),
        (of_http2(), Vec::new()),
        (of_http2(), ping),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), of_http2()),
        (b"HTTP/2 200\r\n\r\n".to_vec(), of_http2()),
        (b"HTTP/2.0 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n".to_vec(), frame),
        (
            b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
            Vec::new(),
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n".repeat(2000), b"HTTP/1.1 101 X\r\n\r\n".to_vec()),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(2000), b"HTTP/1.1 102 Processing\r\n\r\n".to_vec()),
        (
            b"RTSP/1.0 101 Switching Protocols\r\nCSeq: 1\r\n\r\n".to_vec(),
            b"RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n".to_vec(),
        ),
    ];
    for (number, (head, again)) in cases.into_iter().enumerate() {
        let outcome = server(move |stream| {
            let (head, again) = (head.clone(), again.clone());
            async move {
                if again.is_empty() {
                    let mut stream = stream;
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ = stream.write_all(&head).await;
                } else {
                    flood(stream, &head, &again).await;
                }
            }
        })
        .await;
        let evil = outcome.device(EVIL);
        assert_eq!(evil.streams, [], "case {number}");
        assert!(evil.kind == camscan::model::Kind::Other || evil.confidence < 0.5, "case {number}: {:?}", evil.kind);
        assert!(!evil.errors.iter().any(|e| e.message.contains("internal error")), "case {number}: {:?}", evil.errors);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tls_server_that_speaks_http2_alone_is_named_for_what_it_is() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["camera.invalid".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let probe = ProbeOptions { ports: vec![443, 8443, 554, 80], ..plan().probe };
    let handshakes = Arc::new(AtomicU32::new(0));
    let counted = handshakes.clone();
    let outcome = among_cameras(ScanPlan { probe, ..plan() }, |net| {
        for port in [443, 8443] {
            let (acceptor, handshakes) = (acceptor.clone(), counted.clone());
            net.serve(&SocketAddr::new(EVIL.parse().unwrap(), port).to_string(), move |_, stream| {
                let (acceptor, handshakes) = (acceptor.clone(), handshakes.clone());
                async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    handshakes.fetch_add(1, Ordering::Relaxed);
                    let _ = stream.write_all(&of_http2()).await;
                    let _ = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut [0; 4096])).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    })
    .await;
    let evil = outcome.device(EVIL);
    assert_eq!(evil.streams, []);
    assert!((1..=16).contains(&handshakes.load(Ordering::Relaxed)), "{handshakes:?}");
}
