//! A large site of 10,000 devices: from findings to a report, and the report in every format.
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use camscan::export::{FORMATS, Options, render};
use camscan::identify::signature::{Field, Signatures};
use camscan::model::report::SCHEMA;
use camscan::model::{
    Evidence, EvidenceSource, Fact, Finding, FindingKind, MacAddr, Method, Protocol, Report, ScanInfo, ScanStatus,
    Service, Stream, StreamStatus, Transport, Video, VideoCodec,
};
use camscan::scan::registry::Registry;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;

const DEVICES: u32 = 10_000;

/// All that is found of one camera.
fn findings_of(number: u32) -> Vec<Finding> {
    let v4 = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number);
    let mut service = Service::new(Protocol::Rtsp, Transport::Tcp, 554);
    service.server = Some("Rtsp Server".to_owned());
    let mut stream = Stream::new(format!("rtsp://{v4}:554/Streaming/Channels/101"), Protocol::Rtsp);
    stream.status = StreamStatus::Described;
    stream.video = Some(Video {
        codec: Some(VideoCodec::H264),
        width: Some(1920),
        height: Some(1080),
        fps: Some(25.0),
        ..Video::default()
    });
    let [_, b, c, d] = v4.octets();
    let kinds = [
        FindingKind::Seen(Method::Arp),
        FindingKind::Mac(MacAddr([0x44, 0x19, 0xb6, b, c, d])),
        FindingKind::Evidence(Evidence::new(Fact::Vendor, "Hikvision", EvidenceSource::Oui, 0.7)),
        FindingKind::Evidence(Evidence::new(Fact::Model, "DS-2CD2042WD-I", EvidenceSource::Onvif, 0.95)),
        FindingKind::Evidence(Evidence::new(Fact::Kind, "camera", EvidenceSource::Onvif, 0.9)),
        FindingKind::Service(service),
        FindingKind::Stream(Box::new(stream)),
        FindingKind::Done,
    ];
    kinds.map(|kind| Finding::new(IpAddr::V4(v4), kind)).into()
}

fn registry_of(findings: Vec<Finding>) -> Registry {
    let mut registry = Registry::new(false);
    for finding in findings {
        black_box(registry.apply(Timestamp::UNIX_EPOCH, finding));
    }
    registry
}

fn report() -> Report {
    let scan = ScanInfo {
        camscan_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        duration_ms: 0,
        status: ScanStatus::Complete,
        targets: vec!["10.0.0.0/18".to_owned()],
        asked: vec!["10.0.0.1-10.0.63.254".to_owned()],
        addresses: 16_384,
        hosts_up: u64::from(DEVICES),
        methods: vec![camscan::model::Method::Arp],
        coverage: None,
    };
    let devices = registry_of((1..=DEVICES).flat_map(findings_of).collect()).devices();
    assert_eq!(devices.len(), DEVICES as usize);
    Report { schema: SCHEMA.to_owned(), scan, devices, warnings: vec![] }
}

fn registry(criterion: &mut Criterion) {
    let findings: Vec<Finding> = (1..=DEVICES).flat_map(findings_of).collect();
    let mut group = criterion.benchmark_group("10,000 devices");
    group.sample_size(10).throughput(Throughput::Elements(findings.len() as u64));
    group.bench_function("findings into the registry", |bencher| {
        bencher.iter_batched(|| findings.clone(), registry_of, BatchSize::LargeInput);
    });
    let registry = registry_of(findings);
    group.throughput(Throughput::Elements(u64::from(DEVICES)));
    group.bench_function("the registry's devices", |bencher| bencher.iter(|| registry.devices()));
    group.finish();
}

fn exports(criterion: &mut Criterion) {
    let report = report();
    let mut group = criterion.benchmark_group("10,000 devices");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(DEVICES)));
    for format in FORMATS.iter() {
        group.bench_function(format!("as {}", format.name), |bencher| {
            bencher.iter(|| render(format, &Options::default(), black_box(&report)).unwrap());
        });
    }
    group.finish();
}

fn signatures(criterion: &mut Criterion) {
    let signatures = Signatures::builtin();
    let mut group = criterion.benchmark_group("signatures");
    for (name, field, text) in [
        ("a realm that tells", Field::Realm, "IP Camera(12345)"),
        ("a server that tells nothing", Field::HttpServer, "nginx/1.18.0 (Ubuntu)"),
        ("a page of 16 KiB that tells nothing", Field::HttpBody, &"<p>lorem ipsum dolor</p>".repeat(683)),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| signatures.evidence(field, black_box(text))));
    }
    group.finish();
}

criterion_group!(benches, registry, exports, signatures);
criterion_main!(benches);
