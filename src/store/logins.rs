//! Which login worked at a device, over restarts.

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use sha2::Sha256;

use super::codec::{ms, time_if};
use super::{Store, StoreError, rows};
use crate::model::Credential;
use crate::model::memory::Uid;

/// A login as it is stored: it can be recognised, and not be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoginHash(pub(super) [u8; 16]);

impl LoginHash {
    /// The bytes.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl std::fmt::Display for LoginHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Store {
    /// What a login is stored as. The key is random, each store's own, and never leaves it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn login_hash(&self, login: &Credential) -> Result<LoginHash, StoreError> {
        let key = match self.inner.login_key.get() {
            Some(key) => key,
            None => {
                let key: Vec<u8> = self.read(|connection| {
                    connection.query_row("SELECT value FROM meta WHERE name = 'login_key'", [], |row| row.get(0))
                })?;
                self.inner.login_key.get_or_init(|| key)
            }
        };
        let mut hash = Hmac::<Sha256>::new_from_slice(key)
            .map_err(|error| StoreError::Damaged { file: self.file().to_owned(), what: error.to_string() })?;
        // The length parts the two, so that no other pair gives the same bytes.
        hash.update(&(login.user.len() as u64).to_be_bytes());
        hash.update(login.user.as_bytes());
        hash.update(login.password.expose().as_bytes());
        let mut short = [0; 16];
        short.iter_mut().zip(hash.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        Ok(LoginHash(short))
    }

    /// When a login last worked at a device.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn login_worked_at(&self, device: &Uid, login: LoginHash) -> Result<Option<Timestamp>, StoreError> {
        let find = "SELECT worked_at FROM logins WHERE device = ?1 AND login = ?2";
        self.read(|connection| {
            let Some(row) = rows::row_of(connection, device)? else { return Ok(None) };
            let mut find = connection.prepare_cached(find)?;
            let at: Option<Option<i64>> = find.query_row(params![row, login.0], |row| row.get(0)).optional()?;
            time_if(at.flatten())
        })
    }

    /// Notes that a device took a login. A device that is not known is left out.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn record_login(&self, device: &Uid, login: LoginHash, at: Timestamp) -> Result<(), StoreError> {
        let put = "INSERT INTO logins (device, login, worked_at, refused_at) VALUES (?1, ?2, ?3, '[]') \
                   ON CONFLICT (device, login) DO UPDATE SET worked_at = excluded.worked_at";
        self.write(|transaction| {
            if let Some(row) = rows::row_of(transaction, device)? {
                transaction.execute(put, params![row, login.0, ms(at)])?;
            }
            Ok(())
        })
    }
}
