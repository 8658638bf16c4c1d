//! A network in memory: scripted servers, datagrams and ARP at made-up addresses, on a clock that stands still while
//! anybody has something to do. It counts what is opened and keeps what was asked.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use camscan::model::{MacAddr, Method};
use camscan::net::link::LinkKind;
use camscan::net::{BoxStream, Datagram, Datagrams, Interface, Link, Links, Names, Neighbour, Streams, UdpBind};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long every connect takes.
pub const CONNECT: Duration = Duration::from_millis(2);

type Server = Arc<dyn Fn(DuplexStream) -> BoxFuture<'static, ()> + Send + Sync>;

/// An answer to a datagram: after a while, from somewhere, these bytes.
pub type Answer = (Duration, SocketAddr, Vec<u8>);
type Script = Arc<dyn Fn(&Sent) -> Vec<Answer> + Send + Sync>;

/// What a station sends when an address is asked for by ARP: whole frames.
type ArpScript = Arc<dyn Fn(Ipv4Addr) -> Vec<Vec<u8>> + Send + Sync>;

/// A datagram that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub to: SocketAddr,
}

/// A request a server was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub at: Instant,
    pub of: SocketAddr,
    pub text: String,
}

impl Asked {
    pub fn method(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().skip(1).take_while(|l| !l.is_empty());
        lines.filter_map(|l| l.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }

    /// Whether it carries a login in any of the ways there are.
    pub fn has_login(&self) -> bool {
        self.header("Authorization").is_some() || self.text.contains("UsernameToken")
    }
}

/// What a server with room for one connection does about the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    Refuses,
    /// Takes them and closes them without a word.
    Closes,
}

/// A port with room for one connection.
struct OneSeat {
    full: Full,
    /// How long the server takes to notice that its client is gone.
    notices_after: Duration,
    is_taken: bool,
    free_at: Option<Instant>,
}

#[derive(Default)]
struct State {
    one_seat: HashMap<SocketAddr, OneSeat>,
    far: HashMap<IpAddr, Duration>,
    servers: HashMap<SocketAddr, (Server, bool)>,
    any_port: HashMap<IpAddr, Server>,
    /// Refuse what nobody serves; all others are silent.
    up: HashSet<IpAddr>,
    /// What the next connects to an address fail with, by number.
    failing: HashMap<IpAddr, VecDeque<i32>>,
    macs: HashMap<Ipv4Addr, MacAddr>,
    proxy: Option<MacAddr>,
    arp_scripts: Vec<ArpScript>,
    scripts: Vec<Script>,
    /// This machine speaks IPv6 on its link.
    speaks_v6: bool,
    /// Who answers when all nodes of the link are asked for an echo.
    echoes: Vec<IpAddr>,
    neighbours: Vec<Neighbour>,
    zones: Vec<(IpAddr, u32)>,
    names: HashMap<IpAddr, String>,
    /// The connect to an address that panics, counted down to 1.
    panics: HashMap<SocketAddr, usize>,
    panics_on_name: HashSet<IpAddr>,
    /// What the method needs of the network panics.
    panics_in: Option<Method>,
    connects: Vec<(Instant, SocketAddr)>,
    open: HashMap<SocketAddr, usize>,
    most_open: HashMap<SocketAddr, usize>,
    most_of_host: HashMap<IpAddr, usize>,
    most_hosts: usize,
    sent: Vec<Sent>,
    arp_asked: Vec<Ipv4Addr>,
    asked: Vec<Asked>,
}

/// The network. This machine is 192.0.2.1/24 on `eth0`.
#[derive(Clone, Default)]
pub struct FakeNet {
    state: Arc<Mutex<State>>,
}

