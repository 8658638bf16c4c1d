//! Pure grammar that several protocols share. No socket, no clock, no randomness.

pub mod auth;
pub mod buffer;
pub mod greeting;
pub mod head;
pub mod url;
pub mod xml;
