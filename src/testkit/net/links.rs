//! The links of the fake network: interfaces, hosts that answer ARP and SYN frames, and a kernel with a neighbour table.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::{FakeStreams, PANIC, locked};
use crate::model::MacAddr;
use crate::net::link::{LinkKind, OwnPort};
use crate::net::{Interface, Link, Links, Neighbour, Route};

/// The kernel gives an address up after so long …
const GIVEN_UP: Duration = Duration::from_secs(3);
/// … and may forget a living neighbour after so long.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// Index of the interface that all hosts are behind.
const INTERFACE: u32 = 2;

/// Which raw frames may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawFrames {
    /// None.
    Denied,
    /// ARP requests, and nothing that asks ports.
    ArpOnly,
    /// All.
    Allowed,
}

/// What the kernel's neighbour table lets be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// There is no table.
    Absent,
    /// It can be read; nobody may be asked for through it.
    ReadOnly,
    /// It has so many rows.
    Rows(usize),
}

/// How a local network behaves.
#[derive(Debug, Clone)]
pub struct Lan {
    /// Who answers ARP with what.
    pub hosts: HashMap<Ipv4Addr, MacAddr>,
    /// Answers for every address besides.
    pub proxy: Option<MacAddr>,
    /// So many requests to each address get lost before one arrives.
    pub lost: usize,
    /// The hosts answer so many requests a second together; of those that come faster, so many wait, and the rest is lost.
    pub queue: Option<(u32, u32)>,
    /// Which raw frames may be sent; without, there is the kernel's table.
    pub raw: RawFrames,
    /// The kernel's table.
    pub kernel: Kernel,
}

impl Default for Lan {
    fn default() -> Self {
        let (raw, kernel) = (RawFrames::Allowed, Kernel::Rows(1024));
        Lan { hosts: HashMap::new(), proxy: None, lost: 0, queue: None, raw, kernel }
    }
}

impl Lan {
    /// A network with these hosts, each with a MAC address of its own.
    pub fn with(hosts: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        Lan { hosts: hosts.into_iter().map(|ip| (ip, mac_of(ip))).collect(), ..Lan::default() }
    }

    fn owner(&self, ip: Ipv4Addr) -> Option<MacAddr> {
        self.hosts.get(&ip).copied().or(self.proxy)
    }
}

/// The MAC address of a host that is given none: its address's last two bytes make it unique within a /16.
pub fn mac_of(ip: Ipv4Addr) -> MacAddr {
    let [.., a, b] = ip.octets();
    MacAddr([0x02, 0, 0x5e, 0, a, b])
}

/// An interface that is up.
pub fn interface(name: &str, index: u32, addresses: &[&str]) -> Interface {
    let loopback = name == "lo";
    Interface {
        name: name.to_owned(),
        index,
        mac: (!loopback).then_some(MacAddr([2, 0, 0, 0, 0, 1])),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        loopback,
        point_to_point: false,
    }
}

/// What is sent when an address is asked for by ARP: whole frames.
type ArpScript = Arc<dyn Fn(Ipv4Addr) -> Vec<Vec<u8>> + Send + Sync>;

#[derive(Default)]
struct State {
    lan: Lan,
    interfaces: Vec<Interface>,
    arp_scripts: Vec<ArpScript>,
    /// The kernel's routes.
    routes: Vec<Route>,
    /// Rows the kernel's table has from the beginning.
    neighbours: Vec<Neighbour>,
    zones: Vec<(IpAddr, u32)>,
    panics: bool,
    asked: HashMap<Ipv4Addr, usize>,
    table: HashMap<Ipv4Addr, Instant>,
    most_unanswered: usize,
    /// When each raw frame was sent, if there is a queue.
    sent_at: Vec<Instant>,
    /// How many wait in the queue, and when that was.
    waiting: Option<(f64, Instant)>,
}

impl State {
    /// Whether a request that comes now is answered.
    fn has_room(&mut self) -> bool {
        let Some((per_second, room)) = self.lan.queue else { return true };
        let now = Instant::now();
        self.sent_at.push(now);
        let (waiting, since) = self.waiting.unwrap_or((0.0, now));
        let left = (waiting - (now - since).as_secs_f64() * f64::from(per_second)).max(0.0);
        let is_taken = left < f64::from(room);
        self.waiting = Some((if is_taken { left + 1.0 } else { left }, now));
        is_taken
    }
}

/// The links. Clones are the same.
#[derive(Clone, Default)]
pub struct FakeLinks {
    state: Arc<Mutex<State>>,
    /// Whose ports answer SYN frames.
    streams: FakeStreams,
}

impl FakeLinks {
    /// Drops the records of frames.
    pub(super) fn forget_records(&self) {
        locked(&self.state).sent_at = Vec::new();
    }

    /// Links whose hosts have these ports.
    pub fn new(streams: FakeStreams) -> Self {
        FakeLinks { streams, ..FakeLinks::default() }
    }

