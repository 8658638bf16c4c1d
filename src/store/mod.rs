//! What is remembered, in one file: the only SQL of the program. Calls block for as long as a disk takes.
//!
//! One connection of a process writes, one transaction at a time, and every transaction that writes says so when it begins:
//! one that only finds out later would fail beside another process, however long it waited. Readers have connections of
//! their own, wait for no writer, and keep none of what they read open, so that the log of the database can always be
//! shortened.

pub mod accounts;
mod backup;
mod checks;
mod codec;
mod disk;
mod error;
mod events;
mod file;
mod forget;
mod gone;
mod hosts;
mod keep;
mod known;
mod logins;
mod mend;
mod mirror;
mod open;
mod outbox;
mod pictures;
mod place_rows;
mod places;
mod readers;
mod rows;
mod salvage;
mod scan_name;
mod scans;
mod schema;
mod sealed;
mod seat;
mod shared;
mod times;
mod turn;
mod unwritten;
mod watch_lock;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::watch;

pub use backup::Checked;
pub use checks::{Check, CheckOutcome, Rollup, Slot};
pub use error::StoreError;
pub use events::{EventFilter, Span, StoredEvent};
pub use forget::Forgotten;
pub use keep::Pruned;
pub use logins::LoginHash;
pub use open::Open;
pub use outbox::OutboxFilter;
pub use pictures::PictureRow;
pub use salvage::Salvaged;
pub use scan_name::ScanName;
pub use scans::{Cause, ScanRow, decorate, without_notes};
pub use sealed::{LoginUse, SealedLogin, SealedScope};
pub use times::WriteTimes;
pub use watch_lock::WatchLock;

use crate::history::memory::Memory;
use crate::model::memory::{Event, Route, StoreTrouble, Uid};
use known::{News, Stamp};
use seat::{FileId, Seat};
use shared::Shared;
use turn::Turns;

/// A store that is open. Clones are the same one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    /// None where the store is opened to be read alone.
    writer: Option<Mutex<Writer>>,
    /// Where it lies, and how often that has changed.
    seat: Mutex<(u64, Seat)>,
    /// With the seat that they read.
    readers: Mutex<Vec<(u64, Connection)>>,
    /// What was wrong when it was looked after last.
    trouble: Mutex<Option<StoreTrouble>>,
    /// Why the disk last took nothing, until it is looked after.
    failure: Mutex<Option<StoreError>>,
    /// What is known, for all readers.
    known: Shared,
    /// The key of [`Store::login_hash`], once it was needed.
    login_key: OnceLock<Vec<u8>>,
    writes: Mutex<WriteTimes>,
    /// Places of logins that work, kept for this process.
    kept: places::Kept,
    /// Refused logins that could not be written.
    unwritten: unwritten::Unwritten,
    /// Somebody may do less than before; see [`Store::endings`].
    endings: watch::Sender<()>,
}

struct Writer {
    connection: Connection,
    /// What is known, as this process last wrote it.
    cache: Option<Cache>,
    /// The row of `opens` that this process has, from its first write on.
    open: Option<i64>,
    turns: Turns,
    /// The file it writes to, or will again.
    home: mend::Home,
    /// That file, while the store is in memory.
    held: Option<mend::Held>,
}

struct Cache {
    memory: Memory,
    /// All of it that belongs to no single device, as it is stored.
    rest: String,
    /// The state that it is.
    stamp: Stamp,
    /// What is being written, for all readers.
    news: Option<News>,
    /// What was last written of each device.
    written: BTreeMap<Uid, rows::Written>,
}

/// What a change of the memory came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated<R> {
    /// What the decision returned.
    pub value: R,
    /// Its events, with their numbers in the store.
    pub events: Vec<(i64, Event)>,
}

impl Store {
    /// Opens a store. One that is there is never replaced, whatever is wrong with it.
    ///
    /// # Errors
    /// When there is none, it is something else, damaged, of a later version, on a network file system, or the system
    /// refuses.
    pub fn open(file: &Path, how: Open) -> Result<Store, StoreError> {
        Store::open_with(file, how, &schema::steps())
    }

