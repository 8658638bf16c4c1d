use super::*;
use crate::model::{AuthScheme, EvidenceSource, LadderStep, Protocol, Step, StreamStatus, Transport};

fn record(kinds: impl IntoIterator<Item = FindingKind>) -> HostRecord {
    let mut record = HostRecord::new();
    kinds.into_iter().for_each(|kind| record.learn(kind));
    record
}

/// The record of two findings, which is the same in whatever order they come.
fn of_both(a: FindingKind, b: FindingKind) -> HostRecord {
    let known = record([a.clone(), b.clone()]);
    assert_eq!(record([b.clone(), a.clone()]), known);
    assert_eq!(record([a.clone(), b.clone(), a]), known);
    known
}

fn bare(port: u16) -> Service {
    Service::new(Protocol::Http, Transport::Tcp, port)
}

#[test]
fn a_bare_announcement_takes_nothing_away() {
    let full = Service {
        url: Some("http://192.0.2.1/".into()),
        auth: Some(vec![AuthScheme::Basic]),
        server: Some("go2rtc".into()),
        title: Some("go2rtc".into()),
        notes: vec!["a note".into()],
        ..bare(1984)
    };
    let announced = Service { url: Some("http://192.0.2.1:1984/a/longer/one".into()), ..bare(1984) };
    let known = of_both(FindingKind::Service(full.clone()), FindingKind::Announced(announced));
    assert_eq!(known.services(), [full]);
}

#[test]
fn an_announcement_fills_what_the_service_left_open() {
    let announced = Service { url: Some("http://192.0.2.1/onvif".into()), ..bare(80) };
    let answered = Service { server: Some("nginx".into()), ..bare(80) };
    let known = of_both(FindingKind::Announced(announced.clone()), FindingKind::Service(answered.clone()));
    assert_eq!(known.services(), [Service { url: announced.url, ..answered }]);
}

#[test]
fn a_service_that_demands_a_login_anywhere_demands_one() {
    let open = Service { auth: Some(Vec::new()), ..bare(80) };
    let closed = Service { auth: Some(vec![AuthScheme::Digest]), ..bare(80) };
    let known = of_both(FindingKind::Service(open), FindingKind::Service(closed));
    assert_eq!(known.services()[0].auth, Some(vec![AuthScheme::Digest]));
}

#[test]
fn a_port_that_refuses_has_no_service_whatever_announces_one() {
    let known = of_both(FindingKind::Refuses(80), FindingKind::Announced(bare(80)));
    assert_eq!(known.services(), []);
}

#[test]
fn a_mac_address_of_the_link_counts_before_a_stated_one() {
    let (link, stated) = (MacAddr([0x44, 0x19, 0xb6, 0, 0, 2]), MacAddr([0x44, 0x19, 0xb6, 0, 0, 1]));
    let known = of_both(FindingKind::Mac(link), FindingKind::StatedMac(stated));
    assert_eq!((known.mac(), known.link_mac()), (Some(link), Some(link)));
    assert_eq!(record([FindingKind::Mac(MacAddr([0xff; 6]))]).mac(), None);
}

fn stream(status: StreamStatus, steps: &[(Step, bool)]) -> Stream {
    let took = std::time::Duration::from_millis(1);
    Stream {
        status,
        ladder: steps.iter().map(|&(step, ok)| LadderStep::new(step, ok, took)).collect(),
        ..Stream::new("rtsp://192.0.2.1/", Protocol::Rtsp)
    }
}

fn winner(a: &Stream, b: &Stream) -> StreamStatus {
    let finding = |stream: &Stream| FindingKind::Stream(Box::new(stream.clone()));
    let known = of_both(finding(a), finding(b));
    assert_eq!(known.streams().len(), 1);
    known.streams()[0].status
}

