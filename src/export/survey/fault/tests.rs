use super::*;
use crate::export::sample;
use crate::model::{Channel, NetworkSettings, Protocol, Service, StreamError, Transport, Warning};

fn stream(url: &str, status: StreamStatus, open: Option<bool>) -> Stream {
    Stream { status, open, ..Stream::new(url, Protocol::Rtsp) }
}

fn failed(kind: ErrorKind) -> Stream {
    let error = Some(StreamError { kind, message: "why".into() });
    Stream { error, ..stream("rtsp://192.0.2.1/1", StreamStatus::Error, None) }
}

/// A camera about which nothing is to be put right, until it is changed.
fn camera(ip: &str, change: impl FnOnce(&mut Device)) -> Device {
    let mut device = sample::camera();
    (device.id, device.ip) = (format!("ip:{ip}"), ip.parse().unwrap());
    device.streams = vec![stream("rtsp://192.0.2.1/1", StreamStatus::Streaming, Some(false))];
    change(&mut device);
    device
}

fn warn(device: &mut Device, kind: WarningKind, hint: Option<&str>) {
    device.warnings.push(Warning {
        kind,
        message: "not what is looked at".into(),
        hint: hint.map(str::to_owned),
        others: Vec::new(),
    });
}

fn network(mask: &str, gateway: &str) -> Option<NetworkSettings> {
    Some(NetworkSettings::stated(mask.parse().ok(), gateway.parse().ok(), None))
}

fn of(device: Device) -> Vec<String> {
    let report = sample::report_of(vec![device]);
    let shown = |fault: &Fault<'_>| match &fault.finding {
        Finding::Streams(streams) => format!("{:?} {}", fault.problem, streams.len()),
        Finding::Dead(why, streams) => format!("{:?} {why:?} {}", fault.problem, streams.len()),
        finding => format!("{:?} {finding:?}", fault.problem),
    };
    faults(&report).iter().map(shown).collect()
}

