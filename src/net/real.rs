//! The machine's own network.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpStream, UdpSocket};

use super::link::{Link, LinkKind, Neighbour, OwnPort};
use super::resolve::Resolver;
use super::route::Route;
use super::{BoxStream, Datagram, Datagrams, Interface, Links, Names, SenderCheck, Streams, UdpBind, platform};

/// The discard service (RFC 863): nobody is meant to answer.
const DISCARD_PORT: u16 = 9;

/// The network of the machine the program runs on.
#[derive(Default)]
pub struct RealNet {
    zones: Zones,
    resolver: Resolver,
    reserve: platform::Reserve,
    helper: Option<platform::Helper>,
}

/// Scans side by side that have a socket for ICMP each, where the process scans more than once; more of them go without.
const SCANS_AT_ONCE: usize = 4;

/// What a process that is about to give up its rights will need them for.
#[derive(Debug, Clone, Copy)]
pub struct Preparation<'a> {
    /// Whether raw frames are wanted.
    pub raw_frames: bool,
    /// The interfaces there are now, of which the scan may use any.
    pub interfaces: &'a [Interface],
    /// Whether the process scans more than once, and so meets interfaces that are not there yet.
    pub many_scans: bool,
}

impl RealNet {
    /// Opens nothing yet; DNS is set up when the first name is asked for.
    pub fn new() -> Arc<Self> {
        Arc::new(RealNet::default())
    }

    /// Opens what takes a right to open, so that the rights can be given up ([`super::give_up_rights`]) before anything is
    /// read. ICMP is opened in any case. For raw frames, one scan of a small network gets a socket for each use of each
    /// interface. Where the process scans more than once, or the networks have more addresses than the kernel's neighbour
    /// table has rows, a privileged helper is started instead, which opens links when they are needed and deletes rows;
    /// that works before the first other thread alone. What the system refuses is tried again, and refused again, when it
    /// is needed.
    pub fn prepare(wanted: Preparation<'_>) -> Arc<Self> {
        // First, so that the helper shares no socket with this process.
        let helper = start_helper(wanted);
        let opens_links = helper.as_ref().is_some_and(platform::Helper::opens_links);
        let has_links = |i: &&Interface| i.mac.is_some() && !i.loopback && !i.point_to_point;
        let interfaces = wanted.interfaces.iter().filter(has_links);
        // One for the answers to SYNs, one for what is sent to everybody, and one to ask each of its networks by ARP.
        let links = interfaces.map(|i| 2 + i.addresses.iter().filter(|a| a.is_ipv4()).count());
        let links = if wanted.raw_frames && !opens_links { links.sum() } else { 0 };
        let icmp_each = if wanted.many_scans { SCANS_AT_ONCE } else { 1 };
        let reserve = platform::Reserve::open(links, icmp_each, open_icmp);
        Arc::new(RealNet { reserve, helper, ..RealNet::default() })
    }
}

/// The privileged helper, if something needs it and it can be started.
fn start_helper(wanted: Preparation<'_>) -> Option<platform::Helper> {
    let Preparation { raw_frames, interfaces, many_scans } = wanted;
    if !raw_frames || !(many_scans || may_be_crowded(interfaces)) {
        return None;
    }
    match platform::Helper::start(many_scans) {
        Ok(helper) => Some(helper),
        // That is how most programs are started, and nothing they could use a helper for.
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => None,
        Err(error) => {
            tracing::warn!("the privileged helper cannot be started, so that scans have fewer means: {error}");
            None
        }
    }
}

impl Streams for RealNet {
    fn connect(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        let to = self.zones.apply(to);
        async move {
            #[expect(clippy::disallowed_methods, reason = "this is the place where sockets are opened")]
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        }
        .boxed()
    }
}

