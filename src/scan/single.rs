//! Scans without discovery: the host is known, or a single stream of it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::finding::StreamHint;
use crate::model::options::Ffprobe;
use crate::model::{Finding, FindingKind, HostTarget, KnownHosts, Method, ProbeOptions, ScanPlan, TargetSet};

/// That a host is there, so that it is inspected without having been discovered.
pub fn host(ip: IpAddr) -> Finding {
    Finding::new(ip, FindingKind::Seen(Method::Tcp))
}

/// That a stream of it is wanted, and nothing else that it has.
pub fn stream(ip: IpAddr, url: impl Into<String>) -> Finding {
    Finding::new(ip, FindingKind::StreamHint(StreamHint { is_asked_for: true, ..StreamHint::new(url) }))
}

/// What it takes to play one stream of a host as `template` says, and to ask nothing else: the plan, and what is known
/// beforehand.
pub fn play(
    template: &ScanPlan,
    host: HostTarget,
    url: &str,
    known_hosts: Arc<KnownHosts>,
) -> (ScanPlan, Vec<Finding>) {
    let ip = host.ip;
    let plan = ScanPlan {
        targets: TargetSet::new(vec![ip.to_string()], [], vec![host], &[]),
        methods: Vec::new(),
        all: true,
        resolve_names: false,
        show_secrets: false,
        known_hosts,
        probe: ProbeOptions {
            ports: Vec::new(),
            ffprobe: Ffprobe::Never,
            snapshots: None,
            in_depth: false,
            ..template.probe.clone()
        },
        ..template.clone()
    };
    (plan, vec![self::host(ip), stream(ip, url)])
}

/// What it takes to find out which of these hosts answer, and nothing else about them. Where they are asked by connections,
/// their own ports come first: what is open tells sooner than what is silent.
pub fn ask(template: &ScanPlan, hosts: Vec<HostTarget>) -> ScanPlan {
    let methods = [Method::Arp, Method::Icmp, Method::Tcp];
    ScanPlan {
        targets: TargetSet::new(hosts.iter().map(|host| host.ip.to_string()).collect(), [], hosts, &[]),
        methods: template.methods.iter().copied().filter(|method| methods.contains(method)).collect(),
        all: true,
        presence_only: true,
        resolve_names: false,
        known_hosts: Arc::default(),
        ..template.clone()
    }
}
