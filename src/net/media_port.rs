//! The port that viewers of live view send to and are sent from: one number for UDP, and for TCP where UDP does not get
//! through.
//!
//! Devices are never spoken to through it. Datagrams of one frame leave in one system call where the kernel cuts them up
//! itself (UDP GSO), and of each that comes it is known which of this machine's addresses it was sent to, so that one socket
//! a family serves every interface, those that appear later too.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::net::{TcpListener, UdpSocket};

/// What the kernel is asked to hold of what is not sent or not read yet, in bytes. It may grant less. A key frame for a
/// hundred viewers at once is 2 MB and more.
const SEND_BUFFER: usize = 4 << 20;
const RECEIVE_BUFFER: usize = 2 << 20;

/// The longest datagram that is read whole. Those of WebRTC keep below 1,500 bytes.
const MOST_DATAGRAM: usize = 2048;

/// Connections that wait to be taken.
const BACKLOG: i32 = 128;

/// Where a datagram came from and went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DatagramPath {
    /// The sender.
    pub from: SocketAddr,
    /// The address and port of this machine that it was sent to.
    pub to: SocketAddr,
}

/// A UDP port with many peers.
pub struct MediaPort {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    buffers: Vec<Vec<u8>>,
}

impl MediaPort {
    /// Binds a UDP port; the unspecified address serves all interfaces of its family, port 0 takes any.
    ///
    /// # Errors
    /// When the port is taken or the address is none of this machine's.
    pub fn open(local: SocketAddr) -> io::Result<MediaPort> {
        let socket = bound(local, Type::DGRAM, Protocol::UDP)?;
        // Less than asked for is no failure.
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        let size = MOST_DATAGRAM * state.gro_segments();
        let buffers = (0..quinn_udp::BATCH_SIZE.min(8)).map(|_| vec![0; size]).collect();
        Ok(MediaPort { socket, state, local, buffers })
    }

    /// The address and port it is bound to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// How many datagrams of equal length the kernel takes at once; 1 where it does not cut them up.
    pub fn most_segments(&self) -> usize {
        self.state.max_gso_segments().max(1)
    }

    /// Ready when there is something to receive.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(context)
    }

    /// Hands `take` the datagrams that have come, some dozens at most; how many there were. Zero when there are none.
    ///
    /// # Errors
    /// What the system says of the socket. Reports about single peers are among it, and the next call works.
    pub fn receive(&mut self, mut take: impl FnMut(DatagramPath, &[u8])) -> io::Result<usize> {
        let MediaPort { socket, state, local, buffers } = self;
        let mut metas = [RecvMeta::default(); 8];
        let count = {
            let mut slices: Vec<IoSliceMut<'_>> = buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            let receive = || state.recv(UdpSockRef::from(&*socket), &mut slices, &mut metas);
            match socket.try_io(Interest::READABLE, receive) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) => return Err(error),
            }
        };
        let mut taken = 0;
        for (meta, buffer) in metas.iter().zip(buffers.iter()).take(count) {
            let to = SocketAddr::new(meta.dst_ip.unwrap_or(local.ip()), local.port());
            let whole = buffer.get(..meta.len).unwrap_or_default();
            for datagram in whole.chunks(meta.stride.max(1)) {
                taken += 1;
                take(DatagramPath { from: meta.addr, to }, datagram);
            }
        }
        Ok(taken)
    }

    /// Sends datagrams of `segment` bytes each that stand one behind the other in `contents`; the last may be shorter. They
    /// leave from the address `source`.
    ///
    /// # Errors
    /// `WouldBlock` when the kernel holds as much as it may: nobody waits here, the datagrams are dropped. `PermissionDenied`
    /// for a port where printers print.
    pub fn send(&self, source: IpAddr, to: SocketAddr, contents: &[u8], segment: usize) -> io::Result<()> {
        super::spare_printers(to)?;
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents,
            segment_size: (segment < contents.len()).then_some(segment),
            src_ip: Some(source),
        };
        // Past tokio: whether there is room is found out by trying, and never waited for.
        self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
    }
}

/// Listens for viewers that cannot use UDP.
///
/// # Errors
/// As [`MediaPort::open`].
pub fn listen(local: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(local, Type::STREAM, Protocol::TCP)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn bound(local: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    #[expect(clippy::disallowed_methods, reason = "the port of live view serves viewers, and belongs to no scan")]
    let socket = Socket::new(Domain::for_address(local), kind, Some(protocol))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A port whose last connections are still winding down is free for the next start.
    #[cfg(unix)]
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(local))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn received(port: &mut MediaPort, wanted: usize) -> Vec<(DatagramPath, Vec<u8>)> {
        let mut got = Vec::new();
        while got.len() < wanted {
            std::future::poll_fn(|context| port.poll_readable(context)).await.unwrap();
            port.receive(|path, datagram| got.push((path, datagram.to_vec()))).unwrap();
        }
        got
    }

    #[tokio::test]
    async fn what_is_sent_at_once_comes_as_single_datagrams_and_its_way_is_known() {
        let mut all = MediaPort::open("0.0.0.0:0".parse().unwrap()).unwrap();
        let mut one = MediaPort::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = all.local().port();
        let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), port);
        let segments = one.most_segments().min(3);
        let contents: Vec<u8> =
            (0..segments).flat_map(|n| vec![n as u8; if n + 1 == segments { 40 } else { 100 }]).collect();
        one.send(one.local().ip(), at("127.0.0.7"), &contents, 100).unwrap();
        let got = received(&mut all, segments).await;
        assert_eq!(got.len(), segments);
        for (path, _) in &got {
            assert_eq!(*path, DatagramPath { from: one.local(), to: at("127.0.0.7") });
        }
        assert_eq!(got.into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<u8>>(), contents);
        // The answer leaves from the address that was asked.
        all.send("127.0.0.7".parse().unwrap(), one.local(), b"answer", 6).unwrap();
        assert_eq!(received(&mut one, 1).await[0].0.from, at("127.0.0.7"));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(listen(first.local_addr().unwrap()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let first = MediaPort::open("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(MediaPort::open(first.local()).err().map(|e| e.kind()), Some(io::ErrorKind::AddrInUse));
    }
}
