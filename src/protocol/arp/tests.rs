//! The ARP sweep on a network in memory, time under control.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{FindingKind, HostTarget, MacAddr, Method, ProbeOptions, ScanPlan, TargetSet};
use crate::probe::DiscoveryContext;
use crate::protocol::{arp, tcp};
use crate::testkit::net::{FakeNet, Kernel, Lan, Port, RawFrames, interface, mac_of};
use crate::testkit::plan::plan_for;

struct Outcome {
    hosts: BTreeSet<IpAddr>,
    macs: BTreeSet<(IpAddr, MacAddr)>,
    warnings: Vec<String>,
    said: Result<(), crate::model::coverage::Unable>,
    took: Duration,
    swept: u64,
}

/// Sweeps `first..=last` from 10.0.0.1/16 by ARP and TCP.
async fn sweep(lan: &FakeNet, first: [u8; 4], last: [u8; 4], methods: &[Method]) -> Outcome {
    sweep_at(lan, first, last, methods, None).await
}

/// The same at a rate of the user's.
async fn sweep_at(lan: &FakeNet, first: [u8; 4], last: [u8; 4], methods: &[Method], rate: Option<u32>) -> Outcome {
    lan.links.set_interfaces(vec![interface("eth0", 2, &["10.0.0.1/16"])]);
    let targets = TargetSet::new(vec![], [(first.into(), last.into())], Vec::<HostTarget>::new(), &[]);
    let probe = ProbeOptions { ports: vec![80, 554], ..ProbeOptions::default() };
    let plan = ScanPlan { methods: methods.to_vec(), rate, probe, ..plan_for(targets) };
    let (context, mut found, mut warned) = DiscoveryContext::for_test(Arc::new(lan.clone()), plan);
    let began = Instant::now();
    let said = tokio::join!((arp::discover::FINDER.find)(&context), (tcp::discover::FINDER.find)(&context)).0;
    let took = began.elapsed();
    let swept = context.swept.load(std::sync::atomic::Ordering::Relaxed);
    drop(context);
    let mut outcome = Outcome { hosts: BTreeSet::new(), macs: BTreeSet::new(), warnings: vec![], said, took, swept };
    while let Some(finding) = found.recv().await {
        match finding.kind {
            FindingKind::Seen(_) => drop(outcome.hosts.insert(finding.ip)),
            FindingKind::Mac(mac) => drop(outcome.macs.insert((finding.ip, mac))),
            other => panic!("{other:?}"),
        }
    }
    while let Some(warning) = warned.recv().await {
        outcome.warnings.push(warning);
    }
    outcome
}

fn every(step: usize, count: usize) -> Vec<Ipv4Addr> {
    (1..=count).map(|n| Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 1, 0)) + (n * step) as u32)).collect()
}

fn ips(hosts: &[Ipv4Addr]) -> BTreeSet<IpAddr> {
    hosts.iter().map(|ip| IpAddr::V4(*ip)).collect()
}

const BOTH: &[Method] = &[Method::Arp, Method::Tcp];

#[tokio::test(start_paused = true)]
async fn a_small_network_takes_about_a_second_and_three_questions() {
    let hosts = every(25, 10);
    let lan = FakeNet::of_lan(Lan::with(hosts.clone()));
    let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 1, 254], BOTH).await;
    assert_eq!(found.hosts, ips(&hosts));
    assert_eq!(found.macs, hosts.iter().map(|ip| (IpAddr::V4(*ip), mac_of(*ip))).collect());
    assert!(found.took < Duration::from_millis(1500), "{:?}", found.took);
    assert_eq!((found.said, found.warnings, found.swept), (Ok(()), vec![], 254));
    let asked = lan.links.asked();
    assert_eq!(asked.len(), 254);
    assert!(asked.iter().all(|(ip, times)| *times == if hosts.contains(ip) { 1 } else { 3 }), "{asked:?}");
    assert_eq!(lan.connects(), []);
}

#[tokio::test(start_paused = true)]
async fn when_all_have_answered_nobody_is_waited_for() {
    let hosts = every(1, 100);
    let lan = FakeNet::of_lan(Lan::with(hosts.clone()));
    let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 1, 100], BOTH).await;
    assert_eq!(found.hosts, ips(&hosts));
    assert!(found.took < Duration::from_millis(100), "{:?}", found.took);
}

#[tokio::test(start_paused = true)]
async fn requests_that_get_lost_are_repeated_as_long_as_it_helps() {
    let hosts = every(60, 1000);
    for lost in [1, 2] {
        let lan = FakeNet::of_lan(Lan { lost, ..Lan::with(hosts.clone()) });
        let found = sweep(&lan, [10, 0, 0, 2], [10, 0, 255, 254], &[Method::Arp]).await;
        // With all lost twice, no round tells that it is worth going on.
        assert_eq!(found.hosts.len(), if lost == 1 { 1000 } else { 0 }, "{lost} lost");
    }
}

