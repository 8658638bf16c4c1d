//! A report with everything in it that a format can stumble over.

use jiff::Timestamp;

use crate::model::coverage::{
    Coverage, Hindrance, InterfaceCoverage, Limit, LimitKind, MethodCoverage, MethodOutcome, Unused,
};
use crate::model::service::AuthScheme;
use crate::model::{
    Activation, Answer, Audio, AudioCodec, Channel, Device, DeviceState, ErrorKind, Evidence, EvidenceSource, Fact,
    FpsSource, Header, Kind, LadderStep, LoginAttempts, Method, NetworkSettings, Protocol, Reach, Report, ScanInfo,
    ScanStatus, Service, ShownBy, Stage, StageError, Step, Stream, StreamError, StreamSource, StreamStatus, Transport,
    Video, VideoCodec, Warning, WarningKind,
};

/// Names that do harm where they are not handled: escapes, formulas, markup, other scripts, YAML's traps.
pub const HOSTILE: [&str; 24] = [
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;owned\u{7}cam",
    "=HYPERLINK(\"http://192.0.2.66\",\"click\")",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)",
    "＝1＋1",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "]]> & </model>",
    "gnp.\u{202e}exe",
    "摄像机 大门",
    "no",
    "0x1F",
    "12:30:45",
    "1e3",
    "~",
    "=",
    "<<",
    "a: b # c",
    "line\nbreak\r\ntab\tend",
    "nul\0\u{fffe}\u{85}\u{2028}",
    " padded ",
    "'quoted' \"twice\"",
];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_248_000 + second).unwrap()
}

fn device(ip: &str, kind: Kind, confidence: f64) -> Device {
    Device {
        id: format!("ip:{ip}"),
        uid: None,
        ip: ip.parse().unwrap(),
        addresses: vec![ip.parse().unwrap()],
        mac: None,
        link_mac: None,
        hostname: None,
        name: None,
        site: None,
        tags: Vec::new(),
        kind,
        confidence,
        vendor: None,
        model: None,
        firmware: None,
        serial: None,
        endpoint: None,
        certificate_ends: None,
        clock_ahead_s: None,
        discovered_by: vec![Method::Arp, Method::Onvif],
        state: DeviceState::Online,
        first_seen: at(1),
        last_seen: at(9),
        analysed_at: None,
        services: vec![],
        streams: vec![],
        channels: vec![],
        shown_by: vec![],
        login_attempts: None,
        offers_digest: false,
        evidence: vec![],
        errors: vec![],
        reach: None,
        heard_on: None,
        activation: None,
        network: None,
        warnings: vec![],
    }
}

fn made(mut device: Device, vendor: &str, model: &str) -> Device {
    device.vendor = Some(vendor.into());
    device.model = Some(model.into());
    device
}

fn rtsp(auth: Option<Vec<AuthScheme>>) -> Service {
    Service { auth, ..Service::new(Protocol::Rtsp, Transport::Tcp, 554) }
}

fn stream(url: &str, status: StreamStatus) -> Stream {
    Stream { status, ..Stream::new(url, Protocol::Rtsp) }
}

fn failed(url: &str, status: StreamStatus, kind: ErrorKind, message: &str) -> Stream {
    Stream { error: Some(StreamError { kind, message: message.into() }), ..stream(url, status) }
}

fn video(codec: VideoCodec, width: u32, height: u32, fps: f64) -> Option<Video> {
    Some(Video { codec: Some(codec), width: Some(width), height: Some(height), fps: Some(fps), ..Video::default() })
}

/// An answer with these headers; those without a value are withheld.
fn answer(request: &str, status: &str, headers: &[(&str, Option<&str>)]) -> Answer {
    let header = |&(name, value): &(&str, Option<&str>)| Header {
        name: name.into(),
        value: value.map(str::to_owned),
        withheld: value.is_none(),
    };
    Answer { request: request.into(), status: status.into(), headers: headers.iter().map(header).collect() }
}

fn ladder(steps: &[(Step, f64)]) -> Vec<LadderStep> {
    steps.iter().map(|&(step, ms)| LadderStep { step, ok: true, ms, way: None }).collect()
}

