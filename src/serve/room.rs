//! A room for what keeps a processor busy for long: few places, of which one account has one at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::auth::{AddressBlock, Caller};

/// What has turns of its own: an account, else the callers from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Account(i64),
    Address(Option<AddressBlock>),
}

/// The room.
pub(super) struct Room {
    places: Arc<Semaphore>,
    /// The turns of those that are in the room or wait for it.
    turns: Mutex<HashMap<Holder, Weak<Semaphore>>>,
}

/// A place in it, which is free again when it is dropped.
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl Room {
    /// With so many places.
    pub fn new(places: usize) -> Room {
        Room { places: Arc::new(Semaphore::new(places)), turns: Mutex::default() }
    }

    /// Waits for the turn of the caller's account, then for a place: however much one account asks for, another one waits for
    /// one piece of its work at most. None only where the room is closed, which it never is.
    pub async fn enter(&self, caller: &Caller) -> Option<Place> {
        let turn = self.turns_of(caller).acquire_owned().await.ok()?;
        let place = self.places.clone().acquire_owned().await.ok()?;
        Some(Place { _place: place, _turn: turn })
    }

    fn turns_of(&self, caller: &Caller) -> Arc<Semaphore> {
        let holder = match caller.account {
            Some(account) => Holder::Account(account),
            None => Holder::Address(caller.address.map(AddressBlock::of)),
        };
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turns| turns.strong_count() > 0);
        let there = turns.get(&holder).and_then(Weak::upgrade);
        there.unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(1));
            turns.insert(holder, Arc::downgrade(&new));
            new
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(account: i64) -> Caller {
        Caller { account: Some(account), ..Caller::default() }
    }

    /// The place of a caller that is in the room at once.
    async fn enters(room: &Room, caller: &Caller) -> Option<Place> {
        tokio::select! {
            biased;
            place = room.enter(caller) => place,
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn an_account_has_one_place_and_leaves_nothing_behind() {
        let room = Room::new(2);
        let first = enters(&room, &of(1)).await.unwrap();
        assert!(enters(&room, &of(1)).await.is_none(), "one at a time");
        let second = enters(&room, &of(2)).await.unwrap();
        assert!(enters(&room, &of(3)).await.is_none(), "there are two places");
        drop(first);
        let third = enters(&room, &Caller::default()).await.unwrap();
        assert!(enters(&room, &Caller::default()).await.is_none());
        drop((second, third));
        let last = enters(&room, &of(1)).await;
        assert!(last.is_some());
        assert_eq!(room.turns.lock().unwrap().len(), 1);
    }
}
