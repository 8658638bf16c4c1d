//! RTP and RTCP over UDP: a pair of ports, and holes in whatever stands between; or a multicast group that is joined.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use crate::net::{Datagram, Datagrams, UdpBind};

/// Ports are taken from above the range most systems give to outgoing connections' peers, and tried so often.
const PORTS: std::ops::Range<u16> = 40_000..60_000;
const TRIES: u32 = 32;

const AFTER_ERROR: Duration = Duration::from_millis(20);

/// The largest datagram.
const MAX_DATAGRAM: usize = 65_536;
/// The largest report: what fits into a frame of Ethernet.
const MAX_REPORT: usize = 2048;

/// An even port for RTP and the odd one after it for RTCP (RFC 3550 §11).
pub(super) struct UdpPair {
    rtp: Box<dyn Datagram>,
    /// None of a multicast group: nothing is sent there, and reports are not needed.
    rtcp: Option<Box<dyn Datagram>>,
    /// The device's port for reports, as far as it said.
    pub report_port: Option<u16>,
    /// The port for RTP.
    pub port: u16,
    /// The source the device said its packets will carry (RFC 2326 §12.39): a device with several addresses may send
    /// from another than it answers from.
    pub ssrc: Option<u32>,
    /// The address it said its packets will come from.
    pub source: Option<IpAddr>,
    buffer: Vec<u8>,
    report_buffer: Vec<u8>,
}

impl UdpPair {
    /// Binds a pair for packets from `peer`.
    ///
    /// # Errors
    /// When no pair is free, or sockets cannot be opened at all.
    pub fn open(net: &dyn Datagrams, peer: IpAddr) -> io::Result<UdpPair> {
        let any: IpAddr = match peer {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let bind = |port| net.udp(&UdpBind { local: SocketAddr::new(any, port), ..UdpBind::any_port(any) });
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            let port = fastrand::u16(PORTS) & !1;
            match bind(port).and_then(|rtp| Ok((rtp, bind(port + 1)?))) {
                Ok((rtp, rtcp)) => {
                    return Ok(UdpPair::new(rtp, Some(rtcp), port));
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Joins a multicast group on an interface; it is left when this is dropped.
    ///
    /// # Errors
    /// When the address is no group a stream may have, or the socket cannot be opened.
    pub fn join(net: &dyn Datagrams, group: SocketAddr, interface: u32) -> io::Result<UdpPair> {
        if !is_for_streams(group.ip()) || group.port() == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{group} is no multicast group for streams"),
            ));
        }
        let any: IpAddr = match group.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = SocketAddr::new(any, group.port());
        let rtp = net.udp(&UdpBind { local, interface, join: vec![group.ip()], ..UdpBind::any_port(any) })?;
        Ok(UdpPair::new(rtp, None, group.port()))
    }

    fn new(rtp: Box<dyn Datagram>, rtcp: Option<Box<dyn Datagram>>, port: u16) -> UdpPair {
        let report_buffer = if rtcp.is_some() { vec![0; MAX_REPORT] } else { Vec::new() };
        let buffer = vec![0; MAX_DATAGRAM];
        UdpPair { rtp, rtcp, report_port: None, port, ssrc: None, source: None, buffer, report_buffer }
    }

    /// Sends a report to the device's port for them; without one nothing.
    pub async fn report(&self, peer: IpAddr, report: &[u8]) {
        if let (Some(rtcp), Some(port)) = (&self.rtcp, self.report_port) {
            // Lost or refused: the next one follows in seconds.
            let _ = rtcp.send_to(report, SocketAddr::new(peer, port)).await;
        }
    }

    /// Sends an empty RTP packet and an empty receiver report (RFC 3550 §6.4.2) to the device's ports, so that firewalls
    /// let its packets in.
    pub async fn punch(&self, peer: IpAddr, ports: (u16, u16)) {
        let rtp = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let report = [0x80, 201, 0, 1, 0, 0, 0, 0];
        let Some(rtcp) = &self.rtcp else { return };
        for _ in 0..2 {
            // Lost or refused: then it has to work without.
            let _ = self.rtp.send_to(&rtp, SocketAddr::new(peer, ports.0)).await;
            let _ = rtcp.send_to(&report, SocketAddr::new(peer, ports.1)).await;
        }
    }

    /// The next packet or report from `peer`, or from a source it announced; what others send is passed over.
    pub async fn receive(&mut self, peer: IpAddr) -> Bytes {
        let sender = Sender { peer, source: self.source, ssrc: self.ssrc.filter(|&ssrc| ssrc != 0) };
        let (rtcp, report_buffer) = (&self.rtcp, &mut self.report_buffer);
        let report = async {
            match rtcp {
                Some(rtcp) => sender.next(rtcp.as_ref(), report_buffer, OF_REPORT).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            packet = sender.next(self.rtp.as_ref(), &mut self.buffer, OF_PACKET) => packet,
            report = report => report,
        }
    }
}

/// Where in an RTP packet the source stands, and where in a report.
const OF_PACKET: std::ops::Range<usize> = 8..12;
const OF_REPORT: std::ops::Range<usize> = 4..8;

/// Who may send.
struct Sender {
    peer: IpAddr,
    source: Option<IpAddr>,
    ssrc: Option<u32>,
}

impl Sender {
    /// The next datagram of this sender, whose source stands at `ssrc_at` in it.
    async fn next(&self, socket: &dyn Datagram, buffer: &mut [u8], ssrc_at: std::ops::Range<usize>) -> Bytes {
        loop {
            match socket.recv_from(buffer).await {
                Ok((length, from)) => {
                    let packet = buffer.get(..length).unwrap_or_default();
                    let announced = self.ssrc.map(u32::to_be_bytes);
                    let is_announced = announced.is_some_and(|ssrc| packet.get(ssrc_at.clone()) == Some(&ssrc));
                    let from = from.ip().to_canonical();
                    if from == self.peer.to_canonical() || Some(from) == self.source || is_announced {
                        return Bytes::copy_from_slice(packet);
                    }
                }
                // Such as a port-unreachable in answer to the punch; not again and again without a pause.
                Err(_) => tokio::time::sleep(AFTER_ERROR).await,
            }
        }
    }
}

/// Whether a stream may be sent to that group: to none of those that protocols of the link itself use (RFC 5771 §4,
/// RFC 4291 §2.7), which nobody joins for a stream.
fn is_for_streams(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(v4) => v4.is_multicast() && v4.octets().first_chunk() != Some(&[224, 0, 0]),
        IpAddr::V6(v6) => v6.is_multicast() && v6.octets().get(1).is_some_and(|scope| scope & 0xf > 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::net::FakeNet;

    #[test]
    fn groups_of_the_links_own_protocols_are_not_joined() {
        let net = FakeNet::new();
        for (group, joined) in [
            ("239.77.0.1:5000", true),
            ("232.1.2.3:5000", true),
            ("[ff05::1234]:5000", true),
            ("224.0.0.251:5353", false),
            ("192.0.2.10:5000", false),
            ("[ff01::1]:5000", false),
            ("239.77.0.2:0", false),
        ] {
            assert_eq!(UdpPair::join(&net, group.parse().unwrap(), 1).is_ok(), joined, "{group}");
        }
    }
}
