//! What hosts make up does not make what is known grow without end, and displaces nothing that is there.

use ipnetwork::IpNetwork;

use super::*;
use crate::model::Reach;

/// A memory that learns scans with many devices.
#[derive(Default)]
pub struct Crowd {
    pub memory: Memory,
    minted: u32,
    scans: i64,
}

impl Crowd {
    /// A scan an hour after the last one.
    pub fn scan(&mut self, devices: Vec<Device>) -> Learnt {
        self.scans += 1;
        let (at, report, minted) = (at(3_600 * self.scans), report(devices), &mut self.minted);
        let mut mint = || {
            *minted += 1;
            Uid::of([[0; 6].as_slice(), &minted.to_be_bytes()].concat().try_into().unwrap())
        };
        self.memory.learn(&Round { report: &report, at, sight: &Sight::CLEAR }, &mut mint)
    }

    fn uid_of(&self, mac: MacAddr) -> Option<Uid> {
        self.memory.find(&mac.to_string()).map(|known| known.uid.clone())
    }
}

fn mac(n: u32) -> MacAddr {
    let [a, b, c, d] = n.to_be_bytes();
    MacAddr([0x3c, 0xef, a, b, c, d])
}

/// A device of another subnet, known by what it announced alone.
pub fn heard(n: u32) -> Device {
    let ip: IpAddr = [198, 51, 100, (n % 250) as u8].into();
    Device {
        id: format!("mac:{}", mac(n)),
        mac: Some(mac(n)),
        serial: Some(format!("FORGED{n:08X}")),
        discovered_by: vec![Method::Beacon],
        reach: Some(Reach::OtherSubnet),
        ..device(&ip.to_string())
    }
}

/// A device that announces an address of the subnet that is scanned, where nothing answers.
fn announced(n: u32) -> Device {
    let ip: IpAddr = [192, 0, 2, (n % 250) as u8].into();
    Device { ip, addresses: vec![ip], reach: None, ..heard(n) }
}

#[test]
fn twenty_scans_of_forged_identities_leave_a_bounded_memory_and_displace_nothing_that_is_there() {
    let mut crowd = Crowd::default();
    let boxed = u32::MAX;
    let there = || vec![camera(251, 1), camera(252, 2), heard(boxed)];
    crowd.scan(there());
    let uids: Vec<Uid> = crowd.memory.devices.keys().cloned().collect();
    for scan in 0..20 {
        let forged = (0..2_000).map(|n| if n % 2 == 0 { heard(scan * 2_000 + n) } else { announced(scan * 2_000 + n) });
        crowd.scan(there().into_iter().chain(forged).collect());
        assert!(crowd.memory.devices.len() <= 4_096 + 2, "{} after scan {scan}", crowd.memory.devices.len());
    }
    assert!(uids.iter().all(|uid| crowd.memory.devices.contains_key(uid)), "what is there stays");
    assert!(crowd.uid_of(mac(19 * 2_000)).is_some(), "what was heard last stays");
    assert_eq!(crowd.uid_of(mac(0)), None, "what was heard longest ago goes first");
}

/// The same camera, which states another identity and lists other streams in each scan.
fn inventive(n: u32) -> Device {
    let (odd, stated) = (n % 2 == 1, format!("5f5a69c2-e0ae-504f-829b-{n:012x}"));
    let paths = (0..4).map(|path| Stream {
        status: StreamStatus::Streaming,
        open: Some(true),
        ..Stream::new(format!("rtsp://192.0.2.1:554/{n}/{path}"), Protocol::Rtsp)
    });
    Device {
        endpoint: odd.then_some(stated),
        serial: (!odd).then(|| format!("INVENTED{n:06X}")),
        streams: paths.collect(),
        ..camera(1, 1)
    }
}

