mod bounds;
mod clock;
mod forget;
mod login;
mod maker;
mod once;
mod proof;
mod quiet;
mod rate;
mod replaced;
mod rules;
mod service;

use std::net::IpAddr;

use jiff::Timestamp;

use super::*;
use crate::history::diff::tests::device;
use crate::model::memory::{Expect, MutedBy};
use crate::model::{
    Device, ErrorKind, Kind, LadderStep, MacAddr, Method, Protocol, ScanInfo, ScanStatus, ShownBy, Step, StreamError,
    StreamStatus, Way,
};

/// Seconds since the first scan of a test.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).unwrap()
}

/// The whole of a /24 was asked.
pub fn report(devices: Vec<Device>) -> Report {
    Report {
        schema: crate::model::report::SCHEMA.to_owned(),
        scan: ScanInfo {
            camscan_version: "0.1.0".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            duration_ms: 0,
            status: ScanStatus::Complete,
            targets: vec!["192.0.2.0/24".to_owned()],
            asked: vec!["192.0.2.1-192.0.2.254".to_owned()],
            addresses: 254,
            hosts_up: 0,
            methods: vec![Method::Arp],
            coverage: None,
        },
        devices,
        warnings: Vec::new(),
    }
}

/// A camera with a MAC address, endpoint and serial number that end in `n`.
pub fn camera(host: u8, n: u8) -> Device {
    let ip: IpAddr = [192, 0, 2, host].into();
    let mac = MacAddr([0x44, 0x19, 0xb6, 0, 0, n]);
    Device {
        id: format!("mac:{mac}"),
        mac: Some(mac),
        vendor: Some("Axis".to_owned()),
        model: Some("M1065".to_owned()),
        serial: Some(format!("ACCC8E{n:02}A")),
        endpoint: Some(format!("5f5a69c2-e0ae-504f-829b-00accc8e{n:04}")),
        discovered_by: vec![Method::Arp, Method::Onvif],
        streams: vec![stream(host, StreamStatus::Streaming)],
        ..device(&ip.to_string())
    }
}

/// A camera without anything but its address.
fn bare(host: u8, n: u8) -> Device {
    let full = camera(host, n);
    let id = format!("ip:{}", full.ip);
    Device { id, mac: None, serial: None, endpoint: None, ..full }
}

fn stream(host: u8, status: StreamStatus) -> Stream {
    let mut stream = Stream::new(format!("rtsp://192.0.2.{host}:554/1"), Protocol::Rtsp);
    let ok = status == StreamStatus::Streaming;
    stream.status = status;
    stream.open = Some(false);
    let step = |step, ok| LadderStep { step, ok, ms: 20.0, way: None };
    stream.ladder = vec![step(Step::Tcp, true), step(Step::Described, true), step(Step::Keyframe, ok)];
    if status == StreamStatus::NoData {
        stream.ladder.push(LadderStep { way: Some(Way::Udp), ..step(Step::Rtp, false) });
        stream.error = Some(StreamError { kind: ErrorKind::Timeout, message: "no packet came in 5 s".to_owned() });
    }
    if status == StreamStatus::AuthRequired {
        let message = "the login was refused".to_owned();
        stream.error = Some(StreamError { kind: ErrorKind::AuthRefused, message });
    }
    stream
}

const KEY: &str = "rtsp:554/1";

/// A memory, its ids counted.
#[derive(Default)]
pub struct Site {
    pub memory: Memory,
    minted: u8,
}

impl Site {
    pub fn scan(&mut self, seconds: i64, devices: Vec<Device>) -> Vec<Event> {
        self.round(seconds, &report(devices), Vantage::CLEAR).events
    }

    fn round(&mut self, seconds: i64, report: &Report, vantage: Vantage) -> Learnt {
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            Uid::of([*minted; 10])
        };
        self.memory.learn(&Round { report, at: at(seconds), sight: &vantage.into() }, &mut mint)
    }

    fn asked(&mut self, n: u8, seconds: i64, yes: bool) -> Vec<Event> {
        self.memory.answered(&uid(n), at(seconds), yes, Vantage::CLEAR)
    }

    fn play(&mut self, n: u8, seconds: i64, status: StreamStatus) -> Vec<Event> {
        let known = &self.memory.devices[&uid(n)];
        let IpAddr::V4(ip) = known.device.ip else { unreachable!() };
        let stream = stream(ip.octets()[3], status);
        let check = StreamCheck {
            uid: uid(n),
            key: KEY.to_owned(),
            at: at(seconds),
            stream,
            busy: false,
            ways_tried: 2,
            offers_digest: false,
        };
        self.memory.checked(&check)
    }

    fn state(&self, n: u8) -> DeviceState {
        self.memory.devices[&uid(n)].health.state
    }
}

/// The id of the device that was minted as the nth.
pub fn uid(n: u8) -> Uid {
    Uid::of([n; 10])
}

