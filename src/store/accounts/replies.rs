//! Answers to requests that may be sent twice.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::SecretHash;
use crate::store::codec::ms;
use crate::store::{Store, StoreError};

/// How long an answer is given again.
const LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Answers that are kept; a further one replaces the oldest.
const MOST: i64 = 10_000;

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The SHA-256 of the request it answers.
    pub request: SecretHash,
    /// Its HTTP status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl Store {
    /// The answer that a request with this key got from the same sender in the last 24 hours.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn reply(&self, actor: &str, key: &str, now: Timestamp) -> Result<Option<Reply>, StoreError> {
        let since = ms(now.checked_sub(LIFE).unwrap_or(Timestamp::MIN));
        let find = "SELECT request, status, body FROM replies WHERE actor = ?1 AND key = ?2 AND at >= ?3";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(find)?;
            let row =
                |row: &rusqlite::Row<'_>| Ok(Reply { request: row.get(0)?, status: row.get(1)?, body: row.get(2)? });
            statement.query_row(params![actor, key, since], row).optional()
        })
    }

    /// Keeps an answer for 24 hours.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn keep_reply(&self, actor: &str, key: &str, reply: &Reply, now: Timestamp) -> Result<(), StoreError> {
        self.write(|transaction| {
            let since = ms(now.checked_sub(LIFE).unwrap_or(Timestamp::MIN));
            transaction.execute("DELETE FROM replies WHERE at < ?1", [since])?;
            let most = "DELETE FROM replies WHERE (actor, key) NOT IN \
                        (SELECT actor, key FROM replies ORDER BY at DESC LIMIT ?1)";
            let count: i64 = transaction.query_row("SELECT count(*) FROM replies", [], |row| row.get(0))?;
            if count >= MOST {
                transaction.execute(most, [MOST - 1])?;
            }
            let put = "INSERT OR REPLACE INTO replies (actor, key, at, request, status, body) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            transaction.execute(put, params![actor, key, ms(now), reply.request, reply.status, reply.body])?;
            Ok(())
        })
    }
}
