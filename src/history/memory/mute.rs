//! Whether an event is sent, or only kept.

use ipnetwork::IpNetwork;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::health::{DeviceState, Flaps};
use super::known::Known;
use super::{Memory, Rule};
use crate::model::memory::{EventKind, Expect, MutedBy, Severity, Uid};

/// What a user muted for a time: maintenance of a site, a network, everything with a tag, or one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// What.
    pub scope: MuteScope,
    /// From when on.
    pub began: Timestamp,
    /// Until when; none: until somebody ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What is muted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MuteScope {
    /// One device.
    Device(Uid),
    /// All devices of a site.
    Site(String),
    /// All devices with a tag.
    Tag(String),
    /// All devices of a network.
    Network(#[cfg_attr(feature = "schema", schemars(with = "String"))] IpNetwork),
}

impl Mute {
    /// Whether it holds.
    pub fn is_on(&self, at: Timestamp) -> bool {
        self.began <= at && self.ended.is_none_or(|ended| at < ended)
    }

    /// Whether it is about this device.
    pub fn covers(&self, known: &Known) -> bool {
        match &self.scope {
            MuteScope::Device(uid) => known.uid == *uid,
            MuteScope::Site(site) => known.note.site.as_ref() == Some(site),
            MuteScope::Tag(tag) => known.note.tags.contains(tag),
            MuteScope::Network(network) => network.contains(known.device.ip),
        }
    }
}

/// A device that may be silent at times is told to be offline after so long.
const SOMETIMES: SignedDuration = SignedDuration::from_hours(24);

/// What a recorder feeds may take so long to start after it.
const STARTING: SignedDuration = SignedDuration::from_mins(3);

/// What an event is about, as far as that mutes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Its changes.
    pub flaps: &'a Flaps,
    /// Since when a user knows of its problem.
    pub acked: Option<Timestamp>,
    /// It is a stream or login of the device.
    pub is_part: bool,
}

impl<'a> Subject<'a> {
    /// A device itself.
    pub fn device(known: &'a Known) -> Self {
        Subject { flaps: &known.health.flaps, acked: known.health.acked, is_part: false }
    }
}

impl Memory {
    /// Why an event about a device, or a part of it, is not sent.
    pub(super) fn muted_by(&self, known: &Known, of: Subject<'_>, kind: EventKind, at: Timestamp) -> Option<MutedBy> {
        let is_problem = matches!(kind.severity(), Severity::Problem | Severity::Warning);
        let health = &known.health;
        // One that answered after its network was lost is lost by itself.
        let is_unreachable = || {
            let since = self.network_of(known.device.ip).and_then(|network| self.unreachable_since(network));
            since.is_some_and(|since| known.seen.last <= since || !Rule::AnsweredSince.holds())
        };
        // Words about a device that answers tell nothing of its network.
        let is_away = health.state != DeviceState::Online || health.misses > 0;
        let is_early = || {
            kind == EventKind::DeviceOffline
                && known.note.expect == Expect::Sometimes
                && Rule::Sometimes.holds()
                && health.lost_at.is_none_or(|lost| lost.duration_until(at) < SOMETIMES)
        };
        let is_replaced = known.replaced_by.is_some() && Rule::ReplacedSilent.holds();
        let is_ignored = known.note.expect == Expect::Ignore && Rule::Ignored.holds()
            || kind == EventKind::DeviceOffline && (is_replaced || known.archived_at.is_some());
        match () {
            () if self.is_muted(known, at) => Some(MutedBy::User),
            () if is_away && is_unreachable() && Rule::WithNetwork.holds() => Some(MutedBy::Subnet),
            () if is_away && self.waits_for_recorder(known) => Some(MutedBy::Recorder),
            () if of.is_part && is_away && Rule::PartOfAway.holds() => Some(MutedBy::Device),
            () if of.flaps.since.is_some() => Some(MutedBy::Flapping),
            () if is_ignored || is_early() => Some(MutedBy::Expected),
            () if is_problem && of.acked.is_some() && Rule::Acknowledged.holds() => Some(MutedBy::Acknowledged),
            () => None,
        }
    }

    /// Whether a device went with a recorder that feeds it, or that recorder came back so lately that the device may still be
    /// starting. A recorder that was gone while the device still answered has nothing to do with it: it may be gone for good.
    pub(super) fn waits_for_recorder(&self, known: &Known) -> bool {
        // What a recorder feeds starts after it: it is asked once more before it is told to be offline.
        let is_starting = |parent: &Known| {
            let back = parent.health.lost_at.is_some().then_some(parent.health.since);
            let is_early = |(back, missed): (Timestamp, Timestamp)| back.duration_until(missed) < STARTING;
            Rule::Starting.holds() && back.zip(known.health.missed_at).is_some_and(is_early)
        };
        // One that has answered once more is on its way back: when it was seen last tells no longer when it went.
        let is_back = known.health.hits > 0;
        let took_along = |parent: &Known| {
            let gone = parent.health.missing_since();
            gone.is_some_and(|gone| {
                is_back || gone.duration_until(known.seen.last) < STARTING || !Rule::TookAlong.holds()
            })
        };
        let parents = known.parents.iter().filter_map(|uid| self.devices.get(uid));
        // Of two recorders that show each other one waits for the other, and is told of.
        let mut parents = parents.filter(|parent| {
            !parent.parents.contains(&known.uid) || parent.uid < known.uid || !Rule::EachOther.holds()
        });
        Rule::Recorder.holds() && parents.any(|parent| took_along(parent) || is_starting(parent))
    }

    fn is_muted(&self, known: &Known, at: Timestamp) -> bool {
        let is_muted = known.note.muted_until.is_some_and(|until| at < until)
            || self.mutes.iter().any(|mute| mute.is_on(at) && mute.covers(known));
        is_muted && Rule::Muted.holds()
    }

    /// Whether a user muted a whole network.
    pub(super) fn is_network_muted(&self, network: IpNetwork, at: Timestamp) -> bool {
        let covers = |mute: &Mute| matches!(mute.scope, MuteScope::Network(wide) if wide.contains(network.network()));
        self.mutes.iter().any(|mute| mute.is_on(at) && covers(mute))
    }
}