/// What is sent, in short.
fn sent(events: &[Event]) -> Vec<&'static str> {
    events.iter().filter(|event| event.muted_by.is_none()).map(|event| event.kind.as_str()).collect()
}

fn all(events: &[Event]) -> Vec<(&'static str, Option<MutedBy>)> {
    events.iter().map(|event| (event.kind.as_str(), event.muted_by)).collect()
}

#[test]
fn a_first_scan_is_one_piece_of_news() {
    let mut site = Site::default();
    let events = site.scan(0, (1..=12).map(|n| camera(n, n)).collect());
    assert_eq!(sent(&events), ["scan.finished"]);
    assert_eq!(events[0].data.reason.as_deref(), Some("12 devices learnt"));
    assert_eq!(site.scan(0, (1..=12).map(|n| camera(n, n)).collect()), [], "the same scan again");
    let events = site.scan(60, (1..=13).map(|n| camera(n, n)).collect());
    assert_eq!(sent(&events), ["device.new"]);
    assert_eq!(events[0].data.device.as_ref().unwrap().ip, IpAddr::from([192, 0, 2, 13]));
}

#[test]
fn a_device_is_offline_after_three_misses_in_three_minutes_and_back_after_two_answers() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    assert_eq!(site.scan(3600, vec![camera(2, 2)]), []);
    for seconds in [3620, 3660, 3770] {
        assert_eq!(site.asked(1, seconds, false), [], "{seconds}: it may be starting");
    }
    let events = site.asked(1, 3790, false);
    assert_eq!(sent(&events), ["device.offline"]);
    let data = &events[0].data;
    assert_eq!(data.reason.as_deref(), Some("5 misses in 3 min 10 s; 1 other of 192.0.2.0/24 answers"));
    assert_eq!((data.since, data.last_seen), (Some(at(3600)), Some(at(0))));
    assert_eq!(site.asked(1, 3800, false), []);
    assert_eq!(site.asked(1, 4500, true), []);
    assert_eq!(site.state(1), DeviceState::Offline, "one answer is not enough");
    let events = site.asked(1, 4505, true);
    assert_eq!(sent(&events), ["device.online"]);
    assert_eq!(events[0].data.reason.as_deref(), Some("answers again after 15 min"));
    // A reboot.
    assert_eq!(site.asked(1, 5000, false), []);
    assert_eq!(site.asked(1, 5020, false), []);
    assert_eq!(site.asked(1, 5040, false), []);
    assert_eq!(site.asked(1, 5080, true), []);
    assert_eq!(site.state(1), DeviceState::Online);
}

#[test]
fn two_scans_that_miss_a_device_are_not_enough() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    for hours in [6, 12] {
        assert_eq!(site.scan(hours * 3600, vec![camera(2, 2)]), [], "after {hours} h");
    }
    assert_eq!(sent(&site.scan(18 * 3600, vec![camera(2, 2)])), ["device.offline"]);
}

#[test]
fn a_miss_counts_only_where_the_device_would_have_been_found() {
    let others = || (2..6).map(|n| camera(n, n)).collect::<Vec<_>>();
    let mut site = Site::default();
    site.scan(0, [vec![camera(1, 1)], others()].concat());
    let complete = report(others());
    let interrupted =
        Report { scan: ScanInfo { status: ScanStatus::Interrupted, ..complete.scan.clone() }, ..complete.clone() };
    let elsewhere = Report {
        scan: ScanInfo { asked: vec!["192.0.2.2-192.0.2.254".to_owned()], ..complete.scan.clone() },
        ..complete.clone()
    };
    let deaf = Report { scan: ScanInfo { methods: vec![Method::Mdns], ..complete.scan.clone() }, ..complete.clone() };
    for (n, report) in (1..).zip([&interrupted, &elsewhere, &deaf]) {
        for round in 0..4 {
            assert_eq!(site.round(n * 10_000 + round * 600, report, Vantage::CLEAR).events, []);
        }
        assert_eq!(site.state(1), DeviceState::Online, "{n}");
    }
    for round in 0..4 {
        assert_eq!(site.round(50_000 + round * 600, &complete, Vantage::Blind).events, []);
    }
    assert_eq!(site.state(1), DeviceState::Unknown, "nobody can tell");
    let events: Vec<Event> =
        (0..3).flat_map(|round| site.round(60_000 + round * 600, &complete, Vantage::CLEAR).events).collect();
    assert_eq!(sent(&events), ["device.offline"]);
}

