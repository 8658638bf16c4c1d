//! Systems without raw links and neighbour tables of our own: hosts are found by TCP and multicast alone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use crate::net::{Interface, Link, Neighbour, link::LinkKind};

fn unsupported<T>(what: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("{what} are not supported on this system")))
}

/// None here.
pub(in crate::net) fn open_link(_: &Interface, _: LinkKind) -> io::Result<Box<dyn Link>> {
    unsupported("raw Ethernet frames")
}

/// None here.
pub(in crate::net) async fn neighbours() -> io::Result<Vec<Neighbour>> {
    unsupported("neighbour tables")
}

/// Not here: without the table nothing would come of it.
pub(in crate::net) fn nudge(_: &[SocketAddr]) -> io::Result<usize> {
    unsupported("neighbour tables")
}

/// Not here: who is silent is waited for.
pub(in crate::net) fn hear_refusals(_: &socket2::Socket, _v6: bool) -> io::Result<()> {
    unsupported("refused datagrams")
}

/// Sends multicast by the interface that has the local address.
pub(in crate::net) fn set_multicast_interface_v4(
    socket: &socket2::Socket,
    _interface: u32,
    local: Ipv4Addr,
) -> io::Result<()> {
    socket.set_multicast_if_v4(&local)
}
