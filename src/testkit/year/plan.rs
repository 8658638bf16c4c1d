//! What is planned to happen, and what is to be sent of it.

use super::down::Down;
use super::incident::{Act, Incident, MUTED_HOURS, What, Work};
use super::sight::{EACH_END, FIRST_END};
use super::truth::{SLACK, Subject, Truth};
use super::world::{GARAGE, GATEHOUSE, OFFICE, PATHS, Trait, World};
use super::{DAY, Eyes, HOUR, SCAN_EVERY};
use crate::model::memory::{EventKind, Expect};

/// Cameras that are on one switch.
const ON_SWITCH: [usize; 11] = [10, 12, 14, 20, 21, 22, 24, 27, 30, 32, 34];

impl World {
    /// Plans what will happen, and what is to be sent of it.
    pub fn plan_incidents(&mut self, truth: &mut Truth) {
        truth.end = self.size.days * DAY;
        self.plan_cuts(truth);
        if self.size.eyes == Eyes::ClockSet {
            self.cameras.iter_mut().for_each(|camera| (camera.is_neglected, camera.expect) = (false, Expect::Always));
        }
        self.plan_certificates(truth);
        for day in (1..self.size.days).step_by(9) {
            self.plan_small(day * DAY, truth);
        }
        let (mut turn, end) = (usize::try_from(self.size.seed).unwrap_or_default(), self.size.days * DAY);
        for n in 0..self.size.cameras {
            let mut now = HOUR;
            while now < end {
                now += self.rng.i64(DAY / 2..8 * DAY);
                let incident = self.incident(n, now, turn);
                // It takes one more scan until an update is seen.
                let to = if incident.what == What::Update { incident.to + 6 * HOUR } else { incident.to };
                if self.is_calm(n, Incident { to, ..incident }) {
                    self.happen(n, incident, truth);
                    now = incident.to + 8 * HOUR;
                    turn += 1;
                }
            }
        }
        self.cameras.iter_mut().for_each(|camera| camera.incidents.sort_by_key(|incident| incident.from));
    }

    /// This machine's own link is down, or a network is; some of what happens to cameras meanwhile outlasts it.
    fn plan_cuts(&mut self, truth: &mut Truth) {
        let mut day = 2;
        while day < self.size.days {
            let from = day * DAY + self.rng.i64(0..20) * HOUR + self.rng.i64(0..HOUR);
            match self.rng.bool() {
                true => {
                    let to = from + self.rng.i64(1800..3 * HOUR);
                    self.blind.push((from, to));
                    // A camera is unplugged that nothing sees go.
                    let network = self.rng.usize(0..self.mains);
                    let victim = self.victim(network, 1);
                    self.unplug(victim, (i64::midpoint(from, to), to), truth);
                }
                false => {
                    let network = self.rng.usize(0..self.mains);
                    let to = from + self.rng.i64(2400..8 * HOUR);
                    self.go_down(Down { network, from, to, is_all: day & 1 == 0 }, truth);
                }
            }
            day += self.rng.i64(2..6);
        }
    }

    fn go_down(&mut self, down: Down, truth: &mut Truth) {
        let Down { network, from, to, is_all } = down;
        self.down.push(down);
        truth.expect(EventKind::SubnetUnreachable, Subject::Network(network), from, SLACK);
        truth.expect(EventKind::SubnetReachable, Subject::Network(network), to, 2 * SLACK);
        if network >= self.mains {
            return;
        }
        // A camera is unplugged meanwhile, and not there when the network is back: it went with it as far as can be seen.
        let (middle, victim) = (i64::midpoint(from, to), self.victim(network, 1));
        self.unplug(victim, (middle, to), truth);
        truth.since(victim, to, from..from + SLACK);
        if !is_all && to - from > HOUR {
            // One that still answered is unplugged as well: that can be seen.
            let victim = self.victim(network, 4);
            self.unplug(victim, (from + 2 * SLACK, from + 2 * SLACK), truth);
        }
        // The password of one is changed.
        let victim = self.victim(network, 0);
        let incident = Incident { what: What::Login, from: middle, to: to + 3 * HOUR / 2 };
        if let Some(camera) = victim.and_then(|n| self.cameras.get_mut(n)) {
            camera.incidents.push(incident);
        }
        let Some(camera) = victim.map(Subject::Camera) else { return };
        truth.expect(EventKind::LoginRefused, camera.clone(), to, self.size.check_every + 2 * SLACK);
        truth.expect(EventKind::LoginAccepted, camera, incident.to, 6 * HOUR + SLACK);
    }

