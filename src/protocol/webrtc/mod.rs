//! WebRTC: WHEP endpoints (draft-ietf-wish-whep). A session is opened to read its answer and, with the feature `serve`, to
//! play what it brings for some seconds; then it is closed.

pub mod analyze;
#[cfg(test)]
mod hostile;
#[cfg(feature = "serve")]
mod play;
#[cfg(feature = "serve")]
pub mod receiver;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { probes: &[analyze::PROBE], ..ProtocolRows::NONE };
