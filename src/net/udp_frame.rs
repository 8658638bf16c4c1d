//! A UDP datagram inside an Ethernet frame (RFC 894, RFC 791, RFC 768). Pure.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::model::MacAddr;

/// Bytes before the IPv4 header.
const ETHERNET: usize = 14;

/// A datagram as it stands in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpFrame<'f> {
    /// The station that sent the frame: the host itself, or a router.
    pub station: MacAddr,
    /// Whether the frame is for several stations: a multicast or broadcast.
    pub is_to_many: bool,
    /// Where the datagram is from.
    pub from: SocketAddrV4,
    /// Where it goes.
    pub to: SocketAddrV4,
    /// What it carries.
    pub payload: &'f [u8],
}

/// Reads a whole datagram. None for anything else: fragments, what is cut off, and lengths that contradict each other. The
/// checksums are not looked at, since an interface may fill them in later.
pub fn parse(frame: &[u8]) -> Option<UdpFrame<'_>> {
    let half = |bytes: &[u8], at: usize| Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?));
    let station = MacAddr(frame.get(6..12)?.try_into().ok()?);
    let is_to_many = frame.first()? & 1 == 1;
    if half(frame, 12)? != 0x0800 || !station.is_station() {
        return None;
    }
    let packet = frame.get(ETHERNET..)?;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let length = usize::from(half(packet, 2)?);
    let is_whole = half(packet, 6)? & 0x3fff == 0;
    if packet.first()? >> 4 != 4 || header < 20 || !is_whole || *packet.get(9)? != 17 {
        return None;
    }
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at.checked_add(4)?)?).ok()?));
    let (from, to) = (address(12)?, address(16)?);
    let datagram = packet.get(header..length)?;
    let payload = datagram.get(8..usize::from(half(datagram, 4)?))?;
    Some(UdpFrame {
        station,
        is_to_many,
        from: SocketAddrV4::new(from, half(datagram, 0)?),
        to: SocketAddrV4::new(to, half(datagram, 2)?),
        payload,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A datagram of `hello` from 192.168.1.108:37020 to SADP's group, by hand from the standards, padded as Ethernet does.
    const FRAME: [u8; 60] = [
        0x01, 0x00, 0x5e, 0x7f, 0xff, 0xfa, 0x44, 0x19, 0xb6, 0, 0, 1, 0x08, 0x00, 0x45, 0, 0, 33, 0, 1, 0x40, 0, 4,
        17, 0, 0, 192, 168, 1, 108, 239, 255, 255, 250, 0x90, 0x9c, 0x90, 0x9c, 0, 13, 0, 0, b'h', b'e', b'l', b'l',
        b'o', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn a_datagram_is_read_without_the_padding() {
        let read = parse(&FRAME).unwrap();
        assert_eq!((read.payload, read.is_to_many), (&b"hello"[..], true));
        assert_eq!(read.station, MacAddr([0x44, 0x19, 0xb6, 0, 0, 1]));
        assert_eq!(
            (read.from.to_string(), read.to.to_string()),
            ("192.168.1.108:37020".into(), "239.255.255.250:37020".into())
        );
        assert!(!parse(&[&[0x02], &FRAME[1..]].concat()).unwrap().is_to_many);
    }

    #[test]
    fn what_is_no_whole_datagram_is_none() {
        for (name, at, value) in [
            ("another Ethernet type", 13, 6),
            ("a group as sender", 6, 1),
            ("IPv6", 14, 0x65),
            ("a header of nothing", 14, 0x40),
            ("more fragments to come", 20, 0x20),
            ("a later fragment", 21, 1),
            ("TCP", 23, 6),
            ("a packet longer than the frame", 17, 200),
            ("a datagram longer than the packet", 39, 14),
            ("a datagram shorter than its header", 39, 7),
        ] {
            let mut frame = FRAME;
            frame[at] = value;
            assert_eq!(parse(&frame), None, "{name}");
        }
        for length in 0..47 {
            assert_eq!(parse(&FRAME[..length]), None, "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_frame_is_read_without_panic(mut frame in Just(FRAME.to_vec()), changes in prop::collection::vec((0usize..60, any::<u8>()), 0..8), length in 0usize..=60) {
            changes.into_iter().for_each(|(at, value)| frame[at] = value);
            let _ = parse(&frame[..length]);
        }
    }
}
