//! The frames of one stream, and a cursor for each viewer. The writer never waits; who is too slow jumps to the newest key
//! frame. No lock, no runtime, no clock: whoever shares it brings them.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frame::Frame;
use crate::media::format::Format;

/// Packets kept beside the newest group of pictures, for viewers that are a little late.
const SLACK_PACKETS: usize = 500;
/// Bytes kept at most.
const MAX_BYTES: usize = 16 << 20;
/// How far back frames are kept at most.
const MAX_AGE: Duration = Duration::from_secs(12);
/// A viewer waits for a key frame that is due within this, so that connecting and waiting together take some 0.3 s,
const SOON: Duration = Duration::from_millis(200);
/// where the group of pictures it would get instead is older than this: sent at once, a long one is lost on a bad network.
const LONG_GROUP: Duration = Duration::from_millis(1400);

/// A viewer's place.
#[derive(Debug, Clone)]
pub struct Cursor {
    next: u64,
    /// First frame that was not there when the viewer began, or jumped.
    live: u64,
    waits_for_key: bool,
}

impl Cursor {
    /// Whether a frame was there before the viewer began: sent at a pace, and without its sound.
    pub fn is_cached(&self, frame: &Frame) -> bool {
        frame.index < self.live
    }

    /// Whether nothing is shown before the next key frame.
    pub fn waits_for_key(&self) -> bool {
        self.waits_for_key
    }
}

/// What comes next for a viewer.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Arc<Frame>),
    /// The viewer was too slow: so many frames were left out. It goes on at a key frame.
    Lagged {
        /// Frames left out, those of sound as well.
        dropped: u64,
    },
    /// Nothing yet.
    Wait,
}

/// What is known of the groups of pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gop {
    /// Whether a viewer that begins now can have a picture at once.
    pub cached: bool,
    /// Whether a group was too large to be kept.
    pub too_large: bool,
    /// Bytes since the newest key frame.
    pub bytes: usize,
    /// Frames since then, with it and those of sound.
    pub frames: u64,
    /// Time between the last two key frames.
    pub interval: Option<Duration>,
}

/// The ring of frames: the newest group of pictures or 500 packets, at most 16 MiB and 12 s.
#[derive(Debug, Default)]
pub struct Hub {
    ring: VecDeque<Arc<Frame>>,
    next: u64,
    bytes: usize,
    packets: usize,
    /// The newest key frame, as long as it is in the ring.
    key: Option<(u64, Instant)>,
    /// When the last key frame came, in the ring or not.
    last_key: Option<Instant>,
    /// A picture since the key frame lacks one it refers to.
    damaged: bool,
    gop: Gop,
    video: Option<Arc<Format>>,
    audio: Option<Arc<Format>>,
}

impl Hub {
    /// Without frames.
    pub fn new() -> Hub {
        Hub::default()
    }

    /// Takes the next frame and gives it its index.
    pub fn push(&mut self, mut frame: Frame) -> Arc<Frame> {
        frame.index = self.next;
        self.next += 1;
        if frame.is_video() {
            self.note_picture(&frame);
        } else {
            self.audio = Some(Arc::clone(&frame.format));
        }
        self.gop.bytes = self.gop.bytes.saturating_add(frame.len());
        self.gop.frames += 1;
        self.bytes += frame.len();
        self.packets += frame.packet_count();
        let frame = Arc::new(frame);
        self.ring.push_back(Arc::clone(&frame));
        self.prune(frame.arrived);
        frame
    }

    fn note_picture(&mut self, frame: &Frame) {
        let before = self.video.replace(Arc::clone(&frame.format));
        if frame.key {
            self.gop.interval = self.last_key.map(|last| frame.arrived.saturating_duration_since(last));
            self.gop.too_large &= self.key.is_none();
            (self.gop.bytes, self.gop.frames, self.damaged) = (0, 0, false);
            self.key = Some((frame.index, frame.arrived));
            self.last_key = Some(frame.arrived);
        } else if frame.damaged {
            self.damaged = true;
        }
        if !frame.key && before.is_some_and(|before| before != frame.format) {
            // The parameter sets of the key frame are no longer those of what follows it.
            self.key = None;
        }
    }

