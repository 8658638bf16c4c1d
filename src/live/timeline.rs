//! One clock of 90,000 units a second for each track: goes on over reconnects, steps of the camera's clock and wraps.

use std::time::Instant;

use crate::media::fmp4::scaled;

/// Units a second.
const RATE: i64 = 90_000;
/// Where a timeline begins: ten seconds, so that decoding can come before the first picture.
pub(super) const FIRST: u64 = 900_000;
/// A timestamp further ahead than this, in seconds, is of another clock.
const MAX_AHEAD: i64 = 10;
/// One further back than this is, even with B-frames.
const MAX_BACK: i64 = 1;
/// Frames last no longer than this, in units: what is more was a pause.
const MAX_DURATION: u64 = 180_000;
/// How long a frame lasts before two came: 25 a second.
const FIRST_DURATION: u32 = 3600;

/// The times of a frame, in units of 1/90,000 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// When it is shown.
    pub shown90: u64,
    /// When it is decoded: later than the frame before it, and never later than it is shown. The same without B-frames.
    pub decode90: u64,
    /// How long it lasts, as the one before it did: its own duration is known only when the next one comes.
    pub duration90: u32,
}

impl Time {
    /// When it is shown, in units of another clock. Steps that are whole in that clock stay exact.
    pub fn shown_in(&self, clock_rate: u32) -> u64 {
        scaled(self.shown90, clock_rate)
    }
}

/// Maps the RTP timestamps of one track.
#[derive(Debug)]
pub struct Timeline {
    clock_rate: i64,
    epoch: Instant,
    first: u64,
    last: Option<Last>,
    /// The next frame is of another session.
    restarted: bool,
    /// When frames are shown that were placed, but for those whose turn to be decoded has gone; in order.
    pending: Vec<u64>,
    decoded: u64,
    duration: u32,
}

/// The frame before.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// Its timestamp, unwrapped.
    ticks: i64,
    arrived: Instant,
    /// The latest time any was shown.
    latest: u64,
    /// A timestamp and when it is shown.
    origin: (i64, u64),
}

impl Timeline {
    /// For timestamps of `clock_rate` units a second. Tracks of one hub have the same `epoch`, so that picture and sound agree
    /// as they arrive; it is at the time `first`, in units of 1/90,000 s.
    pub fn starting_at(clock_rate: u32, epoch: Instant, first: u64) -> Timeline {
        Timeline {
            clock_rate: i64::from(clock_rate.max(1)),
            epoch,
            first,
            last: None,
            restarted: false,
            pending: Vec::new(),
            decoded: 0,
            duration: FIRST_DURATION,
        }
    }

    /// The times of the next access unit; `reorder_depth` is the assembler's.
    pub fn place(&mut self, timestamp: u32, arrived: Instant, reorder_depth: u8) -> Time {
        let shown90 = self.shown(timestamp, arrived, reorder_depth > 0);
        let decode90 = self.decode(shown90, reorder_depth.into());
        // What cannot be decoded in time is shown late.
        Time { shown90: shown90.max(decode90), decode90, duration90: self.duration }
    }

    /// Another session begins: the next frame goes on at the pace of the wall clock.
    pub fn restart(&mut self) {
        self.restarted = true;
    }

    fn shown(&mut self, timestamp: u32, arrived: Instant, reordered: bool) -> u64 {
        let Some(last) = self.last else {
            let shown = self.first.saturating_add(elapsed90(self.epoch, arrived));
            let ticks = i64::from(timestamp);
            self.last = Some(Last { ticks, arrived, latest: shown, origin: (ticks, shown) });
            return shown;
        };
        let step = i64::from(timestamp.wrapping_sub(last.ticks as u32) as i32);
        let ticks = last.ticks.saturating_add(step);
        let back = if reordered { MAX_BACK * self.clock_rate } else { 0 };
        let goes_on = !self.restarted && step != 0 && (-back..=MAX_AHEAD * self.clock_rate).contains(&step);
        let (origin_ticks, origin_shown) = if goes_on {
            last.origin
        } else {
            // A clock that stands still or was set: as much later as it came later.
            self.restarted = false;
            self.pending.clear();
            let later = elapsed90(last.arrived, arrived).max(1);
            (ticks, last.latest.saturating_add(later))
        };
        let since = ticks.saturating_sub(origin_ticks).saturating_mul(RATE) / self.clock_rate;
        let shown = origin_shown.saturating_add_signed(since);
        self.last = Some(Last { ticks, arrived, latest: last.latest.max(shown), origin: (origin_ticks, origin_shown) });
        shown
    }

