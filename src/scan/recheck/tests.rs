use super::same::{is_same, is_same_service, renewed};
use super::*;
use crate::model::{
    Activation, AuthScheme, Fact, Kind, MacAddr, ProbeOptions, Protocol, Video, VideoCodec, Warning, arbitrary,
};
use crate::testkit::net::FakeNet;

const MAC: MacAddr = MacAddr([0x44, 0x19, 0xb6, 0, 0, 1]);

/// A camera with one stream that works.
fn camera() -> Device {
    let mut device = arbitrary::device("192.0.2.10".parse().unwrap());
    let mut stream = Stream::new("rtsp://192.0.2.10:554/live", Protocol::Rtsp);
    stream.status = StreamStatus::Streaming;
    stream.open = Some(true);
    stream.video = Some(Video { codec: Some(VideoCodec::H264), width: Some(640), ..Video::default() });
    device.mac = Some(MAC);
    device.streams = vec![stream];
    device.services = vec![Service::new(Protocol::Rtsp, Transport::Tcp, 554)];
    device
}

fn known(change: impl FnOnce(&mut Device)) -> Device {
    let mut device = camera();
    change(&mut device);
    device
}

fn host(options: ProbeOptions) -> Inspection {
    Inspection::for_test(FakeNet::new(), "192.0.2.10", options).0
}

fn warning(kind: WarningKind) -> Warning {
    Warning { kind, message: String::new(), hint: None, others: Vec::new() }
}

#[test]
fn only_what_was_well_can_be_as_it_was() {
    let usual = ProbeOptions::default();
    assert!(is_worthwhile(&known(|_| {}), &usual));
    let changes: [fn(&mut Device); 9] = [
        |device| device.streams.clear(),
        |device| device.streams[0].status = StreamStatus::NoData,
        |device| device.streams[0].status = StreamStatus::Described,
        |device| device.streams[0].url = "rtsp://192.0.2.10:554/user=admin&password=***".to_owned(),
        |device| device.warnings = vec![warning(WarningKind::ClockWrong)],
        |device| device.warnings = vec![warning(WarningKind::CertificateExpired)],
        |device| device.warnings = vec![warning(WarningKind::NotActivated)],
        |device| device.warnings = vec![warning(WarningKind::AddressConflict)],
        |device| {
            let message = "80: no answer".to_owned();
            device.errors = vec![StageError { stage: Stage::Http, kind: ErrorKind::Timeout, message }];
        },
    ];
    for (n, change) in changes.into_iter().enumerate() {
        assert!(!is_worthwhile(&known(change), &usual), "{n}");
    }
    assert!(is_worthwhile(&known(|device| device.warnings = vec![warning(WarningKind::DynamicAddress)]), &usual));
}

#[test]
fn behind_a_router_there_must_be_something_to_recognise_it_by() {
    let (routed, seen) = (host(ProbeOptions::default()), host(ProbeOptions::default()));
    seen.record.learn(&FindingKind::Mac(MAC));
    assert!(is_recognisable(&seen, &camera()));
    assert!(!is_recognisable(&routed, &camera()));
    let named = known(|device| device.endpoint = Some("uuid".to_owned()));
    assert!(is_recognisable(&routed, &named));
    assert!(is_recognisable(&routed, &known(|device| (device.mac, device.serial) = (None, None))));
    assert!(!is_recognisable(&routed, &known(|d| (d.mac, d.serial) = (None, Some("X1234".to_owned())))));
    let doubled = known(|device| {
        device.endpoint = Some("uuid".to_owned());
        device.warnings = vec![warning(WarningKind::DuplicateEndpoint)];
    });
    assert!(!is_recognisable(&routed, &doubled) && is_recognisable(&seen, &doubled));
    // It has to state it again, and nothing else.
    let stated = |id: &str| {
        let mut now = HostRecord::new();
        now.learn(FindingKind::EndpointId(id.to_owned()));
        now
    };
    assert!(says_the_same(&named, &HostRecord::new(), &routed).is_err());
    assert_eq!(says_the_same(&named, &stated("uuid"), &routed), Ok(()));
    assert!(says_the_same(&named, &stated("other"), &routed).is_err());
    assert!(says_the_same(&named, &stated("other"), &seen).is_err());
    assert_eq!(says_the_same(&named, &HostRecord::new(), &seen), Ok(()));
}

#[test]
fn a_demand_for_a_login_is_worth_a_look_where_none_can_be_given() {
    let locked = |tried| {
        known(|device| {
            device.streams[0].status = StreamStatus::AuthRequired;
            device.streams[0].open = None;
            device.login_attempts = tried;
        })
    };
    let login = crate::model::Credential::new("a", "b");
    let with_login = ProbeOptions { credentials: vec![login], ..ProbeOptions::default() };
    assert!(is_worthwhile(&locked(None), &ProbeOptions::default()));
    assert!(!is_worthwhile(&locked(None), &with_login));
    let refused = crate::model::LoginAttempts { refused: 1, unclear: 0, limit: 2 };
    assert!(!is_worthwhile(&locked(Some(refused)), &ProbeOptions::default()));
}

