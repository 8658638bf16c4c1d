//! What changed about one device.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Change, Field, ServiceKey, VideoField};
use crate::history::maker;
use crate::history::stream_key::keyed;
use crate::model::{Device, Fact, Service, Stream, Video};

/// The changes, facts first, then services, streams and channels. `same` holds the later identity of each device by its
/// earlier one.
pub(in crate::history) fn changes(before: &Device, after: &Device, same: &HashMap<&str, &str>) -> Vec<Change> {
    let mut changes = fields(before, after);
    services(&before.services, &after.services, &mut changes);
    streams(&before.streams, &after.streams, &mut changes);
    channels(before, after, same, &mut changes);
    changes
}

/// Channels that show another camera. One whose camera is not known in one of the reports is no change: a login may have
/// been missing.
fn channels(before: &Device, after: &Device, same: &HashMap<&str, &str>, changes: &mut Vec<Change>) {
    let cameras = |device: &Device| -> BTreeMap<u32, String> {
        let known = device.channels.iter().filter_map(|c| Some((c.number, c.camera.clone()?)));
        known.collect()
    };
    let after = cameras(after);
    for (channel, before) in cameras(before) {
        let Some(now) = after.get(&channel) else { continue };
        if same.get(before.as_str()).copied().unwrap_or(&before) != now {
            changes.push(Change::ChannelCamera { channel, before, after: now.clone() });
        }
    }
}

fn fields(before: &Device, after: &Device) -> Vec<Change> {
    let value = |device: &Device, field: Field| match field {
        Field::Ip => Some(device.ip.to_string()),
        Field::Mac => device.mac.map(|mac| mac.to_string()),
        Field::Kind => Some(device.kind.as_str().to_owned()),
        Field::Vendor => device.vendor.clone(),
        Field::Model => device.model.clone(),
        Field::Firmware => device.firmware.clone(),
        Field::Serial => device.serial.clone(),
        Field::Hostname => device.hostname.clone(),
        Field::Name => device.name.clone(),
    };
    let all = [
        Field::Ip,
        Field::Mac,
        Field::Kind,
        Field::Vendor,
        Field::Model,
        Field::Firmware,
        Field::Serial,
        Field::Hostname,
        Field::Name,
    ];
    all.into_iter()
        .map(|field| Change::Field { field, before: value(before, field), after: value(after, field) })
        .filter(|change| match change {
            Change::Field { field: Field::Vendor, before: Some(_), after: Some(_) } => {
                maker::is_other(Fact::Vendor, before, after)
            }
            Change::Field { field: Field::Model, before: Some(_), after: Some(_) } => {
                maker::is_other(Fact::Model, before, after)
            }
            Change::Field { before, after, .. } => before != after,
            _ => false,
        })
        .collect()
}

fn services(before: &[Service], after: &[Service], changes: &mut Vec<Change>) {
    let by_key = |services: &[Service]| -> BTreeMap<ServiceKey, Option<bool>> {
        let key = |s: &Service| ServiceKey { port: s.port, protocol: s.protocol, transport: s.transport };
        services.iter().map(|s| (key(s), s.auth.as_ref().map(|schemes| !schemes.is_empty()))).collect()
    };
    let (before, after) = (by_key(before), by_key(after));
    let keys: BTreeSet<&ServiceKey> = before.keys().chain(after.keys()).collect();
    for &key in keys {
        changes.extend(match (before.get(&key), after.get(&key)) {
            (None, _) => Some(Change::ServiceOpened(key)),
            (_, None) => Some(Change::ServiceClosed(key)),
            (Some(Some(false)), Some(Some(true))) => Some(Change::ServiceLoginNeeded(key)),
            (Some(Some(true)), Some(Some(false))) => Some(Change::ServiceOpenWithoutLogin(key)),
            _ => None,
        });
    }
}

fn streams(before: &[Stream], after: &[Stream], changes: &mut Vec<Change>) {
    let (before, after) = (keyed(before), keyed(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        match (before.get(key), after.get(key)) {
            (Some(a), Some(b)) => changes.extend(stream(a, b)),
            (Some(a), None) => changes.push(Change::StreamGone { url: a.url.clone(), status: a.status }),
            (None, Some(b)) => changes.push(Change::StreamAdded { url: b.url.clone(), status: b.status }),
            (None, None) => {}
        }
    }
}

/// What changed about a stream.
pub(in crate::history) fn stream(before: &Stream, after: &Stream) -> Vec<Change> {
    let mut changes = Vec::new();
    let url = || after.url.clone();
    if before.status != after.status {
        changes.push(Change::StreamStatus { url: url(), before: before.status, after: after.status });
    }
    match (before.open, after.open) {
        (Some(true), Some(false)) => changes.push(Change::StreamLoginNeeded { url: url() }),
        (Some(false), Some(true)) => changes.push(Change::StreamOpenWithoutLogin { url: url() }),
        _ => {}
    }
    if let (Some(a), Some(b)) = (&before.video, &after.video) {
        let changed = video(a, b).into_iter();
        changes.extend(changed.map(|(field, before, after)| Change::StreamVideo { url: url(), field, before, after }));
    }
    let (a, b) = (warnings(before), warnings(after));
    let missing = |from: &BTreeMap<String, &String>, to: &BTreeMap<String, &String>| -> Vec<String> {
        from.iter().filter(|(pattern, _)| !to.contains_key(*pattern)).map(|(_, text)| (*text).clone()).collect()
    };
    changes.extend(missing(&b, &a).into_iter().map(|warning| Change::WarningAdded { url: url(), warning }));
    changes.extend(missing(&a, &b).into_iter().map(|warning| Change::WarningGone { url: url(), warning }));
    changes
}

/// Warnings without their numbers, which are measured anew each time.
fn warnings(stream: &Stream) -> BTreeMap<String, &String> {
    let pattern = |text: &str| text.split(|c: char| c.is_ascii_digit() || c == '.').filter(|s| !s.is_empty()).collect();
    stream.warnings.iter().map(|text| (pattern(text), text)).collect()
}

/// What changed about a picture that was seen both times. What is not known of one of them is no change.
fn video(before: &Video, after: &Video) -> Vec<(VideoField, String, String)> {
    // Each picture is compared with the one before, and few differ: only what does is put into words.
    let codec = || {
        let (a, b) = before.codec.zip(after.codec).filter(|(a, b)| a != b)?;
        Some((VideoField::Codec, a.as_str().to_owned(), b.as_str().to_owned()))
    };
    let size = || {
        let size = |video: &Video| video.width.zip(video.height);
        let (a, b) = size(before).zip(size(after)).filter(|(a, b)| a != b)?;
        let text = |(width, height): (u32, u32)| format!("{width}x{height}");
        Some((VideoField::Size, text(a), text(b)))
    };
    let rate = |field, a: Option<f64>, b: Option<f64>, tolerance: f64| {
        let (a, b) = a.zip(b)?;
        let is_changed = (a - b).abs() > 1.0_f64.max(a.max(b) * tolerance);
        is_changed.then(|| (field, format!("{a}"), format!("{b}")))
    };
    /// Frames a second that are declared are seldom declared otherwise without a change of the settings.
    const DECLARED: f64 = 0.04;
    /// What is counted over two seconds varies with where the counting begins and with the light.
    const MEASURED: f64 = 0.2;
    [
        codec(),
        size(),
        rate(VideoField::Fps, before.fps, after.fps, DECLARED),
        rate(VideoField::MeasuredFps, before.measured_fps, after.measured_fps, MEASURED),
    ]
    .into_iter()
    .flatten()
    .collect()
}
