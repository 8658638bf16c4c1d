//! Logins of browsers.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, ToSql, params};

use super::audit::{self, Actor};
use super::users::{self, User};
use super::{Outcome, Refused, SecretHash};
use crate::model::memory::Detail;
use crate::store::codec::{ms, time};
use crate::store::{Store, StoreError};

/// A session that is not used ends after this.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(12);
/// One that is used ends after this.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Sessions of one account; a further one ends the one that was unused longest.
const MOST: i64 = 20;
/// That a session is used is noted again after this: each note is written to the disk.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// A session that is valid, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// Its number.
    pub id: i64,
    /// Whose it is; enabled.
    pub user: User,
    /// Whether [`Store::touch_session`] is due.
    pub is_note_due: bool,
}

/// A session as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub user: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to within five minutes.
    pub seen_at: Timestamp,
    /// Where it was begun from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

impl Store {
    /// Begins a session of an account that has just logged in, and ends the one it had before, if any. Its number.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn begin_session(
        &self,
        user: i64,
        hash: &SecretHash,
        before: Option<&SecretHash>,
        from: (&str, &str),
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        self.end(|transaction| {
            if let Some(before) = before {
                transaction.execute("DELETE FROM sessions WHERE hash = ?1", [before])?;
            }
            let (idle, old) = limits(now);
            transaction.execute("DELETE FROM sessions WHERE seen_at < ?1 OR created_at < ?2", (idle, old))?;
            let unused = "DELETE FROM sessions WHERE user = ?1 AND id NOT IN \
                          (SELECT id FROM sessions WHERE user = ?1 ORDER BY seen_at DESC, id DESC LIMIT ?2)";
            transaction.execute(unused, (user, MOST - 1))?;
            let insert = "INSERT INTO sessions (hash, user, created_at, seen_at, address, agent) \
                          VALUES (?1, ?2, ?3, ?3, ?4, ?5)";
            transaction.execute(insert, params![hash, user, ms(now), from.0, from.1])?;
            let id = transaction.last_insert_rowid();
            transaction.execute("UPDATE users SET login_at = ?2 WHERE id = ?1", (user, ms(now)))?;
            let name = users::by_id(transaction, user)?.map(|user| user.name).unwrap_or_default();
            let actor = Actor { name: name.clone(), address: from.0.to_owned() };
            let program = Detail::Program { name: from.1.to_owned() };
            audit::note(transaction, now, &actor, "session.begin", &name, &program)?;
            Ok(id)
        })
    }

    /// The session of a secret, if it is valid and its account can be used.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn session(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<StoredSession>, StoreError> {
        self.valid_session("hash", hash, now)
    }

    /// The session of a number, if it is valid still and its account can be used.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn session_numbered(&self, id: i64, now: Timestamp) -> Result<Option<StoredSession>, StoreError> {
        self.valid_session("id", &id, now)
    }

    fn valid_session(
        &self,
        column: &'static str,
        value: &dyn ToSql,
        now: Timestamp,
    ) -> Result<Option<StoredSession>, StoreError> {
        let (idle, old) = limits(now);
        let find = format!(
            "SELECT id, user, seen_at FROM sessions WHERE {column} = ?1 AND seen_at >= ?2 AND created_at >= ?3"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&find)?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?, time(row.get(2)?)?));
            let Some((id, user, seen_at)) = statement.query_row(params![value, idle, old], row).optional()? else {
                return Ok(None);
            };
            let user = users::by_id(connection, user)?.filter(|user| user.enabled);
            let is_note_due = now.duration_since(seen_at) >= NOTE_EVERY;
            Ok(user.map(|user| StoredSession { id, user, is_note_due }))
        })
    }

    /// Notes that a session is used.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn touch_session(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        let set = "UPDATE sessions SET seen_at = max(seen_at, ?2) WHERE id = ?1";
        self.write(|transaction| transaction.execute(set, (id, ms(now))).map(drop))
    }

    /// The sessions of an account that are valid, the last used first; of all where none is named.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sessions(&self, user: Option<i64>, now: Timestamp) -> Result<Vec<SessionRow>, StoreError> {
        let (idle, old) = limits(now);
        let select = "SELECT id, user, created_at, seen_at, address, agent FROM sessions \
                      WHERE (?1 IS NULL OR user = ?1) AND seen_at >= ?2 AND created_at >= ?3 ORDER BY seen_at DESC";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(select)?;
            let rows = statement.query_map((user, idle, old), |row| {
                Ok(SessionRow {
                    id: row.get(0)?,
                    user: row.get(1)?,
                    created_at: time(row.get(2)?)?,
                    seen_at: time(row.get(3)?)?,
                    address: row.get(4)?,
                    agent: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Ends a session, of this account where one is named.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn end_session(
        &self,
        id: i64,
        user: Option<i64>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Outcome<()>, StoreError> {
        self.end(|transaction| {
            let find = "DELETE FROM sessions WHERE id = ?1 AND (?2 IS NULL OR user = ?2) RETURNING user";
            let ended: Option<i64> = transaction.query_row(find, (id, user), |row| row.get(0)).optional()?;
            let Some(user) = ended else { return Ok(Err(Refused::Unknown)) };
            let name = users::by_id(transaction, user)?.map(|user| user.name).unwrap_or_default();
            audit::note(transaction, now, actor, "session.end", &name, &Detail::Nothing)?;
            Ok(Ok(()))
        })
    }
}

/// The earliest last use, and the earliest beginning, of a session that is still valid.
fn limits(now: Timestamp) -> (i64, i64) {
    let before = |age| ms(now.checked_sub(age).unwrap_or(Timestamp::MIN));
    (before(SESSION_IDLE), before(SESSION_LIFE))
}
