//! What is found in several ways, or of several streams, is sent once.

use super::*;

const SUB: &str = "rtsp:554/2";

/// A camera with two streams that need no login.
pub(super) fn open_camera() -> Device {
    let mut camera = camera(1, 1);
    camera.streams = vec![open_stream("1"), open_stream("2")];
    camera
}

fn open_stream(path: &str) -> Stream {
    let url = format!("rtsp://192.0.2.1:554/{path}");
    Stream { url, open: Some(true), ..stream(1, StreamStatus::Streaming) }
}

/// A login is demanded, and there is none to give.
pub(super) fn closed_stream(path: &str) -> Stream {
    let error = StreamError { kind: ErrorKind::AuthRequired, message: "a login is needed".to_owned() };
    Stream { status: StreamStatus::AuthRequired, open: Some(false), error: Some(error), ..open_stream(path) }
}

/// It answers 404.
fn lost_stream() -> Stream {
    let error = StreamError { kind: ErrorKind::NotFound, message: "404 Not Found".to_owned() };
    let step = LadderStep { step: Step::Described, ok: false, ms: 20.0, way: None };
    let lost = Stream { status: StreamStatus::NotFound, error: Some(error), ..stream(1, StreamStatus::Streaming) };
    Stream { ladder: vec![step], ..lost }
}

pub(super) fn check(site: &mut Site, key: &str, seconds: i64, stream: Stream) -> Vec<Event> {
    let (uid, key) = (uid(1), key.to_owned());
    site.memory.checked(&StreamCheck {
        uid,
        key,
        at: at(seconds),
        stream,
        busy: false,
        ways_tried: 1,
        offers_digest: false,
    })
}

fn without_streams() -> Device {
    Device { streams: Vec::new(), ..camera(1, 1) }
}

#[test]
fn a_password_is_told_of_a_device_and_not_of_each_of_its_streams() {
    let mut site = Site::default();
    site.scan(0, vec![open_camera()]);
    assert_eq!(sent(&check(&mut site, SUB, 300, closed_stream("2"))), ["stream.protected"]);
    let main = check(&mut site, KEY, 1_800, closed_stream("1"));
    assert_eq!(all(&main), [("stream.protected", Some(MutedBy::Told))]);
    // That each of them is open again is told of each: somebody can see it.
    assert_eq!(sent(&check(&mut site, SUB, 3_600, open_stream("2"))), ["stream.open"]);
    assert_eq!(sent(&check(&mut site, KEY, 3_900, open_stream("1"))), ["stream.open"]);
    // Another password is another piece of news, and so is one much later.
    assert_eq!(sent(&check(&mut site, SUB, 4_200, closed_stream("2"))), ["stream.protected"]);
    assert_eq!(sent(&check(&mut site, KEY, 4_200 + 25 * 3_600, closed_stream("1"))), ["stream.protected"]);
}

#[test]
fn a_scan_tells_a_password_once_for_all_streams() {
    let mut site = Site::default();
    site.scan(0, vec![open_camera()]);
    let closed = Device { streams: vec![closed_stream("1"), closed_stream("2")], ..camera(1, 1) };
    let events = site.scan(300, vec![closed]);
    assert_eq!(all(&events), [("stream.protected", None), ("stream.protected", Some(MutedBy::Told))]);
}

#[test]
fn a_stream_that_is_broken_for_checks_and_gone_for_scans_is_told_once_and_so_is_its_return() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    let broken: Vec<Event> =
        [300, 600, 900].into_iter().flat_map(|s| check(&mut site, KEY, s, lost_stream())).collect();
    assert_eq!(sent(&broken), ["stream.broken"]);
    assert_eq!(site.scan(3_600, vec![without_streams()]), []);
    let gone = site.scan(7_200, vec![without_streams()]);
    assert_eq!(all(&gone), [("stream.gone", Some(MutedBy::Told))]);
    let back = site.scan(10_800, vec![camera(1, 1)]);
    assert_eq!(all(&back), [("stream.new", Some(MutedBy::Told))]);
    assert_eq!(sent(&site.play(1, 11_100, StreamStatus::Streaming)), ["stream.repaired"]);
    assert_eq!(site.play(1, 11_400, StreamStatus::Streaming), []);
}

