//! Targets: networks, ranges and single hosts, never spelled out in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::{IpNetwork, Ipv6Network};

pub mod limits;
mod parse;

pub use parse::{ProbeTarget, RAW_PRINT_PORTS, URL_SCHEMES};

/// One target as the user wrote it, read but not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TargetSpec {
    /// `192.168.1.0/24`.
    Network(IpNetwork),
    /// `192.168.1.10-20` or `192.168.1.10-192.168.2.20`; both ends belong to it.
    Range(Ipv4Addr, Ipv4Addr),
    /// `192.168.1.5`, `fe80::1`, with an optional port of its own.
    Address(IpAddr, Option<u16>),
    /// `fe80::1%eth0`: a link-local address and the name or index of its interface, with an optional port of its own.
    LinkLocal(Ipv6Addr, String, Option<u16>),
    /// A name to be resolved, with an optional port of its own.
    Name(String, Option<u16>),
}

impl TargetSpec {
    /// The IPv4 addresses it holds, both ends included; for a network of more than two addresses its first and last
    /// host. None for names and IPv6.
    pub fn ipv4_range(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        match *self {
            TargetSpec::Network(IpNetwork::V4(net)) if net.prefix() < 31 => {
                let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
                Some((Ipv4Addr::from(first + 1), Ipv4Addr::from(last - 1)))
            }
            TargetSpec::Network(IpNetwork::V4(net)) => Some((net.network(), net.broadcast())),
            TargetSpec::Range(first, last) => Some((first, last)),
            TargetSpec::Address(IpAddr::V4(ip), _) => Some((ip, ip)),
            _ => None,
        }
    }
}

/// One address to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostTarget {
    /// The address.
    pub ip: IpAddr,
    /// The name it was given by.
    pub name: Option<String>,
    /// The interface an IPv6 link-local address belongs to (`eth0` of `fe80::1%eth0`).
    pub zone: Option<String>,
    /// Ports given with the target itself; looked at besides the plan's.
    pub ports: Vec<u16>,
}

/// The addresses of a scan: inclusive IPv4 ranges, sorted and disjoint, plus single hosts that carry more than an
/// address. Excluded addresses are already cut out, so memory follows what was written, not how many addresses it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetSet {
    /// The targets as written, for the report.
    pub written: Vec<String>,
    /// Inclusive, sorted, disjoint.
    ranges: Vec<(u32, u32)>,
    /// Hosts with a name, ports or an IPv6 address; sorted by address, one entry an address.
    hosts: Vec<HostTarget>,
    /// IPv4 ranges that are left out, sorted, disjoint.
    excluded_v4: Vec<(u32, u32)>,
    /// IPv6 networks that are left out, also of what is found on a local link.
    excluded_v6: Vec<Ipv6Network>,
    /// Whether IPv6 hosts that answer to multicast on a local link are taken in.
    pub link_local_v6: bool,
}

