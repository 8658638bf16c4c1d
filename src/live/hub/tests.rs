use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::live::timeline::Time;
use crate::media::assemble::AccessUnit;
use crate::media::format::{AudioFormat, VideoFormat};
use crate::model::{AudioCodec, VideoCodec};

/// A hub that is fed frames of one stream.
struct Fed {
    hub: Hub,
    now: Instant,
    video: Arc<Format>,
    audio: Arc<Format>,
}

impl Fed {
    fn new() -> Fed {
        let video = VideoFormat { codec: VideoCodec::H264, sets: Vec::new(), size: None };
        let audio = AudioFormat { codec: AudioCodec::Pcmu, clock_rate: 8000, channels: 1, config: Bytes::new() };
        let now = Instant::now();
        let (video, audio) = (Arc::new(Format::Video(video)), Arc::new(Format::Audio(audio)));
        Fed { hub: Hub::new(), now, video, audio }
    }

    fn frame(&self, key: bool, damaged: bool, bytes: usize, format: &Arc<Format>) -> Frame {
        let parts = vec![Bytes::from(vec![7; bytes])];
        let (timestamp, arrived, format) = (0, Duration::ZERO, Arc::clone(format));
        let unit = AccessUnit { timestamp, arrived, key, damaged, parts, format };
        Frame::new(unit, Time { shown90: 0, decode90: 0, duration90: 3600 }, self.now)
    }

    /// One character for each frame, 40 ms apart: `K` a key frame, `.` another one, `x` a damaged one, `a` sound.
    fn feed(&mut self, frames: &str, bytes: usize) {
        for frame in frames.chars() {
            self.now += Duration::from_millis(40);
            let format = if frame == 'a' { &self.audio } else { &self.video };
            let frame = self.frame(frame == 'K', frame == 'x', bytes, format);
            self.hub.push(frame);
        }
    }

    /// What a viewer gets until it has to wait: indices, and `-n` for n frames left out.
    fn all(&self, cursor: &mut Cursor) -> Vec<i64> {
        let mut out = Vec::new();
        loop {
            match self.hub.next(cursor) {
                Next::Frame(frame) => out.push(frame.index as i64),
                Next::Lagged { dropped } => out.push(-(dropped as i64)),
                Next::Wait => return out,
            }
        }
    }

    fn start(&self) -> Cursor {
        self.hub.start(self.now)
    }
}

#[test]
fn a_viewer_begins_with_the_newest_key_frame_and_all_since() {
    let mut fed = Fed::new();
    fed.feed("..K..K.a.", 100);
    let mut cursor = fed.start();
    assert!(cursor.is_cached(fed.hub.newest().unwrap()));
    assert_eq!(fed.all(&mut cursor), [5, 6, 7, 8]);
    fed.feed("a.", 100);
    assert!(!cursor.is_cached(fed.hub.newest().unwrap()));
    assert_eq!(fed.all(&mut cursor), [9, 10]);
    assert_eq!(
        fed.hub.gop(),
        Gop { cached: true, too_large: false, bytes: 600, frames: 6, interval: Some(Duration::from_millis(120)) }
    );
}

#[test]
fn a_viewer_waits_for_a_key_frame_where_there_is_no_whole_group() {
    for before in ["", "...", "aaa", "K..x.", "x"] {
        let mut fed = Fed::new();
        fed.feed(before, 100);
        let mut cursor = fed.start();
        assert!(cursor.waits_for_key(), "{before}");
        fed.feed(".a.K.", 100);
        let key = before.len() as i64 + 3;
        assert_eq!(fed.all(&mut cursor), [key, key + 1], "{before}");
    }
    // Another parameter set in the middle.
    let mut fed = Fed::new();
    fed.feed("K..", 100);
    let other = VideoFormat { codec: VideoCodec::H264, sets: vec![Bytes::from_static(b"new")], size: None };
    fed.video = Arc::new(Format::Video(other));
    fed.feed(".", 100);
    assert!(fed.start().waits_for_key());
}

#[test]
fn a_long_group_is_left_when_the_next_key_frame_is_due() {
    let mut fed = Fed::new();
    let group = format!("K{}", ".".repeat(99));
    fed.feed(&group, 100);
    fed.feed(&group[..50], 100);
    assert!(!fed.start().waits_for_key(), "in the middle");
    fed.feed(&".".repeat(40), 100);
    assert!(!fed.start().waits_for_key(), "0.4 s before the next");
    fed.feed(&".".repeat(8), 100);
    assert!(fed.start().waits_for_key(), "0.1 s before the next");
    fed.feed(&".".repeat(20), 100);
    assert!(!fed.start().waits_for_key(), "it did not come when it was due");
    // Short groups are sent whole.
    let mut fed = Fed::new();
    fed.feed(&"K........................".repeat(3), 100);
    assert!(!fed.start().waits_for_key());
}

