//! Recorders that list the cameras behind their channels over HTTP: Hikvision (ISAPI), Dahua (CGI), and who sells theirs.
//!
//! Such lists hold the users, and with old firmware the passwords, by which the recorder logs in to its cameras. So only
//! addresses, names, models and serial numbers are taken out of an answer, and what asks here keeps nothing else: no body,
//! no transcript, no line in the log. Nothing is ever set.

pub mod analyze;
pub mod wire;

use crate::probe::ProtocolRows;

/// What this folder contributes to a scan.
pub const PROTOCOL: ProtocolRows = ProtocolRows { probes: analyze::PROBES, ..ProtocolRows::NONE };
