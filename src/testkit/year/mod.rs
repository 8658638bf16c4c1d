//! A simulated site over months, with a ground truth against which what is remembered and told of it is judged: who is who,
//! every outage once and its end once, and nothing else.
//!
//! The loop is that of `watch`: full scans at an interval, checks by [`CheckPlan`] and [`due_again`] in between. What is not simulated:
//! addresses that change hands between two scans (they do so right before one), and devices with neither serial number nor
//! endpoint that move while a scan sees no MAC addresses.
//!
//! Happenings are written by what happens. That each rule is needed is seen by switching it off, see [`rules`].

mod down;
mod incident;
mod plan;
pub mod rules;
mod sight;
mod tamper;
mod truth;
mod world;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use jiff::{SignedDuration, Timestamp};

use crate::history::memory::{KeyKind, Memory, NoteEdit, Round, Rule, StreamCheck, Vantage};
use crate::history::schedule::checks::{CheckPlan, due_again};
use crate::model::memory::{Event, EventKind, Expect, MutedBy, Uid};
use crate::model::{ErrorKind, MacAddr};
use incident::Act;
use truth::Truth;
use world::World;

/// Seconds from one full scan to the next.
const SCAN_EVERY: i64 = 6 * 3600;
/// Seconds from one look at what is due to the next.
const TICK: i64 = 30;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Logins that may be refused by one camera in a day, between scans.
const MOST_REFUSED: usize = 2;

/// How much is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Cameras at the beginning, 40 at least.
    pub cameras: usize,
    /// Days.
    pub days: i64,
    /// Seconds between two looks at a stream.
    pub check_every: i64,
    /// What chance begins with.
    pub seed: u64,
    /// Who looks at it.
    pub eyes: Eyes,
    /// The rule that does not hold.
    pub without: Option<Rule>,
    /// It ends with the day on which something was wrong.
    pub until_wrong: bool,
}

/// Who looks at the site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Eyes {
    /// A machine on the link of all networks, while cameras are moved, replaced and bought.
    #[default]
    Usual,
    /// A second one that begins two hours later, while no camera is moved.
    Later,
    /// One that is behind a router, and sees no MAC address and not every camera.
    Elsewhere,
    /// One the clock of which is set ahead, by minutes to most of a year, and back; each time it starts anew.
    ClockSet,
}

impl Eyes {
    /// Seconds after the beginning at which its scans are due.
    fn phase(self) -> i64 {
        if self == Eyes::Later { 2 * HOUR } else { 0 }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Full scans.
    pub scans: u64,
    /// Looks at streams, and questions to devices, in between.
    pub checks: u64,
    /// Events that were sent, by kind.
    pub sent: BTreeMap<EventKind, u64>,
    /// Events that were kept and not sent, by reason.
    pub muted: BTreeMap<MutedBy, u64>,
    /// Two devices that were taken for one.
    pub merges: Vec<String>,
    /// One device that was taken for two.
    pub splits: Vec<String>,
    /// What was sent and was not so, or was sent again.
    pub false_alarms: Vec<String>,
    /// What was so and was not sent.
    pub missed: Vec<String>,
}

impl Outcome {
    fn is_wrong_so_far(&self) -> bool {
        !self.merges.is_empty() || !self.splits.is_empty()
    }

    /// Whether everything was as it should be.
    pub fn is_right(&self) -> bool {
        [&self.merges, &self.splits, &self.false_alarms, &self.missed].iter().all(|wrong| wrong.is_empty())
    }
}

/// The simulation's time.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap_or(Timestamp::MAX)
}

/// The second of the simulation's time.
fn second(at: Timestamp) -> i64 {
    at.as_second() - 1_767_225_600
}

/// Simulates it.
pub fn run(size: Size) -> Outcome {
    Rule::without(size.without, || simulate(size))
}

