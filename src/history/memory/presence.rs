//! Whether devices answer, and what it takes to change one's mind about it.

use ipnetwork::IpNetwork;
use jiff::{SignedDuration, Timestamp};

use super::health::{DeviceState, StreamState};
use super::mute::Subject;
use super::network::{ANY, FEWEST};
use super::tell::seconds;
use super::{Known, Memory, Rule, Vantage};
use crate::model::memory::{Event, EventKind, MutedBy, Remark, Uid};

/// A device is offline after so many misses in a row, …
const MISSES: u32 = 3;
/// … the last of them so long after the first: a camera that starts again takes up to three minutes, and may be asked by a
/// scan meanwhile.
const LONG_ENOUGH: SignedDuration = SignedDuration::from_mins(3);
/// Answers in a row after which a device is back.
const ANSWERS: u32 = 2;

impl Memory {
    /// A device was asked again whether it is there (between scans).
    pub fn answered(&mut self, uid: &Uid, at: Timestamp, yes: bool, vantage: Vantage) -> Vec<Event> {
        let mut events = Vec::new();
        let is_step = self.begin(at);
        let uid = self.root(uid);
        match (yes, vantage) {
            (true, _) => {
                self.note_answer(&uid);
                self.hit(&uid, at, false, &mut events);
                self.find_networks(at, &mut events);
            }
            (false, Vantage::Blind) if Rule::Blind.holds() => self.lose_sight(&uid, at),
            (false, _) if is_step => {}
            (false, Vantage::Silent(around)) if Rule::Silent.holds() => {
                let since = self.miss(&uid, at);
                if let Some(network) = since.and_then(|since| self.missing_network(&uid, since, ANY)) {
                    self.network_lost(network, around, at, &mut events);
                }
            }
            (false, sight) => {
                if let Some(since) = self.miss(&uid, at) {
                    match self.missing_network(&uid, since, FEWEST) {
                        Some(network) => self.network_lost(network, sight.around(), at, &mut events),
                        None => self.lose(&uid, at, &mut events),
                    }
                }
            }
        }
        events
    }

    /// The network of a device, where it is the network that is missing since `since`.
    fn missing_network(&self, uid: &Uid, since: Timestamp, fewest: usize) -> Option<IpNetwork> {
        let network = self.network_of(self.devices.get(uid)?.device.ip)?;
        let is_known = self.unreachable_since(network).is_some();
        (!is_known && self.is_network_missing(network, since, fewest)).then_some(network)
    }