#[test]
fn what_discovery_hears_is_held_against_what_was_known() {
    let device = known(|device| {
        device.endpoint = Some("uuid".to_owned());
        device.activation = Some(Activation::Activated);
        device.evidence = vec![Evidence::new(Fact::Firmware, "V5.1", EvidenceSource::Beacon, 0.9)];
    });
    let heard = |kind: FindingKind| {
        let host = host(ProbeOptions::default());
        host.record.learn(&kind);
        is_still(&host, &device).is_ok()
    };
    let firmware =
        |value: &str| FindingKind::Evidence(Evidence::new(Fact::Firmware, value, EvidenceSource::Beacon, 0.9));
    assert!(heard(FindingKind::Mac(MAC)) && heard(FindingKind::EndpointId("uuid".to_owned())));
    assert!(heard(firmware("V5.1")) && heard(FindingKind::Activation(Activation::Activated)));
    assert!(heard(FindingKind::Announced(Service::new(Protocol::Rtsp, Transport::Tcp, 554))));
    assert!(!heard(FindingKind::Mac(MacAddr([0x44, 0x19, 0xb6, 0, 0, 2]))));
    assert!(!heard(FindingKind::EndpointId("other".to_owned())));
    assert!(!heard(firmware("V5.2")));
    assert!(!heard(FindingKind::Activation(Activation::NotActivated)));
    assert!(!heard(FindingKind::Announced(Service::new(Protocol::Rtsp, Transport::Tcp, 8554))));
}

#[test]
fn each_open_port_must_be_one_that_was_open() {
    let mut device = camera();
    assert!(are_known(&device, &[554].into()));
    assert!(!are_known(&device, &[554, 80].into()));
    // A port that a maker keeps to itself is known by being open.
    let private = (1..=u16::MAX).find(|port| !identify::ports::evidence(*port, &[]).is_empty()).unwrap();
    assert!(!are_known(&device, &[554, private].into()));
    device.evidence.extend(identify::weigh(&identify::ports::evidence(private, &[])).ranked);
    assert!(are_known(&device, &[554, private].into()));
    assert!(!are_known(&device, &[554].into()), "it was open");
}

#[test]
fn a_stream_is_the_same_with_other_rates_and_no_other_difference() {
    let then = camera().streams.remove(0);
    let with = |change: fn(&mut Stream)| {
        let mut now = then.clone();
        change(&mut now);
        is_same(&then, &now)
    };
    assert!(with(|now| now.video.as_mut().unwrap().measured_fps = Some(12.5)));
    let changes: [fn(&mut Stream); 8] = [
        |now| now.status = StreamStatus::NoData,
        |now| now.open = Some(false),
        |now| now.transport = Transport::Udp,
        |now| now.video.as_mut().unwrap().width = Some(320),
        |now| now.video.as_mut().unwrap().codec = Some(VideoCodec::H265),
        |now| now.video = None,
        |now| now.parameter_sets = Some("other".to_owned()),
        |now| now.audio = Some(crate::model::Audio::default()),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        assert!(!with(change), "{n}");
    }
}

#[test]
fn what_is_measured_is_that_of_now() {
    let mut then = camera().streams.remove(0);
    then.warnings = vec!["30 fps declared, 12.5 came".to_owned(), "the same stream is also at /main".to_owned()];
    let mut now = then.clone();
    now.warnings = vec!["3 of 200 packets were lost".to_owned()];
    now.video.as_mut().unwrap().measured_kbps = Some(512);
    let renewed = renewed(&then, &now);
    assert_eq!(renewed.warnings, ["the same stream is also at /main", "3 of 200 packets were lost"]);
    assert_eq!(renewed.video.unwrap().measured_kbps, Some(512));
}

#[test]
fn a_service_that_opens_or_locks_is_another() {
    let service = |auth: Option<Vec<AuthScheme>>| Service { auth, ..Service::new(Protocol::Rtsp, Transport::Tcp, 554) };
    let digest = || Some(vec![AuthScheme::Digest, AuthScheme::Basic]);
    assert!(is_same_service(&service(digest()), &service(Some(vec![AuthScheme::Digest]))));
    assert!(is_same_service(&service(digest()), &service(None)));
    assert!(!is_same_service(&service(digest()), &service(Some(Vec::new()))));
    assert!(!is_same_service(&service(Some(Vec::new())), &service(digest())));
    let named = Service { server: Some("other".to_owned()), ..service(digest()) };
    assert!(!is_same_service(&service(digest()), &named));
}

#[test]
fn what_a_device_is_does_not_speak_for_what_it_was() {
    let device = camera();
    let kind = Evidence::new(Fact::Kind, Kind::Camera.as_str(), EvidenceSource::RtspServer, 0.6);
    assert!(says_nothing_new(&[kind], &device));
    assert!(!says_nothing_new(&[Evidence::new(Fact::Model, "M2", EvidenceSource::Wsdd, 0.6)], &device));
}
