//! A local network in memory for tests: hosts that answer ARP, ports that do what a script says to connects and to SYN
//! frames, and a kernel whose neighbour table is small.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::link::{LinkKind, OwnPort};
use super::{BoxStream, Datagram, Datagrams, Interface, Link, Links, Names, Neighbour, Streams, UdpBind};
use crate::model::MacAddr;

/// What a port does about a connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Takes it after a round trip.
    Open(Duration),
    /// Refuses it at once.
    Refused,
    /// Says nothing.
    Silent,
    /// A router says that the host cannot be reached.
    Unreachable,
}

type Script = Box<dyn Fn(SocketAddr, usize) -> Port + Send + Sync>;

/// The network.
pub struct FakeLan {
    /// Who answers ARP with what.
    pub hosts: HashMap<Ipv4Addr, MacAddr>,
    /// Answers for every address besides.
    pub proxy: Option<MacAddr>,
    /// So many requests to each address get lost before one arrives.
    pub lost: usize,
    /// The hosts answer so many requests a second together; of those that come faster, so many wait, and the rest is lost.
    pub queue: Option<(u32, u32)>,
    /// Whether raw frames may be sent; without, there is the kernel's table.
    pub raw: bool,
    /// Rows the kernel's table holds; 0 means there is no table.
    pub room: usize,
    /// What ports do; the second argument is how often the endpoint has been tried before, one way or the other.
    pub ports: Script,
    /// What has happened so far.
    pub state: Mutex<State>,
}

/// What has happened on the network.
#[derive(Default)]
pub struct State {
    asked: HashMap<Ipv4Addr, usize>,
    connects: Vec<SocketAddr>,
    syns: Vec<SocketAddr>,
    table: HashMap<Ipv4Addr, Instant>,
    most_open: usize,
    /// When each raw frame was sent, if there is a queue.
    sent_at: Vec<Instant>,
    /// How many wait in the queue, and when that was.
    waiting: Option<(f64, Instant)>,
}

/// The kernel gives an address up after so long …
const GIVEN_UP: Duration = Duration::from_secs(3);
/// … and may forget a living neighbour after so long.
const FORGOTTEN: Duration = Duration::from_secs(30);

impl State {
    /// Whether a request that comes now is answered.
    fn has_room(&mut self, queue: Option<(u32, u32)>) -> bool {
        let Some((per_second, room)) = queue else { return true };
        let now = Instant::now();
        self.sent_at.push(now);
        let (waiting, since) = self.waiting.unwrap_or((0.0, now));
        let left = (waiting - (now - since).as_secs_f64() * f64::from(per_second)).max(0.0);
        let is_taken = left < f64::from(room);
        self.waiting = Some((if is_taken { left + 1.0 } else { left }, now));
        is_taken
    }
}

impl Default for FakeLan {
    fn default() -> Self {
        FakeLan {
            hosts: HashMap::new(),
            proxy: None,
            lost: 0,
            queue: None,
            raw: true,
            room: 1024,
            ports: Box::new(|_, _| Port::Silent),
            state: Mutex::default(),
        }
    }
}

impl FakeLan {
    /// A MAC address for an IP address.
    pub fn mac(ip: Ipv4Addr) -> MacAddr {
        let [a, b, c, d] = ip.octets();
        MacAddr([2, 0xaa, a, b, c, d])
    }

    /// A network with these hosts, each with a MAC of its own.
    pub fn with(hosts: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        FakeLan { hosts: hosts.into_iter().map(|ip| (ip, FakeLan::mac(ip))).collect(), ..FakeLan::default() }
    }

    /// How often each address was asked for by a raw frame.
    pub fn asked(&self) -> HashMap<Ipv4Addr, usize> {
        self.state.lock().unwrap().asked.clone()
    }