impl TargetSet {
    /// Builds a set from inclusive ranges and single hosts; what `exclude` covers is cut out.
    pub fn new(
        written: Vec<String>,
        include: impl IntoIterator<Item = (Ipv4Addr, Ipv4Addr)>,
        hosts: impl IntoIterator<Item = HostTarget>,
        exclude: &[IpNetwork],
    ) -> Self {
        let mut ranges: Vec<(u32, u32)> =
            include.into_iter().map(|(a, b)| (u32::from(a), u32::from(b))).filter(|(a, b)| a <= b).collect();
        let mut singles: BTreeMap<IpAddr, HostTarget> = BTreeMap::new();
        for host in hosts {
            if exclude.iter().any(|net| net.contains(host.ip)) {
                continue;
            }
            if let IpAddr::V4(v4) = host.ip {
                ranges.push((u32::from(v4), u32::from(v4)));
            }
            match singles.entry(host.ip) {
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.name = known.name.take().or(host.name);
                    known.zone = known.zone.take().or(host.zone);
                    known.ports.extend(host.ports);
                    known.ports.sort_unstable();
                    known.ports.dedup();
                }
                Entry::Vacant(free) => {
                    free.insert(host);
                }
            }
        }
        let cuts: Vec<(u32, u32)> = exclude
            .iter()
            .filter_map(|net| match net {
                IpNetwork::V4(v4) => Some((u32::from(v4.network()), u32::from(v4.broadcast()))),
                IpNetwork::V6(_) => None,
            })
            .collect();
        let excluded_v6 = exclude.iter().filter_map(|net| match net {
            IpNetwork::V6(v6) => Some(*v6),
            IpNetwork::V4(_) => None,
        });
        let cuts = merge(cuts);
        TargetSet {
            written,
            ranges: subtract(merge(ranges), &cuts),
            hosts: singles.into_values().collect(),
            excluded_v4: cuts,
            excluded_v6: excluded_v6.collect(),
            link_local_v6: false,
        }
    }

    /// How many addresses there are.
    pub fn len(&self) -> u64 {
        let v4: u64 = self.ranges.iter().map(|(a, b)| u64::from(b - a) + 1).sum();
        v4 + self.hosts.iter().filter(|h| h.ip.is_ipv6()).count() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The IPv4 ranges, inclusive, sorted, disjoint.
    pub fn ranges(&self) -> impl Iterator<Item = (Ipv4Addr, Ipv4Addr)> + '_ {
        self.ranges.iter().map(|&(a, b)| (a.into(), b.into()))
    }

    /// The addresses in writing: `192.0.2.1-192.0.2.254`, or one alone.
    pub fn asked(&self) -> Vec<String> {
        let range = |(first, last): (Ipv4Addr, Ipv4Addr)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        self.ranges().map(range).chain(self.ipv6_hosts().map(|ip| ip.to_string())).collect()
    }

    /// Whether all of them are this machine's own loopback, where there is no link to ask others on.
    pub fn is_loopback_only(&self) -> bool {
        !self.link_local_v6
            && self.ranges().all(|(first, last)| first.is_loopback() && last.is_loopback())
            && self.ipv6_hosts().all(|ip| ip.is_loopback())
    }

    /// The IPv6 hosts.
    pub fn ipv6_hosts(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.hosts.iter().map(|h| h.ip).filter(IpAddr::is_ipv6)
    }

    /// The hosts that were written with a name or ports of their own, and the IPv6 ones.
    pub fn hosts(&self) -> &[HostTarget] {
        &self.hosts
    }

    /// What was written about `ip` beyond its address.
    pub fn host(&self, ip: IpAddr) -> Option<&HostTarget> {
        self.hosts.binary_search_by_key(&ip, |h| h.ip).ok().and_then(|i| self.hosts.get(i))
    }

    /// Whether `ip` is to be looked at.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(v4) => {
                let n = u32::from(v4);
                let after = self.ranges.partition_point(|&(a, _)| a <= n);
                after.checked_sub(1).and_then(|i| self.ranges.get(i)).is_some_and(|&(_, b)| n <= b)
            }
            IpAddr::V6(v6) => {
                let is_local = || v6.is_unicast_link_local() || v6.is_unique_local();
                let is_excluded = || self.excluded_v6.iter().any(|net| net.contains(v6));
                self.host(ip).is_some() || (self.link_local_v6 && is_local() && !is_excluded())
            }
        }
    }

    /// Whether `ip` is to be left out wherever it turns up.
    pub fn excludes(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(v4) => self.excluded_v4.iter().any(|&(a, b)| (a..=b).contains(&u32::from(v4))),
            IpAddr::V6(v6) => self.excluded_v6.iter().any(|net| net.contains(v6)),
        }
    }

    /// The IPv4 address at `index` of the sorted order, 0-based.
    pub fn nth_ipv4(&self, mut index: u64) -> Option<Ipv4Addr> {
        for &(a, b) in &self.ranges {
            let size = u64::from(b - a) + 1;
            if index < size {
                return u32::try_from(u64::from(a) + index).ok().map(Ipv4Addr::from);
            }
            index -= size;
        }
        None
    }

    /// How many IPv4 addresses there are.
    pub fn ipv4_len(&self) -> u64 {
        self.ranges.iter().map(|(a, b)| u64::from(b - a) + 1).sum()
    }
}

