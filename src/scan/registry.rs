//! One merge rule per fact: findings in, events and devices out. No I/O, no clock.
//!
//! Findings are kept by address. Addresses become one device when two facts say so: the same MAC address together with
//! another address family, endpoint id or serial number. One fact alone is not enough: two cameras of one series have
//! been seen with one endpoint id, and a proxy-ARP router answers for everybody with its own MAC address.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;

use crate::identify;
use crate::model::{
    Device, DeviceState, Evidence, EvidenceSource, Fact, Finding, FindingKind, Kind, LoginAttempts, MacAddr, Method,
    Protocol, ScanEvent, Service, StageError, Stream, StreamStatus, Transport,
};

/// The most a single address can make us keep of each list; more is an attack or a mistake.
const MOST_PER_HOST: usize = 512;

/// A MAC address or endpoint id that more addresses than this share is a router's or a mistake, and identifies nobody.
const MOST_ADDRESSES: usize = 64;

/// All that has been found so far.
#[derive(Debug, Default)]
pub struct Registry {
    hosts: BTreeMap<IpAddr, Host>,
    by_mac: HashMap<MacAddr, BTreeSet<IpAddr>>,
    by_endpoint: HashMap<String, BTreeSet<IpAddr>>,
    /// Whether devices without any sign of video are told too.
    tells_all: bool,
}

#[derive(Debug)]
struct Host {
    mac: Option<MacAddr>,
    mac_is_of_link: bool,
    endpoint: Option<String>,
    further: BTreeSet<IpAddr>,
    methods: BTreeSet<Method>,
    services: Vec<Service>,
    streams: Vec<Stream>,
    evidence: Vec<Evidence>,
    errors: Vec<StageError>,
    logins: Option<LoginAttempts>,
    first_seen: Timestamp,
    last_seen: Timestamp,
    done: bool,
}

impl Registry {
    /// A registry that knows nothing.
    pub fn new() -> Self {
        Registry::default()
    }

    /// The same, telling also of devices without any sign of video when they are done.
    pub fn telling_all(mut self, all: bool) -> Self {
        self.tells_all = all;
        self
    }

    /// Takes in one finding made at `now` and says what changed.
    pub fn apply(&mut self, now: Timestamp, finding: Finding) -> Vec<ScanEvent> {
        let mut events = Vec::new();
        let ip = finding.ip;
        let host = self.hosts.entry(ip).or_insert_with(|| Host::new(now));
        host.last_seen = host.last_seen.max(now);
        let by_link = matches!(finding.kind, FindingKind::Mac(_));
        match finding.kind {
            FindingKind::Seen(method) => {
                if host.methods.is_empty() {
                    events.push(ScanEvent::HostUp { ip, method });
                }
                host.methods.insert(method);
            }
            // What the link shows is not replaced by what a device states.
            FindingKind::StatedMac(_) if host.mac_is_of_link => {}
            FindingKind::Mac(mac) | FindingKind::StatedMac(mac) if mac.is_station() => {
                host.mac_is_of_link = by_link;
                if let Some(old) = host.mac.replace(mac).filter(|old| *old != mac) {
                    forget(&mut self.by_mac, &old, ip);
                }
                self.by_mac.entry(mac).or_default().insert(ip);
            }
            FindingKind::Mac(_) | FindingKind::StatedMac(_) => {}
            FindingKind::EndpointId(id) => {
                if let Some(old) = host.endpoint.replace(id.clone()).filter(|old| *old != id) {
                    forget(&mut self.by_endpoint, &old, ip);
                }
                self.by_endpoint.entry(id).or_default().insert(ip);
            }
            FindingKind::Address(other) => {
                if host.further.len() < MOST_PER_HOST {
                    host.further.insert(other);
                }
            }
            FindingKind::Service(service) => host.merge_service(service),
            FindingKind::Refuses(port) => host.services.retain(|s| (s.transport, s.port) != (Transport::Tcp, port)),
            FindingKind::Evidence(evidence) => push_new(&mut host.evidence, evidence),
            FindingKind::StreamHint(_) => {}
            FindingKind::Stream(stream) => host.merge_stream(*stream),
            FindingKind::LoginAttempts(attempts) => host.logins = Some(attempts),
            FindingKind::Error(error) => push_new(&mut host.errors, error),
            FindingKind::Done => {
                host.done = true;
                events.push(ScanEvent::HostDone { ip });
                events.extend(self.finished_device(ip).map(|d| ScanEvent::DeviceDone(Box::new(d))));
            }
        }
        events
    }

