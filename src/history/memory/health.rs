//! Whether devices, streams and networks work, and what it takes to change one's mind about it.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::memory::{EventKind, MutedBy};
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

impl DeviceState {
    /// Whether it answers, where that is known.
    pub fn is_online(self) -> Option<bool> {
        match self {
            DeviceState::Online => Some(true),
            DeviceState::Offline => Some(false),
            DeviceState::Unknown => None,
        }
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
    /// The last that was sent about it is that it is offline.
    pub told: bool,
    /// When it was last lost: since when it is offline, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Timestamp>,
    /// Why the last event about it was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<MutedBy>,
    /// Since when a user knows that it is offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked: Option<Timestamp>,
    /// When it was last asked whether it is there, and did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_at: Option<Timestamp>,
    /// When one of its streams could not be connected to: it is to be asked whether it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted_at: Option<Timestamp>,
    /// How often it changes.
    pub flaps: Flaps,
}

impl DeviceHealth {
    /// That of a device that answered.
    pub fn online(at: Timestamp) -> Self {
        DeviceHealth {
            state: DeviceState::Online,
            since: at,
            misses: 0,
            first_miss: None,
            hits: 1,
            first_hit: Some(at),
            told: false,
            lost_at: None,
            muted: None,
            acked: None,
            missed_at: None,
            doubted_at: None,
            flaps: Flaps::default(),
        }
    }

    /// Whether it is missing: it did not answer when it was last asked.
    pub fn is_missing(&self) -> bool {
        self.misses > 0 || self.state == DeviceState::Offline
    }

    /// Since when it is missing; none where it is not.
    pub fn missing_since(&self) -> Option<Timestamp> {
        match self.state {
            DeviceState::Offline => self.lost_at,
            _ => self.first_miss.filter(|_| self.misses > 0),
        }
    }
}

/// A frame rate far below the usual one, in checks in a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LowerRate {
    /// Since when.
    pub since: Timestamp,
    /// Frames a second, in the first of them.
    pub fps: f64,
    /// How many checks.
    pub checks: u32,
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
    /// When the problem began that was last told, or was to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_at: Option<Timestamp>,
    /// Ways of playing it that were tried in these checks, at most in one of them.
    #[serde(default)]
    pub ways: u32,
    /// Frames a second it usually delivers: a slow average of good checks.
    pub usual_fps: Option<f64>,
    /// That it delivers less than half of that, and steadily.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<LowerRate>,
    /// What was last sent about it: that it is broken or degraded; none while it is known to work, or how it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<EventKind>,
    /// Why the last event about it was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<MutedBy>,
    /// Since when a user knows of its problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked: Option<Timestamp>,
    /// When it was last played, or tried to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// How often it was checked since it was learnt.
    #[serde(default)]
    pub checks: u64,
    /// How often it changes.
    pub flaps: Flaps,
}

impl StreamHealth {
    /// That of a stream that is seen for the first time. Its state is known from then on, and is no news.
    pub fn new(state: StreamState, at: Timestamp) -> Self {
        StreamHealth {
            state,
            since: at,
            bad: 0,
            good: 0,
            busy: 0,
            slow: 0,
            first_bad: None,
            problem_at: None,
            ways: 0,
            usual_fps: None,
            lower: None,
            told: state.problem(),
            muted: None,
            acked: None,
            checked_at: None,
            checks: 0,
            flaps: Flaps::default(),
        }
    }
}

impl StreamHealth {
    /// Whether what was last sent about it is not what is.
    pub(super) fn is_untold(&self) -> bool {
        match self.state.problem() {
            Some(kind) => self.told != Some(kind),
            None => self.state.is_well() && self.told.is_some(),
        }
    }

    /// Whether it was sent that it is broken, and it still is. One that was broken when it was first seen is known to be, which
    /// was no news.
    pub(super) fn is_told_broken(&self) -> bool {
        self.state == StreamState::Broken && self.told == Some(EventKind::StreamBroken) && self.problem_at.is_some()
    }
}

impl Flaps {
    /// So long must nothing change, until something that came and went counts as steady; changes are counted as long.
    const CALM: SignedDuration = SignedDuration::from_hours(1);
    /// So many changes in that time are too many.
    const MOST: usize = 4;

    /// Takes in a change. Whether from now on it counts as flapping.
    pub(super) fn change(&mut self, at: Timestamp) -> bool {
        self.changes.retain(|change| change.duration_until(at) < Self::CALM);
        self.changes.push(at);
        if self.since.is_some() {
            self.count += 1;
            return false;
        }
        let begins = self.changes.len() >= Self::MOST && super::Rule::Flapping.holds();
        if begins {
            self.since = Some(at);
            self.count = u64::try_from(self.changes.len()).unwrap_or(u64::MAX);
        }
        begins
    }

    /// How often it changed, once it is over.
    pub(super) fn end(&mut self, now: Timestamp) -> Option<u64> {
        self.since?;
        let is_calm = |last: &Timestamp| last.duration_until(now) >= Self::CALM || !super::Rule::Calm.holds();
        let is_calm = self.changes.last().is_none_or(is_calm);
        is_calm.then(|| std::mem::take(self).count)
    }
}

impl StreamState {
    /// The event that begins this state, where it is a problem.
    pub fn problem(self) -> Option<EventKind> {
        match self {
            StreamState::Broken => Some(EventKind::StreamBroken),
            StreamState::Degraded | StreamState::Busy => Some(EventKind::StreamDegraded),
            StreamState::Working | StreamState::Described | StreamState::Locked | StreamState::Unknown => None,
        }
    }

    /// Whether it is known to work, as far as it is looked at.
    pub(super) fn is_well(self) -> bool {
        matches!(self, StreamState::Working | StreamState::Described)
    }
}

/// A login that worked and is refused. It is a matter of the device: its streams have one login.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoginTrouble {
    /// [`EventKind::LoginRefused`], [`EventKind::LoginLocked`] or [`EventKind::LoginRests`].
    pub kind: EventKind,
    /// Since when.
    pub since: Timestamp,
    /// The stream that was asked for.
    pub stream: String,
    /// It was sent.
    pub told: bool,
    /// A user wants it to be tried again; until then it rests.
    #[serde(default)]
    pub retry: bool,
}

/// A port of a device none of whose streams plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceTrouble {
    /// Which: protocol and port, as its streams' keys begin with them.
    pub service: String,
    /// Since when.
    pub since: Timestamp,
    /// How many streams it has that played before.
    pub streams: u64,
    /// It was sent.
    pub sent: bool,
    /// Since when a user knows of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked: Option<Timestamp>,
}

/// A network's state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkHealth {
    /// Since when most of its devices have not answered; absent while they do.
    pub unreachable_since: Option<Timestamp>,
    /// The last that was sent about it is that it is unreachable.
    #[serde(default)]
    pub told: bool,
    /// The interface of this machine that was on it at the last scan; none where it is reached by a router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<OnLink>,
}

/// An interface of this machine on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnLink {
    /// Its name.
    pub interface: String,
    /// The address of this machine.
    pub ip: IpAddr,
}
