//! UDP and ICMP sockets of the fake network: what is sent is kept, scripts answer it, and sockets reach each other.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{OWN_IP, PANIC, locked};
use crate::model::Method;
use crate::net::{Datagram, Datagrams, UdpBind};

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

/// A script's answer: after a while, from somewhere, these bytes or this failure of the receive.
pub type Answer = (Duration, SocketAddr, io::Result<Vec<u8>>);

type Script = Arc<dyn Fn(&Sent) -> Vec<Answer> + Send + Sync>;
type Arrival = (SocketAddr, io::Result<Vec<u8>>);

/// The first port a socket gets that does not ask for one.
const FIRST_PORT: u16 = 40_000;

#[derive(Default)]
struct State {
    scripts: Vec<Script>,
    sent: Vec<Sent>,
    binds: Vec<UdpBind>,
    refused: Vec<SocketAddr>,
    /// The open sockets by number.
    sockets: HashMap<usize, (SocketAddr, mpsc::UnboundedSender<Arrival>)>,
    opened: usize,
    ports_given: u16,
    /// Who answers when all nodes of the link are asked for an echo.
    echoes: Vec<IpAddr>,
    panics_in: Option<Method>,
}

/// The sockets. Clones are the same network.
#[derive(Clone, Default)]
pub struct FakeDatagrams {
    state: Arc<Mutex<State>>,
}

impl FakeDatagrams {
    /// Drops the records of datagrams and sockets.
    pub(super) fn forget_records(&self) {
        let mut state = locked(&self.state);
        (state.sent, state.binds) = (Vec::new(), Vec::new());
    }

    /// Answers datagrams, to the socket each was sent from, beside the scripts there are.
    pub fn on_datagram(&self, script: impl Fn(&Sent) -> Vec<Answer> + Send + Sync + 'static) {
        locked(&self.state).scripts.push(Arc::new(script));
    }

    /// What was sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        locked(&self.state).sent.clone()
    }

    /// How sockets were bound, in order.
    pub fn binds(&self) -> Vec<UdpBind> {
        locked(&self.state).binds.clone()
    }

    /// Refuses to bind sockets to a local address.
    pub fn refuse_bind(&self, local: &str) {
        locked(&self.state).refused.push(local.parse().unwrap());
    }

    /// These answer when all nodes of the link are asked for an ICMPv6 echo. Without any, no echo may be sent.
    pub fn echo_v6(&self, hosts: impl IntoIterator<Item = IpAddr>) {
        locked(&self.state).echoes.extend(hosts);
    }

    /// What only this method of discovery sends panics.
    pub(super) fn panic_in(&self, method: Method) {
        locked(&self.state).panics_in = Some(method);
    }

    fn check_panic(&self, method: Method) {
        let panics = locked(&self.state).panics_in == Some(method);
        assert!(!panics, "{PANIC}");
    }
}

impl Datagrams for FakeDatagrams {
    fn udp(&self, bind: &UdpBind) -> io::Result<Box<dyn Datagram>> {
        let mut state = locked(&self.state);
        state.binds.push(bind.clone());
        let is_taken = |state: &State, local| state.sockets.values().any(|(other, _)| *other == local);
        // Only sockets that joined a group share a port, as on a real machine.
        if state.refused.contains(&bind.local) || bind.join.is_empty() && is_taken(&state, bind.local) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let mut local = bind.local;
        while local.port() == 0 || bind.local.port() == 0 && is_taken(&state, local) {
            local.set_port(FIRST_PORT + state.ports_given % (u16::MAX - FIRST_PORT));
            state.ports_given = state.ports_given.wrapping_add(1);
        }
        let (inbox, arrived) = mpsc::unbounded_channel();
        let number = state.opened;
        state.opened += 1;
        state.sockets.insert(number, (local, inbox.clone()));
        drop(state);
        let arrived = tokio::sync::Mutex::new(arrived);
        Ok(Box::new(Socket { number, local, bind: bind.clone(), net: self.clone(), inbox, arrived }))
    }

