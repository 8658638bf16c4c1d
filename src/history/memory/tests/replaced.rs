//! One camera in the place of another.

use super::*;

/// Another camera than `camera(host, n)`, in everything.
fn other(host: u8, n: u8) -> Device {
    let (vendor, model, name) = (Some("Dahua".to_owned()), Some("IPC-1".to_owned()), Some(format!("cam{n}")));
    Device { vendor, model, name, ..camera(host, n) }
}

fn named(host: u8, n: u8, name: &str) -> Device {
    Device { name: Some(name.to_owned()), ..camera(host, n) }
}

fn others() -> Vec<Device> {
    vec![camera(7, 7), camera(8, 8), camera(9, 9)]
}

fn site() -> Site {
    let mut site = Site::default();
    site.scan(0, [vec![named(1, 1, "cam19")], others()].concat());
    site
}

fn with(device: Device) -> Vec<Device> {
    [vec![device], others()].concat()
}

#[test]
fn a_camera_of_another_name_and_model_that_is_found_before_the_old_one_counts_as_offline() {
    let mut site = site();
    assert_eq!(site.asked(1, 590, false), []);
    let events = site.scan(600, with(other(1, 39)));
    assert_eq!(sent(&events), ["device.replaced"]);
    let new = events[0].device.clone().unwrap();
    assert_eq!(events[0].data.other, Some(uid(1)));
    let reason = "it is at 192.0.2.1, where cam19 was that does not answer; name and notes stay with that one";
    assert_eq!(events[0].data.reason.as_deref(), Some(reason));
    assert_eq!(site.memory.devices[&uid(1)].replaced_by, Some(new));
    let later: Vec<Event> = (2..9).flat_map(|n| site.scan(n * 600, with(other(1, 39)))).collect();
    assert_eq!(sent(&later), [""; 0], "the old one is no news again");
    let later: Vec<Event> = [6_000, 6_060, 6_300].into_iter().flat_map(|s| site.asked(1, s, false)).collect();
    assert_eq!(sent(&later), [""; 0]);
}

#[test]
fn a_camera_that_is_found_when_the_old_one_is_known_to_be_offline() {
    let mut site = site();
    let offline: Vec<Event> = [600, 660, 800].into_iter().flat_map(|s| site.asked(1, s, false)).collect();
    assert_eq!(sent(&offline), ["device.offline"]);
    let replaced = site.scan(1_200, with(other(1, 39)));
    assert_eq!(sent(&replaced), ["device.replaced"]);
    let open = crate::notify::still_open((1..).zip(offline.into_iter().chain(replaced)));
    assert_eq!(open, [], "the old one is not offline for ever");
    let later: Vec<Event> = (3..9).flat_map(|n| site.scan(n * 600, with(other(1, 39)))).collect();
    assert_eq!(sent(&later), [""; 0]);
}

#[test]
fn a_camera_in_the_place_of_one_that_moved_replaces_none() {
    let mut site = site();
    let moved = [vec![named(5, 1, "cam19"), other(1, 39)], others()].concat();
    assert_eq!(sent(&site.scan(600, moved)), ["device.moved", "device.new"]);
    assert_eq!(site.memory.devices[&uid(1)].replaced_by, None);
}

#[test]
fn what_is_no_camera_replaces_none() {
    let mut site = site();
    let laptop = Device { kind: Kind::Other, ..other(1, 39) };
    assert_eq!(sent(&site.scan(600, with(laptop.clone()))), ["device.new"]);
    // Nor does one laptop replace another one, where each device that asks gets an address.
    let mut site = Site::default();
    site.scan(0, with(laptop));
    let next = Device { kind: Kind::Other, name: Some("anna".to_owned()), ..camera(1, 40) };
    assert_eq!(sent(&site.scan(600, with(next))), ["device.new"]);
}
