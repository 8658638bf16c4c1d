//! What this machine can see of the networks around it: by its links and routes, by gateways, and by any host that answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::history::memory::{DeviceState, Known, Memory, OnLink, Sight, Vantage};
use crate::model::Method;
use crate::model::memory::{Around, Gateway};
use crate::net::route::{Route, route_to};
use crate::net::{Interface, Links};

/// Devices of a network that are asked beside those that are missing, …
const DEVICES: usize = 3;
/// … hosts of it that are no cameras, …
const HOSTS: usize = 8;
/// … and gateways.
const GATEWAYS: usize = 2;
/// Hosts that are kept of scans.
const MOST_HOSTS: usize = 4_096;

/// The links and routes of this machine, as they are at one moment.
#[derive(Debug, Default)]
pub(super) struct Ways {
    interfaces: Vec<Interface>,
    /// None where the system does not say.
    routes: Option<Vec<Route>>,
    asks_by_arp: bool,
}

/// How a network is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Not at all: the link is down, or no route leads there.
    None,
    /// It is on a link of this machine, with these gateways.
    OnLink(Vec<IpAddr>),
    /// It is behind this gateway, where one is known.
    Behind(Option<IpAddr>),
}

impl Ways {
    /// Those of this machine now.
    pub(super) async fn read(net: &dyn Links, methods: &[Method]) -> Ways {
        Ways {
            interfaces: net.interfaces().unwrap_or_default(),
            routes: net.routes().await.ok(),
            asks_by_arp: methods.contains(&Method::Arp),
        }
    }

    /// How a network is reached on which this machine was when it was last scanned, or was not.
    pub(super) fn to(&self, network: IpNetwork, link: Option<&OnLink>) -> Way {
        let is_on = |own: &&IpNetwork| own.contains(network.ip()) || network.contains(own.ip());
        let linked = self.interfaces.iter().find(|interface| interface.addresses.iter().any(|own| is_on(&own)));
        if let Some(interface) = linked {
            return Way::OnLink(self.gateways(interface, network));
        }
        // The default route would lead there by another interface, and the answer of its gateway would speak for a network that
        // it is not on.
        if link.is_some() {
            return Way::None;
        }
        match &self.routes {
            Some(routes) => match route_to(routes, network.ip()).filter(|route| self.is_up(route.interface)) {
                Some(route) => Way::Behind(route.gateway.filter(|ip| self.can_be_asked(*ip))),
                None => Way::None,
            },
            None if self.interfaces.iter().any(|interface| !interface.loopback) => Way::Behind(None),
            None => Way::None,
        }
    }

    fn gateways(&self, interface: &Interface, network: IpNetwork) -> Vec<IpAddr> {
        let routes = self.routes.iter().flatten().filter(|route| route.interface == interface.index);
        let on_it = routes.filter_map(|route| route.gateway).filter(|ip| network.contains(*ip));
        let gateways: BTreeSet<IpAddr> = on_it.filter(|ip| self.can_be_asked(*ip)).collect();
        gateways.into_iter().take(GATEWAYS).collect()
    }

    /// Whether the silence of a gateway says anything: one on a link with neighbours answers ARP as long as it is there. What is
    /// at the other end of a VPN, or is asked otherwise, may answer to nothing at all.
    fn can_be_asked(&self, ip: IpAddr) -> bool {
        let has_neighbours = |interface: &&Interface| interface.mac.is_some() && !interface.point_to_point;
        let mut linked = self.interfaces.iter().filter(|interface| interface.is_on_link(ip));
        self.asks_by_arp && ip.is_ipv4() && !self.is_own(ip) && linked.any(|interface| has_neighbours(&interface))
    }

    fn is_up(&self, index: u32) -> bool {
        self.interfaces.iter().any(|interface| interface.index == index)
    }

    /// Whether an address is one of this machine: it answers whatever becomes of the network.
    pub(super) fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.interfaces.iter().flat_map(|interface| &interface.addresses).any(|own| own.ip() == ip)
    }
}

/// Why this machine cannot see a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CutOff {
    /// This interface has no link, or no address on the network any more.
    NoLink(String),
    /// No route leads there.
    NoRoute,
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CutOff::NoLink(interface) => write!(f, "{interface} has no link, or no address on it any more"),
            CutOff::NoRoute => f.write_str("no route leads there"),
        }
    }
}

