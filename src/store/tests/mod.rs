//! The store on real files: what is stored is read back, survives its end in whatever way, and is never put in danger.

mod bounds;
mod five_years;
mod forget;
mod places;
mod refresh;
mod salvage;
mod together;
mod trouble;
mod upgrade;
mod written;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::export::sample;
use crate::history::memory::{DeviceState, Vantage};
use crate::model::memory::Stored;
use crate::model::memory::{Delivery, DeliveryState, EventKind, Keep, Outbox as _, Routed, Uid};
use crate::model::problem::Problem;
use crate::model::{Credential, Report};

struct StoreFolder(TempDir);

impl StoreFolder {
    fn new() -> StoreFolder {
        StoreFolder(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("store.sqlite")
    }

    fn store(&self) -> Store {
        Store::open(&self.file(), Open::Create).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The sample's report as if the scan had been made `hours` later.
fn report(hours: i64) -> Report {
    let mut report = sample::report();
    let later = SignedDuration::from_hours(hours);
    report.scan.started_at += later;
    report.scan.finished_at += later;
    for device in &mut report.devices {
        device.first_seen += later;
        device.last_seen += later;
    }
    report
}

fn learn(store: &Store, report: &Report) -> Updated<crate::history::memory::Learnt> {
    store.learn(report, Cause::User, Vantage::CLEAR, &()).unwrap()
}

fn said(error: StoreError) -> String {
    Problem::from(error).to_string()
}

#[test]
fn what_is_stored_is_read_back_by_another_process() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let learnt = learn(&store, &report(0));
    assert_eq!(learnt.value.devices.len(), report(0).devices.len());
    let known = store.memory().unwrap();
    assert_eq!(known.devices.len(), learnt.value.devices.iter().collect::<BTreeSet<_>>().len());
    // Another one that looks at the same file has nothing of this one's memory.
    for how in [Open::Existing, Open::ReadOnly] {
        let other = Store::open(&folder.file(), how).unwrap();
        assert_eq!(other.memory().unwrap(), known, "{how:?}");
        assert_eq!(other.scans(9).unwrap(), store.scans(9).unwrap());
        assert_eq!(other.events(&EventFilter::default()).unwrap().len(), learnt.events.len());
    }
    drop(store);
    assert_eq!(folder.names(), ["store.sqlite"], "the log is taken in at the end");
    assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(folder.store().memory().unwrap(), known);
}

#[test]
fn a_scan_is_rebuilt_and_an_unchanged_device_costs_no_row() {
    let folder = StoreFolder::new();
    let store = folder.store();
    for hours in 0..5 {
        learn(&store, &report(hours));
    }
    let count = |sql: &str| store.read(|c| c.query_row(sql, [], |row| row.get::<_, i64>(0))).unwrap();
    let devices = report(0).devices.len() as i64;
    assert_eq!(count("SELECT count(*) FROM presence"), devices);
    assert_eq!(count("SELECT count(*) FROM docs"), devices + 1, "a document for each device, and one for all scans");
    let mut changed = report(5);
    let gone = changed.devices.remove(0);
    changed.devices[0].firmware = Some("V9".to_owned());
    learn(&store, &changed);
    assert_eq!(count("SELECT count(*) FROM presence"), devices + 1);
    let rebuilt = |number| store.report(number).unwrap().unwrap();
    let (before, after) = (rebuilt(5), rebuilt(6));
    assert_eq!(before.scan, report(4).scan);
    assert_eq!(before.devices.len(), report(0).devices.len());
    assert!(before.devices.iter().all(|device| device.uid.is_some()));
    let diff = crate::history::diff::compare(&before, &after);
    assert_eq!((diff.added.len(), diff.gone.len(), diff.changed.len()), (0, 1, 1), "{diff:#?}");
    assert_eq!(diff.gone[0].ip, gone.ip);
    assert_eq!(store.report(7).unwrap(), None);
    assert_eq!(store.scan_before(report(2).scan.finished_at).unwrap().unwrap().number, 3);
    assert_eq!(store.scans(2).unwrap().iter().map(|scan| scan.number).collect::<Vec<_>>(), [6, 5]);
}

#[test]
fn a_report_carries_the_notes_and_loses_them_again() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let learnt = learn(&store, &report(0)).value;
    let uid = learnt.devices[0].clone();
    let name = |memory: &mut Memory| {
        memory.devices.get_mut(&uid).unwrap().note.name = Some("Dome North".to_owned());
        memory.devices.get_mut(&uid).unwrap().note.tags = vec!["roof".to_owned()];
        memory.touched.insert(uid.clone());
        ((), Vec::new())
    };
    store.update(name, &()).unwrap();
    let mut later = report(3);
    let plain = later.clone();
    let learnt = learn(&store, &later).value;
    decorate(&mut later, &store.memory().unwrap(), &learnt.devices);
    let device = &later.devices[0];
    assert_eq!((device.uid.as_ref(), device.name.as_deref()), (Some(&uid), Some("Dome North")));
    assert_eq!(device.tags, ["roof"]);
    assert_eq!(device.first_seen, report(0).scan.finished_at.min(plain.devices[0].first_seen));
    let back = without_notes(later);
    assert_eq!(back.devices[0].tags, [""; 0]);
    assert_eq!(back.devices[0].uid, None);
    // A scan never writes what the user wrote.
    assert_eq!(store.memory().unwrap().devices[&uid].note.name.as_deref(), Some("Dome North"));
}

/// One message about all events, on a channel of the test.
struct ToTest;

impl Route for ToTest {
    fn route(&self, events: &[(i64, Event)], open: &[Delivery], now: Timestamp, _: &Stored<'_>) -> Routed {
        let numbers: Vec<i64> = events.iter().map(|(number, _)| *number).collect();
        if let Some(open) = open.iter().find(|open| open.takes_more()) {
            return Routed { added: vec![(open.number, numbers)], ..Routed::default() };
        }
        let new = Delivery {
            number: 0,
            id: format!("msg_{}", numbers[0]),
            channel: "test".to_owned(),
            group: "default".to_owned(),
            events: numbers,
            body: None,
            created_at: now,
            due_at: now + SignedDuration::from_secs(30),
            tries: 0,
            state: DeliveryState::Waiting,
            error: None,
        };
        Routed { new: vec![new], ..Routed::default() }
    }
}

#[test]
fn messages_are_written_with_their_events_and_settled() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let now: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
    let event = |kind| (Event::new(kind, now), now);
    let tell = |kind| store.update(|_| ((), vec![event(kind).0]), &ToTest).unwrap();
    tell(EventKind::ScanFinished);
    tell(EventKind::ChannelFailing);
    assert_eq!(store.due("test", now, 9).unwrap(), []);
    let due_at = store.next_due("test").unwrap().unwrap();
    assert_eq!(due_at, now + SignedDuration::from_secs(30));
    let mut message = store.due("test", due_at, 9).unwrap().remove(0);
    assert_eq!(message.events, [1, 2], "the second event joined the message that waited");
    assert_eq!(store.due("other", due_at, 9).unwrap(), []);
    let kinds: Vec<EventKind> = store.events_of(&message).unwrap().iter().map(|(_, event)| event.kind).collect();
    assert_eq!(kinds, [EventKind::ScanFinished, EventKind::ChannelFailing]);
    message.state = DeliveryState::Done;
    message.tries = 1;
    message.body = Some("text".to_owned());
    store.settle(&message).unwrap();
    assert_eq!(store.next_due("test").unwrap(), None);
    assert_eq!(store.outbox(&OutboxFilter::default()).unwrap(), [message]);
    // One that is on its way takes no more.
    tell(EventKind::ChannelRecovered);
    assert_eq!(store.outbox(&OutboxFilter::default()).unwrap().len(), 2);
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let folder = StoreFolder::new();
    let store = folder.store();
    learn(&store, &report(0));
    let before = store.memory().unwrap();
    struct Twice;
    impl Route for Twice {
        fn route(&self, events: &[(i64, Event)], open: &[Delivery], now: Timestamp, stored: &Stored<'_>) -> Routed {
            let mut routed = ToTest.route(events, open, now, stored);
            // The same id twice is refused by the database.
            routed.new.push(routed.new[0].clone());
            routed
        }
    }
    let mut changed = report(1);
    changed.devices.remove(0);
    changed.devices[0].ip = "10.9.9.9".parse().unwrap();
    changed.devices[0].id = "ip:10.9.9.9".to_owned();
    let events = store.events(&EventFilter::default()).unwrap();
    store
        .update(
            |memory| {
                memory.devices.values_mut().for_each(|known| known.note.name = Some("x".to_owned()));
                memory.touched = memory.devices.keys().cloned().collect();
                ((), vec![Event::new(EventKind::ScanFailed, Timestamp::now())])
            },
            &Twice,
        )
        .unwrap_err();
    assert_eq!(store.memory().unwrap(), before);
    assert_eq!(store.events(&EventFilter::default()).unwrap(), events);
}

