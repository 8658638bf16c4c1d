//! How long what is remembered.

use jiff::SignedDuration;

/// How long what is kept; none is for ever. Devices and what users wrote about them always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Events, and the states of devices and streams.
    pub events: Option<SignedDuration>,
    /// What scans found. The last scan is kept in any case.
    pub scans: Option<SignedDuration>,
    /// Checks of streams, by the hour.
    pub hourly: Option<SignedDuration>,
    /// Checks of streams, by the day.
    pub daily: Option<SignedDuration>,
    /// Messages that were delivered or given up.
    pub outbox: Option<SignedDuration>,
}
