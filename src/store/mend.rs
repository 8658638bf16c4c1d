//! What becomes of a store that cannot be where it belongs.
//!
//! ```text
//! the disk is full ──► memory, which holds all of it; the file stays locked ──► the file, by what differs
//! the file is gone ──► written anew under its name
//! another file has its name ──► a copy beside it, until that name is free
//! ```
//!
//! Whoever reads and writes notices nothing of it: the connections are others.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::error::StoreError;
use super::file::{TempStore, beside};
use super::mirror::mirror;
use super::seat::{FileId, Node, Seat, node};
use super::{Open, Store, Writer, disk, lock, open, schema};
use crate::model::memory::StoreTrouble;

/// A store that is larger than this, in bytes, is not taken into memory.
const MOST_IN_MEMORY: i64 = 512 << 20;
/// So many bytes it may grow by there.
const MOST_MORE: i64 = 64 << 20;

/// The file of a store that is in memory, which nobody else writes to meanwhile.
pub(super) struct Held {
    connection: Connection,
    /// By which the database tells whether another program has written.
    version: i64,
}

#[cfg(test)]
impl Held {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// The file that a writer has open, and its log.
pub(super) struct Home {
    file: FileId,
    log: Option<Node>,
}

impl Home {
    pub(super) fn of(file: &FileId) -> Home {
        let log = node(&beside(&file.path, "-wal")).ok().flatten();
        Home { file: file.clone(), log }
    }
}

impl Store {
    /// Looks whether the store is where it belongs and can be written there, and does what can be done where it is not: to be
    /// called once a minute by a process that lasts, and when something could not be stored. What is wrong, if anything is.
    ///
    /// From then on nothing is lost but what a write that failed was about.
    pub fn mend(&self) -> Option<StoreTrouble> {
        let mut writer = lock(self.inner.writer.as_ref()?);
        let trouble = self.look_after(&mut writer);
        lock(&self.inner.trouble).clone_from(&trouble);
        trouble
    }

    /// Writes; and writes again where the disk took nothing and the store is in memory from now on, so that nothing is lost.
    ///
    /// # Errors
    /// Those of the write.
    pub fn insist<R>(&self, mut write: impl FnMut() -> Result<R, StoreError>) -> Result<R, StoreError> {
        match write() {
            Err(error) if error.of_disk().is_some() && self.mend().is_some() => write(),
            done => done,
        }
    }

    /// What was wrong when it was looked at last.
    pub fn trouble(&self) -> Option<StoreTrouble> {
        lock(&self.inner.trouble).clone()
    }

    fn look_after(&self, writer: &mut Writer) -> Option<StoreTrouble> {
        let own = &self.inner.file;
        let shown = || own.display().to_string();
        let is_home = writer.home.file.path == *own;
        match node(own) {
            Ok(None) => match self.move_to(writer, own) {
                // What stood in its place is gone, and nothing is wrong any more.
                Ok(()) if !is_home => None,
                done => Some(StoreTrouble::Removed { file: shown(), why: done.err().map(|error| error.to_string()) }),
            },
            Ok(Some(_)) if !writer.home.file.is_named() => Some(self.make_way(writer)),
            Ok(Some(_)) if !is_home => {
                // The copy it is kept in may be on a full disk as well.
                let _ = self.stay(writer);
                Some(StoreTrouble::Replaced { file: shown(), kept: Some(writer.home.file.path.display().to_string()) })
            }
            // A file that the system does not show may be there.
            Ok(Some(_)) | Err(_) => {
                let why = match self.stay(writer) {
                    Ok(()) => return None,
                    Err(StoreError::Moved(_)) => return Some(self.make_way(writer)),
                    Err(StoreError::Full(_)) => None,
                    Err(StoreError::Disk { what, .. }) => Some(what),
                    Err(other) => Some(other.to_string()),
                };
                Some(StoreTrouble::Unwritten { file: shown(), why, kept: writer.held.is_some() })
            }
        }
    }

