//! Clocks that are set.

use proptest::prelude::*;

use super::*;
use crate::model::memory::EventKind;

#[test]
fn a_clock_that_is_set_back_begins_a_new_round() {
    let mut site = Site::default();
    site.scan(10_000, vec![camera(1, 1), camera(2, 2)]);
    site.scan(10_600, vec![camera(2, 2)]);
    site.scan(11_200, vec![camera(2, 2)]);
    assert_eq!(site.scan(5_000, vec![camera(2, 2)]), []);
    assert_eq!(site.memory.devices[&uid(1)].health.misses, 0);
    assert_eq!(site.state(1), DeviceState::Online);
}

const YEAR: i64 = 365 * 86_400;

#[test]
fn a_clock_that_was_ahead_at_the_first_scan_makes_nothing_blind() {
    for ahead in [3_600, 86_400, 10 * YEAR] {
        let mut site = Site::default();
        site.scan(ahead, (1..=4).map(|n| camera(n, n)).collect());
        // It is set right, and a camera goes.
        let events: Vec<Event> = (0..=8).flat_map(|round| site.asked(1, 60 + 30 * round, false)).collect();
        assert_eq!(sent(&events), ["device.offline"], "{ahead} s");
        assert!(events[0].data.last_seen <= Some(at(60)), "{:?}", events[0].data);
        let events: Vec<Event> = (0..2).flat_map(|round| site.asked(1, 600 + 30 * round, true)).collect();
        assert_eq!(sent(&events), ["device.online"], "{ahead} s");
    }
}

#[test]
fn a_network_that_went_while_the_clock_was_ahead_comes_back() {
    let mut site = Site::default();
    let all = || (1..=6).map(|n| camera(n, n)).collect::<Vec<_>>();
    site.scan(YEAR, all());
    assert_eq!(sent(&site.scan(YEAR + 600, vec![camera(1, 1)])), ["subnet.unreachable"]);
    assert_eq!(sent(&site.scan(600, vec![camera(1, 1)])), [""; 0]);
    assert_eq!(sent(&site.scan(1_200, all())), ["subnet.reachable"]);
}

#[test]
fn a_mute_lasts_as_long_as_was_asked_for() {
    let mut site = Site::default();
    site.scan(YEAR, vec![camera(1, 1), camera(2, 2)]);
    let scope = MuteScope::Network("192.0.2.0/24".parse().unwrap());
    let (began, ended) = (at(YEAR), Some(at(YEAR + 7_200)));
    site.memory.mute(Mute { scope, began, ended, why: None, by: None }).unwrap();
    site.memory.pass(at(100));
    assert_eq!((site.memory.mutes[0].began, site.memory.mutes[0].ended), (at(100), Some(at(7_300))));
}

/// A clock of the site and what is true of it: the nth second is shown as `shown`.
#[derive(Debug, Clone)]
struct Jumps(Vec<(i64, i64)>);

impl Jumps {
    fn shown(&self, second: i64) -> i64 {
        second + self.0.iter().filter(|(when, _)| *when <= second).map(|(_, by)| by).sum::<i64>()
    }
}

/// Within two hours, the clock is set a few times: by seconds, hours or years, ahead and back.
fn jumps() -> impl Strategy<Value = Jumps> {
    let by = prop_oneof![-400i64..400, -90_000i64..90_000, -3 * YEAR..3 * YEAR];
    prop::collection::vec((0i64..7_200, by), 0..5).prop_map(Jumps)
}

proptest! {
    /// Three cameras answer always; the fourth is off from the third hour on, for half an hour.
    #[test]
    fn whatever_the_clock_is_set_to_an_outage_is_reported_once_and_in_time(jumps in jumps()) {
        let mut site = Site::default();
        let all = || (1..=4).map(|n| camera(n, n)).collect::<Vec<_>>();
        let mut events = site.scan(jumps.shown(0), all());
        let (mut offline, mut online) = (None, None);
        for second in (30..14_400).step_by(30) {
            let shown = jumps.shown(second);
            let is_off = (9_000..10_800).contains(&second);
            let mut round = site.memory.pass(at(shown));
            for n in 1..=4 {
                round.extend(site.asked(n, shown, n != 4 || !is_off));
            }
            for event in &round {
                match event.kind {
                    EventKind::DeviceOffline => offline = offline.or(Some(second)),
                    EventKind::DeviceOnline => online = online.or(Some(second)),
                    _ => {}
                }
            }
            events.extend(round);
        }
        let count = |kind| events.iter().filter(|event| event.kind == kind).count();
        prop_assert_eq!((count(EventKind::DeviceOffline), count(EventKind::DeviceOnline)), (1, 1), "{:?}", sent(&events));
        prop_assert!(offline.is_some_and(|second| (9_180..=9_300).contains(&second)), "{:?}", offline);
        prop_assert!(online.is_some_and(|second| (10_800..=10_900).contains(&second)), "{:?}", online);
        prop_assert_eq!(count(EventKind::SubnetUnreachable) + count(EventKind::DeviceArchived), 0);
        let last = at(jumps.shown(14_400));
        let known = &site.memory.devices[&uid(1)];
        prop_assert!(known.seen.last <= last && known.health.since <= last, "{:?}", known.health);
    }
}
