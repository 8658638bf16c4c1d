//! What one scan takes on. Targets of every origin pass here before an address of them is asked.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::{IpNetwork, Ipv6Network};

use super::{HostTarget, TargetSet, TargetSpec};
use crate::model::problem::Hinted;

/// The most addresses one scan looks at: 2^20, an IPv4 network of /12.
pub const MOST_ADDRESSES: u64 = 1 << 20;
/// The shortest IPv6 prefix that is spelled out: 256 addresses.
pub const SHORTEST_IPV6_PREFIX: u8 = 120;

/// Why targets make no scan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitTargets {
    /// An IPv6 network that is too large to be spelled out.
    #[error("the IPv6 network {0} has too many addresses to scan one by one")]
    LargeIpv6(Ipv6Network),
    /// Two targets have addresses in common.
    #[error("the targets {0} and {1} overlap")]
    Overlap(TargetSpec, TargetSpec),
    /// More addresses than [`MOST_ADDRESSES`].
    #[error("the targets hold {0} addresses, more than the {MOST_ADDRESSES} of one scan")]
    TooMany(u64),
    /// The excludes leave nothing.
    #[error("the excludes leave no address of the targets")]
    NothingLeft,
}

impl Hinted for UnfitTargets {
    fn hints(&self) -> Vec<Cow<'static, str>> {
        match self {
            UnfitTargets::LargeIpv6(_) => vec![
                format!("write a prefix of /{SHORTEST_IPV6_PREFIX} or longer, or single addresses").into(),
                "IPv6 cameras on a local link are found by multicast: name the interface with --interface".into(),
            ],
            UnfitTargets::Overlap(..) => {
                vec!["write every address once: remove one of them or make them smaller".into()]
            }
            UnfitTargets::TooMany(_) => {
                vec!["scan smaller networks, one after the other, or leave some out with --exclude".into()]
            }
            UnfitTargets::NothingLeft => vec!["remove an --exclude".into()],
        }
    }
}

/// Refuses targets that are too many, that overlap, or that the excludes leave nothing of. Takes time and memory by what is
/// written, however many addresses it means.
///
/// # Errors
/// See [`UnfitTargets`].
pub fn check(specs: &[TargetSpec], exclude: &[IpNetwork]) -> Result<(), UnfitTargets> {
    let mut ipv6 = 0u64;
    for spec in specs {
        ipv6 = ipv6.saturating_add(match spec {
            TargetSpec::Network(IpNetwork::V6(net)) if net.prefix() < SHORTEST_IPV6_PREFIX => {
                return Err(UnfitTargets::LargeIpv6(*net));
            }
            TargetSpec::Network(IpNetwork::V6(net)) => 1 << (128 - net.prefix().min(128)),
            _ => u64::from(ipv6_host(spec).is_some()),
        });
    }
    overlap(specs)?;
    let targets = TargetSet::new(
        Vec::new(),
        specs.iter().filter_map(TargetSpec::ipv4_range),
        specs.iter().filter_map(ipv6_host),
        exclude,
    );
    // IPv6 addresses count as written: an exclude keeps none of them from being spelled out.
    check_count(targets.ipv4_len().saturating_add(ipv6))?;
    let open = |spec: &TargetSpec| matches!(spec, TargetSpec::Name(..) | TargetSpec::Network(IpNetwork::V6(_)));
    if !specs.is_empty() && targets.is_empty() && !specs.iter().any(open) {
        return Err(UnfitTargets::NothingLeft);
    }
    Ok(())
}

/// Refuses more addresses than one scan looks at.
///
/// # Errors
/// [`UnfitTargets::TooMany`].
pub fn check_count(addresses: u64) -> Result<(), UnfitTargets> {
    if addresses > MOST_ADDRESSES { Err(UnfitTargets::TooMany(addresses)) } else { Ok(()) }
}

fn ipv6_host(spec: &TargetSpec) -> Option<HostTarget> {
    let ip = match spec {
        TargetSpec::Address(ip @ IpAddr::V6(_), _) => *ip,
        TargetSpec::LinkLocal(ip, ..) => IpAddr::V6(*ip),
        _ => return None,
    };
    Some(HostTarget { ip, name: None, zone: None, ports: Vec::new() })
}

