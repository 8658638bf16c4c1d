//! What a scan or a check sees of the cameras.

use std::fmt::Write;

use ipnetwork::IpNetwork;

use super::incident::{Incident, What};
use super::world::{Camera, GARAGE, PATHS, Trait, World};
use super::{DAY, Eyes, HOUR, at};
use crate::history::memory::{Sight, Vantage};
use crate::model::coverage::InterfaceCoverage;
use crate::model::memory::{Around, Gateway};
use crate::model::{
    Coverage, Device, DeviceState, ErrorKind, Kind, LadderStep, MacAddr, Method, Protocol, Reach, Report, ScanInfo,
    ScanStatus, ShownBy, Stage, StageError, Step, Stream, StreamError, StreamStatus, Video, Warning, WarningKind,
};
use jiff::Timestamp;

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
                if self.is_up(n, now) && self.is_seen(n) {
                    found.push((self.device(n, now, sees_macs), n));
                    // Without their MAC addresses the two could as well be clones.
                    found.extend(self.other_card(n, now).filter(|_| sees_macs).map(|device| (device, n)));
                }
            }
        }
        self.rng.shuffle(&mut found);
        let networks = 0..self.given.len();
        let seen = if sees_macs { vec![Method::Arp, Method::Tcp] } else { vec![Method::Tcp] };
        let (devices, cameras) = found.into_iter().unzip();
        let scan = ScanInfo {
            camscan_version: "0.1.0".to_owned(),
            started_at: self.clock(now),
            finished_at: self.clock(now),
            duration_ms: 0,
            status: ScanStatus::Complete,
            targets: Vec::new(),
            asked: networks.map(|n| format!("10.0.{n}.1-10.0.{n}.254")).collect(),
            addresses: 0,
            hosts_up: 0,
            methods: seen,
            coverage: Some(self.coverage()),
        };
        let report = Report { schema: "camscan/1".to_owned(), scan, devices, warnings: Vec::new() };
        (report, cameras)
    }

    fn device(&mut self, n: usize, now: i64, sees_macs: bool) -> Device {
        let recorder = self.cameras.get(n).and_then(|camera| camera.parent).filter(|parent| self.is_up(*parent, now));
        let shown_by = recorder.and_then(|parent| Some((self.id(parent, sees_macs)?, self.cameras.get(parent)?.ip)));
        let what = self.current(n, now).map(|incident| incident.what);
        let is_listed = |path: &&str| match what {
            Some(What::Unlooked) => false,
            Some(What::Removed) => *path == PATHS[0],
            // One scan of those in these hours.
            Some(What::Unlisted) => *path == PATHS[0],
            _ => true,
        };
        let paths: Vec<&str> = PATHS.into_iter().filter(|path| is_listed(path)).collect();
        let streams = paths.into_iter().map(|path| self.stream(n, path, now)).collect();
        let error =
            || StageError { stage: Stage::Rtsp, kind: ErrorKind::Timeout, message: "no answer in 5 s".to_owned() };
        let (id, mac) = (self.id(n, sees_macs).unwrap_or_default(), self.mac(n));
        let identity = |camera: &Camera| match camera.of {
            Trait::Plain | Trait::Twin => {
                (Some(format!("SN-{n:05}-{}", camera.resets)), Some(format!("uuid-{n:05}-{}", camera.resets)))
            }
            Trait::Serial => (Some(format!("ALIKE-{:05}", camera.batch)), Some(format!("uuid-{n:05}"))),
            Trait::Short => (Some(format!("47{:03}1", camera.batch)), None),
            Trait::Clone => {
                (Some(format!("CLONED-{:05}", camera.batch)), Some(format!("uuid-cloned-{}", camera.batch)))
            }
            Trait::Heard => (None, Some(format!("uuid-{n:05}"))),
            Trait::MacOnly | Trait::Own | Trait::Proxied => (None, None),
            Trait::Nameless => {
                (PLACEHOLDERS.get(camera.batch / 20 % PLACEHOLDERS.len()).map(|s| (*s).to_owned()), None)
            }
        };
        let camera = self.cameras.get(n);
        let ip = camera.map_or([10, 0, 0, 0].into(), |camera| camera.air.unwrap_or(camera.ip));
        let (serial, endpoint) = camera.map_or((None, None), identity);
        let is_recorder = camera.is_some_and(|camera| camera.is_recorder);
        let is_heard = camera.is_some_and(|camera| camera.of == Trait::Heard);
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
            model: camera.map(|camera| camera.model.to_owned()),
            firmware: camera.map(|camera| format!("V5.{}", camera.firmware)).filter(|_| !self.was_updated(n, now)),
            serial,
            endpoint,
            certificate_ends: camera.filter(|c| c.is_neglected).map(|_| at(certificate_ends(now))),
            clock_ahead_s: None,
            discovered_by: match sees_macs {
                _ if is_heard => vec![Method::Onvif],
                true => vec![Method::Arp, Method::Tcp],
                false => vec![Method::Tcp],
            },
            state: DeviceState::Online,
            first_seen: self.clock(now),
            last_seen: self.clock(now),
            analysed_at: None,
            services: Vec::new(),
            streams,
            channels: Vec::new(),
            shown_by: shown_by.into_iter().map(|(recorder, ip)| ShownBy { recorder, ip, channel: 1 }).collect(),
            login_attempts: None,
            offers_digest: false,
            evidence: Vec::new(),
            errors: (what == Some(What::Unlooked)).then(error).into_iter().collect(),
            reach: is_heard.then_some(Reach::OtherSubnet),
            heard_on: None,
            activation: None,
            network: None,
            warnings: self.has_wrong_clock(n, now).then(wrong_clock).into_iter().collect(),
        }
    }

    /// Whether a camera can be seen from where this machine is.
    pub(super) fn is_seen(&self, n: usize) -> bool {
        let is_hidden = |camera: &Camera| camera.network < self.mains && camera.parent.is_none() && !camera.is_recorder;
        self.size.eyes != Eyes::Elsewhere || !n.is_multiple_of(3) || !self.cameras.get(n).is_some_and(is_hidden)
    }

    /// The time by the clock of this machine.
    pub(super) fn clock(&self, now: i64) -> Timestamp {
        at(now + self.ahead)
    }

    /// The other network card of a camera that shows two.
    fn other_card(&mut self, n: usize, now: i64) -> Option<Device> {
        let camera = self.cameras.get_mut(n).filter(|camera| camera.shows_both)?;
        let air = camera.air.take();
        camera.air = if air.is_none() { camera.by_air } else { None };
        let device = self.device(n, now, true);
        self.cameras.get_mut(n)?.air = air;
        Some(device)
    }

    /// Whether the firmware of a camera was updated in the last hours: it cannot be read yet.
    fn was_updated(&self, n: usize, now: i64) -> bool {
        let is_update = |i: &Incident| i.what == What::Update && (i.to..i.to + 6 * HOUR).contains(&now);
        self.cameras.get(n).is_some_and(|camera| camera.incidents.iter().any(is_update))
    }

    /// The interface of this machine on the network of the garage.
    fn coverage(&self) -> Coverage {
        let interface = InterfaceCoverage {
            name: "eth1".to_owned(),
            networks: vec![format!("10.0.{}.1/24", self.mains + GARAGE)],
            used: true,
            reason: None,
            unused: None,
        };
        Coverage { interfaces: vec![interface], ..Coverage::default() }
    }

    pub(super) fn mac(&self, n: usize) -> Option<MacAddr> {
        let camera = self.cameras.get(n)?;
        let number = if camera.of == Trait::Proxied { camera.batch } else { n };
        let [a, b] = u16::try_from(number).unwrap_or_default().to_be_bytes();
        Some(MacAddr(match camera.of {
            Trait::Nameless | Trait::Short => [0x02, u8::try_from(camera.starts % 256).unwrap_or_default(), 0, 0, a, b],
            _ if camera.air.is_some() => [0x00, 0x12, 0x17, 0, a, b],
            _ => [0x44, 0x19, 0xb6, 0, a, b],
        }))
    }

    fn id(&self, n: usize, sees_macs: bool) -> Option<String> {
        let camera = self.cameras.get(n)?;
        let mac = self.mac(n).filter(|_| sees_macs);
        Some(mac.map_or_else(|| format!("ip:{}", camera.air.unwrap_or(camera.ip)), |mac| format!("mac:{mac}")))
    }

    /// What comes of playing a stream of a camera where another one may be, or none.
    pub fn played(&mut self, (camera, there): (usize, Option<usize>), key: &str, now: i64) -> Stream {
        let path = PATHS.into_iter().find(|path| key.ends_with(path)).unwrap_or_default();
        let mut stream = self.stream(there.unwrap_or(camera), path, now);
        if there.is_some_and(|there| self.is_up(there, now)) {
            return stream;
        }
        (stream.status, stream.video) = (StreamStatus::Error, None);
        stream.ladder = vec![LadderStep { step: Step::Tcp, ok: false, ms: 1500.0, way: None }];
        stream.error = Some(StreamError { kind: ErrorKind::Timeout, message: "no answer in 1.5 s".to_owned() });
        stream
    }

    fn stream(&mut self, n: usize, path: &str, now: i64) -> Stream {
        let camera = self.cameras.get(n);
        let ip = camera.map_or([10, 0, 0, 0].into(), |camera| camera.air.unwrap_or(camera.ip));
        let is_open = camera.is_some_and(|camera| camera.is_open);
        let incident = self.current(n, now);
        let (what, since) = incident.map_or((None, 0), |incident| (Some(incident.what), now - incident.from));
        let set =
            camera.into_iter().flat_map(|camera| &camera.incidents).rfind(|i| i.what.is_setting() && i.from <= now);
        let set = set.map(|incident| incident.what);
        let (is_main, every) = (path == PATHS[0], self.size.check_every);
        // In a check or two of those that follow it is as it always was, or is not.
        let is_moment = (2 * HOUR..2 * HOUR + every - 60).contains(&since);
        // With room for all of it: there is one for each look.
        let mut url = String::with_capacity(48);
        write!(url, "rtsp://{ip}:554{path}").ok();
        let mut stream = Stream::new(url, Protocol::Rtsp);
        stream.open = Some(is_open && what != Some(What::Protected));
        let step = |step, ok| LadderStep { step, ok, ms: 30.0, way: None };
        let fail = |kind, message: &str| Some(StreamError { kind, message: message.to_owned() });
        let described = [step(Step::Tcp, true), step(Step::Described, true)];
        match what {
            Some(What::Maintenance(_)) if !is_main => no_frames(&mut stream),
            Some(What::NoPicture(which)) if PATHS.get(which) == Some(&path) => no_frames(&mut stream),
            Some(What::Stutter) if !is_main => no_frames(&mut stream),
            Some(What::Hiccup) if !is_main && !is_moment => no_frames(&mut stream),
            Some(What::Blurred) if !is_main && since < 3 * HOUR => no_frames(&mut stream),
            Some(What::Removed) if !is_main => {
                stream.status = StreamStatus::NotFound;
                stream.ladder = vec![step(Step::Tcp, true), step(Step::Described, false)];
                stream.error = fail(ErrorKind::NotFound, "404 Stream Not Found");
            }
            Some(What::NoServer) => {
                // The port is closed, or nothing comes back from it.
                let is_closed = n.is_multiple_of(2);
                stream.status = StreamStatus::Error;
                stream.ladder = vec![step(Step::Tcp, false)];
                stream.error = match is_closed {
                    true => fail(ErrorKind::Refused, "the connection was refused"),
                    false => fail(ErrorKind::Timeout, "no answer in 1.5 s"),
                };
            }
            Some(What::Crowded | What::CrowdedBriefly) if !is_main => {
                stream.status = StreamStatus::Error;
                stream.ladder = [&described[..], &[step(Step::Setup, false)]].concat();
                stream.error = fail(ErrorKind::Busy, "453 Not Enough Bandwidth");
            }
            Some(What::Login | What::Protected) => {
                stream.status = StreamStatus::AuthRequired;
                stream.ladder = vec![step(Step::Tcp, true), step(Step::Described, false)];
                stream.error = fail(ErrorKind::AuthRefused, "the login was refused");
            }
            _ => {
                let is_blurred = what == Some(What::Blurred) && !is_main;
                let is_slow = what == Some(What::Slow) && !is_moment || what == Some(What::SlowBriefly);
                let is_late = what == Some(What::Late) && !is_main;
                let usual = if set.is_some() && !is_main { 9.0 } else { 25.0 };
                let fps = if is_slow && !is_main { usual / 5.0 } else { usual };
                let (width, height) = if is_main { (1920, 1080) } else { (640, 360) };
                stream.status = StreamStatus::Streaming;
                let [tcp, described] = described;
                let (setup, rtp) = (step(Step::Setup, true), step(Step::Rtp, true));
                let frame = LadderStep { ms: if is_late { 8000.0 } else { 30.0 }, ..step(Step::Frame, true) };
                stream.ladder = vec![tcp, described, setup, rtp, frame, step(Step::Keyframe, !is_blurred)];
                stream.video = Some(Video {
                    width: Some(width),
                    height: Some(height),
                    fps: (set == Some(What::DeclaredSetting) && !is_main).then_some(9.0),
                    measured_fps: Some(fps * (1.0 - 0.12 * self.rng.f64())),
                    ..Video::default()
                });
            }
        }
        stream
    }
}

