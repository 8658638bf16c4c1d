//! Has the kernel forget neighbours (`RTM_DELNEIGH`, rtnetlink(7)), which takes CAP_NET_ADMIN. Whoever reads the network
//! has given that up, so a process of its own keeps it: a copy of this one from before its first thread, which hears of
//! nothing but addresses, does nothing but this, and ends when the other end is closed.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rtnetlink::packet_core::{NLM_F_REQUEST, NetlinkMessage};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::CapabilitySet;
use socket2::{Domain, Protocol, Socket, Type};

use super::rights;

/// What it is told: the interface's index, 4 or 6, and an address of which IPv4 fills the first four bytes.
const ORDER: usize = 4 + 1 + 16;

/// The end that those who may not forget by themselves hold.
pub(in crate::net) struct Forgetter {
    orders: Socket,
    process: Option<Pid>,
}

impl Forgetter {
    /// Parts off the process that keeps the right.
    ///
    /// # Errors
    /// When the right is not there, this process has started another thread already, or the system refuses.
    pub(in crate::net) fn start() -> io::Result<Forgetter> {
        if !rights::has(CapabilitySet::NET_ADMIN) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if std::fs::read_dir("/proc/self/task")?.count() > 1 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // Each order arrives whole or not at all, and the scan waits for nobody to take one.
        let (orders, heard) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None)?;
        orders.set_nonblocking(true)?;
        #[expect(unsafe_code, reason = "a copy of the process has no safe call")]
        // SAFETY: there is one thread, as was just seen, so that no lock is held in the copy by one that it does not have.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(orders);
                // What goes wrong ends it, an internal error too; the scan then waits for rows to become free.
                let _ = catch_unwind(AssertUnwindSafe(|| serve(heard)));
                end()
            }
            number => Ok(Forgetter { orders, process: Pid::from_raw(number) }),
        }
    }

    /// Has the kernel forget a neighbour of an interface soon.
    ///
    /// # Errors
    /// When the process is gone, or has more orders than it can take: later again.
    pub(in crate::net) fn forget(&self, ip: IpAddr, interface: u32) -> io::Result<()> {
        self.orders.send(&order(ip, interface)).map(drop)
    }
}

impl Drop for Forgetter {
    fn drop(&mut self) {
        // It hears the end of its orders and is gone at once; nobody else would take note of that.
        let _ = self.orders.shutdown(Shutdown::Both);
        let _ = self.process.map(|process| waitpid(Some(process), WaitOptions::empty()));
    }
}

/// Ends the copy as it is: what the other process left unwritten is not this one's to write.
fn end() -> ! {
    #[expect(unsafe_code, reason = "the safe way runs what the other process has registered for its end")]
    // SAFETY: it takes a number and does not come back.
    unsafe {
        libc::_exit(0)
    }
}

fn serve(mut orders: Socket) -> io::Result<()> {
    leave_alone(&orders);
    rights::give_up_all_but(CapabilitySet::NET_ADMIN)?;
    #[expect(clippy::disallowed_methods, reason = "this is the place where sockets are opened")]
    let kernel = Socket::new(libc::AF_NETLINK.into(), Type::RAW, Some(Protocol::from(libc::NETLINK_ROUTE)))?;
    let mut order = [0; ORDER];
    while orders.read(&mut order)? == ORDER {
        // A row that is gone already, or that the kernel keeps, needs no answer: the scan sees the table.
        let _ = kernel.send(&request(&order));
    }
    Ok(())
}

/// Ctrl-C is for the other process, and so are its input, its output and its files.
fn leave_alone(orders: &Socket) {
    let kept = orders.as_raw_fd().unsigned_abs();
    #[expect(unsafe_code, reason = "the standard library has neither call")]
    // SAFETY: the first call sets no handler that could run; the others close what this copy never touches again, all but
    // the socket it owns. Kernels before 5.9 do not know them: then the files stay open until the end, which does no harm.
    unsafe {
        for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
            libc::signal(number, libc::SIG_IGN);
        }
        if let Some(last) = kept.checked_sub(1) {
            libc::close_range(0, last, 0);
        }
        libc::close_range(kept + 1, u32::MAX, 0);
    }
}

fn order(ip: IpAddr, interface: u32) -> [u8; ORDER] {
    let [i0, i1, i2, i3] = interface.to_ne_bytes();
    let (version, address) = match ip {
        IpAddr::V4(v4) => (4, u128::from(u32::from(v4)) << 96),
        IpAddr::V6(v6) => (6, u128::from(v6)),
    };
    let mut order = [0; ORDER];
    order[..5].copy_from_slice(&[i0, i1, i2, i3, version]);
    order[5..].copy_from_slice(&address.to_be_bytes());
    order
}

/// What the kernel is asked for by an order.
fn request(order: &[u8; ORDER]) -> Vec<u8> {
    let [i0, i1, i2, i3, version, address @ ..] = *order;
    let [a, b, c, d, ..] = address;
    let mut row = NeighbourMessage::default();
    row.header.ifindex = u32::from_ne_bytes([i0, i1, i2, i3]);
    let (family, address) = match version {
        4 => (AddressFamily::Inet, NeighbourAddress::Inet(Ipv4Addr::new(a, b, c, d))),
        _ => (AddressFamily::Inet6, NeighbourAddress::Inet6(Ipv6Addr::from(address))),
    };
    row.header.family = family;
    row.attributes.push(NeighbourAttribute::Destination(address));
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::DelNeighbour(row));
    message.header.flags = NLM_F_REQUEST;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::NetlinkPayload;

    use super::*;

    #[test]
    fn an_order_becomes_a_request_for_that_row() {
        for ip in ["192.0.2.9", "2001:db8::9"] {
            let ip: IpAddr = ip.parse().unwrap();
            let bytes = request(&order(ip, 7));
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes).unwrap();
            // No answer is asked for: nobody would read it.
            assert_eq!(message.header.flags, NLM_F_REQUEST);
            let NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelNeighbour(row)) = message.payload else {
                panic!()
            };
            let address = match ip {
                IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
                IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
            };
            assert_eq!(row.header.ifindex, 7);
            assert_eq!(row.attributes, [NeighbourAttribute::Destination(address)]);
        }
    }
}