#[test]
fn two_processes_see_what_each_other_wrote() {
    let folder = StoreFolder::new();
    let (one, other) = (folder.store(), folder.store());
    let uids = learn(&one, &report(0)).value.devices;
    let name = |store: &Store, uid: &Uid, name: &str| {
        let change = |memory: &mut Memory| {
            memory.devices.get_mut(uid).unwrap().note.name = Some(name.to_owned());
            memory.touched.insert(uid.clone());
            ((), Vec::new())
        };
        store.update(change, &()).unwrap();
    };
    name(&other, &uids[0], "a");
    name(&one, &uids[1], "b");
    name(&other, &uids[1], "c");
    assert_eq!(one.memory().unwrap(), other.memory().unwrap());
    let named = |n: usize| one.memory().unwrap().devices[&uids[n]].note.name.clone();
    assert_eq!((named(0).as_deref(), named(1).as_deref()), (Some("a"), Some("c")));
}

#[test]
fn states_and_addresses_become_spans() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let uid = learn(&store, &report(0)).value.devices[0].clone();
    let since = report(0).scan.finished_at;
    let set = |state, hours: i64, ip: &str| {
        store
            .update(
                |memory| {
                    let known = memory.devices.get_mut(&uid).unwrap();
                    (known.health.state, known.health.since) = (state, since + SignedDuration::from_hours(hours));
                    if known.device.ip.to_string() != ip {
                        known.device.ip = ip.parse().unwrap();
                        known.address_since = since + SignedDuration::from_hours(hours);
                    }
                    memory.touched.insert(uid.clone());
                    ((), Vec::new())
                },
                &(),
            )
            .unwrap();
    };
    let ip = store.memory().unwrap().devices[&uid].device.ip.to_string();
    set(DeviceState::Offline, 1, &ip);
    set(DeviceState::Offline, 1, &ip);
    set(DeviceState::Online, 3, "10.0.5.99");
    let spans = store.spans(&uid, since).unwrap();
    let spans: Vec<_> = spans.iter().filter(|span| span.stream.is_none()).collect();
    let at = |hours| since + SignedDuration::from_hours(hours);
    let read: Vec<_> = spans.iter().map(|span| (span.state.as_str(), span.began, span.ended)).collect();
    assert_eq!(read[1..], [("offline", at(1), Some(at(3))), ("online", at(3), None)]);
    let addresses = store.addresses(&uid).unwrap();
    assert_eq!(addresses.len(), 2);
    assert_eq!((addresses[0].2, addresses[1].0.as_str()), (Some(at(3)), "10.0.5.99"));
}

