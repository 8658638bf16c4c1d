//! Messages that wait for delivery.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, Transaction, params};

use super::codec::{from_json, json, ms, named, time};
use super::{Store, StoreError, events};
use crate::model::memory::{Delivery, DeliveryState, Event, Outbox, OutboxError, Route, Routed};

/// How long a message counts against the limit of its channel.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// Which messages are wanted. Those of all fields are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxFilter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// For this channel.
    pub channel: Option<String>,
    /// Those with a lesser number alone.
    pub before: Option<i64>,
    /// At most so many, the latest.
    pub limit: Option<usize>,
}

/// Stores the messages that events become.
pub(super) fn route(transaction: &Transaction<'_>, events: &[(i64, Event)], route: &dyn Route) -> rusqlite::Result<()> {
    let Some(now) = events.iter().map(|(_, event)| event.at).max() else { return Ok(()) };
    let recent = now.checked_sub(RECENT).unwrap_or(Timestamp::MIN);
    let mut open = transaction
        .prepare(&format!("SELECT {COLUMNS} FROM outbox WHERE state = ?1 OR created_at >= ?2 ORDER BY number"))?;
    let open: Vec<Delivery> = open
        .query_map(params![DeliveryState::Waiting.as_str(), ms(recent)], delivery)?
        .collect::<rusqlite::Result<_>>()?;
    let Routed { new, added, dropped } =
        route.route(events, &open, now, &|numbers| events::by_number(transaction, numbers).unwrap_or_default());
    for delivery in &new {
        insert(transaction, delivery)?;
    }
    for (number, events) in added {
        let Some(delivery) = open.iter().find(|delivery| delivery.number == number) else { continue };
        let all: Vec<i64> = delivery.events.iter().copied().chain(events).collect();
        transaction.execute("UPDATE outbox SET events = ?2 WHERE number = ?1", params![number, json(&all)?])?;
    }
    for number in dropped {
        let drop = "UPDATE outbox SET state = ?2 WHERE number = ?1";
        transaction.execute(drop, params![number, DeliveryState::Dropped.as_str()])?;
    }
    Ok(())
}

fn insert(transaction: &Transaction<'_>, delivery: &Delivery) -> rusqlite::Result<()> {
    let put = "INSERT INTO outbox (id, channel, grouped_by, events, body, created_at, due_at, tries, state, error) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    transaction
        .execute(
            put,
            params![
                delivery.id,
                delivery.channel,
                delivery.group,
                json(&delivery.events)?,
                delivery.body,
                ms(delivery.created_at),
                ms(delivery.due_at),
                delivery.tries,
                delivery.state.as_str(),
                delivery.error,
            ],
        )
        .map(drop)
}

const COLUMNS: &str = "number, id, channel, grouped_by, events, body, created_at, due_at, tries, state, error";

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        number: row.get(0)?,
        id: row.get(1)?,
        channel: row.get(2)?,
        group: row.get(3)?,
        events: from_json(row.get_ref(4)?.as_str()?)?,
        body: row.get(5)?,
        created_at: time(row.get(6)?)?,
        due_at: time(row.get(7)?)?,
        tries: row.get(8)?,
        state: named(row.get_ref(9)?.as_str()?)?,
        error: row.get(10)?,
    })
}

impl Store {
    /// Messages, in the order of their numbers.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn outbox(&self, filter: &OutboxFilter) -> Result<Vec<Delivery>, StoreError> {
        self.read(|connection| {
            let select = format!(
                "SELECT {COLUMNS} FROM outbox WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR channel = ?2) \
                 AND (?4 IS NULL OR number < ?4) ORDER BY number DESC LIMIT ?3"
            );
            let limit = filter.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1);
            let state = filter.state.map(DeliveryState::as_str);
            let mut statement = connection.prepare(&select)?;
            let rows = statement.query_map(params![state, filter.channel, limit, filter.before], delivery)?;
            let mut all: Vec<Delivery> = rows.collect::<rusqlite::Result<_>>()?;
            all.reverse();
            Ok(all)
        })
    }

    /// Has a message sent again from now on that was delivered or given up. It stays the same one, so that a receiver which
    /// did get it knows it again. False where there is none, or it waits already.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn send_again(&self, number: i64, now: Timestamp) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let again =
                "UPDATE outbox SET state = ?1, due_at = ?2, tries = 0, error = NULL WHERE number = ?3 AND state != ?1";
            Ok(transaction.execute(again, params![DeliveryState::Waiting.as_str(), ms(now), number])? > 0)
        })
    }

    /// Adds a message that no event led to, such as one that tries a channel. Its number is given by the store.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn enqueue(&self, message: &Delivery) -> Result<i64, StoreError> {
        self.write(|transaction| {
            insert(transaction, message)?;
            Ok(transaction.last_insert_rowid())
        })
    }
}

fn due(connection: &Connection, channel: &str, now: Timestamp, limit: usize) -> rusqlite::Result<Vec<Delivery>> {
    let select = format!(
        "SELECT {COLUMNS} FROM outbox WHERE state = ?1 AND channel = ?2 AND due_at <= ?3 \
         ORDER BY due_at, number LIMIT ?4"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare(&select)?;
    let rows = statement.query_map(params![DeliveryState::Waiting.as_str(), channel, ms(now), limit], delivery)?;
    rows.collect()
}

fn next_due(connection: &Connection, channel: &str) -> rusqlite::Result<Option<Timestamp>> {
    let select = "SELECT min(due_at) FROM outbox WHERE state = ?1 AND channel = ?2";
    let next = connection.query_row(select, [DeliveryState::Waiting.as_str(), channel], |row| row.get(0))?;
    super::codec::time_if(next)
}

impl Outbox for Store {
    fn due(&self, channel: &str, now: Timestamp, limit: usize) -> Result<Vec<Delivery>, OutboxError> {
        Ok(self.read(|connection| due(connection, channel, now, limit))?)
    }

    fn next_due(&self, channel: &str) -> Result<Option<Timestamp>, OutboxError> {
        Ok(self.read(|connection| next_due(connection, channel))?)
    }

    fn settle(&self, delivery: &Delivery) -> Result<(), OutboxError> {
        let put = "UPDATE outbox SET body = ?2, due_at = ?3, tries = ?4, state = ?5, error = ?6 WHERE number = ?1";
        Ok(self.write(|transaction| {
            transaction
                .execute(
                    put,
                    params![
                        delivery.number,
                        delivery.body,
                        ms(delivery.due_at),
                        delivery.tries,
                        delivery.state.as_str(),
                        delivery.error,
                    ],
                )
                .map(drop)
        })?)
    }

    fn events_of(&self, delivery: &Delivery) -> Result<Vec<(i64, Event)>, OutboxError> {
        Ok(self.read(|connection| {
            // More may have been added since it was read.
            let select = "SELECT events FROM outbox WHERE number = ?1";
            let numbers = connection.query_row(select, [delivery.number], |row| row.get::<_, String>(0))?;
            events::by_number(connection, &from_json::<Vec<i64>>(&numbers)?)
        })?)
    }
}
