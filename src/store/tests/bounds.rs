//! What hosts make up does not make the store grow without end: rows are counted, in every table.

use super::*;
use crate::history::memory::tests::{camera, report as seen};
use crate::model::{Device, MacAddr, Method, Protocol, Reach, Stream};

/// Rows of each table.
fn rows_of(store: &Store) -> BTreeMap<String, i64> {
    let select = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    store
        .read(|c| {
            let mut tables = c.prepare(select)?;
            let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let count = |name: String| {
                let rows = c.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0))?;
                Ok((name, rows))
            };
            names.into_iter().map(count).collect()
        })
        .unwrap()
}

/// In memory where there is such a folder: there are many scans, and each is written.
fn folder() -> StoreFolder {
    StoreFolder(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
}

fn scan(store: &Store, hours: i64, devices: Vec<Device>) -> Updated<crate::history::memory::Learnt> {
    let mut report = seen(devices);
    let at = Timestamp::from_second(1_780_000_000 + hours * 3_600).unwrap();
    (report.scan.started_at, report.scan.finished_at) = (at, at);
    store.learn(&report, Cause::Schedule, Vantage::CLEAR, &ToTest).unwrap()
}

/// A device of another subnet, known by what it announced alone.
fn heard(n: u32) -> Device {
    let [a, b, c, d] = n.to_be_bytes();
    let mac = MacAddr([0x3c, 0xef, a, b, c, d]);
    let ip = std::net::IpAddr::from([198, 51, 100, (n % 250) as u8]);
    Device {
        id: format!("mac:{mac}"),
        ip,
        addresses: vec![ip],
        mac: Some(mac),
        serial: Some(format!("FORGED{n:08X}")),
        discovered_by: vec![Method::Beacon],
        reach: Some(Reach::OtherSubnet),
        ..crate::model::arbitrary::device(ip)
    }
}

#[test]
fn twenty_scans_of_forged_identities_leave_bounded_rows_in_every_table() {
    let folder = folder();
    let store = folder.store();
    let there = || vec![camera(251, 1), camera(252, 2)];
    let uids = scan(&store, 0, there()).value.devices;
    let before = rows_of(&store);
    for n in 0..20 {
        scan(&store, 1 + i64::from(n), there().into_iter().chain((0..300).map(|m| heard(n * 300 + m))).collect());
        // The messages are delivered.
        for mut message in store.outbox(&OutboxFilter::default()).unwrap() {
            message.state = DeliveryState::Done;
            store.settle(&message).unwrap();
        }
    }
    for (table, rows) in rows_of(&store) {
        // A serial number and a MAC address each, and one event.
        let each = if table == "device_keys" { 2 } else { 1 };
        let most = before[&table] + each * 4_096 + 100;
        assert!(rows <= most, "{rows} rows of {table}, more than {most}");
    }
    assert!(uids.iter().all(|uid| store.memory().unwrap().devices.contains_key(uid)));
    assert_eq!(Store::open(&folder.file(), Open::ReadOnly).unwrap().memory().unwrap(), store.memory().unwrap());
    assert_eq!(store.check().unwrap().faults, [""; 0]);
}

#[test]
fn a_device_that_states_something_else_in_each_scan_leaves_bounded_rows() {
    let folder = folder();
    let store = folder.store();
    let inventive = |n: u32| {
        // The first scans see none of its streams: each that is kept is compared in each scan.
        let count = if n < 200 { 0 } else { 2 };
        let paths = (0..count).map(|path| Stream::new(format!("rtsp://192.0.2.1:554/{n}/{path}"), Protocol::Rtsp));
        let (odd, stated) = (n % 2 == 1, format!("5f5a69c2-e0ae-504f-829b-{n:012x}"));
        let serial = (!odd).then(|| format!("INVENTED{n:06X}"));
        Device { endpoint: odd.then_some(stated), serial, streams: paths.collect(), ..camera(1, 1) }
    };
    let body = || -> i64 { store.read(|c| c.query_row("SELECT length(body) FROM devices", [], |r| r.get(0))).unwrap() };
    for n in 0..500 {
        scan(&store, i64::from(n), vec![inventive(n)]);
        if n % 50 == 49 {
            assert!(body() <= 4_096, "a document of {} bytes after {n} scans", body());
        }
    }
    let rows = rows_of(&store);
    let bounds =
        [("devices", 1), ("device_keys", 48), ("streams", 514), ("spans", 2 * 515), ("rollups", 0), ("notes", 0)];
    for (table, most) in bounds {
        assert!(rows[table] <= most, "{} rows of {table}, more than {most}", rows[table]);
    }
    // What a scan found is kept as long as scans are: one row a scan.
    assert!(rows["presence"] <= 500 && rows["docs"] <= 501, "{rows:?}");
    assert_eq!(Store::open(&folder.file(), Open::ReadOnly).unwrap().memory().unwrap(), store.memory().unwrap());
    assert_eq!(store.check().unwrap().faults, [""; 0]);
}