#[test]
fn checks_add_up_by_the_hour_and_the_day() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let uid = learn(&store, &report(0)).value.devices[0].clone();
    let key = store.memory().unwrap().devices[&uid].streams.keys().next().unwrap().clone();
    let began: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let check = |minutes: i64, outcome, fps: f64| Check {
        device: uid.clone(),
        stream: key.clone(),
        at: began + SignedDuration::from_mins(minutes),
        outcome,
        fps: Some(fps),
        kbps: Some(1000 + minutes as u32),
        first_frame_ms: Some(100),
    };
    let mut checks: Vec<Check> = (0..24).map(|n| check(n * 5, CheckOutcome::Ok, 25.0)).collect();
    checks.push(check(61, CheckOutcome::Bad, 0.0));
    checks.push(check(62, CheckOutcome::Busy, 0.0));
    checks.push(check(63, CheckOutcome::Ok, 12.5));
    checks.push(Check { stream: "rtsp:1/none".to_owned(), ..checks[0].clone() });
    store.record_checks(&checks).unwrap();
    let hours = store.rollups(&uid, &key, Slot::Hour, began).unwrap();
    assert_eq!(hours.iter().map(|hour| (hour.checks, hour.ok)).collect::<Vec<_>>(), [(12, 12), (15, 13)]);
    assert_eq!((hours[1].bad, hours[1].busy, hours[1].fps_min), (1, 1, Some(12.5)));
    assert_eq!((hours[0].fps, hours[0].kbps, hours[0].kbps_max), (Some(25.0), Some(1027), Some(1055)));
    let days = store.rollups(&uid, &key, Slot::Day, began).unwrap();
    assert_eq!((days.len(), days[0].checks, days[0].at), (1, 27, began));
}

