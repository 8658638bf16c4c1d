//! From targets as written to the addresses of a scan: names are resolved, and without a target the subnets of this
//! machine's interfaces are taken.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use crate::model::memory::NotScanned;
use crate::model::problem::Hinted;
use crate::model::target::limits::{self, UnfitTargets};
use crate::model::{HostTarget, TargetSet, TargetSpec};
use crate::net::{Interface, Net};

/// The largest subnet that is scanned without having been asked for: /20, 4,096 addresses.
pub const LARGEST_FOUND_PREFIX: u8 = 20;

/// Why there is nothing to scan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A name has no address.
    #[error("the host name '{name}' cannot be resolved: {why}")]
    Unresolved {
        /// The name.
        name: String,
        /// What the resolver said.
        why: String,
    },
    /// A network or range where one device is asked for.
    #[error("'{0}' is more than one device")]
    SeveralDevices(String),
    /// No interface has a subnet.
    #[error("no network interface with a subnet is up, so there is nothing to scan")]
    NoSubnet,
    /// Only subnets too large to be scanned unasked.
    #[error("the subnet {0} of this machine has more than 4,096 addresses and is only scanned when asked for")]
    LargeSubnet(IpNetwork),
    /// An interface that was named does not exist or is down.
    #[error("there is no interface '{name}' that is up")]
    NoInterface {
        /// The name.
        name: String,
        /// The names that would do.
        up: String,
    },
    /// The excludes leave nothing.
    #[error("the excludes leave no address to scan")]
    NothingLeft,
    /// They are more than one scan takes on, or written twice.
    #[error(transparent)]
    Unfit(#[from] UnfitTargets),
}

impl Hinted for TargetError {
    fn hints(&self) -> Vec<Cow<'static, str>> {
        vec![match self {
            TargetError::Unresolved { .. } => "check the spelling, or give the address instead".into(),
            TargetError::SeveralDevices(targets) => format!("camscan scan {targets}").into(),
            TargetError::NoSubnet => "connect to a network, or name the targets: camscan scan 192.168.1.0/24".into(),
            TargetError::LargeSubnet(subnet) => format!("camscan scan {subnet}").into(),
            TargetError::NoInterface { up, .. } => format!("the interfaces that are up: {up}").into(),
            TargetError::NothingLeft => "remove an --exclude".into(),
            TargetError::Unfit(unfit) => return unfit.hints(),
        }]
    }
}

impl From<TargetError> for NotScanned {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Unresolved { name, why } => NotScanned::Unresolved { name, why },
            TargetError::SeveralDevices(target) => NotScanned::SeveralDevices { target },
            TargetError::NoSubnet => NotScanned::NoSubnet,
            TargetError::LargeSubnet(subnet) => NotScanned::LargeSubnet { subnet: subnet.to_string() },
            TargetError::NoInterface { name, .. } => NotScanned::NoInterface { name },
            TargetError::NothingLeft => NotScanned::NothingLeft,
            TargetError::Unfit(unfit) => unfit.into(),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The targets as written; none: the subnets of this machine.
    pub specs: &'r [TargetSpec],
    /// Addresses left out.
    pub exclude: &'r [IpNetwork],
    /// Interfaces used; none: all that are up.
    pub interfaces: &'r [String],
    /// Whether subnets found by itself are scanned however large they are.
    pub large_subnets: bool,
}

/// What a set of targets came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The addresses.
    pub targets: TargetSet,
    /// What the operator should know: subnets that were left out, names that were.
    pub warnings: Vec<String>,
}

