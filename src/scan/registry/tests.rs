use proptest::prelude::*;

use super::*;
use crate::model::arbitrary;
use crate::model::host_record::MOST_PER_HOST;
use crate::model::{
    Answer, Evidence, EvidenceSource, Fact, Header, Kind, Method, Protocol, Service, Stream, StreamStatus, Transport,
    Video,
};
use crate::text::steps;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn ip(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

/// What was found, devices without video included.
fn registry(findings: Vec<(IpAddr, FindingKind)>) -> Registry {
    filled(Registry::new(true), findings)
}

fn filled(mut registry: Registry, findings: Vec<(IpAddr, FindingKind)>) -> Registry {
    for (n, (ip, kind)) in findings.into_iter().enumerate() {
        registry.apply(at(n as i64), Finding::new(ip, kind));
    }
    registry
}

fn mac(n: u8) -> FindingKind {
    FindingKind::Mac(MacAddr([0x44, 0x19, 0xb6, 0, 0, n]))
}

fn serial(text: &str) -> FindingKind {
    FindingKind::Evidence(Evidence::new(Fact::Serial, text, EvidenceSource::Onvif, 0.95))
}

#[test]
fn a_device_seen_by_three_methods_is_one() {
    let mut r = Registry::new(true);
    let first = r.apply(at(0), Finding::new(ip(1), FindingKind::Seen(Method::Arp)));
    assert_eq!(first, [ScanEvent::HostUp { ip: ip(1), method: Method::Arp }]);
    for method in [Method::Onvif, Method::Ssdp] {
        assert_eq!(r.apply(at(5), Finding::new(ip(1), FindingKind::Seen(method))), []);
    }
    let devices = r.devices();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].discovered_by, [Method::Arp, Method::Onvif, Method::Ssdp]);
    assert_eq!((devices[0].first_seen, devices[0].last_seen), (at(0), at(5)));
}

#[test]
fn two_address_families_on_one_mac_are_one_device() {
    let v6: IpAddr = "fe80::1".parse().unwrap();
    let devices = registry(vec![(v6, mac(1)), (ip(1), mac(1))]).devices();
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].ip, devices[0].id.as_str()), (ip(1), "mac:44:19:b6:00:00:01"));
    assert_eq!(devices[0].addresses, [ip(1), v6]);
}

#[test]
fn the_same_answer_at_another_time_is_no_further_one() {
    let answer = |status: &str, date: &str| Answer {
        request: "OPTIONS rtsp://192.0.2.1/".into(),
        status: status.into(),
        headers: vec![Header { name: "Date".into(), value: Some(date.into()), withheld: false }],
    };
    let service = |answers| Service { answers, ..Service::new(Protocol::Rtsp, Transport::Tcp, 554) };
    let said = [vec![answer("200", "1")], vec![answer("200", "2"), answer("401", "2")]];
    let devices = registry(said.map(|a| (ip(1), FindingKind::Service(service(a)))).to_vec()).devices();
    assert_eq!(devices[0].services[0].answers, [answer("200", "1"), answer("401", "2")]);
}

#[test]
fn a_proxy_arp_router_does_not_merge_what_is_behind_it() {
    let devices = registry(vec![(ip(1), mac(1)), (ip(2), mac(1)), (ip(3), mac(1))]).devices();
    let ids: Vec<&str> = devices.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(ids, ["ip:192.0.2.1", "ip:192.0.2.2", "ip:192.0.2.3"]);
}

#[test]
fn one_endpoint_id_on_two_cameras_stays_two() {
    let id = || FindingKind::EndpointId("a".into());
    let devices = registry(vec![(ip(1), id()), (ip(2), id()), (ip(1), serial("x")), (ip(2), serial("y"))]);
    let ids: Vec<String> = devices.devices().into_iter().map(|d| d.id).collect();
    assert_eq!(ids, ["ip:192.0.2.1", "ip:192.0.2.2"]);
}

#[test]
fn one_serial_behind_one_mac_is_one_device() {
    let r = registry(vec![(ip(1), mac(1)), (ip(2), mac(1)), (ip(1), serial("x")), (ip(2), serial("x"))]);
    assert_eq!(r.devices().len(), 1);
}

