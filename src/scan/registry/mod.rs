//! What a scan has found: one record for each address, and the devices these add up to. No I/O, no clock.
//!
//! Findings are kept by address ([`HostRecord`]). Addresses become one device when two facts agree: the same MAC address
//! together with another address family, endpoint ID or serial number. One fact alone is not enough: two cameras of one
//! series have been seen with one endpoint ID, and a proxy-ARP router answers for everybody with its own MAC address.
//!
//! The devices do not depend on the order in which findings arrive.

mod claims;
mod device;
mod heard;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;

use crate::identify::site::{self, Surroundings, Told};
use crate::model::{Device, Finding, FindingKind, HostRecord, MacAddr, Method, ScanEvent};
use crate::probe::MOST_ADDRESSES;
use claims::Claims;
use device::is_reported;
use heard::Heard;

/// MAC addresses whose claims are counted: those of a large network, and a bound to what somebody can make up.
const MOST_CLAIMANTS: usize = 1 << 17;

/// All that has been found so far.
#[derive(Debug, Default)]
pub struct Registry {
    hosts: BTreeMap<IpAddr, Host>,
    heard: Heard,
    by_mac: HashMap<MacAddr, BTreeSet<IpAddr>>,
    by_endpoint: HashMap<String, BTreeSet<IpAddr>>,
    /// The addresses each MAC address is claimed for, also those that another host claims too.
    by_claimant: HashMap<MacAddr, BTreeSet<IpAddr>>,
    /// Whether devices without any sign of video are reported too.
    reports_all: bool,
    surroundings: Surroundings,
}

#[derive(Debug)]
struct Host {
    record: HostRecord,
    /// What each of the hosts told that gave a MAC address.
    claims: Option<Box<Claims>>,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

impl Registry {
    /// A registry that knows nothing. With `all`, devices without any sign of video are reported too.
    pub fn new(all: bool) -> Self {
        Registry { reports_all: all, ..Registry::default() }
    }

    /// The same for a scan from this machine: devices are judged by its networks.
    pub fn within(self, surroundings: Surroundings) -> Self {
        Registry { surroundings, ..self }
    }

    /// Takes in one finding made at `now` and returns what changed.
    pub fn apply(&mut self, now: Timestamp, finding: Finding) -> Vec<ScanEvent> {
        let Finding { ip, claimant, kind } = finding;
        if let Some(mac) = claimant
            && (self.by_claimant.len() < MOST_CLAIMANTS || self.by_claimant.contains_key(&mac))
        {
            let all = self.by_claimant.entry(mac).or_default();
            // From its second address on it may be a router's, at the first one too.
            if all.insert(ip) && all.len() == 2 {
                for other in &*all {
                    self.hosts
                        .get_mut(other)
                        .and_then(|host| host.claims.as_mut())
                        .into_iter()
                        .for_each(|c| c.forget());
                }
            }
        }
        let host = self.hosts.entry(ip).or_insert_with(|| Host::new(now));
        host.see(now);
        let mut events = Vec::new();
        let is_done = matches!(kind, FindingKind::Done);
        match kind {
            FindingKind::Seen(method) if host.record.methods().is_empty() => {
                events.push(ScanEvent::HostUp { ip, method });
                host.learn(claimant, kind);
            }
            FindingKind::Mac(_) | FindingKind::StatedMac(_) => {
                let before = host.record.mac();
                host.learn(claimant, kind);
                move_in_index(&mut self.by_mac, before, host.record.mac(), ip);
            }
            FindingKind::EndpointId(_) => {
                let before = host.record.endpoint_id().map(str::to_owned);
                host.learn(claimant, kind);
                move_in_index(&mut self.by_endpoint, before, host.record.endpoint_id().map(str::to_owned), ip);
            }
            // It is something to try, no fact of the report.
            FindingKind::StreamHint(_) => {}
            kind => host.learn(claimant, kind),
        }
        if is_done {
            events.push(ScanEvent::HostDone { ip });
            events.extend(self.finished_devices(ip).into_iter().map(|d| ScanEvent::DeviceDone(Box::new(d))));
        }
        events
    }

