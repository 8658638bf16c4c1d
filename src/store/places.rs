//! The book of logins: where each stands before it is sent, over all scans and processes that use the store.
//!
//! A place counts from the moment it is written. One whose process was killed before the answer came counts like a refusal;
//! one for a login that is known to work does not. What is written here need not outlive a power cut, so that it does not
//! wait for the disk: a process that is killed loses nothing of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, Transaction, params};

use super::codec::{ms, unreadable};
use super::{Store, StoreError, lock, open};
use crate::history::memory::{KeyKind, Known};
use crate::model::login_place::{BookError, Outcome, Place, PlaceId, TraitKey};
use crate::model::{DeviceTraits, LoginBook, MacAddr};

/// How long a refusal counts.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// A place of a login that works gives way to a login of another program after this: it may be kept, with nothing under way in
/// it.
const YIELDS: SignedDuration = SignedDuration::from_mins(1);

/// A place that is kept is written anew after this, long before it is forgotten.
const RENEW: SignedDuration = SignedDuration::from_hours(1);

/// Refused logins of a device in 24 hours, over all scans and checks.
pub(super) const MOST_REFUSED_A_DAY: u32 = 2;

/// The columns of a place, and of the process that wrote it.
const SELECT: &str = "SELECT p.id, p.state, p.address, p.link_mac, p.stated_mac, p.endpoint, p.serial, \
                      o.pid, o.at, o.closed_at, p.at FROM login_places p LEFT JOIN opens o ON o.id = p.holder";

/// What became of the login in a place, as it is stored.
mod state {
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
enum Counts {
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
struct Written {
    id: PlaceId,
    device: DeviceTraits,
    counts: Counts,
}

/// The places that a process keeps for logins that work.
#[derive(Default)]
pub(super) struct KeptPlaces {
    /// Those in which nothing is under way.
    idle: Vec<(PlaceId, DeviceTraits)>,
    /// When each was written, also those that are in use.
    written_at: HashMap<PlaceId, Timestamp>,
}

/// The same, shared.
pub(super) type Kept = Mutex<KeptPlaces>;

/// What devices refused, to be looked up by device.
pub(super) struct Refusals {
    all: Vec<DeviceTraits>,
    by_key: HashMap<TraitKey, Vec<usize>>,
}

impl Refusals {
    fn of(written: Vec<Written>) -> Refusals {
        let refused = written.into_iter().filter(|one| one.counts == Counts::Refused);
        let mut refusals = Refusals { all: refused.map(|one| one.device).collect(), by_key: HashMap::new() };
        for (n, device) in refusals.all.iter().enumerate() {
            for key in device.keys() {
                refusals.by_key.entry(key).or_default().push(n);
            }
        }
        refusals
    }

    /// How many of them a device refused, at whichever of its addresses.
    pub(super) fn count(&self, known: &Known) -> u32 {
        let mut its: BTreeSet<usize> = BTreeSet::new();
        for sight in sights(known) {
            let found = sight.keys().into_iter().filter_map(|key| self.by_key.get(&key)).flatten();
            its.extend(found.filter(|n| self.all.get(**n).is_some_and(|one| sight.may_be(one))));
        }
        u32::try_from(its.len()).unwrap_or(u32::MAX)
    }
}

impl Store {
    /// The book of the logins that are sent to devices. A process that asks the same devices again and again `keeps` the
    /// places of logins that work; one that does not lets others have them.
    pub fn login_book(&self, keeps: bool) -> Arc<dyn LoginBook> {
        Arc::new(Book { store: self.clone(), keeps })
    }

    /// What devices refused in the 24 hours before `now`.
    pub(super) fn refusals(&self, now: Timestamp) -> Result<Refusals, StoreError> {
        self.read(|connection| Ok(Refusals::of(all_written(connection, now)?)))
    }

