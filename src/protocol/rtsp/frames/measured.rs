//! Rates out of the frames that were seen: by their timestamps, or by arrival where those make no sense.

use std::time::Duration;

use super::{Frame, MIN_COMPARED, Meter};
use crate::model::VideoCodec;
use crate::protocol::rtsp::sdp::rounded;

/// What the frames measure; a part is absent when too little was seen to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// Frames per second.
    pub fps: Option<f64>,
    /// kbit/s of payload.
    pub kbps: Option<u32>,
    /// Seconds between key frames; absent with fewer than two, and for codecs that have nothing else.
    pub keyframe_interval_s: Option<f64>,
    /// Whether timestamps could not be used and arrival times were.
    pub by_arrival: bool,
    /// The time measured over.
    pub span: Duration,
    /// The frames measured.
    pub frames: usize,
}

/// Markers on picture packets: what is left to count by when timestamps stand still.
#[derive(Default)]
pub(super) struct Marks {
    count: usize,
    first: Duration,
    last: Duration,
}

impl Marks {
    pub(super) fn note(&mut self, arrived: Duration) {
        if self.count == 0 {
            self.first = arrived;
        }
        self.last = arrived;
        self.count += 1;
    }
}

/// The pictures without the first where that was made long before the rest: servers keep a key frame for whoever comes
/// next, and what passed since tells nothing of the rate.
fn without_stored<'a, 'f>(pictures: &'a [&'f Frame]) -> &'a [&'f Frame] {
    /// How many of the others' intervals are long.
    const LONG: u64 = 4;
    let interval = |w: &[&Frame]| match w {
        [a, b] => b.timestamp.abs_diff(a.timestamp),
        _ => 0,
    };
    let mut intervals = pictures.windows(2).map(interval);
    let first = intervals.next().unwrap_or(0);
    let mut rest: Vec<u64> = intervals.collect();
    rest.sort_unstable();
    let usual = rest.get(rest.len() / 2).copied().unwrap_or(0);
    let is_stored = rest.len() >= 6 && usual > 0 && first > usual.saturating_mul(LONG);
    pictures.get(usize::from(is_stored)..).unwrap_or_default()
}

impl Meter {
    /// What the frames measure.
    pub fn measured(&self) -> Measured {
        if let Some(inner) = &self.inner {
            let seen = inner.seen();
            return Measured {
                fps: seen.fps().map(rounded),
                kbps: inner.kbps(),
                keyframe_interval_s: seen.keyframe_interval_s.map(rounded),
                by_arrival: false,
                span: seen.span_s.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_default(),
                frames: seen.frames as usize,
            };
        }
        let run = self.longest_run();
        let pictures: Vec<&Frame> = self.frames.iter().filter(|f| f.run == run && f.picture).collect();
        let pictures = without_stored(&pictures);
        if pictures.len() <= 2 && self.marks.count >= MIN_COMPARED.1 {
            return self.measured_by_marks();
        }
        let (Some(first), Some(last)) = (pictures.first(), pictures.last()) else { return Measured::default() };
        let stamps = pictures.iter().map(|f| f.timestamp);
        let (low, high) = (stamps.clone().min().unwrap_or(0), stamps.max().unwrap_or(0));
        let by_stamps = high.saturating_sub(low) as f64 / self.clock_rate;
        let by_arrival = last.arrived.saturating_sub(first.arrived).as_secs_f64();
        // A burst of stored frames makes timestamps run ahead of arrival; only a wrong clock makes them lag behind.
        let sane = by_stamps > 0.0 && (by_arrival < 0.5 || (0.4..=20.0).contains(&(by_stamps / by_arrival)));
        let span = if sane { by_stamps } else { by_arrival };
        let known = pictures.len() >= 3 && span >= 0.3;
        let bits = 8 * pictures.iter().rev().skip(1).map(|f| f.bytes).sum::<usize>();
        let place = |f: &Frame| if sane { f.timestamp as f64 / self.clock_rate } else { f.arrived.as_secs_f64() };
        let keys: Vec<f64> = pictures.iter().filter(|f| f.key).map(|f| place(f)).collect();
        Measured {
            fps: known.then(|| rounded((pictures.len() - 1) as f64 / span)),
            kbps: known.then(|| (bits as f64 / span / 1000.0).round() as u32),
            keyframe_interval_s: self.keyframe_interval(&keys),
            by_arrival: !sane,
            span: Duration::try_from_secs_f64(span).unwrap_or_default(),
            frames: pictures.len(),
        }
    }

    fn keyframe_interval(&self, keys: &[f64]) -> Option<f64> {
        let (first, last) = (keys.first()?, keys.last()?);
        let told = keys.len() >= 2 && self.codec != Some(VideoCodec::Mjpeg);
        told.then(|| rounded((last - first) / (keys.len() - 1) as f64)).filter(|&interval| interval > 0.0)
    }

    /// Timestamps stand still: frames are told by markers, time by arrival.
    fn measured_by_marks(&self) -> Measured {
        let span = self.marks.last.saturating_sub(self.marks.first);
        let known = span >= Duration::from_millis(300);
        let seconds = span.as_secs_f64();
        Measured {
            fps: known.then(|| rounded((self.marks.count - 1) as f64 / seconds)),
            kbps: known.then(|| (8.0 * self.seen.bytes as f64 / seconds / 1000.0).round() as u32),
            keyframe_interval_s: None,
            by_arrival: true,
            span,
            frames: self.marks.count,
        }
    }

    fn longest_run(&self) -> u32 {
        let runs = self.frames.chunk_by(|a, b| a.run == b.run);
        runs.max_by_key(|run| run.len()).and_then(|run| run.first()).map_or(0, |frame| frame.run)
    }
}
