//! go2rtc 1.9.14 as its source has it (AlexxIT/go2rtc at dc1685e9cf7a): `pkg/rtsp/server.go` (`Accept`, `Handle`),
//! `internal/rtsp/rtsp.go` (`tcpHandler`), `internal/api/api.go` (`middlewareAuth`), `internal/streams/api.go`,
//! `internal/hls`, `internal/webrtc/server.go` with `pkg/webrtc/server.go` (`GetCompleteAnswer`), `internal/onvif`.
//!
//! What matters of it: an RTSP connection is about the path of its first request, whatever the others name; it is closed
//! after a 404; TEARDOWN in a session is not answered; an HLS session lives for five seconds, and its address with it; an
//! answer to an offer comes when the STUN servers have answered or were given up; the list of streams shows where they
//! come from.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use camscan::model::options::Ffprobe;
use camscan::model::{Credential, Kind, ProbeOptions, Protocol, ScanPlan, Stream, StreamStatus, Verify};
use camscan::testkit::net::{Asked, FakeNet, Requests};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::servers::{http, packets};
use super::{Outcome, look_at, plan};

const SERVER: &str = "192.0.2.40";
const VERSION: &str = "go2rtc/1.9.14";
/// What stands in the addresses of its sources.
const SECRET: &str = "tiefes-wasser-9";
/// How long an HLS session lives (`keepalive` in internal/hls/hls.go).
const KEEPALIVE: Duration = Duration::from_secs(5);

#[derive(Clone, Default)]
struct Go2rtc {
    streams: Vec<String>,
    /// `user:password`, for HTTP and RTSP alike.
    login: Option<String>,
    /// How long it gathers candidates before it answers an offer.
    gathering: Duration,
    sessions: Arc<Mutex<Vec<(String, Instant)>>>,
    /// Of each DESCRIBE, what it named and what its connection was about.
    described: Arc<Mutex<Vec<(String, String)>>>,
}

impl Go2rtc {
    fn of(streams: &[&str]) -> Go2rtc {
        Go2rtc { streams: streams.iter().map(|s| (*s).to_owned()).collect(), ..Go2rtc::default() }
    }

    fn on(self, net: &FakeNet) {
        let (of_rtsp, of_web, net_of_rtsp, net_of_web) = (self.clone(), self, net.clone(), net.clone());
        let (rtsp, web) = (format!("{SERVER}:8554"), format!("{SERVER}:1984"));
        net.serve(&rtsp.clone(), move |number, stream| {
            let (server, requests) = (of_rtsp.clone(), net_of_rtsp.requests(&rtsp, number));
            async move { server.talk_rtsp(stream, requests).await }
        });
        net.serve(&web.clone(), move |number, mut stream| {
            let (server, mut requests) = (of_web.clone(), net_of_web.requests(&web, number));
            async move {
                let Some(asked) = requests.next(&mut stream).await else { return };
                if asked.method() == "POST" && asked.target().starts_with("/api/webrtc") {
                    tokio::time::sleep(server.gathering).await;
                }
                let _ = stream.write_all(&server.page(&asked)).await;
            }
        });
    }

    fn lets_in(&self, asked: &Asked) -> bool {
        self.login.as_ref().is_none_or(|login| asked.has_basic_login(login))
    }

