//! MediaMTX as its source has it (bluenviron/mediamtx at 3e09466c1804: internal/servers/rtsp/conn.go,
//! internal/servers/hls/http_server.go, internal/servers/webrtc/http_server.go, internal/api/api.go,
//! internal/core/path_manager.go; bluenviron/gortsplib v5: server_conn.go).
//!
//! What matters of it: a path that is not configured is answered by 400 before anybody asks for a login, and the
//! connection is closed; a path that is demands the login; every HTTP port answers `/` with nothing but the server's name;
//! HLS checks for cookies by a redirect and gives each viewer addresses of its own.

use std::time::Duration;

use camscan::model::options::Ffprobe;
use camscan::model::{Credential, Kind, ProbeOptions, Protocol, ScanPlan, StreamStatus};
use camscan::testkit::net::{Asked, FakeNet, Requests};
use tokio::io::{AsyncWriteExt, DuplexStream};

use super::go2rtc::transport_stream;
use super::servers::{http, packets, pages};
use super::{Outcome, look_at, plan};

const SERVER: &str = "192.0.2.50";
const SESSION: &str = "0b4c1a52-9d5e-4a0f-8f6e-2f6f0c0a7b11";
/// What stands in its list besides names.
const SOURCE: &str = "rtsp://admin:stilles-wasser-3@10.0.0.8/1";

#[derive(Clone)]
struct MediaMtx {
    paths: Vec<String>,
    login: Option<String>,
    /// Whether its API may be asked from elsewhere than its own host, and by which users; with a login of its own
    /// its list is for nobody else.
    api: bool,
    api_is_apart: bool,
}

impl MediaMtx {
    fn of(paths: &[&str]) -> MediaMtx {
        MediaMtx {
            paths: paths.iter().map(|p| (*p).to_owned()).collect(),
            login: None,
            api: false,
            api_is_apart: false,
        }
    }

    fn on(self, net: &FakeNet) {
        let (of_rtsp, net_of_rtsp) = (self.clone(), net.clone());
        let at = format!("{SERVER}:8554");
        net.serve(&at.clone(), move |number, stream| {
            let (server, requests) = (of_rtsp.clone(), net_of_rtsp.requests(&at, number));
            async move { server.talk_rtsp(stream, requests).await }
        });
        let (hls, webrtc, api) = (self.clone(), self.clone(), self.clone());
        pages(net, &format!("{SERVER}:8888"), move |asked| hls.hls(asked));
        pages(net, &format!("{SERVER}:8889"), move |asked| webrtc.webrtc(asked));
        if self.api {
            pages(net, &format!("{SERVER}:9997"), move |asked| api.list(asked));
        }
    }

    fn lets_in(&self, asked: &Asked) -> bool {
        self.login.as_ref().is_none_or(|login| asked.has_basic_login(login))
    }