impl FakeNet {
    pub fn new() -> FakeNet {
        FakeNet::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one port. The host refuses its other ports from now on.
    pub fn serve<F, Fut>(&self, at: &str, server: F)
    where
        F: Fn(DuplexStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let at: SocketAddr = at.parse().unwrap();
        self.host_up(at.ip());
        self.lock().servers.insert(at, (Arc::new(move |stream| server(stream).boxed()), false));
    }

    /// As [`FakeNet::serve`], and when the server ends, its connection is reset instead of closed.
    pub fn serve_and_reset<F, Fut>(&self, at: &str, server: F)
    where
        F: Fn(DuplexStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.serve(at, server);
        if let Some((_, resets)) = self.lock().servers.get_mut(&at.parse().unwrap()) {
            *resets = true;
        }
    }

    /// Serves every port of a host.
    pub fn serve_all_ports<F, Fut>(&self, ip: &str, server: F)
    where
        F: Fn(DuplexStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let ip = ip.parse().unwrap();
        self.host_up(ip);
        self.lock().any_port.insert(ip, Arc::new(move |stream| server(stream).boxed()));
    }

    /// A host that refuses its ports and answers to ARP.
    pub fn host_up(&self, ip: IpAddr) {
        let mut state = self.lock();
        state.up.insert(ip);
        if let IpAddr::V4(v4) = ip {
            let [.., a, b] = v4.octets();
            state.macs.insert(v4, MacAddr([0x02, 0, 0x5e, 0, a, b]));
        }
    }

    /// The MAC address a host answers ARP with.
    pub fn mac(&self, ip: &str, mac: MacAddr) {
        self.lock().macs.insert(ip.parse().unwrap(), mac);
    }

    /// Has the server at `at` talk to a stream of the test's own.
    pub async fn talk_to(&self, at: &str, stream: DuplexStream) {
        let server = self.lock().servers.get(&at.parse().unwrap()).map(|(server, _)| server.clone());
        server.unwrap()(stream).await;
    }

    /// Every connect to a host takes so long.
    pub fn connect_takes(&self, ip: &str, time: Duration) {
        self.lock().far.insert(ip.parse().unwrap(), time);
    }

    /// The server at `at` has room for one connection, and takes so long to notice that it was closed.
    pub fn one_connection(&self, at: &str, full: Full, notices_after: Duration) {
        let seat = OneSeat { full, notices_after, is_taken: false, free_at: None };
        self.lock().one_seat.insert(at.parse().unwrap(), seat);
    }

    /// Takes the one seat of a server, where it has just one; what becomes of the client where that is taken.
    fn take_seat(&self, to: SocketAddr) -> Result<Option<Seat>, Full> {
        let mut state = self.lock();
        let Some(seat) = state.one_seat.get_mut(&to) else { return Ok(None) };
        if seat.is_taken || seat.free_at.is_some_and(|at| Instant::now() < at) {
            return Err(seat.full);
        }
        seat.is_taken = true;
        Ok(Some(Seat { net: self.clone(), at: to }))
    }

    /// The next connects to `ip` fail with these errors of Linux.
    pub fn fail_connects(&self, ip: &str, errors: &[i32]) {
        self.lock().failing.insert(ip.parse().unwrap(), errors.iter().copied().collect());
    }

    /// Somebody answers ARP for every address.
    pub fn proxy_arp(&self, mac: MacAddr) {
        self.lock().proxy = Some(mac);
    }

    /// Sends these frames when an address is asked for, before anybody answers.
    pub fn on_arp(&self, script: impl Fn(Ipv4Addr) -> Vec<Vec<u8>> + Send + Sync + 'static) {
        self.lock().arp_scripts.push(Arc::new(script));
    }

    /// This machine is fe80::1 on its link, too.
    pub fn speak_v6(&self) {
        self.lock().speaks_v6 = true;
    }

    /// These answer when all nodes of the link are asked for an echo.
    pub fn echo_v6(&self, hosts: impl IntoIterator<Item = IpAddr>) {
        self.lock().echoes.extend(hosts);
    }

    /// The kernel's table of neighbours has these rows, too.
    pub fn neighbour(&self, rows: impl IntoIterator<Item = (IpAddr, MacAddr)>) {
        let row = |(ip, mac)| Neighbour { ip, mac, interface: 2, confirmed: true };
        self.lock().neighbours.extend(rows.into_iter().map(row));
    }

    /// The interfaces that link-local addresses were found behind.
    pub fn zones(&self) -> Vec<(IpAddr, u32)> {
        self.lock().zones.clone()
    }

    /// The name DNS has for an address.
    pub fn name(&self, ip: &str, name: &str) {
        self.lock().names.insert(ip.parse().unwrap(), name.to_owned());
    }

    /// The connect of this number, from 1, panics: a mistake of ours.
    pub fn panic_on(&self, to: &str, number: usize) {
        self.lock().panics.insert(to.parse().unwrap(), number);
    }

    /// Asking DNS for the name panics.
    pub fn panic_on_name(&self, ip: &str) {
        self.lock().panics_on_name.insert(ip.parse().unwrap());
    }

    /// What only this method of discovery does panics: a mistake of ours.
    pub fn panic_in(&self, method: Method) {
        self.lock().panics_in = Some(method);
    }

    fn is_wrong_in(&self, method: Method) -> bool {
        self.lock().panics_in == Some(method)
    }

    /// Answers datagrams.
    pub fn on_datagram(&self, script: impl Fn(&Sent) -> Vec<Answer> + Send + Sync + 'static) {
        self.lock().scripts.push(Arc::new(script));
    }

    /// Keeps a request.
    pub fn note(&self, of: SocketAddr, text: String) -> Asked {
        let asked = Asked { at: Instant::now(), of, text };
        self.lock().asked.push(asked.clone());
        asked
    }

    /// What the servers were asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// What one host was asked, in order.
    pub fn asked_of(&self, ip: &str) -> Vec<Asked> {
        let ip: IpAddr = ip.parse().unwrap();
        self.asked().into_iter().filter(|a| a.of.ip() == ip).collect()
    }

    pub fn connects(&self) -> Vec<(Instant, SocketAddr)> {
        self.lock().connects.clone()
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }

    pub fn arp_asked(&self) -> Vec<Ipv4Addr> {
        self.lock().arp_asked.clone()
    }

    /// Connections open at once to one port, at most.
    pub fn most_open(&self, to: &str) -> usize {
        self.lock().most_open.get(&to.parse().unwrap()).copied().unwrap_or(0)
    }

    /// Connections open at once to one host, at most.
    pub fn most_of_host(&self, ip: &str) -> usize {
        self.lock().most_of_host.get(&ip.parse().unwrap()).copied().unwrap_or(0)
    }

    /// Hosts with open connections at once, at most.
    pub fn most_hosts(&self) -> usize {
        self.lock().most_hosts
    }

    /// Connections that are open now.
    pub fn open_now(&self) -> usize {
        self.lock().open.values().sum()
    }

    fn open(&self, to: SocketAddr) -> Place {
        let mut state = self.lock();
        state.connects.push((Instant::now(), to));
        *state.open.entry(to).or_insert(0) += 1;
        let now = state.open[&to];
        let of_host = state.open.iter().filter(|(a, _)| a.ip() == to.ip()).map(|(_, n)| n).sum();
        let hosts = state.open.iter().filter(|(_, n)| **n > 0).map(|(a, _)| a.ip()).collect::<HashSet<_>>().len();
        let most = state.most_open.entry(to).or_insert(0);
        *most = now.max(*most);
        let most = state.most_of_host.entry(to.ip()).or_insert(0);
        *most = (*most).max(of_host);
        state.most_hosts = state.most_hosts.max(hosts);
        Place { net: self.clone(), to }
    }
}

/// A connection's place among those that are open.
struct Place {
    net: FakeNet,
    to: SocketAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(open) = self.net.lock().open.get_mut(&self.to) {
            *open -= 1;
        }
    }
}

