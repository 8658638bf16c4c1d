//! Refusals that could not be written: while the disk is full they are kept in this process, and count like written ones.

use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use rusqlite::Transaction;

use super::place_rows::{WINDOW, insert, refuse, state};
use super::{Store, StoreError, lock};
use crate::model::DeviceTraits;
use crate::model::login_place::PlaceId;

/// A refused login.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The place it stands in; none, or one that has given way: it needs one of its own.
    pub place: Option<PlaceId>,
    /// What refused it.
    pub device: DeviceTraits,
    /// The login that got no answer, as it is recognised; none where it was refused.
    pub unanswered: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Refusal {
    fn write(&self, transaction: &Transaction<'_>, holder: i64) -> rusqlite::Result<()> {
        let unanswered = self.unanswered.as_deref();
        if let Some(place) = self.place
            && refuse(transaction, place, unanswered)?
        {
            return Ok(());
        }
        let place = insert(transaction, &self.device, state::REFUSED, holder, self.at)?;
        refuse(transaction, place, unanswered).map(drop)
    }
}

/// Those that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Unwritten(Mutex<Vec<Refusal>>);

impl Unwritten {
    /// The devices that refused them, once for each that counts at `now`.
    pub(super) fn devices(&self, now: Timestamp) -> Vec<DeviceTraits> {
        self.counting(now).iter().map(|one| one.device.clone()).collect()
    }

    /// Whether what may be this device refused one of them.
    pub(super) fn has(&self, device: &DeviceTraits, now: Timestamp) -> bool {
        self.counting(now).iter().any(|one| one.device.may_be(device))
    }

    /// Forgets some; how many.
    pub(super) fn forget(&self, is_forgotten: impl Fn(&Refusal) -> bool) -> u64 {
        let mut all = lock(&self.0);
        let before = all.len();
        all.retain(|one| !is_forgotten(one));
        u64::try_from(before.saturating_sub(all.len())).unwrap_or(u64::MAX)
    }

    /// Those that still count; older ones are dropped.
    fn counting(&self, now: Timestamp) -> MutexGuard<'_, Vec<Refusal>> {
        let mut all = lock(&self.0);
        all.retain(|one| now.duration_since(one.at) < WINDOW);
        all
    }
}

impl Store {
    /// Writes into the book, and before it what could not be written so far.
    pub(super) fn write_place<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>, i64) -> rusqlite::Result<R>,
    ) -> Result<R, StoreError> {
        // Held until they are written: no other writer writes them too, and nothing counts without them.
        let mut unwritten = lock(&self.inner.unwritten.0);
        if unwritten.is_empty() {
            drop(unwritten);
            return self.write_soon(work);
        }
        let done = self.write_soon(|transaction, holder| {
            unwritten.iter().try_for_each(|one| one.write(transaction, holder))?;
            work(transaction, holder)
        })?;
        unwritten.clear();
        Ok(done)
    }

    /// Writes a refusal, or keeps it until it can be written.
    pub(super) fn write_refusal(&self, refusal: Refusal) -> Result<(), StoreError> {
        let written = self.write_place(|transaction, holder| refusal.write(transaction, holder));
        if written.is_err() {
            lock(&self.inner.unwritten.0).push(refusal);
        }
        written
    }
}
