//! A network full of simulated cameras, for measuring and for tests: every `step`th address from `first` answers ARP with a
//! MAC address of its own maker, RTSP on port 554 and a web page on port 80; where `first` has a `!` before it, the hosts
//! are hostile instead, in turn: they take connections and stay silent, write without end, or write a byte a second. It is
//! meant for a network namespace of its own, to which the addresses are routed.

#![expect(clippy::disallowed_methods, reason = "the cameras' sockets are not the scanner's")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a simulator takes its arguments as they are; it never meets a network but that of its namespace"
)]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::fleet::clip::Clip;
use super::fleet::{self, Camera, Seen};
use crate::net::link::LinkKind;
use crate::net::{Link, Links, RealNet};

/// Clients that may wait to be taken.
const BACKLOG: u32 = 4096;

/// What cameras of one maker look like.
struct Maker {
    oui: [u8; 3],
    paths: &'static [&'static str],
    title: &'static str,
    server: &'static str,
    /// Whether the web server refuses what is no request at its first byte (lighttpd 1.4.69, busybox 1.35, nginx) or
    /// waits for the blank line that ends one (mini_httpd 1.30): who tries TLS there first is kept waiting.
    refuses_at_once: bool,
}

const MAKERS: [Maker; 4] = [
    Maker {
        oui: [0x44, 0x19, 0xb6],
        paths: &["/Streaming/Channels/101", "/Streaming/Channels/102"],
        title: "index",
        server: "App-webs/",
        refuses_at_once: true,
    },
    Maker {
        oui: [0x3c, 0xef, 0x8c],
        paths: &["/cam/realmonitor?channel=1&subtype=0", "/cam/realmonitor?channel=1&subtype=1"],
        title: "WEB SERVICE",
        server: "Dahua HTTP",
        refuses_at_once: false,
    },
    Maker {
        oui: [0x00, 0x40, 0x8c],
        paths: &["/axis-media/media.amp"],
        title: "AXIS",
        server: "Apache",
        refuses_at_once: true,
    },
    Maker {
        oui: [0xec, 0x71, 0xdb],
        paths: &["/h264Preview_01_main", "/h264Preview_01_sub"],
        title: "Reolink",
        server: "mini_httpd",
        refuses_at_once: false,
    },
];

/// What a hostile host does with who connects.
#[derive(Debug, Clone, Copy)]
enum Hostility {
    /// Nothing.
    Tarpit,
    /// Writes without end.
    Flood,
    /// Writes a byte a second.
    Drip,
}

const HOSTILITIES: [Hostility; 3] = [Hostility::Tarpit, Hostility::Flood, Hostility::Drip];

/// A host: the number of its maker, or what it does.
#[derive(Debug, Clone, Copy)]
enum Host {
    Camera(usize),
    Hostile(Hostility),
}

/// The hosts by their addresses.
type Population = HashMap<Ipv4Addr, Host>;

/// Answers for the cameras of the ranges, each of which is a first address, how many, and the step from one to the next.
/// `ready` is called with the number of hosts when all of them answer; it never returns.
pub async fn serve(interface: &str, ranges: &[String], ready: impl FnOnce(usize)) {
    let population: Arc<Population> = Arc::new(ranges.chunks(3).flat_map(addresses).collect());
    // A key frame a second.
    let clip = Arc::new(Clip::h264(include_bytes!("../../tests/data/media/camera_h264_1280x720_25fps.h264"), 25.0));
    let cameras: Arc<Vec<Camera>> = Arc::new(MAKERS.iter().map(|maker| camera(maker, &clip)).collect());
    let link = open(interface);
    let (rtsp, http) = (listen(554), listen(80));
    let (there, here) = (population.clone(), population.clone());
    ready(population.len());
    tokio::join!(
        answer_arp(&*link, &population),
        accept(rtsp, move |stream| {
            let (cameras, host) = (cameras.clone(), host_of(&there, &stream));
            tokio::spawn(async move {
                // A client that goes away ends its session and nothing else.
                let _ = match host {
                    Host::Camera(maker) => fleet::rtsp::serve(stream, &cameras[maker], &Seen::default()).await,
                    Host::Hostile(how) => torment(stream, how).await,
                };
            });
        }),
        accept(http, move |stream| {
            let host = host_of(&here, &stream);
            tokio::spawn(async move {
                let _ = match host {
                    Host::Camera(maker) => serve_page(stream, &MAKERS[maker]).await,
                    Host::Hostile(how) => torment(stream, how).await,
                };
            });
        }),
    );
}

