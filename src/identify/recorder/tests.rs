use proptest::prelude::*;

use super::*;
use crate::model::{Protocol, arbitrary};

fn ip(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn mac(last: u8) -> MacAddr {
    MacAddr([0x44, 0x19, 0xb6, 0, 0, last])
}

fn serial(last: u8) -> String {
    format!("DS-2CD2042WD-I20170301AAWR01234567{last}")
}

/// A camera at an address, of which MAC address and serial number are known.
fn camera(last: u8) -> Device {
    Device {
        mac: Some(mac(last)),
        serial: Some(serial(last)),
        id: format!("mac:{}", mac(last)),
        ..arbitrary::device(ip(last))
    }
}

fn recorder(last: u8, channels: Vec<Channel>) -> Device {
    Device { kind: Kind::Recorder, channels, ..arbitrary::device(ip(last)) }
}

fn stream(channel: u32, url: &str) -> Stream {
    Stream { channel: Some(channel), status: StreamStatus::Described, ..Stream::new(url, Protocol::Rtsp) }
}

fn at_address(number: u32, last: u8) -> Channel {
    Channel { address: Some(ip(last)), ..Channel::new(number) }
}

fn folded(mut devices: Vec<Device>) -> Vec<Device> {
    fold(&mut devices);
    devices
}

/// What the first channel of the first device shows, and why.
fn first(devices: Vec<Device>) -> (Option<String>, Option<MatchedBy>, Option<String>) {
    let channel = folded(devices)[0].channels[0].clone();
    (channel.camera, channel.matched_by, channel.note)
}

#[test]
fn a_recorder_with_four_channels_of_which_three_are_found_by_themselves() {
    let channels = vec![at_address(1, 11), at_address(2, 12), at_address(3, 13), at_address(4, 99)];
    let devices = folded(vec![recorder(2, channels), camera(11), camera(12), camera(13), camera(14)]);
    let shown: Vec<Option<&str>> = devices[0].channels.iter().map(|c| c.camera.as_deref()).collect();
    assert_eq!(
        shown,
        [Some("mac:44:19:b6:00:00:0b"), Some("mac:44:19:b6:00:00:0c"), Some("mac:44:19:b6:00:00:0d"), None]
    );
    assert_eq!(devices[3].shown_by, [ShownBy { recorder: "ip:192.0.2.2".into(), ip: ip(2), channel: 3 }]);
    assert_eq!(devices[4].shown_by, []);
}

#[test]
fn a_camera_is_recognised_by_what_the_recorder_lists() {
    let listed = |channel: Channel| vec![recorder(2, vec![channel]), camera(11), camera(12)];
    let one = Channel::new(1);
    type Case = (&'static str, Channel, Option<(u8, MatchedBy)>);
    let table: &[Case] = &[
        ("address", at_address(1, 11), Some((11, MatchedBy::Address))),
        ("MAC address", Channel { mac: Some(mac(12)), ..one.clone() }, Some((12, MatchedBy::Mac))),
        ("serial number", Channel { serial: Some(serial(12)), ..one.clone() }, Some((12, MatchedBy::Serial))),
        (
            "serial number without the model",
            Channel { serial: Some("aawr0123456712".into()), ..one.clone() },
            Some((12, MatchedBy::Serial)),
        ),
        ("another serial number", Channel { serial: Some("AAWR0123456799".into()), ..one.clone() }, None),
        // It has moved since; the MAC address has moved with it.
        ("moved", Channel { mac: Some(mac(12)), ..at_address(1, 11) }, Some((12, MatchedBy::Mac))),
        ("another one there now", Channel { mac: Some(mac(77)), ..at_address(1, 11) }, None),
        ("another serial number there now", Channel { serial: Some(serial(7)), ..at_address(1, 11) }, None),
        // On the air it has another MAC address.
        (
            "on the air",
            Channel { mac: Some(mac(77)), serial: Some(serial(11)), ..at_address(1, 11) },
            Some((11, MatchedBy::Serial)),
        ),
        ("a placeholder", Channel { serial: Some("0000".into()), ..one.clone() }, None),
        ("nothing", one.clone(), None),
        ("an unused slot", Channel { address: Some([0, 0, 0, 0].into()), ..one }, None),
    ];
    for (what, channel, expected) in table {
        let (shown, by, note) = first(listed(channel.clone()));
        let expected_id = expected.as_ref().map(|(last, _)| format!("mac:{}", mac(*last)));
        assert_eq!((shown, by), (expected_id, expected.as_ref().map(|(_, by)| *by)), "{what}: {note:?}");
    }
}

#[test]
fn the_end_of_a_serial_number_that_is_another_notation_is_the_same() {
    assert!(is_same_serial("DS-2CD2042WD-I20170301AAWR012345678", "012345678"));
    assert!(is_same_serial("4M0A1B2PAJ00001", "4m0a1b2paj00001"));
    assert!(!is_same_serial("DS-2CD2042WD-I20170301AAWR012345678", "5678"), "too short to tell");
    assert!(!is_same_serial("4M0A1B2PAJ00001", "4M0A1B2PAJ00002"));
}

#[test]
fn what_fits_two_devices_names_none_and_says_so() {
    let clone = Device { mac: Some(mac(11)), serial: None, ..camera(12) };
    let original = Device { serial: None, ..camera(11) };
    let of = |channel: Channel| first(vec![recorder(2, vec![channel]), original.clone(), clone.clone()]);
    let cloned = of(Channel { mac: Some(mac(11)), ..Channel::new(1) });
    assert_eq!(cloned, (None, None, Some("what the recorder lists fits 2 devices: 192.0.2.11, 192.0.2.12".into())));
    // The address tells which of the two it is.
    let told_apart = of(Channel { mac: Some(mac(11)), ..at_address(1, 12) });
    assert_eq!(told_apart, (Some("mac:44:19:b6:00:00:0c".into()), Some(MatchedBy::Mac), None));

    let twice = Device { serial: Some(serial(11)), mac: None, ..camera(12) };
    let serials = vec![
        recorder(2, vec![Channel { serial: Some(serial(11)), ..Channel::new(1) }]),
        Device { mac: None, ..camera(11) },
        twice,
    ];
    assert!(matches!(first(serials), (None, None, Some(note)) if note.contains("2 devices")));

    // The MAC address of one camera, and the serial number of another.
    let mixed = Channel { mac: Some(mac(11)), serial: Some(serial(12)), ..Channel::new(1) };
    let devices =
        vec![recorder(2, vec![mixed]), Device { serial: None, ..camera(11) }, Device { mac: None, ..camera(12) }];
    assert!(matches!(first(devices), (None, None, Some(_))));
}

#[test]
fn a_device_that_contradicts_the_list_is_named_in_a_note() {
    let (shown, _, note) =
        first(vec![recorder(2, vec![Channel { mac: Some(mac(77)), ..at_address(1, 11) }]), camera(11)]);
    assert_eq!(shown, None);
    assert_eq!(note.as_deref(), Some("192.0.2.11 has another MAC address than the recorder lists"));
}

#[test]
fn without_a_list_the_streams_may_tell() {
    for (url, profile) in [
        ("rtsp://192.0.2.2/cam/192.0.2.11/main", None),
        ("rtsp://192.0.2.2:554/live?src=rtsp%3A%2F%2F192.0.2.11%3A554%2F1", None),
        ("rtsp://192.0.2.2/44:19:b6:00:00:0b", None),
        ("rtsp://192.0.2.2/cam_4419B600000B_main", None),
        ("rtsp://192.0.2.2/x?id=DS-2CD2042WD-I20170301AAWR0123456711", None),
        ("rtsp://192.0.2.2/1", Some("Gate 192.0.2.11")),
        ("rtsp://192.0.2.2/1", Some("IPC-44-19-B6-00-00-0B")),
    ] {
        let streams = vec![Stream { profile_name: profile.map(str::to_owned), ..stream(1, url) }];
        let (shown, by, _) = first(vec![Device { streams, ..recorder(2, vec![]) }, camera(11), camera(12)]);
        assert_eq!(
            (shown.as_deref(), by),
            (Some("mac:44:19:b6:00:00:0b"), Some(MatchedBy::Stream)),
            "{url} {profile:?}"
        );
    }
    for url in
        ["rtsp://192.0.2.11/1", "rtsp://192.0.2.2/1", "rtsp://192.0.2.2/192.0.2.110", "rtsp://192.0.2.2/Streaming/101"]
    {
        let devices = vec![Device { streams: vec![stream(1, url)], ..recorder(2, vec![]) }, camera(11)];
        assert_eq!(first(devices), (None, None, None), "{url}");
    }
    let both =
        vec![Device { streams: vec![stream(1, "rtsp://192.0.2.2/192.0.2.11/192.0.2.12")], ..recorder(2, vec![]) }];
    let devices = [both, vec![camera(11), camera(12)]].concat();
    assert!(matches!(first(devices), (None, None, Some(note)) if note.contains("2 devices")));
}

#[test]
fn two_recorders_can_show_the_same_camera_and_one_recorder_twice() {
    let first = recorder(2, vec![at_address(1, 11), at_address(2, 11)]);
    let devices = folded(vec![recorder(3, vec![at_address(7, 11)]), first, camera(11)]);
    let shown: Vec<(IpAddr, u32)> = devices[2].shown_by.iter().map(|shown| (shown.ip, shown.channel)).collect();
    assert_eq!(shown, [(ip(2), 1), (ip(2), 2), (ip(3), 7)]);
}

#[test]
fn a_recorder_is_no_camera_of_another_recorder_nor_of_itself() {
    let devices =
        folded(vec![recorder(2, vec![at_address(1, 3)]), recorder(3, vec![at_address(1, 2), at_address(2, 3)])]);
    assert!(devices.iter().all(|d| d.shown_by.is_empty() && d.channels.iter().all(|c| c.camera.is_none())));
}

#[test]
fn a_camera_with_two_lenses_is_one_although_it_has_channels() {
    let streams = vec![stream(1, "rtsp://192.0.2.11/1"), stream(2, "rtsp://192.0.2.11/2")];
    let lenses = Device { kind: Kind::Recorder, streams, ..camera(11) };
    let devices = folded(vec![recorder(2, vec![at_address(1, 11)]), lenses]);
    assert_eq!(devices[0].channels[0].camera.as_deref(), Some("mac:44:19:b6:00:00:0b"));
}

#[test]
fn equal_parameter_sets_are_a_hint_and_fold_nothing() {
    let with = |stream: Stream, sets: &str| Stream { parameter_sets: Some(sets.into()), ..stream };
    let filming = |last: u8, sets: &str| {
        let url = format!("rtsp://192.0.2.{last}/1");
        Device { streams: vec![with(Stream::new(url, Protocol::Rtsp), sets)], ..camera(last) }
    };
    let recording = |sets: [&str; 2]| {
        let streams =
            vec![with(stream(1, "rtsp://192.0.2.2/1"), sets[0]), with(stream(2, "rtsp://192.0.2.2/2"), sets[1])];
        Device { streams, ..recorder(2, vec![]) }
    };
    let devices = folded(vec![recording(["a", "b"]), filming(11, "a"), filming(12, "c")]);
    let channel = &devices[0].channels[0];
    assert_eq!((channel.camera.as_deref(), channel.possible_camera.as_deref()), (None, Some("mac:44:19:b6:00:00:0b")));
    assert_eq!(devices[0].channels[1].possible_camera, None);
    assert!(devices[1].shown_by.is_empty() && devices[0].own_streams().count() == 2);
    for unclear in
        [vec![recording(["a", "b"]), filming(11, "a"), filming(12, "a")], vec![recording(["a", "a"]), filming(11, "a")]]
    {
        assert_eq!(folded(unclear)[0].channels[0].possible_camera, None);
    }
}

#[test]
fn streams_of_listed_cameras_are_not_the_recorders_own() {
    let streams =
        vec![stream(1, "rtsp://192.0.2.2/1"), stream(1, "rtsp://192.0.2.2/1s"), stream(2, "rtsp://192.0.2.2/2")];
    let devices = folded(vec![Device { streams, ..recorder(2, vec![at_address(1, 11)]) }, camera(11)]);
    let own: Vec<&str> = devices[0].own_streams().map(|stream| stream.url.as_str()).collect();
    assert_eq!(own, ["rtsp://192.0.2.2/2"]);
    assert_eq!(devices[0].camera_of(&devices[0].streams[0]), Some("mac:44:19:b6:00:00:0b"));
}

/// Recorders and cameras with few MAC addresses, serial numbers and addresses, so that they meet.
fn devices() -> impl Strategy<Value = Vec<Device>> {
    let channels = prop::collection::vec(arbitrary::channel(), 0..4);
    let streams = prop::collection::vec(arbitrary::stream(), 0..3);
    let listed = prop::option::of(arbitrary::channel());
    let device = (any::<bool>(), channels, streams, listed).prop_map(|(records, channels, streams, itself)| {
        let kind = if records { Kind::Recorder } else { Kind::Camera };
        let (mac, serial) = itself.map(|c| (c.mac, c.serial)).unwrap_or_default();
        let channels = if records { channels } else { vec![] };
        Device { kind, channels, streams, mac, serial, ..arbitrary::device(ip(0)) }
    });
    prop::collection::vec(device, 0..6).prop_map(|all| {
        let placed = all.into_iter().enumerate().map(|(n, device)| {
            let at = ip(u8::try_from(n + 1).unwrap());
            let channels = device.channels.into_iter().enumerate();
            let channels = channels.map(|(n, c)| Channel { number: u32::try_from(n + 1).unwrap(), ..c }).collect();
            Device { ip: at, addresses: vec![at], id: format!("ip:{at}"), channels, ..device }
        });
        placed.collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_the_devices_changes_nothing((there, shuffled) in devices().prop_flat_map(|d| (Just(d.clone()), Just(d).prop_shuffle()))) {
        let sorted = |devices| {
            let mut devices = folded(devices);
            devices.sort_by_key(|device| device.ip);
            devices
        };
        prop_assert_eq!(sorted(there), sorted(shuffled));
    }

    #[test]
    fn folding_again_changes_nothing(devices in devices()) {
        let once = folded(devices);
        prop_assert_eq!(folded(once.clone()), once);
    }

    #[test]
    fn both_sides_say_the_same(devices in devices()) {
        let devices = folded(devices);
        let told: BTreeSet<(&str, u32, &str)> = devices.iter()
            .flat_map(|d| d.channels.iter().filter_map(|c| Some((d.id.as_str(), c.number, c.camera.as_deref()?))))
            .collect();
        let shown: BTreeSet<(&str, u32, &str)> = devices.iter()
            .flat_map(|d| d.shown_by.iter().map(|s| (s.recorder.as_str(), s.channel, d.id.as_str())))
            .collect();
        prop_assert_eq!(told, shown);
    }

    #[test]
    fn any_text_is_searched(text in any::<String>()) {
        let devices = vec![Device { streams: vec![Stream { profile_name: Some(text.clone()), ..stream(1, &text) }], ..recorder(2, vec![]) }, camera(11)];
        folded(devices);
    }
}

/// Each recorder lists the one serial number that all cameras state, and its stream names it.
#[test]
fn twice_the_devices_cost_twice_the_looks() {
    let looks = |count: u8| {
        let cameras = (0..count).map(|n| Device { serial: Some(serial(1)), mac: None, ..camera(n) });
        let recorders = (0..count).map(|n| {
            let listed = Channel { serial: Some(serial(1)), ..Channel::new(1) };
            let streams = vec![stream(2, &format!("rtsp://192.0.2.1/{}", serial(1).replace('-', "")))];
            Device { streams, ip: [198, 51, 100, n].into(), ..recorder(n, vec![listed]) }
        });
        let mut devices: Vec<Device> = cameras.chain(recorders).collect();
        steps::seen_by(|| fold(&mut devices))
    };
    let (few, many) = (looks(100), looks(200));
    assert!(many <= few * 5 / 2, "{few} looks at 100 cameras and recorders, {many} at 200");
}