impl Datagrams for RealNet {
    fn udp(&self, bind: &UdpBind) -> io::Result<Box<dyn Datagram>> {
        let socket = open_socket(Domain::for_address(bind.local), Type::DGRAM, Protocol::UDP)?;
        // Others may listen on a protocol's fixed port too; an own port must stay ours alone.
        if bind.local.port() != 0 && !bind.join.is_empty() {
            socket.set_reuse_address(true)?;
            #[cfg(all(unix, not(target_os = "linux")))]
            socket.set_reuse_port(true)?;
        }
        if bind.local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_broadcast(bind.broadcast)?;
        if bind.receives_refusals {
            // Without it a silent host is waited for, and no more.
            let _ = platform::receive_refusals(&socket, bind.local.is_ipv6());
        }
        socket.bind(&SockAddr::from(self.zones.apply(bind.local)))?;
        if bind.interface != 0 {
            match bind.local {
                SocketAddr::V4(local) => platform::set_multicast_interface_v4(&socket, bind.interface, *local.ip())?,
                SocketAddr::V6(_) => socket.set_multicast_if_v6(bind.interface)?,
            }
        }
        for group in &bind.join {
            join(&socket, *group, bind)?;
        }
        if !bind.join.is_empty() {
            // Else it hears on every interface what any program has joined; kernels before 2.6.31 know no other way.
            let _ = platform::receive_own_groups_only(&socket, bind.local.is_ipv6());
        }
        let (socket, zones) = (into_tokio(socket)?, self.zones.clone());
        Ok(Box::new(RealDatagram { socket, zones, framing: Framing::Payload, _reserved: None }))
    }

    fn icmp(&self, v6: bool) -> io::Result<Box<dyn Datagram>> {
        let reserved = self.reserve.icmp(v6);
        let socket = reserved.as_ref().map_or_else(|| open_icmp(v6), platform::Borrowed::socket)?;
        let framing = if !v6 && socket.r#type()? == Type::RAW { Framing::Ipv4Header } else { Framing::Payload };
        let (socket, zones) = (into_tokio(socket)?, self.zones.clone());
        Ok(Box::new(RealDatagram { socket, zones, framing, _reserved: reserved }))
    }
}

impl Links for RealNet {
    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        super::interface::of_this_machine()
    }

    fn link(&self, interface: &Interface, kind: LinkKind) -> io::Result<Box<dyn Link>> {
        match self.helper.as_ref().filter(|helper| helper.opens_links()) {
            Some(helper) => platform::link_on(helper.open_link(interface.index, kind)?, kind),
            None => platform::open_link(self.reserve.link()?, interface, kind),
        }
    }

    fn own_port(&self) -> io::Result<OwnPort> {
        // Bound, and never listening.
        let socket = open_socket(Domain::IPV4, Type::STREAM, Protocol::TCP)?;
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))))?;
        let number = socket.local_addr()?.as_socket().map_or(0, |address| address.port());
        Ok(OwnPort { number, _socket: Some(socket) })
    }

    fn neighbours(&self) -> BoxFuture<'_, io::Result<Vec<Neighbour>>> {
        platform::neighbours().boxed()
    }

    fn routes(&self) -> BoxFuture<'_, io::Result<Vec<Route>>> {
        platform::routes().boxed()
    }

    fn nudge(&self, to: &[IpAddr]) -> io::Result<usize> {
        let to: Vec<SocketAddr> = to.iter().map(|ip| self.zones.apply(SocketAddr::new(*ip, DISCARD_PORT))).collect();
        platform::nudge(&to)
    }

    fn forget(&self, neighbour: &Neighbour) -> io::Result<()> {
        let helper = self.helper.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        helper.forget(neighbour.ip, neighbour.interface)
    }

    fn sender_check(&self, interface: &str) -> Option<SenderCheck> {
        platform::sender_check(interface)
    }

    fn note_zone(&self, ip: IpAddr, interface_index: u32) {
        self.zones.note(ip, interface_index);
    }
}

impl Names for RealNet {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.resolver.addresses(name).boxed()
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, io::Result<Option<String>>> {
        self.resolver.name(ip).boxed()
    }
}

/// Whether the networks have more addresses than the kernel keeps neighbours of without looking for some to forget
/// (neigh/default/gc_thresh2, 512 on most systems).
fn may_be_crowded(interfaces: &[Interface]) -> bool {
    let with_neighbours = interfaces.iter().filter(|i| !i.loopback && !i.point_to_point);
    let networks = with_neighbours.flat_map(|i| &i.addresses).filter(|net| net.is_ipv4());
    networks.map(|net| 1u64 << (32 - u32::from(net.prefix().min(32)))).sum::<u64>() > 512
}

