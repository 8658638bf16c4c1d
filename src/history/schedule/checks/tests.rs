use proptest::prelude::*;

use super::*;
use crate::history::memory::Vantage;
use crate::history::memory::tests::{Site, at, camera};
use crate::model::{Device, Stream, Video};

fn uid(n: u32) -> Uid {
    let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
    Uid::of([a, b, c, d, a, b, c, d, a, b])
}

fn stream(path: &str, width: u32, channel: Option<u32>) -> Stream {
    let video = Video { width: Some(width), height: Some(width / 2), ..Video::default() };
    let status = StreamStatus::Streaming;
    Stream {
        video: Some(video),
        channel,
        status,
        ..Stream::new(format!("rtsp://192.0.2.1:554/{path}"), Protocol::Rtsp)
    }
}

/// What is known of a camera after one scan.
fn known(streams: Vec<Stream>) -> Known {
    let mut site = Site::default();
    site.scan(0, vec![Device { streams, ..camera(1, 1) }]);
    site.memory.devices.into_values().next().unwrap()
}

fn five_minutes() -> CheckPlan {
    CheckPlan::every(SignedDuration::from_mins(5))
}

#[test]
fn a_round_is_never_shorter_than_thirty_seconds() {
    assert_eq!(CheckPlan::every(SignedDuration::from_secs(1)), CheckPlan::every(CheckPlan::SHORTEST));
}

#[test]
fn the_small_stream_is_played_and_each_sixth_time_the_large_one() {
    let known = known(vec![stream("main", 1920, None), stream("sub", 640, None)]);
    let plan = five_minutes();
    let played: Vec<Vec<String>> = (6..18).map(|round| plan.due(&known, round).unwrap().streams).collect();
    for (n, streams) in played.iter().enumerate() {
        let expected = if n % 6 == 0 { "rtsp:554/main" } else { "rtsp:554/sub" };
        assert_eq!(*streams, [expected], "round {n}");
    }
}

#[test]
fn of_each_channel_one_stream_is_played_and_what_is_broken_besides() {
    let streams = [(1, "1/main", 1920), (1, "1/sub", 640), (2, "2/main", 1920), (2, "2/sub", 640)];
    let streams = streams.into_iter().map(|(channel, path, width)| stream(path, width, Some(channel))).collect();
    let mut known = known(streams);
    let plan = five_minutes();
    assert_eq!(plan.due(&known, 1).unwrap().streams, ["rtsp:554/1/sub", "rtsp:554/2/sub"]);
    known.streams.get_mut("rtsp:554/1/main").unwrap().health.state = StreamState::Broken;
    assert_eq!(plan.due(&known, 1).unwrap().streams, ["rtsp:554/1/main", "rtsp:554/1/sub", "rtsp:554/2/sub"]);
}

/// Each path of a media server may be a camera: none is left to the scans alone.
#[test]
fn the_paths_of_a_media_server_are_played_by_turns() {
    let streams = (0..20).map(|n| stream(&format!("cam{n:02}"), 640, None)).collect();
    let mut known = known(streams);
    known.device.kind = crate::model::Kind::MediaServer;
    let rounds: Vec<Vec<String>> = (0..6).map(|round| five_minutes().due(&known, round).unwrap().streams).collect();
    let counts: Vec<usize> = rounds.iter().map(Vec::len).collect();
    assert_eq!(counts, [8, 8, 4, 8, 8, 4]);
    let all: std::collections::BTreeSet<&String> = rounds.iter().take(3).flatten().collect();
    assert_eq!(all.len(), 20);
}

/// Whether it is the stream or its port is known by the others.
#[test]
fn beside_a_stream_that_fails_others_of_its_port_are_played_until_one_of_them_does() {
    let mut known = known(vec![stream("main", 1920, None), stream("sub", 640, None), stream("third", 320, None)]);
    let plan = five_minutes();
    let fail = |known: &mut Known, key: &str| {
        let health = &mut known.streams.get_mut(key).unwrap().health;
        (health.bad, health.first_bad) = (1, Some(at(600)));
    };
    assert_eq!(plan.due(&known, 1).unwrap().streams, ["rtsp:554/third"]);
    fail(&mut known, "rtsp:554/third");
    assert_eq!(plan.due(&known, 2).unwrap().streams, ["rtsp:554/main", "rtsp:554/sub", "rtsp:554/third"]);
    known.streams.get_mut("rtsp:554/sub").unwrap().last_ok = Some(at(900));
    assert_eq!(plan.due(&known, 3).unwrap().streams, ["rtsp:554/third"]);
}

/// What stands in an address in place of a login opens nothing.
#[test]
fn an_address_without_its_login_is_not_played() {
    let hidden = || stream("user=***&password=***&channel=1&stream=0.sdp", 640, None);
    let mut all = known(vec![hidden(), stream("main", 1920, None)]);
    all.streams.values_mut().for_each(|stream| stream.health.state = StreamState::Broken);
    assert_eq!(five_minutes().due(&all, 1).unwrap().streams, ["rtsp:554/main"]);
    // A device of which nothing else is known is asked whether it is there.
    assert_eq!(five_minutes().due(&known(vec![hidden()]), 1).map(|due| due.streams), Some(Vec::new()));
}

