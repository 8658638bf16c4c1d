//! MJPEG over HTTP, and still pictures.

pub mod analyze;
mod measure;
pub mod snapshot;
pub mod wire;
