//! Where nobody looks because nothing is due, nothing is due.

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::memory::Expect;

/// What may happen between two looks at the clock.
#[derive(Debug, Clone)]
enum Act {
    /// A scan that finds these of the cameras, each with what its stream is like.
    Scan(Vec<Option<StreamStatus>>),
    Asked(u8, bool),
    /// All are asked, one after the other.
    AllAsked(bool),
    Played(u8, StreamStatus),
    /// Played so often in a row, every two minutes.
    PlayedAll(u8, Vec<StreamStatus>),
    /// Its stream comes and goes, or the camera itself does.
    Flaps(u8, bool),
    Expect(u8, Expect),
    Mute(MuteScope, i64),
    MuteDevice(u8, i64),
    Acknowledge(u8),
    Archive(u8, bool),
    Merge(u8, u8),
    Pass,
}

const CAMERAS: u8 = 4;

fn act() -> impl Strategy<Value = Act> {
    use StreamStatus::{AuthRequired, NoData, Streaming};
    let status = || select(&[Streaming, Streaming, NoData, AuthRequired][..]);
    let n = || 1..=CAMERAS;
    let seconds = || select(&[600, 7_200, 100_000][..]);
    let scope = prop_oneof![
        Just(MuteScope::Network("192.0.2.0/24".parse().unwrap())),
        Just(MuteScope::Site("barn".to_owned())),
        n().prop_map(|n| MuteScope::Device(uid(n))),
    ];
    prop_oneof![
        4 => prop::collection::vec(prop::option::weighted(0.7, status()), usize::from(CAMERAS)).prop_map(Act::Scan),
        3 => (n(), any::<bool>()).prop_map(|(n, yes)| Act::Asked(n, yes)),
        3 => any::<bool>().prop_map(Act::AllAsked),
        3 => (n(), status()).prop_map(|(n, status)| Act::Played(n, status)),
        3 => (n(), prop::collection::vec(status(), 3..12)).prop_map(|(n, all)| Act::PlayedAll(n, all)),
        2 => (n(), any::<bool>()).prop_map(|(n, all)| Act::Flaps(n, all)),
        1 => (n(), select(&[Expect::Always, Expect::Sometimes, Expect::Ignore][..])).prop_map(|(n, e)| Act::Expect(n, e)),
        1 => (scope, seconds()).prop_map(|(scope, seconds)| Act::Mute(scope, seconds)),
        1 => (n(), seconds()).prop_map(|(n, seconds)| Act::MuteDevice(n, seconds)),
        1 => n().prop_map(Act::Acknowledge),
        1 => (n(), any::<bool>()).prop_map(|(n, yes)| Act::Archive(n, yes)),
        1 => (n(), n()).prop_map(|(a, b)| Act::Merge(a, b)),
        2 => Just(Act::Pass),
    ]
}

/// Seconds from one act to the next: as checks and scans come, and now and then a year, or a clock that is set back.
fn step() -> impl Strategy<Value = i64> {
    select(&[0, 20, 60, 130, 300, 300, 1_800, 3_700, 90_000, 20 * 86_400, 370 * 86_400, -4_000][..])
}

impl Site {
    fn act(&mut self, now: i64, act: &Act) {
        match act {
            Act::Scan(found) => {
                let certified = |n: u8| Some(at(i64::from(n) * 15 * 86_400));
                let one = |(n, status): (u8, &Option<StreamStatus>)| {
                    let streams = vec![stream(n, (*status)?)];
                    Some(Device { streams, certificate_ends: certified(n), ..camera(n, n) })
                };
                self.scan(now, (1..).zip(found).filter_map(one).collect());
            }
            Act::Asked(n, yes) => drop(self.asked(*n, now, *yes)),
            Act::AllAsked(yes) => (1..=CAMERAS).for_each(|n| drop(self.asked(n, now, *yes))),
            Act::Played(n, status) => drop(self.play(*n, now, *status)),
            Act::PlayedAll(n, all) => {
                (0..).zip(all).for_each(|(check, status)| drop(self.play(*n, now + 120 * check, *status)));
            }
            Act::Flaps(n, all) => {
                for check in 0..20 {
                    let (is_well, then) = (check % 5 > 2, now + 120 * check);
                    let status = if is_well { StreamStatus::Streaming } else { StreamStatus::NoData };
                    if *all {
                        self.asked(*n, then, is_well)
                    } else {
                        self.play(*n, then, status)
                    };
                }
            }
            Act::Expect(n, expect) => {
                let note = &mut self.memory.devices.get_mut(&uid(*n)).unwrap().note;
                (note.expect, note.site) = (*expect, Some("barn".to_owned()));
            }
            Act::Mute(scope, seconds) => {
                let (began, ended) = (at(now), Some(at(now + seconds)));
                self.memory.mute(Mute { scope: scope.clone(), began, ended, why: None, by: None }).unwrap();
            }
            Act::MuteDevice(n, seconds) => drop(self.memory.mute_until(&uid(*n), Some(at(now + seconds)), None)),
            Act::Acknowledge(n) => drop(self.memory.acknowledge_all(&uid(*n), at(now))),
            Act::Archive(n, yes) => drop(self.memory.set_archived(&uid(*n), yes.then(|| at(now)))),
            Act::Merge(a, b) => drop(self.memory.merge(&uid(*a), &uid(*b))),
            Act::Pass => drop(self.memory.pass(at(now))),
        }
    }
}