#[test]
fn who_is_too_slow_goes_on_at_the_newest_key_frame() {
    let mut fed = Fed::new();
    fed.feed("K....", 1180);
    let mut cursor = fed.start();
    assert_eq!(fed.all(&mut cursor).len(), 5);
    fed.feed(&format!("K{}", ".".repeat(99)).repeat(8), 1180);
    let seen = fed.all(&mut cursor);
    assert_eq!(seen[..3], [-700, 705, 706], "{seen:?}");
    assert_eq!(seen.last(), Some(&804));
    // Where the newest group lacks a picture, at the next one.
    fed.feed(&"K....x....".repeat(80), 1180);
    assert_eq!(fed.all(&mut cursor), [-800]);
    fed.feed("..K.", 1180);
    assert_eq!(fed.all(&mut cursor), [1607, 1608]);
}

#[test]
fn a_viewer_whose_own_queue_is_full_skips_to_a_newer_key_frame() {
    let mut fed = Fed::new();
    fed.feed("K.....", 100);
    let mut cursor = fed.start();
    assert_eq!(fed.hub.skip(&mut cursor), 0, "none is newer");
    fed.feed("K.", 100);
    assert_eq!(fed.hub.skip(&mut cursor), 6);
    assert_eq!(fed.all(&mut cursor), [6, 7]);
}

#[test]
fn the_ring_is_bounded() {
    // Before the newest group 1000 packets, more than are kept.
    let mut fed = Fed::new();
    fed.feed(&format!("K{}K", ".".repeat(199)), 5 * 1180);
    assert_eq!(fed.hub.ring.len(), 100);
    // A group of 20 MiB is not kept whole: nobody can begin with it.
    let mut fed = Fed::new();
    fed.feed(&format!("K{}", ".".repeat(19)), 1 << 20);
    assert!(fed.hub.bytes() <= MAX_BYTES);
    assert_eq!((fed.hub.gop().cached, fed.hub.gop().too_large), (false, true));
    assert!(fed.start().waits_for_key());
    fed.feed("K.K", 1 << 20);
    assert_eq!((fed.hub.gop().cached, fed.hub.gop().too_large), (true, false));
    // Nor one of more than 12 s.
    let mut fed = Fed::new();
    fed.feed(&format!("K{}", ".".repeat(400)), 10);
    assert!(fed.hub.gop().too_large);
    assert_eq!(fed.hub.ring.front().map(|frame| frame.index), Some(100));
}

#[test]
fn cursors_survive_a_source_that_begins_anew() {
    let mut fed = Fed::new();
    fed.feed("K...", 100);
    let mut cursor = fed.start();
    assert_eq!(fed.all(&mut cursor).len(), 4);
    fed.hub.clear();
    assert_eq!((fed.hub.bytes(), fed.hub.newest().is_none()), (0, true));
    fed.feed("..K.", 100);
    assert_eq!(fed.all(&mut cursor), [-3, 7, 8]);
}

#[test]
fn packets_and_fragments_are_made_once() {
    let fed = Fed::new();
    let frame = fed.frame(true, false, 3000, &fed.video);
    assert_eq!((frame.packets().len(), frame.packet_count()), (3, 3));
    assert!(Arc::ptr_eq(frame.packets(), frame.packets()));
    assert_eq!(frame.fragment().as_ptr(), frame.fragment().as_ptr());
    let sound = fed.frame(false, false, 160, &fed.audio);
    assert_eq!((sound.packets().len(), sound.rtp_timestamp()), (1, 0));
}

proptest! {
    /// A viewer sees frames in their order, without a hole unless it is told, begins and goes on after one with a key frame;
    /// the ring keeps its bounds.
    #[test]
    fn no_viewer_sees_what_it_cannot_decode(
        steps in proptest::collection::vec((
            prop::sample::select(vec!['K', '.', '.', '.', '.', 'x', 'a']), 0usize..4_000_000, 0u64..2000, 0u8..8,
        ), 0..120),
    ) {
        let mut fed = Fed::new();
        // Each viewer with the index it saw last, and whether it may go on with any frame.
        let mut viewers: Vec<(Cursor, Option<u64>, bool)> = Vec::new();
        for (kind, bytes, ms, who) in steps {
            fed.now += Duration::from_millis(ms);
            fed.feed(&kind.to_string(), bytes);
            prop_assert!(fed.hub.bytes() <= MAX_BYTES || fed.hub.ring.len() == 1);
            prop_assert_eq!(fed.hub.bytes(), fed.hub.ring.iter().map(|frame| frame.len()).sum::<usize>());
            let span = |hub: &Hub| hub.ring.back().unwrap().arrived - hub.ring.front().unwrap().arrived;
            prop_assert!(span(&fed.hub) <= MAX_AGE);
            if who == 0 {
                viewers.push((fed.start(), None, false));
            }
            // One reads all, the others now and then.
            let count = viewers.len();
            for (number, (cursor, last, flows)) in viewers.iter_mut().enumerate() {
                if number + 1 != count && usize::from(who) != number {
                    continue;
                }
                if who == 7 && fed.hub.skip(cursor) > 0 {
                    *flows = false;
                }
                loop {
                    match fed.hub.next(cursor) {
                        Next::Frame(frame) => {
                            prop_assert!(last.is_none_or(|last| frame.index > last));
                            prop_assert!(*flows && *last == frame.index.checked_sub(1) || frame.key);
                            (*last, *flows) = (Some(frame.index), true);
                        }
                        Next::Lagged { dropped } => {
                            prop_assert!(dropped > 0);
                            *flows = false;
                        }
                        Next::Wait => break,
                    }
                }
            }
        }
    }
}
