//! What is known about the devices of a place over time. Pure: scans and checks in, events out. The store keeps it.

mod health;
mod key;
mod known;

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

pub use health::{DeviceHealth, DeviceState, Flaps, NetworkHealth, StreamHealth, StreamState};
pub use key::{DeviceKey, KeyKind};
pub use known::{Known, KnownStream, Seen, stream_key};

use crate::model::memory::Uid;

/// Everything that is known. Small: a few kilobytes a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The devices, those that were merged into others and the archived ones included.
    pub devices: BTreeMap<Uid, Known>,
    /// Keys that several devices were seen with at once: they identify nobody, for ever.
    pub shared: BTreeSet<DeviceKey>,
    /// The networks of the devices.
    pub networks: BTreeMap<IpNetwork, NetworkHealth>,
}
