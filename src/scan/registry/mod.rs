//! What a scan has found: one record for each address, and the devices these add up to. No I/O, no clock.
//!
//! Findings are kept by address ([`HostRecord`]). Addresses become one device when two facts agree: the same MAC address
//! together with another address family, endpoint ID or serial number. One fact alone is not enough: two cameras of one
//! series have been seen with one endpoint ID, and a proxy-ARP router answers for everybody with its own MAC address.
//!
//! The devices do not depend on the order in which findings arrive.

mod device;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;

use crate::model::{Device, Finding, FindingKind, HostRecord, MacAddr, ScanEvent};
use device::is_reported;

/// A MAC address or endpoint ID that more addresses than this share is a router's or a defect, and identifies nobody.
const MOST_ADDRESSES: usize = 64;

/// All that has been found so far.
#[derive(Debug, Default)]
pub struct Registry {
    hosts: BTreeMap<IpAddr, Host>,
    by_mac: HashMap<MacAddr, BTreeSet<IpAddr>>,
    by_endpoint: HashMap<String, BTreeSet<IpAddr>>,
    /// Whether devices without any sign of video are reported too.
    reports_all: bool,
}

#[derive(Debug)]
struct Host {
    record: HostRecord,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

impl Registry {
    /// A registry that knows nothing. With `all`, devices without any sign of video are reported too.
    pub fn new(all: bool) -> Self {
        Registry { reports_all: all, ..Registry::default() }
    }

    /// Takes in one finding made at `now` and returns what changed.
    pub fn apply(&mut self, now: Timestamp, finding: Finding) -> Vec<ScanEvent> {
        let Finding { ip, kind } = finding;
        let host = self.hosts.entry(ip).or_insert_with(|| Host::new(now));
        host.first_seen = host.first_seen.min(now);
        host.last_seen = host.last_seen.max(now);
        let mut events = Vec::new();
        let is_done = matches!(kind, FindingKind::Done);
        match kind {
            FindingKind::Seen(method) if host.record.methods().is_empty() => {
                events.push(ScanEvent::HostUp { ip, method });
                host.record.learn(kind);
            }
            FindingKind::Mac(_) | FindingKind::StatedMac(_) => {
                let before = host.record.mac();
                host.record.learn(kind);
                move_in_index(&mut self.by_mac, before, host.record.mac(), ip);
            }
            FindingKind::EndpointId(_) => {
                let before = host.record.endpoint_id().map(str::to_owned);
                host.record.learn(kind);
                move_in_index(&mut self.by_endpoint, before, host.record.endpoint_id().map(str::to_owned), ip);
            }
            // It is something to try, no fact of the report.
            FindingKind::StreamHint(_) => {}
            kind => host.record.learn(kind),
        }
        if is_done {
            events.push(ScanEvent::HostDone { ip });
            events.extend(self.finished_device(ip).map(|d| ScanEvent::DeviceDone(Box::new(d))));
        }
        events
    }

    /// How many addresses answered.
    pub fn hosts_up(&self) -> u64 {
        self.hosts.len() as u64
    }

    /// Whether anything was found about `ip`.
    pub fn knows(&self, ip: IpAddr) -> bool {
        self.hosts.contains_key(&ip)
    }

    /// The addresses whose inspection has not ended.
    pub fn unfinished(&self) -> Vec<IpAddr> {
        self.hosts.iter().filter(|(_, host)| !host.record.is_done()).map(|(ip, _)| *ip).collect()
    }

    /// The devices, by address. Those without any sign of video are left out, unless all are reported.
    pub fn devices(&self) -> Vec<Device> {
        let mut listed: BTreeSet<IpAddr> = BTreeSet::new();
        let mut devices = Vec::new();
        for &ip in self.hosts.keys() {
            if listed.contains(&ip) {
                continue;
            }
            let group = self.group(ip);
            devices.extend(self.device(&group).filter(|d| self.reports_all || is_reported(d)));
            listed.extend(group);
        }
        devices
    }

    /// The device of an address that is done, unless another of its addresses was done before, or it is not reported.
    fn finished_device(&self, ip: IpAddr) -> Option<Device> {
        let group = self.group(ip);
        let is_done = |other: &IpAddr| self.hosts.get(other).is_some_and(|h| h.record.is_done());
        if group.iter().any(|other| *other != ip && is_done(other)) {
            return None;
        }
        self.device(&group).filter(|device| self.reports_all || is_reported(device))
    }

    /// Whether `ip` is one device with another address.
    pub fn has_other_addresses(&self, ip: IpAddr) -> bool {
        self.group(ip).len() > 1
    }

    /// The addresses that are one device with `ip`, itself included, sorted.
    fn group(&self, ip: IpAddr) -> BTreeSet<IpAddr> {
        let mut group = BTreeSet::from([ip]);
        let mut open = vec![ip];
        while let Some(at) = open.pop() {
            let Some(host) = self.hosts.get(&at) else { continue };
            for other in self.sharing(&host.record) {
                let is_same =
                    self.hosts.get(other).is_some_and(|o| is_same_device((at, &host.record), (*other, &o.record)));
                if is_same && group.insert(*other) {
                    open.push(*other);
                }
            }
        }
        group
    }

    /// The addresses that share a MAC address or an endpoint ID with a host.
    fn sharing<'r>(&'r self, host: &'r HostRecord) -> impl Iterator<Item = &'r IpAddr> {
        let by_mac = host.mac().and_then(|m| self.by_mac.get(&m));
        let by_endpoint = host.endpoint_id().and_then(|e| self.by_endpoint.get(e));
        by_mac.into_iter().chain(by_endpoint).filter(|all| all.len() <= MOST_ADDRESSES).flatten()
    }

    fn device(&self, group: &BTreeSet<IpAddr>) -> Option<Device> {
        // IPv4 sorts first: the address an operator types.
        let ip = *group.first()?;
        let hosts: Vec<(IpAddr, &Host)> = group.iter().filter_map(|ip| Some((*ip, self.hosts.get(ip)?))).collect();
        let records: Vec<(IpAddr, &HostRecord)> = hosts.iter().map(|(ip, host)| (*ip, &host.record)).collect();
        let seen = (hosts.iter().map(|(_, h)| h.first_seen).min()?, hosts.iter().map(|(_, h)| h.last_seen).max()?);
        Some(device::of_hosts(ip, self.id(ip, group, &records), &records, seen))
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
        Host { record: HostRecord::new(), first_seen: now, last_seen: now }
    }
}

/// Lists an address under a new key in place of the one it had before.
fn move_in_index<K: std::hash::Hash + Eq>(
    index: &mut HashMap<K, BTreeSet<IpAddr>>,
    before: Option<K>,
    after: Option<K>,
    ip: IpAddr,
) {
    if before == after {
        return;
    }
    if let Some(all) = before.and_then(|key| index.get_mut(&key)) {
        all.remove(&ip);
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