#[test]
fn a_login_is_recognised_over_restarts_and_cannot_be_read_back() {
    let folder = StoreFolder::new();
    let login = Credential::new("operator", "correct horse battery");
    let now: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
    let store = folder.store();
    let uid = learn(&store, &report(0)).value.devices[0].clone();
    let hash = store.login_hash(&login).unwrap();
    store.record_login(&uid, hash, now).unwrap();
    drop(store);
    let store = folder.store();
    assert_eq!(store.login_hash(&login).unwrap(), hash);
    assert_ne!(store.login_hash(&Credential::new("operato", "rcorrect horse battery")).unwrap(), hash);
    assert_eq!(store.login_worked_at(&uid, hash).unwrap(), Some(now));
    // Read with the log beside it.
    for name in folder.names() {
        let bytes = fs::read(folder.0.path().join(name)).unwrap();
        for secret in ["correct horse battery", "horse"] {
            assert!(!bytes.windows(secret.len()).any(|some| some == secret.as_bytes()));
        }
    }
}

#[test]
fn old_things_go_and_the_file_gets_smaller() {
    let folder = StoreFolder::new();
    let store = folder.store();
    let mut one = report(0);
    for hours in 0..40 {
        one = report(hours * 24);
        one.devices[0].firmware = Some(format!("V{hours} {}", "x".repeat(3000)));
        learn(&store, &one);
    }
    let now = one.scan.finished_at;
    let days = |days: i64| Some(SignedDuration::from_hours(24 * days));
    let keep = Keep { events: days(10), scans: days(10), hourly: days(1), daily: None, outbox: days(1) };
    store.checkpoint().unwrap();
    let before = fs::metadata(folder.file()).unwrap().len();
    let pruned = store.prune(&keep, now).unwrap();
    assert_eq!(pruned.scans, 29, "the scan of ten days ago is kept");
    assert!(pruned.events > 0, "{pruned:?}");
    assert!(fs::metadata(folder.file()).unwrap().len() < before);
    let oldest = store.scans(99).unwrap().last().unwrap().number;
    assert_eq!(store.report(oldest).unwrap().unwrap().devices.len(), one.devices.len());
    assert_eq!(store.check().unwrap().faults, [""; 0]);
    let pruned = store.prune(&keep, now + SignedDuration::from_hours(24 * 4000)).unwrap();
    assert_eq!(pruned.scans, 10);
    assert_eq!(store.scans(99).unwrap().len(), 1, "the last scan is always kept");
    assert_eq!(store.memory().unwrap().devices.len(), one.devices.len());
}