    async fn talk_rtsp(self, mut stream: DuplexStream, mut requests: Requests) {
        let pictures = packets();
        let mut next = pictures.len();
        loop {
            while let Some(asked) = requests.take() {
                let path = asked.target().splitn(4, '/').nth(3).unwrap_or_default().trim_end_matches('/').to_owned();
                let path = path.split("/trackID").next().unwrap_or_default().to_owned();
                let head = |status: &str, more: &str| {
                    let cseq = asked.header("CSeq").unwrap_or("0");
                    format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\nServer: gortsplib\r\n{more}\r\n")
                };
                let (answer, closes) = match asked.method() {
                    "OPTIONS" => (
                        head(
                            "200 OK",
                            "Public: DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD, PAUSE, GET_PARAMETER, TEARDOWN\r\n",
                        ),
                        false,
                    ),
                    "DESCRIBE" if !self.paths.contains(&path) => (head("400 Bad Request", ""), true),
                    _ if !self.lets_in(&asked) => {
                        (head("401 Unauthorized", "WWW-Authenticate: Basic realm=\"ipcam\"\r\n"), asked.has_login())
                    }
                    "DESCRIBE" => {
                        let sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=Session\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
                                   m=video 0 RTP/AVP 96\r\na=control:trackID=0\r\na=rtpmap:96 H264/90000\r\n\
                                   a=fmtp:96 packetization-mode=1\r\n";
                        let base = format!("rtsp://{SERVER}:8554/{path}/");
                        let more = format!(
                            "Content-Base: {base}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n",
                            sdp.len()
                        );
                        (head("200 OK", &more) + sdp, false)
                    }
                    "SETUP" => {
                        let transport = asked.header("Transport").unwrap_or_default().to_owned();
                        (head("200 OK", &format!("Session: 77\r\nTransport: {transport}\r\n")), false)
                    }
                    "PLAY" => {
                        next = 0;
                        (head("200 OK", "Session: 77\r\n"), false)
                    }
                    "TEARDOWN" => (head("200 OK", ""), true),
                    _ => (head("501 Not Implemented", ""), false),
                };
                if stream.write_all(answer.as_bytes()).await.is_err() || closes {
                    return;
                }
            }
            tokio::select! {
                more = requests.read(&mut stream) => if !more { return },
                () = tokio::time::sleep(Duration::from_millis(40)), if next < pictures.len() => {
                    if stream.write_all(&pictures[next]).await.is_err() { return }
                    next += 1;
                }
            }
        }
    }

    fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
        http(status, &format!("Server: mediamtx\r\n{headers}"), body)
    }

    fn unauthorized() -> Vec<u8> {
        let demand = "WWW-Authenticate: Basic realm=\"mediamtx\"\r\nContent-Type: application/json\r\n";
        MediaMtx::answer("401 Unauthorized", demand, "{\"status\":\"error\",\"error\":\"authentication error\"}")
    }

    fn preflight(asked: &Asked, methods: &str, headers: &str) -> Option<Vec<u8>> {
        asked.header("Access-Control-Request-Method").filter(|_| asked.method() == "OPTIONS")?;
        let allowed = format!("Access-Control-Allow-Methods: {methods}\r\nAccess-Control-Allow-Headers: {headers}\r\n");
        Some(MediaMtx::answer("204 No Content", &allowed, ""))
    }

    fn hls(&self, asked: &Asked) -> Vec<u8> {
        if let Some(answer) = MediaMtx::preflight(asked, "OPTIONS, GET", "Authorization, Range") {
            return answer;
        }
        let (path, query) = asked.target().split_once('?').unwrap_or((asked.target(), ""));
        if asked.method() != "GET" || matches!(path, "/" | "/favicon.ico") {
            return MediaMtx::answer("200 OK", "", "");
        }
        let has = |key: &str| query.split('&').any(|pair| pair == key);
        let (folder, file) =
            path.trim_start_matches('/').rsplit_once('/').unwrap_or(("", path.trim_start_matches('/')));
        match file {
            "index.m3u8" if !has("cookieCheck=1") => {
                MediaMtx::answer("302 Found", &format!("Location: {path}?cookieCheck=1\r\n"), "")
            }
            "index.m3u8" if !self.paths.iter().any(|p| p == folder) => {
                MediaMtx::answer("500 Internal Server Error", "", "{\"status\":\"error\",\"error\":\"not configured\"}")
            }
            "index.m3u8" if !self.lets_in(asked) => MediaMtx::unauthorized(),
            "index.m3u8" => {
                let list = format!(
                    "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n\n#EXT-X-STREAM-INF:BANDWIDTH=500000,\
                     CODECS=\"avc1.64001f\",RESOLUTION=1280x720,FRAME-RATE=25.000\nvideo1_stream.m3u8?session={SESSION}\n"
                );
                MediaMtx::answer("200 OK", "Content-Type: application/vnd.apple.mpegurl\r\n", &list)
            }
            _ if !has(&format!("session={SESSION}")) => MediaMtx::unauthorized(),
            "video1_stream.m3u8" => {
                let segment = |n| format!("#EXTINF:1.00000,\nseg{n}.ts?session={SESSION}\n");
                let list = format!(
                    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n{}{}{}",
                    segment(1),
                    segment(2),
                    segment(3)
                );
                MediaMtx::answer("200 OK", "Content-Type: application/vnd.apple.mpegurl\r\n", &list)
            }
            name if name.ends_with(".ts") => {
                let body = transport_stream();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nServer: mediamtx\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                [head.into_bytes(), body].concat()
            }
            _ => MediaMtx::answer("302 Found", &format!("Location: {path}/\r\n"), ""),
        }
    }

    fn webrtc(&self, asked: &Asked) -> Vec<u8> {
        let methods = "OPTIONS, GET, POST, PATCH, DELETE";
        if let Some(answer) = MediaMtx::preflight(asked, methods, "Authorization, Content-Type, If-Match") {
            return answer;
        }
        let path = asked.target().trim_start_matches('/');
        match (asked.method(), path.strip_suffix("/whep")) {
            ("OPTIONS" | "POST", Some(name)) if !self.paths.iter().any(|p| p == name) => {
                MediaMtx::answer("500 Internal Server Error", "", "{\"status\":\"error\",\"error\":\"not configured\"}")
            }
            ("OPTIONS" | "POST", Some(_)) if !self.lets_in(asked) => MediaMtx::unauthorized(),
            ("OPTIONS", Some(_)) => MediaMtx::answer(
                "204 No Content",
                "Access-Control-Allow-Methods: OPTIONS, GET, POST, PATCH, DELETE\r\nAccept-Post: application/sdp\r\n",
                "",
            ),
            ("POST", Some(name)) => MediaMtx::answer(
                "201 Created",
                &format!("Content-Type: application/sdp\r\nLocation: /{name}/whep/{SESSION}\r\n"),
                "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:0\r\n\
                 a=rtpmap:97 H264/90000\r\na=sendonly\r\n",
            ),
            ("DELETE", _) if path.ends_with(SESSION) => MediaMtx::answer("200 OK", "", "{\"status\":\"ok\"}"),
            ("GET", _) if path.is_empty() => MediaMtx::answer("200 OK", "", ""),
            ("GET", _) => MediaMtx::answer("302 Found", &format!("Location: /{path}/\r\n"), ""),
            _ => MediaMtx::answer("404 Not Found", "", ""),
        }
    }

    fn list(&self, asked: &Asked) -> Vec<u8> {
        if !self.lets_in(asked) || self.api_is_apart {
            return MediaMtx::unauthorized();
        }
        if asked.target() != "/v3/paths/list" {
            return MediaMtx::answer("404 Not Found", "", "404 page not found");
        }
        let item = |name: &String| {
            format!(
                "{{\"name\":\"{name}\",\"confName\":\"{name}\",\"source\":{{\"type\":\"rtspSource\",\"id\":\"{SOURCE}\"}},\
                 \"ready\":true,\"tracks\":[\"H264\"],\"readers\":[]}}"
            )
        };
        let items: Vec<String> = self.paths.iter().map(item).collect();
        let list = format!("{{\"itemCount\":{},\"pageCount\":1,\"items\":[{}]}}", items.len(), items.join(","));
        MediaMtx::answer("200 OK", "Content-Type: application/json; charset=utf-8\r\n", &list)
    }
}

fn mediamtx_plan(logins: &[&str]) -> ScanPlan {
    let credentials = logins.iter().map(|login| {
        let (user, password) = login.split_once(':').unwrap();
        Credential::new(user, password)
    });
    let probe = ProbeOptions {
        ports: vec![8554, 8888, 8889, 9997],
        ffprobe: Ffprobe::Never,
        credentials: credentials.collect(),
        in_depth: true,
        ..ProbeOptions::default()
    };
    ScanPlan { probe, ..plan() }
}

async fn scan_of(server: MediaMtx, plan: ScanPlan) -> (FakeNet, Outcome) {
    let net = FakeNet::subnet();
    server.on(&net);
    let outcome = look_at(&net, plan, &[SERVER.to_owned()]).await;
    (net, outcome)
}

