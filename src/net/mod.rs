//! The only sockets of the program. Everything above is given a [`Net`], or the part of it that it needs, and opens no
//! socket itself, so that a test can pass in a network of its own.

mod connection;
pub mod dial;
pub mod error;
#[cfg(feature = "serve")]
pub mod handed;
pub mod interface;
mod kept;
pub mod link;
#[cfg(feature = "serve")]
pub mod media_port;
pub mod memory;
pub mod neighbour_table;
#[cfg(feature = "legacy-tls")]
mod old_tls;
pub mod pace;
mod platform;
pub mod real;
pub mod record;
mod resolve;
pub mod route;
pub mod throttle;
pub mod tls;
pub mod udp_frame;

use std::io;
use std::net::{IpAddr, SocketAddr};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::model::target::RAW_PRINT_PORTS;

pub use connection::{Connection, Heard};
pub use dial::Dialer;
pub use error::{Cause, ConnectionStage, NetError, OldTls};
pub use interface::{Interface, SenderCheck};
pub use link::{Link, Neighbour};
pub use neighbour_table::NeighbourTable;
pub use real::RealNet;
pub use route::Route;

/// A connected byte stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Io for T {}

/// A connected byte stream of any kind.
pub type BoxStream = Box<dyn Io>;

/// TCP connections.
pub trait Streams: Send + Sync {
    /// Opens a TCP connection. Has no deadline of its own; callers go through [`Dialer`].
    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>>;

    /// Where the bytes of a connection that was just opened are to be noted; nowhere, unless somebody records.
    fn tap(&self, _to: SocketAddr) -> Option<record::Tap> {
        None
    }
}

/// UDP and ICMP sockets.
pub trait Datagrams: Send + Sync {
    /// Opens a UDP socket.
    fn udp(&self, bind: &UdpBind) -> io::Result<Box<dyn Datagram>>;

    /// Opens an ICMP echo socket for IPv4 or IPv6; datagrams are whole ICMP messages, ports are ignored.
    ///
    /// # Errors
    /// `PermissionDenied` where neither `ping_group_range` nor CAP_NET_RAW allows it.
    fn icmp(&self, v6: bool) -> io::Result<Box<dyn Datagram>>;

    /// Where it is to be noted what comes of a WebRTC session with `device`, at a port of ours and by an offer of ours; nowhere,
    /// unless somebody records.
    fn session_tap(&self, _device: IpAddr, _local_port: u16, _offer: &str) -> Option<record::SessionTap> {
        None
    }
}

/// The machine's interfaces, raw frames on them and the kernel's table of their neighbours.
pub trait Links: Send + Sync {
    /// The interfaces that are up, loopback included.
    fn interfaces(&self) -> io::Result<Vec<Interface>>;

    /// Opens an interface for raw Ethernet frames.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW; `Unsupported` where the platform has no implementation.
    fn link(&self, interface: &Interface, kind: link::LinkKind) -> io::Result<Box<dyn Link>>;

    /// Reserves a TCP port of this machine for connections that are opened by raw frames.
    fn own_port(&self) -> io::Result<link::OwnPort> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The kernel's neighbour table (ARP and NDP).
    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>>;

    /// The kernel's routes.
    ///
    /// # Errors
    /// `Unsupported` where the platform has no implementation.
    fn routes(&self) -> BoxFuture<'_, io::Result<Vec<Route>>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    /// Makes the kernel resolve the MAC addresses of these addresses of a local link, so that they appear in
    /// [`Links::neighbours`] once they answer. Returns how many it accepted, which is fewer where IPv4 and IPv6 are mixed.
    ///
    /// # Errors
    /// `ENOBUFS` or `WouldBlock` when the kernel cannot resolve more at the moment: try again later.
    fn nudge(&self, _to: &[IpAddr]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Asks for a neighbour to be deleted from the kernel's table, so that its row is free for another. Returns before it
    /// is done, and nothing reports when it fails.
    ///
    /// # Errors
    /// `Unsupported` where no process has the right to.
    fn forget(&self, _neighbour: &Neighbour) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Which senders the kernel drops on an interface; none where it drops nobody's packets, or that is not known.
    fn sender_check(&self, _interface: &str) -> Option<SenderCheck> {
        None
    }

    /// Records the interface through which an IPv6 link-local address is reached.
    fn note_zone(&self, ip: IpAddr, interface_index: u32);
}

/// Host names.
pub trait Names: Send + Sync {
    /// The addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;

