//! What can be read of a store that is damaged, copied into a new one.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, params_from_iter};

use super::error::StoreError;
use super::file::{self, TempStore};
use super::{Store, open, schema};

/// Tables that are not copied: they are the new store's own, or of no use without the process that wrote them.
const NOT_COPIED: [&str; 4] = ["refinery_schema_history", "opens", "sessions", "replies"];
/// Looks at a table of which the first row is not readable, before the rest of it is given up.
const MOST_LOOKS: u32 = 50_000;
/// Numbers behind the last row that was read among which others are looked for.
const BEYOND: i64 = 10_000;

/// What could be read of a damaged store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Rows that the new store has, by table.
    pub copied: Vec<(String, u64)>,
    /// Tables of which not all could be read.
    pub torn: Vec<String>,
    /// Rows that were read and left out, since what they belong to could not be, by table.
    pub left_out: Vec<(String, u64)>,
}

impl Store {
    /// Copies what can be read of a damaged store into a new one. The damaged one is only read.
    ///
    /// # Errors
    /// When it is no store, or the new one cannot be written.
    pub fn salvage(damaged: &Path, to: &Path) -> Result<Salvaged, StoreError> {
        file::check_file(damaged)?;
        if file::exists(to)? {
            return Err(StoreError::Exists(to.to_owned()));
        }
        let temp = TempStore::new(to)?;
        let of = |error: rusqlite::Error| StoreError::of(to, &error);
        // `create` wants no file there, and `temp` holds the name.
        std::fs::remove_file(&temp.0).map_err(|source| StoreError::Io { file: to.to_owned(), source })?;
        open::create(&temp.0, &schema::steps())?;
        let mut new = Connection::open_with_flags(&temp.0, file::read_write()).map_err(of)?;
        // Rows whose others are lost are left out at the end, not refused on the way.
        new.pragma_update(None, "foreign_keys", false).map_err(of)?;
        let old = open_damaged(damaged).map_err(|error| StoreError::of(damaged, &error))?;
        let salvaged = copy_rows(&old, &mut new).map_err(of)?;
        new.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(of)?;
        drop(new);
        temp.become_file(to)?;
        Ok(salvaged)
    }
}

/// A connection to a damaged file, which it cannot write.
fn open_damaged(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(file, flags)?;
    old.pragma_update(None, "trusted_schema", false)?;
    // Else the database reads nothing of a file that is shorter than its first page says
    // (<https://sqlite.org/pragma.html#pragma_writable_schema>).
    old.pragma_update(None, "writable_schema", true)?;
    // A page of something else is not taken for one of rows.
    old.pragma_update(None, "cell_size_check", true)?;
    Ok(old)
}

fn copy_rows(old: &Connection, new: &mut Connection) -> rusqlite::Result<Salvaged> {
    let mut salvaged = Salvaged::default();
    let transaction = new.transaction()?;
    let find = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let tables: Vec<String> =
        transaction.prepare(find)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let tables: Vec<String> = tables.into_iter().filter(|name| !NOT_COPIED.contains(&name.as_str())).collect();
    for table in &tables {
        if !Copying::of(old, &transaction, table)?.copy()? {
            salvaged.torn.push(table.clone());
        }
    }
    let count = || -> rusqlite::Result<BTreeMap<&String, u64>> {
        tables.iter().map(|table| Ok((table, rows_of(&transaction, table)?))).collect()
    };
    let read = count()?;
    leave_out_orphans(&transaction)?;
    let kept = count()?;
    for table in &tables {
        let [read, kept] = [&read, &kept].map(|counts| counts.get(table).copied().unwrap_or_default());
        salvaged.copied.push((table.clone(), kept));
        salvaged.left_out.extend((read > kept).then(|| (table.clone(), read.saturating_sub(kept))));
    }
    transaction.commit()?;
    Ok(salvaged)
}

fn rows_of(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let count = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// A table that is being copied.
struct Copying<'c> {
    old: &'c Connection,
    insert: Statement<'c>,
    table: String,
    /// Its columns, the first of its key before all others.
    columns: Vec<String>,
    /// Whether the first column alone is its key.
    is_numbered: bool,
    looks: u32,
}