    /// Takes in one finding about an address that is neither a target nor in a subnet of this machine. Whether it was taken:
    /// addresses that are claimed cost nothing, so that there is a limit to them.
    pub fn hear(&mut self, now: Timestamp, finding: Finding) -> bool {
        self.heard.apply(now, finding)
    }

    /// How many addresses answered.
    pub fn hosts_up(&self) -> u64 {
        self.hosts.len() as u64
    }

    /// How many of them answered to a method.
    pub fn answered_to(&self, method: Method) -> u64 {
        let hosts = self.hosts.values().chain(self.heard.hosts());
        hosts.filter(|host| host.record.methods().contains(&method)).count() as u64
    }

    /// Whether anything was found about `ip`.
    pub fn knows(&self, ip: IpAddr) -> bool {
        self.hosts.contains_key(&ip)
    }

    /// The MAC address that the link shows at an address, and no other one does.
    pub fn link_mac(&self, ip: IpAddr) -> Option<MacAddr> {
        self.hosts.get(&ip).and_then(|host| host.record.own_link_mac())
    }

    /// Whether the link shows a MAC address at an address.
    pub fn shows_card(&self, ip: IpAddr) -> bool {
        self.hosts.get(&ip).is_some_and(|host| host.record.link_mac().is_some())
    }

    /// Whether a MAC address is a further one that an address is claimed by.
    pub fn is_further_claimant(&self, ip: IpAddr, mac: MacAddr) -> bool {
        let is_claimed = self.hosts.get(&ip).is_some_and(|host| host.claims.is_some());
        is_claimed && !self.by_claimant.get(&mac).is_some_and(|all| all.contains(&ip))
    }

    /// The addresses whose inspection has not ended.
    pub fn unfinished(&self) -> Vec<IpAddr> {
        self.hosts.iter().filter(|(_, host)| !host.record.is_done()).map(|(ip, _)| *ip).collect()
    }

    /// The devices, by address. Those without any sign of video are left out, unless all are reported.
    pub fn devices(&self) -> Vec<Device> {
        let mut listed: BTreeSet<IpAddr> = BTreeSet::new();
        let mut devices: Vec<(Device, Told)> = Vec::new();
        for &ip in self.hosts.keys() {
            if listed.contains(&ip) {
                continue;
            }
            let group = self.group(ip);
            devices.extend(self.devices_of(&group));
            listed.extend(group);
        }
        devices = self.heard.join(devices);
        devices.iter_mut().for_each(|(device, told)| self.judge(device, told));
        devices.sort_by(|(a, _), (b, _)| (a.ip, &a.id).cmp(&(b.ip, &b.id)));
        let (mut devices, told): (Vec<Device>, Vec<Told>) = devices.into_iter().unzip();
        site::among(&mut devices, &told, &self.surroundings);
        self.reported(devices)
    }

    /// The devices that were heard in other subnets, as [`Registry::devices`] lists them.
    pub fn heard_devices(&self) -> Vec<Device> {
        self.devices().into_iter().filter(|device| device.reach.is_some()).collect()
    }

    fn judge(&self, device: &mut Device, told: &Told) {
        device.warnings = site::of_device(device, told, &self.surroundings);
    }

    /// Those of the devices that are reported: an address that two have is reported with both.
    fn reported(&self, devices: Vec<Device>) -> Vec<Device> {
        let wanted: BTreeSet<IpAddr> = devices.iter().filter(|d| is_reported(d)).map(|d| d.ip).collect();
        devices.into_iter().filter(|device| self.reports_all || wanted.contains(&device.ip)).collect()
    }

    /// The devices of an address that is done, unless another of its addresses was done before, or they are not reported.
    fn finished_devices(&self, ip: IpAddr) -> Vec<Device> {
        let group = self.group(ip);
        let is_done = |other: &IpAddr| self.hosts.get(other).is_some_and(|h| h.record.is_done());
        if group.iter().any(|other| *other != ip && is_done(other)) {
            return Vec::new();
        }
        let judged = self.devices_of(&group).into_iter().map(|(mut device, told)| {
            self.judge(&mut device, &told);
            device
        });
        self.reported(judged.collect())
    }

