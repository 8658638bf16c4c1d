//! HTTP/1.x as cameras speak it: bounded, lenient, one request a connection.

pub mod client;
pub mod detect;
pub mod exchange;
mod login;
pub mod message;
pub mod page;
pub mod redirect;
pub mod transcript;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { detector: Some(detect::DETECTOR), ..ProtocolRows::NONE };
