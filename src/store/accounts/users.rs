//! Accounts.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::audit::{self, Actor};
use super::{Outcome, Refused};
use crate::model::access::Role;
use crate::model::memory::Detail;
use crate::store::codec::{ms, named, time, time_if};
use crate::store::{Store, StoreError};

/// Accounts there may be.
const MOST: i64 = 1000;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number; none is given twice.
    pub id: i64,
    /// Its name; no two differ in the case of letters alone.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Whether it can be used.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its password was last set.
    pub password_at: Timestamp,
    /// When somebody last logged in with it.
    pub login_at: Option<Timestamp>,
}

/// An account to be.
#[derive(Debug, Clone)]
pub struct NewUser<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub role: Role,
    /// Its password as Argon2id (PHC string).
    pub password: &'a str,
    /// Whether it must be the first of all.
    pub is_first: bool,
}

/// What changes about an account; none: it stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserChange<'a> {
    /// What it is for.
    pub role: Option<Role>,
    /// Whether it can be used.
    pub enabled: Option<bool>,
    /// Its password as Argon2id (PHC string); ends all its sessions.
    pub password: Option<&'a str>,
    /// The session that a new password does not end: that of whoever changes it.
    pub keep_session: Option<i64>,
}

const COLUMNS: &str = "id, name, role, enabled, created_at, password_at, login_at";

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        role: named(&row.get::<_, String>(2)?)?,
        enabled: row.get(3)?,
        created_at: time(row.get(4)?)?,
        password_at: time(row.get(5)?)?,
        login_at: time_if(row.get(6)?)?,
    })
}

pub(super) fn by_id(connection: &Connection, id: i64) -> rusqlite::Result<Option<User>> {
    connection.prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE id = ?1"))?.query_row([id], user).optional()
}

/// Whether somebody else than `id` may manage accounts.
fn has_other_admin(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<bool> {
    let find = "SELECT EXISTS (SELECT 1 FROM users WHERE id <> ?1 AND role = 'admin' AND enabled)";
    transaction.query_row(find, [id], |row| row.get(0))
}

impl Store {
    /// All accounts, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        let select = format!("SELECT {COLUMNS} FROM users ORDER BY name");
        self.read(|connection| connection.prepare_cached(&select)?.query_map([], user)?.collect())
    }

    /// Whether there is any account.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn has_users(&self) -> Result<bool, StoreError> {
        let find = "SELECT EXISTS (SELECT 1 FROM users)";
        self.read(|connection| connection.prepare_cached(find)?.query_row([], |row| row.get(0)))
    }

    /// An account.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn user(&self, id: i64) -> Result<Option<User>, StoreError> {
        self.read(|connection| by_id(connection, id))
    }

    /// The account of a name, and its password as Argon2id.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn user_named(&self, name: &str) -> Result<Option<(User, String)>, StoreError> {
        let select = format!("SELECT {COLUMNS}, password FROM users WHERE name = ?1");
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&select)?;
            statement.query_row([name], |row| Ok((user(row)?, row.get(7)?))).optional()
        })
    }

    /// Adds an account.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn add_user(&self, new: &NewUser<'_>, actor: &Actor, now: Timestamp) -> Result<Outcome<User>, StoreError> {
        self.write(|transaction| {
            let count: i64 = transaction.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?;
            let exists = "SELECT EXISTS (SELECT 1 FROM users WHERE name = ?1)";
            let refused = match count {
                1.. if new.is_first => Some(Refused::NotFirst),
                _ if transaction.query_row(exists, [new.name], |row| row.get(0))? => Some(Refused::Exists),
                MOST.. => Some(Refused::TooMany),
                _ => None,
            };
            if let Some(refused) = refused {
                return Ok(Err(refused));
            }
            let insert = "INSERT INTO users (name, role, password, enabled, created_at, password_at) \
                          VALUES (?1, ?2, ?3, 1, ?4, ?4)";
            transaction.execute(insert, params![new.name, new.role.as_str(), new.password, ms(now)])?;
            let id = transaction.last_insert_rowid();
            audit::note(transaction, now, actor, "user.add", new.name, &Detail::NewAccount { role: new.role })?;
            by_id(transaction, id).map(|user| user.ok_or(Refused::Unknown))
        })
    }

    /// Changes an account. One that is disabled, or gets a new password, loses its sessions.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn change_user(
        &self,
        id: i64,
        change: UserChange<'_>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Outcome<User>, StoreError> {
        self.end(|transaction| {
            let Some(old) = by_id(transaction, id)? else { return Ok(Err(Refused::Unknown)) };
            let role = change.role.unwrap_or(old.role);
            let enabled = change.enabled.unwrap_or(old.enabled);
            let was_admin = old.role == Role::Admin && old.enabled;
            if was_admin && !(role == Role::Admin && enabled) && !has_other_admin(transaction, id)? {
                return Ok(Err(Refused::LastAdmin));
            }
            transaction.execute(
                "UPDATE users SET role = ?2, enabled = ?3 WHERE id = ?1",
                params![id, role.as_str(), enabled],
            )?;
            if let Some(password) = change.password {
                let set = "UPDATE users SET password = ?2, password_at = ?3 WHERE id = ?1";
                transaction.execute(set, params![id, password, ms(now)])?;
            }
            if change.password.is_some() || !enabled {
                let end = "DELETE FROM sessions WHERE user = ?1 AND id IS NOT ?2";
                transaction.execute(end, params![id, change.keep_session.filter(|_| enabled)])?;
            }
            let said = Detail::Account {
                role: Some(role).filter(|role| *role != old.role),
                enabled: Some(enabled).filter(|enabled| *enabled != old.enabled),
                password: change.password.is_some(),
            };
            audit::note(transaction, now, actor, "user.change", &old.name, &said)?;
            by_id(transaction, id).map(|user| user.ok_or(Refused::Unknown))
        })
    }

    /// Removes an account, with its sessions and tokens.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn remove_user(&self, id: i64, actor: &Actor, now: Timestamp) -> Result<Outcome<()>, StoreError> {
        self.end(|transaction| {
            let Some(old) = by_id(transaction, id)? else { return Ok(Err(Refused::Unknown)) };
            if old.role == Role::Admin && old.enabled && !has_other_admin(transaction, id)? {
                return Ok(Err(Refused::LastAdmin));
            }
            transaction.execute("DELETE FROM users WHERE id = ?1", [id])?;
            audit::note(transaction, now, actor, "user.remove", &old.name, &Detail::Nothing)?;
            Ok(Ok(()))
        })
    }
}
