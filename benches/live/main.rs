//! Live view under load: one simulated camera of 4 Mbit/s, many viewers by WebRTC over the loopback, each of them a whole
//! client that decrypts what comes. Prints what the thread of the engine takes, memory, and what was lost on the way.
//!
//! ```sh
//! cargo bench --bench live -- --viewers 100 --seconds 10 [--streams 10] [--tcp]
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark on the loopback; its clients are no part of the program"
)]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use camscan::live::engine::Ports;
use camscan::live::engine::limits::Patience;
use camscan::live::guest::Guest;
use camscan::live::manager::{Config, Live};
use camscan::live::source::StreamSource;
use camscan::model::Transport;
use camscan::net::RealNet;
use camscan::probe::Logins;
use camscan::protocol::webrtc::receiver::{Carried, Happened, Receiver};
use camscan::testkit::fleet::clip::{Clip, Codec};
use camscan::testkit::fleet::{Camera, Fleet};
use camscan::wire::url::Endpoint;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FPS: f64 = 25.0;
/// Two seconds from key frame to key frame.
const GROUP: usize = 50;

/// Pictures that are none, of the sizes of a 4 Mbit/s stream.
fn clip() -> Arc<Clip> {
    let sets = vec![vec![0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8, 0x40], vec![0x68, 0xce, 0x38, 0x80]];
    // Bytes in which no start code can be.
    let picture = |head: u8, length: usize| [vec![head, 0x88], vec![0x5a; length]].concat();
    let frame = |n: usize| match n {
        0 => vec![sets[0].clone(), sets[1].clone(), picture(0x65, 100_000)],
        _ => vec![picture(0x41, 18_800)],
    };
    let frames = (0..GROUP).map(frame).collect();
    Arc::new(Clip { codec: Codec::H264, fps: FPS, clock_rate: 90_000, frames, parameter_sets: sets })
}

/// What one client got.
#[derive(Default)]
struct Got {
    connected: Option<Duration>,
    first_frame: Option<Duration>,
    packets: u64,
    first: Option<u64>,
    last: u64,
    /// When the last packet of each frame came.
    whole: HashMap<u32, Instant>,
}

struct Client {
    socket: UdpSocket,
    local: SocketAddr,
    receiver: Receiver,
    began: Instant,
    due: Instant,
    got: Got,
}

impl Client {
    fn drain(&mut self) {
        loop {
            match self.receiver.poll() {
                Happened::Send(sent) => drop(self.socket.send_to(&sent.contents, sent.to)),
                Happened::Connected => self.got.connected = Some(self.began.elapsed()),
                Happened::Packet(packet) if matches!(packet.carried, Carried::Video(_)) => {
                    self.got.packets += 1;
                    self.got.first.get_or_insert(packet.sequence);
                    self.got.last = self.got.last.max(packet.sequence);
                    if packet.marker {
                        self.got.first_frame.get_or_insert(self.began.elapsed());
                        self.got.whole.insert(packet.timestamp, Instant::now());
                    }
                }
                Happened::Packet(_) => {}
                Happened::Wait(at) => return self.due = at,
                Happened::Ended | Happened::Broke(_) => return self.due = Instant::now() + Duration::from_secs(3600),
            }
        }
    }

    fn turn(&mut self, buffer: &mut [u8]) -> bool {
        let mut busy = false;
        for _ in 0..64 {
            let Ok((length, from)) = self.socket.recv_from(buffer) else { break };
            busy = true;
            self.receiver.receive(false, from, self.local, &buffer[..length], Instant::now());
            self.drain();
        }
        if Instant::now() >= self.due {
            self.receiver.tick(Instant::now());
            self.drain();
        }
        busy
    }
}

