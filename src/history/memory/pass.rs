//! What the time alone brings about.

use jiff::{SignedDuration, Timestamp};

use super::changes::is_certificate_due;
use super::health::DeviceState;
use super::known::Known;
use super::mute::Subject;
use super::{Memory, Rule};
use crate::model::memory::{Event, EventKind, Remark, Uid};

/// A device that was not seen for so long is listed no longer.
const ARCHIVED_AFTER: SignedDuration = SignedDuration::from_hours(365 * 24);
/// A mute that ended so long ago is forgotten.
const MUTES_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Memory {
    /// Time went by: flapping ends, mutes end, devices that may be silent at times become due, old devices are archived,
    /// certificates near their end.
    pub fn pass(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        self.begin(now);
        self.thin_out(now);
        self.settle(now, &mut events);
        events
    }

    /// Whether [`Memory::pass`] would bring nothing about that is stored or told, as it almost always is.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        let are_networks_told = self.networks.values().all(|health| health.told == health.unreachable_since.is_some());
        let is_settled = |known: &Known| is_settled(known, now);
        !self.is_set_back(now) && are_networks_told && self.roots().all(is_settled) && !self.has_silent(now)
    }

    /// The same at the end of a scan.
    pub(super) fn settle(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        self.mutes.retain(|mute| mute.ended.is_none_or(|ended| ended.duration_until(now) < MUTES_KEPT));
        self.settle_networks(now, events);
        let due = self.roots().filter(|known| !is_settled(known, now));
        let mut due: Vec<(std::net::IpAddr, Uid)> = due.map(|known| (known.device.ip, known.uid.clone())).collect();
        due.sort_unstable();
        for (_, uid) in due {
            self.settle_device(&uid, now, events);
        }
    }

    fn settle_device(&mut self, uid: &Uid, now: Timestamp, events: &mut Vec<Event>) {
        self.archive(uid, now, events);
        if self.devices.get(uid).is_none_or(|known| known.archived_at.is_some()) {
            return;
        }
        self.certificate(uid, now, events);
        self.steady(uid, now, events);
        if !Rule::LateNews.holds() {
            return;
        }
        self.announce_device(uid, now, false, events);
        self.announce_login(uid, now, false, events);
        self.settle_service(uid, now, events);
        let streams = self.devices.get(uid).into_iter().flat_map(|known| &known.streams);
        let unsettled = streams.filter(|(_, stream)| stream.is_unsettled());
        let keys: Vec<String> = unsettled.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(stream) = self.devices.get_mut(uid).and_then(|known| known.streams.get_mut(&key)) {
                // Streams that come and go are only not sent: it is their device that is told of.
                if stream.health.flaps.end(now).is_some() {
                    self.touched.insert(uid.clone());
                }
            }
            self.announce_stream(uid, &key, now, false, events);
        }
    }

    fn archive(&mut self, uid: &Uid, now: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid).filter(|known| is_to_be_archived(known, now)) else { return };
        known.archived_at = Some(now);
        self.touched.insert(uid.clone());
        let mut event = self.about(uid, EventKind::DeviceArchived, now);
        event.data.say_why(Remark::UnseenForAYear);
        event.muted_by =
            self.devices.get(uid).and_then(|k| self.muted_by(k, Subject::device(k), EventKind::DeviceArchived, now));
        events.push(event);
    }

    fn steady(&mut self, uid: &Uid, now: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get_mut(uid) else { return };
        let since = known.health.flaps.since;
        let Some(count) = known.health.flaps.end(now) else { return };
        let state = known.health.state;
        self.touched.insert(uid.clone());
        let mut event = self.about(uid, EventKind::DeviceSteady, now);
        event.data.since = since;
        event.data.count = Some(count);
        event.data.after = Some(state.to_string());
        event.data.say_why(Remark::Steady { count, online: state.is_online() });
        event.muted_by =
            self.devices.get(uid).and_then(|k| self.muted_by(k, Subject::device(k), EventKind::DeviceSteady, now));
        events.push(event);
    }
}

fn is_to_be_archived(known: &Known, now: Timestamp) -> bool {
    let is_old = known.seen.last.duration_until(now) >= ARCHIVED_AFTER;
    known.archived_at.is_none() && is_old && known.health.state != DeviceState::Online
}

/// Whether time alone brings nothing about for a device: almost every one, almost always.
fn is_settled(known: &Known, now: Timestamp) -> bool {
    if known.archived_at.is_some() {
        return true;
    }
    let health = &known.health;
    let is_told = match health.state {
        DeviceState::Offline => health.told,
        DeviceState::Online => !health.told,
        DeviceState::Unknown => true,
    };
    is_told
        && health.flaps.since.is_none()
        && known.login.as_ref().is_none_or(|login| login.told)
        && known.service.as_ref().is_none_or(|service| service.sent)
        && !is_to_be_archived(known, now)
        && !is_certificate_due(known, now)
        && !known.streams.values().any(|stream| stream.is_unsettled())
}
