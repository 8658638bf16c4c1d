//! One row of the kernel's neighbour table, read and deleted by rtnetlink(7).

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rtnetlink::packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::RouteProtocol;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{RecvFlags, connect, recv};
use socket2::{Protocol, Socket, Type};

/// The kernel answers within the call; this bounds the case that it does not.
const PATIENCE: Duration = Duration::from_millis(200);
/// Bytes of an answer about one row at most.
const MOST: usize = 8192;

/// The table, by a socket of its own.
pub(super) struct Neighbours {
    kernel: Socket,
    number: Cell<u32>,
}

impl Neighbours {
    /// Opens the socket, which takes no capability.
    ///
    /// # Errors
    /// What the system answered.
    pub(super) fn open() -> io::Result<Neighbours> {
        #[expect(clippy::disallowed_methods, reason = "this is the place where sockets are opened")]
        let kernel = Socket::new(libc::AF_NETLINK.into(), Type::RAW, Some(Protocol::from(libc::NETLINK_ROUTE)))?;
        // What other processes send to it is refused from now on.
        connect(&kernel, &SocketAddrNetlink::new(0, 0))?;
        kernel.set_read_timeout(Some(PATIENCE))?;
        Ok(Neighbours { kernel, number: Cell::new(0) })
    }

    /// Deletes the row of a neighbour, unless somebody has set it. No answer of the kernel is awaited.
    ///
    /// # Errors
    /// `PermissionDenied` for a row that is to stay; when there is none, and on kernels before 5.0, which do not read
    /// single rows, what the system answered.
    pub(super) fn forget(&self, interface: u32, ip: IpAddr) -> io::Result<()> {
        let row = self.read(interface, ip)?;
        if !is_learnt(&row) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.send(RouteNetlinkMessage::DelNeighbour(row_of(interface, ip))).map(drop)
    }

    fn read(&self, interface: u32, ip: IpAddr) -> io::Result<NeighbourMessage> {
        let number = self.send(RouteNetlinkMessage::GetNeighbour(row_of(interface, ip)))?;
        let until = Instant::now() + PATIENCE;
        let mut bytes = [0; MOST];
        while Instant::now() < until {
            let length = recv(&self.kernel, &mut bytes, RecvFlags::empty())?.1;
            let bytes = bytes.get(..length).unwrap_or_default();
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).map_err(io::Error::other)?;
            // The error of an earlier deletion, for one.
            if message.header.sequence_number != number {
                continue;
            }
            return match message.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(row)) if is_of(&row, interface, ip) => {
                    Ok(row)
                }
                NetlinkPayload::Error(error) => Err(error.to_io()),
                _ => Err(io::ErrorKind::InvalidData.into()),
            };
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Sends a request and gives its number.
    fn send(&self, request: RouteNetlinkMessage) -> io::Result<u32> {
        let number = self.number.get().wrapping_add(1);
        self.number.set(number);
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST;
        message.header.sequence_number = number;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.kernel.send(&bytes)?;
        Ok(number)
    }
}

fn row_of(interface: u32, ip: IpAddr) -> NeighbourMessage {
    let mut row = NeighbourMessage::default();
    row.header.ifindex = interface;
    let (family, address) = match ip {
        IpAddr::V4(v4) => (AddressFamily::Inet, NeighbourAddress::Inet(v4)),
        IpAddr::V6(v6) => (AddressFamily::Inet6, NeighbourAddress::Inet6(v6)),
    };
    row.header.family = family;
    row.attributes.push(NeighbourAttribute::Destination(address));
    row
}

fn is_of(row: &NeighbourMessage, interface: u32, ip: IpAddr) -> bool {
    let is_it = |attribute: &NeighbourAttribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => ip == IpAddr::V4(*v4),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => ip == IpAddr::V6(*v6),
        _ => false,
    };
    row.header.ifindex == interface && row.attributes.iter().any(is_it)
}

/// Whether the kernel found the neighbour by itself: nobody set the row by hand, and no routing daemon keeps it.
fn is_learnt(row: &NeighbourMessage) -> bool {
    use NeighbourState as S;
    let is_dynamic = matches!(row.header.state, S::Reachable | S::Stale | S::Delay | S::Probe);
    let kept = NeighbourFlags::Proxy | NeighbourFlags::ExtLearned | NeighbourFlags::Sticky;
    let is_kept = |attribute: &NeighbourAttribute| match attribute {
        NeighbourAttribute::Protocol(by) => *by != RouteProtocol::Unspec,
        NeighbourAttribute::ExtFlags(flags) => *flags != NeighbourExtFlags::empty(),
        _ => false,
    };
    is_dynamic && !row.header.flags.intersects(kept) && !row.attributes.iter().any(is_kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_the_kernel_found_by_itself_are_deleted() {
        use NeighbourState as S;
        for (state, flags, expected) in [
            (S::Reachable, NeighbourFlags::empty(), true),
            (S::Stale, NeighbourFlags::empty(), true),
            (S::Delay, NeighbourFlags::Router, true),
            (S::Probe, NeighbourFlags::empty(), true),
            (S::Permanent, NeighbourFlags::empty(), false),
            (S::Noarp, NeighbourFlags::empty(), false),
            (S::Failed, NeighbourFlags::empty(), false),
            (S::Incomplete, NeighbourFlags::empty(), false),
            (S::Reachable, NeighbourFlags::ExtLearned, false),
            (S::Stale, NeighbourFlags::Proxy, false),
            (S::Stale, NeighbourFlags::Sticky, false),
        ] {
            let mut row = row_of(2, [192, 0, 2, 9].into());
            (row.header.state, row.header.flags) = (state, flags);
            assert_eq!(is_learnt(&row), expected, "{state:?} {flags:?}");
        }
        for (attribute, expected) in [
            (NeighbourAttribute::Probes(1), true),
            (NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed), false),
            (NeighbourAttribute::Protocol(RouteProtocol::Static), false),
            (NeighbourAttribute::Protocol(RouteProtocol::Zebra), false),
        ] {
            let mut row = row_of(2, [192, 0, 2, 9].into());
            row.header.state = S::Reachable;
            row.attributes.push(attribute.clone());
            assert_eq!(is_learnt(&row), expected, "{attribute:?}");
        }
    }

    #[test]
    fn a_row_is_known_by_its_interface_and_address() {
        for ip in ["192.0.2.9", "2001:db8::9"] {
            let ip: IpAddr = ip.parse().unwrap();
            let row = row_of(7, ip);
            assert!(is_of(&row, 7, ip) && !is_of(&row, 8, ip) && !is_of(&row, 7, [192, 0, 2, 10].into()));
        }
    }

    #[test]
    fn a_row_that_is_not_there_is_not_deleted() {
        assert!(Neighbours::open().unwrap().forget(1, [127, 0, 0, 77].into()).is_err());
    }
}
