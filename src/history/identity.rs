//! Who is the same device in two reports.
//!
//! Where a store remembers both, it has decided. Else a device is recognised by something that only it has: its MAC address, else
//! its ONVIF endpoint, else its maker's serial number. What two devices of one report share identifies neither: a proxy-ARP router answers for everybody with its own
//! MAC address, and cameras of one series have been seen with one endpoint ID. A device that has none of these in common is
//! recognised by its address, unless what is known of both says that they are different ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::Device;
use crate::model::device::is_serial;
use crate::text::steps;

/// What a device was recognised by, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// What the store calls it.
    Uid,
    /// Its MAC address.
    Mac,
    /// The UUID of its ONVIF endpoint.
    Endpoint,
    /// Its maker and serial number.
    Serial,
    /// Its address alone.
    Address,
    /// Nothing: somebody chose the two to be compared.
    Choice,
}

impl Key {
    /// Those that go with the device wherever it is.
    const LASTING: [Key; 4] = [Key::Uid, Key::Mac, Key::Endpoint, Key::Serial];

    /// A device's value for this key, if it has one.
    fn of(self, device: &Device) -> Option<String> {
        match self {
            Key::Uid => device.uid.as_ref().map(ToString::to_string),
            Key::Mac => device.mac.map(|mac| mac.to_string()),
            Key::Endpoint => device.endpoint.as_deref().or_else(|| device.id.strip_prefix("onvif:")).map(str::to_owned),
            Key::Serial => {
                let serial = device.serial.as_deref().filter(|serial| is_serial(serial))?;
                Some(format!("{}/{serial}", device.vendor.as_deref().unwrap_or_default()))
            }
            Key::Address => Some(device.ip.to_string()),
            Key::Choice => None,
        }
    }
}

/// Which device of one report is which of another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// Pairs of positions in the two lists, by the first, and what they were recognised by.
    pub pairs: Vec<(usize, usize, Key)>,
    /// Those of the first list that the second has nothing of.
    pub only_first: Vec<usize>,
    /// Those of the second list that the first has nothing of.
    pub only_second: Vec<usize>,
}

/// Matches the devices of two reports. Each device is in one pair at most. The same the other way round, with the sides
/// exchanged. A device that is a further address of one on the other side ([`Device::addresses`]) is part of that one, and
/// in none of the lists.
pub fn matches(first: &[Device], second: &[Device]) -> Matches {
    let mut pairs: Vec<(usize, usize, Key)> = Vec::new();
    let (mut of_first, mut of_second) = (BTreeSet::new(), BTreeSet::new());
    for key in Key::LASTING.into_iter().chain([Key::Address]) {
        let (left, right) = (own_values(key, first), own_values(key, second));
        for (value, &a) in &left {
            let Some(&b) = right.get(value) else { continue };
            steps::look_at(1);
            let is_free = !of_first.contains(&a) && !of_second.contains(&b);
            let pair = at(first, a).zip(at(second, b));
            let fits = pair.is_some_and(|(a, b)| match key {
                Key::Address => !are_different(a, b),
                // The store has seen more of both than these two reports.
                _ => !differ(Key::Uid, a, b),
            });
            if is_free && fits {
                of_first.insert(a);
                of_second.insert(b);
                pairs.push((a, b, key));
            }
        }
    }
    pairs.sort_unstable();
    let only_first = unmatched(first, &of_first, second);
    Matches { only_first, only_second: unmatched(second, &of_second, first), pairs }
}

fn at(devices: &[Device], index: usize) -> Option<&Device> {
    devices.get(index)
}

/// The devices by their value for a key; those that share one are left out.
fn own_values(key: Key, devices: &[Device]) -> BTreeMap<String, usize> {
    let mut by_value: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, device) in devices.iter().enumerate() {
        if let Some(value) = key.of(device) {
            by_value.entry(value).or_default().push(index);
        }
    }
    let own = |(value, indices): (String, Vec<usize>)| match indices[..] {
        [only] => Some((value, only)),
        _ => None,
    };
    by_value.into_iter().filter_map(own).collect()
}

/// Whether what is known of both says that they are different devices.
fn are_different(a: &Device, b: &Device) -> bool {
    Key::LASTING.iter().any(|key| differ(*key, a, b))
}

fn differ(key: Key, a: &Device, b: &Device) -> bool {
    key.of(a).zip(key.of(b)).is_some_and(|(a, b)| a != b)
}