    /// How many logins each of these devices refused in the 24 hours before `now`, in order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn refused(&self, devices: &[&Known], now: Timestamp) -> Result<Vec<u32>, StoreError> {
        let refusals = self.refusals(now)?;
        Ok(devices.iter().map(|known| refusals.count(known)).collect())
    }

    /// Forgets what a device refused, at whichever of its addresses, so that its logins are tried again. The number of
    /// refusals that are forgotten.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn forget_refusals(&self, known: &Known, now: Timestamp) -> Result<u64, StoreError> {
        let sights = sights(known);
        self.write(|transaction| {
            let mut forgotten = 0;
            for one in all_written(transaction, now)? {
                if one.counts == Counts::Refused && sights.iter().any(|sight| sight.may_be(&one.device)) {
                    forget(transaction, one.id)?;
                    forgotten += 1;
                }
            }
            Ok(forgotten)
        })
    }
}

/// A device that is known, at each of its addresses and with each of its network cards. A MAC address that several devices
/// have, as a router that answers for them shows, is the key of none.
fn sights(known: &Known) -> Vec<DeviceTraits> {
    let device = &known.device;
    let keys = known.keys.keys().filter(|key| key.kind == KeyKind::Mac);
    let macs: BTreeSet<MacAddr> = keys.filter_map(|key| key.value.parse().ok()).collect();
    let macs: Vec<Option<MacAddr>> = if macs.is_empty() { vec![None] } else { macs.into_iter().map(Some).collect() };
    let addresses: BTreeSet<_> = device.addresses.iter().chain([&device.ip]).copied().collect();
    let sight = |address, mac| DeviceTraits { address, link_mac: mac, stated_mac: mac, ..DeviceTraits::of(device) };
    addresses.into_iter().flat_map(|address| macs.iter().map(move |mac| sight(address, *mac))).collect()
}

/// The book of a store.
#[derive(Clone)]
struct Book {
    store: Store,
    keeps: bool,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book").field("file", &self.store.file()).field("keeps", &self.keeps).finish()
    }
}

impl Book {
    /// A place of the device that this process has kept, and whether it can be used as it is.
    fn kept(&self, device: &DeviceTraits, now: Timestamp) -> Option<(PlaceId, bool)> {
        let mut kept = lock(&self.store.inner.kept);
        let same = kept.idle.iter().position(|(_, of)| of == device);
        let at = same.or_else(|| kept.idle.iter().position(|(_, of)| of.may_be(device)))?;
        let (place, _) = kept.idle.swap_remove(at);
        let age = kept.written_at.get(&place).map(|at| now.duration_since(*at));
        Some((place, same.is_some() && age.is_some_and(|age| (SignedDuration::ZERO..RENEW).contains(&age))))
    }
}

impl From<StoreError> for BookError {
    fn from(error: StoreError) -> Self {
        BookError(error.to_string())
    }
}

impl LoginBook for Book {
    fn take(
        &self,
        device: &DeviceTraits,
        most: u32,
        is_trusted: bool,
        given_back: Option<PlaceId>,
        now: Timestamp,
    ) -> Result<Place, BookError> {
        let kept = if given_back.is_none() { self.kept(device, now) } else { None };
        if let Some((place, true)) = kept.filter(|_| is_trusted)
            && self.store.read(|connection| is_there(connection, place))?
        {
            return Ok(Place::Taken(place));
        }
        let old = given_back.or(kept.map(|(place, _)| place));
        let state = if is_trusted { state::WORKS } else { state::TRIED };
        let most = most.min(MOST_REFUSED_A_DAY);
        let place = self.store.write_soon(|transaction, open| {
            if let Some(old) = old {
                forget(transaction, old)?;
            }
            forget_old(transaction, now)?;
            let written = written_of(transaction, device, now)?;
            let count = |counts| written.iter().filter(|one| one.counts == counts).count();
            let (refused, under_way) = (count(Counts::Refused), count(Counts::UnderWay));
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            if refused >= most {
                return Ok(Place::Spent);
            }
            if refused + under_way >= most {
                return Ok(Place::Busy);
            }
            let yielding = written.iter().filter(|one| one.counts == Counts::Yields).map(|one| one.id);
            for place in yielding.skip(most - refused - under_way - 1) {
                forget(transaction, place)?;
            }
            Ok(Place::Taken(insert(transaction, device, state, open, now)?))
        })?;
        let mut kept = lock(&self.store.inner.kept);
        old.map(|old| kept.written_at.remove(&old));
        if let Place::Taken(place) = place
            && self.keeps
        {
            kept.written_at.insert(place, now);
        }
        Ok(place)
    }

