//! The care of the store: what is wrong with it is sent once, and once that it is over.

use super::Watch;
use super::figures::Counts;
use super::work::Work;
use crate::store::StoreError;

impl Watch {
    /// Looks after the store. Whether anything is wrong with it.
    pub(super) fn look_after_store(&self, work: &mut Work, counts: &mut Counts) -> Result<bool, StoreError> {
        let now = (self.session.now)();
        let trouble = self.store.mend();
        if counts.store_news.note(trouble.as_ref(), now) {
            match &trouble {
                Some(trouble) => tracing::error!("watching goes on: {trouble}"),
                None => tracing::warn!("the store can be written again"),
            }
            counts.store_stands(&self.store, trouble.is_none());
        }
        if !counts.store_news.owed().is_empty() {
            let owed = counts.store_news.owed().to_vec();
            let events = self.store.update(|_| ((), owed), self.route.as_ref())?.events;
            counts.store_news.paid();
            self.told(work, counts, &events)?;
        }
        Ok(trouble.is_some())
    }

    /// Whether that went well. A store that cannot be written is no reason to watch no longer: it is said once, and tried again.
    /// What was found and could not be stored is found again.
    pub(super) fn survive(
        &self,
        work: &mut Work,
        counts: &mut Counts,
        done: Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        let Err(error) = done else {
            // What was written went into memory from then on.
            if self.store.trouble().is_some() && !counts.store_news.is_known() {
                // An event that cannot be stored now is sent when it can be.
                let _ = self.look_after_store(work, counts);
            }
            if self.store.trouble().is_none() && counts.store_works(&self.store) {
                tracing::warn!("the store can be written again");
            }
            return Ok(true);
        };
        let is_lost = matches!(error, StoreError::Watched { .. } | StoreError::Damaged { .. });
        if !is_lost && matches!(self.look_after_store(work, counts), Ok(true)) {
            return Ok(false);
        }
        if !error.may_pass() {
            return Err(error);
        }
        if counts.store_failed(&self.store) {
            tracing::error!("watching goes on, and nothing is remembered meanwhile: {error}");
        }
        Ok(false)
    }
}
