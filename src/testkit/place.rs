//! A place with its cameras as the store remembers it after a month: for tests of pages, and to look at them.

use std::net::{IpAddr, Ipv4Addr};

use jiff::{SignedDuration, Timestamp};

use crate::history::memory::{Memory, Mute, MuteScope, Vantage};
use crate::model::coverage::InterfaceCoverage;
use crate::model::memory::{Expect, Uid};
use crate::model::report::SCHEMA;
use crate::model::{
    AuthScheme, Coverage, Device, DeviceState, ErrorKind, Evidence, EvidenceSource, Fact, Kind, LadderStep, MacAddr,
    Method, Protocol, Report, ScanInfo, ScanStatus, Service, Step, Stream, StreamError, StreamStatus, Transport, Video,
    VideoCodec,
};
use crate::store::{Cause, Store, StoreError};

/// What cameras of one maker look like.
struct Maker {
    name: &'static str,
    models: [&'static str; 3],
    firmware: [&'static str; 2],
    oui: [u8; 3],
    paths: [&'static str; 2],
    server: &'static str,
}

const MAKERS: [Maker; 4] = [
    Maker {
        name: "Hikvision",
        models: ["DS-2CD2143G2-I", "DS-2CD2386G2-IU", "DS-2DE4425IW-DE"],
        firmware: ["V5.7.3 build 220112", "V5.5.82 build 190909"],
        oui: [0x44, 0x19, 0xb6],
        paths: ["/Streaming/Channels/101", "/Streaming/Channels/102"],
        server: "App-webs/",
    },
    Maker {
        name: "Dahua",
        models: ["IPC-HDW2431T-AS", "IPC-HFW5442E-ZE", "SD49425XB-HNR"],
        firmware: ["2.840.0000000.18.R", "2.800.0000000.16.R"],
        oui: [0x3c, 0xef, 0x8c],
        paths: ["/cam/realmonitor?channel=1&subtype=0", "/cam/realmonitor?channel=1&subtype=1"],
        server: "Dahua HTTP",
    },
    Maker {
        name: "Axis",
        models: ["P3245-V", "M3106-L Mk II", "Q6075-E"],
        firmware: ["10.12.130", "9.80.3.9"],
        oui: [0x00, 0x40, 0x8c],
        paths: ["/axis-media/media.amp", "/axis-media/media.amp?resolution=640x360"],
        server: "Apache",
    },
    Maker {
        name: "Reolink",
        models: ["RLC-810A", "RLC-520A", "Duo 2 PoE"],
        firmware: ["v3.1.0.956_22041503", "v3.0.0.494_21073002"],
        oui: [0xec, 0x71, 0xdb],
        paths: ["/h264Preview_01_main", "/h264Preview_01_sub"],
        server: "mini_httpd",
    },
];

/// Names of cameras as users give them.
const NAMES: [&str; 12] = [
    "Gate",
    "Car park",
    "Loading bay",
    "Reception",
    "Corridor 1",
    "Corridor 2",
    "Server room",
    "Fence north",
    "Fence east",
    "Cash desk",
    "Stairs",
    "Warehouse aisle",
];
/// Sites as users give them.
const SITES: [&str; 3] = ["Main building", "Warehouse", "Car park"];

/// What is wrong with a device at the end of the month, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    Open,
    Locked,
    NoFrames,
    Gone,
    Missing,
    New,
}

fn fate(n: usize) -> Fate {
    match n % 24 {
        3 => Fate::Open,
        6 => Fate::Locked,
        9 => Fate::NoFrames,
        13 => Fate::Gone,
        17 => Fate::Missing,
        21 => Fate::New,
        _ => Fate::Fine,
    }
}

fn of<T>(all: &[T], n: usize) -> &T {
    all.get(n % all.len()).unwrap_or_else(|| unreachable!("none is empty"))
}

/// The address of a device: on every fourth address of some networks, 60 on each.
fn address(n: usize) -> IpAddr {
    let (network, host) =
        (u8::try_from(n / 60 % 200).unwrap_or_default(), u8::try_from(n % 60 * 4 + 10).unwrap_or_default());
    Ipv4Addr::new(192, 168, network + 10, host).into()
}

fn stream(maker: &Maker, n: usize, which: usize) -> Stream {
    let ip = address(n);
    let mut stream = Stream::new(format!("rtsp://{ip}:554{}", of(&maker.paths, which)), Protocol::Rtsp);
    let (is_main, fate) = (which == 0, fate(n));
    stream.profile_name = Some(if is_main { "mainStream" } else { "subStream" }.to_owned());
    let (width, height) = if is_main { *of(&[(2560, 1440), (1920, 1080), (3840, 2160)], n) } else { (640, 360) };
    let video = Video {
        codec: Some(if is_main && n.is_multiple_of(3) { VideoCodec::H265 } else { VideoCodec::H264 }),
        profile: Some("Main".to_owned()),
        level: Some("4.0".to_owned()),
        width: Some(width),
        height: Some(height),
        fps: Some(25.0),
        bitrate_kbps: Some(if is_main { 4096 } else { 512 }),
        measured_fps: Some(if is_main { 24.96 } else { 14.9 }),
        measured_kbps: Some(if is_main { 3_870 } else { 430 }),
        keyframe_interval_s: Some(2.0),
        ..Video::default()
    };
    let step = |step, ok, ms| LadderStep { step, ok, ms, way: None };
    let begin = [step(Step::Tcp, true, 0.8), step(Step::Rtsp, true, 3.1)];
    stream.open = Some(fate == Fate::Open);
    match fate {
        Fate::Locked => {
            stream.status = StreamStatus::AuthRequired;
            stream.open = Some(false);
            stream.ladder = [&begin[..], &[step(Step::Described, false, 12.0)]].concat();
            let message = "DESCRIBE: 401 Unauthorized, no login is known".to_owned();
            stream.error = Some(StreamError { kind: ErrorKind::AuthRequired, message });
        }
        _ => {
            stream.status = StreamStatus::Streaming;
            stream.video = Some(video);
            let rest = [
                (Step::Described, 14.2),
                (Step::Setup, 9.4),
                (Step::Rtp, 31.0),
                (Step::Frame, 40.5),
                (Step::Keyframe, 122.0),
            ];
            stream.ladder = begin.into_iter().chain(rest.map(|(one, ms)| step(one, true, ms))).collect();
        }
    }
    stream
}

/// A device of the place.
pub fn device(n: usize) -> Device {
    let maker = of(&MAKERS, n / 3);
    let ip = address(n);
    let low = u8::try_from(n % 256).unwrap_or_default();
    let mac =
        MacAddr([maker.oui[0], maker.oui[1], maker.oui[2], 0x5a, u8::try_from(n / 256 % 256).unwrap_or_default(), low]);
    let model = *of(&maker.models, n);
    let evidence = |fact, value: &str, source, weight| Evidence::new(fact, value, source, weight);
    let auth = Some(if fate(n) == Fate::Open { Vec::new() } else { vec![AuthScheme::Digest, AuthScheme::Basic] });
    let service = |protocol, port| Service { auth: auth.clone(), ..Service::new(protocol, Transport::Tcp, port) };
    Device {
        id: format!("mac:{mac}"),
        uid: None,
        ip,
        addresses: vec![ip],
        mac: Some(mac),
        link_mac: Some(mac),
        hostname: Some(format!("cam-{n:03}.lan")),
        name: None,
        site: None,
        tags: Vec::new(),
        kind: Kind::Camera,
        confidence: 0.97,
        vendor: Some(maker.name.to_owned()),
        model: Some(model.to_owned()),
        firmware: Some((*of(&maker.firmware, n)).to_owned()),
        serial: Some(format!("{model}{n:08}WR")),
        endpoint: Some(format!("5f5a69c2-e0ae-504f-829b-{n:012x}")),
        certificate_ends: None,
        clock_ahead_s: None,
        discovered_by: vec![Method::Arp, Method::Onvif],
        state: DeviceState::Online,
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        analysed_at: None,
        services: vec![
            Service { server: Some(maker.server.to_owned()), ..service(Protocol::Http, 80) },
            Service { realm: Some("IP Camera(C6496)".to_owned()), ..service(Protocol::Rtsp, 554) },
            service(Protocol::Onvif, 80),
        ],
        streams: (0..2).map(|which| stream(maker, n, which)).collect(),
        channels: Vec::new(),
        shown_by: Vec::new(),
        login_attempts: None,
        offers_digest: false,
        evidence: vec![
            evidence(Fact::Vendor, maker.name, EvidenceSource::Onvif, 0.95).with_detail("GetDeviceInformation"),
            evidence(Fact::Model, model, EvidenceSource::Onvif, 0.95).with_detail("GetDeviceInformation"),
            evidence(Fact::Vendor, maker.name, EvidenceSource::Oui, 0.5),
        ],
        errors: Vec::new(),
        reach: None,
        heard_on: None,
        activation: None,
        network: None,
        warnings: Vec::new(),
    }
}

/// A scan of the place that found these.
pub fn report(devices: Vec<Device>, at: Timestamp) -> Report {
    let networks: Vec<String> = (10..27).map(|network| format!("192.168.{network}.0/24")).collect();
    let scan = ScanInfo {
        camscan_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: at - SignedDuration::from_secs(48),
        finished_at: at,
        duration_ms: 48_200,
        status: ScanStatus::Complete,
        targets: networks.clone(),
        asked: networks
            .iter()
            .map(|net| net.replace(".0/24", ".1-").to_string() + &net.replace(".0/24", ".239"))
            .collect(),
        addresses: 239 * networks.len() as u64,
        hosts_up: devices.len() as u64 + 9,
        methods: vec![Method::Arp, Method::Onvif],
        coverage: Some(Coverage {
            interfaces: vec![InterfaceCoverage {
                name: "eth0".to_owned(),
                networks: vec!["192.168.10.7/24".to_owned()],
                used: true,
                reason: None,
                unused: None,
            }],
            methods: Vec::new(),
            addresses_asked: 239,
            addresses_answered: devices.len() as u64,
            notes: Vec::new(),
            limits: Vec::new(),
        }),
    };
    Report { schema: SCHEMA.to_owned(), scan, devices, warnings: Vec::new() }
}

/// Fills a store with a month of `count` devices that ends at `now`. The ids of the devices, by number.
///
/// # Errors
/// When the store cannot be written.
pub fn remember(store: &Store, count: usize, now: Timestamp) -> Result<Vec<Uid>, StoreError> {
    let hour = SignedDuration::from_hours(1);
    // A large place for tests of size needs no month.
    let hours = [696, 480, 456, 288, 120, 48, 24, 4, 3, 2, 1];
    for hours in hours.into_iter().skip(if count > 200 { 9 } else { 0 }) {
        let at = now - hour * hours;
        let there = |n: &usize| match fate(*n) {
            Fate::Gone => (hours > 4 && hours != 20 * 24) || (count > 200 && hours == 2),
            Fate::Missing => hours > 1,
            Fate::New => hours < 4,
            _ => true,
        };
        let devices: Vec<Device> = (0..count).filter(there).map(|n| at_hour(n, hours)).collect();
        let cause = if hours == 48 { Cause::User } else { Cause::Schedule };
        store.learn(&report(devices, at), cause, Vantage::CLEAR, &())?;
    }
    annotate(store, count, now)?;
    let memory = store.memory()?;
    Ok((0..count).filter_map(|n| memory.find(&address(n).to_string()).map(|known| known.uid.clone())).collect())
}

fn at_hour(n: usize, hours: i32) -> Device {
    let mut device = device(n);
    if fate(n) == Fate::NoFrames && hours < 5 {
        for stream in &mut device.streams {
            stream.status = StreamStatus::NoData;
            let message = "PLAY: 200 OK, and no packet came in 5 s".to_owned();
            stream.error = Some(StreamError { kind: ErrorKind::Timeout, message });
            stream.ladder.truncate(4);
            stream.ladder.push(LadderStep { step: Step::Rtp, ok: false, ms: 5000.0, way: None });
        }
    }
    if n == 1 && hours > 24 {
        device.firmware = Some("V5.5.0 build 170725".to_owned());
    }
    device
}

fn annotate(store: &Store, count: usize, now: Timestamp) -> Result<(), StoreError> {
    let write = |memory: &mut Memory| {
        for n in 0..count {
            let Some(uid) = memory.find(&address(n).to_string()).map(|known| known.uid.clone()) else { continue };
            if fate(n) == Fate::New {
                continue;
            }
            if let Some(known) = memory.devices.get_mut(&uid) {
                let round = n / NAMES.len();
                let name = of(&NAMES, n);
                known.note.name = Some(if round == 0 { (*name).to_owned() } else { format!("{name} {}", round + 1) });
                known.note.site = Some((*of(&SITES, n / 5)).to_owned());
                known.note.tags = if n.is_multiple_of(4) { vec!["outdoor".to_owned()] } else { Vec::new() };
                known.note.expect = if n == 8 { Expect::Sometimes } else { Expect::Always };
                memory.touched.insert(uid);
            }
        }
        memory.mutes.push(Mute {
            scope: MuteScope::Tag("outdoor".to_owned()),
            began: now - SignedDuration::from_hours(1),
            ended: Some(now + SignedDuration::from_hours(7)),
            why: Some("cable works".to_owned()),
            by: Some("anna".to_owned()),
        });
        ((), Vec::new())
    };
    store.update(write, &()).map(drop)
}
