//! RTMP and RTMPS (Adobe's "Real-Time Messaging Protocol" 1.0, and enhanced RTMP v1): handshake, chunks, commands, and the
//! proof of a stream by its tags.

pub mod amf;
pub mod analyze;
pub mod client;
pub mod detect;
pub mod flv;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows =
    ProtocolRows { detector: Some(detect::DETECTOR), probes: &[analyze::PROBE], ..ProtocolRows::NONE };
