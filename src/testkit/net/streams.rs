//! TCP of the fake network: scripted servers, ports that fail in every way there is, and counts of what was opened.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Instant, sleep};

use super::ports::{Full, Port};
use super::requests::Log;
use super::{PANIC, locked};
use crate::net::{BoxStream, Streams};

/// How long a connect takes on [`super::FakeNet::subnet`].
pub const CONNECT: Duration = Duration::from_millis(2);

/// Bytes a connection takes before its reader reads.
const BUFFER: usize = 64 * 1024;

type Server = Arc<dyn Fn(usize, DuplexStream) -> BoxFuture<'static, ()> + Send + Sync>;
type PortScript = Arc<dyn Fn(SocketAddr, usize) -> Port + Send + Sync>;

#[derive(Clone)]
struct Service {
    server: Server,
    /// When the server ends, its connection is reset instead of closed.
    resets: bool,
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
    servers: HashMap<SocketAddr, Service>,
    any_port: HashMap<IpAddr, Service>,
    one_seat: HashMap<SocketAddr, OneSeat>,
    /// Refuse what nobody serves.
    up: HashSet<IpAddr>,
    /// What nobody serves of other hosts; none: it is refused.
    ports: Option<PortScript>,
    connect_time: Duration,
    connect_times: HashMap<IpAddr, Duration>,
    /// What the next connects to an address fail with, by number.
    failing: HashMap<IpAddr, VecDeque<i32>>,
    /// The connect to an address that panics, counted down to 1.
    panics: HashMap<SocketAddr, usize>,
    /// How often each endpoint was tried, by a connect or a SYN.
    tries: HashMap<SocketAddr, usize>,
    connections: HashMap<SocketAddr, usize>,
    connects: Vec<(Instant, SocketAddr)>,
    syns: Vec<SocketAddr>,
    open: HashMap<SocketAddr, usize>,
    most_open: HashMap<SocketAddr, usize>,
    most_of_host: HashMap<IpAddr, usize>,
    most_hosts: usize,
}

impl State {
    /// Counts a try of an endpoint; how often it was tried before.
    fn count_try(&mut self, to: SocketAddr) -> usize {
        let tries = self.tries.entry(to).or_default();
        *tries += 1;
        *tries - 1
    }

    fn service(&self, at: SocketAddr) -> Option<Service> {
        self.servers.get(&at).or_else(|| self.any_port.get(&at.ip())).cloned()
    }

    fn connect_time(&self, ip: IpAddr) -> Duration {
        self.connect_times.get(&ip).copied().unwrap_or(self.connect_time)
    }

    /// The number of a server's next connection, from 0.
    fn number(&mut self, at: SocketAddr) -> usize {
        let count = self.connections.entry(at).or_default();
        *count += 1;
        *count - 1
    }
}

/// The servers and the connections to them. Clones are the same.
#[derive(Clone, Default)]
pub struct FakeStreams {
    state: Arc<Mutex<State>>,
    log: Log,
}

impl FakeStreams {
    /// Drops the records of requests, connects and SYN frames; what is counted stays.
    pub(super) fn forget_records(&self) {
        self.log.forget_records();
        let mut state = locked(&self.state);
        (state.connects, state.syns) = (Vec::new(), Vec::new());
    }

    /// The requests that text servers received.
    pub fn log(&self) -> Log {
        self.log.clone()
    }

    /// Serves one port (`"192.0.2.10:554"`): `server` is called with the number of the connection, from 0, and its
    /// stream. The host refuses its other ports from now on.
    pub fn serve<F, Fut>(&self, at: &str, server: F)
    where
        F: Fn(usize, DuplexStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let at: SocketAddr = at.parse().unwrap();
        self.host_up(at.ip());
        locked(&self.state).servers.insert(at, service(server));
    }

    /// Serves every port of a host.
    pub fn serve_all_ports<F, Fut>(&self, ip: &str, server: F)
    where
        F: Fn(usize, DuplexStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let ip = ip.parse().unwrap();
        self.host_up(ip);
        locked(&self.state).any_port.insert(ip, service(server));
    }

    /// When the server at `at` ends, its connection is reset instead of closed.
    pub fn reset_at_end(&self, at: &str) {
        locked(&self.state).servers.get_mut(&at.parse().unwrap()).unwrap().resets = true;
    }

