//! Everything in numbers: for chips, widgets and the first look.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Sight;
use super::scan::ScanView;
use crate::history::memory::{DeviceState, StreamState};

/// How this camscan stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The version of camscan.
    pub version: String,
    /// The version of the API; fields are added, never renamed.
    pub api: String,
    /// When this process began to serve.
    pub started_at: Timestamp,
    /// The time of day here.
    pub now: Timestamp,
    /// Whether this process watches, too.
    pub watching: bool,
    /// Devices that are listed.
    pub devices: u64,
    /// When everything is scanned next; absent where this process does not watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_scan: Option<Timestamp>,
    /// The last full scan that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scan: Option<ScanView>,
    /// The scan that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<ScanView>,
    /// The number of the last event.
    pub last_event: i64,
}

/// What is known, in numbers. Archived devices count for `archived` alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Devices that are listed.
    pub devices: u64,
    /// Those that answer.
    pub online: u64,
    /// Those that do not.
    pub offline: u64,
    /// Those of which nobody can tell.
    pub unknown: u64,
    /// Devices of which each [flag](super::device::Flag) is true, by its name.
    pub is: BTreeMap<String, u64>,
    /// Streams that devices have.
    pub streams: u64,
    /// Streams by their state.
    pub stream_states: BTreeMap<String, u64>,
    /// Devices by what they are.
    pub kinds: BTreeMap<String, u64>,
    /// Devices by maker.
    pub vendors: BTreeMap<String, u64>,
    /// Devices by site, in the user's words.
    pub sites: BTreeMap<String, u64>,
    /// Devices by tag.
    pub tags: BTreeMap<String, u64>,
    /// Devices by network.
    pub subnets: BTreeMap<String, u64>,
}

impl Sight {
    /// What is known, in numbers.
    pub fn summary(&self) -> Summary {
        let mut sum = Summary {
            is: super::device::Flag::ALL.iter().map(|flag| (flag.to_string(), 0)).collect(),
            stream_states: StreamState::ALL.iter().map(|state| (state.to_string(), 0)).collect(),
            ..Summary::default()
        };
        for known in self.memory.roots() {
            if known.archived_at.is_some() {
                *sum.is.entry(super::device::Flag::Archived.to_string()).or_default() += 1;
                continue;
            }
            sum.devices += 1;
            match known.health.state {
                DeviceState::Online => sum.online += 1,
                // One that was replaced is offline for good.
                DeviceState::Offline if known.replaced_by.is_some() => {}
                DeviceState::Offline => sum.offline += 1,
                DeviceState::Unknown => sum.unknown += 1,
            }
            for flag in self.flags(known) {
                *sum.is.entry(flag.to_string()).or_default() += 1;
            }
            for stream in known.streams.values().filter(|stream| stream.gone_at.is_none()) {
                sum.streams += 1;
                *sum.stream_states.entry(stream.health.state.to_string()).or_default() += 1;
            }
            *sum.kinds.entry(known.device.kind.to_string()).or_default() += 1;
            let count = |of: &mut BTreeMap<String, u64>, name: Option<String>| {
                if let Some(name) = name {
                    *of.entry(name).or_default() += 1;
                }
            };
            count(&mut sum.vendors, known.device.vendor.clone());
            count(&mut sum.sites, known.note.site.clone());
            known.note.tags.iter().for_each(|tag| count(&mut sum.tags, Some(tag.clone())));
            count(&mut sum.subnets, self.memory.network_of(known.device.ip).map(|network| network.to_string()));
        }
        sum
    }
}
