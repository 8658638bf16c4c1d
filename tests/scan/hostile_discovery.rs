//! Discovery under attack: what is said by mDNS, ARP, IPv6 and DNS invents no device, sends us nowhere else, and leaves the
//! cameras as they are.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use camscan::model::{MacAddr, Method, ProbeOptions, Protocol, ScanPlan, StreamStatus, WarningKind};
use camscan::protocol::arp::wire as arp;
use camscan::protocol::mdns::wire::{self as mdns, Data, Message, Name, Record};
use camscan::testkit::net::FakeNet;
use ipnetwork::IpNetwork;

use super::hostile::{CAMERAS, EVIL, all_methods, among_cameras, is_harmful, neighbourhood, strings};
use super::servers::{Camera, http, pages};
use super::{Outcome, plan, plan_without, scan};

const MDNS: u16 = 5353;

pub(super) fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// A name of these labels, whatever is in them.
fn name(labels: &[&str]) -> Name {
    Name(labels.iter().map(|l| (*l).to_owned()).collect())
}

pub(super) fn response(records: Vec<Record>) -> Vec<u8> {
    mdns::emit(&Message { response: true, questions: Vec::new(), records })
}

fn record(name: &Name, data: Data) -> Record {
    Record { name: name.clone(), data }
}

/// An instance of a service, where it is, what it says, and its host's address.
pub(super) fn instance(label: &str, service: &str, port: u16, txt: &[&str], host: Ipv4Addr) -> Vec<Record> {
    let kind = name(&[service, "_tcp", "local"]);
    let instance = name(&[label, service, "_tcp", "local"]);
    let target = name(&[&format!("host-{host}"), "local"]);
    vec![
        record(&kind, Data::Ptr(instance.clone())),
        record(&instance, Data::Srv { port, target: target.clone() }),
        record(&instance, Data::Txt(txt.iter().map(|t| t.as_bytes().to_vec()).collect())),
        record(&target, Data::A(host)),
    ]
}

/// Answers every question over mDNS by these messages, each from an address.
pub(super) fn mdns_says(net: &FakeNet, messages: Vec<(SocketAddr, Vec<u8>)>) {
    net.datagrams.on_datagram(move |sent| {
        let heard = messages.iter().filter(|_| sent.to.port() == MDNS);
        heard.enumerate().map(|(n, (from, data))| (spread(n), *from, Ok(data.clone()))).collect()
    });
}

/// The answers of a flood come within 900 ms.
fn spread(n: usize) -> Duration {
    Duration::from_millis((n % 900) as u64)
}

/// What holds however hostile discovery was: nobody was asked who is no target, no port of a printer, and nothing raw came
/// into the report.
fn nothing_astray(net: &FakeNet, outcome: &Outcome, allowed: &[&str]) {
    let allowed: BTreeSet<IpAddr> = allowed.iter().chain(&CAMERAS).map(|ip| ip.parse().unwrap()).collect();
    for (_, to) in net.connects() {
        assert!(allowed.contains(&to.ip()), "connected to {to}");
        assert!(to.port() != 0 && !(9100..=9107).contains(&to.port()), "connected to {to}");
    }
    for text in strings(&outcome.report) {
        assert!(!text.chars().any(|c| is_harmful(c) || c == '\n'), "{text:?}");
        assert!(text.chars().count() <= 2048, "{} characters", text.chars().count());
    }
}

#[tokio::test(start_paused = true)]
async fn services_announced_at_ports_of_printers_are_not_asked() {
    let mut records = Vec::new();
    for port in (9100..=9107).chain([0]) {
        for service in ["_rtsp", "_http", "_https", "_axis-video", "_psia"] {
            records.extend(instance(
                &format!("{service}{port}"),
                service,
                port,
                &["path=/live"],
                EVIL.parse().unwrap(),
            ));
        }
    }
    let messages: Vec<_> = records.chunks(40).map(|some| (at(EVIL, MDNS), response(some.to_vec()))).collect();
    let mut net = None;
    let outcome = among_cameras(all_methods(), |n| {
        // Every port of the host would answer.
        n.serve_all_ports(EVIL, |_, stream| async move { drop(stream) });
        mdns_says(n, messages);
        net = Some(n.clone());
    })
    .await;
    nothing_astray(&net.unwrap(), &outcome, &[EVIL]);
    assert!(outcome.device(EVIL).discovered_by.contains(&Method::Mdns));
}

