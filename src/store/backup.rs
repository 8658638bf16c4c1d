//! Whole copies of a store, and whether it is whole.

use std::path::Path;

use super::Store;
use super::error::StoreError;
use super::file::{self, copy_into};

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
}
