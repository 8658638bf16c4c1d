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
    /// The same, beside the targets or the subnets. They may be larger than one scan: they allow, and are not scanned.
    pub beside: Vec<TargetSpec>,
    /// Addresses that every scan leaves out.
    pub exclude: Vec<IpNetwork>,
}

impl Allowed {
    /// Whether all of a target is among them. A name is allowed only by itself: whoever writes it in the DNS could send a scan
    /// anywhere.
    pub fn holds(&self, asked: &TargetSpec, interfaces: &[Interface]) -> bool {
        let interfaces = if self.targets.is_empty() { interfaces } else { &[] };
        let networks = || interfaces.iter().filter(|own| !own.loopback).flat_map(|own| &own.addresses);
        let named = || self.targets.iter().chain(&self.beside);
        if let Some(range) = asked.ipv4_range() {
            let own = networks().filter_map(range_of);
            return covers(own.chain(named().filter_map(TargetSpec::ipv4_range)).collect(), range);
        }
        self.targets.is_empty() && own(asked, networks) || named().any(|target| holds(target, asked))
    }
}

/// Whether it is an IPv6 address or network among those of this machine.
fn own<'n, N: Iterator<Item = &'n IpNetwork>>(asked: &TargetSpec, networks: impl Fn() -> N) -> bool {
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

    /// Whether something is held by what is allowed; behind a `+` stands what is beside the targets.
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
        let read = |words: &str| words.split_whitespace().map(|text| text.parse().unwrap()).collect();
        let (targets, beside) = allowed.split_once('+').unwrap_or((allowed, ""));
        Allowed { targets: read(targets), beside: read(beside), ..Allowed::default() }
            .holds(&asked.parse().unwrap(), &[local, interface])
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
            ("+ 198.51.100.0/24", "198.51.100.7", true),
            ("+ 198.51.100.0/24", "192.0.2.9", true),
            ("+ 198.51.100.0/24", "203.0.113.1", false),
            ("+ 192.0.2.255-192.0.3.20", "192.0.2.250-192.0.3.9", true),
            ("+ camera.example", "camera.example", true),
            ("+ 2001:db8:1::/64", "2001:db8:1::1", true),
            ("+ 2001:db8:1::/64", "2001:db8::1", true),
            ("192.0.2.0/25 + 198.51.100.0/24", "198.51.100.0/25", true),
            ("192.0.2.0/25 + 198.51.100.0/24", "192.0.2.200", false),
        ] {
            assert_eq!(holds(allowed, asked), is_held, "{allowed:?} {asked}");
        }
    }
}
