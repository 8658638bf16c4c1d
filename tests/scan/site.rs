//! The first hour on site: cameras out of the box in another subnet, several at one address, and what about each needs
//! somebody's attention.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use camscan::model::{Activation, Device, MacAddr, Method, Reach, Report, ScanEvent, ScanPlan, WarningKind};
use camscan::protocol::arp::wire as arp;
use camscan::testkit::net::FakeNet;

use super::{plan, plan_without, scan};

const SADP: &str = "239.255.255.250:37020";
const DHIP: &str = "239.255.255.251:37810";

/// What a Hikvision camera answers to SADP.
fn sadp(mac: u8, ip: &str, activated: bool) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ProbeMatch><Types>inquiry</Types><DeviceDescription>DS-2CD2043G2-I\
         </DeviceDescription><DeviceSN>DS-2CD2043G2-I2024{mac:04}</DeviceSN><HttpPort>80</HttpPort>\
         <MAC>44-19-b6-00-00-{mac:02x}</MAC><IPv4Address>{ip}</IPv4Address><IPv4SubnetMask>255.255.255.0</IPv4SubnetMask>\
         <IPv4Gateway>192.168.1.1</IPv4Gateway><DHCP>false</DHCP><SoftwareVersion>V5.7.3</SoftwareVersion>\
         <Activated>{activated}</Activated></ProbeMatch>"
    )
    .into_bytes()
}

/// What a Dahua camera answers to DHIP; `init` as its lowest bits tell.
fn dhip(mac: u8, ip: &str, init: u32) -> Vec<u8> {
    let body = format!(
        "{{\"mac\":\"3c:ef:8c:00:00:{mac:02x}\",\"method\":\"client.notifyDevInfo\",\"params\":{{\"deviceInfo\":{{\
         \"DeviceClass\":\"IPC\",\"DeviceType\":\"IPC-HDW1230\",\"HttpPort\":80,\"Init\":{init},\"IPv4Address\":{{\
         \"DefaultGateway\":\"192.168.1.1\",\"DhcpEnable\":false,\"IPAddress\":\"{ip}\",\"SubnetMask\":\"255.255.255.0\"}},\
         \"SerialNo\":\"7F0{mac:04}PAG\",\"Vendor\":\"Dahua\",\"Version\":\"2.840.0\"}}}}}}"
    );
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&[32, 0, 0, 0][..], b"DHIP", &[0; 8], &length, &[0; 4], &length, &[0; 4], body.as_bytes()].concat()
}

/// Has somebody answer each question to `to`, from an address.
fn answers(net: &FakeNet, to: &'static str, from: &str, datagram: Vec<u8>) {
    let (to, from): (SocketAddr, SocketAddr) = (to.parse().unwrap(), from.parse().unwrap());
    net.datagrams.on_datagram(move |sent| match sent.to == to {
        true => vec![(Duration::from_millis(20), from, Ok(datagram.clone()))],
        false => Vec::new(),
    });
}

fn by_multicast() -> ScanPlan {
    ScanPlan { methods: vec![Method::Arp, Method::Beacon], all: false, ..plan() }
}

fn at<'r>(report: &'r Report, ip: &str) -> Vec<&'r Device> {
    report.devices.iter().filter(|device| device.ip.to_string() == ip).collect()
}

fn kinds(device: &Device) -> Vec<WarningKind> {
    device.warnings.iter().map(|warning| warning.kind).collect()
}

/// Nobody was asked anything outside the subnet of this machine, but groups and broadcasts.
fn nobody_outside_was_asked(net: &FakeNet) {
    let is_inside = |ip: IpAddr| matches!(ip, IpAddr::V4(v4) if v4.octets()[..3] == [192, 0, 2]);
    for (_, to) in net.connects() {
        assert!(is_inside(to.ip()), "connected to {to}");
    }
    for sent in net.datagrams.sent() {
        let ip = sent.to.ip();
        let is_to_all = ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        assert!(is_to_all || is_inside(ip), "sent to {ip}");
    }
    assert!(net.links.asked().into_keys().all(|ip| is_inside(ip.into())));
}

