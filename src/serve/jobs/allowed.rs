//! What may be scanned by who asks over the network. Pure.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use crate::model::TargetSpec;
use crate::net::Interface;

/// What may be scanned by who asks over the network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Networks, ranges, addresses and names; none: the subnets of this machine.
    pub targets: Vec<TargetSpec>,
}

impl Allowed {
    /// Whether all of a target is among them. A name is allowed only by itself: whoever writes it in the DNS could send a scan
    /// anywhere.
    pub fn holds(&self, asked: &TargetSpec, interfaces: &[Interface]) -> bool {
        if self.targets.is_empty() {
            return own(asked, interfaces);
        }
        if let Some(range) = asked.ipv4_range() {
            return covers(self.targets.iter().filter_map(TargetSpec::ipv4_range).collect(), range);
        }
        self.targets.iter().any(|target| holds(target, asked))
    }
}

fn own(asked: &TargetSpec, interfaces: &[Interface]) -> bool {
    let networks = || interfaces.iter().filter(|own| !own.loopback).flat_map(|own| &own.addresses);
    if let Some(range) = asked.ipv4_range() {
        return covers(networks().filter_map(range_of).collect(), range);
    }
    match asked {
        TargetSpec::LinkLocal(..) => true,
        TargetSpec::Address(ip, _) => networks().any(|network| network.contains(*ip)),
        TargetSpec::Network(IpNetwork::V6(asked)) => {
            networks().any(|network| network.prefix() <= asked.prefix() && network.contains(asked.ip().into()))
        }
        _ => false,
    }
}

fn range_of(network: &IpNetwork) -> Option<(Ipv4Addr, Ipv4Addr)> {
    // The network of the interface's address, whose host bits are set.
    let network = IpNetwork::new(network.network(), network.prefix()).ok()?;
    TargetSpec::Network(network).ipv4_range()
}

/// Whether these ranges together hold another.
fn covers(mut ranges: Vec<(Ipv4Addr, Ipv4Addr)>, (first, last): (Ipv4Addr, Ipv4Addr)) -> bool {
    ranges.sort_unstable();
    let (mut next, last) = (u64::from(u32::from(first)), u64::from(u32::from(last)));
    for (from, to) in ranges {
        let (from, to) = (u64::from(u32::from(from)), u64::from(u32::from(to)));
        if from <= next && to >= next {
            next = to + 1;
        }
    }
    next > last
}

fn holds(target: &TargetSpec, asked: &TargetSpec) -> bool {
    match (target, asked) {
        (TargetSpec::Network(network @ IpNetwork::V6(_)), TargetSpec::Address(ip @ IpAddr::V6(_), _)) => {
            network.contains(*ip)
        }
        (TargetSpec::Network(IpNetwork::V6(network)), TargetSpec::Network(IpNetwork::V6(asked))) => {
            network.prefix() <= asked.prefix() && network.contains(asked.ip())
        }
        (TargetSpec::Address(target, _), TargetSpec::Address(asked, _)) => target == asked,
        (TargetSpec::LinkLocal(ip, zone, _), TargetSpec::LinkLocal(asked, other, _)) => ip == asked && zone == other,
        (TargetSpec::Name(name, _), TargetSpec::Name(asked, _)) => name == asked,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(allowed: &str, asked: &str) -> bool {
        let interface = Interface {
            name: "eth0".to_owned(),
            index: 2,
            mac: None,
            addresses: vec!["192.0.2.7/24".parse().unwrap(), "2001:db8::7/64".parse().unwrap()],
            loopback: false,
            point_to_point: false,
        };
        let local = Interface {
            addresses: vec!["127.0.0.1/8".parse().unwrap()],
            loopback: true,
            name: "lo".to_owned(),
            ..interface.clone()
        };
        let targets = allowed.split_whitespace().map(|text| text.parse().unwrap()).collect();
        Allowed { targets }.holds(&asked.parse().unwrap(), &[local, interface])
    }

    #[test]
    fn a_scan_stays_where_it_may_go() {
        for (allowed, asked, is_held) in [
            ("", "192.0.2.0/24", true),
            ("", "192.0.2.9", true),
            ("", "192.0.2.9:8554", true),
            ("", "192.0.2.0/23", false),
            ("", "192.0.2.250-192.0.3.1", false),
            ("", "198.51.100.1", false),
            ("", "127.0.0.1", false),
            ("", "2001:db8::1", true),
            ("", "2001:db8:1::1", false),
            ("", "camera.example", false),
            ("192.0.2.0/25 192.0.2.127-192.0.2.200", "192.0.2.5-192.0.2.190", true),
            ("192.0.2.0/25 192.0.2.129-192.0.2.200", "192.0.2.5-192.0.2.190", false),
            ("198.51.100.0/24", "192.0.2.9", false),
            ("198.51.100.0/24", "198.51.100.0/25", true),
            ("camera.example", "camera.example:554", true),
            ("camera.example", "other.example", false),
            ("2001:db8::/120", "2001:db8::42", true),
            ("2001:db8::/120", "2001:db8::/119", false),
        ] {
            assert_eq!(holds(allowed, asked), is_held, "{allowed:?} {asked}");
        }
    }
}
