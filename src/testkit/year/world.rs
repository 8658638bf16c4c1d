//! The cameras, and what happens to them.

use std::net::IpAddr;

use super::Size;
use super::down::Down;
use super::truth::{Subject, Truth};
use crate::model::memory::EventKind;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Cameras of one network at the beginning.
const IN_NETWORK: usize = 50;
/// Seconds that a camera which comes and goes is there, and is not.
const HALF_CYCLE: i64 = 15 * 60;
/// Long enough for what is told to be told: the interval of checks, and what it takes.
const SLACK: i64 = 15 * 60;
/// The paths of a camera's two streams.
pub(super) const PATHS: [&str; 2] = ["/main", "/sub"];

/// What happens to a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It starts again, in less than three minutes.
    Reboot,
    /// The same, with new firmware.
    Update,
    /// It is not there.
    Outage,
    /// A stream of it has no frames.
    NoPicture(usize),
    /// Somebody changed its password, and changes it back.
    Login,
    /// It comes and goes.
    Flapping,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Incident {
    pub(super) what: What,
    from: i64,
    to: i64,
}

/// What a camera can be recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trait {
    /// Everything.
    Plain,
    /// A network cable and wireless, by turns.
    Twin,
    /// Serial number and endpoint that the others of its batch have too.
    Clone,
    /// Its MAC address alone.
    MacOnly,
    /// Another MAC address after each start, and a placeholder for a serial number.
    Nameless,
}

pub(super) struct Camera {
    pub(super) of: Trait,
    /// Clones of one batch have the same serial number and endpoint.
    pub(super) batch: usize,
    pub(super) network: usize,
    pub(super) ip: IpAddr,
    /// Where it is while it is on the air, and its address there.
    pub(super) air: Option<IpAddr>,
    by_air: Option<IpAddr>,
    was_on_air: bool,
    pub(super) firmware: u32,
    pub(super) starts: u32,
    pub(super) parent: Option<usize>,
    pub(super) is_recorder: bool,
    is_there: bool,
    incidents: Vec<Incident>,
}

impl Camera {
    fn plain(network: usize, ip: IpAddr) -> Self {
        Camera {
            of: Trait::Plain,
            batch: 0,
            network,
            ip,
            air: None,
            by_air: None,
            was_on_air: false,
            firmware: 1,
            starts: 0,
            parent: None,
            is_recorder: false,
            is_there: true,
            incidents: Vec::new(),
        }
    }
}

pub(super) struct World {
    pub(super) size: Size,
    pub(super) rng: fastrand::Rng,
    pub(super) cameras: Vec<Camera>,
    /// Addresses given away in each network.
    pub(super) given: Vec<u8>,
    /// Times in which this machine's own link is down.
    blind: Vec<(i64, i64)>,
    /// Times in which a network is down.
    pub(super) down: Vec<Down>,
}

impl World {
    /// The site on its first day.
    pub fn new(size: Size) -> Self {
        let networks = size.cameras.div_ceil(IN_NETWORK);
        let mut world = World {
            size,
            rng: fastrand::Rng::with_seed(size.seed),
            cameras: Vec::new(),
            given: vec![0; networks],
            blind: Vec::new(),
            down: Vec::new(),
        };
        for n in 0..size.cameras {
            // The first batch is there from the beginning; of each other one there is one camera, until more are bought.
            let (of, batch) = match n % 20 {
                3 => (Trait::Twin, 0),
                5 | 6 => (Trait::Clone, 0),
                8 | 9 => (Trait::MacOnly, 0),
                11 => (Trait::Nameless, 0),
                13 => (Trait::Clone, n),
                _ => (Trait::Plain, 0),
            };
            let network = n / IN_NETWORK;
            let ip = world.give(network);
            // The first of each network is a recorder that feeds the seven behind it.
            let place = n % IN_NETWORK;
            let parent = (1..8).contains(&place).then_some(n - place);
            world.cameras.push(Camera { of, batch, parent, is_recorder: place == 0, ..Camera::plain(network, ip) });
        }
        world
    }

    fn give(&mut self, network: usize) -> IpAddr {
        let Some(last) = self.given.get_mut(network) else { return [10, 0, 0, 0].into() };
        // A pool large enough for the year; none is given twice.
        *last = last.wrapping_add(1).max(1);
        [10, 0, u8::try_from(network).unwrap_or_default(), *last].into()
    }

