//! Servers that pass on the streams of others, and list them: go2rtc, MediaMTX, SRS, nginx-rtmp, Frigate, Janus.
//!
//! Such lists are known to show where each stream comes from, password and all (go2rtc issues 316 and 2298). So only
//! names are taken out of an answer, and what asks here keeps nothing else: no body, no transcript, no line in the log.
//! What shows whole configurations (go2rtc's and Frigate's `/api/config`) is never asked for.

pub mod analyze;
mod janus;
mod mediamtx;
pub mod names;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { probes: &[analyze::PROBE], ..ProtocolRows::NONE };
