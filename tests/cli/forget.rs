//! What is forgotten: a device by a user's word, with what was written about it, and what was only heard.

use std::fs;

use camscan::history::memory::Vantage;
use camscan::model::{Device, MacAddr, Method, Reach};
use camscan::store::accounts::AuditFilter;
use camscan::store::{Cause, Open, PictureRow, Store};
use camscan::testkit::place;

use crate::env::{Cameras, TestEnv, camera, report};

fn uid(env: &TestEnv, at: &str) -> String {
    let shown = env.run(&format!("devices show {at} -f json --store s.sqlite")).success().json();
    shown["device"]["uid"].as_str().unwrap().to_owned()
}

#[test]
fn a_device_that_is_forgotten_goes_with_all_that_was_written_and_is_found_anew() {
    let env = TestEnv::new();
    let cameras = Cameras::start(vec![camera(95, 1), camera(95, 2)]);
    env.run(&cameras.scan("--store=s.sqlite -o first.json")).success();
    env.run("devices name 127.88.95.1 Gate --site Depot --tag roof --store s.sqlite").success();
    env.run("devices mute Gate --store s.sqlite").success();
    let (before, other) = (uid(&env, "Gate"), uid(&env, "127.88.95.2"));
    for (wrong, said) in [
        ("devices forget Gaet", "no single device is known as `Gaet`"),
        ("devices forget Gate d_0123456789abcdef", "no single device is known as `d_0123456789abcdef`"),
        ("devices forget", "required"),
        ("devices forget Gate --heard", "cannot be used with"),
    ] {
        let run = env.run(&format!("{wrong} --store s.sqlite"));
        assert!(run.code == Some(2) && run.err.contains(said), "{wrong}: {}", run.err);
    }
    assert_eq!(uid(&env, "Gate"), before, "what is refused forgets nothing");
    let done = env.run(&format!("devices forget Gate {before} --store s.sqlite")).success();
    assert_eq!(done.out, format!("forgotten: {before} (127.88.95.1): Gate, site Depot, tags roof\n"));
    let listed = env.run("devices -f json --store s.sqlite").success().json();
    assert_eq!(listed["devices"].as_array().unwrap().len(), 1);
    let checked = env.run("store check --store s.sqlite").success().out;
    assert!(checked.contains("1 device, 1 scan,") && checked.ends_with("no damage found\n"), "{checked}");
    // What happened stays; the scan that found it lists it no longer.
    let happened = env.run("history --since 1h -f json --store s.sqlite").success().json();
    assert!(!happened["events"].as_array().unwrap().is_empty());
    let diff = env.run("diff first.json 1 --store s.sqlite").success().out;
    assert!(diff.contains("- 127.88.95.1") && !diff.contains("- 127.88.95.2"), "{diff}");
    let store = Store::open(&env.path("s.sqlite"), Open::ReadOnly).unwrap();
    assert!(store.memory().unwrap().mutes.is_empty());
    let last = store.audit(&AuditFilter { before: None, limit: 9 }).unwrap();
    let lines: Vec<String> =
        last.iter().map(|line| format!("{}: {} {}", line.actor.name, line.action, line.subject)).collect();
    assert!(lines.contains(&format!("command line: device.forget {before}")), "{lines:?}");
    drop(store);
    // It is still there: another device for the store.
    env.run(&cameras.scan("--store=s.sqlite -o second.json")).success();
    let found = report(&env.path("second.json"))["devices"][0].clone();
    assert_ne!(found["uid"].as_str().unwrap(), before);
    assert!(found.get("name").is_none_or(|name| name != "Gate") && found.get("site").is_none(), "{found}");
    assert_eq!(uid(&env, "127.88.95.2"), other);
}

#[test]
fn a_device_is_forgotten_with_what_was_merged_into_it_and_with_its_pictures() {
    let env = TestEnv::new();
    let cameras = Cameras::start(vec![camera(96, 1), camera(96, 2)]);
    env.run(&cameras.scan("--store=s.sqlite")).success();
    let (one, other) = (uid(&env, "127.88.96.1"), uid(&env, "127.88.96.2"));
    let store = Store::open(&env.path("s.sqlite"), Open::Existing).unwrap();
    let hash = "ab".repeat(16);
    let file = camscan::watch::pictures::file_of(&env.path("s.sqlite.pictures"), &hash);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "a picture").unwrap();
    let memory = store.memory().unwrap();
    let known = memory.find(&one).unwrap();
    let stream = camscan::history::memory::StreamId::of(&known.uid, known.streams.keys().next().unwrap());
    store.put_picture(&PictureRow { stream, at: jiff::Timestamp::now(), hash, bytes: 9 }).unwrap();
    drop(store);
    env.run(&format!("devices merge {one} {other} --store s.sqlite")).success();
    // By the id of either.
    let done = env.run(&format!("devices forget {other} --store s.sqlite")).success().out;
    assert_eq!(done, format!("forgotten: {one} (127.88.96.1), with {other} that was merged into it\n"));
    assert_eq!(env.run("devices --store s.sqlite").success().out, "no devices\n");
    assert!(!file.exists(), "its picture is still there");
    let store = Store::open(&env.path("s.sqlite"), Open::ReadOnly).unwrap();
    assert_eq!(store.pictures().unwrap(), []);
}

#[test]
fn what_was_only_heard_is_forgotten_together_but_for_what_is_named() {
    let env = TestEnv::new();
    let store = Store::open(&env.path("s.sqlite"), Open::Create).unwrap();
    let heard = |n: u8| {
        let mac = MacAddr([0x44, 0x19, 0xb6, 0, 9, n]);
        let ip = std::net::IpAddr::from([198, 51, 100, n]);
        Device {
            id: format!("mac:{mac}"),
            ip,
            addresses: vec![ip],
            mac: Some(mac),
            link_mac: None,
            discovered_by: vec![Method::Beacon],
            reach: Some(Reach::OtherSubnet),
            streams: Vec::new(),
            services: Vec::new(),
            serial: None,
            endpoint: None,
            ..place::device(usize::from(n))
        }
    };
    let devices = vec![place::device(0), heard(1), heard(2), heard(3)];
    store.learn(&place::report(devices, jiff::Timestamp::now()), Cause::User, Vantage::CLEAR, &()).unwrap();
    drop(store);
    env.run("devices name 198.51.100.3 Boxed --store s.sqlite").success();
    let done = env.run("devices forget --heard --store s.sqlite").success().out;
    assert_eq!(done, "forgotten: 2 devices that were only heard\n");
    let listed = env.run("devices -f json --store s.sqlite").success().json();
    let listed: Vec<&str> = listed["devices"].as_array().unwrap().iter().map(|d| d["ip"].as_str().unwrap()).collect();
    assert_eq!(listed, ["192.168.10.10", "198.51.100.3"]);
    let again = env.run("devices forget --heard --store s.sqlite").success().out;
    assert_eq!(again, "forgotten: 0 devices that were only heard\n");
    let store = Store::open(&env.path("s.sqlite"), Open::ReadOnly).unwrap();
    let last = store.audit(&AuditFilter { before: None, limit: 1 }).unwrap().remove(0);
    assert_eq!((last.action.as_str(), last.detail.as_str()), ("device.forget", "2 devices that were only heard"));
}
