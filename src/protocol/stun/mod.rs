//! STUN (RFC 8489) and TURN (RFC 8656): what helps WebRTC through address translation. No sign of a camera by itself.

pub mod detect;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows =
    ProtocolRows { detector: Some(detect::DETECTOR), probes: &[detect::PROBE], ..ProtocolRows::NONE };
