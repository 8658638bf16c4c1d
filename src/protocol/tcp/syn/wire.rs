//! SYN segments over Ethernet and IPv4, and what comes back: frames to values and back (RFC 9293 §3.1, RFC 791 §3.1).

use std::net::{Ipv4Addr, SocketAddrV4};

use pnet::packet::Packet;
use pnet::packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::{self, Ipv4Flags, Ipv4Packet, MutableIpv4Packet};
use pnet::packet::tcp::{self, MutableTcpPacket, TcpFlags, TcpOption, TcpPacket};

use crate::model::MacAddr;

const ETHERNET_LEN: usize = 14;
const IPV4_LEN: usize = 20;
/// A TCP header with one option of four bytes.
const TCP_LEN: usize = 24;

/// Bytes of a SYN frame.
pub const FRAME_LEN: usize = ETHERNET_LEN + IPV4_LEN + TCP_LEN;

/// The largest segment we would take, bytes: what fits into an Ethernet frame (RFC 9293 §3.7.1).
const MAX_SEGMENT: u16 = 1460;
/// The window we offer, bytes.
const WINDOW: u16 = 64_240;
/// Routers a segment may pass: the link is never left, but some devices look at it.
const TIME_TO_LIVE: u8 = 64;

/// An endpoint on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its address and port.
    pub at: SocketAddrV4,
}

/// The frame that asks `to` for a connection.
pub fn syn(from: Endpoint, to: Endpoint, sequence: u32) -> [u8; FRAME_LEN] {
    let mut frame = [0; FRAME_LEN];
    if let Some(mut ethernet) = MutableEthernetPacket::new(&mut frame) {
        ethernet.set_destination(to.mac.0.into());
        ethernet.set_source(from.mac.0.into());
        ethernet.set_ethertype(EtherTypes::Ipv4);
    }
    let (_, packet) = frame.split_at_mut(ETHERNET_LEN);
    if let Some(mut ip) = MutableIpv4Packet::new(packet) {
        ip.set_version(4);
        ip.set_header_length((IPV4_LEN / 4) as u8);
        ip.set_total_length((IPV4_LEN + TCP_LEN) as u16);
        ip.set_flags(Ipv4Flags::DontFragment);
        ip.set_ttl(TIME_TO_LIVE);
        ip.set_next_level_protocol(IpNextHeaderProtocols::Tcp);
        ip.set_source(*from.at.ip());
        ip.set_destination(*to.at.ip());
        let sum = ipv4::checksum(&ip.to_immutable());
        ip.set_checksum(sum);
    }
    let (_, segment) = packet.split_at_mut(IPV4_LEN);
    if let Some(mut tcp) = MutableTcpPacket::new(segment) {
        tcp.set_source(from.at.port());
        tcp.set_destination(to.at.port());
        tcp.set_sequence(sequence);
        tcp.set_data_offset((TCP_LEN / 4) as u8);
        tcp.set_flags(TcpFlags::SYN);
        tcp.set_window(WINDOW);
        tcp.set_options(&[TcpOption::mss(MAX_SEGMENT)]);
        let sum = tcp::ipv4_checksum(&tcp.to_immutable(), from.at.ip(), to.at.ip());
        tcp.set_checksum(sum);
    }
    frame
}

/// What somebody says to a SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Who says it.
    pub from: SocketAddrV4,
    /// The destination.
    pub to: SocketAddrV4,
    /// The number acknowledged: the SYN's sequence number and one (RFC 9293 §3.5).
    pub acknowledged: u32,
    /// Whether the connection is taken; else it is refused.
    pub open: bool,
}

/// Reads an answer; nothing when the frame is no sound answer to a SYN. Checksums are not looked at: what the network
/// card or another namespace of this machine hands over has none yet.
pub fn parse(frame: &[u8]) -> Option<Answer> {
    let ethernet = EthernetPacket::new(frame)?;
    if ethernet.get_ethertype() != EtherTypes::Ipv4 {
        return None;
    }
    let ip = Ipv4Packet::new(ethernet.payload())?;
    let header = usize::from(ip.get_header_length()) * 4;
    let sound = ip.get_version() == 4
        && header >= IPV4_LEN
        && ip.get_fragment_offset() == 0
        && ip.get_next_level_protocol() == IpNextHeaderProtocols::Tcp;
    if !sound || !is_station(ip.get_source()) {
        return None;
    }
    let end = usize::from(ip.get_total_length()).min(ip.packet().len());
    let tcp = TcpPacket::new(ip.packet().get(header..end)?)?;
    let flags = tcp.get_flags();
    // A reset without an acknowledgment cannot answer a SYN: nothing tells which one it means.
    let open = match (flags & TcpFlags::RST != 0, flags & TcpFlags::SYN != 0, flags & TcpFlags::ACK != 0) {
        (false, true, true) => true,
        (true, false, true) => false,
        _ => return None,
    };
    Some(Answer {
        from: SocketAddrV4::new(ip.get_source(), tcp.get_source()),
        to: SocketAddrV4::new(ip.get_destination(), tcp.get_destination()),
        acknowledged: tcp.get_acknowledgement(),
        open,
    })
}

