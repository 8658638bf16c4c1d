//! The ARP sweep on a network in memory, time under control.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::identify::signature::Signatures;
use crate::model::{FindingKind, HostTarget, MacAddr, Method, ProbeOptions, ScanPlan, TargetSet};
use crate::net::fake_lan::{FakeLan, Port};
use crate::net::pace::Pace;
use crate::net::{Dialer, Interface, Net};
use crate::probe::DiscoveryContext;
use crate::protocol::{arp, tcp};

struct Outcome {
    hosts: BTreeSet<IpAddr>,
    macs: BTreeSet<(IpAddr, MacAddr)>,
    warnings: Vec<String>,
    said: Result<(), String>,
    took: Duration,
    swept: u64,
}

/// Sweeps `first..=last` from 10.0.0.1/16 by ARP and TCP.
async fn sweep(lan: &Arc<FakeLan>, first: [u8; 4], last: [u8; 4], methods: &[Method]) -> Outcome {
    sweep_at(lan, first, last, methods, None).await
}

/// The same at a rate of the user's.
async fn sweep_at(lan: &Arc<FakeLan>, first: [u8; 4], last: [u8; 4], methods: &[Method], rate: Option<u32>) -> Outcome {
    let net: Arc<dyn Net> = Arc::new(lan.clone());
    let (findings, mut found) = mpsc::channel(100_000);
    let (warnings, mut warned) = mpsc::channel(100);
    let targets = TargetSet::new(vec![], [(first.into(), last.into())], Vec::<HostTarget>::new(), &[]);
    let plan = ScanPlan {
        targets,
        methods: methods.to_vec(),
        interfaces: vec![],
        concurrency: 1,
        rate,
        discovery_time: Duration::from_secs(3),
        max_duration: None,
        all: true,
        show_secrets: false,
        resolve_names: false,
        probe: ProbeOptions { ports: vec![80, 554], ..ProbeOptions::default() },
    };
    let eth0 = Interface {
        name: "eth0".into(),
        index: 2,
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        addresses: vec!["10.0.0.1/16".parse().unwrap()],
        loopback: false,
        point_to_point: false,
    };
    let context = DiscoveryContext {
        plan: Arc::new(plan),
        dialer: Arc::new(Dialer::new(net.clone(), Arc::new(Pace::new(rate)), 512, 4)),
        net,
        interfaces: vec![eth0],
        cancel: CancellationToken::new(),
        signatures: Signatures::builtin(),
        findings,
        swept: Arc::default(),
        warnings,
        ports: None,
    };
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
    let lan = Arc::new(FakeLan::with(hosts.clone()));
    let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 1, 254], BOTH).await;
    assert_eq!(found.hosts, ips(&hosts));
    assert_eq!(found.macs, hosts.iter().map(|ip| (IpAddr::V4(*ip), FakeLan::mac(*ip))).collect());
    assert!(found.took < Duration::from_millis(1500), "{:?}", found.took);
    assert_eq!((found.said, found.warnings, found.swept), (Ok(()), vec![], 254));
    let asked = lan.asked();
    assert_eq!(asked.len(), 254);
    assert!(asked.iter().all(|(ip, times)| *times == if lan.hosts.contains_key(ip) { 1 } else { 3 }), "{asked:?}");
    assert_eq!(lan.connects(), []);
}

#[tokio::test(start_paused = true)]
async fn when_all_have_answered_nobody_is_waited_for() {
    let hosts = every(1, 100);
    let lan = Arc::new(FakeLan::with(hosts.clone()));
    let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 1, 100], BOTH).await;
    assert_eq!(found.hosts, ips(&hosts));
    assert!(found.took < Duration::from_millis(100), "{:?}", found.took);
}

#[tokio::test(start_paused = true)]
async fn requests_that_get_lost_are_repeated_as_long_as_it_helps() {
    let hosts = every(60, 1000);
    for lost in [1, 2] {
        let lan = Arc::new(FakeLan { lost, ..FakeLan::with(hosts.clone()) });
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
        let lan = Arc::new(FakeLan { queue: Some((per_second, 64)), ..FakeLan::with(hosts.clone()) });
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
        let lan = Arc::new(FakeLan { queue: Some((1_000_000, 100_000)), ..FakeLan::with(hosts.clone()) });
        let found = sweep_at(&lan, [10, 0, 0, 2], [10, 0, 255, 254], &[Method::Arp], rate).await;
        assert_eq!(found.hosts, ips(&hosts));
        lan.most_within(Duration::from_millis(100))
    };
    let (gentle, slow, fast) = (most(None).await, most(Some(500)).await, most(Some(u32::MAX)).await);
    assert!((900..=1100).contains(&gentle) && slow <= 60 && fast > 20_000, "{gentle}, {slow}, {fast}");
}

