//! What stands on the network: cameras, and pages of text.

use std::sync::LazyLock;
use std::time::Duration;

use camscan::testkit::net::{Asked, FakeNet, Reply, Requests};
use tokio::io::{AsyncWriteExt, DuplexStream};

/// A camera of one stream on port 554.
#[derive(Debug, Clone)]
pub struct Camera {
    pub ip: String,
    pub server: String,
    pub session_name: String,
    /// The path of its stream, without its first slash.
    pub path: String,
    /// The login it demands, as `user:password`.
    pub login: Option<String>,
    /// It demands Digest, and takes any answer to that; else Basic.
    pub digest: bool,
    /// Every path is answered by 453.
    pub busy: bool,
    /// Every path is its stream.
    pub any_path: bool,
    /// It answers PLAY so late, and the requests after it wait; or never, and reads on.
    pub play_takes: Option<Duration>,
    /// It refuses to interleave.
    pub udp_only: bool,
}

impl Camera {
    pub fn new(ip: &str) -> Camera {
        Camera {
            ip: ip.to_owned(),
            server: "Rtsp Server/3.0".to_owned(),
            session_name: "Media Presentation".to_owned(),
            path: "live".to_owned(),
            login: None,
            digest: false,
            busy: false,
            any_path: false,
            play_takes: Some(Duration::ZERO),
            udp_only: false,
        }
    }

    /// Puts it on the network.
    pub fn on(self, net: &FakeNet) {
        let (net_of_camera, at) = (net.clone(), format!("{}:554", self.ip));
        net.serve(&at.clone(), move |number, stream| {
            let (camera, requests) = (self.clone(), net_of_camera.requests(&at, number));
            async move { camera.talk(stream, requests).await }
        });
    }

    async fn talk(self, mut stream: DuplexStream, mut requests: Requests) {
        let packets = packets();
        let mut next = packets.len();
        loop {
            while let Some(asked) = requests.take() {
                if asked.method() == "PLAY" {
                    let Some(takes) = self.play_takes else { continue };
                    tokio::time::sleep(takes).await;
                }
                if stream.write_all(self.answer(&asked).as_bytes()).await.is_err() {
                    return;
                }
                match asked.method() {
                    "PLAY" => next = 0,
                    "TEARDOWN" => next = packets.len(),
                    _ => {}
                }
            }
            tokio::select! {
                more = requests.read(&mut stream) => if !more { return },
                () = tokio::time::sleep(Duration::from_millis(40)), if next < packets.len() => {
                    if stream.write_all(&packets[next]).await.is_err() { return }
                    next += 1;
                }
            }
        }
    }

    fn answer(&self, asked: &Asked) -> String {
        let head = |status: &str, more: &str| {
            let cseq = asked.header("CSeq").unwrap_or("0");
            format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\nServer: {}\r\n{more}", self.server)
        };
        let path = asked.target().splitn(4, '/').nth(3).unwrap_or_default();
        match asked.method() {
            "OPTIONS" => head("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"),
            _ if self.busy => head("453 Not Enough Bandwidth", "\r\n"),
            _ if !self.lets_in(asked) => {
                let scheme = if self.digest { "Digest nonce=\"8a7b\", " } else { "Basic " };
                head("401 Unauthorized", &format!("WWW-Authenticate: {scheme}realm=\"IP Camera\"\r\n\r\n"))
            }
            "DESCRIBE" if path == self.path || self.any_path => {
                let sdp = self.sdp();
                let more = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
                head("200 OK", &more)
            }
            "SETUP" if self.udp_only && asked.header("Transport").is_some_and(|t| t.contains("/TCP")) => {
                head("461 Unsupported Transport", "\r\n")
            }
            "SETUP" => {
                let transport = asked.header("Transport").unwrap_or_default();
                head("200 OK", &format!("Transport: {transport}\r\nSession: 77;timeout=60\r\n\r\n"))
            }
            "PLAY" | "TEARDOWN" | "GET_PARAMETER" => head("200 OK", "Session: 77\r\n\r\n"),
            _ => head("404 Stream Not Found", "\r\n"),
        }
    }

