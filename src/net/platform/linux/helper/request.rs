//! What the privileged helper is asked for, and its reply: messages of fixed size in which every value has one encoding.
//! Whatever is encoded otherwise is no request.
//!
//! A request, numbers in network byte order:
//!
//! | bytes | | |
//! | --- | --- | --- |
//! | 0 | what | 1 open a link, 2 forget a neighbour |
//! | 1 | kind | of a link: 1 ARP, 2 TCP answers, 3 what is sent to everybody; of a neighbour: 4 or 6, the IP version |
//! | 2, 3 | port | that TCP answers are sent to, else 0 |
//! | 4 to 7 | interface | its index, 1 to 2³¹-1 |
//! | 8 to 11 | number | of a request that is replied to, else 0 |
//! | 12 to 27 | address | of a neighbour, IPv4 in the first four bytes; else 0 |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::link::LinkKind;

/// Bytes of a request.
pub(super) const REQUEST_LEN: usize = 28;
/// Bytes of a reply.
pub(super) const REPLY_LEN: usize = 12;

const OPEN_LINK: u8 = 1;
const FORGET: u8 = 2;
const ARP: u8 = 1;
const TCP_ANSWERS: u8 = 2;
const OVERHEARD: u8 = 3;
const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// The two things the helper does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// Opens an interface for frames of one kind; the reply carries the socket.
    OpenLink {
        /// Comes back with the reply.
        number: u32,
        /// The interface's index.
        interface: u32,
        /// Which frames.
        kind: LinkKind,
    },
    /// Deletes a row of the neighbour table. There is no reply.
    Forget {
        /// The interface's index.
        interface: u32,
        /// The neighbour's address.
        ip: IpAddr,
    },
}

impl Request {
    /// As bytes.
    pub(super) fn to_bytes(self) -> [u8; REQUEST_LEN] {
        let (what, kind, port, interface, number, address) = match self {
            Request::OpenLink { number, interface, kind: LinkKind::Arp } => {
                (OPEN_LINK, ARP, 0, interface, number, [0; 16])
            }
            Request::OpenLink { number, interface, kind: LinkKind::Overheard } => {
                (OPEN_LINK, OVERHEARD, 0, interface, number, [0; 16])
            }
            Request::OpenLink { number, interface, kind: LinkKind::TcpAnswers { port } } => {
                (OPEN_LINK, TCP_ANSWERS, port, interface, number, [0; 16])
            }
            Request::Forget { interface, ip: IpAddr::V4(v4) } => {
                (FORGET, IPV4, 0, interface, 0, (u128::from(u32::from(v4)) << 96).to_be_bytes())
            }
            Request::Forget { interface, ip: IpAddr::V6(v6) } => (FORGET, IPV6, 0, interface, 0, v6.octets()),
        };
        let mut bytes = [0; REQUEST_LEN];
        bytes[..2].copy_from_slice(&[what, kind]);
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[4..8].copy_from_slice(&interface.to_be_bytes());
        bytes[8..12].copy_from_slice(&number.to_be_bytes());
        bytes[12..].copy_from_slice(&address);
        bytes
    }

    /// The request these bytes are; none when they are not what [`Request::to_bytes`] writes.
    pub(super) fn read(bytes: &[u8]) -> Option<Request> {
        let [what, kind, p0, p1, i0, i1, i2, i3, n0, n1, n2, n3, address @ ..] =
            *<&[u8; REQUEST_LEN]>::try_from(bytes).ok()?;
        let interface = u32::from_be_bytes([i0, i1, i2, i3]);
        // The kernel's indexes are positive ints.
        if interface == 0 || i32::try_from(interface).is_err() {
            return None;
        }
        let [a, b, c, d, ..] = address;
        let number = u32::from_be_bytes([n0, n1, n2, n3]);
        let request = match (what, kind, u16::from_be_bytes([p0, p1])) {
            (OPEN_LINK, ARP, 0) => Request::OpenLink { number, interface, kind: LinkKind::Arp },
            (OPEN_LINK, OVERHEARD, 0) => Request::OpenLink { number, interface, kind: LinkKind::Overheard },
            (OPEN_LINK, TCP_ANSWERS, port @ 1..) => {
                Request::OpenLink { number, interface, kind: LinkKind::TcpAnswers { port } }
            }
            (FORGET, IPV4, 0) => Request::Forget { interface, ip: Ipv4Addr::new(a, b, c, d).into() },
            (FORGET, IPV6, 0) => Request::Forget { interface, ip: Ipv6Addr::from(address).into() },
            _ => return None,
        };
        // What this kind of request has no use for is zero.
        (request.to_bytes() == bytes).then_some(request)
    }
}

/// The reply to a [`Request::OpenLink`], beside the socket: three numbers of four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply {
    /// The request's number.
    pub number: u32,
    /// The system's error number; 0 when a socket comes along.
    pub error: i32,
    /// Messages ignored so far because they are no requests.
    pub ignored: u32,
}

impl Reply {
    /// As bytes.
    pub(super) fn to_bytes(self) -> [u8; REPLY_LEN] {
        let mut bytes = [0; REPLY_LEN];
        bytes[..4].copy_from_slice(&self.number.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.error.to_be_bytes());
        bytes[8..].copy_from_slice(&self.ignored.to_be_bytes());
        bytes
    }

