//! What a scan covered, in the operator's words. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use ipnetwork::IpNetwork;

use crate::model::coverage::{
    Coverage, Hindrance, InterfaceCoverage, Limit, LimitKind, MethodCoverage, MethodOutcome, Unable, Unused,
};
use crate::model::{Method, ScanPlan};
use crate::net::{Interface, SenderCheck};
use crate::probe::sweep::AddressList;

/// What discovery noted while it ran.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// All interfaces that were up.
    pub interfaces: Vec<Interface>,
    /// How each method that was started ended; why, if it could not run.
    pub outcomes: BTreeMap<Method, Result<(), Unable>>,
    /// The links that were to be read, each with why that failed.
    pub links: BTreeMap<String, Option<io::ErrorKind>>,
    /// Which senders the kernel drops, by interface.
    pub checks: BTreeMap<String, SenderCheck>,
    /// Questions that could not be sent, by interface.
    pub unsent: BTreeMap<(String, io::ErrorKind), u64>,
    /// How many addresses were asked one by one.
    pub asked: u64,
    /// The methods that asked one.
    pub askers: BTreeSet<Method>,
}

/// What the scan covered; `answered` is how many addresses answered a method.
pub(super) fn of(notes: &Notes, plan: &ScanPlan, hosts_up: u64, answered: impl Fn(Method) -> u64) -> Coverage {
    let method = |method: Method| {
        let answered = answered(method);
        let (outcome, reason, hindered) = outcome(method, notes, plan, answered);
        MethodCoverage { method, outcome, answered, reason, hindered }
    };
    let (limits, texts) = sentences(notes).into_iter().unzip();
    let links = notes.interfaces.iter().filter(|interface| !interface.loopback);
    Coverage {
        interfaces: links.map(|link| interface(link, plan)).collect(),
        methods: Method::ALL.into_iter().map(method).collect(),
        addresses_asked: notes.asked.min(plan.targets.len()),
        addresses_answered: hosts_up,
        notes: texts,
        limits,
    }
}

fn interface(interface: &Interface, plan: &ScanPlan) -> InterfaceCoverage {
    let searched: Vec<&IpNetwork> = interface.addresses.iter().filter(|network| holds_target(network, plan)).collect();
    let unused = match () {
        () if !plan.interfaces.is_empty() && !plan.interfaces.contains(&interface.name) => Some(Unused::NotChosen),
        () if plan.targets.is_loopback_only() => Some(Unused::LocalTargets),
        () if interface.point_to_point => Some(Unused::PointToPoint),
        () if interface.mac.is_none() => Some(Unused::NoMac),
        () if searched.is_empty() => Some(Unused::NoTarget),
        () => None,
    };
    let reason = unused.map(|unused| match unused {
        Unused::NotChosen => "not among those of --interface",
        Unused::LocalTargets => "the targets are on this machine",
        Unused::PointToPoint => "joins two points only (VPN, PPP): nobody else is on its link",
        Unused::NoMac => "has no MAC address, so that nobody can be asked by ARP",
        Unused::NoTarget => "no target is in its networks",
    });
    InterfaceCoverage {
        name: interface.name.clone(),
        networks: match unused {
            None => searched.into_iter().map(ToString::to_string).collect(),
            Some(_) => interface.addresses.iter().map(ToString::to_string).collect(),
        },
        used: unused.is_none(),
        reason: reason.map(str::to_owned),
        unused,
    }
}

fn outcome(
    method: Method,
    notes: &Notes,
    plan: &ScanPlan,
    answered: u64,
) -> (MethodOutcome, Option<String>, Option<Hindrance>) {
    let say = |text: &str| Some(text.to_owned());
    let (outcome, reason) = match notes.outcomes.get(&method) {
        None if !plan.methods.contains(&method) => (MethodOutcome::NotWanted, say("not among those of --methods")),
        None if plan.targets.is_loopback_only() => (MethodOutcome::NotWanted, say("the targets are on this machine")),
        None => (MethodOutcome::Failed, say("the scan was stopped before it ended")),
        Some(Err(unable)) => (MethodOutcome::Failed, unable.message.lines().next().map(str::to_owned)),
        Some(Ok(())) if answered > 0 => (MethodOutcome::Answered, None),
        Some(Ok(())) if asks_one_by_one(method) && !notes.askers.contains(&method) => {
            (MethodOutcome::NotNeeded, say("no target was left for it"))
        }
        Some(Ok(())) => (MethodOutcome::Silent, say("no answer: nobody speaks it, or a firewall drops the answers")),
    };
    let hindered = match notes.outcomes.get(&method) {
        Some(Err(unable)) => Some(unable.why),
        _ => Some(Hindrance::Stopped).filter(|_| outcome == MethodOutcome::Failed),
    };
    (outcome, reason, hindered)
}