#[test]
fn what_is_no_store_of_ours_is_told_and_left_alone() {
    let folder = StoreFolder::new();
    let file = folder.file();
    let shown = |error: StoreError| said(error).replace(&*folder.0.path().to_string_lossy(), "~");
    let mut all = String::new();
    let mut refuse = |what: &str, make: &dyn Fn(&Path)| {
        let _ = fs::remove_file(&file);
        make(&file);
        let before = fs::read(&file).ok();
        let mut errors: Vec<String> = Vec::new();
        for how in [Open::Create, Open::Existing, Open::ReadOnly] {
            if before.is_none() && how == Open::Create {
                continue;
            }
            errors.extend(Store::open(&file, how).err().map(shown));
        }
        errors.dedup();
        all += &format!("{what}:\n{}\n", errors.join("\n"));
        assert_eq!(fs::read(&file).ok(), before, "{what}");
    };
    refuse("none", &|_| {});
    refuse("empty", &|file| fs::write(file, "").unwrap());
    refuse("a text", &|file| fs::write(file, "not a database, but a text of some length").unwrap());
    refuse("another's database", &|file| {
        Connection::open(file).unwrap().execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    });
    refuse("a later version's", &|file| {
        drop(Store::open(file, Open::Create).unwrap());
        let connection = Connection::open(file).unwrap();
        connection
            .execute_batch(
                "INSERT INTO refinery_schema_history SELECT 99, 'later', applied_on, checksum \
                 FROM refinery_schema_history LIMIT 1; UPDATE meta SET value = CAST('7.1.0' AS BLOB) \
                 WHERE name = 'version'; PRAGMA wal_checkpoint(TRUNCATE)",
            )
            .unwrap();
    });
    refuse("with a version nobody can read", &|file| {
        drop(Store::open(file, Open::Create).unwrap());
        let connection = Connection::open(file).unwrap();
        connection.execute_batch("UPDATE refinery_schema_history SET applied_on = 'x'").unwrap();
    });
    insta::assert_snapshot!(all, @r"
    none:
    there is no store ~/store.sqlite
    hint: make one: camscan scan --store='~/store.sqlite'
    empty:
    ~/store.sqlite is not a store of camscan
    hint: name another file; this one was left as it is
    a text:
    ~/store.sqlite is not a store of camscan
    hint: name another file; this one was left as it is
    another's database:
    ~/store.sqlite is not a store of camscan
    hint: name another file; this one was left as it is
    a later version's:
    the store ~/store.sqlite was written by camscan 7.1.0, which is newer than this one
    hint: update camscan to 7.1.0 or later, or name another store
    with a version nobody can read:
    the store ~/store.sqlite is damaged: the table of its version is not readable
    hint: it was left as it is; copy what can be read into a new one: camscan store salvage NEW.sqlite --store '~/store.sqlite'
    ");
}

#[test]
fn a_folder_is_no_store() {
    let folder = StoreFolder::new();
    fs::create_dir(folder.file()).unwrap();
    let error = Store::open(&folder.file(), Open::Create).err().unwrap();
    assert!(matches!(error, StoreError::NotAStore(_)), "{error}");
    let error = Store::open(&folder.0.path().join("none/store.sqlite"), Open::Create).err().unwrap();
    assert!(error.to_string().ends_with("no such file or directory"), "{error}");
}

#[test]
fn a_torn_store_is_told_and_salvaged() {
    let folder = StoreFolder::new();
    let store = folder.store();
    for hours in 0..200 {
        let mut one = report(hours);
        one.devices[0].firmware = Some(format!("V{hours}"));
        learn(&store, &one);
    }
    let known = store.memory().unwrap();
    drop(store);
    // Pages in the middle of the file are overwritten, as a failing disk does.
    let mut bytes = fs::read(folder.file()).unwrap();
    let pages = bytes.len() / 4096;
    for page in (pages / 2)..(pages / 2 + 6) {
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
    }
    fs::write(folder.file(), &bytes).unwrap();
    let is_told = match Store::open(&folder.file(), Open::Existing) {
        Err(StoreError::Damaged { .. }) => true,
        Ok(store) => match store.check() {
            Ok(checked) => !checked.faults.is_empty(),
            Err(StoreError::Damaged { .. }) => true,
            Err(other) => panic!("{other}"),
        },
        Err(other) => panic!("{other}"),
    };
    assert!(is_told);
    assert_eq!(fs::read(folder.file()).unwrap(), bytes, "it is left as it is");
    let new = folder.0.path().join("new.sqlite");
    let salvaged = Store::salvage(&folder.file(), &new).unwrap();
    assert!(!salvaged.torn.is_empty(), "{salvaged:?}");
    let store = Store::open(&new, Open::Existing).unwrap();
    assert_eq!(store.check().unwrap().faults, [""; 0]);
    assert!(!store.scans(999).unwrap().is_empty());
    assert!(store.memory().unwrap().devices.len() <= known.devices.len());
    assert!(matches!(Store::salvage(&folder.file(), &new), Err(StoreError::Exists(_))));
}

#[test]
fn a_copy_is_whole_and_takes_nobodys_place() {
    let folder = StoreFolder::new();
    let store = folder.store();
    learn(&store, &report(0));
    let copy = folder.0.path().join("copy.sqlite");
    store.backup(&copy).unwrap();
    assert!(matches!(store.backup(&copy), Err(StoreError::Exists(_))));
    let other = Store::open(&copy, Open::ReadOnly).unwrap();
    assert_eq!(other.memory().unwrap(), store.memory().unwrap());
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(other.prune(&KEEP, Timestamp::now()), Err(StoreError::ReadOnly(_))));
}

