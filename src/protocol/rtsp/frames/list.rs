//! Frames out of RTP packets that come in order: packets of one timestamp, on a timeline that is unwrapped.

use std::time::Duration;

use super::Seen;
use crate::media::meter::FrameMeter;
use crate::media::payload::Glimpse;
use crate::media::rtp::Packet;

/// Frames kept for measuring; at 60 a second 11 minutes.
const MAX_FRAMES: usize = 40_000;
/// A timestamp that jumps further than this, in seconds, begins a new timeline.
const MAX_GAP_S: f64 = 10.0;

/// One frame: packets of one timestamp.
pub(super) struct Frame {
    pub timestamp: i64,
    /// Number of the timeline it belongs to.
    pub run: u32,
    pub arrived: Duration,
    pub bytes: usize,
    pub picture: bool,
    begun: bool,
    counted: bool,
    pub key: bool,
    damaged: bool,
    complete: bool,
}

/// Unwraps timestamps; a jump begins a new run.
#[derive(Default)]
struct Timeline {
    last: Option<i64>,
    run: u32,
}

impl Timeline {
    fn place(&mut self, timestamp: u32, max_gap: f64) -> i64 {
        let placed = match self.last {
            Some(last) => {
                let step = i64::from(timestamp.wrapping_sub(last as u32) as i32);
                if step.unsigned_abs() as f64 > max_gap {
                    self.run += 1;
                }
                last.saturating_add(step)
            }
            None => i64::from(timestamp),
        };
        self.last = Some(placed);
        placed
    }
}

/// The frames so far.
pub(super) struct Frames {
    clock_rate: f64,
    timeline: Timeline,
    list: Vec<Frame>,
    /// Whether parameter sets came since the last picture.
    sets_before: bool,
    /// Markers on picture packets: what is left to count by when timestamps stand still.
    marks: FrameMeter,
    /// Payload bytes since the last marker.
    since_mark: u64,
}

impl Frames {
    /// For timestamps of `clock_rate` units a second.
    pub fn new(clock_rate: f64) -> Frames {
        Frames {
            clock_rate,
            timeline: Timeline::default(),
            list: Vec::new(),
            sets_before: false,
            marks: FrameMeter::by_arrival(),
            since_mark: 0,
        }
    }

    /// Another source sends from now on, by a clock of its own.
    pub fn begin_run(&mut self) {
        self.timeline.run += 1;
    }

    /// Forgets the frames so far.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// The frames, in the order of their packets.
    pub fn list(&self) -> &[Frame] {
        &self.list
    }

    /// The frames as markers tell them, by arrival.
    pub fn marks(&self) -> &FrameMeter {
        &self.marks
    }

    /// Units of the timestamps a second.
    pub fn clock_rate(&self) -> f64 {
        self.clock_rate
    }

    /// The place of a timestamp on the timeline.
    pub fn place(&mut self, timestamp: u32) -> i64 {
        self.timeline.place(timestamp, MAX_GAP_S * self.clock_rate)
    }

    /// Takes a packet at its place, and what it shows; `seen` counts frames.
    pub fn take(
        &mut self,
        packet: &Packet<'_>,
        at: i64,
        arrived: Duration,
        shown: &Glimpse<'_>,
        lost: u64,
        seen: &mut Seen,
    ) {
        if !self.open(at, arrived, lost, seen) {
            return;
        }
        self.sets_before |= !shown.parameter_sets.is_empty();
        self.fill(packet.payload.len(), shown, lost, seen);
        self.since_mark += packet.payload.len() as u64;
        if packet.marker && shown.picture {
            self.marks.frame(arrived.as_secs_f64(), std::mem::take(&mut self.since_mark), false);
        }
        if packet.marker && self.list.last().is_some_and(|frame| frame.picture) {
            self.complete_last(arrived, seen);
        }
    }

    /// Makes the frame of that time stamp the last one; false when there is no room for another.
    fn open(&mut self, timestamp: i64, arrived: Duration, lost: u64, seen: &mut Seen) -> bool {
        if lost > 0
            && let Some(frame) = self.list.last_mut()
        {
            // Its end may be among what was lost.
            frame.damaged |= !frame.complete;
        }
        if self.list.last().is_some_and(|f| f.timestamp == timestamp && f.run == self.timeline.run) {
            return true;
        }
        self.complete_last(arrived, seen);
        let has_room = self.list.len() < MAX_FRAMES;
        if has_room {
            self.list.push(Frame::new(timestamp, self.timeline.run, arrived));
        }
        has_room
    }

    /// Adds a packet to the last frame.
    fn fill(&mut self, bytes: usize, shown: &Glimpse<'_>, lost: u64, seen: &mut Seen) {
        let Some(frame) = self.list.last_mut() else { return };
        frame.bytes += bytes;
        frame.damaged |= lost > 0;
        frame.begun |= shown.begins;
        frame.picture |= shown.picture;
        if frame.picture && frame.begun && !std::mem::replace(&mut frame.counted, true) {
            seen.frames += 1;
        }
        let key = shown.key || shown.intra && self.sets_before;
        if key && !std::mem::replace(&mut frame.key, true) {
            seen.keyframes += 1;
        }
        if shown.picture {
            self.sets_before = false;
        }
    }

    /// The last frame has all its packets, as a marker, the next timestamp or the end tells.
    pub fn complete_last(&mut self, now: Duration, seen: &mut Seen) {
        let Some(frame) = self.list.last_mut().filter(|f| f.picture && !f.complete) else { return };
        frame.complete = true;
        if frame.begun && !frame.damaged {
            seen.first_frame.get_or_insert(now);
            if frame.key {
                seen.first_keyframe.get_or_insert(now);
            }
        }
    }
}

impl Frame {
    fn new(timestamp: i64, run: u32, arrived: Duration) -> Frame {
        Frame {
            timestamp,
            run,
            arrived,
            bytes: 0,
            picture: false,
            begun: false,
            counted: false,
            key: false,
            damaged: false,
            complete: false,
        }
    }
}
