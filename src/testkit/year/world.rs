//! The cameras, and what happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::down::Down;
use super::incident::{Act, HALF_CYCLE, Incident, What};
use super::{HOUR, Size};
use crate::model::memory::Expect;

/// Cameras of one network at the beginning.
const IN_NETWORK: usize = 50;
/// Seconds that a camera takes to start after the recorder that feeds it.
const STARTING: i64 = 150;
/// The small networks, in their order behind the large ones.
pub(super) const OFFICE: usize = 0;
pub(super) const GATEHOUSE: usize = 1;
pub(super) const GARAGE: usize = 2;
const STORE: usize = 3;
const SMALL: usize = 4;
/// The paths of a camera's two streams.
pub(super) const PATHS: [&str; 2] = ["/main", "/sub"];

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
    /// Another MAC address after each start, and a placeholder for a serial number; each batch has another one.
    Nameless,
    /// The serial number that the others of its batch have too.
    Serial,
    /// A MAC address of its own choice, and a short serial number, which another model of its batch has too.
    Short,
    /// The MAC address that the others of its batch have too, which is that of the router before them, and nothing else.
    Proxied,
    /// It announces itself on the link for some days, from another subnet.
    Heard,
    /// This machine itself.
    Own,
}

/// The models of the cameras: almost all are of the first one.
pub(super) const MODELS: [&str; 2] = ["DS-2CD2042WD-I", "DS-2CD2185FWD-I"];

pub(super) struct Camera {
    pub(super) of: Trait,
    /// Clones of one batch have the same serial number and endpoint.
    pub(super) batch: usize,
    pub(super) network: usize,
    pub(super) ip: IpAddr,
    /// Where it is while it is on the air, and its address there.
    pub(super) air: Option<IpAddr>,
    pub(super) by_air: Option<IpAddr>,
    pub(super) was_on_air: bool,
    pub(super) firmware: u32,
    pub(super) starts: u32,
    pub(super) parent: Option<usize>,
    pub(super) is_recorder: bool,
    /// It goes with its recorder, which feeds it.
    pub(super) is_fed: bool,
    /// What the user expects of it.
    pub(super) expect: Expect,
    /// Its streams need no login, until it is given a password.
    pub(super) is_open: bool,
    pub(super) model: &'static str,
    /// How often it was set back to its factory settings.
    pub(super) resets: u32,
    /// It is on its cable and on the air at once.
    pub(super) shows_both: bool,
    /// It has a certificate that ends, and a clock that goes wrong, now and then.
    pub(super) is_neglected: bool,
    pub(super) is_there: bool,
    pub(super) incidents: Vec<Incident>,
}

impl Camera {
    pub(super) fn plain(network: usize, ip: IpAddr) -> Self {
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
            is_fed: true,
            expect: Expect::Always,
            is_open: false,
            model: MODELS[0],
            resets: 0,
            shows_both: false,
            is_neglected: false,
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
    pub(super) blind: Vec<(i64, i64)>,
    /// Times in which a network is down.
    pub(super) down: Vec<Down>,
    /// What users do, by the second.
    pub(super) acts: BTreeMap<i64, Vec<(usize, Act)>>,
    /// How many of the networks are large ones.
    pub(super) mains: usize,
    /// Cameras whose address another one has taken, by the end of the outage in which it did.
    pub(super) taken: BTreeSet<(usize, i64)>,
    /// By how many seconds the clock of this machine is wrong.
    pub(super) ahead: i64,
    /// When a scan last saw that the clock of a camera is wrong.
    pub(super) warned: BTreeMap<usize, i64>,
}

impl World {
    /// The site on its first day.
    pub fn new(size: Size) -> Self {
        let mains = size.cameras.div_ceil(IN_NETWORK);
        let mut world = World {
            size,
            rng: fastrand::Rng::with_seed(size.seed),
            cameras: Vec::new(),
            given: vec![0; mains + SMALL],
            blind: Vec::new(),
            down: Vec::new(),
            acts: BTreeMap::new(),
            mains,
            taken: BTreeSet::new(),
            ahead: 0,
            warned: BTreeMap::new(),
        };
        for n in 0..size.cameras {
            // The first batch is there from the beginning; of each other one there is one camera, until more are bought.
            let (of, batch) = match n % 20 {
                3 => (Trait::Twin, 0),
                5 | 6 => (Trait::Clone, 0),
                8 => (Trait::MacOnly, 0),
                9 => (Trait::Proxied, n),
                11 => (Trait::Nameless, n),
                13 => (Trait::Clone, n),
                18 => (Trait::Serial, n),
                19 => (Trait::Short, n),
                _ => (Trait::Plain, 0),
            };
            let expect = match n % 20 {
                15 => Expect::Sometimes,
                16 => Expect::Ignore,
                _ => Expect::Always,
            };
            let (network, is_open) = (n / IN_NETWORK, n % 20 == 17);
            // The first of each network is a recorder that feeds the seven behind it.
            let place = n % IN_NETWORK;
            let parent = (1..8).contains(&place).then_some(n - place).filter(|_| expect == Expect::Always && !is_open);
            let plain = Camera::plain(network, [10, 0, 0, 0].into());
            world.put(Camera { of, batch, parent, is_recorder: place == 0, expect, is_open, ..plain });
        }
        world.put_small();
        world
    }

