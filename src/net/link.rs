//! Raw Ethernet frames behind one small trait.

use std::io;
use std::net::IpAddr;

use futures::future::BoxFuture;

use crate::model::MacAddr;

/// The UDP ports of the discovery protocols: a link on which everybody is heard receives no datagrams but those from or to
/// these.
pub const DISCOVERY_PORTS: [u16; 17] = [
    1757, 1758, 1900, 2380, 3702, 5050, 5353, 7701, 7711, 8600, 10_000, 10_001, 10_669, 10_670, 34_569, 37_020, 37_810,
];

/// Which frames are wanted; the platform filters the others out in the kernel where it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// ARP replies and requests.
    Arp,
    /// What devices send to everybody: ARP, and UDP datagrams from or to [`DISCOVERY_PORTS`], also those that the kernel drops
    /// since it has no route to their sender.
    Overheard,
    /// TCP segments to this local port with SYN+ACK or RST.
    TcpAnswers {
        /// The local port.
        port: u16,
    },
}

/// An interface opened for raw Ethernet frames. Never in promiscuous mode.
pub trait Link: Send + Sync {
    /// Hands whole frames to the kernel in one batch; says how many it took. `WouldBlock` and `ENOBUFS` mean: slower.
    fn send(&self, frames: &[&[u8]]) -> io::Result<usize>;

    /// Receives what has come, at least one frame, calling `take` with each.
    fn receive<'a>(&'a self, take: &'a mut (dyn FnMut(&[u8]) + Send)) -> BoxFuture<'a, io::Result<usize>>;
}

/// A TCP port of this machine that nobody else gets while this lives. Nobody listens on it, so that the kernel resets
/// every connection somebody believes to have to it.
#[derive(Debug)]
pub struct OwnPort {
    /// The port.
    pub number: u16,
    /// What holds it.
    pub(super) _socket: Option<socket2::Socket>,
}

#[cfg(any(test, feature = "testkit"))]
impl OwnPort {
    /// A port of a test's network, which nothing holds.
    pub fn unheld(number: u16) -> Self {
        OwnPort { number, _socket: None }
    }
}

/// One row of the kernel's neighbour table that has a usable MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// The neighbour's address.
    pub ip: IpAddr,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Index of the interface.
    pub interface: u32,
    /// Whether it has answered within the last half minute or so (REACHABLE). What is merely remembered (STALE), or being
    /// asked again just now (DELAY, PROBE), may have left long ago.
    pub confirmed: bool,
}