fn merge(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (a, b) in ranges {
        match merged.last_mut() {
            Some(last) if u64::from(a) <= u64::from(last.1) + 1 => last.1 = last.1.max(b),
            _ => merged.push((a, b)),
        }
    }
    merged
}

fn subtract(ranges: Vec<(u32, u32)>, cuts: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut left = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        let mut from = u64::from(start);
        for &(a, b) in cuts.iter().filter(|&&(a, b)| b >= start && a <= end) {
            if u64::from(a) > from {
                left.push((from as u32, a - 1));
            }
            from = from.max(u64::from(b) + 1);
        }
        if from <= u64::from(end) {
            left.push((from as u32, end));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(ranges: &[(u8, u8)], exclude: &[&str]) -> TargetSet {
        let v4 = |n: u8| Ipv4Addr::new(192, 0, 2, n);
        let exclude: Vec<IpNetwork> = exclude.iter().map(|t| t.parse().unwrap()).collect();
        TargetSet::new(vec![], ranges.iter().map(|&(a, b)| (v4(a), v4(b))), [], &exclude)
    }

    #[test]
    fn overlaps_count_once_and_excludes_are_cut_out() {
        let targets = set(&[(0, 63), (32, 95), (96, 127), (200, 200)], &["192.0.2.16/28", "192.0.2.200/32"]);
        assert_eq!(targets.len(), 112);
        assert!(targets.contains("192.0.2.15".parse().unwrap()));
        assert!(!targets.contains("192.0.2.16".parse().unwrap()));
        assert!(!targets.contains("192.0.2.200".parse().unwrap()));
        assert_eq!(targets.nth_ipv4(16), Some(Ipv4Addr::new(192, 0, 2, 32)));
        assert_eq!(targets.nth_ipv4(112), None);
    }

    #[test]
    fn one_address_written_twice_is_one_host_with_both_ports() {
        let host = |port| HostTarget { ip: "192.0.2.9".parse().unwrap(), name: None, zone: None, ports: vec![port] };
        let targets = TargetSet::new(vec![], [], [host(8554), host(554)], &[]);
        assert_eq!(targets.len(), 1);
        assert_eq!(targets.host("192.0.2.9".parse().unwrap()).map(|h| h.ports.clone()), Some(vec![554, 8554]));
    }

    #[test]
    fn excludes_hold_for_what_is_found_on_a_link() {
        let exclude: Vec<IpNetwork> = ["fe80::2/128", "fd00:1::/32"].iter().map(|t| t.parse().unwrap()).collect();
        let mut targets = TargetSet::new(vec![], [], [], &exclude);
        targets.link_local_v6 = true;
        for (ip, is_in) in [("fe80::1", true), ("fe80::2", false), ("fd00:1::9", false), ("fd00:2::9", true)] {
            assert_eq!(targets.contains(ip.parse().unwrap()), is_in, "{ip}");
        }
    }

    #[test]
    fn loopback_is_no_link() {
        let of = |first: &str, last: &str| {
            TargetSet::new(vec![], [(first.parse().unwrap(), last.parse().unwrap())], [], &[])
        };
        assert!(of("127.0.0.1", "127.9.9.9").is_loopback_only());
        assert!(!of("126.255.255.255", "127.0.0.1").is_loopback_only());
        assert!(!of("192.0.2.1", "192.0.2.2").is_loopback_only());
    }

    proptest! {
        #[test]
        fn contains_agrees_with_nth(ranges in prop::collection::vec((0u8..=255, 0u8..=255), 0..6), cut in 0u8..=255) {
            let cut = format!("192.0.2.{cut}/30");
            let targets = set(&ranges, &[&cut]);
            let listed: Vec<Ipv4Addr> = (0..targets.ipv4_len()).filter_map(|i| targets.nth_ipv4(i)).collect();
            prop_assert_eq!(listed.len() as u64, targets.ipv4_len());
            for n in 0..=255u8 {
                let ip = Ipv4Addr::new(192, 0, 2, n);
                prop_assert_eq!(targets.contains(ip.into()), listed.contains(&ip));
            }
        }
    }
}
