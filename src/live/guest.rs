//! The account that a stream is shown to, and for how long.

use futures::future::{BoxFuture, FutureExt as _, pending};

/// An account or an address that watches, as long as it may.
pub struct Guest {
    /// What its sessions are counted by while they wait for their viewers.
    pub(super) party: String,
    /// Comes when it may no longer watch: its session is closed then.
    pub(super) leaves: BoxFuture<'static, ()>,
}

impl Guest {
    /// One that may watch until something has come.
    pub fn until(party: String, leaves: impl Future<Output = ()> + Send + 'static) -> Guest {
        Guest { party, leaves: leaves.boxed() }
    }

    /// One that may watch for ever.
    pub fn lasting(party: &str) -> Guest {
        Guest::until(party.to_owned(), pending())
    }
}
