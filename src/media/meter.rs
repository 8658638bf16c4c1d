//! Counts frames: how many a second, how many bits, how far the key frames lie apart. Whoever has frames, from RTP, RTMP,
//! a segment or a multipart body, gives each with its time.

use super::hundredths;

/// Frames and time that a rate needs, at least, before it is held against a declared one.
const COMPARABLE: (u32, f64) = (8, 1.0);
/// Seconds that timestamps and key frames can be apart.
const PLAUSIBLE_S: std::ops::Range<f64> = 0.01..3600.0;
/// Frames a second that a camera can have.
const PLAUSIBLE_FPS: std::ops::RangeInclusive<f64> = 0.1..=1000.0;

/// What a frame's time is the time of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum TimeOf {
    /// Of its beginning, as timestamps have it: the last frame's bytes belong to the time after it.
    #[default]
    Beginning,
    /// Of its end, when it had arrived whole: the first frame's bytes belong to the time before it.
    End,
}

/// Counts the frames of one picture or sound.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FrameMeter {
    time_of: TimeOf,
    frames: u32,
    earliest: f64,
    latest: f64,
    bytes: u64,
    /// Bytes of the frame that belongs to no interval: the first by arrival, the last by timestamps.
    outside: u64,
    keys: u32,
    first_key: f64,
    last_key: f64,
}

impl FrameMeter {
    /// A meter of frames that come with timestamps.
    pub fn by_timestamps() -> FrameMeter {
        FrameMeter::default()
    }

    /// A meter of frames whose time is when they had arrived.
    pub fn by_arrival() -> FrameMeter {
        FrameMeter { time_of: TimeOf::End, ..FrameMeter::default() }
    }

    /// Counts a frame at `time_s`, in seconds from whatever moment the caller chose, of so many bytes. Frames come in the
    /// order of decoding, so that their times may go back a little.
    pub fn frame(&mut self, time_s: f64, bytes: u64, key: bool) {
        if self.frames == 0 {
            (self.earliest, self.latest, self.outside) = (time_s, time_s, bytes);
        }
        self.frames = self.frames.saturating_add(1);
        (self.earliest, self.latest) = (self.earliest.min(time_s), self.latest.max(time_s));
        self.bytes = self.bytes.saturating_add(bytes);
        if self.time_of == TimeOf::Beginning {
            self.outside = bytes;
        }
        if key {
            self.first_key = if self.keys == 0 { time_s } else { self.first_key };
            self.last_key = time_s;
            self.keys = self.keys.saturating_add(1);
        }
    }

    /// Frames so far.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Key frames among them.
    pub fn keys(&self) -> u32 {
        self.keys
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the frames measure.
    pub fn rates(&self) -> Rates {
        let span_s = self.latest - self.earliest;
        let (fewest, shortest) = match self.time_of {
            // A piece of a stream may be short and exact; of what arrives in time a burst out of a buffer tells nothing.
            TimeOf::Beginning => (3, 0.1),
            TimeOf::End => (2, 0.2),
        };
        let is_known = self.frames >= fewest && (shortest..PLAUSIBLE_S.end).contains(&span_s);
        let fps = f64::from(self.frames.saturating_sub(1)) / span_s;
        let kbps = self.bytes.saturating_sub(self.outside) as f64 * 8.0 / 1000.0 / span_s;
        let interval = (self.last_key - self.first_key) / f64::from(self.keys.saturating_sub(1));
        Rates {
            frames: self.frames,
            span_s,
            fps: Some(fps).filter(|fps| is_known && PLAUSIBLE_FPS.contains(fps)),
            kbps: Some(kbps.round() as u32).filter(|&kbps| is_known && kbps > 0),
            keyframe_interval_s: Some(hundredths(interval)).filter(|s| self.keys >= 2 && PLAUSIBLE_S.contains(s)),
        }
    }
}

/// What frames measure; a part is absent when too little was seen to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// The frames measured.
    pub frames: u32,
    /// Seconds from the earliest to the latest of them.
    pub span_s: f64,
    /// Frames per second.
    pub fps: Option<f64>,
    /// kbit/s.
    pub kbps: Option<u32>,
    /// Seconds between key frames, on average.
    pub keyframe_interval_s: Option<f64>,
}

impl Rates {
    /// Whether enough was seen to hold the rate against a declared one.
    pub fn are_comparable(&self) -> bool {
        self.frames >= COMPARABLE.0 && self.span_s >= COMPARABLE.1
    }

    /// Frames per second to a tenth: a short piece tells no more.
    pub fn fps_to_a_tenth(&self) -> Option<f64> {
        self.fps.map(|fps| (fps * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meter(mut meter: FrameMeter, frames: &[(f64, u64, bool)]) -> Rates {
        frames.iter().for_each(|&(time, bytes, key)| meter.frame(time, bytes, key));
        meter.rates()
    }

    #[test]
    fn timestamps_are_of_a_frames_beginning() {
        let frames: Vec<_> = (0..=50u32).map(|n| (f64::from(n) / 25.0, 1000, n % 25 == 0)).collect();
        let rates = meter(FrameMeter::by_timestamps(), &frames);
        assert_eq!((rates.fps, rates.kbps, rates.keyframe_interval_s), (Some(25.0), Some(200), Some(1.0)));
        assert!(rates.are_comparable());
        // A large last frame is of the time after the last timestamp.
        let mut cut = frames.clone();
        cut.push((51.0 / 25.0, 1_000_000, true));
        assert_eq!(meter(FrameMeter::by_timestamps(), &cut).kbps, Some(200));
    }

    #[test]
    fn arrivals_are_of_a_frames_end() {
        let mut frames = vec![(1.0, 1_000_000, true)];
        frames.extend((1..=10u32).map(|n| (1.0 + f64::from(n) / 10.0, 1000, true)));
        let rates = meter(FrameMeter::by_arrival(), &frames);
        assert_eq!((rates.fps, rates.kbps), (Some(10.0), Some(80)));
    }

    #[test]
    fn frames_out_of_order_have_the_rate_of_those_in_order() {
        let times = [0.0, 0.12, 0.04, 0.08, 0.24, 0.16, 0.2];
        let frames: Vec<_> = times.iter().map(|&t| (t, 500, false)).collect();
        assert_eq!(meter(FrameMeter::by_timestamps(), &frames).fps_to_a_tenth(), Some(25.0));
    }

    #[test]
    fn too_little_tells_nothing() {
        let none = |frames: &[(f64, u64, bool)]| {
            let rates = meter(FrameMeter::by_timestamps(), frames);
            assert_eq!((rates.fps, rates.kbps, rates.keyframe_interval_s), (None, None, None), "{frames:?}");
        };
        none(&[]);
        none(&[(0.0, 9, true), (5.0, 9, false)]);
        none(&[(7.0, 9, true), (7.0, 9, true), (7.0, 9, true)]);
        none(&[(0.0, 9, false), (1e9, 9, false), (2e9, 9, false)]);
    }

    proptest! {
        #[test]
        fn rates_are_plausible_whatever_comes(
            frames: Vec<(f64, u64, bool)>,
            arrival: bool,
        ) {
            let empty = if arrival { FrameMeter::by_arrival() } else { FrameMeter::by_timestamps() };
            let rates = meter(empty, &frames);
            prop_assert!(rates.fps.is_none_or(|fps| PLAUSIBLE_FPS.contains(&fps)));
            prop_assert!(rates.keyframe_interval_s.is_none_or(|s| PLAUSIBLE_S.contains(&s)));
        }
    }
}