const KEEP: Keep = Keep { events: None, scans: None, hourly: None, daily: None, outbox: None };

/// A disk that is full at any write: the store may grow by so many pages and no more.
#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let folder = StoreFolder::new();
    let store = folder.store();
    learn(&store, &report(0));
    let pages =
        |store: &Store| -> i64 { store.write(|t| t.query_row("PRAGMA page_count", [], |row| row.get(0))).unwrap() };
    let limit = |store: &Store, pages: i64| {
        let writer = lock(store.inner.writer.as_ref().unwrap());
        writer.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    let grow = |store: &Store, n: i64| {
        let mut one = report(n);
        for (m, device) in one.devices.iter_mut().enumerate() {
            // Text that cannot be deflated to nothing.
            let noise: String =
                (0..6000).map(|i: i64| char::from(b'a' + ((i * i + n * 7 + m as i64) % 23) as u8)).collect();
            device.firmware = Some(format!("{n}{noise}"));
        }
        store.learn(&one, Cause::User, Vantage::CLEAR, &ToTest)
    };
    let mut full = 0;
    for n in 1..40 {
        let before =
            (store.memory().unwrap(), store.scans(99).unwrap(), store.outbox(&OutboxFilter::default()).unwrap());
        limit(&store, pages(&store) + n % 6);
        match grow(&store, n) {
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error, StoreError::Full(_)), "{error}");
                let after = (
                    store.memory().unwrap(),
                    store.scans(99).unwrap(),
                    store.outbox(&OutboxFilter::default()).unwrap(),
                );
                assert_eq!(after, before);
                full += 1;
            }
        }
    }
    assert!(full > 5, "{full}");
    limit(&store, 1 << 30);
    grow(&store, 99).unwrap();
    assert_eq!(store.check().unwrap().faults, [""; 0]);
}