#[tokio::test(start_paused = true)]
async fn one_sender_does_not_speak_for_other_addresses() {
    let mut records = Vec::new();
    for n in 2..=254u8 {
        let ip = Ipv4Addr::new(192, 0, 2, n);
        if ip.to_string() != EVIL {
            records.extend(instance(&format!("cam{n}"), "_axis-video", 80, &["macaddress=ACCC8E000001"], ip));
            records.extend(instance(&format!("rtsp{n}"), "_rtsp", 8554, &["path=/x"], ip));
            let reverse = name(&[&n.to_string(), "2", "0", "192", "in-addr", "arpa"]);
            records.push(record(&reverse, Data::Ptr(name(&["evil", "_rtsp", "_tcp", "local"]))));
        }
    }
    // Far away, and this machine itself.
    for ip in ["203.0.113.7", "127.0.0.1", "192.0.2.1", "255.255.255.255", "224.0.0.1"] {
        records.extend(instance("far", "_rtsp", 554, &["path=/x"], ip.parse().unwrap()));
    }
    let messages: Vec<_> = records.chunks(36).map(|some| (at(EVIL, MDNS), response(some.to_vec()))).collect();
    let mut net = None;
    let outcome = among_cameras(all_methods(), |n| {
        n.host_up(EVIL);
        mdns_says(n, messages);
        net = Some(n.clone());
    })
    .await;
    nothing_astray(&net.unwrap(), &outcome, &[EVIL]);
    assert_eq!(outcome.report.devices.len(), CAMERAS.len() + 1);
    let evil = outcome.device(EVIL);
    assert!(!evil.services.iter().any(|s| s.port == 8554), "{:?}", evil.services);
    for ip in CAMERAS {
        assert!(!outcome.device(ip).discovered_by.contains(&Method::Mdns));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_by_the_thousand_from_nowhere_are_nobody() {
    let camera = |ip: Ipv4Addr| response(instance("cam", "_axis-video", 80, &["macaddress=ACCC8E000001"], ip));
    let from = |n: u32| Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 51, 100, 0)) + n);
    let mut messages: Vec<_> = (0..20_000).map(|n| (SocketAddr::new(from(n).into(), MDNS), camera(from(n)))).collect();
    for odd in ["0.0.0.0", "127.0.0.1", "224.0.0.251", "255.255.255.255", "192.0.2.255", "192.0.2.0", "::1", "ff02::fb"]
    {
        messages.push((at(odd, MDNS), camera(EVIL.parse().unwrap())));
    }
    let mut net = None;
    let mut outcome = among_cameras(all_methods(), |n| {
        mdns_says(n, messages);
        net = Some(n.clone());
    })
    .await;
    // Ours, with the line that says what can be done.
    let warned = std::mem::take(&mut outcome.report.warnings);
    assert!(warned.iter().any(|w| w.contains("1,024 addresses")), "{warned:?}");
    nothing_astray(&net.unwrap(), &outcome, &[]);
    // One MAC address is one device, in another subnet, however many addresses it claims.
    assert_eq!(outcome.report.devices.len(), CAMERAS.len() + 1);
}

/// A header and this many answers, in bytes that were never a message of ours.
fn raw_message(answers: u16, rest: &[u8]) -> Vec<u8> {
    [&[0, 0, 0x84, 0, 0, 0][..], &answers.to_be_bytes(), &[0, 0, 0, 0], rest].concat()
}