    /// The interfaces of this machine.
    pub fn set_interfaces(&self, interfaces: Vec<Interface>) {
        locked(&self.state).interfaces = interfaces;
    }

    /// Sets the routes of this machine.
    pub fn set_routes(&self, routes: Vec<Route>) {
        locked(&self.state).routes = routes;
    }

    /// How the local network behaves.
    pub fn set_lan(&self, lan: Lan) {
        locked(&self.state).lan = lan;
    }

    /// A host that answers ARP, with a MAC address of its own unless it has one.
    pub fn host_up(&self, ip: IpAddr) {
        if let IpAddr::V4(ip) = ip {
            locked(&self.state).lan.hosts.entry(ip).or_insert_with(|| mac_of(ip));
        }
    }

    /// A host that answers ARP no longer.
    pub fn host_down(&self, ip: IpAddr) {
        if let IpAddr::V4(ip) = ip {
            locked(&self.state).lan.hosts.remove(&ip);
        }
    }

    /// A host that is sent a packet gets a row of the kernel's table, where there is room.
    pub(super) fn sent_to(&self, ip: IpAddr) {
        let mut state = locked(&self.state);
        if let (IpAddr::V4(ip), Kernel::Rows(room)) = (ip, state.lan.kernel)
            && state.lan.owner(ip).is_some()
            && state.table.len() < room
        {
            state.table.entry(ip).or_insert_with(Instant::now);
        }
    }

    /// The MAC address a host answers ARP with.
    pub fn mac(&self, ip: &str, mac: MacAddr) {
        locked(&self.state).lan.hosts.insert(ip.parse().unwrap(), mac);
    }

    /// Somebody answers ARP for every address.
    pub fn proxy_arp(&self, mac: MacAddr) {
        locked(&self.state).lan.proxy = Some(mac);
    }

    /// Sends these frames when an address is asked for, before anybody answers.
    pub fn on_arp(&self, script: impl Fn(Ipv4Addr) -> Vec<Vec<u8>> + Send + Sync + 'static) {
        locked(&self.state).arp_scripts.push(Arc::new(script));
    }

    /// This machine is fe80::1 on its links, too.
    pub fn speak_v6(&self) {
        for interface in &mut locked(&self.state).interfaces {
            interface.addresses.push("fe80::1/64".parse().unwrap());
        }
    }

    /// The kernel's table has these rows from the beginning.
    pub fn neighbour(&self, rows: impl IntoIterator<Item = (IpAddr, MacAddr)>) {
        let row = |(ip, mac)| Neighbour { ip, mac, interface: INTERFACE, confirmed: true };
        locked(&self.state).neighbours.extend(rows.into_iter().map(row));
    }

    /// The interfaces that link-local addresses were found behind.
    pub fn zones(&self) -> Vec<(IpAddr, u32)> {
        locked(&self.state).zones.clone()
    }

    /// How often each address was asked for by an ARP request.
    pub fn asked(&self) -> HashMap<Ipv4Addr, usize> {
        locked(&self.state).asked.clone()
    }

    /// The most ARP requests within any such time, where there is a queue.
    pub fn most_within(&self, time: Duration) -> usize {
        let sent = &locked(&self.state).sent_at;
        let from =
            |start: &Instant| sent.partition_point(|at| *at < *start + time) - sent.partition_point(|at| at < start);
        sent.iter().step_by(16).map(from).max().unwrap_or(0)
    }

    /// The most addresses the kernel waited for at once that nobody has.
    pub fn most_unanswered(&self) -> usize {
        locked(&self.state).most_unanswered
    }

    /// Sending a raw frame panics.
    pub(super) fn panic_on_frames(&self) {
        locked(&self.state).panics = true;
    }
}