#[test]
fn most_of_a_network_gone_at_once_is_one_event() {
    let mut site = Site::default();
    let all_devices = || (1..=10).map(|n| camera(n, n)).collect::<Vec<_>>();
    site.scan(0, all_devices());
    let events = site.scan(600, vec![camera(1, 1), camera(2, 2)]);
    assert_eq!(sent(&events), ["subnet.unreachable"]);
    assert_eq!(events[0].data.reason.as_deref(), Some("8 of 10 devices of 192.0.2.0/24 stopped answering at once"));
    assert_eq!(site.state(5), DeviceState::Unknown);
    assert_eq!(site.scan(1200, vec![camera(1, 1), camera(2, 2)]), []);
    let events = site.scan(1800, all_devices().into_iter().take(9).collect());
    assert_eq!(sent(&events), ["subnet.reachable"]);
    // The one that did not come back is a matter of its own.
    let events: Vec<Event> =
        (4..7).flat_map(|n| site.scan(n * 600, all_devices().into_iter().take(9).collect())).collect();
    assert_eq!(sent(&events), ["device.offline"]);
}

#[test]
fn a_network_that_is_lost_between_scans_is_one_event() {
    let mut site = Site::default();
    site.scan(0, (1..=10).map(|n| camera(n, n)).collect());
    let mut events = Vec::new();
    for seconds in [0, 20, 60, 180] {
        for n in 1..=10u8 {
            events.extend(site.asked(n, 1000 + i64::from(n) + seconds, false));
        }
    }
    assert_eq!(sent(&events), ["subnet.unreachable"]);
    for n in 1..=10u8 {
        events.extend(site.asked(n, 5000 + i64::from(n), true));
    }
    assert_eq!(sent(&events), ["subnet.unreachable", "subnet.reachable"]);
}

#[test]
fn a_recorder_that_is_gone_mutes_its_cameras() {
    let recorder = Device { kind: Kind::Recorder, ..camera(9, 9) };
    let shown = |n: u8| {
        let shown_by = vec![ShownBy { recorder: recorder.id.clone(), ip: recorder.ip, channel: n.into() }];
        Device { shown_by, ..camera(n, n) }
    };
    let others = || (20..26).map(|n| camera(n, n)).collect::<Vec<_>>();
    let mut site = Site::default();
    site.scan(0, [vec![shown(1), shown(2), recorder.clone()], others()].concat());
    let events: Vec<Event> = (1..4).flat_map(|n| site.scan(n * 600, others())).collect();
    assert_eq!(sent(&events), ["device.offline"]);
    assert_eq!(events[0].data.device.as_ref().unwrap().kind, Kind::Recorder);
    assert_eq!(all(&events[1..]), [("device.offline", Some(MutedBy::Recorder)); 2]);
    // One that answers before its recorder does is on its way back.
    site.asked(1, 2400, true);
    assert_eq!(sent(&site.memory.pass(at(2420))), [""; 0]);
    // The recorder is back, one camera is not: it has time to start, and then it is told.
    let back = || [vec![camera(1, 1), recorder.clone()], others()].concat();
    assert_eq!(sent(&site.scan(3000, back())), ["device.online"]);
    assert_eq!(sent(&site.scan(3600, back())), ["device.offline"]);
}

#[test]
fn a_recorder_that_is_gone_for_good_mutes_nothing_that_happens_later() {
    let recorder = Device { kind: Kind::Recorder, ..camera(9, 9) };
    let shown = |n: u8| {
        let shown_by = vec![ShownBy { recorder: recorder.id.clone(), ip: recorder.ip, channel: n.into() }];
        Device { shown_by, ..camera(n, n) }
    };
    let others = || (20..26).map(|n| camera(n, n)).collect::<Vec<_>>();
    let mut site = Site::default();
    site.scan(0, [vec![shown(1), shown(2), recorder.clone()], others()].concat());
    let without_recorder = || [vec![camera(1, 1), camera(2, 2)], others()].concat();
    let events: Vec<Event> = (1..4).flat_map(|n| site.scan(n * 600, without_recorder())).collect();
    assert_eq!(sent(&events), ["device.offline"]);
    let events: Vec<Event> = (4..7).flat_map(|n| site.scan(n * 600, without_recorder().split_off(1))).collect();
    assert_eq!(sent(&events), ["device.offline"]);
    assert_eq!(events[0].data.device.as_ref().unwrap().ip, camera(1, 1).ip);
}

#[test]
fn of_two_recorders_that_show_each_other_one_is_told_of() {
    let shown_by = |recorder: &Device| vec![ShownBy { recorder: recorder.id.clone(), ip: recorder.ip, channel: 1 }];
    let (first, second) = (camera(8, 8), camera(9, 9));
    let both = vec![
        Device { kind: Kind::Recorder, shown_by: shown_by(&second), ..first.clone() },
        Device { kind: Kind::Recorder, shown_by: shown_by(&first), ..second.clone() },
    ];
    let others = || (20..26).map(|n| camera(n, n)).collect::<Vec<_>>();
    let mut site = Site::default();
    site.scan(0, [both, others()].concat());
    let events: Vec<Event> = (1..4).flat_map(|n| site.scan(n * 600, others())).collect();
    assert_eq!(all(&events), [("device.offline", None), ("device.offline", Some(MutedBy::Recorder))]);
}