#[tokio::test(start_paused = true)]
async fn names_and_texts_of_every_kind_bite_nobody() {
    let bites = [
        "\u{1b}]0;gone\u{7}\u{1b}[2J",
        "\u{202e}fdp.exe\u{2066}\u{200f}",
        "=cmd|'/c calc'!A1",
        "rtsp://admin:geheim@192.0.2.99/",
        "a.b.c\\.d\\032\u{0}e",
        "\r\nSet-Cookie: x",
        &"\u{301}".repeat(31),
        &"x".repeat(63),
        "\u{fffe}\u{ffff}\u{e0041}",
        "<script>alert(1)</script>",
        "../../../../etc/passwd",
    ];
    let mut messages = Vec::new();
    for (n, bite) in bites.iter().enumerate() {
        let txt: Vec<String> = ["path", "model", "manufacturer", "serial", "fw", "mac", "ci", bite, ""]
            .iter()
            .map(|key| format!("{key}={bite}"))
            .collect();
        let txt: Vec<&str> = txt.iter().map(String::as_str).collect();
        for service in ["_rtsp", "_http", "_hap", bite] {
            let mut records = instance(bite, service, 8000 + n as u16, &txt, EVIL.parse().unwrap());
            let host = name(&[bite, "local"]);
            records
                .push(record(&name(&[bite, "_rtsp", "_tcp", "local"]), Data::Srv { port: 554, target: host.clone() }));
            records.push(record(&host, Data::A(EVIL.parse().unwrap())));
            messages.push((at(EVIL, MDNS), response(records)));
        }
    }
    // A label of 64 bytes, a pointer to itself, two that point at each other, one beyond the end, a name of 300 bytes.
    let long: Vec<u8> = (0..5).flat_map(|_| [&[60u8][..], &[b'a'; 60]].concat()).chain([0]).collect();
    for broken in [
        [&[64u8][..], &[b'a'; 64], &[0, 0, 12, 0, 1]].concat(),
        vec![0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12],
        vec![0xc0, 14, 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12],
        vec![0xff, 0xff, 0, 12, 0, 1],
        [&long[..], &[0, 12, 0, 1, 0, 0, 0, 9, 0xff, 0xff]].concat(),
    ] {
        for count in [1, u16::MAX] {
            messages.push((at(EVIL, MDNS), raw_message(count, &broken)));
        }
    }
    // Nothing but strings, in one record and in many.
    let strings_flood: Vec<Vec<u8>> = (0..250).map(|n| format!("path=/{n}{}", "a".repeat(200)).into_bytes()).collect();
    let instance_name = name(&["flood", "_rtsp", "_tcp", "local"]);
    messages.push((at(EVIL, MDNS), response(vec![record(&instance_name, Data::Txt(strings_flood.clone()))])));
    let many = strings_flood.iter().map(|s| record(&instance_name, Data::Txt(vec![s.clone()]))).collect();
    messages.push((at(EVIL, MDNS), response(many)));
    let mut net = None;
    let outcome = among_cameras(all_methods(), |n| {
        n.host_up(EVIL);
        mdns_says(n, messages);
        net = Some(n.clone());
    })
    .await;
    nothing_astray(&net.unwrap(), &outcome, &[EVIL]);
    let told = serde_json::to_string(&outcome.report).unwrap();
    assert!(!told.contains("geheim"), "an address with a password stands in the report");
    assert!(told.len() < 2_000_000, "{} bytes", told.len());
}

fn arp_frame(target: Ipv4Addr, mac: [u8; 6], ip: Ipv4Addr, operation: u8) -> Vec<u8> {
    let mut frame = arp::request(MacAddr(mac), ip, target).to_vec();
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    frame[21] = operation;
    frame
}

