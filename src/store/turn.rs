//! What a program that writes again and again leaves to others that wait for their turn.

use std::time::Duration;

use tokio::time::Instant;

/// A program that writes without a pause leaves so much time …
const GAP: Duration = Duration::from_millis(3);
/// … after so many writes. Without it, another one that waits for its turn finds the store locked however often it looks, most
/// of all where both have to share a busy processor.
const AT_ONCE: u32 = 8;

/// When it wrote, by the clock that the whole program goes by: where time is simulated, what is written a second later is not
/// written at once.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// When it last wrote.
    wrote_at: Option<Instant>,
    /// Writes since it last left time to others.
    at_once: u32,
}

impl Turns {
    /// It is about to write: what it has to wait before.
    #[must_use]
    pub fn begin(&mut self) -> Option<Duration> {
        let is_at_once = self.wrote_at.is_some_and(|last| last.elapsed() < GAP);
        self.at_once = if is_at_once { self.at_once.saturating_add(1) } else { 0 };
        if self.at_once < AT_ONCE {
            return None;
        }
        self.at_once = 0;
        Some(GAP)
    }

    /// It has written.
    pub fn end(&mut self) {
        self.wrote_at = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a thousand writes, so far apart, have to wait.
    async fn waits(apart: Duration) -> usize {
        let mut turns = Turns::default();
        let mut waits = 0;
        for _ in 0..1000 {
            waits += usize::from(turns.begin().is_some());
            turns.end();
            tokio::time::advance(apart).await;
        }
        waits
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_writes_again_at_once_leaves_time_to_others() {
        assert_eq!(waits(Duration::ZERO).await, 124);
        assert_eq!(waits(GAP / 2).await, 124);
        assert_eq!(waits(GAP).await, 0);
        assert_eq!(waits(Duration::from_secs(1)).await, 0);
    }

    #[test]
    fn it_needs_no_runtime() {
        let mut turns = Turns { wrote_at: Instant::now().checked_add(Duration::from_secs(60)), at_once: AT_ONCE - 1 };
        assert_eq!(turns.begin(), Some(GAP));
    }
}
