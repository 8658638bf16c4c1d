//! What a device proved once, and what holds for it from then on.

use std::sync::Arc;

use super::key::{DeviceKey, KeyKind};
use super::known::{Known, KnownCertificates};
use super::{Memory, who};
use crate::model::memory::Uid;
use crate::model::secret::CredentialScope;
use crate::model::{Anchor, AuthScheme, Device, GuardedDevices, LoginGuard, MacAddr, Protocol, Service};

/// Certificates kept of one device at most: one for each of its ports, and some more.
const MOST_CERTIFICATES: usize = 16;

/// Whether a device offers Digest, over whichever protocol.
fn offers_digest(device: &Device) -> bool {
    device.services.iter().flat_map(|service| service.auth.iter().flatten()).any(|scheme| *scheme == AuthScheme::Digest)
}

/// Whether a device takes readable passwords, and by TLS alone.
fn takes_tls_alone(device: &Device) -> bool {
    let demand = |service: &&Service| service.auth.as_ref().is_some_and(|schemes| !schemes.is_empty());
    let takes_basic = |service: &Service| service.auth.iter().flatten().any(|scheme| *scheme == AuthScheme::Basic);
    let mut demanding = device.services.iter().filter(demand);
    demanding.clone().any(takes_basic) && demanding.all(is_tls)
}

fn is_tls(service: &Service) -> bool {
    let is_of_tls = |url: &String| ["https:", "rtsps:", "rtmps:"].iter().any(|scheme| url.starts_with(scheme));
    matches!(service.protocol, Protocol::Https | Protocol::Rtsps | Protocol::Rtmps)
        || service.url.as_ref().is_some_and(is_of_tls)
}

/// The TLS certificates that a device showed, and showed to have the keys of.
pub(super) fn fingerprints(device: &Device) -> impl Iterator<Item = String> {
    device.services.iter().filter_map(|service| service.fingerprint.clone()).take(MOST_CERTIFICATES)
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
    /// What it proved of how it takes logins; none where it takes them in plain text.
    pub fn guard(&self) -> Option<LoginGuard> {
        let offered_digest = self.offered_digest || offers_digest(&self.device);
        let took_tls_alone = self.took_tls_alone || takes_tls_alone(&self.device);
        (offered_digest || took_tls_alone).then(|| LoginGuard {
            offered_digest,
            certificates: self.certificates.as_ref().map(|known| known.fingerprints.clone()),
        })
    }

    /// Notes, before it takes the place of what was known, what a scan shows of how it takes logins; `own_card` is the network
    /// card that the link shows of it alone. Where its passwords are hidden, another certificate is added only with the card
    /// that the others came with.
    pub(super) fn note_proofs(&mut self, found: &Device, own_card: Option<MacAddr>) {
        self.offered_digest |= offers_digest(&self.device);
        self.took_tls_alone |= takes_tls_alone(&self.device);
        let is_guarded = self.offered_digest || self.took_tls_alone;
        let had_tls = self.device.services.iter().any(|service| service.certificate.is_some());
        let shown = KnownCertificates::of(found, own_card);
        match &mut self.certificates {
            Some(known) if !is_guarded || own_card.is_some() && known.link_mac == own_card => known.extend(shown),
            Some(_) => {}
            // An earlier version did not note them.
            None if shown.fingerprints.is_empty() && had_tls || is_on_its_word(&self.device, found) => {}
            none => *none = Some(shown),
        }
    }
}

impl KnownCertificates {
    /// Those that a device shows, whose network card the link shows of it alone.
    pub(super) fn of(device: &Device, own_card: Option<MacAddr>) -> Self {
        KnownCertificates { fingerprints: fingerprints(device).collect(), link_mac: own_card }
    }

    fn extend(&mut self, shown: KnownCertificates) {
        let room = MOST_CERTIFICATES.saturating_sub(self.fingerprints.len());
        self.fingerprints.extend(shown.fingerprints.into_iter().take(room));
        self.link_mac = shown.link_mac.or(self.link_mac);
    }
}

