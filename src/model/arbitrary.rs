//! Findings of every kind for property tests. Values come from small pools, so that findings meet, agree and contradict.

use std::net::IpAddr;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use super::finding::StreamHint;
use super::{
    Activation, Answer, Audio, AuthScheme, Channel, Device, DeviceState, ErrorKind, Evidence, EvidenceSource, Fact,
    Finding, FindingKind, Kind, LadderStep, LoginAttempts, MacAddr, Method, NetworkSettings, Protocol, ScanEvent,
    Service, Stage, StageError, Step, Stream, StreamError, StreamSource, StreamStatus, Transport, Video, VideoCodec,
};

/// One of a few addresses of both families.
pub fn ip() -> impl Strategy<Value = IpAddr> {
    select(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "fe80::1", "fe80::2"][..]).prop_map(|ip| ip.parse().unwrap())
}

/// A finding about one of these addresses, stated by one of a few hosts or by an unnamed one.
pub fn finding() -> impl Strategy<Value = Finding> {
    (ip(), maybe(mac()), kind()).prop_map(|(ip, claimant, kind)| Finding::new(ip, kind).by(claimant))
}

fn network() -> impl Strategy<Value = NetworkSettings> {
    let mask = maybe(select(&[[255, 255, 255, 0], [255, 255, 0, 0]][..]));
    (mask, maybe(any::<bool>())).prop_map(|(mask, dhcp)| NetworkSettings::stated(mask.map(Into::into), None, dhcp))
}

/// An event of a scan.
pub fn event() -> impl Strategy<Value = ScanEvent> {
    prop_oneof![
        any::<u64>().prop_map(|addresses| ScanEvent::SweepStarted { addresses }),
        any::<u64>().prop_map(|addresses| ScanEvent::Swept { addresses }),
        (ip(), select(&Method::ALL[..])).prop_map(|(ip, method)| ScanEvent::HostUp { ip, method }),
        ip().prop_map(|ip| ScanEvent::HostStarted { ip }),
        ip().prop_map(|ip| ScanEvent::HostDone { ip }),
        (ip(), prop::collection::vec(stream(), 0..3))
            .prop_map(|(ip, streams)| { ScanEvent::DeviceDone(Box::new(Device { streams, ..device(ip) })) }),
        word().prop_map(ScanEvent::Warning),
    ]
}

/// A camera of which nothing but the address is known.
pub fn device(ip: IpAddr) -> Device {
    Device {
        id: format!("ip:{ip}"),
        uid: None,
        ip,
        addresses: vec![ip],
        mac: None,
        link_mac: None,
        hostname: None,
        name: None,
        site: None,
        tags: Vec::new(),
        kind: Kind::Camera,
        confidence: 0.9,
        vendor: None,
        model: None,
        firmware: None,
        serial: None,
        endpoint: None,
        certificate_ends: None,
        clock_ahead_s: None,
        discovered_by: Vec::new(),
        state: DeviceState::Online,
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        analysed_at: None,
        services: Vec::new(),
        streams: Vec::new(),
        channels: Vec::new(),
        shown_by: Vec::new(),
        login_attempts: None,
        offers_digest: false,
        evidence: Vec::new(),
        errors: Vec::new(),
        reach: None,
        heard_on: None,
        activation: None,
        network: None,
        warnings: Vec::new(),
    }
}

/// What a finding can say.
pub fn kind() -> impl Strategy<Value = FindingKind> {
    prop_oneof![
        select(&Method::ALL[..]).prop_map(FindingKind::Seen),
        mac().prop_map(FindingKind::Mac),
        mac().prop_map(FindingKind::StatedMac),
        word().prop_map(FindingKind::EndpointId),
        ip().prop_map(FindingKind::Address),
        network().prop_map(FindingKind::Network),
        select(&Activation::ALL[..]).prop_map(FindingKind::Activation),
        select(&["eth0", "eth1"][..]).prop_map(|name| FindingKind::HeardOn(name.to_owned())),
        select(&[-400i64, 0, 3, 400][..]).prop_map(FindingKind::Clock),
        (0..3i64).prop_map(|s| FindingKind::CertificateEnd(Timestamp::from_second(s).unwrap())),
        (0..3i64).prop_map(|s| FindingKind::AnalysedAt(Timestamp::from_second(s).unwrap())),
        service().prop_map(FindingKind::Service),
        service().prop_map(FindingKind::Announced),
        port().prop_map(FindingKind::Refuses),
        evidence().prop_map(FindingKind::Evidence),
        hint().prop_map(FindingKind::StreamHint),
        stream().prop_map(|stream| FindingKind::Stream(Box::new(stream))),
        channel().prop_map(|channel| FindingKind::Channel(Box::new(channel))),
        (0..3u32, 0..3u32).prop_map(|(refused, unclear)| {
            FindingKind::LoginAttempts(LoginAttempts { refused, unclear, limit: 2 })
        }),
        Just(FindingKind::OffersDigest),
        stage_error().prop_map(FindingKind::Error),
        Just(FindingKind::Done),
    ]
}

/// A MAC address; one of them is none a station can have.
fn mac() -> impl Strategy<Value = MacAddr> {
    select(&[[0x44, 0x19, 0xb6, 0, 0, 1], [0x44, 0x19, 0xb6, 0, 0, 2], [0xff; 6]][..]).prop_map(MacAddr)
}

