//! Who may use `camscan serve`: accounts, their sessions and tokens, and what they changed.
//!
//! Nothing here can be used to log in: passwords come in as Argon2id, sessions and tokens as SHA-256.

mod audit;
mod replies;
mod sessions;
mod tokens;
mod users;

pub(super) use audit::note as audit_note;
pub use audit::{Actor, AuditEntry, AuditFilter};
pub use replies::Reply;
pub use sessions::{SESSION_IDLE, SESSION_LIFE, SessionRow, StoredSession};
pub use tokens::{NewToken, TokenRow};
pub use users::{NewUser, User, UserChange};

use rusqlite::Transaction;
use tokio::sync::watch;

use super::{Store, StoreError};

/// The SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// Why accounts stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is one of that name.
    #[error("there is an account of that name already")]
    Exists,
    /// There is an account already, so nobody becomes the first.
    #[error("there is an account already")]
    NotFirst,
    /// There is no such account, session or token.
    #[error("there is no such entry")]
    Unknown,
    /// Nobody could manage accounts any more.
    #[error("this is the last account that may manage the others")]
    LastAdmin,
    /// There are as many as there may be.
    #[error("there are as many as there may be; remove one first")]
    TooMany,
}

/// What became of a change: done, or refused without anything being stored.
pub type Outcome<T> = Result<T, Refused>;

impl Store {
    /// Changes each time that this process ends a session or takes rights from an account or a token. What others do to the
    /// same file does not show here.
    pub fn endings(&self) -> watch::Receiver<()> {
        self.inner.endings.subscribe()
    }

    /// Writes what may end a session, or take rights from an account or a token.
    fn end<R>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        let done = self.write(work)?;
        self.inner.endings.send_replace(());
        Ok(done)
    }
}

#[cfg(test)]
mod tests;
