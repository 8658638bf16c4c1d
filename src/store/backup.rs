//! Copies of a store: whole ones, and what can be read of one that is damaged.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;
use super::file::{self, TempStore, copy_into};
use super::{Store, open, schema};

/// What a check of a store found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What is wrong, in the words of the database; empty where nothing is.
    pub faults: Vec<String>,
    /// Size of the file in bytes, without its log.
    pub bytes: u64,
    /// Size of its log in bytes.
    pub log_bytes: u64,
    /// Bytes in the file that nothing uses at present.
    pub free_bytes: u64,
    /// Devices, scans and events in it.
    pub counts: [u64; 3],
}

/// What could be read of a damaged store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Rows that were copied, by table.
    pub copied: Vec<(&'static str, u64)>,
    /// Tables that could not be read to their end.
    pub torn: Vec<&'static str>,
}

impl Store {
    /// Copies the store into a new file, while others may read and write it.
    ///
    /// # Errors
    /// When there is a file of that name, or it cannot be written; nothing is left behind then.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.with_reader(|connection| {
            // `VACUUM INTO` writes to the new file alone, and is refused all the same.
            connection.pragma_update(None, "query_only", false).map_err(|e| StoreError::of(self.file(), &e))?;
            let done = copy_into(connection, self.file(), to);
            connection.pragma_update(None, "query_only", true).map_err(|e| StoreError::of(self.file(), &e))?;
            done
        })
    }

    /// Looks through the whole store.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn check(&self) -> Result<Checked, StoreError> {
        self.read(|connection| {
            let mut faults: Vec<String> = Vec::new();
            let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
            for line in statement.query_map([], |row| row.get::<_, String>(0))? {
                faults.extend(Some(line?).filter(|line| line != "ok"));
            }
            let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
            let orphans = statement.query_map([], |row| row.get::<_, String>(0))?;
            for table in orphans.take(20) {
                faults.push(format!("a row of {} belongs to one that is not there", table?));
            }
            let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
            let page = number("PRAGMA page_size")?;
            let unsigned = |n: i64| u64::try_from(n).unwrap_or_default();
            Ok(Checked {
                faults,
                bytes: unsigned(number("PRAGMA page_count")? * page),
                log_bytes: file::beside(self.file(), "-wal").metadata().map_or(0, |log| log.len()),
                free_bytes: unsigned(number("PRAGMA freelist_count")? * page),
                counts: [
                    unsigned(number("SELECT count(*) FROM devices WHERE merged_into IS NULL")?),
                    unsigned(number("SELECT count(*) FROM scans")?),
                    unsigned(number("SELECT count(*) FROM events")?),
                ],
            })
        })
    }

    /// Copies what can be read of a damaged store into a new one. The damaged one is only read.
    ///
    /// # Errors
    /// When it is no store, or the new one cannot be written.
    pub fn salvage(damaged: &Path, to: &Path) -> Result<Salvaged, StoreError> {
        file::check_file(damaged)?;
        if to.try_exists().map_err(|source| StoreError::Io { file: to.to_owned(), source })? {
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
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let old = Connection::open_with_flags(damaged, flags).map_err(|error| StoreError::of(damaged, &error))?;
        let salvaged = copy_rows(&old, &mut new).map_err(of)?;
        new.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(of)?;
        drop(new);
        temp.become_file(to)?;
        Ok(salvaged)
    }
}