    fn prune(&mut self, now: Instant) {
        while let Some(oldest) = self.ring.front().filter(|_| self.ring.len() > 1) {
            let is_beyond = self.bytes > MAX_BYTES || now.saturating_duration_since(oldest.arrived) > MAX_AGE;
            let is_before_key = self.key.is_none_or(|(key, _)| oldest.index < key);
            let is_slack = is_before_key && self.packets - oldest.packet_count() >= SLACK_PACKETS;
            if !is_beyond && !is_slack {
                break;
            }
            let (index, len, packets) = (oldest.index, oldest.len(), oldest.packet_count());
            self.ring.pop_front();
            (self.bytes, self.packets) = (self.bytes - len, self.packets - packets);
            if self.key.is_some_and(|(key, _)| key == index) {
                self.key = None;
                self.gop.too_large = true;
            }
        }
    }

    /// A viewer begins: with the newest key frame and all since, or, where there is none, a picture since is missing, or the next
    /// one is due soon, with the next key frame. For a viewer that asks for a key frame (PLI) as well.
    pub fn start(&self, now: Instant) -> Cursor {
        let is_worth_waiting = |came: Instant| {
            let due_in = self.next_key_due().and_then(|due| due.checked_duration_since(now));
            now.saturating_duration_since(came) > LONG_GROUP && due_in.is_some_and(|time| time < SOON)
        };
        match self.clean_key() {
            Some((key, came)) if !is_worth_waiting(came) => Cursor { next: key, live: self.next, waits_for_key: false },
            _ => self.at_next_key(),
        }
    }

    /// The newest key frame, when all that follows it came.
    fn clean_key(&self) -> Option<(u64, Instant)> {
        self.key.filter(|_| !self.damaged)
    }

    fn at_next_key(&self) -> Cursor {
        Cursor { next: self.next, live: self.next, waits_for_key: true }
    }

    /// The next frame of a viewer.
    pub fn next(&self, cursor: &mut Cursor) -> Next {
        let oldest = self.next - self.ring.len() as u64;
        if cursor.next < oldest {
            if !cursor.waits_for_key {
                return Next::Lagged { dropped: self.jump(cursor) };
            }
            cursor.next = oldest;
        }
        while let Some(frame) = usize::try_from(cursor.next - oldest).ok().and_then(|place| self.ring.get(place)) {
            cursor.next += 1;
            if !cursor.waits_for_key || frame.key {
                cursor.waits_for_key = false;
                return Next::Frame(Arc::clone(frame));
            }
        }
        Next::Wait
    }

    /// To the newest key frame, or to the next one; how many frames are left out so far.
    fn jump(&self, cursor: &mut Cursor) -> u64 {
        let from = cursor.next;
        *cursor = match self.clean_key().filter(|&(key, _)| key > from) {
            Some((key, _)) => Cursor { next: key, live: self.next, waits_for_key: false },
            None => self.at_next_key(),
        };
        cursor.next - from
    }

    /// Leaves out what is before the newest key frame, for a viewer whose own queue is full; how many frames. None while no newer
    /// key frame is there: such a viewer takes nothing until its queue is empty, or falls behind.
    pub fn skip(&self, cursor: &mut Cursor) -> u64 {
        let is_newer = self.clean_key().is_some_and(|(key, _)| key > cursor.next);
        if is_newer { self.jump(cursor) } else { 0 }
    }

    /// The newest key frame and what follows it.
    pub fn gop(&self) -> Gop {
        Gop { cached: self.clean_key().is_some(), ..self.gop }
    }

    /// When the next key frame should come.
    pub fn next_key_due(&self) -> Option<Instant> {
        self.last_key.zip(self.gop.interval).map(|(last, interval)| last + interval)
    }

    /// What the newest pictures are.
    pub fn video(&self) -> Option<&Arc<Format>> {
        self.video.as_ref()
    }

    /// What the newest sound is.
    pub fn audio(&self) -> Option<&Arc<Format>> {
        self.audio.as_ref()
    }

    /// The newest frame.
    pub fn newest(&self) -> Option<&Arc<Frame>> {
        self.ring.back()
    }

    /// Bytes of the frames in the ring; packets and fragments made of them take as much again each.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all frames, as when the source stops. Every cursor falls behind, and goes on with the next key frame.
    pub fn clear(&mut self) {
        *self = Hub { next: self.next + 1, ..Hub::default() };
    }
}
