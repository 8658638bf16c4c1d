//! A network in memory for tests: scripted servers at made-up addresses, over `tokio::io::duplex` and channels.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;

use super::link::LinkKind;
use super::{BoxStream, Datagram, Datagrams, Interface, Link, Links, Names, Neighbour, Streams, UdpBind};

/// The address of this machine on the fake network.
pub const OWN_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

type Server = Arc<dyn Fn(usize, DuplexStream) -> BoxFuture<'static, ()> + Send + Sync>;
type Inbox = mpsc::UnboundedSender<(Vec<u8>, SocketAddr)>;

/// The fake network. What nobody serves refuses the connection.
#[derive(Default)]
pub struct FakeNet {
    servers: Mutex<HashMap<SocketAddr, (usize, Server)>>,
    sockets: Arc<Mutex<HashMap<SocketAddr, Inbox>>>,
}

/// A request a text server received.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// Which request of that connection it is, from 0.
    pub number: usize,
    /// The whole request, head and body.
    pub text: String,
}

impl Asked {
    /// The first word: the method.
    pub fn method(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The second word: the URL or path.
    pub fn target(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().skip(1).take_while(|l| !l.is_empty());
        lines.filter_map(|l| l.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }
}

/// What a text server does about a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Sends these bytes and reads on.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes the connection.
    Last(Vec<u8>),
    /// Sends nothing and reads on.
    Silence,
}

impl Reply {
    /// Sends a text and reads on.
    pub fn text(text: impl Into<String>) -> Self {
        Reply::Bytes(text.into().into_bytes())
    }
}

/// Everything a text server was asked, over all connections.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Asked>>>);

impl Log {
    /// What was asked so far.
    pub fn all(&self) -> Vec<Asked> {
        locked(&self.0).clone()
    }

    /// `"<connection> <method>"` of what was asked so far.
    pub fn methods(&self) -> Vec<String> {
        self.all().iter().map(|a| format!("{} {}", a.connection, a.method())).collect()
    }
}

impl FakeNet {
    /// A network without servers.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Serves an address (`"192.0.2.10:554"`): `server` is called with the number of the connection and its stream.
    pub fn serve<F, Fut>(&self, at: &str, server: F)
    where
        F: Fn(usize, DuplexStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let server: Server = Arc::new(move |number, stream| server(number, stream).boxed());
        locked(&self.servers).insert(at.parse().unwrap(), (0, server));
    }

    /// Serves an address with a text protocol of the HTTP family: `answer` says what to do about each request.
    pub fn answer<F>(&self, at: &str, answer: F) -> Log
    where
        F: Fn(&Asked) -> Reply + Send + Sync + 'static,
    {
        let log = Log::default();
        let (answer, asked) = (Arc::new(answer), log.clone());
        self.serve(at, move |connection, stream| {
            let (answer, asked) = (answer.clone(), asked.clone());
            async move { talk(connection, stream, &*answer, &asked).await }
        });
        log
    }

    /// How often an address was connected to.
    pub fn connections(&self, to: &str) -> usize {
        locked(&self.servers).get(&to.parse().unwrap()).map_or(0, |(count, _)| *count)
    }
}

async fn talk(connection: usize, mut stream: DuplexStream, answer: &(dyn Fn(&Asked) -> Reply + Sync), log: &Log) {
    let mut buffer = Vec::new();
    let mut number = 0;
    loop {
        let Some(length) = whole_request(&buffer) else {
            if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
            continue;
        };
        let text = String::from_utf8_lossy(&buffer.drain(..length).collect::<Vec<u8>>()).into_owned();
        let asked = Asked { connection, number, text };
        number += 1;
        log.0.lock().unwrap().push(asked.clone());
        let (bytes, last) = match answer(&asked) {
            Reply::Bytes(bytes) => (bytes, false),
            Reply::Last(bytes) => (bytes, true),
            Reply::Silence => continue,
        };
        if stream.write_all(&bytes).await.is_err() || last {
            return;
        }
    }
}

/// The length of the first request when it is all there; interleaved `$` frames count as one, too.
fn whole_request(buffer: &[u8]) -> Option<usize> {
    if let Some(b'$') = buffer.first() {
        let length = 4 + usize::from(u16::from_be_bytes([*buffer.get(2)?, *buffer.get(3)?]));
        return (buffer.len() >= length).then_some(length);
    }
    let head = buffer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let body = text.split("content-length:").nth(1).and_then(|v| v.lines().next()?.trim().parse().ok()).unwrap_or(0);
    (buffer.len() >= head + body).then_some(head + body)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Streams for FakeNet {
    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        let served = locked(&self.servers).get_mut(&to).map(|(count, server)| {
            *count += 1;
            (*count - 1, server.clone())
        });
        async move {
            let Some((number, server)) = served else { return Err(io::ErrorKind::ConnectionRefused.into()) };
            let (ours, theirs) = tokio::io::duplex(256 * 1024);
            tokio::spawn(server(number, theirs));
            Ok(Box::new(ours) as BoxStream)
        }
        .boxed()
    }
}

impl Datagrams for FakeNet {
    fn udp(&self, bind: &UdpBind) -> io::Result<Box<dyn Datagram>> {
        let mut sockets = locked(&self.sockets);
        let mut local = bind.local;
        while local.port() == 0 {
            local.set_port(fastrand::u16(30_000..));
            if sockets.contains_key(&local) {
                local.set_port(0);
            }
        }
        if sockets.contains_key(&local) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (inbox, arrived) = mpsc::unbounded_channel();
        sockets.insert(local, inbox);
        Ok(Box::new(FakeSocket { local, arrived: tokio::sync::Mutex::new(arrived), sockets: self.sockets.clone() }))
    }

    fn icmp(&self, _: bool) -> io::Result<Box<dyn Datagram>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

impl Links for FakeNet {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        Ok(Vec::new())
    }

    fn link(&self, _: &Interface, _: LinkKind) -> io::Result<Box<dyn Link>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn note_zone(&self, _: IpAddr, _: u32) {}
}

impl Names for FakeNet {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        async move { name.parse().map(|ip| vec![ip]).map_err(|_| io::ErrorKind::NotFound.into()) }.boxed()
    }

    fn reverse(&self, _: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>> {
        async { Ok(None) }.boxed()
    }
}

/// A datagram reaches the socket bound to its address, or the one bound to its port on any address.
struct FakeSocket {
    local: SocketAddr,
    arrived: tokio::sync::Mutex<mpsc::UnboundedReceiver<(Vec<u8>, SocketAddr)>>,
    sockets: Arc<Mutex<HashMap<SocketAddr, Inbox>>>,
}

impl Datagram for FakeSocket {
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        async move {
            let from = match self.local.ip().is_unspecified() {
                true => SocketAddr::new(OWN_IP, self.local.port()),
                false => self.local,
            };
            let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), to.port());
            let sockets = locked(&self.sockets);
            if let Some(inbox) = sockets.get(&to).or_else(|| sockets.get(&any)) {
                let _ = inbox.send((data.to_vec(), from));
            }
            Ok(data.len())
        }
        .boxed()
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        async move {
            let Some((data, from)) = self.arrived.lock().await.recv().await else {
                return futures::future::pending().await;
            };
            let length = data.len().min(buf.len());
            buf[..length].copy_from_slice(&data[..length]);
            Ok((length, from))
        }
        .boxed()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Drop for FakeSocket {
    fn drop(&mut self) {
        locked(&self.sockets).remove(&self.local);
    }
}