/// A network whose devices answer so many requests a second together, and forget those that come faster.
#[tokio::test(start_paused = true)]
async fn who_cannot_keep_up_is_asked_more_slowly_until_nobody_is_missing() {
    let hosts = every(50, 1201);
    for (per_second, rate) in [(20_000, None), (8_000, None), (60_000, Some(u32::MAX)), (8_000, Some(u32::MAX))] {
        let lan = FakeNet::of_lan(Lan { queue: Some((per_second, 64)), ..Lan::with(hosts.clone()) });
        let found = sweep_at(&lan, [10, 0, 0, 2], [10, 0, 255, 254], &[Method::Arp], rate).await;
        let missing = ips(&hosts).difference(&found.hosts).count();
        println!("{per_second} a second, {rate:?}: {:?}", found.took);
        assert_eq!(missing, 0, "{per_second} a second, {rate:?}: {:?}", found.took);
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_in_use_bears_the_sweep_unless_the_user_wants_it_faster() {
    let hosts = every(50, 1200);
    let most = async |rate| {
        let lan = FakeNet::of_lan(Lan { queue: Some((1_000_000, 100_000)), ..Lan::with(hosts.clone()) });
        let found = sweep_at(&lan, [10, 0, 0, 2], [10, 0, 255, 254], &[Method::Arp], rate).await;
        assert_eq!(found.hosts, ips(&hosts));
        lan.links.most_within(Duration::from_millis(100))
    };
    let (gentle, slow, fast) = (most(None).await, most(Some(500)).await, most(Some(u32::MAX)).await);
    assert!((900..=1100).contains(&gentle) && slow <= 60 && fast > 20_000, "{gentle}, {slow}, {fast}");
}

#[tokio::test(start_paused = true)]
async fn the_own_address_is_a_host_and_is_never_asked_for() {
    let lan = FakeNet::of_lan(Lan::default());
    let found = sweep(&lan, [10, 0, 0, 0], [10, 0, 0, 255], BOTH).await;
    assert_eq!(found.hosts, ips(&[Ipv4Addr::new(10, 0, 0, 1)]));
    assert!(!lan.links.asked().contains_key(&Ipv4Addr::new(10, 0, 0, 1)));
    // The network's own address is nobody's, and so is its broadcast address.
    assert!(!lan.links.asked().contains_key(&Ipv4Addr::new(10, 0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn behind_a_proxy_only_who_answers_over_tcp_is_a_host() {
    let camera = Ipv4Addr::new(10, 0, 1, 77);
    for raw in [RawFrames::Allowed, RawFrames::Denied] {
        let lan = FakeNet::of_lan(Lan { raw, proxy: Some(MacAddr([2, 0xbb, 0, 0, 0, 9])), ..Lan::default() })
            .with_ports(move |to, _| if to.ip() == IpAddr::V4(camera) { Port::Refused } else { Port::Silent });
        let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 1, 254], BOTH).await;
        assert!(found.hosts.contains(&IpAddr::V4(camera)), "{raw:?}");
        assert!(found.hosts.len() <= 2, "{raw:?}: {:?}", found.hosts);
        let warned = |w: &String| w.starts_with("02:bb:00:00:00:09 answers ARP on eth0 for 25");
        assert!(found.warnings.iter().any(warned), "{:?}", found.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn the_kernel_is_asked_in_portions_and_loses_nobody() {
    let hosts = every(5, 200);
    let lan = FakeNet::of_lan(Lan { raw: RawFrames::Denied, kernel: Kernel::Rows(500), ..Lan::with(hosts.clone()) });
    let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 5, 254], BOTH).await;
    assert_eq!(found.hosts, ips(&hosts));
    assert!(lan.links.most_unanswered() <= 256, "{}", lan.links.most_unanswered());
    assert!(found.warnings.iter().any(|w| w.contains("hint: `sudo setcap cap_net_raw+ep")), "{:?}", found.warnings);
    assert_eq!(found.swept, 1278);
}

#[tokio::test(start_paused = true)]
async fn a_kernel_with_a_full_table_is_waited_for() {
    let hosts = every(2, 400);
    let lan = FakeNet::of_lan(Lan { raw: RawFrames::Denied, kernel: Kernel::Rows(100), ..Lan::with(hosts.clone()) });
    let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 4, 254], BOTH).await;
    assert_eq!(found.hosts, ips(&hosts));
    assert!(!found.warnings.iter().any(|w| w.contains("neighbour table is full")), "{:?}", found.warnings);
}

#[tokio::test(start_paused = true)]
async fn without_link_and_table_it_is_left_to_tcp_or_said() {
    let camera = Ipv4Addr::new(10, 0, 1, 77);
    let lan = || {
        let lan = Lan { raw: RawFrames::Denied, kernel: Kernel::Absent, ..Lan::default() };
        FakeNet::of_lan(lan).with_ports(move |to, _| match to.ip() == IpAddr::V4(camera) && to.port() == 554 {
            true => Port::Open(Duration::from_millis(3)),
            false => Port::Silent,
        })
    };
    let found = sweep(&lan(), [10, 0, 1, 1], [10, 0, 1, 254], BOTH).await;
    assert_eq!((found.hosts, found.said), (ips(&[camera]), Ok(())));
    let found = sweep(&lan(), [10, 0, 1, 1], [10, 0, 1, 254], &[Method::Arp]).await;
    assert!(found.said.is_err_and(|e| e.message.contains("hint: add tcp to the methods")));
}

#[tokio::test(start_paused = true)]
async fn by_connects_the_silent_are_waited_for_as_long_as_their_network_takes() {
    let camera = Ipv4Addr::new(10, 0, 1, 77);
    let mut times = Vec::new();
    for (round_trip, asked) in [(3, 1), (150, 2), (1000, 4)] {
        let lan = FakeNet::of_lan(Lan::default()).with_ports(move |to, _| match to.ip() == IpAddr::V4(camera) {
            true => Port::Open(Duration::from_millis(round_trip)),
            false => Port::Silent,
        });
        let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 1, 254], &[Method::Tcp]).await;
        assert_eq!(found.hosts, ips(&[camera]), "{round_trip} ms");
        // Two ports, each twice, but not once an answer has come.
        assert_eq!(lan.connects().len(), 253 * 4 + asked, "{round_trip} ms");
        times.push(found.took);
    }
    let [near, far, farthest] = times[..] else { panic!() };
    let least = Duration::from_millis(300);
    assert!(near < Duration::from_millis(1300) && far > near + least && farthest > far + least, "{times:?}");
}
