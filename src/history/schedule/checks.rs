//! Which device is looked at when, between scans, and which of its streams is played then.
//!
//! Time is cut into rounds of [`CheckPlan::every`]. Each device has its own place in a round, by its id, so that the checks of
//! many devices spread evenly, stay where they are when the program starts anew, and need nothing to be remembered.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::history::memory::{DeviceState, Known, KnownStream, Memory, StreamState};
use crate::model::memory::{Expect, Uid};
use crate::model::{Protocol, StreamStatus};

/// How streams are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckPlan {
    /// How often each device is looked at.
    every: SignedDuration,
}

/// A full picture is played once in so many rounds; in the others the smallest of the same channel is.
const MAIN_EACH: i64 = 6;
/// A device that missed is asked again after this, and after twice as long each time.
const FIRST_AGAIN: SignedDuration = SignedDuration::from_secs(20);
/// No longer than this.
const LONGEST_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// A device that is due, and what is to be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The device.
    pub uid: Uid,
    /// The keys of the streams to play, one after the other; none: it is only asked whether it is there.
    pub streams: Vec<String>,
}

impl CheckPlan {
    /// The shortest round.
    pub const SHORTEST: SignedDuration = SignedDuration::from_secs(30);

    /// Rounds of this length, [`CheckPlan::SHORTEST`] at least.
    pub fn every(every: SignedDuration) -> Self {
        CheckPlan { every: every.max(Self::SHORTEST) }
    }

    /// The round that `at` is in for a device; rounds are counted from 1970.
    pub fn round(&self, uid: &Uid, at: Timestamp) -> i64 {
        (at.as_second() - self.offset(uid)).div_euclid(self.seconds())
    }

    /// When that round begins.
    pub fn begins(&self, uid: &Uid, round: i64) -> Timestamp {
        let second = round.saturating_mul(self.seconds()).saturating_add(self.offset(uid));
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }

    /// What is to be done with a device in a round; none where it is left alone.
    pub fn due(&self, known: &Known, round: i64) -> Option<Due> {
        let is_left_alone = known.archived_at.is_some()
            || known.merged_into.is_some()
            || known.device.reach.is_some()
            || known.note.expect == Expect::Ignore;
        if is_left_alone {
            return None;
        }
        // One that does not answer is asked by `again`; one that refused a login is not shown it again.
        let plays = known.health.state == DeviceState::Online && known.health.misses == 0 && known.login.is_none();
        let streams = if plays { streams(known, round) } else { Vec::new() };
        Some(Due { uid: known.uid.clone(), streams })
    }

    fn seconds(&self) -> i64 {
        self.every.as_secs().max(1)
    }

    /// The second of a round at which a device has its place: the last digits of its id, which are random.
    fn offset(&self, uid: &Uid) -> i64 {
        let digits = uid.as_str().bytes().rev().take(12);
        let number = digits.fold(0i64, |sum, digit| sum.wrapping_mul(31).wrapping_add(i64::from(digit)));
        number.rem_euclid(self.seconds())
    }
}

/// When a device that missed, or came back, is asked again; none where there is no need.
pub fn again(known: &Known) -> Option<Timestamp> {
    let health = &known.health;
    if known.archived_at.is_some() || known.merged_into.is_some() || known.device.reach.is_some() {
        return None;
    }
    match (health.state, health.misses, health.first_miss, health.first_hit) {
        // It answered once: one more answer settles that it is back.
        (DeviceState::Offline | DeviceState::Unknown, 0, _, Some(hit)) if health.hits == 1 => {
            hit.checked_add(FIRST_AGAIN).ok()
        }
        (_, misses, Some(first), _) if misses > 0 => {
            let last = health.missed_at.unwrap_or(first);
            let doubled = FIRST_AGAIN.checked_mul(1 << misses.saturating_sub(2).min(8)).unwrap_or(LONGEST_AGAIN);
            last.checked_add(doubled.min(LONGEST_AGAIN)).ok()
        }
        _ => None,
    }
}

/// The devices that are to be asked again by `now`.
pub fn due_again(memory: &Memory, now: Timestamp) -> Vec<Uid> {
    memory.roots().filter(|known| again(known).is_some_and(|due| due <= now)).map(|known| known.uid.clone()).collect()
}

/// The streams of a device that are played in a round: of each channel one, the smallest, or the largest each sixth time;
/// and those that do not work, so that it is seen when they do.
fn streams(known: &Known, round: i64) -> Vec<String> {
    let mut channels: BTreeMap<Option<u32>, Vec<(&String, &KnownStream)>> = BTreeMap::new();
    let is_listed = |stream: &KnownStream| known.device.camera_of(&stream.stream).is_none();
    for (key, stream) in known.streams.iter().filter(|(_, stream)| is_played(stream) && is_listed(stream)) {
        channels.entry(stream.stream.channel).or_default().push((key, stream));
    }
    let mut keys = Vec::new();
    for mut streams in channels.into_values() {
        let ailing = streams.iter().filter(|(_, stream)| is_ailing(stream)).map(|(key, _)| (*key).clone());
        keys.extend(ailing);
        let Some(protocol) = streams.iter().map(|(_, stream)| rank(stream.stream.protocol)).min() else { continue };
        streams.retain(|(_, stream)| rank(stream.stream.protocol) == protocol);
        streams.sort_by_key(|(key, stream)| (area(stream), *key));
        let chosen = if round.rem_euclid(MAIN_EACH) == 0 { streams.last() } else { streams.first() };
        keys.extend(chosen.map(|(key, _)| (*key).clone()));
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Whether a stream can be played at all: it is there, and no login is missing.
fn is_played(stream: &KnownStream) -> bool {
    let is_there = stream.gone_at.is_none() && stream.health.state != StreamState::Locked;
    is_there && !matches!(stream.stream.status, StreamStatus::AuthRequired)
}

fn is_ailing(stream: &KnownStream) -> bool {
    matches!(stream.health.state, StreamState::Broken | StreamState::Degraded | StreamState::Busy)
        || stream.health.bad > 0
}

/// Of one picture by several protocols the cheapest to play is: RTSP names its frames' times and ends when it is told to.
fn rank(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Rtsp => 0,
        Protocol::Rtsps => 1,
        _ => 2,
    }
}

fn area(stream: &KnownStream) -> u64 {
    let size = stream.stream.video.as_ref().and_then(|video| Some((video.width?, video.height?)));
    size.map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

#[cfg(test)]
mod tests;
