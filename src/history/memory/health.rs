//! Whether devices, streams and networks work, and what it takes to change one's mind about it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::names::names;

names! {
    /// Whether a device answers.
    pub enum DeviceState {
        /// It does.
        Online = "online",
        /// It does not.
        Offline = "offline",
        /// Nobody can tell: its network, or this machine's link, is down.
        Unknown = "unknown",
    }
}

names! {
    /// Whether a stream works.
    pub enum StreamState {
        /// Frames arrived when it was last played.
        Working = "working",
        /// It was described; frames were never asked for.
        Described = "described",
        /// Fewer frames than usual arrive, or late.
        Degraded = "degraded",
        /// All its viewers' places are taken.
        Busy = "busy",
        /// No frames arrive.
        Broken = "broken",
        /// A login is demanded that is not known, or is refused.
        Locked = "locked",
        /// Nobody can tell: its device does not answer.
        Unknown = "unknown",
    }
}

/// The last changes of something that comes and goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Flaps {
    /// When it changed, the latest last; those of the last hour.
    pub changes: Vec<Timestamp>,
    /// Since when it counts as flapping.
    pub since: Option<Timestamp>,
    /// Changes while it was flapping.
    pub count: u64,
}

/// A device's state and what may change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceHealth {
    /// What is told.
    pub state: DeviceState,
    /// Since when.
    pub since: Timestamp,
    /// Misses in a row, since the last answer.
    pub misses: u32,
    /// The first of them.
    pub first_miss: Option<Timestamp>,
    /// Answers in a row, since the last miss.
    pub hits: u32,
    /// The first of them.
    pub first_hit: Option<Timestamp>,
    /// The event of this state was not sent yet: a device that may be silent at times.
    pub told: bool,
    /// How often it changes.
    pub flaps: Flaps,
}

/// A stream's state and what may change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamHealth {
    /// What is told.
    pub state: StreamState,
    /// Since when.
    pub since: Timestamp,
    /// Checks in a row that contradict the state for the worse.
    pub bad: u32,
    /// Checks in a row that contradict it for the better.
    pub good: u32,
    /// Busy checks in a row.
    pub busy: u32,
    /// Slow checks in a row.
    pub slow: u32,
    /// The first check that contradicts the state.
    pub first_bad: Option<Timestamp>,
    /// Frames a second it usually delivers: a slow average of good checks.
    pub usual_fps: Option<f64>,
    /// How often it changes.
    pub flaps: Flaps,
}

/// A network's state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkHealth {
    /// Since when most of its devices have not answered; absent while they do.
    pub unreachable_since: Option<Timestamp>,
}