/// The one seat of a server, taken.
struct Seat {
    net: FakeNet,
    at: SocketAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(seat) = self.net.lock().one_seat.get_mut(&self.at) {
            seat.is_taken = false;
            seat.free_at = Some(Instant::now() + seat.notices_after);
        }
    }
}

struct Stream {
    inner: DuplexStream,
    resets: bool,
    _place: Place,
    _seat: Option<Seat>,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        match read {
            Poll::Ready(Ok(())) if self.resets && buf.filled().len() == before => {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Streams for FakeNet {
    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        let place = self.open(to);
        let panics = self.lock().panics.get_mut(&to).is_some_and(|left| {
            *left = left.wrapping_sub(1);
            *left == 0
        });
        assert!(!panics, "a mistake of ours");
        async move {
            let takes = self.lock().far.get(&to.ip()).copied().unwrap_or(CONNECT);
            tokio::time::sleep(takes).await;
            let (failing, server, up) = {
                let mut state = self.lock();
                let failing = state.failing.get_mut(&to.ip()).and_then(VecDeque::pop_front);
                let any = || state.any_port.get(&to.ip()).map(|server| (server.clone(), false));
                (failing, state.servers.get(&to).cloned().or_else(any), state.up.contains(&to.ip()))
            };
            if let Some(number) = failing {
                return Err(io::Error::from_raw_os_error(number));
            }
            let Some((server, resets)) = server else {
                if up {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                return futures::future::pending().await;
            };
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let seat = match self.take_seat(to) {
                Err(Full::Refuses) => return Err(io::ErrorKind::ConnectionRefused.into()),
                Err(Full::Closes) => {
                    drop(theirs);
                    None
                }
                Ok(seat) => {
                    tokio::spawn(server(theirs));
                    seat
                }
            };
            Ok(Box::new(Stream { inner: ours, resets, _place: place, _seat: seat }) as BoxStream)
        }
        .boxed()
    }
}

impl Datagrams for FakeNet {
    fn udp(&self, bind: &UdpBind) -> io::Result<Box<dyn Datagram>> {
        let mut local = bind.local;
        if local.port() == 0 {
            local.set_port(40_000);
        }
        let (inbox, arrived) = mpsc::unbounded_channel();
        Ok(Box::new(Socket { local, net: self.clone(), inbox, arrived: tokio::sync::Mutex::new(arrived) }))
    }

    /// Nobody may send an echo, unless somebody would answer.
    fn icmp(&self, v6: bool) -> io::Result<Box<dyn Datagram>> {
        assert!(!self.is_wrong_in(Method::Icmp), "a mistake of ours");
        if !v6 || self.lock().echoes.is_empty() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (inbox, arrived) = mpsc::unbounded_channel();
        Ok(Box::new(Echo { net: self.clone(), inbox, arrived: tokio::sync::Mutex::new(arrived) }))
    }
}

impl Links for FakeNet {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        Ok(vec![Interface {
            name: "eth0".to_owned(),
            index: 2,
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            addresses: ["192.0.2.1/24", "fe80::1/64"]
                .iter()
                .take(if self.lock().speaks_v6 { 2 } else { 1 })
                .map(|a| a.parse().unwrap())
                .collect(),
            loopback: false,
            point_to_point: false,
        }])
    }

    /// ARP only: ports are asked by connects.
    fn link(&self, _: &Interface, kind: LinkKind) -> io::Result<Box<dyn Link>> {
        if kind != LinkKind::Arp {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (inbox, arrived) = mpsc::unbounded_channel();
        Ok(Box::new(Wire { net: self.clone(), inbox, arrived: tokio::sync::Mutex::new(arrived) }))
    }

    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>> {
        let rows = self.lock().neighbours.clone();
        async move { Ok(rows) }.boxed()
    }

    fn note_zone(&self, ip: IpAddr, interface: u32) {
        self.lock().zones.push((ip, interface));
    }
}

impl Names for FakeNet {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        async move { name.parse().map(|ip| vec![ip]).map_err(|_| io::ErrorKind::NotFound.into()) }.boxed()
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>> {
        let panics = self.lock().panics_on_name.contains(&ip);
        assert!(!panics, "a mistake of ours");
        let name = self.lock().names.get(&ip).cloned();
        async move { Ok(name) }.boxed()
    }
}

type Inbox = tokio::sync::Mutex<mpsc::UnboundedReceiver<(Vec<u8>, SocketAddr)>>;

/// A socket for echoes, which those answer whom the network was given.
struct Echo {
    net: FakeNet,
    inbox: mpsc::UnboundedSender<(Vec<u8>, SocketAddr)>,
    arrived: Inbox,
}

impl Datagram for Echo {
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        if to.ip().is_multicast() {
            // RFC 4443 §4.2: the same but for the type.
            let answer = [&[129], &data[1..]].concat();
            for ip in self.net.lock().echoes.clone() {
                let _ = self.inbox.send((answer.clone(), SocketAddr::new(ip, 0)));
            }
        }
        futures::future::ready(Ok(data.len())).boxed()
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        receive(&self.arrived, buf).boxed()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0)))
    }
}

