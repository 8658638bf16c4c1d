//! Raw Ethernet frames on one interface: `sendmmsg` and `recvmmsg` on an AF_PACKET socket (packet(7)).

use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::filter;
use super::set_option;
use crate::net::Interface;
use crate::net::link::{Link, LinkKind};

/// Frames sent or received by one system call.
const BATCH: usize = 64;
/// Holds the answers of a burst while the receiver is busy; bytes.
const RECEIVE_BUFFER: usize = 32 << 20;

/// A socket that receives nothing yet: what needs a right is done, and what comes after needs none.
pub(super) fn raw_socket() -> io::Result<Socket> {
    // Protocol 0: not one frame is delivered before the filter is in place.
    #[expect(clippy::disallowed_methods, reason = "this is the place where sockets are opened")]
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
    // More than the system's limit needs CAP_NET_ADMIN; without it the limit is what we get.
    if set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &(RECEIVE_BUFFER as libc::c_int)).is_err() {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
    Ok(socket)
}

/// Binds a socket of [`raw_socket`] to an interface, for frames of one kind and no others ever: the filter cannot be
/// changed or removed.
///
/// # Errors
/// `ENODEV` when there is no such interface or it is no Ethernet, `ENETDOWN` when it is not up.
pub(super) fn bind(socket: &Socket, interface: u32, kind: LinkKind) -> io::Result<()> {
    socket.attach_filter(&filter::program(kind))?;
    set_option(socket, libc::SOL_SOCKET, libc::SO_LOCK_FILTER, &1i32)?;
    // Our own requests are of no interest; kernels before 4.20 deliver them, and the readers ignore them.
    let _ = set_option(socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1i32);
    // Frames go to the driver at once: the throttle is queue enough, and hears sooner when the interface is full. Kernels
    // before 3.14 queue them.
    let _ = set_option(socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &1i32);
    let protocol = match kind {
        LinkKind::Arp => libc::ETH_P_ARP,
        LinkKind::Overheard => libc::ETH_P_ALL,
        LinkKind::TcpAnswers { .. } => libc::ETH_P_IP,
    };
    socket.bind(&link_address(interface, protocol as u16))?;
    // bind(2) leaves it to the next call to report that the interface is down.
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    let is_ethernet = hardware_type(socket)? == libc::ARPHRD_ETHER;
    if is_ethernet { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENODEV)) }
}

/// The type of the interface a socket is bound to (ARPHRD_*).
fn hardware_type(socket: &Socket) -> io::Result<u16> {
    let address = socket.local_addr()?;
    #[expect(unsafe_code, reason = "socket2 knows no link-layer addresses")]
    // SAFETY: a packet socket's address is a sockaddr_ll, and its storage is large and aligned enough for any address.
    let address = unsafe { &*address.as_ptr().cast::<libc::sockaddr_ll>() };
    Ok(address.sll_hatype)
}

/// Opens an interface for frames of one kind, on a socket of [`raw_socket`].
pub(in crate::net) fn open_link(socket: Socket, interface: &Interface, kind: LinkKind) -> io::Result<Box<dyn Link>> {
    bind(&socket, interface.index, kind)?;
    link_on(socket, kind)
}

/// The link of a socket that is bound for frames of one kind.
pub(in crate::net) fn link_on(socket: Socket, kind: LinkKind) -> io::Result<Box<dyn Link>> {
    let snap = filter::snap(kind);
    #[expect(unsafe_code, reason = "tokio's safe way is deprecated")]
    // SAFETY: a Socket owns its descriptor, which stays open and the same until it is dropped.
    let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
    Ok(Box::new(PacketLink { socket, snap, buffers: Mutex::new(vec![0; snap * BATCH]) }))
}

/// The address of an interface for frames of one Ethernet type.
fn link_address(interface: u32, protocol: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    #[expect(unsafe_code, reason = "socket2 knows no link-layer addresses")]
    // SAFETY: sockaddr_ll is a socket address type, and the storage is large and aligned enough for all of them.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface as libc::c_int;
    #[expect(unsafe_code, reason = "socket2 knows no link-layer addresses")]
    // SAFETY: the family and the fields bind() reads are filled in above, the rest is zero; the length is the type's.
    unsafe {
        SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t)
    }
}

struct PacketLink {
    socket: AsyncFd<Socket>,
    /// Room for a batch of frames, each of so many bytes at most.
    snap: usize,
    buffers: Mutex<Vec<u8>>,
}

impl Link for PacketLink {
    fn send(&self, frames: &[&[u8]]) -> io::Result<usize> {
        let mut sent = 0;
        for batch in frames.chunks(BATCH) {
            match send_batch(self.socket.get_ref(), batch) {
                Ok(count) => {
                    sent += count;
                    if count < batch.len() {
                        break;
                    }
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn receive<'a>(&'a self, take: &'a mut (dyn FnMut(&[u8]) + Send)) -> BoxFuture<'a, io::Result<usize>> {
        async move {
            loop {
                let mut ready = self.socket.readable().await?;
                let outcome = ready.try_io(|socket| {
                    let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
                    receive_batch(socket.get_ref(), &mut buffers, self.snap, take)
                });
                match outcome {
                    // Not ready after all, or a signal came in between.
                    Err(_would_block) => {}
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(outcome) => return outcome,
                }
            }
        }
        .boxed()
    }
}

/// An empty message header.
fn blank() -> libc::mmsghdr {
    #[expect(unsafe_code, reason = "the header has private padding on some systems, so it cannot be spelled out")]
    // SAFETY: all zeros is a valid mmsghdr: null pointers with zero lengths.
    unsafe {
        std::mem::zeroed()
    }
}

fn send_batch(socket: &Socket, frames: &[&[u8]]) -> io::Result<usize> {
    let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut headers = [blank(); BATCH];
    for ((part, header), frame) in parts.iter_mut().zip(&mut headers).zip(frames) {
        // The kernel only reads through it.
        part.iov_base = frame.as_ptr().cast_mut().cast();
        part.iov_len = frame.len();
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
    }
    let count = frames.len().min(BATCH) as libc::c_uint;
    #[expect(unsafe_code, reason = "no library offers sendmmsg on a packet socket")]
    // SAFETY: the first `count` headers point at their `parts`, those at `frames`; all outlive the call, and none moves.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn receive_batch(
    socket: &Socket,
    buffers: &mut [u8],
    snap: usize,
    take: &mut (dyn FnMut(&[u8]) + Send),
) -> io::Result<usize> {
    let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut headers = [blank(); BATCH];
    for ((part, header), buffer) in parts.iter_mut().zip(&mut headers).zip(buffers.chunks_exact_mut(snap)) {
        part.iov_base = buffer.as_mut_ptr().cast();
        part.iov_len = snap;
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
    }
    #[expect(unsafe_code, reason = "no library offers recvmmsg on a packet socket")]
    // SAFETY: each header points at its `part`, each part at `snap` writable bytes of its own buffer; all outlive the
    // call and nothing else touches the buffers during it, for they are borrowed mutably.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            BATCH as libc::c_uint,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    for (header, buffer) in headers.iter().zip(buffers.chunks_exact(snap)).take(received) {
        let len = (header.msg_len as usize).min(snap);
        take(buffer.get(..len).unwrap_or_default());
    }
    Ok(received)
}
