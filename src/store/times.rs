//! How long writing takes: on a slow disk it is the first thing that suffers.

use std::time::Duration;

/// How long transactions took that wrote, counted by how long.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WriteTimes {
    /// How many took no longer than each of [`WriteTimes::BOUNDS`]; last, how many took longer than all.
    pub counts: [u64; WriteTimes::BOUNDS.len() + 1],
    /// All of it together, in seconds.
    pub seconds: f64,
}

impl WriteTimes {
    /// The bounds in seconds.
    pub const BOUNDS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

    /// Counts one more.
    pub(super) fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = Self::BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(Self::BOUNDS.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(1);
        }
        self.seconds += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_write_is_counted_where_it_belongs() {
        let mut times = WriteTimes::default();
        for ms in [0, 1, 2, 3, 10_000, 10_001, 60_000] {
            times.add(Duration::from_millis(ms));
        }
        assert_eq!(times.counts, [2, 2, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert!((times.seconds - 80.007).abs() < 1e-9);
    }
}
