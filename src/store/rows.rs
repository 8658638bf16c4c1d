//! The memory as rows: columns for what is looked for, a document for the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::codec::{from_json, json, ms, pack_text, time, unpack};
use super::known::News;
use super::{Cache, gone};
use crate::history::memory::{DeviceKey, Known, KnownStream, Memory, Seen, Traces};
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
    let mut statement = connection.prepare("SELECT id, body, last_seen FROM devices")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut known: Known = unpack(row.get_ref(1)?.as_blob()?)?;
        // The document is older where the device was only seen since.
        known.seen.last = time(row.get(2)?)?.max(known.seen.last);
        by_row.insert(row.get(0)?, known);
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
    let with_login = with_logins(connection)?;
    by_row.values_mut().for_each(|known| known.has_login = with_login.contains(&known.uid));
    memory.devices = by_row.into_values().map(|known| (known.uid.clone(), known)).collect();
    Ok((memory, rest.unwrap_or_default()))
}

/// Writes what was touched.
pub(super) fn save(transaction: &Transaction<'_>, cache: &mut Cache) -> rusqlite::Result<()> {
    if let Some(at) = cache.memory.take_set_back() {
        set_back(transaction, at)?;
    }
    let touched: BTreeSet<Uid> = cache.memory.take_touched();
    let forgotten = std::mem::take(&mut cache.memory.forgotten);
    remove(transaction, &forgotten)?;
    forgotten.keys().for_each(|uid| drop(cache.written.remove(uid)));
    let mut changed: BTreeMap<Uid, Option<Known>> = forgotten.into_keys().map(|uid| (uid, None)).collect();
    for uid in touched {
        if let Some(known) = cache.memory.devices.get_mut(&uid) {
            save_device(transaction, known, cache.written.entry(uid.clone()).or_default())?;
            changed.insert(uid, Some(known.clone()));
        }
    }
    let rest = cache.without_devices(json)?;
    if changed.is_empty() && rest == cache.rest {
        return Ok(());
    }
    let news = News::write(transaction, cache.stamp, changed, cache.without_devices(Memory::clone))?;
    cache.stamp = news.stamp();
    cache.news = Some(news);
    if rest != cache.rest {
        let put = "INSERT INTO meta (name, value) VALUES (?1, CAST(?2 AS BLOB)) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        transaction.prepare_cached(put)?.execute((REST, &rest))?;
        cache.rest = rest;
    }
    Ok(())
}

/// The clock was set back: what is kept with a time that has not come yet is as if it were of now. A message waits no longer,
/// what a device refused counts for a day, and a session ends as one that begins now.
fn set_back(transaction: &Transaction<'_>, at: Timestamp) -> rusqlite::Result<()> {
    const ALL: [&str; 4] = [
        "UPDATE outbox SET created_at = ?1, due_at = min(due_at, ?1) WHERE created_at > ?1",
        "UPDATE login_places SET at = ?1 WHERE at > ?1",
        "UPDATE sessions SET created_at = ?1 WHERE created_at > ?1",
        "UPDATE sessions SET seen_at = ?1 WHERE seen_at > ?1",
    ];
    ALL.iter().try_for_each(|set| transaction.execute(set, [ms(at)]).map(drop))
}

/// Removes the rows of what was forgotten.
fn remove(transaction: &Transaction<'_>, forgotten: &BTreeMap<Uid, Traces>) -> rusqlite::Result<()> {
    let mut all = Vec::with_capacity(forgotten.len());
    for (uid, traces) in forgotten {
        // One that was forgotten before it was stored has none.
        let row = row_of(transaction, uid)?;
        all.extend(row.map(|row| gone::Gone { uid: uid.clone(), row, traces: *traces }));
    }
    gone::remove(transaction, &all)
}

/// The devices that logins were given for on the page.
pub(super) fn with_logins(connection: &Connection) -> rusqlite::Result<BTreeSet<Uid>> {
    let mut select = connection.prepare_cached("SELECT device FROM device_logins WHERE device IS NOT NULL")?;
    let devices = select.query_map([], |row| Ok(Uid::parse(row.get_ref(0)?.as_str()?)))?;
    devices.filter_map(Result::transpose).collect()
}