    /// With `depth` frames put off, the n-th frame is decoded when the frame is shown that is `depth` places before the n-th in
    /// order of showing.
    fn decode(&mut self, shown: u64, depth: usize) -> u64 {
        let place = self.pending.partition_point(|&other| other <= shown);
        self.pending.insert(place, shown);
        let missing = (depth + 1).saturating_sub(self.pending.len()) as u64;
        let due = match self.pending.len().checked_sub(depth + 1) {
            Some(last) => self.pending.drain(..=last).next_back().unwrap_or(shown),
            None => {
                let earliest = self.pending.first().copied().unwrap_or(shown);
                earliest.saturating_sub(missing * u64::from(self.duration))
            }
        };
        let decode = due.max(self.decoded.saturating_add(1));
        let step = decode - self.decoded;
        if self.decoded > 0 && (2..=MAX_DURATION).contains(&step) {
            self.duration = u32::try_from(step).unwrap_or(FIRST_DURATION);
        }
        self.decoded = decode;
        decode
    }
}

/// Time between two moments, in units.
fn elapsed90(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros() * 9 / 100).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Frames as (timestamp, milliseconds of arrival), through a timeline with that depth; times less the first's.
    fn shown(depth: u8, frames: &[(u32, u64)]) -> Vec<u64> {
        let epoch = Instant::now();
        let mut timeline = Timeline::starting_at(90_000, epoch, FIRST);
        let placed = frames.iter().map(|&(timestamp, ms)| {
            timeline.place(timestamp, epoch + Duration::from_millis(ms), depth).shown90 - FIRST
        });
        placed.collect()
    }

    #[test]
    fn steps_of_the_camera_go_on_through_the_wrap() {
        let start = u32::MAX - 3600;
        let frames =
            [(start, 0), (start + 3600, 45), (start.wrapping_add(7200), 79), (start.wrapping_add(10_800), 121)];
        assert_eq!(shown(0, &frames), [0, 3600, 7200, 10_800]);
    }

    #[test]
    fn a_clock_that_was_set_goes_on_at_the_pace_of_the_wall_clock() {
        for (second, expected) in [
            (u32::MAX / 2, 3600),               // far ahead
            (100_000u32.wrapping_sub(1), 3600), // back
            (100_000, 3600),                    // standing still
            (100_000 + 900_000, 900_000),       // ten seconds are believed
            (100_000 + 900_001, 3600),
        ] {
            assert_eq!(shown(0, &[(100_000, 0), (second, 40)]), [0, expected], "{second}");
        }
        // Afterwards its steps are believed again.
        assert_eq!(shown(0, &[(100_000, 0), (500, 40), (4100, 90)]), [0, 3600, 7200]);
    }

    #[test]
    fn another_session_begins_where_the_wall_clock_is() {
        let epoch = Instant::now();
        let mut timeline = Timeline::starting_at(8000, epoch, FIRST);
        let before = timeline.place(1000, epoch, 0);
        timeline.restart();
        let after = timeline.place(1160, epoch + Duration::from_secs(3), 0);
        assert_eq!(after.shown90 - before.shown90, 270_000);
        let next = timeline.place(1320, epoch + Duration::from_secs(4), 0);
        assert_eq!((next.shown90 - after.shown90, next.shown_in(8000) - after.shown_in(8000)), (1800, 160));
    }

    #[test]
    fn b_frames_are_decoded_before_they_are_shown() {
        let epoch = Instant::now();
        let mut timeline = Timeline::starting_at(90_000, epoch, FIRST);
        let order = [0u32, 4, 2, 1, 3, 8, 6, 5, 7];
        let times: Vec<Time> = (0..)
            .zip(order)
            .map(|(n, place)| timeline.place(place * 3600, epoch + Duration::from_millis(40 * n), 2))
            .collect();
        assert!(times.iter().all(|time| time.decode90 <= time.shown90), "{times:?}");
        let steps: Vec<u64> = times.windows(2).map(|pair| pair[1].decode90 - pair[0].decode90).collect();
        assert_eq!(steps, [3600; 8]);
        let shown: Vec<u64> = times.iter().map(|time| (time.shown90 - times[0].shown90) / 3600).collect();
        assert_eq!(shown, order.map(u64::from));
    }

    proptest! {
        /// Whatever a camera says, decoding goes forward, and no frame is shown before it is decoded.
        #[test]
        fn decoding_goes_forward(
            clock_rate in prop_oneof![Just(8000u32), Just(90_000)],
            frames in proptest::collection::vec((any::<u32>(), 0u64..5000, 0u8..5, any::<bool>()), 1..100),
        ) {
            let epoch = Instant::now();
            let mut timeline = Timeline::starting_at(clock_rate, epoch, FIRST);
            let (mut arrived, mut last) = (epoch, None);
            for (timestamp, ms, depth, restart) in frames {
                arrived += Duration::from_millis(ms);
                if restart {
                    timeline.restart();
                }
                let time = timeline.place(timestamp, arrived, depth);
                prop_assert!(time.decode90 <= time.shown90);
                prop_assert!(last.is_none_or(|last| time.decode90 > last));
                prop_assert!(timeline.pending.len() <= 5);
                last = Some(time.decode90);
            }
        }
    }
}
