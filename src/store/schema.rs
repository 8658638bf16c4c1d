//! The tables, and how a store of an earlier version becomes one of this version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use refinery::{Migration, Runner};
use rusqlite::{Connection, OptionalExtension as _};

use super::error::StoreError;
use super::file;

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// How long an upgrade waits for other programs to let go of the store.
const UPGRADE_WAIT: Duration = Duration::from_secs(5);

/// The steps from an empty file to a store of this version, in order.
pub(super) fn steps() -> Vec<Migration> {
    embedded::migrations::runner().get_migrations().clone()
}

/// The version of the tables that the steps lead to.
fn latest(steps: &[Migration]) -> i64 {
    steps.iter().map(|step| i64::from(step.version())).max().unwrap_or(0)
}

/// Makes the tables in an empty database.
pub(super) fn make(connection: &mut Connection, file: &Path, steps: &[Migration]) -> Result<(), StoreError> {
    run(connection, file, steps)?;
    let fill = || {
        connection.execute("INSERT INTO meta (name, value) VALUES ('login_key', randomblob(32))", [])?;
        connection.execute("INSERT INTO meta (name, value) VALUES ('version', CAST(?1 AS BLOB))", [VERSION])
    };
    fill().map(drop).map_err(|error| StoreError::of(file, &error))
}

/// The program's version, which a store names when it is too new for another.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How a store's tables are to those of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// They are the same.
    Current,
    /// Steps are missing.
    Older,
}

/// Compares the tables of a store with those of this version.
pub(super) fn age(connection: &Connection, file: &Path, steps: &[Migration]) -> Result<Age, StoreError> {
    let damaged = |what: &str| StoreError::Damaged { file: file.to_owned(), what: what.to_owned() };
    let of = |error: rusqlite::Error| StoreError::of(file, &error);
    let has_table = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    if connection.query_row(has_table, [], |_| Ok(())).optional().map_err(of)?.is_none() {
        return Err(damaged("it has lost the table of its version"));
    }
    // The library that runs the steps takes what stands there for granted.
    let mut all = connection
        .prepare("SELECT version, CAST(applied_on AS TEXT), CAST(checksum AS TEXT) FROM refinery_schema_history")
        .map_err(of)?;
    let mut rows = all.query([]).map_err(of)?;
    let mut version = 0;
    while let Some(row) = rows.next().map_err(of)? {
        let (one, on, sum): (i64, String, String) =
            (row.get(0).map_err(of)?, row.get(1).map_err(of)?, row.get(2).map_err(of)?);
        if on.parse::<jiff::Timestamp>().is_err() || sum.parse::<u64>().is_err() {
            return Err(damaged("the table of its version is not readable"));
        }
        version = version.max(one);
    }
    match version.cmp(&latest(steps)) {
        std::cmp::Ordering::Equal => Ok(Age::Current),
        std::cmp::Ordering::Less => Ok(Age::Older),
        std::cmp::Ordering::Greater => {
            let by = "SELECT CAST(value AS TEXT) FROM meta WHERE name = 'version'";
            let version =
                connection.query_row(by, [], |row| row.get(0)).unwrap_or_else(|_| "a later version".to_owned());
            Err(StoreError::Newer { file: file.to_owned(), version: crate::text::clean_to(&version, 40) })
        }
    }
}

/// Upgrades a store by all steps it misses, in one transaction, while nobody else has it open. A copy of the old one stays
/// beside it: `store.sqlite.v1`.
pub(super) fn upgrade(file: &Path, steps: &[Migration]) -> Result<(), StoreError> {
    let of = |error: rusqlite::Error| StoreError::of(file, &error);
    let mut connection = Connection::open_with_flags(file, file::read_write()).map_err(of)?;
    connection.busy_timeout(UPGRADE_WAIT).map_err(of)?;
    // Before the first read, so that it is refused while anybody else has the file open, and nobody comes in between.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(of)?;
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT").map_err(of)?;
    if age(&connection, file, steps)? == Age::Current {
        return Ok(());
    }
    let version: i64 =
        connection.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0)).map_err(of)?;
    let copy = copy_of(file, version);
    // Nobody else upgrades now: what lies there is of one that was killed.
    file::remove_left_over(&copy, Duration::ZERO);
    match file::copy_into(&connection, file, &copy) {
        // An upgrade that was interrupted has made it already.
        Ok(()) | Err(StoreError::Exists(_)) => {}
        Err(error) => return Err(error),
    }
    run(&mut connection, file, steps)?;
    let note = "UPDATE meta SET value = CAST(?1 AS BLOB) WHERE name = 'version'";
    connection.execute(note, [VERSION]).map_err(of)?;
    Ok(())
}

/// Where the copy of a store of an earlier version is kept.
pub(super) fn copy_of(file: &Path, version: i64) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".v{version}"));
    PathBuf::from(name)
}

fn run(connection: &mut Connection, file: &Path, steps: &[Migration]) -> Result<(), StoreError> {
    // Texts of steps that are applied may have had their comments changed. Ungrouped, a step and the note that it was made
    // would be two transactions, and a program that is killed between them would leave a store that no upgrade fits.
    let runner = Runner::new(steps).set_abort_divergent(false).set_abort_missing(false).set_grouped(true);
    match runner.run(connection) {
        Ok(_) => Ok(()),
        Err(error) => Err(match std::error::Error::source(&error).and_then(|e| e.downcast_ref::<rusqlite::Error>()) {
            Some(error) => StoreError::of(file, error),
            None => StoreError::Other { file: file.to_owned(), what: error.to_string() },
        }),
    }
}
