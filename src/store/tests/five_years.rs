//! How large a store gets and how long its questions take: 200 cameras of two streams, checked every five minutes and
//! scanned every six hours for five years, with what is kept by default.
//!
//! `cargo test --profile profiling --lib five_years -- --ignored --nocapture`

use std::time::{Duration, Instant};

use super::*;
use crate::model::{MacAddr, Protocol, Stream};
use crate::store::checks::{Tally, add, stream_of};

const CAMERAS: u32 = 200;
const DAYS: i64 = 5 * 365;
const SCANS_A_DAY: i64 = 4;

/// Scans of a day. `CAMSCAN_FEWER_SCANS` is for builds that are not optimised: one a week.
fn scans_on(day: i64) -> i64 {
    // Where scans are kept no longer at the end, one a day makes the same store.
    let is_kept = day >= DAYS - 731;
    match std::env::var_os("CAMSCAN_FEWER_SCANS") {
        Some(_) => i64::from(day % 7 == 0),
        None if is_kept => SCANS_A_DAY,
        None => 1,
    }
}

/// Checks of a stream in a day: one every five minutes.
const CHECKS: i64 = 288;
/// Changes of a device's document in a year: firmware, settings, names.
const CHANGES_A_YEAR: i64 = 6;
/// Times a device or stream is down in a year.
const OUTAGES_A_YEAR: i64 = 24;

fn camera(n: u32) -> crate::model::Device {
    let mut device = sample::camera();
    let ip = std::net::Ipv4Addr::from(0x0a00_0500 + n);
    let mac = MacAddr([0x44, 0x19, 0xb6, 0, (n >> 8) as u8, n as u8]);
    (device.ip, device.addresses, device.mac) = (ip.into(), vec![ip.into()], Some(mac));
    device.id = format!("mac:{mac}");
    device.serial = Some(format!("DS-2CD{n:06}"));
    device.endpoint = None;
    let stream = device.streams[0].clone();
    device.streams = (1..=2)
        .map(|channel| Stream {
            protocol: Protocol::Rtsp,
            url: format!("rtsp://{ip}:554/Streaming/Channels/10{channel}"),
            ..stream.clone()
        })
        .collect();
    device
}

