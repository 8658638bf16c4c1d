//! WebRTC: WHEP endpoints (draft-ietf-wish-whep). A session is opened only
//! to read its answer, and closed at once; no media is received.

pub mod analyze;
pub mod wire;
