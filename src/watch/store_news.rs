//! What is wrong with the store, and the events about it that are not stored yet.

use jiff::Timestamp;

use crate::model::memory::{Event, EventKind, Remark, StoreTrouble};

/// What is known to be wrong with the store.
#[derive(Debug, Default)]
pub(super) struct StoreNews {
    /// What is wrong with it, and since when.
    trouble: Option<(StoreTrouble, Timestamp)>,
    /// Events that could not be stored yet, and so were not sent.
    owed: Vec<Event>,
}

impl StoreNews {
    /// Takes note of how the store is; whether that is news.
    pub(super) fn note(&mut self, trouble: Option<&StoreTrouble>, now: Timestamp) -> bool {
        let kind = |trouble: &StoreTrouble| std::mem::discriminant(trouble);
        let known = self.trouble.as_ref().map(|(known, _)| known);
        if known.map(kind) == trouble.map(kind) {
            return false;
        }
        let mut event = Event::new(EventKind::StoreRecovered, now);
        event.data.since = self.trouble.as_ref().map(|(_, since)| *since);
        if let Some(trouble) = trouble {
            event = Event::new(EventKind::StoreFailing, now);
            event.data.say_why(Remark::Store { trouble: trouble.clone() });
        }
        self.owed.push(event);
        self.trouble = trouble.map(|trouble| (trouble.clone(), now));
        true
    }

    /// Whether it is known that something is wrong.
    pub(super) fn is_known(&self) -> bool {
        self.trouble.is_some()
    }

    /// Events that are still to be stored.
    pub(super) fn owed(&self) -> &[Event] {
        &self.owed
    }

    /// They have been.
    pub(super) fn paid(&mut self) {
        self.owed.clear();
    }
}