/// Every table, those that others refer to first, with its columns.
const TABLES: &[(&str, &[&str])] = &[
    ("meta", &["name", "value"]),
    ("docs", &["id", "hash", "body"]),
    (
        "scans",
        &["id", "cause", "started_at", "ended_at", "duration_ms", "status", "addresses", "hosts_up", "found", "info"],
    ),
    (
        "devices",
        &[
            "id",
            "public",
            "kind",
            "vendor",
            "model",
            "firmware",
            "serial",
            "hostname",
            "ip",
            "mac",
            "state",
            "state_since",
            "first_seen",
            "last_seen",
            "archived_at",
            "merged_into",
            "rev",
            "body",
        ],
    ),
    ("device_keys", &["kind", "value", "device", "body"]),
    ("addresses", &["device", "began", "ip", "ended"]),
    ("presence", &["device", "first_scan", "part", "last_scan", "doc"]),
    (
        "streams",
        &["id", "device", "key", "url", "protocol", "channel", "state", "state_since", "last_ok", "gone_at", "body"],
    ),
    ("spans", &["id", "device", "stream", "began", "ended", "state"]),
    (
        "rollups",
        &[
            "stream",
            "seconds",
            "slot",
            "n",
            "ok",
            "busy",
            "bad",
            "fps_min",
            "fps_sum",
            "kbps_max",
            "kbps_sum",
            "first_ms_max",
            "first_ms_sum",
        ],
    ),
    ("events", &["id", "at", "type", "severity", "device", "stream", "network", "scan", "muted_by", "body"]),
    ("notes", &["device", "name", "site", "rev", "body"]),
    (
        "outbox",
        &["number", "id", "channel", "grouped_by", "events", "body", "created_at", "due_at", "tries", "state", "error"],
    ),
    ("logins", &["device", "login", "worked_at", "refused_at"]),
    ("login_places", &["id", "at", "state", "holder", "address", "link_mac", "stated_mac", "endpoint", "serial"]),
    ("pictures", &["stream", "at", "hash", "bytes"]),
];

fn copy_rows(old: &Connection, new: &mut Connection) -> rusqlite::Result<Salvaged> {
    let mut salvaged = Salvaged::default();
    let transaction = new.transaction()?;
    for (table, columns) in TABLES {
        let (copied, is_whole) = copy_table(old, &transaction, table, columns)?;
        salvaged.copied.push((table, copied));
        if !is_whole {
            salvaged.torn.push(table);
        }
    }
    leave_out_orphans(&transaction)?;
    transaction.commit()?;
    Ok(salvaged)
}

/// Copies the rows of a table from both of its ends, since a torn page stops a walk.
fn copy_table(old: &Connection, new: &Connection, table: &str, columns: &[&str]) -> rusqlite::Result<(u64, bool)> {
    let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
    let names = columns.join(", ");
    let mut insert =
        new.prepare(&format!("INSERT OR REPLACE INTO {table} ({names}) VALUES ({})", places.join(", ")))?;
    let order = columns.first().copied().unwrap_or("rowid");
    let mut copied = 0;
    let mut is_whole = false;
    for way in ["ASC", "DESC"] {
        // Errors of the old store end the walk; those of the new one end the whole.
        let Ok(mut select) = old.prepare(&format!("SELECT {names} FROM {table} ORDER BY {order} {way}")) else {
            continue;
        };
        let Ok(mut rows) = select.query([]) else { continue };
        is_whole = loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break true,
                Err(_) => break false,
            };
            let values: rusqlite::Result<Vec<rusqlite::types::Value>> =
                (0..columns.len()).map(|n| row.get(n)).collect();
            let Ok(values) = values else { continue };
            match insert.execute(rusqlite::params_from_iter(values)) {
                Ok(_) => copied += 1,
                // A value that the column does not take: the page is torn, and the row is none.
                Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {}
                Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::TypeMismatch) => {}
                Err(error) => return Err(error),
            }
        };
        if is_whole {
            break;
        }
        // What the walk from the other end reads again replaces itself.
    }
    if !is_whole {
        copied = new
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))?
            .try_into()
            .unwrap_or_default();
    }
    Ok((copied, is_whole))
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
    ];
    for rule in RULES {
        new.execute(rule, [])?;
    }
    let key = "INSERT OR IGNORE INTO meta (name, value) VALUES ('login_key', randomblob(32))";
    new.execute(key, []).map(drop)
}
