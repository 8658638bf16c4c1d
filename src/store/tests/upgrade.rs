//! A store of an earlier version becomes one of a later: here of one with a step more than there is.

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
    CREATE TABLE pictures (stream INTEGER NOT NULL REFERENCES streams (id), at INTEGER NOT NULL) STRICT;
    INSERT INTO pictures (stream, at) SELECT id, state_since FROM streams;
    CREATE INDEX events_type ON events (type, at);";

/// A store with much in it that is odd: merged and archived devices, empty and very long texts, events of none.
fn odd(place: &Place) -> Memory {
    let store = place.store();
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

/// The definitions of everything in a store, in the order of their names.
fn tables(file: &Path) -> Vec<(String, String)> {
    let connection = Connection::open(file).unwrap();
    let mut all = connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name").unwrap();
    all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_full_and_odd_store_is_upgraded_and_a_copy_stays() {
    let place = Place::new();
    let known = odd(&place);
    let steps = later(STEP);
    let error = Store::open_with(&place.file(), Open::ReadOnly, &steps).err().unwrap();
    assert!(matches!(error, StoreError::Older(_)), "{error}");
    let store = Store::open_with(&place.file(), Open::Existing, &steps).unwrap();
    assert_eq!(store.memory().unwrap(), known);
    assert_eq!(store.check().unwrap().faults, [""; 0]);
    let copied: i64 = store.read(|c| c.query_row("SELECT count(*) FROM pictures", [], |row| row.get(0))).unwrap();
    let streams: i64 = store.read(|c| c.query_row("SELECT count(*) FROM streams", [], |row| row.get(0))).unwrap();
    assert!(copied > 0 && copied == streams);
    drop(store);
    let fresh = Place::new();
    drop(Store::open_with(&fresh.file(), Open::Create, &steps).unwrap());
    assert_eq!(tables(&place.file()), tables(&fresh.file()), "upgraded as made anew");
    // The program that made it can still use the copy, and names what it cannot use.
    let copy = Store::open(&schema::copy_of(&place.file(), 1), Open::ReadOnly).unwrap();
    assert_eq!(copy.memory().unwrap(), known);
    let error = Store::open(&place.file(), Open::Existing).err().unwrap();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    // It is done once.
    Store::open_with(&place.file(), Open::Existing, &steps).unwrap();
}

#[test]
fn an_upgrade_that_fails_changes_nothing() {
    let place = Place::new();
    let known = odd(&place);
    let before = tables(&place.file());
    let broken = later(&format!("{STEP} INSERT INTO pictures (stream, at) VALUES ('x', 'y');"));
    for _ in 0..2 {
        Store::open_with(&place.file(), Open::Existing, &broken).err().unwrap();
        assert_eq!(tables(&place.file()), before);
    }
    assert_eq!(place.store().memory().unwrap(), known);
    // The copy that was made before does not stand in the way.
    Store::open_with(&place.file(), Open::Existing, &later(STEP)).unwrap();
}

#[test]
fn an_upgrade_waits_for_nobody_who_stays() {
    let place = Place::new();
    odd(&place);
    let other = place.store();
    let known = other.memory().unwrap();
    let error = Store::open_with(&place.file(), Open::Existing, &later(STEP)).err().unwrap();
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    assert_eq!(other.memory().unwrap(), known);
    learn(&other, &report(9));
}