    /// A plain camera of a network that no recorder shows, whose number ends in that digit of five.
    fn victim(&mut self, network: usize, digit: usize) -> Option<usize> {
        let is_one = |n: &usize| {
            let camera = self.cameras.get(*n).filter(|_| n % 5 == digit && n % 10 != 2);
            camera.is_some_and(|c| {
                let is_plain = c.of == Trait::Plain && c.expect == Expect::Always && !c.is_open && !c.is_recorder;
                c.network == network && is_plain && c.parent.is_none()
            })
        };
        let all: Vec<usize> = (0..self.size.cameras).filter(is_one).collect();
        if all.is_empty() { None } else { all.get(self.rng.usize(0..all.len())).copied() }
    }

    /// A camera is unplugged at `at`, which can be seen from `seen` on, and stays so for a while.
    fn unplug(&mut self, victim: Option<usize>, (at, seen): (i64, i64), truth: &mut Truth) {
        let Some(camera) = victim.and_then(|n| self.cameras.get_mut(n)) else { return };
        let to = seen + 3 * HOUR / 2;
        camera.incidents.push(Incident { what: What::Outage, from: at, to });
        let Some(subject) = victim.map(Subject::Camera) else { return };
        truth.expect(EventKind::DeviceOffline, subject.clone(), seen, self.size.check_every + 2 * SLACK);
        truth.expect(EventKind::DeviceOnline, subject, to, 2 * SLACK);
    }

    /// What happens in the small networks, and on one switch of the first large one.
    fn plan_small(&mut self, from: i64, truth: &mut Truth) {
        let is_blind = |(a, b): &(i64, i64)| *a < from + 20 * HOUR && from - 3 * HOUR < *b;
        if self.blind.iter().any(is_blind) {
            return;
        }
        let (office, gatehouse) = (self.first_of(OFFICE), self.first_of(GATEHOUSE));
        let outage = |from, hours| Incident { what: What::Outage, from, to: from + hours * HOUR };
        // The recorder goes with what it feeds, and one that has power of its own an hour later.
        self.happen(office, outage(from + 2 * HOUR, 5), truth);
        self.happen(office + 7, outage(from + 3 * HOUR + 400, 2), truth);
        // Both cameras of the gatehouse are unplugged at once, while its gateway answers; later all of it is down.
        self.happen(gatehouse, outage(from + HOUR, 2), truth);
        self.happen(gatehouse + 1, outage(from + HOUR, 2), truth);
        for small in [GATEHOUSE, GARAGE] {
            let (network, from) = (self.mains + small, from + 10 * HOUR);
            self.go_down(Down { network, from, to: from + 3 * HOUR, is_all: true }, truth);
        }
        let is_down = |down: &Down| down.network == 0 && down.from < from + 12 * HOUR && from < down.to + 8 * HOUR;
        if !self.down.iter().any(is_down) {
            ON_SWITCH.into_iter().for_each(|n| self.happen(n, outage(from + 3 * HOUR, 1), truth));
        }
    }

    /// The end of a certificate is sent 30, 7 and 1 days before it, and when it has come.
    fn plan_certificates(&mut self, truth: &mut Truth) {
        let Some(n) = self.cameras.iter().position(|camera| camera.is_neglected) else { return };
        let ends = (FIRST_END..self.size.days * DAY + EACH_END).step_by(usize::try_from(EACH_END).unwrap_or(1));
        for told in ends.flat_map(|end| [30, 7, 1, 0].map(|days| end - days * DAY)).filter(|told| *told > 0) {
            truth.expect(EventKind::CertificateExpiring, Subject::Camera(n), told, SLACK);
        }
    }

    fn incident(&mut self, n: usize, from: i64, turn: usize) -> Incident {
        let camera = self.cameras.get(n);
        let expect = camera.map_or(Expect::Always, |camera| camera.expect);
        let is_open = camera.is_some_and(|camera| camera.is_open);
        let is_alone = camera.is_some_and(|camera| !camera.is_recorder && camera.parent.is_none());
        let is_set = camera.is_some_and(|camera| camera.incidents.iter().any(|incident| incident.what.is_setting()));
        let what = match What::of_turn(turn) {
            _ if is_open && !turn.is_multiple_of(3) && self.size.eyes != Eyes::ClockSet => What::Protected,
            _ if expect != Expect::Always && !turn.is_multiple_of(3) => What::Outage,
            what if is_set && what.is_setting() => What::Reboot,
            what if self.size.eyes == Eyes::ClockSet && !what.is_timeless() => What::Outage,
            what if what.fits(expect, is_open, is_alone) => what,
            _ => What::Reboot,
        };
        let from = match what {
            What::Unlisted => from - from % SCAN_EVERY + SCAN_EVERY / 2,
            what if what.is_between_scans() => from - from % SCAN_EVERY + HOUR / 2,
            _ => from,
        };
        let length = what.length(self.size.check_every, &mut self.rng);
        Incident { what, from, to: from + length }
    }