/// Resolves targets. Every name is asked for once. A name that cannot be resolved is left out with a warning unless it
/// was the only target.
///
/// # Errors
/// See [`TargetError`].
pub async fn resolve(request: &Request<'_>, net: &dyn Net) -> Result<Resolved, TargetError> {
    let Request { specs, exclude, .. } = *request;
    let interfaces = chosen(net.interfaces().unwrap_or_default(), request.interfaces)?;
    if specs.is_empty() {
        return own_subnets(&interfaces, request);
    }
    limits::check(specs, exclude)?;
    let mut warnings = Vec::new();
    let mut ranges: Vec<(Ipv4Addr, Ipv4Addr)> = Vec::new();
    let mut hosts: Vec<HostTarget> = Vec::new();
    let mut failed = None;
    for spec in specs {
        match spec {
            TargetSpec::Network(IpNetwork::V4(_)) | TargetSpec::Range(..) => ranges.extend(spec.ipv4_range()),
            TargetSpec::Network(IpNetwork::V6(v6)) => {
                hosts.extend(v6.iter().map(|ip| host(ip.into(), None, None, None)));
            }
            TargetSpec::Address(..) | TargetSpec::LinkLocal(..) | TargetSpec::Name(..) => match one(spec, net).await {
                Ok(host) => hosts.push(host),
                Err(TargetError::Unresolved { name, why }) => {
                    warnings.push(format!("the host name '{name}' cannot be resolved and is left out: {why}"));
                    failed = Some(TargetError::Unresolved { name, why });
                }
                Err(error) => return Err(error),
            },
        }
    }
    let targets = TargetSet::new(specs.iter().map(ToString::to_string).collect(), ranges, hosts, exclude);
    match (targets.is_empty(), failed) {
        (true, Some(error)) => Err(error),
        (true, None) => Err(TargetError::NothingLeft),
        (false, _) => Ok(Resolved { targets, warnings }),
    }
}

/// Resolves a target that is one device. Of a name with addresses of both families the IPv4 address counts: that is what
/// cameras answer on.
///
/// # Errors
/// [`TargetError::Unresolved`] for a name without an address, [`TargetError::SeveralDevices`] for a network or range,
/// [`TargetError::NoInterface`] for a link-local address of an interface that is not there.
pub async fn one(spec: &TargetSpec, net: &dyn Net) -> Result<HostTarget, TargetError> {
    match spec {
        TargetSpec::Address(ip, port) => Ok(host(*ip, None, None, *port)),
        TargetSpec::LinkLocal(ip, zone, port) => {
            has_interface(zone, net)?;
            Ok(host((*ip).into(), None, Some(zone.clone()), *port))
        }
        TargetSpec::Name(name, port) => {
            let found = net.resolve(name).await;
            let why = found.as_ref().err().map_or("it has no address".to_owned(), ToString::to_string);
            let addresses = found.unwrap_or_default();
            let ip = addresses.iter().find(|ip| ip.is_ipv4()).or(addresses.first());
            ip.map(|ip| host(*ip, Some(name.clone()), None, *port))
                .ok_or_else(|| TargetError::Unresolved { name: name.clone(), why })
        }
        TargetSpec::Network(_) | TargetSpec::Range(..) => Err(TargetError::SeveralDevices(spec.to_string())),
    }
}

fn host(ip: IpAddr, name: Option<String>, zone: Option<String>, port: Option<u16>) -> HostTarget {
    HostTarget { ip, name, zone, ports: port.into_iter().collect() }
}

/// Makes sure that the interface of a link-local address is up, by its name or its index. Where the system does not list them,
/// sending will tell.
fn has_interface(zone: &str, net: &dyn Net) -> Result<(), TargetError> {
    let Ok(up) = net.interfaces() else { return Ok(()) };
    match up.iter().any(|i| i.name == zone || i.index.to_string() == zone) {
        true => Ok(()),
        false => Err(no_interface(zone, &up)),
    }
}

fn no_interface(name: &str, up: &[Interface]) -> TargetError {
    let up: Vec<&str> = up.iter().map(|i| i.name.as_str()).collect();
    TargetError::NoInterface { name: name.to_owned(), up: up.join(", ") }
}

fn chosen(up: Vec<Interface>, wanted: &[String]) -> Result<Vec<Interface>, TargetError> {
    if let Some(missing) = wanted.iter().find(|name| !up.iter().any(|i| i.name == **name)) {
        return Err(no_interface(missing, &up));
    }
    Ok(up.into_iter().filter(|i| wanted.is_empty() || wanted.contains(&i.name)).collect())
}

