//! A viewer by media source extensions: fragmented MP4, one fragment a frame, over whatever connection `serve` gives it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Presence;
use crate::live::frame::Frame;
use crate::live::hub::{Cursor, Next};
use crate::media::fmp4;
use crate::media::format::Format;

/// Who is further behind than this jumps to the newest key frame.
const MOST_BEHIND: Duration = Duration::from_secs(1);
/// How long sound is waited for that was announced and has not come: a track without data would stop the picture.
const SOUND_PATIENCE: Duration = Duration::from_millis(500);

/// What an MSE viewer is to be sent, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MsePiece {
    /// A new beginning. The page makes a source buffer of this type, or changes its type when the tracks are the same.
    Init {
        /// `video/mp4; codecs="…"`.
        mime: String,
        /// `ftyp` and `moov`.
        bytes: Bytes,
    },
    /// One frame: `moof` and `mdat`.
    Fragment(Bytes),
    /// So many frames were left out, since the connection is too slow; a key frame comes next.
    Dropped(u64),
}

/// A viewer, who is one as long as this is held.
pub struct MseViewer {
    presence: Presence,
    frames: watch::Receiver<u64>,
    cursor: Option<Cursor>,
    with_sound: bool,
    /// What the page was last told of picture and sound.
    video: Option<Arc<Format>>,
    audio: Option<Arc<Format>>,
    /// A frame that comes after what had to be said first.
    held: Option<Arc<Frame>>,
    has_caught_up: bool,
}

impl MseViewer {
    pub(in crate::live) fn new(presence: Presence, with_sound: bool) -> MseViewer {
        let frames = presence.stream.frames();
        MseViewer {
            presence,
            frames,
            cursor: None,
            with_sound,
            video: None,
            audio: None,
            held: None,
            has_caught_up: false,
        }
    }

    /// What comes next; none when the stream is taken away. Waits as long as there is nothing, also while the camera is away.
    /// May be dropped while it waits, and called again.
    pub async fn next(&mut self) -> Option<MsePiece> {
        self.await_sound().await;
        loop {
            if self.presence.stream.is_gone() {
                return None;
            }
            // Seen before it is looked, so that what comes meanwhile wakes.
            self.frames.borrow_and_update();
            match self.ready() {
                Some(piece) => {
                    if let MsePiece::Fragment(bytes) | MsePiece::Init { bytes, .. } = &piece {
                        let count = bytes.len() as u64;
                        self.presence.note(|facts| facts.bytes += count);
                    }
                    return Some(piece);
                }
                None => self.frames.changed().await.ok()?,
            }
        }
    }

    /// Before the first frame, sound that is announced is given a moment to come.
    async fn await_sound(&mut self) {
        if self.cursor.is_some() || !self.with_sound {
            return;
        }
        let until = Instant::now() + SOUND_PATIENCE;
        while self.presence.stream.awaits_sound() {
            self.frames.borrow_and_update();
            if !matches!(timeout_at(until, self.frames.changed()).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    fn ready(&mut self) -> Option<MsePiece> {
        let now = Instant::now().into_std();
        let stream = self.presence.stream.clone();
        if let Some(frame) = self.held.take() {
            return Some(self.fragment(&frame));
        }
        let mut cursor = match self.cursor.take() {
            Some(cursor) => cursor,
            None => stream.start(now),
        };
        let piece = loop {
            match stream.next(&mut cursor) {
                Next::Wait => {
                    self.has_caught_up = true;
                    break None;
                }
                Next::Lagged { dropped } => break Some(self.dropped(dropped)),
                Next::Frame(frame) => {
                    if self.has_caught_up && now.saturating_duration_since(frame.arrived) > MOST_BEHIND {
                        let dropped = stream.skip(&mut cursor);
                        if dropped > 0 {
                            break Some(self.dropped(dropped + 1));
                        }
                    }
                    if let Some(piece) = self.piece(frame) {
                        break Some(piece);
                    }
                }
            }
        };
        self.cursor = Some(cursor);
        piece
    }

    fn dropped(&self, count: u64) -> MsePiece {
        self.presence.note(|facts| facts.dropped_frames += count);
        MsePiece::Dropped(count)
    }

    /// What is sent for a frame: nothing for what the page was not told of, the new form first where it has changed.
    fn piece(&mut self, frame: Arc<Frame>) -> Option<MsePiece> {
        if !frame.is_video() {
            let is_known = self.audio.as_ref().is_some_and(|known| same(known, &frame.format));
            return is_known.then(|| self.fragment(&frame)).filter(is_something);
        }
        let audio = self.presence.stream.formats().1.filter(|_| self.with_sound);
        let is_known = self.video.as_ref().is_some_and(|known| same(known, &frame.format))
            && match (&self.audio, &audio) {
                (Some(known), Some(now)) => same(known, now),
                (None, None) => true,
                _ => false,
            };
        // In mid-group a decoder would have nothing to begin with.
        if is_known || !frame.key {
            return self.video.is_some().then(|| self.fragment(&frame)).filter(is_something);
        }
        let init = init(&frame.format, audio.as_deref()).map(|init| (init, audio.clone()));
        // Sound that MP4 does not carry leaves the picture.
        let (piece, audio) = init.or_else(|| Some((init_of_picture(&frame.format)?, None)))?;
        (self.video, self.audio) = (Some(frame.format.clone()), audio);
        self.held = Some(frame);
        Some(piece)
    }

    fn fragment(&self, frame: &Frame) -> MsePiece {
        if frame.is_video() {
            self.presence.note_frame();
        }
        MsePiece::Fragment(frame.fragment().clone())
    }
}

fn is_something(piece: &MsePiece) -> bool {
    !matches!(piece, MsePiece::Fragment(bytes) if bytes.is_empty())
}

fn same(one: &Arc<Format>, other: &Arc<Format>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

fn init_of_picture(video: &Format) -> Option<MsePiece> {
    init(video, None)
}

fn init(video: &Format, audio: Option<&Format>) -> Option<MsePiece> {
    let Format::Video(picture) = video else { return None };
    let mut codecs = fmp4::codec_string(video)?;
    let sound = match audio {
        Some(Format::Audio(sound)) => {
            codecs = format!("{codecs},{}", fmp4::codec_string(&Format::Audio(sound.clone()))?);
            Some(sound)
        }
        _ => None,
    };
    let bytes = fmp4::init(Some(picture), sound)?;
    Some(MsePiece::Init { mime: format!("video/mp4; codecs=\"{codecs}\""), bytes })
}