    /// How many addresses answered.
    pub fn hosts_up(&self) -> u64 {
        self.hosts.len() as u64
    }

    /// Whether `ip` has been heard of.
    pub fn knows(&self, ip: IpAddr) -> bool {
        self.hosts.contains_key(&ip)
    }

    /// The addresses about which more was to be said.
    pub fn unfinished(&self) -> Vec<IpAddr> {
        self.hosts.iter().filter(|(_, host)| !host.done).map(|(ip, _)| *ip).collect()
    }

    /// The devices, by address. Those without any sign of video are left out unless `all`.
    pub fn devices(&self, all: bool) -> Vec<Device> {
        let mut told: BTreeSet<IpAddr> = BTreeSet::new();
        let mut devices = Vec::new();
        for &ip in self.hosts.keys() {
            if told.contains(&ip) {
                continue;
            }
            let group = self.group(ip);
            devices.extend(self.device(&group).filter(|d| all || is_reported(d)));
            told.extend(group);
        }
        devices
    }

    /// The device of an address that is done, unless another of its addresses was done before, or it has no video and not
    /// all are told.
    fn finished_device(&self, ip: IpAddr) -> Option<Device> {
        let group = self.group(ip);
        let told = group.iter().any(|other| *other != ip && self.hosts.get(other).is_some_and(|h| h.done));
        if told {
            return None;
        }
        self.device(&group).filter(|device| self.tells_all || is_reported(device))
    }

    /// Whether `ip` is one device with another address.
    pub fn has_other_addresses(&self, ip: IpAddr) -> bool {
        self.group(ip).len() > 1
    }

    /// The addresses that are one device with `ip`, itself included, sorted.
    fn group(&self, ip: IpAddr) -> BTreeSet<IpAddr> {
        let mut group = BTreeSet::from([ip]);
        let mut open = vec![ip];
        while let Some(at) = open.pop() {
            let Some(host) = self.hosts.get(&at) else { continue };
            for other in self.sharing(host) {
                let same = self.hosts.get(other).is_some_and(|o| same_device((at, host), (*other, o)));
                if same && group.insert(*other) {
                    open.push(*other);
                }
            }
        }
        group
    }

    /// The addresses that share a MAC address or an endpoint id with a host.
    fn sharing<'r>(&'r self, host: &'r Host) -> impl Iterator<Item = &'r IpAddr> {
        let by_mac = host.mac.and_then(|m| self.by_mac.get(&m));
        let by_endpoint = host.endpoint.as_ref().and_then(|e| self.by_endpoint.get(e));
        by_mac.into_iter().chain(by_endpoint).filter(|all| all.len() <= MOST_ADDRESSES).flatten()
    }

