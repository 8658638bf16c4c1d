//! What commands on the store share: opening it, finding devices in it, and times as people write them.

use std::path::{Path, PathBuf};

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};

use crate::cli::config::settings::Settings;
use crate::cli::exit::JobFailed;
use crate::history::memory::{DeviceState, Known, Memory};
use crate::model::memory::Uid;
use crate::model::problem::Problem;
use crate::model::report::SCHEMA;
use crate::model::{self, Device, Report, ScanInfo, ScanStatus};
use crate::store::{Open, Store, StoreError};
use crate::text::clean;

/// The store that is named, or else the usual one.
///
/// # Errors
/// When none is named and there is no home folder.
pub fn place(settings: &Settings) -> Result<PathBuf, Problem> {
    settings
        .store
        .clone()
        .or_else(|| settings.usual_store.clone())
        .ok_or_else(|| Problem::new("there is no home folder to look for a store in").hint("name one: --store FILE"))
}

/// Opens the store to be changed.
///
/// # Errors
/// Those of [`Store::open`].
pub fn open(settings: &Settings) -> anyhow::Result<Store> {
    Store::open(&place(settings)?, Open::Existing).map_err(failed)
}

/// Opens the store to be read; also one that may only be read.
///
/// # Errors
/// Those of [`Store::open`].
pub fn open_to_read(settings: &Settings) -> anyhow::Result<Store> {
    let file = place(settings)?;
    match Store::open(&file, Open::Existing) {
        Err(StoreError::ReadOnly(_) | StoreError::Full(_)) => Store::open(&file, Open::ReadOnly).map_err(failed),
        other => other.map_err(failed),
    }
}

/// Opens the store a scan is remembered in, and makes it where there is none. The usual one's folder is made as well.
///
/// # Errors
/// Those of [`Store::open`].
pub fn open_or_create(file: &Path, usual: Option<&Path>) -> anyhow::Result<Store> {
    let is_usual = usual == Some(file);
    if let Some(folder) = file.parent().filter(|folder| is_usual && !folder.exists()) {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|source| failed(StoreError::Io { file: file.to_owned(), source }))?;
    }
    Store::open(file, Open::Create).map_err(failed)
}

/// What an error of the store ends the program with: naming the wrong file is wrong usage, anything else a failure.
pub fn failed(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Missing(_)
        | StoreError::Exists(_)
        | StoreError::NotAStore(_)
        | StoreError::Network { .. }
        | StoreError::Unknown(_) => Problem::from(error).into(),
        other => JobFailed(other.into()).into(),
    }
}

/// The device of this text: id, address, MAC address or name.
///
/// # Errors
/// When there is none, or several have the name.
pub fn find<'m>(memory: &'m Memory, text: &str) -> Result<&'m Known, Problem> {
    memory.find(text).ok_or_else(|| {
        let names = memory.roots().filter_map(|known| known.note.name.as_deref());
        Problem::new(format!("no single device is known as `{}`", clean(text)))
            .did_you_mean(text, names)
            .hint("`camscan devices` lists them with their ids")
    })
}

/// The ids of a device and of all that were merged into it.
pub fn members(memory: &Memory, uid: &Uid) -> Vec<Uid> {
    let is_member = |known: &&Known| memory.find(known.uid.as_str()).is_some_and(|root| root.uid == *uid);
    memory.devices.values().filter(is_member).map(|known| known.uid.clone()).collect()
}

/// A device as it is known now, as a report lists it.
pub fn device_of(known: &Known) -> Device {
    let gone = |key: &String| known.streams.get(key).is_some_and(|stream| stream.gone_at.is_some());
    let mut device = known.device.clone();
    device.streams.retain(|stream| !gone(&crate::history::memory::stream_key(stream)));
    device.uid = Some(known.uid.clone());
    device.name = known.note.name.clone().or(device.name);
    device.site.clone_from(&known.note.site);
    device.tags.clone_from(&known.note.tags);
    (device.first_seen, device.last_seen) = (known.seen.first, known.seen.last);
    device.state = match known.health.state {
        DeviceState::Offline => model::DeviceState::Offline,
        DeviceState::Online | DeviceState::Unknown => model::DeviceState::Online,
    };
    device
}