fn simulate(size: Size) -> Outcome {
    let mut run = Run {
        world: World::new(size),
        truth: Truth::default(),
        memory: Memory::default(),
        minted: 0,
        outcome: Outcome::default(),
        who: BTreeMap::new(),
        uids: BTreeMap::new(),
        rounds: BinaryHeap::new(),
        planned: BTreeSet::new(),
        refused: BTreeMap::new(),
    };
    run.world.plan_incidents(&mut run.truth);
    run.truth.keep(|n| run.world.is_seen(n));
    let plan = CheckPlan::every(SignedDuration::from_secs(size.check_every));
    for now in (0..size.days * 86_400).step_by(usize::try_from(TICK).unwrap_or(1)) {
        run.set_clock(&plan, now);
        if (now - size.eyes.phase()) % SCAN_EVERY == 0 && now >= size.eyes.phase() {
            run.scan(now);
            run.plan_rounds(&plan, now);
        }
        run.act(now);
        if size.until_wrong && now % DAY == 0 && (run.outcome.is_wrong_so_far() || run.truth.is_wrong(now)) {
            run.truth.end = now;
            break;
        }
        run.round(&plan, now);
        for uid in due_again(&run.memory, run.world.clock(now)) {
            run.ask(&uid, now);
        }
        if now % 300 == 0 {
            let events = run.memory.pass(run.world.clock(now));
            run.note(&events);
        }
        // As the store does.
        run.memory.take_touched();
    }
    let Run { truth, mut outcome, .. } = run;
    truth.judge(&mut outcome);
    outcome
}

struct Run {
    world: World,
    truth: Truth,
    memory: Memory,
    minted: u64,
    outcome: Outcome,
    /// Which camera a device is, and which device a camera is.
    who: BTreeMap<Uid, usize>,
    uids: BTreeMap<usize, Uid>,
    /// When each device has its place in its next round, and which round that is; the earliest comes first.
    rounds: BinaryHeap<Reverse<(Timestamp, Uid, i64)>>,
    /// The devices that are in it.
    planned: BTreeSet<Uid>,
    /// When a login was last refused by each camera between scans.
    refused: BTreeMap<usize, Vec<i64>>,
}

impl Run {
    fn scan(&mut self, now: i64) {
        let sees_macs = self.world.before_scan(now, &mut self.truth);
        let (report, cameras) = self.world.report(now, sees_macs);
        let sight = self.world.sight(now);
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            let mut random = [0; 10];
            // In no order, as random ones are.
            random[..8].copy_from_slice(&minted.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            Uid::of(random)
        };
        let learnt = self.memory.learn(&Round { report: &report, at: self.world.clock(now), sight: &sight }, &mut mint);
        self.outcome.scans += 1;
        for (uid, camera) in learnt.devices.iter().zip(cameras) {
            let known = self.who.entry(uid.clone()).or_insert(camera);
            if *known != camera {
                self.outcome.merges.push(format!("day {}: {uid} is {known} and {camera}", now / 86_400));
            }
            let own = self.uids.entry(camera).or_insert_with(|| uid.clone());
            if own != uid {
                self.outcome.splits.push(format!("day {}: {camera} is {own} and {uid}", now / 86_400));
            }
        }
        self.note(&learnt.events);
    }

    /// Gives devices that are new the round that they are in.
    fn plan_rounds(&mut self, plan: &CheckPlan, now: i64) {
        for known in self.memory.roots() {
            if self.planned.insert(known.uid.clone()) {
                let now = self.world.clock(now);
                self.rounds.push(Reverse((now, known.uid.clone(), plan.round(&known.uid, now))));
            }
        }
    }

    /// Makes the checks of those devices whose place in a round has come.
    fn round(&mut self, plan: &CheckPlan, now: i64) {
        let mut due = Vec::new();
        let clock = self.world.clock(now);
        while let Some(mut first) = self.rounds.peek_mut().filter(|first| first.0.0 <= clock) {
            let Reverse((begins, uid, round)) = &mut *first;
            due.extend(self.memory.devices.get(uid).and_then(|known| plan.due(known, *round)));
            *round += 1;
            *begins = plan.begins(uid, *round);
        }
        for due in due {
            if due.streams.is_empty() {
                self.ask(&due.uid, now);
            }
            for key in due.streams {
                self.play(&due.uid, key, now);
            }
        }
    }

    /// Asks a device whether it is there.
    fn ask(&mut self, uid: &Uid, now: i64) {
        let Some(&camera) = self.who.get(uid) else { return };
        let vantage = self.world.vantage(self.world.network_of(camera), now);
        let yes = vantage != Vantage::Blind
            && self.there(uid, camera, now).is_some_and(|there| there == camera || self.is_it(uid, there));
        let events = self.memory.answered(uid, self.world.clock(now), yes, vantage);
        self.outcome.checks += 1;
        self.note(&events);
    }

