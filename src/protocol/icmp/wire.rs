//! ICMP echo messages: bytes and back.

use pnet::packet::Packet;
use pnet::packet::icmp::echo_reply::EchoReplyPacket;
use pnet::packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet::packet::icmp::{IcmpPacket, IcmpTypes, checksum};
use pnet::packet::icmpv6::echo_reply::EchoReplyPacket as EchoReplyV6;
use pnet::packet::icmpv6::echo_request::MutableEchoRequestPacket as MutableEchoRequestV6;
use pnet::packet::icmpv6::{Icmpv6Packet, Icmpv6Types};

/// What every request of one sweep carries, so that its answers are told from those to other programs' requests: the
/// identifier does not serve, for the kernel puts one of its own.
pub type Token = [u8; 16];

/// Bytes of a request: header, identifier, sequence number, token.
pub const MESSAGE_LEN: usize = 8 + 16;

/// An ICMP echo request (RFC 792, type 8) for IPv4.
pub fn request_v4(identifier: u16, sequence: u16, token: &Token) -> [u8; MESSAGE_LEN] {
    let mut message = [0; MESSAGE_LEN];
    if let Some(mut echo) = MutableEchoRequestPacket::new(&mut message) {
        echo.set_icmp_type(IcmpTypes::EchoRequest);
        echo.set_identifier(identifier);
        echo.set_sequence_number(sequence);
        echo.set_payload(token);
    }
    let sum = IcmpPacket::new(&message).map(|icmp| checksum(&icmp)).unwrap_or_default();
    if let Some(mut echo) = MutableEchoRequestPacket::new(&mut message) {
        echo.set_checksum(sum);
    }
    message
}

/// An ICMPv6 echo request (RFC 4443 §4.1, type 128). The kernel fills in the checksum, which covers addresses that only
/// it knows.
pub fn request_v6(identifier: u16, sequence: u16, token: &Token) -> [u8; MESSAGE_LEN] {
    let mut message = [0; MESSAGE_LEN];
    if let Some(mut echo) = MutableEchoRequestV6::new(&mut message) {
        echo.set_icmpv6_type(Icmpv6Types::EchoRequest);
        echo.set_identifier(identifier);
        echo.set_sequence_number(sequence);
        echo.set_payload(token);
    }
    message
}

/// Whether the message is an answer to a request with the token.
pub fn is_answer(message: &[u8], v6: bool, token: &Token) -> bool {
    if v6 {
        Icmpv6Packet::new(message).is_some_and(|m| m.get_icmpv6_type() == Icmpv6Types::EchoReply)
            && EchoReplyV6::new(message).is_some_and(|m| m.payload() == token)
    } else {
        IcmpPacket::new(message).is_some_and(|m| m.get_icmp_type() == IcmpTypes::EchoReply)
            && EchoReplyPacket::new(message).is_some_and(|m| m.payload() == token)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_answer_to_a_request_is_known(identifier: u16, sequence: u16, token: Token, other: Token, v6: bool) {
            let mut message =
                if v6 { request_v6(identifier, sequence, &token) } else { request_v4(identifier, sequence, &token) };
            prop_assert!(!is_answer(&message, v6, &token));
            prop_assert_eq!(&message[4..8], &[identifier.to_be_bytes(), sequence.to_be_bytes()].concat()[..]);
            message[0] = if v6 { 129 } else { 0 };
            prop_assert!(is_answer(&message, v6, &token));
            prop_assert!(!is_answer(&message, !v6, &token));
            prop_assert_eq!(is_answer(&message, v6, &other), token == other);
        }

        /// RFC 1071: the sum over a message with its checksum is all ones.
        #[test]
        fn the_checksum_holds(identifier: u16, sequence: u16, token: Token) {
            let message = request_v4(identifier, sequence, &token);
            let words = message.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
            let sum: u32 = words.sum();
            prop_assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        }

        #[test]
        fn nothing_makes_it_panic(message in prop::collection::vec(any::<u8>(), 0..64), v6: bool) {
            is_answer(&message, v6, &[0; 16]);
        }
    }
}
