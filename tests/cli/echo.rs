//! A device that puts the password it was given into everything it says: it stands in no report, no log and no name.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::env::{Run, TestEnv};

const PASSWORD: &str = "Brunnen 7/ß?";

/// What a terminal would follow, and what shows nothing: beside the password in whatever is said.
const ODD: &str = "\u{202e}\u{2028}\u{200b}\u{1b}[31m\u{9b}31m\u{e0100}\u{3164}";

/// Where stream addresses of cameras hold a login, as ONVIF announces them.
const ADDRESSES: [&str; 12] = [
    "/a?u=viewer&p=PW",
    "/b?psw=PW",
    "/c?login=viewer:PW",
    "/d?key=PW",
    "/e?passcode=PW",
    "/f?userpassword=PW",
    "/g?PASSWORD%3DPW",
    "/h#password=PW",
    "/viewer/PW/1",
    "/user=viewer_password=PW_channel=1_stream=0.sdp",
    "/k?auth=B64",
    "/l?PW",
];

/// What stands for the password in a text, written as whoever sends it likes.
struct Echo {
    plain: String,
    percent: String,
    base64: String,
}

impl Echo {
    fn new() -> Echo {
        Echo {
            plain: PASSWORD.to_owned(),
            percent: PASSWORD.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            base64: STANDARD.encode(format!("viewer:{PASSWORD}")),
        }
    }

    fn url(&self, path: &str) -> String {
        path.replace("PW", &self.percent).replace("B64", &self.base64)
    }
}

/// The device, and what it was asked.
struct Device {
    rtsp: SocketAddr,
    http: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Device {
    fn start(ip: &str) -> Device {
        let listeners = [(); 2].map(|()| TcpListener::bind((ip, 0)).unwrap());
        let [rtsp, http] = [0, 1].map(|n: usize| listeners[n].local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        for listener in listeners {
            let asked = asked.clone();
            // Ends with the test's process.
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let asked = asked.clone();
                    thread::spawn(move || talk(stream, &asked, rtsp));
                }
            });
        }
        Device { rtsp, http, asked }
    }

    fn asked_of(&self, word: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|text| text.contains(word)).count()
    }
}

