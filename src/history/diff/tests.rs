use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::{AuthScheme, MacAddr, ScanInfo, ScanStatus, Service, Stream, Video, VideoCodec, arbitrary};

/// A camera of which nothing but the address is known.
pub fn device(ip: &str) -> Device {
    arbitrary::device(ip.parse().unwrap())
}

fn report(devices: Vec<Device>) -> Report {
    Report {
        schema: crate::model::report::SCHEMA.to_owned(),
        scan: ScanInfo {
            camscan_version: "0.1.0".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            duration_ms: 0,
            status: ScanStatus::Complete,
            targets: Vec::new(),
            asked: Vec::new(),
            addresses: 0,
            hosts_up: 0,
            methods: Vec::new(),
            coverage: None,
        },
        devices,
        warnings: Vec::new(),
    }
}

fn service(protocol: Protocol, port: u16, auth: Option<Vec<AuthScheme>>) -> Service {
    Service { auth, ..Service::new(protocol, Transport::Tcp, port) }
}

fn stream(url: &str) -> Stream {
    Stream { status: StreamStatus::Streaming, open: Some(true), ..Stream::new(url, Protocol::Rtsp) }
}

fn film(width: u32, height: u32, codec: VideoCodec, fps: f64) -> Option<Video> {
    Some(Video {
        codec: Some(codec),
        width: Some(width),
        height: Some(height),
        measured_fps: Some(fps),
        ..Video::default()
    })
}

/// What is said about the change from one state of a device to another.
fn said(before: Device, after: Device) -> Vec<String> {
    let diff = compare(&report(vec![before]), &report(vec![after]));
    assert_eq!((diff.added.len(), diff.gone.len()), (0, 0), "it is the same device");
    diff.changed.iter().flat_map(|device| &device.changes).map(ToString::to_string).collect()
}

#[test]
fn each_change_is_said_by_itself() {
    let url = "rtsp://192.0.2.1:554/1";
    let with = |stream: Stream| Device { streams: vec![stream], ..device("192.0.2.1") };
    let speaking = |services: Vec<Service>| Device { services, ..device("192.0.2.1") };
    let firmware = |text: &str| Device { firmware: Some(text.to_owned()), ..device("192.0.2.1") };
    let filming = |video| with(Stream { video, ..stream(url) });
    let warned = |text: &str| with(Stream { warnings: vec![text.to_owned()], ..stream(url) });
    let table: Vec<(Device, Device, &[&str])> = vec![
        (firmware("V5.5"), firmware("V5.7"), &["firmware: V5.5 → V5.7"]),
        (device("192.0.2.1"), firmware("V5.7"), &["firmware: not known → V5.7"]),
        (
            speaking(vec![service(Protocol::Http, 80, None)]),
            speaking(vec![service(Protocol::Rtsp, 554, None)]),
            &["http on TCP port 80: closed", "rtsp on TCP port 554: opened"],
        ),
        (
            speaking(vec![service(Protocol::Rtsp, 554, Some(vec![]))]),
            speaking(vec![service(Protocol::Rtsp, 554, Some(vec![AuthScheme::Digest]))]),
            &["rtsp on TCP port 554: now needs a login"],
        ),
        (
            with(Stream { open: Some(false), ..stream(url) }),
            with(stream(url)),
            &["rtsp://192.0.2.1:554/1: no longer needs a login"],
        ),
        (
            with(stream(url)),
            with(Stream { status: StreamStatus::NoData, ..stream(url) }),
            &["rtsp://192.0.2.1:554/1: streaming → no_data"],
        ),
        (
            with(stream(url)),
            with(stream("rtsp://192.0.2.1:554/2")),
            &[
                "rtsp://192.0.2.1:554/1: no longer there, was streaming",
                "rtsp://192.0.2.1:554/2: new stream, streaming",
            ],
        ),
        (
            filming(film(1920, 1080, VideoCodec::H264, 25.0)),
            filming(film(640, 360, VideoCodec::H265, 12.0)),
            &[
                "rtsp://192.0.2.1:554/1: codec: h264 → h265",
                "rtsp://192.0.2.1:554/1: size: 1920x1080 → 640x360",
                "rtsp://192.0.2.1:554/1: measured frame rate: 25 → 12",
            ],
        ),
        (filming(film(1920, 1080, VideoCodec::H264, 25.0)), filming(film(1920, 1080, VideoCodec::H264, 23.4)), &[]),
        (warned("30 fps declared, 12.5 came"), warned("30 fps declared, 11.9 came"), &[]),
        (with(stream(url)), warned("no key frame"), &["rtsp://192.0.2.1:554/1: no key frame"]),
    ];
    for (n, (before, after, expected)) in table.into_iter().enumerate() {
        assert_eq!(said(before, after), expected, "row {n}");
    }
}

