//! What is not as it was about a device that a scan found again.

use std::collections::HashMap;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::known::Known;
use super::mute::Subject;
use super::proof::is_on_its_word;
use super::tell::{changed, title};
use super::{Memory, Rule};
use crate::history::diff::{Change, Field, device};
use crate::history::maker;
use crate::model::memory::{Event, EventKind, Remark, Uid};
use crate::model::{Device, Kind, MacAddr, Warning, WarningKind};

/// What was told once is told again after it had not been so for this long.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Days before the end of a certificate at which it is told; 0 is when it has ended.
const CERTIFICATE_DAYS: [i64; 4] = [0, 1, 7, 30];

/// A device as it is remembered after another scan: what was not learnt this time is as it was.
pub(super) fn merged(before: &Device, now: &Device) -> Device {
    fn or(now: &Option<String>, before: &Option<String>) -> Option<String> {
        now.as_ref().or(before.as_ref()).cloned()
    }
    let mut device = now.clone();
    if !Rule::Unread.holds() {
        return device;
    }
    device.mac = now.mac.or(before.mac);
    // What the link showed at another address says nothing of this one.
    device.link_mac = now.link_mac.or(before.link_mac.filter(|_| before.ip == now.ip));
    device.hostname = or(&now.hostname, &before.hostname);
    device.name = or(&now.name, &before.name);
    let made = maker::known(before, now);
    (device.vendor, device.model, device.firmware) = (made.vendor, made.model, made.firmware);
    device.evidence = made.evidence;
    device.serial = or(&now.serial, &before.serial);
    device.endpoint = or(&now.endpoint, &before.endpoint);
    device.certificate_ends = now.certificate_ends.or(before.certificate_ends);
    if now.kind == Kind::Other && before.kind != Kind::Other {
        (device.kind, device.confidence) = (before.kind, before.confidence);
    }
    device
}

/// The event that tells of a warning, where it is news when it comes up.
fn told_as(kind: WarningKind) -> Option<EventKind> {
    match kind {
        WarningKind::AddressConflict | WarningKind::DuplicateSerial | WarningKind::DuplicateEndpoint => {
            Some(EventKind::DeviceConflict)
        }
        WarningKind::ClockWrong => Some(EventKind::ClockWrong),
        WarningKind::NotActivated | WarningKind::NetworkMismatch => Some(EventKind::DeviceChanged),
        // The address of one that moves is told when it does; the end of a certificate is told by its date.
        WarningKind::OtherSubnet | WarningKind::DynamicAddress | WarningKind::CertificateExpired => None,
    }
}

impl Memory {
    /// The changes of a device that was found again; `same` holds the later identity of each device by its earlier one.
    pub(super) fn device_changes(
        &mut self,
        uid: &Uid,
        found: &Device,
        same: &HashMap<&str, &str>,
        at: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(known) = self.devices.get(uid) else { return };
        // Streams are looked at one by one.
        let bare = |device: &Device| Device { streams: Vec::new(), ..device.clone() };
        let (before, after) = (bare(&known.device), bare(&merged(&known.device, found)));
        let all: Vec<Change> =
            device::changes(&before, &after, same).into_iter().map(|change| self.named(change, same)).collect();
        let is_known = |change: &&Change| is_news(change, known, at);
        let (access, facts): (Vec<&Change>, Vec<&Change>) = all
            .iter()
            .filter(is_known)
            .partition(|c| matches!(c, Change::ServiceLoginNeeded(_) | Change::ServiceOpenWithoutLogin(_)));
        let is_on_its_word = is_on_its_word(&known.device, found);
        let has_moved = !found.addresses.contains(&known.device.ip) && found.ip != known.device.ip;
        if has_moved {
            let mut event = self.about(uid, EventKind::DeviceMoved, at);
            (event.data.before, event.data.after) = (Some(known.device.ip.to_string()), Some(found.ip.to_string()));
            if let Some(card) = &mut event.data.device {
                card.ip = found.ip;
            }
            if is_on_its_word {
                event.data.say_why(Remark::OnItsWord);
            }
            events.push(self.muted(event, uid));
        }
        if !facts.is_empty() {
            let mut event = self.about(uid, EventKind::DeviceChanged, at);
            say(&mut event, &facts);
            if is_on_its_word && !has_moved {
                event.data.say_why(Remark::OnItsWord);
            }
            if let [Change::Field { before, after, .. }] = facts[..] {
                (event.data.before, event.data.after) = (before.clone(), after.clone());
            }
            events.push(self.muted(event, uid));
        }
        for change in access {
            let is_open = matches!(change, Change::ServiceOpenWithoutLogin(_));
            let kind = if is_open { EventKind::StreamOpen } else { EventKind::StreamProtected };
            let mut event = self.about(uid, kind, at);
            say(&mut event, &[change]);
            let event = self.muted(event, uid);
            self.tell_access(uid, event, events);
        }
        self.warnings(uid, &found.warnings, at, events);
    }

