//! What the hosts told that share one address: three cameras out of the box at 192.168.1.108, or a camera at the gateway's
//! address. Each is known by the MAC address it states or the link shows.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::model::{FindingKind, HostRecord, MacAddr, Method};
use crate::text::steps;

/// Hosts at one address that are told apart; more is an attack.
const MOST: usize = 64;

/// What is known of an address with at least one host that gave a MAC address.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// What was found of the address without saying of which of its hosts.
    pub unclaimed: HostRecord,
    by_mac: BTreeMap<MacAddr, HostRecord>,
    /// The MAC addresses of each host that shares the address, until more is learnt: much is compared, and it is asked for
    /// often.
    apart: OnceLock<Vec<Vec<MacAddr>>>,
}

impl Claims {
    /// None yet, at an address of which so much is known.
    pub(super) fn new(unclaimed: HostRecord) -> Self {
        Claims { unclaimed, ..Claims::default() }
    }

    /// Adds what one of the hosts told. Beyond the most, those with the least MAC addresses stay, whatever the order.
    pub(super) fn learn(&mut self, mac: MacAddr, kind: FindingKind) {
        self.forget();
        self.by_mac.entry(mac).or_default().learn(kind);
        if self.by_mac.len() > MOST {
            self.by_mac.pop_last();
        }
    }

    /// Whether a further MAC address is one more that is kept.
    pub(super) fn grows_by(&self, mac: MacAddr) -> bool {
        self.by_mac.len() < MOST && !self.by_mac.contains_key(&mac)
    }

    /// Compares the claims again when asked next: what is known of other addresses has changed.
    pub(super) fn forget(&mut self) {
        self.apart.take();
    }

    /// Whether several hosts share the address; see [`Claims::hosts`].
    pub(super) fn are_several(&self, is_elsewhere: impl Fn(MacAddr) -> bool) -> bool {
        !self.apart(is_elsewhere).is_empty()
    }

    /// The hosts told apart, each with all it told; none where everything may come from one. `is_elsewhere` says whether a
    /// MAC address is claimed for another address too: that of a router that answers for others, which shares no address.
    pub(super) fn hosts(&self, is_elsewhere: impl Fn(MacAddr) -> bool) -> Vec<(MacAddr, HostRecord)> {
        let claim = |mac: &MacAddr| self.by_mac.get_key_value(mac).map(|(mac, record)| (*mac, record));
        let hosts = self.apart(is_elsewhere).iter();
        hosts.filter_map(|host| merged(&host.iter().filter_map(claim).collect::<Vec<_>>())).collect()
    }

    fn apart(&self, is_elsewhere: impl Fn(MacAddr) -> bool) -> &[Vec<MacAddr>] {
        self.apart.get_or_init(|| {
            let is_router = |(mac, record): &(MacAddr, &HostRecord)| {
                record.methods().iter().all(|method| *method == Method::Arp) && is_elsewhere(*mac)
            };
            let mut hosts: Vec<Vec<(MacAddr, &HostRecord)>> = Vec::new();
            // A router's word is about no host in particular.
            for claim in self.by_mac.iter().map(|(mac, record)| (*mac, record)).filter(|claim| !is_router(claim)) {
                let linked = hosts.iter().position(|host| host.iter().any(|known| is_link_of(*known, claim)));
                let same = || hosts.iter().position(|host| !host.iter().any(|known| are_two(*known, claim)));
                match linked.or_else(same).and_then(|at| hosts.get_mut(at)) {
                    Some(host) => host.push(claim),
                    None => hosts.push(vec![claim]),
                }
            }
            if hosts.len() < 2 {
                hosts.clear();
            }
            hosts.into_iter().map(|host| host.into_iter().map(|(mac, _)| mac).collect()).collect()
        })
    }
}

/// One record of all that a host told, under the MAC address it states; where it states none, the link's.
fn merged(host: &[(MacAddr, &HostRecord)]) -> Option<(MacAddr, HostRecord)> {
    let stated = host.iter().find(|(mac, record)| record.stated_mac() == Some(*mac));
    let (mac, _) = stated.or_else(|| host.first())?;
    let mut all = HostRecord::new();
    host.iter().for_each(|(_, record)| {
        steps::look_at(1);
        all.absorb(record);
    });
    Some((*mac, all))
}