/// A camera of which everything is known, with two streams.
pub fn camera() -> Device {
    let mut d = made(device("10.77.0.10", Kind::Camera, 0.98), "Hikvision", "DS-2CD2042WD-I");
    d.id = "mac:44:19:b6:00:00:01".into();
    d.mac = Some("44:19:b6:00:00:01".parse().unwrap());
    d.hostname = Some("cam1.lan".into());
    d.firmware = Some("V5.4.5 build 170124".into());
    d.serial = Some("DS-2CD2042WD-I20170301AAWR012345678".into());
    d.addresses.push("fe80::4619:b6ff:fe00:1".parse().unwrap());
    d.login_attempts = Some(LoginAttempts { refused: 1, unclear: 0, limit: 2 });
    let mut web = Service::new(Protocol::Http, Transport::Tcp, 80);
    web.url = Some("http://10.77.0.10/".into());
    web.server = Some("App-webs/".into());
    web.title = Some("index".into());
    web.auth = Some(vec![]);
    web.answers = vec![answer("GET http://10.77.0.10:80/", "HTTP/1.1 200", &[("Server", Some("App-webs/"))])];
    d.services = vec![web, rtsp(Some(vec![AuthScheme::Digest, AuthScheme::Basic]))];
    let mut main = stream("rtsp://10.77.0.10:554/Streaming/Channels/101", StreamStatus::Streaming);
    main.channel = Some(1);
    main.profile_name = Some("MainStream".into());
    main.profile_token = Some("Profile_1".into());
    main.open = Some(false);
    main.video = Some(Video {
        codec: Some(VideoCodec::H264),
        profile: Some("High".into()),
        level: Some("4.0".into()),
        width: Some(1920),
        height: Some(1080),
        sample_aspect_ratio: Some((4, 3)),
        fps: Some(25.0),
        fps_source: Some(FpsSource::Sps),
        bitrate_kbps: Some(4096),
        measured_fps: Some(24.9),
        measured_kbps: Some(3980),
        keyframe_interval_s: Some(2.0),
        size_source: None,
    });
    main.audio = Some(Audio {
        codec: Some(AudioCodec::Pcmu),
        sample_rate_hz: Some(8000),
        channels: Some(1),
        bitrate_kbps: Some(64),
        measured_kbps: Some(62),
        measured_packets: Some(110),
    });
    main.back_channel = Some(true);
    main.answers = vec![answer(
        "DESCRIBE rtsp://10.77.0.10:554/Streaming/Channels/101",
        "RTSP/1.0 200 OK",
        &[
            ("CSeq", Some("2")),
            ("Content-Base", Some("rtsp://10.77.0.10/Streaming/Channels/101/")),
            ("Set-Cookie", None),
        ],
    )];
    main.sdp = Some("v=0\ns=Media Presentation\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000".into());
    main.sources = vec![StreamSource::Onvif, StreamSource::Sdp, StreamSource::Frames];
    main.ladder = ladder(&[
        (Step::Tcp, 0.8),
        (Step::Rtsp, 2.3),
        (Step::Described, 14.0),
        (Step::Setup, 9.1),
        (Step::Rtp, 41.5),
        (Step::Keyframe, 180.25),
    ]);
    main.warnings = vec!["declared 25 fps, measured 24.9".into()];
    main.snapshot = Some("snapshots/10.77.0.10-1.jpg".into());
    let mut sub = stream("rtsp://10.77.0.10:554/Streaming/Channels/102", StreamStatus::Described);
    sub.channel = Some(1);
    sub.profile_name = Some("SubStream".into());
    sub.open = Some(false);
    sub.video = video(VideoCodec::H265, 640, 360, 12.5);
    sub.sources = vec![StreamSource::Sdp];
    d.streams = vec![main, sub];
    d.evidence = vec![
        Evidence::new(Fact::Vendor, "Hikvision", EvidenceSource::Onvif, 0.95).with_detail("GetDeviceInformation"),
        Evidence::new(Fact::Vendor, "Hangzhou Hikvision Digital Technology", EvidenceSource::Oui, 0.4),
        Evidence::new(Fact::Kind, "camera", EvidenceSource::Stream, 0.9),
    ];
    d.errors = vec![StageError {
        stage: Stage::Http,
        kind: ErrorKind::Timeout,
        message: "10.77.0.10:8000: read: timed out".into(),
    }];
    d
}

