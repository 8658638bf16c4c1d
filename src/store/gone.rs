//! The rows of devices that are remembered no longer: all of them go, in the transaction that forgets the devices.

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction};

use crate::history::memory::Traces;
use crate::model::memory::{DeliveryState, Uid};

/// A device that is remembered no longer.
pub(super) struct Gone {
    pub uid: Uid,
    /// The number of its row.
    pub row: i64,
    /// What becomes of the events about it.
    pub traces: Traces,
}

/// Removes the rows of devices. The events about them stay, or go as far as no message waits that tells them.
pub(super) fn remove(transaction: &Transaction<'_>, devices: &[Gone]) -> rusqlite::Result<()> {
    let goes = devices.iter().any(|gone| gone.traces == Traces::Go);
    let waiting = if goes { waiting(transaction)? } else { BTreeSet::new() };
    for Gone { uid, row, traces } in devices {
        if *traces == Traces::Go {
            remove_events(transaction, *row, &waiting)?;
        }
        remove_presence(transaction, *row)?;
        transaction.prepare_cached("DELETE FROM device_logins WHERE device = ?1")?.execute([uid.as_str()])?;
        for remove in [
            "UPDATE events SET device = NULL WHERE device = ?1",
            "DELETE FROM device_keys WHERE device = ?1",
            "DELETE FROM addresses WHERE device = ?1",
            "DELETE FROM spans WHERE device = ?1",
            "DELETE FROM rollups WHERE stream IN (SELECT id FROM streams WHERE device = ?1)",
            "DELETE FROM streams WHERE device = ?1",
            "DELETE FROM notes WHERE device = ?1",
            "DELETE FROM logins WHERE device = ?1",
            "DELETE FROM devices WHERE id = ?1",
        ] {
            transaction.prepare_cached(remove)?.execute([row])?;
        }
    }
    Ok(())
}

/// The events that messages tell which wait.
fn waiting(connection: &Connection) -> rusqlite::Result<BTreeSet<i64>> {
    let select = "SELECT j.value FROM outbox o, json_each(o.events) j WHERE o.state = ?1";
    let mut select = connection.prepare(select)?;
    select.query_map([DeliveryState::Waiting.as_str()], |row| row.get(0))?.collect()
}

fn remove_events(transaction: &Transaction<'_>, device: i64, waiting: &BTreeSet<i64>) -> rusqlite::Result<()> {
    let mut select = transaction.prepare_cached("SELECT id FROM events WHERE device = ?1")?;
    let events: Vec<i64> = select.query_map([device], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut remove = transaction.prepare_cached("DELETE FROM events WHERE id = ?1")?;
    events.iter().filter(|event| !waiting.contains(event)).try_for_each(|event| remove.execute([event]).map(drop))
}

/// Removes a device from the scans that found it, and the documents that no other one has.
fn remove_presence(transaction: &Transaction<'_>, device: i64) -> rusqlite::Result<()> {
    let mut select = transaction.prepare_cached("SELECT DISTINCT doc FROM presence WHERE device = ?1")?;
    let docs: Vec<i64> = select.query_map([device], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    transaction.prepare_cached("DELETE FROM presence WHERE device = ?1")?.execute([device])?;
    let remove = "DELETE FROM docs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM presence WHERE doc = docs.id) \
                  AND NOT EXISTS (SELECT 1 FROM scans WHERE info = docs.id)";
    let mut remove = transaction.prepare_cached(remove)?;
    docs.iter().try_for_each(|doc| remove.execute([doc]).map(drop))
}
