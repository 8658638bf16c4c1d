//! What is saved of a store whose end is lost.

use std::collections::BTreeMap;

use super::*;

/// The tables whose rows have a number, and its name.
const NUMBERED: [(&str, &str); 7] = [
    ("docs", "id"),
    ("scans", "id"),
    ("devices", "id"),
    ("streams", "id"),
    ("spans", "id"),
    ("events", "id"),
    ("outbox", "number"),
];

/// A store of many scans, the tables of which share the file page by page.
fn filled(folder: &StoreFolder) {
    let store = folder.store();
    for hours in 0..150 {
        let mut one = report(hours);
        let devices = one.devices.len();
        one.devices[hours as usize % devices].firmware = Some(format!("V{hours}"));
        store.learn(&one, Cause::User, Vantage::CLEAR, &ToTest).unwrap();
    }
}

/// How many rows of each table the database can read of a damaged file, when it is asked for one after the other.
fn readable(file: &Path) -> BTreeMap<&'static str, u64> {
    let old = Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    old.pragma_update(None, "writable_schema", true).unwrap();
    let count = |table: &str, number: &str| -> u64 {
        let Ok(mut one) = old.prepare(&format!("SELECT * FROM {table} WHERE {number} = ?1")) else { return 0 };
        let is_readable = |n: &i64| {
            let columns = one.column_count();
            let whole = |row: &rusqlite::Row<'_>| {
                (0..columns).map(|n| row.get::<_, rusqlite::types::Value>(n)).collect::<rusqlite::Result<Vec<_>>>()
            };
            one.query_row([n], whole).is_ok()
        };
        (0..1000).filter(is_readable).count() as u64
    };
    NUMBERED.map(|(table, number)| (table, count(table, number))).into()
}

#[test]
fn a_store_whose_end_is_lost_is_salvaged_as_far_as_it_can_be_read() {
    let folder = StoreFolder::new();
    filled(&folder);
    let whole = fs::read(folder.file()).unwrap();
    let before = readable(&folder.file());
    for percent in [95, 70, 40] {
        let bytes = &whole[..whole.len() * percent / 100];
        fs::write(folder.file(), bytes).unwrap();
        let new = folder.0.path().join(format!("{percent}.sqlite"));
        let salvaged = Store::salvage(&folder.file(), &new).unwrap();
        assert_eq!(fs::read(folder.file()).unwrap(), bytes, "it is only read");
        let store = Store::open(&new, Open::Existing).unwrap();
        assert_eq!(store.check().unwrap().faults, [""; 0], "{percent} %");
        let of = |rows: &[(String, u64)], table: &str| {
            rows.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
        };
        let there = readable(&folder.file());
        for (table, rows) in &there {
            let (kept, left_out) = (of(&salvaged.copied, table), of(&salvaged.left_out, table));
            assert_eq!(kept + left_out, *rows, "{percent} %, {table}: {salvaged:?}");
            let is_torn = salvaged.torn.iter().any(|torn| torn == table);
            assert_eq!(is_torn, *rows < before[table], "{percent} %, {table}: {salvaged:?}");
        }
        assert_eq!(store.memory().unwrap().devices.len() as u64, there["devices"]);
        assert!(percent < 70 || there["devices"] > 0 && there["events"] > 0, "{percent} %: {there:?}");
    }
}