fn addresses(range: &[String]) -> Vec<(Ipv4Addr, Host)> {
    let is_hostile = range[0].starts_with('!');
    let first = u32::from(range[0].trim_start_matches('!').parse::<Ipv4Addr>().unwrap());
    let (count, step): (u32, u32) = (range[1].parse().unwrap(), range[2].parse().unwrap());
    let host = |n: usize| match is_hostile {
        true => Host::Hostile(HOSTILITIES[n % HOSTILITIES.len()]),
        false => Host::Camera(n % MAKERS.len()),
    };
    (0..count).map(|n| (Ipv4Addr::from(first + n * step), host(n as usize))).collect()
}

/// Keeps a client for as long as it stays.
async fn torment(mut stream: TcpStream, how: Hostility) -> std::io::Result<()> {
    let mut heard = [0; 4096];
    loop {
        match how {
            Hostility::Tarpit => {
                if stream.read(&mut heard).await? == 0 {
                    return Ok(());
                }
            }
            Hostility::Flood => stream.write_all(&[b'a'; 4096]).await?,
            Hostility::Drip => {
                stream.write_all(b"a").await?;
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }
}

fn camera(maker: &Maker, clip: &Arc<Clip>) -> Camera {
    let any = Camera::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 554);
    maker.paths.iter().fold(any, |camera, path| camera.stream(path, clip, None))
}

fn host_of(population: &Population, stream: &TcpStream) -> Host {
    let host = match stream.local_addr() {
        Ok(SocketAddr::V4(here)) => population.get(here.ip()).copied(),
        _ => None,
    };
    host.unwrap_or(Host::Camera(0))
}

fn listen(port: u16) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind((Ipv4Addr::UNSPECIFIED, port).into()).unwrap();
    socket.listen(BACKLOG).unwrap()
}

async fn accept(listener: TcpListener, serve: impl Fn(TcpStream)) {
    loop {
        // A client may be gone before it is taken.
        if let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            serve(stream);
        }
    }
}

async fn serve_page(mut stream: TcpStream, maker: &Maker) -> std::io::Result<()> {
    let mut asked: Vec<u8> = Vec::new();
    while !asked.windows(4).any(|w| w == b"\r\n\r\n") {
        if maker.refuses_at_once && asked.first().is_some_and(|first| !first.is_ascii_uppercase()) {
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        }
        if asked.len() > 16 * 1024 || stream.read_buf(&mut asked).await? == 0 {
            return Ok(());
        }
    }
    let is_root = asked.starts_with(b"GET / ");
    let status = if is_root { "200 OK" } else { "404 Not Found" };
    let page = format!("<html><head><title>{}</title></head><body></body></html>", maker.title);
    let body = if is_root { page.as_str() } else { "" };
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: {}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        maker.server,
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}

fn open(interface: &str) -> Box<dyn Link> {
    let net = RealNet::new();
    let interface = net.interfaces().unwrap().into_iter().find(|i| i.name == interface).unwrap();
    net.link(&interface, LinkKind::Arp).unwrap()
}

/// Answers ARP for the cameras, each with its own MAC address.
async fn answer_arp(link: &dyn Link, population: &Population) {
    let mut replies: Vec<[u8; 42]> = Vec::new();
    loop {
        link.receive(&mut |frame| replies.extend(reply_to(frame, population))).await.unwrap();
        while !replies.is_empty() {
            let frames: Vec<&[u8]> = replies.iter().map(<[u8; 42]>::as_slice).collect();
            let sent = link.send(&frames).unwrap_or(0);
            replies.drain(..sent);
            tokio::task::yield_now().await;
        }
    }
}

/// The answer to an ARP request (RFC 826) for one of the cameras.
fn reply_to(frame: &[u8], population: &Population) -> Option<[u8; 42]> {
    let mut reply: [u8; 42] = frame.get(..42)?.try_into().unwrap();
    let ip: [u8; 4] = frame[38..42].try_into().unwrap();
    let host = *population.get(&Ipv4Addr::from(ip)).filter(|_| frame[20..22] == [0, 1])?;
    let oui = match host {
        Host::Camera(maker) => MAKERS[maker].oui,
        // Locally administered: nobody's.
        Host::Hostile(_) => [0x02, 0, 0],
    };
    let mac = [oui[0], oui[1], oui[2], ip[1], ip[2], ip[3]];
    reply[..6].copy_from_slice(&frame[6..12]);
    reply[6..12].copy_from_slice(&mac);
    reply[21] = 2;
    reply[22..28].copy_from_slice(&mac);
    reply[28..32].copy_from_slice(&ip);
    reply[32..42].copy_from_slice(&frame[22..32]);
    Some(reply)
}