#[tokio::test(start_paused = true)]
async fn arp_nobody_asked_for_is_nobody() {
    let own = Ipv4Addr::new(192, 0, 2, 1);
    let mut net = None;
    let outcome = among_cameras(ScanPlan { methods: vec![Method::Arp, Method::Tcp], ..plan() }, |n| {
        n.links.on_arp(move |asked| {
            let mut frames = Vec::new();
            let forged = |n: u8| [0x02, 0x66, asked.octets()[3], n, 0, 1];
            // For addresses that are no targets, and for those that stand for a network or for many.
            for (n, ip) in [
                "198.51.100.7",
                "192.0.3.9",
                "0.0.0.0",
                "255.255.255.255",
                "224.0.0.1",
                "127.0.0.1",
                "192.0.2.255",
                "192.0.2.0",
            ]
            .into_iter()
            .enumerate()
            {
                for operation in [1, 2] {
                    frames.push(arp_frame(own, forged(n as u8), ip.parse().unwrap(), operation));
                    frames.push(arp_frame(ip.parse().unwrap(), forged(n as u8), ip.parse().unwrap(), operation));
                }
            }
            // For the address asked, with MAC addresses that nobody can have, and this machine's own.
            for mac in [[0; 6], [0xff; 6], [1, 0, 0x5e, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1], [2, 0, 0, 0, 0, 1]] {
                frames.push(arp_frame(own, mac, asked, 2));
            }
            // Cut off, padded with what looks like more, and of another kind.
            let sound = arp_frame(own, forged(200), asked, 2);
            frames.extend((0..42).map(|cut| sound[..cut].to_vec()));
            let mut other = sound.clone();
            other[13] = 0x35;
            frames.push([other, sound.clone()].concat());
            let mut wide = sound.clone();
            wide[18] = 0xff;
            frames.push([wide, vec![0xff; 1500]].concat());
            frames
        });
        net = Some(n.clone());
    })
    .await;
    nothing_astray(&net.unwrap(), &outcome, &[]);
    let found: Vec<String> = outcome.report.devices.iter().map(|d| d.ip.to_string()).collect();
    assert_eq!(found, CAMERAS);
}