    fn icmp(&self, v6: bool) -> io::Result<Box<dyn Datagram>> {
        self.check_panic(Method::Icmp);
        if !v6 || locked(&self.state).echoes.is_empty() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (inbox, arrived) = mpsc::unbounded_channel();
        Ok(Box::new(Echo { net: self.clone(), inbox, arrived: tokio::sync::Mutex::new(arrived) }))
    }
}

struct Socket {
    number: usize,
    local: SocketAddr,
    bind: UdpBind,
    net: FakeDatagrams,
    inbox: mpsc::UnboundedSender<Arrival>,
    arrived: tokio::sync::Mutex<mpsc::UnboundedReceiver<Arrival>>,
}

impl Socket {
    /// Hands a datagram to the sockets of this network that it is addressed to.
    fn deliver(&self, data: &[u8], to: SocketAddr) {
        let from_ip = if self.local.ip().is_unspecified() { OWN_IP } else { self.local.ip() };
        let from = SocketAddr::new(from_ip, self.local.port());
        let is_addressed = |local: &SocketAddr| {
            *local == to || to.ip() == OWN_IP && local.ip().is_unspecified() && local.port() == to.port()
        };
        for (_, inbox) in locked(&self.net.state).sockets.values().filter(|(local, _)| is_addressed(local)) {
            let _ = inbox.send((from, Ok(data.to_vec())));
        }
    }
}

/// The method that asks everybody at such an address, if it is one of all.
fn method_of(to: SocketAddr) -> Option<Method> {
    let is_to_all =
        to.ip().is_multicast() || to.ip() == IpAddr::from([255; 4]) || to.ip() == IpAddr::from([192, 0, 2, 255]);
    is_to_all.then_some(match to.port() {
        3702 => Method::Onvif,
        1900 => Method::Ssdp,
        5353 => Method::Mdns,
        _ => Method::Beacon,
    })
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
        if let Some(method) = method_of(to) {
            self.net.check_panic(method);
        }
        let scripts = locked(&self.net.state).scripts.clone();
        let mut answers: Vec<Answer> = scripts.iter().flat_map(|script| script(&sent)).collect();
        locked(&self.net.state).sent.push(sent);
        self.deliver(data, to);
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            let start = Instant::now();
            answers.sort_by_key(|(after, ..)| *after);
            for (after, from, what) in answers {
                tokio::time::sleep_until(start + after).await;
                let _ = inbox.send((from, what));
            }
        });
        futures::future::ready(Ok(data.len())).boxed()
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        async move {
            loop {
                let (from, what) = self.arrived.lock().await.recv().await.unwrap();
                let is_refusal = what.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
                // A socket that asks many does not learn which of them refused.
                if !is_refusal || self.bind.receives_refusals {
                    return Ok((copy(&what?, buf), from));
                }
            }
        }
        .boxed()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        locked(&self.net.state).sockets.remove(&self.number);
    }
}

/// Copies what fits into `buf`.
fn copy(data: &[u8], buf: &mut [u8]) -> usize {
    let length = data.len().min(buf.len());
    buf[..length].copy_from_slice(&data[..length]);
    length
}

/// A socket for ICMPv6 echoes.
struct Echo {
    net: FakeDatagrams,
    inbox: mpsc::UnboundedSender<(Vec<u8>, SocketAddr)>,
    arrived: tokio::sync::Mutex<mpsc::UnboundedReceiver<(Vec<u8>, SocketAddr)>>,
}

impl Datagram for Echo {
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        if to.ip().is_multicast() {
            // RFC 4443 §4.2: the same but for the type.
            let answer = [&[129], &data[1..]].concat();
            for ip in locked(&self.net.state).echoes.clone() {
                let _ = self.inbox.send((answer.clone(), SocketAddr::new(ip, 0)));
            }
        }
        futures::future::ready(Ok(data.len())).boxed()
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        async move {
            let (data, from) = self.arrived.lock().await.recv().await.unwrap();
            Ok((copy(&data, buf), from))
        }
        .boxed()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))
    }
}
