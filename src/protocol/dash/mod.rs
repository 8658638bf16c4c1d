//! MPEG-DASH (ISO/IEC 23009-1): manifests, and the proof of a representation by a segment.

pub mod analyze;
pub mod wire;