    /// The name of an address, from DNS.
    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>>;
}

/// A whole network: a machine's real one, or a test's. Take the narrowest of its parts that does.
pub trait Net: Streams + Datagrams + Links + Names {}
impl<T: Streams + Datagrams + Links + Names + ?Sized> Net for T {}

/// How a UDP socket is bound.
#[derive(Debug, Clone)]
pub struct UdpBind {
    /// Local address and port; port 0 takes any.
    pub local: SocketAddr,
    /// Index of the interface that multicast leaves by; 0 leaves it to the kernel.
    pub interface: u32,
    /// Multicast groups to join on that interface.
    pub join: Vec<IpAddr>,
    /// Whether broadcasts may be sent.
    pub broadcast: bool,
    /// Whether receiving fails with `ConnectionRefused` when ICMP reports a closed port. Only for a socket with one peer.
    pub receives_refusals: bool,
}

impl UdpBind {
    /// Any port of `ip`.
    pub fn any_port(ip: IpAddr) -> Self {
        UdpBind {
            local: SocketAddr::new(ip, 0),
            interface: 0,
            join: Vec::new(),
            broadcast: false,
            receives_refusals: false,
        }
    }
}

/// A UDP socket.
pub trait Datagram: Send + Sync {
    /// Sends one datagram.
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>>;

    /// Receives one datagram; what does not fit into `buf` is cut off.
    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>>;

    /// The local address.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Refuses a datagram to where printers print whatever they are sent, whatever says that something else is there.
fn spare_printers(to: SocketAddr) -> io::Result<()> {
    match RAW_PRINT_PORTS.contains(&to.port()) {
        true => Err(io::Error::new(io::ErrorKind::PermissionDenied, "printers print what is sent to this port")),
        false => Ok(()),
    }
}

/// The most connections a scan may have open at once on this machine. Raises the process's limit of open files first.
pub fn connection_limit() -> usize {
    platform::connection_limit()
}

/// Makes that limits of this process fail what goes beyond them in place of ending it: files that may not grow, and a small
/// stack. To be called first of all.
///
/// # Errors
/// Where they leave less than the program needs.
pub fn outlast_limits() -> Result<(), TooLittle> {
    platform::outlast()
}

/// What a limit of this process leaves too little of, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLittle {
    /// The stack of the main thread.
    Stack {
        /// As large as it may grow.
        given: u64,
        /// As large as it has to be.
        needed: u64,
    },
    /// The address space.
    Memory {
        /// What may be taken.
        given: u64,
        /// What is needed on this machine.
        needed: u64,
    },
}

/// Gives up for good every right the program was started with (root's, or those of its file), for this thread and all it
/// starts from now on: to be called before the first other thread is started. What takes a right to open is opened
/// before, by [`RealNet::prepare`], and what takes one later is left to a privileged helper. With `keep_files`, the
/// right to write where root may stays in reserve.
///
/// # Errors
/// When the system refuses; the rights are as they were, or fewer.
pub fn give_up_rights(keep_files: bool) -> io::Result<()> {
    platform::give_up(keep_files)
}

/// Writes files with the right to write where root may, if it was kept. It holds for this thread, while `work` lasts.
pub fn with_file_rights<T>(work: impl FnOnce() -> T) -> T {
    platform::with_file_rights(work)
}
