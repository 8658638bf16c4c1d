//! What is changed right before a scan.

use std::net::IpAddr;

use super::incident::{Incident, What};
use super::truth::{SLACK, Subject, Truth};
use super::world::{Camera, MODELS, Trait, World};
use super::{DAY, Eyes, HOUR, SCAN_EVERY};
use crate::model::memory::{EventKind, Expect};

/// What needed attention is sent again when it had not for so long.
const FORGOTTEN: i64 = 7 * DAY;

impl World {
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
        if now < SCAN_EVERY || self.is_blind(now) {
            return self.size.eyes != Eyes::Elsewhere;
        }
        self.warn(now, truth);
        if self.size.eyes != Eyes::Usual {
            return self.size.eyes != Eyes::Elsewhere;
        }
        // What moves or is new is seen with its MAC address; every tenth scan sees none.
        if self.rng.u32(0..10) == 0 {
            return false;
        }
        match self.rng.u32(0..10) {
            0 => self.swap(now, truth),
            1 => self.move_one(now, truth),
            2 | 3 => self.turn_twin(now, truth),
            4 => self.replace(now, truth),
            6 => self.reset(now, truth),
            7 | 8 => self.take_address(now, truth),
            9 if self.cameras.len() < self.size.cameras * 5 / 4 + 30 => self.arrive(now, truth),
            _ => {}
        }
        self.grow_batch(now, truth);
        true
    }

    fn pick(&mut self, now: i64, of: &[Trait]) -> Option<usize> {
        let fits = |n: &usize| {
            self.cameras.get(*n).is_some_and(|c| {
                let is_usual = c.expect == Expect::Always && !c.is_neglected && c.network < self.mains;
                of.contains(&c.of) && !c.is_recorder && is_usual
            })
        };
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
        let shows_both = self.rng.bool();
        let Some(camera) = self.cameras.get_mut(n) else { return };
        camera.by_air = Some(by_air);
        if camera.was_on_air && (shows_both || camera.shows_both) {
            // It stays where it is, and its other card comes or goes.
            camera.shows_both = !camera.shows_both;
            return;
        }
        camera.air = if camera.air.is_none() { Some(by_air) } else { None };
        if !std::mem::replace(&mut camera.was_on_air, true) {
            // Its second network card is news.
            truth.expect(EventKind::DeviceChanged, Subject::Camera(n), now, 0);
        }
        truth.expect(EventKind::DeviceMoved, Subject::Camera(n), now, 0);
    }

    /// Another camera is put in the place of one: of the same model, or one of another that says little about itself.
    fn replace(&mut self, now: i64, truth: &mut Truth) {
        let of = [Trait::Plain, Trait::Plain, Trait::Nameless];
        let Some(n) = self.pick(now, &of) else { return };
        let says_little = self.rng.bool();
        let Some(old) = self.cameras.get_mut(n).filter(|old| old.parent.is_none() && !old.is_open) else { return };
        old.is_there = false;
        // What was planned for it does not happen.
        let planned: Vec<Incident> = old.incidents.extract_if(.., |incident| incident.from > now).collect();
        let mut camera = Camera::plain(old.network, old.ip);
        if says_little || old.of == Trait::Nameless {
            let is_other = old.model == MODELS[0];
            (camera.of, camera.batch, camera.model) =
                (Trait::Nameless, n, if is_other { MODELS[1] } else { MODELS[0] });
        }
        planned.iter().for_each(|incident| truth.forget(n, incident.from));
        self.acts.retain(|at, acts| {
            acts.retain(|(camera, _)| *camera != n || *at <= now);
            !acts.is_empty()
        });
        let new = self.cameras.len();
        self.cameras.push(camera);
        truth.expect(EventKind::DeviceReplaced, Subject::Camera(new), now, 0);
    }

    /// A camera is set back to its factory settings, and states another serial number and another endpoint.
    fn reset(&mut self, now: i64, truth: &mut Truth) {
        let Some(n) = self.pick(now, &[Trait::Plain]) else { return };
        let Some(camera) = self.cameras.get_mut(n) else { return };
        // Else both changes are one.
        if camera.incidents.iter().any(|i| i.what == What::Update && (i.to..i.to + 20 * HOUR).contains(&now)) {
            return;
        }
        camera.resets += 1;
        truth.expect(EventKind::DeviceChanged, Subject::Camera(n), now, 0);
    }

    /// DHCP gives the address of a camera that is away to another one, and its address to that one, when it is back.
    fn take_address(&mut self, now: i64, truth: &mut Truth) {
        let is_away = |n: &usize| {
            let camera = self.cameras.get(*n);
            let is_usual =
                |c: &Camera| c.of == Trait::Plain && c.parent.is_none() && c.network < self.mains && !c.is_recorder;
            let current = self.current(*n, now).filter(|i| i.what == What::Outage && i.from + HOUR < now);
            let is_calm = current.is_some_and(|i| self.is_calm_but_for_own(*n, i) && now + HOUR < i.to);
            camera.is_some_and(|c| is_usual(c) && c.is_there && c.expect == Expect::Always) && is_calm
        };
        let Some(away) = (0..self.cameras.len()).find(is_away) else { return };
        let Some(taker) = self.pick(now, &[Trait::Plain, Trait::MacOnly]) else { return };
        let place = |world: &World, n: usize| world.cameras.get(n).map(|camera| (camera.network, camera.ip));
        let (Some((network, ip)), Some((other, free))) = (place(self, away), place(self, taker)) else { return };
        if network != other {
            return;
        }
        let Some(end) = self.current(away, now).map(|incident| incident.to) else { return };
        if !self.taken.insert((away, end)) {
            return;
        }
        for (n, ip) in [(taker, ip), (away, free)] {
            self.cameras.get_mut(n).into_iter().for_each(|camera| camera.ip = ip);
        }
        truth.expect(EventKind::DeviceMoved, Subject::Camera(taker), now, 0);
        truth.expect(EventKind::DeviceMoved, Subject::Camera(away), end, 6 * HOUR + SLACK);
        // Where it is now a scan finds out.
        truth.delay(EventKind::DeviceOnline, away, end, 6 * HOUR + SLACK);
    }

    /// Whether no network and no link goes around an incident.
    fn is_calm_but_for_own(&self, n: usize, incident: Incident) -> bool {
        let network = self.network_of(n);
        let meets = |a: i64, b: i64| a < incident.to + 8 * HOUR && incident.from - 2 * HOUR < b;
        !self.blind.iter().any(|(a, b)| meets(*a, *b))
            && !self.down.iter().any(|down| down.network == network && meets(down.from, down.to + 2 * HOUR))
    }

    /// Notes what a scan sees that needs attention: the clock of a camera is wrong now and then.
    fn warn(&mut self, now: i64, truth: &mut Truth) {
        for n in 0..self.cameras.len() {
            if self.has_wrong_clock(n, now) && self.is_up(n, now) {
                let last = self.warned.insert(n, now);
                if last.is_none_or(|last| now - last >= FORGOTTEN) {
                    truth.expect(EventKind::ClockWrong, Subject::Camera(n), now, 0);
                }
            }
        }
    }

    /// Whether the clock of a camera is wrong.
    pub(super) fn has_wrong_clock(&self, n: usize, now: i64) -> bool {
        self.cameras.get(n).is_some_and(|camera| camera.is_neglected) && matches!(now / DAY % 20, 1 | 4 | 12)
    }

    fn arrive(&mut self, now: i64, truth: &mut Truth) {
        let (network, plain) = (self.rng.usize(0..self.mains), [0, 0, 0, 0].into());
        if self.has_room(network, now) {
            self.add(Camera::plain(network, plain), now, truth);
        }
        // One more behind a router that answers for all that are behind it.
        let Some(n) = self.pick(now, &[Trait::Proxied]) else { return };
        let Some((network, batch)) = self.cameras.get(n).map(|camera| (camera.network, camera.batch)) else { return };
        if self.has_room(network, now) {
            self.add(Camera { of: Trait::Proxied, batch, ..Camera::plain(network, plain) }, now, truth);
        }
    }

    /// More of a batch are put up while the only one that is known does not answer: by what they have in common each of them
    /// could be that one.
    fn grow_batch(&mut self, now: i64, truth: &mut Truth) {
        const BATCHES: [Trait; 4] = [Trait::Clone, Trait::Nameless, Trait::Serial, Trait::Short];
        let is_only = |camera: &Camera| {
            let alike = |other: &&Camera| other.of == camera.of && other.batch == camera.batch;
            BATCHES.contains(&camera.of) && self.cameras.iter().filter(alike).count() == 1
        };
        let is_away = |n: usize| matches!(self.current(n, now), Some(Incident { what: What::Outage, .. }));
        let found = self.cameras.iter().enumerate().find(|(n, camera)| is_away(*n) && is_only(camera));
        let Some((of, network, batch)) = found.map(|(_, camera)| (camera.of, camera.network, camera.batch)) else {
            return;
        };
        let model = if of == Trait::Short { MODELS[1] } else { MODELS[0] };
        let camera = || Camera { of, batch, model, ..Camera::plain(network, [0, 0, 0, 0].into()) };
        // Of two clones that come alone the first would be taken for the one that is away.
        for _ in 0..if of == Trait::Clone { 2 } else { 1 } {
            if self.has_room(network, now) {
                self.add(camera(), now, truth);
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

    /// Puts up a camera that was never seen before, at an address of its own.
    fn add(&mut self, camera: Camera, now: i64, truth: &mut Truth) {
        let new = self.put(camera);
        truth.expect(EventKind::DeviceNew, Subject::Camera(new), now, 0);
    }
}
