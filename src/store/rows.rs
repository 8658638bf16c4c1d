//! The memory as rows: columns for what is looked for, a document for the rest.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::Cache;
use super::codec::{from_json, json, ms, pack, unpack};
use crate::history::memory::{DeviceKey, Known, KnownStream, Memory, Seen};
use crate::model::memory::{Note, Uid};

/// The key of the row that holds what belongs to no single device.
const REST: &str = "memory";

/// Reads everything; and what belongs to no single device as it stands there.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<(Memory, String)> {
    let rest = "SELECT CAST(value AS TEXT) FROM meta WHERE name = ?1";
    let rest: Option<String> = connection.query_row(rest, [REST], |row| row.get(0)).optional()?;
    let mut memory = match &rest {
        Some(text) => from_json(text)?,
        None => Memory::default(),
    };
    let mut by_row: BTreeMap<i64, Known> = BTreeMap::new();
    let mut statement = connection.prepare("SELECT id, body FROM devices")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        by_row.insert(row.get(0)?, unpack(row.get_ref(1)?.as_blob()?)?);
    }
    let mut statement = connection.prepare("SELECT device, kind, value, body FROM device_keys")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(known) = by_row.get_mut(&row.get(0)?) else { continue };
        let kind = super::codec::named(row.get_ref(1)?.as_str()?)?;
        let seen: Seen = from_json(row.get_ref(3)?.as_str()?)?;
        known.keys.insert(DeviceKey { kind, value: row.get(2)? }, seen);
    }
    let mut statement = connection.prepare("SELECT device, key, body FROM streams")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(known) = by_row.get_mut(&row.get(0)?) else { continue };
        known.streams.insert(row.get(1)?, unpack(row.get_ref(2)?.as_blob()?)?);
    }
    let mut statement = connection.prepare("SELECT device, body FROM notes")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(known) = by_row.get_mut(&row.get(0)?) else { continue };
        known.note = from_json(row.get_ref(1)?.as_str()?)?;
    }
    memory.devices = by_row.into_values().map(|known| (known.uid.clone(), known)).collect();
    Ok((memory, rest.unwrap_or_default()))
}

/// Writes what was touched.
pub(super) fn save(transaction: &Transaction<'_>, cache: &mut Cache) -> rusqlite::Result<()> {
    let touched: BTreeSet<Uid> = cache.memory.take_touched();
    cache.changes += 1;
    for uid in &touched {
        if let Some(known) = cache.memory.devices.get(uid) {
            save_device(transaction, known)?;
        }
        cache.changed.insert(uid.clone(), cache.changes);
    }
    let rest = cache.without_devices(json)?;
    if rest != cache.rest {
        let put = "INSERT INTO meta (name, value) VALUES (?1, CAST(?2 AS BLOB)) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        transaction.prepare_cached(put)?.execute((REST, &rest))?;
        cache.rest = rest;
    }
    Ok(())
}

/// The row of a device.
pub(super) fn row_of(connection: &Connection, uid: &Uid) -> rusqlite::Result<Option<i64>> {
    let find = "SELECT id FROM devices WHERE public = ?1";
    connection.prepare_cached(find)?.query_row([uid.as_str()], |row| row.get(0)).optional()
}

fn save_device(transaction: &Transaction<'_>, known: &Known) -> rusqlite::Result<()> {
    let mut rest = known.clone();
    let streams = std::mem::take(&mut rest.streams);
    let keys = std::mem::take(&mut rest.keys);
    let note = std::mem::take(&mut rest.note);
    let device = &rest.device;
    let put = "INSERT INTO devices (public, kind, vendor, model, firmware, serial, hostname, ip, mac, state, state_since, \
               first_seen, last_seen, archived_at, merged_into, rev, body) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1, ?16) \
               ON CONFLICT (public) DO UPDATE SET kind = excluded.kind, vendor = excluded.vendor, model = excluded.model, \
               firmware = excluded.firmware, serial = excluded.serial, hostname = excluded.hostname, ip = excluded.ip, \
               mac = excluded.mac, state = excluded.state, state_since = excluded.state_since, \
               first_seen = excluded.first_seen, last_seen = excluded.last_seen, archived_at = excluded.archived_at, \
               merged_into = excluded.merged_into, rev = devices.rev + 1, body = excluded.body RETURNING id";
    let row: i64 = transaction.prepare_cached(put)?.query_row(
        params![
            rest.uid.as_str(),
            device.kind.as_str(),
            device.vendor,
            device.model,
            device.firmware,
            device.serial,
            device.hostname,
            device.ip.to_string(),
            device.mac.map(|mac| mac.to_string()),
            rest.health.state.as_str(),
            ms(rest.health.since),
            ms(rest.seen.first),
            ms(rest.seen.last),
            rest.archived_at.map(ms),
            rest.merged_into.as_ref().map(Uid::as_str),
            pack(&rest)?,
        ],
        |row| row.get(0),
    )?;
    save_keys(transaction, row, &keys)?;
    save_note(transaction, row, &note)?;
    let began = ms(rest.address_since);
    save_address(transaction, row, &device.ip.to_string(), began)?;
    save_span(transaction, row, None, rest.health.state.as_str(), ms(rest.health.since))?;
    save_streams(transaction, row, &streams)
}

