//! The report, schema "camscan/1": a contract; fields are added, never renamed or re-typed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::names::names;
use super::{Coverage, Device, Method};

/// The schema's name, in every report.
pub const SCHEMA: &str = "camscan/1";

/// The whole result of a scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Always `camscan/1`.
    pub schema: String,
    /// About the scan itself.
    pub scan: ScanInfo,
    /// The devices, by address.
    pub devices: Vec<Device>,
    /// What the operator should know about the scan, in words.
    pub warnings: Vec<String>,
}

/// About the scan itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScanInfo {
    /// The program's version.
    pub camscan_version: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether it came to its end.
    pub status: ScanStatus,
    /// The targets as given.
    pub targets: Vec<String>,
    /// The addresses they hold, excluded ones left out: `192.0.2.1-192.0.2.254`, or a single address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// How many addresses they hold.
    pub addresses: u64,
    /// How many of them answered.
    pub hosts_up: u64,
    /// The methods that really ran.
    pub methods: Vec<Method>,
    /// What the scan covered, and what may have been hidden from it; absent where nobody was looked for on a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

names! {
    /// Whether the scan came to its end.
    pub enum ScanStatus {
        /// It did.
        Complete = "complete",
        /// It was stopped; what was found is here.
        Interrupted = "interrupted",
    }
}
