//! WS-Discovery as ONVIF uses it (ONVIF Core §7.3; WS-Discovery 2005/04): cameras answer a Probe with where their device
//! service is and scopes that say what they are. No login is needed.

pub mod discover;
pub mod facts;
pub mod inquire;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows {
    finder: Some(discover::FINDER),
    listener: Some(discover::LISTENER),
    probes: &[inquire::PROBE],
    ..ProtocolRows::NONE
};
