//! Which device of a scan is which of those that are known.
//!
//! Facts that go with a device (MAC address, ONVIF endpoint, serial number) agree, contradict each other, or are not known.
//! One that agrees is enough where nothing contradicts; else two must agree, the address among them. A MAC address at its old
//! address with the same maker and model is the same device, whatever else it states. Where none of them is known of both, the
//! address alone decides. What several devices have identifies none of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Rule;
use super::key::{DeviceKey, KeyKind, keys_of};
use super::known::Known;
use crate::history::maker;
use crate::model::memory::Uid;
use crate::model::{Device, Fact, Kind};
use crate::text::steps;

/// More addresses than this are a router's, or a defect: nothing about such a device identifies it.
const MOST_ADDRESSES: usize = 64;

/// What is known, as it is needed to recognise devices.
pub(super) struct Index<'m> {
    devices: &'m BTreeMap<Uid, Known>,
    /// Who has a key. Devices that were merged count as the one they were merged into.
    owners: BTreeMap<&'m DeviceKey, BTreeSet<&'m Uid>>,
    /// Who was last seen at an address.
    at: BTreeMap<IpAddr, &'m Known>,
    /// All keys of a device, those of the devices merged into it included.
    keys: BTreeMap<&'m Uid, Vec<&'m DeviceKey>>,
}

/// Which known device a device of a scan was recognised as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub uid: Uid,
    /// Nothing but the address tells so.
    pub by_address_only: bool,
    /// Another device of the scan is the same one: this is a further network card of it.
    pub is_further: bool,
}

/// The device that a merged one is, in the end.
pub(super) fn root<'m>(devices: &'m BTreeMap<Uid, Known>, uid: &'m Uid) -> &'m Uid {
    steps::look_at(1);
    let mut at = uid;
    // No chain is longer than there are devices.
    for _ in 0..devices.len() {
        match devices.get(at).and_then(|known| known.merged_into.as_ref()) {
            Some(into) => at = into,
            None => break,
        }
    }
    at
}

impl<'m> Index<'m> {
    pub fn of(devices: &'m BTreeMap<Uid, Known>) -> Self {
        let mut index = Index { devices, owners: BTreeMap::new(), at: BTreeMap::new(), keys: BTreeMap::new() };
        for (uid, known) in devices {
            let root = root(devices, uid);
            for key in known.keys.keys() {
                index.owners.entry(key).or_default().insert(root);
                index.keys.entry(root).or_default().push(key);
            }
            if known.merged_into.is_none() {
                for ip in known.device.addresses.iter().chain([&known.device.ip]) {
                    let latest = index.at.entry(*ip).or_insert(known);
                    // One that is reached there comes before one that has it as a further address.
                    let rank = |k: &Known| (k.seen.last, k.device.ip == *ip, k.address_since, Reverse(k.uid.clone()));
                    if Rule::LastThere.holds() && rank(known) > rank(latest) {
                        *latest = known;
                    }
                }
            }
        }
        index
    }

    /// The one device that has a key.
    fn owner(&self, key: &DeviceKey) -> Option<&'m Uid> {
        let owners = self.owners.get(key)?;
        owners.first().copied().filter(|_| owners.len() == 1)
    }
}

/// A device of a scan.
struct Found<'d> {
    device: &'d Device,
    /// The keys that no other device of the scan has.
    keys: Vec<DeviceKey>,
    /// No other device of the scan has its address.
    has_own_address: bool,
}

/// How well a device fits one that is known, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// More than the address agrees.
    by_key: bool,
    /// What agrees, the address included, less what contradicts.
    balance: i32,
    /// It is where it was, as the one that was reached there last.
    by_address: bool,
    by_mac: bool,
    strong: i32,
    /// Nothing contradicts.
    is_undisputed: bool,
}

struct Judge<'m, 'd> {
    index: &'d Index<'m>,
    shared: &'d BTreeSet<DeviceKey>,
}

