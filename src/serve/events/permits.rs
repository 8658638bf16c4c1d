//! How many may follow, in all and of one account.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::serve::auth::Caller;

/// Clients in all.
pub const CLIENTS: usize = 256;
/// Clients of one account; without one, of one address.
pub const PER_ACCOUNT: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Account(i64),
    Address(Option<IpAddr>),
}

type Taken = Arc<Mutex<HashMap<Who, usize>>>;

/// Who follows.
#[derive(Debug, Default)]
pub struct Permits {
    taken: Taken,
}

/// Leave to follow, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    taken: Taken,
    who: Who,
}

impl Permits {
    /// Leave for another one; none where there are too many.
    pub fn take(&self, caller: &Caller) -> Option<Permit> {
        let who = caller.account.map_or(Who::Address(caller.address), Who::Account);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&who).copied().unwrap_or_default();
        if own >= PER_ACCOUNT || taken.values().sum::<usize>() >= CLIENTS {
            return None;
        }
        taken.insert(who.clone(), own + 1);
        Some(Permit { taken: self.taken.clone(), who })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.who)),
        }
    }
}
