//! How long what is kept, and how the rest goes: in small steps, so that nobody waits long.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Transaction};

use super::checks::Slot;
use super::codec::ms;
use super::{Store, StoreError};
use crate::model::memory::{DeliveryState, Keep};

/// Rows that are removed in one transaction.
const STEP: i64 = 1_000;
/// Pages that are given back in one transaction.
const PAGES: i64 = 1_000;

/// Rows that were removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events, and states of devices and streams.
    pub events: u64,
    /// Scans.
    pub scans: u64,
    /// Hours and days of checks.
    pub rollups: u64,
    /// Messages.
    pub outbox: u64,
}

impl Store {
    /// Removes what is older than it is kept, and gives the space back to the disk.
    ///
    /// # Errors
    /// When it cannot be stored; what was removed until then stays removed.
    pub fn prune(&self, keep: &Keep, now: Timestamp) -> Result<Pruned, StoreError> {
        let before = |age: Option<SignedDuration>| age.and_then(|age| now.checked_sub(age).ok());
        let mut pruned = Pruned::default();
        if let Some(at) = before(keep.events) {
            // A problem that lasts is still told by its event when it ends.
            pruned.events += self.remove(
                "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ?1 \
                 AND NOT EXISTS (SELECT 1 FROM outbox o, json_each(o.events) j WHERE o.state = 'waiting' \
                 AND j.value = events.id) LIMIT ?2)",
                ms(at),
            )?;
            pruned.events +=
                self.remove("DELETE FROM spans WHERE id IN (SELECT id FROM spans WHERE ended < ?1 LIMIT ?2)", ms(at))?;
            self.remove(
                "DELETE FROM addresses WHERE (device, began, ip) IN \
                 (SELECT device, began, ip FROM addresses WHERE ended < ?1 LIMIT ?2)",
                ms(at),
            )?;
            self.remove("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 LIMIT ?2)", ms(at))?;
        }
        if let Some(at) = before(keep.scans) {
            pruned.scans += self.remove_scans(ms(at))?;
        }
        for (slot, age) in [(Slot::Hour, keep.hourly), (Slot::Day, keep.daily)] {
            let Some(at) = before(age) else { continue };
            let sql = format!(
                "DELETE FROM rollups WHERE (stream, seconds, slot) IN (SELECT r.stream, {0}, r.slot \
                 FROM streams s JOIN rollups r ON r.stream = s.id AND r.seconds = {0} AND r.slot < ?1 LIMIT ?2)",
                slot.seconds()
            );
            pruned.rollups += self.remove(&sql, slot.of(at))?;
        }
        if let Some(at) = before(keep.outbox) {
            let sql = format!(
                "DELETE FROM outbox WHERE number IN (SELECT number FROM outbox WHERE created_at < ?1 \
                 AND state <> '{}' LIMIT ?2)",
                DeliveryState::Waiting
            );
            pruned.outbox += self.remove(&sql, ms(at))?;
        }
        self.give_back()?;
        Ok(pruned)
    }

    /// Runs a statement, that removes at most `?2` of the rows before `?1`, until it removes none.
    fn remove(&self, sql: &str, before: i64) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let removed = self.write(|transaction| transaction.execute(sql, (before, STEP)))?;
            all += removed as u64;
            if removed == 0 {
                return Ok(all);
            }
        }
    }

    /// Removes scans that ended before a time, what they alone found, and documents that nobody refers to any more.
    fn remove_scans(&self, before: i64) -> Result<u64, StoreError> {
        let first_kept = |connection: &Connection| -> rusqlite::Result<i64> {
            let first = "SELECT coalesce(min(id), (SELECT max(id) FROM scans), 0) FROM scans WHERE ended_at >= ?1";
            connection.query_row(first, [before], |row| row.get(0))
        };
        let kept = self.read(first_kept)?;
        self.remove(
            "DELETE FROM presence WHERE (device, first_scan, part) IN \
             (SELECT device, first_scan, part FROM presence WHERE last_scan < ?1 LIMIT ?2)",
            kept,
        )?;
        // What was found before and is found still begins with the first scan that is kept.
        self.remove(
            "UPDATE presence SET first_scan = ?1 WHERE (device, first_scan, part) IN \
             (SELECT device, first_scan, part FROM presence WHERE first_scan < ?1 LIMIT ?2)",
            kept,
        )?;
        let scans = self.remove("DELETE FROM scans WHERE id IN (SELECT id FROM scans WHERE id < ?1 LIMIT ?2)", kept)?;
        if scans > 0 {
            self.remove(
                "DELETE FROM docs WHERE id IN (SELECT id FROM docs WHERE ?1 >= 0 \
                 AND NOT EXISTS (SELECT 1 FROM presence WHERE doc = docs.id) \
                 AND NOT EXISTS (SELECT 1 FROM scans WHERE info = docs.id) LIMIT ?2)",
                0,
            )?;
        }
        Ok(scans)
    }

    fn give_back(&self) -> Result<(), StoreError> {
        let free = |transaction: &Transaction<'_>| -> rusqlite::Result<i64> {
            let mut statement = transaction.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            drop(rows);
            transaction.query_row("PRAGMA freelist_count", [], |row| row.get(0))
        };
        let mut last = i64::MAX;
        loop {
            let left = self.write(free)?;
            if left == 0 || left >= last {
                return self.checkpoint();
            }
            last = left;
        }
    }
}