impl<'m> Judge<'m, '_> {
    fn usable(&self, key: &DeviceKey) -> bool {
        !self.shared.contains(key) && self.index.owners.get(key).is_none_or(|owners| owners.len() == 1)
    }

    fn known_keys(&self, uid: &Uid) -> impl Iterator<Item = &&'m DeviceKey> {
        self.index.keys.get(uid).into_iter().flatten().filter(|key| self.usable(key))
    }

    /// How a found device fits a known one; none where they are two.
    fn fit(&self, found: &Found<'_>, known: &Known) -> Option<Fit> {
        let (mut strong, mut against, mut by_mac) = (0, 0, false);
        for key in found.keys.iter().filter(|key| self.usable(key)) {
            let of_known = self.index.keys.get(&known.uid).into_iter().flatten();
            let all: Vec<&&DeviceKey> = of_known.filter(|own| own.kind == key.kind).collect();
            if all.is_empty() {
                continue;
            }
            if all.iter().any(|own| **own == key) {
                strong += 1;
                by_mac |= key.kind == KeyKind::Mac;
            } else if key.serial().is_none_or(|serial| all.iter().all(|own| own.serial() != Some(serial))) {
                // One serial number under two makers' names neither agrees nor contradicts; one that several have
                // identifies nobody, and contradicts all the same.
                against += 1;
            }
        }
        let (device, before) = (found.device, &known.device);
        let is_last_there = self.index.at.get(&device.ip).is_some_and(|last| last.uid == known.uid);
        let by_address = found.has_own_address && is_last_there;
        let same_local_mac = device.mac.is_some_and(|mac| mac.is_local() && before.mac == Some(mac));
        let weak = i32::from(by_address) + i32::from(same_local_mac);
        let is_other_model = maker::is_other(Fact::Model, before, device);
        let is_other_kind = device.kind != before.kind && device.kind != Kind::Other && before.kind != Kind::Other;
        let serial_only = strong == 1 && !by_mac && known_serial(&found.keys, self, known);
        if serial_only && is_other_model && Rule::SerialOfModel.holds() {
            against += 1;
        }
        let fits = match strong {
            0 if !Rule::AddressAlone.holds() => false,
            0 if !Rule::AddressOfMake.holds() => against == 0 && by_address,
            0 => against == 0 && by_address && !is_other_model && !is_other_kind,
            // The board of a camera that was reset to its factory settings states another serial number and another endpoint.
            _ if by_mac && by_address && is_same_make(device, before) && Rule::SameCard.holds() => true,
            _ if !Rule::TwoAgree.holds() => true,
            _ => against == 0 || strong >= against && strong + weak >= 2 && Rule::Repaired.holds(),
        };
        let (by_key, balance, is_undisputed) = (strong > 0, strong + weak - against, against == 0);
        fits.then_some(Fit { by_key, balance, by_address, by_mac, strong, is_undisputed })
    }
}

/// Whether maker and model of both are known, and the same.
fn is_same_make(a: &Device, b: &Device) -> bool {
    let make = |device: &Device| device.vendor.clone().zip(device.model.clone());
    make(a).is_some_and(|of_a| make(b) == Some(of_a))
}

/// Whether it is the serial number that agrees.
fn known_serial(keys: &[DeviceKey], judge: &Judge<'_, '_>, known: &Known) -> bool {
    let serial = keys.iter().find(|key| key.kind == KeyKind::Serial);
    serial.is_some_and(|serial| judge.known_keys(&known.uid).any(|own| *own == serial))
}

/// Recognises the devices of a scan: by position in the report, none for new ones. The same whatever their order. Keys that
/// turn out to be on several devices are added to `shared`.
pub(super) fn recognise(index: &Index<'_>, shared: &mut BTreeSet<DeviceKey>, devices: &[Device]) -> Vec<Option<Match>> {
    let within = shared_within(index, shared, devices);
    shared.extend(within);
    loop {
        let (matches, lent) = recognise_with(index, shared, devices);
        if lent.is_empty() {
            return matches;
        }
        // Who was recognised by such a key is looked at again without it. Each time there are fewer keys left.
        shared.extend(lent);
    }
}

/// The same with the keys that are known to be shared, and the further ones that came out.
fn recognise_with(
    index: &Index<'_>,
    shared: &BTreeSet<DeviceKey>,
    devices: &[Device],
) -> (Vec<Option<Match>>, BTreeSet<DeviceKey>) {
    let judge = Judge { index, shared };
    let mut at: BTreeMap<IpAddr, usize> = BTreeMap::new();
    devices.iter().for_each(|device| *at.entry(device.ip).or_default() += 1);
    let found: Vec<Found<'_>> = devices
        .iter()
        .map(|device| Found {
            device,
            keys: keys_of(device),
            has_own_address: at.get(&device.ip) == Some(&1) && device.reach.is_none(),
        })
        .collect();
    let mut matches = assign(&judge, &found);
    further_cards(&judge, &found, &mut matches);
    // A device that is here cannot lend its key to another one that is here too.
    let here: BTreeSet<&Uid> = matches.iter().flatten().map(|m| &m.uid).collect();
    let mut lent = BTreeSet::new();
    for (found, own) in found.iter().zip(&matches) {
        for key in found.keys.iter().filter(|key| judge.usable(key)) {
            let owner = index.owner(key).filter(|owner| own.as_ref().is_none_or(|own| own.uid != **owner));
            let is_recognised_otherwise = own.as_ref().is_some_and(|own| !own.by_address_only);
            if Rule::Lent.holds() && owner.is_some_and(|owner| here.contains(owner) || is_recognised_otherwise) {
                lent.insert(key.clone());
            }
        }
    }
    (matches, lent)
}

