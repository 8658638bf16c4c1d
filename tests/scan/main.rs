//! The whole pipeline, from targets to report, on a network in memory with a clock that stands still: what it finds,
//! what it asks, what it never asks, and how long it takes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code outside of test functions")]

mod announced;
mod bounds;
mod budget;
mod encryption;
mod finding;
mod forget;
mod go2rtc;
mod hostile;
mod hostile_answers;
mod hostile_discovery;
mod identity;
mod live;
mod logins;
mod mediamtx;
mod mistakes;
mod months;
mod one_client;
mod one_device;
mod orders;
mod passwords;
mod patience;
mod promises;
mod protocols;
mod reasons;
mod recorders;
mod repeated;
mod replay;
mod second_scan;
mod servers;
mod sessions;
mod signatures;
mod site;
mod stopping;
mod taken;
mod trouble;
mod watch;
mod watch_logins;
mod watch_networks;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use camscan::identify::signature::Signatures;
use camscan::model::options::Ffprobe;
use camscan::model::{
    Device, Finding, FindingKind, HostTarget, Method, ProbeOptions, Report, ScanEvent, ScanPlan, TargetSet,
};
use camscan::scan::Scan;
use camscan::scan::session::Session;
use camscan::testkit::net::FakeNet;
use camscan::testkit::plan::plan_for;
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A plan for 192.0.2.2 to 192.0.2.254 that asks the ports 554, 80 and 8080, by ARP alone.
fn plan() -> ScanPlan {
    plan_without(&[])
}

fn plan_without(exclude: &[IpNetwork]) -> ScanPlan {
    let range = (Ipv4Addr::new(192, 0, 2, 2), Ipv4Addr::new(192, 0, 2, 254));
    let targets = TargetSet::new(vec!["192.0.2.0/24".to_owned()], [range], Vec::<HostTarget>::new(), exclude);
    let probe = ProbeOptions { ports: vec![554, 80, 8080], ffprobe: Ffprobe::Never, ..ProbeOptions::default() };
    ScanPlan { methods: vec![Method::Arp], resolve_names: true, probe, ..plan_for(targets) }
}

/// What a scan gave, and when, from its beginning.
struct Outcome {
    report: Report,
    events: Vec<(Duration, ScanEvent)>,
    took: Duration,
}

impl Outcome {
    fn device(&self, ip: &str) -> &Device {
        let ip: IpAddr = ip.parse().unwrap();
        self.report.devices.iter().find(|d| d.ip == ip).unwrap()
    }

    /// When all was known about a host.
    fn done(&self, ip: &str) -> Duration {
        let done = ScanEvent::HostDone { ip: ip.parse().unwrap() };
        self.events.iter().find(|(_, event)| *event == done).unwrap().0
    }
}

fn clock() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn scan_of(net: &FakeNet, plan: ScanPlan, cancel: CancellationToken) -> Scan {
    let session = Session::new(Arc::new(net.clone()), Signatures::builtin(), clock, 512);
    Scan { session, plan: Arc::new(plan), known: Vec::new(), cancel }
}

async fn run(scan: Scan) -> Outcome {
    let began = Instant::now();
    let mut events = Vec::new();
    let report = scan.run(|event: &ScanEvent| events.push((began.elapsed(), event.clone()))).await;
    Outcome { report, events, took: began.elapsed() }
}

async fn scan(net: &FakeNet, plan: ScanPlan) -> Outcome {
    run(scan_of(net, plan, CancellationToken::new())).await
}

/// Looks at hosts that are known, and finds none by itself.
async fn look_at(net: &FakeNet, plan: ScanPlan, hosts: &[String]) -> Outcome {
    let mut scan = scan_of(net, ScanPlan { methods: Vec::new(), ..plan }, CancellationToken::new());
    let seen = |ip: &String| Finding::new(ip.parse().unwrap(), FindingKind::Seen(Method::Tcp));
    scan.known = hosts.iter().map(seen).collect();
    run(scan).await
}
