//! A clock that is set. Times are stored as the clock gave them; one that was ahead leaves times behind that have not come yet
//! when it is put right, and whatever waits for them would wait for days or years. They are set to now in one place.

use jiff::{SignedDuration, Timestamp};

use super::health::{DeviceHealth, DeviceState, Flaps, StreamHealth};
use super::known::{Known, KnownStream, Seen};
use super::{Memory, Rule};

/// A clock that is set back by less makes no new round: results of two tasks can come in the other order.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A time that has come.
fn come(time: &mut Timestamp, at: Timestamp) {
    *time = (*time).min(at);
}

/// The same of one that there may be none of.
fn come_if(time: &mut Option<Timestamp>, at: Timestamp) {
    time.iter_mut().for_each(|time| come(time, at));
}

impl Memory {
    /// Whether the clock was set back since anything was learnt.
    pub(super) fn is_set_back(&self, at: Timestamp) -> bool {
        self.last_at.is_some_and(|last| at.duration_until(last) > CLOCK_TOLERANCE)
    }

    /// Takes note of the time. Whether the clock was set back: then a new round begins, and nothing that was missed counts.
    pub(super) fn begin(&mut self, at: Timestamp) -> bool {
        let is_step = self.is_set_back(at) && Rule::SetBack.holds();
        if is_step {
            self.set_back(at);
        }
        if is_step || self.last_at.is_none_or(|last| last < at) {
            self.last_at = Some(at);
        }
        is_step
    }

    /// To when the clock was set back, once.
    pub fn take_set_back(&mut self) -> Option<Timestamp> {
        self.set_back_at.take()
    }

    /// The clock was set ahead, or this machine slept: what was missed before counts no more, since nothing tells how long ago
    /// that was. What is missing is asked again at once.
    pub fn set_ahead(&mut self, at: Timestamp) {
        for known in self.devices.values_mut().filter(|known| known.has_misses()) {
            known.health.set_ahead(at);
            known.streams.values_mut().for_each(|stream| stream.health.begin_round());
            self.touched.insert(known.uid.clone());
        }
    }

    fn set_back(&mut self, at: Timestamp) {
        for known in self.devices.values_mut() {
            known.set_back(at);
            self.touched.insert(known.uid.clone());
        }
        self.networks.values_mut().for_each(|network| come_if(&mut network.unreachable_since, at));
        for mute in &mut self.mutes {
            let ahead = at.duration_until(mute.began).max(SignedDuration::ZERO);
            mute.began = mute.began.min(at);
            // It lasts as long as was asked for.
            mute.ended = mute.ended.map(|ended| ended.saturating_sub(ahead).unwrap_or(ended));
        }
        self.set_back_at = Some(at);
    }
}

impl Known {
    /// Whether anything counts towards another state.
    fn has_misses(&self) -> bool {
        let counts = |health: &StreamHealth| health.bad > 0 || health.busy > 0 || health.slow > 0;
        self.health.misses > 0 || self.streams.values().any(|stream| counts(&stream.health))
    }

    fn set_back(&mut self, at: Timestamp) {
        self.health.set_back(at);
        self.streams.values_mut().for_each(|stream| stream.set_back(at));
        self.keys.values_mut().chain([&mut self.seen]).for_each(|seen| seen.set_back(at));
        come(&mut self.address_since, at);
        for time in [&mut self.protected_at, &mut self.on_its_word_at] {
            come_if(time, at);
        }
        self.warned.values_mut().for_each(|warned| come(warned, at));
        self.login.iter_mut().for_each(|login| come(&mut login.since, at));
        if let Some(service) = &mut self.service {
            come(&mut service.since, at);
            come_if(&mut service.acked, at);
        }
        self.scanned_at = self.scanned_at.filter(|scanned| *scanned <= at);
        // Taken off the list because it seemed to be unseen for a year.
        self.archived_at = self.archived_at.filter(|archived| *archived <= at);
    }
}

impl KnownStream {
    fn set_back(&mut self, at: Timestamp) {
        self.health.set_back(at);
        self.seen.set_back(at);
        come_if(&mut self.last_ok, at);
        come_if(&mut self.gone_at, at);
    }
}

impl Seen {
    fn set_back(&mut self, at: Timestamp) {
        come(&mut self.first, at);
        come(&mut self.last, at);
    }
}

impl DeviceHealth {
    fn set_ahead(&mut self, at: Timestamp) {
        if self.state == DeviceState::Online && self.misses > 0 {
            (self.misses, self.first_miss, self.doubted_at) = (0, None, Some(at));
        }
    }

    /// Forgets what would count towards another state.
    fn set_back(&mut self, at: Timestamp) {
        (self.misses, self.first_miss, self.hits, self.first_hit) = (0, None, 0, None);
        self.missed_at = self.missed_at.filter(|missed| *missed <= at);
        self.doubted_at = None;
        come(&mut self.since, at);
        for time in [&mut self.lost_at, &mut self.acked] {
            come_if(time, at);
        }
        self.flaps.set_back(at);
    }
}

impl StreamHealth {
    /// Forgets what would count towards another state.
    pub(super) fn begin_round(&mut self) {
        (self.bad, self.good, self.busy, self.slow, self.first_bad) = (0, 0, 0, 0, None);
    }

    fn set_back(&mut self, at: Timestamp) {
        self.begin_round();
        self.checked_at = self.checked_at.filter(|checked| *checked <= at);
        come(&mut self.since, at);
        for time in [&mut self.problem_at, &mut self.acked] {
            come_if(time, at);
        }
        self.flaps.set_back(at);
    }
}

impl Flaps {
    fn set_back(&mut self, at: Timestamp) {
        self.changes.retain(|change| *change <= at);
        come_if(&mut self.since, at);
    }
}