#[tokio::test(start_paused = true)]
async fn cameras_in_another_subnet_are_listed_and_left_alone() {
    let net = FakeNet::subnet();
    answers(&net, SADP, "192.168.1.64:37020", sadp(1, "192.168.1.64", false));
    for mac in 1..=3 {
        answers(&net, DHIP, "192.168.1.108:37810", dhip(mac, "192.168.1.108", 0x91));
    }
    answers(&net, DHIP, "169.254.8.9:37810", dhip(9, "169.254.8.9", 0x92));
    // In the subnet of this machine, and not among the targets.
    answers(&net, DHIP, "192.0.2.77:37810", dhip(77, "192.0.2.77", 0x91));
    // Says nothing that could be read, so that there is no telling what it is.
    answers(&net, DHIP, "192.168.1.200:37810", b"hello".to_vec());
    let excluded = plan_without(&["192.0.2.77/32".parse().unwrap()]);
    let outcome = scan(&net, ScanPlan { targets: excluded.targets, ..by_multicast() }).await;
    let report = &outcome.report;
    let found: Vec<(String, &str)> = report.devices.iter().map(|d| (d.ip.to_string(), d.id.as_str())).collect();
    let expected = [
        ("169.254.8.9", "mac:3c:ef:8c:00:00:09"),
        ("192.168.1.64", "mac:44:19:b6:00:00:01"),
        ("192.168.1.108", "mac:3c:ef:8c:00:00:01"),
        ("192.168.1.108", "mac:3c:ef:8c:00:00:02"),
        ("192.168.1.108", "mac:3c:ef:8c:00:00:03"),
    ];
    assert_eq!(found, expected.map(|(ip, id)| (ip.to_owned(), id)));
    let hikvision = at(report, "192.168.1.64")[0];
    assert_eq!((hikvision.reach, hikvision.activation), (Some(Reach::OtherSubnet), Some(Activation::NotActivated)));
    assert_eq!(
        (hikvision.heard_on.as_deref(), hikvision.discovered_by.as_slice()),
        (Some("eth0"), &[Method::Beacon][..])
    );
    assert_eq!((hikvision.model.as_deref(), hikvision.firmware.as_deref()), (Some("DS-2CD2043G2-I"), Some("V5.7.3")));
    assert_eq!(hikvision.network.and_then(|network| network.prefix()), Some(24));
    let hint = hikvision.warnings.iter().find(|w| w.kind == WarningKind::OtherSubnet).unwrap().hint.as_deref().unwrap();
    assert!(hint.contains("192.168.1.200") && hint.contains("eth0"), "{hint}");
    for dahua in at(report, "192.168.1.108") {
        assert_eq!(kinds(dahua), [WarningKind::OtherSubnet, WarningKind::NotActivated, WarningKind::AddressConflict]);
    }
    let set_up = at(report, "169.254.8.9")[0];
    assert_eq!(
        (set_up.activation, kinds(set_up)),
        (Some(Activation::Activated), vec![WarningKind::OtherSubnet, WarningKind::NetworkMismatch])
    );
    assert_eq!(report.scan.hosts_up, 0);
    let told: BTreeSet<String> = outcome
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            ScanEvent::DeviceDone(device) => Some(device.id.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), report.devices.len(), "each is told of while the scan runs");
    nobody_outside_was_asked(&net);
}

#[tokio::test(start_paused = true)]
async fn who_makes_up_addresses_is_not_believed_without_end() {
    let net = FakeNet::subnet();
    let to: SocketAddr = DHIP.parse().unwrap();
    net.datagrams.on_datagram(move |sent| {
        let all = (0..3000u32).filter(|_| sent.to == to);
        all.map(|n| {
            let ip = Ipv4Addr::from(0x0a00_0001 + n);
            (
                Duration::from_millis(u64::from(n / 4)),
                SocketAddr::new(ip.into(), 37810),
                Ok(dhip(1, &ip.to_string(), 0)),
            )
        })
        .collect()
    });
    let to: SocketAddr = SADP.parse().unwrap();
    net.datagrams.on_datagram(move |sent| {
        let all = (0..=255u8).filter(|_| sent.to == to);
        all.map(|mac| {
            (Duration::from_millis(5), "192.168.1.64:37020".parse().unwrap(), Ok(sadp(mac, "192.168.1.64", true)))
        })
        .collect()
    });
    let outcome = scan(&net, by_multicast()).await;
    assert!(outcome.report.warnings.iter().any(|w| w.contains("1,024 addresses")), "{:?}", outcome.report.warnings);
    // One MAC address with a thousand addresses is one device, and no more are told apart at one address than 64.
    assert!(outcome.report.devices.len() <= 66, "{}", outcome.report.devices.len());
    nobody_outside_was_asked(&net);
}

/// A frame by which a station answers for an address.
fn reply(ip: Ipv4Addr, mac: u8) -> Vec<u8> {
    let mut frame = arp::request(MacAddr([0x44, 0x19, 0xb6, 0, 0, mac]), ip, Ipv4Addr::new(192, 0, 2, 1)).to_vec();
    frame[21] = 2;
    frame
}

#[tokio::test(start_paused = true)]
async fn two_cameras_at_one_address_are_two() {
    let net = FakeNet::subnet();
    let shared = Ipv4Addr::new(192, 0, 2, 64);
    net.links.on_arp(move |ip| if ip == shared { vec![reply(ip, 1), reply(ip, 2)] } else { Vec::new() });
    answers(&net, SADP, "192.0.2.64:37020", sadp(1, "192.0.2.64", true));
    answers(&net, SADP, "192.0.2.64:37020", sadp(2, "192.0.2.64", false));
    let outcome = scan(&net, by_multicast()).await;
    let found = at(&outcome.report, "192.0.2.64");
    let ids: Vec<&str> = found.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(ids, ["mac:44:19:b6:00:00:01", "mac:44:19:b6:00:00:02"]);
    let states: Vec<_> =
        found.iter().map(|d| (d.activation, d.serial.as_deref().unwrap().ends_with(&d.id[20..21]))).collect();
    assert_eq!(states, [(Some(Activation::Activated), true), (Some(Activation::NotActivated), true)]);
    assert!(found.iter().all(|device| kinds(device).contains(&WarningKind::AddressConflict)));
    assert_eq!(outcome.report.scan.hosts_up, 1, "it is one address that answered");
}

#[tokio::test(start_paused = true)]
async fn a_router_that_answers_for_a_camera_shares_no_address_with_it() {
    let net = FakeNet::subnet();
    let (camera, router) = (Ipv4Addr::new(192, 0, 2, 64), Ipv4Addr::new(192, 0, 2, 254));
    net.links.on_arp(move |ip| match ip {
        _ if ip == camera => vec![reply(ip, 1), reply(ip, 9)],
        _ if ip == router => vec![reply(ip, 9)],
        _ => Vec::new(),
    });
    answers(&net, SADP, "192.0.2.64:37020", sadp(1, "192.0.2.64", true));
    let outcome = scan(&net, by_multicast()).await;
    let found = at(&outcome.report, "192.0.2.64");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id.as_str(), kinds(found[0])), ("mac:44:19:b6:00:00:01", vec![WarningKind::NetworkMismatch]));
}
