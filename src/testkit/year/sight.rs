//! What a scan or a check sees of the cameras.

use ipnetwork::IpNetwork;

use super::at;
use super::world::{Camera, PATHS, Trait, What, World};
use crate::history::memory::{Sight, Vantage};
use crate::model::memory::{Around, Gateway};
use crate::model::{
    Device, DeviceState, ErrorKind, Kind, LadderStep, MacAddr, Method, Protocol, Report, ScanInfo, ScanStatus, ShownBy,
    Step, Stream, StreamError, StreamStatus, Video,
};

impl World {
    /// What this machine can see of a network.
    pub fn vantage(&self, network: usize, now: i64) -> Vantage {
        if self.is_blind(now) {
            return Vantage::Blind;
        }
        let ip = [10, 0, u8::try_from(network).unwrap_or_default(), 254].into();
        let is_all_down = self.down.iter().any(|down| down.is_all && down.is_now(network, now));
        let around = Around { gateway: Some(Gateway { ip, is_on_way: false, answers: !is_all_down }), hosts: 0 };
        if is_all_down { Vantage::Silent(around) } else { Vantage::Clear(around) }
    }

    /// The same of all networks, for a scan.
    pub fn sight(&self, now: i64) -> Sight {
        let of = |(n, network): (usize, IpNetwork)| (network, self.vantage(n, now));
        let network = |n: usize| IpNetwork::new([10, 0, u8::try_from(n).ok()?, 0].into(), 24).ok();
        let networks = (0..self.given.len()).filter_map(|n| Some((n, network(n)?)));
        Sight::new(networks.map(of).collect())
    }

    /// The network that a camera is on.
    pub fn network_of(&self, n: usize) -> usize {
        self.cameras.get(n).map_or(0, |camera| camera.network)
    }

    /// What a scan sees, and which camera each device of it is.
    pub fn report(&mut self, now: i64, sees_macs: bool) -> (Report, Vec<usize>) {
        let mut found: Vec<(Device, usize)> = Vec::new();
        if !self.is_blind(now) {
            for n in 0..self.cameras.len() {
                if self.is_up(n, now) {
                    found.push((self.device(n, now, sees_macs), n));
                }
            }
        }
        self.rng.shuffle(&mut found);
        let networks = 0..self.given.len();
        let seen = if sees_macs { vec![Method::Arp, Method::Tcp] } else { vec![Method::Tcp] };
        let (devices, cameras) = found.into_iter().unzip();
        let scan = ScanInfo {
            camscan_version: "0.1.0".to_owned(),
            started_at: at(now),
            finished_at: at(now),
            duration_ms: 0,
            status: ScanStatus::Complete,
            targets: Vec::new(),
            asked: networks.map(|n| format!("10.0.{n}.1-10.0.{n}.254")).collect(),
            addresses: 0,
            hosts_up: 0,
            methods: seen,
            coverage: None,
        };
        let report = Report { schema: "camscan/1".to_owned(), scan, devices, warnings: Vec::new() };
        (report, cameras)
    }

