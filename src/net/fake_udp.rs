//! A network for tests that carries datagrams only: what is sent is kept, and a script answers.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{BoxStream, Datagram, Datagrams, Interface, Link, Links, Names, Neighbour, Streams, UdpBind, link};

/// A datagram that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// How its socket is bound, with the port it got.
    pub bind: SocketAddr,
    /// The interface multicast leaves by.
    pub interface: u32,
    /// Whether the socket may broadcast.
    pub broadcast: bool,
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub data: Vec<u8>,
    /// When.
    pub at: Instant,
}

/// An answer of the script: after a while, from somewhere, these bytes or this failure of the receive.
pub type Answer = (Duration, SocketAddr, io::Result<Vec<u8>>);

type Script = dyn Fn(&Sent) -> Vec<Answer> + Send + Sync;

/// The network.
pub struct FakeUdp {
    interfaces: Vec<Interface>,
    script: Arc<Script>,
    sent: Arc<Mutex<Vec<Sent>>>,
    /// How sockets were bound, in order.
    pub binds: Mutex<Vec<UdpBind>>,
    /// Zones noted.
    pub zones: Mutex<Vec<(IpAddr, u32)>>,
    /// Local addresses that cannot be bound.
    pub refused: Mutex<Vec<SocketAddr>>,
    next_port: AtomicU16,
}

impl FakeUdp {
    /// A network of these interfaces on which `script` answers what is sent, to the socket it was sent from.
    pub fn new(
        interfaces: Vec<Interface>,
        script: impl Fn(&Sent) -> Vec<Answer> + Send + Sync + 'static,
    ) -> Arc<FakeUdp> {
        Arc::new(FakeUdp {
            interfaces,
            script: Arc::new(script),
            sent: Arc::default(),
            binds: Mutex::default(),
            zones: Mutex::default(),
            refused: Mutex::default(),
            next_port: AtomicU16::new(40_000),
        })
    }

    /// What was sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }
}

/// An interface that is up.
pub fn interface(name: &str, index: u32, addresses: &[&str]) -> Interface {
    Interface {
        name: name.to_owned(),
        index,
        mac: None,
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        loopback: name == "lo",
        point_to_point: false,
    }
}

struct Socket {
    local: SocketAddr,
    bind: UdpBind,
    script: Arc<Script>,
    sent: Arc<Mutex<Vec<Sent>>>,
    inbox: mpsc::UnboundedSender<(SocketAddr, io::Result<Vec<u8>>)>,
    arrived: tokio::sync::Mutex<mpsc::UnboundedReceiver<(SocketAddr, io::Result<Vec<u8>>)>>,
}

impl Datagram for Socket {
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        let sent = Sent {
            bind: self.local,
            interface: self.bind.interface,
            broadcast: self.bind.broadcast,
            to,
            data: data.to_vec(),
            at: Instant::now(),
        };
        let mut answers: VecDeque<Answer> = (self.script)(&sent).into();
        self.sent.lock().unwrap().push(sent);
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            let start = Instant::now();
            answers.make_contiguous().sort_by_key(|a| a.0);
            for (after, from, what) in answers {
                tokio::time::sleep_until(start + after).await;
                let _ = inbox.send((from, what));
            }
        });
        futures::future::ready(Ok(data.len())).boxed()
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        async move {
            let mut arrived = self.arrived.lock().await;
            let (from, what) = loop {
                let (from, what) = arrived.recv().await.unwrap();
                let is_refused = what.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
                // A socket that asks many is not told who of them refused.
                if !is_refused || self.bind.hears_refusals {
                    break (from, what);
                }
            };
            let what = what?;
            let length = what.len().min(buf.len());
            buf[..length].copy_from_slice(&what[..length]);
            Ok((length, from))
        }
        .boxed()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Streams for FakeUdp {
    fn connect(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        futures::future::ready(Err(io::ErrorKind::ConnectionRefused.into())).boxed()
    }
}

impl Datagrams for FakeUdp {
    fn udp(&self, bind: &UdpBind) -> io::Result<Box<dyn Datagram>> {
        self.binds.lock().unwrap().push(bind.clone());
        if self.refused.lock().unwrap().contains(&bind.local) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let mut local = bind.local;
        if local.port() == 0 {
            local.set_port(self.next_port.fetch_add(1, Ordering::Relaxed));
        }
        let (inbox, arrived) = mpsc::unbounded_channel();
        Ok(Box::new(Socket {
            local,
            bind: bind.clone(),
            script: self.script.clone(),
            sent: self.sent.clone(),
            inbox,
            arrived: tokio::sync::Mutex::new(arrived),
        }))
    }

    fn icmp(&self, _: bool) -> io::Result<Box<dyn Datagram>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

impl Links for FakeUdp {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        Ok(self.interfaces.clone())
    }

    fn link(&self, _: &Interface, _: link::LinkKind) -> io::Result<Box<dyn Link>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>> {
        futures::future::ready(Ok(Vec::new())).boxed()
    }

    fn note_zone(&self, ip: IpAddr, interface_index: u32) {
        self.zones.lock().unwrap().push((ip, interface_index));
    }
}

impl Names for FakeUdp {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        futures::future::ready(Ok(Vec::new())).boxed()
    }

    fn reverse(&self, _: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>> {
        futures::future::ready(Ok(None)).boxed()
    }
}
