//! From targets as written to the addresses of a scan: names are resolved, and without a target the subnets of this
//! machine's interfaces are taken.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use crate::model::memory::NotScanned;
use crate::model::problem::Hinted;
use crate::model::{HostTarget, TargetSet, TargetSpec};
use crate::net::{Interface, Names, Net};

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
}

impl Hinted for TargetError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            TargetError::Unresolved { .. } => "check the spelling, or give the address instead".into(),
            TargetError::SeveralDevices(targets) => format!("camscan scan {targets}").into(),
            TargetError::NoSubnet => "connect to a network, or name the targets: camscan scan 192.168.1.0/24".into(),
            TargetError::LargeSubnet(subnet) => format!("camscan scan {subnet}").into(),
            TargetError::NoInterface { up, .. } => format!("the interfaces that are up: {up}").into(),
            TargetError::NothingLeft => "remove an --exclude".into(),
        })
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
/// [`TargetError::Unresolved`] for a name without an address, [`TargetError::SeveralDevices`] for a network or range.
pub async fn one(spec: &TargetSpec, net: &dyn Names) -> Result<HostTarget, TargetError> {
    match spec {
        TargetSpec::Address(ip, port) => Ok(host(*ip, None, None, *port)),
        TargetSpec::LinkLocal(ip, zone, port) => Ok(host((*ip).into(), None, Some(zone.clone()), *port)),
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

fn chosen(up: Vec<Interface>, wanted: &[String]) -> Result<Vec<Interface>, TargetError> {
    for name in wanted {
        if !up.iter().any(|i| i.name == *name) {
            let up: Vec<&str> = up.iter().map(|i| i.name.as_str()).collect();
            return Err(TargetError::NoInterface { name: name.clone(), up: up.join(", ") });
        }
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
    Ok(Resolved { targets, warnings })
}
