//! The places of the book as they are stored, and how each counts.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, Transaction, params};

use super::codec::{ms, unreadable};
use super::open;
use crate::model::login_place::{GIVES_WAY, PlaceId};
use crate::model::{DeviceTraits, MacAddr};

/// How long a refusal counts.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The columns of a place, and of the process that wrote it.
const SELECT: &str = "SELECT p.id, p.state, p.address, p.link_mac, p.stated_mac, p.endpoint, p.serial, \
                      o.pid, o.at, o.closed_at, p.at, p.unanswered \
                      FROM login_places p LEFT JOIN opens o ON o.id = p.holder";

/// What became of the login in a place, as it is stored.
pub(super) mod state {
    pub const TRIED: i64 = 0;
    pub const WORKS: i64 = 1;
    pub const REFUSED: i64 = 2;
}

/// When this process first wrote to a store: an earlier one may have had its number.
pub(super) fn began() -> Timestamp {
    static BEGAN: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);
    *BEGAN
}

/// How a place counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// Like a refusal.
    Refused,
    /// A login is under way in it, or may be at any moment.
    UnderWay,
    /// The same, and it gives way.
    Yields,
    /// Its process was killed while its login worked.
    Not,
}

/// A place of the book.
pub(super) struct Written {
    pub id: PlaceId,
    pub device: DeviceTraits,
    pub counts: Counts,
    /// The login that got no answer in it, as it is recognised.
    pub unanswered: Option<String>,
}

/// Its MAC addresses as they are stored: of the link, and stated.
pub(super) fn macs(device: &DeviceTraits) -> [Option<String>; 2] {
    [device.link_mac, device.stated_mac].map(|mac| mac.map(|mac| mac.to_string()))
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    device: &DeviceTraits,
    state: i64,
    holder: i64,
    now: Timestamp,
) -> rusqlite::Result<PlaceId> {
    let insert = "INSERT INTO login_places (at, state, holder, address, link_mac, stated_mac, endpoint, serial) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let [link, stated] = macs(device);
    let (address, endpoint, serial) = (device.address.to_string(), &device.endpoint, &device.serial);
    let values = params![ms(now), state, holder, address, link, stated, endpoint, serial];
    transaction.prepare_cached(insert)?.execute(values)?;
    Ok(PlaceId(transaction.last_insert_rowid()))
}

/// Notes that the login in a place was refused, or `unanswered`. Whether the place is still there.
pub(super) fn refuse(
    transaction: &Transaction<'_>,
    place: PlaceId,
    unanswered: Option<&str>,
) -> rusqlite::Result<bool> {
    let change = "UPDATE login_places SET state = 2, unanswered = ?2 WHERE id = ?1";
    Ok(transaction.prepare_cached(change)?.execute(params![place.0, unanswered])? > 0)
}

pub(super) fn forget(transaction: &Transaction<'_>, place: PlaceId) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM login_places WHERE id = ?1")?.execute([place.0]).map(drop)
}

/// Forgets by what logins are recognised that got no answer, of every device: they count like refusals from then on.
pub(super) fn forget_logins(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("UPDATE login_places SET unanswered = NULL WHERE unanswered IS NOT NULL", []).map(drop)
}

pub(super) fn is_there(connection: &Connection, place: PlaceId) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM login_places WHERE id = ?1")?.exists([place.0])
}

fn earliest(now: Timestamp) -> i64 {
    ms(now.checked_sub(WINDOW).unwrap_or(Timestamp::MIN))
}

pub(super) fn forget_old(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM login_places WHERE at <= ?1")?.execute([earliest(now)]).map(drop)
}

pub(super) fn all_written(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Written>> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE p.at > ?1"))?;
    select.query_map([earliest(now)], |row| read(row, now))?.collect()
}

/// The places of what may be this device.
pub(super) fn written_of(
    connection: &Connection,
    device: &DeviceTraits,
    now: Timestamp,
) -> rusqlite::Result<Vec<Written>> {
    let mut select = connection.prepare_cached(&format!(
        "{SELECT} WHERE p.at > ?1 AND (p.address = ?2 OR p.link_mac IN (?3, ?4) OR p.stated_mac IN (?3, ?4) \
         OR p.endpoint = ?5 OR p.serial = ?6)"
    ))?;
    let [link, stated] = macs(device);
    let with = params![earliest(now), device.address.to_string(), link, stated, device.endpoint, device.serial];
    let all: Vec<Written> = select.query_map(with, |row| read(row, now))?.collect::<rusqlite::Result<_>>()?;
    Ok(all.into_iter().filter(|one| one.device.may_be(device)).collect())
}

fn read(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Written> {
    let mac = |at| -> rusqlite::Result<Option<MacAddr>> {
        row.get::<_, Option<String>>(at)?.map(|mac| mac.parse().map_err(unreadable)).transpose()
    };
    let device = DeviceTraits {
        address: row.get::<_, String>(2)?.parse().map_err(unreadable)?,
        link_mac: mac(3)?,
        stated_mac: mac(4)?,
        endpoint: row.get(5)?,
        serial: row.get(6)?,
    };
    let (pid, opened_at, closed_at): (Option<i64>, Option<i64>, Option<i64>) = (row.get(7)?, row.get(8)?, row.get(9)?);
    let is_own = pid == Some(i64::from(std::process::id()));
    // Where programs are few, as in a container, the next one has the number of the one that was killed.
    let is_earlier = is_own && opened_at.is_none_or(|at| at < ms(began()));
    let runs = closed_at.is_none() && !is_earlier && pid.is_some_and(open::runs);
    let counts = match row.get(1)? {
        state::REFUSED => Counts::Refused,
        state::WORKS if runs && row.get::<_, i64>(10)? <= ms(now.checked_sub(GIVES_WAY).unwrap_or(Timestamp::MIN)) => {
            Counts::Yields
        }
        _ if runs => Counts::UnderWay,
        state::WORKS => Counts::Not,
        _ => Counts::Refused,
    };
    Ok(Written { id: PlaceId(row.get(0)?), device, counts, unanswered: row.get(11)? })
}