/// What is around this machine, as far as it is not remembered.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Hosts that answered to the last scan.
    pub(super) hosts: BTreeSet<IpAddr>,
    cut_off: BTreeSet<IpNetwork>,
}

impl Surroundings {
    /// Says when a network can be seen no longer, and when it can again.
    pub(super) fn note(&mut self, networks: &[(IpNetwork, Option<CutOff>)]) {
        for (network, why) in networks {
            match why {
                Some(why) if self.cut_off.insert(*network) => tracing::warn!(
                    "this machine cannot see {network}: {why}\nhint: no device of it counts as missing meanwhile"
                ),
                None if self.cut_off.remove(network) => tracing::warn!("this machine can see {network} again"),
                _ => {}
            }
        }
    }

    /// Takes the hosts over that answered to a scan of all that is watched, or of a part of it.
    pub(super) fn heard(&mut self, hosts: BTreeSet<IpAddr>, is_whole: bool) {
        if is_whole {
            self.hosts.clear();
        }
        let room = MOST_HOSTS.saturating_sub(self.hosts.len());
        self.hosts.extend(hosts.into_iter().take(room));
    }
}

/// What is asked beside the devices of a network that are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Witnesses {
    link: Option<OnLink>,
    devices: Vec<IpAddr>,
    hosts: Vec<IpAddr>,
    gateways: Vec<IpAddr>,
    is_behind: bool,
    is_cut_off: bool,
}

impl Witnesses {
    /// Those of a network: devices of it that are not missing, those that answered last first, and hosts that a scan heard.
    pub(super) fn new(
        memory: &Memory,
        network: IpNetwork,
        missing: &BTreeSet<IpAddr>,
        hosts: &BTreeSet<IpAddr>,
    ) -> Self {
        let is_asked = |known: &&Known| {
            let is_listed = known.archived_at.is_none() && known.device.reach.is_none();
            let is_missing = known.health.state == DeviceState::Offline || missing.contains(&known.device.ip);
            is_listed && !is_missing && memory.network_of(known.device.ip) == Some(network)
        };
        let is_there = |known: &Known| known.health.state == DeviceState::Online && known.health.misses == 0;
        let mut devices: Vec<(bool, IpAddr)> =
            memory.roots().filter(is_asked).map(|known| (!is_there(known), known.device.ip)).collect();
        devices.sort_unstable();
        let addresses: BTreeSet<IpAddr> = memory.roots().map(|known| known.device.ip).collect();
        let hosts = hosts.iter().filter(|ip| network.contains(**ip) && !addresses.contains(ip)).copied();
        Witnesses {
            link: memory.networks.get(&network).and_then(|health| health.link.clone()),
            devices: devices.into_iter().map(|(_, ip)| ip).take(DEVICES).collect(),
            hosts: hosts.take(HOSTS).collect(),
            ..Witnesses::default()
        }
    }

    /// Adds the gateways by which the network is reached now, and takes out what must not be asked or proves nothing.
    pub(super) fn by(&mut self, network: IpNetwork, ways: &Ways, is_excluded: &dyn Fn(IpAddr) -> bool) {
        match ways.to(network, self.link.as_ref()) {
            Way::None => self.is_cut_off = true,
            Way::OnLink(gateways) => self.gateways = gateways,
            Way::Behind(gateway) => (self.is_behind, self.gateways) = (true, gateway.into_iter().collect()),
        }
        let (devices, hosts, gateways) = (&mut self.devices, &mut self.hosts, &mut self.gateways);
        gateways.retain(|ip| !is_excluded(*ip));
        devices.retain(|ip| !ways.is_own(*ip) && !is_excluded(*ip));
        hosts.retain(|ip| !ways.is_own(*ip) && !is_excluded(*ip) && !gateways.contains(ip));
    }

