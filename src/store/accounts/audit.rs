//! Who changed what, and when.

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use crate::history::memory::{Memory, Said};
use crate::model::memory::Detail;
use crate::store::codec::{ms, time};
use crate::store::{Store, StoreError, rows};

/// The most characters of a subject or a detail.
const LONGEST: usize = 500;
/// The most bytes of a detail as data; what is longer is kept as text alone.
const MOST_DATA: usize = 8192;

/// Who does something, as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// The account, or the way in where there is none: `command line`, `unix socket`.
    pub name: String,
    /// Where the request came from; empty on this machine.
    pub address: String,
}

impl Actor {
    /// Whoever runs this program's commands.
    pub fn command_line() -> Actor {
        Actor { name: "command line".to_owned(), address: String::new() }
    }
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// What was done: `user.add`, `token.remove`.
    pub action: String,
    /// With what: a name, an id.
    pub subject: String,
    /// What it was made, in English; no secret.
    pub detail: String,
    /// The same as data; none where an earlier version wrote it down.
    pub told: Option<Detail>,
}

/// Which changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those before this number; none: the latest.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// Writes down a change in the transaction that makes it.
pub(in crate::store) fn note(
    transaction: &Transaction<'_>,
    at: Timestamp,
    actor: &Actor,
    action: &str,
    subject: &str,
    detail: &Detail,
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO audit (at, actor, address, action, subject, detail, told) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let short = |text: &str| crate::text::clean_to(text, LONGEST);
    let mut told = detail.clone();
    told.texts(&mut |text| *text = short(text));
    let data = serde_json::to_string(&told).ok().filter(|data| data.len() <= MOST_DATA);
    let detail = short(&detail.to_string());
    let row = params![ms(at), short(&actor.name), short(&actor.address), action, short(subject), detail, data];
    transaction.prepare_cached(insert)?.execute(row).map(drop)
}

impl Store {
    /// Changes what is known because somebody says so, and writes down what they changed, both or neither.
    ///
    /// # Errors
    /// When it cannot be stored; then nothing of it is.
    pub fn edit<R>(
        &self,
        actor: &Actor,
        at: Timestamp,
        decide: impl FnOnce(&mut Memory) -> R,
    ) -> Result<R, StoreError> {
        self.change(|transaction, cache| {
            let said = Said::of(&cache.memory);
            let value = decide(&mut cache.memory);
            for edited in said.changes(&cache.memory) {
                note(transaction, at, actor, edited.action, &edited.subject, &edited.detail)?;
            }
            rows::save(transaction, cache)?;
            Ok(value)
        })
    }

    /// Writes down a change that was made elsewhere.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn note_change(
        &self,
        at: Timestamp,
        actor: &Actor,
        action: &str,
        subject: &str,
        detail: &Detail,
    ) -> Result<(), StoreError> {
        self.write(|transaction| note(transaction, at, actor, action, subject, detail))
    }

    /// The changes, the latest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let select = "SELECT id, at, actor, address, action, subject, detail, told FROM audit WHERE id < ?1 \
                      ORDER BY id DESC LIMIT ?2";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(select)?;
            let rows = statement.query_map((filter.before.unwrap_or(i64::MAX), filter.limit), |row| {
                Ok(AuditEntry {
                    id: row.get(0)?,
                    at: time(row.get(1)?)?,
                    actor: Actor { name: row.get(2)?, address: row.get(3)? },
                    action: row.get(4)?,
                    subject: row.get(5)?,
                    detail: row.get(6)?,
                    // One that a later version wrote is read as text.
                    told: row.get::<_, Option<String>>(7)?.and_then(|told| serde_json::from_str(&told).ok()),
                })
            })?;
            rows.collect()
        })
    }
}