#[test]
fn a_recorder_that_is_gone_with_its_cameras_is_not_the_whole_network() {
    let recorder = Device { kind: Kind::Recorder, ..camera(9, 9) };
    let shown = |n: u8| {
        let shown_by = vec![ShownBy { recorder: recorder.id.clone(), ip: recorder.ip, channel: n.into() }];
        Device { shown_by, ..camera(n, n) }
    };
    let fed = || (1..=7).map(shown).collect::<Vec<_>>();
    let others = || (20..25).map(|n| camera(n, n)).collect::<Vec<_>>();
    let mut site = Site::default();
    site.scan(0, [fed(), vec![recorder.clone()], others()].concat());
    // Eight of thirteen are missing, and it is one failure; a camera beside them is another.
    let events: Vec<Event> = (1..4).flat_map(|n| site.scan(n * 600, others().split_off(1))).collect();
    assert_eq!(sent(&events), ["device.offline", "device.offline"]);
    // With most of the others gone too, it is the network.
    let events = site.scan(2400, others().split_off(4));
    assert_eq!(sent(&events), ["subnet.unreachable"]);
}

#[test]
fn a_device_that_comes_and_goes_is_told_once_and_once_that_it_is_steady() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    let mut events = Vec::new();
    for n in 0..4 {
        for miss in [0, 60, 190] {
            events.extend(site.asked(1, 1000 + n * 600 + miss, false));
        }
        events.extend([300, 305].into_iter().flat_map(|s| site.asked(1, 1000 + n * 600 + s, true)).collect::<Vec<_>>());
    }
    assert_eq!(sent(&events), ["device.offline", "device.online", "device.offline", "device.flapping"]);
    let flapping = &events[3].data;
    assert_eq!(flapping.reason.as_deref(), Some("it came and went 4 times within an hour; it is online now"));
    assert_eq!(flapping.after.as_deref(), Some("online"));
    let muted = all(&events)[4..].iter().filter(|(_, muted)| *muted == Some(MutedBy::Flapping)).count();
    assert_eq!(muted, events.len() - 4);
    assert_eq!(site.memory.pass(at(6000)), []);
    let events = site.memory.pass(at(7000));
    assert_eq!(sent(&events), ["device.steady", "device.online"], "that it is back was held");
    assert_eq!(events[0].data.count, Some(8));
}

#[test]
fn what_is_expected_muted_or_acknowledged_is_kept_and_not_sent() {
    let miss = |site: &mut Site, n: u8, from: i64| -> Vec<Event> {
        [0, 60, 190].into_iter().flat_map(|s| site.asked(n, from + s, false)).collect()
    };
    let mut site = Site::default();
    site.scan(0, (1..=8).map(|n| camera(n, n)).collect());
    site.memory.devices.get_mut(&uid(1)).unwrap().note.expect = Expect::Sometimes;
    site.memory.devices.get_mut(&uid(2)).unwrap().note.expect = Expect::Ignore;
    site.memory.devices.get_mut(&uid(3)).unwrap().note.tags = vec!["barn".to_owned()];
    let mute =
        Mute { scope: MuteScope::Tag("barn".to_owned()), began: at(0), ended: Some(at(9000)), why: None, by: None };
    site.memory.mutes.push(mute);
    assert_eq!(all(&miss(&mut site, 1, 1000)), [("device.offline", Some(MutedBy::Expected))]);
    assert_eq!(all(&miss(&mut site, 2, 1000)), [("device.offline", Some(MutedBy::Expected))]);
    assert_eq!(all(&miss(&mut site, 3, 1000)), [("device.offline", Some(MutedBy::User))]);
    assert_eq!(site.memory.pass(at(8999)), []);
    let events = site.memory.pass(at(9000));
    assert_eq!((sent(&events), events[0].device.clone()), (vec!["device.offline"], Some(uid(3))));
    let events = site.memory.pass(at(1000 + 24 * 3600));
    assert_eq!((sent(&events), events[0].device.clone()), (vec!["device.offline"], Some(uid(1))));
    // The end of what was sent is sent.
    let events: Vec<Event> = [1, 2, 3]
        .into_iter()
        .flat_map(|n| {
            let first = site.asked(n, 100_000, true);
            assert_eq!(first, []);
            site.asked(n, 100_005, true)
        })
        .collect();
    assert_eq!(sent(&events), ["device.online", "device.online"]);
}

#[test]
fn a_stream_is_broken_after_three_checks_and_repaired_after_two() {
    use StreamStatus::{NoData, Streaming};
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    assert_eq!(site.play(1, 300, NoData), []);
    assert_eq!(site.play(1, 600, NoData), []);
    assert_eq!(site.play(1, 600, NoData), [], "one check counts once");
    let events = site.play(1, 900, NoData);
    assert_eq!(sent(&events), ["stream.broken"]);
    assert_eq!(events[0].data.reason.as_deref(), Some("3 checks without frames in 10 min, played in 2 ways"));
    assert_eq!(events[0].data.failure.as_deref(), Some("rtp: no packet came in 5 s"));
    assert_eq!(site.play(1, 1200, NoData), []);
    assert_eq!(site.play(1, 1500, Streaming), []);
    let events = site.play(1, 1800, Streaming);
    assert_eq!(sent(&events), ["stream.repaired"]);
    assert_eq!(events[0].data.since, Some(at(300)));
}