fn word() -> impl Strategy<Value = String> {
    select(&["a", "bb", "cc", "Hikvision", "Dahua", "camera", "recorder"][..]).prop_map(str::to_owned)
}

fn port() -> impl Strategy<Value = u16> {
    select(&[80u16, 554, 8554][..])
}

fn service() -> impl Strategy<Value = Service> {
    let auth = prop::collection::vec(select(&[AuthScheme::Digest, AuthScheme::Basic, AuthScheme::Other][..]), 0..3);
    let texts = (maybe(word()), maybe(word()), maybe(word()), maybe(word()));
    (
        select(&[Protocol::Rtsp, Protocol::Http][..]),
        select(&[Transport::Tcp, Transport::Udp][..]),
        port(),
        maybe(auth),
        texts,
        prop::collection::vec(word(), 0..3),
        prop::collection::vec(answer(), 0..3),
    )
        .prop_map(|(protocol, transport, port, auth, (url, server, title, realm), notes, answers)| Service {
            url,
            auth,
            server,
            title,
            realm,
            notes,
            answers,
            ..Service::new(protocol, transport, port)
        })
}

fn answer() -> impl Strategy<Value = Answer> {
    (word(), word()).prop_map(|(request, status)| Answer { request, status, headers: Vec::new() })
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let facts = [Fact::Vendor, Fact::Model, Fact::Serial, Fact::Kind, Fact::Hostname];
    let sources = [EvidenceSource::Onvif, EvidenceSource::Oui, EvidenceSource::HttpPage];
    (select(facts.to_vec()), word(), select(sources.to_vec()), select(vec![0.3, 0.5, 0.9]), maybe(word())).prop_map(
        |(fact, value, source, weight, detail)| Evidence { detail, ..Evidence::new(fact, value, source, weight) },
    )
}

fn hint() -> impl Strategy<Value = StreamHint> {
    (url(), maybe(1..4u32), maybe(word()), maybe(video()), any::<bool>()).prop_map(
        |(url, channel, profile_name, video, is_asked_for)| StreamHint {
            channel,
            profile_name,
            video,
            is_asked_for,
            ..StreamHint::new(url)
        },
    )
}

fn url() -> impl Strategy<Value = String> {
    select(&["rtsp://192.0.2.1/1", "rtsp://192.0.2.1/2", "http://192.0.2.1/x"][..]).prop_map(str::to_owned)
}

fn video() -> impl Strategy<Value = Video> {
    let size = select(&[(Some(1920), Some(1080)), (Some(640), Some(360)), (None, None)][..]);
    (size, maybe(select(&[VideoCodec::H264, VideoCodec::H265][..])), maybe(select(&[12.5, 25.0][..])))
        .prop_map(|((width, height), codec, fps)| Video { codec, width, height, fps, ..Video::default() })
}

/// A stream at any stage of its analysis.
pub fn stream() -> impl Strategy<Value = Stream> {
    let statuses = [
        StreamStatus::Streaming,
        StreamStatus::Described,
        StreamStatus::AuthRequired,
        StreamStatus::NotFound,
        StreamStatus::NoData,
        StreamStatus::Error,
    ];
    let steps = [Step::Tcp, Step::Rtsp, Step::Described, Step::Setup, Step::Rtp, Step::Keyframe];
    (
        url(),
        select(&[Protocol::Rtsp, Protocol::Http][..]),
        (maybe(1..4u32), maybe(any::<bool>()), maybe(word()), maybe(word())),
        select(statuses.to_vec()),
        maybe(video()),
        (0..=steps.len(), select(&[0.25, 1.5][..])),
        (prop::collection::vec(word(), 0..2), maybe(stream_error())),
    )
        .prop_map(
            move |(
                url,
                protocol,
                (channel, open, snapshot, parameter_sets),
                status,
                video,
                (taken, ms),
                (warnings, error),
            )| Stream {
                channel,
                open,
                snapshot,
                parameter_sets,
                status,
                audio: video.as_ref().map(|_| Audio::default()),
                sources: video.as_ref().map(|_| StreamSource::Sdp).into_iter().collect(),
                video,
                ladder: steps.iter().take(taken).map(|&step| LadderStep { step, ok: true, ms, way: None }).collect(),
                warnings,
                error,
                ..Stream::new(url, protocol)
            },
        )
}

/// A channel as a recorder lists it.
pub fn channel() -> impl Strategy<Value = Channel> {
    let serial = select(&["DS-2CD2042WD0001", "DS-2CD2042WD0002"][..]).prop_map(str::to_owned);
    (1..4u32, maybe(word()), maybe(ip()), maybe(mac()), maybe(serial), maybe(word()), maybe(any::<bool>())).prop_map(
        |(number, name, address, mac, serial, model, online)| Channel {
            name,
            address,
            mac,
            serial,
            model,
            online,
            ..Channel::new(number)
        },
    )
}

fn stream_error() -> impl Strategy<Value = StreamError> {
    (error_kind(), word()).prop_map(|(kind, message)| StreamError { kind, message })
}

fn stage_error() -> impl Strategy<Value = StageError> {
    (select(&Stage::ALL[..]), error_kind(), word()).prop_map(|(stage, kind, message)| StageError {
        stage,
        kind,
        message,
    })
}

fn error_kind() -> impl Strategy<Value = ErrorKind> {
    select(&[ErrorKind::Timeout, ErrorKind::Refused, ErrorKind::Busy][..])
}

fn maybe<S: Strategy>(of: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::of(of)
}
