//! The devices of a report by their networks. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::model::{Device, Reach, Report};

/// A network and its devices, in the order of the report.
pub struct Subnet<'r> {
    /// The network.
    pub network: IpNetwork,
    /// Whether nobody here reaches it.
    pub is_far: bool,
    /// The devices.
    pub devices: Vec<&'r Device>,
}

/// The networks of a report with their devices: those that are reached, then those that are not, each by address.
pub fn subnets(report: &Report) -> Vec<Subnet<'_>> {
    let known = known_networks(report);
    let mut by_network: BTreeMap<(bool, IpNetwork), Vec<&Device>> = BTreeMap::new();
    for device in &report.devices {
        let is_far = device.reach == Some(Reach::OtherSubnet);
        by_network.entry((is_far, network_of(device, &known))).or_default().push(device);
    }
    by_network.into_iter().map(|((is_far, network), devices)| Subnet { network, is_far, devices }).collect()
}

/// The networks that the scan names: those of the interfaces, then those of the targets.
fn known_networks(report: &Report) -> Vec<IpNetwork> {
    let coverage = report.scan.coverage.iter().flat_map(|coverage| &coverage.interfaces);
    let texts = coverage.flat_map(|interface| &interface.networks).chain(&report.scan.targets);
    let networks = texts.filter_map(|text| text.parse::<IpNetwork>().ok());
    networks.filter(|network| !is_single(*network)).collect()
}

/// A network of one or two addresses is a link between two, or a target of its own.
fn is_single(network: IpNetwork) -> bool {
    match network {
        IpNetwork::V4(v4) => v4.prefix() > 30,
        IpNetwork::V6(v6) => v6.prefix() > 126,
    }
}

/// The network a device is on: one that the scan names, else by its own mask, else the usual one.
fn network_of(device: &Device, known: &[IpNetwork]) -> IpNetwork {
    let own = device.network.and_then(|network| network.prefix()).filter(|prefix| (8..=30).contains(prefix));
    let prefix = match known.iter().find(|network| network.contains(device.ip)) {
        Some(network) => network.prefix(),
        None => match device.ip {
            IpAddr::V4(ip) => own.unwrap_or(if ip.is_link_local() { 16 } else { 24 }),
            IpAddr::V6(_) => 64,
        },
    };
    let network = IpNetwork::new(device.ip, prefix).unwrap_or_else(|_| device.ip.into());
    IpNetwork::new(network.network(), prefix).unwrap_or(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample;

    #[test]
    fn devices_stand_with_their_network() {
        let mut report = sample::report();
        report.scan.targets = vec!["10.77.0.0/28".into(), "10.77.0.17".into(), "cam1.lan".into()];
        report.devices.extend(sample::factory_cameras());
        let named: Vec<(String, bool, usize)> =
            subnets(&report).iter().map(|s| (s.network.to_string(), s.is_far, s.devices.len())).collect();
        let expected = [
            ("10.77.0.0/24", false, 2),
            ("10.77.0.0/28", false, 6),
            ("fd00::/64", false, 1),
            ("192.168.1.0/24", true, 2),
        ];
        assert_eq!(named, expected.map(|(network, far, n)| (network.to_owned(), far, n)));
        report.scan.coverage = Some(sample::coverage());
        assert_eq!(subnets(&report)[0].devices.len(), 8, "the interface's network comes first");
    }
}
