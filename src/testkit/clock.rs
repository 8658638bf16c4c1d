//! A time of day that goes with the runtime's clock: where that is paused, years pass in seconds.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When the clock of a test begins, in seconds since 1970: 15 January 2027.
const BEGINNING: i64 = 1_800_000_000;

thread_local! {
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
    /// By how much it is set ahead, or back.
    static AHEAD: Cell<SignedDuration> = const { Cell::new(SignedDuration::ZERO) };
}

/// Sets the clock ahead of the runtime's by so much.
pub fn set_ahead(by: SignedDuration) {
    AHEAD.set(by);
}

/// The time of day. Begins with the first call in a thread; a test has a thread, and a runtime, of its own.
pub fn now() -> Timestamp {
    let started = STARTED.get().unwrap_or_else(|| {
        let now = Instant::now();
        STARTED.set(Some(now));
        now
    });
    let passed = SignedDuration::try_from(started.elapsed()).unwrap_or(SignedDuration::MAX).saturating_add(AHEAD.get());
    Timestamp::from_second(BEGINNING).unwrap_or_default().saturating_add(passed).unwrap_or(Timestamp::MAX)
}
