//! What is remembered no longer: devices that a user forgets, and those that were only heard, of which there may be many that
//! nothing stands behind.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Known, Memory, MuteScope};
use crate::model::memory::{Note, Uid};
use crate::model::{Device, Method, Service, Stream, StreamStatus};

/// Devices that are remembered at most, those that were merged and archived included. What does not fit is not remembered; a
/// device that was only heard gives way to one that answers.
pub const MOST_DEVICES: usize = 65_536;
/// Devices among them that were only heard: the one that was heard longest ago goes first.
pub const MOST_HEARD: usize = 4_096;
/// A device that was only heard goes when it was not heard for so long.
const HEARD_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What becomes of the events about a device that is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traces {
    /// They happened, and stay as long as events are kept.
    Stay,
    /// The device was only heard, and may never have been there: they go with it.
    Go,
}

/// Whether a device of a scan is known by what it announced alone: no connection to it was answered, and no probe that is sent
/// to one address.
pub(super) fn is_only_heard(device: &Device) -> bool {
    let is_announced = |method: &Method| matches!(method, Method::Onvif | Method::Ssdp | Method::Mdns | Method::Beacon);
    let is_silent = || {
        !device.discovered_by.is_empty()
            && device.discovered_by.iter().all(is_announced)
            && !device.services.iter().any(has_served)
            && !device.streams.iter().any(has_answered)
    };
    device.reach.is_some() || is_silent()
}

/// Whether a service said anything itself: an announcement names its port, its protocol and its address.
fn has_served(service: &Service) -> bool {
    let Service { auth, server, title, realm, certificate, notes, answers, .. } = service;
    let is_any = [server, title, realm, certificate].into_iter().any(Option::is_some);
    auth.is_some() || is_any || !notes.is_empty() || !answers.is_empty()
}

fn has_answered(stream: &Stream) -> bool {
    stream.status != StreamStatus::Error || stream.ladder.iter().any(|step| step.ok)
}

impl Known {
    /// Whether it is known by what it announced alone, in every scan so far.
    pub fn is_only_heard(&self) -> bool {
        let has_stream = || self.streams.values().any(|known| known.last_ok.is_some() || has_answered(&known.stream));
        !self.answered && is_only_heard(&self.device) && !has_stream()
    }

    /// Whether a user said something about it, or gave a login for it: then it goes by a user's word alone.
    fn is_minded(&self) -> bool {
        self.note != Note::default() || self.has_login || self.health.acked.is_some() || self.merged_into.is_some()
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        self.seen.last.duration_until(now) >= HEARD_KEPT
    }
}

impl Memory {
    /// The devices that were only heard and of which no user said anything: they go by themselves.
    pub fn only_heard(&self) -> impl Iterator<Item = &Known> {
        let muted = self.mutes.iter().filter_map(|mute| match &mute.scope {
            MuteScope::Device(uid) => Some(uid),
            MuteScope::Site(_) | MuteScope::Tag(_) | MuteScope::Network(_) => None,
        });
        let merged = self.devices.values().filter_map(|known| known.merged_into.as_ref());
        let minded: BTreeSet<&Uid> = muted.chain(merged).collect();
        let is_free = move |known: &&Known| !known.is_minded() && !minded.contains(&known.uid);
        self.devices.values().filter(|known| known.is_only_heard()).filter(is_free)
    }

    /// Forgets a device and what was merged into it; their ids. None where there is no such device.
    pub fn forget(&mut self, uid: &Uid) -> Vec<Uid> {
        let all = self.ids_of(&self.root(uid));
        self.remove(&all);
        all
    }

    /// Forgets all devices that were only heard, but for those that a user said something about; their ids.
    pub fn forget_only_heard(&mut self) -> Vec<Uid> {
        let all: Vec<Uid> = self.only_heard().map(|known| known.uid.clone()).collect();
        self.remove(&all);
        all
    }

    /// A device answered: it is not one that was only heard.
    pub(super) fn note_answer(&mut self, uid: &Uid) {
        if let Some(known) = self.devices.get_mut(uid).filter(|known| !known.answered) {
            known.answered = true;
            self.touched.insert(uid.clone());
        }
    }

    /// Whether a device that was only heard is due to go.
    pub(super) fn has_silent(&self, now: Timestamp) -> bool {
        self.only_heard().any(|known| known.is_silent(now))
    }

    /// Forgets the devices that were only heard and are silent by now, or more than there is room for.
    pub(super) fn thin_out(&mut self, now: Timestamp) {
        let mut heard: Vec<&Known> = self.only_heard().collect();
        // Of those that were heard last at the same time, the ones that are known for longer stay.
        heard.sort_by_key(|known| (std::cmp::Reverse(known.seen.last), known.seen.first, &known.uid));
        let others = self.devices.len().saturating_sub(heard.len());
        let room = MOST_HEARD.min(MOST_DEVICES.saturating_sub(others));
        let goes = |(n, known): &(usize, &Known)| *n >= room || known.is_silent(now);
        let gone: Vec<Uid> = heard.into_iter().enumerate().filter(goes).map(|(_, known)| known.uid.clone()).collect();
        self.remove(&gone);
    }

    /// How many devices that answer can be remembered besides.
    pub(super) fn room(&self) -> usize {
        let lasting = self.devices.len().saturating_sub(self.only_heard().count());
        MOST_DEVICES.saturating_sub(lasting)
    }

    /// Removes devices, and every mention of them.
    fn remove(&mut self, uids: &[Uid]) {
        if uids.is_empty() {
            return;
        }
        for uid in uids {
            if let Some(known) = self.devices.remove(uid) {
                let traces = if known.is_only_heard() { Traces::Go } else { Traces::Stay };
                self.touched.insert(uid.clone());
                self.forgotten.insert(uid.clone(), traces);
            }
        }
        let gone: BTreeSet<&Uid> = uids.iter().collect();
        self.mutes.retain(|mute| !matches!(&mute.scope, MuteScope::Device(uid) if gone.contains(uid)));
        for known in self.devices.values_mut() {
            let parents = known.parents.len();
            known.parents.retain(|parent| !gone.contains(parent));
            let is_replaced = known.replaced_by.take_if(|other| gone.contains(other)).is_some();
            if is_replaced || parents != known.parents.len() {
                self.touched.insert(known.uid.clone());
            }
        }
    }
}
