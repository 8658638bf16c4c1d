//! HTTP Live Streaming (RFC 8216): playlists, and the proof of a variant by a segment.

pub mod analyze;
pub mod wire;