impl<'c> Copying<'c> {
    fn of(old: &'c Connection, new: &'c Connection, table: &str) -> rusqlite::Result<Copying<'c>> {
        let columns_of = |connection: &Connection| -> rusqlite::Result<Vec<String>> {
            let mut all = connection.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY pk <> 1, cid")?;
            all.query_map([table], |row| row.get(0))?.collect()
        };
        let mut columns = columns_of(new)?;
        // An earlier version has fewer.
        if let Ok(there) = columns_of(old)
            && !there.is_empty()
        {
            columns.retain(|column| there.contains(column));
        }
        let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
        let (names, places) = (columns.join(", "), places.join(", "));
        let insert = new.prepare(&format!("INSERT OR REPLACE INTO {table} ({names}) VALUES ({places})"))?;
        let keys = "SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0";
        let is_numbered = new.query_row(keys, [table], |row| row.get::<_, i64>(0))? == 1;
        Ok(Copying { old, insert, table: table.to_owned(), columns, is_numbered, looks: 0 })
    }

    /// Copies all rows that can be read; whether these are all there are.
    fn copy(&mut self) -> rusqlite::Result<bool> {
        let (first, is_whole) = self.walk("ASC", None)?;
        if is_whole {
            return Ok(true);
        }
        // A page that is lost ends a walk, from whichever end it comes. What it read twice replaces itself.
        let (last, _) = self.walk("DESC", None)?;
        // Between the two ends there may be more.
        let from = match first {
            None => Some(0),
            Some(Value::Integer(first)) => Some(first),
            Some(_) => None,
        };
        if let Some(from) = from {
            let to = match last {
                Some(Value::Integer(last)) => last,
                _ => from.saturating_add(BEYOND),
            };
            self.search(from, to)?;
        }
        Ok(false)
    }

    /// Copies what lies between two numbers, of which a part cannot be read: halves it until the rest can.
    fn search(&mut self, from: i64, to: i64) -> rusqlite::Result<()> {
        self.looks = self.looks.saturating_add(1);
        if from > to || self.looks > MOST_LOOKS {
            return Ok(());
        }
        let (last, is_whole) = self.walk("ASC", Some((from, to)))?;
        if is_whole {
            return Ok(());
        }
        let from = match last {
            Some(Value::Integer(last)) => last.max(from),
            _ => from,
        };
        if from == to && self.is_numbered {
            return Ok(());
        }
        if from == to {
            // Several rows have this number, and the other end of them may be readable.
            return self.walk("DESC", Some((from, to))).map(drop);
        }
        let middle = from.midpoint(to);
        self.search(from, middle)?;
        self.search(middle.saturating_add(1), to)
    }

    /// Copies rows in the order of the first column, between two numbers of it or all, until one cannot be read. The first column
    /// of the last that could be, and whether the end was reached.
    fn walk(&mut self, way: &str, between: Option<(i64, i64)>) -> rusqlite::Result<(Option<Value>, bool)> {
        let (names, table) = (self.columns.join(", "), &self.table);
        let order = self.columns.first().map_or("rowid", String::as_str);
        let range = between.map_or(String::new(), |_| format!("WHERE {order} BETWEEN ?1 AND ?2"));
        let ends: Vec<i64> = between.into_iter().flat_map(|(from, to)| [from, to]).collect();
        // Errors of the old store end the walk; those of the new one end the whole.
        let select = format!("SELECT {names} FROM {table} {range} ORDER BY {order} {way}");
        let Ok(mut select) = self.old.prepare_cached(&select) else { return Ok((None, false)) };
        let Ok(mut rows) = select.query(params_from_iter(ends)) else { return Ok((None, false)) };
        let mut last = None;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok((last, true)),
                Err(_) => return Ok((last, false)),
            };
            let values: rusqlite::Result<Vec<Value>> = (0..self.columns.len()).map(|n| row.get(n)).collect();
            // A text that is none: the page is torn, and the row is none.
            let Ok(values) = values else { continue };
            last = values.first().cloned().or(last);
            match self.insert.execute(params_from_iter(values)) {
                Ok(_) => {}
                Err(error) if is_no_row(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether a column does not take a value: the page is torn, and the row is none.
fn is_no_row(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

/// Removes rows that belong to lost ones, until there are none.
fn leave_out_orphans(new: &Connection) -> rusqlite::Result<()> {
    const RULES: &[&str] = &[
        "DELETE FROM scans WHERE info NOT IN (SELECT id FROM docs)",
        "DELETE FROM device_keys WHERE device NOT IN (SELECT id FROM devices)",
        "DELETE FROM addresses WHERE device NOT IN (SELECT id FROM devices)",
        "DELETE FROM presence WHERE device NOT IN (SELECT id FROM devices) OR doc NOT IN (SELECT id FROM docs) \
         OR first_scan NOT IN (SELECT id FROM scans)",
        "DELETE FROM streams WHERE device NOT IN (SELECT id FROM devices)",
        "DELETE FROM spans WHERE device NOT IN (SELECT id FROM devices) \
         OR stream IS NOT NULL AND stream NOT IN (SELECT id FROM streams)",
        "DELETE FROM rollups WHERE stream NOT IN (SELECT id FROM streams)",
        "UPDATE events SET device = NULL WHERE device NOT IN (SELECT id FROM devices)",
        "DELETE FROM notes WHERE device NOT IN (SELECT id FROM devices)",
        "DELETE FROM logins WHERE device NOT IN (SELECT id FROM devices)",
        "DELETE FROM tokens WHERE user NOT IN (SELECT id FROM users)",
    ];
    for rule in RULES {
        new.execute(rule, [])?;
    }
    let key = "INSERT OR IGNORE INTO meta (name, value) VALUES ('login_key', randomblob(32))";
    new.execute(key, []).map(drop)
}