#[test]
fn a_device_that_states_something_else_in_each_scan_is_remembered_in_bounds() {
    let mut crowd = Crowd::default();
    crowd.scan(vec![camera(1, 1)]);
    for n in 0..500 {
        crowd.scan(vec![inventive(n)]);
    }
    let known = crowd.memory.roots().next().unwrap();
    assert_eq!(crowd.memory.devices.len(), 1, "it is recognised each time");
    assert!(known.keys.len() <= 3 * 16, "{} keys", known.keys.len());
    assert!(known.streams.len() <= 512 + 4, "{} streams", known.streams.len());
    let has = |device: &Device| keys_of(device).iter().all(|key| known.keys.contains_key(key));
    assert!(has(&inventive(499)) && has(&inventive(498)), "what it states now stays");
    assert!(has(&camera(1, 1)), "what it was first known by stays");
    assert!(inventive(499).streams.iter().all(|stream| known.streams.contains_key(&stream_key(stream))));
    assert!(!inventive(0).streams.iter().any(|stream| known.streams.contains_key(&stream_key(stream))));
}

#[test]
fn a_device_whose_streams_cannot_be_looked_for_keeps_a_bounded_number() {
    let mut crowd = Crowd::default();
    // What lies behind a login cannot be seen: none of them counts as gone.
    let locked = |n| {
        let mut device = inventive(n);
        device.streams.iter_mut().for_each(|stream| stream.status = StreamStatus::AuthRequired);
        Device { endpoint: None, serial: None, ..device }
    };
    for n in 0..300 {
        crowd.scan(vec![locked(n)]);
    }
    let known = crowd.memory.roots().next().unwrap();
    assert!(known.streams.len() <= 512 + 4, "{} streams", known.streams.len());
    assert!(known.streams.values().all(|stream| stream.gone_at.is_none()));
}

#[test]
fn keys_that_several_have_are_bounded_and_those_of_devices_that_are_there_stay() {
    let mut crowd = Crowd::default();
    // Two cameras of a series with one endpoint.
    let twin = |n| Device { endpoint: Some("5f5a69c2-e0ae-504f-829b-00accc8e0000".to_owned()), ..camera(n, n) };
    for scan in 0..50 {
        let forged = (0..100).map(|n| Device { serial: Some(format!("SHARED{:04X}", scan * 100 + n / 2)), ..heard(n) });
        crowd.scan([twin(251), twin(252)].into_iter().chain(forged).collect());
    }
    assert!(crowd.memory.shared.len() <= 1_024, "{} keys", crowd.memory.shared.len());
    let own = DeviceKey::new(KeyKind::Onvif, "5f5a69c2-e0ae-504f-829b-00accc8e0000");
    assert!(crowd.memory.shared.contains(&own));
}

#[test]
fn recorders_that_show_a_camera_are_bounded_and_those_that_show_it_now_stay() {
    let mut crowd = Crowd::default();
    let mut last = None;
    for n in 0..100u8 {
        let recorder = Device { kind: Kind::Recorder, streams: Vec::new(), ..camera(n, n) };
        let shown_by = vec![ShownBy { recorder: recorder.id.clone(), ip: recorder.ip, channel: 1 }];
        crowd.scan(vec![Device { shown_by, ..camera(200, 200) }, recorder.clone()]);
        last = recorder.mac;
    }
    let known = crowd.memory.find("192.0.2.200").unwrap();
    assert!(known.parents.len() <= 16, "{} recorders", known.parents.len());
    assert!(known.parents.contains(&crowd.uid_of(last.unwrap()).unwrap()));
}

#[test]
fn networks_without_a_device_are_bounded() {
    let mut crowd = Crowd::default();
    for n in 0..1_500u16 {
        let [high, low] = n.to_be_bytes();
        let ip: IpAddr = [10, high, low, 1].into();
        crowd.scan(vec![Device { ip, addresses: vec![ip], ..camera(1, 1) }]);
    }
    assert!(crowd.memory.networks.len() <= 1_024, "{} networks", crowd.memory.networks.len());
    let now: IpNetwork = "10.5.219.0/24".parse().unwrap();
    assert!(crowd.memory.networks.contains_key(&now), "that of a device stays");
}