    /// Plans what will happen, and what is to be told of it.
    pub fn plan_incidents(&mut self, truth: &mut Truth) {
        let end = self.size.days * DAY;
        truth.end = end;
        let mut day = 2;
        while day < self.size.days {
            let from = day * DAY + self.rng.i64(0..20) * HOUR + self.rng.i64(0..HOUR);
            match self.rng.bool() {
                true => self.blind.push((from, from + self.rng.i64(600..3 * HOUR))),
                false => {
                    let network = self.rng.usize(0..self.given.len());
                    let to = from + self.rng.i64(1800..8 * HOUR);
                    self.down.push(Down { network, from, to, is_all: day & 1 == 0 });
                    truth.expect(EventKind::SubnetUnreachable, Subject::Network(network), from, SLACK);
                    truth.expect(EventKind::SubnetReachable, Subject::Network(network), to, 2 * SLACK);
                }
            }
            day += self.rng.i64(2..6);
        }
        for n in 0..self.cameras.len() {
            let mut now = HOUR;
            while now < end {
                now += self.rng.i64(DAY / 2..10 * DAY);
                let incident = self.incident(n, now);
                if self.is_calm(n, incident) {
                    self.expect(n, incident, truth);
                    if let Some(camera) = self.cameras.get_mut(n) {
                        camera.incidents.push(incident);
                    }
                    now = incident.to + 8 * HOUR;
                }
            }
        }
    }

    fn incident(&mut self, n: usize, from: i64) -> Incident {
        let is_recorder = self.cameras.get(n).is_some_and(|camera| camera.is_recorder);
        let (what, length) = match self.rng.u32(0..20) {
            0..8 => (What::Reboot, self.rng.i64(40..170)),
            8..10 => (What::Update, self.rng.i64(60..170)),
            10..15 => (What::Outage, self.rng.i64(1500..30 * HOUR)),
            15..17 => (What::NoPicture(self.rng.usize(0..2)), self.rng.i64(6 * HOUR..20 * HOUR)),
            17 | 18 => (What::Login, self.rng.i64(7 * HOUR..20 * HOUR)),
            _ if is_recorder => (What::Reboot, 100),
            _ => (What::Flapping, 8 * 2 * HALF_CYCLE),
        };
        Incident { what, from, to: from + length }
    }

    /// Whether nothing else happens around that time that concerns the camera.
    fn is_calm(&self, n: usize, incident: Incident) -> bool {
        let Some(camera) = self.cameras.get(n) else { return false };
        let (from, to) = (incident.from - 2 * HOUR, incident.to + 8 * HOUR);
        let meets = |a: i64, b: i64| a < to && from < b;
        let related = camera.parent.into_iter().filter_map(|parent| self.cameras.get(parent));
        !self.blind.iter().any(|(a, b)| meets(*a, *b))
            && !self.down.iter().any(|down| down.network == camera.network && meets(down.from, down.to))
            && !related.flat_map(|parent| &parent.incidents).any(|other| meets(other.from, other.to))
    }

    fn expect(&self, n: usize, incident: Incident, truth: &mut Truth) {
        let Incident { what, from, to } = incident;
        let camera = Subject::Camera(n);
        let every = self.size.check_every;
        match what {
            What::Reboot => {}
            What::Update => truth.expect(EventKind::DeviceChanged, camera, to, 7 * HOUR),
            What::Outage => {
                truth.expect(EventKind::DeviceOffline, camera.clone(), from, every + SLACK);
                truth.expect(EventKind::DeviceOnline, camera, to, SLACK);
            }
            What::NoPicture(stream) => {
                let stream = Subject::Stream(n, PATHS.get(stream).copied().unwrap_or_default());
                truth.expect(EventKind::StreamBroken, stream.clone(), from, 10 * every + SLACK);
                truth.expect(EventKind::StreamRepaired, stream, to, 3 * every + SLACK);
            }
            What::Login => {
                truth.expect(EventKind::LoginRefused, camera.clone(), from, every + SLACK);
                truth.expect(EventKind::LoginAccepted, camera, to, 6 * HOUR + SLACK);
            }
            What::Flapping => {
                truth.unsteady(n, from, to + 2 * HOUR);
                truth.expect(EventKind::DeviceFlapping, camera.clone(), from, to - from);
                truth.expect(EventKind::DeviceSteady, camera, to, 2 * HOUR);
            }
        }
    }

