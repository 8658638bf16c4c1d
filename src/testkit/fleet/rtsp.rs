//! A camera's RTSP server: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine;
use md5::Md5;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::clip::{Clip, Codec};
use super::rtp::Packetizer;
use super::{Camera, Fault, Login, Mount, Seen};

const NONCE: &str = "7d4b1c0e9a8f4d3eb2c1a0f9e8d7c6b5";

struct Request {
    method: String,
    uri: String,
    headers: HashMap<String, String>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn path(&self) -> &str {
        let after = self.uri.split_once("://").map_or(self.uri.as_str(), |(_, rest)| rest);
        after.find('/').map_or("/", |at| &after[at..])
    }
}

/// Where a medium's packets go.
enum Way {
    Interleaved(u8),
    Udp(UdpSocket),
}

/// Serves one client until it goes away.
pub async fn serve(stream: TcpStream, camera: &Camera, seen: &Seen) -> io::Result<()> {
    if camera.fault == Fault::Silent {
        let mut rest = Vec::new();
        let mut stream = stream;
        stream.read_to_end(&mut rest).await?;
        return Ok(());
    }
    let peer = stream.peer_addr()?;
    let (reader, writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let writer = Arc::new(Mutex::new(writer));
    let mut ways: HashMap<usize, Way> = HashMap::new();
    let mut mount: Option<&Mount> = None;
    let mut media = JoinSet::new();
    while let Some(request) = read_request(&mut reader).await? {
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let wanted = find(camera, request.path());
        let mut answer = Answer::new(camera, &request);
        match request.method.as_str() {
            "OPTIONS" => {
                answer.header("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER");
            }
            _ if wanted.is_none() && camera.fault != Fault::LoginForAnyPath => answer.status = "404 Not Found",
            "TEARDOWN" => {
                seen.torn_down.fetch_add(1, Ordering::SeqCst);
                media.shutdown().await;
            }
            _ if !is_let_in(camera, &request, seen) => {
                answer.status = "401 Unauthorized";
                answer.challenge(camera);
                if camera.fault == Fault::HangsUpAfter401 && request.header("authorization").is_empty() {
                    answer.send(&writer).await?;
                    return Ok(());
                }
            }
            _ if wanted.is_none() => answer.status = "404 Not Found",
            "DESCRIBE" => {
                mount = wanted;
                answer.header("Content-Base", &format!("{}/", request.uri));
                answer.header("Content-Type", "application/sdp");
                answer.body = wanted.map(sdp).unwrap_or_default();
            }
            "SETUP" => {
                mount = mount.or(wanted);
                let track = request.uri.rsplit("trackID=").next().and_then(|n| n.parse().ok()).unwrap_or(0);
                match set_up(camera, request.header("transport"), track, peer.ip()).await {
                    Some((way, transport)) => {
                        ways.insert(track, way);
                        answer.header("Transport", &transport);
                        answer.header("Session", "4D61726B;timeout=60");
                    }
                    None => answer.status = "461 Unsupported Transport",
                }
            }
            "PLAY" => {
                seen.played.fetch_add(1, Ordering::SeqCst);
                if matches!(camera.fault, Fault::HoldsPlay | Fault::HoldsPlayOverUdp) {
                    continue;
                }
                answer.header("Session", "4D61726B");
                answer.header("Range", "npt=now-");
                answer.send(&writer).await?;
                if let Some(mount) = mount.filter(|_| camera.fault != Fault::NoFrames) {
                    start(&mut media, mount, std::mem::take(&mut ways), &writer);
                }
                continue;
            }
            "GET_PARAMETER" => answer.header("Session", "4D61726B"),
            _ => answer.status = "501 Not Implemented",
        }
        answer.send(&writer).await?;
    }
    Ok(())
}

fn find<'c>(camera: &'c Camera, path: &str) -> Option<&'c Mount> {
    let bare = path.split("/trackID=").next().unwrap_or(path).trim_end_matches('/');
    camera
        .mounts
        .iter()
        .find(|m| m.path.trim_end_matches('/') == bare)
        .or_else(|| camera.mounts.first().filter(|_| camera.fault == Fault::AnyPath))
}

