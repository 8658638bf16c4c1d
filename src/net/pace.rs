//! A token bucket: so many packets or connections a second, shared by all who send.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// The pace limit of a scan.
#[derive(Debug)]
pub struct Pace {
    limit: Option<u32>,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most so many a second; none, like the largest number there is, means that nobody waits here.
    pub fn new(limit: Option<u32>) -> Self {
        Pace { limit: limit.filter(|&n| n > 0), next: Mutex::new(None) }
    }

    /// Waits for the turn of `count` sends. Up to 1/10 s of unused turns is kept, so that a burst after a pause is small.
    pub async fn turn(&self, count: u32) {
        let Some(rate) = self.limit.filter(|&n| n < u32::MAX) else { return };
        let step = Duration::from_secs_f64(f64::from(count) / f64::from(rate));
        let at = {
            let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let now = Instant::now();
            let floor = now.checked_sub(Duration::from_millis(100)).unwrap_or(now);
            let at = next.map_or(now, |n| n.max(floor));
            *next = Some(at + step);
            at
        };
        tokio::time::sleep_until(at).await;
    }

    /// What the user allows, sends a second; none where nothing was said, so that what reaches many devices at once keeps
    /// to what is gentle.
    pub fn limit(&self) -> Option<u32> {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn holds_the_rate() {
        let pace = Pace::new(Some(100));
        let start = Instant::now();
        for _ in 0..50 {
            pace.turn(1).await;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(480) && took <= Duration::from_millis(520), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_never_waits() {
        let start = Instant::now();
        for limit in [None, Some(u32::MAX)] {
            let pace = Pace::new(limit);
            for _ in 0..1000 {
                pace.turn(1).await;
            }
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