fn is_station(ip: Ipv4Addr) -> bool {
    !ip.is_unspecified() && !ip.is_broadcast() && !ip.is_multicast()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint(mac: u8, at: &str) -> Endpoint {
        Endpoint { mac: MacAddr([2, 0, 0, 0, 0, mac]), at: at.parse().unwrap() }
    }

    /// The frame a host would send back, `flags` set.
    fn answer(to: Endpoint, from: Endpoint, acknowledged: u32, flags: u8) -> [u8; FRAME_LEN] {
        let mut frame = syn(from, to, 7);
        let mut tcp = MutableTcpPacket::new(&mut frame[34..]).unwrap();
        tcp.set_flags(flags);
        tcp.set_acknowledgement(acknowledged);
        frame
    }

    #[test]
    fn a_syn_is_as_the_standards_have_it_byte_for_byte() {
        let frame = syn(endpoint(1, "192.0.2.1:40000"), endpoint(9, "192.0.2.9:554"), 0x0102_0304);
        let expected = [
            2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x08, 0x00, // Ethernet
            0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0xb6, 0xc1, 192, 0, 2, 1, 192, 0, 2, 9, // IPv4
            0x9c, 0x40, 0x02, 0x2a, 1, 2, 3, 4, 0, 0, 0, 0, 0x60, 0x02, 0xfa, 0xf0, 0x76, 0xba, 0, 0, // TCP
            2, 4, 0x05, 0xb4, // MSS 1460
        ];
        assert_eq!(frame, expected);
    }

    #[test]
    fn only_answers_to_a_syn_are_answers() {
        use TcpFlags as F;
        let (host, own) = (endpoint(9, "192.0.2.9:554"), endpoint(1, "192.0.2.1:40000"));
        let heard = |open| Some(Answer { from: host.at, to: own.at, acknowledged: 8, open });
        let cases = [
            (F::SYN | F::ACK, heard(true)),
            (F::SYN | F::ACK | F::ECE, heard(true)),
            (F::RST | F::ACK, heard(false)),
            (F::RST, None),
            (F::SYN, None),
            (F::ACK, None),
            (F::SYN | F::RST | F::ACK, None),
            (0, None),
        ];
        for (flags, expected) in cases {
            assert_eq!(parse(&answer(own, host, 8, flags)), expected, "{flags:08b}");
        }
    }

    #[test]
    fn broken_answers_are_passed_over() {
        let (host, own) = (endpoint(9, "192.0.2.9:554"), endpoint(1, "192.0.2.1:40000"));
        let whole = answer(own, host, 8, TcpFlags::SYN | TcpFlags::ACK);
        let with = |at: usize, byte: u8| {
            let mut frame = whole;
            frame[at] = byte;
            parse(&frame)
        };
        assert!(parse(&whole).is_some());
        assert_eq!(with(12, 0x86), None, "another protocol");
        assert_eq!(with(14, 0x65), None, "IPv6");
        assert_eq!(with(14, 0x44), None, "a header too short");
        assert_eq!(with(14, 0x4f), None, "a header longer than the packet");
        assert_eq!(with(17, 39), None, "no room for TCP");
        assert_eq!(with(21, 1), None, "a later fragment");
        assert_eq!(with(23, 17), None, "UDP");
        assert_eq!(with(26, 224), None, "a group as sender");
        assert_eq!(parse(&whole[..53]), None);
    }

    proptest! {
        #[test]
        fn a_syn_reads_back_and_its_checksums_hold(
            macs: [[u8; 6]; 2], from: (u32, u16), to: (u32, u16), sequence: u32,
        ) {
            let end = |mac: [u8; 6], at: (u32, u16)| {
                Endpoint { mac: MacAddr(mac), at: SocketAddrV4::new(at.0.into(), at.1) }
            };
            let frame = syn(end(macs[0], from), end(macs[1], to), sequence);
            let ethernet = EthernetPacket::new(&frame).unwrap();
            prop_assert_eq!(ethernet.get_source().octets(), macs[0]);
            prop_assert_eq!(ethernet.get_destination().octets(), macs[1]);
            let ip = Ipv4Packet::new(&frame[14..]).unwrap();
            prop_assert_eq!((u32::from(ip.get_source()), u32::from(ip.get_destination())), (from.0, to.0));
            prop_assert_eq!(ip.get_checksum(), ipv4::checksum(&ip));
            let tcp = TcpPacket::new(ip.payload()).unwrap();
            prop_assert_eq!((tcp.get_source(), tcp.get_destination(), tcp.get_sequence()), (from.1, to.1, sequence));
            prop_assert_eq!(tcp.get_flags(), TcpFlags::SYN);
            prop_assert_eq!(tcp.get_checksum(), tcp::ipv4_checksum(&tcp, &ip.get_source(), &ip.get_destination()));
            prop_assert_eq!(parse(&frame), None);
        }

        #[test]
        fn an_answer_reads_back(from: (u8, u16), acknowledged: u32, open: bool) {
            let host = Endpoint { at: SocketAddrV4::new([10, 0, 0, from.0].into(), from.1), ..endpoint(9, "10.0.0.1:1") };
            let own = endpoint(1, "10.0.0.1:40000");
            let flags = if open { TcpFlags::SYN } else { TcpFlags::RST } | TcpFlags::ACK;
            let frame = answer(own, host, acknowledged, flags);
            prop_assert_eq!(parse(&frame), Some(Answer { from: host.at, to: own.at, acknowledged, open }));
        }

        #[test]
        fn nothing_makes_it_panic(frame in prop::collection::vec(any::<u8>(), 0..192)) {
            parse(&frame);
        }

        #[test]
        fn nothing_near_an_answer_makes_it_panic(cut in 0usize..=58, at in 0usize..58, byte: u8) {
            let flags = TcpFlags::SYN | TcpFlags::ACK;
            let mut frame = answer(endpoint(1, "10.0.0.1:40000"), endpoint(9, "10.0.0.9:80"), 8, flags);
            frame[at] = byte;
            parse(&frame[..cut]);
        }
    }
}