    /// Whether `ip` is one device with another address.
    pub fn has_other_addresses(&self, ip: IpAddr) -> bool {
        self.group(ip).len() > 1
    }

    /// The addresses that are one device with `ip`, itself included, sorted. An address that several devices share is with no
    /// other.
    fn group(&self, ip: IpAddr) -> BTreeSet<IpAddr> {
        let mut group = BTreeSet::from([ip]);
        let mut open = vec![ip];
        while let Some(at) = open.pop() {
            let Some(host) = self.hosts.get(&at) else { continue };
            if self.is_shared(host) {
                continue;
            }
            for other in self.sharing(&host.record) {
                let is_same = self
                    .hosts
                    .get(other)
                    .is_some_and(|o| is_same_device((at, &host.record), (*other, &o.record)) && !self.is_shared(o));
                if is_same && group.insert(*other) {
                    open.push(*other);
                }
            }
        }
        group
    }

    /// The hosts that share an address; none where it has one.
    fn sharers(&self, host: &Host) -> Vec<(MacAddr, HostRecord)> {
        host.claims.as_ref().map(|claims| claims.hosts(|mac| self.is_at_several(mac))).unwrap_or_default()
    }

    /// Whether several hosts share an address.
    fn is_shared(&self, host: &Host) -> bool {
        host.claims.as_ref().is_some_and(|claims| claims.are_several(|mac| self.is_at_several(mac)))
    }

    /// Whether a MAC address is claimed for several addresses.
    fn is_at_several(&self, mac: MacAddr) -> bool {
        self.by_claimant.get(&mac).is_some_and(|all| all.len() > 1)
    }

    /// The addresses that share a MAC address or an endpoint ID with a host.
    fn sharing<'r>(&'r self, host: &'r HostRecord) -> impl Iterator<Item = &'r IpAddr> {
        let by_mac = host.mac().and_then(|m| self.by_mac.get(&m));
        let by_endpoint = host.endpoint_id().and_then(|e| self.by_endpoint.get(e));
        by_mac.into_iter().chain(by_endpoint).filter(|all| all.len() <= MOST_ADDRESSES).flatten()
    }

    /// The device of these addresses, or the devices that share the one address.
    fn devices_of(&self, group: &BTreeSet<IpAddr>) -> Vec<(Device, Told)> {
        // IPv4 sorts first: the address an operator types.
        let Some(&ip) = group.first() else { return Vec::new() };
        let hosts: Vec<(IpAddr, &Host)> = group.iter().filter_map(|ip| Some((*ip, self.hosts.get(ip)?))).collect();
        if let [(ip, host)] = hosts.as_slice() {
            let sharers = self.sharers(host);
            if !sharers.is_empty() {
                return host.devices_at(*ip, sharers);
            }
        }
        let records: Vec<(IpAddr, &HostRecord)> = hosts.iter().map(|(ip, host)| (*ip, &host.record)).collect();
        let first = hosts.iter().map(|(_, h)| h.first_seen).min();
        let seen = first.zip(hosts.iter().map(|(_, h)| h.last_seen).max());
        seen.map(|seen| device::of_hosts(ip, self.id(ip, group, &records), &records, seen)).into_iter().collect()
    }

    /// The strongest identity of a device that no other device has.
    fn id(&self, ip: IpAddr, group: &BTreeSet<IpAddr>, hosts: &[(IpAddr, &HostRecord)]) -> String {
        let is_own = |all: Option<&BTreeSet<IpAddr>>| all.is_some_and(|all| all.is_subset(group));
        let mac = hosts.iter().find_map(|(_, h)| h.mac());
        let endpoint = hosts.iter().find_map(|(_, h)| h.endpoint_id());
        match (mac, endpoint) {
            (Some(mac), _) if is_own(self.by_mac.get(&mac)) => format!("mac:{mac}"),
            (_, Some(endpoint)) if is_own(self.by_endpoint.get(endpoint)) => format!("onvif:{endpoint}"),
            _ => format!("ip:{ip}"),
        }
    }
}

impl Host {
    fn new(now: Timestamp) -> Self {
        Host { record: HostRecord::new(), claims: None, first_seen: now, last_seen: now }
    }

