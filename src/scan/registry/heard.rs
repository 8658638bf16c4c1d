//! Devices that were heard on the link and are in no subnet of this machine: cameras out of the box. They are asked nothing,
//! so that what they told is all there is.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Host, device};
use crate::identify::site::Told;
use crate::model::{Device, Finding, HostRecord, MacAddr, Method, Reach};
use crate::text::steps;

/// Addresses that are kept: as many as a link has devices that somebody takes out of their boxes in a day, and then some.
const MOST: usize = 1024;

/// Devices that are kept at all of them: an address can be claimed for many.
const MOST_DEVICES: usize = 4096;

/// Addresses of one device that are listed; one that claims more is not believed.
const MOST_OF_ONE: usize = 64;

/// Devices with one MAC address that what is heard is compared with: a router can answer for all of them.
const MOST_ALIKE: usize = 64;

/// What was heard, by address.
#[derive(Debug, Default)]
pub(super) struct Heard {
    hosts: BTreeMap<IpAddr, Host>,
    /// How many devices there are at these addresses at most.
    devices: usize,
}

impl Heard {
    /// Adds a finding; whether there was room for its address, and for the device there.
    pub(super) fn apply(&mut self, now: Timestamp, finding: Finding) -> bool {
        let Finding { ip, claimant, kind } = finding;
        let known = self.hosts.get(&ip);
        let claims = known.and_then(|host| host.claims.as_ref());
        // The first device at an address is counted with it.
        let grows = claims.zip(claimant.filter(|mac| mac.is_station())).is_some_and(|(all, mac)| all.grows_by(mac));
        let is_new = known.is_none();
        if is_new && self.hosts.len() >= MOST || (is_new || grows) && self.devices >= MOST_DEVICES {
            return false;
        }
        self.devices += usize::from(is_new || grows);
        let host = self.hosts.entry(ip).or_insert_with(|| Host::new(now));
        host.see(now);
        host.learn(claimant, kind);
        true
    }

    /// What is known of each address.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// The devices that are reached and those that were heard. What was heard of a device that is reached, or under another
    /// address before, is a further address of it.
    pub(super) fn join(&self, mut devices: Vec<(Device, Told)>) -> Vec<(Device, Told)> {
        let mut by_mac: HashMap<MacAddr, Vec<usize>> = HashMap::new();
        for (at, (device, _)) in devices.iter().enumerate() {
            device.mac.into_iter().for_each(|mac| by_mac.entry(mac).or_default().push(at));
        }
        for (&ip, host) in &self.hosts {
            // A datagram that says nothing is no device.
            if host.record.methods().is_empty() {
                continue;
            }
            for (mac, record) in hosts_at(host) {
                let alike = mac.and_then(|mac| by_mac.get(&mac)).into_iter().flatten().take(MOST_ALIKE);
                let is_known =
                    |at: &usize| devices.get(*at).is_some_and(|(device, stated)| is_same(device, stated, mac, &record));
                let known = alike.copied().find(is_known);
                match known.and_then(|at| devices.get_mut(at)) {
                    Some((known, _)) if known.addresses.len() >= MOST_OF_ONE => {}
                    Some((known, _)) => {
                        known.addresses.push(ip);
                        known.addresses.sort_unstable();
                        known.addresses.dedup();
                    }
                    None => {
                        let (device, stated) = heard(ip, host, mac, &record);
                        device.mac.into_iter().for_each(|mac| by_mac.entry(mac).or_default().push(devices.len()));
                        devices.push((device, stated));
                    }
                }
            }
        }
        devices
    }
}

/// The hosts at an address, each with the MAC address it is told apart by, if there are several.
fn hosts_at(host: &Host) -> Vec<(Option<MacAddr>, HostRecord)> {
    let sharers = host.claims.as_ref().map(|claims| claims.hosts(|_| false)).unwrap_or_default();
    match sharers.is_empty() {
        true => vec![(host.record.mac(), host.record.clone())],
        false => sharers.into_iter().map(|(mac, record)| (Some(mac), record)).collect(),
    }
}

fn heard(ip: IpAddr, host: &Host, mac: Option<MacAddr>, record: &HostRecord) -> (Device, Told) {
    let id = match (mac, record.endpoint_id()) {
        (Some(mac), _) => format!("mac:{mac}"),
        (None, Some(endpoint)) => format!("onvif:{endpoint}"),
        (None, None) => format!("ip:{ip}"),
    };
    let (mut device, told) = device::of_hosts(ip, id, &[(ip, record)], host.seen());
    device.mac = mac.or(device.mac);
    device.reach = Some(Reach::OtherSubnet);
    device.heard_on = host.record.heard_on().map(str::to_owned);
    (device, told)
}

/// Whether what was heard is a device that is known already. A MAC address that the link alone shows can be a router's or a
/// repeater's: it is enough only for what said nothing else.
fn is_same(device: &Device, told: &Told, mac: Option<MacAddr>, record: &HostRecord) -> bool {
    steps::look_at(1);
    if mac.is_none() || device.mac != mac {
        return false;
    }
    let serials = device.serial.as_deref().zip(record.serial());
    let endpoints = told.endpoint_id.as_deref().zip(record.endpoint_id());
    let agree = |both: Option<(&str, &str)>| both.map(|(a, b)| a == b);
    match (agree(serials), agree(endpoints)) {
        (Some(false), _) => false,
        (Some(true), _) | (_, Some(true)) => true,
        (None, _) => record.stated_mac() == mac || record.methods().iter().all(|method| *method == Method::Arp),
    }
}
