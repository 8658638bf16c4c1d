//! How much memory the program takes at most among 64 hosts that send without end, each kind in a run of its own: real
//! sockets on loopback, the program with its defaults and `--snapshots`.
//!
//! Run by hand: `cargo test --profile profiling --test lab -- --ignored memory`. `CAMSCAN_BINARY` names another
//! program to measure.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HOSTS: u8 = 64;
/// What the program may take, KiB.
const MOST: u64 = 200 * 1024;

/// What the hosts do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// An MJPEG picture that never ends.
    Mjpeg,
    /// An RTSP stream whose key frame never ends; it begins before PLAY is answered.
    Rtsp,
    /// A playlist whose segment is of the largest, and every other page of gzip that unpacks to much.
    Hls,
    /// RTMP whose messages never end, on many chunk streams.
    Rtmp,
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
                   a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\n\
                   a=control:trackID=1\r\n";

async fn serve(kind: Kind, mut stream: TcpStream) -> std::io::Result<()> {
    let mut question = vec![0; 8192];
    let zeros = vec![7; 64 * 1024];
    if kind == Kind::Rtmp {
        return rtmp(stream).await;
    }
    loop {
        let length = stream.read(&mut question).await?;
        let text = String::from_utf8_lossy(question.get(..length).unwrap_or_default()).into_owned();
        let mut words = text.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let cseq = text.lines().find_map(|l| l.strip_prefix("CSeq: ")).unwrap_or("1");
        if length == 0 {
            return Ok(());
        }
        match (kind, method, target) {
            (Kind::Rtsp, "OPTIONS", _) => {
                let head =
                    format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nPublic: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
            }
            (Kind::Rtsp, "DESCRIBE", _) => {
                let length = SDP.len();
                let head = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Length: {length}\r\n\r\n{SDP}");
                stream.write_all(head.as_bytes()).await?;
            }
            (Kind::Rtsp, "SETUP", _) => {
                let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1";
                stream.write_all(format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{transport}\r\n\r\n").as_bytes()).await?;
            }
            (Kind::Rtsp, ..) => {
                let answer = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 1\r\n\r\n");
                for sequence in 0u16.. {
                    // FU-A of an IDR slice: the first begins it, none ends it.
                    let fu = if sequence == 0 { [0x7c, 0x85, 0x88, 0x84] } else { [0x7c, 0x05, 1, 1] };
                    let mut packet =
                        [&[0x80, 96][..], &sequence.to_be_bytes(), &[0, 0, 0, 1, 0, 0, 0, 7], &fu].concat();
                    packet.resize(60_000, 9);
                    let length = (packet.len() as u16).to_be_bytes();
                    stream.write_all(&[&[b'$', 0][..], &length, &packet].concat()).await?;
                    if sequence == 200 {
                        stream.write_all(answer.as_bytes()).await?;
                    }
                }
            }
            (Kind::Mjpeg, "GET", "/") => {
                let page = "<img src=/video.mjpg>";
                let head =
                    format!("HTTP/1.1 200 OK\r\nServer: uc-httpd 1.0.0\r\nContent-Length: {}\r\n\r\n", page.len());
                return stream.write_all(format!("{head}{page}").as_bytes()).await;
            }
            (Kind::Mjpeg, "GET", _) => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&[0xff, 0xd8, 0xff, 0xe0]).await?;
                loop {
                    stream.write_all(&zeros).await?;
                }
            }
            (Kind::Hls, "GET", "/") => {
                let page = "<video src=/a.m3u8></video>";
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
                return stream.write_all(format!("{head}{page}").as_bytes()).await;
            }
            (Kind::Hls, "GET", "/a.m3u8") => {
                let list = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\ns.ts\n";
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", list.len());
                return stream.write_all(format!("{head}{list}").as_bytes()).await;
            }
            _ => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n").await?;
                let packet = [&[0x47, 0, 0, 0x10][..], &[7; 184]].concat();
                loop {
                    stream.write_all(&packet.repeat(300)).await?;
                }
            }
        }
    }
}

/// Shakes hands, and begins long messages on one chunk stream after the other.
async fn rtmp(mut stream: TcpStream) -> std::io::Result<()> {
    let mut hello = vec![0; 1537];
    stream.read_exact(&mut hello).await?;
    stream.write_all(&hello).await?;
    stream.write_all(hello.get(1..).unwrap_or_default()).await?;
    // A chunk size of 1 MiB.
    stream.write_all(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 16, 0, 0]).await?;
    let chunk = vec![7; 1 << 20];
    loop {
        for id in 4..60 {
            stream.write_all(&[id, 0, 0, 0, 0x3f, 0xff, 0xff, 9, 1, 0, 0, 0]).await?;
            stream.write_all(&chunk).await?;
        }
    }
}

/// The most memory the program had resident, KiB, and how long it took.
fn measure(port: u16, folder: &std::path::Path) -> (u64, Duration) {
    let binary = std::env::var("CAMSCAN_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_camscan").to_owned());
    let targets = format!("127.91.0.1-127.91.0.{HOSTS}");
    let began = Instant::now();
    let mut child = Command::new(binary)
        .args([
            "scan",
            &targets,
            "--methods",
            "tcp",
            "--no-dns",
            "-a",
            "-q",
            "-f",
            "json",
            "--ports",
            &port.to_string(),
        ])
        .arg("--snapshots")
        .arg(folder)
        .env("HOME", folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(180) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let high = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).map(|l| l.trim().trim_end_matches(" kB"));
        most = most.max(high.and_then(|kib| kib.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    (most, began.elapsed())
}

pub fn among_64_hosts_that_send_without_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut failed = Vec::new();
    for (kind, port) in [(Kind::Mjpeg, 8080), (Kind::Rtsp, 8554), (Kind::Hls, 8888), (Kind::Rtmp, 1935)] {
        runtime.block_on(async {
            for host in 1..=HOSTS {
                let listener = TcpListener::bind((Ipv4Addr::new(127, 91, 0, host), port)).await.unwrap();
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(serve(kind, stream));
                    }
                });
            }
        });
        let (kib, took) = measure(port, folder.path());
        println!("{kind:?}: {} MiB at most, {:.1} s", kib / 1024, took.as_secs_f64());
        if kib > MOST {
            failed.push(kind);
        }
    }
    assert_eq!(failed, []);
}
