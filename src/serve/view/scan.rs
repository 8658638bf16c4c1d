//! Scans: those that are remembered, the one that runs, and those that wait.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::memory::NotScanned;
use crate::model::names::names;
use crate::store::{Cause, ScanRow};
use crate::watch::Scanning;

names! {
    /// How a scan stands.
    pub enum ScanState {
        /// It waits for its turn.
        Queued = "queued",
        /// It runs.
        Running = "running",
        /// It came to its end.
        Complete = "complete",
        /// It was stopped; what was found is kept.
        Interrupted = "interrupted",
        /// It could not be made.
        Failed = "failed",
    }
}

names! {
    /// What a scan is for.
    pub enum ScanKind {
        /// Everything at its targets.
        Scan = "scan",
        /// One device; it is not among the scans that are remembered.
        Probe = "probe",
    }
}

/// A scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScanView {
    /// What it is called: its number where it is remembered, else `j_` and a number.
    pub id: String,
    /// Its number among those that are remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// What it is for.
    pub kind: ScanKind,
    /// What made it begin.
    pub cause: Cause,
    /// How it stands.
    pub status: ScanState,
    /// When it was asked for, or began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The targets as they were written; none: the subnets of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// How many addresses they hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<u64>,
    /// How many of these answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts_up: Option<u64>,
    /// How many devices it found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
    /// How far it is, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why it could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The same as data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<NotScanned>,
    /// What the user should know about it, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How far a scan is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// How many addresses are to be asked.
    pub addresses: u64,
    /// How many have been.
    pub asked: u64,
    /// Hosts that answered.
    pub hosts_up: u64,
    /// Hosts that were looked at to the end.
    pub hosts_done: u64,
    /// Devices with video among them.
    pub devices: u64,
    /// Seconds since it began.
    pub elapsed_s: u64,
    /// Seconds until it ends, as far as can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_s: Option<u64>,
}

impl From<&Scanning> for Progress {
    fn from(scanning: &Scanning) -> Self {
        Progress {
            addresses: scanning.addresses,
            asked: scanning.asked,
            hosts_up: scanning.hosts_up,
            hosts_done: scanning.hosts_done,
            devices: scanning.devices,
            elapsed_s: scanning.elapsed.as_secs(),
            remaining_s: scanning.remaining().map(|left| left.as_secs()),
        }
    }
}

impl From<&ScanRow> for ScanView {
    fn from(row: &ScanRow) -> Self {
        ScanView {
            id: row.number.to_string(),
            number: Some(row.number),
            kind: ScanKind::Scan,
            cause: row.cause,
            status: match row.status {
                crate::model::ScanStatus::Complete => ScanState::Complete,
                crate::model::ScanStatus::Interrupted => ScanState::Interrupted,
            },
            started_at: row.started_at,
            ended_at: Some(row.ended_at),
            duration_ms: Some(row.duration_ms),
            targets: None,
            addresses: Some(row.addresses),
            hosts_up: Some(row.hosts_up),
            found: Some(row.found),
            progress: None,
            by: None,
            error: None,
            failed: None,
            warnings: Vec::new(),
        }
    }
}
