//! ONVIF: what the device is, and where its streams are. Only asks, never sets.

pub mod analyze;
pub mod client;
pub mod error;
mod login;
pub mod soap;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { probes: &[analyze::PROBE], ..ProtocolRows::NONE };