async fn set_up(camera: &Camera, asked: &str, track: usize, peer: std::net::IpAddr) -> Option<(Way, String)> {
    let value = |key: &str| asked.split(';').find_map(|part| part.trim().strip_prefix(key)?.strip_prefix('='));
    if asked.contains("/TCP") {
        if matches!(camera.fault, Fault::UdpOnly | Fault::HoldsPlayOverUdp) {
            return None;
        }
        let first = value("interleaved").and_then(|v| v.split('-').next()?.parse().ok()).unwrap_or(track as u8 * 2);
        return Some((Way::Interleaved(first), format!("RTP/AVP/TCP;unicast;interleaved={first}-{}", first + 1)));
    }
    let client: u16 = value("client_port")?.split('-').next()?.parse().ok()?;
    let socket = UdpSocket::bind((camera.ip, 0)).await.ok()?;
    socket.connect((peer, client)).await.ok()?;
    let port = socket.local_addr().ok()?.port();
    let transport = format!("RTP/AVP;unicast;client_port={client}-{};server_port={port}-{}", client + 1, port + 1);
    Some((Way::Udp(socket), transport))
}

fn start(media: &mut JoinSet<()>, mount: &Mount, mut ways: HashMap<usize, Way>, writer: &Arc<Mutex<OwnedWriteHalf>>) {
    let clips = [Some(&mount.clip), mount.audio.as_ref()];
    for (track, clip) in clips.into_iter().enumerate() {
        if let (Some(clip), Some(way)) = (clip, ways.remove(&track)) {
            let (clip, writer) = (clip.clone(), writer.clone());
            media.spawn(async move {
                // The client has gone away.
                let _ = stream(&clip, 96 + track as u8, way, &writer).await;
            });
        }
    }
}

async fn stream(clip: &Clip, payload_type: u8, way: Way, writer: &Mutex<OwnedWriteHalf>) -> io::Result<()> {
    let mut packetizer = Packetizer::new(payload_type_of(clip, payload_type));
    let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / clip.fps));
    for frame in clip.frames.iter().cycle() {
        clock.tick().await;
        for packet in packetizer.packets(clip, frame) {
            match &way {
                Way::Udp(socket) => drop(socket.send(&packet).await?),
                Way::Interleaved(channel) => {
                    let length = (packet.len() as u16).to_be_bytes();
                    let framed = [&[b'$', *channel, length[0], length[1]], &packet[..]].concat();
                    writer.lock().await.write_all(&framed).await?;
                }
            }
        }
    }
    Ok(())
}

fn payload_type_of(clip: &Clip, dynamic: u8) -> u8 {
    match clip.codec {
        Codec::Mjpeg => 26,
        Codec::Pcmu => 0,
        _ => dynamic,
    }
}

fn sdp(mount: &Mount) -> String {
    let mut text =
        String::from("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=Live\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n");
    for (track, clip) in [Some(&mount.clip), mount.audio.as_ref()].into_iter().flatten().enumerate() {
        text.push_str(&media(clip, track));
    }
    text
}

fn media(clip: &Clip, track: usize) -> String {
    let base64 =
        |n: usize| clip.parameter_sets.get(n).map(|s| base64::prelude::BASE64_STANDARD.encode(s)).unwrap_or_default();
    let pt = payload_type_of(clip, 96 + track as u8);
    let lines = match clip.codec {
        Codec::H264 => {
            let sps = &clip.parameter_sets[0];
            let level = format!("{:02X}{:02X}{:02X}", sps[1], sps[2], sps[3]);
            format!(
                "a=rtpmap:{pt} H264/90000\r\na=fmtp:{pt} packetization-mode=1;profile-level-id={level};sprop-parameter-sets={},{}\r\n",
                base64(0),
                base64(1)
            )
        }
        Codec::H265 => format!(
            "a=rtpmap:{pt} H265/90000\r\na=fmtp:{pt} sprop-vps={}; sprop-sps={}; sprop-pps={}\r\n",
            base64(0),
            base64(1),
            base64(2)
        ),
        Codec::Mjpeg => "a=rtpmap:26 JPEG/90000\r\n".to_owned(),
        Codec::Aac => format!(
            "a=rtpmap:{pt} MPEG4-GENERIC/{}/1\r\na=fmtp:{pt} streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config={}\r\n",
            clip.clock_rate,
            aac_config(clip.clock_rate)
        ),
        Codec::Pcmu => "a=rtpmap:0 PCMU/8000\r\n".to_owned(),
    };
    let kind = if matches!(clip.codec, Codec::Aac | Codec::Pcmu) { "audio" } else { "video" };
    let rate = if kind == "video" { format!("a=framerate:{}\r\n", clip.fps) } else { String::new() };
    format!("m={kind} 0 RTP/AVP {pt}\r\n{lines}{rate}a=control:trackID={track}\r\n")
}