fn open_socket(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    #[expect(clippy::disallowed_methods, reason = "this is the place where sockets are opened")]
    let socket = Socket::new(domain, kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The kernel hands out only our own answers on a datagram socket; a raw one sees everybody's.
fn open_icmp(v6: bool) -> io::Result<Socket> {
    let (domain, protocol) = if v6 { (Domain::IPV6, Protocol::ICMPV6) } else { (Domain::IPV4, Protocol::ICMPV4) };
    let socket = open_socket(domain, Type::DGRAM, protocol).or_else(|_| open_socket(domain, Type::RAW, protocol))?;
    // A burst of answers to a sweep must not overflow it; less than asked for is no failure.
    let _ = socket.set_recv_buffer_size(4 << 20);
    Ok(socket)
}

fn into_tokio(socket: Socket) -> io::Result<UdpSocket> {
    UdpSocket::from_std(socket.into())
}

fn join(socket: &Socket, group: IpAddr, bind: &UdpBind) -> io::Result<()> {
    match (group, bind.local.ip()) {
        (IpAddr::V4(group), _) if bind.interface != 0 => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(bind.interface))
        }
        (IpAddr::V4(group), IpAddr::V4(local)) => socket.join_multicast_v4(&group, &local),
        (IpAddr::V6(group), _) => socket.join_multicast_v6(&group, bind.interface),
        (IpAddr::V4(_), IpAddr::V6(_)) => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "an IPv4 group cannot be joined on an IPv6 socket"))
        }
    }
}

/// Which interface an IPv6 link-local address belongs to.
#[derive(Clone, Default)]
struct Zones(Arc<Mutex<HashMap<IpAddr, u32>>>);

impl Zones {
    /// Bounds what answers to multicast can make us remember.
    const MOST: usize = 1 << 16;

    fn note(&self, ip: IpAddr, interface_index: u32) {
        let mut zones = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if zones.len() < Self::MOST || zones.contains_key(&ip) {
            zones.insert(ip, interface_index);
        }
    }

    /// The address with its zone, where it needs one, has none and it is known.
    fn apply(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V6(mut v6) if v6.scope_id() == 0 && v6.ip().is_unicast_link_local() => {
                let zones = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(&zone) = zones.get(&IpAddr::V6(*v6.ip())) {
                    v6.set_scope_id(zone);
                }
                SocketAddr::V6(v6)
            }
            other => other,
        }
    }
}

/// What the kernel hands over with each datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Payload,
    /// Raw IPv4 sockets deliver the IP header too.
    Ipv4Header,
}

struct RealDatagram {
    socket: UdpSocket,
    zones: Zones,
    framing: Framing,
    /// Goes back into the reserve with this.
    _reserved: Option<platform::Borrowed>,
}

impl Datagram for RealDatagram {
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        async move {
            super::spare_printers(to)?;
            self.socket.send_to(data, self.zones.apply(to)).await
        }
        .boxed()
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        async move {
            let (len, from) = self.socket.recv_from(buf).await?;
            let len = if self.framing == Framing::Ipv4Header { strip_ipv4_header(buf, len) } else { len };
            Ok((len, from))
        }
        .boxed()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Moves the payload of an IPv4 packet to the front; how long it is, 0 when the header is broken.
fn strip_ipv4_header(buf: &mut [u8], len: usize) -> usize {
    let header = buf.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    if header < 20 || header > len || len > buf.len() {
        return 0;
    }
    buf.copy_within(header..len, 0);
    len - header
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn connects_and_is_refused_on_loopback() {
        let net = RealNet::new();
        let listener = tokio::net::TcpListener::bind((LOCAL, 0)).await.unwrap();
        let to = listener.local_addr().unwrap();
        let mut stream = net.connect(to).await.unwrap();
        let (mut accepted, _) = listener.accept().await.unwrap();
        accepted.write_all(b"hello").await.unwrap();
        let mut text = [0; 5];
        stream.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"hello");
        drop((listener, accepted, stream));
        let refused = net.connect(to).await.err().map(|e| e.kind());
        assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
    }