    fn open_with(file: &Path, how: Open, steps: &[refinery::Migration]) -> Result<Store, StoreError> {
        let (mut writer, mut readers) = (None, Vec::new());
        let own = if how == Open::ReadOnly {
            file::check_file(file)?;
            let reader = open::reader(file, false)?;
            open::check_readable(&reader, file, steps)?;
            readers.push((0, reader));
            FileId::of(file)?
        } else {
            let connection = open::writer(file, how, steps)?;
            let (own, turns) = (FileId::of(file)?, Turns::default());
            let home = mend::Home::of(&own);
            writer = Some(Mutex::new(Writer { connection, cache: None, open: None, turns, home, held: None }));
            own
        };
        let (readers, seat) = (Mutex::new(readers), Mutex::new((0, Seat::File(own))));
        let (trouble, failure) = (Mutex::default(), Mutex::default());
        let (known, login_key, kept) = (Shared::default(), OnceLock::new(), places::Kept::default());
        let (file, writes, endings) = (file.to_owned(), Mutex::default(), watch::Sender::new(()));
        let unwritten = unwritten::Unwritten::default();
        let inner =
            Inner { file, writer, seat, readers, trouble, failure, known, login_key, writes, kept, unwritten, endings };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Its file.
    pub fn file(&self) -> &Path {
        &self.inner.file
    }

    /// Applies a decision to what is known, and stores what it touched, its events, and the messages that `route` makes of
    /// them: all or nothing.
    ///
    /// # Errors
    /// When it cannot be stored; then nothing of it is, and what is known is as before.
    pub fn update<R>(
        &self,
        decide: impl FnOnce(&mut Memory) -> (R, Vec<Event>),
        route: &dyn Route,
    ) -> Result<Updated<R>, StoreError> {
        self.update_with_checks(decide, &[], route)
    }

    /// The same, and adds checks to their hours and days as [`Store::record_checks`] does.
    ///
    /// # Errors
    /// When it cannot be stored; then nothing of it is.
    pub fn update_with_checks<R>(
        &self,
        decide: impl FnOnce(&mut Memory) -> (R, Vec<Event>),
        checks: &[Check],
        route: &dyn Route,
    ) -> Result<Updated<R>, StoreError> {
        self.change(|transaction, cache| {
            let (value, events) = decide(&mut cache.memory);
            rows::save(transaction, cache)?;
            checks::insert(transaction, checks)?;
            let events = events::insert(transaction, events, None)?;
            outbox::route(transaction, &events, route)?;
            Ok(Updated { value, events })
        })
    }

    /// What is known at this moment, also what another process wrote: the same copy for all readers, until something changes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn memory(&self) -> Result<Arc<Memory>, StoreError> {
        let mut memory = Arc::default();
        self.refresh(&mut memory)?;
        Ok(memory)
    }

    /// Brings a copy that is kept up to date. Where no reader still has it, what changed since is copied, and no more.
    ///
    /// # Errors
    /// When it cannot be read; then it stays as it is.
    pub fn refresh(&self, memory: &mut Arc<Memory>) -> Result<(), StoreError> {
        self.inner.known.refresh(memory, || Ok(self.reader()?.1), |error| self.error(&error))
    }

    /// How long writing took, since the store was opened.
    pub fn write_times(&self) -> WriteTimes {
        *lock(&self.inner.writes)
    }

