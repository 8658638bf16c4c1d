//! A port none of whose streams plays.

use super::*;
use crate::model::memory::EventKind;

/// A media server with so many paths at one port, each a picture of its own, and a page's stream at another port.
fn media_server(paths: usize) -> Device {
    let mut device = Device { kind: Kind::MediaServer, streams: Vec::new(), ..camera(7, 7) };
    device.streams.extend((1..=paths).map(|n| path("rtsp://192.0.2.7:8554", n, Played::Well)));
    device.streams.push(path("http://192.0.2.7:1984", 1, Played::Well));
    device
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Played {
    Well,
    /// The port takes no connection.
    Refused,
    /// It takes connections, and has no such path.
    NotFound,
}

fn path(base: &str, n: usize, played: Played) -> Stream {
    let protocol = if base.starts_with("rtsp") { Protocol::Rtsp } else { Protocol::Http };
    let mut stream = Stream::new(format!("{base}/cam{n:02}"), protocol);
    stream.open = Some(true);
    let step = |step, ok| LadderStep { step, ok, ms: 20.0, way: None };
    let failed = |kind, message: &str| Some(StreamError { kind, message: message.to_owned() });
    match played {
        Played::Well => {
            stream.status = StreamStatus::Streaming;
            stream.ladder = vec![step(Step::Tcp, true), step(Step::Described, true), step(Step::Keyframe, true)];
        }
        Played::Refused => {
            stream.status = StreamStatus::Error;
            stream.error = failed(ErrorKind::Refused, "connection refused");
            stream.ladder = vec![step(Step::Tcp, false)];
        }
        Played::NotFound => {
            stream.status = StreamStatus::NotFound;
            stream.error = failed(ErrorKind::NotFound, "404 Not Found");
            stream.ladder = vec![step(Step::Tcp, true), step(Step::Described, false)];
        }
    }
    stream
}

/// A watch of one media server: rounds of five minutes, in which the streams are played that are due.
struct Rounds {
    site: Site,
    round: i64,
    events: Vec<Event>,
    /// How many were played in each round.
    played: Vec<usize>,
}

impl Rounds {
    fn of(device: Device) -> Self {
        let mut site = Site::default();
        site.scan(0, vec![device]);
        Rounds { site, round: 1, events: Vec::new(), played: Vec::new() }
    }

    /// What is sent in so many rounds in which each stream plays as `plays` says.
    fn go(&mut self, rounds: i64, plays: impl Fn(&str) -> Played) -> Vec<&'static str> {
        let before = self.events.len();
        let plan = crate::history::schedule::checks::CheckPlan::every(jiff::SignedDuration::from_mins(5));
        for _ in 0..rounds {
            let (round, second) = (self.round, self.round * 300);
            let due = plan.due(&self.site.memory.devices[&uid(1)], round).unwrap();
            self.played.push(due.streams.len());
            for (n, key) in (0..).zip(due.streams) {
                let (service, name) = key.split_once("/cam").unwrap();
                let base = format!("{}://192.0.2.7:{}", &service[..4], &service[5..]);
                let check = StreamCheck {
                    uid: uid(1),
                    at: at(second + n),
                    stream: path(&base, name.parse().unwrap(), plays(&key)),
                    key,
                    busy: false,
                    ways_tried: 1,
                    offers_digest: false,
                };
                self.events.extend(self.site.memory.checked(&check));
            }
            self.events.extend(self.site.memory.pass(at(second + 290)));
            self.round += 1;
        }
        sent(&self.events[before..])
    }

    /// What full scans find.
    fn scans(&mut self, scans: i64, device: &Device) -> Vec<&'static str> {
        let before = self.events.len();
        for n in 0..scans {
            self.events.extend(self.site.scan(self.round * 300 + n, vec![device.clone()]));
        }
        self.round += 1;
        sent(&self.events[before..])
    }

    fn states(&self) -> Vec<StreamState> {
        self.site.memory.devices[&uid(1)].streams.values().map(|stream| stream.health.state).collect()
    }
}

