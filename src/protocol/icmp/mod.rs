//! ICMP and ICMPv6 echo (RFC 792, RFC 4443): is anybody there?

pub mod discover;
pub mod wire;
