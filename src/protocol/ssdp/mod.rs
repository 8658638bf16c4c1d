//! SSDP and UPnP device descriptions (UPnP Device Architecture 1.1 §1 and §2): who is there by multicast, then who it is
//! from the XML document it points to.

pub mod describe;
pub mod description;
pub mod discover;
pub mod facts;
pub mod inquire;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows {
    finder: Some(discover::FINDER),
    listener: Some(discover::LISTENER),
    probes: &[inquire::PROBE, describe::PROBE],
    ..ProtocolRows::NONE
};