/// Devices that are known, as a report.
pub fn report_of<'k>(all: impl IntoIterator<Item = &'k Known>) -> Report {
    let mut devices: Vec<Device> = all.into_iter().map(device_of).collect();
    devices.sort_by(|a, b| (a.ip, &a.id).cmp(&(b.ip, &b.id)));
    let first = devices.iter().map(|device| device.first_seen).min().unwrap_or_default();
    let last = devices.iter().map(|device| device.last_seen).max().unwrap_or_default();
    let online = devices.iter().filter(|device| device.state == model::DeviceState::Online).count();
    let scan = ScanInfo {
        camscan_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: first,
        finished_at: last,
        duration_ms: 0,
        status: ScanStatus::Complete,
        targets: Vec::new(),
        asked: Vec::new(),
        addresses: 0,
        hosts_up: online as u64,
        methods: Vec::new(),
        coverage: None,
    };
    Report { schema: SCHEMA.to_owned(), scan, devices, warnings: Vec::new() }
}

/// A time as people read it: that of this machine's clock on the wall.
pub fn shown(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// So long as `30m`, `12h`, `7d`, `2w` or `1y`.
///
/// # Errors
/// When it is none of these.
pub fn length(text: &str) -> Result<SignedDuration, Problem> {
    const UNITS: [(&str, i64); 6] =
        [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800), ("y", 31_536_000)];
    let read = UNITS.into_iter().find_map(|(unit, seconds)| {
        let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
        SignedDuration::from_secs(i64::from(number).checked_mul(seconds)?).into()
    });
    read.filter(|length| length.is_positive()).ok_or_else(|| {
        Problem::new(format!("`{}` is not a length of time", clean(text)))
            .hint("write a number and its unit, such as 30m, 12h, 7d or 2w")
    })
}

/// A time: so long ago, `today`, `yesterday`, a date, a date and time, or a time of today.
///
/// # Errors
/// When it is none of these.
pub fn moment(text: &str, now: &Zoned) -> Result<Timestamp, Problem> {
    if let Ok(length) = length(text) {
        return Ok(now.timestamp().checked_sub(length).unwrap_or(Timestamp::MIN));
    }
    let zone = now.time_zone().clone();
    let wrong = || {
        Problem::new(format!("`{}` is not a time", clean(text)))
            .hint("write 7d, yesterday, 2026-03-01, 2026-03-01T18:00 or 18:00")
    };
    let day = |zoned: jiff::Zoned| zoned.start_of_day().map(|day| day.timestamp()).map_err(|_| wrong());
    match text {
        "now" => return Ok(now.timestamp()),
        "today" => return day(now.clone()),
        "yesterday" => return day(now.checked_sub(1.day()).map_err(|_| wrong())?),
        _ => {}
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = match (text.parse::<DateTime>(), text.parse::<Time>()) {
        (Ok(local), _) => local,
        (_, Ok(time)) => now.date().to_datetime(time),
        _ => return Err(wrong()),
    };
    local.to_zoned(zone).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Zoned = "2026-03-10T15:30:00+01:00[Europe/Berlin]".parse().unwrap();
        for (text, at) in [
            ("2h", "2026-03-10T12:30:00Z"),
            ("7d", "2026-03-03T14:30:00Z"),
            ("now", "2026-03-10T14:30:00Z"),
            ("today", "2026-03-09T23:00:00Z"),
            ("yesterday", "2026-03-08T23:00:00Z"),
            ("2026-03-01", "2026-02-28T23:00:00Z"),
            ("2026-03-01T18:00", "2026-03-01T17:00:00Z"),
            ("2026-03-01 18:00", "2026-03-01T17:00:00Z"),
            ("2026-03-01T18:00:00Z", "2026-03-01T18:00:00Z"),
            ("18:00", "2026-03-10T17:00:00Z"),
        ] {
            assert_eq!(moment(text, &now).unwrap().to_string(), at, "{text}");
        }
        for text in ["", "soon", "0h", "7", "2026-02-30", "25:00", "-1d"] {
            assert!(moment(text, &now).is_err(), "{text}");
        }
    }
}
