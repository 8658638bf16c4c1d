//! HTTP Live Streaming (RFC 8216): playlists, and the proof of a variant by a segment.

pub mod analyze;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { probes: &[analyze::PROBE], ..ProtocolRows::NONE };