async fn receive(arrived: &Inbox, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let (data, from) = arrived.lock().await.recv().await.unwrap();
    let length = data.len().min(buf.len());
    buf[..length].copy_from_slice(&data[..length]);
    Ok((length, from))
}

struct Socket {
    local: SocketAddr,
    net: FakeNet,
    inbox: mpsc::UnboundedSender<(Vec<u8>, SocketAddr)>,
    arrived: Inbox,
}

impl Datagram for Socket {
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        let sent = Sent { to };
        let method = match to.port() {
            3702 => Method::Onvif,
            1900 => Method::Ssdp,
            5353 => Method::Mdns,
            _ => Method::Beacon,
        };
        let is_to_all =
            to.ip().is_multicast() || to.ip() == IpAddr::from([255; 4]) || to.ip() == IpAddr::from([192, 0, 2, 255]);
        assert!(!(is_to_all && self.net.is_wrong_in(method)), "a mistake of ours");
        let scripts = self.net.lock().scripts.clone();
        let mut answers: Vec<Answer> = scripts.iter().flat_map(|script| script(&sent)).collect();
        answers.sort_by_key(|(after, ..)| *after);
        self.net.lock().sent.push(sent);
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            let start = Instant::now();
            for (after, from, data) in answers {
                tokio::time::sleep_until(start + after).await;
                let _ = inbox.send((data, from));
            }
        });
        futures::future::ready(Ok(data.len())).boxed()
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        receive(&self.arrived, buf).boxed()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

