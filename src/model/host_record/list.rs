//! Bounded lists whose content does not depend on the order in which it arrives.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;

use super::MOST_PER_HOST;

/// An entry of a list that holds one entry per key.
pub(super) trait Entry {
    /// What tells two entries apart.
    type Key<'k>: Ord
    where
        Self: 'k;

    /// This entry's key.
    fn key(&self) -> Self::Key<'_>;

    /// Adds what another entry of the same key says. Must be commutative, associative and idempotent.
    fn merge(&mut self, other: Self);
}

/// Merges an entry into the one of its key, or appends it. A full list loses the entry whose key sorts last: an entry that
/// belongs to the first [`MOST_PER_HOST`] is never dropped, so the list ends up the same whatever the order.
pub(super) fn learn_entry<T: Entry>(list: &mut Vec<T>, new: T) {
    if let Some(known) = list.iter_mut().find(|known| known.key() == new.key()) {
        return known.merge(new);
    }
    list.push(new);
    if list.len() > MOST_PER_HOST
        && let Some((last, _)) = list.iter().enumerate().max_by(|(_, a), (_, b)| a.key().cmp(&b.key()))
    {
        list.remove(last);
    }
}

/// Inserts an entry; a full set loses the one that sorts last.
pub(super) fn insert_bounded<T: Ord>(set: &mut BTreeSet<T>, new: T) {
    set.insert(new);
    if set.len() > MOST_PER_HOST {
        set.pop_last();
    }
}

/// Keeps the value that is longer; of two of one length the one that sorts first.
pub(super) fn keep_longer(known: &mut Option<String>, new: Option<String>) {
    let Some(new) = new else { return };
    let is_better = |known: &String| (new.len(), known.as_str()) > (known.len(), new.as_str());
    if known.as_ref().is_none_or(is_better) {
        *known = Some(new);
    }
}

/// Keeps the value that says more. For structures without an order of their own.
pub(super) fn keep_fuller<T: Serialize>(known: &mut Option<T>, new: Option<T>) {
    let Some(new) = new else { return };
    if known.as_ref().is_none_or(|known| fullness(&new) > fullness(known)) {
        *known = Some(new);
    }
}

/// A total order of structures by how much is filled in, which shows in the length of what the report says of them; then by
/// that text itself.
pub(super) fn fullness(value: &impl Serialize) -> (usize, Reverse<String>) {
    let text = serde_json::to_string(value).unwrap_or_default();
    (text.len(), Reverse(text))
}
