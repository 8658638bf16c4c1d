//! STUN (RFC 8489) and TURN (RFC 8656): what helps WebRTC through address translation. No sign of a camera by itself.

pub mod detect;
pub mod wire;