#[test]
fn a_stream_that_only_scans_miss_is_gone_and_comes_back_once() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    // Two checks are not enough to call it broken.
    assert_eq!(check(&mut site, KEY, 300, lost_stream()), []);
    assert_eq!(check(&mut site, KEY, 600, lost_stream()), []);
    assert_eq!(site.scan(3_600, vec![without_streams()]), []);
    assert_eq!(sent(&site.scan(7_200, vec![without_streams()])), ["stream.gone"]);
    assert_eq!(sent(&site.scan(10_800, vec![camera(1, 1)])), ["stream.new"]);
    for seconds in [11_100, 11_400, 11_700] {
        assert_eq!(site.play(1, seconds, StreamStatus::Streaming), []);
    }
}

#[test]
fn a_scan_that_proves_what_an_earlier_one_listed_finds_no_stream_gone() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1)]);
    assert_eq!(site.scan(3_600, vec![without_streams()]), []);
    for n in 2..6 {
        let proved = Device { analysed_at: Some(at(3_600)), ..without_streams() };
        assert_eq!(site.scan(3_600 * n, vec![proved]), [], "scan {n}");
    }
    assert_eq!(sent(&site.scan(36_000, vec![without_streams()])), ["stream.gone"]);
}

#[test]
fn a_path_that_was_guessed_and_brought_nothing_is_no_new_stream() {
    let guessed = || Stream { url: "rtsp://192.0.2.1:554/guess".to_owned(), ..lost_stream() };
    let named = Stream { profile_token: Some("Profile_2".to_owned()), ..guessed() };
    for (other, expected) in [(guessed(), vec![]), (named, vec!["stream.new"])] {
        let mut site = Site::default();
        site.scan(0, vec![camera(1, 1)]);
        let with = Device { streams: vec![stream(1, StreamStatus::Streaming), other], ..camera(1, 1) };
        assert_eq!(sent(&site.scan(3_600, vec![with])), expected);
    }
}

#[test]
fn a_stream_that_never_worked_is_gone_and_comes_back_once() {
    let mut site = Site::default();
    site.scan(0, vec![Device { streams: vec![lost_stream()], ..camera(1, 1) }]);
    assert_eq!(site.scan(3_600, vec![without_streams()]), []);
    assert_eq!(sent(&site.scan(7_200, vec![without_streams()])), ["stream.gone"]);
    assert_eq!(sent(&site.scan(10_800, vec![camera(1, 1)])), ["stream.new"]);
    for seconds in [11_100, 11_400, 11_700] {
        assert_eq!(site.play(1, seconds, StreamStatus::Streaming), []);
    }
}

#[test]
fn a_stream_that_broke_unsent_before_its_device_went_is_not_sent_when_that_is_back() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    assert!(site.memory.mute_until(&uid(1), Some(at(3600)), None));
    let mut events: Vec<Event> =
        [300, 600, 900].into_iter().flat_map(|s| site.play(1, s, StreamStatus::NoData)).collect();
    events.extend([1800, 1820, 1860, 1880, 1980].into_iter().flat_map(|s| site.asked(1, s, false)));
    assert_eq!(sent(&events), [""; 0], "it is muted");
    assert_eq!(sent(&site.memory.pass(at(3700))), ["device.offline"]);
    let mut events = [site.asked(1, 7200, true), site.asked(1, 7220, true)].concat();
    assert_eq!(sent(&events), ["device.online"]);
    events = site.memory.pass(at(7260));
    events.extend(site.play(1, 7300, StreamStatus::Streaming));
    events.extend(site.play(1, 7600, StreamStatus::Streaming));
    assert_eq!(sent(&events), [""; 0], "what was wrong before is not known any more");
    let broken: Vec<Event> =
        [7900, 8200, 8500].into_iter().flat_map(|s| site.play(1, s, StreamStatus::NoData)).collect();
    assert_eq!(sent(&broken), ["stream.broken"], "what is wrong now is news");
}

#[test]
fn a_port_that_stays_silent_while_its_device_answers_is_broken() {
    let silent = || {
        let mut stream = stream(1, StreamStatus::Error);
        stream.ladder = vec![LadderStep { step: Step::Tcp, ok: false, ms: 1500.0, way: None }];
        stream.error = Some(StreamError { kind: ErrorKind::Timeout, message: "no answer in 1.5 s".to_owned() });
        stream
    };
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    let mut events = Vec::new();
    for seconds in [300, 600, 900] {
        events.extend(check(&mut site, KEY, seconds, silent()));
        events.extend(site.asked(1, seconds + 10, true));
    }
    assert_eq!(sent(&events), [""; 0], "the first could have been the device");
    assert_eq!(sent(&check(&mut site, KEY, 1200, silent())), ["stream.broken"]);
}