/// What passing does at a time, and what it should: the memory after it, its events, and the devices it says it changed.
fn passed(memory: &Memory, now: Timestamp) -> (Memory, Vec<Event>, BTreeSet<Uid>) {
    let mut after = memory.clone();
    after.take_touched();
    let events = after.pass(now);
    let touched = after.take_touched();
    (after, events, touched)
}

proptest! {
    #[test]
    fn where_it_is_quiet_time_brings_nothing_about(
        acts in prop::collection::vec((step(), act()), 0..25),
        later in select(&[0, 60, 3_700, 90_000, 31 * 86_400, 366 * 86_400, -3_000][..]),
    ) {
        let mut site = Site::default();
        site.act(0, &Act::Scan(vec![Some(StreamStatus::Streaming); usize::from(CAMERAS)]));
        let mut now = 0;
        for (step, act) in acts {
            now += step;
            site.act(now, &act);
            let memory = &site.memory;
            let at = at(now + later);
            let (after, events, touched) = passed(memory, at);
            // Whatever changed of a device is said to have, or it would not be stored.
            for (uid, known) in &after.devices {
                let is_same = memory.devices.get(uid) == Some(known);
                prop_assert!(is_same || touched.contains(uid), "{} after {:?}", uid, act);
            }
            if !memory.is_quiet(at) {
                continue;
            }
            prop_assert_eq!(events, Vec::<Event>::new(), "after {:?}", act);
            prop_assert_eq!(touched, BTreeSet::new());
            // The time itself is known, and mutes that ended long ago are forgotten; neither is worth being stored for.
            let kept = |mute: &&Mute| mute.ended.is_none_or(|ended| ended.duration_until(at) < SignedDuration::from_hours(30 * 24));
            let expected = Memory {
                last_at: memory.last_at.max(Some(at)),
                mutes: memory.mutes.iter().filter(kept).cloned().collect(),
                touched: BTreeSet::new(),
                ..memory.clone()
            };
            prop_assert_eq!(after, expected);
        }
    }
}

/// Devices 1 to 4 are known, and their network is muted for two hours.
fn muted_network() -> Site {
    let mut site = Site::default();
    site.scan(0, (1..=CAMERAS).map(|n| camera(n, n)).collect());
    let scope = MuteScope::Network("192.0.2.0/24".parse().unwrap());
    site.memory.mute(Mute { scope, began: at(0), ended: Some(at(7_200)), why: None, by: None }).unwrap();
    site
}

/// Looks at the clock as `watch` does: only where it is not quiet.
fn look(site: &mut Site, seconds: i64) -> Vec<Event> {
    if site.memory.is_quiet(at(seconds)) { Vec::new() } else { site.memory.pass(at(seconds)) }
}

#[test]
fn a_network_lost_while_it_was_muted_is_told_when_the_mute_ends() {
    let mut site = muted_network();
    let mut events = Vec::new();
    for seconds in [0, 20, 60, 180] {
        events.extend((1..=CAMERAS).flat_map(|n| site.asked(n, 1_000 + i64::from(n) + seconds, false)));
    }
    assert_eq!(all(&events), [("subnet.unreachable", Some(MutedBy::User))]);
    assert_eq!(look(&mut site, 7_100), []);
    assert_eq!(sent(&look(&mut site, 7_300)), ["subnet.unreachable"]);
    assert!(site.memory.is_quiet(at(7_360)));
}

#[test]
fn a_device_that_came_and_went_is_told_to_be_steady() {
    use DeviceState::{Offline, Online};
    let mut site = Site::default();
    site.scan(0, (1..=CAMERAS).map(|n| camera(n, n)).collect());
    let mut now = 1_000;
    let mut becomes = |site: &mut Site, state: DeviceState| {
        let is_so = (0..20).any(|_| {
            now += 60;
            site.asked(1, now, state == Online);
            site.state(1) == state
        });
        assert!(is_so, "it is {:?}", site.state(1));
        now
    };
    becomes(&mut site, Offline);
    // For so long that this change counts no longer: the fourth that does is that it goes again.
    for _ in 0..90 {
        becomes(&mut site, Offline);
    }
    let mut last = 0;
    for state in [Online, Offline, Online, Offline, Online] {
        last = becomes(&mut site, state);
    }
    assert!(site.memory.devices[&uid(1)].health.flaps.since.is_some());
    assert_eq!(sent(&look(&mut site, last + 3_700)), ["device.steady"]);
    assert!(site.memory.is_quiet(at(last + 3_760)));
}

#[test]
fn a_stream_that_is_gone_leaves_it_quiet() {
    let mut site = muted_network();
    for check in 0..6 {
        site.play(1, 300 + 120 * check, StreamStatus::NoData);
    }
    assert!(site.memory.devices[&uid(1)].streams[KEY].health.is_untold(), "it broke while it was muted");
    let others = || (2..=CAMERAS).map(|n| camera(n, n));
    let other = Stream::new("rtsp://192.0.2.1:554/2".to_owned(), Protocol::Rtsp);
    for scan in 1..=3 {
        let one = Device { streams: vec![Stream { status: StreamStatus::Streaming, ..other.clone() }], ..camera(1, 1) };
        site.scan(1_200 * scan, std::iter::once(one).chain(others()).collect());
    }
    assert!(site.memory.devices[&uid(1)].streams[KEY].gone_at.is_some());
    assert!(site.memory.is_quiet(at(7_300)));
}
