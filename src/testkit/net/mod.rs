//! A network in memory for tests: scripted servers, datagrams, raw frames and names at made-up addresses. Its layers can be
//! used alone; [`FakeNet`] puts them together. It counts what is opened and keeps what was asked, and runs on tokio's clock,
//! so that a test which pauses the clock decides how long everything takes.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "only tests use it, and a test that is written wrongly has to fail"
)]

pub mod datagrams;
pub mod links;
pub mod names;
pub mod ports;
pub mod requests;
pub mod streams;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::io::DuplexStream;
use tokio::time::Instant;

use crate::model::Method;
use crate::net::link::{LinkKind, OwnPort};
use crate::net::{BoxStream, Datagram, Datagrams, Interface, Link, Links, Names, Neighbour, Route, Streams, UdpBind};

pub use datagrams::{Answer, FakeDatagrams, Sent};
pub use links::{FakeLinks, Kernel, Lan, RawFrames, interface, mac_of};
pub use names::FakeNames;
pub use ports::{Full, Port};
pub use requests::{Asked, Log, Reply, Requests};
pub use streams::{CONNECT, FakeStreams};

/// The address of this machine on the fake network.
pub const OWN_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What an error inside the program looks like, where a test wants one.
const PANIC: &str = "the test wants an internal error here";

/// The whole network. Clones are the same network.
#[derive(Clone)]
pub struct FakeNet {
    /// TCP.
    pub streams: FakeStreams,
    /// UDP and ICMP.
    pub datagrams: FakeDatagrams,
    /// Interfaces, raw frames and the kernel's neighbour table.
    pub links: FakeLinks,
    /// DNS.
    pub names: FakeNames,
}

impl Default for FakeNet {
    fn default() -> Self {
        let streams = FakeStreams::default();
        let links = FakeLinks::new(streams.clone());
        FakeNet { streams, datagrams: FakeDatagrams::default(), links, names: FakeNames::default() }
    }
}

impl FakeNet {
    /// A network without interfaces on which connects take no time, and what nobody serves refuses them.
    pub fn new() -> Self {
        FakeNet::default()
    }

    /// A machine with these interfaces, where `script` answers every datagram.
    pub fn of_datagrams(
        interfaces: Vec<Interface>,
        script: impl Fn(&Sent) -> Vec<Answer> + Send + Sync + 'static,
    ) -> Self {
        let net = FakeNet::new();
        net.links.set_interfaces(interfaces);
        net.datagrams.on_datagram(script);
        net
    }

    /// A local network of hosts that answer ARP; what nobody serves is silent.
    pub fn of_lan(lan: Lan) -> Self {
        let net = FakeNet::new().with_ports(|_, _| Port::Silent);
        net.links.set_lan(lan);
        net
    }

    /// The subnet 192.0.2.0/24 as a scan sees it: this machine is 192.0.2.1 on `eth0` and may send ARP requests but no
    /// other frames, connects take [`CONNECT`], served hosts refuse their other ports, and all others are silent.
    pub fn subnet() -> Self {
        let lan = Lan { raw: RawFrames::ArpOnly, kernel: Kernel::ReadOnly, ..Lan::default() };
        let net = FakeNet::of_lan(lan);
        net.links.set_interfaces(vec![interface("eth0", 2, &["192.0.2.1/24"])]);
        net.streams.set_connect_time(CONNECT);
        net
    }

    /// Decides what ports do that nobody serves, as [`FakeStreams::set_ports`].
    pub fn with_ports(self, script: impl Fn(SocketAddr, usize) -> Port + Send + Sync + 'static) -> Self {
        self.streams.set_ports(script);
        self
    }

    /// A host that refuses its ports and answers ARP.
    pub fn host_up(&self, ip: &str) {
        let ip: IpAddr = ip.parse().unwrap();
        self.streams.host_up(ip);
        self.links.host_up(ip);
    }

    /// A host that is there no longer: nothing of it answers, and what it served is gone.
    pub fn host_down(&self, ip: &str) {
        let ip: IpAddr = ip.parse().unwrap();
        self.streams.host_down(ip);
        self.links.host_down(ip);
    }