fn needs_login() -> Device {
    let mut d = made(device("10.77.0.11", Kind::Camera, 0.9), "Dahua", "IPC-HFW1230S");
    d.services = vec![rtsp(Some(vec![AuthScheme::Digest]))];
    let url = "rtsp://10.77.0.11:554/cam/realmonitor?channel=1&subtype=0";
    let mut s = failed(url, StreamStatus::AuthRequired, ErrorKind::AuthRequired, "the camera demands a login");
    s.open = Some(false);
    s.channel = Some(1);
    s.ladder = ladder(&[(Step::Tcp, 1.1), (Step::Rtsp, 3.0)]);
    s.ladder.push(LadderStep { step: Step::Described, ok: false, ms: 5.5, way: None });
    d.streams = vec![s];
    d
}

fn recorder() -> Device {
    let mut d = made(device("10.77.0.12", Kind::Recorder, 0.85), "Xiongmai", "NBD8016S-KL");
    d.name = Some("Warehouse".into());
    d.services = vec![rtsp(Some(vec![])), Service::new(Protocol::Dvrip, Transport::Tcp, 34567)];
    let url = |channel: u32| format!("rtsp://10.77.0.12:554/user=***_password=***_channel={channel}_stream=0.sdp");
    let channel = |n: u32, mut s: Stream| {
        s.channel = Some(n);
        s.open = Some(true);
        s
    };
    let mut plays = stream(&url(1), StreamStatus::Streaming);
    plays.video = video(VideoCodec::H264, 1280, 720, 15.0);
    d.streams = vec![
        channel(1, plays),
        channel(2, failed(&url(2), StreamStatus::NoData, ErrorKind::Timeout, "no frame came within 5 s")),
        channel(3, stream(&url(3), StreamStatus::NotFound)),
        channel(4, failed(&url(4), StreamStatus::Error, ErrorKind::Busy, "the device is busy (453)")),
    ];
    d
}

fn refused() -> Device {
    let mut d = made(device("10.77.0.13", Kind::Intercom, 0.7), "2N", "2N IP Verso");
    d.services = vec![rtsp(Some(vec![AuthScheme::Basic]))];
    d.login_attempts = Some(LoginAttempts { refused: 2, unclear: 0, limit: 2 });
    let url = "rtsp://10.77.0.13:554/h264_stream";
    d.streams = vec![failed(
        url,
        StreamStatus::AuthRequired,
        ErrorKind::LoginRests,
        "2 logins were refused; no more are tried",
    )];
    d
}

fn media_server() -> Device {
    let mut d = device("fd00::77:20", Kind::MediaServer, 0.6);
    d.vendor = Some("MediaMTX".into());
    d.services = vec![Service { auth: Some(vec![]), ..Service::new(Protocol::Hls, Transport::Tcp, 8888) }];
    let mut s = Stream::new("http://[fd00::77:20]:8888/garden/index.m3u8", Protocol::Hls);
    s.status = StreamStatus::Streaming;
    s.open = Some(true);
    s.video = video(VideoCodec::Av1, 3840, 2160, 29.97);
    s.audio = Some(Audio { codec: Some(AudioCodec::Opus), ..Audio::default() });
    s.sources = vec![StreamSource::Manifest];
    d.streams = vec![s];
    d
}

/// Two cameras out of the box at one address of another subnet.
pub fn factory_cameras() -> Vec<Device> {
    let warning = |kind, message: &str, hint: &str| Warning {
        kind,
        message: message.into(),
        hint: Some(hint.into()),
        others: vec![],
    };
    let camera = |mac: &str, other: &str| {
        let mut d = made(device("192.168.1.108", Kind::Camera, 0.85), "Dahua", "IPC-HDW1230");
        (d.id, d.mac) = (format!("mac:{mac}"), mac.parse().ok());
        (d.reach, d.heard_on) = (Some(Reach::OtherSubnet), Some("eth0".into()));
        d.activation = Some(Activation::NotActivated);
        d.network =
            Some(NetworkSettings::stated("255.255.255.0".parse().ok(), "192.168.1.1".parse().ok(), Some(false)));
        d.discovered_by = vec![Method::Beacon];
        d.warnings = vec![
            warning(
                WarningKind::OtherSubnet,
                "was heard on eth0, and is in a subnet that this machine has no address in",
                "give this machine an address there: sudo ip addr add 192.168.1.200/24 dev eth0; undo: sudo ip addr del \
                 192.168.1.200/24 dev eth0",
            ),
            warning(
                WarningKind::NotActivated,
                "has no password yet: whoever comes first sets it",
                "set its password on its page http://192.168.1.108/ or with the maker's ConfigTool, and give it an address \
                 of your network",
            ),
            warning(
                WarningKind::AddressConflict,
                &format!("shares its address with Dahua IPC-HDW1230 ({other} at 192.168.1.108)"),
                "give each an address of its own, one after the other: disconnect the others while you set one",
            ),
        ];
        d
    };
    let (one, other) = ("3c:ef:8c:00:00:01", "3c:ef:8c:00:00:02");
    vec![camera(one, other), camera(other, one)]
}

