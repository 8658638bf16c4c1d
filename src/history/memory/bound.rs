//! How much is remembered of one device over many scans, and of all devices together: the oldest goes, what is current stays.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;

use super::key::{DeviceKey, KeyKind, keys_of};
use super::known::{Known, Seen};
use super::{Memory, NetworkHealth};
use crate::model::Device;
use crate::model::host_record::MOST_PER_HOST;
use crate::model::memory::Uid;

/// Keys of one kind that are kept of a device. The one it was first known by stays, whatever it states later: who takes its
/// place for a time does not make it another device.
const MOST_KEYS: usize = 16;
/// Streams of a device that are kept although the last look did not show them: as many as one look can show.
const MOST_UNSEEN: usize = MOST_PER_HOST;
/// Recorders of a camera that are kept.
const MOST_PARENTS: usize = 16;
/// Keys that several devices have. Those of devices that are known stay before others: what is seen with several again is
/// found to be shared again.
const MOST_SHARED: usize = 1_024;
/// Networks that are kept. Those of no device go first; where there are too many all the same, the usual size of a network is
/// taken for that of the others.
const MOST_NETWORKS: usize = 1_024;

impl Known {
    /// Keeps the keys in bounds.
    pub(super) fn bound_keys(&mut self) {
        for kind in [KeyKind::Mac, KeyKind::Onvif, KeyKind::Serial] {
            let mut own: Vec<(&DeviceKey, &Seen)> = self.keys.iter().filter(|(key, _)| key.kind == kind).collect();
            let Some(over) = own.len().checked_sub(MOST_KEYS).filter(|over| *over > 0) else { continue };
            own.sort_by_key(|(_, seen)| (seen.first, seen.last));
            let mut rest = own.split_off(1);
            rest.sort_by_key(|(_, seen)| (seen.last, seen.first));
            let gone: BTreeSet<DeviceKey> = rest.into_iter().take(over).map(|(key, _)| key.clone()).collect();
            self.keys.retain(|key, _| !gone.contains(key));
        }
    }

    /// Keeps the streams in bounds that a look did not show, whose keys are `shown`.
    pub(super) fn bound_streams<V>(&mut self, shown: &BTreeMap<String, V>) {
        let unseen = self.streams.iter().filter(|(key, _)| !shown.contains_key(*key));
        let mut unseen: Vec<_> = unseen.map(|(key, stream)| (Reverse(stream.seen.last), key.clone())).collect();
        if unseen.len() > MOST_UNSEEN {
            unseen.sort_unstable();
            unseen.into_iter().skip(MOST_UNSEEN).for_each(|(_, key)| drop(self.streams.remove(&key)));
        }
    }
}

impl Memory {
    /// The recorders of a device: those that show it now, and of the others the ones that were seen last.
    pub(super) fn parents_of(&self, shown: BTreeSet<Uid>, others: Vec<Uid>) -> BTreeSet<Uid> {
        let mut parents: BTreeSet<Uid> = shown.into_iter().take(MOST_PARENTS).collect();
        let mut others: Vec<&Known> = others.iter().filter_map(|uid| self.devices.get(uid)).collect();
        others.sort_by_key(|parent| (Reverse(parent.seen.last), &parent.uid));
        let room = MOST_PARENTS.saturating_sub(parents.len());
        parents.extend(others.into_iter().take(room).map(|parent| parent.uid.clone()));
        parents
    }

    /// Keeps the keys in bounds that several devices have; `found` are those of the last scan.
    pub(super) fn bound_shared(&mut self, found: &[Device]) {
        if self.shared.len() <= MOST_SHARED {
            return;
        }
        let (mut lasting, mut others) = (BTreeSet::new(), BTreeSet::new());
        for known in self.devices.values() {
            let rank = if known.is_only_heard() { &mut others } else { &mut lasting };
            rank.extend(known.keys.keys().cloned().chain(keys_of(&known.device)));
        }
        others.extend(found.iter().flat_map(keys_of));
        let mut ranked: Vec<(bool, bool, DeviceKey)> = std::mem::take(&mut self.shared)
            .into_iter()
            .map(|key| (!lasting.contains(&key), !others.contains(&key), key))
            .collect();
        ranked.sort_unstable();
        self.shared = ranked.into_iter().take(MOST_SHARED).map(|(.., key)| key).collect();
    }

    /// Keeps the networks in bounds: those of no device go, unless they are known not to answer.
    pub(super) fn bound_networks(&mut self) {
        if self.has_network_room() {
            return;
        }
        let used: BTreeSet<IpNetwork> = self.listed().filter_map(|known| self.network_of(known.device.ip)).collect();
        let is_kept = |network: &IpNetwork, health: &mut NetworkHealth| {
            used.contains(network) || health.unreachable_since.is_some() || health.told
        };
        self.networks.retain(is_kept);
    }

    /// Whether there is room for another network of the usual size.
    pub(super) fn has_network_room(&self) -> bool {
        self.networks.len() < MOST_NETWORKS
    }
}