/// Whether a method asks addresses by themselves, and not a whole link.
fn asks_one_by_one(method: Method) -> bool {
    matches!(method, Method::Arp | Method::Icmp | Method::Tcp)
}

/// Whether a network holds a target, so that it was searched.
fn holds_target(network: &IpNetwork, plan: &ScanPlan) -> bool {
    match network {
        IpNetwork::V4(net) => !AddressList::of_targets(&plan.targets).within(net.network(), net.broadcast()).is_empty(),
        IpNetwork::V6(net) => {
            let is_asked = plan.targets.link_local_v6 && net.ip().is_unicast_link_local();
            is_asked || plan.targets.ipv6_hosts().any(|ip| network.contains(ip))
        }
    }
}

/// What may have been hidden, by kind and in a sentence.
fn sentences(notes: &Notes) -> Vec<(Limit, String)> {
    let mut all = Vec::new();
    let mut add = |interface: &String, kind, text| all.push((Limit { interface: interface.clone(), kind }, text));
    for ((interface, error), count) in &notes.unsent {
        let (kind, why) = match error {
            io::ErrorKind::PermissionDenied => {
                (LimitKind::QuestionsForbidden, "a firewall of this machine forbids them")
            }
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                (LimitKind::NoMulticastRoute, "there is no route for multicast")
            }
            _ => (LimitKind::QuestionsRefused, "the system refused them"),
        };
        add(interface, kind, format!("{interface}: {count} discovery questions could not be sent, {why}"));
    }
    for (interface, failed) in &notes.links {
        let Some(failed) = failed else { continue };
        let why = match failed {
            io::ErrorKind::PermissionDenied => "without the right to raw frames (root, CAP_NET_RAW)",
            io::ErrorKind::Unsupported => "on this system",
            _ => "since the link cannot be read",
        };
        let (kind, text) = match notes.checks.get(interface) {
            Some(check) => {
                let (kind, name, route) = match check {
                    SenderCheck::Strict => (LimitKind::StrictSenderCheck, "strict", "through this interface"),
                    SenderCheck::Loose => (LimitKind::LooseSenderCheck, "loose", "at all"),
                };
                let text = format!(
                    "{interface}: cameras in other subnets may be hidden {why}: the kernel drops what comes from addresses it \
                     has no route to {route} (rp_filter is {name})"
                );
                (kind, text)
            }
            None => {
                let text = format!(
                    "{interface}: cameras in other subnets are seen by their answers alone {why}, not by their ARP"
                );
                (LimitKind::LinkUnread, text)
            }
        };
        add(interface, kind, text);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::model::{HostTarget, MacAddr, ProbeOptions, TargetSet};

    fn link(name: &str, network: &str) -> Interface {
        Interface {
            name: name.to_owned(),
            index: 2,
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            addresses: vec![network.parse().unwrap()],
            loopback: name == "lo",
            point_to_point: name.starts_with("wg"),
        }
    }

    fn plan(interfaces: &[&str]) -> ScanPlan {
        let range = ("192.0.2.1".parse().unwrap(), "192.0.2.254".parse().unwrap());
        ScanPlan {
            targets: TargetSet::new(Vec::new(), [range], Vec::<HostTarget>::new(), &[]),
            methods: vec![Method::Arp, Method::Onvif, Method::Icmp, Method::Tcp],
            interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
            concurrency: 1,
            rate: None,
            discovery_time: std::time::Duration::from_secs(1),
            max_duration: None,
            all: false,
            presence_only: false,
            show_secrets: false,
            resolve_names: false,
            max_age: None,
            known_hosts: Arc::default(),
            login_book: None,
            probe: ProbeOptions::default(),
        }
    }

    #[test]
    fn what_ran_and_what_could_not_is_told_apart() {
        let message = "ICMP echo is not permitted\nhint: setcap".to_owned();
        let why = Unable { why: Hindrance::NotPermitted, message };
        let notes = Notes {
            interfaces: vec![
                link("lo", "127.0.0.1/8"),
                link("eth0", "192.0.2.7/24"),
                link("eth1", "10.0.0.7/24"),
                link("wg0", "10.9.0.2/32"),
            ],
            outcomes: [(Method::Arp, Ok(())), (Method::Onvif, Ok(())), (Method::Icmp, Err(why))].into(),
            asked: 300,
            ..Notes::default()
        };
        let coverage = of(&notes, &plan(&["eth0", "wg0"]), 7, |method| if method == Method::Arp { 7 } else { 0 });
        let said: Vec<String> = coverage
            .methods
            .iter()
            .map(|m| format!("{} {} {}", m.method, m.outcome, m.reason.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(
            said,
            [
                "arp answered -",
                "onvif silent no answer: nobody speaks it, or a firewall drops the answers",
                "ssdp not_wanted not among those of --methods",
                "mdns not_wanted not among those of --methods",
                "beacon not_wanted not among those of --methods",
                "icmp failed ICMP echo is not permitted",
                "tcp failed the scan was stopped before it ended",
            ]
        );
        let hindered: Vec<Hindrance> = coverage.methods.iter().filter_map(|method| method.hindered).collect();
        assert_eq!(hindered, [Hindrance::NotPermitted, Hindrance::Stopped]);
        let links: Vec<(&str, bool)> = coverage.interfaces.iter().map(|i| (i.name.as_str(), i.used)).collect();
        assert_eq!(links, [("eth0", true), ("eth1", false), ("wg0", false)]);
        assert_eq!((coverage.addresses_asked, coverage.addresses_answered), (254, 7));
        assert_eq!(coverage.notes, [""; 0]);
    }

    #[test]
    fn silence_is_said_of_a_method_that_asked() {
        let said = |askers: &[Method], answered: &dyn Fn(Method) -> u64| {
            let outcomes = Method::ALL.map(|method| (method, Ok(()))).into();
            let notes = Notes { outcomes, askers: askers.iter().copied().collect(), ..Notes::default() };
            let plan = ScanPlan { methods: Method::ALL.to_vec(), ..plan(&[]) };
            let coverage = of(&notes, &plan, 0, answered);
            coverage.methods.iter().map(|m| format!("{} {}", m.method, m.outcome)).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            said(&[Method::Arp], &|method| u64::from(method == Method::Arp)),
            "arp answered, onvif silent, ssdp silent, mdns silent, beacon silent, icmp not_needed, tcp not_needed"
        );
        assert_eq!(
            said(&[Method::Icmp, Method::Tcp], &|_| 0),
            "arp not_needed, onvif silent, ssdp silent, mdns silent, beacon silent, icmp silent, tcp silent"
        );
    }

    #[test]
    fn the_networks_searched_are_those_with_targets() {
        let notes = Notes {
            interfaces: vec![
                Interface {
                    addresses: vec!["192.0.2.7/24".parse().unwrap(), "10.3.0.7/24".parse().unwrap()],
                    ..link("eth0", "192.0.2.7/24")
                },
                link("rx0", "10.0.0.7/24"),
            ],
            ..Notes::default()
        };
        let coverage = of(&notes, &plan(&[]), 0, |_| 0);
        let said = |link: &InterfaceCoverage| {
            format!("{} {} {}", link.name, link.networks.join(" "), link.unused.map_or("used", Unused::as_str))
        };
        let said: Vec<String> = coverage.interfaces.iter().map(said).collect();
        assert_eq!(said, ["eth0 192.0.2.7/24 used", "rx0 10.0.0.7/24 no_target"]);
    }

    #[test]
    fn what_may_be_hidden_is_said_with_its_reason() {
        let said = |link: Option<io::ErrorKind>, check: Option<SenderCheck>| {
            let notes = Notes {
                links: [("eth0".to_owned(), link)].into(),
                checks: check.into_iter().map(|check| ("eth0".to_owned(), check)).collect(),
                ..Notes::default()
            };
            sentences(&notes).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("; ")
        };
        let denied = Some(io::ErrorKind::PermissionDenied);
        assert_eq!(said(None, Some(SenderCheck::Strict)), "", "who reads the link hears them all the same");
        assert_eq!(
            said(denied, Some(SenderCheck::Strict)),
            "eth0: cameras in other subnets may be hidden without the right to raw frames (root, CAP_NET_RAW): the kernel drops \
             what comes from addresses it has no route to through this interface (rp_filter is strict)"
        );
        assert!(said(denied, Some(SenderCheck::Loose)).ends_with("has no route to at all (rp_filter is loose)"));
        assert!(said(denied, None).ends_with("not by their ARP"));
        let unsent = |kind| {
            let notes = Notes { unsent: [(("eth0".to_owned(), kind), 12)].into(), ..Notes::default() };
            sentences(&notes).remove(0).1
        };
        assert_eq!(
            unsent(io::ErrorKind::PermissionDenied),
            "eth0: 12 discovery questions could not be sent, a firewall of this machine forbids them"
        );
        assert!(unsent(io::ErrorKind::NetworkUnreachable).ends_with("there is no route for multicast"));
    }
}