    /// The most requests by raw frames within any such time, where there is a queue.
    pub fn most_within(&self, time: Duration) -> usize {
        let sent = &self.state.lock().unwrap().sent_at;
        let from =
            |start: &Instant| sent.partition_point(|at| *at < *start + time) - sent.partition_point(|at| at < start);
        sent.iter().step_by(16).map(from).max().unwrap_or(0)
    }

    /// All connects, in their order.
    pub fn connects(&self) -> Vec<SocketAddr> {
        self.state.lock().unwrap().connects.clone()
    }

    /// All endpoints asked by a SYN frame, in their order.
    pub fn syns(&self) -> Vec<SocketAddr> {
        self.state.lock().unwrap().syns.clone()
    }

    /// What a port does about being tried; `note` says which list to put the try in.
    fn attempt(&self, to: SocketAddr, note: fn(&mut State) -> &mut Vec<SocketAddr>) -> Port {
        let mut state = self.state.lock().unwrap();
        let before = state.connects.iter().chain(&state.syns).filter(|tried| **tried == to).count();
        note(&mut state).push(to);
        drop(state);
        (self.ports)(to, before)
    }

    /// The most unanswered questions the kernel had open at once.
    pub fn most_open(&self) -> usize {
        self.state.lock().unwrap().most_open
    }

    fn owner(&self, ip: Ipv4Addr) -> Option<MacAddr> {
        self.hosts.get(&ip).copied().or(self.proxy)
    }
}

impl Streams for Arc<FakeLan> {
    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        let port = self.attempt(to, |state| &mut state.connects);
        async move {
            match port {
                Port::Open(round_trip) => {
                    sleep(round_trip).await;
                    Ok(Box::new(tokio::io::duplex(64).0) as BoxStream)
                }
                Port::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
                Port::Silent => futures::future::pending().await,
                Port::Unreachable => Err(io::ErrorKind::HostUnreachable.into()),
            }
        }
        .boxed()
    }
}

impl Datagrams for Arc<FakeLan> {
    fn udp(&self, _: &UdpBind) -> io::Result<Box<dyn Datagram>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn icmp(&self, _: bool) -> io::Result<Box<dyn Datagram>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

impl Links for Arc<FakeLan> {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        Ok(Vec::new())
    }

    fn link(&self, _: &Interface, kind: LinkKind) -> io::Result<Box<dyn Link>> {
        if !self.raw {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (reply, replies) = mpsc::unbounded_channel();
        Ok(Box::new(FakeLink { lan: self.clone(), kind, reply, replies: tokio::sync::Mutex::new(replies) }))
    }

    fn own_port(&self) -> io::Result<OwnPort> {
        Ok(OwnPort { number: 40_000, _socket: None })
    }

    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>> {
        async move {
            if self.room == 0 {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let state = self.state.lock().unwrap();
            let rows = state.table.keys().filter_map(|ip| {
                let mac = self.owner(*ip)?;
                Some(Neighbour { ip: IpAddr::V4(*ip), mac, interface: 2, confirmed: true })
            });
            Ok(rows.collect())
        }
        .boxed()
    }

    fn nudge(&self, to: &[IpAddr]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut state = self.state.lock().unwrap();
        let is_kept = |ip: &Ipv4Addr, since: &mut Instant| {
            since.elapsed() < if self.owner(*ip).is_some() { FORGOTTEN } else { GIVEN_UP }
        };
        state.table.retain(is_kept);
        let mut taken = 0;
        for ip in to.iter().filter_map(|ip| if let IpAddr::V4(v4) = ip { Some(v4) } else { None }) {
            if state.table.len() >= self.room && !state.table.contains_key(ip) {
                break;
            }
            state.table.insert(*ip, Instant::now());
            taken += 1;
        }
        let open = state.table.keys().filter(|ip| self.owner(**ip).is_none()).count();
        state.most_open = state.most_open.max(open);
        // ENOBUFS
        if taken == 0 { Err(io::Error::from_raw_os_error(105)) } else { Ok(taken) }
    }

    fn forget(&self, neighbour: &Neighbour) -> io::Result<()> {
        if let IpAddr::V4(ip) = neighbour.ip {
            self.state.lock().unwrap().table.remove(&ip);
        }
        Ok(())
    }

    fn note_zone(&self, _: IpAddr, _: u32) {}
}

impl Names for Arc<FakeLan> {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        async { Err(io::ErrorKind::NotFound.into()) }.boxed()
    }

    fn reverse(&self, _: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>> {
        async { Ok(None) }.boxed()
    }
}

struct FakeLink {
    lan: Arc<FakeLan>,
    kind: LinkKind,
    reply: mpsc::UnboundedSender<Vec<u8>>,
    replies: tokio::sync::Mutex<mpsc::UnboundedReceiver<Vec<u8>>>,
}

impl FakeLink {
    fn answer_arp(&self, frame: &[u8]) {
        let target = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[38..42]).unwrap());
        let mut state = self.lan.state.lock().unwrap();
        let asked = state.asked.entry(target).or_default();
        *asked += 1;
        if *asked <= self.lan.lost || !state.has_room(self.lan.queue) {
            return;
        }
        for mac in [self.lan.hosts.get(&target).copied(), self.lan.proxy].into_iter().flatten() {
            let mut reply = frame.to_vec();
            reply[21] = 2;
            reply[22..28].copy_from_slice(&mac.0);
            reply[28..32].copy_from_slice(&target.octets());
            self.reply.send(reply).unwrap();
            // Nobody asked for this one.
            let mut unasked = frame.to_vec();
            unasked[22..28].copy_from_slice(&mac.0);
            unasked[28..32].copy_from_slice(&[203, 0, 113, 77]);
            self.reply.send(unasked).unwrap();
        }
    }