    fn device(&mut self, n: usize, now: i64, sees_macs: bool) -> Device {
        let recorder = self.cameras.get(n).and_then(|camera| camera.parent).filter(|parent| self.is_up(*parent, now));
        let shown_by = recorder.and_then(|parent| Some((self.id(parent, sees_macs)?, self.cameras.get(parent)?.ip)));
        let streams = PATHS.map(|path| self.stream(n, path, now)).to_vec();
        let (id, mac) = (self.id(n, sees_macs).unwrap_or_default(), self.mac(n));
        let identity = |camera: &Camera| match camera.of {
            Trait::Plain | Trait::Twin => (Some(format!("SN-{n:05}-A")), Some(format!("uuid-{n:05}"))),
            Trait::Clone => {
                (Some(format!("CLONED-{:05}", camera.batch)), Some(format!("uuid-cloned-{}", camera.batch)))
            }
            Trait::MacOnly => (None, None),
            Trait::Nameless => (Some("SerialNumber".to_owned()), None),
        };
        let camera = self.cameras.get(n);
        let ip = camera.map_or([10, 0, 0, 0].into(), |camera| camera.air.unwrap_or(camera.ip));
        let (serial, endpoint) = camera.map_or((None, None), identity);
        let is_recorder = camera.is_some_and(|camera| camera.is_recorder);
        Device {
            id,
            uid: None,
            ip,
            addresses: vec![ip],
            mac: mac.filter(|_| sees_macs),
            link_mac: mac.filter(|_| sees_macs),
            hostname: None,
            name: None,
            site: None,
            tags: Vec::new(),
            kind: if is_recorder { Kind::Recorder } else { Kind::Camera },
            confidence: 0.9,
            vendor: Some("Hikvision".to_owned()),
            model: Some("DS-2CD2042WD-I".to_owned()),
            firmware: camera.map(|camera| format!("V5.{}", camera.firmware)),
            serial,
            endpoint,
            certificate_ends: None,
            clock_ahead_s: None,
            discovered_by: if sees_macs { vec![Method::Arp, Method::Tcp] } else { vec![Method::Tcp] },
            state: DeviceState::Online,
            first_seen: at(now),
            last_seen: at(now),
            analysed_at: None,
            services: Vec::new(),
            streams,
            channels: Vec::new(),
            shown_by: shown_by.into_iter().map(|(recorder, ip)| ShownBy { recorder, ip, channel: 1 }).collect(),
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

    fn mac(&self, n: usize) -> Option<MacAddr> {
        let camera = self.cameras.get(n)?;
        let [a, b] = u16::try_from(n).unwrap_or_default().to_be_bytes();
        Some(MacAddr(match camera.of {
            Trait::Nameless => [0x02, u8::try_from(camera.starts % 256).unwrap_or_default(), 0, 0, a, b],
            _ if camera.air.is_some() => [0x00, 0x12, 0x17, 0, a, b],
            _ => [0x44, 0x19, 0xb6, 0, a, b],
        }))
    }

    fn id(&self, n: usize, sees_macs: bool) -> Option<String> {
        let camera = self.cameras.get(n)?;
        let mac = self.mac(n).filter(|_| sees_macs);
        Some(mac.map_or_else(|| format!("ip:{}", camera.air.unwrap_or(camera.ip)), |mac| format!("mac:{mac}")))
    }

    /// What comes of playing a stream.
    pub fn played(&mut self, n: usize, key: &str, now: i64) -> Stream {
        let path = PATHS.into_iter().find(|path| key.ends_with(path)).unwrap_or_default();
        if self.is_up(n, now) {
            return self.stream(n, path, now);
        }
        let mut stream = self.stream(n, path, now);
        (stream.status, stream.video) = (StreamStatus::Error, None);
        stream.ladder = vec![LadderStep { step: Step::Tcp, ok: false, ms: 1500.0, way: None }];
        stream.error = Some(StreamError { kind: ErrorKind::Timeout, message: "no answer in 1.5 s".to_owned() });
        stream
    }

    fn stream(&mut self, n: usize, path: &str, now: i64) -> Stream {
        let ip = self.cameras.get(n).map_or([10, 0, 0, 0].into(), |camera| camera.air.unwrap_or(camera.ip));
        let mut stream = Stream::new(format!("rtsp://{ip}:554{path}"), Protocol::Rtsp);
        stream.open = Some(false);
        let incident = self.current(n, now).map(|incident| incident.what);
        let is_main = path == PATHS[0];
        let step = |step, ok| LadderStep { step, ok, ms: 30.0, way: None };
        let fail = |kind, message: &str| Some(StreamError { kind, message: message.to_owned() });
        match incident {
            Some(What::NoPicture(which)) if PATHS.get(which) == Some(&path) => {
                stream.status = StreamStatus::NoData;
                stream.ladder = vec![step(Step::Tcp, true), step(Step::Described, true), step(Step::Rtp, false)];
                stream.error = fail(ErrorKind::Timeout, "no packet came in 5 s");
            }
            Some(What::Login) => {
                stream.status = StreamStatus::AuthRequired;
                stream.ladder = vec![step(Step::Tcp, true), step(Step::Described, false)];
                stream.error = fail(ErrorKind::AuthRefused, "the login was refused");
            }
            _ => {
                stream.status = StreamStatus::Streaming;
                stream.ladder = [Step::Tcp, Step::Described, Step::Setup, Step::Rtp, Step::Keyframe]
                    .map(|s| step(s, true))
                    .to_vec();
                let (width, height) = if is_main { (1920, 1080) } else { (640, 360) };
                stream.video = Some(Video {
                    width: Some(width),
                    height: Some(height),
                    measured_fps: Some(25.0 - 3.0 * self.rng.f64()),
                    ..Video::default()
                });
            }
        }
        stream
    }
}
