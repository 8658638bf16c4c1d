//! What is different between two reports, as data that can be stored, sent and shown.

pub(in crate::history) mod device;
pub mod judge;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::identity::{Key, matches};
use crate::model::memory::Uid;
use crate::model::{Device, Kind, Protocol, Report, StreamStatus, Transport};

/// What changed from one report to another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diff {
    /// Devices that the later report alone has.
    pub added: Vec<DeviceSummary>,
    /// Devices that the earlier report alone has.
    pub gone: Vec<DeviceSummary>,
    /// Devices of both that are not as they were, by their address in the later report.
    pub changed: Vec<DeviceDiff>,
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.gone.is_empty() && self.changed.is_empty()
    }

    /// Calls the devices as users do, where `name` knows how.
    pub fn rename(&mut self, name: impl Fn(&DeviceSummary) -> Option<String>) {
        let changed = self.changed.iter_mut().flat_map(|device| [&mut device.before, &mut device.after]);
        for device in self.added.iter_mut().chain(&mut self.gone).chain(changed) {
            device.name = name(device).or(device.name.take());
        }
    }

    /// The devices that are reached at another address than before.
    pub fn moved(&self) -> impl Iterator<Item = &DeviceDiff> {
        self.changed.iter().filter(|device| device.before.ip != device.after.ip)
    }
}

/// A device in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceSummary {
    /// Its identity in its report.
    pub id: String,
    /// What the store calls it; absent where none knows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uid: Option<Uid>,
    /// What the user calls it, else what it calls itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The address it is reached at.
    pub ip: IpAddr,
    /// What it is.
    pub kind: Kind,
    /// Its maker.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vendor: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
}

impl From<&Device> for DeviceSummary {
    fn from(device: &Device) -> Self {
        DeviceSummary {
            id: device.id.clone(),
            uid: device.uid.clone(),
            name: device.name.clone(),
            ip: device.ip,
            kind: device.kind,
            vendor: device.vendor.clone(),
            model: device.model.clone(),
        }
    }
}

/// What changed about one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceDiff {
    /// The device as it was.
    pub before: DeviceSummary,
    /// The device as it is.
    pub after: DeviceSummary,
    /// What it was recognised by.
    pub recognised_by: Key,
    /// What changed, one by one; never empty.
    pub changes: Vec<Change>,
}

/// A fact about a device as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Field {
    Ip,
    Mac,
    Kind,
    Vendor,
    Model,
    Firmware,
    Serial,
    Hostname,
    Name,
}

impl Field {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Ip => "address",
            Field::Mac => "MAC address",
            Field::Kind => "kind",
            Field::Vendor => "vendor",
            Field::Model => "model",
            Field::Firmware => "firmware",
            Field::Serial => "serial number",
            Field::Hostname => "host name",
            Field::Name => "name",
        }
    }
}

/// A fact about the picture of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VideoField {
    /// The codec.
    Codec,
    /// Width and height in pixels: `1920x1080`.
    Size,
    /// Frames per second, as declared.
    Fps,
    /// Frames per second, as counted.
    MeasuredFps,
}

impl VideoField {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            VideoField::Codec => "codec",
            VideoField::Size => "size",
            VideoField::Fps => "declared frame rate",
            VideoField::MeasuredFps => "measured frame rate",
        }
    }
}

/// A service, which is one protocol on one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceKey {
    /// The port.
    pub port: u16,
    /// What is spoken.
    pub protocol: Protocol,
    /// Over what.
    pub transport: Transport,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} port {}", self.protocol, self.transport.as_str().to_uppercase(), self.port)
    }
}