/// The row of a device.
pub(super) fn row_of(connection: &Connection, uid: &Uid) -> rusqlite::Result<Option<i64>> {
    let find = "SELECT id FROM devices WHERE public = ?1";
    connection.prepare_cached(find)?.query_row([uid.as_str()], |row| row.get(0)).optional()
}

/// What was last written of a device by this process: what is still the same is not written again. A check changes when the
/// device was seen and one of its streams, and nothing else.
#[derive(Debug, Default)]
pub(super) struct Written {
    row: Option<i64>,
    /// Fingerprints of its documents.
    body: Option<u64>,
    keys: Option<u64>,
    note: Option<u64>,
    address: Option<(IpAddr, i64)>,
    state: Option<State>,
    streams: BTreeMap<String, (u64, State)>,
}

/// In which state something is, and since when.
type State = (&'static str, i64);

/// Tells whether a document is another one than that which was last written. Its key is random: nobody finds two that it does
/// not tell apart.
fn fingerprint(json: &str) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(json)
}

/// Whether this is other than what was last written, which it is from now on.
fn is_other<T: PartialEq>(written: &mut Option<T>, now: T) -> bool {
    let is_other = written.as_ref() != Some(&now);
    *written = Some(now);
    is_other
}

/// Writes what is other than it was. Where that fails, what was written and what is known are both read anew.
fn save_device(transaction: &Transaction<'_>, known: &mut Known, written: &mut Written) -> rusqlite::Result<()> {
    // They have rows of their own.
    let streams = std::mem::take(&mut known.streams);
    let keys = std::mem::take(&mut known.keys);
    let note = std::mem::take(&mut known.note);
    // It has a column of its own, and changes each time.
    let seen = std::mem::replace(&mut known.seen.last, known.seen.first);
    let body = fingerprint(&json(known)?);
    known.seen.last = seen;
    let row = match written.row {
        Some(row) if written.body == Some(body) && note_seen(transaction, row, ms(seen))? => row,
        _ => put_device(transaction, known)?,
    };
    if written.row != Some(row) {
        *written = Written::default();
    }
    let is_known = written.row.is_some();
    (written.row, written.body) = (Some(row), Some(body));
    let began = ms(known.address_since);
    if is_other(&mut written.keys, fingerprint(&json(&keys.iter().collect::<Vec<_>>())?)) {
        save_keys(transaction, row, &keys)?;
    }
    if is_other(&mut written.note, fingerprint(&json(&note)?)) {
        save_note(transaction, row, &note)?;
    }
    if is_other(&mut written.address, (known.device.ip, began)) {
        save_address(transaction, row, &known.device.ip.to_string(), began)?;
    }
    let state = (known.health.state.as_str(), ms(known.health.since));
    if is_other(&mut written.state, state) {
        save_span(transaction, row, None, state)?;
    }
    save_streams(transaction, row, &streams, &mut written.streams, is_known)?;
    (known.streams, known.keys, known.note) = (streams, keys, note);
    Ok(())
}

/// Writes when a device was last seen; false where it has no row any more.
fn note_seen(transaction: &Transaction<'_>, row: i64, seen: i64) -> rusqlite::Result<bool> {
    let put = "UPDATE devices SET last_seen = ?2, rev = rev + 1 WHERE id = ?1";
    Ok(transaction.prepare_cached(put)?.execute((row, seen))? == 1)
}

