//! What an event says: the device in short, and how it is known, in plain sentences.

use jiff::{SignedDuration, Timestamp};

use super::Memory;
use super::known::{Known, KnownStream};
use crate::model::memory::{DeviceCard, Event, EventKind, StreamCard, Uid};
use crate::model::{LadderStep, Stream};

/// A device in short.
pub(super) fn card(known: &Known) -> DeviceCard {
    let (device, note) = (&known.device, &known.note);
    DeviceCard {
        ip: device.ip,
        kind: device.kind,
        name: note.name.as_ref().or(device.name.as_ref()).or(device.hostname.as_ref()).cloned(),
        vendor: device.vendor.clone(),
        model: device.model.clone(),
        mac: device.mac,
        site: note.site.clone(),
        tags: note.tags.clone(),
    }
}

/// A stream in short.
fn stream_card(key: &str, stream: &KnownStream) -> StreamCard {
    StreamCard { key: key.to_owned(), url: stream.stream.url.clone(), channel: stream.stream.channel }
}

impl Memory {
    /// An event about a device, with its card.
    pub(super) fn about(&self, uid: &Uid, kind: EventKind, at: Timestamp) -> Event {
        let mut event = Event::new(kind, at);
        if let Some(known) = self.devices.get(uid) {
            event.device = Some(uid.clone());
            event.data.device = Some(card(known));
            event.data.last_seen = Some(known.seen.last);
        }
        event
    }

    /// An event about a stream, with the cards of both.
    pub(super) fn about_stream(&self, uid: &Uid, key: &str, kind: EventKind, at: Timestamp) -> Event {
        let mut event = self.about(uid, kind, at);
        if let Some(stream) = self.devices.get(uid).and_then(|known| known.streams.get(key)) {
            event.stream = Some(key.to_owned());
            event.data.stream = Some(stream_card(key, stream));
        }
        event
    }
}

/// The time from one moment to another: `45 s`, `2 min 10 s`, `14 min`, `3 h 5 min`, `12 days`.
pub(super) fn length(from: Timestamp, to: Timestamp) -> String {
    let seconds = from.duration_until(to).max(SignedDuration::ZERO).as_secs();
    let two = |a: i64, a_unit: &str, b: i64, b_unit: &str| match b {
        0 => format!("{a} {a_unit}"),
        b => format!("{a} {a_unit} {b} {b_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..600 => two(seconds / 60, "min", seconds % 60, "s"),
        600..3600 => format!("{} min", seconds / 60),
        3600..172_800 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `1 miss`, `3 misses`.
pub(super) fn counted(count: impl Into<u64>, one: &str, several: &str) -> String {
    let count = count.into();
    format!("{count} {}", if count == 1 { one } else { several })
}

/// The step that failed last and why: `setup: 454 Session Not Found`.
pub(super) fn failure(stream: &Stream) -> Option<String> {
    let step = stream.ladder.iter().rev().find(|step| !step.ok).map(|LadderStep { step, .. }| step.as_str());
    match (step, &stream.error) {
        (Some(step), Some(error)) => Some(format!("{step}: {}", error.message)),
        (None, Some(error)) => Some(error.message.clone()),
        (Some(step), None) => Some(format!("{step}: {}", stream.status)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_say_them() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        for (seconds, text) in [
            (-5, "0 s"),
            (45, "45 s"),
            (130, "2 min 10 s"),
            (840, "14 min"),
            (7200, "2 h"),
            (11_100, "3 h 5 min"),
            (1_036_800, "12 days"),
        ] {
            assert_eq!(length(at(0), at(seconds)), text);
        }
    }
}
