//! What is known about the devices of a place over time. Pure: scans and checks in, events out. The store keeps it.
//!
//! `who` decides which device of a scan is which of those that are known, `learn` takes a scan in, `presence`, `network`,
//! `service` and `streams` change what is believed about devices, networks, ports and streams, `mute` decides whether that is sent, and
//! `pass` does what the time alone brings about.

mod bound;
mod changes;
mod clock;
mod edit;
mod forget;
mod health;
mod key;
mod known;
mod learn;
mod merge;
mod mute;
mod network;
mod pass;
mod presence;
mod proof;
mod rule;
mod said;
mod scope;
mod service;
mod sight;
mod stream;
mod stream_id;
mod streams;
mod tell;
#[cfg(test)]
pub(crate) mod tests;
mod view;
mod who;

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use edit::{EditError, NoteEdit, word};
pub use forget::{MOST_DEVICES, MOST_HEARD, Traces};
pub use health::{
    DeviceHealth, DeviceState, Flaps, LoginTrouble, LowerRate, NetworkHealth, OnLink, ServiceTrouble, StreamHealth,
    StreamState,
};
pub use key::{DeviceKey, KeyKind, keys_of};
pub use known::{Analysis, Known, KnownStream, Seen};
pub use merge::MergeError;
pub use mute::{Mute, MuteScope};
pub use rule::Rule;
#[cfg(test)]
pub(crate) use rule::WITHOUT;
pub use said::{Edited, Said};
pub use scope::would_find;
pub use service::service_of;
pub use sight::{Sight, Vantage};
pub use stream::first_frame_ms;
pub use stream_id::StreamId;
pub use view::report_of;

pub use super::stream_key::stream_key;
use crate::model::memory::{Event, Uid};
use crate::model::{MacAddr, Report, Stream};

/// Everything that is known. Small: a few kilobytes a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The devices, those that were merged into others and the archived ones included.
    pub devices: BTreeMap<Uid, Known>,
    /// Keys that several devices were seen with at once: they identify nobody, for ever.
    pub shared: BTreeSet<DeviceKey>,
    /// The networks of the devices.
    pub networks: BTreeMap<IpNetwork, NetworkHealth>,
    /// What users muted: sites, tags, networks and single devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mutes: Vec<Mute>,
    /// The latest time that anything was learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// The devices that the last calls changed: the store saves those. See [`Memory::take_touched`].
    #[serde(skip)]
    pub touched: BTreeSet<Uid>,
    /// To when the clock was set back in the last calls: the store sets back what it keeps besides. See
    /// [`Memory::take_set_back`].
    #[serde(skip)]
    pub set_back_at: Option<Timestamp>,
    /// The devices among them that the last calls forgot, and what becomes of the events about each.
    #[serde(skip)]
    pub forgotten: BTreeMap<Uid, Traces>,
}

/// A full scan.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// What it found.
    pub report: &'a Report,
    /// When it ended.
    pub at: Timestamp,
    /// What this machine could see meanwhile.
    pub sight: &'a Sight,
}

/// What a scan taught.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learnt {
    /// What happened.
    pub events: Vec<Event>,
    /// Who is who, by position in `report.devices`. The id of a device that is not remembered is that of no device.
    pub devices: Vec<Uid>,
    /// Devices that answer and are not remembered: there is no room for them.
    pub left_out: usize,
}

impl Learnt {
    /// What a user should know of what is not remembered.
    pub fn warning(&self) -> Option<String> {
        (self.left_out > 0).then(|| {
            format!(
                "65,536 devices are remembered, and no more are: {} of this scan did not fit\nhint: forget those that are \
                 not needed (camscan devices forget), or remember this network in another store (--store FILE)",
                self.left_out
            )
        })
    }
}

/// A stream that was played between scans.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamCheck {
    /// The device.
    pub uid: Uid,
    /// The stream: its key in [`Known::streams`].
    pub key: String,
    /// When.
    pub at: Timestamp,
    /// What came of it.
    pub stream: Stream,
    /// The device had no place for another viewer (RTSP 453, HTTP 503).
    pub busy: bool,
    /// Ways it was tried to be played.
    pub ways_tried: u32,
    /// The device offered Digest.
    pub offers_digest: bool,
}

impl Memory {
    /// The device of this text: an id, also of a device that was merged into another one, an address, a MAC address, or the
    /// name that the user gave it. None where nobody or several have it.
    pub fn find(&self, text: &str) -> Option<&Known> {
        let text = text.trim();
        if let Some(uid) = Uid::parse(text) {
            return self.devices.get(who::root(&self.devices, self.devices.get_key_value(&uid)?.0));
        }
        let mut roots: Vec<&Known> = self.roots().collect();
        // One that is listed comes before one that is archived, and the one that was seen last before others.
        roots.sort_by_key(|known| (known.archived_at.is_some(), std::cmp::Reverse(known.seen.last)));
        if let Ok(ip) = text.parse() {
            let at = |known: &&&Known| known.device.ip == ip || known.device.addresses.contains(&ip);
            return roots.iter().find(at).copied();
        }
        if let Ok(mac) = text.parse::<MacAddr>() {
            let key = DeviceKey::new(KeyKind::Mac, mac.to_string());
            let owners = self.devices.iter().filter(|(_, known)| known.keys.contains_key(&key));
            let owners: BTreeSet<&Uid> = owners.map(|(uid, _)| who::root(&self.devices, uid)).collect();
            let has_it = |known: &&Known| known.device.mac == Some(mac) || owners.contains(&known.uid);
            return only(roots.into_iter().filter(has_it));
        }
        let is_named = |name: &Option<String>| name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(text));
        only(roots.iter().copied().filter(|known| is_named(&known.note.name)))
            .or_else(|| only(roots.into_iter().filter(|known| is_named(&known.device.name))))
    }

    /// The devices that the last calls changed, each once.
    pub fn take_touched(&mut self) -> BTreeSet<Uid> {
        std::mem::take(&mut self.touched)
    }

    /// A user knows of the problem of a device, of one of its streams, or of a port that serves them, by its key: its repeats
    /// are not sent until it has ended. Whether there is such a device, stream or port.
    pub fn acknowledge(&mut self, uid: &Uid, part: Option<&str>, at: Timestamp) -> bool {
        let uid = self.root(uid);
        if part.is_some_and(|service| self.acknowledge_service(&uid, service, at)) {
            return true;
        }
        let Some(known) = self.devices.get_mut(&uid) else { return false };
        let acked = match part {
            None => Some(&mut known.health.acked),
            Some(key) => known.streams.get_mut(key).map(|stream| &mut stream.health.acked),
        };
        let Some(acked) = acked else { return false };
        *acked = Some(at);
        self.touched.insert(uid);
        true
    }

    /// The devices that were merged into no other one.
    pub fn roots(&self) -> impl Iterator<Item = &Known> {
        self.devices.values().filter(|known| known.merged_into.is_none())
    }

    /// The device that this one is, in the end.
    fn root(&self, uid: &Uid) -> Uid {
        who::root(&self.devices, uid).clone()
    }

    /// The keys of a device and of those that were merged into it.
    pub fn keys_of(&self, uid: &Uid) -> impl Iterator<Item = &DeviceKey> {
        let members = self.devices.iter().filter(move |(own, _)| who::root(&self.devices, own) == uid);
        members.flat_map(|(_, known)| known.keys.keys())
    }
}

/// The only one of them.
fn only<'k>(mut all: impl Iterator<Item = &'k Known>) -> Option<&'k Known> {
    all.next().filter(|_| all.next().is_none())
}