fn well(_: &str) -> Played {
    Played::Well
}

/// Only the port of RTSP is down; the page's stream plays.
fn port_down(of: Played) -> impl Fn(&str) -> Played {
    move |key| if key.starts_with("rtsp:8554") { of } else { Played::Well }
}

#[test]
fn a_media_server_that_dies_is_one_message_and_one_at_its_end() {
    for paths in [2, 3, 8, 35, 100] {
        for how in [Played::Refused, Played::NotFound] {
            let mut rounds = Rounds::of(media_server(paths));
            assert_eq!(rounds.go(12, well), [""; 0], "{paths} {how:?}");
            assert_eq!(rounds.go(24, port_down(how)), ["service.broken"], "{paths} {how:?}");
            let event = rounds.events.iter().find(|event| event.kind == EventKind::ServiceBroken).unwrap();
            let service = event.data.service.as_ref().unwrap();
            assert_eq!((service.key.as_str(), service.streams), ("rtsp:8554", paths as u64));
            let expected = format!("none of the {paths} streams of port 8554 (RTSP) plays");
            assert_eq!(event.data.reason.as_deref(), Some(expected.as_str()));
            assert!(event.data.failure.is_some(), "{event:?}");
            let known = &rounds.site.memory.devices[&uid(1)];
            let first_bad = known.service.as_ref().unwrap().since;
            assert_eq!(event.data.since, Some(first_bad));
            assert!(at(13 * 300) <= first_bad && first_bad < at(16 * 300), "{first_bad}");
            assert_eq!(rounds.go(24, well), ["service.repaired"], "{paths} {how:?}");
            assert!(rounds.states().iter().all(|state| *state == StreamState::Working), "{:?}", rounds.states());
            assert_eq!(rounds.go(24, well), [""; 0], "{paths} {how:?}");
        }
    }
}

/// A dead server holds each connection for as long as a check waits.
#[test]
fn few_streams_of_a_dead_port_are_played_in_a_round() {
    let mut rounds = Rounds::of(media_server(35));
    rounds.go(6, well);
    rounds.go(3, port_down(Played::NotFound));
    rounds.played.clear();
    rounds.go(12, port_down(Played::NotFound));
    // Four of the port, and the page's.
    assert!(rounds.played.iter().all(|played| *played <= 5), "{:?}", rounds.played);
}

#[test]
fn one_path_that_breaks_is_a_stream() {
    for how in [Played::Refused, Played::NotFound] {
        let mut rounds = Rounds::of(media_server(12));
        let one = |key: &str| if key == "rtsp:8554/cam05" { Played::NotFound } else { Played::Well };
        assert_eq!(rounds.go(12, one), ["stream.broken"], "{how:?}");
        // It stays what it was when the others go as well, and come back.
        assert_eq!(rounds.go(12, port_down(how)), ["service.broken"], "{how:?}");
        assert_eq!(rounds.go(12, one), ["service.repaired"], "{how:?}");
        assert_eq!(rounds.go(12, well), ["stream.repaired"], "{how:?}");
    }
}

/// Half of what a relay fetches may be down behind it.
#[test]
fn streams_that_break_while_others_of_the_port_play_are_reported_by_themselves() {
    let mut rounds = Rounds::of(media_server(8));
    let half = |key: &str| match key.get(key.len() - 2..) {
        Some("02" | "04" | "06" | "08") => Played::NotFound,
        _ => Played::Well,
    };
    assert_eq!(rounds.go(12, half), ["stream.broken"; 4]);
    assert_eq!(rounds.go(12, well), ["stream.repaired"; 4]);
}

#[test]
fn what_does_not_come_back_with_its_port_is_broken_since_it_went() {
    let mut rounds = Rounds::of(media_server(6));
    rounds.go(12, well);
    assert_eq!(rounds.go(12, port_down(Played::Refused)), ["service.broken"]);
    let since = rounds.site.memory.devices[&uid(1)].service.as_ref().unwrap().since;
    let one = |key: &str| if key == "rtsp:8554/cam03" { Played::NotFound } else { Played::Well };
    assert_eq!(rounds.go(12, one), ["service.repaired", "stream.broken"]);
    let event = rounds.events.iter().rfind(|event| event.kind == EventKind::StreamBroken).unwrap();
    assert_eq!(event.data.since, Some(since));
}