    /// All that is asked.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.devices.iter().chain(&self.hosts).chain(&self.gateways).copied()
    }

    /// What can be seen of the network, by what answered.
    pub(super) fn vantage(&self, answers: &dyn Fn(IpAddr) -> bool) -> Vantage {
        if self.is_cut_off {
            return Vantage::Blind;
        }
        let count = |all: &[IpAddr]| all.iter().filter(|ip| answers(**ip)).count();
        let answering = self.gateways.iter().find(|ip| answers(**ip));
        let gateway = answering.or(self.gateways.first()).map(|ip| Gateway {
            ip: *ip,
            is_on_way: self.is_behind,
            answers: answering.is_some(),
        });
        let (devices, hosts) = (count(&self.devices), count(&self.hosts));
        let around = Around { gateway, hosts: hosts as u64 };
        let is_gateway_seen = answering.is_some();
        let of_network = devices > 0 || hosts > 0 || is_gateway_seen && !self.is_behind;
        // Hosts come and go, so that their silence proves nothing; nor does that of a device or gateway that is not known.
        let is_silent = !self.devices.is_empty() || gateway.is_some() && !is_gateway_seen;
        if !of_network && is_silent { Vantage::Silent(around) } else { Vantage::Clear(around) }
    }

    /// Why the network cannot be seen, where it cannot.
    pub(super) fn cut_off(&self) -> Option<CutOff> {
        self.is_cut_off.then(|| match &self.link {
            Some(link) => CutOff::NoLink(link.interface.clone()),
            None => CutOff::NoRoute,
        })
    }
}

/// What could be seen meanwhile of the networks of all devices, by a scan to which these addresses answered. That nothing
/// answers is decided by the questions that follow, which ask gateways too.
pub(super) fn during(hosts: &BTreeSet<IpAddr>, memory: &Memory, ways: &Ways) -> Sight {
    let heard = hosts.iter().filter(|ip| !ways.is_own(**ip)).filter_map(|ip| memory.network_of(*ip));
    let heard: BTreeSet<IpNetwork> = heard.collect();
    let networks = memory.roots().filter_map(|known| memory.network_of(known.device.ip));
    let networks: BTreeSet<IpNetwork> = networks.collect();
    let vantage = |network: IpNetwork| {
        if network.ip().is_loopback() {
            return Vantage::CLEAR;
        }
        let link = memory.networks.get(&network).and_then(|health| health.link.as_ref());
        match ways.to(network, link) {
            Way::None => Vantage::Blind,
            _ if heard.contains(&network) => Vantage::CLEAR,
            _ => Vantage::Silent(Around::NOTHING),
        }
    };
    Sight::new(networks.into_iter().map(|network| (network, vantage(network))).collect::<BTreeMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::net::interface;

    #[test]
    fn a_gateway_is_asked_where_its_silence_says_something() {
        let tunnel = Interface { point_to_point: true, mac: None, ..interface("tun0", 3, &["198.51.100.1/24"]) };
        let interfaces = vec![interface("eth0", 2, &["192.0.2.1/24", "2001:db8::1/64"]), tunnel];
        let route = |to: &str, gateway: &str, interface| Route {
            to: to.parse().unwrap(),
            gateway: Some(gateway.parse().unwrap()),
            interface,
            metric: 0,
        };
        let routes = Some(vec![
            route("10.1.0.0/16", "192.0.2.254", 2),
            route("10.2.0.0/16", "198.51.100.2", 3),
            route("10.3.0.0/16", "192.0.2.1", 2),
            route("10.4.0.0/16", "203.0.113.1", 9),
            route("2001:db8:1::/48", "fe80::1", 2),
        ]);
        let mut ways = Ways { interfaces, routes, asks_by_arp: true };
        let gateway: IpAddr = "192.0.2.254".parse().unwrap();
        let eth0 = OnLink { interface: "eth0".to_owned(), ip: [10, 1, 5, 1].into() };
        for (network, link, expected) in [
            ("192.0.2.0/24", None, Way::OnLink(vec![gateway])),
            ("10.1.5.0/24", None, Way::Behind(Some(gateway))),
            // This machine was on it: its default route does not speak for it.
            ("10.1.5.0/24", Some(&eth0), Way::None),
            ("10.2.5.0/24", None, Way::Behind(None)),
            ("10.3.5.0/24", None, Way::Behind(None)),
            ("10.4.5.0/24", None, Way::None),
            ("10.5.5.0/24", None, Way::None),
            ("2001:db8:1:2::/64", None, Way::Behind(None)),
        ] {
            assert_eq!(ways.to(network.parse().unwrap(), link), expected, "{network}");
        }
        ways.asks_by_arp = false;
        assert_eq!(ways.to("10.1.5.0/24".parse().unwrap(), None), Way::Behind(None), "echo alone may stay unanswered");
    }
}