    /// Which camera answers where a device was last.
    fn there(&self, uid: &Uid, camera: usize, now: i64) -> Option<usize> {
        self.world.at(self.memory.devices.get(uid)?.device.ip, camera, now)
    }

    /// Whether a camera can be the device by its MAC address, as `watch` looks at it.
    fn is_it(&self, uid: &Uid, camera: usize) -> bool {
        let known: Vec<MacAddr> = self
            .memory
            .keys_of(uid)
            .filter(|key| key.kind == KeyKind::Mac)
            .filter_map(|key| key.value.parse().ok())
            .chain(self.memory.devices.get(uid).and_then(|known| known.device.mac))
            .filter(|mac: &MacAddr| !mac.is_local())
            .collect();
        known.is_empty() || self.world.mac(camera).is_none_or(|mac| mac.is_local() || known.contains(&mac))
    }

    /// Plays a stream; who cannot see plays none.
    fn play(&mut self, uid: &Uid, key: String, now: i64) {
        let Some(&camera) = self.who.get(uid).filter(|_| !self.world.is_blind(now)) else { return };
        let there = self.there(uid, camera, now);
        let stream = self.world.played((camera, there), &key, now);
        if stream.error.as_ref().is_some_and(|error| error.kind == ErrorKind::AuthRefused) {
            let refused = self.refused.entry(camera).or_default();
            refused.retain(|last| now - last < DAY);
            refused.push(now);
            if refused.len() == MOST_REFUSED + 1 {
                self.truth.wrong(format!("day {}: {camera} refused {} logins in a day", now / DAY, refused.len()));
            }
        }
        let check = StreamCheck {
            uid: uid.clone(),
            key,
            at: self.world.clock(now),
            stream,
            busy: false,
            ways_tried: 2,
            offers_digest: false,
        };
        let events = self.memory.checked(&check);
        self.outcome.checks += 1;
        self.note(&events);
    }

    /// The clock is set ahead every three days, and back some hours later. Each time the program starts anew.
    fn set_clock(&mut self, plan: &CheckPlan, now: i64) {
        if self.world.size.eyes != Eyes::ClockSet {
            return;
        }
        const BY: [i64; 4] = [11 * 60, 5 * HOUR, 40 * DAY, 300 * DAY];
        // In the third hour after a scan, on every third day.
        let (day, hour) = (now / DAY, now % DAY / HOUR);
        let by = BY.get(usize::try_from(day / 3 % 4).unwrap_or_default()).copied().unwrap_or_default();
        let ahead = if day % 3 == 1 && (8..16).contains(&hour) { by } else { 0 };
        if ahead == self.world.ahead {
            return;
        }
        self.world.ahead = ahead;
        let written = serde_json::to_string(&self.memory).unwrap_or_default();
        match serde_json::from_str(&written) {
            Ok(memory) => self.memory = memory,
            Err(error) => self.truth.wrong(format!("day {day}: what was remembered cannot be read: {error}")),
        }
        (self.rounds, self.planned) = (BinaryHeap::new(), BTreeSet::new());
        self.plan_rounds(plan, now);
    }

    /// What users do by then.
    fn act(&mut self, now: i64) {
        if self.outcome.scans == 1 && now == self.world.size.eyes.phase() {
            for (uid, camera) in &self.who {
                let expect = self.world.cameras.get(*camera).map_or(Expect::Always, |camera| camera.expect);
                // The note of a device that is known takes no harm.
                self.memory.annotate(uid, &NoteEdit { expect: Some(expect), ..NoteEdit::default() }).ok();
            }
        }
        while let Some(acts) = self.world.acts.first_entry().filter(|acts| *acts.key() <= now) {
            for (camera, act) in acts.remove() {
                let Some(uid) = self.uids.get(&camera) else { continue };
                match act {
                    Act::MuteUntil(until) => self.memory.mute_until(uid, Some(at(until)), None),
                    Act::Acknowledge => self.memory.acknowledge(uid, None, self.world.clock(now)),
                };
            }
        }
    }

