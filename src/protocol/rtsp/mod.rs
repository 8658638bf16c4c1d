//! RTSP 1.0 (RFC 2326) with SDP (RFC 4566).

pub mod frames;
pub mod headers;
pub mod sdp;
pub mod url;
pub mod wire;
