//! ICMP and ICMPv6 echo (RFC 792, RFC 4443): is anybody there?

pub mod discover;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { finder: Some(discover::FINDER), ..ProtocolRows::NONE };