    /// The cameras of a recorder's channel by what people call them.
    fn named(&self, change: Change, same: &HashMap<&str, &str>) -> Change {
        let name = |id: String| {
            let is_it =
                |known: &&Known| known.device.id == id || same.get(known.device.id.as_str()) == Some(&id.as_str());
            self.roots().find(is_it).map_or(id.clone(), title)
        };
        match change {
            Change::ChannelCamera { channel, before, after } => {
                Change::ChannelCamera { channel, before: name(before), after: name(after) }
            }
            other => other,
        }
    }

    fn muted(&self, mut event: Event, uid: &Uid) -> Event {
        event.muted_by = self.devices.get(uid).and_then(|k| self.muted_by(k, Subject::device(k), event.kind, event.at));
        event
    }

    /// Warnings that were not there before, each told once.
    fn warnings(&mut self, uid: &Uid, warnings: &[Warning], at: Timestamp, events: &mut Vec<Event>) {
        for warning in warnings {
            let Some(kind) = told_as(warning.kind) else { continue };
            let Some(known) = self.devices.get_mut(uid) else { return };
            let last = known.warned.insert(warning.kind, at);
            let is_lately = |last: Timestamp| last.duration_until(at) < FORGOTTEN || !Rule::WarnedAgain.holds();
            if Rule::WarnedOnce.holds() && last.is_some_and(is_lately) {
                continue;
            }
            let mut event = self.about(uid, kind, at);
            event.data.say_why(Remark::Odd { kind: warning.kind, message: warning.message.clone() });
            event.data.changes = warning.hint.clone().into_iter().collect();
            events.push(self.muted(event, uid));
        }
    }

    /// A certificate that ends in 30, 7 or 1 days, or has ended: each is told once.
    pub(super) fn certificate(&mut self, uid: &Uid, at: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.devices.get(uid) else { return };
        let Some((ends, stage)) = certificate_stage(known, at).filter(|_| is_certificate_due(known, at)) else {
            return;
        };
        let mut event = self.about(uid, EventKind::CertificateExpiring, at);
        let day = ends.strftime("%Y-%m-%d");
        event.data.since = Some(ends);
        let days = u32::try_from(stage).unwrap_or_default();
        event.data.say_why(Remark::Certificate { day: day.to_string(), days });
        events.push(self.muted(event, uid));
        if let Some(known) = self.devices.get_mut(uid) {
            known.certificate = Some((ends, stage));
        }
        self.touched.insert(uid.clone());
    }
}

/// Says what changed: as data as well where there is data for all of it.
pub(super) fn say(event: &mut Event, changes: &[&Change]) {
    let remarks: Option<Vec<Remark>> = changes.iter().map(|change| changed(change)).collect();
    match remarks {
        Some(remarks) => event.data.say_changed(remarks),
        None => event.data.changes = changes.iter().map(ToString::to_string).collect(),
    }
}

/// When the certificate ends, and how many days before its end was reached, where one was.
pub(super) fn certificate_stage(known: &Known, at: Timestamp) -> Option<(Timestamp, i64)> {
    let ends = known.device.certificate_ends?;
    let left = at.duration_until(ends);
    let stage = CERTIFICATE_DAYS.into_iter().find(|days| left <= SignedDuration::from_hours(24 * days))?;
    Some((ends, stage))
}

/// Whether a day before the end of the certificate was reached that was not told.
pub(super) fn is_certificate_due(known: &Known, at: Timestamp) -> bool {
    let is_told = |ends, stage| {
        let is_told = |(told_end, told)| told_end == ends && told <= stage && Rule::CertificateOnce.holds();
        known.certificate.is_some_and(is_told)
    };
    certificate_stage(known, at).is_some_and(|(ends, stage)| !is_told(ends, stage))
}

/// Whether a change is told: what became known, or was not learnt this time, is none. Ports that are open now and then, and
/// the address, are told by others or not at all.
fn is_news(change: &Change, known: &Known, at: Timestamp) -> bool {
    match change {
        Change::Field { field: Field::Ip, .. } => false,
        // A device with two network cards changes between them, and an address that was assigned locally changes at will.
        Change::Field { field: Field::Mac, after: Some(after), before: Some(_) } => {
            let is_local = MacAddr::from_str(after).is_ok_and(MacAddr::is_local);
            !Rule::KnownCard.holds()
                || !is_local && !known.keys.iter().any(|(key, seen)| key.value == *after && seen.first < at)
        }
        Change::Field { before: Some(_), after: Some(_), .. } => true,
        // Of a service with streams each stream is told by itself, by whoever looks at it first.
        Change::ServiceLoginNeeded(service) | Change::ServiceOpenWithoutLogin(service) => {
            let of_service = format!("{}:{}", service.protocol, service.port);
            !known.streams.iter().any(|(key, stream)| {
                let rest = key.strip_prefix(&of_service);
                let is_its = rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
                is_its && stream.gone_at.is_none() && stream.stream.open.is_some()
            })
        }
        Change::ChannelCamera { .. } => true,
        _ => false,
    }
}