    /// Whether this machine's own link is down.
    pub fn is_blind(&self, now: i64) -> bool {
        self.blind.iter().any(|(from, to)| (*from..*to).contains(&now))
    }

    pub(super) fn current(&self, n: usize, now: i64) -> Option<Incident> {
        let incidents = &self.cameras.get(n)?.incidents;
        let next = incidents.partition_point(|incident| incident.to <= now);
        incidents.get(next).copied().filter(|incident| incident.from <= now)
    }

    /// Whether a camera answers.
    pub fn is_up(&self, n: usize, now: i64) -> bool {
        let Some(camera) = self.cameras.get(n) else { return false };
        let is_down = match self.current(n, now) {
            Some(Incident { what: What::Reboot | What::Update | What::Outage, .. }) => true,
            Some(Incident { what: What::Flapping, from, .. }) => (now - from) / HALF_CYCLE % 2 == 0,
            _ => false,
        };
        let is_cut_off = self.down.iter().any(|down| down.is_now(camera.network, now));
        let is_fed = camera.parent.is_none_or(|parent| self.is_up(parent, now));
        camera.is_there && !is_down && !is_cut_off && is_fed
    }

    /// Whether a camera can be tampered with now: nothing happens to it, nor to what feeds it.
    fn is_quiet(&self, n: usize, now: i64) -> bool {
        let around = Incident { what: What::Reboot, from: now, to: now };
        let own = self.cameras.get(n).map(|camera| &camera.incidents);
        let busy = |incident: &Incident| incident.from - HOUR < now && now < incident.to + 8 * HOUR;
        self.is_up(n, now) && self.is_calm(n, around) && !own.is_some_and(|all| all.iter().any(busy))
    }

    /// What is changed right before a scan. Whether the scan will see MAC addresses.
    pub fn before_scan(&mut self, now: i64, truth: &mut Truth) -> bool {
        for n in 0..self.cameras.len() {
            let started =
                |incident: &&Incident| incident.to <= now && matches!(incident.what, What::Reboot | What::Update);
            let updated = |incident: &&Incident| incident.to <= now && incident.what == What::Update;
            if let Some(camera) = self.cameras.get_mut(n) {
                camera.starts = u32::try_from(camera.incidents.iter().filter(started).count()).unwrap_or_default();
                camera.firmware =
                    1 + u32::try_from(camera.incidents.iter().filter(updated).count()).unwrap_or_default();
            }
        }
        if now == 0 || self.is_blind(now) {
            return true;
        }
        // What moves or is new is seen with its MAC address; every tenth scan sees none.
        if self.rng.u32(0..10) == 0 {
            return false;
        }
        match self.rng.u32(0..8) {
            0 => self.swap(now, truth),
            1 => self.move_one(now, truth),
            2 | 3 => self.turn_twin(now, truth),
            4 => self.replace(now, truth),
            5 if self.rng.u32(0..6) == 0 => self.arrive(now, truth),
            _ => {}
        }
        self.grow_batch(now, truth);
        true
    }

    fn pick(&mut self, now: i64, of: &[Trait]) -> Option<usize> {
        let fits = |n: &usize| self.cameras.get(*n).is_some_and(|c| of.contains(&c.of) && !c.is_recorder);
        let all: Vec<usize> = (0..self.cameras.len()).filter(|n| fits(n) && self.is_quiet(*n, now)).collect();
        if all.is_empty() { None } else { all.get(self.rng.usize(0..all.len())).copied() }
    }

    /// DHCP gives several cameras of a network each other's addresses.
    fn swap(&mut self, now: i64, truth: &mut Truth) {
        let moving = [Trait::Plain, Trait::Clone, Trait::MacOnly];
        let mut all: Vec<usize> = (0..4).filter_map(|_| self.pick(now, &moving)).collect();
        all.sort_unstable();
        all.dedup();
        let network = all.first().and_then(|n| self.cameras.get(*n)).map(|camera| camera.network);
        all.retain(|n| self.cameras.get(*n).map(|camera| camera.network) == network);
        if all.len() < 2 {
            return;
        }
        let mut ips: Vec<IpAddr> = all.iter().filter_map(|n| self.cameras.get(*n)).map(|camera| camera.ip).collect();
        ips.rotate_left(1);
        for (n, ip) in all.into_iter().zip(ips) {
            if let Some(camera) = self.cameras.get_mut(n) {
                camera.ip = ip;
            }
            truth.expect(EventKind::DeviceMoved, Subject::Camera(n), now, 0);
        }
    }

