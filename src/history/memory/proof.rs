//! What a device proved once, and what holds for it from then on.

use std::sync::Arc;

use super::key::{DeviceKey, KeyKind};
use super::known::Known;
use super::{Memory, who};
use crate::model::memory::Uid;
use crate::model::secret::CredentialScope;
use crate::model::{Anchor, AuthScheme, Device, DigestDevices, MacAddr};

/// Whether a device offers Digest, over whichever protocol.
pub(super) fn offers_digest(device: &Device) -> bool {
    device.services.iter().flat_map(|service| service.auth.iter().flatten()).any(|scheme| *scheme == AuthScheme::Digest)
}

/// Whether nothing but its own word says that a device is the one it was before: it is at another address or behind another
/// network card, and the link does not show the card it had.
pub(super) fn is_on_its_word(before: &Device, now: &Device) -> bool {
    match (before.link_mac, now.link_mac) {
        (Some(before), Some(now)) => before != now,
        _ => before.ip != now.ip,
    }
}

impl Known {
    /// Whether it ever offered Digest: it is sent no password in plain text from then on.
    pub fn offered_digest(&self) -> bool {
        self.offered_digest || offers_digest(&self.device)
    }
}

impl Memory {
    /// The devices that ever offered Digest, by all they were recognised by, and by the addresses they were last seen at. The
    /// address of one that is archived is free for another.
    pub fn digest_devices(&self) -> Arc<DigestDevices> {
        let mut all = DigestDevices::default();
        for (uid, known) in &self.devices {
            let root = self.devices.get(who::root(&self.devices, uid));
            if !known.offered_digest() && !root.is_some_and(Known::offered_digest) {
                continue;
            }
            for key in known.keys.keys() {
                match key.kind {
                    KeyKind::Mac => key.value.parse().into_iter().for_each(|mac| all.add_mac(mac)),
                    KeyKind::Onvif => all.add_endpoint(&key.value),
                    KeyKind::Serial => {}
                }
            }
            let device = &known.device;
            device.mac.into_iter().for_each(|mac| all.add_mac(mac));
            device.endpoint.iter().for_each(|endpoint| all.add_endpoint(endpoint));
            if known.archived_at.is_none() && known.merged_into.is_none() {
                device.addresses.iter().chain([&device.ip]).for_each(|ip| all.add_address(*ip));
            }
        }
        Arc::new(all)
    }

    /// What shows a device to be itself, as it was last seen. A login that is given for it now is bound to that.
    pub fn anchor(&self, uid: &Uid) -> Option<Anchor> {
        let known = self.devices.get(who::root(&self.devices, self.devices.get_key_value(uid)?.0))?;
        let device = &known.device;
        Some(match device.link_mac.filter(|mac| self.has_own_card(known, *mac)) {
            Some(mac) => Anchor::Link { mac },
            None => Anchor::Place { ip: device.ip, endpoint: device.endpoint.clone() },
        })
    }

    /// Which hosts a login is for that was given for a device when `anchor` showed it to be itself. None where that does not
    /// hold: the device is recognised by its own word at most, and its login rests.
    pub fn meant(&self, uid: &Uid, anchor: &Anchor) -> Option<CredentialScope> {
        let known = self.devices.get(who::root(&self.devices, self.devices.get_key_value(uid)?.0))?;
        match anchor {
            Anchor::Link { mac } => Some(CredentialScope {
                // A router that answers for many shows its own card for each of them.
                network: (!self.has_own_card(known, *mac)).then_some(known.device.ip.into()),
                mac_prefix: Some(mac.0.iter().map(|byte| format!("{byte:02x}")).collect()),
                ..CredentialScope::default()
            }),
            Anchor::Place { ip, endpoint } => self.is_at(known, anchor).then(|| CredentialScope {
                network: Some((*ip).into()),
                endpoint: endpoint.clone(),
                ..CredentialScope::default()
            }),
        }
    }

    /// Whether a device, as it was last seen, is sent no login that was given for it when `anchor` showed it to be itself.
    pub fn rests(&self, uid: &Uid, anchor: &Anchor) -> bool {
        let root = self.devices.get_key_value(uid).map(|(uid, _)| who::root(&self.devices, uid));
        root.and_then(|uid| self.devices.get(uid)).is_some_and(|known| !self.is_at(known, anchor))
    }

    /// A user has seen that a device is itself where it is now.
    pub fn confirm(&mut self, uid: &Uid) -> bool {
        let Some(known) = self.devices.get_mut(uid) else { return false };
        self.touched.insert(uid.clone());
        known.on_its_word_at.take().is_some()
    }

    fn is_at(&self, known: &Known, anchor: &Anchor) -> bool {
        let device = &known.device;
        match anchor {
            Anchor::Link { mac } => device.link_mac == Some(*mac),
            Anchor::Place { ip, endpoint } => {
                let is_last_there =
                    !self.others(known).any(|other| other.device.ip == *ip && other.seen.last > known.seen.last);
                let stated = device.endpoint.as_ref();
                let is_same = |wanted: &String| stated.is_some_and(|stated| stated.eq_ignore_ascii_case(wanted));
                device.ip == *ip && is_last_there && endpoint.as_ref().is_none_or(is_same)
            }
        }
    }

    /// Whether the link shows a network card for this device alone.
    fn has_own_card(&self, known: &Known, mac: MacAddr) -> bool {
        let key = DeviceKey::new(KeyKind::Mac, mac.to_string());
        !self.shared.contains(&key) && !self.others(known).any(|other| other.device.link_mac == Some(mac))
    }

    fn others<'m>(&'m self, known: &'m Known) -> impl Iterator<Item = &'m Known> {
        self.roots().filter(|other| other.uid != known.uid && other.archived_at.is_none())
    }
}