    /// `Accept`, then `Handle` once something plays.
    async fn talk_rtsp(self, mut stream: DuplexStream, mut requests: Requests) {
        let pictures = packets();
        let mut next = pictures.len();
        let mut about: Option<String> = None;
        let mut senders = 0;
        let mut plays = false;
        loop {
            while let Some(asked) = requests.take() {
                let name = asked.target().splitn(4, '/').nth(3).unwrap_or_default().to_owned();
                let about = about.get_or_insert(name.clone()).clone();
                if asked.method() == "DESCRIBE" {
                    self.described.lock().unwrap().push((name, about.clone()));
                }
                let cseq = asked.header("CSeq").unwrap_or("0").to_owned();
                let head = |status: &str, more: &str| format!("RTSP/1.0 {status}\r\nCseq: {cseq}\r\n{more}\r\n");
                if plays {
                    // Only OPTIONS is answered once a stream plays.
                    if asked.method() == "OPTIONS" && stream.write_all(head("200 OK", "").as_bytes()).await.is_err() {
                        return;
                    }
                    continue;
                }
                if !self.lets_in(&asked) {
                    let more = "Www-Authenticate: Basic realm=\"go2rtc\"\r\n";
                    let _ = stream.write_all(head("401 Unauthorized", more).as_bytes()).await;
                    if asked.header("Authorization").is_none() {
                        continue;
                    }
                    return;
                }
                let mut is_over = false;
                let answer = match asked.method() {
                    "OPTIONS" => {
                        head("200 OK", "Public: OPTIONS, SETUP, TEARDOWN, DESCRIBE, PLAY, PAUSE, ANNOUNCE, RECORD\r\n")
                    }
                    "DESCRIBE" if self.streams.contains(&about) => {
                        // Asked once more on the connection, it adds the tracks once more.
                        senders += 1;
                        let sdp = self.sdp(senders);
                        let more = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len());
                        head("200 OK", &more) + &sdp
                    }
                    "DESCRIBE" => {
                        is_over = true;
                        head("404 Not Found", "")
                    }
                    "SETUP" => match asked.header("Transport").filter(|t| t.starts_with("RTP/AVP/TCP")) {
                        Some(_) => {
                            let transport = "RTP/AVP/TCP;unicast;interleaved=0-1";
                            head("200 OK", &format!("Transport: {transport}\r\nSession: 12345678\r\n"))
                        }
                        None => head("461 Unsupported transport", ""),
                    },
                    "PLAY" => {
                        (plays, next) = (true, 0);
                        head("200 OK", "Session: 12345678\r\n")
                    }
                    "TEARDOWN" => {
                        is_over = true;
                        head("200 OK", "")
                    }
                    // `unsupported method` ends the connection without an answer.
                    _ => return,
                };
                if stream.write_all(answer.as_bytes()).await.is_err() || is_over {
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

    /// The description, with as many tracks as were added.
    fn sdp(&self, senders: usize) -> String {
        let track = |number| {
            format!(
                "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n\
                 a=control:trackID={number}\r\n"
            )
        };
        let tracks: String = (0..senders).map(track).collect();
        format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns={VERSION}\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n{tracks}")
    }

    fn page(&self, asked: &Asked) -> Vec<u8> {
        if !self.lets_in(asked) {
            let demand = "Www-Authenticate: Basic realm=\"go2rtc\"\r\nContent-Type: text/plain; charset=utf-8\r\n";
            return http("401 Unauthorized", demand, "Unauthorized\n");
        }
        let (path, query) = asked.target().split_once('?').unwrap_or((asked.target(), ""));
        let value =
            |key: &str| query.split('&').find_map(|p| p.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
        let missing = || http("404 Not Found", "", "stream not found\n");
        let has = |name: &str| self.streams.iter().any(|s| s == name);
        match (asked.method(), path) {
            ("GET", "/") => http("200 OK", "Content-Type: text/html\r\n", "<html><title>go2rtc</title></html>"),
            ("GET", "/api/streams") => http("200 OK", "Content-Type: application/json\r\n", &self.list()),
            ("GET", "/api/config") => http("200 OK", "", &format!("rtsp://admin:{SECRET}@10.0.0.9/")),
            ("GET", "/api/stream.m3u8") if has(value("src")) => {
                let mut sessions = self.sessions.lock().unwrap();
                let id = format!("Zx9{:05}", sessions.len());
                sessions.push((id.clone(), Instant::now() + KEEPALIVE));
                let list = format!(
                    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=192000,CODECS=\"avc1.64001F\"\nhls/playlist.m3u8?id={id}"
                );
                http("200 OK", "Content-Type: application/vnd.apple.mpegurl\r\n", &list)
            }
            ("GET", "/api/hls/playlist.m3u8") if self.lives(value("id"), false) => {
                let id = value("id");
                let segment = |n| format!("#EXTINF:0.500,\nsegment.ts?id={id}&n={n}");
                let list = format!(
                    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n{}\n{}",
                    segment(0),
                    segment(1)
                );
                http("200 OK", "Content-Type: application/vnd.apple.mpegurl\r\n", &list)
            }
            ("GET", "/api/hls/segment.ts") if self.lives(value("id"), true) => {
                let body = transport_stream();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                [head.into_bytes(), body].concat()
            }
            ("OPTIONS", "/api/webrtc") => http("204 No Content", "", ""),
            ("POST", "/api/webrtc") if has(value("src")) => http(
                "201 Created",
                "Content-Type: application/sdp\r\n",
                "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
                 m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:0\r\na=rtpmap:97 H264/90000\r\na=sendonly\r\n",
            ),
            ("POST", "/api/webrtc") => missing(),
            ("POST", path) if path.starts_with("/onvif/") => self.onvif(asked),
            _ => http("404 Not Found", "", "404 page not found\n"),
        }
    }

    /// Each stream with where it comes from and who watches it, secrets and all.
    fn list(&self) -> String {
        let source = format!("{{\"producers\":[{{\"url\":\"rtsp://admin:{SECRET}@10.0.0.9/1\"}}],\"consumers\":null}}");
        let streams: Vec<String> = self.streams.iter().map(|name| format!("\"{name}\":{source}")).collect();
        format!("{{{}}}\n", streams.join(","))
    }

    fn lives(&self, id: &str, prolongs: bool) -> bool {
        let mut sessions = self.sessions.lock().unwrap();
        let Some((_, until)) = sessions.iter_mut().find(|(of, until)| of == id && *until > Instant::now()) else {
            return false;
        };
        if prolongs {
            *until = Instant::now() + KEEPALIVE;
        }
        true
    }

    /// internal/onvif/onvif.go: every stream is a profile and a video source by its name.
    fn onvif(&self, asked: &Asked) -> Vec<u8> {
        let body = asked.text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        let says = |call: &str| body.contains(call);
        let profile = |name: &String| {
            format!(
                "<trt:Profiles token=\"{name}\" fixed=\"true\"><tt:Name>{name}</tt:Name><tt:VideoSourceConfiguration \
                 token=\"{name}\"><tt:Name>VSC</tt:Name><tt:SourceToken>{name}</tt:SourceToken>\
                 </tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration token=\"vec\"><tt:Encoding>H264</tt:Encoding>\
                 <tt:Resolution><tt:Width>1920</tt:Width><tt:Height>1080</tt:Height></tt:Resolution>\
                 </tt:VideoEncoderConfiguration></trt:Profiles>"
            )
        };
        let token = body.split("ProfileToken>").nth(1).and_then(|t| t.split('<').next()).unwrap_or_default();
        let answer = match () {
            () if says("GetSystemDateAndTime") => {
                "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:UTCDateTime><tt:Time><tt:Hour>1</tt:Hour>\
                 <tt:Minute>2</tt:Minute><tt:Second>3</tt:Second></tt:Time><tt:Date><tt:Year>2027</tt:Year><tt:Month>1\
                 </tt:Month><tt:Day>15</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime>\
                 </tds:GetSystemDateAndTimeResponse>"
                    .to_owned()
            }
            () if says("GetServices") => format!(
                "<tds:GetServicesResponse><tds:Service><tds:Namespace>http://www.onvif.org/ver10/media/wsdl</tds:Namespace>\
                 <tds:XAddr>http://{SERVER}:1984/onvif/media_service</tds:XAddr></tds:Service></tds:GetServicesResponse>"
            ),
            () if says("GetDeviceInformation") => format!(
                "<tds:GetDeviceInformationResponse><tds:Manufacturer></tds:Manufacturer><tds:Model>go2rtc</tds:Model>\
                 <tds:FirmwareVersion>1.9.14</tds:FirmwareVersion><tds:SerialNumber>{SERVER}:1984</tds:SerialNumber>\
                 </tds:GetDeviceInformationResponse>"
            ),
            () if says("GetProfiles") => format!(
                "<trt:GetProfilesResponse>{}</trt:GetProfilesResponse>",
                self.streams.iter().map(profile).collect::<String>()
            ),
            () if says("GetStreamUri") => format!(
                "<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>rtsp://{SERVER}:8554/{token}</tt:Uri></trt:MediaUri>\
                 </trt:GetStreamUriResponse>"
            ),
            () => return http("400 Bad Request", "", "unsupported operation\n"),
        };
        let envelope = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
             xmlns:tt=\"http://www.onvif.org/ver10/schema\" xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\" \
             xmlns:trt=\"http://www.onvif.org/ver10/media/wsdl\"><s:Body>{answer}</s:Body></s:Envelope>"
        );
        http("200 OK", "Content-Type: application/soap+xml; charset=utf-8\r\n", &envelope)
    }
}

/// Two pictures of a real camera as an MPEG transport stream (ISO/IEC 13818-1 §2.4).
pub fn transport_stream() -> Vec<u8> {
    let film = include_bytes!("../data/media/camera_h264_1280x720_25fps.h264");
    let mut out = Vec::new();
    let mut counters = [0u8; 0x1_02];
    let mut packet = |pid: u16, payload: &[u8]| {
        for (n, part) in payload.chunks(184).enumerate() {
            let counter = &mut counters[usize::from(pid.min(0x101))];
            let start = if n == 0 { 0x40 } else { 0 };
            let mut one = vec![0x47, start | (pid >> 8) as u8, pid as u8];
            match 184 - part.len() {
                0 => one.push(0x10 | *counter),
                1 => one.extend([0x30 | *counter, 0]),
                gap => {
                    one.extend([0x30 | *counter, (gap - 1) as u8, 0]);
                    one.extend(vec![0xff; gap - 2]);
                }
            }
            *counter = (*counter + 1) & 15;
            one.extend(part);
            out.extend(one);
        }
    };
    let section = |body: &[u8]| [&[0u8][..], body, &[0; 4]].concat();
    packet(0, &section(&[0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0]));
    packet(0x100, &section(&[2, 0xb0, 18, 0, 1, 0xc1, 0, 0, 0xe1, 1, 0xf0, 0, 0x1b, 0xe1, 1, 0xf0, 0]));
    for number in 0..26u64 {
        let pts = 90_000 + number * 3600;
        let stamp = [
            0x21 | ((pts >> 29) & 0xe) as u8,
            (pts >> 22) as u8,
            0x01 | ((pts >> 14) & 0xfe) as u8,
            (pts >> 7) as u8,
            0x01 | ((pts << 1) & 0xfe) as u8,
        ];
        packet(0x101, &[&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5][..], &stamp, &film[..]].concat());
    }
    out
}

/// A plan that asks go2rtc's ports, with these logins.
fn go2rtc_plan(logins: &[&str]) -> ScanPlan {
    let credentials = logins.iter().map(|login| {
        let (user, password) = login.split_once(':').unwrap();
        Credential::new(user, password)
    });
    let probe = ProbeOptions {
        ports: vec![8554, 1984],
        ffprobe: Ffprobe::Never,
        credentials: credentials.collect(),
        in_depth: true,
        ..ProbeOptions::default()
    };
    ScanPlan { probe, ..plan() }
}

async fn scan_of(server: Go2rtc, plan: ScanPlan) -> (FakeNet, Outcome) {
    let net = FakeNet::subnet();
    server.on(&net);
    let outcome = look_at(&net, plan, &[SERVER.to_owned()]).await;
    (net, outcome)
}

fn streams_of(outcome: &Outcome, protocol: Protocol) -> Vec<&Stream> {
    outcome.device(SERVER).streams.iter().filter(|s| s.protocol == protocol).collect()
}

/// Address and status of each stream that comes by a protocol.
fn told(outcome: &Outcome, protocol: Protocol) -> Vec<(String, StreamStatus)> {
    streams_of(outcome, protocol).into_iter().map(|s| (s.url.clone(), s.status)).collect()
}

#[tokio::test(start_paused = true)]
async fn every_stream_that_is_announced_plays() {
    let (_, outcome) = scan_of(Go2rtc::of(&["drive", "yard", "gate"]), go2rtc_plan(&[])).await;
    let mut rtsp = told(&outcome, Protocol::Rtsp);
    rtsp.sort();
    let plays = |name: &str| (format!("rtsp://{SERVER}:8554/{name}"), StreamStatus::Streaming);
    assert_eq!(rtsp, [plays("drive"), plays("gate"), plays("yard")]);
    assert_eq!(outcome.device(SERVER).errors, []);
}

/// On a connection that a DESCRIBE was answered on, go2rtc describes that stream again, twice over, whatever is named.
#[tokio::test(start_paused = true)]
async fn no_connection_is_about_two_streams() {
    for logins in [&[][..], &["admin:right"]] {
        let login = logins.first().map(|login| (*login).to_owned());
        let server = Go2rtc { login, ..Go2rtc::of(&["drive", "yard", "gate"]) };
        let described = server.described.clone();
        let (net, _) = scan_of(server, go2rtc_plan(logins)).await;
        let described = described.lock().unwrap();
        let streams = described.iter().filter(|(named, _)| !named.is_empty());
        assert!(streams.clone().count() >= 6, "{described:?}");
        assert!(streams.clone().all(|(named, about)| named == about), "{described:?}");
        assert_eq!(net.streams.most_open(&format!("{SERVER}:8554")), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_media_server_is_no_recorder() {
    let (_, outcome) = scan_of(Go2rtc::of(&["a", "b", "c", "d", "e"]), go2rtc_plan(&[])).await;
    let device = outcome.device(SERVER);
    assert_eq!((device.kind, device.vendor.as_deref()), (Kind::MediaServer, Some("go2rtc")));
    assert!(device.streams.iter().all(|s| s.channel.is_none()), "{:#?}", device.streams);
    assert_eq!(streams_of(&outcome, Protocol::Rtsp).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn its_hls_is_reported_where_it_stays() {
    let (_, outcome) = scan_of(Go2rtc::of(&["yard"]), go2rtc_plan(&[])).await;
    let url = format!("http://{SERVER}:1984/api/stream.m3u8?src=yard");
    assert_eq!(told(&outcome, Protocol::Hls), [(url, StreamStatus::Streaming)]);
}

/// Without a way to the internet an answer to an offer takes as long as the STUN servers are waited for.
#[tokio::test(start_paused = true)]
async fn its_answer_to_an_offer_is_waited_for() {
    for gathering in [0, 5, 9] {
        let server = Go2rtc { gathering: Duration::from_secs(gathering), ..Go2rtc::of(&["yard"]) };
        let (_, outcome) = scan_of(server, go2rtc_plan(&[])).await;
        let url = format!("http://{SERVER}:1984/api/webrtc?src=yard");
        assert_eq!(told(&outcome, Protocol::Webrtc), [(url, StreamStatus::Described)], "{gathering} s");
        assert_eq!(outcome.device(SERVER).errors, []);
    }
    // Many streams that each take so long would use all the host's time up: what is asked is answered, and no error said.
    let server = Go2rtc { gathering: Duration::from_secs(6), ..Go2rtc::of(&["a", "b", "c", "d", "e", "f"]) };
    let plan = go2rtc_plan(&[]);
    let plan = ScanPlan { probe: ProbeOptions { verify: Verify::Describe, ..plan.probe }, ..plan };
    let (_, outcome) = scan_of(server, plan).await;
    let webrtc = streams_of(&outcome, Protocol::Webrtc);
    assert!(!webrtc.is_empty() && webrtc.iter().all(|s| s.status == StreamStatus::Described), "{webrtc:#?}");
    assert_eq!(outcome.device(SERVER).errors, []);
}

#[tokio::test(start_paused = true)]
async fn behind_a_login_the_realm_names_it() {
    let locked = || Go2rtc { login: Some("admin:right".to_owned()), ..Go2rtc::of(&["drive", "yard"]) };
    let (_, outcome) = scan_of(locked(), go2rtc_plan(&[])).await;
    let device = outcome.device(SERVER);
    assert_eq!((device.kind, device.vendor.as_deref()), (Kind::MediaServer, Some("go2rtc")));

    let (_, outcome) = scan_of(locked(), go2rtc_plan(&["admin:right"])).await;
    assert_eq!(outcome.device(SERVER).kind, Kind::MediaServer);
    let rtsp = told(&outcome, Protocol::Rtsp);
    assert_eq!(rtsp.len(), 2, "{rtsp:?}");
    assert!(rtsp.iter().all(|(_, status)| *status == StreamStatus::Streaming), "{rtsp:?}");

    let (net, outcome) = scan_of(locked(), go2rtc_plan(&["admin:wrong", "admin:worse", "admin:right"])).await;
    assert_eq!(outcome.device(SERVER).login_attempts.as_ref().map(|l| l.refused), Some(2));
    let tries = net.asked().into_iter().filter(|a| a.has_login()).count();
    assert!(tries <= 2, "{tries}");
}

/// The list of streams shows the passwords of the cameras; nobody is shown them, not even who looks in depth.
#[tokio::test(start_paused = true)]
async fn nothing_of_a_list_but_names_is_kept() {
    let (net, outcome) = scan_of(Go2rtc::of(&["drive"]), go2rtc_plan(&[])).await;
    let report = serde_json::to_string(&outcome.report).unwrap();
    let events = format!("{:?}", outcome.events);
    for text in [&report, &events] {
        assert!(!text.contains(SECRET) && !text.contains("10.0.0.9"), "{text}");
    }
    assert!(net.asked().iter().any(|a| a.target() == "/api/streams"));
    let asked = net.asked();
    assert!(asked.iter().all(|a| !a.target().contains("config")), "whole configurations are never asked for");
    assert!(asked.iter().all(|a| !matches!(a.method(), "PUT" | "PATCH")), "nothing is set");
}