    fn note(&mut self, events: &[Event]) {
        for event in events {
            match event.muted_by {
                Some(why) => *self.outcome.muted.entry(why).or_default() += 1,
                None => {
                    *self.outcome.sent.entry(event.kind).or_default() += 1;
                    let camera = event.device.as_ref().and_then(|uid| self.who.get(uid)).copied();
                    self.truth.sent(event, camera, second(event.at) - self.world.ahead);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::rules::{NOTICED_ELSEWHERE, is_of_the_site, without};
    use super::*;
    use crate::history::memory::WITHOUT;

    fn judged(size: Size) -> Outcome {
        let outcome = run(size);
        let show = |wrong: &[String]| wrong.iter().take(8).cloned().collect::<Vec<_>>();
        assert_eq!(show(&outcome.merges), [""; 0], "wrong merges");
        assert_eq!(show(&outcome.splits), [""; 0], "splits");
        assert_eq!(show(&outcome.false_alarms), [""; 0], "false alarms");
        assert_eq!(show(&outcome.missed), [""; 0], "missed");
        outcome
    }

    /// The whole year of 200 cameras is `examples/year.rs`.
    #[test]
    fn weeks_of_a_site_are_told_as_they_were() {
        let outcome = judged(Size {
            cameras: 40,
            days: 14,
            check_every: 600,
            seed: 2,
            eyes: Eyes::Usual,
            without: None,
            until_wrong: false,
        });
        for kind in [
            EventKind::DeviceOffline,
            EventKind::DeviceOnline,
            EventKind::DeviceMoved,
            EventKind::DeviceReplaced,
            EventKind::DeviceNew,
            EventKind::StreamBroken,
            EventKind::StreamRepaired,
            EventKind::SubnetUnreachable,
            EventKind::SubnetReachable,
            EventKind::LoginRefused,
            EventKind::DeviceFlapping,
        ] {
            assert!(outcome.sent.get(&kind).is_some_and(|count| *count > 0), "no {kind} in {:?}", outcome.sent);
        }
    }

    /// In these two weeks clones are bought while the only one that is known is away: by serial number and endpoint each of
    /// them could be that one.
    #[test]
    fn clones_are_told_from_the_one_that_is_away() {
        judged(Size {
            cameras: 40,
            days: 14,
            check_every: 600,
            seed: 1,
            eyes: Eyes::Usual,
            without: None,
            until_wrong: false,
        });
    }

    /// Who sees less, looks at other times, or has a clock that is set, is right as well.
    #[test]
    fn other_eyes_see_the_same() {
        for eyes in [Eyes::Later, Eyes::Elsewhere, Eyes::ClockSet] {
            judged(Size { cameras: 40, days: 14, check_every: 600, seed: 2, eyes, without: None, until_wrong: false });
        }
    }

    /// A rule that can be switched off without anything that notices is none.
    #[test]
    fn each_rule_is_needed() {
        let size = Size {
            cameras: 40,
            days: 14,
            check_every: 900,
            seed: 1,
            eyes: Eyes::Usual,
            without: None,
            until_wrong: true,
        };
        let unnoticed = |rule: &Rule| is_of_the_site(*rule) && without(*rule, size).1.is_right();
        let (some, others) = Rule::ALL.split_at(Rule::ALL.len() / 2);
        let look = |rules: &[Rule]| rules.iter().copied().filter(unnoticed).collect::<Vec<Rule>>();
        let (some, others) = std::thread::scope(|scope| {
            let other = scope.spawn(|| look(others));
            (look(some), other.join().unwrap())
        });
        assert_eq!([some, others].concat(), [], "nothing notices that they do not hold");
    }

    /// Each test that is named fails without its rule.
    #[test]
    fn what_is_noticed_elsewhere_is() {
        for (rule, test) in NOTICED_ELSEWHERE {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", &format!("history::memory::tests::{test}")]);
            let whole = command.output().unwrap();
            assert!(String::from_utf8_lossy(&whole.stdout).contains("1 passed"), "there is no test {test}");
            let without = command.env(WITHOUT, rule.as_str()).output().unwrap();
            assert!(String::from_utf8_lossy(&without.stdout).contains("1 failed"), "{test} does not need {rule}");
        }
    }
}