impl Memory {
    /// The devices that ever took logins by Digest or by TLS alone, by all they were recognised by, and by the addresses they
    /// were last seen at. The address of one that is archived is free for another.
    pub fn guarded_devices(&self) -> Arc<GuardedDevices> {
        let mut all = GuardedDevices::default();
        for (uid, known) in &self.devices {
            let root = self.devices.get(who::root(&self.devices, uid)).filter(|root| root.uid != known.uid);
            for guard in known.guard().into_iter().chain(root.and_then(Known::guard)) {
                for key in known.keys.keys() {
                    match key.kind {
                        KeyKind::Mac => key.value.parse().into_iter().for_each(|mac| all.add_mac(mac, &guard)),
                        KeyKind::Onvif => all.add_endpoint(&key.value, &guard),
                        KeyKind::Serial => {}
                    }
                }
                let device = &known.device;
                device.mac.into_iter().for_each(|mac| all.add_mac(mac, &guard));
                device.endpoint.iter().for_each(|endpoint| all.add_endpoint(endpoint, &guard));
                if known.archived_at.is_none() && known.merged_into.is_none() {
                    device.addresses.iter().chain([&device.ip]).for_each(|ip| all.add_address(*ip, &guard));
                }
            }
        }
        Arc::new(all)
    }

    /// What shows a device to be itself, as it was last seen. A login that is given for it now is bound to that.
    pub fn anchor(&self, uid: &Uid) -> Option<Anchor> {
        let known = self.devices.get(who::root(&self.devices, self.devices.get_key_value(uid)?.0))?;
        let device = &known.device;
        Some(match device.link_mac.filter(|mac| self.has_own_card(&known.uid, *mac)) {
            Some(mac) => Anchor::Link { mac },
            None => Anchor::Place {
                ip: device.ip,
                endpoint: device.endpoint.clone(),
                certificates: fingerprints(device).collect(),
            },
        })
    }

    /// Which hosts a login is for that was given for a device when `anchor` showed it to be itself. None where that does not
    /// hold: the device is recognised by its own word at most, and its login rests.
    pub fn meant(&self, uid: &Uid, anchor: &Anchor) -> Option<CredentialScope> {
        let known = self.devices.get(who::root(&self.devices, self.devices.get_key_value(uid)?.0))?;
        match anchor {
            Anchor::Link { mac } => Some(CredentialScope {
                // A router that answers for many shows its own card for each of them.
                network: (!self.has_own_card(&known.uid, *mac)).then_some(known.device.ip.into()),
                mac_prefix: Some(mac.0.iter().map(|byte| format!("{byte:02x}")).collect()),
                ..CredentialScope::default()
            }),
            Anchor::Place { ip, endpoint, .. } => self.is_at(known, anchor).then(|| CredentialScope {
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
        let Some(device) = self.devices.get(uid).map(|known| &known.device) else { return false };
        let own_card = device.link_mac.filter(|mac| self.has_own_card(uid, *mac));
        let certificates = KnownCertificates::of(device, own_card);
        let Some(known) = self.devices.get_mut(uid) else { return false };
        self.touched.insert(uid.clone());
        known.certificates = Some(certificates);
        known.on_its_word_at.take().is_some()
    }

    fn is_at(&self, known: &Known, anchor: &Anchor) -> bool {
        let device = &known.device;
        match anchor {
            Anchor::Link { mac } => device.link_mac == Some(*mac),
            Anchor::Place { ip, endpoint, certificates } => {
                let is_last_there =
                    !self.others(&known.uid).any(|other| other.device.ip == *ip && other.seen.last > known.seen.last);
                let stated = device.endpoint.as_ref();
                let is_same = |wanted: &String| stated.is_some_and(|stated| stated.eq_ignore_ascii_case(wanted));
                // A scan of a few ports may see no TLS: then the endpoint has to do.
                let (mut shown, shows_none) = (fingerprints(device), fingerprints(device).next().is_none());
                let is_certified = certificates.is_empty()
                    || shown.any(|shown| certificates.contains(&shown))
                    || shows_none && endpoint.is_some();
                device.ip == *ip && is_last_there && endpoint.as_ref().is_none_or(is_same) && is_certified
            }
        }
    }

    /// Whether the link shows a network card for this device alone.
    pub(super) fn has_own_card(&self, device: &Uid, mac: MacAddr) -> bool {
        let key = DeviceKey::new(KeyKind::Mac, mac.to_string());
        !self.shared.contains(&key) && !self.others(device).any(|other| other.device.link_mac == Some(mac))
    }

    fn others<'m>(&'m self, device: &'m Uid) -> impl Iterator<Item = &'m Known> {
        self.roots().filter(move |other| other.uid != *device && other.archived_at.is_none())
    }
}
