//! A device: in short for lists, and whole.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mute::{MuteView, mutes_of};
use super::stream::{StreamDetail, StreamView, detail_of};
use super::{Picture, Sight, fingerprint, public_url};
use crate::history::memory::{DeviceKey, DeviceState, Known, StreamState};
use crate::model::memory::{EventKind, Expect, Note, Uid};
use crate::model::{Device, Kind, MacAddr, WarningKind};
use crate::store::Span;

/// A device that was first seen so recently is new.
const NEW: SignedDuration = SignedDuration::from_hours(24);

/// A device in short, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceView {
    /// What it is called for ever.
    pub id: Uid,
    /// What the user calls it, else what it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address it is reached at.
    pub ip: IpAddr,
    /// The network it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Its MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// What it is.
    pub kind: Kind,
    /// Its maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Where it is, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The user's tags.
    pub tags: Vec<String>,
    /// How long it may be silent.
    pub expect: Expect,
    /// Whether it answers.
    pub state: DeviceState,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// How often in a row it did not answer; from the first miss on it is shown as not answering.
    pub misses: u32,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// What is true of it besides.
    pub is: Vec<Flag>,
    /// Since when a login that worked is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginProblem>,
    /// What needs somebody's attention.
    pub warnings: Vec<WarningKind>,
    /// Since when it is no longer listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// Its newest picture, of whichever stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// Its streams; those that are gone are left out.
    pub streams: Vec<StreamView>,
    /// What a user wrote about it has changed when this has.
    pub rev: String,
}

crate::model::names::names! {
    /// Something that is true of a device besides its state.
    pub enum Flag {
        /// It was first seen in the last 24 hours.
        New = "new",
        /// It did not answer when it was last asked.
        Missing = "missing",
        /// It comes and goes.
        Flapping = "flapping",
        /// Nothing is sent about it for a time.
        Muted = "muted",
        /// A user knows of its problem.
        Acknowledged = "acknowledged",
        /// One of its streams delivers no frames.
        NoFrames = "no_frames",
        /// One of its streams needs a login that is not known, or is refused.
        Login = "login",
        /// One of its streams or services needs no login.
        Open = "open",
        /// It is in another subnet than this machine, and was only heard.
        Foreign = "foreign",
        /// It is recognised by its address alone.
        ByAddress = "by_address",
        /// Another device stands in its place, and it is offline for good.
        Replaced = "replaced",
        /// It is no longer listed.
        Archived = "archived",
    }
}

/// A login that worked and is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoginProblem {
    /// `login.refused`, `login.locked` or `login.rests`.
    pub kind: EventKind,
    /// Since when.
    pub since: Timestamp,
    /// It rests until somebody asks for another try.
    pub rests: bool,
}

/// A device whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceDetail {
    /// It in short.
    #[serde(flatten)]
    pub summary: DeviceView,
    /// What the user wrote about it.
    pub note: NoteView,
    /// It as a report lists it: facts with their evidence, services, streams, channels.
    pub report: Device,
    /// Its streams with their proofs, those that are gone included.
    pub stream_details: Vec<StreamDetail>,
    /// What it is recognised by.
    pub keys: Vec<KeyView>,
    /// Mutes that cover it now.
    pub mutes: Vec<MuteView>,
    /// The devices that were merged into it.
    pub merged: Vec<Uid>,
    /// The recorders that show it.
    pub parents: Vec<Uid>,
    /// The device that stands in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<Uid>,
    /// Since when it has been at its address.
    pub address_since: Timestamp,
    /// Since when a user knows that it is offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_at: Option<Timestamp>,
    /// When it was last found by a full scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanned_at: Option<Timestamp>,
}

/// What a user wrote about a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoteView {
    /// What it is called.
    pub name: Option<String>,
    /// Where it is.
    pub site: Option<String>,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Anything else.
    pub text: Option<String>,
    /// How long it may be silent.
    pub expect: Expect,
}

impl From<&Note> for NoteView {
    fn from(note: &Note) -> Self {
        NoteView {
            name: note.name.clone(),
            site: note.site.clone(),
            tags: note.tags.clone(),
            text: note.text.clone(),
            expect: note.expect,
        }
    }
}

/// Something a device is recognised by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyView {
    /// Kind and value: `mac:44:19:b6:00:00:01`.
    pub key: String,
    /// When it was first seen with it.
    pub first_seen: Timestamp,
    /// When it was last seen with it.
    pub last_seen: Timestamp,
    /// Other devices have it too, so it identifies nobody.
    pub shared: bool,
}