fn aac_config(rate: u32) -> String {
    const RATES: [u32; 12] = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000];
    let index = RATES.iter().position(|r| *r == rate).unwrap_or(8) as u16;
    format!("{:04X}", (2u16 << 11) | (index << 7) | (1 << 3))
}

fn is_let_in(camera: &Camera, request: &Request, seen: &Seen) -> bool {
    let given = request.header("authorization");
    let (user, password) = &camera.user;
    let right = match camera.login {
        Login::Open => return true,
        _ if given.is_empty() => return false,
        Login::Basic => {
            let token = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
            given.strip_prefix("Basic ").is_some_and(|t| t.trim() == token)
        }
        Login::Digest => {
            digest(given, &request.method, &camera.realm, user, password, |t| format!("{:x}", Md5::digest(t)))
        }
        Login::DigestSha256 => {
            digest(given, &request.method, &camera.realm, user, password, |t| format!("{:x}", Sha256::digest(t)))
        }
    };
    if !right {
        seen.refused.fetch_add(1, Ordering::SeqCst);
    }
    right
}

fn digest(given: &str, method: &str, realm: &str, user: &str, password: &str, hash: impl Fn(String) -> String) -> bool {
    let field = |name: &str| {
        let start = given.find(&format!("{name}=\""))? + name.len() + 2;
        given[start..].split('"').next()
    };
    let (Some(uri), Some(response)) = (field("uri"), field("response")) else { return false };
    if field("nonce") != Some(NONCE) || field("username") != Some(user) {
        return false;
    }
    let ha1 = hash(format!("{user}:{realm}:{password}"));
    let ha2 = hash(format!("{method}:{uri}"));
    response == hash(format!("{ha1}:{NONCE}:{ha2}"))
}

struct Answer {
    status: &'static str,
    headers: String,
    body: String,
}

impl Answer {
    fn new(camera: &Camera, request: &Request) -> Self {
        let mut answer = Answer { status: "200 OK", headers: String::new(), body: String::new() };
        answer.header("CSeq", request.header("cseq"));
        if let Some(server) = &camera.server {
            answer.header("Server", server);
        }
        answer
    }

    fn header(&mut self, name: &str, value: &str) {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
    }

    fn challenge(&mut self, camera: &Camera) {
        let realm = &camera.realm;
        match camera.login {
            Login::Open => {}
            Login::Basic => self.header("WWW-Authenticate", &format!("Basic realm=\"{realm}\"")),
            Login::Digest => self.header("WWW-Authenticate", &format!("Digest realm=\"{realm}\", nonce=\"{NONCE}\"")),
            Login::DigestSha256 => {
                self.header(
                    "WWW-Authenticate",
                    &format!("Digest realm=\"{realm}\", nonce=\"{NONCE}\", algorithm=\"SHA-256\""),
                );
            }
        }
    }

    async fn send(self, writer: &Mutex<OwnedWriteHalf>) -> io::Result<()> {
        let Answer { status, headers, body } = self;
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let text = format!("RTSP/1.0 {status}\r\n{headers}{length}\r\n{body}");
        writer.lock().await.write_all(text.as_bytes()).await
    }
}

async fn read_request(reader: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<Request>> {
    loop {
        match reader.fill_buf().await?.first() {
            None => return Ok(None),
            // The client's RTCP reports.
            Some(b'$') => {
                let mut head = [0; 4];
                reader.read_exact(&mut head).await?;
                let mut packet = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
                reader.read_exact(&mut packet).await?;
            }
            Some(b'\r' | b'\n') => reader.consume(1),
            Some(_) => break,
        }
    }
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines[0].split(' ');
    let (method, uri) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let headers = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Some(Request { method, uri, headers }))
}
