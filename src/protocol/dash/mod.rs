//! MPEG-DASH (ISO/IEC 23009-1): manifests, and the proof of a representation by a segment.

pub mod analyze;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { probes: &[analyze::PROBE], ..ProtocolRows::NONE };