#[test]
fn a_refused_login_is_told_at_once_and_once() {
    use StreamStatus::{AuthRequired, Streaming};
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    let events = site.play(1, 300, AuthRequired);
    assert_eq!(sent(&events), ["login.refused"]);
    assert_eq!(events[0].data.failure.as_deref(), Some("keyframe: the login was refused"));
    assert_eq!(site.play(1, 600, AuthRequired), []);
    let events = site.play(1, 900, Streaming);
    assert_eq!(sent(&events), ["login.accepted"]);
}

#[test]
fn slow_and_busy_streams_are_warnings() {
    let mut site = Site::default();
    let filmed = |host: u8, fps: f64| {
        let mut stream = stream(host, StreamStatus::Streaming);
        stream.video = Some(crate::model::Video { measured_fps: Some(fps), ..Default::default() });
        stream
    };
    site.scan(0, vec![Device { streams: vec![filmed(1, 25.0)], ..camera(1, 1) }]);
    let mut check = |seconds: i64, stream: Stream, busy: bool| {
        let check = StreamCheck {
            uid: uid(1),
            key: KEY.to_owned(),
            at: at(seconds),
            stream,
            busy,
            ways_tried: 1,
            offers_digest: false,
        };
        site.memory.checked(&check)
    };
    let slow: Vec<Event> = (1..=9).flat_map(|n| check(n * 300, filmed(1, 8.0), false)).collect();
    assert_eq!(sent(&slow), ["stream.degraded"]);
    assert_eq!(slow[0].at, at(1800));
    let well: Vec<Event> = (10..=14).flat_map(|n| check(n * 300, filmed(1, 24.0), false)).collect();
    assert_eq!(sent(&well), ["stream.repaired"]);
    assert_eq!(well[0].at, at(3600));
    let mut taken = stream(1, StreamStatus::Error);
    taken.error = Some(StreamError { kind: ErrorKind::Busy, message: "453 Not Enough Bandwidth".to_owned() });
    let busy: Vec<Event> = (20..=27).flat_map(|n| check(n * 300, taken.clone(), true)).collect();
    assert_eq!(sent(&busy), ["stream.degraded"]);
    assert_eq!(sent(&check(9000, filmed(1, 24.0), false)), ["stream.repaired"]);
}

#[test]
fn a_channel_that_shows_another_camera_is_told_by_the_names_of_both() {
    use crate::model::Channel;
    let shows = |shown: &Device| {
        let channel = Channel { camera: Some(shown.id.clone()), ..Channel::new(6) };
        Device { kind: Kind::Recorder, channels: vec![channel], ..camera(9, 9) }
    };
    let mut site = Site::default();
    let cameras = || vec![camera(1, 1), Device { name: Some("Yard".to_owned()), ..camera(2, 2) }];
    site.scan(0, [cameras(), vec![shows(&camera(1, 1))]].concat());
    site.memory.devices.get_mut(&uid(1)).unwrap().note.name = Some("Gate".to_owned());
    let events = site.scan(600, [cameras(), vec![shows(&camera(2, 2))]].concat());
    assert_eq!(sent(&events), ["device.changed"]);
    assert_eq!(events[0].data.changes, ["channel 6: camera Gate (192.0.2.1) → Yard (192.0.2.2)"]);
    // One that is new in this scan, and has no name.
    let events = site.scan(1200, [cameras(), vec![camera(3, 3), shows(&camera(3, 3))]].concat());
    assert_eq!(events[0].data.changes, ["channel 6: camera Yard (192.0.2.2) → M1065 (192.0.2.3)"]);
}

#[test]
fn a_certificate_is_told_30_7_and_1_days_before_its_end() {
    let day = 86_400;
    let certified = Device { certificate_ends: Some(at(100 * day)), ..camera(1, 1) };
    let mut site = Site::default();
    site.scan(0, vec![certified]);
    let mut told = Vec::new();
    for hour in 0..110 * 24 {
        let events = site.memory.pass(at(hour * 3600));
        told.extend(events.iter().map(|event| (event.kind.as_str(), hour / 24)));
    }
    let kind = "certificate.expiring";
    assert_eq!(told, [(kind, 70), (kind, 93), (kind, 99), (kind, 100)]);
}

#[test]
fn a_device_that_is_not_seen_for_a_year_is_archived_and_comes_back() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    (1..4).for_each(|n| drop(site.scan(n * 600, vec![camera(2, 2)])));
    let year = 366 * 86_400;
    site.scan(year - 2 * 86_400, vec![camera(2, 2)]);
    let events = site.memory.pass(at(year));
    assert_eq!(sent(&events), ["device.archived"]);
    let events = site.scan(year + 600, vec![camera(1, 1), camera(2, 2)]);
    assert_eq!(sent(&events), ["device.online"]);
    assert_eq!(site.memory.find("192.0.2.1").unwrap().archived_at, None);
}

