//! A store of an earlier version becomes one of a later: here of one with a step more than there is.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use refinery::Migration;

use super::*;

/// The steps there are and one more, which changes tables that are full.
fn later(sql: &str) -> Vec<Migration> {
    let mut steps = schema::steps();
    let version = steps.len() + 1;
    steps.push(Migration::unapplied(&format!("V{version}__later"), sql).unwrap());
    steps
}

const STEP: &str = "ALTER TABLE notes ADD COLUMN updated_by TEXT;
    CREATE TABLE later_things (stream INTEGER NOT NULL REFERENCES streams (id), at INTEGER NOT NULL) STRICT;
    INSERT INTO later_things (stream, at) SELECT id, state_since FROM streams;
    CREATE INDEX events_type ON events (type, at);";

/// A store with much in it that is odd: merged and archived devices, empty and very long texts, events of none.
fn odd(folder: &StoreFolder) -> Arc<Memory> {
    let store = folder.store();
    let mut uids = learn(&store, &report(0)).value.devices;
    uids.dedup();
    let mut hostile = report(1);
    hostile.devices = sample::hostile_report().devices;
    learn(&store, &hostile);
    store
        .update(
            |memory| {
                memory.merge(&uids[0], &uids[1]).unwrap();
                let known = memory.devices.get_mut(&uids[0]).unwrap();
                known.note.name = Some("'; DROP TABLE devices; --\u{1f4f7}".to_owned());
                known.note.text = Some(String::new());
                known.device.serial = Some("0".repeat(10_000));
                known.archived_at = Some(Timestamp::UNIX_EPOCH);
                memory.touched.insert(uids[0].clone());
                ((), vec![Event::new(EventKind::ChannelFailing, Timestamp::UNIX_EPOCH)])
            },
            &ToTest,
        )
        .unwrap();
    store.memory().unwrap()
}

/// The version of the tables of this program.
fn latest() -> i64 {
    i64::try_from(schema::steps().len()).unwrap()
}