    fn lets_in(&self, asked: &Asked) -> bool {
        let answers = asked.header("Authorization").is_some_and(|answer| answer.starts_with("Digest "));
        self.login.as_ref().is_none_or(|login| if self.digest { answers } else { asked.has_basic_login(login) })
    }

    pub fn sdp(&self) -> String {
        let (ip, name) = (&self.ip, &self.session_name);
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns={name}\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
             a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=1\r\n"
        )
    }
}

/// The pictures of a real camera, each as the interleaved frames of its RTP packets (RFC 6184, RFC 2326 §10.12).
pub fn packets() -> Vec<Vec<u8>> {
    static PACKETS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(packets_of_file);
    PACKETS.clone()
}

fn packets_of_file() -> Vec<Vec<u8>> {
    let file = include_bytes!("../data/media/camera_h264_1280x720_25fps.h264");
    let starts: Vec<usize> = (0..file.len() - 3).filter(|&i| file[i..].starts_with(&[0, 0, 1])).collect();
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    let mut pictures: Vec<Vec<u8>> = vec![Vec::new()];
    let mut sequence = 0u16;
    for (start, end) in starts.iter().zip(ends) {
        let nal = &file[start + 3..end];
        let nal = &nal[..nal.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1)];
        let ends_picture = matches!(nal[0] & 0x1f, 1 | 5);
        let timestamp = pictures.len() as u32 * 3600;
        let chunks: Vec<Vec<u8>> = if nal.len() <= 1400 {
            vec![nal.to_vec()]
        } else {
            let parts: Vec<&[u8]> = nal[1..].chunks(1400).collect();
            let last = parts.len() - 1;
            let fu = |(n, part): (usize, &&[u8])| {
                let edge = if n == 0 { 0x80 } else { 0 } | if n == last { 0x40 } else { 0 };
                [&[nal[0] & 0xe0 | 28, edge | nal[0] & 0x1f], *part].concat()
            };
            parts.iter().enumerate().map(fu).collect()
        };
        let count = chunks.len();
        for (n, chunk) in chunks.into_iter().enumerate() {
            let marker = if ends_picture && n + 1 == count { 0x80 } else { 0 };
            let rtp =
                [&[0x80, 96 | marker][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, 7], &chunk];
            let rtp = rtp.concat();
            let frame = [&[b'$', 0][..], &(rtp.len() as u16).to_be_bytes(), &rtp].concat();
            sequence = sequence.wrapping_add(1);
            pictures.last_mut().unwrap().extend(frame);
        }
        if ends_picture {
            pictures.push(Vec::new());
        }
    }
    pictures.retain(|p| !p.is_empty());
    pictures
}

/// Serves a text protocol of the HTTP family: `answer` gives the bytes for each request and the connection is closed.
pub fn pages(net: &FakeNet, at: &str, answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) {
    net.answer(at, move |asked| Reply::Last(answer(asked)));
}

/// An HTTP answer of this status, with headers and a body.
pub fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// Serves a text protocol of the RTSP family: `answer` gives the bytes for each request, and none closes the connection.
pub fn talking(net: &FakeNet, at: &str, answer: impl Fn(&Asked) -> Option<Vec<u8>> + Send + Sync + 'static) {
    net.answer(at, move |asked| answer(asked).map_or(Reply::Last(Vec::new()), Reply::Bytes));
}

/// An RTSP answer to a request, with headers and a body.
pub fn rtsp(asked: &Asked, status: &str, headers: &str, body: &str) -> Option<Vec<u8>> {
    let cseq = asked.header("CSeq").unwrap_or("0");
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    Some(format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{headers}{length}\r\n{body}").into_bytes())
}
