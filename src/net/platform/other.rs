//! Systems without raw links and neighbour tables of our own: hosts are found by TCP and multicast alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::Socket;

use crate::net::{Interface, Link, Neighbour, Route, link::LinkKind};

fn unsupported<T>(what: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("{what} are not supported on this system")))
}

/// None here.
pub(in crate::net) fn open_link(_: Socket, _: &Interface, _: LinkKind) -> io::Result<Box<dyn Link>> {
    unsupported("raw Ethernet frames")
}

/// None here.
pub(in crate::net) fn link_on(_: Socket, _: LinkKind) -> io::Result<Box<dyn Link>> {
    unsupported("raw Ethernet frames")
}

/// None here.
pub(in crate::net) async fn neighbours() -> io::Result<Vec<Neighbour>> {
    unsupported("neighbour tables")
}

/// None here.
pub(in crate::net) async fn routes() -> io::Result<Vec<Route>> {
    unsupported("routing tables")
}

/// Not here: without the table nothing would come of it.
pub(in crate::net) fn nudge(_: &[SocketAddr]) -> io::Result<usize> {
    unsupported("neighbour tables")
}

/// Not here: who is silent is waited for.
pub(in crate::net) fn receive_refusals(_: &socket2::Socket, _v6: bool) -> io::Result<()> {
    unsupported("refused datagrams")
}

/// Not known here.
pub(in crate::net) fn sender_check(_interface: &str) -> Option<crate::net::SenderCheck> {
    None
}

/// Not here: a socket hears what is joined.
pub(in crate::net) fn receive_own_groups_only(_: &socket2::Socket, _v6: bool) -> io::Result<()> {
    unsupported("sockets of one group")
}

/// Sends multicast by the interface that has the local address.
pub(in crate::net) fn set_multicast_interface_v4(
    socket: &socket2::Socket,
    _interface: u32,
    local: Ipv4Addr,
) -> io::Result<()> {
    socket.set_multicast_if_v4(&local)
}

/// Nothing is given up here: only Linux parts root's rights.
pub(in crate::net) fn give_up(_keep_files: bool) -> io::Result<()> {
    Ok(())
}

/// Does it, with the rights there are.
pub(in crate::net) fn with_file_rights<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Nothing is opened ahead.
#[derive(Default)]
pub(in crate::net) struct Reserve;

impl Reserve {
    /// Nothing.
    pub(in crate::net) fn open(
        _links: usize,
        _icmp_each: usize,
        _icmp: impl Fn(bool) -> io::Result<Socket>,
    ) -> Reserve {
        Reserve
    }

    /// None here.
    pub(in crate::net) fn link(&self) -> io::Result<Socket> {
        unsupported("raw Ethernet frames")
    }

    /// None.
    pub(in crate::net) fn icmp(&self, _v6: bool) -> Option<Borrowed> {
        None
    }
}

/// A socket of the reserve: there is none here.
pub(in crate::net) enum Borrowed {}

impl Borrowed {
    /// Never called.
    pub(in crate::net) fn socket(&self) -> io::Result<Socket> {
        match *self {}
    }
}

/// No privileged helper here.
pub(in crate::net) struct Helper;

impl Helper {
    /// None here.
    pub(in crate::net) fn start(_many_scans: bool) -> io::Result<Helper> {
        unsupported("privileged helpers")
    }

    /// It does not.
    pub(in crate::net) fn opens_links(&self) -> bool {
        false
    }

    /// None here.
    pub(in crate::net) fn open_link(&self, _interface: u32, _kind: LinkKind) -> io::Result<Socket> {
        unsupported("raw Ethernet frames")
    }

    /// Not here.
    pub(in crate::net) fn forget(&self, _ip: IpAddr, _interface: u32) -> io::Result<()> {
        unsupported("neighbour tables")
    }
}
