//! The device that the records of its addresses add up to.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::identify;
use crate::identify::site::{Told, is_clock_wrong};
use crate::model::{
    Channel, Device, DeviceState, Evidence, EvidenceSource, Fact, HostRecord, Kind, LoginAttempts, Method, Protocol,
    Service, StageError, Stream, StreamStatus,
};

/// The device that is reached at `ip` and has these hosts, sorted by address. `seen` is when it was first and last seen.
pub(super) fn of_hosts(
    ip: IpAddr,
    id: String,
    hosts: &[(IpAddr, &HostRecord)],
    seen: (Timestamp, Timestamp),
) -> (Device, Told) {
    let records = || hosts.iter().map(|(_, record)| *record);
    let mut services: Vec<Service> = first_filled(records().map(HostRecord::services));
    services.sort_by_key(|s| (s.port, s.protocol, s.transport));
    let mut streams: Vec<Stream> = first_filled(records().map(|r| r.streams().to_vec()));
    streams.sort_by_cached_key(place_in_report);
    let mut channels: Vec<Channel> = first_filled(records().map(|r| r.channels().to_vec()));
    channels.sort_by_key(|channel| channel.number);
    let verdict = identify::weigh(&evidence(hosts, &streams));
    let winner = |fact| verdict.winner(fact).map(str::to_owned);
    let addresses: BTreeSet<IpAddr> =
        hosts.iter().flat_map(|(ip, record)| record.addresses().iter().chain([ip])).copied().collect();
    let methods: BTreeSet<Method> = records().flat_map(HostRecord::methods).copied().collect();
    let errors: BTreeSet<&StageError> = records().flat_map(HostRecord::errors).collect();
    let network = records().map(HostRecord::network).find(|network| !network.is_empty());
    let told = Told {
        endpoint_id: records().find_map(HostRecord::endpoint_id).map(str::to_owned),
        clock: records().filter_map(HostRecord::clock).min_by_key(|ahead| ahead.unsigned_abs()),
        certificate_end: records().filter_map(HostRecord::certificate_end).min(),
    };
    let device = Device {
        id,
        uid: None,
        ip,
        addresses: addresses.into_iter().collect(),
        mac: records().find_map(HostRecord::mac),
        link_mac: hosts.iter().find(|(own, _)| *own == ip).and_then(|(_, record)| record.own_link_mac()),
        hostname: winner(Fact::Hostname),
        name: winner(Fact::Name),
        site: None,
        tags: Vec::new(),
        kind: verdict.kind,
        confidence: (verdict.confidence * 100.0).round() / 100.0,
        vendor: verdict.reported_vendor().map(str::to_owned),
        model: winner(Fact::Model),
        firmware: winner(Fact::Firmware),
        serial: winner(Fact::Serial),
        endpoint: told.endpoint_id.clone(),
        certificate_ends: told.certificate_end,
        clock_ahead_s: told.clock.filter(|ahead| is_clock_wrong(*ahead)),
        discovered_by: by_name(methods),
        state: DeviceState::Online,
        first_seen: seen.0,
        last_seen: seen.1,
        analysed_at: records().find_map(HostRecord::analysed_at),
        services,
        streams,
        channels,
        shown_by: Vec::new(),
        login_attempts: records().filter_map(HostRecord::login_attempts).reduce(LoginAttempts::beside),
        offers_digest: records().any(HostRecord::offers_digest),
        evidence: verdict.ranked,
        errors: errors.into_iter().cloned().collect(),
        reach: None,
        heard_on: None,
        activation: records().filter_map(HostRecord::activation).min(),
        network,
        warnings: Vec::new(),
    };
    (device, told)
}

/// As a report lists them.
fn by_name(methods: BTreeSet<Method>) -> Vec<Method> {
    let mut methods: Vec<Method> = methods.into_iter().collect();
    methods.sort_unstable_by_key(|method| method.as_str());
    methods
}

/// The first list with anything in it: the services, streams and channels of a second address are the same ones again.
fn first_filled<T>(mut lists: impl Iterator<Item = Vec<T>>) -> Vec<T> {
    lists.find(|list| !list.is_empty()).unwrap_or_default()
}

/// Streams stand by channel, then by protocol; the largest picture of a channel comes first, which is its main stream.
fn place_in_report(stream: &Stream) -> (u32, Protocol, Reverse<u64>, String) {
    let size = stream.video.as_ref().and_then(|v| v.width.zip(v.height));
    let pixels = size.map_or(0, |(width, height)| u64::from(width) * u64::from(height));
    (stream.channel.unwrap_or(1), stream.protocol, Reverse(pixels), stream.url.clone())
}

/// What all addresses have as evidence, and what the streams themselves are evidence of.
fn evidence(hosts: &[(IpAddr, &HostRecord)], streams: &[Stream]) -> Vec<Evidence> {
    let mut all: Vec<Evidence> = hosts.iter().flat_map(|(_, record)| record.evidence()).cloned().collect();
    all.extend(streams.iter().filter_map(stream_evidence));
    let channels: BTreeSet<u32> =
        streams.iter().filter(|s| s.video.is_some()).map(|s| s.channel.unwrap_or(1)).collect();
    all.extend(identify::channels(channels.len()));
    all
}

/// A stream that was described or played is the best evidence of a camera; what it is more exactly, others say.
fn stream_evidence(stream: &Stream) -> Option<Evidence> {
    stream.video.as_ref()?;
    let weight = match stream.status {
        StreamStatus::Streaming => 0.9,
        StreamStatus::Described | StreamStatus::NoData => 0.8,
        _ => return None,
    };
    let detail = format!("{} {}", stream.status.as_str(), stream.url);
    Some(Evidence::new(Fact::Kind, Kind::Camera.as_str(), EvidenceSource::Stream, weight).with_detail(detail))
}

/// Whether a device is reported unasked: what films or streams, and an RTSP server of which nothing says what it is. It may
/// be a camera whose stream has a name of its own.
pub(super) fn is_reported(device: &Device) -> bool {
    let is_rtsp = |s: &Service| matches!(s.protocol, Protocol::Rtsp | Protocol::Rtsps);
    let is_unknown = !device.evidence.iter().any(|e| e.fact == Fact::Kind);
    device.kind != Kind::Other
        || device.activation.is_some()
        || device.streams.iter().any(|s| s.video.is_some())
        || (is_unknown && device.services.iter().any(is_rtsp))
}