    /// Small networks: an office with a recorder and its cameras, a gatehouse with two, a garage with one and this machine,
    /// and a store with what needs attention.
    fn put_small(&mut self) {
        let plain = |world: &World, small| Camera::plain(world.mains + small, [10, 0, 0, 0].into());
        let recorder = self.cameras.len();
        for n in 0..10 {
            let parent = (1..8).contains(&n).then_some(recorder);
            // The last one that the recorder shows has power of its own.
            self.put(Camera { parent, is_recorder: n == 0, is_fed: n != 7, ..plain(self, OFFICE) });
        }
        self.put(plain(self, GATEHOUSE));
        self.put(plain(self, GATEHOUSE));
        self.put(Camera { of: Trait::Own, ..plain(self, GARAGE) });
        self.put(plain(self, GARAGE));
        self.put(Camera { is_neglected: true, ..plain(self, STORE) });
        self.put(Camera { of: Trait::Heard, ..plain(self, STORE) });
        self.put(plain(self, STORE));
    }

    /// Puts up a camera at the next address of its network.
    pub(super) fn put(&mut self, camera: Camera) -> usize {
        let ip = self.give(camera.network);
        self.cameras.push(Camera { ip, ..camera });
        self.cameras.len() - 1
    }

    /// The first camera of a small network.
    pub(super) fn first_of(&self, small: usize) -> usize {
        self.cameras.iter().position(|camera| camera.network == self.mains + small).unwrap_or_default()
    }

    pub(super) fn give(&mut self, network: usize) -> IpAddr {
        let Some(last) = self.given.get_mut(network) else { return [10, 0, 0, 0].into() };
        // A pool large enough for the year; none is given twice.
        *last = last.wrapping_add(1).max(1);
        [10, 0, u8::try_from(network).unwrap_or_default(), *last].into()
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
        if camera.of == Trait::Own {
            return true;
        }
        if camera.of == Trait::Heard {
            return now < super::DAY;
        }
        let is_down = match self.current(n, now) {
            Some(incident) if incident.what.is_down(now - incident.from) => true,
            Some(Incident { what: What::Flapping, from, .. }) => (now - from) / HALF_CYCLE % 2 == 0,
            _ => false,
        };
        let is_stable = camera.parent.is_none() && n % 5 == 4;
        let is_cut_off = self.down.iter().any(|down| down.cuts_off(camera.network, n, is_stable, now));
        let parent = camera.parent.filter(|_| camera.is_fed);
        let is_fed = parent.is_none_or(|parent| self.is_up(parent, now) && !self.has_just_begun(parent, now));
        camera.is_there && !is_down && !is_cut_off && is_fed
    }

    /// Whether a recorder was away, and has come back so lately that what it feeds is still starting.
    fn has_just_begun(&self, recorder: usize, now: i64) -> bool {
        self.current(recorder, now - STARTING).is_some_and(|incident| incident.what == What::Outage)
    }

    /// Whether a camera answers a question: one that starts over and over does for some seconds each time.
    pub fn answers(&self, n: usize, now: i64) -> bool {
        let starts = |incident: &Incident| {
            let since = now - incident.from;
            incident.what == What::StartsAgain && since > HOUR && since % 300 < 30 && now % (2 * HOUR) > 0
        };
        self.is_up(n, now) || self.current(n, now).as_ref().is_some_and(starts)
    }

    /// Which camera answers at an address where one was that is looked for first.
    pub fn at(&self, ip: IpAddr, first: usize, now: i64) -> Option<usize> {
        let is_at = |n: &usize| self.cameras.get(*n).is_some_and(|camera| camera.air.unwrap_or(camera.ip) == ip);
        [first].into_iter().chain(0..self.cameras.len()).filter(is_at).find(|n| self.answers(*n, now))
    }
}