#[test]
fn who_is_to_be_left_alone_is() {
    let camera = || known(vec![stream("a", 640, None)]);
    let plan = five_minutes();
    let change = |change: fn(&mut Known)| {
        let mut known = camera();
        change(&mut known);
        plan.due(&known, 1)
    };
    assert_eq!(change(|known| known.archived_at = Some(at(2))), None);
    assert_eq!(change(|known| known.merged_into = Some(uid(2))), None);
    assert_eq!(change(|known| known.note.expect = Expect::Ignore), None);
    // It is asked whether it is there, and no stream of it is played.
    let asked = Some(Due { uid: camera().uid, streams: Vec::new() });
    assert_eq!(change(|known| known.health.state = DeviceState::Offline), asked);
    assert_eq!(change(|known| known.health.misses = 1), None);
    assert_eq!(change(|known| known.streams.values_mut().for_each(|s| s.gone_at = Some(at(2)))), asked);
    assert_eq!(
        change(|known| known.streams.values_mut().for_each(|s| s.stream.status = StreamStatus::AuthRequired)),
        asked
    );
}

/// 20, 40, 80, 180 s after the first miss, and more seldom from then on.
#[test]
fn a_device_that_misses_is_asked_again_soon_and_ever_more_seldom() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    let mut memory = site.memory;
    let uid = memory.devices.keys().next().unwrap().clone();
    assert_eq!(again(&memory.devices[&uid]), None);
    let mut now = at(100);
    memory.answered(&uid, now, false, Vantage::CLEAR);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let due = again(&memory.devices[&uid]).unwrap();
        assert!(due_again(&memory, due).contains(&uid) && due_again(&memory, now).is_empty());
        waits.push(due.duration_since(now).as_secs());
        now = due;
        memory.answered(&uid, now, false, Vantage::CLEAR);
    }
    assert_eq!(waits, [20, 20, 40, 100, 160, 320, 600, 600]);
    assert_eq!(memory.devices[&uid].health.state, DeviceState::Offline);
    memory.answered(&uid, now, true, Vantage::CLEAR);
    let settled = again(&memory.devices[&uid]);
    assert!(settled.is_none_or(|due| due.duration_since(now) == FIRST_AGAIN), "{settled:?}");
}

#[test]
fn a_device_that_misses_has_witnesses() {
    let mut site = Site::default();
    let recorder = Device { kind: crate::model::Kind::Recorder, ..camera(99, 99) };
    let shown = vec![crate::model::ShownBy { recorder: recorder.id.clone(), ip: recorder.ip, channel: 1 }];
    let fed = Device { shown_by: shown, ..camera(1, 1) };
    let others = (2..20).map(|n| camera(n, n));
    site.scan(0, [fed, recorder].into_iter().chain(others).collect());
    let mut memory = site.memory;
    let missing = memory.find("192.0.2.1").unwrap().uid.clone();
    let parent = memory.find("192.0.2.99").unwrap().uid.clone();
    memory.answered(&missing, at(100), false, Vantage::CLEAR);
    assert_eq!(due_again(&memory, at(109)), []);
    let witnesses = due_again(&memory, at(110));
    assert!(witnesses.contains(&parent) && (4..=5).contains(&witnesses.len()), "{witnesses:?}");
    for uid in &witnesses {
        memory.answered(uid, at(110), true, Vantage::CLEAR);
    }
    assert_eq!(due_again(&memory, at(119)), []);
    assert_eq!(due_again(&memory, at(120)), [missing]);
}

#[test]
fn a_login_that_was_refused_rests_until_somebody_wants_it_tried_again() {
    let mut known = known(vec![stream("a", 640, None)]);
    let trouble = crate::history::memory::LoginTrouble {
        kind: crate::model::memory::EventKind::LoginRefused,
        since: at(1),
        stream: "rtsp:554/a".to_owned(),
        told: true,
        retry: false,
    };
    known.login = Some(trouble.clone());
    known.streams.values_mut().for_each(|stream| stream.health.state = StreamState::Locked);
    let streams = |known: &Known| five_minutes().due(known, 1).unwrap().streams.len();
    assert_eq!(streams(&known), 0);
    known.login = Some(crate::history::memory::LoginTrouble { retry: true, ..trouble });
    assert_eq!(streams(&known), 1);
}

proptest! {
    /// Each device has one place in each round, and keeps it.
    #[test]
    fn a_device_keeps_its_place(n in any::<u32>(), minutes in 1i64..60, second in 0i64..1_000_000) {
        let plan = CheckPlan::every(SignedDuration::from_mins(minutes));
        let round = plan.round(&uid(n), at(second));
        let (begins, ends) = (plan.begins(&uid(n), round), plan.begins(&uid(n), round + 1));
        prop_assert!(begins <= at(second) && at(second) < ends);
        prop_assert_eq!(ends.duration_since(begins), SignedDuration::from_mins(minutes));
    }
}

/// A thousand devices: no second of five minutes has more than a few.
#[test]
fn many_devices_are_spread_over_a_round() {
    let plan = five_minutes();
    let mut seconds = BTreeMap::new();
    for n in 0..1000 {
        *seconds.entry(plan.begins(&uid(n), 0)).or_insert(0) += 1;
    }
    assert!(seconds.len() > 200 && seconds.values().all(|count| *count < 20), "{seconds:?}");
}

#[test]
fn one_that_was_replaced_is_not_looked_for_at_the_address_of_another() {
    let mut known = known(vec![stream("main", 1920, None)]);
    known.health.state = DeviceState::Offline;
    (known.health.misses, known.health.first_miss) = (1, Some(at(60)));
    assert!(again(&known).is_some() && five_minutes().due(&known, 1).is_some());
    known.replaced_by = Some(uid(2));
    assert_eq!((again(&known), five_minutes().due(&known, 1)), (None, None));
}