#[test]
fn a_service_grows_and_forgets_nothing() {
    let mut early = Service::new(Protocol::Rtsp, Transport::Tcp, 554);
    early.server = Some("Hipcam RealServer/V1.0".into());
    let mut late = Service::new(Protocol::Rtsp, Transport::Tcp, 554);
    late.auth = Some(vec![]);
    let r = registry(vec![(ip(1), FindingKind::Service(early)), (ip(1), FindingKind::Service(late))]);
    let services = &r.devices()[0].services;
    assert_eq!(services.len(), 1);
    assert_eq!(services[0].server.as_deref(), Some("Hipcam RealServer/V1.0"));
    assert_eq!(services[0].auth, Some(vec![]));
}

#[test]
fn a_host_without_video_is_left_out_and_a_stream_makes_a_camera() {
    let mut stream = Stream::new("rtsp://192.0.2.1/", Protocol::Rtsp);
    stream.status = StreamStatus::Streaming;
    stream.video = Some(Video::default());
    let findings = vec![(ip(1), FindingKind::Stream(Box::new(stream))), (ip(2), FindingKind::Seen(Method::Arp))];
    let r = filled(Registry::new(false), findings.clone());
    let devices = r.devices();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].kind, Kind::Camera);
    assert_eq!(r.hosts_up(), 2);
    assert_eq!(registry(findings).devices().len(), 2);
}

#[test]
fn four_channels_that_film_make_a_recorder() {
    let streams = (1..=4).map(|channel| {
        let mut stream = Stream::new(format!("rtsp://192.0.2.1/ch{channel}"), Protocol::Rtsp);
        stream.status = StreamStatus::Streaming;
        stream.video = Some(Video::default());
        stream.channel = Some(channel);
        (ip(1), FindingKind::Stream(Box::new(stream)))
    });
    assert_eq!(registry(streams.collect()).devices()[0].kind, Kind::Recorder);
}

#[test]
fn what_one_host_says_is_bounded() {
    let r = registry((0..5000).map(|n| (ip(1), serial(&n.to_string()))).collect());
    assert!(r.devices()[0].evidence.len() <= MOST_PER_HOST);
}

/// What a host says in mDNS: that it is at this address, with this MAC address.
fn claim(ip: IpAddr, n: usize) -> [Finding; 2] {
    let mac = MacAddr([0x44, 0x19, 0xb6, 0, (n >> 8) as u8, n as u8]);
    [FindingKind::Seen(Method::Mdns), FindingKind::StatedMac(mac)]
        .map(|kind| Finding { claimant: Some(mac), ..Finding::new(ip, kind) })
}

#[test]
fn the_hosts_at_one_address_are_compared_once() {
    let mut r = Registry::new(true);
    for finding in (0..60).flat_map(|n| claim(ip(1), n)) {
        r.apply(at(0), finding);
    }
    let looks = steps::seen_by(|| (0..100).filter(|_| r.has_other_addresses(ip(1))).count());
    assert!(looks <= 60 * 60, "{looks} claims looked at");
    assert_eq!(r.devices().len(), 60);
    // What is learnt later counts: MAC addresses that answer for other addresses too share none.
    let arp = |at: u8, n: u8| {
        let mac = MacAddr([0x3c, 0xef, 0x8c, 0, 0, n]);
        Finding { claimant: Some(mac), ..Finding::new(ip(at), FindingKind::Seen(Method::Arp)) }
    };
    for finding in [arp(2, 1), arp(2, 2)] {
        r.apply(at(1), finding);
    }
    assert_eq!(r.devices().iter().filter(|device| device.ip == ip(2)).count(), 2);
    r.apply(at(2), arp(3, 2));
    assert_eq!(r.devices().iter().filter(|device| device.ip == ip(2)).count(), 1);
    r.apply(at(3), arp(2, 4));
    assert_eq!(r.devices().iter().filter(|device| device.ip == ip(2)).count(), 2);
}

#[test]
fn devices_that_are_heard_are_bounded_and_compared_by_their_mac_addresses() {
    let mut r = Registry::new(true);
    let mut taken = 0;
    for host in 0..100u8 {
        for n in 0..60 {
            let [seen, stated] = claim(ip(host), usize::from(host) * 60 + n);
            taken += usize::from(r.hear(at(0), seen) && r.hear(at(0), stated));
        }
    }
    assert_eq!(taken, 4096);
    let mut count = 0;
    let looks = steps::seen_by(|| count = r.devices().len());
    assert_eq!(count, 4096);
    // Those at one address are compared with each other, and each is named in the warnings of others.
    assert!(looks <= count * (64 + 32), "{looks} looks at {count} devices");
}

