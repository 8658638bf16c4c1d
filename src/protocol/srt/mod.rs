//! SRT (draft-sharabayko-srt): recognised by the answer to the first packet of a handshake. Nothing more is sent, so no
//! connection comes about.

pub mod inquire;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { probes: &[inquire::PROBE], ..ProtocolRows::NONE };
