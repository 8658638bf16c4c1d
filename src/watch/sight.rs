//! What this machine can see of the networks around it: by its links and routes, by gateways, and by any host that answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::history::memory::{DeviceState, Known, Memory, OnLink, Sight, Vantage};
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
    pub(super) async fn read(net: &dyn Links) -> Ways {
        Ways { interfaces: net.interfaces().unwrap_or_default(), routes: net.routes().await.ok() }
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
                Some(route) => Way::Behind(route.gateway),
                None => Way::None,
            },
            None if self.interfaces.iter().any(|interface| !interface.loopback) => Way::Behind(None),
            None => Way::None,
        }
    }

    fn gateways(&self, interface: &Interface, network: IpNetwork) -> Vec<IpAddr> {
        let routes = self.routes.iter().flatten().filter(|route| route.interface == interface.index);
        let on_it = routes.filter_map(|route| route.gateway).filter(|ip| network.contains(*ip));
        let gateways: BTreeSet<IpAddr> = on_it.filter(|ip| !self.is_own(*ip)).collect();
        gateways.into_iter().take(GATEWAYS).collect()
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
            let is_of_network = memory.network_of(known.device.ip) == Some(network);
            is_listed
                && is_of_network
                && known.health.state != DeviceState::Offline
                && !missing.contains(&known.device.ip)
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
        devices.retain(|ip| !ways.is_own(*ip));
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