#[tokio::test(start_paused = true)]
async fn the_own_address_is_a_host_and_is_never_asked_for() {
    let lan = Arc::new(FakeLan::default());
    let found = sweep(&lan, [10, 0, 0, 0], [10, 0, 0, 255], BOTH).await;
    assert_eq!(found.hosts, ips(&[Ipv4Addr::new(10, 0, 0, 1)]));
    assert!(!lan.asked().contains_key(&Ipv4Addr::new(10, 0, 0, 1)));
    // The network's own address is nobody's, and so is its broadcast address.
    assert!(!lan.asked().contains_key(&Ipv4Addr::new(10, 0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn behind_a_proxy_only_who_answers_over_tcp_is_a_host() {
    let camera = Ipv4Addr::new(10, 0, 1, 77);
    for raw in [true, false] {
        let lan = Arc::new(FakeLan {
            raw,
            proxy: Some(MacAddr([2, 0xbb, 0, 0, 0, 9])),
            ports: Box::new(move |to, _| match to.ip() == IpAddr::V4(camera) {
                true => Port::Refused,
                false => Port::Silent,
            }),
            ..FakeLan::default()
        });
        let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 1, 254], BOTH).await;
        assert!(found.hosts.contains(&IpAddr::V4(camera)), "raw {raw}");
        assert!(found.hosts.len() <= 2, "raw {raw}: {:?}", found.hosts);
        let warned = |w: &String| w.starts_with("02:bb:00:00:00:09 answers ARP on eth0 for 25");
        assert!(found.warnings.iter().any(warned), "{:?}", found.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn the_kernel_is_asked_in_portions_and_loses_nobody() {
    let hosts = every(5, 200);
    let lan = Arc::new(FakeLan { raw: false, room: 500, ..FakeLan::with(hosts.clone()) });
    let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 5, 254], BOTH).await;
    assert_eq!(found.hosts, ips(&hosts));
    assert!(lan.most_open() <= 256, "{}", lan.most_open());
    assert!(found.warnings.iter().any(|w| w.contains("hint: `sudo setcap cap_net_raw+ep")), "{:?}", found.warnings);
    assert_eq!(found.swept, 1278);
}

#[tokio::test(start_paused = true)]
async fn a_kernel_with_a_full_table_is_waited_for() {
    let hosts = every(2, 400);
    let lan = Arc::new(FakeLan { raw: false, room: 100, ..FakeLan::with(hosts.clone()) });
    let found = sweep(&lan, [10, 0, 1, 1], [10, 0, 4, 254], BOTH).await;
    assert_eq!(found.hosts, ips(&hosts));
    assert!(!found.warnings.iter().any(|w| w.contains("neighbour table is full")), "{:?}", found.warnings);
}

#[tokio::test(start_paused = true)]
async fn without_link_and_table_it_is_left_to_tcp_or_said() {
    let camera = Ipv4Addr::new(10, 0, 1, 77);
    let lan = || {
        Arc::new(FakeLan {
            raw: false,
            room: 0,
            ports: Box::new(move |to, _| match to.ip() == IpAddr::V4(camera) && to.port() == 554 {
                true => Port::Open(Duration::from_millis(3)),
                false => Port::Silent,
            }),
            ..FakeLan::default()
        })
    };
    let found = sweep(&lan(), [10, 0, 1, 1], [10, 0, 1, 254], BOTH).await;
    assert_eq!((found.hosts, found.said), (ips(&[camera]), Ok(())));
    let found = sweep(&lan(), [10, 0, 1, 1], [10, 0, 1, 254], &[Method::Arp]).await;
    assert!(found.said.is_err_and(|e| e.contains("hint: add tcp to the methods")));
}

#[tokio::test(start_paused = true)]
async fn by_connects_the_silent_are_waited_for_as_long_as_their_network_takes() {
    let camera = Ipv4Addr::new(10, 0, 1, 77);
    let mut times = Vec::new();
    for (round_trip, asked) in [(3, 1), (150, 2), (1000, 4)] {
        let lan = Arc::new(FakeLan {
            ports: Box::new(move |to, _| match to.ip() == IpAddr::V4(camera) {
                true => Port::Open(Duration::from_millis(round_trip)),
                false => Port::Silent,
            }),
            ..FakeLan::default()
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
