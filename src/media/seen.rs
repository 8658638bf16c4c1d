//! What was seen in a piece of a stream: a segment, or what came in the measuring time.

use super::meter::{FrameMeter, Rates};
use super::picture::Picture;
use crate::model::{Audio, Video};

/// What was seen in a piece of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The picture, by its parameter sets where they were there.
    pub video: Option<Video>,
    /// The sound.
    pub audio: Option<Audio>,
    /// Its frames, by the stream's own clock.
    pub meter: FrameMeter,
    /// Whether a key frame was among them, its time known or not.
    pub key: bool,
    /// The first key frame that came whole with its parameter sets.
    pub picture: Option<Picture>,
}

impl Seen {
    /// Frames of the picture.
    pub fn frames(&self) -> u32 {
        self.meter.frames()
    }

    /// What the frames measure.
    pub fn rates(&self) -> Rates {
        self.meter.rates()
    }
}
