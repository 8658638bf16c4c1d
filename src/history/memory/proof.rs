//! What a device proved once, and what holds for it from then on.

use std::sync::Arc;

use super::key::KeyKind;
use super::known::Known;
use super::{Memory, who};
use crate::model::{AuthScheme, Device, DigestDevices};

/// Whether a device offers Digest, over whichever protocol.
pub(super) fn offers_digest(device: &Device) -> bool {
    device.services.iter().flat_map(|service| service.auth.iter().flatten()).any(|scheme| *scheme == AuthScheme::Digest)
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
}
