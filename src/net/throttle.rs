//! The pace of raw frames: as fast as the interface takes them, felt out from a gentle start.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Link;
use super::error::is_exhaustion;
use super::pace::Pace;

/// Frames a second at the start: a home network is asked within a blink, and no small switch is flooded.
const START: f64 = 10_000.0;
/// Frames a second at most unless the user allows more. Each broadcast reaches every device of the network, also by radio
/// and on ports of 10 Mbit/s, and storm control switches ports off at limits
/// of some percent of the link: 1 % of 100 Mbit/s are 1,488 of the smallest frames a second, 10 % are 14,880.
const GENTLE: f64 = 10_000.0;
/// Frames a second at most, whatever the user allows: a fifth of what a gigabit link carries.
const CEILING: f64 = 300_000.0;
/// Frames a second at least, however often the interface refuses.
const FLOOR: f64 = 500.0;
/// The rate is looked at again after so much time without a refusal.
const QUIET: Duration = Duration::from_millis(15);
/// Unused turns are kept for so long.
const KEPT: Duration = Duration::from_millis(8);

/// A token bucket whose rate doubles while all goes well, halves when the interface is full, and then grows by a
/// tenth only.
#[derive(Debug)]
pub struct Throttle {
    rate: f64,
    ceiling: f64,
    growth: f64,
    tokens: f64,
    filled: Instant,
    looked_at: Instant,
}

impl Throttle {
    /// A throttle that never passes `limit` frames a second; without a limit, what a network in use bears.
    pub fn new(limit: Option<u32>) -> Self {
        let ceiling = limit.map_or(GENTLE, f64::from).clamp(1.0, CEILING);
        let now = Instant::now();
        Throttle { rate: START.min(ceiling), ceiling, growth: 2.0, tokens: 1.0, filled: now, looked_at: now }
    }

    /// Waits until at least one frame may be sent; says how many of `wanted` may.
    pub async fn take(&mut self, wanted: usize) -> usize {
        loop {
            let now = Instant::now();
            self.fill(now);
            let granted = (self.tokens.floor() as usize).min(wanted);
            if granted > 0 || wanted == 0 {
                self.tokens -= granted as f64;
                return granted;
            }
            // Timers are coarse, so at speed the next turn is a handful.
            let missing = ((1.0 - self.tokens) / self.rate).max(0.001);
            sleep_until(now + Duration::from_secs_f64(missing)).await;
        }
    }

    /// Sends as many of the frames as the pace and the interface allow now, and removes them from the list.
    ///
    /// # Errors
    /// When the interface can no longer send; that its queue is full is none.
    pub async fn send<const LEN: usize>(
        &mut self,
        link: &dyn Link,
        pace: &Pace,
        frames: &mut Vec<[u8; LEN]>,
    ) -> io::Result<()> {
        let granted = self.take(frames.len()).await;
        pace.turn(granted as u32).await;
        let batch: Vec<&[u8]> = frames.iter().take(granted).map(|f| f.as_slice()).collect();
        let sent = match link.send(&batch) {
            Ok(sent) => sent.min(granted),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_exhaustion(&error) => 0,
            Err(error) => return Err(error),
        };
        frames.drain(..sent);
        if sent < granted {
            self.refused(granted - sent);
        }
        Ok(())
    }

    /// The interface did not take `frames` of what was granted.
    pub fn refused(&mut self, frames: usize) {
        self.rate = (self.rate / 2.0).max(FLOOR.min(self.ceiling));
        self.growth = 1.1;
        self.tokens = 0.0f64.min(self.tokens + frames as f64);
        self.looked_at = Instant::now();
    }

    /// Never faster than half as fast as now, nor than `most` frames a second: what was sent got lost on the way.
    pub fn slow_down(&mut self, most: f64) {
        self.ceiling = (self.rate / 2.0).min(most).max(FLOOR.min(self.ceiling));
        self.rate = self.ceiling;
    }

    fn fill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.filled);
        // After a wait that came late the whole time counts, within reason; a single turn is always kept.
        let most = (self.rate * KEPT.as_secs_f64()).max(1.0);
        self.tokens = (self.tokens + self.rate * since.as_secs_f64()).min(most);
        self.filled = now;
        if now.saturating_duration_since(self.looked_at) >= QUIET {
            self.rate = (self.rate * self.growth).min(self.ceiling);
            self.looked_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many frames pass within a time.
    async fn passed(throttle: &mut Throttle, time: Duration) -> usize {
        let start = Instant::now();
        let mut sent = 0;
        while start.elapsed() < time {
            sent += throttle.take(256).await;
        }
        sent
    }

    #[tokio::test(start_paused = true)]
    async fn speeds_up_while_all_goes_well() {
        let mut throttle = Throttle::new(Some(u32::MAX));
        let early = passed(&mut throttle, Duration::from_millis(15)).await;
        assert!((100..=250).contains(&early), "{early}");
        passed(&mut throttle, Duration::from_millis(300)).await;
        let late = passed(&mut throttle, Duration::from_millis(100)).await;
        assert!((24_000..=31_000).contains(&late), "{late}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_word_of_the_user_it_stays_gentle() {
        let mut throttle = Throttle::new(None);
        let sent = passed(&mut throttle, Duration::from_secs(2)).await;
        assert!((19_000..=20_200).contains(&sent), "{sent}");
        throttle.slow_down(5_000.0);
        let slower = passed(&mut throttle, Duration::from_secs(1)).await;
        assert!((4_500..=5_200).contains(&slower), "{slower}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_kept_from_the_first_frame() {
        for limit in [1, 50, 2000] {
            let mut throttle = Throttle::new(Some(limit));
            let sent = passed(&mut throttle, Duration::from_secs(10)).await;
            assert!(sent <= limit as usize * 10 + 10 && sent >= limit as usize * 8, "{limit}: {sent}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_interface_slows_it_and_quiet_speeds_it_up_again() {
        let mut throttle = Throttle::new(Some(u32::MAX));
        passed(&mut throttle, Duration::from_millis(500)).await;
        for _ in 0..3 {
            throttle.refused(0);
        }
        let slow = passed(&mut throttle, Duration::from_millis(15)).await;
        assert!(slow <= 600, "{slow}");
        passed(&mut throttle, Duration::from_secs(2)).await;
        let again = passed(&mut throttle, Duration::from_millis(100)).await;
        assert!(again > 20_000, "{again}");
    }

    #[tokio::test(start_paused = true)]
    async fn refused_for_ever_it_still_moves() {
        let mut throttle = Throttle::new(None);
        for _ in 0..100 {
            throttle.refused(1);
        }
        assert!(passed(&mut throttle, Duration::from_secs(1)).await >= 400);
    }
}
