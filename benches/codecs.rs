//! How fast the pure readers are on what devices really send: RTSP, SDP, XML, the discovery protocols, parameter sets.
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use camscan::media::assemble::{AccessUnit, Assembler};
use camscan::media::fmp4::{Sample, fragment};
use camscan::media::format::{Format, VideoFormat};
use camscan::media::h264::Sps;
use camscan::media::order::Ordered;
use camscan::media::packetize::packetize;
use camscan::model::VideoCodec;
use camscan::protocol::mdns::wire as mdns;
use camscan::protocol::rtsp::sdp::Session;
use camscan::protocol::rtsp::wire::{Decoder, Item, Next};
use camscan::protocol::{onvif, ssdp, wsdd};
use camscan::wire::xml;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn recorded(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Measures one reader on one input, after making sure that it understands it.
fn on(criterion: &mut Criterion, name: &str, input: &[u8], reads: impl Fn(&[u8]) -> bool) {
    assert!(reads(input), "{name} is not understood");
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Bytes(input.len() as u64));
    group.bench_function(name, |bencher| bencher.iter(|| reads(black_box(input))));
    group.finish();
}

/// Reads one answer and gives its body.
fn answer(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::default();
    decoder.buffer.extend_from_slice(bytes);
    match decoder.finish(true) {
        Next::Item(Item::Response(response)) => Some(response.body.to_vec()),
        _ => None,
    }
}

fn rtsp(criterion: &mut Criterion) {
    let described = recorded("rtsp_describe/content_length_lower_case.txt");
    on(criterion, "an RTSP answer", &described, |bytes| answer(bytes).is_some());
    let sdp = answer(&described).unwrap();
    on(criterion, "an SDP", &sdp, |bytes| Session::parse(bytes).is_some_and(|s| s.video().is_some()));
}

fn discovery(criterion: &mut Criterion) {
    let found = recorded("onvif/probe_no_to.xml");
    on(criterion, "a WS-Discovery answer", &found, |bytes| !wsdd::wire::parse(bytes).is_empty());
    let told = recorded("onvif/info_default_namespace.xml");
    on(criterion, "an ONVIF answer as XML", &told, |bytes| xml::read(bytes).find("Body").is_some());
    on(criterion, "an ONVIF answer with its meaning", &told, |bytes| {
        let document = xml::read(bytes);
        document.find("Body").is_some_and(|body| onvif::wire::device_information(body).model.is_some())
    });
    let location =
        b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nLOCATION: http://192.0.2.5:49152/d.xml\r\n\
        SERVER: Linux/4.9 UPnP/1.0 camera/1.0\r\nST: upnp:rootdevice\r\nUSN: uuid:2f402f80::upnp:rootdevice\r\n\r\n";
    on(criterion, "an SSDP answer", location, |bytes| ssdp::wire::parse(bytes).is_some());
    let announced = mdns::emit(&announcement());
    on(criterion, "an mDNS answer", &announced, |bytes| mdns::parse(bytes).is_some_and(|m| m.records.len() == 4));
}

fn announcement() -> mdns::Message {
    let service = mdns::Name::of("_axis-video._tcp.local");
    let instance = mdns::Name::of("AXIS M3045-V - ACCC8E000001._axis-video._tcp.local");
    let host = mdns::Name::of("axis-accc8e000001.local");
    let txt = vec![b"macaddress=ACCC8E000001".to_vec()];
    let record = |name: &mdns::Name, data| mdns::Record { name: name.clone(), data };
    mdns::Message {
        response: true,
        questions: vec![],
        records: vec![
            record(&service, mdns::Data::Ptr(instance.clone())),
            record(&instance, mdns::Data::Srv { port: 80, target: host.clone() }),
            record(&instance, mdns::Data::Txt(txt)),
            record(&host, mdns::Data::A(Ipv4Addr::new(192, 0, 2, 5))),
        ],
    }
}

fn media(criterion: &mut Criterion) {
    let clip = recorded("media/camera_h264_1280x720_25fps.h264");
    let sps = clip.get(..64).unwrap();
    on(criterion, "an H.264 parameter set", sps, |bytes| Sps::parse(bytes).is_some());
}

/// One second of a camera of 4 Mbit/s and 25 frames, as live view takes it in and sends it out.
fn live(criterion: &mut Criterion) {
    let sets = [vec![0x67, 66, 0, 31, 0xf4], vec![0x68, 0xce, 0x3c, 0x80]];
    let format = Format::Video(VideoFormat { codec: VideoCodec::H264, sets: Vec::new(), size: None });
    let frame = |n: u32| {
        let (header, length) = if n == 0 { (0x65, 100_000) } else { (0x41, 16_000) };
        [&[header, 0x88, 0x84][..], &(0..length).map(|at| (at * 7 % 251 + 1) as u8).collect::<Vec<_>>()].concat()
    };
    let frames: Vec<Bytes> = (0..25).map(|n| frame(n).into()).collect();
    let mut packets = Vec::new();
    for (n, frame) in (0u32..).zip(&frames) {
        let payloads = packetize(&format, std::slice::from_ref(frame));
        for (place, payload) in payloads.iter().enumerate() {
            let kind = if place + 1 == payloads.len() { 0xe0 } else { 0x60 };
            let packet = [&[0x80, kind, 0, 0][..], &(n * 3600).to_be_bytes(), &[0, 0, 0, 1], payload].concat();
            packets.push(Ordered { bytes: packet.into(), arrived: Duration::ZERO, lost: 0 });
        }
    }
    let mut group = criterion.benchmark_group("live");
    group.throughput(Throughput::Bytes(frames.iter().map(|frame| frame.len() as u64).sum()));
    let assemble = || {
        let mut assembler = Assembler::video(VideoCodec::H264, &sets);
        let mut units = Vec::new();
        for packet in &packets {
            assembler.push(black_box(packet));
            units.extend(std::iter::from_fn(|| assembler.pop()));
        }
        units
    };
    let units = assemble();
    assert_eq!(units.len(), 25);
    group.bench_function("assemble a second of H.264", |bencher| bencher.iter(assemble));
    group.bench_function("packetise it", |bencher| {
        bencher.iter(|| units.iter().map(|unit| packetize(&unit.format, black_box(&unit.parts)).len()).sum::<usize>());
    });
    group.bench_function("make MP4 fragments of it", |bencher| {
        let sample = |unit: &AccessUnit| {
            let (time, parts) = (u64::from(unit.timestamp), &unit.parts);
            let sample = Sample { sequence: 1, decode90: time, shown90: time, duration90: 3600, key: unit.key, parts };
            fragment(&unit.format, &sample).len()
        };
        bencher.iter(|| units.iter().map(|unit| sample(black_box(unit))).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, rtsp, discovery, media, live);
criterion_main!(benches);
