//! MJPEG over HTTP, and still pictures.

pub mod analyze;
pub mod snapshot;
pub mod wire;
