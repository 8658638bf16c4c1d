//! What all sweeps over addresses share: lists that know their size without being spelled out, an order that puts no
//! burst on one device, and which addresses are on which link.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::{IpNetwork, Ipv4Network};

use crate::model::TargetSet;
use crate::net::Interface;
use crate::probe::DiscoveryContext;

/// IPv4 addresses as inclusive ranges, sorted and disjoint, each reachable by its place in the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressList {
    /// First, last, and how many addresses the list has up to and including this range.
    ranges: Vec<(u32, u32, u64)>,
}

impl AddressList {
    /// The list of inclusive ranges that are sorted and disjoint already.
    fn from_sorted(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut up_to = 0;
        let ranges = ranges.into_iter().map(|(first, last)| {
            up_to += u64::from(last - first) + 1;
            (first, last, up_to)
        });
        AddressList { ranges: ranges.collect() }
    }

    /// All IPv4 addresses of a target set.
    pub fn of_targets(targets: &TargetSet) -> Self {
        AddressList::from_sorted(targets.ranges().map(|(a, b)| (u32::from(a), u32::from(b))))
    }

    /// The list of these addresses.
    pub fn of(addresses: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let mut sorted: Vec<u32> = addresses.into_iter().map(u32::from).collect();
        sorted.sort_unstable();
        sorted.dedup();
        AddressList::from_sorted(sorted.into_iter().map(|n| (n, n)))
    }

    /// How many addresses there are.
    pub fn len(&self) -> u64 {
        self.ranges.last().map_or(0, |&(_, _, up_to)| up_to)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The address at a place, 0-based.
    pub fn nth(&self, place: u64) -> Option<Ipv4Addr> {
        let range = self.ranges.partition_point(|&(_, _, up_to)| up_to <= place);
        let &(_, last, up_to) = self.ranges.get(range)?;
        // From the end, since the sum counts the whole range.
        let from_end = u32::try_from(up_to - 1 - place).ok()?;
        last.checked_sub(from_end).map(Ipv4Addr::from)
    }

    /// Whether the address is in the list.
    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        let n = u32::from(ip);
        let after = self.ranges.partition_point(|&(first, _, _)| first <= n);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|&(_, last, _)| n <= last)
    }

    /// The addresses that are also between `first` and `last`, both included.
    pub fn within(&self, first: Ipv4Addr, last: Ipv4Addr) -> Self {
        let (first, last) = (u32::from(first), u32::from(last));
        let overlap = |&(a, b, _): &(u32, u32, u64)| (a <= last && b >= first).then(|| (a.max(first), b.min(last)));
        AddressList::from_sorted(self.ranges.iter().filter_map(overlap))
    }

    /// The addresses that are not between `first` and `last`, both included.
    pub fn without(&self, first: Ipv4Addr, last: Ipv4Addr) -> Self {
        let (first, last) = (u32::from(first), u32::from(last));
        let left = self.ranges.iter().flat_map(|&(a, b, _)| {
            let before = first.checked_sub(1).map(|end| (a, b.min(end))).filter(|(a, b)| a <= b);
            let after = last.checked_add(1).map(|start| (a.max(start), b)).filter(|(a, b)| a <= b);
            [before, after].into_iter().flatten()
        });
        AddressList::from_sorted(left)
    }

    /// The addresses in an order of their places.
    pub fn in_order(&self, order: Permutation) -> impl Iterator<Item = Ipv4Addr> + Send + '_ {
        order.filter_map(|place| self.nth(place))
    }
}

/// Every number below `len` exactly once, each far from the one before: steps of about the golden section of the
/// length, which is made coprime to it.
#[derive(Debug, Clone)]
pub struct Permutation {
    len: u64,
    step: u64,
    at: u64,
    left: u64,
}

