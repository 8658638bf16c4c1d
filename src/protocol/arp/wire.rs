//! ARP over Ethernet for IPv4: frames to values and back.

use std::net::Ipv4Addr;

use pnet::packet::Packet;
use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};

use crate::model::MacAddr;

/// Bytes of an ARP frame; the driver pads it to the link's least.
pub const FRAME_LEN: usize = 14 + 28;

/// The ARP frame that asks everybody who has `target` (RFC 826).
pub fn request(source_mac: MacAddr, source: Ipv4Addr, target: Ipv4Addr) -> [u8; FRAME_LEN] {
    let mut frame = [0; FRAME_LEN];
    if let Some(mut ethernet) = MutableEthernetPacket::new(&mut frame) {
        ethernet.set_destination(MacAddr::BROADCAST.0.into());
        ethernet.set_source(source_mac.0.into());
        ethernet.set_ethertype(EtherTypes::Arp);
    }
    let (_, payload) = frame.split_at_mut(14);
    if let Some(mut arp) = MutableArpPacket::new(payload) {
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(ArpOperations::Request);
        arp.set_sender_hw_addr(source_mac.0.into());
        arp.set_sender_proto_addr(source);
        arp.set_target_proto_addr(target);
    }
    frame
}

/// Who says to have which address: an answer, or a question of the host's own, which tells as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub ip: Ipv4Addr,
    /// The MAC address that claims it.
    pub mac: MacAddr,
}

/// Reads what a frame claims; nothing when it is no sound ARP frame, or claims nothing (an address probe, RFC 5227).
pub fn parse(frame: &[u8]) -> Option<Claim> {
    let ethernet = EthernetPacket::new(frame)?;
    if ethernet.get_ethertype() != EtherTypes::Arp {
        return None;
    }
    let arp = ArpPacket::new(ethernet.payload())?;
    let sound = arp.get_hardware_type() == ArpHardwareTypes::Ethernet
        && arp.get_protocol_type() == EtherTypes::Ipv4
        && arp.get_hw_addr_len() == 6
        && arp.get_proto_addr_len() == 4
        && matches!(arp.get_operation(), ArpOperations::Request | ArpOperations::Reply);
    let mac = MacAddr(arp.get_sender_hw_addr().octets());
    let ip = arp.get_sender_proto_addr();
    let usable = mac.is_station() && !ip.is_unspecified() && !ip.is_broadcast() && !ip.is_multicast();
    (sound && usable).then_some(Claim { ip, mac })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Built by hand from RFC 826, byte for byte.
    const REPLY: [u8; 42] = [
        0x02, 0, 0, 0, 0, 1, 0x44, 0x19, 0xb6, 0, 0, 1, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2, 0x44, 0x19, 0xb6, 0, 0,
        1, 192, 0, 2, 9, 0x02, 0, 0, 0, 0, 1, 192, 0, 2, 1,
    ];

    #[test]
    fn a_reply_claims_its_sender() {
        let claim = Claim { ip: Ipv4Addr::new(192, 0, 2, 9), mac: MacAddr([0x44, 0x19, 0xb6, 0, 0, 1]) };
        assert_eq!(parse(&REPLY), Some(claim));
        // Padding to the least an Ethernet frame has.
        let mut padded = REPLY.to_vec();
        padded.resize(60, 0);
        assert_eq!(parse(&padded), Some(claim));
    }

    #[test]
    fn what_claims_nothing_is_passed_over() {
        let with = |at: usize, bytes: &[u8]| {
            let mut frame = REPLY;
            frame[at..at + bytes.len()].copy_from_slice(bytes);
            parse(&frame)
        };
        assert_eq!(with(12, &[0x08, 0x00]), None, "IPv4");
        assert_eq!(with(15, &[6]), None, "token ring");
        assert_eq!(with(18, &[8]), None, "8-byte hardware address");
        assert_eq!(with(19, &[16]), None, "16-byte protocol address");
        assert_eq!(with(21, &[3]), None, "RARP");
        assert_eq!(with(22, &[0xff; 6]), None, "broadcast sender");
        assert_eq!(with(22, &[0; 6]), None, "no sender");
        assert_eq!(with(28, &[0; 4]), None, "address probe");
        assert_eq!(with(28, &[224, 0, 0, 1]), None, "multicast sender");
        assert_eq!(parse(&REPLY[..41]), None);
        assert_eq!(parse(&[]), None);
    }

    proptest! {
        #[test]
        fn a_request_reads_back(mac: [u8; 6], source: [u8; 4], target: [u8; 4]) {
            let mac = MacAddr([mac[0] & 0xfe | 2, mac[1], mac[2], mac[3], mac[4], mac[5]]);
            let source = Ipv4Addr::from([10, source[1], source[2], source[3]]);
            let frame = request(mac, source, target.into());
            prop_assert_eq!(parse(&frame), Some(Claim { ip: source, mac }));
            prop_assert_eq!(&frame[..6], &[0xff; 6]);
            prop_assert_eq!(&frame[38..], &target);
        }

        #[test]
        fn nothing_makes_it_panic(frame in prop::collection::vec(any::<u8>(), 0..128)) {
            parse(&frame);
        }

        #[test]
        fn nothing_near_a_reply_makes_it_panic(cut in 0usize..=42, at in 0usize..42, byte: u8) {
            let mut frame = REPLY;
            frame[at] = byte;
            parse(&frame[..cut]);
        }
    }
}
