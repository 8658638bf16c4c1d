//! Places of sessions whose viewers have not connected yet: so many in all, and of one guest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::{MOST_HALF_OPEN, MOST_OF_ONE};

/// How many places each guest has.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<HashMap<String, usize>>>);

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    all: Waiting,
    guest: String,
}

impl Waiting {
    /// A further place of a guest; none where there are too many.
    pub fn take(&self, guest: &str) -> Option<Place> {
        let mut taken = self.taken();
        let own = taken.get(guest).copied().unwrap_or_default();
        if own >= MOST_OF_ONE || taken.values().sum::<usize>() >= MOST_HALF_OPEN {
            return None;
        }
        taken.insert(guest.to_owned(), own + 1);
        Some(Place { all: self.clone(), guest: guest.to_owned() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.all.taken();
        match taken.get_mut(&self.guest) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.guest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_guest_leaves_places_for_others() {
        let waiting = Waiting::default();
        let mut held: Vec<Place> = std::iter::from_fn(|| waiting.take("anna")).collect();
        assert_eq!(held.len(), MOST_OF_ONE);
        for n in 0.. {
            match waiting.take(&format!("guest {n}")) {
                Some(place) => held.push(place),
                None => break,
            }
        }
        assert_eq!(held.len(), MOST_HALF_OPEN);
        assert!(waiting.take("boris").is_none());
        held.truncate(MOST_OF_ONE);
        assert!(waiting.take("anna").is_none() && waiting.take("boris").is_some());
        held.clear();
        assert!(waiting.taken().is_empty());
    }
}
