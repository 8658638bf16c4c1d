//! The clock of this machine, and how it was set while camscan watched.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::TICK;

/// A clock that goes ahead by less of what has passed was not set: a loop can be late.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How the clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// By more than a tick.
    Back,
    /// By more than five minutes. A machine that slept is the same: nothing was asked meanwhile.
    Ahead,
}

/// What the clock showed last, and when that was.
#[derive(Debug)]
pub(super) struct Clock {
    shown: Timestamp,
    at: Instant,
}

impl Clock {
    /// One that shows `now`.
    pub(super) fn new(now: Timestamp) -> Clock {
        Clock { shown: now, at: Instant::now() }
    }

    /// It shows `now`: how it was set since it was read last.
    pub(super) fn read(&mut self, now: Timestamp) -> Option<Step> {
        let last = std::mem::replace(self, Clock::new(now));
        let passed = SignedDuration::try_from(self.at.duration_since(last.at)).unwrap_or(SignedDuration::MAX);
        match now.duration_since(last.shown) {
            shown if shown < -TICK => Some(Step::Back),
            shown if shown.saturating_sub(passed) > TOLERANCE => Some(Step::Ahead),
            _ => None,
        }
    }
}