/// Addresses of streams by which a report would have other programs do more than play its device, whose addresses are not
/// among them. `touch-owned` stands in each.
pub const FOREIGN_URLS: [&str; 24] = [
    "exec:touch touch-owned",
    "exec://touch-owned",
    "echo:exec:touch-owned",
    "expr:touch-owned",
    "ffmpeg:-f lavfi touch-owned",
    "ffmpeg:rtsp://10.0.0.5/touch-owned",
    "exec:rtsp://10.0.0.5/touch-owned",
    "file:///touch-owned",
    "file:touch-owned",
    "/touch-owned",
    "|touch-owned",
    "concat:touch-owned|b",
    "pipe:touch-owned",
    "subfile,,start,0,end,9,,:/touch-owned",
    "javascript://10.0.0.5/%0atouch-owned",
    "ws://10.0.0.5/touch-owned",
    "rtsp:touch-owned",
    "rtsp://203.0.113.9/touch-owned",
    "rtsp://[2001:db8::9]:554/touch-owned",
    "http://10.0.0.5@203.0.113.9/touch-owned",
    "http://10.0.0.5\\@203.0.113.9/touch-owned",
    "rtsp://3405803785/touch-owned",
    "rtsp://0xcb.0x0.0x71.0x9:554/touch-owned",
    "rtsp://10.0.0.5:554@203.0.113.9:554/touch-owned",
];

/// A camera whose every name is `name`.
pub fn hostile(ip: &str, name: &str) -> Device {
    let mut d = made(device(ip, Kind::Camera, 0.5), name, name);
    d.hostname = Some(name.into());
    d.firmware = Some(name.into());
    d.serial = Some(name.into());
    let mut service = rtsp(None);
    service.server = Some(name.into());
    service.title = Some(name.into());
    service.realm = Some(name.into());
    service.notes = vec![name.into()];
    d.services = vec![service];
    let mut s = failed(&format!("rtsp://{ip}/{name}"), StreamStatus::Error, ErrorKind::Protocol, name);
    s.profile_name = Some(name.into());
    s.warnings = vec![name.into()];
    d.streams = vec![s];
    let text = || Some(name.to_owned());
    let listed = Channel { name: text(), note: text(), ..Channel::new(1) };
    d.channels = vec![listed, Channel { camera: text(), ..Channel::new(2) }];
    d.shown_by = vec![ShownBy { recorder: name.into(), ip: d.ip, channel: 1 }];
    d.evidence = vec![Evidence::new(Fact::Model, name, EvidenceSource::HttpPage, 0.3).with_detail(name)];
    d.errors = vec![StageError { stage: Stage::Http, kind: ErrorKind::Protocol, message: name.into() }];
    d.heard_on = Some(name.into());
    d.warnings = vec![Warning {
        kind: WarningKind::AddressConflict,
        message: name.into(),
        hint: Some(name.into()),
        others: vec![name.into()],
    }];
    d
}

/// What a scan without the right to raw frames covered.
pub fn coverage() -> Coverage {
    let interface = |name: &str, network: &str, reason: Option<&str>| InterfaceCoverage {
        name: name.into(),
        networks: vec![network.into()],
        used: reason.is_none(),
        reason: reason.map(str::to_owned),
        unused: reason.map(|_| Unused::PointToPoint),
    };
    let method = |method, outcome, answered, reason: Option<&str>| MethodCoverage {
        method,
        outcome,
        answered,
        hindered: Some(Hindrance::NotPermitted).filter(|_| outcome == MethodOutcome::Failed),
        reason: reason.map(str::to_owned),
    };
    Coverage {
        interfaces: vec![
            interface("eth0", "10.77.0.1/24", None),
            interface("wg0", "10.9.0.2/32", Some("joins two points only (VPN, PPP): nobody else is on its link")),
        ],
        methods: vec![
            method(Method::Arp, MethodOutcome::Answered, 31, None),
            method(
                Method::Onvif,
                MethodOutcome::Silent,
                0,
                Some("no answer: nobody speaks it, or a firewall drops the answers"),
            ),
            method(Method::Icmp, MethodOutcome::Failed, 0, Some("ICMP echo is not permitted")),
        ],
        addresses_asked: 254,
        addresses_answered: 31,
        notes: vec!["eth0: cameras in other subnets may be hidden (rp_filter is strict)".into()],
        limits: vec![Limit { interface: "eth0".into(), kind: LimitKind::StrictSenderCheck }],
    }
}