fn argument(name: &str, usual: usize) -> usize {
    let mut all = std::env::args().skip_while(|argument| argument != name);
    all.nth(1).and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// Processor time of the thread of that name, and memory of the process in bytes.
fn usage(thread: &str) -> (Duration, u64) {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let mut cpu = Duration::ZERO;
    for task in tasks.flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").trim() == thread {
            let nanos = read("schedstat").split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
            cpu = Duration::from_nanos(nanos);
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    (cpu, kib * 1024)
}

fn main() {
    let (viewers, seconds, streams) = (argument("--viewers", 100), argument("--seconds", 10), argument("--streams", 1));
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let stop = Arc::new(AtomicBool::new(false));
    // The cameras: a thread of their own.
    let (told, cameras) = std::sync::mpsc::channel();
    let until = stop.clone();
    let fleet = std::thread::Builder::new().name("cameras".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clip = clip();
            let all = (0..streams).map(|_| Camera::new(LOCAL, 0).stream("/live", &clip, None)).collect();
            let fleet = Fleet::start(all).await.unwrap();
            told.send(fleet.cameras.iter().map(|camera| camera.rtsp.port()).collect::<Vec<u16>>()).unwrap();
            while !until.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    });
    let ports = cameras.recv().unwrap();
    // Live view: its sources and its engine in one thread, whose time is measured.
    let (told, lives) = std::sync::mpsc::channel();
    let until = stop.clone();
    let engine = std::thread::Builder::new().name("engine".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ports_of_viewers = Ports { bind: vec![LOCAL], port: 0, tcp: false, forwarded: Vec::new() };
            let live = Live::new(
                Config { ports: ports_of_viewers, patience: Patience::default(), stills: false },
                RealNet::new(),
            )
            .unwrap();
            let source = |(number, port): (usize, &u16)| StreamSource {
                id: number.to_string(),
                ip: LOCAL,
                url: Endpoint::plain(*port).rtsp("/live"),
                transport: Transport::Tcp,
                logins: Logins::new(0),
                always_on: true,
                siblings: Vec::new(),
                declared: None,
                login: None,
            };
            live.set_streams(ports.iter().enumerate().map(source).collect());
            told.send(live.clone()).unwrap();
            while !until.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            live.stop().await;
        });
    });
    let live = lives.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (before, bare) = usage("engine");
    let mut clients = Vec::new();
    let asked = Instant::now();
    for number in 0..viewers {
        let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        // One thread reads for all of them: what waits must not be lost for it.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        let local = socket.local_addr().unwrap();
        let began = Instant::now();
        let (mut receiver, offer) = Receiver::offer(local, false, began).unwrap();
        let id = (number % streams).to_string();
        let answer = loop {
            match runtime.block_on(live.offer(&id, &offer, None, Some(LOCAL), Guest::lasting("viewer"))) {
                Ok(answer) => break answer,
                // Half open are 64 at most: those before it connect meanwhile.
                Err(refusal) if refusal.retry_after().is_some() => pump(&mut clients),
                Err(refusal) => {
                    println!("not let in: {refusal}");
                    std::process::exit(1);
                }
            }
        };
        receiver.accept(&answer.sdp, LOCAL).unwrap();
        clients.push(Client { socket, local, receiver, began, due: began, got: Got::default() });
        pump(&mut clients);
    }
    let connecting = |clients: &[Client]| clients.iter().filter(|client| client.got.first_frame.is_none()).count();
    while connecting(&clients) > 0 && asked.elapsed() < Duration::from_secs(60) {
        pump(&mut clients);
    }
    println!(
        "{viewers} viewers of {streams} streams, {} not connected, after {:.1} s",
        connecting(&clients),
        asked.elapsed().as_secs_f64()
    );
    // Whose client did not answer in time, on a machine that is too busy for so many, was forgotten: no fault of the rest.
    let so_far = live.figures();
    println!(
        "the engine knew {} connected, forgot {} that did not connect in time and {} that fell silent",
        so_far.connected, so_far.never_connected, so_far.lost
    );
    let connected = usage("engine").0;
    println!("connecting took the engine {:.2} ms each", (connected - before).as_secs_f64() * 1e3 / viewers as f64);
    for client in &mut clients {
        client.got = Got { first_frame: client.got.first_frame, ..Got::default() };
    }
    let figures_before = live.figures();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds as u64) {
        pump(&mut clients);
    }
    let lasted = began.elapsed();
    let (after, full) = usage("engine");
    let figures = live.figures();
    report(&clients, lasted, after - connected, &figures, &figures_before);
    println!("memory of the whole process: {} MiB, of which {} MiB were there without viewers", full >> 20, bare >> 20);
    // Half of them vanish without a word; the others say goodbye.
    let half = clients.len() / 2;
    clients.truncate(half);
    clients.iter_mut().for_each(|client| {
        client.receiver.close();
        client.drain();
    });
    drop(clients);
    let gone = Instant::now();
    while live.figures().viewers > 0 && gone.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let figures = live.figures();
    println!(
        "half said goodbye and half vanished: {} viewers and {} routes are left after {:.1} s; {} MiB",
        figures.viewers,
        figures.routes,
        gone.elapsed().as_secs_f64(),
        usage("engine").1 >> 20
    );
    stop.store(true, Ordering::Relaxed);
    engine.unwrap().join().unwrap();
    fleet.unwrap().join().unwrap();
}

/// One turn for all clients.
fn pump(clients: &mut [Client]) {
    let mut buffer = [0; 2048];
    let mut busy = false;
    for client in clients.iter_mut() {
        busy |= client.turn(&mut buffer);
    }
    if !busy {
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn report(
    clients: &[Client],
    lasted: Duration,
    cpu: Duration,
    now: &camscan::live::engine::EngineFigures,
    before: &camscan::live::engine::EngineFigures,
) {
    let packets: u64 = clients.iter().map(|client| client.got.packets).sum();
    let expected: u64 = clients.iter().map(|c| c.got.first.map_or(0, |first| c.got.last - first + 1)).sum();
    let seconds = lasted.as_secs_f64();
    println!("the engine's thread, with its source: {:.1} % of a core", cpu.as_secs_f64() / seconds * 100.0);
    println!("{:.0} packets/s, {} of {expected} lost", packets as f64 / seconds, expected - packets);
    let sends = (now.sends - before.sends) as f64 / seconds;
    println!(
        "{sends:.0} system calls/s, {} datagrams a call at most; not sent: {}; lag p99 {} us",
        now.segments,
        now.unsent - before.unsent,
        now.lag_p99_us
    );
    let mut times: HashMap<u32, (Instant, Instant, usize)> = HashMap::new();
    for (timestamp, at) in clients.iter().flat_map(|client| &client.got.whole) {
        let entry = times.entry(*timestamp).or_insert((*at, *at, 0));
        *entry = (entry.0.min(*at), entry.1.max(*at), entry.2 + 1);
    }
    let mut spreads: Vec<Duration> = times.values().filter(|t| t.2 > 1).map(|t| t.1 - t.0).collect();
    spreads.sort_unstable();
    let worst = spreads.last().copied().unwrap_or_default();
    let median = spreads.get(spreads.len() / 2).copied().unwrap_or_default();
    println!(
        "a frame is whole with the last viewer {:.1} ms after the first (median), {:.1} ms at worst",
        median.as_secs_f64() * 1e3,
        worst.as_secs_f64() * 1e3
    );
    let mut first: Vec<Duration> = clients.iter().filter_map(|client| client.got.first_frame).collect();
    first.sort_unstable();
    if let (Some(median), Some(last)) = (first.get(first.len() / 2), first.last()) {
        println!("first frame after the offer: {} ms (median), {} ms at worst", median.as_millis(), last.as_millis());
    }
}