    fn see(&mut self, now: Timestamp) {
        self.first_seen = self.first_seen.min(now);
        self.last_seen = self.last_seen.max(now);
    }

    /// Adds what a host at the address told, or what was found of the address.
    fn learn(&mut self, claimant: Option<MacAddr>, kind: FindingKind) {
        match (claimant.filter(|mac| mac.is_station()), &mut self.claims) {
            (None, None) => {}
            (None, Some(claims)) => claims.unclaimed.learn(kind.clone()),
            (Some(mac), claims) => {
                claims.get_or_insert_with(|| Box::new(Claims::new(self.record.clone()))).learn(mac, kind.clone());
            }
        }
        self.record.learn(kind);
    }

    fn seen(&self) -> (Timestamp, Timestamp) {
        (self.first_seen, self.last_seen)
    }

    /// The devices that share this address. What was found without a MAC address belongs to the one whose serial number or
    /// MAC address it names, else to the first: one of them was inspected.
    fn devices_at(&self, ip: IpAddr, mut sharers: Vec<(MacAddr, HostRecord)>) -> Vec<(Device, Told)> {
        let empty = HostRecord::new();
        let unclaimed = self.claims.as_ref().map_or(&empty, |claims| &claims.unclaimed);
        let is_named = |(mac, record): &(MacAddr, HostRecord)| {
            unclaimed.mac() == Some(*mac) || unclaimed.serial().is_some_and(|serial| record.serial() == Some(serial))
        };
        let inspected = sharers.iter().position(is_named).unwrap_or(0);
        if let Some((_, record)) = sharers.get_mut(inspected) {
            record.absorb(unclaimed);
        }
        let device = |(mac, record): (MacAddr, HostRecord)| {
            let (mut device, told) = device::of_hosts(ip, format!("mac:{mac}"), &[(ip, &record)], self.seen());
            device.mac = Some(mac);
            (device, told)
        };
        sharers.into_iter().map(device).collect()
    }
}

/// Lists an address under a new key in place of the one it had before. A key that no address has is not kept: a device can
/// state another identity with each answer.
fn move_in_index<K: std::hash::Hash + Eq>(
    index: &mut HashMap<K, BTreeSet<IpAddr>>,
    before: Option<K>,
    after: Option<K>,
    ip: IpAddr,
) {
    if before == after {
        return;
    }
    if let Some(Entry::Occupied(mut all)) = before.map(|key| index.entry(key)) {
        all.get_mut().remove(&ip);
        if all.get().is_empty() {
            all.remove();
        }
    }
    if let Some(key) = after {
        index.entry(key).or_default().insert(ip);
    }
}

fn is_same_device(a: (IpAddr, &HostRecord), b: (IpAddr, &HostRecord)) -> bool {
    let agree = |x: Option<&str>, y: Option<&str>| x.zip(y).map(|(x, y)| x == y);
    let serial = agree(a.1.serial(), b.1.serial());
    let endpoint = agree(a.1.endpoint_id(), b.1.endpoint_id());
    if serial == Some(false) {
        return false;
    }
    let mac = a.1.mac().zip(b.1.mac()).map(|(x, y)| x == y);
    let stated = a.1.addresses().contains(&b.0) || b.1.addresses().contains(&a.0);
    match mac {
        Some(false) => false,
        Some(true) => a.0.is_ipv4() != b.0.is_ipv4() || endpoint == Some(true) || serial == Some(true) || stated,
        None => endpoint == Some(true) && (serial == Some(true) || stated),
    }
}

#[cfg(test)]
mod tests;
