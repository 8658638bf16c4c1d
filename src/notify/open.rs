//! Which problems have not ended. Pure.

use std::collections::BTreeMap;

use crate::model::memory::{Event, EventKind, Remark, Trait};

/// What an event is about: device, stream or service, network, channel.
pub(super) type Subject = (Option<String>, Option<String>, Option<String>, Option<String>);

/// What an event is about.
pub(super) fn subject(event: &Event) -> Subject {
    let device = event.device.as_ref().map(ToString::to_string);
    let network = event.network.map(|network| network.to_string());
    let service = || event.data.service.as_ref().map(|service| service.key.clone());
    (device, event.stream.clone().or_else(service), network, event.data.channel.clone())
}

/// Whether `end` ends the problem that `event` began.
pub(super) fn ends(event: &Event, end: &Event) -> bool {
    let is_gone = match end.kind {
        EventKind::DeviceArchived => event.device == end.device && end.device.is_some(),
        // The event is about the new one.
        EventKind::DeviceReplaced => event.device == end.data.other && end.data.other.is_some(),
        // The lower rate is the usual one from then on.
        EventKind::StreamChanged if event.kind == EventKind::StreamDegraded => {
            let is_rate = |remark: &Remark| matches!(remark, Remark::Changed { what: Trait::FrameRate, .. });
            subject(event) == subject(end) && end.data.changed.iter().any(is_rate)
        }
        EventKind::StreamGone => event.device == end.device && event.stream == end.stream && end.stream.is_some(),
        _ => false,
    };
    event.kind.ended_by().is_some()
        && (is_gone || event.kind.ended_by() == Some(end.kind) && subject(event) == subject(end))
}

/// The events that began problems which last, out of all events in the order in which they happened. Where one problem was
/// told several times, the last counts.
pub fn still_open(events: impl IntoIterator<Item = (i64, Event)>) -> Vec<(i64, Event)> {
    let mut open: BTreeMap<(EventKind, Subject), (i64, Event)> = BTreeMap::new();
    for (number, event) in events {
        open.retain(|_, (_, began)| !ends(began, &event));
        if event.kind.ended_by().is_some() {
            open.insert((event.kind, subject(&event)), (number, event));
        }
    }
    let mut open: Vec<(i64, Event)> = open.into_values().collect();
    open.sort_by_key(|(number, _)| *number);
    open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::memory::Uid;

    #[test]
    fn a_problem_is_open_until_its_own_end() {
        let event = |kind, device: u8, stream: Option<&str>| Event {
            device: Some(Uid::of([device; 10])),
            stream: stream.map(str::to_owned),
            ..Event::new(kind, "2026-03-01T10:00:00Z".parse().unwrap())
        };
        use EventKind as E;
        let replaced = |new: u8, old: u8| {
            let mut event = event(E::DeviceReplaced, new, None);
            event.data.other = Some(Uid::of([old; 10]));
            event
        };
        let events = [
            event(E::DeviceOffline, 1, None),
            event(E::StreamBroken, 2, Some("a")),
            event(E::StreamDegraded, 2, Some("b")),
            event(E::DeviceOffline, 3, None),
            event(E::DeviceNew, 4, None),
            event(E::LoginRefused, 5, None),
            event(E::DeviceOnline, 1, None),
            event(E::StreamRepaired, 2, Some("b")),
            event(E::DeviceArchived, 3, None),
            event(E::DeviceOffline, 6, None),
            event(E::DeviceOffline, 7, None),
            replaced(7, 6),
            event(E::DeviceOnline, 5, None),
        ];
        let open = still_open((1..).zip(events));
        let said: Vec<(i64, EventKind)> = open.iter().map(|(number, event)| (*number, event.kind)).collect();
        assert_eq!(said, [(2, E::StreamBroken), (6, E::LoginRefused), (11, E::DeviceOffline)]);
    }
}