    /// The reply these bytes are.
    pub(super) fn read(bytes: &[u8]) -> Option<Reply> {
        let [n0, n1, n2, n3, e0, e1, e2, e3, i0, i1, i2, i3] = *<&[u8; REPLY_LEN]>::try_from(bytes).ok()?;
        let error = i32::from_be_bytes([e0, e1, e2, e3]);
        let (number, ignored) = (u32::from_be_bytes([n0, n1, n2, n3]), u32::from_be_bytes([i0, i1, i2, i3]));
        (error >= 0).then_some(Reply { number, error, ignored })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requests() -> impl Strategy<Value = Request> {
        let interface = 1..=i32::MAX.unsigned_abs();
        let kind = prop_oneof![
            Just(LinkKind::Arp),
            Just(LinkKind::Overheard),
            (1..=u16::MAX).prop_map(|port| LinkKind::TcpAnswers { port })
        ];
        prop_oneof![
            (any::<u32>(), interface.clone(), kind).prop_map(|(number, interface, kind)| Request::OpenLink {
                number,
                interface,
                kind
            }),
            (interface, any::<IpAddr>()).prop_map(|(interface, ip)| Request::Forget { interface, ip }),
        ]
    }

    /// Bytes of any length, and such that are nearly a request.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let nearly = (requests(), 0..REQUEST_LEN, any::<u8>()).prop_map(|(request, at, byte)| {
            let mut bytes = request.to_bytes().to_vec();
            bytes[at] = byte;
            bytes
        });
        prop_oneof![prop::collection::vec(any::<u8>(), 0..2 * REQUEST_LEN), nearly]
    }

    proptest! {
        #[test]
        fn a_request_is_read_as_it_was_written(request in requests()) {
            prop_assert_eq!(Request::read(&request.to_bytes()), Some(request));
        }

        #[test]
        fn a_reply_is_read_as_it_was_written(number: u32, error in 0..=i32::MAX, ignored: u32) {
            let reply = Reply { number, error, ignored };
            prop_assert_eq!(Reply::read(&reply.to_bytes()), Some(reply));
        }

        #[test]
        fn whatever_is_read_has_one_encoding(bytes in bytes()) {
            if let Some(request) = Request::read(&bytes) {
                prop_assert_eq!(&request.to_bytes()[..], &bytes[..]);
                let (Request::OpenLink { interface, .. } | Request::Forget { interface, .. }) = request;
                prop_assert!(interface > 0 && interface <= i32::MAX.unsigned_abs());
            }
            if let Some(reply) = Reply::read(&bytes) {
                prop_assert_eq!(&reply.to_bytes()[..], &bytes[..]);
            }
        }
    }

    #[test]
    fn requests_are_encoded_as_documented() {
        let link = |kind| Request::OpenLink { number: 0x0102_0304, interface: 7, kind }.to_bytes();
        let neighbour = |ip: &str| Request::Forget { interface: 0x10203, ip: ip.parse().unwrap() }.to_bytes();
        let (zeros, v6) = ([0; 16], [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        let v4 = [192, 0, 2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (bytes, head, address) in [
            (link(LinkKind::Arp), [1, 1, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4], zeros),
            (link(LinkKind::Overheard), [1, 3, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4], zeros),
            (link(LinkKind::TcpAnswers { port: 554 }), [1, 2, 2, 42, 0, 0, 0, 7, 1, 2, 3, 4], zeros),
            (neighbour("192.0.2.9"), [2, 4, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0], v4),
            (neighbour("2001:db8::9"), [2, 6, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0], v6),
        ] {
            assert_eq!(bytes[..], [&head[..], &address].concat());
        }
    }

    #[test]
    fn what_is_no_request_is_not_taken_for_one() {
        let forget = Request::Forget { interface: 7, ip: [192, 0, 2, 9].into() }.to_bytes();
        let open = Request::OpenLink { number: 1, interface: 7, kind: LinkKind::Arp }.to_bytes();
        assert!(Request::read(&forget).is_some() && Request::read(&open).is_some());
        for (bytes, at, byte, why) in [
            (forget, 0, 3, "no such request"),
            (forget, 0, 0, "no such request"),
            (forget, 1, 5, "no such IP version"),
            (forget, 3, 1, "a port where none belongs"),
            (forget, 7, 0, "interface 0"),
            (forget, 4, 0x80, "a negative index"),
            (forget, 11, 1, "a number where there is no reply"),
            (forget, 27, 1, "more than an IPv4 address"),
            (open, 1, 0, "no such kind of frames"),
            (open, 1, 2, "answers to port 0"),
            (open, 3, 1, "ARP has no ports"),
            (open, 12, 1, "an address where none belongs"),
        ] {
            let mut changed = bytes;
            changed[at] = byte;
            assert_eq!(Request::read(&changed), None, "{why}");
        }
        assert_eq!(Request::read(&[]), None);
        assert_eq!(Request::read(&forget[1..]), None);
        assert_eq!(Request::read(&[&forget[..], &[0]].concat()), None);
    }
}