/// The keys that several devices of a scan have, but for a known device that shows two of its network cards.
fn shared_within(index: &Index<'_>, already: &BTreeSet<DeviceKey>, devices: &[Device]) -> BTreeSet<DeviceKey> {
    let mut carriers: BTreeMap<DeviceKey, Vec<&Device>> = BTreeMap::new();
    for device in devices {
        keys_of(device).into_iter().for_each(|key| carriers.entry(key).or_default().push(device));
    }
    let is_crowd =
        |of: &[&Device]| Rule::Crowd.holds() && of.iter().any(|device| device.addresses.len() > MOST_ADDRESSES);
    // A MAC address that several have tells of none of them who it is, not even in this scan.
    let is_own =
        |mac: &DeviceKey| !already.contains(mac) && carriers.get(mac).is_none_or(|of| of.len() == 1 && !is_crowd(of));
    let owner_by_mac = |device: &Device| {
        let mac = keys_of(device).into_iter().find(|key| key.kind == KeyKind::Mac)?;
        index.owner(&mac).filter(|_| is_own(&mac))
    };
    let is_one = |key: &DeviceKey, devices: &[&Device]| {
        let owners: BTreeSet<Option<&Uid>> = devices.iter().map(|device| owner_by_mac(device)).collect();
        key.kind != KeyKind::Mac && owners.len() == 1 && owners.first().is_some_and(Option::is_some)
    };
    let is_shared = |key: &DeviceKey, of: &[&Device]| Rule::Shared.holds() && of.len() > 1 && !is_one(key, of);
    let shared = carriers.iter().filter(|(key, of)| is_crowd(of) || is_shared(key, of));
    shared.map(|(key, _)| key.clone()).collect()
}

/// The best pairs first, each device in one of them.
fn assign(judge: &Judge<'_, '_>, found: &[Found<'_>]) -> Vec<Option<Match>> {
    let mut pairs: Vec<(Fit, Rank<'_>, usize, &Uid)> = Vec::new();
    for (n, one) in found.iter().enumerate() {
        let by_key = one.keys.iter().filter(|key| judge.usable(key)).filter_map(|key| judge.index.owner(key));
        let by_address = judge.index.at.get(&one.device.ip).map(|known| &known.uid);
        for uid in by_key.chain(by_address).collect::<BTreeSet<&Uid>>() {
            let Some(known) = judge.index.devices.get(uid) else { continue };
            if let Some(fit) = judge.fit(one, known) {
                pairs.push((fit, Rank::of(known, one.device), n, &known.uid));
            }
        }
    }
    pairs.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)).then_with(|| a.3.cmp(b.3)));
    let mut matches: Vec<Option<Match>> = found.iter().map(|_| None).collect();
    let mut taken: BTreeSet<&Uid> = BTreeSet::new();
    for (fit, _, n, uid) in pairs {
        if let Some(place @ None) = matches.get_mut(n)
            && taken.insert(uid)
        {
            *place = Some(Match { uid: uid.clone(), by_address_only: fit.strong == 0, is_further: false });
        }
    }
    matches
}

/// What decides between pairs that fit equally well. It does not depend on the order of the report.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'d> {
    is_listed: bool,
    last_seen: jiff::Timestamp,
    ip: Reverse<IpAddr>,
    id: Reverse<&'d str>,
}

impl<'d> Rank<'d> {
    fn of(known: &Known, found: &'d Device) -> Self {
        Rank {
            is_listed: known.archived_at.is_none(),
            last_seen: known.seen.last,
            ip: Reverse(found.ip),
            id: Reverse(&found.id),
        }
    }
}

/// A device that is known with two network cards can show both at once.
fn further_cards(judge: &Judge<'_, '_>, found: &[Found<'_>], matches: &mut [Option<Match>]) {
    let is_card = |fit: Fit| fit.by_mac && fit.is_undisputed && Rule::FurtherCard.holds();
    for (one, place) in found.iter().zip(matches) {
        if place.is_some() {
            continue;
        }
        let mac = one.keys.iter().find(|key| key.kind == KeyKind::Mac && judge.usable(key));
        let Some(uid) = mac.and_then(|mac| judge.index.owner(mac)) else { continue };
        if judge.index.devices.get(uid).and_then(|known| judge.fit(one, known)).is_some_and(is_card) {
            *place = Some(Match { uid: uid.clone(), by_address_only: false, is_further: true });
        }
    }
}