/// Writes the row of a device: its number.
fn put_device(transaction: &Transaction<'_>, known: &Known) -> rusqlite::Result<i64> {
    let device = &known.device;
    let put = "INSERT INTO devices (public, kind, vendor, model, firmware, serial, hostname, ip, mac, state, state_since, \
               first_seen, last_seen, archived_at, merged_into, rev, body) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1, ?16) \
               ON CONFLICT (public) DO UPDATE SET kind = excluded.kind, vendor = excluded.vendor, model = excluded.model, \
               firmware = excluded.firmware, serial = excluded.serial, hostname = excluded.hostname, ip = excluded.ip, \
               mac = excluded.mac, state = excluded.state, state_since = excluded.state_since, \
               first_seen = excluded.first_seen, last_seen = excluded.last_seen, archived_at = excluded.archived_at, \
               merged_into = excluded.merged_into, rev = devices.rev + 1, body = excluded.body RETURNING id";
    transaction.prepare_cached(put)?.query_row(
        params![
            known.uid.as_str(),
            device.kind.as_str(),
            device.vendor,
            device.model,
            device.firmware,
            device.serial,
            device.hostname,
            device.ip.to_string(),
            device.mac.map(|mac| mac.to_string()),
            known.health.state.as_str(),
            ms(known.health.since),
            ms(known.seen.first),
            ms(known.seen.last),
            known.archived_at.map(ms),
            known.merged_into.as_ref().map(Uid::as_str),
            pack_text(&json(known)?)?,
        ],
        |row| row.get(0),
    )
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
    (state, began): State,
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
    written: &mut BTreeMap<String, (u64, State)>,
    is_known: bool,
) -> rusqlite::Result<()> {
    if !is_known || written.keys().any(|key| !streams.contains_key(key)) {
        written.retain(|key, _| streams.contains_key(key));
        remove_streams(transaction, device, streams)?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT INTO streams (device, key, url, protocol, channel, state, state_since, last_ok, gone_at, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (device, key) DO UPDATE SET url = excluded.url, protocol = excluded.protocol, \
         channel = excluded.channel, state = excluded.state, state_since = excluded.state_since, \
         last_ok = excluded.last_ok, gone_at = excluded.gone_at, body = excluded.body RETURNING id",
    )?;
    for (key, known) in streams {
        let (stream, body) = (&known.stream, json(known)?);
        let state = (known.health.state.as_str(), ms(known.health.since));
        let before = written.insert(key.clone(), (fingerprint(&body), state));
        if before.is_some_and(|(then, _)| then == fingerprint(&body)) {
            continue;
        }
        let row: i64 = put.query_row(
            params![
                device,
                key,
                stream.url,
                stream.protocol.as_str(),
                stream.channel,
                state.0,
                state.1,
                known.last_ok.map(ms),
                known.gone_at.map(ms),
                pack_text(&body)?,
            ],
            |row| row.get(0),
        )?;
        if before.is_none_or(|(_, then)| then != state) {
            save_span(transaction, device, Some(row), state)?;
        }
    }
    Ok(())
}

/// Removes the rows of streams that are known no longer: those that went into another device, or came out of one, or were more
/// than are kept. A new stream gets the row of such a one: to remove a row, all spans are looked through for what refers to it.
fn remove_streams(
    transaction: &Transaction<'_>,
    device: i64,
    streams: &BTreeMap<String, KnownStream>,
) -> rusqlite::Result<()> {
    let mut kept = transaction.prepare_cached("SELECT id, key FROM streams WHERE device = ?1")?;
    let rows: BTreeMap<String, i64> =
        kept.query_map([device], |row| Ok((row.get(1)?, row.get(0)?)))?.collect::<rusqlite::Result<_>>()?;
    let mut new = streams.keys().filter(|key| !rows.contains_key(*key));
    for (_, row) in rows.iter().filter(|(key, _)| !streams.contains_key(*key)) {
        transaction.prepare_cached("DELETE FROM rollups WHERE stream = ?1")?.execute([row])?;
        transaction.prepare_cached("DELETE FROM spans WHERE device = ?1 AND stream = ?2")?.execute((device, row))?;
        match new.next() {
            Some(key) => {
                transaction.prepare_cached("UPDATE streams SET key = ?2 WHERE id = ?1")?.execute((row, key))?
            }
            None => transaction.prepare_cached("DELETE FROM streams WHERE id = ?1")?.execute([row])?,
        };
    }
    Ok(())
}