    fn move_one(&mut self, now: i64, truth: &mut Truth) {
        let Some(n) = self.pick(now, &[Trait::Plain, Trait::Clone, Trait::MacOnly]) else { return };
        let Some(network) = self.cameras.get(n).map(|camera| camera.network) else { return };
        if self.given.get(network).is_some_and(|given| *given > 240) {
            return;
        }
        let ip = self.give(network);
        if let Some(camera) = self.cameras.get_mut(n) {
            camera.ip = ip;
        }
        truth.expect(EventKind::DeviceMoved, Subject::Camera(n), now, 0);
    }

    /// A camera goes on the air, or back on its cable.
    fn turn_twin(&mut self, now: i64, truth: &mut Truth) {
        let Some(n) = self.pick(now, &[Trait::Twin]) else { return };
        let Some(network) = self.cameras.get(n).map(|camera| camera.network) else { return };
        let by_air = match self.cameras.get(n).and_then(|camera| camera.by_air) {
            Some(ip) => ip,
            None => self.give(network),
        };
        let Some(camera) = self.cameras.get_mut(n) else { return };
        camera.by_air = Some(by_air);
        camera.air = if camera.air.is_none() { Some(by_air) } else { None };
        if !std::mem::replace(&mut camera.was_on_air, true) {
            // Its second network card is news.
            truth.expect(EventKind::DeviceChanged, Subject::Camera(n), now, 0);
        }
        truth.expect(EventKind::DeviceMoved, Subject::Camera(n), now, 0);
    }

    /// Somebody puts another camera of the same model in the place of one.
    fn replace(&mut self, now: i64, truth: &mut Truth) {
        let Some(n) = self.pick(now, &[Trait::Plain]) else { return };
        let new = self.cameras.len();
        let Some(old) = self.cameras.get_mut(n).filter(|old| old.parent.is_none()) else { return };
        old.is_there = false;
        // What was planned for it does not happen.
        let planned: Vec<Incident> = old.incidents.extract_if(.., |incident| incident.from > now).collect();
        let camera = Camera::plain(old.network, old.ip);
        planned.iter().for_each(|incident| truth.forget(n, incident.from));
        self.cameras.push(camera);
        truth.expect(EventKind::DeviceReplaced, Subject::Camera(new), now, 0);
    }

    fn arrive(&mut self, now: i64, truth: &mut Truth) {
        let network = self.rng.usize(0..self.given.len());
        if self.has_room(network, now) {
            self.add(Camera::plain(network, [0, 0, 0, 0].into()), now, truth);
        }
    }

    /// Two more of a batch of clones are put up while the only one that is known does not answer: by serial number and
    /// endpoint each of them could be that one.
    fn grow_batch(&mut self, now: i64, truth: &mut Truth) {
        let is_only = |camera: &Camera| {
            let alike = |other: &&Camera| other.of == Trait::Clone && other.batch == camera.batch;
            camera.of == Trait::Clone && self.cameras.iter().filter(alike).count() == 1
        };
        let is_away = |n: usize| matches!(self.current(n, now), Some(Incident { what: What::Outage, .. }));
        let found = self.cameras.iter().enumerate().find(|(n, camera)| is_away(*n) && is_only(camera));
        let Some((network, batch)) = found.map(|(_, camera)| (camera.network, camera.batch)) else { return };
        for _ in 0..2 {
            if self.has_room(network, now) {
                let clone = Camera { of: Trait::Clone, batch, ..Camera::plain(network, [0, 0, 0, 0].into()) };
                self.add(clone, now, truth);
            }
        }
    }

    /// Whether a network answers, and has addresses left.
    fn has_room(&self, network: usize, now: i64) -> bool {
        self.given.get(network).is_some_and(|given| *given <= 240)
            && !self
                .down
                .iter()
                .any(|down| down.network == network && (down.from - HOUR..down.to + HOUR).contains(&now))
    }

    /// Puts up a camera that nobody has seen before, at an address of its own.
    fn add(&mut self, camera: Camera, now: i64, truth: &mut Truth) {
        let ip = self.give(camera.network);
        let new = self.cameras.len();
        self.cameras.push(Camera { ip, ..camera });
        truth.expect(EventKind::DeviceNew, Subject::Camera(new), now, 0);
    }
}