#[test]
fn each_device_is_judged_by_its_report() {
    let unlisted = |d: &mut Device| {
        d.streams.clear();
        d.services = vec![Service::new(Protocol::Onvif, Transport::Tcp, 80)];
        d.login_attempts = None;
        d.errors.clear();
    };
    let ended = "2026-01-01T00:00:00Z";
    let way =
        "give this machine an address there: sudo ip addr add 192.168.1.200/24 dev eth0; undo: sudo ip addr del x";
    type Change<'a> = Box<dyn FnOnce(&mut Device) + 'a>;
    let cases: Vec<(&str, Change<'_>, Vec<&str>)> = vec![
        ("nothing", Box::new(|_| {}), vec![]),
        ("a stream that plays without a login", Box::new(|d| d.streams[0].open = Some(true)), vec!["OpenStream 1"]),
        (
            "one that was described without a login",
            Box::new(|d| d.streams = vec![stream("rtsp://a/1", StreamStatus::Described, Some(true))]),
            vec!["OpenStream 1"],
        ),
        (
            "one without a login that is not there",
            Box::new(|d| d.streams.push(stream("rtsp://a/2", StreamStatus::NotFound, Some(true)))),
            vec!["DeadStream NotFound 1"],
        ),
        ("never activated", Box::new(|d| d.activation = Some(Activation::NotActivated)), vec!["NotActivated Plain"]),
        (
            "factory default",
            Box::new(|d| d.activation = Some(Activation::FactoryDefault)),
            vec!["FactoryDefault Plain"],
        ),
        ("activated", Box::new(|d| d.activation = Some(Activation::Activated)), vec![]),
        (
            "its own words on activation are not repeated",
            Box::new(|d| warn(d, WarningKind::NotActivated, None)),
            vec![],
        ),
        (
            "a clock that is behind",
            Box::new(|d| {
                d.clock_ahead_s = Some(-3900);
                warn(d, WarningKind::ClockWrong, None);
            }),
            vec!["ClockWrong Ahead(Some(-3900))"],
        ),
        (
            "a clock of which an older report does not say how wrong it is",
            Box::new(|d| warn(d, WarningKind::ClockWrong, None)),
            vec!["ClockWrong Ahead(None)"],
        ),
        (
            "a certificate",
            Box::new(|d| {
                d.certificate_ends = ended.parse().ok();
                warn(d, WarningKind::CertificateExpired, None);
            }),
            vec!["CertificateExpired Ended(Some(2026-01-01T00:00:00Z))"],
        ),
        (
            "streams by the reason they do not play for",
            Box::new(|d| {
                d.streams = vec![
                    failed(ErrorKind::Busy),
                    stream("rtsp://a/1", StreamStatus::NoData, None),
                    failed(ErrorKind::Busy),
                    stream("rtsp://a/2", StreamStatus::Streaming, None),
                ];
            }),
            vec!["DeadStream NoFrames 1", "DeadStream Failed(Busy) 2"],
        ),
        (
            "a login that is missing is no dead stream",
            Box::new(|d| d.streams = vec![failed(ErrorKind::AuthRequired)]),
            vec!["LoginNeeded Login { refused: false }"],
        ),
        (
            "a login that was refused",
            Box::new(|d| d.streams = vec![failed(ErrorKind::Locked)]),
            vec!["LoginNeeded Login { refused: true }"],
        ),
        ("no stream at all", Box::new(unlisted), vec!["NoStream Error(None)"]),
        ("no answer any more", Box::new(|d| d.state = DeviceState::Offline), vec!["Offline Plain"]),
        (
            "another subnet, with the way there",
            Box::new(|d| {
                d.streams.clear();
                (d.reach, d.heard_on) = (Some(Reach::OtherSubnet), Some("eth0".into()));
                warn(d, WarningKind::OtherSubnet, Some(way));
            }),
            vec![
                "OtherSubnet Heard { on: Some(\"eth0\"), commands: Some((\"sudo ip addr add 192.168.1.200/24 dev eth0\", \
                 \"sudo ip addr del x\")) }",
            ],
        ),
        (
            "a mask",
            Box::new(|d| {
                d.network = network("255.255.0.0", "10.77.0.1");
                warn(d, WarningKind::NetworkMismatch, None);
            }),
            vec!["NetworkMismatch Mask { has: 255.255.0.0 }"],
        ),
        (
            "a gateway",
            Box::new(|d| {
                d.network = network("255.255.255.0", "192.168.1.1");
                warn(d, WarningKind::NetworkMismatch, None);
            }),
            vec!["NetworkMismatch Gateway { has: 192.168.1.1 }"],
        ),
        ("DHCP", Box::new(|d| warn(d, WarningKind::DynamicAddress, None)), vec!["DynamicAddress Plain"]),
        (
            "a recorder that has lost a camera: its stream is dead for that reason",
            Box::new(|d| {
                d.kind = Kind::Recorder;
                let address = "10.77.0.9".parse().ok();
                d.channels = vec![Channel { address, online: Some(false), ..Channel::new(2) }];
                d.streams.push(Stream { channel: Some(2), ..failed(ErrorKind::NotFound) });
            }),
            vec!["ChannelOffline Channels([2])"],
        ),
        (
            "a channel that nothing is connected to",
            Box::new(|d| {
                d.kind = Kind::Recorder;
                d.channels = vec![Channel { online: Some(false), ..Channel::new(2) }];
            }),
            vec![],
        ),
    ];
    for (name, change, expected) in cases {
        assert_eq!(of(camera("10.77.0.10", change)), expected, "{name}");
    }
}

#[test]
fn what_several_have_together_is_listed_once() {
    let twin = |ip: &str, serial: &str| {
        camera(ip, |d| {
            d.serial = Some(serial.into());
            warn(d, WarningKind::DuplicateSerial, None);
        })
    };
    let mut devices = vec![twin("10.0.0.1", "A1B2C3"), twin("10.0.0.2", "X9Y8Z7"), twin("10.0.0.3", "A1B2C3")];
    devices.push(twin("10.0.0.4", "X9Y8Z7"));
    devices.extend(sample::factory_cameras());
    let report = sample::report_of(devices);
    let found: Vec<(Problem, usize)> = faults(&report).iter().map(|f| (f.problem, f.devices.len())).collect();
    assert_eq!(
        found,
        [
            (Problem::NotActivated, 1),
            (Problem::NotActivated, 1),
            (Problem::AddressConflict, 2),
            (Problem::DuplicateSerial, 2),
            (Problem::DuplicateSerial, 2),
            (Problem::OtherSubnet, 2),
        ]
    );
}

#[test]
fn the_most_dangerous_comes_first() {
    let mut report = sample::report();
    report.devices.extend(sample::factory_cameras());
    let problems: Vec<Problem> = faults(&report).iter().map(|fault| fault.problem).collect();
    assert!(problems.is_sorted() && problems[0] == Problem::OpenStream, "{problems:?}");
}