fn save_keys(transaction: &Transaction<'_>, device: i64, keys: &BTreeMap<DeviceKey, Seen>) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM device_keys WHERE device = ?1")?.execute([device])?;
    let mut put =
        transaction.prepare_cached("INSERT INTO device_keys (kind, value, device, body) VALUES (?1, ?2, ?3, ?4)")?;
    for (key, seen) in keys {
        put.execute(params![key.kind.as_str(), key.value, device, json(seen)?])?;
    }
    Ok(())
}

fn save_note(transaction: &Transaction<'_>, device: i64, note: &Note) -> rusqlite::Result<()> {
    if *note == Note::default() {
        return transaction.prepare_cached("DELETE FROM notes WHERE device = ?1")?.execute([device]).map(drop);
    }
    let put = "INSERT INTO notes (device, name, site, rev, body) VALUES (?1, ?2, ?3, 1, ?4) \
               ON CONFLICT (device) DO UPDATE SET name = excluded.name, site = excluded.site, rev = notes.rev + 1, \
               body = excluded.body WHERE body <> excluded.body";
    transaction.prepare_cached(put)?.execute(params![device, note.name, note.site, json(note)?]).map(drop)
}

/// Where a device is; where it was until then is closed.
fn save_address(transaction: &Transaction<'_>, device: i64, ip: &str, began: i64) -> rusqlite::Result<()> {
    let find = "SELECT began, ip FROM addresses WHERE device = ?1 AND ended IS NULL";
    let open: Option<(i64, String)> =
        transaction.prepare_cached(find)?.query_row([device], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match open {
        Some((since, at)) if since == began && at == ip => return Ok(()),
        Some(_) => {
            let close = "UPDATE addresses SET ended = max(began, ?2) WHERE device = ?1 AND ended IS NULL";
            transaction.prepare_cached(close)?.execute((device, began))?;
        }
        None => {}
    }
    let put = "INSERT INTO addresses (device, began, ip) VALUES (?1, ?2, ?3) \
               ON CONFLICT (device, began, ip) DO UPDATE SET ended = NULL";
    transaction.prepare_cached(put)?.execute((device, began, ip)).map(drop)
}

/// In which state a device or stream is; the one it was in until then is closed.
fn save_span(
    transaction: &Transaction<'_>,
    device: i64,
    stream: Option<i64>,
    state: &str,
    began: i64,
) -> rusqlite::Result<()> {
    let find = "SELECT id, state, began FROM spans WHERE device = ?1 AND stream IS ?2 AND ended IS NULL";
    let open: Option<(i64, String, i64)> = transaction
        .prepare_cached(find)?
        .query_row((device, stream), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    match open {
        Some((_, was, since)) if was == state && since == began => return Ok(()),
        // The same state, known to have begun at another time.
        Some((id, was, _)) if was == state => {
            return transaction
                .prepare_cached("UPDATE spans SET began = ?2 WHERE id = ?1")?
                .execute((id, began))
                .map(drop);
        }
        Some((id, ..)) => {
            transaction
                .prepare_cached("UPDATE spans SET ended = max(began, ?2) WHERE id = ?1")?
                .execute((id, began))?;
        }
        None => {}
    }
    let put = "INSERT INTO spans (device, stream, began, state) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(put)?.execute((device, stream, began, state)).map(drop)
}

fn save_streams(
    transaction: &Transaction<'_>,
    device: i64,
    streams: &BTreeMap<String, KnownStream>,
) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO streams (device, key, url, protocol, channel, state, state_since, last_ok, gone_at, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (device, key) DO UPDATE SET url = excluded.url, protocol = excluded.protocol, \
         channel = excluded.channel, state = excluded.state, state_since = excluded.state_since, \
         last_ok = excluded.last_ok, gone_at = excluded.gone_at, body = excluded.body RETURNING id",
    )?;
    for (key, known) in streams {
        let stream = &known.stream;
        let row: i64 = put.query_row(
            params![
                device,
                key,
                stream.url,
                stream.protocol.as_str(),
                stream.channel,
                known.health.state.as_str(),
                ms(known.health.since),
                known.last_ok.map(ms),
                known.gone_at.map(ms),
                pack(known)?,
            ],
            |row| row.get(0),
        )?;
        save_span(transaction, device, Some(row), known.health.state.as_str(), ms(known.health.since))?;
    }
    // Those that went into another device, or came out of one.
    let mut kept = transaction.prepare_cached("SELECT id, key FROM streams WHERE device = ?1")?;
    let rows: Vec<(i64, String)> =
        kept.query_map([device], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    for (id, _) in rows.iter().filter(|(_, key)| !streams.contains_key(key)) {
        transaction.prepare_cached("DELETE FROM rollups WHERE stream = ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM spans WHERE stream = ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM streams WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}