#[test]
#[ignore = "a measurement of minutes"]
fn two_hundred_cameras_for_five_years() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let mut rng = fastrand::Rng::with_seed(7);
    let began: Timestamp = "2021-01-01T00:00:00Z".parse().unwrap();
    let mut current: Vec<_> = (1..=CAMERAS).map(camera).collect();
    let mut report = sample::report_of(current.clone());
    let hours = |hours: i64| SignedDuration::from_hours(hours);
    let keep = Keep {
        events: Some(hours(24 * 730)),
        scans: Some(hours(24 * 730)),
        hourly: Some(hours(24 * 14)),
        daily: None,
        outbox: Some(hours(24 * 30)),
    };
    let filled = Instant::now();
    let mut uids = Vec::new();
    for day in 0..DAYS {
        let today = began + hours(24 * day);
        for scan in 0..scans_on(day) {
            for device in &mut current {
                if rng.i64(0..365 * SCANS_A_DAY) < CHANGES_A_YEAR {
                    device.firmware = Some(format!("V5.7.{} build {:06}", rng.u8(..), rng.u32(..999_999)));
                }
            }
            report.scan.started_at = today + hours(scan * 24 / SCANS_A_DAY);
            report.scan.finished_at = report.scan.started_at + SignedDuration::from_mins(2);
            report.devices.clone_from(&current);
            uids = learn(&store, &report).value.devices;
        }
        let memory = store.memory().unwrap();
        let keys: Vec<(Uid, String)> = uids
            .iter()
            .flat_map(|uid| memory.devices[uid].streams.keys().map(move |key| (uid.clone(), key.clone())))
            .collect();
        store
            .write(|transaction| {
                for (uid, key) in &keys {
                    let stream = stream_of(transaction, uid, key)?.unwrap();
                    let mut put = |n: i64, outcome| {
                        let (fps, kbps) = (Some(25.0 - rng.f64() * 3.0), Some(rng.u32(1500..4500)));
                        let tally = Tally { n, outcome, fps, kbps, first_ms: Some(rng.u32(80..900)) };
                        add(transaction, stream, Slot::Day, Slot::Day.of(today), tally)?;
                        if day >= DAYS - 15 {
                            for hour in 0..24 {
                                let at = Slot::Hour.of(today + hours(hour));
                                add(transaction, stream, Slot::Hour, at, Tally { n: n / 24, ..tally })?;
                            }
                        }
                        Ok::<(), rusqlite::Error>(())
                    };
                    put(CHECKS, CheckOutcome::Ok)?;
                    put(2, CheckOutcome::Bad)?;
                }
                Ok(())
            })
            .unwrap();
        // Outages: the state changes, two events and two spans each.
        let down: Vec<Uid> = uids.iter().filter(|_| rng.i64(0..365) < OUTAGES_A_YEAR).cloned().collect();
        for (state, minutes, kind) in
            [(DeviceState::Offline, 600, EventKind::DeviceOffline), (DeviceState::Online, 640, EventKind::DeviceOnline)]
        {
            let at = today + SignedDuration::from_mins(minutes);
            let change = |memory: &mut Memory| {
                let mut events = Vec::new();
                for uid in &down {
                    let known = memory.devices.get_mut(uid).unwrap();
                    (known.health.state, known.health.since) = (state, at);
                    let mut event = Event { device: Some(uid.clone()), ..Event::new(kind, at) };
                    event.data.reason = Some("3 misses in 2 min 10 s; 199 others of 10.0.5.0/24 answer".to_owned());
                    event.data.since = Some(at);
                    events.push(event);
                    memory.touched.insert(uid.clone());
                }
                ((), events)
            };
            store.update(change, &()).unwrap();
        }
        if day % 30 == 29 {
            store.prune(&keep, today).unwrap();
        }
    }
    let now = began + hours(24 * DAYS);
    store.prune(&keep, now).unwrap();
    store.checkpoint().unwrap();
    let bytes = fs::metadata(folder.file()).unwrap().len();
    let shown = |what: &str, took: Duration| println!("{what:<42} {:>8.1} ms", took.as_secs_f64() * 1e3);
    println!("{CAMERAS} cameras, {DAYS} days: {:.1} MB, filled in {:?}", bytes as f64 / 1e6, filled.elapsed());
    drop(store);
    let store = folder.store();
    let tables = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 12";
    let _ = store.read(|c| {
        let mut all = c.prepare(tables)?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            println!("  {:<40} {:>8.1} MB", row.get::<_, String>(0)?, row.get::<_, i64>(1)? as f64 / 1e6);
        }
        Ok(())
    });
    let mut longest = Duration::ZERO;
    let mut measure = |what: &str, question: &dyn Fn(&Store)| {
        // The second time, as a page that is looked at again: the first has the disk in it.
        question(&store);
        let asked = Instant::now();
        question(&store);
        shown(what, asked.elapsed());
        longest = longest.max(asked.elapsed());
    };
    let week = now - hours(24 * 7);
    let memory = store.memory().unwrap();
    let key = memory.devices[&uids[9]].streams.keys().next().unwrap().clone();
    let scans = store.scans(2000).unwrap();
    let (first, last) = (scans.last().unwrap().number, scans[0].number);
    measure("all devices, known already", &|store| drop(store.memory().unwrap()));
    measure("the last 50 events", &|store| {
        let filter = EventFilter { limit: Some(50), ..EventFilter::default() };
        assert_eq!(store.events(&filter).unwrap().len(), 50);
    });
    measure("events of a week", &|store| {
        let filter = EventFilter { since: Some(week), ..EventFilter::default() };
        assert!(!store.events(&filter).unwrap().is_empty());
    });
    measure("events of one device, all", &|store| {
        let filter = EventFilter { devices: vec![uids[9].clone()], ..EventFilter::default() };
        assert!(!store.events(&filter).unwrap().is_empty());
    });
    measure("states of one device, all", &|store| drop(store.spans(&uids[9], Timestamp::MIN).unwrap()));
    measure("states of one device, 30 days", &|store| drop(store.spans(&uids[9], now - hours(720)).unwrap()));
    measure("days of one stream, five years", &|store| {
        assert_eq!(store.rollups(&uids[9], &key, Slot::Day, began).unwrap().len() as i64, DAYS);
    });
    measure("hours of one stream, two weeks", &|store| {
        assert!(store.rollups(&uids[9], &key, Slot::Hour, began).unwrap().len() > 300);
    });
    measure("the last scan, rebuilt", &|store| {
        assert_eq!(store.report(last).unwrap().unwrap().devices.len() as u32, CAMERAS);
    });
    measure("the oldest scan kept, rebuilt", &|store| {
        assert_eq!(store.report(first).unwrap().unwrap().devices.len() as u32, CAMERAS);
    });
    measure("the list of scans", &|store| drop(store.scans(100).unwrap()));
    let asked = Instant::now();
    drop(folder.store().memory().unwrap());
    shown("opening it and reading all devices", asked.elapsed());
    assert!(bytes <= 60_000_000, "{bytes}");
    println!("longest: {longest:?}");
}
