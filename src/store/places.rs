//! The book of logins: where each stands before it is sent, over all scans and processes that use the store.
//!
//! A place counts from the moment it is written. One whose process was killed before the answer came counts like a refusal;
//! one for a login that is known to work does not. What is written here need not outlive a power cut, so that it does not
//! wait for the disk: a process that is killed loses nothing of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use super::codec::ms;
use super::place_rows::{Counts, Written, all_written, forget, forget_old, insert, is_there, macs, state, written_of};
use super::unwritten::Refusal;
use super::{Store, StoreError, lock};
use crate::history::memory::{KeyKind, Known};
use crate::model::login_place::{BookError, Outcome, Place, PlaceId, SentLogin, TraitKey};
use crate::model::{DeviceTraits, LoginBook, MacAddr};
use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

/// A place that is used again so soon is not written anew.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// Refused logins of a device in 24 hours, over all scans and checks.
pub(super) const MOST_REFUSED_A_DAY: u32 = 2;

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
    fn of(written: Vec<Written>, unwritten: Vec<DeviceTraits>) -> Refusals {
        let refused = written.into_iter().filter(|one| one.counts == Counts::Refused).map(|one| one.device);
        let mut refusals = Refusals { all: refused.chain(unwritten).collect(), by_key: HashMap::new() };
        for (n, device) in refusals.all.iter().enumerate() {
            for key in device.keys() {
                refusals.by_key.entry(key).or_default().push(n);
            }
        }
        refusals
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
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
        let unwritten = self.inner.unwritten.devices(now);
        self.read(|connection| Ok(Refusals::of(all_written(connection, now)?, unwritten)))
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
        let is_its = |device: &DeviceTraits| sights.iter().any(|sight| sight.may_be(device));
        let unwritten = self.inner.unwritten.forget(|one| is_its(&one.device));
        self.write(|transaction| {
            let mut forgotten = unwritten;
            for one in all_written(transaction, now)? {
                if one.counts == Counts::Refused && is_its(&one.device) {
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
    /// A place of the device that this process has kept, and whether it is of all that is known of the device now.
    fn kept(&self, device: &DeviceTraits) -> Option<(PlaceId, bool)> {
        let mut kept = lock(&self.store.inner.kept);
        let same = kept.idle.iter().position(|(_, of)| of == device);
        let at = same.or_else(|| kept.idle.iter().position(|(_, of)| of.may_be(device)))?;
        let (place, _) = kept.idle.swap_remove(at);
        Some((place, same.is_some()))
    }

    /// By what a login that was sent is recognised.
    fn mark(&self, login: &SentLogin) -> Result<String, StoreError> {
        Ok(format!("{} {}", login.protocol.as_str(), self.store.login_hash(&login.credential)?))
    }

    /// Whether what may be this device refused a login within the window, as far as that can be read.
    fn has_refused(&self, device: &DeviceTraits, now: Timestamp) -> bool {
        let is_refused = |written: Vec<Written>| written.iter().any(|one| one.counts == Counts::Refused);
        let written = self.store.read(|connection| written_of(connection, device, now));
        self.store.inner.unwritten.has(device, now) || written.is_ok_and(is_refused)
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
        let kept = if given_back.is_none() { self.kept(device) } else { None };
        let may_be_kept = is_trusted && !self.store.inner.unwritten.has(device, now);
        if let Some((place, true)) = kept.filter(|_| may_be_kept)
            && self.renew(place, now).unwrap_or(false)
        {
            return Ok(Place::Taken(place));
        }
        let old = given_back.or(kept.map(|(place, _)| place));
        let state = if is_trusted { state::WORKS } else { state::TRIED };
        let most = most.min(MOST_REFUSED_A_DAY);
        let taken = self.store.write_place(|transaction, open| {
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
        });
        let place = match taken {
            // A login that works is sent where nothing can be written, but none that was refused since.
            Err(_) if is_trusted && self.has_refused(device, now) => Place::Spent,
            taken => taken?,
        };
        let mut kept = lock(&self.store.inner.kept);
        old.map(|old| kept.written_at.remove(&old));
        if let Place::Taken(place) = place
            && self.keeps
        {
            kept.written_at.insert(place, now);
        }
        Ok(place)
    }

    fn renew(&self, place: PlaceId, now: Timestamp) -> Result<bool, BookError> {
        let written_at = lock(&self.store.inner.kept).written_at.get(&place).copied();
        let is_fresh = written_at.is_some_and(|at| (SignedDuration::ZERO..FRESH).contains(&now.duration_since(at)));
        let was_there = self.store.read(|connection| is_there(connection, place))?;
        if is_fresh || !was_there {
            return Ok(was_there);
        }
        let change = "UPDATE login_places SET at = ?2 WHERE id = ?1 AND state <> 2";
        let is_there = self
            .store
            .write_place(|transaction, _| Ok(transaction.prepare_cached(change)?.execute((place.0, ms(now)))? > 0))?;
        if is_there && self.keeps {
            lock(&self.store.inner.kept).written_at.insert(place, now);
        }
        Ok(is_there)
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
        Ok(self.store.write_place(|transaction, _| Ok(transaction.prepare_cached(change)?.execute([place.0])? > 0))?)
    }

    fn note_refused(
        &self,
        place: Option<PlaceId>,
        device: &DeviceTraits,
        unanswered: Option<&SentLogin>,
        now: Timestamp,
    ) -> Result<(), BookError> {
        place.map(|place| lock(&self.store.inner.kept).written_at.remove(&place));
        // One that cannot be recognised later counts like a refusal.
        let unanswered = unanswered.and_then(|login| self.mark(login).ok());
        Ok(self.store.write_refusal(Refusal { place, device: device.clone(), unanswered, at: now })?)
    }

    fn note_taken(&self, device: &DeviceTraits, login: &SentLogin, now: Timestamp) -> Result<(), BookError> {
        let mark = self.mark(login)?;
        let is_same = |unanswered: &Option<String>| unanswered.as_deref() == Some(mark.as_str());
        self.store.inner.unwritten.forget(|one| is_same(&one.unanswered) && one.device.may_be(device));
        let written = self.store.read(|connection| written_of(connection, device, now))?;
        let cleared: Vec<PlaceId> = written.iter().filter(|one| is_same(&one.unanswered)).map(|one| one.id).collect();
        if cleared.is_empty() {
            return Ok(());
        }
        Ok(self.store.write_place(|transaction, _| cleared.iter().try_for_each(|place| forget(transaction, *place)))?)
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
        Ok(self.store.write_place(|transaction, _| {
            let mut change = transaction.prepare_cached(change)?;
            for place in places {
                change.execute(params![place.0, link, stated, device.endpoint, device.serial])?;
            }
            Ok(())
        })?)
    }
}