/// Somebody claims every address, and is quicker than everybody.
fn quick_proxy(net: &FakeNet, mac: MacAddr) {
    net.links.on_arp(move |asked| vec![arp_frame(Ipv4Addr::new(192, 0, 2, 1), mac.0, asked, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_camera_keeps_its_own_mac_address_behind_a_router_that_answers_first() {
    let router = MacAddr([0x02, 0x66, 0, 0, 0, 1]);
    // Whether the router's first claim, which is believed at once, is for a camera, is a matter of where the sweep begins.
    for seed in 0..8 {
        fastrand::seed(seed);
        let net = neighbourhood();
        quick_proxy(&net, router);
        let outcome = scan(&net, ScanPlan { methods: vec![Method::Arp, Method::Tcp], ..plan() }).await;
        for ip in CAMERAS {
            let camera = outcome.device(ip);
            assert_eq!(camera.streams[0].status, StreamStatus::Streaming, "{ip}");
            let [.., a, b] = ip.parse::<Ipv4Addr>().unwrap().octets();
            assert_eq!(camera.mac, Some(MacAddr([0x02, 0, 0x5e, 0, a, b])), "seed {seed}: {ip}");
        }
        assert!(outcome.report.devices.len() <= CAMERAS.len() + 1, "{}", outcome.report.devices.len());
    }
}

#[tokio::test(start_paused = true)]
async fn two_who_claim_one_address_are_both_listed_and_one_is_inspected() {
    let (net, twin) = (neighbourhood(), MacAddr([0x44, 0x19, 0xb6, 0, 0, 7]));
    let target: Ipv4Addr = CAMERAS[1].parse().unwrap();
    net.links.on_arp(move |asked| match asked == target {
        true => vec![arp_frame(Ipv4Addr::new(192, 0, 2, 1), twin.0, asked, 2)],
        false => Vec::new(),
    });
    let outcome = scan(&net, plan()).await;
    assert_eq!(outcome.report.devices.len(), CAMERAS.len() + 1);
    let at_it = || outcome.report.devices.iter().filter(|d| d.ip == IpAddr::V4(target));
    assert_eq!(at_it().flat_map(|d| &d.streams).map(|s| s.status).collect::<Vec<_>>(), [StreamStatus::Streaming]);
    assert!(at_it().any(|d| d.mac == Some(twin)));
    assert!(at_it().all(|d| d.warnings.iter().any(|w| w.kind == WarningKind::AddressConflict)));
    let warned = outcome.report.warnings.iter().filter(|w| w.contains(CAMERAS[1])).count();
    assert_eq!(warned, 1, "{:?}", outcome.report.warnings);
    assert!(outcome.report.warnings.iter().any(|w| w.contains(&twin.to_string())), "{:?}", outcome.report.warnings);
}

/// A plan that takes link-local hosts in, as the one for this machine's own networks does.
fn with_v6(exclude: &[IpNetwork]) -> ScanPlan {
    let mut plan = ScanPlan { methods: Method::ALL.to_vec(), ..plan_without(exclude) };
    plan.targets.link_local_v6 = true;
    plan
}

fn v6(n: u32) -> IpAddr {
    let [a, b] = [(n >> 16) as u16, n as u16];
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0x1234, 0, a, b).into()
}

/// The answer of a camera by WS-Discovery that names these addresses.
fn probe_match(xaddrs: &str) -> Vec<u8> {
    format!(
        "<E><ProbeMatch><EndpointReference><Address>urn:uuid:1</Address></EndpointReference>\
         <Types>dn:NetworkVideoTransmitter</Types><XAddrs>{xaddrs}</XAddrs></ProbeMatch></E>"
    )
    .into_bytes()
}

fn on_v6<F>(net: &FakeNet, port: u16, answers: F)
where
    F: Fn() -> Vec<(Duration, SocketAddr, Vec<u8>)> + Send + Sync + 'static,
{
    net.links.speak_v6();
    net.datagrams.on_datagram(move |sent| {
        let is_asked = sent.to.port() == port && sent.to.is_ipv6() && sent.to.ip().is_multicast();
        let answers = if is_asked { answers() } else { Vec::new() };
        answers.into_iter().map(|(after, from, data)| (after, from, Ok(data))).collect()
    });
}

#[tokio::test(start_paused = true)]
async fn neighbours_invented_by_the_thousand_do_not_take_the_scan_over() {
    // What each costs is tested elsewhere: here nobody is looked at.
    let unasked = |plan: ScanPlan| ScanPlan {
        probe: ProbeOptions { ports: Vec::new(), ..plan.probe },
        resolve_names: false,
        ..plan
    };
    for count in [0, 3000] {
        let net = neighbourhood();
        on_v6(&net, MDNS, move || {
            let said = response(instance("cam", "_axis-video", 80, &[], Ipv4Addr::UNSPECIFIED));
            (0..count).map(|n| (spread(n as usize), SocketAddr::new(v6(n), MDNS), said.clone())).collect()
        });
        net.datagrams.echo_v6((0..count).map(|n| v6(0x1_0000 + n)));
        net.links.neighbour((0..count).map(|n| (v6(0x1_0000 + n), MacAddr([2, 0x67, 0, 0, (n >> 8) as u8, n as u8]))));
        let outcome = scan(&net, unasked(with_v6(&[]))).await;
        for ip in CAMERAS {
            assert_eq!(outcome.device(ip).ip.to_string(), ip);
        }
        let found = outcome.report.devices.iter().filter(|d| d.ip.is_ipv6()).count();
        assert_eq!(found, (2 * count as usize).min(4096));
        let warned = outcome.report.warnings.iter().filter(|w| w.contains("link-local")).count();
        assert_eq!(warned, usize::from(count > 0), "{:?}", outcome.report.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn excluded_ipv6_addresses_never_receive_anything_though_they_are_heard() {
    let net = neighbourhood();
    let hosts = [v6(10), v6(11), v6(0x2_0010)];
    for ip in hosts {
        Camera::new(&format!("[{ip}]")).on(&net);
    }
    on_v6(&net, 3702, move || {
        hosts.map(|ip| (Duration::from_millis(5), SocketAddr::new(ip, 3702), probe_match(""))).to_vec()
    });
    net.datagrams.echo_v6(hosts);
    let excluded: Vec<IpNetwork> =
        vec![format!("{}/128", v6(11)).parse().unwrap(), "fe80::1234:0:2:0/112".parse().unwrap()];
    let outcome = scan(&net, with_v6(&excluded)).await;
    let is_out = |ip: IpAddr| excluded.iter().any(|net| net.contains(ip));
    assert!(is_out(hosts[1]) && is_out(hosts[2]) && !is_out(hosts[0]));
    assert!(!net.connects().iter().any(|(_, to)| is_out(to.ip())));
    assert!(!net.datagrams.sent().iter().any(|sent| is_out(sent.to.ip())));
    assert!(!outcome.report.devices.iter().any(|d| is_out(d.ip)));
    assert!(outcome.report.devices.iter().any(|d| d.ip == hosts[0]), "the others are looked at");
}

#[tokio::test(start_paused = true)]
async fn addresses_with_brackets_and_zones_stay_with_their_sender() {
    let camera = v6(10);
    for xaddrs in [
        format!("http://[{camera}]/onvif/device_service"),
        format!("http://[{camera}%eth0]/onvif/device_service"),
        format!("http://[{camera}%25eth0]:80/onvif/device_service"),
        format!("http://[{camera}%25..%2f..%2fetc]/onvif/device_service http://[{camera}%"),
        format!("http://{camera}/onvif/device_service"),
        "http://[fe80::dead%25eth0]:9100/onvif/device_service".to_owned(),
        "http://[2001:db8::7]/onvif/device_service http://[::1]/ http://[::ffff:203.0.113.7]/".to_owned(),
        "http://[[::]]/ http://[]/ http://[fe80::/ http://]/ http://[::%eth0%eth1]:0/".to_owned(),
    ] {
        let net = neighbourhood();
        Camera::new(&format!("[{camera}]")).on(&net);
        pages(&net, &format!("[{camera}]:80"), |_| http("200 OK", "Server: App-webs/\r\n", "<title>Camera</title>"));
        let said = xaddrs.clone();
        on_v6(&net, 3702, move || vec![(Duration::from_millis(5), SocketAddr::new(camera, 3702), probe_match(&said))]);
        let outcome = scan(&net, with_v6(&[])).await;
        nothing_astray(&net, &outcome, &[&camera.to_string()]);
        let device = outcome.device(&camera.to_string());
        assert_eq!(device.streams.first().map(|s| s.status), Some(StreamStatus::Streaming), "{xaddrs}: {device:?}");
        assert!(device.streams[0].url.starts_with(&format!("rtsp://[{camera}]")), "{}", device.streams[0].url);
        assert!(net.links.zones().iter().any(|(ip, zone)| (*ip, *zone) == (camera, 2)));
        assert_eq!(outcome.report.devices.len(), CAMERAS.len() + 1, "{xaddrs}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapped_ipv4_address_is_that_ipv4_address() {
    let net = neighbourhood();
    on_v6(&net, 3702, || {
        [
            "::ffff:192.0.2.10",
            "::ffff:203.0.113.9",
            "::ffff:127.0.0.1",
            "::192.0.2.99",
            "64:ff9b::c000:263",
            "::",
            "::1",
        ]
        .map(|from| (Duration::from_millis(5), at(from, 3702), probe_match("http://[::ffff:192.0.2.10]/onvif/x")))
        .to_vec()
    });
    let outcome = scan(&net, with_v6(&[])).await;
    nothing_astray(&net, &outcome, &[]);
    let of = |reached: bool| -> Vec<String> {
        let devices = outcome.report.devices.iter().filter(|d| d.reach.is_none() == reached);
        devices.map(|d| d.ip.to_string()).collect()
    };
    assert_eq!((of(true), of(false)), (CAMERAS.map(str::to_owned).to_vec(), vec!["203.0.113.9".to_owned()]));
    assert!(outcome.device("192.0.2.10").discovered_by.contains(&Method::Onvif));
}

#[tokio::test(start_paused = true)]
async fn whatever_dns_says_of_an_address_is_a_name_and_no_more() {
    let names = [
        "192.0.2.200".to_owned(),
        "203.0.113.7".to_owned(),
        "rtsp://admin:geheim@203.0.113.7/".to_owned(),
        "http://203.0.113.7:9100/".to_owned(),
        "=HYPERLINK(\"http://203.0.113.7\").example".to_owned(),
        "+1.example".to_owned(),
        "@SUM(A1).example".to_owned(),
        "xn--80ak6aa92e.example".to_owned(),
        "\u{430}\u{440}\u{440}\u{4cf}\u{435}.example".to_owned(),
        "\u{202e}elpmaxe".to_owned(),
        "a\\000\\027[2J\\032.example".to_owned(),
        "\u{1b}[2J\u{9b}31m.example".to_owned(),
        ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join("."),
        "*.example".to_owned(),
        ".".to_owned(),
        String::new(),
        "-".to_owned(),
        "localhost".to_owned(),
        "hikvision.axis.dahua.example".to_owned(),
    ];
    for name in names {
        let net = neighbourhood();
        net.names.name(CAMERAS[0], &name);
        let outcome = scan(&net, plan()).await;
        nothing_astray(&net, &outcome, &[]);
        let camera = outcome.device(CAMERAS[0]);
        assert_eq!(camera.streams[0].status, StreamStatus::Streaming, "{name}");
        assert!(camera.streams[0].url.starts_with("rtsp://192.0.2.10"), "{}", camera.streams[0].url);
        assert_eq!(camera.addresses, ["192.0.2.10".parse::<IpAddr>().unwrap()], "{name}");
        let told = serde_json::to_string(&outcome.report).unwrap();
        assert!(!told.contains("geheim"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_at_many_ports_is_asked_at_few() {
    let mut records = Vec::new();
    for port in 10_000..10_300 {
        records.extend(instance(
            &format!("s{port}"),
            "_rtsp",
            port,
            &[&format!("path=/{port}")],
            EVIL.parse().unwrap(),
        ));
    }
    let messages: Vec<_> = records.chunks(40).map(|some| (at(EVIL, MDNS), response(some.to_vec()))).collect();
    let mut net = None;
    let probe = ProbeOptions { host_timeout: Duration::from_secs(30), ..plan().probe };
    let mut outcome = among_cameras(ScanPlan { probe, ..all_methods() }, |n| {
        n.host_up(EVIL);
        mdns_says(n, messages);
        net = Some(n.clone());
    })
    .await;
    let net = net.unwrap();
    // Ours, with the line that says what can be done.
    let warned = std::mem::take(&mut outcome.report.warnings);
    assert!(warned.iter().any(|w| w.contains("more was announced than is kept")), "{warned:?}");
    nothing_astray(&net, &outcome, &[EVIL]);
    let evil: IpAddr = EVIL.parse().unwrap();
    let announced: BTreeSet<u16> = net
        .connects()
        .iter()
        .filter(|(_, to)| to.ip() == evil && to.port() >= 10_000)
        .map(|(_, to)| to.port())
        .collect();
    assert!((1..=80).contains(&announced.len()), "{} ports asked", announced.len());
    assert!(
        !outcome
            .device(EVIL)
            .streams
            .iter()
            .any(|s| s.protocol == Protocol::Rtsp && s.status == StreamStatus::Streaming)
    );
}

/// Every message states other names, versions and ports: of one address so much is kept as a device has to say.
#[tokio::test(start_paused = true)]
async fn what_one_address_announces_without_end_is_kept_within_a_bound_and_said() {
    let evil: Ipv4Addr = EVIL.parse().unwrap();
    let said = |n: usize| {
        let texts = ["model", "manufacturer", "serial", "fw"].map(|key| format!("{key}={n:05}{key:x>200}"));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        instance(&format!("cam{n:05}"), "_http", 10_000 + n as u16, &texts, evil)
    };
    let records: Vec<Record> = (0..1500).flat_map(said).collect();
    let messages: Vec<_> = records.chunks(40).map(|some| (at(EVIL, MDNS), response(some.to_vec()))).collect();
    let mut net = None;
    let mut outcome = among_cameras(all_methods(), |n| {
        n.host_up(EVIL);
        mdns_says(n, messages);
        net = Some(n.clone());
    })
    .await;
    let warned = std::mem::take(&mut outcome.report.warnings);
    nothing_astray(&net.unwrap(), &outcome, &[EVIL]);
    let device = outcome.device(EVIL);
    assert!(!device.evidence.is_empty() && !device.services.is_empty(), "{device:?}");
    let bytes = serde_json::to_string(device).unwrap().len();
    assert!(bytes <= 128 << 10, "{bytes} bytes, {} words, {} services", device.evidence.len(), device.services.len());
    let said: Vec<_> = warned.iter().filter(|w| w.contains("more was announced than is kept")).collect();
    assert!(matches!(said[..], [one] if one.contains(EVIL)), "{warned:?}");
}