    /// Serves one port, as [`FakeStreams::serve`]; the host answers ARP from now on.
    pub fn serve<F, Fut>(&self, at: &str, server: F)
    where
        F: Fn(usize, DuplexStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.links.host_up(at.parse::<SocketAddr>().unwrap().ip());
        self.streams.serve(at, server);
    }

    /// Serves every port of a host, as [`FakeStreams::serve_all_ports`]; the host answers ARP from now on.
    pub fn serve_all_ports<F, Fut>(&self, ip: &str, server: F)
    where
        F: Fn(usize, DuplexStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.links.host_up(ip.parse().unwrap());
        self.streams.serve_all_ports(ip, server);
    }

    /// Serves a text protocol of the HTTP family: `answer` decides about each request.
    pub fn answer(&self, at: &str, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Log {
        let answer = Arc::new(answer);
        let log = self.streams.log().of(at);
        let of_server = log.clone();
        self.serve(at, move |connection, stream| {
            let (requests, answer) = (of_server.connection(connection), answer.clone());
            async move { requests.serve(stream, &*answer).await }
        });
        log
    }

    /// Receives the requests of one connection to a server at `at`, for a server that a test writes by itself.
    pub fn requests(&self, at: &str, connection: usize) -> Requests {
        self.streams.log().of(at).connection(connection)
    }

    /// What the servers were asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.streams.log().all()
    }

    /// What one host was asked, in order.
    pub fn asked_of(&self, ip: &str) -> Vec<Asked> {
        let ip: IpAddr = ip.parse().unwrap();
        self.asked().into_iter().filter(|asked| asked.of.ip() == ip).collect()
    }

    /// Drops the records of what was asked, sent and connected so far, for tests that run for months.
    pub fn forget_records(&self) {
        self.streams.forget_records();
        self.datagrams.forget_records();
        self.links.forget_records();
    }

    /// All connects and when they began, in order.
    pub fn connects(&self) -> Vec<(Instant, SocketAddr)> {
        self.streams.connects()
    }

    /// How often an address was connected to.
    pub fn connections(&self, to: &str) -> usize {
        let to: SocketAddr = to.parse().unwrap();
        self.connects().iter().filter(|(_, at)| *at == to).count()
    }

    /// What only this method of discovery does panics.
    pub fn panic_in(&self, method: Method) {
        match method {
            Method::Arp => self.links.panic_on_frames(),
            _ => self.datagrams.panic_in(method),
        }
    }
}

impl Streams for FakeNet {
    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        self.links.sent_to(to.ip());
        self.streams.connect(to)
    }
}

impl Datagrams for FakeNet {
    fn udp(&self, bind: &UdpBind) -> io::Result<Box<dyn Datagram>> {
        self.datagrams.udp(bind)
    }

    fn icmp(&self, v6: bool) -> io::Result<Box<dyn Datagram>> {
        self.datagrams.icmp(v6)
    }
}

impl Links for FakeNet {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        self.links.interfaces()
    }

    fn link(&self, interface: &Interface, kind: LinkKind) -> io::Result<Box<dyn Link>> {
        self.links.link(interface, kind)
    }

    fn own_port(&self) -> io::Result<OwnPort> {
        self.links.own_port()
    }

    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>> {
        self.links.neighbours()
    }

    fn routes(&self) -> BoxFuture<'_, io::Result<Vec<Route>>> {
        self.links.routes()
    }

    fn nudge(&self, to: &[IpAddr]) -> io::Result<usize> {
        self.links.nudge(to)
    }

    fn forget(&self, neighbour: &Neighbour) -> io::Result<()> {
        self.links.forget(neighbour)
    }

    fn note_zone(&self, ip: IpAddr, interface_index: u32) {
        self.links.note_zone(ip, interface_index);
    }
}

impl Names for FakeNet {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.names.resolve(name)
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>> {
        self.names.reverse(ip)
    }
}

/// A lock that a panicking server does not spoil for the others.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
