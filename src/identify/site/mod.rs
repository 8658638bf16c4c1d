//! What about the devices of a site needs somebody's attention: judged from what they state and from the networks of this
//! machine. Nothing is asked for it, and nothing is changed.

mod hint;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use ipnetwork::{IpNetwork, Ipv4Network};
use jiff::Timestamp;

use crate::model::site::is_host;
use crate::model::{Device, MacAddr, Reach, Warning, WarningKind};
use crate::text::steps;

/// A clock that is wrong by more than so many seconds is wrong: what logins by token and recordings bear.
const CLOCK: u64 = 300;

/// So many other devices are listed in a warning.
const MOST_OTHERS: usize = 32;

/// The devices that share something, all in each other's group, by their positions.
type Groups = BTreeMap<usize, Rc<[usize]>>;

/// The machine that scans: what its addresses tell of the site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The networks of its interfaces, each with the interface's name.
    pub networks: Vec<(String, IpNetwork)>,
    /// Its operating system, as [`std::env::consts::OS`] names it.
    pub system: &'static str,
}

impl Surroundings {
    /// Whether an address that was heard on the link is one a host can have, and in no subnet of this machine.
    pub fn is_elsewhere(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(v4) = ip else { return false };
        is_host(v4) && !self.networks.iter().any(|(_, network)| network.contains(ip))
    }

    /// The network that an address is on.
    fn network_of(&self, ip: IpAddr) -> Option<Ipv4Network> {
        self.networks.iter().find_map(|(_, network)| match network {
            IpNetwork::V4(v4) if network.contains(ip) && v4.prefix() < 31 => Some(*v4),
            _ => None,
        })
    }
}

/// What a device stated that stands in no field of it, and is judged here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The UUID of its ONVIF endpoint or UPnP device.
    pub endpoint_id: Option<String>,
    /// How many seconds its clock is ahead.
    pub clock: Option<i64>,
    /// When the first of its certificates ends.
    pub certificate_end: Option<Timestamp>,
}

/// What is to be said of one device alone; in the order of the kinds.
pub fn of_device(device: &Device, told: &Told, surroundings: &Surroundings) -> Vec<Warning> {
    let reach = device.reach.map(|reach| match reach {
        Reach::OtherSubnet => hint::other_subnet(device, surroundings, &BTreeSet::new()),
    });
    let mut all: Vec<Warning> = reach.into_iter().collect();
    all.extend(device.activation.filter(|state| state.is_due()).map(|state| hint::not_activated(device, state)));
    all.extend(network_mismatch(device, surroundings));
    if device.network.and_then(|network| network.dhcp) == Some(true) {
        all.push(plain(WarningKind::DynamicAddress, "has its address from DHCP, and may be found elsewhere tomorrow"));
    }
    all.extend(told.clock.and_then(clock_wrong));
    all.extend(told.certificate_end.filter(|end| *end < device.last_seen).map(|end| {
        let ended = end.strftime("%Y-%m-%d");
        plain(WarningKind::CertificateExpired, format!("its TLS certificate ended on {ended}"))
    }));
    all
}

fn plain(kind: WarningKind, message: impl Into<String>) -> Warning {
    Warning { kind, message: message.into(), hint: None, others: Vec::new() }
}

fn network_mismatch(device: &Device, surroundings: &Surroundings) -> Option<Warning> {
    let (IpAddr::V4(ip), settings) = (device.ip, device.network?) else { return None };
    // On this machine a kit is played: what it states is of the network that it was recorded in.
    if ip.is_loopback() {
        return None;
    }
    let link = surroundings.network_of(device.ip).filter(|_| device.reach.is_none());
    let warn = |message: String, hint: String| {
        Some(Warning { hint: Some(hint), ..plain(WarningKind::NetworkMismatch, message) })
    };
    if let (Some(link), Some(prefix)) = (link, settings.prefix())
        && link.prefix() != prefix
    {
        let (mask, right) = (settings.netmask?, link.mask());
        return warn(
            format!("its mask {mask} is not that of this network, {right}"),
            format!("set its mask to {right}, or it does not reach every host of the network"),
        );
    }
    let own = Ipv4Network::new(ip, settings.prefix().or(link.map(|link| link.prefix()))?).ok()?;
    let gateway = settings.gateway.filter(|gateway| !own.contains(*gateway))?;
    warn(
        format!("its gateway {gateway} is not on its own network {}/{}", own.network(), own.prefix()),
        "set its gateway to the router of its network, or it reaches nobody beyond it".to_owned(),
    )
}

/// Whether a clock that is so many seconds ahead is wrong.
pub fn is_clock_wrong(ahead: i64) -> bool {
    ahead.unsigned_abs() > CLOCK
}

