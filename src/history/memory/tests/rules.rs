//! Rules that the simulated site needs too seldom; see `testkit::year::rules`.

use super::once::check;
use super::*;
use crate::model::Reach;

fn keys(site: &Site, n: u8) -> Vec<String> {
    site.memory.devices[&uid(n)].keys.keys().map(|key| String::from(key.clone())).collect()
}

/// A camera that states a serial number and nothing else that identifies it.
fn numbered(host: u8, model: &str) -> Device {
    Device { serial: Some("47111".to_owned()), model: Some(model.to_owned()), ..bare(host, host) }
}

#[test]
fn what_another_device_is_known_by_is_not_taken_on() {
    let mut site = Site::default();
    let plain = || Device { serial: None, endpoint: None, ..camera(2, 2) };
    site.scan(0, vec![camera(1, 1), plain()]);
    // The second one was given the settings of the first one, which is away.
    site.scan(3600, vec![Device { endpoint: camera(1, 1).endpoint, ..plain() }]);
    assert_eq!(keys(&site, 2), ["mac:44:19:b6:00:00:02"]);
}

#[test]
fn a_serial_number_alone_identifies_no_device_of_another_model() {
    let mut site = Site::default();
    site.scan(0, vec![numbered(1, "M1065"), camera(9, 9)]);
    let events = site.scan(3600, vec![numbered(2, "P3245"), camera(9, 9)]);
    assert_eq!(sent(&events), ["device.new"]);
}

#[test]
fn a_device_with_more_addresses_than_any_has_is_recognised_by_nothing() {
    let mut site = Site::default();
    let addresses = (1..=70).map(|n| IpAddr::from([198, 51, 100, n])).collect();
    site.scan(0, vec![camera(1, 1), Device { addresses, ..camera(2, 2) }]);
    assert_eq!((keys(&site, 1).len(), keys(&site, 2).len()), (3, 0));
}

#[test]
fn a_device_that_only_its_address_tells_takes_on_no_identity() {
    let mut site = Site::default();
    site.scan(0, vec![Device { serial: None, endpoint: None, ..camera(1, 1) }]);
    // A scan by a router, which may as well see another one at that address.
    site.scan(3600, vec![Device { mac: None, id: "ip:192.0.2.1".to_owned(), ..camera(1, 7) }]);
    assert_eq!(keys(&site, 1), ["mac:44:19:b6:00:00:01"]);
}

#[test]
fn a_device_that_was_only_heard_is_not_missed() {
    let mut site = Site::default();
    site.scan(0, vec![Device { reach: Some(Reach::OtherSubnet), ..camera(1, 1) }, camera(2, 2)]);
    let events: Vec<Event> = (1..5).flat_map(|n| site.scan(n * 21_600, vec![camera(2, 2)])).collect();
    assert_eq!(sent(&events), [""; 0]);
}

#[test]
fn nothing_is_sent_of_the_login_of_a_device_that_is_away() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    assert!(site.memory.mute_until(&uid(1), Some(at(3600)), None));
    let mut events = site.play(1, 300, StreamStatus::AuthRequired);
    events.extend([1800, 1820, 1860, 1880, 1980].into_iter().flat_map(|s| site.asked(1, s, false)));
    assert_eq!(sent(&events), [""; 0], "it is muted");
    assert_eq!(sent(&site.memory.pass(at(3700))), ["device.offline"]);
}

#[test]
fn one_way_of_playing_needs_twice_as_many_checks() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    let mut bad = |n: i64| check(&mut site, KEY, n * 300, stream(1, StreamStatus::NoData));
    let events: Vec<Event> = (1..6).flat_map(&mut bad).collect();
    assert_eq!(sent(&events), [""; 0]);
    assert_eq!(sent(&bad(6)), ["stream.broken"]);
}

#[test]
fn nothing_is_held_against_the_streams_of_a_device_that_is_missing() {
    let mut site = Site::default();
    site.scan(0, vec![camera(1, 1), camera(2, 2)]);
    let mut events = site.asked(1, 300, false);
    events.extend([310, 320, 330].into_iter().flat_map(|s| site.play(1, s, StreamStatus::NoData)));
    // Neither sent nor kept.
    assert_eq!(all(&events), []);
}