/// Answers requests of one connection until it ends.
fn talk(mut stream: TcpStream, asked: &Mutex<Vec<String>>, rtsp: SocketAddr) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        buffer.extend_from_slice(&piece[..read]);
        while let Some(text) = request(&mut buffer) {
            let is_rtsp = stream.local_addr().is_ok_and(|at| at == rtsp);
            let answer = if is_rtsp { of_rtsp(&text) } else { of_http(&text, rtsp) };
            asked.lock().unwrap().push(text);
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// A whole request, head and body, taken out of what came.
fn request(buffer: &mut Vec<u8>) -> Option<String> {
    let text = String::from_utf8_lossy(buffer).into_owned();
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let whole = head.len() + 4 + length.unwrap_or(0usize);
    (buffer.len() >= whole).then(|| String::from_utf8_lossy(&buffer.drain(..whole).collect::<Vec<_>>()).into_owned())
}

fn of_rtsp(text: &str) -> String {
    let Echo { plain, percent, base64 } = Echo::new();
    let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("1");
    let url = text.split(' ').nth(1).unwrap_or_default();
    let (status, headers, body) = match text.split(' ').next().unwrap_or_default() {
        "OPTIONS" => {
            ("200 OK".to_owned(), "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n".to_owned(), String::new())
        }
        _ if !text.contains("Authorization: Basic") => {
            (format!("401 {plain}"), format!("WWW-Authenticate: Basic realm=\"Cam {plain}\"\r\n"), String::new())
        }
        "DESCRIBE" if !ADDRESSES.iter().any(|path| url.ends_with(Echo::new().url(path).split('#').next().unwrap())) => {
            (format!("404 {plain} not at {url}"), String::new(), String::new())
        }
        "DESCRIBE" => (
            format!("200 {plain}"),
            format!("Content-Type: application/sdp\r\nContent-Base: rtsp://viewer:{percent}@127.0.0.1/{percent}/\r\n"),
            format!(
                "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns={plain}\r\ni={base64}\r\ne=viewer {plain}\r\nu=http://h/?p={percent}\r\n\
                 a=tool:{plain}\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\ni={plain}{ODD}\r\na=rtpmap:96 H264/90000\r\n\
                 a=control:track1{ODD}?p={percent}&u=viewer:{plain}\r\n"
            ),
        ),
        _ => (format!("454 bad {url} {plain} viewer:{percent} {base64}"), String::new(), String::new()),
    };
    let length = body.len();
    format!(
        "RTSP/1.0 {status}{ODD}\r\nCSeq: {cseq}\r\nServer: Cam/{plain}{ODD} ({percent})\r\nX-{}: {plain}\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}",
        base64.trim_end_matches('=')
    )
}

fn of_http(text: &str, rtsp: SocketAddr) -> String {
    let echo = Echo::new();
    let plain = &echo.plain;
    let (status, headers, body) = match text.split(' ').next() {
        _ if !text.contains("HTTP/1.") => (format!("400 {plain}"), String::new(), String::new()),
        Some("POST") => {
            ("200 OK".to_owned(), "Content-Type: application/soap+xml\r\n".to_owned(), soap(text, &echo, rtsp))
        }
        _ if !text.contains("Authorization:") => {
            (format!("401 {plain}"), format!("WWW-Authenticate: Basic realm=\"IP Camera {plain}\"\r\n"), String::new())
        }
        _ if text.contains(" /next") => (
            "200 OK".to_owned(),
            "Content-Type: text/html\r\n".to_owned(),
            format!(
                "<html><title>Network Camera {plain}</title><img src=\"/video.mjpg?pw={}\">{plain}</html>",
                echo.percent
            ),
        ),
        _ => (
            format!("302 {plain}"),
            format!("Location: http://viewer:{0}@127.0.0.9/next{ODD}?viewer={0}&{0}\r\n", echo.percent),
            String::new(),
        ),
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nServer: App-webs/{plain}{ODD}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn soap(text: &str, echo: &Echo, rtsp: SocketAddr) -> String {
    let plain = &echo.plain;
    let is = |call: &str| text.contains(&format!("<{call}")) || text.contains(&format!(":{call}"));
    let body = if is("GetDeviceInformation") {
        format!(
            "<R><Manufacturer>{plain}</Manufacturer><Model>Cam {plain}\u{202e}</Model><FirmwareVersion>{plain}</FirmwareVersion>\
             <SerialNumber>{0}</SerialNumber></R>",
            echo.base64
        )
    } else if is("GetServices") {
        let at = text.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or_default();
        format!(
            "<R><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://viewer:{1}@{at}/media?{1}\
             </XAddr></Service><Service><Namespace>{plain}</Namespace><XAddr>{0}</XAddr></Service></R>",
            plain, echo.percent
        )
    } else if is("GetProfiles") {
        let profile = |n: usize| {
            format!(
                "<Profiles token='{n}'><Name>{plain}</Name><VideoSourceConfiguration><SourceToken>{plain}{n}</SourceToken>\
                 </VideoSourceConfiguration><VideoEncoderConfiguration><Encoding>H264</Encoding><Resolution><Width>640</Width>\
                 <Height>480</Height></Resolution></VideoEncoderConfiguration></Profiles>"
            )
        };
        format!("<R>{}</R>", (0..ADDRESSES.len()).map(profile).collect::<String>())
    } else if is("GetStreamUri") || is("GetSnapshotUri") {
        let token = text.split("ProfileToken>").nth(1).and_then(|rest| rest.split('<').next()?.parse::<usize>().ok());
        let path = echo.url(ADDRESSES[token.unwrap_or_default()]);
        format!("<R><Uri>rtsp://viewer:{0}@{rtsp}{1}</Uri></R>", echo.percent, path.replace('&', "&amp;"))
    } else if is("GetHostname") {
        format!("<R><HostnameInformation><Name>cam-{plain}</Name></HostnameInformation></R>")
    } else {
        format!(
            "<Fault><Code><Value>Sender</Value><Subcode><Value>ter:ActionNotSupported</Value></Subcode></Code><Reason><Text>\
             no {plain} {0}</Text></Reason></Fault>",
            echo.percent
        )
    };
    format!("<s:Envelope xmlns:s=\"x\"><s:Body>{body}</s:Body></s:Envelope>")
}

/// Every form of the password that is as good as it.
fn forms() -> Vec<String> {
    let both = format!("viewer:{PASSWORD}");
    let escaped: String = PASSWORD.bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        PASSWORD.to_owned(),
        // The beginning of any of it, however the rest is written.
        "Brunnen".to_owned(),
        escaped.to_uppercase(),
        escaped,
        STANDARD_NO_PAD.encode(&both),
        URL_SAFE_NO_PAD.encode(&both),
        STANDARD_NO_PAD.encode(PASSWORD),
    ]
}

#[track_caller]
fn holds_no_password(text: &str, of: &str) {
    let lower = text.to_lowercase();
    for form in forms() {
        if let Some(at) = lower.find(&form.to_lowercase()) {
            let from = (0..=at.saturating_sub(200)).rev().find(|&i| lower.is_char_boundary(i)).unwrap_or(0);
            panic!("{of} holds {form}: {}", lower[from..].chars().take(500).collect::<String>());
        }
    }
}

#[track_caller]
fn shows_nothing(env: &TestEnv, run: &Run, of: &str) {
    holds_no_password(&run.out, &format!("standard output of {of}"));
    holds_no_password(&run.err, &format!("standard error of {of}"));
    for text in [&run.out, &run.err] {
        let odd = text.chars().find(|&c| c != '\n' && (c.is_control() || (ODD.contains(c) && !c.is_ascii())));
        assert_eq!(odd, None, "{of}: {text}");
    }
    for name in env.names() {
        holds_no_password(&name, "a name");
        if name.starts_with("r.") && !name.ends_with(".xlsx") {
            holds_no_password(&env.read(&name), &format!("{name} of {of}"));
        }
    }
}

#[test]
fn what_a_device_echoes_is_shown_nowhere() {
    let env = TestEnv::new();
    let device = Device::start("127.88.9.1");
    let (rtsp, http) = (device.rtsp.port(), device.http.port());
    let target = device.rtsp.ip().to_string();
    let ports = format!("{rtsp},{http}");
    let login = format!("viewer:{PASSWORD}");
    let files = ["json", "jsonl", "csv", "yaml", "xml", "html", "m3u", "txt"].map(|kind| format!("-or.{kind}"));
    for (line, log) in [("scan", "text"), ("scan", "json"), ("probe", "text")] {
        let mut arguments: Vec<&str> = vec![line, &target, "-p", &ports, "-c", &login, "--retries", "0"];
        arguments.extend([
            "--max-login-failures",
            "50",
            "--timeout",
            "2s",
            "--frame-timeout",
            "1s",
            "--measure-time",
            "100ms",
        ]);
        arguments.extend(["--host-timeout", "20s", "-vv", "-f", "json", "--log-format", log, "--snapshots", "shots"]);
        if line == "scan" {
            arguments.push("--all");
        }
        arguments.extend(files.iter().map(String::as_str));
        let mut command = env.command(&arguments);
        command.env("CAMSCAN_LOG", "trace");
        let run = env.end(&mut command).success();
        let of = format!("{line} with {log}");
        shows_nothing(&env, &run, &of);
        // It was said often, and what stands around it still is.
        let report = run.json();
        let streams = report["devices"][0]["streams"].as_array().unwrap();
        assert!(run.out.matches("***").count() > 20 && run.err.matches("***").count() > 20, "{of}: {}", run.out);
        assert!(
            streams.iter().any(|s| s["url"] == format!("rtsp://{target}:{rtsp}/viewer/***/1")),
            "{of}: {streams:#?}"
        );
        assert!(
            streams.iter().any(|s| s["error"]["message"].as_str().is_some_and(|m| m.contains("454"))),
            "{of}: {streams:#?}"
        );
        assert!(device.asked_of("SETUP") > 0 && device.asked_of("Authorization: Basic") > 0, "{of}");
    }
    // On the wire the addresses are those the device announced.
    assert!(device.asked_of(&format!("/viewer/{}/1", Echo::new().percent)) > 0);
}