fn clock_wrong(ahead: i64) -> Option<Warning> {
    let by = ahead.unsigned_abs();
    is_clock_wrong(ahead).then(|| Warning {
        kind: WarningKind::ClockWrong,
        message: format!("its clock is {} {}", length(by), if ahead < 0 { "behind" } else { "ahead" }),
        hint: Some("set its clock, best by NTP: recordings carry its time".to_owned()),
        others: Vec::new(),
    })
}

/// `6 min`, `3 h 5 min`, `12 days`.
fn length(seconds: u64) -> String {
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Adds to each device the warnings that concern several together; `told` belongs to the devices in their order.
pub fn among(devices: &mut [Device], told: &[Told], surroundings: &Surroundings) {
    let taken: BTreeSet<IpAddr> = devices.iter().flat_map(|device| &device.addresses).copied().collect();
    let conflicts = address_conflicts(devices);
    let serials = shared(devices.iter().map(|device| device.serial.as_deref()));
    let endpoints = shared(told.iter().map(|told| told.endpoint_id.as_deref()));
    let names: Vec<String> = devices.iter().map(in_short).collect();
    for (at, device) in devices.iter_mut().enumerate() {
        if device.reach == Some(Reach::OtherSubnet) {
            // Only now the addresses are known that others have.
            device.warnings.retain(|warning| warning.kind != WarningKind::OtherSubnet);
            device.warnings.push(hint::other_subnet(device, surroundings, &taken));
        }
        let mut add = |kind, group: Option<&Rc<[usize]>>, say: &dyn Fn(String) -> String, hint: &str| {
            let Some(group) = group else { return };
            let others = group.iter().inspect(|_| steps::look_at(1)).filter(|other| **other != at);
            let others: Vec<&str> =
                others.filter_map(|o| names.get(*o)).map(String::as_str).take(MOST_OTHERS).collect();
            if !others.is_empty() {
                let message = say(list(&others, group.len().saturating_sub(1)));
                let others = others.into_iter().map(str::to_owned).collect();
                device.warnings.push(Warning { kind, message, hint: Some(hint.to_owned()), others });
            }
        };
        add(
            WarningKind::AddressConflict,
            conflicts.get(&at),
            &|others| format!("shares its address with {others}"),
            "give each an address of its own, one after the other: disconnect the others while you set one",
        );
        add(
            WarningKind::DuplicateSerial,
            serials.get(&at),
            &|others| format!("states the serial number that {others} states too"),
            "it may be one device with two network ports, or a copy: recorders tell devices apart by it",
        );
        add(
            WarningKind::DuplicateEndpoint,
            endpoints.get(&at),
            &|others| format!("states the ONVIF or UPnP identity that {others} states too"),
            "recorders may take the devices for one: add them by address",
        );
        device.warnings.sort();
        device.warnings.dedup();
    }
}

/// A device as another one's warning names it.
fn in_short(device: &Device) -> String {
    let what = [device.vendor.as_deref(), device.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let at = match device.mac {
        Some(mac) => format!("{mac} at {}", device.ip),
        None => device.ip.to_string(),
    };
    if what.is_empty() { at } else { format!("{what} ({at})") }
}

/// At most three of so many names, and how many more.
fn list(names: &[&str], count: usize) -> String {
    const MOST: usize = 3;
    let named = names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    match count.saturating_sub(MOST) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Which devices share their address with which others.
fn address_conflicts(devices: &[Device]) -> Groups {
    let macs: Vec<Option<MacAddr>> = devices.iter().map(|device| device.mac).collect();
    let mut by_ip: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    devices.iter().enumerate().for_each(|(at, device)| by_ip.entry(device.ip).or_default().push(at));
    let two = |at: &Vec<usize>| at.iter().filter_map(|at| macs.get(*at)).collect::<BTreeSet<_>>().len() > 1;
    groups(by_ip.into_values().filter(two))
}

/// Which entries have a text that others have too.
fn shared<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> Groups {
    let mut by_text: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    texts.enumerate().for_each(|(at, text)| {
        if let Some(text) = text {
            by_text.entry(text).or_default().push(at);
        }
    });
    groups(by_text.into_values().filter(|all| all.len() > 1))
}

/// Each device with the group it is in.
fn groups(all: impl Iterator<Item = Vec<usize>>) -> Groups {
    let mut groups = Groups::new();
    for group in all.map(Rc::<[usize]>::from) {
        groups.extend(group.iter().map(|at| (*at, group.clone())));
    }
    groups
}

/// An address of a network that nobody is known to have, from its end where routers and servers seldom are.
fn free_address(network: Ipv4Network, is_taken: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    let (first, last) = (u32::from(network.network()), u32::from(network.broadcast()));
    let usual = first.checked_add(200).filter(|n| *n < last);
    let hosts = usual.into_iter().chain((first.saturating_add(1)..last).rev().take(256));
    hosts.map(Ipv4Addr::from).inspect(|_| steps::look_at(1)).find(|ip| !is_taken(*ip))
}

#[cfg(test)]
mod tests;