    fn device(&self, group: &BTreeSet<IpAddr>) -> Option<Device> {
        let hosts: Vec<(IpAddr, &Host)> = group.iter().filter_map(|ip| Some((*ip, self.hosts.get(ip)?))).collect();
        // IPv4 sorts first: the address an operator types.
        let (ip, _) = *hosts.first()?;
        let mac = hosts.iter().find_map(|(_, h)| h.mac);
        let endpoint = hosts.iter().find_map(|(_, h)| h.endpoint.as_ref());
        let only_ours = |all: Option<&BTreeSet<IpAddr>>| all.is_some_and(|all| all.is_subset(group));
        let mut evidence: Vec<Evidence> = Vec::new();
        let mut services: Vec<Service> = Vec::new();
        let mut streams: Vec<Stream> = Vec::new();
        let mut errors: Vec<StageError> = Vec::new();
        let mut addresses: BTreeSet<IpAddr> = BTreeSet::new();
        let mut methods: BTreeSet<Method> = BTreeSet::new();
        for (at, host) in &hosts {
            addresses.insert(*at);
            addresses.extend(host.further.iter().copied());
            methods.extend(&host.methods);
            evidence.extend(host.evidence.iter().cloned());
            errors.extend(host.errors.iter().cloned());
            // The services and streams of a second address are the same ones again.
            if services.is_empty() {
                services.clone_from(&host.services);
            }
            if streams.is_empty() {
                streams.clone_from(&host.streams);
            }
        }
        evidence.extend(streams.iter().filter_map(stream_evidence));
        let filmed = streams.iter().filter(|s| s.video.is_some()).map(|s| s.channel.unwrap_or(1));
        evidence.extend(identify::channels(filmed.collect::<BTreeSet<_>>().len()));
        let verdict = identify::weigh(&evidence);
        services.sort_by_key(|s| (s.port, s.protocol, s.transport));
        streams.sort_by_key(|s| s.channel.unwrap_or(1));
        let word = |fact| verdict.winner(fact).map(str::to_owned);
        Some(Device {
            id: match (mac, endpoint) {
                (Some(mac), _) if only_ours(self.by_mac.get(&mac)) => format!("mac:{mac}"),
                (_, Some(endpoint)) if only_ours(self.by_endpoint.get(endpoint)) => format!("onvif:{endpoint}"),
                _ => format!("ip:{ip}"),
            },
            ip,
            addresses: addresses.into_iter().collect(),
            mac,
            hostname: word(Fact::Hostname),
            name: word(Fact::Name),
            kind: verdict.kind,
            confidence: (verdict.confidence * 100.0).round() / 100.0,
            vendor: verdict.reported_vendor().map(str::to_owned),
            model: word(Fact::Model),
            firmware: word(Fact::Firmware),
            serial: word(Fact::Serial),
            discovered_by: by_name(methods),
            state: DeviceState::Online,
            first_seen: hosts.iter().map(|(_, h)| h.first_seen).min()?,
            last_seen: hosts.iter().map(|(_, h)| h.last_seen).max()?,
            services,
            streams,
            login_attempts: hosts.iter().filter_map(|(_, h)| h.logins).max_by_key(|l| l.counted()),
            evidence: verdict.ranked,
            errors,
        })
    }
}

fn forget<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<IpAddr>>, key: &K, ip: IpAddr) {
    if let Some(all) = index.get_mut(key) {
        all.remove(&ip);
    }
}

impl Host {
    fn new(now: Timestamp) -> Self {
        Host {
            mac: None,
            mac_is_of_link: false,
            endpoint: None,
            further: BTreeSet::new(),
            methods: BTreeSet::new(),
            services: Vec::new(),
            streams: Vec::new(),
            evidence: Vec::new(),
            errors: Vec::new(),
            logins: None,
            first_seen: now,
            last_seen: now,
            done: false,
        }
    }

    fn serial(&self) -> Option<&str> {
        self.evidence.iter().find(|e| e.fact == Fact::Serial).map(|e| e.value.as_str())
    }

    /// The same port and protocol is the same service; the later word wins where it says something.
    fn merge_service(&mut self, new: Service) {
        let Some(known) = self.services.iter_mut().find(|known| known.is_same(&new)) else {
            return push_new(&mut self.services, new);
        };
        known.learn(new);
    }