mod identity {
    use super::*;

    fn ids(site: &mut Site, seconds: i64, devices: Vec<Device>) -> Vec<Uid> {
        site.round(seconds, &report(devices), Vantage::CLEAR).devices
    }

    fn site_of(devices: Vec<Device>) -> Site {
        let mut site = Site::default();
        site.scan(0, devices);
        site
    }

    #[test]
    fn devices_keep_their_ids() {
        let changed = |device: Device, change: &dyn Fn(&mut Device)| {
            let mut device = device;
            change(&mut device);
            device
        };
        let wireless = changed(camera(7, 1), &|d| d.mac = Some(MacAddr([0x00, 0x12, 0x17, 0, 0, 1])));
        let clone = |host: u8, n: u8| {
            changed(camera(host, n), &|d| {
                d.serial = Some("CLONE001".to_owned());
                d.endpoint = Some("same".to_owned());
            })
        };
        let random = |last: u8| changed(bare(1, 1), &|d| d.mac = Some(MacAddr([0x02, 0, 0, 0, 0, last])));
        let other_model = changed(bare(1, 1), &|d| d.model = Some("P3245".to_owned()));
        let flashed = changed(camera(1, 1), &|d| {
            d.firmware = Some("10.2".to_owned());
            d.endpoint = Some("new-after-reset".to_owned());
        });
        let reset = |host: u8| {
            changed(camera(host, 1), &|d| {
                d.serial = Some("ACCC8E77B".to_owned());
                d.endpoint = Some("new-after-reset".to_owned());
            })
        };
        let without_mac = |host: u8| changed(camera(host, 1), &|d| (d.mac, d.id) = (None, format!("ip:{}", d.ip)));
        let beside = changed(camera(3, 3), &|d| d.mac = camera(1, 1).mac);
        let placeholder = |host: u8| changed(bare(host, 1), &|d| d.serial = Some("SerialNumber".to_owned()));
        /// The case, the devices of two scans, and who those of the second are.
        type Row = (&'static str, Vec<Device>, Vec<Device>, Vec<u8>);
        let table: Vec<Row> = vec![
            ("nothing changed", vec![camera(1, 1), camera(2, 2)], vec![camera(1, 1), camera(2, 2)], vec![1, 2]),
            (
                "two exchanged their addresses",
                vec![camera(1, 1), camera(2, 2)],
                vec![camera(1, 2), camera(2, 1)],
                vec![2, 1],
            ),
            ("moved", vec![camera(1, 1)], vec![camera(9, 1)], vec![1]),
            ("firmware, and another endpoint", vec![camera(1, 1)], vec![flashed], vec![1]),
            (
                "a factory reset of its board",
                vec![camera(1, 1), camera(2, 2)],
                vec![reset(1), camera(2, 2)],
                vec![1, 2],
            ),
            ("a reset, and another address", vec![camera(1, 1)], vec![reset(7)], vec![2]),
            (
                "a reset, and another model",
                vec![camera(1, 1)],
                vec![Device { model: Some("P3245".to_owned()), ..reset(1) }],
                vec![2],
            ),
            ("a reset, and the old one elsewhere", vec![camera(1, 1)], vec![reset(1), without_mac(7)], vec![2, 1]),
            ("one of two that have a MAC address", vec![camera(1, 1), beside.clone()], vec![reset(1)], vec![3]),
            ("by wire, then by air", vec![camera(1, 1)], vec![wireless.clone()], vec![1]),
            ("a scan without any identity", vec![camera(1, 1), camera(2, 2)], vec![bare(1, 1), bare(2, 2)], vec![1, 2]),
            ("first without, then with", vec![bare(1, 1)], vec![camera(1, 1)], vec![1]),
            ("clones stay apart", vec![clone(1, 1), clone(2, 2)], vec![clone(1, 2), clone(2, 1)], vec![2, 1]),
            ("a clone beside one that is gone", vec![clone(1, 1), clone(2, 2)], vec![clone(3, 3)], vec![3]),
            ("random MAC addresses, one site", vec![random(1)], vec![random(2)], vec![1]),
            ("another one in its site", vec![camera(1, 1)], vec![camera(1, 2)], vec![2]),
            ("another model in its site", vec![bare(1, 1)], vec![other_model], vec![2]),
            ("placeholder serials", vec![placeholder(1)], vec![placeholder(2)], vec![2]),
        ];
        for (name, before, after, expected) in table {
            let mut site = site_of(before);
            let expected: Vec<Uid> = expected.into_iter().map(uid).collect();
            assert_eq!(ids(&mut site, 600, after), expected, "{name}");
        }
    }

    #[test]
    fn a_device_with_two_network_cards_shows_both_at_once() {
        let wireless = |host: u8| Device { mac: Some(MacAddr([0x00, 0x12, 0x17, 0, 0, 1])), ..camera(host, 1) };
        let mut site = site_of(vec![camera(1, 1)]);
        assert_eq!(ids(&mut site, 600, vec![wireless(7)]), [uid(1)]);
        assert_eq!(ids(&mut site, 1200, vec![camera(1, 1), wireless(7)]), [uid(1), uid(1)]);
        assert!(site.memory.shared.is_empty());
        assert_eq!(ids(&mut site, 1800, vec![camera(1, 1)]), [uid(1)]);
    }

    #[test]
    fn one_in_the_place_of_another_is_told_with_both() {
        let others = || vec![camera(8, 8), camera(9, 9)];
        let mut site = site_of([vec![camera(1, 1)], others()].concat());
        site.memory.devices.get_mut(&uid(1)).unwrap().note.name = Some("Gate".to_owned());
        let events = site.scan(600, [vec![camera(1, 4)], others()].concat());
        assert_eq!(sent(&events), ["device.replaced"]);
        assert_eq!((events[0].device.clone(), events[0].data.other.clone()), (Some(uid(4)), Some(uid(1))));
        assert_eq!(events[0].data.before.as_deref(), Some("Gate"));
        assert_eq!(site.memory.devices[&uid(1)].health.state, DeviceState::Offline);
        let events: Vec<Event> =
            (2..6).flat_map(|n| site.scan(n * 600, [vec![camera(1, 4)], others()].concat())).collect();
        assert_eq!(sent(&events), [""; 0], "the old one is not missed");
        let events = site.scan(9000, [vec![camera(1, 4), camera(5, 1)], others()].concat());
        assert_eq!(sent(&events), ["device.moved"], "the old one in another site");
    }

    #[test]
    fn merging_is_undone_by_splitting() {
        let mut site = site_of(vec![camera(1, 1), camera(2, 2)]);
        let before = site.memory.clone();
        site.memory.merge(&uid(1), &uid(2)).unwrap();
        assert_eq!(site.memory.find(uid(2).as_str()).unwrap().uid, uid(1));
        assert_eq!(site.memory.find("44:19:b6:00:00:02").unwrap().uid, uid(1));
        assert_eq!(site.memory.merge(&uid(2), &uid(1)), Err(MergeError::Merged(uid(2), uid(1))));
        assert_eq!(site.memory.merge(&uid(1), &uid(1)), Err(MergeError::Same(uid(1))));
        assert_eq!(site.memory.merge(&uid(7), &uid(1)), Err(MergeError::Unknown(uid(7))));
        site.memory.split(&uid(2)).unwrap();
        assert_eq!(site.memory.split(&uid(2)), Err(MergeError::NotMerged(uid(2))));
        site.memory.take_touched();
        assert_eq!(site.memory.devices, before.devices);
        site.memory.merge(&uid(1), &uid(2)).unwrap();
        assert_eq!(ids(&mut site, 600, vec![camera(2, 2)]), [uid(1)]);
    }

    #[test]
    fn a_device_is_found_by_its_mac_address_in_one_pass() {
        let site = site_of((1..=250).map(|n| camera(n, n)).collect());
        let mut found = None;
        let looks =
            crate::text::steps::seen_by(|| found = site.memory.find("44:19:b6:00:00:07").map(|known| known.device.ip));
        assert_eq!(found, Some([192, 0, 2, 7].into()));
        assert!(looks <= 1000, "{looks} devices looked at among 250");
    }

    #[test]
    fn a_scan_of_twice_the_devices_is_learnt_in_twice_the_looks() {
        let looks = |count: u8| {
            let devices: Vec<Device> = (1..=count).map(|n| camera(n, n)).collect();
            let mut site = site_of(devices.clone());
            crate::text::steps::seen_by(|| site.scan(600, devices))
        };
        let (few, many) = (looks(100), looks(200));
        assert!(many <= few * 5 / 2, "{few} looks at 100 devices, {many} at 200");
    }

    #[test]
    fn a_device_is_found_by_what_people_know_of_it() {
        let mut site = site_of(vec![camera(1, 1), camera(2, 2)]);
        site.memory.devices.get_mut(&uid(2)).unwrap().note.name = Some("Gate".to_owned());
        for text in ["192.0.2.2", "44-19-B6-00-00-02", "gate", uid(2).as_str()] {
            assert_eq!(site.memory.find(text).map(|known| known.uid.clone()), Some(uid(2)), "{text}");
        }
        site.memory.devices.get_mut(&uid(1)).unwrap().note.name = Some("Gate".to_owned());
        for text in ["gate", "192.0.2.3", "barn", uid(9).as_str()] {
            assert_eq!(site.memory.find(text), None, "{text}");
        }
    }

    #[test]
    fn what_changed_about_a_device_is_told_in_sentences() {
        let mut site = site_of(vec![Device { firmware: Some("10.1".to_owned()), ..camera(1, 1) }]);
        let events = site.scan(600, vec![Device { firmware: Some("10.2".to_owned()), ..camera(3, 1) }]);
        assert_eq!(sent(&events), ["device.moved", "device.changed"]);
        assert_eq!(events[1].data.changes, ["firmware: 10.1 → 10.2"]);
        assert_eq!(
            (events[0].data.before.as_deref(), events[0].data.after.as_deref()),
            (Some("192.0.2.1"), Some("192.0.2.3"))
        );
        assert_eq!(
            site.scan(1200, vec![Device { firmware: None, mac: None, ..camera(3, 1) }]),
            [],
            "not learnt is no change"
        );
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::history::diff::tests::any_report;

    /// Scans of one network, one after the other.
    fn scans() -> impl Strategy<Value = Vec<Vec<Device>>> {
        prop::collection::vec(any_report().prop_map(|report| report.devices), 1..5)
    }

    fn learnt(scans: &[Vec<Device>]) -> Site {
        let mut site = Site::default();
        for (n, devices) in (0..).zip(scans) {
            site.scan(n * 600, devices.clone());
        }
        site
    }

    /// The ends of a MAC address, serial number and endpoint.
    type Keys = (Option<u8>, Option<u8>, Option<u8>);

    /// Devices that have each other's MAC addresses, serial numbers and endpoints.
    fn crosswise() -> impl Strategy<Value = Vec<Keys>> {
        let key = || prop::option::weighted(0.8, 0u8..4);
        prop::collection::vec((key(), key(), key()), 1..6)
    }

    /// Each at an address of its own.
    fn devices_of(all: &[Keys]) -> Vec<Device> {
        let device = |(n, (mac, serial, endpoint)): (u8, &Keys)| Device {
            mac: mac.map(|mac| MacAddr([0x44, 0x19, 0xb6, 0, 1, mac])),
            serial: serial.map(|serial| format!("DS2CD20420{serial}")),
            endpoint: endpoint.map(|endpoint| format!("uuid-{endpoint}")),
            ..bare(n + 1, n)
        };
        (0..).zip(all).map(device).collect()
    }

    /// The one that this MAC address was known of is neither of them for sure, in the first scan that finds both as in others.
    #[test]
    fn two_that_have_one_mac_address_stay_who_they_are() {
        let mut site = Site::default();
        site.scan(0, devices_of(&[(Some(1), Some(0), Some(0)), (Some(0), None, None)]));
        let both = report(devices_of(&[(Some(1), Some(2), None), (Some(1), Some(2), Some(0))]));
        let who = site.round(600, &both, Vantage::CLEAR).devices;
        assert_eq!(site.round(1200, &both, Vantage::CLEAR).devices, who);
    }

    proptest! {
        #[test]
        fn the_same_scan_twice_is_no_news(before in crosswise(), devices in crosswise()) {
            let (before, devices) = (devices_of(&before), devices_of(&devices));
            let mut site = Site::default();
            site.scan(0, before);
            let learnt = site.round(600, &report(devices.clone()), Vantage::CLEAR).devices;
            // What is on its way out may still be told of, and nothing else.
            let again = site.round(1200, &report(devices.clone()), Vantage::CLEAR);
            prop_assert_eq!(&again.devices, &learnt, "each is who it was");
            let known: BTreeSet<&Uid> = learnt.iter().collect();
            let is_here = |event: &&Event| event.device.as_ref().is_none_or(|uid| known.contains(uid));
            let news: Vec<&Event> = again.events.iter().filter(is_here).collect();
            prop_assert_eq!(news, Vec::<&Event>::new());
        }

        #[test]
        fn the_order_of_a_report_decides_nothing(scans in scans(), by in 0usize..5) {
            let turned: Vec<Vec<Device>> = scans
                .iter()
                .map(|devices| {
                    let mut devices = devices.clone();
                    let middle = by.min(devices.len());
                    devices.rotate_left(middle);
                    devices
                })
                .collect();
            prop_assert_eq!(learnt(&scans).memory, learnt(&turned).memory);
        }

        #[test]
        fn memory_reads_back_as_it_was_written(scans in scans()) {
            let mut memory = learnt(&scans).memory;
            memory.take_touched();
            let text = serde_json::to_string(&memory);
            prop_assert!(text.is_ok(), "{:?}", text);
            prop_assert_eq!(serde_json::from_str::<Memory>(&text.unwrap()).unwrap(), memory);
        }

        #[test]
        fn merging_and_splitting_changes_nothing(scans in scans(), a in 0usize..4, b in 0usize..4) {
            let mut memory = learnt(&scans).memory;
            let uids: Vec<Uid> = memory.devices.keys().cloned().collect();
            let before = memory.devices.clone();
            if let (Some(a), Some(b)) = (uids.get(a), uids.get(b))
                && memory.merge(a, b).is_ok()
            {
                memory.split(b).unwrap();
            }
            prop_assert_eq!(memory.devices, before);
        }
    }
}