struct Wire {
    net: FakeNet,
    inbox: mpsc::UnboundedSender<Vec<u8>>,
    arrived: tokio::sync::Mutex<mpsc::UnboundedReceiver<Vec<u8>>>,
}

impl Link for Wire {
    fn send(&self, frames: &[&[u8]]) -> io::Result<usize> {
        assert!(!self.net.is_wrong_in(Method::Arp), "a mistake of ours");
        for frame in frames {
            let wanted: [u8; 4] = frame[38..42].try_into().unwrap();
            let scripts = self.net.lock().arp_scripts.clone();
            for frame in scripts.iter().flat_map(|script| script(wanted.into())) {
                let _ = self.inbox.send(frame);
            }
            let mut state = self.net.lock();
            state.arp_asked.push(wanted.into());
            let own = state.macs.get(&Ipv4Addr::from(wanted)).copied();
            // The router's answer and the host's own both arrive.
            for mac in own.into_iter().chain(state.proxy) {
                let asker: [u8; 10] = frame[22..32].try_into().unwrap();
                let reply = [
                    &frame[6..12],
                    &mac.0[..],
                    &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2][..],
                    &mac.0[..],
                    &wanted[..],
                    &asker[..],
                ];
                let _ = self.inbox.send(reply.concat());
            }
        }
        Ok(frames.len())
    }

    fn receive<'a>(&'a self, take: &'a mut (dyn FnMut(&[u8]) + Send)) -> BoxFuture<'a, io::Result<usize>> {
        async move {
            let frame = self.arrived.lock().await.recv().await.unwrap();
            take(&frame);
            Ok(1)
        }
        .boxed()
    }
}
