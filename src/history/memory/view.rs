//! What is remembered, as others read it: a device as a report lists it, and which devices became one.

use super::{DeviceState, Known, Memory, stream_key};
use crate::model::memory::Uid;
use crate::model::report::SCHEMA;
use crate::model::{self, Device, Report, ScanInfo, ScanStatus};

impl Memory {
    /// The ids of a device and of all that were merged into it.
    pub fn ids_of(&self, uid: &Uid) -> Vec<Uid> {
        self.devices.keys().filter(|own| self.root(own) == *uid).cloned().collect()
    }
}

impl Memory {
    /// Calls the devices of an earlier scan by the ids that they have now: two that were merged since are one.
    pub fn follow(&self, report: &mut Report) {
        for uid in report.devices.iter_mut().filter_map(|device| device.uid.as_mut()) {
            *uid = self.root(uid);
        }
    }
}

impl Known {
    /// What the user calls it, else what it calls itself.
    pub fn name(&self) -> Option<&str> {
        self.note.name.as_deref().or(self.device.name.as_deref())
    }

    /// It as a report lists it: as it was last seen, with what the user says of it, without the streams that are gone.
    pub fn as_listed(&self) -> Device {
        let gone = |key: &String| self.streams.get(key).is_some_and(|stream| stream.gone_at.is_some());
        let mut device = self.device.clone();
        device.streams.retain(|stream| !gone(&stream_key(stream)));
        device.uid = Some(self.uid.clone());
        device.name = self.note.name.clone().or(device.name);
        device.site.clone_from(&self.note.site);
        device.tags.clone_from(&self.note.tags);
        (device.first_seen, device.last_seen) = (self.seen.first, self.seen.last);
        device.state = match self.health.state {
            DeviceState::Offline => model::DeviceState::Offline,
            DeviceState::Online | DeviceState::Unknown => model::DeviceState::Online,
        };
        device
    }
}

/// Devices that are known, as a report.
pub fn report_of<'k>(all: impl IntoIterator<Item = &'k Known>) -> Report {
    let mut devices: Vec<Device> = all.into_iter().map(Known::as_listed).collect();
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
