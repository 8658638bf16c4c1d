//! RTP and RTCP over UDP: a pair of ports, and holes in whatever stands between.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::net::{Datagram, Net, UdpBind};

/// Ports are taken from above the range most systems give to outgoing connections' peers, and tried so often.
const PORTS: std::ops::Range<u16> = 40_000..60_000;
const TRIES: u32 = 32;

const AFTER_ERROR: Duration = Duration::from_millis(20);

/// The largest datagram.
const MAX_DATAGRAM: usize = 65_536;

/// An even port for RTP and the odd one after it for RTCP (RFC 3550 §11).
pub(super) struct UdpPair {
    rtp: Box<dyn Datagram>,
    rtcp: Box<dyn Datagram>,
    /// The port for RTP.
    pub port: u16,
    /// The source the device said its packets will carry (RFC 2326 §12.39): a device with several addresses may send
    /// from another than it answers from.
    pub ssrc: Option<u32>,
    /// The address it said its packets will come from.
    pub source: Option<IpAddr>,
    buffer: Vec<u8>,
}

impl UdpPair {
    /// Binds a pair for packets from `peer`.
    ///
    /// # Errors
    /// When no pair is free, or sockets cannot be opened at all.
    pub fn open(net: &Arc<dyn Net>, peer: IpAddr) -> io::Result<UdpPair> {
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
                    return Ok(UdpPair { rtp, rtcp, port, ssrc: None, source: None, buffer: vec![0; MAX_DATAGRAM] });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Sends an empty RTP packet and an empty receiver report (RFC 3550 §6.4.2) to the device's ports, so that firewalls
    /// let its packets in.
    pub async fn punch(&self, peer: IpAddr, ports: (u16, u16)) {
        let rtp = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let report = [0x80, 201, 0, 1, 0, 0, 0, 0];
        for _ in 0..2 {
            // Lost or refused: then it has to work without.
            let _ = self.rtp.send_to(&rtp, SocketAddr::new(peer, ports.0)).await;
            let _ = self.rtcp.send_to(&report, SocketAddr::new(peer, ports.1)).await;
        }
    }

    /// The next packet from `peer`, or from a source it announced; what others send is passed over.
    pub async fn receive(&mut self, peer: IpAddr) -> Bytes {
        loop {
            match self.rtp.recv_from(&mut self.buffer).await {
                Ok((length, from)) => {
                    let packet = self.buffer.get(..length).unwrap_or_default();
                    let announced = self.ssrc.filter(|&n| n != 0).map(u32::to_be_bytes);
                    let is_announced = announced.is_some_and(|ssrc| packet.get(8..12) == Some(ssrc.as_slice()));
                    let from = from.ip().to_canonical();
                    if from == peer.to_canonical() || Some(from) == self.source || is_announced {
                        return Bytes::copy_from_slice(packet);
                    }
                }
                // Such as a port-unreachable in answer to the punch; not again and again without a pause.
                Err(_) => tokio::time::sleep(AFTER_ERROR).await,
            }
        }
    }
}