/// Whether one of the two is what the link shows of the other.
fn is_link_of(a: (MacAddr, &HostRecord), b: (MacAddr, &HostRecord)) -> bool {
    a.1.link_mac() == Some(b.0) || b.1.link_mac() == Some(a.0)
}

/// Whether two MAC addresses at one address are two hosts. A host may state another MAC address than the link shows, so that
/// only what both say in the same way, or what contradicts itself, tells them apart.
fn are_two(a: (MacAddr, &HostRecord), b: (MacAddr, &HostRecord)) -> bool {
    steps::look_at(1);
    let serials = a.1.serial().zip(b.1.serial());
    let endpoints = a.1.endpoint_id().zip(b.1.endpoint_id());
    if is_link_of(a, b) || serials.is_some_and(|(a, b)| a == b) || endpoints.is_some_and(|(a, b)| a == b) {
        return false;
    }
    serials.is_some() || !a.1.methods().is_disjoint(b.1.methods())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Evidence, EvidenceSource, Fact};

    fn mac(n: u8) -> MacAddr {
        MacAddr([0x3c, 0xef, 0x8c, 0, 0, n])
    }

    fn serial(text: &str) -> FindingKind {
        FindingKind::Evidence(Evidence::new(Fact::Serial, text, EvidenceSource::Beacon, 0.8))
    }

    fn seen(method: Method) -> FindingKind {
        FindingKind::Seen(method)
    }

    /// How many hosts these claims are of, and their MAC addresses.
    fn hosts(claims: &[(u8, FindingKind)], elsewhere: &[u8]) -> Vec<u8> {
        let mut known = Claims::default();
        claims.iter().for_each(|(n, kind)| known.learn(mac(*n), kind.clone()));
        known.hosts(|mac| elsewhere.contains(&mac.0[5])).iter().map(|(mac, _)| mac.0[5]).collect()
    }

    #[test]
    fn who_shares_an_address_is_told_apart() {
        use Method::{Arp, Beacon, Mdns};
        let stated = |n| (n, FindingKind::StatedMac(mac(n)));
        let link = |of, n| (of, FindingKind::Mac(mac(n)));
        for (name, claims, elsewhere, expected) in [
            ("one host", vec![(1, seen(Arp)), link(1, 1)], vec![], vec![]),
            (
                "three that answer one maker's question",
                (1..=3).flat_map(|n| [(n, seen(Beacon)), stated(n)]).collect(),
                vec![],
                vec![1, 2, 3],
            ),
            ("two that answer ARP", vec![(1, seen(Arp)), link(1, 1), (2, seen(Arp)), link(2, 2)], vec![], vec![1, 2]),
            (
                "a host and a router that answers for it",
                vec![(1, seen(Arp)), link(1, 1), (2, seen(Arp)), link(2, 2)],
                vec![2],
                vec![],
            ),
            (
                "a host behind a repeater",
                vec![(1, seen(Beacon)), stated(1), (2, seen(Arp)), link(2, 2)],
                vec![],
                vec![],
            ),
            (
                "two hosts behind a repeater",
                vec![(1, seen(Beacon)), link(1, 9), (2, seen(Beacon)), link(2, 9), (9, seen(Arp)), link(9, 9)],
                vec![],
                vec![1, 2],
            ),
            (
                "one host that states two MAC addresses",
                vec![(1, seen(Beacon)), stated(1), (2, seen(Mdns)), stated(2)],
                vec![],
                vec![],
            ),
            (
                "one serial number",
                vec![(1, seen(Beacon)), (1, serial("a")), (2, seen(Beacon)), (2, serial("a"))],
                vec![],
                vec![],
            ),
            (
                "two serial numbers",
                vec![(1, seen(Beacon)), (1, serial("a")), (2, seen(Mdns)), (2, serial("b"))],
                vec![],
                vec![1, 2],
            ),
        ] {
            assert_eq!(hosts(&claims, &elsewhere), expected, "{name}");
            let backwards: Vec<_> = claims.into_iter().rev().collect();
            assert_eq!(hosts(&backwards, &elsewhere), expected, "{name}, backwards");
        }
    }

    #[test]
    fn hosts_at_one_address_are_bounded() {
        let claims: Vec<_> = (0..=255).map(|n| (n, seen(Method::Beacon))).collect();
        assert_eq!(hosts(&claims, &[]).len(), MOST);
    }
}