#[test]
fn streams_that_a_dead_port_no_longer_lists_are_neither_gone_nor_new() {
    let mut rounds = Rounds::of(media_server(6));
    rounds.go(12, well);
    assert_eq!(rounds.go(6, port_down(Played::Refused)), ["service.broken"]);
    let without = Device { streams: media_server(6).streams.split_off(6), ..media_server(6) };
    assert_eq!(rounds.scans(4, &without), [""; 0]);
    assert_eq!(rounds.go(6, port_down(Played::Refused)), [""; 0]);
    assert_eq!(rounds.scans(2, &media_server(6)), ["service.repaired"]);
    assert_eq!(rounds.go(12, well), [""; 0]);
    assert!(rounds.states().iter().all(|state| *state == StreamState::Working), "{:?}", rounds.states());
}

/// A media server that ends takes its other ports with it.
#[test]
fn other_ports_that_went_with_it_are_not_reported_again() {
    let mut device = media_server(6);
    device.streams.extend((1..=6).map(|n| path("http://192.0.2.7:8888", n, Played::Well)));
    let failing = device.streams.iter().map(|stream| Stream {
        status: StreamStatus::Error,
        ladder: vec![LadderStep { step: Step::Tcp, ok: false, ms: 1.0, way: None }],
        error: Some(StreamError { kind: ErrorKind::Refused, message: "connection refused".to_owned() }),
        ..stream.clone()
    });
    let dead = Device { streams: failing.collect(), ..device.clone() };
    let mut rounds = Rounds::of(device.clone());
    assert_eq!(rounds.go(6, |_| Played::Refused), ["service.broken"]);
    assert_eq!(rounds.scans(4, &dead), [""; 0]);
    assert_eq!(rounds.go(6, |_| Played::Refused), [""; 0]);
    assert_eq!(rounds.go(12, well), ["service.repaired"]);
    assert_eq!(rounds.scans(2, &device), [""; 0]);
    assert!(rounds.states().iter().all(|state| *state == StreamState::Working), "{:?}", rounds.states());
}

#[test]
fn a_port_that_a_user_knows_of_is_acknowledged_by_its_key() {
    let mut rounds = Rounds::of(media_server(3));
    rounds.go(6, port_down(Played::Refused));
    assert!(rounds.site.memory.acknowledge(&uid(1), Some("rtsp:8554"), at(1)));
    assert!(!rounds.site.memory.acknowledge(&uid(1), Some("rtsp:8555"), at(1)));
    let known = &rounds.site.memory.devices[&uid(1)];
    assert_eq!(known.service.as_ref().unwrap().acked, Some(at(1)));
    assert_eq!(known.health.acked, None);
}

/// What was muted is sent when the mute ends, where it still holds.
#[test]
fn a_port_that_goes_down_while_its_device_is_muted_is_reported_afterwards() {
    let mut rounds = Rounds::of(media_server(4));
    rounds.site.memory.mute_until(&uid(1), Some(at(20 * 300)), None);
    assert_eq!(rounds.go(12, port_down(Played::Refused)), [""; 0]);
    assert_eq!(rounds.go(12, port_down(Played::Refused)), ["service.broken"]);
    assert_eq!(rounds.go(12, well), ["service.repaired"]);
}

/// The device is reported, and no port of it.
#[test]
fn a_device_that_is_offline_has_no_port_that_is_down() {
    let mut rounds = Rounds::of(media_server(4));
    rounds.go(3, well);
    for second in [1_000, 1_020, 1_080, 1_200] {
        rounds.events.extend(rounds.site.asked(1, second, false));
    }
    assert_eq!(sent(&rounds.events), ["device.offline"]);
    assert_eq!(rounds.site.memory.devices[&uid(1)].service, None);
}