#[test]
fn a_camera_with_a_new_address_has_moved_and_its_streams_with_it() {
    let at = |ip: &str| Device {
        mac: Some(MacAddr([0x44, 0x19, 0xb6, 0, 0, 1])),
        streams: vec![stream(&format!("rtsp://{ip}:554/1"))],
        ..device(ip)
    };
    let diff = compare(&report(vec![at("192.0.2.1")]), &report(vec![at("192.0.2.9")]));
    let moved: Vec<String> = diff.moved().flat_map(|device| &device.changes).map(ToString::to_string).collect();
    assert_eq!(moved, ["address: 192.0.2.1 → 192.0.2.9"]);
    assert_eq!(diff.changed[0].recognised_by, Key::Mac);
}

#[test]
fn devices_of_one_report_alone_are_new_or_gone() {
    let diff = compare(&report(vec![device("192.0.2.1")]), &report(vec![device("192.0.2.2")]));
    let ips = |devices: &[DeviceSummary]| devices.iter().map(|d| d.ip.to_string()).collect::<Vec<_>>();
    assert_eq!((ips(&diff.added), ips(&diff.gone)), (vec!["192.0.2.2".to_owned()], vec!["192.0.2.1".to_owned()]));
    assert!(!diff.is_empty() && diff.changed.is_empty());
}

#[test]
fn a_login_shown_in_an_address_makes_no_other_stream() {
    let with = |url: &str| Device { streams: vec![stream(url)], ..device("192.0.2.1") };
    assert_eq!(said(with("rtsp://192.0.2.1/1"), with("rtsp://admin:pw@192.0.2.1/1")), [""; 0]);
    assert_eq!(said(with("rtsp://[fe80::1]:554/1"), with("rtsp://192.0.2.1:554/1")), [""; 0]);
}