/// The definitions of everything in a store, in the order of their names.
fn tables(file: &Path) -> Vec<(String, String)> {
    let connection = Connection::open(file).unwrap();
    let mut all = connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name").unwrap();
    all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_full_and_odd_store_is_upgraded_and_a_copy_stays() {
    let folder = StoreFolder::new();
    let known = odd(&folder);
    let steps = later(STEP);
    let error = Store::open_with(&folder.file(), Open::ReadOnly, &steps).err().unwrap();
    assert!(matches!(error, StoreError::Older(_)), "{error}");
    let store = Store::open_with(&folder.file(), Open::Existing, &steps).unwrap();
    assert_eq!(store.memory().unwrap(), known);
    assert_eq!(store.check().unwrap().faults, [""; 0]);
    let copied: i64 = store.read(|c| c.query_row("SELECT count(*) FROM later_things", [], |row| row.get(0))).unwrap();
    let streams: i64 = store.read(|c| c.query_row("SELECT count(*) FROM streams", [], |row| row.get(0))).unwrap();
    assert!(copied > 0 && copied == streams);
    drop(store);
    let fresh = StoreFolder::new();
    drop(Store::open_with(&fresh.file(), Open::Create, &steps).unwrap());
    assert_eq!(tables(&folder.file()), tables(&fresh.file()), "upgraded as made anew");
    // The program that made it can still use the copy, and names what it cannot use.
    let copy = Store::open(&schema::copy_of(&folder.file(), latest()), Open::ReadOnly).unwrap();
    assert_eq!(copy.memory().unwrap(), known);
    let error = Store::open(&folder.file(), Open::Existing).err().unwrap();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    // It is done once.
    Store::open_with(&folder.file(), Open::Existing, &steps).unwrap();
}

#[test]
fn an_upgrade_that_fails_changes_nothing() {
    let folder = StoreFolder::new();
    let known = odd(&folder);
    let before = tables(&folder.file());
    let broken = later(&format!("{STEP} INSERT INTO later_things (stream, at) VALUES ('x', 'y');"));
    for _ in 0..2 {
        Store::open_with(&folder.file(), Open::Existing, &broken).err().unwrap();
        assert_eq!(tables(&folder.file()), before);
    }
    assert_eq!(folder.store().memory().unwrap(), known);
    // The copy that was made before does not stand in the way.
    Store::open_with(&folder.file(), Open::Existing, &later(STEP)).unwrap();
}

#[test]
fn an_upgrade_waits_for_nobody_who_stays() {
    let folder = StoreFolder::new();
    odd(&folder);
    let other = folder.store();
    let known = other.memory().unwrap();
    let error = Store::open_with(&folder.file(), Open::Existing, &later(STEP)).err().unwrap();
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    assert_eq!(other.memory().unwrap(), known);
    learn(&other, &report(9));
}

/// How often an upgrade is killed: a few times, or `CAMSCAN_UPGRADE_KILLS`.
fn kills() -> usize {
    std::env::var("CAMSCAN_UPGRADE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// The store that [`an_upgrade_that_is_killed`] upgrades.
const FILE: &str = "CAMSCAN_UPGRADE_FILE";

/// Two steps, the second of which moves a lot.
fn heavy() -> Vec<Migration> {
    let mut steps = later(STEP);
    let version = steps.len() + 1;
    let sql = "CREATE TABLE moved (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
        INSERT INTO moved (data) SELECT randomblob(3000) FROM events, (SELECT id FROM events LIMIT 60) LIMIT 3000;
        UPDATE events SET severity = severity; CREATE INDEX moved_data ON moved (data);";
    steps.push(Migration::unapplied(&format!("V{version}__heavy"), sql).unwrap());
    steps
}

#[test]
#[ignore = "run by the test below, in a process that is killed"]
fn an_upgrade_that_is_killed() {
    let Some(file) = std::env::var_os(FILE) else { return };
    Store::open_with(Path::new(&file), Open::Existing, &heavy()).unwrap();
}

#[test]
fn an_upgrade_that_is_killed_at_any_moment_goes_on_when_it_is_opened_again() {
    let origin = StoreFolder::new();
    let known = {
        let _ = odd(&origin);
        let store = origin.store();
        let many = (0..400).map(|second| Event::new(EventKind::DeviceNew, Timestamp::from_second(second).unwrap()));
        store.update(|_| ((), many.collect()), &()).unwrap();
        store.memory().unwrap()
    };
    let fresh = StoreFolder::new();
    drop(Store::open_with(&fresh.file(), Open::Create, &heavy()).unwrap());
    let begin = || {
        let folder = StoreFolder::new();
        fs::copy(origin.file(), folder.file()).unwrap();
        folder
    };
    let (mut folder, mut longest, mut killed, mut versions) = (begin(), None, 0, BTreeSet::new());
    while killed < kills() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "store::tests::upgrade::an_upgrade_that_is_killed"])
            .env(FILE, folder.file())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        // The first one goes to its end: that is how long one takes.
        if let Some(longest) = longest {
            std::thread::sleep(Duration::from_micros(fastrand::u64(0..longest)));
            killed += usize::from(child.try_wait().unwrap().is_none());
            let _ = child.kill();
        }
        child.wait().unwrap();
        longest = longest.or(Some(u64::try_from(began.elapsed().as_micros()).unwrap()));
        // Whatever it was about to do: the file is a whole store of one of the versions.
        let version = Connection::open(folder.file()).unwrap().query_row(
            "SELECT max(version) FROM refinery_schema_history WHERE (SELECT quick_check FROM pragma_quick_check) = 'ok'",
            [],
            |row| row.get::<_, i64>(0),
        );
        let version = version.unwrap();
        assert!(version == latest() || version == latest() + 2, "all steps or none, not {version}");
        versions.insert(version);
        let copy = schema::copy_of(&folder.file(), latest());
        if copy.exists() {
            assert_eq!(Store::open(&copy, Open::ReadOnly).unwrap().memory().unwrap(), known);
        }
        // Half of them are killed again on the way.
        if version == latest() && fastrand::bool() {
            continue;
        }
        let store = Store::open_with(&folder.file(), Open::Existing, &heavy()).unwrap();
        assert_eq!(store.memory().unwrap(), known);
        assert_eq!(store.check().unwrap().faults, [""; 0]);
        assert_eq!(
            store.events(&EventFilter { limit: Some(1000), ..EventFilter::default() }).unwrap().len(),
            events(&origin)
        );
        drop(store);
        assert_eq!(tables(&folder.file()), tables(&fresh.file()));
        let left: Vec<String> = folder.names().into_iter().filter(|name| name.ends_with(".new")).collect();
        assert_eq!(left, [""; 0], "nothing half made is left");
        folder = begin();
    }
    println!("killed {killed} times, at versions {versions:?}");
}

fn events(folder: &StoreFolder) -> usize {
    folder.store().events(&EventFilter { limit: Some(1000), ..EventFilter::default() }).unwrap().len()
}