impl Links for FakeLinks {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        Ok(locked(&self.state).interfaces.clone())
    }

    fn link(&self, _: &Interface, kind: LinkKind) -> io::Result<Box<dyn Link>> {
        match (locked(&self.state).lan.raw, kind) {
            (RawFrames::Allowed, _) | (RawFrames::ArpOnly, LinkKind::Arp) => {}
            _ => return Err(io::ErrorKind::PermissionDenied.into()),
        }
        let (reply, replies) = mpsc::unbounded_channel();
        Ok(Box::new(FakeLink { net: self.clone(), kind, reply, replies: tokio::sync::Mutex::new(replies) }))
    }

    fn own_port(&self) -> io::Result<OwnPort> {
        Ok(OwnPort::unheld(40_000))
    }

    fn routes(&self) -> BoxFuture<'_, io::Result<Vec<Route>>> {
        let routes = locked(&self.state).routes.clone();
        std::future::ready(Ok(routes)).boxed()
    }

    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>> {
        // Each connection has made a row.
        let connected = self.streams.connected();
        let state = locked(&self.state);
        let v4 = |ip: &IpAddr| if let IpAddr::V4(v4) = ip { Some(*v4) } else { None };
        let row = |ip: Ipv4Addr| {
            let mac = state.lan.owner(ip)?;
            Some(Neighbour { ip: IpAddr::V4(ip), mac, interface: INTERFACE, confirmed: true })
        };
        let rows = match state.lan.kernel {
            Kernel::Absent => Err(io::ErrorKind::Unsupported.into()),
            Kernel::ReadOnly => {
                Ok(state.neighbours.iter().copied().chain(connected.iter().filter_map(v4).filter_map(row)).collect())
            }
            Kernel::Rows(_) => {
                Ok(state.neighbours.iter().copied().chain(state.table.keys().copied().filter_map(row)).collect())
            }
        };
        futures::future::ready(rows).boxed()
    }

    fn nudge(&self, to: &[IpAddr]) -> io::Result<usize> {
        let mut guard = locked(&self.state);
        let state = &mut *guard;
        let Kernel::Rows(room) = state.lan.kernel else { return Err(io::ErrorKind::Unsupported.into()) };
        let is_kept = |ip: &Ipv4Addr, since: &mut Instant| {
            since.elapsed() < if state.lan.owner(*ip).is_some() { FORGOTTEN } else { GIVEN_UP }
        };
        state.table.retain(is_kept);
        let mut taken = 0;
        for ip in to.iter().filter_map(|ip| if let IpAddr::V4(v4) = ip { Some(v4) } else { None }) {
            if state.table.len() >= room && !state.table.contains_key(ip) {
                break;
            }
            state.table.insert(*ip, Instant::now());
            taken += 1;
        }
        let unanswered = state.table.keys().filter(|ip| state.lan.owner(**ip).is_none()).count();
        state.most_unanswered = state.most_unanswered.max(unanswered);
        // ENOBUFS
        if taken == 0 { Err(io::Error::from_raw_os_error(105)) } else { Ok(taken) }
    }

    fn forget(&self, neighbour: &Neighbour) -> io::Result<()> {
        if let IpAddr::V4(ip) = neighbour.ip {
            locked(&self.state).table.remove(&ip);
        }
        Ok(())
    }

    fn note_zone(&self, ip: IpAddr, interface_index: u32) {
        locked(&self.state).zones.push((ip, interface_index));
    }
}

struct FakeLink {
    net: FakeLinks,
    kind: LinkKind,
    reply: mpsc::UnboundedSender<Vec<u8>>,
    replies: tokio::sync::Mutex<mpsc::UnboundedReceiver<Vec<u8>>>,
}

impl FakeLink {
    /// Sends a frame to this machine; nobody may be receiving any more.
    fn answer(&self, frame: Vec<u8>) {
        let _ = self.reply.send(frame);
    }

    fn answer_arp(&self, frame: &[u8]) {
        let target = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[38..42]).unwrap());
        let scripts = locked(&self.net.state).arp_scripts.clone();
        scripts.iter().flat_map(|script| script(target)).for_each(|frame| self.answer(frame));
        let mut state = locked(&self.net.state);
        let asked = state.asked.entry(target).or_default();
        *asked += 1;
        if *asked <= state.lan.lost || !state.has_room() {
            return;
        }
        // A proxy answers for hosts that answer by themselves, too.
        for mac in [state.lan.hosts.get(&target).copied(), state.lan.proxy].into_iter().flatten() {
            let reply = |ip: [u8; 4]| {
                let operation = &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2][..];
                [&frame[6..12], &mac.0, operation, &mac.0, &ip, &frame[22..32]].concat()
            };
            self.answer(reply(target.octets()));
            // Nobody asked for this one.
            self.answer(reply([203, 0, 113, 77]));
        }
    }

    fn answer_syn(&self, frame: &[u8]) {
        let ip = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[30..34]).unwrap());
        if locked(&self.net.state).lan.owner(ip).is_none_or(|mac| mac.0 != frame[..6]) {
            return;
        }
        let to = SocketAddr::from((ip, u16::from_be_bytes([frame[36], frame[37]])));
        let Some((delay, is_open)) = self.net.streams.answer_syn(to) else { return };
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
        self.answer(forged);
        answer[42..46].copy_from_slice(&sequence.wrapping_add(1).to_be_bytes());
        answer[47] = if is_open { 0x12 } else { 0x14 };
        let reply = self.reply.clone();
        tokio::spawn(async move {
            sleep(delay).await;
            let _ = reply.send(answer);
        });
    }
}

impl Link for FakeLink {
    fn send(&self, frames: &[&[u8]]) -> io::Result<usize> {
        let panics = locked(&self.net.state).panics;
        assert!(!panics, "{PANIC}");
        for frame in frames {
            match self.kind {
                LinkKind::Arp => self.answer_arp(frame),
                LinkKind::TcpAnswers { .. } => self.answer_syn(frame),
                LinkKind::Overheard => {}
            }
        }
        Ok(frames.len())
    }

    fn receive<'a>(&'a self, take: &'a mut (dyn FnMut(&[u8]) + Send)) -> BoxFuture<'a, io::Result<usize>> {
        async move {
            let frame = self.replies.lock().await.recv().await.unwrap();
            take(&frame);
            Ok(1)
        }
        .boxed()
    }
}