/// One thing that changed. Addresses of streams are those of the later report where the stream is in both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A fact about the device; absent is not known.
    Field {
        /// Which.
        field: Field,
        /// What it was.
        before: Option<String>,
        /// What it is.
        after: Option<String>,
    },
    /// A service that was not there before.
    ServiceOpened(ServiceKey),
    /// A service that is no longer there.
    ServiceClosed(ServiceKey),
    /// A service that demanded nothing demands a login.
    ServiceLoginNeeded(ServiceKey),
    /// A service that demanded a login demands none.
    ServiceOpenWithoutLogin(ServiceKey),
    /// A stream that was not there before.
    StreamAdded {
        /// Its address.
        url: String,
        /// How far it is proved.
        status: StreamStatus,
    },
    /// A stream that is no longer there.
    StreamGone {
        /// Its address.
        url: String,
        /// How far it was proved.
        status: StreamStatus,
    },
    /// The proof of a stream got further than before, or less far.
    StreamStatus {
        /// Its address.
        url: String,
        /// What it was.
        before: StreamStatus,
        /// What it is.
        after: StreamStatus,
    },
    /// The picture of a stream.
    StreamVideo {
        /// Its address.
        url: String,
        /// What about the picture.
        field: VideoField,
        /// What it was.
        before: String,
        /// What it is.
        after: String,
    },
    /// A stream that needed no login needs one.
    StreamLoginNeeded {
        /// Its address.
        url: String,
    },
    /// A stream that needed a login needs none.
    StreamOpenWithoutLogin {
        /// Its address.
        url: String,
    },
    /// A recorder's channel shows another camera than before.
    ChannelCamera {
        /// The number of the channel.
        channel: u32,
        /// The camera's identity in the earlier report.
        before: String,
        /// The camera's identity in the later report.
        after: String,
    },
    /// Something odd about a stream that was not so before.
    WarningAdded {
        /// The stream's address.
        url: String,
        /// What is odd.
        warning: String,
    },
    /// Something odd about a stream that is no longer so.
    WarningGone {
        /// The stream's address.
        url: String,
        /// What was odd.
        warning: String,
    },
}

impl fmt::Display for Change {
    /// In words: `firmware: V5.5.0 → V5.7.3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".to_owned());
        match self {
            Change::Field { field, before, after } => {
                write!(f, "{}: {} → {}", field.as_str(), known(before), known(after))
            }
            Change::ServiceOpened(service) => write!(f, "{service}: opened"),
            Change::ServiceClosed(service) => write!(f, "{service}: closed"),
            Change::ServiceLoginNeeded(service) => write!(f, "{service}: now needs a login"),
            Change::ServiceOpenWithoutLogin(service) => write!(f, "{service}: no longer needs a login"),
            Change::StreamAdded { url, status } => write!(f, "{url}: new stream, {}", status.as_str()),
            Change::StreamGone { url, status } => write!(f, "{url}: no longer there, was {}", status.as_str()),
            Change::StreamStatus { url, before, after } => {
                write!(f, "{url}: {} → {}", before.as_str(), after.as_str())
            }
            Change::StreamVideo { url, field, before, after } => {
                write!(f, "{url}: {}: {before} → {after}", field.as_str())
            }
            Change::StreamLoginNeeded { url } => write!(f, "{url}: now needs a login"),
            Change::StreamOpenWithoutLogin { url } => write!(f, "{url}: no longer needs a login"),
            Change::ChannelCamera { channel, before, after } => {
                write!(f, "channel {channel}: camera {before} → {after}")
            }
            Change::WarningAdded { url, warning } => write!(f, "{url}: {warning}"),
            Change::WarningGone { url, warning } => write!(f, "{url}: no longer so: {warning}"),
        }
    }
}

/// Compares two devices that somebody chose: one at two times, or two that are to be alike.
pub fn compare_devices(before: &Device, after: &Device) -> Diff {
    let changes = device::changes(before, after, &HashMap::new());
    let both = DeviceDiff { before: before.into(), after: after.into(), recognised_by: Key::Choice, changes };
    Diff { changed: Some(both).filter(|both| !both.changes.is_empty()).into_iter().collect(), ..Diff::default() }
}

/// Compares an earlier report with a later one.
pub fn compare(before: &Report, after: &Report) -> Diff {
    let found = matches(&before.devices, &after.devices);
    let summaries = |devices: &[Device], which: &[usize]| {
        which.iter().filter_map(|&index| devices.get(index)).map(DeviceSummary::from).collect()
    };
    let same: HashMap<&str, &str> = found
        .pairs
        .iter()
        .filter_map(|&(a, b, _)| Some((before.devices.get(a)?.id.as_str(), after.devices.get(b)?.id.as_str())))
        .collect();
    let mut changed: Vec<DeviceDiff> = found
        .pairs
        .iter()
        .filter_map(|&(a, b, key)| {
            let (a, b) = before.devices.get(a).zip(after.devices.get(b))?;
            let changes = device::changes(a, b, &same);
            (!changes.is_empty()).then(|| DeviceDiff { before: a.into(), after: b.into(), recognised_by: key, changes })
        })
        .collect();
    changed.sort_by_key(|device| device.after.ip);
    Diff {
        added: summaries(&after.devices, &found.only_second),
        gone: summaries(&before.devices, &found.only_first),
        changed,
    }
}

#[cfg(test)]
pub(super) mod tests;