    /// Has the server at `at` talk to a stream of the test's own.
    pub async fn talk_to(&self, at: &str, stream: DuplexStream) {
        let at = at.parse().unwrap();
        let (server, number) = {
            let mut state = locked(&self.state);
            (state.servers[&at].server.clone(), state.number(at))
        };
        server(number, stream).await;
    }

    /// A host that refuses what is not served.
    pub fn host_up(&self, ip: IpAddr) {
        locked(&self.state).up.insert(ip);
    }

    /// A host that is there no longer, and what it served.
    pub fn host_down(&self, ip: IpAddr) {
        let mut state = locked(&self.state);
        state.up.remove(&ip);
        state.servers.retain(|at, _| at.ip() != ip);
        state.any_port.remove(&ip);
    }

    /// Decides what ports do that nobody serves, of hosts that are not up; the second argument is how often the endpoint
    /// has been tried before, by connect or SYN. Without, they refuse.
    pub fn set_ports(&self, script: impl Fn(SocketAddr, usize) -> Port + Send + Sync + 'static) {
        locked(&self.state).ports = Some(Arc::new(script));
    }

    /// How long connects take to hosts that have no time of their own.
    pub fn set_connect_time(&self, time: Duration) {
        locked(&self.state).connect_time = time;
    }

    /// How long every connect to a host takes.
    pub fn connect_takes(&self, ip: &str, time: Duration) {
        locked(&self.state).connect_times.insert(ip.parse().unwrap(), time);
    }

    /// The server at `at` has room for one connection, and takes so long to notice that it was closed.
    pub fn one_connection(&self, at: &str, full: Full, notices_after: Duration) {
        let seat = OneSeat { full, notices_after, is_taken: false, free_at: None };
        locked(&self.state).one_seat.insert(at.parse().unwrap(), seat);
    }

    /// The next connects to `ip` fail with these errors of Linux.
    pub fn fail_connects(&self, ip: &str, errors: &[i32]) {
        locked(&self.state).failing.insert(ip.parse().unwrap(), errors.iter().copied().collect());
    }

    /// The connect of this number, from 1, panics.
    pub fn panic_on(&self, to: &str, number: usize) {
        locked(&self.state).panics.insert(to.parse().unwrap(), number);
    }

    /// All connects and when they began, in order.
    pub fn connects(&self) -> Vec<(Instant, SocketAddr)> {
        locked(&self.state).connects.clone()
    }

    /// The hosts that have been connected to.
    pub(super) fn connected(&self) -> HashSet<IpAddr> {
        locked(&self.state).connections.keys().map(SocketAddr::ip).collect()
    }

    /// All endpoints asked by a SYN frame, in order.
    pub fn syns(&self) -> Vec<SocketAddr> {
        locked(&self.state).syns.clone()
    }

    /// Connections open at once to one port, at most.
    pub fn most_open(&self, to: &str) -> usize {
        locked(&self.state).most_open.get(&to.parse().unwrap()).copied().unwrap_or(0)
    }

    /// Connections open at once to one host, at most.
    pub fn most_of_host(&self, ip: &str) -> usize {
        locked(&self.state).most_of_host.get(&ip.parse().unwrap()).copied().unwrap_or(0)
    }

    /// Hosts with open connections at once, at most.
    pub fn most_hosts(&self) -> usize {
        locked(&self.state).most_hosts
    }

    /// Connections that are open now.
    pub fn open_now(&self) -> usize {
        locked(&self.state).open.values().sum()
    }

    /// What answers a SYN: after a while, whether the port is open.
    pub(super) fn answer_syn(&self, to: SocketAddr) -> Option<(Duration, bool)> {
        let mut state = locked(&self.state);
        let before = state.count_try(to);
        state.syns.push(to);
        if state.service(to).is_some() {
            return Some((state.connect_time(to.ip()), true));
        }
        drop(state);
        match self.unserved(to, before) {
            Port::Open(round_trip) => Some((round_trip, true)),
            Port::Refused => Some((Duration::ZERO, false)),
            Port::Silent | Port::Unreachable => None,
        }
    }

    fn unserved(&self, to: SocketAddr, before: usize) -> Port {
        let script = {
            let state = locked(&self.state);
            if state.up.contains(&to.ip()) { None } else { state.ports.clone() }
        };
        script.map_or(Port::Refused, |script| script(to, before))
    }

