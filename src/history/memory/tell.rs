//! What an event says: the device in short, how it is known, what failed and what changed.

use jiff::Timestamp;

use super::Memory;
use super::known::{Known, KnownStream};
use crate::history::diff::{Change, Field, VideoField};
use crate::model::memory::{DeviceCard, Event, EventKind, Remark, StreamCard, Trait, Uid};
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

/// A device in one line: its name, else its model, and its address.
pub(super) fn title(known: &Known) -> String {
    let DeviceCard { ip, name, model, .. } = card(known);
    name.or(model).map_or_else(|| ip.to_string(), |name| format!("{name} ({ip})"))
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

/// The time from one moment to another, in seconds.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(from.duration_until(to).as_secs()).unwrap_or_default()
}

/// The step that failed last and why: `setup: 454 Session Not Found`.
pub(super) fn failure(stream: &Stream) -> Option<Remark> {
    let step = stream.ladder.iter().rev().find(|step| !step.ok).map(|LadderStep { step, .. }| *step);
    let failed = |kind, message| Some(Remark::Failed { step, kind, message });
    match (step, &stream.error) {
        (_, Some(error)) => failed(Some(error.kind), error.message.clone()),
        (Some(_), None) => failed(None, stream.status.to_string()),
        (None, None) => None,
    }
}

/// A change as it is said of a device or stream.
pub(super) fn changed(change: &Change) -> Option<Remark> {
    let what = |field: Field| match field {
        Field::Ip => Trait::Address,
        Field::Mac => Trait::Mac,
        Field::Kind => Trait::Kind,
        Field::Vendor => Trait::Vendor,
        Field::Model => Trait::Model,
        Field::Firmware => Trait::Firmware,
        Field::Serial => Trait::Serial,
        Field::Hostname => Trait::Hostname,
        Field::Name => Trait::Name,
    };
    Some(match change.clone() {
        Change::Field { field, before: Some(before), after: Some(after) } => {
            Remark::Changed { url: None, what: what(field), before, after }
        }
        Change::StreamVideo { url, field, before, after } => {
            let what = match field {
                VideoField::Codec => Trait::Codec,
                VideoField::Size => Trait::Size,
                VideoField::Fps | VideoField::MeasuredFps => return None,
            };
            Remark::Changed { url: Some(url), what, before, after }
        }
        Change::ServiceLoginNeeded(service) => Remark::Login { of: service.to_string(), needed: true },
        Change::ServiceOpenWithoutLogin(service) => Remark::Login { of: service.to_string(), needed: false },
        Change::StreamLoginNeeded { url } => Remark::Login { of: url, needed: true },
        Change::StreamOpenWithoutLogin { url } => Remark::Login { of: url, needed: false },
        Change::ChannelCamera { channel, before, after } => Remark::Channel { channel, before, after },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::diff::ServiceKey;
    use crate::model::{Protocol, Transport};

    #[test]
    fn a_change_is_said_in_the_same_words_everywhere() {
        let service = ServiceKey { port: 80, protocol: Protocol::Http, transport: Transport::Tcp };
        let url = || "rtsp://192.0.2.1/1".to_owned();
        let (before, after) = (|| "a".to_owned(), || "b".to_owned());
        let field = |field| Change::Field { field, before: Some(before()), after: Some(after()) };
        let video = |field| Change::StreamVideo { url: url(), field, before: before(), after: after() };
        for change in [
            field(Field::Ip),
            field(Field::Mac),
            field(Field::Kind),
            field(Field::Vendor),
            field(Field::Model),
            field(Field::Firmware),
            field(Field::Serial),
            field(Field::Hostname),
            field(Field::Name),
            video(VideoField::Codec),
            video(VideoField::Size),
            Change::ServiceLoginNeeded(service),
            Change::ServiceOpenWithoutLogin(service),
            Change::StreamLoginNeeded { url: url() },
            Change::StreamOpenWithoutLogin { url: url() },
            Change::ChannelCamera { channel: 3, before: before(), after: after() },
        ] {
            assert_eq!(changed(&change).unwrap().to_string(), change.to_string());
        }
    }
}