fn own_subnets(interfaces: &[Interface], request: &Request<'_>) -> Result<Resolved, TargetError> {
    let mut ranges = Vec::new();
    let mut written = Vec::new();
    let mut warnings = Vec::new();
    let mut large = None;
    for interface in interfaces.iter().filter(|i| !i.loopback) {
        for network in interface.addresses.iter().filter_map(|n| match n {
            IpNetwork::V4(v4) if v4.prefix() < 31 && !v4.ip().is_link_local() => Some(v4),
            _ => None,
        }) {
            let subnet = ipnetwork::Ipv4Network::new(network.network(), network.prefix()).unwrap_or(*network);
            if network.prefix() < LARGEST_FOUND_PREFIX && !request.large_subnets {
                warnings.push(format!(
                    "the subnet {subnet} of {} has more than 4,096 addresses and was left out; to scan it, name it: camscan scan {subnet}",
                    interface.name
                ));
                large = Some(TargetError::LargeSubnet(subnet.into()));
            } else if !written.contains(&subnet.to_string()) {
                written.push(subnet.to_string());
                ranges.extend(TargetSpec::Network(subnet.into()).ipv4_range());
            }
        }
    }
    if ranges.is_empty() {
        return Err(large.unwrap_or(TargetError::NoSubnet));
    }
    let mut targets = TargetSet::new(written, ranges, [], request.exclude);
    targets.link_local_v6 = true;
    if targets.is_empty() {
        return Err(TargetError::NothingLeft);
    }
    limits::check_count(targets.len())?;
    Ok(Resolved { targets, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::net::{FakeNet, interface};

    async fn refused(targets: &[&str], own: &[&str]) -> TargetError {
        let net = FakeNet::new();
        net.links.set_interfaces(vec![interface("eth0", 2, own)]);
        let specs: Vec<TargetSpec> = targets.iter().map(|text| text.parse().unwrap()).collect();
        let request = Request { specs: &specs, exclude: &[], interfaces: &[], large_subnets: true };
        resolve(&request, &net).await.unwrap_err()
    }

    #[tokio::test]
    async fn no_way_in_leads_past_the_limits_of_a_scan() {
        let network = |text: &str| text.parse().unwrap();
        let [large, larger]: [TargetSpec; 2] = [network("10.0.0.0/12"), network("10.0.0.0/11")];
        for (targets, unfit) in [
            (&["2001:db8::/64"][..], UnfitTargets::LargeIpv6("2001:db8::/64".parse().unwrap())),
            (&["2001:db8::/119"], UnfitTargets::LargeIpv6("2001:db8::/119".parse().unwrap())),
            (&["10.0.0.0/8"], UnfitTargets::TooMany((1 << 24) - 2)),
            (&["10.0.0.0/12", "10.0.0.0/11"], UnfitTargets::Overlap(large, larger)),
        ] {
            assert_eq!(refused(targets, &[]).await, TargetError::Unfit(unfit), "{targets:?}");
        }
        // Also the subnets of this machine, however large ones are asked for.
        let own = refused(&[], &["10.0.0.7/8"]).await;
        assert_eq!(own, TargetError::Unfit(UnfitTargets::TooMany((1 << 24) - 2)));
    }

    #[tokio::test]
    async fn a_link_local_address_needs_an_interface_that_is_there() {
        let none = refused(&["192.0.2.7", "fe80::1%nonexist"], &["192.0.2.1/24"]).await;
        assert_eq!(none, TargetError::NoInterface { name: "nonexist".to_owned(), up: "eth0".to_owned() });
        let net = FakeNet::new();
        net.links.set_interfaces(vec![interface("eth0", 2, &["192.0.2.1/24"])]);
        for zone in ["eth0", "2"] {
            let spec = format!("fe80::1%{zone}").parse().unwrap();
            assert_eq!(one(&spec, &net).await.unwrap().zone.as_deref(), Some(zone));
        }
    }
}