/// An address a device had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressView {
    /// The address.
    pub ip: String,
    /// From when on.
    pub began: Timestamp,
    /// Until when; absent where it still has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// A time during which a device, or one of its streams, was in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpanView {
    /// The stream; absent for the device itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<crate::history::memory::StreamId>,
    /// The state: one of a device, or of a stream.
    pub state: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; absent where it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

impl SpanView {
    /// A span of a device's history.
    pub fn of(device: &Uid, span: Span) -> Self {
        let stream = span.stream.map(|key| crate::history::memory::StreamId::of(device, &key));
        SpanView { stream, state: span.state, began: span.began, ended: span.ended }
    }
}

/// The revision of what a user wrote about a device.
pub fn rev(note: &Note) -> String {
    fingerprint(note)
}

impl Sight {
    /// A device in short.
    pub fn device(&self, known: &Known) -> DeviceView {
        #[cfg(test)]
        super::VIEWS.set(super::VIEWS.get() + 1);
        let device = &known.device;
        DeviceView {
            id: known.uid.clone(),
            name: known.name().map(str::to_owned),
            ip: device.ip,
            subnet: self.memory.network_of(device.ip).map(|network| network.to_string()),
            mac: device.mac,
            kind: device.kind,
            vendor: device.vendor.clone(),
            model: device.model.clone(),
            firmware: device.firmware.clone(),
            site: known.note.site.clone(),
            tags: known.note.tags.clone(),
            expect: known.note.expect,
            state: known.health.state,
            since: known.health.since,
            misses: known.health.misses,
            first_seen: known.seen.first,
            last_seen: known.seen.last,
            is: self.flags(known),
            login: known.login.as_ref().map(|login| LoginProblem {
                kind: login.kind,
                since: login.since,
                rests: known.login_rests(),
            }),
            warnings: device.warnings.iter().map(|warning| warning.kind).collect(),
            archived_at: known.archived_at,
            picture: self.picture_of(known).cloned(),
            streams: self.streams_of(known).collect(),
            rev: rev(&known.note),
        }
    }

    /// What is true of a device besides its state, in the order of the list.
    pub fn flags(&self, known: &Known) -> Vec<Flag> {
        let streams = || known.streams.values().filter(|stream| stream.gone_at.is_none());
        let is_muted = known.note.muted_until.is_some_and(|until| self.now < until)
            || self.memory.mutes.iter().any(|mute| mute.is_on(self.now) && mute.covers(known));
        let holds = |flag: &Flag| match flag {
            Flag::New => known.seen.first.duration_until(self.now) < NEW,
            Flag::Missing => known.health.state != DeviceState::Offline && known.health.misses > 0,
            Flag::Flapping => known.health.flaps.since.is_some(),
            Flag::Muted => is_muted,
            Flag::Acknowledged => known.health.acked.is_some() || streams().any(|stream| stream.health.acked.is_some()),
            Flag::NoFrames => streams().any(|stream| stream.health.state == StreamState::Broken),
            Flag::Login => known.login.is_some() || streams().any(|stream| stream.health.state == StreamState::Locked),
            Flag::Open => streams().any(|stream| stream.stream.open == Some(true)),
            Flag::Foreign => known.device.reach.is_some(),
            Flag::ByAddress => known.by_address_only,
            Flag::Replaced => known.replaced_by.is_some(),
            Flag::Archived => known.archived_at.is_some(),
        };
        Flag::ALL.into_iter().filter(holds).collect()
    }

    /// A device whole.
    pub fn device_detail(&self, known: &Known) -> DeviceDetail {
        let key = |key: &DeviceKey| String::from(key.clone());
        let merged = self.memory.ids_of(&known.uid).into_iter().filter(|uid| *uid != known.uid);
        DeviceDetail {
            summary: self.device(known),
            note: (&known.note).into(),
            report: public_device(known.as_listed()),
            stream_details: known.streams.iter().map(|(key, stream)| detail_of(self, known, key, stream)).collect(),
            keys: known
                .keys
                .iter()
                .map(|(own, seen)| KeyView {
                    key: key(own),
                    first_seen: seen.first,
                    last_seen: seen.last,
                    shared: self.memory.shared.contains(own),
                })
                .collect(),
            mutes: mutes_of(self, known),
            merged: merged.collect(),
            parents: known.parents.iter().cloned().collect(),
            replaced_by: known.replaced_by.clone(),
            address_since: known.address_since,
            acked_at: known.health.acked,
            scanned_at: known.scanned_at,
        }
    }
}

/// A device of a report without a login in an address, and without paths of this machine.
pub fn public_device(mut device: Device) -> Device {
    for stream in &mut device.streams {
        stream.url = public_url(&stream.url);
        stream.snapshot = None;
    }
    device
}