    /// The same URL is the same stream; the later analysis replaces the earlier one.
    fn merge_stream(&mut self, new: Stream) {
        match self.streams.iter_mut().find(|s| s.url == new.url) {
            Some(known) => *known = new,
            None => push_new(&mut self.streams, new),
        }
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if list.len() < MOST_PER_HOST && !list.contains(&item) {
        list.push(item);
    }
}

fn same_device(a: (IpAddr, &Host), b: (IpAddr, &Host)) -> bool {
    let agree = |x: Option<&str>, y: Option<&str>| x.zip(y).map(|(x, y)| x == y);
    let serial = agree(a.1.serial(), b.1.serial());
    let endpoint = agree(a.1.endpoint.as_deref(), b.1.endpoint.as_deref());
    if serial == Some(false) {
        return false;
    }
    let mac = a.1.mac.zip(b.1.mac).map(|(x, y)| x == y);
    let stated = a.1.further.contains(&b.0) || b.1.further.contains(&a.0);
    match mac {
        Some(false) => false,
        Some(true) => a.0.is_ipv4() != b.0.is_ipv4() || endpoint == Some(true) || serial == Some(true) || stated,
        None => endpoint == Some(true) && (serial == Some(true) || stated),
    }
}

/// A stream that was described or played is the best evidence of a camera; what it is more exactly, others say.
fn stream_evidence(stream: &Stream) -> Option<Evidence> {
    stream.video.as_ref()?;
    let weight = match stream.status {
        StreamStatus::Streaming => 0.9,
        StreamStatus::Described | StreamStatus::NoData => 0.8,
        _ => return None,
    };
    Some(Evidence::new(Fact::Kind, Kind::Camera.as_str(), EvidenceSource::Stream, weight).with_detail(format!(
        "{} {}",
        stream.status.as_str(),
        stream.url
    )))
}

/// Whether a device is told of without being asked for: what films or streams, and an RTSP server of which nothing says
/// what it is. It may be a camera whose stream has a name of its own.
fn is_reported(device: &Device) -> bool {
    let is_rtsp = |s: &Service| matches!(s.protocol, Protocol::Rtsp | Protocol::Rtsps);
    let is_unknown = !device.evidence.iter().any(|e| e.fact == Fact::Kind);
    device.kind != Kind::Other
        || device.streams.iter().any(|s| s.video.is_some())
        || (is_unknown && device.services.iter().any(is_rtsp))
}

/// As a report lists them.
fn by_name(methods: BTreeSet<Method>) -> Vec<Method> {
    let mut methods: Vec<Method> = methods.into_iter().collect();
    methods.sort_unstable_by_key(|method| method.as_str());
    methods
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Header, Method, Protocol, Transport, Video};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn registry(findings: Vec<(IpAddr, FindingKind)>) -> Registry {
        let mut registry = Registry::new();
        for (n, (ip, kind)) in findings.into_iter().enumerate() {
            registry.apply(at(n as i64), Finding::new(ip, kind));
        }
        registry
    }

    fn mac(n: u8) -> FindingKind {
        FindingKind::Mac(MacAddr([0x44, 0x19, 0xb6, 0, 0, n]))
    }

    fn serial(text: &str) -> FindingKind {
        FindingKind::Evidence(Evidence::new(Fact::Serial, text, EvidenceSource::Onvif, 0.95))
    }

    #[test]
    fn a_device_seen_by_three_methods_is_one() {
        let mut r = Registry::new();
        let first = r.apply(at(0), Finding::new(ip(1), FindingKind::Seen(Method::Arp)));
        assert_eq!(first, [ScanEvent::HostUp { ip: ip(1), method: Method::Arp }]);
        for method in [Method::Onvif, Method::Ssdp] {
            assert_eq!(r.apply(at(5), Finding::new(ip(1), FindingKind::Seen(method))), []);
        }
        let devices = r.devices(true);
        assert_eq!(devices.len(), 1);
        assert_eq!(devices[0].discovered_by, [Method::Arp, Method::Onvif, Method::Ssdp]);
        assert_eq!((devices[0].first_seen, devices[0].last_seen), (at(0), at(5)));
    }

    #[test]
    fn two_address_families_on_one_mac_are_one_device() {
        let v6: IpAddr = "fe80::1".parse().unwrap();
        let devices = registry(vec![(v6, mac(1)), (ip(1), mac(1))]).devices(true);
        assert_eq!(devices.len(), 1);
        assert_eq!((devices[0].ip, devices[0].id.as_str()), (ip(1), "mac:44:19:b6:00:00:01"));
        assert_eq!(devices[0].addresses, [ip(1), v6]);
    }