/// What states no serial number.
const PLACEHOLDERS: [&str; 9] = [
    "SerialNumber",
    "default",
    "null",
    "none",
    "unknown",
    "not available",
    "serial",
    "serial no",
    "To be filled by O.E.M.",
];

/// A stream from which nothing comes.
fn no_frames(stream: &mut Stream) {
    let step = |step, ok| LadderStep { step, ok, ms: 30.0, way: None };
    stream.status = StreamStatus::NoData;
    stream.ladder = vec![step(Step::Tcp, true), step(Step::Described, true), step(Step::Rtp, false)];
    stream.error = Some(StreamError { kind: ErrorKind::Timeout, message: "no packet came in 5 s".to_owned() });
}

fn wrong_clock() -> Warning {
    let message = "its clock is 3 h behind".to_owned();
    Warning { kind: WarningKind::ClockWrong, message, hint: None, others: Vec::new() }
}

/// When the first certificate of a camera ends, …
pub(super) const FIRST_END: i64 = 9 * DAY;
/// … and how long after it the next.
pub(super) const EACH_END: i64 = 40 * DAY;

/// When the certificate ends that a camera has then; it has a new one half a day after the end of each.
pub(super) fn certificate_ends(now: i64) -> i64 {
    let renewals = (now - DAY / 2 - FIRST_END + EACH_END - 1).div_euclid(EACH_END).max(0);
    FIRST_END + renewals * EACH_END
}