    /// Another file has the name of this one's, or another program wrote to it while this one held back what it had to write.
    fn make_way(&self, writer: &mut Writer) -> StoreTrouble {
        let own = &self.inner.file;
        if !writer.home.file.is_named() {
            // Beside another file, the log of this one would be taken for its log, and written into it.
            remove_log(&writer.home);
        }
        let kept = beside(own, &format!(".kept-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
        let done = self.move_to(writer, &kept);
        let kept = done.ok().map(|()| kept.display().to_string());
        StoreTrouble::Replaced { file: own.display().to_string(), kept }
    }

    /// Writes the store into a new file, and goes on there.
    fn move_to(&self, writer: &mut Writer, to: &Path) -> Result<(), StoreError> {
        let temp = TempStore::of_copy(&writer.connection, &self.inner.file, to)?;
        if writer.home.file.path == to {
            remove_log(&writer.home);
        }
        temp.become_file(to)?;
        let connection = open::writer(to, Open::Existing, &schema::steps())?;
        let file = FileId::of(to)?;
        let old = std::mem::replace(&mut writer.connection, connection);
        forsake(&old);
        if let Some(held) = writer.held.take() {
            forsake(&held.connection);
        }
        let left = std::mem::replace(&mut writer.home, Home::of(&file));
        self.reseat(Seat::File(file));
        drop(old);
        if self.inner.file == to && left.file.path != to && left.file.is_named() {
            // The copy beside it, which this process has made, and all of which is at home again.
            ["", "-wal", "-shm"].iter().for_each(|ending| drop(std::fs::remove_file(beside(&left.file.path, ending))));
        }
        Ok(())
    }

    /// The store stays with its file; in memory while that takes nothing.
    fn stay(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if writer.held.is_some() {
            return self.go_back(writer);
        }
        writer.home = Home::of(&writer.home.file);
        let tried = || disk::is_full(&writer.home.file.path).then(|| try_to_write(&writer.connection).err()).flatten();
        let failure = lock(&self.inner.failure).take();
        let Some(failure) = failure.or_else(|| tried().map(|error| self.error(&error))) else { return Ok(()) };
        if let Err(error) = self.take_refuge(writer) {
            tracing::debug!("the store cannot be kept in memory: {error}");
            // Tried again when it is looked at next.
            *lock(&self.inner.failure) = failure.of_disk();
        }
        Err(failure)
    }

    /// Takes the store into memory, and keeps others from writing to the file.
    fn take_refuge(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let of = |error: rusqlite::Error| self.error(&error);
        let file = &writer.connection;
        let size = number(file, "page_count").and_then(|pages| Ok(pages.saturating_mul(number(file, "page_size")?)));
        let size = size.map_err(of)?;
        if size > MOST_IN_MEMORY {
            return Err(StoreError::Full(self.inner.file.clone()));
        }
        let name = format!("/camscan-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let mut memory = open::in_memory(&name).map_err(of)?;
        open::fill(&mut memory, &self.inner.file, &schema::steps())?;
        hold(file).map_err(of)?;
        let fill = || {
            memory.pragma_update(None, "foreign_keys", false)?;
            let transaction = memory.unchecked_transaction()?;
            mirror(file, &transaction)?;
            transaction.commit()?;
            memory.pragma_update(None, "foreign_keys", true)?;
            let most = size.saturating_add(MOST_MORE) / number(&memory, "page_size")?.max(1);
            memory.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()))?;
            number(file, "data_version")
        };
        let version = match fill() {
            Ok(version) => version,
            Err(error) => {
                let _ = let_go(file);
                return Err(of(error));
            }
        };
        open::keep_statements(&memory);
        let connection = std::mem::replace(&mut writer.connection, memory);
        writer.held = Some(Held { connection, version });
        self.reseat(Seat::Memory(name));
        Ok(())
    }

    /// Writes what happened meanwhile into the file, and goes on there.
    fn go_back(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if disk::is_full(&writer.home.file.path) {
            return Err(StoreError::Full(self.inner.file.clone()));
        }
        let Some(Held { connection: file, version }) = writer.held.take() else { return Ok(()) };
        let of = |error: rusqlite::Error| self.error(&error);
        let done = write_back(&writer.connection, &file, version);
        match done {
            Ok(true) => {
                let memory = std::mem::replace(&mut writer.connection, file);
                self.reseat(Seat::File(writer.home.file.clone()));
                drop(memory);
                Ok(())
            }
            Ok(false) => {
                writer.held = Some(Held { connection: file, version });
                Err(StoreError::Moved(self.inner.file.clone()))
            }
            Err(error) => {
                let _ = file.execute_batch("ROLLBACK");
                // Where another program is quicker, it is seen by the version.
                let _ = hold(&file);
                writer.held = Some(Held { connection: file, version });
                Err(of(error))
            }
        }
    }

    /// Readers find the store there from now on.
    fn reseat(&self, seat: Seat) {
        let mut at = lock(&self.inner.seat);
        *at = (at.0.wrapping_add(1), seat);
        drop(at);
        lock(&self.inner.readers).clear();
        self.inner.known.close();
    }
}

/// Writes what is still in memory into the file, if that takes it now.
pub(super) fn end(writer: &mut Writer) {
    let Some(Held { connection: file, version }) = writer.held.take() else { return };
    if matches!(write_back(&writer.connection, &file, version), Ok(true)) {
        writer.connection = file;
    }
}

/// Writes the rows of the memory into the file; false where another program has written to it.
fn write_back(memory: &Connection, file: &Connection, version: i64) -> rusqlite::Result<bool> {
    if file.is_autocommit() {
        hold(file)?;
    }
    if number(file, "data_version")? != version {
        let_go(file)?;
        return Ok(false);
    }
    mirror(memory, file)?;
    file.execute_batch("COMMIT")?;
    file.pragma_update(None, "foreign_keys", true)?;
    Ok(true)
}

/// Keeps others from writing. That needs no room on the disk.
fn hold(file: &Connection) -> rusqlite::Result<()> {
    file.pragma_update(None, "foreign_keys", false)?;
    file.pragma_update(None, "synchronous", "FULL")?;
    file.execute_batch("BEGIN IMMEDIATE")
}

fn let_go(file: &Connection) -> rusqlite::Result<()> {
    file.execute_batch("ROLLBACK")?;
    file.pragma_update(None, "foreign_keys", true)
}

/// A connection to a file that has lost its name leaves the names beside it alone when it is closed: they may be another's.
fn forsake(connection: &Connection) {
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

/// Removes the log of a file that has lost its name, where it still has its own.
fn remove_log(home: &Home) {
    let path = |ending| beside(&home.file.path, ending);
    let log: PathBuf = path("-wal");
    if home.log.is_some() && node(&log).ok().flatten() == home.log {
        let _ = std::fs::remove_file(&log);
        let _ = std::fs::remove_file(path("-shm"));
    }
}

/// A write that changes nothing.
fn try_to_write(file: &Connection) -> rusqlite::Result<()> {
    file.execute("UPDATE opens SET pid = pid WHERE id = (SELECT max(id) FROM opens)", []).map(drop)
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
}
