//! Logins of devices that were given on the page. Their passwords come in sealed, and the key is not here.

use ipnetwork::IpNetwork;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::accounts::{Actor, Outcome, Refused, audit_note};
use super::codec::{from_json, json, ms, time, time_if};
use super::{Cache, LoginHash, Store, StoreError, rows};
use crate::model::Anchor;
use crate::model::memory::{Detail, Uid};

/// Logins there may be.
const MOST: i64 = 200;

/// A login of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedLogin {
    /// Its number; none is given twice.
    pub id: i64,
    /// The user name.
    pub user: String,
    /// The password, sealed.
    pub sealed: Vec<u8>,
    /// What it is for.
    pub scope: SealedScope,
    /// When it was given.
    pub created_at: Timestamp,
    /// The account that gave it.
    pub created_by: String,
}

/// The devices a login is for: one, or all that fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SealedScope {
    /// This device alone.
    pub device: Option<Uid>,
    /// Devices of this network.
    pub network: Option<IpNetwork>,
    /// Devices of this maker.
    pub vendor: Option<String>,
    /// Devices whose MAC address begins so: lower-case digits without separators.
    pub mac: Option<String>,
    /// What showed the device to be itself when the login was given. A login of one device without it is sent to none.
    pub anchor: Option<Anchor>,
}

/// Where a login works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginUse {
    /// The device.
    pub device: Uid,
    /// The login, as it is recognised.
    pub login: LoginHash,
    /// When it last worked.
    pub worked_at: Option<Timestamp>,
}

impl Store {
    /// The logins of devices that were given on the page, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sealed_logins(&self) -> Result<Vec<SealedLogin>, StoreError> {
        let select = "SELECT id, user, sealed, device, network, vendor, mac, created_at, created_by, anchor \
                      FROM device_logins ORDER BY id";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(select)?;
            let rows = statement.query_map([], |row| {
                let network: Option<String> = row.get(4)?;
                let anchor: Option<String> = row.get(9)?;
                Ok(SealedLogin {
                    id: row.get(0)?,
                    user: row.get(1)?,
                    sealed: row.get(2)?,
                    scope: SealedScope {
                        device: row.get::<_, Option<String>>(3)?.as_deref().and_then(Uid::parse),
                        network: network.and_then(|text| text.parse().ok()),
                        vendor: row.get(5)?,
                        mac: row.get(6)?,
                        anchor: anchor.as_deref().map(from_json).transpose()?,
                    },
                    created_at: time(row.get(7)?)?,
                    created_by: row.get(8)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Keeps a login whose password is sealed. Its number.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn add_sealed_login(
        &self,
        user: &str,
        sealed: &[u8],
        scope: &SealedScope,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Outcome<i64>, StoreError> {
        self.change(|transaction, cache| {
            let count: i64 = transaction.query_row("SELECT count(*) FROM device_logins", [], |row| row.get(0))?;
            if count >= MOST {
                return Ok(Err(Refused::TooMany));
            }
            let insert = "INSERT INTO device_logins \
                          (user, sealed, device, network, vendor, mac, created_at, created_by, anchor) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            let network = scope.network.map(|network| network.to_string());
            let device = scope.device.as_ref().map(Uid::as_str);
            let anchor = scope.anchor.as_ref().map(json).transpose()?;
            transaction.execute(
                insert,
                params![user, sealed, device, network, scope.vendor, scope.mac, ms(now), actor.name, anchor],
            )?;
            let id = transaction.last_insert_rowid();
            let others = [scope.network.map(|network| network.to_string()), scope.vendor.clone(), scope.mac.clone()];
            let said =
                Detail::LoginFor { device: scope.device.clone(), others: others.into_iter().flatten().collect() };
            audit_note(transaction, now, actor, "login.add", user, &said)?;
            note_devices(transaction, cache)?;
            Ok(Ok(id))
        })
    }

    /// Binds logins of a device, sealed anew, to what shows it to be itself now.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn anchor_logins(
        &self,
        device: &Uid,
        sealed: &[(i64, Vec<u8>)],
        anchor: &Anchor,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let put = "UPDATE device_logins SET sealed = ?2, anchor = ?3 WHERE id = ?1";
            for (id, sealed) in sealed {
                transaction.execute(put, params![id, sealed, json(anchor)?])?;
            }
            audit_note(transaction, now, actor, "login.confirm", device.as_str(), &Detail::Nothing)
        })
    }

    /// Removes a login.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn remove_sealed_login(&self, id: i64, actor: &Actor, now: Timestamp) -> Result<Outcome<()>, StoreError> {
        self.change(|transaction, cache| {
            let delete = "DELETE FROM device_logins WHERE id = ?1 RETURNING user";
            let user: Option<String> = transaction.query_row(delete, [id], |row| row.get(0)).optional()?;
            let Some(user) = user else { return Ok(Err(Refused::Unknown)) };
            audit_note(transaction, now, actor, "login.remove", &user, &Detail::Number { number: id })?;
            note_devices(transaction, cache)?;
            Ok(Ok(()))
        })
    }

    /// Where which login works.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn login_uses(&self) -> Result<Vec<LoginUse>, StoreError> {
        let select =
            "SELECT d.public, l.login, l.worked_at FROM logins l JOIN devices d ON d.id = l.device ORDER BY d.public";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(select)?;
            let rows = statement.query_map([], |row| {
                let Some(device) = Uid::parse(&row.get::<_, String>(0)?) else { return Ok(None) };
                let (login, worked_at) = (LoginHash(row.get(1)?), time_if(row.get(2)?)?);
                Ok(Some(LoginUse { device, login, worked_at }))
            })?;
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// Whether the store can be written at this moment. Nothing is.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        let writer = self.inner.writer.as_ref().ok_or_else(|| StoreError::ReadOnly(self.inner.file.clone()))?;
        let writer = super::lock(writer);
        let tried = writer.connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
        tried.map_err(|error| self.error(&error))
    }
}

/// Has the memory know which devices logins were given for.
fn note_devices(transaction: &Transaction<'_>, cache: &mut Cache) -> rusqlite::Result<()> {
    let devices = rows::with_logins(transaction)?;
    let other = cache.memory.devices.values_mut().filter(|known| known.has_login != devices.contains(&known.uid));
    for known in other {
        known.has_login = !known.has_login;
        cache.memory.touched.insert(known.uid.clone());
    }
    rows::save(transaction, cache)
}
