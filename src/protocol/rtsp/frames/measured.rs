//! Rates out of the frames that were seen: by their timestamps, or by arrival where those make no sense.

use super::{Frame, Meter};
use crate::media::hundredths;
use crate::media::meter::{FrameMeter, Rates};
use crate::model::VideoCodec;

/// Seconds that packets must have come for before they tell a rate.
const SHORTEST_S: f64 = 0.3;
/// Markers that tell a rate where timestamps do not.
const FEWEST_MARKS: u32 = 8;

/// What the frames measure.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// Their rates; the interval of key frames is absent for codecs that have nothing else.
    pub rates: Rates,
    /// Whether timestamps could not be used and arrival times were.
    pub by_arrival: bool,
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
        let (rates, by_arrival) = self.rates();
        let is_known = rates.span_s >= SHORTEST_S;
        let has_others = self.codec != Some(VideoCodec::Mjpeg);
        let rates = Rates {
            fps: rates.fps.map(hundredths).filter(|_| is_known),
            kbps: rates.kbps.filter(|_| is_known),
            keyframe_interval_s: rates.keyframe_interval_s.filter(|_| has_others),
            ..rates
        };
        Measured { rates, by_arrival }
    }

    /// The rates, and whether they are by arrival.
    fn rates(&self) -> (Rates, bool) {
        if let Some(inner) = &self.inner {
            return (inner.seen().rates(), false);
        }
        let run = self.longest_run();
        let pictures: Vec<&Frame> = self.frames.list().iter().filter(|f| f.run == run && f.picture).collect();
        let pictures = without_stored(&pictures);
        if pictures.len() <= 2 && self.frames.marks().frames() >= FEWEST_MARKS {
            // Timestamps stand still: frames are told by markers, time by arrival.
            return (self.frames.marks().rates(), true);
        }
        let clock_rate = self.frames.clock_rate();
        let place = |f: &Frame| f.timestamp as f64 / clock_rate;
        let (by_stamps, by_arrival) = (rates(pictures, place), rates(pictures, |f| f.arrived.as_secs_f64()));
        let (stamped, waited) = (by_stamps.span_s, by_arrival.span_s);
        // A burst of stored frames makes timestamps run ahead of arrival; only a wrong clock makes them lag behind.
        let sane = stamped > 0.0 && (waited < 0.5 || (0.4..=20.0).contains(&(stamped / waited)));
        if sane || pictures.is_empty() { (by_stamps, false) } else { (by_arrival, true) }
    }

    fn longest_run(&self) -> u32 {
        let runs = self.frames.list().chunk_by(|a, b| a.run == b.run);
        runs.max_by_key(|run| run.len()).and_then(|run| run.first()).map_or(0, |frame| frame.run)
    }
}

/// The rates of frames, by what `place_s` gives of each in seconds.
fn rates(frames: &[&Frame], place_s: impl Fn(&Frame) -> f64) -> Rates {
    // A frame has arrived when its first packet has, so that its bytes lie after that time too.
    let mut meter = FrameMeter::by_timestamps();
    frames.iter().for_each(|f| meter.frame(place_s(f), f.bytes as u64, f.key));
    meter.rates()
}