impl Permutation {
    /// The order for a length; starts anywhere, so that two scans don't begin with the same device.
    pub fn new(len: u64) -> Self {
        let mut step = ((len as f64 * 0.618_033_988_749_895) as u64).clamp(1, len.max(1));
        while len > 1 && greatest_common_divisor(step, len) != 1 {
            step -= 1;
        }
        Permutation { len, step: step.max(1), at: fastrand::u64(..len.max(1)), left: len }
    }
}

impl Iterator for Permutation {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        let now = self.at;
        self.at = (self.at + self.step) % self.len;
        Some(now)
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The targets on one network of one interface whose neighbours can be asked for by ARP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The interface.
    pub interface: Interface,
    /// The interface's address on the network.
    pub source: Ipv4Addr,
    /// The targets on it, without this machine's own addresses and those that stand for the network as a whole.
    pub addresses: AddressList,
    /// This machine's own addresses on it that are targets.
    pub own: Vec<Ipv4Addr>,
    /// Whether the addresses are asked for by another interface already: two lead to the same network.
    pub again: bool,
}

/// The segments the targets touch.
pub fn segments(targets: &AddressList, interfaces: &[Interface]) -> Vec<Segment> {
    let mut found: Vec<Segment> = Vec::new();
    for interface in interfaces.iter().filter(|i| i.mac.is_some() && !i.loopback && !i.point_to_point) {
        let mut networks: Vec<Ipv4Network> = Vec::new();
        for address in &interface.addresses {
            let IpNetwork::V4(net) = *address else { continue };
            // A second address on a network is no second network.
            if net.prefix() == 32 || networks.iter().any(|n| (n.network(), n.prefix()) == (net.network(), net.prefix()))
            {
                continue;
            }
            networks.push(net);
            if let Some(mut segment) = segment(targets, interface, net) {
                segment.again = found.iter().any(|s| s.addresses == segment.addresses);
                found.push(segment);
            }
        }
    }
    found
}

