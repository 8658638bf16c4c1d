//! What a scan can tell of devices it did not find: only those it asked for.

use std::net::IpAddr;
use std::str::FromStr;

use ipnetwork::IpNetwork;

use super::OnLink;
use crate::model::{Device, Method, Report, ScanStatus, TargetSpec};

/// What a scan asked for.
pub(super) struct Scope {
    ranges: Vec<(IpAddr, IpAddr)>,
    methods: Vec<Method>,
    is_complete: bool,
    /// The networks of this machine's interfaces that were used.
    pub links: Vec<(IpNetwork, OnLink)>,
}

/// The shortest and the longest prefix of an interface's network that is taken for one: others join two points, or hold
/// more than any camera network.
const PREFIXES: std::ops::RangeInclusive<u8> = 16..=29;

impl Scope {
    /// That of a scan.
    pub fn of(report: &Report) -> Self {
        let scan = &report.scan;
        // Reports of versions that did not state the ranges have the targets as they were written.
        let written = if scan.asked.is_empty() { &scan.targets } else { &scan.asked };
        let interfaces = scan.coverage.iter().flat_map(|coverage| &coverage.interfaces).filter(|i| i.used);
        let links = interfaces.flat_map(|interface| {
            let of = |text: &String| link(&interface.name, text.parse().ok()?);
            interface.networks.iter().filter_map(of)
        });
        Scope {
            ranges: written.iter().filter_map(|text| range(text)).collect(),
            methods: scan.methods.clone(),
            is_complete: scan.status == ScanStatus::Complete,
            links: links.collect(),
        }
    }

    /// Whether the scan would have found the device if it had answered as before.
    pub fn would_find(&self, device: &Device) -> bool {
        let is_seen_by = |method: &Method| device.discovered_by.contains(method);
        let ip = device.ip;
        self.is_complete
            && device.reach.is_none()
            && self.ranges.iter().any(|(first, last)| *first <= ip && ip <= *last)
            && (self.methods.iter().any(is_seen_by) || device.discovered_by.is_empty() && !self.methods.is_empty())
    }
}

/// Whether a scan would have found a device if it had answered as it was last seen to.
pub fn would_find(report: &Report, device: &Device) -> bool {
    Scope::of(report).would_find(device)
}

fn link(interface: &str, written: IpNetwork) -> Option<(IpNetwork, OnLink)> {
    let usable = written.is_ipv6() || PREFIXES.contains(&written.prefix());
    let network = IpNetwork::new(written.network(), written.prefix()).ok().filter(|_| usable)?;
    Some((network, OnLink { interface: interface.to_owned(), ip: written.ip() }))
}

fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    match TargetSpec::from_str(text).ok()? {
        spec @ (TargetSpec::Network(IpNetwork::V4(_)) | TargetSpec::Range(..)) => {
            spec.ipv4_range().map(|(first, last)| (first.into(), last.into()))
        }
        TargetSpec::Network(IpNetwork::V6(v6)) => Some((v6.network().into(), v6.broadcast().into())),
        TargetSpec::Address(ip, _) => Some((ip, ip)),
        TargetSpec::LinkLocal(ip, ..) => Some((ip.into(), ip.into())),
        TargetSpec::Name(..) => None,
    }
}

/// The network an address is taken to be on where no interface tells: the usual size of a camera network.
pub(super) fn usual_network(ip: IpAddr) -> Option<IpNetwork> {
    let prefix = if ip.is_ipv4() { 24 } else { 64 };
    let network = IpNetwork::new(ip, prefix).ok()?;
    IpNetwork::new(network.network(), prefix).ok()
}
