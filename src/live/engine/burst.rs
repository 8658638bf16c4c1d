//! The pace at which a viewer is sent the frames that were there before it came.

use std::time::{Duration, Instant};

/// Packets a millisecond.
const PACE: f64 = 10.0;
/// How much of that pace may be made up for at once.
const LEAP: Duration = Duration::from_millis(10);

/// How the frames that were there before are sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    /// Packets that may go now; below zero, those that went too early.
    credit: f64,
    at: Instant,
}

impl Burst {
    pub fn new(now: Instant) -> Burst {
        Burst { credit: most(), at: now }
    }

    /// Time has passed.
    pub fn earn(&mut self, now: Instant) {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * 1e3 * PACE;
        *self = Burst { credit: (self.credit + earned).min(most()), at: now };
    }

    /// So many packets were sent.
    pub fn spend(&mut self, packets: usize) {
        self.credit -= packets as f64;
    }

    /// Whether a frame may go now.
    pub fn may_send(&self) -> bool {
        self.credit >= 1.0
    }

    /// When the next frame may.
    pub fn due(&self) -> Instant {
        self.at + Duration::from_secs_f64((1.0 - self.credit).max(0.0) / PACE / 1e3)
    }
}

fn most() -> f64 {
    PACE * 1e3 * LEAP.as_secs_f64()
}
