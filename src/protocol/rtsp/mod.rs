//! RTSP 1.0 (RFC 2326) with SDP (RFC 4566).

pub mod analyze;
mod asker;
mod channel;
pub mod client;
pub mod detect;
pub mod error;
pub mod frames;
pub mod headers;
mod lessons;
mod login;
mod path_login;
pub mod play;
pub mod sdp;
mod stream;
pub mod tracks;
mod udp;
pub mod url;
pub mod verify;
pub mod walk;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows =
    ProtocolRows { detector: Some(detect::DETECTOR), probes: &[analyze::PROBE], ..ProtocolRows::NONE };
