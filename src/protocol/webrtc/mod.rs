//! WebRTC: WHEP endpoints (draft-ietf-wish-whep). A session is opened only
//! to read its answer, and closed at once; no media is received.

pub mod analyze;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { probes: &[analyze::PROBE], ..ProtocolRows::NONE };
