//! What happened, and how long what was in which state.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params, params_from_iter};

use super::codec::{from_json, json, ms, time, time_if};
use super::{Store, StoreError, rows};
use crate::model::memory::{Event, EventKind, Uid};

/// An event that is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its number. Later events have greater ones.
    pub number: i64,
    /// What happened.
    pub event: Event,
    /// The scan that found it.
    pub scan: Option<i64>,
}

/// Which events are wanted. Those of all fields are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Not earlier.
    pub since: Option<Timestamp>,
    /// Earlier.
    pub until: Option<Timestamp>,
    /// Of one of these devices; empty: of any, and of none.
    pub devices: Vec<Uid>,
    /// Of one of these kinds; empty: of any.
    pub kinds: Vec<EventKind>,
    /// With a greater number than this.
    pub after: Option<i64>,
    /// With a lesser number than this.
    pub before: Option<i64>,
    /// At most so many: the latest, or with `after` the first ones behind it.
    pub limit: Option<usize>,
}

/// A time during which a device, or one of its streams, was in one state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Span {
    /// The stream's key; absent for the device itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The state: a name of `DeviceState`, or of `StreamState`.
    pub state: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; absent where it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

impl Store {
    /// Events, in the order of their numbers.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(|connection| {
            let (mut conditions, mut values) = (vec!["1"], Vec::new());
            let mut condition = |sql: &'static str, value: Value| {
                conditions.push(sql);
                values.push(value);
            };
            if let Some(since) = filter.since {
                condition("e.at >= ?", ms(since).into());
            }
            if let Some(until) = filter.until {
                condition("e.at < ?", ms(until).into());
            }
            if let Some(after) = filter.after {
                condition("e.id > ?", after.into());
            }
            if let Some(before) = filter.before {
                condition("e.id < ?", before.into());
            }
            if !filter.devices.is_empty() {
                let uids: Vec<&str> = filter.devices.iter().map(Uid::as_str).collect();
                condition(
                    "e.device IN (SELECT id FROM devices WHERE public IN (SELECT value FROM json_each(?)))",
                    json(&uids)?.into(),
                );
            }
            if !filter.kinds.is_empty() {
                condition("e.type IN (SELECT value FROM json_each(?))", json(&filter.kinds)?.into());
            }
            let order = if filter.after.is_some() { "ASC" } else { "DESC" };
            values.push(filter.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1).into());
            let select = format!("{EVENT} WHERE {} ORDER BY e.id {order} LIMIT ?", conditions.join(" AND "));
            let mut statement = connection.prepare(&select)?;
            let mut all: Vec<StoredEvent> =
                statement.query_map(params_from_iter(values), event)?.collect::<rusqlite::Result<_>>()?;
            all.sort_by_key(|event| event.number);
            Ok(all)
        })
    }

    /// The numbers of the first and the last event that is kept; 0 where there is none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn event_numbers(&self) -> Result<(i64, i64), StoreError> {
        let select = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM events";
        self.read(|connection| connection.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// The states a device and its streams were in from `since` on, by their beginnings.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn spans(&self, device: &Uid, since: Timestamp) -> Result<Vec<Span>, StoreError> {
        self.read(|connection| {
            let Some(row) = rows::row_of(connection, device)? else { return Ok(Vec::new()) };
            let mut all = connection.prepare(
                "SELECT t.key, s.state, s.began, s.ended FROM spans s LEFT JOIN streams t ON t.id = s.stream \
                 WHERE s.device = ?1 AND (s.ended IS NULL OR s.ended >= ?2) ORDER BY s.began, s.id",
            )?;
            let span = |row: &Row<'_>| {
                Ok(Span {
                    stream: row.get(0)?,
                    state: row.get(1)?,
                    began: time(row.get(2)?)?,
                    ended: time_if(row.get(3)?)?,
                })
            };
            all.query_map((row, ms(since)), span)?.collect()
        })
    }

    /// Where a device was: address, from when, and until when.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn addresses(&self, device: &Uid) -> Result<Vec<(String, Timestamp, Option<Timestamp>)>, StoreError> {
        self.read(|connection| {
            let Some(row) = rows::row_of(connection, device)? else { return Ok(Vec::new()) };
            let mut all =
                connection.prepare("SELECT ip, began, ended FROM addresses WHERE device = ?1 ORDER BY began")?;
            let address = |row: &Row<'_>| Ok((row.get(0)?, time(row.get(1)?)?, time_if(row.get(2)?)?));
            all.query_map([row], address)?.collect()
        })
    }
}

const EVENT: &str = "SELECT e.id, e.scan, e.body FROM events e";

fn event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent { number: row.get(0)?, scan: row.get(1)?, event: from_json(row.get_ref(2)?.as_str()?)? })
}

/// Stores events and gives them their numbers.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    events: Vec<Event>,
    scan: Option<i64>,
) -> rusqlite::Result<Vec<(i64, Event)>> {
    let mut put = transaction.prepare(
        "INSERT INTO events (at, type, severity, device, stream, network, scan, muted_by, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut numbered = Vec::with_capacity(events.len());
    for event in events {
        let device = match &event.device {
            Some(uid) => rows::row_of(transaction, uid)?,
            None => None,
        };
        put.execute(params![
            ms(event.at),
            event.kind.as_str(),
            event.severity.as_str(),
            device,
            event.stream,
            event.network.map(|network| network.to_string()),
            scan,
            event.muted_by.map(|by| by.as_str()),
            json(&event)?,
        ])?;
        numbered.push((transaction.last_insert_rowid(), event));
    }
    Ok(numbered)
}

/// The events of these numbers, in their order; those that are no longer there are left out.
pub(super) fn by_number(connection: &Connection, numbers: &[i64]) -> rusqlite::Result<Vec<(i64, Event)>> {
    let mut one = connection.prepare(&format!("{EVENT} WHERE e.id = ?1"))?;
    let mut all = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut rows = one.query([number])?;
        if let Some(row) = rows.next()? {
            all.push((*number, event(row)?.event));
        }
    }
    Ok(all)
}