/// Single addresses inside a network are no overlap: they may carry a port.
fn overlap(specs: &[TargetSpec]) -> Result<(), UnfitTargets> {
    let mut ranges: Vec<_> = specs
        .iter()
        .filter_map(|spec| spec.ipv4_range().map(|(a, b)| (a, b, spec)))
        .filter(|(a, b, _)| a < b)
        .collect();
    ranges.sort_by_key(|&(a, b, _)| (a, b));
    let mut widest: Option<(Ipv4Addr, &TargetSpec)> = None;
    for (first, last, spec) in ranges {
        match widest {
            Some((end, other)) if first <= end => return Err(UnfitTargets::Overlap(other.clone(), spec.clone())),
            _ => widest = Some((last, spec)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::problem::Problem;

    fn specs(texts: &[&str]) -> Vec<TargetSpec> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    fn networks(texts: &[&str]) -> Vec<IpNetwork> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn nonsense_is_refused() {
        let said = |targets: &[&str], exclude: &[&str]| {
            let unfit = check(&specs(targets), &networks(exclude)).unwrap_err();
            Problem::from(unfit).to_string().replace("\nhint: ", " / ")
        };
        insta::assert_snapshot!(said(&["10.0.0.0/8"], &[]), @r#"the targets hold 16777214 addresses, more than the 1048576 of one scan / scan smaller networks, one after the other, or leave some out with --exclude"#);
        insta::assert_snapshot!(said(&["2001:db8::/64"], &[]), @r#"the IPv6 network 2001:db8::/64 has too many addresses to scan one by one / write a prefix of /120 or longer, or single addresses / IPv6 cameras on a local link are found by multicast: name the interface with --interface"#);
        insta::assert_snapshot!(said(&["10.0.0.0/24", "10.0.0.200-10.0.1.3"], &[]), @r#"the targets 10.0.0.0/24 and 10.0.0.200-10.0.1.3 overlap / write every address once: remove one of them or make them smaller"#);
        insta::assert_snapshot!(said(&["10.0.0.0/24", "10.0.0.0/24"], &[]), @r#"the targets 10.0.0.0/24 and 10.0.0.0/24 overlap / write every address once: remove one of them or make them smaller"#);
        insta::assert_snapshot!(said(&["10.0.0.0/24", "fe80::1%eth0"], &["10.0.0.0/23", "fe80::/10"]), @r#"the excludes leave no address of the targets / remove an --exclude"#);
    }

    #[test]
    fn what_makes_sense_is_taken() {
        for (targets, exclude) in [
            (&["10.0.0.0/12"][..], &[][..]),
            (&["10.0.0.0/11"], &["10.16.0.0/12"]),
            (&["10.0.0.0/24", "10.0.0.9:8554", "10.0.1.0/24"], &[]),
            (&["2001:db8::/120", "cam1"], &["10.0.0.0/8"]),
            (&["2001:db8::1", "2001:db8::2/128"], &[]),
            (&[], &["10.0.0.0/8"]),
        ] {
            assert_eq!(check(&specs(targets), &networks(exclude)), Ok(()), "{targets:?}");
        }
    }

    #[test]
    fn small_ipv6_networks_count_together_and_with_ipv4() {
        let network =
            |n: u32| TargetSpec::Network(format!("2001:db8::{:x}:{:x}00/120", n >> 8, n & 0xff).parse().unwrap());
        let mut many: Vec<TargetSpec> = (0..4096).map(network).collect();
        assert_eq!(check(&many, &[]), Ok(()));
        many.extend(specs(&["192.0.2.1"]));
        assert_eq!(check(&many, &[]), Err(UnfitTargets::TooMany(MOST_ADDRESSES + 1)));
        // What an exclude leaves out would be spelled out before it is left out.
        assert_eq!(check(&many, &networks(&["2001:db8::/32"])), Err(UnfitTargets::TooMany(MOST_ADDRESSES + 1)));
    }
}