/// Devices that agree and contradict in all they are recognised by, in reports as scans make them: by address, each once.
pub fn any_report() -> impl Strategy<Value = Report> {
    let ip = select(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"][..]);
    let mac = prop::option::of(select(&[1u8, 2, 3][..]));
    let serial = prop::option::of(select(&["ACCC8E01", "ACCC8E02", "0000"][..]));
    let endpoint = prop::option::of(select(&["a", "b"][..]));
    let further = prop::option::of(select(&["192.0.2.1", "192.0.2.4"][..]));
    let streams = prop::collection::vec(arbitrary::stream(), 0..3);
    let one =
        (ip, mac, serial, endpoint, further, streams).prop_map(|(ip, mac, serial, endpoint, further, streams)| {
            let mut device = Device {
                mac: mac.map(|n| MacAddr([0x44, 0x19, 0xb6, 0, 0, n])),
                serial: serial.map(str::to_owned),
                streams,
                ..device(ip)
            };
            if let Some(endpoint) = endpoint {
                device.id = format!("onvif:{endpoint}");
            }
            device.addresses.extend(further.map(|ip| ip.parse::<IpAddr>().unwrap()));
            device
        });
    prop::collection::vec(one, 0..5).prop_map(|mut devices| {
        devices.sort_by_key(|d| d.ip);
        devices.dedup_by_key(|d| d.ip);
        report(devices)
    })
}

/// The same change seen from the other side. Streams have the address of the later report.
fn reversed(change: Change, url_before: impl Fn(&str) -> String) -> Change {
    match change {
        Change::Field { field, before, after } => Change::Field { field, before: after, after: before },
        Change::ServiceOpened(service) => Change::ServiceClosed(service),
        Change::ServiceClosed(service) => Change::ServiceOpened(service),
        Change::ServiceLoginNeeded(service) => Change::ServiceOpenWithoutLogin(service),
        Change::ServiceOpenWithoutLogin(service) => Change::ServiceLoginNeeded(service),
        Change::StreamAdded { url, status } => Change::StreamGone { url, status },
        Change::StreamGone { url, status } => Change::StreamAdded { url, status },
        Change::StreamStatus { url, before, after } => {
            Change::StreamStatus { url: url_before(&url), before: after, after: before }
        }
        Change::StreamVideo { url, field, before, after } => {
            Change::StreamVideo { url: url_before(&url), field, before: after, after: before }
        }
        Change::ChannelCamera { channel, before, after } => {
            Change::ChannelCamera { channel, before: after, after: before }
        }
        Change::StreamLoginNeeded { url } => Change::StreamOpenWithoutLogin { url: url_before(&url) },
        Change::StreamOpenWithoutLogin { url } => Change::StreamLoginNeeded { url: url_before(&url) },
        Change::WarningAdded { url, warning } => Change::WarningGone { url: url_before(&url), warning },
        Change::WarningGone { url, warning } => Change::WarningAdded { url: url_before(&url), warning },
    }
}

fn mirrored(diff: Diff) -> Diff {
    // All of the generated streams stand at one host, so their addresses are the same on both sides.
    let same = |url: &str| url.to_owned();
    let mirrored = |device: DeviceDiff| DeviceDiff {
        changes: device.changes.into_iter().map(|change| reversed(change, same)).collect(),
        before: device.after,
        after: device.before,
        recognised_by: device.recognised_by,
    };
    Diff { added: diff.gone, gone: diff.added, changed: diff.changed.into_iter().map(mirrored).collect() }
}

/// In an order that does not depend on the side it is seen from.
fn sorted(mut diff: Diff) -> Diff {
    diff.changed.sort_by_key(|device| {
        let mut both = [device.before.ip, device.after.ip];
        both.sort_unstable();
        (both, device.before.ip, device.recognised_by)
    });
    diff.changed.iter_mut().for_each(|device| device.changes.sort_by_key(|change| format!("{change:?}")));
    diff
}

proptest! {
    #[test]
    fn a_report_does_not_differ_from_itself(report in any_report()) {
        prop_assert_eq!(compare(&report, &report), Diff::default());
    }

    #[test]
    fn seen_from_the_other_side_every_change_is_the_reverse(a in any_report(), b in any_report()) {
        prop_assert_eq!(sorted(compare(&a, &b)), sorted(mirrored(compare(&b, &a))));
    }

    #[test]
    fn a_diff_reads_back_as_it_was_written(a in any_report(), b in any_report()) {
        let diff = compare(&a, &b);
        let text = serde_json::to_string(&diff).unwrap();
        prop_assert_eq!(serde_json::from_str::<Diff>(&text).unwrap(), diff);
    }
}

#[test]
fn a_recorder_at_another_address_shows_the_same_cameras() {
    let camera = |ip: &str, last: u8| {
        let mac = MacAddr([0x44, 0x19, 0xb6, 0, 0, last]);
        Device { mac: Some(mac), id: format!("mac:{mac}"), ..device(ip) }
    };
    let site = |recorder: &str, first: &str, shown: u8| {
        let mut all = vec![
            Device {
                kind: Kind::Recorder,
                channels: vec![crate::model::Channel {
                    camera: Some(format!("mac:44:19:b6:00:00:{shown:02x}")),
                    ..crate::model::Channel::new(1)
                }],
                ..camera(recorder, 9)
            },
            camera(first, 1),
            camera("192.0.2.12", 2),
        ];
        let at = crate::model::ShownBy { recorder: all[0].id.clone(), ip: all[0].ip, channel: 1 };
        all[usize::from(shown)].shown_by.push(at);
        report(all)
    };
    let before = site("192.0.2.2", "192.0.2.11", 1);
    let said = |after: &Report| -> Vec<String> {
        let diff = compare(&before, after);
        assert_eq!((diff.added.len(), diff.gone.len()), (0, 0));
        diff.changed.iter().flat_map(|d| d.changes.iter().map(|c| format!("{}: {c}", d.after.ip))).collect()
    };
    assert_eq!(said(&site("192.0.2.3", "192.0.2.11", 1)), ["192.0.2.3: address: 192.0.2.2 → 192.0.2.3"]);
    assert_eq!(said(&site("192.0.2.2", "192.0.2.44", 1)), ["192.0.2.44: address: 192.0.2.11 → 192.0.2.44"]);
    assert_eq!(
        said(&site("192.0.2.2", "192.0.2.11", 2)),
        ["192.0.2.2: channel 1: camera mac:44:19:b6:00:00:01 → mac:44:19:b6:00:00:02"]
    );
}
