//! A viewer of a camera that sends JPEGs: gets the newest, and leaves out what came while the one before was on its way.

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Presence;
use crate::live::hub::{Cursor, Next};

/// A viewer, who is one as long as this is held.
pub struct JpegViewer {
    presence: Presence,
    frames: watch::Receiver<u64>,
    cursor: Option<Cursor>,
}

impl JpegViewer {
    pub(in crate::live) fn new(presence: Presence) -> JpegViewer {
        let frames = presence.stream.frames();
        JpegViewer { presence, frames, cursor: None }
    }

    /// The next picture; none when the stream is taken away. Waits as long as there is none, also while the camera is away.
    /// May be dropped while it waits, and called again.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.presence.stream.is_gone() {
                return None;
            }
            self.frames.borrow_and_update();
            match self.newest() {
                Some(picture) => {
                    self.presence.note_frame();
                    self.presence.note(|facts| facts.bytes += picture.len() as u64);
                    return Some(picture);
                }
                None => self.frames.changed().await.ok()?,
            }
        }
    }

    fn newest(&mut self) -> Option<Bytes> {
        let stream = &self.presence.stream;
        let mut cursor = self.cursor.take().unwrap_or_else(|| stream.start(Instant::now().into_std()));
        let (mut newest, mut dropped) = (None, 0);
        loop {
            match stream.next(&mut cursor) {
                // The camera may send something else since it was away.
                Next::Frame(frame) if frame.is_jpeg() => {
                    dropped += u64::from(newest.is_some());
                    newest = frame.parts.first().cloned();
                }
                Next::Frame(_) => {}
                Next::Lagged { dropped: more } => dropped += more,
                Next::Wait => break,
            }
        }
        self.cursor = Some(cursor);
        self.presence.note(|facts| facts.dropped_frames += dropped);
        newest
    }
}
