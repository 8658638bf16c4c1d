//! Whole networks that are down.

/// A network that is down for a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Down {
    pub(super) network: usize,
    pub(super) from: i64,
    pub(super) to: i64,
    /// Nothing of it answers, the gateway neither; else it is a switch behind the gateway that has no power.
    pub(super) is_all: bool,
}

impl Down {
    pub(super) fn is_now(&self, network: usize, now: i64) -> bool {
        self.network == network && (self.from..self.to).contains(&now)
    }
}
