//! B-frames: frames that come later than one that is shown after them.

use std::collections::VecDeque;

/// Timestamps looked back at.
const LOOK_BACK: usize = 16;
/// A frame is shown at most this much earlier than one before it, in units of 90 kHz: a second. What is further back is a clock
/// that was set.
const MAX_BACK: u32 = 90_000;
/// More frames than this are put off by no encoder of a camera.
const MAX_DEPTH: u8 = 4;
/// Frames after which a parameter set that allows reordering is no longer believed to be used.
const UNDECIDED: u32 = 100;

/// Learns from timestamps in decoding order how many frames are shown later than ones that follow them.
#[derive(Debug, Default)]
pub(super) struct Reordering {
    recent: VecDeque<u32>,
    /// As seen.
    depth: u8,
    /// Times a timestamp went back.
    backs: u32,
    frames: u32,
    /// What the parameter sets allow.
    hint: u8,
}

impl Reordering {
    /// Begins anew with what a parameter set says.
    pub fn with_hint(hint: Option<u8>) -> Reordering {
        Reordering { hint: hint.unwrap_or(0).min(MAX_DEPTH), ..Reordering::default() }
    }

    /// Takes the next frame; `bidirectional` tells whether it has B slices, where that is known. One that goes back is proof
    /// with B slices; without knowing them the second one is.
    pub fn note(&mut self, timestamp: u32, bidirectional: Option<bool>) {
        self.frames = self.frames.saturating_add(1);
        let later = |&&before: &&u32| (1..=MAX_BACK).contains(&before.wrapping_sub(timestamp));
        let depth = u8::try_from(self.recent.iter().filter(later).count()).unwrap_or(u8::MAX);
        if depth > MAX_DEPTH {
            self.recent.clear();
        } else if depth > 0 && bidirectional != Some(false) {
            self.backs += if bidirectional.is_some() { 2 } else { 1 };
            self.depth = self.depth.max(depth);
        }
        if self.recent.len() == LOOK_BACK {
            self.recent.pop_front();
        }
        self.recent.push_back(timestamp);
    }

    /// The clock of the stream begins anew.
    pub fn restart(&mut self) {
        self.recent.clear();
    }

    /// Whether there are B-frames: proved, or allowed while too few frames came to tell.
    pub fn b_frames(&self) -> bool {
        self.backs >= 2 || self.hint > 0 && self.frames < UNDECIDED
    }

    /// Frames that are shown later than ones that follow them.
    pub fn depth(&self) -> u8 {
        if self.b_frames() { self.depth.max(self.hint) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(frames: &[(u32, Option<bool>)], hint: Option<u8>) -> (bool, u8) {
        let mut reordering = Reordering::with_hint(hint);
        frames.iter().for_each(|(at, b)| reordering.note(at.wrapping_mul(3600).wrapping_sub(36_000), *b));
        (reordering.b_frames(), reordering.depth())
    }

    #[test]
    fn frames_that_go_back_are_proof() {
        let (p, b, unknown) = (Some(false), Some(true), None);
        for (frames, hint, expected) in [
            (&[(0, p), (1, p), (2, p)][..], None, (false, 0)),
            (&[(0, p), (3, p), (1, b), (2, b)], None, (true, 1)),
            (&[(0, p), (4, p), (2, b), (1, b), (3, b)], None, (true, 2)),
            (&[(0, unknown), (3, unknown), (1, unknown)], None, (false, 0)), // once may be the clock
            (&[(0, unknown), (3, unknown), (1, unknown), (2, unknown)], None, (true, 1)),
            (&[(100, unknown), (10, unknown), (11, unknown), (12, unknown)], None, (false, 0)), // set back by 3.6 s
            (&[(10, p), (11, p), (9, p), (10, p), (11, p)], None, (false, 0)),                  // set back, P slices
            (&[(0, p), (1, p)], Some(2), (true, 2)),
        ] {
            assert_eq!(after(frames, hint), expected, "{frames:?}");
        }
        let plain: Vec<(u32, Option<bool>)> = (0..UNDECIDED).map(|n| (n, Some(false))).collect();
        assert_eq!(after(&plain, Some(2)), (false, 0), "allowed, and not used");
    }
}