    fn end(&self, place: PlaceId, outcome: Outcome) -> Result<bool, BookError> {
        if outcome != Outcome::Works {
            lock(&self.store.inner.kept).written_at.remove(&place);
        }
        // One that was refused stays refused, whichever is written first.
        let change = match outcome {
            Outcome::Refused => "UPDATE login_places SET state = 2 WHERE id = ?1",
            Outcome::Works => "UPDATE login_places SET state = 1 WHERE id = ?1 AND state <> 2",
            Outcome::Unused => "DELETE FROM login_places WHERE id = ?1 AND state <> 2",
        };
        Ok(self.store.write_soon(|transaction, _| Ok(transaction.prepare_cached(change)?.execute([place.0])? > 0))?)
    }

    fn note_refused(&self, device: &DeviceTraits, now: Timestamp) -> Result<(), BookError> {
        Ok(self
            .store
            .write_soon(|transaction, open| insert(transaction, device, state::REFUSED, open, now).map(drop))?)
    }

    fn give_back(&self, place: PlaceId, device: &DeviceTraits) -> Result<(), BookError> {
        if !self.keeps {
            return self.end(place, Outcome::Unused).map(drop);
        }
        lock(&self.store.inner.kept).idle.push((place, device.clone()));
        Ok(())
    }

    fn identify(&self, places: &[PlaceId], device: &DeviceTraits) -> Result<(), BookError> {
        let change = "UPDATE login_places SET link_mac = ?2, stated_mac = ?3, endpoint = ?4, serial = ?5 WHERE id = ?1";
        let [link, stated] = macs(device);
        Ok(self.store.write_soon(|transaction, _| {
            let mut change = transaction.prepare_cached(change)?;
            for place in places {
                change.execute(params![place.0, link, stated, device.endpoint, device.serial])?;
            }
            Ok(())
        })?)
    }
}

/// Its MAC addresses as they are stored: of the link, and stated.
fn macs(device: &DeviceTraits) -> [Option<String>; 2] {
    [device.link_mac, device.stated_mac].map(|mac| mac.map(|mac| mac.to_string()))
}

fn insert(
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

fn forget(transaction: &Transaction<'_>, place: PlaceId) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM login_places WHERE id = ?1")?.execute([place.0]).map(drop)
}

fn is_there(connection: &Connection, place: PlaceId) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM login_places WHERE id = ?1")?.exists([place.0])
}

fn earliest(now: Timestamp) -> i64 {
    ms(now.checked_sub(WINDOW).unwrap_or(Timestamp::MIN))
}

fn forget_old(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM login_places WHERE at <= ?1")?.execute([earliest(now)]).map(drop)
}

fn all_written(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Written>> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE p.at > ?1"))?;
    select.query_map([earliest(now)], |row| read(row, now))?.collect()
}

/// The places of what may be this device.
fn written_of(connection: &Connection, device: &DeviceTraits, now: Timestamp) -> rusqlite::Result<Vec<Written>> {
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
        state::WORKS if runs && row.get::<_, i64>(10)? <= ms(now.checked_sub(YIELDS).unwrap_or(Timestamp::MIN)) => {
            Counts::Yields
        }
        _ if runs => Counts::UnderWay,
        state::WORKS => Counts::Not,
        _ => Counts::Refused,
    };
    Ok(Written { id: PlaceId(row.get(0)?), device, counts })
}