    /// Takes the one seat of a server, where it has just one; what becomes of the client where that is taken.
    fn take_seat(&self, to: SocketAddr) -> Result<Option<Seat>, Full> {
        let mut state = locked(&self.state);
        let Some(seat) = state.one_seat.get_mut(&to) else { return Ok(None) };
        if seat.is_taken || seat.free_at.is_some_and(|at| Instant::now() < at) {
            return Err(seat.full);
        }
        seat.is_taken = true;
        Ok(Some(Seat { net: self.clone(), at: to }))
    }

    /// Counts a connect among those that are open; how often its endpoint was tried before.
    fn open(&self, to: SocketAddr) -> (OpenConnection, usize) {
        let mut state = locked(&self.state);
        let before = state.count_try(to);
        state.connects.push((Instant::now(), to));
        *state.open.entry(to).or_insert(0) += 1;
        let now = state.open[&to];
        let of_host = state.open.iter().filter(|(a, _)| a.ip() == to.ip()).map(|(_, n)| n).sum();
        let hosts = state.open.keys().map(SocketAddr::ip).collect::<HashSet<_>>().len();
        let most = state.most_open.entry(to).or_insert(0);
        *most = now.max(*most);
        let most = state.most_of_host.entry(to.ip()).or_insert(0);
        *most = (*most).max(of_host);
        state.most_hosts = state.most_hosts.max(hosts);
        (OpenConnection { net: self.clone(), to }, before)
    }

    /// What comes of a connect once its time is over.
    async fn outcome(&self, to: SocketAddr, before: usize, open: OpenConnection) -> io::Result<BoxStream> {
        let (failing, service) = {
            let mut state = locked(&self.state);
            (state.failing.get_mut(&to.ip()).and_then(VecDeque::pop_front), state.service(to))
        };
        if let Some(number) = failing {
            return Err(io::Error::from_raw_os_error(number));
        }
        let (inner, theirs) = tokio::io::duplex(BUFFER);
        let Some(Service { server, resets }) = service else {
            match self.unserved(to, before) {
                Port::Open(round_trip) => sleep(round_trip).await,
                Port::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
                Port::Silent => futures::future::pending().await,
                Port::Unreachable => return Err(io::ErrorKind::HostUnreachable.into()),
            }
            return Ok(Box::new(Stream { inner, resets: false, _open: open, _seat: None }));
        };
        let seat = match self.take_seat(to) {
            Err(Full::Refuses) => return Err(io::ErrorKind::ConnectionRefused.into()),
            Err(Full::Closes) => None,
            Ok(seat) => {
                let number = locked(&self.state).number(to);
                tokio::spawn(server(number, theirs));
                seat
            }
        };
        Ok(Box::new(Stream { inner, resets, _open: open, _seat: seat }))
    }
}

fn service<F, Fut>(server: F) -> Service
where
    F: Fn(usize, DuplexStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    Service { server: Arc::new(move |number, stream| server(number, stream).boxed()), resets: false }
}

impl Streams for FakeStreams {
    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        let (open, before) = self.open(to);
        let panics = locked(&self.state).panics.get_mut(&to).is_some_and(|left| {
            *left = left.wrapping_sub(1);
            *left == 0
        });
        assert!(!panics, "{PANIC}");
        async move {
            let takes = locked(&self.state).connect_time(to.ip());
            if !takes.is_zero() {
                sleep(takes).await;
            }
            self.outcome(to, before, open).await
        }
        .boxed()
    }
}

/// A connection that counts as open until it is dropped.
struct OpenConnection {
    net: FakeStreams,
    to: SocketAddr,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut state = locked(&self.net.state);
        if let Some(open) = state.open.get_mut(&self.to) {
            *open -= 1;
            if *open == 0 {
                state.open.remove(&self.to);
            }
        }
    }
}

/// The one seat of a server, taken.
struct Seat {
    net: FakeStreams,
    at: SocketAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(seat) = locked(&self.net.state).one_seat.get_mut(&self.at) {
            seat.is_taken = false;
            seat.free_at = Some(Instant::now() + seat.notices_after);
        }
    }
}

struct Stream {
    inner: DuplexStream,
    resets: bool,
    _open: OpenConnection,
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
