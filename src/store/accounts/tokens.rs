//! Logins of programs.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::audit::{self, Actor};
use super::users::{self, User};
use super::{Outcome, Refused, SecretHash};
use crate::model::access::Scope;
use crate::model::memory::Detail;
use crate::store::codec::{from_json, json, ms, time, time_if};
use crate::store::{Store, StoreError};

/// Tokens there may be.
const MOST: i64 = 200;
/// That a token is used is noted again after this.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its number.
    pub id: i64,
    /// The part of it that may be seen.
    pub public: String,
    /// Whose it is.
    pub user: i64,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// What it may do, as far as its account may.
    pub scopes: Vec<Scope>,
    /// Where it may be used from; empty: from everywhere.
    pub networks: Vec<IpNetwork>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; none: never.
    pub expires_at: Option<Timestamp>,
    /// Whether it can be used.
    pub enabled: bool,
    /// When it was last used, to within five minutes.
    pub used_at: Option<Timestamp>,
    /// From where.
    pub used_from: Option<String>,
}

impl TokenRow {
    /// What a program may do by it from this address at this time, as far as its account may; none: it may not be used.
    pub fn rights(&self, user: &User, address: Option<IpAddr>, now: Timestamp) -> Option<Vec<Scope>> {
        let is_live = self.enabled && user.enabled && self.expires_at.is_none_or(|at| at > now);
        let is_near = self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|network| network.contains(address)));
        if !is_live || !is_near {
            return None;
        }
        // What the account may no longer do, its tokens may not either.
        let allowed = user.role.scopes();
        let is_allowed = |scope: &Scope| allowed.contains(scope) || *scope == Scope::Metrics;
        Some(self.scopes.iter().copied().filter(is_allowed).collect())
    }

    /// Whether that it is used should be noted.
    pub fn is_note_due(&self, now: Timestamp, from: &str) -> bool {
        let is_old = self.used_at.is_none_or(|at| now.duration_since(at) >= NOTE_EVERY);
        is_old || self.used_from.as_deref() != Some(from)
    }
}

/// A token to be.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// The part of it that may be seen.
    pub public: &'a str,
    /// The SHA-256 of the other part.
    pub hash: SecretHash,
    /// Whose it is.
    pub user: i64,
    /// What it is for.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// Where it may be used from; empty: from everywhere.
    pub networks: &'a [IpNetwork],
    /// When it ends; none: never.
    pub expires_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, public, user, name, scopes, networks, created_at, expires_at, enabled, used_at, used_from";

fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        public: row.get(1)?,
        user: row.get(2)?,
        name: row.get(3)?,
        scopes: from_json(&row.get::<_, String>(4)?)?,
        networks: from_json(&row.get::<_, String>(5)?)?,
        created_at: time(row.get(6)?)?,
        expires_at: time_if(row.get(7)?)?,
        enabled: row.get(8)?,
        used_at: time_if(row.get(9)?)?,
        used_from: row.get(10)?,
    })
}

impl Store {
    /// Adds a token.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn add_token(
        &self,
        new: &NewToken<'_>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Outcome<TokenRow>, StoreError> {
        self.write(|transaction| {
            let count: i64 = transaction.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))?;
            if count >= MOST {
                return Ok(Err(Refused::TooMany));
            }
            if users::by_id(transaction, new.user)?.is_none() {
                return Ok(Err(Refused::Unknown));
            }
            let insert = "INSERT INTO tokens \
                          (public, hash, user, name, scopes, networks, created_at, expires_at, enabled) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)";
            transaction.execute(
                insert,
                params![
                    new.public,
                    new.hash,
                    new.user,
                    new.name,
                    json(&new.scopes)?,
                    json(&new.networks)?,
                    ms(now),
                    new.expires_at.map(ms)
                ],
            )?;
            let select = format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1");
            let made = transaction.query_row(&select, [transaction.last_insert_rowid()], token)?;
            let said = Detail::Token { name: made.name.clone(), scopes: made.scopes.clone() };
            audit::note(transaction, now, actor, "token.add", &made.public, &said)?;
            Ok(Ok(made))
        })
    }

    /// The token whose visible part this is, the hash of its secret, and whose it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn token(&self, public: &str) -> Result<Option<(TokenRow, SecretHash, User)>, StoreError> {
        let select = format!("SELECT {COLUMNS}, hash FROM tokens WHERE public = ?1");
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&select)?;
            let found = statement.query_row([public], |row| Ok((token(row)?, row.get(11)?))).optional()?;
            let Some((token, hash)) = found else { return Ok(None) };
            Ok(users::by_id(connection, token.user)?.map(|user| (token, hash, user)))
        })
    }

    /// The tokens of an account, of all where none is named; the latest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tokens(&self, user: Option<i64>) -> Result<Vec<TokenRow>, StoreError> {
        let select = format!("SELECT {COLUMNS} FROM tokens WHERE ?1 IS NULL OR user = ?1 ORDER BY id DESC");
        self.read(|connection| connection.prepare_cached(&select)?.query_map([user], token)?.collect())
    }

    /// Notes that a token is used.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn touch_token(&self, id: i64, from: &str, now: Timestamp) -> Result<(), StoreError> {
        let set = "UPDATE tokens SET used_at = ?2, used_from = ?3 WHERE id = ?1";
        self.write(|transaction| transaction.execute(set, params![id, ms(now), from]).map(drop))
    }

    /// Lets a token of this account, of any where none is named, be used or not.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn enable_token(
        &self,
        public: &str,
        user: Option<i64>,
        enabled: bool,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Outcome<TokenRow>, StoreError> {
        self.end(|transaction| {
            let set = format!(
                "UPDATE tokens SET enabled = ?3 WHERE public = ?1 AND (?2 IS NULL OR user = ?2) RETURNING {COLUMNS}"
            );
            let changed = transaction.query_row(&set, params![public, user, enabled], token).optional()?;
            let Some(changed) = changed else { return Ok(Err(Refused::Unknown)) };
            audit::note(transaction, now, actor, "token.change", &changed.public, &Detail::Switched { on: enabled })?;
            Ok(Ok(changed))
        })
    }

    /// Removes a token of this account, of any where none is named.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn remove_token(
        &self,
        public: &str,
        user: Option<i64>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Outcome<()>, StoreError> {
        self.end(|transaction| {
            let delete = "DELETE FROM tokens WHERE public = ?1 AND (?2 IS NULL OR user = ?2)";
            if transaction.execute(delete, params![public, user])? == 0 {
                return Ok(Err(Refused::Unknown));
            }
            audit::note(transaction, now, actor, "token.remove", public, &Detail::Nothing)?;
            Ok(Ok(()))
        })
    }
}