    /// A device answered. Where that is `settled`, a second answer was had with the first.
    pub(super) fn hit(&mut self, uid: &Uid, at: Timestamp, settled: bool, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid) else { return };
        self.touched.insert(uid.clone());
        known.seen.last = known.seen.last.max(at);
        known.archived_at = None;
        known.replaced_by = None;
        let health = &mut known.health;
        (health.misses, health.first_miss, health.doubted_at) = (0, None, None);
        // More than are asked for are not counted: the device stays what it was when it was last stored.
        health.hits = health.hits.saturating_add(1).min(ANSWERS);
        let first_hit = *health.first_hit.get_or_insert(at);
        match health.state {
            DeviceState::Online => {}
            DeviceState::Unknown => (health.state, health.since) = (DeviceState::Online, at),
            DeviceState::Offline if settled || health.hits >= ANSWERS || !Rule::Answers.holds() => {
                (health.state, health.since, health.acked) = (DeviceState::Online, first_hit, None);
                self.changed_state(uid, at, events);
            }
            DeviceState::Offline => {}
        }
    }

    /// A device did not answer. Since when, where that is enough to take it for offline; the network is looked at first.
    pub(super) fn miss(&mut self, uid: &Uid, at: Timestamp) -> Option<Timestamp> {
        let known = self.devices.get(uid)?;
        if let Some(since) = self.went_with_network(known) {
            self.lose_sight_since(uid, since, at);
            return None;
        }
        let known = self.devices.get_mut(uid)?;
        let health = &mut known.health;
        // One question has one answer.
        if health.missed_at.is_some_and(|last| last >= at) || known.seen.last >= at {
            return None;
        }
        self.touched.insert(uid.clone());
        (health.hits, health.first_hit, health.missed_at, health.doubted_at) = (0, None, Some(at), None);
        health.misses = health.misses.saturating_add(1);
        let since = *health.first_miss.get_or_insert(at);
        let is_long_enough = since.duration_until(at) >= LONG_ENOUGH || !Rule::LongEnough.holds();
        let is_enough = health.misses >= MISSES || !Rule::Misses.holds();
        (health.state != DeviceState::Offline && is_enough && is_long_enough).then_some(since)
    }

    /// Since when the network of a device does not answer, where the device has not answered since then either.
    fn went_with_network(&self, known: &Known) -> Option<Timestamp> {
        let since = self.unreachable_since(self.network_of(known.device.ip)?)?;
        let is_since = known.seen.last <= since || !Rule::AnsweredSince.holds();
        (known.health.state != DeviceState::Offline && is_since && Rule::WithNetwork.holds()).then_some(since)
    }

    /// Takes a device for offline.
    pub(super) fn lose(&mut self, uid: &Uid, at: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid) else { return };
        let health = &mut known.health;
        let since = health.first_miss.unwrap_or(at);
        (health.state, health.since, health.lost_at) = (DeviceState::Offline, since, Some(since));
        // Of a device that is not there nobody knows how its streams are; what was broken before still is.
        for stream in known.streams.values_mut() {
            let health = &mut stream.health;
            // What was wrong with a stream and was not sent is not known any more when its device is back.
            let is_unsent = health.state == StreamState::Broken && health.told != Some(EventKind::StreamBroken);
            if is_unsent
                || matches!(
                    health.state,
                    StreamState::Working | StreamState::Described | StreamState::Degraded | StreamState::Busy
                )
            {
                (health.state, health.since) = (StreamState::Unknown, since);
                (health.bad, health.good, health.busy, health.slow, health.first_bad) = (0, 0, 0, 0, None);
            }
        }
        self.changed_state(uid, at, events);
    }

    /// Nobody can tell whether a device answers: this machine, or the network, is cut off.
    pub(super) fn lose_sight(&mut self, uid: &Uid, at: Timestamp) {
        let Some(health) = self.devices.get_mut(uid).map(|known| &mut known.health) else { return };
        (health.misses, health.first_miss, health.hits, health.first_hit) = (0, None, 0, None);
        (health.missed_at, health.doubted_at) = (Some(at), None);
        if health.state == DeviceState::Online {
            (health.state, health.since) = (DeviceState::Unknown, at);
        }
        self.touched.insert(uid.clone());
    }

    /// The same, of a device that went with its network: that it did not answer since then is kept, for when the network is
    /// back without it.
    pub(super) fn lose_sight_since(&mut self, uid: &Uid, since: Timestamp, at: Timestamp) {
        let before = self.devices.get(uid).and_then(|known| known.health.first_miss);
        self.lose_sight(uid, at);
        if let Some(known) = self.devices.get_mut(uid).filter(|_| Rule::SinceNetwork.holds()) {
            known.health.first_miss = Some(before.unwrap_or(since));
        }
    }

    /// A device came or went.
    fn changed_state(&mut self, uid: &Uid, at: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid) else { return };
        let mut flaps = known.health.flaps.clone();
        let begins = flaps.change(at);
        let count = flaps.count;
        if begins && let Some(known) = self.devices.get(uid) {
            let mut event = self.about(uid, EventKind::DeviceFlapping, at);
            event.muted_by = self.muted_by(known, Subject::device(known), EventKind::DeviceFlapping, at);
            event.data.count = Some(count);
            // What follows is not sent until it is steady.
            let state = known.health.state;
            event.data.after = Some(state.to_string());
            event.data.say_why(Remark::CameAndWent { count, online: state.is_online() });
            events.push(event);
        }
        if let Some(known) = self.devices.get_mut(uid) {
            known.health.flaps = flaps;
        }
        self.announce_device(uid, at, true, events);
    }

    /// Makes the event of a device's state. What was muted before is sent when nothing mutes it any longer and it still
    /// holds; only what `is_new` is kept although it is not sent.
    pub(super) fn announce_device(&mut self, uid: &Uid, at: Timestamp, is_new: bool, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get(uid) else { return };
        let health = &known.health;
        let kind = match health.state {
            DeviceState::Offline if is_new || !health.told => EventKind::DeviceOffline,
            DeviceState::Online if is_new || health.told => EventKind::DeviceOnline,
            _ => return,
        };
        let mut muted = self.muted_by(known, Subject::device(known), kind, at);
        if kind == EventKind::DeviceOnline && !health.told && Rule::UnsentEnd.holds() {
            // The end of what was not sent is not sent either.
            muted = muted.or(health.muted).or(Some(MutedBy::Expected));
        }
        if muted.is_some() && !is_new {
            return;
        }
        let mut event = self.about(uid, kind, at);
        event.muted_by = muted;
        event.data.since = health.lost_at.or(Some(health.since));
        event.data.say_why(match kind {
            EventKind::DeviceOffline => self.why_offline(known, at),
            _ => Remark::AnswersAgain { seconds: health.lost_at.map(|lost| seconds(lost, health.since)) },
        });
        events.push(event);
        self.touched.insert(uid.clone());
        if let Some(known) = self.devices.get_mut(uid) {
            known.health.muted = muted;
            if muted.is_none() {
                known.health.told = kind == EventKind::DeviceOffline;
            }
        }
    }

    /// `5 misses in 3 min 10 s; 41 others of 10.0.5.0/24 answer`.
    fn why_offline(&self, known: &Known, at: Timestamp) -> Remark {
        let network = self.network_of(known.device.ip);
        Remark::NoAnswer {
            misses: known.health.misses,
            seconds: seconds(known.health.lost_at.unwrap_or(at), at),
            network,
            others: network.map_or(0, |network| self.others_answering(&known.uid, network)),
        }
    }
}