/// A report of `devices`.
pub fn report_of(devices: Vec<Device>) -> Report {
    Report {
        schema: crate::model::report::SCHEMA.into(),
        scan: ScanInfo {
            camscan_version: "0.1.0".into(),
            started_at: at(0),
            finished_at: at(12),
            duration_ms: 12_345,
            status: ScanStatus::Complete,
            targets: vec!["10.77.0.0/24".into()],
            asked: Vec::new(),
            addresses: 254,
            hosts_up: 31,
            methods: vec![Method::Arp, Method::Onvif, Method::Tcp],
            coverage: None,
        },
        devices,
        warnings: vec![],
    }
}

/// A network as they are: every kind, every outcome.
pub fn report() -> Report {
    let mut silent = device("10.77.0.14", Kind::Encoder, 0.55);
    silent.hostname = Some("enc-attic.lan".into());
    silent.services = vec![Service::new(Protocol::Onvif, Transport::Tcp, 8899)];
    silent.errors =
        vec![StageError { stage: Stage::Rtsp, kind: ErrorKind::Refused, message: "connection refused".into() }];
    let mut gone = made(device("10.77.0.15", Kind::Camera, 0.9), "Axis", "AXIS M3046-V");
    gone.state = DeviceState::Offline;
    let printer = made(device("10.77.0.16", Kind::Other, 0.8), "Brother", "HL-L2350DW");
    let mut cjk = made(device("10.77.0.17", Kind::Camera, 0.75), "宇视科技", "摄像机 大门 IPC-B2A1-I");
    let mut s = stream("rtsp://10.77.0.17/media/video1", StreamStatus::Streaming);
    s.video = video(VideoCodec::Mjpeg, 704, 576, 6.0);
    s.open = Some(true);
    cjk.streams = vec![s];
    let mut report = report_of(vec![camera(), needs_login(), recorder(), refused(), silent, gone, printer, cjk]);
    report.devices.push(media_server());
    report.warnings = vec!["no permission for raw sockets: addresses were found by TCP connects".into()];
    report
}

/// A recorder with four channels, of which three are cameras that are listed by themselves: one that plays, one that needs a
/// login, one that plays and is shown by a second recorder as well.
pub fn site() -> Report {
    let nvr = |ip: &str, listed: &[(u32, &str)]| {
        let mut d = made(device(ip, Kind::Recorder, 0.95), "Hikvision", "DS-7608NI-K2");
        for &(number, camera) in listed {
            let url = format!("rtsp://{ip}:554/Streaming/Channels/{number}01");
            let mut s = stream(&url, StreamStatus::Streaming);
            s.channel = Some(number);
            s.video = video(VideoCodec::H264, 1920, 1080, 25.0);
            s.open = Some(false);
            d.streams.push(s);
            let address = Some(camera.parse().unwrap());
            let name = Some(format!("Channel {number}"));
            d.channels.push(Channel { name, address, online: Some(true), ..Channel::new(number) });
        }
        d
    };
    let first = nvr("10.77.0.2", &[(1, "10.77.0.10"), (2, "10.77.0.11"), (3, "10.77.0.17"), (4, "192.168.254.4")]);
    let second = nvr("10.77.0.3", &[(7, "10.77.0.17")]);
    let cjk = report().devices.remove(7);
    let mut report = report_of(vec![first, second, camera(), needs_login(), cjk]);
    crate::identify::recorder::fold(&mut report.devices);
    report
}

/// A report with every hostile name in every place.
pub fn hostile_report() -> Report {
    let devices = HOSTILE.iter().enumerate().map(|(i, name)| hostile(&format!("10.77.1.{i}"), name));
    let mut report = report_of(devices.collect());
    report.warnings = HOSTILE.iter().map(|name| (*name).to_owned()).collect();
    report.scan.targets = vec!["$(reboot)".into()];
    report
}
