//! A frame rate that is lower for good.

use super::*;
use crate::model::Video;

const HOUR: i64 = 3_600;

fn filmed(fps: f64, declared: Option<f64>) -> Stream {
    let mut stream = stream(1, StreamStatus::Streaming);
    stream.video = Some(Video { measured_fps: Some(fps), fps: declared, ..Video::default() });
    stream
}

fn site(fps: f64) -> Site {
    let mut site = Site::default();
    site.scan(0, vec![Device { streams: vec![filmed(fps, Some(fps))], ..camera(1, 1) }]);
    site
}

fn check(site: &mut Site, seconds: i64, stream: Stream) -> Vec<Event> {
    super::once::check(site, KEY, seconds, stream)
}

/// Checks from one hour to another, each ten minutes.
fn checks(site: &mut Site, from: i64, to: i64, stream: &Stream) -> Vec<Event> {
    let times = (from * 6..to * 6).map(|n| n * HOUR / 6);
    times.flat_map(|seconds| check(site, seconds, stream.clone())).collect()
}

#[test]
fn a_rate_that_is_lower_for_a_day_becomes_the_usual_one() {
    let mut site = site(25.0);
    let slow = filmed(8.0, Some(25.0));
    let events = checks(&mut site, 1, 24, &slow);
    assert_eq!(sent(&events), ["stream.degraded"]);
    let changed = checks(&mut site, 24, 80, &slow);
    assert_eq!(sent(&changed), ["stream.changed"]);
    assert_eq!(changed[0].data.changes, ["rtsp://192.0.2.1:554/1: frame rate: 25 → 8"]);
    assert_eq!((changed[0].data.before.as_deref(), changed[0].data.after.as_deref()), (Some("25"), Some("8")));
    assert_eq!(site.memory.devices[&uid(1)].streams[KEY].health.state, StreamState::Working);
    let open = crate::notify::still_open((1..).zip(events.into_iter().chain(changed)));
    assert_eq!(open, [], "it is degraded no longer");
    assert_eq!(site.memory.pass(at(90 * HOUR)), []);
    // Less than half of that is news again.
    assert_eq!(sent(&checks(&mut site, 100, 104, &filmed(3.0, Some(25.0)))), ["stream.degraded"]);
}

#[test]
fn a_rate_that_the_stream_declares_now_is_the_usual_one_and_no_fault() {
    let mut site = site(25.0);
    let events = checks(&mut site, 1, 40, &filmed(8.0, Some(8.0)));
    assert_eq!(sent(&events), ["stream.changed"]);
    assert_eq!(events[0].data.changes, ["rtsp://192.0.2.1:554/1: frame rate: 25 → 8"]);
}

#[test]
fn a_look_that_saw_no_rate_says_nothing_of_it() {
    let unseen = || Stream { video: Some(Video { fps: Some(25.0), ..Video::default() }), ..filmed(25.0, None) };
    let mut site = site(25.0);
    let mut look = |minute: i64, stream: Stream| check(&mut site, 60 * minute, stream);
    let slow = |minute: i64| filmed(if minute % 3 == 0 { 7.0 } else { 8.0 }, Some(25.0));
    let events: Vec<Event> = (1..=8).flat_map(|n| look(n, if n % 4 == 0 { unseen() } else { slow(n) })).collect();
    assert_eq!(sent(&events), ["stream.degraded"], "six were slow");
    assert_eq!((9..=12).flat_map(|n| look(n, unseen())).collect::<Vec<Event>>(), []);
    let events: Vec<Event> = (13..=16).flat_map(|n| look(n, filmed(25.0, Some(25.0)))).collect();
    assert_eq!(sent(&events), ["stream.repaired"]);
    assert_eq!(events[0].at, at(60 * 15), "three were as usual");
}

#[test]
fn a_rate_that_is_lower_at_night_stays_degraded_until_the_morning() {
    let mut site = site(25.0);
    let mut events = Vec::new();
    for day in 0..4 {
        events.extend(checks(&mut site, day * 24 + 1, day * 24 + 13, &filmed(25.0, Some(25.0))));
        events.extend(checks(&mut site, day * 24 + 13, day * 24 + 25, &filmed(8.0, Some(25.0))));
    }
    let degraded = sent(&events).into_iter().filter(|kind| *kind == "stream.degraded").count();
    let changed = sent(&events).into_iter().filter(|kind| *kind == "stream.changed").count();
    assert_eq!((degraded, changed), (4, 0), "{:?}", sent(&events));
}

#[test]
fn a_rate_that_goes_on_falling_is_not_usual() {
    let mut site = site(30.0);
    let falling = (0..60).flat_map(|n: i32| {
        let fps = 12.0 - f64::from(n) * 0.19;
        checks(&mut site, i64::from(n) + 1, i64::from(n) + 2, &filmed(fps, Some(30.0)))
    });
    let events: Vec<Event> = falling.collect();
    assert_eq!(sent(&events), ["stream.degraded"]);
}