    /// Takes what was written out of the log, into the store itself, and shortens the log. To be called when there is little
    /// to do; it does nothing while others read or write.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let Some(writer) = &self.inner.writer else { return Ok(()) };
        let writer = lock(writer);
        let done = writer.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        match done.map_err(|error| self.error(&error)) {
            Err(StoreError::Busy(_)) => Ok(()),
            other => other,
        }
    }

    /// Changes what is known.
    fn change<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Cache) -> rusqlite::Result<R>,
    ) -> Result<R, StoreError> {
        self.write_with(|transaction, cache, _| {
            // What fails half-way must not be known: it is read anew then.
            let mut known = current(transaction, cache.take())?;
            let value = work(transaction, &mut known)?;
            if let Some(news) = known.news.take() {
                self.inner.known.announce(news);
            }
            Ok((value, Some(known)))
        })
    }

    /// Writes what is none of the memory's business.
    fn write<R>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        self.write_with(|transaction, cache, _| Ok((work(transaction)?, cache.take())))
    }

    /// Writes what need not outlive a power cut, and does not wait for the disk: a process that is killed loses nothing of it.
    /// `work` is given this process's row of `opens` besides.
    fn write_soon<R>(&self, work: impl FnOnce(&Transaction<'_>, i64) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        self.write_as("NORMAL", |transaction, cache, open| Ok((work(transaction, open)?, cache.take())))
    }

    fn write_with<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Option<Cache>, i64) -> rusqlite::Result<(R, Option<Cache>)>,
    ) -> Result<R, StoreError> {
        self.write_as("FULL", work)
    }

    /// `synchronous`: how long a commit waits for the disk (<https://sqlite.org/pragma.html#pragma_synchronous>).
    fn write_as<R>(
        &self,
        synchronous: &str,
        work: impl FnOnce(&Transaction<'_>, &mut Option<Cache>, i64) -> rusqlite::Result<(R, Option<Cache>)>,
    ) -> Result<R, StoreError> {
        let writer = self.inner.writer.as_ref().ok_or_else(|| StoreError::ReadOnly(self.inner.file.clone()))?;
        let mut writer = lock(writer);
        let Writer { connection, cache, open, turns, .. } = &mut *writer;
        if let Some(pause) = turns.begin() {
            std::thread::sleep(pause);
        }
        let mut known = cache.take();
        let began = Instant::now();
        let run = || {
            connection.pragma_update(None, "synchronous", synchronous)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let row = match *open {
                Some(row) => row,
                None => note_open(&transaction)?,
            };
            let (value, known) = work(&transaction, &mut known, row)?;
            transaction.commit()?;
            Ok((value, known, row))
        };
        let done = run();
        turns.end();
        let (value, known, row) = done.map_err(|error| {
            let error = self.error(&error);
            if let Some(failure) = error.of_disk() {
                *lock(&self.inner.failure) = Some(failure);
            }
            error
        })?;
        lock(&self.inner.writes).add(began.elapsed());
        *cache = known;
        *open = Some(row);
        Ok(value)
    }

    fn error(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::of(&self.inner.file, error)
    }
}

/// What is known at this moment: what this process knew, unless another one has written since.
fn current(transaction: &Transaction<'_>, cache: Option<Cache>) -> rusqlite::Result<Cache> {
    let stamp = known::stamp(transaction)?;
    if let Some(cache) = cache.filter(|cache| cache.stamp == stamp) {
        return Ok(cache);
    }
    let (memory, rest) = rows::load(transaction)?;
    Ok(Cache { memory, rest, stamp, news: None, written: BTreeMap::new() })
}

impl Cache {
    /// What is known without the devices.
    fn without_devices<T>(&mut self, look: impl FnOnce(&Memory) -> T) -> T {
        let devices = std::mem::take(&mut self.memory.devices);
        let value = look(&self.memory);
        self.memory.devices = devices;
        value
    }
}

/// Rows of `opens` that are kept.
const OPENS: i64 = 100;

/// Notes that this process writes here. Those of processes that were killed are closed: the store has been looked through.
fn note_open(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    place_rows::began();
    let now = codec::ms(Timestamp::now());
    let mut unclosed = transaction.prepare("SELECT id, pid FROM opens WHERE closed_at IS NULL")?;
    let unclosed: Vec<(i64, i64)> =
        unclosed.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    for (id, _) in unclosed.into_iter().filter(|(_, pid)| !open::runs(*pid)) {
        transaction.execute("UPDATE opens SET closed_at = ?2 WHERE id = ?1", (id, now))?;
    }
    transaction.execute("DELETE FROM opens WHERE id <= (SELECT max(id) FROM opens) - ?1", [OPENS])?;
    let insert = "INSERT INTO opens (at, pid, version) VALUES (?1, ?2, ?3)";
    transaction.execute(insert, (now, i64::from(std::process::id()), env!("CARGO_PKG_VERSION")))?;
    Ok(transaction.last_insert_rowid())
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The last connection that is closed takes the log in, and readers may not.
        lock(&self.readers).clear();
        self.known.close();
        let Some(writer) = &self.writer else { return };
        let mut writer = lock(writer);
        mend::end(&mut writer);
        if let Some(open) = writer.open {
            let close = "UPDATE opens SET closed_at = ?2 WHERE id = ?1";
            // A store that cannot be closed properly is looked through when it is opened again.
            let _ = writer.connection.execute(close, (open, codec::ms(Timestamp::now())));
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