    /// Whether nothing else happens around that time that concerns the camera.
    pub(super) fn is_calm(&self, n: usize, incident: Incident) -> bool {
        let Some(camera) = self.cameras.get(n) else { return false };
        let (from, to) = (incident.from - 2 * HOUR, incident.to + 8 * HOUR);
        let meets = |a: i64, b: i64| a < to && from < b;
        let related = camera.parent.into_iter().chain([n]).filter_map(|parent| self.cameras.get(parent));
        !self.blind.iter().any(|(a, b)| meets(*a, *b))
            && !self.down.iter().any(|down| down.network == camera.network && meets(down.from, down.to + 2 * HOUR))
            && !related
                .flat_map(|parent| &parent.incidents)
                .any(|other| meets(other.from, other.to + other.what.echo()))
    }

    /// Lets something happen to a camera, and says what is to be sent of it.
    fn happen(&mut self, n: usize, incident: Incident, truth: &mut Truth) {
        let Some(expect) = self.cameras.get_mut(n).map(|camera| {
            camera.incidents.push(incident);
            camera.expect
        }) else {
            return;
        };
        let Incident { what, from, to } = incident;
        let (camera, every) = (Subject::Camera(n), self.size.check_every);
        let mut tell = |kind, from, within| truth.expect(kind, camera.clone(), from, within);
        let stream = |n: usize, path: usize| Subject::Stream(n, PATHS.get(path).copied().unwrap_or_default());
        match what {
            What::Reboot
            | What::Stutter
            | What::CrowdedBriefly
            | What::SlowBriefly
            | What::Unlisted
            | What::Unlooked => {}
            // The scan after it does not read the firmware.
            What::Update => tell(EventKind::DeviceChanged, to, 13 * HOUR),
            What::Outage if expect == Expect::Ignore => {}
            What::Outage if expect == Expect::Sometimes => {
                if to - from > DAY + HOUR {
                    tell(EventKind::DeviceOffline, from + DAY, every + SLACK);
                    tell(EventKind::DeviceOnline, to, SLACK);
                } else if to - from > DAY - HOUR {
                    truth.unsteady(n, from, to + SLACK);
                }
            }
            What::Outage | What::StartsAgain => {
                tell(EventKind::DeviceOffline, from, every + SLACK);
                tell(EventKind::DeviceOnline, to, SLACK);
            }
            What::Maintenance(work) => {
                let end = from - 60 + MUTED_HOURS * HOUR;
                self.acts.entry(from - 60).or_default().push((n, Act::MuteUntil(end)));
                match work {
                    Work::InTime => {}
                    Work::Late => {
                        tell(EventKind::DeviceOffline, end, SLACK);
                        tell(EventKind::DeviceOnline, to, SLACK);
                    }
                    Work::Acknowledged => {
                        self.acts.entry(from + HOUR).or_default().push((n, Act::Acknowledge));
                    }
                }
            }
            What::NoPicture(path) => {
                truth.expect(EventKind::StreamBroken, stream(n, path), from, 10 * every + SLACK);
                truth.expect(EventKind::StreamRepaired, stream(n, path), to, 3 * every + SLACK);
            }
            What::Hiccup | What::Blurred | What::Removed => {
                let back = if what == What::Removed { 6 * HOUR } else { 0 };
                truth.expect(EventKind::StreamBroken, stream(n, 1), from, 10 * every + SLACK);
                truth.expect(EventKind::StreamRepaired, stream(n, 1), to, back + 3 * every + SLACK);
            }
            What::NoServer => {
                tell(EventKind::ServiceBroken, from, 10 * every + SLACK);
                tell(EventKind::ServiceRepaired, to, 3 * every + SLACK);
            }
            What::Crowded | What::Slow | What::Late => {
                truth.expect(EventKind::StreamDegraded, stream(n, 1), from, 10 * every + SLACK);
                truth.expect(EventKind::StreamRepaired, stream(n, 1), to, 5 * every + SLACK);
            }
            What::Setting => {
                truth.expect(EventKind::StreamDegraded, stream(n, 1), from, 10 * every + SLACK);
                truth.expect(EventKind::StreamChanged, stream(n, 1), from + DAY, 4 * every + SLACK);
            }
            What::DeclaredSetting => {
                truth.expect(EventKind::StreamChanged, stream(n, 1), from, 10 * every + SLACK);
            }
            What::Login => {
                tell(EventKind::LoginRefused, from, every + SLACK);
                tell(EventKind::LoginAccepted, to, 6 * HOUR + SLACK);
            }
            What::Protected => {
                tell(EventKind::StreamProtected, from, 6 * HOUR);
                for path in [0, 1] {
                    truth.expect(EventKind::StreamOpen, stream(n, path), to, 6 * HOUR + SLACK);
                }
            }
            What::Flapping => {
                tell(EventKind::DeviceFlapping, from, to - from);
                tell(EventKind::DeviceSteady, to, 2 * HOUR);
                truth.unsteady(n, from, to + 2 * HOUR);
            }
        }
    }
}