    #[tokio::test]
    async fn no_datagram_goes_to_a_port_where_printers_print() {
        let net = RealNet::new();
        let ours = net.udp(&UdpBind::any_port(LOCAL)).unwrap();
        let device = IpAddr::from([127, 88, 91, 1]);
        let at = |port| UdpBind { local: SocketAddr::new(device, port), ..UdpBind::any_port(device) };
        let ports: Vec<_> = (9099..=9108).map(|port| (port, net.udp(&at(port)).unwrap())).collect();
        for (port, _) in &ports {
            let sent = ours.send_to(b"x", SocketAddr::new(device, *port)).await;
            assert_eq!(sent.is_ok(), !(9100..=9107).contains(port), "{port}: {sent:?}");
        }
        let mut heard = Vec::new();
        for (port, socket) in &ports {
            // On loopback what was sent before is there when what was sent later is.
            let limit = Duration::from_millis(if (9100..=9107).contains(port) { 50 } else { 5000 });
            if timeout(limit, socket.recv_from(&mut [0; 8])).await.is_ok() {
                heard.push(*port);
            }
        }
        assert_eq!(heard, [9099, 9108]);
    }

    #[tokio::test]
    async fn datagrams_go_both_ways() {
        let net = RealNet::new();
        let a = net.udp(&UdpBind::any_port(LOCAL)).unwrap();
        let b = net.udp(&UdpBind::any_port(LOCAL)).unwrap();
        a.send_to(b"ping", b.local_addr().unwrap()).await.unwrap();
        let mut buf = [0; 16];
        let (len, from) = timeout(Duration::from_secs(5), b.recv_from(&mut buf)).await.unwrap().unwrap();
        assert_eq!((&buf[..len], from), (&b"ping"[..], a.local_addr().unwrap()));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_closed_port_is_heard_of_where_that_is_wished() {
        let net = RealNet::new();
        let gone = net.udp(&UdpBind::any_port(LOCAL)).unwrap().local_addr().unwrap();
        for receives_refusals in [true, false] {
            let socket = net.udp(&UdpBind { receives_refusals, ..UdpBind::any_port(LOCAL) }).unwrap();
            socket.send_to(b"who", gone).await.unwrap();
            let mut buf = [0; 16];
            let heard = timeout(Duration::from_millis(100), socket.recv_from(&mut buf)).await;
            let refused = heard.is_ok_and(|r| r.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused));
            assert_eq!(refused, receives_refusals);
        }
    }

    #[tokio::test]
    async fn multicast_stays_on_the_interface_asked_for() {
        let net = RealNet::new();
        let lo = net.interfaces().unwrap().into_iter().find(|i| i.loopback).unwrap();
        let group = Ipv4Addr::new(239, 255, 77, 77);
        let free = net.udp(&UdpBind::any_port(LOCAL)).unwrap().local_addr().unwrap().port();
        let listen = UdpBind {
            local: SocketAddr::from((Ipv4Addr::UNSPECIFIED, free)),
            interface: lo.index,
            join: vec![group.into()],
            broadcast: false,
            receives_refusals: false,
        };
        // Two programs may listen on the port of a protocol.
        let listeners = [net.udp(&listen).unwrap(), net.udp(&listen).unwrap()];
        let sender = net.udp(&UdpBind { interface: lo.index, ..UdpBind::any_port(LOCAL) }).unwrap();
        sender.send_to(b"who", SocketAddr::from((group, free))).await.unwrap();
        for listener in listeners {
            let mut buf = [0; 16];
            let (len, from) = timeout(Duration::from_secs(5), listener.recv_from(&mut buf)).await.unwrap().unwrap();
            assert_eq!((&buf[..len], from.ip()), (&b"who"[..], LOCAL));
        }
    }

    #[test]
    fn a_zone_is_added_where_it_is_needed_only() {
        let zones = Zones::default();
        let local: Ipv6Addr = "fe80::1".parse().unwrap();
        zones.note(local.into(), 7);
        let scope = |address: &str| match zones.apply(address.parse().unwrap()) {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        assert_eq!(scope("[fe80::1]:554"), 7);
        assert_eq!(scope("[fe80::1%3]:554"), 3);
        assert_eq!(scope("[fe80::2]:554"), 0);
        assert_eq!(scope("127.0.0.1:554"), 0);
    }

    #[test]
    fn a_broken_ip_header_leaves_nothing() {
        let mut packet = [0x45u8; 24];
        assert_eq!(strip_ipv4_header(&mut packet, 24), 4);
        assert_eq!(strip_ipv4_header(&mut [0x4f; 24], 24), 0);
        assert_eq!(strip_ipv4_header(&mut [0x40; 24], 24), 0);
        assert_eq!(strip_ipv4_header(&mut [], 0), 0);
    }
}
