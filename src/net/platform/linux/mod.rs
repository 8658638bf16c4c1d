//! Linux: raw frames by AF_PACKET, the neighbour table by netlink, privileges. The only unsafe code of the program is here.

mod filter;
mod helper;
mod neighbours;
mod packet;
mod rights;
mod routes;
mod sender_check;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

pub(in crate::net) use helper::Helper;
pub(in crate::net) use neighbours::neighbours;
pub(in crate::net) use packet::{link_on, open_link};
pub(in crate::net) use rights::{Borrowed, Reserve, give_up, with_file_rights};
pub(in crate::net) use routes::routes;
pub(in crate::net) use sender_check::sender_check;

/// Sets an option of a socket.
fn set_option<T: Copy>(socket: &Socket, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    #[expect(unsafe_code, reason = "socket2 has no call for these options")]
    // SAFETY: the pointer and the length describe `value`, which lives through the call and which the kernel only reads.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends multicast by the interface of that index, whatever addresses it has.
pub(in crate::net) fn set_multicast_interface_v4(socket: &Socket, interface: u32, _local: Ipv4Addr) -> io::Result<()> {
    let any = libc::in_addr { s_addr: 0 };
    let request = libc::ip_mreqn { imr_multiaddr: any, imr_address: any, imr_ifindex: interface as libc::c_int };
    set_option(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
}

/// Makes a socket hear the groups alone that it has joined itself, on the interfaces where it has (ip(7), ipv6(7)).
pub(in crate::net) fn receive_own_groups_only(socket: &Socket, v6: bool) -> io::Result<()> {
    match v6 {
        true => set_option(socket, libc::IPPROTO_IPV6, IPV6_MULTICAST_ALL, &0i32),
        false => set_option(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, &0i32),
    }
}

/// From linux/in6.h; Linux 4.20.
const IPV6_MULTICAST_ALL: libc::c_int = 29;

/// Makes receiving on an unconnected datagram socket fail when an ICMP answer says that a datagram was refused (ip(7),
/// ipv6(7)).
pub(in crate::net) fn receive_refusals(socket: &Socket, v6: bool) -> io::Result<()> {
    match v6 {
        true => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &1i32),
        false => set_option(socket, libc::IPPROTO_IP, libc::IP_RECVERR, &1i32),
    }
}

/// Sends an empty datagram to each endpoint, which makes the kernel ask for its MAC address. Says how many of them, up to
/// the first of another IP version, the kernel took.
///
/// # Errors
/// `ENOBUFS` when the neighbour table is full, `WouldBlock` when too many datagrams wait for an answer, both only when
/// not even the first was taken.
pub(in crate::net) fn nudge(to: &[SocketAddr]) -> io::Result<usize> {
    let Some(first) = to.first() else { return Ok(0) };
    #[expect(clippy::disallowed_methods, reason = "this is the place where sockets are opened")]
    let socket = Socket::new(Domain::for_address(*first), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Without it the kernel hides that its neighbour table is full, and the datagram is lost without a word.
    receive_refusals(&socket, first.is_ipv6())?;
    for (taken, endpoint) in to.iter().enumerate() {
        if endpoint.is_ipv6() != first.is_ipv6() {
            return Ok(taken);
        }
        match nudge_one(&socket, *endpoint) {
            Err(error) if taken == 0 => return Err(error),
            Err(_) => return Ok(taken),
            Ok(()) => {}
        }
    }
    Ok(to.len())
}

fn nudge_one(socket: &Socket, to: SocketAddr) -> io::Result<()> {
    let address = SockAddr::from(to);
    // An error of an earlier datagram (refused, unreachable) is said once, by a later send; then the way is free.
    for _ in 0..4 {
        match socket.send_to(&[], &address) {
            Ok(_) => return Ok(()),
            Err(error) if is_full(&error) => return Err(error),
            // IPv6 says so when its table is full (ip6_finish_output2() in Linux), and for an address without its zone.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && has_zone(to) => {
                return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

fn has_zone(to: SocketAddr) -> bool {
    match to {
        SocketAddr::V4(_) => false,
        SocketAddr::V6(v6) => v6.scope_id() != 0 || !v6.ip().is_unicast_link_local(),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM))
}
