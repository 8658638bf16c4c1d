//! Whole networks that are down.

/// A network that is down for a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Down {
    pub(super) network: usize,
    pub(super) from: i64,
    pub(super) to: i64,
    /// Nothing of it answers, the gateway neither; else it is a switch behind the gateway that has no power, and a few
    /// cameras are on another one.
    pub(super) is_all: bool,
}

impl Down {
    pub(super) fn is_now(&self, network: usize, now: i64) -> bool {
        self.network == network && (self.from..self.to).contains(&now)
    }

    /// Whether a camera does not answer because of it; `is_stable` are those that are not on the switch. A few others are put
    /// on the other switch meanwhile.
    pub(super) fn cuts_off(&self, network: usize, camera: usize, is_stable: bool, now: i64) -> bool {
        let is_rescued = camera % 10 == 2 && now >= i64::midpoint(self.from, self.to);
        self.is_now(network, now) && (self.is_all || !is_stable && !is_rescued)
    }
}
