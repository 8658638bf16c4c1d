//! A viewer who can be shown nothing else: the newest key frame as a JPEG, at most one a second. Each is made once, for all who
//! are shown it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::Presence;
use crate::live::frame::Frame;
use crate::live::hub::{Cursor, Next};

/// From one picture to the next, at least: making them is work.
const PAUSE: Duration = Duration::from_secs(1);

/// A viewer, who is one as long as this is held.
pub struct StillsViewer {
    presence: Presence,
    frames: watch::Receiver<u64>,
    cursor: Option<Cursor>,
    /// The one that is being made, in a task of its own: this viewer's wait may be cut off.
    making: Option<JoinHandle<Option<Bytes>>>,
    not_before: Instant,
}

impl StillsViewer {
    pub(in crate::live) fn new(presence: Presence) -> StillsViewer {
        let frames = presence.stream.frames();
        StillsViewer { presence, frames, cursor: None, making: None, not_before: Instant::now() }
    }

    /// The next picture; none when the stream is taken away. Waits as long as there is none, also while the camera is away.
    /// May be dropped while it waits, and called again.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.presence.stream.is_gone() {
                return None;
            }
            if let Some(making) = &mut self.making {
                let made = making.await;
                self.making = None;
                // What cannot be made, or broke, is left out: there will be another.
                let Ok(Some(picture)) = made else { continue };
                self.presence.note_frame();
                self.presence.note(|facts| facts.bytes += picture.len() as u64);
                return Some(picture);
            }
            sleep_until(self.not_before).await;
            self.frames.borrow_and_update();
            match self.newest_key() {
                Some(frame) => {
                    self.not_before = Instant::now() + PAUSE;
                    let stream = self.presence.stream.clone();
                    self.making = Some(tokio::spawn(async move { stream.still.of(&frame).await }));
                }
                None => self.frames.changed().await.ok()?,
            }
        }
    }

    fn newest_key(&mut self) -> Option<Arc<Frame>> {
        let stream = &self.presence.stream;
        let mut cursor = self.cursor.take().unwrap_or_else(|| stream.start(Instant::now().into_std()));
        let mut newest = None;
        loop {
            match stream.next(&mut cursor) {
                Next::Frame(frame) if frame.is_video() && frame.key => newest = Some(frame),
                Next::Frame(_) | Next::Lagged { .. } => {}
                Next::Wait => break,
            }
        }
        self.cursor = Some(cursor);
        newest
    }
}
