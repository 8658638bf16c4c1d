//! The right to end or to change a session: 128 random bits that only its viewer knows, good for as long as it lasts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio_util::sync::CancellationToken;

/// Changes of one session at most.
const MOST_PATCHES: u32 = 16;

/// All tickets that are good.
#[derive(Default)]
pub(in crate::live) struct Tickets(Mutex<HashMap<String, Entry>>);

struct Entry {
    viewer: u64,
    patches: u32,
}

/// One of them, which is good until this is dropped.
pub(in crate::live) struct Ticket {
    all: Arc<Tickets>,
    pub secret: String,
    /// Cancelled when it is dropped.
    pub over: CancellationToken,
}

impl Tickets {
    /// A ticket for a viewer's session.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn issue(self: &Arc<Self>, viewer: u64) -> Result<Ticket, String> {
        let mut bits = [0u8; 16];
        SystemRandom::new().fill(&mut bits).map_err(|_| "this machine has no randomness".to_owned())?;
        let secret: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
        self.entries().insert(secret.clone(), Entry { viewer, patches: 0 });
        Ok(Ticket { all: self.clone(), secret, over: CancellationToken::new() })
    }

    /// The viewer a ticket belongs to.
    pub fn viewer(&self, secret: &str) -> Option<u64> {
        self.entries().get(secret).map(|entry| entry.viewer)
    }

    /// Counts a change; whether another is taken. None for a ticket that is not good.
    pub fn may_patch(&self, secret: &str) -> Option<bool> {
        let mut entries = self.entries();
        let entry = entries.get_mut(secret)?;
        entry.patches = entry.patches.saturating_add(1);
        Some(entry.patches <= MOST_PATCHES)
    }

    /// How many are good.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.all.entries().remove(&self.secret);
        self.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_as_long_as_its_session() {
        let tickets = Arc::new(Tickets::default());
        let (one, two) = (tickets.issue(1).unwrap(), tickets.issue(2).unwrap());
        assert_eq!(one.secret.len(), 32);
        assert_ne!(one.secret, two.secret);
        assert_eq!((tickets.viewer(&one.secret), tickets.viewer("x")), (Some(1), None));
        for number in 1..20 {
            assert_eq!(tickets.may_patch(&one.secret), Some(number <= MOST_PATCHES));
        }
        let secret = one.secret.clone();
        drop(one);
        assert_eq!((tickets.viewer(&secret), tickets.may_patch(&secret), tickets.len()), (None, None, 1));
    }
}