fn streams(outcome: &Outcome) -> Vec<(String, StreamStatus)> {
    let mut all: Vec<_> = outcome.device(SERVER).streams.iter().map(|s| (s.url.clone(), s.status)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// A path by RTSP, HLS and WebRTC.
fn three_ways(name: &str) -> Vec<(String, StreamStatus)> {
    vec![
        (format!("http://{SERVER}:8888/{name}/index.m3u8"), StreamStatus::Streaming),
        (format!("http://{SERVER}:8889/{name}/whep"), StreamStatus::Described),
        (format!("rtsp://{SERVER}:8554/{name}"), StreamStatus::Streaming),
    ]
}

#[tokio::test(start_paused = true)]
async fn its_list_is_read_with_the_login_given() {
    let server = || MediaMtx { login: Some("viewer:right".to_owned()), api: true, ..MediaMtx::of(&["haus-nord"]) };
    let (_, outcome) = scan_of(server(), mediamtx_plan(&["viewer:right"])).await;
    assert_eq!(streams(&outcome), three_ways("haus-nord"));
    let device = outcome.device(SERVER);
    assert_eq!((device.kind, device.vendor.as_deref()), (Kind::MediaServer, Some("MediaMTX")));
    let report = serde_json::to_string(&outcome.report).unwrap();
    assert!(!report.contains("stilles-wasser") && !report.contains("10.0.0.8"), "{report}");

    // Without the login, or with a wrong one, nothing is found and nothing is tried too often.
    let (net, outcome) = scan_of(server(), mediamtx_plan(&["viewer:wrong"])).await;
    assert_eq!(streams(&outcome), []);
    assert!(net.asked().iter().filter(|a| a.has_login()).count() <= 2);
}

#[tokio::test(start_paused = true)]
async fn its_ports_are_known_for_what_they_serve() {
    let (_, outcome) = scan_of(MediaMtx::of(&["cam1"]), mediamtx_plan(&[])).await;
    let services = &outcome.device(SERVER).services;
    let on = |protocol, port| services.iter().any(|s| s.protocol == protocol && s.port == port);
    assert!(on(Protocol::Hls, 8888) && on(Protocol::Webrtc, 8889), "{services:#?}");
    assert!(!on(Protocol::Webrtc, 8888) && !on(Protocol::Hls, 8889), "{services:#?}");
}

/// Where the list is closed, a name that one protocol has is tried on the others.
#[tokio::test(start_paused = true)]
async fn a_name_known_by_one_protocol_is_tried_by_the_others() {
    let (net, outcome) = scan_of(MediaMtx::of(&["cam1", "obs"]), mediamtx_plan(&[])).await;
    let mut expected = [three_ways("cam1"), three_ways("obs")].concat();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(streams(&outcome), expected);
    let asked = net.asked();
    let of_whep = |method: &str| asked.iter().filter(|a| a.method() == method && a.target().contains("/whep")).count();
    let (opened, closed) = (of_whep("POST"), of_whep("DELETE"));
    assert_eq!((opened, closed), (2, 2), "every session that was opened is closed");
}

/// A login is demanded where a path is, and 400 is said where none is: the common names are tried with it.
#[tokio::test(start_paused = true)]
async fn a_common_name_behind_a_login_is_found_without_the_list() {
    let server = MediaMtx { login: Some("viewer:right".to_owned()), ..MediaMtx::of(&["camera"]) };
    let (_, outcome) = scan_of(server, mediamtx_plan(&["viewer:right"])).await;
    assert_eq!(streams(&outcome), three_ways("camera"));
}

/// Whoever may watch may not list, as its handbook has it: that costs one of the refusals allowed, and no stream.
#[tokio::test(start_paused = true)]
async fn a_login_that_may_not_list_may_watch() {
    let login = Some("viewer:right".to_owned());
    let server = MediaMtx { login, api: true, api_is_apart: true, ..MediaMtx::of(&["camera"]) };
    let (_, outcome) = scan_of(server, mediamtx_plan(&["viewer:right"])).await;
    assert_eq!(streams(&outcome), three_ways("camera"));
    assert!(outcome.device(SERVER).login_attempts.as_ref().is_none_or(|l| l.refused <= 1));
}