fn unmatched(devices: &[Device], matched: &BTreeSet<usize>, others: &[Device]) -> Vec<usize> {
    let is_part_of = |device: &Device, other: &Device| device.ip != other.ip && !are_different(device, other);
    let mut at_address: HashMap<IpAddr, Vec<&Device>> = HashMap::new();
    for (ip, other) in others.iter().flat_map(|other| other.addresses.iter().map(move |ip| (*ip, other))) {
        at_address.entry(ip).or_default().push(other);
    }
    let is_new = |device: &Device| {
        let mut alike = at_address.get(&device.ip).into_iter().flatten();
        !alike.any(|other| {
            steps::look_at(1);
            is_part_of(device, other)
        })
    };
    let rest = devices.iter().enumerate().filter(|(index, _)| !matched.contains(index));
    rest.filter(|(_, device)| is_new(device)).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::diff::tests::device;

    fn with_mac(ip: &str, last: u8) -> Device {
        Device { mac: Some(crate::model::MacAddr([0x44, 0x19, 0xb6, 0, 0, last])), ..device(ip) }
    }

    fn with_serial(ip: &str, serial: &str) -> Device {
        Device { serial: Some(serial.into()), vendor: Some("Axis".into()), ..device(ip) }
    }

    /// What two single devices are to each other.
    fn key(a: &Device, b: &Device) -> Option<Key> {
        let there = matches(std::slice::from_ref(a), std::slice::from_ref(b));
        let back = matches(std::slice::from_ref(b), std::slice::from_ref(a));
        assert_eq!(there.pairs, back.pairs);
        there.pairs.first().map(|(_, _, key)| *key)
    }

    #[test]
    fn a_device_is_recognised_by_what_only_it_has() {
        let table: &[(Device, Device, Option<Key>)] = &[
            (with_mac("192.0.2.1", 1), with_mac("192.0.2.9", 1), Some(Key::Mac)),
            (with_mac("192.0.2.1", 1), with_mac("192.0.2.1", 2), None),
            (with_serial("192.0.2.1", "ACCC8E01"), with_serial("192.0.2.9", "ACCC8E01"), Some(Key::Serial)),
            (with_serial("192.0.2.1", "ACCC8E01"), with_serial("192.0.2.1", "ACCC8E02"), None),
            (with_serial("192.0.2.1", "000000"), with_serial("192.0.2.9", "000000"), None),
            // The one report was made without the right to see MAC addresses.
            (with_mac("192.0.2.1", 1), device("192.0.2.1"), Some(Key::Address)),
            (device("192.0.2.1"), with_mac("192.0.2.1", 1), Some(Key::Address)),
            (device("192.0.2.1"), device("192.0.2.2"), None),
            // A camera on a cable yesterday and on the air today.
            (
                Device { serial: Some("ACCC8E01".into()), ..with_mac("192.0.2.1", 1) },
                Device { serial: Some("ACCC8E01".into()), ..with_mac("192.0.2.9", 2) },
                Some(Key::Serial),
            ),
        ];
        for (n, (a, b, expected)) in table.iter().enumerate() {
            assert_eq!(key(a, b), *expected, "row {n}");
        }
    }

    #[test]
    fn where_a_store_knows_both_it_decides() {
        use crate::model::memory::Uid;
        let known = |n: u8, device: Device| Device { uid: Some(Uid::of([n; 10])), ..device };
        let table: &[(Device, Device, Option<Key>)] = &[
            // Another network card and another serial number: its board was repaired.
            (known(1, with_mac("192.0.2.1", 1)), known(1, with_mac("192.0.2.9", 2)), Some(Key::Uid)),
            (known(1, with_mac("192.0.2.1", 1)), known(2, with_mac("192.0.2.1", 1)), None),
            (known(1, device("192.0.2.1")), known(2, device("192.0.2.1")), None),
            (known(1, with_mac("192.0.2.1", 1)), with_mac("192.0.2.1", 1), Some(Key::Mac)),
        ];
        for (n, (a, b, expected)) in table.iter().enumerate() {
            assert_eq!(key(a, b), *expected, "row {n}");
        }
    }

    #[test]
    fn what_two_devices_share_identifies_neither() {
        let before = [with_mac("192.0.2.1", 1), with_mac("192.0.2.2", 1)];
        let after = [with_mac("192.0.2.3", 1), with_mac("192.0.2.2", 1)];
        let found = matches(&before, &after);
        assert_eq!(found.pairs, [(1, 1, Key::Address)]);
        assert_eq!((found.only_first, found.only_second), (vec![0], vec![0]));
    }

    #[test]
    fn a_further_address_is_part_of_its_device() {
        let apart = [with_mac("192.0.2.1", 1), device("192.0.2.2")];
        let together = [Device {
            addresses: vec!["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
            ..with_mac("192.0.2.1", 1)
        }];
        let found = matches(&apart, &together);
        assert_eq!(found, Matches { pairs: vec![(0, 0, Key::Mac)], ..Matches::default() });
    }

    #[test]
    fn twice_the_devices_are_matched_in_twice_the_looks() {
        let looks = |count: u8| {
            let before: Vec<Device> = (0..count).map(|n| with_mac(&format!("192.0.2.{n}"), n)).collect();
            // Half of them are there again, the others are new.
            let again = before.iter().step_by(2).cloned();
            let new = (0..count / 2).map(|n| device(&format!("198.51.100.{n}")));
            let after: Vec<Device> = again.chain(new).collect();
            let mut found = Matches::default();
            let looks = steps::seen_by(|| found = matches(&before, &after));
            let half = usize::from(count / 2);
            assert_eq!((found.pairs.len(), found.only_first.len(), found.only_second.len()), (half, half, half));
            looks
        };
        let (few, many) = (looks(100), looks(200));
        assert!(many <= few * 5 / 2, "{few} looks at 100 devices, {many} at 200");
    }
}