    #[test]
    fn the_same_answer_at_another_time_is_no_further_one() {
        let answer = |status: &str, date: &str| Answer {
            request: "OPTIONS rtsp://192.0.2.1/".into(),
            status: status.into(),
            headers: vec![Header { name: "Date".into(), value: Some(date.into()), withheld: false }],
        };
        let service = |answers| Service { answers, ..Service::new(Protocol::Rtsp, Transport::Tcp, 554) };
        let said = [vec![answer("200", "1")], vec![answer("200", "2"), answer("401", "2")]];
        let devices = registry(said.map(|a| (ip(1), FindingKind::Service(service(a)))).to_vec()).devices(true);
        assert_eq!(devices[0].services[0].answers, [answer("200", "1"), answer("401", "2")]);
    }

    #[test]
    fn a_proxy_arp_router_does_not_merge_what_is_behind_it() {
        let devices = registry(vec![(ip(1), mac(1)), (ip(2), mac(1)), (ip(3), mac(1))]).devices(true);
        let ids: Vec<&str> = devices.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["ip:192.0.2.1", "ip:192.0.2.2", "ip:192.0.2.3"]);
    }

    #[test]
    fn one_endpoint_id_on_two_cameras_stays_two() {
        let id = || FindingKind::EndpointId("a".into());
        let devices = registry(vec![(ip(1), id()), (ip(2), id()), (ip(1), serial("x")), (ip(2), serial("y"))]);
        let ids: Vec<String> = devices.devices(true).into_iter().map(|d| d.id).collect();
        assert_eq!(ids, ["ip:192.0.2.1", "ip:192.0.2.2"]);
    }

    #[test]
    fn one_serial_behind_one_mac_is_one_device() {
        let r = registry(vec![(ip(1), mac(1)), (ip(2), mac(1)), (ip(1), serial("x")), (ip(2), serial("x"))]);
        assert_eq!(r.devices(true).len(), 1);
    }

    #[test]
    fn a_service_grows_and_forgets_nothing() {
        let mut early = Service::new(Protocol::Rtsp, Transport::Tcp, 554);
        early.server = Some("Hipcam RealServer/V1.0".into());
        let mut late = Service::new(Protocol::Rtsp, Transport::Tcp, 554);
        late.auth = Some(vec![]);
        let r = registry(vec![(ip(1), FindingKind::Service(early)), (ip(1), FindingKind::Service(late))]);
        let services = &r.devices(true)[0].services;
        assert_eq!(services.len(), 1);
        assert_eq!(services[0].server.as_deref(), Some("Hipcam RealServer/V1.0"));
        assert_eq!(services[0].auth, Some(vec![]));
    }

    #[test]
    fn a_host_without_video_is_left_out_and_a_stream_makes_a_camera() {
        let mut stream = Stream::new("rtsp://192.0.2.1/", Protocol::Rtsp);
        stream.status = StreamStatus::Streaming;
        stream.video = Some(Video::default());
        let r = registry(vec![(ip(1), FindingKind::Stream(Box::new(stream))), (ip(2), FindingKind::Seen(Method::Arp))]);
        let devices = r.devices(false);
        assert_eq!(devices.len(), 1);
        assert_eq!(devices[0].kind, Kind::Camera);
        assert_eq!(r.devices(true).len(), 2);
        assert_eq!(r.hosts_up(), 2);
    }

    #[test]
    fn four_channels_that_film_make_a_recorder() {
        let streams = (1..=4).map(|channel| {
            let mut stream = Stream::new(format!("rtsp://192.0.2.1/ch{channel}"), Protocol::Rtsp);
            stream.status = StreamStatus::Streaming;
            stream.video = Some(Video::default());
            stream.channel = Some(channel);
            (ip(1), FindingKind::Stream(Box::new(stream)))
        });
        assert_eq!(registry(streams.collect()).devices(false)[0].kind, Kind::Recorder);
    }

    #[test]
    fn what_one_host_says_is_bounded() {
        let r = registry((0..5000).map(|n| (ip(1), serial(&n.to_string()))).collect());
        assert!(r.devices(true)[0].evidence.len() <= MOST_PER_HOST);
    }
}