fn segment(targets: &AddressList, interface: &Interface, net: Ipv4Network) -> Option<Segment> {
    let (mut first, mut last) = (net.network(), net.broadcast());
    if net.prefix() < 31 {
        (first, last) = (Ipv4Addr::from(u32::from(first) + 1), Ipv4Addr::from(u32::from(last) - 1));
    }
    let inside = targets.within(first, last);
    let mine = interface.addresses.iter().filter_map(|a| match a.ip() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    let own: Vec<Ipv4Addr> = mine.filter(|ip| inside.contains(*ip)).collect();
    let addresses = own.iter().fold(inside, |left, ip| left.without(*ip, *ip));
    let is_touched = !own.is_empty() || !addresses.is_empty();
    is_touched.then(|| Segment { interface: interface.clone(), source: net.ip(), addresses, own, again: false })
}

/// The targets that are on no network where ARP can ask for them.
pub fn off_link(targets: &AddressList, interfaces: &[Interface]) -> AddressList {
    segments(targets, interfaces).iter().fold(targets.clone(), |left, segment| {
        let left = segment.addresses.ranges.iter().fold(left, |l, &(a, b, _)| l.without(a.into(), b.into()));
        segment.own.iter().fold(left, |l, ip| l.without(*ip, *ip))
    })
}

/// Notes the interfaces that the targets' link-local addresses were written with.
pub fn note_zones(context: &DiscoveryContext) {
    for host in context.plan.targets.hosts() {
        let Some(zone) = &host.zone else { continue };
        let by_name = context.interfaces.iter().find(|i| i.name == *zone).map(|i| i.index);
        if let Some(index) = by_name.or_else(|| zone.parse().ok()) {
            context.net.note_zone(host.ip, index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::testkit::net::interface;

    fn list(ranges: &[(&str, &str)]) -> AddressList {
        let number = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
        AddressList::from_sorted(ranges.iter().map(|(a, b)| (number(a), number(b))))
    }

    #[test]
    fn targets_fall_to_the_link_they_are_on() {
        let targets = list(&[("192.0.2.0", "192.0.2.255"), ("198.51.100.10", "198.51.100.19")]);
        let lo = Interface { loopback: true, mac: None, ..interface("lo", 2, &["127.0.0.1/8"]) };
        let tunnel = Interface { point_to_point: true, ..interface("tun0", 2, &["198.51.100.1/24"]) };
        let interfaces = [lo, interface("eth0", 2, &["192.0.2.7/25", "2001:db8::7/64"]), tunnel];
        let found = segments(&targets, &interfaces);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].interface.name, "eth0");
        assert_eq!(found[0].own, [Ipv4Addr::new(192, 0, 2, 7)]);
        assert_eq!(found[0].addresses, list(&[("192.0.2.1", "192.0.2.6"), ("192.0.2.8", "192.0.2.126")]));
        let elsewhere =
            [("192.0.2.0", "192.0.2.0"), ("192.0.2.127", "192.0.2.255"), ("198.51.100.10", "198.51.100.19")];
        assert_eq!(off_link(&targets, &interfaces), list(&elsewhere));
    }

    #[test]
    fn each_network_is_one_segment_however_many_addresses_and_interfaces_lead_to_it() {
        let targets = list(&[("192.0.2.0", "192.0.2.9")]);
        let interfaces =
            [interface("eth0", 2, &["192.0.2.7/24", "192.0.2.8/24"]), interface("wlan0", 2, &["192.0.2.9/24"])];
        let found = segments(&targets, &interfaces);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].own.len(), 2);
        assert_eq!(found[0].addresses.len(), 7);
        assert!(!found[0].again);
        assert_eq!(found[1].own.len(), 1);
    }

    #[test]
    fn the_ends_of_the_address_space_are_addresses_too() {
        let all = list(&[("0.0.0.0", "255.255.255.255")]);
        assert_eq!(all.len(), 1 << 32);
        assert_eq!(all.nth((1 << 32) - 1), Some(Ipv4Addr::BROADCAST));
        assert_eq!(all.without(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST).len(), 0);
        assert_eq!(all.nth(1 << 32), None);
    }

    proptest! {
        #[test]
        fn a_permutation_has_every_number_once(len in 0u64..5000) {
            let seen: Vec<u64> = Permutation::new(len).collect();
            prop_assert_eq!(seen.len() as u64, len);
            prop_assert!(seen.iter().all(|&n| n < len));
            prop_assert_eq!(seen.iter().collect::<HashSet<_>>().len() as u64, len);
        }

        #[test]
        fn neighbours_are_asked_far_apart(len in 64u64..70_000) {
            let step = Permutation::new(len).step;
            prop_assert!(step.min(len - step) > len / 4, "{step}");
        }

        #[test]
        fn lists_agree_with_sets(ranges in prop::collection::vec((0u32..60, 0u32..20), 0..6), cut in 0u32..80, size in 0u32..30) {
            let all: HashSet<u32> = ranges.iter().flat_map(|&(a, n)| a..=a + n).collect();
            let addresses = AddressList::of(all.iter().map(|&n| Ipv4Addr::from(n)));
            let listed: Vec<u32> = (0..addresses.len()).filter_map(|p| addresses.nth(p)).map(u32::from).collect();
            prop_assert_eq!(listed.len(), all.len());
            prop_assert!(listed.is_sorted());
            let (first, last) = (Ipv4Addr::from(cut), Ipv4Addr::from(cut + size));
            for n in 0..120u32 {
                let ip = Ipv4Addr::from(n);
                let inside = n >= cut && n <= cut + size;
                prop_assert_eq!(addresses.contains(ip), all.contains(&n));
                prop_assert_eq!(addresses.within(first, last).contains(ip), all.contains(&n) && inside);
                prop_assert_eq!(addresses.without(first, last).contains(ip), all.contains(&n) && !inside);
            }
        }
    }
}