#[test]
fn an_identity_that_counts_no_more_is_not_kept() {
    let mut r = Registry::new(true);
    for n in (0..1000).rev() {
        r.apply(at(0), Finding::new(ip(1), FindingKind::EndpointId(format!("{n:04}"))));
        let mac = MacAddr([0x44, 0x19, 0xb6, 0, (n >> 8) as u8, n as u8]);
        r.apply(at(0), Finding::new(ip(1), FindingKind::Mac(mac)));
    }
    assert_eq!((r.by_endpoint.len(), r.by_mac.len()), (1, 1));
    assert_eq!(r.devices()[0].endpoint.as_deref(), Some("0000"));
}

/// Sixty devices claim each of the addresses, and state the same endpoint and serial number at each.
#[test]
fn twice_the_addresses_that_many_claim_cost_twice_the_looks() {
    let looks = |addresses: u8| {
        let mut r = Registry::new(true);
        for (host, n) in (0..addresses).flat_map(|host| (0..60).map(move |n| (host, n))) {
            let claims = claim(ip(host), n);
            let mac = claims[0].claimant;
            let stated = [FindingKind::EndpointId(format!("e{n}")), serial(&format!("s{n}"))];
            let stated = stated.map(|kind| Finding::new(ip(host), kind).by(mac));
            claims.into_iter().chain(stated).for_each(|finding| drop(r.apply(at(0), finding)));
        }
        r.devices();
        let mut devices = Vec::new();
        let looks = steps::seen_by(|| devices = r.devices());
        assert_eq!(devices.len(), usize::from(addresses) * 60);
        let warnings: Vec<_> = devices.iter().flat_map(|device| &device.warnings).collect();
        assert!(warnings.iter().all(|warning| warning.others.len() <= 32));
        let rest = format!("and {} more states too", addresses - 1 - 3);
        assert!(warnings.iter().any(|warning| warning.message.contains(&rest)), "{:?}", warnings.first());
        looks
    };
    let (few, many) = (looks(40), looks(80));
    assert!(many <= few * 5 / 2, "{few} looks at 40 addresses, {many} at 80");
}

/// A router answers for every address, and devices in other subnets are heard through it.
#[test]
fn what_is_heard_behind_one_network_card_is_compared_with_a_few_devices() {
    let looks = |count: u16| {
        let at_number = |first: u8, n: u16| IpAddr::from([first, (n >> 8) as u8, n as u8, 9]);
        let router = MacAddr([0x44, 0x19, 0xb6, 0, 0, 1]);
        let mut r = Registry::new(true);
        for n in 0..count {
            r.apply(at(0), Finding::new(at_number(10, n), FindingKind::Mac(router)));
            for kind in [FindingKind::Seen(Method::Mdns), serial(&format!("s{n}"))] {
                r.hear(at(0), Finding::new(at_number(172, n), kind).by(Some(router)));
            }
        }
        steps::seen_by(|| r.devices())
    };
    let (few, many) = (looks(400), looks(800));
    assert!(many <= few * 5 / 2, "{few} looks at 400 devices, {many} at 800");
}

/// Findings with the second each was made in.
type Timed = Vec<(i64, Finding)>;

/// Findings, and the same in another order.
fn shuffled() -> impl Strategy<Value = (Timed, Timed)> {
    let found = prop::collection::vec((0i64..60, arbitrary::finding()), 0..40);
    found.prop_flat_map(|found| (Just(found.clone()), Just(found).prop_shuffle()))
}

fn report(findings: Timed) -> (Vec<Device>, u64, Vec<IpAddr>) {
    let mut registry = Registry::new(true);
    for (second, finding) in findings {
        registry.apply(at(second), finding);
    }
    (registry.devices(), registry.hosts_up(), registry.unfinished())
}

proptest! {
    #[test]
    fn the_order_findings_arrive_in_does_not_change_the_report((found, otherwise) in shuffled()) {
        prop_assert_eq!(report(found), report(otherwise));
    }

    #[test]
    fn a_finding_that_arrives_again_changes_nothing(found in prop::collection::vec((0i64..60, arbitrary::finding()), 0..20)) {
        let twice = found.iter().chain(&found).cloned().collect();
        prop_assert_eq!(report(twice), report(found));
    }
}
