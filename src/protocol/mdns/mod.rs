//! DNS-SD over multicast DNS (RFC 6762, RFC 6763): who offers which service, under which name and port.

pub mod discover;
pub mod facts;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows =
    ProtocolRows { finder: Some(discover::FINDER), listener: Some(discover::LISTENER), ..ProtocolRows::NONE };