#[test]
fn of_two_analyses_the_one_that_got_further_counts() {
    use Step::{Described, Rtp, Rtsp, Setup, Tcp};
    let described = stream(StreamStatus::Described, &[(Tcp, true), (Rtsp, true), (Described, true)]);
    let played =
        stream(StreamStatus::Streaming, &[(Tcp, true), (Rtsp, true), (Described, true), (Setup, true), (Rtp, true)]);
    let no_setup = stream(StreamStatus::Error, &[(Tcp, true), (Rtsp, true), (Described, true), (Setup, false)]);
    let refused = stream(StreamStatus::Error, &[(Tcp, false)]);
    assert_eq!(winner(&described, &played), StreamStatus::Streaming);
    assert_eq!(winner(&no_setup, &played), StreamStatus::Streaming);
    assert_eq!(winner(&described, &no_setup), StreamStatus::Error);
    assert_eq!(winner(&described, &refused), StreamStatus::Error, "it was to be proved, and could not be");
}

#[test]
fn a_saved_snapshot_is_added_to_a_proved_stream() {
    let proved = stream(StreamStatus::Streaming, &[(Step::Rtp, true)]);
    let with_snapshot = Stream { snapshot: Some("a.jpg".into()), ..proved.clone() };
    let known = of_both(FindingKind::Stream(Box::new(with_snapshot.clone())), FindingKind::Stream(Box::new(proved)));
    assert_eq!(known.streams(), [with_snapshot]);
}

#[test]
fn hints_about_one_address_add_up() {
    let named = StreamHint { profile_name: Some("main".into()), ..StreamHint::new("rtsp://192.0.2.1/1") };
    let asked = StreamHint { is_asked_for: true, channel: Some(2), ..StreamHint::new("rtsp://192.0.2.1/1") };
    let known = of_both(FindingKind::StreamHint(named.clone()), FindingKind::StreamHint(asked));
    assert_eq!(known.hints(), [StreamHint { is_asked_for: true, channel: Some(2), ..named }]);
}

#[test]
fn the_greatest_count_of_logins_is_the_latest() {
    let attempts = |refused, unclear| LoginAttempts { refused, unclear, limit: 4 };
    let known = of_both(FindingKind::LoginAttempts(attempts(1, 0)), FindingKind::LoginAttempts(attempts(1, 1)));
    assert_eq!(known.login_attempts(), Some(attempts(1, 1)));
}

#[test]
fn full_lists_keep_the_same_entries_whatever_the_order() {
    let evidence = |n: usize| {
        let weight = if n.is_multiple_of(2) { 0.9 } else { 0.1 };
        FindingKind::Evidence(Evidence::new(Fact::Serial, n.to_string(), EvidenceSource::Onvif, weight))
    };
    let kinds = |n: usize| {
        [
            evidence(n),
            FindingKind::Service(bare(u16::try_from(n).unwrap())),
            FindingKind::Announced(bare(u16::try_from(n).unwrap())),
            FindingKind::StreamHint(StreamHint::new(format!("rtsp://192.0.2.1/{n}"))),
            FindingKind::Stream(Box::new(Stream::new(format!("rtsp://192.0.2.1/{n}"), Protocol::Rtsp))),
            FindingKind::Refuses(u16::try_from(n + 10_000).unwrap()),
            FindingKind::Address(IpAddr::from([10, 0, u8::try_from(n / 250).unwrap(), u8::try_from(n % 250).unwrap()])),
        ]
    };
    let all = 4 * MOST_PER_HOST;
    let sorted = |record: &HostRecord| {
        let mut hints = record.hints().to_vec();
        hints.sort_by(|a, b| a.url.cmp(&b.url));
        let mut streams = record.streams().to_vec();
        streams.sort_by(|a, b| a.url.cmp(&b.url));
        let mut services = record.services();
        services.sort_by_key(|s| s.port);
        (hints, streams, services, record.evidence().to_vec(), record.addresses().clone(), record.refused.clone())
    };
    let forwards = record((0..all).flat_map(kinds));
    let backwards = record((0..all).rev().flat_map(kinds));
    assert_eq!(sorted(&forwards), sorted(&backwards));
    assert_eq!(forwards.evidence().len(), MOST_PER_HOST);
    assert!(forwards.evidence().iter().all(|e| e.weight > 0.5), "the strongest stay");
    assert_eq!(forwards.services().len(), MOST_PER_HOST);
    assert_eq!(forwards.streams().len(), MOST_PER_HOST);
}