    fn answer_syn(&self, frame: &[u8]) {
        let ip = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[30..34]).unwrap());
        if self.lan.owner(ip).is_none_or(|mac| mac.0 != frame[..6]) {
            return;
        }
        let to = SocketAddr::from((ip, u16::from_be_bytes([frame[36], frame[37]])));
        let (delay, flags) = match self.lan.attempt(to, |state| &mut state.syns) {
            Port::Open(round_trip) => (round_trip, 0x12),
            Port::Refused => (Duration::ZERO, 0x14),
            Port::Silent | Port::Unreachable => return,
        };
        let mut answer = frame.to_vec();
        for (a, b, len) in [(0, 6, 6), (26, 30, 4), (34, 36, 2)] {
            answer[a..a + len].copy_from_slice(&frame[b..b + len]);
            answer[b..b + len].copy_from_slice(&frame[a..a + len]);
        }
        let sequence = u32::from_be_bytes(<[u8; 4]>::try_from(&frame[38..42]).unwrap());
        // Somebody who has not seen the question guesses at an open port.
        let mut forged = answer.clone();
        forged[42..46].copy_from_slice(&sequence.wrapping_add(2).to_be_bytes());
        forged[47] = 0x12;
        self.reply.send(forged).unwrap();
        answer[42..46].copy_from_slice(&sequence.wrapping_add(1).to_be_bytes());
        answer[47] = flags;
        let reply = self.reply.clone();
        tokio::spawn(async move {
            sleep(delay).await;
            // Nobody may listen any more.
            let _ = reply.send(answer);
        });
    }
}

impl Link for FakeLink {
    fn send(&self, frames: &[&[u8]]) -> io::Result<usize> {
        for frame in frames {
            match self.kind {
                LinkKind::Arp => self.answer_arp(frame),
                LinkKind::TcpAnswers { .. } => self.answer_syn(frame),
            }
        }
        Ok(frames.len())
    }

    fn receive<'a>(&'a self, take: &'a mut (dyn FnMut(&[u8]) + Send)) -> BoxFuture<'a, io::Result<usize>> {
        async move {
            let Some(frame) = self.replies.lock().await.recv().await else {
                return futures::future::pending().await;
            };
            take(&frame);
            Ok(1)
        }
        .boxed()
    }
}
